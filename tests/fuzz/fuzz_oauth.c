/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "adapters/adapter.h"
#include "adapters/oauth.h"

#include <string.h>

static const char stored[] = "{\"type\":\"oauth\",\"client_id\":\"c\",\"client_secret\":\"cs\",\"refresh_token\":\"r1\","
                             "\"access_token\":\"a1\",\"expires_at\":7,\"grant\":\"g\"}";

static void check_credentials(const struct of_adapter *pco, const struct of_json *credentials)
{
    struct of_err err = OF_ERR_INIT;
    struct of_buf out = OF_BUF_INIT(1U << 20);
    if (pco->check_credentials(credentials, &err) == OF_OK) {
        pco->budget_key(credentials, &out);
        of_buf_clear(&out);
        if (pco->authorization(credentials, &out, &err) == OF_OK) {
            OF_BUG_ON(strpbrk(of_buf_text(&out), "\r\n"));
        }
        of_buf_clear(&out);
        of_oauth_adopt(credentials, &out);
        OF_CLEANUP(of_json_freep) struct of_json *adopted = NULL;
        OF_BUG_ON(of_json_parse(of_buf_text(&out), out.len, 1U << 20, &adopted, &err) != OF_OK);
        OF_BUG_ON(pco->check_credentials(adopted, &err) != OF_OK);
    }
    of_buf_done(&out);
}

/* The first byte chooses a status; the rest is an answer of the token endpoint, an error body, and credentials. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 201, 204, 302, 400, 401, 402, 403, 404, 409, 422, 429, 500, 503};
    const struct of_adapter *pco = of_adapter_find("pco");
    struct of_err err = OF_ERR_INIT;
    if (size == 0 || size > (256U << 10)) {
        return 0;
    }
    int status = statuses[data[0] % OF_ARRAY_LEN(statuses)];
    const char *body = (const char *)data + 1;
    OF_CLEANUP(of_json_freep) struct of_json *credentials = NULL;
    OF_BUG_ON(of_json_parse(stored, sizeof(stored) - 1, sizeof(stored), &credentials, &err) != OF_OK);
    struct of_buf renewed = OF_BUF_INIT(1U << 20);
    enum of_code code = pco->parse_token(credentials, status, body, size - 1, (struct of_wall){.us = 0}, &renewed, &err);
    if (code == OF_OK) {
        OF_CLEANUP(of_json_freep) struct of_json *now = NULL;
        OF_BUG_ON(of_json_parse(of_buf_text(&renewed), renewed.len, 1U << 20, &now, &err) != OF_OK);
        OF_BUG_ON(pco->check_credentials(now, &err) != OF_OK);
    } else {
        OF_BUG_ON((code != OF_E_AUTH && code != OF_E_REMOTE) || renewed.len > 0);
    }
    of_buf_done(&renewed);
    (void)pco->classify(status, NULL, NULL, body, size - 1, &err);
    (void)pco->classify(status, "application/json", "5", body, size - 1, &err);
    OF_BUG_ON(!of_utf8_valid(err.msg, strlen(err.msg)));
    OF_CLEANUP(of_json_freep) struct of_json *given = NULL;
    if (of_json_parse(body, size - 1, 1U << 20, &given, &err) == OF_OK) {
        check_credentials(pco, given);
    }
    return 0;
}

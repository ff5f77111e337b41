/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/http/http_int.h"

/* The headers that somebody asks for. */
static const struct of_http_known {
    const char *name;
    size_t offset, size;
} of_http_known[] = {
#define OF_HTTP_KNOWN(name, field) {name, offsetof(struct of_http_resp, field), sizeof(((struct of_http_resp *)0)->field)}
    OF_HTTP_KNOWN("content-type", content_type),
    OF_HTTP_KNOWN("date", date),
    OF_HTTP_KNOWN("retry-after", retry_after),
    OF_HTTP_KNOWN("x-pco-api-request-rate-limit", rate_limit),
    OF_HTTP_KNOWN("x-pco-api-request-rate-count", rate_count),
    OF_HTTP_KNOWN("x-pco-api-request-rate-period", rate_period),
#undef OF_HTTP_KNOWN
};

static bool of_http_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void of_http_resp_field(struct of_http_resp *resp, const struct of_http_known *known, const char *value,
                               size_t len)
{
    char *field = (char *)resp + known->offset;
    size_t n = OF_MIN(len, known->size - 1);
    memcpy(field, value, n);
    field[n] = '\0';
}

void of_http_resp_header(struct of_http_resp *resp, const char *line, size_t len)
{
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        for (size_t i = 0; i < OF_ARRAY_LEN(of_http_known); i++) { /* an interim answer came before */
            of_http_resp_field(resp, &of_http_known[i], "", 0);
        }
        return;
    }
    const char *colon = memchr(line, ':', len);
    if (!colon) {
        return;
    }
    size_t name_len = (size_t)(colon - line);
    const char *value = colon + 1, *end = line + len;
    while (value < end && of_http_is_space(*value)) {
        value++;
    }
    while (end > value && of_http_is_space(end[-1])) {
        end--;
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(of_http_known); i++) {
        const struct of_http_known *known = &of_http_known[i];
        if (strlen(known->name) == name_len && strncasecmp(known->name, line, name_len) == 0) {
            of_http_resp_field(resp, known, value, (size_t)(end - value));
        }
    }
}

void of_http_resp_done(struct of_http_resp *resp)
{
    of_buf_done(&resp->body);
}

/* The one table from curl's results to ours; what is not here: OF_E_NET. */
static const struct {
    CURLcode result;
    enum of_code code;
} of_http_codes[] = {
    {CURLE_OPERATION_TIMEDOUT, OF_E_TIMEOUT},     {CURLE_FILESIZE_EXCEEDED, OF_E_TOO_LARGE},
    {CURLE_URL_MALFORMAT, OF_E_INVALID},          {CURLE_UNSUPPORTED_PROTOCOL, OF_E_INVALID},
    {CURLE_BAD_CONTENT_ENCODING, OF_E_REMOTE},    {CURLE_WEIRD_SERVER_REPLY, OF_E_REMOTE},
};

/* Host only: path and query may hold personal data, and the user part a password. */
static void of_http_host(const char *url, char *ret, size_t size)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) {
        curl_url_get(parts, CURLUPART_HOST, &host, 0);
    }
    snprintf(ret, size, "%s", host ? host : "(no host)");
    curl_free(host);
    curl_url_cleanup(parts);
}

enum of_code of_http_fail(struct of_err *err, CURLcode result, bool too_large, const char *url)
{
    char host[128];
    enum of_code code = OF_E_NET;
    for (size_t i = 0; i < OF_ARRAY_LEN(of_http_codes); i++) {
        if (of_http_codes[i].result == result) {
            code = of_http_codes[i].code;
        }
    }
    if (too_large) {
        code = OF_E_TOO_LARGE;
    }
    of_http_host(url, host, sizeof(host));
    const char *text = curl_easy_strerror(result); /* not CURLOPT_ERRORBUFFER: it may quote the URL */
    if (code == OF_E_TOO_LARGE) {
        text = "the answer is too large";
    } else if (result == CURLE_ABORTED_BY_CALLBACK) {
        text = "the connection was closed before an answer"; /* see of_http_on_sending */
    }
    return of_err_set(err, code, "%s: %s", host, text);
}

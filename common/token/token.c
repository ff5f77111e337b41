/* SPDX-License-Identifier: Apache-2.0 */
#include "common/token/token.h"

#include "common/crypto/crypto.h"
#include "common/json/json.h"
#include "common/pg/pg.h"
#include "common/token/token_int.h"

#include "of_token_sql.h"

#include <stdlib.h>
#include <string.h>

#define CREDENTIALS_MAX 65536

char *of_token_aad(const char *org, const char *adapter)
{
    return of_asprintf("%s\x1f%s", org, adapter);
}

enum of_code of_token_bytes(const char *base64, unsigned char **ret, size_t *ret_len, struct of_err *err)
{
    size_t cap = strlen(base64) / 4 * 3 + 3;
    unsigned char *bytes = of_alloc(cap);
    if (!of_base64_decode(base64, bytes, cap, ret_len)) {
        free(bytes);
        return of_err_set(err, OF_E_CRYPTO, "stored credentials are damaged");
    }
    *ret = bytes;
    return OF_OK;
}

enum of_code of_token_unseal(const struct of_keyring *ring, const char *aad, const char *key_id, const char *base64,
                             char **ret_plain, struct of_err *err)
{
    OF_CLEANUP(of_freep) unsigned char *bytes = NULL;
    size_t len = 0, plain_len = 0;
    OF_TRY(of_token_bytes(base64, &bytes, &len, err));
    return of_unseal(ring, key_id, aad, bytes, len, ret_plain, &plain_len, err);
}

void of_token_done(struct of_token *token)
{
    of_secret_free(token->json);
    of_secret_free(token->prev_json);
    *token = (struct of_token){.version = 0};
}

enum of_code of_token_load(struct of_pg *db, const struct of_keyring *ring, const char *org, const char *adapter,
                           struct of_token *ret_token, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    OF_TRY(of_pg_run(db, &of_sql_token_load, &args, &res, err));
    if (of_pgres_rows(res) == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "no credentials are stored");
    }
    OF_CLEANUP(of_freep) char *aad = of_token_aad(org, adapter);
    struct of_token token = {.version = of_pgres_i64(res, 0, 0), .is_oauth = of_pgres_bool(res, 0, 1)};
    OF_TRY(of_token_unseal(ring, aad, of_pgres_text(res, 0, 2), of_pgres_text(res, 0, 3), &token.json, err));
    if (!of_pgres_is_null(res, 0, 5)) {
        struct of_err ignored = OF_ERR_INIT;
        if (of_token_unseal(ring, aad, of_pgres_text(res, 0, 4), of_pgres_text(res, 0, 5), &token.prev_json, &ignored) != OF_OK) {
            token.prev_json = NULL;
        }
    }
    token.expires_at.us = of_pgres_i64(res, 0, 6);
    *ret_token = token;
    return OF_OK;
}

/* What a row says beside the sealed text. */
struct outside {
    const char *kind;
    bool has_expiry;
    struct of_wall expires_at;
};

static enum of_code read_expiry(const struct of_json *root, struct outside *out, struct of_err *err)
{
    const struct of_json *n = of_json_get(root, "expires_at");
    int64_t seconds = 0;
    if (of_json_is_null(n)) {
        return OF_OK;
    }
    if (of_json_i64(n, &seconds) && seconds > 0 && seconds < 253402300800) {
        out->expires_at.us = seconds * 1000000;
    } else if (of_json_text(n) == NULL || !of_time_parse(of_json_text(n), &out->expires_at)) {
        return of_err_set(err, OF_E_INVALID, "$.expires_at: expected seconds since 1970 or an ISO 8601 time");
    }
    out->has_expiry = true;
    return OF_OK;
}

static enum of_code look_outside(const char *json, struct outside *out, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *root = NULL;
    const char *type = NULL;
    OF_TRY(of_json_parse(json, strlen(json), CREDENTIALS_MAX, &root, err));
    OF_TRY(of_json_req_text(root, "$", "type", 16, &type, err));
    if (strcmp(type, "oauth") == 0) {
        *out = (struct outside){.kind = "oauth"};
        return read_expiry(root, out, err);
    }
    if (strcmp(type, "pat") == 0) {
        *out = (struct outside){.kind = "pat"};
        return OF_OK;
    }
    return of_err_set(err, OF_E_INVALID, "$.type: expected \"pat\" or \"oauth\"");
}

/* Appends kind, key id, sealed, expires: in this order in token_put and token_store. sealed must outlive the call. */
static enum of_code add_sealed(const struct of_keyring *ring, const char *org, const char *adapter, const char *json,
                               struct of_pgargs *args, unsigned char **ret_sealed, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *aad = of_token_aad(org, adapter);
    struct outside outside = {.kind = NULL};
    size_t len = 0;
    OF_TRY(look_outside(json, &outside, err));
    OF_TRY(of_seal(ring, aad, json, strlen(json), ret_sealed, &len, err));
    of_pg_arg_text(args, outside.kind);
    of_pg_arg_text(args, of_keyring_current(ring));
    of_pg_arg_bytes(args, *ret_sealed, len);
    if (outside.has_expiry) {
        of_pg_arg_time(args, outside.expires_at.us);
    } else {
        of_pg_arg_null(args, OF_PG_TIMESTAMPTZ);
    }
    return OF_OK;
}

enum of_code of_token_put(struct of_pg *db, const struct of_keyring *ring, const char *org, const char *adapter, const char *json,
                          struct of_err *err)
{
    OF_CLEANUP(of_freep) unsigned char *sealed = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    OF_TRY(add_sealed(ring, org, adapter, json, &args, &sealed, err));
    return of_pg_run(db, &of_sql_token_put, &args, NULL, err);
}

enum of_code of_token_delete(struct of_pg *db, const char *org, const char *adapter, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    return of_pg_run(db, &of_sql_token_delete, &args, NULL, err);
}

enum of_code of_token_begin_refresh(struct of_pg *db, const char *org, const char *adapter, int64_t version, const char *owner,
                                    int64_t lease_ms, bool *ret_got, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t rows = 0;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    of_pg_arg_int8(&args, version);
    of_pg_arg_text(&args, owner);
    of_pg_arg_int8(&args, lease_ms);
    OF_TRY(of_pg_run_count(db, &of_sql_token_begin, &args, &rows, err));
    *ret_got = rows == 1;
    return OF_OK;
}

enum of_code of_token_store(struct of_pg *db, const struct of_keyring *ring, const char *org, const char *adapter,
                            int64_t version, const char *owner, const char *new_json, bool *ret_stored, struct of_err *err)
{
    OF_CLEANUP(of_freep) unsigned char *sealed = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t rows = 0;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    of_pg_arg_int8(&args, version);
    of_pg_arg_text(&args, owner);
    OF_TRY(add_sealed(ring, org, adapter, new_json, &args, &sealed, err));
    OF_TRY(of_pg_run_count(db, &of_sql_token_store, &args, &rows, err));
    *ret_stored = rows == 1;
    return OF_OK;
}

enum of_code of_token_fail(struct of_pg *db, const char *org, const char *adapter, int64_t version, const char *owner,
                           struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    of_pg_arg_int8(&args, version);
    of_pg_arg_text(&args, owner);
    return of_pg_run(db, &of_sql_token_fail, &args, NULL, err);
}

enum of_code of_token_mark_used(struct of_pg *db, const char *org, const char *adapter, int64_t version, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    of_pg_arg_int8(&args, version);
    return of_pg_run(db, &of_sql_token_used, &args, NULL, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/token/token.h"

#include "common/crypto/crypto.h"
#include "common/pg/pg.h"
#include "common/token/token_int.h"

#include "of_token_sql.h"

#include <stdlib.h>
#include <string.h>

OF_DEFINE_CLEANUP(char, of_secret_free, secret_freep)

/* base64 of a text sealed with any key -> the same sealed with the current one. */
static enum of_code reseal(const struct of_keyring *ring, const char *aad, const char *key_id, const char *base64,
                           unsigned char **ret_sealed, size_t *ret_len, struct of_err *err)
{
    OF_CLEANUP(secret_freep) char *plain = NULL;
    OF_TRY(of_token_unseal(ring, aad, key_id, base64, &plain, err));
    return of_seal(ring, aad, plain, strlen(plain), ret_sealed, ret_len, err);
}

static enum of_code reseal_row(struct of_pg *db, const struct of_keyring *ring, const struct of_pgres *res, int row,
                               int64_t *ret_rows, struct of_err *err)
{
    OF_CLEANUP(of_freep) unsigned char *was = NULL, *sealed = NULL, *prev = NULL;
    size_t was_len = 0, len = 0, prev_len = 0;
    const char *org = of_pgres_text(res, row, 0), *adapter = of_pgres_text(res, row, 1);
    OF_CLEANUP(of_freep) char *aad = of_token_aad(org, adapter);
    OF_TRY(of_token_bytes(of_pgres_text(res, row, 3), &was, &was_len, err));
    OF_TRY(reseal(ring, aad, of_pgres_text(res, row, 2), of_pgres_text(res, row, 3), &sealed, &len, err));
    if (!of_pgres_is_null(res, row, 5)) {
        OF_TRY(reseal(ring, aad, of_pgres_text(res, row, 4), of_pgres_text(res, row, 5), &prev, &prev_len, err));
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    of_pg_arg_bytes(&args, was, was_len);
    of_pg_arg_text(&args, of_keyring_current(ring));
    of_pg_arg_bytes(&args, sealed, len);
    if (prev == NULL) {
        of_pg_arg_null(&args, OF_PG_TEXT);
        of_pg_arg_null(&args, OF_PG_BYTEA);
    } else {
        of_pg_arg_text(&args, of_keyring_current(ring));
        of_pg_arg_bytes(&args, prev, prev_len);
    }
    return of_pg_run_count(db, &of_sql_token_reseal, &args, ret_rows, err);
}

enum of_code of_token_rotate(struct of_pg *db, const struct of_keyring *ring, int max, struct of_token_rotation *rotation,
                             bool *ret_more, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, of_keyring_current(ring));
    of_pg_arg_text(&args, rotation->org ? rotation->org : "");
    of_pg_arg_text(&args, rotation->adapter ? rotation->adapter : "");
    of_pg_arg_int8(&args, max);
    OF_TRY(of_pg_run(db, &of_sql_token_old_keys, &args, &res, err));
    int n = of_pgres_rows(res);
    for (int i = 0; i < n; i++) {
        int64_t rows = 0;
        enum of_code code = reseal_row(db, ring, res, i, &rows, err);
        if (code == OF_E_CRYPTO) { /* one damaged row must not keep the others from being rotated */
            rotation->failed++;
        } else if (code != OF_OK) {
            return code;
        }
        rotation->looked++;
        rotation->sealed += rows;
    }
    if (n > 0) {
        of_token_rotation_done(rotation);
        rotation->org = of_strdup(of_pgres_text(res, n - 1, 0));
        rotation->adapter = of_strdup(of_pgres_text(res, n - 1, 1));
    }
    *ret_more = n == max;
    return OF_OK;
}

void of_token_rotation_done(struct of_token_rotation *rotation)
{
    free(rotation->org);
    free(rotation->adapter);
    rotation->org = rotation->adapter = NULL;
}

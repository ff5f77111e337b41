/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg/pg.h"

#include <stdlib.h>
#include <string.h>

#include "common/pg/pg_int.h"

/* One execution. *ret_stale: refused because the tables changed under the cached plan. */
static enum of_code of_pg_execute(struct of_pg *db, const struct of_sql *sql, const struct of_pgparams *params,
                                  PGresult **ret_res, bool *ret_stale, struct of_err *err)
{
    struct of_pgstmt *st = NULL;
    OF_TRY(of_pgstmt_ready(db, sql, params, &st, err));
    bool timed_out = false;
    OF_CLEANUP(of_pgresult_done) PGresult *res = NULL;
    if (PQsendQueryPrepared(db->conn, sql->name, params->n, params->values, params->lengths, params->formats, 0)) {
        res = of_pg_await(db, &timed_out);
    }
    if (timed_out) {
        return of_err_set(err, OF_E_DB, "%s: no answer within %d ms", sql->name, db->deadline_ms);
    }
    ExecStatusType status = PQresultStatus(res);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *ret_res = OF_TAKE(res);
        return OF_OK;
    }
    if (res && of_pgstmt_is_stale_plan(res)) {
        st->state = OF_PGSTMT_STALE;
        *ret_stale = true;
    }
    return of_pg_fail(db, res, sql->name, err);
}

static enum of_code of_pg_run_result(struct of_pg *db, const struct of_sql *sql, const struct of_pgargs *args,
                                     PGresult **ret_res, struct of_err *err)
{
    if (db->broken) {
        return of_err_set(err, OF_E_DB, "%s: the connection is broken", sql->name);
    }
    struct of_pgparams params;
    OF_TRY(of_pgparams_make(args, &params, err));
    bool stale = false;
    enum of_code code = of_pg_execute(db, sql, &params, ret_res, &stale, err);
    if (stale && !db->broken && PQtransactionStatus(db->conn) == PQTRANS_IDLE) {
        of_err_clear(err);
        code = of_pg_execute(db, sql, &params, ret_res, &stale, err);
    }
    return code;
}

enum of_code of_pg_run(struct of_pg *db, const struct of_sql *sql, const struct of_pgargs *args,
                       struct of_pgres **ret_res, struct of_err *err)
{
    OF_CLEANUP(of_pgresult_done) PGresult *res = NULL;
    OF_TRY(of_pg_run_result(db, sql, args, &res, err));
    if (ret_res) {
        struct of_pgres *out = of_calloc(1, sizeof(*out));
        out->res = OF_TAKE(res);
        *ret_res = out;
    }
    return OF_OK;
}

enum of_code of_pg_run_count(struct of_pg *db, const struct of_sql *sql, const struct of_pgargs *args,
                             int64_t *ret_rows, struct of_err *err)
{
    OF_CLEANUP(of_pgresult_done) PGresult *res = NULL;
    OF_TRY(of_pg_run_result(db, sql, args, &res, err));
    int64_t rows = 0;
    if (!of_parse_i64(PQcmdTuples(res), 0, INT64_MAX, &rows)) {
        rows = 0; /* a command that counts nothing */
    }
    *ret_rows = rows;
    return OF_OK;
}

enum of_code of_pg_script(struct of_pg *db, const char *text, struct of_err *err)
{
    return of_pg_exec(db, text, "script", NULL, err);
}

enum of_code of_pg_begin(struct of_pg *db, struct of_err *err)
{
    OF_BUG_ON(!db->broken && PQtransactionStatus(db->conn) != PQTRANS_IDLE);
    return of_pg_exec(db, "BEGIN", "begin", NULL, err);
}

enum of_code of_pg_commit(struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_pgresult_done) PGresult *res = NULL;
    OF_TRY(of_pg_exec(db, "COMMIT", "commit", &res, err));
    if (strcmp(PQcmdStatus(res), "COMMIT") != 0) {
        return of_err_set(err, OF_E_DB, "commit: the transaction had failed and was rolled back");
    }
    return OF_OK;
}

void of_pg_rollback(struct of_pg *db)
{
    if (db->broken || PQtransactionStatus(db->conn) == PQTRANS_IDLE) {
        return;
    }
    struct of_err ignored = OF_ERR_INIT;
    if (of_pg_exec(db, "ROLLBACK", "rollback", NULL, &ignored) != OF_OK) {
        db->broken = true;
    }
}

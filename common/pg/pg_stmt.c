/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg/pg_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF_PG_NAME_MAX 63 /* Postgres tells longer names apart by these bytes only */

static uint64_t of_pg_hash(const char *s)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (; *s; s++) {
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    }
    return h;
}

void of_pgstmts_done(struct of_pgstmts *s)
{
    for (size_t i = 0; i < s->size; i++) {
        free(s->v[i].name);
    }
    free(s->v);
    *s = (struct of_pgstmts){.v = NULL};
}

static struct of_pgstmt *of_pgstmts_place(struct of_pgstmts *s, const char *name)
{
    size_t i = (size_t)of_pg_hash(name) & (s->size - 1);
    while (s->v[i].name && strcmp(s->v[i].name, name) != 0) {
        i = (i + 1) & (s->size - 1);
    }
    return &s->v[i];
}

static void of_pgstmts_grow(struct of_pgstmts *s)
{
    struct of_pgstmts bigger = {.v = NULL, .size = s->size ? s->size * 2 : 64, .used = s->used};
    bigger.v = of_calloc(bigger.size, sizeof(*bigger.v));
    for (size_t i = 0; i < s->size; i++) {
        if (s->v[i].name) {
            *of_pgstmts_place(&bigger, s->v[i].name) = s->v[i];
        }
    }
    free(s->v);
    *s = bigger;
}

struct of_pgstmt *of_pgstmts_find(struct of_pgstmts *s, const char *name)
{
    if (s->used * 2 >= s->size) {
        of_pgstmts_grow(s);
    }
    return of_pgstmts_place(s, name);
}

bool of_pgstmt_is_stale_plan(const PGresult *res)
{
    /* the message may be translated, the function's name is not */
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *function = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);
    return sqlstate && function && strcmp(sqlstate, "0A000") == 0 && strcmp(function, "RevalidateCachedQuery") == 0;
}

static enum of_code of_pgstmt_check(const struct of_pgstmt *st, const struct of_sql *sql,
                                    const struct of_pgparams *params, struct of_err *err)
{
    if (st->text != sql->text && st->text_hash != of_pg_hash(sql->text)) {
        return of_err_set(err, OF_E_BUG, "%s: two statements have this name", sql->name);
    }
    for (int i = 0; i < params->n; i++) {
        if (params->types[i] != st->types[i]) {
            return of_err_set(err, OF_E_BUG, "%s: parameter %d has another type than before", sql->name, i + 1);
        }
    }
    return OF_OK;
}

static enum of_code of_pgstmt_prepare(struct of_pg *db, const struct of_sql *sql, const struct of_pgparams *params,
                                      struct of_err *err)
{
    bool timed_out = false;
    OF_CLEANUP(of_pgresult_done) PGresult *res = NULL;
    if (PQsendPrepare(db->conn, sql->name, sql->text, params->n, params->types)) {
        res = of_pg_await(db, &timed_out);
    }
    if (timed_out) {
        return of_err_set(err, OF_E_DB, "prepare %s: no answer within %d ms", sql->name, db->deadline_ms);
    }
    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        return of_pg_fail(db, res, sql->name, err);
    }
    return OF_OK;
}

static enum of_code of_pgstmt_deallocate(struct of_pg *db, struct of_pgstmt *st, struct of_err *err)
{
    char text[OF_PG_NAME_MAX + 32];
    OF_BUG_ON(strchr(st->name, '"') != NULL);
    snprintf(text, sizeof(text), "DEALLOCATE \"%s\"", st->name);
    OF_TRY(of_pg_exec(db, text, "deallocate", NULL, err));
    st->state = OF_PGSTMT_UNPREPARED;
    return OF_OK;
}

enum of_code of_pgstmt_ready(struct of_pg *db, const struct of_sql *sql, const struct of_pgparams *params,
                             struct of_pgstmt **ret, struct of_err *err)
{
    if (params->n != sql->nparams) {
        return of_err_set(err, OF_E_BUG, "%s: %d parameters given, %d wanted", sql->name, params->n, sql->nparams);
    }
    if (strlen(sql->name) > OF_PG_NAME_MAX) {
        return of_err_set(err, OF_E_BUG, "%s: statement name is too long", sql->name);
    }
    struct of_pgstmt *st = of_pgstmts_find(&db->stmts, sql->name);
    if (!st->name) {
        st->name = of_strdup(sql->name);
        db->stmts.used++;
    }
    if (st->state == OF_PGSTMT_STALE) {
        OF_TRY(of_pgstmt_deallocate(db, st, err));
    }
    if (st->state == OF_PGSTMT_UNPREPARED) {
        OF_TRY(of_pgstmt_prepare(db, sql, params, err));
        st->state = OF_PGSTMT_READY;
        st->text = sql->text;
        st->text_hash = of_pg_hash(sql->text);
        memcpy(st->types, params->types, sizeof(st->types[0]) * (size_t)params->n);
    }
    OF_TRY(of_pgstmt_check(st, sql, params, err));
    *ret = st;
    return OF_OK;
}

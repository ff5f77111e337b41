/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/phase.h"
#include "worker/push_int.h"
#include "worker_sql.h"

/* The last step of a type in a run: what is here and not there is hinted, by a keyset over all of the type; then the step looks on
 * until it has been worked off, or waits for people. */

enum { LOOK_MS = 300, LOOK_MS_EACH = 5, LOOK_MS_MAX = 10000 }; /* who looks counts all that are left: the more, the more seldom */

bool of_push_applies(const struct of_phase_job *pj)
{
    const struct of_type *t = pj->type;
    return pj->conn->mode != 'c' && (t->verbs & OF_VERB_CREATE) && t->kind != OF_KIND_REFERENCE;
}

enum of_code of_push_open(struct of_phase_job *pj, struct of_pg *db, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, pj->type->name);
    return of_pg_run(db, &of_sql_push_open, &args, NULL, err);
}

/* record_type of the rows */
static const char *rows_of(const struct of_type *t)
{
    return t->kind == OF_KIND_ENTITY ? t->entity : t->name;
}

/* --- hinting, a batch --- */

static enum of_code hint_entities(struct of_phase_job *pj, struct of_pg *db, struct of_pgres **ret, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, pj->after);
    of_pg_arg_int8(&args, pj->w->conf->batch_rows);
    return of_pg_run(db, &of_type_sql(pj->type)->out_hint, &args, ret, err);
}

static enum of_code hint_edges(struct of_phase_job *pj, struct of_pg *db, struct of_pgres **ret, struct of_err *err)
{
    struct of_edge_record e;
    char src[OF_PUSH_ID_MAX];
    of_edge_record_of(pj->conn->adapter, pj->type, &e);
    const char *bar = strchr(pj->after, '|');
    (void)of_strcopy(src, bar ? (size_t)(bar - pj->after) + 1 : 1, pj->after);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, src);
    of_pg_arg_text(&args, bar ? bar + 1 : "");
    of_pg_arg_int8(&args, pj->w->conf->batch_rows);
    of_pg_arg_text(&args, e.rtype);
    of_pg_arg_text(&args, pj->type->name);
    return of_pg_run(db, &of_sql_push_hint_edges, &args, ret, err);
}

/* ret: rows looked at; their last id goes into last. */
static enum of_code hint_values(struct of_phase_job *pj, struct of_pg *db, char *last, size_t size, int *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    struct of_apply a = of_phase_apply(pj, db);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, pj->after);
    of_pg_arg_int8(&args, pj->w->conf->batch_rows);
    OF_TRY(of_pg_run(db, &of_sql_push_people, &args, &res, err));
    *ret = of_pgres_rows(res);
    for (int row = 0; row < *ret; row++) {
        of_pgarr_text(ids, of_pgres_text(res, row, 0));
        (void)of_strcopy(last, size, of_pgres_text(res, row, 0));
    }
    return *ret > 0 ? of_push_hint_values(&a, pj->type->entity, ids, err) : OF_OK;
}

static enum of_code hint_batch(struct of_phase_job *pj, struct of_pg *db, bool *ret_more, struct of_err *err)
{
    int64_t looked = 0;
    if (pj->type->kind == OF_KIND_VALUE) {
        int n = 0;
        OF_TRY(hint_values(pj, db, pj->after, sizeof pj->after, &n, err));
        looked = n;
    } else {
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
        OF_TRY(pj->type->kind == OF_KIND_EDGE ? hint_edges(pj, db, &res, err) : hint_entities(pj, db, &res, err));
        looked = of_pgres_i64(res, 0, 0);
        if (looked > 0) {
            (void)of_strcopy(pj->after, sizeof pj->after, of_pgres_text(res, 0, 1));
        }
        pj->total = OF_MAX(pj->total, 0) + of_pgres_i64(res, 0, 2);
    }
    *ret_more = looked >= pj->w->conf->batch_rows;
    return OF_OK;
}

static enum of_code count_left(struct of_phase_job *pj, struct of_pg *db, int64_t *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, rows_of(pj->type));
    OF_TRY(of_pg_run(db, &of_sql_push_left, &args, &res, err));
    *ret = of_pgres_i64(res, 0, 0);
    return OF_OK;
}

/* --- the step --- */

static enum of_code move(struct of_phase_job *pj, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *cursor = NULL;
    struct of_buf b = OF_BUF_INIT(64 * 1024);
    of_stage_cursor(pj, &b);
    OF_TRY(of_buf_take(&b, &cursor, NULL, err));
    return of_phase_move(pj, db, pj->step, cursor, NULL, err);
}

/* One batch, or one look at what is left. */
static enum of_code turn(struct of_phase_job *pj, struct of_pg *db, bool *ret_more, int64_t *ret_left, struct of_err *err)
{
    struct of_apply a = of_phase_apply(pj, db);
    OF_TRY(of_apply_begin(&a, err));
    enum of_code code = OF_OK;
    if (strcmp(pj->part, "left") != 0) {
        code = hint_batch(pj, db, ret_more, err);
        if (!*ret_more) {
            (void)of_strcopy(pj->part, sizeof pj->part, "left");
        }
        *ret_left = 1;
    } else {
        code = count_left(pj, db, ret_left, err);
        pj->total = OF_MAX(pj->total, *ret_left);
        pj->processed = OF_MAX(pj->processed, pj->total - *ret_left);
    }
    code = code == OF_OK ? move(pj, db, err) : code;
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    return code;
}

enum of_go of_push_step(struct of_phase_job *pj, struct of_err *err)
{
    static const char *const before[] = {"stage", "match", "create", "populate", "check", "push"};
    enum of_go go = of_phase_wait_barrier(pj, err);
    if (go == OF_GO_AGAIN && pj->part[0] == '\0') { /* what it names is there first */
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = of_phase_blocking_types(pj);
        go = of_phase_blocked(pj, types, before, OF_ARRAY_LEN(before), "waits for", err);
    }
    if (go != OF_GO_AGAIN) {
        return go;
    }
    struct of_pg *db = NULL;
    bool more = false;
    int64_t left = 0;
    if (of_pgpool_get(pj->w->pool, 10000, &db, err) != OF_OK) {
        return OF_GO_ERROR;
    }
    enum of_code code = turn(pj, db, &more, &left, err);
    of_pgpool_put(pj->w->pool, db);
    if (code != OF_OK) {
        return OF_GO_ERROR;
    }
    if (left == 0) {
        return of_phase_done(pj, NULL, err);
    }
    of_push_kick(pj->w, pj->conn->org, pj->conn->adapter_name);
    if (more || pj->processed == 0) { /* the first look comes at once: mostly there is nothing */
        bool again = more || !pj->looked;
        pj->looked = pj->looked || !more;
        if (again) {
            return of_phase_slice_over(pj) ? OF_GO_EMIT : OF_GO_AGAIN;
        }
    }
    pj->sleep_ms = OF_MIN(LOOK_MS + left * LOOK_MS_EACH, LOOK_MS_MAX);
    (void)of_strcopy(pj->why, sizeof pj->why, "sends what is here and not there");
    return OF_GO_SLEEP;
}

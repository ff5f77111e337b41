/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/pair.h"
#include "worker/phase.h"
#include "worker_sql.h"

/* match, create, populate: keyset through our own links, a batch and the cursor behind it per transaction. */

bool of_type_is_late(const struct of_type *t)
{
    return t->kind == OF_KIND_REFERENCE || t->weak; /* nothing depends on having listed them */
}

struct of_pgarr *of_phase_blocking_types(struct of_phase_job *pj)
{
    struct of_pgarr *types = of_pgarr_new(OF_PG_TEXT);
    for (const char *const *d = pj->type->depends; d && *d; d++) {
        const struct of_type *t = of_type_find(pj->conn->adapter, *d);
        if (t && !of_type_is_late(t)) {
            of_pgarr_text(types, *d);
        }
    }
    return types;
}

static void run_type_args(struct of_phase_job *pj, struct of_pgargs *args, const struct of_pgarr *types)
{
    of_pg_arg_int8(args, pj->msg.run);
    of_pg_arg_array(args, types);
}

static enum of_code lock_run(struct of_phase_job *pj, struct of_pg *db, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, pj->msg.run);
    return of_pg_run(db, &of_sql_run_lock, &args, NULL, err);
}

/* Looks, and goes to sleep, under the run's lock: who ends what blocks takes it too, so no wake-up is lost. */
static enum of_code blocked_locked(struct of_phase_job *pj, struct of_pg *db, const struct of_pgarr *types,
                                   const struct of_pgarr *steps, const char *why, bool *ret_blocked, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(lock_run(pj, db, err));
    struct of_pgargs args = OF_PGARGS_INIT;
    run_type_args(pj, &args, types);
    of_pg_arg_array(&args, steps);
    OF_TRY(of_pg_run(db, &of_sql_phase_blockers, &args, &res, err));
    *ret_blocked = of_pgres_rows(res) > 0;
    if (!*ret_blocked) {
        return OF_OK;
    }
    OF_CLEANUP(of_freep) char *words = of_asprintf("%s: %s", why, of_pgres_text(res, 0, 0));
    return of_phase_sleep(pj, db, -1, words, 0, err);
}

enum of_go of_phase_blocked(struct of_phase_job *pj, const struct of_pgarr *types, const char *const *steps, int n_steps,
                            const char *why, struct of_err *err)
{
    if (of_pgarr_len(types) == 0) {
        return OF_GO_AGAIN;
    }
    struct of_pg *db = NULL;
    if (of_pgpool_get(pj->w->pool, 10000, &db, err) != OF_OK) {
        return OF_GO_ERROR;
    }
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *list = of_pgarr_new(OF_PG_TEXT);
    for (int i = 0; i < n_steps; i++) {
        of_pgarr_text(list, steps[i]);
    }
    bool blocked = false;
    enum of_code code = of_pg_begin(db, err);
    code = code == OF_OK ? blocked_locked(pj, db, types, list, why, &blocked, err) : code;
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    of_pgpool_put(pj->w->pool, db);
    if (code != OF_OK) {
        return OF_GO_ERROR;
    }
    return blocked ? OF_GO_END : OF_GO_AGAIN;
}

static enum of_code populated(struct of_phase_job *pj, struct of_pg *db, struct of_err *err);

/* Sleeps until every type has been populated; under the run's lock, like the one that opens the barrier. The last one that was waited for
 * may have left the scope: then nobody else opens it. */
enum of_go of_phase_wait_barrier(struct of_phase_job *pj, struct of_err *err)
{
    struct of_pg *db = NULL;
    if (pj->barrier) {
        return OF_GO_AGAIN;
    }
    if (of_pgpool_get(pj->w->pool, 10000, &db, err) != OF_OK) {
        return OF_GO_ERROR;
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, pj->msg.run);
    enum of_code code = of_pg_begin(db, err);
    code = code == OF_OK ? of_pg_run(db, &of_sql_run_lock, &args, &res, err) : code;
    if (code == OF_OK && of_pgres_rows(res) == 1) {
        pj->barrier = of_pgres_bool(res, 0, 1);
    }
    bool closed = code == OF_OK && !pj->barrier;
    code = closed ? populated(pj, db, err) : code;
    if (code == OF_OK && !pj->barrier) {
        code = of_phase_sleep(pj, db, -1, "waits for the other types", 0, err);
    }
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
        pj->barrier = pj->barrier && !closed;
    }
    of_pgpool_put(pj->w->pool, db);
    if (closed && pj->barrier) {
        of_work_kick(pj->w, pj->conn->org, pj->conn->adapter_name);
    }
    return code != OF_OK ? OF_GO_ERROR : pj->barrier ? OF_GO_AGAIN : OF_GO_END;
}

/* Another step begins, in a transaction of its own; what else must happen with it is done by also(). */
static enum of_go enter(struct of_phase_job *pj, const char *step, const char *error,
                        enum of_code (*also)(struct of_phase_job *, struct of_pg *, struct of_err *), struct of_err *err)
{
    struct of_pg *db = NULL;
    if (of_pgpool_get(pj->w->pool, 10000, &db, err) != OF_OK) {
        return OF_GO_ERROR;
    }
    struct of_apply a = of_phase_apply(pj, db);
    int64_t processed = pj->processed;
    int64_t total = pj->total;
    /* no record of the type was linked before, and none is matched: whatever create makes is populated */
    bool fresh = strcmp(pj->part, "fresh") == 0 && (strcmp(step, "create") == 0 || strcmp(step, "populate") == 0);
    enum of_code code = of_apply_begin(&a, err);
    if (code == OF_OK) {
        code = also ? lock_run(pj, db, err) : OF_OK;
        bool pushed = strcmp(step, "done") == 0 && strcmp(pj->step, "push") == 0; /* its counts were of the way out */
        if (strcmp(step, "match") == 0 || strcmp(step, "create") == 0 || strcmp(step, "populate") == 0 || pushed) {
            OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
            struct of_pgargs args = OF_PGARGS_INIT;
            of_pg_arg_text(&args, pj->conn->org);
            of_pg_arg_text(&args, pj->conn->adapter_name);
            of_pg_arg_text(&args, pj->type->name);
            code = code == OF_OK ? of_pg_run(db, &of_sql_count_living, &args, &res, err) : code;
            if (code == OF_OK) {
                fresh = strcmp(step, "match") == 0 ? of_pgres_i64(res, 0, 2) == 0 : fresh;
                pj->total = of_pgres_i64(res, 0, 0);
                pj->processed = pushed ? pj->total : fresh || strcmp(step, "create") == 0 ? of_pgres_i64(res, 0, 2) : 0;
            }
        } else if (strcmp(step, "push") == 0) { /* counted as they are found */
            pj->processed = 0;
            pj->total = -1;
        } else if (strcmp(step, "check") == 0) { /* all have been looked at, those that have no entity too */
            pj->processed = OF_MAX(pj->processed, pj->total);
        }
        code = code == OF_OK ? of_phase_move(pj, db, step, fresh ? "{\"part\":\"fresh\"}" : NULL, error, err) : code;
        code = code == OF_OK && also ? also(pj, db, err) : code;
        code = code == OF_OK ? of_pg_commit(db, err) : code;
        if (code != OF_OK) {
            of_pg_rollback(db);
        }
    }
    of_pgpool_put(pj->w->pool, db);
    if (code != OF_OK) {
        pj->processed = processed;
        pj->total = total;
        return OF_GO_ERROR;
    }
    (void)of_strcopy(pj->step, sizeof pj->step, step);
    pj->after[0] = '\0';
    (void)of_strcopy(pj->part, sizeof pj->part, fresh ? "fresh" : "");
    pj->part_offset = 0;
    pj->has_listing = false;
    pj->audit = false;
    return of_phase_slice_over(pj) ? OF_GO_EMIT : OF_GO_AGAIN;
}

/* Types that depend on this one, or whose records come with it, may go on. */
static enum of_code wake_dependants(struct of_phase_job *pj, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = of_pgarr_new(OF_PG_TEXT);
    for (const struct of_type *t = pj->conn->adapter->types; t->name; t++) {
        if (of_type_depends(t, pj->type->name) || (t->with && strcmp(t->with, pj->type->name) == 0)) {
            of_pgarr_text(types, t->name);
        }
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    run_type_args(pj, &args, types);
    return of_pg_run(db, &of_sql_phase_wake, &args, NULL, err);
}

enum of_go of_phase_finish_stage(struct of_phase_job *pj, struct of_err *err)
{
    return enter(pj, "match", NULL, wake_dependants, err);
}

/* The next ids: those to be worked on into ids, the last one looked at is the cursor. */
static enum of_code next_ids(struct of_phase_job *pj, struct of_pg *db, const struct of_sql *sql, struct of_pgres **ret_res,
                             struct of_pgarr *ids, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, pj->type->name);
    of_pg_arg_text(&args, pj->after);
    of_pg_arg_int8(&args, pj->w->conf->batch_rows);
    OF_TRY(of_pg_run(db, sql, &args, ret_res, err));
    for (int row = 0; row < of_pgres_rows(*ret_res); row++) {
        if (of_pgres_bool(*ret_res, row, 1)) {
            of_pgarr_text(ids, of_pgres_text(*ret_res, row, 0));
        }
    }
    return OF_OK;
}

enum { PAIR_MIN = 400 };

typedef enum of_code batch_fn(struct of_apply *a, const struct of_type *t, const struct of_pgarr *ids, struct of_err *err);

static enum of_code do_create(struct of_apply *a, const struct of_type *t, const struct of_pgarr *ids, struct of_err *err)
{
    return of_apply_create(a, t, ids, of_pgarr_len(ids), err);
}

/* The other half of a batch that makes entities, on another executor. */
struct half {
    struct of_apply apply;
    const struct of_type *type;
    struct of_pgarr *ids;
};

static enum of_code create_half(struct of_pg *db, void *arg, struct of_err *err)
{
    struct half *h = arg;
    h->apply.db = db;
    OF_TRY(of_apply_begin(&h->apply, err));
    enum of_code code = do_create(&h->apply, h->type, h->ids, err);
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    return code;
}

/* ids in two halves at once; the second may be committed by itself (claims that are done are done). */
static enum of_code create_both(struct of_phase_job *pj, struct of_apply *a, const struct of_pgres *res, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *own = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *other = of_pgarr_new(OF_PG_TEXT);
    for (int row = 0; row < of_pgres_rows(res); row++) {
        of_pgarr_text(row % 2 == 0 ? own : other, of_pgres_text(res, row, 0));
    }
    struct half half = {.apply = *a, .type = pj->type, .ids = other};
    struct of_err half_err = OF_ERR_INIT;
    bool done = false;
    struct of_pair *pair = of_pair_start(pj->w, create_half, &half);
    enum of_code code = do_create(a, pj->type, own, err);
    enum of_code half_code = of_pair_join(pair, &done, &half_err);
    if (code == OF_OK && half_code != OF_OK) {
        *err = half_err;
        code = half_code;
    }
    return code == OF_OK && !done ? do_create(a, pj->type, other, err) : code;
}

static enum of_code one_transaction(struct of_phase_job *pj, struct of_apply *a, const struct of_pgarr *ids, batch_fn *fn,
                                    const struct of_pgres *both, bool move, struct of_err *err)
{
    OF_TRY(of_apply_begin(a, err));
    enum of_code code = both ? create_both(pj, a, both, err) : fn(a, pj->type, ids, err);
    if (code == OF_OK && move) {
        OF_CLEANUP(of_freep) char *cursor = NULL;
        struct of_buf b = OF_BUF_INIT(64 * 1024);
        of_stage_cursor(pj, &b);
        code = of_buf_take(&b, &cursor, NULL, err);
        code = code == OF_OK ? of_phase_move(pj, a->db, pj->step, cursor, NULL, err) : code;
    }
    code = code == OF_OK ? of_pg_commit(a->db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(a->db);
    }
    return code;
}

static enum of_code nothing(struct of_apply *a, const struct of_type *t, const struct of_pgarr *ids, struct of_err *err)
{
    (void)a;
    (void)t;
    (void)ids;
    (void)err;
    return OF_OK;
}

/* A batch that fails for good is done id by id in halves; the one to blame becomes a dead letter. */
static enum of_code halves(struct of_phase_job *pj, struct of_apply *a, const struct of_pgres *res, int from, int to,
                           batch_fn *fn, struct of_err *err)
{
    if (from >= to) {
        return OF_OK;
    }
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    for (int row = from; row < to; row++) {
        if (of_pgres_bool(res, row, 1)) {
            of_pgarr_text(ids, of_pgres_text(res, row, 0));
        }
    }
    if (of_pgarr_len(ids) == 0) {
        return OF_OK;
    }
    enum of_code code = one_transaction(pj, a, ids, fn, NULL, false, err);
    if (code == OF_OK || err->cls != OF_CLASS_PERMANENT) {
        return code;
    }
    if (to - from > 1) {
        int mid = from + (to - from) / 2;
        OF_TRY(halves(pj, a, res, from, mid, fn, err));
        return halves(pj, a, res, mid, to, fn, err);
    }
    struct of_bad_record bad = {.type = "", .id = "", .place = "", .cause = ""};
    (void)of_strcopy(bad.type, sizeof bad.type, pj->type->name);
    (void)of_strcopy(bad.id, sizeof bad.id, of_pgres_text(res, from, 0));
    (void)of_strcopy(bad.place, sizeof bad.place, pj->step);
    (void)of_strcopy(bad.cause, sizeof bad.cause, err->msg);
    OF_TRY(of_apply_begin(a, err));
    code = of_apply_dead(a, &bad, 1, err);
    code = code == OF_OK ? of_pg_commit(a->db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(a->db);
        return code;
    }
    of_dead_record(pj->w, pj->conn, &bad);
    return OF_OK;
}

/* One batch. OF_GO_END: no ids left. */
static enum of_go batch_step(struct of_phase_job *pj, const struct of_sql *sql, batch_fn *fn, struct of_err *err)
{
    struct of_pg *db = NULL;
    if (of_pgpool_get(pj->w->pool, 10000, &db, err) != OF_OK) {
        return OF_GO_ERROR;
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    struct of_apply a = of_phase_apply(pj, db);
    enum of_code code = next_ids(pj, db, sql, &res, ids, err);
    int rows = code == OF_OK ? of_pgres_rows(res) : 0;
    if (rows > 0) {
        (void)of_strcopy(pj->after, sizeof pj->after, of_pgres_text(res, rows - 1, 0));
        pj->processed = pj->total >= 0 ? OF_MIN(pj->processed + rows, pj->total) : pj->processed + rows;
        /* not fields: their keys are made unique by looking at each other */
        bool pair = fn == do_create && rows >= PAIR_MIN && pj->type->kind == OF_KIND_ENTITY &&
                    strcmp(pj->type->entity, "field") != 0 && pj->conn->n_adapters < 2; /* these take turns */
        code = one_transaction(pj, &a, ids, of_pgarr_len(ids) ? fn : nothing, pair ? res : NULL, true, err);
        if (code != OF_OK && err->cls == OF_CLASS_PERMANENT) {
            code = halves(pj, &a, res, 0, rows, fn, err);
            code = code == OF_OK ? one_transaction(pj, &a, ids, nothing, NULL, true, err) : code;
        }
    }
    of_pgpool_put(pj->w->pool, db);
    if (code != OF_OK) {
        return OF_GO_ERROR;
    }
    if (rows == 0) {
        return OF_GO_END;
    }
    return of_phase_slice_over(pj) ? OF_GO_EMIT : OF_GO_AGAIN;
}

static enum of_go to_create(struct of_phase_job *pj, struct of_err *err)
{
    return enter(pj, "create", NULL, NULL, err);
}

enum of_go of_match_step(struct of_phase_job *pj, struct of_err *err)
{
    static const char *const steps[] = {"stage", "match", "create"};
    if (pj->after[0] == '\0') {
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = of_phase_blocking_types(pj);
        enum of_go go = of_phase_blocked(pj, types, steps, 3, "waits for", err);
        if (go != OF_GO_AGAIN) {
            return go;
        }
        struct of_pg *db = NULL;
        bool any = false;
        if (of_pgpool_get(pj->w->pool, 10000, &db, err) != OF_OK) {
            return OF_GO_ERROR;
        }
        struct of_apply a = of_phase_apply(pj, db);
        enum of_code code = of_apply_can_match(&a, pj->type, &any, err);
        of_pgpool_put(pj->w->pool, db);
        if (code != OF_OK) {
            return OF_GO_ERROR;
        }
        if (!any) {
            return to_create(pj, err);
        }
        pj->part[0] = '\0';
    }
    enum of_go go = batch_step(pj, &of_sql_ids_unmatched, of_apply_match, err);
    return go == OF_GO_END ? to_create(pj, err) : go;
}

/* What waited for records of this type is ready once they are all there. */
static enum of_code created(struct of_phase_job *pj, struct of_pg *db, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, pj->type->name);
    of_pg_arg_text(&args, pj->type->entity);
    OF_TRY(of_pg_run(db, &of_sql_wake_type, &args, NULL, err));
    /* Only now, not when match has ended: what another system brings meanwhile may be one of those that are about to be created. */
    OF_TRY(of_push_open(pj, db, err));
    if (pj->conn->mode == 'o') {
        struct of_pgargs count = OF_PGARGS_INIT;
        of_pg_arg_text(&count, pj->conn->org);
        of_pg_arg_text(&count, pj->conn->adapter_name);
        of_pg_arg_text(&count, pj->type->name);
        OF_TRY(of_pg_run(db, &of_sql_unlinked_here, &count, NULL, err));
    }
    return wake_dependants(pj, db, err);
}

enum of_go of_create_step(struct of_phase_job *pj, struct of_err *err)
{
    enum of_go go = OF_GO_END;
    if (pj->conn->mode != 'o' || pj->type->kind != OF_KIND_ENTITY) {
        go = batch_step(pj, &of_sql_ids_unmatched, do_create, err);
    }
    return go == OF_GO_END ? enter(pj, "populate", NULL, created, err) : go;
}

/* The last type to be populated opens the last look for all. */
static enum of_code populated(struct of_phase_job *pj, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *late = of_pgarr_new(OF_PG_TEXT);
    for (const struct of_type *t = pj->conn->adapter->types; t->name; t++) {
        if (of_type_is_late(t)) {
            of_pgarr_text(late, t->name);
        }
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    run_type_args(pj, &args, late);
    int64_t rows = 0;
    OF_TRY(of_pg_run_count(db, &of_sql_run_barrier, &args, &rows, err));
    if (rows == 0) {
        return OF_OK;
    }
    pj->barrier = true;
    struct of_pgargs due = OF_PGARGS_INIT;
    of_pg_arg_text(&due, pj->conn->org);
    of_pg_arg_text(&due, pj->conn->adapter_name);
    OF_TRY(of_pg_run(db, &of_sql_waiting_due, &due, NULL, err));
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *all = of_pgarr_new(OF_PG_TEXT);
    for (const struct of_type *t = pj->conn->adapter->types; t->name; t++) {
        of_pgarr_text(all, t->name);
    }
    struct of_pgargs wake = OF_PGARGS_INIT;
    run_type_args(pj, &wake, all);
    return of_pg_run(db, &of_sql_phase_wake, &wake, NULL, err);
}

enum of_go of_populate_step(struct of_phase_job *pj, struct of_err *err)
{
    bool fresh = strcmp(pj->part, "fresh") == 0;
    enum of_go go = fresh ? OF_GO_END : batch_step(pj, &of_sql_ids_staged, of_apply_populate, err);
    if (go != OF_GO_END) {
        return go;
    }
    if (pj->type->kind == OF_KIND_REFERENCE) {
        return of_phase_done(pj, NULL, err);
    }
    go = enter(pj, "check", NULL, populated, err);
    if (go == OF_GO_AGAIN && pj->barrier) {
        of_work_kick(pj->w, pj->conn->org, pj->conn->adapter_name);
    }
    return go;
}

static enum of_code finished(struct of_phase_job *pj, struct of_pg *db, struct of_err *err)
{
    OF_TRY(wake_dependants(pj, db, err));
    OF_TRY(of_push_open(pj, db, err));
    OF_TRY(populated(pj, db, err)); /* a type that ends with an error may be the last that was waited for */
    if (pj->type->weak) {
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, pj->conn->org);
        of_pg_arg_text(&args, pj->conn->adapter_name);
        of_pg_arg_text(&args, pj->type->name);
        of_pg_arg_text(&args, pj->type->with);
        OF_TRY(of_pg_run(db, &of_sql_hint_weak, &args, NULL, err));
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, pj->msg.run);
    return of_pg_run(db, &of_sql_run_finish, &args, NULL, err);
}

/* What is listed below this type, or by it, has all of it: it does not wait for the way out. */
static enum of_code looked_at(struct of_phase_job *pj, struct of_pg *db, struct of_err *err)
{
    OF_TRY(of_push_open(pj, db, err));
    return wake_dependants(pj, db, err);
}

enum of_go of_phase_done(struct of_phase_job *pj, const char *error, struct of_err *err)
{
    char words[256];
    (void)of_strcopy(words, sizeof words, error ? error : "");
    if (!error && strcmp(pj->step, "push") != 0 && of_push_applies(pj)) {
        return enter(pj, "push", NULL, looked_at, err);
    }
    enum of_go go = enter(pj, error ? "error" : "done", error ? words : NULL, finished, err);
    if (go == OF_GO_ERROR) {
        return go;
    }
    of_work_kick(pj->w, pj->conn->org, pj->conn->adapter_name);
    return OF_GO_END;
}

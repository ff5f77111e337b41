/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/phase.h"
#include "worker_sql.h"

/* The last look of a run, when every type has been populated: what changed, merged or vanished while we walked.
 *   listed by time:   delta (updated since the run began), mergers, count; audit (ids only) if the count differs
 *   other lists:      read once more; what did not show up is owed a look
 * A reconciliation is this step alone, all lists read once more.
 * What is found is applied at once; suspicions become rows of sync.work, and the run ends when they are settled. */

enum { DELTA_MARGIN_US = 10 * 1000000 };

static bool has_edges_relation(const struct of_type *t)
{
    for (const struct of_relation *r = t->relations; r && r->key; r++) {
        if (r->kind == OF_REL_EDGES) {
            return true; /* members change without moving updated_at */
        }
    }
    return false;
}

static enum of_go next_part(struct of_phase_job *pj, const char *part)
{
    (void)of_strcopy(pj->part, sizeof pj->part, part);
    pj->has_listing = false;
    pj->audit = false;
    pj->part_offset = 0;
    pj->after[0] = '\0';
    return OF_GO_AGAIN;
}

static void start_listing(struct of_phase_job *pj, enum of_list_by by, bool has_from, struct of_wall from)
{
    if (!pj->has_listing) {
        of_listing_init(&pj->committed, by, has_from, from);
        pj->live = pj->committed;
        pj->has_listing = true;
    }
}

static enum of_go delta(struct of_phase_job *pj, struct of_err *err)
{
    int64_t since = pj->server_date.us ? pj->server_date.us : pj->run_started.us;
    since = (since - DELTA_MARGIN_US) / 1000000 * 1000000;
    start_listing(pj, OF_LIST_UPDATED, true, (struct of_wall){.us = since});
    enum of_go go = of_stage_pages(pj, true, err);
    if (go != OF_GO_END) {
        return go;
    }
    return next_part(pj, pj->conn->adapter->mergers_target && pj->type->match == OF_MATCH_PERSON ? "mergers" : "count");
}

/* --- one request beside the list machinery: mergers, count --- */

struct merger {
    char kept[72], removed[72];
};

struct mergers {
    struct of_phase_job *pj;
    struct merger *list;
    size_t n;
};

static void add_merger(void *arg, const char *kept, const char *removed, struct of_wall at)
{
    struct mergers *m = arg;
    (void)at;
    m->list = of_reallocarray(m->list, m->n + 1, sizeof *m->list);
    (void)of_strcopy(m->list[m->n].kept, sizeof m->list[m->n].kept, kept);
    (void)of_strcopy(m->list[m->n].removed, sizeof m->list[m->n].removed, removed);
    m->n++;
}

static void answer_done(void *arg, struct of_call_result *res)
{
    struct of_fetch *f = arg;
    struct of_phase_job *pj = f->pj;
    f->err = res->err;
    f->body = res->body;
    f->body_len = res->body_len;
    pthread_mutex_lock(&pj->lock);
    *pj->inbox_tail = f;
    pj->inbox_tail = &f->next;
    pj->outstanding--;
    of_job_wake(pj->w->lanes, &pj->job);
    pthread_mutex_unlock(&pj->lock);
}

static void ask_one(struct of_phase_job *pj, struct of_buf *target)
{
    char *text = NULL;
    OF_BUG_ON(of_buf_take(target, &text, NULL, NULL) != OF_OK);
    struct of_fetch *f = of_calloc(1, sizeof *f);
    f->pj = pj;
    pthread_mutex_lock(&pj->lock);
    pj->outstanding++;
    pthread_mutex_unlock(&pj->lock);
    of_remote_get(pj->w->remote, pj->conn, pj->type, text, OF_CALL_BULK, 2000, answer_done, f);
}

/* The answer of the one request: *ret_f is the caller's (of_fetch_free). OF_GO_AGAIN: here it is; OF_GO_WAIT: not yet. */
static enum of_go one_answer(struct of_phase_job *pj, struct of_fetch **ret_f, bool *ret_asked, struct of_err *err)
{
    pthread_mutex_lock(&pj->lock);
    struct of_fetch *f = pj->inbox;
    *ret_asked = f || pj->outstanding > 0;
    if (f) {
        pj->inbox = f->next;
        if (!pj->inbox) {
            pj->inbox_tail = &pj->inbox;
        }
    }
    pthread_mutex_unlock(&pj->lock);
    if (!f) {
        return OF_GO_WAIT;
    }
    if (f->err.code == OF_OK) {
        *ret_f = f;
        return OF_GO_AGAIN;
    }
    *err = f->err;
    of_fetch_free(f);
    if (err->code == OF_E_BUSY) {
        pj->sleep_ms = OF_MAX(err->retry_after_ms, 100);
        (void)of_strcopy(pj->why, sizeof pj->why, "held by the rate limit");
        return OF_GO_SLEEP;
    }
    return OF_GO_ERROR;
}

/* In one transaction: fn, and the cursor behind it. */
static enum of_code with_move(struct of_phase_job *pj, enum of_code (*fn)(struct of_apply *a, void *arg, struct of_err *err),
                              void *arg, struct of_err *err)
{
    struct of_pg *db = NULL;
    OF_TRY(of_pgpool_get(pj->w->pool, 10000, &db, err));
    struct of_apply a = of_phase_apply(pj, db);
    a.again = true;
    enum of_code code = of_apply_begin(&a, err);
    code = code == OF_OK ? fn(&a, arg, err) : code;
    if (code == OF_OK) {
        OF_CLEANUP(of_freep) char *cursor = NULL;
        struct of_buf b = OF_BUF_INIT(64 * 1024);
        of_stage_cursor(pj, &b);
        code = of_buf_take(&b, &cursor, NULL, err);
        code = code == OF_OK ? of_phase_move(pj, db, pj->step, cursor, NULL, err) : code;
    }
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    of_pgpool_put(pj->w->pool, db);
    return code;
}

static enum of_code apply_mergers(struct of_apply *a, void *arg, struct of_err *err)
{
    struct mergers *m = arg;
    for (size_t i = 0; i < m->n; i++) {
        OF_TRY(of_apply_merger(a, m->pj->type, m->list[i].kept, m->list[i].removed, err));
    }
    return OF_OK;
}

static enum of_go mergers(struct of_phase_job *pj, struct of_err *err)
{
    struct of_fetch *f = NULL;
    bool asked = false;
    enum of_go go = one_answer(pj, &f, &asked, err);
    if (go == OF_GO_WAIT && !asked) {
        int64_t since = (pj->server_date.us ? pj->server_date.us : pj->run_started.us) - DELTA_MARGIN_US;
        struct of_buf target = OF_BUF_INIT(4096);
        pj->conn->adapter->mergers_target((struct of_wall){.us = since / 1000000 * 1000000}, pj->part_offset, &target);
        ask_one(pj, &target);
        return OF_GO_WAIT;
    }
    if (go == OF_GO_ERROR && (err->code == OF_E_DENIED || err->code == OF_E_REJECTED)) { /* not for these credentials; a 404 tells */
        const struct of_kv kv[] = {OF_S("org_id", pj->conn->org), OF_S("type", pj->type->name), {.key = NULL}};
        of_log_err(OF_LOG_WARN, "run.mergers_refused", "the list of mergers is refused, going on without it", err, kv);
        of_err_clear(err);
        return next_part(pj, "count");
    }
    if (go != OF_GO_AGAIN) {
        return go;
    }
    struct mergers m = {.pj = pj, .list = NULL, .n = 0};
    bool more = false;
    enum of_code code = pj->conn->adapter->parse_mergers(f->body, f->body_len, add_merger, &m, &more, err);
    of_fetch_free(f);
    if (code == OF_OK) {
        pj->part_offset += (int64_t)m.n;
        code = with_move(pj, apply_mergers, &m, err);
    } else {
        err->cls = OF_CLASS_RETRY; /* a broken page of a list that will be asked again */
    }
    of_freep(&m.list);
    if (code != OF_OK) {
        return OF_GO_ERROR;
    }
    return more && m.n > 0 ? OF_GO_AGAIN : next_part(pj, "count");
}

static enum of_go count(struct of_phase_job *pj, struct of_err *err)
{
    struct of_fetch *f = NULL;
    bool asked = false;
    enum of_go go = one_answer(pj, &f, &asked, err);
    if (go == OF_GO_WAIT && !asked) {
        struct of_list_pos pos = {.by = pj->type->list, .per_page = 1, .ids_only = true};
        struct of_buf target = OF_BUF_INIT(4096);
        pj->conn->adapter->list_target(pj->type, pj->conn->scope, &pos, &target);
        ask_one(pj, &target);
        return OF_GO_WAIT;
    }
    if (go != OF_GO_AGAIN) {
        return go;
    }
    struct of_page page;
    enum of_code code = pj->conn->adapter->parse(pj->type, pj->conn->scope, f->body, f->body_len, true, pj->type->list, NULL,
                                                 &page, err);
    of_fetch_free(f);
    if (code != OF_OK) {
        err->cls = OF_CLASS_RETRY;
        return OF_GO_ERROR;
    }
    int64_t theirs = page.total;
    of_page_done(&page);
    struct of_pg *db = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    if (of_pgpool_get(pj->w->pool, 10000, &db, err) != OF_OK) {
        return OF_GO_ERROR;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, pj->type->name);
    code = of_pg_run(db, &of_sql_count_living, &args, &res, err);
    of_pgpool_put(pj->w->pool, db);
    if (code != OF_OK) {
        return OF_GO_ERROR;
    }
    if (theirs < 0 || theirs == of_pgres_i64(res, 0, 0)) {
        return of_phase_done(pj, NULL, err);
    }
    return next_part(pj, "audit");
}

/* --- what did not show up --- */

static enum of_code hint_missing(struct of_apply *a, void *arg, struct of_err *err)
{
    struct of_phase_job *pj = arg;
    return of_apply_missing(a, pj->type, NULL, pj->msg.run, err);
}

static enum of_go after_marks(struct of_phase_job *pj, struct of_err *err)
{
    if (with_move(pj, hint_missing, pj, err) != OF_OK) {
        return OF_GO_ERROR;
    }
    return of_phase_done(pj, NULL, err);
}

static enum of_go audit(struct of_phase_job *pj, struct of_err *err)
{
    start_listing(pj, pj->type->list, false, (struct of_wall){.us = 0});
    pj->audit = true;
    enum of_go go = of_stage_pages(pj, true, err);
    return go == OF_GO_END ? after_marks(pj, err) : go;
}

static enum of_go relist(struct of_phase_job *pj, struct of_err *err)
{
    enum of_go go;
    if (pj->type->list == OF_LIST_PER_PARENT) {
        go = of_stage_waves(pj, true, err);
    } else {
        start_listing(pj, pj->type->list, false, (struct of_wall){.us = 0});
        go = of_stage_pages(pj, true, err);
    }
    return go == OF_GO_END ? after_marks(pj, err) : go;
}

enum of_go of_check_step(struct of_phase_job *pj, struct of_err *err)
{
    const struct of_type *t = pj->type;
    enum of_go go = of_phase_wait_barrier(pj, err);
    if (go != OF_GO_AGAIN) {
        return go;
    }
    bool reconcile = strcmp(pj->run_kind, "reconcile") == 0; /* everything is read again; weak lists are owed a row per parent */
    if (t->list == OF_LIST_WITH || (reconcile && t->weak)) {
        return of_phase_done(pj, NULL, err);
    }
    if (pj->part[0] == '\0') {
        bool by_time = !reconcile && t->has_updated && !has_edges_relation(t) && (t->list == OF_LIST_CREATED || t->list == OF_LIST_UPDATED);
        return next_part(pj, by_time ? "delta" : "relist");
    }
    if (strcmp(pj->part, "delta") == 0) {
        return delta(pj, err);
    }
    if (strcmp(pj->part, "mergers") == 0) {
        return mergers(pj, err);
    }
    if (strcmp(pj->part, "count") == 0) {
        return count(pj, err);
    }
    return strcmp(pj->part, "audit") == 0 ? audit(pj, err) : relist(pj, err);
}

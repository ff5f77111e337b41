/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/failpoint.h"
#include "worker/phase.h"
#include "worker/push.h"
#include "worker/work_int.h"
#include "worker_sql.h"

/* What is owed for single records (sync.work, direction in): read again, look whether it is gone, tie edges that waited. One job per
 * connection at a time; its message ends at once, since what is owed stands in the table. */

enum { CLAIM = 32, GIVE_UP_MS = 5000 };

/* --- database --- */

static enum of_code claim(struct of_work_job *wj, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, wj->org);
    of_pg_arg_text(&args, wj->adapter);
    of_pg_arg_int8(&args, wj->w->conf->lease_ms);
    of_pg_arg_int8(&args, CLAIM);
    of_pg_arg_int8(&args, wj->w->conf->second_look_ms);
    OF_TRY(of_pg_run(db, &of_sql_work_claim, &args, &res, err));
    wj->n = of_pgres_rows(res);
    of_freep(&wj->items); /* of a claim that found nothing */
    wj->items = of_calloc((size_t)OF_MAX(wj->n, 1), sizeof *wj->items);
    for (int i = 0; i < wj->n; i++) {
        struct of_work_item *it = &wj->items[i];
        it->wj = wj;
        (void)of_strcopy(it->type_name, sizeof it->type_name, of_pgres_text(res, i, 0));
        (void)of_strcopy(it->id, sizeof it->id, of_pgres_text(res, i, 1));
        it->fence = of_pgres_i64(res, i, 2);
        it->attempts = (int)of_pgres_i64(res, i, 3);
        (void)of_strcopy(it->reason, sizeof it->reason, of_pgres_text(res, i, 4));
        (void)of_strcopy(it->waits_for, sizeof it->waits_for, of_pgres_text(res, i, 5));
        it->priority = (int)of_pgres_i64(res, i, 6);
        const char *parent = strchr(of_pgres_text(res, i, 7), '/');
        (void)of_strcopy(it->parent, sizeof it->parent, parent ? parent + 1 : "");
        (void)of_strcopy(it->link_state, sizeof it->link_state, of_pgres_text(res, i, 8));
        it->of_this_run = of_pgres_bool(res, i, 9);
        it->second_look_due = of_pgres_bool(res, i, 10);
        wj->run = of_pgres_i64(res, i, 11);
        wj->read_seq = of_pgres_i64(res, i, 12);
        it->type = of_type_find(wj->conn->adapter, it->type_name);
    }
    (void)OF_FAILPOINT("worker.after_claim");
    return OF_OK;
}

/* --- asking --- */

static void answered(void *arg, struct of_call_result *res)
{
    struct of_work_item *it = arg;
    struct of_work_job *wj = it->wj;
    it->err = res->err;
    it->body = res->body;
    it->body_len = res->body_len;
    pthread_mutex_lock(&wj->lock);
    it->state = it->state == ITEM_ASK_MERGERS ? ITEM_MERGERS : ITEM_ANSWERED;
    wj->outstanding--;
    of_job_wake(wj->w->lanes, &wj->job);
    pthread_mutex_unlock(&wj->lock);
}

static void send(struct of_work_job *wj, struct of_work_item *it)
{
    struct of_buf target = OF_BUF_INIT(16 * 1024);
    char *text = NULL;
    const struct of_adapter *a = wj->conn->adapter;
    if (it->state == ITEM_ASK_MERGERS) {
        a->mergers_target(it->mergers_since, it->offset, &target);
    } else if (it->id[0] == '@') {
        struct of_list_pos pos = {.by = OF_LIST_OFFSET, .offset = it->offset, .per_page = 100, .parent = it->id + 1};
        a->list_target(it->target, wj->conn->scope, &pos, &target);
    } else {
        a->get_target(it->target, wj->conn->scope, it->target_id, it->parent[0] ? it->parent : NULL, &target);
    }
    if (target.len == 0) { /* cannot be read alone */
        of_buf_done(&target);
        (void)of_err_set(&it->err, OF_E_NOT_FOUND, "%s cannot be read alone", it->target->name);
        it->state = ITEM_ANSWERED;
        return;
    }
    OF_BUG_ON(of_buf_take(&target, &text, NULL, NULL) != OF_OK);
    pthread_mutex_lock(&wj->lock);
    wj->outstanding++;
    if (it->state == ITEM_ASK) {
        it->state = ITEM_ASKED;
    }
    pthread_mutex_unlock(&wj->lock);
    of_remote_get(wj->w->remote, wj->conn, it->target, text, it->priority ? OF_CALL_WEAK : OF_CALL_BULK, GIVE_UP_MS, answered, it);
}

/* --- the job --- */

/* Before anything is asked: an edge may be tied already, an unknown type is dead. */
static enum of_code prepare(struct of_work_job *wj, struct of_pg *db, struct of_work_item *it, struct of_err *err)
{
    struct of_apply a = of_work_apply(wj, db);
    it->target = it->type;
    (void)of_strcopy(it->target_id, sizeof it->target_id, it->id);
    if (!it->type) {
        struct of_err why = OF_ERR_INIT;
        (void)of_err_set(&why, OF_E_INVALID, "unknown record type");
        it->state = ITEM_OVER;
        return of_work_row_later(wj, db, it, "dead", 0, it->attempts, &why, err);
    }
    bool edge = strcmp(it->reason, "edge") == 0 || strcmp(it->reason, "value") == 0;
    if (!edge) {
        return OF_OK;
    }
    bool done = false;
    OF_TRY(of_apply_begin(&a, err));
    enum of_code code = of_work_try_edges(wj, &a, it, &done, err);
    code = code == OF_OK && done && !it->reads_again ? of_work_row_done(wj, db, it, err) : code;
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
        return code;
    }
    if (done) {
        it->state = ITEM_OVER;
        return OF_OK;
    }
    char *slash = strchr(it->waits_for, '/');
    if (slash) {
        *slash = '\0';
        it->target = of_type_find(wj->conn->adapter, it->waits_for);
        *slash = '/';
        (void)of_strcopy(it->target_id, sizeof it->target_id, slash + 1);
        it->parent[0] = '\0';
    }
    if (!slash || !it->target) {
        struct of_err why = OF_ERR_INIT;
        (void)of_err_set(&why, OF_E_NOT_FOUND, "its other end is not known here");
        it->state = ITEM_OVER;
        return of_work_row_later(wj, db, it, "parked", 0, it->attempts, &why, err);
    }
    return OF_OK;
}

static enum of_step retry(struct of_work_job *wj, const struct of_err *err)
{
    int64_t ms = OF_MIN(of_backoff_ms(wj->w->conf, wj->failures++), 10000);
    const struct of_kv kv[] = {OF_S("org_id", wj->org), OF_I("retry_in_ms", ms), {.key = NULL}};
    of_log_err(OF_LOG_WARN, "work.retry", "what is owed could not be worked off, trying again", err, kv);
    wj->job.wake_at = (struct of_boot){.ms = of_boot_now().ms + ms};
    return OF_STEP_WAIT;
}

static void drop_items(struct of_work_job *wj)
{
    for (int i = 0; i < wj->n; i++) {
        of_freep(&wj->items[i].body);
        of_pgarr_free(wj->items[i].shown);
    }
    of_freep(&wj->items);
    wj->n = 0;
}

static enum of_code running_run(struct of_work_job *wj, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, wj->org);
    of_pg_arg_text(&args, wj->adapter);
    OF_TRY(of_pg_run(db, &of_sql_run_running, &args, &res, err));
    wj->run = of_pgres_rows(res) > 0 ? of_pgres_i64(res, 0, 0) : 0;
    return OF_OK;
}

static enum of_step finish(struct of_work_job *wj, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *key = of_lane_key(wj->org, wj->adapter);
    bool finished = false;
    enum of_code code = wj->run ? OF_OK : running_run(wj, db, err); /* whoever did the last row may have died before this */
    if (code == OF_OK && wj->run) {
        code = of_run_try_finish(db, wj->run, &finished, err);
    }
    if (code != OF_OK) {
        return retry(wj, err);
    }
    return of_work_leave(key, false) ? OF_STEP_DONE : OF_STEP_AGAIN;
}

static bool is_asked_before(const struct of_work_job *wj, int i)
{
    for (int k = 0; k < i; k++) {
        const struct of_work_item *it = &wj->items[k];
        if (it->state == ITEM_ASK && it->target == wj->items[i].target && strcmp(it->target_id, wj->items[i].target_id) == 0) {
            return true;
        }
    }
    return false;
}

static bool only_weak(const struct of_work_job *wj)
{
    for (int i = 0; i < wj->n; i++) {
        if (wj->items[i].priority == 0) {
            return false;
        }
    }
    return wj->n > 0;
}

static enum of_step claim_more(struct of_work_job *wj)
{
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    if (wj->gone) {
        OF_CLEANUP(of_freep) char *key = of_lane_key(wj->org, wj->adapter);
        (void)of_work_leave(key, true);
        return OF_STEP_DONE;
    }
    if (of_pgpool_get(wj->w->pool, 10000, &db, &err) != OF_OK) {
        return retry(wj, &err);
    }
    of_conn_unref(wj->conn);
    wj->conn = NULL;
    enum of_step step = OF_STEP_AGAIN;
    enum of_code code = of_conn_load(wj->w, db, wj->org, wj->adapter, &wj->conn, &err);
    if (code == OF_OK) {
        code = claim(wj, db, &err);
        bool finished = false; /* a run waits for no records that are read with spare permits */
        if (code == OF_OK && wj->run && only_weak(wj)) {
            code = of_run_try_finish(db, wj->run, &finished, &err);
        }
    } else if (code == OF_E_AUTH || code == OF_E_BUSY || code == OF_E_NOT_FOUND) {
        OF_CLEANUP(of_freep) char *key = of_lane_key(wj->org, wj->adapter);
        (void)of_work_leave(key, true);
        of_pgpool_put(wj->w->pool, db);
        return OF_STEP_DONE;
    }
    for (int i = 0; i < wj->n && code == OF_OK; i++) {
        struct of_work_item *it = &wj->items[i];
        code = prepare(wj, db, it, &err);
        if (code == OF_E_LEASE) {
            it->state = ITEM_OVER;
            of_err_clear(&err);
            code = of_work_row_later(wj, db, it, "ready", 0, it->attempts, NULL, &err);
        }
        if (code == OF_OK && it->state == ITEM_ASK && is_asked_before(wj, i)) { /* one question serves all */
            it->state = ITEM_OVER;
            code = of_work_row_later(wj, db, it, "ready", 0, it->attempts, NULL, &err);
        }
    }
    if (code != OF_OK) {
        drop_items(wj); /* their leases run out, or the next claim finds them */
        step = retry(wj, &err);
    } else if (wj->n == 0) {
        step = finish(wj, db, &err);
    }
    of_pgpool_put(wj->w->pool, db);
    return step;
}

static enum of_step work_items(struct of_work_job *wj)
{
    struct of_err err = OF_ERR_INIT;
    bool any_answer = false;
    int open = 0;
    for (int i = 0; i < wj->n; i++) {
        struct of_work_item *it = &wj->items[i];
        pthread_mutex_lock(&wj->lock);
        int state = (int)it->state;
        pthread_mutex_unlock(&wj->lock);
        if (state == ITEM_ASK) {
            send(wj, it);
        }
        any_answer = any_answer || state == ITEM_ANSWERED || state == ITEM_MERGERS;
        open += state != ITEM_OVER;
    }
    if (open == 0) {
        drop_items(wj);
        return OF_STEP_AGAIN;
    }
    if (!any_answer) {
        pthread_mutex_lock(&wj->lock);
        bool waits = wj->outstanding > 0;
        pthread_mutex_unlock(&wj->lock);
        return waits ? OF_STEP_WAIT : OF_STEP_AGAIN;
    }
    struct of_pg *db = NULL;
    if (of_pgpool_get(wj->w->pool, 10000, &db, &err) != OF_OK) {
        return retry(wj, &err);
    }
    enum of_code code = OF_OK;
    for (int i = 0; i < wj->n && code == OF_OK; i++) {
        struct of_work_item *it = &wj->items[i];
        pthread_mutex_lock(&wj->lock);
        bool ready = it->state == ITEM_ANSWERED || it->state == ITEM_MERGERS;
        pthread_mutex_unlock(&wj->lock);
        if (!ready) {
            continue;
        }
        code = of_work_settle(wj, db, it, &err);
        if (code == OF_OK && it->state == ITEM_ASK_MERGERS) {
            send(wj, it);
        }
    }
    of_pgpool_put(wj->w->pool, db);
    if (code != OF_OK) {
        return retry(wj, &err); /* the answers are kept; leases may run out, then fences drop them */
    }
    wj->failures = 0;
    return OF_STEP_AGAIN;
}

/* Leaving: nobody shall wait for the leases to run out. */
static void give_back(struct of_work_job *wj)
{
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    if (wj->n == 0 || of_pgpool_get(wj->w->pool, 1000, &db, &err) != OF_OK) {
        return;
    }
    enum of_code code = OF_OK;
    for (int i = 0; i < wj->n && code == OF_OK; i++) {
        const struct of_work_item *it = &wj->items[i];
        if (it->state != ITEM_OVER) {
            code = of_work_row_later(wj, db, it, "ready", 0, it->attempts, NULL, &err);
        }
    }
    of_pgpool_put(wj->w->pool, db);
    drop_items(wj);
}

static enum of_step step(struct of_job *job)
{
    struct of_work_job *wj = OF_CONTAINER_OF(job, struct of_work_job, job);
    job->wake_at = (struct of_boot){.ms = 0};
    pthread_mutex_lock(&wj->lock);
    bool waits = wj->outstanding > 0;
    pthread_mutex_unlock(&wj->lock);
    if (atomic_load(&wj->w->stopping)) {
        if (!waits) {
            give_back(wj);
        }
        return waits ? OF_STEP_WAIT : OF_STEP_DONE;
    }
    return wj->n == 0 ? claim_more(wj) : work_items(wj);
}

static void free_job(struct of_job *job)
{
    struct of_work_job *wj = OF_CONTAINER_OF(job, struct of_work_job, job);
    OF_CLEANUP(of_freep) char *key = of_lane_key(wj->org, wj->adapter);
    if (atomic_load(&wj->w->stopping)) {
        (void)of_work_leave(key, true);
    }
    drop_items(wj);
    of_conn_unref(wj->conn);
    of_freep(&wj->org);
    of_freep(&wj->adapter);
    pthread_mutex_destroy(&wj->lock);
    of_freep(&wj);
}

void of_work_kick(struct of_worker *w, const char *org, const char *adapter)
{
    OF_CLEANUP(of_freep) char *key = of_lane_key(org, adapter);
    if (atomic_load(&w->stopping) || !of_work_enter(key)) {
        return;
    }
    struct of_work_job *wj = of_calloc(1, sizeof *wj);
    wj->job = (struct of_job){.step = step, .free = free_job, .priority = OF_PRIO_WORK};
    wj->w = w;
    wj->org = of_strdup(org);
    wj->adapter = of_strdup(adapter);
    pthread_mutex_init(&wj->lock, NULL);
    of_lanes_add(w->lanes, key, &wj->job);
}

void of_work_job_start(struct of_worker *w, const struct of_task_msg *msg, struct of_tracked m)
{
    of_work_kick(w, msg->org, msg->adapter);
    of_push_kick(w, msg->org, msg->adapter);
    of_tracker_end(w->tracker, m); /* what is owed stands in sync.work */
}

enum of_code of_run_try_finish(struct of_pg *db, int64_t run, bool *ret_finished, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, run);
    int64_t rows = 0;
    OF_TRY(of_pg_begin(db, err));
    enum of_code code = of_pg_run(db, &of_sql_run_lock, &args, NULL, err);
    code = code == OF_OK ? of_pg_run_count(db, &of_sql_run_finish, &args, &rows, err) : code;
    if (code == OF_OK && rows > 0) {
        (void)OF_FAILPOINT("worker.before_run_end");
    }
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
        return code;
    }
    *ret_finished = rows > 0;
    return OF_OK;
}

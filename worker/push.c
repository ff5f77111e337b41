/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/push.h"

#include <string.h>

#include "common/base/failpoint.h"
#include "worker/phase.h"
#include "worker/push_int.h"
#include "worker_sql.h"

/* The job of a connection: claims rows as places become free, lets each go its own way, and leaves when nothing is due. */

enum { GIVE_UP_MS = 5000, LATE_MS = 500, STAY_MS = 15000, LACKS_TRIES = 4 };

/* --- one job per connection --- */

static pthread_mutex_t active_lock = PTHREAD_MUTEX_INITIALIZER;
static struct active {
    char *key;
    bool again;   /* told to look while it ran */
    bool started; /* its first step, which looks anyway, has begun */
    struct of_push_job *pj;
    struct active *next;
} *active;

static bool told_to_look(const char *key)
{
    bool again = false;
    pthread_mutex_lock(&active_lock);
    for (struct active *a = active; a; a = a->next) {
        if (strcmp(a->key, key) == 0) {
            again = a->again;
            a->again = false;
            a->started = true;
        }
    }
    pthread_mutex_unlock(&active_lock);
    return again;
}

/* False: it was told to look meanwhile, and goes on. force: it leaves all the same. */
static bool leave(const struct of_push_job *pj, bool force)
{
    bool left = true;
    pthread_mutex_lock(&active_lock);
    for (struct active **p = &active; *p; p = &(*p)->next) {
        struct active *a = *p;
        if (a->pj != pj) {
            continue;
        }
        if (a->again && !force) {
            left = false;
        } else {
            *p = a->next;
            of_freep(&a->key);
            of_freep(&a);
        }
        break;
    }
    pthread_mutex_unlock(&active_lock);
    return left;
}

/* --- rows --- */

struct of_apply of_push_apply(struct of_push_job *pj, struct of_pg *db)
{
    return (struct of_apply){.w = pj->w, .db = db, .conn = pj->conn};
}

void of_push_key_args(const struct of_push_item *it, struct of_pgargs *args)
{
    of_pg_arg_text(args, it->pj->org);
    of_pg_arg_text(args, it->pj->adapter);
    of_pg_arg_text(args, it->record_type);
    of_pg_arg_text(args, it->record_id);
}

enum of_code of_push_done(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_push_key_args(it, &args);
    of_pg_arg_int8(&args, it->fence);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(of_pg_run(db, &of_sql_push_done, &args, &res, err));
    if (of_pgres_rows(res) == 0) {
        return of_err_set(err, OF_E_LEASE, "the row is somebody else's now");
    }
    it->pj->due = it->pj->due || of_pgres_bool(res, 0, 0);
    return OF_OK;
}

enum of_code of_push_later(struct of_push_item *it, struct of_pg *db, const struct of_push_later *l, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_push_key_args(it, &args);
    of_pg_arg_int8(&args, it->fence);
    of_pg_arg_text(&args, l->state);
    of_pg_arg_int8(&args, l->ms);
    of_pg_arg_int8(&args, l->attempts);
    of_pg_arg_text(&args, l->why ? l->why->msg : NULL);
    of_pg_arg_text(&args, l->why && l->why->cls != OF_CLASS_NONE ? of_class_name(l->why->cls) : NULL);
    of_pg_arg_text(&args, l->waits_for);
    of_pg_arg_bool(&args, l->keep_intent);
    it->pj->due = it->pj->due || (l->ms == 0 && strcmp(l->state, "ready") == 0);
    return of_pg_run(db, &of_sql_push_later, &args, NULL, err);
}

enum of_code of_push_lock(struct of_push_item *it, struct of_pg *db, const char *ref, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, ref);
    return of_pg_run(db, &of_sql_push_lock, &args, NULL, err);
}

static enum of_code wait_locked(struct of_push_item *it, struct of_pg *db, const char *ref, bool is_stuck, struct of_err *err)
{
    OF_TRY(of_push_lock(it, db, ref, err));
    const char *id = strchr(ref, '/');
    int64_t rows = 0;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, id ? id + 1 : "");
    OF_TRY(of_pg_run_count(db, &of_sql_push_is_linked, &args, &rows, err));
    struct of_err why = OF_ERR_INIT;
    (void)of_strcopy(why.msg, sizeof why.msg,
                     is_stuck ? "a record that it needs there cannot be sent" : "a record that it needs there is on its way");
    const struct of_push_later now = {.state = "ready", .ms = 0, .attempts = it->attempts};
    const struct of_push_later wait = {.state = is_stuck ? "parked" : "waiting",
                                       .ms = it->pj->w->conf->waiting_recheck_ms,
                                       .attempts = it->attempts,
                                       .why = &why,
                                       .waits_for = ref};
    return of_push_later(it, db, rows ? &now : &wait, err);
}

enum of_code of_push_wait(struct of_push_item *it, struct of_pg *db, const char *ref, bool is_stuck, struct of_err *err)
{
    OF_TRY(of_pg_begin(db, err));
    enum of_code code = wait_locked(it, db, ref, is_stuck, err);
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    return code;
}

enum of_code of_push_lacks(struct of_push_item *it, struct of_pg *db, const char *end, const struct of_err *why, struct of_err *err)
{
    bool again = it->attempts < LACKS_TRIES;
    if (!again && !end) {
        return of_push_done(it, db, err);
    }
    const struct of_push_later later = {.state = again ? "ready" : end,
                                        .ms = of_backoff_ms(it->pj->w->conf, it->attempts),
                                        .attempts = it->attempts + 1,
                                        .why = why};
    return of_push_later(it, db, &later, err);
}

/* --- items --- */

void of_push_plan_done(struct of_push_plan *p)
{
    of_freep(&p->link_tag);
    of_freep(&p->link_id);
    of_json_freep(&p->seen);
    of_json_freep(&p->agreed);
    of_json_freep(&p->sent);
    of_json_freep(&p->with);
    of_json_freep(&p->with_list);
    of_freep(&p->fields);
    memset(p, 0, sizeof *p);
}

static void item_free(struct of_push_item *it)
{
    struct of_push_job *pj = it->pj;
    of_push_plan_done(&it->plan);
    of_json_freep(&it->intent);
    of_json_freep(&it->sending);
    of_freep(&it->record_id);
    of_freep(&it->body);
    of_freep(&it->found_body);
    of_freep(&it->alike);
    memset(it, 0, sizeof *it);
    it->pj = pj;
}

static int count_in(struct of_push_job *pj, int state)
{
    int n = 0;
    pthread_mutex_lock(&pj->lock);
    for (int i = 0; i < OF_PUSH_SLOTS; i++) {
        n += (int)pj->items[i].state == state;
    }
    pthread_mutex_unlock(&pj->lock);
    return n;
}

static void take_row(struct of_push_item *it, const struct of_pgres *res, int row, struct of_boot send_until)
{
    (void)of_strcopy(it->record_type, sizeof it->record_type, of_pgres_text(res, row, 0));
    it->record_id = of_strdup(of_pgres_text(res, row, 1));
    it->fence = of_pgres_i64(res, row, 2);
    it->attempts = (int)of_pgres_i64(res, row, 3);
    (void)of_strcopy(it->reason, sizeof it->reason, of_pgres_text(res, row, 4));
    it->priority = (int)of_pgres_i64(res, row, 5);
    struct of_err ignored = OF_ERR_INIT;
    (void)!of_push_json(res, row, 6, &it->intent, &ignored);
    it->hidden_ms = of_pgres_i64(res, row, 7);
    it->owed_ms = of_pgres_i64(res, row, 8);
    (void)!of_push_json(res, row, 9, &it->sending, &ignored);
    it->send_until = send_until;
    it->state = PUSH_CLAIMED;
}

/* A request must not leave later than this, so that its answer is here before anybody else takes the row. */
static struct of_boot last_moment(const struct of_worker *w)
{
    int64_t ms = w->conf->lease_ms - w->conf->http_timeout_ms - LATE_MS;
    return (struct of_boot){.ms = of_boot_now().ms + OF_MAX(ms, w->conf->lease_ms / 8)};
}

static enum of_code claim(struct of_push_job *pj, struct of_pg *db, int want, int *ret_n, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_boot until = last_moment(pj->w);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->org);
    of_pg_arg_text(&args, pj->adapter);
    of_pg_arg_int8(&args, pj->w->conf->lease_ms);
    of_pg_arg_int8(&args, want);
    OF_TRY(of_pg_run(db, &of_sql_push_claim, &args, &res, err));
    *ret_n = of_pgres_rows(res);
    pthread_mutex_lock(&pj->lock);
    for (int i = 0, row = 0; i < OF_PUSH_SLOTS && row < *ret_n; i++) {
        if (pj->items[i].state == PUSH_FREE) {
            take_row(&pj->items[i], res, row++, until);
        }
    }
    pthread_mutex_unlock(&pj->lock);
    (void)OF_FAILPOINT("push.after_claim");
    return OF_OK;
}

/* --- sending --- */

static void answered(void *arg, struct of_call_result *res)
{
    struct of_push_item *it = arg;
    struct of_push_job *pj = it->pj;
    (void)OF_FAILPOINT("push.after_send");
    pthread_mutex_lock(&pj->lock);
    it->err = res->err;
    it->unclear = res->unclear;
    it->body = res->body;
    it->body_len = res->body_len;
    it->state = PUSH_ANSWERED;
    pj->outstanding--;
    of_job_wake(pj->w->lanes, &pj->job);
    pthread_mutex_unlock(&pj->lock);
}

static void asked(struct of_push_item *it)
{
    pthread_mutex_lock(&it->pj->lock);
    it->state = PUSH_ASKED;
    it->pj->outstanding++;
    pthread_mutex_unlock(&it->pj->lock);
}

/* Nothing can be asked: as if it had been answered so. */
static void refuse(struct of_push_item *it, const char *words)
{
    pthread_mutex_lock(&it->pj->lock);
    (void)of_err_set(&it->err, OF_E_REJECTED, "%s", words);
    it->unclear = false;
    it->state = PUSH_ANSWERED;
    pthread_mutex_unlock(&it->pj->lock);
}

static int urgency(const struct of_push_item *it)
{
    return it->priority > 0 ? OF_CALL_WEAK : strcmp(it->reason, "push") == 0 ? OF_CALL_BULK : OF_CALL_LIVE;
}

static int64_t patience_ms(const struct of_push_item *it)
{
    return OF_MAX(OF_MIN((int64_t)GIVE_UP_MS, it->send_until.ms - of_boot_now().ms), 1);
}

static void send_write(struct of_push_item *it)
{
    struct of_push_job *pj = it->pj;
    const struct of_push_plan *p = &it->plan;
    const struct of_write w = {.verb = p->verb,
                               .type = p->type,
                               .id = p->ext[0] ? p->ext : NULL,
                               .parent = p->parent[0] ? p->parent : NULL,
                               .body = p->sent,
                               .with = p->with};
    struct of_buf target = OF_BUF_INIT(16 * 1024);
    struct of_buf body = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    const char *method = NULL;
    struct of_err err = OF_ERR_INIT;
    char *path = NULL;
    char *text = NULL;
    size_t len = 0;
    it->asks = PUSH_WRITE;
    enum of_code code = pj->conn->adapter->write_request(&w, pj->conn->scope, &method, &target, &body, &err);
    bool has_body = body.len > 0;
    if (code != OF_OK || of_buf_take(&target, &path, NULL, &err) != OF_OK || of_buf_take(&body, &text, &len, &err) != OF_OK) {
        of_buf_done(&target);
        of_buf_done(&body);
        of_freep(&path);
        refuse(it, err.msg);
        return;
    }
    if (!has_body) {
        of_freep(&text);
    }
    (void)OF_FAILPOINT("push.before_send");
    asked(it);
    of_remote_send(pj->w->remote, pj->conn, p->type, method, path, text, len, urgency(it), patience_ms(it), it->send_until, answered,
                   it);
}

/* What was created lately, or a record whole. */
static void send_read(struct of_push_item *it, enum of_push_ask asks)
{
    struct of_push_job *pj = it->pj;
    const struct of_push_plan *p = &it->plan;
    struct of_buf target = OF_BUF_INIT(16 * 1024);
    char *path = NULL;
    const char *parent = p->parent[0] ? p->parent : NULL;
    it->asks = asks;
    if (asks == PUSH_RECENT) {
        int64_t sent_ms = 0;
        (void)of_json_i64(of_json_get(it->intent, "sent_at"), &sent_ms);
        struct of_wall since = {.us = (sent_ms + pj->conn->clock_offset_ms - OF_PUSH_SLACK_MS) * 1000};
        pj->conn->adapter->recent_target(p->type, pj->conn->scope, parent, since, it->offset, &target);
    } else {
        pj->conn->adapter->get_target(p->type, pj->conn->scope, p->ext, parent, &target);
    }
    if (target.len == 0) {
        of_buf_done(&target);
        refuse(it, "what was created cannot be looked for");
        return;
    }
    OF_BUG_ON(of_buf_take(&target, &path, NULL, NULL) != OF_OK);
    asked(it);
    of_remote_get(pj->w->remote, pj->conn, p->type, path, urgency(it), GIVE_UP_MS, answered, it);
}

/* --- steps --- */

static void item_over(struct of_push_item *it)
{
    pthread_mutex_lock(&it->pj->lock);
    item_free(it);
    pthread_mutex_unlock(&it->pj->lock);
}

static enum of_code start_item(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    enum of_push_next next = PUSH_NEXT_OVER;
    of_push_plan_done(&it->plan); /* an earlier try may have failed half-way */
    enum of_code code = of_push_plan(it, db, &next, err);
    bool look = code == OF_OK && next == PUSH_NEXT_SEND && of_push_must_look(it);
    if (look) {
        code = of_push_look_begin(it, db, err);
    }
    if (code == OF_OK && next == PUSH_NEXT_SEND && it->plan.verb == OF_VERB_CREATE) {
        code = of_push_intend(it, db, err);
        if (code == OF_E_CONFLICT) { /* linked since it was loaded: looked at again */
            const struct of_push_later again = {.state = "ready", .ms = 0, .attempts = it->attempts};
            next = PUSH_NEXT_OVER;
            code = of_push_later(it, db, &again, err);
        }
    } else if (code == OF_OK && next == PUSH_NEXT_SEND && !look) {
        code = of_push_mark(it, db, err);
    }
    if (code != OF_OK && err->cls == OF_CLASS_PERMANENT) { /* this record, not the database */
        struct of_err why = *err;
        next = PUSH_NEXT_OVER;
        code = of_push_failed(it, db, &why, err);
    }
    if (code == OF_OK && next == PUSH_NEXT_OVER) {
        item_over(it);
    } else if (code == OF_OK && look) {
        send_read(it, PUSH_LOOK);
    } else if (code == OF_OK && next == PUSH_NEXT_SEND) {
        send_write(it);
    } else if (code == OF_OK) {
        send_read(it, PUSH_RECENT);
    }
    return code;
}

static enum of_code settle_item(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    bool again = false;
    int asks = (int)it->asks;
    (void)OF_FAILPOINT("push.before_store");
    enum of_code code = of_push_settle(it, db, &again, err);
    if (code != OF_OK && err->cls == OF_CLASS_PERMANENT) {
        struct of_err why = *err;
        again = false;
        it->unclear = it->unclear || it->err.code == OF_OK; /* it was done there: should it be tried again, it is looked for */
        code = of_push_failed(it, db, &why, err);
    }
    if (code != OF_OK) {
        return code;
    }
    if (!again) {
        item_over(it);
    } else if (asks == PUSH_LOOK) { /* planned anew, by what is known now */
        pthread_mutex_lock(&it->pj->lock);
        of_push_plan_done(&it->plan);
        it->has_looked = true;
        it->asks = PUSH_WRITE;
        it->state = PUSH_CLAIMED;
        pthread_mutex_unlock(&it->pj->lock);
    } else if ((int)it->asks != PUSH_WRITE || asks == PUSH_WRITE) {
        send_read(it, it->asks);
    } else {
        send_write(it); /* it was not made: made anew */
    }
    return OF_OK;
}

static enum of_step retry(struct of_push_job *pj, const struct of_err *err)
{
    int64_t ms = OF_MIN(of_backoff_ms(pj->w->conf, pj->failures++), 10000);
    const struct of_kv kv[] = {OF_S("org_id", pj->org), OF_I("retry_in_ms", ms), {.key = NULL}};
    of_log_err(OF_LOG_WARN, "push.retry", "what is to be sent could not be worked off, trying again", err, kv);
    pj->job.wake_at = (struct of_boot){.ms = of_boot_now().ms + ms};
    return OF_STEP_WAIT;
}

static enum of_code give_back_item(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    const struct of_push_later now = {.state = "ready", .attempts = it->attempts, .keep_intent = true};
    OF_TRY(of_push_later(it, db, &now, err));
    item_over(it);
    return OF_OK;
}

static enum of_code each(struct of_push_job *pj, struct of_pg *db, int state,
                         enum of_code (*fn)(struct of_push_item *, struct of_pg *, struct of_err *), struct of_err *err)
{
    for (int i = 0; i < OF_PUSH_SLOTS; i++) {
        struct of_push_item *it = &pj->items[i];
        pthread_mutex_lock(&pj->lock);
        bool is = (int)it->state == state;
        pthread_mutex_unlock(&pj->lock);
        if (!is) {
            continue;
        }
        enum of_code code = fn(it, db, err);
        if (code != OF_OK && err->cls == OF_CLASS_FENCED) { /* the row is somebody else's, or the connection has changed */
            of_err_clear(err);
            code = give_back_item(it, db, err);
        }
        if (code != OF_OK) {
            return code;
        }
    }
    return OF_OK;
}

/* So many failures of theirs in a row: the connection is parked, for people to see. */
static enum of_code breaker(struct of_push_job *pj, struct of_pg *db, struct of_err *err)
{
    if (pj->their_failures < pj->w->conf->breaker_failures) {
        return OF_OK;
    }
    OF_CLEANUP(of_freep) char *reason = of_asprintf("%d failures in a row", pj->their_failures);
    pj->their_failures = 0;
    return of_conn_park(pj->w, db, pj->conn, "parked", reason, err);
}

/* Rows that are due, into the free places. *ret_n: how many. */
static enum of_code claim_more(struct of_push_job *pj, struct of_pg *db, int *ret_n, struct of_err *err)
{
    int want = count_in(pj, PUSH_FREE);
    *ret_n = 0;
    if (want == 0 || pj->gone) {
        return OF_OK;
    }
    struct of_conn *conn = NULL;
    OF_TRY(of_conn_load(pj->w, db, pj->org, pj->adapter, &conn, err));
    if (conn != pj->conn && want < OF_PUSH_SLOTS) { /* those under way end with what they began with, and nothing joins them: */
        of_conn_unref(conn);                        /* an update is sent before anybody looks at the generation again */
        return OF_OK;
    }
    of_conn_unref(pj->conn);
    pj->conn = conn;
    OF_TRY(claim(pj, db, want, ret_n, err));
    pj->more = *ret_n == want;
    pj->due = false;
    return OF_OK;
}

/* In how many ms a row is due; one whose transaction cannot be seen yet, soon. INT64_MAX: none. */
static enum of_code next_due(struct of_push_job *pj, struct of_pg *db, int64_t *ret_ms, struct of_err *err)
{
    static const int wait_ms[] = {1, 2, 5, 10, 20, 50, 100};
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->org);
    of_pg_arg_text(&args, pj->adapter);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(of_pg_run(db, &of_sql_push_next, &args, &res, err));
    *ret_ms = of_pgres_is_null(res, 0, 1) ? INT64_MAX : of_pgres_i64(res, 0, 1);
    if (of_pgres_bool(res, 0, 0)) {
        *ret_ms = wait_ms[OF_MIN((size_t)pj->unseen++, OF_ARRAY_LEN(wait_ms) - 1)];
    }
    return OF_OK;
}

/* The job looks again then; false: not so soon that it should stay for it. */
static bool come_back(struct of_push_job *pj, int64_t ms)
{
    if (ms > STAY_MS) { /* leaving earlier would cost the scheduler's seconds */
        return false;
    }
    pj->job.wake_at = (struct of_boot){.ms = of_boot_now().ms + OF_MAX(ms, 1)};
    pj->due = true;
    return true;
}

/* Nothing is under way. looked: and nothing could be claimed just now. */
static enum of_step rest(struct of_push_job *pj, struct of_pg *db, bool looked, struct of_err *err)
{
    int64_t ms = 0;
    if (pj->gone) {
        (void)leave(pj, true);
        return OF_STEP_DONE;
    }
    if (next_due(pj, db, &ms, err) != OF_OK) {
        return retry(pj, err);
    }
    if (ms == 0 && !looked) {
        pj->due = true;
        return OF_STEP_AGAIN;
    }
    if (come_back(pj, ms)) {
        return OF_STEP_WAIT;
    }
    return leave(pj, false) ? OF_STEP_DONE : OF_STEP_AGAIN;
}

static bool is_stopped(const struct of_err *err)
{
    return err->code == OF_E_AUTH || err->code == OF_E_BUSY || err->code == OF_E_NOT_FOUND;
}

static enum of_step work(struct of_push_job *pj, struct of_pg *db)
{
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_freep) char *key = of_lane_key(pj->org, pj->adapter);
    int claimed = 0;
    bool told = told_to_look(key);
    enum of_code code = each(pj, db, PUSH_ANSWERED, settle_item, &err);
    code = code == OF_OK ? breaker(pj, db, &err) : code;
    int places = count_in(pj, PUSH_FREE);
    bool look = told || pj->due || (pj->more && places >= OF_PUSH_SLOTS / 2);
    pj->more = pj->more || (told && code != OF_OK);
    if (code == OF_OK && look) {
        code = claim_more(pj, db, &claimed, &err);
        pj->more = pj->more || code != OF_OK;
        if (code != OF_OK && is_stopped(&err)) { /* nothing is sent until it is connected again; then a message says so */
            code = OF_OK;
            pj->gone = true;
        }
    }
    code = code == OF_OK ? each(pj, db, PUSH_CLAIMED, start_item, &err) : code;
    if (code != OF_OK) {
        return retry(pj, &err);
    }
    pj->failures = 0;
    pj->unseen = claimed > 0 ? 0 : pj->unseen;
    if (count_in(pj, PUSH_FREE) == OF_PUSH_SLOTS) {
        return claimed > 0 ? OF_STEP_AGAIN : rest(pj, db, look, &err);
    }
    if (told && claimed == 0 && !pj->gone) { /* those under way may take long */
        int64_t ms = 0;
        if (next_due(pj, db, &ms, &err) != OF_OK) {
            return retry(pj, &err);
        }
        (void)come_back(pj, ms);
    }
    return count_in(pj, PUSH_ANSWERED) > 0 ? OF_STEP_AGAIN : OF_STEP_WAIT;
}

/* Leaving: what has been answered is stored, and nobody shall wait for the other leases to run out. */
static enum of_step stop(struct of_push_job *pj)
{
    pthread_mutex_lock(&pj->lock);
    bool waits = pj->outstanding > 0;
    pthread_mutex_unlock(&pj->lock);
    if (waits) {
        return OF_STEP_WAIT;
    }
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    if (count_in(pj, PUSH_FREE) < OF_PUSH_SLOTS && of_pgpool_get(pj->w->pool, 1000, &db, &err) == OF_OK) {
        if (each(pj, db, PUSH_ANSWERED, settle_item, &err) == OF_OK) {
            (void)!each(pj, db, PUSH_CLAIMED, give_back_item, &err);
        }
        of_pgpool_put(pj->w->pool, db);
    }
    pthread_mutex_lock(&pj->lock);
    waits = pj->outstanding > 0; /* a second question was asked */
    pthread_mutex_unlock(&pj->lock);
    return waits ? OF_STEP_WAIT : OF_STEP_DONE;
}

static enum of_step step(struct of_job *job)
{
    struct of_push_job *pj = OF_CONTAINER_OF(job, struct of_push_job, job);
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    job->wake_at = (struct of_boot){.ms = 0};
    if (atomic_load(&pj->w->stopping)) {
        return stop(pj);
    }
    if (of_pgpool_get(pj->w->pool, 10000, &db, &err) != OF_OK) {
        return retry(pj, &err);
    }
    enum of_step next = work(pj, db);
    of_pgpool_put(pj->w->pool, db);
    return next;
}

static void free_job(struct of_job *job)
{
    struct of_push_job *pj = OF_CONTAINER_OF(job, struct of_push_job, job);
    (void)leave(pj, true);
    for (int i = 0; i < OF_PUSH_SLOTS; i++) {
        item_free(&pj->items[i]);
    }
    of_conn_unref(pj->conn);
    of_freep(&pj->org);
    of_freep(&pj->adapter);
    pthread_mutex_destroy(&pj->lock);
    of_freep(&pj);
}

static struct of_push_job *job_new(struct of_worker *w, const char *org, const char *adapter)
{
    struct of_push_job *pj = of_calloc(1, sizeof *pj);
    pj->job = (struct of_job){.step = step, .free = free_job, .priority = OF_PRIO_LIVE};
    pj->w = w;
    pj->org = of_strdup(org);
    pj->adapter = of_strdup(adapter);
    pj->due = true;
    pthread_mutex_init(&pj->lock, NULL);
    for (int i = 0; i < OF_PUSH_SLOTS; i++) {
        pj->items[i].pj = pj;
    }
    return pj;
}

void of_push_kick(struct of_worker *w, const char *org, const char *adapter)
{
    OF_CLEANUP(of_freep) char *key = of_lane_key(org, adapter);
    if (atomic_load(&w->stopping)) {
        return;
    }
    pthread_mutex_lock(&active_lock);
    for (struct active *a = active; a; a = a->next) {
        if (strcmp(a->key, key) == 0) {
            a->again = true;
            if (a->started) {
                of_job_wake(w->lanes, &a->pj->job); /* it cannot be over: it would have left, and for that it needs the lock */
            }
            pthread_mutex_unlock(&active_lock);
            return;
        }
    }
    struct active *a = of_calloc(1, sizeof *a);
    a->key = of_strdup(key);
    a->pj = job_new(w, org, adapter);
    a->next = active;
    active = a;
    pthread_mutex_unlock(&active_lock);
    of_lanes_add(w->lanes, key, &a->pj->job);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/poll.h"

#include <string.h>

#include "common/base/failpoint.h"
#include "worker/work_int.h"
#include "worker_sql.h"

/* The job. What is owed stands in sync.schedule (wanted > done), so its message ends after a slice, and a poll that is killed is
 * emitted again by the scheduler. */

enum { CURSOR_MAX = 64 * 1024, FENCED_MS = 1000 };

/* --- load --- */

static bool starts(const char *text, const char *prefix, const char **rest)
{
    size_t n = strlen(prefix);
    *rest = text + n;
    return strncmp(text, prefix, n) == 0;
}

/* What a person means by a type: the list that brings it. */
static of_scope lists_for(const struct of_adapter *a, const struct of_type *t)
{
    if (t->list == OF_LIST_WITH && !t->has_updated) {
        t = of_type_find(a, t->with);
    }
    return t ? (of_scope)1 << of_type_index(a, t) : 0;
}

struct plan {
    of_scope own, named, below; /* below: lists per parent that were asked for */
    bool whole, reconcile, reconcile_all;
    of_scope reconcile_types;
    struct of_poll_moment again[64]; /* reconciliations */
    int n_again;
};

static void add_moment(struct of_poll_moment *list, int *n, const struct of_pgres *res, int row)
{
    if (*n < 64) {
        struct of_poll_moment *m = &list[(*n)++];
        (void)of_strcopy(m->kind, sizeof m->kind, of_pgres_text(res, row, 1));
        m->wanted = of_pgres_i64(res, row, 2);
        m->rev = of_pgres_i64(res, row, 3);
    }
}

static void read_moment(struct of_poll *p, const struct of_pgres *res, int row, struct plan *plan)
{
    const struct of_adapter *a = p->conn->adapter;
    const char *kind = of_pgres_text(res, row, 1);
    const char *name = NULL;
    bool owed = of_pgres_i64(res, row, 2) > of_pgres_i64(res, row, 7);
    if (strcmp(kind, "reconcile") == 0 || starts(kind, "ask:reconcile:", &name)) {
        if (owed && !of_pgres_bool(res, row, 6)) { /* else its run is on its way */
            const struct of_type *t = name && strcmp(kind, "reconcile") != 0 ? of_type_find(a, name) : NULL;
            plan->reconcile = true;
            plan->reconcile_all = plan->reconcile_all || strcmp(kind, "reconcile") == 0;
            if (t) {
                const struct of_type *carrier = t->list == OF_LIST_WITH ? of_type_find(a, t->with) : t;
                plan->reconcile_types |= (of_scope)1 << of_type_index(a, carrier ? carrier : t);
            }
            add_moment(plan->again, &plan->n_again, res, row);
        }
        return;
    }
    const struct of_type *t = starts(kind, "poll:", &name) || starts(kind, "ask:poll:", &name) ? of_type_find(a, name) : NULL;
    if (t && strncmp(kind, "poll:", 5) == 0) {
        plan->own |= (of_scope)1 << of_type_index(a, t);
    }
    if (!owed) {
        return;
    }
    plan->whole = plan->whole || strcmp(kind, "poll") == 0;
    if (t) {
        plan->named |= lists_for(a, t);
        plan->below |= t->list == OF_LIST_PER_PARENT ? (of_scope)1 << of_type_index(a, t) : 0;
        p->asked |= strncmp(kind, "ask:", 4) == 0 ? (of_scope)1 << of_type_index(a, t) : 0;
    }
    p->attempts = OF_MAX(p->attempts, (int)of_pgres_i64(res, row, 4));
    add_moment(p->moments, &p->n_moments, res, row);
}

static bool can_be_polled(const struct of_type *t)
{
    return t->has_updated || t->list == OF_LIST_OFFSET;
}

static void make_lists(struct of_poll *p, const struct of_pgres *res, const struct plan *plan, struct of_err *err)
{
    const struct of_adapter *a = p->conn->adapter;
    size_t n = 0;
    for (const struct of_type *t = a->types; t->name; t++) {
        n++;
    }
    p->lists = of_calloc(2 * n, sizeof *p->lists);
    for (size_t i = 0; i < n; i++) {
        const struct of_type *t = &a->types[i];
        bool wanted = (plan->whole && !of_scope_has(plan->own, i)) || of_scope_has(plan->named, i);
        if (!wanted || !can_be_polled(t) || !of_scope_has(p->conn->scope, i)) {
            continue;
        }
        for (int row = 0; row < of_pgres_rows(res); row++) {
            if (of_pgres_text(res, row, 0)[0] != 't' || strcmp(of_pgres_text(res, row, 1), t->name) != 0) {
                continue;
            }
            const char *cursor = of_pgres_text_null(res, row, 7);
            of_poll_list_init(&p->lists[p->n_lists++], p, t, false, of_pgres_i64(res, row, 2), cursor, err);
            if (t->match == OF_MATCH_PERSON && a->mergers_target) {
                of_poll_list_init(&p->lists[p->n_lists], p, t, true, of_pgres_i64(res, row, 2), cursor, err);
                p->lists[p->n_lists++].refused = of_pgres_bool(res, row, 6);
            }
        }
    }
}

/* One transaction: the run with its phases, under the connection as we know it. */
static enum of_code start_reconcile(struct of_poll *p, struct of_pg *db, const struct plan *plan, struct of_err *err)
{
    const struct of_adapter *a = p->conn->adapter;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *kinds = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *wanted = of_pgarr_new(OF_PG_INT8);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *revs = of_pgarr_new(OF_PG_INT8);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = of_pgarr_new(OF_PG_TEXT);
    for (int i = 0; i < plan->n_again; i++) {
        of_pgarr_text(kinds, plan->again[i].kind);
        of_pgarr_int8(wanted, plan->again[i].wanted);
        of_pgarr_int8(revs, plan->again[i].rev);
    }
    for (const struct of_type *t = a->types; t->name; t++) {
        if (plan->reconcile_all || of_scope_has(plan->reconcile_types, of_type_index(a, t))) {
            of_pgarr_text(types, t->name);
        }
    }
    struct of_apply apply = {.w = p->w, .db = db, .conn = p->conn};
    OF_TRY(of_apply_begin(&apply, err));
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, p->org);
    of_pg_arg_text(&args, p->adapter);
    of_pg_arg_array(&args, kinds);
    of_pg_arg_array(&args, wanted);
    of_pg_arg_array(&args, revs);
    of_pg_arg_array(&args, types);
    enum of_code code = of_pg_run(db, &of_sql_reconcile_start, &args, NULL, err);
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    return code;
}

/* Lists below parents that a person asked for: a row per parent is owed. */
static enum of_code hint_below(struct of_poll *p, struct of_pg *db, of_scope below, struct of_err *err)
{
    const struct of_adapter *a = p->conn->adapter;
    struct of_apply apply = {.w = p->w, .db = db, .conn = p->conn};
    OF_TRY(of_apply_begin(&apply, err));
    enum of_code code = OF_OK;
    for (const struct of_type *t = a->types; t->name && code == OF_OK; t++) {
        if (of_scope_has(below, of_type_index(a, t))) {
            struct of_pgargs args = OF_PGARGS_INIT;
            of_pg_arg_text(&args, p->org);
            of_pg_arg_text(&args, p->adapter);
            of_pg_arg_text(&args, t->name);
            of_pg_arg_text(&args, t->with);
            code = of_pg_run(db, &of_sql_hint_weak, &args, NULL, err);
        }
    }
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    p->wrote = true;
    return code;
}

static void forget(struct of_poll *p)
{
    for (int i = 0; i < p->n_lists; i++) {
        of_poll_list_done(&p->lists[i]);
    }
    of_freep(&p->lists);
    if (p->held) {
        of_poll_page_free(p->held);
        p->held = NULL;
    }
    p->n_lists = p->n_moments = p->at = p->attempts = 0;
    p->asked = 0;
    p->date.us = p->limit_us = p->busy_ms = 0;
    p->closed = p->wrote = p->is_finished = false;
    of_err_clear(&p->err);
}

static enum of_code load_with(struct of_poll *p, struct of_pg *db, bool *ret_any, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct plan plan = {.own = 0};
    *ret_any = false;
    of_conn_unref(p->conn);
    p->conn = NULL;
    enum of_code code = of_conn_load(p->w, db, p->org, p->adapter, &p->conn, err);
    if (code == OF_E_NOT_FOUND || code == OF_E_AUTH || code == OF_E_BUSY) {
        of_err_clear(err);
        return OF_OK; /* what is owed waits in its row: resume, reconnect and probe make it due */
    }
    OF_TRY(code);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, p->org);
    of_pg_arg_text(&args, p->adapter);
    OF_TRY(of_pg_run(db, &of_sql_poll_load, &args, &res, err));
    bool runs = false;
    for (int row = 0; row < of_pgres_rows(res); row++) {
        if (of_pgres_text(res, row, 0)[0] == 'c') {
            (void)of_strcopy(p->account, sizeof p->account, of_pgres_text(res, row, 1));
            p->read_seq = of_pgres_i64(res, row, 3);
            runs = of_pgres_bool(res, row, 6);
        } else if (of_pgres_text(res, row, 0)[0] == 'k') {
            read_moment(p, res, row, &plan);
        }
    }
    if (plan.reconcile && !runs) {
        OF_TRY(start_reconcile(p, db, &plan, err));
    }
    if (plan.below) {
        OF_TRY(hint_below(p, db, plan.below, err));
    }
    make_lists(p, res, &plan, err);
    *ret_any = p->n_moments > 0;
    return OF_OK;
}

/* --- save --- */

static bool is_as_stored(const char *was, const struct of_buf *now)
{
    OF_CLEANUP(of_json_freep) struct of_json *a = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *b = NULL;
    struct of_err ignored = OF_ERR_INIT;
    return was && of_json_parse(was, strlen(was), CURSOR_MAX, &a, &ignored) == OF_OK &&
           of_json_parse(of_buf_text(now), now->len, CURSOR_MAX, &b, &ignored) == OF_OK && of_json_equal(a, b);
}

struct saved {
    struct of_pgarr *kinds, *wanted, *revs, *types, *cursors, *moves;
};

static void saved_done(struct saved *s)
{
    of_pgarr_free(s->kinds);
    of_pgarr_free(s->wanted);
    of_pgarr_free(s->revs);
    of_pgarr_free(s->types);
    of_pgarr_free(s->cursors);
    of_pgarr_free(s->moves);
}

/* Only cursors that have moved are written. */
static void gather(struct of_poll *p, struct saved *s)
{
    *s = (struct saved){of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_INT8),  of_pgarr_new(OF_PG_INT8),
                        of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_JSONB), of_pgarr_new(OF_PG_BOOL)};
    for (int i = 0; i < p->n_moments; i++) {
        of_pgarr_text(s->kinds, p->moments[i].kind);
        of_pgarr_int8(s->wanted, p->moments[i].wanted);
        of_pgarr_int8(s->revs, p->moments[i].rev);
    }
    for (int i = 0; i < p->n_lists; i++) {
        const struct of_poll_list *l = &p->lists[i];
        if (l->mergers) {
            continue; /* with its type's */
        }
        struct of_buf b = OF_BUF_INIT(CURSOR_MAX);
        of_buf_char(&b, '{');
        pthread_mutex_lock(&p->lock);
        of_poll_cursor(l, &b);
        if (i + 1 < p->n_lists && p->lists[i + 1].mergers) {
            of_buf_char(&b, ',');
            of_poll_cursor(&p->lists[i + 1], &b);
        }
        pthread_mutex_unlock(&p->lock);
        of_buf_char(&b, '}');
        bool moves = p->is_finished && of_scope_has(p->asked, of_type_index(p->conn->adapter, l->type));
        bool stays = is_as_stored(l->was, &b);
        if (!stays || moves) {
            of_pgarr_text(s->types, l->type->name);
            of_pgarr_text(s->cursors, stays ? NULL : of_buf_text(&b));
            of_pgarr_bool(s->moves, moves);
        }
        of_buf_done(&b);
    }
}

static enum of_code save(struct of_poll *p, struct of_err *err)
{
    struct of_pg *db = NULL;
    OF_CLEANUP(saved_done) struct saved s;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    gather(p, &s);
    OF_TRY(of_pgpool_get(p->w->pool, 10000, &db, err));
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, p->org);
    of_pg_arg_text(&args, p->adapter);
    of_pg_arg_int8(&args, p->conn->generation);
    of_pg_arg_array(&args, s.kinds);
    of_pg_arg_array(&args, s.wanted);
    of_pg_arg_array(&args, s.revs);
    of_pg_arg_bool(&args, p->is_finished);
    of_pg_arg_int8(&args, p->due_ms);
    of_pg_arg_int8(&args, p->is_finished ? 0 : p->attempts);
    pthread_mutex_lock(&p->lock);
    bool dated = p->date.us != 0;
    int64_t limit_us = p->limit_us;
    pthread_mutex_unlock(&p->lock);
    if (dated) {
        of_pg_arg_time(&args, limit_us);
    } else {
        of_pg_arg_null(&args, OF_PG_TIMESTAMPTZ);
    }
    of_pg_arg_array(&args, s.types);
    of_pg_arg_array(&args, s.cursors);
    of_pg_arg_array(&args, s.moves);
    (void)OF_FAILPOINT("worker.before_poll_save");
    enum of_code code = of_pg_run(db, &of_sql_poll_save, &args, &res, err);
    of_pgpool_put(p->w->pool, db);
    (void)OF_FAILPOINT("worker.after_poll_save");
    OF_TRY(code);
    if (of_pgres_rows(res) < p->n_moments) {
        return of_err_set(err, OF_E_LEASE, "another poll of this connection was faster, or the connection has changed");
    }
    for (int i = 0; i < p->n_moments; i++) {
        p->moments[i].rev++;
    }
    return OF_OK;
}

/* --- the job --- */

static void end_message(struct of_poll *p)
{
    if (!p->m_ended) {
        p->m_ended = true;
        of_tracker_end(p->w->tracker, p->m);
    }
}

static char *active_key(const struct of_poll *p)
{
    return of_asprintf("poll\x1f%s\x1f%s", p->org, p->adapter);
}

/* Over, unless another message came meanwhile: then it is looked at once more. */
static enum of_step over(struct of_poll *p)
{
    OF_CLEANUP(of_freep) char *key = active_key(p);
    if (p->wrote) {
        of_work_kick(p->w, p->org, p->adapter);
    }
    end_message(p);
    forget(p);
    if (of_work_leave(key, false)) {
        return OF_STEP_DONE;
    }
    p->stage = POLL_LOAD;
    return OF_STEP_AGAIN;
}

/* One of our own servers is away: what is in memory stays, and is tried again here. */
static enum of_step wait_and_retry(struct of_poll *p, const struct of_err *err)
{
    int64_t ms = OF_MIN(of_backoff_ms(p->w->conf, p->failures++), 10000);
    const struct of_kv kv[] = {OF_S("org_id", p->org), OF_I("retry_in_ms", ms), {.key = NULL}};
    of_log_err(OF_LOG_WARN, "poll.retry", "a poll cannot go on, trying again", err, kv);
    p->job.wake_at = (struct of_boot){.ms = of_boot_now().ms + ms};
    return OF_STEP_WAIT;
}

static enum of_step close_with(struct of_poll *p, bool finished, int64_t due_ms)
{
    p->is_finished = finished;
    p->due_ms = due_ms;
    p->stage = POLL_CLOSING;
    pthread_mutex_lock(&p->lock);
    p->closed = true;
    pthread_mutex_unlock(&p->lock);
    return OF_STEP_AGAIN;
}

/* What status says of the type: that it cannot be polled any more, or only that its mergers cannot (words NULL: they can again). */
static enum of_code tell_status(struct of_poll *p, const struct of_poll_list *l, const char *words, struct of_err *err)
{
    struct of_pg *db = NULL;
    OF_TRY(of_pgpool_get(p->w->pool, 10000, &db, err));
    struct of_apply a = {.w = p->w, .db = db, .conn = p->conn};
    enum of_code code = of_apply_begin(&a, err);
    if (code == OF_OK) {
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, p->org);
        of_pg_arg_text(&args, p->adapter);
        of_pg_arg_text(&args, l->type->name);
        of_pg_arg_text(&args, words);
        of_pg_arg_bool(&args, !l->mergers);
        code = of_pg_run(db, &of_sql_poll_type_error, &args, NULL, err);
        code = code == OF_OK ? of_pg_commit(db, err) : code;
        if (code != OF_OK) {
            of_pg_rollback(db);
        }
    }
    of_pgpool_put(p->w->pool, db);
    return code;
}

static enum of_step on_failure(struct of_poll *p, const struct of_err *why)
{
    struct of_err err = OF_ERR_INIT;
    if (why->cls == OF_CLASS_FENCED || why->cls == OF_CLASS_STOP || why->cls == OF_CLASS_RECONNECT) {
        return close_with(p, false, FENCED_MS); /* who has the lane now, or a reconnect, goes on */
    }
    p->attempts++;
    p->err = *why;
    if (p->attempts >= p->w->conf->breaker_failures) {
        struct of_pg *db = NULL;
        OF_CLEANUP(of_freep) char *reason = of_asprintf("%d failures in a row: %s", p->attempts, why->msg);
        if (of_pgpool_get(p->w->pool, 10000, &db, &err) != OF_OK) {
            return wait_and_retry(p, &err);
        }
        enum of_code code = of_conn_park(p->w, db, p->conn, "parked", reason, &err);
        of_pgpool_put(p->w->pool, db);
        if (code != OF_OK) {
            return wait_and_retry(p, &err);
        }
    }
    return close_with(p, false, OF_MAX(of_backoff_ms(p->w->conf, p->attempts - 1), why->retry_after_ms));
}

/* Of our own doing: our servers are asked again, what they refuse counts as a failure that ends somewhere. */
static enum of_step own_failure(struct of_poll *p, const struct of_err *why)
{
    return why->cls == OF_CLASS_RETRY || why->cls == OF_CLASS_SYSTEMIC ? wait_and_retry(p, why) : on_failure(p, why);
}

/* Its pages are applied, or it has none. */
static enum of_step next_list(struct of_poll *p, struct of_poll_list *l, bool good)
{
    struct of_err err = OF_ERR_INIT;
    if (good && of_poll_list_end(l, &err) != OF_OK) {
        return own_failure(p, &err);
    }
    if (good && l->refused && tell_status(p, l, NULL, &err) != OF_OK) {
        return own_failure(p, &err);
    }
    l->done = good;
    pthread_mutex_lock(&p->lock);
    p->at++;
    pthread_mutex_unlock(&p->lock);
    return OF_STEP_AGAIN;
}

static enum of_step bad_page(struct of_poll *p, struct of_poll_list *l)
{
    struct of_err why = p->held->err;
    struct of_err err = OF_ERR_INIT;
    if (why.code == OF_E_DENIED || why.code == OF_E_REJECTED) { /* not for these credentials: the others go on */
        OF_CLEANUP(of_freep) char *words = l->mergers ? of_asprintf("mergers cannot be read: %s", why.msg) : of_strdup(why.msg);
        const struct of_kv kv[] = {OF_S("org_id", p->org), OF_S("type", l->type->name), {.key = NULL}};
        if (tell_status(p, l, words, &err) != OF_OK) {
            return own_failure(p, &err);
        }
        of_log_err(OF_LOG_WARN, l->mergers ? "poll.mergers_refused" : "poll.type_refused", "a list is refused, going on without it",
                   &why, kv);
        of_poll_page_free(p->held);
        p->held = NULL;
        return next_list(p, l, false);
    }
    return on_failure(p, &why);
}

/* A slice is over: what was done is kept, and the message does not wait for the rest. */
static enum of_code save_slice(struct of_poll *p, struct of_err *err)
{
    p->is_finished = false;
    p->due_ms = p->w->conf->lease_ms;
    OF_TRY(save(p, err));
    end_message(p);
    p->slice_end.ms = of_boot_now().ms + p->w->conf->slice_ms;
    return OF_OK;
}

static enum of_step wait_for_answers(struct of_poll *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->busy_ms > 0 && p->outstanding == 0) { /* no permit: once more in a while */
        p->job.wake_at = (struct of_boot){.ms = of_boot_now().ms + OF_MIN(p->busy_ms, 5000)};
        p->busy_ms = 0;
    } else if (p->outstanding == 0) {
        of_poll_ask(p);
    }
    bool ready = p->lists[p->at].head != NULL;
    pthread_mutex_unlock(&p->lock);
    return ready ? OF_STEP_AGAIN : OF_STEP_WAIT;
}

static enum of_step run(struct of_poll *p)
{
    struct of_err err = OF_ERR_INIT;
    if (of_boot_now().ms >= p->slice_end.ms && save_slice(p, &err) != OF_OK) {
        return own_failure(p, &err);
    }
    if (p->at == p->n_lists) {
        return close_with(p, true, 0);
    }
    struct of_poll_list *l = &p->lists[p->at];
    p->held = p->held ? p->held : of_poll_take(l);
    if (!p->held) {
        pthread_mutex_lock(&p->lock);
        bool ended = l->ended && !l->head && !l->flying;
        pthread_mutex_unlock(&p->lock);
        return ended ? next_list(p, l, true) : wait_for_answers(p);
    }
    if (p->held->err.code != OF_OK) {
        return bad_page(p, l);
    }
    if (of_poll_apply(l, p->held, &err) != OF_OK) {
        return own_failure(p, &err);
    }
    p->failures = 0;
    of_poll_page_free(p->held);
    p->held = NULL;
    pthread_mutex_lock(&p->lock);
    of_poll_ask(p);
    pthread_mutex_unlock(&p->lock);
    return OF_STEP_AGAIN;
}

/* Nothing is asked for any more; answers on their way refer to this job. */
static enum of_step closing(struct of_poll *p)
{
    struct of_err err = OF_ERR_INIT;
    pthread_mutex_lock(&p->lock);
    bool waits = p->outstanding > 0;
    pthread_mutex_unlock(&p->lock);
    if (waits) {
        return OF_STEP_WAIT;
    }
    if (save(p, &err) != OF_OK && err.cls != OF_CLASS_FENCED) {
        return wait_and_retry(p, &err);
    }
    if (p->err.code != OF_OK) {
        const struct of_kv kv[] = {OF_S("org_id", p->org), OF_I("attempt", p->attempts), OF_I("retry_in_ms", p->due_ms), {.key = NULL}};
        of_log_err(OF_LOG_WARN, "poll.failed", "a poll was given up, trying again", &p->err, kv);
    }
    return over(p);
}

static enum of_step begin(struct of_poll *p)
{
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    bool any = false;
    forget(p);
    if (of_pgpool_get(p->w->pool, 10000, &db, &err) != OF_OK) {
        return wait_and_retry(p, &err);
    }
    enum of_code code = load_with(p, db, &any, &err);
    if (code == OF_OK && !any) { /* the message may have overtaken what it tells of */
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, p->org);
        of_pg_arg_text(&args, p->adapter);
        code = of_pg_run(db, &of_sql_poll_lock, &args, NULL, &err);
        code = code == OF_OK ? load_with(p, db, &any, &err) : code;
    }
    of_pgpool_put(p->w->pool, db);
    if (code != OF_OK && err.cls != OF_CLASS_FENCED) {
        return wait_and_retry(p, &err);
    }
    if (code != OF_OK || !any) {
        return over(p);
    }
    p->failures = 0;
    p->slice_end.ms = of_boot_now().ms + p->w->conf->slice_ms;
    p->stage = POLL_RUN;
    pthread_mutex_lock(&p->lock);
    of_poll_ask(p);
    pthread_mutex_unlock(&p->lock);
    return OF_STEP_AGAIN;
}

static enum of_step step(struct of_job *job)
{
    struct of_poll *p = OF_CONTAINER_OF(job, struct of_poll, job);
    job->wake_at = (struct of_boot){.ms = 0};
    if (atomic_load(&p->w->stopping)) { /* the message stays open, or the row is due again */
        pthread_mutex_lock(&p->lock);
        p->closed = true;
        bool waits = p->outstanding > 0;
        pthread_mutex_unlock(&p->lock);
        return waits ? OF_STEP_WAIT : OF_STEP_DONE;
    }
    switch (p->stage) {
    case POLL_LOAD:
        return begin(p);
    case POLL_RUN:
        return run(p);
    case POLL_CLOSING:
        return closing(p);
    }
    return OF_STEP_DONE;
}

static void free_job(struct of_job *job)
{
    struct of_poll *p = OF_CONTAINER_OF(job, struct of_poll, job);
    if (atomic_load(&p->w->stopping)) {
        OF_CLEANUP(of_freep) char *key = active_key(p);
        (void)of_work_leave(key, true);
    }
    forget(p);
    of_conn_unref(p->conn);
    of_freep(&p->org);
    of_freep(&p->adapter);
    pthread_mutex_destroy(&p->lock);
    of_freep(&p);
}

void of_poll_job_start(struct of_worker *w, const struct of_task_msg *msg, struct of_tracked m)
{
    struct of_poll *p = of_calloc(1, sizeof *p);
    p->org = of_strdup(msg->org);
    p->adapter = of_strdup(msg->adapter);
    OF_CLEANUP(of_freep) char *active = active_key(p);
    if (atomic_load(&w->stopping) || !of_work_enter(active)) {
        if (!atomic_load(&w->stopping)) {
            of_tracker_end(w->tracker, m); /* the one that runs looks once more */
        }
        of_freep(&p->org);
        of_freep(&p->adapter);
        of_freep(&p);
        return;
    }
    p->job = (struct of_job){.step = step, .free = free_job, .priority = OF_PRIO_LIVE};
    p->w = w;
    p->m = m;
    pthread_mutex_init(&p->lock, NULL);
    OF_CLEANUP(of_freep) char *key = of_lane_key(msg->org, msg->adapter);
    of_lanes_add(w->lanes, key, &p->job);
}

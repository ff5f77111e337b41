/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/failpoint.h"
#include "worker/phase.h"
#include "worker/push.h"
#include "worker/work_int.h"
#include "worker_sql.h"

/* What is owed for single records (sync.work, direction in): read again, look whether it is gone, tie edges that waited. One job per
 * connection at a time; its message ends at once, since what is owed stands in the table. */

enum { CLAIM = 32, GIVE_UP_MS = 5000, BAD_ANSWERS = 6 };

struct work_job;

struct item {
    struct work_job *wj;
    char type_name[64], id[128], reason[32], waits_for[160], parent[72], link_state[16];
    const struct of_type *type;   /* of the record */
    const struct of_type *target; /* what is read: the record, or what it waits for */
    char target_id[128];
    int64_t fence;
    int attempts, priority;
    bool reads_again; /* the row stays: the record is to be read once more */
    bool of_this_run, suspected, second_look_due; /* brought by the running run; missing before; long enough ago */
    enum { ITEM_ASK, ITEM_ASKED, ITEM_ANSWERED, ITEM_ASK_MERGERS, ITEM_MERGERS, ITEM_OVER } state;
    struct of_err err;
    char *body;
    size_t body_len;
    int64_t offset; /* list below a parent */
};

struct work_job {
    struct of_job job;
    struct of_worker *w;
    char *org, *adapter;
    struct of_conn *conn;
    pthread_mutex_t lock; /* guards item states and outstanding */
    struct item *items;
    int n;
    int outstanding;
    int64_t run; /* the running run, or 0 */
    int64_t read_seq;
    struct of_wall run_started;
    int failures;
    bool gone; /* the org's lane went to another worker */
};

/* --- database --- */

static struct of_apply apply_of(struct work_job *wj, struct of_pg *db)
{
    return (struct of_apply){
        .w = wj->w, .db = db, .conn = wj->conn, .run_id = wj->run, .read_seq = wj->read_seq, .again = true};
}

static enum of_code claim(struct work_job *wj, struct of_pg *db, struct of_err *err)
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
        struct item *it = &wj->items[i];
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
        it->suspected = of_pgres_bool(res, i, 10);
        it->second_look_due = of_pgres_bool(res, i, 11);
        wj->run = of_pgres_i64(res, i, 12);
        wj->read_seq = of_pgres_i64(res, i, 13);
        wj->run_started.us = of_pgres_i64(res, i, 14);
        it->type = of_type_find(wj->conn->adapter, it->type_name);
    }
    (void)OF_FAILPOINT("worker.after_claim");
    return OF_OK;
}

static void link_args(const struct work_job *wj, const char *type, const char *id, struct of_pgargs *args)
{
    of_pg_arg_text(args, wj->org);
    of_pg_arg_text(args, wj->adapter);
    of_pg_arg_text(args, type);
    of_pg_arg_text(args, id);
}

/* The row has been worked off (or hinted again meanwhile: then it is ready again). In the caller's transaction. */
static enum of_code row_done(struct work_job *wj, struct of_pg *db, const struct item *it, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    link_args(wj, it->type_name, it->id, &args);
    of_pg_arg_int8(&args, it->fence);
    (void)OF_FAILPOINT("worker.before_done");
    int64_t rows = 0;
    OF_TRY(of_pg_run_count(db, &of_sql_work_done, &args, &rows, err));
    return rows ? OF_OK : of_err_set(err, OF_E_LEASE, "the row is somebody else's now");
}

static enum of_code row_later(struct work_job *wj, struct of_pg *db, const struct item *it, const char *state, int64_t ms,
                              int attempts, const struct of_err *why, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    link_args(wj, it->type_name, it->id, &args);
    of_pg_arg_int8(&args, it->fence);
    of_pg_arg_text(&args, state);
    of_pg_arg_int8(&args, ms);
    of_pg_arg_int8(&args, attempts);
    of_pg_arg_text(&args, why ? why->msg : NULL);
    of_pg_arg_text(&args, why ? of_class_name(why->cls) : NULL);
    return of_pg_run(db, &of_sql_work_later, &args, NULL, err);
}

/* --- asking --- */

static void answered(void *arg, struct of_call_result *res)
{
    struct item *it = arg;
    struct work_job *wj = it->wj;
    it->err = res->err;
    it->body = res->body;
    it->body_len = res->body_len;
    pthread_mutex_lock(&wj->lock);
    it->state = it->state == ITEM_ASK_MERGERS ? ITEM_MERGERS : ITEM_ANSWERED;
    wj->outstanding--;
    of_job_wake(wj->w->lanes, &wj->job);
    pthread_mutex_unlock(&wj->lock);
}

static void send(struct work_job *wj, struct item *it)
{
    struct of_buf target = OF_BUF_INIT(16 * 1024);
    char *text = NULL;
    const struct of_adapter *a = wj->conn->adapter;
    if (it->state == ITEM_ASK_MERGERS) {
        int64_t since = wj->run ? wj->run_started.us - 60000000LL : of_wall_now().us - 2LL * 86400 * 1000000;
        a->mergers_target((struct of_wall){.us = since / 1000000 * 1000000}, it->offset, &target);
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

/* --- answers --- */

static enum of_code one_id(struct of_pgarr **ret, const char *id)
{
    *ret = of_pgarr_new(OF_PG_TEXT);
    of_pgarr_text(*ret, id);
    return OF_OK;
}

/* "" if there is no such link. */
static enum of_code link_state(struct work_job *wj, struct of_pg *db, const char *type, const char *id, char *state, size_t size,
                               struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    link_args(wj, type, id, &args);
    OF_TRY(of_pg_run(db, &of_sql_link_state, &args, &res, err));
    (void)of_strcopy(state, size, of_pgres_rows(res) ? of_pgres_text(res, 0, 0) : "");
    return OF_OK;
}

static bool is_tombstone(const char *state)
{
    return strcmp(state, "deleted") == 0 || strcmp(state, "merged_into") == 0;
}

/* Edges and values that waited: tied now, or is there nothing to tie them to? */
static enum of_code try_edges(struct work_job *wj, struct of_apply *a, struct item *it, bool *ret_done, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *held = NULL;
    char state[24];
    int64_t tied = 0;
    struct of_pgargs hold = OF_PGARGS_INIT;
    link_args(wj, it->type_name, it->id, &hold);
    of_pg_arg_int8(&hold, it->fence);
    OF_TRY(of_pg_run(a->db, &of_sql_work_hold, &hold, &held, err));
    OF_TRY(one_id(&ids, it->id));
    OF_TRY(of_apply_edges(a, it->type, ids, &tied, err));
    OF_TRY(link_state(wj, a->db, it->type->name, it->id, state, sizeof state, err));
    bool linked = strcmp(state, "linked") == 0;
    if (linked && it->type->kind == OF_KIND_ENTITY) { /* whoever was merged away: the record names the kept one by now */
        OF_CLEANUP(of_pgres_freep) struct of_pgres *gone = NULL;
        struct of_pgargs args = OF_PGARGS_INIT;
        link_args(wj, it->type_name, it->id, &args);
        OF_TRY(of_pg_run(a->db, &of_sql_refers_gone, &args, &gone, err));
        if (of_pgres_rows(gone) > 0) {
            *ret_done = true;
            struct of_pgargs again = OF_PGARGS_INIT;
            link_args(wj, it->type_name, it->id, &again);
            of_pg_arg_int8(&again, it->fence);
            it->reads_again = true;
            return of_pg_run(a->db, &of_sql_work_reread, &again, NULL, err);
        }
    }
    *ret_done = it->type->kind == OF_KIND_ENTITY ? tied > 0 || !linked : linked || state[0] == '\0' || is_tombstone(state);
    const char *slash = strchr(it->waits_for, '/');
    if (!*ret_done && slash) {
        char type[64] = "";
        (void)of_strcopy(type, OF_MIN(sizeof type, (size_t)(slash - it->waits_for) + 1), it->waits_for);
        OF_TRY(link_state(wj, a->db, type, slash + 1, state, sizeof state, err));
        *ret_done = is_tombstone(state) && it->type->kind != OF_KIND_ENTITY;
    }
    if (of_pgres_rows(held) == 0 || !of_pgres_bool(held, 0, 0)) {
        return OF_OK; /* somebody else has hinted it: it is looked at again */
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    link_args(wj, it->type_name, it->id, &args);
    of_pg_arg_int8(&args, it->fence);
    return of_pg_run(a->db, &of_sql_work_retake, &args, NULL, err);
}

/* What it waits for does not exist. */
static enum of_code no_target(struct work_job *wj, struct of_apply *a, struct item *it, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    link_args(wj, it->target->name, it->target_id, &args);
    of_pg_arg_text(&args, of_kind_name(it->target->kind));
    OF_TRY(of_pg_run(a->db, &of_sql_tombstone, &args, NULL, err));
    if (!it->type || it->type->owned || it->id[0] == '@') { /* it goes with its parent */
        return row_done(wj, a->db, it, err);
    }
    struct of_pgargs again = OF_PGARGS_INIT;
    link_args(wj, it->type_name, it->id, &again);
    of_pg_arg_int8(&again, it->fence);
    return of_pg_run(a->db, &of_sql_work_reread, &again, NULL, err);
}

static enum of_code gone(struct work_job *wj, struct of_apply *a, struct item *it, struct of_err *err)
{
    if (is_tombstone(it->link_state) || it->link_state[0] == '\0') {
        return row_done(wj, a->db, it, err);
    }
    if (it->of_this_run || (it->suspected && it->second_look_due)) {
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = NULL;
        OF_TRY(one_id(&ids, it->id));
        OF_TRY(of_apply_gone(a, it->type, ids, err));
        return row_done(wj, a->db, it, err);
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    link_args(wj, it->type->name, it->id, &args);
    OF_TRY(of_pg_run(a->db, &of_sql_suspect, &args, NULL, err));
    struct of_err why = OF_ERR_INIT;
    (void)of_err_set(&why, OF_E_NOT_FOUND, "not found once; looked at again");
    return row_later(wj, a->db, it, "waiting", wj->w->conf->second_look_ms, it->attempts, &why, err);
}

struct found {
    const char *removed;
    char kept[72];
};

static void find_merger(void *arg, const char *kept, const char *removed, struct of_wall at)
{
    struct found *f = arg;
    (void)at;
    if (strcmp(removed, f->removed) == 0) {
        (void)of_strcopy(f->kept, sizeof f->kept, kept);
    }
}

static enum of_code after_mergers(struct work_job *wj, struct of_apply *a, struct item *it, struct of_err *err)
{
    struct found f = {.removed = it->id, .kept = ""};
    bool more = false;
    OF_TRY(wj->conn->adapter->parse_mergers(it->body, it->body_len, find_merger, &f, &more, err));
    if (f.kept[0]) {
        OF_TRY(of_apply_merged(a, it->type, f.kept, it->id, err));
        return row_done(wj, a->db, it, err);
    }
    return gone(wj, a, it, err);
}

static enum of_code store_page(struct of_apply *a, const struct of_page *page, struct of_err *err)
{
    OF_CLEANUP(of_freep) const struct of_record **records = of_reallocarray(NULL, page->n_records + 1, sizeof *records);
    for (size_t i = 0; i < page->n_records; i++) {
        records[i] = &page->records[i];
    }
    OF_TRY(of_apply_stage_all(a, records, page->n_records, err));
    OF_TRY(of_apply_records(a, records, page->n_records, err));
    return of_apply_dead(a, page->bad, page->n_bad, err);
}

/* A whole answer: the record (or the list below a parent). */
static enum of_code stored(struct work_job *wj, struct of_apply *a, struct item *it, bool *ret_more, struct of_err *err)
{
    bool list = it->id[0] == '@';
    struct of_page page;
    const char *parent = list ? it->id + 1 : it->parent[0] ? it->parent : NULL;
    OF_TRY(wj->conn->adapter->parse(it->target, wj->conn->scope, it->body, it->body_len, list, OF_LIST_CREATED, parent, &page,
                                    err));
    if (!list && page.n_records == 0 && page.n_bad > 0) { /* the one record that was asked for cannot be used */
        struct of_err why = OF_ERR_INIT;
        (void)of_err_set(&why, OF_E_PARSE, "%s: %s", page.bad[0].place, page.bad[0].cause);
        bool own = it->target == it->type;
        if (own) {
            of_dead_record(wj->w, wj->conn, &page.bad[0]);
        }
        of_page_done(&page);
        return row_later(wj, a->db, it, own ? "dead" : "parked", 0, it->attempts + 1, &why, err);
    }
    if (!list && page.n_records == 0) { /* shown, but deleted */
        of_page_done(&page);
        return of_err_set(err, OF_E_NOT_FOUND, "%s is deleted there", it->target->name);
    }
    if (list && !page.has_next && page.total > it->offset + (int64_t)page.n_rows) {
        of_page_done(&page);
        return of_err_set(err, OF_E_REMOTE, "a page that ends before its list");
    }
    enum of_code code = store_page(a, &page, err);
    for (size_t i = 0; i < page.n_bad && code == OF_OK; i++) {
        of_dead_record(wj->w, wj->conn, &page.bad[i]);
    }
    *ret_more = list && page.has_next && page.n_rows > 0;
    it->offset += (int64_t)page.n_rows;
    of_page_done(&page);
    OF_TRY(code);
    bool done = true;
    if (it->target != it->type || strcmp(it->target_id, it->id) != 0) {
        if (!list) {
            OF_TRY(try_edges(wj, a, it, &done, err));
            if (it->reads_again) {
                return OF_OK;
            }
        }
    }
    if (*ret_more) {
        return OF_OK;
    }
    if (!done) {
        struct of_err why = OF_ERR_INIT;
        (void)of_err_set(&why, OF_E_NOT_FOUND, "%s is there but not linked", it->waits_for);
        return row_later(wj, a->db, it, "parked", 0, it->attempts, &why, err);
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t waiting = 0;
    if (!list && it->target == it->type && strcmp(it->target_id, it->id) == 0) {
        link_args(wj, it->type_name, it->id, &args);
        of_pg_arg_int8(&args, it->fence);
        OF_TRY(of_pg_run_count(a->db, &of_sql_work_waits, &args, &waiting, err));
    }
    return waiting ? OF_OK : row_done(wj, a->db, it, err);
}

static enum of_code failed(struct work_job *wj, struct of_apply *a, struct item *it, const struct of_err *why, struct of_err *err)
{
    const struct of_conf *conf = wj->w->conf;
    if (why->code == OF_E_BUSY) {
        return row_later(wj, a->db, it, "ready", OF_MAX(why->retry_after_ms, 200), it->attempts, NULL, err);
    }
    if (why->cls == OF_CLASS_FENCED) { /* the org's lane went to another worker, which claims it */
        wj->gone = true;
        return row_later(wj, a->db, it, "ready", 0, it->attempts, NULL, err);
    }
    if (why->cls == OF_CLASS_RECONNECT || why->cls == OF_CLASS_STOP) {
        return row_later(wj, a->db, it, "ready", 2000, it->attempts, why, err);
    }
    if (why->cls == OF_CLASS_RETRY) {
        int64_t ms = OF_MAX(of_backoff_ms(conf, it->attempts), why->retry_after_ms);
        return row_later(wj, a->db, it, "ready", ms, it->attempts + 1, why, err);
    }
    return row_later(wj, a->db, it, "dead", 0, it->attempts + 1, why, err);
}

/* One item's answer in one transaction. */
static enum of_code settle(struct work_job *wj, struct of_pg *db, struct item *it, struct of_err *err)
{
    struct of_apply a = apply_of(wj, db);
    bool list_more = false;
    bool ask_mergers = false;
    int64_t offset = it->offset;
    OF_TRY(of_apply_begin(&a, err));
    enum of_code code = OF_OK;
    bool waits = it->target != it->type || strcmp(it->target_id, it->id) != 0;
    if (it->err.code == OF_OK && it->state == ITEM_ANSWERED) {
        code = stored(wj, &a, it, &list_more, err);
        if (code == OF_E_NOT_FOUND) { /* nothing was written: go on as after a 404 */
            it->err = *err;
            of_err_clear(err);
        }
    }
    if (it->err.code == OF_OK) {
        code = it->state == ITEM_MERGERS ? after_mergers(wj, &a, it, err) : code;
    } else if (it->err.code == OF_E_NOT_FOUND && (waits || it->id[0] == '@')) {
        code = waits && it->id[0] != '@' ? no_target(wj, &a, it, err) : row_done(wj, db, it, err);
    } else if (it->err.code == OF_E_NOT_FOUND && it->state == ITEM_ANSWERED && it->type->match == OF_MATCH_PERSON &&
               wj->conn->adapter->mergers_target) {
        ask_mergers = true;
        code = OF_OK;
    } else if (it->err.code == OF_E_NOT_FOUND) {
        code = gone(wj, &a, it, err);
    } else {
        code = failed(wj, &a, it, &it->err, err);
    }
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
        it->offset = offset;
    }
    if (code == OF_OK) { /* else the answer is tried again: the database may have been away */
        of_freep(&it->body);
        it->offset = ask_mergers ? 0 : it->offset;
        it->state = ask_mergers ? ITEM_ASK_MERGERS : list_more ? ITEM_ASK : ITEM_OVER;
    }
    (void)OF_FAILPOINT("worker.after_done");
    return code;
}

static enum of_code settle_or_fail(struct work_job *wj, struct of_pg *db, struct item *it, struct of_err *err)
{
    enum of_code code = settle(wj, db, it, err);
    if (code == OF_OK) {
        return OF_OK;
    }
    if (err->cls == OF_CLASS_FENCED) {
        it->state = ITEM_OVER;
        return OF_OK;
    }
    bool bad_answer = err->code == OF_E_PARSE || err->code == OF_E_REMOTE; /* it says nothing of the record yet */
    if (err->cls != OF_CLASS_PERMANENT && !bad_answer) {
        return code;
    }
    struct of_err why = *err; /* the record cannot be written: a dead letter */
    why.cls = bad_answer && it->attempts < BAD_ANSWERS ? OF_CLASS_RETRY : OF_CLASS_PERMANENT;
    struct of_apply a = apply_of(wj, db);
    OF_TRY(of_apply_begin(&a, err));
    code = failed(wj, &a, it, &why, err);
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    it->state = ITEM_OVER;
    return code;
}

/* --- the job --- */

/* Before anything is asked: an edge may be tied already, an unknown type is dead. */
static enum of_code prepare(struct work_job *wj, struct of_pg *db, struct item *it, struct of_err *err)
{
    struct of_apply a = apply_of(wj, db);
    it->target = it->type;
    (void)of_strcopy(it->target_id, sizeof it->target_id, it->id);
    if (!it->type) {
        struct of_err why = OF_ERR_INIT;
        (void)of_err_set(&why, OF_E_INVALID, "unknown record type");
        it->state = ITEM_OVER;
        return row_later(wj, db, it, "dead", 0, it->attempts, &why, err);
    }
    bool edge = strcmp(it->reason, "edge") == 0 || strcmp(it->reason, "value") == 0;
    if (!edge) {
        return OF_OK;
    }
    bool done = false;
    OF_TRY(of_apply_begin(&a, err));
    enum of_code code = try_edges(wj, &a, it, &done, err);
    code = code == OF_OK && done && !it->reads_again ? row_done(wj, db, it, err) : code;
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
        return row_later(wj, db, it, "parked", 0, it->attempts, &why, err);
    }
    return OF_OK;
}

static enum of_step retry(struct work_job *wj, const struct of_err *err)
{
    int64_t ms = OF_MIN(of_backoff_ms(wj->w->conf, wj->failures++), 10000);
    const struct of_kv kv[] = {OF_S("org_id", wj->org), OF_I("retry_in_ms", ms), {.key = NULL}};
    of_log_err(OF_LOG_WARN, "work.retry", "what is owed could not be worked off, trying again", err, kv);
    wj->job.wake_at = (struct of_boot){.ms = of_boot_now().ms + ms};
    return OF_STEP_WAIT;
}

static void drop_items(struct work_job *wj)
{
    for (int i = 0; i < wj->n; i++) {
        of_freep(&wj->items[i].body);
    }
    of_freep(&wj->items);
    wj->n = 0;
}

static enum of_code running_run(struct work_job *wj, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, wj->org);
    of_pg_arg_text(&args, wj->adapter);
    OF_TRY(of_pg_run(db, &of_sql_run_running, &args, &res, err));
    wj->run = of_pgres_rows(res) > 0 ? of_pgres_i64(res, 0, 0) : 0;
    return OF_OK;
}

static enum of_step finish(struct work_job *wj, struct of_pg *db, struct of_err *err)
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

static bool is_asked_before(const struct work_job *wj, int i)
{
    for (int k = 0; k < i; k++) {
        const struct item *it = &wj->items[k];
        if (it->state == ITEM_ASK && it->target == wj->items[i].target && strcmp(it->target_id, wj->items[i].target_id) == 0) {
            return true;
        }
    }
    return false;
}

static bool only_weak(const struct work_job *wj)
{
    for (int i = 0; i < wj->n; i++) {
        if (wj->items[i].priority == 0) {
            return false;
        }
    }
    return wj->n > 0;
}

static enum of_step claim_more(struct work_job *wj)
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
        struct item *it = &wj->items[i];
        code = prepare(wj, db, it, &err);
        if (code == OF_E_LEASE) {
            it->state = ITEM_OVER;
            code = OF_OK;
        }
        if (code == OF_OK && it->state == ITEM_ASK && is_asked_before(wj, i)) { /* one question serves all */
            it->state = ITEM_OVER;
            code = row_later(wj, db, it, "ready", 0, it->attempts, NULL, &err);
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

static enum of_step work_items(struct work_job *wj)
{
    struct of_err err = OF_ERR_INIT;
    bool any_answer = false;
    int open = 0;
    for (int i = 0; i < wj->n; i++) {
        struct item *it = &wj->items[i];
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
        struct item *it = &wj->items[i];
        pthread_mutex_lock(&wj->lock);
        bool ready = it->state == ITEM_ANSWERED || it->state == ITEM_MERGERS;
        pthread_mutex_unlock(&wj->lock);
        if (!ready) {
            continue;
        }
        code = settle_or_fail(wj, db, it, &err);
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
static void give_back(struct work_job *wj)
{
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    if (wj->n == 0 || of_pgpool_get(wj->w->pool, 1000, &db, &err) != OF_OK) {
        return;
    }
    enum of_code code = OF_OK;
    for (int i = 0; i < wj->n && code == OF_OK; i++) {
        const struct item *it = &wj->items[i];
        if (it->state != ITEM_OVER) {
            code = row_later(wj, db, it, "ready", 0, it->attempts, NULL, &err);
        }
    }
    of_pgpool_put(wj->w->pool, db);
    drop_items(wj);
}

static enum of_step step(struct of_job *job)
{
    struct work_job *wj = OF_CONTAINER_OF(job, struct work_job, job);
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
    struct work_job *wj = OF_CONTAINER_OF(job, struct work_job, job);
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
    struct work_job *wj = of_calloc(1, sizeof *wj);
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

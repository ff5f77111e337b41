/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/failpoint.h"
#include "worker/phase.h"
#include "worker/work_int.h"
#include "worker_sql.h"

/* What the answer to a single read means for the record and for its row of sync.work: one answer, one transaction. */

enum { BAD_ANSWERS = 6, EARLY_TRIES = 6 };

struct of_apply of_work_apply(struct of_work_job *wj, struct of_pg *db)
{
    return (struct of_apply){
        .w = wj->w, .db = db, .conn = wj->conn, .run_id = wj->run, .read_seq = wj->read_seq, .again = true,
        .below = true};
}
void of_work_args(const struct of_work_job *wj, const char *type, const char *id, struct of_pgargs *args)
{
    of_pg_arg_text(args, wj->org);
    of_pg_arg_text(args, wj->adapter);
    of_pg_arg_text(args, type);
    of_pg_arg_text(args, id);
}

/* The row has been worked off (or hinted again meanwhile: then it is ready again). In the caller's transaction. */
enum of_code of_work_row_done(struct of_work_job *wj, struct of_pg *db, const struct of_work_item *it, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_work_args(wj, it->type_name, it->id, &args);
    of_pg_arg_int8(&args, it->fence);
    (void)OF_FAILPOINT("worker.before_done");
    int64_t rows = 0;
    OF_TRY(of_pg_run_count(db, &of_sql_work_done, &args, &rows, err));
    return rows ? OF_OK : of_err_set(err, OF_E_LEASE, "the row is somebody else's now");
}

enum of_code of_work_row_later(struct of_work_job *wj, struct of_pg *db, const struct of_work_item *it, const char *state, int64_t ms,
                              int attempts, const struct of_err *why, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_work_args(wj, it->type_name, it->id, &args);
    of_pg_arg_int8(&args, it->fence);
    of_pg_arg_text(&args, state);
    of_pg_arg_int8(&args, ms);
    of_pg_arg_int8(&args, attempts);
    of_pg_arg_text(&args, why ? why->msg : NULL);
    of_pg_arg_text(&args, why ? of_class_name(why->cls) : NULL);
    return of_pg_run(db, &of_sql_work_later, &args, NULL, err);
}

/* --- answers --- */

static enum of_code one_id(struct of_pgarr **ret, const char *id)
{
    *ret = of_pgarr_new(OF_PG_TEXT);
    of_pgarr_text(*ret, id);
    return OF_OK;
}

struct link_state {
    char state[24]; /* "" if there is no such link */
    bool pending;   /* it has been read, and that has not been applied */
    bool owed;      /* something is to be done for it */
};

static enum of_code link_state(struct of_work_job *wj, struct of_pg *db, const char *type, const char *id, struct link_state *ret,
                               struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_work_args(wj, type, id, &args);
    OF_TRY(of_pg_run(db, &of_sql_link_state, &args, &res, err));
    bool is = of_pgres_rows(res) > 0;
    (void)of_strcopy(ret->state, sizeof ret->state, is ? of_pgres_text(res, 0, 0) : "");
    ret->pending = is && of_pgres_bool(res, 0, 1);
    ret->owed = is && of_pgres_bool(res, 0, 2);
    return OF_OK;
}

/* Of what it waits for: Person/12. *ret_is false: it waits for no record. */
static enum of_code target_state(struct of_work_job *wj, struct of_pg *db, const struct of_work_item *it, bool *ret_is,
                                 struct link_state *ret, struct of_err *err)
{
    const char *slash = strchr(it->waits_for, '/');
    char type[64] = "";
    *ret_is = slash != NULL;
    if (!slash) {
        return OF_OK;
    }
    (void)of_strcopy(type, OF_MIN(sizeof type, (size_t)(slash - it->waits_for) + 1), it->waits_for);
    return link_state(wj, db, type, slash + 1, ret, err);
}

static bool is_tombstone(const char *state)
{
    return strcmp(state, "deleted") == 0 || strcmp(state, "merged_into") == 0;
}

/* What it waits for is gone: it says something else by now. */
static enum of_code read_again(struct of_work_job *wj, struct of_pg *db, const struct of_work_item *it, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_work_args(wj, it->type_name, it->id, &args);
    of_pg_arg_int8(&args, it->fence);
    of_pg_arg_text(&args, it->waits_for);
    return of_pg_run(db, &of_sql_work_reread, &args, NULL, err);
}

/* ref: "" any. */
static enum of_code names_gone(struct of_work_job *wj, struct of_pg *db, const struct of_work_item *it, const char *ref, bool *ret,
                               struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t rows = 0;
    of_work_args(wj, it->type_name, it->id, &args);
    of_pg_arg_text(&args, ref);
    OF_TRY(of_pg_run_count(db, &of_sql_refers_gone, &args, &rows, err));
    *ret = rows > 0;
    return OF_OK;
}

/* Edges and values that waited: tied now, or is there nothing to tie them to? */
enum of_code of_work_try_edges(struct of_work_job *wj, struct of_apply *a, struct of_work_item *it, bool *ret_done, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *held = NULL;
    struct link_state own;
    int64_t tied = 0;
    struct of_pgargs hold = OF_PGARGS_INIT;
    of_work_args(wj, it->type_name, it->id, &hold);
    of_pg_arg_int8(&hold, it->fence);
    OF_TRY(of_pg_run(a->db, &of_sql_work_hold, &hold, &held, err));
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *fresh = of_pgarr_new(OF_PG_TEXT); /* theirs named it while it was not here */
    OF_CLEANUP(of_freep) char *named = of_asprintf("%s %s", it->id, it->waits_for);
    of_pgarr_text(fresh, named);
    OF_TRY(one_id(&ids, it->id));
    OF_TRY(of_apply_edges(a, it->type, ids, fresh, &tied, err));
    OF_TRY(link_state(wj, a->db, it->type->name, it->id, &own, err));
    bool linked = strcmp(own.state, "linked") == 0;
    if (linked && it->type->kind == OF_KIND_ENTITY && it->attempts == 0) { /* merged away: the record names the kept one by now */
        bool gone = false;
        OF_TRY(names_gone(wj, a->db, it, it->waits_for, &gone, err));
        if (gone) {
            *ret_done = true;
            it->reads_again = true;
            return read_again(wj, a->db, it, err);
        }
    }
    *ret_done = it->type->kind == OF_KIND_ENTITY ? tied > 0 || !linked
                                                          : (linked && !own.pending) || own.state[0] == '\0' || is_tombstone(own.state);
    if (!*ret_done) {
        struct link_state other = {.state = ""};
        bool is = false;
        OF_TRY(target_state(wj, a->db, it, &is, &other, err));
        *ret_done = is && is_tombstone(other.state) && it->type->kind != OF_KIND_ENTITY;
    }
    if (of_pgres_rows(held) == 0 || !of_pgres_bool(held, 0, 0)) {
        return OF_OK; /* somebody else has hinted it: it is looked at again */
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *taken = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_work_args(wj, it->type_name, it->id, &args);
    of_pg_arg_int8(&args, it->fence);
    OF_TRY(of_pg_run(a->db, &of_sql_work_retake, &args, &taken, err));
    if (of_pgres_rows(taken) > 0) { /* the one that was missing is there, another one may not be */
        (void)of_strcopy(it->waits_for, sizeof it->waits_for, of_pgres_text(taken, 0, 0));
    }
    return OF_OK;
}

/* What it waits for does not exist. */
static enum of_code no_target(struct of_work_job *wj, struct of_apply *a, struct of_work_item *it, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_work_args(wj, it->target->name, it->target_id, &args);
    of_pg_arg_text(&args, of_kind_name(it->target->kind));
    OF_TRY(of_pg_run(a->db, &of_sql_tombstone, &args, NULL, err));
    if (!it->type || it->type->owned || it->id[0] == '@') { /* it goes with its parent */
        return of_work_row_done(wj, a->db, it, err);
    }
    return read_again(wj, a->db, it, err);
}

/* There is nobody at its place: the first time it is a suspicion, the second time, long enough after, the end, unless so many are
 * missing that a person has to say so. */
static enum of_code gone(struct of_work_job *wj, struct of_apply *a, struct of_work_item *it, struct of_err *err)
{
    if (is_tombstone(it->link_state) || it->link_state[0] == '\0') {
        return of_work_row_done(wj, a->db, it, err);
    }
    bool again = strcmp(it->reason, "second look") == 0;
    struct of_err why = OF_ERR_INIT;
    if (it->of_this_run || (again && it->second_look_due)) {
        bool may = it->of_this_run;
        OF_TRY(may ? OF_OK : of_apply_may_go(a, it->type, &may, err));
        if (!may) {
            (void)of_err_set(&why, OF_E_NOT_FOUND, "not found, but too many are missing: a person decides");
            return of_work_row_later(wj, a->db, it, "parked", 0, it->attempts, &why, err);
        }
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = NULL;
        OF_TRY(one_id(&ids, it->id));
        OF_TRY(of_apply_gone(a, it->type, ids, err));
        return of_work_row_done(wj, a->db, it, err);
    }
    if (again) { /* too early */
        return of_work_row_later(wj, a->db, it, "waiting", wj->w->conf->second_look_ms, it->attempts, NULL, err);
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_work_args(wj, it->type->name, it->id, &args);
    of_pg_arg_int8(&args, it->fence);
    of_pg_arg_int8(&args, wj->w->conf->second_look_ms);
    of_pg_arg_text(&args, "not found once; looked at again");
    return of_pg_run(a->db, &of_sql_suspect, &args, NULL, err);
}

struct found {
    const char *removed;
    char kept[72];
    int64_t rows;
};

static void find_merger(void *arg, const char *kept, const char *removed, struct of_wall at)
{
    struct found *f = arg;
    (void)at;
    f->rows++;
    if (strcmp(removed, f->removed) == 0) {
        (void)of_strcopy(f->kept, sizeof f->kept, kept);
    }
}

static enum of_code after_mergers(struct of_work_job *wj, struct of_apply *a, struct of_work_item *it, bool *ret_more,
                                  struct of_err *err)
{
    struct found f = {.removed = it->id, .kept = ""};
    bool more = false;
    OF_TRY(wj->conn->adapter->parse_mergers(it->body, it->body_len, find_merger, &f, &more, err));
    if (f.kept[0]) {
        bool early = false;
        OF_TRY(of_apply_merged(a, it->type, f.kept, it->id, it->attempts < EARLY_TRIES ? &early : NULL, err));
        if (early) {
            struct of_err why = OF_ERR_INIT;
            (void)of_err_set(&why, OF_E_NOT_FOUND, "merged into %s, which is not here yet", f.kept);
            return of_work_row_later(wj, a->db, it, "ready", of_backoff_ms(wj->w->conf, it->attempts), it->attempts + 1, &why, err);
        }
        return of_work_row_done(wj, a->db, it, err);
    }
    it->offset += f.rows;
    *ret_more = more && f.rows > 0;
    return *ret_more ? OF_OK : gone(wj, a, it, err);
}

/* Since when a merger may explain that the record is gone. */
static enum of_code mergers_since(struct of_work_job *wj, struct of_apply *a, struct of_work_item *it, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, wj->org);
    of_pg_arg_text(&args, wj->adapter);
    of_pg_arg_text(&args, it->type->name);
    OF_TRY(of_pg_run(a->db, &of_sql_mergers_since, &args, &res, err));
    it->mergers_since.us = of_pgres_i64(res, 0, 0) / 1000000 * 1000000;
    return OF_OK;
}

/* The list below a parent has been read to its end: what it did not show is owed a look. */
static enum of_code list_end(struct of_work_job *wj, struct of_apply *a, const struct of_work_item *it, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *parent = of_asprintf("%s/%s", it->type->with, it->id + 1);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_work_args(wj, it->type->name, parent, &args);
    of_pg_arg_array(&args, it->shown);
    return of_pg_run(a->db, &of_sql_hint_below, &args, NULL, err);
}

/* What it waited for is there: another one is missing, or it will not be linked. */
static enum of_code still_waits(struct of_work_job *wj, struct of_apply *a, struct of_work_item *it, const char *asked_for,
                                struct of_err *err)
{
    struct of_err why = OF_ERR_INIT;
    struct link_state other = {.state = ""};
    bool is = false;
    if (it->waits_for[0] && strcmp(it->waits_for, asked_for) != 0) {
        return of_work_row_later(wj, a->db, it, "ready", 0, it->attempts, NULL, err);
    }
    OF_TRY(target_state(wj, a->db, it, &is, &other, err));
    (void)of_err_set(&why, OF_E_NOT_FOUND, "%s is there but not linked", it->waits_for);
    if (is && strcmp(other.state, "unmatched") == 0 && other.owed) { /* its turn comes, and wakes this one: unless it is just over */
        return of_work_row_later(wj, a->db, it, "waiting", a->w->conf->waiting_recheck_ms, it->attempts, &why, err);
    }
    return of_work_row_later(wj, a->db, it, "parked", 0, it->attempts, &why, err);
}

/* The record itself has been read: some edge of it may wait still. */
static enum of_code goes_on(struct of_work_job *wj, struct of_apply *a, const struct of_work_item *it, int64_t *ret, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_work_args(wj, it->type_name, it->id, &args);
    of_pg_arg_int8(&args, it->fence);
    OF_TRY(of_pg_run_count(a->db, &of_sql_work_waits, &args, ret, err));
    bool gone = false;
    if (*ret == 0 && it->type->kind == OF_KIND_ENTITY && it->attempts == 0) {
        OF_TRY(names_gone(wj, a->db, it, "", &gone, err));
    }
    if (!gone) {
        return OF_OK;
    }
    struct of_pgargs again = OF_PGARGS_INIT;
    of_work_args(wj, it->type_name, it->id, &again);
    of_pg_arg_int8(&again, it->fence);
    of_pg_arg_int8(&again, a->w->conf->second_look_ms);
    return of_pg_run_count(a->db, &of_sql_work_look_again, &again, ret, err);
}

/* A whole answer: the record (or the list below a parent). */
static enum of_code stored(struct of_work_job *wj, struct of_apply *a, struct of_work_item *it, bool *ret_more, struct of_err *err)
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
        return of_work_row_later(wj, a->db, it, own ? "dead" : "parked", 0, it->attempts + 1, &why, err);
    }
    if (!list && page.n_records == 0) { /* shown, but deleted */
        of_page_done(&page);
        return of_err_set(err, OF_E_NOT_FOUND, "%s is deleted there", it->target->name);
    }
    if (list && !page.has_next && page.total > it->offset + (int64_t)page.n_rows) {
        of_page_done(&page);
        return of_err_set(err, OF_E_REMOTE, "a page that ends before its list");
    }
    enum of_code code = of_apply_page(a, &page, err);
    for (size_t i = 0; i < page.n_bad && code == OF_OK; i++) {
        of_dead_record(wj->w, wj->conn, &page.bad[i]);
    }
    for (size_t i = 0; list && i < page.n_rows && code == OF_OK; i++) {
        it->shown = it->shown ? it->shown : of_pgarr_new(OF_PG_TEXT);
        if (page.rows[i].id) {
            of_pgarr_text(it->shown, page.rows[i].id);
        }
    }
    *ret_more = list && page.has_next && page.n_rows > 0;
    it->offset += (int64_t)page.n_rows;
    of_page_done(&page);
    OF_TRY(code);
    bool done = true;
    OF_CLEANUP(of_freep) char *asked_for = of_strdup(it->waits_for);
    if (it->target != it->type || strcmp(it->target_id, it->id) != 0) {
        if (!list) {
            OF_TRY(of_work_try_edges(wj, a, it, &done, err));
            if (it->reads_again) {
                return OF_OK;
            }
        }
    }
    if (*ret_more) {
        return OF_OK;
    }
    if (list) {
        it->shown = it->shown ? it->shown : of_pgarr_new(OF_PG_TEXT);
        OF_TRY(list_end(wj, a, it, err));
    }
    if (!done) {
        return still_waits(wj, a, it, asked_for, err);
    }
    int64_t waiting = 0;
    if (!list && it->target == it->type && strcmp(it->target_id, it->id) == 0) {
        OF_TRY(goes_on(wj, a, it, &waiting, err));
    }
    return waiting ? OF_OK : of_work_row_done(wj, a->db, it, err);
}

static enum of_code failed(struct of_work_job *wj, struct of_apply *a, struct of_work_item *it, const struct of_err *why,
                           struct of_err *err)
{
    const struct of_conf *conf = wj->w->conf;
    if (why->code == OF_E_BUSY) {
        return of_work_row_later(wj, a->db, it, "ready", OF_MAX(why->retry_after_ms, 200), it->attempts, NULL, err);
    }
    if (why->cls == OF_CLASS_FENCED) { /* the org's lane went to another worker, which claims it */
        wj->gone = true;
        return of_work_row_later(wj, a->db, it, "ready", 0, it->attempts, NULL, err);
    }
    if (why->cls == OF_CLASS_RECONNECT || why->cls == OF_CLASS_STOP) {
        return of_work_row_later(wj, a->db, it, "ready", 2000, it->attempts, why, err);
    }
    if (why->cls == OF_CLASS_RETRY) {
        int64_t ms = OF_MAX(of_backoff_ms(conf, it->attempts), why->retry_after_ms);
        return of_work_row_later(wj, a->db, it, "ready", ms, it->attempts + 1, why, err);
    }
    return of_work_row_later(wj, a->db, it, "dead", 0, it->attempts + 1, why, err);
}

/* One item's answer in one transaction. */
static enum of_code settle(struct of_work_job *wj, struct of_pg *db, struct of_work_item *it, struct of_err *err)
{
    struct of_apply a = of_work_apply(wj, db);
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
        code = it->state == ITEM_MERGERS ? after_mergers(wj, &a, it, &ask_mergers, err) : code;
    } else if (it->state == ITEM_MERGERS && it->err.code == OF_E_NOT_FOUND) { /* that says nothing of the record */
        it->err.cls = OF_CLASS_RETRY;
        code = failed(wj, &a, it, &it->err, err);
    } else if (it->err.code == OF_E_NOT_FOUND && (waits || it->id[0] == '@')) {
        code = waits && it->id[0] != '@' ? no_target(wj, &a, it, err) : of_work_row_done(wj, db, it, err);
    } else if (it->err.code == OF_E_NOT_FOUND && it->state == ITEM_ANSWERED && it->type->match == OF_MATCH_PERSON &&
               wj->conn->adapter->mergers_target) {
        ask_mergers = true;
        it->offset = 0;
        code = mergers_since(wj, &a, it, err);
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
        it->state = ask_mergers ? ITEM_ASK_MERGERS : list_more ? ITEM_ASK : ITEM_OVER;
    }
    (void)OF_FAILPOINT("worker.after_done");
    return code;
}

enum of_code of_work_settle(struct of_work_job *wj, struct of_pg *db, struct of_work_item *it, struct of_err *err)
{
    enum of_code code = settle(wj, db, it, err);
    if (code == OF_OK) {
        return OF_OK;
    }
    if (err->cls == OF_CLASS_FENCED) { /* the row is somebody else's, or the connection has changed: then it is looked at anew */
        it->state = ITEM_OVER;
        of_err_clear(err);
        return of_work_row_later(wj, db, it, "ready", 0, it->attempts, NULL, err);
    }
    bool bad_answer = err->code == OF_E_PARSE || err->code == OF_E_REMOTE; /* it says nothing of the record yet */
    if (err->cls != OF_CLASS_PERMANENT && !bad_answer) {
        return code;
    }
    struct of_err why = *err; /* the record cannot be written: a dead letter */
    why.cls = bad_answer && it->attempts < BAD_ANSWERS ? OF_CLASS_RETRY : OF_CLASS_PERMANENT;
    struct of_apply a = of_work_apply(wj, db);
    OF_TRY(of_apply_begin(&a, err));
    code = failed(wj, &a, it, &why, err);
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    it->state = ITEM_OVER;
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/failpoint.h"
#include "worker/pair.h"
#include "worker/phase.h"
#include "worker_sql.h"

/* Listing: requests go out from here and from where answers arrive, so that the next page is on its way while this one is
 * written; what the database knows (committed) moves only with the pages that are in it. */

enum { WAVE = 32, IN_FLIGHT = 6, WAYS = 4, WAYS_LIMITED = 3, GIVE_UP_MS = 2000, PAGES_PER_COMMIT = 8, INBOX_MAX = 12 };

static void fetch_done(void *arg, struct of_call_result *res);

static int ways(const struct of_phase_job *pj)
{
    return pj->conn->rate_n > 0 ? WAYS_LIMITED : WAYS;
}

/* --- asking (lock held) --- */

static void fetch(struct of_phase_job *pj, int range)
{
    struct of_list_pos pos;
    of_listing_pos(&pj->live, range, &pos);
    pos.ids_only = pj->audit;
    struct of_buf target = OF_BUF_INIT(16 * 1024);
    char *text = NULL;
    pj->conn->adapter->list_target(pj->type, pj->conn->scope, &pos, &target);
    OF_BUG_ON(of_buf_take(&target, &text, NULL, NULL) != OF_OK);
    struct of_fetch *f = of_calloc(1, sizeof *f);
    f->pj = pj;
    f->range = range;
    f->asked = pj->live.r[range];
    f->audit = pj->audit;
    pj->flying[range] = true;
    pj->outstanding++;
    of_remote_get(pj->w->remote, pj->conn, pj->type, text, OF_CALL_BULK, GIVE_UP_MS, fetch_done, f);
}

static int in_flight(const struct of_phase_job *pj)
{
    int n = 0;
    for (int i = 0; i < pj->live.n; i++) {
        n += pj->flying[i];
    }
    return n;
}

static size_t inbox_len(const struct of_phase_job *pj)
{
    size_t n = 0;
    for (const struct of_fetch *f = pj->inbox; f; f = f->next) {
        n++;
    }
    return n;
}

static void ask(struct of_phase_job *pj)
{
    if (pj->closed || pj->busy_ms > 0 || of_phase_slice_over(pj)) {
        return;
    }
    for (int i = 0; i < pj->live.n && in_flight(pj) < IN_FLIGHT && inbox_len(pj) < INBOX_MAX; i++) {
        if (!pj->live.r[i].done && !pj->flying[i]) {
            fetch(pj, i);
        }
    }
}

/* --- answers: on an executor, any number at once --- */

static void take_answer(struct of_phase_job *pj, struct of_fetch *f)
{
    pj->flying[f->range] = false;
    if (f->err.code == OF_OK) {
        pj->parse_failures[f->range] = 0;
        if (of_listing_advance(&pj->live, f->range, &f->page, ways(pj)) == OF_ADVANCE_STUCK) {
            (void)of_err_set(&f->err, OF_E_REMOTE, "the list of %s makes no progress", pj->type->name);
        }
    } else if (f->err.code == OF_E_BUSY) {
        pj->busy_ms = OF_MAX(pj->busy_ms, OF_MAX(f->err.retry_after_ms, 100));
    }
    *pj->inbox_tail = f;
    pj->inbox_tail = &f->next;
    pj->outstanding--;
    ask(pj);
}

static void fetch_done(void *arg, struct of_call_result *res)
{
    struct of_fetch *f = arg;
    struct of_phase_job *pj = f->pj;
    f->err = res->err;
    f->date = res->date;
    if (res->err.code == OF_OK) {
        const char *parent = NULL;
        char copy[72];
        enum of_list_by by;
        pthread_mutex_lock(&pj->lock);
        by = pj->live.by;
        if (pj->live.r[f->range].parent[0]) {
            (void)of_strcopy(copy, sizeof copy, pj->live.r[f->range].parent);
            parent = copy;
        }
        pthread_mutex_unlock(&pj->lock);
        (void)pj->conn->adapter->parse(pj->type, pj->conn->scope, res->body, res->body_len, true, by, parent, &f->page, &f->err);
    }
    of_freep(&res->body);
    struct of_lanes *lanes = pj->w->lanes;
    struct of_job *job = &pj->job;
    pthread_mutex_lock(&pj->lock);
    take_answer(pj, f);
    of_job_wake(lanes, job); /* under the lock: the job cannot be over before it has been let go */
    pthread_mutex_unlock(&pj->lock);
}

void of_fetch_free(struct of_fetch *f)
{
    of_page_done(&f->page);
    of_freep(&f->body);
    of_freep(&f);
}

void of_stage_close(struct of_phase_job *pj)
{
    pthread_mutex_lock(&pj->lock);
    pj->closed = true;
    struct of_fetch *f = pj->inbox;
    pj->inbox = NULL;
    pj->inbox_tail = &pj->inbox;
    pthread_mutex_unlock(&pj->lock);
    while (f) {
        struct of_fetch *next = f->next;
        of_fetch_free(f);
        f = next;
    }
}

/* --- cursor --- */

void of_stage_cursor(struct of_phase_job *pj, struct of_buf *b)
{
    of_buf_char(b, '{');
    if (pj->has_listing) {
        of_listing_write(&pj->committed, b);
        of_buf_char(b, ',');
    }
    of_buf_str(b, "\"after\":");
    of_buf_json_str(b, pj->after);
    of_buf_str(b, ",\"part\":");
    of_buf_json_str(b, pj->part);
    of_buf_fmt(b, ",\"po\":%lld,\"audit\":%s}", (long long)pj->part_offset, pj->audit ? "true" : "false");
}

bool of_stage_read_cursor(struct of_phase_job *pj, const struct of_json *cursor)
{
    bool audit = false;
    pj->audit = of_json_bool(of_json_get(cursor, "audit"), &audit) && audit;
    if (!of_listing_read(&pj->committed, cursor)) {
        return false;
    }
    pj->live = pj->committed;
    return true;
}

/* --- writing --- */

/* Records of several pages in one go. */
static enum of_code write_records(struct of_apply *a, const struct of_record **records, size_t n, bool now, struct of_err *err)
{
    OF_CLEANUP(of_freep) const struct of_record **fresh = now ? of_reallocarray(NULL, n + 1, sizeof *fresh) : NULL;
    a->fresh = fresh;
    a->n_fresh = 0;
    enum of_code code = of_apply_stage_all(a, records, n, err);
    a->fresh = NULL;
    return code == OF_OK && a->n_fresh > 0 ? of_apply_records(a, fresh, a->n_fresh, err) : code;
}

static enum of_code in_transaction(struct of_apply *a, const struct of_record **records, size_t n, bool now, struct of_err *err)
{
    OF_TRY(of_apply_begin(a, err));
    enum of_code code = write_records(a, records, n, now, err);
    code = code == OF_OK ? of_pg_commit(a->db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(a->db);
    }
    return code;
}

/* --- two halves at once --- */

enum { PAIR_MIN = 400 };

struct half {
    struct of_apply apply; /* db is filled in by who runs it */
    const struct of_record **records;
    size_t n;
};

static enum of_code write_half(struct of_pg *db, void *arg, struct of_err *err)
{
    struct half *h = arg;
    h->apply.db = db;
    return in_transaction(&h->apply, h->records, h->n, false, err);
}

/* Moves one half of the records behind the other, by id and in order: a record that stands in two pages is in one half only, the
 * later after the earlier. Returns the size of the first half. */
static size_t split_by_id(const struct of_record **records, size_t n)
{
    const struct of_record **second = of_reallocarray(NULL, n, sizeof *second);
    size_t n_first = 0;
    size_t n_second = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned hash = 0;
        for (const char *c = records[i]->id; *c; c++) {
            hash = hash * 31 + (unsigned char)*c;
        }
        if ((hash ^ hash >> 3) & 1U) {
            records[n_first++] = records[i];
        } else {
            second[n_second++] = records[i];
        }
    }
    memcpy(records + n_first, second, n_second * sizeof *second);
    of_freep(&second);
    return n_first;
}

/* The batch failed for good: halves find the one record that is to blame, which becomes a dead letter. */
enum of_code of_stage_bisect(struct of_apply *a, const struct of_record **records, size_t n, bool now, struct of_err *err)
{
    if (n == 0) {
        return OF_OK;
    }
    enum of_code code = in_transaction(a, records, n, now, err);
    if (code == OF_OK || err->cls != OF_CLASS_PERMANENT) {
        return code;
    }
    if (n > 1) {
        OF_TRY(of_stage_bisect(a, records, n / 2, now, err));
        return of_stage_bisect(a, records + n / 2, n - n / 2, now, err);
    }
    struct of_bad_record bad = {.type = "", .id = "", .place = "database", .cause = ""};
    (void)of_strcopy(bad.type, sizeof bad.type, records[0]->type->name);
    (void)of_strcopy(bad.id, sizeof bad.id, records[0]->id);
    (void)of_strcopy(bad.cause, sizeof bad.cause, err->msg);
    OF_TRY(of_apply_begin(a, err));
    code = of_apply_dead(a, &bad, 1, err);
    code = code == OF_OK ? of_pg_commit(a->db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(a->db);
        return code;
    }
    of_dead_record(a->w, a->conn, &bad);
    return OF_OK;
}

/* Their clock and account, from the first answers of a run. Before anything of them is written, and on its own: a parking must stay. */
static enum of_code note_answer(struct of_phase_job *pj, struct of_pg *db, const struct of_fetch *f, struct of_err *err)
{
    if (pj->server_date.us != 0 || f->date.us == 0) {
        return OF_OK;
    }
    pj->server_date = f->date;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, pj->msg.run);
    of_pg_arg_time(&args, f->date.us);
    OF_TRY(of_pg_run(db, &of_sql_run_server_date, &args, NULL, err));
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs account = OF_PGARGS_INIT;
    of_pg_arg_text(&account, pj->conn->org);
    of_pg_arg_text(&account, pj->conn->adapter_name);
    of_pg_arg_text(&account, f->page.account);
    of_pg_arg_int8(&account, (f->date.us - of_wall_now().us) / 1000);
    of_pg_arg_int8(&account, pj->conn->generation);
    OF_TRY(of_pg_run(db, &of_sql_conn_account, &account, &res, err));
    if (of_pgres_rows(res) == 1 && f->page.account[0] && strcmp(of_pgres_text(res, 0, 0), f->page.account) != 0) {
        OF_TRY(of_conn_park(pj->w, db, pj->conn, "reconnect",
                            "the credentials belong to another account than this organization was connected with", err));
        pj->server_date.us = 0;
        return of_err_set(err, OF_E_AUTH, "credentials of another account");
    }
    return OF_OK;
}

static void count_progress(struct of_phase_job *pj)
{
    if (strcmp(pj->step, "stage") != 0) {
        return;
    }
    if (pj->type->list == OF_LIST_PER_PARENT) {
        pj->total = -1;
        return;
    }
    pj->total = pj->committed.total >= 0 ? pj->committed.total : pj->committed.taken; /* taken counts overlaps of ranges twice */
    pj->processed = OF_MIN(OF_MAX(pj->processed, pj->committed.taken), pj->total);
}

static enum of_code advance_committed(struct of_phase_job *pj, struct of_apply *a, const struct of_fetch *pages,
                                      struct of_err *err)
{
    for (const struct of_fetch *f = pages; f; f = f->next) {
        OF_TRY(of_apply_dead(a, f->page.bad, f->page.n_bad, err));
        if (pj->type->list == OF_LIST_PER_PARENT && strcmp(pj->step, "stage") == 0) {
            pj->processed += (int64_t)f->page.n_rows;
        }
    }
    count_progress(pj);
    OF_CLEANUP(of_freep) char *cursor = NULL;
    struct of_buf b = OF_BUF_INIT(64 * 1024);
    of_stage_cursor(pj, &b);
    OF_TRY(of_buf_take(&b, &cursor, NULL, err));
    return of_phase_move(pj, a->db, pj->step, cursor, NULL, err);
}

static void archive_bad(struct of_phase_job *pj, const struct of_fetch *pages)
{
    for (const struct of_fetch *f = pages; f; f = f->next) {
        for (size_t i = 0; i < f->page.n_bad; i++) {
            of_dead_record(pj->w, pj->conn, &f->page.bad[i]);
        }
    }
}

static enum of_code write_audit(struct of_phase_job *pj, struct of_apply *a, const struct of_fetch *pages, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    for (const struct of_fetch *f = pages; f; f = f->next) {
        for (size_t i = 0; i < f->page.n_rows; i++) {
            if (f->page.rows[i].id && f->page.rows[i].id[0]) {
                of_pgarr_text(ids, f->page.rows[i].id);
            }
        }
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, pj->type->name);
    of_pg_arg_array(&args, ids);
    of_pg_arg_int8(&args, pj->msg.run);
    OF_TRY(of_pg_run(a->db, &of_sql_mark_ids, &args, &res, err));
    for (int row = 0; row < of_pgres_rows(res); row++) { /* theirs that we do not hold: read them */
        const char *id = of_pgres_text(res, row, 0);
        OF_TRY(of_apply_hint(a, pj->type->name, &id, 1, "not listed before", 0, err));
    }
    return OF_OK;
}

/* One transaction: the pages' records, dead letters, and the cursor behind them. */
static enum of_code write_pages(struct of_phase_job *pj, struct of_fetch *pages, bool recheck, struct of_err *err)
{
    struct of_pg *db = NULL;
    if (OF_FAILPOINT("worker.stage_write")) {
        return of_err_set(err, OF_E_DB, "failpoint");
    }
    OF_TRY(of_pgpool_get(pj->w->pool, 10000, &db, err));
    struct of_apply a = of_phase_apply(pj, db);
    a.again = recheck || strcmp(pj->run_kind, "initial") != 0;
    a.mark = strcmp(pj->part, "relist") == 0 ? pj->msg.run : 0;
    a.mark_type = pj->type;
    a.passing = a.below = strcmp(pj->run_kind, "reconcile") == 0;
    size_t n = 0;
    for (struct of_fetch *f = pages; f; f = f->next) {
        n += pj->audit ? 0 : f->page.n_records;
    }
    OF_CLEANUP(of_freep) const struct of_record **records = of_reallocarray(NULL, n + 1, sizeof *records);
    n = 0;
    for (struct of_fetch *f = pages; f; f = f->next) {
        for (size_t i = 0; i < f->page.n_records && !pj->audit; i++) {
            records[n++] = &f->page.records[i];
        }
    }
    enum of_code code = OF_OK;
    for (struct of_fetch *f = pages; f && code == OF_OK; f = f->next) {
        code = note_answer(pj, db, f, err);
    }
    if (code != OF_OK) {
        of_pgpool_put(pj->w->pool, db);
        return code;
    }
    struct of_pair *pair = NULL;
    size_t own = n;
    struct half half = {.apply = a, .records = NULL, .n = 0};
    if (!a.again && n >= PAIR_MIN) {
        own = split_by_id(records, n);
        half.records = records + own;
        half.n = n - own;
        pair = of_pair_start(pj->w, write_half, &half);
    }
    code = of_apply_begin(&a, err);
    code = code == OF_OK ? write_records(&a, records, own, recheck, err) : code;
    if (pair) {
        bool done = false;
        struct of_err half_err = OF_ERR_INIT;
        enum of_code half_code = of_pair_join(pair, &done, &half_err);
        if (code == OF_OK && half_code != OF_OK) {
            *err = half_err;
            code = half_code;
        }
        code = code == OF_OK && !done ? write_records(&a, half.records, half.n, false, err) : code;
    }
    if (code == OF_OK && pj->audit) {
        code = write_audit(pj, &a, pages, err);
    }
    code = code == OF_OK ? advance_committed(pj, &a, pages, err) : code;
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
        if (err->cls == OF_CLASS_PERMANENT && n > 0) {
            code = of_stage_bisect(&a, records, n, recheck, err);
            code = code == OF_OK ? of_apply_begin(&a, err) : code;
            code = code == OF_OK ? advance_committed(pj, &a, pages, err) : code;
            code = code == OF_OK ? of_pg_commit(db, err) : code;
            if (code != OF_OK) {
                of_pg_rollback(db);
            }
        }
    }
    of_pgpool_put(pj->w->pool, db);
    if (code == OF_OK) {
        archive_bad(pj, pages);
    }
    return code;
}

/* --- the turn --- */

/* A failure says something about the page that is asked for now, not about one that was asked for before. */
static bool is_where_it_asked(const struct of_phase_job *pj, const struct of_fetch *f)
{
    const struct of_range *r = &pj->live.r[f->range];
    return f->asked.per_page == r->per_page && f->asked.off == r->off && f->asked.has_from == r->has_from &&
           f->asked.from.us == r->from.us;
}

/* Takes answered pages out of the inbox, at most a commit's worth. Failures are put into *ret_err. */
static struct of_fetch *take_pages(struct of_phase_job *pj, struct of_err *ret_err)
{
    struct of_fetch *pages = NULL;
    struct of_fetch **tail = &pages;
    int n = 0;
    pthread_mutex_lock(&pj->lock);
    while (pj->inbox && n < PAGES_PER_COMMIT) {
        struct of_fetch *f = pj->inbox;
        pj->inbox = f->next;
        f->next = NULL;
        if (!pj->inbox) {
            pj->inbox_tail = &pj->inbox;
        }
        if (f->err.code == OF_OK) {
            (void)of_listing_advance(&pj->committed, f->range, &f->page, ways(pj)); /* in the order of the answers */
            *tail = f;
            tail = &f->next;
            n++;
            continue;
        }
        if (f->err.code == OF_E_PARSE || f->err.code == OF_E_TOO_LARGE) {
            if (is_where_it_asked(pj, f) && ++pj->parse_failures[f->range] >= 2) {
                struct of_bad_record bad = {.type = "", .id = "", .place = "", .cause = ""};
                pj->parse_failures[f->range] = 0;
                if (of_listing_unreadable(&pj->live, f->range, bad.place, sizeof bad.place)) {
                    (void)of_strcopy(bad.type, sizeof bad.type, pj->type->name);
                    (void)of_strcopy(bad.cause, sizeof bad.cause, f->err.msg);
                    f->page.bad = of_calloc(1, sizeof bad);
                    f->page.bad[0] = bad;
                    f->page.n_bad = 1;
                    pj->committed.r[f->range] = pj->live.r[f->range];
                    *tail = f;
                    tail = &f->next;
                    n++;
                    continue;
                }
                pj->committed.r[f->range].per_page = pj->live.r[f->range].per_page;
                pj->committed.r[f->range].last[0] = '\0';
                (void)of_strcopy(pj->committed.r[f->range].last, sizeof pj->committed.r[f->range].last,
                                 pj->live.r[f->range].last);
            }
            of_fetch_free(f);
            continue; /* asked again by the next ask() */
        }
        if (f->err.code != OF_E_BUSY && ret_err->code == OF_OK) {
            *ret_err = f->err;
        }
        of_fetch_free(f);
    }
    pthread_mutex_unlock(&pj->lock);
    return pages;
}

static void free_pages(struct of_fetch *f)
{
    while (f) {
        struct of_fetch *next = f->next;
        of_fetch_free(f);
        f = next;
    }
}

enum of_go of_stage_pages(struct of_phase_job *pj, bool recheck, struct of_err *err)
{
    struct of_err fetch_err = OF_ERR_INIT;
    struct of_fetch *pages = take_pages(pj, &fetch_err);
    if (pages) {
        enum of_code code = write_pages(pj, pages, recheck, err);
        free_pages(pages);
        if (code != OF_OK) {
            return OF_GO_ERROR;
        }
        pj->attempts = 0;
    }
    if (fetch_err.code != OF_OK) {
        *err = fetch_err;
        return OF_GO_ERROR;
    }
    if (of_listing_is_done(&pj->committed)) {
        return OF_GO_END; /* the list, not the chain */
    }
    pthread_mutex_lock(&pj->lock);
    if (pj->outstanding == 0 && !pj->inbox && of_listing_is_done(&pj->live)) {
        pj->live = pj->committed; /* they took the same pages in another order and one of them sees more to do */
    }
    ask(pj);
    bool more = pj->inbox != NULL;
    bool waits = pj->outstanding > 0;
    int64_t busy = pj->busy_ms;
    pthread_mutex_unlock(&pj->lock);
    if (more) {
        return OF_GO_AGAIN;
    }
    if (waits) {
        return OF_GO_WAIT;
    }
    if (busy > 0) {
        pj->sleep_ms = busy;
        (void)of_strcopy(pj->why, sizeof pj->why, "held by the rate limit");
        return OF_GO_SLEEP;
    }
    return OF_GO_EMIT;
}

/* The next parents whose lists are read together. Returns false when there is none left. */
static enum of_code next_wave(struct of_phase_job *pj, bool *ret_any, struct of_err *err)
{
    struct of_pg *db = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(of_pgpool_get(pj->w->pool, 10000, &db, err));
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->conn->org);
    of_pg_arg_text(&args, pj->conn->adapter_name);
    of_pg_arg_text(&args, pj->type->with);
    of_pg_arg_text(&args, pj->after);
    of_pg_arg_int8(&args, WAVE);
    enum of_code code = of_pg_run(db, &of_sql_ids_parents, &args, &res, err);
    of_pgpool_put(pj->w->pool, db);
    OF_TRY(code);
    int n = of_pgres_rows(res);
    *ret_any = n > 0;
    if (n == 0) {
        return OF_OK;
    }
    of_listing_init(&pj->committed, OF_LIST_OFFSET, false, (struct of_wall){.us = 0});
    pj->committed.n = n;
    for (int i = 0; i < n; i++) {
        struct of_range *r = &pj->committed.r[i];
        memset(r, 0, sizeof *r);
        r->per_page = OF_LISTING_PAGE;
        (void)of_strcopy(r->parent, sizeof r->parent, of_pgres_text(res, i, 0));
    }
    pj->live = pj->committed;
    pj->has_listing = true;
    return OF_OK;
}

/* Lists below parents: wave after wave. */
enum of_go of_stage_waves(struct of_phase_job *pj, bool recheck, struct of_err *err)
{
    for (;;) {
        if (!pj->has_listing) {
            bool any = false;
            if (next_wave(pj, &any, err) != OF_OK) {
                return OF_GO_ERROR;
            }
            if (!any) {
                return OF_GO_END;
            }
        }
        enum of_go go = of_stage_pages(pj, recheck, err);
        if (go == OF_GO_ERROR && err->code == OF_E_NOT_FOUND) {
            return OF_GO_ERROR;
        }
        if (go != OF_GO_END) {
            return go;
        }
        (void)of_strcopy(pj->after, sizeof pj->after, pj->committed.r[pj->committed.n - 1].parent);
        pj->has_listing = false;
        if (of_phase_slice_over(pj)) {
            return OF_GO_EMIT;
        }
    }
}

enum of_go of_stage_step(struct of_phase_job *pj, struct of_err *err)
{
    static const char *const staging[] = {"stage"};
    const struct of_type *t = pj->type;
    if (of_type_is_late(t)) {
        enum of_go go = of_phase_wait_barrier(pj, err);
        if (go != OF_GO_AGAIN) {
            return go;
        }
    }
    if (t->weak) { /* a row per parent is owed at its end, so all parents must be there */
        static const char *const open[] = {"stage", "match", "create", "populate", "check"};
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *parent = of_pgarr_new(OF_PG_TEXT);
        of_pgarr_text(parent, t->with);
        enum of_go go = of_phase_blocked(pj, parent, open, 5, "waits for the last look at its parents", err);
        return go == OF_GO_AGAIN ? of_phase_done(pj, NULL, err) : go;
    }
    if (t->with) {
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *carrier = of_pgarr_new(OF_PG_TEXT);
        of_pgarr_text(carrier, t->with);
        enum of_go go = of_phase_blocked(pj, carrier, staging, 1, "waits for the list that carries it", err);
        if (go != OF_GO_AGAIN) {
            return go;
        }
        if (t->list == OF_LIST_WITH) {
            return of_phase_finish_stage(pj, err);
        }
    }
    if (!pj->has_listing && t->list != OF_LIST_PER_PARENT) {
        of_listing_init(&pj->committed, t->list, false, (struct of_wall){.us = 0});
        pj->live = pj->committed;
        pj->has_listing = true;
    }
    enum of_go go = t->list == OF_LIST_PER_PARENT ? of_stage_waves(pj, false, err) : of_stage_pages(pj, false, err);
    return go == OF_GO_END ? of_phase_finish_stage(pj, err) : go;
}

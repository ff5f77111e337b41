/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/poll.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/failpoint.h"
#include "worker/phase.h"
#include "worker_sql.h"

enum { GIVE_UP_MS = 2000, IN_FLIGHT = 4, AHEAD = 2, CURSOR_MAX = 64 * 1024, UNREADABLE = 2 };

/* --- hashes: is a page just as it was? --- */

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const unsigned char *c = data;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ c[i]) * UINT64_C(1099511628211);
    }
    return (h ^ 0xff) * UINT64_C(1099511628211);
}

static uint64_t mix_number(uint64_t h, int64_t n)
{
    return mix(h, &n, sizeof n);
}

/* What is stored here was made by this mapping, for this generation of the connection. */
static uint64_t hash_begin(const struct of_poll *p)
{
    uint64_t h = mix_number(UINT64_C(14695981039346656037), p->conn->generation);
    return mix_number(h, p->conn->adapter->mapping_version);
}

static uint64_t hash_page(const struct of_poll *p, const struct of_poll_page *page)
{
    uint64_t h = hash_begin(p);
    for (size_t i = 0; i < page->page.n_records; i++) {
        const struct of_record *r = &page->page.records[i];
        h = mix(h, r->type->name, strlen(r->type->name));
        h = mix(h, r->id, strlen(r->id));
        h = mix_number(h, r->has_updated ? r->updated_at.us : 0);
        h = mix(h, r->body, r->body_len);
    }
    h = mix_number(h, (int64_t)page->page.n_bad);
    for (size_t i = 0; i < page->n_mergers; i++) {
        h = mix(h, page->mergers[i].kept, strlen(page->mergers[i].kept));
        h = mix(h, page->mergers[i].removed, strlen(page->mergers[i].removed));
    }
    return h;
}

/* --- cursors --- */

static void read_cursor(struct of_poll_list *l, const struct of_json *cursor)
{
    struct of_range *r = &l->listing.r[0];
    const char *last = of_json_text(of_json_get(cursor, "l"));
    const char *from = of_json_text(of_json_get(cursor, l->mergers ? "m" : "f"));
    int64_t us = 0;
    if (from && of_parse_i64(from, 0, INT64_MAX, &us)) {
        if (l->mergers) {
            l->since_us = us;
        } else if (l->listing.by == OF_LIST_UPDATED) {
            r->from.us = us;
            (void)of_json_i64(of_json_get(cursor, "o"), &r->off);
            (void)of_strcopy(r->last, sizeof r->last, last ? last : "");
        }
    }
    const struct of_json *hashes = of_json_get(cursor, l->mergers ? "mh" : "h");
    for (const struct of_json *n = of_json_first(hashes); n && l->n_last_time < OF_POLL_PAGES; n = of_json_next(n)) {
        const char *text = of_json_text(n);
        int64_t v = 0;
        if (text && of_parse_i64(text, INT64_MIN, INT64_MAX, &v)) {
            l->last_time[l->n_last_time++] = (uint64_t)v;
        }
    }
}

void of_poll_list_init(struct of_poll_list *l, struct of_poll *p, const struct of_type *type, bool mergers, int64_t polled_us,
                       const char *cursor, struct of_err *err)
{
    memset(l, 0, sizeof *l);
    l->p = p;
    l->type = type;
    l->mergers = mergers;
    l->tail = &l->head;
    l->was = of_strdup_null(cursor);
    l->since_us = polled_us;
    struct of_wall from = {.us = polled_us / 1000000 * 1000000};
    bool by_time = type->has_updated && !mergers;
    of_listing_init(&l->listing, by_time ? OF_LIST_UPDATED : OF_LIST_OFFSET, by_time, from);
    if (!by_time && !mergers) {
        l->ids = of_pgarr_new(OF_PG_TEXT);
    }
    OF_CLEANUP(of_json_freep) struct of_json *json = NULL;
    if (cursor && of_json_parse(cursor, strlen(cursor), CURSOR_MAX, &json, err) == OF_OK) {
        read_cursor(l, json); /* one that cannot be read: from the last successful poll on */
    }
    of_err_clear(err);
    l->safe = l->newest = l->listing.r[0];
    l->safe_us = l->since_us;
}

/* Of a list that was read to its end, or not at all; of one that was broken off nothing is known. */
static void write_hashes(const struct of_poll_list *l, const char *key, struct of_buf *b)
{
    const uint64_t *h = l->done ? l->now : l->last_time;
    int n = l->done ? l->n_now : l->n_pages == 0 ? l->n_last_time : 0;
    of_buf_fmt(b, "\"%s\":[", key);
    for (int i = 0; i < n; i++) {
        of_buf_fmt(b, "%s\"%" PRId64 "\"", i ? "," : "", (int64_t)h[i]);
    }
    of_buf_char(b, ']');
}

void of_poll_cursor(const struct of_poll_list *l, struct of_buf *b)
{
    const struct of_range *r = &l->safe;
    if (l->mergers) {
        of_buf_fmt(b, "\"m\":\"%" PRId64 "\",", l->safe_us);
        write_hashes(l, "mh", b);
        return;
    }
    bool by_time = l->listing.by == OF_LIST_UPDATED;
    if (by_time) {
        of_buf_fmt(b, "\"f\":\"%" PRId64 "\",\"o\":%" PRId64 ",\"l\":", r->from.us, r->off);
        of_buf_json_str(b, r->last);
        of_buf_char(b, ',');
    }
    write_hashes(l, "h", b);
}

/* --- asking --- */

static void answered(void *arg, struct of_call_result *res);

static void fetch(struct of_poll_list *l)
{
    struct of_poll *p = l->p;
    const struct of_adapter *a = p->conn->adapter;
    struct of_buf target = OF_BUF_INIT(16 * 1024);
    char *text = NULL;
    if (l->mergers) {
        a->mergers_target((struct of_wall){.us = l->since_us / 1000000 * 1000000}, l->offset, &target);
    } else {
        struct of_list_pos pos;
        of_listing_pos(&l->listing, 0, &pos);
        a->list_target(l->type, p->conn->scope, &pos, &target);
    }
    OF_BUG_ON(of_buf_take(&target, &text, NULL, NULL) != OF_OK);
    l->flying = true;
    p->outstanding++;
    of_remote_get(p->w->remote, p->conn, l->type, text, OF_CALL_LIVE, GIVE_UP_MS, answered, l);
}

static int queued(const struct of_poll_list *l)
{
    int n = 0;
    for (const struct of_poll_page *page = l->head; page; page = page->next) {
        n++;
    }
    return n;
}

/* The first page of every list at once, as far as the connection allows; further pages as they are applied. */
void of_poll_ask(struct of_poll *p)
{
    int flying = 0;
    for (int i = 0; i < p->n_lists; i++) {
        flying += p->lists[i].flying;
    }
    for (int i = p->at; i < p->n_lists && flying < IN_FLIGHT && !p->closed && p->busy_ms == 0; i++) {
        struct of_poll_list *l = &p->lists[i];
        if (!l->flying && !l->ended && queued(l) < (i == p->at ? AHEAD : 1)) {
            fetch(l);
            flying++;
        }
    }
}

/* --- answers: on an executor, any number at once --- */

static void add_merger(void *arg, const char *kept, const char *removed, struct of_wall at)
{
    struct of_poll_page *page = arg;
    page->mergers = of_reallocarray(page->mergers, page->n_mergers + 1, sizeof *page->mergers);
    struct of_poll_merger *m = &page->mergers[page->n_mergers++];
    (void)of_strcopy(m->kept, sizeof m->kept, kept);
    (void)of_strcopy(m->removed, sizeof m->removed, removed);
    page->safe_us = OF_MAX(page->safe_us, at.us); /* they come in this order */
}

/* Where the cursor may stand after a page: behind its last row that is old enough, else where it stood. before: the range as it was
 * asked. */
static void find_safe(const struct of_poll_list *l, const struct of_range *before, int64_t asked_offset, struct of_poll_page *page)
{
    const struct of_page *pg = &page->page;
    const int64_t limit = l->p->limit_us;
    size_t k = pg->n_rows;
    while (k > 0 && (!pg->rows[k - 1].has_time || pg->rows[k - 1].time.us > limit)) {
        k--;
    }
    if (k == 0) {
        return;
    }
    const struct of_row_key *row = &pg->rows[k - 1];
    int64_t n = 0;
    while (k > 0 && pg->rows[k - 1].has_time && pg->rows[k - 1].time.us == row->time.us) {
        n++;
        k--;
    }
    struct of_range r = *before;
    r.off = k == 0 && before->from.us == row->time.us ? asked_offset + n : n;
    r.from = row->time;
    r.done = r.back = false;
    r.stuck = 0;
    if (!row->id || !of_strcopy(r.last, sizeof r.last, row->id)) {
        r.last[0] = '\0';
    }
    page->safe = r;
}

/* Lock held. l->safe is not touched: pages before this one may not be in the database yet. */
static void advance(struct of_poll_list *l, struct of_poll_page *page)
{
    struct of_range before = l->listing.r[0];
    struct of_list_pos pos;
    of_listing_pos(&l->listing, 0, &pos);
    enum of_advance adv = of_listing_advance(&l->listing, 0, &page->page, 1);
    page->safe = l->newest;
    if (adv == OF_ADVANCE_STUCK) {
        (void)of_err_set(&page->err, OF_E_REMOTE, "the list of %s makes no progress", l->type->name);
    } else if (adv == OF_ADVANCE_OK && l->listing.by == OF_LIST_UPDATED) {
        find_safe(l, &before, pos.offset, page);
    }
    l->newest = page->safe;
    l->ended = of_listing_is_done(&l->listing);
}

/* The first answer of a poll says how far cursors may go. */
static void note_date(struct of_poll *p, struct of_wall date)
{
    if (p->date.us == 0) {
        p->date = date.us ? date : of_wall_now();
        p->limit_us = (p->date.us - p->w->conf->poll_late_ms * 1000) / 1000000 * 1000000;
    }
}

/* A page that cannot be read however often: smaller pages find the row. True: it has been stepped over, page tells. */
static bool step_over(struct of_poll_list *l, struct of_poll_page *page)
{
    struct of_bad_record bad = {.type = "", .id = "", .place = "", .cause = ""};
    if (l->mergers || ++l->parse_failures < UNREADABLE) {
        return false;
    }
    l->parse_failures = 0;
    if (!of_listing_unreadable(&l->listing, 0, bad.place, sizeof bad.place)) {
        return false;
    }
    (void)of_strcopy(bad.type, sizeof bad.type, l->type->name);
    (void)of_strcopy(bad.cause, sizeof bad.cause, page->err.msg);
    page->page.bad = of_calloc(1, sizeof bad);
    page->page.bad[0] = bad;
    page->page.n_bad = 1;
    of_err_clear(&page->err);
    page->safe = l->newest;
    return true;
}

static void take_answer(struct of_poll_list *l, struct of_poll_page *page)
{
    struct of_poll *p = l->p;
    l->flying = false;
    p->outstanding--;
    if (page->err.code == OF_OK) {
        note_date(p, page->date);
        if (l->mergers) {
            l->offset += (int64_t)page->n_mergers;
            l->ended = !page->page.has_next || page->n_mergers == 0;
            page->safe_us = OF_MAX(OF_MIN(page->safe_us, p->limit_us), l->since_us);
        } else {
            advance(l, page);
        }
    } else if (page->err.code == OF_E_BUSY) {
        p->busy_ms = OF_MAX(p->busy_ms, OF_MAX(page->err.retry_after_ms, 100));
        of_poll_page_free(page);
        return;
    } else if ((page->err.code == OF_E_PARSE || page->err.code == OF_E_TOO_LARGE) && !l->mergers && !step_over(l, page)) {
        of_poll_page_free(page); /* asked again */
        return;
    }
    l->ended = l->ended || page->err.code != OF_OK;
    *l->tail = page;
    l->tail = &page->next;
}

static void answered(void *arg, struct of_call_result *res)
{
    struct of_poll_list *l = arg;
    struct of_poll *p = l->p;
    struct of_poll_page *page = of_calloc(1, sizeof *page);
    page->err = res->err;
    page->date = res->date;
    if (res->err.code == OF_OK && l->mergers) {
        if (p->conn->adapter->parse_mergers(res->body, res->body_len, add_merger, page, &page->page.has_next, &page->err) != OF_OK) {
            page->err.cls = OF_CLASS_RETRY; /* a broken page of a list that will be asked again */
        }
    } else if (res->err.code == OF_OK) {
        (void)p->conn->adapter->parse(l->type, p->conn->scope, res->body, res->body_len, true, l->listing.by, NULL, &page->page,
                                      &page->err);
    }
    page->hash = page->err.code == OF_OK ? hash_page(p, page) : 0;
    of_freep(&res->body);
    pthread_mutex_lock(&p->lock);
    take_answer(l, page);
    of_poll_ask(p);
    of_job_wake(p->w->lanes, &p->job); /* under the lock: the job cannot be over before it has been let go */
    pthread_mutex_unlock(&p->lock);
}

struct of_poll_page *of_poll_take(struct of_poll_list *l)
{
    pthread_mutex_lock(&l->p->lock);
    struct of_poll_page *page = l->head;
    if (page) {
        l->head = page->next;
        page->next = NULL;
        if (!l->head) {
            l->tail = &l->head;
        }
    }
    pthread_mutex_unlock(&l->p->lock);
    return page;
}

void of_poll_page_free(struct of_poll_page *page)
{
    of_page_done(&page->page);
    of_freep(&page->mergers);
    of_freep(&page);
}

void of_poll_list_done(struct of_poll_list *l)
{
    while (l->head) {
        struct of_poll_page *next = l->head->next;
        of_poll_page_free(l->head);
        l->head = next;
    }
    of_pgarr_free(l->ids);
    of_freep(&l->was);
}

/* --- applying --- */

static enum of_code write_mergers(struct of_apply *a, const struct of_poll_list *l, const struct of_poll_page *page,
                                  struct of_err *err)
{
    for (size_t i = 0; i < page->n_mergers; i++) {
        OF_TRY(of_apply_merger(a, l->type, page->mergers[i].kept, page->mergers[i].removed, err));
    }
    return OF_OK;
}

static enum of_code write_page(struct of_apply *a, const struct of_poll_list *l, const struct of_poll_page *page,
                               const struct of_record **records, struct of_err *err)
{
    OF_TRY(of_apply_begin(a, err));
    enum of_code code = write_mergers(a, l, page, err);
    code = code == OF_OK ? of_apply_stage_all(a, records, page->page.n_records, err) : code;
    (void)OF_FAILPOINT("worker.poll_staged");
    code = code == OF_OK && a->n_fresh > 0 ? of_apply_records(a, a->fresh, a->n_fresh, err) : code;
    code = code == OF_OK ? of_apply_dead(a, page->page.bad, page->page.n_bad, err) : code;
    code = code == OF_OK ? of_pg_commit(a->db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(a->db);
    }
    return code;
}

/* The page cannot be written as it is: halves find the record that is to blame, the rest of the page goes with a transaction of its own. */
static enum of_code write_in_halves(struct of_apply *a, const struct of_poll_list *l, const struct of_poll_page *page,
                                    const struct of_record **records, struct of_err *err)
{
    a->fresh = NULL;
    OF_TRY(of_stage_bisect(a, records, page->page.n_records, true, err));
    OF_TRY(of_apply_begin(a, err));
    enum of_code code = write_mergers(a, l, page, err);
    code = code == OF_OK ? of_apply_dead(a, page->page.bad, page->page.n_bad, err) : code;
    code = code == OF_OK ? of_pg_commit(a->db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(a->db);
    }
    return code;
}

static bool is_as_last_time(const struct of_poll_list *l, const struct of_poll_page *page)
{
    return l->n_pages < OF_POLL_PAGES && l->n_pages < l->n_last_time && l->last_time[l->n_pages] == page->hash;
}

/* The page is in the database: the cursor may stand behind it. */
static void passed(struct of_poll_list *l, const struct of_poll_page *page, bool same)
{
    for (size_t i = 0; l->ids && i < page->page.n_rows; i++) {
        if (page->page.rows[i].id) {
            of_pgarr_text(l->ids, page->page.rows[i].id);
        }
    }
    if (l->n_now < OF_POLL_PAGES) {
        l->now[l->n_now++] = page->hash;
    }
    l->n_pages++;
    l->differs = l->differs || !same;
    pthread_mutex_lock(&l->p->lock);
    if (l->mergers) {
        l->safe_us = page->safe_us;
    } else {
        l->safe = page->safe;
    }
    pthread_mutex_unlock(&l->p->lock);
}

/* Another church's data must not come in under this one's name. */
static enum of_code other_account(struct of_poll *p, struct of_pg *db, struct of_err *err)
{
    OF_TRY(of_conn_park(p->w, db, p->conn, "reconnect",
                        "the credentials belong to another account than this organization was connected with", err));
    return of_err_set(err, OF_E_AUTH, "credentials of another account");
}

enum of_code of_poll_apply(struct of_poll_list *l, struct of_poll_page *page, struct of_err *err)
{
    struct of_poll *p = l->p;
    size_t n = page->page.n_records;
    bool foreign = p->account[0] && page->page.account[0] && strcmp(p->account, page->page.account) != 0;
    bool same = is_as_last_time(l, page);
    if (!foreign && (same || (n == 0 && page->page.n_bad == 0 && page->n_mergers == 0))) {
        passed(l, page, same);
        return OF_OK;
    }
    struct of_pg *db = NULL;
    OF_TRY(of_pgpool_get(p->w->pool, 10000, &db, err));
    OF_CLEANUP(of_freep) const struct of_record **records = of_reallocarray(NULL, n + 1, sizeof *records);
    OF_CLEANUP(of_freep) const struct of_record **fresh = of_reallocarray(NULL, n + 1, sizeof *fresh);
    struct of_apply a = {.w = p->w, .db = db, .conn = p->conn, .read_seq = p->read_seq, .again = true, .passing = true, .below = true,
                         .fresh = fresh};
    for (size_t i = 0; i < n; i++) {
        records[i] = &page->page.records[i];
    }
    enum of_code code = foreign ? other_account(p, db, err) : write_page(&a, l, page, records, err);
    if (code != OF_OK && err->cls == OF_CLASS_PERMANENT && !foreign && n > 0) { /* without records nothing can be left out */
        code = write_in_halves(&a, l, page, records, err);
        p->wrote = true;
    }
    of_pgpool_put(p->w->pool, db);
    OF_TRY(code);
    passed(l, page, false);
    p->wrote = p->wrote || a.n_fresh > 0 || page->n_mergers > 0;
    for (size_t i = 0; i < page->page.n_bad; i++) {
        of_dead_record(p->w, p->conn, &page->page.bad[i]);
    }
    return OF_OK;
}

enum of_code of_poll_list_end(struct of_poll_list *l, struct of_err *err)
{
    struct of_poll *p = l->p;
    if (!l->ids || (!l->differs && l->n_pages == l->n_last_time)) {
        return OF_OK;
    }
    struct of_pg *db = NULL;
    OF_TRY(of_pgpool_get(p->w->pool, 10000, &db, err));
    struct of_apply a = {.w = p->w, .db = db, .conn = p->conn, .read_seq = p->read_seq};
    enum of_code code = of_apply_begin(&a, err);
    if (code == OF_OK) {
        code = of_apply_missing(&a, l->type, l->ids, 0, err);
        code = code == OF_OK ? of_pg_commit(db, err) : code;
        if (code != OF_OK) {
            of_pg_rollback(db);
        }
    }
    of_pgpool_put(p->w->pool, db);
    p->wrote = true;
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/listing.h"

#include <string.h>

enum { STUCK_MAX = 5, SPLIT_MIN = 400 };

void of_listing_init(struct of_listing *l, enum of_list_by by, bool has_from, struct of_wall from)
{
    memset(l, 0, sizeof *l);
    l->by = by;
    l->total = -1;
    l->n = 1;
    l->r[0].has_from = has_from;
    l->r[0].from = from;
    l->r[0].per_page = OF_LISTING_PAGE;
    l->split = by == OF_LIST_OFFSET || has_from;
}

void of_listing_pos(const struct of_listing *l, int i, struct of_list_pos *pos)
{
    const struct of_range *r = &l->r[i];
    memset(pos, 0, sizeof *pos);
    pos->by = l->by;
    pos->has_from = r->has_from;
    pos->from = r->from;
    pos->offset = r->off > 0 && r->last[0] && !r->back ? r->off - 1 : r->off;
    pos->per_page = r->per_page;
    pos->parent = r->parent[0] ? r->parent : NULL;
}

/* Ids of these systems are numbers without leading zeros, with rare words among them. */
static int id_compare(const char *a, const char *b)
{
    size_t la = strlen(a);
    size_t lb = strlen(b);
    if (la != lb) {
        return la < lb ? -1 : 1;
    }
    return strcmp(a, b);
}

static enum of_advance set_back(struct of_listing *l, struct of_range *r)
{
    if (++r->stuck > STUCK_MAX) {
        r->stuck = 0;
        return OF_ADVANCE_STUCK;
    }
    if (l->by == OF_LIST_OFFSET) {
        r->off = r->off > r->per_page ? r->off - r->per_page : 0;
        r->back = true;
    } else {
        r->off = 0;
        r->last[0] = '\0';
    }
    return OF_ADVANCE_REWALK;
}

static void take_last(struct of_range *r, const struct of_row_key *row)
{
    if (!of_strcopy(r->last, sizeof r->last, row->id ? row->id : "")) {
        r->last[0] = '\0';
    }
}

/* Rows at the end of the page that share the last row's moment. */
static int64_t trailing(const struct of_page *page)
{
    const struct of_row_key *last = &page->rows[page->n_rows - 1];
    int64_t n = 0;
    for (size_t i = page->n_rows; i > 0; i--) {
        const struct of_row_key *row = &page->rows[i - 1];
        if (row->has_time != last->has_time || row->time.us != last->time.us) {
            break;
        }
        n++;
    }
    return n;
}

static void settle_probe(struct of_listing *l, int i, const struct of_page *page)
{
    struct of_range *r = &l->r[i];
    r->probe = false;
    if (page->n_rows == 0 || !page->rows[0].has_time || !page->rows[page->n_rows - 1].has_time) {
        r->done = true; /* beyond the end: the range before goes on to the end */
        return;
    }
    struct of_wall first = page->rows[0].time;
    const struct of_row_key *last = &page->rows[page->n_rows - 1];
    for (int p = i - 1; p >= 0; p--) { /* the nearest range before that is not void gives way here */
        if (!l->r[p].probe && l->r[p].done && !l->r[p].has_from) {
            continue;
        }
        if (!l->r[p].has_to || l->r[p].to.us > first.us) {
            l->r[p].has_to = true;
            l->r[p].to = first;
        }
        break;
    }
    r->has_from = true;
    if (first.us == last->time.us) {
        r->from = (struct of_wall){.us = first.us + 1000000}; /* the range before walks this whole second */
        r->off = 0;
        r->last[0] = '\0';
    } else {
        r->from = last->time;
        r->off = trailing(page);
        take_last(r, last);
    }
    r->done = (r->has_to && r->from.us > r->to.us) || !page->has_next;
}

static void split(struct of_listing *l, const struct of_page *page, int ways)
{
    l->split = true;
    int64_t total = page->total;
    if (total < SPLIT_MIN || ways < 2 || !page->has_next) {
        return;
    }
    if (total < (int64_t)ways * 2 * OF_LISTING_PAGE) {
        ways = (int)(total / (2 * (int64_t)OF_LISTING_PAGE));
    }
    for (int i = 1; i < ways && l->n < OF_LISTING_MAX; i++) {
        struct of_range *r = &l->r[l->n++];
        memset(r, 0, sizeof *r);
        r->probe = true;
        r->per_page = OF_LISTING_PAGE;
        r->off = total * i / ways;
    }
}

static void advance_time(struct of_range *r, const struct of_page *page, int64_t asked)
{
    const struct of_row_key *last = &page->rows[page->n_rows - 1];
    if (!last->has_time || (r->has_from && last->time.us == r->from.us)) {
        r->off = asked + (int64_t)page->n_rows;
    } else {
        r->off = trailing(page);
        r->has_from = true;
        r->from = last->time;
    }
    take_last(r, last);
    if (r->has_to && last->has_time && last->time.us > r->to.us) {
        r->done = true;
    }
}

enum of_advance of_listing_advance(struct of_listing *l, int i, const struct of_page *page, int ways)
{
    struct of_range *r = &l->r[i];
    struct of_list_pos pos;
    of_listing_pos(l, i, &pos);
    bool overlap = pos.offset < r->off;
    if (l->total < 0 && page->total >= 0 && !r->parent[0]) {
        l->total = page->total;
    }
    if (r->probe) {
        l->taken += (int64_t)page->n_rows;
        settle_probe(l, i, page);
        return OF_ADVANCE_OK;
    }
    if (overlap && (page->n_rows == 0 || !page->rows[0].id || strcmp(page->rows[0].id, r->last) != 0)) {
        return set_back(l, r);
    }
    if (l->by != OF_LIST_OFFSET && r->has_from && page->n_rows > 0 && page->rows[0].has_time &&
        page->rows[0].time.us < r->from.us) {
        return set_back(l, r); /* a page of somewhere before */
    }
    if (r->back && r->off > 0 &&
        (page->n_rows == 0 || (page->rows[0].id && id_compare(page->rows[0].id, r->last) > 0))) {
        return set_back(l, r);
    }
    if (page->n_rows == 0) {
        if (page->has_next || page->total > pos.offset) {
            return set_back(l, r); /* empty, and more is to come: that is not the end */
        }
        r->back = false;
        r->done = true;
        return OF_ADVANCE_OK;
    }
    bool moved = page->n_rows > (overlap ? 1U : 0U);
    l->taken += (int64_t)page->n_rows - (overlap ? 1 : 0);
    r->back = false;
    if (l->by == OF_LIST_OFFSET) {
        r->off = pos.offset + (int64_t)page->n_rows;
        take_last(r, &page->rows[page->n_rows - 1]);
    } else {
        advance_time(r, page, pos.offset);
    }
    r->done = r->done || !page->has_next;
    if (!moved && !r->done) {
        if (++r->stuck > STUCK_MAX) {
            r->stuck = 0;
            return OF_ADVANCE_STUCK;
        }
    } else {
        r->stuck = 0;
    }
    if (moved && r->per_page < OF_LISTING_PAGE) {
        r->per_page = OF_MIN(OF_LISTING_PAGE, r->per_page * 10);
    }
    if (!l->split) {
        split(l, page, ways);
    }
    return OF_ADVANCE_OK;
}

bool of_listing_unreadable(struct of_listing *l, int i, char *place, size_t place_size)
{
    struct of_range *r = &l->r[i];
    if (r->per_page > 1) {
        r->per_page = r->per_page > 10 ? 10 : 1;
        /* one row at a time cannot read its predecessor again as well */
        if (r->per_page == 1 && r->last[0] && r->off > 0) {
            r->last[0] = '\0';
        }
        return false;
    }
    char text[OF_TIME_TEXT] = "";
    if (r->has_from) {
        (void)of_time_format(r->from, text);
    }
    char *where = of_asprintf("list row %lld%s%s%s%s", (long long)r->off, r->has_from ? " from " : "", text,
                              r->parent[0] ? " of parent " : "", r->parent);
    (void)of_strcopy(place, place_size, where);
    of_freep(&where);
    r->off++;
    r->last[0] = '\0';
    r->per_page = 10;
    return true;
}

bool of_listing_is_done(const struct of_listing *l)
{
    for (int i = 0; i < l->n; i++) {
        if (!l->r[i].done) {
            return false;
        }
    }
    return true;
}

void of_listing_write(const struct of_listing *l, struct of_buf *b)
{
    of_buf_fmt(b, "\"by\":%d,\"split\":%s,\"total\":%lld,\"taken\":%lld,\"r\":[", (int)l->by, l->split ? "true" : "false",
               (long long)l->total, (long long)l->taken);
    for (int i = 0; i < l->n; i++) {
        const struct of_range *r = &l->r[i];
        of_buf_fmt(b, "%s{\"o\":%lld,\"pp\":%d,\"s\":%d", i ? "," : "", (long long)r->off, r->per_page, r->stuck);
        if (r->has_from) {
            of_buf_fmt(b, ",\"f\":\"%lld\"", (long long)r->from.us);
        }
        if (r->has_to) {
            of_buf_fmt(b, ",\"t\":\"%lld\"", (long long)r->to.us);
        }
        of_buf_fmt(b, "%s%s%s", r->probe ? ",\"p\":true" : "", r->done ? ",\"d\":true" : "", r->back ? ",\"b\":true" : "");
        of_buf_str(b, ",\"l\":");
        of_buf_json_str(b, r->last);
        if (r->parent[0]) {
            of_buf_str(b, ",\"parent\":");
            of_buf_json_str(b, r->parent);
        }
        of_buf_char(b, '}');
    }
    of_buf_char(b, ']');
}

static bool flag(const struct of_json *n, const char *key)
{
    bool v = false;
    return of_json_bool(of_json_get(n, key), &v) && v;
}

static bool moment(const struct of_json *n, const char *key, struct of_wall *ret)
{
    const char *s = of_json_text(of_json_get(n, key));
    return s && of_parse_i64(s, INT64_MIN, INT64_MAX, &ret->us);
}

bool of_listing_read(struct of_listing *l, const struct of_json *cursor)
{
    int64_t by = 0;
    const struct of_json *ranges = of_json_get(cursor, "r");
    if (!of_json_i64(of_json_get(cursor, "by"), &by) || by < OF_LIST_CREATED || by > OF_LIST_OFFSET ||
        of_json_type(ranges) != OF_JSON_ARRAY || of_json_len(ranges) > OF_LISTING_MAX) {
        return false;
    }
    memset(l, 0, sizeof *l);
    l->by = (enum of_list_by)by;
    l->split = flag(cursor, "split");
    l->total = -1;
    (void)of_json_i64(of_json_get(cursor, "total"), &l->total);
    (void)of_json_i64(of_json_get(cursor, "taken"), &l->taken);
    for (const struct of_json *n = of_json_first(ranges); n; n = of_json_next(n)) {
        struct of_range *r = &l->r[l->n++];
        int64_t v = 0;
        (void)of_json_i64(of_json_get(n, "o"), &r->off);
        r->per_page = of_json_i64(of_json_get(n, "pp"), &v) && v >= 1 && v <= 100 ? (int)v : OF_LISTING_PAGE;
        v = 0;
        r->stuck = of_json_i64(of_json_get(n, "s"), &v) ? (int)OF_MIN(v, 100) : 0;
        r->has_from = moment(n, "f", &r->from);
        r->has_to = moment(n, "t", &r->to);
        r->probe = flag(n, "p");
        r->done = flag(n, "d");
        r->back = flag(n, "b");
        const char *last = of_json_text(of_json_get(n, "l"));
        const char *parent = of_json_text(of_json_get(n, "parent"));
        (void)of_strcopy(r->last, sizeof r->last, last ? last : "");
        (void)of_strcopy(r->parent, sizeof r->parent, parent ? parent : "");
    }
    return true;
}

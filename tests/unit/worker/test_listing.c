/* SPDX-License-Identifier: Apache-2.0 */
/* of_listing against a list in memory that changes while it is walked. Every seed is a list, a way of walking it and a course of
 * events; a failure prints it. OF_TEST_SEED=n runs one, OF_TEST_SEEDS=n that many. */
#include "worker/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS_MAX = 4096, EPOCH = 1700000000, STEPS_MAX = 60000 };

struct row {
    int64_t id;
    bool has_time;
    int64_t second;
    bool bad;     /* no page that holds it can be read */
    bool whole;   /* here since before the first request */
    bool due;     /* part of what the walk must show */
    bool met;
    bool blamed;  /* stepped over as unreadable */
};

struct answer { /* of a request that is on its way back */
    bool flying, readable;
    struct of_page page;
    struct of_row_key keys[OF_LISTING_PAGE];
    int rows[OF_LISTING_PAGE]; /* indices into all */
};

struct sim {
    uint64_t seed, random;
    enum of_list_by by;
    struct row all[ROWS_MAX]; /* in order of making; never moves */
    char names[ROWS_MAX][24];
    int n_all;
    int order[ROWS_MAX]; /* those that live, as they are listed */
    int n;
    int64_t now, next_id;
    struct of_listing l;
    int ways;
    struct answer answers[OF_LISTING_MAX];
    struct answer before[OF_LISTING_MAX]; /* the last page of a range: for repetitions */
    bool has_before[OF_LISTING_MAX];
    int failures[OF_LISTING_MAX];
    int changes, faults, interrupts; /* left */
    int requests, rewalks, unreadable;
    bool from_somewhere;
};

static uint64_t rnd(struct sim *s, uint64_t below)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return below ? s->random % below : 0;
}

#define CHECK(s, cond)                                                                                                    \
    do {                                                                                                                  \
        if (!(cond)) {                                                                                                    \
            fail_msg("seed %llu: %s", (unsigned long long)(s)->seed, #cond);                                              \
        }                                                                                                                 \
    } while (0)

/* --- the list --- */

static bool comes_before(const struct sim *s, const struct row *a, const struct row *b)
{
    if (s->by != OF_LIST_OFFSET) {
        if (a->has_time != b->has_time) {
            return !a->has_time; /* nulls come first, as in MySQL */
        }
        if (a->has_time && a->second != b->second) {
            return a->second < b->second;
        }
    }
    return a->id < b->id;
}

static void place(struct sim *s, int index)
{
    int at = s->n++;
    while (at > 0 && comes_before(s, &s->all[index], &s->all[s->order[at - 1]])) {
        s->order[at] = s->order[at - 1];
        at--;
    }
    s->order[at] = index;
}

static void take_out(struct sim *s, int at)
{
    memmove(&s->order[at], &s->order[at + 1], (size_t)(s->n - at - 1) * sizeof s->order[0]);
    s->n--;
}

static int make_row(struct sim *s, bool has_time, int64_t second)
{
    if (s->n_all == ROWS_MAX) {
        return -1;
    }
    int index = s->n_all++;
    s->next_id += 1 + (int64_t)rnd(s, 3);
    s->all[index] = (struct row){.id = s->next_id, .has_time = has_time, .second = second};
    snprintf(s->names[index], sizeof s->names[index], "%lld", (long long)s->next_id);
    place(s, index);
    return index;
}

static void fill(struct sim *s, int n, int nulls, int tie_percent, bool mixed_ids)
{
    s->now = EPOCH;
    s->next_id = (int64_t)rnd(s, 120);
    for (int i = 0; i < n; i++) {
        if (rnd(s, 100) >= (uint64_t)tie_percent) {
            s->now += 1 + (int64_t)rnd(s, 4);
        }
        int64_t second = s->now;
        if (s->by == OF_LIST_UPDATED || mixed_ids) { /* an imported record may be older than its number */
            second -= (int64_t)rnd(s, 50);
        }
        (void)make_row(s, i >= nulls, second);
    }
    s->now += (int64_t)rnd(s, 2);
}

/* --- its server --- */

static void serve(struct sim *s, int range, struct answer *a)
{
    struct of_list_pos pos;
    of_listing_pos(&s->l, range, &pos);
    CHECK(s, pos.offset >= 0 && pos.per_page >= 1 && pos.per_page <= OF_LISTING_PAGE);
    memset(a, 0, sizeof *a);
    a->flying = a->readable = true;
    a->page.rows = a->keys;
    int64_t at = 0;
    int64_t total = 0;
    for (int i = 0; i < s->n; i++) {
        const struct row *r = &s->all[s->order[i]];
        if (pos.has_from && (!r->has_time || r->second * 1000000 < pos.from.us)) {
            continue;
        }
        total++;
        if (at++ < pos.offset || a->page.n_rows == (size_t)pos.per_page) {
            continue;
        }
        a->readable = a->readable && !r->bad;
        a->rows[a->page.n_rows] = s->order[i];
        a->keys[a->page.n_rows++] = (struct of_row_key){
            .id = s->names[s->order[i]],
            .has_time = s->by != OF_LIST_OFFSET && r->has_time,
            .time = {.us = r->second * 1000000},
        };
    }
    a->page.total = total;
    a->page.has_next = total > pos.offset + (int64_t)a->page.n_rows;
    s->requests++;
}

static void spoil(struct sim *s, int range, struct answer *a)
{
    if (s->faults == 0 || rnd(s, 6) != 0) {
        return;
    }
    s->faults--;
    switch (rnd(s, 3)) {
    case 0: /* no rows, links and numbers as they would be */
        a->page.n_rows = 0;
        a->readable = true;
        break;
    case 1:
        /* where there is nothing to compare with, only the count will tell */
        if (s->has_before[range] && a->readable && s->l.r[range].last[0] && !s->l.r[range].back) {
            *a = s->before[range];
            a->page.rows = a->keys;
            a->flying = true;
        }
        break;
    default:
        a->readable = false;
        break;
    }
}

/* --- events --- */

static void change(struct sim *s)
{
    s->changes--;
    uint64_t what = rnd(s, 10);
    if (rnd(s, 3) == 0) {
        s->now += (int64_t)rnd(s, 3);
    }
    if (what < 5 && s->n > 0) { /* a run of deletions, so that whole pages may go */
        int many = rnd(s, 8) == 0 ? 1 + (int)rnd(s, 150) : 1 + (int)rnd(s, 3);
        int at = (int)rnd(s, (uint64_t)s->n);
        for (; many > 0 && at < s->n; many--) {
            s->all[s->order[at]].due = false;
            take_out(s, at);
        }
    } else if (what < 8 || s->by != OF_LIST_UPDATED || s->n == 0) {
        (void)make_row(s, true, s->now);
    } else {
        int at = (int)rnd(s, (uint64_t)s->n);
        int index = s->order[at];
        take_out(s, at);
        s->all[index].due = s->all[index].due && s->from_somewhere; /* else the look at what changed shows it */
        s->all[index].has_time = true;
        s->all[index].second = s->now;
        place(s, index);
    }
}

/* What is on its way is lost; the walk goes on from what was written down. */
static void interrupt(struct sim *s)
{
    s->interrupts--;
    struct of_buf b = OF_BUF_INIT(64 * 1024);
    struct of_json *cursor = NULL;
    struct of_listing *read = of_calloc(1, sizeof *read);
    of_buf_char(&b, '{');
    of_listing_write(&s->l, &b);
    of_buf_char(&b, '}');
    CHECK(s, of_json_parse(of_buf_text(&b), b.len, 64 * 1024, &cursor, NULL) == OF_OK);
    CHECK(s, of_listing_read(read, cursor));
    CHECK(s, memcmp(read, &s->l, sizeof *read) == 0 || read->n == s->l.n);
    s->l = *read;
    of_json_free(cursor);
    of_buf_done(&b);
    of_freep(&read);
    memset(s->failures, 0, sizeof s->failures);
    for (int i = 0; i < OF_LISTING_MAX; i++) {
        s->answers[i].flying = false;
    }
}

static void unreadable(struct sim *s, int range, const struct answer *a)
{
    char where[160] = "";
    if (++s->failures[range] < 2) {
        return;
    }
    s->failures[range] = 0;
    if (of_listing_unreadable(&s->l, range, where, sizeof where)) {
        s->unreadable++;
        CHECK(s, where[0]);
        CHECK(s, a->page.n_rows <= 1);
        if (a->page.n_rows == 1) {
            s->all[a->rows[0]].blamed = true;
        }
    }
}

static void deliver(struct sim *s, int range)
{
    struct answer *a = &s->answers[range];
    a->flying = false;
    if (!a->readable) {
        unreadable(s, range, a);
        return;
    }
    s->failures[range] = 0;
    enum of_advance how = of_listing_advance(&s->l, range, &a->page, s->ways);
    s->rewalks += how != OF_ADVANCE_OK;
    for (size_t i = 0; i < a->page.n_rows; i++) { /* what a page shows is taken, whatever it says about the place */
        s->all[a->rows[i]].met = true;
    }
    s->before[range] = *a;
    s->has_before[range] = true;
}

/* Asks or delivers, for a range by chance; false: nothing was to be done for it. */
static bool turn(struct sim *s)
{
    int range = (int)rnd(s, (uint64_t)s->l.n);
    if (s->answers[range].flying) {
        deliver(s, range);
        return true;
    }
    if (s->l.r[range].done) {
        return false;
    }
    serve(s, range, &s->answers[range]);
    spoil(s, range, &s->answers[range]);
    return true;
}

static void walk(struct sim *s)
{
    for (int step = 0; !of_listing_is_done(&s->l); step++) {
        if (step == STEPS_MAX) {
            fail_msg("seed %llu: no end after %d requests", (unsigned long long)s->seed, s->requests);
        }
        if (s->changes > 0 && rnd(s, 3) == 0) {
            change(s);
        }
        if (s->interrupts > 0 && rnd(s, 12) == 0) {
            interrupt(s);
        }
        (void)turn(s);
    }
}

static void look(struct sim *s)
{
    for (int i = 0; i < s->n_all; i++) {
        const struct row *r = &s->all[i];
        if (r->due && !r->met && !r->blamed) {
            fail_msg("seed %llu: row %lld (second %lld) lived all the time and was not met; by %d, %d rows, %d requests",
                     (unsigned long long)s->seed, (long long)r->id, (long long)(r->second - EPOCH), (int)s->by, s->n_all, s->requests);
        }
        if (r->blamed && !r->bad) {
            fail_msg("seed %llu: row %lld was skipped as unreadable and is not", (unsigned long long)s->seed, (long long)r->id);
        }
    }
}

enum course { QUIET, CHANGES, FAULTS, BAD_ROWS, EVERYTHING };

static void begin(struct sim *s, uint64_t seed, enum course course)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->random = (seed + 1) * 0x9E3779B97F4A7C15u + (uint64_t)course;
    for (int i = 0; i < 8; i++) {
        (void)rnd(s, 0);
    }
    static const enum of_list_by kinds[] = {OF_LIST_CREATED, OF_LIST_CREATED, OF_LIST_UPDATED, OF_LIST_OFFSET};
    s->by = kinds[rnd(s, 4)];
    s->ways = 1 + (int)rnd(s, 4);
    static const int sizes[] = {3, 120, 450, 1100};
    int n = (int)rnd(s, (uint64_t)sizes[rnd(s, 4)] + 1);
    static const int ties[] = {0, 50, 90, 98, 100};
    int nulls = s->by == OF_LIST_CREATED && rnd(s, 4) == 0 ? (int)rnd(s, 260) : 0;
    fill(s, n, OF_MIN(nulls, n), ties[rnd(s, 5)], rnd(s, 3) == 0);
    bool has_from = s->by == OF_LIST_UPDATED && rnd(s, 3) > 0; /* what changed since; else in several ways like the others */
    s->from_somewhere = has_from;
    struct of_wall from = {.us = (EPOCH + (int64_t)rnd(s, (uint64_t)(s->now - EPOCH) + 1) - 20) * 1000000};
    for (int i = 0; i < s->n; i++) {
        struct row *r = &s->all[s->order[i]];
        r->whole = true;
        r->due = !has_from || (r->has_time && r->second * 1000000 >= from.us);
    }
    of_listing_init(&s->l, s->by, has_from, from);
    if (course == CHANGES || course == EVERYTHING) {
        s->changes = (int)rnd(s, 60);
    }
    if (course == FAULTS || course == EVERYTHING) {
        s->faults = (int)rnd(s, 12);
    }
    if (course == BAD_ROWS) {
        int bad = 1 + (int)rnd(s, 4);
        for (int i = 0; i < bad && s->n > 0; i++) {
            s->all[s->order[rnd(s, (uint64_t)s->n)]].bad = true;
        }
    }
    s->interrupts = course == QUIET ? 0 : (int)rnd(s, 4);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    int64_t v = 0;
    const char *text = getenv(name);
    return text && of_parse_i64(text, 0, INT64_MAX, &v) ? (uint64_t)v : otherwise;
}

static void course(enum course c, uint64_t seeds)
{
    struct sim *s = of_calloc(1, sizeof *s);
    uint64_t from = number("OF_TEST_SEED", 0);
    uint64_t to = getenv("OF_TEST_SEED") ? from + 1 : number("OF_TEST_SEEDS", seeds);
    for (uint64_t seed = from; seed < to; seed++) {
        begin(s, seed, c);
        int n = s->n;
        walk(s);
        look(s);
        if (c == QUIET) {
            CHECK(s, s->rewalks == 0);
            int bound = (n + 98) / 99 + 2 * s->ways + 2;
            if (s->requests > bound) {
                fail_msg("seed %llu: %d requests for %d rows in %d ways", (unsigned long long)seed, s->requests, n, s->ways);
            }
        }
    }
    of_freep(&s);
}

static void a_quiet_list_costs_few_requests(void **state)
{
    (void)state;
    course(QUIET, 2000);
}

static void people_edit_meanwhile(void **state)
{
    (void)state;
    course(CHANGES, 3000);
}

static void pages_come_empty_or_twice(void **state)
{
    (void)state;
    course(FAULTS, 2000);
}

static void rows_that_cannot_be_read_are_found(void **state)
{
    (void)state;
    course(BAD_ROWS, 1000);
}

static void all_of_it_at_once(void **state)
{
    (void)state;
    course(EVERYTHING, 2000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_list_costs_few_requests), cmocka_unit_test(people_edit_meanwhile),
        cmocka_unit_test(pages_come_empty_or_twice),       cmocka_unit_test(rows_that_cannot_be_read_are_found),
        cmocka_unit_test(all_of_it_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

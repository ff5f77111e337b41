/* SPDX-License-Identifier: Apache-2.0 */
/* What may be confirmed, whose changes are wanted, and which are our own. */
#include "cdc/tracker.h"
#include "cdc/own.h"
#include "cdc/wanted.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct of_err no_err = {.code = OF_OK};

static uint64_t advance(struct of_cdc_tracker *t)
{
    static uint64_t end;
    static int64_t at;
    end = 0;
    (void)of_cdc_tracker_advance(t, &end, &at);
    return end;
}

static void in_order(void **state)
{
    (void)state;
    struct of_cdc_tracker *t = of_cdc_tracker_new();
    struct of_cdc_commit *a = of_cdc_commit_open(t, 100);
    of_cdc_commit_hold(a);
    of_cdc_commit_end(a, 10);
    struct of_cdc_commit *b = of_cdc_commit_open(t, 200);
    of_cdc_commit_hold(b);
    of_cdc_commit_hold(b);
    of_cdc_commit_end(b, 20);
    struct of_cdc_commit *c = of_cdc_commit_open(t, 300);
    assert_int_equal(of_cdc_tracker_in_flight(t), 3);
    of_cdc_delivered(b, &no_err);
    of_cdc_delivered(b, &no_err);
    assert_int_equal(advance(t), 0); /* the first is not acknowledged */
    assert_int_equal(of_cdc_tracker_oldest_us(t), 100);
    of_cdc_delivered(a, &no_err);
    assert_int_equal(advance(t), 20);
    assert_int_equal(of_cdc_tracker_oldest_us(t), 300);
    assert_false(of_cdc_tracker_is_empty(t)); /* one that has not ended, without messages */
    assert_int_equal(advance(t), 0);
    of_cdc_commit_end(c, 30);
    assert_int_equal(advance(t), 30);
    assert_true(of_cdc_tracker_is_empty(t));
    assert_int_equal(of_cdc_tracker_in_flight(t), 0);
    of_cdc_tracker_free(t);
}

static void failure_stops(void **state)
{
    (void)state;
    struct of_cdc_tracker *t = of_cdc_tracker_new();
    struct of_err bad = {.code = OF_E_KAFKA, .kafka_code = -192}, told = OF_ERR_INIT;
    struct of_cdc_commit *a = of_cdc_commit_open(t, 1);
    of_cdc_commit_hold(a);
    of_cdc_commit_end(a, 10);
    struct of_cdc_commit *b = of_cdc_commit_open(t, 2);
    of_cdc_commit_hold(b);
    of_cdc_commit_end(b, 20);
    of_cdc_delivered(a, &bad);
    of_cdc_delivered(b, &no_err);
    assert_int_equal(advance(t), 0);
    assert_true(of_cdc_tracker_failed(t, &told));
    assert_int_equal(told.kafka_code, -192);
    of_cdc_tracker_wait(t, 1, 60000); /* does not wait for what will not come */
    of_cdc_tracker_free(t);
}

struct ack {
    struct of_cdc_commit *commits[64];
};

static void *acknowledge(void *arg)
{
    struct ack *ack = arg;
    for (int k = 0; k < 1000; k++) {
        for (int i = 63; i >= 0; i--) {
            of_cdc_delivered(ack->commits[i], &no_err);
        }
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    struct of_cdc_tracker *t = of_cdc_tracker_new();
    struct ack ack;
    pthread_t thread;
    uint64_t end = 0;
    int64_t at = 0;
    for (int i = 0; i < 64; i++) {
        ack.commits[i] = of_cdc_commit_open(t, i);
        for (int k = 0; k < 1000; k++) {
            of_cdc_commit_hold(ack.commits[i]);
        }
        of_cdc_commit_end(ack.commits[i], (uint64_t)i + 1);
    }
    assert_int_equal(pthread_create(&thread, NULL, acknowledge, &ack), 0);
    while (of_cdc_tracker_in_flight(t) > 0) {
        of_cdc_tracker_wait(t, OF_MAX(of_cdc_tracker_in_flight(t) / 2, 1), 20);
        (void)of_cdc_tracker_advance(t, &end, &at);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)of_cdc_tracker_advance(t, &end, &at);
    assert_int_equal(end, 64);
    of_cdc_tracker_free(t);
}

static bool has(struct of_cdc_wanted *w, const char *org)
{
    return of_cdc_wanted_has(w, org, strlen(org));
}

static void set(struct of_cdc_wanted *w, const char *org, const char *adapter, bool on)
{
    of_cdc_wanted_set(w, org, strlen(org), adapter, strlen(adapter), on);
}

static void wanted(void **state)
{
    (void)state;
    struct of_cdc_wanted *w = of_cdc_wanted_new();
    const char *org = NULL;
    char name[32];
    assert_false(has(w, "a"));
    set(w, "a", "pco", false);
    set(w, "a", "pco", true);
    set(w, "a", "pco", true);
    set(w, "a", "breeze", true);
    assert_true(has(w, "a"));
    assert_false(has(w, "ab"));
    assert_false(of_cdc_wanted_only_by(w, "a", 1, "pco"));
    set(w, "a", "pco", false);
    assert_true(has(w, "a"));
    assert_true(of_cdc_wanted_only_by(w, "a", 1, "breeze"));
    assert_false(of_cdc_wanted_only_by(w, "a", 1, "pco"));
    assert_false(of_cdc_wanted_only_by(w, "b", 1, "pco"));
    set(w, "a", "breeze", false);
    assert_false(has(w, "a"));
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "org-%d", i);
        set(w, name, "pco", true);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "org-%d", i);
        assert_true(has(w, name));
    }
    assert_true(of_cdc_wanted_at(w, 0, &org));
    assert_null(org);
    assert_true(of_cdc_wanted_at(w, 5000, &org));
    assert_string_equal(org, "org-4999");
    assert_false(of_cdc_wanted_at(w, 5001, &org));
    of_cdc_wanted_clear(w);
    assert_false(has(w, "org-1"));
    of_cdc_wanted_free(w);
}

static void own_is(const struct of_cdc_own *o, const char *id, bool is_edge, const char *by)
{
    const char *found = of_cdc_own_by(o, id, strlen(id), is_edge);
    assert_true((found == NULL) == (by == NULL));
    if (by) {
        assert_string_equal(found, by);
    }
}

static void own_writes(void **state)
{
    (void)state;
    struct of_cdc_own *o = of_cdc_own_new();
    char id[32];
    own_is(o, "person_1", false, NULL);
    of_cdc_own_add(o, "pco", 3, "person_1", 8);
    of_cdc_own_add(o, "pco", 3, "person_1", 8);
    of_cdc_own_add(o, "pco", 3, "group_1|person_9|group_has_person", 33);
    of_cdc_own_add(o, "pco", 3, "", 0);
    own_is(o, "person_1", false, "pco");
    own_is(o, "person_2", false, NULL);
    own_is(o, "person_1|x", false, NULL);
    own_is(o, "email_5|person_1|email_has_person", true, "pco");
    own_is(o, "person_1|person_2|merged", true, "pco");
    own_is(o, "email_5|person_2|email_has_person", true, NULL);
    own_is(o, "group_1|person_9|group_has_person", true, "pco");
    own_is(o, "group_1|person_8|group_has_person", true, NULL);
    own_is(o, "person_1|", true, NULL); /* no edge at all */
    own_is(o, "person_1", true, "pco");
    of_cdc_own_add(o, "breeze", 6, "person_2", 8); /* two systems in one transaction: nobody knows whose */
    own_is(o, "person_1", false, NULL);
    own_is(o, "person_2", false, NULL);
    of_cdc_own_clear(o);
    own_is(o, "person_1", false, NULL);
    for (int i = 0; i < 40000; i++) { /* what does not fit is reported like anything */
        snprintf(id, sizeof id, "person_%d", i);
        of_cdc_own_add(o, "pco", 3, id, strlen(id));
    }
    own_is(o, "person_0", false, "pco");
    own_is(o, "person_10000", false, "pco");
    own_is(o, "person_39999", false, NULL);
    of_cdc_own_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_order), cmocka_unit_test(failure_stops), cmocka_unit_test(threads),
                                       cmocka_unit_test(wanted), cmocka_unit_test(own_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

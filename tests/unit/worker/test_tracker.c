/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tracker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct of_tracked msg(int32_t partition, int64_t epoch, int64_t offset)
{
    return (struct of_tracked){.topic = 0, .partition = partition, .epoch = epoch, .offset = offset};
}

/* The offset to commit of the only partition that moved; -1: none. */
static int64_t moved(struct of_tracker *t)
{
    int32_t topics[4] = {0};
    int32_t partitions[4] = {0};
    int64_t offsets[4] = {0};
    int n = of_tracker_commits(t, topics, partitions, offsets, 4);
    assert_in_range(n, 0, 1);
    return n == 1 ? offsets[0] : -1;
}

static void only_a_gapless_beginning_is_committed(void **state)
{
    (void)state;
    struct of_tracker *t = of_tracker_new();
    of_tracker_assign(t, 0, 3, 1);
    for (int64_t o = 10; o < 15; o++) {
        of_tracker_begin(t, msg(3, 1, o));
    }
    assert_int_equal(of_tracker_open(t, 0, 3), 5);
    of_tracker_end(t, msg(3, 1, 12));
    of_tracker_end(t, msg(3, 1, 11));
    assert_int_equal(moved(t), -1);
    of_tracker_end(t, msg(3, 1, 10));
    assert_int_equal(moved(t), 13);
    assert_int_equal(moved(t), -1);
    of_tracker_end(t, msg(3, 1, 10)); /* twice is nothing */
    of_tracker_end(t, msg(3, 1, 14));
    assert_int_equal(moved(t), -1);
    assert_int_equal(of_tracker_open(t, 0, 3), 1);
    of_tracker_end(t, msg(3, 1, 13));
    assert_int_equal(moved(t), 15);
    assert_int_equal(of_tracker_open(t, 0, 3), 0);
    of_tracker_again(t);
    assert_int_equal(moved(t), 15);
    of_tracker_free(t);
}

static void offsets_may_have_holes(void **state)
{
    (void)state;
    struct of_tracker *t = of_tracker_new();
    of_tracker_assign(t, 0, 0, 7);
    of_tracker_begin(t, msg(0, 7, 5));
    of_tracker_begin(t, msg(0, 7, 900));
    of_tracker_end(t, msg(0, 7, 6)); /* never begun */
    assert_int_equal(moved(t), -1);
    of_tracker_end(t, msg(0, 7, 5));
    assert_int_equal(moved(t), 6);
    of_tracker_end(t, msg(0, 7, 900));
    assert_int_equal(moved(t), 901);
    of_tracker_free(t);
}

static void a_former_assignment_does_nothing(void **state)
{
    (void)state;
    struct of_tracker *t = of_tracker_new();
    of_tracker_assign(t, 0, 0, 1);
    of_tracker_begin(t, msg(0, 1, 1));
    assert_true(of_tracker_is_held(t, msg(0, 1, 1)));
    of_tracker_revoke(t, 0, 0);
    assert_false(of_tracker_is_held(t, msg(0, 1, 1)));
    assert_int_equal(of_tracker_open(t, 0, 0), 0);
    of_tracker_end(t, msg(0, 1, 1));
    assert_int_equal(moved(t), -1);
    of_tracker_again(t);
    assert_int_equal(moved(t), -1);
    of_tracker_assign(t, 0, 0, 2);
    assert_false(of_tracker_is_held(t, msg(0, 1, 1)));
    of_tracker_begin(t, msg(0, 2, 1));
    of_tracker_end(t, msg(0, 1, 1));
    assert_int_equal(moved(t), -1);
    of_tracker_begin(t, msg(0, 1, 9));
    assert_int_equal(of_tracker_open(t, 0, 0), 1);
    of_tracker_end(t, msg(0, 2, 1));
    assert_int_equal(moved(t), 2);
    of_tracker_free(t);
}

static void many_in_any_order(void **state)
{
    (void)state;
    enum { N = 5000 };
    struct of_tracker *t = of_tracker_new();
    of_tracker_assign(t, 0, 0, 1);
    static int64_t order[N];
    for (int64_t i = 0; i < N; i++) {
        of_tracker_begin(t, msg(0, 1, i));
        order[i] = i;
    }
    unsigned seed = 1;
    for (size_t i = N - 1; i > 0; i--) {
        seed = seed * 1103515245U + 12345U;
        size_t j = (seed >> 8) % (i + 1);
        int64_t keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    static bool ended[N];
    int64_t low = 0;
    int64_t committed = 0;
    for (size_t i = 0; i < N; i++) {
        of_tracker_end(t, msg(0, 1, order[i]));
        ended[order[i]] = true;
        while (low < N && ended[low]) {
            low++;
        }
        int64_t now = moved(t);
        committed = now >= 0 ? now : committed;
        assert_int_equal(committed, low);
    }
    assert_int_equal(committed, N);
    of_tracker_free(t);
}

static void topics_and_partitions_are_apart(void **state)
{
    (void)state;
    struct of_tracker *t = of_tracker_new();
    for (int32_t p = 0; p < 3; p++) {
        of_tracker_assign(t, 0, p, 1);
        of_tracker_assign(t, 1, p, 1);
        for (int32_t topic = 0; topic < 2; topic++) {
            struct of_tracked m = {.topic = topic, .partition = p, .epoch = 1, .offset = 40 + topic};
            of_tracker_begin(t, m);
            of_tracker_end(t, m);
        }
    }
    int32_t topics[6] = {0};
    int32_t partitions[6] = {0};
    int64_t offsets[6] = {0};
    assert_int_equal(of_tracker_commits(t, topics, partitions, offsets, 4), 4);
    assert_int_equal(of_tracker_commits(t, topics + 4, partitions + 4, offsets + 4, 2), 2);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(offsets[i], 41 + topics[i]);
    }
    of_tracker_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_gapless_beginning_is_committed), cmocka_unit_test(offsets_may_have_holes),
        cmocka_unit_test(a_former_assignment_does_nothing),      cmocka_unit_test(many_in_any_order),
        cmocka_unit_test(topics_and_partitions_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

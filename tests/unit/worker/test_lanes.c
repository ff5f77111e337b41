/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/lanes.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_MS 10000

/* What happened, in order. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static int log_of[100000];
static int log_len;
static atomic_int n_freed, n_over, n_started;

static void note(int what)
{
    (void)pthread_mutex_lock(&log_lock);
    log_of[log_len++] = what;
    (void)pthread_mutex_unlock(&log_lock);
}

static int reset(void **state)
{
    (void)state;
    log_len = 0;
    atomic_store(&n_freed, 0);
    atomic_store(&n_over, 0);
    atomic_store(&n_started, 0);
    of_lanes_set_origin(NULL);
    return 0;
}

struct job {
    struct of_job job;
    int id;
    int steps;       /* steps still to run */
    enum of_step go; /* between steps */
    int64_t wait_ms;
    atomic_int *running; /* of the lane, or NULL */
    int most;
    atomic_bool *gate; /* the step stays until it is true */
    struct pinger *pinger;
};

static void job_free(struct of_job *j)
{
    atomic_fetch_add(&n_freed, 1);
    free(OF_CONTAINER_OF(j, struct job, job));
}

static enum of_step job_step(struct of_job *j)
{
    struct job *job = OF_CONTAINER_OF(j, struct job, job);
    if (job->running) {
        assert_true(atomic_fetch_add(job->running, 1) < job->most);
    }
    note(job->id);
    while (job->gate && !atomic_load(job->gate)) {
        (void)usleep(100);
    }
    if (job->running) {
        atomic_fetch_sub(job->running, 1);
    }
    job->steps--;
    if (job->steps <= 0) {
        return OF_STEP_DONE;
    }
    if (job->go == OF_STEP_WAIT && job->wait_ms > 0) {
        job->job.wake_at.ms = of_boot_now().ms + job->wait_ms;
    }
    return job->go;
}

static struct job *job_new(int id, int steps, int priority)
{
    struct job *job = of_calloc(1, sizeof(*job));
    job->job.step = job_step;
    job->job.free = job_free;
    job->job.priority = priority;
    job->id = id;
    job->steps = steps;
    job->go = OF_STEP_AGAIN;
    return job;
}

static void wait_log(int n)
{
    for (int i = 0; i < LONG_MS; i++) {
        (void)pthread_mutex_lock(&log_lock);
        bool there = log_len >= n;
        (void)pthread_mutex_unlock(&log_lock);
        if (there) {
            return;
        }
        (void)usleep(1000);
    }
    fail_msg("%d of %d steps ran", log_len, n);
}

static void one_lane_keeps_the_order(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(4, 1);
    atomic_int running = 0;
    for (int i = 0; i < 500; i++) {
        struct job *job = job_new(i, 1, OF_PRIO_BULK);
        job->running = &running;
        job->most = 1;
        of_lanes_add(lanes, "org", &job->job);
    }
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    assert_int_equal(log_len, 500);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(log_of[i], i);
    }
    assert_int_equal(atomic_load(&n_freed), 500);
    of_lanes_free(lanes);
}

static void lower_priority_numbers_go_first(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(2, 1);
    atomic_bool gate = false;
    struct job *first = job_new(0, 1, OF_PRIO_BULK);
    first->gate = &gate;
    of_lanes_add(lanes, "org", &first->job);
    wait_log(1);
    of_lanes_add(lanes, "org", &job_new(4, 1, OF_PRIO_BULK)->job);
    of_lanes_add(lanes, "org", &job_new(3, 1, OF_PRIO_WORK)->job);
    of_lanes_add(lanes, "org", &job_new(1, 1, OF_PRIO_LIVE)->job);
    of_lanes_add(lanes, "org", &job_new(2, 1, OF_PRIO_LIVE)->job);
    assert_int_equal(of_lanes_depth(lanes, "org"), 5);
    assert_int_equal(of_lanes_depth(lanes, "other"), 0);
    atomic_store(&gate, true);
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(log_of[i], i);
    }
    assert_int_equal(of_lanes_depth(lanes, "org"), 0);
    of_lanes_free(lanes);
}

static void lanes_take_turns(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(1, 1);
    atomic_bool gate = false;
    struct job *first = job_new(-1, 1, OF_PRIO_BULK);
    first->gate = &gate;
    of_lanes_add(lanes, "gate", &first->job);
    wait_log(1);
    for (int i = 0; i < 100; i++) {
        of_lanes_add(lanes, "big", &job_new(0, 1, OF_PRIO_BULK)->job);
    }
    for (int lane = 1; lane <= 5; lane++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "small%d", lane);
        of_lanes_add(lanes, key, &job_new(lane, 3, OF_PRIO_BULK)->job);
    }
    atomic_store(&gate, true);
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    for (int i = 0; i < 18; i++) {
        assert_int_equal(log_of[1 + i], i % 6);
    }
    of_lanes_free(lanes);
}

static void parallel_is_the_limit_of_a_lane(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(8, 3);
    atomic_bool gate = false;
    atomic_int running = 0;
    for (int i = 0; i < 20; i++) {
        struct job *job = job_new(i, 1, OF_PRIO_BULK);
        job->gate = &gate;
        job->running = &running;
        job->most = 3;
        of_lanes_add(lanes, "org", &job->job);
    }
    wait_log(3);
    (void)usleep(20000);
    assert_int_equal(log_len, 3); /* others would have begun by now */
    atomic_store(&gate, true);
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    assert_int_equal(log_len, 20);
    of_lanes_free(lanes);
}

/* A started job that waits holds its place: of one lane `parallel` are started, not running. */
static void waiting_jobs_hold_their_place(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(2, 1);
    struct job *waits = job_new(1, 2, OF_PRIO_BULK);
    waits->go = OF_STEP_WAIT;
    of_lanes_add(lanes, "org", &waits->job);
    wait_log(1);
    of_lanes_add(lanes, "org", &job_new(2, 1, OF_PRIO_LIVE)->job);
    of_lanes_add(lanes, "else", &job_new(3, 1, OF_PRIO_BULK)->job);
    wait_log(2);
    assert_int_equal(log_of[1], 3);
    of_job_wake(lanes, &waits->job);
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    assert_int_equal(log_of[2], 1);
    assert_int_equal(log_of[3], 2);
    of_lanes_free(lanes);
}

struct pinger {
    struct of_lanes *lanes;
    struct job *job;
    atomic_int left;
};

static void ping(void *arg)
{
    struct pinger *p = arg;
    of_job_wake(p->lanes, &p->job->job);
}

static enum of_step asks_for_ping(struct of_job *j)
{
    struct job *job = OF_CONTAINER_OF(j, struct job, job);
    struct pinger *p = job->pinger;
    if (--job->steps == 0) {
        atomic_fetch_sub(&p->left, 1);
        return OF_STEP_DONE;
    }
    of_lanes_run(p->lanes, ping, p); /* may wake us before we have said that we wait */
    return OF_STEP_WAIT;
}

static void no_wake_is_lost(void **state)
{
    (void)state;
    enum { JOBS = 50, STEPS = 200 };
    struct of_lanes *lanes = of_lanes_new(4, 1);
    static struct pinger pingers[JOBS];
    for (int i = 0; i < JOBS; i++) {
        struct job *job = job_new(i, STEPS, OF_PRIO_BULK);
        job->job.step = asks_for_ping;
        pingers[i].lanes = lanes;
        pingers[i].job = job;
        atomic_store(&pingers[i].left, 1);
        job->pinger = &pingers[i];
        char key[32];
        (void)snprintf(key, sizeof(key), "k%d", i % 7);
        of_lanes_add(lanes, key, &job->job);
    }
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(atomic_load(&pingers[i].left), 0);
    }
    of_lanes_free(lanes);
}

static void moments_come(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(2, 8);
    int64_t begin = of_boot_now().ms;
    for (int i = 0; i < 40; i++) {
        struct job *job = job_new(i, 2, OF_PRIO_BULK);
        job->go = OF_STEP_WAIT;
        job->wait_ms = 20 + (i * 7) % 40;
        char key[32];
        (void)snprintf(key, sizeof(key), "k%d", i);
        of_lanes_add(lanes, key, &job->job);
    }
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    int64_t took = of_boot_now().ms - begin;
    assert_in_range(took, 59, 5000);
    assert_int_equal(log_len, 80);
    of_lanes_free(lanes);
}

static bool pick_odd(struct of_job *job, void *arg)
{
    (void)arg;
    return OF_CONTAINER_OF(job, struct job, job)->id % 2 == 1;
}

static void on_removed(struct of_job *job, void *arg)
{
    (*(int *)arg)++;
    of_job_discard(job);
}

static void removing_takes_only_what_has_not_started(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(2, 1);
    atomic_bool gate = false;
    struct job *first = job_new(1, 1, OF_PRIO_BULK);
    first->gate = &gate;
    of_lanes_add(lanes, "org", &first->job);
    wait_log(1);
    for (int i = 2; i < 10; i++) {
        of_lanes_add(lanes, "org", &job_new(i, 1, i % 3)->job);
    }
    int n = 0;
    assert_int_equal(of_lanes_remove(lanes, "nobody", pick_odd, on_removed, &n), 0);
    assert_int_equal(of_lanes_remove(lanes, "org", pick_odd, on_removed, &n), 4);
    assert_int_equal(n, 4);
    assert_int_equal(of_lanes_remove(lanes, NULL, pick_odd, on_removed, &n), 0);
    assert_int_equal(of_lanes_depth(lanes, "org"), 5);
    atomic_store(&gate, true);
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    assert_int_equal(log_len, 5);
    for (int i = 1; i < 5; i++) {
        assert_int_equal(log_of[i] % 2, 0);
    }
    assert_int_equal(atomic_load(&n_freed), 9);
    of_lanes_free(lanes);
}

struct origin {
    struct of_origin o;
    bool started;
};

static void origin_started(struct of_origin *o)
{
    struct origin *origin = OF_CONTAINER_OF(o, struct origin, o);
    assert_false(origin->started);
    origin->started = true;
    atomic_fetch_add(&n_started, 1);
}

static void origin_over(struct of_origin *o)
{
    atomic_fetch_add(&n_over, 1);
    free(OF_CONTAINER_OF(o, struct origin, o));
}

static void add_with_origin(struct of_lanes *lanes, struct job *job)
{
    struct origin *origin = of_calloc(1, sizeof(*origin));
    origin->o = (struct of_origin){.started = origin_started, .over = origin_over};
    of_lanes_set_origin(&origin->o);
    of_lanes_add(lanes, "org", &job->job);
    of_lanes_set_origin(NULL);
}

static void draining_finishes_what_was_begun(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(2, 1);
    atomic_bool gate = false;
    struct job *first = job_new(1, 3, OF_PRIO_BULK);
    first->gate = &gate;
    add_with_origin(lanes, first);
    wait_log(1);
    for (int i = 0; i < 5; i++) {
        add_with_origin(lanes, job_new(2, 1, OF_PRIO_LIVE));
    }
    of_lanes_drain(lanes);
    assert_int_equal(atomic_load(&n_freed), 5);
    assert_int_equal(atomic_load(&n_over), 5);
    add_with_origin(lanes, job_new(3, 1, OF_PRIO_LIVE));
    assert_int_equal(atomic_load(&n_freed), 6);
    assert_false(of_lanes_wait_empty(lanes, 20));
    atomic_store(&gate, true);
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    assert_int_equal(log_len, 3);
    assert_int_equal(atomic_load(&n_over), 7);
    assert_int_equal(atomic_load(&n_started), 1);
    of_lanes_free(lanes);
}

static void run_note(void *arg)
{
    note(*(int *)arg);
}

static void freeing_leaves_nothing(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(2, 2);
    for (int i = 0; i < 6; i++) {
        struct job *job = job_new(i, 2, OF_PRIO_BULK);
        job->go = OF_STEP_WAIT;
        job->wait_ms = i % 2 == 0 ? 0 : 100000;
        add_with_origin(lanes, job);
    }
    wait_log(2);
    static int what = 77;
    for (int i = 0; i < 10; i++) {
        of_lanes_run(lanes, run_note, &what);
    }
    struct of_lanes_stats stats;
    of_lanes_stats(lanes, &stats);
    assert_int_equal(stats.lanes, 1);
    assert_int_equal(stats.queued, 4);
    of_lanes_free(lanes);
    assert_int_equal(atomic_load(&n_freed), 6);
    assert_int_equal(atomic_load(&n_over), 6);
    assert_int_equal(log_len, 12);
}

/* --- a job inside another, made at its first turn --- */

struct shell {
    struct of_job job;
    struct of_lanes *lanes;
    struct job *inside;
};

static enum of_step shell_step(struct of_job *j)
{
    struct shell *shell = OF_CONTAINER_OF(j, struct shell, job);
    if (!shell->inside) {
        of_lanes_capture(j);
        struct job *inside = job_new(7, 2, OF_PRIO_BULK);
        inside->go = OF_STEP_WAIT;
        of_lanes_add(shell->lanes, "never made", &inside->job);
        struct of_job *caught = of_lanes_captured();
        assert_ptr_equal(caught, &inside->job);
        shell->inside = inside;
    }
    enum of_step step = job_step(&shell->inside->job);
    j->wake_at = shell->inside->job.wake_at;
    return step;
}

static void shell_free(struct of_job *j)
{
    struct shell *shell = OF_CONTAINER_OF(j, struct shell, job);
    job_free(&shell->inside->job);
    free(shell);
}

static void a_job_inside_another(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(2, 1);
    struct shell *shell = of_calloc(1, sizeof(*shell));
    shell->job = (struct of_job){.step = shell_step, .free = shell_free, .priority = OF_PRIO_BULK};
    shell->lanes = lanes;
    of_lanes_add(lanes, "org", &shell->job);
    wait_log(1);
    assert_int_equal(of_lanes_jobs(lanes), 1);
    of_job_wake(lanes, &shell->inside->job);
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    assert_int_equal(log_len, 2);
    assert_int_equal(atomic_load(&n_freed), 1);
    assert_null(of_lanes_captured());
    of_lanes_free(lanes);
}

/* Everything at once: four threads add and wake, one removes. */
struct crowd {
    struct of_lanes *lanes;
    int from;
};

static void *crowd_main(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 1000; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "k%d", (c->from + i * 7) % 37);
        struct job *job = job_new(c->from + i, 1 + i % 3, i % 3);
        job->go = i % 5 == 0 ? OF_STEP_WAIT : OF_STEP_AGAIN;
        job->wait_ms = 1;
        of_lanes_add(c->lanes, key, &job->job);
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    struct of_lanes *lanes = of_lanes_new(4, 2);
    pthread_t threads[4];
    struct crowd crowds[4];
    for (int i = 0; i < 4; i++) {
        crowds[i] = (struct crowd){.lanes = lanes, .from = i * 10000};
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowds[i]), 0);
    }
    int removed = 0;
    for (int i = 0; i < 50; i++) {
        (void)of_lanes_remove(lanes, i % 2 == 0 ? NULL : "k3", pick_odd, on_removed, &removed);
        (void)usleep(500);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    assert_true(of_lanes_wait_empty(lanes, LONG_MS));
    assert_int_equal(atomic_load(&n_freed), 4000);
    assert_int_equal(of_lanes_jobs(lanes), 0);
    of_lanes_free(lanes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_lane_keeps_the_order, reset),
        cmocka_unit_test_setup(lower_priority_numbers_go_first, reset),
        cmocka_unit_test_setup(lanes_take_turns, reset),
        cmocka_unit_test_setup(parallel_is_the_limit_of_a_lane, reset),
        cmocka_unit_test_setup(waiting_jobs_hold_their_place, reset),
        cmocka_unit_test_setup(no_wake_is_lost, reset),
        cmocka_unit_test_setup(moments_come, reset),
        cmocka_unit_test_setup(removing_takes_only_what_has_not_started, reset),
        cmocka_unit_test_setup(draining_finishes_what_was_begun, reset),
        cmocka_unit_test_setup(freeing_leaves_nothing, reset),
        cmocka_unit_test_setup(a_job_inside_another, reset),
        cmocka_unit_test_setup(many_threads, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

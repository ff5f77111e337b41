/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/lanes_int.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* Boot time goes on through suspend, the clock of a condition variable does not: look again now and then. */
#define LONGEST_WAIT_MS 1000

static _Thread_local struct of_origin *adding_for;
static _Thread_local struct of_job *capture_outer, *captured;

static struct timespec mono_in(int64_t ms)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += (time_t)(ms / 1000);
    ts.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000L;
    }
    return ts;
}

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    OF_BUG_ON(pthread_condattr_init(&attr) != 0);
    OF_BUG_ON(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0);
    OF_BUG_ON(pthread_cond_init(cond, &attr) != 0);
    (void)pthread_condattr_destroy(&attr);
}

static void lock(struct of_lanes *lanes)
{
    OF_BUG_ON(pthread_mutex_lock(&lanes->lock) != 0);
}

static void unlock(struct of_lanes *lanes)
{
    OF_BUG_ON(pthread_mutex_unlock(&lanes->lock) != 0);
}

/* There is something to do: one idle executor is enough for it. */
static void call_one(struct of_lanes *lanes)
{
    if (lanes->idle > 0) {
        (void)pthread_cond_signal(&lanes->work);
    } else if (lanes->watched) {
        (void)pthread_cond_signal(&lanes->timer);
    }
}

static void tell_if_empty(struct of_lanes *lanes)
{
    if (lanes->n_jobs == 0 && !lanes->run_head && lanes->n_running == 0) {
        (void)pthread_cond_broadcast(&lanes->empty);
    }
}

void of_job_discard(struct of_job *job)
{
    struct of_origin *origin = job->origin;
    job->free(job);
    if (origin) {
        origin->over(origin);
    }
}

/* --- steps --- */

static void make_runnable(struct of_lanes *lanes, struct of_job *job)
{
    job->state = OF_JOB_RUNNABLE;
    of_jobs_push(&job->lane->runnable[job->priority], job);
    if (of_lane_ready(lanes, job->lane)) {
        call_one(lanes);
    }
}

static void job_is_over(struct of_lanes *lanes, struct of_lane *lane)
{
    lane->started--;
    lane->jobs--;
    lanes->n_jobs--;
    if (of_lane_ready(lanes, lane)) {
        call_one(lanes);
    }
    of_lane_drop_if_empty(lanes, lane);
}

static void job_waits(struct of_lanes *lanes, struct of_job *job)
{
    if (job->woken) {
        make_runnable(lanes, job);
        return;
    }
    job->state = OF_JOB_WAITING;
    lanes->n_waiting++;
    if (job->wake_at.ms == 0) {
        job->wake_at.ms = INT64_MAX;
    }
    of_lanes_heap_push(lanes, job);
    if (job->heap_index == 1 && lanes->watched) {
        (void)pthread_cond_signal(&lanes->timer); /* earlier than what it waits for */
    }
}

/* Called and left with the lock held. */
static void run_step(struct of_lanes *lanes, struct of_job *job, bool first)
{
    struct of_lane *lane = job->lane;
    job->state = OF_JOB_RUNNING;
    job->woken = false;
    job->wake_at.ms = 0;
    lanes->n_running++;
    unlock(lanes);
    if (first && job->origin) {
        job->origin->started(job->origin);
    }
    enum of_step step = job->step(job);
    if (step == OF_STEP_DONE) {
        of_job_discard(job);
    }
    lock(lanes);
    lanes->n_running--;
    switch (step) {
    case OF_STEP_AGAIN:
        make_runnable(lanes, job);
        break;
    case OF_STEP_WAIT:
        job_waits(lanes, job);
        break;
    case OF_STEP_DONE:
        job_is_over(lanes, lane);
        tell_if_empty(lanes);
        break;
    default:
        OF_BUG_ON(true);
    }
}

static struct of_lanes_run *take_run(struct of_lanes *lanes)
{
    struct of_lanes_run *run = lanes->run_head;
    if (run) {
        lanes->run_head = run->next;
        if (!lanes->run_head) {
            lanes->run_tail = NULL;
        }
    }
    return run;
}

static bool run_function(struct of_lanes *lanes)
{
    struct of_lanes_run *run = take_run(lanes);
    if (!run) {
        return false;
    }
    lanes->n_running++;
    unlock(lanes);
    run->fn(run->arg);
    free(run);
    lock(lanes);
    lanes->n_running--;
    tell_if_empty(lanes);
    return true;
}

static void wake_waiting(struct of_lanes *lanes, struct of_job *job)
{
    of_lanes_heap_remove(lanes, job);
    lanes->n_waiting--;
    make_runnable(lanes, job);
}

/* Jobs whose moment has come; returns ms until the next one, -1 if there is none. */
static int64_t wake_due(struct of_lanes *lanes)
{
    if (lanes->heap_len == 0) {
        return -1;
    }
    int64_t now = of_boot_now().ms;
    while (lanes->heap_len > 0 && lanes->heap[1]->wake_at.ms <= now) {
        wake_waiting(lanes, lanes->heap[1]);
    }
    return lanes->heap_len > 0 && lanes->heap[1]->wake_at.ms != INT64_MAX ? lanes->heap[1]->wake_at.ms - now : -1;
}

/* One idle executor watches the clock, the others just wait. */
static void idle_wait(struct of_lanes *lanes, int64_t next_ms)
{
    if (next_ms >= 0 && !lanes->watched) {
        lanes->watched = true;
        struct timespec until = mono_in(OF_MIN(next_ms, LONGEST_WAIT_MS));
        (void)pthread_cond_timedwait(&lanes->timer, &lanes->lock, &until);
        lanes->watched = false;
        return;
    }
    lanes->idle++;
    (void)pthread_cond_wait(&lanes->work, &lanes->lock);
    lanes->idle--;
}

static void *executor(void *arg)
{
    struct of_lanes *lanes = arg;
    lock(lanes);
    while (!lanes->stop) {
        int64_t next_ms = wake_due(lanes);
        bool first = false;
        struct of_job *job = lanes->run_head ? NULL : of_lanes_next(lanes, &first);
        if (!job && !lanes->run_head) {
            idle_wait(lanes, next_ms);
            continue;
        }
        if (lanes->run_head || lanes->ready_head || (next_ms >= 0 && !lanes->watched)) {
            call_one(lanes); /* there is more to do, or nobody watches the clock while this thread is busy */
        }
        if (job) {
            run_step(lanes, job, first);
        } else {
            (void)run_function(lanes);
        }
    }
    unlock(lanes);
    return NULL;
}

/* --- public --- */

struct of_lanes *of_lanes_new(int n_executors, int parallel)
{
    OF_BUG_ON(n_executors < 1 || parallel < 1);
    struct of_lanes *lanes = of_calloc(1, sizeof(*lanes));
    OF_BUG_ON(pthread_mutex_init(&lanes->lock, NULL) != 0);
    cond_init(&lanes->work);
    cond_init(&lanes->timer);
    cond_init(&lanes->empty);
    lanes->parallel = parallel;
    lanes->n_threads = n_executors;
    lanes->threads = of_calloc((size_t)n_executors, sizeof(*lanes->threads));
    for (int i = 0; i < n_executors; i++) {
        OF_BUG_ON(pthread_create(&lanes->threads[i], NULL, executor, lanes) != 0);
    }
    return lanes;
}

void of_lanes_set_origin(struct of_origin *origin)
{
    adding_for = origin;
}

bool of_lanes_drop_origin(void)
{
    bool had = adding_for != NULL;
    adding_for = NULL;
    return had;
}

void of_lanes_capture(struct of_job *outer)
{
    capture_outer = outer;
    captured = NULL;
}

struct of_job *of_lanes_captured(void)
{
    struct of_job *job = captured;
    captured = NULL;
    capture_outer = NULL;
    return job;
}

void of_lanes_add(struct of_lanes *lanes, const char *key, struct of_job *job)
{
    OF_BUG_ON(job->priority < 0 || job->priority >= OF_PRIO_COUNT);
    job->outer = capture_outer;
    if (capture_outer) {
        captured = job;
        capture_outer = NULL;
        return;
    }
    job->origin = adding_for;
    adding_for = NULL;
    job->heap_index = 0;
    job->woken = false;
    lock(lanes);
    if (lanes->draining) {
        unlock(lanes);
        of_job_discard(job);
        return;
    }
    struct of_lane *lane = of_lanes_make(lanes, key);
    job->lane = lane;
    job->state = OF_JOB_QUEUED;
    of_jobs_push(&lane->queued[job->priority], job);
    lane->jobs++;
    lanes->n_jobs++;
    lanes->n_queued++;
    if (of_lane_ready(lanes, lane)) {
        call_one(lanes);
    }
    unlock(lanes);
}

void of_job_wake(struct of_lanes *lanes, struct of_job *job)
{
    job = job->outer ? job->outer : job;
    lock(lanes);
    if (job->state == OF_JOB_WAITING) {
        wake_waiting(lanes, job);
    } else {
        job->woken = true; /* matters if its step runs now */
    }
    unlock(lanes);
}

void of_lanes_run(struct of_lanes *lanes, void (*fn)(void *arg), void *arg)
{
    struct of_lanes_run *run = of_alloc(sizeof(*run));
    *run = (struct of_lanes_run){.fn = fn, .arg = arg, .next = NULL};
    lock(lanes);
    if (lanes->run_tail) {
        lanes->run_tail->next = run;
    } else {
        lanes->run_head = run;
    }
    lanes->run_tail = run;
    call_one(lanes);
    unlock(lanes);
}

size_t of_lanes_depth(struct of_lanes *lanes, const char *key)
{
    lock(lanes);
    const struct of_lane *lane = of_lanes_find(lanes, key);
    size_t n = lane ? lane->jobs : 0;
    unlock(lanes);
    return n;
}

size_t of_lanes_jobs(struct of_lanes *lanes)
{
    lock(lanes);
    size_t n = lanes->n_jobs;
    unlock(lanes);
    return n;
}

void of_lanes_stats(struct of_lanes *lanes, struct of_lanes_stats *ret)
{
    lock(lanes);
    *ret = (struct of_lanes_stats){.lanes = lanes->n_lanes, .queued = lanes->n_queued, .running = lanes->n_running,
                                   .waiting = lanes->n_waiting};
    unlock(lanes);
}

static void remove_from(struct of_lanes *lanes, struct of_lane *lane, bool (*pick)(struct of_job *job, void *arg), void *arg,
                        struct of_jobs *out)
{
    for (int p = 0; p < OF_PRIO_COUNT; p++) {
        struct of_jobs keep = {0};
        for (struct of_job *job = of_jobs_pop(&lane->queued[p]); job; job = of_jobs_pop(&lane->queued[p])) {
            if (pick && !pick(job, arg)) {
                of_jobs_push(&keep, job);
                continue;
            }
            job->state = OF_JOB_REMOVED;
            job->lane = NULL;
            of_jobs_push(out, job);
            lane->jobs--;
            lanes->n_jobs--;
            lanes->n_queued--;
        }
        lane->queued[p] = keep;
    }
}

static struct of_jobs remove_all(struct of_lanes *lanes, bool (*pick)(struct of_job *job, void *arg), void *arg)
{
    struct of_jobs out = {0};
    for (size_t i = 0; i < lanes->n_buckets; i++) {
        struct of_lane *next = NULL;
        for (struct of_lane *lane = lanes->buckets[i]; lane; lane = next) {
            next = lane->hash_next;
            remove_from(lanes, lane, pick, arg, &out);
            of_lane_drop_if_empty(lanes, lane);
        }
    }
    tell_if_empty(lanes);
    return out;
}

size_t of_lanes_remove(struct of_lanes *lanes, const char *key, bool (*pick)(struct of_job *job, void *arg),
                       void (*removed)(struct of_job *job, void *arg), void *arg)
{
    struct of_jobs out = {0};
    lock(lanes);
    struct of_lane *lane = key ? of_lanes_find(lanes, key) : NULL;
    if (!key) {
        out = remove_all(lanes, pick, arg);
    } else if (lane) {
        remove_from(lanes, lane, pick, arg, &out);
        of_lane_drop_if_empty(lanes, lane);
        tell_if_empty(lanes);
    }
    unlock(lanes);
    size_t n = 0;
    for (struct of_job *job = of_jobs_pop(&out); job; job = of_jobs_pop(&out)) {
        n++;
        removed(job, arg);
    }
    return n;
}

static void discard(struct of_job *job, void *arg)
{
    (void)arg;
    of_job_discard(job);
}

void of_lanes_drain(struct of_lanes *lanes)
{
    lock(lanes);
    lanes->draining = true;
    unlock(lanes);
    (void)of_lanes_remove(lanes, NULL, NULL, discard, NULL);
}

bool of_lanes_wait_empty(struct of_lanes *lanes, int timeout_ms)
{
    struct timespec until = mono_in(timeout_ms);
    lock(lanes);
    int rc = 0;
    while ((lanes->n_jobs > 0 || lanes->run_head || lanes->n_running > 0) && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&lanes->empty, &lanes->lock, &until);
    }
    bool is_empty = lanes->n_jobs == 0 && !lanes->run_head && lanes->n_running == 0;
    unlock(lanes);
    return is_empty;
}

/* After the threads: what had started and is not over. */
static void free_started(struct of_lanes *lanes)
{
    while (lanes->heap_len > 0) {
        struct of_job *job = lanes->heap[1];
        of_lanes_heap_remove(lanes, job);
        job->lane->jobs--;
        of_job_discard(job);
    }
    for (size_t i = 0; i < lanes->n_buckets; i++) {
        while (lanes->buckets[i]) {
            struct of_lane *lane = lanes->buckets[i];
            for (int p = 0; p < OF_PRIO_COUNT; p++) {
                for (struct of_job *job = of_jobs_pop(&lane->runnable[p]); job; job = of_jobs_pop(&lane->runnable[p])) {
                    lane->jobs--;
                    of_job_discard(job);
                }
            }
            lane->is_ready = false;
            of_lane_drop_if_empty(lanes, lane);
        }
    }
}

void of_lanes_free(struct of_lanes *lanes)
{
    if (!lanes) {
        return;
    }
    lock(lanes);
    lanes->stop = true;
    lanes->draining = true;
    (void)pthread_cond_broadcast(&lanes->work);
    (void)pthread_cond_broadcast(&lanes->timer);
    unlock(lanes);
    for (int i = 0; i < lanes->n_threads; i++) {
        (void)pthread_join(lanes->threads[i], NULL);
    }
    lock(lanes);
    while (run_function(lanes)) {
    }
    unlock(lanes);
    of_lanes_drain(lanes);
    free_started(lanes);
    free(lanes->threads);
    free(lanes->buckets);
    free(lanes->heap);
    (void)pthread_cond_destroy(&lanes->work);
    (void)pthread_cond_destroy(&lanes->timer);
    (void)pthread_cond_destroy(&lanes->empty);
    (void)pthread_mutex_destroy(&lanes->lock);
    free(lanes);
}

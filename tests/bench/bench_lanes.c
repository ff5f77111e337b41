/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes: 10,000 tasks of 0 to 5 ms over 1,000 keys, 16 executors, order kept per key. A task sleeps, as one that waits for
 * the database does. Prints the seconds beside the ideal (the sum of the tasks / 16) and what a published engine says of the
 * same load (Confluent Parallel Consumer 0.5: 2.06 s; 1.81 to 1.94 s measured from the first record, 16 in flight). */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "worker/lanes.h"

enum { TASKS = 10000, KEYS = 1000, EXECUTORS = 16, MAX_US = 5000 };

static atomic_int done;
static atomic_int out_of_order;
static atomic_int last_of[KEYS];

struct task {
    struct of_job job;
    int us, key, nr;
};

static enum of_step task_step(struct of_job *job)
{
    struct task *t = OF_CONTAINER_OF(job, struct task, job);
    if (atomic_exchange(&last_of[t->key], t->nr) >= t->nr) {
        atomic_fetch_add(&out_of_order, 1);
    }
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    struct timespec ts = {.tv_sec = 0, .tv_nsec = (long)t->us * 1000L};
    (void)nanosleep(&ts, NULL);
    atomic_fetch_add(&done, 1);
    return OF_STEP_DONE;
}

static void task_free(struct of_job *job)
{
    free(OF_CONTAINER_OF(job, struct task, job));
}

static double seconds(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(void)
{
    unsigned seed = 42;
    double sum_us = 0;
    struct of_lanes *lanes = of_lanes_new(EXECUTORS, 1);
    double begin = seconds();
    for (int i = 0; i < TASKS; i++) {
        seed = seed * 1103515245U + 12345U;
        struct task *t = of_calloc(1, sizeof(*t));
        t->us = (int)((seed >> 8) % (MAX_US + 1));
        t->key = i % KEYS;
        t->nr = i + 1;
        t->job.step = task_step;
        t->job.free = task_free;
        t->job.priority = OF_PRIO_BULK;
        sum_us += t->us;
        char key[32];
        (void)snprintf(key, sizeof(key), "org-%d", t->key);
        of_lanes_add(lanes, key, &t->job);
    }
    bool all = of_lanes_wait_empty(lanes, 60000);
    double took = seconds() - begin;
    of_lanes_free(lanes);
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    double ideal = sum_us / 1e6 / EXECUTORS;
    (void)printf("lanes: %d tasks of 0-5 ms, %d keys, %d executors\n", TASKS, KEYS, EXECUTORS);
    (void)printf("  seconds    %.3f   (goal 1.65; ideal %.3f; Parallel Consumer 1.81-2.06, published)\n", took, ideal);
    (void)printf("  of ideal   %.1f %%\n  CPU        %.3f s\n  in order   %s\n", 100.0 * ideal / took, cpu,
                 atomic_load(&out_of_order) == 0 ? "yes" : "NO");
    return all && atomic_load(&done) == TASKS && atomic_load(&out_of_order) == 0 ? 0 : 1;
}

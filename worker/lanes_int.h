/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_LANES_INT_H
#define OF_WORKER_LANES_INT_H

/* Inside the lanes module: what its queues (lanes_queue.c) and its threads (lanes.c) share. All under lanes->lock. */

#include <pthread.h>

#include "worker/lanes.h"

enum { OF_JOB_QUEUED = 1, OF_JOB_RUNNABLE, OF_JOB_RUNNING, OF_JOB_WAITING, OF_JOB_REMOVED };

struct of_jobs { /* first in, first out */
    struct of_job *head, *tail;
};

struct of_lane {
    char *key;
    uint64_t hash;
    struct of_lane *hash_next;
    struct of_lane *ready_next;
    bool is_ready;                         /* in the ring of lanes that have a step to run */
    struct of_jobs queued[OF_PRIO_COUNT];  /* not started */
    struct of_jobs runnable[OF_PRIO_COUNT];
    int started; /* running, runnable, waiting */
    size_t jobs; /* all */
};

struct of_lanes_run {
    void (*fn)(void *arg);
    void *arg;
    struct of_lanes_run *next;
};

struct of_lanes {
    pthread_mutex_t lock;
    pthread_cond_t work;  /* idle executors */
    pthread_cond_t timer; /* the one idle executor that watches the clock */
    pthread_cond_t empty; /* of_lanes_wait_empty */
    pthread_t *threads;
    int n_threads;
    int parallel;
    bool stop, draining;
    int idle; /* waiting at work */
    bool watched;

    struct of_lane **buckets;
    size_t n_buckets; /* a power of two */
    size_t n_lanes;
    size_t n_jobs, n_queued, n_waiting, n_running;
    struct of_lane *ready_head, *ready_tail;
    struct of_lanes_run *run_head, *run_tail;

    struct of_job **heap; /* waiting jobs, earliest moment first; places 1..heap_len */
    size_t heap_len, heap_cap;
};

/* --- lanes_queue.c --- */
struct of_lane *of_lanes_find(struct of_lanes *lanes, const char *key);
struct of_lane *of_lanes_make(struct of_lanes *lanes, const char *key);
/* Frees the lane if nothing is in it. */
void of_lane_drop_if_empty(struct of_lanes *lanes, struct of_lane *lane);
void of_jobs_push(struct of_jobs *q, struct of_job *job);
struct of_job *of_jobs_pop(struct of_jobs *q);
/* Puts the lane at the end of the ring if it has a step to run and is not in it; true if it was put. */
bool of_lane_ready(struct of_lanes *lanes, struct of_lane *lane);
/* The next job whose turn it is, or NULL; *ret_first: it has not run yet. */
struct of_job *of_lanes_next(struct of_lanes *lanes, bool *ret_first);
void of_lanes_heap_push(struct of_lanes *lanes, struct of_job *job);
void of_lanes_heap_remove(struct of_lanes *lanes, struct of_job *job);

#endif

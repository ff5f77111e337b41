/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_LANES_H
#define OF_WORKER_LANES_H

/* Lanes and executors. A lane (one per key: org and adapter) holds jobs: small state machines whose steps run on executor
 * threads. A job's steps never overlap; of one lane at most `parallel` jobs are started at once; among lanes it is round robin,
 * one step at a time; inside a lane lower priority numbers go first, then first come. A job that waits (for HTTP, for a moment)
 * costs a struct, never a thread. */

#include "common/base/base.h"
#include "common/time/time.h"

struct of_lanes;
struct of_lane;

enum of_step {
    OF_STEP_AGAIN, /* run me again when it is this lane's turn */
    OF_STEP_WAIT,  /* until of_job_wake(), or wake_at; a wake that came while the step ran counts */
    OF_STEP_DONE   /* the job is over: free() is called */
};

enum { OF_PRIO_LIVE = 0, OF_PRIO_WORK = 1, OF_PRIO_BULK = 2 };
#define OF_PRIO_COUNT 3

/* Whoever had a job made and wants to know its fate: the intake. No lock is held in either call. */
struct of_origin {
    void (*started)(struct of_origin *o); /* before its first step, on an executor thread */
    void (*over)(struct of_origin *o);    /* after its free(), also if it never started; may free o */
};

struct of_job {
    enum of_step (*step)(struct of_job *job); /* on an executor thread */
    void (*free)(struct of_job *job);         /* on an executor thread, or inside of_lanes_add (while draining), _drain,
                                                 _free; no lock held */
    int priority;
    struct of_boot wake_at; /* set by the step before OF_STEP_WAIT; ms 0: no moment */
    /* of the lanes module: */
    struct of_lane *lane;
    struct of_job *next;
    int state;
    bool woken;
    size_t heap_index;
    struct of_origin *origin;
    struct of_job *outer; /* the job that this one is the inside of, or NULL */
};

/* Starts n_executors threads. parallel >= 1. */
struct of_lanes *of_lanes_new(int n_executors, int parallel);
/* Takes job into the lane of key (made when needed, freed when empty). While draining it is freed at once. Any thread. */
void of_lanes_add(struct of_lanes *lanes, const char *key, struct of_job *job);
/* The next job that the calling thread adds has this origin; NULL: none. */
void of_lanes_set_origin(struct of_origin *origin);
/* True if no job has taken it; there is none then. */
bool of_lanes_drop_origin(void);
/* For jobs that shall cost little while they wait for their first turn: the next job that the calling thread adds is not queued
 * but handed over by of_lanes_captured() (NULL: none was added), as the inside of outer. Whoever wakes it wakes outer, whose
 * step and free call those of the inside. */
void of_lanes_capture(struct of_job *outer);
struct of_job *of_lanes_captured(void);
/* Any thread, while the job is known not to be over (the caller holds something the job waits for). */
void of_job_wake(struct of_lanes *lanes, struct of_job *job);
/* Runs fn(arg) on an executor soon, before lanes get their turn: short CPU work such as parsing an answer. Any thread. */
void of_lanes_run(struct of_lanes *lanes, void (*fn)(void *arg), void *arg);
/* Jobs in a lane (queued, running, waiting); 0 if there is no such lane. */
size_t of_lanes_depth(struct of_lanes *lanes, const char *key);
size_t of_lanes_jobs(struct of_lanes *lanes); /* in all lanes */
/* Takes the jobs of the lane (key NULL: of all lanes) that have not started yet and for which pick() is true out of it; calls
 * removed for each with the job no longer in the lane: of_job_discard() it. pick is called under the lock and calls nothing of
 * this module. Returns how many. Any thread. */
size_t of_lanes_remove(struct of_lanes *lanes, const char *key, bool (*pick)(struct of_job *job, void *arg),
                       void (*removed)(struct of_job *job, void *arg), void *arg);
/* Frees a job that was removed, and tells its origin. */
void of_job_discard(struct of_job *job);
struct of_lanes_stats {
    size_t lanes, queued, running, waiting; /* running: steps and functions on executors now */
};
void of_lanes_stats(struct of_lanes *lanes, struct of_lanes_stats *ret);
/* No new job is started, jobs that run or wait go on; queued ones are removed and freed. */
void of_lanes_drain(struct of_lanes *lanes);
/* Waits until no job and no function is left, at most timeout_ms; true if so. */
bool of_lanes_wait_empty(struct of_lanes *lanes, int timeout_ms);
/* Stops the threads after their present step, runs the functions that are left, frees the jobs that are left. */
void of_lanes_free(struct of_lanes *lanes);

#endif

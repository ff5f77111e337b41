/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_PHASE_H
#define OF_WORKER_PHASE_H

/* A type's way through a run: stage, match, create, populate, check. One job = one slice of it (some seconds): load, work by
 * compare-and-swap on seq, emit the next message, end this one. Inside the worker only. */

#include <pthread.h>

#include "worker/apply.h"
#include "worker/intake.h"
#include "worker/listing.h"

enum of_go {
    OF_GO_AGAIN, /* something was done, go on */
    OF_GO_WAIT,  /* for answers */
    OF_GO_EMIT,  /* the slice is over: go on in a new message */
    OF_GO_SLEEP, /* due_at = now + sleep_ms (-1: until woken), why */
    OF_GO_END,   /* the chain has ended, or somebody else moved it, or its row sleeps already */
    OF_GO_ERROR  /* see err */
};

struct of_fetch {
    struct of_phase_job *pj;
    struct of_fetch *next;
    int range;
    struct of_range asked; /* where the range stood */
    bool audit;
    struct of_page page; /* of_page_done() */
    struct of_err err;
    struct of_wall date;
    char *body; /* single requests of the check; NULL for pages */
    size_t body_len;
};

struct of_phase_job {
    struct of_job job;
    struct of_worker *w;
    struct of_tracked m;
    struct of_task_msg msg;
    struct of_conn *conn;
    const struct of_type *type;
    enum { PJ_LOAD, PJ_RUN, PJ_CLOSING, PJ_EMIT, PJ_EMITTED } stage;
    enum of_go verdict; /* PJ_CLOSING: what follows when the last answer has come */
    bool left;          /* the intake knows that this job is over for its (run, type) */
    struct of_boot slice_end;
    int64_t seq, processed, total, read_seq; /* total -1: not known */
    int attempts, load_failures;
    char step[16];
    char run_kind[16];
    bool barrier;
    struct of_wall run_started, server_date;
    int64_t sleep_ms;
    char why[160];
    struct of_err err;
    /* keyset through our own ids, or parents */
    char after[72];
    /* stage and check: committed is what the database knows, live what has been asked for */
    bool has_listing;
    struct of_listing committed, live;
    bool audit; /* the listing reads ids only */
    pthread_mutex_t lock; /* guards live, inbox, outstanding, closed, flying */
    struct of_fetch *inbox, **inbox_tail;
    int outstanding;
    bool closed; /* no further requests in this slice */
    bool flying[OF_LISTING_MAX];
    int parse_failures[OF_LISTING_MAX];
    int64_t busy_ms; /* a permit is expected in that time */
    char part[16];   /* check: delta, mergers, count, audit, relist */
    int64_t part_offset;
    bool merger_more;
    bool looked; /* push: at what is left, in this slice */
    atomic_int emit_result; /* -1 pending, else enum of_code */
};

/* --- phase.c --- */
/* Moves the phase inside the present transaction: step and cursor (NULL: none); OF_E_LEASE if somebody else did. */
enum of_code of_phase_move(struct of_phase_job *pj, struct of_pg *db, const char *step, const char *cursor, const char *error,
                           struct of_err *err);
/* The phase's row sleeps (ms -1: until woken), in the present transaction or by itself; the scheduler emits it when it is due. */
enum of_code of_phase_sleep(struct of_phase_job *pj, struct of_pg *db, int64_t ms, const char *why, int attempts,
                            struct of_err *err);
struct of_apply of_phase_apply(struct of_phase_job *pj, struct of_pg *db);
bool of_phase_slice_over(const struct of_phase_job *pj);
int64_t of_backoff_ms(const struct of_conf *conf, int attempts);
/* Types (names) that satisfy: those that t depends on and that block; that depend on t. The caller frees with of_pgarr_free. */
struct of_pgarr *of_phase_blocking_types(struct of_phase_job *pj);
bool of_type_is_late(const struct of_type *t);

/* --- stage.c --- */
/* Starts what may be asked now; consumes what has come. again: the check's second look (marks, applies at once). */
enum of_go of_stage_step(struct of_phase_job *pj, struct of_err *err);
enum of_go of_stage_pages(struct of_phase_job *pj, bool recheck, struct of_err *err);
enum of_go of_stage_waves(struct of_phase_job *pj, bool recheck, struct of_err *err);
void of_fetch_free(struct of_fetch *f);
/* A batch that failed for good: halves find the one record to blame, which becomes a dead letter. now: applied, too. */
enum of_code of_stage_bisect(struct of_apply *a, const struct of_record **records, size_t n, bool now, struct of_err *err);
void of_stage_close(struct of_phase_job *pj);
void of_stage_cursor(struct of_phase_job *pj, struct of_buf *b);
bool of_stage_read_cursor(struct of_phase_job *pj, const struct of_json *cursor);

/* --- steps.c --- */
enum of_go of_match_step(struct of_phase_job *pj, struct of_err *err);
enum of_go of_create_step(struct of_phase_job *pj, struct of_err *err);
enum of_go of_populate_step(struct of_phase_job *pj, struct of_err *err);
/* Sleeps until the types have left the steps; OF_GO_AGAIN if nothing blocks. */
enum of_go of_phase_blocked(struct of_phase_job *pj, const struct of_pgarr *types, const char *const *steps, int n_steps,
                            const char *why, struct of_err *err);
enum of_go of_phase_wait_barrier(struct of_phase_job *pj, struct of_err *err);
enum of_go of_phase_finish_stage(struct of_phase_job *pj, struct of_err *err);
enum of_go of_phase_done(struct of_phase_job *pj, const char *error, struct of_err *err);

/* --- check.c --- */
enum of_go of_check_step(struct of_phase_job *pj, struct of_err *err);

/* --- push_phase.c --- */
enum of_go of_push_step(struct of_phase_job *pj, struct of_err *err);
bool of_push_applies(const struct of_phase_job *pj); /* there is a push step for this type and mode */
/* The type has been matched: the way out is open for what is not linked. In the caller's transaction. */
enum of_code of_push_open(struct of_phase_job *pj, struct of_pg *db, struct of_err *err);

/* --- work.c --- */
/* A work job for the connection's lane, unless there is one. */
void of_work_kick(struct of_worker *w, const char *org, const char *adapter);
/* Ends the connection's running run if nothing of it is left. */
enum of_code of_run_try_finish(struct of_pg *db, int64_t run, bool *ret_finished, struct of_err *err);

#endif

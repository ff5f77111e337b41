/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_INTAKE_H
#define OF_WORKER_INTAKE_H

/* The consumer thread: messages into lanes, ends into commits. A message that cannot be understood is archived raw in the
 * topic's .dlq, gets a dead row in sync.work (direction msg), and ends. */

#include "common/task/task.h"
#include "worker/remote.h"
#include "worker/worker.h"

OF_MUSTCHECK enum of_code of_intake_new(struct of_worker *w, struct of_intake **ret, struct of_err *err);
/* The consumer loop, on the calling (main) thread; returns when of_intake_stop() was called and everything that was begun has
 * ended or the drain time is over. */
void of_intake_run(struct of_intake *in);
void of_intake_stop(struct of_intake *in); /* async-signal-safe */
void of_intake_free(struct of_intake *in);
/* Loop heartbeat for /livez, membership for /readyz. */
bool of_intake_is_live(struct of_intake *in);
bool of_intake_is_ready(struct of_intake *in);
/* It stopped by itself: broker client or producer failed for good. The process must be started again. */
bool of_intake_is_fatal(struct of_intake *in);

/* Called by intake for each message, on the consumer thread: makes the job (worker/phase.c, worker/work.c,
 * worker/poll.c) and adds it to its lane; the job calls of_tracker_end(w->tracker, m) when its message ends. */
void of_phase_job_start(struct of_worker *w, const struct of_task_msg *msg, struct of_tracked m);
void of_work_job_start(struct of_worker *w, const struct of_task_msg *msg, struct of_tracked m);
void of_poll_job_start(struct of_worker *w, const struct of_task_msg *msg, struct of_tracked m);
/* The job of (run, type) with this message's seq is over, or about to emit the next: messages of it are no repetitions any
 * more. */
void of_intake_phase_done(struct of_intake *in, int64_t run, const char *type, int64_t seq);
/* Archives a bad record in openfaith.tasks.bulk.dlq: ids, place and cause, no values. Does not wait. */
void of_dead_record(struct of_worker *w, const struct of_conn *conn, const struct of_bad_record *bad);
/* Archives a dead letter's payload untouched to <topic>.dlq with headers, then calls done (on the producer's thread). */
void of_dead_archive(struct of_worker *w, const struct of_kafka_msg *msg, const struct of_err *why,
                     of_kafka_delivered_fn *done, void *arg);

#endif

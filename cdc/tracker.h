/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CDC_TRACKER_H
#define OF_CDC_TRACKER_H

/* Which commits are safe: a commit is, when it has ended and every message of it is acknowledged; what may be confirmed is the end
 * of the last commit below which all are. One thread opens, ends and asks; acknowledgements come from the producer's thread. */

#include "common/base/base.h"
#include "common/err/err.h"

struct of_cdc_tracker;
struct of_cdc_commit;

struct of_cdc_tracker *of_cdc_tracker_new(void);
/* The producer that acknowledges must be gone. */
void of_cdc_tracker_free(struct of_cdc_tracker *t);
/* Commits are opened in their order. at_us: when it was committed. */
struct of_cdc_commit *of_cdc_commit_open(struct of_cdc_tracker *t, int64_t at_us);
/* A message of it is about to be produced (or held back: another one comes by when it is produced). */
void of_cdc_commit_hold(struct of_cdc_commit *c);
void of_cdc_commit_release(struct of_cdc_commit *c);
/* It may not be confirmed yet, for a reason that is no message; until of_cdc_commit_let(). */
void of_cdc_commit_keep(struct of_cdc_commit *c);
void of_cdc_commit_let(struct of_cdc_commit *c);
/* All its messages are held. end: what to confirm then; 0: nothing. */
void of_cdc_commit_end(struct of_cdc_commit *c, uint64_t end);
/* of_kafka_delivered_fn; arg is the commit: releases it, or notes the failure. */
void of_cdc_delivered(void *arg, const struct of_err *err);

/* Takes what has become safe out: *ret_end and *ret_at_us move forward, or stay. Returns whether they moved. */
bool of_cdc_tracker_advance(struct of_cdc_tracker *t, uint64_t *ret_end, int64_t *ret_at_us);
bool of_cdc_tracker_is_empty(const struct of_cdc_tracker *t);
int64_t of_cdc_tracker_oldest_us(const struct of_cdc_tracker *t); /* when the oldest open one was committed; 0: none */
/* A message was not delivered: nothing after it may be confirmed. */
bool of_cdc_tracker_failed(struct of_cdc_tracker *t, struct of_err *err);
int64_t of_cdc_tracker_in_flight(struct of_cdc_tracker *t);
/* Until fewer than limit messages are in flight, a failure, or timeout_ms. */
void of_cdc_tracker_wait(struct of_cdc_tracker *t, int64_t limit, int timeout_ms);

#endif

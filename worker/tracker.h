/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_TRACKER_H
#define OF_WORKER_TRACKER_H

/* Offsets that may be committed: per (topic, partition, assignment epoch) the highest offset below which every message has
 * ended, in whatever order they end. A handle of a former assignment does nothing any more. Any thread. */

#include "common/base/base.h"

struct of_tracker;
struct of_tracked { /* a message in hand; a value, copy it freely */
    int32_t topic;  /* index given by the owner */
    int32_t partition;
    int64_t epoch;
    int64_t offset;
};

struct of_tracker *of_tracker_new(void);
void of_tracker_free(struct of_tracker *t);
void of_tracker_assign(struct of_tracker *t, int32_t topic, int32_t partition, int64_t epoch);
void of_tracker_revoke(struct of_tracker *t, int32_t topic, int32_t partition);
void of_tracker_begin(struct of_tracker *t, struct of_tracked m); /* in offset order per partition */
void of_tracker_end(struct of_tracker *t, struct of_tracked m);
/* The assignment is about to end: what ends meanwhile still counts, but it is held no more. */
void of_tracker_leave(struct of_tracker *t, int32_t topic, int32_t partition);
/* Is the assignment in which it was taken still the present one, and stays so as far as is known? */
bool of_tracker_is_held(struct of_tracker *t, struct of_tracked m);
/* Messages begun and not ended in a partition. */
size_t of_tracker_open(struct of_tracker *t, int32_t topic, int32_t partition);
/* Fills next offsets that moved since the last call (at most max); returns how many. */
int of_tracker_commits(struct of_tracker *t, int32_t *topics, int32_t *partitions, int64_t *offsets, int max);
/* A commit failed: the next call of of_tracker_commits() gives every position again. */
void of_tracker_again(struct of_tracker *t);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_INTAKE_INT_H
#define OF_WORKER_INTAKE_INT_H

/* Inside intake*.c and dead.c. */

#include <pthread.h>
#include <stdatomic.h>

#include "common/kafka/kafka.h"
#include "worker/changes.h"
#include "worker/intake.h"

enum { OF_INTAKE_TOPICS = 3, OF_INTAKE_BUCKETS = 8192, OF_INTAKE_TOLD = 4096 };

/* A message whose job is not over. */
struct of_item {
    struct of_origin origin;
    struct of_job job;     /* a phase's job is made when its turn comes, and lives inside this one: thousands may wait */
    struct of_job *inside;
    struct of_intake *in;
    struct of_item *hash_next;
    uint64_t hash;
    struct of_tracked m;
    struct of_task_msg msg; /* owned */
    char *key;              /* of its lane */
    bool is_started;
    bool is_left;           /* the job has said its last word: messages of it are no repetitions any more */
    struct of_item *twins;  /* repetitions that wait for this job's end; by hash_next */
};

struct of_intake_part {
    int32_t topic, partition;
    int64_t epoch;
    bool is_full;
};

struct of_intake {
    struct of_worker *w;
    struct of_kafka_consumer *consumer;
    struct of_changes *changes;
    atomic_bool stop, is_closing, is_fatal, was_assigned;
    atomic_llong beat_ms;  /* mono */
    atomic_int n_parts_now; /* for readiness and metrics */
    struct of_mono started_at;

    /* of the consumer thread */
    struct of_intake_part *parts;
    size_t n_parts;
    bool is_flooded; /* a partition of changes is full */
    int64_t epochs;
    struct of_mono committed_at, gauged_at;
    struct of_told {
        uint64_t hash; /* of lane and assignment */
        int64_t at_ms;
    } told[OF_INTAKE_TOLD]; /* lanes whose partition remote knows: it need not hear of every message */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t fewer; /* an item is over */
    struct of_item *buckets[OF_INTAKE_BUCKETS];
    size_t n_items;
};

extern const char *const of_intake_topics[OF_INTAKE_TOPICS];

/* --- intake_items.c --- */
void of_items_init(struct of_intake *in);
void of_items_done(struct of_intake *in);
/* Makes the message's job unless it is a repetition; m has begun. Takes msg. Consumer thread, or an executor for twins. */
void of_items_accept(struct of_intake *in, struct of_task_msg *msg, struct of_tracked m);
/* Takes out what has not started in these partitions; waits at most wait_ms for what has. Consumer thread. */
void of_items_revoke(struct of_intake *in, const int32_t *partitions, int n, int wait_ms);
/* The lane is too long: what it owes goes back to sync.phase and sync.work. */
void of_items_fold(struct of_intake *in, const char *key);
void of_intake_count(const char *topic, const char *outcome);
/* Unfinished phases are emitted again: messages may have been lost. */
void of_intake_emit_again(struct of_intake *in);
/* Changes were lost: the change reader finds by comparing what they said. */
void of_intake_ask_repair(struct of_intake *in);

/* --- dead.c --- */
/* A message that cannot be understood: archive, dead row, end. */
void of_dead_message(struct of_worker *w, const struct of_kafka_msg *msg, const struct of_err *why, struct of_tracked m);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_KAFKA_INT_H
#define OF_KAFKA_INT_H

/* Inside common/kafka only: librdkafka's types, and what its files share. */

#include <stdatomic.h>

#include <librdkafka/rdkafka.h>

#include "common/kafka/kafka.h"
#include "common/time/time.h"

typedef rd_kafka_topic_partition_list_t of_kafka_list_t; /* only to keep lines short */
OF_DEFINE_CLEANUP(of_kafka_list_t, rd_kafka_topic_partition_list_destroy, of_kafka_list_done)
OF_DEFINE_CLEANUP(rd_kafka_conf_t, rd_kafka_conf_destroy, of_kafka_conf_done)
OF_DEFINE_CLEANUP(rd_kafka_queue_t, rd_kafka_queue_destroy, of_kafka_queue_done)

/* --- errors --- */
struct of_kafka_class {
    int kafka_code;
    enum of_code code;
    enum of_class cls;
};
struct of_kafka_class of_kafka_classify(int kafka_code);
/* "what: librdkafka's name for it" with code, class and origin. */
enum of_code of_kafka_fail(struct of_err *err, rd_kafka_resp_err_t kafka_code, const char *what);

/* --- configuration --- */
struct of_kafka_setting {
    const char *name, *value;
};
/* What all clients share, then settings (ended by name NULL). No logs: errors come by callbacks. */
OF_MUSTCHECK enum of_code of_kafka_conf_make(const char *brokers, const char *client_id,
                                             const struct of_kafka_setting *settings, rd_kafka_conf_t **ret,
                                             struct of_err *err);
/* Takes *conf. */
OF_MUSTCHECK enum of_code of_kafka_client_make(rd_kafka_type_t type, rd_kafka_conf_t **conf, rd_kafka_t **ret,
                                               struct of_err *err);

/* kafka_tsan.c */
void of_kafka_tsan_link(void);

/* --- consumer --- */
struct of_kafka_part {
    char *topic;
    int32_t partition;
    int64_t epoch;
    int64_t next; /* where it goes on: offset, or RD_KAFKA_OFFSET_BEGINNING */
    bool full;
    bool reset;   /* the position is not there: to be assigned again from the beginning */
    rd_kafka_queue_t *queue;
};

struct of_kafka_consumer {
    rd_kafka_t *rk;
    rd_kafka_queue_t *main_queue;
    struct of_kafka_consumer_ops ops;
    void *arg;
    int wake_fd;        /* eventfd: a queue is no longer empty, or wake */
    atomic_bool woken;  /* it was wake */
    int64_t epoch;
    size_t turn;        /* which partition is first */
    struct of_kafka_part *parts;
    size_t n_parts;
    of_kafka_list_t *wanted; /* assigned by the group, committed offsets not known yet */
    struct of_mono retry_at; /* of wanted */
    struct of_mono reset_at; /* of parts with reset */
    bool doubt;              /* the group's coordinator may be away */
    struct of_mono probe_at; /* when to look again */
};

/* librdkafka's callback; opaque is the consumer. */
void of_kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t what, of_kafka_list_t *partitions, void *opaque);
/* Repeats what could not be done when it was asked for: committed offsets, resets. Once a second at most. */
void of_kafka_assign_again(struct of_kafka_consumer *c);
/* ms until of_kafka_assign_again has work, at most max_ms. */
int64_t of_kafka_assign_wait_ms(const struct of_kafka_consumer *c, int64_t max_ms);
/* Gives up all partitions: tells the owner, forgets them. */
void of_kafka_parts_revoke(struct of_kafka_consumer *c, bool lost);
struct of_kafka_part *of_kafka_part_find(const struct of_kafka_consumer *c, const char *topic, int32_t partition);
/* Commits. */
void of_kafka_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code, of_kafka_list_t *offsets, void *opaque);
void of_kafka_report(const struct of_kafka_consumer *c, const struct of_err *err);
/* librdkafka adds one to the eventfd when the queue is no longer empty; -1: no more. Not its callback: none of our code runs
 * on its threads (thread sanitizer cannot follow those, as they are C11 threads). */
void of_kafka_queue_watch(rd_kafka_queue_t *queue, int fd);

#endif

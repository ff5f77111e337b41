/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_KAFKA_H
#define OF_KAFKA_H

/* Kafka through librdkafka 2.0.2: producer, consumer, topics, lag. Foreign threads only hand over. */

#include "common/base/base.h"
#include "common/err/err.h"

#define OF_TOPIC_LIVE "openfaith.tasks.live"
#define OF_TOPIC_BULK "openfaith.tasks.bulk"
#define OF_TOPIC_CHANGES "openfaith.changes"
#define OF_TOPIC_DLQ_SUFFIX ".dlq"
#define OF_WORKER_GROUP "openfaith-worker"

/* Codes by one table (kafka_class.c): OF_E_KAFKA RETRY; refused credentials and rights OF_E_KAFKA SYSTEMIC; a record over the
 * broker's limit OF_E_TOO_LARGE; fatal OF_E_KAFKA_FATAL. err.kafka_code is librdkafka's (its own ones are negative). */

/* A librdkafka property for every client made from now on: only security.*, sasl.*, ssl.*, enable.ssl.*, client.rack.
 * At start, before there are threads. Copied. Fails: OF_E_CONFIG (the value is never in the message). */
OF_MUSTCHECK enum of_code of_kafka_set_property(const char *name, const char *value, struct of_err *err);

struct of_kafka_header {
    const char *name;
    const char *value;
};

/* --- producer: idempotent, acks=all, partitioner murmur2_random, linger small, message.timeout 30 s. Thread-safe. --- */
struct of_kafka_producer;
/* Called once, on the producer's own poll thread: must only hand over. err->code OF_OK: acknowledged by all replicas. After
 * an error the message may still have been written (an answer was lost). */
typedef void of_kafka_delivered_fn(void *arg, const struct of_err *err);
OF_MUSTCHECK enum of_code of_kafka_producer_new(const char *brokers, const char *client_id, int linger_ms,
                                                struct of_kafka_producer **ret, struct of_err *err);
/* The same, with a message.timeout of its own; 0: never. Then nothing is given up while the broker is away, and so nothing is
 * overtaken by what comes after it. */
OF_MUSTCHECK enum of_code of_kafka_producer_new_timeout(const char *brokers, const char *client_id, int linger_ms, int timeout_ms,
                                                        struct of_kafka_producer **ret, struct of_err *err);
/* Copies key and payload; headers end with name NULL, or NULL. Does not block. If it fails (OF_E_KAFKA: queue full), done is
 * not called. */
OF_MUSTCHECK enum of_code of_kafka_produce(struct of_kafka_producer *p, const char *topic, const char *key, const void *payload,
                                           size_t len, const struct of_kafka_header *headers, of_kafka_delivered_fn *done,
                                           void *arg, struct of_err *err);
/* Waits until all that was produced is acknowledged or failed. */
OF_MUSTCHECK enum of_code of_kafka_producer_flush(struct of_kafka_producer *p, int timeout_ms, struct of_err *err);
/* True after a fatal error (idempotence lost): the owner makes a new one. */
bool of_kafka_producer_is_dead(const struct of_kafka_producer *p);
void of_kafka_producer_free(struct of_kafka_producer *p); /* waits at most 5 s for what is in flight */

/* --- consumer: group, assignor range, no auto commit, a queue of its own per partition that is simply not polled while the
 * owner says full; a partition without a committed offset starts at its beginning; out of range starts at the beginning
 * and tells the owner. One thread owns it: every call, and every callback comes inside of_kafka_consumer_poll/close. --- */
struct of_kafka_consumer;
struct of_kafka_msg {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    const char *key; /* not NUL-terminated */
    size_t key_len;
    const char *payload;
    size_t len;
}; /* borrowed for the callback */
struct of_kafka_consumer_ops {
    void (*on_assign)(void *arg, const char *topic, int32_t partition, int64_t epoch); /* epoch: grows with each assignment */
    /* All partitions in one call, before they are given up: end, hand over and commit here, within a second.
     * lost: somebody else may have them already, commits are useless. */
    void (*on_revoke)(void *arg, const char *const *topics, const int32_t *partitions, int n, bool lost);
    void (*on_message)(void *arg, const struct of_kafka_msg *msg, int64_t epoch);
    /* The position was no longer (or not yet) there: what was in between may be lost. on_assign follows, with a new epoch:
     * the partition goes on from its beginning. */
    void (*on_out_of_range)(void *arg, const char *topic, int32_t partition);
    void (*on_error)(void *arg, const struct of_err *err);
};
OF_MUSTCHECK enum of_code of_kafka_consumer_new(const char *brokers, const char *group, const char *client_id,
                                                const char *const *topics, int n_topics, int session_timeout_ms,
                                                const struct of_kafka_consumer_ops *ops, void *arg,
                                                struct of_kafka_consumer **ret, struct of_err *err);
/* Waits at most timeout_ms for something, hands over at most max_messages. Returns how many were handed over. Must be called
 * every 300 s at least, or the group gives the partitions away. May block 5 s when partitions are assigned. */
int of_kafka_consumer_poll(struct of_kafka_consumer *c, int timeout_ms, int max_messages);
/* Makes a waiting poll (or else the next one) return without waiting. Any thread, also signal handlers. */
void of_kafka_consumer_wake(struct of_kafka_consumer *c);
/* A full partition's messages stay in librdkafka (2 MB at most). Assigning it anew forgets it. */
void of_kafka_consumer_set_full(struct of_kafka_consumer *c, const char *topic, int32_t partition, bool full);
/* Commits next offsets (the first not ended). sync: waits for the answer, at most 1 s. If not sync, a refusal comes later by
 * on_error. While the coordinator is away: OF_E_KAFKA at once, nothing is kept (commit again later). */
OF_MUSTCHECK enum of_code of_kafka_consumer_commit(struct of_kafka_consumer *c, const char *const *topics,
                                                   const int32_t *partitions, const int64_t *offsets, int n, bool sync,
                                                   struct of_err *err);
/* Leaves the group (on_revoke comes first), frees. Blocks up to some seconds; where the brokers are away, librdkafka's own
 * clean-up goes on in the background for at most the session's timeout. */
void of_kafka_consumer_close(struct of_kafka_consumer *c);

/* --- topics and lag (ctl): each call makes a client of its own, blocks up to timeout_ms --- */
struct of_kafka_topic_spec {
    const char *name;
    int partitions;
    int replication;      /* -1: the broker's default */
    int64_t retention_ms; /* -1: the broker's default */
};
/* Creates what is missing, checks what is there: ret_text (caller's) lists what was done, a line per topic. Different
 * partition counts of existing topics: OF_E_CONFIG. Brokers that cannot be asked: OF_E_KAFKA. */
OF_MUSTCHECK enum of_code of_kafka_ensure_topics(const char *brokers, const struct of_kafka_topic_spec *specs, int n,
                                                 int timeout_ms, char **ret_text, struct of_err *err);
struct of_kafka_lag {
    char topic[128];
    int32_t partition;
    int64_t committed; /* -1: none */
    int64_t low, high;
    int64_t lag;
};
/* *ret is an array of *ret_n, the caller's. */
OF_MUSTCHECK enum of_code of_kafka_group_lag(const char *brokers, const char *group, const char *const *topics, int n_topics,
                                             int timeout_ms, struct of_kafka_lag **ret, int *ret_n, struct of_err *err);
/* Checks that all topics exist with equal partition counts. Fails: OF_E_CONFIG (they differ or are missing), OF_E_KAFKA. */
OF_MUSTCHECK enum of_code of_kafka_check_topics(const char *brokers, const char *const *topics, int n_topics, int timeout_ms,
                                                int *ret_partitions, struct of_err *err);

#endif

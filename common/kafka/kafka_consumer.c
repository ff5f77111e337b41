/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/kafka/kafka_int.h"
#include "common/time/time.h"

#define OF_KAFKA_BURST 32 /* messages of one partition before the next one's turn */
#define OF_KAFKA_CLOSE_MS 6000

static void of_kafka_on_consumer_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    struct of_err err = OF_ERR_INIT;
    struct of_kafka_class row = of_kafka_classify(code);
    of_err_set(&err, row.code, "consumer: %.200s", reason);
    err.cls = row.cls;
    err.kafka_code = code;
    struct of_kafka_consumer *c = opaque;
    c->doubt = true;
    of_kafka_report(c, &err);
}

static enum of_code of_kafka_consumer_conf(const char *brokers, const char *group, const char *client_id,
                                           int session_timeout_ms, rd_kafka_conf_t **ret, struct of_err *err)
{
    char session[16], heartbeat[16];
    snprintf(session, sizeof(session), "%d", session_timeout_ms);
    snprintf(heartbeat, sizeof(heartbeat), "%d", OF_MIN(OF_MAX(session_timeout_ms / 10, 1), 3000));
    const struct of_kafka_setting settings[] = {
        {"group.id", group},
        {"session.timeout.ms", session},
        {"heartbeat.interval.ms", heartbeat},
        {"max.poll.interval.ms", "300000"},
        {"partition.assignment.strategy", "range"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"queued.max.messages.kbytes", "2048"}, /* per partition, as each has a queue of its own */
        {"fetch.wait.max.ms", "50"},
        {"fetch.error.backoff.ms", "100"},
        {"check.crcs", "true"},
        {"allow.auto.create.topics", "false"},
        {"topic.metadata.refresh.interval.ms", "60000"},
        {NULL, NULL},
    };
    OF_TRY(of_kafka_conf_make(brokers, client_id, settings, ret, err));
    rd_kafka_conf_set_rebalance_cb(*ret, of_kafka_on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(*ret, of_kafka_on_commit);
    rd_kafka_conf_set_error_cb(*ret, of_kafka_on_consumer_error);
    return OF_OK;
}

static void of_kafka_consumer_done(struct of_kafka_consumer *c)
{
    if (c->main_queue) {
        of_kafka_queue_watch(c->main_queue, -1);
        rd_kafka_queue_destroy(c->main_queue);
    }
    if (c->rk) {
        rd_kafka_destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    if (c->wake_fd >= 0) {
        close(c->wake_fd);
    }
    free(c);
}

OF_DEFINE_CLEANUP(struct of_kafka_consumer, of_kafka_consumer_done, of_kafka_consumer_donep)

static enum of_code of_kafka_subscribe(rd_kafka_t *rk, const char *const *topics, int n_topics, struct of_err *err)
{
    OF_CLEANUP(of_kafka_list_done) of_kafka_list_t *list = rd_kafka_topic_partition_list_new(n_topics);
    for (int i = 0; i < n_topics; i++) {
        rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t code = rd_kafka_subscribe(rk, list);
    return code ? of_kafka_fail(err, code, "subscribe") : OF_OK;
}

enum of_code of_kafka_consumer_new(const char *brokers, const char *group, const char *client_id,
                                   const char *const *topics, int n_topics, int session_timeout_ms,
                                   const struct of_kafka_consumer_ops *ops, void *arg, struct of_kafka_consumer **ret,
                                   struct of_err *err)
{
    OF_BUG_ON(!ops->on_message);
    OF_CLEANUP(of_kafka_conf_done) rd_kafka_conf_t *conf = NULL;
    OF_CLEANUP(of_kafka_consumer_donep) struct of_kafka_consumer *c = of_calloc(1, sizeof(*c));
    c->ops = *ops;
    c->arg = arg;
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake_fd < 0) {
        return of_err_set(err, OF_E_IO, "eventfd: errno %d", errno);
    }
    OF_TRY(of_kafka_consumer_conf(brokers, group, client_id, session_timeout_ms, &conf, err));
    rd_kafka_conf_set_opaque(conf, c);
    OF_TRY(of_kafka_client_make(RD_KAFKA_CONSUMER, &conf, &c->rk, err));
    rd_kafka_poll_set_consumer(c->rk);
    c->main_queue = rd_kafka_queue_get_consumer(c->rk);
    of_kafka_queue_watch(c->main_queue, c->wake_fd);
    OF_TRY(of_kafka_subscribe(c->rk, topics, n_topics, err));
    *ret = OF_TAKE(c);
    return OF_OK;
}

/* --- polling --- */
static void of_kafka_on_bad_message(struct of_kafka_consumer *c, const rd_kafka_message_t *m)
{
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        struct of_kafka_part *part =
            m->rkt ? of_kafka_part_find(c, rd_kafka_topic_name(m->rkt), m->partition) : NULL;
        if (part) {
            part->reset = true;
            return;
        }
    }
    struct of_err err = OF_ERR_INIT;
    of_kafka_fail(&err, m->err, m->rkt ? rd_kafka_topic_name(m->rkt) : "consumer");
    of_kafka_report(c, &err);
}

static void of_kafka_deliver(struct of_kafka_consumer *c, struct of_kafka_part *part, const rd_kafka_message_t *m)
{
    const struct of_kafka_msg msg = {
        .topic = part->topic,
        .partition = part->partition,
        .offset = m->offset,
        .timestamp_ms = rd_kafka_message_timestamp(m, NULL),
        .key = m->key ? m->key : "",
        .key_len = m->key_len,
        .payload = m->payload ? m->payload : "",
        .len = m->len,
    };
    part->next = m->offset + 1;
    c->ops.on_message(c->arg, &msg, part->epoch);
}

/* Rebalances, errors and commit reports; messages come by the partitions' queues only. */
static void of_kafka_serve_main(struct of_kafka_consumer *c)
{
    rd_kafka_message_t *m;
    while ((m = rd_kafka_consumer_poll(c->rk, 0))) {
        if (m->err) {
            of_kafka_on_bad_message(c, m);
        } else {
            /* not seen so far; it would be in order, and dropping it would lose it */
            struct of_kafka_part *part = of_kafka_part_find(c, rd_kafka_topic_name(m->rkt), m->partition);
            if (part) {
                of_kafka_deliver(c, part, m);
            }
        }
        rd_kafka_message_destroy(m);
    }
}

static int of_kafka_drain_part(struct of_kafka_consumer *c, struct of_kafka_part *part, int max)
{
    int n = 0;
    while (n < max && !part->full && !part->reset && part->queue) {
        rd_kafka_message_t *m = rd_kafka_consume_queue(part->queue, 0);
        if (!m) {
            break;
        }
        if (m->err) {
            of_kafka_on_bad_message(c, m);
        } else {
            of_kafka_deliver(c, part, m);
            n++;
        }
        rd_kafka_message_destroy(m);
    }
    return n;
}

static int of_kafka_drain(struct of_kafka_consumer *c, int max)
{
    int total = 0, round = 0;
    do {
        round = 0;
        for (size_t i = 0; i < c->n_parts && total < max; i++) {
            struct of_kafka_part *part = &c->parts[(c->turn + i) % c->n_parts];
            int n = of_kafka_drain_part(c, part, OF_MIN(max - total, OF_KAFKA_BURST));
            total += n;
            round += n;
        }
        c->turn++;
    } while (round > 0 && total < max);
    return total;
}

int of_kafka_consumer_poll(struct of_kafka_consumer *c, int timeout_ms, int max_messages)
{
    int64_t until_ms = of_mono_now().ms + timeout_ms;
    for (;;) {
        uint64_t count = 0;
        ssize_t got = read(c->wake_fd, &count, sizeof(count)); /* before looking: what comes later wakes again */
        (void)got;
        bool woken = atomic_exchange(&c->woken, false);
        of_kafka_serve_main(c);
        of_kafka_assign_again(c);
        int n = of_kafka_drain(c, max_messages);
        int64_t left_ms = until_ms - of_mono_now().ms;
        if (n > 0 || woken || left_ms <= 0) {
            return n;
        }
        struct pollfd fd = {.fd = c->wake_fd, .events = POLLIN};
        poll(&fd, 1, (int)of_kafka_assign_wait_ms(c, left_ms));
    }
}

void of_kafka_consumer_wake(struct of_kafka_consumer *c)
{
    static const uint64_t one = 1;
    atomic_store(&c->woken, true);
    ssize_t n = write(c->wake_fd, &one, sizeof(one));
    (void)n; /* a counter at its end wakes as well */
}

void of_kafka_consumer_set_full(struct of_kafka_consumer *c, const char *topic, int32_t partition, bool full)
{
    struct of_kafka_part *part = of_kafka_part_find(c, topic, partition);
    if (part) {
        part->full = full;
    }
}

/* --- the end --- */
/* librdkafka waits for what a coordinator that is away does not answer, up to the session's timeout; we do not. */
static void *of_kafka_reap(void *rk)
{
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

void of_kafka_consumer_close(struct of_kafka_consumer *c)
{
    if (!c) {
        return;
    }
    /* not rd_kafka_consumer_close: it waits for brokers that are away, up to the session's timeout */
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(c->rk, queue);
    int64_t until_ms = of_mono_now().ms + OF_KAFKA_CLOSE_MS;
    while (!error && !rd_kafka_consumer_closed(c->rk) && of_mono_now().ms < until_ms) {
        rd_kafka_queue_poll_callback(queue, 50);
    }
    of_kafka_parts_revoke(c, true); /* if librdkafka did not ask for it */
    bool closed = !error && rd_kafka_consumer_closed(c->rk);
    rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
    rd_kafka_t *rk = closed ? NULL : OF_TAKE(c->rk);
    of_kafka_consumer_done(c);
    pthread_t reaper;
    if (rk && pthread_create(&reaper, NULL, of_kafka_reap, rk) == 0) {
        pthread_detach(reaper);
    }
}

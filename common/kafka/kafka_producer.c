/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/kafka/kafka_int.h"
#include "common/time/time.h"

#define OF_KAFKA_MAX_HEADERS 16
#define OF_KAFKA_MAX_TOPICS 16 /* kept; others are looked up each time */
#define OF_KAFKA_FREE_WAIT_MS 5000
#define OF_KAFKA_MESSAGE_TIMEOUT_MS 30000

struct of_kafka_producer {
    rd_kafka_t *rk;
    pthread_t thread;
    bool has_thread;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t settled; /* in_flight fell to 0 */
    atomic_llong in_flight; /* produced, not reported */
    rd_kafka_topic_t *topics[OF_KAFKA_MAX_TOPICS]; /* looked up by name only once: added under lock, never removed */
    atomic_int n_topics;
};

/* What a message carries through librdkafka. */
struct of_kafka_delivery {
    of_kafka_delivered_fn *done;
    void *arg;
};

static void of_kafka_count(struct of_kafka_producer *p, int by)
{
    if (atomic_fetch_add(&p->in_flight, by) + by == 0) {
        pthread_mutex_lock(&p->lock); /* whoever waits has looked before, or looks after */
        pthread_cond_broadcast(&p->settled);
        pthread_mutex_unlock(&p->lock);
    }
}

static void of_kafka_on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
    (void)rk;
    struct of_kafka_delivery *delivery = msg->_private;
    struct of_err err = OF_ERR_INIT;
    if (msg->err) {
        of_kafka_fail(&err, msg->err, "produce");
    }
    if (delivery->done) {
        delivery->done(delivery->arg, &err);
    }
    free(delivery);
    of_kafka_count(opaque, -1);
}

static void *of_kafka_producer_thread(void *arg)
{
    struct of_kafka_producer *p = arg;
    while (!atomic_load(&p->stop)) {
        rd_kafka_poll(p->rk, 100);
    }
    return NULL;
}

static bool of_kafka_producer_settle(struct of_kafka_producer *p, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int rc = 0;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->in_flight) > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&p->settled, &p->lock, &until);
    }
    bool settled = atomic_load(&p->in_flight) == 0;
    pthread_mutex_unlock(&p->lock);
    return settled;
}

void of_kafka_producer_free(struct of_kafka_producer *p)
{
    if (!p) {
        return;
    }
    if (p->has_thread) {
        if (!of_kafka_producer_settle(p, OF_KAFKA_FREE_WAIT_MS)) {
            rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
            of_kafka_producer_settle(p, 1000); /* so that every done is called */
        }
        atomic_store(&p->stop, true);
        pthread_join(p->thread, NULL);
    }
    for (int i = 0; i < atomic_load(&p->n_topics); i++) {
        rd_kafka_topic_destroy(p->topics[i]);
    }
    if (p->rk) {
        rd_kafka_destroy(p->rk);
    }
    pthread_cond_destroy(&p->settled);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

OF_DEFINE_CLEANUP(struct of_kafka_producer, of_kafka_producer_free, of_kafka_producer_freep)

static void of_kafka_on_producer_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    (void)code;
    (void)reason;
    (void)opaque; /* messages report their own fate; a fatal error is asked for in is_dead */
}

static struct of_kafka_producer *of_kafka_producer_alloc(void)
{
    struct of_kafka_producer *p = of_calloc(1, sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->settled, &attr);
    pthread_condattr_destroy(&attr);
    return p;
}

enum of_code of_kafka_producer_new(const char *brokers, const char *client_id, int linger_ms,
                                   struct of_kafka_producer **ret, struct of_err *err)
{
    return of_kafka_producer_new_timeout(brokers, client_id, linger_ms, OF_KAFKA_MESSAGE_TIMEOUT_MS, ret, err);
}

enum of_code of_kafka_producer_new_timeout(const char *brokers, const char *client_id, int linger_ms, int timeout_ms,
                                           struct of_kafka_producer **ret, struct of_err *err)
{
    char linger[16], timeout[16];
    snprintf(linger, sizeof(linger), "%d", linger_ms);
    snprintf(timeout, sizeof(timeout), "%d", timeout_ms);
    /* One request in flight: a broker takes the first batch that it sees of a new producer whatever its sequence. Should it refuse the
     * first of several (a partition that has no leader yet) and take the next, the refused one looks like a duplicate when it comes
     * again, and is acknowledged without being there. Seen with Kafka 4.4 and a topic that had just been made. */
    const struct of_kafka_setting settings[] = {
        {"enable.idempotence", "true"},         {"acks", "all"},
        {"max.in.flight", "1"},                 {"linger.ms", linger},
        {"message.timeout.ms", timeout},        {"partitioner", "murmur2_random"},
        {"queue.buffering.max.kbytes", "65536"}, {"queue.buffering.max.messages", "100000"},
        {NULL, NULL},
    };
    OF_CLEANUP(of_kafka_conf_done) rd_kafka_conf_t *conf = NULL;
    OF_CLEANUP(of_kafka_producer_freep) struct of_kafka_producer *p = of_kafka_producer_alloc();
    OF_TRY(of_kafka_conf_make(brokers, client_id, settings, &conf, err));
    rd_kafka_conf_set_opaque(conf, p);
    rd_kafka_conf_set_dr_msg_cb(conf, of_kafka_on_delivery);
    rd_kafka_conf_set_error_cb(conf, of_kafka_on_producer_error);
    OF_TRY(of_kafka_client_make(RD_KAFKA_PRODUCER, &conf, &p->rk, err));
    sigset_t all, before; /* signals are for the main thread */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    p->has_thread = pthread_create(&p->thread, NULL, of_kafka_producer_thread, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!p->has_thread) {
        return of_err_set(err, OF_E_IO, "kafka producer: no thread");
    }
    *ret = OF_TAKE(p);
    return OF_OK;
}

static rd_kafka_headers_t *of_kafka_headers_make(const struct of_kafka_header *headers)
{
    if (!headers || !headers->name) {
        return NULL;
    }
    rd_kafka_headers_t *made = rd_kafka_headers_new(OF_KAFKA_MAX_HEADERS);
    for (const struct of_kafka_header *h = headers; h->name; h++) {
        rd_kafka_header_add(made, h->name, -1, h->value, -1);
    }
    return made;
}

static rd_kafka_topic_t *of_kafka_topic_known(struct of_kafka_producer *p, const char *topic)
{
    int n = atomic_load(&p->n_topics);
    for (int i = 0; i < n; i++) {
        if (strcmp(rd_kafka_topic_name(p->topics[i]), topic) == 0) {
            return p->topics[i];
        }
    }
    return NULL;
}

/* The topic's handle, kept by the producer; NULL: there are too many. */
static rd_kafka_topic_t *of_kafka_topic_get(struct of_kafka_producer *p, const char *topic)
{
    rd_kafka_topic_t *t = of_kafka_topic_known(p, topic);
    if (t) {
        return t;
    }
    pthread_mutex_lock(&p->lock);
    t = of_kafka_topic_known(p, topic);
    int n = atomic_load(&p->n_topics);
    if (!t && n < OF_KAFKA_MAX_TOPICS) {
        t = rd_kafka_topic_new(p->rk, topic, NULL);
        if (t) {
            p->topics[n] = t;
            atomic_store(&p->n_topics, n + 1);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return t;
}

enum of_code of_kafka_produce(struct of_kafka_producer *p, const char *topic, const char *key, const void *payload,
                              size_t len, const struct of_kafka_header *headers, of_kafka_delivered_fn *done,
                              void *arg, struct of_err *err)
{
    struct of_kafka_delivery *delivery = of_alloc(sizeof(*delivery));
    *delivery = (struct of_kafka_delivery){.done = done, .arg = arg};
    rd_kafka_headers_t *made = of_kafka_headers_make(headers);
    of_kafka_count(p, 1); /* before: the report may come before producev returns */
    union {
        const void *in;
        void *out;
    } value = {.in = payload}, key_value = {.in = key}; /* librdkafka copies, but does not say const */
    rd_kafka_topic_t *rkt = of_kafka_topic_get(p, topic);
    union {
        const void *in;
        void *out;
    } where = {.in = rkt ? (const void *)rkt : topic};
    rd_kafka_resp_err_t code = rd_kafka_producev(
        p->rk, rkt ? RD_KAFKA_VTYPE_RKT : RD_KAFKA_VTYPE_TOPIC, where.out, RD_KAFKA_V_KEY(key_value.out, key ? strlen(key) : 0),
        RD_KAFKA_V_VALUE(value.out, len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(delivery),
        made ? RD_KAFKA_VTYPE_HEADERS : RD_KAFKA_VTYPE_END, made, RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (made) {
            rd_kafka_headers_destroy(made); /* ours again */
        }
        free(delivery);
        of_kafka_count(p, -1);
        return of_kafka_fail(err, code, "produce");
    }
    return OF_OK;
}

enum of_code of_kafka_producer_flush(struct of_kafka_producer *p, int timeout_ms, struct of_err *err)
{
    /* not rd_kafka_flush: it would call done on this thread */
    if (!of_kafka_producer_settle(p, timeout_ms)) {
        return of_kafka_fail(err, RD_KAFKA_RESP_ERR__TIMED_OUT, "flush");
    }
    return OF_OK;
}

bool of_kafka_producer_is_dead(const struct of_kafka_producer *p)
{
    char text[8];
    return rd_kafka_fatal_error(p->rk, text, sizeof(text)) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

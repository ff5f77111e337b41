/* SPDX-License-Identifier: Apache-2.0 */
/* common/kafka against librdkafka's in-process broker; OF_TEST_BROKERS: against a real one, as far as that is possible. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>

#include "common/kafka/kafka_int.h"
#include "common/time/time.h"

#define PARTITIONS 4
#define PER_PARTITION_MAX 4096

static rd_kafka_t *mock_client;
static rd_kafka_mock_cluster_t *mock; /* NULL: a real broker */
static char brokers[256];

/* --- one topic and group per test --- */
static char topic[64], group[80];

static void new_topic(const char *name)
{
    static int n;
    struct of_err err = OF_ERR_INIT;
    snprintf(topic, sizeof(topic), "%s.%d.%lld", name, ++n, (long long)of_wall_now().us);
    snprintf(group, sizeof(group), "group.%s", topic);
    if (mock) {
        assert_int_equal(rd_kafka_mock_topic_create(mock, topic, PARTITIONS, 1), 0);
        return;
    }
    const struct of_kafka_topic_spec spec = {topic, PARTITIONS, 1, -1};
    OF_CLEANUP(of_freep) char *text = NULL;
    assert_int_equal(of_kafka_ensure_topics(brokers, &spec, 1, 10000, &text, &err), OF_OK);
    assert_non_null(strstr(text, "created"));
}

/* --- producing --- */
struct deliveries {
    atomic_int ok, failed, last_code;
};

static void on_delivered(void *arg, const struct of_err *err)
{
    struct deliveries *d = arg;
    atomic_store(&d->last_code, (int)err->code);
    atomic_fetch_add(err->code == OF_OK ? &d->ok : &d->failed, 1);
}

static struct of_kafka_producer *open_producer(void)
{
    struct of_kafka_producer *p = NULL;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_kafka_producer_new(brokers, "test", 1, &p, &err), OF_OK);
    return p;
}

/* n messages "<key>:<i>" for keys k0…k15, from number first on. */
static void produce(int first, int n)
{
    struct of_kafka_producer *p = open_producer();
    struct deliveries d = {0};
    struct of_err err = OF_ERR_INIT;
    const struct of_kafka_header headers[] = {{"h", "v"}, {NULL, NULL}};
    for (int i = first; i < first + n; i++) {
        char key[16], text[32];
        snprintf(key, sizeof(key), "k%d", i % 16);
        snprintf(text, sizeof(text), "%s:%d", key, i);
        assert_int_equal(of_kafka_produce(p, topic, key, text, strlen(text), headers, on_delivered, &d, &err), OF_OK);
    }
    assert_int_equal(of_kafka_producer_flush(p, 10000, &err), OF_OK);
    assert_int_equal(atomic_load(&d.ok), n);
    of_kafka_producer_free(p);
}

/* --- consuming --- */
struct reader {
    struct of_kafka_consumer *c;
    int assigned, revoked, out_of_range, errors, got;
    bool lost, commit_on_revoke;
    int last_kafka_code;
    int64_t next[PARTITIONS], epoch[PARTITIONS];
    bool mine[PARTITIONS];
    int got_of[PARTITIONS], bad_order, full_after;
};

/* How often each number arrived, over all readers of a test. */
static int seen[PER_PARTITION_MAX];

static void on_assign(void *arg, const char *t, int32_t partition, int64_t epoch)
{
    struct reader *r = arg;
    assert_string_equal(t, topic);
    assert_true(epoch > r->epoch[partition]);
    r->assigned++;
    r->mine[partition] = true;
    r->epoch[partition] = epoch;
    r->next[partition] = -1;
}

static void on_revoke(void *arg, const char *const *topics, const int32_t *partitions, int n, bool lost)
{
    struct reader *r = arg;
    struct of_err err = OF_ERR_INIT;
    r->revoked += n;
    r->lost = lost;
    for (int i = 0; i < n; i++) {
        assert_string_equal(topics[i], topic);
        assert_true(r->mine[partitions[i]]);
        r->mine[partitions[i]] = false;
        const int64_t next = r->next[partitions[i]];
        if (r->commit_on_revoke && next >= 0 && !lost &&
            of_kafka_consumer_commit(r->c, &topics[i], &partitions[i], &next, 1, true, &err) != OF_OK) {
            printf("commit: %s\n", err.msg);
            r->errors++;
        }
    }
}

static void on_message(void *arg, const struct of_kafka_msg *m, int64_t epoch)
{
    struct reader *r = arg;
    const char *colon = memchr(m->payload, ':', m->len);
    assert_true(r->mine[m->partition]);
    assert_true(epoch == r->epoch[m->partition]);
    assert_non_null(colon);
    assert_memory_equal(m->key, m->payload, m->key_len);
    if (r->next[m->partition] >= 0 && m->offset != r->next[m->partition]) {
        r->bad_order++;
    }
    r->next[m->partition] = m->offset + 1;
    r->got++;
    r->got_of[m->partition]++;
    if (r->full_after > 0 && r->got_of[m->partition] == r->full_after) {
        of_kafka_consumer_set_full(r->c, m->topic, m->partition, true);
    }
    char number[16] = "";
    memcpy(number, colon + 1, OF_MIN(m->len - (size_t)(colon + 1 - m->payload), sizeof(number) - 1));
    seen[strtol(number, NULL, 10) % PER_PARTITION_MAX]++;
}

static void on_out_of_range(void *arg, const char *t, int32_t partition)
{
    struct reader *r = arg;
    (void)t;
    (void)partition;
    r->out_of_range++;
}

static void on_error(void *arg, const struct of_err *err)
{
    struct reader *r = arg;
    if (r->errors++ < 5) {
        printf("on_error: %s\n", err->msg);
    }
    r->last_kafka_code = err->kafka_code;
}

static void open_reader(struct reader *r, int session_ms)
{
    static const struct of_kafka_consumer_ops ops = {on_assign, on_revoke, on_message, on_out_of_range, on_error};
    const char *topics[] = {topic};
    struct of_err err = OF_ERR_INIT;
    *r = (struct reader){.commit_on_revoke = true};
    assert_int_equal(
        of_kafka_consumer_new(brokers, group, "test", topics, 1, session_ms, &ops, r, &r->c, &err), OF_OK);
}

/* Polls both (b may be NULL) until *counter reaches n. */
static void poll_until(struct reader *a, struct reader *b, const int *counter, int n)
{
    int64_t until_ms = of_mono_now().ms + 30000;
    while (*counter < n) {
        of_kafka_consumer_poll(a->c, 20, 100);
        if (b) {
            of_kafka_consumer_poll(b->c, 20, 100);
        }
        if (of_mono_now().ms > until_ms) {
            fail_msg("%d of %d after 30 s", *counter, n);
        }
    }
}

static void poll_for(struct reader *a, struct reader *b, int ms)
{
    int64_t until_ms = of_mono_now().ms + ms;
    while (of_mono_now().ms < until_ms) {
        of_kafka_consumer_poll(a->c, 20, 100);
        if (b) {
            of_kafka_consumer_poll(b->c, 20, 100);
        }
    }
}

static void check_seen(int first, int n, int at_least, int at_most)
{
    for (int i = first; i < first + n; i++) {
        if (seen[i] < at_least || seen[i] > at_most) {
            fail_msg("message %d came %d times", i, seen[i]);
        }
    }
}

/* --- tests --- */
static void test_classes(void **state)
{
    (void)state;
    static const struct of_kafka_class rows[] = {
        {RD_KAFKA_RESP_ERR__FATAL, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
        {RD_KAFKA_RESP_ERR__FENCED, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
        {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
        {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
        {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, OF_E_TOO_LARGE, OF_CLASS_PERMANENT},
        {RD_KAFKA_RESP_ERR__AUTHENTICATION, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
        {RD_KAFKA_RESP_ERR__SSL, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
        {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
        {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
        {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
        {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
        {RD_KAFKA_RESP_ERR__TRANSPORT, OF_E_KAFKA, OF_CLASS_RETRY},
        {RD_KAFKA_RESP_ERR__QUEUE_FULL, OF_E_KAFKA, OF_CLASS_RETRY},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct of_kafka_class c = of_kafka_classify(rows[i].kafka_code);
        assert_int_equal(c.code, rows[i].code);
        assert_int_equal(c.cls, rows[i].cls);
    }
}

static void test_properties(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_kafka_set_property("group.id", "x", &err), OF_E_CONFIG);
    assert_int_equal(of_kafka_set_property("security.protocol", "secret", &err), OF_E_CONFIG);
    assert_null(strstr(err.msg, "secret"));
    assert_int_equal(of_kafka_set_property("security.protocol", "plaintext", &err), OF_OK);
    assert_int_equal(of_kafka_set_property("client.rack", "a", &err), OF_OK);
    assert_int_equal(of_kafka_set_property("client.rack", "b", &err), OF_OK);
}

static int share(const struct reader *r)
{
    int n = 0;
    for (int i = 0; i < PARTITIONS; i++) {
        n += r->mine[i];
    }
    return n;
}

static void commit_all(struct reader *r)
{
    struct of_err err = OF_ERR_INIT;
    const char *topics[PARTITIONS];
    int32_t partitions[PARTITIONS];
    int64_t offsets[PARTITIONS];
    int n = 0;
    for (int i = 0; i < PARTITIONS; i++) {
        if (r->mine[i] && r->next[i] >= 0) {
            topics[n] = topic;
            partitions[n] = i;
            offsets[n++] = r->next[i];
        }
    }
    if (of_kafka_consumer_commit(r->c, topics, partitions, offsets, n, true, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
}

static void poll_until_shared(struct reader *a, struct reader *b, int of_a, int of_b)
{
    int64_t until_ms = of_mono_now().ms + 30000;
    while (share(a) != of_a || share(b) != of_b) {
        poll_for(a, b, 20);
        if (of_mono_now().ms > until_ms) {
            fail_msg("shares %d and %d", share(a), share(b));
        }
    }
}

static void poll_until_seen(struct reader *a, struct reader *b, int first, int n)
{
    int64_t until_ms = of_mono_now().ms + 30000;
    for (int i = first; i < first + n;) {
        if (seen[i] > 0) {
            i++;
            continue;
        }
        if (of_mono_now().ms > until_ms) {
            fail_msg("message %d did not come", i);
        }
        poll_for(a, b, 20);
    }
}

/* Consume, commit, come back: nothing twice, nothing lost; a second reader takes over its share. */
static void test_group(void **state)
{
    (void)state;
    struct reader a, b;
    new_topic("group");
    memset(seen, 0, sizeof(seen));
    produce(0, 400);
    open_reader(&a, 6000);
    poll_until_seen(&a, NULL, 0, 400);
    assert_int_equal(a.assigned, PARTITIONS);
    commit_all(&a);
    if (mock) {
        a.commit_on_revoke = false; /* it refuses commits once a rebalance has begun; Kafka takes them */
    }
    open_reader(&b, 6000);
    poll_until_shared(&a, &b, PARTITIONS / 2, PARTITIONS / 2);
    assert_false(a.lost);
    produce(400, 400);
    poll_until_seen(&a, &b, 400, 400);
    check_seen(0, 800, 1, 1);
    assert_true(b.got > 0 && a.got > 400);
    commit_all(&a);
    commit_all(&b);
    of_kafka_consumer_close(a.c);
    assert_int_equal(share(&a), 0);
    int64_t until_ms = of_mono_now().ms + 30000;
    while (share(&b) < PARTITIONS && of_mono_now().ms < until_ms) {
        poll_for(&b, NULL, 20);
    }
    produce(800, 400);
    poll_until_seen(&b, NULL, 800, 400);
    poll_for(&b, NULL, 300);
    check_seen(0, 1200, 1, 1);
    of_kafka_consumer_close(b.c);
    assert_int_equal(a.bad_order + b.bad_order, 0);
}

/* Full partitions stand still, the others go on, and nothing is skipped afterwards. */
static void test_full(void **state)
{
    (void)state;
    struct reader a;
    new_topic("full");
    memset(seen, 0, sizeof(seen));
    produce(0, 2000);
    open_reader(&a, 6000);
    a.full_after = 50;
    poll_until(&a, NULL, &a.got, 50);
    poll_for(&a, NULL, 1000);
    int total = 0;
    for (int i = 0; i < PARTITIONS; i++) {
        assert_true(a.got_of[i] <= 50);
        total += a.got_of[i];
    }
    assert_int_equal(a.got, total);
    assert_true(total > 100);
    int before = a.got_of[0];
    of_kafka_consumer_set_full(a.c, topic, 1, false);
    poll_for(&a, NULL, 500);
    assert_int_equal(a.got_of[0], before);
    assert_true(a.got_of[1] > 50);
    for (int i = 0; i < PARTITIONS; i++) {
        of_kafka_consumer_set_full(a.c, topic, i, false);
    }
    poll_until(&a, NULL, &a.got, 2000);
    check_seen(0, 2000, 1, 1);
    assert_int_equal(a.bad_order, 0);
    of_kafka_consumer_close(a.c);
}

/* While the committed offsets cannot be had nothing is read, least of all from the beginning. */
static void test_committed_fails(void **state)
{
    (void)state;
    if (!mock) {
        skip();
    }
    struct reader a;
    new_topic("committed");
    memset(seen, 0, sizeof(seen));
    produce(0, 100);
    open_reader(&a, 6000);
    poll_until(&a, NULL, &a.got, 100);
    of_kafka_consumer_close(a.c);
    produce(100, 100);
    rd_kafka_mock_push_request_errors(mock, 9 /* OffsetFetch */, 3, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    open_reader(&a, 6000);
    poll_until(&a, NULL, &a.errors, 1);
    assert_int_equal(a.got, 0);
    poll_until(&a, NULL, &a.got, 100);
    assert_true(a.errors >= 1);
    check_seen(0, 200, 1, 1);
    of_kafka_consumer_close(a.c);
}

/* A committed offset that is not there: told, and read from the beginning; the other partitions stay as they are. */
static void test_out_of_range(void **state)
{
    (void)state;
    struct reader a;
    struct of_err err = OF_ERR_INIT;
    new_topic("range");
    memset(seen, 0, sizeof(seen));
    produce(0, 400);
    open_reader(&a, 6000);
    poll_until(&a, NULL, &a.got, 400);
    a.commit_on_revoke = false;
    const char *topics[PARTITIONS] = {topic, topic, topic, topic};
    int32_t partitions[PARTITIONS] = {0, 1, 2, 3};
    int64_t offsets[PARTITIONS] = {a.next[0], 1000000, a.next[2], a.next[3]};
    for (int i = 0; i < PARTITIONS; i++) {
        assert_true(a.next[i] > 0);
    }
    int of_1 = a.got_of[1];
    assert_int_equal(of_kafka_consumer_commit(a.c, topics, partitions, offsets, PARTITIONS, true, &err), OF_OK);
    of_kafka_consumer_close(a.c);
    open_reader(&a, 6000);
    poll_until(&a, NULL, &a.out_of_range, 1);
    poll_until(&a, NULL, &a.got, of_1);
    assert_int_equal(a.assigned, PARTITIONS + 1);
    produce(400, 100);
    poll_until(&a, NULL, &a.got, of_1 + 100);
    poll_for(&a, NULL, 1500);
    assert_int_equal(a.got, of_1 + 100);
    assert_int_equal(a.out_of_range, 1);
    check_seen(0, 400, 1, 2);
    check_seen(400, 100, 1, 1);
    assert_int_equal(a.bad_order, 0);
    of_kafka_consumer_close(a.c);
}

static void *wake_later(void *arg)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = 100000000};
    nanosleep(&t, NULL);
    of_kafka_consumer_wake(arg);
    return NULL;
}

static void test_wake(void **state)
{
    (void)state;
    struct reader a;
    pthread_t thread;
    new_topic("wake");
    open_reader(&a, 6000);
    int64_t begin_ms = of_mono_now().ms;
    assert_int_equal(pthread_create(&thread, NULL, wake_later, a.c), 0);
    assert_int_equal(of_kafka_consumer_poll(a.c, 10000, 10), 0);
    assert_in_range(of_mono_now().ms - begin_ms, 90, 3000);
    pthread_join(thread, NULL);
    of_kafka_consumer_wake(a.c);
    begin_ms = of_mono_now().ms;
    of_kafka_consumer_poll(a.c, 10000, 10);
    assert_in_range(of_mono_now().ms - begin_ms, 0, 3000);
    of_kafka_consumer_close(a.c);
}

static void *produce_later(void *arg)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = 200000000};
    nanosleep(&t, NULL);
    produce(*(int *)arg, 1);
    return NULL;
}

/* A message wakes a poll that waits, again and again, and also after a partition was full. */
static void test_message_wakes(void **state)
{
    (void)state;
    struct reader a;
    new_topic("message");
    open_reader(&a, 6000);
    poll_until(&a, NULL, &a.assigned, PARTITIONS);
    poll_for(&a, NULL, 1000);
    for (int i = 0; i < 6; i++) {
        pthread_t thread;
        int first = i / 2; /* the same partition twice */
        assert_int_equal(pthread_create(&thread, NULL, produce_later, &first), 0);
        int64_t begin_ms = of_mono_now().ms;
        assert_int_equal(of_kafka_consumer_poll(a.c, 10000, 10), 1);
        assert_in_range(of_mono_now().ms - begin_ms, 0, 4000);
        pthread_join(thread, NULL);
    }
    for (int i = 0; i < PARTITIONS; i++) {
        of_kafka_consumer_set_full(a.c, topic, i, true);
    }
    produce(0, 1);
    assert_int_equal(of_kafka_consumer_poll(a.c, 500, 10), 0);
    for (int i = 0; i < PARTITIONS; i++) {
        of_kafka_consumer_set_full(a.c, topic, i, false);
    }
    assert_int_equal(of_kafka_consumer_poll(a.c, 10000, 10), 1);
    assert_int_equal(a.bad_order, 0);
    of_kafka_consumer_close(a.c);
}

static void test_lag(void **state)
{
    (void)state;
    struct reader a;
    struct of_err err = OF_ERR_INIT;
    struct of_kafka_lag *lags = NULL;
    int n = 0, partitions = 0;
    new_topic("lag");
    produce(0, 100);
    const char *topics[] = {topic, "nosuch"};
    assert_int_equal(of_kafka_check_topics(brokers, topics, 1, 5000, &partitions, &err), OF_OK);
    assert_int_equal(partitions, PARTITIONS);
    assert_int_equal(of_kafka_check_topics(brokers, topics, 2, 5000, &partitions, &err), OF_E_CONFIG);
    assert_int_equal(of_kafka_group_lag(brokers, group, topics, 2, 5000, &lags, &n, &err), OF_OK);
    assert_int_equal(n, PARTITIONS);
    int64_t lag = 0;
    for (int i = 0; i < n; i++) {
        assert_true(lags[i].committed == -1);
        lag += lags[i].lag;
    }
    assert_int_equal(lag, 100);
    free(lags);
    open_reader(&a, 6000);
    poll_until(&a, NULL, &a.got, 100);
    of_kafka_consumer_close(a.c);
    produce(0, 7);
    assert_int_equal(of_kafka_group_lag(brokers, group, topics, 1, 5000, &lags, &n, &err), OF_OK);
    lag = 0;
    for (int i = 0; i < n; i++) {
        assert_string_equal(lags[i].topic, topic);
        lag += lags[i].lag;
    }
    assert_int_equal(lag, 7);
    free(lags);
}

static void test_ensure(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    char *text = NULL;
    new_topic("ensure");
    struct of_kafka_topic_spec specs[2] = {{topic, PARTITIONS, 1, -1}, {topic, PARTITIONS, 1, -1}};
    assert_int_equal(of_kafka_ensure_topics(brokers, specs, 1, 5000, &text, &err), OF_OK);
    assert_non_null(strstr(text, "exists"));
    free(text);
    text = NULL;
    specs[0].partitions = PARTITIONS + 1;
    assert_int_equal(of_kafka_ensure_topics(brokers, specs, 1, 5000, &text, &err), OF_E_CONFIG);
    assert_null(text);
    char other[80];
    snprintf(other, sizeof(other), "%s.other", topic);
    specs[0] = (struct of_kafka_topic_spec){other, 2, 1, 86400000};
    enum of_code code = of_kafka_ensure_topics(brokers, specs, 2, 3000, &text, &err);
    assert_int_equal(code, mock ? OF_E_KAFKA : OF_OK); /* the in-process broker does not know CreateTopics */
    free(text);
}

static void test_produce_fails(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    struct deliveries d = {0};
    new_topic("fails");
    struct of_kafka_producer *p = open_producer();
    if (mock) {
        rd_kafka_mock_push_request_errors(mock, 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
        assert_int_equal(of_kafka_produce(p, topic, "k", "x", 1, NULL, on_delivered, &d, &err), OF_OK);
        assert_int_equal(of_kafka_producer_flush(p, 10000, &err), OF_OK);
        assert_int_equal(atomic_load(&d.failed), 1);
        assert_int_equal(atomic_load(&d.last_code), OF_E_KAFKA);
    }
    size_t size = (size_t)2 * 1024 * 1024;
    char *large = of_calloc(1, size);
    assert_int_equal(of_kafka_produce(p, topic, "k", large, size, NULL, on_delivered, &d, &err), OF_E_TOO_LARGE);
    assert_int_equal(err.cls, OF_CLASS_PERMANENT);
    free(large);
    assert_false(of_kafka_producer_is_dead(p));
    of_kafka_producer_free(p);
}

/* Nobody listens: what is produced is reported, and the end takes seconds. */
static void test_no_broker(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    struct of_kafka_producer *p = NULL;
    struct deliveries d = {0};
    int n = 0;
    assert_int_equal(of_kafka_producer_new("127.0.0.1:1", "test", 1, &p, &err), OF_OK);
    assert_int_equal(of_kafka_produce(p, "t", NULL, "x", 1, NULL, on_delivered, &d, &err), OF_OK);
    assert_int_equal(of_kafka_producer_flush(p, 100, &err), OF_E_KAFKA);
    int64_t begin_ms = of_mono_now().ms;
    of_kafka_producer_free(p);
    assert_in_range(of_mono_now().ms - begin_ms, 0, 8000);
    assert_int_equal(atomic_load(&d.failed), 1);
    const char *topics[] = {"t"};
    assert_int_equal(of_kafka_check_topics("127.0.0.1:1", topics, 1, 300, &n, &err), OF_E_KAFKA);
}

/* The broker goes away under a consumer that has partitions. */
static void test_close_without_broker(void **state)
{
    (void)state;
    if (!mock) {
        skip();
    }
    struct reader a;
    new_topic("close");
    produce(0, 10);
    open_reader(&a, 30000);
    poll_until(&a, NULL, &a.got, 10);
    rd_kafka_mock_broker_set_down(mock, 1);
    poll_for(&a, NULL, 300);
    int64_t begin_ms = of_mono_now().ms;
    of_kafka_consumer_close(a.c);
    printf("closed after %lld ms\n", (long long)(of_mono_now().ms - begin_ms));
    assert_in_range(of_mono_now().ms - begin_ms, 0, 10000);
    assert_int_equal(a.revoked, PARTITIONS);
    rd_kafka_mock_broker_set_up(mock, 1);
}

static int setup(void **state)
{
    (void)state;
    char text[256];
    const char *real = getenv("OF_TEST_BROKERS");
    if (real) {
        return of_strcopy(brokers, sizeof(brokers), real) ? 0 : -1;
    }
    mock_client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
    mock = mock_client ? rd_kafka_mock_cluster_new(mock_client, 1) : NULL;
    return mock && of_strcopy(brokers, sizeof(brokers), rd_kafka_mock_cluster_bootstraps(mock)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    if (mock) {
        rd_kafka_mock_cluster_destroy(mock);
        rd_kafka_destroy(mock_client);
    }
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),       cmocka_unit_test(test_properties),
        cmocka_unit_test(test_group),         cmocka_unit_test(test_full),
        cmocka_unit_test(test_committed_fails), cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_wake),          cmocka_unit_test(test_message_wakes),
        cmocka_unit_test(test_lag),
        cmocka_unit_test(test_ensure),        cmocka_unit_test(test_produce_fails),
        cmocka_unit_test(test_no_broker),     cmocka_unit_test(test_close_without_broker),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

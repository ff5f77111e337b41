/* SPDX-License-Identifier: Apache-2.0 */
/* Which partitions are ours and where they go on. librdkafka 2.0.2, eager protocol. */
#include "common/kafka/kafka.h"

#include <stdlib.h>
#include <string.h>

#include "common/kafka/kafka_int.h"
#include "common/time/time.h"

#define OF_KAFKA_COMMITTED_MS 5000
#define OF_KAFKA_AGAIN_MS 1000

void of_kafka_queue_watch(rd_kafka_queue_t *queue, int fd)
{
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, fd, &one, sizeof(one));
}

void of_kafka_report(const struct of_kafka_consumer *c, const struct of_err *err)
{
    if (c->ops.on_error) {
        c->ops.on_error(c->arg, err);
    }
}

static void of_kafka_report_code(const struct of_kafka_consumer *c, rd_kafka_resp_err_t code, const char *what)
{
    struct of_err err = OF_ERR_INIT;
    of_kafka_fail(&err, code, what);
    of_kafka_report(c, &err);
}

struct of_kafka_part *of_kafka_part_find(const struct of_kafka_consumer *c, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < c->n_parts; i++) {
        if (c->parts[i].partition == partition && strcmp(c->parts[i].topic, topic) == 0) {
            return &c->parts[i];
        }
    }
    return NULL;
}

static void of_kafka_part_close(struct of_kafka_part *part)
{
    if (part->queue) {
        of_kafka_queue_watch(part->queue, -1);
        rd_kafka_queue_destroy(part->queue);
        part->queue = NULL;
    }
}

/* A queue of its own, not forwarded to the main one. Before the assignment: librdkafka then leaves it alone, and no message
 * can slip into the main queue. */
static void of_kafka_part_open(struct of_kafka_consumer *c, struct of_kafka_part *part)
{
    of_kafka_part_close(part);
    part->queue = rd_kafka_queue_get_partition(c->rk, part->topic, part->partition);
    if (part->queue) {
        rd_kafka_queue_forward(part->queue, NULL);
        of_kafka_queue_watch(part->queue, c->wake_fd);
    }
}

static void of_kafka_parts_free(struct of_kafka_consumer *c)
{
    for (size_t i = 0; i < c->n_parts; i++) {
        of_kafka_part_close(&c->parts[i]);
        free(c->parts[i].topic);
    }
    free(c->parts);
    c->parts = NULL;
    c->n_parts = 0;
}

void of_kafka_parts_revoke(struct of_kafka_consumer *c, bool lost)
{
    if (c->n_parts > 0 && c->ops.on_revoke) {
        const char **topics = of_calloc(c->n_parts, sizeof(*topics));
        int32_t *partitions = of_calloc(c->n_parts, sizeof(*partitions));
        for (size_t i = 0; i < c->n_parts; i++) {
            topics[i] = c->parts[i].topic;
            partitions[i] = c->parts[i].partition;
        }
        c->ops.on_revoke(c->arg, topics, partitions, (int)c->n_parts, lost);
        free(topics);
        free(partitions);
    }
    of_kafka_parts_free(c);
    if (c->wanted) {
        rd_kafka_topic_partition_list_destroy(c->wanted);
        c->wanted = NULL;
    }
}

/* Assigns parts at their positions. */
static bool of_kafka_parts_assign(struct of_kafka_consumer *c)
{
    OF_CLEANUP(of_kafka_list_done) of_kafka_list_t *list = rd_kafka_topic_partition_list_new((int)c->n_parts);
    for (size_t i = 0; i < c->n_parts; i++) {
        struct of_kafka_part *part = &c->parts[i];
        of_kafka_part_open(c, part);
        rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset =
            part->reset ? RD_KAFKA_OFFSET_BEGINNING : part->next;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(c->rk, list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        of_kafka_report_code(c, code, "assign");
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void of_kafka_part_started(struct of_kafka_consumer *c, struct of_kafka_part *part)
{
    part->epoch = ++c->epoch;
    if (c->ops.on_assign) {
        c->ops.on_assign(c->arg, part->topic, part->partition, part->epoch);
    }
}

/* The committed offset of every wanted partition. A failed question must never look like "nothing committed". */
static bool of_kafka_wanted_ask(struct of_kafka_consumer *c)
{
    rd_kafka_resp_err_t code = rd_kafka_committed(c->rk, c->wanted, OF_KAFKA_COMMITTED_MS);
    for (int i = 0; i < c->wanted->cnt && !code; i++) {
        code = c->wanted->elems[i].err;
    }
    if (code) {
        of_kafka_report_code(c, code, "committed offsets");
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool of_kafka_wanted_assign(struct of_kafka_consumer *c)
{
    if (!of_kafka_wanted_ask(c)) {
        return false;
    }
    OF_CLEANUP(of_kafka_list_done) of_kafka_list_t *wanted = OF_TAKE(c->wanted);
    c->n_parts = (size_t)wanted->cnt;
    c->parts = of_calloc(c->n_parts + 1, sizeof(*c->parts));
    for (size_t i = 0; i < c->n_parts; i++) {
        const rd_kafka_topic_partition_t *w = &wanted->elems[i];
        c->parts[i].topic = of_strdup(w->topic);
        c->parts[i].partition = w->partition;
        c->parts[i].next = w->offset >= 0 ? w->offset : RD_KAFKA_OFFSET_BEGINNING;
    }
    if (!of_kafka_parts_assign(c)) {
        of_kafka_parts_free(c);
        c->wanted = OF_TAKE(wanted);
        return false;
    }
    for (size_t i = 0; i < c->n_parts; i++) {
        of_kafka_part_started(c, &c->parts[i]);
    }
    return true;
}

static void of_kafka_take_assignment(struct of_kafka_consumer *c, const of_kafka_list_t *partitions)
{
    if (c->n_parts > 0 || c->wanted) {
        of_kafka_parts_revoke(c, true); /* eager: there was a revocation before, unless librdkafka lost it */
    }
    c->wanted = rd_kafka_topic_partition_list_copy(partitions);
    if (!of_kafka_wanted_assign(c)) {
        /* the group is to see that we answered; the partitions follow as soon as their offsets are known */
        OF_CLEANUP(of_kafka_list_done) of_kafka_list_t *none = rd_kafka_topic_partition_list_new(0);
        rd_kafka_assign(c->rk, none);
        c->retry_at.ms = of_mono_now().ms + OF_KAFKA_AGAIN_MS;
    }
}

void of_kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t what, of_kafka_list_t *partitions, void *opaque)
{
    struct of_kafka_consumer *c = opaque;
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        of_kafka_take_assignment(c, partitions);
        return;
    }
    bool lost = rd_kafka_assignment_lost(rk) != 0;
    if (what != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        of_kafka_report_code(c, what, "rebalance");
        lost = true;
    }
    of_kafka_parts_revoke(c, lost);
    rd_kafka_assign(rk, NULL);
}

/* All are assigned anew (the eager protocol knows nothing else, and seek refuses a stopped partition); those that are not
 * reset go on where they are. */
static void of_kafka_parts_reset(struct of_kafka_consumer *c)
{
    c->reset_at.ms = of_mono_now().ms + OF_KAFKA_AGAIN_MS; /* and not in a hot loop */
    if (!of_kafka_parts_assign(c)) {
        return;
    }
    for (size_t i = 0; i < c->n_parts; i++) {
        struct of_kafka_part *part = &c->parts[i];
        if (!part->reset) {
            continue;
        }
        bool was_offset = part->next >= 0;
        part->reset = false;
        part->next = RD_KAFKA_OFFSET_BEGINNING;
        if (was_offset) { /* else it never started: only asking for the beginning failed */
            if (c->ops.on_out_of_range) {
                c->ops.on_out_of_range(c->arg, part->topic, part->partition);
            }
            of_kafka_part_started(c, part);
        }
    }
}

static bool of_kafka_has_reset(const struct of_kafka_consumer *c)
{
    for (size_t i = 0; i < c->n_parts; i++) {
        if (c->parts[i].reset) {
            return true;
        }
    }
    return false;
}

void of_kafka_assign_again(struct of_kafka_consumer *c)
{
    int64_t now_ms = of_mono_now().ms;
    if (c->wanted && now_ms >= c->retry_at.ms) {
        of_kafka_wanted_assign(c);
        c->retry_at.ms = of_mono_now().ms + OF_KAFKA_AGAIN_MS;
    }
    if (now_ms >= c->reset_at.ms && of_kafka_has_reset(c)) {
        of_kafka_parts_reset(c);
    }
}

int64_t of_kafka_assign_wait_ms(const struct of_kafka_consumer *c, int64_t max_ms)
{
    int64_t at_ms = INT64_MAX;
    if (c->wanted) {
        at_ms = c->retry_at.ms;
    }
    if (of_kafka_has_reset(c)) {
        at_ms = OF_MIN(at_ms, c->reset_at.ms);
    }
    if (at_ms == INT64_MAX) {
        return max_ms;
    }
    int64_t left_ms = at_ms - of_mono_now().ms;
    return OF_MAX(OF_MIN(left_ms, max_ms), (int64_t)0);
}

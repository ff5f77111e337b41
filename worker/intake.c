/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/intake_int.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/failpoint.h"
#include "common/metrics/metrics.h"
#include "worker/remote.h"

#define POLL_MS 100
#define FLOOD_POLL_MS 5 /* changes are written by the thousand in some ms: nobody wakes us when there is room again */
#define POLL_MESSAGES 500
#define COMMIT_MS 200
#define GAUGE_MS 1000
#define FULL_ABOVE 2000 /* messages in hand of one partition */
#define FULL_BELOW 1000
#define CHANGES_SHARE 10 /* so many times as many changes: they are small, and what is read ahead need not wait behind a flood */
#define COMMITS_MAX 256
#define HAND_OVER_MS 600 /* of a revocation's second */
#define REVOKE_WAIT_MS 250
#define LIVE_MS 30000
#define TELL_AGAIN_MS 5000
#define JOIN_MS 15000 /* a worker beyond the number of partitions gets none, and is ready even so */

const char *const of_intake_topics[OF_INTAKE_TOPICS] = {OF_TOPIC_LIVE, OF_TOPIC_BULK, OF_TOPIC_CHANGES};

static int32_t topic_index(const char *topic)
{
    for (int32_t i = 0; i < OF_INTAKE_TOPICS; i++) {
        if (strcmp(of_intake_topics[i], topic) == 0) {
            return i;
        }
    }
    return -1;
}

static struct of_intake_part *part_of(struct of_intake *in, int32_t topic, int32_t partition)
{
    for (size_t i = 0; i < in->n_parts; i++) {
        if (in->parts[i].topic == topic && in->parts[i].partition == partition) {
            return &in->parts[i];
        }
    }
    return NULL;
}

/* --- offsets --- */

/* Returns how many it committed. */
static int commit_some(struct of_intake *in, bool sync)
{
    int32_t topics[COMMITS_MAX];
    int32_t partitions[COMMITS_MAX];
    int64_t offsets[COMMITS_MAX];
    const char *names[COMMITS_MAX];
    int n = of_tracker_commits(in->w->tracker, topics, partitions, offsets, COMMITS_MAX);
    if (n == 0) {
        return 0;
    }
    for (int i = 0; i < n; i++) {
        names[i] = of_intake_topics[topics[i]];
    }
    struct of_err err = OF_ERR_INIT;
    (void)OF_FAILPOINT("worker.before_commit_offset");
    if (of_kafka_consumer_commit(in->consumer, names, partitions, offsets, n, sync, &err) != OF_OK) {
        of_tracker_again(in->w->tracker);
        of_log_err(OF_LOG_WARN, "intake.commit_failed", "offsets were not committed, trying again", &err, NULL);
        return 0;
    }
    (void)OF_FAILPOINT("worker.after_commit_offset");
    return n;
}

static void commit(struct of_intake *in, bool sync)
{
    while (commit_some(in, sync) == COMMITS_MAX) {
    }
}

static void commit_sometimes(struct of_intake *in)
{
    struct of_mono now = of_mono_now();
    if (now.ms - in->committed_at.ms >= COMMIT_MS) {
        in->committed_at = now;
        commit(in, false);
    }
}

static void check_full(struct of_intake *in)
{
    in->is_flooded = false;
    for (size_t i = 0; i < in->n_parts; i++) {
        struct of_intake_part *p = &in->parts[i];
        bool is_changes = strcmp(of_intake_topics[p->topic], OF_TOPIC_CHANGES) == 0;
        size_t open = of_tracker_open(in->w->tracker, p->topic, p->partition) / (is_changes ? CHANGES_SHARE : 1);
        bool is_full = open > FULL_ABOVE || (p->is_full && open > FULL_BELOW);
        if (is_full != p->is_full) {
            p->is_full = is_full;
            of_kafka_consumer_set_full(in->consumer, of_intake_topics[p->topic], p->partition, is_full);
        }
        in->is_flooded = in->is_flooded || (is_full && is_changes);
    }
}

/* --- callbacks of the consumer, on its thread --- */

static void on_assign(void *arg, const char *topic, int32_t partition, int64_t epoch)
{
    struct of_intake *in = arg;
    (void)epoch; /* ours moves with a reset as well */
    int32_t index = topic_index(topic);
    if (index < 0) {
        return;
    }
    struct of_intake_part *p = part_of(in, index, partition);
    if (!p) {
        in->parts = of_reallocarray(in->parts, in->n_parts + 1, sizeof(*in->parts));
        p = &in->parts[in->n_parts++];
    }
    *p = (struct of_intake_part){.topic = index, .partition = partition, .epoch = ++in->epochs};
    of_tracker_assign(in->w->tracker, index, partition, p->epoch);
    of_kafka_consumer_set_full(in->consumer, topic, partition, false);
    atomic_store(&in->n_parts_now, (int)in->n_parts);
    atomic_store(&in->was_assigned, true);
    of_log(OF_LOG_DEBUG, "intake.assigned", "partition assigned", OF_S("topic", topic), OF_I("partition", partition));
}

static void forget(struct of_intake *in, const char *topic, int32_t partition)
{
    int32_t index = topic_index(topic);
    struct of_intake_part *p = part_of(in, index, partition);
    if (p) {
        of_tracker_revoke(in->w->tracker, index, partition);
        *p = in->parts[--in->n_parts];
        atomic_store(&in->n_parts_now, (int)in->n_parts);
    }
}

static void on_revoke(void *arg, const char *const *topics, const int32_t *partitions, int n, bool lost)
{
    struct of_intake *in = arg;
    struct of_mono begin = of_mono_now();
    if (n > 0) {
        for (int i = 0; i < n; i++) {
            int32_t index = topic_index(topics[i]);
            if (index >= 0) {
                of_tracker_leave(in->w->tracker, index, partitions[i]);
            }
        }
        of_items_revoke(in, partitions, n, 0); /* nothing more begins */
        of_remote_hand_over(in->w->remote, partitions, n, HAND_OVER_MS);
        of_items_revoke(in, partitions, n, lost ? 0 : REVOKE_WAIT_MS); /* calls that waited have failed: jobs end */
    }
    if (!lost) {
        commit(in, true);
    }
    for (int i = 0; i < n; i++) {
        forget(in, topics[i], partitions[i]);
    }
    of_log(OF_LOG_INFO, "intake.revoked", lost ? "partitions lost" : "partitions revoked", OF_I("count", n),
           OF_I("dur_ms", of_mono_now().ms - begin.ms));
}

/* Now and then is enough: remote remembers it for a minute of silence. */
static void tell_partition(struct of_intake *in, const struct of_task_msg *task, const char *key, const struct of_intake_part *p)
{
    uint64_t hash = (uint64_t)p->epoch;
    for (const char *c = key; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    }
    struct of_told *told = &in->told[(hash ^ (hash >> 32)) % OF_INTAKE_TOLD];
    int64_t now = of_mono_now().ms;
    if (told->hash != hash || now - told->at_ms > TELL_AGAIN_MS) {
        *told = (struct of_told){.hash = hash, .at_ms = now};
        of_remote_set_partition(in->w->remote, task->org, task->adapter, p->partition);
    }
}

static void on_change(struct of_intake *in, const struct of_kafka_msg *msg, struct of_tracked m)
{
    struct of_change change = {.org = NULL};
    struct of_err err = OF_ERR_INIT;
    if (of_change_decode(msg->payload, msg->len, &change, &err) != OF_OK) {
        of_intake_count(msg->topic, "dead");
        of_dead_message(in->w, msg, &err, m);
        return;
    }
    of_intake_count(msg->topic, "accepted");
    of_changes_add(in->changes, &change, m);
}

static void on_message(void *arg, const struct of_kafka_msg *msg, int64_t epoch)
{
    struct of_intake *in = arg;
    (void)epoch;
    int32_t index = topic_index(msg->topic);
    const struct of_intake_part *p = part_of(in, index, msg->partition);
    if (!p) {
        return;
    }
    struct of_tracked m = {.topic = index, .partition = msg->partition, .epoch = p->epoch, .offset = msg->offset};
    of_tracker_begin(in->w->tracker, m);
    if (strcmp(msg->topic, OF_TOPIC_CHANGES) == 0) {
        on_change(in, msg, m);
        return;
    }
    struct of_task_msg task = {.org = NULL};
    struct of_err err = OF_ERR_INIT;
    if (of_task_decode(msg->payload, msg->len, &task, &err) != OF_OK) {
        of_intake_count(msg->topic, "dead");
        of_dead_message(in->w, msg, &err, m);
        return;
    }
    OF_CLEANUP(of_freep) char *key = of_lane_key(task.org, task.adapter);
    tell_partition(in, &task, key, p);
    of_items_accept(in, &task, m);
    of_task_msg_done(&task);
    if (of_lanes_depth(in->w->lanes, key) > (size_t)in->w->conf->lane_max) {
        of_items_fold(in, key);
    }
}

/* The broker has thrown away messages that were not read. Nothing is lost, for Postgres knows what is owed. */
static void on_out_of_range(void *arg, const char *topic, int32_t partition)
{
    struct of_intake *in = arg;
    of_log(OF_LOG_ERROR, "intake.out_of_range", "the position is gone, reading from the beginning and emitting again",
           OF_S("topic", topic), OF_I("partition", partition));
    if (strcmp(topic, OF_TOPIC_CHANGES) == 0) {
        of_intake_ask_repair(in);
    } else {
        of_intake_emit_again(in);
    } /* on_assign follows */
}

static void on_error(void *arg, const struct of_err *err)
{
    struct of_intake *in = arg;
    of_log_err(err->cls == OF_CLASS_FATAL ? OF_LOG_ERROR : OF_LOG_WARN, "intake.kafka", "the broker reports an error", err, NULL);
    of_tracker_again(in->w->tracker); /* it may have been a commit */
    if (err->cls == OF_CLASS_FATAL) {
        atomic_store(&in->is_fatal, true);
        of_intake_stop(in);
    }
}

/* --- the loop --- */

static void gauges(struct of_intake *in)
{
    struct of_mono now = of_mono_now();
    if (now.ms - in->gauged_at.ms < GAUGE_MS) {
        return;
    }
    in->gauged_at = now;
    struct of_lanes_stats s;
    of_lanes_stats(in->w->lanes, &s);
    of_metric_set(of_gauge("openfaith_worker_lanes", NULL, "Lanes with something in them"), (double)s.lanes);
    static const char *const help = "Jobs, by state";
    of_metric_set(of_gauge("openfaith_worker_jobs", "state=\"queued\"", help), (double)s.queued);
    of_metric_set(of_gauge("openfaith_worker_jobs", "state=\"running\"", help), (double)s.running);
    of_metric_set(of_gauge("openfaith_worker_jobs", "state=\"waiting\"", help), (double)s.waiting);
    of_metric_set(of_gauge("openfaith_consumer_partitions", NULL, "Partitions assigned to this worker"), (double)in->n_parts);
}

static void beat(struct of_intake *in)
{
    atomic_store(&in->beat_ms, of_mono_now().ms);
}

static void check_producer(struct of_intake *in)
{
    if (of_kafka_producer_is_dead(in->w->producer) && !atomic_load(&in->is_fatal)) {
        of_log(OF_LOG_ERROR, "worker.producer_dead", "the producer failed for good, leaving to be started again");
        atomic_store(&in->is_fatal, true);
        of_intake_stop(in);
    }
}

/* No new message, no new job; what was begun ends, and is committed. Late in the drain time calls are cut off. */
static void drain(struct of_intake *in)
{
    struct of_worker *w = in->w;
    int64_t begin = of_mono_now().ms;
    int64_t until = begin + w->conf->drain_ms;
    int64_t cut_off = begin + w->conf->drain_ms * 7 / 10;
    bool is_cut = false;
    atomic_store(&w->stopping, true);
    of_lanes_drain(w->lanes);
    for (size_t i = 0; i < in->n_parts; i++) {
        of_kafka_consumer_set_full(in->consumer, of_intake_topics[in->parts[i].topic], in->parts[i].partition, true);
    }
    while (!of_lanes_wait_empty(w->lanes, 20) && of_mono_now().ms < until) {
        if (!is_cut && of_mono_now().ms >= cut_off) {
            is_cut = true;
            of_remote_stop(w->remote);
        }
        (void)of_kafka_consumer_poll(in->consumer, 0, 0);
        commit_sometimes(in);
        beat(in);
    }
    commit(in, true);
    of_log(OF_LOG_INFO, "worker.drained", "drained", OF_I("count", of_lanes_jobs(w->lanes)),
           OF_I("dur_ms", of_mono_now().ms - begin));
}

void of_intake_run(struct of_intake *in)
{
    while (!atomic_load(&in->stop)) {
        beat(in);
        (void)of_kafka_consumer_poll(in->consumer, in->is_flooded ? FLOOD_POLL_MS : POLL_MS, POLL_MESSAGES);
        of_changes_flush(in->changes);
        check_full(in);
        commit_sometimes(in);
        gauges(in);
        check_producer(in);
    }
    drain(in);
    atomic_store(&in->is_closing, true);
    of_kafka_consumer_close(in->consumer); /* on_revoke comes inside, and commits */
    in->consumer = NULL;
}

void of_intake_stop(struct of_intake *in)
{
    atomic_store(&in->stop, true);
    if (!atomic_load(&in->is_closing)) {
        of_kafka_consumer_wake(in->consumer);
    }
}

bool of_intake_is_live(struct of_intake *in)
{
    return of_mono_now().ms - atomic_load(&in->beat_ms) < LIVE_MS;
}

bool of_intake_is_ready(struct of_intake *in)
{
    return !atomic_load(&in->stop) && (atomic_load(&in->was_assigned) || of_mono_now().ms - in->started_at.ms > JOIN_MS);
}

bool of_intake_is_fatal(struct of_intake *in)
{
    return atomic_load(&in->is_fatal);
}

enum of_code of_intake_new(struct of_worker *w, struct of_intake **ret, struct of_err *err)
{
    static const struct of_kafka_consumer_ops ops = {
        .on_assign = on_assign,
        .on_revoke = on_revoke,
        .on_message = on_message,
        .on_out_of_range = on_out_of_range,
        .on_error = on_error,
    };
    struct of_intake *in = of_calloc(1, sizeof(*in));
    in->w = w;
    in->started_at = of_mono_now();
    beat(in);
    of_items_init(in);
    in->changes = of_changes_new(w);
    enum of_code code = of_kafka_consumer_new(w->conf->kafka_brokers, OF_WORKER_GROUP, w->name, of_intake_topics,
                                              OF_INTAKE_TOPICS, (int)w->conf->session_timeout_ms, &ops, in, &in->consumer, err);
    if (code != OF_OK) {
        of_intake_free(in);
        return code;
    }
    *ret = in;
    return OF_OK;
}

void of_intake_free(struct of_intake *in)
{
    if (!in) {
        return;
    }
    of_kafka_consumer_close(in->consumer);
    of_items_done(in);
    of_changes_free(in->changes);
    free(in->parts);
    free(in);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/intake_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/metrics/metrics.h"

#include "worker_sql.h"

#define FOLD_AGAIN_MS 1000 /* what was folded comes back after so long */
#define DB_WAIT_MS 10000
#define RETRY_MS 1000

void of_intake_count(const char *topic, const char *outcome)
{
    OF_CLEANUP(of_freep) char *labels = of_asprintf("topic=\"%s\",outcome=\"%s\"", topic, outcome);
    of_metric_inc(of_counter("openfaith_consumer_messages_total", labels, "Messages read, by what became of them"));
}

/* --- the table of messages in hand --- */

static void lock(struct of_intake *in)
{
    OF_BUG_ON(pthread_mutex_lock(&in->lock) != 0);
}

static void unlock(struct of_intake *in)
{
    OF_BUG_ON(pthread_mutex_unlock(&in->lock) != 0);
}

static uint64_t mix(uint64_t h, const char *s)
{
    for (; *s; s++) {
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    }
    return (h ^ 0xff) * UINT64_C(1099511628211);
}

#define FNV_BASIS UINT64_C(14695981039346656037)

/* Phases by run (unique everywhere) and type, the others by connection. */
static uint64_t hash_of_phase(int64_t run, const char *type)
{
    uint64_t h = mix((FNV_BASIS ^ (uint64_t)run) * UINT64_C(1099511628211), type);
    return h ^ (h >> 32);
}

static uint64_t hash_of(const char *key, const struct of_task_msg *msg)
{
    if (msg->kind == OF_TASK_PHASE) {
        return hash_of_phase(msg->run, msg->type);
    }
    uint64_t h = mix(FNV_BASIS ^ (uint64_t)msg->kind, key);
    return h ^ (h >> 32);
}

static bool is_same_job(const struct of_item *item, uint64_t hash, const char *key, const struct of_task_msg *msg)
{
    return item->hash == hash && item->msg.kind == msg->kind && item->msg.run == msg->run && strcmp(item->key, key) == 0 &&
           of_str_eq(item->msg.type, msg->type);
}

static void item_free(struct of_item *item)
{
    of_task_msg_done(&item->msg);
    free(item->key);
    free(item);
}

static void unlink_item(struct of_intake *in, struct of_item *item)
{
    struct of_item **place = &in->buckets[item->hash % OF_INTAKE_BUCKETS];
    while (*place != item) {
        place = &(*place)->hash_next;
    }
    *place = item->hash_next;
    item->hash_next = NULL;
    in->n_items--;
}

static void on_started(struct of_origin *o)
{
    struct of_item *item = OF_CONTAINER_OF(o, struct of_item, origin);
    lock(item->in);
    item->is_started = true;
    unlock(item->in);
}

/* The job is gone. Its repetitions of the same assignment end with it: should its own message still be open, no commit passes
 * that one. Those of a later assignment have waited so that one slice is not done twice at once: now they look at the state. */
static void on_over(struct of_origin *o)
{
    struct of_item *item = OF_CONTAINER_OF(o, struct of_item, origin);
    struct of_intake *in = item->in;
    lock(in);
    unlink_item(in, item);
    struct of_item *twin = item->twins;
    item->twins = NULL;
    (void)pthread_cond_broadcast(&in->fewer);
    unlock(in);
    while (twin) {
        struct of_item *next = twin->hash_next;
        if (twin->m.epoch == item->m.epoch) {
            of_tracker_end(in->w->tracker, twin->m);
        } else if (!atomic_load(&in->w->stopping)) {
            of_items_accept(in, &twin->msg, twin->m);
        }
        item_free(twin);
        twin = next;
    }
    item_free(item);
}

void of_items_init(struct of_intake *in)
{
    OF_BUG_ON(pthread_mutex_init(&in->lock, NULL) != 0);
    pthread_condattr_t attr;
    OF_BUG_ON(pthread_condattr_init(&attr) != 0);
    OF_BUG_ON(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0);
    OF_BUG_ON(pthread_cond_init(&in->fewer, &attr) != 0);
    (void)pthread_condattr_destroy(&attr);
}

void of_items_done(struct of_intake *in)
{
    OF_BUG_ON(in->n_items > 0);
    (void)pthread_cond_destroy(&in->fewer);
    (void)pthread_mutex_destroy(&in->lock);
}

/* Under the lock. True if the message needs no job of its own: one that has not started yet looks at the present state when it
 * does, so a message that says no more than its own is a repetition and ends (*ret_end). One of a job at work waits for its
 * end. */
static bool is_repetition(struct of_intake *in, struct of_item *fresh, bool *ret_end)
{
    const struct of_task_msg *msg = &fresh->msg;
    for (struct of_item *item = in->buckets[fresh->hash % OF_INTAKE_BUCKETS]; item; item = item->hash_next) {
        if (!is_same_job(item, fresh->hash, fresh->key, msg)) {
            continue;
        }
        bool same_epoch = item->m.topic == fresh->m.topic && item->m.partition == fresh->m.partition &&
                          item->m.epoch == fresh->m.epoch;
        if (!item->is_started && same_epoch && item->msg.generation >= msg->generation && item->msg.seq >= msg->seq) {
            *ret_end = true;
            return true;
        }
        if (item->is_started && !item->is_left && item->msg.kind == OF_TASK_PHASE &&
            item->msg.generation == msg->generation && item->msg.seq == msg->seq) {
            fresh->hash_next = item->twins;
            item->twins = fresh;
            *ret_end = false;
            return true;
        }
    }
    return false;
}

/* --- a phase's job: made at its first step --- */

static enum of_step phase_step(struct of_job *job)
{
    struct of_item *item = OF_CONTAINER_OF(job, struct of_item, job);
    if (!item->inside) {
        of_lanes_capture(job);
        of_phase_job_start(item->in->w, &item->msg, item->m);
        item->inside = of_lanes_captured();
        if (!item->inside) {
            return OF_STEP_DONE;
        }
    }
    enum of_step step = item->inside->step(item->inside);
    job->wake_at = item->inside->wake_at;
    return step;
}

static void phase_free(struct of_job *job)
{
    struct of_item *item = OF_CONTAINER_OF(job, struct of_item, job);
    if (item->inside) {
        item->inside->free(item->inside);
        item->inside = NULL;
    }
}

static void start(struct of_intake *in, struct of_item *item)
{
    of_lanes_set_origin(&item->origin);
    if (item->msg.kind == OF_TASK_PHASE) {
        item->job.step = phase_step;
        item->job.free = phase_free;
        item->job.priority = OF_PRIO_BULK;
        OF_CLEANUP(of_freep) char *key = of_strdup(item->key); /* the item may be gone before of_lanes_add returns */
        of_lanes_add(in->w->lanes, key, &item->job);
        return;
    }
    struct of_task_msg copy = item->msg;
    OF_CLEANUP(of_freep) char *org = of_strdup(copy.org);
    OF_CLEANUP(of_freep) char *adapter = of_strdup(copy.adapter);
    copy.org = org;
    copy.adapter = adapter;
    (copy.kind == OF_TASK_POLL ? of_poll_job_start : of_work_job_start)(in->w, &copy, item->m);
    if (of_lanes_drop_origin()) { /* no job was made */
        on_over(&item->origin);
    }
}

void of_items_accept(struct of_intake *in, struct of_task_msg *msg, struct of_tracked m)
{
    struct of_item *item = of_calloc(1, sizeof(*item));
    item->origin = (struct of_origin){.started = on_started, .over = on_over};
    item->in = in;
    item->m = m;
    item->msg = *msg;
    *msg = (struct of_task_msg){.org = NULL};
    item->key = of_lane_key(item->msg.org, item->msg.adapter);
    item->hash = hash_of(item->key, &item->msg);
    bool end = false;
    lock(in);
    bool repeated = is_repetition(in, item, &end);
    if (!repeated) {
        struct of_item **place = &in->buckets[item->hash % OF_INTAKE_BUCKETS];
        item->hash_next = *place;
        *place = item;
        in->n_items++;
    }
    unlock(in);
    of_intake_count(of_intake_topics[m.topic], repeated ? "repeated" : "accepted");
    if (repeated) {
        if (end) {
            of_tracker_end(in->w->tracker, m);
            item_free(item);
        }
        return;
    }
    start(in, item);
}

void of_intake_phase_done(struct of_intake *in, int64_t run, const char *type, int64_t seq)
{
    lock(in);
    for (struct of_item *item = in->buckets[hash_of_phase(run, type) % OF_INTAKE_BUCKETS]; item; item = item->hash_next) {
        if (item->msg.kind == OF_TASK_PHASE && item->msg.run == run && item->msg.seq == seq &&
            of_str_eq(item->msg.type, type) && item->is_started) {
            item->is_left = true;
        }
    }
    unlock(in);
}

/* --- revocation --- */

struct revoked {
    const int32_t *partitions;
    int n;
};

static bool is_of(const struct revoked *r, int32_t partition)
{
    for (int i = 0; i < r->n; i++) {
        if (r->partitions[i] == partition) {
            return true;
        }
    }
    return false;
}

static struct of_item *item_of(struct of_job *job)
{
    return job->origin && job->origin->over == on_over ? OF_CONTAINER_OF(job->origin, struct of_item, origin) : NULL;
}

static bool pick_revoked(struct of_job *job, void *arg)
{
    const struct of_item *item = item_of(job);
    /* a work job has no message: its rows may be claimed by anybody */
    return item && item->msg.kind == OF_TASK_PHASE && is_of(arg, item->m.partition);
}

static void discard(struct of_job *job, void *arg)
{
    (void)arg;
    of_job_discard(job);
}

static bool any_of(struct of_intake *in, const struct revoked *r)
{
    for (size_t i = 0; i < OF_INTAKE_BUCKETS; i++) {
        for (const struct of_item *item = in->buckets[i]; item; item = item->hash_next) {
            if (is_of(r, item->m.partition)) {
                return true;
            }
        }
    }
    return false;
}

void of_items_revoke(struct of_intake *in, const int32_t *partitions, int n, int wait_ms)
{
    struct revoked r = {.partitions = partitions, .n = n};
    (void)of_lanes_remove(in->w->lanes, NULL, pick_revoked, discard, &r);
    struct timespec until = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)wait_ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    int rc = 0;
    lock(in);
    while (wait_ms > 0 && rc != ETIMEDOUT && any_of(in, &r)) {
        rc = pthread_cond_timedwait(&in->fewer, &in->lock, &until);
    }
    unlock(in);
}

/* --- work that the database does later --- */

/* A statement that must be done some time, then messages that end. */
struct later {
    struct of_job job;
    struct of_intake *in;
    const struct of_sql *sql;
    struct of_pgarr *runs, *types; /* NULL: the statement takes no parameters */
    struct of_tracked *ends;
    size_t n;
};

static void later_free(struct of_job *job)
{
    struct later *l = OF_CONTAINER_OF(job, struct later, job);
    of_pgarr_free(l->runs);
    of_pgarr_free(l->types);
    free(l->ends);
    free(l);
}

static enum of_step later_step(struct of_job *job)
{
    struct later *l = OF_CONTAINER_OF(job, struct later, job);
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    if (l->runs) {
        of_pg_arg_array(&args, l->runs);
        of_pg_arg_array(&args, l->types);
        of_pg_arg_int8(&args, FOLD_AGAIN_MS);
    }
    enum of_code code = of_pgpool_get(l->in->w->pool, DB_WAIT_MS, &db, &err);
    if (code == OF_OK) {
        code = of_pg_run(db, l->sql, &args, NULL, &err);
    }
    of_pgpool_put(l->in->w->pool, db);
    if (code != OF_OK) {
        of_log_err(OF_LOG_WARN, "intake.later", "messages cannot be put back yet, trying again", &err, NULL);
        job->wake_at.ms = of_boot_now().ms + RETRY_MS;
        return OF_STEP_WAIT;
    }
    for (size_t i = 0; i < l->n; i++) {
        of_tracker_end(l->in->w->tracker, l->ends[i]);
    }
    return OF_STEP_DONE;
}

static struct later *later_new(struct of_intake *in, const struct of_sql *sql)
{
    struct later *l = of_calloc(1, sizeof(*l));
    l->job.step = later_step;
    l->job.free = later_free;
    l->job.priority = OF_PRIO_LIVE;
    l->in = in;
    l->sql = sql;
    return l;
}

void of_intake_emit_again(struct of_intake *in)
{
    of_lanes_add(in->w->lanes, "\x1fintake", &later_new(in, &of_sql_emit_again)->job);
}

void of_intake_ask_repair(struct of_intake *in)
{
    of_lanes_add(in->w->lanes, "\x1fintake", &later_new(in, &of_sql_repair_ask)->job);
}

static bool pick_phase(struct of_job *job, void *arg)
{
    (void)arg;
    const struct of_item *item = item_of(job);
    return item && item->msg.kind == OF_TASK_PHASE;
}

static void fold_one(struct of_job *job, void *arg)
{
    struct later *l = arg;
    const struct of_item *item = item_of(job);
    l->ends = of_reallocarray(l->ends, l->n + 1, sizeof(*l->ends));
    l->ends[l->n++] = item->m;
    of_pgarr_int8(l->runs, item->msg.run);
    of_pgarr_text(l->types, item->msg.type);
    of_intake_count(of_intake_topics[item->m.topic], "folded");
    of_job_discard(job);
}

void of_items_fold(struct of_intake *in, const char *key)
{
    struct later *l = later_new(in, &of_sql_fold_phases);
    l->runs = of_pgarr_new(OF_PG_INT8);
    l->types = of_pgarr_new(OF_PG_TEXT);
    size_t n = of_lanes_remove(in->w->lanes, key, pick_phase, fold_one, l);
    if (n == 0) {
        later_free(&l->job);
        return;
    }
    of_log(OF_LOG_INFO, "intake.folded", "a long lane was folded, its phases are emitted again", OF_I("count", n));
    of_lanes_add(in->w->lanes, "\x1fintake", &l->job);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/changes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/failpoint.h"
#include "common/metrics/metrics.h"
#include "worker/intake_int.h"
#include "worker/out.h"
#include "worker/phase.h"
#include "worker/push.h"

enum { BATCH = 500, BUCKETS = 1024, RUNNING = 2, DB_WAIT_MS = 10000, UNSEEN_MS = 5, UNSEEN_MAX_MS = 100 };

struct pending {
    struct pending *next;
    struct of_change change;
    struct of_tracked m;
};

struct queue { /* of an organization; never empty */
    char *org;
    struct pending *head, *tail;
    struct queue *hash_next;
    struct queue *ring_next;
};

struct of_changes {
    struct of_worker *w;
    pthread_mutex_t lock; /* of what follows */
    struct queue *buckets[BUCKETS];
    struct queue *ring_head, *ring_tail; /* whose turn it is */
    int running;
};

struct batch {
    struct of_job job; /* only where it has to be tried again */
    struct of_changes *ch;
    struct pending *head;
    struct of_boot again_at;
    int attempts;
    bool singly; /* one of them is to blame: each for itself */
};

static void lock(struct of_changes *ch)
{
    OF_BUG_ON(pthread_mutex_lock(&ch->lock) != 0);
}

static void unlock(struct of_changes *ch)
{
    OF_BUG_ON(pthread_mutex_unlock(&ch->lock) != 0);
}

static void pending_free(struct pending *p)
{
    while (p) {
        struct pending *next = p->next;
        of_change_done(&p->change);
        free(p);
        p = next;
    }
}

struct of_changes *of_changes_new(struct of_worker *w)
{
    struct of_changes *ch = of_calloc(1, sizeof *ch);
    ch->w = w;
    OF_BUG_ON(pthread_mutex_init(&ch->lock, NULL) != 0);
    return ch;
}

static void queue_free(struct queue *q)
{
    pending_free(q->head);
    free(q->org);
    free(q);
}

void of_changes_free(struct of_changes *ch)
{
    if (!ch) {
        return;
    }
    for (struct queue *q = ch->ring_head; q;) {
        struct queue *next = q->ring_next;
        queue_free(q);
        q = next;
    }
    (void)pthread_mutex_destroy(&ch->lock);
    free(ch);
}

static struct queue **bucket_of(struct of_changes *ch, const char *org)
{
    return &ch->buckets[of_hash(org, strlen(org)) % BUCKETS];
}

static void line_up(struct of_changes *ch, struct queue *q)
{
    q->ring_next = NULL;
    *(ch->ring_tail ? &ch->ring_tail->ring_next : &ch->ring_head) = q;
    ch->ring_tail = q;
}

void of_changes_add(struct of_changes *ch, struct of_change *change, struct of_tracked m)
{
    struct pending *p = of_calloc(1, sizeof *p);
    p->change = *change;
    p->m = m;
    *change = (struct of_change){.org = NULL};
    lock(ch);
    struct queue **bucket = bucket_of(ch, p->change.org);
    struct queue *q = *bucket;
    while (q && strcmp(q->org, p->change.org) != 0) {
        q = q->hash_next;
    }
    if (q) {
        q->tail->next = p;
    } else {
        q = of_calloc(1, sizeof *q);
        q->org = of_strdup(p->change.org);
        q->head = p;
        q->hash_next = *bucket;
        *bucket = q;
        line_up(ch, q);
    }
    q->tail = p;
    unlock(ch);
}

/* Under the lock: one of each organization in turn, so that each has its share of the batch. */
static struct pending *take(struct of_changes *ch)
{
    struct pending *head = NULL;
    struct pending **last = &head;
    for (int n = 0; n < BATCH && ch->ring_head; n++) {
        struct queue *q = ch->ring_head;
        struct pending *p = q->head;
        ch->ring_head = q->ring_next;
        ch->ring_tail = ch->ring_head ? ch->ring_tail : NULL;
        q->head = p->next;
        p->next = NULL;
        *last = p;
        last = &p->next;
        if (q->head) {
            line_up(ch, q);
            continue;
        }
        struct queue **place = bucket_of(ch, q->org);
        while (*place != q) {
            place = &(*place)->hash_next;
        }
        *place = q->hash_next;
        queue_free(q);
    }
    return head;
}

/* --- a batch, on an executor --- */

static void found(void *arg, const char *org, const char *adapter)
{
    const struct batch *b = arg;
    struct of_worker *w = b->ch->w;
    for (const struct pending *p = b->head; p; p = p->next) {
        if (strcmp(p->change.org, org) == 0) {
            if (of_tracker_is_held(w->tracker, p->m)) { /* its budget is handed over when the partition goes */
                of_remote_set_partition(w->remote, org, adapter, p->m.partition);
            }
            break;
        }
    }
    of_push_kick(w, org, adapter);
}

static enum of_code write_some(struct batch *b, const struct pending *first, const struct pending *end, struct of_err *err)
{
    struct of_pg *db = NULL;
    struct of_out_batch *out = of_out_batch_new();
    for (const struct pending *p = first; p != end; p = p->next) {
        of_out_batch_add(out, &p->change);
    }
    enum of_code code = of_pgpool_get(b->ch->w->pool, DB_WAIT_MS, &db, err);
    if (code == OF_OK) {
        code = OF_FAILPOINT("worker.before_hint_out") ? of_err_set(err, OF_E_DB, "failpoint") : of_out_write(db, out, found, b, err);
        (void)OF_FAILPOINT("worker.after_hint_out");
    }
    of_pgpool_put(b->ch->w->pool, db);
    of_out_batch_free(out);
    return code;
}

static void end_first(struct batch *b)
{
    static const double buckets[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30};
    struct pending *p = b->head;
    b->head = p->next;
    p->next = NULL;
    of_tracker_end(b->ch->w->tracker, p->m);
    of_metric_observe(of_histogram("openfaith_change_hint_seconds", NULL,
                                   "Time from a commit in OpenFaith until it is known what is owed for it", buckets,
                                   OF_ARRAY_LEN(buckets)),
                      (double)OF_MAX(of_wall_now().us - p->change.at_us, 0) / 1e6);
    pending_free(p);
}

/* A single change that the database refuses: a dead letter. */
static void put_aside(struct batch *b, const struct of_err *why)
{
    struct pending *p = b->head;
    struct of_buf text = OF_BUF_INIT(OF_CHANGE_MAX_BYTES);
    of_change_encode(&p->change, &text);
    const struct of_kafka_msg msg = {.topic = OF_TOPIC_CHANGES, .partition = p->m.partition, .offset = p->m.offset,
                                     .timestamp_ms = p->change.at_us / 1000, .key = p->change.org, .key_len = strlen(p->change.org),
                                     .payload = of_buf_text(&text), .len = text.len};
    of_dead_message(b->ch->w, &msg, why, p->m); /* ends it */
    of_buf_done(&text);
    b->head = p->next;
    p->next = NULL;
    pending_free(p);
}

static enum of_code write_batch(struct batch *b, struct of_err *err)
{
    if (!b->singly) {
        enum of_code code = write_some(b, b->head, NULL, err);
        if (code == OF_OK || err->cls != OF_CLASS_PERMANENT) {
            while (code == OF_OK && b->head) {
                end_first(b);
            }
            return code;
        }
        b->singly = true;
        of_err_clear(err);
    }
    while (b->head) {
        enum of_code code = write_some(b, b->head, b->head->next, err);
        if (code != OF_OK && err->cls != OF_CLASS_PERMANENT) {
            return code;
        }
        if (code == OF_OK) {
            end_first(b);
        } else {
            put_aside(b, err);
            of_err_clear(err);
        }
    }
    return OF_OK;
}

static void batch_over(struct batch *b)
{
    struct of_changes *ch = b->ch;
    pending_free(b->head); /* stopping: it comes again */
    free(b);
    lock(ch);
    ch->running--;
    unlock(ch);
    of_changes_flush(ch);
}

static void batch_free(struct of_job *job)
{
    batch_over(OF_CONTAINER_OF(job, struct batch, job));
}

/* True: over; else it is to be tried again at again_at. */
static bool run_batch(struct batch *b)
{
    struct of_worker *w = b->ch->w;
    struct of_err err = OF_ERR_INIT;
    if (atomic_load(&w->stopping) || write_batch(b, &err) == OF_OK) {
        return true;
    }
    int64_t ms = OF_MIN((int64_t)UNSEEN_MS << OF_MIN(b->attempts, 10), UNSEEN_MAX_MS);
    if (err.code != OF_E_BUSY) {
        ms = of_backoff_ms(w->conf, b->attempts);
        of_log_err(OF_LOG_WARN, "changes.retry", "changes cannot be written down yet, trying again", &err,
                   (const struct of_kv[]){OF_I("retry_in_ms", ms), {.key = NULL}});
    }
    b->attempts++;
    b->again_at.ms = of_boot_now().ms + ms;
    return false;
}

static enum of_step batch_step(struct of_job *job)
{
    struct batch *b = OF_CONTAINER_OF(job, struct batch, job);
    if (of_boot_now().ms >= b->again_at.ms && run_batch(b)) {
        return OF_STEP_DONE;
    }
    job->wake_at = b->again_at;
    return atomic_load(&b->ch->w->stopping) ? OF_STEP_DONE : OF_STEP_WAIT;
}

static void first_try(void *arg)
{
    struct batch *b = arg;
    if (run_batch(b)) {
        batch_over(b);
        return;
    }
    b->job = (struct of_job){.step = batch_step, .free = batch_free, .priority = OF_PRIO_LIVE};
    of_lanes_add(b->ch->w->lanes, "\x1f" "changes", &b->job);
}

void of_changes_flush(struct of_changes *ch)
{
    for (;;) {
        struct batch *b = NULL;
        lock(ch);
        if (ch->ring_head && ch->running < RUNNING && !atomic_load(&ch->w->stopping)) {
            b = of_calloc(1, sizeof *b);
            b->ch = ch;
            b->head = take(ch);
            ch->running++;
        }
        unlock(ch);
        if (!b) {
            return;
        }
        of_lanes_run(ch->w->lanes, first_try, b); /* before lanes get their turn: what waits behind bulk work is late */
    }
}

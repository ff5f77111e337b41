/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/scheduler/sched_int.h"

#include "common/base/buf.h"
#include "common/base/failpoint.h"
#include "common/kafka/kafka.h"
#include "common/metrics/metrics.h"
#include "common/pg/pg.h"
#include "common/task/task.h"

#include "openfaith_scheduler_sql.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Rows stay locked while we wait: a broker that does not answer in this time gets them again later. */
#define ACK_MS 5000

/* A batch on its way to the broker; the broker's thread may report after we have given up. */
struct of_emission {
    pthread_mutex_t mutex;
    pthread_cond_t ended; /* pending is 0 */
    int refs, pending, failed;
    int count;
};

static struct of_emission *emission_new(void)
{
    struct of_emission *e = of_calloc(1, sizeof *e);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->ended, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&e->mutex, NULL);
    e->refs = 1;
    return e;
}

/* pending and refs change by so much; frees it with the last reference. */
static void emission_count(struct of_emission *e, int pending, int refs, int failed)
{
    pthread_mutex_lock(&e->mutex);
    e->pending += pending;
    e->refs += refs;
    e->failed += failed;
    if (e->pending == 0) {
        pthread_cond_signal(&e->ended);
    }
    bool last = e->refs == 0;
    pthread_mutex_unlock(&e->mutex);
    if (last) {
        pthread_cond_destroy(&e->ended);
        pthread_mutex_destroy(&e->mutex);
        free(e);
    }
}

static void emission_drop(struct of_emission *e)
{
    if (e != NULL) {
        emission_count(e, 0, -1, 0);
    }
}

/* True when all were acknowledged in time. */
static bool emission_wait(struct of_emission *e, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    pthread_mutex_lock(&e->mutex);
    int rc = 0;
    while (e->pending > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&e->ended, &e->mutex, &until);
    }
    bool good = e->pending == 0 && e->failed == 0;
    pthread_mutex_unlock(&e->mutex);
    return good;
}

static void on_delivered(void *arg, const struct of_err *err)
{
    emission_count(arg, -1, -1, err->code == OF_OK ? 0 : 1);
}

/* Columns of every claim: org, adapter, generation; then of phases run, type, seq; of polls whether to emit, when due. */
static const struct source {
    const struct of_sql *claim;
    enum of_task_kind task;
    const char *topic;
    bool overlap; /* a second claim may run while the first waits: it must never wait for the first one's locks */
} sources[OF_SCHED_N_KINDS] = {
    [OF_SCHED_PHASE] = {&of_sql_sched_phases, OF_TASK_PHASE, OF_TOPIC_BULK, true},
    [OF_SCHED_STALLED] = {&of_sql_sched_stalled, OF_TASK_PHASE, OF_TOPIC_BULK, true},
    [OF_SCHED_WORK] = {&of_sql_sched_work, OF_TASK_WORK, OF_TOPIC_LIVE, false},
    [OF_SCHED_POLL] = {&of_sql_sched_polls, OF_TASK_POLL, OF_TOPIC_LIVE, true},
};

static enum of_code claim(struct of_sched *s, enum of_sched_kind kind, struct of_pg *db, struct of_pgres **ret_res,
                          struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, s->conf->scheduler_batch);
    if (kind == OF_SCHED_STALLED) {
        of_pg_arg_int8(&args, s->conf->stalled_ms);
    } else if (kind == OF_SCHED_POLL) {
        of_pg_arg_time(&args, s->polls_from_us);
        of_pg_arg_int8(&args, s->conf->stalled_ms);
    } else if (kind == OF_SCHED_WORK) {
        of_pg_arg_text(&args, s->work_after_org != NULL ? s->work_after_org : "");
        of_pg_arg_text(&args, s->work_after_adapter != NULL ? s->work_after_adapter : "");
        of_pg_arg_int8(&args, s->conf->scheduler_batch);
    }
    OF_TRY(of_pg_begin(db, err));
    return of_pg_run(db, sources[kind].claim, &args, ret_res, err);
}

/* Where the next look for due work goes on; true if it does, false if it begins anew. */
static bool remember_place(struct of_sched *s, const struct of_pgres *res)
{
    char *org = NULL, *adapter = NULL;
    for (int i = 0; i < of_pgres_rows(res); i++) {
        if (of_pgres_is_null(res, i, 2)) {
            org = of_strdup(of_pgres_text(res, i, 0));
            adapter = of_strdup(of_pgres_text(res, i, 1));
            break;
        }
    }
    free(s->work_after_org);
    free(s->work_after_adapter);
    s->work_after_org = org;
    s->work_after_adapter = adapter;
    return org != NULL;
}

/* Rows that move something, but are no message: see the claims. */
static bool is_silent(enum of_sched_kind kind, const struct of_pgres *res, int row)
{
    return (kind == OF_SCHED_POLL && !of_pgres_bool(res, row, 3)) || (kind == OF_SCHED_WORK && of_pgres_is_null(res, row, 2));
}

static enum of_code produce_row(struct of_sched *s, const struct source *source, const struct of_pgres *res, int row,
                                struct of_buf *b, struct of_emission *e, struct of_err *err)
{
    struct of_task_msg msg = {.kind = source->task, .generation = of_pgres_i64(res, row, 2)};
    OF_CLEANUP(of_freep) char *org = of_strdup(of_pgres_text(res, row, 0));
    OF_CLEANUP(of_freep) char *adapter = of_strdup(of_pgres_text(res, row, 1));
    OF_CLEANUP(of_freep) char *type = NULL;
    msg.org = org;
    msg.adapter = adapter;
    if (source->task == OF_TASK_PHASE) {
        msg.run = of_pgres_i64(res, row, 3);
        msg.type = type = of_strdup(of_pgres_text(res, row, 4));
        msg.seq = of_pgres_i64(res, row, 5);
    }
    of_buf_clear(b);
    of_task_encode(&msg, b);
    emission_count(e, 1, 1, 0);
    enum of_code code = of_kafka_produce(s->producer, source->topic, org, of_buf_text(b), b->len, NULL, on_delivered, e, err);
    if (code != OF_OK) {
        emission_count(e, -1, -1, 0);
    }
    return code;
}

static enum of_code produce(struct of_sched *s, enum of_sched_kind kind, const struct of_pgres *res, struct of_sched_slot *slot,
                            struct of_err *err)
{
    struct of_buf b = OF_BUF_INIT(OF_TASK_MAX_BYTES);
    struct of_emission *e = emission_new();
    enum of_code code = OF_OK;
    slot->emission = e;
    for (int i = 0; i < of_pgres_rows(res) && code == OF_OK; i++) {
        if (kind == OF_SCHED_POLL) {
            s->polls_from_us = OF_MAX(s->polls_from_us, of_pgres_i64(res, i, 4));
        }
        if (!is_silent(kind, res, i)) {
            e->count++;
            code = produce_row(s, &sources[kind], res, i, &b, e, err);
        }
    }
    of_buf_done(&b);
    return code;
}

/* Awaits the acknowledgement of all, then moves the rows. */
static enum of_code finish(struct of_sched *s, enum of_sched_kind kind, struct of_sched_slot *slot, struct of_err *err)
{
    struct of_emission *e = slot->emission;
    if (!emission_wait(e, ACK_MS)) {
        return of_err_set(err, OF_E_KAFKA, "the broker has not acknowledged all messages");
    }
    (void)OF_FAILPOINT("scheduler.after_produce");
    OF_TRY(of_pg_commit(slot->db, err));
    (void)OF_FAILPOINT("scheduler.after_move");
    of_metric_add(s->emitted[kind], e->count);
    emission_drop(e);
    slot->emission = NULL;
    return OF_OK;
}

void of_sched_drop(struct of_sched *s)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(s->slots); i++) {
        emission_drop(s->slots[i].emission);
        s->slots[i].emission = NULL;
        if (s->slots[i].db != NULL) {
            of_pg_rollback(s->slots[i].db);
        }
    }
}

static enum of_code emit_all(struct of_sched *s, enum of_sched_kind kind, int max_batches, bool *ret_more, struct of_err *err)
{
    size_t n_slots = sources[kind].overlap ? OF_ARRAY_LEN(s->slots) : 1, at = 0;
    bool more = true;
    s->polls_from_us = INT64_MIN; /* -infinity: also what others held in the last turn */
    for (int i = 0; i < max_batches && more && !*s->stop; i++, at = (at + 1) % n_slots) {
        struct of_sched_slot *slot = &s->slots[at];
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
        if (slot->emission != NULL) {
            OF_TRY(finish(s, kind, slot, err));
        }
        OF_TRY(claim(s, kind, slot->db, &res, err));
        (void)OF_FAILPOINT("scheduler.after_claim");
        more = kind == OF_SCHED_WORK ? remember_place(s, res) : of_pgres_rows(res) >= s->conf->scheduler_batch;
        OF_TRY(produce(s, kind, res, slot, err));
    }
    for (size_t i = 0; i < n_slots; i++, at = (at + 1) % n_slots) {
        if (s->slots[at].emission != NULL) {
            OF_TRY(finish(s, kind, &s->slots[at], err));
        }
    }
    *ret_more = more;
    return OF_OK;
}

enum of_code of_sched_emit(struct of_sched *s, enum of_sched_kind kind, int max_batches, bool *ret_more, struct of_err *err)
{
    enum of_code code = emit_all(s, kind, max_batches, ret_more, err);
    if (code != OF_OK) {
        of_sched_drop(s);
    }
    return code;
}

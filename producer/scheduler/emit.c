/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/scheduler/sched_int.h"

#include "common/base/buf.h"
#include "common/base/failpoint.h"
#include "common/kafka/kafka.h"
#include "common/metrics/metrics.h"
#include "common/pg/pg.h"
#include "common/task/task.h"

#include "openfaith_scheduler_sql.h"

#include <stdlib.h>

/* Rows stay locked while we wait: a broker that does not answer in this time gets them again later. */
#define ACK_MS 5000

/* A batch on its way to the broker; the broker's thread may report after we have given up. */
struct of_emission {
    atomic_int refs;
    atomic_int pending;
    atomic_int failed;
    int count;
};

static void emission_unref(struct of_emission *e)
{
    if (e != NULL && atomic_fetch_sub(&e->refs, 1) == 1) {
        free(e);
    }
}

static void on_delivered(void *arg, const struct of_err *err)
{
    struct of_emission *e = arg;
    if (err->code != OF_OK) {
        atomic_fetch_add(&e->failed, 1);
    }
    atomic_fetch_sub(&e->pending, 1);
    emission_unref(e);
}

/* Columns of every claim: org, adapter, generation, then run, type, seq of phases, or whether to emit a poll. */
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
    }
    OF_TRY(of_pg_begin(db, err));
    return of_pg_run(db, sources[kind].claim, &args, ret_res, err);
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
    atomic_fetch_add(&e->refs, 1);
    atomic_fetch_add(&e->pending, 1);
    enum of_code code = of_kafka_produce(s->producer, source->topic, org, of_buf_text(b), b->len, NULL, on_delivered, e, err);
    if (code != OF_OK) {
        atomic_fetch_sub(&e->refs, 1);
        atomic_fetch_sub(&e->pending, 1);
    }
    return code;
}

static enum of_code produce(struct of_sched *s, enum of_sched_kind kind, const struct of_pgres *res, struct of_sched_slot *slot,
                            struct of_err *err)
{
    struct of_buf b = OF_BUF_INIT(OF_TASK_MAX_BYTES);
    struct of_emission *e = of_calloc(1, sizeof *e);
    enum of_code code = OF_OK;
    atomic_init(&e->refs, 1);
    slot->emission = e;
    for (int i = 0; i < of_pgres_rows(res) && code == OF_OK; i++) {
        if (kind == OF_SCHED_POLL && !of_pgres_bool(res, i, 3)) {
            continue;
        }
        e->count++;
        code = produce_row(s, &sources[kind], res, i, &b, e, err);
    }
    of_buf_done(&b);
    return code;
}

/* Awaits the acknowledgement of all, then moves the rows. */
static enum of_code finish(struct of_sched *s, enum of_sched_kind kind, struct of_sched_slot *slot, struct of_err *err)
{
    struct of_emission *e = slot->emission;
    if (atomic_load(&e->pending) > 0) {
        OF_TRY(of_kafka_producer_flush(s->producer, ACK_MS, err));
    }
    if (atomic_load(&e->pending) > 0 || atomic_load(&e->failed) > 0) {
        return of_err_set(err, OF_E_KAFKA, "the broker has not acknowledged all messages");
    }
    (void)OF_FAILPOINT("scheduler.after_produce");
    OF_TRY(of_pg_commit(slot->db, err));
    (void)OF_FAILPOINT("scheduler.after_move");
    of_metric_add(s->emitted[kind], e->count);
    emission_unref(e);
    slot->emission = NULL;
    return OF_OK;
}

void of_sched_drop(struct of_sched *s)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(s->slots); i++) {
        emission_unref(s->slots[i].emission);
        s->slots[i].emission = NULL;
        if (s->slots[i].db != NULL) {
            of_pg_rollback(s->slots[i].db);
        }
    }
}

static enum of_code emit_all(struct of_sched *s, enum of_sched_kind kind, int max_batches, bool *ret_more, struct of_err *err)
{
    struct of_sched_slot *slot = &s->slots[0], *before = NULL;
    bool more = true;
    for (int i = 0; i < max_batches && more && !*s->stop; i++) {
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
        OF_TRY(claim(s, kind, slot->db, &res, err));
        (void)OF_FAILPOINT("scheduler.after_claim");
        more = of_pgres_rows(res) >= s->conf->scheduler_batch;
        if (before != NULL) {
            OF_TRY(finish(s, kind, before, err));
        }
        OF_TRY(produce(s, kind, res, slot, err));
        before = slot;
        if (sources[kind].overlap) {
            slot = slot == &s->slots[0] ? &s->slots[1] : &s->slots[0];
        } else {
            OF_TRY(finish(s, kind, before, err));
            before = NULL;
        }
    }
    if (before != NULL) {
        OF_TRY(finish(s, kind, before, err));
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/phase.h"

#include <string.h>

#include "common/base/failpoint.h"
#include "worker_sql.h"

enum {
    CURSOR_MAX = 64 * 1024,
    FENCED_MS = 200,
    HOLD_MS = 10000 /* beyond a slice: then the scheduler takes the worker for dead; Kafka usually tells earlier */
};

int64_t of_backoff_ms(const struct of_conf *conf, int attempts)
{
    int64_t ms = conf->backoff_ms;
    for (int i = 0; i < attempts && ms < conf->backoff_max_ms; i++) {
        ms *= 2;
    }
    ms = OF_MIN(ms, conf->backoff_max_ms);
    return ms / 2 + (int64_t)(of_random_u64() % (uint64_t)(ms / 2 + 1)); /* jitter: half to whole */
}

bool of_phase_slice_over(const struct of_phase_job *pj)
{
    return of_boot_now().ms >= pj->slice_end.ms || atomic_load(&pj->w->stopping);
}

struct of_apply of_phase_apply(struct of_phase_job *pj, struct of_pg *db)
{
    return (struct of_apply){.w = pj->w, .db = db, .conn = pj->conn, .run_id = pj->msg.run, .read_seq = pj->read_seq};
}

/* The state that people see in the new step; NULL: unchanged, the run's end makes it active. */
static const char *status_of(const struct of_phase_job *pj, const char *step)
{
    if (strcmp(pj->run_kind, "reconcile") == 0) {
        return NULL; /* still active */
    }
    if (strcmp(step, "check") == 0) {
        return "populate";
    }
    if (strcmp(step, "done") == 0) {
        return strcmp(pj->step, "push") == 0 ? "push" : NULL; /* with the counts of all records again */
    }
    return step;
}

enum of_code of_phase_move(struct of_phase_job *pj, struct of_pg *db, const char *step, const char *cursor, const char *error,
                           struct of_err *err)
{
    (void)OF_FAILPOINT("worker.before_seq");
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, pj->msg.run);
    of_pg_arg_text(&args, pj->type->name);
    of_pg_arg_int8(&args, pj->seq);
    of_pg_arg_text(&args, step);
    of_pg_arg_jsonb(&args, cursor);
    of_pg_arg_int8(&args, pj->processed);
    if (pj->total >= 0) {
        of_pg_arg_int8(&args, pj->total);
    } else {
        of_pg_arg_null(&args, OF_PG_INT8);
    }
    of_pg_arg_text(&args, error);
    of_pg_arg_text(&args, status_of(pj, step));
    of_pg_arg_int8(&args, pj->w->conf->slice_ms + HOLD_MS);
    int64_t rows = 0;
    OF_TRY(of_pg_run_count(db, &of_sql_phase_advance, &args, &rows, err));
    if (rows == 0) {
        return of_err_set(err, OF_E_LEASE, "phase was moved by somebody else");
    }
    pj->seq++; /* a rollback ends the slice: it is loaded anew */
    (void)OF_FAILPOINT("worker.after_seq");
    return OF_OK;
}

/* --- load --- */

static enum of_go load_row(struct of_phase_job *pj, const struct of_pgres *res, struct of_err *err)
{
    int64_t seq = of_pgres_i64(res, 0, 1);
    int64_t emitted = of_pgres_i64(res, 0, 2);
    bool over = strcmp(of_pgres_text(res, 0, 0), "done") == 0 || strcmp(of_pgres_text(res, 0, 0), "error") == 0;
    if (over || strcmp(of_pgres_text(res, 0, 8), "running") != 0) {
        return OF_GO_END;
    }
    if (seq != pj->msg.seq && emitted >= seq) {
        return OF_GO_END; /* another message carries it on */
    }
    if (!of_pgres_bool(res, 0, 3) && emitted < seq && of_pgres_bool(res, 0, 14)) {
        return OF_GO_END; /* it sleeps */
    }
    (void)of_strcopy(pj->step, sizeof pj->step, of_pgres_text(res, 0, 0));
    (void)of_strcopy(pj->run_kind, sizeof pj->run_kind, of_pgres_text(res, 0, 9));
    pj->seq = seq;
    pj->processed = of_pgres_i64(res, 0, 5);
    pj->total = of_pgres_is_null(res, 0, 6) ? -1 : of_pgres_i64(res, 0, 6);
    pj->attempts = (int)of_pgres_i64(res, 0, 7);
    pj->barrier = of_pgres_bool(res, 0, 10);
    pj->server_date.us = of_pgres_i64(res, 0, 11);
    pj->run_started.us = of_pgres_i64(res, 0, 12);
    pj->read_seq = of_pgres_i64(res, 0, 13);
    pj->has_listing = false;
    pj->audit = false;
    pj->after[0] = pj->part[0] = '\0';
    pj->part_offset = 0;
    OF_CLEANUP(of_json_freep) struct of_json *cursor = NULL;
    const char *text = of_pgres_text_null(res, 0, 4);
    if (text) {
        if (of_json_parse(text, of_pgres_len(res, 0, 4), CURSOR_MAX * 4, &cursor, err) != OF_OK) {
            return OF_GO_ERROR;
        }
        const char *after = of_json_text(of_json_get(cursor, "after"));
        const char *part = of_json_text(of_json_get(cursor, "part"));
        (void)of_strcopy(pj->after, sizeof pj->after, after ? after : "");
        (void)of_strcopy(pj->part, sizeof pj->part, part ? part : "");
        (void)of_json_i64(of_json_get(cursor, "po"), &pj->part_offset);
        pj->has_listing = of_stage_read_cursor(pj, cursor);
    }
    return OF_GO_AGAIN;
}

static enum of_go load(struct of_phase_job *pj, struct of_err *err)
{
    struct of_pg *db = NULL;
    if (of_pgpool_get(pj->w->pool, 10000, &db, err) != OF_OK) {
        return OF_GO_ERROR;
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    of_conn_unref(pj->conn);
    pj->conn = NULL;
    enum of_go go = OF_GO_ERROR;
    struct of_err conn_err = OF_ERR_INIT;
    enum of_code conn_code = of_conn_load(pj->w, db, pj->msg.org, pj->msg.adapter, &pj->conn, &conn_err);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, pj->msg.org);
    of_pg_arg_text(&args, pj->msg.adapter);
    of_pg_arg_int8(&args, pj->msg.run);
    of_pg_arg_text(&args, pj->msg.type);
    if (conn_code == OF_E_NOT_FOUND) {
        go = OF_GO_END; /* disconnected: its run is cancelled */
    } else if (conn_code != OF_OK && conn_code != OF_E_AUTH && conn_code != OF_E_BUSY) {
        *err = conn_err;
    } else if (of_pg_run(db, &of_sql_phase_load, &args, &res, err) == OF_OK) {
        if (of_pgres_rows(res) == 0) {
            go = OF_GO_END;
        } else if (conn_code != OF_OK) {
            pj->seq = of_pgres_i64(res, 0, 1);
            pj->sleep_ms = 2000; /* the scheduler emits nothing of a connection that is not connected */
            (void)of_strcopy(pj->why, sizeof pj->why, conn_err.msg);
            go = pj->seq == pj->msg.seq ? OF_GO_SLEEP : OF_GO_END;
        } else {
            pj->type = of_type_find(pj->conn->adapter, pj->msg.type);
            go = pj->type ? load_row(pj, res, err) : OF_GO_END;
        }
    }
    of_pgpool_put(pj->w->pool, db);
    return go;
}

/* --- ends of a slice --- */

/* Before the next message can arrive, or it would be taken for a repetition of this one. */
static void leave(struct of_phase_job *pj)
{
    if (!pj->left) {
        pj->left = true;
        of_intake_phase_done(pj->w->intake, pj->msg.run, pj->msg.type, pj->msg.seq);
    }
}

enum of_code of_phase_sleep(struct of_phase_job *pj, struct of_pg *db, int64_t ms, const char *why, int attempts,
                            struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, pj->msg.run);
    of_pg_arg_text(&args, pj->msg.type);
    of_pg_arg_int8(&args, pj->seq);
    of_pg_arg_int8(&args, ms);
    of_pg_arg_text(&args, why);
    of_pg_arg_int8(&args, attempts);
    leave(pj); /* whoever wakes it may be quicker than this thread */
    return of_pg_run(db, &of_sql_phase_sleep, &args, NULL, err);
}

static enum of_code put_to_sleep(struct of_phase_job *pj, struct of_err *err)
{
    struct of_pg *db = NULL;
    OF_TRY(of_pgpool_get(pj->w->pool, 10000, &db, err));
    enum of_code code = of_phase_sleep(pj, db, pj->sleep_ms, pj->why, pj->attempts, err);
    of_pgpool_put(pj->w->pool, db);
    return code;
}

static void delivered(void *arg, const struct of_err *err)
{
    struct of_phase_job *pj = arg;
    atomic_store(&pj->emit_result, (int)err->code);
    of_job_wake(pj->w->lanes, &pj->job);
}

static enum of_code emit(struct of_phase_job *pj, struct of_err *err)
{
    (void)OF_FAILPOINT("worker.before_produce");
    struct of_task_msg next = pj->msg;
    next.seq = pj->seq;
    next.generation = pj->conn->generation;
    struct of_buf b = OF_BUF_INIT(OF_TASK_MAX_BYTES);
    of_task_encode(&next, &b);
    atomic_store(&pj->emit_result, -1);
    enum of_code code = of_kafka_produce(pj->w->producer, OF_TOPIC_BULK, pj->msg.org, of_buf_text(&b), b.len, NULL, delivered,
                                         pj, err);
    of_buf_done(&b);
    return code;
}

static enum of_code emitted(struct of_phase_job *pj, struct of_err *err)
{
    (void)OF_FAILPOINT("worker.after_produce");
    struct of_pg *db = NULL;
    OF_TRY(of_pgpool_get(pj->w->pool, 10000, &db, err));
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, pj->msg.run);
    of_pg_arg_text(&args, pj->msg.type);
    of_pg_arg_int8(&args, pj->seq);
    enum of_code code = of_pg_run(db, &of_sql_phase_emitted, &args, NULL, err);
    of_pgpool_put(pj->w->pool, db);
    (void)OF_FAILPOINT("worker.after_emitted");
    return code;
}

/* Wait, then begin again from what the database says. The message stays open: nothing else carries this on. */
static enum of_step later(struct of_phase_job *pj, const struct of_err *err, const char *what)
{
    int64_t ms = err->cls == OF_CLASS_SYSTEMIC ? 30000 : OF_MIN(of_backoff_ms(pj->w->conf, pj->load_failures), 10000);
    pj->load_failures++;
    const struct of_kv kv[] = {OF_S("org_id", pj->msg.org), OF_S("type", pj->msg.type), OF_I("run_id", pj->msg.run),
                               OF_I("retry_in_ms", ms), {.key = NULL}};
    of_log_err(err->cls == OF_CLASS_SYSTEMIC ? OF_LOG_ERROR : OF_LOG_WARN, "phase.retry", what, err, kv);
    pj->stage = PJ_LOAD;
    pj->job.wake_at = (struct of_boot){.ms = of_boot_now().ms + ms};
    return OF_STEP_WAIT;
}

static enum of_step over(struct of_phase_job *pj, bool end_message)
{
    leave(pj);
    if (end_message) {
        of_tracker_end(pj->w->tracker, pj->m);
    }
    return OF_STEP_DONE;
}

static enum of_go run_step(struct of_phase_job *pj, struct of_err *err)
{
    static const struct {
        const char *name;
        enum of_go (*fn)(struct of_phase_job *, struct of_err *);
    } steps[] = {{"stage", of_stage_step},
                 {"match", of_match_step},
                 {"create", of_create_step},
                 {"populate", of_populate_step},
                 {"check", of_check_step},
                 {"push", of_push_step}};
    for (size_t i = 0; i < OF_ARRAY_LEN(steps); i++) {
        if (strcmp(pj->step, steps[i].name) == 0) {
            return steps[i].fn(pj, err);
        }
    }
    return OF_GO_END;
}

/* So many failures in a row: the connection is parked with the reason, for people to see; the scheduler lets one try go through
 * every probe_ms, and the first that succeeds ends it. */
static enum of_code break_circuit(struct of_phase_job *pj, const struct of_err *why, struct of_err *err)
{
    struct of_pg *db = NULL;
    OF_CLEANUP(of_freep) char *reason = of_asprintf("%d failures in a row: %s", pj->attempts, why->msg);
    OF_TRY(of_pgpool_get(pj->w->pool, 10000, &db, err));
    enum of_code code = of_conn_park(pj->w, db, pj->conn, "parked", reason, err);
    of_pgpool_put(pj->w->pool, db);
    return code;
}

/* What a failure means for the chain. */
static enum of_go after_error(struct of_phase_job *pj, struct of_err *err)
{
    switch (err->cls) {
    case OF_CLASS_FENCED:
        /* The lane is another worker's from now on, and this message may be committed before it is: the row says that it is owed.
         * Where somebody else has moved the phase seq is another one, and nothing is written. */
        pj->sleep_ms = FENCED_MS;
        (void)of_strcopy(pj->why, sizeof pj->why, "goes on at another worker");
        return OF_GO_SLEEP;
    case OF_CLASS_RECONNECT:
        pj->sleep_ms = 2000;
        (void)of_strcopy(pj->why, sizeof pj->why, "waits for a reconnect");
        return OF_GO_SLEEP;
    case OF_CLASS_PERMANENT:
    case OF_CLASS_SYSTEMIC:
        if (err->code == OF_E_NOT_FOUND && strcmp(pj->run_kind, "reconcile") == 0) {
            break; /* the list was there before: like a failure */
        }
        if (err->code == OF_E_DENIED || err->code == OF_E_REJECTED || err->code == OF_E_NOT_FOUND) {
            return of_phase_done(pj, err->msg, err);
        }
        return OF_GO_ERROR;
    default:
        break;
    }
    if (err->sqlstate[0] || err->code == OF_E_DB || err->code == OF_E_KAFKA) {
        return OF_GO_ERROR; /* ours: wait here, the message stays open */
    }
    pj->attempts++;
    pj->sleep_ms = OF_MAX(of_backoff_ms(pj->w->conf, pj->attempts - 1), err->retry_after_ms);
    (void)of_strcopy(pj->why, sizeof pj->why, err->msg);
    struct of_err parked = OF_ERR_INIT;
    if (pj->attempts >= pj->w->conf->breaker_failures && break_circuit(pj, err, &parked) != OF_OK) {
        *err = parked;
        return OF_GO_ERROR;
    }
    return OF_GO_SLEEP;
}

static enum of_step settle(struct of_phase_job *pj, enum of_go go)
{
    pthread_mutex_lock(&pj->lock);
    bool waits = pj->outstanding > 0;
    pj->closed = pj->closed || (go != OF_GO_AGAIN && go != OF_GO_WAIT);
    pthread_mutex_unlock(&pj->lock);
    switch (go) {
    case OF_GO_AGAIN:
        return OF_STEP_AGAIN;
    case OF_GO_WAIT:
        pj->job.wake_at = (struct of_boot){.ms = 0};
        return OF_STEP_WAIT;
    case OF_GO_EMIT:
    case OF_GO_SLEEP:
    case OF_GO_END:
    case OF_GO_ERROR:
        break;
    }
    if (waits) { /* answers on their way refer to this job */
        pj->stage = PJ_CLOSING;
        pj->job.wake_at = (struct of_boot){.ms = 0};
        return OF_STEP_WAIT;
    }
    return OF_STEP_DONE;
}

/* The slice's last word, once nothing is outstanding. */
static enum of_step conclude(struct of_phase_job *pj, enum of_go go)
{
    struct of_err err = pj->err;
    if (atomic_load(&pj->w->stopping) && go == OF_GO_ERROR) {
        return over(pj, false);
    }
    switch (go) {
    case OF_GO_SLEEP:
        if (put_to_sleep(pj, &err) != OF_OK) {
            return later(pj, &err, "cannot put the phase to sleep, trying again");
        }
        return over(pj, true);
    case OF_GO_END:
        return over(pj, true);
    case OF_GO_EMIT:
        pj->stage = PJ_EMIT;
        return OF_STEP_AGAIN;
    case OF_GO_AGAIN:
    case OF_GO_WAIT:
    case OF_GO_ERROR:
        break;
    }
    return later(pj, &err, "phase failed, trying again");
}

static enum of_step run(struct of_phase_job *pj)
{
    struct of_err err = OF_ERR_INIT;
    enum of_go go = run_step(pj, &err);
    if (go == OF_GO_ERROR) {
        go = after_error(pj, &err);
    }
    pj->err = err;
    if (go == OF_GO_AGAIN || go == OF_GO_WAIT) {
        return settle(pj, go);
    }
    pj->verdict = go;
    return settle(pj, go) == OF_STEP_DONE ? conclude(pj, go) : OF_STEP_WAIT;
}

static enum of_step waiting_for_answers(struct of_phase_job *pj)
{
    of_stage_close(pj);
    pthread_mutex_lock(&pj->lock);
    bool waits = pj->outstanding > 0;
    pthread_mutex_unlock(&pj->lock);
    if (waits) {
        pj->job.wake_at = (struct of_boot){.ms = 0};
        return OF_STEP_WAIT;
    }
    return conclude(pj, pj->verdict);
}

static enum of_step begin(struct of_phase_job *pj)
{
    struct of_err err = OF_ERR_INIT;
    of_stage_close(pj); /* pages of a slice that failed do not fit where this one begins */
    enum of_go go = load(pj, &err);
    if (go == OF_GO_AGAIN) {
        pj->slice_end = (struct of_boot){.ms = of_boot_now().ms + pj->w->conf->slice_ms};
        pj->closed = false;
        pj->busy_ms = 0;
        pj->looked = false;
        memset(pj->flying, 0, sizeof pj->flying);
        memset(pj->parse_failures, 0, sizeof pj->parse_failures);
        pj->stage = PJ_RUN;
        return OF_STEP_AGAIN;
    }
    pj->err = err;
    return conclude(pj, go);
}

static enum of_step step(struct of_job *job)
{
    struct of_phase_job *pj = OF_CONTAINER_OF(job, struct of_phase_job, job);
    struct of_err err = OF_ERR_INIT;
    job->wake_at = (struct of_boot){.ms = 0};
    switch (pj->stage) {
    case PJ_LOAD:
        if (atomic_load(&pj->w->stopping)) {
            return over(pj, false);
        }
        return begin(pj);
    case PJ_RUN:
        return run(pj);
    case PJ_EMIT:
        pj->stage = PJ_EMITTED;
        leave(pj);
        if (emit(pj, &err) != OF_OK) {
            return later(pj, &err, "cannot emit, trying again");
        }
        return OF_STEP_WAIT;
    case PJ_EMITTED:
        if (atomic_load(&pj->emit_result) < 0) {
            return OF_STEP_WAIT;
        }
        if (atomic_load(&pj->emit_result) != OF_OK) {
            (void)of_err_set(&err, OF_E_KAFKA, "the next message was not acknowledged");
            return later(pj, &err, "cannot emit, trying again");
        }
        if (emitted(pj, &err) != OF_OK) {
            return later(pj, &err, "cannot note what was emitted, trying again");
        }
        return over(pj, true);
    case PJ_CLOSING:
        return waiting_for_answers(pj);
    }
    return OF_STEP_DONE;
}

static void free_job(struct of_job *job)
{
    struct of_phase_job *pj = OF_CONTAINER_OF(job, struct of_phase_job, job);
    leave(pj);
    of_stage_close(pj);
    of_conn_unref(pj->conn);
    of_task_msg_done(&pj->msg);
    pthread_mutex_destroy(&pj->lock);
    of_freep(&pj);
}

void of_phase_job_start(struct of_worker *w, const struct of_task_msg *msg, struct of_tracked m)
{
    struct of_phase_job *pj = of_calloc(1, sizeof *pj);
    pj->job = (struct of_job){.step = step, .free = free_job, .priority = OF_PRIO_BULK};
    pj->w = w;
    pj->m = m;
    pj->msg = *msg;
    pj->msg.org = of_strdup(msg->org);
    pj->msg.adapter = of_strdup(msg->adapter);
    pj->msg.type = of_strdup(msg->type);
    pj->inbox_tail = &pj->inbox;
    pthread_mutex_init(&pj->lock, NULL);
    OF_CLEANUP(of_freep) char *key = of_lane_key(msg->org, msg->adapter);
    of_lanes_add(w->lanes, key, &pj->job);
}

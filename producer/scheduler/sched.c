/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/scheduler/sched_int.h"

#include "common/crypto/crypto.h"
#include "common/kafka/kafka.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/migrate/migrate.h"
#include "common/pg/pg.h"

#include "openfaith_scheduler_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOW_MS 1000            /* due work, probes, phases at rest */
#define GAUGES_MS 10000
#define PAUSE_MAX_MS 5000
#define LOG_AGAIN_MS 30000
#define DB_DEADLINE_MS 20000    /* of a round trip: a heart that beats may not wait longer for a hung server */
#define TOPICS_MS 10000
#define WORK_BATCHES 5          /* of owners, in each slow turn */
#define REST_BATCHES 20
#define POLL_BATCHES 50         /* then phases come again */

const char *const of_sched_states[] = {
    [OF_SCHED_READY] = "",
    [OF_SCHED_STARTING] = "starting",
    [OF_SCHED_NO_DB] = "database unavailable",
    [OF_SCHED_NO_KAFKA] = "broker unavailable",
    [OF_SCHED_SCHEMA] = "the database's schema does not fit, see the log",
    [OF_SCHED_STOPPING] = "stopping",
};

void of_sched_metrics(struct of_sched *s)
{
    static const char *const kinds[OF_SCHED_N_KINDS] = {"kind=\"phase\"", "kind=\"stalled\"", "kind=\"work\"", "kind=\"poll\""};
    static const char *const states[] = {"state=\"connected\"", "state=\"paused\"", "state=\"reconnect\"", "state=\"parked\""};
    for (size_t i = 0; i < OF_SCHED_N_KINDS; i++) {
        s->emitted[i] = of_counter("openfaith_scheduler_emitted_total", kinds[i], "messages acknowledged by the broker");
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(states); i++) {
        s->connections[i] = of_gauge("openfaith_connections", states[i], "connections by state");
    }
    s->lag_phase = of_gauge("openfaith_scheduler_lag_seconds", "kind=\"phase\"", "how long the oldest due row waits");
    s->lag_poll = of_gauge("openfaith_scheduler_lag_seconds", "kind=\"poll\"", "how long the oldest due row waits");
    s->dead = of_gauge("openfaith_dead_letters_open", NULL, "dead letters that nobody has settled");
    s->errors = of_counter("openfaith_scheduler_failures_total", NULL, "turns given up because a server did not answer");
}

static bool is_due(struct of_mono *next, int64_t period_ms)
{
    struct of_mono now = of_mono_now();
    if (now.ms < next->ms) {
        return false;
    }
    next->ms = now.ms + period_ms;
    return true;
}

static enum of_code update_gauges(struct of_sched *s, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(of_pg_run(s->slots[0].db, &of_sql_sched_gauges, NULL, &res, err));
    of_metric_set(s->lag_phase, (double)of_pgres_i64(res, 0, 0) / 1000.0);
    of_metric_set(s->lag_poll, (double)of_pgres_i64(res, 0, 1) / 1000.0);
    of_metric_set(s->dead, (double)of_pgres_i64(res, 0, 2));
    for (int i = 0; i < (int)OF_ARRAY_LEN(s->connections); i++) {
        of_metric_set(s->connections[i], (double)of_pgres_i64(res, 0, 3 + i));
    }
    return OF_OK;
}

static enum of_code probe_parked(struct of_sched *s, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, s->conf->scheduler_batch);
    OF_TRY(of_pg_run(s->slots[0].db, &of_sql_sched_probe, &args, &res, err));
    for (int i = 0; i < of_pgres_rows(res); i++) {
        of_log(OF_LOG_INFO, "scheduler.probed", "a parked connection is tried again", OF_S("org_id", of_pgres_text(res, i, 0)),
               OF_S("adapter", of_pgres_text(res, i, 1)));
    }
    return OF_OK;
}

static enum of_code rest_phases(struct of_sched *s, struct of_err *err)
{
    int64_t rows = s->conf->scheduler_batch;
    for (int i = 0; i < REST_BATCHES && rows >= s->conf->scheduler_batch; i++) {
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_int8(&args, s->conf->scheduler_batch);
        OF_TRY(of_pg_run_count(s->slots[0].db, &of_sql_sched_phases_rest, &args, &rows, err));
    }
    return OF_OK;
}

enum of_code of_sched_tick(struct of_sched *s, struct of_err *err)
{
    bool more = true;
    while (more && !*s->stop) {
        OF_TRY(of_sched_emit(s, OF_SCHED_PHASE, POLL_BATCHES, &more, err));
        if (is_due(&s->next_slow, SLOW_MS)) {
            bool ignored = false;
            OF_TRY(probe_parked(s, err));
            OF_TRY(rest_phases(s, err));
            OF_TRY(of_sched_emit(s, OF_SCHED_WORK, WORK_BATCHES, &ignored, err));
        }
        if (is_due(&s->next_stalled, OF_MAX(s->conf->stalled_ms / 10, s->conf->tick_ms))) {
            bool ignored = false;
            OF_TRY(of_sched_emit(s, OF_SCHED_STALLED, POLL_BATCHES, &ignored, err));
        }
        bool more_polls = false;
        OF_TRY(of_sched_emit(s, OF_SCHED_POLL, POLL_BATCHES, &more_polls, err));
        more = more || more_polls;
        atomic_store(&s->beat_ms, of_mono_now().ms);
    }
    if (is_due(&s->next_gauges, GAUGES_MS)) {
        OF_TRY(update_gauges(s, err));
    }
    return OF_OK;
}

static enum of_code check_schema(struct of_sched *s, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *problems = NULL;
    enum of_code code = of_migrate_check(s->slots[0].db, &problems, err);
    if (problems != NULL) {
        char *rest = problems;
        for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
            if (line[0] != '\0') {
                of_log(OF_LOG_ERROR, "scheduler.schema", "the database does not fit this program", OF_S("reason", line));
            }
        }
    }
    return code;
}

static void check_topics(struct of_sched *s)
{
    static const char *const topics[] = {OF_TOPIC_LIVE, OF_TOPIC_BULK, OF_TOPIC_CHANGES};
    struct of_err err = OF_ERR_INIT;
    int partitions = 0;
    if (of_kafka_check_topics(s->conf->kafka_brokers, topics, OF_ARRAY_LEN(topics), TOPICS_MS, &partitions, &err) != OF_OK) {
        of_log_err(OF_LOG_WARN, "scheduler.topics", "topics could not be checked, going on", &err, NULL);
    }
}

static enum of_code open_slot(struct of_sched *s, struct of_sched_slot *slot, struct of_err *err)
{
    if (slot->db != NULL && !of_pg_is_broken(slot->db)) {
        return OF_OK;
    }
    of_pg_free(slot->db);
    slot->db = NULL;
    s->checked = false;
    OF_TRY(of_pg_connect(s->conf->database_url, "openfaith-scheduler", &slot->db, err));
    of_pg_set_deadline(slot->db, DB_DEADLINE_MS);
    /* due rows are few or all of them: a plan made for the other case would read the table whole for each batch */
    return of_pg_script(slot->db,
                        "SET plan_cache_mode = force_custom_plan; SET enable_hashjoin = off; SET enable_mergejoin = off;"
                        "SET enable_seqscan = off; SET enable_bitmapscan = off", err);
}

static enum of_code open_all(struct of_sched *s, struct of_err *err)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(s->slots); i++) {
        OF_TRY(open_slot(s, &s->slots[i], err));
    }
    if (s->producer != NULL && of_kafka_producer_is_dead(s->producer)) {
        of_kafka_producer_free(s->producer);
        s->producer = NULL;
    }
    if (s->producer == NULL) {
        OF_TRY(of_kafka_producer_new(s->conf->kafka_brokers, "openfaith-scheduler", 2, &s->producer, err));
    }
    if (!s->checked) {
        OF_TRY(check_schema(s, err));
        check_topics(s);
        s->checked = true;
    }
    return OF_OK;
}

static void sleep_ms(const struct of_sched *s, int64_t ms)
{
    /* a signal ends a nanosleep; in short pieces, should it come just before */
    while (ms > 0 && !*s->stop) {
        int64_t piece = OF_MIN(ms, 100);
        struct timespec ts = {.tv_sec = piece / 1000, .tv_nsec = piece % 1000 * 1000000};
        nanosleep(&ts, NULL);
        ms -= piece;
    }
}

static int64_t pause_after(const struct of_sched *s)
{
    int64_t shift = OF_MIN(s->failures, 6);
    int64_t ms = OF_MIN((int64_t)100 << shift, PAUSE_MAX_MS);
    return ms / 2 + (int64_t)(of_random_u64() % (uint64_t)(ms / 2 + 1));
}

/* What was produced and not acknowledged may still arrive: waits for its end, so that a broker that is away does not get
 * the same messages again and again. */
static void let_producer_end(struct of_sched *s)
{
    struct of_err err = OF_ERR_INIT;
    if (s->producer == NULL || of_kafka_producer_is_dead(s->producer)) {
        return;
    }
    while (!*s->stop && of_kafka_producer_flush(s->producer, 1000, &err) == OF_E_TIMEOUT) {
        atomic_store(&s->beat_ms, of_mono_now().ms);
    }
}

static void on_failure(struct of_sched *s, const struct of_err *err)
{
    int64_t pause = pause_after(s);
    int state = OF_SCHED_NO_DB;
    if (err->cls == OF_CLASS_SYSTEMIC) {
        state = OF_SCHED_SCHEMA;
        pause = PAUSE_MAX_MS;
        s->checked = false;
    } else if (err->code == OF_E_KAFKA || err->code == OF_E_KAFKA_FATAL || err->kafka_code != 0) {
        state = OF_SCHED_NO_KAFKA;
    }
    atomic_store(&s->state, state);
    of_metric_inc(s->errors);
    if (s->failures++ == 0 || of_mono_now().ms - s->logged_at.ms >= LOG_AGAIN_MS) {
        s->logged_at = of_mono_now();
        const struct of_kv kv[] = {OF_I("retry_in_ms", pause), OF_I("attempt", s->failures), {.key = NULL}};
        of_log_err(OF_LOG_WARN, "scheduler.failed", "a turn was given up, trying again", err, kv);
    }
    if (state == OF_SCHED_NO_KAFKA) {
        let_producer_end(s);
    }
    sleep_ms(s, pause);
}

static void on_success(struct of_sched *s)
{
    if (s->failures > 0) {
        of_log(OF_LOG_INFO, "scheduler.recovered", "all servers answer again", OF_I("count", s->failures));
    }
    s->failures = 0;
    atomic_store(&s->state, OF_SCHED_READY);
    atomic_store(&s->good_ms, of_mono_now().ms);
}

void of_sched_run(struct of_sched *s)
{
    while (!*s->stop) {
        struct of_err err = OF_ERR_INIT;
        atomic_store(&s->beat_ms, of_mono_now().ms);
        enum of_code code = open_all(s, &err);
        if (code == OF_OK) {
            code = of_sched_tick(s, &err);
        }
        if (code == OF_OK) {
            on_success(s);
            sleep_ms(s, s->conf->tick_ms);
        } else {
            on_failure(s, &err);
        }
    }
    atomic_store(&s->state, OF_SCHED_STOPPING);
    of_sched_drop(s);
    of_kafka_producer_free(s->producer);
    s->producer = NULL;
    for (size_t i = 0; i < OF_ARRAY_LEN(s->slots); i++) {
        of_pg_free(s->slots[i].db);
        s->slots[i].db = NULL;
    }
    free(s->work_after_org);
    free(s->work_after_adapter);
    s->work_after_org = s->work_after_adapter = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/cdc_int.h"

#include "common/crypto/crypto.h"
#include "common/kafka/kafka.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/migrate/migrate.h"
#include "common/migrate/publish.h"
#include "common/pg/pg.h"
#include "common/pg/pg_stream.h"

#include "openfaith_cdc_sql.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINGER_MS 2
#define TAKE_OVER_MS 300 /* how often a waiting copy tries */
#define PAUSE_MAX_MS 5000
#define LOG_AGAIN_MS 30000
#define DB_DEADLINE_MS 600000 /* the slot's advance decodes; a server that hangs is found out by TCP */

const char *const of_cdc_states[] = {
    [OF_CDC_READY] = "",
    [OF_CDC_STARTING] = "starting",
    [OF_CDC_NO_DB] = "database unavailable",
    [OF_CDC_NO_KAFKA] = "broker unavailable",
    [OF_CDC_SCHEMA] = "the database's schema does not fit, see the log",
    [OF_CDC_NO_SLOT] = "publications or slot are missing, see the log",
    [OF_CDC_STOPPING] = "stopping",
};

void of_cdc_sleep(const struct of_cdc *c, int64_t ms)
{
    while (ms > 0 && !*c->stop) {
        int64_t piece = OF_MIN(ms, 100);
        struct timespec ts = {.tv_sec = piece / 1000, .tv_nsec = piece % 1000 * 1000000};
        nanosleep(&ts, NULL);
        ms -= piece;
    }
}

static enum of_code check_schema(struct of_cdc *c, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *problems = NULL;
    enum of_code code = of_migrate_check(c->db, &problems, err);
    char *rest = problems;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] != '\0') {
            of_log(OF_LOG_ERROR, "cdc.schema", "the database does not fit this program", OF_S("reason", line));
        }
    }
    return code;
}

static enum of_code open_db(struct of_cdc *c, struct of_err *err)
{
    if (c->db != NULL && !of_pg_is_broken(c->db)) {
        return OF_OK;
    }
    of_pg_free(c->db);
    c->db = NULL;
    c->is_reader = false; /* the lock went with the session */
    of_cdc_metrics_reset(c);
    OF_TRY(of_pg_connect(c->conf->database_url, "openfaith-cdc", &c->db, err));
    of_pg_set_deadline(c->db, DB_DEADLINE_MS);
    OF_TRY(of_pg_script(c->db, "SET statement_timeout = 0; SET plan_cache_mode = force_custom_plan", err));
    return check_schema(c, err);
}

/* One copy reads; the others ask again and again. The lock lives as long as the session. */
static enum of_code become_reader(struct of_cdc *c, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->conf->slot);
    for (bool told = false; !c->is_reader;) {
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
        OF_TRY(of_pg_run(c->db, &of_sql_cdc_lock, &args, &res, err));
        c->is_reader = of_pgres_bool(res, 0, 0);
        atomic_store(&c->beat_ms, of_mono_now().ms);
        if (c->is_reader) {
            of_log(OF_LOG_INFO, "cdc.reader", "this copy reads now", OF_S("slot", c->conf->slot));
            break;
        }
        if (!told) {
            told = true;
            atomic_store(&c->state, OF_CDC_READY);
            of_log(OF_LOG_INFO, "cdc.waiting", "another copy reads, waiting to take over", OF_S("slot", c->conf->slot));
        }
        if (*c->stop) {
            return of_err_set(err, OF_E_STOPPED, "asked to stop");
        }
        of_cdc_sleep(c, TAKE_OVER_MS);
    }
    return OF_OK;
}

static enum of_code load_wanted(struct of_cdc *c, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(of_pg_run(c->db, &of_sql_cdc_wanted, NULL, &res, err));
    of_cdc_wanted_clear(c->wanted);
    for (int i = 0; i < of_pgres_rows(res); i++) {
        of_cdc_wanted_set(c->wanted, of_pgres_text(res, i, 0), of_pgres_len(res, i, 0), of_pgres_text(res, i, 1),
                          of_pgres_len(res, i, 1), true);
    }
    return OF_OK;
}

/* Reads from what was confirmed until something fails or all shall end. */
static enum of_code session(struct of_cdc *c, struct of_err *err)
{
    OF_TRY(open_db(c, err));
    OF_TRY(become_reader(c, err));
    c->tracker = of_cdc_tracker_new();
    of_cdc_sink_reset(c);
    OF_TRY(of_cdc_prepare(c, err));
    /* After the slot: connections whose commit is confirmed are in this snapshot, those made later in the stream. Of those in
     * between both speak, and the stream has the last word. */
    OF_TRY(load_wanted(c, err));
    OF_TRY(of_kafka_producer_new_timeout(c->conf->kafka_brokers, "openfaith-cdc", LINGER_MS, 0, &c->producer, err));
    for (;;) {
        if (c->repair_owed) {
            OF_TRY(of_cdc_repair(c, err));
        }
        if (c->behind_bytes >= c->conf->cdc_catchup_bytes) {
            OF_TRY(of_cdc_batches(c, err));
        }
        if (!c->repair_owed) {
            OF_TRY(of_cdc_stream(c, err));
        }
    }
}

/* Asked to stop: what was produced is awaited and confirmed, so that the next reader repeats nothing. */
static void settle(struct of_cdc *c)
{
    struct of_err err = OF_ERR_INIT;
    int64_t until = of_mono_now().ms + c->conf->drain_ms;
    if (c->producer == NULL || c->db == NULL) {
        return;
    }
    while (of_cdc_tracker_in_flight(c->tracker) > 0 && of_mono_now().ms < until && !of_cdc_tracker_failed(c->tracker, &err)) {
        of_cdc_tracker_wait(c->tracker, 1, 100);
    }
    (void)of_cdc_tracker_advance(c->tracker, &c->published, &c->confirmed_at_us);
    c->confirmed = OF_MAX(c->confirmed, c->published);
    if (c->stream != NULL && c->gear == OF_CDC_STREAM && of_pgstream_confirm(c->stream, c->confirmed, &err) != OF_OK) {
        of_log_err(OF_LOG_INFO, "cdc.confirm", "the last position could not be confirmed, some changes will be repeated", &err, NULL);
    }
    if (of_cdc_save(c, &err) != OF_OK) {
        of_log_err(OF_LOG_INFO, "cdc.save", "the last position could not be saved", &err, NULL);
    }
}

static void end_session(struct of_cdc *c)
{
    of_pgstream_free(c->stream);
    c->stream = NULL;
    of_kafka_producer_free(c->producer); /* reports what it has, so the tracker goes after it */
    c->producer = NULL;
    of_cdc_sink_reset(c);
    of_cdc_tracker_free(c->tracker);
    c->tracker = NULL;
    c->n_unseen = 0;
    of_cdc_set_gear(c, OF_CDC_NO_GEAR);
}

/* The slot's own refusals: it or its publications are not there, or its WAL is gone. */
static bool is_slot_trouble(const struct of_err *err)
{
    static const char *const states[] = {"42704", "55000", "58P01"};
    for (size_t i = 0; i < OF_ARRAY_LEN(states); i++) {
        if (strcmp(err->sqlstate, states[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void on_failure(struct of_cdc *c, const struct of_err *err)
{
    int64_t most = OF_MIN((int64_t)100 << OF_MIN(c->failures, 6), PAUSE_MAX_MS);
    int64_t pause = most / 2 + (int64_t)(of_random_u64() % (uint64_t)(most / 2 + 1));
    int state = OF_CDC_NO_DB;
    if (err->code == OF_E_KAFKA || err->code == OF_E_KAFKA_FATAL || err->kafka_code != 0) {
        state = OF_CDC_NO_KAFKA;
    } else if (is_slot_trouble(err)) {
        state = OF_CDC_NO_SLOT;
        c->unusable++;
    } else if (err->cls == OF_CLASS_SYSTEMIC) {
        state = OF_CDC_SCHEMA;
        pause = PAUSE_MAX_MS;
    }
    if (atomic_load(&c->state) != OF_CDC_NO_SLOT) {
        atomic_store(&c->state, state);
    }
    of_metric_inc(c->metrics.failures);
    if (c->failures++ == 0 || of_mono_now().ms - c->logged_at.ms >= LOG_AGAIN_MS) {
        c->logged_at = of_mono_now();
        const struct of_kv kv[] = {OF_I("retry_in_ms", pause), OF_I("attempt", c->failures), {.key = NULL}};
        of_log_err(OF_LOG_WARN, "cdc.failed", "reading was given up, beginning again from what is confirmed", err, kv);
    }
    if (of_mono_now().ms - c->began_at.ms > PAUSE_MAX_MS * 2) {
        c->failures = 1; /* it went well for a while: these are new troubles */
        pause = 50;
    }
    of_cdc_sleep(c, pause);
}

void of_cdc_run(struct of_cdc *c)
{
    of_cdc_sink_init(c);
    while (!*c->stop) {
        struct of_err err = OF_ERR_INIT;
        atomic_store(&c->beat_ms, of_mono_now().ms);
        c->began_at = of_mono_now();
        enum of_code code = session(c, &err);
        if (code == OF_E_STOPPED) {
            atomic_store(&c->state, OF_CDC_STOPPING);
            settle(c);
        }
        end_session(c);
        if (code != OF_E_STOPPED) {
            on_failure(c, &err);
        }
    }
    atomic_store(&c->state, OF_CDC_STOPPING);
    of_pg_free(c->db);
    c->db = NULL;
    of_cdc_sink_done(c);
    for (size_t i = 0; i < c->n_repair_sql; i++) {
        union {
            const char *in;
            void *out;
        } name = {.in = c->repair_sql[i].name}, text = {.in = c->repair_sql[i].text};
        free(name.out);
        free(text.out);
    }
    free(c->repair_sql);
}

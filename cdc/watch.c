/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/cdc_int.h"

#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/migrate/publish.h"
#include "common/pg/pg.h"

#include "openfaith_cdc_sql.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 1000
#define SAVE_MS 10000
#define CHECK_MS 60000
#define WARN_AGAIN_MS 600000
#define WARN_HOURS 24.0
#define GROWTH_S 60.0 /* how far the mean looks back */
#define RATE_S 10.0
#define OLD_S 10      /* what is not confirmed for so long is held by something */
#define TRIES 3       /* that a slot which looks good may refuse */

enum { HELD_BROKER = 0, HELD_BACKLOG, HELD_TRANSACTION, HELD_OTHER_SLOT, HELD_NOTHING };
static const char *const holders[] = {"broker", "backlog", "transaction", "other_slot", "nothing"};

void of_cdc_metrics(struct of_cdc *c)
{
    static const char *const labels[] = {"by=\"broker\"", "by=\"backlog\"", "by=\"transaction\"", "by=\"other_slot\"",
                                         "by=\"nothing\""};
    struct of_cdc_metrics *m = &c->metrics;
    m->rows = of_counter("openfaith_cdc_rows_total", NULL, "rows of committed transactions read from the WAL");
    m->published = of_counter("openfaith_cdc_published_total", NULL, "changes handed to Kafka, repeats included");
    m->dropped = of_counter("openfaith_cdc_dropped_total", NULL, "rows that no connection wants");
    m->own = of_counter("openfaith_cdc_own_total", NULL, "rows that our own workers wrote and no other system wants");
    m->commits = of_counter("openfaith_cdc_commits_total", NULL, "transactions read");
    m->failures = of_counter("openfaith_cdc_failures_total", NULL, "sessions given up, to begin again from what was confirmed");
    m->repaired = of_counter("openfaith_cdc_repaired_total", NULL, "changes found by difference after a loss of the slot");
    m->gear = of_gauge("openfaith_cdc_gear", NULL, "0 waiting (another copy reads, or a server is away), 1 streaming, 2 large batches");
    m->retained = of_gauge("openfaith_cdc_retained_bytes", NULL, "WAL that the server keeps for the slot");
    m->behind = of_gauge("openfaith_cdc_behind_bytes", NULL, "WAL not yet confirmed");
    m->oldest = of_gauge("openfaith_cdc_oldest_unconfirmed_seconds", NULL, "age of the oldest commit not yet acknowledged by Kafka");
    m->forecast = of_gauge("openfaith_cdc_hours_until_lost", NULL,
                           "at the present growth of retained WAL, hours until the server drops the slot");
    m->in_flight = of_gauge("openfaith_cdc_in_flight", NULL, "changes that Kafka has not acknowledged");
    m->spilled = of_gauge("openfaith_cdc_spilled_bytes", NULL, "files of unfinished transactions");
    m->publication = of_gauge("openfaith_cdc_publication_ok", NULL, "1: publications and slot are as they should be");
    m->rate = of_gauge("openfaith_cdc_rows_per_second", NULL, "rows of committed transactions read a second, of about the last ten");
    for (size_t i = 0; i < OF_ARRAY_LEN(labels); i++) {
        m->held[i] = of_gauge("openfaith_cdc_held", labels[i], "what holds the WAL now");
    }
}

void of_cdc_metrics_reset(struct of_cdc *c)
{
    struct of_metric *const of_the_slot[] = {c->metrics.retained, c->metrics.behind, c->metrics.oldest, c->metrics.in_flight,
                                             c->metrics.spilled, c->metrics.rate};
    for (size_t i = 0; i < OF_ARRAY_LEN(of_the_slot); i++) {
        of_metric_set(of_the_slot[i], 0);
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(c->metrics.held); i++) {
        of_metric_set(c->metrics.held[i], 0);
    }
    of_metric_set(c->metrics.forecast, (double)INFINITY);
    c->growth = c->rate = 0;
    c->grew_at.ms = c->rated_at.ms = 0;
}

void of_cdc_set_gear(struct of_cdc *c, enum of_cdc_gear gear)
{
    static const char *const names[] = {"none", "stream", "batches"};
    c->gear = gear;
    of_metric_set(c->metrics.gear, (double)gear);
    if (gear != OF_CDC_NO_GEAR) {
        atomic_store(&c->state, OF_CDC_READY);
        of_log(OF_LOG_INFO, "cdc.gear", "reading", OF_S("state", names[gear]), OF_I("lag", c->behind_bytes));
    }
}

/* --- each second --- */

/* Messages are out, and for long none has been acknowledged. */
static bool is_broker_silent(const struct of_cdc *c)
{
    return of_cdc_tracker_in_flight(c->tracker) > 0 && of_mono_now().ms - c->acked_at.ms > OLD_S * 1000;
}

static int holder_of(const struct of_cdc *c, bool other_slot, int64_t running_s)
{
    if (is_broker_silent(c)) {
        return HELD_BROKER;
    }
    if (c->behind_bytes > OF_MAX(c->conf->cdc_catchup_bytes, 16 * 1024 * 1024)) {
        return HELD_BACKLOG;
    }
    if (running_s > OLD_S) {
        return HELD_TRANSACTION;
    }
    return other_slot ? HELD_OTHER_SLOT : HELD_NOTHING;
}

static double forecast_hours(struct of_cdc *c, int64_t retained, const struct of_pgres *res)
{
    struct of_mono now = of_mono_now();
    double dt = (double)(now.ms - c->grew_at.ms) / 1000.0;
    if (c->grew_at.ms != 0 && dt > 0) {
        double share = dt / (GROWTH_S + dt);
        c->growth += share * ((double)(retained - c->retained_before) / dt - c->growth);
    }
    c->grew_at = now;
    c->retained_before = retained;
    if (of_pgres_is_null(res, 0, 2) || c->growth < 1.0) {
        return (double)INFINITY;
    }
    return (double)OF_MAX(of_pgres_i64(res, 0, 2), 0) / c->growth / 3600.0;
}

static double rows_per_second(struct of_cdc *c)
{
    struct of_mono now = of_mono_now();
    double dt = (double)(now.ms - c->rated_at.ms) / 1000.0;
    if (c->rated_at.ms != 0 && dt > 0) {
        c->rate += dt / (RATE_S / 2 + dt) * ((double)(c->n_rows - c->n_rows_before) / dt - c->rate);
    }
    c->rated_at = now;
    c->n_rows_before = c->n_rows;
    return c->rate < 0.01 ? 0 : c->rate;
}

/* A horizon is good for what is confirmed when its sample's position is. */
static void move_horizon(struct of_cdc *c, const struct of_pgres *res)
{
    if (c->horizon_lsn != 0 && c->confirmed >= c->horizon_lsn) {
        of_strcopy(c->horizon_kept, sizeof c->horizon_kept, c->horizon_xid);
        c->horizon_lsn = 0;
    }
    if (c->horizon_lsn == 0) {
        c->horizon_lsn = (of_lsn)of_pgres_i64(res, 0, 3);
        of_strcopy(c->horizon_xid, sizeof c->horizon_xid, of_pgres_text(res, 0, 4));
    }
}

static void warn(struct of_cdc *c, double hours, int holder)
{
    if (hours > WARN_HOURS || (c->warned_at.ms != 0 && of_mono_now().ms - c->warned_at.ms < WARN_AGAIN_MS)) {
        return;
    }
    c->warned_at = of_mono_now();
    of_log(OF_LOG_WARN, "cdc.forecast", "the server will drop the slot if this goes on: changes would have to be found by comparing",
           OF_I("limit", (int64_t)hours), OF_S("reason", holders[holder]));
}

enum of_code of_cdc_look(struct of_cdc *c, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->conf->slot);
    of_pg_arg_int8(&args, (int64_t)c->confirmed);
    OF_TRY(of_pg_run(c->db, &of_sql_cdc_look, &args, &res, err));
    if (!of_pgres_bool(res, 0, 8)) {
        return of_err_set(err, OF_E_DB, "slot %s is gone", c->conf->slot);
    }
    int64_t retained = of_pgres_i64(res, 0, 0);
    int64_t oldest_us = of_cdc_tracker_oldest_us(c->tracker);
    c->behind_bytes = of_pgres_i64(res, 0, 1);
    c->repair_owed = c->repair_owed || of_pgres_bool(res, 0, 5);
    c->repair_waits = of_pgres_bool(res, 0, 9);
    move_horizon(c, res);
    int64_t in_flight = of_cdc_tracker_in_flight(c->tracker);
    if (in_flight != c->in_flight_before || in_flight == 0) {
        c->acked_at = of_mono_now(); /* it moves; a full house that stays exactly full through a second is rare, and passes */
    }
    c->in_flight_before = in_flight;
    if (c->gear != OF_CDC_NO_GEAR) {
        atomic_store(&c->state, is_broker_silent(c) ? OF_CDC_NO_KAFKA : OF_CDC_READY);
    }
    double hours = forecast_hours(c, retained, res);
    int holder = holder_of(c, of_pgres_bool(res, 0, 6), of_pgres_i64(res, 0, 7));
    for (int i = 0; i < (int)OF_ARRAY_LEN(c->metrics.held); i++) {
        of_metric_set(c->metrics.held[i], i == holder ? 1 : 0);
    }
    of_metric_set(c->metrics.retained, (double)retained);
    of_metric_set(c->metrics.behind, (double)c->behind_bytes);
    of_metric_set(c->metrics.oldest, oldest_us == 0 ? 0 : (double)OF_MAX(of_wall_now().us - oldest_us, 0) / 1e6);
    of_metric_set(c->metrics.forecast, hours);
    of_metric_set(c->metrics.rate, rows_per_second(c));
    of_metric_set(c->metrics.in_flight, (double)of_cdc_tracker_in_flight(c->tracker));
    of_metric_set(c->metrics.spilled, (double)of_txns_spilled(c->txns));
    warn(c, hours, holder);
    return OF_OK;
}

/* --- every ten seconds --- */

enum { SYSTEM_ID_SIZE = 24, READER_SIZE = 100 };

static const char *system_id_text(const struct of_cdc *c, char *buf)
{
    (void)snprintf(buf, SYSTEM_ID_SIZE, "%llu", (unsigned long long)c->system_id);
    return buf;
}

static const char *reader_text(char *buf)
{
    char host[65] = "";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(buf, READER_SIZE, "%s/%d", host, (int)getpid());
    return buf;
}

static enum of_code begin_state(struct of_cdc *c, struct of_err *err)
{
    char reader[READER_SIZE], system_id[SYSTEM_ID_SIZE];
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->conf->slot);
    of_pg_arg_text(&args, system_id_text(c, system_id));
    of_pg_arg_int8(&args, c->timeline);
    of_pg_arg_int8(&args, (int64_t)c->confirmed);
    of_pg_arg_text(&args, reader_text(reader));
    return of_pg_run(c->db, &of_sql_cdc_begin, &args, NULL, err);
}

enum of_code of_cdc_save(struct of_cdc *c, struct of_err *err)
{
    static const char *const gears[] = {"stream", "stream", "batches"};
    char reader[READER_SIZE], system_id[SYSTEM_ID_SIZE];
    struct of_pgargs args = OF_PGARGS_INIT;
    if (c->saved == c->published) {
        return OF_OK; /* nothing is written for nothing: it would be WAL again */
    }
    of_pg_arg_text(&args, c->conf->slot);
    of_pg_arg_text(&args, system_id_text(c, system_id));
    of_pg_arg_int8(&args, c->timeline);
    of_pg_arg_int8(&args, (int64_t)c->published);
    of_pg_arg_time(&args, c->confirmed_at_us);
    of_pg_arg_text(&args, reader_text(reader));
    of_pg_arg_text(&args, gears[c->gear]);
    of_pg_arg_text(&args, c->horizon_kept[0] != '\0' ? c->horizon_kept : NULL);
    OF_TRY(of_pg_run(c->db, &of_sql_cdc_save, &args, NULL, err));
    c->saved = c->published;
    return OF_OK;
}

/* --- every minute --- */

static void log_lines(enum of_log_level level, const char *event, const char *msg, const struct of_buf *lines)
{
    const char *text = of_buf_text(lines);
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        OF_CLEANUP(of_freep) char *line = of_strndup(text, len);
        of_log(level, event, msg, OF_S("reason", line));
        text += len + (text[len] == '\n');
    }
}

/* What it puts right is owed a repair by of_publish_ensure() itself. */
static enum of_code check_publications(struct of_cdc *c, bool *ret_good, struct of_err *err)
{
    OF_CLEANUP(of_publish_done) struct of_publish p = OF_PUBLISH_INIT;
    OF_TRY(of_publish_ensure(c->db, &p, err));
    log_lines(OF_LOG_INFO, "cdc.publication", "put right", &p.did);
    log_lines(OF_LOG_WARN, "cdc.publication", "not as it should be", &p.notes);
    log_lines(OF_LOG_WARN, "cdc.publication", "not as it should be; its owner has to run this", &p.owner_sql);
    *ret_good = p.owner_sql.len == 0;
    of_metric_set(c->metrics.publication, *ret_good ? 1 : 0);
    c->checked_at = of_mono_now();
    return OF_OK;
}

/* Remembered in the database: somebody else may put them right while no reader runs. */
static enum of_code note_publications(struct of_cdc *c, bool good, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->conf->slot);
    of_pg_arg_bool(&args, good);
    return of_pg_run(c->db, &of_sql_cdc_publication, &args, NULL, err);
}

static enum of_code wait_repair(struct of_cdc *c, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->conf->slot);
    return of_pg_run(c->db, &of_sql_cdc_repair_wait, &args, NULL, err);
}

enum of_code of_cdc_watch(struct of_cdc *c, struct of_err *err)
{
    struct of_mono now = of_mono_now();
    if (now.ms - c->looked_at.ms < LOOK_MS) {
        return OF_OK;
    }
    c->looked_at = now;
    OF_TRY(of_cdc_look(c, err));
    if (c->repair_waits) {
        OF_TRY(wait_repair(c, err));
    }
    if (now.ms - c->saved_at.ms >= SAVE_MS) {
        c->saved_at = now;
        OF_TRY(of_cdc_save(c, err));
    }
    if (now.ms - c->checked_at.ms >= CHECK_MS) {
        bool good = false;
        OF_TRY(check_publications(c, &good, err));
        OF_TRY(note_publications(c, good, err));
    }
    return OF_OK;
}

/* --- at the beginning of a session --- */

static enum of_code ask_server(struct of_cdc *c, bool *ret_moved, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->conf->slot);
    OF_TRY(of_pg_run(c->db, &of_sql_cdc_server, &args, &res, err));
    int64_t xid = 0;
    c->system_id = (uint64_t)of_pgres_i64(res, 0, 0);
    c->timeline = (uint32_t)of_pgres_i64(res, 0, 1);
    if (of_parse_i64(of_pgres_text(res, 0, 2), 0, INT64_MAX, &xid)) {
        c->newest_xid = (uint64_t)xid;
    }
    *ret_moved = of_pgres_bool(res, 0, 3);
    c->repair_owed = of_pgres_bool(res, 0, 4);
    c->confirmed = c->told = (of_lsn)of_pgres_i64(res, 0, 5);
    c->published = c->saved = 0;
    c->horizon_lsn = 0;
    c->horizon_kept[0] = '\0';
    return OF_OK;
}

static enum of_code drop_slot(struct of_cdc *c, const char *why, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->conf->slot);
    of_log(OF_LOG_WARN, "cdc.slot", "the slot is made anew, what changed meanwhile is found by comparing", OF_S("slot", c->conf->slot),
           OF_S("reason", why));
    return of_pg_run(c->db, &of_sql_cdc_drop_slot, &args, NULL, err);
}

static enum of_code prepare_slot(struct of_cdc *c, bool moved, struct of_err *err)
{
    OF_CLEANUP(of_publish_done) struct of_publish p = OF_PUBLISH_INIT;
    enum of_slot_state state = OF_SLOT_MISSING;
    bool good = false;
    OF_TRY(of_publish_slot_state(c->db, c->conf->slot, &state, err));
    if (state == OF_SLOT_LOST) {
        OF_TRY(drop_slot(c, "lost", err));
    } else if (state == OF_SLOT_GOOD && moved) {
        OF_TRY(drop_slot(c, "another server or timeline", err));
    } else if (state == OF_SLOT_GOOD && c->unusable >= TRIES) {
        OF_TRY(drop_slot(c, "cannot be read", err));
    }
    OF_TRY(of_publish_slot(c->db, c->conf->slot, &p, &good, err));
    c->unusable = p.did.len > 0 ? 0 : c->unusable;
    log_lines(OF_LOG_WARN, "cdc.slot", "slot", &p.did);
    log_lines(OF_LOG_WARN, "cdc.slot", "slot", &p.notes);
    log_lines(OF_LOG_WARN, "cdc.slot", "the slot is missing; who may replicate has to run this", &p.owner_sql);
    if (!good) {
        atomic_store(&c->state, OF_CDC_NO_SLOT);
        return of_err_set(err, OF_E_DB, "there is no slot to read from, see the log");
    }
    return OF_OK;
}

enum of_code of_cdc_prepare(struct of_cdc *c, struct of_err *err)
{
    bool good = false, moved = false;
    OF_TRY(check_publications(c, &good, err));
    if (!good) {
        OF_TRY(ask_server(c, &moved, err));
        OF_TRY(begin_state(c, err));
        OF_TRY(note_publications(c, false, err));
        atomic_store(&c->state, OF_CDC_NO_SLOT);
        return of_err_set(err, OF_E_DB, "the publications are not as they should be, see the log");
    }
    OF_TRY(ask_server(c, &moved, err));
    OF_TRY(prepare_slot(c, moved, err));
    OF_TRY(ask_server(c, &moved, err));
    OF_TRY(begin_state(c, err));
    OF_TRY(note_publications(c, true, err));
    return of_cdc_look(c, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/cdc_int.h"

#include "common/base/failpoint.h"
#include "common/kafka/kafka.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/pg/pg.h"
#include "common/pg/pg_stream.h"

#include "openfaith_cdc_sql.h"

#define TEND_EVERY 1024        /* messages */
#define TELL_MS 100
#define TELL_AGAIN_MS 5000
#define WAIT_ACK_MS 10
#define WAIT_IDLE_MS 200
#define BACK_TO_BATCHES_MS 30000 /* a transaction that stays open is read again by each gear: no to and fro */
#define BATCHES_IDLE_MS 100

static enum of_code check_producer(struct of_cdc *c, struct of_err *err)
{
    if (of_cdc_tracker_failed(c->tracker, err)) {
        return err->code;
    }
    if (of_kafka_producer_is_dead(c->producer)) {
        return of_err_set(err, OF_E_KAFKA, "the producer is dead");
    }
    return OF_OK;
}

/* What is safe: the newest commit that is acknowledged together with all before it. */
static void move_confirmed(struct of_cdc *c)
{
    if (of_cdc_tracker_advance(c->tracker, &c->published, &c->confirmed_at_us)) {
        c->confirmed = OF_MAX(c->confirmed, c->published);
    }
}

static enum of_code tell(struct of_cdc *c, bool now, struct of_err *err)
{
    int64_t since = of_mono_now().ms - c->told_at.ms;
    if (!now && since < TELL_AGAIN_MS && (c->confirmed == c->told || since < TELL_MS)) {
        return OF_OK;
    }
    (void)OF_FAILPOINT("cdc.before_confirm");
    OF_TRY(of_pgstream_confirm(c->stream, c->confirmed, err));
    c->told = c->confirmed;
    c->told_at = of_mono_now();
    return OF_OK;
}

enum of_code of_cdc_tend(struct of_cdc *c, struct of_err *err)
{
    atomic_store(&c->beat_ms, of_mono_now().ms);
    if (*c->stop) {
        return of_err_set(err, OF_E_STOPPED, "asked to stop");
    }
    OF_TRY(check_producer(c, err));
    OF_TRY(of_cdc_sink_see(c, err));
    move_confirmed(c);
    if (c->gear == OF_CDC_STREAM && c->stream != NULL) {
        OF_TRY(tell(c, false, err));
    }
    return of_cdc_watch(c, err);
}

/* --- streaming --- */

static enum of_code on_keepalive(struct of_cdc *c, const struct of_pgstream_msg *msg, struct of_err *err)
{
    move_confirmed(c);
    if (of_cdc_sink_is_idle(c)) {
        c->confirmed = OF_MAX(c->confirmed, msg->wal_end);
    }
    return msg->reply ? tell(c, true, err) : OF_OK;
}

/* All that has come. */
static enum of_code take_stream(struct of_cdc *c, struct of_err *err)
{
    struct of_pgstream_msg msg;
    for (int64_t n = 1;; n++) {
        OF_TRY(of_pgstream_next(c->stream, &msg, err));
        if (msg.kind == OF_PGSTREAM_NOTHING) {
            return OF_OK;
        }
        if (msg.kind == OF_PGSTREAM_DATA) {
            OF_TRY(of_decode(c->decoder, msg.bytes, msg.len, err));
            c->unusable = 0;
        } else if (msg.kind == OF_PGSTREAM_KEEPALIVE) {
            OF_TRY(on_keepalive(c, &msg, err));
        }
        if (n % TEND_EVERY == 0) {
            OF_TRY(of_cdc_tend(c, err));
        }
    }
}

static bool is_far_behind(const struct of_cdc *c)
{
    return c->behind_bytes >= c->conf->cdc_catchup_bytes &&
           (c->batches_ended_at.ms == 0 || of_mono_now().ms - c->batches_ended_at.ms > BACK_TO_BATCHES_MS);
}

enum of_code of_cdc_stream(struct of_cdc *c, struct of_err *err)
{
    of_cdc_sink_reset(c);
    OF_TRY(of_pgstream_start(c->conf->database_url, "openfaith-cdc", c->conf->slot, OF_CDC_PUBLICATIONS, &c->stream, err));
    of_cdc_set_gear(c, OF_CDC_STREAM);
    while (!is_far_behind(c) && !c->repair_owed) {
        OF_TRY(take_stream(c, err));
        OF_TRY(of_cdc_sink_flush(c, err));
        OF_TRY(of_cdc_tend(c, err));
        bool waiting = !of_cdc_tracker_is_empty(c->tracker) || c->confirmed != c->told;
        OF_TRY(of_pgstream_wait(c->stream, waiting ? WAIT_ACK_MS : WAIT_IDLE_MS, err));
    }
    /* what was read so far is acknowledged and confirmed; the other gear goes on after it, and what is only half read (the end
     * may have come between BEGIN and COMMIT) comes again as a whole */
    OF_TRY(of_cdc_drain(c, err));
    OF_TRY(tell(c, true, err));
    of_pgstream_free(OF_TAKE(c->stream));
    of_cdc_sink_reset(c);
    of_cdc_set_gear(c, OF_CDC_NO_GEAR);
    return OF_OK;
}

/* --- batches --- */

static enum of_code ask_flushed(struct of_cdc *c, of_lsn *ret_flushed, int64_t *ret_behind, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->conf->slot);
    OF_TRY(of_pg_run(c->db, &of_sql_cdc_flushed, &args, &res, err));
    *ret_flushed = (of_lsn)of_pgres_i64(res, 0, 0);
    *ret_behind = of_pgres_i64(res, 0, 1);
    return OF_OK;
}

static enum of_code take_batch(struct of_cdc *c, struct of_err *err)
{
    struct of_pgstream_msg msg;
    for (;;) {
        OF_TRY(of_pgstream_next(c->stream, &msg, err));
        if (msg.kind == OF_PGSTREAM_END) {
            return OF_OK;
        }
        if (msg.kind == OF_PGSTREAM_DATA) {
            OF_TRY(of_decode(c->decoder, msg.bytes, msg.len, err));
            c->batch_messages++;
        }
        if (msg.kind == OF_PGSTREAM_NOTHING) {
            OF_TRY(of_pgstream_wait(c->stream, WAIT_ACK_MS, err));
        }
        if (msg.kind == OF_PGSTREAM_NOTHING || c->batch_messages % TEND_EVERY == 0) {
            OF_TRY(of_cdc_tend(c, err));
        }
    }
}

static enum of_code advance_slot(struct of_cdc *c, of_lsn end, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    (void)OF_FAILPOINT("cdc.before_advance");
    of_pg_arg_text(&args, c->conf->slot);
    of_pg_arg_int8(&args, (int64_t)end);
    OF_TRY(of_pg_run(c->db, &of_sql_cdc_advance, &args, NULL, err));
    c->confirmed = OF_MAX(c->confirmed, end);
    c->told = c->confirmed;
    return OF_OK;
}

/* Until all connections that were read are visible: as long as a standby that does not answer puts that off, nothing can be
 * confirmed, and the batch waits. */
static enum of_code wait_visible(struct of_cdc *c, struct of_err *err)
{
    while (c->n_unseen > 0) {
        of_cdc_sleep(c, WAIT_ACK_MS);
        OF_TRY(of_cdc_tend(c, err));
    }
    return OF_OK;
}

/* One batch: read, acknowledged, confirmed. flushed: up to here the WAL was safe before. */
static enum of_code one_batch(struct of_cdc *c, of_lsn flushed, int64_t limit, struct of_err *err)
{
    of_cdc_sink_reset(c);
    c->batch_end = 0;
    c->batch_commits = c->batch_messages = 0;
    OF_TRY(of_pgstream_batch(c->conf->database_url, "openfaith-cdc", c->conf->slot, OF_CDC_PUBLICATIONS, limit, &c->stream, err));
    OF_TRY(take_batch(c, err));
    c->unusable = 0;
    of_pgstream_free(OF_TAKE(c->stream));
    OF_TRY(of_cdc_drain(c, err));
    OF_TRY(wait_visible(c, err));
    /* fewer than asked for: that was all up to here, so what nobody here is told of need not be kept either */
    of_lsn end = c->batch_messages < limit ? OF_MAX(c->batch_end, flushed) : c->batch_end;
    return end > c->told ? advance_slot(c, end, err) : OF_OK;
}

enum of_code of_cdc_batches(struct of_cdc *c, struct of_err *err)
{
    int64_t limit = c->conf->cdc_batch;
    of_cdc_set_gear(c, OF_CDC_BATCHES);
    for (;;) {
        of_lsn flushed = 0;
        int64_t behind = 0;
        OF_TRY(ask_flushed(c, &flushed, &behind, err));
        if (behind <= c->conf->cdc_catchup_bytes / 2 && c->conf->cdc_catchup_bytes > 0) {
            break;
        }
        if (c->repair_owed) {
            break;
        }
        if (behind > 0) {
            OF_TRY(one_batch(c, flushed, limit, err));
            /* part of one transaction that is not over: only a larger batch can hold it */
            limit = c->batch_commits == 0 && c->batch_messages >= limit ? OF_MIN(limit * 4, INT32_MAX) : c->conf->cdc_batch;
        } else {
            of_cdc_sleep(c, BATCHES_IDLE_MS);
        }
        OF_TRY(of_cdc_tend(c, err));
    }
    c->batches_ended_at = of_mono_now();
    c->behind_bytes = 0;
    of_cdc_sink_reset(c);
    of_cdc_set_gear(c, OF_CDC_NO_GEAR);
    return OF_OK;
}

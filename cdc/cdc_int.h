/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CDC_INT_H
#define OF_CDC_INT_H

/* Parts of the change reader: one thread owns struct of_cdc; the probes read its atomics from the HTTP server's thread. */

#include "cdc/decode.h"
#include "cdc/own.h"
#include "cdc/tracker.h"
#include "cdc/txn.h"
#include "cdc/wanted.h"
#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/conf/conf.h"
#include "common/err/err.h"
#include "common/pg/sql.h"
#include "common/time/time.h"

#include <stdatomic.h>

struct of_pg;
struct of_pgstream;
struct of_kafka_producer;
struct of_metric;

#define OF_CDC_PUBLICATIONS "openfaith_cdm,openfaith_sync"

enum of_cdc_gear { OF_CDC_NO_GEAR = 0, OF_CDC_STREAM, OF_CDC_BATCHES };
enum of_cdc_kind { OF_CDC_OTHER = 0, OF_CDC_ENTITY, OF_CDC_EDGES, OF_CDC_CONNECTION };

/* A table by name: relations come and go. */
struct of_cdc_table {
    uint32_t no;
    char name[OF_CDC_NAME_MAX];
    enum of_cdc_kind kind;
    uint64_t form; /* of its columns, as last told; 0: never */
    bool warned;     /* that its rows say nothing */
    int adapter, state; /* columns of sync.connection */
};

struct of_cdc_pending;

/* A commit that connected somebody and that may not be visible yet: decoding runs ahead of visibility. The next reader must meet it
 * in its snapshot of sync.connection or in its stream, so until it is visible it is not confirmed. */
struct of_cdc_unseen {
    struct of_cdc_commit *commit;
    uint64_t xid;
};
enum { OF_CDC_UNSEEN_MAX = 64 };

/* The commit whose rows are being published. */
struct of_cdc_current {
    struct of_cdc_commit *commit; /* NULL: none */
    uint64_t xid;
    of_lsn lsn;
    int64_t at_us, n;
};

struct of_cdc_metrics {
    struct of_metric *rows, *published, *dropped, *own, *commits, *failures, *gear, *retained, *behind, *oldest, *forecast, *in_flight;
    struct of_metric *spilled, *publication, *repaired, *rate, *held[5];
};

struct of_cdc {
    const struct of_conf *conf;
    const volatile int *stop;
    struct of_pg *db; /* holds the advisory lock; every statement but the batches */
    struct of_pgstream *stream;
    struct of_kafka_producer *producer;
    struct of_cdc_tracker *tracker;
    struct of_decoder *decoder;
    struct of_txns *txns;
    struct of_cdc_wanted *wanted;
    struct of_cdc_own *own; /* of the commit whose rows are being published */
    /* tables, by number */
    struct of_cdc_table **tables;
    uint32_t n_tables;
    /* where in the stream we are */
    struct of_cdc_current current;
    uint32_t stream_xid; /* of the streamed block that we are in; 0: none */
    uint64_t newest_xid; /* 64 bits: what the 32 of the wire are close to */
    struct of_cdc_pending *pending; /* rows that wait for their organization to be looked up, and all after them */
    struct of_cdc_unseen unseen[OF_CDC_UNSEEN_MAX];
    int n_unseen;
    struct of_mono unseen_at; /* when it was looked last */
    struct of_buf message, org;
    uint64_t system_id;
    uint32_t timeline;
    /* positions: what is safe; what the server knows; whether commits ended since the last sync.cdc_state */
    of_lsn confirmed, told, published; /* published: the newest commit of these */
    int64_t confirmed_at_us;
    of_lsn saved;
    struct of_mono told_at, saved_at, looked_at, checked_at, grew_at, warned_at, batches_ended_at, began_at;
    of_lsn batch_end; /* end of the last commit of a batch */
    int64_t batch_commits, batch_messages;
    of_lsn horizon_lsn; /* a sample: whatever commits after this position has an id from horizon_xid on */
    char horizon_xid[32], horizon_kept[32];
    struct of_mono acked_at; /* the last look that found acknowledgements moving */
    int64_t behind_bytes, retained_before, in_flight_before;
    double growth; /* bytes a second */
    int64_t n_rows, n_rows_before; /* as the counter says; at the last look */
    double rate; /* rows a second */
    struct of_mono rated_at;
    bool repair_owed, repair_waits, is_reader; /* owed: and can be made now */
    enum of_cdc_gear gear;
    int unusable; /* times in a row that a slot that looks good was refused */
    struct of_sql *repair_sql; /* made once, n_repair_sql of them */
    size_t n_repair_sql;
    /* troubles: logged at their begin, then twice a minute, and at their end */
    int64_t failures;
    struct of_mono logged_at;
    struct of_cdc_metrics metrics;
    /* for the probes */
    atomic_llong beat_ms;
    atomic_int state; /* index of of_cdc_states */
};
extern const char *const of_cdc_states[]; /* for /readyz; 0: "" is ready */
enum { OF_CDC_READY = 0, OF_CDC_STARTING, OF_CDC_NO_DB, OF_CDC_NO_KAFKA, OF_CDC_SCHEMA, OF_CDC_NO_SLOT, OF_CDC_STOPPING };

/* --- reader.c --- */
/* Runs until *stop; never gives up for a server that is away. */
void of_cdc_run(struct of_cdc *c);
void of_cdc_sleep(const struct of_cdc *c, int64_t ms);

/* --- sink.c: rows of the decoder become messages --- */
extern const struct of_decode_ops of_cdc_ops;
void of_cdc_sink_init(struct of_cdc *c);
void of_cdc_sink_done(struct of_cdc *c);
/* A new stream begins: what was open is forgotten. */
void of_cdc_sink_reset(struct of_cdc *c);
/* Produces one message, waits while too many are in flight. Fails OF_E_STOPPED, OF_E_KAFKA. */
OF_MUSTCHECK enum of_code of_cdc_publish(struct of_cdc *c, struct of_cdc_commit *commit, const char *table, char op,
                                         const char *org, size_t org_len, const char *id, size_t id_len,
                                         const struct of_cdc_current *at, struct of_err *err);
/* Looks up whose the waiting rows are and publishes them. */
OF_MUSTCHECK enum of_code of_cdc_sink_flush(struct of_cdc *c, struct of_err *err);
/* Lets go of those commits that have become visible. */
OF_MUSTCHECK enum of_code of_cdc_sink_see(struct of_cdc *c, struct of_err *err);
bool of_cdc_sink_is_idle(const struct of_cdc *c);
/* Waits until all that was published is acknowledged. */
OF_MUSTCHECK enum of_code of_cdc_drain(struct of_cdc *c, struct of_err *err);

/* --- gears.c --- */
/* Both return OF_OK when the other gear is the better one (or a repair is owed), OF_E_STOPPED at the end. */
OF_MUSTCHECK enum of_code of_cdc_stream(struct of_cdc *c, struct of_err *err);
OF_MUSTCHECK enum of_code of_cdc_batches(struct of_cdc *c, struct of_err *err);
/* What must go on while something is waited for: the heart, confirmations, looking after things. */
OF_MUSTCHECK enum of_code of_cdc_tend(struct of_cdc *c, struct of_err *err);

/* --- watch.c --- */
void of_cdc_metrics(struct of_cdc *c);
/* This copy is not the reader any more: what it last saw of the slot is another one's to say. */
void of_cdc_metrics_reset(struct of_cdc *c);
/* Gauges each second, sync.cdc_state every ten, the publications every minute. */
OF_MUSTCHECK enum of_code of_cdc_watch(struct of_cdc *c, struct of_err *err);
OF_MUSTCHECK enum of_code of_cdc_look(struct of_cdc *c, struct of_err *err);
OF_MUSTCHECK enum of_code of_cdc_save(struct of_cdc *c, struct of_err *err);
/* Publications and slot are there, or made; a slot that cannot be used is made anew, and a repair is owed. */
OF_MUSTCHECK enum of_code of_cdc_prepare(struct of_cdc *c, struct of_err *err);
void of_cdc_set_gear(struct of_cdc *c, enum of_cdc_gear gear);

/* --- repair.c --- */
/* Publishes what may have changed while nobody read: goes on where it was, ends with nothing owed. */
OF_MUSTCHECK enum of_code of_cdc_repair(struct of_cdc *c, struct of_err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_SCHED_INT_H
#define OF_SCHED_INT_H

/* Parts of the scheduler: one thread owns struct of_sched; the probes read its atomics from the HTTP server's thread. */

#include "common/base/base.h"
#include "common/conf/conf.h"
#include "common/err/err.h"
#include "common/time/time.h"

#include <stdatomic.h>

struct of_pg;
struct of_pgres;
struct of_kafka_producer;
struct of_metric;
struct of_sql;
struct of_emission;

enum of_sched_kind { OF_SCHED_PHASE = 0, OF_SCHED_STALLED, OF_SCHED_WORK, OF_SCHED_POLL, OF_SCHED_N_KINDS };

/* Several, so that the next batches are claimed while the broker acknowledges the last ones. */
struct of_sched_slot {
    struct of_pg *db;
    struct of_emission *emission; /* produced, not yet acknowledged; NULL: none */
};

struct of_sched {
    const struct of_conf *conf;
    struct of_sched_slot slots[3];
    struct of_kafka_producer *producer;
    bool checked; /* schema and topics were looked at on this connection */
    int64_t polls_from_us; /* polls that were due before were claimed in this turn */
    char *work_after_org, *work_after_adapter; /* where the look for due work goes on; NULL: at the beginning */
    const volatile int *stop;
    struct of_metric *emitted[OF_SCHED_N_KINDS], *lag_phase, *lag_poll, *dead, *connections[4], *errors;
    struct of_mono next_slow, next_stalled, next_gauges;
    /* troubles: logged at their begin, then twice a minute, and at their end */
    int64_t failures;
    struct of_mono logged_at;
    /* for the probes */
    atomic_llong beat_ms, good_ms;
    atomic_int state; /* index of of_sched_states */
};
extern const char *const of_sched_states[]; /* for /readyz; 0: "" is ready */
enum { OF_SCHED_READY = 0, OF_SCHED_STARTING, OF_SCHED_NO_DB, OF_SCHED_NO_KAFKA, OF_SCHED_SCHEMA, OF_SCHED_STOPPING };

/* Claims, produces, awaits and moves all that is due of one kind, at most max_batches batches. *ret_more: there was more.
 * On failure nothing is claimed any more; what was produced may be produced again. */
OF_MUSTCHECK enum of_code of_sched_emit(struct of_sched *s, enum of_sched_kind kind, int max_batches, bool *ret_more,
                                        struct of_err *err);
/* Gives up what is claimed and not moved. */
void of_sched_drop(struct of_sched *s);
/* All that is due now. */
OF_MUSTCHECK enum of_code of_sched_tick(struct of_sched *s, struct of_err *err);
void of_sched_metrics(struct of_sched *s);

/* Runs until *stop, then drains; never gives up for a server that is away. */
void of_sched_run(struct of_sched *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CONF_H
#define OF_CONF_H

/* Settings: one table (conf_table.c) drives parsing, --help, docs/configuration.md and its test. Environment only; NAME_FILE gives
 * a value's file (secrets). The struct is constant after load and is passed down. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"
#include "common/log/log.h"

enum of_program { OF_PROG_WORKER = 1, OF_PROG_SCHEDULER = 2, OF_PROG_CTL = 4, OF_PROG_CDC = 8, OF_PROG_GATEWAY = 16 };

struct of_conf {
    char *database_url;    /* OF_DATABASE_URL, required, secret */
    char *kafka_brokers;   /* OF_KAFKA_BROKERS, required */
    char *keyring_file;    /* OF_KEYRING_FILE, required by worker and ctl */
    int64_t http_port;     /* OF_HTTP_PORT, default 9464; 0 = any free port */
    char *http_address;    /* OF_HTTP_ADDRESS, default 127.0.0.1 */
    enum of_log_level log_level; /* OF_LOG_LEVEL, default info */
    /* kafka */
    int64_t partitions;         /* OF_PARTITIONS, 12: of topics that migrate creates */
    int64_t replication;        /* OF_REPLICATION, -1: the broker's default */
    int64_t retention_ms;       /* OF_RETENTION_MS, 604800000 (7 d) for topics */
    int64_t dlq_retention_ms;   /* OF_DLQ_RETENTION_MS, 7776000000 (90 d) */
    int64_t session_timeout_ms; /* OF_SESSION_TIMEOUT_MS, 45000 */
    /* worker */
    int64_t executors;          /* OF_EXECUTORS, 0 = twice the cores */
    int64_t db_connections;     /* OF_DB_CONNECTIONS, 0 = as many as executors */
    int64_t slice_ms;           /* OF_SLICE_MS, 2000: how long a bulk task works before it continues as a new message */
    int64_t lane_parallel;      /* OF_LANE_PARALLEL, 4: tasks of one lane at once */
    int64_t lane_max;           /* OF_LANE_MAX, 200: a longer lane is folded */
    int64_t batch_rows;         /* OF_BATCH_ROWS, 1000: records of one transaction */
    int64_t lease_ms;           /* OF_LEASE_MS, 60000: of sync.work rows */
    int64_t budget_lease_ms;    /* OF_BUDGET_LEASE_MS, 10000 */
    int64_t refresh_lease_ms;   /* OF_REFRESH_LEASE_MS, 30000: of a token refresh */
    int64_t backoff_ms;         /* OF_BACKOFF_MS, 1000: first retry; doubles, with jitter */
    int64_t backoff_max_ms;     /* OF_BACKOFF_MAX_MS, 300000 */
    int64_t waiting_recheck_ms; /* OF_WAITING_RECHECK_MS, 600000 */
    int64_t second_look_ms;     /* OF_SECOND_LOOK_MS, 600000: between two looks at a missing record */
    int64_t poll_late_ms;       /* OF_POLL_LATE_MS, 300000: how late a record may show up in a list */
    int64_t missing_share;      /* OF_MISSING_SHARE, 5 %: more missing of a type at once waits for a person */
    int64_t missing_min;        /* OF_MISSING_MIN, 20: so many are never a large share */
    int64_t visibility_ms;      /* OF_VISIBILITY_MS, 0: the adapter's own */
    int64_t push_look_ms;       /* OF_PUSH_LOOK_MS, 10000: older changes are compared with theirs before they are sent */
    int64_t http_timeout_ms;    /* OF_HTTP_TIMEOUT_MS, 30000 */
    int64_t unparsed_bytes;     /* OF_UNPARSED_BYTES, 8388608: pages fetched ahead */
    int64_t drain_ms;           /* OF_DRAIN_MS, 10000: SIGTERM to exit */
    int64_t breaker_failures;   /* OF_BREAKER_FAILURES, 20: alike in one connection */
    int64_t probe_ms;           /* OF_PROBE_MS, 60000: how often a connection parked by the breaker is probed */
    /* scheduler */
    int64_t tick_ms;            /* OF_TICK_MS, 100 */
    int64_t stalled_ms;         /* OF_STALLED_MS, 300000: phases that have not moved are emitted again */
    int64_t scheduler_batch;    /* OF_SCHEDULER_BATCH, 1000 */
    /* change reader */
    char *slot;                 /* OF_SLOT, openfaith */
    int64_t cdc_in_flight;      /* OF_CDC_IN_FLIGHT, 20000: messages not yet acknowledged */
    int64_t cdc_catchup_bytes;  /* OF_CDC_CATCHUP_BYTES, 64 MiB: behind by more, it reads in batches; 0: always */
    int64_t cdc_batch;          /* OF_CDC_BATCH, 2000000: messages of one such batch */
    int64_t cdc_memory_bytes;   /* OF_CDC_MEMORY_BYTES, 4 MiB: rows of open transactions kept in memory */
    char *cdc_spill_dir;        /* OF_CDC_SPILL_DIR, /tmp */
    int64_t cdc_spill_bytes;    /* OF_CDC_SPILL_BYTES, 16 GiB */
};

/* Reads all settings (one environment may serve all programs); program says which ones must be set. An empty variable is
 * one that is not set.
 * Every mistake is listed in *ret_problems (caller's, a line each, without values; NULL if there is none) and OF_E_CONFIG
 * returned. executors and db_connections come back resolved, never 0. Blocks: reads the files of NAME_FILE. */
OF_MUSTCHECK enum of_code of_conf_load(enum of_program program, struct of_conf **ret, char **ret_problems, struct of_err *err);
void of_conf_free(struct of_conf *conf);
/* For --help: name, default, meaning, a line each. */
void of_conf_help(enum of_program program, struct of_buf *b);
/* The values in force of what a program reads, NAME=value a line or one JSON object; secrets as ***. */
void of_conf_show(const struct of_conf *conf, enum of_program program, bool json, struct of_buf *b);
/* docs/configuration.md, whole. */
void of_conf_markdown(struct of_buf *b);

#endif

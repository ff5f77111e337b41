/* SPDX-License-Identifier: Apache-2.0 */
#include "common/conf/conf_int.h"

#define W OF_PROG_WORKER
#define S OF_PROG_SCHEDULER
#define C OF_PROG_CTL
#define D OF_PROG_CDC
#define G OF_PROG_GATEWAY
#define ALL (W | S | C | D | G)
#define AT(field) offsetof(struct of_conf, field)
#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

/* A row: field, name, default, range, who uses it, what it is. */
#define NUMBER(field, name, fallback, min, max, programs, flags, help)                                                 \
    {name, OF_CONF_INT, AT(field), fallback, min, max, programs, 0, flags, help}

const struct of_conf_item of_conf_items[] = {
    {"OF_DATABASE_URL", OF_CONF_TEXT, AT(database_url), NULL, 0, 0, ALL, ALL, OF_CONF_SECRET,
     "PostgreSQL: a libpq URI or keyword string; holds everything"},
    {"OF_KAFKA_BROKERS", OF_CONF_TEXT, AT(kafka_brokers), NULL, 0, 0, ALL, ALL, 0, "Kafka: host:port, comma between several"},
    {"OF_KEYRING_FILE", OF_CONF_TEXT, AT(keyring_file), NULL, 0, 0, W | C | G, W | C, 0,
     "path of the key ring that encrypts credentials (`openfaithctl keys new` makes a line of it)"},
    NUMBER(http_port, "OF_HTTP_PORT", "9464", 0, 65535, W | S | D | G, 0,
           "port of /metrics, /livez and /readyz; 0: any free one, told in the log"),
    {"OF_HTTP_ADDRESS", OF_CONF_TEXT, AT(http_address), "127.0.0.1", 0, 0, W | S | D | G, 0, OF_CONF_ADDRESS,
     "address that /metrics, /livez and /readyz listen on"},
    {"OF_LOG_LEVEL", OF_CONF_LEVEL, AT(log_level), "info", 0, 0, ALL, 0, 0, "debug, info, warn or error"},

    NUMBER(partitions, "OF_PARTITIONS", "12", 1, 10000, C, 0, "partitions of the topics that `migrate` creates"),
    NUMBER(replication, "OF_REPLICATION", "-1", -1, 1000, C, OF_CONF_NOT_ZERO,
           "copies of the topics that `migrate` creates; -1: what the broker says"),
    NUMBER(retention_ms, "OF_RETENTION_MS", "604800000", HOUR, 3650 * DAY, C, 0, "how long task topics keep messages"),
    NUMBER(dlq_retention_ms, "OF_DLQ_RETENTION_MS", "7776000000", HOUR, 3650 * DAY, C, 0,
           "how long dead-letter topics keep messages"),
    NUMBER(session_timeout_ms, "OF_SESSION_TIMEOUT_MS", "45000", SECOND, HOUR, W, 0,
           "a worker that Kafka does not hear of for so long loses its partitions"),

    NUMBER(executors, "OF_EXECUTORS", "0", 0, 1024, W, 0, "threads that work on tasks; 0: twice the cores"),
    NUMBER(db_connections, "OF_DB_CONNECTIONS", "0", 0, 1024, W, 0, "database connections; 0: as many as executors"),
    NUMBER(slice_ms, "OF_SLICE_MS", "2000", 10, 10 * 60 * SECOND, W, 0,
           "how long a bulk task works before it continues as a new message"),
    NUMBER(lane_parallel, "OF_LANE_PARALLEL", "4", 1, 1024, W, 0, "tasks of one lane at once"),
    NUMBER(lane_max, "OF_LANE_MAX", "200", 1, 100000, W, 0, "a longer lane is folded"),
    NUMBER(batch_rows, "OF_BATCH_ROWS", "1000", 1, 100000, W, 0, "records of one transaction"),
    NUMBER(lease_ms, "OF_LEASE_MS", "60000", 100, HOUR, W, 0, "lease of a piece of work (sync.work)"),
    NUMBER(budget_lease_ms, "OF_BUDGET_LEASE_MS", "10000", 100, HOUR, W, 0, "lease of a rate-limit budget"),
    NUMBER(refresh_lease_ms, "OF_REFRESH_LEASE_MS", "30000", 100, HOUR, W, 0, "lease of a token refresh"),
    NUMBER(backoff_ms, "OF_BACKOFF_MS", "1000", 1, HOUR, W, 0, "wait before the first retry; doubles, with jitter"),
    NUMBER(backoff_max_ms, "OF_BACKOFF_MAX_MS", "300000", 1, DAY, W, 0, "longest wait before a retry"),
    NUMBER(waiting_recheck_ms, "OF_WAITING_RECHECK_MS", "600000", 10, DAY, W, 0,
           "how often what waits for another record is looked at again"),
    NUMBER(second_look_ms, "OF_SECOND_LOOK_MS", "600000", 0, DAY, W, 0, "time between two looks at a missing record"),
    NUMBER(poll_late_ms, "OF_POLL_LATE_MS", "300000", 0, DAY, W, 0,
           "how late a record may show up in a list: polls read so far back again"),
    NUMBER(missing_share, "OF_MISSING_SHARE", "5", 1, 100, W, 0,
           "percent of a type that may be missing at once before a person is asked"),
    NUMBER(missing_min, "OF_MISSING_MIN", "20", 0, 1000000, W, 0, "so many missing records are never a large share"),
    NUMBER(visibility_ms, "OF_VISIBILITY_MS", "0", 0, HOUR, W, 0,
           "how long a record that was just created may not be found yet, after its lease has run out; 0: the system's own time"),
    NUMBER(push_look_ms, "OF_PUSH_LOOK_MS", "10000", 0, DAY, W, 0,
           "a change that has waited longer than this is compared with what the other system says now before it is sent; 0: always"),
    NUMBER(http_timeout_ms, "OF_HTTP_TIMEOUT_MS", "30000", 10, 10 * 60 * SECOND, W | C | G, 0,
           "longest request to a remote system"),
    NUMBER(unparsed_bytes, "OF_UNPARSED_BYTES", "8388608", 65536, INT64_C(1) << 32, W, 0,
           "bytes of pages fetched ahead, not yet parsed"),
    NUMBER(drain_ms, "OF_DRAIN_MS", "10000", 0, HOUR, W | S | D | G, 0, "time from SIGTERM to the exit"),
    NUMBER(breaker_failures, "OF_BREAKER_FAILURES", "20", 1, 100000, W, 0,
           "failures alike in one connection that park it"),
    NUMBER(probe_ms, "OF_PROBE_MS", "60000", 10, DAY, W, 0, "how often a connection parked by the breaker is probed"),

    NUMBER(tick_ms, "OF_TICK_MS", "100", 1, 60 * SECOND, S, 0, "how often the scheduler looks for what is due"),
    NUMBER(stalled_ms, "OF_STALLED_MS", "300000", 10, DAY, S, 0, "phases that have not moved for so long are emitted again"),
    NUMBER(scheduler_batch, "OF_SCHEDULER_BATCH", "1000", 1, 100000, S, 0, "rows that the scheduler takes at once"),

    {"OF_SLOT", OF_CONF_TEXT, AT(slot), "openfaith", 0, 0, C | D, 0, 0,
     "replication slot of the change reader; one per database, unlike any other in the server"},
    NUMBER(cdc_in_flight, "OF_CDC_IN_FLIGHT", "20000", 1, 1000000, D, 0, "changes that Kafka has not acknowledged yet"),
    NUMBER(cdc_catchup_bytes, "OF_CDC_CATCHUP_BYTES", "67108864", 0, INT64_C(1) << 50, D, 0,
           "behind by more WAL than this, the change reader reads in large batches instead of a stream; 0: always"),
    NUMBER(cdc_batch, "OF_CDC_BATCH", "2000000", 1000, 100000000, D, 0,
           "messages of such a batch; the server keeps it in temporary files"),
    NUMBER(cdc_memory_bytes, "OF_CDC_MEMORY_BYTES", "4194304", 65536, INT64_C(1) << 32, D, 0,
           "rows of unfinished transactions kept in memory; more goes to files"),
    {"OF_CDC_SPILL_DIR", OF_CONF_TEXT, AT(cdc_spill_dir), "/tmp", 0, 0, D, 0, 0, "where these files are"},
    NUMBER(cdc_spill_bytes, "OF_CDC_SPILL_BYTES", "17179869184", 65536, INT64_C(1) << 50, D, 0,
           "largest sum of these files; an unfinished transaction beyond it stops the reader, which says so"),
};

const size_t of_conf_n_items = OF_ARRAY_LEN(of_conf_items);

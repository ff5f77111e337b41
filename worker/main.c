/* SPDX-License-Identifier: Apache-2.0 */
/* openfaith-worker: the only program that calls a ChMS and writes entities. Its state is in Postgres and Kafka; any number of
 * copies may run, and be killed. */

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/metrics/metrics.h"
#include "worker/entities.h"
#include "worker/intake.h"
#include "worker/out.h"
#include "worker/remote.h"
#include "worker/worker.h"

#include "worker_sql.h"

enum { EXIT_DONE = 0, EXIT_USAGE_ = 64, EXIT_DEPENDENCY = 69, EXIT_CONFIG = 78 };
enum { START_SETTINGS = 0, START_DATABASE, START_TOPICS, START_DONE };

#define WAIT_MIN_MS 200
#define WAIT_MAX_MS 5000
#define TOPICS_PATIENCE_MS 20000 /* `migrate` may be at it */
#define LAST_MS 200
#define FLUSH_MS 2000
#define ARENAS 2 /* of malloc: one per thread would keep what each thread once had */

static volatile sig_atomic_t stop_asked;
static struct of_intake *_Atomic running; /* for the signal handler */
static atomic_int start_state;

static void on_signal(int signo)
{
    stop_asked = 1;
    struct of_intake *in = atomic_load(&running);
    if (in) {
        of_intake_stop(in);
    }
    (void)signal(signo, SIG_DFL); /* the second one ends us at once, which is harmless */
}

/* Signals come to the main thread: the others are made with them blocked. */
static void mask_signals(int how)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(how, &set, NULL);
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGINT, &act, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* --- probes --- */

static bool is_live(void *arg)
{
    (void)arg;
    struct of_intake *in = atomic_load(&running);
    return !in || of_intake_is_live(in);
}

static bool is_ready(void *arg, char *why, size_t why_size)
{
    const struct of_worker *w = arg;
    static const char *const states[] = {"starting", "waiting for the database and its schema",
                                         "waiting for Kafka and its topics", "joining the consumer group"};
    struct of_intake *in = atomic_load(&running);
    if (stop_asked || atomic_load(&w->stopping)) {
        (void)of_strcopy(why, why_size, "stopping");
        return false;
    }
    if (in && of_intake_is_ready(in)) {
        return true;
    }
    (void)of_strcopy(why, why_size, states[atomic_load(&start_state)]);
    return false;
}

/* --- start --- */

static void sleep_ms(int64_t ms)
{
    while (ms > 0 && !stop_asked) {
        int64_t part = OF_MIN(ms, 100);
        struct timespec ts = {.tv_sec = 0, .tv_nsec = (long)part * 1000000L};
        (void)nanosleep(&ts, NULL);
        ms -= part;
    }
}

static enum of_code look_at_database(struct of_worker *w, struct of_err *err)
{
    struct of_pg *db = NULL;
    OF_TRY(of_pgpool_get(w->pool, 1000, &db, err));
    struct of_pgres *res = NULL;
    enum of_code code = of_pg_run(db, &of_sql_schema_ready, NULL, &res, err);
    if (code == OF_OK && !of_pgres_bool(res, 0, 0)) {
        code = of_err_set(err, OF_E_DB_SCHEMA, "the tables are not there: run openfaithctl migrate");
    }
    of_pgres_free(res);
    of_pgpool_put(w->pool, db);
    return code;
}

static bool wait_for_database(struct of_worker *w)
{
    int64_t wait_ms = WAIT_MIN_MS;
    atomic_store(&start_state, START_DATABASE);
    while (!stop_asked) {
        struct of_err err = OF_ERR_INIT;
        if (look_at_database(w, &err) == OF_OK) {
            return true;
        }
        of_log_err(OF_LOG_WARN, "worker.waits", "the database is not ready, trying again", &err,
                   (const struct of_kv[]){OF_I("retry_in_ms", wait_ms), {.key = NULL}});
        sleep_ms(wait_ms);
        wait_ms = OF_MIN(wait_ms * 2, WAIT_MAX_MS);
    }
    return false;
}

/* EXIT_DONE: they are as they should be, or we were told to stop. */
static int wait_for_topics(struct of_worker *w)
{
    static const char *const topics[] = {OF_TOPIC_LIVE, OF_TOPIC_BULK, OF_TOPIC_CHANGES};
    int64_t begin = of_mono_now().ms;
    int64_t wait_ms = WAIT_MIN_MS;
    atomic_store(&start_state, START_TOPICS);
    while (!stop_asked) {
        struct of_err err = OF_ERR_INIT;
        int partitions = 0;
        enum of_code code = of_kafka_check_topics(w->conf->kafka_brokers, topics, OF_ARRAY_LEN(topics), 5000, &partitions, &err);
        if (code == OF_OK) {
            return EXIT_DONE;
        }
        if (code == OF_E_CONFIG && of_mono_now().ms - begin > TOPICS_PATIENCE_MS) {
            of_log_err(OF_LOG_ERROR, "worker.topics", "the topics are not as they must be", &err, NULL);
            return EXIT_CONFIG;
        }
        of_log_err(OF_LOG_WARN, "worker.waits", "the topics are not ready, trying again", &err,
                   (const struct of_kv[]){OF_I("retry_in_ms", wait_ms), {.key = NULL}});
        sleep_ms(wait_ms);
        wait_ms = OF_MIN(wait_ms * 2, WAIT_MAX_MS);
    }
    return EXIT_DONE;
}

static void name_worker(struct of_worker *w)
{
    char host[40] = "";
    if (gethostname(host, sizeof(host) - 1) != 0) {
        (void)of_strcopy(host, sizeof(host), "host");
    }
    OF_CLEANUP(of_freep) char *name = of_asprintf("%s:%ld:%08llx", host, (long)getpid(), (unsigned long long)(of_random_u64() >> 32));
    (void)of_strcopy(w->name, sizeof(w->name), name);
}

static void init_adapters(void)
{
    for (size_t i = 0; of_adapter_at(i); i++) {
        of_entities_init(of_adapter_at(i));
    }
    of_out_init();
}

/* --- run --- */

static enum of_code begin(struct of_worker *w, struct of_err *err)
{
    mask_signals(SIG_BLOCK);
    enum of_code code = of_kafka_producer_new(w->conf->kafka_brokers, w->name, 0, &w->producer, err);
    w->tracker = of_tracker_new();
    int executors = w->conf->executors > 0 ? (int)w->conf->executors : 2 * (int)OF_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
    w->lanes = of_lanes_new(executors, (int)w->conf->lane_parallel);
    if (code == OF_OK) {
        code = of_remote_new(w, &w->remote, err);
    }
    if (code == OF_OK) {
        code = of_intake_new(w, &w->intake, err);
    }
    mask_signals(SIG_UNBLOCK);
    return code;
}

static void end(struct of_worker *w)
{
    atomic_store(&w->stopping, true);
    if (w->remote) {
        of_remote_stop(w->remote);
    }
    struct of_err err = OF_ERR_INIT;
    if (w->producer && of_kafka_producer_flush(w->producer, FLUSH_MS, &err) != OF_OK) {
        of_log_err(OF_LOG_WARN, "worker.not_flushed", "not all messages were acknowledged, their phases are emitted again", &err,
                   NULL);
    }
    if (!of_lanes_wait_empty(w->lanes, LAST_MS)) {
        of_log(OF_LOG_WARN, "worker.left_over", "leaving with jobs at work, another worker goes on with them",
               OF_I("count", of_lanes_jobs(w->lanes)));
        _exit(of_intake_is_fatal(w->intake) ? EXIT_DEPENDENCY : EXIT_DONE); /* threads may hang in statements: no cleaning up */
    }
    of_kafka_producer_free(w->producer);
    of_lanes_free(w->lanes);
    of_intake_free(w->intake);
    of_remote_free(w->remote);
    of_tracker_free(w->tracker);
}

static int work(struct of_worker *w)
{
    struct of_err err = OF_ERR_INIT;
    if (begin(w, &err) != OF_OK) {
        of_log_err(OF_LOG_ERROR, "worker.start", "cannot start", &err, NULL);
        return err.cls == OF_CLASS_FATAL && err.code != OF_E_CONFIG ? EXIT_DEPENDENCY : EXIT_CONFIG;
    }
    atomic_store(&start_state, START_DONE);
    atomic_store(&running, w->intake);
    if (stop_asked) { /* it came before the handler could know the intake */
        of_intake_stop(w->intake);
    }
    of_log(OF_LOG_INFO, "worker.started", "worker started", OF_S("worker", w->name), OF_S("version", OF_VERSION));
    of_intake_run(w->intake);
    atomic_store(&running, NULL);
    int code = of_intake_is_fatal(w->intake) ? EXIT_DEPENDENCY : EXIT_DONE;
    end(w);
    of_log(OF_LOG_INFO, "worker.stopped", code == EXIT_DONE ? "worker stopped as asked" : "worker stopped, to be started again");
    return code;
}

static int serve(struct of_worker *w)
{
    struct of_probes probes = {.live = is_live, .ready = is_ready, .arg = w};
    struct of_metrics_server *server = NULL;
    struct of_err err = OF_ERR_INIT;
    int port = 0;
    mask_signals(SIG_BLOCK);
    enum of_code code = of_metrics_serve(w->conf->http_address, (int)w->conf->http_port, &probes, &server, &port, &err);
    mask_signals(SIG_UNBLOCK);
    if (code != OF_OK) {
        of_log_err(OF_LOG_ERROR, "worker.http", "cannot listen for metrics and probes", &err, NULL);
        return EXIT_CONFIG;
    }
    of_log(OF_LOG_INFO, "worker.listening", "metrics and probes", OF_I("port", port));
    int exit_code = EXIT_DONE;
    if (wait_for_database(w)) {
        exit_code = wait_for_topics(w);
    }
    if (exit_code == EXIT_DONE && !stop_asked) {
        exit_code = work(w);
    }
    of_metrics_stop(server);
    return exit_code;
}

static void print_help(void)
{
    struct of_buf b = OF_BUF_INIT(65536);
    of_buf_str(&b, "usage: openfaith-worker [--help | --version]\n\n"
                   "Does the work: takes tasks from Kafka, asks the church management systems within their limits, and writes what\n"
                   "they say to OpenFaith's tables. Waits for Postgres and Kafka as long as they are away. Any number of copies may\n"
                   "run. SIGTERM: ends what was begun, within OF_DRAIN_MS, and exits 0; a second one: leaves at once.\n\n"
                   "Settings (environment; NAME_FILE gives a file that holds the value):\n");
    of_conf_help(OF_PROG_WORKER, &b);
    of_buf_str(&b, "\nHTTP: /metrics (Prometheus), /livez, /readyz, /startupz.\nExit codes: 0 stopped as asked, 64 usage, 69 a "
                   "dependency failed for good, 70 bug, 78 configuration.\n");
    (void)fputs(of_buf_text(&b), stdout);
    of_buf_done(&b);
}

static int run(const struct of_conf *conf)
{
    static struct of_worker w;
    struct of_keyring *ring = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_keyring_load(conf->keyring_file, &ring, &err) != OF_OK) {
        (void)fprintf(stderr, "OF_KEYRING_FILE: %s\n", err.msg);
        return EXIT_CONFIG;
    }
    of_log_init("openfaith-worker", conf->log_level);
    (void)mallopt(M_ARENA_MAX, ARENAS);
    catch_signals();
    init_adapters();
    int executors = conf->executors > 0 ? (int)conf->executors : 2 * (int)OF_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
    w.conf = conf;
    w.ring = ring;
    name_worker(&w);
    atomic_init(&w.stopping, false);
    w.pool = of_pgpool_new(conf->database_url, "openfaith-worker", conf->db_connections > 0 ? (int)conf->db_connections : executors);
    /* Rows are found by their keys; a table that is still empty must not tempt the planner into scanning it for ever after. One plan per
     * statement: with 16 partitions planning costs ten times what a statement about one record does, and Postgres by itself plans
     * anew each time, since what it may prune makes that look cheaper. */
    OF_CLEANUP(of_freep) char *setup =
        of_asprintf("SET enable_mergejoin = off; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; "
                    "SET openfaith.waiting_recheck_ms = '%lld'",
                    (long long)conf->waiting_recheck_ms);
    of_pgpool_set_setup(w.pool, setup);
    int code = serve(&w);
    of_pgpool_free(w.pool);
    of_keyring_free(ring);
    return code;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help();
        return EXIT_DONE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        (void)puts("openfaith-worker " OF_VERSION);
        return EXIT_DONE;
    }
    if (argc > 1) {
        (void)fputs("openfaith-worker takes no arguments; see --help\n", stderr);
        return EXIT_USAGE_;
    }
    struct of_conf *conf = NULL;
    char *problems = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_conf_load(OF_PROG_WORKER, &conf, &problems, &err) != OF_OK) {
        (void)fputs(problems ? problems : err.msg, stderr);
        free(problems);
        return EXIT_CONFIG;
    }
    int code = run(conf);
    of_conf_free(conf);
    return code;
}

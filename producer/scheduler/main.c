/* SPDX-License-Identifier: Apache-2.0 */
/* openfaith-scheduler: emits what is owed. All its state is in Postgres; any number of copies may run. */

#include "common/base/buf.h"
#include "common/conf/conf.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "producer/scheduler/sched_int.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_USAGE_ = 64, EXIT_BUG = 70, EXIT_CONFIG = 78 };
#define LIVE_MS 30000

static volatile int stop_asked;

static void on_signal(int signo)
{
    stop_asked = 1;
    signal(signo, SIG_DFL); /* the second one ends us at once, which is harmless */
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    sigemptyset(&act.sa_mask);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void print_help(void)
{
    struct of_buf b = OF_BUF_INIT(65536);
    of_buf_str(&b, "usage: openfaith-scheduler [--help | --version]\n\n"
                   "Emits what is owed: phases whose next task was not emitted, due polls, due work. Reads and moves rows of\n"
                   "schema sync in Postgres, produces to Kafka, and never gives up for a server that is away. Any number of\n"
                   "copies may run. SIGTERM: finishes its batch and exits 0.\n\nSettings (environment; NAME_FILE gives a file "
                   "that holds the value):\n");
    of_conf_help(OF_PROG_SCHEDULER, &b);
    of_buf_str(&b, "\nHTTP: /metrics (Prometheus), /livez, /readyz, /startupz.\nExit codes: 0 stopped as asked, 64 usage, 70 bug, "
                   "78 configuration.\n");
    fputs(of_buf_text(&b), stdout);
    of_buf_done(&b);
}

static bool is_live(void *arg)
{
    struct of_sched *s = arg;
    return of_mono_now().ms - atomic_load(&s->beat_ms) < LIVE_MS;
}

static bool is_ready(void *arg, char *why, size_t why_size)
{
    struct of_sched *s = arg;
    int state = atomic_load(&s->state);
    of_strcopy(why, why_size, of_sched_states[state]);
    return state == OF_SCHED_READY;
}

static int serve(const struct of_conf *conf)
{
    struct of_sched s = {.conf = conf, .stop = &stop_asked};
    struct of_probes probes = {.live = is_live, .ready = is_ready, .arg = &s};
    struct of_metrics_server *server = NULL;
    struct of_err err = OF_ERR_INIT;
    int port = 0;
    atomic_init(&s.beat_ms, of_mono_now().ms);
    atomic_init(&s.state, OF_SCHED_STARTING);
    of_sched_metrics(&s);
    if (of_metrics_serve(conf->http_address, (int)conf->http_port, &probes, &server, &port, &err) != OF_OK) {
        of_log_err(OF_LOG_ERROR, "scheduler.http", "cannot listen for metrics and probes", &err, NULL);
        return EXIT_CONFIG;
    }
    of_log(OF_LOG_INFO, "scheduler.started", "scheduler started", OF_I("port", port), OF_S("version", OF_VERSION));
    of_sched_run(&s);
    of_metrics_stop(server);
    of_log(OF_LOG_INFO, "scheduler.stopped", "scheduler stopped as asked");
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help();
        return EXIT_DONE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("openfaith-scheduler " OF_VERSION);
        return EXIT_DONE;
    }
    if (argc > 1) {
        fputs("openfaith-scheduler takes no arguments; see --help\n", stderr);
        return EXIT_USAGE_;
    }
    struct of_conf *conf = NULL;
    char *problems = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_conf_load(OF_PROG_SCHEDULER, &conf, &problems, &err) != OF_OK) {
        fputs(problems != NULL ? problems : err.msg, stderr);
        free(problems);
        return EXIT_CONFIG;
    }
    of_log_init("openfaith-scheduler", conf->log_level);
    catch_signals();
    int code = serve(conf);
    of_conf_free(conf);
    return code;
}

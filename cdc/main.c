/* SPDX-License-Identifier: Apache-2.0 */
/* openfaith-cdc: reads row changes from the WAL into Kafka. Any number of copies may run: one reads, the others wait. */

#include "cdc/cdc_int.h"
#include "common/base/buf.h"
#include "common/conf/conf.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"


#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_USAGE_ = 64, EXIT_BUG = 70, EXIT_CONFIG = 78 };
#define LIVE_MS 300000 /* the server decodes for long when it moves a slot that is far behind */

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
    of_buf_str(&b, "usage: openfaith-cdc [--help | --version]\n\n"
                   "Reads the changes of OpenFaith's tables from the replication slot and publishes those that a connection wants to\n"
                   "Kafka. Never gives up for a server that is away. One copy reads, any others wait and take over within\n"
                   "seconds. SIGTERM: what was published is acknowledged and confirmed; exits 0.\n\n"
                   "Settings (environment; NAME_FILE gives a file "
                   "that holds the value):\n");
    of_conf_help(OF_PROG_CDC, &b);
    of_buf_str(&b, "\nHTTP: /metrics (Prometheus), /livez, /readyz, /startupz.\nExit codes: 0 stopped as asked, 64 usage, 70 bug, "
                   "78 configuration.\n");
    fputs(of_buf_text(&b), stdout);
    of_buf_done(&b);
}

static bool is_live(void *arg)
{
    struct of_cdc *c = arg;
    return of_mono_now().ms - atomic_load(&c->beat_ms) < LIVE_MS;
}

static bool is_ready(void *arg, char *why, size_t why_size)
{
    struct of_cdc *c = arg;
    int state = atomic_load(&c->state);
    of_strcopy(why, why_size, of_cdc_states[state]);
    return state == OF_CDC_READY;
}

static int serve(const struct of_conf *conf)
{
    struct of_cdc c = {.conf = conf, .stop = &stop_asked};
    struct of_probes probes = {.live = is_live, .ready = is_ready, .arg = &c};
    struct of_metrics_server *server = NULL;
    struct of_err err = OF_ERR_INIT;
    int port = 0;
    atomic_init(&c.beat_ms, of_mono_now().ms);
    atomic_init(&c.state, OF_CDC_STARTING);
    of_cdc_metrics(&c);
    if (of_metrics_serve(conf->http_address, (int)conf->http_port, &probes, &server, &port, &err) != OF_OK) {
        of_log_err(OF_LOG_ERROR, "cdc.http", "cannot listen for metrics and probes", &err, NULL);
        return EXIT_CONFIG;
    }
    of_log(OF_LOG_INFO, "cdc.started", "change reader started", OF_I("port", port), OF_S("version", OF_VERSION));
    of_cdc_run(&c);
    of_metrics_stop(server);
    of_log(OF_LOG_INFO, "cdc.stopped", "change reader stopped as asked");
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help();
        return EXIT_DONE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("openfaith-cdc " OF_VERSION);
        return EXIT_DONE;
    }
    if (argc > 1) {
        fputs("openfaith-cdc takes no arguments; see --help\n", stderr);
        return EXIT_USAGE_;
    }
    struct of_conf *conf = NULL;
    char *problems = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_conf_load(OF_PROG_CDC, &conf, &problems, &err) != OF_OK) {
        fputs(problems != NULL ? problems : err.msg, stderr);
        free(problems);
        return EXIT_CONFIG;
    }
    of_log_init("openfaith-cdc", conf->log_level);
    catch_signals();
    int code = serve(conf);
    of_conf_free(conf);
    return code;
}

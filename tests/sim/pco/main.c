/* SPDX-License-Identifier: Apache-2.0 */
/* pco-sim: a Planning Center of one's own. See README.md. */
#include "church.h"
#include "server.h"
#include "write.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EXIT_USAGE = 64, EXIT_NO_PORT = 69 };

static const char usage[] =
    "pco-sim [--port 0] [--orgs K] [--people N] [--seed S] [--latency-ms L]\n"
    "        [--rate LIMIT/SECONDS|off] [--window fixed|sliding] [--ugly 0..1]\n"
    "        [--contacts MEAN] [--mark TEXT] [--threads 2] [--token-life SECONDS]\n"
    "        [--deep OFFSET/LIMIT] [--show-after-ms MS] [--show-all-late yes|no]\n"
    "        [--respell phone,email,state,name,blank] [--commit-ms MS] [--die-with-stdin]\n"
    "Simulates the Planning Center API on 127.0.0.1 for K churches; prints\n"
    "'listening 127.0.0.1:PORT' when ready; ends on SIGTERM or SIGINT.\n";

static bool parse_rate(const char *value)
{
    char *end = NULL;

    if (!strcmp(value, "off")) {
        sim_settings.limit_off = true;
        return true;
    }
    sim_settings.limit = strtoll(value, &end, 10);
    if (*end != '/') {
        return false;
    }
    return sim_parse_i64(end + 1, &sim_settings.period_s) && sim_settings.period_s > 0 &&
           sim_settings.limit > 0;
}

/* For example 30000/75: beyond offset 30,000 the limit is 75. */
static bool parse_deep(const char *value)
{
    char *end = NULL;

    sim_settings.deep_offset = strtoll(value, &end, 10);
    return *end == '/' && sim_parse_i64(end + 1, &sim_settings.deep_limit) &&
           sim_settings.deep_offset > 0 && sim_settings.deep_limit > 0;
}

static bool parse_share(const char *value, double *ret)
{
    char *end = NULL;

    *ret = strtod(value, &end);
    return end != value && !*end && *ret >= 0;
}

static bool parse_int(const char *value, int64_t from, int64_t to, int64_t *ret)
{
    return sim_parse_i64(value, ret) && *ret >= from && *ret <= to;
}

static bool set_option(const char *name, const char *value)
{
    struct sim_settings *s = &sim_settings;
    int64_t n = 0;
    bool ok = true;

    if (!strcmp(name, "--port")) {
        ok = parse_int(value, 0, 65535, &n);
        s->port = (int)n;
    } else if (!strcmp(name, "--orgs")) {
        ok = parse_int(value, 1, 100000, &n);
        s->orgs = (int)n;
    } else if (!strcmp(name, "--people")) {
        ok = parse_int(value, 0, 5000000, &s->people);
    } else if (!strcmp(name, "--seed")) {
        ok = parse_int(value, 0, INT64_MAX, &n);
        s->seed = (uint64_t)n;
    } else if (!strcmp(name, "--latency-ms")) {
        ok = parse_int(value, 0, 3600000, &s->latency_ms);
    } else if (!strcmp(name, "--rate")) {
        ok = parse_rate(value);
    } else if (!strcmp(name, "--deep")) {
        ok = parse_deep(value);
    } else if (!strcmp(name, "--respell")) {
        ok = sim_respell_parse(value, &s->respell);
    } else if (!strcmp(name, "--show-after-ms")) {
        ok = parse_int(value, 0, 3600000, &s->show_after_ms);
    } else if (!strcmp(name, "--show-all-late")) {
        s->show_all_late = !strcmp(value, "yes");
        ok = s->show_all_late || !strcmp(value, "no");
    } else if (!strcmp(name, "--commit-ms")) {
        ok = parse_int(value, 0, 3600000, &s->commit_ms);
    } else if (!strcmp(name, "--window")) {
        s->sliding = !strcmp(value, "sliding");
        ok = s->sliding || !strcmp(value, "fixed");
    } else if (!strcmp(name, "--ugly")) {
        ok = parse_share(value, &s->ugly) && s->ugly <= 1;
    } else if (!strcmp(name, "--contacts")) {
        ok = parse_share(value, &s->contacts) && s->contacts <= 5;
    } else if (!strcmp(name, "--mark")) {
        s->mark = value;
        ok = strlen(value) <= 64;
    } else if (!strcmp(name, "--threads")) {
        ok = parse_int(value, 1, 64, &n);
        s->threads = (int)n;
    } else if (!strcmp(name, "--token-life")) {
        ok = parse_int(value, 1, 10000000, &s->token_life_s);
    } else {
        return false;
    }
    return ok;
}

static bool parse_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--die-with-stdin")) {
            sim_settings.die_with_stdin = true;
        } else if (i + 1 >= argc || !set_option(argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "pco-sim: bad argument: %s\n%s", argv[i], usage);
            return false;
        } else {
            i++;
        }
    }
    return true;
}

static void raise_file_limit(void)
{
    struct rlimit lim;

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
}

/* Until a signal, or the end of stdin when that was asked for. */
static void wait_for_end(int signals)
{
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN},
                            {.fd = sim_settings.die_with_stdin ? STDIN_FILENO : -1,
                             .events = POLLIN}};
    char waste[512];

    for (;;) {
        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return;
        }
        if (fds[0].revents) {
            return;
        }
        if (fds[1].revents && read(STDIN_FILENO, waste, sizeof waste) <= 0) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    sigset_t set;
    int signals, port;

    if (argc == 2 && !strcmp(argv[1], "--help")) {
        (void)fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (!parse_arguments(argc, argv)) {
        return EXIT_USAGE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    raise_file_limit();
    sim_churches_init();
    if (signals < 0 || !sim_server_start(sim_settings.port, sim_settings.threads, &port)) {
        (void)fprintf(stderr, "pco-sim: cannot listen on 127.0.0.1:%d\n", sim_settings.port);
        return EXIT_NO_PORT;
    }
    (void)printf("listening 127.0.0.1:%d\n", port);
    (void)fflush(stdout);
    wait_for_end(signals);
    sim_server_stop();
    sim_churches_done();
    (void)close(signals);
    return EXIT_SUCCESS;
}

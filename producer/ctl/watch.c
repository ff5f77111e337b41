/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/view.h"

#include "common/time/time.h"
#include "producer/ctl/connection.h"

#include "openfaithctl_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 500
#define SAMPLES 20 /* of the rate: the last ten seconds */
#define BAR 40
#define N_STEPS 4  /* stage, match, create, populate */

/* Progress in record steps: each record passes four. */
struct progress {
    int64_t done, whole;
    bool guess; /* a total is not known yet */
};

struct watch {
    struct of_ctl *ctl;
    bool live; /* a terminal */
    int lines; /* of the card on the screen */
    struct {
        int64_t ms, done;
    } samples[SAMPLES];
    int n_samples;
    char *last; /* the line printed last */
};

static int64_t steps_before(const char *state)
{
    static const char *const steps[] = {"stage", "match", "create", "populate"};
    for (int i = 0; i < N_STEPS; i++) {
        if (strcmp(steps[i], state) == 0) {
            return i;
        }
    }
    return strcmp(state, "pending") == 0 ? 0 : N_STEPS;
}

static struct progress measure(const struct of_ctl_view *view)
{
    struct progress p = {.done = 0};
    for (size_t i = 0; i < view->n_rows; i++) {
        const struct of_status_row *row = &view->rows[i];
        int64_t before = steps_before(row->state);
        int64_t total = OF_MAX(row->total, row->processed);
        p.guess = p.guess || (row->total < 0 && before < N_STEPS);
        p.whole += total * N_STEPS;
        p.done += before == N_STEPS ? total * N_STEPS : before * total + OF_MIN(row->processed, total);
    }
    return p;
}

/* Record steps per second over the samples; 0 while there are too few. */
static double rate_of(struct watch *w, int64_t done)
{
    int64_t now = of_mono_now().ms;
    if (w->n_samples == SAMPLES) {
        memmove(&w->samples[0], &w->samples[1], sizeof w->samples[0] * (SAMPLES - 1));
        w->n_samples--;
    }
    w->samples[w->n_samples].ms = now;
    w->samples[w->n_samples++].done = done;
    int64_t span = now - w->samples[0].ms;
    return span < 900 ? 0 : (double)(done - w->samples[0].done) * 1000.0 / (double)span;
}

static void add_bar(struct of_buf *b, const struct progress *p)
{
    int64_t share = p->whole > 0 ? p->done * 1000 / p->whole : 0;
    of_buf_char(b, '[');
    for (int64_t i = 0; i < BAR; i++) {
        of_buf_char(b, i * 1000 < share * BAR ? '#' : '.');
    }
    of_buf_fmt(b, "] %lld.%lld %%", (long long)(share / 10), (long long)(share % 10));
}

static void add_estimate(struct of_buf *b, const struct progress *p, double rate)
{
    if (rate <= 0) {
        of_buf_str(b, "no progress in the last seconds");
        return;
    }
    of_buf_fmt(b, "%.0f records/s", rate / N_STEPS);
    if (p->guess) {
        of_buf_str(b, ", not all is counted yet");
    } else {
        double s = (double)(p->whole - p->done) / rate;
        of_buf_fmt(b, s < 120 ? ", about %.0f s left" : ", about %.0f min left", s < 120 ? s : s / 60);
    }
}

#define SILENT_S 10 /* a worker or scheduler that is there moves sooner */

/* The first of these that is so: nobody works, phases wait, their limit, single records. */
static void add_reason(struct of_buf *b, const struct of_pgres *res)
{
    int64_t limit = of_pgres_i64(res, 0, 0), work = of_pgres_i64(res, 0, 3);
    of_buf_str(b, "held back by: ");
    if (of_pgres_i64(res, 0, 5) > SILENT_S) {
        of_buf_fmt(b, "no scheduler has emitted its tasks for %lld s; does one run?", (long long)of_pgres_i64(res, 0, 5));
    } else if (of_pgres_i64(res, 0, 4) > SILENT_S) {
        of_buf_fmt(b, "no worker has moved it for %lld s; does one run?", (long long)of_pgres_i64(res, 0, 4));
    } else if (of_pgres_text(res, 0, 2)[0] != '\0') {
        of_buf_str(b, of_pgres_text(res, 0, 2));
    } else if (limit > 0) {
        of_buf_fmt(b, "their limit of %lld requests in %lld s", (long long)limit, (long long)of_pgres_i64(res, 0, 1));
    } else if (work > 0) {
        of_buf_fmt(b, "%lld records that wait for others or for their next try (openfaithctl work list)", (long long)work);
    } else {
        of_buf_str(b, "nothing");
    }
}

/* Why it is not faster: the connection's state, what phases wait for, the system's limit. */
static enum of_code add_holds(struct watch *w, const struct of_ctl_view *view, struct of_buf *b, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    if (strcmp(view->conn_state, "connected") != 0) {
        of_buf_fmt(b, "held back: %s", view->message);
        return OF_OK;
    }
    of_pg_arg_text(&args, view->org);
    of_pg_arg_text(&args, view->adapter);
    OF_TRY(of_pg_run(w->ctl->db, &of_sql_ctl_watch, &args, &res, err));
    add_reason(b, res);
    return OF_OK;
}

static void add_types(const struct of_ctl_view *view, struct of_buf *b)
{
    static const char *const headers[] = {"", "", "", NULL};
    OF_CLEANUP(of_table_freep) struct of_table *table = of_table_new(headers);
    for (size_t i = 0; i < view->n_rows; i++) {
        const struct of_status_row *row = &view->rows[i];
        char counts[64];
        if (row->total < 0) {
            snprintf(counts, sizeof counts, "%lld", (long long)row->processed);
        } else {
            snprintf(counts, sizeof counts, "%lld of %lld", (long long)row->processed, (long long)row->total);
        }
        of_table_cell(table, row->plural);
        of_table_cell(table, counts);
        const char *state = of_status_type_state(row);
        const char *prefix = "Initial Sync: ";
        of_table_cell(table, strncmp(state, prefix, strlen(prefix)) == 0 ? state + strlen(prefix) : state);
    }
    struct of_buf lines = OF_BUF_INIT(65536);
    of_table_write(table, "  ", &lines);
    const char *first = strchr(of_buf_text(&lines), '\n'); /* the headers are empty */
    of_buf_str(b, first != NULL ? first + 1 : "");
    of_buf_done(&lines);
}

static enum of_code draw(struct watch *w, const struct of_ctl_view *view, struct of_err *err)
{
    struct of_buf *out = &w->ctl->out;
    struct progress p = measure(view);
    double rate = rate_of(w, p.done);
    if (w->lines > 0) {
        of_buf_fmt(out, "\033[%dA\033[J", w->lines);
    }
    size_t from = out->len;
    of_ctl_say(out, "%s %s, %s: %s", view->org, view->adapter, view->mode, view->message);
    add_bar(out, &p);
    of_buf_str(out, "  ");
    add_estimate(out, &p, rate);
    of_buf_char(out, '\n');
    OF_TRY(add_holds(w, view, out, err));
    of_buf_char(out, '\n');
    add_types(view, out);
    w->lines = 0;
    for (size_t i = from; i < out->len; i++) {
        w->lines += out->data[i] == '\n';
    }
    of_ctl_flush(w->ctl);
    return OF_OK;
}

/* A line when something changed. */
static void print_line(struct watch *w, const struct of_ctl_view *view)
{
    struct of_buf line = OF_BUF_INIT(OF_CTL_OUT_MAX);
    if (w->ctl->json) {
        of_ctl_view_json(view, &line);
    } else {
        of_buf_str(&line, view->message);
    }
    if (!of_str_eq(w->last, of_buf_text(&line))) {
        char now[OF_TIME_TEXT];
        free(w->last);
        w->last = of_strdup(of_buf_text(&line));
        if (w->ctl->json) {
            of_buf_str(&w->ctl->out, w->last);
            of_buf_char(&w->ctl->out, '\n');
        } else {
            struct of_wall t = of_wall_now();
            t.us -= t.us % 1000000;
            of_ctl_say(&w->ctl->out, "%s %s %s: %s", of_time_format(t, now), view->org, view->adapter, w->last);
        }
        of_ctl_flush(w->ctl);
    }
    of_buf_done(&line);
}

static enum of_code look(struct watch *w, bool *ret_done, struct of_err *err)
{
    OF_CLEANUP(of_ctl_views_done) struct of_ctl_views v = {.n = 0};
    OF_TRY(of_ctl_views_load(w->ctl, w->ctl->words[0], w->ctl->words[1], &v, err));
    if (v.n == 0 || strcmp(v.views[0].conn_state, "disconnected") == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "%.80s is not connected to %.40s", w->ctl->words[0], w->ctl->words[1]);
    }
    if (w->live) {
        OF_TRY(draw(w, &v.views[0], err));
    } else {
        print_line(w, &v.views[0]);
    }
    *ret_done = strcmp(v.views[0].state, OF_STATUS_ACTIVE) == 0;
    return OF_OK;
}

enum of_code of_ctl_watch(struct of_ctl *ctl, struct of_err *err)
{
    struct watch w = {.ctl = ctl, .live = !ctl->json && isatty(STDOUT_FILENO) == 1};
    struct of_ctl_connection named = {.org = NULL};
    bool done = false;
    OF_TRY(of_ctl_connection_name(ctl, &named, err));
    enum of_code code = look(&w, &done, err);
    while (code == OF_OK && !done) {
        struct timespec ts = {.tv_nsec = LOOK_MS * 1000000L};
        nanosleep(&ts, NULL);
        code = look(&w, &done, err);
    }
    free(w.last);
    return code;
}

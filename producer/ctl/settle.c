/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/ctl.h"

#include "common/kafka/kafka.h"
#include "common/time/time.h"

#include "openfaithctl_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 300
#define LAG_MS 5000
#define TIMEOUT_S 300

/* Where each partition ended when Postgres first said that nothing is owed: what comes later is not waited for. */
struct marks {
    struct of_kafka_lag *parts;
    int n;
};

struct settle {
    struct of_ctl *ctl;
    const char *org;
    struct of_mono until;
    struct marks marks;
    int64_t wal_mark; /* where the WAL ended then, in bytes; 0: not asked yet */
    bool reader_behind; /* at the last look the change reader had not confirmed it */
    struct of_err kafka_err; /* why the broker could not be asked last time */
    struct of_kafka_lag *behind; /* partitions of the last look that are not consumed up to the marks */
    int n_behind;
};

static void settle_done(struct settle *s)
{
    free(s->marks.parts);
    free(s->behind);
}

static enum of_code owes(struct settle *s, bool *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, s->org);
    OF_TRY(of_pg_run(s->ctl->db, &of_sql_ctl_owes, &args, &res, err));
    *ret = of_pgres_bool(res, 0, 0);
    return OF_OK;
}

/* What was committed when Postgres first said that nothing is owed: the change reader has published it. */
static enum of_code is_read(struct settle *s, bool *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, s->ctl->conf->slot);
    if (s->wal_mark == 0) {
        of_pg_arg_null(&args, OF_PG_INT8);
    } else {
        of_pg_arg_int8(&args, s->wal_mark);
    }
    OF_TRY(of_pg_run(s->ctl->db, &of_sql_ctl_reader, &args, &res, err));
    *ret = of_pgres_bool(res, 0, 0);
    s->reader_behind = !*ret;
    if (s->wal_mark == 0) {
        s->wal_mark = of_pgres_i64(res, 0, 1);
    }
    return OF_OK;
}

static int64_t mark_of(const struct marks *m, const struct of_kafka_lag *part)
{
    for (int i = 0; i < m->n; i++) {
        if (m->parts[i].partition == part->partition && strcmp(m->parts[i].topic, part->topic) == 0) {
            return m->parts[i].high;
        }
    }
    return part->high;
}

/* True if the worker group has consumed everything up to the marks; sets the marks at the first look. */
static bool is_consumed(struct settle *s)
{
    static const char *const topics[] = {OF_TOPIC_LIVE, OF_TOPIC_BULK, OF_TOPIC_CHANGES};
    struct of_kafka_lag *parts = NULL;
    int n = 0;
    int wait_ms = (int)OF_MAX(OF_MIN(s->until.ms - of_mono_now().ms, LAG_MS), 500);
    free(s->behind);
    s->behind = NULL;
    s->n_behind = 0;
    if (of_kafka_group_lag(s->ctl->conf->kafka_brokers, OF_WORKER_GROUP, topics, OF_ARRAY_LEN(topics), wait_ms, &parts, &n,
                           &s->kafka_err) != OF_OK) {
        return false;
    }
    of_err_clear(&s->kafka_err);
    s->behind = of_calloc((size_t)n + 1, sizeof *parts);
    for (int i = 0; i < n; i++) {
        int64_t mark = mark_of(&s->marks, &parts[i]);
        if (mark > parts[i].low && parts[i].committed < mark) {
            s->behind[s->n_behind++] = parts[i];
        }
    }
    if (s->marks.parts == NULL) {
        s->marks = (struct marks){parts, n};
    } else {
        free(parts);
    }
    return s->n_behind == 0;
}

static void add_item(struct of_ctl *ctl, struct of_table *table, const char *org, const char *adapter, const char *what,
                     const char *how_many, const char *why, const char *since)
{
    if (ctl->json) {
        of_buf_char(&ctl->out, '{');
        of_ctl_json_text(&ctl->out, "org", org);
        of_ctl_json_text(&ctl->out, "adapter", adapter);
        of_ctl_json_text(&ctl->out, "what", what);
        int64_t count = 0;
        if (of_parse_i64(how_many, 0, INT64_MAX, &count)) {
            of_ctl_json_i64(&ctl->out, "count", count);
        } else {
            of_ctl_json_text(&ctl->out, "count", NULL);
        }
        of_ctl_json_text(&ctl->out, "why", why);
        of_ctl_json_text(&ctl->out, "since", since);
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, ',');
        return;
    }
    const char *const cells[] = {org, adapter, what, how_many, why, since};
    for (size_t i = 0; i < OF_ARRAY_LEN(cells); i++) {
        of_table_cell(table, cells[i]);
    }
}

static enum of_code list_owed(struct settle *s, struct of_table *table, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    struct of_ctl *ctl = s->ctl;
    of_pg_arg_text(&args, s->org);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_owed, &args, &res, err));
    for (int i = 0; i < of_pgres_rows(res); i++) {
        const char *state = of_pgres_text(res, i, 2);
        bool stopped = state[0] != '\0' && strcmp(state, "connected") != 0;
        char age[32];
        add_item(ctl, table, of_pgres_text(res, i, 0), of_pgres_text(res, i, 1), of_pgres_text(res, i, 3),
                 of_pgres_text(res, i, 4), stopped ? state : of_pgres_text_null(res, i, 5),
                 of_ctl_age(of_pgres_i64(res, i, 6), age));
    }
    for (int i = 0; i < s->n_behind; i++) {
        char what[200], count[32];
        snprintf(what, sizeof what, "topic %s partition %d", s->behind[i].topic, (int)s->behind[i].partition);
        snprintf(count, sizeof count, "%lld",
                 (long long)(mark_of(&s->marks, &s->behind[i]) - OF_MAX(s->behind[i].committed, s->behind[i].low)));
        add_item(ctl, table, NULL, NULL, what, count, "not consumed", NULL);
    }
    if (s->reader_behind) {
        add_item(ctl, table, NULL, NULL, "changes in the WAL", NULL, "not read", NULL);
    }
    if (s->kafka_err.code != OF_OK) {
        add_item(ctl, table, NULL, NULL, "topics", NULL, s->kafka_err.msg, NULL);
    }
    return OF_OK;
}

static enum of_code give_up(struct settle *s, struct of_err *err)
{
    static const char *const headers[] = {"ORG", "ADAPTER", "OWED", "COUNT", "WHY", "SINCE", NULL};
    OF_CLEANUP(of_table_freep) struct of_table *table = of_table_new(headers);
    if (s->ctl->json) {
        of_buf_str(&s->ctl->out, "{\"settled\":false,\"owed\":[");
    }
    OF_TRY(list_owed(s, table, err));
    if (s->ctl->json) {
        of_ctl_json_end(&s->ctl->out, ']');
        of_buf_str(&s->ctl->out, "}\n");
    } else {
        of_table_write(table, "", &s->ctl->out);
    }
    return of_err_set(err, OF_E_BUSY, "not settled in time");
}

static enum of_code wait_settled(struct settle *s, bool *ret_settled, struct of_err *err)
{
    for (;;) {
        bool more = false, read = false;
        OF_TRY(owes(s, &more, err));
        if (more) {
            free(s->marks.parts);
            s->marks = (struct marks){NULL, 0};
            s->wal_mark = 0;
        } else {
            OF_TRY(is_read(s, &read, err));
        }
        if (read && is_consumed(s)) {
            /* a message that was consumed meanwhile may have left something to do */
            OF_TRY(owes(s, &more, err));
            if (!more) {
                *ret_settled = true;
                return OF_OK;
            }
        }
        if (of_mono_now().ms >= s->until.ms) {
            return OF_OK;
        }
        struct timespec ts = {.tv_nsec = LOOK_MS * 1000000L};
        nanosleep(&ts, NULL);
    }
}

enum of_code of_ctl_settle(struct of_ctl *ctl, struct of_err *err)
{
    int64_t timeout = TIMEOUT_S;
    if (ctl->timeout != NULL && !of_parse_i64(ctl->timeout, 0, 86400, &timeout)) {
        return of_err_set(err, OF_E_INVALID, "--timeout: expected seconds, 0 to 86400");
    }
    OF_CLEANUP(settle_done) struct settle s = {.ctl = ctl, .org = ctl->n_words > 0 ? ctl->words[0] : NULL};
    bool settled = false;
    s.until.ms = of_mono_now().ms + timeout * 1000;
    OF_TRY(wait_settled(&s, &settled, err));
    if (!settled) {
        return give_up(&s, err);
    }
    of_buf_str(&ctl->out, ctl->json ? "{\"settled\":true,\"owed\":[]}\n" : "settled: nothing is in flight\n");
    return OF_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters: what they have in common, another try, giving up. */
#include "adapters/adapter.h"
#include "adapters/project.h"
#include "producer/ctl/entity.h"
#include "producer/ctl/list.h"

#include "openfaithctl_sql.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 500, ALL = 100000, INTENT_MAX = 4 * 1024 * 1024 };
enum { COL_ORG, COL_ADAPTER, COL_DIRECTION, COL_TYPE, COL_ID, COL_GEN = 12, COL_INTENT = 14 };

static const struct of_ctl_column dead_columns[] = {
    {"ORG", "org", OF_CTL_CELL_TEXT},           {"ADAPTER", "adapter", OF_CTL_CELL_TEXT},
    {"DIR", "direction", OF_CTL_CELL_TEXT},     {"TYPE", "type", OF_CTL_CELL_TEXT},
    {"ID", "id", OF_CTL_CELL_TEXT},             {"TRIES", "attempts", OF_CTL_CELL_NUMBER},
    {"CLASS", "class", OF_CTL_CELL_TEXT},       {"WORDS", "error", OF_CTL_CELL_TEXT},
    {"PLACE", "place", OF_CTL_CELL_TEXT},       {"SINCE", "since", OF_CTL_CELL_MOMENT},
    {NULL, "due", OF_CTL_CELL_MOMENT},          {NULL, "reason", OF_CTL_CELL_TEXT},
    {NULL, "generation", OF_CTL_CELL_NUMBER},   {"CAUSE", "cause", OF_CTL_CELL_TEXT},
};

/* 15m: a quarter of an hour ago; or a moment. */
static enum of_code read_since(const char *text, int64_t *ret_us, struct of_err *err)
{
    struct of_wall at;
    size_t len = strlen(text);
    int64_t n = 0;
    static const struct {
        char unit;
        int64_t s;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    for (size_t i = 0; i < OF_ARRAY_LEN(units) && len > 1; i++) {
        OF_CLEANUP(of_freep) char *digits = of_strndup(text, len - 1);
        if (text[len - 1] == units[i].unit && of_parse_i64(digits, 0, 100000, &n)) {
            *ret_us = of_wall_now().us - n * units[i].s * 1000000;
            return OF_OK;
        }
    }
    if (!of_time_parse(text, &at)) {
        return of_err_set(err, OF_E_INVALID, "--since: expected 30s, 15m, 2h, 3d or a moment like 2026-01-31T12:00:00Z");
    }
    *ret_us = at.us;
    return OF_OK;
}

static enum of_code load(struct of_ctl *ctl, const struct of_sql *sql, int64_t limit, struct of_pgres **ret, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t since = 0;
    of_pg_arg_text(&args, ctl->n_words > 0 ? ctl->words[0] : ctl->org);
    of_pg_arg_text(&args, ctl->adapter);
    of_pg_arg_text(&args, ctl->type);
    of_pg_arg_text(&args, ctl->record);
    of_pg_arg_text(&args, ctl->cause);
    if (ctl->since != NULL) {
        OF_TRY(read_since(ctl->since, &since, err));
        of_pg_arg_time(&args, since);
    } else {
        of_pg_arg_null(&args, OF_PG_TIMESTAMPTZ);
    }
    of_pg_arg_int8(&args, limit);
    return of_pg_run(ctl->db, sql, &args, ret, err);
}

enum of_code of_ctl_dlq_stats(struct of_ctl *ctl, struct of_err *err)
{
    static const struct of_ctl_column columns[] = {
        {"CAUSE", "cause", OF_CTL_CELL_TEXT},     {"CLASS", "class", OF_CTL_CELL_TEXT}, {"HOW MANY", "count", OF_CTL_CELL_NUMBER},
        {"ORGS", "orgs", OF_CTL_CELL_NUMBER},     {"TYPES", "types", OF_CTL_CELL_TEXT}, {"FOR EXAMPLE", "example", OF_CTL_CELL_TEXT},
        {"SINCE", "first", OF_CTL_CELL_MOMENT},   {"LAST", "last", OF_CTL_CELL_MOMENT},
    };
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    int64_t limit = 0;
    OF_TRY(of_ctl_limit(ctl, &limit, err));
    OF_TRY(load(ctl, &of_sql_ctl_dead_stats, limit, &res, err));
    of_ctl_list(ctl, columns, OF_ARRAY_LEN(columns), res, limit, "no dead letters");
    return OF_OK;
}

enum of_code of_ctl_dlq_list(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    int64_t limit = 0;
    OF_TRY(of_ctl_limit(ctl, &limit, err));
    OF_TRY(load(ctl, &of_sql_ctl_dead, limit, &res, err));
    of_ctl_list(ctl, dead_columns, OF_ARRAY_LEN(dead_columns), res, limit, "no dead letters");
    return OF_OK;
}

static char *why_json(const struct of_ctl *ctl)
{
    struct of_buf b = OF_BUF_INIT(4096);
    of_buf_char(&b, '{');
    of_ctl_json_text(&b, "by", of_ctl_who());
    of_ctl_json_text(&b, "reason", ctl->reason);
    of_ctl_json_end(&b, '}');
    char *text = of_strdup(of_buf_text(&b));
    of_buf_done(&b);
    return text;
}

/* Texts and numbers are people's; names of members and the shape are not. */
static void masked(struct of_buf *b, const struct of_json *n, bool unmask)
{
    bool object = of_json_type(n) == OF_JSON_OBJECT;
    if (unmask || (!object && of_json_type(n) != OF_JSON_ARRAY)) {
        bool value = of_json_type(n) == OF_JSON_STRING || of_json_type(n) == OF_JSON_NUMBER;
        if (value && !unmask) {
            of_buf_str(b, "\"***\"");
        } else {
            of_json_write(b, n);
        }
        return;
    }
    of_buf_char(b, object ? '{' : '[');
    for (const struct of_json *c = of_json_first(n); c != NULL; c = of_json_next(c)) {
        if (object) {
            of_buf_json_str(b, of_json_key(c));
            of_buf_char(b, ':');
        }
        masked(b, c, unmask);
        of_buf_str(b, of_json_next(c) != NULL ? "," : "");
    }
    of_buf_char(b, object ? '}' : ']');
}

static enum of_code payload(const struct of_ctl *ctl, const struct of_pgres *res, int row, struct of_buf *b, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *intent = NULL;
    if (of_pgres_is_null(res, row, COL_INTENT)) {
        of_buf_str(b, "null");
        return OF_OK;
    }
    OF_TRY(of_json_parse(of_pgres_text(res, row, COL_INTENT), of_pgres_len(res, row, COL_INTENT), INTENT_MAX, &intent, err));
    masked(b, intent, ctl->unmask);
    return OF_OK;
}

static enum of_code write_one(struct of_ctl *ctl, const struct of_pgres *res, int row, struct of_err *err)
{
    of_buf_char(&ctl->out, '{');
    for (int i = 0; i < (int)OF_ARRAY_LEN(dead_columns); i++) {
        of_ctl_cell_json(&ctl->out, &dead_columns[i], res, row, i);
    }
    of_buf_str(&ctl->out, "\"payload\":");
    OF_TRY(payload(ctl, res, row, &ctl->out, err));
    of_buf_str(&ctl->out, "}\n");
    return OF_OK;
}

/* Whoever looks at people's values stands in the journal, before anything is shown. */
static enum of_code note_unmasked(struct of_ctl *ctl, const struct of_pgres *res, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *orgs = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *adapters = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_freep) char *why = why_json(ctl);
    struct of_pgargs args = OF_PGARGS_INIT;
    if (!ctl->unmask || of_pgres_rows(res) == 0) {
        return OF_OK;
    }
    for (int row = 0; row < of_pgres_rows(res); row++) {
        of_pgarr_text(orgs, of_pgres_text(res, row, COL_ORG));
        of_pgarr_text(adapters, of_pgres_text(res, row, COL_ADAPTER));
    }
    of_pg_arg_array(&args, orgs);
    of_pg_arg_array(&args, adapters);
    of_pg_arg_text(&args, ctl->type);
    of_pg_arg_text(&args, ctl->record);
    of_pg_arg_jsonb(&args, why);
    return of_pg_run(ctl->db, &of_sql_ctl_dead_shown, &args, NULL, err);
}

enum of_code of_ctl_dlq_export(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    int64_t limit = ALL;
    if (ctl->limit != NULL) {
        OF_TRY(of_ctl_limit(ctl, &limit, err));
    }
    OF_TRY(load(ctl, &of_sql_ctl_dead, limit, &res, err));
    OF_TRY(note_unmasked(ctl, res, err));
    for (int row = 0; row < of_pgres_rows(res); row++) {
        OF_TRY(write_one(ctl, res, row, err));
    }
    return OF_OK;
}

enum of_code of_ctl_dlq_show(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    ctl->adapter = ctl->words[1];
    ctl->type = ctl->words[2];
    ctl->record = ctl->words[3];
    OF_TRY(load(ctl, &of_sql_ctl_dead, 2, &res, err));
    if (of_pgres_rows(res) == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "there is no such dead letter; openfaithctl dlq list shows them");
    }
    OF_TRY(note_unmasked(ctl, res, err));
    for (int row = 0; row < of_pgres_rows(res); row++) {
        if (ctl->json) {
            OF_TRY(write_one(ctl, res, row, err));
            continue;
        }
        for (int i = 0; i < (int)OF_ARRAY_LEN(dead_columns); i++) {
            char moment[OF_TIME_TEXT];
            const struct of_ctl_column *c = &dead_columns[i];
            const char *text = of_pgres_text(res, row, i);
            if (c->kind == OF_CTL_CELL_MOMENT) {
                text = of_time_format((struct of_wall){of_pgres_i64(res, row, i)}, moment);
            }
            of_ctl_say(&ctl->out, "%-11s %s", c->key, text[0] != '\0' ? text : "-");
        }
        struct of_buf b = OF_BUF_INIT(INTENT_MAX);
        enum of_code code = payload(ctl, res, row, &b, err);
        of_ctl_say(&ctl->out, "%-11s %s", "payload", of_buf_text(&b));
        of_buf_done(&b);
        OF_TRY(code);
    }
    return OF_OK;
}

/* --- replay and discard --- */

/* The keys of rows [from, to) that can be replayed (any can be discarded). */
struct keys {
    struct of_pgarr *part[5], *gens;
};

static void keys_done(struct keys *k)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(k->part); i++) {
        of_pgarr_free(k->part[i]);
    }
    of_pgarr_free(k->gens);
}

static bool is_message(const struct of_pgres *res, int row)
{
    return strcmp(of_pgres_text(res, row, COL_DIRECTION), "msg") == 0;
}

/* A create whose answer was lost. */
static bool is_begun(const struct of_pgres *res, int row)
{
    return strcmp(of_pgres_text(res, row, COL_DIRECTION), "out") == 0 && !of_pgres_is_null(res, row, COL_INTENT);
}

static struct keys keys_of(const struct of_pgres *res, int from, int to, bool replay)
{
    struct keys k = {.gens = of_pgarr_new(OF_PG_INT8)};
    for (int c = COL_ORG; c <= COL_ID; c++) {
        k.part[c] = of_pgarr_new(OF_PG_TEXT);
        for (int row = from; row < to; row++) {
            if (!replay || !is_message(res, row)) {
                of_pgarr_text(k.part[c], of_pgres_text(res, row, c));
            }
        }
    }
    for (int row = from; row < to; row++) {
        if (!replay || !is_message(res, row)) {
            of_pgarr_int8(k.gens, of_pgres_i64(res, row, COL_GEN));
        }
    }
    return k;
}

/* One batch is one transaction: a kill between two leaves the rest dead, and the next call goes on with it. */
static enum of_code act(struct of_ctl *ctl, const struct of_sql *sql, const struct of_pgres *res, int from, int to, const char *why,
                        int64_t *ret_n, struct of_err *err)
{
    OF_CLEANUP(keys_done) struct keys k = keys_of(res, from, to, sql == &of_sql_ctl_dead_replay);
    struct of_pgargs args = OF_PGARGS_INIT;
    for (size_t i = 0; i < OF_ARRAY_LEN(k.part); i++) {
        of_pg_arg_array(&args, k.part[i]);
    }
    of_pg_arg_array(&args, k.gens);
    of_pg_arg_jsonb(&args, why);
    return of_pg_run_count(ctl->db, sql, &args, ret_n, err);
}

/* Names of fields from of_project_diff() for people: a, b, c. */
static char *listed(const struct of_buf *names)
{
    char *text = of_strdup(of_buf_text(names));
    size_t len = strlen(text);
    struct of_buf b = OF_BUF_INIT(65536);
    for (size_t i = 0; i + 1 < len; i++) { /* each ends with a line feed, the last one too */
        if (text[i] == '\n') {
            of_buf_str(&b, ", ");
        } else {
            of_buf_char(&b, text[i]);
        }
    }
    free(text);
    text = of_strdup(of_buf_text(&b));
    of_buf_done(&b);
    return text;
}

/* The fields of an entity that a push would send now; relations are looked up by workers only. NULL: that cannot be said here (the
 * parts of a record that are none of their own, or a role that may not read OpenFaith's tables). */
static enum of_code differing(struct of_ctl *ctl, const char *org, const char *adapter, const char *id, const struct of_pgres *link,
                              char **ret, struct of_err *err)
{
    OF_CLEANUP(of_ctl_entity_done) struct of_ctl_entity e = {.model = NULL};
    const struct of_adapter *a = of_adapter_find(adapter);
    const struct of_type *t = a != NULL ? of_type_find(a, of_pgres_text(link, 0, 0)) : NULL;
    if (t == NULL || t->kind != OF_KIND_ENTITY || strchr(id, '|') != NULL) {
        return OF_OK;
    }
    enum of_code code = of_ctl_entity_load(ctl, org, id, false, &e, err);
    if (code == OF_E_NOT_FOUND || strcmp(err->sqlstate, "42501") == 0 || (code == OF_OK && e.deleted)) {
        *ret = code == OF_OK || code == OF_E_NOT_FOUND ? of_strdup("it is deleted here") : NULL;
        of_err_clear(err);
        return OF_OK;
    }
    OF_TRY(code);
    struct of_buf ours = OF_BUF_INIT(INTENT_MAX), body = OF_BUF_INIT(INTENT_MAX), names = OF_BUF_INIT(65536);
    OF_CLEANUP(of_json_freep) struct of_json *seen = of_ctl_json(of_pgres_text_null(link, 0, 6));
    OF_CLEANUP(of_json_freep) struct of_json *agreed = of_ctl_json(of_pgres_text_null(link, 0, 7));
    int n = 0;
    of_project(&(struct of_project_in){.adapter = a, .type = t, .row = e.row}, &ours);
    OF_CLEANUP(of_json_freep) struct of_json *now = of_ctl_json(of_buf_text(&ours));
    of_project_diff(a, t, now, seen, agreed, false, &body, &n, &names);
    *ret = n > 0 ? listed(&names) : of_strdup("no field");
    of_buf_done(&ours);
    of_buf_done(&body);
    of_buf_done(&names);
    return OF_OK;
}

/* What a replay would look at, and what differs now. */
static enum of_code foretell(struct of_ctl *ctl, const struct of_pgres *dead, int row, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    for (int c = COL_ORG; c <= COL_ID; c++) {
        of_pg_arg_text(&args, of_pgres_text(dead, row, c));
    }
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_dead_state, &args, &res, err));
    bool in = strcmp(of_pgres_text(dead, row, COL_DIRECTION), "in") == 0;
    bool known = of_pgres_rows(res) > 0;
    const char *state = known ? of_pgres_text(res, 0, 2) : NULL;
    const char *entity = known ? of_pgres_text_null(res, 0, 4) : NULL;
    const char *staged = known ? of_pgres_text_null(res, 0, 5) : NULL;
    OF_CLEANUP(of_freep) char *here = NULL;
    OF_CLEANUP(of_freep) char *there = NULL;
    if (is_message(dead, row)) {
        here = of_strdup("nothing: a message that cannot be understood can only be discarded");
        there = of_strdup("nothing");
    } else if (in) {
        here = entity == NULL ? of_strdup("it is read again; may be matched or made")
               : staged == NULL ? of_asprintf("it is read again; %s may change", entity)
                                : of_asprintf("it is read again; %s: %s", entity, staged);
        there = of_strdup("nothing");
    } else {
        OF_CLEANUP(of_freep) char *fields = NULL;
        if (known) {
            OF_TRY(differing(ctl, of_pgres_text(dead, row, COL_ORG), of_pgres_text(dead, row, COL_ADAPTER),
                             of_pgres_text(dead, row, COL_ID), res, &fields, err));
        }
        here = of_strdup("nothing but the link");
        there = is_begun(dead, row) ? of_strdup("it may have been made: that is looked for first")
                : known ? of_asprintf("%s %s: what differs now is sent%s%s", of_pgres_text(res, 0, 0), of_pgres_text(res, 0, 1),
                                      fields != NULL ? ": " : "", fields != NULL ? fields : "")
                        : of_strdup("it may be made");
    }
    if (ctl->json) {
        of_buf_char(&ctl->out, '{');
        for (int c = COL_ORG; c <= COL_ID; c++) {
            of_ctl_cell_json(&ctl->out, &dead_columns[c], dead, row, c);
        }
        of_ctl_json_text(&ctl->out, "link", state);
        of_ctl_json_text(&ctl->out, "entity", entity);
        of_ctl_json_text(&ctl->out, "here", here);
        of_ctl_json_text(&ctl->out, "there", there);
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, '\n');
        return OF_OK;
    }
    of_ctl_say(&ctl->out, "%s %s %s %s/%s (link: %s)\n  here:  %s\n  there: %s", of_pgres_text(dead, row, COL_ORG),
               of_pgres_text(dead, row, COL_ADAPTER), of_pgres_text(dead, row, COL_DIRECTION), of_pgres_text(dead, row, COL_TYPE),
               of_pgres_text(dead, row, COL_ID), state != NULL ? state : "none", here, there);
    return OF_OK;
}

/* What was done, and with which of those that were found nothing could be done. */
static void report(struct of_ctl *ctl, const struct of_sql *sql, const struct of_pgres *res, int64_t done, int64_t limit,
                   const char *done_word)
{
    int rows = of_pgres_rows(res), messages = 0, begun = 0;
    bool replay = sql == &of_sql_ctl_dead_replay;
    for (int row = 0; row < rows; row++) {
        messages += replay && is_message(res, row);
        begun += !replay && is_begun(res, row);
    }
    if (ctl->json && !ctl->dry_run) {
        of_buf_char(&ctl->out, '{');
        of_ctl_json_i64(&ctl->out, done_word, done);
        of_ctl_json_i64(&ctl->out, "found", rows);
        if (begun > 0) {
            of_ctl_json_i64(&ctl->out, "maybeMadeThere", begun);
        }
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, '\n');
        return;
    }
    if (ctl->json) {
        return;
    }
    if (ctl->dry_run) {
        of_ctl_say(&ctl->out, "%d dead letters would be %s", rows - messages - begun, done_word);
    } else {
        of_ctl_say(&ctl->out, "%lld of %d dead letters %s", (long long)done, rows, done_word);
    }
    if (messages > 0) {
        of_ctl_say(&ctl->out, "%d are messages that cannot be understood: they can only be discarded", messages);
    }
    if (begun > 0) {
        of_ctl_say(&ctl->out, "%d may have been made there, and only the letter says so: they stay; replay looks for what was made", begun);
    }
    if (rows == limit) {
        of_ctl_say(&ctl->out, "that is as many as one call takes: there may be more, run it again");
    }
}

static enum of_code each(struct of_ctl *ctl, const struct of_sql *sql, const char *done_word, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_freep) char *why = why_json(ctl);
    int64_t limit = ALL;
    int64_t rate = 0;
    int64_t done = 0;
    if (ctl->limit != NULL) {
        OF_TRY(of_ctl_limit(ctl, &limit, err));
    }
    if (ctl->rate != NULL && !of_parse_i64(ctl->rate, 1, 1000000, &rate)) {
        return of_err_set(err, OF_E_INVALID, "--rate: expected how many in a second");
    }
    OF_TRY(load(ctl, &of_sql_ctl_dead, limit, &res, err));
    int rows = of_pgres_rows(res);
    for (int row = 0; row < rows && ctl->dry_run; row++) {
        OF_TRY(foretell(ctl, res, row, err));
    }
    int step = rate > 0 ? (int)OF_MIN(rate, (int64_t)BATCH) : BATCH;
    for (int row = 0; row < rows && !ctl->dry_run; row += step) {
        int64_t n = 0;
        OF_TRY(act(ctl, sql, res, row, OF_MIN(row + step, rows), why, &n, err));
        done += n;
        if (rate > 0 && row + step < rows) {
            int64_t ns = (int64_t)step * 1000000000 / rate;
            const struct timespec pause = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
            nanosleep(&pause, NULL);
        }
    }
    report(ctl, sql, res, done, limit, done_word);
    return OF_OK;
}

enum of_code of_ctl_dlq_replay(struct of_ctl *ctl, struct of_err *err)
{
    return each(ctl, &of_sql_ctl_dead_replay, "replayed", err);
}

enum of_code of_ctl_dlq_discard(struct of_ctl *ctl, struct of_err *err)
{
    if (!ctl->dry_run && (ctl->reason == NULL || ctl->reason[0] == '\0')) {
        return of_err_set(err, OF_E_INVALID, "discard needs --reason: it stands in the journal");
    }
    return each(ctl, &of_sql_ctl_dead_discard, "discarded", err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/ctl.h"

#include "common/time/time.h"

#include "openfaithctl_sql.h"

#include <stdio.h>
#include <string.h>

#define LIMIT 100
#define LIMIT_MAX 100000

static enum of_code read_limit(const struct of_ctl *ctl, int64_t *ret, struct of_err *err)
{
    *ret = LIMIT;
    if (ctl->limit != NULL && !of_parse_i64(ctl->limit, 1, LIMIT_MAX, ret)) {
        return of_err_set(err, OF_E_INVALID, "--limit: expected 1 to %d", LIMIT_MAX);
    }
    return OF_OK;
}

/* A column of a list: what it is called for people (NULL: not shown) and in JSON, and what it holds. */
enum cell { CELL_TEXT, CELL_NUMBER, CELL_MOMENT };
struct column {
    const char *header, *key;
    enum cell kind;
};

static void write_json_cell(struct of_buf *b, const struct column *c, const struct of_pgres *res, int row, int col)
{
    char buf[OF_TIME_TEXT];
    if (of_pgres_is_null(res, row, col)) {
        of_ctl_json_text(b, c->key, NULL);
    } else if (c->kind == CELL_NUMBER) {
        of_ctl_json_i64(b, c->key, of_pgres_i64(res, row, col));
    } else if (c->kind == CELL_MOMENT) {
        of_ctl_json_text(b, c->key, of_time_format((struct of_wall){of_pgres_i64(res, row, col)}, buf));
    } else {
        of_ctl_json_text(b, c->key, of_pgres_text(res, row, col));
    }
}

static void write_json(struct of_ctl *ctl, const struct column *columns, int n, const struct of_pgres *res)
{
    of_buf_char(&ctl->out, '[');
    for (int row = 0; row < of_pgres_rows(res); row++) {
        of_buf_char(&ctl->out, '{');
        for (int i = 0; i < n; i++) {
            write_json_cell(&ctl->out, &columns[i], res, row, i);
        }
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, ',');
    }
    of_ctl_json_end(&ctl->out, ']');
    of_buf_char(&ctl->out, '\n');
}

static void write_table(struct of_ctl *ctl, const struct column *columns, int n, const struct of_pgres *res)
{
    const char *headers[OF_PG_MAX_ARGS] = {NULL};
    int shown = 0;
    for (int i = 0; i < n; i++) {
        if (columns[i].header != NULL) {
            headers[shown++] = columns[i].header;
        }
    }
    OF_CLEANUP(of_table_freep) struct of_table *table = of_table_new(headers);
    for (int row = 0; row < of_pgres_rows(res); row++) {
        for (int i = 0; i < n; i++) {
            char age[32];
            if (columns[i].header != NULL) {
                of_table_cell(table, columns[i].kind == CELL_MOMENT ? of_ctl_age(of_pgres_i64(res, row, i), age)
                                                                     : of_pgres_text(res, row, i));
            }
        }
    }
    of_table_write(table, "", &ctl->out);
}

static void write_list(struct of_ctl *ctl, const struct column *columns, int n, const struct of_pgres *res, int64_t limit,
                       const char *none)
{
    if (ctl->json) {
        write_json(ctl, columns, n, res);
    } else if (of_pgres_rows(res) == 0) {
        of_ctl_say(&ctl->out, "%s", none);
    } else {
        write_table(ctl, columns, n, res);
        if (of_pgres_rows(res) == limit) {
            of_ctl_say(&ctl->out, "(the first %lld; --limit shows more)", (long long)limit);
        }
    }
}

enum of_code of_ctl_work_list(struct of_ctl *ctl, struct of_err *err)
{
    static const struct column columns[] = {
        {"ORG", "org", CELL_TEXT},       {"ADAPTER", "adapter", CELL_TEXT},  {"DIR", "direction", CELL_TEXT},
        {"TYPE", "type", CELL_TEXT},     {"ID", "id", CELL_TEXT},            {"STATE", "state", CELL_TEXT},
        {"TRIES", "attempts", CELL_NUMBER}, {"WHY", "why", CELL_TEXT},       {"WAITS FOR", "waitsFor", CELL_TEXT},
        {"SINCE", "since", CELL_MOMENT}, {NULL, "due", CELL_MOMENT},
    };
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t limit = 0;
    OF_TRY(read_limit(ctl, &limit, err));
    of_pg_arg_text(&args, ctl->n_words > 0 ? ctl->words[0] : NULL);
    of_pg_arg_int8(&args, limit);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_work, &args, &res, err));
    write_list(ctl, columns, OF_ARRAY_LEN(columns), res, limit, "nothing waits");
    return OF_OK;
}

static const struct column dead_columns[] = {
    {"ORG", "org", CELL_TEXT},      {"ADAPTER", "adapter", CELL_TEXT},     {"DIR", "direction", CELL_TEXT},
    {"TYPE", "type", CELL_TEXT},    {"ID", "id", CELL_TEXT},               {"TRIES", "attempts", CELL_NUMBER},
    {"CLASS", "class", CELL_TEXT},  {"CAUSE", "cause", CELL_TEXT},         {"PLACE", "place", CELL_TEXT},
    {"SINCE", "since", CELL_MOMENT}, {NULL, "due", CELL_MOMENT},           {NULL, "reason", CELL_TEXT},
    {NULL, "generation", CELL_NUMBER},
};

static enum of_code load_dead(struct of_ctl *ctl, const char *org, int64_t limit, const char *adapter, const char *type,
                              const char *id, struct of_pgres **ret, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_int8(&args, limit);
    of_pg_arg_text(&args, adapter);
    of_pg_arg_text(&args, type);
    of_pg_arg_text(&args, id);
    return of_pg_run(ctl->db, &of_sql_ctl_dead, &args, ret, err);
}

enum of_code of_ctl_dlq_list(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    int64_t limit = 0;
    OF_TRY(read_limit(ctl, &limit, err));
    OF_TRY(load_dead(ctl, ctl->n_words > 0 ? ctl->words[0] : NULL, limit, NULL, NULL, NULL, &res, err));
    write_list(ctl, dead_columns, OF_ARRAY_LEN(dead_columns), res, limit, "no dead letters");
    return OF_OK;
}

enum of_code of_ctl_dlq_show(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(load_dead(ctl, ctl->words[0], 2, ctl->words[1], ctl->words[2], ctl->words[3], &res, err));
    if (of_pgres_rows(res) == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "there is no such dead letter; openfaithctl dlq list shows them");
    }
    for (int row = 0; row < of_pgres_rows(res); row++) {
        for (int i = 0; i < (int)OF_ARRAY_LEN(dead_columns) && !ctl->json; i++) {
            char moment[OF_TIME_TEXT];
            const struct column *c = &dead_columns[i];
            const char *text = of_pgres_text(res, row, i);
            if (c->kind == CELL_MOMENT) {
                text = of_time_format((struct of_wall){of_pgres_i64(res, row, i)}, moment);
            }
            of_ctl_say(&ctl->out, "%-11s %s", c->key, text[0] != '\0' ? text : "-");
        }
    }
    if (ctl->json) {
        write_json(ctl, dead_columns, OF_ARRAY_LEN(dead_columns), res);
    }
    return OF_OK;
}

/* Rows of one review stand together; the candidates are columns 10 to 12. */
static void review_json(struct of_ctl *ctl, const struct column *columns, int n, const struct of_pgres *res)
{
    of_buf_char(&ctl->out, '[');
    for (int row = 0; row < of_pgres_rows(res);) {
        int64_t id = of_pgres_i64(res, row, 0);
        of_buf_char(&ctl->out, '{');
        for (int i = 0; i < n; i++) {
            write_json_cell(&ctl->out, &columns[i], res, row, i);
        }
        of_buf_str(&ctl->out, "\"candidates\":[");
        for (; row < of_pgres_rows(res) && of_pgres_i64(res, row, 0) == id; row++) {
            if (of_pgres_is_null(res, row, n)) {
                continue;
            }
            of_buf_char(&ctl->out, '{');
            of_ctl_json_text(&ctl->out, "entityId", of_pgres_text(res, row, n));
            of_ctl_json_i64(&ctl->out, "score", of_pgres_i64(res, row, n + 1));
            of_ctl_json_text(&ctl->out, "reasons", of_pgres_text(res, row, n + 2));
            of_ctl_json_end(&ctl->out, '}');
            of_buf_char(&ctl->out, ',');
        }
        of_ctl_json_end(&ctl->out, ']');
        of_buf_str(&ctl->out, "},");
    }
    of_ctl_json_end(&ctl->out, ']');
    of_buf_char(&ctl->out, '\n');
}

enum of_code of_ctl_review_list(struct of_ctl *ctl, struct of_err *err)
{
    static const struct column columns[] = {
        {"REVIEW", "review", CELL_NUMBER},    {"ORG", "org", CELL_TEXT},         {"ADAPTER", "adapter", CELL_TEXT},
        {"KIND", "kind", CELL_TEXT},          {"TYPE", "type", CELL_TEXT},       {"ID", "id", CELL_TEXT},
        {NULL, "entityType", CELL_TEXT},      {"ENTITY", "entityId", CELL_TEXT}, {"FIELD", "field", CELL_TEXT},
        {"SINCE", "since", CELL_MOMENT},      {"CANDIDATE", "", CELL_TEXT},      {"SCORE", "", CELL_NUMBER},
        {"BECAUSE OF", "", CELL_TEXT},
    };
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t limit = 0;
    OF_TRY(read_limit(ctl, &limit, err));
    of_pg_arg_text(&args, ctl->n_words > 0 ? ctl->words[0] : NULL);
    of_pg_arg_int8(&args, limit);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_review, &args, &res, err));
    if (ctl->json) {
        review_json(ctl, columns, 10, res);
    } else {
        write_list(ctl, columns, OF_ARRAY_LEN(columns), res, -1, "nothing waits for a decision");
    }
    return OF_OK;
}

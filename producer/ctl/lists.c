/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/list.h"

#include "openfaithctl_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 100
#define LIMIT_MAX 100000

enum of_code of_ctl_limit(const struct of_ctl *ctl, int64_t *ret, struct of_err *err)
{
    *ret = LIMIT;
    if (ctl->limit != NULL && !of_parse_i64(ctl->limit, 1, LIMIT_MAX, ret)) {
        return of_err_set(err, OF_E_INVALID, "--limit: expected 1 to %d", LIMIT_MAX);
    }
    return OF_OK;
}

void of_ctl_cell_json(struct of_buf *b, const struct of_ctl_column *c, const struct of_pgres *res, int row, int col)
{
    char buf[OF_TIME_TEXT];
    if (of_pgres_is_null(res, row, col)) {
        of_ctl_json_text(b, c->key, NULL);
    } else if (c->kind == OF_CTL_CELL_NUMBER) {
        of_ctl_json_i64(b, c->key, of_pgres_i64(res, row, col));
    } else if (c->kind == OF_CTL_CELL_MOMENT) {
        of_ctl_json_text(b, c->key, of_time_format((struct of_wall){of_pgres_i64(res, row, col)}, buf));
    } else if (c->kind == OF_CTL_CELL_RAW) {
        of_buf_json_str(b, c->key);
        of_buf_fmt(b, ":%s,", of_pgres_text(res, row, col));
    } else {
        of_ctl_json_text(b, c->key, of_pgres_text(res, row, col));
    }
}

void of_ctl_list_json(struct of_ctl *ctl, const struct of_ctl_column *columns, int n, const struct of_pgres *res)
{
    of_buf_char(&ctl->out, '[');
    for (int row = 0; row < of_pgres_rows(res); row++) {
        of_buf_char(&ctl->out, '{');
        for (int i = 0; i < n; i++) {
            of_ctl_cell_json(&ctl->out, &columns[i], res, row, i);
        }
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, ',');
    }
    of_ctl_json_end(&ctl->out, ']');
    of_buf_char(&ctl->out, '\n');
}

static void write_table(struct of_ctl *ctl, const struct of_ctl_column *columns, int n, const struct of_pgres *res)
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
                of_table_cell(table, columns[i].kind == OF_CTL_CELL_MOMENT ? of_ctl_age(of_pgres_i64(res, row, i), age)
                                                                     : of_pgres_text(res, row, i));
            }
        }
    }
    of_table_write(table, "", &ctl->out);
}

void of_ctl_list(struct of_ctl *ctl, const struct of_ctl_column *columns, int n, const struct of_pgres *res, int64_t limit,
                       const char *none)
{
    if (ctl->json) {
        of_ctl_list_json(ctl, columns, n, res);
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
    static const struct of_ctl_column columns[] = {
        {"ORG", "org", OF_CTL_CELL_TEXT},       {"ADAPTER", "adapter", OF_CTL_CELL_TEXT},  {"DIR", "direction", OF_CTL_CELL_TEXT},
        {"TYPE", "type", OF_CTL_CELL_TEXT},     {"ID", "id", OF_CTL_CELL_TEXT},            {"STATE", "state", OF_CTL_CELL_TEXT},
        {"TRIES", "attempts", OF_CTL_CELL_NUMBER}, {"WHY", "why", OF_CTL_CELL_TEXT},       {"WAITS FOR", "waitsFor", OF_CTL_CELL_TEXT},
        {"SINCE", "since", OF_CTL_CELL_MOMENT}, {NULL, "due", OF_CTL_CELL_MOMENT},
    };
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t limit = 0;
    OF_TRY(of_ctl_limit(ctl, &limit, err));
    of_pg_arg_text(&args, ctl->n_words > 0 ? ctl->words[0] : ctl->org);
    of_pg_arg_int8(&args, limit);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_work, &args, &res, err));
    of_ctl_list(ctl, columns, OF_ARRAY_LEN(columns), res, limit, "nothing waits");
    return OF_OK;
}

const char *of_ctl_who(void)
{
    const char *who = getenv("SUDO_USER");
    who = who != NULL && who[0] != '\0' ? who : getenv("USER");
    return who != NULL && who[0] != '\0' ? who : "openfaithctl";
}

/* The journal says who let how many of what go on. */
static enum of_code note(struct of_ctl *ctl, const char *rule, int64_t n, struct of_err *err)
{
    struct of_buf b = OF_BUF_INIT(4096);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_buf_char(&b, '{');
    of_ctl_json_text(&b, "by", of_ctl_who());
    of_ctl_json_i64(&b, "count", n);
    of_ctl_json_end(&b, '}');
    of_pg_arg_text(&args, ctl->words[0]);
    of_pg_arg_text(&args, ctl->adapter != NULL ? ctl->adapter : "");
    of_pg_arg_text(&args, NULL);
    of_pg_arg_text(&args, NULL);
    of_pg_arg_text(&args, ctl->type);
    of_pg_arg_text(&args, ctl->record);
    of_pg_arg_text(&args, NULL);
    of_pg_arg_null(&args, OF_PG_JSONB);
    of_pg_arg_jsonb(&args, of_buf_text(&b));
    of_pg_arg_text(&args, rule);
    enum of_code code = of_pg_run(ctl->db, &of_sql_ctl_journal, &args, NULL, err);
    of_buf_done(&b);
    return code;
}

static enum of_code act(struct of_ctl *ctl, const struct of_sql *sql, const char *words, const char *rule, struct of_err *err)
{
    int64_t n = 0;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, ctl->words[0]);
    of_pg_arg_text(&args, ctl->adapter);
    of_pg_arg_text(&args, ctl->type);
    of_pg_arg_text(&args, ctl->record);
    OF_TRY(of_pg_begin(ctl->db, err));
    enum of_code code = of_pg_run_count(ctl->db, sql, &args, &n, err);
    code = code == OF_OK && n > 0 ? note(ctl, rule, n, err) : code;
    code = code == OF_OK ? of_pg_commit(ctl->db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(ctl->db);
        return code;
    }
    if (ctl->json) {
        of_buf_fmt(&ctl->out, "{\"count\":%lld}\n", (long long)n);
    } else {
        of_ctl_say(&ctl->out, "%lld %s", (long long)n, words);
    }
    return OF_OK;
}

enum of_code of_ctl_work_retry(struct of_ctl *ctl, struct of_err *err)
{
    return act(ctl, &of_sql_ctl_work_retry, "are tried now", "work retried", err);
}

enum of_code of_ctl_work_release(struct of_ctl *ctl, struct of_err *err)
{
    return act(ctl, &of_sql_ctl_work_release, "go on", "work released", err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/view.h"

#include "openfaithctl_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_row(struct of_ctl_view *view, const struct of_pgres *res, int row)
{
    if (of_pgres_is_null(res, row, 5)) {
        return; /* a connection without types */
    }
    view->rows = of_reallocarray(view->rows, view->n_rows + 1, sizeof *view->rows);
    view->last_poll = of_reallocarray(view->last_poll, view->n_rows + 1, sizeof *view->last_poll);
    view->rows[view->n_rows] = (struct of_status_row){
        .type = of_pgres_text(res, row, 5),
        .plural = of_pgres_text(res, row, 6),
        .state = of_pgres_text(res, row, 7),
        .processed = of_pgres_i64(res, row, 8),
        .total = of_pgres_is_null(res, row, 9) ? -1 : of_pgres_i64(res, row, 9),
        .error = of_pgres_text_null(res, row, 10),
    };
    view->last_poll[view->n_rows++] = of_pgres_text_null(res, row, 11);
}

static void add_words(struct of_ctl_view *view)
{
    struct of_buf message = OF_BUF_INIT(65536);
    view->state = of_strdup(of_status_connection(view->conn_state, view->reason, view->rows, view->n_rows, &message));
    view->message = of_strdup(of_buf_text(&message));
    of_buf_done(&message);
}

enum of_code of_ctl_views_load(struct of_ctl *ctl, const char *org, const char *adapter, struct of_ctl_views *ret,
                               struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    struct of_ctl_views v = {.n = 0};
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_status, &args, &v.res, err));
    for (int row = 0; row < of_pgres_rows(v.res); row++) {
        const char *row_org = of_pgres_text(v.res, row, 0), *row_adapter = of_pgres_text(v.res, row, 1);
        struct of_ctl_view *view = v.n > 0 ? &v.views[v.n - 1] : NULL;
        if (view == NULL || strcmp(view->org, row_org) != 0 || strcmp(view->adapter, row_adapter) != 0) {
            v.views = of_reallocarray(v.views, v.n + 1, sizeof *v.views);
            view = &v.views[v.n++];
            *view = (struct of_ctl_view){
                .org = row_org,
                .adapter = row_adapter,
                .mode = of_pgres_text(v.res, row, 2),
                .conn_state = of_pgres_text(v.res, row, 3),
                .reason = of_pgres_text_null(v.res, row, 4),
                .state_since_us = of_pgres_i64(v.res, row, 12),
            };
        }
        add_row(view, v.res, row);
    }
    for (size_t i = 0; i < v.n; i++) {
        add_words(&v.views[i]);
    }
    *ret = v;
    return OF_OK;
}

void of_ctl_views_done(struct of_ctl_views *v)
{
    for (size_t i = 0; i < v->n; i++) {
        free(v->views[i].rows);
        free(v->views[i].last_poll);
        free(v->views[i].state);
        free(v->views[i].message);
    }
    free(v->views);
    of_pgres_free(v->res);
    *v = (struct of_ctl_views){.n = 0};
}

static void type_json(const struct of_status_row *row, const char *last_poll, struct of_buf *b)
{
    struct of_buf message = OF_BUF_INIT(65536);
    of_status_type_message(row, &message);
    of_buf_char(b, '{');
    of_ctl_json_text(b, "type", row->type);
    of_ctl_json_text(b, "state", of_status_type_state(row));
    of_ctl_json_text(b, "message", of_buf_text(&message));
    of_ctl_json_i64(b, "processed", row->processed);
    if (row->total < 0) {
        of_buf_str(b, "\"total\":null,");
    } else {
        of_ctl_json_i64(b, "total", row->total);
    }
    of_ctl_json_text(b, "lastSuccessfulPollTimestamp", last_poll);
    of_ctl_json_end(b, '}');
    of_buf_done(&message);
}

void of_ctl_view_json(const struct of_ctl_view *view, struct of_buf *b)
{
    of_buf_char(b, '{');
    of_ctl_json_text(b, "org", view->org);
    of_ctl_json_text(b, "adapter", view->adapter);
    of_ctl_json_text(b, "mode", view->mode);
    of_ctl_json_text(b, "state", view->state);
    of_ctl_json_text(b, "message", view->message);
    of_buf_str(b, "\"entityTypes\":[");
    for (size_t i = 0; i < view->n_rows; i++) {
        type_json(&view->rows[i], view->last_poll[i], b);
        of_buf_char(b, ',');
    }
    of_ctl_json_end(b, ']');
    of_buf_char(b, '}');
}

static void print_types(const struct of_ctl_view *view, struct of_buf *out)
{
    static const char *const headers[] = {"TYPE", "DONE", "OF", "LAST POLL", "STATE", NULL};
    OF_CLEANUP(of_table_freep) struct of_table *table = of_table_new(headers);
    for (size_t i = 0; i < view->n_rows; i++) {
        const struct of_status_row *row = &view->rows[i];
        struct of_buf message = OF_BUF_INIT(65536);
        of_table_cell(table, row->type);
        of_table_cell_i64(table, row->processed);
        if (row->total < 0) {
            of_table_cell(table, NULL);
        } else {
            of_table_cell_i64(table, row->total);
        }
        of_table_cell(table, view->last_poll[i]);
        of_status_type_message(row, &message);
        of_table_cell(table, strcmp(row->state, "error") == 0 || row->error != NULL ? of_buf_text(&message) : of_status_type_state(row));
        of_buf_done(&message);
    }
    of_table_write(table, "  ", out);
}

static void print_people(struct of_ctl *ctl, const struct of_ctl_views *v, bool with_types)
{
    static const char *const headers[] = {"ORG", "ADAPTER", "MODE", "STATE", "FOR", "MESSAGE", NULL};
    OF_CLEANUP(of_table_freep) struct of_table *table = of_table_new(headers);
    for (size_t i = 0; i < v->n; i++) {
        const struct of_ctl_view *view = &v->views[i];
        char age[32];
        of_table_cell(table, view->org);
        of_table_cell(table, view->adapter);
        of_table_cell(table, view->mode);
        of_table_cell(table, view->state);
        of_table_cell(table, of_ctl_age(view->state_since_us, age));
        of_table_cell(table, strcmp(view->state, view->message) == 0 ? "" : view->message);
    }
    of_table_write(table, "", &ctl->out);
    for (size_t i = 0; i < v->n && with_types; i++) {
        of_buf_char(&ctl->out, '\n');
        if (v->n > 1) {
            of_ctl_say(&ctl->out, "%s:", v->views[i].adapter);
        }
        print_types(&v->views[i], &ctl->out);
    }
}

enum of_code of_ctl_status(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_ctl_views_done) struct of_ctl_views v = {.n = 0};
    const char *org = ctl->n_words > 0 ? ctl->words[0] : NULL;
    OF_TRY(of_ctl_views_load(ctl, org, NULL, &v, err));
    if (ctl->json) {
        of_buf_char(&ctl->out, '[');
        for (size_t i = 0; i < v.n; i++) {
            of_ctl_view_json(&v.views[i], &ctl->out);
            of_buf_char(&ctl->out, ',');
        }
        of_ctl_json_end(&ctl->out, ']');
        of_buf_char(&ctl->out, '\n');
    } else if (v.n == 0) {
        of_ctl_say(&ctl->out, org != NULL ? "%s is not connected" : "%snothing is connected yet; see openfaithctl connect --help",
                   org != NULL ? org : "");
    } else {
        print_people(ctl, &v, org != NULL);
    }
    return OF_OK;
}

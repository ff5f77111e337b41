/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/connection.h"

#include "common/task/task.h"

#include "openfaithctl_sql.h"

#include <stdlib.h>
#include <string.h>

static enum of_code check_org(const char *org, struct of_err *err)
{
    size_t len = strlen(org);
    bool bad = len == 0 || len > OF_TASK_ORG_MAX || !of_utf8_valid(org, len);
    for (size_t i = 0; i < len; i++) {
        bad = bad || (unsigned char)org[i] < 0x20 || org[i] == 0x7f;
    }
    if (bad) {
        return of_err_set(err, OF_E_INVALID, "ORG: 1 to %d bytes of UTF-8 without control characters", OF_TASK_ORG_MAX);
    }
    return OF_OK;
}

enum of_code of_ctl_connection_name(const struct of_ctl *ctl, struct of_ctl_connection *ret, struct of_err *err)
{
    OF_TRY(check_org(ctl->words[0], err));
    const struct of_adapter *adapter = of_adapter_find(ctl->words[1]);
    if (adapter == NULL) {
        struct of_buf names = OF_BUF_INIT(200);
        for (size_t i = 0; of_adapter_at(i) != NULL; i++) {
            of_buf_fmt(&names, "%s%s", i > 0 ? ", " : "", of_adapter_at(i)->name);
        }
        of_err_set(err, OF_E_INVALID, "there is no adapter \"%.40s\"; known: %s", ctl->words[1], of_buf_text(&names));
        of_buf_done(&names);
        return OF_E_INVALID;
    }
    *ret = (struct of_ctl_connection){.org = ctl->words[0], .adapter = adapter, .rate_n = -1, .rate_s = -1};
    return OF_OK;
}

void of_ctl_connection_done(struct of_ctl_connection *c)
{
    char **texts[] = {&c->mode, &c->strategy, &c->types, &c->base_url, &c->state, &c->reason, &c->field_strategies};
    for (size_t i = 0; i < OF_ARRAY_LEN(texts); i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
}

static void name_args(struct of_pgargs *args, const struct of_ctl_connection *c)
{
    of_pg_arg_text(args, c->org);
    of_pg_arg_text(args, c->adapter->name);
}

enum of_code of_ctl_connection_lock(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    name_args(&args, c);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_connection_lock, &args, &res, err));
    of_ctl_connection_done(c);
    c->exists = of_pgres_rows(res) > 0;
    if (!c->exists) {
        c->strategy = of_strdup("last_write_wins");
        c->state = of_strdup("disconnected");
        c->field_strategies = of_strdup("{}");
        return OF_OK;
    }
    c->mode = of_strdup(of_pgres_text(res, 0, 0));
    c->strategy = of_strdup(of_pgres_text(res, 0, 1));
    c->types = of_strdup(of_pgres_text(res, 0, 2));
    c->base_url = of_strdup_null(of_pgres_text_null(res, 0, 3));
    c->rate_n = of_pgres_is_null(res, 0, 4) ? -1 : of_pgres_i64(res, 0, 4);
    c->rate_s = of_pgres_is_null(res, 0, 5) ? -1 : of_pgres_i64(res, 0, 5);
    c->state = of_strdup(of_pgres_text(res, 0, 6));
    c->generation = of_pgres_i64(res, 0, 7);
    c->reason = of_strdup_null(of_pgres_text_null(res, 0, 8));
    c->finished = of_pgres_bool(res, 0, 9);
    c->field_strategies = of_strdup(of_pgres_text(res, 0, 10));
    c->delete_there = of_pgres_bool(res, 0, 11);
    c->push_first_link = of_pgres_bool(res, 0, 12);
    return OF_OK;
}

enum of_code of_ctl_connection_need(struct of_ctl *ctl, struct of_ctl_connection *c, bool any, struct of_err *err)
{
    OF_TRY(of_ctl_connection_lock(ctl, c, err));
    if (!c->exists) {
        return of_err_set(err, OF_E_NOT_FOUND, "%.80s is not connected to %s; see openfaithctl connect --help", c->org,
                          c->adapter->name);
    }
    if (!any && strcmp(c->state, "disconnected") == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "%.80s was disconnected from %s; connect it again first", c->org,
                          c->adapter->name);
    }
    return OF_OK;
}

static void arg_optional_i64(struct of_pgargs *args, int64_t v)
{
    if (v < 0) {
        of_pg_arg_null(args, OF_PG_INT8);
    } else {
        of_pg_arg_int8(args, v);
    }
}

/* "A,B" as text[]. */
static struct of_pgarr *split(const char *names)
{
    struct of_pgarr *arr = of_pgarr_new(OF_PG_TEXT);
    while (*names != '\0') {
        size_t len = strcspn(names, ",");
        of_pgarr_mem(arr, names, len);
        names += len + (names[len] == ',');
    }
    return arr;
}

enum of_code of_ctl_connection_put(struct of_ctl *ctl, struct of_ctl_connection *c, const char *budget_key, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = split(c->types);
    struct of_pgargs args = OF_PGARGS_INIT;
    name_args(&args, c);
    of_pg_arg_text(&args, c->mode);
    of_pg_arg_text(&args, c->strategy);
    of_pg_arg_array(&args, types);
    of_pg_arg_text(&args, c->base_url);
    arg_optional_i64(&args, c->rate_n);
    arg_optional_i64(&args, c->rate_s);
    of_pg_arg_text(&args, budget_key);
    of_pg_arg_text(&args, c->state);
    of_pg_arg_jsonb(&args, c->field_strategies);
    of_pg_arg_bool(&args, c->delete_there);
    of_pg_arg_bool(&args, c->push_first_link);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_connection_put, &args, &res, err));
    c->generation = of_pgres_i64(res, 0, 0);
    return OF_OK;
}

enum of_code of_ctl_connection_state(struct of_ctl *ctl, const struct of_ctl_connection *c, const char *state, bool new_generation,
                                     struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    name_args(&args, c);
    of_pg_arg_text(&args, state);
    of_pg_arg_int8(&args, new_generation ? 1 : 0);
    return of_pg_run(ctl->db, &of_sql_ctl_connection_state, &args, NULL, err);
}

/* Arrays of what is in scope, in the adapter's order. */
struct scope_arrays {
    struct of_pgarr *types, *ordinals, *plurals;
};

static struct scope_arrays scope_arrays_new(const struct of_adapter *a, of_scope scope)
{
    struct scope_arrays s = {of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_INT8), of_pgarr_new(OF_PG_TEXT)};
    for (size_t i = 0; a->types[i].name != NULL; i++) {
        if (of_scope_has(scope, i)) {
            of_pgarr_text(s.types, a->types[i].name);
            of_pgarr_int8(s.ordinals, (int64_t)i);
            of_pgarr_text(s.plurals, a->types[i].plural);
        }
    }
    return s;
}

static void scope_arrays_done(struct scope_arrays *s)
{
    of_pgarr_free(s->types);
    of_pgarr_free(s->ordinals);
    of_pgarr_free(s->plurals);
}

enum of_code of_ctl_status_put(struct of_ctl *ctl, const struct of_ctl_connection *c, of_scope scope, bool anew,
                               struct of_err *err)
{
    OF_CLEANUP(scope_arrays_done) struct scope_arrays arrays = scope_arrays_new(c->adapter, scope);
    struct of_pgargs args = OF_PGARGS_INIT;
    name_args(&args, c);
    of_pg_arg_array(&args, arrays.types);
    of_pg_arg_array(&args, arrays.ordinals);
    of_pg_arg_array(&args, arrays.plurals);
    of_pg_arg_bool(&args, anew);
    return of_pg_run(ctl->db, &of_sql_ctl_status_put, &args, NULL, err);
}

enum of_code of_ctl_run_running(struct of_ctl *ctl, const struct of_ctl_connection *c, int64_t *ret_run, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    name_args(&args, c);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_run_running, &args, &res, err));
    *ret_run = of_pgres_rows(res) > 0 ? of_pgres_i64(res, 0, 0) : 0;
    return OF_OK;
}

enum of_code of_ctl_run_start(struct of_ctl *ctl, const struct of_ctl_connection *c, const char *kind, of_scope scope,
                              int64_t *ret_run, struct of_err *err)
{
    OF_CLEANUP(scope_arrays_done) struct scope_arrays arrays = scope_arrays_new(c->adapter, scope);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    name_args(&args, c);
    of_pg_arg_text(&args, kind);
    of_pg_arg_array(&args, arrays.types);
    of_pg_arg_array(&args, arrays.ordinals);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_run_start, &args, &res, err));
    *ret_run = of_pgres_i64(res, 0, 0);
    return OF_OK;
}

enum of_code of_ctl_phases_leave(struct of_ctl *ctl, const struct of_ctl_connection *c, of_scope scope, struct of_err *err)
{
    OF_CLEANUP(scope_arrays_done) struct scope_arrays arrays = scope_arrays_new(c->adapter, scope);
    struct of_pgargs args = OF_PGARGS_INIT;
    name_args(&args, c);
    of_pg_arg_array(&args, arrays.types);
    return of_pg_run(ctl->db, &of_sql_ctl_phases_leave, &args, NULL, err);
}

static enum of_code run_named(struct of_ctl *ctl, const struct of_ctl_connection *c, const struct of_sql *sql, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    name_args(&args, c);
    return of_pg_run(ctl->db, sql, &args, NULL, err);
}

enum of_code of_ctl_run_cancel(struct of_ctl *ctl, const struct of_ctl_connection *c, struct of_err *err)
{
    return run_named(ctl, c, &of_sql_ctl_run_cancel, err);
}

enum of_code of_ctl_phases_wake(struct of_ctl *ctl, const struct of_ctl_connection *c, struct of_err *err)
{
    return run_named(ctl, c, &of_sql_ctl_phases_wake, err);
}

enum of_code of_ctl_schedule_drop(struct of_ctl *ctl, const struct of_ctl_connection *c, struct of_err *err)
{
    return run_named(ctl, c, &of_sql_ctl_schedule_drop, err);
}

char *of_ctl_scope_names(const struct of_adapter *a, of_scope scope, const char *between)
{
    struct of_buf b = OF_BUF_INIT(8192);
    for (size_t i = 0; a->types[i].name != NULL; i++) {
        if (of_scope_has(scope, i)) {
            of_buf_fmt(&b, "%s%s", b.len > 0 ? between : "", a->types[i].name);
        }
    }
    char *names = of_strdup(of_buf_text(&b));
    of_buf_done(&b);
    return names;
}

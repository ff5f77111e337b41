/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/entity.h"

#include "common/time/time.h"

#include <stdlib.h>
#include <string.h>

enum { ROW_MAX = 8 * 1024 * 1024 };

static const struct of_entity *model_of(const char *id)
{
    size_t n = 0;
    const struct of_entity *all = of_model_entities(&n);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(all[i].prefix);
        if (strncmp(id, all[i].prefix, len) == 0 && id[len] == '_') {
            return &all[i];
        }
    }
    return NULL;
}

struct of_json *of_ctl_json(const char *text)
{
    struct of_json *ret = NULL;
    struct of_err err = OF_ERR_INIT;
    if (text == NULL || of_json_parse(text, strlen(text), ROW_MAX, &ret, &err) != OF_OK) {
        return NULL;
    }
    return ret;
}

enum of_code of_ctl_entity_load(struct of_ctl *ctl, const char *org, const char *id, bool lock, struct of_ctl_entity *ret,
                                struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    const struct of_entity *model = model_of(id);
    if (model == NULL) {
        return of_err_set(err, OF_E_INVALID, "%.80s is no id of a record of OpenFaith", id);
    }
    OF_CLEANUP(of_freep) char *name = of_asprintf("ctl_entity_%s_%d", model->tag, lock);
    OF_CLEANUP(of_freep) char *text = of_asprintf("SELECT to_jsonb(e), e.\"deletedAt\" IS NOT NULL FROM public.\"%s\" e "
                                                  "WHERE e.\"orgId\" = $1 AND e.id = $2%s",
                                                  model->table, lock ? " FOR NO KEY UPDATE" : "");
    const struct of_sql sql = {.name = name, .text = text, .nparams = 2};
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, id);
    OF_TRY(of_pg_run(ctl->db, &sql, &args, &res, err));
    if (of_pgres_rows(res) == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "%.80s is not known to %.80s", id, org);
    }
    ret->model = model;
    ret->deleted = of_pgres_bool(res, 0, 1);
    return of_json_parse(of_pgres_text(res, 0, 0), of_pgres_len(res, 0, 0), ROW_MAX, &ret->row, err);
}

void of_ctl_entity_done(struct of_ctl_entity *e)
{
    of_json_free(e->row);
    e->row = NULL;
}

bool of_ctl_entity_is_column(const struct of_ctl_entity *e, const char *field)
{
    return of_model_column(e->model, field) != NULL || of_json_get(e->row, field) != NULL;
}

static char *taken(struct of_buf *b)
{
    char *text = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_buf_take(b, &text, NULL, &err) != OF_OK) {
        of_buf_done(b);
        return NULL;
    }
    return text;
}

char *of_ctl_body_value(const struct of_json *body, bool is_column, const char *source, const char *field)
{
    struct of_buf b = OF_BUF_INIT(ROW_MAX);
    const struct of_json *column = of_json_get(body, field);
    if (is_column) {
        if (of_json_is_null(column)) {
            return NULL;
        }
        of_json_write(&b, column);
        return taken(&b);
    }
    of_buf_char(&b, '[');
    for (const struct of_json *n = of_json_first(of_json_get(body, "customFields")); n != NULL; n = of_json_next(n)) {
        const char *name = of_json_text(of_json_get(n, "name"));
        const char *from = of_json_text(of_json_get(n, "source"));
        if (name != NULL && strcmp(name, field) == 0 && (source == NULL || (from != NULL && strcmp(from, source) == 0))) {
            of_buf_str(&b, b.len > 1 ? "," : "");
            of_json_write(&b, n);
        }
    }
    of_buf_char(&b, ']');
    return taken(&b);
}

char *of_ctl_entity_value(const struct of_ctl_entity *e, const char *field)
{
    return of_ctl_body_value(e->row, of_ctl_entity_is_column(e, field), NULL, field);
}

bool of_ctl_entity_has(const struct of_ctl_entity *e, const char *field)
{
    OF_CLEANUP(of_freep) char *custom = of_ctl_body_value(e->row, false, NULL, field);
    return of_ctl_entity_is_column(e, field) || (custom != NULL && strcmp(custom, "[]") != 0);
}

/* An element's value, or the thing itself. */
static const struct of_json *plain(const struct of_json *n)
{
    const struct of_json *value = of_json_get(n, "value");
    return value != NULL ? value : n;
}

static bool all_in(const struct of_json *a, const struct of_json *b)
{
    for (const struct of_json *x = of_json_first(a); x != NULL; x = of_json_next(x)) {
        bool found = false;
        for (const struct of_json *y = of_json_first(b); y != NULL && !found; y = of_json_next(y)) {
            found = of_json_equal(plain(x), plain(y));
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

bool of_ctl_same_value(const struct of_json *a, const struct of_json *b)
{
    struct of_wall ta;
    struct of_wall tb;
    if (of_json_type(a) == OF_JSON_ARRAY && of_json_type(b) == OF_JSON_ARRAY) {
        return of_json_len(a) == of_json_len(b) && all_in(a, b) && all_in(b, a);
    }
    if (of_json_text(a) != NULL && of_json_text(b) != NULL && of_time_parse(of_json_text(a), &ta) &&
        of_time_parse(of_json_text(b), &tb)) {
        return ta.us == tb.us;
    }
    return of_json_equal(a, b);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/apply.h"
#include "worker_sql.h"

/* Value records (FieldDatum): a person's values of custom fields become elements of her customFields, named by the field's key.
 * All values of one field are one value, compared as a set. */

enum { CUSTOM_MAX = 4 * 1024 * 1024 };

/* One element; a value that does not parse as its data type stays text. */
static void element(struct of_buf *b, const char *source, const char *key, const char *type, const char *value)
{
    const char *tag = "string";
    int64_t whole = 0;
    double number = 0;
    struct of_buf v = OF_BUF_INIT(CUSTOM_MAX);
    if (strcmp(type, "number") == 0 && of_parse_i64(value, -9007199254740991, 9007199254740991, &whole)) {
        tag = "number";
        of_buf_i64(&v, whole);
    } else if (strcmp(type, "number") == 0 && of_parse_double(value, &number)) {
        tag = "number";
        of_buf_fmt(&v, "%.17g", number);
    } else if (strcmp(type, "boolean") == 0 && (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)) {
        tag = "boolean";
        of_buf_str(&v, value);
    } else {
        if (strcmp(type, "date") == 0 && of_date_valid(value)) {
            tag = "date";
        }
        of_buf_json_str(&v, value);
    }
    of_buf_fmt(b, "{\"_tag\":\"%s\",\"name\":", tag);
    of_buf_json_str(b, key);
    of_buf_str(b, ",\"source\":");
    of_buf_json_str(b, source);
    of_buf_fmt(b, ",\"value\":%s}", of_buf_text(&v));
    of_buf_done(&v);
}

/* theirs now (col 4 staged, else seen unless deleted) or before (col 5) of one field: rows [from, to). */
static void values_of(const struct of_pgres *res, int from, int to, bool now, const char *source, struct of_buf *b)
{
    of_buf_char(b, '[');
    for (int row = from; row < to; row++) {
        bool gone = of_pgres_bool(res, row, 6);
        const char *staged = of_pgres_text_null(res, row, 4);
        const char *seen = of_pgres_text_null(res, row, 5);
        const char *value = now ? (gone ? NULL : staged ? staged : seen) : seen;
        if (value) {
            of_buf_str(b, b->len > 1 ? "," : "");
            element(b, source, of_pgres_text(res, row, 2), of_pgres_text(res, row, 3), value);
        }
    }
    of_buf_char(b, ']');
}

static bool is_of(const struct of_json *e, const char *source, const char *key)
{
    const char *s = of_json_text(of_json_get(e, "source"));
    const char *n = of_json_text(of_json_get(e, "name"));
    return s && n && strcmp(s, source) == 0 && strcmp(n, key) == 0;
}

static size_t count_of(const struct of_json *array, const char *source, const char *key)
{
    size_t n = 0;
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        n += is_of(e, source, key);
    }
    return n;
}

static bool contains(const struct of_json *array, const struct of_json *value)
{
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        if (of_json_equal(of_json_get(e, "value"), value)) {
            return true;
        }
    }
    return false;
}

/* Is what ours holds of the field the same set as values (which hold nothing else)? */
static bool same_values(const struct of_json *ours, const struct of_json *values, const char *source, const char *key)
{
    if (count_of(ours, source, key) != of_json_len(values)) {
        return false;
    }
    for (const struct of_json *e = of_json_first(ours); e; e = of_json_next(e)) {
        if (is_of(e, source, key) && !contains(values, of_json_get(e, "value"))) {
            return false;
        }
    }
    return true;
}

/* Decides one field; replaces ours' elements in *custom (JSON text of the array) if theirs is taken. */
static enum of_code merge_field(struct of_apply *a, const struct of_pgres *res, int from, int to, char **custom, bool *changed,
                                struct of_err *err)
{
    const char *source = a->conn->adapter_name;
    const char *key = of_pgres_text(res, from, 2);
    struct of_buf now_text = OF_BUF_INIT(CUSTOM_MAX);
    struct of_buf before_text = OF_BUF_INIT(CUSTOM_MAX);
    OF_CLEANUP(of_json_freep) struct of_json *now = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *before = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *ours = NULL;
    values_of(res, from, to, true, source, &now_text);
    values_of(res, from, to, false, source, &before_text);
    enum of_code code = of_json_parse(of_buf_text(&now_text), now_text.len, CUSTOM_MAX, &now, err);
    code = code == OF_OK ? of_json_parse(of_buf_text(&before_text), before_text.len, CUSTOM_MAX, &before, err) : code;
    code = code == OF_OK ? of_json_parse(*custom, strlen(*custom), CUSTOM_MAX, &ours, err) : code;
    of_buf_done(&before_text);
    if (code != OF_OK || same_values(ours, now, source, key)) {
        of_buf_done(&now_text);
        return code;
    }
    bool first = of_json_len(before) == 0;
    bool ours_empty = count_of(ours, source, key) == 0;
    bool ours_changed = !same_values(ours, before, source, key);
    bool theirs_changed = !of_json_equal(now, before);
    bool take = first ? (a->conn->mode == 'o' ? ours_empty : of_json_len(now) > 0)
                      : theirs_changed && (!ours_changed || strcmp(a->conn->strategy, "openfaith_wins") != 0);
    if (take) {
        struct of_buf b = OF_BUF_INIT(CUSTOM_MAX);
        of_buf_char(&b, '[');
        for (const struct of_json *e = of_json_first(ours); e; e = of_json_next(e)) {
            if (!is_of(e, source, key)) {
                of_buf_str(&b, b.len > 1 ? "," : "");
                of_json_write(&b, e);
            }
        }
        if (now_text.len > 2) {
            of_buf_str(&b, b.len > 1 ? "," : "");
            of_buf_mem(&b, now_text.data + 1, now_text.len - 2);
        }
        of_buf_char(&b, ']');
        of_freep(custom);
        code = of_buf_take(&b, custom, NULL, err);
        *changed = true;
    }
    of_buf_done(&now_text);
    return code;
}

static enum of_code merge_people(struct of_apply *a, const struct of_pgres *res, struct of_pgarr *people, struct of_pgarr *customs,
                                 struct of_err *err)
{
    int rows = of_pgres_rows(res);
    for (int row = 0; row < rows;) {
        OF_CLEANUP(of_freep) char *custom = of_strdup(of_pgres_text(res, row, 1));
        const char *person = of_pgres_text(res, row, 0);
        bool changed = false;
        while (row < rows && strcmp(of_pgres_text(res, row, 0), person) == 0) {
            int from = row;
            const char *key = of_pgres_text(res, row, 2);
            while (row < rows && strcmp(of_pgres_text(res, row, 0), person) == 0 &&
                   strcmp(of_pgres_text(res, row, 2), key) == 0) {
                row++;
            }
            OF_TRY(merge_field(a, res, from, row, &custom, &changed, err));
        }
        if (changed) {
            of_pgarr_text(people, person);
            of_pgarr_text(customs, custom);
        }
    }
    return OF_OK;
}

static void base_args(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_pgargs *args)
{
    of_pg_arg_text(args, a->conn->org);
    of_pg_arg_text(args, a->conn->adapter_name);
    of_pg_arg_text(args, type->name);
    of_pg_arg_array(args, ids);
}

enum of_code of_values_apply(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_err *err)
{
    char mode[2] = {a->conn->mode, '\0'};
    const char *owner = NULL;      /* the relation to whose values they are, */
    const char *definition = NULL; /* and to the field */
    for (const struct of_relation *r = type->relations; r && r->key; r++) {
        const struct of_type *target = of_type_find(a->conn->adapter, r->target);
        if (r->kind == OF_REL_END && target && target->entity) {
            *(strcmp(target->entity, type->entity) == 0 ? &owner : &definition) = r->key;
        }
    }
    OF_BUG_ON(!owner || !definition);
    struct of_pgargs link = OF_PGARGS_INIT;
    base_args(a, type, ids, &link);
    of_pg_arg_text(&link, mode);
    of_pg_arg_text(&link, owner);
    of_pg_arg_text(&link, definition);
    OF_TRY(of_pg_run(a->db, &of_sql_values_link, &link, NULL, err));
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *people = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *customs = of_pgarr_new(OF_PG_JSONB);
    struct of_pgargs args = OF_PGARGS_INIT;
    base_args(a, type, ids, &args);
    of_pg_arg_text(&args, definition);
    OF_TRY(of_pg_run(a->db, &of_sql_values_load, &args, &res, err));
    OF_TRY(merge_people(a, res, people, customs, err));
    if (of_pgarr_len(people) > 0) {
        OF_CLEANUP(of_freep) char *by = of_asprintf("sync:%s", a->conn->adapter_name);
        struct of_pgargs write = OF_PGARGS_INIT;
        of_pg_arg_text(&write, a->conn->org);
        of_pg_arg_array(&write, people);
        of_pg_arg_array(&write, customs);
        of_pg_arg_text(&write, by);
        OF_TRY(of_pg_run(a->db, &of_sql_values_write, &write, NULL, err));
    }
    struct of_pgargs seen = OF_PGARGS_INIT;
    base_args(a, type, ids, &seen);
    of_pg_arg_text(&seen, owner);
    return of_pg_run(a->db, &of_sql_values_seen, &seen, NULL, err);
}

/* --- records that are edges: memberships --- */

enum of_code of_edge_records_apply(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_err *err)
{
    const struct of_relation *ends[2] = {NULL, NULL};
    int n = 0;
    for (const struct of_relation *r = type->relations; r && r->key && n < 2; r++) {
        if (r->kind == OF_REL_END) {
            ends[n++] = r;
        }
    }
    OF_BUG_ON(n != 2);
    const char *tag_a = of_type_find(a->conn->adapter, ends[0]->target)->entity;
    const char *tag_b = of_type_find(a->conn->adapter, ends[1]->target)->entity;
    const char *edge_key = ends[1]->edge_key ? ends[1]->edge_key : ends[1]->key;
    bool a_is_source = of_edge_a_is_source(tag_a, tag_b);
    char rtype[128];
    (void)of_edge_type(a_is_source ? tag_a : tag_b, edge_key, a_is_source ? tag_b : tag_a, rtype, sizeof rtype);
    char mode[2] = {a->conn->mode, '\0'};
    struct of_pgargs args = OF_PGARGS_INIT;
    base_args(a, type, ids, &args);
    of_pg_arg_text(&args, ends[0]->key);
    of_pg_arg_text(&args, ends[1]->key);
    of_pg_arg_text(&args, tag_a);
    of_pg_arg_text(&args, tag_b);
    of_pg_arg_bool(&args, a_is_source);
    of_pg_arg_text(&args, rtype);
    of_pg_arg_text(&args, edge_key);
    of_pg_arg_text(&args, mode);
    return of_pg_run(a->db, &of_sql_edge_records, &args, NULL, err);
}

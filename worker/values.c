/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/apply.h"
#include "worker/journal.h"
#include "worker/merge.h"
#include "worker/push_int.h" /* what of a value goes out */
#include "worker_sql.h"

/* Value records (FieldDatum): a person's values of custom fields become elements of her customFields, named by the field's key.
 * All values of one field are one value, compared as a set, and decided like any other field (merge.h). */

enum { CUSTOM_MAX = 8 * 1024 * 1024, WRITE_MAX = 128 * 1024 * 1024 /* more than escapes can make of two such */ };

enum { /* columns of values_load.sql */
    COL_PERSON, COL_CUSTOM, COL_KEY, COL_TYPE, COL_STAGED, COL_SEEN, COL_GONE, COL_EXT, COL_AGREED, COL_KEPT, COL_ROW,
    COL_UPDATED, COL_FIRST
};

/* One element; a value that does not parse as its data type stays text. */
static void element(struct of_buf *b, const char *source, const char *key, const char *type, const char *value)
{
    const char *tag = "string";
    int64_t whole = 0;
    double number = 0;
    struct of_buf v = OF_BUF_INIT(WRITE_MAX);
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

/* What a batch of people becomes. */
struct decided {
    struct of_pgarr *people, *customs;              /* rows to write */
    struct of_pgarr *b_ext, *b_agreed;              /* records that do not simply agree with what they say */
    struct of_pgarr *j_eids, *j_ext, *j_fields, *j_values, *j_rules;
    struct of_pgarr *a_ids, *a_eids, *a_fields, *a_details; /* to be asked */
    struct of_pgarr *out;                           /* people of whom something goes out */
};

static void decided_init(struct decided *d)
{
    *d = (struct decided){
        of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_JSONB), of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_JSONB),
        of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT),  of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_JSONB),
        of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT),  of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT),
        of_pgarr_new(OF_PG_JSONB), of_pgarr_new(OF_PG_TEXT)};
}

static void decided_done(struct decided *d)
{
    struct of_pgarr **arrays = &d->people;
    for (size_t i = 0; i < sizeof *d / sizeof *arrays; i++) {
        of_pgarr_free(arrays[i]);
    }
}

/* One person's values of one field: rows [from, to) of values_load.sql. */
struct field {
    const struct of_pgres *res;
    int from, to;
    const char *person, *source, *key;
    const struct of_pgres *open; /* questions that wait for an answer */
    struct of_json *now, *before, *agreed, *ours; /* elements; ours: of all fields */
};

static void field_done(struct field *f)
{
    of_json_free(f->now);
    of_json_free(f->before);
    of_json_free(f->agreed);
    of_json_free(f->ours);
}

static const char *value_at(const struct of_pgres *res, int row, int col)
{
    bool theirs_now = col == COL_STAGED;
    if (theirs_now && of_pgres_bool(res, row, COL_GONE)) {
        return NULL;
    }
    const char *value = of_pgres_text_null(res, row, col);
    return theirs_now && !value ? of_pgres_text_null(res, row, COL_SEEN) : value;
}

/* The values in a column: COL_STAGED theirs now, COL_SEEN theirs before, COL_AGREED what was agreed on. */
static enum of_code values_of(const struct field *f, int col, struct of_json **ret, struct of_err *err)
{
    struct of_buf b = OF_BUF_INIT(WRITE_MAX);
    of_buf_char(&b, '[');
    for (int row = f->from; row < f->to; row++) {
        const char *value = value_at(f->res, row, col);
        if (value) {
            of_buf_str(&b, b.len > 1 ? "," : "");
            element(&b, f->source, f->key, of_pgres_text(f->res, row, COL_TYPE), value);
        }
    }
    of_buf_char(&b, ']');
    enum of_code code = of_json_parse(of_buf_text(&b), b.len, WRITE_MAX, ret, err);
    of_buf_done(&b);
    return code;
}

static bool is_of(const struct of_json *e, const char *source, const char *key)
{
    const char *s = of_json_text(of_json_get(e, "source"));
    const char *n = of_json_text(of_json_get(e, "name"));
    return s && n && strcmp(s, source) == 0 && strcmp(n, key) == 0;
}

static const struct of_json *next_of(const struct of_json *e, const char *source, const char *key)
{
    while (e && (!is_of(e, source, key) || of_json_is_null(of_json_get(e, "value")))) {
        e = of_json_next(e);
    }
    return e;
}

static const struct of_json *first_of(const struct of_json *array, const char *source, const char *key)
{
    return next_of(of_json_first(array), source, key);
}

/* A number that somebody here wrote as a text says the same. */
static bool same_value(const struct of_json *a, const struct of_json *b)
{
    if (of_json_equal(a, b)) {
        return true;
    }
    if ((of_json_text(a) != NULL) == (of_json_text(b) != NULL)) {
        return false;
    }
    const char *text = of_json_text(a) ? of_json_text(a) : of_json_text(b);
    struct of_buf w = OF_BUF_INIT(WRITE_MAX);
    of_json_write(&w, of_json_text(a) ? b : a);
    bool same = strcmp(text, of_buf_text(&w)) == 0;
    of_buf_done(&w);
    return same;
}

static bool holds(const struct field *f, const struct of_json *array, const struct of_json *value)
{
    for (const struct of_json *e = first_of(array, f->source, f->key); e; e = next_of(of_json_next(e), f->source, f->key)) {
        if (same_value(of_json_get(e, "value"), value)) {
            return true;
        }
    }
    return false;
}

static size_t count_of(const struct field *f, const struct of_json *array)
{
    size_t n = 0;
    for (const struct of_json *e = first_of(array, f->source, f->key); e; e = next_of(of_json_next(e), f->source, f->key)) {
        n++;
    }
    return n;
}

/* Is what a holds of the field the same set as what b holds? */
static bool same_set(const struct field *f, const struct of_json *a, const struct of_json *b)
{
    if (count_of(f, a) != count_of(f, b)) {
        return false;
    }
    for (const struct of_json *e = first_of(a, f->source, f->key); e; e = next_of(of_json_next(e), f->source, f->key)) {
        if (!holds(f, b, of_json_get(e, "value"))) {
            return false;
        }
    }
    return true;
}

/* Appends the field's elements (own), or those of all others. */
static void append(struct of_buf *b, const struct field *f, const struct of_json *array, bool own)
{
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        if (is_of(e, f->source, f->key) == own) {
            of_buf_str(b, b->len > 1 ? "," : "");
            of_json_write(b, e);
        }
    }
}

static enum of_code own_json(const struct field *f, const struct of_json *array, char **ret, struct of_err *err)
{
    struct of_buf b = OF_BUF_INIT(WRITE_MAX);
    of_buf_char(&b, '[');
    append(&b, f, array, true);
    of_buf_char(&b, ']');
    return of_buf_take(&b, ret, NULL, err);
}

/* --- deciding --- */

enum side { SIDE_SETTLED, SIDE_SAME, SIDE_THEIRS, SIDE_OURS, SIDE_ASK };

static bool is_first(const struct field *f)
{
    for (int row = f->from; row < f->to; row++) {
        if (!of_pgres_bool(f->res, row, COL_FIRST)) {
            return false;
        }
    }
    return of_json_len(f->before) == 0;
}

/* When theirs was changed; of what is gone nobody says when. */
static bool theirs_at(const struct field *f, struct of_wall *ret)
{
    ret->us = 0;
    for (int row = f->from; row < f->to; row++) {
        if (!of_pgres_is_null(f->res, row, COL_STAGED) && !of_pgres_is_null(f->res, row, COL_UPDATED)) {
            ret->us = OF_MAX(ret->us, of_pgres_i64(f->res, row, COL_UPDATED));
        }
    }
    return ret->us > 0;
}

static enum of_code decide(const struct of_apply *a, const struct of_type *t, const struct field *f, enum side *ret,
                           const char **ret_rule, struct of_err *err)
{
    const struct of_conn *c = a->conn;
    bool theirs_changed = !of_json_equal(f->now, f->before);
    bool ours_changed = !same_set(f, f->ours, f->agreed);
    *ret_rule = NULL;
    if (same_set(f, f->ours, f->now)) {
        *ret = SIDE_SAME;
    } else if (is_first(f)) {
        bool take = c->mode == 'o' ? count_of(f, f->ours) == 0 : of_json_len(f->now) > 0;
        *ret = take ? SIDE_THEIRS : SIDE_OURS;
        *ret_rule = take ? "first link: theirs" : "first link: ours";
    } else if (theirs_changed && !ours_changed && of_asked_is_open(f->open, f->person, f->key) &&
               strcmp(of_merge_strategy(c->field_strategies, c->strategy, t->name, f->key), "ask") == 0) {
        *ret = SIDE_ASK; /* the answer is still owed */
        *ret_rule = "conflict: ask";
    } else if (!ours_changed || !theirs_changed) {
        *ret = theirs_changed ? SIDE_THEIRS : ours_changed ? SIDE_OURS : SIDE_SETTLED;
        *ret_rule = theirs_changed ? "theirs changed" : NULL;
    } else {
        OF_CLEANUP(of_json_freep) struct of_json *row = NULL;
        struct of_wall at;
        OF_TRY(of_json_parse(of_pgres_text(f->res, f->from, COL_ROW), of_pgres_len(f->res, f->from, COL_ROW), CUSTOM_MAX, &row, err));
        bool has_at = theirs_at(f, &at);
        bool newer = of_merge_ours_is_newer(row, c->adapter_name, has_at, at, c->clock_offset_ms);
        const char *strategy = of_merge_strategy(c->field_strategies, c->strategy, t->name, f->key);
        enum of_merge_side side = of_merge_by_strategy(strategy, newer, ret_rule);
        *ret = side == OF_MERGE_THEIRS ? SIDE_THEIRS : side == OF_MERGE_OURS ? SIDE_OURS : SIDE_ASK;
    }
    return OF_OK;
}

/* What is agreed once a record's staged value is what was seen, unless it is just that. Ours kept: what was agreed before, so that
 * it counts as changed here. A person is asked: what ours says; nothing moves until somebody does. */
static void agree(const struct field *f, int row, enum side side, struct decided *d)
{
    const char *kept = of_pgres_text_null(f->res, row, COL_KEPT);
    struct of_buf b = OF_BUF_INIT(WRITE_MAX);
    if (side == SIDE_ASK) {
        bool boxes = strcmp(of_pgres_text(f->res, row, COL_TYPE), "checkboxes") == 0;
        const struct of_json *ours = boxes ? NULL : of_json_get(first_of(f->ours, f->source, f->key), "value");
        const char *theirs = value_at(f->res, row, COL_STAGED);
        for (const struct of_json *e = first_of(f->ours, f->source, f->key); e && boxes;
             e = next_of(of_json_next(e), f->source, f->key)) {
            const char *text = of_json_text(of_json_get(e, "value"));
            ours = text && theirs && strcmp(text, theirs) == 0 ? of_json_get(e, "value") : ours;
        }
        of_buf_str(&b, "{\"value\":");
        if (ours) {
            of_json_write(&b, ours);
        } else {
            of_buf_str(&b, "null");
        }
        of_buf_char(&b, '}');
        kept = of_buf_text(&b);
    }
    if (kept) {
        of_pgarr_text(d->b_ext, of_pgres_text(f->res, row, COL_EXT));
        of_pgarr_text(d->b_agreed, kept);
    }
    of_buf_done(&b);
}

/* The record that a note or a question is about: one that changed. */
static const char *about(const struct field *f)
{
    for (int row = f->to - 1; row >= f->from; row--) {
        if (!of_pgres_is_null(f->res, row, COL_STAGED)) {
            return of_pgres_text(f->res, row, COL_EXT);
        }
    }
    return of_pgres_text(f->res, f->from, COL_EXT);
}

enum { NOTE_MAX = 30000 };

static enum of_code note(const struct field *f, enum side side, const char *rule, struct decided *d, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *ours = NULL;
    OF_CLEANUP(of_freep) char *theirs = NULL;
    OF_TRY(own_json(f, f->ours, &ours, err));
    OF_TRY(own_json(f, f->now, &theirs, err));
    const char *old = side == SIDE_THEIRS ? ours : theirs;
    const char *new = side == SIDE_THEIRS ? theirs : ours;
    OF_CLEANUP(of_freep) char *pair = of_asprintf("[%s,%s]", strlen(old) < NOTE_MAX ? old : "null", strlen(new) < NOTE_MAX ? new : "null");
    of_pgarr_text(d->j_eids, f->person);
    of_pgarr_text(d->j_ext, about(f));
    of_pgarr_text(d->j_fields, f->key);
    of_pgarr_text(d->j_values, pair);
    of_pgarr_text(d->j_rules, rule);
    if (side == SIDE_ASK) {
        OF_CLEANUP(of_freep) char *detail = of_asprintf("{\"ours\":%s,\"theirs\":%s,\"why\":\"ask\"}", ours, theirs);
        of_pgarr_text(d->a_ids, about(f));
        of_pgarr_text(d->a_eids, f->person);
        of_pgarr_text(d->a_fields, f->key);
        of_pgarr_text(d->a_details, detail);
    }
    return OF_OK;
}

static enum of_code take_theirs(const struct field *f, char **custom, struct of_err *err)
{
    struct of_buf b = OF_BUF_INIT(WRITE_MAX);
    of_buf_char(&b, '[');
    append(&b, f, f->ours, false);
    append(&b, f, f->now, true);
    of_buf_char(&b, ']');
    of_freep(custom);
    return of_buf_take(&b, custom, NULL, err);
}

/* Decides one field; replaces ours' elements in *custom (JSON text of the array) if theirs is taken. */
static enum of_code merge_field(struct of_apply *a, const struct of_type *t, struct field *f, char **custom, bool *changed,
                                struct decided *d, struct of_err *err)
{
    enum side side = SIDE_SETTLED;
    const char *rule = NULL;
    bool asked = false; /* does any record of it say something now? */
    for (int row = f->from; row < f->to && !asked; row++) {
        asked = !of_pgres_is_null(f->res, row, COL_STAGED) ||
                (of_pgres_bool(f->res, row, COL_GONE) && !of_pgres_is_null(f->res, row, COL_SEEN));
    }
    if (!asked) {
        return OF_OK;
    }
    OF_TRY(values_of(f, COL_STAGED, &f->now, err));
    OF_TRY(values_of(f, COL_SEEN, &f->before, err));
    OF_TRY(values_of(f, COL_AGREED, &f->agreed, err));
    OF_TRY(of_json_parse(*custom, strlen(*custom), WRITE_MAX, &f->ours, err));
    OF_TRY(decide(a, t, f, &side, &rule, err));
    for (int row = f->from; row < f->to && (side == SIDE_SETTLED || side == SIDE_OURS || side == SIDE_ASK); row++) {
        if (!of_pgres_is_null(f->res, row, COL_STAGED)) {
            agree(f, row, side, d);
        }
    }
    bool fills = of_json_len(f->before) == 0 && count_of(f, f->ours) == 0; /* nothing was replaced, nobody wonders */
    if (rule && !fills) {
        OF_TRY(note(f, side, rule, d, err));
    }
    if (side == SIDE_OURS) {
        of_pgarr_text(d->out, f->person);
    }
    if (side == SIDE_THEIRS) {
        *changed = true;
        return take_theirs(f, custom, err);
    }
    return OF_OK;
}

static bool is_same_at(const struct of_pgres *res, int a, int b, int col)
{
    return strcmp(of_pgres_text(res, a, col), of_pgres_text(res, b, col)) == 0;
}

static enum of_code merge_people(struct of_apply *a, const struct of_type *t, const struct of_pgres *res, struct decided *d,
                                 struct of_err *err)
{
    int rows = of_pgres_rows(res);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *open = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *exts = of_pgarr_new(OF_PG_TEXT);
    for (int row = 0; row < rows; row++) {
        of_pgarr_text(exts, of_pgres_text(res, row, COL_EXT));
    }
    OF_TRY(of_asked_open(a, t, exts, &open, err));
    for (int row = 0; row < rows;) {
        OF_CLEANUP(of_freep) char *custom = of_strdup(of_pgres_text(res, row, COL_CUSTOM));
        const int first = row;
        bool changed = false;
        while (row < rows && is_same_at(res, row, first, COL_PERSON)) {
            OF_CLEANUP(field_done) struct field f = {.res = res, .from = row, .person = of_pgres_text(res, first, COL_PERSON),
                                                     .source = a->conn->adapter_name, .key = of_pgres_text(res, row, COL_KEY),
                                                     .open = open};
            while (row < rows && is_same_at(res, row, first, COL_PERSON) && is_same_at(res, row, f.from, COL_KEY)) {
                row++;
            }
            f.to = row;
            OF_TRY(merge_field(a, t, &f, &custom, &changed, d, err));
        }
        if (changed) {
            of_pgarr_text(d->people, of_pgres_text(res, first, COL_PERSON));
            of_pgarr_text(d->customs, custom);
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

static enum of_code write_people(struct of_apply *a, const struct decided *d, struct of_err *err)
{
    if (of_pgarr_len(d->people) == 0) {
        return OF_OK;
    }
    OF_TRY(of_apply_own(a, d->people, err));
    OF_CLEANUP(of_freep) char *by = of_asprintf("sync:%s", a->conn->adapter_name);
    struct of_pgargs write = OF_PGARGS_INIT;
    of_pg_arg_text(&write, a->conn->org);
    of_pg_arg_array(&write, d->people);
    of_pg_arg_array(&write, d->customs);
    of_pg_arg_text(&write, by);
    return of_pg_run(a->db, &of_sql_values_write, &write, NULL, err);
}

static enum of_code write_notes(struct of_apply *a, const struct of_type *type, const struct decided *d, struct of_err *err)
{
    const struct of_journal j = {d->j_eids, d->j_ext, d->j_fields, d->j_values, d->j_rules};
    const struct of_asked q = {d->a_ids, d->a_eids, d->a_fields, d->a_details};
    OF_TRY(of_journal_write(a, type->entity, type->name, &j, err));
    return of_asked_write(a, type->entity, type->name, &q, err);
}

static enum of_code write_decided(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, const char *owner,
                                  const struct decided *d, struct of_err *err)
{
    OF_TRY(write_people(a, d, err));
    struct of_pgargs seen = OF_PGARGS_INIT;
    base_args(a, type, ids, &seen);
    of_pg_arg_text(&seen, owner);
    of_pg_arg_array(&seen, d->b_ext);
    of_pg_arg_array(&seen, d->b_agreed);
    OF_TRY(of_pg_run(a->db, &of_sql_values_seen, &seen, NULL, err));
    OF_TRY(write_notes(a, type, d, err));
    return of_pgarr_len(d->out) > 0 ? of_push_hint_values(a, type->entity, d->out, err) : OF_OK; /* compares with the base */
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
    OF_CLEANUP(decided_done) struct decided d;
    decided_init(&d);
    struct of_pgargs args = OF_PGARGS_INIT;
    base_args(a, type, ids, &args);
    of_pg_arg_text(&args, definition);
    OF_TRY(of_pg_run(a->db, &of_sql_values_load, &args, &res, err));
    OF_TRY(merge_people(a, type, res, &d, err));
    return write_decided(a, type, ids, owner, &d, err);
}

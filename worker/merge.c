/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/merge.h"

#include <string.h>

enum { MERGE_MAX_BYTES = 4 * 1024 * 1024 };

enum choice { CHOICE_SAME, CHOICE_THEIRS, CHOICE_OURS, CHOICE_ASK };

/* A value is a JSON node, or NULL for absent. A filler in a NOT NULL column says the same as their null. */
static bool is_empty(const struct of_json *v, const struct of_entity_column *c)
{
    if (of_json_is_null(v)) {
        return true;
    }
    if (!c || !c->not_null) {
        return false;
    }
    bool b = true;
    double d = 1;
    const char *s = of_json_text(v);
    return (s && *s == '\0') || (of_json_bool(v, &b) && !b) || (of_json_double(v, &d) && d == 0);
}

/* Nothing was said: a false or a 0 is a value of whoever says it. */
static bool says_nothing(const struct of_json *v, const struct of_entity_column *c)
{
    const char *s = of_json_text(v);
    return of_json_is_null(v) || (c->not_null && s && *s == '\0');
}

static bool same(const struct of_json *a, const struct of_json *b, const struct of_entity_column *c)
{
    if (is_empty(a, c) && is_empty(b, c)) {
        return true;
    }
    if (of_json_is_null(a) || of_json_is_null(b)) {
        return false;
    }
    struct of_wall ta;
    struct of_wall tb;
    if (c && c->type == OF_COL_TIME && of_json_text(a) && of_json_text(b) && of_time_parse(of_json_text(a), &ta) &&
        of_time_parse(of_json_text(b), &tb)) {
        return ta.us == tb.us;
    }
    return of_json_equal(a, b);
}

/* When was the row changed by somebody? Our own applied write carries the external time, so it counts as theirs then. */
static bool ours_is_newer(const struct of_merge_in *in)
{
    struct of_wall at;
    const char *s = of_json_text(of_json_get(in->row, "updatedAt"));
    if (!s || !of_time_parse(s, &at)) {
        s = of_json_text(of_json_get(in->row, "createdAt"));
        if (!s || !of_time_parse(s, &at)) {
            return false;
        }
    }
    return !in->has_theirs_at || at.us > in->theirs_at.us;
}

static enum choice by_strategy(const struct of_merge_in *in, const char **ret_rule)
{
    if (strcmp(in->strategy, "chms_wins") == 0) {
        *ret_rule = "conflict: chms_wins";
        return CHOICE_THEIRS;
    }
    if (strcmp(in->strategy, "openfaith_wins") == 0) {
        *ret_rule = "conflict: openfaith_wins";
        return CHOICE_OURS;
    }
    if (strcmp(in->strategy, "ask") == 0) {
        *ret_rule = "conflict: ask";
        return CHOICE_ASK;
    }
    bool ours = ours_is_newer(in); /* a tie goes to theirs */
    *ret_rule = ours ? "conflict: last_write_wins, ours newer" : "conflict: last_write_wins, theirs newer";
    return ours ? CHOICE_OURS : CHOICE_THEIRS;
}

/* theirs_new against theirs_old (NULL: no base), ours against agreed. empty_* tell whether a side has a value. */
static enum choice decide(const struct of_merge_in *in, bool equal, bool theirs_empty, bool ours_empty, bool has_base,
                          bool theirs_changed, bool ours_changed, const char **ret_rule)
{
    if (equal) {
        return CHOICE_SAME;
    }
    if (!in->seen) {
        if (in->mode == 'o') {
            *ret_rule = ours_empty ? "first link: theirs fills ours" : "first link: ours";
            return ours_empty ? CHOICE_THEIRS : CHOICE_OURS;
        }
        *ret_rule = theirs_empty ? "first link: ours, theirs has none" : "first link: theirs";
        return theirs_empty ? CHOICE_OURS : CHOICE_THEIRS;
    }
    if (!has_base) {
        *ret_rule = "no base: filled";
        return ours_empty ? CHOICE_THEIRS : CHOICE_OURS;
    }
    if (theirs_changed && !ours_changed) {
        *ret_rule = "theirs changed";
        return CHOICE_THEIRS;
    }
    if (!theirs_changed) {
        *ret_rule = "ours changed";
        return CHOICE_OURS;
    }
    return by_strategy(in, ret_rule);
}

static char *json_of(const struct of_json *v)
{
    struct of_buf b = OF_BUF_INIT(MERGE_MAX_BYTES);
    char *text = NULL;
    if (of_json_is_null(v)) {
        of_buf_str(&b, "null");
    } else {
        of_json_write(&b, v);
    }
    OF_BUG_ON(of_buf_take(&b, &text, NULL, NULL) != OF_OK);
    return text;
}

static void note(struct of_merge_out *out, const char *field, char *old_json, char *new_json, const char *rule)
{
    out->notes = of_reallocarray(out->notes, out->n_notes + 1, sizeof *out->notes);
    struct of_merge_note *n = &out->notes[out->n_notes++];
    (void)of_strcopy(n->field, sizeof n->field, field);
    n->old_json = old_json;
    n->new_json = new_json;
    n->rule = rule;
}

static void member(struct of_buf *b, const char *key, const char *json)
{
    of_buf_char(b, b->len == 0 ? '{' : ',');
    of_buf_json_str(b, key);
    of_buf_char(b, ':');
    of_buf_str(b, json);
}

static void ask(struct of_merge_out *out, const char *field)
{
    if (out->n_ask < OF_ARRAY_LEN(out->ask)) {
        out->ask[out->n_ask++] = of_strdup(field);
    }
}

static void merge_column(const struct of_merge_in *in, struct of_merge_out *out, const struct of_entity_column *c)
{
    const struct of_json *theirs = of_json_get(in->staged, c->name);
    if (!theirs || (strcmp(in->sql->entity->tag, "field") == 0 && strcmp(c->name, "key") == 0)) {
        return; /* not read this time; a field's key is made unique once and stays */
    }
    const struct of_json *before = of_json_get(in->seen, c->name);
    const struct of_json *ours = of_json_get(in->row, c->name);
    const struct of_json *agreed = of_json_get(in->agreed, c->name);
    if (!agreed) {
        agreed = before;
    }
    bool theirs_changed = !same(theirs, before, c);
    bool ours_changed = !same(ours, agreed, c);
    const char *rule = "";
    enum choice choice = decide(in, same(theirs, ours, c), says_nothing(theirs, c), says_nothing(ours, c), before != NULL,
                                theirs_changed, ours_changed, &rule);
    if (choice == CHOICE_THEIRS) {
        char *value = json_of(theirs);
        member(&out->patch, c->name, value);
        note(out, c->name, json_of(ours), value, rule);
        return;
    }
    if (choice == CHOICE_SAME) {
        return;
    }
    out->only_theirs = false;
    out->kept_ours = true;
    if (choice == CHOICE_ASK) {
        ask(out, c->name);
    }
    if (in->seen && !same(agreed, theirs, c)) { /* keeps its agreed; at a first link that is what theirs says */
        char *value = json_of(agreed);
        member(&out->agreed, c->name, value);
        of_freep(&value);
    }
    if (theirs_changed && in->seen) {
        note(out, c->name, json_of(ours), json_of(ours), rule);
    }
}

/* --- customFields: all elements of one (source, name) are one value, compared as a set --- */

static bool is_element_of(const struct of_json *e, const char *source, const char *name)
{
    const char *s = of_json_text(of_json_get(e, "source"));
    const char *n = of_json_text(of_json_get(e, "name"));
    return s && n && strcmp(s, source) == 0 && strcmp(n, name) == 0;
}

static size_t count_elements(const struct of_json *array, const char *source, const char *name)
{
    size_t n = 0;
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        n += is_element_of(e, source, name);
    }
    return n;
}

static bool has_equal(const struct of_json *array, const struct of_json *element)
{
    const struct of_json *value = of_json_get(element, "value");
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        if (of_json_equal(of_json_get(e, "name"), of_json_get(element, "name")) &&
            of_json_equal(of_json_get(e, "source"), of_json_get(element, "source")) &&
            of_json_equal(of_json_get(e, "value"), value)) {
            return true;
        }
    }
    return false;
}

static bool same_set(const struct of_json *a, const struct of_json *b, const char *source, const char *name)
{
    if (count_elements(a, source, name) != count_elements(b, source, name)) {
        return false;
    }
    for (const struct of_json *e = of_json_first(a); e; e = of_json_next(e)) {
        if (is_element_of(e, source, name) && !has_equal(b, e)) {
            return false;
        }
    }
    return true;
}

static void append_elements(struct of_buf *b, const struct of_json *array, const char *source, const char *name)
{
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        if (is_element_of(e, source, name)) {
            of_buf_str(b, b->len > 1 ? "," : "");
            of_json_write(b, e);
        }
    }
}

static char *elements_json(const struct of_json *array, const char *source, const char *name)
{
    struct of_buf b = OF_BUF_INIT(MERGE_MAX_BYTES);
    char *text = NULL;
    of_buf_char(&b, '[');
    append_elements(&b, array, source, name);
    of_buf_char(&b, ']');
    OF_BUG_ON(of_buf_take(&b, &text, NULL, NULL) != OF_OK);
    return text;
}

/* Names of custom fields that the mapping of a type fills, in table order; at most max. */
static int managed_names(const struct of_merge_in *in, char names[][96], int max)
{
    int n = 0;
    for (const struct of_field *f = in->sql->type->fields; f && f->attr && n < max; f++) {
        if (!f->column) {
            char *name = of_asprintf("%s_%s", in->adapter->name, f->attr);
            (void)of_strcopy(names[n++], 96, name);
            of_freep(&name);
        }
    }
    for (const struct of_relation *r = in->sql->type->relations; r && r->key && n < max; r++) {
        if (r->kind == OF_REL_VALUE) {
            char *name = of_asprintf("%s_%s", in->adapter->name, r->key);
            (void)of_strcopy(names[n++], 96, name);
            of_freep(&name);
        }
    }
    return n;
}

static void merge_custom_fields(const struct of_merge_in *in, struct of_merge_out *out)
{
    enum { NAMES_MAX = 64 };
    char names[NAMES_MAX][96];
    bool take_theirs[NAMES_MAX] = {false};
    const char *source = in->adapter->name;
    const struct of_json *theirs = of_json_get(in->staged, "customFields");
    const struct of_json *before = of_json_get(in->seen, "customFields");
    const struct of_json *ours = of_json_get(in->row, "customFields");
    if (!theirs) {
        return;
    }
    int n = managed_names(in, names, NAMES_MAX);
    bool write = false;
    for (int i = 0; i < n; i++) {
        const char *rule = "";
        bool theirs_changed = !same_set(theirs, before, source, names[i]);
        bool ours_changed = !same_set(ours, before, source, names[i]);
        bool equal = same_set(theirs, ours, source, names[i]);
        enum choice choice = decide(in, equal, count_elements(theirs, source, names[i]) == 0,
                                    count_elements(ours, source, names[i]) == 0, before != NULL, theirs_changed, ours_changed, &rule);
        if (choice == CHOICE_THEIRS) {
            take_theirs[i] = true;
            write = true;
            note(out, names[i], elements_json(ours, source, names[i]), elements_json(theirs, source, names[i]), rule);
        } else if (choice != CHOICE_SAME) {
            out->only_theirs = false;
            out->kept_ours = true;
            if (choice == CHOICE_ASK) {
                ask(out, names[i]);
            }
            if (theirs_changed && in->seen) {
                note(out, names[i], elements_json(ours, source, names[i]), elements_json(ours, source, names[i]), rule);
            }
        }
    }
    if (!write) {
        return;
    }
    struct of_buf b = OF_BUF_INIT(MERGE_MAX_BYTES);
    of_buf_char(&b, '[');
    for (const struct of_json *e = of_json_first(ours); e; e = of_json_next(e)) {
        bool replaced = false;
        for (int i = 0; i < n && !replaced; i++) {
            replaced = take_theirs[i] && is_element_of(e, source, names[i]);
        }
        if (!replaced) {
            of_buf_str(&b, b.len > 1 ? "," : "");
            of_json_write(&b, e);
        }
    }
    for (int i = 0; i < n; i++) {
        if (take_theirs[i]) {
            append_elements(&b, theirs, source, names[i]);
        }
    }
    of_buf_char(&b, ']');
    member(&out->patch, "customFields", of_buf_text(&b));
    of_buf_done(&b);
}

/* Nothing of the row changes, but a relation or a child did, and with it their updated_at: a row that says nothing but theirs
 * carries it too. */
static bool only_time_moved(const struct of_merge_in *in, const struct of_merge_out *out)
{
    const char *s = of_json_text(of_json_get(in->row, "updatedAt"));
    const char *by = of_json_text(of_json_get(in->row, "updatedBy"));
    struct of_wall at;
    return out->only_theirs && in->has_theirs_at && (!by || strncmp(by, "sync:", 5) == 0) && s && of_time_parse(s, &at) &&
           at.us < in->theirs_at.us;
}

void of_merge(const struct of_merge_in *in, struct of_merge_out *out)
{
    memset(out, 0, sizeof *out);
    out->patch = OF_BUF_INIT(MERGE_MAX_BYTES);
    out->agreed = OF_BUF_INIT(MERGE_MAX_BYTES);
    out->only_theirs = true;
    for (int i = 0; i < in->sql->n_columns; i++) {
        if (!in->sql->columns[i].from_parent) {
            merge_column(in, out, &in->sql->columns[i]);
        }
    }
    merge_custom_fields(in, out);
    /* a record that came back: what this system had deleted stands again */
    const char *by = of_json_text(of_json_get(in->row, "deletedBy"));
    if (!of_json_is_null(of_json_get(in->row, "deletedAt")) && by && strncmp(by, "sync:", 5) == 0) {
        member(&out->patch, "deletedAt", "null");
        note(out, "deletedAt", json_of(of_json_get(in->row, "deletedAt")), of_strdup("null"), "came back");
    }
    if (out->patch.len) {
        of_buf_char(&out->patch, '}');
    } else if (only_time_moved(in, out)) {
        of_buf_str(&out->patch, "{}");
    }
    if (out->agreed.len) {
        of_buf_char(&out->agreed, '}');
    }
}

void of_merge_done(struct of_merge_out *out)
{
    of_buf_done(&out->patch);
    of_buf_done(&out->agreed);
    for (size_t i = 0; i < out->n_notes; i++) {
        of_freep(&out->notes[i].old_json);
        of_freep(&out->notes[i].new_json);
    }
    of_freep(&out->notes);
    for (size_t i = 0; i < out->n_ask; i++) {
        of_freep(&out->ask[i]);
    }
    out->n_notes = out->n_ask = 0;
}

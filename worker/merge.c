/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/merge.h"

#include <string.h>

#include "adapters/project.h"

/* More than the escapes of two bodies can take (a character of a text becomes six): what could be parsed can be written. */
enum { MERGE_MAX_BYTES = 128 * 1024 * 1024 };

enum choice {
    CHOICE_SAME,
    CHOICE_THEIRS,
    CHOICE_OURS,    /* and it goes out */
    CHOICE_UNSENT,  /* ours stands, and is not sent */
    CHOICE_SPELLED, /* ours says the same in another spelling */
    CHOICE_SETTLED, /* they differ by agreement, and nobody changed anything */
    CHOICE_ASK
};

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

bool of_merge_ours_is_newer(const struct of_json *row, const char *adapter, bool has_theirs_at, struct of_wall theirs_at,
                            int64_t clock_offset_ms)
{
    struct of_wall at;
    const char *s = of_json_text(of_json_get(row, "updatedAt"));
    const char *by = of_json_text(of_json_get(row, "updatedBy"));
    if (!s || !of_time_parse(s, &at)) {
        s = of_json_text(of_json_get(row, "createdAt"));
        by = of_json_text(of_json_get(row, "createdBy"));
        if (!s || !of_time_parse(s, &at)) {
            return false;
        }
    }
    /* what we wrote ourselves carries the external time: both are by their clock then */
    bool own = by && strncmp(by, "sync:", 5) == 0 && strcmp(by + 5, adapter) == 0;
    return !has_theirs_at || at.us > theirs_at.us - (own ? 0 : clock_offset_ms * 1000);
}

const char *of_merge_strategy(const struct of_json *by_field, const char *fallback, const char *type, const char *field)
{
    if (!by_field) {
        return fallback;
    }
    OF_CLEANUP(of_freep) char *key = of_asprintf("%s.%s", type, field);
    const char *own = of_json_text(of_json_get(by_field, key));
    return own ? own : fallback;
}

enum of_merge_side of_merge_by_strategy(const char *strategy, bool ours_is_newer, const char **ret_rule)
{
    if (strcmp(strategy, "chms_wins") == 0) {
        *ret_rule = "conflict: chms_wins";
        return OF_MERGE_THEIRS;
    }
    if (strcmp(strategy, "openfaith_wins") == 0) {
        *ret_rule = "conflict: openfaith_wins";
        return OF_MERGE_OURS;
    }
    if (strcmp(strategy, "ask") == 0) {
        *ret_rule = "conflict: ask";
        return OF_MERGE_ASK;
    }
    if (strcmp(strategy, "field_merge") == 0) {
        *ret_rule = ours_is_newer ? "conflict: field_merge, ours newer" : "conflict: field_merge, theirs newer";
    } else {
        *ret_rule = ours_is_newer ? "conflict: last_write_wins, ours newer" : "conflict: last_write_wins, theirs newer";
    }
    return ours_is_newer ? OF_MERGE_OURS : OF_MERGE_THEIRS; /* a tie goes to theirs */
}

/* What is known of one field before it is decided. */
struct facts {
    const char *name;
    const struct of_json *theirs, *ours; /* of a column */
    const struct of_json *their_list, *our_list; /* the elements of a custom field, among others */
    bool equal, theirs_empty, ours_empty, has_base, theirs_changed, ours_changed, spelled;
};

static bool same_set(const struct of_json *a, const struct of_json *b, const char *source, const char *name);

/* One of the two is theirs, the other ours. */
static bool is_pair(const struct of_merge_in *in, const struct facts *f, const struct of_json *one, const struct of_json *other)
{
    if (!f->their_list && !f->our_list) {
        return of_json_equal(one, f->theirs) && of_json_equal(other, f->ours);
    }
    return same_set(one, f->their_list, in->adapter->name, f->name) && same_set(other, f->our_list, in->adapter->name, f->name);
}

/* The same two values once more. */
static bool is_frozen(const struct of_merge_in *in, const struct facts *f)
{
    for (const struct of_json *n = of_json_first(in->frozen); n; n = of_json_next(n)) {
        const char *field = of_json_text(of_json_get(n, "field"));
        const struct of_json *a = of_json_get(n, "a");
        const struct of_json *b = of_json_get(n, "b");
        if (field && strcmp(field, f->name) == 0 && (is_pair(in, f, a, b) || is_pair(in, f, b, a))) {
            return true;
        }
    }
    return false;
}

static enum choice first_link(const struct of_merge_in *in, const struct facts *f, const char **ret_rule)
{
    if (in->mode == 'o' ? f->ours_empty : !f->theirs_empty) {
        *ret_rule = in->mode == 'o' ? "first link: theirs fills ours" : "first link: theirs";
        return CHOICE_THEIRS;
    }
    *ret_rule = in->mode == 'o' ? "first link: ours" : "first link: ours, theirs has none";
    return f->spelled ? CHOICE_SPELLED : in->keep_first ? CHOICE_UNSENT : CHOICE_OURS;
}

static enum choice decide(const struct of_merge_in *in, const struct facts *f, const char **ret_rule)
{
    if (f->equal) {
        return CHOICE_SAME;
    }
    if (!in->seen) {
        return first_link(in, f, ret_rule);
    }
    if (f->has_base && !f->ours_changed && !f->theirs_changed) {
        return CHOICE_SETTLED;
    }
    if (is_frozen(in, f)) {
        *ret_rule = "frozen: two values alternate";
        return CHOICE_ASK;
    }
    if (!f->has_base) {
        *ret_rule = "no base: filled";
        return f->ours_empty ? CHOICE_THEIRS : CHOICE_OURS;
    }
    const char *strategy = of_merge_strategy(in->by_field, in->strategy, in->sql->type->name, f->name);
    if (!f->ours_changed && strcmp(strategy, "ask") == 0 && of_project_has_text(in->open, f->name)) { /* the answer is still owed */
        *ret_rule = "conflict: ask";
        return CHOICE_ASK;
    }
    if (!f->ours_changed) {
        *ret_rule = "theirs changed";
        return CHOICE_THEIRS;
    }
    if (f->spelled) {
        return CHOICE_SPELLED;
    }
    if (!f->theirs_changed) {
        *ret_rule = "ours changed";
        return CHOICE_OURS;
    }
    bool newer = of_merge_ours_is_newer(in->row, in->adapter->name, in->has_theirs_at, in->theirs_at, in->clock_offset_ms);
    enum of_merge_side side = of_merge_by_strategy(strategy, newer, ret_rule);
    return side == OF_MERGE_THEIRS ? CHOICE_THEIRS : side == OF_MERGE_OURS ? CHOICE_OURS : CHOICE_ASK;
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

static void note(struct of_merge_out *out, const char *field, char *old_json, char *new_json, const char *rule, bool took_theirs)
{
    out->notes = of_reallocarray(out->notes, out->n_notes + 1, sizeof *out->notes);
    struct of_merge_note *n = &out->notes[out->n_notes++];
    (void)of_strcopy(n->field, sizeof n->field, field);
    n->old_json = old_json;
    n->new_json = new_json;
    n->rule = rule;
    n->took_theirs = took_theirs;
}

static void member(struct of_buf *b, const char *key, const char *json)
{
    of_buf_char(b, b->len == 0 ? '{' : ',');
    of_buf_json_str(b, key);
    of_buf_char(b, ':');
    of_buf_str(b, json);
}

static void ask(struct of_merge_out *out, const char *field, const char *ours, const char *theirs, const char *rule)
{
    if (out->n_ask < OF_ARRAY_LEN(out->ask)) {
        struct of_merge_ask *a = &out->ask[out->n_ask++];
        (void)of_strcopy(a->field, sizeof a->field, field);
        a->detail = of_asprintf("{\"ours\":%s,\"theirs\":%s,\"why\":\"%s\"}", ours, theirs,
                                strncmp(rule, "frozen", 6) == 0 ? "frozen" : "ask");
    }
}

/* A decision for ours is written down where theirs had changed. Takes ours_json and theirs_json. */
static void kept(const struct of_merge_in *in, struct of_merge_out *out, enum choice choice, const struct facts *f, const char *rule,
                 char *ours_json, char *theirs_json)
{
    out->only_theirs = false;
    out->kept_ours = out->kept_ours || choice == CHOICE_OURS;
    if (choice == CHOICE_ASK) {
        ask(out, f->name, ours_json, theirs_json, rule);
    }
    if (f->theirs_changed && in->seen && (choice == CHOICE_OURS || choice == CHOICE_ASK)) {
        note(out, f->name, theirs_json, ours_json, rule, false); /* ours stands where theirs said something else */
        return;
    }
    of_freep(&ours_json);
    of_freep(&theirs_json);
}

/* How people and systems respell a text without changing it: blanks around and between, case of an e-mail address. */
static bool same_spelling(const struct of_json *a, const struct of_json *b, bool ignore_case)
{
    const unsigned char *x = (const unsigned char *)of_json_text(a);
    const unsigned char *y = (const unsigned char *)of_json_text(b);
    if (!x || !y) {
        return false;
    }
    x += strspn((const char *)x, " \t\n");
    y += strspn((const char *)y, " \t\n");
    for (;;) {
        bool gap_x = *x == ' ' || *x == '\t' || *x == '\n';
        bool gap_y = *y == ' ' || *y == '\t' || *y == '\n';
        x += strspn((const char *)x, " \t\n");
        y += strspn((const char *)y, " \t\n");
        if (*x == '\0' || *y == '\0') {
            return *x == *y;
        }
        unsigned lower_x = ignore_case && *x >= 'A' && *x <= 'Z' ? *x + 32U : *x;
        unsigned lower_y = ignore_case && *y >= 'A' && *y <= 'Z' ? *y + 32U : *y;
        if (gap_x != gap_y || lower_x != lower_y) {
            return false;
        }
        x++;
        y++;
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
    const struct of_json *sent = of_json_get(of_json_get(in->agreed, "_sent"), c->name);
    bool lost = before && sent && !same(theirs, before, c) && same(theirs, sent, c);
    bool alike = before && !same(theirs, before, c) && !same(ours, before, c) && same(theirs, ours, c);
    if (lost || alike) { /* else nobody would know how it came */
        note(out, c->name, json_of(before), json_of(theirs), lost ? "sent, its answer was lost" : "both say the same", false);
    }
    if (lost) {
        before = agreed = theirs;
    }
    if (!agreed) {
        agreed = before;
    }
    bool is_email = strcmp(in->sql->entity->tag, "email") == 0 && strcmp(c->name, "address") == 0;
    struct facts f = {.name = c->name,
                      .theirs = theirs,
                      .ours = ours,
                      .equal = same(theirs, ours, c),
                      .theirs_empty = says_nothing(theirs, c),
                      .ours_empty = says_nothing(ours, c),
                      .has_base = before != NULL,
                      .theirs_changed = !same(theirs, before, c),
                      .ours_changed = !same(ours, agreed, c),
                      .spelled = same_spelling(theirs, ours, is_email)};
    const char *rule = "";
    enum choice choice = decide(in, &f, &rule);
    if (choice == CHOICE_THEIRS) {
        char *value = json_of(theirs);
        member(&out->patch, c->name, value);
        note(out, c->name, json_of(ours), value, rule, in->seen != NULL);
        return;
    }
    if (choice == CHOICE_SAME) {
        return;
    }
    const struct of_json *stands = choice == CHOICE_SETTLED ? agreed : choice != CHOICE_OURS ? ours : in->seen ? agreed : theirs;
    if (!same(stands, theirs, c) || choice == CHOICE_SPELLED) {
        char *value = json_of(stands);
        member(&out->agreed, c->name, value);
        of_freep(&value);
    }
    kept(in, out, choice, &f, rule, json_of(ours), json_of(theirs));
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
static int managed_names(const struct of_merge_in *in, char names[][OF_MERGE_FIELD_MAX], int max)
{
    int n = 0;
    for (const struct of_field *f = in->sql->type->fields; f && f->attr && n < max; f++) {
        if (!f->column) {
            char *name = of_asprintf("%s_%s", in->adapter->name, f->attr);
            (void)of_strcopy(names[n++], OF_MERGE_FIELD_MAX, name);
            of_freep(&name);
        }
    }
    for (const struct of_relation *r = in->sql->type->relations; r && r->key && n < max; r++) {
        if (r->kind == OF_REL_VALUE) {
            char *name = of_asprintf("%s_%s", in->adapter->name, r->key);
            (void)of_strcopy(names[n++], OF_MERGE_FIELD_MAX, name);
            of_freep(&name);
        }
    }
    return n;
}

enum { NAMES_MAX = 64 };

/* ours with the elements of some names replaced by theirs */
static void patch_custom(const struct of_merge_in *in, const struct of_json *ours, const struct of_json *theirs,
                         char names[][OF_MERGE_FIELD_MAX], const bool *take_theirs, int n, struct of_merge_out *out)
{
    struct of_buf b = OF_BUF_INIT(MERGE_MAX_BYTES);
    of_buf_char(&b, '[');
    for (const struct of_json *e = of_json_first(ours); e; e = of_json_next(e)) {
        bool replaced = false;
        for (int i = 0; i < n && !replaced; i++) {
            replaced = take_theirs[i] && is_element_of(e, in->adapter->name, names[i]);
        }
        if (!replaced) {
            of_buf_str(&b, b.len > 1 ? "," : "");
            of_json_write(&b, e);
        }
    }
    for (int i = 0; i < n; i++) {
        if (take_theirs[i]) {
            append_elements(&b, theirs, in->adapter->name, names[i]);
        }
    }
    of_buf_char(&b, ']');
    member(&out->patch, "customFields", of_buf_text(&b));
    of_buf_done(&b);
}

/* Theirs says what a change of ours sent that nobody answered (push_unclear.sql): no change of theirs. */
static bool is_lost_answer(const struct of_merge_in *in, const struct of_json *theirs, const struct of_json *before, const char *name)
{
    const char *source = in->adapter->name;
    const struct of_json *sent = of_json_get(in->agreed, "_sent");
    const struct of_json *set = of_json_get(sent, "customFields");
    if (!before || same_set(theirs, before, source, name)) {
        return false;
    }
    return count_elements(set, source, name) > 0 ? same_set(theirs, set, source, name)
                                                 : of_project_has_text(of_json_get(sent, "_clear"), name) &&
                                                       count_elements(theirs, source, name) == 0;
}

static void merge_custom_fields(const struct of_merge_in *in, struct of_merge_out *out)
{
    char names[NAMES_MAX][OF_MERGE_FIELD_MAX];
    bool take_theirs[NAMES_MAX] = {false};
    const char *source = in->adapter->name;
    const struct of_json *theirs = of_json_get(in->staged, "customFields");
    const struct of_json *before = of_json_get(in->seen, "customFields");
    const struct of_json *ours = of_json_get(in->row, "customFields");
    const struct of_json *agreed = of_json_get(in->agreed, "customFields");
    if (!theirs) {
        return;
    }
    if (!agreed) {
        agreed = before;
    }
    int n = managed_names(in, names, NAMES_MAX);
    bool write = false;
    bool differs = false; /* agreed from theirs */
    struct of_buf stands = OF_BUF_INIT(MERGE_MAX_BYTES);
    of_buf_char(&stands, '[');
    for (int i = 0; i < n; i++) {
        const char *rule = "";
        bool lost = is_lost_answer(in, theirs, before, names[i]);
        const struct of_json *was = lost ? theirs : before;
        const struct of_json *stood = lost ? theirs : agreed;
        struct facts f = {.name = names[i],
                          .equal = same_set(theirs, ours, source, names[i]),
                          .theirs_empty = count_elements(theirs, source, names[i]) == 0,
                          .ours_empty = count_elements(ours, source, names[i]) == 0,
                          .has_base = was != NULL,
                          .theirs_changed = !same_set(theirs, was, source, names[i]),
                          .ours_changed = !same_set(ours, stood, source, names[i]),
                          .their_list = theirs,
                          .our_list = ours};
        if (lost) {
            note(out, names[i], elements_json(before, source, names[i]), elements_json(theirs, source, names[i]),
                 "sent, its answer was lost", false);
        }
        enum choice choice = decide(in, &f, &rule);
        const struct of_json *base = theirs;
        if (choice == CHOICE_THEIRS) {
            take_theirs[i] = true;
            write = true;
            note(out, names[i], elements_json(ours, source, names[i]), elements_json(theirs, source, names[i]), rule,
                 in->seen != NULL);
        } else if (choice != CHOICE_SAME) {
            base = choice == CHOICE_SETTLED ? stood : choice != CHOICE_OURS ? ours : in->seen ? stood : theirs;
            kept(in, out, choice, &f, rule, elements_json(ours, source, names[i]), elements_json(theirs, source, names[i]));
        }
        differs = differs || !same_set(base, theirs, source, names[i]);
        append_elements(&stands, base, source, names[i]);
    }
    of_buf_char(&stands, ']');
    if (differs) {
        member(&out->agreed, "customFields", of_buf_text(&stands));
    }
    of_buf_done(&stands);
    if (write) {
        patch_custom(in, ours, theirs, names, take_theirs, n, out);
    }
}

/* A relation that was agreed to differ stays so until theirs says something new of it. */
static void carry_relations(const struct of_merge_in *in, struct of_merge_out *out)
{
    static const char *const groups[] = {"_rel", "_many"};
    for (size_t i = 0; i < OF_ARRAY_LEN(groups); i++) {
        struct of_buf b = OF_BUF_INIT(MERGE_MAX_BYTES);
        for (const struct of_json *n = i == 0 ? of_json_first(in->keep_rel) : NULL; n; n = of_json_next(n)) {
            char *value = json_of(n);
            member(&b, of_json_key(n), value);
            of_freep(&value);
        }
        for (const struct of_json *n = of_json_first(of_json_get(in->agreed, groups[i])); n; n = of_json_next(n)) {
            const char *key = of_json_key(n);
            const struct of_json *now = of_json_get(of_json_get(in->staged, groups[i]), key);
            if (!now || of_json_equal(now, of_json_get(of_json_get(in->seen, groups[i]), key))) {
                char *value = json_of(n);
                member(&b, key, value);
                of_freep(&value);
            }
        }
        if (b.len > 0) {
            of_buf_char(&b, '}');
            member(&out->agreed, groups[i], of_buf_text(&b));
        }
        of_buf_done(&b);
    }
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
    carry_relations(in, out);
    out->kept_ours = out->kept_ours || in->rel_goes_out;
    /* a record that came back: what was deleted for this system stands again */
    const char *by = of_json_text(of_json_get(in->row, "deletedBy"));
    if (!of_json_is_null(of_json_get(in->row, "deletedAt")) && by && strncmp(by, "sync:", 5) == 0 &&
        strcmp(by + 5, in->adapter->name) == 0) {
        member(&out->patch, "deletedAt", "null");
        note(out, "deletedAt", json_of(of_json_get(in->row, "deletedAt")), of_strdup("null"), "came back", false);
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
        of_freep(&out->ask[i].detail);
    }
    out->n_notes = out->n_ask = 0;
}

/* --- after the write --- */

void of_merge_after(const struct of_type_sql *sql, const struct of_json *patch, const struct of_json *before,
                    const struct of_json *after, struct of_buf *agreed, bool *ret_ours)
{
    OF_CLEANUP(of_json_freep) struct of_json *old = NULL;
    struct of_buf respelled = OF_BUF_INIT(MERGE_MAX_BYTES);
    for (int i = 0; i < sql->n_columns; i++) {
        const struct of_entity_column *c = &sql->columns[i];
        const struct of_json *wrote = of_json_get(patch, c->name);
        const struct of_json *stands = of_json_get(after, c->name);
        if (c->from_parent || same(wrote ? wrote : of_json_get(before, c->name), stands, c)) {
            continue;
        }
        if (!wrote || says_nothing(wrote, c)) {
            *ret_ours = true; /* what a trigger says where nobody said anything is ours */
            continue;
        }
        char *value = json_of(stands);
        member(&respelled, c->name, value);
        of_freep(&value);
    }
    if (respelled.len == 0) {
        return;
    }
    struct of_err ignored = OF_ERR_INIT;
    if (agreed->len > 0 && of_json_parse(of_buf_text(agreed), agreed->len, MERGE_MAX_BYTES, &old, &ignored) == OF_OK) {
        /* no field stands in both: what was written is agreed as theirs */
        for (const struct of_json *n = of_json_first(old); n; n = of_json_next(n)) {
            char *value = json_of(n);
            member(&respelled, of_json_key(n), value);
            of_freep(&value);
        }
    }
    of_buf_char(&respelled, '}');
    of_buf_done(agreed);
    *agreed = respelled;
}

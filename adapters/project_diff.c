/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/project.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapters/jsonapi.h"
#include "adapters/project_parts.h"

#define SENT_MAX_BYTES (8U << 20)

static unsigned verb_of(bool is_new)
{
    return is_new ? OF_VERB_CREATE : OF_VERB_UPDATE;
}

/* --- what has to be sent --- */

struct diffing {
    const struct of_adapter *adapter;
    const struct of_type *type;
    const struct of_json *ours, *seen, *agreed;
    bool is_new;
    struct of_members m;
    struct of_buf clear; /* names in quotes, commas between */
    struct of_buf *fields;
    int n;
};

static void name_field(struct diffing *d, const char *prefix, const char *name)
{
    d->n++;
    if (d->fields) {
        of_buf_fmt(d->fields, "%s%s\n", prefix, name);
    }
}

static const struct of_json *base_of(const struct of_json *agreed, const struct of_json *seen, const char *group, const char *key)
{
    const struct of_json *node = of_json_get(group ? of_json_get(agreed, group) : agreed, key);
    return node ? node : of_json_get(group ? of_json_get(seen, group) : seen, key);
}

static bool differs(const struct diffing *d, const struct of_field *field, const struct of_json *ours, const struct of_json *base)
{
    if (d->is_new) {
        return !of_project_empty(ours, false);
    }
    return base && !(field->flags & OF_FIELD_CREATE_ONLY) &&
           !of_project_same(field, of_project_not_null(d->type, field), ours, base);
}

static bool is_column(const struct of_field *field, const char *name)
{
    return field->column && strcmp(field->column, name) == 0;
}

/* Is status sent? What theirs sets by it is not sent beside it. */
static bool sends_status(const struct diffing *d)
{
    for (const struct of_field *f = d->type->fields; f->attr; f++) {
        const struct of_json *ours = of_json_get(d->ours, "status");
        if (is_column(f, "status") && !(f->flags & OF_FIELD_READ_ONLY) && ours) {
            return differs(d, f, ours, base_of(d->agreed, d->seen, NULL, "status"));
        }
    }
    return false;
}

static void diff_columns(struct diffing *d)
{
    bool status = sends_status(d);
    for (const struct of_field *f = d->type->fields; f->attr; f++) {
        const struct of_json *ours = f->column ? of_json_get(d->ours, f->column) : NULL;
        if (!ours || (f->flags & OF_FIELD_READ_ONLY) || (status && (f->flags & OF_FIELD_BY_STATUS))) {
            continue;
        }
        if (differs(d, f, ours, base_of(d->agreed, d->seen, NULL, f->column))) {
            of_members_node(&d->m, f->column, ours);
            name_field(d, "", f->column);
        }
    }
}

/* The body whose customFields are what was agreed on; NULL: neither has any. */
static const struct of_json *custom_base(const struct of_json *agreed, const struct of_json *seen)
{
    return of_json_get(agreed, "customFields") ? agreed : of_json_get(seen, "customFields") ? seen : NULL;
}

/* One name: the element to send, or its clearing. */
static void diff_custom(struct diffing *d, const struct of_field *field, const char *attr, bool *any)
{
    char name[OF_PROJECT_NAME_MAX];
    (void)of_project_name(d->adapter, attr, name);
    const struct of_json *base_body = custom_base(d->agreed, d->seen);
    const struct of_json *ours = of_project_element(d->ours, d->adapter->name, name);
    const struct of_json *base = of_project_element(base_body, d->adapter->name, name);
    if ((!d->is_new && !base_body) || of_project_has_text(of_json_get(d->ours, "_skip"), name) || (!ours && (d->is_new || !base)) ||
        (!d->is_new && of_project_same(field, false, of_json_get(ours, "value"), of_json_get(base, "value")))) {
        return;
    }
    name_field(d, "", name);
    if (!ours) {
        of_buf_str(&d->clear, d->clear.len > 0 ? "," : "");
        of_buf_json_str(&d->clear, name);
        return;
    }
    if (!*any) {
        of_members_key(&d->m, "customFields");
    }
    of_buf_char(d->m.out, *any ? ',' : '[');
    *any = true;
    of_json_write(d->m.out, ours);
}

static void diff_customs(struct diffing *d)
{
    bool any = false;
    for (const struct of_field *f = d->type->fields; f->attr; f++) {
        if (!f->column && !(f->flags & (OF_FIELD_READ_ONLY | OF_FIELD_TRUE_ONLY)) &&
            (d->is_new || !(f->flags & OF_FIELD_CREATE_ONLY))) {
            diff_custom(d, f, f->attr, &any);
        }
    }
    for (const struct of_relation *r = d->type->relations; r && r->key; r++) {
        if (r->kind == OF_REL_VALUE && (r->writes & verb_of(d->is_new))) {
            diff_custom(d, NULL, r->key, &any);
        }
    }
    if (any) {
        of_buf_char(d->m.out, ']');
    }
}

/* The relationship that a value is sent as goes along with the element. */
static bool goes_along(const struct diffing *d, const struct of_relation *r, const struct of_json *ours)
{
    char name[OF_PROJECT_NAME_MAX];
    (void)of_project_name(d->adapter, r->key, name);
    const struct of_json *element = of_project_element(d->ours, d->adapter->name, name);
    const struct of_json *base = of_project_element(custom_base(d->agreed, d->seen), d->adapter->name, name);
    return ours && element &&
           (d->is_new || (custom_base(d->agreed, d->seen) &&
                          !of_project_same(NULL, false, of_json_get(element, "value"), of_json_get(base, "value"))));
}

static void diff_to_ones(struct diffing *d)
{
    struct of_members m = {.out = NULL};
    for (const struct of_relation *r = d->type->relations; r && r->key; r++) {
        const struct of_json *ours = of_json_get(of_json_get(d->ours, "_rel"), r->key);
        const struct of_json *base = base_of(d->agreed, d->seen, "_rel", r->key);
        bool value = r->kind == OF_REL_VALUE;
        if (!ours || !(r->writes & verb_of(d->is_new)) ||
            (value ? !goes_along(d, r, ours)
                   : d->is_new ? of_json_is_null(ours) : !base || of_project_same(NULL, false, ours, base))) {
            continue;
        }
        if (!m.out) {
            of_members_key(&d->m, "_rel");
            of_members_open(&m, d->m.out);
        }
        of_members_node(&m, r->key, ours);
        if (!value) {
            name_field(d, "_rel.", r->key);
        }
    }
    if (m.out) {
        of_members_close(&m);
    }
}

static void diff_to_manys(struct diffing *d)
{
    struct of_members m = {.out = NULL};
    for (const struct of_relation *r = d->type->relations; r && r->key; r++) {
        const struct of_json *ours = of_json_get(of_json_get(d->ours, "_many"), r->key);
        const struct of_json *base = base_of(d->agreed, d->seen, "_many", r->key);
        if (!ours || r->kind != OF_REL_EDGES || !(r->writes & verb_of(d->is_new)) ||
            (d->is_new ? of_json_len(ours) == 0 : !base || of_json_equal(ours, base))) {
            continue;
        }
        if (!m.out) {
            of_members_key(&d->m, "_many");
            of_members_open(&m, d->m.out);
        }
        of_members_node(&m, r->key, ours);
        name_field(d, "_many.", r->key);
    }
    if (m.out) {
        of_members_close(&m);
    }
}

void of_project_diff(const struct of_adapter *adapter, const struct of_type *type, const struct of_json *ours,
                     const struct of_json *seen, const struct of_json *agreed, bool is_new, struct of_buf *body, int *ret_n,
                     struct of_buf *fields)
{
    struct diffing d = {.adapter = adapter, .type = type, .ours = ours, .seen = seen, .agreed = agreed, .is_new = is_new,
                        .fields = fields, .clear = OF_BUF_INIT(SENT_MAX_BYTES)};
    size_t before = body->len;
    of_members_open(&d.m, body);
    diff_columns(&d);
    if (type->kind == OF_KIND_ENTITY) {
        diff_customs(&d);
    }
    diff_to_ones(&d);
    diff_to_manys(&d);
    if (d.clear.len > 0) {
        of_members_key(&d.m, "_clear");
        of_buf_fmt(body, "[%s]", of_buf_text(&d.clear));
    }
    of_members_close(&d.m);
    if (d.n == 0 && !body->bad) {
        body->len = before;
        body->data[before] = '\0';
    }
    of_buf_done(&d.clear);
    *ret_n = d.n;
}

/* --- what was not held --- */

struct holding {
    const struct of_adapter *adapter;
    const struct of_type *type;
    const struct of_json *sent, *answer;
    bool as_made; /* is it the record that was made of it? What others may have changed since does not count. */
    struct of_buf *fields;
    int n;
};

static void lost(struct holding *h, const char *prefix, const char *name)
{
    h->n++;
    if (h->fields) {
        of_buf_fmt(h->fields, "%s%s\n", prefix, name);
    }
}

/* Of what was made of nothing they say nothing either, or it is somebody else's. */
static bool says_more(const struct holding *h, const struct of_field *f)
{
    return h->as_made && h->sent && !of_json_first(h->sent) && f->column && !(f->flags & (OF_FIELD_READ_ONLY | OF_FIELD_DERIVED)) &&
           !of_project_empty(of_json_get(h->answer, f->column), false);
}

static void hold_columns(struct holding *h)
{
    for (const struct of_field *f = h->type->fields; f->attr; f++) {
        const struct of_json *sent = f->column ? of_json_get(h->sent, f->column) : NULL;
        if (says_more(h, f)) {
            lost(h, "", f->column);
        }
        if (!sent || (f->flags & OF_FIELD_READ_ONLY) || (h->as_made && (f->flags & OF_FIELD_TRUE_ONLY))) {
            continue;
        }
        const char *word = h->as_made && h->adapter->word ? h->adapter->word(h->type, f, sent) : NULL;
        const char *theirs = word ? of_json_text(of_json_get(h->answer, f->column)) : NULL;
        bool is_word = theirs && strcasecmp(theirs, word) == 0; /* sent in its place */
        if (!is_word && !of_project_held(f, sent, of_json_get(h->answer, f->column))) {
            lost(h, "", f->column);
        }
    }
}

static void hold_custom(struct holding *h, const struct of_field *field, const char *attr)
{
    char name[OF_PROJECT_NAME_MAX];
    (void)of_project_name(h->adapter, attr, name);
    const struct of_json *sent = of_project_element(h->sent, h->adapter->name, name);
    const struct of_json *answer = of_project_element(h->answer, h->adapter->name, name);
    bool cleared = of_project_has_text(of_json_get(h->sent, "_clear"), name);
    if (!sent && !cleared) {
        return;
    }
    /* the record that a relationship names may come minutes later: no element says nothing then */
    if (!field && !answer) {
        return;
    }
    if (cleared ? answer != NULL : !of_project_held(field, of_json_get(sent, "value"), of_json_get(answer, "value"))) {
        lost(h, "", name);
    }
}

static void hold_to_one(struct holding *h, const struct of_relation *r)
{
    const struct of_json *sent = of_json_get(of_json_get(h->sent, "_rel"), r->key);
    const struct of_json *answer = of_json_get(of_json_get(h->answer, "_rel"), r->key);
    if (sent && answer && !of_project_same(NULL, false, sent, answer)) {
        lost(h, "_rel.", r->key);
    }
}

/* They may have more (somebody joined meanwhile), not less. */
static void hold_to_many(struct holding *h, const struct of_relation *r)
{
    const struct of_json *sent = of_json_get(of_json_get(h->sent, "_many"), r->key);
    const struct of_json *answer = of_json_get(of_json_get(h->answer, "_many"), r->key);
    if (!answer || of_json_type(sent) != OF_JSON_ARRAY) {
        return;
    }
    for (const struct of_json *e = of_json_first(sent); e; e = of_json_next(e)) {
        const char *id = of_json_text(e);
        if (id && !of_project_has_text(answer, id)) {
            lost(h, "_many.", r->key);
            return;
        }
    }
}

static void hold_all(struct holding *h)
{
    hold_columns(h);
    for (const struct of_field *f = h->type->fields; f->attr && h->type->kind == OF_KIND_ENTITY; f++) {
        if (!f->column && !(f->flags & OF_FIELD_READ_ONLY)) {
            hold_custom(h, f, f->attr);
        }
    }
    for (const struct of_relation *r = h->type->relations; r && r->key; r++) {
        if (r->kind == OF_REL_VALUE) {
            hold_custom(h, NULL, r->key);
        } else if (r->kind == OF_REL_EDGES) {
            hold_to_many(h, r);
        } else if (r->kind != OF_REL_CHILDREN) {
            hold_to_one(h, r);
        }
    }
}

int of_project_dropped(const struct of_adapter *adapter, const struct of_type *type, const struct of_json *sent,
                       const struct of_json *answer, struct of_buf *fields)
{
    struct holding h = {.adapter = adapter, .type = type, .sent = sent, .answer = answer, .fields = fields};
    hold_all(&h);
    return h.n;
}

bool of_project_is_created_by(const struct of_adapter *adapter, const struct of_type *type, const struct of_json *sent,
                              const struct of_record *record)
{
    OF_CLEANUP(of_json_freep) struct of_json *answer = NULL;
    if (record->type != type || of_json_parse(record->body, record->body_len, SENT_MAX_BYTES, &answer, NULL) != OF_OK) {
        return false;
    }
    struct holding h = {.adapter = adapter, .type = type, .sent = sent, .answer = answer, .as_made = true};
    hold_all(&h);
    return h.n == 0;
}

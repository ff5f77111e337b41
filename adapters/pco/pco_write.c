/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pco/pco_int.h"

#include <string.h>
#include <strings.h>

#include "adapters/jsonapi.h"
#include "adapters/project_parts.h"

/* Requests that change something. The tables say what may go into a body; what is peculiar to a type is in the list below. */

#define PART_MAX_BYTES (8U << 20)

/* Attributes that take certain words only. Another word of ours is sent as `other` (and a person is told, since the answer does not
 * hold what was sent); where ours says nothing, a create that needs one says `missing`, which then comes back with the answer. */
static const struct {
    const char *type, *attr;
    const char *const *words;
    const char *other, *missing;
} choices[] = {
    {"PhoneNumber", "location", (const char *const[]){"Mobile", "Home", "Work", "Other", NULL}, "Other", "Mobile"},
    {"Membership", "role", (const char *const[]){"member", "leader", NULL}, "member", NULL},
    /* shown to nobody who was not meant */
    {"Fund", "visibility", (const char *const[]){"everywhere", "admin_only", "nowhere", "hidden", NULL}, "admin_only", "admin_only"},
};

/* Relations that are sent as an attribute, since the relationship form was refused at times. */
static const struct {
    const char *type, *key, *attr;
} as_attributes[] = {
    {"Membership", "person", "person_id"},
    {"FieldDatum", "field_definition", "field_definition_id"},
};

struct writing {
    const struct of_write *w;
    struct of_members attributes, relationships;
    struct of_buf attribute_text, relationship_text;
    char lacks[64]; /* what a create needs and has not */
};

static void lack(struct writing *x, const char *name)
{
    if (x->lacks[0] == '\0') {
        (void)of_strcopy(x->lacks, sizeof(x->lacks), name);
    }
}

static bool is_create(const struct writing *x)
{
    return x->w->verb == OF_VERB_CREATE;
}

/* --- attributes --- */

static const char *sent_attr(const struct of_field *field)
{
    return field->fallback ? field->fallback : field->attr;
}

static bool may_send(const struct writing *x, const struct of_field *field)
{
    return !(field->flags & (OF_FIELD_READ_ONLY | OF_FIELD_DERIVED)) &&
           (is_create(x) || !(field->flags & OF_FIELD_CREATE_ONLY));
}

/* The word to send where only some are taken; NULL: the value goes as it is. */
static const char *chosen(const struct of_type *type, const struct of_field *field, const struct of_json *node, bool create)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(choices); i++) {
        if (strcmp(choices[i].type, type->name) != 0 || strcmp(choices[i].attr, field->attr) != 0) {
            continue;
        }
        const char *text = of_json_text(node);
        if (of_project_empty(node, false)) {
            return create ? choices[i].missing : NULL;
        }
        for (const char *const *word = choices[i].words; text && *word; word++) {
            if (strcasecmp(*word, text) == 0) {
                return *word;
            }
        }
        return choices[i].other;
    }
    return NULL;
}

const char *of_pco_word(const struct of_type *type, const struct of_field *field, const struct of_json *value)
{
    return chosen(type, field, value, true);
}

static void put_columns(struct writing *x)
{
    for (const struct of_field *f = x->w->type->fields; f->attr; f++) {
        const struct of_json *node = f->column ? of_json_get(x->w->body, f->column) : NULL;
        if (!f->column || !may_send(x, f)) {
            continue;
        }
        const char *word = node || is_create(x) ? chosen(x->w->type, f, node, is_create(x)) : NULL;
        if (word || node) {
            of_members_key(&x->attributes, sent_attr(f));
        }
        if (word) {
            of_buf_json_str(x->attributes.out, word);
        } else if (node) {
            of_project_theirs(x->attributes.out, x->w->type, f, node);
        } else if (is_create(x) && (f->flags & OF_FIELD_REQUIRED)) {
            lack(x, sent_attr(f));
        }
    }
    if (is_create(x) && strcmp(x->w->type->name, "HouseholdMembership") == 0) { /* else they may write to the person and ask */
        of_members_key(&x->attributes, "pending");
        of_buf_str(x->attributes.out, "false");
    }
}

static void put_customs(struct writing *x)
{
    char name[OF_PROJECT_NAME_MAX];
    for (const struct of_field *f = x->w->type->fields; f->attr; f++) {
        if (f->column || !may_send(x, f)) {
            continue;
        }
        (void)of_project_name(x->w->type->adapter, f->attr, name);
        const struct of_json *e = of_project_element(x->w->body, x->w->type->adapter->name, name);
        if (e || of_project_has_text(of_json_get(x->w->body, "_clear"), name)) {
            of_members_key(&x->attributes, f->attr);
            of_project_theirs(x->attributes.out, x->w->type, f, of_json_get(e, "value"));
        }
    }
}

/* --- relationships --- */

static const char *bare_id(const struct of_json *ref)
{
    const char *text = of_json_text(ref);
    const char *slash = text ? strchr(text, '/') : NULL;
    return slash && slash[1] != '\0' ? slash + 1 : NULL;
}

/* What they call the type of the other end. */
static const char *linkage_type(const struct of_relation *r)
{
    return strcmp(r->key, "primary_campus") == 0 ? "PrimaryCampus" : r->target;
}

static void put_identifier(struct of_buf *out, const struct of_relation *r, const char *id)
{
    of_buf_fmt(out, "{\"type\":\"%s\",\"id\":", linkage_type(r));
    of_buf_json_str(out, id);
    of_buf_char(out, '}');
}

static void put_to_one(struct writing *x, const struct of_relation *r, const char *id)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(as_attributes); i++) {
        if (strcmp(as_attributes[i].type, x->w->type->name) == 0 && strcmp(as_attributes[i].key, r->key) == 0) {
            of_members_key(&x->attributes, as_attributes[i].attr);
            of_buf_json_str(x->attributes.out, id);
            return;
        }
    }
    struct of_buf *out = x->relationships.out;
    of_members_key(&x->relationships, r->key);
    of_buf_str(out, "{\"data\":");
    if (id) {
        put_identifier(out, r, id);
    } else {
        of_buf_str(out, "null");
    }
    of_buf_char(out, '}');
}

static void put_to_many(struct writing *x, const struct of_relation *r, const struct of_json *refs)
{
    struct of_buf *out = x->relationships.out;
    const struct of_json *contact = of_json_get(of_json_get(x->w->body, "_rel"), "primary_contact");
    bool first = true;
    of_members_key(&x->relationships, r->key);
    of_buf_str(out, "{\"data\":[");
    for (const struct of_json *e = of_json_first(refs); e; e = of_json_next(e)) {
        const char *id = bare_id(e);
        if (id) {
            of_buf_str(out, first ? "" : ",");
            put_identifier(out, r, id);
            first = false;
        }
    }
    if (bare_id(contact) && !of_project_has_text(refs, of_json_text(contact))) { /* must be one of them */
        of_buf_str(out, first ? "" : ",");
        put_identifier(out, r, bare_id(contact));
    }
    of_buf_str(out, "]}");
}

static void put_value_relation(struct writing *x, const struct of_relation *r, const struct of_json *node)
{
    char name[OF_PROJECT_NAME_MAX];
    (void)of_project_name(x->w->type->adapter, r->key, name);
    if (bare_id(node)) {
        put_to_one(x, r, bare_id(node));
    } else if (of_project_has_text(of_json_get(x->w->body, "_clear"), name)) {
        put_to_one(x, r, NULL);
    }
}

static void put_relation(struct writing *x, const struct of_relation *r)
{
    const struct of_type *type = x->w->type;
    const struct of_json *node = of_json_get(of_json_get(x->w->body, "_rel"), r->key);
    bool is_parent = type->create_parent && strcmp(type->create_parent, r->key) == 0;
    if (!(r->writes & x->w->verb) || is_parent) {
        return;
    }
    if (r->kind == OF_REL_VALUE) {
        put_value_relation(x, r, node);
        return;
    }
    if (r->kind == OF_REL_EDGES) {
        const struct of_json *refs = of_json_get(of_json_get(x->w->body, "_many"), r->key);
        if (of_json_type(refs) == OF_JSON_ARRAY && refs) {
            put_to_many(x, r, refs);
        }
        if (is_create(x) && r->required && of_json_len(refs) == 0) {
            lack(x, r->key);
        }
        return;
    }
    const char *id = bare_id(node);
    if (id || (node && !is_create(x))) {
        put_to_one(x, r, id);
    } else if (is_create(x) && r->required) {
        lack(x, r->key);
    }
}

static void put_parts(struct writing *x)
{
    x->attribute_text = OF_BUF_INIT(PART_MAX_BYTES);
    x->relationship_text = OF_BUF_INIT(PART_MAX_BYTES);
    of_members_open(&x->attributes, &x->attribute_text);
    of_members_open(&x->relationships, &x->relationship_text);
    put_columns(x);
    if (x->w->type->kind == OF_KIND_ENTITY) {
        put_customs(x);
    }
    for (const struct of_relation *r = x->w->type->relations; r && r->key; r++) {
        put_relation(x, r);
    }
    of_members_close(&x->attributes);
    of_members_close(&x->relationships);
}

static void parts_done(struct writing *x)
{
    of_buf_done(&x->attribute_text);
    of_buf_done(&x->relationship_text);
}

static void put_parts_text(const struct writing *x, struct of_buf *body)
{
    of_buf_fmt(body, "{\"type\":\"%s\"", x->w->type->name);
    if (x->w->verb == OF_VERB_UPDATE) {
        of_buf_str(body, ",\"id\":");
        of_buf_json_str(body, x->w->id);
    }
    of_buf_str(body, ",\"attributes\":");
    of_buf_str(body, of_buf_text(&x->attribute_text));
    if (x->relationships.any) {
        of_buf_str(body, ",\"relationships\":");
        of_buf_str(body, of_buf_text(&x->relationship_text));
    }
    of_buf_char(body, '}');
}

/* --- what travels inside --- */

/* A designation: its amount and its fund, whatever its type says of being written alone. */
static bool put_inner(const struct of_adapter *adapter, const struct of_json *record, struct of_buf *body, char lacks[64])
{
    const struct of_type *type = of_type_find(adapter, of_json_text(of_json_get(record, "type")));
    const struct of_write inner = {.verb = OF_VERB_CREATE, .type = type, .body = of_json_get(record, "body")};
    struct writing x = {.w = &inner};
    if (!type) {
        (void)of_strcopy(lacks, 64, "a known type");
        return false;
    }
    put_parts(&x);
    put_parts_text(&x, body);
    (void)of_strcopy(lacks, 64, x.lacks);
    parts_done(&x);
    return lacks[0] == '\0';
}

static enum of_code put_included(const struct of_write *w, struct of_buf *body, struct of_err *err)
{
    if (of_json_len(w->with) == 0) {
        return strcmp(w->type->name, "Donation") == 0 && w->verb == OF_VERB_CREATE
                   ? of_err_set(err, OF_E_INVALID, "Donation lacks a Designation")
                   : OF_OK;
    }
    of_buf_str(body, ",\"included\":[");
    for (const struct of_json *e = of_json_first(w->with); e; e = of_json_next(e)) {
        char lacks[64] = "";
        of_buf_str(body, e == of_json_first(w->with) ? "" : ",");
        if (!put_inner(w->type->adapter, e, body, lacks)) {
            return of_err_set(err, OF_E_INVALID, "what travels inside %s lacks %s", w->type->name, lacks);
        }
    }
    of_buf_char(body, ']');
    return OF_OK;
}

/* --- requests --- */

/* Answers must show what was sent: values of relations, people of a household, and what travelled inside. */
static void put_write_includes(const struct of_write *w, struct of_buf *target)
{
    bool first = true;
    for (const struct of_relation *r = w->type->relations; r && r->key; r++) {
        bool wanted = r->kind == OF_REL_VALUE || r->kind == OF_REL_EDGES || (r->kind == OF_REL_CHILDREN && w->with);
        if (r->include && wanted) {
            of_buf_str(target, first ? "?include=" : ",");
            of_buf_str(target, r->include);
            first = false;
        }
    }
}

static const char *parent_of(const struct of_write *w)
{
    const char *key = w->type->create_parent;
    return w->parent ? w->parent : key ? bare_id(of_json_get(of_json_get(w->body, "_rel"), key)) : NULL;
}

static enum of_code put_target(const struct of_write *w, struct of_buf *target, struct of_err *err)
{
    bool create = w->verb == OF_VERB_CREATE;
    const char *path = create && w->type->create_path ? w->type->create_path : w->type->path;
    if (!of_pco_put_path(path, parent_of(w), target)) {
        return of_err_set(err, OF_E_INVALID, "%s lacks its %s", w->type->name,
                          w->type->create_parent ? w->type->create_parent : "parent");
    }
    if (!create) {
        of_buf_char(target, '/');
        of_buf_url(target, w->id);
    }
    if (w->verb != OF_VERB_DELETE) {
        put_write_includes(w, target);
    }
    return OF_OK;
}

/* Their own payment source belongs to what their own pages took in. */
static bool is_built_in(const struct of_write *w)
{
    static const char built_in[] = "planning_center";
    const char *source = bare_id(of_json_get(of_json_get(w->body, "_rel"), "payment_source"));
    return (source && strcmp(source, built_in) == 0) ||
           (w->id && strcmp(w->type->name, "PaymentSource") == 0 && strcmp(w->id, built_in) == 0);
}

static enum of_code check(const struct of_write *w, struct of_err *err)
{
    if (!(w->type->verbs & w->verb)) {
        return of_err_set(err, OF_E_INVALID, "%s: %s", w->type->name, w->type->cannot ? w->type->cannot : "not possible there");
    }
    if (w->verb != OF_VERB_CREATE && (!w->id || w->id[0] == '\0')) {
        return of_err_set(err, OF_E_INVALID, "%s: no id", w->type->name);
    }
    if (w->verb == OF_VERB_UPDATE && of_json_type(w->body) != OF_JSON_OBJECT) {
        return of_err_set(err, OF_E_INVALID, "%s: nothing to send", w->type->name);
    }
    return is_built_in(w) ? of_err_set(err, OF_E_INVALID, "the built-in payment source cannot be used by others") : OF_OK;
}

static enum of_code put_body(const struct of_write *w, struct of_buf *body, struct of_err *err)
{
    struct writing x = {.w = w};
    put_parts(&x);
    enum of_code code = OF_OK;
    if (x.lacks[0] != '\0') {
        code = of_err_set(err, OF_E_INVALID, "%s lacks %s", w->type->name, x.lacks);
    } else if (!is_create(&x) && !x.attributes.any && !x.relationships.any) {
        code = of_err_set(err, OF_E_INVALID, "%s: nothing to send", w->type->name);
    } else if (x.attribute_text.bad || x.relationship_text.bad) {
        code = of_err_set(err, OF_E_TOO_LARGE, "%s: too large to send", w->type->name);
    } else {
        of_buf_str(body, "{\"data\":");
        put_parts_text(&x, body);
        code = put_included(w, body, err);
        of_buf_char(body, '}');
    }
    parts_done(&x);
    return code;
}

enum of_code of_pco_write_request(const struct of_write *w, of_scope scope, const char **ret_method, struct of_buf *target,
                                  struct of_buf *body, struct of_err *err)
{
    (void)scope;
    OF_TRY(check(w, err));
    OF_TRY(put_target(w, target, err));
    if (w->verb == OF_VERB_DELETE) {
        *ret_method = "DELETE";
        return OF_OK;
    }
    *ret_method = w->verb == OF_VERB_CREATE ? "POST" : "PATCH";
    return put_body(w, body, err);
}

/* Records below a parent are few: all of its list. Else what was created since, where they can tell. */
void of_pco_recent_target(const struct of_type *type, of_scope scope, const char *parent, struct of_wall since, int64_t offset,
                          struct of_buf *out)
{
    bool below = type->list == OF_LIST_WITH || type->list == OF_LIST_PER_PARENT;
    struct of_list_pos pos = {.by = below ? OF_LIST_OFFSET : type->list, .has_from = !below && type->list != OF_LIST_OFFSET,
                              .from = since, .offset = offset, .per_page = 100, .parent = parent};
    struct of_type at = *type;
    if (below && type->create_path) {
        at.path = type->create_path;
    }
    of_pco_list_target(&at, scope, &pos, out);
}

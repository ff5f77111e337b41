/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/mapping.h"

#include <stdio.h>
#include <string.h>

#include "adapters/mapping_int.h"
#include "adapters/match.h"

static uint32_t hash_text(const char *s)
{
    uint32_t h = 2166136261U;
    for (; *s; s++) {
        h = (h ^ (unsigned char)*s) * 16777619U;
    }
    return h ^ h >> 16;
}

static unsigned char find_attr(const struct of_plan *plan, const char *attr)
{
    for (uint32_t at = hash_text(attr);; at++) {
        unsigned char i = plan->slots[at % OF_MAP_SLOTS];
        if (i == OF_MAP_NONE || strcmp(plan->attrs[i], attr) == 0) {
            return i;
        }
    }
}

static unsigned char add_attr(struct of_plan *plan, const char *attr)
{
    unsigned char known = find_attr(plan, attr);
    if (known != OF_MAP_NONE) {
        return known;
    }
    OF_BUG_ON(plan->n_attrs == OF_MAP_ATTRS_MAX);
    uint32_t at = hash_text(attr);
    while (plan->slots[at % OF_MAP_SLOTS] != OF_MAP_NONE) {
        at++;
    }
    plan->slots[at % OF_MAP_SLOTS] = (unsigned char)plan->n_attrs;
    plan->attrs[plan->n_attrs] = attr;
    return (unsigned char)plan->n_attrs++;
}

void of_plan_init(struct of_plan *plan, const struct of_type *type)
{
    plan->type = type;
    plan->n_attrs = 0;
    memset(plan->slots, OF_MAP_NONE, sizeof(plan->slots));
    plan->created = add_attr(plan, "created_at");
    plan->updated = add_attr(plan, "updated_at");
    for (size_t i = 0; type->fields[i].attr; i++) {
        OF_BUG_ON(i == OF_MAP_ATTRS_MAX);
        plan->field[i] = add_attr(plan, type->fields[i].attr);
        plan->other[i] = type->fields[i].fallback ? add_attr(plan, type->fields[i].fallback) : OF_MAP_NONE;
    }
    for (size_t i = 0; type->relations && type->relations[i].key; i++) {
        OF_BUG_ON(i == OF_MAP_ATTRS_MAX);
        (void)snprintf(plan->rel_keys[i], sizeof(plan->rel_keys[i]), "%s_id", type->relations[i].key);
        plan->rel_attr[i] = add_attr(plan, plan->rel_keys[i]);
    }
    bool person = type->match == OF_MATCH_PERSON;
    plan->nickname = person ? add_attr(plan, "nickname") : OF_MAP_NONE;
    plan->given_name = person ? add_attr(plan, "given_name") : OF_MAP_NONE;
}

bool of_mapping_bad(struct of_mapping *m, const char *place, const char *key, const char *words)
{
    (void)snprintf(m->out->cause, sizeof(m->out->cause), "%s%s: %s", place, key, words);
    return false;
}

bool of_map_time(const struct of_json *node, const char *attr, struct of_wall *ret)
{
    const char *text = of_json_text(of_json_get(of_json_get(node, "attributes"), attr));
    return text && of_time_parse(text, ret);
}

static bool read_attributes(struct of_mapping *m)
{
    const struct of_json *attributes = of_json_get(m->in->node, "attributes");
    if (of_json_type(attributes) != OF_JSON_OBJECT) {
        return of_mapping_bad(m, "$.attributes", "", attributes ? "expected object" : "missing");
    }
    for (const struct of_json *a = of_json_first(attributes); a; a = of_json_next(a)) {
        unsigned char i = find_attr(m->in->plan, of_json_key(a));
        if (i != OF_MAP_NONE) {
            m->vals[i] = a;
        }
    }
    m->relationships = of_json_get(m->in->node, "relationships");
    if (!of_json_is_null(m->relationships) && of_json_type(m->relationships) != OF_JSON_OBJECT) {
        return of_mapping_bad(m, "$.relationships", "", "expected object");
    }
    return true;
}

static bool read_time(struct of_mapping *m, unsigned char attr, bool *ret_has, struct of_wall *ret)
{
    const struct of_json *node = m->vals[attr];
    *ret_has = false;
    if (of_json_is_null(node)) {
        return true;
    }
    const char *text = of_json_text(node);
    if (!text || !of_time_parse(text, ret)) {
        return of_mapping_bad(m, "$.attributes.", m->in->plan->attrs[attr], "expected date and time");
    }
    *ret_has = true;
    return true;
}

/* The attribute of field i, or its fallback where that is null; NULL: neither was sent. */
static const struct of_json *field_node(const struct of_mapping *m, size_t i)
{
    const struct of_plan *plan = m->in->plan;
    const struct of_json *node = m->vals[plan->field[i]];
    if (of_json_is_null(node) && plan->other[i] != OF_MAP_NONE && m->vals[plan->other[i]]) {
        return m->vals[plan->other[i]];
    }
    return node;
}

static bool write_value(struct of_mapping *m, const struct of_field *field, const struct of_json *node, bool *ret_null)
{
    const char *expected = NULL;
    return of_mapping_value(m->out->body, field, node, ret_null, &expected) ||
           of_mapping_bad(m, "$.attributes.", field->attr, expected);
}

void of_mapping_member(struct of_buf *out, const char *name)
{
    of_buf_str(out, out->len > 1 ? ",\"" : "\"");
    of_buf_str(out, name);
    of_buf_str(out, "\":");
}

static bool write_columns(struct of_mapping *m)
{
    struct of_buf *out = m->out->body;
    const struct of_type *type = m->in->plan->type;
    for (size_t i = 0; type->fields[i].attr; i++) {
        const struct of_field *field = &type->fields[i];
        const struct of_json *node = field->column ? field_node(m, i) : NULL;
        if (!node) {
            continue;
        }
        of_mapping_member(out, field->column);
        bool null = of_json_is_null(node);
        if (!null && !write_value(m, field, node, &null)) {
            return false;
        }
        if (null) {
            of_buf_str(out, "null");
        }
        if (type->match_column && strcmp(type->match_column, field->column) == 0) {
            m->out->match_text = of_json_text(node);
        }
    }
    if (type->folder_type) {
        of_mapping_member(out, "folderType");
        of_buf_json_str(out, type->folder_type);
    }
    for (const struct of_constant *c = type->constants; c && c->column; c++) {
        of_mapping_member(out, c->column);
        of_buf_json_str(out, of_constant_value(type, c));
    }
    return true;
}

static bool write_customs(struct of_mapping *m)
{
    struct of_buf *out = m->out->body;
    const struct of_type *type = m->in->plan->type;
    const char *adapter = m->in->adapter->name;
    bool first = true;
    of_mapping_member(out, "customFields");
    of_buf_char(out, '[');
    for (size_t i = 0; type->fields[i].attr; i++) {
        const struct of_field *field = &type->fields[i];
        const struct of_json *node = field->column ? NULL : field_node(m, i);
        if (of_json_is_null(node)) {
            continue;
        }
        size_t before = out->len;
        bool was_first = first;
        of_mapping_custom_open(out, &first, of_mapping_tag(field, node), adapter, field->attr);
        bool null = false;
        if (!write_value(m, field, node, &null)) {
            return false;
        }
        if (null) {
            out->len = before;
            first = was_first;
            continue;
        }
        of_buf_char(out, '}');
    }
    if (!of_mapping_rel_values(m, &first)) {
        return false;
    }
    of_buf_char(out, ']');
    return true;
}

/* The text of a column's attribute, for match keys. */
static const char *column_text(const struct of_mapping *m, const char *column)
{
    const struct of_field *fields = m->in->plan->type->fields;
    for (size_t i = 0; fields[i].attr; i++) {
        if (fields[i].column && strcmp(fields[i].column, column) == 0) {
            return of_json_text(m->vals[m->in->plan->field[i]]);
        }
    }
    return NULL;
}

static void person_keys(const struct of_mapping *m)
{
    struct of_buf *keys = m->out->match;
    const char *last = column_text(m, "lastName");
    const char *nickname = of_json_text(m->vals[m->in->plan->nickname]);
    const char *given = of_json_text(m->vals[m->in->plan->given_name]);
    of_match_name(keys, column_text(m, "firstName"), last);
    if (nickname && nickname[0] != '\0') {
        of_match_name(keys, nickname, last);
    }
    if (given && given[0] != '\0') {
        of_match_name(keys, given, last);
    }
    of_match_birthdate(keys, column_text(m, "birthdate"));
}

bool of_map_record(const struct of_map_in *in, struct of_map_out *out)
{
    struct of_mapping m = {.in = in, .out = out};
    out->match_text = NULL;
    out->parent_id[0] = '\0';
    out->cause[0] = '\0';
    of_buf_clear(out->body);
    if (!read_attributes(&m) || !read_time(&m, in->plan->created, &out->has_created, &out->created_at) ||
        !read_time(&m, in->plan->updated, &out->has_updated, &out->updated_at)) {
        return false;
    }
    of_buf_char(out->body, '{');
    if (!write_columns(&m) || (in->plan->type->kind == OF_KIND_ENTITY && !write_customs(&m)) ||
        (in->plan->type->relations && !of_mapping_relations(&m))) {
        return false;
    }
    of_buf_char(out->body, '}');
    if (out->body->bad) {
        return of_mapping_bad(&m, "$", "", "too large");
    }
    if (in->plan->type->match == OF_MATCH_PERSON && out->match) {
        person_keys(&m);
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/project.h"

#include <stdio.h>
#include <string.h>

#include "adapters/mapping_int.h"
#include "adapters/project_parts.h"
#include "common/model/model.h"

#define VALUE_MAX (256U << 10) /* one value, escaped */
#define SKIP_MAX (64U << 10)

/* --- shared with project_diff.c --- */

bool of_project_not_null(const struct of_type *type, const struct of_field *field)
{
    const struct of_entity *entity = type->kind == OF_KIND_ENTITY ? of_model_entity(type->entity) : NULL;
    const struct of_column *column = entity && field->column ? of_model_column(entity, field->column) : NULL;
    return column && column->not_null;
}

const char *of_project_name(const struct of_adapter *adapter, const char *attr, char out[OF_PROJECT_NAME_MAX])
{
    (void)snprintf(out, OF_PROJECT_NAME_MAX, "%s_%s", adapter->name, attr);
    return out;
}

/* Of several of one name the first that says something: a mapped attribute is one value. */
const struct of_json *of_project_element(const struct of_json *body, const char *adapter, const char *name)
{
    const struct of_json *array = of_json_get(body, "customFields");
    if (of_json_type(array) != OF_JSON_ARRAY) {
        return NULL;
    }
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        const char *source = of_json_text(of_json_get(e, "source"));
        const char *its = of_json_text(of_json_get(e, "name"));
        if (source && its && strcmp(its, name) == 0 && strcmp(source, adapter) == 0 &&
            !of_project_empty(of_json_get(e, "value"), false)) {
            return e;
        }
    }
    return NULL;
}

bool of_project_has_text(const struct of_json *array, const char *text)
{
    if (of_json_type(array) != OF_JSON_ARRAY) {
        return false;
    }
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        const char *its = of_json_text(e);
        if (its && strcmp(its, text) == 0) {
            return true;
        }
    }
    return false;
}

void of_members_open(struct of_members *m, struct of_buf *out)
{
    m->out = out;
    m->any = false;
    of_buf_char(out, '{');
}

void of_members_key(struct of_members *m, const char *key)
{
    if (m->any) {
        of_buf_char(m->out, ',');
    }
    m->any = true;
    of_buf_json_str(m->out, key);
    of_buf_char(m->out, ':');
}

void of_members_node(struct of_members *m, const char *key, const struct of_json *node)
{
    of_members_key(m, key);
    if (node) {
        of_json_write(m->out, node);
    } else {
        of_buf_str(m->out, "null");
    }
}

void of_members_close(struct of_members *m)
{
    of_buf_char(m->out, '}');
}

/* --- the projection --- */

struct projecting {
    const struct of_project_in *in;
    struct of_members m;
    struct of_buf skip;  /* names, '\n' after each */
    struct of_buf value; /* the value at hand */
};

static void skip(struct projecting *p, const char *name)
{
    of_buf_str(&p->skip, name);
    of_buf_char(&p->skip, '\n');
}

/* Is it a field that may be part of the projection, by the record's own values? */
static bool applies(const struct of_json *row, const struct of_field *field, const struct of_json *node)
{
    bool truth = false;
    if (field->flags & OF_FIELD_READ_ONLY) {
        return false;
    }
    if (field->flags & OF_FIELD_TRUE_ONLY) {
        return of_json_bool(node, &truth) && truth;
    }
    if (field->flags & OF_FIELD_BY_STATUS) {
        const char *status = of_json_text(of_json_get(row, "status"));
        return status && strcmp(status, "inactive") == 0 && !of_json_is_null(node);
    }
    return true;
}

static void put_columns(struct projecting *p)
{
    const struct of_type *type = p->in->type;
    for (const struct of_field *f = type->fields; f->attr; f++) {
        const struct of_json *node = f->column ? of_json_get(p->in->row, f->column) : NULL;
        if (!node || !applies(p->in->row, f, node)) {
            continue;
        }
        bool null = false;
        of_buf_clear(&p->value);
        if (!of_project_value(&p->value, type, f, node, &null) || p->value.bad) {
            skip(p, f->column);
        } else if (!null || !(f->flags & OF_FIELD_REQUIRED)) {
            of_members_key(&p->m, f->column);
            of_buf_str(p->m.out, null ? "null" : of_buf_text(&p->value));
        }
    }
}

static void put_element(struct projecting *p, bool *first, const char *tag, const char *attr)
{
    of_mapping_custom_open(p->m.out, first, tag, p->in->adapter->name, attr);
    of_buf_str(p->m.out, of_buf_text(&p->value));
    of_buf_char(p->m.out, '}');
}

static void put_custom(struct projecting *p, bool *first, const struct of_field *field)
{
    char name[OF_PROJECT_NAME_MAX];
    const struct of_json *e = of_project_element(p->in->row, p->in->adapter->name,
                                                 of_project_name(p->in->adapter, field->attr, name));
    const struct of_json *node = of_json_get(e, "value");
    bool null = false;
    if (!e || !applies(p->in->row, field, node)) {
        return;
    }
    of_buf_clear(&p->value);
    if (!of_project_value(&p->value, p->in->type, field, node, &null) || p->value.bad) {
        skip(p, name);
    } else if (!null) {
        put_element(p, first, of_mapping_tag(field, node), field->attr);
    }
}

/* The external id of a to-one relation, NULL if there is none or it is not known. */
static const char *other_end(const struct of_json *rel, const struct of_relation *relation)
{
    const char *ref = of_json_text(of_json_get(rel, relation->key));
    size_t n = strlen(relation->target);
    return ref && strncmp(ref, relation->target, n) == 0 && ref[n] == '/' && ref[n + 1] != '\0' ? ref : NULL;
}

static void put_rel_value(struct projecting *p, bool *first, const struct of_relation *relation)
{
    char name[OF_PROJECT_NAME_MAX];
    const struct of_json *e = of_project_element(p->in->row, p->in->adapter->name,
                                                 of_project_name(p->in->adapter, relation->key, name));
    const char *text = of_json_text(of_json_get(e, "value"));
    if (!e || relation->writes == 0) {
        return;
    }
    if (!text || !other_end(p->in->rel, relation)) {
        skip(p, name);
        return;
    }
    of_buf_clear(&p->value);
    of_buf_json_str(&p->value, text);
    put_element(p, first, "string", relation->key);
}

static void put_customs(struct projecting *p)
{
    bool first = true;
    of_members_key(&p->m, "customFields");
    of_buf_char(p->m.out, '[');
    for (const struct of_field *f = p->in->type->fields; f->attr; f++) {
        if (!f->column) {
            put_custom(p, &first, f);
        }
    }
    for (const struct of_relation *r = p->in->type->relations; r && r->key; r++) {
        if (r->kind == OF_REL_VALUE) {
            put_rel_value(p, &first, r);
        }
    }
    of_buf_char(p->m.out, ']');
}

static void put_to_ones(struct projecting *p)
{
    struct of_members m = {.out = NULL};
    char name[OF_PROJECT_NAME_MAX];
    for (const struct of_relation *r = p->in->type->relations; r && r->key; r++) {
        const struct of_json *node = of_json_get(p->in->rel, r->key);
        const char *ref = other_end(p->in->rel, r);
        bool to_one = r->kind == OF_REL_EDGE || r->kind == OF_REL_END || r->kind == OF_REL_COLUMN;
        bool value = r->kind == OF_REL_VALUE && ref &&
                     of_project_element(p->in->row, p->in->adapter->name, of_project_name(p->in->adapter, r->key, name));
        if (r->writes == 0 || !node || !(to_one || value) || (!ref && (r->required || !of_json_is_null(node)))) {
            continue;
        }
        if (!m.out) {
            of_members_key(&p->m, "_rel");
            of_members_open(&m, p->m.out);
        }
        of_members_node(&m, r->key, ref ? node : NULL);
    }
    if (m.out) {
        of_members_close(&m);
    }
}

static void put_to_manys(struct projecting *p)
{
    struct of_members m = {.out = NULL};
    for (const struct of_relation *r = p->in->type->relations; r && r->key; r++) {
        const struct of_json *node = of_json_get(p->in->many, r->key);
        if (r->writes == 0 || r->kind != OF_REL_EDGES || of_json_type(node) != OF_JSON_ARRAY || !node ||
            (r->required && of_json_len(node) == 0)) {
            continue;
        }
        if (!m.out) {
            of_members_key(&p->m, "_many");
            of_members_open(&m, p->m.out);
        }
        of_members_node(&m, r->key, node);
    }
    if (m.out) {
        of_members_close(&m);
    }
}

static void put_skipped(struct projecting *p)
{
    if (p->skip.len == 0) {
        return;
    }
    of_members_key(&p->m, "_skip");
    of_buf_char(p->m.out, '[');
    for (const char *at = of_buf_text(&p->skip); *at;) {
        size_t n = strcspn(at, "\n");
        of_buf_str(p->m.out, at == of_buf_text(&p->skip) ? "" : ",");
        of_buf_json_mem(p->m.out, at, n);
        at += n + 1;
    }
    of_buf_char(p->m.out, ']');
}

void of_project(const struct of_project_in *in, struct of_buf *body)
{
    struct projecting p = {.in = in, .skip = OF_BUF_INIT(SKIP_MAX), .value = OF_BUF_INIT(VALUE_MAX)};
    of_members_open(&p.m, body);
    put_columns(&p);
    if (in->type->kind == OF_KIND_ENTITY) {
        put_customs(&p);
    }
    put_to_ones(&p);
    put_to_manys(&p);
    put_skipped(&p);
    of_members_close(&p.m);
    of_buf_done(&p.skip);
    of_buf_done(&p.value);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/mapping_int.h"

#include <stdlib.h>
#include <string.h>

typedef char id_text[OF_JSONAPI_ID_MAX + 1];

/* The relationship's data; *ret_read false: it is not said. */
static bool linkage(struct of_mapping *m, const struct of_relation *rel, const struct of_json **ret, bool *ret_read)
{
    const struct of_json *relationship = of_json_get(m->relationships, rel->key);
    *ret_read = false;
    if (of_json_is_null(relationship)) {
        return true;
    }
    if (of_json_type(relationship) != OF_JSON_OBJECT) {
        return of_mapping_bad(m, "$.relationships.", rel->key, "expected object");
    }
    *ret = of_json_get(relationship, "data");
    *ret_read = *ret != NULL;
    return true;
}

/* By the relationship, else by the attribute `<key>_id`, else by what the record came under. */
static enum of_to_one to_one(struct of_mapping *m, size_t i, id_text id)
{
    const struct of_relation *rel = &m->in->plan->type->relations[i];
    const struct of_json *data = NULL;
    bool read = false;
    if (!linkage(m, rel, &data, &read)) {
        return OF_TO_ONE_BAD;
    }
    if (read && of_json_is_null(data)) {
        return OF_TO_ONE_UNSET;
    }
    if (read) {
        if (!of_jsonapi_id(of_json_get(data, "id"), id)) {
            (void)of_mapping_bad(m, "$.relationships.", rel->key, "expected an object with an id");
            return OF_TO_ONE_BAD;
        }
        const char *type = of_json_text(of_json_get(data, "type"));
        if (rel->kind == OF_REL_END && type && strcmp(type, rel->target) != 0) {
            (void)of_mapping_bad(m, "$.relationships.", rel->key, "another type than expected");
            return OF_TO_ONE_BAD;
        }
        return OF_TO_ONE_SET;
    }
    const struct of_json *attr = m->vals[m->in->plan->rel_attr[i]];
    if (attr) {
        if (of_json_is_null(attr)) {
            return OF_TO_ONE_UNSET;
        }
        if (!of_jsonapi_id(attr, id)) {
            (void)of_mapping_bad(m, "$.attributes.", m->in->plan->rel_keys[i], "expected an id");
            return OF_TO_ONE_BAD;
        }
        return OF_TO_ONE_SET;
    }
    if (m->in->parent_type && m->in->parent_id && strcmp(m->in->parent_type, rel->target) == 0) {
        return of_strcopy(id, sizeof(id_text), m->in->parent_id) ? OF_TO_ONE_SET : OF_TO_ONE_BAD;
    }
    return OF_TO_ONE_NOT_READ;
}

static bool keep_to_one(enum of_rel_kind kind)
{
    return kind == OF_REL_EDGE || kind == OF_REL_COLUMN || kind == OF_REL_END;
}

static void note_parent(struct of_mapping *m, const struct of_relation *rel, const char *id)
{
    const char *with = m->in->plan->type->with;
    if (with && strcmp(with, rel->target) == 0) {
        (void)of_strcopy(m->out->parent_id, sizeof(m->out->parent_id), id);
    }
}

/* Opens member key within the object name, which begins with its first member. */
static void open_in(struct of_buf *out, bool *any, const char *name, const char *key)
{
    if (*any) {
        of_buf_str(out, ",\"");
    } else {
        of_mapping_member(out, name);
        of_buf_str(out, "{\"");
    }
    *any = true;
    of_buf_str(out, key);
    of_buf_str(out, "\":");
}

static bool write_to_ones(struct of_mapping *m)
{
    struct of_buf *out = m->out->body;
    const struct of_relation *relations = m->in->plan->type->relations;
    bool any = false;
    for (size_t i = 0; relations[i].key; i++) {
        id_text id = "";
        if (!keep_to_one(relations[i].kind)) {
            continue;
        }
        enum of_to_one what = to_one(m, i, id);
        if (what == OF_TO_ONE_BAD) {
            return false;
        }
        if (relations[i].kind == OF_REL_END && what != OF_TO_ONE_SET) {
            return of_mapping_bad(m, "$.relationships.", relations[i].key, "missing");
        }
        if (what == OF_TO_ONE_NOT_READ) {
            continue;
        }
        open_in(out, &any, "_rel", relations[i].key);
        if (what == OF_TO_ONE_UNSET) {
            of_buf_str(out, "null");
            continue;
        }
        of_buf_char(out, '"');
        of_buf_str(out, relations[i].target);
        of_buf_char(out, '/');
        of_buf_str(out, id);
        of_buf_char(out, '"');
        note_parent(m, &relations[i], id);
    }
    if (any) {
        of_buf_char(out, '}');
    }
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The ids of a to-many relation, sorted, each once; *ret is the caller's. */
static bool to_many(struct of_mapping *m, const struct of_relation *rel, id_text **ret, size_t *ret_n, bool *ret_read)
{
    const struct of_json *data = NULL;
    if (!linkage(m, rel, &data, ret_read)) {
        return false;
    }
    if (!*ret_read || of_json_is_null(data)) {
        return true;
    }
    if (of_json_type(data) != OF_JSON_ARRAY) {
        return of_mapping_bad(m, "$.relationships.", rel->key, "expected array");
    }
    size_t n = of_json_len(data);
    OF_CLEANUP(of_freep) id_text *ids = of_reallocarray(NULL, n ? n : 1, sizeof(id_text));
    n = 0;
    for (const struct of_json *e = of_json_first(data); e; e = of_json_next(e)) {
        if (!of_jsonapi_id(of_json_get(e, "id"), ids[n++])) {
            return of_mapping_bad(m, "$.relationships.", rel->key, "expected objects with ids");
        }
    }
    if (n > 1) {
        qsort(ids, n, sizeof(id_text), compare_ids);
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || strcmp(ids[kept - 1], ids[i]) != 0) {
            memmove(ids[kept++], ids[i], sizeof(id_text));
        }
    }
    *ret = OF_TAKE(ids);
    *ret_n = kept;
    return true;
}

static bool child_in_scope(const struct of_mapping *m, const char *name)
{
    const struct of_type *t = of_type_find(m->in->adapter, name);
    return t && of_scope_has(m->in->scope, of_type_index(m->in->adapter, t));
}

/* _many by the relations' keys with "Type/" before each id, _sub by type with bare ids. */
static bool write_to_many(struct of_mapping *m, enum of_rel_kind kind)
{
    struct of_buf *out = m->out->body;
    bool any = false;
    for (const struct of_relation *rel = m->in->plan->type->relations; rel->key; rel++) {
        if (rel->kind != kind || (kind == OF_REL_CHILDREN && !child_in_scope(m, rel->target))) {
            continue;
        }
        OF_CLEANUP(of_freep) id_text *ids = NULL;
        size_t n = 0;
        bool read = false;
        if (!to_many(m, rel, &ids, &n, &read)) {
            return false;
        }
        if (!read) {
            continue;
        }
        bool children = kind == OF_REL_CHILDREN;
        open_in(out, &any, children ? "_sub" : "_many", children ? rel->target : rel->key);
        of_buf_char(out, '[');
        for (size_t i = 0; i < n; i++) {
            of_buf_str(out, i > 0 ? ",\"" : "\"");
            if (kind == OF_REL_EDGES) {
                of_buf_str(out, rel->target);
                of_buf_char(out, '/');
            }
            of_buf_str(out, ids[i]);
            of_buf_char(out, '"');
        }
        of_buf_char(out, ']');
    }
    if (any) {
        of_buf_char(out, '}');
    }
    return true;
}

bool of_mapping_relations(struct of_mapping *m)
{
    return write_to_ones(m) && write_to_many(m, OF_REL_EDGES) && write_to_many(m, OF_REL_CHILDREN);
}

bool of_mapping_rel_values(struct of_mapping *m, bool *first)
{
    const struct of_relation *relations = m->in->plan->type->relations;
    for (size_t i = 0; relations && relations[i].key; i++) {
        id_text id = "";
        if (relations[i].kind != OF_REL_VALUE) {
            continue;
        }
        enum of_to_one what = to_one(m, i, id);
        if (what == OF_TO_ONE_BAD) {
            return false;
        }
        if (what != OF_TO_ONE_SET) {
            continue;
        }
        /* Set, but its record did not come (includes may lag behind): there is no element, as if it were unset; the next
         * read brings it. */
        const struct of_json *node = m->in->find ? m->in->find(m->in->arg, relations[i].target, id) : NULL;
        const char *value = of_json_text(of_json_get(of_json_get(node, "attributes"), "value"));
        if (value && strlen(value) <= OF_JSONAPI_TEXT_MAX) {
            of_mapping_custom_open(m->out->body, first, "string", m->in->adapter->name, relations[i].key);
            of_buf_json_str(m->out->body, value);
            of_buf_char(m->out->body, '}');
        }
    }
    return true;
}

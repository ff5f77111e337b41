/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/jsonapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/mapping.h"
#include "adapters/match.h"

/* An answer becomes a page: elements are told apart by (type, id), children find the record they came under, each is
 * mapped by its type's plan. */

#define BODY_MAX_BYTES (4U << 20)
#define PLANS_MAX 16
#define NO_ELEMENT UINT32_MAX

struct head {
    const struct of_element *element;
    const char *type; /* borrowed, or "" */
    char id[OF_JSONAPI_ID_MAX + 1];
    bool ok; /* parses, and has type and id */
    bool twice;
    uint32_t parent;        /* the data element whose relationship names it, or NO_ELEMENT */
    struct of_buf *keys;    /* data of people: match keys, as contacts bring them */
    uint32_t record;        /* where it ended up in page->records, or NO_ELEMENT */
};

struct reader {
    const struct of_adapter *adapter;
    const struct of_type *type;
    of_scope scope;
    const char *parent;
    struct of_frame frame;
    struct head *heads; /* data, then included */
    uint32_t n_heads;
    uint32_t *table; /* hash of (type, id) -> head */
    uint32_t mask;
    struct of_plan *plans[PLANS_MAX];
    size_t n_plans;
    struct of_buf body;
    struct of_page *page;
};

/* --- telling elements apart --- */

static uint32_t hash_key(const char *type, const char *id)
{
    uint32_t h = 2166136261U;
    for (; *type; type++) {
        h = (h ^ (unsigned char)*type) * 16777619U;
    }
    h = (h ^ 0x1f) * 16777619U;
    for (; *id; id++) {
        h = (h ^ (unsigned char)*id) * 16777619U;
    }
    return h ^ h >> 15;
}

static uint32_t *find_slot(const struct reader *r, const char *type, const char *id)
{
    for (uint32_t at = hash_key(type, id);; at++) {
        uint32_t *slot = &r->table[at & r->mask];
        if (*slot == NO_ELEMENT) {
            return slot;
        }
        const struct head *h = &r->heads[*slot];
        if (strcmp(h->id, id) == 0 && strcmp(h->type, type) == 0) {
            return slot;
        }
    }
}

static void read_head(struct head *h, const struct of_element *e)
{
    h->element = e;
    h->type = "";
    h->parent = NO_ELEMENT;
    h->record = NO_ELEMENT;
    if (!e->node) {
        return;
    }
    const char *type = of_json_text(of_json_get(e->node, "type"));
    bool has_id = of_jsonapi_id(of_json_get(e->node, "id"), h->id);
    if (!has_id) {
        h->id[0] = '\0';
    }
    h->type = type ? type : "";
    h->ok = type && has_id;
}

static void read_heads(struct reader *r)
{
    r->n_heads = (uint32_t)(r->frame.n_data + r->frame.n_included);
    r->heads = of_calloc(r->n_heads ? r->n_heads : 1, sizeof(*r->heads));
    r->mask = 63;
    while (r->mask < r->n_heads * 2) {
        r->mask = r->mask * 2 + 1;
    }
    r->table = of_reallocarray(NULL, (size_t)r->mask + 1, sizeof(*r->table));
    memset(r->table, 0xff, ((size_t)r->mask + 1) * sizeof(*r->table));
    for (uint32_t i = 0; i < r->n_heads; i++) {
        size_t n = r->frame.n_data;
        struct head *h = &r->heads[i];
        read_head(h, i < n ? &r->frame.data[i] : &r->frame.included[i - n]);
        if (!h->ok) {
            continue;
        }
        uint32_t *slot = find_slot(r, h->type, h->id);
        if (*slot == NO_ELEMENT) {
            *slot = i;
        } else {
            h->twice = true;
        }
    }
}

/* The types whose records come with the page's own: what the type's relations of kind CHILDREN name, if in scope. */
static const struct of_type *child_type(const struct reader *r, const char *name)
{
    const struct of_relation *rel = r->type->relations;
    for (; rel && rel->key; rel++) {
        if (rel->kind == OF_REL_CHILDREN && strcmp(rel->target, name) == 0) {
            const struct of_type *t = of_type_find(r->adapter, name);
            return t && of_scope_has(r->scope, of_type_index(r->adapter, t)) ? t : NULL;
        }
    }
    return NULL;
}

static void adopt(struct reader *r, uint32_t parent, const struct of_relation *rel)
{
    const struct of_json *relationships = of_json_get(r->heads[parent].element->node, "relationships");
    const struct of_json *data = of_json_get(of_json_get(relationships, rel->key), "data");
    if (of_json_type(data) != OF_JSON_ARRAY) {
        return;
    }
    for (const struct of_json *e = of_json_first(data); e; e = of_json_next(e)) {
        char id[OF_JSONAPI_ID_MAX + 1];
        if (!of_jsonapi_id(of_json_get(e, "id"), id)) {
            continue;
        }
        uint32_t child = *find_slot(r, rel->target, id);
        if (child != NO_ELEMENT && r->heads[child].parent == NO_ELEMENT) {
            r->heads[child].parent = parent;
        }
    }
}

static void adopt_children(struct reader *r)
{
    const struct of_relation *rel = r->type->relations;
    for (; rel && rel->key; rel++) {
        if (rel->kind != OF_REL_CHILDREN || r->frame.n_included == 0) {
            continue;
        }
        for (uint32_t i = 0; i < r->frame.n_data; i++) {
            if (r->heads[i].ok) {
                adopt(r, i, rel);
            }
        }
    }
}

/* --- bad records --- */

/* Names that may be shown: what is not made of such characters is left out. */
static void copy_word(char *dst, size_t size, const char *text, size_t len)
{
    dst[0] = '\0';
    if (len == 0 || len >= size) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
        if (!word) {
            return;
        }
    }
    memcpy(dst, text, len);
    dst[len] = '\0';
}

/* Text or number of a member of what does not parse; "" if it is neither or has odd characters. */
static void span_word(const struct of_element *e, const char *key, char *dst, size_t size)
{
    const char *text = NULL;
    size_t len = 0;
    dst[0] = '\0';
    if (!of_span_member(e->text, e->len, key, &text, &len, NULL)) {
        return;
    }
    if (len >= 2 && text[0] == '"') {
        text++;
        len -= 2;
    }
    copy_word(dst, size, text, len);
}

static void add_bad(struct reader *r, uint32_t i, const char *cause)
{
    struct of_page *page = r->page;
    const struct head *h = &r->heads[i];
    if ((page->n_bad & (page->n_bad - 1)) == 0) {
        page->bad = of_reallocarray(page->bad, page->n_bad ? page->n_bad * 2 : 1, sizeof(*page->bad));
    }
    struct of_bad_record *bad = &page->bad[page->n_bad++];
    memset(bad, 0, sizeof(*bad));
    if (h->element->node) {
        copy_word(bad->type, sizeof(bad->type), h->type, strlen(h->type));
        (void)of_strcopy(bad->id, sizeof(bad->id), h->id);
    } else {
        span_word(h->element, "type", bad->type, sizeof(bad->type));
        span_word(h->element, "id", bad->id, OF_JSONAPI_ID_MAX + 1);
    }
    size_t n = r->frame.n_data;
    bool in_data = i < n;
    (void)snprintf(bad->place, sizeof(bad->place), "%s[%zu]", in_data ? "data" : "included", in_data ? i : i - n);
    (void)of_strcopy(bad->cause, sizeof(bad->cause), cause);
}

static const char *head_fault(const struct head *h)
{
    if (!h->element->node) {
        return h->element->cause;
    }
    if (of_json_type(h->element->node) != OF_JSON_OBJECT) {
        return "$: expected object";
    }
    return h->type[0] == '\0' ? "$.type: expected string" : "$.id: expected an id";
}

/* --- mapping --- */

static const struct of_plan *plan_for(struct reader *r, const struct of_type *type)
{
    for (size_t i = 0; i < r->n_plans; i++) {
        if (r->plans[i]->type == type) {
            return r->plans[i];
        }
    }
    OF_BUG_ON(r->n_plans == PLANS_MAX);
    struct of_plan *plan = of_alloc(sizeof(*plan));
    of_plan_init(plan, type);
    r->plans[r->n_plans++] = plan;
    return plan;
}

static const struct of_json *find_node(void *arg, const char *type, const char *id)
{
    const struct reader *r = arg;
    uint32_t i = *find_slot(r, type, id);
    return i == NO_ELEMENT ? NULL : r->heads[i].element->node;
}

/* A contact's key goes to the person it belongs to, if that is on this page. */
static void add_contact_key(struct reader *r, const struct of_type *type, const struct of_map_out *out)
{
    if (!type->with || out->parent_id[0] == '\0' || !out->match_text || !type->entity) {
        return;
    }
    uint32_t parent = *find_slot(r, type->with, out->parent_id);
    if (parent == NO_ELEMENT || !r->heads[parent].keys) {
        return;
    }
    if (strcmp(type->entity, "email") == 0) {
        of_match_email(r->heads[parent].keys, out->match_text);
    } else if (strcmp(type->entity, "phoneNumber") == 0) {
        of_match_phone(r->heads[parent].keys, out->match_text);
    }
}

/* Deleted there, though still shown when it is asked for by id. */
static bool is_deleted(const struct head *h, const struct of_type *type)
{
    return type->deleted_attr &&
           !of_json_is_null(of_json_get(of_json_get(h->element->node, "attributes"), type->deleted_attr));
}

static void map_one(struct reader *r, uint32_t i, const struct of_type *type)
{
    struct head *h = &r->heads[i];
    if (is_deleted(h, type)) {
        return;
    }
    bool in_data = i < r->frame.n_data;
    struct of_map_out out = {.body = &r->body};
    struct of_map_in in = {.adapter = r->adapter, .plan = plan_for(r, type), .node = h->element->node,
                           .scope = r->scope, .find = find_node, .arg = r};
    if (h->parent != NO_ELEMENT) {
        in.parent_type = r->type->name;
        in.parent_id = r->heads[h->parent].id;
    } else if (in_data && r->parent) {
        in.parent_type = type->with;
        in.parent_id = r->parent;
    }
    if (in_data && type->match == OF_MATCH_PERSON) {
        h->keys = of_alloc(sizeof(*h->keys));
        *h->keys = OF_BUF_INIT(BODY_MAX_BYTES);
        out.match = h->keys;
    }
    if (!of_map_record(&in, &out)) {
        add_bad(r, i, out.cause);
        return;
    }
    add_contact_key(r, type, &out);
    h->record = (uint32_t)r->page->n_records;
    r->page->records[r->page->n_records++] = (struct of_record){
        .type = type,
        .id = of_strdup(h->id),
        .has_created = out.has_created,
        .has_updated = out.has_updated,
        .created_at = out.created_at,
        .updated_at = out.updated_at,
        .body = of_strndup(of_buf_text(&r->body), r->body.len),
        .body_len = r->body.len,
    };
}

static void map_data(struct reader *r)
{
    for (uint32_t i = 0; i < r->frame.n_data; i++) {
        const struct head *h = &r->heads[i];
        if (!h->ok) {
            add_bad(r, i, head_fault(h));
        } else if (strcmp(h->type, r->type->name) != 0) {
            add_bad(r, i, "$.type: another type than asked for");
        } else if (!h->twice) {
            map_one(r, i, r->type);
        }
    }
}

static void map_included(struct reader *r)
{
    for (uint32_t i = (uint32_t)r->frame.n_data; i < r->n_heads; i++) {
        const struct head *h = &r->heads[i];
        char name[64];
        if (h->element->node) {
            (void)of_strcopy(name, sizeof(name), h->type);
        } else {
            span_word(h->element, "type", name, sizeof(name));
        }
        const struct of_type *type = child_type(r, name);
        if (h->ok && type && !h->twice) {
            map_one(r, i, type);
        } else if (!h->ok && (type || name[0] == '\0')) {
            add_bad(r, i, head_fault(h));
        }
    }
}

static void finish_keys(struct reader *r)
{
    for (uint32_t i = 0; i < r->frame.n_data; i++) {
        struct head *h = &r->heads[i];
        if (h->keys && h->record != NO_ELEMENT) {
            r->page->records[h->record].match_keys = of_match_sorted(of_buf_text(h->keys));
        }
    }
}

/* --- rows --- */

static bool span_time(const struct of_element *e, const char *attr, struct of_wall *ret)
{
    const char *attributes = NULL, *text = NULL;
    size_t attributes_len = 0, len = 0;
    char copy[OF_TIME_TEXT];
    if (!of_span_member(e->text, e->len, "attributes", &attributes, &attributes_len, NULL) ||
        !of_span_member(attributes, attributes_len, attr, &text, &len, NULL) || len < 2 || len - 2 >= sizeof(copy) ||
        text[0] != '"') {
        return false;
    }
    memcpy(copy, text + 1, len - 2);
    copy[len - 2] = '\0';
    return of_time_parse(copy, ret);
}

static void write_rows(struct reader *r, enum of_list_by order)
{
    const char *attr = order == OF_LIST_UPDATED ? "updated_at" : "created_at";
    struct of_page *page = r->page;
    page->rows = of_calloc(r->frame.n_data ? r->frame.n_data : 1, sizeof(*page->rows));
    page->n_rows = r->frame.n_data;
    for (size_t i = 0; i < r->frame.n_data; i++) {
        const struct head *h = &r->heads[i];
        struct of_row_key *row = &page->rows[i];
        char id[OF_JSONAPI_ID_MAX + 1] = "";
        if (h->element->node) {
            row->has_time = of_map_time(h->element->node, attr, &row->time);
        } else {
            row->has_time = span_time(h->element, attr, &row->time);
            span_word(h->element, "id", id, sizeof(id));
        }
        row->id = of_strdup(h->element->node ? h->id : id);
    }
}

static void reader_done(struct reader *r)
{
    for (uint32_t i = 0; i < r->n_heads; i++) {
        if (r->heads[i].keys) {
            of_buf_done(r->heads[i].keys);
            free(r->heads[i].keys);
        }
    }
    for (size_t i = 0; i < r->n_plans; i++) {
        free(r->plans[i]);
    }
    free(r->heads);
    free(r->table);
    of_buf_done(&r->body);
    of_frame_close(&r->frame);
}

enum of_code of_jsonapi_page(const struct of_adapter *adapter, const struct of_type *type, of_scope scope,
                             const char *body, size_t len, bool list, enum of_list_by order, const char *parent,
                             struct of_page *ret_page, struct of_err *err)
{
    struct reader r = {.adapter = adapter, .type = type, .scope = scope, .parent = parent, .page = ret_page};
    r.body = OF_BUF_INIT(BODY_MAX_BYTES);
    *ret_page = (struct of_page){.total = -1};
    OF_TRY(of_frame_open(body, len, list, &r.frame, err));
    if (list && parent && type->with && strcmp(r.frame.parent_type, type->with) == 0 &&
        strcmp(r.frame.parent_id, parent) != 0) {
        of_frame_close(&r.frame);
        return of_err_set(err, OF_E_PARSE, "$.meta.parent: a page of another record");
    }
    ret_page->total = r.frame.total;
    ret_page->has_next = r.frame.has_next;
    (void)of_strcopy(ret_page->account, sizeof(ret_page->account), r.frame.account);
    read_heads(&r);
    adopt_children(&r);
    ret_page->records = of_calloc(r.n_heads ? r.n_heads : 1, sizeof(*ret_page->records));
    map_data(&r);
    map_included(&r);
    finish_keys(&r);
    write_rows(&r, order);
    reader_done(&r);
    return OF_OK;
}

void of_page_done(struct of_page *page)
{
    for (size_t i = 0; i < page->n_records; i++) {
        free(page->records[i].id);
        free(page->records[i].body);
        free(page->records[i].match_keys);
    }
    for (size_t i = 0; i < page->n_rows; i++) {
        free(page->rows[i].id);
    }
    free(page->records);
    free(page->bad);
    free(page->rows);
    *page = (struct of_page){.total = -1};
}

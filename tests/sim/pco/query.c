/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"

#include "match.h"

#include <stdlib.h>
#include <string.h>

static void parse_cond(struct sim_query *q, const char *key, const char *value)
{
    static const char *const ops[] = {"", "[gt]", "[gte]", "[lt]", "[lte]"};
    const struct sim_type_def *def = &sim_types[q->type];
    size_t n = strcspn(key, "]");
    char name[64];
    struct sim_cond c = {.text = value};
    int op = -1;

    if (key[n] != ']' || n >= sizeof name || q->cond_count == SIM_MAX_CONDS) {
        return;
    }
    memcpy(name, key, n);
    name[n] = '\0';
    for (int i = 0; i < (int)SIM_COUNT(ops); i++) {
        op = !strcmp(key + n + 1, ops[i]) ? i : op;
    }
    if (op < 0) {
        return; /* where[emails][address] and the like: ignored */
    }
    c.op = (enum sim_op)op;
    c.attr = sim_attr_by_name(def, name);
    if (c.attr < 0 && !strcmp(name, "id") && def->where_id) {
        c.attr = SIM_ATTR_ID;
    } else if (c.attr < 0 || !(def->attrs[c.attr].flags & SIM_A_WHERE)) {
        return;
    }
    if (sim_cond_prepare(q->type, &c)) {
        q->conds[q->cond_count++] = c;
    }
}

static void parse_orders(struct sim_query *q, const char *value)
{
    const struct sim_type_def *def = &sim_types[q->type];

    while (value && *value) {
        size_t len = strcspn(value, ",");
        bool desc = *value == '-';
        char name[64];
        int attr;

        if (len - desc < sizeof name && q->order_count < SIM_MAX_ORDERS) {
            memcpy(name, value + desc, len - desc);
            name[len - desc] = '\0';
            attr = sim_attr_by_name(def, name);
            if (attr >= 0 && (def->attrs[attr].flags & SIM_A_ORDER)) {
                q->orders[q->order_count++] = (struct sim_order){attr, desc};
            }
        }
        value += len;
        value += *value == ',';
    }
}

static void parse_include(struct sim_query *q, const char *value)
{
    const struct sim_type_def *def = &sim_types[q->type];

    while (value && *value) {
        size_t len = strcspn(value, ",");
        char name[96], *dot;
        int rel, below;

        if (len < sizeof name) {
            memcpy(name, value, len);
            name[len] = '\0';
            dot = strchr(name, '.');
            if (dot) {
                *dot++ = '\0';
            }
            rel = sim_rel_by_name(def, name);
            if (rel >= 0 && (def->rels[rel].flags & SIM_REL_INCLUDE)) {
                q->include.mask |= 1u << rel;
                below = dot && def->rels[rel].target != SIM_T_NONE
                            ? sim_rel_by_name(&sim_types[def->rels[rel].target], dot)
                            : -1;
                if (below >= 0 &&
                    (sim_types[def->rels[rel].target].rels[below].flags & SIM_REL_INCLUDE)) {
                    q->include.below[rel] |= 1u << below;
                }
            }
        }
        value += len;
        value += *value == ',';
    }
}

static void parse_fields(struct sim_query *q, const char *key, const char *value)
{
    char name[64];
    size_t n = strcspn(key, "]");
    enum sim_type type;

    if (n >= sizeof name) {
        return;
    }
    memcpy(name, key, n);
    name[n] = '\0';
    type = sim_type_by_name(name);
    if (type == SIM_T_NONE) {
        return;
    }
    q->fields.given |= 1u << type;
    while (*value) {
        size_t len = strcspn(value, ",");
        int at;

        if (len < sizeof name) {
            memcpy(name, value, len);
            name[len] = '\0';
            at = sim_attr_by_name(&sim_types[type], name);
            if (at >= 0) {
                q->fields.attrs[type] |= (uint64_t)1 << at;
            }
            at = sim_rel_by_name(&sim_types[type], name);
            if (at >= 0) {
                q->fields.rels[type] |= 1u << at;
            }
        }
        value += len;
        value += *value == ',';
    }
}

void sim_query_parse(struct sim_query *q, enum sim_type type, const struct sim_params *params)
{
    int64_t n;

    *q = (struct sim_query){.type = type, .params = params, .per_page = 25, .step = 25};
    for (size_t i = 0; i < params->n; i++) {
        const char *key = params->v[i].key, *value = params->v[i].value;

        if (!strncmp(key, "where[", 6)) {
            parse_cond(q, key + 6, value);
        } else if (!strcmp(key, "order")) {
            parse_orders(q, value);
        } else if (!strcmp(key, "include")) {
            parse_include(q, value);
        } else if (!strncmp(key, "fields[", 7)) {
            parse_fields(q, key + 7, value);
        } else if (!strcmp(key, "filter")) {
            q->filter = value;
        } else if (!strcmp(key, "offset") && sim_parse_i64(value, &n) && n >= 0) {
            q->offset = n < INT32_MAX ? n : INT32_MAX;
        } else if (!strcmp(key, "per_page") && sim_parse_i64(value, &n) && n >= 0) {
            q->per_page = q->step = n > 100 ? 100 : n;
        }
    }
}

uint32_t sim_rel_targets(const struct sim_rec *rec, const struct sim_rel *rel,
                         struct sim_rec **out, uint32_t max)
{
    const struct sim_vec *list;
    struct sim_rec *one = NULL;
    uint32_t n = 0;

    switch (rel->kind) {
    case SIM_REL_ONE:
        one = rec->refs[rel->slot];
        break;
    case SIM_REL_ONE_VIA:
        one = rec->refs[rel->slot] ? rec->refs[rel->slot]->refs[rel->via] : NULL;
        break;
    case SIM_REL_FIRST:
        one = rec->backs[rel->slot].n ? rec->backs[rel->slot].v[0] : NULL;
        break;
    case SIM_REL_MANY:
    case SIM_REL_VIA:
        list = &rec->backs[rel->slot];
        for (uint32_t i = 0; i < list->n; i++, n++) {
            if (n < max) {
                out[n] = rel->kind == SIM_REL_VIA ? list->v[i]->refs[rel->via] : list->v[i];
            }
        }
        return n;
    case SIM_REL_FLAT:
        list = &rec->backs[rel->slot];
        for (uint32_t i = 0; i < list->n; i++) {
            const struct sim_vec *inner = &list->v[i]->backs[rel->via];

            for (uint32_t j = 0; j < inner->n; j++, n++) {
                if (n < max) {
                    out[n] = inner->v[j];
                }
            }
        }
        return n;
    case SIM_REL_ORG:
    case SIM_REL_NONE_ONE:
    case SIM_REL_NONE_MANY:
        break;
    }
    if (one && max) {
        out[0] = one;
    }
    return one != NULL;
}

/* Narrows [lo, hi) of the index by the conditions on its time; true when any applied. */
static bool index_range(const struct sim_org *org, const struct sim_query *q, int index,
                        uint32_t *lo, uint32_t *hi)
{
    const struct sim_store *st = &org->stores[q->type];
    int attr = index == SIM_IX_CREATED ? sim_types[q->type].created : sim_types[q->type].updated;
    bool used = false;

    *lo = 0;
    *hi = st->by_time[index].n;
    for (int i = 0; i < q->cond_count; i++) {
        const struct sim_cond *c = &q->conds[i];
        uint32_t at;

        if (c->attr != attr || c->never) {
            continue;
        }
        used = true;
        if (c->op == SIM_OP_GT || c->op == SIM_OP_GTE || c->op == SIM_OP_EQ) {
            at = sim_index_lower(st, q->type, index, c->number + (c->op == SIM_OP_GT));
            *lo = at > *lo ? at : *lo;
        }
        if (c->op == SIM_OP_LT || c->op == SIM_OP_LTE || c->op == SIM_OP_EQ) {
            at = sim_index_lower(st, q->type, index, c->number + (c->op != SIM_OP_LT));
            *hi = at < *hi ? at : *hi;
        }
    }
    *hi = *hi < *lo ? *lo : *hi;
    return used;
}

static char *cache_key(const struct sim_query *q)
{
    struct sim_buf b = {0};
    char *key;

    sim_buf_fmt(&b, "%d %d/%d %s", (int)q->type, q->parent ? (int)q->parent->type : -1,
                q->parent ? (int)q->parent->id : 0, q->rel ? q->rel->name : "");
    for (size_t i = 0; i < q->params->n; i++) {
        const struct sim_param *p = &q->params->v[i];

        if (!strncmp(p->key, "where", 5) || !strcmp(p->key, "order") ||
            !strcmp(p->key, "filter") || !strcmp(p->key, "time")) {
            sim_buf_fmt(&b, "&%s=%s", p->key, p->value);
        }
    }
    key = sim_strdup(sim_buf_cstr(&b));
    sim_buf_free(&b);
    return key;
}

static struct sim_vec base_list(const struct sim_query *q)
{
    struct sim_vec list = {0};

    list.n = sim_rel_targets(q->parent, q->rel, NULL, 0);
    list.cap = list.n;
    list.v = sim_alloc((list.n + 1) * sizeof(struct sim_rec *));
    (void)sim_rel_targets(q->parent, q->rel, list.v, list.n);
    return list;
}

static struct sim_vec scan(struct sim_org *org, const struct sim_query *q)
{
    struct sim_store *st = &org->stores[q->type];
    struct sim_vec list = {0}, from = st->by_id, nested = {0};
    uint32_t lo = 0, hi;

    if (q->parent) {
        from = nested = base_list(q);
    }
    hi = from.n;
    for (int ix = 0; !q->parent && ix < SIM_IX_COUNT; ix++) {
        uint32_t l, h;

        if (index_range(org, q, ix, &l, &h) && h - l < hi - lo) {
            from = st->by_time[ix];
            lo = l;
            hi = h;
        }
    }
    for (uint32_t i = lo; i < hi; i++) {
        if (!from.v[i]->shown_us && sim_query_matches(q, from.v[i])) {
            sim_vec_push(&list, from.v[i]);
        }
    }
    free(nested.v);
    sim_query_sort(q, &list);
    return list;
}

/* Lists that are a slice of an index need neither search nor sort. */
static bool as_slice(struct sim_org *org, const struct sim_query *q, struct sim_result *ret)
{
    struct sim_store *st = &org->stores[q->type];
    const struct sim_type_def *def = &sim_types[q->type];
    int ix, attr;
    uint32_t lo, hi;

    if (org->hidden.n || q->parent || q->filter || q->type == SIM_T_DEF || q->type == SIM_T_GROUP) {
        return false;
    }
    if (q->order_count == 0 && q->cond_count == 0) {
        *ret = (struct sim_result){st->by_id.v, st->by_id.n};
        return true;
    }
    if (q->order_count != 1 || q->orders[0].desc) {
        return false;
    }
    attr = q->orders[0].attr;
    ix = attr == def->created ? SIM_IX_CREATED : attr == def->updated ? SIM_IX_UPDATED : -1;
    if (ix < 0) {
        return false;
    }
    for (int i = 0; i < q->cond_count; i++) {
        if (q->conds[i].attr != attr || q->conds[i].never) {
            return false;
        }
    }
    (void)index_range(org, q, ix, &lo, &hi);
    *ret = (struct sim_result){st->by_time[ix].v + lo, hi - lo};
    return true;
}

/* What was created a while ago shows up. */
static void show_due(struct sim_org *org)
{
    for (uint32_t i = 0; i < org->hidden.n;) {
        struct sim_rec *rec = org->hidden.v[i];

        if (rec->dead || sim_mono_us() >= rec->shown_us) {
            rec->shown_us = 0;
            sim_vec_drop(&org->hidden, i);
            org->version++;
        } else {
            i++;
        }
    }
}

struct sim_result sim_query_run(struct sim_org *org, const struct sim_query *q)
{
    struct sim_result result = {0};
    struct sim_cached_list *c;
    char *key;

    show_due(org);
    if (as_slice(org, q, &result)) {
        return result;
    }
    key = cache_key(q);
    for (size_t i = 0; i < SIM_COUNT(org->cached); i++) {
        c = &org->cached[i];
        if (c->key && c->version == org->version && !strcmp(c->key, key)) {
            free(key);
            return (struct sim_result){c->list.v, c->list.n};
        }
    }
    c = &org->cached[org->cached_next++ % SIM_COUNT(org->cached)];
    free(c->key);
    free(c->list.v);
    c->key = key;
    c->list = scan(org, q);
    c->version = org->version;
    return (struct sim_result){c->list.v, c->list.n};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#include <stdlib.h>
#include <string.h>

enum mode { MODE_ITEM = 0, MODE_SINGLE, MODE_INCLUDED, MODE_DUMP };

enum { MAX_TARGETS = 4096 };

struct ctx {
    struct sim_page *page;
    struct sim_org *org;
    struct sim_buf *out;
    struct sim_rec **targets; /* MAX_TARGETS of scratch space */
    uint32_t mark;
    bool org_included;
};

void sim_render_value(const struct sim_rec *rec, int attr, struct sim_buf *out)
{
    const struct sim_attr *a = &sim_types[rec->type].attrs[attr];
    union sim_val v = rec->vals[attr];
    char time[24];

    if (sim_val_is_null(a->kind, v)) {
        SIM_LIT(out, "null");
        return;
    }
    switch (a->kind) {
    case SIM_STR:
    case SIM_DATE:
        sim_buf_json(out, v.s);
        break;
    case SIM_JSON:
        sim_buf_str(out, v.s);
        break;
    case SIM_INT:
        sim_buf_i64(out, v.i);
        break;
    case SIM_FLOAT:
        sim_buf_fmt(out, "%.15g", v.f);
        break;
    case SIM_BOOL:
        sim_buf_str(out, v.i ? "true" : "false");
        break;
    case SIM_TIME:
        sim_format_time(v.i, time);
        sim_buf_fmt(out, "\"%s\"", time);
        break;
    }
}

static void write_attributes(const struct sim_rec *rec, bool limited, uint64_t mask,
                             struct sim_buf *out)
{
    const struct sim_type_def *def = &sim_types[rec->type];
    bool first = true;

    SIM_LIT(out, "\"attributes\":{");
    for (int i = 0; i < def->value_count; i++) {
        const struct sim_attr *a = &def->attrs[i];

        if ((a->flags & SIM_A_VIRTUAL) ||
            (limited ? !(mask >> i & 1) : (a->flags & SIM_A_HIDDEN) != 0)) {
            continue;
        }
        sim_buf_str(out, first ? "\"" : ",\"");
        first = false;
        sim_buf_str(out, a->name);
        SIM_LIT(out, "\":");
        sim_render_value(rec, i, out);
    }
    sim_buf_char(out, '}');
}

static void put_attributes(struct ctx *c, struct sim_rec *rec, struct sim_buf *out)
{
    const struct sim_fields *fields = c->page ? &c->page->q->fields : NULL;

    if (fields && (fields->given >> rec->type & 1)) {
        write_attributes(rec, true, fields->attrs[rec->type], out);
        return;
    }
    if (!rec->json) {
        struct sim_buf b = {0};

        write_attributes(rec, false, 0, &b);
        rec->json = sim_realloc(b.data, b.len);
        rec->json_len = (uint32_t)b.len;
    }
    sim_buf_put(out, rec->json, rec->json_len);
}

static void put_id(const struct sim_rec *rec, struct sim_buf *out)
{
    if (rec->text_id) {
        sim_buf_str(out, rec->text_id);
    } else {
        sim_buf_i64(out, rec->id);
    }
}

static void put_self(const struct ctx *c, const struct sim_rec *rec, struct sim_buf *out)
{
    const struct sim_type_def *def = &sim_types[rec->type];

    sim_buf_str(out, c->page->base);
    sim_buf_char(out, '/');
    sim_buf_str(out, def->product);
    SIM_LIT(out, "/v2/");
    if (def->parent_ref >= 0) {
        const struct sim_rec *parent = rec->refs[def->parent_ref];

        sim_buf_str(out, sim_types[parent->type].path);
        sim_buf_char(out, '/');
        put_id(parent, out);
        sim_buf_char(out, '/');
    }
    sim_buf_str(out, def->path);
    if (rec->type != SIM_T_REFUND) {
        sim_buf_char(out, '/');
        put_id(rec, out);
    }
}

static void put_linkage(const char *type, const struct sim_rec *rec, struct sim_buf *out)
{
    SIM_LIT(out, "{\"type\":\"");
    sim_buf_str(out, type);
    SIM_LIT(out, "\",\"id\":\"");
    put_id(rec, out);
    SIM_LIT(out, "\"}");
}

static bool is_many(const struct sim_rel *rel)
{
    return rel->kind == SIM_REL_MANY || rel->kind == SIM_REL_VIA || rel->kind == SIM_REL_FLAT ||
           rel->kind == SIM_REL_NONE_MANY;
}

static void put_relationship(struct ctx *c, struct sim_rec *rec, const struct sim_rel *rel,
                             bool included, struct sim_buf *out)
{
    uint32_t n;

    sim_buf_char(out, '"');
    sim_buf_str(out, rel->name);
    SIM_LIT(out, "\":{");
    if (included) {
        SIM_LIT(out, "\"links\":{\"related\":\"");
        put_self(c, rec, out);
        sim_buf_char(out, '/');
        sim_buf_str(out, rel->name);
        SIM_LIT(out, "\"},");
    }
    SIM_LIT(out, "\"data\":");
    n = sim_rel_targets(rec, rel, c->targets, MAX_TARGETS);
    n = n > MAX_TARGETS ? MAX_TARGETS : n;
    if (rel->kind == SIM_REL_ORG) {
        sim_buf_fmt(out, "{\"type\":\"Organization\",\"id\":\"%d\"}", (int)sim_org_id(c->org));
    } else if (is_many(rel)) {
        sim_buf_char(out, '[');
        for (uint32_t i = 0; i < n; i++) {
            if (i) {
                sim_buf_char(out, ',');
            }
            put_linkage(rel->doc_type, c->targets[i], out);
        }
        sim_buf_char(out, ']');
    } else if (n) {
        put_linkage(rel->doc_type, c->targets[0], out);
    } else {
        SIM_LIT(out, "null");
    }
    sim_buf_char(out, '}');
}

static void put_relationships(struct ctx *c, struct sim_rec *rec, uint32_t mask, enum mode mode,
                              struct sim_buf *out)
{
    const struct sim_type_def *def = &sim_types[rec->type];
    const struct sim_fields *fields = c->page ? &c->page->q->fields : NULL;
    bool first = true;

    for (int i = 0; i < def->rel_count; i++) {
        const struct sim_rel *rel = &def->rels[i];
        bool included = (mask >> i & 1) != 0;

        if (mode == MODE_DUMP
                ? !(rel->flags & (SIM_REL_ALWAYS | SIM_REL_INCLUDE | SIM_REL_DUMP))
                : !(rel->flags & SIM_REL_ALWAYS) && !included) {
            continue;
        }
        if (fields && (fields->given >> rec->type & 1) && !(fields->rels[rec->type] >> i & 1)) {
            continue;
        }
        sim_buf_str(out, first ? ",\"relationships\":{" : ",");
        first = false;
        put_relationship(c, rec, rel, included && mode != MODE_DUMP, out);
    }
    if (!first) {
        sim_buf_char(out, '}');
    }
}

/* The map of links that a single read carries. */
static void put_link_map(struct ctx *c, struct sim_rec *rec, struct sim_buf *out)
{
    const struct sim_type_def *def = &sim_types[rec->type];

    for (int i = 0; i < def->rel_count; i++) {
        const struct sim_rel *rel = &def->rels[i];

        if (!(rel->flags & SIM_REL_NESTED) || rel->product) {
            continue;
        }
        sim_buf_fmt(out, "\"%s\":", rel->name);
        if (!is_many(rel) && !sim_rel_targets(rec, rel, NULL, 0)) {
            SIM_LIT(out, "null,");
            continue;
        }
        sim_buf_char(out, '"');
        put_self(c, rec, out);
        sim_buf_fmt(out, "/%s\",", rel->name);
    }
}

static void put_links(struct ctx *c, struct sim_rec *rec, enum mode mode, struct sim_buf *out)
{
    SIM_LIT(out, ",\"links\":{");
    if (mode == MODE_SINGLE) {
        put_link_map(c, rec, out);
    }
    SIM_LIT(out, "\"self\":\"");
    put_self(c, rec, out);
    sim_buf_char(out, '"');
    if (rec->type == SIM_T_PERSON) {
        SIM_LIT(out, ",\"html\":\"https://people.planningcenteronline.com/people/AC");
        put_id(rec, out);
        sim_buf_char(out, '"');
    }
    sim_buf_char(out, '}');
}

static const struct sim_broken *broken_record(const struct ctx *c, const struct sim_rec *rec)
{
    for (int i = 0; c->page && i < c->page->broken_count; i++) {
        if (c->page->broken[i].rec == rec) {
            return &c->page->broken[i];
        }
    }
    return NULL;
}

static void put_head(const struct sim_rec *rec, const char *type, const struct sim_broken *broken,
                     struct sim_buf *out)
{
    sim_buf_fmt(out, "{\"type\":\"%s%s\",", type,
                broken && broken->kind == SIM_FAULT_BAD_TYPE_NAME ? "Thing" : "");
    if (broken && broken->kind == SIM_FAULT_BAD_ID) {
        if (broken->arg && !strcmp(broken->arg, "number")) {
            sim_buf_fmt(out, "\"id\":%d,", (int)rec->id);
        } else if (broken->arg && !strcmp(broken->arg, "empty")) {
            SIM_LIT(out, "\"id\":\"\",");
        } else if (broken->arg && !strcmp(broken->arg, "null")) {
            SIM_LIT(out, "\"id\":null,");
        }
        return;
    }
    SIM_LIT(out, "\"id\":\"");
    put_id(rec, out);
    SIM_LIT(out, "\",");
}

static void put_record(struct ctx *c, struct sim_rec *rec, const char *type, uint32_t mask,
                       enum mode mode, struct sim_buf *out)
{
    const struct sim_broken *broken = broken_record(c, rec);

    put_head(rec, type, broken, out);
    if (broken) {
        sim_render_broken_attributes(rec, broken, out);
    } else {
        put_attributes(c, rec, out);
    }
    put_relationships(c, rec, mask, mode, out);
    if (mode != MODE_DUMP) {
        put_links(c, rec, mode, out);
    }
    sim_buf_char(out, '}');
}

/* The same person as the groups product tells of it. */
static void put_groups_person(struct ctx *c, struct sim_rec *rec, struct sim_buf *out)
{
    const struct sim_vec *emails = &rec->backs[SIM_B_PERSON_EMAILS];
    static const int attrs[] = {SIM_PERSON_CHILD, SIM_PERSON_CREATED_AT, SIM_PERSON_FIRST_NAME,
                                SIM_PERSON_LAST_NAME};

    put_head(rec, "Person", NULL, out);
    SIM_LIT(out, "\"attributes\":{\"addresses\":[],\"avatar_url\":");
    sim_render_value(rec, SIM_PERSON_AVATAR, out);
    for (size_t i = 0; i < SIM_COUNT(attrs); i++) {
        sim_buf_fmt(out, ",\"%s\":", sim_types[SIM_T_PERSON].attrs[attrs[i]].name);
        sim_render_value(rec, attrs[i], out);
    }
    SIM_LIT(out, ",\"email_addresses\":[");
    for (uint32_t i = 0; i < emails->n; i++) {
        SIM_LIT(out, "{\"address\":");
        sim_render_value(emails->v[i], SIM_EMAIL_ADDRESS, out);
        SIM_LIT(out, ",\"primary\":");
        sim_render_value(emails->v[i], SIM_EMAIL_PRIMARY, out);
        sim_buf_str(out, i + 1 < emails->n ? "}," : "}");
    }
    sim_buf_fmt(out,
                "],\"permissions\":\"member\",\"phone_numbers\":[]},"
                "\"links\":{\"self\":\"%s/groups/v2/people/%d\"}}",
                c->page->base, (int)rec->id);
}

static void put_organization(const struct sim_org *org, const char *base, struct sim_buf *out)
{
    sim_buf_fmt(out,
                "{\"type\":\"Organization\",\"id\":\"%d\",\"attributes\":{"
                "\"avatar_url\":null,\"church_center_subdomain\":\"church%d\","
                "\"contact_website\":null,\"country_code\":\"US\",\"date_format\":\"%%m/%%d/%%Y\","
                "\"name\":\"Church %d\",\"time_zone\":\"America/Los_Angeles\"},"
                "\"links\":{\"self\":\"%s/people/v2\"}}",
                (int)sim_org_id(org), org->number, org->number, base);
}

static void include_targets(struct ctx *c, const struct sim_rec *rec, const struct sim_rel *rel,
                            uint32_t below, struct sim_buf *out)
{
    struct sim_rec *few[256], **list = few;
    uint32_t n;

    if (rel->kind == SIM_REL_ORG && !c->org_included) {
        c->org_included = true;
        if (out->len) {
            sim_buf_char(out, ',');
        }
        put_organization(c->org, c->page->base, out);
    }
    n = sim_rel_targets(rec, rel, few, SIM_COUNT(few));
    if (n > SIM_COUNT(few)) {
        list = sim_alloc(n * sizeof *list);
        n = sim_rel_targets(rec, rel, list, n);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (list[i]->mark != c->mark) {
            list[i]->mark = c->mark;
            if (out->len) {
                sim_buf_char(out, ',');
            }
            if (rec->type == SIM_T_MEMBER) {
                put_groups_person(c, list[i], out);
            } else {
                put_record(c, list[i], rel->doc_type, below, MODE_INCLUDED, out);
            }
        }
        for (int b = 0; below && b < sim_types[rel->target].rel_count; b++) {
            if (below >> b & 1) {
                include_targets(c, list[i], &sim_types[rel->target].rels[b], 0, out);
            }
        }
    }
    if (list != few) {
        free(list);
    }
}

static void put_included(struct ctx *c, struct sim_rec *const *recs, uint32_t n,
                         struct sim_buf *out)
{
    const struct sim_include *inc = &c->page->q->include;
    const struct sim_type_def *def = &sim_types[c->page->q->type];
    struct sim_buf b = {0};

    for (uint32_t i = 0; inc->mask && i < n; i++) {
        for (int r = 0; r < def->rel_count; r++) {
            if (inc->mask >> r & 1) {
                include_targets(c, recs[i], &def->rels[r], inc->below[r], &b);
            }
        }
    }
    SIM_LIT(out, ",\"included\":[");
    if (b.len) {
        sim_buf_put(out, b.data, b.len);
    }
    sim_buf_char(out, ']');
    sim_buf_free(&b);
}

static void put_names(const char *key, const struct sim_type_def *def, unsigned flag,
                      struct sim_buf *out)
{
    bool first = true;

    if (flag == SIM_A_WHERE && def->where_id) {
        sim_buf_fmt(out, ",\"%s\":[\"id\"", key);
        first = false;
    }
    for (int i = 0; i < def->attr_count; i++) {
        if (def->attrs[i].flags & flag) {
            sim_buf_fmt(out, first ? ",\"%s\":[\"%s\"" : ",\"%.0s%s\"", key, def->attrs[i].name);
            first = false;
        }
    }
    if (!first) {
        sim_buf_char(out, ']');
    }
}

static void put_capabilities(const struct sim_type_def *def, bool list, struct sim_buf *out)
{
    bool first = true;

    if (list) {
        put_names("can_order_by", def, SIM_A_ORDER, out);
        put_names("can_query_by", def, SIM_A_WHERE, out);
    }
    for (int i = 0; i < def->rel_count; i++) {
        if (def->rels[i].flags & SIM_REL_INCLUDE) {
            sim_buf_fmt(out, first ? ",\"can_include\":[\"%s\"" : ",\"%s\"", def->rels[i].name);
            first = false;
        }
    }
    if (!first) {
        sim_buf_char(out, ']');
    }
    if (list && def->filters) {
        sim_buf_fmt(out, ",\"can_filter\":[%s]", def->filters);
    }
}

static void put_parent(const struct sim_org *org, const struct sim_rec *parent,
                       struct sim_buf *out)
{
    SIM_LIT(out, ",\"parent\":");
    if (parent) {
        SIM_LIT(out, "{\"id\":\"");
        put_id(parent, out);
        sim_buf_fmt(out, "\",\"type\":\"%s\"}", sim_types[parent->type].name);
    } else {
        sim_buf_fmt(out, "{\"id\":\"%d\",\"type\":\"Organization\"}", (int)sim_org_id(org));
    }
}

static void put_page_link(const struct sim_page *p, const char *name, int64_t offset,
                          struct sim_buf *out)
{
    sim_buf_fmt(out, "%s\"%s\":\"%s%s", offset < 0 ? "" : ",", name, p->base, p->path);
    sim_params_write(p->q->params, offset, out);
    sim_buf_char(out, '"');
}

static void put_list_tail(const struct sim_page *p, int64_t count, int64_t total, int64_t prev,
                          int64_t next, struct sim_buf *out)
{
    sim_buf_fmt(out, ",\"meta\":{\"total_count\":%lld,\"count\":%lld",
                (long long)(total + p->total_off), (long long)count);
    if (prev >= 0) {
        sim_buf_fmt(out, ",\"prev\":{\"offset\":%lld}", (long long)prev);
    }
    if (next >= 0) {
        sim_buf_fmt(out, ",\"next\":{\"offset\":%lld}", (long long)next);
    }
    put_capabilities(&sim_types[p->q->type], true, out);
    put_parent(p->org, p->q->parent, out);
    SIM_LIT(out, "}}");
}

static struct ctx begin(struct sim_page *page, struct sim_buf *out)
{
    struct ctx c = {.page = page, .org = page->org, .out = out};

    c.mark = ++page->org->mark;
    c.targets = sim_alloc(MAX_TARGETS * sizeof *c.targets);
    return c;
}

void sim_render_list(struct sim_page *page, const struct sim_result *result, struct sim_buf *out)
{
    struct ctx c = begin(page, out);
    const struct sim_query *q = page->q;
    int64_t total = result->total, from = q->offset < total ? q->offset : total;
    int64_t n = total - from < q->per_page ? total - from : q->per_page;
    bool more = q->offset + q->step < total || (q->step == 0 && total);
    int64_t next = more ? q->offset + q->step : -1;
    int64_t prev = q->offset > 0 ? (q->offset > q->step ? q->offset - q->step : 0) : -1;
    struct sim_rec *const *recs = result->total ? result->v + from : NULL;

    n = page->empty ? 0 : n;
    SIM_LIT(out, "{\"links\":{");
    put_page_link(page, "self", -1, out);
    if (prev >= 0) {
        put_page_link(page, "prev", prev, out);
    }
    if (next >= 0) {
        put_page_link(page, "next", next, out);
    }
    SIM_LIT(out, "},\"data\":[");
    for (int64_t i = 0; i < n; i++) {
        if (i) {
            sim_buf_char(out, ',');
        }
        recs[i]->mark = c.mark;
        put_record(&c, recs[i], sim_types[q->type].name, q->include.mask, MODE_ITEM, out);
    }
    sim_buf_char(out, ']');
    put_included(&c, recs, (uint32_t)n, out);
    put_list_tail(page, n, total, prev, next, out);
    free(c.targets);
}

void sim_render_single(struct sim_page *page, struct sim_rec *rec, struct sim_buf *out)
{
    struct ctx c = begin(page, out);
    const struct sim_type_def *def = &sim_types[rec->type];
    struct sim_buf caps = {0};

    rec->mark = c.mark;
    SIM_LIT(out, "{\"data\":");
    put_record(&c, rec, def->name, page->q->include.mask, MODE_SINGLE, out);
    put_included(&c, &rec, 1, out);
    SIM_LIT(out, ",\"meta\":{");
    put_capabilities(def, false, &caps);
    put_parent(page->org, def->parent_ref >= 0 ? rec->refs[def->parent_ref] : NULL, &caps);
    sim_buf_put(out, caps.data + 1, caps.len - 1); /* without the leading comma */
    SIM_LIT(out, "}}");
    sim_buf_free(&caps);
    free(c.targets);
}

void sim_render_organization(const struct sim_org *org, const char *base, struct sim_buf *out)
{
    SIM_LIT(out, "{\"data\":");
    put_organization(org, base, out);
    sim_buf_fmt(out,
                ",\"included\":[],\"meta\":{\"parent\":{\"id\":\"%d\",\"type\":"
                "\"Organization\"}}}",
                (int)sim_org_id(org));
}

void sim_render_dump(struct sim_org *org, struct sim_rec *rec, struct sim_buf *out)
{
    struct sim_rec **targets = sim_alloc(MAX_TARGETS * sizeof *targets);
    struct ctx c = {.org = org, .out = out, .targets = targets};

    put_record(&c, rec, sim_types[rec->type].name, 0, MODE_DUMP, out);
    sim_buf_char(out, '\n');
    free(targets);
}

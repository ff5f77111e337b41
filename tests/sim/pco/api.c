/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include "edits.h"
#include "gen.h"
#include "render.h"
#include "write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_API "application/vnd.api+json; charset=utf-8"
#define JSON_ERROR "application/json; charset=utf-8"

enum { MAX_SEGMENTS = 8 };

struct product {
    const char *name;
    const char *const *versions; /* ascending, the last is the one that is spoken */
};

static const char *const people_versions[] = {
    "2018-08-01", "2019-01-14", "2019-10-10", "2020-04-06", "2020-07-22", "2021-08-17",
    "2022-01-05", "2022-01-28", "2022-07-14", "2023-02-15", "2023-03-21", "2024-09-12",
    "2025-03-20", "2025-07-02", "2025-07-17", "2025-11-10", "2026-06-04", NULL};
static const char *const groups_versions[] = {"2018-08-01", "2023-07-10", NULL};
static const char *const giving_versions[] = {"2018-08-01", "2019-10-18", NULL};
static const char *const other_versions[] = {"2018-08-01", NULL};
static const struct product products[] = {
    {"people", people_versions},  {"groups", groups_versions},      {"giving", giving_versions},
    {"calendar", other_versions}, {"check-ins", other_versions},    {"services", other_versions},
    {"api", other_versions},      {"registrations", other_versions}, {"publishing", other_versions},
    {"current", other_versions}};

struct route {
    char copy[1024];
    char *segments[MAX_SEGMENTS];
    int count;
};

void sim_answer_error(struct sim_answer *a, int status, const char *detail)
{
    static const struct {
        int status;
        const char *title, *code, *detail;
    } rows[] = {
        {400, "Bad Request", NULL, NULL},
        {401, "Unauthorized", "unauthorized", NULL},
        {402, "Payment Required", NULL, "This feature is not part of your plan"},
        {403, "Forbidden", NULL, "You do not have access to this resource"},
        {409, "Conflict", NULL, "The resource has been changed meanwhile"},
        {422, "Validation Error", NULL, "is invalid"},
        {404, "Not Found", NULL, "The resource you requested could not be found"},
        {500, "Internal Server Error", NULL,
         "An internal server error occurred on our end and we've been notified. Please contact "
         "support if the issue persists."},
        {503, "Service Unavailable", NULL, "Planning Center is down for maintenance"}};

    a->status = status;
    a->content_type = JSON_ERROR;
    a->body.len = 0;
    for (size_t i = 0; i < SIM_COUNT(rows); i++) {
        if (rows[i].status == status) {
            SIM_LIT(&a->body, "{\"errors\":[{");
            if (rows[i].code) {
                sim_buf_fmt(&a->body, "\"code\":\"%s\",", rows[i].code);
            }
            sim_buf_fmt(&a->body, "\"status\":\"%d\",\"title\":\"%s\",\"detail\":", status,
                        rows[i].title);
            sim_buf_json(&a->body, detail ? detail : rows[i].detail);
            SIM_LIT(&a->body, "}]}");
        }
    }
}

static void split(struct route *r, const char *path)
{
    char *save = NULL;

    (void)snprintf(r->copy, sizeof r->copy, "%s", path);
    r->count = 0;
    for (char *s = strtok_r(r->copy, "/", &save); s && r->count < MAX_SEGMENTS;
         s = strtok_r(NULL, "/", &save)) {
        r->segments[r->count++] = s;
    }
}

static const struct product *product_by_name(const char *name)
{
    for (size_t i = 0; i < SIM_COUNT(products); i++) {
        if (!strcmp(products[i].name, name)) {
            return &products[i];
        }
    }
    return NULL;
}

/* The type of /product/v2/<segment>; people stand below every product. */
enum sim_type sim_api_top_type(const char *product, const char *segment)
{
    enum sim_type type = sim_type_by_path(product, segment);

    return type == SIM_T_NONE && !strcmp(segment, "people") &&
                   (!strcmp(product, "groups") || !strcmp(product, "giving"))
               ? SIM_T_PERSON
               : type;
}

const struct sim_rel *sim_api_nested(enum sim_type type, const char *product, const char *segment)
{
    const struct sim_type_def *def = &sim_types[type];

    for (int i = 0; i < def->rel_count; i++) {
        const struct sim_rel *rel = &def->rels[i];

        if ((rel->flags & SIM_REL_NESTED) && !strcmp(rel->name, segment) &&
            !strcmp(rel->product ? rel->product : def->product, product)) {
            return rel;
        }
    }
    return NULL;
}

bool sim_api_nested_is_list(const struct sim_rel *rel)
{
    return rel->kind == SIM_REL_MANY || rel->kind == SIM_REL_VIA || rel->kind == SIM_REL_FLAT ||
           rel->kind == SIM_REL_NONE_MANY;
}

bool sim_api_is_list(const char *path)
{
    struct route r;
    enum sim_type type;
    const struct sim_rel *rel;

    split(&r, path);
    if (r.count < 3 || strcmp(r.segments[1], "v2") != 0) {
        return false;
    }
    type = sim_api_top_type(r.segments[0], r.segments[2]);
    if (type == SIM_T_NONE) {
        return false;
    }
    if (r.count == 5) {
        rel = sim_api_nested(type, r.segments[0], r.segments[4]);
        return rel && sim_api_nested_is_list(rel);
    }
    return r.count == 3;
}

/* The latest version that is not after the one asked for; false: none is that old. */
static bool pick_version(const struct product *p, const char *asked, const char **ret)
{
    const char *best = NULL, *last = NULL;

    for (int i = 0; p->versions[i]; i++) {
        last = p->versions[i];
        if (asked && strcmp(p->versions[i], asked) <= 0) {
            best = p->versions[i];
        }
    }
    *ret = !asked || !strcmp(asked, "LATEST") ? last : best;
    return *ret != NULL;
}

struct work {
    const struct sim_call *call;
    struct sim_answer *answer;
    struct sim_org *org;
    struct sim_params params;
    struct sim_query query;
    struct sim_page page;
    struct route route;
};

static struct sim_rec *find_record(struct sim_org *org, const char *record)
{
    char type[64];
    size_t n = strcspn(record, "/");
    enum sim_type t;

    if (record[n] != '/' || n >= sizeof type) {
        return NULL;
    }
    memcpy(type, record, n);
    type[n] = '\0';
    t = sim_type_by_name(type);
    return t == SIM_T_NONE ? NULL : sim_rec_find_text(org, t, record + n + 1);
}

static void add_broken(struct sim_page *page, const struct sim_rec *rec,
                       const struct sim_fault *fault)
{
    if (rec && page->broken_count < SIM_MAX_BROKEN) {
        page->broken[page->broken_count++] =
            (struct sim_broken){rec, fault->kind, fault->arg[0] ? fault->arg : NULL};
    }
}

/* Finds out which records of the page are to be spoilt. */
static void choose_broken(struct work *w, const struct sim_result *result)
{
    const struct sim_query *q = &w->query;
    int64_t n = result->total - q->offset;

    n = n > q->per_page ? q->per_page : n;
    for (int i = 0; i < w->call->hit_count; i++) {
        const struct sim_fault *f = &w->call->hits[i];

        if (!sim_fault_is_record(f->kind)) {
            continue;
        }
        if (f->record[0]) {
            add_broken(&w->page, find_record(w->org, f->record), f);
        } else if (f->id[0]) {
            add_broken(&w->page, sim_rec_find_text(w->org, q->type, f->id), f);
        } else if (n > 0) {
            uint64_t pick = sim_mix((uint64_t)q->offset + (uint64_t)i, (uint64_t)result->total);

            add_broken(&w->page, result->v[q->offset + (int64_t)(pick % (uint64_t)n)], f);
        }
    }
}

static bool has_fault(const struct work *w, enum sim_fault_kind kind, const char **ret_arg)
{
    for (int i = 0; i < w->call->hit_count; i++) {
        if (w->call->hits[i].kind == kind) {
            *ret_arg = w->call->hits[i].arg;
            return true;
        }
    }
    return false;
}

static void spoil_page(struct work *w)
{
    const char *arg;
    int64_t n;

    if (has_fault(w, SIM_FAULT_WRONG_TOTAL, &arg)) {
        w->page.total_off = sim_parse_i64(arg, &n) ? n : 7;
    }
    if (has_fault(w, SIM_FAULT_EMPTY_PAGE, &arg)) {
        w->page.empty = true;
    }
    if (has_fault(w, SIM_FAULT_REPEAT_PAGE, &arg) && w->query.offset > 0) {
        w->query.offset -= w->query.step < w->query.offset ? w->query.step : w->query.offset;
    }
}

static void answer_list(struct work *w)
{
    struct sim_buf *last = &w->org->last_page[w->query.type];
    struct sim_buf *body = &w->answer->body;
    struct sim_result result;
    const char *arg;
    int64_t asked = w->query.offset;

    w->org->list_requests++;
    if (w->org->edit_every && w->org->edit_left > 0 &&
        w->org->list_requests % w->org->edit_every == 0) {
        struct sim_buf what = {0};

        w->org->edit_left--;
        sim_edit(w->org, w->org->edit_op, 1, &what);
        sim_buf_free(&what);
    }
    spoil_page(w);
    if (has_fault(w, SIM_FAULT_REPEAT_PAGE, &arg) && asked == 0 && last->len) {
        sim_buf_put(body, last->data, last->len);
        return;
    }
    result = has_fault(w, SIM_FAULT_EMPTY_LIST, &arg) ? (struct sim_result){0} : sim_query_run(w->org, &w->query);
    choose_broken(w, &result);
    sim_render_list(&w->page, &result, body);
    if (sim_faults_want_last_page()) {
        last->len = 0;
        sim_buf_put(last, body->data, body->len);
    }
}

static void answer_single(struct work *w, struct sim_rec *rec)
{
    struct sim_rec *one[1] = {rec};
    struct sim_result result = {one, 1};

    sim_query_parse(&w->query, (enum sim_type)rec->type, &w->params);
    w->query.offset = 0;
    choose_broken(w, &result);
    sim_render_single(&w->page, rec, &w->answer->body);
}

static void answer_nested(struct work *w, struct sim_rec *parent)
{
    const char *product = w->route.segments[0];
    const struct sim_rel *rel =
        sim_api_nested((enum sim_type)parent->type, product, w->route.segments[4]);
    struct sim_rec *target = NULL;

    if (!rel || w->route.count > 6) {
        sim_answer_error(w->answer, 404, NULL);
        return;
    }
    if (sim_api_nested_is_list(rel) && w->route.count == 5 && rel->target != SIM_T_NONE) {
        sim_query_parse(&w->query, (enum sim_type)rel->target, &w->params);
        w->query.parent = parent;
        w->query.rel = rel;
        answer_list(w);
        return;
    }
    if (sim_api_nested_is_list(rel) && w->route.count == 6) {
        struct sim_rec *list[4096];
        uint32_t n = sim_rel_targets(parent, rel, list, SIM_COUNT(list));

        for (uint32_t i = 0; i < n && i < SIM_COUNT(list); i++) {
            if (list[i] == sim_rec_find_text(w->org, (enum sim_type)rel->target,
                                             w->route.segments[5])) {
                target = list[i];
            }
        }
    } else if (!sim_api_nested_is_list(rel) && w->route.count == 5) {
        (void)sim_rel_targets(parent, rel, &target, 1);
    }
    if (target) {
        answer_single(w, target);
    } else {
        sim_answer_error(w->answer, 404, NULL);
    }
}

static void answer_get(struct work *w)
{
    const struct route *r = &w->route;
    const char *product = r->segments[0];
    enum sim_type type;
    struct sim_rec *rec;

    if (r->count == 2) {
        sim_render_organization(w->org, w->call->base, &w->answer->body);
        return;
    }
    if (r->count == 3 && !strcmp(r->segments[2], "me")) {
        if (w->org->stores[SIM_T_PERSON].by_id.n) {
            answer_single(w, w->org->stores[SIM_T_PERSON].by_id.v[0]);
        } else {
            sim_answer_error(w->answer, 404, NULL);
        }
        return;
    }
    type = sim_api_top_type(product, r->segments[2]);
    if (type == SIM_T_NONE || (r->count < 5 && strcmp(sim_types[type].product, product) != 0)) {
        sim_answer_error(w->answer, 404, NULL);
        return;
    }
    if (r->count == 3) {
        sim_query_parse(&w->query, type, &w->params);
        answer_list(w);
        return;
    }
    rec = sim_rec_find_text(w->org, type, r->segments[3]);
    if (!rec) {
        sim_answer_error(w->answer, 404, NULL);
    } else if (r->count == 4) {
        answer_single(w, rec);
    } else {
        answer_nested(w, rec);
    }
}

static void answer(struct work *w)
{
    struct sim_rec *written;

    if (!strcmp(w->call->method, "GET")) {
        answer_get(w);
        return;
    }
    written = sim_write_handle(w->call, w->route.segments, w->route.count, w->answer);
    if (written) {
        answer_single(w, written);
    }
}

void sim_api_handle(const struct sim_call *call, struct sim_answer *ret)
{
    struct work *w = sim_alloc(sizeof *w);
    const struct product *product;

    w->call = call;
    w->answer = ret;
    split(&w->route, call->path);
    product = w->route.count ? product_by_name(w->route.segments[0]) : NULL;
    *ret = (struct sim_answer){.status = 200, .content_type = JSON_API};
    if (!product || w->route.count < 2 || strcmp(w->route.segments[1], "v2") != 0) {
        sim_answer_error(ret, 404, NULL);
    } else if (!strcmp(call->method, "PUT")) {
        ret->status = 404;
        ret->bare = true;
        ret->content_type = "text/html; charset=utf-8";
        sim_buf_str(&ret->body, "<!DOCTYPE html><html><body><h1>Not found</h1></body></html>");
    } else if (!pick_version(product, call->version, &ret->version)) {
        sim_answer_error(ret, 400, "unsupported_version_error");
    } else {
        ret->processor = product->name;
        sim_params_parse(&w->params, call->query);
        pthread_mutex_lock(&call->church->org.lock);
        sim_org_ensure(&call->church->org);
        sim_commit_due(&call->church->org, false);
        w->org = &call->church->org;
        w->page = (struct sim_page){
            .org = w->org, .q = &w->query, .base = call->base, .path = call->path};
        answer(w);
        pthread_mutex_unlock(&call->church->org.lock);
        sim_params_free(&w->params);
    }
    free(w);
}

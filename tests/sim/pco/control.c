/* SPDX-License-Identifier: Apache-2.0 */
/* /_sim/: the tests' own door. No credentials, no rate limit, not in the ledger. */
#include "api.h"
#include "change.h"
#include "church.h"
#include "edits.h"
#include "faults.h"
#include "gen.h"
#include "params.h"
#include "render.h"
#include "server.h"
#include "write.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct control {
    const char *method;
    const char *path; /* after /_sim/ */
    struct sim_params params;
    const char *text;
    cJSON *body;
    struct sim_buf *out;
};

static int failed(struct control *c, int status, const char *why)
{
    c->out->len = 0;
    sim_buf_fmt(c->out, "{\"error\":\"%s\"}\n", why);
    return status;
}

static int done(struct control *c)
{
    SIM_LIT(c->out, "{\"ok\":true}\n");
    return 200;
}

static double number(const struct control *c, const char *key, double otherwise)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(c->body, key);

    return cJSON_IsNumber(v) ? v->valuedouble : otherwise;
}

static const char *text(const struct control *c, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(c->body, key);

    return cJSON_IsString(v) ? v->valuestring : NULL;
}

static int64_t param(const struct control *c, const char *key, int64_t otherwise)
{
    const char *value = sim_params_get(&c->params, key);
    int64_t n;

    return value && sim_parse_i64(value, &n) ? n : otherwise;
}

static bool is(const struct control *c, const char *method, const char *path)
{
    return !strcmp(c->method, method) && !strcmp(c->path, path);
}

/* Calls f for the church that "org" names, or for all when it is 0. */
static int each_church(struct control *c, void (*f)(struct sim_church *, struct control *))
{
    int64_t org = (int64_t)number(c, "org", 0);

    if (org && !sim_church_get(org)) {
        return failed(c, 404, "no such org");
    }
    for (int64_t i = org ? org : 1; i <= (org ? org : sim_settings.orgs); i++) {
        f(sim_church_get(i), c);
    }
    return 200;
}

static void set_limit(struct sim_church *church, struct control *c)
{
    bool off = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c->body, "off"));

    sim_gate_lock();
    sim_limit_set(church, off, (int64_t)number(c, "limit", (double)church->limit),
                  (int64_t)number(c, "period", (double)church->period_us / 1e6));
    sim_gate_unlock();
}

static void set_latency(struct sim_church *church, struct control *c)
{
    sim_gate_lock();
    church->latency_ms = (int64_t)number(c, "ms", 0);
    sim_gate_unlock();
}

static void revoke(struct sim_church *church, struct control *c)
{
    (void)c;
    sim_auth_revoke(church);
}

static void expire(struct sim_church *church, struct control *c)
{
    (void)c;
    sim_auth_expire(church);
}

static int restore(struct control *c)
{
    struct sim_church *church = sim_church_get((int64_t)number(c, "org", 0));

    if (!church) {
        return failed(c, 404, "no such org");
    }
    sim_auth_restore(church, c->out);
    return 200;
}

static int edits(struct control *c)
{
    struct sim_church *church = sim_church_get((int64_t)number(c, "org", 0));
    const char *op = text(c, "op");
    int64_t every = (int64_t)number(c, "every_requests", 0);

    if (!church) {
        return failed(c, 404, "no such org");
    }
    if (!op || !sim_edit_known(op)) {
        return failed(c, 400, "unknown op");
    }
    pthread_mutex_lock(&church->org.lock);
    sim_org_ensure(&church->org);
    if (cJSON_HasObjectItem(c->body, "every_requests")) {
        free(church->org.edit_op);
        church->org.edit_op = sim_strdup(op);
        church->org.edit_every = every;
        church->org.edit_left = (int64_t)number(c, "max", 1000000);
        SIM_LIT(c->out, "[]");
    } else {
        (void)sim_edit(&church->org, op, (int64_t)number(c, "count", 1), c->out);
    }
    pthread_mutex_unlock(&church->org.lock);
    sim_buf_char(c->out, '\n');
    return 200;
}

static int configure(struct control *c, struct sim_church *church)
{
    struct sim_gen_config *cfg = &church->org.cfg;
    int64_t life = (int64_t)number(c, "token_life", 0);

    pthread_mutex_lock(&church->org.lock);
    if (church->org.ready && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c->body, "reset"))) {
        sim_org_clear(&church->org);
    }
    if (church->org.ready && !life) {
        pthread_mutex_unlock(&church->org.lock);
        return failed(c, 409, "already in use; reset: true starts anew");
    }
    cfg->people = (int64_t)number(c, "people", (double)cfg->people);
    cfg->seed = (uint64_t)number(c, "seed", (double)cfg->seed);
    cfg->ugly = number(c, "ugly", cfg->ugly);
    cfg->contacts = number(c, "contacts", cfg->contacts);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c->body, "generate"))) {
        sim_org_ensure(&church->org);
    }
    pthread_mutex_unlock(&church->org.lock);
    if (life) {
        sim_gate_lock();
        church->token_life_s = life;
        sim_gate_unlock();
    }
    return done(c);
}

/* One type, or all when none is named. */
static int dump(struct control *c, struct sim_church *church)
{
    const char *name = sim_params_get(&c->params, "type");
    enum sim_type type = name ? sim_type_by_name(name) : SIM_T_NONE;

    if (name && type == SIM_T_NONE) {
        return failed(c, 400, "unknown type");
    }
    pthread_mutex_lock(&church->org.lock);
    sim_org_ensure(&church->org);
    sim_commit_due(&church->org, false);
    for (int t = 0; t < SIM_T_COUNT; t++) {
        const struct sim_vec *list = &church->org.stores[t].by_id;

        for (uint32_t i = 0; (!name || t == (int)type) && i < list->n; i++) {
            sim_render_dump(&church->org, list->v[i], c->out);
        }
    }
    pthread_mutex_unlock(&church->org.lock);
    return 200;
}

static int counts(struct control *c, struct sim_church *church)
{
    pthread_mutex_lock(&church->org.lock);
    sim_org_ensure(&church->org);
    for (int t = 0; t < SIM_T_COUNT; t++) {
        sim_buf_fmt(c->out, "%s\"%s\":%u", t ? "," : "{", sim_types[t].name,
                    church->org.stores[t].by_id.n);
    }
    pthread_mutex_unlock(&church->org.lock);
    SIM_LIT(c->out, "}\n");
    return 200;
}

/* Somebody at the church does what a request of the API would do. */
static int act(struct control *c, struct sim_church *church)
{
    const cJSON *body = cJSON_GetObjectItemCaseSensitive(c->body, "body");
    char *body_text = body ? cJSON_PrintUnformatted(body) : NULL;
    const char *path = text(c, "path"), *method = text(c, "method");
    struct sim_answer answer = {0};
    struct sim_call call = {.church = church,
                            .method = method,
                            .path = path,
                            .body = body_text ? body_text : "",
                            .base = "http://church",
                            .at_church = true};

    if (!path || !method) {
        free(body_text);
        return failed(c, 400, "method and path are needed");
    }
    sim_api_handle(&call, &answer);
    sim_buf_fmt(c->out, "{\"status\":%d,\"body\":", answer.status);
    sim_buf_str(c->out, answer.body.len && answer.content_type && strstr(answer.content_type, "json")
                            ? sim_buf_cstr(&answer.body)
                            : "null");
    SIM_LIT(c->out, "}\n");
    sim_buf_free(&answer.body);
    free(body_text);
    return 200;
}

static int merge(struct control *c, struct sim_church *church)
{
    struct sim_org *org = &church->org;
    struct sim_change change = {org, sim_wall_s()};
    const char *keep_id = text(c, "keep"), *gone_id = text(c, "remove");
    struct sim_rec *keep, *gone;
    int status = 200;

    pthread_mutex_lock(&org->lock);
    sim_org_ensure(org);
    keep = keep_id ? sim_rec_find_text(org, SIM_T_PERSON, keep_id) : NULL;
    gone = gone_id ? sim_rec_find_text(org, SIM_T_PERSON, gone_id) : NULL;
    if (keep && gone && keep != gone) {
        sim_merge_people(&change, keep, gone);
        status = done(c);
    } else {
        status = failed(c, 404, "keep and remove must be two people");
    }
    pthread_mutex_unlock(&org->lock);
    return status;
}

static int compare_made(const void *a, const void *b)
{
    const struct sim_rec *x = *(struct sim_rec *const *)a, *y = *(struct sim_rec *const *)b;

    if (x->made_by != y->made_by) {
        return x->made_by < y->made_by ? -1 : 1;
    }
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Records that were created through the API by the same request more than once, dead ones too. */
static int duplicates(struct control *c, struct sim_church *church)
{
    struct sim_vec *made = &church->org.made;
    struct sim_rec **list;
    uint32_t n;
    bool first = true;

    pthread_mutex_lock(&church->org.lock);
    n = made->n;
    list = sim_alloc((n + 1) * sizeof *list);
    for (uint32_t i = 0; i < n; i++) {
        list[i] = made->v[i];
    }
    qsort(list, n, sizeof *list, compare_made);
    sim_buf_char(c->out, '[');
    for (uint32_t i = 0, j; i < n; i = j) {
        unsigned living = 0;

        for (j = i; j < n && list[j]->made_by == list[i]->made_by; j++) {
            living += !list[j]->dead;
        }
        if (j - i < 2) {
            continue;
        }
        sim_buf_fmt(c->out, "%s{\"type\":\"%s\",\"living\":%u,\"ids\":", first ? "" : ",\n",
                    sim_types[list[i]->type].name, living);
        first = false;
        for (uint32_t k = i; k < j; k++) {
            sim_buf_fmt(c->out, "%s\"%lld\"", k == i ? "[" : ",", (long long)list[k]->id);
        }
        SIM_LIT(c->out, "]}");
    }
    SIM_LIT(c->out, "]\n");
    free(list);
    pthread_mutex_unlock(&church->org.lock);
    return 200;
}

static void set_org_settings(struct sim_church *church, struct control *c)
{
    struct sim_org *org = &church->org;
    const char *respell = text(c, "respell");
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(c->body, "show_all_late");

    pthread_mutex_lock(&org->lock);
    org->show_after_ms = (int64_t)number(c, "show_after_ms", (double)org->show_after_ms);
    org->show_all_late = all ? cJSON_IsTrue(all) : org->show_all_late;
    org->commit_ms = (int64_t)number(c, "commit_ms", (double)org->commit_ms);
    if (respell) {
        (void)sim_respell_parse(respell, &org->respell);
    }
    pthread_mutex_unlock(&org->lock);
}

static int set_settings(struct control *c)
{
    const char *respell = text(c, "respell");
    unsigned bits;

    if (respell && !sim_respell_parse(respell, &bits)) {
        return failed(c, 400, "unknown word in respell");
    }
    return each_church(c, set_org_settings);
}

static int org_request(struct control *c)
{
    char *end = NULL;
    long number_of = strtol(c->path + 5, &end, 10);
    struct sim_church *church = sim_church_get(number_of);

    if (!church) {
        return failed(c, 404, "no such org");
    }
    if (!strcmp(end, "/dump") && !strcmp(c->method, "GET")) {
        return dump(c, church);
    }
    if (!strcmp(end, "/counts") && !strcmp(c->method, "GET")) {
        return counts(c, church);
    }
    if (!strcmp(end, "/duplicates") && !strcmp(c->method, "GET")) {
        return duplicates(c, church);
    }
    if (!strcmp(end, "/do") && !strcmp(c->method, "POST")) {
        return act(c, church);
    }
    if (!strcmp(end, "/merge") && !strcmp(c->method, "POST")) {
        return merge(c, church);
    }
    if (!strcmp(end, "/config") && !strcmp(c->method, "POST")) {
        return configure(c, church);
    }
    return failed(c, 404, "no such control");
}

static int faults(struct control *c)
{
    const char *why = NULL;

    if (!strcmp(c->method, "POST")) {
        return sim_faults_add(c->text, &why) ? done(c) : failed(c, 400, why);
    }
    if (!strcmp(c->method, "DELETE")) {
        sim_faults_clear();
        return done(c);
    }
    sim_faults_write(c->out);
    return 200;
}

static int ledger(struct control *c)
{
    int64_t org = param(c, "org", 0), since = param(c, "since", 0);

    if (is(c, "POST", "ledger/reset")) {
        sim_ledger_reset();
        return done(c);
    }
    if (is(c, "POST", "ledger/bodies")) {
        sim_ledger_keep_bodies(!cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(c->body, "keep")));
        return done(c);
    }
    if (is(c, "GET", "ledger")) {
        sim_ledger_write((int)org, (uint64_t)since, param(c, "writes", 0) != 0, c->out);
        return 200;
    }
    sim_ledger_stats((int)org, (uint64_t)since, (uint64_t)param(c, "until", INT64_MAX), c->out);
    return 200;
}

static int route(struct control *c)
{
    int status;

    if (!strncmp(c->path, "orgs/", 5)) {
        return org_request(c);
    }
    if (!strcmp(c->path, "faults")) {
        return faults(c);
    }
    if (is(c, "GET", "ledger") || !strncmp(c->path, "ledger/", 7) || is(c, "GET", "stats")) {
        return ledger(c);
    }
    if (strcmp(c->method, "POST") != 0) {
        return failed(c, 404, "no such control");
    }
    if (!strcmp(c->path, "edits")) {
        return edits(c);
    }
    if (!strcmp(c->path, "restore")) {
        return restore(c);
    }
    status = !strcmp(c->path, "limit")      ? each_church(c, set_limit)
             : !strcmp(c->path, "latency")  ? each_church(c, set_latency)
             : !strcmp(c->path, "settings") ? set_settings(c)
             : !strcmp(c->path, "revoke")   ? each_church(c, revoke)
             : !strcmp(c->path, "expire")   ? each_church(c, expire)
                                           : failed(c, 404, "no such control");
    return status == 200 ? done(c) : status;
}

int sim_control_handle(const char *method, const char *path, const char *query, const char *body,
                       struct sim_buf *out)
{
    struct control c = {.method = method, .path = path + 6, .text = body, .out = out};
    int status;

    if (*body) {
        c.body = cJSON_Parse(body);
        if (!c.body) {
            return failed(&c, 400, "the body is not JSON");
        }
    }
    sim_params_parse(&c.params, query);
    status = route(&c);
    sim_params_free(&c.params);
    cJSON_Delete(c.body);
    return status;
}

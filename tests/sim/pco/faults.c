/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RULES = 256 };

struct rule {
    struct sim_fault fault;
    char match[256];
    int org;
    int64_t times; /* 0 without end */
    int64_t after;
    int64_t every;
    double prob;
    int64_t step; /* cut_each moves by it */
    bool once;    /* hits the same request (method, target, body) one time */
    uint64_t *hit; /* hashes of those that were */
    size_t hit_count;
    int64_t seen;
    int64_t applied;
    struct sim_rng rng;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[MAX_RULES];
static int rule_count;

static const char *const names[] = {"",
#define ROW(e, name) name,
                                    SIM_FAULT_MAP(ROW)
#undef ROW
};

const char *sim_fault_name(enum sim_fault_kind kind)
{
    return names[kind];
}

static enum sim_fault_kind kind_by_name(const char *name)
{
    for (size_t i = 1; i < SIM_COUNT(names); i++) {
        if (!strcmp(names[i], name)) {
            return (enum sim_fault_kind)i;
        }
    }
    return SIM_FAULT_NONE;
}

static void copy_text(const cJSON *o, const char *key, char *out, size_t size)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    if (cJSON_IsString(v)) {
        (void)snprintf(out, size, "%s", v->valuestring);
    } else if (cJSON_IsNumber(v)) {
        (void)snprintf(out, size, "%lld", (long long)v->valuedouble);
    }
}

static double number(const cJSON *o, const char *key, double otherwise)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(v) ? v->valuedouble : otherwise;
}

static bool known_key(const char *key)
{
    static const char *const keys[] = {"match", "org",      "kind", "times",  "after", "every",
                                       "prob",  "delay_ms", "arg",  "record", "id",    "step",
                                       "once"};

    for (size_t i = 0; i < SIM_COUNT(keys); i++) {
        if (!strcmp(keys[i], key)) {
            return true;
        }
    }
    return false;
}

static bool add_rule(const cJSON *o, const char **ret_why)
{
    struct rule r = {.prob = 1};
    char kind[64] = "";
    const cJSON *child;

    if (!cJSON_IsObject(o)) {
        *ret_why = "a fault must be an object";
        return false;
    }
    cJSON_ArrayForEach(child, o)
    {
        if (!known_key(child->string)) {
            *ret_why = "unknown key in a fault";
            return false;
        }
    }
    copy_text(o, "kind", kind, sizeof kind);
    r.fault.kind = kind_by_name(kind);
    if (r.fault.kind == SIM_FAULT_NONE || rule_count == MAX_RULES) {
        *ret_why = rule_count == MAX_RULES ? "too many faults" : "unknown kind";
        return false;
    }
    copy_text(o, "match", r.match, sizeof r.match);
    copy_text(o, "arg", r.fault.arg, sizeof r.fault.arg);
    copy_text(o, "record", r.fault.record, sizeof r.fault.record);
    copy_text(o, "id", r.fault.id, sizeof r.fault.id);
    r.org = (int)number(o, "org", 0);
    r.times = (int64_t)number(o, "times", 0);
    r.after = (int64_t)number(o, "after", 0);
    r.every = (int64_t)number(o, "every", 1);
    r.prob = number(o, "prob", 1);
    r.step = (int64_t)number(o, "step", 1);
    r.once = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "once"));
    r.fault.delay_ms = (int64_t)number(o, "delay_ms", 60000);
    r.rng.state = 4711 + (uint64_t)rule_count;
    rules[rule_count++] = r;
    return true;
}

bool sim_faults_add(const char *json, const char **ret_why)
{
    cJSON *doc = cJSON_Parse(json);
    const cJSON *o;
    bool ok = doc != NULL;

    *ret_why = "not JSON";
    pthread_mutex_lock(&lock);
    if (cJSON_IsArray(doc)) {
        cJSON_ArrayForEach(o, doc)
        {
            ok = ok && add_rule(o, ret_why);
        }
    } else if (doc) {
        ok = add_rule(doc, ret_why);
    }
    pthread_mutex_unlock(&lock);
    cJSON_Delete(doc);
    return ok;
}

void sim_faults_clear(void)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < rule_count; i++) {
        free(rules[i].hit);
    }
    rule_count = 0;
    pthread_mutex_unlock(&lock);
}

void sim_faults_write(struct sim_buf *out)
{
    sim_buf_char(out, '[');
    pthread_mutex_lock(&lock);
    for (int i = 0; i < rule_count; i++) {
        const struct rule *r = &rules[i];

        sim_buf_fmt(out, "%s{\"kind\":\"%s\",\"match\":", i ? "," : "", names[r->fault.kind]);
        sim_buf_json(out, r->match);
        sim_buf_fmt(out, ",\"org\":%d,\"seen\":%lld,\"applied\":%lld}", r->org,
                    (long long)r->seen, (long long)r->applied);
    }
    pthread_mutex_unlock(&lock);
    sim_buf_char(out, ']');
}

static uint64_t hash_request(const struct sim_fault_request *q)
{
    const char *const parts[] = {q->method, q->target, q->body};
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < SIM_COUNT(parts); i++) {
        for (const char *p = parts[i]; *p; p++) {
            h = (h ^ (unsigned char)*p) * 0x100000001b3u;
        }
        h = (h ^ 0xffu) * 0x100000001b3u;
    }
    return h;
}

static bool was_hit(const struct rule *r, uint64_t hash)
{
    for (size_t i = 0; i < r->hit_count; i++) {
        if (r->hit[i] == hash) {
            return true;
        }
    }
    return false;
}

static bool fires(struct rule *r, const struct sim_fault_request *q)
{
    uint64_t hash = r->once ? hash_request(q) : 0;
    int64_t n;

    if (r->fault.record[0]) {
        r->applied++;
        return true; /* sticky */
    }
    if (r->once && was_hit(r, hash)) {
        return false;
    }
    n = ++r->seen - r->after;
    if (n <= 0 || (r->times && r->applied >= r->times) ||
        (r->every > 1 && (n - 1) % r->every != 0) || !sim_rng_chance(&r->rng, r->prob)) {
        return false;
    }
    if (r->once) {
        r->hit = sim_realloc(r->hit, (r->hit_count + 1) * sizeof *r->hit);
        r->hit[r->hit_count++] = hash;
    }
    if (!sim_parse_i64(r->fault.arg, &r->fault.point)) {
        r->fault.point = 0;
    }
    r->fault.point += r->applied * r->step;
    r->applied++;
    return true;
}

static bool needs_list(enum sim_fault_kind kind)
{
    return kind == SIM_FAULT_REPEAT_PAGE || kind == SIM_FAULT_WRONG_TOTAL || kind == SIM_FAULT_EMPTY_PAGE ||
           kind == SIM_FAULT_EMPTY_LIST || sim_fault_is_record(kind);
}

int sim_faults_match(const struct sim_fault_request *q, struct sim_fault *hits, int max)
{
    char line[4096];
    int n = 0;
    bool whole = false;

    pthread_mutex_lock(&lock);
    if (rule_count) {
        (void)snprintf(line, sizeof line, "%s %s", q->method, q->target);
    }
    for (int i = 0; i < rule_count && n < max; i++) {
        struct rule *r = &rules[i];
        bool record = sim_fault_is_record(r->fault.kind);

        if ((r->org && r->org != q->org) || !strstr(line, r->match) || (whole && !record) ||
            q->early != (r->fault.kind == SIM_FAULT_CUT_REQUEST) ||
            (needs_list(r->fault.kind) && !q->is_list && !r->fault.record[0])) {
            continue;
        }
        if (fires(r, q)) {
            hits[n++] = r->fault;
            whole = whole || !record;
        }
    }
    pthread_mutex_unlock(&lock);
    return n;
}

static bool is_set(enum sim_fault_kind kind)
{
    bool set = false;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < rule_count; i++) {
        set = set || rules[i].fault.kind == kind;
    }
    pthread_mutex_unlock(&lock);
    return set;
}

bool sim_faults_want_last_page(void)
{
    return is_set(SIM_FAULT_REPEAT_PAGE);
}

bool sim_faults_want_early(void)
{
    return is_set(SIM_FAULT_CUT_REQUEST);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "write.h"

#include "query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_ERROR "application/json; charset=utf-8"

/* --- refusals --- */

static void next_error(struct sim_write *w)
{
    if (w->errors.len) {
        sim_buf_char(&w->errors, ',');
    }
}

void sim_refuse(struct sim_write *w, const char *parameter, const char *detail)
{
    next_error(w);
    sim_buf_fmt(&w->errors,
                "{\"detail\":\"%s\",\"status\":\"422\",\"title\":\"Validation Error\",\"source\":{\"parameter\":"
                "\"%s\"},\"meta\":{\"resource\":\"%s\",\"associated_resources\":[]}}",
                detail, parameter, sim_types[w->how->type].name);
}

static void refuse_text(struct sim_write *w, const char *title, const char *code, const char *detail,
                        const char *parameter)
{
    next_error(w);
    SIM_LIT(&w->errors, "{\"status\":\"422\",\"title\":\"");
    sim_buf_str(&w->errors, title);
    sim_buf_fmt(&w->errors, code ? "\",\"code\":\"%s\",\"detail\":" : "\",%.0s\"detail\":", code ? code : "");
    sim_buf_json(&w->errors, detail);
    if (parameter) {
        SIM_LIT(&w->errors, ",\"source\":{\"parameter\":");
        sim_buf_json(&w->errors, parameter);
        sim_buf_char(&w->errors, '}');
    }
    sim_buf_char(&w->errors, '}');
}

void sim_refuse_attribute(struct sim_write *w, const char *name)
{
    char detail[160];

    (void)snprintf(detail, sizeof detail, "%.120s cannot be assigned", name);
    refuse_text(w, "Forbidden Attribute", NULL, detail, NULL);
}

void sim_refuse_reference(struct sim_write *w, const char *name)
{
    char detail[160], parameter[80];

    (void)snprintf(parameter, sizeof parameter, "%s_id", name);
    (void)snprintf(detail, sizeof detail, "Error setting %s. The underlying resource couldn't be found.", parameter);
    refuse_text(w, "Attribute Resource Not Found", "attribute_resource_not_found", detail, parameter);
}

void sim_require_text(struct sim_write *w, int attr)
{
    const char *s = w->vals[attr].s;

    if (!s || !*s) {
        sim_refuse(w, sim_types[w->how->type].attrs[attr].name, "can't be blank");
    }
}

void sim_require_one_of(struct sim_write *w, int attr, const char *const *list)
{
    const char *s = w->vals[attr].s;

    if (!s || !w->given[attr]) {
        return;
    }
    for (; *list; list++) {
        if (!strcmp(s, *list)) {
            return;
        }
    }
    sim_refuse(w, sim_types[w->how->type].attrs[attr].name, "is not included in the list");
}

static void forbid(const struct sim_call *call, struct sim_answer *a, const char *type)
{
    const char *what = !strcmp(call->method, "POST") ? "create" : !strcmp(call->method, "PATCH") ? "update" : "destroy";

    a->status = 403;
    a->content_type = JSON_ERROR;
    sim_buf_fmt(&a->body,
                "{\"errors\":[{\"status\":\"403\",\"title\":\"Forbidden\",\"detail\":\"You do not have access to this "
                "resource\",\"meta\":{\"description\":\"User with id 1 cannot %s a %s.\"}}]}",
                what, type);
}

/* --- reading --- */

struct sim_rec *sim_write_target(struct sim_write *w, enum sim_type type, const cJSON *linkage)
{
    const cJSON *id = linkage, *name = NULL;
    char text[32];

    if (cJSON_IsObject(linkage)) {
        id = cJSON_GetObjectItemCaseSensitive(linkage, "id");
        name = cJSON_GetObjectItemCaseSensitive(linkage, "type");
    }
    if (cJSON_IsString(name) && strcmp(name->valuestring, sim_types[type].name) != 0 &&
        !(type == SIM_T_CAMPUS && !strcmp(name->valuestring, "PrimaryCampus"))) {
        return NULL;
    }
    if (cJSON_IsNumber(id)) {
        (void)snprintf(text, sizeof text, "%lld", (long long)id->valuedouble);
        return sim_rec_find_text(w->c.org, type, text);
    }
    return cJSON_IsString(id) ? sim_rec_find_text(w->c.org, type, id->valuestring) : NULL;
}

static void read_link(struct sim_write *w, const struct sim_write_link *link, const cJSON *value, const char *as)
{
    if (w->rec && (link->flags & SIM_LINK_CREATE_ONLY) && !w->church) {
        sim_refuse_attribute(w, as);
        return;
    }
    w->ref_given[link->slot] = true;
    w->refs[link->slot] = NULL;
    if (!value || cJSON_IsNull(value)) {
        return;
    }
    w->refs[link->slot] = sim_write_target(w, (enum sim_type)link->target, value);
    if (!w->refs[link->slot]) {
        sim_refuse_reference(w, link->name);
    }
}

/* The link called so, or, with suffix, the one that x_id means. */
static const struct sim_write_link *link_by_name(const struct sim_write_type *how, const char *name, const char *suffix)
{
    size_t n = strlen(name), tail = strlen(suffix);

    if (n <= tail || strcmp(name + n - tail, suffix) != 0) {
        return NULL;
    }
    for (int i = 0; i < how->link_count; i++) {
        if (strlen(how->links[i].name) == n - tail && !strncmp(how->links[i].name, name, n - tail)) {
            return &how->links[i];
        }
    }
    return NULL;
}

static void read_attribute(struct sim_write *w, const cJSON *value)
{
    const struct sim_type_def *def = &sim_types[w->how->type];
    int attr = sim_attr_by_name(def, value->string);
    const struct sim_write_link *link = link_by_name(w->how, value->string, "_id");

    if (link) {
        read_link(w, link, value, value->string);
    } else if (attr < 0 || attr >= def->value_count || (!(def->attrs[attr].flags & SIM_A_SET) && !w->church)) {
        sim_refuse_attribute(w, value->string);
    } else if (!sim_write_value(w->c.org, w->how->type, attr, value, &w->vals[attr])) {
        sim_refuse(w, def->attrs[attr].name, "is invalid");
    } else {
        w->given[attr] = true;
    }
}

/* The people of a household that is being made. */
static void read_people(struct sim_write *w, const cJSON *list)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        struct sim_rec *person = sim_write_target(w, SIM_T_PERSON, item);

        if (!person) {
            sim_refuse_reference(w, "person");
        } else {
            sim_vec_push(&w->people, person);
        }
    }
}

static void read_relationship(struct sim_write *w, const cJSON *rel)
{
    const struct sim_write_link *link = link_by_name(w->how, rel->string, "");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(rel, "data");
    char name[128];

    if (!data) {
        sim_refuse(w, "relationships", "is invalid");
    } else if (link) {
        read_link(w, link, data, rel->string);
    } else if (w->how->type == SIM_T_HOUSEHOLD && !w->rec && !strcmp(rel->string, "people") && cJSON_IsArray(data)) {
        read_people(w, data);
    } else if (w->how->type == SIM_T_DONATION && !strcmp(rel->string, "labels") && cJSON_IsArray(data)) {
        if (cJSON_GetArraySize(data)) {
            sim_refuse_reference(w, "label"); /* a church here has none */
        }
    } else {
        (void)snprintf(name, sizeof name, cJSON_IsArray(data) ? "%.100s_ids" : "%.100s", rel->string);
        sim_refuse_attribute(w, name);
    }
}

static void read_data(struct sim_write *w)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(w->data, "type");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(w->data, "id");
    const cJSON *item;

    if (cJSON_IsString(type) && strcmp(type->valuestring, sim_types[w->how->type].name) != 0) {
        sim_refuse(w, "type", "is invalid");
    }
    if (w->rec && id && sim_write_target(w, w->how->type, id) != w->rec) {
        sim_refuse(w, "id", "is invalid");
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(w->data, "attributes"))
    {
        read_attribute(w, item);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(w->data, "relationships"))
    {
        read_relationship(w, item);
    }
    for (int i = 0; i < w->how->link_count; i++) {
        const struct sim_write_link *link = &w->how->links[i];

        if ((link->flags & SIM_LINK_REQUIRED) && !w->refs[link->slot] && (!w->rec || w->ref_given[link->slot])) {
            sim_refuse(w, link->name, "can't be blank");
        }
    }
}

/* --- applying --- */

struct sim_rec *sim_write_make(const struct sim_change *c, enum sim_type type)
{
    const struct sim_type_def *def = &sim_types[type];
    struct sim_store *st = &c->org->stores[type];
    struct sim_rec *rec;

    st->next_id = st->next_id ? st->next_id : 1;
    rec = sim_rec_new(c->org, type, 0);
    if (def->created >= 0) {
        rec->vals[def->created].i = c->now;
    }
    if (def->updated >= 0) {
        rec->vals[def->updated].i = c->now;
    }
    return rec;
}

static uint64_t hash_text(uint64_t h, const char *s)
{
    for (; *s; s++) {
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    }
    return h;
}

static void create(struct sim_write *w)
{
    const struct sim_type_def *def = &sim_types[w->how->type];
    struct sim_org *org = w->c.org;
    struct sim_rec *rec = sim_write_make(&w->c, w->how->type);

    for (int i = 0; i < def->value_count; i++) {
        if ((i != def->created && i != def->updated) || w->given[i]) {
            rec->vals[i] = w->vals[i];
        }
    }
    for (int i = 0; i < def->ref_count; i++) {
        sim_rec_set_ref(org, rec, i, w->refs[i]);
    }
    sim_rec_insert(org, rec);
    w->rec = rec;
    w->changed = true;
    if (w->church) {
        return;
    }
    rec->made_by = hash_text(hash_text(0xcbf29ce484222325u, w->call->path), w->call->body) | 1;
    sim_vec_push(&org->made, rec);
    if (org->show_after_ms && (org->show_all_late || rec->type == SIM_T_PERSON)) {
        rec->shown_us = sim_mono_us() + org->show_after_ms * 1000;
        sim_vec_push(&org->hidden, rec);
    }
}

static void update(struct sim_write *w)
{
    const struct sim_type_def *def = &sim_types[w->how->type];
    struct sim_rec *rec = w->rec;
    bool any = false;

    for (int i = 0; i < def->value_count; i++) {
        if (i == def->created || i == def->updated || sim_val_equal(def->attrs[i].kind, rec->vals[i], w->vals[i])) {
            continue;
        }
        rec->vals[i] = w->vals[i];
        any = true;
        /* these notes are the one thing of a person that moves no time */
        w->changed = w->changed || rec->type != SIM_T_PERSON || i != SIM_PERSON_MEDICAL_NOTES;
    }
    for (int i = 0; i < def->ref_count; i++) {
        if (rec->refs[i] != w->refs[i]) {
            sim_rec_set_ref(w->c.org, rec, i, w->refs[i]);
            any = w->changed = true;
        }
    }
    if (any) {
        sim_rec_touched(w->c.org, rec);
    }
}

/* Somebody at the church may have done it at another time. */
static void set_times(struct sim_write *w)
{
    const struct sim_type_def *def = &sim_types[w->how->type];

    if (w->changed && def->updated >= 0) {
        sim_rec_set_time(w->c.org, w->rec, def->updated, w->given[def->updated] ? w->vals[def->updated].i : w->c.now);
    }
    if (def->created >= 0 && w->given[def->created] && w->vals[def->created].i != w->rec->vals[def->created].i) {
        sim_rec_set_time(w->c.org, w->rec, def->created, w->vals[def->created].i);
    }
}

static void note_record(struct sim_answer *a, const struct sim_rec *rec)
{
    a->done = true;
    a->rec_type = sim_types[rec->type].name;
    (void)snprintf(a->rec_id, sizeof a->rec_id, "%lld", (long long)rec->id);
}

static bool refused(struct sim_write *w)
{
    struct sim_answer *a = w->answer;

    if (!w->errors.len) {
        return false;
    }
    a->status = 422;
    a->content_type = JSON_ERROR;
    SIM_LIT(&a->body, "{\"errors\":[");
    sim_buf_put(&a->body, w->errors.data, w->errors.len);
    SIM_LIT(&a->body, "]}");
    return true;
}

static void begin_values(struct sim_write *w)
{
    const struct sim_type_def *def = &sim_types[w->how->type];

    if (w->rec) {
        memcpy(w->vals, w->rec->vals, def->value_count * sizeof *w->vals);
        memcpy(w->refs, w->rec->refs, def->ref_count * sizeof *w->refs);
        return;
    }
    for (int i = 0; i < def->value_count; i++) {
        static const cJSON null = {.type = cJSON_NULL};

        (void)sim_write_value(w->c.org, w->how->type, i, &null, &w->vals[i]);
    }
    if (w->parent) {
        w->refs[w->how->parent_slot] = w->parent;
    }
    if (w->how->defaults) {
        w->how->defaults(w);
    }
}

static struct sim_rec *save(struct sim_write *w)
{
    cJSON *doc = cJSON_Parse(w->call->body);
    bool creating = !w->rec;

    w->data = cJSON_GetObjectItemCaseSensitive(doc, "data");
    w->included = cJSON_GetObjectItemCaseSensitive(doc, "included");
    if (!cJSON_IsObject(w->data)) {
        w->answer->status = 400;
        w->answer->content_type = JSON_ERROR;
        SIM_LIT(&w->answer->body,
                "{\"errors\":[{\"status\":\"400\",\"title\":\"Bad Request\",\"code\":\"invalid_resource_payload\","
                "\"detail\":\"The payload given does not contain a 'data' key.\"}]}");
        cJSON_Delete(doc);
        return NULL;
    }
    begin_values(w);
    read_data(w);
    if (!w->errors.len) {
        sim_write_respell(w);
        if (w->how->check) {
            w->how->check(w);
        }
    }
    if (!refused(w)) {
        if (creating) {
            create(w);
        } else {
            update(w);
        }
        set_times(w);
        if (w->how->after) {
            w->how->after(w);
        }
        w->answer->status = creating ? 201 : 200;
        note_record(w->answer, w->rec);
    }
    cJSON_Delete(doc);
    return w->answer->done ? w->rec : NULL;
}

static void destroy(struct sim_write *w)
{
    struct sim_rec *rec = w->rec;

    if (w->how->remove) {
        w->how->remove(w);
    } else {
        sim_rec_remove(w->c.org, rec);
    }
    if (refused(w)) {
        return;
    }
    note_record(w->answer, rec);
    w->answer->status = 204;
    w->answer->content_type = NULL;
}

/* --- paths --- */

static const struct sim_write_type *how_to_write(enum sim_type type)
{
    for (size_t i = 0; i < sim_write_people_count; i++) {
        if (sim_write_people[i].type == type) {
            return &sim_write_people[i];
        }
    }
    for (size_t i = 0; i < sim_write_giving_count; i++) {
        if (sim_write_giving[i].type == type) {
            return &sim_write_giving[i];
        }
    }
    return NULL;
}

struct place { /* what the path names */
    enum sim_type type;
    struct sim_rec *parent;
    struct sim_rec *rec;
    bool commit; /* the one action there is */
};

static bool find_nested(struct sim_org *org, char *const *seg, int count, struct place *p)
{
    const struct sim_rel *rel = sim_api_nested((enum sim_type)p->parent->type, seg[0], seg[4]);
    struct sim_rec *list[4096];
    uint32_t n;

    if (count == 5 && p->parent->type == SIM_T_BATCH && !strcmp(seg[4], "commit")) {
        p->commit = true;
        return true;
    }
    if (!rel || !sim_api_nested_is_list(rel) || rel->target == SIM_T_NONE) {
        return false;
    }
    p->type = (enum sim_type)rel->target;
    if (count == 5) {
        return true;
    }
    n = sim_rel_targets(p->parent, rel, list, SIM_COUNT(list));
    p->rec = sim_rec_find_text(org, p->type, seg[5]);
    for (uint32_t i = 0; i < n && i < SIM_COUNT(list); i++) {
        if (list[i] == p->rec) {
            return p->rec != NULL;
        }
    }
    return false;
}

static bool find_place(struct sim_org *org, char *const *seg, int count, struct place *p)
{
    enum sim_type type = count >= 3 && count <= 6 ? sim_api_top_type(seg[0], seg[2]) : SIM_T_NONE;

    *p = (struct place){.type = type};
    if (type == SIM_T_NONE || (count < 5 && strcmp(sim_types[type].product, seg[0]) != 0)) {
        return false;
    }
    if (count == 3) {
        return true;
    }
    p->rec = sim_rec_find_text(org, type, seg[3]);
    if (count == 4 || !p->rec) {
        return p->rec != NULL;
    }
    p->parent = p->rec;
    p->rec = NULL;
    return find_nested(org, seg, count, p);
}

/* A commit goes on after its answer. */
static void commit_batch(struct sim_write *w, struct sim_rec *batch)
{
    const char *status = batch->vals[SIM_BATCH_STATUS].s;

    if (strcmp(status, "in_progress") != 0) {
        sim_refuse(w, "base", "Batch has already been committed");
    } else if (!batch->backs[SIM_B_BATCH_DONATIONS].n) {
        sim_refuse(w, "base", "Batch has no donations");
    }
    if (refused(w)) {
        return;
    }
    batch->vals[SIM_BATCH_STATUS].s = "updating";
    sim_rec_set_time(w->c.org, batch, SIM_BATCH_UPDATED_AT, w->c.now);
    batch->due_us = sim_mono_us() + w->c.org->commit_ms * 1000;
    sim_vec_push(&w->c.org->commits, batch);
    note_record(w->answer, batch);
    w->answer->status = 204;
    w->answer->content_type = NULL;
}

static struct sim_rec *carry_out(struct sim_write *w, const struct place *p)
{
    const char *method = w->call->method;
    bool post = !strcmp(method, "POST"), patch = !strcmp(method, "PATCH");
    unsigned verb = post ? SIM_W_CREATE : patch ? SIM_W_PATCH : SIM_W_DELETE;
    bool placed = w->how && (!post || (p->parent ? w->how->parent == (enum sim_type)p->parent->type
                                                 : w->how->parent == SIM_T_NONE));

    if (post == (p->rec != NULL) || (!post && !patch && strcmp(method, "DELETE") != 0)) {
        sim_answer_error(w->answer, 404, NULL);
        return NULL;
    }
    if (!placed || (!(w->how->verbs & verb) && !w->church)) {
        forbid(w->call, w->answer, sim_types[p->type].name);
        return NULL;
    }
    if (!post && p->rec->type == SIM_T_DONATION && !w->church && p->rec->refs[SIM_R_DONATION_SOURCE] &&
        p->rec->refs[SIM_R_DONATION_SOURCE]->text_id) {
        forbid(w->call, w->answer, "Donation"); /* what Planning Center itself processed */
        return NULL;
    }
    if (!post && p->rec->text_id) {
        forbid(w->call, w->answer, sim_types[p->type].name);
        return NULL;
    }
    if (verb == SIM_W_DELETE) {
        destroy(w);
        return NULL;
    }
    return save(w);
}

struct sim_rec *sim_write_handle(const struct sim_call *call, char *const *segments, int count, struct sim_answer *answer)
{
    struct sim_org *org = &call->church->org;
    struct sim_write *w;
    struct sim_rec *shown = NULL;
    struct place p;

    if (!find_place(org, segments, count, &p)) {
        sim_answer_error(answer, 404, NULL);
        return NULL;
    }
    w = sim_alloc(sizeof *w);
    *w = (struct sim_write){.c = {org, sim_wall_s()},
                            .call = call,
                            .answer = answer,
                            .how = how_to_write(p.type),
                            .parent = p.parent,
                            .rec = p.rec,
                            .church = call->at_church};
    if (!p.commit) {
        shown = carry_out(w, &p);
    } else if (!strcmp(call->method, "POST")) {
        commit_batch(w, p.parent);
    } else {
        sim_answer_error(answer, 404, NULL);
    }
    sim_buf_free(&w->errors);
    free(w->people.v);
    free(w);
    return shown;
}

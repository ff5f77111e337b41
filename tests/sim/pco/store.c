/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void sim_vec_insert(struct sim_vec *vec, uint32_t at, struct sim_rec *rec)
{
    if (vec->n == vec->cap) {
        vec->cap = vec->cap ? vec->cap * 2 : 2;
        vec->v = sim_realloc(vec->v, vec->cap * sizeof(struct sim_rec *));
    }
    memmove(vec->v + at + 1, vec->v + at, (vec->n - at) * sizeof(struct sim_rec *));
    vec->v[at] = rec;
    vec->n++;
}

void sim_vec_push(struct sim_vec *vec, struct sim_rec *rec)
{
    sim_vec_insert(vec, vec->n, rec);
}

void sim_vec_drop(struct sim_vec *vec, uint32_t at)
{
    memmove(vec->v + at, vec->v + at + 1, (vec->n - at - 1) * sizeof(struct sim_rec *));
    vec->n--;
}

struct sim_rec *sim_rec_new(struct sim_org *org, enum sim_type type, int64_t id)
{
    const struct sim_type_def *def = &sim_types[type];
    size_t vals = sizeof(struct sim_rec);
    size_t refs = vals + def->value_count * sizeof(union sim_val);
    size_t backs = refs + def->ref_count * sizeof(struct sim_rec *);
    size_t size = backs + def->back_count * sizeof(struct sim_vec);
    char *block = sim_arena_alloc(&org->arena, size);
    struct sim_rec *rec = (struct sim_rec *)(void *)block;

    rec->vals = (union sim_val *)(void *)(block + vals);
    rec->refs = (struct sim_rec **)(void *)(block + refs);
    rec->backs = (struct sim_vec *)(void *)(block + backs);
    rec->type = (uint8_t)type;
    if (id) {
        rec->id = id;
        if (id >= org->stores[type].next_id) {
            org->stores[type].next_id = id + 1;
        }
    } else {
        rec->id = org->stores[type].next_id++;
    }
    for (int i = 0; i < def->value_count; i++) {
        switch (def->attrs[i].kind) {
        case SIM_STR:
        case SIM_DATE:
        case SIM_JSON:
            break;
        case SIM_FLOAT:
            rec->vals[i].f = (double)NAN;
            break;
        case SIM_INT:
        case SIM_BOOL:
        case SIM_TIME:
            rec->vals[i].i = SIM_NULL_INT;
            break;
        }
    }
    return rec;
}

static int index_attr(enum sim_type type, int index)
{
    return index == SIM_IX_CREATED ? sim_types[type].created : sim_types[type].updated;
}

static int compare_times(const void *a, const void *b, void *arg)
{
    const struct sim_rec *x = *(struct sim_rec *const *)a;
    const struct sim_rec *y = *(struct sim_rec *const *)b;
    int attr = *(const int *)arg;

    if (x->vals[attr].i != y->vals[attr].i) {
        return x->vals[attr].i < y->vals[attr].i ? -1 : 1;
    }
    return x->id < y->id ? -1 : x->id > y->id;
}

void sim_rec_append(struct sim_org *org, struct sim_rec *rec)
{
    sim_vec_push(&org->stores[rec->type].by_id, rec);
}

void sim_store_index(struct sim_org *org)
{
    for (int t = 0; t < SIM_T_COUNT; t++) {
        struct sim_store *st = &org->stores[t];

        for (int ix = 0; ix < SIM_IX_COUNT; ix++) {
            int attr = index_attr((enum sim_type)t, ix);
            struct sim_vec *vec = &st->by_time[ix];

            if (attr < 0) {
                continue;
            }
            vec->n = vec->cap = st->by_id.n;
            vec->v = sim_realloc(vec->v, (vec->cap ? vec->cap : 1) * sizeof(struct sim_rec *));
            if (vec->n) {
                memcpy(vec->v, st->by_id.v, vec->n * sizeof(struct sim_rec *));
                qsort_r(vec->v, vec->n, sizeof(struct sim_rec *), compare_times, &attr);
            }
        }
    }
    org->version++;
}

/* First position whose (time, id) is not below the given one. */
static uint32_t time_position(const struct sim_vec *vec, int attr, int64_t time, int64_t id)
{
    uint32_t lo = 0, hi = vec->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct sim_rec *r = vec->v[mid];
        int64_t t = r->vals[attr].i;

        if (t < time || (t == time && r->id < id)) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

uint32_t sim_index_lower(const struct sim_store *st, enum sim_type type, int index,
                         int64_t epoch_s)
{
    return time_position(&st->by_time[index], index_attr(type, index), epoch_s, INT64_MIN);
}

static uint32_t id_position(const struct sim_vec *vec, int64_t id)
{
    uint32_t lo = 0, hi = vec->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (vec->v[mid]->id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

void sim_rec_insert(struct sim_org *org, struct sim_rec *rec)
{
    struct sim_store *st = &org->stores[rec->type];

    sim_vec_insert(&st->by_id, id_position(&st->by_id, rec->id), rec);
    for (int ix = 0; ix < SIM_IX_COUNT; ix++) {
        int attr = index_attr((enum sim_type)rec->type, ix);

        if (attr >= 0) {
            sim_vec_insert(&st->by_time[ix],
                           time_position(&st->by_time[ix], attr, rec->vals[attr].i, rec->id),
                           rec);
        }
    }
    org->version++;
}

void sim_rec_remove(struct sim_org *org, struct sim_rec *rec)
{
    struct sim_store *st = &org->stores[rec->type];
    const struct sim_type_def *def = &sim_types[rec->type];

    for (int i = 0; i < def->ref_count; i++) {
        sim_rec_set_ref(org, rec, i, NULL);
    }
    sim_vec_drop(&st->by_id, id_position(&st->by_id, rec->id));
    for (int ix = 0; ix < SIM_IX_COUNT; ix++) {
        int attr = index_attr((enum sim_type)rec->type, ix);

        if (attr >= 0) {
            sim_vec_drop(&st->by_time[ix],
                         time_position(&st->by_time[ix], attr, rec->vals[attr].i, rec->id));
        }
    }
    for (int b = 0; b < def->back_count; b++) {
        free(rec->backs[b].v);
        rec->backs[b] = (struct sim_vec){0};
    }
    rec->dead = true;
    free(rec->json);
    rec->json = NULL;
    org->version++;
}

void sim_rec_touched(struct sim_org *org, struct sim_rec *rec)
{
    free(rec->json);
    rec->json = NULL;
    org->version++;
}

void sim_rec_set_ref(struct sim_org *org, struct sim_rec *rec, int slot, struct sim_rec *target)
{
    const struct sim_ref *ref = &sim_types[rec->type].refs[slot];
    struct sim_rec *old = rec->refs[slot];

    if (old == target) {
        return;
    }
    if (old && ref->back >= 0) {
        struct sim_vec *vec = &old->backs[ref->back];

        uint32_t at = id_position(vec, rec->id);

        if (at < vec->n && vec->v[at] == rec) {
            sim_vec_drop(vec, at);
        }
    }
    rec->refs[slot] = target;
    if (target && ref->back >= 0) {
        struct sim_vec *vec = &target->backs[ref->back];

        sim_vec_insert(vec, id_position(vec, rec->id), rec);
    }
    org->version++;
}

void sim_rec_set_time(struct sim_org *org, struct sim_rec *rec, int attr, int64_t epoch_s)
{
    struct sim_store *st = &org->stores[rec->type];

    for (int ix = 0; ix < SIM_IX_COUNT; ix++) {
        struct sim_vec *vec = &st->by_time[ix];

        if (index_attr((enum sim_type)rec->type, ix) == attr) {
            sim_vec_drop(vec, time_position(vec, attr, rec->vals[attr].i, rec->id));
            sim_vec_insert(vec, time_position(vec, attr, epoch_s, rec->id), rec);
        }
    }
    rec->vals[attr].i = epoch_s;
    sim_rec_touched(org, rec);
}

struct sim_rec *sim_rec_find(struct sim_org *org, enum sim_type type, int64_t id)
{
    const struct sim_vec *vec = &org->stores[type].by_id;
    uint32_t at = id_position(vec, id);

    return at < vec->n && vec->v[at]->id == id ? vec->v[at] : NULL;
}

struct sim_rec *sim_rec_find_text(struct sim_org *org, enum sim_type type, const char *id)
{
    const struct sim_vec *vec = &org->stores[type].by_id;
    int64_t n;
    struct sim_rec *rec;

    if (sim_parse_i64(id, &n)) {
        rec = n > 0 ? sim_rec_find(org, type, n) : NULL;
        return rec && !rec->text_id ? rec : NULL;
    }
    for (uint32_t i = 0; type == SIM_T_SOURCE && i < vec->n; i++) {
        if (vec->v[i]->text_id && !strcmp(vec->v[i]->text_id, id)) {
            return vec->v[i];
        }
    }
    return NULL;
}

static void clear_records(struct sim_org *org, int type)
{
    struct sim_store *st = &org->stores[type];

    for (uint32_t i = 0; i < st->by_id.n; i++) {
        struct sim_rec *rec = st->by_id.v[i];

        free(rec->json);
        for (int b = 0; b < sim_types[type].back_count; b++) {
            free(rec->backs[b].v);
        }
    }
    free(st->by_id.v);
    for (int ix = 0; ix < SIM_IX_COUNT; ix++) {
        free(st->by_time[ix].v);
    }
    *st = (struct sim_store){0};
}

void sim_org_clear(struct sim_org *org)
{
    for (int t = 0; t < SIM_T_COUNT; t++) {
        clear_records(org, t);
        sim_buf_free(&org->last_page[t]);
    }
    for (size_t i = 0; i < SIM_COUNT(org->cached); i++) {
        free(org->cached[i].key);
        free(org->cached[i].list.v);
        org->cached[i] = (struct sim_cached_list){0};
    }
    free(org->hidden.v);
    free(org->made.v);
    free(org->commits.v);
    org->hidden = org->made = org->commits = (struct sim_vec){0};
    sim_arena_free(&org->arena);
    free(org->edit_op);
    org->edit_op = NULL;
    org->edit_every = org->edit_left = org->list_requests = 0;
    org->ready = false;
    org->version++;
}

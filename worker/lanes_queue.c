/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/lanes_int.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 64

static uint64_t hash_of(const char *key)
{
    return of_hash(key, strlen(key));
}

static struct of_lane **bucket_of(struct of_lanes *lanes, uint64_t hash)
{
    return &lanes->buckets[hash & (lanes->n_buckets - 1)];
}

static void grow_buckets(struct of_lanes *lanes)
{
    size_t old_n = lanes->n_buckets;
    struct of_lane **old = lanes->buckets;
    lanes->n_buckets = old_n == 0 ? FIRST_BUCKETS : old_n * 2;
    lanes->buckets = of_calloc(lanes->n_buckets, sizeof(*lanes->buckets));
    for (size_t i = 0; i < old_n; i++) {
        struct of_lane *next = NULL;
        for (struct of_lane *l = old[i]; l; l = next) {
            next = l->hash_next;
            struct of_lane **place = bucket_of(lanes, l->hash);
            l->hash_next = *place;
            *place = l;
        }
    }
    free(old);
}

static struct of_lane *find(struct of_lanes *lanes, const char *key, uint64_t hash)
{
    if (lanes->n_buckets == 0) {
        return NULL;
    }
    for (struct of_lane *l = *bucket_of(lanes, hash); l; l = l->hash_next) {
        if (l->hash == hash && strcmp(l->key, key) == 0) {
            return l;
        }
    }
    return NULL;
}

struct of_lane *of_lanes_find(struct of_lanes *lanes, const char *key)
{
    return find(lanes, key, hash_of(key));
}

struct of_lane *of_lanes_make(struct of_lanes *lanes, const char *key)
{
    uint64_t hash = hash_of(key);
    struct of_lane *lane = find(lanes, key, hash);
    if (lane) {
        return lane;
    }
    if (lanes->n_lanes >= lanes->n_buckets) {
        grow_buckets(lanes);
    }
    lane = of_calloc(1, sizeof(*lane));
    lane->key = of_strdup(key);
    lane->hash = hash;
    struct of_lane **place = bucket_of(lanes, hash);
    lane->hash_next = *place;
    *place = lane;
    lanes->n_lanes++;
    return lane;
}

void of_lane_drop_if_empty(struct of_lanes *lanes, struct of_lane *lane)
{
    if (lane->jobs > 0 || lane->is_ready) {
        return;
    }
    struct of_lane **place = bucket_of(lanes, lane->hash);
    while (*place != lane) {
        place = &(*place)->hash_next;
    }
    *place = lane->hash_next;
    lanes->n_lanes--;
    free(lane->key);
    free(lane);
}

void of_jobs_push(struct of_jobs *q, struct of_job *job)
{
    job->next = NULL;
    if (q->tail) {
        q->tail->next = job;
    } else {
        q->head = job;
    }
    q->tail = job;
}

struct of_job *of_jobs_pop(struct of_jobs *q)
{
    struct of_job *job = q->head;
    if (job) {
        q->head = job->next;
        if (!q->head) {
            q->tail = NULL;
        }
        job->next = NULL;
    }
    return job;
}

static bool may_start(const struct of_lanes *lanes, const struct of_lane *lane)
{
    return lane->started < lanes->parallel && !lanes->draining;
}

static bool has_step(const struct of_lanes *lanes, const struct of_lane *lane)
{
    bool start = may_start(lanes, lane);
    for (int p = 0; p < OF_PRIO_COUNT; p++) {
        if (lane->runnable[p].head || (start && lane->queued[p].head)) {
            return true;
        }
    }
    return false;
}

bool of_lane_ready(struct of_lanes *lanes, struct of_lane *lane)
{
    if (lane->is_ready || !has_step(lanes, lane)) {
        return false;
    }
    lane->is_ready = true;
    lane->ready_next = NULL;
    if (lanes->ready_tail) {
        lanes->ready_tail->ready_next = lane;
    } else {
        lanes->ready_head = lane;
    }
    lanes->ready_tail = lane;
    return true;
}

static struct of_job *take_of(struct of_lanes *lanes, struct of_lane *lane, bool *ret_first)
{
    bool start = may_start(lanes, lane);
    for (int p = 0; p < OF_PRIO_COUNT; p++) {
        struct of_job *job = of_jobs_pop(&lane->runnable[p]);
        if (job) {
            *ret_first = false;
            return job;
        }
        job = start ? of_jobs_pop(&lane->queued[p]) : NULL;
        if (job) {
            *ret_first = true;
            lane->started++;
            lanes->n_queued--;
            return job;
        }
    }
    return NULL;
}

struct of_job *of_lanes_next(struct of_lanes *lanes, bool *ret_first)
{
    while (lanes->ready_head) {
        struct of_lane *lane = lanes->ready_head;
        lanes->ready_head = lane->ready_next;
        if (!lanes->ready_head) {
            lanes->ready_tail = NULL;
        }
        lane->is_ready = false;
        struct of_job *job = take_of(lanes, lane, ret_first);
        if (job) {
            (void)of_lane_ready(lanes, lane); /* at the end again: round robin */
            return job;
        }
        of_lane_drop_if_empty(lanes, lane);
    }
    return NULL;
}

/* --- the heap of moments --- */

static void put(struct of_lanes *lanes, size_t i, struct of_job *job)
{
    lanes->heap[i] = job;
    job->heap_index = i;
}

static void sift_up(struct of_lanes *lanes, size_t i, struct of_job *job)
{
    while (i > 1 && lanes->heap[i / 2]->wake_at.ms > job->wake_at.ms) {
        put(lanes, i, lanes->heap[i / 2]);
        i /= 2;
    }
    put(lanes, i, job);
}

static void sift_down(struct of_lanes *lanes, size_t i, struct of_job *job)
{
    for (;;) {
        size_t child = i * 2;
        if (child > lanes->heap_len) {
            break;
        }
        if (child < lanes->heap_len && lanes->heap[child + 1]->wake_at.ms < lanes->heap[child]->wake_at.ms) {
            child++;
        }
        if (lanes->heap[child]->wake_at.ms >= job->wake_at.ms) {
            break;
        }
        put(lanes, i, lanes->heap[child]);
        i = child;
    }
    put(lanes, i, job);
}

void of_lanes_heap_push(struct of_lanes *lanes, struct of_job *job)
{
    if (lanes->heap_len + 1 >= lanes->heap_cap) {
        lanes->heap_cap = lanes->heap_cap == 0 ? 64 : lanes->heap_cap * 2;
        lanes->heap = of_reallocarray(lanes->heap, lanes->heap_cap, sizeof(struct of_job *));
    }
    lanes->heap_len++;
    sift_up(lanes, lanes->heap_len, job);
}

void of_lanes_heap_remove(struct of_lanes *lanes, struct of_job *job)
{
    size_t i = job->heap_index;
    if (i == 0) {
        return;
    }
    job->heap_index = 0;
    struct of_job *last = lanes->heap[lanes->heap_len];
    lanes->heap_len--;
    if (last == job) {
        return;
    }
    if (i > 1 && lanes->heap[i / 2]->wake_at.ms > last->wake_at.ms) {
        sift_up(lanes, i, last);
    } else {
        sift_down(lanes, i, last);
    }
}

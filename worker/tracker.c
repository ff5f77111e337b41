/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tracker.h"

#include <pthread.h>
#include <stdlib.h>

struct entry {
    int64_t offset;
    bool ended;
};

struct part {
    int32_t topic, partition;
    int64_t epoch; /* 0: not assigned */
    bool is_leaving;
    struct entry *ring;
    size_t head, len, cap; /* cap is a power of two */
    size_t open;
    int64_t next; /* what may be committed; -1: nothing known yet */
    bool moved;
};

struct of_tracker {
    pthread_mutex_t lock;
    struct part *parts;
    size_t n_parts;
};

struct of_tracker *of_tracker_new(void)
{
    struct of_tracker *t = of_calloc(1, sizeof(*t));
    OF_BUG_ON(pthread_mutex_init(&t->lock, NULL) != 0);
    return t;
}

void of_tracker_free(struct of_tracker *t)
{
    if (!t) {
        return;
    }
    for (size_t i = 0; i < t->n_parts; i++) {
        free(t->parts[i].ring);
    }
    free(t->parts);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

static void lock(struct of_tracker *t)
{
    OF_BUG_ON(pthread_mutex_lock(&t->lock) != 0);
}

static void unlock(struct of_tracker *t)
{
    OF_BUG_ON(pthread_mutex_unlock(&t->lock) != 0);
}

/* Some dozens at most: a scan is fine. */
static struct part *find(struct of_tracker *t, int32_t topic, int32_t partition)
{
    for (size_t i = 0; i < t->n_parts; i++) {
        if (t->parts[i].partition == partition && t->parts[i].topic == topic) {
            return &t->parts[i];
        }
    }
    return NULL;
}

/* NULL if the handle is of a former assignment. */
static struct part *current(struct of_tracker *t, struct of_tracked m)
{
    struct part *p = find(t, m.topic, m.partition);
    return p && p->epoch != 0 && p->epoch == m.epoch ? p : NULL;
}

static struct entry *at(struct part *p, size_t i)
{
    return &p->ring[(p->head + i) & (p->cap - 1)];
}

static void forget(struct part *p, int64_t epoch)
{
    p->epoch = epoch;
    p->is_leaving = false;
    p->head = 0;
    p->len = 0;
    p->open = 0;
    p->next = -1;
    p->moved = false;
}

void of_tracker_assign(struct of_tracker *t, int32_t topic, int32_t partition, int64_t epoch)
{
    OF_BUG_ON(epoch == 0);
    lock(t);
    struct part *p = find(t, topic, partition);
    if (!p) {
        t->parts = of_reallocarray(t->parts, t->n_parts + 1, sizeof(*t->parts));
        p = &t->parts[t->n_parts++];
        *p = (struct part){.topic = topic, .partition = partition};
    }
    forget(p, epoch);
    unlock(t);
}

void of_tracker_revoke(struct of_tracker *t, int32_t topic, int32_t partition)
{
    lock(t);
    struct part *p = find(t, topic, partition);
    if (p) {
        forget(p, 0);
        free(p->ring);
        p->ring = NULL;
        p->cap = 0;
    }
    unlock(t);
}

void of_tracker_leave(struct of_tracker *t, int32_t topic, int32_t partition)
{
    lock(t);
    struct part *p = find(t, topic, partition);
    if (p) {
        p->is_leaving = true;
    }
    unlock(t);
}

static void grow(struct part *p)
{
    size_t cap = p->cap == 0 ? 64 : p->cap * 2;
    struct entry *ring = of_calloc(cap, sizeof(*ring));
    for (size_t i = 0; i < p->len; i++) {
        ring[i] = *at(p, i);
    }
    free(p->ring);
    p->ring = ring;
    p->cap = cap;
    p->head = 0;
}

void of_tracker_begin(struct of_tracker *t, struct of_tracked m)
{
    lock(t);
    struct part *p = current(t, m);
    /* one that came before is tracked already */
    if (p && (p->len == 0 || at(p, p->len - 1)->offset < m.offset)) {
        if (p->len == p->cap) {
            grow(p);
        }
        *at(p, p->len) = (struct entry){.offset = m.offset, .ended = false};
        p->len++;
        p->open++;
    }
    unlock(t);
}

static struct entry *entry_of(struct part *p, int64_t offset)
{
    size_t lo = 0;
    size_t hi = p->len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (at(p, mid)->offset < offset) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < p->len && at(p, lo)->offset == offset ? at(p, lo) : NULL;
}

void of_tracker_end(struct of_tracker *t, struct of_tracked m)
{
    lock(t);
    struct part *p = current(t, m);
    struct entry *e = p ? entry_of(p, m.offset) : NULL;
    if (e && !e->ended) {
        e->ended = true;
        p->open--;
        while (p->len > 0 && at(p, 0)->ended) {
            p->next = at(p, 0)->offset + 1;
            p->moved = true;
            p->head = (p->head + 1) & (p->cap - 1);
            p->len--;
        }
    }
    unlock(t);
}

bool of_tracker_is_held(struct of_tracker *t, struct of_tracked m)
{
    lock(t);
    const struct part *p = current(t, m);
    bool held = p && !p->is_leaving;
    unlock(t);
    return held;
}

size_t of_tracker_open(struct of_tracker *t, int32_t topic, int32_t partition)
{
    lock(t);
    struct part *p = find(t, topic, partition);
    size_t n = p ? p->open : 0;
    unlock(t);
    return n;
}

int of_tracker_commits(struct of_tracker *t, int32_t *topics, int32_t *partitions, int64_t *offsets, int max)
{
    int n = 0;
    lock(t);
    for (size_t i = 0; i < t->n_parts && n < max; i++) {
        struct part *p = &t->parts[i];
        if (p->moved) {
            topics[n] = p->topic;
            partitions[n] = p->partition;
            offsets[n] = p->next;
            p->moved = false;
            n++;
        }
    }
    unlock(t);
    return n;
}

void of_tracker_again(struct of_tracker *t)
{
    lock(t);
    for (size_t i = 0; i < t->n_parts; i++) {
        struct part *p = &t->parts[i];
        p->moved = p->epoch != 0 && p->next >= 0;
    }
    unlock(t);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/tracker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct of_cdc_commit {
    struct of_cdc_tracker *tracker;
    struct of_cdc_commit *next;
    uint64_t end;
    int64_t at_us;
    atomic_llong held; /* messages not acknowledged, other reasons; one more until it has ended */
};

struct of_cdc_tracker {
    struct of_cdc_commit *head, *tail, *spare; /* the oldest; the newest; used ones */
    atomic_llong in_flight;
    atomic_llong wanted; /* somebody waits for in_flight to be below; 0: nobody */
    atomic_bool failed;
    pthread_mutex_t lock;
    pthread_cond_t below;
    struct of_err err; /* of the first failure; under lock */
};

struct of_cdc_tracker *of_cdc_tracker_new(void)
{
    struct of_cdc_tracker *t = of_calloc(1, sizeof *t);
    pthread_condattr_t attr;
    OF_BUG_ON(pthread_mutex_init(&t->lock, NULL) != 0);
    OF_BUG_ON(pthread_condattr_init(&attr) != 0);
    OF_BUG_ON(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0);
    OF_BUG_ON(pthread_cond_init(&t->below, &attr) != 0);
    (void)pthread_condattr_destroy(&attr);
    return t;
}

static void free_list(struct of_cdc_commit *c)
{
    while (c != NULL) {
        struct of_cdc_commit *next = c->next;
        free(c);
        c = next;
    }
}

void of_cdc_tracker_free(struct of_cdc_tracker *t)
{
    if (t == NULL) {
        return;
    }
    free_list(t->head);
    free_list(t->spare);
    (void)pthread_cond_destroy(&t->below);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

struct of_cdc_commit *of_cdc_commit_open(struct of_cdc_tracker *t, int64_t at_us)
{
    struct of_cdc_commit *c = t->spare;
    if (c != NULL) {
        t->spare = c->next;
    } else {
        c = of_calloc(1, sizeof *c);
        c->tracker = t;
    }
    c->next = NULL;
    c->end = 0;
    c->at_us = at_us;
    atomic_store(&c->held, 1);
    if (t->tail != NULL) {
        t->tail->next = c;
    } else {
        t->head = c;
    }
    t->tail = c;
    return c;
}

void of_cdc_commit_hold(struct of_cdc_commit *c)
{
    atomic_fetch_add(&c->held, 1);
    atomic_fetch_add(&c->tracker->in_flight, 1);
}

static void wake(struct of_cdc_tracker *t)
{
    OF_BUG_ON(pthread_mutex_lock(&t->lock) != 0);
    (void)pthread_cond_broadcast(&t->below);
    OF_BUG_ON(pthread_mutex_unlock(&t->lock) != 0);
}

void of_cdc_commit_release(struct of_cdc_commit *c)
{
    struct of_cdc_tracker *t = c->tracker;
    atomic_fetch_sub(&c->held, 1); /* from here on c may be anybody's */
    int64_t left = atomic_fetch_sub(&t->in_flight, 1) - 1;
    int64_t wanted = atomic_load(&t->wanted);
    if (wanted != 0 && left < wanted) {
        wake(t);
    }
}

void of_cdc_commit_keep(struct of_cdc_commit *c)
{
    atomic_fetch_add(&c->held, 1);
}

void of_cdc_commit_let(struct of_cdc_commit *c)
{
    atomic_fetch_sub(&c->held, 1);
}

void of_cdc_commit_end(struct of_cdc_commit *c, uint64_t end)
{
    c->end = end;
    atomic_fetch_sub(&c->held, 1);
}

void of_cdc_delivered(void *arg, const struct of_err *err)
{
    struct of_cdc_commit *c = arg;
    struct of_cdc_tracker *t = c->tracker;
    if (err->code == OF_OK) {
        of_cdc_commit_release(c);
        return;
    }
    OF_BUG_ON(pthread_mutex_lock(&t->lock) != 0);
    if (!atomic_load(&t->failed)) {
        t->err = *err;
    }
    atomic_store(&t->failed, true);
    (void)pthread_cond_broadcast(&t->below);
    OF_BUG_ON(pthread_mutex_unlock(&t->lock) != 0);
}

bool of_cdc_tracker_advance(struct of_cdc_tracker *t, uint64_t *ret_end, int64_t *ret_at_us)
{
    bool moved = false;
    while (t->head != NULL && atomic_load(&t->head->held) == 0) {
        struct of_cdc_commit *c = t->head;
        if (c->end > *ret_end) {
            *ret_end = c->end;
            *ret_at_us = c->at_us;
            moved = true;
        }
        t->head = c->next;
        t->tail = t->head == NULL ? NULL : t->tail;
        c->next = t->spare;
        t->spare = c;
    }
    return moved;
}

bool of_cdc_tracker_is_empty(const struct of_cdc_tracker *t)
{
    return t->head == NULL;
}

int64_t of_cdc_tracker_oldest_us(const struct of_cdc_tracker *t)
{
    return t->head != NULL ? t->head->at_us : 0;
}

bool of_cdc_tracker_failed(struct of_cdc_tracker *t, struct of_err *err)
{
    if (!atomic_load(&t->failed)) {
        return false;
    }
    OF_BUG_ON(pthread_mutex_lock(&t->lock) != 0);
    *err = t->err;
    OF_BUG_ON(pthread_mutex_unlock(&t->lock) != 0);
    return true;
}

int64_t of_cdc_tracker_in_flight(struct of_cdc_tracker *t)
{
    return atomic_load(&t->in_flight);
}

void of_cdc_tracker_wait(struct of_cdc_tracker *t, int64_t limit, int timeout_ms)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)timeout_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    OF_BUG_ON(pthread_mutex_lock(&t->lock) != 0);
    atomic_store(&t->wanted, limit);
    while (atomic_load(&t->in_flight) >= limit && !atomic_load(&t->failed) && rc == 0) {
        rc = pthread_cond_timedwait(&t->below, &t->lock, &until);
    }
    atomic_store(&t->wanted, 0);
    OF_BUG_ON(pthread_mutex_unlock(&t->lock) != 0);
}

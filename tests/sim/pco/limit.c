/* SPDX-License-Identifier: Apache-2.0 */
/* The rate limit: per credential, over all products. The fixed window starts with the first
 * request after the last window and counts refused requests too ("118 of 100"); the sliding one
 * looks at what it let through during the last period. */
#include "church.h"

#include <stdlib.h>
#include <string.h>

enum { SIM_NO_LIMIT = 1000000 };

static void check_fixed(const struct sim_church *c, struct sim_rate *r, int64_t now_us,
                        struct sim_arrival *a)
{
    int64_t left_us;

    if (!r->window_count || now_us >= r->window_start_us + c->period_us) {
        r->window_start_us = now_us;
        r->window_count = 0;
    }
    a->count = ++r->window_count;
    a->refused = a->count > a->limit;
    left_us = r->window_start_us + c->period_us - now_us;
    a->retry_after_s = (left_us + 999999) / 1000000;
}

/* The k-th last accepted request, 1 = the last. */
static int64_t ring_at(const struct sim_rate *r, int64_t k)
{
    return r->ring[(r->ring_head - k + 2 * r->ring_size) % r->ring_size];
}

static void check_sliding(const struct sim_church *c, struct sim_rate *r, int64_t now_us,
                          struct sim_arrival *a)
{
    int64_t n = 0;

    while (n < r->ring_used && ring_at(r, n + 1) > now_us - c->period_us) {
        n++;
    }
    a->count = n + 1;
    a->refused = n >= a->limit;
    if (a->refused) {
        int64_t free_us = ring_at(r, a->limit) + c->period_us - now_us;

        a->retry_after_s = (free_us + 999999) / 1000000;
        return;
    }
    r->ring[r->ring_head] = now_us;
    r->ring_head = (r->ring_head + 1) % r->ring_size;
    r->ring_used += r->ring_used < r->ring_size;
}

/* Real limits are lower for pages deep in a list. */
static bool is_deep(const char *target)
{
    const char *offset = strstr(target, "offset=");

    return sim_settings.deep_offset && offset &&
           strtoll(offset + 7, NULL, 10) > sim_settings.deep_offset;
}

void sim_limit_check(struct sim_church *church, const char *target, int64_t now_us,
                     struct sim_arrival *a)
{
    struct sim_rate *r = &church->rate[a->cred];

    a->counted = true;
    a->limit = church->limit_off ? SIM_NO_LIMIT : church->limit;
    a->period_s = church->period_us / 1000000;
    if (!church->limit_off && is_deep(target) && sim_settings.deep_limit < a->limit) {
        a->limit = sim_settings.deep_limit;
    }
    if (church->limit_off) {
        a->count = 1;
    } else if (sim_settings.sliding) {
        check_sliding(church, r, now_us, a);
    } else {
        check_fixed(church, r, now_us, a);
    }
    if (a->retry_after_s < 1) {
        a->retry_after_s = 1;
    }
}

static void resize_ring(struct sim_rate *r, int64_t size)
{
    int64_t keep = r->ring_used;
    int64_t *ring;

    if (size <= r->ring_size) {
        return; /* larger than needed is harmless */
    }
    ring = sim_alloc((size_t)size * sizeof *ring);
    for (int64_t k = keep; k >= 1; k--) {
        ring[keep - k] = ring_at(r, k);
    }
    free(r->ring);
    r->ring = ring;
    r->ring_size = size;
    r->ring_head = keep % size;
}

void sim_limit_set(struct sim_church *church, bool off, int64_t limit, int64_t period_s)
{
    church->limit_off = off;
    church->limit = limit < 1 ? 1 : limit;
    church->period_us = (period_s < 1 ? 1 : period_s) * 1000000;
    for (int i = 0; !off && i < SIM_CRED_COUNT; i++) {
        resize_ring(&church->rate[i], church->limit);
    }
}

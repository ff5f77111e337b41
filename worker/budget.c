/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/budget.h"

#include <stdlib.h>
#include <string.h>

/* Clocks are cut to whole ms on both sides of a period. */
#define ROUNDING_MS 2
/* A request in flight at a hand-over: its answer is not awaited. */
#define HAND_OVER_FLIGHT_MS 2000
/* Ended permits are kept so long: an answer's count may still include them. */
#define KEEP_MS 60000
/* A header that says more than this is taken for nonsense. */
#define LIMIT_MAX 100000
#define PERIOD_MAX_MS INT64_C(86400000)
/* Weak requests leave one permit in so many free. */
#define WEAK_SHARE 5

struct of_budget {
    struct of_budget_rate rate; /* as configured */
    int said_limit;             /* by headers; 0: nothing yet */
    int64_t said_period_ms;

    bool held, unknown;         /* unknown: taken over uncleanly, what is used will be told by the first answer */
    struct of_boot lease_until;
    struct of_boot taken_at;
    int64_t term;               /* permits of former terms are not ours to count */
    int in_flight;
    int64_t blocked_until;

    int64_t *until; /* when permits end (boot ms), ascending */
    size_t head, len, cap;
};

struct of_budget *of_budget_new(const struct of_budget_rate *rate)
{
    struct of_budget *b = of_calloc(1, sizeof(*b));
    b->rate = *rate;
    b->term = 1;
    return b;
}

void of_budget_free(struct of_budget *b)
{
    if (b) {
        free(b->until);
        free(b);
    }
}

void of_budget_set_rate(struct of_budget *b, const struct of_budget_rate *rate)
{
    if (b->rate.limit == rate->limit && b->rate.period_ms == rate->period_ms && b->rate.is_cap == rate->is_cap) {
        return;
    }
    b->rate = *rate;
    b->said_limit = 0;
    b->said_period_ms = 0;
}

/* Without a limit a period says nothing: a system that does not count may still name one. */
void of_budget_told(struct of_budget *b, int limit, int64_t period_ms)
{
    if (limit <= 0 || limit > LIMIT_MAX) {
        return;
    }
    b->said_limit = limit;
    if (period_ms > 0 && period_ms <= PERIOD_MAX_MS) {
        b->said_period_ms = period_ms;
    }
}

bool of_budget_needs_lease(const struct of_budget *b)
{
    return b->rate.limit > 0;
}

int64_t of_budget_period_ms(const struct of_budget *b)
{
    return b->said_period_ms > 0 ? b->said_period_ms : b->rate.period_ms;
}

int of_budget_limit(const struct of_budget *b)
{
    if (b->rate.limit == 0 || b->said_limit == 0) {
        return b->rate.limit;
    }
    if (!b->rate.is_cap) {
        return b->said_limit;
    }
    /* an operator's limit is a share: the same rate over their period */
    int64_t cap = b->rate.limit * of_budget_period_ms(b) / OF_MAX(b->rate.period_ms, 1);
    return (int)OF_MIN((int64_t)b->said_limit, OF_MAX(cap, 1));
}

/* --- the log --- */

static int64_t at(const struct of_budget *b, size_t i)
{
    return b->until[b->head + i];
}

/* How many permits end at or before t. */
static size_t ended_by(const struct of_budget *b, int64_t t)
{
    size_t lo = 0;
    size_t hi = b->len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (at(b, mid) <= t) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static int busy(const struct of_budget *b, int64_t t)
{
    return b->in_flight + (int)(b->len - ended_by(b, t));
}

static void forget_old(struct of_budget *b, int64_t now)
{
    size_t old = ended_by(b, now - KEEP_MS);
    b->head += old;
    b->len -= old;
}

static void add(struct of_budget *b, int64_t until)
{
    if (b->head + b->len == b->cap) {
        if (b->head > b->len) {
            memmove(b->until, b->until + b->head, b->len * sizeof(*b->until));
        } else {
            b->cap = b->cap == 0 ? 64 : b->cap * 2;
            int64_t *bigger = of_calloc(b->cap, sizeof(*bigger));
            if (b->len > 0) {
                memcpy(bigger, b->until + b->head, b->len * sizeof(*bigger));
            }
            free(b->until);
            b->until = bigger;
        }
        b->head = 0;
    }
    size_t i = b->head + b->len;
    while (i > b->head && b->until[i - 1] > until) { /* nearly always the last */
        b->until[i] = b->until[i - 1];
        i--;
    }
    b->until[i] = until;
    b->len++;
}

/* --- the lease --- */

void of_budget_start(struct of_budget *b, struct of_boot now, struct of_boot lease_until, bool clean, const int64_t *busy_ms,
                     size_t n)
{
    b->term++;
    b->in_flight = 0;
    b->head = 0;
    b->len = 0;
    b->held = true;
    b->unknown = !clean;
    b->taken_at = now;
    b->lease_until = lease_until;
    b->blocked_until = 0;
    int64_t most = of_budget_period_ms(b) + HAND_OVER_FLIGHT_MS + ROUNDING_MS;
    for (size_t i = 0; i < n && i < LIMIT_MAX; i++) {
        if (busy_ms[i] > 0) {
            add(b, now.ms + OF_MIN(busy_ms[i], most));
        }
    }
}

void of_budget_renew(struct of_budget *b, struct of_boot lease_until)
{
    b->held = true;
    b->lease_until = lease_until;
}

void of_budget_stop(struct of_budget *b)
{
    b->held = false;
}

bool of_budget_is_held(const struct of_budget *b, struct of_boot now)
{
    return !of_budget_needs_lease(b) || (b->held && now.ms < b->lease_until.ms);
}

size_t of_budget_hand_over(struct of_budget *b, struct of_boot now, int64_t **ret)
{
    /* what blocks us (a 429, an unclean take-over) blocks the next owner: all permits are busy so long */
    int64_t blocked_ms = OF_MAX(b->blocked_until - now.ms, 0);
    if (b->unknown) {
        blocked_ms = OF_MAX(blocked_ms, b->taken_at.ms + of_budget_period_ms(b) + HAND_OVER_FLIGHT_MS - now.ms);
    }
    for (int i = 0; i < b->in_flight; i++) {
        add(b, now.ms + of_budget_period_ms(b) + HAND_OVER_FLIGHT_MS);
    }
    size_t past = ended_by(b, now.ms);
    size_t limit = (size_t)of_budget_limit(b);
    size_t n = 0;
    int64_t *out = of_calloc(b->len - past + limit + 1, sizeof(*out));
    for (size_t i = past; i < b->len; i++) {
        out[n++] = OF_MAX(at(b, i) - now.ms, blocked_ms);
    }
    while (blocked_ms > 0 && n < limit) {
        out[n++] = blocked_ms;
    }
    b->held = false;
    b->term++;
    b->in_flight = 0;
    *ret = out;
    return n;
}

/* --- permits --- */

static int free_permits(const struct of_budget *b, int64_t now)
{
    return of_budget_limit(b) - busy(b, now);
}

bool of_budget_may_send(struct of_budget *b, struct of_boot now, int priority, bool others_wait)
{
    if (now.ms < b->blocked_until || !of_budget_is_held(b, now)) {
        return false;
    }
    if (b->rate.limit == 0) {
        return priority != OF_BUDGET_WEAK || !others_wait;
    }
    forget_old(b, now.ms);
    if (b->unknown && b->in_flight > 0) {
        return false;
    }
    int left = free_permits(b, now.ms);
    if (priority == OF_BUDGET_WEAK) {
        return !others_wait && left > 0 && left * WEAK_SHARE >= of_budget_limit(b);
    }
    return left > 0;
}

int64_t of_budget_take(struct of_budget *b)
{
    b->in_flight++;
    return b->term;
}

void of_budget_unsent(struct of_budget *b, int64_t permit)
{
    if (permit == b->term) {
        b->in_flight--;
    }
}

/* Their count includes every request that they met within the period before this one. What we can have caused are permits in
 * flight and those that ended after this request was sent; the rest is somebody else's. */
static void follow_count(struct of_budget *b, int64_t now, const struct of_budget_seen *seen)
{
    if (seen->count <= 0) {
        return;
    }
    int others = OF_MIN(seen->count, of_budget_limit(b)) - busy(b, OF_MIN(seen->sent_at.ms, now));
    for (int i = 0; i < others; i++) {
        add(b, now + of_budget_period_ms(b) + ROUNDING_MS);
    }
}

static void end_unknown(struct of_budget *b, const struct of_budget_seen *seen)
{
    if (!b->unknown || !seen->is_answer || seen->throttled) {
        return;
    }
    b->unknown = false;
    if (seen->count <= 0) { /* nothing tells what the owner before us has used: let it pass */
        int64_t gone = b->taken_at.ms + of_budget_period_ms(b) + HAND_OVER_FLIGHT_MS;
        b->blocked_until = OF_MAX(b->blocked_until, gone);
    }
}

void of_budget_answered(struct of_budget *b, int64_t permit, struct of_boot now, const struct of_budget_seen *seen)
{
    if (seen->throttled) {
        int64_t wait_ms = seen->retry_after_ms > 0 ? seen->retry_after_ms : OF_MAX(of_budget_period_ms(b), 1000);
        b->blocked_until = OF_MAX(b->blocked_until, now.ms + OF_MIN(wait_ms, PERIOD_MAX_MS));
    }
    if (permit != b->term || b->rate.limit == 0) {
        if (permit == b->term) {
            b->in_flight--;
        }
        return;
    }
    int64_t was_ms = of_budget_period_ms(b);
    if (seen->is_answer) {
        of_budget_told(b, seen->limit, seen->period_ms);
    }
    b->in_flight--;
    add(b, now.ms + OF_MAX(of_budget_period_ms(b), seen->is_answer ? 0 : was_ms) + ROUNDING_MS);
    end_unknown(b, seen);
    if (seen->is_answer && !seen->throttled) { /* a 429 says all with its Retry-After */
        follow_count(b, now.ms, seen);
    }
}

int64_t of_budget_next_at(struct of_budget *b, struct of_boot now, int ahead)
{
    if (!of_budget_is_held(b, now)) {
        return OF_BUDGET_NEVER;
    }
    int64_t from = OF_MAX(now.ms, b->blocked_until);
    if (b->rate.limit == 0) {
        return from;
    }
    forget_old(b, now.ms);
    int64_t period = of_budget_period_ms(b);
    if (b->unknown) {
        return ahead == 0 && b->in_flight == 0 ? from : OF_MAX(from, now.ms + 1000); /* soon known */
    }
    /* the permit wanted is the (missing)th to end from now on */
    int64_t missing = (int64_t)busy(b, from) + ahead + 1 - of_budget_limit(b);
    if (missing <= 0) {
        return from;
    }
    size_t i = ended_by(b, from) + (size_t)missing - 1;
    if (i < b->len) {
        return at(b, i);
    }
    /* those in flight end first, then a whole round of the limit by period */
    int64_t beyond = (int64_t)(i - b->len) / OF_MAX(of_budget_limit(b), 1);
    return from + period * (beyond + 1);
}

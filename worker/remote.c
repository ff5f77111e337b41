/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/remote_int.h"

#include <stdlib.h>
#include <string.h>

#include "common/metrics/metrics.h"

/* A channel without calls gives its lease up after so many leases, and goes after so long. */
#define IDLE_LEASES 2
#define IDLE_CHAN_MS 60000
#define SWEEP_MS 1000
#define ASK_AGAIN_MS 200
#define GIVE_UP_AT_ONCE_MS 1000 /* told where nothing better is known */
#define STOP_MS 1000
#define USUAL_BODY 100000

/* --- queues --- */

void of_call_queue_push(struct of_call_queue *q, struct of_call *call)
{
    call->next = NULL;
    if (q->tail) {
        q->tail->next = call;
    } else {
        q->head = call;
    }
    q->tail = call;
    q->n++;
}

void of_call_queue_unshift(struct of_call_queue *q, struct of_call *call)
{
    call->next = q->head;
    q->head = call;
    if (!q->tail) {
        q->tail = call;
    }
    q->n++;
}

struct of_call *of_call_queue_pop(struct of_call_queue *q)
{
    struct of_call *call = q->head;
    if (call) {
        q->head = call->next;
        if (!q->head) {
            q->tail = NULL;
        }
        q->n--;
        call->next = NULL;
    }
    return call;
}

static int queued(const struct of_chan *chan)
{
    return chan->q[0].n + chan->q[1].n + chan->q[2].n;
}

/* --- the end of a call --- */

static void on_space(void *arg, struct of_http *http)
{
    (void)http;
    struct of_remote *r = arg;
    for (size_t i = 0; i < r->n_chans; i++) {
        if (queued(r->chans[i]) > 0) {
            of_chan_turn(r->chans[i]);
        }
    }
}

static void deliver(void *arg)
{
    struct of_call *call = arg;
    struct of_remote *r = call->r;
    size_t len = call->result.body_len;
    call->done(call->arg, &call->result);
    if (len > 0) {
        atomic_fetch_sub(&r->unparsed, len);
        if (atomic_exchange(&r->is_starved, false)) {
            (void)of_remote_post(r, on_space, r);
        }
    }
    of_conn_unref(call->conn);
    free(call->body);
    free(call->target);
    free(call);
}

void of_call_end(struct of_call *call)
{
    if (call->result.body_len > 0) {
        atomic_fetch_add(&call->r->unparsed, call->result.body_len);
    }
    of_lanes_run(call->r->w->lanes, deliver, call);
}

void of_call_fail(struct of_call *call, const struct of_err *err)
{
    call->result.err = *err;
    of_call_end(call);
}

void of_chan_fail_all(struct of_chan *chan, const struct of_err *err)
{
    for (int p = 0; p < 3; p++) {
        for (struct of_call *call = of_call_queue_pop(&chan->q[p]); call; call = of_call_queue_pop(&chan->q[p])) {
            of_call_fail(call, err);
        }
    }
}

/* --- channels --- */

static uint64_t hash_of(const char *org, const char *adapter)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (const char *p = org; *p; p++) {
        h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    }
    h = (h ^ 0x1f) * UINT64_C(1099511628211);
    for (const char *p = adapter; *p; p++) {
        h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    }
    return h ^ (h >> 32);
}

static void grow_buckets(struct of_remote *r)
{
    free(r->buckets);
    r->n_buckets = r->n_buckets == 0 ? 64 : r->n_buckets * 2;
    r->buckets = of_calloc(r->n_buckets, sizeof(struct of_chan *));
    for (size_t i = 0; i < r->n_chans; i++) {
        struct of_chan *chan = r->chans[i];
        struct of_chan **place = &r->buckets[hash_of(chan->org, chan->adapter_name) & (r->n_buckets - 1)];
        chan->hash_next = *place;
        *place = chan;
    }
}

struct of_chan *of_chan_find(struct of_remote *r, const char *org, const char *adapter)
{
    if (r->n_buckets == 0) {
        return NULL;
    }
    struct of_chan *chan = r->buckets[hash_of(org, adapter) & (r->n_buckets - 1)];
    while (chan && (strcmp(chan->org, org) != 0 || strcmp(chan->adapter_name, adapter) != 0)) {
        chan = chan->hash_next;
    }
    return chan;
}

static struct of_chan *chan_make(struct of_remote *r, const char *org, const char *adapter)
{
    struct of_chan *chan = of_chan_find(r, org, adapter);
    if (chan) {
        return chan;
    }
    if (r->n_chans >= r->n_buckets) {
        grow_buckets(r);
    }
    if (r->n_chans == r->chans_cap) {
        r->chans_cap = r->chans_cap == 0 ? 64 : r->chans_cap * 2;
        r->chans = of_reallocarray(r->chans, r->chans_cap, sizeof(struct of_chan *));
    }
    chan = of_calloc(1, sizeof(*chan));
    chan->r = r;
    chan->org = of_strdup(org);
    chan->adapter_name = of_strdup(adapter);
    const struct of_budget_rate none = {.limit = 0};
    chan->budget = of_budget_new(&none);
    chan->max_in_flight = OF_REMOTE_PARALLEL;
    chan->partition = -1;
    chan->wake_at.ms = INT64_MAX;
    chan->used_at = of_boot_now();
    chan->index = r->n_chans;
    r->chans[r->n_chans++] = chan;
    struct of_chan **place = &r->buckets[hash_of(org, adapter) & (r->n_buckets - 1)];
    chan->hash_next = *place;
    *place = chan;
    return chan;
}

static void chan_free(struct of_chan *chan)
{
    struct of_remote *r = chan->r;
    struct of_chan **place = &r->buckets[hash_of(chan->org, chan->adapter_name) & (r->n_buckets - 1)];
    while (*place != chan) {
        place = &(*place)->hash_next;
    }
    *place = chan->hash_next;
    r->chans[chan->index] = r->chans[--r->n_chans];
    r->chans[chan->index]->index = chan->index;
    of_budget_free(chan->budget);
    free(chan->adapter_name);
    free(chan->org);
    free(chan);
}

void of_chan_turn(struct of_chan *chan)
{
    if (chan->has_turn) {
        return;
    }
    struct of_remote *r = chan->r;
    chan->has_turn = true;
    chan->turn_next = NULL;
    if (r->turn_tail) {
        r->turn_tail->turn_next = chan;
    } else {
        r->turn_head = chan;
    }
    r->turn_tail = chan;
}

/* --- a channel's turn --- */

static struct of_call *first_of(const struct of_chan *chan)
{
    for (int p = 0; p < 3; p++) {
        if (chan->q[p].head) {
            return chan->q[p].head;
        }
    }
    return NULL;
}

/* Unparsed bytes, those that will come counted too. */
static bool is_full(struct of_remote *r)
{
    size_t bytes = atomic_load(&r->unparsed) + r->reserved;
    return bytes > 0 && bytes + r->usual_body > (size_t)r->w->conf->unparsed_bytes;
}

/* Sends what may be sent now. */
static void send_some(struct of_chan *chan, struct of_boot now)
{
    struct of_remote *r = chan->r;
    while (chan->in_flight < chan->max_in_flight && r->in_flight < OF_REMOTE_MAX_IN_FLIGHT) {
        int p = chan->q[OF_CALL_LIVE].head ? OF_CALL_LIVE : chan->q[OF_CALL_BULK].head ? OF_CALL_BULK : OF_CALL_WEAK;
        if (!chan->q[p].head || !of_budget_may_send(chan->budget, now, p, false)) {
            return;
        }
        if (p != OF_CALL_LIVE && is_full(r)) {
            atomic_store(&r->is_starved, true);
            if (!is_full(r)) { /* it was made free just now: nobody will tell us again */
                continue;
            }
            return;
        }
        struct of_call *call = of_call_queue_pop(&chan->q[p]);
        of_remote_count_wait(chan, call);
        of_call_send(chan, call);
    }
}

static void give_up(struct of_call *call, int64_t wait_ms)
{
    struct of_err err = OF_ERR_INIT;
    of_err_set(&err, OF_E_BUSY, "no permit is expected for %lld ms", (long long)wait_ms);
    err.retry_after_ms = OF_MAX(wait_ms, 1);
    of_call_fail(call, &err);
}

/* Calls that need not wait any longer; returns when the next one's time is over. */
static int64_t expire(struct of_chan *chan, struct of_boot now, int64_t at_least)
{
    int64_t next = INT64_MAX;
    int ahead = 0;
    for (int p = 0; p < 3; p++) {
        struct of_call_queue keep = {.head = NULL};
        for (struct of_call *call = of_call_queue_pop(&chan->q[p]); call; call = of_call_queue_pop(&chan->q[p])) {
            int64_t at = of_budget_next_at(chan->budget, now, ahead);
            at = at == OF_BUDGET_NEVER ? now.ms : at; /* the lease may come any moment */
            at = OF_MAX(at, at_least);
            bool over = now.ms >= call->give_up_at.ms && (at > now.ms || !of_budget_is_held(chan->budget, now));
            if (over || at > call->give_up_at.ms) {
                give_up(call, at > now.ms ? at - now.ms : GIVE_UP_AT_ONCE_MS);
                continue;
            }
            if (call->give_up_at.ms > now.ms) {
                next = OF_MIN(next, call->give_up_at.ms);
            }
            ahead++;
            of_call_queue_push(&keep, call);
        }
        chan->q[p] = keep;
    }
    return next;
}

static void expect(struct of_chan *chan, struct of_conn *conn, struct of_boot now, int64_t at)
{
    (void)chan;
    atomic_store(&conn->auth->expected_at, at != INT64_MAX && at > now.ms ? (long long)at : 0);
}

/* Credentials first. True if requests may go; *ret_at: when to look again. */
static bool auth_lets(struct of_chan *chan, struct of_conn *conn, struct of_boot now, int64_t *ret_at)
{
    enum of_auth_state state = of_auth_look(conn->auth, of_wall_now());
    if (state == OF_AUTH_DEAD) {
        struct of_err err = OF_ERR_INIT;
        of_err_set(&err, OF_E_AUTH, "reconnect needed");
        of_chan_fail_all(chan, &err);
        return false;
    }
    if (chan->is_refreshing) {
        return false;
    }
    if (state == OF_AUTH_GOOD) {
        return true;
    }
    if (now.ms < chan->refresh_after.ms) {
        *ret_at = chan->refresh_after.ms;
        return state == OF_AUTH_DUE;
    }
    chan->is_refreshing = true;
    of_refresh_start(chan->r, conn, 0, false);
    return false;
}

static bool lease_lets(struct of_chan *chan, struct of_boot now, int64_t *ret_at)
{
    if (of_budget_is_held(chan->budget, now)) {
        return true;
    }
    if (chan->lease == OF_CHAN_ASKED) {
        return false;
    }
    if (now.ms < chan->ask_after.ms) {
        *ret_at = chan->ask_after.ms;
        return false;
    }
    chan->lease = OF_CHAN_ASKED;
    of_keeper_acquire(chan->r->keeper, chan->org, chan->adapter_name);
    return false;
}

static void look_at(struct of_chan *chan)
{
    chan->wake_at.ms = INT64_MAX;
    struct of_call *first = first_of(chan);
    if (!first) {
        return;
    }
    struct of_boot now = of_boot_now();
    chan->used_at = now;
    if (chan->is_gone) {
        struct of_err err = OF_ERR_INIT;
        of_err_set(&err, OF_E_LEASE, "the organization is another worker's now");
        of_chan_fail_all(chan, &err);
        return;
    }
    struct of_conn *conn = of_conn_ref(first->conn);
    const struct of_budget_rate rate = {.limit = conn->rate_n, .period_ms = (int64_t)conn->rate_s * 1000,
                                        .is_cap = conn->rate_is_cap};
    of_budget_set_rate(chan->budget, &rate);
    int64_t at = INT64_MAX;
    bool lets = auth_lets(chan, conn, now, &at);
    lets = lease_lets(chan, now, &at) && lets; /* both are asked for at once */
    if (lets) {
        send_some(chan, now);
    }
    int64_t waits_until = lets ? 0 : at == INT64_MAX ? 0 : at;
    int64_t gives_up = expire(chan, now, waits_until);
    int64_t permit_at = of_budget_next_at(chan->budget, now, 0);
    expect(chan, conn, now, permit_at);
    if (first_of(chan)) {
        if (permit_at != OF_BUDGET_NEVER && permit_at > now.ms) {
            at = OF_MIN(at, permit_at);
        }
        chan->wake_at.ms = OF_MIN(at, gives_up);
        if (chan->r->in_flight >= OF_REMOTE_MAX_IN_FLIGHT && chan->in_flight == 0) {
            chan->wake_at.ms = OF_MIN(chan->wake_at.ms, now.ms + 20); /* its turn comes when others end */
        }
    }
    chan->r->next_wake.ms = OF_MIN(chan->r->next_wake.ms, chan->wake_at.ms);
    of_conn_unref(conn);
}

/* --- leases --- */

/* Gives the lease up, telling the next owner what is busy. */
static void release(struct of_chan *chan, struct of_hand_over *done)
{
    int64_t *busy_ms = NULL;
    size_t n = of_budget_hand_over(chan->budget, of_boot_now(), &busy_ms);
    chan->lease = OF_CHAN_FREE;
    of_keeper_release(chan->r->keeper, chan->org, chan->adapter_name, chan->fence, busy_ms, n, of_budget_limit(chan->budget),
                      of_budget_period_ms(chan->budget), done);
}

static void lease_got(struct of_chan *chan, const struct of_lease_news *n)
{
    if (n->is_ours && chan->fence == n->fence) {
        of_budget_renew(chan->budget, n->until); /* nobody had it meanwhile: our account is right */
    } else {
        of_budget_start(chan->budget, of_boot_now(), n->until, n->is_clean, n->busy_ms, n->n_busy);
        of_budget_told(chan->budget, n->limit, n->period_ms);
    }
    chan->fence = n->fence;
    chan->lease = OF_CHAN_HELD;
    if (chan->is_gone) {
        release(chan, NULL);
    }
}

static void lease_news(struct of_remote *r, const struct of_lease_news *n)
{
    struct of_chan *chan = of_chan_find(r, n->org, n->adapter);
    if (!chan) {
        if (!n->is_lost && !n->is_refused && !n->is_renewed) { /* nobody here wants it any more; what it was told goes on */
            int64_t *busy_ms = of_calloc(n->n_busy + 1, sizeof(*busy_ms));
            if (n->n_busy > 0) {
                memcpy(busy_ms, n->busy_ms, n->n_busy * sizeof(*busy_ms));
            }
            of_keeper_release(r->keeper, n->org, n->adapter, n->fence, busy_ms, n->n_busy, n->limit, n->period_ms, NULL);
        }
        return;
    }
    if (n->is_lost) {
        if (chan->lease != OF_CHAN_FREE && chan->fence == n->fence) { /* who asks already asks once more */
            of_budget_stop(chan->budget);
            chan->lease = OF_CHAN_FREE;
        }
    } else if (n->is_refused) {
        chan->lease = chan->lease == OF_CHAN_ASKED ? OF_CHAN_FREE : chan->lease;
        chan->ask_after.ms = of_boot_now().ms + ASK_AGAIN_MS;
    } else if (n->is_renewed) {
        if (chan->lease == OF_CHAN_HELD && chan->fence == n->fence) {
            of_budget_renew(chan->budget, n->until);
        }
    } else if (chan->lease != OF_CHAN_HELD) { /* asked for, maybe twice: the keeper renews it from now on */
        lease_got(chan, n);
    }
    of_chan_turn(chan);
}

void of_remote_lease_news(struct of_remote *r, struct of_lease_news *news)
{
    while (news) {
        struct of_lease_news *next = news->next;
        lease_news(r, news);
        free(news->busy_ms);
        free(news->adapter);
        free(news->org);
        free(news);
        news = next;
    }
}

/* Leases that nobody uses are given up; channels without anything go. */
static void sweep(struct of_remote *r, struct of_boot now)
{
    int64_t idle_ms = r->w->conf->budget_lease_ms * IDLE_LEASES;
    for (size_t i = r->n_chans; i > 0; i--) {
        struct of_chan *chan = r->chans[i - 1];
        if (queued(chan) > 0 || chan->in_flight > 0 || chan->is_refreshing || chan->has_turn) {
            continue;
        }
        if (chan->lease == OF_CHAN_HELD && now.ms - chan->used_at.ms > idle_ms) {
            release(chan, NULL);
        }
        if (chan->lease == OF_CHAN_FREE && now.ms - chan->used_at.ms > OF_MAX(idle_ms, IDLE_CHAN_MS)) {
            chan_free(chan);
        }
    }
}

static int64_t on_tick(void *arg, struct of_http *http)
{
    (void)http;
    struct of_remote *r = arg;
    struct of_boot now = of_boot_now();
    if (now.ms >= r->next_wake.ms) {
        r->next_wake.ms = INT64_MAX;
        for (size_t i = 0; i < r->n_chans; i++) {
            if (r->chans[i]->wake_at.ms <= now.ms) {
                of_chan_turn(r->chans[i]);
            } else {
                r->next_wake.ms = OF_MIN(r->next_wake.ms, r->chans[i]->wake_at.ms);
            }
        }
    }
    for (size_t n = r->n_chans; n > 0 && r->turn_head; n--) {
        struct of_chan *chan = r->turn_head;
        r->turn_head = chan->turn_next;
        if (!r->turn_head) {
            r->turn_tail = NULL;
        }
        chan->has_turn = false;
        look_at(chan);
    }
    if (now.ms >= r->next_sweep.ms) {
        r->next_sweep.ms = now.ms + SWEEP_MS;
        sweep(r, now);
    }
    int64_t wake = OF_MAX(r->next_wake.ms, now.ms + 1);
    return r->turn_head ? now.ms : OF_MIN(wake, r->next_sweep.ms);
}

/* --- from other threads --- */

bool of_remote_post(struct of_remote *r, void (*fn)(void *arg, struct of_http *http), void *arg)
{
    (void)pthread_rwlock_rdlock(&r->gate);
    bool ok = r->http && !atomic_load(&r->stopped);
    if (ok) {
        of_http_post(r->http, fn, arg);
    }
    (void)pthread_rwlock_unlock(&r->gate);
    return ok;
}

static void fail_stopped(struct of_call *call)
{
    struct of_err err = OF_ERR_INIT;
    of_err_set(&err, OF_E_STOPPED, "shutting down");
    of_call_fail(call, &err);
}

static void enqueue(void *arg, struct of_http *http)
{
    (void)http;
    struct of_call *call = arg;
    if (atomic_load(&call->r->stopped)) {
        fail_stopped(call);
        return;
    }
    struct of_chan *chan = chan_make(call->r, call->conn->org, call->conn->adapter_name);
    of_call_queue_push(&chan->q[call->priority], call);
    of_chan_turn(chan);
}

static void submit(struct of_call *call, int64_t give_up_ms)
{
    OF_BUG_ON(call->priority < OF_CALL_LIVE || call->priority > OF_CALL_WEAK);
    call->queued_at = of_boot_now();
    call->give_up_at.ms = give_up_ms < INT64_MAX / 2 ? call->queued_at.ms + give_up_ms : INT64_MAX;
    if (!of_remote_post(call->r, enqueue, call)) {
        fail_stopped(call);
    }
}

void of_remote_get(struct of_remote *r, struct of_conn *conn, const struct of_type *type, char *target, int priority,
                   int64_t give_up_ms, void (*done)(void *arg, struct of_call_result *res), void *arg)
{
    struct of_call *call = of_calloc(1, sizeof(*call));
    *call = (struct of_call){.r = r, .conn = of_conn_ref(conn), .type = type, .method = "GET", .target = target,
                             .priority = priority, .done = done, .arg = arg};
    submit(call, give_up_ms);
}

void of_remote_send(struct of_remote *r, struct of_conn *conn, const struct of_type *type, const char *method, char *target,
                    char *body, size_t body_len, int priority, int64_t give_up_ms, struct of_boot send_until,
                    void (*done)(void *arg, struct of_call_result *res), void *arg)
{
    OF_BUG_ON(send_until.ms <= 0);
    struct of_call *call = of_calloc(1, sizeof(*call));
    *call = (struct of_call){.r = r, .conn = of_conn_ref(conn), .type = type, .method = method, .target = target, .body = body,
                             .body_len = body_len, .send_until = send_until, .priority = priority, .done = done, .arg = arg};
    submit(call, OF_MIN(give_up_ms, OF_MAX(send_until.ms - of_boot_now().ms, 0)));
}

int64_t of_remote_wait_ms(struct of_remote *r, struct of_conn *conn)
{
    (void)r;
    int64_t at = atomic_load(&conn->auth->expected_at);
    return at == 0 ? 0 : OF_MAX(at - of_boot_now().ms, 0);
}

struct set_partition {
    struct of_remote *r;
    char *org, *adapter;
    int32_t partition;
};

static void set_partition(void *arg, struct of_http *http)
{
    (void)http;
    struct set_partition *s = arg;
    struct of_chan *chan = chan_make(s->r, s->org, s->adapter);
    chan->partition = s->partition;
    chan->is_gone = false;
    chan->used_at = of_boot_now();
    free(s->adapter);
    free(s->org);
    free(s);
}

void of_remote_set_partition(struct of_remote *r, const char *org, const char *adapter, int32_t partition)
{
    struct set_partition *s = of_alloc(sizeof(*s));
    *s = (struct set_partition){.r = r, .org = of_strdup(org), .adapter = of_strdup(adapter), .partition = partition};
    if (!of_remote_post(r, set_partition, s)) {
        free(s->adapter);
        free(s->org);
        free(s);
    }
}

struct hand_over {
    struct of_remote *r;
    int32_t *partitions; /* NULL: all */
    int n;
    struct of_hand_over *over;
};

static bool is_concerned(const struct hand_over *h, const struct of_chan *chan)
{
    bool concerned = !h->partitions;
    for (int i = 0; i < h->n && !concerned; i++) {
        concerned = h->partitions[i] == chan->partition;
    }
    return concerned;
}

static void hand_over(void *arg, struct of_http *http)
{
    (void)http;
    struct hand_over *h = arg;
    for (size_t i = 0; i < h->r->n_chans; i++) {
        struct of_chan *chan = h->r->chans[i];
        if (is_concerned(h, chan)) {
            chan->is_gone = true;
            chan->used_at = of_boot_now();
            if (chan->lease == OF_CHAN_HELD) {
                release(chan, h->over);
            }
            of_chan_turn(chan);
        }
    }
    of_hand_over_done(h->over);
    free(h->partitions);
    free(h);
}

static void hand_over_begin(struct of_remote *r, const int32_t *partitions, int n, int timeout_ms)
{
    struct of_hand_over *over = of_hand_over_new();
    struct hand_over *h = of_calloc(1, sizeof(*h));
    *h = (struct hand_over){.r = r, .n = n, .over = over};
    if (partitions) {
        h->partitions = of_calloc((size_t)OF_MAX(n, 1), sizeof(*h->partitions));
        memcpy(h->partitions, partitions, (size_t)n * sizeof(*partitions));
    }
    of_hand_over_add(over);
    if (!of_remote_post(r, hand_over, h)) {
        of_hand_over_done(over);
        free(h->partitions);
        free(h);
    }
    if (!of_hand_over_wait(over, timeout_ms)) {
        of_log(OF_LOG_WARN, "budget.hand_over_slow", "budgets were not handed over in time, their leases must run out",
               OF_I("dur_ms", timeout_ms));
    }
}

void of_remote_hand_over(struct of_remote *r, const int32_t *partitions, int n, int timeout_ms)
{
    if (n > 0) {
        hand_over_begin(r, partitions, n, timeout_ms);
    }
}

/* --- life --- */

enum of_code of_remote_new(struct of_worker *w, struct of_remote **ret, struct of_err *err)
{
    struct of_remote *r = of_calloc(1, sizeof(*r));
    r->w = w;
    r->next_wake.ms = INT64_MAX;
    r->usual_body = USUAL_BODY;
    OF_BUG_ON(pthread_rwlock_init(&r->gate, NULL) != 0);
    of_conns_init(r);
    const struct of_http_hooks hooks = {.on_tick = on_tick, .arg = r};
    enum of_code code = of_keeper_new(r, &r->keeper, err);
    if (code == OF_OK) {
        code = of_http_new("openfaith-sync/" OF_VERSION, OF_REMOTE_MAX_IN_FLIGHT, &hooks, &r->http, err);
    }
    if (code != OF_OK) {
        of_remote_free(r);
        return code;
    }
    *ret = r;
    return OF_OK;
}

static void stop(void *arg, struct of_http *http)
{
    (void)http;
    struct of_remote *r = arg;
    struct of_err err = OF_ERR_INIT;
    of_err_set(&err, OF_E_STOPPED, "shutting down");
    for (size_t i = 0; i < r->n_chans; i++) {
        of_chan_fail_all(r->chans[i], &err);
    }
}

void of_remote_stop(struct of_remote *r)
{
    if (!r->http) {
        return;
    }
    hand_over_begin(r, NULL, 0, STOP_MS);
    (void)of_remote_post(r, stop, r);
    atomic_store(&r->stopped, true);
    (void)pthread_rwlock_wrlock(&r->gate); /* whoever is in of_remote_post has left it; who comes finds no http */
    struct of_http *http = r->http;
    r->http = NULL;
    (void)pthread_rwlock_unlock(&r->gate);
    of_http_free(http);
    stop(r, NULL); /* what came in between */
    of_keeper_free(r->keeper);
    r->keeper = NULL;
}

void of_remote_free(struct of_remote *r)
{
    if (!r) {
        return;
    }
    of_remote_stop(r);
    of_keeper_free(r->keeper);
    while (r->n_chans > 0) {
        chan_free(r->chans[r->n_chans - 1]);
    }
    free(r->chans);
    free(r->buckets);
    of_conns_done(r);
    (void)pthread_rwlock_destroy(&r->gate);
    free(r);
}

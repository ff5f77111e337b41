/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: a thread with a database connection of its own that takes, renews and gives up the leases of budgets, in
 * batches, so that thousands of connections cost a statement now and then. */
#include "worker/remote_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "of_remote_sql.h"

/* What the lease is shortened by on our side, so that it ends here before it ends there. */
#define LEASE_MARGIN_SHARE 20
#define BATCH_MAX 2000
#define DB_DEADLINE_MS 5000
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 2000

struct want { /* to be acquired, or released */
    struct want *next;
    char *org, *adapter;
    int64_t fence;
    int64_t *busy_ms;
    size_t n;
    int limit;
    int64_t period_ms;
    struct of_hand_over *done;
};

struct wants {
    struct want *head, **last;
    size_t n;
};

struct held {
    char *org, *adapter;
    int64_t fence;
};

struct of_keeper {
    struct of_remote *r;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    bool stop;
    struct wants acquire, release;

    /* of the thread */
    struct of_pg *db;
    int retry_ms;
    struct held *held;
    size_t n_held, held_cap;
    struct of_boot renew_at;
};

/* --- waiting for a hand-over --- */

struct of_hand_over {
    pthread_mutex_t lock;
    pthread_cond_t over;
    int open, refs;
};

struct of_hand_over *of_hand_over_new(void)
{
    struct of_hand_over *h = of_calloc(1, sizeof(*h));
    OF_BUG_ON(pthread_mutex_init(&h->lock, NULL) != 0);
    pthread_condattr_t attr;
    OF_BUG_ON(pthread_condattr_init(&attr) != 0);
    OF_BUG_ON(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0);
    OF_BUG_ON(pthread_cond_init(&h->over, &attr) != 0);
    (void)pthread_condattr_destroy(&attr);
    h->refs = 1;
    return h;
}

static void hand_over_unref(struct of_hand_over *h)
{
    bool last = --h->refs == 0; /* under the lock */
    (void)pthread_mutex_unlock(&h->lock);
    if (last) {
        (void)pthread_cond_destroy(&h->over);
        (void)pthread_mutex_destroy(&h->lock);
        free(h);
    }
}

void of_hand_over_add(struct of_hand_over *h)
{
    (void)pthread_mutex_lock(&h->lock);
    h->open++;
    h->refs++;
    (void)pthread_mutex_unlock(&h->lock);
}

void of_hand_over_done(struct of_hand_over *h)
{
    (void)pthread_mutex_lock(&h->lock);
    h->open--;
    if (h->open == 0) {
        (void)pthread_cond_broadcast(&h->over);
    }
    hand_over_unref(h);
}

static struct timespec mono_in(int64_t ms)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t ns = ts.tv_nsec + (ms % 1000) * 1000000;
    ts.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    ts.tv_nsec = (long)(ns % 1000000000);
    return ts;
}

bool of_hand_over_wait(struct of_hand_over *h, int timeout_ms)
{
    struct timespec until = mono_in(timeout_ms);
    (void)pthread_mutex_lock(&h->lock);
    int rc = 0;
    while (h->open > 0 && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&h->over, &h->lock, &until);
    }
    bool all = h->open == 0;
    hand_over_unref(h);
    return all;
}

/* --- lists --- */

static void wants_push(struct wants *list, struct want *w)
{
    w->next = NULL;
    *list->last = w;
    list->last = &w->next;
    list->n++;
}

static struct want *wants_pop(struct wants *list)
{
    struct want *w = list->head;
    if (w) {
        list->head = w->next;
        if (!list->head) {
            list->last = &list->head;
        }
        list->n--;
    }
    return w;
}

static void want_free(struct want *w)
{
    if (w->done) {
        of_hand_over_done(w->done);
    }
    free(w->busy_ms);
    free(w->adapter);
    free(w->org);
    free(w);
}

static void push(struct of_keeper *k, struct wants *list, struct want *w)
{
    (void)pthread_mutex_lock(&k->lock);
    wants_push(list, w);
    (void)pthread_cond_signal(&k->work);
    (void)pthread_mutex_unlock(&k->lock);
}

void of_keeper_acquire(struct of_keeper *k, const char *org, const char *adapter)
{
    struct want *w = of_calloc(1, sizeof(*w));
    w->org = of_strdup(org);
    w->adapter = of_strdup(adapter);
    push(k, &k->acquire, w);
}

void of_keeper_release(struct of_keeper *k, const char *org, const char *adapter, int64_t fence, int64_t *busy_ms, size_t n,
                       int limit, int64_t period_ms, struct of_hand_over *done)
{
    struct want *w = of_calloc(1, sizeof(*w));
    *w = (struct want){.org = of_strdup(org), .adapter = of_strdup(adapter), .fence = fence, .busy_ms = busy_ms, .n = n,
                       .limit = limit, .period_ms = period_ms, .done = done};
    if (done) {
        of_hand_over_add(done);
    }
    push(k, &k->release, w);
}

/* At most BATCH_MAX of them, each (org, adapter) once; false if there is none. */
static bool take(struct of_keeper *k, struct wants *from, struct wants *ret)
{
    *ret = (struct wants){.head = NULL};
    ret->last = &ret->head;
    (void)pthread_mutex_lock(&k->lock);
    while (ret->n < BATCH_MAX && from->head) {
        wants_push(ret, wants_pop(from));
    }
    (void)pthread_mutex_unlock(&k->lock);
    return ret->n > 0;
}

static void put_back(struct of_keeper *k, struct wants *to, struct wants *list)
{
    (void)pthread_mutex_lock(&k->lock);
    for (struct want *w = wants_pop(list); w; w = wants_pop(list)) {
        wants_push(to, w);
    }
    (void)pthread_mutex_unlock(&k->lock);
}

static void drop(struct wants *list)
{
    for (struct want *w = wants_pop(list); w; w = wants_pop(list)) {
        want_free(w);
    }
}

/* --- held leases --- */

static size_t held_find(const struct of_keeper *k, const char *org, const char *adapter)
{
    size_t i = 0;
    while (i < k->n_held && (strcmp(k->held[i].org, org) != 0 || strcmp(k->held[i].adapter, adapter) != 0)) {
        i++;
    }
    return i;
}

static void held_drop(struct of_keeper *k, size_t i)
{
    free(k->held[i].org);
    free(k->held[i].adapter);
    k->held[i] = k->held[--k->n_held];
}

static void held_set(struct of_keeper *k, const char *org, const char *adapter, int64_t fence)
{
    size_t i = held_find(k, org, adapter);
    if (i == k->n_held) {
        if (k->n_held == k->held_cap) {
            k->held_cap = k->held_cap == 0 ? 64 : k->held_cap * 2;
            k->held = of_reallocarray(k->held, k->held_cap, sizeof(*k->held));
        }
        k->held[i] = (struct held){.org = of_strdup(org), .adapter = of_strdup(adapter)};
        k->n_held++;
    }
    k->held[i].fence = fence;
}

/* --- news for the HTTP thread --- */

struct news_post {
    struct of_remote *r;
    struct of_lease_news *news;
};

static void post_news(void *arg, struct of_http *http)
{
    (void)http;
    struct news_post *p = arg;
    of_remote_lease_news(p->r, p->news);
    free(p);
}

static void news_free(struct of_lease_news *news)
{
    while (news) {
        struct of_lease_news *next = news->next;
        free(news->busy_ms);
        free(news->adapter);
        free(news->org);
        free(news);
        news = next;
    }
}

static struct of_lease_news *news_add(struct of_lease_news **list, const char *org, const char *adapter)
{
    struct of_lease_news *n = of_calloc(1, sizeof(*n));
    n->org = of_strdup(org);
    n->adapter = of_strdup(adapter);
    n->next = *list;
    *list = n;
    return n;
}

static void tell(struct of_keeper *k, struct of_lease_news *news)
{
    if (!news) {
        return;
    }
    struct news_post *p = of_alloc(sizeof(*p));
    *p = (struct news_post){.r = k->r, .news = news};
    if (!of_remote_post(k->r, post_news, p)) {
        news_free(news);
        free(p);
    }
}

/* --- statements --- */

static struct of_boot lease_end(const struct of_keeper *k, struct of_boot asked_at)
{
    int64_t lease_ms = k->r->w->conf->budget_lease_ms;
    return (struct of_boot){.ms = asked_at.ms + lease_ms - lease_ms / LEASE_MARGIN_SHARE};
}

static void add_names(const struct wants *list, struct of_pgarr *orgs, struct of_pgarr *adapters)
{
    for (const struct want *w = list->head; w; w = w->next) {
        of_pgarr_text(orgs, w->org);
        of_pgarr_text(adapters, w->adapter);
    }
}

static size_t parse_busy(const char *text, int64_t **ret)
{
    size_t n = 1;
    for (const char *p = text; *p; p++) {
        n += *p == ',' ? 1 : 0;
    }
    int64_t *busy = of_calloc(n, sizeof(*busy));
    size_t len = 0;
    for (const char *p = text; *p && len < n; p++) {
        char *end = NULL;
        busy[len++] = strtoll(p, &end, 10);
        if (*end != ',') {
            break;
        }
        p = end;
    }
    *ret = busy;
    return len;
}

static bool is_in(const struct of_pgres *res, const struct want *w)
{
    for (int i = 0; i < of_pgres_rows(res); i++) {
        if (strcmp(of_pgres_text(res, i, 0), w->org) == 0 && strcmp(of_pgres_text(res, i, 1), w->adapter) == 0) {
            return true;
        }
    }
    return false;
}

static void acquired(struct of_keeper *k, const struct of_pgres *res, struct of_boot asked_at, struct wants *list)
{
    struct of_lease_news *news = NULL;
    for (int i = 0; i < of_pgres_rows(res); i++) {
        const char *org = of_pgres_text(res, i, 0);
        const char *adapter = of_pgres_text(res, i, 1);
        struct of_lease_news *n = news_add(&news, org, adapter);
        n->fence = of_pgres_i64(res, i, 2);
        n->is_ours = of_pgres_bool(res, i, 3);
        n->is_clean = of_pgres_bool(res, i, 4);
        n->until = lease_end(k, asked_at);
        n->n_busy = parse_busy(of_pgres_text(res, i, 5), &n->busy_ms);
        n->limit = (int)of_pgres_i64(res, i, 6);
        n->period_ms = of_pgres_i64(res, i, 7) * 1000;
        held_set(k, org, adapter, n->fence);
    }
    for (const struct want *w = list->head; w; w = w->next) {
        if (is_in(res, w)) {
            continue;
        }
        size_t i = held_find(k, w->org, w->adapter);
        if (i < k->n_held) {
            held_drop(k, i); /* it was ours before we were stopped for a while */
        }
        news_add(&news, w->org, w->adapter)->is_refused = true; /* somebody else has it */
    }
    tell(k, news);
}

static enum of_code acquire(struct of_keeper *k, struct wants *list, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *orgs = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *adapters = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    add_names(list, orgs, adapters);
    of_pg_arg_array(&args, orgs);
    of_pg_arg_array(&args, adapters);
    OF_TRY(of_pg_run(k->db, &of_sql_budget_make, &args, NULL, err));
    of_pg_arg_text(&args, k->r->w->name);
    of_pg_arg_int8(&args, k->r->w->conf->budget_lease_ms);
    struct of_boot asked_at = of_boot_now();
    OF_TRY(of_pg_run(k->db, &of_sql_budget_acquire, &args, &res, err));
    acquired(k, res, asked_at, list);
    return OF_OK;
}

static enum of_code release(struct of_keeper *k, struct wants *list, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *orgs = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *adapters = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *fences = of_pgarr_new(OF_PG_INT8);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *busy = of_pgarr_new(OF_PG_JSONB);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *limits = of_pgarr_new(OF_PG_INT8);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *periods = of_pgarr_new(OF_PG_INT8);
    for (const struct want *w = list->head; w; w = w->next) {
        size_t i = held_find(k, w->org, w->adapter);
        if (i < k->n_held && k->held[i].fence == w->fence) {
            held_drop(k, i); /* not renewed any more, whatever comes of the statement */
        }
        struct of_buf b = OF_BUF_INIT(16U << 20);
        of_buf_char(&b, '[');
        for (size_t j = 0; j < w->n; j++) {
            of_buf_fmt(&b, "%s%lld", j > 0 ? "," : "", (long long)w->busy_ms[j]);
        }
        of_buf_char(&b, ']');
        of_pgarr_text(busy, of_buf_text(&b));
        of_buf_done(&b);
        of_pgarr_int8(fences, w->fence);
        of_pgarr_int8(limits, w->limit);
        of_pgarr_int8(periods, (w->period_ms + 999) / 1000);
    }
    add_names(list, orgs, adapters);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_array(&args, orgs);
    of_pg_arg_array(&args, adapters);
    of_pg_arg_array(&args, fences);
    of_pg_arg_text(&args, k->r->w->name);
    of_pg_arg_array(&args, busy);
    of_pg_arg_array(&args, limits);
    of_pg_arg_array(&args, periods);
    return of_pg_run(k->db, &of_sql_budget_release, &args, NULL, err);
}

static void renewed(struct of_keeper *k, const struct of_pgres *res, struct of_boot asked_at)
{
    struct of_lease_news *news = NULL;
    struct held *had = k->held;
    size_t n_had = k->n_held;
    k->held = NULL;
    k->n_held = 0;
    k->held_cap = 0;
    for (int i = 0; i < of_pgres_rows(res); i++) {
        const char *org = of_pgres_text(res, i, 0);
        const char *adapter = of_pgres_text(res, i, 1);
        for (size_t j = 0; j < n_had; j++) {
            if (had[j].org && strcmp(had[j].org, org) == 0 && strcmp(had[j].adapter, adapter) == 0) {
                struct of_lease_news *n = news_add(&news, org, adapter);
                n->is_renewed = true;
                n->fence = had[j].fence;
                n->until = lease_end(k, asked_at);
                held_set(k, org, adapter, had[j].fence);
                free(had[j].org);
                free(had[j].adapter);
                had[j].org = NULL;
                break;
            }
        }
    }
    for (size_t j = 0; j < n_had; j++) {
        if (had[j].org) {
            struct of_lease_news *n = news_add(&news, had[j].org, had[j].adapter);
            n->is_lost = true;
            n->fence = had[j].fence;
            free(had[j].org);
            free(had[j].adapter);
        }
    }
    free(had);
    tell(k, news);
}

static enum of_code renew(struct of_keeper *k, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *orgs = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *adapters = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *fences = of_pgarr_new(OF_PG_INT8);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    for (size_t i = 0; i < k->n_held; i++) {
        of_pgarr_text(orgs, k->held[i].org);
        of_pgarr_text(adapters, k->held[i].adapter);
        of_pgarr_int8(fences, k->held[i].fence);
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_array(&args, orgs);
    of_pg_arg_array(&args, adapters);
    of_pg_arg_array(&args, fences);
    of_pg_arg_text(&args, k->r->w->name);
    of_pg_arg_int8(&args, k->r->w->conf->budget_lease_ms);
    struct of_boot asked_at = of_boot_now();
    OF_TRY(of_pg_run(k->db, &of_sql_budget_renew, &args, &res, err));
    renewed(k, res, asked_at);
    return OF_OK;
}

/* --- the thread --- */

static enum of_code connect(struct of_keeper *k, struct of_err *err)
{
    if (k->db && of_pg_is_broken(k->db)) {
        of_pg_free(OF_TAKE(k->db));
    }
    if (!k->db) {
        OF_TRY(of_pg_connect(k->r->w->conf->database_url, "openfaith-worker keeper", &k->db, err));
        of_pg_set_deadline(k->db, DB_DEADLINE_MS);
    }
    return OF_OK;
}

static enum of_code turn(struct of_keeper *k, struct of_err *err)
{
    struct wants list;
    OF_TRY(connect(k, err));
    while (take(k, &k->release, &list)) { /* first: somebody waits for it */
        enum of_code code = release(k, &list, err);
        if (code != OF_OK) {
            put_back(k, &k->release, &list);
            return code;
        }
        drop(&list);
    }
    while (take(k, &k->acquire, &list)) {
        enum of_code code = acquire(k, &list, err);
        if (code != OF_OK) {
            put_back(k, &k->acquire, &list);
            return code;
        }
        drop(&list);
    }
    if (of_boot_now().ms >= k->renew_at.ms) {
        if (k->n_held > 0) {
            OF_TRY(renew(k, err));
        }
        k->renew_at.ms = of_boot_now().ms + OF_MAX(k->r->w->conf->budget_lease_ms / 3, 1);
    }
    return OF_OK;
}

/* Called and left with the lock held. */
static void wait_for_work(struct of_keeper *k, int64_t ms)
{
    struct timespec until = mono_in(OF_MAX(ms, 1));
    (void)pthread_cond_timedwait(&k->work, &k->lock, &until);
}

static void *keeper_main(void *arg)
{
    struct of_keeper *k = arg;
    (void)pthread_mutex_lock(&k->lock);
    while (!k->stop || k->release.head) {
        (void)pthread_mutex_unlock(&k->lock);
        struct of_err err = OF_ERR_INIT;
        bool ok = turn(k, &err) == OF_OK;
        (void)pthread_mutex_lock(&k->lock);
        if (!ok) {
            k->retry_ms = k->retry_ms == 0 ? RETRY_MIN_MS : OF_MIN(k->retry_ms * 2, RETRY_MAX_MS);
            of_log_err(OF_LOG_WARN, "budget.keeper_failed", "leases cannot be kept, trying again", &err, NULL);
            if (k->stop) {
                break; /* they end by themselves */
            }
            wait_for_work(k, k->retry_ms);
            continue;
        }
        k->retry_ms = 0;
        if (!k->stop && !k->acquire.head && !k->release.head) {
            wait_for_work(k, OF_MIN(k->renew_at.ms - of_boot_now().ms, 1000));
        }
    }
    (void)pthread_mutex_unlock(&k->lock);
    return NULL;
}

enum of_code of_keeper_new(struct of_remote *r, struct of_keeper **ret, struct of_err *err)
{
    struct of_keeper *k = of_calloc(1, sizeof(*k));
    k->r = r;
    k->acquire.last = &k->acquire.head;
    k->release.last = &k->release.head;
    OF_BUG_ON(pthread_mutex_init(&k->lock, NULL) != 0);
    pthread_condattr_t attr;
    OF_BUG_ON(pthread_condattr_init(&attr) != 0);
    OF_BUG_ON(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0);
    OF_BUG_ON(pthread_cond_init(&k->work, &attr) != 0);
    (void)pthread_condattr_destroy(&attr);
    if (pthread_create(&k->thread, NULL, keeper_main, k) != 0) {
        free(k);
        return of_err_set(err, OF_E_IO, "no thread for the keeper of budgets");
    }
    *ret = k;
    return OF_OK;
}

void of_keeper_free(struct of_keeper *k)
{
    if (!k) {
        return;
    }
    (void)pthread_mutex_lock(&k->lock);
    k->stop = true;
    (void)pthread_cond_signal(&k->work);
    (void)pthread_mutex_unlock(&k->lock);
    (void)pthread_join(k->thread, NULL);
    drop(&k->acquire);
    drop(&k->release);
    while (k->n_held > 0) {
        held_drop(k, k->n_held - 1);
    }
    free(k->held);
    of_pg_free(k->db);
    (void)pthread_cond_destroy(&k->work);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

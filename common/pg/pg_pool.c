/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg/pg.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/pg/pg_int.h"
#include "common/time/time.h"

/* A connection's plans are kept so long, then twice as long each time: one that was made on an empty table must not stand until ANALYZE
 * comes by (which has them made anew by itself), and making them all costs half a second. */
#define PLANS_MS 15000
#define PLANS_MAX_MS 600000

struct of_pgpool {
    char *url, *application, *setup;
    pthread_mutex_t lock;
    pthread_cond_t put_back;
    int max, open; /* open: idle, handed out, or being opened */
    int n_idle;
    struct of_pg **idle; /* last put back, first handed out: the others may close by idleness */
};

struct of_pgpool *of_pgpool_new(const char *url, const char *application, int max)
{
    OF_BUG_ON(max < 1);
    struct of_pgpool *pool = of_calloc(1, sizeof(*pool));
    pool->url = of_strdup(url);
    pool->application = of_strdup(application);
    pool->max = max;
    pool->idle = of_calloc((size_t)max, sizeof(struct of_pg *));
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->put_back, &attr);
    pthread_condattr_destroy(&attr);
    return pool;
}

void of_pgpool_free(struct of_pgpool *pool)
{
    if (!pool) {
        return;
    }
    OF_BUG_ON(pool->open != pool->n_idle);
    for (int i = 0; i < pool->n_idle; i++) {
        of_pg_free(pool->idle[i]);
    }
    free(pool->idle);
    pthread_cond_destroy(&pool->put_back);
    pthread_mutex_destroy(&pool->lock);
    explicit_bzero(pool->url, strlen(pool->url)); /* holds the password */
    free(pool->url);
    free(pool->application);
    free(pool->setup);
    free(pool);
}

void of_pgpool_set_setup(struct of_pgpool *pool, const char *script)
{
    free(pool->setup);
    pool->setup = of_strdup_null(script);
}

/* A place in the pool is ours: *ret_db is an idle connection, or NULL where one is to be opened. */
static bool of_pgpool_reserve(struct of_pgpool *pool, int wait_ms, struct of_pg **ret_db)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    bool have = true;
    pthread_mutex_lock(&pool->lock);
    while (pool->n_idle == 0 && pool->open == pool->max && have) {
        have = pthread_cond_timedwait(&pool->put_back, &pool->lock, &until) == 0;
    }
    have = pool->n_idle > 0 || pool->open < pool->max;
    if (pool->n_idle > 0) {
        *ret_db = pool->idle[--pool->n_idle];
    } else if (have) {
        pool->open++;
    }
    pthread_mutex_unlock(&pool->lock);
    return have;
}

static void of_pgpool_release(struct of_pgpool *pool, struct of_pg *db)
{
    pthread_mutex_lock(&pool->lock);
    if (db) {
        pool->idle[pool->n_idle++] = db;
    } else {
        pool->open--;
    }
    pthread_cond_signal(&pool->put_back);
    pthread_mutex_unlock(&pool->lock);
}

static enum of_code of_pgpool_open(struct of_pgpool *pool, struct of_pg **ret, struct of_err *err)
{
    struct of_pg *db = NULL;
    OF_TRY(of_pg_connect(pool->url, pool->application, &db, err));
    if (pool->setup) {
        enum of_code code = of_pg_exec(db, pool->setup, "connection setup", NULL, err);
        if (code != OF_OK) {
            of_pg_free(db);
            return code;
        }
    }
    db->planned_at = of_boot_now();
    db->plans_ms = PLANS_MS;
    *ret = db;
    return OF_OK;
}

static bool of_pgpool_is_usable(struct of_pg *db)
{
    struct of_boot now = of_boot_now();
    if (!of_pg_idle_check(db)) {
        return false;
    }
    if (now.ms - db->planned_at.ms < db->plans_ms) {
        return true;
    }
    struct of_err ignored = OF_ERR_INIT;
    db->planned_at = now;
    db->plans_ms = OF_MIN(db->plans_ms * 2, PLANS_MAX_MS);
    return of_pg_exec(db, "DISCARD PLANS", "discard plans", NULL, &ignored) == OF_OK;
}

enum of_code of_pgpool_get(struct of_pgpool *pool, int wait_ms, struct of_pg **ret, struct of_err *err)
{
    struct of_pg *db = NULL;
    if (!of_pgpool_reserve(pool, wait_ms, &db)) {
        return of_err_set(err, OF_E_DB, "all %d database connections are in use", pool->max);
    }
    if (db && !of_pgpool_is_usable(db)) {
        of_pg_free(db);
        db = NULL;
    }
    if (!db) {
        enum of_code code = of_pgpool_open(pool, &db, err);
        if (code != OF_OK) {
            of_pgpool_release(pool, NULL);
            return code;
        }
    }
    *ret = db;
    return OF_OK;
}

void of_pgpool_put(struct of_pgpool *pool, struct of_pg *db)
{
    if (!db) {
        return;
    }
    of_pg_set_deadline(db, OF_PG_DEADLINE_MS);
    of_pg_rollback(db);
    if (db->broken) {
        of_pg_free(db);
        db = NULL;
    }
    of_pgpool_release(pool, db);
}

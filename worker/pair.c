/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/pair.h"

#include <pthread.h>

struct of_pair {
    struct of_worker *w;
    of_pair_fn *fn;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    enum { PAIR_QUEUED, PAIR_RUNNING, PAIR_DONE, PAIR_NOT_DONE } state;
    int refs; /* the caller's and the executor's */
    enum of_code code;
    struct of_err err;
};

/* Called with the lock held; gives it back. */
static void unref_locked(struct of_pair *p)
{
    bool last = --p->refs == 0;
    pthread_mutex_unlock(&p->lock);
    if (last) {
        pthread_cond_destroy(&p->ended);
        pthread_mutex_destroy(&p->lock);
        of_freep(&p);
    }
}

static void run(void *arg)
{
    struct of_pair *p = arg;
    pthread_mutex_lock(&p->lock);
    if (p->state != PAIR_QUEUED) {
        unref_locked(p);
        return;
    }
    p->state = PAIR_RUNNING;
    pthread_mutex_unlock(&p->lock);
    struct of_pg *db = NULL;
    struct of_err err = OF_ERR_INIT;
    bool done = of_pgpool_get(p->w->pool, 0, &db, &err) == OF_OK;
    enum of_code code = done ? p->fn(db, p->arg, &err) : OF_OK;
    of_pgpool_put(p->w->pool, db);
    pthread_mutex_lock(&p->lock);
    p->state = done ? PAIR_DONE : PAIR_NOT_DONE;
    p->code = code;
    p->err = err;
    pthread_cond_signal(&p->ended);
    unref_locked(p);
}

struct of_pair *of_pair_start(struct of_worker *w, of_pair_fn *fn, void *arg)
{
    struct of_pair *p = of_calloc(1, sizeof *p);
    p->w = w;
    p->fn = fn;
    p->arg = arg;
    p->refs = 2;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->ended, NULL);
    of_lanes_run(w->lanes, run, p);
    return p;
}

enum of_code of_pair_join(struct of_pair *p, bool *ret_done, struct of_err *err)
{
    pthread_mutex_lock(&p->lock);
    if (p->state == PAIR_QUEUED) {
        p->state = PAIR_NOT_DONE;
    }
    while (p->state == PAIR_RUNNING) {
        pthread_cond_wait(&p->ended, &p->lock);
    }
    *ret_done = p->state == PAIR_DONE;
    enum of_code code = *ret_done ? p->code : OF_OK;
    if (code != OF_OK) {
        *err = p->err;
    }
    unref_locked(p);
    return code;
}

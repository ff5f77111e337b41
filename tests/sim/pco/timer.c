/* SPDX-License-Identifier: Apache-2.0 */
#include "timer.h"

#include "base.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct item {
    int64_t due_us;
    struct MHD_Connection *conn;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static pthread_t thread;
static struct item *heap;
static size_t count, cap;
static bool stopping;

static void swap(size_t a, size_t b)
{
    struct item t = heap[a];

    heap[a] = heap[b];
    heap[b] = t;
}

static void push(struct item it)
{
    size_t i = count;

    if (count == cap) {
        cap = cap ? cap * 2 : 256;
        heap = sim_realloc(heap, cap * sizeof *heap);
    }
    heap[count++] = it;
    while (i && heap[(i - 1) / 2].due_us > heap[i].due_us) {
        swap(i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static struct item pop(void)
{
    struct item top = heap[0];
    size_t i = 0;

    heap[0] = heap[--count];
    for (;;) {
        size_t l = 2 * i + 1, m = i;

        if (l < count && heap[l].due_us < heap[m].due_us) {
            m = l;
        }
        if (l + 1 < count && heap[l + 1].due_us < heap[m].due_us) {
            m = l + 1;
        }
        if (m == i) {
            return top;
        }
        swap(i, m);
        i = m;
    }
}

static void wait_until(int64_t due_us)
{
    struct timespec ts = {.tv_sec = (time_t)(due_us / 1000000),
                          .tv_nsec = (long)(due_us % 1000000) * 1000};

    (void)pthread_cond_timedwait(&cond, &lock, &ts);
}

static void *run(void *arg)
{
    pthread_mutex_lock(&lock);
    while (!stopping || count) {
        if (!count) {
            pthread_cond_wait(&cond, &lock);
        } else if (stopping || heap[0].due_us <= sim_mono_us()) {
            struct item it = pop();

            MHD_resume_connection(it.conn);
        } else {
            wait_until(heap[0].due_us);
        }
    }
    pthread_mutex_unlock(&lock);
    return arg;
}

void sim_timer_start(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&cond, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&thread, NULL, run, NULL) != 0) {
        abort();
    }
}

void sim_timer_stop(void)
{
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&lock);
    (void)pthread_join(thread, NULL);
    free(heap);
    heap = NULL;
    count = cap = 0;
}

bool sim_timer_suspend(struct MHD_Connection *conn, int64_t delay_us)
{
    bool done = false;

    pthread_mutex_lock(&lock);
    if (!stopping) {
        /* Under the lock, so that the timer cannot resume before the suspension. */
        MHD_suspend_connection(conn);
        push((struct item){sim_mono_us() + delay_us, conn});
        pthread_cond_signal(&cond);
        done = true;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

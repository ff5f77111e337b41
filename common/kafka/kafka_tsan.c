/* SPDX-License-Identifier: Apache-2.0 */
/* Thread sanitizer builds only. The sanitizer does not know C11 threads: the first of its functions called in a thread of
 * librdkafka (built with them) crashes. These replace glibc's by their POSIX twins, which it knows. */
#include "common/kafka/kafka_int.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

#define OF_EXPORT __attribute__((visibility("default")))

_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "a POSIX mutex fits");
_Static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "a POSIX condition fits");

void of_kafka_tsan_link(void)
{
}

/* librdkafka frees what its reference counts let it, and those are not compiled for the sanitizer. Our callbacks stay seen. */
const char *__tsan_default_suppressions(void);
OF_EXPORT const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librdkafka.so.1\nrace:^mtx_\nrace:^cnd_\n";
}

struct of_thrd_start {
    thrd_start_t fn;
    void *arg;
};

static int of_thrd_code(int rc)
{
    if (rc == ETIMEDOUT) {
        return thrd_timedout;
    }
    return rc == 0 ? thrd_success : thrd_error;
}

static void *of_thrd_main(void *arg)
{
    struct of_thrd_start start = *(struct of_thrd_start *)arg;
    free(arg);
    return (void *)(intptr_t)start.fn(start.arg);
}

OF_EXPORT int thrd_create(thrd_t *thread, thrd_start_t fn, void *arg)
{
    struct of_thrd_start *start = of_alloc(sizeof(*start));
    *start = (struct of_thrd_start){.fn = fn, .arg = arg};
    int rc = pthread_create(thread, NULL, of_thrd_main, start);
    if (rc != 0) {
        free(start);
    }
    return of_thrd_code(rc);
}

OF_EXPORT int thrd_join(thrd_t thread, int *ret)
{
    void *value = NULL;
    int rc = pthread_join(thread, &value);
    if (ret) {
        *ret = (int)(intptr_t)value;
    }
    return of_thrd_code(rc);
}

OF_EXPORT int mtx_init(mtx_t *m, int type)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    if (type & mtx_recursive) {
        pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    }
    int rc = pthread_mutex_init((pthread_mutex_t *)m, &attr);
    pthread_mutexattr_destroy(&attr);
    return of_thrd_code(rc);
}

OF_EXPORT int mtx_lock(mtx_t *m)
{
    return of_thrd_code(pthread_mutex_lock((pthread_mutex_t *)m));
}

OF_EXPORT int mtx_unlock(mtx_t *m)
{
    return of_thrd_code(pthread_mutex_unlock((pthread_mutex_t *)m));
}

OF_EXPORT void mtx_destroy(mtx_t *m)
{
    pthread_mutex_destroy((pthread_mutex_t *)m);
}

OF_EXPORT int cnd_init(cnd_t *c)
{
    return of_thrd_code(pthread_cond_init((pthread_cond_t *)c, NULL));
}

OF_EXPORT int cnd_signal(cnd_t *c)
{
    return of_thrd_code(pthread_cond_signal((pthread_cond_t *)c));
}

OF_EXPORT int cnd_broadcast(cnd_t *c)
{
    return of_thrd_code(pthread_cond_broadcast((pthread_cond_t *)c));
}

OF_EXPORT int cnd_wait(cnd_t *c, mtx_t *m)
{
    return of_thrd_code(pthread_cond_wait((pthread_cond_t *)c, (pthread_mutex_t *)m));
}

OF_EXPORT int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m, const struct timespec *restrict until)
{
    return of_thrd_code(pthread_cond_timedwait((pthread_cond_t *)c, (pthread_mutex_t *)m, until));
}

OF_EXPORT void cnd_destroy(cnd_t *c)
{
    pthread_cond_destroy((pthread_cond_t *)c);
}

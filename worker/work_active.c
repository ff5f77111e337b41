/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/work_int.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t active_lock = PTHREAD_MUTEX_INITIALIZER;
static struct active {
    char *key;
    bool again; /* hinted while it ran */
    struct active *next;
} *active;

bool of_work_enter(const char *key)
{
    pthread_mutex_lock(&active_lock);
    for (struct active *a = active; a; a = a->next) {
        if (strcmp(a->key, key) == 0) {
            a->again = true;
            pthread_mutex_unlock(&active_lock);
            return false;
        }
    }
    struct active *a = of_calloc(1, sizeof *a);
    a->key = of_strdup(key);
    a->next = active;
    active = a;
    pthread_mutex_unlock(&active_lock);
    return true;
}

bool of_work_leave(const char *key, bool force)
{
    bool left = true;
    pthread_mutex_lock(&active_lock);
    for (struct active **p = &active; *p; p = &(*p)->next) {
        struct active *a = *p;
        if (strcmp(a->key, key) != 0) {
            continue;
        }
        if (a->again && !force) {
            a->again = false;
            left = false;
        } else {
            *p = a->next;
            of_freep(&a->key);
            of_freep(&a);
        }
        break;
    }
    pthread_mutex_unlock(&active_lock);
    return left;
}

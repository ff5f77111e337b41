/* SPDX-License-Identifier: Apache-2.0 */
#include "common/metrics/metrics.h"

#include "common/metrics/metrics_int.h"

#include <pthread.h>
#include <string.h>

static struct of_metric *metrics[OF_METRICS_MAX];
static atomic_int n_metrics;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of adding; readers go by n_metrics */

struct of_metric *const *of_metrics_all(int *ret_n)
{
    *ret_n = atomic_load_explicit(&n_metrics, memory_order_acquire);
    return metrics;
}

static uint64_t bits_of(double v)
{
    uint64_t bits = 0;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double v = 0;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

double of_metric_value(const struct of_metric *m)
{
    return double_of(atomic_load_explicit(&m->value, memory_order_relaxed));
}

static void add_to(_Atomic uint64_t *value, double v)
{
    uint64_t old = atomic_load_explicit(value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(value, &old, bits_of(double_of(old) + v), memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

static bool is_name(const char *s)
{
    for (const char *p = s; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' || *p == ':';
        bool digit = *p >= '0' && *p <= '9';
        if (!letter && !(digit && p > s)) {
            return false;
        }
    }
    return *s != '\0';
}

static struct of_metric *find(const char *name, const char *labels)
{
    int n = atomic_load_explicit(&n_metrics, memory_order_relaxed);
    for (int i = 0; i < n; i++) {
        if (strcmp(metrics[i]->name, name) == 0 && strcmp(metrics[i]->labels, labels) == 0) {
            return metrics[i];
        }
    }
    return NULL;
}

static struct of_metric *add(enum of_metric_kind kind, const char *name, const char *labels, const char *help,
                             const double *buckets, int n_buckets)
{
    int n = atomic_load_explicit(&n_metrics, memory_order_relaxed);
    OF_BUG_ON(n == OF_METRICS_MAX); /* a label without bounds? */
    struct of_metric *m = of_calloc(1, sizeof(*m));
    m->kind = kind;
    m->name = of_strdup(name);
    m->labels = of_strdup(labels);
    m->help = of_strdup(help);
    m->n_buckets = n_buckets;
    for (int i = 0; i < n_buckets; i++) {
        OF_BUG_ON(i > 0 && buckets[i] <= buckets[i - 1]);
        m->bounds[i] = buckets[i];
    }
    metrics[n] = m;
    atomic_store_explicit(&n_metrics, n + 1, memory_order_release);
    return m;
}

static struct of_metric *find_or_add(enum of_metric_kind kind, const char *name, const char *labels, const char *help,
                                     const double *buckets, int n_buckets)
{
    OF_BUG_ON(!is_name(name));
    OF_BUG_ON(n_buckets < 0 || n_buckets > OF_BUCKETS_MAX);
    const char *own = labels ? labels : "";
    (void)pthread_mutex_lock(&lock);
    struct of_metric *m = find(name, own);
    if (!m) {
        m = add(kind, name, own, help, buckets, n_buckets);
    }
    (void)pthread_mutex_unlock(&lock);
    OF_BUG_ON(m->kind != kind);
    return m;
}

struct of_metric *of_counter(const char *name, const char *labels, const char *help)
{
    return find_or_add(OF_METRIC_COUNTER, name, labels, help, NULL, 0);
}

struct of_metric *of_gauge(const char *name, const char *labels, const char *help)
{
    return find_or_add(OF_METRIC_GAUGE, name, labels, help, NULL, 0);
}

struct of_metric *of_histogram(const char *name, const char *labels, const char *help, const double *buckets, int n_buckets)
{
    return find_or_add(OF_METRIC_HISTOGRAM, name, labels, help, buckets, n_buckets);
}

void of_metric_add(struct of_metric *m, double v)
{
    OF_BUG_ON(m->kind == OF_METRIC_HISTOGRAM);
    OF_BUG_ON(m->kind == OF_METRIC_COUNTER && !(v >= 0));
    add_to(&m->value, v);
}

void of_metric_inc(struct of_metric *m)
{
    of_metric_add(m, 1);
}

void of_metric_set(struct of_metric *m, double v)
{
    OF_BUG_ON(m->kind != OF_METRIC_GAUGE);
    atomic_store_explicit(&m->value, bits_of(v), memory_order_relaxed);
}

void of_metric_observe(struct of_metric *m, double seconds)
{
    OF_BUG_ON(m->kind != OF_METRIC_HISTOGRAM);
    int i = 0;
    while (i < m->n_buckets && seconds > m->bounds[i]) {
        i++;
    }
    atomic_fetch_add_explicit(&m->hits[i], 1, memory_order_relaxed);
    add_to(&m->value, seconds);
}

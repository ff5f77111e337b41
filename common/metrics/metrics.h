/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_METRICS_H
#define OF_METRICS_H

/* Prometheus metrics and probes. A static registry with atomics; names openfaith_*, base units, no unbounded labels.
 * Any thread; no blocking except of_metrics_serve/stop. libmicrohttpd inside. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"

struct of_metric; /* lives until the process ends */
/* name without labels, labels like `topic="x",outcome="ok"` or NULL; texts are copied. The same (name, labels) gives the same
 * metric; another kind under a known name and labels, more than 1024 metrics or a malformed name are bugs. Finding takes a
 * lock and a walk: keep the pointer. */
struct of_metric *of_counter(const char *name, const char *labels, const char *help);
struct of_metric *of_gauge(const char *name, const char *labels, const char *help);
/* buckets in seconds, ascending, at most 32; +Inf is added */
struct of_metric *of_histogram(const char *name, const char *labels, const char *help, const double *buckets, int n_buckets);
void of_metric_add(struct of_metric *m, double v); /* counter: v >= 0 */
void of_metric_inc(struct of_metric *m);
void of_metric_set(struct of_metric *m, double v);
void of_metric_observe(struct of_metric *m, double seconds);
/* Appends name="value" (and a comma before it if b is not empty), value escaped: for labels that are not constant texts. */
void of_metrics_label(struct of_buf *b, const char *name, const char *value);
/* The text exposition format. Adds process_* (RSS, CPU seconds, fds, start time) and openfaith_build_info. */
void of_metrics_write(struct of_buf *b);

struct of_probes {
    bool (*live)(void *arg);                            /* /livez: the heartbeat is young; never Kafka or Postgres */
    bool (*ready)(void *arg, char *why, size_t why_size); /* /readyz: with the reason if not */
    void *arg;
};
struct of_metrics_server;
/* Listens on address:port (an IPv4 or IPv6 address; port 0: any free one) in a thread of its own, which calls the probes:
 * they must not block. At most 32 connections, 10 s each. GET /metrics /livez /readyz /startupz (ok for good once ready was).
 * probes is copied, its functions may be NULL (then always true). Fails: OF_E_CONFIG (no address), OF_E_IO. */
OF_MUSTCHECK enum of_code of_metrics_serve(const char *address, int port, const struct of_probes *probes,
                                           struct of_metrics_server **ret, int *ret_port, struct of_err *err);
void of_metrics_stop(struct of_metrics_server *s); /* waits for its thread; NULL is fine */

#endif

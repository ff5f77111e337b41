/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_METRICS_INT_H
#define OF_METRICS_INT_H

/* Inside common/metrics only. */

#include "common/metrics/metrics.h"

#include <stdatomic.h>

#define OF_METRICS_MAX 1024
#define OF_BUCKETS_MAX 32

enum of_metric_kind { OF_METRIC_COUNTER = 0, OF_METRIC_GAUGE, OF_METRIC_HISTOGRAM };

struct of_metric {
    enum of_metric_kind kind;
    char *name;
    char *labels; /* "" : none */
    char *help;
    _Atomic uint64_t value; /* the bits of a double; of a histogram: the sum */
    int n_buckets;
    double bounds[OF_BUCKETS_MAX];
    _Atomic uint64_t hits[OF_BUCKETS_MAX + 1]; /* of each bucket alone; the last one is beyond all bounds */
};

/* Metrics are only ever added; *ret_n of them are complete. */
struct of_metric *const *of_metrics_all(int *ret_n);
double of_metric_value(const struct of_metric *m);
/* A sample's value as the text format wants it. */
void of_metrics_number(struct of_buf *b, double v);
/* process_* and openfaith_build_info. */
void of_metrics_write_process(struct of_buf *b);

#endif

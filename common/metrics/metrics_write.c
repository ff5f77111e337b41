/* SPDX-License-Identifier: Apache-2.0 */
#include "common/metrics/metrics.h"

#include "common/metrics/metrics_int.h"

#include <math.h>
#include <string.h>

void of_metrics_number(struct of_buf *b, double v)
{
    if (isnan(v)) {
        of_buf_str(b, "NaN");
    } else if (isinf(v)) {
        of_buf_str(b, v > 0 ? "+Inf" : "-Inf");
    } else if (v > -9e15 && v < 9e15 && !((double)(int64_t)v < v) && !((double)(int64_t)v > v)) {
        of_buf_i64(b, (int64_t)v);
    } else {
        of_buf_fmt(b, "%.15g", v);
    }
}

/* Backslash and newline, and the quote within label values. */
static void escape(struct of_buf *b, const char *s, bool quotes)
{
    for (; *s; s++) {
        if (*s == '\n') {
            of_buf_str(b, "\\n");
        } else if (*s == '\\' || (*s == '"' && quotes)) {
            of_buf_char(b, '\\');
            of_buf_char(b, *s);
        } else {
            of_buf_char(b, *s);
        }
    }
}

void of_metrics_label(struct of_buf *b, const char *name, const char *value)
{
    of_buf_fmt(b, "%s%s=\"", b->len > 0 ? "," : "", name);
    escape(b, value, true);
    of_buf_char(b, '"');
}

/* name_suffix{labels,le="..."} up to the value */
static void write_series(struct of_buf *b, const struct of_metric *m, const char *suffix, const char *more)
{
    of_buf_str(b, m->name);
    of_buf_str(b, suffix);
    bool both = m->labels[0] != '\0' && more[0] != '\0';
    if (m->labels[0] != '\0' || more[0] != '\0') {
        of_buf_fmt(b, "{%s%s%s}", m->labels, both ? "," : "", more);
    }
    of_buf_char(b, ' ');
}

static void write_histogram(struct of_buf *b, const struct of_metric *m)
{
    uint64_t total = 0;
    for (int i = 0; i <= m->n_buckets; i++) {
        total += atomic_load_explicit(&m->hits[i], memory_order_relaxed);
        struct of_buf le = OF_BUF_INIT(64);
        of_buf_str(&le, "le=\"");
        of_metrics_number(&le, i < m->n_buckets ? m->bounds[i] : (double)INFINITY);
        of_buf_char(&le, '"');
        write_series(b, m, "_bucket", of_buf_text(&le));
        of_buf_i64(b, (int64_t)total);
        of_buf_char(b, '\n');
        of_buf_done(&le);
    }
    write_series(b, m, "_sum", "");
    of_metrics_number(b, of_metric_value(m));
    of_buf_char(b, '\n');
    write_series(b, m, "_count", "");
    of_buf_i64(b, (int64_t)total);
    of_buf_char(b, '\n');
}

static void write_metric(struct of_buf *b, const struct of_metric *m)
{
    if (m->kind == OF_METRIC_HISTOGRAM) {
        write_histogram(b, m);
        return;
    }
    write_series(b, m, "", "");
    of_metrics_number(b, of_metric_value(m));
    of_buf_char(b, '\n');
}

static void write_head(struct of_buf *b, const struct of_metric *m)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    of_buf_fmt(b, "# HELP %s ", m->name);
    escape(b, m->help, false);
    of_buf_fmt(b, "\n# TYPE %s %s\n", m->name, kinds[m->kind]);
}

void of_metrics_write(struct of_buf *b)
{
    int n = 0;
    struct of_metric *const *all = of_metrics_all(&n);
    bool done[OF_METRICS_MAX] = {false};
    for (int i = 0; i < n; i++) { /* the series of one name must stand together */
        if (done[i]) {
            continue;
        }
        write_head(b, all[i]);
        for (int k = i; k < n; k++) {
            if (!done[k] && strcmp(all[k]->name, all[i]->name) == 0) {
                write_metric(b, all[k]);
                done[k] = true;
            }
        }
    }
    of_metrics_write_process(b);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/metrics/metrics.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char *scrape(void)
{
    struct of_buf b = OF_BUF_INIT(1024 * 1024);
    of_metrics_write(&b);
    char *text = NULL;
    assert_int_equal(of_buf_take(&b, &text, NULL, NULL), OF_OK);
    return text;
}

static void has(const char *text, const char *line)
{
    if (!strstr(text, line)) {
        fail_msg("no '%s' in:\n%s", line, text);
    }
}

static void counters_and_gauges(void **state)
{
    (void)state;
    struct of_metric *a = of_counter("openfaith_test_total", "outcome=\"ok\"", "Tests \\ lines\nand so on");
    struct of_metric *gauge = of_gauge("openfaith_test_lag", NULL, "Lag");
    struct of_metric *b = of_counter("openfaith_test_total", "outcome=\"bad\"", "Tests");
    assert_ptr_equal(of_counter("openfaith_test_total", "outcome=\"ok\"", "Tests"), a);
    assert_ptr_not_equal(a, b);
    of_metric_inc(a);
    of_metric_add(a, 2.5);
    of_metric_inc(b);
    of_metric_set(gauge, -7);
    of_metric_add(gauge, 3);
    OF_CLEANUP(of_freep) char *text = scrape();
    has(text, "# HELP openfaith_test_total Tests \\\\ lines\\nand so on\n# TYPE openfaith_test_total counter\n"
              "openfaith_test_total{outcome=\"ok\"} 3.5\nopenfaith_test_total{outcome=\"bad\"} 1\n");
    has(text, "# TYPE openfaith_test_lag gauge\nopenfaith_test_lag -4\n");
}

static void unusual_values(void **state)
{
    (void)state;
    struct of_metric *gauge = of_gauge("openfaith_test_unusual", NULL, "Values");
    static const struct {
        double v;
        const char *text;
    } rows[] = {{(double)INFINITY, "+Inf"}, {-(double)INFINITY, "-Inf"}, {(double)NAN, "NaN"}, {1e300, "1e+300"},
                {0.1, "0.1"},               {123456789012.0, "123456789012"}};
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        of_metric_set(gauge, rows[i].v);
        OF_CLEANUP(of_freep) char *line = of_asprintf("\nopenfaith_test_unusual %s\n", rows[i].text);
        OF_CLEANUP(of_freep) char *text = scrape();
        has(text, line);
    }
}

static void histograms(void **state)
{
    (void)state;
    static const double buckets[] = {0.1, 1, 10};
    struct of_metric *h = of_histogram("openfaith_test_seconds", "type=\"x\"", "Time", buckets, 3);
    of_metric_observe(h, 0.05);
    of_metric_observe(h, 0.1);
    of_metric_observe(h, 0.5);
    of_metric_observe(h, 100);
    OF_CLEANUP(of_freep) char *text = scrape();
    has(text, "# TYPE openfaith_test_seconds histogram\n"
              "openfaith_test_seconds_bucket{type=\"x\",le=\"0.1\"} 2\n"
              "openfaith_test_seconds_bucket{type=\"x\",le=\"1\"} 3\n"
              "openfaith_test_seconds_bucket{type=\"x\",le=\"10\"} 3\n"
              "openfaith_test_seconds_bucket{type=\"x\",le=\"+Inf\"} 4\n"
              "openfaith_test_seconds_sum{type=\"x\"} 100.65\n"
              "openfaith_test_seconds_count{type=\"x\"} 4\n");
    struct of_metric *bare = of_histogram("openfaith_test_bare_seconds", NULL, "Time", buckets, 1);
    of_metric_observe(bare, 1);
    OF_CLEANUP(of_freep) char *again = scrape();
    has(again, "openfaith_test_bare_seconds_bucket{le=\"0.1\"} 0\nopenfaith_test_bare_seconds_bucket{le=\"+Inf\"} 1\n"
               "openfaith_test_bare_seconds_sum 1\nopenfaith_test_bare_seconds_count 1\n");
}

static void labels_are_escaped(void **state)
{
    (void)state;
    struct of_buf b = OF_BUF_INIT(100);
    of_metrics_label(&b, "topic", "a\"b\\c\nd");
    of_metrics_label(&b, "type", "x");
    assert_string_equal(of_buf_text(&b), "topic=\"a\\\"b\\\\c\\nd\",type=\"x\"");
    of_buf_done(&b);
}

/* The value behind the name at the start of a line. */
static double value_of(const char *text, const char *name)
{
    OF_CLEANUP(of_freep) char *start = of_asprintf("\n%s ", name);
    const char *at = strstr(text, start);
    if (!at) {
        fail_msg("no %s", name);
        return 0;
    }
    return strtod(at + strlen(start), NULL);
}

static void the_process(void **state)
{
    (void)state;
    OF_CLEANUP(of_freep) char *text = scrape();
    assert_true(value_of(text, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(text, "process_virtual_memory_bytes") > 100000);
    assert_true(value_of(text, "process_open_fds") >= 3);
    assert_true(value_of(text, "process_max_fds") >= 3);
    assert_true(value_of(text, "process_cpu_seconds_total") >= 0);
    double age = (double)time(NULL) - value_of(text, "process_start_time_seconds");
    assert_true(age > -5 && age < 600);
    has(text, "openfaith_build_info{version=\"" OF_VERSION "\"} 1\n");
    /* each line is a comment or a sample, and ends */
    assert_true(text[strlen(text) - 1] == '\n');
}

#define THREADS 4
#define TIMES 2000

static void *work(void *arg)
{
    (void)arg;
    static const double buckets[] = {1};
    for (int i = 0; i < TIMES; i++) {
        of_metric_inc(of_counter("openfaith_test_threads_total", NULL, "Threads"));
        of_metric_observe(of_histogram("openfaith_test_threads_seconds", NULL, "Threads", buckets, 1), 0.5);
    }
    return NULL;
}

static void threads_count_together(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    }
    free(scrape());
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    OF_CLEANUP(of_freep) char *text = scrape();
    has(text, "\nopenfaith_test_threads_total 8000\n");
    has(text, "\nopenfaith_test_threads_seconds_sum 4000\n");
    has(text, "\nopenfaith_test_threads_seconds_count 8000\n");
}

static bool dies(void (*fn)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        fn();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static void bad_name(void)
{
    (void)of_counter("1bad-name", NULL, "x");
}

static void other_kind(void)
{
    (void)of_counter("openfaith_test_kind", NULL, "x");
    (void)of_gauge("openfaith_test_kind", NULL, "x");
}

static void counting_down(void)
{
    of_metric_add(of_counter("openfaith_test_down_total", NULL, "x"), -1);
}

static void too_many(void)
{
    for (int i = 0; i < 2000; i++) {
        char labels[32];
        (void)snprintf(labels, sizeof(labels), "id=\"%d\"", i);
        (void)of_counter("openfaith_test_many_total", labels, "x");
    }
}

static void misuse_is_a_bug(void **state)
{
    (void)state;
    assert_true(dies(bad_name));
    assert_true(dies(other_kind));
    assert_true(dies(counting_down));
    assert_true(dies(too_many));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges), cmocka_unit_test(unusual_values), cmocka_unit_test(histograms),
        cmocka_unit_test(labels_are_escaped),  cmocka_unit_test(the_process),    cmocka_unit_test(threads_count_together),
        cmocka_unit_test(misuse_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *doc_path;

static int clean_environment(void **state)
{
    (void)state;
    (void)clearenv();
    (void)setenv("OF_DATABASE_URL", "postgresql://u:hunter2@h/db", 1);
    (void)setenv("OF_KAFKA_BROKERS", "127.0.0.1:9092", 1);
    (void)setenv("OF_KEYRING_FILE", "/etc/ring", 1);
    return 0;
}

static struct of_conf *load(enum of_program program)
{
    struct of_conf *conf = NULL;
    char *problems = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_conf_load(program, &conf, &problems, &err) != OF_OK) {
        fail_msg("%s", problems);
    }
    assert_null(problems);
    return conf;
}

/* The list of mistakes; free() it. */
static char *mistakes(enum of_program program, int count)
{
    struct of_conf *conf = NULL;
    char *problems = NULL;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_conf_load(program, &conf, &problems, &err), OF_E_CONFIG);
    assert_null(conf);
    int lines = 0;
    for (const char *p = problems; *p; p++) {
        lines += *p == '\n';
    }
    if (lines != count) {
        fail_msg("expected %d mistakes: %s", count, problems);
    }
    return problems;
}

static void defaults(void **state)
{
    (void)state;
    struct of_conf *conf = load(OF_PROG_WORKER);
    assert_string_equal(conf->database_url, "postgresql://u:hunter2@h/db");
    assert_string_equal(conf->kafka_brokers, "127.0.0.1:9092");
    assert_string_equal(conf->keyring_file, "/etc/ring");
    assert_int_equal(conf->http_port, 9464);
    assert_string_equal(conf->http_address, "127.0.0.1");
    assert_int_equal(conf->log_level, OF_LOG_INFO);
    assert_int_equal(conf->session_timeout_ms, 45000);
    assert_true(conf->executors >= 2);
    assert_int_equal(conf->db_connections, conf->executors);
    assert_int_equal(conf->slice_ms, 2000);
    assert_int_equal(conf->lane_parallel, 4);
    assert_int_equal(conf->lane_max, 200);
    assert_int_equal(conf->batch_rows, 1000);
    assert_int_equal(conf->lease_ms, 60000);
    assert_int_equal(conf->budget_lease_ms, 10000);
    assert_int_equal(conf->refresh_lease_ms, 30000);
    assert_int_equal(conf->backoff_ms, 1000);
    assert_int_equal(conf->backoff_max_ms, 300000);
    assert_int_equal(conf->waiting_recheck_ms, 600000);
    assert_int_equal(conf->second_look_ms, 600000);
    assert_int_equal(conf->http_timeout_ms, 30000);
    assert_int_equal(conf->unparsed_bytes, 8388608);
    assert_int_equal(conf->drain_ms, 10000);
    assert_int_equal(conf->breaker_failures, 20);
    assert_int_equal(conf->probe_ms, 60000);
    of_conf_free(conf);
    conf = load(OF_PROG_CTL);
    assert_int_equal(conf->partitions, 12);
    assert_int_equal(conf->replication, -1);
    assert_int_equal(conf->retention_ms, 604800000);
    assert_int_equal(conf->dlq_retention_ms, 7776000000);
    of_conf_free(conf);
    conf = load(OF_PROG_SCHEDULER);
    assert_int_equal(conf->tick_ms, 100);
    assert_int_equal(conf->stalled_ms, 300000);
    assert_int_equal(conf->scheduler_batch, 1000);
    of_conf_free(conf);
    of_conf_free(NULL);
}

static void the_environment_counts(void **state)
{
    (void)state;
    (void)setenv("OF_HTTP_PORT", "0", 1);
    (void)setenv("OF_HTTP_ADDRESS", "::1", 1);
    (void)setenv("OF_LOG_LEVEL", "debug", 1);
    (void)setenv("OF_EXECUTORS", "3", 1);
    (void)setenv("OF_BATCH_ROWS", "", 1); /* empty is not set */
    (void)setenv("OF_PARTITIONS", "3", 1); /* ctl's, but read by all */
    (void)setenv("OF_TEST_ANYTHING", "x", 1);
    (void)setenv("OF_CTL_CONFIRM", "x", 1);
    (void)setenv("OF_BUILD", "x", 1);
    (void)setenv("OF_FAILPOINTS", "", 1);
    (void)setenv("PATH", "/bin", 1);
    struct of_conf *conf = load(OF_PROG_WORKER);
    assert_int_equal(conf->http_port, 0);
    assert_string_equal(conf->http_address, "::1");
    assert_int_equal(conf->log_level, OF_LOG_DEBUG);
    assert_int_equal(conf->executors, 3);
    assert_int_equal(conf->db_connections, 3);
    assert_int_equal(conf->batch_rows, 1000);
    assert_int_equal(conf->partitions, 3);
    of_conf_free(conf);
}

static void every_mistake_at_once(void **state)
{
    (void)state;
    (void)unsetenv("OF_DATABASE_URL");
    (void)setenv("OF_KEYRING_FILE", "", 1);
    (void)setenv("OF_HTTP_PORT", "70000", 1);
    (void)setenv("OF_HTTP_ADDRESS", "localhost", 1);
    (void)setenv("OF_LOG_LEVEL", "loud", 1);
    (void)setenv("OF_EXECUTORS", "many", 1);
    (void)setenv("OF_EXECUTOR", "1", 1);
    (void)setenv("OF_LEASE_MS_FILES", "1", 1);
    OF_CLEANUP(of_freep) char *text = mistakes(OF_PROG_WORKER, 8);
    assert_non_null(strstr(text, "OF_DATABASE_URL: required, but not set\n"));
    assert_non_null(strstr(text, "OF_KEYRING_FILE: required, but not set\n"));
    assert_non_null(strstr(text, "OF_HTTP_PORT: expected a whole number from 0 to 65535\n"));
    assert_non_null(strstr(text, "OF_HTTP_ADDRESS: expected an IPv4 or IPv6 address\n"));
    assert_non_null(strstr(text, "OF_LOG_LEVEL: expected debug"));
    assert_non_null(strstr(text, "OF_EXECUTORS: expected"));
    assert_non_null(strstr(text, "OF_EXECUTOR: no such setting\n"));
    assert_non_null(strstr(text, "OF_LEASE_MS_FILES: no such setting\n"));
    assert_null(strstr(text, "loud"));
    assert_null(strstr(text, "many"));
}

static void what_a_program_needs(void **state)
{
    (void)state;
    (void)unsetenv("OF_KEYRING_FILE");
    of_conf_free(load(OF_PROG_SCHEDULER));
    free(mistakes(OF_PROG_CTL, 1));
    (void)setenv("OF_KEYRING_FILE", "/ring", 1);
    (void)setenv("OF_REPLICATION", "0", 1);
    OF_CLEANUP(of_freep) char *text = mistakes(OF_PROG_CTL, 1);
    assert_string_equal(text, "OF_REPLICATION: expected a whole number from -1 to 1000, but not 0\n");
}

static void backoff_has_an_order(void **state)
{
    (void)state;
    (void)setenv("OF_BACKOFF_MS", "2000", 1);
    (void)setenv("OF_BACKOFF_MAX_MS", "1000", 1);
    free(mistakes(OF_PROG_WORKER, 1));
}

static void write_file(char *path, const char *text, size_t n)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    close(fd);
}

static void values_from_files(void **state)
{
    (void)state;
    char url[] = "/tmp/of-test-conf-XXXXXX";
    char rows[] = "/tmp/of-test-conf-XXXXXX";
    write_file(url, "postgresql://from-file\n", 23);
    write_file(rows, "77", 2);
    (void)unsetenv("OF_DATABASE_URL");
    (void)setenv("OF_DATABASE_URL_FILE", url, 1);
    (void)setenv("OF_BATCH_ROWS_FILE", rows, 1);
    struct of_conf *conf = load(OF_PROG_WORKER);
    assert_string_equal(conf->database_url, "postgresql://from-file");
    assert_int_equal(conf->batch_rows, 77);
    of_conf_free(conf);
    (void)setenv("OF_DATABASE_URL", "postgresql://hunter2", 1);
    OF_CLEANUP(of_freep) char *both = mistakes(OF_PROG_WORKER, 1);
    assert_string_equal(both, "OF_DATABASE_URL: set together with its _FILE variant\n");
    unlink(url);
    unlink(rows);
}

static void bad_files(void **state)
{
    (void)state;
    char nul[] = "/tmp/of-test-conf-XXXXXX";
    char empty[] = "/tmp/of-test-conf-XXXXXX";
    char big[] = "/tmp/of-test-conf-XXXXXX";
    OF_CLEANUP(of_freep) char *many = of_calloc(1, 70000);
    memset(many, 'x', 70000);
    write_file(nul, "hunter2\0x", 9);
    write_file(empty, "\n", 1);
    write_file(big, many, 70000);
    (void)unsetenv("OF_DATABASE_URL");
    (void)setenv("OF_DATABASE_URL_FILE", nul, 1);
    (void)setenv("OF_BATCH_ROWS_FILE", empty, 1);
    (void)setenv("OF_LEASE_MS_FILE", big, 1);
    (void)setenv("OF_SLICE_MS_FILE", "/nonexistent", 1);
    (void)setenv("OF_PROBE_MS_FILE", "/tmp", 1);
    OF_CLEANUP(of_freep) char *text = mistakes(OF_PROG_WORKER, 5);
    assert_non_null(strstr(text, "OF_DATABASE_URL_FILE: the file holds a NUL byte\n"));
    assert_non_null(strstr(text, "OF_BATCH_ROWS: the file is empty\n"));
    assert_non_null(strstr(text, "OF_LEASE_MS_FILE: the file is too large\n"));
    assert_non_null(strstr(text, "OF_SLICE_MS_FILE: the file cannot be opened\n"));
    assert_non_null(strstr(text, "OF_PROBE_MS_FILE: the file cannot be read\n"));
    assert_null(strstr(text, "hunter2"));
    unlink(nul);
    unlink(empty);
    unlink(big);
}

static void secrets_are_never_told(void **state)
{
    (void)state;
    (void)setenv("OF_hunter2\nx", "hunter3", 1);
    (void)setenv("OF_LEASE_MS", "hunter4", 1);
    OF_CLEANUP(of_freep) char *text = mistakes(OF_PROG_WORKER, 2);
    assert_null(strstr(text, "hunter3"));
    assert_null(strstr(text, "hunter4"));
    struct of_buf b = OF_BUF_INIT(1024 * 1024);
    of_conf_help(OF_PROG_WORKER, &b);
    of_conf_markdown(&b);
    assert_null(strstr(of_buf_text(&b), "hunter"));
    of_buf_done(&b);
}

static void help_lists_what_is_read(void **state)
{
    (void)state;
    struct of_buf b = OF_BUF_INIT(1024 * 1024);
    of_conf_help(OF_PROG_SCHEDULER, &b);
    assert_non_null(strstr(of_buf_text(&b), "OF_DATABASE_URL"));
    assert_non_null(strstr(of_buf_text(&b), "OF_TICK_MS"));
    assert_null(strstr(of_buf_text(&b), "OF_EXECUTORS"));
    of_buf_done(&b);
}

static void the_document_is_up_to_date(void **state)
{
    (void)state;
    FILE *f = fopen(doc_path, "re");
    assert_non_null(f);
    OF_CLEANUP(of_freep) char *text = of_calloc(1, 1024 * 1024);
    assert_true(fread(text, 1, 1024 * 1024 - 1, f) > 0);
    (void)fclose(f);
    struct of_buf b = OF_BUF_INIT(1024 * 1024);
    of_conf_markdown(&b);
    if (strcmp(text, of_buf_text(&b)) != 0) {
        fail_msg("%s is old; run: build/dev/bin/conf-doc > docs/configuration.md", doc_path);
    }
    of_buf_done(&b);
}

int main(int argc, char **argv)
{
    doc_path = argc > 1 ? argv[1] : "docs/configuration.md";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults, clean_environment),
        cmocka_unit_test_setup(the_environment_counts, clean_environment),
        cmocka_unit_test_setup(every_mistake_at_once, clean_environment),
        cmocka_unit_test_setup(what_a_program_needs, clean_environment),
        cmocka_unit_test_setup(backoff_has_an_order, clean_environment),
        cmocka_unit_test_setup(values_from_files, clean_environment),
        cmocka_unit_test_setup(bad_files, clean_environment),
        cmocka_unit_test_setup(secrets_are_never_told, clean_environment),
        cmocka_unit_test_setup(help_lists_what_is_read, clean_environment),
        cmocka_unit_test_setup(the_document_is_up_to_date, clean_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

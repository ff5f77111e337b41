/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log/log.h"

#include "common/log/log_int.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *source_dir;
static int saved_stderr = -1;
static int capture_fd = -1;

/* From here to captured() what goes to stderr goes to a file. */
static void capture(void)
{
    char path[] = "/tmp/of-test-log-XXXXXX";
    capture_fd = mkstemp(path);
    assert_true(capture_fd >= 0);
    unlink(path);
    assert_int_equal(fcntl(capture_fd, F_SETFL, O_APPEND), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(capture_fd, STDERR_FILENO) >= 0);
}

static char *captured(void)
{
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    struct stat st;
    assert_int_equal(fstat(capture_fd, &st), 0);
    char *text = of_calloc((size_t)st.st_size + 1, 1);
    assert_int_equal(pread(capture_fd, text, (size_t)st.st_size, 0), st.st_size);
    close(capture_fd);
    return text;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = strstr(text, part); p; p = strstr(p + 1, part)) {
        n++;
    }
    return n;
}

static void writes_one_json_line(void **state)
{
    (void)state;
    of_log_init("worker", OF_LOG_INFO);
    capture();
    of_log(OF_LOG_INFO, "test.line", "it \"works\"", OF_S("org_id", "org_1"), OF_I("partition", 3), OF_S("reason", NULL));
    of_log(OF_LOG_WARN, "test.bare", "nothing else");
    of_log(OF_LOG_DEBUG, "test.hidden", "not said");
    OF_CLEANUP(of_freep) char *text = captured();
    assert_int_equal(strncmp(text, "{\"ts\":\"20", 9), 0);
    assert_non_null(strstr(text, "\"level\":\"info\",\"proc\":\"worker\",\"pid\":"));
    assert_non_null(strstr(text, ",\"event\":\"test.line\",\"msg\":\"it \\\"works\\\"\",\"org_id\":\"org_1\",\"partition\":3,"
                                 "\"reason\":null}\n"));
    assert_non_null(strstr(text, "\"level\":\"warn\""));
    assert_null(strstr(text, "test.hidden"));
    assert_int_equal(count(text, "\n"), 2);
}

static void says_what_an_error_holds(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    (void)of_err_set(&err, OF_E_DB, "claim: lost");
    memcpy(err.sqlstate, "57P01", 6);
    err.http_status = 503;
    const struct of_kv kv[] = {OF_S("topic", "t"), {.key = NULL}};
    capture();
    of_log_err(OF_LOG_ERROR, "test.err", "failed", &err, kv);
    of_log_err(OF_LOG_ERROR, "test.err2", "failed", &err, NULL);
    OF_CLEANUP(of_freep) char *text = captured();
    assert_non_null(strstr(text, "\"msg\":\"failed\",\"topic\":\"t\",\"err_code\":\"DB\",\"err_class\":\"retry\","
                                 "\"sqlstate\":\"57P01\",\"http_status\":503,\"err\":\"claim: lost\"}\n"));
    assert_non_null(strstr(text, "\"msg\":\"failed\",\"err_code\":\"DB\""));
}

static void lines_are_bounded(void **state)
{
    (void)state;
    OF_CLEANUP(of_freep) char *big = of_alloc(20001);
    memset(big, '\n', 20000); /* doubles when escaped */
    big[20000] = '\0';
    capture();
    of_log(OF_LOG_INFO, "test.big", big, OF_S("reason", big), OF_S("host", big), OF_I("port", 1));
    OF_CLEANUP(of_freep) char *text = captured();
    assert_true(strlen(text) <= 4096);
    assert_int_equal(count(text, "\n"), 1);
    assert_non_null(strstr(text, "\"port\":1,\"cut\":1}\n"));
}

static int64_t fake_ms = 1000 * 1000 * 1000;

static struct of_mono fake_clock(void)
{
    return (struct of_mono){.ms = fake_ms};
}

static void storms_are_counted(void **state)
{
    (void)state;
    of_log_clock = fake_clock;
    capture();
    for (int i = 0; i < 100; i++) {
        of_log(OF_LOG_INFO, "test.storm", "again", OF_I("seq", i));
        of_log(OF_LOG_ERROR, "test.storm", "another level is another matter");
    }
    fake_ms += 1000;
    of_log(OF_LOG_INFO, "test.storm", "again", OF_I("seq", 100));
    OF_CLEANUP(of_freep) char *text = captured();
    assert_int_equal(count(text, "\"level\":\"info\""), 21);
    assert_non_null(strstr(text, "\"seq\":100,\"suppressed\":80}"));
    assert_int_equal(count(text, "another level"), 20);
}

/* The count of a storm that is over is told by whatever is logged next. */
static void ended_storms_are_told(void **state)
{
    (void)state;
    of_log_clock = fake_clock;
    fake_ms += 10000;
    capture();
    for (int i = 0; i < 50; i++) {
        of_log(OF_LOG_WARN, "test.short_storm", "again");
    }
    fake_ms += 5000;
    of_log(OF_LOG_INFO, "test.other", "something else");
    of_log(OF_LOG_INFO, "test.other", "something else");
    OF_CLEANUP(of_freep) char *text = captured();
    assert_int_equal(count(text, "\"event\":\"test.short_storm\",\"msg\":\"was repeated\",\"suppressed\":30}\n"), 1);
    assert_int_equal(count(text, "test.short_storm"), 20 + 1);
    assert_int_equal(count(text, "test.other"), 2);
}

/* More events at once than are remembered: nothing is lost then, only not limited. */
static void many_events_at_once(void **state)
{
    (void)state;
    of_log_clock = fake_clock;
    fake_ms += 10000;
    capture();
    for (int i = 0; i < 1000; i++) {
        char event[32];
        (void)snprintf(event, sizeof(event), "test.event_%d", i);
        of_log(OF_LOG_INFO, event, "one of many");
    }
    OF_CLEANUP(of_freep) char *text = captured();
    assert_int_equal(count(text, "one of many"), 1000);
}

#define THREADS 4
#define LINES 15

static void *chatter(void *arg)
{
    const char *event = arg;
    for (int i = 0; i < LINES; i++) {
        of_log(OF_LOG_INFO, event, "from a thread", OF_I("seq", i));
    }
    return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
    (void)state;
    char events[THREADS][32];
    pthread_t threads[THREADS];
    capture();
    for (int i = 0; i < THREADS; i++) {
        (void)snprintf(events[i], sizeof(events[i]), "test.thread%d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, chatter, events[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    OF_CLEANUP(of_freep) char *text = captured();
    assert_int_equal(count(text, "\n"), THREADS * LINES);
    assert_int_equal(count(text, "{\"ts\":"), THREADS * LINES);
    assert_int_equal(count(text, "}\n"), THREADS * LINES);
}

static void levels(void **state)
{
    (void)state;
    enum of_log_level level = OF_LOG_INFO;
    assert_true(of_log_level_parse("debug", &level));
    assert_int_equal(level, OF_LOG_DEBUG);
    assert_true(of_log_level_parse("error", &level));
    assert_false(of_log_level_parse("Error", &level));
    assert_false(of_log_level_parse("", &level));
    assert_false(of_log_level_parse(NULL, &level));
    of_log_set_level(OF_LOG_ERROR);
    assert_false(of_log_enabled(OF_LOG_WARN));
    assert_true(of_log_enabled(OF_LOG_ERROR));
    of_log_set_level(OF_LOG_INFO);
}

static void unknown_keys(void **state)
{
    (void)state;
    assert_true(of_log_key_known("org_id"));
    assert_false(of_log_key_known("email"));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        const char *stray = "email"; /* not a literal in the macro: the grep below would see it */
        of_log(OF_LOG_INFO, "test.unknown", "x", OF_S(stray, "y"));
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
#ifdef OF_FAILPOINTS
    assert_true(WIFSIGNALED(status));
#else
    assert_true(WIFEXITED(status));
#endif
}

/* ---- every literal key of the source tree stands in keys.def ---- */

static int keys_seen;

static void check_keys(const char *path, const char *text, const char *macro)
{
    for (const char *p = strstr(text, macro); p; p = strstr(p + 1, macro)) {
        const char *key = p + strlen(macro);
        size_t n = strcspn(key, "\"");
        OF_CLEANUP(of_freep) char *name = of_strndup(key, n);
        keys_seen++;
        if (!of_log_key_known(name)) {
            fail_msg("%s logs key '%s', which is not in common/log/keys.def", path, name);
        }
    }
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)where;
    const char *dot = strrchr(path, '.');
    if (kind != FTW_F || !dot || strcmp(dot, ".c") != 0) {
        return 0;
    }
    FILE *f = fopen(path, "re");
    if (!f) {
        return 0; /* gone since the folder was read */
    }
    OF_CLEANUP(of_freep) char *text = of_calloc((size_t)st->st_size + 1, 1);
    size_t n = fread(text, 1, (size_t)st->st_size, f);
    (void)fclose(f);
    text[n] = '\0';
    check_keys(path, text, "OF_S(\"");
    check_keys(path, text, "OF_I(\"");
    return 0;
}

static void all_keys_are_listed(void **state)
{
    (void)state;
    static const char *const folders[] = {"common", "adapters", "producer", "worker", "cdc"};
    keys_seen = 0;
    for (size_t i = 0; i < OF_ARRAY_LEN(folders); i++) {
        OF_CLEANUP(of_freep) char *path = of_asprintf("%s/%s", source_dir, folders[i]);
        (void)nftw(path, visit, 16, 0);
    }
    assert_true(keys_seen > 0);
}

int main(int argc, char **argv)
{
    source_dir = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_one_json_line), cmocka_unit_test(says_what_an_error_holds),
        cmocka_unit_test(lines_are_bounded),    cmocka_unit_test(storms_are_counted),
        cmocka_unit_test(ended_storms_are_told), cmocka_unit_test(many_events_at_once),
        cmocka_unit_test(threads_do_not_mix_lines), cmocka_unit_test(levels),
        cmocka_unit_test(unknown_keys),         cmocka_unit_test(all_keys_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

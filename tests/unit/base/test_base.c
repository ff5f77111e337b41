/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void parses_whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"+7", true, 7},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+", false, 0},
        {"--1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1x", false, 0},
        {"0x10", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {NULL, false, 0},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        int64_t v = -77;
        bool ok = of_parse_i64(rows[i].text, INT64_MIN, INT64_MAX, &v);
        if (ok != rows[i].ok || v != (rows[i].ok ? rows[i].value : -77)) {
            fail_msg("'%s' gives %d %lld", rows[i].text ? rows[i].text : "NULL", ok, (long long)v);
        }
    }
    int64_t v = 0;
    assert_true(of_parse_i64("10", 1, 10, &v));
    assert_false(of_parse_i64("11", 1, 10, &v));
    assert_false(of_parse_i64("0", 1, 10, &v));
}

static void parses_doubles(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "-1.5", "+2", "1e3", "1.25E-2", ".5", "5."};
    static const char *const bad[] = {"", "-", ".", "e5", "1e", "1e+", "inf", "nan", "0x1p3", " 1", "1 ", "1,5", "1e999"};
    double v = 0;
    for (size_t i = 0; i < OF_ARRAY_LEN(good); i++) {
        assert_true(of_parse_double(good[i], &v));
    }
    assert_true(of_parse_double("1.25E-2", &v));
    assert_true(v > 0.01249 && v < 0.01251);
    for (size_t i = 0; i < OF_ARRAY_LEN(bad); i++) {
        assert_false(of_parse_double(bad[i], &v));
    }
    assert_false(of_parse_double(NULL, &v));
}

static void knows_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"", "plain", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",         "\xc3",         "\xc0\x80",         "\xc1\xbf",
                                      "\xe2\x82",     "\xe0\x80\x80", "\xed\xa0\x80",     "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xc3(", "\xf0\x9f\x98"};
    for (size_t i = 0; i < OF_ARRAY_LEN(good); i++) {
        assert_true(of_utf8_valid(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(bad); i++) {
        assert_false(of_utf8_valid(bad[i], strlen(bad[i])));
    }
    assert_false(of_utf8_valid("a\0b", 3));
    assert_int_equal(of_utf8_step("", 0), 0);
    assert_int_equal(of_utf8_step("\xe2\x82\xac", 2), 0);
    assert_int_equal(of_utf8_step("\xe2\x82\xac", 3), 3);
}

static void copies_are_bounded(void **state)
{
    (void)state;
    char buf[4];
    assert_true(of_strcopy(buf, sizeof(buf), "abc"));
    assert_string_equal(buf, "abc");
    assert_false(of_strcopy(buf, sizeof(buf), "abcd"));
    assert_string_equal(buf, "abc");
    assert_true(of_strcopy(buf, 1, ""));
    assert_false(of_strcopy(buf, 1, "x"));
    assert_string_equal(buf, "");
}

static void strings_are_owned(void **state)
{
    (void)state;
    OF_CLEANUP(of_freep) char *a = of_strndup("abcdef", 3);
    assert_string_equal(a, "abc");
    OF_CLEANUP(of_freep) char *b = of_strndup("ab", 10);
    assert_string_equal(b, "ab");
    assert_null(of_strdup_null(NULL));
    OF_CLEANUP(of_freep) char *c = of_asprintf("%s-%d", "x", 5);
    assert_string_equal(c, "x-5");
    char *taken = OF_TAKE(c);
    assert_null(c);
    free(taken);
    assert_true(of_str_eq(NULL, NULL));
    assert_false(of_str_eq(NULL, ""));
    assert_true(of_str_eq("a", "a"));
}

static void long_text_is_cut(void **state)
{
    (void)state;
    OF_CLEANUP(of_freep) char *big = of_alloc(100001);
    memset(big, 'x', 100000);
    big[100000] = '\0';
    OF_CLEANUP(of_freep) char *cut = of_asprintf("%s", big);
    assert_int_equal(strlen(cut), 64 * 1024);
}

static void nothing_is_still_memory(void **state)
{
    (void)state;
    OF_CLEANUP(of_freep) void *a = of_alloc(0);
    OF_CLEANUP(of_freep) void *b = of_calloc(0, 8);
    OF_CLEANUP(of_freep) void *c = of_realloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
}

/* Runs fn in a child whose stderr is kept; true if it aborted. */
static bool aborts(void (*fn)(void), char *text, size_t size)
{
    int pipe_fd[2];
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL); /* cmocka catches it otherwise */
        (void)dup2(pipe_fd[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    close(pipe_fd[1]);
    ssize_t n = read(pipe_fd[0], text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    close(pipe_fd[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void make_bug(void)
{
    const char *quoted = "\"";
    OF_BUG_ON(strcmp(quoted, "\"") == 0);
}

static void overflow_array(void)
{
    volatile size_t huge = SIZE_MAX / 2;
    void *p = of_reallocarray(NULL, huge, 16);
    free(p);
}

static void our_bugs_abort_with_a_line(void **state)
{
    (void)state;
    char text[1024];
    assert_true(aborts(make_bug, text, sizeof(text)));
    assert_non_null(strstr(text, "\"event\":\"process.bug\""));
    assert_non_null(strstr(text, "test_base.c"));
    assert_null(strstr(text, "\\"));
    assert_true(aborts(overflow_array, text, sizeof(text)));
    assert_non_null(strstr(text, "\"event\":\"process.out_of_memory\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_whole_numbers), cmocka_unit_test(parses_doubles),
        cmocka_unit_test(knows_utf8),           cmocka_unit_test(copies_are_bounded),
        cmocka_unit_test(strings_are_owned),    cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(nothing_is_still_memory), cmocka_unit_test(our_bugs_abort_with_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

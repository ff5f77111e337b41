/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

OF_DEFINE_CLEANUP(char, free, free_text)

static void grows_and_ends_with_nul(void **state)
{
    (void)state;
    struct of_buf b = OF_BUF_INIT(1000);
    assert_string_equal(of_buf_text(&b), "");
    for (int i = 0; i < 100; i++) {
        of_buf_str(&b, "ab");
        of_buf_char(&b, 'c');
    }
    of_buf_i64(&b, INT64_MIN);
    of_buf_fmt(&b, "<%d>", 5);
    assert_int_equal(b.len, 300 + 20 + 3);
    assert_int_equal(strlen(of_buf_text(&b)), b.len);
    assert_string_equal(of_buf_text(&b) + 300, "-9223372036854775808<5>");
    of_buf_done(&b);
    assert_null(b.data);
    of_buf_str(&b, "again");
    assert_string_equal(of_buf_text(&b), "again");
    of_buf_done(&b);
}

static void stops_at_its_maximum(void **state)
{
    (void)state;
    struct of_buf b = OF_BUF_INIT(4);
    of_buf_str(&b, "abcd");
    assert_false(b.bad);
    of_buf_char(&b, 'e');
    assert_true(b.bad);
    of_buf_str(&b, "");
    assert_string_equal(of_buf_text(&b), "abcd");
    assert_null(of_buf_grow(&b, 1));
    of_buf_fmt(&b, "%d", 1);
    char *text = NULL;
    size_t len = 99;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_buf_take(&b, &text, &len, &err), OF_E_TOO_LARGE);
    assert_null(text);
    assert_int_equal(len, 99);
    of_buf_clear(&b);
    of_buf_str(&b, "xy");
    assert_int_equal(of_buf_take(&b, &text, &len, &err), OF_OK);
    assert_string_equal(text, "xy");
    assert_int_equal(len, 2);
    assert_null(b.data);
    free(text);
}

static void fmt_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    struct of_buf b = OF_BUF_INIT(5);
    of_buf_str(&b, "abc");
    of_buf_fmt(&b, "%s", "defgh");
    assert_true(b.bad);
    assert_string_equal(of_buf_text(&b), "abc");
    of_buf_done(&b);
}

static void empty_take_gives_a_string(void **state)
{
    (void)state;
    struct of_buf b = OF_BUF_INIT(5);
    OF_CLEANUP(free_text) char *text = NULL;
    assert_int_equal(of_buf_take(&b, &text, NULL, NULL), OF_OK);
    assert_string_equal(text, "");
}

static void grow_gives_the_end(void **state)
{
    (void)state;
    struct of_buf b = OF_BUF_INIT(100);
    of_buf_str(&b, "12");
    char *at = of_buf_grow(&b, 3);
    memcpy(at, "345", 3);
    assert_string_equal(of_buf_text(&b), "12345");
    of_buf_done(&b);
}

static void json_of(const char *in, size_t n, const char *expected)
{
    struct of_buf b = OF_BUF_INIT(1000);
    of_buf_json_mem(&b, in, n);
    assert_string_equal(of_buf_text(&b), expected);
    of_buf_done(&b);
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    json_of("", 0, "\"\"");
    json_of("a\"\\\b\f\n\r\t/", 9, "\"a\\\"\\\\\\b\\f\\n\\r\\t/\"");
    json_of("\x01\x1f\x7f", 3, "\"\\u0001\\u001f\x7f\"");
    json_of("caf\xc3\xa9", 5, "\"caf\xc3\xa9\"");
    json_of("a\0b", 3, "\"a\xef\xbf\xbd" "b\"");
    json_of("a\xc3", 2, "\"a\xef\xbf\xbd\"");
    json_of("\xff\xfe", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    json_of("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    struct of_buf b = OF_BUF_INIT(10);
    of_buf_json_str(&b, NULL);
    assert_string_equal(of_buf_text(&b), "null");
    of_buf_done(&b);
}

static void urls_are_encoded(void **state)
{
    (void)state;
    struct of_buf b = OF_BUF_INIT(100);
    of_buf_url(&b, "aZ9-._~ /?&=%\xc3\xa9");
    assert_string_equal(of_buf_text(&b), "aZ9-._~%20%2F%3F%26%3D%25%C3%A9");
    of_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_ends_with_nul),
        cmocka_unit_test(stops_at_its_maximum),
        cmocka_unit_test(fmt_that_does_not_fit_leaves_nothing),
        cmocka_unit_test(empty_take_gives_a_string),
        cmocka_unit_test(grow_gives_the_end),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(urls_are_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void sets_code_class_and_words(void **state)
{
    (void)state;
    struct of_err err = {.http_status = 429, .retry_after_ms = 5, .sqlstate = "40001"};
    assert_int_equal(of_err_set(&err, OF_E_AUTH, "refused %d", 7), OF_E_AUTH);
    assert_int_equal(err.code, OF_E_AUTH);
    assert_int_equal(err.cls, OF_CLASS_RECONNECT);
    assert_int_equal(err.http_status, 0);
    assert_int_equal(err.retry_after_ms, 0);
    assert_string_equal(err.sqlstate, "");
    assert_string_equal(err.msg, "refused 7");
    assert_int_equal(of_err_set(NULL, OF_E_DB, "x"), OF_E_DB);
}

static void may_quote_itself(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    (void)of_err_set(&err, OF_E_DB, "cause");
    (void)of_err_set(&err, OF_E_REMOTE, "because of %s", err.msg);
    assert_string_equal(err.msg, "because of cause");
    assert_int_equal(of_err_wrap(&err, "again %s", err.msg), OF_E_REMOTE);
    assert_string_equal(err.msg, "again because of cause: because of cause");
}

static void wrap_keeps_origin(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    (void)of_err_set(&err, OF_E_THROTTLED, "wait");
    err.retry_after_ms = 1500;
    err.http_status = 429;
    assert_int_equal(of_err_wrap(&err, "get people"), OF_E_THROTTLED);
    assert_string_equal(err.msg, "get people: wait");
    assert_int_equal(err.retry_after_ms, 1500);
    assert_int_equal(err.http_status, 429);
}

static void long_words_are_cut_between_characters(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    char text[300];
    memset(text, 'a', sizeof(text));
    memcpy(text + 254, "\xc3\xa9\0", 3); /* its second byte would stand at 255, where the NUL must be */
    (void)of_err_set(&err, OF_E_INVALID, "%s", text);
    assert_int_equal(strlen(err.msg), 254);
    memcpy(text + 253, "\xc3\xa9z\0", 4); /* fits whole, the z does not */
    (void)of_err_set(&err, OF_E_INVALID, "%s", text);
    assert_int_equal(strlen(err.msg), 255);
    (void)of_err_wrap(&err, "x");
    assert_true(of_utf8_valid(err.msg, strlen(err.msg)));
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(of_code_name(OF_OK), "OK");
    assert_string_equal(of_code_name(OF_E_DB), "DB");
    assert_string_equal(of_code_name(OF_E_BUSY), "BUSY");
    assert_string_equal(of_code_text(OF_E_DB), "database unavailable");
    assert_string_equal(of_class_name(OF_CLASS_RETRY), "retry");
    assert_string_equal(of_class_name(OF_CLASS_FATAL), "fatal");
    assert_int_equal(of_code_class(OF_OK), OF_CLASS_NONE);
    assert_int_equal(of_code_class(OF_E_LEASE), OF_CLASS_FENCED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_code_class_and_words),
        cmocka_unit_test(may_quote_itself),
        cmocka_unit_test(wrap_keeps_origin),
        cmocka_unit_test(long_words_are_cut_between_characters),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

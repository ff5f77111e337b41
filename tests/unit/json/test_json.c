/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_BYTES (1024 * 1024)

static struct of_json *parse(const char *text)
{
    struct of_json *root = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_json_parse(text, strlen(text), MAX_BYTES, &root, &err) != OF_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return root;
}

/* The copy has the exact size, so that a sanitizer sees a read beyond the end. */
static enum of_code parse_code(const char *text, size_t len, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *exact = of_alloc(len);
    memcpy(exact, text, len);
    OF_CLEANUP(of_json_freep) struct of_json *root = NULL;
    enum of_code code = of_json_parse(exact, len, MAX_BYTES, &root, err);
    assert_int_equal(code == OF_OK, root != NULL);
    return code;
}

static void refused(const char *text, const char *words)
{
    struct of_err err = OF_ERR_INIT;
    if (parse_code(text, strlen(text), &err) != OF_E_PARSE || !strstr(err.msg, words)) {
        fail_msg("%s: expected '%s', got '%s'", text, words, err.msg);
    }
}

static void round_trip(const char *text, const char *expected)
{
    OF_CLEANUP(of_json_freep) struct of_json *root = parse(text);
    struct of_buf b = OF_BUF_INIT(MAX_BYTES);
    of_json_write(&b, root);
    assert_string_equal(of_buf_text(&b), expected);
    of_buf_done(&b);
}

static void reads_all_types(void **state)
{
    (void)state;
    OF_CLEANUP(of_json_freep) struct of_json *root =
        parse(" {\"t\":true,\"f\":false,\"n\":null,\"i\":-12,\"d\":1.5,\"s\":\"x\",\"a\":[1,[],{}],\"o\":{\"k\":1}} \r\n\t");
    assert_int_equal(of_json_type(root), OF_JSON_OBJECT);
    assert_int_equal(of_json_len(root), 8);
    bool truth = false;
    assert_true(of_json_bool(of_json_get(root, "t"), &truth));
    assert_true(truth);
    assert_true(of_json_bool(of_json_get(root, "f"), &truth));
    assert_false(truth);
    assert_false(of_json_bool(of_json_get(root, "i"), &truth));
    int64_t i = 0;
    assert_true(of_json_i64(of_json_get(root, "i"), &i));
    assert_int_equal(i, -12);
    assert_false(of_json_i64(of_json_get(root, "d"), &i));
    double d = 0;
    assert_true(of_json_double(of_json_get(root, "d"), &d));
    assert_true(d > 1.49 && d < 1.51);
    assert_string_equal(of_json_text(of_json_get(root, "s")), "x");
    assert_null(of_json_text(of_json_get(root, "i")));
    assert_true(of_json_is_null(of_json_get(root, "n")));
    assert_true(of_json_is_null(of_json_get(root, "absent")));
    assert_true(of_json_is_null(NULL));
    assert_null(of_json_get(root, "S")); /* case counts */
    assert_null(of_json_get(of_json_get(root, "a"), "k"));
    assert_null(of_json_get(NULL, "k"));
    assert_int_equal(of_json_len(of_json_get(root, "a")), 3);
    const struct of_json *first = of_json_first(of_json_get(root, "o"));
    assert_string_equal(of_json_key(first), "k");
    assert_null(of_json_next(first));
    assert_null(of_json_first(NULL));
}

static void scalars_are_documents(void **state)
{
    (void)state;
    round_trip("true", "true");
    round_trip(" null ", "null");
    round_trip("\"\"", "\"\"");
    round_trip("0", "0");
    round_trip("[]", "[]");
    round_trip("{}", "{}");
}

static void writes_numbers_that_read_back(void **state)
{
    (void)state;
    round_trip("[1.0,1e2,-0,0.1,1e-7,9007199254740992,1.7976931348623157e308]",
               "[1,100,0,0.1,1e-07,9007199254740992,1.7976931348623157e+308]");
    round_trip("[12.5,0.30000000000000004,123456.789]", "[12.5,0.30000000000000004,123456.789]");
}

static void strings_round_trip(void **state)
{
    (void)state;
    round_trip("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u00e9\\u20AC\\ud83d\\ude00\"",
               "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    round_trip("\"longer than eight bytes, with caf\xc3\xa9 in it\"", "\"longer than eight bytes, with caf\xc3\xa9 in it\"");
    round_trip("{\"\":1,\"k\\u0041\":2}", "{\"\":1,\"kA\":2}");
}

static void broken_grammar_is_refused(void **state)
{
    (void)state;
    refused("", "byte 0: text ends too early");
    refused("  ", "byte 2: text ends too early");
    refused("{} x", "byte 3: something follows");
    refused("{}{}", "something follows");
    refused("[1,]", "expected a value");
    refused("[,1]", "expected a value");
    refused("[1 2]", "expected a comma");
    refused("[1}", "expected a comma");
    refused("[", "text ends too early");
    refused("{\"a\":1,}", "expected a key");
    refused("{a:1}", "expected a key");
    refused("{\"a\"}", "expected a colon");
    refused("{\"a\" 1}", "expected a colon");
    refused("{\"a\":}", "expected a value");
    refused("{\"a\":1", "text ends too early");
    refused("{", "expected a key");
    refused("tru", "expected a value");
    refused("True", "expected a value");
    refused("nan", "expected a value");
    refused("'a'", "expected a value");
    refused("\xef\xbb\xbf{}", "byte 0: expected a value");
    refused("[1]\x0b", "something follows");
    refused("/* */1", "expected a value");
}

static void broken_numbers_are_refused(void **state)
{
    (void)state;
    refused("01", "something follows");
    refused("-", "expected a digit");
    refused("-a", "expected a digit");
    refused("+1", "expected a value");
    refused(".5", "expected a value");
    refused("1.", "expected a digit");
    refused("1e", "expected a digit");
    refused("1e+", "expected a digit");
    refused("0x10", "something follows");
    refused("1e999", "number is too large");
    refused("[1,[-1e999]]", "number is too large");
    char digits[80];
    memset(digits, '1', sizeof(digits));
    digits[64] = '\0';
    refused(digits, "number is too long");
}

static void broken_strings_are_refused(void **state)
{
    (void)state;
    refused("\"abc", "ends within a string");
    refused("\"abc\\", "ends within a string");
    refused("\"a\\x\"", "unknown escape");
    refused("\"a\\u12\"", "four hexadecimal");
    refused("\"a\\u12G4\"", "four hexadecimal");
    refused("\"a\\u0000b\"", "\\u0000");
    refused("{\"a\\u0000b\":1}", "\\u0000");
    refused("\"\\ud800\"", "surrogate");
    refused("\"\\ud800x\"", "surrogate");
    refused("\"\\ud800\\u0041\"", "surrogate");
    refused("\"\\udc00\"", "surrogate");
    refused("\"\\ud83d\\ud83d\"", "surrogate");
    refused("\"a\nb\"", "control character");
    refused("\"a\xff\"", "invalid UTF-8");
    refused("\"a\xc3\"", "invalid UTF-8");
    refused("\"\xed\xa0\x80\"", "invalid UTF-8");
    refused("\"12345678\x01\"", "byte 9: control character");
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(parse_code("\"a\0b\"", 5, &err), OF_E_PARSE);
    assert_int_equal(parse_code("\"a\\\0b\"", 6, &err), OF_E_PARSE);
    assert_int_equal(parse_code("1\0", 2, &err), OF_E_PARSE);
}

static void errors_do_not_quote_the_input(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    const char *text = "{\"secret\":\"Mary\",\"secret\":1}";
    assert_int_equal(parse_code(text, strlen(text), &err), OF_E_PARSE);
    assert_null(strstr(err.msg, "secret"));
    assert_null(strstr(err.msg, "Mary"));
}

static void depth_is_limited(void **state)
{
    (void)state;
    char text[200];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = '\0';
    OF_CLEANUP(of_json_freep) struct of_json *root = parse(text);
    assert_non_null(root);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = '\0';
    refused(text, "byte 64: nested too deeply");
}

static void size_is_limited(void **state)
{
    (void)state;
    struct of_json *root = NULL;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_json_parse("[1,2]", 5, 4, &root, &err), OF_E_TOO_LARGE);
    assert_null(root);
    assert_int_equal(of_json_parse("[1,2]", 5, 5, &root, &err), OF_OK);
    of_json_free(root);
}

/* {"k0":0,...} with n keys; then one of them again, if twice >= 0. */
static enum of_code parse_wide(int n, int twice)
{
    struct of_buf b = OF_BUF_INIT(MAX_BYTES);
    of_buf_str(&b, "[{\"x\":");
    of_buf_char(&b, '{');
    for (int i = 0; i < n; i++) {
        of_buf_fmt(&b, "%s\"key_%d\":%d", i > 0 ? "," : "", i, i);
    }
    if (twice >= 0) {
        of_buf_fmt(&b, ",\"\\u006bey_%d\":null", twice); /* the k is written in another way */
    }
    of_buf_str(&b, "}}]");
    struct of_err err = OF_ERR_INIT;
    enum of_code code = parse_code(of_buf_text(&b), b.len, &err);
    of_buf_done(&b);
    return code;
}

static void duplicate_keys_are_refused(void **state)
{
    (void)state;
    refused("{\"a\":1,\"a\":1}", "duplicate key");
    refused("[{\"b\":{\"\":1,\"c\":2,\"\":3}}]", "duplicate key");
    OF_CLEANUP(of_json_freep) struct of_json *fine = parse("{\"a\":{\"a\":1},\"A\":2,\"aa\":[{\"a\":1},{\"a\":1}]}");
    assert_non_null(fine);
    static const int sizes[] = {1, 7, 8, 9, 35, 511, 512, 513, 3000};
    for (size_t i = 0; i < OF_ARRAY_LEN(sizes); i++) {
        assert_int_equal(parse_wide(sizes[i], -1), OF_OK);
        assert_int_equal(parse_wide(sizes[i], 0), OF_E_PARSE);
        assert_int_equal(parse_wide(sizes[i], sizes[i] - 1), OF_E_PARSE);
    }
}

static void getters_name_the_place(void **state)
{
    (void)state;
    OF_CLEANUP(of_json_freep) struct of_json *root = parse("{\"s\":\"abc\",\"n\":null,\"i\":7,\"d\":1.5,\"big\":1e17}");
    struct of_err err = OF_ERR_INIT;
    const char *text = "untouched";
    assert_int_equal(of_json_req_text(root, "data[3]", "s", 3, &text, &err), OF_OK);
    assert_string_equal(text, "abc");
    assert_int_equal(of_json_req_text(root, "data[3]", "s", 2, &text, &err), OF_E_TOO_LARGE);
    assert_string_equal(err.msg, "data[3].s: text is too long");
    assert_int_equal(of_json_req_text(root, "data[3]", "i", 9, &text, &err), OF_E_PARSE);
    assert_string_equal(err.msg, "data[3].i: expected string");
    assert_int_equal(of_json_req_text(root, "", "absent", 9, &text, &err), OF_E_PARSE);
    assert_string_equal(err.msg, "absent: missing");
    assert_int_equal(of_json_req_text(root, "", "n", 9, &text, &err), OF_E_PARSE);
    assert_string_equal(err.msg, "n: expected string");
    assert_int_equal(of_json_req_text(NULL, "data", "id", 9, &text, &err), OF_E_PARSE);
    assert_string_equal(text, "abc");
    assert_int_equal(of_json_opt_text(root, "", "n", 9, &text, &err), OF_OK);
    assert_null(text);
    assert_int_equal(of_json_opt_text(root, "", "absent", 9, &text, &err), OF_OK);
    assert_int_equal(of_json_opt_text(root, "", "i", 9, &text, &err), OF_E_PARSE);
    int64_t v = 42;
    assert_int_equal(of_json_req_i64(root, "x", "i", 0, 7, &v, &err), OF_OK);
    assert_int_equal(v, 7);
    assert_int_equal(of_json_req_i64(root, "x", "i", 0, 6, &v, &err), OF_E_PARSE);
    assert_string_equal(err.msg, "x.i: number is out of range");
    assert_int_equal(of_json_req_i64(root, "x", "d", 0, 6, &v, &err), OF_E_PARSE);
    assert_int_equal(of_json_req_i64(root, "x", "big", 0, INT64_MAX, &v, &err), OF_E_PARSE);
    assert_string_equal(err.msg, "x.big: expected integer");
    assert_int_equal(of_json_req_i64(root, "x", "absent", 0, 6, &v, &err), OF_E_PARSE);
    assert_int_equal(v, 7);
    assert_int_equal(of_json_opt_i64(root, "x", "n", 0, 6, -1, &v, &err), OF_OK);
    assert_int_equal(v, -1);
    assert_int_equal(of_json_opt_i64(root, "x", "s", 0, 6, -1, &v, &err), OF_E_PARSE);
}

static bool equal(const char *x, const char *y)
{
    OF_CLEANUP(of_json_freep) struct of_json *a = parse(x);
    OF_CLEANUP(of_json_freep) struct of_json *b = parse(y);
    bool result = of_json_equal(a, b);
    assert_int_equal(of_json_equal(b, a), result);
    return result;
}

static void equality(void **state)
{
    (void)state;
    assert_true(equal("{\"a\":1,\"b\":[1,{\"c\":null}]}", "{\"b\":[1.0,{\"c\":null}],\"a\":1}"));
    assert_true(equal("\"\\u00e9\"", "\"\xc3\xa9\""));
    assert_true(equal("1e2", "100"));
    assert_true(equal("0", "-0"));
    assert_false(equal("1", "\"1\""));
    assert_false(equal("true", "false"));
    assert_false(equal("[1,2]", "[2,1]"));
    assert_false(equal("[1,2]", "[1]"));
    assert_false(equal("{\"a\":1}", "{\"a\":2}"));
    assert_false(equal("{\"a\":1}", "{\"A\":1}"));
    assert_false(equal("{\"a\":null}", "{}"));
    assert_false(equal("{\"a\":1,\"b\":1}", "{\"a\":1,\"c\":1}"));
    assert_true(of_json_equal(NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_types),
        cmocka_unit_test(scalars_are_documents),
        cmocka_unit_test(writes_numbers_that_read_back),
        cmocka_unit_test(strings_round_trip),
        cmocka_unit_test(broken_grammar_is_refused),
        cmocka_unit_test(broken_numbers_are_refused),
        cmocka_unit_test(broken_strings_are_refused),
        cmocka_unit_test(errors_do_not_quote_the_input),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(size_is_limited),
        cmocka_unit_test(duplicate_keys_are_refused),
        cmocka_unit_test(getters_name_the_place),
        cmocka_unit_test(equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

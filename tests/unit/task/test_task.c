/* SPDX-License-Identifier: Apache-2.0 */
#include "common/task/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void round_trip(const struct of_task_msg *in, const char *expected)
{
    struct of_buf b = OF_BUF_INIT(OF_TASK_MAX_BYTES);
    struct of_task_msg out = {.kind = OF_TASK_WORK};
    struct of_err err = OF_ERR_INIT;
    of_task_encode(in, &b);
    assert_string_equal(of_buf_text(&b), expected);
    assert_int_equal(of_task_decode(b.data, b.len, &out, &err), OF_OK);
    assert_int_equal(out.kind, in->kind);
    assert_string_equal(out.org, in->org);
    assert_string_equal(out.adapter, in->adapter);
    assert_int_equal(out.generation, in->generation);
    assert_int_equal(out.run, in->run);
    assert_int_equal(out.seq, in->seq);
    assert_true(of_str_eq(out.type, in->type));
    of_task_msg_done(&out);
    of_buf_done(&b);
}

static void test_round_trip(void **state)
{
    (void)state;
    char org[] = "church \"1\" \xc3\xa9", adapter[] = "pco", type[] = "Person";
    struct of_task_msg phase = {.kind = OF_TASK_PHASE, .org = org, .adapter = adapter, .generation = 3, .run = 12,
                                .type = type, .seq = 7};
    round_trip(&phase, "{\"v\":1,\"kind\":\"phase\",\"org\":\"church \\\"1\\\" \xc3\xa9\",\"adapter\":\"pco\",\"gen\":3,"
                       "\"run\":12,\"type\":\"Person\",\"seq\":7}");
    struct of_task_msg work = {.kind = OF_TASK_WORK, .org = org, .adapter = adapter, .generation = 1};
    round_trip(&work, "{\"v\":1,\"kind\":\"work\",\"org\":\"church \\\"1\\\" \xc3\xa9\",\"adapter\":\"pco\",\"gen\":1}");
    struct of_task_msg poll = {.kind = OF_TASK_POLL, .org = adapter, .adapter = adapter, .generation = 9007199254740991};
    round_trip(&poll, "{\"v\":1,\"kind\":\"poll\",\"org\":\"pco\",\"adapter\":\"pco\",\"gen\":9007199254740991}");
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *words; /* stand in the error */
    } rows[] = {
        {"", ""},
        {"[]", "$"},
        {"{}", "v"},
        {"{\"v\":2,\"kind\":\"work\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":1}", "v"},
        {"{\"v\":1,\"kind\":\"wor\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":1}", "$.kind"},
        {"{\"v\":1,\"kind\":\"work\",\"org\":\"\",\"adapter\":\"pco\",\"gen\":1}", "$.org"},
        {"{\"v\":1,\"kind\":\"work\",\"org\":7,\"adapter\":\"pco\",\"gen\":1}", "org"},
        {"{\"v\":1,\"kind\":\"work\",\"org\":\"o\",\"gen\":1}", "adapter"},
        {"{\"v\":1,\"kind\":\"work\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":0}", "gen"},
        {"{\"v\":1,\"kind\":\"work\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":1.5}", "gen"},
        {"{\"v\":1,\"kind\":\"work\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":1,\"run\":4}", "member 5"},
        {"{\"v\":1,\"kind\":\"work\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":1,\"secret-name\":4}", "member 5"},
        {"{\"v\":1,\"kind\":\"work\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":1,\"v kind\":4}", "member 5"},
        {"{\"v\":1,\"kind\":\"phase\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":1,\"run\":4,\"type\":\"\",\"seq\":1}", "$.type"},
        {"{\"v\":1,\"kind\":\"phase\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":1,\"run\":4,\"type\":\"P\"}", "seq"},
        {"{\"v\":1,\"kind\":\"work\",\"org\":\"o\",\"adapter\":\"pco\",\"gen\":1} x", ""},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct of_task_msg out = {.kind = OF_TASK_WORK};
        struct of_err err = OF_ERR_INIT;
        enum of_code code = of_task_decode(rows[i].text, strlen(rows[i].text), &out, &err);
        if (code != OF_E_PARSE || strstr(err.msg, rows[i].words) == NULL || strstr(err.msg, "secret") != NULL) {
            fail_msg("row %zu: code %d, \"%s\"", i, (int)code, err.msg);
        }
        assert_null(out.org);
    }
}

static void test_limits(void **state)
{
    (void)state;
    char org[OF_TASK_ORG_MAX + 2], adapter[] = "pco";
    memset(org, 'x', sizeof org);
    for (size_t len = OF_TASK_ORG_MAX; len <= OF_TASK_ORG_MAX + 1; len++) {
        org[len] = '\0';
        struct of_buf b = OF_BUF_INIT(OF_TASK_MAX_BYTES);
        struct of_task_msg in = {.kind = OF_TASK_WORK, .org = org, .adapter = adapter, .generation = 1};
        struct of_task_msg out = {.kind = OF_TASK_WORK};
        struct of_err err = OF_ERR_INIT;
        of_task_encode(&in, &b);
        enum of_code code = of_task_decode(b.data, b.len, &out, &err);
        assert_int_equal(code == OF_OK, len == OF_TASK_ORG_MAX);
        of_task_msg_done(&out);
        of_buf_done(&b);
        org[len] = 'x';
    }
    struct of_buf big = OF_BUF_INIT(OF_TASK_MAX_BYTES * 2);
    of_buf_str(&big, "{\"v\":1,");
    while (big.len <= OF_TASK_MAX_BYTES) {
        of_buf_str(&big, "                ");
    }
    struct of_task_msg out = {.kind = OF_TASK_WORK};
    struct of_err err = OF_ERR_INIT;
    assert_int_not_equal(of_task_decode(big.data, big.len, &out, &err), OF_OK);
    of_buf_done(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/task/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_same(const struct of_change *a, const struct of_change *b)
{
    assert_string_equal(a->org, b->org);
    assert_string_equal(a->table, b->table);
    assert_string_equal(a->id, b->id);
    assert_int_equal(a->op, b->op);
    assert_true(a->xid == b->xid && a->sys == b->sys && a->timeline == b->timeline && a->lsn == b->lsn);
    assert_true(a->at_us == b->at_us && a->n == b->n);
}

/* Memory of exactly len bytes: a sanitizer sees what is read beyond it. */
static enum of_code decode(const char *text, size_t len, struct of_change *ret, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *copy = of_alloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    return of_change_decode(copy, len, ret, err);
}

static void round_trip(const struct of_change *in, const char *expected)
{
    struct of_buf b = OF_BUF_INIT(OF_CHANGE_MAX_BYTES);
    struct of_err err = OF_ERR_INIT;
    of_change_encode(in, &b);
    assert_string_equal(of_buf_text(&b), expected);
    assert_int_equal(b.len, strlen(expected));
    struct of_change out = {.op = 'i'};
    assert_int_equal(decode(b.data, b.len, &out, &err), OF_OK);
    assert_same(in, &out);
    of_change_done(&out);
    of_change_done(&out);
    of_buf_done(&b);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct of_change c = {.org = "church", .table = "openfaith_people", .id = "person_01h2", .op = 'u', .xid = 7301,
                          .sys = 7300123, .timeline = 1, .lsn = 0x16B3748, .at_us = INT64_C(1700000000000000), .n = 3};
    round_trip(&c, "{\"v\":1,\"org\":\"church\",\"table\":\"openfaith_people\",\"id\":\"person_01h2\",\"op\":\"u\","
                   "\"xid\":\"7301\",\"sys\":\"7300123\",\"tl\":1,\"lsn\":\"0/16B3748\",\"at\":1700000000000000,\"n\":3}");
    struct of_change most = {.org = "o", .table = "t", .id = "a|b|c", .op = 'd', .xid = UINT64_MAX, .sys = UINT64_MAX,
                             .timeline = UINT32_MAX, .lsn = UINT64_MAX, .at_us = 9007199254740991, .n = 9007199254740991};
    round_trip(&most, "{\"v\":1,\"org\":\"o\",\"table\":\"t\",\"id\":\"a|b|c\",\"op\":\"d\",\"xid\":\"18446744073709551615\","
                      "\"sys\":\"18446744073709551615\",\"tl\":4294967295,\"lsn\":\"FFFFFFFF/FFFFFFFF\","
                      "\"at\":9007199254740991,\"n\":9007199254740991}");
    struct of_change none = {.org = "\xc3\xa9 \"x\" \\ \n", .table = "t\x01", .id = "", .op = 't', .lsn = UINT64_C(0xA000000000)};
    round_trip(&none, "{\"v\":1,\"org\":\"\xc3\xa9 \\\"x\\\" \\\\ \\n\",\"table\":\"t\\u0001\",\"id\":\"\",\"op\":\"t\","
                      "\"xid\":\"0\",\"sys\":\"0\",\"tl\":0,\"lsn\":\"A0/0\",\"at\":0,\"n\":0}");
}

/* What it appends to, and a buffer that is too small. */
static void test_append(void **state)
{
    (void)state;
    struct of_change c = {.org = "church", .table = "t", .id = "x", .op = 'r'};
    struct of_buf b = OF_BUF_INIT(OF_CHANGE_MAX_BYTES);
    of_buf_str(&b, "before ");
    of_change_encode(&c, &b);
    assert_memory_equal(b.data, "before {\"v\":1,", 14);
    assert_int_equal(strlen(b.data), b.len);
    struct of_buf small = OF_BUF_INIT(b.len - 8);
    of_change_encode(&c, &small);
    assert_true(small.bad);
    struct of_buf fits = OF_BUF_INIT(b.len - 7);
    of_change_encode(&c, &fits);
    assert_false(fits.bad);
    assert_string_equal(fits.data, b.data + 7);
    of_buf_done(&b);
    of_buf_done(&small);
    of_buf_done(&fits);
}

#define REST ",\"xid\":\"1\",\"sys\":\"2\",\"tl\":3,\"lsn\":\"0/4\",\"at\":5,\"n\":6}"
#define GOOD "{\"v\":1,\"org\":\"o\",\"table\":\"t\",\"id\":\"i\",\"op\":\"u\"" REST

/* Valid, but not as we write it. */
static void test_other_spellings(void **state)
{
    (void)state;
    static const char *texts[] = {
        GOOD,
        " " GOOD "\n",
        ("{\"n\":6,\"at\":5.0,\"lsn\":\"0\\/4\",\"tl\":3,\"sys\":\"\\u0032\",\"xid\":\"1\",\"op\":\"u\",\"id\":\"i\",\"table\":\"t\","
        "\"org\":\"\\u006f\",\"v\":1}"),
    };
    struct of_change want = {.org = "o", .table = "t", .id = "i", .op = 'u', .xid = 1, .sys = 2, .timeline = 3, .lsn = 4,
                             .at_us = 5, .n = 6};
    for (size_t i = 0; i < OF_ARRAY_LEN(texts); i++) {
        struct of_change out = {.op = 'i'};
        struct of_err err = OF_ERR_INIT;
        if (decode(texts[i], strlen(texts[i]), &out, &err) != OF_OK) {
            fail_msg("text %zu: %s", i, err.msg);
        }
        assert_same(&want, &out);
        of_change_done(&out);
    }
}

static void refuse(const char *text, size_t len, const char *words)
{
    struct of_change out = {.op = 'i'};
    struct of_err err = OF_ERR_INIT;
    enum of_code code = decode(text, len, &out, &err);
    if ((code != OF_E_PARSE && code != OF_E_TOO_LARGE) || strstr(err.msg, words) == NULL || strstr(err.msg, "secret") != NULL) {
        fail_msg("%.*s: code %d, \"%s\"", (int)len, text, (int)code, err.msg);
    }
    assert_null(out.text);
    assert_int_equal(out.op, 'i');
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from; /* in GOOD, becomes `to` */
        const char *to;
        const char *words; /* stand in the error */
    } rows[] = {
        {"\"v\":1", "\"v\":2", "v"},
        {"\"v\":1,", "", "v"},
        {"\"o\"", "\"\"", "$.org: empty"},
        {"\"o\"", "7", "org"},
        {"\"o\"", "null", "org"},
        {"\"t\"", "\"\"", "$.table: empty"},
        {"\"id\":\"i\"", "\"id\":\"\"", "$.id: empty"},
        {"\"op\":\"u\"", "\"op\":\"t\"", "$.id: expected to be empty"},
        {"\"op\":\"u\"", "\"op\":\"secret\"", "$.op"},
        {"\"op\":\"u\"", "\"op\":\"\"", "$.op"},
        {"\"op\":\"u\"", "\"op\":\"U\"", "$.op"},
        {"\"xid\":\"1\"", "\"xid\":\"\"", "$.xid"},
        {"\"xid\":\"1\"", "\"xid\":\"01\"", "$.xid"},
        {"\"xid\":\"1\"", "\"xid\":\"-1\"", "$.xid"},
        {"\"xid\":\"1\"", "\"xid\":\"1 \"", "$.xid"},
        {"\"xid\":\"1\"", "\"xid\":\"18446744073709551616\"", "$.xid"},
        {"\"xid\":\"1\"", "\"xid\":1", "xid"},
        {"\"sys\":\"2\"", "\"sys\":\"0x2\"", "$.sys"},
        {"\"tl\":3", "\"tl\":-1", "tl"},
        {"\"tl\":3", "\"tl\":4294967296", "$.tl"},
        {"\"tl\":3", "\"tl\":03", "JSON"},
        {"\"lsn\":\"0/4\"", "\"lsn\":\"04\"", "$.lsn"},
        {"\"lsn\":\"0/4\"", "\"lsn\":\"0/a\"", "$.lsn"},
        {"\"lsn\":\"0/4\"", "\"lsn\":\"0/04\"", "$.lsn"},
        {"\"lsn\":\"0/4\"", "\"lsn\":\"0/\"", "$.lsn"},
        {"\"lsn\":\"0/4\"", "\"lsn\":\"/4\"", "$.lsn"},
        {"\"lsn\":\"0/4\"", "\"lsn\":\"0/123456789\"", "$.lsn"},
        {"\"lsn\":\"0/4\"", "\"lsn\":\"0/4/\"", "$.lsn"},
        {"\"at\":5", "\"at\":-5", "at"},
        {"\"at\":5", "\"at\":5.5", "at"},
        {"\"at\":5", "\"at\":9007199254740992", "at"},
        {"\"n\":6", "\"n\":\"6\"", "n"},
        {"\"n\":6", "\"n\":6,\"secret\":1", "a member is not known"},
        {"\"n\":6", "\"n\":6,\"n\":6", "JSON"},
        {"\"n\":6", "\"m\":6", "n"},
        {"\"n\":6}", "\"n\":6} x", "JSON"},
        {"\"n\":6}", "\"n\":6}}", "JSON"},
        {"\"o\"", "\"secret\xff\"", "JSON"},
        {"\"o\"", "\"secret\\u0000\"", "JSON"},
        {"\"o\"", "\"secret\n\"", "JSON"},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct of_buf b = OF_BUF_INIT(4096);
        const char *at = strstr(GOOD, rows[i].from);
        assert_non_null(at);
        of_buf_mem(&b, GOOD, (size_t)(at - GOOD));
        of_buf_str(&b, rows[i].to);
        of_buf_str(&b, at + strlen(rows[i].from));
        refuse(b.data, b.len, rows[i].words);
        of_buf_done(&b);
    }
    for (size_t len = 0; len < strlen(GOOD); len++) {
        refuse(GOOD, len, "");
    }
    refuse("[]", 2, "$: expected object");
}

static void test_limits(void **state)
{
    (void)state;
    char text[OF_CHANGE_ID_MAX + 2];
    memset(text, 'x', sizeof text);
    static const size_t max[] = {OF_CHANGE_ORG_MAX, OF_CHANGE_TABLE_MAX, OF_CHANGE_ID_MAX};
    for (size_t which = 0; which < 3; which++) {
        for (size_t len = max[which]; len <= max[which] + 1; len++) {
            struct of_change in = {.org = "o", .table = "t", .id = "i", .op = 'i'}, out = {.op = 'i'};
            struct of_err err = OF_ERR_INIT;
            struct of_buf b = OF_BUF_INIT(OF_CHANGE_MAX_BYTES);
            const char **texts[] = {&in.org, &in.table, &in.id};
            text[len] = '\0';
            *texts[which] = text;
            of_change_encode(&in, &b);
            text[len] = 'x';
            assert_int_equal(decode(b.data, b.len, &out, &err), len == max[which] ? OF_OK : OF_E_TOO_LARGE);
            of_change_done(&out);
            of_buf_done(&b);
        }
    }
    struct of_buf blanks = OF_BUF_INIT(OF_CHANGE_MAX_BYTES * 2);
    of_buf_str(&blanks, GOOD);
    while (blanks.len <= OF_CHANGE_MAX_BYTES) {
        of_buf_char(&blanks, ' ');
    }
    refuse(blanks.data, blanks.len, "");
    of_buf_done(&blanks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_append), cmocka_unit_test(test_other_spellings),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

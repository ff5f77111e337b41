/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of parameters, and the table of SQLSTATEs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/pg/pg_int.h"

static void check_arr(const struct of_pgarr *arr, uint32_t oid, const char *bytes, size_t len)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    struct of_pgparams p;
    struct of_err err = OF_ERR_INIT;
    of_pg_arg_array(&args, arr);
    assert_int_equal(of_pgparams_make(&args, &p, &err), OF_OK);
    assert_int_equal(p.n, 1);
    assert_int_equal(p.types[0], oid);
    assert_int_equal(p.formats[0], 1);
    assert_int_equal(p.lengths[0], len);
    assert_memory_equal(p.values[0], bytes, len);
}

#define CHECK_ARR(arr, oid, bytes) check_arr(arr, oid, bytes, sizeof(bytes) - 1)

static void test_array_text(void **state)
{
    (void)state;
    struct of_pgarr *a = of_pgarr_new(OF_PG_TEXT);
    CHECK_ARR(a, 1009, "\0\0\0\0\0\0\0\0\0\0\0\x19");
    of_pgarr_text(a, "ab");
    CHECK_ARR(a, 1009, "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0\2" "ab");
    of_pgarr_text(a, NULL);
    of_pgarr_text(a, "");
    CHECK_ARR(a, 1009, "\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\3\0\0\0\1\0\0\0\2" "ab" "\xff\xff\xff\xff" "\0\0\0\0");
    assert_int_equal(of_pgarr_len(a), 3);
    of_pgarr_clear(a);
    CHECK_ARR(a, 1009, "\0\0\0\0\0\0\0\0\0\0\0\x19");
    of_pgarr_free(a);
}

static void test_array_scalars(void **state)
{
    (void)state;
    struct of_pgarr *a = of_pgarr_new(OF_PG_INT8);
    of_pgarr_int8(a, -2);
    CHECK_ARR(a, 1016, "\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\1\0\0\0\1\0\0\0\x8" "\xff\xff\xff\xff\xff\xff\xff\xfe");
    of_pgarr_free(a);
    a = of_pgarr_new(OF_PG_BOOL);
    of_pgarr_bool(a, true);
    of_pgarr_bool(a, false);
    CHECK_ARR(a, 1000, "\0\0\0\1\0\0\0\0\0\0\0\x10\0\0\0\2\0\0\0\1\0\0\0\1\1\0\0\0\1\0");
    of_pgarr_free(a);
    a = of_pgarr_new(OF_PG_JSONB);
    of_pgarr_text(a, "[]");
    of_pgarr_text(a, NULL);
    CHECK_ARR(a, 3807, "\0\0\0\1\0\0\0\1\0\0\x0e\xda\0\0\0\2\0\0\0\1\0\0\0\3\1[]\xff\xff\xff\xff");
    of_pgarr_free(a);
    a = of_pgarr_new(OF_PG_TIMESTAMPTZ);
    of_pgarr_int8(a, INT64_C(946684800000001));
    CHECK_ARR(a, 1185, "\0\0\0\1\0\0\0\0\0\0\x04\xa0\0\0\0\1\0\0\0\1\0\0\0\x8\0\0\0\0\0\0\0\1");
    of_pgarr_free(a);
    a = of_pgarr_new(OF_PG_FLOAT8);
    of_pgarr_float8(a, 1.5);
    CHECK_ARR(a, 1022, "\0\0\0\1\0\0\0\0\0\0\x02\xbd\0\0\0\1\0\0\0\1\0\0\0\x8\x3f\xf8\0\0\0\0\0\0");
    of_pgarr_free(a);
    a = of_pgarr_new(OF_PG_BYTEA);
    of_pgarr_mem(a, "\0\1", 2);
    CHECK_ARR(a, 1001, "\0\0\0\1\0\0\0\0\0\0\0\x11\0\0\0\1\0\0\0\1\0\0\0\2\0\1");
    of_pgarr_free(a);
}

static void test_array_too_large(void **state)
{
    (void)state;
    struct of_pgarr *a = of_pgarr_new(OF_PG_TEXT);
    struct of_pgargs args = OF_PGARGS_INIT;
    struct of_pgparams p;
    struct of_err err = OF_ERR_INIT;
    of_pgarr_mem(a, "x", (size_t)1 << 40); /* refused before a byte is read */
    of_pgarr_text(a, "y");
    of_pg_arg_array(&args, a);
    assert_int_equal(of_pgparams_make(&args, &p, &err), OF_E_TOO_LARGE);
    of_pgarr_clear(a);
    assert_int_equal(of_pgparams_make(&args, &p, &err), OF_OK);
    of_pgarr_free(a);
}

static void test_args(void **state)
{
    (void)state;
    struct of_pgargs args = OF_PGARGS_INIT;
    struct of_pgparams p;
    struct of_err err = OF_ERR_INIT;
    of_pg_arg_text(&args, "é");
    of_pg_arg_text(&args, NULL);
    of_pg_arg_int8(&args, 258);
    of_pg_arg_bool(&args, true);
    of_pg_arg_jsonb(&args, "{}");
    of_pg_arg_time(&args, 0);
    of_pg_arg_bytes(&args, "\0b", 2);
    of_pg_arg_null(&args, OF_PG_INT8);
    of_pg_arg_float8(&args, -0.0);
    assert_int_equal(of_pgparams_make(&args, &p, &err), OF_OK);
    assert_int_equal(p.n, 9);
    static const uint32_t types[] = {25, 25, 20, 16, 3802, 1184, 17, 20, 701};
    for (int i = 0; i < p.n; i++) {
        assert_int_equal(p.types[i], types[i]);
    }
    assert_string_equal(p.values[0], "é");
    assert_int_equal(p.formats[0], 0);
    assert_null(p.values[1]);
    assert_memory_equal(p.values[2], "\0\0\0\0\0\0\1\2", 8);
    assert_memory_equal(p.values[3], "\1", 1);
    assert_int_equal(p.lengths[3], 1);
    assert_string_equal(p.values[4], "{}");
    assert_int_equal(p.formats[4], 0);
    assert_memory_equal(p.values[5], "\xff\xfc\xa2\xfe\xc4\xc8\x20\x00", 8);
    assert_int_equal(p.lengths[6], 2);
    assert_memory_equal(p.values[6], "\0b", 2);
    assert_null(p.values[7]);
    assert_memory_equal(p.values[8], "\x80\0\0\0\0\0\0\0", 8);
    assert_int_equal(of_pgparams_make(NULL, &p, &err), OF_OK);
    assert_int_equal(p.n, 0);
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum of_code code;
        enum of_class cls;
    } rows[] = {
        {NULL, OF_E_DB, OF_CLASS_RETRY},           {"", OF_E_DB, OF_CLASS_RETRY},
        {"40001", OF_E_DB, OF_CLASS_RETRY},        {"40P01", OF_E_DB, OF_CLASS_RETRY},
        {"40003", OF_E_DB, OF_CLASS_RETRY},        {"55P03", OF_E_DB, OF_CLASS_RETRY},
        {"57014", OF_E_DB, OF_CLASS_RETRY},        {"57P01", OF_E_DB, OF_CLASS_RETRY},
        {"08006", OF_E_DB, OF_CLASS_RETRY},        {"25006", OF_E_DB, OF_CLASS_RETRY},
        {"25P03", OF_E_DB, OF_CLASS_RETRY},        {"26000", OF_E_DB, OF_CLASS_RETRY},
        {"53300", OF_E_DB, OF_CLASS_RETRY},        {"53100", OF_E_DB, OF_CLASS_SYSTEMIC},
        {"21000", OF_E_DB_DATA, OF_CLASS_PERMANENT}, {"22021", OF_E_DB_DATA, OF_CLASS_PERMANENT},
        {"23505", OF_E_DB_DATA, OF_CLASS_PERMANENT}, {"44000", OF_E_DB_DATA, OF_CLASS_PERMANENT},
        {"54000", OF_E_DB_DATA, OF_CLASS_PERMANENT}, {"P0001", OF_E_DB_DATA, OF_CLASS_PERMANENT},
        {"42703", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC}, {"42501", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC},
        {"0A000", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC}, {"28000", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC},
        {"3D000", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC}, {"3F000", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC},
        {"XX000", OF_E_DB, OF_CLASS_RETRY},        {"XX001", OF_E_DB, OF_CLASS_SYSTEMIC},
        {"XX002", OF_E_DB, OF_CLASS_SYSTEMIC},     {"ZZZZZ", OF_E_DB, OF_CLASS_RETRY},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct of_pgclass c = of_pg_classify(rows[i].sqlstate);
        if (c.code != rows[i].code || c.cls != rows[i].cls) {
            fail_msg("%s: %s, %s", rows[i].sqlstate, of_code_name(c.code), of_class_name(c.cls));
        }
    }
    assert_true(of_pg_message_is_private("22P02"));
    assert_true(of_pg_message_is_private("23505"));
    assert_true(of_pg_message_is_private("P0001"));
    assert_false(of_pg_message_is_private("42703"));
}

static void test_stmts(void **state)
{
    (void)state;
    struct of_pgstmts s = {.v = NULL};
    for (int i = 0; i < 500; i++) {
        char *name = of_asprintf("statement_%d", i);
        struct of_pgstmt *st = of_pgstmts_find(&s, name);
        assert_null(st->name);
        st->name = name;
        s.used++;
    }
    for (int i = 0; i < 500; i++) {
        OF_CLEANUP(of_freep) char *name = of_asprintf("statement_%d", i);
        assert_string_equal(of_pgstmts_find(&s, name)->name, name);
    }
    assert_null(of_pgstmts_find(&s, "other")->name);
    of_pgstmts_done(&s);
}

static void test_bad_url(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgresql://user:sec/ret@127.0.0.1:1/db", "postgresql://user:sec@ret@127.0.0.1:1/db", "postgresql://%zz",
        "postgresql://user:secret@127.0.0.1:1/db?nonsense=secret",
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(urls); i++) {
        struct of_pg *db = NULL;
        struct of_err err = OF_ERR_INIT;
        assert_int_equal(of_pg_connect(urls[i], "test", &db, &err), OF_E_CONFIG);
        assert_null(strstr(err.msg, "sec"));
        assert_null(db);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array_text), cmocka_unit_test(test_array_scalars),
        cmocka_unit_test(test_array_too_large), cmocka_unit_test(test_args),
        cmocka_unit_test(test_classes), cmocka_unit_test(test_stmts), cmocka_unit_test(test_bad_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

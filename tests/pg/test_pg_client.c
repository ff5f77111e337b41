/* SPDX-License-Identifier: Apache-2.0 */
/* common/pg against a real server: OF_TEST_DATABASE_URL (a scratch database; the schema of_pg_test is made and dropped). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "common/pg/pg.h"
#include "common/time/time.h"

static const char *url;

#define SQL(id, text_, n) static const struct of_sql id = {#id, text_, n}

static struct of_pg *open_db(void)
{
    struct of_pg *db = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_pg_connect(url, "test-pg", &db, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    return db;
}

static void script(struct of_pg *db, const char *text)
{
    struct of_err err = OF_ERR_INIT;
    if (of_pg_script(db, text, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
}

static struct of_pgres *run(struct of_pg *db, const struct of_sql *sql, const struct of_pgargs *args)
{
    struct of_pgres *res = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_pg_run(db, sql, args, &res, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    return res;
}

static int setup(void **state)
{
    struct of_pg *db = open_db();
    script(db, "DROP SCHEMA IF EXISTS of_pg_test CASCADE; CREATE SCHEMA of_pg_test;"
               "CREATE TABLE of_pg_test.t (id bigint PRIMARY KEY, name text CHECK (name <> 'bad'), data jsonb)");
    *state = db;
    return 0;
}

static int teardown(void **state)
{
    struct of_pg *db = *state;
    script(db, "DROP SCHEMA of_pg_test CASCADE");
    of_pg_free(db);
    return 0;
}

static void test_scalars(void **state)
{
    SQL(scalars, "SELECT $1, $2, $3, $4->>'a', $5, encode($6, 'hex'), $7, $8::text, $9, pg_typeof($4)::text,"
                 " 'infinity'::timestamptz, '2026-11-22 10:00:00.5+02'::timestamptz", 9);
    struct of_pgargs a = OF_PGARGS_INIT;
    of_pg_arg_text(&a, "Zoë \"'\\");
    of_pg_arg_int8(&a, INT64_MIN);
    of_pg_arg_bool(&a, true);
    of_pg_arg_jsonb(&a, "{\"a\": \"ü\"}");
    of_pg_arg_time(&a, INT64_C(1795341600123456));
    of_pg_arg_bytes(&a, "\0\xff", 2);
    of_pg_arg_null(&a, OF_PG_TEXT);
    of_pg_arg_float8(&a, 0.1);
    of_pg_arg_null(&a, OF_PG_BOOL);
    for (int i = 0; i < 3; i++) {
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = run(*state, &scalars, &a);
        assert_int_equal(of_pgres_rows(res), 1);
        assert_string_equal(of_pgres_text(res, 0, 0), "Zoë \"'\\");
        assert_int_equal(of_pgres_len(res, 0, 0), strlen("Zoë \"'\\"));
        assert_true(of_pgres_i64(res, 0, 1) == INT64_MIN);
        assert_true(of_pgres_bool(res, 0, 2));
        assert_string_equal(of_pgres_text(res, 0, 3), "ü");
        assert_true(of_pgres_time(res, 0, 4) == INT64_C(1795341600123456));
        assert_string_equal(of_pgres_text(res, 0, 5), "00ff");
        assert_null(of_pgres_text_null(res, 0, 6));
        assert_string_equal(of_pgres_text(res, 0, 6), "");
        assert_true(of_pgres_is_null(res, 0, 6));
        assert_int_equal(of_pgres_i64(res, 0, 8), 0);
        assert_string_equal(of_pgres_text(res, 0, 7), "0.1");
        assert_string_equal(of_pgres_text(res, 0, 9), "jsonb");
        assert_true(of_pgres_time(res, 0, 10) == INT64_MAX);
        assert_true(of_pgres_time(res, 0, 11) == INT64_C(1795334400500000));
    }
}

static void test_arrays(void **state)
{
    SQL(arrays, "SELECT t.a, t.b, t.c->>'k', t.d, (extract(epoch FROM t.e) * 1000000)::bigint, t.f, encode(t.g, 'hex')"
                " FROM unnest($1, $2, $3, $4, $5, $6, $7) WITH ORDINALITY AS t (a, b, c, d, e, f, g, n) ORDER BY n", 7);
    static const enum of_pgtype types[] = {OF_PG_TEXT, OF_PG_INT8,        OF_PG_JSONB, OF_PG_BOOL,
                                           OF_PG_TIMESTAMPTZ, OF_PG_FLOAT8, OF_PG_BYTEA};
    struct of_pgarr *arr[7];
    for (int i = 0; i < 7; i++) {
        arr[i] = of_pgarr_new(types[i]);
    }
    for (int round = 0; round < 3; round++) {
        struct of_pgargs a = OF_PGARGS_INIT;
        int n = round == 0 ? 0 : round * 1000;
        for (int i = 0; i < 7; i++) {
            of_pgarr_clear(arr[i]);
            of_pg_arg_array(&a, arr[i]);
        }
        for (int i = 0; i < n; i++) {
            char text[64];
            snprintf(text, sizeof(text), "{\"k\": \"v%d\"}", i);
            of_pgarr_text(arr[0], i % 3 ? text : NULL);
            of_pgarr_int8(arr[1], i * INT64_C(10000000000));
            of_pgarr_text(arr[2], i % 5 ? text : NULL);
            of_pgarr_bool(arr[3], i % 2);
            of_pgarr_int8(arr[4], i * INT64_C(1000001));
            of_pgarr_float8(arr[5], i * 0.5);
            of_pgarr_mem(arr[6], "\0\1", (size_t)(i % 3));
        }
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = run(*state, &arrays, &a);
        assert_int_equal(of_pgres_rows(res), n);
        for (int i = 0; i < n; i++) {
            char text[64];
            snprintf(text, sizeof(text), "v%d", i);
            assert_int_equal(of_pgres_is_null(res, i, 0), i % 3 == 0);
            assert_true(of_pgres_i64(res, i, 1) == i * INT64_C(10000000000));
            assert_string_equal(of_pgres_text(res, i, 2), i % 5 ? text : "");
            assert_int_equal(of_pgres_bool(res, i, 3), i % 2);
            assert_true(of_pgres_time(res, i, 4) == i * INT64_C(1000001));
            assert_int_equal(of_pgres_len(res, i, 6), 2 * (i % 3));
        }
    }
    for (int i = 0; i < 7; i++) {
        of_pgarr_free(arr[i]);
    }
}

SQL(insert_t, "INSERT INTO of_pg_test.t (id, name) SELECT i, $2 FROM unnest($1) AS u (i)", 2);

static enum of_code insert(struct of_pg *db, int64_t id, int n, const char *name, int64_t *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_INT8);
    struct of_pgargs a = OF_PGARGS_INIT;
    for (int i = 0; i < n; i++) {
        of_pgarr_int8(ids, id + i);
    }
    of_pg_arg_array(&a, ids);
    of_pg_arg_text(&a, name);
    *err = OF_ERR_INIT;
    return of_pg_run_count(db, &insert_t, &a, ret, err);
}

static void test_errors(void **state)
{
    struct of_pg *db = *state;
    struct of_err err;
    int64_t n = -1;
    assert_int_equal(insert(db, 1, 5, "secret", &n, &err), OF_OK);
    assert_int_equal(n, 5);
    assert_int_equal(insert(db, 5, 1, "secret", &n, &err), OF_E_DB_DATA);
    assert_string_equal(err.sqlstate, "23505");
    assert_int_equal(err.cls, OF_CLASS_PERMANENT);
    assert_string_equal(err.msg, "insert_t: constraint t_pkey (23505)");
    assert_int_equal(insert(db, 6, 1, "bad", &n, &err), OF_E_DB_DATA);
    assert_string_equal(err.sqlstate, "23514");
    assert_int_equal(insert(db, 6, 1, "\xff secret", &n, &err), OF_E_DB_DATA);
    assert_string_equal(err.msg, "insert_t: SQLSTATE 22021");
    SQL(no_column, "SELECT nosuch FROM of_pg_test.t", 0);
    assert_int_equal(of_pg_run(db, &no_column, NULL, NULL, &err), OF_E_DB_SCHEMA);
    assert_int_equal(err.cls, OF_CLASS_SYSTEMIC);
    assert_non_null(strstr(err.msg, "nosuch"));
    SQL(cast, "SELECT $1::bigint", 1);
    struct of_pgargs a = OF_PGARGS_INIT;
    of_pg_arg_text(&a, "secret");
    assert_int_equal(of_pg_run(db, &cast, &a, NULL, &err), OF_E_DB_DATA);
    assert_null(strstr(err.msg, "secret"));
    assert_int_equal(of_pg_run(db, &cast, NULL, NULL, &err), OF_E_BUG); /* number of parameters */
    a.n = 0;
    of_pg_arg_int8(&a, 1);
    assert_int_equal(of_pg_run(db, &cast, &a, NULL, &err), OF_E_BUG); /* another type than before */
    static const struct of_sql twin = {"cast", "SELECT 1 + $1::bigint", 1};
    assert_int_equal(of_pg_run(db, &twin, &a, NULL, &err), OF_E_BUG);
    assert_int_equal(of_pg_script(db, "SELECT 1; SELECT 1/0; SELECT 2", &err), OF_E_DB_DATA);
    assert_string_equal(err.sqlstate, "22012");
    assert_false(of_pg_is_broken(db));
}

static void test_transactions(void **state)
{
    struct of_pg *db = *state;
    struct of_err err = OF_ERR_INIT;
    int64_t n = 0;
    SQL(count_t, "SELECT count(*) FROM of_pg_test.t WHERE id >= 100", 0);
    assert_int_equal(of_pg_begin(db, &err), OF_OK);
    assert_int_equal(insert(db, 100, 1, "a", &n, &err), OF_OK);
    assert_int_equal(of_pg_commit(db, &err), OF_OK);
    assert_int_equal(of_pg_begin(db, &err), OF_OK);
    assert_int_equal(insert(db, 101, 1, "a", &n, &err), OF_OK);
    of_pg_rollback(db);
    of_pg_rollback(db);
    assert_int_equal(of_pg_begin(db, &err), OF_OK);
    assert_int_equal(insert(db, 102, 1, "a", &n, &err), OF_OK);
    assert_int_equal(insert(db, 102, 1, "a", &n, &err), OF_E_DB_DATA);
    assert_int_equal(of_pg_commit(db, &err), OF_E_DB); /* Postgres says ROLLBACK, without an error */
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = run(db, &count_t, NULL);
    assert_int_equal(of_pgres_i64(res, 0, 0), 1);
}

static void test_changed_table(void **state)
{
    struct of_pg *db = *state;
    struct of_err err = OF_ERR_INIT;
    SQL(all_t, "SELECT * FROM of_pg_test.t LIMIT 1", 0);
    of_pgres_free(run(db, &all_t, NULL));
    script(db, "ALTER TABLE of_pg_test.t ADD COLUMN more text");
    of_pgres_free(run(db, &all_t, NULL));
    script(db, "ALTER TABLE of_pg_test.t DROP COLUMN more");
    assert_int_equal(of_pg_begin(db, &err), OF_OK);
    assert_int_equal(of_pg_run(db, &all_t, NULL, NULL, &err), OF_E_DB_SCHEMA);
    assert_int_equal(err.cls, OF_CLASS_RETRY);
    of_pg_rollback(db);
    assert_int_equal(of_pg_begin(db, &err), OF_OK);
    of_pgres_free(run(db, &all_t, NULL));
    assert_int_equal(of_pg_commit(db, &err), OF_OK);
}

static void test_deadline(void **state)
{
    (void)state;
    struct of_pg *db = open_db();
    struct of_err err = OF_ERR_INIT;
    SQL(sleep_long, "SELECT pg_sleep(5)", 0);
    int64_t begin = of_mono_now().ms;
    of_pg_set_deadline(db, 200);
    assert_int_equal(of_pg_run(db, &sleep_long, NULL, NULL, &err), OF_E_DB);
    assert_in_range(of_mono_now().ms - begin, 190, 2000);
    assert_true(of_pg_is_broken(db));
    assert_int_equal(of_pg_run(db, &sleep_long, NULL, NULL, &err), OF_E_DB);
    of_pg_rollback(db);
    of_pg_free(db);
    db = open_db();
    script(db, "SET statement_timeout = 100");
    assert_int_equal(of_pg_run(db, &sleep_long, NULL, NULL, &err), OF_E_DB);
    assert_string_equal(err.sqlstate, "57014");
    assert_false(of_pg_is_broken(db));
    of_pg_free(db);
}

static void test_large(void **state)
{
    SQL(length, "SELECT length($1), $1", 1);
    size_t size = (size_t)32 * 1024 * 1024; /* more than the socket holds, both ways */
    char *text = of_alloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    struct of_pgargs a = OF_PGARGS_INIT;
    of_pg_arg_text(&a, text);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = run(*state, &length, &a);
    assert_int_equal(of_pgres_i64(res, 0, 0), size);
    assert_int_equal(of_pgres_len(res, 0, 1), size);
    free(text);
}

SQL(my_pid, "SELECT pg_backend_pid(), current_setting('of.test')", 0);
SQL(kill_pid, "SELECT pg_terminate_backend($1::int, 5000)", 1);

static void test_pool(void **state)
{
    struct of_pgpool *pool = of_pgpool_new(url, "test-pool", 2);
    struct of_err err = OF_ERR_INIT;
    struct of_pg *a = NULL, *b = NULL, *c = NULL;
    of_pgpool_set_setup(pool, "SET of.test = 'yes'");
    assert_int_equal(of_pgpool_get(pool, 0, &a, &err), OF_OK);
    assert_int_equal(of_pgpool_get(pool, 0, &b, &err), OF_OK);
    assert_int_equal(of_pgpool_get(pool, 50, &c, &err), OF_E_DB);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = run(a, &my_pid, NULL);
    assert_string_equal(of_pgres_text(res, 0, 1), "yes");
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, of_pgres_i64(res, 0, 0));
    assert_int_equal(of_pg_begin(b, &err), OF_OK);
    of_pgpool_put(pool, b); /* with an open transaction */
    assert_int_equal(of_pgpool_get(pool, 0, &b, &err), OF_OK);
    assert_int_equal(of_pg_begin(b, &err), OF_OK);
    of_pgpool_put(pool, b);
    of_pgpool_put(pool, a);
    of_pgres_free(run(*state, &kill_pid, &args)); /* while it is idle */
    assert_int_equal(of_pgpool_get(pool, 0, &a, &err), OF_OK);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res2 = run(a, &my_pid, NULL);
    assert_true(of_pgres_i64(res2, 0, 0) != of_pgres_i64(res, 0, 0));
    args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, of_pgres_i64(res2, 0, 0));
    of_pgres_free(run(*state, &kill_pid, &args)); /* while it is handed out */
    assert_int_equal(of_pg_run(a, &my_pid, NULL, NULL, &err), OF_E_DB);
    assert_int_equal(err.cls, OF_CLASS_RETRY);
    assert_true(of_pg_is_broken(a));
    of_pgpool_put(pool, a);
    of_pgpool_put(pool, NULL);
    of_pgpool_free(pool);
}

static void *pool_user(void *arg)
{
    struct of_pgpool *pool = arg;
    for (int i = 0; i < 20; i++) {
        struct of_pg *db = NULL;
        struct of_err err = OF_ERR_INIT;
        if (of_pgpool_get(pool, 10000, &db, &err) != OF_OK || of_pg_run(db, &my_pid, NULL, NULL, &err) != OF_OK) {
            return of_strdup(err.msg);
        }
        of_pgpool_put(pool, db);
    }
    return NULL;
}

static void test_pool_threads(void **state)
{
    (void)state;
    struct of_pgpool *pool = of_pgpool_new(url, "test-pool", 2);
    pthread_t threads[6];
    of_pgpool_set_setup(pool, "SET of.test = 'yes'");
    for (size_t i = 0; i < OF_ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, pool_user, pool), 0);
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(threads); i++) {
        void *text = NULL;
        pthread_join(threads[i], &text);
        assert_null(text);
    }
    of_pgpool_free(pool);
}

static void test_connect_fails(void **state)
{
    (void)state;
    struct of_pgpool *pool = of_pgpool_new("postgresql://user:secret@127.0.0.1:1/db", "test", 1);
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(of_pgpool_get(pool, 0, &db, &err), OF_E_DB);
        assert_null(strstr(err.msg, "secret"));
    }
    of_pgpool_free(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),       cmocka_unit_test(test_arrays),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_transactions),  cmocka_unit_test(test_changed_table), cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_large),         cmocka_unit_test(test_pool),         cmocka_unit_test(test_pool_threads),
        cmocka_unit_test(test_connect_fails),
    };
    url = getenv("OF_TEST_DATABASE_URL");
    if (!url) {
        printf("skipped: OF_TEST_DATABASE_URL is not set\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* common/migrate and common/token against a real server: OF_TEST_DATABASE_URL (a scratch database; schema sync and OpenFaith's
 * tables are made there and dropped). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "common/crypto/crypto.h"
#include "common/migrate/migrate.h"
#include "common/model/model.h"
#include "common/pg/pg.h"
#include "common/token/token.h"

static const char *url;

#define OK(expr)                                                                                                       \
    do {                                                                                                               \
        struct of_err err = OF_ERR_INIT;                                                                               \
        if ((expr) != OF_OK) {                                                                                         \
            fail_msg("%s: %s (%s)", #expr, err.msg, err.sqlstate);                                                     \
        }                                                                                                              \
    } while (0)

static struct of_pg *open_db(void)
{
    struct of_pg *db = NULL;
    OK(of_pg_connect(url, "test-sync", &db, &err));
    return db;
}

static void script(struct of_pg *db, const char *text)
{
    OK(of_pg_script(db, text, &err));
}

static int64_t number(struct of_pg *db, const char *name, const char *text)
{
    struct of_sql sql = {name, text, 0};
    struct of_pgres *res = NULL;
    OK(of_pg_run(db, &sql, NULL, &res, &err));
    int64_t v = of_pgres_i64(res, 0, 0);
    of_pgres_free(res);
    return v;
}

static void drop_all(struct of_pg *db)
{
    script(db, "DROP SCHEMA IF EXISTS sync CASCADE");
    script(db, "DO $$ DECLARE t text; BEGIN FOR t IN SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = "
               "c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname LIKE 'openfaith\\_%' LOOP EXECUTE "
               "format('DROP TABLE public.%I CASCADE', t); END LOOP; END $$");
}

static char *migrate(struct of_pg *db)
{
    char *text = NULL;
    OK(of_migrate(db, &text, &err));
    return text;
}

/* The problems, "" if there are none. */
static char *check(struct of_pg *db)
{
    char *problems = NULL;
    struct of_err err = OF_ERR_INIT;
    enum of_code code = of_migrate_check(db, &problems, &err);
    assert_true((code == OF_OK) == (problems == NULL));
    if (code != OF_OK) {
        assert_int_equal(code, OF_E_DB_SCHEMA);
    }
    return problems != NULL ? problems : of_strdup("");
}

static void expect_problem(struct of_pg *db, const char *words)
{
    char *problems = check(db);
    if (strstr(problems, words) == NULL) {
        fail_msg("\"%s\" is not among: %s", words, problems);
    }
    free(problems);
}

static void expect_good(struct of_pg *db)
{
    char *problems = check(db);
    assert_string_equal(problems, "");
    free(problems);
}

static void test_migrate(void **state)
{
    struct of_pg *db = *state;
    drop_all(db);
    expect_problem(db, "run openfaithctl migrate");
    expect_problem(db, "table \"openfaith_people\" is missing");
    char *text = migrate(db);
    assert_string_equal(text, "applied 0001_sync\napplied 0002_openfaith\napplied 0003_work_out\napplied 0004_relation_refs\n"
                              "applied 0005_work_sending\n");
    free(text);
    expect_good(db);
    text = migrate(db);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(number(db, "t_versions", "SELECT count(*) FROM sync.schema_version WHERE length(sha256) = 64"), 5);
    /* a fresh row has the model's defaults */
    script(db, "INSERT INTO public.\"openfaith_phoneNumbers\" (id, \"orgId\", \"createdAt\") VALUES ('p', 'o', now())");
    assert_int_equal(number(db, "t_defaults", "SELECT count(*) FROM public.\"openfaith_phoneNumbers\" WHERE _tag = 'phoneNumber' "
                                              "AND \"externalIds\" = '[]' AND \"customFields\" = '[]' AND tags = '[]' "
                                              "AND status = 'active' AND NOT \"primary\" AND type = 'default'"), 1);
}

static void test_check(void **state)
{
    struct of_pg *db = *state;
    script(db, "ALTER TABLE public.openfaith_people RENAME COLUMN \"firstName\" TO \"first\"");
    expect_problem(db, "column \"firstName\" of table \"openfaith_people\" is missing");
    script(db, "ALTER TABLE public.openfaith_people RENAME COLUMN \"first\" TO \"firstName\"");
    script(db, "ALTER TABLE public.openfaith_donations ALTER COLUMN \"amountCents\" TYPE text");
    expect_problem(db, "column \"amountCents\" of table \"openfaith_donations\" has type text");
    script(db, "ALTER TABLE public.openfaith_donations ALTER COLUMN \"amountCents\" TYPE bigint USING 0");
    script(db, "ALTER TABLE public.openfaith_edges ADD COLUMN \"weight\" int NOT NULL");
    expect_problem(db, "column \"weight\" of table \"openfaith_edges\" must be given");
    script(db, "ALTER TABLE public.openfaith_edges ALTER COLUMN \"weight\" SET DEFAULT 1");
    expect_good(db);
    script(db, "UPDATE sync.schema_version SET sha256 = 'x' WHERE version = 1");
    expect_problem(db, "0001_sync ran here in another form");
    char *text = NULL;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_migrate(db, &text, &err), OF_E_DB_SCHEMA);
    drop_all(db);
    free(migrate(db));
}

/* The first migration fails half-way: nothing of it stays. */
static void test_failed_migration(void **state)
{
    struct of_pg *db = *state;
    char *text = NULL;
    struct of_err err = OF_ERR_INIT;
    drop_all(db);
    script(db, "CREATE SCHEMA sync; CREATE TABLE sync.journal (x int)");
    assert_int_equal(of_migrate(db, &text, &err), OF_E_DB_SCHEMA);
    assert_non_null(strstr(err.msg, "0001_sync"));
    assert_int_equal(number(db, "t_half", "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                                          "WHERE n.nspname = 'sync' AND c.relname IN ('connection', 'run')"), 0);
    script(db, "DROP TABLE sync.journal");
    text = migrate(db);
    assert_non_null(strstr(text, "0001_sync"));
    free(text);
}

static void *migrate_thread(void *arg)
{
    struct of_pg *db = open_db();
    char *text = NULL;
    struct of_err err = OF_ERR_INIT;
    enum of_code *ret = arg;
    *ret = of_migrate(db, &text, &err);
    free(text);
    of_pg_free(db);
    return NULL;
}

static void test_concurrent(void **state)
{
    struct of_pg *db = *state;
    pthread_t threads[3];
    enum of_code codes[3];
    drop_all(db);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_thread, &codes[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(codes[i], OF_OK);
    }
    expect_good(db);
}

/* An existing table stays as it is, in spite of a column and an index that differ. */
static void test_existing_table(void **state)
{
    struct of_pg *db = *state;
    drop_all(db);
    script(db, "CREATE TABLE public.openfaith_people (id text PRIMARY KEY, mine int)");
    free(migrate(db));
    assert_int_equal(number(db, "t_columns", "SELECT count(*) FROM pg_attribute WHERE attrelid = "
                                             "'public.openfaith_people'::regclass AND attnum > 0"), 2);
    assert_int_equal(number(db, "t_indexes", "SELECT count(*) FROM pg_index WHERE indrelid = "
                                             "'public.openfaith_people'::regclass"), 1);
    expect_problem(db, "column \"lastName\" of table \"openfaith_people\" is missing");
    drop_all(db);
    free(migrate(db));
}

/* --- token --- */
#define PAT "{\"type\":\"pat\",\"app_id\":\"a\",\"secret\":\"s\"}"
#define OAUTH(n)                                                                                                       \
    "{\"type\":\"oauth\",\"client_id\":\"c\",\"refresh_token\":\"r" n "\",\"access_token\":\"a" n "\","                           \
    "\"expires_at\":1700000000}"

static struct of_keyring *ring_of(const char *lines)
{
    char path[] = "/tmp/of-test-ring-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
    close(fd);
    struct of_keyring *ring = NULL;
    OK(of_keyring_load(path, &ring, &err));
    unlink(path);
    return ring;
}

static struct of_token load(struct of_pg *db, const struct of_keyring *ring)
{
    struct of_token token = {.version = 0};
    OK(of_token_load(db, ring, "org", "pco", &token, &err));
    return token;
}

static bool begin(struct of_pg *db, int64_t version, const char *owner, int64_t lease_ms)
{
    bool got = false;
    OK(of_token_begin_refresh(db, "org", "pco", version, owner, lease_ms, &got, &err));
    return got;
}

static bool store(struct of_pg *db, const struct of_keyring *ring, int64_t version, const char *owner, const char *json)
{
    bool stored = false;
    OK(of_token_store(db, ring, "org", "pco", version, owner, json, &stored, &err));
    return stored;
}

static void test_token_refresh(void **state)
{
    struct of_pg *db = *state;
    char line[128];
    of_keyring_new_line(line, sizeof line);
    struct of_keyring *ring = ring_of(line);
    struct of_token token = {.version = 0};
    struct of_err none = OF_ERR_INIT;
    assert_int_equal(of_token_load(db, ring, "org", "pco", &token, &none), OF_E_NOT_FOUND);
    OK(of_token_put(db, ring, "org", "pco", OAUTH("1"), &err));
    token = load(db, ring);
    const int64_t v = token.version;
    assert_true(v > 1600000000000); /* never one that a row before it had */
    assert_true(token.is_oauth);
    assert_string_equal(token.json, OAUTH("1"));
    assert_null(token.prev_json);
    assert_int_equal(token.expires_at.us, 1700000000000000);
    of_token_done(&token);

    assert_false(begin(db, v + 1, "w1", 60000)); /* another version */
    assert_true(begin(db, v, "w1", 60000));
    assert_false(begin(db, v, "w2", 60000)); /* single flight */
    assert_false(begin(db, v, "w1", 60000));
    OK(of_token_fail(db, "org", "pco", v, "w2", &err)); /* not his */
    assert_false(begin(db, v, "w2", 60000));
    OK(of_token_fail(db, "org", "pco", v, "w1", &err));
    assert_true(begin(db, v, "w2", 0)); /* a lease that is over at once */
    assert_true(begin(db, v, "w3", 60000));
    assert_false(store(db, ring, v, "w2", OAUTH("2"))); /* fenced */
    assert_true(store(db, ring, v, "w3", OAUTH("3")));
    assert_false(store(db, ring, v, "w3", OAUTH("3")));
    token = load(db, ring);
    assert_int_equal(token.version, v + 1);
    assert_string_equal(token.json, OAUTH("3"));
    assert_string_equal(token.prev_json, OAUTH("1"));
    of_token_done(&token);
    OK(of_token_mark_used(db, "org", "pco", v, &err)); /* an old version says nothing */
    token = load(db, ring);
    assert_non_null(token.prev_json);
    of_token_done(&token);
    OK(of_token_mark_used(db, "org", "pco", v + 1, &err));
    token = load(db, ring);
    assert_null(token.prev_json);
    of_token_done(&token);

    /* new credentials end a refresh in flight */
    assert_true(begin(db, v + 1, "w1", 60000));
    OK(of_token_put(db, ring, "org", "pco", PAT, &err));
    assert_false(store(db, ring, v + 1, "w1", OAUTH("4")));
    token = load(db, ring);
    assert_false(token.is_oauth);
    assert_int_equal(token.version, v + 2);
    assert_string_equal(token.json, PAT);
    of_token_done(&token);

    /* connected again after a disconnect: workers that know the former credentials see another version */
    OK(of_token_delete(db, "org", "pco", &err));
    OK(of_token_put(db, ring, "org", "pco", OAUTH("5"), &err));
    token = load(db, ring);
    assert_true(token.version > v);
    of_token_done(&token);

    /* bound to its place */
    script(db, "UPDATE sync.token SET org_id = 'other'");
    assert_int_equal(of_token_load(db, ring, "other", "pco", &token, &none), OF_E_CRYPTO);
    OK(of_token_delete(db, "other", "pco", &err));
    assert_int_equal(of_token_put(db, ring, "org", "pco", "{\"type\":\"nothing\"}", &none), OF_E_INVALID);
    of_keyring_free(ring);
}

static void test_token_rotate(void **state)
{
    struct of_pg *db = *state;
    char first[128], second[128], both[260];
    of_keyring_new_line(first, sizeof first);
    of_keyring_new_line(second, sizeof second);
    snprintf(both, sizeof both, "%s\n%s\n", first, second);
    struct of_keyring *old = ring_of(first), *two = ring_of(both), *fresh = ring_of(second);
    for (int i = 0; i < 5; i++) {
        char org[16];
        snprintf(org, sizeof org, "rot-%d", i);
        OK(of_token_put(db, old, org, "pco", OAUTH("1"), &err));
    }
    script(db, "UPDATE sync.token SET version = 1");
    bool got = false;
    OK(of_token_begin_refresh(db, "rot-2", "pco", 1, "w", 60000, &got, &err));
    OK(of_token_store(db, old, "rot-2", "pco", 1, "w", OAUTH("2"), &got, &err));
    /* a refresh in flight during the rotation */
    OK(of_token_begin_refresh(db, "rot-3", "pco", 1, "w", 60000, &got, &err));
    script(db, "UPDATE sync.token SET sealed = '\\x00' WHERE org_id = 'rot-4'");
    struct of_token_rotation rotation = {.org = NULL};
    bool more = true;
    while (more) {
        OK(of_token_rotate(db, two, 2, &rotation, &more, &err));
    }
    assert_int_equal(rotation.looked, 5);
    assert_int_equal(rotation.sealed, 4);
    assert_int_equal(rotation.failed, 1);
    of_token_rotation_done(&rotation);
    struct of_token token = {.version = 0};
    OK(of_token_load(db, fresh, "rot-2", "pco", &token, &err)); /* the old key is not needed any more */
    assert_string_equal(token.json, OAUTH("2"));
    assert_string_equal(token.prev_json, OAUTH("1"));
    of_token_done(&token);
    OK(of_token_store(db, fresh, "rot-3", "pco", 1, "w", OAUTH("2"), &got, &err));
    assert_true(got);
    OK(of_token_load(db, fresh, "rot-3", "pco", &token, &err));
    assert_string_equal(token.prev_json, OAUTH("1"));
    of_token_done(&token);
    of_keyring_free(old);
    of_keyring_free(two);
    of_keyring_free(fresh);
}

static int setup(void **state)
{
    *state = open_db();
    return 0;
}

static int teardown(void **state)
{
    drop_all(*state);
    of_pg_free(*state);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_migrate),       cmocka_unit_test(test_check),
        cmocka_unit_test(test_failed_migration), cmocka_unit_test(test_concurrent),
        cmocka_unit_test(test_existing_table), cmocka_unit_test(test_token_refresh),
        cmocka_unit_test(test_token_rotate),
    };
    url = getenv("OF_TEST_DATABASE_URL");
    if (!url) {
        printf("skipped: OF_TEST_DATABASE_URL is not set\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}

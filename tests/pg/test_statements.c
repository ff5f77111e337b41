/* SPDX-License-Identifier: Apache-2.0 */
/* Every statement of the programs against the migrated schema: it must prepare with the number of parameters that it says, and
 * those that run for every batch of records must find their rows by their whole keys, on tables that are new and on full ones, in
 * a plan for the values and in the plan for any values that a session keeps.
 * OF_TEST_DATABASE_URL: a scratch database. OF_TEST_SHOW=name (or "all") prints plans. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/migrate/migrate.h"
#include "common/pg/pg.h"
#include "worker/entities.h"

enum { SQL_MAX = 64 * 1024, BATCH = 500 };

static const char *url;

/* --- all statements: the source tree's .sql files without migrations, and those made from the type tables --- */

struct statement {
    char name[64];
    char *text;
    int nparams;
};

static struct statement all[512];
static int n_all;

static void add(const char *name, const char *text, int nparams)
{
    assert_true(n_all < (int)OF_ARRAY_LEN(all));
    struct statement *s = &all[n_all++];
    assert_true(of_strcopy(s->name, sizeof s->name, name));
    s->text = of_strdup(text);
    s->nparams = nparams;
}

static void add_file(const char *path, const char *file)
{
    char name[64];
    char *text = of_calloc(1, SQL_MAX);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, SQL_MAX - 1, f);
    assert_true(n > 0 && n < SQL_MAX - 1);
    fclose(f);
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - 4), file);
    const char *said = strstr(text, "-- params: ");
    add(name, text, said ? (int)strtol(said + strlen("-- params: "), NULL, 10) : 0);
    of_freep(&text);
}

static void add_folder(const char *folder)
{
    DIR *d = opendir(folder);
    if (!d) {
        fail_msg("no folder %s", folder);
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[4096];
        struct stat st;
        size_t n = strlen(e->d_name);
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || stat(path, &st) != 0) {
            continue;
        }
        if (S_ISDIR(st.st_mode) && strcmp(e->d_name, "migrations") != 0 && strcmp(e->d_name, "migrate") != 0) {
            add_folder(path);
        } else if (n > 4 && strcmp(e->d_name + n - 4, ".sql") == 0) {
            add_file(path, e->d_name);
        }
    }
    closedir(d);
}

static void add_made(const struct of_sql *sql)
{
    if (sql->text) {
        add(sql->name, sql->text, sql->nparams);
    }
}

static void gather(void)
{
    static const char *const folders[] = {"common", "producer", "worker"};
    for (size_t i = 0; i < OF_ARRAY_LEN(folders); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", OF_TEST_SOURCE_DIR, folders[i]);
        add_folder(path);
    }
    const struct of_adapter *a = of_adapter_find("pco");
    of_entities_init(a);
    for (const struct of_type *t = a->types; t->name; t++) {
        const struct of_type_sql *s = of_type_sql(t);
        assert_non_null(s);
        add_made(&s->create);
        add_made(&s->edges);
        add_made(&s->load);
        add_made(&s->update);
        add_made(&s->again);
        add_made(&s->remove);
        add_made(&s->unlinked);
        add_made(&s->match);
    }
}

/* --- the database --- */

static struct of_pg *db;

static bool script(const char *text)
{
    struct of_err err = OF_ERR_INIT;
    if (of_pg_script(db, text, &err) != OF_OK) {
        print_error("%.60s…: %s\n", text, err.msg);
        return false;
    }
    return true;
}

static struct of_pgres *rows(const char *text)
{
    static int n;
    struct of_err err = OF_ERR_INIT;
    struct of_pgres *res = NULL;
    char name[32];
    snprintf(name, sizeof name, "q%d", n++);
    struct of_sql sql = {.name = name, .text = text, .nparams = 0};
    if (of_pg_run(db, &sql, NULL, &res, &err) != OF_OK) {
        print_error("%.200s: %s\n", text, err.msg);
        return NULL;
    }
    return res;
}

static int setup(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_freep) char *text = NULL;
    if (of_pg_connect(url, "test-statements", &db, &err) != OF_OK || of_migrate(db, &text, &err) != OF_OK) {
        print_error("%s\n", err.msg);
        return -1;
    }
    gather();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    of_pg_free(db);
    for (int i = 0; i < n_all; i++) {
        of_freep(&all[i].text);
    }
    return 0;
}

/* Parameters whose type the text alone does not tell; the programs say it. */
static const char *types_of(const char *name)
{
    static const struct {
        const char *name, *types;
    } typed[] = {
        {"merged_link", "(text, text, text, text, text)"},
        {"edge_records", "(text, text, text, text[], text, text, text, text, boolean, text, text, text, text[], text[], text[])"},
        {"phase_advance", "(bigint, text, bigint, text, jsonb, bigint, bigint, text, text)"},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(typed); i++) {
        if (strcmp(typed[i].name, name) == 0) {
            return typed[i].types;
        }
    }
    return "";
}

static void every_statement_prepares(void **state)
{
    (void)state;
    int bad = 0;
    for (int i = 0; i < n_all; i++) {
        OF_CLEANUP(of_freep) char *text =
            of_asprintf("PREPARE \"t_%s\" %s AS %s", all[i].name, types_of(all[i].name), all[i].text);
        if (!script(text)) {
            print_error("%s does not prepare\n", all[i].name);
            bad++;
            continue;
        }
        OF_CLEANUP(of_freep) char *ask = of_asprintf(
            "SELECT coalesce(array_length(parameter_types, 1), 0) FROM pg_prepared_statements WHERE name = 't_%s'", all[i].name);
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = rows(ask);
        assert_non_null(res);
        if (of_pgres_i64(res, 0, 0) != all[i].nparams) {
            print_error("%s has %d parameters and says %d\n", all[i].name, (int)of_pgres_i64(res, 0, 0), all[i].nparams);
            bad++;
        }
    }
    assert_true(n_all > 100);
    assert_int_equal(bad, 0);
}

/* --- plans --- */

/* I 500 ids, E as many entity ids of people, J jsonb objects, N nulls (timestamptz), T texts, B booleans, O organizations, P tags, Z nulls
 * (text), X numbers as text, Q numbers; else SQL. */
struct keyed {
    const char *name;
    const char *args[16];
};

#define HEAD "'org_1'", "'pco'"
static const struct keyed keyed[] = {
    {"stage", {HEAD, "'Person'", "'entity'", "I", "N", "N", "J", "T", "J", "1", "1", "NULL", "NULL", "NULL", "true"}},
    {"stage_known", {HEAD, "'Person'", "I", "J", "N"}},
    {"stage_moved", {HEAD, "'Person'", "I"}},
    {"link_reference", {HEAD, "'Person'", "I"}},
    {"reference_seen", {HEAD, "'Person'", "I"}},
    {"base_applied", {HEAD, "'Person'", "I", "J", "B"}},
    {"edge_records", {HEAD, "'Membership'", "I", "'group'", "'person'", "'group'", "'person'", "true", "'group_has_person'",
                      "'person'", "'b'", "ARRAY['role']", "ARRAY['o']", "ARRAY['x']"}},
    {"edges_drop", {HEAD, "'sync:pco'", "E", "T", "R"}},
    {"gone_edges", {"'org_1'", "K", "'sync:pco'"}},
    {"gone_journal", {HEAD, "'Person'", "'person'", "I", "1"}},
    {"gone_links", {HEAD, "'Person'", "I", "1"}},
    {"gone_values", {HEAD, "'FieldDatum'", "I"}},
    {"hint", {HEAD, "T", "I", "'why'", "0"}},
    {"hint_out", {"O", "P", "E", "Z", "X", "X", "Q", "'{pco}'", "'{Person}'", "'{entity}'", "'{person}'", "'{true}'", "'{true}'"}},
    {"hold_new", {HEAD, "'Person'", "I", "1"}},
    {"hint_out_own", {HEAD, "'person'", "E", "'why'"}},
    {"dead_records", {HEAD, "T", "I", "T", "T", "'permanent'"}},
    {"ids_parents", {HEAD, "'Person'", "'2'", "500"}},
    {"ids_staged", {HEAD, "'Person'", "'2'", "500"}},
    {"ids_unmatched", {HEAD, "'Person'", "'2'", "500"}},
    {"link_state", {HEAD, "'Person'", "'1'"}},
    {"mark_ids", {HEAD, "'Person'", "I", "1"}},
    {"match_link", {HEAD, "'Person'", "I", "E", "'person'"}},
    {"match_review", {HEAD, "'Person'", "'person'", "I", "E", "T"}},
    {"merged_edges", {"'org_1'", "'person_1_1'", "'person_1_2'", "'sync:pco'", "T", "'pco'"}},
    {"review_conflict", {HEAD, "'Person'", "'person'", "I", "E", "T", "J"}},
    {"hint_out_own", {HEAD, "'person'", "E", "'kept'"}},
    {"suspect", {HEAD, "'Person'", "'1'", "1", "1000", "'why'"}},
    {"missing_hint", {HEAD, "'Person'", "I"}},
    {"hint_below", {HEAD, "'Membership'", "'Group/1'", "I"}},
    {"below_parents", {HEAD, "'Membership'", "R"}},
    {"edges_touch", {HEAD, "E"}},
    {"merged_records", {HEAD, "'person_1_1'"}},
    {"returned", {HEAD, "E"}},
    {"poll_load", {HEAD}},
    {"values_link", {HEAD, "'FieldDatum'", "I", "'b'", "'customizable'", "'field_definition'"}},
    {"values_load", {HEAD, "'FieldDatum'", "I", "'field_definition'"}},
    {"values_seen", {HEAD, "'FieldDatum'", "I", "'customizable'", "I", "J"}},
    {"values_write", {"'org_1'", "E", "J", "'sync:pco'"}},
    {"wake_type", {HEAD, "'Person'", "'person'"}},
    {"wake_waiting", {HEAD, "R"}},
    {"any_waiting", {HEAD}},
    {"any_unmatched", {HEAD, "'Person'", "I"}},
    {"work_claim", {HEAD, "60000", "50", "600000"}},
    {"work_done", {HEAD, "'Email'", "'1'", "1"}},
    {"work_later", {HEAD, "'Email'", "'1'", "1", "'ready'", "1000", "1", "NULL", "NULL"}},
    {"create_pco_Person", {HEAD, "I", "E", "'b'"}},
    {"create_pco_Email", {HEAD, "I", "E", "'b'"}},
    {"edges_pco_Person", {HEAD, "I", "'b'", "R"}},
    {"edges_pco_Email", {HEAD, "I", "'b'", "R"}},
    {"load_pco_Person", {HEAD, "I"}},
    {"load_pco_Email", {HEAD, "I"}},
    {"update_pco_Person", {"'org_1'", "E", "J", "N", "'sync:pco'"}},
    {"remove_pco_Person", {"'org_1'", "E", "'sync:pco'"}},
    {"match_pco_Email", {HEAD, "I"}},
};

/* element: SQL, a number for each # */
static void array(struct of_buf *b, const char *element, const char *type)
{
    of_buf_str(b, "ARRAY[");
    for (int i = 1; i <= BATCH; i++) {
        of_buf_str(b, i > 1 ? "," : "");
        for (const char *p = element; *p; p++) {
            if (*p == '#') {
                of_buf_i64(b, i * 3);
            } else {
                of_buf_char(b, *p);
            }
        }
    }
    of_buf_fmt(b, "]::%s[]", type);
}

static void argument(struct of_buf *b, const char *arg)
{
    if (strcmp(arg, "I") == 0) {
        array(b, "'#'", "text");
    } else if (strcmp(arg, "E") == 0) {
        array(b, "'person_1_#'", "text");
    } else if (strcmp(arg, "J") == 0) {
        array(b, "'{\"a\":#}'", "jsonb");
    } else if (strcmp(arg, "N") == 0) {
        array(b, "NULL", "timestamptz");
    } else if (strcmp(arg, "T") == 0) {
        array(b, "'Person'", "text");
    } else if (strcmp(arg, "R") == 0) {
        array(b, "'Person/#'", "text");
    } else if (strcmp(arg, "K") == 0) {
        array(b, "'email_1_#|person_1_#|email_has_person'", "text");
    } else if (strcmp(arg, "O") == 0) {
        array(b, "'org_1'", "text");
    } else if (strcmp(arg, "P") == 0) {
        array(b, "'person'", "text");
    } else if (strcmp(arg, "Z") == 0) {
        array(b, "NULL", "text");
    } else if (strcmp(arg, "X") == 0) {
        array(b, "'700'", "text");
    } else if (strcmp(arg, "Q") == 0) {
        array(b, "1", "bigint");
    } else if (strcmp(arg, "B") == 0) {
        array(b, "true", "boolean");
    } else {
        of_buf_str(b, arg);
    }
}

/* A line of a plan that reads a whole table that grows with the records of an organization. */
static bool reads_all(const char *line)
{
    static const char *const large[] = {"external_link", "base_", "work_", "openfaith_people", "openfaith_emails",
                                        "openfaith_phoneNumbers", "openfaith_edges"};
    const char *scan = strstr(line, "Seq Scan on ");
    for (size_t i = 0; scan && i < OF_ARRAY_LEN(large); i++) {
        const char *table = scan + strlen("Seq Scan on ") + (scan[strlen("Seq Scan on ")] == '"');
        if (strncmp(table, large[i], strlen(large[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* By the beginning of a key only: everything of a connection or a type is gone through. */
static bool reads_range(const char *line, const char *before)
{
    return strstr(line, "Index Cond: ") && strstr(before, "external_link_") && strstr(before, "_pkey") &&
           !strstr(line, "external_id");
}

static int plan(const struct keyed *k, const char *when)
{
    const char *show = getenv("OF_TEST_SHOW");
    struct of_buf b = OF_BUF_INIT(1024 * 1024);
    of_buf_fmt(&b, "EXPLAIN (COSTS OFF) EXECUTE \"t_%s\" (", k->name);
    int nparams = 0;
    for (int i = 0; i < n_all; i++) {
        nparams = strcmp(all[i].name, k->name) == 0 ? all[i].nparams : nparams;
    }
    for (int i = 0; i < nparams && k->args[i]; i++) {
        of_buf_str(&b, i ? ", " : "");
        argument(&b, k->args[i]);
    }
    of_buf_char(&b, ')');
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = rows(of_buf_text(&b));
    of_buf_done(&b);
    if (!res) {
        return 1;
    }
    int bad = 0;
    bool print = show && (strcmp(show, "all") == 0 || strcmp(show, k->name) == 0);
    for (int row = 0; row < of_pgres_rows(res); row++) {
        const char *line = of_pgres_text(res, row, 0);
        bool wrong = reads_all(line) || (row > 0 && reads_range(line, of_pgres_text(res, row - 1, 0)));
        if (print) {
            printf("%s (%s)%s %.150s\n", k->name, when, wrong ? " !!" : "", line);
        }
        if (wrong) {
            print_error("%s (%s): %.150s\n", k->name, when, line);
            bad = 1;
        }
    }
    return bad;
}

/* One large organization among small ones. */
static const char fill[] =
    "INSERT INTO sync.connection (org_id, adapter, mode, types)"
    " SELECT 'org_' || o, 'pco', 'bidirectional', '{Person}' FROM generate_series(1, 30) o;"
    "INSERT INTO sync.external_link (org_id, adapter, external_type, external_id, kind, state, entity_type, entity_id,"
    " link_metadata, external_updated_at, read_seq)"
    " SELECT 'org_' || o, 'pco', t, i::text, CASE t WHEN 'FieldDatum' THEN 'value' ELSE 'entity' END,"
    " CASE WHEN i % 10 = 0 THEN 'unmatched' ELSE 'linked' END, lower(t),"
    " CASE WHEN i % 10 = 0 THEN NULL WHEN t = 'FieldDatum' THEN 'person_' || o || '_' || i"
    " ELSE lower(t) || '_' || o || '_' || i END,"
    " jsonb_build_object('path', '/x/' || i, 'parent', 'Person/' || i), now(), 1"
    " FROM generate_series(1, 30) o, unnest('{Person,Email,PhoneNumber,FieldDatum,FieldDefinition,Group,Membership}'::text[]) t,"
    " LATERAL generate_series(1, CASE WHEN t IN ('FieldDefinition', 'Group') THEN 50 WHEN o = 1 THEN 40000 ELSE 100 END) i;"
    "INSERT INTO sync.base (org_id, link_id, staged, seen)"
    " SELECT org_id, id, CASE WHEN state = 'unmatched' THEN x END, CASE WHEN state = 'linked' THEN x END FROM (SELECT *,"
    " jsonb_build_object('firstName', external_id, 'lastName', 'x', 'value', 'v', '_rel', jsonb_build_object('person',"
    " 'Person/' || external_id, 'group', 'Group/1', 'customizable', 'Person/' || external_id, 'field_definition',"
    " 'FieldDefinition/1')) AS x FROM sync.external_link) l;"
    "INSERT INTO public.openfaith_people (id, \"orgId\", \"firstName\", name, \"createdAt\")"
    " SELECT 'person_' || o || '_' || i, 'org_' || o, 'f' || i, 'n' || i, now() FROM generate_series(1, 30) o,"
    " LATERAL generate_series(1, CASE WHEN o = 1 THEN 40000 ELSE 100 END) i;"
    "INSERT INTO public.openfaith_emails (id, \"orgId\", address, \"createdAt\")"
    " SELECT 'email_' || o || '_' || i, 'org_' || o, 'f' || i || '@x', now() FROM generate_series(1, 30) o,"
    " LATERAL generate_series(1, CASE WHEN o = 1 THEN 40000 ELSE 100 END) i;"
    "INSERT INTO public.openfaith_edges (\"orgId\", \"sourceEntityId\", \"sourceEntityTypeTag\", \"targetEntityId\","
    " \"targetEntityTypeTag\", \"relationshipType\", \"createdAt\")"
    " SELECT 'org_' || o, 'email_' || o || '_' || i, 'email', 'person_' || o || '_' || i, 'person', 'email_has_person', now()"
    " FROM generate_series(1, 30) o, LATERAL generate_series(1, CASE WHEN o = 1 THEN 40000 ELSE 100 END) i;"
    "INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, state, due_at, waits_for)"
    " SELECT 'org_' || o, 'pco', 'in', 'Email', i::text, CASE WHEN i % 2 = 0 THEN 'ready' ELSE 'waiting' END,"
    " now() + i * interval '1 second', CASE WHEN i % 2 = 1 THEN 'Person/' || i END FROM generate_series(1, 30) o,"
    " LATERAL generate_series(1, CASE WHEN o = 1 THEN 10000 ELSE 50 END) i;"
    "ANALYZE";

static int plans(const char *when, const char *mode)
{
    int bad = 0;
    assert_true(script(mode));
    for (size_t i = 0; i < OF_ARRAY_LEN(keyed); i++) {
        bad += plan(&keyed[i], when);
    }
    return bad;
}

static void batches_find_their_rows_by_index(void **state)
{
    (void)state;
    assert_true(script("SET enable_mergejoin = off; SET enable_seqscan = off")); /* as worker/main.c does */
    int bad = plans("new tables, any values", "SET plan_cache_mode = force_generic_plan");
    bad += plans("new tables, these values", "SET plan_cache_mode = force_custom_plan");
    assert_true(script("BEGIN"));
    of_pg_set_deadline(db, 0);
    assert_true(script(fill));
    bad += plans("full tables, any values", "SET plan_cache_mode = force_generic_plan");
    assert_true(script("ROLLBACK"));
    assert_int_equal(bad, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_prepares),
        cmocka_unit_test(batches_find_their_rows_by_index),
    };
    url = getenv("OF_TEST_DATABASE_URL");
    if (!url) {
        printf("skipped: OF_TEST_DATABASE_URL is not set\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is owed to other systems for a change here: every rule of hint_out.sql and of what stands around it, on a real database.
 * Every test has an organization of its own. OF_TEST_DATABASE_URL: a scratch database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/migrate/migrate.h"
#include "worker/apply.h"
#include "worker/out.h"
#include "worker_sql.h"

static const char *url;
static struct of_pg *db;
static char *own_sys, *own_tl;

/* --- SQL with ORG for the test's organization --- */

static const char *org;

static char *with_org(const char *text)
{
    struct of_buf b = OF_BUF_INIT(64 * 1024);
    char *ret = NULL;
    for (const char *p = text; *p; p++) {
        if (strncmp(p, "ORG", 3) == 0) {
            of_buf_fmt(&b, "'%s'", org);
            p += 2;
        } else {
            of_buf_char(&b, *p);
        }
    }
    OF_BUG_ON(of_buf_take(&b, &ret, NULL, NULL) != OF_OK);
    return ret;
}

static void sql(const char *text)
{
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_freep) char *s = with_org(text);
    if (of_pg_script(db, s, &err) != OF_OK) {
        fail_msg("%s: %s", s, err.msg);
    }
}

static char *ask(const char *text)
{
    static int n;
    char name[32];
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_freep) char *s = with_org(text);
    OF_CLEANUP(of_freep) char *one = of_asprintf("SELECT coalesce(string_agg(q::text, ' '), '') FROM (%s) q", s);
    snprintf(name, sizeof name, "ask%d", n++);
    struct of_sql q = {.name = name, .text = one, .nparams = 0};
    if (of_pg_run(db, &q, NULL, &res, &err) != OF_OK) {
        fail_msg("%s: %s", s, err.msg);
    }
    return of_strdup(of_pgres_text(res, 0, 0));
}

static void expect_at(const char *text, const char *want, int line)
{
    OF_CLEANUP(of_freep) char *got = ask(text);
    if (strcmp(got, want) != 0) {
        fail_msg("line %d: %s\n  gives  %s\n  not    %s", line, text, got, want);
    }
}
#define expect(text, want) expect_at(text, want, __LINE__)

/* The rows of the way out. */
#define expect_rows(want)                                                                                              \
    expect("SELECT adapter, record_type, record_id, xid FROM sync.work WHERE org_id = ORG AND direction = 'out' "     \
           "ORDER BY adapter, record_type, record_id", want)

static void connect_as(const char *adapter, const char *mode)
{
    OF_CLEANUP(of_freep) char *s = of_asprintf(
        "INSERT INTO sync.connection (org_id, adapter, mode, types) VALUES (ORG, '%s', '%s', "
        "'{Person,Email,Group,Membership,FieldDatum,Tab}');"
        "INSERT INTO sync.status (org_id, adapter, external_type, ordinal, plural, out_open) SELECT ORG, '%s', t, 1, t, true "
        "FROM unnest('{Person,Email,Group,Membership,FieldDatum,Tab}'::text[]) t", adapter, mode, adapter);
    sql(s);
}

/* A linked record whose last write of ours was in transaction xid (0: none). */
static void linked(const char *adapter, const char *type, const char *kind, const char *tag, const char *ext, const char *entity, int xid)
{
    OF_CLEANUP(of_freep) char *s = of_asprintf(
        "WITH l AS (INSERT INTO sync.external_link (org_id, adapter, external_type, external_id, kind, state, entity_type, entity_id) "
        "VALUES (ORG, '%s', '%s', '%s', '%s', 'linked', '%s', '%s') RETURNING id) "
        "INSERT INTO sync.base (org_id, link_id, seen, write_xid) SELECT ORG, id, '{}', nullif('%d', '0')::xid8 FROM l",
        adapter, type, ext, kind, tag, entity, xid);
    sql(s);
}

/* --- changes --- */

static const struct {
    const char *adapter, *type, *kind, *tag;
    bool takes, makes;
} caps[] = {
    {"pco", "Person", "entity", "person", true, true},        {"pco", "Email", "entity", "email", true, true},
    {"pco", "Group", "entity", "group", true, false},         {"pco", "Tab", "entity", "folder", false, false},
    {"pco", "Membership", "edge", "group_has_person", true, true}, {"pco", "FieldDatum", "value", "person", true, true},
    {"other", "Person", "entity", "person", true, true},      {"other", "Group", "entity", "group", true, true},
};

struct change {
    const char *tag, *id, *edge;
    int xid;
    const char *sys; /* NULL: the database's own */
};

/* Writes changes as of_out_write() does; gives the rows, "k adapter" or "u adapter type id". */
static char *write_changes(const struct change *c, size_t n)
{
    struct of_pgarr *a[13];
    static const enum of_pgtype types[13] = {OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_INT8,
                                             OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_BOOL, OF_PG_BOOL};
    struct of_pgargs args = OF_PGARGS_INIT;
    for (size_t i = 0; i < OF_ARRAY_LEN(a); i++) {
        a[i] = of_pgarr_new(types[i]);
    }
    for (size_t i = 0; i < n; i++) {
        char xid[24];
        snprintf(xid, sizeof xid, "%d", c[i].xid);
        of_pgarr_text(a[0], org);
        of_pgarr_text(a[1], c[i].tag);
        of_pgarr_text(a[2], c[i].id);
        of_pgarr_text(a[3], c[i].edge);
        of_pgarr_text(a[4], xid);
        of_pgarr_text(a[5], c[i].sys ? c[i].sys : own_sys);
        of_pgarr_int8(a[6], strtoll(own_tl, NULL, 10));
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(caps); i++) {
        of_pgarr_text(a[7], caps[i].adapter);
        of_pgarr_text(a[8], caps[i].type);
        of_pgarr_text(a[9], caps[i].kind);
        of_pgarr_text(a[10], caps[i].tag);
        of_pgarr_bool(a[11], caps[i].takes);
        of_pgarr_bool(a[12], caps[i].makes);
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(a); i++) {
        of_pg_arg_array(&args, a[i]);
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_pg_run(db, &of_sql_hint_out, &args, &res, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    struct of_buf b = OF_BUF_INIT(8192);
    char *ret = NULL;
    for (int row = 0; row < of_pgres_rows(res); row++) {
        of_buf_fmt(&b, "%s%s %s", row ? ", " : "", of_pgres_text(res, row, 0), of_pgres_text(res, row, 2));
        if (of_pgres_text(res, row, 0)[0] == 'u') {
            of_buf_fmt(&b, " %s %s", of_pgres_text(res, row, 3), of_pgres_text(res, row, 5));
        }
    }
    OF_BUG_ON(of_buf_take(&b, &ret, NULL, NULL) != OF_OK);
    for (size_t i = 0; i < OF_ARRAY_LEN(a); i++) {
        of_pgarr_free(a[i]);
    }
    return ret;
}

#define changes_give(want, ...)                                                                                        \
    do {                                                                                                               \
        const struct change list_[] = {__VA_ARGS__};                                                                   \
        OF_CLEANUP(of_freep) char *got_ = write_changes(list_, OF_ARRAY_LEN(list_));                                   \
        assert_string_equal(got_, want);                                                                               \
    } while (0)
#define PERSON(name, xid) {"person", "person_" name, NULL, xid, NULL}

/* --- the rules --- */

static void linked_records_are_owed(void **state)
{
    (void)state;
    org = "out_linked";
    connect_as("pco", "bidirectional");
    linked("pco", "Person", "entity", "person", "1", "person_l1", 0);
    linked("pco", "Tab", "entity", "folder", "1", "folder_l1", 0);
    changes_give("k pco", PERSON("l1", 700), {"folder", "folder_l1", NULL, 700, NULL});
    expect_rows("(pco,person,person_l1,700)"); /* nothing can be written of a tab */
    changes_give("k pco", PERSON("l1", 900), PERSON("l1", 800));
    expect("SELECT gen, xid, state, reason FROM sync.work WHERE org_id = ORG", "(2,900,ready,change)");
    changes_give("k pco", PERSON("l1", 600)); /* a late one: the greatest stays */
    expect("SELECT gen, xid FROM sync.work WHERE org_id = ORG", "(3,900)");
    sql("UPDATE sync.connection SET types = '{Email}' WHERE org_id = ORG; DELETE FROM sync.work WHERE org_id = ORG");
    changes_give("", PERSON("l1", 901));
    sql("UPDATE sync.connection SET types = '{Person}', state = 'parked' WHERE org_id = ORG");
    changes_give("k pco", PERSON("l1", 902)); /* kept for later */
    sql("UPDATE sync.connection SET state = 'disconnected' WHERE org_id = ORG");
    changes_give("", PERSON("l1", 903));
}

static void own_writes_go_to_the_others_only(void **state)
{
    (void)state;
    org = "out_own";
    connect_as("pco", "bidirectional");
    connect_as("other", "bidirectional");
    linked("pco", "Person", "entity", "person", "1", "person_o1", 700);
    linked("other", "Person", "entity", "person", "1", "person_o1", 650);
    changes_give("k other", PERSON("o1", 700));
    expect_rows("(other,person,person_o1,700)");
    changes_give("k pco, k other", PERSON("o1", 701));
    sql("DELETE FROM sync.work WHERE org_id = ORG");
    linked("pco", "FieldDatum", "value", "person", "5", "person_o1", 720); /* a value of the person was written */
    changes_give("k other", PERSON("o1", 720));
    /* the number says nothing in the log of another server, or of another timeline */
    sql("DELETE FROM sync.work WHERE org_id = ORG");
    changes_give("k pco, k other", {"person", "person_o1", NULL, 700, "1"});
    expect_rows("(other,person,person_o1,) (pco,person,person_o1,)");
    sql("DELETE FROM sync.work WHERE org_id = ORG");
    changes_give("k pco, k other", PERSON("o1", 0)); /* repair */
    expect_rows("(other,person,person_o1,) (pco,person,person_o1,)");
}

static void edges_are_records_or_parts_of_their_ends(void **state)
{
    (void)state;
    static const char key[] = "group_e1|person_e1|group_has_person";
    static const char plain[] = "campus_e1|person_e1|campus_primary_campus_person";
    org = "out_edges";
    connect_as("pco", "bidirectional");
    connect_as("other", "bidirectional");
    linked("pco", "Group", "entity", "group", "1", "group_e1", 400);
    linked("pco", "Person", "entity", "person", "1", "person_e1", 500);
    linked("pco", "Membership", "edge", "edge", "7", key, 600);
    linked("other", "Group", "entity", "group", "1", "group_e1", 0);
    linked("other", "Person", "entity", "person", "1", "person_e1", 0);
#define EDGE(key, xid) {"edge", key, NULL, xid, NULL}, {"group", "group_e1", key, xid, NULL}, {"person", "person_e1", key, xid, NULL}
    changes_give("k pco, k other", EDGE(key, 700));
    expect_rows("(other,group,group_e1,700) (other,person,person_e1,700) (pco,Membership,group_e1|person_e1|group_has_person,700)");
    static const int own[] = {400, 500, 600}; /* of either end, of the edge's record */
    for (size_t i = 0; i < OF_ARRAY_LEN(own); i++) {
        changes_give("k other", EDGE(key, own[i]));
    }
    expect("SELECT gen FROM sync.work WHERE org_id = ORG AND record_type = 'Membership'", "(1)");
    sql("DELETE FROM sync.work WHERE org_id = ORG");
    changes_give("k pco, k other", {"edge", plain, NULL, 800, NULL}, {"campus", "campus_e1", plain, 800, NULL},
                 {"person", "person_e1", plain, 800, NULL});
    expect_rows("(other,person,person_e1,800) (pco,person,person_e1,800)");
    /* in mode chms only between linked ends */
    sql("DELETE FROM sync.work WHERE org_id = ORG; UPDATE sync.connection SET mode = 'chms' WHERE org_id = ORG AND adapter = 'pco';"
        "UPDATE sync.connection SET state = 'disconnected' WHERE org_id = ORG AND adapter = 'other'");
    changes_give("", {"edge", "group_e1|person_e2|group_has_person", NULL, 900, NULL});
    changes_give("k pco", {"edge", "group_e1|person_e1|group_has_person", NULL, 900, NULL});
}

static void unlinked_records_by_mode(void **state)
{
    (void)state;
    org = "out_unlinked";
    connect_as("pco", "bidirectional");
    changes_give("k pco", PERSON("u1", 700), {"group", "group_u1", NULL, 700, NULL}); /* groups are not made there */
    expect_rows("(pco,person,person_u1,700)");
    sql("DELETE FROM sync.work WHERE org_id = ORG; UPDATE sync.connection SET mode = 'openfaith' WHERE org_id = ORG");
    changes_give("k pco", PERSON("u1", 701));
    sql("DELETE FROM sync.work WHERE org_id = ORG; UPDATE sync.status SET out_open = false WHERE org_id = ORG");
    changes_give("", PERSON("u1", 702)); /* it may still be matched */
    sql("UPDATE sync.status SET out_open = true WHERE org_id = ORG; UPDATE sync.connection SET mode = 'chms' WHERE org_id = ORG");
    changes_give("u pco Person person_u1", PERSON("u1", 703), PERSON("u1", 704));
    expect_rows("");
    static const char *const tombs[] = {"unlinked", "merged_into", "deleted"};
    for (size_t i = 0; i < OF_ARRAY_LEN(tombs); i++) {
        OF_CLEANUP(of_freep) char *s = of_asprintf(
            "DELETE FROM sync.external_link WHERE org_id = ORG; UPDATE sync.connection SET mode = 'bidirectional' WHERE org_id = ORG;"
            "INSERT INTO sync.external_link (org_id, adapter, external_type, external_id, kind, state, entity_type, entity_id) "
            "VALUES (ORG, 'pco', 'Person', '9', 'entity', '%s', 'person', 'person_u1')", tombs[i]);
        sql(s);
        changes_give("", PERSON("u1", 705));
    }
    /* unless it was we who deleted it there: it is back */
    sql("UPDATE sync.external_link SET link_metadata = '{\"deletedHere\": true}' WHERE org_id = ORG");
    changes_give("k pco", PERSON("u1", 706));
    expect_rows("(pco,person,person_u1,706)");
}

static void rows_keep_what_they_are(void **state)
{
    (void)state;
    static const char *const states[] = {"ready", "leased", "waiting", "parked", "dead"};
    org = "out_states";
    connect_as("pco", "bidirectional");
    linked("pco", "Person", "entity", "person", "1", "person_s1", 0);
    for (size_t i = 0; i < OF_ARRAY_LEN(states); i++) {
        OF_CLEANUP(of_freep) char *s = of_asprintf(
            "DELETE FROM sync.work WHERE org_id = ORG; INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, state,"
            " due_at, attempts, xid) VALUES (ORG, 'pco', 'out', 'person', 'person_s1', '%s', now() + interval '1 hour', 5, '300')",
            states[i]);
        sql(s);
        changes_give("k pco", PERSON("s1", 700));
        bool dead = strcmp(states[i], "dead") == 0;
        OF_CLEANUP(of_freep) char *want = of_asprintf("(%s,%s,%s,2,700)", dead ? "ready" : states[i], dead ? "f" : "t", dead ? "0" : "5");
        expect("SELECT state, due_at > now(), attempts, gen, xid FROM sync.work WHERE org_id = ORG", want);
    }
    /* what is parked behind another record may go without that one by now; what waits for a person does not */
    sql("UPDATE sync.work SET state = 'parked', waits_for = 'out:campus/campus_1' WHERE org_id = ORG");
    changes_give("k pco", PERSON("s1", 701));
    expect("SELECT state FROM sync.work WHERE org_id = ORG", "(ready)");
    sql("UPDATE sync.work SET state = 'parked', waits_for = 'review:person_s1' WHERE org_id = ORG");
    changes_give("k pco", PERSON("s1", 702));
    expect("SELECT state FROM sync.work WHERE org_id = ORG", "(parked)");
}

/* --- of_out_write(): from messages --- */

static void note(void *arg, const char *o, const char *adapter)
{
    struct of_buf *b = arg;
    of_buf_fmt(b, "%s/%s ", o, adapter);
}

static void a_truncate_owes_all_that_is_linked(void **state)
{
    (void)state;
    org = "out_whole";
    connect_as("pco", "bidirectional");
    linked("pco", "Person", "entity", "person", "1", "person_w1", 0);
    linked("pco", "Person", "entity", "person", "2", "person_w2", 0);
    linked("pco", "Email", "entity", "email", "2", "email_w2", 0);
    linked("pco", "Membership", "edge", "edge", "7", "group_w|person_w1|group_has_person", 0);
    struct of_pgargs args = OF_PGARGS_INIT;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *adapters = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = of_pgarr_new(OF_PG_TEXT);
    for (size_t i = 0; i < OF_ARRAY_LEN(caps); i++) {
        of_pgarr_text(adapters, caps[i].adapter);
        of_pgarr_text(types, caps[i].type);
    }
    struct of_err err = OF_ERR_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, "person");
    of_pg_arg_array(&args, adapters);
    of_pg_arg_array(&args, types);
    assert_int_equal(of_pg_run(db, &of_sql_hint_out_all, &args, NULL, &err), OF_OK);
    expect_rows("(pco,person,person_w1,) (pco,person,person_w2,)");
    args.n = 1;
    of_pg_arg_text(&args, "edge");
    of_pg_arg_array(&args, adapters);
    of_pg_arg_array(&args, types);
    assert_int_equal(of_pg_run(db, &of_sql_hint_out_all, &args, NULL, &err), OF_OK);
    expect("SELECT record_type, gen FROM sync.work WHERE org_id = ORG ORDER BY record_type, record_id",
           "(Membership,1) (email,1) (person,2) (person,2)");
}

static void messages_become_rows(void **state)
{
    (void)state;
    org = "out_messages";
    connect_as("pco", "bidirectional");
    linked("pco", "Person", "entity", "person", "1", "person_m1", 0);
    const struct of_change changes[] = {
        {.org = org, .table = "openfaith_people", .id = "person_m1", .op = 'u', .xid = 700, .sys = strtoull(own_sys, NULL, 10),
         .timeline = (uint32_t)strtoul(own_tl, NULL, 10)},
        {.org = org, .table = "openfaith_edges", .id = "campus_m|person_m1|campus_x_y_person", .op = 'd', .xid = 800, .sys = 1},
        {.org = org, .table = "openfaith_edges", .id = "nonsense", .op = 'd', .xid = 800, .sys = 1},
        {.org = org, .table = "somebody_elses", .id = "person_m1", .op = 'u', .xid = 900, .sys = 1},
        {.org = org, .table = "openfaith_people", .id = "", .op = 't', .xid = 900, .sys = 1},
    };
    struct of_out_batch *b = of_out_batch_new();
    for (size_t i = 0; i < OF_ARRAY_LEN(changes); i++) {
        of_out_batch_add(b, &changes[i]);
    }
    struct of_buf told = OF_BUF_INIT(1024);
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_out_write(db, b, note, &told, &err), OF_OK);
    assert_string_equal(of_buf_text(&told), "out_messages/pco out_messages/pco ");
    expect("SELECT record_type, record_id, gen, xid FROM sync.work WHERE org_id = ORG", "(person,person_m1,2,700)");
    of_buf_done(&told);
    of_out_batch_free(b);
}

/* A person is asked once about an unlinked record, whatever the answer; for what lives with a parent, with the parent. */
static void a_person_is_asked_once(void **state)
{
    (void)state;
    org = "out_ask";
    connect_as("pco", "chms");
    sql("INSERT INTO public.openfaith_people (id, \"orgId\", name, \"createdAt\") VALUES ('person_a1', ORG, 'A', '2026-01-01'),"
        " ('person_a2', ORG, 'B', '2026-01-01');"
        "INSERT INTO public.openfaith_people (id, \"orgId\", name, \"createdAt\", \"deletedAt\")"
        " VALUES ('person_a3', ORG, 'C', now(), now());"
        "INSERT INTO public.openfaith_emails (id, \"orgId\", address, \"createdAt\") VALUES ('email_a1', ORG, 'a@x', now()),"
        " ('email_a2', ORG, 'b@x', now());"
        "INSERT INTO public.openfaith_edges (\"orgId\", \"sourceEntityId\", \"sourceEntityTypeTag\", \"targetEntityId\","
        " \"targetEntityTypeTag\", \"relationshipType\", \"createdAt\") VALUES"
        " (ORG, 'email_a1', 'email', 'person_a1', 'person', 'email_has_person', now()),"
        " (ORG, 'email_a2', 'email', 'person_a2', 'person', 'email_has_person', now())");
    linked("pco", "Person", "entity", "person", "2", "person_a2", 0);
    static const char *const ids[] = {"person_a1", "person_a3", "email_a1", "email_a2"};
    for (int round = 0; round < 2; round++) {
        struct of_out_batch *b = of_out_batch_new();
        for (size_t i = 0; i < OF_ARRAY_LEN(ids); i++) {
            const struct of_change c = {.org = org, .table = ids[i][0] == 'e' ? "openfaith_emails" : "openfaith_people",
                                        .id = ids[i], .op = 'u', .xid = 700, .sys = 1};
            of_out_batch_add(b, &c);
        }
        struct of_buf told = OF_BUF_INIT(1024);
        struct of_err err = OF_ERR_INIT;
        assert_int_equal(of_out_write(db, b, note, &told, &err), OF_OK);
        assert_int_equal(told.len, 0);
        of_buf_done(&told);
        of_out_batch_free(b);
        expect("SELECT external_type, entity_id, state FROM sync.review WHERE org_id = ORG ORDER BY 2",
               round ? "(Email,email_a2,rejected) (Person,person_a1,rejected)" : "(Email,email_a2,open) (Person,person_a1,open)");
        sql("UPDATE sync.review SET state = 'rejected' WHERE org_id = ORG");
    }
}

static void clean(void)
{
    org = "";
    sql("DELETE FROM sync.work WHERE org_id LIKE 'out_%'; DELETE FROM sync.external_link WHERE org_id LIKE 'out_%';"
        "DELETE FROM sync.base WHERE org_id LIKE 'out_%'; DELETE FROM sync.connection WHERE org_id LIKE 'out_%';"
        "DELETE FROM sync.status WHERE org_id LIKE 'out_%'; DELETE FROM sync.review WHERE org_id LIKE 'out_%';"
        "DELETE FROM public.openfaith_people WHERE \"orgId\" LIKE 'out_%'; DELETE FROM public.openfaith_emails WHERE \"orgId\" LIKE "
        "'out_%'; DELETE FROM public.openfaith_edges WHERE \"orgId\" LIKE 'out_%'");
}

static int setup(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_freep) char *text = NULL;
    if (of_pg_connect(url, "test-out", &db, &err) != OF_OK || of_migrate(db, &text, &err) != OF_OK) {
        print_error("%s\n", err.msg);
        return -1;
    }
    of_entities_init(of_adapter_find("pco"));
    of_out_init();
    clean();
    own_sys = ask("SELECT system_identifier FROM pg_control_system()");
    own_tl = ask("SELECT timeline_id FROM pg_control_checkpoint()");
    memmove(own_sys, own_sys + 1, strlen(own_sys)); /* "(…)" */
    memmove(own_tl, own_tl + 1, strlen(own_tl));
    own_sys[strlen(own_sys) - 1] = own_tl[strlen(own_tl) - 1] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clean();
    of_freep(&own_sys);
    of_freep(&own_tl);
    of_pg_free(db);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(linked_records_are_owed),
        cmocka_unit_test(own_writes_go_to_the_others_only),
        cmocka_unit_test(edges_are_records_or_parts_of_their_ends),
        cmocka_unit_test(unlinked_records_by_mode),
        cmocka_unit_test(rows_keep_what_they_are),
        cmocka_unit_test(a_truncate_owes_all_that_is_linked),
        cmocka_unit_test(messages_become_rows),
        cmocka_unit_test(a_person_is_asked_once),
    };
    url = getenv("OF_TEST_DATABASE_URL");
    if (!url) {
        printf("skipped: OF_TEST_DATABASE_URL is not set\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}

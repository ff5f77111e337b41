/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_TEST_APPLY_SUPPORT_H
#define OF_TEST_APPLY_SUPPORT_H

/* An organization in a scratch database, and records made by hand that go through stage, match, create and populate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/migrate/migrate.h"
#include "common/pg/pg.h"
#include "worker/apply.h"
#include "worker/phase.h"

#pragma GCC diagnostic ignored "-Wunused-function" /* who includes it needs some of them */

static const char *url;
static struct of_pg *db;
static const struct of_adapter *pco;

/* --- an organization --- */

struct church {
    char org[32];
    struct of_worker w;
    struct of_conn conn;
    struct of_apply a;
    int64_t now; /* seconds; their clock */
};

static void sql(const char *text)
{
    struct of_err err = OF_ERR_INIT;
    if (of_pg_script(db, text, &err) != OF_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
}

/* Text with ORG for the organization's id, in quotes where it stands alone in SQL. */
static char *with_org(const struct church *c, const char *text)
{
    struct of_buf b = OF_BUF_INIT(64 * 1024);
    char *ret = NULL;
    for (const char *p = text; *p; p++) {
        if (strncmp(p, "ORG", 3) == 0) {
            of_buf_fmt(&b, "'%s'", c->org);
            p += 2;
        } else {
            of_buf_char(&b, *p);
        }
    }
    OF_BUG_ON(of_buf_take(&b, &ret, NULL, NULL) != OF_OK);
    return ret;
}

static void make_sql(const struct church *c, const char *text)
{
    OF_CLEANUP(of_freep) char *s = with_org(c, text);
    sql(s);
}

/* The rows of a query, columns between "|", rows between " ; ". The caller frees. */
static char *ask(const struct church *c, const char *text)
{
    static int n;
    char name[32];
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_freep) char *s = with_org(c, text);
    OF_CLEANUP(of_freep) char *one = of_asprintf("SELECT string_agg(x, ' ; ' ORDER BY n) FROM (SELECT array_to_string("
                                                 "ARRAY(SELECT value FROM jsonb_each_text(to_jsonb(q)) ORDER BY key), '|', '-') AS x, "
                                                 "row_number() OVER () AS n FROM (%s) q) r",
                                                 s);
    snprintf(name, sizeof name, "ask%d", n++);
    struct of_sql q = {.name = name, .text = one, .nparams = 0};
    if (of_pg_run(db, &q, NULL, &res, &err) != OF_OK) {
        fail_msg("%s: %s", s, err.msg);
    }
    return of_strdup(of_pgres_text(res, 0, 0));
}

static void expect_at(const struct church *c, const char *text, const char *want, int line)
{
    OF_CLEANUP(of_freep) char *got = ask(c, text);
    if (strcmp(got, want) != 0) {
        fail_msg("line %d: %s\n  gives  %s\n  not    %s", line, text, got, want);
    }
}
#define expect(c, text, want) expect_at(c, text, want, __LINE__)

static void church_init(struct church *c, const char *name, char mode)
{
    memset(c, 0, sizeof *c);
    snprintf(c->org, sizeof c->org, "org_apply_%s", name);
    c->now = 1790000000;
    c->conn = (struct of_conn){.org = c->org,
                               .adapter_name = of_strdup("pco"),
                               .adapter = pco,
                               .mode = mode,
                               .strategy = of_strdup("last_write_wins"),
                               .scope = of_scope_all(pco),
                               .generation = 1,
                               .n_adapters = 1};
    c->a = (struct of_apply){.w = &c->w, .db = db, .conn = &c->conn, .read_seq = 1};
    make_sql(c, "INSERT INTO sync.connection (org_id, adapter, mode, types) VALUES (ORG, 'pco', 'bidirectional', '{Person}')");
}

static void church_done(struct church *c)
{
    of_freep(&c->conn.adapter_name);
    of_freep(&c->conn.strategy);
}

/* --- their records --- */

static struct of_record record(struct church *c, const char *type, const char *id, const char *body)
{
    struct of_record r = {.type = of_type_find(pco, type), .id = of_strdup(id), .body = of_strdup(body), .body_len = strlen(body)};
    assert_non_null(r.type);
    r.has_created = r.has_updated = true;
    r.created_at.us = 1700000000 * INT64_C(1000000);
    r.updated_at.us = c->now * 1000000;
    return r;
}

static void record_done(struct of_record *r)
{
    of_freep(&r->id);
    of_freep(&r->body);
    of_freep(&r->match_keys);
}

static void ok_at(enum of_code code, struct of_err *err, int line)
{
    if (code != OF_OK) {
        fail_msg("line %d: %s", line, err->msg);
    }
}
#define ok(call) ok_at(call, &err, __LINE__)

/* Reads, stages and applies what stands between triples (type, id, body), in one transaction, as a single read does. */
static void bring_(struct church *c, bool apply, const char *const *triples)
{
    struct of_err err = OF_ERR_INIT;
    struct of_record list[32];
    const struct of_record *of_type[32];
    const struct of_record *all[32];
    size_t n = 0;
    c->now += 10;
    for (; triples[n * 3]; n++) {
        list[n] = record(c, triples[n * 3], triples[n * 3 + 1], triples[n * 3 + 2]);
        all[n] = &list[n];
    }
    c->a.read_seq++;
    ok(of_apply_begin(&c->a, &err));
    for (const struct of_type *t = pco->types; t->name; t++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            if (list[i].type == t) {
                of_type[m++] = &list[i];
            }
        }
        ok(of_apply_stage(&c->a, t, of_type, m, &err));
    }
    if (apply) {
        ok(of_apply_records(&c->a, all, n, &err));
    }
    ok(of_pg_commit(db, &err));
    for (size_t i = 0; i < n; i++) {
        record_done(&list[i]);
    }
}
#define bring(c, ...) bring_(c, true, (const char *const[]){__VA_ARGS__, NULL})
#define stage(c, ...) bring_(c, false, (const char *const[]){__VA_ARGS__, NULL})

static void gone(struct church *c, const char *type, const char *id)
{
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    of_pgarr_text(ids, id);
    ok(of_apply_begin(&c->a, &err));
    ok(of_apply_gone(&c->a, of_type_find(pco, type), ids, &err));
    ok(of_pg_commit(db, &err));
}

static void merged(struct church *c, const char *kept, const char *removed)
{
    struct of_err err = OF_ERR_INIT;
    ok(of_apply_begin(&c->a, &err));
    ok(of_apply_merged(&c->a, of_type_find(pco, "Person"), kept, removed, NULL, &err));
    ok(of_pg_commit(db, &err));
}

#define PERSON(first, last, campus)                                                                                       \
    "{\"firstName\":\"" first "\",\"lastName\":\"" last "\",\"status\":\"active\",\"customFields\":[],"                     \
    "\"_rel\":{\"primary_campus\":" campus "}}"
#define CAMPUS(name) "{\"name\":\"" name "\",\"street\":null,\"city\":\"Ulm\",\"state\":null,\"zip\":null,\"customFields\":[]}"
#define EMAIL(address, person)                                                                                            \
    "{\"address\":\"" address "\",\"primary\":true,\"blocked\":false,\"location\":\"Home\",\"customFields\":[],"             \
    "\"_rel\":{\"person\":\"Person/" person "\"}}"
#define PHONE(number, person)                                                                                             \
    "{\"number\":\"" number "\",\"primary\":false,\"location\":\"Mobile\",\"customFields\":[],\"_rel\":{\"person\":\"Person/" person "\"}}"

#define EDGES                                                                                                             \
    "SELECT s.external_type || '/' || s.external_id AS a, \"relationshipType\" AS b,"                                       \
    " t.external_type || '/' || t.external_id AS c, g.\"sourceEntityTypeTag\" || '>' || g.\"targetEntityTypeTag\" AS d,"    \
    " CASE WHEN g.\"deletedAt\" IS NULL THEN 'lives' ELSE 'gone' END AS e"                                                  \
    " FROM public.openfaith_edges g"                                                                                       \
    " JOIN sync.external_link s ON s.org_id = ORG AND s.entity_id = \"sourceEntityId\" AND s.kind = 'entity'"                 \
    " JOIN sync.external_link t ON t.org_id = ORG AND t.entity_id = \"targetEntityId\" AND t.kind = 'entity'"                \
    " WHERE g.\"orgId\" = ORG ORDER BY 2, 1, 3"
#define WORK                                                                                                              \
    "SELECT record_type || '/' || record_id AS a, state AS b, reason AS c, waits_for AS d FROM sync.work WHERE org_id = ORG ORDER BY 1, 3"
#define LINKS                                                                                                             \
    "SELECT external_type || '/' || external_id AS a, state AS b FROM sync.external_link WHERE org_id = ORG ORDER BY 1"
#define PEOPLE                                                                                                            \
    "SELECT \"firstName\" AS a, \"lastName\" AS b, CASE WHEN \"deletedAt\" IS NULL THEN 'lives' ELSE 'gone' END AS c"         \
    " FROM public.openfaith_people WHERE \"orgId\" = ORG ORDER BY 1, 2"

static int setup(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_freep) char *text = NULL;
    if (of_pg_connect(url, "test-apply", &db, &err) != OF_OK || of_migrate(db, &text, &err) != OF_OK) {
        print_error("%s\n", err.msg);
        return -1;
    }
    pco = of_adapter_find("pco");
    of_entities_init(pco);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    of_pg_free(db);
    return 0;
}

static int after(void **state)
{
    (void)state;
    of_pg_rollback(db); /* of a test that failed inside a transaction */
    return 0;
}

/* Runs nothing without a database. */
#define TEST(f) cmocka_unit_test_teardown(f, after)

#endif

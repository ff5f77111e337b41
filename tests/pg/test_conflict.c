/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides changed the same, against a real database: relations, values that alternate, triggers of OpenFaith's own, custom fields of
 * the church. OF_TEST_DATABASE_URL: a scratch database. */
#include "tests/pg/apply_support.h"

#define CAMPUS_OF                                                                                                         \
    "SELECT coalesce(string_agg(l.external_id, ','  ORDER BY l.external_id), '-') AS a FROM public.openfaith_edges g"        \
    " JOIN sync.external_link l ON l.org_id = ORG AND l.external_type = 'Campus' AND l.entity_id = g.\"sourceEntityId\""     \
    " WHERE g.\"orgId\" = ORG AND g.\"relationshipType\" = 'campus_primary_campus_person' AND g.\"deletedAt\" IS NULL"
#define OUT                                                                                                               \
    "SELECT w.record_type AS a, w.reason AS b FROM sync.work w WHERE w.org_id = ORG AND w.direction = 'out' ORDER BY 1, 2"

/* Somebody here moves the person to another campus (none: to no campus). */
static void move(struct church *c, const char *campus)
{
    make_sql(c, "UPDATE public.openfaith_edges SET \"deletedAt\" = now(), \"deletedBy\" = 'user_1' WHERE \"orgId\" = ORG"
                " AND \"relationshipType\" = 'campus_primary_campus_person'");
    if (campus) {
        OF_CLEANUP(of_freep) char *text = of_asprintf(
            "INSERT INTO public.openfaith_edges (\"orgId\", \"sourceEntityId\", \"sourceEntityTypeTag\", \"targetEntityId\","
            " \"targetEntityTypeTag\", \"relationshipType\", \"createdAt\", \"createdBy\") SELECT ORG, k.entity_id, 'campus',"
            " p.entity_id, 'person', 'campus_primary_campus_person', now(), 'user_1' FROM sync.external_link k, sync.external_link p"
            " WHERE k.org_id = ORG AND k.external_type = 'Campus' AND k.external_id = '%s' AND p.org_id = ORG"
            " AND p.external_type = 'Person' ON CONFLICT (\"orgId\", \"sourceEntityId\", \"targetEntityId\", \"relationshipType\")"
            " DO UPDATE SET \"deletedAt\" = NULL, \"deletedBy\" = NULL, \"updatedAt\" = now(), \"updatedBy\" = 'user_1'", campus);
        make_sql(c, text);
    }
}

static void strategy(struct church *c, const char *name)
{
    of_freep(&c->conn.strategy);
    c->conn.strategy = of_strdup(name);
}

static void church_of_campuses(struct church *c, const char *name)
{
    church_init(c, name, 'b');
    bring(c, "Campus", "1", CAMPUS("One"), "Campus", "2", CAMPUS("Two"), "Campus", "3", CAMPUS("Three"), "Person", "10",
          PERSON("Ann", "Lee", "\"Campus/1\""));
    expect(c, CAMPUS_OF, "1");
}

static void a_relation_that_only_one_changed(void **state)
{
    (void)state;
    struct church c;
    church_of_campuses(&c, "rel_one");
    move(&c, "2"); /* here; there something else changes */
    bring(&c, "Person", "10", PERSON("Ann", "Loo", "\"Campus/1\""));
    expect(&c, CAMPUS_OF, "2");
    move(&c, NULL);
    bring(&c, "Person", "10", PERSON("Ann", "Lou", "\"Campus/1\""));
    expect(&c, CAMPUS_OF, "-");
    move(&c, "1");
    bring(&c, "Person", "10", PERSON("Ann", "Lou", "\"Campus/3\"")); /* there alone */
    expect(&c, CAMPUS_OF, "3");
    bring(&c, "Person", "10", PERSON("Ann", "Lou", "\"Campus/1\"")); /* and back, though it was dropped here before */
    expect(&c, CAMPUS_OF, "1");
    expect(&c, OUT, "");
    church_done(&c);
}

static void a_relation_that_both_changed(void **state)
{
    (void)state;
    static const struct {
        const char *strategy, *campus, *out, *agreed;
    } rows[] = {{"openfaith_wins", "2", "person|kept", "{\"_rel\": {\"primary_campus\": \"Campus/1\"}}"},
                {"chms_wins", "3", "", "-"},
                {"last_write_wins", "2", "person|kept", "{\"_rel\": {\"primary_campus\": \"Campus/1\"}}"},
                {"ask", "2", "", "{\"_rel\": {\"primary_campus\": \"Campus/2\"}}"}};
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct church c;
        OF_CLEANUP(of_freep) char *name = of_asprintf("rel_both%zu", i);
        church_of_campuses(&c, name);
        c.now = 1700000000; /* theirs is older */
        strategy(&c, rows[i].strategy);
        make_sql(&c, "UPDATE sync.external_link SET external_updated_at = NULL WHERE org_id = ORG");
        move(&c, "2");
        bring(&c, "Person", "10", PERSON("Ann", "Lee", "\"Campus/3\""));
        expect(&c, CAMPUS_OF, rows[i].campus);
        expect(&c, OUT, rows[i].out);
        expect(&c, "SELECT coalesce(b.agreed::text, '-') AS a FROM sync.base b JOIN sync.external_link l ON l.org_id = ORG"
                   " AND l.id = b.link_id"
                   " WHERE b.org_id = ORG AND l.external_type = 'Person'", rows[i].agreed);
        expect(&c, "SELECT field AS a, count(*) AS b FROM sync.journal WHERE org_id = ORG GROUP BY 1", "_rel.primary_campus|1");
        expect(&c, "SELECT kind AS a, field AS b, state AS c FROM sync.review WHERE org_id = ORG",
               strcmp(rows[i].strategy, "ask") == 0 ? "conflict|_rel.primary_campus|open" : "");
        church_done(&c);
    }
}

static void two_values_that_alternate_are_frozen(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "frozen", 'b');
    strategy(&c, "chms_wins");
    bring(&c, "Person", "10", PERSON("Ann", "Lee", "null"));
    for (int i = 0; i < 3; i++) { /* theirs says Anne, somebody here Ann again */
        bring(&c, "Person", "10", PERSON("Anne", "Lee", "null"));
        expect(&c, "SELECT \"firstName\" AS a FROM public.openfaith_people WHERE \"orgId\" = ORG", i < 2 ? "Anne" : "Ann");
        make_sql(&c, "UPDATE public.openfaith_people SET \"firstName\" = 'Ann' WHERE \"orgId\" = ORG");
        make_sql(&c, "UPDATE sync.base SET seen = jsonb_set(seen, '{firstName}', '\"Ann\"') WHERE org_id = ORG"); /* it was sent */
    }
    expect(&c, "SELECT field AS a, detail ->> 'why' AS b FROM sync.review WHERE org_id = ORG AND state = 'open'", "firstName|frozen");
    bring(&c, "Person", "10", PERSON("Bea", "Lee", "null")); /* another value is not */
    expect(&c, "SELECT \"firstName\" AS a FROM public.openfaith_people WHERE \"orgId\" = ORG", "Bea");
    church_done(&c);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_relation_that_only_one_changed),
        TEST(a_relation_that_both_changed),
        TEST(two_values_that_alternate_are_frozen),
    };
    url = getenv("OF_TEST_DATABASE_URL");
    if (!url) {
        printf("skipped: OF_TEST_DATABASE_URL is not set\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}

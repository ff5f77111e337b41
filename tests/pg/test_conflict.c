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

/* Somebody who was here before is matched, and both sides name a campus. */
static void a_relation_at_a_first_link(void **state)
{
    (void)state;
    static const struct {
        char mode;
        const char *campus, *out, *rule;
    } rows[] = {{'b', "3", "", "first link: theirs"}, {'o', "2", "person|kept", "first link: ours"}};
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct church c;
        OF_CLEANUP(of_freep) char *name = of_asprintf("rel_first%zu", i);
        church_of_campuses(&c, name);
        c.conn.mode = rows[i].mode;
        move(&c, "2");
        make_sql(&c, "UPDATE sync.base b SET seen = NULL, agreed = NULL FROM sync.external_link l WHERE b.org_id = ORG"
                     " AND l.org_id = ORG AND l.id = b.link_id AND l.external_type = 'Person'"); /* as matched just now */
        bring(&c, "Person", "10", PERSON("Ann", "Lee", "\"Campus/3\""));
        expect(&c, CAMPUS_OF, rows[i].campus);
        expect(&c, OUT, rows[i].out);
        OF_CLEANUP(of_freep) char *want = of_asprintf("_rel.primary_campus|%s", rows[i].rule);
        expect(&c, "SELECT field AS a, rule AS b FROM sync.journal WHERE org_id = ORG AND field LIKE '_rel%'", want);
        church_done(&c);
    }
}

/* Ours was sent and nobody answered; it has changed since, to something new or back to what it was. */
static void a_relation_whose_answer_was_lost(void **state)
{
    (void)state;
    static const char *const now[] = {"2", "1"};
    for (size_t i = 0; i < OF_ARRAY_LEN(now); i++) {
        struct church c;
        OF_CLEANUP(of_freep) char *name = of_asprintf("rel_lost%zu", i);
        church_of_campuses(&c, name);
        strategy(&c, "chms_wins");
        move(&c, "3");
        make_sql(&c, "UPDATE sync.base b SET agreed = '{\"_sent\":{\"_rel\":{\"primary_campus\":\"Campus/3\"}}}' FROM sync.external_link l"
                     " WHERE b.org_id = ORG AND l.org_id = ORG AND l.id = b.link_id AND l.external_type = 'Person'");
        move(&c, now[i]);
        bring(&c, "Person", "10", PERSON("Ann", "Lee", "\"Campus/3\""));
        expect(&c, CAMPUS_OF, now[i]);
        expect(&c, OUT, "person|kept");
        expect(&c, "SELECT field AS a, rule AS b FROM sync.journal WHERE org_id = ORG",
               "_rel.primary_campus|sent, its answer was lost");
        bring(&c, "Person", "10", PERSON("Ann", "Lee", "\"Campus/2\"")); /* and what they change after that is theirs */
        expect(&c, CAMPUS_OF, "2");
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
    make_sql(&c, "INSERT INTO sync.journal (org_id, adapter, entity_id, field, rule) SELECT ORG, 'pco', id, 'firstName',"
                 " 'review: theirs by ann' FROM public.openfaith_people WHERE \"orgId\" = ORG"); /* a person has decided */
    bring(&c, "Person", "10", PERSON("Anne", "Lee", "null"));
    expect(&c, "SELECT \"firstName\" AS a FROM public.openfaith_people WHERE \"orgId\" = ORG", "Anne");
    bring(&c, "Person", "10", PERSON("Bea", "Lee", "null")); /* another value is not */
    expect(&c, "SELECT \"firstName\" AS a FROM public.openfaith_people WHERE \"orgId\" = ORG", "Bea");
    church_done(&c);
}

/* --- values of custom fields --- */

#define DEFINITION(slug, type)                                                                                            \
    "{\"key\":\"" slug "\",\"label\":\"L\",\"type\":\"" type "\",\"entityTag\":\"person\",\"source\":\"pco\",\"customFields\":[],"  \
    "\"_rel\":{\"tab\":null}}"
#define DATUM(value)                                                                                                      \
    "{\"value\":\"" value "\",\"_rel\":{\"field_definition\":\"FieldDefinition/1\",\"customizable\":\"Person/10\"}}"
#define VALUE_HERE                                                                                                        \
    "SELECT coalesce(string_agg((e ->> '_tag') || ' ' || (e ->> 'value'), ',' ORDER BY e ->> 'value'), '-') AS a"                  \
    " FROM public.openfaith_people p, jsonb_array_elements(\"customFields\") e WHERE \"orgId\" = ORG"
#define VALUE_BASE                                                                                                        \
    "SELECT b.seen ->> 'value' AS a, coalesce(b.agreed::text, '-') AS b FROM sync.base b JOIN sync.external_link l"          \
    " ON l.org_id = ORG AND l.id = b.link_id WHERE b.org_id = ORG AND l.external_type = 'FieldDatum' ORDER BY l.external_id"

/* Somebody here says so, at a moment in their clock's time. */
static void say_here(struct church *c, const char *element, int64_t at)
{
    OF_CLEANUP(of_freep) char *text = of_asprintf(
        "UPDATE public.openfaith_people SET \"customFields\" = '[%s]', \"updatedAt\" = to_timestamp(%lld), \"updatedBy\" = 'user_1'"
        " WHERE \"orgId\" = ORG", element, (long long)at);
    make_sql(c, text);
}

#define SIZE(tag, value) "{\"_tag\":\"" tag "\",\"name\":\"size\",\"source\":\"pco\",\"value\":" value "}"

static void church_of_values(struct church *c, const char *name, const char *type)
{
    church_init(c, name, 'b');
    bring(c, "FieldDefinition", "1", strcmp(type, "number") == 0 ? DEFINITION("size", "number") : DEFINITION("size", "checkboxes"),
          "Person", "10", PERSON("Ann", "Lee", "null"));
}

static void a_value_that_both_changed(void **state)
{
    (void)state;
    static const struct {
        const char *strategy;
        int64_t later; /* ours, in seconds */
        const char *here, *base, *out, *rule;
    } rows[] = {
        {"openfaith_wins", -100, "number 44", "43|{\"value\": \"42\"}", "FieldDatum|value", "conflict: openfaith_wins"},
        {"chms_wins", 100, "number 43", "43|-", "", "conflict: chms_wins"},
        {"last_write_wins", 100, "number 44", "43|{\"value\": \"42\"}", "FieldDatum|value", "conflict: last_write_wins, ours newer"},
        {"last_write_wins", -100, "number 43", "43|-", "", "conflict: last_write_wins, theirs newer"},
        {"field_merge", 100, "number 44", "43|{\"value\": \"42\"}", "FieldDatum|value", "conflict: field_merge, ours newer"},
        {"ask", 100, "number 44", "43|{\"value\": 44}", "", "conflict: ask"}};
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct church c;
        OF_CLEANUP(of_freep) char *name = of_asprintf("val_both%zu", i);
        church_of_values(&c, name, "number");
        bring(&c, "FieldDatum", "100", DATUM("42"));
        expect(&c, VALUE_HERE, "number 42");
        strategy(&c, rows[i].strategy);
        say_here(&c, SIZE("number", "44"), c.now + rows[i].later);
        bring(&c, "FieldDatum", "100", DATUM("43"));
        expect(&c, VALUE_HERE, rows[i].here);
        expect(&c, VALUE_BASE, rows[i].base);
        expect(&c, OUT, rows[i].out);
        expect(&c, "SELECT rule AS a FROM sync.journal WHERE org_id = ORG AND external_type = 'FieldDatum' AND field = 'size'",
               rows[i].rule);
        church_done(&c);
    }
}

static void a_value_by_the_strategy_of_its_field(void **state)
{
    (void)state;
    struct church c;
    struct of_err err = OF_ERR_INIT;
    static const char by_field[] = "{\"FieldDatum.size\":\"openfaith_wins\"}";
    church_of_values(&c, "val_field", "number");
    strategy(&c, "chms_wins");
    ok(of_json_parse(by_field, strlen(by_field), sizeof by_field, &c.conn.field_strategies, &err));
    say_here(&c, SIZE("number", "44"), c.now); /* none had a value, both have one now */
    bring(&c, "FieldDatum", "100", DATUM("43"));
    expect(&c, VALUE_HERE, "number 44");
    expect(&c, OUT, "FieldDatum|value");
    of_json_free(c.conn.field_strategies);
    church_done(&c);
}

static void a_value_of_which_a_person_is_asked(void **state)
{
    (void)state;
    struct church c;
    church_of_values(&c, "val_ask", "checkboxes");
    bring(&c, "FieldDatum", "100", DATUM("red"));
    strategy(&c, "ask");
    say_here(&c, SIZE("string", "\"red\"") "," SIZE("string", "\"green\""), c.now);
    bring(&c, "FieldDatum", "101", DATUM("blue"));
    expect(&c, VALUE_HERE, "string green,string red");
    expect(&c, VALUE_BASE, "red|- ; blue|{\"value\": null}");
    expect(&c, "SELECT kind AS a, external_id AS b, field AS c, jsonb_array_length(detail -> 'theirs') AS d FROM sync.review"
               " WHERE org_id = ORG", "conflict|101|size|2");
    expect(&c, OUT, "");
    church_done(&c);
}

static void a_value_that_they_respelled_when_it_was_sent(void **state)
{
    (void)state;
    struct church c;
    church_of_values(&c, "val_spelled", "number");
    bring(&c, "FieldDatum", "100", DATUM("4"));
    say_here(&c, SIZE("number", "5"), c.now); /* and it was sent */
    make_sql(&c, "UPDATE sync.base b SET seen = seen || '{\"value\":\"5\"}', agreed = '{\"value\":5}' FROM sync.external_link l"
                 " WHERE l.org_id = ORG AND l.external_type = 'FieldDatum' AND b.org_id = ORG AND b.link_id = l.id");
    bring(&c, "FieldDatum", "100", DATUM("6"));
    expect(&c, VALUE_HERE, "number 6");
    expect(&c, VALUE_BASE, "6|-"); /* what is set back to 5 here is a change, and goes out */
    church_done(&c);
}

static void a_value_that_is_agreed_to_differ_stays_so(void **state)
{
    (void)state;
    struct church c;
    church_of_values(&c, "val_settled", "number");
    bring(&c, "FieldDatum", "100", DATUM("4"));
    say_here(&c, SIZE("string", "\"5 kg\""), c.now);
    make_sql(&c, "UPDATE sync.base b SET seen = seen || '{\"value\":\"5\"}', agreed = '{\"value\":\"5 kg\"}' FROM sync.external_link l"
                 " WHERE l.org_id = ORG AND l.external_type = 'FieldDatum' AND b.org_id = ORG AND b.link_id = l.id");
    bring(&c, "FieldDatum", "100", /* nothing of the value is new */
          "{\"value\":\"5\",\"file\":\"x\",\"_rel\":{\"field_definition\":\"FieldDefinition/1\",\"customizable\":\"Person/10\"}}");
    expect(&c, VALUE_HERE, "string 5 kg");
    expect(&c, VALUE_BASE, "5|{\"value\": \"5 kg\"}");
    church_done(&c);
}

/* --- records that are edges --- */

#define MEMBER(role, joined)                                                                                              \
    "{\"role\":\"" role "\",\"joinedAt\":" joined ",\"_rel\":{\"group\":\"Group/1\",\"person\":\"Person/10\"}}"
#define MEMBERSHIP                                                                                                        \
    "SELECT metadata ->> 'role' AS a, coalesce(metadata ->> 'joinedAt', '-') AS b, coalesce(\"deletedBy\", 'lives') AS c"   \
    " FROM public.openfaith_edges WHERE \"orgId\" = ORG"

static void church_of_members(struct church *c, const char *name)
{
    church_init(c, name, 'b');
    bring(c, "Person", "10", PERSON("Ann", "Lee", "null"), "Group", "1",
          "{\"name\":\"Choir\",\"memberCount\":1,\"customFields\":[],\"_rel\":{\"group_type\":null}}", "Membership", "7",
          MEMBER("member", "null"));
    expect(c, MEMBERSHIP, "member|-|lives");
}

static void an_edit_of_a_membership_that_waits(void **state)
{
    (void)state;
    struct church c;
    church_of_members(&c, "member_edit");
    make_sql(&c, "UPDATE public.openfaith_edges SET metadata = metadata || '{\"role\":\"leader\"}', \"updatedBy\" = 'user_1'"
                 " WHERE \"orgId\" = ORG");
    bring(&c, "Membership", "7", MEMBER("member", "\"2026-01-02\"")); /* there something else changes */
    expect(&c, MEMBERSHIP, "leader|2026-01-02|lives");
    static const struct {
        const char *strategy, *role, *out, *agreed;
    } rows[] = {{"openfaith_wins", "leader", "Membership|kept", "{\"role\": \"member\"}"}, {"ask", "leader", "", "{\"role\": \"leader\"}"},
                {"last_write_wins", "leader", "Membership|kept", "{\"role\": \"member\"}"}, {"chms_wins", "guest", "", "-"}};
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) { /* both changed the same */
        make_sql(&c, "DELETE FROM sync.work WHERE org_id = ORG");
        make_sql(&c, "UPDATE sync.base b SET seen = seen || '{\"role\":\"member\"}', agreed = NULL FROM sync.external_link l"
                     " WHERE l.org_id = ORG AND l.external_type = 'Membership' AND b.org_id = ORG AND b.link_id = l.id");
        strategy(&c, rows[i].strategy);
        bring(&c, "Membership", "7", MEMBER("guest", "\"2026-01-02\""));
        OF_CLEANUP(of_freep) char *want = of_asprintf("%s|2026-01-02|lives", rows[i].role);
        expect(&c, MEMBERSHIP, want);
        expect(&c, OUT, rows[i].out);
        expect(&c, "SELECT coalesce(b.agreed::text, '-') AS a FROM sync.base b JOIN sync.external_link l ON l.org_id = ORG"
                   " AND l.external_type = 'Membership' AND l.id = b.link_id WHERE b.org_id = ORG", rows[i].agreed);
    }
    strategy(&c, "ask"); /* the question of before is open still: what they say now waits for its answer, too */
    make_sql(&c, "UPDATE public.openfaith_edges SET metadata = metadata || '{\"role\":\"leader\"}' WHERE \"orgId\" = ORG");
    make_sql(&c, "UPDATE sync.base b SET agreed = '{\"role\":\"leader\"}' FROM sync.external_link l"
                 " WHERE l.org_id = ORG AND l.external_type = 'Membership' AND b.org_id = ORG AND b.link_id = l.id");
    bring(&c, "Membership", "7", MEMBER("helper", "\"2026-01-02\""));
    expect(&c, MEMBERSHIP, "leader|2026-01-02|lives");
    expect(&c, "SELECT detail ->> 'theirs' AS a FROM sync.review WHERE org_id = ORG", "helper");
    expect(&c, "SELECT DISTINCT rule AS a, new ->> 0 AS b FROM sync.journal WHERE org_id = ORG AND field = 'role' ORDER BY 1",
           "conflict: ask|leader ; conflict: chms_wins|guest ; conflict: last_write_wins, ours newer|leader ;"
           " conflict: openfaith_wins|leader");
    expect(&c, "SELECT kind AS a, field AS b, entity_type AS c FROM sync.review WHERE org_id = ORG", "conflict|role|edge");
    church_done(&c);
}

static void a_membership_that_was_deleted_here(void **state)
{
    (void)state;
    struct church c;
    church_of_members(&c, "member_gone");
    make_sql(&c, "UPDATE public.openfaith_edges SET \"deletedAt\" = now(), \"deletedBy\" = 'user_1' WHERE \"orgId\" = ORG");
    bring(&c, "Membership", "7", MEMBER("leader", "null"));
    expect(&c, MEMBERSHIP, "member|-|user_1");
    gone(&c, "Membership", "7");
    bring(&c, "Membership", "7", MEMBER("leader", "null")); /* made again there */
    expect(&c, MEMBERSHIP, "leader|-|lives");
    church_done(&c);
}

static void a_membership_that_they_respelled(void **state)
{
    (void)state;
    struct church c;
    church_of_members(&c, "member_spelled");
    make_sql(&c, "UPDATE sync.base b SET agreed = '{\"role\":\"Member\",\"joinedAt\":\"-\"}' FROM sync.external_link l"
                 " WHERE l.org_id = ORG AND l.external_type = 'Membership' AND b.org_id = ORG AND b.link_id = l.id");
    bring(&c, "Membership", "7", MEMBER("leader", "null"));
    expect(&c, "SELECT b.agreed::text AS a FROM sync.base b JOIN sync.external_link l ON l.org_id = ORG AND l.id = b.link_id"
               " WHERE b.org_id = ORG AND l.external_type = 'Membership'", "{\"joinedAt\": \"-\"}");
    church_done(&c);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_relation_that_only_one_changed),
        TEST(a_relation_that_both_changed),
        TEST(a_relation_whose_answer_was_lost),
        TEST(a_relation_at_a_first_link),
        TEST(two_values_that_alternate_are_frozen),
        TEST(a_value_that_both_changed),
        TEST(a_value_by_the_strategy_of_its_field),
        TEST(a_value_of_which_a_person_is_asked),
        TEST(a_value_that_they_respelled_when_it_was_sent),
        TEST(a_value_that_is_agreed_to_differ_stays_so),
        TEST(an_edit_of_a_membership_that_waits),
        TEST(a_membership_that_was_deleted_here),
        TEST(a_membership_that_they_respelled),
    };
    url = getenv("OF_TEST_DATABASE_URL");
    if (!url) {
        printf("skipped: OF_TEST_DATABASE_URL is not set\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}

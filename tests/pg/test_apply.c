/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with listed records, against a real database, without Kafka and HTTP: records made by hand go through stage, match,
 * create, populate, gone and merged; what stands in the tables afterwards is looked at with SQL. Every test has an organization
 * of its own. OF_TEST_DATABASE_URL: a scratch database. */
#include "tests/pg/apply_support.h"

/* --- tests --- */

static void an_older_or_equal_read_changes_nothing(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "stage", 'b');
    stage(&c, "Person", "12", PERSON("Ann", "Lee", "null"), "Person", "12", PERSON("Anna", "Lee", "null"), "Email", "5",
          EMAIL("a@b.c", "12"));
    expect(&c, "SELECT external_type AS a, external_id AS b, state AS c, kind AS d, link_metadata ->> 'path' AS e,"
               " coalesce(link_metadata ->> 'parent', 'none') AS f FROM sync.external_link WHERE org_id = ORG ORDER BY 1",
           "Email|5|unmatched|entity|/people/v2/emails/5|Person/12 ; Person|12|unmatched|entity|/people/v2/people/12|none");
    expect(&c, "SELECT staged ->> 'firstName' AS a FROM sync.base WHERE org_id = ORG AND staged ? 'firstName'", "Anna");
    c.a.again = true;
    c.now -= 100;
    stage(&c, "Person", "12", PERSON("Old", "Lee", "null"));
    expect(&c, "SELECT staged ->> 'firstName' AS a FROM sync.base WHERE org_id = ORG AND staged ? 'firstName'", "Anna");
    OF_CLEANUP(of_freep) char *before = ask(&c, "SELECT ctid AS a, xmin::text AS b FROM sync.external_link WHERE org_id = ORG");
    c.now += 80; /* the same moment as at first */
    stage(&c, "Person", "12", PERSON("Anna", "Lee", "null"), "Email", "5", EMAIL("a@b.c", "12"));
    expect(&c, "SELECT ctid AS a, xmin::text AS b FROM sync.external_link WHERE org_id = ORG", before);
    church_done(&c);
}

static void records_become_entities_and_edges(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "create", 'b');
    bring(&c, "Campus", "1", CAMPUS("Main"), "Person", "12", PERSON("Ann", "Lee", "\"Campus/1\""), "Email", "5",
          EMAIL("a@b.c", "12"), "PhoneNumber", "6", PHONE("+1 555", "12"));
    expect(&c, LINKS, "Campus/1|linked ; Email/5|linked ; Person/12|linked ; PhoneNumber/6|linked");
    expect(&c, EDGES,
           "Campus/1|campus_primary_campus_person|Person/12|campus>person|lives ; "
           "Email/5|email_has_person|Person/12|email>person|lives ; "
           "Person/12|person_has_phoneNumber|PhoneNumber/6|person>phoneNumber|lives");
    expect(&c, "SELECT \"firstName\" AS a, \"_tag\" AS b, \"createdBy\" AS c, \"externalIds\" AS d, id LIKE 'person\\_%' AS e,"
               " extract(epoch FROM \"createdAt\")::bigint AS f, status AS g FROM public.openfaith_people WHERE \"orgId\" = ORG",
           "Ann|person|sync:pco|[{\"id\": \"12\", \"type\": \"pco\"}]|true|1700000000|active");
    expect(&c, "SELECT name AS a, street AS b, city AS c FROM public.openfaith_campuses WHERE \"orgId\" = ORG", "Main||Ulm");
    expect(&c, "SELECT count(*) AS a, count(seen) AS b, count(staged) AS c FROM sync.base WHERE org_id = ORG", "4|4|0");
    expect(&c, "SELECT metadata AS a FROM public.openfaith_edges WHERE \"orgId\" = ORG AND \"relationshipType\" LIKE 'campus%'",
           "{\"source\": \"pco_direct\", \"relationshipKey\": \"primary_campus\"}");
    expect(&c, WORK, "");
    church_done(&c);
}

static void an_edge_waits_for_its_other_end(void **state)
{
    (void)state;
    struct church c;
    struct of_err err = OF_ERR_INIT;
    church_init(&c, "waits", 'b');
    bring(&c, "Person", "12", PERSON("Ann", "Lee", "\"Campus/2\""), "Email", "5", EMAIL("x@y.z", "99"));
    expect(&c, WORK, "Person/12|waiting|edge|Campus/2");
    expect(&c, LINKS, "Email/5|unmatched ; Person/12|linked"); /* owned: only below its parent */
    const char *id = "12"; /* a hint does not get lost in the waiting; a look that finds it still waiting goes back to that */
    ok(of_apply_begin(&c.a, &err));
    ok(of_apply_hint(&c.a, "Person", &id, 1, "missing", 0, &err));
    ok(of_pg_commit(db, &err));
    expect(&c, WORK, "Person/12|ready|missing|Campus/2");
    make_sql(&c, "UPDATE sync.work SET state = 'waiting', reason = 'edge' WHERE org_id = ORG");
    bring(&c, "Campus", "2", CAMPUS("East"));
    expect(&c, WORK, "Person/12|ready|edge|Campus/2");
    ok(of_apply_begin(&c.a, &err)); /* nor does a hint get lost in what is about to be tied */
    ok(of_apply_hint(&c.a, "Person", &id, 1, "missing", 0, &err));
    ok(of_pg_commit(db, &err));
    expect(&c, WORK, "Person/12|ready|missing|Campus/2");
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *none = of_pgarr_new(OF_PG_TEXT);
    of_pgarr_text(ids, "12");
    int64_t done = 0;
    ok(of_apply_begin(&c.a, &err));
    ok(of_apply_edges(&c.a, of_type_find(pco, "Person"), ids, none, &done, &err));
    ok(of_pg_commit(db, &err));
    assert_int_equal(done, 1);
    expect(&c, EDGES, "Campus/2|campus_primary_campus_person|Person/12|campus>person|lives");
    church_done(&c);
}

static void what_changed_is_merged_and_written_down(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "merge", 'b');
    bring(&c, "Campus", "1", CAMPUS("Main"), "Campus", "2", CAMPUS("East"), "Person", "12", PERSON("Ann", "Lee", "\"Campus/1\""));
    make_sql(&c, "UPDATE public.openfaith_people SET \"lastName\" = 'Ours', \"updatedAt\" = now(), \"updatedBy\" = 'user_1'"
                 " WHERE \"orgId\" = ORG");
    bring(&c, "Person", "12", PERSON("Anne", "Lee", "\"Campus/2\""));
    expect(&c, PEOPLE, "Anne|Ours|lives");
    expect(&c, EDGES, "Campus/1|campus_primary_campus_person|Person/12|campus>person|gone ; "
                      "Campus/2|campus_primary_campus_person|Person/12|campus>person|lives");
    expect(&c, "SELECT seen ->> 'firstName' AS a, agreed AS b, staged AS c FROM sync.base WHERE org_id = ORG AND seen ? 'firstName'",
           "Anne|-|-"); /* Lee stays agreed: it is what theirs says */
    expect(&c, "SELECT field AS a, old AS b, new AS c, rule AS d FROM sync.journal WHERE org_id = ORG ORDER BY 1",
           "_rel.primary_campus|Campus/1|Campus/2|theirs changed ; firstName|Ann|Anne|theirs changed");
    /* both change the same field; their clock is behind the row's own */
    bring(&c, "Person", "12", PERSON("Anne", "Theirs", "null"));
    expect(&c, PEOPLE, "Anne|Ours|lives");
    expect(&c, "SELECT agreed AS a FROM sync.base WHERE org_id = ORG AND seen ? 'firstName'", "{\"lastName\": \"Lee\"}");
    expect(&c, EDGES, "Campus/1|campus_primary_campus_person|Person/12|campus>person|gone ; "
                      "Campus/2|campus_primary_campus_person|Person/12|campus>person|gone");
    /* nobody touched the row: it carries their time */
    make_sql(&c, "UPDATE public.openfaith_people SET \"lastName\" = 'Theirs' WHERE \"orgId\" = ORG");
    bring(&c, "Person", "12", PERSON("Anja", "Theirs", "\"Campus/1\""));
    OF_CLEANUP(of_freep) char *want = of_asprintf("Anja|%lld|sync:pco", (long long)c.now);
    expect(&c, "SELECT \"firstName\" AS a, extract(epoch FROM \"updatedAt\")::bigint AS b, \"updatedBy\" AS c"
               " FROM public.openfaith_people WHERE \"orgId\" = ORG", want);
    expect(&c, EDGES, "Campus/1|campus_primary_campus_person|Person/12|campus>person|lives ; "
                      "Campus/2|campus_primary_campus_person|Person/12|campus>person|gone");
    church_done(&c);
}

#define DEFINITION(slug, type)                                                                                            \
    "{\"key\":\"" slug "\",\"label\":\"L\",\"type\":\"" type "\",\"entityTag\":\"person\",\"source\":\"pco\",\"customFields\":[],"  \
    "\"_rel\":{\"tab\":null}}"
#define DATUM(value, definition, person)                                                                                  \
    "{\"value\":\"" value "\",\"_rel\":{\"field_definition\":\"FieldDefinition/" definition "\",\"customizable\":\"Person/" person "\"}}"
#define CUSTOM                                                                                                            \
    "SELECT coalesce(string_agg((e ->> '_tag') || ' ' || (e ->> 'name') || '=' || (e ->> 'value'), ','), '') AS a"           \
    " FROM public.openfaith_people p, jsonb_array_elements(\"customFields\") e WHERE \"orgId\" = ORG"

static void values_become_custom_fields(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "values", 'b');
    bring(&c, "FieldDefinition", "1", DEFINITION("size", "number"), "FieldDefinition", "2", DEFINITION("size", "string"), "Person",
          "12", PERSON("Ann", "Lee", "null"));
    expect(&c, "SELECT key AS a FROM public.openfaith_fields WHERE \"orgId\" = ORG ORDER BY 1", "size ; size_2");
    make_sql(&c, "UPDATE public.openfaith_people SET \"customFields\" = '[{\"_tag\":\"string\",\"name\":\"own\",\"source\":\"here\","
                 "\"value\":\"kept\"}]' WHERE \"orgId\" = ORG");
    bring(&c, "FieldDatum", "100", DATUM("42", "1", "12"), "FieldDatum", "101", DATUM("blue", "2", "12"), "FieldDatum", "102",
          DATUM("red", "2", "12"));
    expect(&c, CUSTOM, "string own=kept,number size=42,string size_2=blue,string size_2=red");
    bring(&c, "FieldDatum", "100", DATUM("43", "1", "12"));
    expect(&c, CUSTOM, "string own=kept,string size_2=blue,string size_2=red,number size=43");
    gone(&c, "FieldDatum", "101");
    expect(&c, CUSTOM, "string own=kept,number size=43,string size_2=red");
    gone(&c, "FieldDatum", "102");
    expect(&c, CUSTOM, "string own=kept,number size=43");
    bring(&c, "FieldDatum", "200", DATUM("7", "1", "77"));
    expect(&c, WORK, "FieldDatum/200|waiting|value|Person/77");
    expect(&c, "SELECT external_id AS a, state AS b FROM sync.external_link WHERE org_id = ORG AND kind = 'value' ORDER BY 1",
           "100|linked ; 101|deleted ; 102|deleted ; 200|unmatched");
    church_done(&c);
}

#define GROUP(name) "{\"name\":\"" name "\",\"memberCount\":1,\"customFields\":[],\"_rel\":{\"group_type\":null}}"
#define MEMBER(role, group, person)                                                                                       \
    "{\"role\":\"" role "\",\"joinedAt\":null,\"_rel\":{\"group\":\"Group/" group "\",\"person\":\"Person/" person "\"}}"

static void memberships_are_edges(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "members", 'b');
    bring(&c, "Person", "12", PERSON("Ann", "Lee", "null"), "Group", "1", GROUP("Choir"), "Membership", "7",
          MEMBER("member", "1", "12"), "Membership", "8", MEMBER("member", "1", "13"));
    expect(&c, EDGES, "Group/1|group_has_person|Person/12|group>person|lives");
    expect(&c, WORK, "Membership/8|waiting|edge|Person/13");
    bring(&c, "Membership", "7", MEMBER("leader", "1", "12"));
    expect(&c, "SELECT metadata ->> 'role' AS a, metadata ->> 'relationshipKey' AS b FROM public.openfaith_edges WHERE \"orgId\" = ORG",
           "leader|person");
    gone(&c, "Membership", "7");
    expect(&c, EDGES, "Group/1|group_has_person|Person/12|group>person|gone");
    bring(&c, "Membership", "7", MEMBER("leader", "1", "12"));
    expect(&c, EDGES, "Group/1|group_has_person|Person/12|group>person|lives");
    church_done(&c);
}

#define HOUSEHOLD(name, people)                                                                                           \
    "{\"name\":\"" name "\",\"memberCount\":2,\"customFields\":[],\"_rel\":{\"primary_contact\":null},\"_many\":{\"people\":[" people "]}}"
#define FAMILY(first, emails)                                                                                             \
    "{\"firstName\":\"" first "\",\"lastName\":\"Lee\",\"customFields\":[],\"_rel\":{\"primary_campus\":null},"               \
    "\"_sub\":{\"Email\":[" emails "]}}"

/* A 404 has its place in the order of reads: who was read after it lives, and is looked at again. */
static void a_404_that_is_older_than_a_read(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "old404", 'b');
    bring(&c, "Person", "12", PERSON("Ann", "Lee", "null"));
    const int64_t now = c.a.read_seq;
    c.a.read_seq = now - 1;
    gone(&c, "Person", "12");
    expect(&c, PEOPLE, "Ann|Lee|lives");
    expect(&c, WORK, "Person/12|ready|older read|-");
    c.a.read_seq = now + 1;
    gone(&c, "Person", "12");
    expect(&c, PEOPLE, "Ann|Lee|gone");
    church_done(&c);
}

static void what_is_gone_leaves_a_tombstone_and_may_come_back(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "gone", 'b');
    bring(&c, "Person", "12", FAMILY("Ann", "\"5\""), "Email", "5", EMAIL("a@b.c", "12"), "Household", "3",
          HOUSEHOLD("Lee", "\"Person/12\""));
    expect(&c, EDGES, "Email/5|email_has_person|Person/12|email>person|lives ; "
                      "Household/3|household_has_person|Person/12|household>person|lives");
    gone(&c, "Person", "12");
    expect(&c, LINKS, "Email/5|deleted ; Household/3|linked ; Person/12|deleted");
    expect(&c, EDGES, "Email/5|email_has_person|Person/12|email>person|gone ; "
                      "Household/3|household_has_person|Person/12|household>person|gone");
    expect(&c, PEOPLE, "Ann|Lee|gone");
    expect(&c, "SELECT external_type AS a, rule AS b FROM sync.journal WHERE org_id = ORG ORDER BY 1",
           "Email|gone there ; Person|gone there");
    gone(&c, "Person", "12"); /* twice is once */
    expect(&c, "SELECT count(*) AS a FROM sync.journal WHERE org_id = ORG AND external_type = 'Person'", "1");
    c.a.again = true;
    bring(&c, "Person", "12", FAMILY("Ann", "\"5\""), "Email", "5", EMAIL("a@b.c", "12"));
    expect(&c, LINKS, "Email/5|linked ; Household/3|linked ; Person/12|linked");
    expect(&c, PEOPLE, "Ann|Lee|lives");
    expect(&c, "SELECT \"deletedBy\" AS a FROM public.openfaith_emails WHERE \"orgId\" = ORG AND \"deletedAt\" IS NULL", "-");
    expect(&c, "SELECT count(*) AS a FROM public.openfaith_people WHERE \"orgId\" = ORG", "1");
    OF_CLEANUP(of_freep) char *edges = ask(&c, EDGES);
    assert_non_null(strstr(edges, "Email/5|email_has_person|Person/12|email>person|lives"));
    church_done(&c);
}

static void a_child_that_is_no_longer_named_is_looked_at(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "missing", 'b');
    bring(&c, "Person", "12", FAMILY("Ann", "\"5\",\"6\""), "Email", "5", EMAIL("a@b.c", "12"), "Email", "6", EMAIL("d@e.f", "12"));
    c.a.again = true;
    bring(&c, "Person", "12", FAMILY("Ann", "\"5\""), "Email", "5", EMAIL("a@b.c", "12"));
    expect(&c, WORK, "Email/6|ready|missing|-");
    church_done(&c);
}

static void a_household_loses_and_gains_people(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "household", 'b');
    bring(&c, "Person", "1", FAMILY("A", ""), "Person", "2", FAMILY("B", ""), "Person", "3", FAMILY("C", ""), "Household", "9",
          HOUSEHOLD("H", "\"Person/1\",\"Person/2\""));
    bring(&c, "Household", "9", HOUSEHOLD("H", "\"Person/2\",\"Person/3\""));
    expect(&c, EDGES, "Household/9|household_has_person|Person/1|household>person|gone ; "
                      "Household/9|household_has_person|Person/2|household>person|lives ; "
                      "Household/9|household_has_person|Person/3|household>person|lives");
    church_done(&c);
}

static void a_merge_moves_what_hung_on_the_removed(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "merger", 'b');
    bring(&c, "Campus", "1", CAMPUS("Main"), "Person", "20", FAMILY("Keep", ""), "Person", "21",
          "{\"firstName\":\"Gone\",\"lastName\":\"Lee\",\"customFields\":[],\"_rel\":{\"primary_campus\":\"Campus/1\"},"
          "\"_sub\":{\"Email\":[\"5\"],\"PhoneNumber\":[\"6\"]}}",
          "Email", "5", EMAIL("a@b.c", "21"), "PhoneNumber", "6", PHONE("555", "21"), "Household", "3",
          HOUSEHOLD("Both", "\"Person/20\",\"Person/21\""));
    make_sql(&c, "INSERT INTO public.openfaith_edges (\"orgId\", \"sourceEntityId\", \"sourceEntityTypeTag\", \"targetEntityId\","
                 " \"targetEntityTypeTag\", \"relationshipType\", \"createdAt\") SELECT ORG, least(a.id, b.id), 'person',"
                 " greatest(a.id, b.id), 'person', 'person_has_person', now() FROM public.openfaith_people a, public.openfaith_people b"
                 " WHERE a.\"orgId\" = ORG AND b.\"orgId\" = ORG AND a.\"firstName\" = 'Keep' AND b.\"firstName\" = 'Gone'");
    merged(&c, "20", "21");
    expect(&c, "SELECT external_id AS a, state AS b, link_metadata ->> 'mergedInto' AS c FROM sync.external_link WHERE org_id = ORG"
               " AND external_type = 'Person' ORDER BY 1", "20|linked|- ; 21|merged_into|20");
    expect(&c, PEOPLE, "Gone|Lee|gone ; Keep|Lee|lives");
    OF_CLEANUP(of_freep) char *living = of_asprintf("SELECT * FROM (%s) z WHERE e = 'lives'", EDGES);
    OF_CLEANUP(of_freep) char *got = ask(&c, living);
    assert_null(strstr(got, "Campus/1|campus_primary_campus_person|Person/20")); /* the kept one says its own */
    assert_non_null(strstr(got, "Email/5|email_has_person|Person/20"));
    assert_non_null(strstr(got, "Household/3|household_has_person|Person/20"));
    assert_non_null(strstr(got, "Person/20|person_has_phoneNumber|PhoneNumber/6"));
    assert_non_null(strstr(got, "|merged|"));
    assert_null(strstr(got, "person_has_person"));
    assert_null(strstr(got, "household_has_person|Person/21"));
    expect(&c, WORK, "Email/5|ready|missing|- ; Person/20|ready|merged|- ; PhoneNumber/6|ready|missing|-");
    merged(&c, "20", "21");
    expect(&c, "SELECT gen AS a FROM sync.work WHERE org_id = ORG AND record_type = 'Person'", "1");
    /* and a page that still shows the removed one changes nothing */
    bring(&c, "Person", "21", FAMILY("Ghost", ""));
    expect(&c, PEOPLE, "Gone|Lee|gone ; Keep|Lee|lives");
    church_done(&c);
}

static void a_time_that_moved_alone_moves_updated_at(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "time", 'b');
    bring(&c, "Person", "12", PERSON("Ann", "Lee", "null"));
    c.a.again = true;
    bring(&c, "Person", "12", PERSON("Ann", "Lee", "null"));
    OF_CLEANUP(of_freep) char *now = of_asprintf("%lld|%lld|done", (long long)c.now, (long long)c.now);
    expect(&c, "SELECT extract(epoch FROM p.\"updatedAt\")::bigint AS a, extract(epoch FROM l.external_updated_at)::bigint AS b,"
               " CASE WHEN b.staged IS NULL THEN 'done' ELSE 'staged' END AS c FROM public.openfaith_people p"
               " JOIN sync.external_link l ON l.org_id = ORG AND l.entity_id = p.id"
               " JOIN sync.base b ON b.org_id = ORG AND b.link_id = l.id WHERE p.\"orgId\" = ORG", now);
    church_done(&c);
}

static void a_merge_into_one_that_is_not_here_yet(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "merger_early", 'b');
    bring(&c, "Person", "21", FAMILY("Gone", ""), "Household", "3", HOUSEHOLD("Both", "\"Person/21\""));
    struct of_err err = OF_ERR_INIT;
    ok(of_apply_begin(&c.a, &err));
    ok(of_apply_merger(&c.a, of_type_find(pco, "Person"), "22", "21", &err));
    ok(of_pg_commit(db, &err));
    expect(&c, PEOPLE, "Gone|Lee|lives");
    expect(&c, WORK, "Person/21|ready|merged|- ; Person/22|ready|merged|-"); /* and when the kept one is here, it is done whole */
    make_sql(&c, "DELETE FROM sync.work WHERE org_id = ORG");
    merged(&c, "22", "21"); /* it does not come */
    expect(&c, PEOPLE, "Gone|Lee|gone");
    expect(&c, WORK, "Household/3|ready|merged|- ; Person/22|ready|merged|-");
    /* read again, it names the kept one, and waits for it */
    bring(&c, "Household", "3", HOUSEHOLD("Both", "\"Person/22\""));
    bring(&c, "Person", "22", FAMILY("Kept", ""));
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *none = of_pgarr_new(OF_PG_TEXT);
    int64_t tied = 0;
    of_pgarr_text(ids, "3");
    ok(of_apply_begin(&c.a, &err));
    ok(of_apply_edges(&c.a, of_type_find(pco, "Household"), ids, none, &tied, &err));
    ok(of_pg_commit(db, &err));
    OF_CLEANUP(of_freep) char *got = ask(&c, EDGES);
    assert_non_null(strstr(got, "Household/3|household_has_person|Person/22"));
    church_done(&c);
}

static void openfaith_alone_creates_nothing(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "mode_o", 'o');
    make_sql(&c, "INSERT INTO public.openfaith_campuses (id, \"orgId\", name, street, city, state, zip, \"createdAt\")"
                 " VALUES ('campus_o1', ORG, 'main ', 'S', '', '', '', now())");
    bring(&c, "Campus", "1", CAMPUS("Main"), "Campus", "2", CAMPUS("East"), "Person", "12", PERSON("Ann", "Lee", "\"Campus/1\""),
          "Email", "5", EMAIL("a@b.c", "12"));
    expect(&c, LINKS, "Campus/1|linked ; Campus/2|unmatched ; Email/5|unmatched ; Person/12|unmatched");
    expect(&c, "SELECT name AS a, street AS b, city AS c FROM public.openfaith_campuses WHERE \"orgId\" = ORG", "main |S|Ulm");
    expect(&c, PEOPLE, "");
    church_done(&c);
}

static void person_keys(struct church *c, const char *id, const char *body, const char *keys)
{
    struct of_err err = OF_ERR_INIT;
    struct of_record r = record(c, "Person", id, body);
    const struct of_record *one[] = {&r};
    r.match_keys = of_strdup(keys);
    c->a.read_seq++;
    ok(of_apply_begin(&c->a, &err));
    ok(of_apply_stage(&c->a, r.type, one, 1, &err));
    ok(of_apply_records(&c->a, one, 1, &err));
    ok(of_pg_commit(db, &err));
    record_done(&r);
}

static void people_are_found_again(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "match", 'b');
    make_sql(&c, "INSERT INTO public.openfaith_people (id, \"orgId\", \"firstName\", \"lastName\", birthdate, \"createdAt\") VALUES"
                 " ('person_m1', ORG, 'Ann', 'Lee', NULL, now()), ('person_m2', ORG, 'Bob', 'Ray', '1990-01-31', now()),"
                 " ('person_m3', ORG, 'Cy', 'Poe', '1980-01-01', now())");
    make_sql(&c, "INSERT INTO public.openfaith_emails (id, \"orgId\", address, \"createdAt\") VALUES ('email_m1', ORG, 'A@b.c', now())");
    make_sql(&c, "INSERT INTO public.openfaith_edges (\"orgId\", \"sourceEntityId\", \"sourceEntityTypeTag\", \"targetEntityId\","
                 " \"targetEntityTypeTag\", \"relationshipType\", \"createdAt\") VALUES (ORG, 'email_m1', 'email', 'person_m1',"
                 " 'person', 'email_has_person', now())");
    person_keys(&c, "1", PERSON("ANN", "Lee", "null"), "e:a@b.c\x1fn:ann lee");
    person_keys(&c, "2", "{\"firstName\":\"Bob\",\"lastName\":\"Ray\",\"birthdate\":\"1990-01-31\",\"customFields\":[]}",
                "b:1990-01-31\x1fn:bob ray");
    person_keys(&c, "3", "{\"firstName\":\"Cy\",\"lastName\":\"Poe\",\"birthdate\":null,\"customFields\":[]}", "n:cy poe");
    person_keys(&c, "4", PERSON("Dan", "New", "null"), "e:a@b.c\x1fn:dan new"); /* the address alone is another person */
    expect(&c, "SELECT external_id AS a, state AS b, CASE WHEN entity_id LIKE 'person\\_m%' THEN entity_id ELSE 'other' END AS c"
               " FROM sync.external_link WHERE org_id = ORG ORDER BY 1",
           "1|linked|person_m1 ; 2|linked|person_m2 ; 3|ambiguous|other ; 4|linked|other");
    expect(&c, "SELECT r.external_id AS a, r.state AS b, x.entity_id AS c, x.score AS d, x.reasons AS e FROM sync.review r"
               " JOIN sync.review_candidate x ON x.review_id = r.id WHERE org_id = ORG", "3|open|person_m3|50|[\"name\"]");
    expect(&c, PEOPLE, "ANN|Lee|lives ; Bob|Ray|lives ; Cy|Poe|lives ; Dan|New|lives"); /* theirs where they have a value */
    bring(&c, "Email", "5", EMAIL("a@B.c ", "1"), "Email", "6", EMAIL("a@b.c", "4"), "Email", "7", EMAIL("x@y.z", "1"));
    expect(&c, "SELECT external_id AS a, CASE WHEN entity_id = 'email_m1' THEN entity_id ELSE 'made' END AS b FROM sync.external_link"
               " WHERE org_id = ORG AND external_type = 'Email' ORDER BY 1", "5|email_m1 ; 6|made ; 7|made");
    expect(&c, "SELECT count(*) AS a FROM public.openfaith_edges WHERE \"orgId\" = ORG AND \"deletedAt\" IS NULL", "3");
    church_done(&c);
}

/* One record of a batch that the database refuses becomes a dead letter; the others are made. */
static void one_bad_record_does_not_hold_up_a_batch(void **state)
{
    (void)state;
    struct church c;
    struct of_err err = OF_ERR_INIT;
    struct of_conf conf = {.slice_ms = 60000, .batch_rows = 100};
    church_init(&c, "bisect", 'b');
    stage(&c, "Household", "1", HOUSEHOLD("A", ""), "Household", "2",
          "{\"name\":\"B\",\"memberCount\":3000000000,\"customFields\":[]}", "Household", "3", HOUSEHOLD("C", ""), "Household", "4",
          HOUSEHOLD("D", ""), "Household", "5", HOUSEHOLD("E", ""));
    make_sql(&c, "INSERT INTO sync.run (id, org_id, adapter, kind) VALUES (777001, ORG, 'pco', 'initial')");
    make_sql(&c, "INSERT INTO sync.phase (run_id, external_type, org_id, adapter, ordinal, step, seq)"
                 " VALUES (777001, 'Household', ORG, 'pco', 1, 'create', 5)");
    c.w.conf = &conf;
    c.w.pool = of_pgpool_new(url, "test-apply", 2);
    if (of_kafka_producer_new("127.0.0.1:1", "test-apply", 0, &c.w.producer, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    struct of_phase_job *pj = of_calloc(1, sizeof *pj);
    pj->w = &c.w;
    pj->msg = (struct of_task_msg){.org = c.org, .adapter = c.conn.adapter_name, .run = 777001, .type = of_strdup("Household")};
    pj->conn = &c.conn;
    pj->type = of_type_find(pco, "Household");
    pj->slice_end = (struct of_boot){.ms = of_boot_now().ms + 60000};
    pj->seq = 5;
    pj->total = 5;
    (void)of_strcopy(pj->step, sizeof pj->step, "create");
    assert_int_equal(pthread_mutex_init(&pj->lock, NULL), 0);
    enum of_go go = of_create_step(pj, &err);
    if (go != OF_GO_AGAIN) {
        fail_msg("%d %s", (int)go, err.msg);
    }
    expect(&c, LINKS, "Household/1|linked ; Household/2|unmatched ; Household/3|linked ; Household/4|linked ; Household/5|linked");
    expect(&c, "SELECT record_id AS a, state AS b, place AS c, error_class AS d FROM sync.work WHERE org_id = ORG",
           "2|dead|create|permanent");
    expect(&c, "SELECT seq AS a, cursor ->> 'after' AS b, processed AS c FROM sync.phase WHERE org_id = ORG", "6|5|5");
    go = of_create_step(pj, &err); /* none left: on to populate */
    assert_int_equal(go, OF_GO_AGAIN);
    assert_string_equal(pj->step, "populate");
    of_freep(&pj->msg.type);
    pthread_mutex_destroy(&pj->lock);
    of_freep(&pj);
    of_kafka_producer_free(c.w.producer);
    of_pgpool_free(c.w.pool);
    church_done(&c);
}

/* The fence: nothing is written under settings that are not the present ones. */
static void another_generation_writes_nothing(void **state)
{
    (void)state;
    struct church c;
    struct of_err err = OF_ERR_INIT;
    church_init(&c, "fence", 'b');
    c.conn.generation = 2;
    assert_int_equal(of_apply_begin(&c.a, &err), OF_E_LEASE);
    assert_int_equal(err.cls, OF_CLASS_FENCED);
    c.conn.generation = 1;
    make_sql(&c, "UPDATE sync.connection SET state = 'paused' WHERE org_id = ORG");
    err = OF_ERR_INIT;
    assert_int_equal(of_apply_begin(&c.a, &err), OF_E_LEASE);
    church_done(&c);
}

/* --- what is on its way there --- */

/* What was read while a push of the record is under way, or before its answer, is not applied; and never just dropped. */
static void reads_around_a_push(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "pushed", 'b');
    static const char seen[] = "SELECT coalesce(b.staged, b.seen) ->> 'firstName' AS f FROM sync.base b JOIN sync.external_link l ON "
                               "l.org_id = b.org_id AND l.id = b.link_id WHERE b.org_id = ORG AND l.external_type = 'Person'";
    static const char hinted[] = "SELECT record_type AS t, record_id AS i, reason AS r, state AS s, (due_at > now())::text AS u "
                                 "FROM sync.work WHERE org_id = ORG AND direction = 'in'";
    bring(&c, "Person", "1", "{\"firstName\":\"A\",\"lastName\":\"X\"}");
    make_sql(&c, "INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, state, lease_until) "
                 "SELECT ORG, 'pco', 'out', 'person', entity_id, 'leased', now() + interval '1 minute' FROM sync.external_link "
                 "WHERE org_id = ORG AND external_type = 'Person'");
    bring(&c, "Person", "1", "{\"firstName\":\"B\",\"lastName\":\"X\"}");
    expect(&c, seen, "A");
    expect(&c, hinted, "1|pushed|ready|Person|true");
    OF_CLEANUP(of_freep) char *id = ask(&c, "SELECT entity_id FROM sync.external_link WHERE org_id = ORG");
    c.a.out_type = "person"; /* the answer of that push itself */
    c.a.out_id = id;
    bring(&c, "Person", "1", "{\"firstName\":\"C\",\"lastName\":\"X\"}");
    c.a.out_type = c.a.out_id = NULL;
    expect(&c, seen, "C");
    make_sql(&c, "DELETE FROM sync.work WHERE org_id = ORG; UPDATE sync.external_link SET push_seq = 100 WHERE org_id = ORG");
    bring(&c, "Person", "1", "{\"firstName\":\"D\",\"lastName\":\"X\"}"); /* asked before the answer came */
    expect(&c, seen, "C");
    expect(&c, hinted, "1|pushed|ready|Person|true");
    c.a.read_seq = 100;
    bring(&c, "Person", "1", "{\"firstName\":\"E\",\"lastName\":\"X\"}");
    expect(&c, seen, "E");
    church_done(&c);
}

/* A record that nobody knows may be the one that a create of ours has made: no second person is made of it. */
static void new_records_while_a_create_is_open(void **state)
{
    (void)state;
    struct church c;
    church_init(&c, "held", 'b');
    static const char people[] = "SELECT external_id AS i, state AS s FROM sync.external_link WHERE org_id = ORG ORDER BY external_id";
    make_sql(&c, "INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, intent) "
                 "VALUES (ORG, 'pco', 'out', 'person', 'person_x', '{\"sent_at\":1700000030000}')");
    bring(&c, "Person", "50", "{\"firstName\":\"A\",\"lastName\":\"X\"}");
    expect(&c, people, "50|unmatched");
    expect(&c, "SELECT record_type AS t, record_id AS i, reason AS r FROM sync.work WHERE org_id = ORG AND direction = 'in'",
           "50|held|Person");
    make_sql(&c, "UPDATE sync.work SET intent = '{\"sent_at\":1700000090000}' WHERE org_id = ORG AND direction = 'out'");
    bring(&c, "Person", "51", "{\"firstName\":\"B\",\"lastName\":\"Y\"}"); /* made there more than a minute before */
    expect(&c, people, "50|unmatched ; 51|linked");
    make_sql(&c, "DELETE FROM sync.work WHERE org_id = ORG AND direction = 'out'");
    bring(&c, "Person", "50", "{\"firstName\":\"A\",\"lastName\":\"X\"}");
    expect(&c, people, "50|linked ; 51|linked");
    church_done(&c);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(an_older_or_equal_read_changes_nothing),
        TEST(records_become_entities_and_edges),
        TEST(an_edge_waits_for_its_other_end),
        TEST(what_changed_is_merged_and_written_down),
        TEST(values_become_custom_fields),
        TEST(memberships_are_edges),
        TEST(a_404_that_is_older_than_a_read),
        TEST(what_is_gone_leaves_a_tombstone_and_may_come_back),
        TEST(a_child_that_is_no_longer_named_is_looked_at),
        TEST(a_household_loses_and_gains_people),
        TEST(a_merge_moves_what_hung_on_the_removed),
        TEST(a_time_that_moved_alone_moves_updated_at),
        TEST(a_merge_into_one_that_is_not_here_yet),
        TEST(openfaith_alone_creates_nothing),
        TEST(people_are_found_again),
        TEST(one_bad_record_does_not_hold_up_a_batch),
        TEST(another_generation_writes_nothing),
        TEST(reads_around_a_push),
        TEST(new_records_while_a_create_is_open),
    };
    url = getenv("OF_TEST_DATABASE_URL");
    if (!url) {
        printf("skipped: OF_TEST_DATABASE_URL is not set\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}

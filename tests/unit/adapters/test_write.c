/* SPDX-License-Identifier: Apache-2.0 */
/* The requests that change something in Planning Center, to the byte. */
#include "support.h"

#define CUSTOM(tag, name, value) "{'_tag':'" tag "','name':'pco_" name "','source':'pco','value':" value "}"
#define MAX_BYTES (4U << 20)

struct asked {
    enum of_verb verb;
    const char *type, *id, *parent, *body, *with;
};

static struct of_json *json(const char *text)
{
    struct of_json *ret = NULL;
    if (text) {
        char *body = quoted(text);
        assert_int_equal(of_json_parse(body, strlen(body), MAX_BYTES, &ret, NULL), OF_OK);
        free(body);
    }
    return ret;
}

static enum of_code ask(const struct asked *a, const char **method, struct of_buf *target, struct of_buf *body, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *sent = json(a->body);
    OF_CLEANUP(of_json_freep) struct of_json *with = json(a->with);
    const struct of_write w = {.verb = a->verb, .type = type_of(a->type), .id = a->id, .parent = a->parent, .body = sent, .with = with};
    return pco()->write_request(&w, of_scope_all(pco()), method, target, body, err);
}

static void assert_request(const struct asked *a, const char *line, const char *expected)
{
    struct of_buf target = OF_BUF_INIT(4096);
    struct of_buf body = OF_BUF_INIT(MAX_BYTES);
    struct of_err err = OF_ERR_INIT;
    const char *method = NULL;
    if (ask(a, &method, &target, &body, &err) != OF_OK) {
        fail_msg("%s: %s", a->type, err.msg);
    }
    char *is = of_asprintf("%s %s", method, of_buf_text(&target));
    assert_string_equal(is, line);
    free(is);
    char *text = quoted(expected);
    assert_string_equal(of_buf_text(&body), text);
    free(text);
    if (expected[0] != '\0') {
        of_json_free(json(of_buf_text(&body)));
    }
    of_buf_done(&target);
    of_buf_done(&body);
}

static void assert_refused(const struct asked *a, const char *words)
{
    struct of_buf target = OF_BUF_INIT(4096);
    struct of_buf body = OF_BUF_INIT(MAX_BYTES);
    struct of_err err = OF_ERR_INIT;
    const char *method = NULL;
    assert_int_equal(ask(a, &method, &target, &body, &err), OF_E_INVALID);
    assert_string_equal(err.msg, words);
    of_buf_done(&target);
    of_buf_done(&body);
}

#define POST(...) (&(struct asked){.verb = OF_VERB_CREATE, __VA_ARGS__})
#define PATCH(...) (&(struct asked){.verb = OF_VERB_UPDATE, __VA_ARGS__})
#define DELETE(...) (&(struct asked){.verb = OF_VERB_DELETE, __VA_ARGS__})
#define PEOPLE "/people/v2/people"
#define VALUES "?include=marital_status,inactive_reason,name_prefix,name_suffix"

static void test_people(void **state)
{
    (void)state;
    assert_request(POST(.type = "Person",
                        .body = "{'firstName':'Ann \\'A\\'','gender':'female','birthdate':'1990-01-31','status':'active','customFields':["
                                CUSTOM("number", "grade", "4") "," CUSTOM("string", "marital_status", "'Married'")
                                "],'_rel':{'primary_campus':'Campus/3','marital_status':'MaritalStatus/7'}}"),
                   "POST " PEOPLE VALUES,
                   "{'data':{'type':'Person','attributes':{'first_name':'Ann \\'A\\'','gender':'Female','birthdate':'1990-01-31',"
                   "'status':'active','grade':4},'relationships':{'primary_campus':{'data':{'type':'PrimaryCampus','id':'3'}},"
                   "'marital_status':{'data':{'type':'MaritalStatus','id':'7'}}}}}");
    assert_request(PATCH(.type = "Person", .id = "12",
                         .body = "{'membership':null,'gender':null,'_rel':{'primary_campus':null},"
                                 "'_clear':['pco_nickname','pco_marital_status']}"),
                   "PATCH " PEOPLE "/12" VALUES,
                   "{'data':{'type':'Person','id':'12','attributes':{'gender':null,'membership':null,'nickname':null},"
                   "'relationships':{'primary_campus':{'data':null},'marital_status':{'data':null}}}}");
    assert_request(DELETE(.type = "Person", .id = "12"), "DELETE " PEOPLE "/12", "");
    /* rights and what is theirs alone do not go out, whoever puts them into a body */
    assert_refused(PATCH(.type = "Person", .id = "12",
                         .body = "{'name':'x','customFields':[" CUSTOM("boolean", "site_administrator", "true") "]}"),
                   "Person: nothing to send");
}

static void test_contacts(void **state)
{
    (void)state;
    assert_request(POST(.type = "Email", .body = "{'address':'a@b.c','primary':true,'_rel':{'person':'Person/12'}}"),
                   "POST " PEOPLE "/12/emails", "{'data':{'type':'Email','attributes':{'address':'a@b.c','primary':true}}}");
    assert_request(PATCH(.type = "Email", .id = "5", .body = "{'location':'Work'}"), "PATCH /people/v2/emails/5",
                   "{'data':{'type':'Email','id':'5','attributes':{'location':'Work'}}}");
    /* the number goes back as number; they want a location */
    assert_request(POST(.type = "PhoneNumber", .parent = "12", .body = "{'number':'555-0100','_rel':{'person':'Person/12'}}"),
                   "POST " PEOPLE "/12/phone_numbers",
                   "{'data':{'type':'PhoneNumber','attributes':{'number':'555-0100','location':'Mobile'}}}");
    assert_request(PATCH(.type = "PhoneNumber", .id = "5", .body = "{'location':'home'}"), "PATCH /people/v2/phone_numbers/5",
                   "{'data':{'type':'PhoneNumber','id':'5','attributes':{'location':'Home'}}}");
    assert_request(PATCH(.type = "PhoneNumber", .id = "5", .body = "{'location':'Boat'}"), "PATCH /people/v2/phone_numbers/5",
                   "{'data':{'type':'PhoneNumber','id':'5','attributes':{'location':'Other'}}}");
    assert_request(POST(.type = "Address", .parent = "1/2", .body = "{'streetLine1':'Main St','city':'Reno','countryCode':'US'}"),
                   "POST " PEOPLE "/1%2F2/addresses",
                   "{'data':{'type':'Address','attributes':{'street_line_1':'Main St','city':'Reno','country_code':'US'}}}");
    assert_request(DELETE(.type = "Address", .id = "7"), "DELETE /people/v2/addresses/7", "");
    assert_refused(POST(.type = "Email", .body = "{'address':'a@b.c'}"), "Email lacks its person");
    assert_refused(POST(.type = "Email", .parent = "12", .body = "{'location':'Home'}"), "Email lacks address");
    assert_refused(POST(.type = "PhoneNumber", .parent = "12", .body = "{'location':'Home'}"), "PhoneNumber lacks number");
}

static void test_values(void **state)
{
    (void)state;
    assert_request(POST(.type = "FieldDatum",
                        .body = "{'value':1.5,'_rel':{'field_definition':'FieldDefinition/44','customizable':'Person/12'}}"),
                   "POST " PEOPLE "/12/field_data",
                   "{'data':{'type':'FieldDatum','attributes':{'value':'1.5','field_definition_id':'44'}}}");
    assert_request(PATCH(.type = "FieldDatum", .id = "9", .body = "{'value':true}"), "PATCH /people/v2/field_data/9",
                   "{'data':{'type':'FieldDatum','id':'9','attributes':{'value':'true'}}}");
    assert_request(DELETE(.type = "FieldDatum", .id = "9"), "DELETE /people/v2/field_data/9", "");
    assert_refused(POST(.type = "FieldDatum", .parent = "12", .body = "{'value':'x'}"), "FieldDatum lacks field_definition");
}

static void test_households(void **state)
{
    (void)state;
    assert_request(POST(.type = "Household",
                        .body = "{'name':'Lee','_rel':{'primary_contact':'Person/1'},'_many':{'people':['Person/1','Person/2']}}"),
                   "POST /people/v2/households?include=people",
                   "{'data':{'type':'Household','attributes':{'name':'Lee'},'relationships':{'people':{'data':["
                   "{'type':'Person','id':'1'},{'type':'Person','id':'2'}]},'primary_contact':{'data':{'type':'Person','id':'1'}}}}}");
    /* its primary contact is one of its people */
    assert_request(POST(.type = "Household",
                        .body = "{'name':'Lee','_rel':{'primary_contact':'Person/3'},'_many':{'people':['Person/1']}}"),
                   "POST /people/v2/households?include=people",
                   "{'data':{'type':'Household','attributes':{'name':'Lee'},'relationships':{'people':{'data':["
                   "{'type':'Person','id':'1'},{'type':'Person','id':'3'}]},'primary_contact':{'data':{'type':'Person','id':'3'}}}}}");
    assert_request(PATCH(.type = "Household", .id = "8", .body = "{'name':'Li','_rel':{'primary_contact':'Person/2'}}"),
                   "PATCH /people/v2/households/8?include=people",
                   "{'data':{'type':'Household','id':'8','attributes':{'name':'Li'},'relationships':{'primary_contact':{'data':"
                   "{'type':'Person','id':'2'}}}}}");
    assert_refused(POST(.type = "Household", .body = "{'name':'Lee','_rel':{'primary_contact':'Person/1'}}"), "Household lacks people");
    assert_refused(POST(.type = "Household", .body = "{'name':'Lee','_many':{'people':['Person/1']}}"),
                   "Household lacks primary_contact");
    /* never pending: they would write to the person */
    assert_request(POST(.type = "HouseholdMembership", .body = "{'_rel':{'household':'Household/8','person':'Person/2'}}"),
                   "POST /people/v2/households/8/household_memberships",
                   "{'data':{'type':'HouseholdMembership','attributes':{'pending':false},"
                   "'relationships':{'person':{'data':{'type':'Person','id':'2'}}}}}");
    assert_request(DELETE(.type = "HouseholdMembership", .id = "4", .parent = "8"),
                   "DELETE /people/v2/households/8/household_memberships/4", "");
    assert_refused(DELETE(.type = "HouseholdMembership", .id = "4"), "HouseholdMembership lacks its household");
    assert_refused(PATCH(.type = "HouseholdMembership", .id = "4", .parent = "8", .body = "{}"),
                   "HouseholdMembership: a member's role and confirmation are kept in Planning Center");
}

static void test_groups(void **state)
{
    (void)state;
    assert_request(PATCH(.type = "Group", .id = "9", .body = "{'name':'Choir','schedule':null}"), "PATCH /groups/v2/groups/9",
                   "{'data':{'type':'Group','id':'9','attributes':{'name':'Choir','schedule':null}}}");
    assert_refused(POST(.type = "Group", .body = "{'name':'Choir'}"), "Group: groups are made and ended in Planning Center");
    assert_request(POST(.type = "Membership",
                        .body = "{'role':'leader','joinedAt':'2024-05-01T10:00:00Z','_rel':{'group':'Group/9','person':'Person/12'}}"),
                   "POST /groups/v2/groups/9/memberships",
                   "{'data':{'type':'Membership','attributes':{'role':'leader','joined_at':'2024-05-01T10:00:00Z',"
                   "'person_id':'12'}}}");
    assert_request(PATCH(.type = "Membership", .id = "3", .parent = "9", .body = "{'role':'Co-leader'}"),
                   "PATCH /groups/v2/groups/9/memberships/3",
                   "{'data':{'type':'Membership','id':'3','attributes':{'role':'member'}}}");
    assert_request(DELETE(.type = "Membership", .id = "3", .parent = "9"), "DELETE /groups/v2/groups/9/memberships/3", "");
}

static void test_giving(void **state)
{
    (void)state;
    assert_request(POST(.type = "Fund", .body = "{'name':'Roof'}"), "POST /giving/v2/funds",
                   "{'data':{'type':'Fund','attributes':{'name':'Roof','visibility':'admin_only'}}}");
    assert_request(POST(.type = "PaymentSource", .body = "{'name':'Square'}"), "POST /giving/v2/payment_sources",
                   "{'data':{'type':'PaymentSource','attributes':{'name':'Square'}}}");
    assert_request(POST(.type = "Batch", .body = "{'description':'Sunday'}"), "POST /giving/v2/batches",
                   "{'data':{'type':'Batch','attributes':{'description':'Sunday'}}}");
    assert_request(POST(.type = "Batch", .body = "{}"), "POST /giving/v2/batches", "{'data':{'type':'Batch','attributes':{}}}");
    assert_request(POST(.type = "Batch"), "POST /giving/v2/batches", "{'data':{'type':'Batch','attributes':{}}}");
    assert_refused(POST(.type = "Fund"), "Fund lacks name");
    const char *gift = "{'amountCents':2500,'paymentMethod':'check','checkNumber':'1042','receivedAt':'2024-05-01T10:00:00Z',"
                       "'_rel':{'person':'Person/12','batch':'Batch/2','campus':'Campus/3','payment_source':'PaymentSource/5'}}";
    const char *parts = "[{'type':'Designation','body':{'amountCents':2000,'_rel':{'fund':'Fund/1'}}},"
                        "{'type':'Designation','body':{'amountCents':500,'_rel':{'fund':'Fund/2'}}}]";
    assert_request(POST(.type = "Donation", .body = gift, .with = parts),
                   "POST /giving/v2/batches/2/donations?include=designations",
                   "{'data':{'type':'Donation','attributes':{'payment_method':'check','payment_check_number':1042,"
                   "'received_at':'2024-05-01T10:00:00Z'},'relationships':{'person':{'data':{'type':'Person','id':'12'}},"
                   "'campus':{'data':{'type':'Campus','id':'3'}},'payment_source':{'data':{'type':'PaymentSource','id':'5'}}}},"
                   "'included':[{'type':'Designation','attributes':{'amount_cents':2000},"
                   "'relationships':{'fund':{'data':{'type':'Fund','id':'1'}}}},{'type':'Designation',"
                   "'attributes':{'amount_cents':500},'relationships':{'fund':{'data':{'type':'Fund','id':'2'}}}}]}");
    assert_refused(POST(.type = "Donation", .body = gift), "Donation lacks a Designation");
    assert_refused(POST(.type = "Donation", .body = gift, .with = "[{'type':'Designation','body':{'amountCents':5}}]"),
                   "what travels inside Donation lacks fund");
    assert_refused(POST(.type = "Donation", .parent = "2", .with = parts,
                        .body = "{'paymentMethod':'cash','_rel':{'person':'Person/1'}}"),
                   "Donation lacks payment_source");
    assert_refused(POST(.type = "Donation", .parent = "2", .with = parts,
                        .body = "{'paymentMethod':'cash','_rel':{'payment_source':'PaymentSource/planning_center'}}"),
                   "the built-in payment source cannot be used by others");
    assert_request(PATCH(.type = "Donation", .id = "7", .body = "{'feeCents':-30,'_rel':{'campus':null}}"),
                   "PATCH /giving/v2/donations/7",
                   "{'data':{'type':'Donation','id':'7','attributes':{'fee_cents':-30},'relationships':{'campus':{'data':null}}}}");
    assert_refused(PATCH(.type = "Designation", .id = "7", .body = "{'amountCents':1}"),
                   "Designation: a designation is sent inside its new donation, and kept in Planning Center from then on");
}

/* --- what cannot be done, and where to look for what may have been --- */

static void test_words(void **state)
{
    (void)state;
    unsigned written = 0;
    for (const struct of_type *t = pco()->types; t->name; t++) {
        bool all = t->verbs == (OF_VERB_CREATE | OF_VERB_UPDATE | OF_VERB_DELETE);
        assert_int_equal(all, t->cannot == NULL);
        assert_true(!strstr(t->path, "{parent}") || t->verbs == 0 || t->create_parent);
        assert_int_equal(t->create_path && !strstr(t->create_path, "{parent}"), 0);
        bool known = !t->create_parent;
        for (const struct of_relation *r = t->relations; r && r->key; r++) {
            known = known || (strcmp(r->key, t->create_parent) == 0 && r->required && (r->writes & OF_VERB_CREATE));
        }
        assert_true(known);
        written += t->verbs != 0;
    }
    assert_int_equal(written, 14);
    struct of_buf out = OF_BUF_INIT(4096);
    of_scope some = (UINT64_C(1) << of_type_index(pco(), type_of("Person"))) | (UINT64_C(1) << of_type_index(pco(), type_of("Group"))) |
                    (UINT64_C(1) << of_type_index(pco(), type_of("Tab")));
    of_adapter_not_sent(pco(), some, &out);
    assert_string_equal(of_buf_text(&out), "Tab: create, update, delete (tabs are made in Planning Center); "
                                           "Group: create, delete (groups are made and ended in Planning Center)");
    of_buf_done(&out);
}

static void assert_recent(const char *type, const char *parent, int64_t offset, const char *expected)
{
    struct of_buf out = OF_BUF_INIT(4096);
    struct of_wall since;
    assert_true(of_time_parse("2026-01-02T03:04:05.900Z", &since));
    pco()->recent_target(type_of(type), of_scope_all(pco()), parent, since, offset, &out);
    assert_string_equal(of_buf_text(&out), expected);
    of_buf_done(&out);
}

static void test_recent(void **state)
{
    (void)state;
#define SINCE "2026-01-02T03%3A04%3A05Z"
    assert_recent("Household", NULL, 0,
                  "/people/v2/households?include=people&order=created_at&where[created_at][gte]=" SINCE "&per_page=100");
    assert_recent("Batch", NULL, 100, "/giving/v2/batches?order=updated_at&where[updated_at][gte]=" SINCE "&per_page=100&offset=100");
    assert_recent("Donation", "2", 0,
                  "/giving/v2/donations?include=designations&order=created_at&where[created_at][gte]=" SINCE "&per_page=100");
    assert_recent("Email", "12", 0, PEOPLE "/12/emails?per_page=100");
    assert_recent("Email", NULL, 0, "");
    assert_recent("FieldDatum", "12", 0, PEOPLE "/12/field_data?per_page=100");
    assert_recent("Membership", "9", 0, "/groups/v2/groups/9/memberships?per_page=100");
    assert_recent("Fund", NULL, 0, "/giving/v2/funds?per_page=100");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_people),     cmocka_unit_test(test_contacts), cmocka_unit_test(test_values),
        cmocka_unit_test(test_households), cmocka_unit_test(test_groups),   cmocka_unit_test(test_giving),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_recent),
    };
    return cmocka_run_group_tests_name("write", tests, NULL, NULL);
}

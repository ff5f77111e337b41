/* SPDX-License-Identifier: Apache-2.0 */
/* Pages as Planning Center sends them, and the exact canonical bodies that must come of them. */
#include "support.h"

#define CUSTOM(tag, name, value) "{'_tag':'" tag "','name':'pco_" name "','source':'pco','value':" value "}"

static void assert_times(const struct of_page *page, const char *type, const char *id, const char *created,
                         const char *updated)
{
    char text[OF_TIME_TEXT];
    const struct of_record *r = record_of(page, type, id);
    assert_non_null(r);
    assert_int_equal(r->has_created, created != NULL);
    assert_int_equal(r->has_updated, updated != NULL);
    if (created) {
        assert_string_equal(of_time_format(r->created_at, text), created);
    }
    if (updated) {
        assert_string_equal(of_time_format(r->updated_at, text), updated);
    }
}

static void assert_clean(const struct of_page *page, size_t n_records)
{
    for (size_t i = 0; i < page->n_bad; i++) {
        print_error("bad %s %s %s: %s\n", page->bad[i].type, page->bad[i].id, page->bad[i].place, page->bad[i].cause);
    }
    assert_int_equal(page->n_bad, 0);
    assert_int_equal(page->n_records, n_records);
}

static const char people_page[] =
    "{'links':{'self':'https://api.example.org/people/v2/people?per_page=2','next':'https://api.example.org/people/v2/people"
    "?offset=2&per_page=2'},"
    "'data':[{'type':'Person','id':'12','attributes':{'accounting_administrator':false,'anniversary':null,"
    "'avatar':'https://avatars.example.org/12.png','birthdate':'1990-01-31','can_create_forms':true,"
    "'can_email_lists':true,'child':false,'created_at':'2020-02-03T04:05:06Z','demographic_avatar_url':null,"
    "'directory_status':'no_access','first_name':'Ann','gender':'Female','given_name':null,'grade':4,"
    "'graduation_year':null,'inactivated_at':null,'last_name':'Lee','login_identifier':null,'medical_notes':'',"
    "'membership':'Member','middle_name':null,'name':'Ann Lee','nickname':'Annie','passed_background_check':true,"
    "'people_permissions':null,'remote_id':9007199254740991,'resource_permission_flags':{'x':true},"
    "'school_type':null,'site_administrator':false,'status':'active','updated_at':'2021-02-03T04:05:06Z',"
    "'brand_new_attribute':{'deep':[1,2]}},"
    "'relationships':{'primary_campus':{'data':{'type':'PrimaryCampus','id':'3'}},"
    "'marital_status':{'links':{'related':'x'},'data':{'type':'MaritalStatus','id':'7'}},"
    "'name_prefix':{'data':null},'name_suffix':{'data':{'type':'NameSuffix','id':'404'}},"
    "'emails':{'links':{'related':'x'},'data':[{'type':'Email','id':'12'},{'type':'Email','id':'100'}]},"
    "'phone_numbers':{'data':[{'type':'PhoneNumber','id':'5'}]},'addresses':{'data':[]},"
    "'field_data':{'data':[{'type':'FieldDatum','id':'900'}]}},"
    "'links':{'self':'https://api.example.org/people/v2/people/12'}},"
    "{'type':'Person','id':13,'attributes':{'first_name':'Bj\\u00f6rn \\ud83d\\ude00','last_name':null,'gender':' m ',"
    "'status':'deceased','inactivated_at':'2022-01-01T00:00:00Z','created_at':'2020-02-03T04:05:07Z'},"
    "'relationships':{'primary_campus':{'data':null}}}],"
    "'included':[{'type':'MaritalStatus','id':'7','attributes':{'value':'Married'}},"
    "{'type':'Email','id':'100','attributes':{'address':'  Ann@Example.ORG ','blocked':false,'location':'Home',"
    "'primary':true,'created_at':'2020-02-03T04:05:06Z','updated_at':'2020-02-03T04:05:06Z'},"
    "'relationships':{'person':{'data':{'type':'Person','id':'12'}}}},"
    "{'type':'Email','id':'12','attributes':{'address':'lee@example.org','blocked':true,'location':null,'primary':false}},"
    "{'type':'PhoneNumber','id':'5','attributes':{'carrier':null,'country_code':'US','e164':null,"
    "'international':'+1 555-555-0100','location':'Mobile','national':'(555) 555-0100','number':'555-555-0100',"
    "'primary':true},'relationships':{'person':{'data':{'type':'Person','id':'12'}}}},"
    "{'type':'FieldDatum','id':'900','attributes':{'value':'Blue','file':{'url':null},'created_at':'2020-02-03T04:05:06Z',"
    "'updated_at':'2020-02-03T04:05:06Z'},'relationships':{'field_definition':{'data':{'type':'FieldDefinition','id':'44'}},"
    "'customizable':{'data':{'type':'Person','id':'12'}}}},"
    "{'type':'Wormhole','id':'1','attributes':{}}],"
    "'meta':{'total_count':1915,'count':2,'next':{'offset':2},'can_order_by':['id'],"
    "'parent':{'id':'263468','type':'Organization'}}}";

static void test_people(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Person", people_page, NULL, &page);
    assert_clean(&page, 6);
    assert_int_equal(page.total, 1915);
    assert_true(page.has_next);
    assert_string_equal(page.account, "263468");
    assert_body(&page, "Person", "12",
                "{'firstName':'Ann','middleName':null,'lastName':'Lee','name':'Ann Lee','gender':'female',"
                "'birthdate':'1990-01-31','anniversary':null,'avatar':'https://avatars.example.org/12.png',"
                "'membership':'Member','status':'active','inactivatedAt':null,'customFields':["
                CUSTOM("boolean", "accounting_administrator", "false") "," CUSTOM("boolean", "child", "false") ","
                CUSTOM("number", "grade", "4") "," CUSTOM("string", "medical_notes", "''") ","
                CUSTOM("string", "nickname", "'Annie'") "," CUSTOM("boolean", "passed_background_check", "true") ","
                CUSTOM("number", "remote_id", "9007199254740991") ","
                CUSTOM("boolean", "site_administrator", "false") "," CUSTOM("string", "marital_status", "'Married'")
                "],'_rel':{'primary_campus':'Campus/3'},"
                "'_sub':{'Email':['100','12'],'PhoneNumber':['5'],'Address':[],'FieldDatum':['900']}}");
    assert_body(&page, "Person", "13",
                "{'firstName':'Bj\xc3\xb6rn \xf0\x9f\x98\x80','lastName':null,'gender':'male','status':'active',"
                "'inactivatedAt':'2022-01-01T00:00:00Z','customFields':[],'_rel':{'primary_campus':null}}");
    assert_times(&page, "Person", "12", "2020-02-03T04:05:06Z", "2021-02-03T04:05:06Z");
    assert_times(&page, "Person", "13", "2020-02-03T04:05:07Z", NULL);
    assert_string_equal(record_of(&page, "Person", "12")->match_keys,
                        "b:1990-01-31\x1f"
                        "e:ann@example.org\x1f"
                        "e:lee@example.org\x1f"
                        "n:ann lee\x1f"
                        "n:annie lee\x1f"
                        "p:5555550100");
    assert_string_equal(record_of(&page, "Person", "13")->match_keys, "n:bj\xc3\xb6rn \xf0\x9f\x98\x80");
    assert_int_equal(page.n_rows, 2);
    assert_string_equal(page.rows[1].id, "13");
    assert_true(page.rows[1].has_time);
    assert_true(page.rows[1].time.us == record_of(&page, "Person", "13")->created_at.us);
    of_page_done(&page);
    assert_null(page.records);
}

static void test_contacts(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Person", people_page, NULL, &page);
    assert_body(&page, "Email", "100",
                "{'address':'  Ann@Example.ORG ','blocked':false,'primary':true,'location':'Home','customFields':[],"
                "'_rel':{'person':'Person/12'}}");
    /* without a relationship of its own it belongs to whose list it is in */
    assert_body(&page, "Email", "12",
                "{'address':'lee@example.org','blocked':true,'primary':false,'location':null,'customFields':[],"
                "'_rel':{'person':'Person/12'}}");
    assert_body(&page, "PhoneNumber", "5",
                "{'number':'555-555-0100','countryCode':'US','primary':true,'location':'Mobile','customFields':["
                CUSTOM("string", "international", "'+1 555-555-0100'") ","
                CUSTOM("string", "national", "'(555) 555-0100'") "],'_rel':{'person':'Person/12'}}");
    assert_body(&page, "FieldDatum", "900",
                "{'value':'Blue','_rel':{'field_definition':'FieldDefinition/44','customizable':'Person/12'}}");
    assert_times(&page, "Email", "12", NULL, NULL);
    assert_times(&page, "FieldDatum", "900", "2020-02-03T04:05:06Z", "2020-02-03T04:05:06Z");
    assert_null(record_of(&page, "Email", "100")->match_keys);
    of_page_done(&page);

    parse_page("Address",
               "{'data':[{'type':'Address','id':'8','attributes':{'city':'Springfield','country_code':'US',"
               "'country_name':'United States','location':'Home','primary':true,'state':'IL','street_line_1':'1 Main St',"
               "'street_line_2':null,'zip':'62701'},'relationships':{'person':{'data':{'type':'Person','id':'12'}}}}]}",
               NULL, &page);
    assert_clean(&page, 1);
    assert_body(&page, "Address", "8",
                "{'streetLine1':'1 Main St','streetLine2':null,'city':'Springfield','state':'IL','zip':'62701',"
                "'countryCode':'US','primary':true,'location':'Home','customFields':["
                CUSTOM("string", "country_name", "'United States'") "],'_rel':{'person':'Person/12'}}");
    assert_int_equal(page.total, -1);
    assert_false(page.has_next);
    assert_string_equal(page.account, "");
    of_page_done(&page);
}

/* Only what was asked for comes along: types out of scope are neither records nor named in _sub. */
static void test_scope(void **state)
{
    (void)state;
    struct of_page page;
    of_scope scope = 0;
    char *added = NULL;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_scope_parse(pco(), "Person,Email", &scope, &added, &err), OF_OK);
    free(added);
    char *body = quoted(people_page);
    assert_int_equal(pco()->parse(type_of("Person"), scope, body, strlen(body), true, OF_LIST_CREATED, NULL, &page, &err),
                     OF_OK);
    free(body);
    assert_clean(&page, 4);
    assert_non_null(strstr(record_of(&page, "Person", "12")->body, "\"_sub\":{\"Email\":[\"100\",\"12\"]}}"));
    assert_null(record_of(&page, "PhoneNumber", "5"));
    of_page_done(&page);
}

static void test_campus(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Campus",
               "{'data':[{'type':'Campus','id':'3','attributes':{'avatar_url':null,'church_center_enabled':true,"
               "'city':null,'contact_email_address':'hi@example.org','country':'US','created_at':'2019-01-01T00:00:00Z',"
               "'date_format':1,'description':null,'geolocation_set_manually':false,'latitude':33.1284,"
               "'longitude':'-117.25','name':'Main','phone_number':null,'state':'CA','street':'1 Main','time_zone':"
               "'America/Los_Angeles','time_zone_raw':'America/Los_Angeles','twenty_four_hour_time':false,"
               "'updated_at':'2019-01-02T00:00:00+02:00','website':'https://example.org','zip':'92011'},"
               "'relationships':{'organization':{'data':{'type':'Organization','id':'1'}}}}]}",
               NULL, &page);
    assert_clean(&page, 1);
    assert_body(&page, "Campus", "3",
                "{'name':'Main','street':'1 Main','city':null,'state':'CA','zip':'92011','countryCode':'US',"
                "'description':null,'latitude':33.1284,'longitude':-117.25,'url':'https://example.org','avatar':null,"
                "'customFields':[" CUSTOM("boolean", "church_center_enabled", "true") ","
                CUSTOM("string", "contact_email_address", "'hi@example.org'") "," CUSTOM("number", "date_format", "1") ","
                CUSTOM("boolean", "geolocation_set_manually", "false") ","
                CUSTOM("string", "time_zone", "'America/Los_Angeles'") ","
                CUSTOM("string", "time_zone_raw", "'America/Los_Angeles'") ","
                CUSTOM("boolean", "twenty_four_hour_time", "false") "]}");
    assert_times(&page, "Campus", "3", "2019-01-01T00:00:00Z", "2019-01-01T22:00:00Z");
    of_page_done(&page);
}

static void test_references(void **state)
{
    (void)state;
    static const char *const names[] = {"MaritalStatus", "InactiveReason", "NamePrefix", "NameSuffix"};
    for (size_t i = 0; i < OF_ARRAY_LEN(names); i++) {
        struct of_page page;
        char *text = of_asprintf("{'data':[{'type':'%s','id':'7','attributes':{'value':'Dr.'}}]}", names[i]);
        parse_page(names[i], text, NULL, &page);
        free(text);
        assert_clean(&page, 1);
        assert_body(&page, names[i], "7", "{'value':'Dr.'}");
        of_page_done(&page);
    }
}

static void test_fields(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Tab", "{'data':[{'type':'Tab','id':'1','attributes':{'name':'Growth','sequence':2,'slug':'growth'}}]}",
               NULL, &page);
    assert_clean(&page, 1);
    assert_body(&page, "Tab", "1",
                "{'name':'Growth','folderType':'pco_custom_field_tab','customFields':["
                CUSTOM("number", "sequence", "2") "," CUSTOM("string", "slug", "'growth'") "]}");
    of_page_done(&page);

    parse_page("FieldDefinition",
               "{'data':[{'type':'FieldDefinition','id':'44','attributes':{'config':null,'data_type':'select',"
               "'deleted_at':null,'name':'Color','sequence':1,'slug':'color','tab_id':1},"
               "'relationships':{'field_options':{'data':[{'type':'FieldOption','id':'70'}]}}},"
               "{'type':'FieldDefinition','id':'45','attributes':{'config':{'a':[1,null]},'data_type':'text',"
               "'deleted_at':null,'name':'Note','sequence':2,'slug':'note','tab_id':9},"
               "'relationships':{'tab':{'data':{'type':'Tab','id':'2'}}}},"
               "{'type':'FieldDefinition','id':'46','attributes':{'data_type':'text',"
               "'deleted_at':'2020-01-01T00:00:00Z','name':'Gone','slug':'gone','tab_id':2}}],"
               "'included':[{'type':'FieldOption','id':'70','attributes':{'sequence':3,'value':'Blue'}}]}",
               NULL, &page);
    assert_clean(&page, 3);
    assert_body(&page, "FieldDefinition", "44",
                "{'key':'color','label':'Color','type':'select','entityTag':'person','source':'pco','customFields':["
                CUSTOM("number", "sequence", "1") "],'_rel':{'tab':'Tab/1'},'_sub':{'FieldOption':['70']}}");
    assert_body(&page, "FieldDefinition", "45",
                "{'key':'note','label':'Note','type':'text','entityTag':'person','source':'pco','customFields':["
                CUSTOM("number", "sequence", "2") "," CUSTOM("string", "config", "'{\\'a\\':[1,null]}'") "],'_rel':{'tab':'Tab/2'}}");
    assert_body(&page, "FieldOption", "70",
                "{'label':'Blue','value':'Blue','order':3,'customFields':[],"
                "'_rel':{'field_definition':'FieldDefinition/44'}}");
    of_page_done(&page);
}

static void test_households(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Household",
               "{'data':[{'type':'Household','id':'5','attributes':{'avatar':null,'created_at':'2020-01-01T00:00:00Z',"
               "'member_count':2,'name':'Lee','primary_contact_id':'12','primary_contact_name':'Ann Lee',"
               "'updated_at':'2020-01-01T00:00:00Z'},'relationships':{'primary_contact':{'data':{'type':'Person','id':'12'}},"
               "'people':{'data':[{'type':'Person','id':'9'},{'type':'Person','id':'12'},{'type':'Person','id':'9'}]}}},"
               "{'type':'Household','id':'6','attributes':{'name':'Empty','primary_contact_id':'77'}}],"
               "'included':[{'type':'Person','id':'12','attributes':{'first_name':5}}]}",
               NULL, &page);
    assert_clean(&page, 2); /* the people that came with it are only ids here */
    assert_body(&page, "Household", "5",
                "{'name':'Lee','memberCount':2,'avatar':null,'customFields':["
                CUSTOM("string", "primary_contact_name", "'Ann Lee'")
                "],'_rel':{'primary_contact':'Person/12'},'_many':{'people':['Person/12','Person/9']}}");
    assert_body(&page, "Household", "6", "{'name':'Empty','customFields':[],'_rel':{'primary_contact':'Person/77'}}");
    of_page_done(&page);

    parse_page("HouseholdMembership",
               "{'data':[{'type':'HouseholdMembership','id':'31','attributes':{'household_role':'adult','pending':false,"
               "'person_name':'Ann Lee'},'relationships':{'person':{'data':{'type':'Person','id':'12'}}}}]}",
               "5", &page);
    assert_clean(&page, 1);
    assert_body(&page, "HouseholdMembership", "31",
                "{'pending':false,'role':'adult','_rel':{'household':'Household/5','person':'Person/12'}}");
    of_page_done(&page);
}

static void test_groups(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Group",
               "{'data':[{'type':'Group','id':'8','attributes':{'archived_at':'2021-01-01T00:00:00Z','chat_enabled':true,"
               "'contact_email':'g@example.org','created_at':'2020-01-01T00:00:00Z','description':'<p>x</p>',"
               "'events_visibility':'members','header_image':{'thumbnail':'https://i/t','medium':'https://i/m','original':null},"
               "'leaders_can_search_people_database':false,'location_type_preference':'physical',"
               "'members_are_confidential':true,'memberships_count':7,'name':'Alpha','public_church_center_web_url':null,"
               "'schedule':'Mondays','virtual_location_url':null,'widget_status':{'open':false}},"
               "'relationships':{'group_type':{'data':{'type':'GroupType','id':'2'}},'location':{'data':null}}},"
               "{'type':'Group','id':'9','attributes':{'name':'Unique','header_image':null},"
               "'relationships':{'group_type':{'data':null}}}]}",
               NULL, &page);
    assert_clean(&page, 2);
    assert_body(&page, "Group", "8",
                "{'name':'Alpha','description':'<p>x</p>','contactEmail':'g@example.org','schedule':'Mondays',"
                "'memberCount':7,'archivedAt':'2021-01-01T00:00:00Z','url':null,'avatar':'https://i/m','customFields':["
                CUSTOM("boolean", "chat_enabled", "true") "," CUSTOM("string", "events_visibility", "'members'") ","
                CUSTOM("boolean", "leaders_can_search_people_database", "false") ","
                CUSTOM("string", "location_type_preference", "'physical'") ","
                CUSTOM("boolean", "members_are_confidential", "true") ","
                CUSTOM("string", "widget_status", "'{\\'open\\':false}'") "],'_rel':{'group_type':'GroupType/2'}}");
    assert_body(&page, "Group", "9", "{'name':'Unique','avatar':null,'customFields':[],'_rel':{'group_type':null}}");
    assert_times(&page, "Group", "8", "2020-01-01T00:00:00Z", NULL);
    of_page_done(&page);

    parse_page("Membership",
               "{'data':[{'type':'Membership','id':'55','attributes':{'joined_at':'2020-05-06T07:08:09Z','role':'leader'},"
               "'relationships':{'person':{'data':{'type':'Person','id':'12'}}}}]}",
               "8", &page);
    assert_clean(&page, 1);
    assert_body(&page, "Membership", "55",
                "{'role':'leader','joinedAt':'2020-05-06T07:08:09Z','_rel':{'group':'Group/8','person':'Person/12'}}");
    of_page_done(&page);
}

static void test_group_type(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("GroupType",
               "{'data':[{'type':'GroupType','id':'2','attributes':{'church_center_map_visible':true,"
               "'church_center_visible':false,'color':null,'default_group_settings':'{\\'x\\':1}','description':'d',"
               "'name':'Small','position':1}}]}",
               NULL, &page);
    assert_body(&page, "GroupType", "2",
                "{'name':'Small','description':'d','color':null,'folderType':'pco_group_type','customFields':["
                CUSTOM("boolean", "church_center_visible", "false") ","
                CUSTOM("boolean", "church_center_map_visible", "true") ","
                CUSTOM("string", "default_group_settings", "'{\\'x\\':1}'") "," CUSTOM("number", "position", "1") "]}");
    of_page_done(&page);
}

static void test_giving(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Fund",
               "{'data':[{'type':'Fund','id':'1','attributes':{'color':'#fff','created_at':'2020-01-01T00:00:00Z',"
               "'default':true,'deletable':false,'description':null,'ledger_code':'L1','name':'General',"
               "'updated_at':'2020-01-01T00:00:00Z','visibility':'everywhere'}}]}",
               NULL, &page);
    assert_clean(&page, 1);
    assert_body(&page, "Fund", "1",
                "{'name':'General','description':null,'ledgerCode':'L1','visibility':'everywhere','color':'#fff',"
                "'primary':true,'customFields':[" CUSTOM("boolean", "deletable", "false") "]}");
    of_page_done(&page);

    parse_page("PaymentSource",
               "{'data':[{'type':'PaymentSource','id':'planning_center','attributes':{'name':'Planning Center',"
               "'payment_source_type':'direct_from_donor'}}]}",
               NULL, &page);
    assert_clean(&page, 1);
    assert_body(&page, "PaymentSource", "planning_center",
                "{'name':'Planning Center','customFields':["
                CUSTOM("string", "payment_source_type", "'direct_from_donor'") "]}");
    of_page_done(&page);

    parse_page("Batch",
               "{'data':[{'type':'Batch','id':'4','attributes':{'committed_at':null,'created_at':'2020-01-01T00:00:00Z',"
               "'description':'Sunday','status':'in_progress','total_cents':1250,'total_currency':'USD',"
               "'updated_at':'2020-01-02T00:00:00Z'}}]}",
               NULL, &page);
    assert_clean(&page, 1);
    assert_body(&page, "Batch", "4",
                "{'description':'Sunday','batchStatus':'in_progress','totalCents':1250,'currency':'USD',"
                "'committedAt':null,'customFields':[]}");
    char text[OF_TIME_TEXT];
    assert_string_equal(of_time_format(page.rows[0].time, text), "2020-01-02T00:00:00Z"); /* listed by updated_at */
    of_page_done(&page);
}

static void test_donations(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Donation",
               "{'data':[{'type':'Donation','id':'77','attributes':{'amount_cents':2000,'amount_currency':'USD',"
               "'completed_at':null,'created_at':'2020-01-01T00:00:00Z','fee_cents':-88,'fee_covered':false,"
               "'fee_currency':'USD','payment_brand':'Visa','payment_check_dated_at':'2019-12-31',"
               "'payment_check_number':1001,'payment_last4':'4242','payment_method':'check','payment_method_sub':null,"
               "'payment_status':'pending','received_at':'2020-01-01T00:00:00Z','refundable':true,'refunded':false,"
               "'updated_at':'2020-01-03T00:00:00Z'},'relationships':{'batch':{'data':{'type':'Batch','id':'4'}},"
               "'campus':{'data':null},'person':{'data':{'type':'Person','id':'12'}},"
               "'payment_source':{'data':{'type':'PaymentSource','id':'planning_center'}},'labels':{'data':[]},"
               "'designations':{'data':[{'type':'Designation','id':'90'}]}}},"
               "{'type':'Donation','id':'78','attributes':{'amount_cents':1},'relationships':{'person':{'data':null}}}],"
               "'included':[{'type':'Designation','id':'90','attributes':{'amount_cents':2000,'amount_currency':'USD',"
               "'fee_cents':null},'relationships':{'fund':{'data':{'type':'Fund','id':'1'}}}}]}",
               NULL, &page);
    assert_clean(&page, 3);
    assert_body(&page, "Donation", "77",
                "{'amountCents':2000,'currency':'USD','feeCents':-88,'paymentMethod':'check','paymentStatus':'pending',"
                "'checkNumber':'1001','lastFour':'4242','brand':'Visa','receivedAt':'2020-01-01T00:00:00Z',"
                "'completedAt':null,'refunded':false,'customFields':["
                CUSTOM("date", "payment_check_dated_at", "'2019-12-31'") "," CUSTOM("string", "fee_currency", "'USD'") ","
                CUSTOM("boolean", "fee_covered", "false") "," CUSTOM("boolean", "refundable", "true")
                "],'_rel':{'person':'Person/12','batch':'Batch/4','campus':null,"
                "'payment_source':'PaymentSource/planning_center'},'_sub':{'Designation':['90']}}");
    assert_body(&page, "Donation", "78", "{'amountCents':1,'customFields':[],'_rel':{'person':null}}");
    assert_body(&page, "Designation", "90",
                "{'amountCents':2000,'currency':'USD','feeCents':null,'customFields':[],"
                "'_rel':{'donation':'Donation/77','fund':'Fund/1'}}");
    of_page_done(&page);
}

/* One record: data is an object; what it stands below is said by the caller. */
static void test_single(void **state)
{
    (void)state;
    struct of_page page;
    struct of_err err = OF_ERR_INIT;
    char *body = quoted("{'data':{'type':'Designation','id':'90','attributes':{'amount_cents':5},'relationships':{}},"
                        "'meta':{'parent':{'id':'77','type':'Donation'}}}");
    assert_int_equal(parse_bytes("Designation", body, strlen(body), false, "77", &page, &err), OF_OK);
    assert_clean(&page, 1);
    assert_int_equal(page.n_rows, 1);
    assert_string_equal(page.account, "");
    assert_body(&page, "Designation", "90", "{'amountCents':5,'customFields':[],'_rel':{'donation':'Donation/77'}}");
    of_page_done(&page);
    assert_int_equal(parse_bytes("Designation", body, strlen(body), true, "77", &page, &err), OF_E_PARSE);
    free(body);
}

/* The same record in another page and another order of attributes gives the same bytes. */
static void test_same_bytes(void **state)
{
    (void)state;
    struct of_page a, b;
    parse_page("Person", "{'data':[{'type':'Person','id':'1','attributes':{'first_name':'A','last_name':'B','child':true},"
               "'relationships':{'emails':{'data':[{'id':'2'},{'id':'10'}]}}}]}", NULL, &a);
    parse_page("Person", "{'included':[],'data':[{'relationships':{'emails':{'data':[{'id':10},{'id':'2'}]}},"
               "'attributes':{'child':true,'last_name':'B','x':1,'first_name':'A'},'id':1,'type':'Person'}]}", NULL, &b);
    assert_string_equal(a.records[0].body, b.records[0].body);
    of_page_done(&a);
    of_page_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_people),     cmocka_unit_test(test_contacts),   cmocka_unit_test(test_scope),
        cmocka_unit_test(test_campus),     cmocka_unit_test(test_references), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_households), cmocka_unit_test(test_groups),     cmocka_unit_test(test_group_type),
        cmocka_unit_test(test_giving),     cmocka_unit_test(test_donations),  cmocka_unit_test(test_single),
        cmocka_unit_test(test_same_bytes),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}

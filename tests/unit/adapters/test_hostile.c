/* SPDX-License-Identifier: Apache-2.0 */
/* What a page may hold that it must not: a bad record costs only itself, and says where and why, never what. */
#include "support.h"

static void assert_bad(const struct of_page *page, size_t i, const char *type, const char *id, const char *place,
                       const char *cause)
{
    assert_true(i < page->n_bad);
    assert_string_equal(page->bad[i].type, type);
    assert_string_equal(page->bad[i].id, id);
    assert_string_equal(page->bad[i].place, place);
    assert_string_equal(page->bad[i].cause, cause);
}

/* Between two good people, one whose attributes are given; it alone must be missing. */
static void one_bad(const char *attributes, const char *cause)
{
    struct of_page page;
    char *text = of_asprintf("{'data':[{'type':'Person','id':'1','attributes':{'first_name':'A'}},"
                             "{'type':'Person','id':'2','attributes':{%s}},"
                             "{'type':'Person','id':'3','attributes':{'first_name':'C'}}]}",
                             attributes);
    parse_page("Person", text, NULL, &page);
    free(text);
    assert_int_equal(page.n_records, 2);
    assert_string_equal(page.records[0].id, "1");
    assert_string_equal(page.records[1].id, "3");
    assert_int_equal(page.n_bad, 1);
    assert_bad(&page, 0, "Person", "2", "data[1]", cause);
    assert_int_equal(page.n_rows, 3);
    assert_string_equal(page.rows[1].id, "2");
    of_page_done(&page);
}

static void test_wrong_values(void **state)
{
    (void)state;
    one_bad("'first_name':5", "$.attributes.first_name: expected string");
    one_bad("'first_name':{'secret-value':1}", "$.attributes.first_name: expected string");
    one_bad("'first_name':['secret-value']", "$.attributes.first_name: expected string");
    one_bad("'gender':true", "$.attributes.gender: expected string");
    one_bad("'child':'yes'", "$.attributes.child: expected boolean");
    one_bad("'child':1", "$.attributes.child: expected boolean");
    one_bad("'grade':'fourth'", "$.attributes.grade: expected integer");
    one_bad("'grade':4.5", "$.attributes.grade: expected integer");
    one_bad("'remote_id':9007199254740993000", "$.attributes.remote_id: expected integer");
    one_bad("'birthdate':'1990-02-30'", "$.attributes.birthdate: expected date");
    one_bad("'birthdate':'31.01.1990'", "$.attributes.birthdate: expected date");
    one_bad("'birthdate':19900131", "$.attributes.birthdate: expected date");
    one_bad("'inactivated_at':'yesterday'", "$.attributes.inactivated_at: expected date and time");
    one_bad("'created_at':'2020-13-01T00:00:00Z'", "$.attributes.created_at: expected date and time");
    one_bad("'updated_at':17", "$.attributes.updated_at: expected date and time");
}

static void test_long_text(void **state)
{
    (void)state;
    const size_t n = 65536;
    for (size_t extra = 0; extra < 2; extra++) {
        char *value = of_alloc(n + extra + 1);
        memset(value, 'x', n + extra);
        value[n + extra] = '\0';
        struct of_buf text = OF_BUF_INIT(1U << 20);
        of_buf_str(&text, "{\"data\":[{\"type\":\"Person\",\"id\":\"1\",\"attributes\":{\"medical_notes\":\"");
        of_buf_str(&text, value);
        of_buf_str(&text, "\"}},{\"type\":\"Person\",\"id\":\"2\",\"attributes\":{}}]}");
        struct of_page page;
        struct of_err err = OF_ERR_INIT;
        assert_int_equal(parse_bytes("Person", text.data, text.len, true, NULL, &page, &err), OF_OK);
        assert_int_equal(page.n_records, 2 - extra);
        assert_int_equal(page.n_bad, extra);
        if (extra) {
            assert_bad(&page, 0, "Person", "1", "data[0]", "$.attributes.medical_notes: text is too long");
        }
        of_page_done(&page);
        of_buf_done(&text);
        free(value);
    }
}

static void test_wrong_shapes(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Person",
               "{'data':[null,7,'x',[],{},{'type':'Person','attributes':{}},{'type':'Person','id':'','attributes':{}},"
               "{'type':'Person','id':'a b','attributes':{}},{'type':'Person','id':true,'attributes':{}},"
               "{'type':'Person','id':1.5,'attributes':{}},{'id':'9','attributes':{}},{'type':5,'id':'9'},"
               "{'type':'Email','id':'9','attributes':{}},{'type':'Person','id':'10'},"
               "{'type':'Person','id':'11','attributes':null},{'type':'Person','id':'12','attributes':[]},"
               "{'type':'Person','id':'13','attributes':{},'relationships':[]},"
               "{'type':'Person','id':'14','attributes':{},'relationships':{'primary_campus':5}},"
               "{'type':'Person','id':'15','attributes':{},'relationships':{'primary_campus':{'data':[]}}},"
               "{'type':'Person','id':'16','attributes':{},'relationships':{'primary_campus':{'data':{'id':null}}}},"
               "{'type':'Person','id':'17','attributes':{},'relationships':{'emails':{'data':{'id':'1'}}}},"
               "{'type':'Person','id':'18','attributes':{},'relationships':{'emails':{'data':[{'id':'1'},null]}}},"
               "{'type':'Person','id':'19','attributes':{},'relationships':{'marital_status':{'data':'x'}}},"
               "{'type':'Person','id':'20','attributes':{},'relationships':null},"
               "{'type':'Person','id':'21','attributes':{},'relationships':{'emails':null,'primary_campus':{'links':{}}}}"
               "]}",
               NULL, &page);
    assert_int_equal(page.n_rows, 25);
    assert_int_equal(page.n_records, 2);
    assert_body(&page, "Person", "20", "{'customFields':[]}");
    assert_body(&page, "Person", "21", "{'customFields':[]}");
    assert_int_equal(page.n_bad, 23);
    assert_bad(&page, 0, "", "", "data[0]", "$: expected object");
    assert_bad(&page, 3, "", "", "data[3]", "$: expected object");
    assert_bad(&page, 4, "", "", "data[4]", "$.type: expected string");
    assert_bad(&page, 5, "Person", "", "data[5]", "$.id: expected an id");
    assert_bad(&page, 7, "Person", "", "data[7]", "$.id: expected an id");
    assert_bad(&page, 9, "Person", "", "data[9]", "$.id: expected an id");
    assert_bad(&page, 10, "", "9", "data[10]", "$.type: expected string");
    assert_bad(&page, 12, "Email", "9", "data[12]", "$.type: another type than asked for");
    assert_bad(&page, 13, "Person", "10", "data[13]", "$.attributes: missing");
    assert_bad(&page, 14, "Person", "11", "data[14]", "$.attributes: expected object");
    assert_bad(&page, 16, "Person", "13", "data[16]", "$.relationships: expected object");
    assert_bad(&page, 17, "Person", "14", "data[17]", "$.relationships.primary_campus: expected object");
    assert_bad(&page, 18, "Person", "15", "data[18]", "$.relationships.primary_campus: expected an object with an id");
    assert_bad(&page, 20, "Person", "17", "data[20]", "$.relationships.emails: expected array");
    assert_bad(&page, 21, "Person", "18", "data[21]", "$.relationships.emails: expected objects with ids");
    assert_bad(&page, 22, "Person", "19", "data[22]", "$.relationships.marital_status: expected an object with an id");
    of_page_done(&page);
}

/* Ids: 64 bytes are one, 65 are none; names that nobody may show are not shown. */
static void test_odd_names(void **state)
{
    (void)state;
    struct of_page page;
    char id[66];
    memset(id, '7', 65);
    id[65] = '\0';
    char *text = of_asprintf("{'data':[{'type':'Person','id':'%s','attributes':{}},"
                             "{'type':'Person','id':'%s','attributes':{}},"
                             "{'type':'ann@example.org','id':'5','attributes':{}},"
                             "{'type':'%s','id':'../../etc','attributes':{}}]}",
                             id + 1, id, id);
    parse_page("Person", text, NULL, &page);
    free(text);
    assert_int_equal(page.n_records, 1);
    assert_string_equal(page.records[0].id, id + 1);
    assert_int_equal(page.n_bad, 3);
    assert_bad(&page, 0, "Person", "", "data[1]", "$.id: expected an id");
    assert_bad(&page, 1, "", "5", "data[2]", "$.type: another type than asked for");
    assert_bad(&page, 2, "", "", "data[3]", "$.id: expected an id");
    of_page_done(&page);
}

static void test_included(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Person",
               "{'data':[{'type':'Person','id':'1','attributes':{},'relationships':{'emails':{'data':[{'id':'5'},{'id':'6'}]},"
               "'marital_status':{'data':{'type':'MaritalStatus','id':'7'}}}}],"
               "'included':[{'type':'Email','id':'5','attributes':{'address':7}},{'type':'Email','attributes':{}},"
               "{'type':'Email','id':'6','attributes':{'address':'a@example.org'}},null,{'type':'Email','id':'6',"
               "'attributes':{'address':'twice@example.org'}},{'type':'Unknown','id':[]},{'type':'Organization'},"
               "{'type':'FieldDatum','id':'8','attributes':{'value':'x'}},"
               "{'type':'FieldDatum','id':'9','attributes':{'value':'x'},'relationships':{'field_definition':"
               "{'data':{'type':'FieldDefinition','id':'1'}},'customizable':{'data':{'type':'Household','id':'1'}}}},"
               "{'type':'MaritalStatus','id':'7','attributes':{'value':[]}}]}",
               NULL, &page);
    assert_int_equal(page.n_records, 2);
    assert_body(&page, "Person", "1", "{'customFields':[],'_sub':{'Email':['5','6']}}");
    assert_body(&page, "Email", "6", "{'address':'a@example.org','customFields':[],'_rel':{'person':'Person/1'}}");
    assert_string_equal(page.records[0].match_keys, "e:a@example.org");
    assert_int_equal(page.n_bad, 5);
    assert_bad(&page, 0, "Email", "5", "included[0]", "$.attributes.address: expected string");
    assert_bad(&page, 1, "Email", "", "included[1]", "$.id: expected an id");
    assert_bad(&page, 2, "", "", "included[3]", "$: expected object");
    assert_bad(&page, 3, "FieldDatum", "8", "included[7]", "$.relationships.field_definition: missing");
    assert_bad(&page, 4, "FieldDatum", "9", "included[8]", "$.relationships.customizable: another type than expected");
    of_page_done(&page);
}

/* The same row twice in one page is one record, but two rows: paging counts them. */
static void test_twice(void **state)
{
    (void)state;
    struct of_page page;
    parse_page("Person",
               "{'data':[{'type':'Person','id':'1','attributes':{'first_name':'A'}},"
               "{'type':'Person','id':1,'attributes':{'first_name':'B'}}],'meta':{'total_count':-5}}",
               NULL, &page);
    assert_int_equal(page.n_records, 1);
    assert_int_equal(page.n_rows, 2);
    assert_int_equal(page.n_bad, 0);
    assert_int_equal(page.total, -1);
    assert_body(&page, "Person", "1", "{'firstName':'A','customFields':[]}");
    of_page_done(&page);
}

/* Bytes that are no JSON within one record: the page around it is read. */
static void one_broken(const char *broken, const char *words)
{
    struct of_page page;
    struct of_err err = OF_ERR_INIT;
    struct of_buf text = OF_BUF_INIT(1U << 20);
    char *front = quoted("{'links':{'next':'https://x/'},'data':[{'type':'Person','id':'1','attributes':{'first_name':'[{\\'A'},"
                         "'relationships':{'emails':{'data':[{'id':'5'},{'id':'6'}]}}} , {'type':'Person','id':'2',"
                         "'attributes':{'created_at':'2020-01-01T00:00:00Z','first_name':");
    char *middle = quoted("}},{'type':'Person','id':'3','attributes':{'first_name':'C'}}],"
                          "'included':[{'id':'5','type':'Email','attributes':{'address':");
    char *rear = quoted("}},{'type':'Email','id':'6','attributes':{'address':'a@example.org'}},{'type':'Unwanted','x':");
    char *end = quoted("}],'meta':{'total_count':3,'parent':{'type':'Organization','id':'1'}}} \n");
    of_buf_str(&text, front);
    of_buf_str(&text, broken);
    of_buf_str(&text, middle);
    of_buf_str(&text, broken);
    of_buf_str(&text, rear);
    of_buf_str(&text, broken);
    of_buf_str(&text, end);
    assert_int_equal(parse_bytes("Person", text.data, text.len, true, NULL, &page, &err), OF_OK);
    assert_int_equal(page.total, 3);
    assert_true(page.has_next);
    assert_string_equal(page.account, "1");
    assert_int_equal(page.n_records, 3);
    assert_body(&page, "Person", "1", "{'firstName':'[{\\'A','customFields':[],'_sub':{'Email':['5','6']}}");
    assert_body(&page, "Person", "3", "{'firstName':'C','customFields':[]}");
    assert_body(&page, "Email", "6", "{'address':'a@example.org','customFields':[],'_rel':{'person':'Person/1'}}");
    assert_int_equal(page.n_bad, 2);
    assert_string_equal(page.bad[0].type, "Person");
    assert_string_equal(page.bad[0].id, "2");
    assert_string_equal(page.bad[0].place, "data[1]");
    assert_non_null(strstr(page.bad[0].cause, words));
    assert_string_equal(page.bad[1].type, "Email");
    assert_string_equal(page.bad[1].id, "5");
    assert_string_equal(page.bad[1].place, "included[0]");
    assert_null(strstr(page.bad[0].cause, "Sensitive"));
    /* paging goes on by what can still be told of the row */
    assert_int_equal(page.n_rows, 3);
    assert_string_equal(page.rows[1].id, "2");
    char iso[OF_TIME_TEXT];
    assert_true(page.rows[1].has_time);
    assert_string_equal(of_time_format(page.rows[1].time, iso), "2020-01-01T00:00:00Z");
    of_page_done(&page);
    of_buf_done(&text);
    free(front);
    free(middle);
    free(rear);
    free(end);
}

static void test_salvage(void **state)
{
    (void)state;
    one_broken("\"Sensitive \xff\"", "invalid UTF-8");
    one_broken("\"\xc0\x80\"", "invalid UTF-8");
    one_broken("\"\xed\xa0\x80\"", "invalid UTF-8");
    one_broken("\"Sensitive \\u0000 value\"", "\\u0000");
    one_broken("\"\\ud800 Sensitive\"", "lone surrogate");
    one_broken("\"a\nb\"", "control character");
    one_broken("\"\\q\"", "escape");
    one_broken("\"a\",\"first_name\":\"Sensitive\",\"address\":\"x\",\"first_name\":\"b\",\"address\":\"c\"",
               "duplicate key");
    one_broken("nil", "expected a value");
    one_broken("01", "");
    one_broken("1e999", "");
    one_broken("{\"a\":}", "");
    one_broken("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
               "]]]]]]]]]]]]]]]]]]]]]]]]]]]]","deeply");
}

static void test_salvage_nul_byte(void **state)
{
    (void)state;
    static const char body[] = "{\"data\":[{\"type\":\"Person\",\"id\":\"1\",\"attributes\":{\"first_name\":\"a\0b\"}},"
                               "{\"type\":\"Person\",\"id\":\"2\",\"attributes\":{}}]}";
    struct of_page page;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(parse_bytes("Person", body, sizeof(body) - 1, true, NULL, &page, &err), OF_OK);
    assert_int_equal(page.n_records, 1);
    assert_int_equal(page.n_bad, 1);
    assert_string_equal(page.bad[0].id, "1");
    of_page_done(&page);
}

/* Whose frame is broken is no page. */
static void no_page(const char *text, const char *words)
{
    struct of_page page;
    struct of_err err = OF_ERR_INIT;
    char *body = quoted(text);
    assert_int_equal(parse_bytes("Person", body, strlen(body), true, NULL, &page, &err), OF_E_PARSE);
    assert_int_equal(err.code, OF_E_PARSE);
    if (!strstr(err.msg, words)) {
        fail_msg("%s: %s", text, err.msg);
    }
    assert_int_equal(page.n_records, 0);
    of_page_done(&page);
    free(body);
}

static void test_no_page(void **state)
{
    (void)state;
    no_page("", "");
    no_page("null", "$: expected object");
    no_page("[]", "$: expected object");
    no_page("<html>", "");
    no_page("{}", "$.data: expected array");
    no_page("{'data':null}", "$.data: expected array");
    no_page("{'data':{'type':'Person','id':'1'}}", "$.data: expected array");
    no_page("{'errors':[]}", "$.data: expected array");
    no_page("{'data':[],'included':{}}", "$.included: expected array");
    no_page("{'data':[{'type':'Person','id':'1','attributes':{", "");
    no_page("{'data':[{'type':'Person','id':'1','attributes':{}}", "");
    no_page("{'data':[{'type':'Person','id':'1','attributes':{}}]", "");
    no_page("{'data':[{'type':'Person','id':'1','attributes':{'first_name':'\\u0000'}}],'meta':{'total", "");
    no_page("{'data':[{'type':'Person','id':'1','attributes':{'first_name':'\\u0000'}}]}}", "");
    no_page("{'data':[{'type':'Person','id':'1','attributes':{'first_name':'\\u0000'}}],'data':[]}", "");
    no_page("{'data':[{'type':'Person','id':'1','attributes':{'first_name':'\\u0000'}}],'links':{'next':'\xff'}}", "");
    no_page("{'data':[],'data':[]}", "");
    no_page("{'data':[]}{'data':[]}", "");
}

/* Every prefix of a page is no page, whatever it holds. */
static void test_truncated(void **state)
{
    (void)state;
    char *body = quoted("{'data':[{'type':'Person','id':'1','attributes':{'first_name':'\\u0000','x':[1,{'y':'\\''}]}}],"
                        "'included':[{'type':'Email','id':'1'}],'meta':{'total_count':1}}");
    for (size_t n = 0; n < strlen(body); n++) {
        struct of_page page;
        struct of_err err = OF_ERR_INIT;
        assert_int_equal(parse_bytes("Person", body, n, true, NULL, &page, &err), OF_E_PARSE);
        of_page_done(&page);
    }
    free(body);
}

static void test_too_many(void **state)
{
    (void)state;
    struct of_buf text = OF_BUF_INIT(8U << 20);
    of_buf_str(&text, "{\"data\":[0");
    for (int i = 0; i < 10000; i++) {
        of_buf_str(&text, ",0");
    }
    of_buf_str(&text, "]}");
    struct of_page page;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(parse_bytes("Person", text.data, text.len, true, NULL, &page, &err), OF_E_PARSE);
    of_buf_done(&text);
    char *huge = of_alloc((16U << 20) + 1);
    memset(huge, ' ', (16U << 20) + 1);
    assert_int_equal(parse_bytes("Person", huge, (16U << 20) + 1, true, NULL, &page, &err), OF_E_TOO_LARGE);
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_values), cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_wrong_shapes), cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_included),     cmocka_unit_test(test_twice),
        cmocka_unit_test(test_salvage),      cmocka_unit_test(test_salvage_nul_byte),
        cmocka_unit_test(test_no_page),      cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What answers mean, mergers, credentials and tokens. */
#include "support.h"

#include <stdio.h>

#include "adapters/oauth.h"

#define JSON "application/vnd.api+json; charset=utf-8"
#define ERRORS(rest) "{'errors':[{" rest "}]}"
#define HINT(word) ERRORS("'code':'unauthorized','title':'Unauthorized','detail':'... Error Code Hint: (" word ")'")

static const struct {
    int status;
    const char *type, *retry_after, *body;
    enum of_code code;
    int64_t retry_after_ms;
    const char *words;
} answers[] = {
    {200, JSON, NULL, "{'data':[]}", OF_OK, 0, ""},
    {201, JSON, NULL, "{'data':{}}", OF_OK, 0, ""},
    {200, NULL, NULL, " \n{'data':[]}", OF_OK, 0, ""},
    {204, NULL, NULL, "", OF_OK, 0, ""},
    {200, "text/html", NULL, "<html>maintenance</html>", OF_E_REMOTE, 0, "HTTP 200: an HTML page"},
    {200, JSON, NULL, "", OF_E_REMOTE, 0, "HTTP 200: no JSON"},
    {200, JSON, NULL, "<html>", OF_E_REMOTE, 0, "HTTP 200: an HTML page"},
    {200, "text/plain", NULL, "{'data':[]}", OF_E_REMOTE, 0, "HTTP 200: no JSON"},
    {302, "text/html", NULL, "<html>", OF_E_REMOTE, 0, "HTTP 302: an HTML page"},
    {400, "application/json", NULL, ERRORS("'status':'400','title':'Bad Request','code':'invalid_resource_payload','detail':'x'"),
     OF_E_REJECTED, 0, "HTTP 400: Bad Request, invalid_resource_payload"},
    {401, "application/json", NULL, HINT("CAPUCHIN"), OF_E_AUTH, 0, "HTTP 401: Unauthorized, unauthorized, hint CAPUCHIN"},
    {401, "application/json", NULL, HINT("BABOON"), OF_E_AUTH, 0, NULL},
    {401, "application/json", NULL, HINT("CHINCHILLA"), OF_E_AUTH, 0, NULL},
    {401, "application/json", NULL, HINT("FLAMINGO"), OF_E_AUTH, 0, NULL},
    {401, "application/json", NULL, HINT("LEMMING"), OF_E_AUTH, 0, NULL},
    {401, "application/json", NULL, HINT("BLACKBIRD"), OF_E_AUTH, 0, NULL},
    {401, "application/json", NULL, HINT("PELICAN"), OF_E_DENIED, 0, NULL},
    {401, "application/json", NULL, HINT("TRASH_PANDA"), OF_E_DENIED, 0, NULL},
    {401, "text/plain", NULL, "HTTP Basic: Access denied.", OF_E_AUTH, 0, "HTTP 401"},
    {402, "application/json", NULL, ERRORS("'title':'Payment Required'"), OF_E_DENIED, 0, "HTTP 402"},
    {403, "application/json", NULL,
     ERRORS("'status':'403','title':'Forbidden','detail':'You do not have access','meta':{'description':'User with id 7'}"),
     OF_E_DENIED, 0, "HTTP 403: Forbidden"},
    {403, "text/html", NULL, "<html>blocked</html>", OF_E_REMOTE, 0, "HTTP 403: an HTML page"},
    {404, "application/json", NULL, ERRORS("'status':'404','title':'Not Found'"), OF_E_NOT_FOUND, 0, "HTTP 404: Not Found"},
    {404, "text/html", NULL, "<!DOCTYPE html>", OF_E_REMOTE, 0, NULL},
    {410, "application/json", NULL, "{}", OF_E_NOT_FOUND, 0, NULL},
    {408, "application/json", NULL, "{}", OF_E_REMOTE, 0, NULL},
    {409, "application/json", NULL, "{}", OF_E_REJECTED, 0, NULL},
    {422, "application/json", NULL,
     ERRORS("'detail':'ann@example.org is wrong','status':'422','title':'Validation Error','source':{'parameter':'person'}"),
     OF_E_REJECTED, 0, "HTTP 422: Validation Error, parameter person"},
    {422, "application/json", NULL, ERRORS("'status':422,'title':'ann@example.org','code':'Ann Lee','source':{'parameter':'a b'}"),
     OF_E_REJECTED, 0, "HTTP 422"},
    {422, "application/json", NULL, "{'errors':'x'}", OF_E_REJECTED, 0, "HTTP 422"},
    {422, "application/json", NULL,
     ERRORS("'status':'422','title':'Validation Error','source':{'parameter':'person'}},{'status':'422',"
            "'title':'Attribute Resource Not Found','code':'attribute_resource_not_found','source':{'parameter':'person_id'}"),
     OF_E_NOT_FOUND, 0,
     "HTTP 422: Validation Error, parameter person, Attribute Resource Not Found, attribute_resource_not_found, parameter person_id"},
    {429, "application/json", "19", ERRORS("'code':'429','title':'Too Many Requests','detail':'118 of 100'"), OF_E_THROTTLED,
     19000, "HTTP 429: Too Many Requests"},
    {429, "text/html", "3", "<html>", OF_E_THROTTLED, 3000, NULL},
    {429, "application/json", NULL, "{", OF_E_THROTTLED, 0, NULL},
    {429, "application/json", "soon", "{}", OF_E_THROTTLED, 0, NULL},
    {500, "application/json", NULL, ERRORS("'status':'500','title':'Internal Server Error'"), OF_E_REMOTE, 0,
     "HTTP 500: Internal Server Error"},
    {503, "text/html", "60", "<html>", OF_E_REMOTE, 60000, "HTTP 503: an HTML page"},
    {504, NULL, NULL, NULL, OF_E_REMOTE, 0, "HTTP 504"},
};

static void test_classify(void **state)
{
    (void)state;
    for (size_t i = 0; i < OF_ARRAY_LEN(answers); i++) {
        struct of_err err = OF_ERR_INIT;
        char *body = answers[i].body ? quoted(answers[i].body) : NULL;
        enum of_code code = pco()->classify(answers[i].status, answers[i].type, answers[i].retry_after, body,
                                            body ? strlen(body) : 0, &err);
        free(body);
        if (code != answers[i].code) {
            fail_msg("row %zu (HTTP %d): %s", i, answers[i].status, of_code_name(code));
        }
        assert_int_equal(err.code, code);
        if (code == OF_OK) {
            continue;
        }
        assert_int_equal(err.http_status, answers[i].status);
        assert_int_equal(err.retry_after_ms, answers[i].retry_after_ms);
        if (answers[i].words) {
            assert_string_equal(err.msg, answers[i].words);
        }
        assert_int_equal(pco()->classify(answers[i].status, answers[i].type, answers[i].retry_after, NULL, 0, NULL) == OF_OK,
                         0);
    }
}

struct seen {
    char text[512];
};

static void on_merger(void *arg, const char *kept, const char *removed, struct of_wall at)
{
    struct seen *seen = arg;
    size_t n = strlen(seen->text);
    char iso[OF_TIME_TEXT];
    (void)snprintf(seen->text + n, sizeof(seen->text) - n, "%s<-%s@%s;", kept, removed, of_time_format(at, iso));
}

static void test_mergers(void **state)
{
    (void)state;
    struct seen seen = {""};
    struct of_err err = OF_ERR_INIT;
    bool more = false;
    char *body = quoted(
        "{'links':{'self':'x','next':'y'},'data':[{'type':'PersonMerger','id':'1','attributes':{"
        "'created_at':'2020-01-01T00:00:00Z','person_to_keep_id':12,'person_to_remove_id':'13'}},"
        "{'type':'PersonMerger','id':'2','attributes':{'created_at':'bad','person_to_keep_id':1,'person_to_remove_id':2}},"
        "{'type':'PersonMerger','id':'3','attributes':{'created_at':'2020-01-01T00:00:01Z','x':'\\u0000'},"
        "'relationships':{}},null,{'type':'PersonMerger','id':'4','attributes':{'created_at':'2020-01-01T00:00:02Z'},"
        "'relationships':{'person_to_keep':{'data':{'type':'Person','id':'5'}},"
        "'person_to_remove':{'data':{'type':'Person','id':'6'}}}}],'meta':{}}");
    assert_int_equal(pco()->parse_mergers(body, strlen(body), on_merger, &seen, &more, &err), OF_OK);
    free(body);
    assert_true(more);
    assert_string_equal(seen.text, "12<-13@2020-01-01T00:00:00Z;5<-6@2020-01-01T00:00:02Z;");
    assert_int_equal(pco()->parse_mergers("{}", 2, on_merger, &seen, &more, &err), OF_E_PARSE);
}

static struct of_json *json_of(const char *text)
{
    struct of_json *root = NULL;
    struct of_err err = OF_ERR_INIT;
    char *body = quoted(text);
    if (of_json_parse(body, strlen(body), 1U << 20, &root, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    free(body);
    return root;
}

#define PAT "{'type':'pat','app_id':'app','secret':'s3cret'}"
#define OAUTH "{'type':'oauth','client_id':'c','client_secret':'cs','refresh_token':'r1'"

static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *words; /* NULL: fine */
    } rows[] = {
        {PAT, NULL},
        {OAUTH "}", NULL},
        {OAUTH ",'access_token':'a','expires_at':1600000000,'more':[1]}", NULL},
        {OAUTH ",'expires_at':'2030-01-01T00:00:00Z','access_token':null}", NULL},
        {"[]", "object"},
        {"{}", "type"},
        {"{'type':'basic'}", "type"},
        {"{'type':'pat','secret':'s3cret'}", "app_id is missing"},
        {"{'type':'pat','app_id':'app'}", "secret is missing"},
        {"{'type':'pat','app_id':'','secret':'s3cret'}", "app_id"},
        {"{'type':'pat','app_id':'a:b','secret':'s3cret'}", "colon"},
        {"{'type':'pat','app_id':'a','secret':'s3cret\\n'}", "secret"},
        {"{'type':'pat','app_id':5,'secret':'s3cret'}", "app_id"},
        {"{'type':'oauth','client_id':'c','client_secret':'s3cret'}", "refresh_token is missing"},
        {"{'type':'oauth','client_secret':'s3cret','refresh_token':'r'}", "client_id is missing"},
        {OAUTH ",'expires_at':'s3cret'}", "expires_at"},
        {OAUTH ",'access_token':'s3cret s3cret'}", "access_token"},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct of_err err = OF_ERR_INIT;
        struct of_json *credentials = json_of(rows[i].text);
        enum of_code code = pco()->check_credentials(credentials, &err);
        assert_int_equal(code, rows[i].words ? OF_E_INVALID : OF_OK);
        if (rows[i].words && (!strstr(err.msg, rows[i].words) || strstr(err.msg, "s3cret"))) {
            fail_msg("%s: %s", rows[i].text, err.msg);
        }
        of_json_free(credentials);
    }
}

static char *budget_key(const char *text)
{
    struct of_json *credentials = json_of(text);
    struct of_buf out = OF_BUF_INIT(256);
    pco()->budget_key(credentials, &out);
    char *key = of_strdup(of_buf_text(&out));
    of_buf_done(&out);
    of_json_free(credentials);
    return key;
}

static void test_budget_key(void **state)
{
    (void)state;
    /* sha256("app") = a172cedcae47474b... */
    char *pat = budget_key(PAT);
    assert_string_equal(pat, "pat:a172cedcae47474b");
    char *same = budget_key("{'type':'pat','app_id':'app','secret':'another'}");
    assert_string_equal(pat, same);
    char *first = budget_key(OAUTH "}");
    assert_int_equal(strncmp(first, "oauth:", 6), 0);
    assert_int_equal(strlen(first), 22);
    assert_null(strstr(first, "r1"));

    /* the grant that is kept at connect gives the same key, also when the tokens have rotated */
    struct of_json *credentials = json_of(OAUTH ",'access_token':'a1','note':'kept'}");
    struct of_buf adopted = OF_BUF_INIT(4096);
    of_oauth_adopt(credentials, &adopted);
    of_json_free(credentials);
    struct of_json *stored = json_of(of_buf_text(&adopted));
    assert_int_equal(strlen(of_json_text(of_json_get(stored, "grant"))), 64);
    struct of_buf renewed = OF_BUF_INIT(4096);
    struct of_err err = OF_ERR_INIT;
    const char *answer = "{\"access_token\":\"a2\",\"token_type\":\"bearer\",\"expires_in\":7200,\"refresh_token\":\"r2\","
                         "\"created_at\":1}";
    assert_int_equal(pco()->parse_token(stored, 200, answer, strlen(answer), (struct of_wall){.us = 1000000000}, &renewed,
                                        &err),
                     OF_OK);
    char *later = budget_key(of_buf_text(&renewed));
    assert_string_equal(later, first);
    struct of_json *now = json_of(of_buf_text(&renewed));
    assert_string_equal(of_json_text(of_json_get(now, "access_token")), "a2");
    assert_string_equal(of_json_text(of_json_get(now, "refresh_token")), "r2");
    assert_string_equal(of_json_text(of_json_get(now, "note")), "kept");
    assert_string_equal(of_json_text(of_json_get(now, "client_secret")), "cs");
    struct of_wall at = {0};
    assert_true(of_oauth_expires_at(now, &at));
    assert_true(at.us == INT64_C(8200000000));
    char *other = budget_key("{'type':'oauth','client_id':'c','client_secret':'cs','refresh_token':'r9'}");
    assert_string_not_equal(other, first);
    char *user_a = budget_key("{'type':'oauth','client_id':'c','client_secret':'cs','refresh_token':'r9','user':'7'}");
    char *user_b = budget_key(OAUTH ",'user':'7'}");
    assert_string_equal(user_a, user_b);
    /* adopting twice changes nothing */
    struct of_buf again = OF_BUF_INIT(4096);
    of_oauth_adopt(stored, &again);
    assert_string_equal(of_buf_text(&again), of_buf_text(&adopted));
    of_buf_done(&again);
    of_buf_done(&adopted);
    of_buf_done(&renewed);
    of_json_free(stored);
    of_json_free(now);
    free(pat);
    free(same);
    free(first);
    free(later);
    free(other);
    free(user_a);
    free(user_b);
}

static void test_authorization(void **state)
{
    (void)state;
    struct of_buf out = OF_BUF_INIT(4096);
    struct of_err err = OF_ERR_INIT;
    struct of_json *credentials = json_of(PAT);
    assert_int_equal(pco()->authorization(credentials, &out, &err), OF_OK);
    assert_string_equal(of_buf_text(&out), "Basic YXBwOnMzY3JldA==");
    assert_false(of_oauth_due(credentials, (struct of_wall){.us = 0}, 60000));
    of_json_free(credentials);
    of_buf_clear(&out);
    credentials = json_of(OAUTH ",'access_token':'a1','expires_at':1000}");
    assert_int_equal(pco()->authorization(credentials, &out, &err), OF_OK);
    assert_string_equal(of_buf_text(&out), "Bearer a1");
    assert_false(of_oauth_due(credentials, (struct of_wall){.us = INT64_C(900000000)}, 60000));
    assert_true(of_oauth_due(credentials, (struct of_wall){.us = INT64_C(940000000)}, 60000));
    of_json_free(credentials);
    of_buf_clear(&out);
    credentials = json_of(OAUTH "}");
    assert_int_equal(pco()->authorization(credentials, &out, &err), OF_E_INVALID);
    assert_true(of_oauth_due(credentials, (struct of_wall){.us = 0}, 0));
    pco()->refresh_body(credentials, "r+1/=&", &out);
    assert_string_equal(of_buf_text(&out),
                        "grant_type=refresh_token&refresh_token=r%2B1%2F%3D%26&client_id=c&client_secret=cs");
    of_json_free(credentials);
    of_buf_done(&out);
}

static void test_tokens(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum of_code code;
    } rows[] = {
        {200, "{'access_token':'a2','refresh_token':'r2','expires_in':7200}", OF_OK},
        {200, "{'access_token':'a2'}", OF_OK}, /* keeps the refresh token, two hours */
        {400, "{'error':'invalid_grant','error_description':'The provided authorization grant is invalid'}", OF_E_AUTH},
        {401, "{'error':'invalid_client'}", OF_E_AUTH},
        {401, "{'error':'invalid_request','error_description':'The refresh token is no longer valid'}", OF_E_AUTH},
        {401, "{'error':'temporarily_unavailable'}", OF_E_REMOTE},
        {401, "<html>", OF_E_REMOTE},
        {500, "{'error':'invalid_grant'}", OF_E_REMOTE},
        {503, "<html>", OF_E_REMOTE},
        {429, "{}", OF_E_REMOTE},
        {200, "<html>", OF_E_REMOTE},
        {200, "", OF_E_REMOTE},
        {200, "[]", OF_E_REMOTE},
        {200, "{}", OF_E_REMOTE},
        {200, "{'access_token':''}", OF_E_REMOTE},
        {200, "{'access_token':'a\\r\\nX: y'}", OF_E_REMOTE},
        {200, "{'access_token':'a','refresh_token':'r r'}", OF_E_REMOTE},
        {200, "{'access_token':'a2','refre", OF_E_REMOTE},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct of_json *credentials = json_of(OAUTH ",'access_token':'a1','expires_at':7}");
        struct of_buf out = OF_BUF_INIT(4096);
        struct of_err err = OF_ERR_INIT;
        char *body = quoted(rows[i].body);
        enum of_code code = pco()->parse_token(credentials, rows[i].status, body, strlen(body), (struct of_wall){.us = 0},
                                               &out, &err);
        free(body);
        if (code != rows[i].code) {
            fail_msg("row %zu: %s", i, err.msg);
        }
        if (code == OF_OK) {
            struct of_json *now = json_of(of_buf_text(&out));
            int64_t at = 0;
            assert_true(of_json_i64(of_json_get(now, "expires_at"), &at));
            assert_int_equal(at, 7200);
            assert_non_null(of_json_text(of_json_get(now, "refresh_token")));
            of_json_free(now);
        } else {
            assert_int_equal(out.len, 0);
            assert_null(strstr(err.msg, "longer"));
        }
        of_buf_done(&out);
        of_json_free(credentials);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classify),      cmocka_unit_test(test_mergers), cmocka_unit_test(test_check),
        cmocka_unit_test(test_budget_key),    cmocka_unit_test(test_authorization),
        cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}

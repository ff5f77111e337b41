/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/http/http_int.h"
#include "test_server.h"

struct fixture {
    struct test_server *server;
    int port;
    struct of_http *http;
};

static int setup_with(void **state, int max_per_host, const struct of_http_hooks *hooks)
{
    struct fixture *f = of_calloc(1, sizeof(*f));
    struct of_err err = OF_ERR_INIT;
    f->server = test_server_start(&f->port);
    *state = f;
    return of_http_new("test/1", max_per_host, hooks, &f->http, &err) == OF_OK ? 0 : -1;
}

static int setup(void **state)
{
    return setup_with(state, 4, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    of_http_free(f->http);
    test_server_stop(f->server);
    free(f);
    return 0;
}

static struct of_http_req *new_req(const struct fixture *f, const char *method, const char *path)
{
    return of_http_req_new(method, of_asprintf("http://127.0.0.1:%d%s", f->port, path));
}

static struct of_http_resp get(struct fixture *f, const char *path)
{
    struct of_http_resp resp;
    of_http_run(f->http, new_req(f, "GET", path), &resp);
    return resp;
}

static void test_get(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        struct of_http_resp resp = get(f, "/");
        assert_int_equal(resp.err.code, OF_OK);
        assert_int_equal(resp.status, 200);
        assert_string_equal(of_buf_text(&resp.body), "hello");
        assert_true(resp.sent);
        assert_true(resp.sent_at.ms <= resp.done_at.ms);
        of_http_resp_done(&resp);
    }
    assert_int_equal(test_server_connections(f->server), 1); /* kept */
}

static void test_request(void **state)
{
    struct fixture *f = *state;
    struct of_http_resp resp;
    static const char *const methods[] = {"POST", "PATCH", "PUT", "DELETE"};
    for (size_t i = 0; i < OF_ARRAY_LEN(methods); i++) {
        struct of_http_req *req = new_req(f, methods[i], "/echo?a=b");
        req->headers[req->n_headers++] = of_strdup("Content-Type: application/json");
        req->headers[req->n_headers++] = of_strdup("X-Mine: 1");
        req->authorization = of_strdup("Bearer t0ken");
        req->body = of_strdup("{\"a\":1}");
        req->body_len = 7;
        of_http_run(f->http, req, &resp);
        assert_int_equal(resp.status, 200);
        const char *text = of_buf_text(&resp.body);
        assert_memory_equal(text, methods[i], strlen(methods[i]));
        assert_non_null(strstr(text, " /echo?a=b HTTP/1.1\r\n"));
        assert_non_null(strstr(text, "Authorization: Bearer t0ken\r\n"));
        assert_non_null(strstr(text, "User-Agent: test/1\r\n"));
        assert_non_null(strstr(text, "X-Mine: 1\r\n"));
        assert_non_null(strstr(text, "Content-Type: application/json\r\n"));
        assert_null(strstr(text, "Expect"));
        assert_non_null(strstr(text, "|{\"a\":1}"));
        of_http_resp_done(&resp);
    }
    of_http_run(f->http, new_req(f, "POST", "/echo"), &resp); /* without a body; nothing left of the one before */
    const char *text = of_buf_text(&resp.body);
    assert_non_null(strstr(text, "Content-Length: 0\r\n"));
    assert_null(strstr(text, "t0ken"));
    assert_null(strstr(text, "Content-Type"));
    of_http_resp_done(&resp);
    of_http_run(f->http, new_req(f, "DELETE", "/echo"), &resp);
    assert_memory_equal(of_buf_text(&resp.body), "DELETE ", 7);
    of_http_resp_done(&resp);
    of_http_run(f->http, new_req(f, "HEAD", "/"), &resp);
    assert_int_equal(resp.status, 200);
    assert_int_equal(resp.body.len, 0);
    of_http_resp_done(&resp);
}

static void test_headers(void **state)
{
    struct of_http_resp resp = get(*state, "/headers");
    assert_int_equal(resp.err.code, OF_OK);
    assert_int_equal(resp.status, 429);
    assert_string_equal(resp.content_type, "application/json; charset=utf-8");
    assert_string_equal(resp.date, "Sun, 22 Nov 2026 10:00:00 GMT");
    assert_string_equal(resp.retry_after, "7");
    assert_string_equal(resp.rate_limit, "100");
    assert_string_equal(resp.rate_count, "118 of 100");
    assert_string_equal(resp.rate_period, "20 seconds");
    of_http_resp_done(&resp);
    resp = get(*state, "/redirect");
    assert_int_equal(resp.status, 302);
    assert_string_equal(resp.retry_after, "");
    of_http_resp_done(&resp);
}

static void test_header_lines(void **state)
{
    (void)state;
    static const char line[] = "DATE:\t x \r\n";
    struct of_http_resp resp = {.status = 0};
    of_http_resp_header(&resp, line, sizeof(line) - 1);
    assert_string_equal(resp.date, "x");
    of_http_resp_header(&resp, "Date", 4);
    of_http_resp_header(&resp, "", 0);
    of_http_resp_header(&resp, ":", 1);
    of_http_resp_header(&resp, "Dat: y", 6);
    assert_string_equal(resp.date, "x");
    char text[200] = "x-pco-api-request-rate-limit:";
    memset(text + 29, '1', sizeof(text) - 29);
    of_http_resp_header(&resp, text, sizeof(text));
    assert_int_equal(strlen(resp.rate_limit), sizeof(resp.rate_limit) - 1);
    of_http_resp_header(&resp, "HTTP/1.1 200 OK\r\n", 17);
    assert_string_equal(resp.date, "");
}

static void check_fails(struct fixture *f, const char *method, const char *path, enum of_code code, bool sent)
{
    struct of_http_resp resp;
    struct of_http_req *req = new_req(f, method, path);
    req->timeout_ms = 300;
    req->max_body = 50000;
    of_http_run(f->http, req, &resp);
    if (resp.err.code != code || resp.sent != sent) {
        fail_msg("%s: %s (%s), sent %d", path, of_code_name(resp.err.code), resp.err.msg, resp.sent);
    }
    assert_null(strstr(resp.err.msg, path));
    assert_non_null(strstr(resp.err.msg, "127.0.0.1: "));
    of_http_resp_done(&resp);
}

static void test_failures(void **state)
{
    struct fixture *f = *state;
    check_fails(f, "GET", "/cut", OF_E_NET, true);
    check_fails(f, "GET", "/drop", OF_E_NET, true);
    check_fails(f, "GET", "/hang", OF_E_TIMEOUT, true);
    check_fails(f, "GET", "/large", OF_E_TOO_LARGE, true);
    check_fails(f, "GET", "/endless", OF_E_TOO_LARGE, true);
    check_fails(f, "GET", "/nonsense", OF_E_REMOTE, true);
    struct of_http_resp resp = get(f, "/cut");
    assert_int_equal(resp.status, 201);
    of_http_resp_done(&resp);
}

static void test_not_sent(void **state)
{
    struct fixture *f = *state;
    struct of_http_resp resp;
    of_http_run(f->http, of_http_req_new("GET", of_strdup("http://127.0.0.1:1/?name=secret")), &resp);
    assert_int_equal(resp.err.code, OF_E_NET);
    assert_null(strstr(resp.err.msg, "secret"));
    assert_false(resp.sent);
    assert_int_equal(resp.status, 0);
    static const char *const bad[] = {"ftp://127.0.0.1/secret", "file:///etc/passwd", "http://u:secret@127.0.0.1/", "secret",
                                      "http://[secret/", ""};
    for (size_t i = 0; i < OF_ARRAY_LEN(bad); i++) {
        of_http_run(f->http, of_http_req_new("GET", of_strdup(bad[i])), &resp);
        assert_int_not_equal(resp.err.code, OF_OK);
        assert_false(resp.sent);
    }
    struct of_http_req *req = new_req(f, "GET", "/");
    req->headers[req->n_headers++] = of_strdup("X: a\r\nY: b");
    of_http_run(f->http, req, &resp);
    assert_int_equal(resp.err.code, OF_E_INVALID);
    req = new_req(f, "GET", "/");
    req->authorization = of_strdup("Bearer a\nb");
    of_http_run(f->http, req, &resp);
    assert_int_equal(resp.err.code, OF_E_INVALID);
    assert_int_equal(test_server_requests(f->server), 0);
}

/* A kept connection that ends without an answer: a POST is not sent again. */
static void test_not_twice(void **state)
{
    struct fixture *f = *state;
    struct of_http_resp resp = get(f, "/");
    of_http_resp_done(&resp);
    check_fails(f, "POST", "/drop", OF_E_NET, true);
    assert_int_equal(test_server_requests(f->server), 2);
    resp = get(f, "/");
    assert_int_equal(resp.err.code, OF_OK);
    of_http_resp_done(&resp);
    check_fails(f, "GET", "/drop", OF_E_NET, true);
    assert_true(test_server_requests(f->server) > 4);
}

/* --- many at once --- */
struct many {
    atomic_int ended, ok, stopped;
    struct fixture *f;
    int n;
    const char *path;
};

static void many_done(void *arg, struct of_http_resp *resp)
{
    struct many *m = arg;
    char *text = NULL;
    size_t len = 0;
    struct of_err err = OF_ERR_INIT;
    if (resp->err.code == OF_OK && of_buf_take(&resp->body, &text, &len, &err) == OF_OK) {
        atomic_fetch_add(&m->ok, len == 4 ? 1 : 0);
        free(text);
    }
    atomic_fetch_add(&m->stopped, resp->err.code == OF_E_STOPPED ? 1 : 0);
    atomic_fetch_add(&m->ended, 1);
}

static void many_start(void *arg, struct of_http *http)
{
    struct many *m = arg;
    for (int i = 0; i < m->n; i++) {
        struct of_http_req *req = new_req(m->f, "GET", m->path);
        req->done = many_done;
        req->arg = m;
        of_http_start(http, req);
    }
}

static void test_many(void **state)
{
    struct fixture *f = *state;
    struct many m = {.f = f, .n = 20, .path = "/slow"};
    of_http_post(f->http, many_start, &m);
    of_http_post(f->http, many_start, &m);
    for (int i = 0; i < 500 && atomic_load(&m.ended) < 40; i++) {
        usleep(10000);
    }
    assert_int_equal(atomic_load(&m.ok), 40);
    assert_int_equal(test_server_busiest(f->server), 4);
    assert_int_equal(test_server_connections(f->server), 4);
}

static void *many_thread(void *arg)
{
    struct many *m = arg;
    for (int i = 0; i < 25; i++) {
        struct of_http_resp resp = get(m->f, "/");
        atomic_fetch_add(&m->ok, resp.status == 200 ? 1 : 0);
        of_http_resp_done(&resp);
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[8];
    struct many m = {.f = *state};
    for (size_t i = 0; i < OF_ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, many_thread, &m), 0);
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&m.ok), 200);
}

static void test_shutdown(void **state)
{
    struct fixture *f = *state;
    struct many m = {.f = f, .n = 10, .path = "/hang"};
    of_http_post(f->http, many_start, &m);
    while (test_server_requests(f->server) < 4) {
        usleep(1000);
    }
    of_http_post(f->http, many_start, &m); /* may run, or be run by free */
    of_http_free(f->http);
    f->http = NULL;
    assert_int_equal(atomic_load(&m.ended), 20);
    assert_int_equal(atomic_load(&m.stopped), 20);
}

/* --- ticks --- */
static atomic_int ticks;

static int64_t on_tick(void *arg, struct of_http *http)
{
    (void)arg;
    (void)http;
    int n = atomic_fetch_add(&ticks, 1);
    return n < 5 ? of_boot_now().ms + 20 : INT64_MAX;
}

static int setup_ticks(void **state)
{
    static const struct of_http_hooks hooks = {on_tick, NULL};
    atomic_store(&ticks, 0);
    return setup_with(state, 4, &hooks);
}

static void test_ticks(void **state)
{
    int64_t begin_ms = of_boot_now().ms;
    while (atomic_load(&ticks) < 6) {
        usleep(1000);
    }
    assert_in_range(of_boot_now().ms - begin_ms, 80, 5000);
    usleep(100000);
    assert_int_equal(atomic_load(&ticks), 6); /* asleep */
    struct of_http_resp resp = get(*state, "/");
    of_http_resp_done(&resp);
    assert_true(atomic_load(&ticks) > 6);
}

#define HTTP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        HTTP_TEST(test_get),      HTTP_TEST(test_request),  HTTP_TEST(test_headers),
        cmocka_unit_test(test_header_lines), HTTP_TEST(test_failures), HTTP_TEST(test_not_sent),
        HTTP_TEST(test_not_twice), HTTP_TEST(test_many),    HTTP_TEST(test_threads),
        HTTP_TEST(test_shutdown),     cmocka_unit_test_setup_teardown(test_ticks, setup_ticks, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

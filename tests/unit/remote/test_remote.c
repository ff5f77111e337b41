/* SPDX-License-Identifier: Apache-2.0 */
/* Writing requests, against a server that answers, refuses, cuts and hangs. Without a rate limit no lease is needed, so there is
 * no database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "common/token/token.h"
#include "test_server.h"
#include "worker/remote_int.h"

struct fixture {
    struct of_conf conf;
    struct of_worker w;
    struct of_conn conn;
    struct test_server *server;
    int port;
};

struct got {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over;
    struct of_call_result result;
};

static int setup(void **state)
{
    struct fixture *f = of_calloc(1, sizeof(*f));
    struct of_err err = OF_ERR_INIT;
    f->server = test_server_start(&f->port);
    f->conf.database_url = of_strdup("postgresql://127.0.0.1:1/nobody");
    f->conf.http_timeout_ms = 600;
    f->conf.unparsed_bytes = 1 << 20;
    f->conf.budget_lease_ms = 10000;
    f->w.conf = &f->conf;
    (void)of_strcopy(f->w.name, sizeof(f->w.name), "test");
    f->w.lanes = of_lanes_new(2, 1);
    if (of_remote_new(&f->w, &f->w.remote, &err) != OF_OK) {
        return -1;
    }
    f->conn = (struct of_conn){.org = of_strdup("church"), .adapter_name = of_strdup("pco"),
                               .adapter = of_adapter_find("pco"), .mode = 'b', .generation = 1, .auth = of_auth_new()};
    f->conn.base_url = of_asprintf("http://127.0.0.1:%d", f->port);
    atomic_init(&f->conn.refs, 1);
    char json[] = "{\"type\":\"pat\",\"app_id\":\"a\",\"secret\":\"s\"}";
    const struct of_token token = {.version = 1, .json = json};
    *state = f;
    return of_auth_adopt(f->conn.auth, f->conn.adapter, &token, 0, &err) == OF_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    of_remote_stop(f->w.remote);
    (void)of_lanes_wait_empty(f->w.lanes, 1000);
    of_lanes_free(f->w.lanes);
    of_remote_free(f->w.remote);
    of_auth_unref(f->conn.auth);
    free(f->conn.base_url);
    free(f->conn.org);
    free(f->conn.adapter_name);
    free(f->conf.database_url);
    test_server_stop(f->server);
    free(f);
    return 0;
}

static void done(void *arg, struct of_call_result *res)
{
    struct got *g = arg;
    pthread_mutex_lock(&g->lock);
    g->result = *res;
    g->is_over = true;
    pthread_cond_signal(&g->over);
    pthread_mutex_unlock(&g->lock);
}

static struct of_call_result write_to(struct fixture *f, const char *method, const char *path, const char *body, int64_t until_ms)
{
    struct got g = {.is_over = false};
    pthread_mutex_init(&g.lock, NULL);
    pthread_cond_init(&g.over, NULL);
    of_remote_send(f->w.remote, &f->conn, of_type_find(f->conn.adapter, "Person"), method, of_strdup(path),
                   body ? of_strdup(body) : NULL, body ? strlen(body) : 0, OF_CALL_LIVE, 60000,
                   (struct of_boot){of_boot_now().ms + until_ms}, done, &g);
    pthread_mutex_lock(&g.lock);
    while (!g.is_over) {
        pthread_cond_wait(&g.over, &g.lock);
    }
    pthread_mutex_unlock(&g.lock);
    pthread_cond_destroy(&g.over);
    pthread_mutex_destroy(&g.lock);
    return g.result;
}

static struct of_call_result post(struct fixture *f, const char *path)
{
    return write_to(f, "POST", path, "{\"a\":1}", 10000);
}

static void test_what_goes_out(void **state)
{
    struct fixture *f = *state;
    struct of_call_result r = write_to(f, "PATCH", "/echo-json/1", "{\"a\":1}", 10000);
    assert_int_equal(r.err.code, OF_OK);
    assert_int_equal(r.status, 201);
    assert_false(r.unclear);
    assert_non_null(strstr(r.body, "PATCH /echo-json/1 HTTP/1.1\r\n"));
    assert_non_null(strstr(r.body, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(r.body, "Authorization: Basic "));
    assert_non_null(strstr(r.body, "\r\n\r\n|{\"a\":1}"));
    free(r.body);
    r = write_to(f, "DELETE", "/echo-json/1", NULL, 10000);
    assert_non_null(strstr(r.body, "DELETE /echo-json/1 HTTP/1.1\r\n"));
    assert_null(strstr(r.body, "Content-Type"));
    free(r.body);
    r = write_to(f, "DELETE", "/status/204", NULL, 10000);
    assert_int_equal(r.err.code, OF_OK);
    free(r.body);
    assert_int_equal(test_server_requests(f->server), 3);
}

/* A refusal is clear, and its words are there to be looked at; what says nothing is not, and nothing is sent twice. */
static void test_unclear(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path;
        enum of_code code;
        bool unclear, has_body;
    } cases[] = {
        {"/status/201", OF_OK, false, true},          {"/status/422", OF_E_REJECTED, false, true},
        {"/status/404", OF_E_NOT_FOUND, false, true}, {"/status/403", OF_E_DENIED, false, true},
        {"/status/500", OF_E_REMOTE, true, true},     {"/status/503", OF_E_REMOTE, true, true},
        {"/status/200/html", OF_E_REMOTE, true, true}, {"/cut", OF_E_NET, true, false},
        {"/drop", OF_E_NET, true, false},             {"/nonsense", OF_E_REMOTE, true, false},
        {"/hang", OF_E_TIMEOUT, true, false},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(cases); i++) {
        int before = test_server_requests(f->server);
        struct of_call_result r = post(f, cases[i].path);
        if (r.err.code != cases[i].code || r.unclear != cases[i].unclear) {
            fail_msg("%s: %s, %s", cases[i].path, of_code_name(r.err.code), r.unclear ? "unclear" : "clear");
        }
        assert_int_equal(r.body != NULL, cases[i].has_body);
        assert_int_equal(test_server_requests(f->server) - before, 1);
        free(r.body);
    }
}

/* 429 says that it was not carried out: the same body goes again. */
static void test_throttled(void **state)
{
    struct fixture *f = *state;
    struct of_call_result r = post(f, "/throttled");
    assert_int_equal(r.err.code, OF_OK);
    assert_string_equal(r.body, "{\"a\":1}");
    assert_int_equal(test_server_requests(f->server), 2);
    free(r.body);
}

/* After 429 the moment is over: it is not sent again. */
static void test_throttled_too_long(void **state)
{
    struct fixture *f = *state;
    struct of_call_result r = write_to(f, "POST", "/throttled", "{}", 500);
    assert_true(r.err.code == OF_E_BUSY || r.err.code == OF_E_LEASE);
    assert_false(r.unclear);
    assert_int_equal(test_server_requests(f->server), 1);
    free(r.body);
}

/* Nobody listens: nothing was sent. */
static void test_no_connection(void **state)
{
    struct fixture *f = *state;
    free(f->conn.base_url);
    f->conn.base_url = of_strdup("http://127.0.0.1:1");
    struct of_call_result r = post(f, "/");
    assert_int_equal(r.err.code, OF_E_NET);
    assert_false(r.unclear);
    free(r.body);
}

static void nap(void *arg, struct of_http *http)
{
    (void)arg;
    (void)http;
    usleep(300000);
}

/* The process slept between the decision and the sending. */
static void test_slept(void **state)
{
    struct fixture *f = *state;
    assert_true(of_remote_post(f->w.remote, nap, NULL));
    struct of_call_result r = write_to(f, "POST", "/echo-json", "{}", 100);
    assert_int_equal(r.err.code, OF_E_LEASE);
    assert_false(r.unclear);
    assert_int_equal(test_server_requests(f->server), 0);
    free(r.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_goes_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unclear, setup, teardown),
        cmocka_unit_test_setup_teardown(test_throttled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_throttled_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

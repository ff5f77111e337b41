/* SPDX-License-Identifier: Apache-2.0 */
#include "common/metrics/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_bool live = true;
static atomic_bool ready = false;

static bool is_live(void *arg)
{
    assert_ptr_equal(arg, &live);
    return live;
}

static bool is_ready(void *arg, char *why, size_t why_size)
{
    (void)arg;
    if (!ready) {
        (void)of_strcopy(why, why_size, "no partitions yet");
    }
    return ready;
}

static int connect_to(int port)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&where, sizeof(where)), 0);
    return fd;
}

/* The whole answer; the caller's. */
static char *request(int port, const char *method, const char *path)
{
    int fd = connect_to(port);
    OF_CLEANUP(of_freep) char *text = of_asprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    struct of_buf b = OF_BUF_INIT(1024 * 1024);
    char part[4096];
    for (ssize_t n = recv(fd, part, sizeof(part), 0); n > 0; n = recv(fd, part, sizeof(part), 0)) {
        of_buf_mem(&b, part, (size_t)n);
    }
    close(fd);
    char *all = NULL;
    assert_int_equal(of_buf_take(&b, &all, NULL, NULL), OF_OK);
    return all;
}

static void expect(int port, const char *method, const char *path, int status, const char *part)
{
    OF_CLEANUP(of_freep) char *text = request(port, method, path);
    OF_CLEANUP(of_freep) char *first = of_asprintf("HTTP/1.1 %d ", status);
    if (strncmp(text, first, strlen(first)) != 0 || !strstr(text, part)) {
        fail_msg("%s %s: expected %d with '%s', got: %s", method, path, status, part, text);
    }
}

static struct of_metrics_server *serve(int *ret_port)
{
    const struct of_probes probes = {.live = is_live, .ready = is_ready, .arg = &live};
    struct of_metrics_server *s = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_metrics_serve("127.0.0.1", 0, &probes, &s, ret_port, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    assert_true(*ret_port > 0);
    return s;
}

static void pages(void **state)
{
    (void)state;
    int port = 0;
    struct of_metrics_server *s = serve(&port);
    of_metric_inc(of_counter("openfaith_test_served_total", NULL, "Served"));
    expect(port, "GET", "/metrics", 200, "text/plain; version=0.0.4");
    expect(port, "GET", "/metrics?x=1", 200, "\nopenfaith_test_served_total 1\n");
    expect(port, "GET", "/livez", 200, "\r\n\r\nok\n");
    expect(port, "GET", "/readyz", 503, "\r\n\r\nno partitions yet\n");
    expect(port, "GET", "/startupz", 503, "no partitions yet");
    ready = true;
    expect(port, "GET", "/startupz", 200, "ok");
    expect(port, "GET", "/readyz", 200, "ok");
    ready = false;
    live = false;
    expect(port, "GET", "/startupz", 200, "ok");
    expect(port, "GET", "/livez", 503, "heartbeat");
    expect(port, "HEAD", "/readyz", 503, "Cache-Control: no-store");
    expect(port, "GET", "/", 404, "no such page");
    expect(port, "POST", "/metrics", 405, "Allow: GET, HEAD");
    live = true;
    of_metrics_stop(s);
}

static void without_probes(void **state)
{
    (void)state;
    struct of_metrics_server *s = NULL;
    int port = 0;
    assert_int_equal(of_metrics_serve("127.0.0.1", 0, NULL, &s, &port, NULL), OF_OK);
    expect(port, "GET", "/livez", 200, "ok");
    expect(port, "GET", "/readyz", 200, "ok");
    of_metrics_stop(s);
    of_metrics_stop(NULL);
}

static void wrong_addresses(void **state)
{
    (void)state;
    int port = 0;
    struct of_metrics_server *s = serve(&port);
    struct of_metrics_server *second = NULL;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_metrics_serve("127.0.0.1", port, NULL, &second, NULL, &err), OF_E_IO);
    assert_non_null(strstr(err.msg, "Address already in use"));
    assert_int_equal(of_metrics_serve("localhost", 0, NULL, &second, NULL, &err), OF_E_CONFIG);
    assert_int_equal(of_metrics_serve("127.0.0.1", 65536, NULL, &second, NULL, &err), OF_E_CONFIG);
    assert_null(second);
    of_metrics_stop(s);
    assert_int_equal(of_metrics_serve("127.0.0.1", port, NULL, &s, NULL, &err), OF_OK); /* free again */
    of_metrics_stop(s);
}

static void idle_connections_do_not_block(void **state)
{
    (void)state;
    int port = 0;
    struct of_metrics_server *s = serve(&port);
    int fds[20];
    for (size_t i = 0; i < OF_ARRAY_LEN(fds); i++) {
        fds[i] = connect_to(port);
        assert_int_equal(send(fds[i], "GET /met", 8, MSG_NOSIGNAL), 8);
    }
    expect(port, "GET", "/livez", 200, "ok");
    of_metrics_stop(s); /* with connections open */
    for (size_t i = 0; i < OF_ARRAY_LEN(fds); i++) {
        close(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages),
        cmocka_unit_test(without_probes),
        cmocka_unit_test(wrong_addresses),
        cmocka_unit_test(idle_connections_do_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

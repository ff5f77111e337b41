/* SPDX-License-Identifier: Apache-2.0 */
#include "test_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/base.h"

#define MAX_CONNECTIONS 256

struct test_server {
    int fd;
    pthread_t thread, workers[MAX_CONNECTIONS];
    int fds[MAX_CONNECTIONS];
    atomic_int connections, requests, busy, busiest, throttled;
    atomic_bool stop;
};

struct connection {
    struct test_server *s;
    int fd;
};

static void put(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

static void answer(int fd, const char *status, const char *headers, const char *body, size_t len)
{
    char head[1024];
    int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers, len);
    put(fd, head, (size_t)n);
    put(fd, body, len);
}

/* Waits, unless the server stops before. */
static void rest(struct test_server *s, int ms)
{
    for (; ms > 0 && !atomic_load(&s->stop); ms -= 10) {
        usleep(10000);
    }
}

/* Answers one request; false: the connection ends. */
static bool serve(struct test_server *s, int fd, const char *request, const char *body, size_t body_len)
{
    char path[256] = "";
    sscanf(request, "%*s %255s", path);
    if (strncmp(path, "/echo-json", 10) == 0) {
        char *text = of_asprintf("{%.*s|%.*s", (int)(body - request), request, (int)body_len, body);
        answer(fd, "201 Created", "Content-Type: application/json\r\n", text, strlen(text));
        free(text);
    } else if (strncmp(path, "/echo", 5) == 0) {
        char *text = of_asprintf("%.*s|%.*s", (int)(body - request), request, (int)body_len, body);
        answer(fd, "200 OK", "Content-Type: text/plain\r\n", text, strlen(text));
        free(text);
    } else if (strcmp(path, "/headers") == 0) {
        answer(fd, "100 Continue", "Retry-After: 99\r\n", "", 0);
        answer(fd, "429 Too Many Requests",
               "content-TYPE:  application/json; charset=utf-8 \r\nDATE: Sun, 22 Nov 2026 10:00:00 GMT\r\nRetry-after: 7\r\n"
               "x-pco-api-request-rate-limit: 100\r\nX-PCO-API-REQUEST-RATE-COUNT: 118 of 100\r\n"
               "X-PCO-API-Request-Rate-Period: 20 seconds\r\nX-Other: 1\r\n", "{}", 2);
    } else if (strncmp(path, "/status/", 8) == 0) { /* with what was sent as its body */
        char *status = of_asprintf("%.3s Status", path + 8);
        const char *type = strstr(path, "html") ? "Content-Type: text/html\r\n" : "Content-Type: application/json\r\n";
        answer(fd, status, type, body, strcmp(path + 8, "204") == 0 ? 0 : body_len);
        free(status);
    } else if (strcmp(path, "/throttled") == 0) { /* the first time */
        bool first = atomic_fetch_add(&s->throttled, 1) == 0;
        answer(fd, first ? "429 Too Many Requests" : "201 Created",
               first ? "Content-Type: application/json\r\nRetry-After: 1\r\n" : "Content-Type: application/json\r\n", body, body_len);
    } else if (strcmp(path, "/large") == 0) {
        char *text = of_calloc(1, 1000000);
        answer(fd, "200 OK", "", text, 1000000);
        free(text);
    } else if (strcmp(path, "/endless") == 0) {
        char text[1000] = "";
        put(fd, "HTTP/1.1 200 OK\r\n\r\n", 19);
        for (int i = 0; i < 1000; i++) {
            put(fd, text, sizeof(text));
        }
        return false;
    } else if (strcmp(path, "/cut") == 0) {
        put(fd, "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nabc", 48);
        return false;
    } else if (strcmp(path, "/nonsense") == 0) {
        put(fd, "SSH-2.0-OpenSSH\r\n\r\n", 19);
        return false;
    } else if (strcmp(path, "/drop") == 0) {
        return false;
    } else if (strcmp(path, "/hang") == 0) {
        rest(s, 60000);
        return false;
    } else if (strcmp(path, "/slow") == 0) {
        rest(s, 100);
        answer(fd, "200 OK", "", "slow", 4);
    } else if (strcmp(path, "/redirect") == 0) {
        answer(fd, "302 Found", "Location: /echo\r\n", "", 0);
    } else {
        answer(fd, "200 OK", "", "hello", 5);
    }
    return true;
}

static void *connection_thread(void *arg)
{
    struct connection c = *(struct connection *)arg;
    free(arg);
    char *buf = of_calloc(1, 65536);
    size_t len = 0;
    bool go = true;
    while (go && len < 65535) {
        ssize_t n = recv(c.fd, buf + len, 65535 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        buf[len] = '\0';
        char *end = strstr(buf, "\r\n\r\n");
        char *length = strcasestr(buf, "content-length:");
        size_t body_len = length && length < end ? (size_t)strtoul(length + 15, NULL, 10) : 0;
        if (!end || buf + len < end + 4 + body_len) {
            continue;
        }
        int busy = atomic_fetch_add(&c.s->busy, 1) + 1;
        int most = atomic_load(&c.s->busiest);
        while (busy > most && !atomic_compare_exchange_weak(&c.s->busiest, &most, busy)) {
        }
        atomic_fetch_add(&c.s->requests, 1);
        go = serve(c.s, c.fd, buf, end + 4, body_len);
        atomic_fetch_sub(&c.s->busy, 1);
        len = 0;
    }
    free(buf);
    shutdown(c.fd, SHUT_RDWR);
    return NULL;
}

static void *accept_thread(void *arg)
{
    struct test_server *s = arg;
    while (!atomic_load(&s->stop)) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        int n = atomic_load(&s->connections);
        if (poll(&p, 1, 20) <= 0 || n == MAX_CONNECTIONS) {
            continue;
        }
        struct connection *c = of_alloc(sizeof(*c));
        *c = (struct connection){.s = s, .fd = accept(s->fd, NULL, NULL)};
        int on = 1;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        s->fds[n] = c->fd;
        pthread_create(&s->workers[n], NULL, connection_thread, c);
        atomic_store(&s->connections, n + 1);
    }
    return NULL;
}

struct test_server *test_server_start(int *ret_port)
{
    struct test_server *s = of_calloc(1, sizeof(*s));
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->fd, (struct sockaddr *)&at, size) != 0 || listen(s->fd, 128) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&at, &size) != 0) {
        perror("test server");
        exit(1);
    }
    *ret_port = ntohs(at.sin_port);
    pthread_create(&s->thread, NULL, accept_thread, s);
    return s;
}

void test_server_stop(struct test_server *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    for (int i = 0; i < atomic_load(&s->connections); i++) {
        shutdown(s->fds[i], SHUT_RDWR);
        pthread_join(s->workers[i], NULL);
        close(s->fds[i]);
    }
    close(s->fd);
    free(s);
}

int test_server_connections(struct test_server *s)
{
    return atomic_load(&s->connections);
}

int test_server_requests(struct test_server *s)
{
    return atomic_load(&s->requests);
}

int test_server_busiest(struct test_server *s)
{
    return atomic_load(&s->busiest);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/metrics/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#define CONNECTIONS_MAX 32
#define TIMEOUT_S 10
#define BODY_MAX_BYTES (8 * 1024 * 1024)

struct of_metrics_server {
    struct MHD_Daemon *daemon;
    struct of_probes probes;
    atomic_bool was_ready; /* /startupz: true for good once the process was ready */
};

/* Takes what body holds. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, const char *type, struct of_buf *body)
{
    char *text = NULL;
    size_t len = 0;
    if (of_buf_take(body, &text, &len, NULL) != OF_OK) {
        of_buf_done(body);
        return MHD_NO; /* closes the connection */
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status, const char *text)
{
    struct of_buf body = OF_BUF_INIT(1024);
    of_buf_fmt(&body, "%s\n", text);
    return answer(connection, status, "text/plain; charset=utf-8", &body);
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection)
{
    struct of_buf body = OF_BUF_INIT(BODY_MAX_BYTES);
    of_metrics_write(&body);
    return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static bool is_ready(struct of_metrics_server *s, char *why, size_t why_size)
{
    (void)of_strcopy(why, why_size, "not ready");
    bool ready = !s->probes.ready || s->probes.ready(s->probes.arg, why, why_size);
    if (ready) {
        atomic_store(&s->was_ready, true);
    }
    return ready;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    struct of_metrics_server *s = arg;
    char why[256];
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    }
    if (strcmp(url, "/metrics") == 0) {
        return answer_metrics(connection);
    }
    if (strcmp(url, "/livez") == 0) {
        bool live = !s->probes.live || s->probes.live(s->probes.arg);
        return answer_text(connection, live ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, live ? "ok" : "heartbeat is old");
    }
    if (strcmp(url, "/readyz") == 0) {
        bool ready = is_ready(s, why, sizeof(why));
        return answer_text(connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, ready ? "ok" : why);
    }
    if (strcmp(url, "/startupz") == 0) {
        bool started = atomic_load(&s->was_ready) || is_ready(s, why, sizeof(why));
        return answer_text(connection, started ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, started ? "ok" : why);
    }
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "no such page");
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse_address(const char *text, int port, union address *ret, socklen_t *ret_len)
{
    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)port);
        *ret_len = sizeof(ret->v4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons((uint16_t)port);
        *ret_len = sizeof(ret->v6);
        return true;
    }
    return false;
}

/* Our own socket instead of microhttpd's: errors with a reason, the port that was chosen, closed on exec. */
static enum of_code open_socket(const char *address, int port, int *ret_fd, int *ret_port, struct of_err *err)
{
    union address where;
    socklen_t len = 0;
    if (port < 0 || port > 65535 || !parse_address(address, port, &where, &len)) {
        return of_err_set(err, OF_E_CONFIG, "cannot listen on %s:%d: not an address", address, port);
    }
    int one = 1;
    int fd = socket(where.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 || bind(fd, &where.any, len) != 0 ||
        listen(fd, CONNECTIONS_MAX) != 0 || getsockname(fd, &where.any, &len) != 0) {
        char reason[80] = "";
        const char *words = strerror_r(errno, reason, sizeof(reason));
        if (fd >= 0) {
            close(fd);
        }
        return of_err_set(err, OF_E_IO, "cannot listen on %s:%d: %s", address, port, words);
    }
    *ret_fd = fd;
    *ret_port = ntohs(where.any.sa_family == AF_INET ? where.v4.sin_port : where.v6.sin6_port);
    return OF_OK;
}

/* Signals belong to the program's own threads. */
static struct MHD_Daemon *start_daemon(int fd, struct of_metrics_server *s)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, s,
                         MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)TIMEOUT_S, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

enum of_code of_metrics_serve(const char *address, int port, const struct of_probes *probes, struct of_metrics_server **ret,
                              int *ret_port, struct of_err *err)
{
    int fd = -1;
    int bound = 0;
    OF_TRY(open_socket(address, port, &fd, &bound, err));
    struct of_metrics_server *s = of_calloc(1, sizeof(*s));
    if (probes) {
        s->probes = *probes;
    }
    s->daemon = start_daemon(fd, s);
    if (!s->daemon) {
        /* fd stays open: microhttpd has closed it in some of its failures, and the process ends now anyway */
        free(s);
        return of_err_set(err, OF_E_IO, "cannot start the HTTP server on %s:%d", address, port);
    }
    *ret = s;
    if (ret_port) {
        *ret_port = bound;
    }
    return OF_OK;
}

void of_metrics_stop(struct of_metrics_server *s)
{
    if (s) {
        MHD_stop_daemon(s->daemon); /* waits for its thread, closes the socket */
        free(s);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include "api.h"
#include "timer.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define JSON_ERROR "application/json; charset=utf-8"
#define HTML_PAGE                                                                                  \
    "<!DOCTYPE html>\n<html><head><title>Planning Center</title></head><body><h1>Something went "  \
    "wrong</h1><p>We are looking into it.</p></body></html>\n"

enum { MAX_BODY = 64 << 20 };
enum stage { STAGE_NEW = 0, STAGE_BODY, STAGE_WAIT, STAGE_SEND };

struct request {
    struct MHD_Connection *conn;
    char *target; /* as it came */
    char *path;
    const char *query; /* into path's allocation, NULL none */
    char method[8];
    enum stage stage;
    bool control;
    bool arrived;
    struct sim_buf body;
    struct sim_arrival arrival;
    struct sim_fault hits[SIM_MAX_HITS];
    int hit_count;
    struct sim_answer answer;
    /* sending with a fault */
    const struct sim_fault *fault;
    size_t sent;
    bool stalled;
    bool gone; /* the client had hung up before the answer was sent */
    uint64_t bytes;
    int status;
    size_t head_size; /* of the request: its line and headers */
    int64_t cut;      /* byte at which the connection was cut, -1 not */
    size_t wire_sent; /* of an answer that was sent by hand */
    size_t whole_size; /* of that answer, had it not been cut */
    int64_t body_cut; /* the request is cut at this byte of its body, -1 not */
};

static struct MHD_Daemon *daemon_handle;
static int listen_port;

static const char *header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
}

/* Whether the client got the true answer, as far as one can tell here. */
static bool was_heard(const struct request *r, enum MHD_RequestTerminationCode code)
{
    enum sim_fault_kind kind = r->fault ? r->fault->kind : SIM_FAULT_NONE;

    if (kind == SIM_FAULT_CUT_ANSWER || kind == SIM_FAULT_CUT_EACH) {
        return r->whole_size && r->wire_sent == r->whole_size;
    }
    return !r->gone && code == MHD_REQUEST_TERMINATED_COMPLETED_OK && r->status && kind != SIM_FAULT_DONE_STATUS &&
           kind != SIM_FAULT_CUT && kind != SIM_FAULT_TRUNCATE_JSON;
}

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
    struct request *r = sim_alloc(sizeof *r);
    char *question;

    (void)cls;
    r->conn = conn;
    r->cut = r->body_cut = -1;
    r->target = sim_strdup(uri);
    r->path = sim_strdup(uri);
    question = strchr(r->path, '?');
    if (question) {
        *question = '\0';
        r->query = question + 1;
    }
    r->control = !strncmp(uri, "/_sim/", 6);
    return r;
}

/* A JSON array of the attributes and relationships that a write sent, as far as it came. */
static void list_names(const struct request *r, struct sim_buf *out)
{
    static const char *const parts[] = {"attributes", "relationships"};
    cJSON *doc = !strcmp(r->method, "POST") || !strcmp(r->method, "PATCH")
                     ? cJSON_ParseWithLength(r->body.data ? r->body.data : "", r->body.len)
                     : NULL;
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(doc, "data"), *item;

    for (size_t i = 0; data && i < SIM_COUNT(parts); i++) {
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(data, parts[i]))
        {
            if (item->string) {
                sim_buf_char(out, out->len ? ',' : '[');
                sim_buf_json(out, item->string);
            }
        }
    }
    if (out->len) {
        sim_buf_char(out, ']');
    }
    cJSON_Delete(doc);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct request *r = *con_cls;

    (void)cls;
    (void)conn;
    if (!r) {
        return;
    }
    if (r->arrived) {
        struct sim_buf names = {0};

        list_names(r, &names);
        const struct sim_end end = {
            .status = r->status,
            .fault = r->fault ? sim_fault_name(r->fault->kind) : NULL,
            .bytes = r->bytes,
            .asked = r->head_size + r->body.len,
            .sent = r->wire_sent,
            .whole = r->whole_size,
            .cut = r->cut,
            .done = r->answer.done,
            .heard = was_heard(r, code),
            .type = r->answer.rec_type,
            .id = r->answer.rec_id,
            .names = names.len ? sim_buf_cstr(&names) : NULL,
            .body = sim_buf_cstr(&r->body)};

        sim_gate_finish(r->arrival.seq, &end, r->arrival.church);
        sim_buf_free(&names);
    }
    sim_buf_free(&r->body);
    sim_buf_free(&r->answer.body);
    free(r->target);
    free(r->path);
    free(r);
    *con_cls = NULL;
}

/* --- answers --- */

/* Sends the body up to the place of the fault, then cuts or stalls. */
static ssize_t faulty_reader(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct request *r = cls;
    size_t len = r->answer.body.len, stop = len, n;
    int64_t arg;

    if (r->fault->kind == SIM_FAULT_CUT) {
        stop = sim_parse_i64(r->fault->arg, &arg) && arg >= 0 ? (size_t)arg : len / 2;
        stop = stop > len ? len : stop;
        if (pos >= stop) {
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
    } else if (!r->stalled) {
        stop = len / 2;
        if (pos >= stop) {
            r->stalled = true;
            if (sim_timer_suspend(r->conn, r->fault->delay_ms * 1000)) {
                return 0;
            }
            stop = len;
        }
    }
    n = stop - (size_t)pos;
    n = n > max ? max : n;
    memcpy(buf, r->answer.body.data + pos, n);
    return (ssize_t)n;
}

/* Where headers go: into the library's response, or as text when the answer is sent by hand. */
struct head {
    struct MHD_Response *resp;
    struct sim_buf *text;
};

static void add_header(const struct head *to, const char *name, const char *value)
{
    if (to->resp) {
        (void)MHD_add_response_header(to->resp, name, value);
    } else {
        sim_buf_fmt(to->text, "%s: %s\r\n", name, value);
    }
}

static uint64_t hash_bytes(const char *p, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ n, w;

    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    for (; n; n--, p++) {
        h = (h ^ (unsigned char)*p) * 0xff51afd7ed558ccdu;
    }
    return h ^ h >> 29;
}

static void rate_headers(const struct head *resp, const struct request *r)
{
    const struct sim_arrival *a = &r->arrival;
    bool gateway = !r->answer.processor;
    char text[64];

    (void)snprintf(text, sizeof text, "%lld", (long long)a->count);
    add_header(resp, "X-PCO-API-Request-Rate-Count", text);
    (void)snprintf(text, sizeof text, "%lld", (long long)a->limit);
    add_header(resp, "X-PCO-API-Request-Rate-Limit", text);
    (void)snprintf(text, sizeof text, "%lld%s", (long long)a->period_s,
                   gateway ? " seconds" : "");
    add_header(resp, "X-PCO-API-Request-Rate-Period", text);
}

static void api_headers(const struct head *resp, const struct request *r)
{
    const struct sim_answer *a = &r->answer;
    char text[64];

    if (a->content_type) {
        add_header(resp, "Content-Type", a->content_type);
    }
    add_header(resp, "Vary", "Accept, Accept-Encoding, Origin");
    (void)snprintf(text, sizeof text, "%08llx-sim", (unsigned long long)r->arrival.seq);
    add_header(resp, "X-Request-Id", text);
    if (r->arrival.counted && !a->bare) {
        rate_headers(resp, r);
    }
    if (a->processor) {
        add_header(resp, "X-PCO-API-Processor", a->processor);
        add_header(resp, "X-PCO-API-Auth-Method",
                   r->arrival.cred == SIM_CRED_PAT ? "HTTPBasic" : "OAuth2");
    }
    if (a->version) {
        add_header(resp, "X-PCO-API-Processed-As-Version", a->version);
    }
    if (a->extra_header) {
        add_header(resp, a->extra_header, a->extra_value);
    }
    if (a->status == 200 && a->processor) {
        (void)snprintf(text, sizeof text, "W/\"%016llx\"",
                       (unsigned long long)hash_bytes(a->body.data, a->body.len));
        add_header(resp, "ETag", text);
    }
}

/* Sends the answer's first bytes, head included, and has the connection closed. */
static enum MHD_Result send_cut(struct request *r, size_t at)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sim_buf all = {0};
    char date[40];
    ssize_t n;

    sim_format_http_date(sim_wall_s(), date);
    sim_buf_fmt(&all, "HTTP/1.1 %d %s\r\nDate: %s\r\n", r->answer.status,
                MHD_get_reason_phrase_for((unsigned)r->answer.status), date);
    if (r->answer.status != 204) {
        sim_buf_fmt(&all, "Content-Length: %zu\r\n", r->answer.body.len);
    }
    api_headers(&(struct head){NULL, &all}, r);
    SIM_LIT(&all, "\r\n");
    sim_buf_put(&all, r->answer.body.data, r->answer.body.len);
    r->status = r->answer.status;
    r->bytes = r->answer.body.len;
    at = at < all.len ? at : all.len;
    while (info && r->wire_sent < at) {
        n = send(info->connect_fd, all.data + r->wire_sent, at - r->wire_sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = info->connect_fd, .events = POLLOUT};

            if (poll(&p, 1, 1000) <= 0) {
                break;
            }
        } else if (n < 0 && errno != EINTR) {
            break;
        }
        r->wire_sent += n > 0 ? (size_t)n : 0;
    }
    r->whole_size = all.len;
    sim_buf_free(&all);
    return MHD_NO;
}

static bool has_hung_up(const struct request *r)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    char byte;

    return info && recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static enum MHD_Result send_answer(struct request *r)
{
    struct sim_answer *a = &r->answer;
    struct MHD_Response *resp;
    enum MHD_Result result;

    r->gone = strcmp(r->method, "GET") != 0 && !r->control && has_hung_up(r);
    r->status = a->status;
    r->bytes = a->body.len;
    if (r->fault && (r->fault->kind == SIM_FAULT_CUT || r->fault->kind == SIM_FAULT_STALL)) {
        resp = MHD_create_response_from_callback(a->body.len, 32768, faulty_reader, r, NULL);
    } else {
        resp = MHD_create_response_from_buffer(a->body.len, a->body.data, MHD_RESPMEM_MUST_FREE);
    }
    if (!resp) {
        return MHD_NO;
    }
    api_headers(&(struct head){resp, NULL}, r);
    if (!r->fault || (r->fault->kind != SIM_FAULT_CUT && r->fault->kind != SIM_FAULT_STALL)) {
        a->body = (struct sim_buf){0}; /* the response owns it now */
    }
    result = MHD_queue_response(r->conn, (unsigned)a->status, resp);
    MHD_destroy_response(resp);
    return result;
}

static void answer_429(struct request *r)
{
    struct sim_answer *a = &r->answer;

    a->status = 429;
    a->content_type = "application/json";
    a->extra_header = "Retry-After";
    (void)snprintf(a->extra_value, sizeof a->extra_value, "%lld",
                   (long long)r->arrival.retry_after_s);
    sim_buf_fmt(&a->body,
                "{\"errors\":[{\"code\":\"429\",\"title\":\"Too Many Requests\",\"detail\":\"Rate "
                "limit exceeded: %lld of %lld requests per %lld seconds\"}]}",
                (long long)r->arrival.count, (long long)r->arrival.limit,
                (long long)r->arrival.period_s);
}

static void answer_401(struct request *r, const char *hint)
{
    char detail[128];

    (void)snprintf(detail, sizeof detail,
                   "This request could not be authenticated. Error Code Hint: (%s)", hint);
    if (!strcmp(hint, "BLACKBIRD")) {
        r->answer.status = 401;
        r->answer.content_type = "text/plain; charset=utf-8";
        r->answer.extra_header = "WWW-Authenticate";
        (void)snprintf(r->answer.extra_value, sizeof r->answer.extra_value,
                       "Basic realm=\"Planning Center API\"");
        SIM_LIT(&r->answer.body, "HTTP Basic: Access denied.\n");
        return;
    }
    sim_answer_error(&r->answer, 401, detail);
}

/* Answers that a fault puts in place of the true one; false: it is not of that kind. */
static bool answer_fault(struct request *r)
{
    struct sim_answer *a = &r->answer;
    int64_t arg;

    switch (r->fault ? r->fault->kind : SIM_FAULT_NONE) {
    case SIM_FAULT_STATUS429:
        r->arrival.retry_after_s =
            sim_parse_i64(r->fault->arg, &arg) ? arg : r->arrival.retry_after_s;
        answer_429(r);
        return true;
    case SIM_FAULT_STATUS500HTML:
        a->status = 500;
        break;
    case SIM_FAULT_STATUS503:
        a->status = 503;
        if (sim_parse_i64(r->fault->arg, &arg)) {
            a->extra_header = "Retry-After";
            (void)snprintf(a->extra_value, sizeof a->extra_value, "%lld", (long long)arg);
        }
        break;
    case SIM_FAULT_HTML200:
        a->status = 200;
        break;
    case SIM_FAULT_STATUS401:
        answer_401(r, r->fault->arg[0] ? r->fault->arg : "CAPUCHIN");
        return true;
    case SIM_FAULT_STATUS402:
        sim_answer_error(a, 402, NULL);
        return true;
    case SIM_FAULT_STATUS403:
        sim_answer_error(a, 403, NULL);
        return true;
    case SIM_FAULT_STATUS404:
        sim_answer_error(a, 404, NULL);
        return true;
    case SIM_FAULT_STATUS409:
        sim_answer_error(a, 409, NULL);
        return true;
    case SIM_FAULT_STATUS422:
        sim_answer_error(a, 422, r->fault->arg[0] ? r->fault->arg : NULL);
        return true;
    case SIM_FAULT_STATUS500:
        sim_answer_error(a, 500, NULL);
        return true;
    case SIM_FAULT_STATUS504:
        a->status = 504;
        break;
    default:
        return false;
    }
    a->content_type = "text/html; charset=utf-8";
    SIM_LIT(&a->body, HTML_PAGE);
    return true;
}

static void base_of(const struct request *r, char *out, size_t size)
{
    const char *host = header(r, "Host");

    if (host) {
        (void)snprintf(out, size, "http://%s", host);
    } else {
        (void)snprintf(out, size, "http://127.0.0.1:%d", listen_port);
    }
}

static void answer_oauth(struct request *r)
{
    struct sim_answer *a = &r->answer;
    const char *type = header(r, "Content-Type");
    const char *body = sim_buf_cstr(&r->body);

    a->content_type = JSON_ERROR;
    if (!strcmp(r->path, "/oauth/token") && !strcmp(r->method, "POST")) {
        a->status = sim_oauth_token(type, body, r->query, &a->body);
    } else if (!strcmp(r->path, "/oauth/revoke") && !strcmp(r->method, "POST")) {
        a->status = sim_oauth_revoke(type, body, &a->body);
    } else {
        sim_answer_error(a, 404, NULL);
    }
}

/* The true answer, whatever becomes of it. */
static void process(struct request *r)
{
    char base[256];
    struct sim_call call = {.church = r->arrival.church,
                            .method = r->method,
                            .path = r->path,
                            .query = r->query,
                            .body = sim_buf_cstr(&r->body),
                            .base = base,
                            .version = header(r, "X-PCO-API-Version"),
                            .hits = r->hits,
                            .hit_count = r->hit_count};

    base_of(r, base, sizeof base);
    if (!strncmp(r->path, "/oauth/", 7)) {
        answer_oauth(r);
    } else {
        sim_api_handle(&call, &r->answer);
    }
}

static void truncate_body(struct request *r)
{
    struct sim_buf *b = &r->answer.body;
    int64_t arg;
    size_t keep = sim_parse_i64(r->fault->arg, &arg) && arg >= 0 ? (size_t)arg : b->len / 2;

    b->len = keep < b->len ? keep : b->len;
}

/* It was carried out, but something on the way says otherwise. */
static void deny(struct request *r)
{
    struct sim_answer *a = &r->answer;
    int64_t arg;

    a->status = sim_parse_i64(r->fault->arg, &arg) && arg >= 400 && arg < 600 ? (int)arg : 504;
    a->content_type = "text/html; charset=utf-8";
    a->processor = a->version = NULL;
    a->body.len = 0;
    SIM_LIT(&a->body, HTML_PAGE);
}

/* Faults that cut the connection at a byte of the exchange. True: cut, *ret is the library's answer. */
static bool cut_exchange(struct request *r, enum MHD_Result *ret)
{
    int64_t asked = (int64_t)(r->head_size + r->body.len), at = r->fault->point;

    if (r->fault->kind == SIM_FAULT_CUT_EACH) {
        r->cut = at;
        if (at < asked) { /* in the request: it is not carried out */
            *ret = MHD_NO;
            return true;
        }
        at -= asked;
    } else if (r->fault->kind != SIM_FAULT_CUT_ANSWER) {
        return false;
    }
    process(r);
    r->cut = r->fault->kind == SIM_FAULT_CUT_EACH ? r->cut : at;
    *ret = send_cut(r, at > 0 ? (size_t)at : 0);
    return true;
}

static enum MHD_Result spoil_answer(struct request *r)
{
    enum sim_fault_kind kind = r->fault ? r->fault->kind : SIM_FAULT_NONE;

    if (kind == SIM_FAULT_LOST) {
        return MHD_NO; /* processed, but nobody hears of it */
    }
    if (kind == SIM_FAULT_DONE_STATUS) {
        deny(r);
    } else if (kind == SIM_FAULT_TRUNCATE_JSON) {
        truncate_body(r);
    } else if (kind == SIM_FAULT_DELAY) {
        r->stage = STAGE_SEND;
        if (sim_timer_suspend(r->conn, r->fault->delay_ms * 1000)) {
            return MHD_YES;
        }
    }
    return send_answer(r);
}

static enum MHD_Result produce(struct request *r)
{
    enum MHD_Result result;

    r->answer.content_type = JSON_ERROR;
    if (r->arrival.hint) {
        r->fault = NULL;
        answer_401(r, r->arrival.hint);
    } else if (r->arrival.refused) {
        r->fault = NULL;
        answer_429(r);
    } else if (r->fault && r->fault->kind == SIM_FAULT_HANG) {
        return MHD_NO; /* has hung long enough */
    } else if (r->fault && cut_exchange(r, &result)) {
        return result;
    } else if (!answer_fault(r)) {
        process(r);
        return spoil_answer(r);
    }
    return send_answer(r);
}

static enum MHD_Result arrive(struct request *r)
{
    bool oauth = !strncmp(r->path, "/oauth/", 7);
    int org;
    int64_t delay_us;

    if (oauth) {
        org = sim_oauth_church(header(r, "Content-Type"), sim_buf_cstr(&r->body), r->query);
        r->arrival.church = sim_church_get(org);
    }
    r->arrival.version = header(r, "X-PCO-API-Version");
    sim_gate_arrive(header(r, "Authorization"), r->method, r->target, !oauth, &r->arrival);
    r->arrived = true;
    org = r->arrival.church ? r->arrival.church->org.number : 0;
    if (!r->arrival.refused && !r->arrival.hint) {
        const struct sim_fault_request q = {.method = r->method,
                                            .target = r->target,
                                            .body = sim_buf_cstr(&r->body),
                                            .org = org,
                                            .is_list = !strcmp(r->method, "GET") && sim_api_is_list(r->path)};

        r->hit_count = sim_faults_match(&q, r->hits, SIM_MAX_HITS);
    }
    for (int i = 0; i < r->hit_count; i++) { /* one for the whole answer goes first */
        if (!r->fault || !sim_fault_is_record(r->hits[i].kind)) {
            r->fault = &r->hits[i];
        }
    }
    delay_us = r->arrival.latency_ms * 1000;
    if (r->fault && (r->fault->kind == SIM_FAULT_HANG || r->fault->kind == SIM_FAULT_LATE)) {
        delay_us = r->fault->delay_ms * 1000;
    }
    r->stage = STAGE_WAIT;
    if (delay_us > 0 && sim_timer_suspend(r->conn, delay_us)) {
        return MHD_YES;
    }
    return produce(r);
}

/* Cuts a request before it is whole: it is in the ledger, and nothing else happens. True: cut in its head. */
static bool cut_early(struct request *r)
{
    struct sim_arrival who = {0};
    struct sim_fault_request q = {.method = r->method, .target = r->target, .body = "", .early = true};

    if (r->control || !sim_faults_want_early()) {
        return false;
    }
    sim_gate_peek(header(r, "Authorization"), &who);
    q.org = who.church ? who.church->org.number : 0;
    r->hit_count = sim_faults_match(&q, r->hits, 1);
    if (!r->hit_count) {
        return false;
    }
    r->fault = &r->hits[0];
    r->arrival.church = who.church;
    r->arrival.cred = who.cred;
    r->arrival.generation = who.generation;
    sim_gate_arrive(NULL, r->method, r->target, false, &r->arrival);
    r->arrived = true;
    r->cut = r->fault->point;
    r->body_cut = r->cut > (int64_t)r->head_size ? r->cut - (int64_t)r->head_size : 0;
    return r->body_cut == 0;
}

static enum MHD_Result control(struct request *r)
{
    r->answer.content_type = "application/json";
    r->answer.bare = true;
    r->answer.status = sim_control_handle(r->method, r->path, r->query, sim_buf_cstr(&r->body),
                                          &r->answer.body);
    return send_answer(r);
}

static enum MHD_Result add_length(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    *(size_t *)cls += strlen(key) + 2 + strlen(value ? value : "") + 2;
    return MHD_YES;
}

/* "POST /path HTTP/1.1", headers as "Name: value", and the empty line. */
static size_t head_size(const struct request *r, const char *version)
{
    size_t n = strlen(r->method) + 1 + strlen(r->target) + 1 + strlen(version) + 2 + 2;

    (void)MHD_get_connection_values(r->conn, MHD_HEADER_KIND, add_length, &n);
    return n;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    struct request *r = *con_cls;

    (void)cls;
    (void)conn;
    (void)url;
    if (r->stage == STAGE_NEW) {
        (void)snprintf(r->method, sizeof r->method, "%s", method);
        r->head_size = head_size(r, version);
        r->stage = STAGE_BODY;
        return cut_early(r) ? MHD_NO : MHD_YES;
    }
    if (r->stage == STAGE_SEND) {
        return send_answer(r);
    }
    if (r->stage == STAGE_WAIT) {
        return produce(r);
    }
    if (*size) {
        if (r->body.len + *size > MAX_BODY) {
            return MHD_NO;
        }
        sim_buf_put(&r->body, data, *size);
        *size = 0;
        return r->body_cut >= 0 && (int64_t)r->body.len >= r->body_cut ? MHD_NO : MHD_YES;
    }
    if (r->body_cut >= 0) {
        return MHD_NO;
    }
    return r->control ? control(r) : arrive(r);
}

bool sim_server_start(int port, int threads, int *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const union MHD_DaemonInfo *info;

    sim_timer_start();
    daemon_handle = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)port, NULL, NULL,
        on_request, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&addr,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)(threads > 1 ? threads : 0),
        MHD_OPTION_CONNECTION_LIMIT, 16384u, MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096u,
        MHD_OPTION_END);
    if (!daemon_handle) {
        return false;
    }
    info = MHD_get_daemon_info(daemon_handle, MHD_DAEMON_INFO_BIND_PORT);
    listen_port = info ? info->port : port;
    *ret_port = listen_port;
    return true;
}

void sim_server_stop(void)
{
    sim_timer_stop(); /* first: the library does not end with suspended connections */
    MHD_stop_daemon(daemon_handle);
    daemon_handle = NULL;
}

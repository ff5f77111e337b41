/* SPDX-License-Identifier: Apache-2.0 */
/* One request on its way: sending, its answer, what the answer means for budget, credentials and caller. HTTP thread. */
#include "worker/remote_int.h"

#include <stdlib.h>
#include <string.h>

#include "common/metrics/metrics.h"

#define CONNECT_TIMEOUT_MS 10000
#define HEADERS_MAX 7 /* of the adapter; one more says what a body is */
/* A call is sent again after so many 401s at most: a personal token that is refused twice is revoked; refreshed credentials
 * that are refused again and again need a person too. */
#define REFUSALS_MAX_PAT 2
#define REFUSALS_MAX_OAUTH 3

static void count_request(const struct of_conn *conn, int status)
{
    char labels[160];
    struct of_buf b = OF_BUF_INIT(sizeof(labels));
    of_buf_fmt(&b, "provider=\"%s\",code=\"", conn->adapter_name);
    if (status >= 100 && status <= 599) {
        of_buf_i64(&b, status);
    } else {
        of_buf_str(&b, "none");
    }
    of_buf_char(&b, '"');
    of_metric_inc(of_counter("openfaith_http_client_requests_total", of_buf_text(&b), "Requests to remote systems"));
    of_buf_done(&b);
}

static void count_throttled(const struct of_conn *conn, const char *reason)
{
    struct of_buf b = OF_BUF_INIT(160);
    of_buf_fmt(&b, "provider=\"%s\",reason=\"%s\"", conn->adapter_name, reason);
    of_metric_inc(of_counter("openfaith_ratelimit_throttled_total", of_buf_text(&b),
                             "Requests refused by the remote system (429) or held back by the budget"));
    of_buf_done(&b);
}

void of_remote_count_wait(struct of_chan *chan, const struct of_call *call)
{
    static const double buckets[] = {0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 60};
    (void)chan;
    double waited = (double)(of_boot_now().ms - call->queued_at.ms) / 1000;
    of_metric_observe(of_histogram("openfaith_ratelimit_wait_seconds", NULL, "Time that requests waited for a permit", buckets,
                                   OF_ARRAY_LEN(buckets)),
                      waited);
    if (waited >= 0.1) {
        count_throttled(call->conn, "budget");
    }
}

static int header_number(const char *text)
{
    int64_t n = 0;
    for (int i = 0; text[i] >= '0' && text[i] <= '9' && i < 9; i++) {
        n = n * 10 + (text[i] - '0'); /* "20 seconds": the leading integer counts */
    }
    return (int)n;
}

static void account(struct of_call *call, const struct of_http_resp *resp, const struct of_err *err)
{
    struct of_chan *chan = call->chan;
    struct of_remote *r = call->r;
    chan->in_flight--;
    r->in_flight--;
    r->reserved -= call->reserved;
    if (!resp->sent && resp->err.code != OF_OK) {
        of_budget_unsent(chan->budget, call->permit);
        return;
    }
    const struct of_budget_seen seen = {
        .sent_at = resp->sent_at,
        .limit = header_number(resp->rate_limit),
        .count = header_number(resp->rate_count),
        .period_ms = (int64_t)header_number(resp->rate_period) * 1000,
        .is_answer = resp->err.code == OF_OK,
        .throttled = err->code == OF_E_THROTTLED,
        .retry_after_ms = err->code == OF_E_THROTTLED ? err->retry_after_ms : 0,
    };
    of_budget_answered(chan->budget, call->permit, of_boot_now(), &seen);
}

/* A system that does not answer gets one request at a time until it does, so that it holds few of our connections. */
static void follow_health(struct of_chan *chan, const struct of_http_resp *resp)
{
    if (resp->err.code == OF_OK) {
        chan->max_in_flight = OF_REMOTE_PARALLEL;
    } else if (resp->err.code == OF_E_TIMEOUT) {
        chan->max_in_flight = 1;
    }
}

static void again(struct of_call *call)
{
    struct of_chan *chan = call->chan;
    call->chan = NULL;
    call->queued_at = of_boot_now();
    of_call_queue_unshift(&chan->q[call->priority], call);
}

/* 401. Newer credentials may be there already; else they are made new. */
static void on_refused(struct of_call *call)
{
    struct of_chan *chan = call->chan;
    struct of_conn *conn = call->conn;
    again(call);
    if (chan->is_refreshing || call->auth_version < of_auth_version(conn->auth) ||
        of_auth_look(conn->auth, of_wall_now()) == OF_AUTH_DEAD) {
        return; /* its turn will tell */
    }
    if (of_auth_is_oauth(conn->auth) && of_boot_now().ms < chan->refresh_after.ms) { /* an old request; its turn refreshes, not before */
        of_auth_set_refused(conn->auth, call->auth_version);
        return;
    }
    call->refused++; /* of another version each time: no request goes out with one that is known to be refused */
    of_auth_set_refused(conn->auth, call->auth_version);
    bool is_final = call->refused >= (of_auth_is_oauth(conn->auth) ? REFUSALS_MAX_OAUTH : REFUSALS_MAX_PAT);
    chan->is_refreshing = true;
    of_refresh_start(chan->r, conn, call->auth_version, is_final);
}

static bool is_write(const struct of_call *call)
{
    return call->send_until.ms > 0;
}

static void keep_body(struct of_call *call, struct of_http_resp *resp)
{
    struct of_remote *r = call->r;
    size_t len = 0;
    char *body = NULL;
    if (of_buf_take(&resp->body, &body, &len, NULL) == OF_OK) {
        call->result.body = body;
        call->result.body_len = len;
        if (!is_write(call)) { /* pages of lists are what memory is reserved for */
            r->usual_body = (r->usual_body * 7 + len) / 8;
        }
    }
}

/* A refusal (4xx) says that it was not carried out. A cut or missing answer, a server's error, and a success that is none of
 * the API's (a proxy's page) say nothing. */
static bool is_unclear(const struct of_http_resp *resp, const struct of_err *err)
{
    if (err->code == OF_OK || !resp->sent) {
        return false;
    }
    return resp->err.code != OF_OK || resp->status == 408 || resp->status < 300 || resp->status >= 500;
}

static void on_answer(void *arg, struct of_http_resp *resp)
{
    struct of_call *call = arg;
    struct of_remote *r = call->r;
    struct of_chan *chan = call->chan;
    struct of_conn *conn = call->conn;
    struct of_err err = resp->err;
    if (err.code == OF_OK) {
        (void)conn->adapter->classify(resp->status, resp->content_type, resp->retry_after, of_buf_text(&resp->body),
                                      resp->body.len, &err);
    }
    if (err.code != OF_E_STOPPED) {
        count_request(conn, resp->status);
    }
    account(call, resp, &err);
    follow_health(chan, resp);
    chan->used_at = of_boot_now();
    of_chan_turn(chan);
    call->result.status = resp->status;
    call->result.sent_at = resp->sent_at;
    call->result.done_at = resp->done_at;
    bool stopped = atomic_load(&r->stopped) || err.code == OF_E_STOPPED;
    if (err.code == OF_E_THROTTLED && !stopped) {
        count_throttled(conn, "429");
        of_log(OF_LOG_WARN, "remote.throttled", "refused with 429, waiting", OF_S("org_id", conn->org),
               OF_S("adapter", conn->adapter_name), OF_I("retry_in_ms", err.retry_after_ms));
        again(call);
        return;
    }
    if (err.code == OF_E_AUTH && !stopped) {
        on_refused(call);
        return;
    }
    call->chan = NULL;
    call->result.err = err;
    if (!of_time_parse_http(resp->date, &call->result.date)) {
        call->result.date.us = 0;
    }
    if (err.code == OF_OK) {
        of_auth_accepted(r->w, conn, call->auth_version);
    }
    if (err.code == OF_OK || (is_write(call) && resp->err.code == OF_OK)) {
        keep_body(call, resp);
    }
    call->result.unclear = is_write(call) && is_unclear(resp, &err);
    of_call_end(call);
}

static struct of_http_req *make_request(struct of_remote *r, struct of_call *call)
{
    const struct of_conn *conn = call->conn;
    struct of_http_req *req = of_http_req_new(call->method, of_asprintf("%s%s", conn->base_url, call->target));
    req->authorization = of_auth_header(conn->auth, &call->auth_version);
    const char *headers[HEADERS_MAX] = {NULL};
    int n = conn->adapter->headers ? conn->adapter->headers(call->type, headers, HEADERS_MAX) : 0;
    for (int i = 0; i < n; i++) {
        req->headers[req->n_headers++] = of_strdup(headers[i]);
    }
    if (call->body) {
        req->headers[req->n_headers++] = of_strdup("Content-Type: application/json");
        req->body = of_alloc(call->body_len + 1);
        memcpy(req->body, call->body, call->body_len);
        req->body_len = call->body_len;
    }
    req->send_until = call->send_until;
    req->timeout_ms = (int)r->w->conf->http_timeout_ms;
    req->connect_timeout_ms = OF_MIN(CONNECT_TIMEOUT_MS, req->timeout_ms);
    req->max_body = OF_REMOTE_MAX_BODY;
    req->done = on_answer;
    req->arg = call;
    return req;
}

void of_call_send(struct of_chan *chan, struct of_call *call)
{
    struct of_remote *r = chan->r;
    call->chan = chan;
    call->permit = of_budget_take(chan->budget);
    call->reserved = r->usual_body;
    r->reserved += call->reserved;
    chan->in_flight++;
    r->in_flight++;
    of_http_start(r->http, make_request(r, call));
}

void of_chan_refreshed(struct of_remote *r, struct of_conn *conn, enum of_refresh_result result, int64_t retry_ms,
                       const struct of_err *err)
{
    struct of_chan *chan = of_chan_find(r, conn->org, conn->adapter_name);
    if (!chan) {
        return;
    }
    chan->is_refreshing = false;
    switch (result) {
    case OF_REFRESH_OK:
    case OF_REFRESH_SAME: /* the calls try once more; a second refusal ends it */
        chan->refresh_failures = 0;
        chan->refresh_after.ms = 0;
        break;
    case OF_REFRESH_LATER:
        chan->refresh_failures++;
        chan->refresh_after.ms = of_boot_now().ms + retry_ms;
        break;
    case OF_REFRESH_DEAD:
    case OF_REFRESH_STOPPED:
        of_chan_fail_all(chan, err);
        break;
    default:
        OF_BUG_ON(true);
    }
    of_chan_turn(chan);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_HTTP_H
#define OF_HTTP_H

/* HTTP client: one thread owns curl_multi; thousands of requests wait there at the price of a struct each.
 * TLS verified against the system's roots; redirects are not followed; http:// and https:// only; HTTP/1.1 keep-alive,
 * connections per host bounded. Bodies are bounded by max_body (OF_E_TOO_LARGE). No cookies, no proxies from environment.
 * Errors (of_http_resp.err): OF_E_NET (no connection, cut answer), OF_E_TIMEOUT, OF_E_TOO_LARGE, OF_E_REMOTE (not HTTP),
 * OF_E_INVALID (URL or header), OF_E_LEASE (send_until), OF_E_STOPPED. Their texts hold the host, never path, query or headers. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"
#include "common/time/time.h"

struct of_http;

struct of_http_resp {
    int status;                     /* 0: no answer, see err; an answer that was cut has a status and an err */
    struct of_err err;              /* OF_OK if an HTTP answer arrived whole, whatever its status */
    bool sent;                      /* false: certainly nothing left this machine */
    struct of_buf body;             /* owned by the callback's receiver after of_buf_take, else freed after the callback */
    char content_type[64];
    char date[64], retry_after[64]; /* header texts, "" if absent */
    char rate_limit[32], rate_count[32], rate_period[32]; /* X-PCO-API-Request-Rate-*, texts as sent (leading integer counts) */
    struct of_boot sent_at, done_at; /* sent_at: the first byte of the request (or its start, if not sent) */
};

struct of_http_req {
    const char *method; /* static */
    char *url;          /* owned */
    char *authorization; /* owned secret (of_secret_free), the header's value; NULL: none */
    char *headers[8];   /* owned "Name: value" */
    int n_headers;
    char *body; /* owned; NULL: none */
    size_t body_len;
    int timeout_ms, connect_timeout_ms;
    struct of_boot send_until; /* compared right before the first byte goes out: later than that it ends with OF_E_LEASE, and
                                  nothing was sent. ms 0: no such moment */
    size_t max_body;
    /* Called once, on the HTTP thread: must only hand over. resp is borrowed for the call (take resp->body). The request is
     * freed after it. */
    void (*done)(void *arg, struct of_http_resp *resp);
    void *arg;
};

/* on_tick runs on the HTTP thread after every turn; it may start requests, and returns the boot time in ms at which it
 * wants to run again at the latest (INT64_MAX: whenever something happens). NULL is fine. */
struct of_http_hooks {
    int64_t (*on_tick)(void *arg, struct of_http *http);
    void *arg;
};
OF_MUSTCHECK enum of_code of_http_new(const char *user_agent, int max_per_host, const struct of_http_hooks *hooks,
                                      struct of_http **ret, struct of_err *err);
/* Aborts what is in flight (done with OF_E_STOPPED), joins the thread. */
void of_http_free(struct of_http *http);
/* Defaults: 30 s in all (waiting for a connection included), 10 s to connect, 8 MiB of body. Requests other than GET and
 * HEAD are never sent twice. */
struct of_http_req *of_http_req_new(const char *method, char *owned_url);
void of_http_req_free(struct of_http_req *req);
/* Takes req; starts it now. HTTP thread only (hooks, of_http_post functions, done callbacks). */
void of_http_start(struct of_http *http, struct of_http_req *req);
/* Runs fn(arg) on the HTTP thread soon; fn is called exactly once, also at of_http_free. Any thread. */
void of_http_post(struct of_http *http, void (*fn)(void *arg, struct of_http *http), void *arg);
/* Takes req, waits for its end on the calling thread (never the HTTP thread). req->done/arg are overwritten. resp is the
 * caller's: of_http_resp_done(). For ctl and tests. */
void of_http_run(struct of_http *http, struct of_http_req *req, struct of_http_resp *resp);
void of_http_resp_done(struct of_http_resp *resp);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/crypto/crypto.h"
#include "common/http/http_int.h"

#define OF_HTTP_LOW_SPEED_S 30
#define OF_HTTP_TIMEOUT_MS 30000
#define OF_HTTP_CONNECT_TIMEOUT_MS 10000
#define OF_HTTP_MAX_BODY ((size_t)8 * 1024 * 1024)

/* --- requests --- */
struct of_http_req *of_http_req_new(const char *method, char *owned_url)
{
    struct of_http_req *req = of_calloc(1, sizeof(*req));
    req->method = method;
    req->url = owned_url;
    req->timeout_ms = OF_HTTP_TIMEOUT_MS;
    req->connect_timeout_ms = OF_HTTP_CONNECT_TIMEOUT_MS;
    req->max_body = OF_HTTP_MAX_BODY;
    return req;
}

void of_http_req_free(struct of_http_req *req)
{
    if (!req) {
        return;
    }
    for (int i = 0; i < req->n_headers; i++) {
        free(req->headers[i]);
    }
    of_secret_free(req->authorization);
    free(req->body);
    free(req->url);
    free(req);
}

/* --- curl's callbacks --- */
static size_t of_http_on_header(char *line, size_t size, size_t n, void *arg)
{
    struct of_http_transfer *t = arg;
    of_http_resp_header(&t->resp, line, size * n);
    return size * n;
}

static size_t of_http_on_body(char *data, size_t size, size_t n, void *arg)
{
    struct of_http_transfer *t = arg;
    of_buf_mem(&t->resp.body, data, size * n);
    if (t->resp.body.bad) {
        t->too_large = true;
        return 0; /* ends the transfer */
    }
    return size * n;
}

/* The connection stands, the first byte of the request goes out now. */
static int of_http_on_sending(void *arg, char *to, char *from, int to_port, int from_port)
{
    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    struct of_http_transfer *t = arg;
    /* curl repeats a request when a kept connection ends before the first byte of an answer; but it may have been done */
    if (t->resp.sent && strcmp(t->req->method, "GET") != 0 && strcmp(t->req->method, "HEAD") != 0) {
        return CURL_PREREQFUNC_ABORT;
    }
    struct of_boot now = of_boot_now();
    if (t->req->send_until.ms > 0 && now.ms > t->req->send_until.ms) { /* connecting took long, or this process slept */
        t->too_late = !t->resp.sent;
        return CURL_PREREQFUNC_ABORT;
    }
    t->resp.sent = true;
    t->resp.sent_at = now;
    return CURL_PREREQFUNC_OK;
}

/* --- setting up --- */
static bool of_http_header_is(const char *header, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(header, name, n) == 0 && header[n] == ':';
}

static void of_http_header_add(struct of_http_transfer *t, const char *header)
{
    struct curl_slist *longer = curl_slist_append(t->headers, header);
    OF_BUG_ON(!longer); /* out of memory */
    t->headers = longer;
}

static void of_http_add_authorization(struct of_http_transfer *t, const char *value)
{
    static const char name[] = "Authorization: ";
    size_t size = sizeof(name) + strlen(value);
    char *header = of_alloc(size);
    snprintf(header, size, "%s%s", name, value);
    of_http_header_add(t, header);
    of_secret_free(header);
}

static enum of_code of_http_add_headers(struct of_http_transfer *t, struct of_err *err)
{
    const struct of_http_req *req = t->req;
    bool has_type = false;
    for (int i = 0; i < req->n_headers; i++) {
        if (strpbrk(req->headers[i], "\r\n")) {
            return of_err_set(err, OF_E_INVALID, "a request header has a line break");
        }
        has_type = has_type || of_http_header_is(req->headers[i], "Content-Type");
        of_http_header_add(t, req->headers[i]);
    }
    if (req->authorization) {
        if (strpbrk(req->authorization, "\r\n")) {
            return of_err_set(err, OF_E_INVALID, "the authorization has a line break");
        }
        of_http_add_authorization(t, req->authorization);
    }
    of_http_header_add(t, "Expect:"); /* a round trip that nobody needs */
    if (!has_type) {
        of_http_header_add(t, "Content-Type:"); /* curl would call any body a form */
    }
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return OF_OK;
}

static void of_http_set_method(struct of_http_transfer *t)
{
    const struct of_http_req *req = t->req;
    bool has_body = req->body || strcmp(req->method, "POST") == 0;
    if (has_body) {
        curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, req->body ? req->body : "");
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(req->body ? req->body_len : 0));
    } else if (strcmp(req->method, "HEAD") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    }
    if (strcmp(req->method, has_body ? "POST" : "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, req->method);
    }
}

enum of_code of_http_transfer_setup(struct of_http_transfer *t, struct of_err *err)
{
    const struct of_http_req *req = t->req;
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_URL, req->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, t->http->user_agent);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, ""); /* what curl can unpack; max_body counts unpacked bytes */
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)OF_HTTP_LOW_SPEED_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* no waiting for a resolver that hangs: other requests would too */
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)req->max_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, of_http_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, of_http_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, of_http_on_sending);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
    of_http_set_method(t);
    return of_http_add_headers(t, err);
}

/* --- the end --- */
void of_http_transfer_result(struct of_http_transfer *t, CURLcode result)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->resp.status = (int)status;
    if (result == CURLE_UNSUPPORTED_PROTOCOL && t->resp.sent) {
        result = CURLE_WEIRD_SERVER_REPLY; /* HTTP/0.9, as curl sees it: the server's fault, not the URL's */
    }
    if (t->too_late) {
        of_err_set(&t->resp.err, OF_E_LEASE, "it was too late to send the request");
    } else if (result != CURLE_OK) {
        of_http_fail(&t->resp.err, result, t->too_large, t->req->url);
        t->resp.err.http_status = t->resp.status;
    }
}

static void of_http_headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *h = headers; h; h = h->next) {
        explicit_bzero(h->data, strlen(h->data)); /* one of them is the token */
    }
    curl_slist_free_all(headers);
}

void of_http_transfer_end(struct of_http_transfer *t)
{
    t->resp.done_at = of_boot_now();
    if (t->easy) {
        of_http_easy_put(t->http, t->easy);
    }
    of_http_headers_free(t->headers);
    if (t->req->done) {
        t->req->done(t->req->arg, &t->resp);
    }
    of_buf_done(&t->resp.body);
    of_http_req_free(t->req);
    free(t);
}

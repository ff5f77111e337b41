/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_HTTP_INT_H
#define OF_HTTP_INT_H

/* Inside common/http only: libcurl's types, and what its files share. All on the HTTP thread, unless said otherwise. */

#include <curl/curl.h>
#include <pthread.h>

#include "common/http/http.h"

#define OF_HTTP_IDLE_HANDLES 64

/* A request on its way. */
struct of_http_transfer {
    struct of_http_transfer *prev, *next;
    struct of_http *http;
    struct of_http_req *req; /* ours */
    CURL *easy;              /* NULL: it failed before it began */
    struct curl_slist *headers;
    struct of_http_resp resp;
    bool too_large;
    bool too_late; /* send_until was over before anything went out */
};

struct of_http_post_item {
    struct of_http_post_item *next;
    void (*fn)(void *arg, struct of_http *http);
    void *arg;
};

struct of_http {
    CURLM *multi;
    char *user_agent;
    struct of_http_hooks hooks;
    pthread_t thread;
    bool has_thread;
    struct of_http_transfer *active; /* a ring would do as well: the order does not matter */
    struct of_http_transfer *failed; /* refused at of_http_start, to be told at the next turn */
    CURL *idle[OF_HTTP_IDLE_HANDLES];
    int n_idle;
    pthread_mutex_t lock; /* of what follows */
    struct of_http_post_item *first_post, **last_post;
    bool stopping;
};

/* Tells the owner and frees t, which is in no list and not in the multi handle any more. */
void of_http_transfer_end(struct of_http_transfer *t);
/* Sets up t->easy for t->req. Fails: OF_E_INVALID. */
OF_MUSTCHECK enum of_code of_http_transfer_setup(struct of_http_transfer *t, struct of_err *err);
/* Fills t->resp from curl's result. */
void of_http_transfer_result(struct of_http_transfer *t, CURLcode result);
CURL *of_http_easy_get(struct of_http *http);
void of_http_easy_put(struct of_http *http, CURL *easy);

/* --- answers --- */
/* One header line, without a NUL at its end; also the status line. Any thread. */
void of_http_resp_header(struct of_http_resp *resp, const char *line, size_t len);
/* What a curl result means: code, and words with the URL's host only. Any thread. */
enum of_code of_http_fail(struct of_err *err, CURLcode result, bool too_large, const char *url);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP thread: its loop, and the ways into it. */
#include "common/http/http.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/http/http_int.h"

#define OF_HTTP_MAX_CONNECTIONS 512L
#define OF_HTTP_MAX_POLL_MS 60000

/* --- handles --- */
CURL *of_http_easy_get(struct of_http *http)
{
    CURL *easy = http->n_idle > 0 ? http->idle[--http->n_idle] : curl_easy_init();
    OF_BUG_ON(!easy); /* out of memory */
    return easy;
}

void of_http_easy_put(struct of_http *http, CURL *easy)
{
    if (http->n_idle < OF_HTTP_IDLE_HANDLES) {
        curl_easy_reset(easy);
        http->idle[http->n_idle++] = easy;
    } else {
        curl_easy_cleanup(easy);
    }
}

/* --- lists --- */
static void of_http_link(struct of_http_transfer **list, struct of_http_transfer *t)
{
    t->prev = NULL;
    t->next = *list;
    if (t->next) {
        t->next->prev = t;
    }
    *list = t;
}

static void of_http_unlink(struct of_http_transfer **list, struct of_http_transfer *t)
{
    if (t->prev) {
        t->prev->next = t->next;
    } else {
        *list = t->next;
    }
    if (t->next) {
        t->next->prev = t->prev;
    }
}

/* --- starting --- */
void of_http_start(struct of_http *http, struct of_http_req *req)
{
    OF_BUG_ON(!pthread_equal(pthread_self(), http->thread));
    struct of_http_transfer *t = of_calloc(1, sizeof(*t));
    t->http = http;
    t->req = req;
    t->resp.body = OF_BUF_INIT(req->max_body);
    t->resp.sent_at = of_boot_now();
    t->easy = of_http_easy_get(http);
    if (of_http_transfer_setup(t, &t->resp.err) == OF_OK) {
        CURLMcode code = curl_multi_add_handle(http->multi, t->easy);
        OF_BUG_ON(code != CURLM_OK);
        of_http_link(&http->active, t);
    } else {
        of_http_link(&http->failed, t); /* not told here: the caller may not expect done inside of start */
    }
}

void of_http_post(struct of_http *http, void (*fn)(void *arg, struct of_http *http), void *arg)
{
    struct of_http_post_item *item = of_alloc(sizeof(*item));
    *item = (struct of_http_post_item){.next = NULL, .fn = fn, .arg = arg};
    pthread_mutex_lock(&http->lock);
    *http->last_post = item;
    http->last_post = &item->next;
    pthread_mutex_unlock(&http->lock);
    curl_multi_wakeup(http->multi);
}

/* --- the loop --- */
static bool of_http_run_posts(struct of_http *http)
{
    pthread_mutex_lock(&http->lock);
    struct of_http_post_item *item = http->first_post;
    http->first_post = NULL;
    http->last_post = &http->first_post;
    pthread_mutex_unlock(&http->lock);
    bool any = item != NULL;
    while (item) {
        struct of_http_post_item *next = item->next;
        item->fn(item->arg, http);
        free(item);
        item = next;
    }
    return any;
}

static void of_http_finish_all(struct of_http *http)
{
    CURLMsg *msg;
    int left = 0;
    while ((msg = curl_multi_info_read(http->multi, &left))) {
        if (msg->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode result = msg->data.result; /* msg is gone once the handle is removed */
        CURL *easy = msg->easy_handle;
        struct of_http_transfer *t = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
        curl_multi_remove_handle(http->multi, easy);
        of_http_unlink(&http->active, t);
        of_http_transfer_result(t, result);
        of_http_transfer_end(t);
    }
    while (http->failed) {
        struct of_http_transfer *t = http->failed;
        of_http_unlink(&http->failed, t);
        of_http_transfer_end(t);
    }
}

static void of_http_abort_all(struct of_http *http)
{
    while (http->active) {
        struct of_http_transfer *t = http->active;
        curl_multi_remove_handle(http->multi, t->easy);
        of_http_unlink(&http->active, t);
        of_err_set(&t->resp.err, OF_E_STOPPED, "shutting down");
        of_http_transfer_end(t);
    }
}

static bool of_http_is_stopping(struct of_http *http)
{
    pthread_mutex_lock(&http->lock);
    bool stopping = http->stopping;
    pthread_mutex_unlock(&http->lock);
    return stopping;
}

static int of_http_poll_ms(int64_t at_ms)
{
    if (at_ms == INT64_MAX) {
        return OF_HTTP_MAX_POLL_MS;
    }
    int64_t now_ms = of_boot_now().ms;
    return at_ms <= now_ms ? 0 : (int)OF_MIN(at_ms - now_ms, (int64_t)OF_HTTP_MAX_POLL_MS);
}

static void *of_http_thread(void *arg)
{
    struct of_http *http = arg;
    while (!of_http_is_stopping(http)) {
        int running = 0;
        CURLMcode code = curl_multi_perform(http->multi, &running);
        OF_BUG_ON(code != CURLM_OK);
        of_http_finish_all(http);
        of_http_run_posts(http);
        int64_t at_ms = http->hooks.on_tick ? http->hooks.on_tick(http->hooks.arg, http) : INT64_MAX;
        int poll_ms = http->failed ? 0 : of_http_poll_ms(at_ms);
        code = curl_multi_poll(http->multi, NULL, 0, poll_ms, NULL);
        OF_BUG_ON(code != CURLM_OK);
    }
    do { /* what is told now may start or post something again */
        of_http_abort_all(http);
        of_http_finish_all(http);
    } while (of_http_run_posts(http) || http->active || http->failed);
    return NULL;
}

/* --- life --- */
static void of_http_global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static enum of_code of_http_thread_start(struct of_http *http, struct of_err *err)
{
    /* signals are for the main thread; and a broken pipe must not end us: curl is told to leave signals alone */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    /* the thread itself asks for http->thread: it must not run before the field is set */
    pthread_mutex_lock(&http->lock);
    http->has_thread = pthread_create(&http->thread, NULL, of_http_thread, http) == 0;
    pthread_mutex_unlock(&http->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return http->has_thread ? OF_OK : of_err_set(err, OF_E_IO, "no thread for HTTP");
}

enum of_code of_http_new(const char *user_agent, int max_per_host, const struct of_http_hooks *hooks,
                         struct of_http **ret, struct of_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, of_http_global_init);
    struct of_http *http = of_calloc(1, sizeof(*http));
    http->user_agent = of_strdup(user_agent);
    http->hooks = hooks ? *hooks : (struct of_http_hooks){.on_tick = NULL};
    http->last_post = &http->first_post;
    pthread_mutex_init(&http->lock, NULL);
    http->multi = curl_multi_init();
    OF_BUG_ON(!http->multi);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)max_per_host);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, OF_HTTP_MAX_CONNECTIONS);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, OF_HTTP_MAX_CONNECTIONS);
    enum of_code code = of_http_thread_start(http, err);
    if (code != OF_OK) {
        of_http_free(http);
        return code;
    }
    *ret = http;
    return OF_OK;
}

void of_http_free(struct of_http *http)
{
    if (!http) {
        return;
    }
    if (http->has_thread) {
        pthread_mutex_lock(&http->lock);
        http->stopping = true;
        pthread_mutex_unlock(&http->lock);
        curl_multi_wakeup(http->multi);
        pthread_join(http->thread, NULL);
    }
    for (int i = 0; i < http->n_idle; i++) {
        curl_easy_cleanup(http->idle[i]);
    }
    curl_multi_cleanup(http->multi);
    pthread_mutex_destroy(&http->lock);
    free(http->user_agent);
    free(http);
}

/* --- waiting for one request --- */
struct of_http_call {
    struct of_http_req *req;
    struct of_http_resp *resp;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool has_ended;
};

static void of_http_call_start(void *arg, struct of_http *http)
{
    struct of_http_call *call = arg;
    of_http_start(http, call->req);
}

static void of_http_call_done(void *arg, struct of_http_resp *resp)
{
    struct of_http_call *call = arg;
    pthread_mutex_lock(&call->lock);
    *call->resp = *resp;
    resp->body = OF_BUF_INIT(0); /* it is the caller's now */
    call->has_ended = true;
    pthread_cond_signal(&call->ended);
    pthread_mutex_unlock(&call->lock);
}

void of_http_run(struct of_http *http, struct of_http_req *req, struct of_http_resp *resp)
{
    OF_BUG_ON(pthread_equal(pthread_self(), http->thread));
    struct of_http_call call = {.req = req, .resp = resp, .has_ended = false};
    pthread_mutex_init(&call.lock, NULL);
    pthread_cond_init(&call.ended, NULL);
    req->done = of_http_call_done;
    req->arg = &call;
    of_http_post(http, of_http_call_start, &call);
    pthread_mutex_lock(&call.lock);
    while (!call.has_ended) {
        pthread_cond_wait(&call.ended, &call.lock);
    }
    pthread_mutex_unlock(&call.lock);
    pthread_cond_destroy(&call.ended);
    pthread_mutex_destroy(&call.lock);
}

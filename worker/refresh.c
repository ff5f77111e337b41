/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials made good again: newer ones from the database if there are any, else a refresh, by one for the fleet. A job of a
 * lane of its own, so that waiting for the answer, or for another worker's refresh, holds no thread. */
#include "worker/remote_int.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/failpoint.h"
#include "common/token/token.h"

#define POLL_MS 200   /* another worker refreshes: look again */
#define AGAIN_MS 500  /* the database is away */
#define LATER_MS 1000 /* the system is away */
#define LATER_MAX_MS 60000
#define SENDS_MAX 3   /* answers that are lost */
#define DB_WAIT_MS 2000
#define ANSWER_MAX (64U << 10)
#define CREDENTIALS_MAX 65536

enum refresh_state { REFRESH_LOAD = 0, REFRESH_SEND, REFRESH_ANSWER, REFRESH_STORE, REFRESH_PARK };

struct refresh {
    struct of_job job;
    struct of_remote *r;
    struct of_conn *conn;
    int64_t bad_version;
    bool is_final;
    enum refresh_state state;
    struct of_boot until;
    struct of_token token;
    bool has_lease, use_prev;
    int sends;
    char *renewed; /* secret */
    char reason[200];
    /* the answer */
    bool is_answered;
    struct of_err answer_err;
    bool was_sent;
    int status;
    char *body; /* secret */
    size_t body_len;
    /* what comes of it */
    enum of_refresh_result result;
    int64_t retry_ms;
    struct of_err err;
};

/* --- telling --- */

struct told {
    struct of_remote *r;
    struct of_conn *conn;
    enum of_refresh_result result;
    int64_t retry_ms;
    struct of_err err;
};

static void tell(void *arg, struct of_http *http)
{
    (void)http;
    struct told *t = arg;
    of_chan_refreshed(t->r, t->conn, t->result, t->retry_ms, &t->err);
    of_conn_unref(t->conn);
    free(t);
}

static void refresh_free(struct of_job *job)
{
    struct refresh *f = OF_CONTAINER_OF(job, struct refresh, job);
    struct told *t = of_calloc(1, sizeof(*t));
    *t = (struct told){.r = f->r, .conn = f->conn, .result = f->result, .retry_ms = f->retry_ms, .err = f->err};
    if (!of_remote_post(f->r, tell, t)) {
        of_conn_unref(f->conn);
        free(t);
    }
    of_token_done(&f->token);
    of_secret_free(f->renewed);
    of_secret_free(f->body);
    free(f);
}

static enum of_step ends(struct refresh *f, enum of_refresh_result result)
{
    f->result = result;
    return OF_STEP_DONE;
}

static enum of_step waits(struct refresh *f, int64_t ms)
{
    f->job.wake_at.ms = of_boot_now().ms + ms;
    return OF_STEP_WAIT;
}

static bool is_late(const struct refresh *f)
{
    return of_boot_now().ms >= f->until.ms;
}

/* --- with the database --- */

static enum of_code get_db(struct refresh *f, struct of_pg **ret, struct of_err *err)
{
    return of_pgpool_get(f->r->w->pool, DB_WAIT_MS, ret, err);
}

static void drop_lease(struct refresh *f)
{
    struct of_pg *db = NULL;
    struct of_err err = OF_ERR_INIT;
    if (f->has_lease && get_db(f, &db, &err) == OF_OK) {
        if (of_token_fail(db, f->conn->org, f->conn->adapter_name, f->token.version, f->r->w->name, &err) != OF_OK) {
            of_log_err(OF_LOG_WARN, "token.lease_kept", "the lease of a refresh must run out", &err, NULL);
        }
        of_pgpool_put(f->r->w->pool, db);
    }
    f->has_lease = false;
}

/* It cannot be done now. */
static enum of_step later(struct refresh *f, const struct of_err *err)
{
    drop_lease(f);
    f->retry_ms = err->retry_after_ms > 0 ? OF_MIN(err->retry_after_ms, LATER_MAX_MS) : LATER_MS;
    of_log_err(OF_LOG_WARN, "token.refresh_failed", "credentials could not be refreshed, trying again", err,
               (const struct of_kv[]){OF_S("org_id", f->conn->org), OF_S("adapter", f->conn->adapter_name),
                                      OF_I("retry_in_ms", f->retry_ms), {.key = NULL}});
    return ends(f, OF_REFRESH_LATER);
}

static int64_t life_left_ms(const struct of_token *token)
{
    return token->expires_at.us > 0 ? OF_MAX((token->expires_at.us - of_wall_now().us) / 1000, 1) : 0;
}

static enum of_code load(struct refresh *f, struct of_pg *db, struct of_err *err)
{
    of_token_done(&f->token);
    OF_TRY(of_token_load(db, f->r->w->ring, f->conn->org, f->conn->adapter_name, &f->token, err));
    if (f->token.version > of_auth_version(f->conn->auth)) {
        OF_TRY(of_auth_adopt(f->conn->auth, f->conn->adapter, &f->token, life_left_ms(&f->token), err));
    }
    return OF_OK;
}

static bool is_good(struct refresh *f)
{
    return f->bad_version > 0 ? f->token.version > f->bad_version
                              : of_auth_look(f->conn->auth, of_wall_now()) == OF_AUTH_GOOD;
}

static enum of_step step_load(struct refresh *f)
{
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    bool got = false;
    enum of_code code = get_db(f, &db, &err);
    if (code == OF_OK) {
        code = load(f, db, &err);
    }
    bool wants = code == OF_OK && !is_good(f) && f->token.is_oauth && !f->is_final;
    if (wants) {
        code = of_token_begin_refresh(db, f->conn->org, f->conn->adapter_name, f->token.version, f->r->w->name,
                                      f->r->w->conf->refresh_lease_ms, &got, &err);
    }
    of_pgpool_put(f->r->w->pool, db);
    if (code != OF_OK) {
        return later(f, &err);
    }
    if (wants && got) {
        f->has_lease = true;
        f->state = REFRESH_SEND;
        return OF_STEP_AGAIN;
    }
    if (wants) { /* another worker is at it */
        of_err_set(&err, OF_E_TIMEOUT, "another worker's refresh does not end");
        return is_late(f) ? later(f, &err) : waits(f, POLL_MS);
    }
    if (is_good(f)) {
        return ends(f, OF_REFRESH_OK);
    }
    if (!f->is_final) {
        return ends(f, OF_REFRESH_SAME);
    }
    (void)of_strcopy(f->reason, sizeof(f->reason), "the credentials are refused (401)");
    f->state = REFRESH_PARK;
    return OF_STEP_AGAIN;
}

/* --- the request --- */

static void on_answer(void *arg, struct of_http_resp *resp)
{
    struct refresh *f = arg;
    f->answer_err = resp->err;
    f->was_sent = resp->sent;
    f->status = resp->status;
    if (resp->err.code == OF_OK && of_buf_take(&resp->body, &f->body, &f->body_len, NULL) != OF_OK) {
        f->body = NULL;
        f->body_len = 0;
    }
    f->is_answered = true;
    of_job_wake(f->r->w->lanes, &f->job);
}

static const char *credentials_of(const struct refresh *f)
{
    return f->use_prev ? f->token.prev_json : f->token.json;
}

static struct of_http_req *make_request(struct refresh *f, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *credentials = NULL;
    const char *text = credentials_of(f);
    if (of_json_parse(text, strlen(text), CREDENTIALS_MAX, &credentials, err) != OF_OK) {
        return NULL;
    }
    const char *refresh_token = of_json_text(of_json_get(credentials, "refresh_token"));
    if (!refresh_token) {
        of_err_set(err, OF_E_AUTH, "there is no refresh token");
        return NULL;
    }
    struct of_buf body = OF_BUF_INIT(CREDENTIALS_MAX);
    f->conn->adapter->refresh_body(credentials, refresh_token, &body);
    struct of_http_req *req = of_http_req_new("POST", of_asprintf("%s%s", f->conn->base_url, f->conn->adapter->token_path));
    if (of_buf_take(&body, &req->body, &req->body_len, err) != OF_OK) {
        of_http_req_free(req);
        return NULL;
    }
    req->headers[req->n_headers++] = of_strdup("Content-Type: application/x-www-form-urlencoded");
    req->headers[req->n_headers++] = of_strdup("Accept: application/json");
    req->timeout_ms = (int)f->r->w->conf->http_timeout_ms;
    req->connect_timeout_ms = OF_MIN(req->timeout_ms, 10000);
    req->max_body = ANSWER_MAX;
    req->done = on_answer;
    req->arg = f;
    return req;
}

static void start(void *arg, struct of_http *http)
{
    of_http_start(http, arg);
}

static enum of_step refused(struct refresh *f, const struct of_err *err);

static enum of_step step_send(struct refresh *f)
{
    struct of_err err = OF_ERR_INIT;
    f->is_answered = false;
    of_secret_free(f->body);
    f->body = NULL;
    f->body_len = 0;
    f->sends++;
    struct of_http_req *req = make_request(f, &err);
    if (!req) {
        return refused(f, &err);
    }
    f->state = REFRESH_ANSWER;
    if (!of_remote_post(f->r, start, req)) {
        of_http_req_free(req);
        of_err_set(&f->err, OF_E_STOPPED, "shutting down");
        return ends(f, OF_REFRESH_STOPPED);
    }
    return OF_STEP_WAIT; /* f may be looked at by the answer already */
}

/* The refresh token is not accepted: the one before may be, if an answer of ours was lost after it had been stored. */
static enum of_step refused(struct refresh *f, const struct of_err *err)
{
    if (!f->use_prev && f->token.prev_json) {
        f->use_prev = true;
        f->sends = 0;
        f->state = REFRESH_SEND;
        return OF_STEP_AGAIN;
    }
    (void)of_strcopy(f->reason, sizeof(f->reason), err->msg);
    f->state = REFRESH_PARK;
    return OF_STEP_AGAIN;
}

static enum of_code parse(struct refresh *f, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *credentials = NULL;
    const char *text = credentials_of(f);
    OF_TRY(of_json_parse(text, strlen(text), CREDENTIALS_MAX, &credentials, err));
    struct of_buf out = OF_BUF_INIT(CREDENTIALS_MAX);
    enum of_code code = f->conn->adapter->parse_token(credentials, f->status, f->body ? f->body : "", f->body_len,
                                                      of_wall_now(), &out, err);
    size_t len = 0;
    if (code == OF_OK) {
        code = of_buf_take(&out, &f->renewed, &len, err);
    }
    of_buf_done(&out);
    return code;
}

static enum of_step step_answer(struct refresh *f)
{
    if (!f->is_answered) {
        return OF_STEP_WAIT;
    }
    struct of_err err = f->answer_err;
    if (err.code == OF_E_STOPPED) {
        f->err = err;
        return ends(f, OF_REFRESH_STOPPED);
    }
    if (err.code != OF_OK) {
        if (f->was_sent && f->sends < SENDS_MAX) { /* the answer is lost: the same one again, at once */
            f->state = REFRESH_SEND;
            return OF_STEP_AGAIN;
        }
        return later(f, &err);
    }
    enum of_code code = parse(f, &err);
    if (code == OF_E_AUTH) {
        return refused(f, &err);
    }
    if (code != OF_OK) {
        return later(f, &err);
    }
    f->state = REFRESH_STORE;
    return OF_STEP_AGAIN;
}

static enum of_step step_store(struct refresh *f)
{
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    bool stored = false;
    if (OF_FAILPOINT("worker.refresh_before_store")) {
        of_err_set(&err, OF_E_DB, "failpoint");
        return later(f, &err);
    }
    enum of_code code = get_db(f, &db, &err);
    if (code == OF_OK) {
        code = of_token_store(db, f->r->w->ring, f->conn->org, f->conn->adapter_name, f->token.version, f->r->w->name,
                              f->renewed, &stored, &err);
    }
    of_pgpool_put(f->r->w->pool, db);
    if (code != OF_OK) { /* until it is stored the old refresh token is good: the new access token was never used */
        return err.cls == OF_CLASS_RETRY && !is_late(f) ? waits(f, AGAIN_MS) : later(f, &err);
    }
    (void)OF_FAILPOINT("worker.refresh_after_store");
    if (stored) {
        of_log(OF_LOG_INFO, "token.refreshed", "credentials refreshed", OF_S("org_id", f->conn->org),
               OF_S("adapter", f->conn->adapter_name), OF_I("version", f->token.version + 1));
    }
    f->has_lease = false;
    f->bad_version = OF_MAX(f->bad_version, f->token.version);
    f->use_prev = false;
    f->sends = 0;
    f->state = REFRESH_LOAD; /* takes what is stored, ours or somebody else's */
    return OF_STEP_AGAIN;
}

static enum of_step step_park(struct refresh *f)
{
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    bool parked = false;
    enum of_code code = get_db(f, &db, &err);
    if (code == OF_OK) {
        code = of_conn_park_auth(db, f->conn, f->token.version, f->reason, &parked, &err);
    }
    int64_t version = f->token.version;
    if (code == OF_OK && !parked) { /* a person may have reconnected, or paused it */
        code = load(f, db, &err);
    }
    of_pgpool_put(f->r->w->pool, db);
    if (code != OF_OK) {
        return is_late(f) ? later(f, &err) : waits(f, AGAIN_MS);
    }
    if (!parked && f->token.version > version) {
        return ends(f, OF_REFRESH_OK);
    }
    drop_lease(f);
    if (parked) {
        of_auth_set_dead(f->conn->auth, version);
        of_log(OF_LOG_WARN, "connection.reconnect", "the connection waits for a person to connect it again",
               OF_S("org_id", f->conn->org), OF_S("adapter", f->conn->adapter_name), OF_S("reason", f->reason));
    }
    of_err_set(&f->err, OF_E_AUTH, "reconnect needed: %s", f->reason);
    return ends(f, OF_REFRESH_DEAD);
}

static enum of_step refresh_step(struct of_job *job)
{
    struct refresh *f = OF_CONTAINER_OF(job, struct refresh, job);
    switch (f->state) {
    case REFRESH_LOAD:
        return step_load(f);
    case REFRESH_SEND:
        return step_send(f);
    case REFRESH_ANSWER:
        return step_answer(f);
    case REFRESH_STORE:
        return step_store(f);
    case REFRESH_PARK:
        return step_park(f);
    default:
        break;
    }
    OF_BUG_ON(true);
    return OF_STEP_DONE;
}

void of_refresh_start(struct of_remote *r, struct of_conn *conn, int64_t bad_version, bool is_final)
{
    struct refresh *f = of_calloc(1, sizeof(*f));
    f->job.step = refresh_step;
    f->job.free = refresh_free;
    f->job.priority = OF_PRIO_LIVE;
    f->r = r;
    f->conn = of_conn_ref(conn);
    f->bad_version = bad_version;
    f->is_final = is_final;
    f->until.ms = of_boot_now().ms + 2 * r->w->conf->refresh_lease_ms + r->w->conf->http_timeout_ms;
    f->result = OF_REFRESH_STOPPED;
    of_err_set(&f->err, OF_E_STOPPED, "shutting down");
    OF_CLEANUP(of_freep) char *key = of_asprintf("\x1frefresh\x1f%s\x1f%s", conn->org, conn->adapter_name);
    of_lanes_add(r->w->lanes, key, &f->job);
}

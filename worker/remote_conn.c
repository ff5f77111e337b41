/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/remote_int.h"

#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "common/token/token.h"

#include "of_remote_sql.h"

/* Connections that are kept when nobody uses them. */
#define CACHE_MAX 4096
#define STRATEGIES_MAX 65536

struct of_conn_entry {
    char *key;
    struct of_conn *conn; /* the latest; NULL: never loaded */
    struct of_conn_auth *auth;
    struct of_boot used_at;
};

char *of_lane_key(const char *org, const char *adapter)
{
    return of_asprintf("%s\x1f%s", org, adapter);
}

struct of_conn *of_conn_ref(struct of_conn *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void of_conn_unref(struct of_conn *c)
{
    if (c && atomic_fetch_sub(&c->refs, 1) == 1) {
        of_auth_unref(c->auth);
        free(c->base_url);
        free(c->strategy);
        of_json_free(c->field_strategies);
        free(c->adapter_name);
        free(c->org);
        free(c);
    }
}

/* --- the cache: sorted by key --- */

void of_conns_init(struct of_remote *r)
{
    OF_BUG_ON(pthread_mutex_init(&r->conns_lock, NULL) != 0);
}

static void entry_free(struct of_conn_entry *e)
{
    of_conn_unref(e->conn);
    of_auth_unref(e->auth);
    free(e->key);
    free(e);
}

void of_conns_done(struct of_remote *r)
{
    for (size_t i = 0; i < r->n_conns; i++) {
        entry_free(r->conns[i]);
    }
    free(r->conns);
    (void)pthread_mutex_destroy(&r->conns_lock);
}

/* Place of key, or where it would go. */
static size_t place_of(const struct of_remote *r, const char *key, bool *ret_found)
{
    size_t lo = 0;
    size_t hi = r->n_conns;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = strcmp(r->conns[mid]->key, key);
        if (cmp == 0) {
            *ret_found = true;
            return mid;
        }
        if (cmp < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    *ret_found = false;
    return lo;
}

/* Makes room: what nobody has used for a minute, and nobody holds, goes. */
static void sweep(struct of_remote *r)
{
    int64_t old = of_boot_now().ms - 60000;
    size_t n = 0;
    for (size_t i = 0; i < r->n_conns; i++) {
        struct of_conn_entry *e = r->conns[i];
        if (e->used_at.ms < old && (!e->conn || atomic_load(&e->conn->refs) == 1)) {
            entry_free(e);
        } else {
            r->conns[n++] = e;
        }
    }
    r->n_conns = n;
}

static struct of_conn_entry *entry_of(struct of_remote *r, const char *key)
{
    bool found = false;
    size_t i = place_of(r, key, &found);
    if (!found) {
        if (r->n_conns >= CACHE_MAX && r->n_conns == r->conns_cap) {
            sweep(r);
        }
        if (r->n_conns == r->conns_cap) {
            r->conns_cap = r->conns_cap == 0 ? 64 : r->conns_cap * 2;
            r->conns = of_reallocarray(r->conns, r->conns_cap, sizeof(struct of_conn_entry *));
        }
        i = place_of(r, key, &found);
        memmove(r->conns + i + 1, r->conns + i, (r->n_conns - i) * sizeof(struct of_conn_entry *));
        struct of_conn_entry *e = of_calloc(1, sizeof(*e));
        e->key = of_strdup(key);
        e->auth = of_auth_new();
        r->conns[i] = e;
        r->n_conns++;
    }
    r->conns[i]->used_at = of_boot_now();
    return r->conns[i];
}

static bool is_same(const struct of_conn *a, const struct of_conn *b)
{
    return a->mode == b->mode && strcmp(a->strategy, b->strategy) == 0 && strcmp(a->base_url, b->base_url) == 0 &&
           a->scope == b->scope && a->rate_n == b->rate_n && a->rate_s == b->rate_s && a->rate_is_cap == b->rate_is_cap &&
           a->generation == b->generation && a->n_adapters == b->n_adapters && a->delete_there == b->delete_there &&
           a->push_first_link == b->push_first_link && a->clock_offset_ms == b->clock_offset_ms &&
           of_json_equal(a->field_strategies, b->field_strategies);
}

static struct of_conn_auth *cached_auth(struct of_remote *r, const char *key)
{
    OF_BUG_ON(pthread_mutex_lock(&r->conns_lock) != 0);
    struct of_conn_auth *auth = of_auth_ref(entry_of(r, key)->auth);
    OF_BUG_ON(pthread_mutex_unlock(&r->conns_lock) != 0);
    return auth;
}

/* The cached one if it says the same; else fresh takes its place. Takes fresh. */
static struct of_conn *settle(struct of_remote *r, const char *key, struct of_conn *fresh)
{
    OF_BUG_ON(pthread_mutex_lock(&r->conns_lock) != 0);
    struct of_conn_entry *e = entry_of(r, key);
    struct of_conn *unwanted = fresh;
    if (!e->conn || e->conn->auth != fresh->auth || !is_same(e->conn, fresh)) {
        unwanted = e->conn;
        e->conn = fresh;
        of_auth_unref(e->auth);
        e->auth = of_auth_ref(fresh->auth);
    }
    struct of_conn *conn = of_conn_ref(e->conn);
    OF_BUG_ON(pthread_mutex_unlock(&r->conns_lock) != 0);
    of_conn_unref(unwanted);
    return conn;
}

/* --- loading --- */

static enum of_code check_state(const struct of_pgres *res, struct of_err *err)
{
    const char *state = of_pgres_text(res, 0, 7);
    const char *reason = of_pgres_text(res, 0, 8);
    if (strcmp(state, "connected") == 0) {
        return OF_OK;
    }
    if (strcmp(state, "disconnected") == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "the connection is disconnected");
    }
    if (strcmp(state, "reconnect") == 0) {
        return of_err_set(err, OF_E_AUTH, "reconnect needed: %s", reason);
    }
    if (strcmp(state, "paused") == 0) {
        return of_err_set(err, OF_E_BUSY, "paused");
    }
    return of_err_set(err, OF_E_BUSY, "parked: %s", reason);
}

static enum of_code fill(struct of_conn *c, const struct of_pgres *res, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *added = NULL;
    OF_TRY(of_scope_parse(c->adapter, of_pgres_text(res, 0, 3), &c->scope, &added, err));
    c->mode = of_pgres_text(res, 0, 0)[0];
    c->strategy = of_strdup(of_pgres_text(res, 0, 1));
    const char *base_url = of_pgres_text_null(res, 0, 2);
    c->base_url = of_strdup(base_url ? base_url : c->adapter->base_url);
    size_t len = strlen(c->base_url);
    while (len > 0 && c->base_url[len - 1] == '/') {
        c->base_url[--len] = '\0';
    }
    c->rate_is_cap = !of_pgres_is_null(res, 0, 4);
    c->rate_n = c->rate_is_cap ? (int)of_pgres_i64(res, 0, 4) : c->adapter->limits.requests;
    c->rate_s = of_pgres_is_null(res, 0, 5) ? c->adapter->limits.period_s : (int)of_pgres_i64(res, 0, 5);
    c->generation = of_pgres_i64(res, 0, 6);
    c->n_adapters = (int)of_pgres_i64(res, 0, 9);
    if (!of_pgres_is_null(res, 0, 12)) {
        OF_TRY(of_json_parse(of_pgres_text(res, 0, 12), of_pgres_len(res, 0, 12), STRATEGIES_MAX, &c->field_strategies, err));
    }
    c->delete_there = of_pgres_bool(res, 0, 13);
    c->push_first_link = of_pgres_bool(res, 0, 14);
    c->clock_offset_ms = of_pgres_i64(res, 0, 15);
    return OF_OK;
}

static enum of_code load_token(struct of_worker *w, struct of_pg *db, struct of_conn *c, const struct of_pgres *res,
                               struct of_err *err)
{
    if (of_pgres_is_null(res, 0, 10)) {
        return of_err_set(err, OF_E_AUTH, "reconnect needed: no credentials are stored");
    }
    int64_t version = of_pgres_i64(res, 0, 10);
    if (version == of_auth_version(c->auth)) {
        return OF_OK;
    }
    if (version < of_auth_version(c->auth)) { /* disconnected and connected again: versions begin anew */
        of_auth_unref(c->auth);
        c->auth = of_auth_new();
    }
    struct of_token token = {.version = 0};
    OF_TRY(of_token_load(db, w->ring, c->org, c->adapter_name, &token, err));
    enum of_code code = of_auth_adopt(c->auth, c->adapter, &token, of_pgres_i64(res, 0, 11), err);
    of_token_done(&token);
    if (code != OF_OK) {
        return of_err_set(err, OF_E_AUTH, "reconnect needed: the stored credentials cannot be used");
    }
    return OF_OK;
}

enum of_code of_conn_load(struct of_worker *w, struct of_pg *db, const char *org, const char *adapter, struct of_conn **ret,
                          struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    const struct of_adapter *found = of_adapter_find(adapter);
    if (!found) {
        return of_err_set(err, OF_E_NOT_FOUND, "no such adapter");
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    OF_TRY(of_pg_run(db, &of_sql_conn_load, &args, &res, err));
    if (of_pgres_rows(res) == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "no such connection");
    }
    OF_TRY(check_state(res, err));
    OF_CLEANUP(of_freep) char *key = of_lane_key(org, adapter);
    OF_CLEANUP(of_conn_unrefp) struct of_conn *c = of_calloc(1, sizeof(*c));
    atomic_init(&c->refs, 1);
    c->org = of_strdup(org);
    c->adapter_name = of_strdup(adapter);
    c->adapter = found;
    c->auth = cached_auth(w->remote, key);
    OF_TRY(fill(c, res, err));
    OF_TRY(load_token(w, db, c, res, err));
    *ret = settle(w->remote, key, OF_TAKE(c));
    return OF_OK;
}

/* --- parking --- */

enum of_code of_conn_park(struct of_worker *w, struct of_pg *db, struct of_conn *conn, const char *state, const char *reason,
                          struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, conn->org);
    of_pg_arg_text(&args, conn->adapter_name);
    of_pg_arg_int8(&args, conn->generation);
    of_pg_arg_text(&args, state);
    of_pg_arg_text(&args, reason);
    of_pg_arg_int8(&args, w->conf->probe_ms);
    return of_pg_run(db, &of_sql_conn_park, &args, NULL, err);
}

enum of_code of_conn_park_auth(struct of_pg *db, struct of_conn *conn, int64_t version, const char *reason, bool *ret_parked,
                               struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t rows = 0;
    of_pg_arg_text(&args, conn->org);
    of_pg_arg_text(&args, conn->adapter_name);
    of_pg_arg_int8(&args, conn->generation);
    of_pg_arg_text(&args, reason);
    of_pg_arg_int8(&args, version);
    OF_TRY(of_pg_run_count(db, &of_sql_conn_park_auth, &args, &rows, err));
    *ret_parked = rows == 1;
    return OF_OK;
}

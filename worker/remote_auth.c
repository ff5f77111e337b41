/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/remote_int.h"

#include <stdlib.h>
#include <string.h>

#include "common/token/token.h"

#define CREDENTIALS_MAX 65536
#define AUTHORIZATION_MAX 16384
/* An access token is refreshed so long before its end, or a quarter of its life if that is shorter. */
#define MARGIN_MS 60000

struct of_conn_auth *of_auth_new(void)
{
    struct of_conn_auth *a = of_calloc(1, sizeof(*a));
    atomic_init(&a->refs, 1);
    atomic_init(&a->expected_at, 0);
    OF_BUG_ON(pthread_mutex_init(&a->lock, NULL) != 0);
    return a;
}

struct of_conn_auth *of_auth_ref(struct of_conn_auth *a)
{
    atomic_fetch_add(&a->refs, 1);
    return a;
}

void of_auth_unref(struct of_conn_auth *a)
{
    if (a && atomic_fetch_sub(&a->refs, 1) == 1) {
        of_secret_free(a->authorization);
        (void)pthread_mutex_destroy(&a->lock);
        free(a);
    }
}

static void lock(struct of_conn_auth *a)
{
    OF_BUG_ON(pthread_mutex_lock(&a->lock) != 0);
}

static void unlock(struct of_conn_auth *a)
{
    OF_BUG_ON(pthread_mutex_unlock(&a->lock) != 0);
}

static enum of_code header_of(const struct of_adapter *adapter, const struct of_token *token, char **ret, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *credentials = NULL;
    OF_TRY(of_json_parse(token->json, strlen(token->json), CREDENTIALS_MAX, &credentials, err));
    if (token->is_oauth && of_json_is_null(of_json_get(credentials, "access_token"))) {
        *ret = NULL; /* to be had by a refresh */
        return OF_OK;
    }
    struct of_buf b = OF_BUF_INIT(AUTHORIZATION_MAX);
    enum of_code code = adapter->authorization(credentials, &b, err);
    size_t len = 0;
    if (code == OF_OK) {
        code = of_buf_take(&b, ret, &len, err);
    } else if (b.data) {
        explicit_bzero(b.data, b.len);
    }
    of_buf_done(&b);
    return code;
}

enum of_code of_auth_adopt(struct of_conn_auth *a, const struct of_adapter *adapter, const struct of_token *token, int64_t life_ms,
                           struct of_err *err)
{
    char *header = NULL;
    OF_TRY(header_of(adapter, token, &header, err));
    lock(a);
    if (token->version > a->version) {
        char *old = a->authorization;
        a->authorization = header;
        header = old;
        a->version = token->version;
        a->is_oauth = token->is_oauth;
        a->expires_at = token->expires_at;
        a->margin_ms = life_ms > 0 ? OF_MIN(MARGIN_MS, life_ms / 4) : MARGIN_MS;
        a->has_prev = token->prev_json != NULL;
    }
    unlock(a);
    of_secret_free(header);
    return OF_OK;
}

enum of_auth_state of_auth_look(struct of_conn_auth *a, struct of_wall now)
{
    enum of_auth_state state = OF_AUTH_GOOD;
    lock(a);
    if (a->dead_version == a->version) {
        state = OF_AUTH_DEAD;
    } else if (!a->authorization || (a->is_oauth && a->refused_version == a->version)) {
        state = OF_AUTH_MISSING;
    } else if (a->is_oauth && a->expires_at.us > 0 && a->expires_at.us <= now.us) {
        state = OF_AUTH_MISSING;
    } else if (a->is_oauth && a->expires_at.us > 0 && a->expires_at.us - now.us <= a->margin_ms * 1000) {
        state = OF_AUTH_DUE;
    }
    unlock(a);
    return state;
}

int64_t of_auth_version(struct of_conn_auth *a)
{
    lock(a);
    int64_t version = a->version;
    unlock(a);
    return version;
}

bool of_auth_is_oauth(struct of_conn_auth *a)
{
    lock(a);
    bool is_oauth = a->is_oauth;
    unlock(a);
    return is_oauth;
}

void of_auth_set_dead(struct of_conn_auth *a, int64_t version)
{
    lock(a);
    a->dead_version = OF_MAX(a->dead_version, version);
    unlock(a);
}

void of_auth_set_refused(struct of_conn_auth *a, int64_t version)
{
    lock(a);
    a->refused_version = OF_MAX(a->refused_version, version);
    unlock(a);
}

char *of_auth_header(struct of_conn_auth *a, int64_t *ret_version)
{
    lock(a);
    char *header = of_strdup_null(a->authorization);
    *ret_version = a->version;
    unlock(a);
    return header;
}

/* --- the former version may go once the new one has been accepted --- */

struct marking {
    struct of_worker *w;
    struct of_conn *conn;
    int64_t version;
};

static void mark(void *arg)
{
    struct marking *m = arg;
    struct of_err err = OF_ERR_INIT;
    struct of_pg *db = NULL;
    bool marked = of_pgpool_get(m->w->pool, 1000, &db, &err) == OF_OK &&
                  of_token_mark_used(db, m->conn->org, m->conn->adapter_name, m->version, &err) == OF_OK;
    of_pgpool_put(m->w->pool, db);
    struct of_conn_auth *a = m->conn->auth;
    lock(a);
    a->is_marking = false;
    if (marked && a->version == m->version) {
        a->has_prev = false;
    }
    unlock(a);
    of_conn_unref(m->conn);
    free(m);
}

void of_auth_accepted(struct of_worker *w, struct of_conn *conn, int64_t version)
{
    struct of_conn_auth *a = conn->auth;
    lock(a);
    bool wanted = a->has_prev && !a->is_marking && a->version == version;
    a->is_marking = a->is_marking || wanted;
    unlock(a);
    if (wanted) { /* if it fails the next answer tries again: prev only costs a refused refresh more */
        struct marking *m = of_alloc(sizeof(*m));
        *m = (struct marking){.w = w, .conn = of_conn_ref(conn), .version = version};
        of_lanes_run(w->lanes, mark, m);
    }
}

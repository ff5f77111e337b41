/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_REMOTE_H
#define OF_WORKER_REMOTE_H

/* Calls to a ChMS: connections with their credentials, the rate budget, token refresh. The budget and its queues live on the
 * HTTP thread; leases and hand-overs are done by a keeper thread with a database connection of its own; refreshes run on
 * executors. */

#include "worker/worker.h"

/* A connection as the worker knows it now. Shared, counted; fields constant after load except the atomics and what remote.c
 * guards. */
struct of_conn {
    char *org;
    char *adapter_name;
    const struct of_adapter *adapter;
    char mode;                /* 'b' bidirectional, 'o' openfaith, 'c' chms */
    char *strategy;
    struct of_json *field_strategies; /* {"Person.firstName":"chms_wins"}; NULL: none */
    bool delete_there, push_first_link;
    int64_t clock_offset_ms;  /* their clock minus ours; 0 where it cannot be told from the width of a Date header */
    char *base_url;           /* scheme://host[:port], never NULL */
    of_scope scope;
    int rate_n, rate_s;       /* 0: no limit */
    bool rate_is_cap;         /* set by the operator: headers may lower it, never raise it */
    int64_t generation;
    int n_adapters;           /* connections of this org that are not disconnected */
    atomic_int refs;
    /* of remote.c: credentials, their version, refresh state */
    struct of_conn_auth *auth;
};

struct of_call;
struct of_call_result {
    struct of_err err;    /* OF_OK: a 2xx answer; classified by the adapter otherwise; OF_E_BUSY: no permit before give_up,
                             retry_after_ms says when one is expected; OF_E_AUTH: reconnect needed (already written to
                             sync.connection); OF_E_LEASE: the org's lane went to another worker; OF_E_STOPPED */
    int status;
    char *body;           /* owned by the callback: of_alloc memory, NULL if none */
    size_t body_len;
    struct of_wall date;  /* their Date header; us 0 if absent */
    struct of_boot sent_at, done_at;
    bool unclear;         /* of_remote_send: sent, or perhaps sent, and no answer says what became of it */
};
enum { OF_CALL_LIVE = 0, OF_CALL_BULK = 1, OF_CALL_WEAK = 2 };

OF_MUSTCHECK enum of_code of_remote_new(struct of_worker *w, struct of_remote **ret, struct of_err *err);
/* Hands over all budgets, aborts what is in flight and waits (OF_E_STOPPED), as does every later call. Blocks up to 1 s. */
void of_remote_stop(struct of_remote *r);
void of_remote_free(struct of_remote *r); /* after the lanes */

/* Loads connection and credentials (or takes the cached one if generation and token version are still those of the row).
 * Fails: OF_E_NOT_FOUND (no such connection, or disconnected), OF_E_AUTH (reconnect), OF_E_BUSY (paused or parked: words say
 * which), OF_E_CRYPTO. db is borrowed. Blocks: one or two round trips. */
OF_MUSTCHECK enum of_code of_conn_load(struct of_worker *w, struct of_pg *db, const char *org, const char *adapter,
                                       struct of_conn **ret, struct of_err *err);
struct of_conn *of_conn_ref(struct of_conn *c);
void of_conn_unref(struct of_conn *c);
OF_DEFINE_CLEANUP(struct of_conn, of_conn_unref, of_conn_unrefp)

/* GET target (path and query) of the connection under its budget. done is called once, on an executor thread
 * (of_lanes_run), also when it fails at once. give_up_ms: the longest wait for a permit; if none is expected in that time it
 * fails at once with OF_E_BUSY. type gives the version headers. target is taken. 429 and an expired access token are handled
 * here (waited for, refreshed and repeated); other failures are the caller's. */
void of_remote_get(struct of_remote *r, struct of_conn *conn, const struct of_type *type, char *target, int priority,
                   int64_t give_up_ms, void (*done)(void *arg, struct of_call_result *res), void *arg);
/* A writing request: POST, PATCH, DELETE (static text), body taken (NULL: none). As of_remote_get(), but never repeated by itself
 * once it may have been sent, except after a 429 or a 401, which say that it was not carried out. send_until is compared with
 * CLOCK_BOOTTIME on the HTTP thread right before sending (a process that slept must not send): later than that it ends with
 * OF_E_LEASE. result.unclear: it was (or may have been) sent and no whole answer came. */
void of_remote_send(struct of_remote *r, struct of_conn *conn, const struct of_type *type, const char *method, char *target,
                    char *body, size_t body_len, int priority, int64_t give_up_ms, struct of_boot send_until,
                    void (*done)(void *arg, struct of_call_result *res), void *arg);
/* Partitions were revoked: budgets of the orgs whose lane is in one of them are handed over within a second. partition_of is
 * told by of_remote_set_partition when a message of the org arrives. */
void of_remote_set_partition(struct of_remote *r, const char *org, const char *adapter, int32_t partition);
void of_remote_hand_over(struct of_remote *r, const int32_t *partitions, int n, int timeout_ms);
/* For status words: ms until a permit is expected, 0 if one is free or unknown. */
int64_t of_remote_wait_ms(struct of_remote *r, struct of_conn *conn);
/* Sets sync.connection to reconnect / parked with a reason (only from state connected and this generation). */
enum of_code of_conn_park(struct of_worker *w, struct of_pg *db, struct of_conn *conn, const char *state, const char *reason,
                          struct of_err *err);

#endif

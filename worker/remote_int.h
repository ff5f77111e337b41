/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_REMOTE_INT_H
#define OF_WORKER_REMOTE_INT_H

/* Inside remote*.c and refresh.c. A channel (of_chan) per connection lives on the HTTP thread: its budget, its queues, its
 * lease. Credentials (of_conn_auth) are shared by every of_conn of the connection and guarded by a lock of their own. */

#include <pthread.h>
#include <stdatomic.h>

#include "common/http/http.h"
#include "worker/budget.h"
#include "worker/remote.h"

#define OF_REMOTE_PARALLEL 8       /* requests in flight per connection */
#define OF_REMOTE_MAX_IN_FLIGHT 256 /* of this process */
#define OF_REMOTE_MAX_BODY (16U << 20)

struct of_conn_auth {
    atomic_int refs;
    atomic_llong expected_at; /* boot ms at which a permit is expected, for status words; 0: free or unknown */
    pthread_mutex_t lock;     /* of what follows */
    int64_t version;          /* of sync.token; 0: not loaded */
    bool is_oauth;
    char *authorization;      /* secret; NULL: there is no access token, refresh first */
    struct of_wall expires_at; /* us 0: not known */
    int64_t margin_ms;        /* refresh so long before */
    bool has_prev;            /* the former version is still stored */
    bool is_marking;
    int64_t refused_version;  /* OAuth: answered with 401; not used again, a newer one is to be had first */
    int64_t dead_version;     /* refused for good: reconnect needed */
};

/* What an auth says about sending now. */
enum of_auth_state { OF_AUTH_GOOD = 0, OF_AUTH_DUE, OF_AUTH_MISSING, OF_AUTH_DEAD };

struct of_call {
    struct of_call *next;
    struct of_remote *r;
    struct of_conn *conn;
    const struct of_type *type;
    const char *method; /* static */
    char *target;
    char *body; /* kept for a repetition after 429 and 401; NULL: none */
    size_t body_len;
    struct of_boot send_until; /* ms 0: a read */
    int priority;
    void (*done)(void *arg, struct of_call_result *res);
    void *arg;
    struct of_boot queued_at, give_up_at;
    struct of_chan *chan; /* while it is in flight */
    int64_t permit;
    int64_t auth_version; /* sent with */
    int refused;          /* 401s so far */
    size_t reserved;
    struct of_call_result result;
};

struct of_call_queue {
    struct of_call *head, *tail;
    int n;
};

enum of_chan_lease { OF_CHAN_FREE = 0, OF_CHAN_ASKED, OF_CHAN_HELD };

struct of_chan {
    struct of_remote *r;
    char *org, *adapter_name, *key;
    struct of_chan *hash_next;
    struct of_chan *turn_next; /* list of those that wait for their turn */
    bool has_turn;
    size_t index; /* in r->chans */
    struct of_budget *budget;
    struct of_call_queue q[3]; /* by priority */
    int in_flight, max_in_flight;
    int32_t partition; /* -1: not known */
    bool is_gone;      /* its partition was revoked */
    enum of_chan_lease lease;
    int64_t fence;
    struct of_boot ask_after, used_at;
    bool is_refreshing;
    struct of_boot refresh_after;
    int refresh_failures;
    struct of_boot wake_at; /* when it wants to be looked at; ms INT64_MAX: when something happens */
};

struct of_hand_over; /* somebody waits for releases */
struct of_keeper;

struct of_remote {
    struct of_worker *w;
    struct of_http *http;
    struct of_keeper *keeper;
    pthread_rwlock_t gate; /* read: http may be posted to; write: it goes away */
    atomic_bool stopped;
    atomic_size_t unparsed;

    /* of the HTTP thread */
    struct of_chan **buckets;
    size_t n_buckets;
    struct of_chan **chans;
    size_t n_chans, chans_cap;
    struct of_chan *turn_head, *turn_tail;
    struct of_boot next_wake, next_sweep;
    int in_flight;
    size_t reserved;       /* of unparsed, for what is in flight */
    size_t usual_body;     /* moving average */
    atomic_bool is_starved; /* somebody waits for unparsed bytes */

    /* of remote_conn.c */
    pthread_mutex_t conns_lock;
    struct of_conn_entry **conns;
    size_t n_conns, conns_cap;
};

/* --- remote.c (HTTP thread unless said otherwise) --- */
struct of_chan *of_chan_find(struct of_remote *r, const char *org, const char *adapter);
void of_chan_turn(struct of_chan *chan); /* looks at it soon */
/* Runs fn(arg) on the HTTP thread; any thread. False (fn is not called): stopped. */
bool of_remote_post(struct of_remote *r, void (*fn)(void *arg, struct of_http *http), void *arg);
/* Ends a call with its result, on an executor. */
void of_call_end(struct of_call *call);
void of_call_fail(struct of_call *call, const struct of_err *err);
void of_call_queue_push(struct of_call_queue *q, struct of_call *call);
void of_call_queue_unshift(struct of_call_queue *q, struct of_call *call);
struct of_call *of_call_queue_pop(struct of_call_queue *q);
void of_chan_fail_all(struct of_chan *chan, const struct of_err *err);

/* --- remote_call.c (HTTP thread) --- */
/* Sends it; the permit is taken. */
void of_call_send(struct of_chan *chan, struct of_call *call);
void of_remote_count_wait(struct of_chan *chan, const struct of_call *call);

/* --- remote_auth.c --- */
struct of_conn_auth *of_auth_new(void);
struct of_conn_auth *of_auth_ref(struct of_conn_auth *a);
void of_auth_unref(struct of_conn_auth *a);
struct of_token;
/* Takes over credentials that are newer than what is known. Fails: OF_E_PARSE, OF_E_INVALID. Any thread. */
enum of_code of_auth_adopt(struct of_conn_auth *a, const struct of_adapter *adapter, const struct of_token *token, int64_t life_ms,
                           struct of_err *err);
enum of_auth_state of_auth_look(struct of_conn_auth *a, struct of_wall now);
int64_t of_auth_version(struct of_conn_auth *a);
bool of_auth_is_oauth(struct of_conn_auth *a);
void of_auth_set_refused(struct of_conn_auth *a, int64_t version);
void of_auth_set_dead(struct of_conn_auth *a, int64_t version);
/* A secret copy of the header's value, NULL if there is none; *ret_version its version. */
char *of_auth_header(struct of_conn_auth *a, int64_t *ret_version);
/* The version has been accepted by the system: the former one may go. */
void of_auth_accepted(struct of_worker *w, struct of_conn *conn, int64_t version);

/* --- remote_conn.c --- */
void of_conns_init(struct of_remote *r);
void of_conns_done(struct of_remote *r);
/* Parks as reconnect, unless the token's version is another one by now. *ret_parked. */
enum of_code of_conn_park_auth(struct of_pg *db, struct of_conn *conn, int64_t version, const char *reason, bool *ret_parked,
                               struct of_err *err);

/* --- refresh.c --- */
/* Makes the credentials good again after they were refused in version bad (0: they are due or there is no access token).
 * is_final: they were refused after all that could be done; if nothing newer is there the connection is parked. HTTP thread;
 * of_chan_refreshed() is called there later. */
void of_refresh_start(struct of_remote *r, struct of_conn *conn, int64_t bad_version, bool is_final);
enum of_refresh_result { OF_REFRESH_OK = 0, OF_REFRESH_SAME, OF_REFRESH_LATER, OF_REFRESH_DEAD, OF_REFRESH_STOPPED };
/* SAME: nothing newer is there and nothing can be refreshed (a personal token). LATER: try again after retry_ms. DEAD: the
 * connection is parked; err says why. */
void of_chan_refreshed(struct of_remote *r, struct of_conn *conn, enum of_refresh_result result, int64_t retry_ms,
                       const struct of_err *err);

/* --- remote_keeper.c --- */
enum of_code of_keeper_new(struct of_remote *r, struct of_keeper **ret, struct of_err *err);
void of_keeper_free(struct of_keeper *k); /* sends what is to be released, at most a second */
/* Wants the lease; of_chan_lease_got() is called on the HTTP thread. Any thread. */
void of_keeper_acquire(struct of_keeper *k, const char *org, const char *adapter);
/* Gives it up; busy_ms is taken. done (NULL: none) is told. Any thread. */
void of_keeper_release(struct of_keeper *k, const char *org, const char *adapter, int64_t fence, int64_t *busy_ms, size_t n,
                       int limit, int64_t period_ms, struct of_hand_over *done);
struct of_lease_news { /* what the keeper found out; its texts are its own */
    char *org, *adapter;
    bool is_lost, is_refused, is_renewed; /* else: acquired */
    bool is_ours, is_clean;
    int64_t fence;
    struct of_boot until;
    int64_t *busy_ms;
    size_t n_busy;
    int limit;
    int64_t period_ms;
    struct of_lease_news *next;
};
/* HTTP thread: takes the list. */
void of_remote_lease_news(struct of_remote *r, struct of_lease_news *news);

struct of_hand_over *of_hand_over_new(void);
void of_hand_over_add(struct of_hand_over *h);  /* one more to come */
void of_hand_over_done(struct of_hand_over *h); /* one is over */
bool of_hand_over_wait(struct of_hand_over *h, int timeout_ms); /* and drops the caller's share */

#endif

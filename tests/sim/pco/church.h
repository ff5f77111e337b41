/* SPDX-License-Identifier: Apache-2.0 */
/* The churches and what the network side knows about each: credentials, rate limit, ledger.
 * One lock (the gate) orders all arrivals, so the ledger's order is the order of decisions. */
#ifndef PCO_SIM_CHURCH_H
#define PCO_SIM_CHURCH_H

#include "store.h"

enum sim_credential { SIM_CRED_NONE = 0, SIM_CRED_PAT, SIM_CRED_OAUTH, SIM_CRED_COUNT };

/* One credential's window. */
struct sim_rate {
    int64_t window_start_us;
    int64_t window_count;
    int64_t *ring; /* accepted requests, for the sliding window */
    int64_t ring_size;
    int64_t ring_head; /* next place */
    int64_t ring_used;
};

struct sim_token {
    int64_t expires_us;
    int parent; /* generation whose refresh token made this one, -1 none */
    bool used;
    bool access_dead;
    bool refresh_dead;
    bool revoked;
};

struct sim_church {
    struct sim_org org;
    bool limit_off;
    int64_t limit;
    int64_t period_us;
    struct sim_rate rate[SIM_CRED_COUNT];
    int64_t latency_ms;
    int64_t inflight;
    int64_t max_inflight;
    bool pat_revoked;
    struct sim_token *tokens;
    int token_count;
    int64_t token_life_s;
};

struct sim_settings {
    int port;
    int orgs;
    int64_t people;
    uint64_t seed;
    int64_t latency_ms;
    int64_t limit;
    int64_t period_s;
    bool limit_off;
    bool sliding;
    double ugly;
    double contacts;
    const char *mark;
    int threads;
    int64_t token_life_s;
    int64_t deep_offset; /* beyond this offset the limit is deep_limit; 0 never */
    int64_t deep_limit;
    int64_t show_after_ms; /* see store.h */
    bool show_all_late;
    unsigned respell;
    int64_t commit_ms;
    bool die_with_stdin;
};

extern struct sim_settings sim_settings;

void sim_churches_init(void);
void sim_churches_done(void);
struct sim_church *sim_church_get(int64_t number); /* NULL: no such church */

/* --- the gate --- */
struct sim_arrival {
    struct sim_church *church; /* NULL when the credentials belong to nobody */
    enum sim_credential cred;
    int generation;   /* of the OAuth token */
    const char *hint; /* why 401, NULL when allowed */
    bool counted;     /* under the rate limit */
    bool refused;     /* 429 */
    int64_t count;
    int64_t limit;
    int64_t period_s;
    int64_t retry_after_s;
    uint64_t seq; /* in the ledger */
    int64_t latency_ms;
    const char *version; /* X-PCO-API-Version as asked for, borrowed, may be NULL */
};

/* Judges the credentials, counts the request, writes it into the ledger. */
void sim_gate_arrive(const char *authorization, const char *method, const char *target,
                     bool counted, struct sim_arrival *ret);
/* Whose credentials these are; counts nothing. */
void sim_gate_peek(const char *authorization, struct sim_arrival *ret);
/* How a request ended, for the ledger. */
struct sim_end {
    int status;          /* 0: no answer was sent */
    const char *fault;   /* NULL none */
    uint64_t bytes;      /* of the answer's body */
    uint64_t asked;      /* bytes of the request, head and body */
    uint64_t sent;       /* bytes of an answer that was sent by hand (cut_answer, cut_each), head and body */
    uint64_t whole;      /* bytes that answer would have had */
    int64_t cut;         /* where it was cut, -1 not */
    bool done;           /* a write that was carried out */
    bool heard;          /* and its true answer was sent to the end */
    const char *type;    /* of the record that was written, NULL none */
    const char *id;
    const char *names;   /* JSON array of what was sent, NULL none */
    const char *body;    /* of the request, NULL none */
};

void sim_gate_finish(uint64_t seq, const struct sim_end *end, struct sim_church *church);

/* limit.c, under the gate */
void sim_limit_check(struct sim_church *church, const char *target, int64_t now_us,
                     struct sim_arrival *a);
void sim_limit_set(struct sim_church *church, bool off, int64_t limit, int64_t period_s);

/* auth.c */
void sim_auth_check(const char *authorization, int64_t now_us, struct sim_arrival *ret);
void sim_auth_init(struct sim_church *church);
/* Answers POST /oauth/token; gives the HTTP status. */
int sim_oauth_token(const char *content_type, const char *body, const char *query,
                    struct sim_buf *out);
int sim_oauth_revoke(const char *content_type, const char *body, struct sim_buf *out);
int sim_oauth_church(const char *content_type, const char *body, const char *query);
void sim_auth_revoke(struct sim_church *church);
void sim_auth_expire(struct sim_church *church);
void sim_auth_restore(struct sim_church *church, struct sim_buf *out); /* new tokens as JSON */

/* ledger.c */
uint64_t sim_ledger_begin(int64_t t_us, const struct sim_arrival *a, const char *method,
                          const char *target);
void sim_ledger_end(uint64_t seq, int64_t end_us, const struct sim_end *end);
void sim_ledger_write(int org, uint64_t since, bool writes_only, struct sim_buf *out);
void sim_ledger_keep_bodies(bool keep);
void sim_ledger_stats(int org, uint64_t since, uint64_t until, struct sim_buf *out);
void sim_ledger_reset(void);
void sim_gate_lock(void);
void sim_gate_unlock(void);

#endif

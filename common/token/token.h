/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_TOKEN_H
#define OF_TOKEN_H

/* Credentials in sync.token: sealed with the key ring, bound to (org, adapter), refreshed by one for the fleet.
 * Only database calls here; the HTTP of a refresh happens between of_token_begin_refresh() and of_token_store(), outside of
 * any transaction. Each call is one statement (two for store) and blocks for its round trip. One thread per connection.
 *
 * Life of a refresh: load (version v) -> begin(v): the lease -> HTTP with json's refresh token -> store(v): version v + 1 is
 * committed, v stays as prev -> use the new access token -> mark_used(v + 1): prev is dropped. Refused with invalid_grant:
 * try prev_json's refresh token; only if that is refused too it is "reconnect needed" -> fail(v). */

#include "common/base/base.h"
#include "common/err/err.h"
#include "common/time/time.h"

struct of_pg;
struct of_keyring;

struct of_token {
    int64_t version;
    char *json;      /* credentials as JSON; secret */
    char *prev_json; /* the version before the last refresh, or NULL; secret */
    bool is_oauth;
    struct of_wall expires_at; /* of the access token; us 0: not known */
};

/* Fails: OF_E_NOT_FOUND (none stored), OF_E_CRYPTO, OF_E_DB. A prev that cannot be unsealed counts as none.
 * ret_token: of_token_done(). */
OF_MUSTCHECK enum of_code of_token_load(struct of_pg *db, const struct of_keyring *ring, const char *org, const char *adapter,
                                        struct of_token *ret_token, struct of_err *err);
void of_token_done(struct of_token *token); /* cleanses and frees its texts; a zeroed one too */

/* First credentials or new ones (connect, reconnect): replaces all, ends a refresh that runs. json as in a credentials file:
 * its members type and expires_at (seconds since 1970, or ISO 8601) are read. Fails: OF_E_INVALID, OF_E_DB. */
OF_MUSTCHECK enum of_code of_token_put(struct of_pg *db, const struct of_keyring *ring, const char *org, const char *adapter,
                                       const char *json, struct of_err *err);
OF_MUSTCHECK enum of_code of_token_delete(struct of_pg *db, const char *org, const char *adapter, struct of_err *err);

/* The lease by compare-and-swap: *ret_got false if the version has moved on (load again) or somebody else refreshes now. */
OF_MUSTCHECK enum of_code of_token_begin_refresh(struct of_pg *db, const char *org, const char *adapter, int64_t version,
                                                 const char *owner, int64_t lease_ms, bool *ret_got, struct of_err *err);
/* Version + 1, the current one becomes prev, the lease ends. *ret_stored false: fenced, drop the answer. Commits by itself
 * unless the caller has begun a transaction. */
OF_MUSTCHECK enum of_code of_token_store(struct of_pg *db, const struct of_keyring *ring, const char *org, const char *adapter,
                                         int64_t version, const char *owner, const char *new_json, bool *ret_stored,
                                         struct of_err *err);
/* Releases the lease without a result. */
OF_MUSTCHECK enum of_code of_token_fail(struct of_pg *db, const char *org, const char *adapter, int64_t version,
                                        const char *owner, struct of_err *err);
/* The access token of this version has been accepted: prev is not needed any more. */
OF_MUSTCHECK enum of_code of_token_mark_used(struct of_pg *db, const char *org, const char *adapter, int64_t version,
                                             struct of_err *err);

/* Seals at most max rows again that are sealed with another key than the ring's current one, after the place (org, adapter)
 * given ("" at first). A row that changes meanwhile is left to the next run. ret_* : how many were looked at (0: done), were
 * sealed again, could not be unsealed; the place moves on, its texts are the caller's. */
struct of_token_rotation {
    char *org, *adapter; /* owned; start with NULL */
    int64_t looked, sealed, failed; /* sums over the calls */
};
OF_MUSTCHECK enum of_code of_token_rotate(struct of_pg *db, const struct of_keyring *ring, int max,
                                          struct of_token_rotation *rotation, bool *ret_more, struct of_err *err);
void of_token_rotation_done(struct of_token_rotation *rotation);

#endif

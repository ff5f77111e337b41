/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_BUDGET_H
#define OF_WORKER_BUDGET_H

/* The rate budget of one connection: pure logic, no clock of its own, no I/O, one thread. A permit is busy from sending until
 * the answer plus the period, so no window of the period, fixed or sliding, ever sees more requests than the limit. Headers
 * correct the account; somebody else who uses the same token shows as phantom permits. All times are boot ms. */

#include "common/base/base.h"
#include "common/time/time.h"

struct of_budget;

enum { OF_BUDGET_LIVE = 0, OF_BUDGET_BULK = 1, OF_BUDGET_WEAK = 2 };
#define OF_BUDGET_NEVER INT64_MAX

struct of_budget_rate {
    int limit;         /* requests; 0: no limit known, no lease needed */
    int64_t period_ms;
    bool is_cap;       /* an operator set it: headers may lower it, never raise it */
};

/* What an answer's headers say; 0: not said. */
struct of_budget_seen {
    struct of_boot sent_at;
    int limit;
    int count;
    int64_t period_ms;
    bool is_answer;         /* false: no HTTP answer came (it may have been counted even so) */
    bool throttled;         /* 429 */
    int64_t retry_after_ms; /* of a 429; 0: not said */
};

struct of_budget *of_budget_new(const struct of_budget_rate *rate);
void of_budget_free(struct of_budget *b);
/* The operator changed the rate; what headers said is forgotten if it differs from before. */
void of_budget_set_rate(struct of_budget *b, const struct of_budget_rate *rate);
/* What headers said to an owner before us; 0: nothing. */
void of_budget_told(struct of_budget *b, int limit, int64_t period_ms);
bool of_budget_needs_lease(const struct of_budget *b);
int of_budget_limit(const struct of_budget *b);       /* as in force now; 0: none */
int64_t of_budget_period_ms(const struct of_budget *b);

/* --- the lease --- */
/* We own the budget from now until lease_until. clean: handed over properly, or never owned: busy_ms[n] tells for how long
 * permits are still busy. Otherwise one request goes first, and its count header tells what is used. */
void of_budget_start(struct of_budget *b, struct of_boot now, struct of_boot lease_until, bool clean, const int64_t *busy_ms,
                     size_t n);
/* The same owner goes on: the account is kept. */
void of_budget_renew(struct of_budget *b, struct of_boot lease_until);
void of_budget_stop(struct of_budget *b); /* lost, or handed over: nothing is sent */
bool of_budget_is_held(const struct of_budget *b, struct of_boot now);
/* Stops, and gives for how long permits are busy; requests in flight count as 2 s and a period. *ret is the caller's. */
size_t of_budget_hand_over(struct of_budget *b, struct of_boot now, int64_t **ret);

/* --- permits --- */
/* May a request of this priority be sent now? others_wait: requests of a better priority wait. Weak ones get only what nobody
 * else wants: a fifth of the limit stays free. */
bool of_budget_may_send(struct of_budget *b, struct of_boot now, int priority, bool others_wait);
/* Takes a permit; the number is given back with the answer. */
int64_t of_budget_take(struct of_budget *b);
void of_budget_unsent(struct of_budget *b, int64_t permit); /* certainly nothing left this machine */
void of_budget_answered(struct of_budget *b, int64_t permit, struct of_boot now, const struct of_budget_seen *seen);
/* When the permit comes that is left after `ahead` others have taken theirs; now if it is there, OF_BUDGET_NEVER while the
 * budget is not held. */
int64_t of_budget_next_at(struct of_budget *b, struct of_boot now, int ahead);

#endif

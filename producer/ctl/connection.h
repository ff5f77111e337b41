/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CTL_CONNECTION_H
#define OF_CTL_CONNECTION_H

/* Changes of a connection, each a function inside the transaction of the caller, who holds the connection's row. */

#include "adapters/adapter.h"
#include "producer/ctl/ctl.h"

struct of_ctl_connection {
    const char *org;
    const struct of_adapter *adapter;
    bool exists; /* a row is there; else the rest is what a new one begins with */
    char *field_strategies; /* owned JSON: {"Person.firstName":"ask"} */
    char *mode, *strategy, *types, *base_url, *state, *reason; /* owned; mode NULL on a new one, base_url NULL: the system's own */
    int64_t rate_n, rate_s;                                    /* -1: the system's own; rate_n 0: off */
    int64_t generation;
    bool delete_there, push_first_link;
    bool finished; /* no type of it is on its way */
};

/* Checks ORG and ADAPTER of the command line. Fails: OF_E_INVALID. */
OF_MUSTCHECK enum of_code of_ctl_connection_name(const struct of_ctl *ctl, struct of_ctl_connection *ret, struct of_err *err);
/* Reads and locks its row. */
OF_MUSTCHECK enum of_code of_ctl_connection_lock(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err);
void of_ctl_connection_done(struct of_ctl_connection *c);
/* Like lock; OF_E_NOT_FOUND if there is none (or only a disconnected one, unless any is true). */
OF_MUSTCHECK enum of_code of_ctl_connection_need(struct of_ctl *ctl, struct of_ctl_connection *c, bool any, struct of_err *err);
/* Writes mode ... rate and state; generation moves. budget_key NULL: as it was. */
OF_MUSTCHECK enum of_code of_ctl_connection_put(struct of_ctl *ctl, struct of_ctl_connection *c, const char *budget_key,
                                                struct of_err *err);
OF_MUSTCHECK enum of_code of_ctl_connection_state(struct of_ctl *ctl, const struct of_ctl_connection *c, const char *state,
                                                  bool new_generation, struct of_err *err);
OF_MUSTCHECK enum of_code of_ctl_status_put(struct of_ctl *ctl, const struct of_ctl_connection *c, of_scope scope, bool anew,
                                            struct of_err *err);
/* *ret_run 0: none runs. */
OF_MUSTCHECK enum of_code of_ctl_run_running(struct of_ctl *ctl, const struct of_ctl_connection *c, int64_t *ret_run,
                                             struct of_err *err);
OF_MUSTCHECK enum of_code of_ctl_run_cancel(struct of_ctl *ctl, const struct of_ctl_connection *c, struct of_err *err);
OF_MUSTCHECK enum of_code of_ctl_run_start(struct of_ctl *ctl, const struct of_ctl_connection *c, const char *kind,
                                           of_scope scope, int64_t *ret_run, struct of_err *err);
OF_MUSTCHECK enum of_code of_ctl_phases_wake(struct of_ctl *ctl, const struct of_ctl_connection *c, struct of_err *err);
OF_MUSTCHECK enum of_code of_ctl_phases_leave(struct of_ctl *ctl, const struct of_ctl_connection *c, of_scope scope,
                                              struct of_err *err);
OF_MUSTCHECK enum of_code of_ctl_schedule_drop(struct of_ctl *ctl, const struct of_ctl_connection *c, struct of_err *err);
/* --poll and --type, in the transaction of `set` (poll.c). */
OF_MUSTCHECK enum of_code of_ctl_poll_period(struct of_ctl *ctl, const struct of_ctl_connection *c, struct of_err *err);
/* Names of the types in scope, "A, B", the caller's. */
char *of_ctl_scope_names(const struct of_adapter *a, of_scope scope, const char *between);

#endif

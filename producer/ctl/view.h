/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CTL_VIEW_H
#define OF_CTL_VIEW_H

/* Connections with their types, as sync.status has them now: one statement, then reading only. */

#include "common/status/status.h"
#include "producer/ctl/ctl.h"

struct of_ctl_view {
    const char *org, *adapter, *mode, *conn_state, *reason; /* borrowed from the result */
    int64_t state_since_us;
    struct of_status_row *rows;
    const char **last_poll; /* per row; NULL: none yet */
    size_t n_rows;
    char *state; /* the sentence */
    char *message;
};
struct of_ctl_views {
    struct of_pgres *res;
    struct of_ctl_view *views;
    size_t n;
};
/* org, adapter: NULL for all. */
OF_MUSTCHECK enum of_code of_ctl_views_load(struct of_ctl *ctl, const char *org, const char *adapter, struct of_ctl_views *ret,
                                            struct of_err *err);
void of_ctl_views_done(struct of_ctl_views *v);
/* One element of `status --json`. */
void of_ctl_view_json(const struct of_ctl_view *view, struct of_buf *b);

#endif

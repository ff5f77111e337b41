/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_STATUS_H
#define OF_STATUS_H

/* The words of SyncStatus that the product promises to people, made from rows of sync.connection and sync.status. Used by
 * everything that shows a status (ctl, gateway). Any thread, no blocking; texts of rows are borrowed. */

#include "common/base/base.h"
#include "common/base/buf.h"

struct of_status_row {
    const char *type;   /* Person */
    const char *plural; /* People */
    const char *state;  /* sync.status.state: pending, stage, ... */
    int64_t processed;
    int64_t total;     /* -1: not known */
    const char *error; /* why it failed, or what is to be said of an active type; or NULL */
};

#define OF_STATUS_ACTIVE "Active - Incremental Sync Enabled"
#define OF_STATUS_PENDING "Pending Initial Sync"

/* The sentence without counts ("Initial Sync: Staging External IDs"); static. */
const char *of_status_type_state(const struct of_status_row *row);
/* The sentence with counts ("Initial Sync: Processed 5 of 9 People - Staging External IDs"), or the error; appended. */
void of_status_type_message(const struct of_status_row *row, struct of_buf *message);
/* A whole connection: returns its sentence (static), appends the one with counts or the reason. conn_state and reason are
 * sync.connection's (reason may be NULL). Which type speaks for all: the one that is furthest behind, and of those the one with
 * most records left. Types that have not begun stay silent while others work; failed ones do not keep the rest from being
 * active. */
const char *of_status_connection(const char *conn_state, const char *reason, const struct of_status_row *rows, size_t n,
                                 struct of_buf *message);
/* True when nothing of the first sync is left to do: all rows are active or failed. */
bool of_status_is_finished(const struct of_status_row *rows, size_t n);

#endif

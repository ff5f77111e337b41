/* SPDX-License-Identifier: Apache-2.0 */
#include "common/status/status.h"

#include <string.h>

/* In the order of a type's way; a lower index is further behind. */
static const struct step {
    const char *state;
    const char *sentence;
    const char *doing; /* NULL: the step has no counts */
} steps[] = {
    {"pending", OF_STATUS_PENDING, NULL},
    {"stage", "Initial Sync: Staging External IDs", "Staging External IDs"},
    {"match", "Initial Sync: Matching Existing", "Matching Existing"},
    {"create", "Initial Sync: Creating New", "Creating New"},
    {"populate", "Initial Sync: Populating Data", "Populating Data"},
    {"push", "Initial Sync: Pushing OpenFaith Data to External System", "Pushing OpenFaith Data to External System"},
    {"active", OF_STATUS_ACTIVE, NULL},
    {"error", "Error", NULL},
};
enum { STEP_PENDING = 0, STEP_ACTIVE = 6, STEP_ERROR = 7 };

static size_t step_of(const struct of_status_row *row)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(steps); i++) {
        if (strcmp(steps[i].state, row->state) == 0) {
            return i;
        }
    }
    return STEP_ERROR; /* a state of a newer release */
}

const char *of_status_type_state(const struct of_status_row *row)
{
    return steps[step_of(row)].sentence;
}

void of_status_type_message(const struct of_status_row *row, struct of_buf *message)
{
    size_t i = step_of(row);
    if (i == STEP_ERROR) {
        of_buf_str(message, row->error != NULL ? row->error : "no reason was given");
    } else if (i == STEP_ACTIVE && row->error != NULL) { /* it goes on, and there is something to be said */
        of_buf_fmt(message, "%s (%s)", steps[i].sentence, row->error);
    } else if (steps[i].doing == NULL) {
        of_buf_str(message, steps[i].sentence);
    } else if (row->total < 0) {
        of_buf_fmt(message, "Initial Sync: Processed %lld %s - %s", (long long)row->processed, row->plural, steps[i].doing);
    } else {
        /* people add records while we list */
        of_buf_fmt(message, "Initial Sync: Processed %lld of %lld %s - %s", (long long)row->processed,
                   (long long)OF_MAX(row->total, row->processed), row->plural, steps[i].doing);
    }
}

bool of_status_is_finished(const struct of_status_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (step_of(&rows[i]) < STEP_ACTIVE) {
            return false;
        }
    }
    return true;
}

/* The type that speaks for all, or NULL if none has begun and not ended. */
static const struct of_status_row *speaker(const struct of_status_row *rows, size_t n)
{
    const struct of_status_row *best = NULL;
    int64_t best_left = 0;
    for (size_t i = 0; i < n; i++) {
        size_t step = step_of(&rows[i]);
        int64_t left = rows[i].total < 0 ? 0 : OF_MAX(rows[i].total - rows[i].processed, 0);
        if (step == STEP_PENDING || step >= STEP_ACTIVE) {
            continue;
        }
        if (best == NULL || step < step_of(best) || (step == step_of(best) && left > best_left)) {
            best = &rows[i];
            best_left = left;
        }
    }
    return best;
}

static void active_message(const struct of_status_row *rows, size_t n, struct of_buf *message)
{
    const char *before = " (";
    of_buf_str(message, OF_STATUS_ACTIVE);
    for (size_t i = 0; i < n; i++) {
        if (step_of(&rows[i]) == STEP_ERROR || (step_of(&rows[i]) == STEP_ACTIVE && rows[i].error != NULL)) {
            of_buf_fmt(message, "%s%s: %s", before, rows[i].plural, rows[i].error != NULL ? rows[i].error : "no reason was given");
            before = "; ";
        }
    }
    if (before[0] == ';') {
        of_buf_char(message, ')');
    }
}

const char *of_status_connection(const char *conn_state, const char *reason, const struct of_status_row *rows, size_t n,
                                 struct of_buf *message)
{
    static const struct {
        const char *state, *sentence;
    } stopped[] = {
        {"paused", "Paused"}, {"reconnect", "Reconnect Needed"}, {"parked", "Error"}, {"disconnected", "Disconnected"}};
    for (size_t i = 0; i < OF_ARRAY_LEN(stopped); i++) {
        if (strcmp(stopped[i].state, conn_state) == 0) {
            of_buf_str(message, reason != NULL && reason[0] != '\0' ? reason : stopped[i].sentence);
            return stopped[i].sentence;
        }
    }
    if (n > 0 && of_status_is_finished(rows, n)) {
        active_message(rows, n, message);
        return OF_STATUS_ACTIVE;
    }
    const struct of_status_row *row = speaker(rows, n);
    if (row == NULL) {
        of_buf_str(message, OF_STATUS_PENDING);
        return OF_STATUS_PENDING;
    }
    of_status_type_message(row, message);
    return of_status_type_state(row);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_JOURNAL_H
#define OF_WORKER_JOURNAL_H

/* What was decided, and what a person is asked. All calls block on the database, run in the caller's transaction, own nothing of what they
 * are given, and write nothing where the arrays are empty. Any thread, one database connection each. */

#include "worker/apply.h"

struct of_journal { /* a row per change: of one length */
    const struct of_pgarr *eids, *exts, *fields;
    const struct of_pgarr *values; /* jsonb: [what stood, what stands] */
    const struct of_pgarr *rules;
};
/* tag: of the entities ("person", "edge"); type: their external type. */
OF_MUSTCHECK enum of_code of_journal_write(struct of_apply *a, const char *tag, const char *type, const struct of_journal *j,
                                           struct of_err *err);

/* Appends [what stood, what stands]. */
void of_journal_pair(struct of_buf *b, const struct of_json *stood, const struct of_json *stands);

struct of_asked { /* a row per question: of one length */
    const struct of_pgarr *ids, *eids, *fields;
    const struct of_pgarr *details; /* jsonb: {"ours","theirs","why"} */
};
/* A question that is open already is asked with the values of now. */
OF_MUSTCHECK enum of_code of_asked_write(struct of_apply *a, const char *tag, const char *type, const struct of_asked *q,
                                         struct of_err *err);
/* The questions about these records that wait for an answer, where the connection asks at all; else *ret stays NULL. The caller frees. */
OF_MUSTCHECK enum of_code of_asked_open(struct of_apply *a, const struct of_type *t, const struct of_pgarr *ids, struct of_pgres **ret,
                                        struct of_err *err);
/* open: as it gives them. */
bool of_asked_is_open(const struct of_pgres *open, const char *eid, const char *field);

#endif

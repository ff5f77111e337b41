/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_MERGE_H
#define OF_WORKER_MERGE_H

/* The three-way merge of one record, by field (design.md section 8): what theirs says now (staged), said last (seen), what we
 * agreed on, what the row says. Pure: JSON in, JSON out. A field absent in seen has no base: it is never cleared, only filled. */

#include "worker/entities.h"

struct of_merge_in {
    const struct of_adapter *adapter;
    const struct of_type_sql *sql;
    const struct of_json *staged;
    const struct of_json *seen;   /* NULL: first link */
    const struct of_json *agreed; /* NULL: same as seen */
    const struct of_json *row;    /* to_jsonb of the entity */
    char mode;                    /* b, o, c */
    const char *strategy;
    bool has_theirs_at;
    struct of_wall theirs_at;     /* their updated_at, corrected to our clock */
};

struct of_merge_note { /* a decision for the journal */
    char field[96];
    char *old_json, *new_json;
    const char *rule; /* static */
};

struct of_merge_out {
    struct of_buf patch;  /* a JSON object of columns to set; len 0: nothing to write */
    struct of_buf agreed; /* fields whose agreed value differs from theirs; len 0: none */
    bool kept_ours;       /* something of ours goes out */
    bool only_theirs;     /* after the patch the mapped fields say nothing but theirs */
    struct of_merge_note *notes;
    size_t n_notes;
    char *ask[16]; /* fields that wait for a person (strategy ask); names, owned */
    size_t n_ask;
};

void of_merge(const struct of_merge_in *in, struct of_merge_out *out); /* out: of_merge_done() */
void of_merge_done(struct of_merge_out *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_MERGE_H
#define OF_WORKER_MERGE_H

/* The three-way merge of one record, by field (design.md section 8): what theirs says now (staged), said last (seen), what we
 * agreed on, what the row says. Pure: JSON in, JSON out. A field absent in seen has no base: it is never cleared, only filled.
 *
 * Every decision is by field, so last_write_wins and field_merge decide alike: only where both changed the same field the newer
 * wins. Fixed rules: at the same moment theirs wins; without a time of theirs ours wins.
 *
 * What becomes of agreed (the base is written with seen := staged):
 *   theirs taken, both equal           as seen: no member
 *   ours kept                          stays what it was (at a first link: what theirs says): counts as ours, goes out
 *   ours is theirs in another spelling what ours says: nobody changed anything
 *   a person is asked, or ours of a first link that is not to be sent: what ours says; nothing moves until somebody does */

#include "worker/entities.h"

struct of_merge_in {
    const struct of_adapter *adapter;
    const struct of_type_sql *sql;
    const struct of_json *staged;
    const struct of_json *seen;   /* NULL: first link */
    const struct of_json *agreed; /* NULL: same as seen; "_sent": what an update of ours sent whose answer was lost */
    const struct of_json *row;    /* to_jsonb of the entity */
    char mode;                    /* b, o, c */
    const char *strategy;                /* the connection's */
    const struct of_json *by_field;      /* {"Person.firstName":"ask"}; NULL: none */
    bool keep_first;                     /* mode chms: what a first link keeps as ours is not sent */
    const struct of_json *frozen;        /* [{"field","a","b"}]: values that alternate and must not change hands again; NULL: none */
    const struct of_json *open;          /* ["firstName"]: fields that a person is asked about; NULL: none */
    const struct of_json *keep_rel;      /* {"primary_campus":"Campus/1"}: relations where ours stands, and what stays agreed */
    bool rel_goes_out;                   /* one of them is to be sent */
    bool has_theirs_at;
    struct of_wall theirs_at;     /* their updated_at, by their clock */
    int64_t clock_offset_ms;      /* their clock minus ours */
};

enum { OF_MERGE_FIELD_MAX = 96 };

struct of_merge_note { /* a decision for the journal */
    char field[OF_MERGE_FIELD_MAX];
    bool took_theirs; /* over something that both sides knew: one half of an alternation */
    char *old_json, *new_json;
    const char *rule; /* static */
};

struct of_merge_out {
    struct of_buf patch;  /* a JSON object of columns to set; len 0: nothing to write */
    struct of_buf agreed; /* fields whose agreed value differs from theirs; len 0: none */
    bool kept_ours;       /* something of ours is to be sent */
    bool only_theirs;     /* after the patch the mapped fields say nothing but theirs */
    struct of_merge_note *notes;
    size_t n_notes;
    struct of_merge_ask { /* fields that wait for a person */
        char field[OF_MERGE_FIELD_MAX];
        char *detail; /* {"ours":…,"theirs":…,"why":"ask"}; why: ask or frozen */
    } ask[16];
    size_t n_ask;
};

void of_merge(const struct of_merge_in *in, struct of_merge_out *out); /* out: of_merge_done() */
void of_merge_done(struct of_merge_out *out);

/* The row as it stands after the patch was written (its triggers are OpenFaith's): a field that we wrote and a trigger respelled
 * is agreed as it stands, so that it is not sent back; anything else that a trigger changed is a change of ours like any other,
 * and *ret_ours is set: the caller hints it, since the change event of our own transaction is skipped. patch, before, after:
 * what was written, the rows; agreed (an object, or empty) is rewritten. */
void of_merge_after(const struct of_type_sql *sql, const struct of_json *patch, const struct of_json *before,
                    const struct of_json *after, struct of_buf *agreed, bool *ret_ours);

/* What decides where both sides changed a field; shared with values.c. */
const char *of_merge_strategy(const struct of_json *by_field, const char *fallback, const char *type, const char *field);
/* Is the row's last change newer than theirs_at? A row that this connection wrote last carries their time, else ours. */
bool of_merge_ours_is_newer(const struct of_json *row, const char *adapter, bool has_theirs_at, struct of_wall theirs_at,
                            int64_t clock_offset_ms);
enum of_merge_side { OF_MERGE_THEIRS = 1, OF_MERGE_OURS, OF_MERGE_ASK };
enum of_merge_side of_merge_by_strategy(const char *strategy, bool ours_is_newer, const char **ret_rule);

#endif

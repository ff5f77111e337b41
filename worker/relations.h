/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_RELATIONS_H
#define OF_WORKER_RELATIONS_H

/* The three-way merge of relations to one (primary_campus): where both sides changed it, one of them stands. A relation to many is
 * a set whose members are taken and dropped one by one, so that nothing of it can be in conflict. */

#include "worker/apply.h"

struct of_rel_choice {
    char *eid;
    const struct of_relation *relation;
    bool ours;      /* ours stands: nothing of theirs is tied, nothing of ours dropped */
    bool ask;       /* and a person is asked */
    bool first;     /* nothing was known of theirs: by the mode */
    bool same;      /* ours says what theirs does: nothing is decided */
    bool lost;      /* theirs says what a change of ours sent whose answer was lost: no change of theirs */
    bool newer;     /* ours */
    char *now;      /* what ours says: "Campus/3,Campus/4" or "" */
    char *theirs;   /* or "" */
    char *agreed;   /* what was agreed on, or "" */
    const char *rule;
};

struct of_rel_choices {
    struct of_rel_choice *of;
    size_t n;
};

/* Rows as load gives them (entities.h). open: questions that wait (journal.h). Among *ret are only conflicts, and first links where ours
 * says something else: what is not there is as theirs says. */
OF_MUSTCHECK enum of_code of_relations_look(struct of_apply *a, const struct of_type *t, const struct of_pgres *rows,
                                            const struct of_pgres *open, struct of_rel_choices *ret, struct of_err *err);
/* Ours said it before: sent by us, or changed on both sides alike. */
bool of_relations_is_ours(const struct of_rel_choices *c, const char *eid, const struct of_relation *r);
void of_relations_done(struct of_rel_choices *c);
const struct of_rel_choice *of_relations_of(const struct of_rel_choices *c, const char *eid, const struct of_relation *r);
/* Appends {"primary_campus":"Campus/1"}: what stays agreed of a record's relations; nothing if there is none. */
void of_relations_agreed(const struct of_rel_choices *c, const char *eid, struct of_buf *b);

#endif

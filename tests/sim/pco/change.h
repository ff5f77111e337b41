/* SPDX-License-Identifier: Apache-2.0 */
/* What a change of one record does to the others, whoever makes it: somebody at the church
 * (edits.c) or a client of the API (write.c). Caller holds org->lock. */
#ifndef PCO_SIM_CHANGE_H
#define PCO_SIM_CHANGE_H

#include "store.h"

struct sim_change {
    struct sim_org *org;
    int64_t now;
};

void sim_touch_person(const struct sim_change *c, struct sim_rec *person); /* may be NULL */
void sim_spread_name(const struct sim_change *c, struct sim_rec *person);
void sim_refresh_batch(const struct sim_change *c, struct sim_rec *batch); /* may be NULL */
/* Whether one of the records in that list of the person has this reference. */
bool sim_is_member(const struct sim_rec *person, int back, int ref, const struct sim_rec *of);
/* The other contacts of that kind are no longer primary; their updated_at stays. */
void sim_demote_others(const struct sim_change *c, struct sim_rec *contact);
/* What follows from a telephone number: e164, national, international, country. */
void sim_phone_derive(struct sim_org *org, union sim_val *vals);

void sim_remove_all(const struct sim_change *c, struct sim_vec *list);
void sim_remove_member(const struct sim_change *c, struct sim_rec *member);
void sim_remove_hhm(const struct sim_change *c, struct sim_rec *hhm);
void sim_remove_household(const struct sim_change *c, struct sim_rec *household);
void sim_remove_donation(const struct sim_change *c, struct sim_rec *donation);
void sim_remove_person(const struct sim_change *c, struct sim_rec *person);
/* A record that others only name (a campus, a marital status, an option): they lose it. */
void sim_remove_named(const struct sim_change *c, struct sim_rec *rec);
/* Makes one person of two; everything of gone goes to keep. */
void sim_merge_people(const struct sim_change *c, struct sim_rec *keep, struct sim_rec *gone);
/* Batches whose commit is due are committed. */
void sim_commit_due(struct sim_org *org, bool all);
void sim_commit_donation(const struct sim_change *c, struct sim_rec *donation);

#endif

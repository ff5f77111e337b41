/* SPDX-License-Identifier: Apache-2.0 */
#include "change.h"

#include "gen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_touch_person(const struct sim_change *e, struct sim_rec *person)
{
    if (person) {
        sim_rec_set_time(e->org, person, SIM_PERSON_UPDATED_AT, e->now);
    }
}

/* A person's name appears in the records of the households too; their times do not move. */
void sim_spread_name(const struct sim_change *e, struct sim_rec *person)
{
    const struct sim_vec *list = &person->backs[SIM_B_PERSON_HHM];

    sim_person_set_name(e->org, person);
    for (uint32_t i = 0; i < list->n; i++) {
        struct sim_rec *m = list->v[i];

        m->vals[SIM_HHM_PERSON_NAME].s = person->vals[SIM_PERSON_NAME].s;
        sim_rec_touched(e->org, m);
        sim_household_refresh(e->org, m->refs[SIM_R_HHM_HOUSEHOLD]);
    }
}

void sim_remove_all(const struct sim_change *e, struct sim_vec *list)
{
    while (list->n) {
        sim_rec_remove(e->org, list->v[list->n - 1]);
    }
}

void sim_remove_member(const struct sim_change *e, struct sim_rec *member)
{
    struct sim_rec *group = member->refs[SIM_R_MEMBER_GROUP];

    sim_rec_remove(e->org, member);
    group->vals[SIM_GROUP_MEMBERSHIPS_COUNT].i = group->backs[SIM_B_GROUP_MEMBERS].n;
    sim_rec_touched(e->org, group);
}

void sim_remove_hhm(const struct sim_change *e, struct sim_rec *hhm)
{
    struct sim_rec *h = hhm->refs[SIM_R_HHM_HOUSEHOLD], *person = hhm->refs[SIM_R_HHM_PERSON];

    sim_rec_remove(e->org, hhm);
    if (h->refs[SIM_R_HOUSEHOLD_CONTACT] == person) {
        const struct sim_vec *rest = &h->backs[SIM_B_HOUSEHOLD_HHM];

        /* This is the household's own data, so its time moves. */
        sim_rec_set_ref(e->org, h, SIM_R_HOUSEHOLD_CONTACT,
                        rest->n ? rest->v[0]->refs[SIM_R_HHM_PERSON] : NULL);
        sim_rec_set_time(e->org, h, SIM_HOUSEHOLD_UPDATED_AT, e->now);
    }
    sim_household_refresh(e->org, h);
}

/* Whoever else refers to a person that goes: batches (owner) and, after a merge that moved the
 * membership, households (primary contact). */
static void replace_owner(const struct sim_change *e, struct sim_rec *person, struct sim_rec *with)
{
    const struct sim_vec *batches = &e->org->stores[SIM_T_BATCH].by_id;

    for (uint32_t i = 0; i < batches->n; i++) {
        if (batches->v[i]->refs[SIM_R_BATCH_OWNER] == person) {
            sim_rec_set_ref(e->org, batches->v[i], SIM_R_BATCH_OWNER, with);
        }
    }
}

void sim_remove_person(const struct sim_change *e, struct sim_rec *p)
{
    struct sim_vec *donations = &p->backs[SIM_B_PERSON_DONATIONS];

    sim_remove_all(e, &p->backs[SIM_B_PERSON_EMAILS]);
    sim_remove_all(e, &p->backs[SIM_B_PERSON_PHONES]);
    sim_remove_all(e, &p->backs[SIM_B_PERSON_ADDRESSES]);
    sim_remove_all(e, &p->backs[SIM_B_PERSON_DATA]);
    while (p->backs[SIM_B_PERSON_HHM].n) {
        sim_remove_hhm(e, p->backs[SIM_B_PERSON_HHM].v[0]);
    }
    while (p->backs[SIM_B_PERSON_MEMBER].n) {
        sim_remove_member(e, p->backs[SIM_B_PERSON_MEMBER].v[0]);
    }
    while (donations->n) { /* the gift stays, anonymous */
        struct sim_rec *d = donations->v[donations->n - 1];

        sim_rec_set_ref(e->org, d, SIM_R_DONATION_PERSON, NULL);
        sim_rec_set_time(e->org, d, SIM_DONATION_UPDATED_AT, e->now);
    }
    replace_owner(e, p, NULL);
    sim_rec_remove(e->org, p);
}

static void move_all(const struct sim_change *e, struct sim_rec *from, struct sim_rec *to, int back, int ref,
                     int primary)
{
    struct sim_vec *list = &from->backs[back];

    while (list->n) {
        struct sim_rec *r = list->v[0];

        if (primary >= 0 && to->backs[back].n) {
            r->vals[primary].i = 0; /* demoted, its updated_at stays */
        }
        sim_rec_set_ref(e->org, r, ref, to);
        sim_rec_touched(e->org, r);
    }
}

static void merge_data(const struct sim_change *e, struct sim_rec *keep, struct sim_rec *gone)
{
    struct sim_vec *from = &gone->backs[SIM_B_PERSON_DATA];
    uint32_t had = keep->backs[SIM_B_PERSON_DATA].n;
    const struct sim_rec **defs = sim_alloc((had + 1) * sizeof *defs);

    for (uint32_t i = 0; i < had; i++) {
        defs[i] = keep->backs[SIM_B_PERSON_DATA].v[i]->refs[SIM_R_DATUM_DEF];
    }
    while (from->n) {
        struct sim_rec *d = from->v[0];
        bool taken = false;

        for (uint32_t i = 0; i < had; i++) {
            taken = taken || defs[i] == d->refs[SIM_R_DATUM_DEF];
        }
        if (taken) {
            sim_rec_remove(e->org, d);
        } else {
            sim_rec_set_ref(e->org, d, SIM_R_DATUM_PERSON, keep);
            sim_rec_touched(e->org, d);
        }
    }
    free(defs);
}

bool sim_is_member(const struct sim_rec *person, int back, int ref, const struct sim_rec *of)
{
    const struct sim_vec *list = &person->backs[back];

    for (uint32_t i = 0; i < list->n; i++) {
        if (list->v[i]->refs[ref] == of) {
            return true;
        }
    }
    return false;
}

static void merge_memberships(const struct sim_change *e, struct sim_rec *keep, struct sim_rec *gone)
{
    while (gone->backs[SIM_B_PERSON_HHM].n) {
        struct sim_rec *m = gone->backs[SIM_B_PERSON_HHM].v[0];
        struct sim_rec *h = m->refs[SIM_R_HHM_HOUSEHOLD];
        bool twice = sim_is_member(keep, SIM_B_PERSON_HHM, SIM_R_HHM_HOUSEHOLD, h);

        if (h->refs[SIM_R_HOUSEHOLD_CONTACT] == gone) {
            sim_rec_set_ref(e->org, h, SIM_R_HOUSEHOLD_CONTACT, keep);
            sim_rec_set_time(e->org, h, SIM_HOUSEHOLD_UPDATED_AT, e->now);
        }
        if (twice) {
            sim_remove_hhm(e, m);
        } else {
            m->vals[SIM_HHM_PERSON_NAME].s = keep->vals[SIM_PERSON_NAME].s;
            sim_rec_set_ref(e->org, m, SIM_R_HHM_PERSON, keep);
            sim_rec_touched(e->org, m);
        }
        sim_household_refresh(e->org, h);
    }
    while (gone->backs[SIM_B_PERSON_MEMBER].n) {
        struct sim_rec *m = gone->backs[SIM_B_PERSON_MEMBER].v[0];

        if (sim_is_member(keep, SIM_B_PERSON_MEMBER, SIM_R_MEMBER_GROUP,
                      m->refs[SIM_R_MEMBER_GROUP])) {
            sim_remove_member(e, m);
        } else {
            sim_rec_set_ref(e->org, m, SIM_R_MEMBER_PERSON, keep);
            sim_rec_touched(e->org, m);
        }
    }
}

void sim_refresh_batch(const struct sim_change *e, struct sim_rec *batch)
{
    if (batch) {
        sim_batch_refresh(e->org, batch);
        sim_rec_set_time(e->org, batch, SIM_BATCH_UPDATED_AT, e->now);
    }
}

void sim_merge_people(const struct sim_change *e, struct sim_rec *keep, struct sim_rec *gone)
{
    struct sim_store *mergers = &e->org->stores[SIM_T_MERGER];
    struct sim_rec *merger;

    mergers->next_id = mergers->next_id ? mergers->next_id : 1;
    merger = sim_rec_new(e->org, SIM_T_MERGER, 0);
    merger->vals[SIM_MERGER_CREATED_AT].i = e->now;
    merger->vals[SIM_MERGER_KEEP_ID].i = keep->id;
    merger->vals[SIM_MERGER_REMOVE_ID].i = gone->id;
    move_all(e, gone, keep, SIM_B_PERSON_EMAILS, SIM_R_CONTACT_PERSON, SIM_EMAIL_PRIMARY);
    move_all(e, gone, keep, SIM_B_PERSON_PHONES, SIM_R_CONTACT_PERSON, SIM_PHONE_PRIMARY);
    move_all(e, gone, keep, SIM_B_PERSON_ADDRESSES, SIM_R_CONTACT_PERSON, SIM_ADDRESS_PRIMARY);
    move_all(e, gone, keep, SIM_B_PERSON_DONATIONS, SIM_R_DONATION_PERSON, -1);
    merge_data(e, keep, gone);
    merge_memberships(e, keep, gone);
    if (!keep->vals[SIM_PERSON_BIRTHDATE].s) {
        keep->vals[SIM_PERSON_BIRTHDATE] = gone->vals[SIM_PERSON_BIRTHDATE];
    }
    replace_owner(e, gone, keep);
    sim_touch_person(e, keep);
    sim_rec_remove(e->org, gone);
    sim_rec_insert(e->org, merger);
}

void sim_remove_household(const struct sim_change *e, struct sim_rec *household)
{
    sim_remove_all(e, &household->backs[SIM_B_HOUSEHOLD_HHM]);
    sim_rec_remove(e->org, household);
}

void sim_remove_donation(const struct sim_change *e, struct sim_rec *donation)
{
    struct sim_rec *batch = donation->refs[SIM_R_DONATION_BATCH];

    sim_remove_all(e, &donation->backs[SIM_B_DONATION_DESIGS]);
    sim_remove_all(e, &donation->backs[SIM_B_DONATION_REFUNDS]);
    sim_rec_remove(e->org, donation);
    sim_refresh_batch(e, batch);
}

void sim_remove_named(const struct sim_change *e, struct sim_rec *rec)
{
    for (int t = 0; t < SIM_T_COUNT; t++) {
        const struct sim_vec *all = &e->org->stores[t].by_id;

        for (int slot = 0; slot < sim_types[t].ref_count; slot++) {
            if (sim_types[t].refs[slot].target != rec->type) {
                continue;
            }
            for (uint32_t i = 0; i < all->n; i++) {
                if (all->v[i]->refs[slot] == rec) {
                    sim_rec_set_ref(e->org, all->v[i], slot, NULL);
                    sim_rec_touched(e->org, all->v[i]);
                }
            }
        }
    }
    sim_rec_remove(e->org, rec);
}

void sim_demote_others(const struct sim_change *e, struct sim_rec *contact)
{
    struct sim_rec *person = contact->refs[SIM_R_CONTACT_PERSON];
    int back = contact->type == SIM_T_EMAIL   ? SIM_B_PERSON_EMAILS
               : contact->type == SIM_T_PHONE ? SIM_B_PERSON_PHONES
                                              : SIM_B_PERSON_ADDRESSES;
    int primary = sim_attr_by_name(&sim_types[contact->type], "primary");
    const struct sim_vec *list = &person->backs[back];

    for (uint32_t i = 0; i < list->n; i++) {
        if (list->v[i] != contact && list->v[i]->vals[primary].i == 1) {
            list->v[i]->vals[primary].i = 0;
            sim_rec_touched(e->org, list->v[i]);
        }
    }
}

void sim_phone_derive(struct sim_org *org, union sim_val *v)
{
    const char *number = v[SIM_PHONE_NUMBER].s ? v[SIM_PHONE_NUMBER].s : "";
    struct sim_arena *a = &org->arena;
    char d[24];
    size_t n = 0;

    v[SIM_PHONE_E164].s = v[SIM_PHONE_NATIONAL].s = v[SIM_PHONE_INTERNATIONAL].s = NULL;
    v[SIM_PHONE_COUNTRY_CODE].s = NULL;
    v[SIM_PHONE_FORMATTED].s = v[SIM_PHONE_NUMBER].s;
    if (number[strspn(number, "0123456789 ()+-./")] != '\0') {
        return; /* letters: an extension, or no number at all */
    }
    for (const char *p = number; *p && n + 1 < sizeof d; p++) {
        if (*p >= '0' && *p <= '9') {
            d[n++] = *p;
        }
    }
    d[n] = '\0';
    if (n == 11 && d[0] == '1') {
        memmove(d, d + 1, n--);
    } else if (strchr(number, '+') && n >= 8 && n <= 15) {
        v[SIM_PHONE_E164].s = sim_arena_fmt(a, "+%s", d);
        v[SIM_PHONE_INTERNATIONAL].s = v[SIM_PHONE_NUMBER].s;
        return;
    }
    if (n == 10) {
        v[SIM_PHONE_COUNTRY_CODE].s = "US";
        v[SIM_PHONE_E164].s = sim_arena_fmt(a, "+1%s", d);
        v[SIM_PHONE_NATIONAL].s = sim_arena_fmt(a, "(%.3s) %.3s-%s", d, d + 3, d + 6);
        v[SIM_PHONE_INTERNATIONAL].s = sim_arena_fmt(a, "+1 %.3s-%.3s-%s", d, d + 3, d + 6);
    }
}

void sim_commit_donation(const struct sim_change *e, struct sim_rec *d)
{
    union sim_val *v = d->vals;

    if (v[SIM_DONATION_COMPLETED_AT].i == SIM_NULL_INT) {
        v[SIM_DONATION_COMPLETED_AT].i = e->now;
        v[SIM_DONATION_STATUS].s = "succeeded";
        v[SIM_DONATION_REFUNDABLE].i = 1;
        sim_rec_set_time(e->org, d, SIM_DONATION_UPDATED_AT, e->now);
    }
}

void sim_commit_due(struct sim_org *org, bool all)
{
    struct sim_change c = {org, sim_wall_s()};

    for (uint32_t i = 0; i < org->commits.n;) {
        struct sim_rec *batch = org->commits.v[i];

        if (!batch->dead && !all && sim_mono_us() < batch->due_us) {
            i++;
            continue;
        }
        sim_vec_drop(&org->commits, i);
        if (batch->dead) {
            continue;
        }
        for (uint32_t d = 0; d < batch->backs[SIM_B_BATCH_DONATIONS].n; d++) {
            sim_commit_donation(&c, batch->backs[SIM_B_BATCH_DONATIONS].v[d]);
        }
        batch->vals[SIM_BATCH_STATUS].s = "committed";
        batch->vals[SIM_BATCH_COMMITTED_AT].i = c.now;
        sim_rec_set_time(org, batch, SIM_BATCH_UPDATED_AT, c.now);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "edits.h"

#include "gen.h"
#include "names.h"

#include <stdlib.h>
#include <string.h>

enum { KEEP_PEOPLE = 5 }; /* deletes and merges stop here */

struct edit {
    struct sim_gen g;
    struct sim_org *org;
    struct sim_buf *what;
    int64_t now;
};

static void said(struct edit *e, const char *op, const struct sim_rec *rec)
{
    sim_buf_fmt(e->what, "%s{\"op\":\"%s\",\"type\":\"%s\",\"id\":\"%lld\"}",
                e->what->len > 1 ? "," : "", op, sim_types[rec->type].name, (long long)rec->id);
}

static void touch_person(struct edit *e, struct sim_rec *person)
{
    if (person) {
        sim_rec_set_time(e->org, person, SIM_PERSON_UPDATED_AT, e->now);
    }
}

/* A person's name appears in the records of the households too; their times do not move. */
static void spread_name(struct edit *e, struct sim_rec *person)
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

static void toggle_status(struct edit *e, struct sim_rec *p)
{
    bool active = !strcmp(p->vals[SIM_PERSON_STATUS].s, "active");

    p->vals[SIM_PERSON_STATUS].s = active ? "inactive" : "active";
    p->vals[SIM_PERSON_INACTIVATED_AT].i = active ? e->now : SIM_NULL_INT;
    sim_rec_set_ref(e->org, p, SIM_R_PERSON_REASON,
                    active ? sim_gen_any(&e->g, SIM_T_REASON) : NULL);
}

static bool edit_person(struct edit *e)
{
    struct sim_rec *p = sim_gen_any(&e->g, SIM_T_PERSON);
    union sim_val *v;

    if (!p) {
        return false;
    }
    v = p->vals;
    switch (sim_rng_below(&e->g.rng, 7)) {
    case 0:
        v[SIM_PERSON_FIRST_NAME].s =
            sim_gen_pick(&e->g, sim_names_female, sim_names_female_count);
        break;
    case 1:
        v[SIM_PERSON_LAST_NAME].s =
            sim_gen_pick(&e->g, sim_names_ugly_last, sim_names_ugly_last_count);
        break;
    case 2:
        v[SIM_PERSON_BIRTHDATE].s = v[SIM_PERSON_BIRTHDATE].s ? NULL : "1999-12-31";
        break;
    case 3:
        toggle_status(e, p);
        break;
    case 4:
        sim_rec_set_ref(e->org, p, SIM_R_PERSON_CAMPUS, sim_gen_any(&e->g, SIM_T_CAMPUS));
        break;
    case 5:
        sim_rec_set_ref(e->org, p, SIM_R_PERSON_MARITAL, sim_gen_any(&e->g, SIM_T_MARITAL));
        break;
    default:
        v[SIM_PERSON_MEMBERSHIP].s =
            sim_arena_fmt(&e->org->arena, "Level %d", (int)sim_rng_below(&e->g.rng, 1000));
        break;
    }
    spread_name(e, p);
    touch_person(e, p);
    said(e, "edit", p);
    return true;
}

static bool add_person(struct edit *e)
{
    struct sim_family f = sim_gen_family(&e->g);
    struct sim_rec *p = sim_gen_person(&e->g, &f, e->now, e->now);

    sim_gen_email(&e->g, p, &f, true);
    if (sim_rng_chance(&e->g.rng, 0.6)) {
        sim_gen_phone(&e->g, p, &f, true);
    }
    if (sim_rng_chance(&e->g.rng, 0.4)) {
        sim_gen_address(&e->g, p, &f, true);
    }
    if (sim_rng_chance(&e->g.rng, 0.3)) {
        sim_gen_household(&e->g, &p, 1);
    }
    said(e, "add", p);
    return true;
}

static void remove_all(struct edit *e, struct sim_vec *list)
{
    while (list->n) {
        sim_rec_remove(e->org, list->v[list->n - 1]);
    }
}

static void remove_member(struct edit *e, struct sim_rec *member)
{
    struct sim_rec *group = member->refs[SIM_R_MEMBER_GROUP];

    sim_rec_remove(e->org, member);
    group->vals[SIM_GROUP_MEMBERSHIPS_COUNT].i = group->backs[SIM_B_GROUP_MEMBERS].n;
    sim_rec_touched(e->org, group);
}

static void remove_hhm(struct edit *e, struct sim_rec *hhm)
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
static void replace_owner(struct edit *e, struct sim_rec *person, struct sim_rec *with)
{
    const struct sim_vec *batches = &e->org->stores[SIM_T_BATCH].by_id;

    for (uint32_t i = 0; i < batches->n; i++) {
        if (batches->v[i]->refs[SIM_R_BATCH_OWNER] == person) {
            sim_rec_set_ref(e->org, batches->v[i], SIM_R_BATCH_OWNER, with);
        }
    }
}

static void remove_person(struct edit *e, struct sim_rec *p)
{
    struct sim_vec *donations = &p->backs[SIM_B_PERSON_DONATIONS];

    remove_all(e, &p->backs[SIM_B_PERSON_EMAILS]);
    remove_all(e, &p->backs[SIM_B_PERSON_PHONES]);
    remove_all(e, &p->backs[SIM_B_PERSON_ADDRESSES]);
    remove_all(e, &p->backs[SIM_B_PERSON_DATA]);
    while (p->backs[SIM_B_PERSON_HHM].n) {
        remove_hhm(e, p->backs[SIM_B_PERSON_HHM].v[0]);
    }
    while (p->backs[SIM_B_PERSON_MEMBER].n) {
        remove_member(e, p->backs[SIM_B_PERSON_MEMBER].v[0]);
    }
    while (donations->n) { /* the gift stays, anonymous */
        struct sim_rec *d = donations->v[donations->n - 1];

        sim_rec_set_ref(e->org, d, SIM_R_DONATION_PERSON, NULL);
        sim_rec_set_time(e->org, d, SIM_DONATION_UPDATED_AT, e->now);
    }
    replace_owner(e, p, NULL);
    sim_rec_remove(e->org, p);
}

static bool delete_person(struct edit *e)
{
    struct sim_rec *p = sim_gen_any(&e->g, SIM_T_PERSON);

    if (e->org->stores[SIM_T_PERSON].by_id.n <= KEEP_PEOPLE) {
        return false;
    }
    said(e, "delete", p);
    remove_person(e, p);
    return true;
}

static void move_all(struct edit *e, struct sim_rec *from, struct sim_rec *to, int back, int ref,
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

static void merge_data(struct edit *e, struct sim_rec *keep, struct sim_rec *gone)
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

static bool is_member(const struct sim_rec *person, int back, int ref, const struct sim_rec *of)
{
    const struct sim_vec *list = &person->backs[back];

    for (uint32_t i = 0; i < list->n; i++) {
        if (list->v[i]->refs[ref] == of) {
            return true;
        }
    }
    return false;
}

static void merge_memberships(struct edit *e, struct sim_rec *keep, struct sim_rec *gone)
{
    while (gone->backs[SIM_B_PERSON_HHM].n) {
        struct sim_rec *m = gone->backs[SIM_B_PERSON_HHM].v[0];
        struct sim_rec *h = m->refs[SIM_R_HHM_HOUSEHOLD];
        bool twice = is_member(keep, SIM_B_PERSON_HHM, SIM_R_HHM_HOUSEHOLD, h);

        if (h->refs[SIM_R_HOUSEHOLD_CONTACT] == gone) {
            sim_rec_set_ref(e->org, h, SIM_R_HOUSEHOLD_CONTACT, keep);
            sim_rec_set_time(e->org, h, SIM_HOUSEHOLD_UPDATED_AT, e->now);
        }
        if (twice) {
            remove_hhm(e, m);
        } else {
            m->vals[SIM_HHM_PERSON_NAME].s = keep->vals[SIM_PERSON_NAME].s;
            sim_rec_set_ref(e->org, m, SIM_R_HHM_PERSON, keep);
            sim_rec_touched(e->org, m);
        }
        sim_household_refresh(e->org, h);
    }
    while (gone->backs[SIM_B_PERSON_MEMBER].n) {
        struct sim_rec *m = gone->backs[SIM_B_PERSON_MEMBER].v[0];

        if (is_member(keep, SIM_B_PERSON_MEMBER, SIM_R_MEMBER_GROUP,
                      m->refs[SIM_R_MEMBER_GROUP])) {
            remove_member(e, m);
        } else {
            sim_rec_set_ref(e->org, m, SIM_R_MEMBER_PERSON, keep);
            sim_rec_touched(e->org, m);
        }
    }
}

static bool merge_people(struct edit *e)
{
    struct sim_rec *keep = sim_gen_any(&e->g, SIM_T_PERSON);
    struct sim_rec *gone = sim_gen_any(&e->g, SIM_T_PERSON);
    struct sim_rec *merger;

    if (e->org->stores[SIM_T_PERSON].by_id.n <= KEEP_PEOPLE || keep == gone) {
        return false;
    }
    merger = sim_rec_new(e->org, SIM_T_MERGER, sim_gen_next_id(&e->g, SIM_T_MERGER));
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
    touch_person(e, keep);
    sim_buf_fmt(e->what,
                "%s{\"op\":\"merge\",\"type\":\"Person\",\"id\":\"%lld\",\"keep\":\"%lld\"}",
                e->what->len > 1 ? "," : "", (long long)gone->id, (long long)keep->id);
    sim_rec_remove(e->org, gone);
    sim_rec_insert(e->org, merger);
    return true;
}

static struct sim_rec *any_contact(struct edit *e)
{
    static const enum sim_type types[] = {SIM_T_EMAIL, SIM_T_PHONE, SIM_T_ADDRESS};

    return sim_gen_any(&e->g, types[sim_rng_below(&e->g.rng, 3)]);
}

static bool edit_contact(struct edit *e)
{
    struct sim_rec *c = any_contact(e);
    struct sim_arena *a = &e->org->arena;
    int n = (int)sim_rng_below(&e->g.rng, 10000);

    if (!c) {
        return false;
    }
    switch (c->type) {
    case SIM_T_EMAIL:
        c->vals[SIM_EMAIL_ADDRESS].s = sim_arena_fmt(a, "changed%d@example.org", n);
        break;
    case SIM_T_PHONE:
        c->vals[SIM_PHONE_NUMBER].s = sim_arena_fmt(a, "(312) 555-%04d", n);
        c->vals[SIM_PHONE_E164].s = sim_arena_fmt(a, "+1312555%04d", n);
        c->vals[SIM_PHONE_INTERNATIONAL].s = sim_arena_fmt(a, "+1 312-555-%04d", n);
        c->vals[SIM_PHONE_NATIONAL].s = c->vals[SIM_PHONE_NUMBER].s;
        break;
    default:
        c->vals[SIM_ADDRESS_STREET_1].s = sim_arena_fmt(a, "%d Changed Way", n);
        break;
    }
    sim_rec_set_time(e->org, c, sim_types[c->type].updated, e->now);
    touch_person(e, c->refs[SIM_R_CONTACT_PERSON]);
    said(e, "edit_contact", c);
    return true;
}

static bool add_contact(struct edit *e)
{
    struct sim_rec *p = sim_gen_any(&e->g, SIM_T_PERSON);
    struct sim_family f;

    if (!p) {
        return false;
    }
    f = sim_gen_family(&e->g);
    f.email = NULL;
    sim_gen_email(&e->g, p, &f, p->backs[SIM_B_PERSON_EMAILS].n == 0);
    touch_person(e, p);
    said(e, "add_contact", p->backs[SIM_B_PERSON_EMAILS].v[p->backs[SIM_B_PERSON_EMAILS].n - 1]);
    return true;
}

static bool delete_contact(struct edit *e)
{
    struct sim_rec *c = any_contact(e);

    if (!c) {
        return false;
    }
    said(e, "delete_contact", c);
    touch_person(e, c->refs[SIM_R_CONTACT_PERSON]);
    sim_rec_remove(e->org, c);
    return true;
}

static bool edit_datum(struct edit *e)
{
    struct sim_rec *d = sim_gen_any(&e->g, SIM_T_DATUM);

    if (!d || d->refs[SIM_R_DATUM_OPTION] || d->vals[SIM_DATUM_FILE].s) {
        return false;
    }
    d->vals[SIM_DATUM_VALUE].s =
        sim_arena_fmt(&e->org->arena, "%d", (int)sim_rng_below(&e->g.rng, 100000));
    sim_rec_set_time(e->org, d, SIM_DATUM_UPDATED_AT, e->now);
    touch_person(e, d->refs[SIM_R_DATUM_PERSON]);
    said(e, "edit_datum", d);
    return true;
}

static bool edit_household(struct edit *e)
{
    struct sim_rec *h = sim_gen_any(&e->g, SIM_T_HOUSEHOLD);

    if (!h) {
        return false;
    }
    h->vals[SIM_HOUSEHOLD_NAME].s = sim_arena_fmt(
        &e->org->arena, "%s Household", sim_gen_pick(&e->g, sim_names_last, sim_names_last_count));
    sim_rec_set_time(e->org, h, SIM_HOUSEHOLD_UPDATED_AT, e->now);
    said(e, "edit_household", h);
    return true;
}

/* Somebody joins or leaves: no time of any record moves. */
static bool edit_household_member(struct edit *e)
{
    struct sim_rec *h = sim_gen_any(&e->g, SIM_T_HOUSEHOLD);
    struct sim_rec *p = sim_gen_any(&e->g, SIM_T_PERSON);
    const struct sim_vec *list;

    if (!h || !p) {
        return false;
    }
    list = &h->backs[SIM_B_HOUSEHOLD_HHM];
    if (list->n > 1 && sim_rng_chance(&e->g.rng, 0.5)) {
        remove_hhm(e, list->v[list->n - 1]);
    } else if (!is_member(p, SIM_B_PERSON_HHM, SIM_R_HHM_HOUSEHOLD, h)) {
        (void)sim_gen_hhm(&e->g, h, p);
        sim_household_refresh(e->org, h);
    } else {
        return false;
    }
    said(e, "edit_household_member", h);
    return true;
}

static bool delete_household(struct edit *e)
{
    struct sim_rec *h = sim_gen_any(&e->g, SIM_T_HOUSEHOLD);

    if (!h) {
        return false;
    }
    said(e, "delete_household", h);
    remove_all(e, &h->backs[SIM_B_HOUSEHOLD_HHM]);
    sim_rec_remove(e->org, h);
    return true;
}

static bool edit_group_member(struct edit *e)
{
    struct sim_rec *g = sim_gen_any(&e->g, SIM_T_GROUP);
    struct sim_rec *p = sim_gen_any(&e->g, SIM_T_PERSON), *m;
    const struct sim_vec *list;

    if (!g || !p) {
        return false;
    }
    list = &g->backs[SIM_B_GROUP_MEMBERS];
    m = list->n ? list->v[sim_rng_below(&e->g.rng, list->n)] : NULL;
    switch (sim_rng_below(&e->g.rng, 3)) {
    case 0:
        if (!m) {
            return false;
        }
        m->vals[SIM_MEMBER_ROLE].s =
            !strcmp(m->vals[SIM_MEMBER_ROLE].s, "leader") ? "member" : "leader";
        sim_rec_touched(e->org, m);
        break;
    case 1:
        if (!m) {
            return false;
        }
        remove_member(e, m);
        break;
    default:
        if (is_member(p, SIM_B_PERSON_MEMBER, SIM_R_MEMBER_GROUP, g)) {
            return false;
        }
        (void)sim_gen_member(&e->g, g, p);
        g->vals[SIM_GROUP_MEMBERSHIPS_COUNT].i = list->n;
        sim_rec_touched(e->org, g);
        break;
    }
    said(e, "edit_group_member", g);
    return true;
}

static void refresh_batch(struct edit *e, struct sim_rec *batch)
{
    if (batch) {
        sim_batch_refresh(e->org, batch);
        sim_rec_set_time(e->org, batch, SIM_BATCH_UPDATED_AT, e->now);
    }
}

static bool add_donation(struct edit *e)
{
    struct sim_rec *batch = sim_gen_any(&e->g, SIM_T_BATCH);
    struct sim_rec *d = sim_gen_donation(&e->g, batch, sim_gen_any(&e->g, SIM_T_PERSON), e->now);

    refresh_batch(e, batch);
    said(e, "add_donation", d);
    return true;
}

static bool edit_donation(struct edit *e)
{
    struct sim_rec *d = sim_gen_any(&e->g, SIM_T_DONATION);

    if (!d) {
        return false;
    }
    d->vals[SIM_DONATION_RECEIVED_AT].i += 86400;
    sim_rec_set_time(e->org, d, SIM_DONATION_UPDATED_AT, e->now);
    said(e, "edit_donation", d);
    return true;
}

static bool delete_donation(struct edit *e)
{
    struct sim_rec *d = sim_gen_any(&e->g, SIM_T_DONATION);
    struct sim_rec *batch;

    if (!d) {
        return false;
    }
    batch = d->refs[SIM_R_DONATION_BATCH];
    said(e, "delete_donation", d);
    remove_all(e, &d->backs[SIM_B_DONATION_DESIGS]);
    remove_all(e, &d->backs[SIM_B_DONATION_REFUNDS]);
    sim_rec_remove(e->org, d);
    refresh_batch(e, batch);
    return true;
}

static const struct {
    const char *name;
    bool (*run)(struct edit *e);
    unsigned weight; /* share in "mixed" */
} ops[] = {
    {"edit", edit_person, 25},
    {"add", add_person, 15},
    {"delete", delete_person, 8},
    {"merge", merge_people, 5},
    {"edit_contact", edit_contact, 12},
    {"add_contact", add_contact, 8},
    {"delete_contact", delete_contact, 6},
    {"edit_datum", edit_datum, 5},
    {"edit_household", edit_household, 5},
    {"edit_household_member", edit_household_member, 0},
    {"delete_household", delete_household, 1},
    {"edit_group_member", edit_group_member, 0},
    {"add_donation", add_donation, 4},
    {"edit_donation", edit_donation, 4},
    {"delete_donation", delete_donation, 2},
};

bool sim_edit_known(const char *op)
{
    for (size_t i = 0; i < SIM_COUNT(ops); i++) {
        if (!strcmp(ops[i].name, op)) {
            return true;
        }
    }
    return !strcmp(op, "mixed");
}

static size_t pick_op(struct edit *e, const char *name)
{
    uint64_t sum = 0, at;
    size_t i;

    for (i = 0; i < SIM_COUNT(ops); i++) {
        if (!strcmp(ops[i].name, name)) {
            return i;
        }
        sum += ops[i].weight;
    }
    at = sim_rng_below(&e->g.rng, sum);
    for (i = 0; at >= ops[i].weight; i++) {
        at -= ops[i].weight;
    }
    return i;
}

bool sim_edit(struct sim_org *org, const char *op, int64_t count, struct sim_buf *what)
{
    struct edit e = {.org = org, .what = what, .now = sim_wall_s()};

    if (!sim_edit_known(op)) {
        return false;
    }
    e.g = (struct sim_gen){.org = org, .rng = org->edit_rng, .live = true};
    sim_buf_char(what, '[');
    for (int64_t i = 0; i < count; i++) {
        for (int tries = 0; tries < 20 && !ops[pick_op(&e, op)].run(&e); tries++) {
        }
    }
    sim_buf_char(what, ']');
    org->edit_rng = e.g.rng;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "edits.h"

#include "change.h"
#include "gen.h"
#include "names.h"

#include <stdlib.h>
#include <string.h>

enum { KEEP_PEOPLE = 5 }; /* deletes and merges stop here */

struct edit {
    struct sim_gen g;
    struct sim_change c;
    struct sim_buf *what;
};

static void said(struct edit *e, const char *op, const struct sim_rec *rec)
{
    sim_buf_fmt(e->what, "%s{\"op\":\"%s\",\"type\":\"%s\",\"id\":\"%lld\"}",
                e->what->len > 1 ? "," : "", op, sim_types[rec->type].name, (long long)rec->id);
}

static void toggle_status(struct edit *e, struct sim_rec *p)
{
    bool active = !strcmp(p->vals[SIM_PERSON_STATUS].s, "active");

    p->vals[SIM_PERSON_STATUS].s = active ? "inactive" : "active";
    p->vals[SIM_PERSON_INACTIVATED_AT].i = active ? e->c.now : SIM_NULL_INT;
    sim_rec_set_ref(e->c.org, p, SIM_R_PERSON_REASON,
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
        sim_rec_set_ref(e->c.org, p, SIM_R_PERSON_CAMPUS, sim_gen_any(&e->g, SIM_T_CAMPUS));
        break;
    case 5:
        sim_rec_set_ref(e->c.org, p, SIM_R_PERSON_MARITAL, sim_gen_any(&e->g, SIM_T_MARITAL));
        break;
    default:
        v[SIM_PERSON_MEMBERSHIP].s =
            sim_arena_fmt(&e->c.org->arena, "Level %d", (int)sim_rng_below(&e->g.rng, 1000));
        break;
    }
    sim_spread_name(&e->c, p);
    sim_touch_person(&e->c, p);
    said(e, "edit", p);
    return true;
}

static bool add_person(struct edit *e)
{
    struct sim_family f = sim_gen_family(&e->g);
    struct sim_rec *p = sim_gen_person(&e->g, &f, e->c.now, e->c.now);

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

static bool delete_person(struct edit *e)
{
    struct sim_rec *p = sim_gen_any(&e->g, SIM_T_PERSON);

    if (e->c.org->stores[SIM_T_PERSON].by_id.n <= KEEP_PEOPLE) {
        return false;
    }
    said(e, "delete", p);
    sim_remove_person(&e->c, p);
    return true;
}

static bool merge_people(struct edit *e)
{
    struct sim_rec *keep = sim_gen_any(&e->g, SIM_T_PERSON);
    struct sim_rec *gone = sim_gen_any(&e->g, SIM_T_PERSON);

    if (e->c.org->stores[SIM_T_PERSON].by_id.n <= KEEP_PEOPLE || keep == gone) {
        return false;
    }
    sim_buf_fmt(e->what,
                "%s{\"op\":\"merge\",\"type\":\"Person\",\"id\":\"%lld\",\"keep\":\"%lld\"}",
                e->what->len > 1 ? "," : "", (long long)gone->id, (long long)keep->id);
    sim_merge_people(&e->c, keep, gone);
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
    struct sim_arena *a = &e->c.org->arena;
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
        sim_phone_derive(e->c.org, c->vals);
        break;
    default:
        c->vals[SIM_ADDRESS_STREET_1].s = sim_arena_fmt(a, "%d Changed Way", n);
        break;
    }
    sim_rec_set_time(e->c.org, c, sim_types[c->type].updated, e->c.now);
    sim_touch_person(&e->c, c->refs[SIM_R_CONTACT_PERSON]);
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
    sim_touch_person(&e->c, p);
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
    sim_touch_person(&e->c, c->refs[SIM_R_CONTACT_PERSON]);
    sim_rec_remove(e->c.org, c);
    return true;
}

static bool edit_datum(struct edit *e)
{
    struct sim_rec *d = sim_gen_any(&e->g, SIM_T_DATUM);

    if (!d || d->refs[SIM_R_DATUM_OPTION] || d->vals[SIM_DATUM_FILE].s) {
        return false;
    }
    d->vals[SIM_DATUM_VALUE].s =
        sim_arena_fmt(&e->c.org->arena, "%d", (int)sim_rng_below(&e->g.rng, 100000));
    sim_rec_set_time(e->c.org, d, SIM_DATUM_UPDATED_AT, e->c.now);
    sim_touch_person(&e->c, d->refs[SIM_R_DATUM_PERSON]);
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
        &e->c.org->arena, "%s Household", sim_gen_pick(&e->g, sim_names_last, sim_names_last_count));
    sim_rec_set_time(e->c.org, h, SIM_HOUSEHOLD_UPDATED_AT, e->c.now);
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
        sim_remove_hhm(&e->c, list->v[list->n - 1]);
    } else if (!sim_is_member(p, SIM_B_PERSON_HHM, SIM_R_HHM_HOUSEHOLD, h)) {
        (void)sim_gen_hhm(&e->g, h, p);
        sim_household_refresh(e->c.org, h);
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
    sim_remove_household(&e->c, h);
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
        sim_rec_touched(e->c.org, m);
        break;
    case 1:
        if (!m) {
            return false;
        }
        sim_remove_member(&e->c, m);
        break;
    default:
        if (sim_is_member(p, SIM_B_PERSON_MEMBER, SIM_R_MEMBER_GROUP, g)) {
            return false;
        }
        (void)sim_gen_member(&e->g, g, p);
        g->vals[SIM_GROUP_MEMBERSHIPS_COUNT].i = list->n;
        sim_rec_touched(e->c.org, g);
        break;
    }
    said(e, "edit_group_member", g);
    return true;
}

static bool add_donation(struct edit *e)
{
    struct sim_rec *batch = sim_gen_any(&e->g, SIM_T_BATCH);
    struct sim_rec *d = sim_gen_donation(&e->g, batch, sim_gen_any(&e->g, SIM_T_PERSON), e->c.now);

    sim_refresh_batch(&e->c, batch);
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
    sim_rec_set_time(e->c.org, d, SIM_DONATION_UPDATED_AT, e->c.now);
    said(e, "edit_donation", d);
    return true;
}

static bool delete_donation(struct edit *e)
{
    struct sim_rec *d = sim_gen_any(&e->g, SIM_T_DONATION);

    if (!d) {
        return false;
    }
    said(e, "delete_donation", d);
    sim_remove_donation(&e->c, d);
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
    struct edit e = {.c = {org, sim_wall_s()}, .what = what};

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

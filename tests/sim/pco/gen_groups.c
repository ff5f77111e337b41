/* SPDX-License-Identifier: Apache-2.0 */
#include "gen.h"

#include "names.h"

#include <string.h>

/* What the household says about its people. */
void sim_household_refresh(struct sim_org *org, struct sim_rec *household)
{
    const struct sim_rec *contact = household->refs[SIM_R_HOUSEHOLD_CONTACT];
    union sim_val *v = household->vals;

    v[SIM_HOUSEHOLD_MEMBER_COUNT].i = household->backs[SIM_B_HOUSEHOLD_HHM].n;
    v[SIM_HOUSEHOLD_CONTACT_ID].s =
        contact ? sim_arena_fmt(&org->arena, "%d", (int)contact->id) : NULL;
    v[SIM_HOUSEHOLD_CONTACT_NAME].s = contact ? contact->vals[SIM_PERSON_NAME].s : NULL;
    sim_rec_touched(org, household);
}

struct sim_rec *sim_gen_hhm(struct sim_gen *g, struct sim_rec *household, struct sim_rec *person)
{
    struct sim_rec *m = sim_rec_new(g->org, SIM_T_HHM, sim_gen_next_id(g, SIM_T_HHM));

    m->vals[SIM_HHM_PENDING].i = sim_rng_chance(&g->rng, 0.03);
    m->vals[SIM_HHM_PERSON_NAME].s = person->vals[SIM_PERSON_NAME].s;
    m->vals[SIM_HHM_ROLE].s = person->vals[SIM_PERSON_CHILD].i == 1 ? "child_or_dependent"
                              : sim_rng_chance(&g->rng, 0.9)        ? "adult"
                                                                    : NULL;
    sim_rec_set_ref(g->org, m, SIM_R_HHM_HOUSEHOLD, household);
    sim_rec_set_ref(g->org, m, SIM_R_HHM_PERSON, person);
    sim_gen_add(g, m);
    return m;
}

void sim_gen_household(struct sim_gen *g, struct sim_rec *const *people, size_t n)
{
    struct sim_rec *h = sim_rec_new(g->org, SIM_T_HOUSEHOLD, sim_gen_next_id(g, SIM_T_HOUSEHOLD));
    const char *last = people[0]->vals[SIM_PERSON_LAST_NAME].s;
    int64_t created = people[n - 1]->vals[SIM_PERSON_CREATED_AT].i;

    h->vals[SIM_HOUSEHOLD_NAME].s =
        sim_arena_fmt(&g->org->arena, "%s Household", last && *last ? last : "Unknown");
    h->vals[SIM_HOUSEHOLD_CREATED_AT].i = created;
    h->vals[SIM_HOUSEHOLD_UPDATED_AT].i =
        g->live ? created : created + (int64_t)sim_rng_below(&g->rng, 20000000);
    if (!sim_gen_ugly(g, 0.04)) {
        sim_rec_set_ref(g->org, h, SIM_R_HOUSEHOLD_CONTACT, people[0]);
    }
    sim_gen_add(g, h);
    for (size_t i = 0; i < n; i++) {
        (void)sim_gen_hhm(g, h, people[i]);
    }
    if (!g->live && g->org->stores[SIM_T_PERSON].by_id.n > n && sim_rng_chance(&g->rng, 0.03)) {
        struct sim_rec *guest = sim_gen_any(g, SIM_T_PERSON); /* in two households then */

        for (size_t i = 0; i < n; i++) {
            guest = guest == people[i] ? NULL : guest;
        }
        if (guest) {
            (void)sim_gen_hhm(g, h, guest);
        }
    }
    sim_household_refresh(g->org, h);
}

struct sim_rec *sim_gen_member(struct sim_gen *g, struct sim_rec *group, struct sim_rec *person)
{
    struct sim_rec *m = sim_rec_new(g->org, SIM_T_MEMBER, sim_gen_next_id(g, SIM_T_MEMBER));
    int64_t created = group->vals[SIM_GROUP_CREATED_AT].i;

    m->vals[SIM_MEMBER_ROLE].s = sim_rng_chance(&g->rng, 0.12) ? "leader" : "member";
    m->vals[SIM_MEMBER_JOINED_AT].i =
        g->live ? sim_wall_s() : created + (int64_t)sim_rng_below(&g->rng, 30000000);
    sim_rec_set_ref(g->org, m, SIM_R_MEMBER_GROUP, group);
    sim_rec_set_ref(g->org, m, SIM_R_MEMBER_PERSON, person);
    sim_gen_add(g, m);
    return m;
}

static void gen_group_types(struct sim_gen *g)
{
    static const char *const names[] = {"Small Groups", "Classes", "Teams \342\232\275",
                                        "Season's Groups"};

    for (int i = 0; i < 4; i++) {
        struct sim_rec *t = sim_rec_new(g->org, SIM_T_GTYPE, sim_gen_next_id(g, SIM_T_GTYPE));

        t->vals[SIM_GTYPE_NAME].s = names[i];
        t->vals[SIM_GTYPE_DESCRIPTION].s = i == 1 ? "Weekly, \"open\"" : NULL;
        t->vals[SIM_GTYPE_COLOR].s = i == 3 ? NULL : "#4fb1f4";
        t->vals[SIM_GTYPE_POSITION].i = i;
        t->vals[SIM_GTYPE_VISIBLE].i = i != 2;
        t->vals[SIM_GTYPE_MAP_VISIBLE].i = i == 0;
        t->vals[SIM_GTYPE_SETTINGS].s = "{\"events_visibility\":\"members\"}";
        sim_gen_add(g, t);
    }
}

static bool in_group(const struct sim_rec *group, const struct sim_rec *person)
{
    const struct sim_vec *members = &group->backs[SIM_B_GROUP_MEMBERS];

    for (uint32_t i = 0; i < members->n; i++) {
        if (members->v[i]->refs[SIM_R_MEMBER_PERSON] == person) {
            return true;
        }
    }
    return false;
}

static void gen_group(struct sim_gen *g, int64_t i)
{
    struct sim_rec *r = sim_rec_new(g->org, SIM_T_GROUP, sim_gen_next_id(g, SIM_T_GROUP));
    union sim_val *v = r->vals;
    struct sim_arena *a = &g->org->arena;
    int64_t members = sim_rng_range(&g->rng, 2, 22);

    v[SIM_GROUP_NAME].s =
        sim_arena_fmt(a, "%s Group %d", sim_gen_pick(g, sim_names_last, sim_names_last_count),
                      (int)i);
    v[SIM_GROUP_CREATED_AT].i =
        sim_days_from_civil(2016, 1, 1) * 86400 + (int64_t)sim_rng_below(&g->rng, 200000000);
    v[SIM_GROUP_ARCHIVED_AT].i = i == 2 || sim_rng_chance(&g->rng, 0.15)
                                     ? v[SIM_GROUP_CREATED_AT].i + 50000000
                                     : SIM_NULL_INT;
    v[SIM_GROUP_DESCRIPTION].s =
        sim_rng_chance(&g->rng, 0.5) ? "<div>We meet &amp; eat</div>" : NULL;
    v[SIM_GROUP_CONTACT_EMAIL].s =
        sim_rng_chance(&g->rng, 0.6)
            ? sim_arena_fmt(a, "group%d%s@example.org", (int)i, g->org->cfg.mark)
            : NULL;
    v[SIM_GROUP_SCHEDULE].s = sim_rng_chance(&g->rng, 0.7) ? "Tuesdays at 7 pm" : NULL;
    v[SIM_GROUP_EVENTS_VISIBILITY].s = sim_rng_chance(&g->rng, 0.5) ? "public" : "members";
    v[SIM_GROUP_LOCATION_TYPE].s = "physical";
    v[SIM_GROUP_HEADER_IMAGE].s =
        "{\"thumbnail\":\"https://groups.example.org/t.png\","
        "\"medium\":\"https://groups.example.org/m.png\","
        "\"original\":\"https://groups.example.org/o.png\"}";
    v[SIM_GROUP_WEB_URL].s =
        sim_arena_fmt(a, "https://church.churchcenter.com/groups/small/%d", (int)r->id);
    v[SIM_GROUP_CHAT_ENABLED].i = sim_rng_chance(&g->rng, 0.5);
    v[SIM_GROUP_CONFIDENTIAL].i = sim_rng_chance(&g->rng, 0.1);
    v[SIM_GROUP_LEADERS_SEARCH].i = 0;
    v[SIM_GROUP_CAN_CONVERSE].i = 0;
    v[SIM_GROUP_WIDGET_STATUS].s = "{}";
    if (i != 1 && !sim_gen_ugly(g, 0.1)) {
        sim_rec_set_ref(g->org, r, SIM_R_GROUP_TYPE, sim_gen_any(g, SIM_T_GTYPE));
    }
    sim_gen_add(g, r);
    for (int64_t m = 0; m < members; m++) {
        struct sim_rec *person = sim_gen_any(g, SIM_T_PERSON);

        if (person && !in_group(r, person)) {
            (void)sim_gen_member(g, r, person);
        }
    }
    v[SIM_GROUP_MEMBERSHIPS_COUNT].i = r->backs[SIM_B_GROUP_MEMBERS].n;
}

void sim_gen_groups(struct sim_gen *g)
{
    int64_t n = g->org->cfg.people / 40;

    gen_group_types(g);
    for (int64_t i = 0; i < (n < 3 ? 3 : n); i++) {
        gen_group(g, i);
    }
}

static void gen_funds(struct sim_gen *g)
{
    static const char *const names[] = {"General", "Missions", "Building \342\233\252", "Youth",
                                        "Caf\303\251"};
    static const char *const visibility[] = {"everywhere", "everywhere", "admin_only", "nowhere",
                                             "hidden"};
    static const char *const sources[] = {"Planning Center", "Stripe (old)", "Donor Advised"};

    for (int i = 0; i < 5; i++) {
        struct sim_rec *f = sim_rec_new(g->org, SIM_T_FUND, sim_gen_next_id(g, SIM_T_FUND));

        f->vals[SIM_FUND_NAME].s = names[i];
        f->vals[SIM_FUND_VISIBILITY].s = visibility[i];
        f->vals[SIM_FUND_DEFAULT].i = i == 0;
        f->vals[SIM_FUND_DELETABLE].i = i == 4;
        f->vals[SIM_FUND_COLOR].s = i == 3 ? NULL : "#b0b0b0";
        f->vals[SIM_FUND_LEDGER_CODE].s = i < 2 ? "1000" : i == 2 ? "" : NULL;
        f->vals[SIM_FUND_DESCRIPTION].s = i == 1 ? "For \"them\"" : NULL;
        f->vals[SIM_FUND_CREATED_AT].i = sim_days_from_civil(2015, 2, 1 + i) * 86400;
        f->vals[SIM_FUND_UPDATED_AT].i = f->vals[SIM_FUND_CREATED_AT].i + 1000000;
        sim_gen_add(g, f);
    }
    for (int i = 0; i < 3; i++) {
        struct sim_rec *s = sim_rec_new(g->org, SIM_T_SOURCE, sim_gen_next_id(g, SIM_T_SOURCE));

        s->text_id = i == 0 ? "planning_center" : NULL;
        s->vals[SIM_SOURCE_NAME].s = sources[i];
        s->vals[SIM_SOURCE_TYPE].s = i == 2 ? "donor_advised_fund" : "direct_from_donor";
        s->vals[SIM_SOURCE_CREATED_AT].i = sim_days_from_civil(2015, 1, 1) * 86400;
        s->vals[SIM_SOURCE_UPDATED_AT].i = s->vals[SIM_SOURCE_CREATED_AT].i;
        sim_gen_add(g, s);
    }
}

void sim_batch_refresh(struct sim_org *org, struct sim_rec *batch)
{
    const struct sim_vec *list = &batch->backs[SIM_B_BATCH_DONATIONS];
    int64_t total = 0;

    for (uint32_t i = 0; i < list->n; i++) {
        total += list->v[i]->vals[SIM_DONATION_AMOUNT_CENTS].i;
    }
    batch->vals[SIM_BATCH_TOTAL_CENTS].i = total;
    batch->vals[SIM_BATCH_DONATIONS_COUNT].i = list->n;
    sim_rec_touched(org, batch);
}

static void gen_batch(struct sim_gen *g, int64_t i)
{
    struct sim_rec *b = sim_rec_new(g->org, SIM_T_BATCH, sim_gen_next_id(g, SIM_T_BATCH));
    union sim_val *v = b->vals;
    bool committed = sim_rng_chance(&g->rng, 0.8);

    v[SIM_BATCH_DESCRIPTION].s =
        sim_rng_chance(&g->rng, 0.9) ? sim_arena_fmt(&g->org->arena, "Sunday %d", (int)i) : NULL;
    v[SIM_BATCH_CREATED_AT].i =
        sim_days_from_civil(2019, 1, 1) * 86400 + (int64_t)sim_rng_below(&g->rng, 180000000);
    v[SIM_BATCH_COMMITTED_AT].i = committed ? v[SIM_BATCH_CREATED_AT].i + 86400 : SIM_NULL_INT;
    v[SIM_BATCH_UPDATED_AT].i = v[SIM_BATCH_CREATED_AT].i + 86400;
    v[SIM_BATCH_STATUS].s = committed ? "committed" : "in_progress";
    v[SIM_BATCH_TOTAL_CURRENCY].s = "USD";
    v[SIM_BATCH_TOTAL_CENTS].i = 0;
    v[SIM_BATCH_DONATIONS_COUNT].i = 0;
    sim_rec_set_ref(g->org, b, SIM_R_BATCH_OWNER, sim_gen_any(g, SIM_T_PERSON));
    sim_gen_add(g, b);
}

static void donation_payment(struct sim_gen *g, struct sim_rec *d)
{
    static const char *const methods[] = {"cash", "check", "card", "ach"};
    union sim_val *v = d->vals;
    const char *method = sim_gen_pick(g, methods, SIM_COUNT(methods));

    v[SIM_DONATION_METHOD].s = method;
    v[SIM_DONATION_FEE_CENTS].i = 0;
    if (!strcmp(method, "check")) {
        v[SIM_DONATION_CHECK_NUMBER].i = sim_rng_range(&g->rng, 100, 9999);
        v[SIM_DONATION_CHECK_DATED].s = "2024-03-17";
    } else if (!strcmp(method, "card")) {
        v[SIM_DONATION_METHOD_SUB].s = sim_rng_chance(&g->rng, 0.5) ? "credit" : "debit";
        v[SIM_DONATION_LAST4].s =
            sim_arena_fmt(&g->org->arena, "%04d", (int)sim_rng_below(&g->rng, 10000));
        v[SIM_DONATION_BRAND].s = "Visa";
        v[SIM_DONATION_FEE_CENTS].i = -(int64_t)sim_rng_below(&g->rng, 300);
    } else if (!strcmp(method, "ach")) {
        v[SIM_DONATION_LAST4].s = "0042";
        v[SIM_DONATION_BRAND].s = sim_rng_chance(&g->rng, 0.5) ? "Cr\303\251dit Union" : NULL;
        v[SIM_DONATION_FEE_CENTS].i = -25;
    }
    v[SIM_DONATION_AMOUNT_CURRENCY].s = "USD";
    v[SIM_DONATION_FEE_CURRENCY].s = "USD";
    v[SIM_DONATION_FEE_COVERED].i = sim_rng_chance(&g->rng, 0.2);
}

static void gen_designations(struct sim_gen *g, struct sim_rec *d)
{
    int64_t total = 0, n = 1 + (int64_t)sim_rng_below(&g->rng, 10) / 7;

    n += sim_rng_chance(&g->rng, 0.05);
    for (int64_t i = 0; i < n; i++) {
        struct sim_rec *x = sim_rec_new(g->org, SIM_T_DESIG, sim_gen_next_id(g, SIM_T_DESIG));

        x->vals[SIM_DESIG_AMOUNT_CENTS].i = sim_rng_range(&g->rng, 100, 100000);
        x->vals[SIM_DESIG_AMOUNT_CURRENCY].s = "USD";
        x->vals[SIM_DESIG_FEE_CENTS].i = i == 0 ? d->vals[SIM_DONATION_FEE_CENTS].i : 0;
        total += x->vals[SIM_DESIG_AMOUNT_CENTS].i;
        sim_rec_set_ref(g->org, x, SIM_R_DESIG_DONATION, d);
        sim_rec_set_ref(g->org, x, SIM_R_DESIG_FUND, sim_gen_any(g, SIM_T_FUND));
        sim_gen_add(g, x);
    }
    d->vals[SIM_DONATION_AMOUNT_CENTS].i = total;
}

static void gen_refund(struct sim_gen *g, struct sim_rec *d)
{
    struct sim_rec *r = sim_rec_new(g->org, SIM_T_REFUND, sim_gen_next_id(g, SIM_T_REFUND));
    union sim_val *v = r->vals;

    v[SIM_REFUND_AMOUNT_CENTS] = d->vals[SIM_DONATION_AMOUNT_CENTS];
    v[SIM_REFUND_AMOUNT_CURRENCY].s = v[SIM_REFUND_FEE_CURRENCY].s = "USD";
    v[SIM_REFUND_FEE_CENTS].i = 0;
    v[SIM_REFUND_CREATED_AT] = d->vals[SIM_DONATION_UPDATED_AT];
    v[SIM_REFUND_UPDATED_AT] = v[SIM_REFUND_CREATED_AT];
    v[SIM_REFUND_REFUNDED_AT] = v[SIM_REFUND_CREATED_AT];
    sim_rec_set_ref(g->org, r, SIM_R_REFUND_DONATION, d);
    sim_gen_add(g, r);
}

struct sim_rec *sim_gen_donation(struct sim_gen *g, struct sim_rec *batch, struct sim_rec *person,
                                 int64_t created)
{
    struct sim_rec *d = sim_rec_new(g->org, SIM_T_DONATION, sim_gen_next_id(g, SIM_T_DONATION));
    union sim_val *v = d->vals;
    bool pending = batch && !strcmp(batch->vals[SIM_BATCH_STATUS].s, "in_progress");

    donation_payment(g, d);
    v[SIM_DONATION_CREATED_AT].i = created;
    v[SIM_DONATION_RECEIVED_AT].i = created - (int64_t)sim_rng_below(&g->rng, 400000);
    v[SIM_DONATION_UPDATED_AT].i =
        g->live ? created : created + (int64_t)sim_rng_below(&g->rng, 3000000);
    v[SIM_DONATION_COMPLETED_AT].i = pending ? SIM_NULL_INT : created + 60;
    v[SIM_DONATION_STATUS].s = pending                              ? "pending"
                               : sim_rng_chance(&g->rng, 0.02) ? "failed"
                                                                    : "succeeded";
    v[SIM_DONATION_REFUNDED].i = !pending && sim_rng_chance(&g->rng, 0.02);
    v[SIM_DONATION_REFUNDABLE].i = !pending && !v[SIM_DONATION_REFUNDED].i;
    sim_rec_set_ref(g->org, d, SIM_R_DONATION_BATCH, batch);
    sim_rec_set_ref(g->org, d, SIM_R_DONATION_PERSON, person);
    if (sim_rng_chance(&g->rng, 0.5)) {
        sim_rec_set_ref(g->org, d, SIM_R_DONATION_CAMPUS, sim_gen_any(g, SIM_T_CAMPUS));
    }
    sim_rec_set_ref(g->org, d, SIM_R_DONATION_SOURCE, sim_gen_any(g, SIM_T_SOURCE));
    sim_gen_add(g, d);
    gen_designations(g, d);
    if (v[SIM_DONATION_REFUNDED].i) {
        gen_refund(g, d);
    }
    return d;
}

void sim_gen_giving(struct sim_gen *g)
{
    int64_t people = g->org->cfg.people, batches = people / 100 + 1;
    const struct sim_vec *list = &g->org->stores[SIM_T_BATCH].by_id;

    gen_funds(g);
    for (int64_t i = 0; i < batches; i++) {
        gen_batch(g, i);
    }
    for (int64_t i = 0; i < people / 2; i++) {
        struct sim_rec *batch = sim_rng_chance(&g->rng, 0.2) ? NULL : sim_gen_any(g, SIM_T_BATCH);
        struct sim_rec *person =
            sim_rng_chance(&g->rng, 0.07) ? NULL : sim_gen_any(g, SIM_T_PERSON);
        int64_t created =
            sim_days_from_civil(2019, 1, 1) * 86400 + (int64_t)sim_rng_below(&g->rng, 200000000);

        (void)sim_gen_donation(g, batch, person, created);
    }
    for (uint32_t i = 0; i < list->n; i++) {
        sim_batch_refresh(g->org, list->v[i]);
    }
}

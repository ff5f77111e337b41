/* SPDX-License-Identifier: Apache-2.0 */
#include "gen.h"

#include "names.h"

#include <string.h>

#define T_FIRST (sim_days_from_civil(2012, 1, 1) * 86400)

void sim_gen_add(struct sim_gen *g, struct sim_rec *rec)
{
    if (g->live) {
        sim_rec_insert(g->org, rec);
    } else {
        sim_rec_append(g->org, rec);
    }
}

bool sim_gen_ugly(struct sim_gen *g, double p)
{
    return sim_rng_chance(&g->rng, p * g->org->cfg.ugly);
}

const char *sim_gen_pick(struct sim_gen *g, const char *const *list, size_t n)
{
    return list[sim_rng_below(&g->rng, n)];
}

struct sim_rec *sim_gen_any(struct sim_gen *g, enum sim_type type)
{
    const struct sim_vec *vec = &g->org->stores[type].by_id;

    return vec->n ? vec->v[sim_rng_below(&g->rng, vec->n)] : NULL;
}

int64_t sim_gen_next_id(struct sim_gen *g, enum sim_type type)
{
    struct sim_store *st = &g->org->stores[type];

    if (st->next_id == 0) {
        st->next_id = 1;
    } else if (!g->live && sim_rng_chance(&g->rng, 0.1)) {
        st->next_id += 1 + (int64_t)sim_rng_below(&g->rng, 3);
    }
    return st->next_id;
}

static void gen_values(struct sim_gen *g, enum sim_type type, const char *const *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sim_rec *rec = sim_rec_new(g->org, type, sim_gen_next_id(g, type));

        rec->vals[0].s = values[i];
        sim_gen_add(g, rec);
    }
}

static void gen_campus(struct sim_gen *g, int i)
{
    static const char *const names[] = {"Main Campus", "North Campus", "Capilla San Jos\303\251",
                                        "Online \360\237\214\220", "O'Fallon"};
    struct sim_rec *r = sim_rec_new(g->org, SIM_T_CAMPUS, sim_gen_next_id(g, SIM_T_CAMPUS));
    union sim_val *v = r->vals;
    struct sim_arena *a = &g->org->arena;
    const struct sim_city *city = &sim_cities[sim_rng_below(&g->rng, sim_cities_count)];

    v[SIM_CAMPUS_NAME].s = names[i];
    v[SIM_CAMPUS_AVATAR_URL].s = i == 0 ? "https://avatars.example.org/campus.png" : NULL;
    v[SIM_CAMPUS_CHURCH_CENTER].i = i != 3;
    v[SIM_CAMPUS_CREATED_AT].i = T_FIRST + i * 86400;
    v[SIM_CAMPUS_UPDATED_AT].i = T_FIRST + i * 86400 + 40000000;
    v[SIM_CAMPUS_GEO_MANUAL].i = i == 1;
    v[SIM_CAMPUS_24H].i = i == 2;
    v[SIM_CAMPUS_TIME_ZONE].s = i == 2 ? NULL : "America/Los_Angeles";
    v[SIM_CAMPUS_TIME_ZONE_RAW].s = v[SIM_CAMPUS_TIME_ZONE].s;
    if (i == 0 || (i != 3 && !sim_gen_ugly(g, 0.5))) {
        v[SIM_CAMPUS_STREET].s =
            sim_arena_fmt(a, "%d %s", (int)sim_rng_range(&g->rng, 1, 9999),
                          sim_gen_pick(g, sim_names_street, sim_names_street_count));
        v[SIM_CAMPUS_CITY].s = city->city;
        v[SIM_CAMPUS_STATE].s = city->state;
        v[SIM_CAMPUS_ZIP].s = city->zip;
        v[SIM_CAMPUS_COUNTRY].s = "US";
        v[SIM_CAMPUS_DESCRIPTION].s = i == 0 ? "Where it began.\nSecond line \"quoted\"." : "";
        v[SIM_CAMPUS_LATITUDE].f = 33.125 + i * 0.0625;
        v[SIM_CAMPUS_LONGITUDE].f = -117.25 - i * 0.1;
        v[SIM_CAMPUS_PHONE].s = "(760) 555-0100";
        v[SIM_CAMPUS_WEBSITE].s = "https://church.example.org";
        v[SIM_CAMPUS_CONTACT_EMAIL].s =
            sim_arena_fmt(a, "office%d%s@example.org", i, g->org->cfg.mark);
        v[SIM_CAMPUS_DATE_FORMAT].i = i;
    }
    sim_gen_add(g, r);
}

void sim_gen_references(struct sim_gen *g)
{
    static const char *const marital[] = {"Single",   "Married",  "Widowed",
                                          "Divorced", "Separated", "It's complicated"};
    static const char *const reasons[] = {"Moved", "Deceased", "No Contact",
                                          "Attends another church", "Left \342\200\223 unknown"};
    static const char *const prefixes[] = {"Mr.", "Mrs.", "Ms.", "Miss",
                                           "Dr.", "Rev.", "Se\303\261or"};
    static const char *const suffixes[] = {"Jr.", "Sr.", "Ph.D.", "II", "III"};
    int campuses = 3 + (int)sim_rng_below(&g->rng, 3);

    gen_values(g, SIM_T_MARITAL, marital, SIM_COUNT(marital));
    gen_values(g, SIM_T_REASON, reasons, SIM_COUNT(reasons));
    gen_values(g, SIM_T_PREFIX, prefixes, SIM_COUNT(prefixes));
    gen_values(g, SIM_T_SUFFIX, suffixes, SIM_COUNT(suffixes));
    for (int i = 0; i < campuses; i++) {
        gen_campus(g, i);
    }
}

struct field_row {
    const char *name;
    const char *slug;
    const char *type;
    int tab;
    bool deleted;
    const char *const *options;
};

/* Two definitions share a slug in different tabs; one is deleted and still has values. */
static const char *const sizes[] = {"S", "M", "L", "XL", "\303\234ber", NULL};
static const char *const gifts[] = {"Music", "Teaching", "Caf\303\251 & Bistro", "Kids' Ministry",
                                    "Tech, AV", NULL};
static const char *const yes_no[] = {"Yes", "No", NULL};
static const struct field_row field_rows[] = {
    {"Baptism Date", "baptism_date", "date", 0, false, NULL},
    {"Baptised", "baptised", "boolean", 0, false, NULL},
    {"Testimony", "testimony", "text", 0, false, NULL},
    {"Previous Church", "previous_church", "string", 0, false, NULL},
    {"Notes", "notes", "text", 0, false, NULL},
    {"T-Shirt Size", "t_shirt_size", "select", 1, false, sizes},
    {"Gifts", "gifts", "checkboxes", 1, false, gifts},
    {"Volunteer Since", "volunteer_since", "number", 1, false, NULL},
    {"Notes", "notes", "string", 1, false, NULL},
    {"Background Check Form", "background_check_form", "file", 1, false, NULL},
    {"Old Number", "old_number", "number", 2, true, NULL},
    {"Photo Release", "photo_release", "select", 2, false, yes_no},
    {"\303\211cole / \345\255\246\346\240\241", "ecole", "string", 2, false, NULL},
};

void sim_gen_fields(struct sim_gen *g)
{
    static const char *const tabs[][2] = {
        {"Faith", "faith"},
        {"Serving & Gifts", "serving_gifts"},
        {"Misc. \360\237\227\202", "misc"}};
    struct sim_rec *tab[3];

    for (int i = 0; i < 3; i++) {
        tab[i] = sim_rec_new(g->org, SIM_T_TAB, sim_gen_next_id(g, SIM_T_TAB));
        tab[i]->vals[SIM_TAB_NAME].s = tabs[i][0];
        tab[i]->vals[SIM_TAB_SLUG].s = tabs[i][1];
        tab[i]->vals[SIM_TAB_SEQUENCE].i = i;
        sim_gen_add(g, tab[i]);
    }
    for (size_t i = 0; i < SIM_COUNT(field_rows); i++) {
        const struct field_row *row = &field_rows[i];
        struct sim_rec *def = sim_rec_new(g->org, SIM_T_DEF, sim_gen_next_id(g, SIM_T_DEF));

        def->vals[SIM_DEF_NAME].s = row->name;
        def->vals[SIM_DEF_SLUG].s = row->slug;
        def->vals[SIM_DEF_DATA_TYPE].s = row->type;
        def->vals[SIM_DEF_SEQUENCE].i = (int64_t)i;
        def->vals[SIM_DEF_TAB_ID].i = tab[row->tab]->id;
        def->vals[SIM_DEF_DELETED_AT].i = row->deleted ? T_FIRST + 50000000 : SIM_NULL_INT;
        sim_rec_set_ref(g->org, def, SIM_R_DEF_TAB, tab[row->tab]);
        sim_gen_add(g, def);
        for (int o = 0; row->options && row->options[o]; o++) {
            struct sim_rec *option =
                sim_rec_new(g->org, SIM_T_OPTION, sim_gen_next_id(g, SIM_T_OPTION));

            option->vals[SIM_OPTION_VALUE].s = row->options[o];
            option->vals[SIM_OPTION_SEQUENCE].i = o;
            sim_rec_set_ref(g->org, option, SIM_R_OPTION_DEF, def);
            sim_gen_add(g, option);
        }
    }
}

void sim_org_ensure(struct sim_org *org)
{
    struct sim_gen g = {.org = org};

    if (org->ready) {
        return;
    }
    g.rng.state = sim_mix(org->cfg.seed, (uint64_t)org->number);
    g.last_created = T_FIRST + (int64_t)sim_rng_below(&g.rng, 86400);
    g.bulk_created = sim_days_from_civil(2018, 9, 3) * 86400 + 51725;
    g.bulk_updated = sim_days_from_civil(2024, 2, 29) * 86400 + 11045;
    sim_gen_references(&g);
    sim_gen_fields(&g);
    sim_gen_people(&g);
    sim_gen_groups(&g);
    sim_gen_giving(&g);
    sim_store_index(org);
    org->edit_rng.state = sim_mix(org->cfg.seed ^ 0xed17, (uint64_t)org->number);
    org->ready = true;
}

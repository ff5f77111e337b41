/* SPDX-License-Identifier: Apache-2.0 */
#include "gen.h"

#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T_LAST (sim_days_from_civil(2025, 6, 30) * 86400)

enum { FAMILY_MAX = 6 };

struct sim_family sim_gen_family(struct sim_gen *g)
{
    struct sim_family f = {0};
    struct sim_arena *a = &g->org->arena;

    f.last_name = sim_gen_ugly(g, 0.06)
                      ? sim_gen_pick(g, sim_names_ugly_last, sim_names_ugly_last_count)
                      : sim_gen_pick(g, sim_names_last, sim_names_last_count);
    if (sim_gen_ugly(g, 0.45)) {
        f.email = sim_arena_fmt(a, "family%d%s@example.net",
                                (int)sim_rng_below(&g->rng, 100000000), g->org->cfg.mark);
    }
    if (sim_rng_chance(&g->rng, 0.2)) {
        f.area = (int)sim_rng_range(&g->rng, 201, 989);
        f.line = (int)sim_rng_below(&g->rng, 10000);
    }
    f.street = sim_arena_fmt(a, "%d %s", (int)sim_rng_range(&g->rng, 1, 99999),
                             sim_gen_pick(g, sim_names_street, sim_names_street_count));
    f.city = &sim_cities[sim_rng_below(&g->rng, sim_cities_count)];
    f.campus_slot = (int64_t)sim_rng_below(&g->rng, 6);
    return f;
}

void sim_person_set_name(struct sim_org *org, struct sim_rec *person)
{
    const union sim_val *v = person->vals;
    const char *first = v[SIM_PERSON_FIRST_NAME].s ? v[SIM_PERSON_FIRST_NAME].s : "";
    const char *last = v[SIM_PERSON_LAST_NAME].s ? v[SIM_PERSON_LAST_NAME].s : "";
    const struct sim_rec *suffix = person->refs[SIM_R_PERSON_SUFFIX];

    person->vals[SIM_PERSON_NAME].s =
        sim_arena_fmt(&org->arena, "%s%s%s%s%s", first, *first && *last ? " " : "", last,
                      suffix ? ", " : "", suffix ? suffix->vals[0].s : "");
}

static void person_names(struct sim_gen *g, struct sim_rec *p, const struct sim_family *f)
{
    union sim_val *v = p->vals;
    struct sim_arena *a = &g->org->arena;
    bool female = sim_rng_chance(&g->rng, 0.52);

    v[SIM_PERSON_FIRST_NAME].s =
        sim_gen_ugly(g, 0.05)
            ? sim_gen_pick(g, sim_names_ugly_first, sim_names_ugly_first_count)
        : female ? sim_gen_pick(g, sim_names_female, sim_names_female_count)
                 : sim_gen_pick(g, sim_names_male, sim_names_male_count);
    v[SIM_PERSON_LAST_NAME].s = f->last_name;
    v[SIM_PERSON_GENDER].s = sim_gen_ugly(g, 0.12) ? NULL : female ? "Female" : "Male";
    if (sim_rng_chance(&g->rng, 0.25)) {
        v[SIM_PERSON_MIDDLE_NAME].s = sim_gen_pick(g, sim_names_male, sim_names_male_count);
    }
    if (sim_rng_chance(&g->rng, 0.1)) {
        v[SIM_PERSON_GIVEN_NAME].s = sim_gen_pick(g, sim_names_male, sim_names_male_count);
    }
    if (*g->org->cfg.mark && sim_rng_chance(&g->rng, 0.6)) {
        v[SIM_PERSON_NICKNAME].s = sim_arena_fmt(a, "Nick%s", g->org->cfg.mark);
    } else if (sim_rng_chance(&g->rng, 0.1)) {
        v[SIM_PERSON_NICKNAME].s = sim_gen_pick(g, sim_names_female, sim_names_female_count);
    }
    if (sim_gen_ugly(g, 0.02)) {
        v[sim_rng_chance(&g->rng, 0.5) ? SIM_PERSON_FIRST_NAME : SIM_PERSON_LAST_NAME].s =
            sim_rng_chance(&g->rng, 0.5) ? NULL : "";
    }
    if (sim_rng_chance(&g->rng, 0.15)) {
        sim_rec_set_ref(g->org, p, SIM_R_PERSON_PREFIX, sim_gen_any(g, SIM_T_PREFIX));
    }
    if (sim_rng_chance(&g->rng, 0.03)) {
        sim_rec_set_ref(g->org, p, SIM_R_PERSON_SUFFIX, sim_gen_any(g, SIM_T_SUFFIX));
    }
    sim_person_set_name(g->org, p);
}

static const char *random_date(struct sim_gen *g, int from_year, int to_year)
{
    char date[24];
    int64_t from = sim_days_from_civil(from_year, 1, 1), to = sim_days_from_civil(to_year, 12, 31);

    sim_format_date(sim_rng_range(&g->rng, from, to) * 86400, date);
    return sim_arena_str(&g->org->arena, date);
}

static void person_life(struct sim_gen *g, struct sim_rec *p)
{
    static const char *const membership[] = {"Member", "Regular Attender", "Visitor",
                                             "Participant", "In Progress", "Former \"Member\""};
    union sim_val *v = p->vals;
    bool child = sim_rng_chance(&g->rng, 0.25);

    v[SIM_PERSON_CHILD].i = child;
    if (!sim_gen_ugly(g, 0.35)) {
        v[SIM_PERSON_BIRTHDATE].s =
            child ? random_date(g, 2008, 2024) : random_date(g, 1930, 2006);
        if (sim_gen_ugly(g, 0.02)) {
            v[SIM_PERSON_BIRTHDATE].s = "1885-02-28"; /* what PCO stores without a year */
        }
    }
    if (!child && sim_rng_chance(&g->rng, 0.2)) {
        v[SIM_PERSON_ANNIVERSARY].s = random_date(g, 1960, 2024);
    }
    if (child && sim_rng_chance(&g->rng, 0.5)) {
        v[SIM_PERSON_GRADE].i = sim_rng_range(&g->rng, -1, 12);
        v[SIM_PERSON_GRADUATION_YEAR].i = 2038 - v[SIM_PERSON_GRADE].i;
        v[SIM_PERSON_SCHOOL_TYPE].s = v[SIM_PERSON_GRADE].i > 8 ? "high_school" : "elementary";
    }
    if (!child && sim_rng_chance(&g->rng, 0.7)) {
        sim_rec_set_ref(g->org, p, SIM_R_PERSON_MARITAL, sim_gen_any(g, SIM_T_MARITAL));
    }
    if (sim_rng_chance(&g->rng, 0.7)) {
        v[SIM_PERSON_MEMBERSHIP].s = sim_gen_pick(g, membership, SIM_COUNT(membership));
    }
    if (sim_rng_chance(&g->rng, *g->org->cfg.mark ? 0.5 : 0.04)) {
        v[SIM_PERSON_MEDICAL_NOTES].s =
            sim_arena_fmt(&g->org->arena, "Peanuts\nand \"bees\" %s", g->org->cfg.mark);
    }
    v[SIM_PERSON_BACKGROUND_CHECK].i = sim_rng_chance(&g->rng, 0.15);
    if (sim_rng_chance(&g->rng, 0.1)) {
        v[SIM_PERSON_REMOTE_ID].i = sim_rng_range(&g->rng, 1, 2000000000);
    }
}

static void person_account(struct sim_gen *g, struct sim_rec *p)
{
    union sim_val *v = p->vals;
    bool admin = p->id <= 3;

    v[SIM_PERSON_ACCOUNTING_ADMIN].i = admin;
    v[SIM_PERSON_SITE_ADMIN].i = admin;
    v[SIM_PERSON_PERMISSIONS].s = admin                               ? "Manager"
                                  : sim_rng_chance(&g->rng, 0.03) ? "Editor"
                                                                      : NULL;
    v[SIM_PERSON_CAN_CREATE_FORMS].i = admin;
    v[SIM_PERSON_CAN_EMAIL_LISTS].i = admin;
    v[SIM_PERSON_MFA_CONFIGURED].i = admin;
    v[SIM_PERSON_DIRECTORY_STATUS].s = "no_access";
    v[SIM_PERSON_RESOURCE_FLAGS].s = "{\"can_access_workflows\":false}";
    v[SIM_PERSON_DIRECTORY_INFO].s = "{}";
    if (sim_rng_chance(&g->rng, 0.2)) {
        v[SIM_PERSON_AVATAR].s =
            sim_arena_fmt(&g->org->arena, "https://avatars.planningcenteronline.com/uploads/person/"
                                          "%d-%d/avatar.1.jpg", (int)p->id, (int)p->id * 7);
    } else {
        v[SIM_PERSON_AVATAR].s = "https://avatars.planningcenteronline.com/initials/AB.png";
    }
    v[SIM_PERSON_DEMOGRAPHIC_AVATAR].s = v[SIM_PERSON_AVATAR].s;
    if (!admin && sim_rng_chance(&g->rng, 0.19)) {
        v[SIM_PERSON_STATUS].s = "inactive";
        v[SIM_PERSON_INACTIVATED_AT].i =
            sim_rng_range(&g->rng, v[SIM_PERSON_CREATED_AT].i, v[SIM_PERSON_UPDATED_AT].i);
        if (!sim_gen_ugly(g, 0.2)) {
            sim_rec_set_ref(g->org, p, SIM_R_PERSON_REASON, sim_gen_any(g, SIM_T_REASON));
        }
    } else {
        v[SIM_PERSON_STATUS].s = "active";
    }
}

struct sim_rec *sim_gen_person(struct sim_gen *g, struct sim_family *family, int64_t created,
                               int64_t updated)
{
    struct sim_rec *p = sim_rec_new(g->org, SIM_T_PERSON, sim_gen_next_id(g, SIM_T_PERSON));
    const struct sim_vec *campuses = &g->org->stores[SIM_T_CAMPUS].by_id;

    p->vals[SIM_PERSON_CREATED_AT].i = created;
    p->vals[SIM_PERSON_UPDATED_AT].i = updated;
    person_names(g, p, family);
    person_life(g, p);
    person_account(g, p);
    if (family->campus_slot < campuses->n) {
        sim_rec_set_ref(g->org, p, SIM_R_PERSON_CAMPUS, campuses->v[family->campus_slot]);
    }
    sim_gen_add(g, p);
    return p;
}

static void contact_times(struct sim_gen *g, const struct sim_rec *person, int64_t *ret_created,
                          int64_t *ret_updated)
{
    int64_t created = person->vals[SIM_PERSON_CREATED_AT].i;
    int64_t updated = person->vals[SIM_PERSON_UPDATED_AT].i;

    if (g->live) {
        *ret_created = *ret_updated = sim_wall_s();
    } else if (sim_rng_chance(&g->rng, 0.7)) {
        *ret_created = created;
        *ret_updated = sim_rng_chance(&g->rng, 0.6) ? created
                                                    : sim_rng_range(&g->rng, created, updated);
    } else {
        *ret_created = sim_rng_range(&g->rng, created, updated);
        *ret_updated = sim_rng_range(&g->rng, *ret_created, updated);
    }
}

static void ascii_word(const char *from, char *to, size_t size)
{
    char folded[128];
    size_t n = 0;

    sim_fold(from ? from : "", folded, sizeof folded);
    for (const char *p = folded; *p && n + 1 < size; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')) {
            to[n++] = *p;
        }
    }
    to[n] = '\0';
}

void sim_gen_email(struct sim_gen *g, struct sim_rec *person, const struct sim_family *family,
                   bool primary)
{
    static const char *const places[] = {"Home", "Home", "Work", "Other", "", NULL};
    struct sim_rec *e = sim_rec_new(g->org, SIM_T_EMAIL, sim_gen_next_id(g, SIM_T_EMAIL));
    union sim_val *v = e->vals;
    char first[40], last[40];

    ascii_word(person->vals[SIM_PERSON_FIRST_NAME].s, first, sizeof first);
    ascii_word(person->vals[SIM_PERSON_LAST_NAME].s, last, sizeof last);
    if (family->email && primary && !sim_rng_chance(&g->rng, 0.1)) {
        v[SIM_EMAIL_ADDRESS].s = family->email;
    } else {
        v[SIM_EMAIL_ADDRESS].s = sim_arena_fmt(
            &g->org->arena, "%s.%s%s%d%s@%s", first, last, primary ? "" : "+", (int)e->id,
            g->org->cfg.mark, sim_gen_ugly(g, 0.05) ? "Example.ORG" : "example.org");
    }
    if (sim_gen_ugly(g, 0.01)) {
        v[SIM_EMAIL_ADDRESS].s = sim_rng_chance(&g->rng, 0.5) ? "none" : " spaces@example.com ";
    }
    v[SIM_EMAIL_BLOCKED].i = sim_rng_chance(&g->rng, 0.01);
    v[SIM_EMAIL_LOCATION].s = sim_gen_pick(g, places, SIM_COUNT(places));
    v[SIM_EMAIL_PRIMARY].i = primary;
    contact_times(g, person, &v[SIM_EMAIL_CREATED_AT].i, &v[SIM_EMAIL_UPDATED_AT].i);
    sim_rec_set_ref(g->org, e, SIM_R_CONTACT_PERSON, person);
    sim_gen_add(g, e);
}

void sim_gen_phone(struct sim_gen *g, struct sim_rec *person, const struct sim_family *family,
                   bool primary)
{
    static const char *const places[] = {"Mobile", "Mobile", "Home", "Work", "Other"};
    struct sim_rec *p = sim_rec_new(g->org, SIM_T_PHONE, sim_gen_next_id(g, SIM_T_PHONE));
    union sim_val *v = p->vals;
    struct sim_arena *a = &g->org->arena;
    int area = (int)sim_rng_range(&g->rng, 201, 989), line = (int)sim_rng_below(&g->rng, 10000);

    if (family->area && sim_rng_chance(&g->rng, 0.5)) {
        area = family->area;
        line = family->line;
    }
    contact_times(g, person, &v[SIM_PHONE_CREATED_AT].i, &v[SIM_PHONE_UPDATED_AT].i);
    v[SIM_PHONE_LOCATION].s = sim_gen_pick(g, places, SIM_COUNT(places));
    v[SIM_PHONE_PRIMARY].i = primary;
    v[SIM_PHONE_COUNTRY_CODE].s = "US";
    sim_rec_set_ref(g->org, p, SIM_R_CONTACT_PERSON, person);
    if (sim_gen_ugly(g, 0.03)) {
        static const char *const odd[] = {"ask his wife", "555-0199 x 12", "", "+44 20 7946 0018"};

        v[SIM_PHONE_NUMBER].s = sim_gen_pick(g, odd, SIM_COUNT(odd));
        v[SIM_PHONE_COUNTRY_CODE].s = NULL;
    } else {
        v[SIM_PHONE_NUMBER].s = sim_arena_fmt(
            a, sim_rng_chance(&g->rng, 0.7) ? "(%03d) 555-%04d" : "%03d.555.%04d", area, line);
        v[SIM_PHONE_E164].s = sim_arena_fmt(a, "+1%03d555%04d", area, line);
        v[SIM_PHONE_INTERNATIONAL].s = sim_arena_fmt(a, "+1 %03d-555-%04d", area, line);
        v[SIM_PHONE_NATIONAL].s = sim_arena_fmt(a, "(%03d) 555-%04d", area, line);
        v[SIM_PHONE_CARRIER].s = sim_rng_chance(&g->rng, 0.1) ? "Verizon" : NULL;
    }
    v[SIM_PHONE_FORMATTED].s = v[SIM_PHONE_NUMBER].s;
    sim_gen_add(g, p);
}

void sim_gen_address(struct sim_gen *g, struct sim_rec *person, const struct sim_family *family,
                     bool primary)
{
    struct sim_rec *r = sim_rec_new(g->org, SIM_T_ADDRESS, sim_gen_next_id(g, SIM_T_ADDRESS));
    union sim_val *v = r->vals;

    contact_times(g, person, &v[SIM_ADDRESS_CREATED_AT].i, &v[SIM_ADDRESS_UPDATED_AT].i);
    v[SIM_ADDRESS_STREET_1].s = family->street;
    if (*g->org->cfg.mark || sim_rng_chance(&g->rng, 0.1)) {
        v[SIM_ADDRESS_STREET_2].s =
            sim_arena_fmt(&g->org->arena, "Apt %d%s", (int)sim_rng_range(&g->rng, 1, 99),
                          g->org->cfg.mark);
    }
    v[SIM_ADDRESS_CITY].s = family->city->city;
    v[SIM_ADDRESS_STATE].s = family->city->state;
    v[SIM_ADDRESS_ZIP].s = sim_gen_ugly(g, 0.05) ? NULL : family->city->zip;
    v[SIM_ADDRESS_COUNTRY_CODE].s = sim_gen_ugly(g, 0.05) ? NULL : "US";
    v[SIM_ADDRESS_COUNTRY_NAME].s = v[SIM_ADDRESS_COUNTRY_CODE].s ? "United States" : NULL;
    v[SIM_ADDRESS_LOCATION].s = sim_rng_chance(&g->rng, 0.9) ? "Home" : NULL;
    v[SIM_ADDRESS_PRIMARY].i = primary;
    sim_rec_set_ref(g->org, r, SIM_R_CONTACT_PERSON, person);
    sim_gen_add(g, r);
}

static const char *datum_value(struct sim_gen *g, const char *type)
{
    struct sim_arena *a = &g->org->arena;

    if (!strcmp(type, "date")) {
        return sim_gen_ugly(g, 0.04) ? "sometime in June" : random_date(g, 1970, 2024);
    }
    if (!strcmp(type, "number")) {
        static const char *const odd[] = {"about 7", "1e400", "9007199254740993", "-0", " 5 "};

        return sim_gen_ugly(g, 0.1) ? sim_gen_pick(g, odd, SIM_COUNT(odd))
               : sim_rng_chance(&g->rng, 0.2)
                   ? sim_arena_fmt(a, "%d.5", (int)sim_rng_below(&g->rng, 100))
                   : sim_arena_fmt(a, "%d", (int)sim_rng_range(&g->rng, -5, 2025));
    }
    if (!strcmp(type, "boolean")) {
        return sim_gen_ugly(g, 0.03) ? "maybe" : sim_rng_chance(&g->rng, 0.5) ? "true" : "false";
    }
    if (!strcmp(type, "text")) {
        return sim_arena_fmt(a, "Line one \360\237\231\217\nline \"two\" %s\tend %d",
                             g->org->cfg.mark, (int)sim_rng_below(&g->rng, 1000));
    }
    return sim_arena_fmt(a, "%s %s%s", sim_gen_pick(g, sim_names_last, sim_names_last_count),
                         sim_gen_pick(g, sim_names_ugly_last, sim_names_ugly_last_count),
                         g->org->cfg.mark);
}

static void add_datum(struct sim_gen *g, struct sim_rec *person, struct sim_rec *definition,
                      struct sim_rec *option)
{
    struct sim_rec *d = sim_rec_new(g->org, SIM_T_DATUM, sim_gen_next_id(g, SIM_T_DATUM));
    union sim_val *v = d->vals;
    const char *type = definition->vals[SIM_DEF_DATA_TYPE].s;

    contact_times(g, person, &v[SIM_DATUM_CREATED_AT].i, &v[SIM_DATUM_UPDATED_AT].i);
    if (option) {
        v[SIM_DATUM_VALUE].s = option->vals[SIM_OPTION_VALUE].s;
    } else if (!strcmp(type, "file")) {
        v[SIM_DATUM_FILE].s = "{\"url\":\"https://people.planningcenteronline.com/f/1\"}";
        v[SIM_DATUM_FILE_NAME].s = "form.pdf";
        v[SIM_DATUM_FILE_CONTENT_TYPE].s = "application/pdf";
        v[SIM_DATUM_FILE_SIZE].i = 1000 + d->id;
        v[SIM_DATUM_VALUE].s = "https://people.planningcenteronline.com/f/1";
    } else {
        v[SIM_DATUM_VALUE].s = datum_value(g, type);
    }
    sim_rec_set_ref(g->org, d, SIM_R_DATUM_DEF, definition);
    sim_rec_set_ref(g->org, d, SIM_R_DATUM_PERSON, person);
    sim_rec_set_ref(g->org, d, SIM_R_DATUM_OPTION, option);
    sim_gen_add(g, d);
}

void sim_gen_datum(struct sim_gen *g, struct sim_rec *person, struct sim_rec *definition)
{
    const struct sim_vec *options = &definition->backs[SIM_B_DEF_OPTIONS];

    if (!options->n) {
        add_datum(g, person, definition, NULL);
    } else if (!strcmp(definition->vals[SIM_DEF_DATA_TYPE].s, "checkboxes")) {
        for (uint32_t i = 0; i < options->n; i++) {
            if (sim_rng_chance(&g->rng, 0.45)) {
                add_datum(g, person, definition, options->v[i]);
            }
        }
    } else {
        add_datum(g, person, definition, options->v[sim_rng_below(&g->rng, options->n)]);
    }
}

/* How many of a kind of contact somebody has: the mean is as asked, the first one is primary. */
static int contact_count(struct sim_gen *g, double share)
{
    double mean = share * g->org->cfg.contacts;
    double second = mean * 0.15;

    return (int)sim_rng_chance(&g->rng, mean - second) + (int)sim_rng_chance(&g->rng, second);
}

static void person_contacts(struct sim_gen *g, struct sim_rec *p, const struct sim_family *f)
{
    const struct sim_vec *defs = &g->org->stores[SIM_T_DEF].by_id;
    int emails = contact_count(g, 0.42), phones = contact_count(g, 0.34);
    int addresses = contact_count(g, 0.24);

    for (int i = 0; i < emails; i++) {
        sim_gen_email(g, p, f, i == 0);
    }
    for (int i = 0; i < phones; i++) {
        sim_gen_phone(g, p, f, i == 0);
    }
    for (int i = 0; i < addresses; i++) {
        sim_gen_address(g, p, f, i == 0);
    }
    if (sim_rng_chance(&g->rng, 0.35)) {
        for (uint32_t i = 0; i < defs->n; i++) {
            if (sim_rng_chance(&g->rng, 0.25)) {
                sim_gen_datum(g, p, defs->v[i]);
            }
        }
    }
}

/* A block of three tenths of the ids was imported in one second; many were updated in another. */
static void person_times(struct sim_gen *g, int64_t i, int64_t n, int64_t *ret_created,
                         int64_t *ret_updated)
{
    int64_t step = (T_LAST - g->last_created) / (n - i + 1);

    if (i >= n / 5 && i < n / 5 + n * 3 / 10) {
        *ret_created = g->bulk_created;
    } else {
        g->last_created += sim_rng_range(&g->rng, 0, step * 2);
        if (g->last_created > T_LAST) {
            g->last_created = T_LAST;
        }
        *ret_created = sim_rng_chance(&g->rng, 0.08)
                           ? sim_rng_range(&g->rng, T_LAST - 400000000, T_LAST)
                           : g->last_created;
    }
    if (*ret_created < g->bulk_updated && sim_rng_chance(&g->rng, 0.2)) {
        *ret_updated = g->bulk_updated;
    } else {
        *ret_updated = sim_rng_chance(&g->rng, 0.2)
                           ? *ret_created
                           : sim_rng_range(&g->rng, *ret_created, T_LAST);
    }
}

/* Somebody who is in there twice: same name and birth date, maybe the same e-mail. */
static void duplicate(struct sim_gen *g, struct sim_rec *p, struct sim_family *f)
{
    const struct sim_rec *old = sim_gen_any(g, SIM_T_PERSON);

    p->vals[SIM_PERSON_FIRST_NAME] = old->vals[SIM_PERSON_FIRST_NAME];
    p->vals[SIM_PERSON_LAST_NAME] = old->vals[SIM_PERSON_LAST_NAME];
    p->vals[SIM_PERSON_GENDER] = old->vals[SIM_PERSON_GENDER];
    if (sim_rng_chance(&g->rng, 0.6)) {
        p->vals[SIM_PERSON_BIRTHDATE] = old->vals[SIM_PERSON_BIRTHDATE];
    }
    if (old->backs[SIM_B_PERSON_EMAILS].n && sim_rng_chance(&g->rng, 0.6)) {
        f->email = old->backs[SIM_B_PERSON_EMAILS].v[0]->vals[SIM_EMAIL_ADDRESS].s;
    }
    sim_person_set_name(g->org, p);
}

void sim_gen_people(struct sim_gen *g)
{
    int64_t n = g->org->cfg.people, made = 0;

    while (made < n) {
        struct sim_family f = sim_gen_family(g);
        struct sim_rec *members[FAMILY_MAX];
        size_t size = 1 + sim_rng_below(&g->rng, 4);

        if (sim_rng_chance(&g->rng, 0.1)) {
            size = 1 + sim_rng_below(&g->rng, FAMILY_MAX);
        }
        if ((int64_t)size > n - made) {
            size = (size_t)(n - made);
        }
        for (size_t i = 0; i < size; i++, made++) {
            struct sim_family own = f;
            int64_t created, updated;

            person_times(g, made, n, &created, &updated);
            members[i] = sim_gen_person(g, &own, created, updated);
            if (made > 10 && sim_gen_ugly(g, 0.02)) {
                duplicate(g, members[i], &own);
            }
            person_contacts(g, members[i], &own);
        }
        if (sim_rng_chance(&g->rng, 0.85)) {
            sim_gen_household(g, members, size);
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the types of the people product. */
#include "gen.h"
#include "write.h"

#include <stdlib.h>
#include <string.h>

/* --- Person --- */

static void person_defaults(struct sim_write *w)
{
    static const int no[] = {SIM_PERSON_ACCOUNTING_ADMIN, SIM_PERSON_SITE_ADMIN, SIM_PERSON_CHILD,
                             SIM_PERSON_CAN_CREATE_FORMS, SIM_PERSON_CAN_EMAIL_LISTS, SIM_PERSON_MFA_CONFIGURED,
                             SIM_PERSON_BACKGROUND_CHECK};
    union sim_val *v = w->vals;

    for (size_t i = 0; i < SIM_COUNT(no); i++) {
        v[no[i]].i = 0;
    }
    v[SIM_PERSON_STATUS].s = "active";
    v[SIM_PERSON_AVATAR].s = v[SIM_PERSON_DEMOGRAPHIC_AVATAR].s =
        "https://avatars.planningcenteronline.com/initials/AB.png";
    v[SIM_PERSON_DIRECTORY_STATUS].s = "no_access";
    v[SIM_PERSON_RESOURCE_FLAGS].s = "{\"can_access_workflows\":false}";
    v[SIM_PERSON_DIRECTORY_INFO].s = "{}";
}

/* A file that was uploaded becomes a picture's address; nothing else is one. */
static void person_avatar(struct sim_write *w)
{
    union sim_val *v = w->vals;
    const char *file = v[SIM_PERSON_AVATAR].s;

    if (!file || !*file) {
        v[SIM_PERSON_AVATAR].s = "https://avatars.planningcenteronline.com/initials/AB.png";
    } else if (!strncmp(file, "us", 2) && strchr(file, '-')) {
        v[SIM_PERSON_AVATAR].s = sim_arena_fmt(
            &w->c.org->arena, "https://avatars.planningcenteronline.com/uploads/person/%s/avatar.1.jpg", file);
    } else {
        sim_refuse(w, "avatar", "is invalid");
    }
    v[SIM_PERSON_DEMOGRAPHIC_AVATAR] = v[SIM_PERSON_AVATAR];
}

static void person_check(struct sim_write *w)
{
    static const char *const genders[] = {"Male", "Female", "", NULL};
    static const int flags[] = {SIM_PERSON_ACCOUNTING_ADMIN, SIM_PERSON_SITE_ADMIN, SIM_PERSON_CHILD};
    union sim_val *v = w->vals;
    const char *gender = v[SIM_PERSON_GENDER].s;

    if (gender && w->given[SIM_PERSON_GENDER] && (!strcmp(gender, "M") || !strcmp(gender, "F"))) {
        v[SIM_PERSON_GENDER].s = *gender == 'M' ? "Male" : "Female";
    }
    sim_require_one_of(w, SIM_PERSON_GENDER, genders);
    if (w->given[SIM_PERSON_GRADE] && v[SIM_PERSON_GRADE].i != SIM_NULL_INT &&
        (v[SIM_PERSON_GRADE].i < -1 || v[SIM_PERSON_GRADE].i > 12)) {
        sim_refuse(w, "grade", "is not included in the list");
    }
    for (size_t i = 0; i < SIM_COUNT(flags); i++) {
        v[flags[i]].i = v[flags[i]].i == 1;
    }
    if (w->given[SIM_PERSON_AVATAR]) {
        person_avatar(w);
    }
    if (w->given[SIM_PERSON_STATUS]) {
        bool inactive = v[SIM_PERSON_STATUS].s && !strcmp(v[SIM_PERSON_STATUS].s, "inactive");
        bool was = w->rec && !strcmp(w->rec->vals[SIM_PERSON_STATUS].s, "inactive");

        v[SIM_PERSON_STATUS].s = inactive ? "inactive" : "active";
        if (!w->given[SIM_PERSON_INACTIVATED_AT]) {
            v[SIM_PERSON_INACTIVATED_AT].i = !inactive ? SIM_NULL_INT
                                             : was     ? v[SIM_PERSON_INACTIVATED_AT].i
                                                       : w->c.now;
        }
    }
}

static void person_after(struct sim_write *w)
{
    sim_spread_name(&w->c, w->rec);
    sim_rec_touched(w->c.org, w->rec);
}

static void person_remove(struct sim_write *w)
{
    sim_remove_person(&w->c, w->rec);
}

static const struct sim_write_link person_links[] = {
    {"primary_campus", SIM_T_CAMPUS, SIM_R_PERSON_CAMPUS, 0},
    {"marital_status", SIM_T_MARITAL, SIM_R_PERSON_MARITAL, 0},
    {"inactive_reason", SIM_T_REASON, SIM_R_PERSON_REASON, 0},
    {"name_prefix", SIM_T_PREFIX, SIM_R_PERSON_PREFIX, 0},
    {"name_suffix", SIM_T_SUFFIX, SIM_R_PERSON_SUFFIX, 0},
};

/* --- Email, PhoneNumber, Address --- */

static int primary_of(enum sim_type type)
{
    return sim_attr_by_name(&sim_types[type], "primary");
}

static void contact_defaults(struct sim_write *w)
{
    w->vals[primary_of(w->how->type)].i = 0;
    if (w->how->type == SIM_T_EMAIL) {
        w->vals[SIM_EMAIL_BLOCKED].i = 0;
    }
}

static const struct {
    const char *code, *name;
} countries[] = {{"US", "United States"}, {"CA", "Canada"},  {"MX", "Mexico"},      {"GB", "United Kingdom"},
                 {"AU", "Australia"},     {"DE", "Germany"}, {"NZ", "New Zealand"}, {"FR", "France"}};

static void address_check(struct sim_write *w)
{
    union sim_val *v = w->vals;

    if (!w->given[SIM_ADDRESS_COUNTRY_CODE]) {
        return;
    }
    v[SIM_ADDRESS_COUNTRY_NAME].s = NULL;
    for (size_t i = 0; v[SIM_ADDRESS_COUNTRY_CODE].s && i < SIM_COUNT(countries); i++) {
        if (!strcmp(v[SIM_ADDRESS_COUNTRY_CODE].s, countries[i].code)) {
            v[SIM_ADDRESS_COUNTRY_NAME].s = countries[i].name;
        }
    }
}

static void contact_check(struct sim_write *w)
{
    static const char *const places[] = {"Mobile", "Home", "Work", "Other", NULL};
    int primary = primary_of(w->how->type);

    w->vals[primary].i = w->vals[primary].i == 1;
    if (w->how->type == SIM_T_EMAIL) {
        sim_require_text(w, SIM_EMAIL_ADDRESS);
    } else if (w->how->type == SIM_T_PHONE) {
        if (!w->rec || w->given[SIM_PHONE_NUMBER]) { /* the church has some without a number */
            sim_require_text(w, SIM_PHONE_NUMBER);
        }
        sim_require_text(w, SIM_PHONE_LOCATION);
        sim_require_one_of(w, SIM_PHONE_LOCATION, places);
    } else {
        address_check(w);
    }
}

static void contact_after(struct sim_write *w)
{
    int primary = primary_of(w->how->type);

    if (w->given[primary] && w->vals[primary].i == 1) {
        sim_demote_others(&w->c, w->rec);
    }
    if (w->changed) {
        sim_touch_person(&w->c, w->rec->refs[SIM_R_CONTACT_PERSON]);
    }
}

static void contact_remove(struct sim_write *w)
{
    sim_touch_person(&w->c, w->rec->refs[SIM_R_CONTACT_PERSON]);
    sim_rec_remove(w->c.org, w->rec);
}

/* --- Household and its people --- */

static struct sim_rec *add_hhm(struct sim_write *w, struct sim_rec *household, struct sim_rec *person)
{
    struct sim_rec *m = sim_write_make(&w->c, SIM_T_HHM);

    m->vals[SIM_HHM_PENDING].i = 0;
    m->vals[SIM_HHM_PERSON_NAME].s = person->vals[SIM_PERSON_NAME].s;
    m->vals[SIM_HHM_ROLE].s = person->vals[SIM_PERSON_CHILD].i == 1 ? "child_or_dependent" : "adult";
    sim_rec_set_ref(w->c.org, m, SIM_R_HHM_HOUSEHOLD, household);
    sim_rec_set_ref(w->c.org, m, SIM_R_HHM_PERSON, person);
    sim_rec_insert(w->c.org, m);
    return m;
}

static void household_check(struct sim_write *w)
{
    const struct sim_rec *contact = w->refs[SIM_R_HOUSEHOLD_CONTACT];
    bool inside = false;

    if (!w->rec || w->given[SIM_HOUSEHOLD_NAME]) {
        sim_require_text(w, SIM_HOUSEHOLD_NAME);
    }
    if (w->rec) { /* a count that is sent is taken and means nothing */
        w->vals[SIM_HOUSEHOLD_MEMBER_COUNT] = w->rec->vals[SIM_HOUSEHOLD_MEMBER_COUNT];
    } else if (!w->people.n) {
        sim_refuse(w, "people", "can't be blank");
        return;
    }
    for (uint32_t i = 0; i < w->people.n; i++) {
        inside = inside || w->people.v[i] == contact;
        for (uint32_t j = 0; j < i; j++) {
            if (w->people.v[i] == w->people.v[j]) {
                sim_refuse(w, "people", "has already been taken");
                return;
            }
        }
    }
    if (w->rec && contact) {
        inside = sim_is_member(contact, SIM_B_PERSON_HHM, SIM_R_HHM_HOUSEHOLD, w->rec);
    }
    if (contact && !inside && (!w->rec || w->ref_given[SIM_R_HOUSEHOLD_CONTACT])) {
        sim_refuse(w, "primary_contact", "must be a member of the household");
    }
}

static void household_after(struct sim_write *w)
{
    for (uint32_t i = 0; i < w->people.n; i++) {
        (void)add_hhm(w, w->rec, w->people.v[i]);
    }
    sim_household_refresh(w->c.org, w->rec);
}

static void household_remove(struct sim_write *w)
{
    sim_remove_household(&w->c, w->rec);
}

static const struct sim_write_link household_links[] = {
    {"primary_contact", SIM_T_PERSON, SIM_R_HOUSEHOLD_CONTACT, SIM_LINK_REQUIRED},
};

static void hhm_defaults(struct sim_write *w)
{
    w->vals[SIM_HHM_PENDING].i = 1; /* and a mail goes out */
}

static void hhm_check(struct sim_write *w)
{
    struct sim_rec *person = w->refs[SIM_R_HHM_PERSON];
    struct sim_rec *household = w->refs[SIM_R_HHM_HOUSEHOLD];

    if (person && (!w->rec || w->rec->refs[SIM_R_HHM_PERSON] != person) &&
        sim_is_member(person, SIM_B_PERSON_HHM, SIM_R_HHM_HOUSEHOLD, household)) {
        sim_refuse(w, "person", "has already been taken");
    }
    w->vals[SIM_HHM_PENDING].i = w->vals[SIM_HHM_PENDING].i == 1;
}

static void hhm_after(struct sim_write *w)
{
    struct sim_rec *m = w->rec, *person = m->refs[SIM_R_HHM_PERSON];

    m->vals[SIM_HHM_PERSON_NAME].s = person->vals[SIM_PERSON_NAME].s;
    if (!w->given[SIM_HHM_ROLE]) {
        m->vals[SIM_HHM_ROLE].s = person->vals[SIM_PERSON_CHILD].i == 1 ? "child_or_dependent" : "adult";
    }
    sim_rec_touched(w->c.org, m);
    sim_household_refresh(w->c.org, m->refs[SIM_R_HHM_HOUSEHOLD]);
}

static void hhm_remove(struct sim_write *w)
{
    sim_remove_hhm(&w->c, w->rec);
}

static const struct sim_write_link hhm_links[] = {
    {"person", SIM_T_PERSON, SIM_R_HHM_PERSON, SIM_LINK_REQUIRED | SIM_LINK_CREATE_ONLY},
};

/* --- Campus and the short lists --- */

static void campus_defaults(struct sim_write *w)
{
    w->vals[SIM_CAMPUS_CHURCH_CENTER].i = w->vals[SIM_CAMPUS_GEO_MANUAL].i = w->vals[SIM_CAMPUS_24H].i = 0;
}

static void campus_check(struct sim_write *w)
{
    sim_require_text(w, SIM_CAMPUS_NAME);
    w->vals[SIM_CAMPUS_TIME_ZONE_RAW] = w->vals[SIM_CAMPUS_TIME_ZONE];
}

static void value_check(struct sim_write *w)
{
    sim_require_text(w, 0);
}

static void named_remove(struct sim_write *w)
{
    sim_remove_named(&w->c, w->rec);
}

/* --- Tab, FieldDefinition, FieldOption, FieldDatum --- */

static const char *slug_of(struct sim_org *org, const char *name)
{
    char *slug = sim_arena_alloc(&org->arena, strlen(name) + 1);
    size_t n = 0;

    sim_fold(name, slug, strlen(name) + 1);
    for (const char *p = slug; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')) {
            slug[n++] = *p;
        } else if (n && slug[n - 1] != '_') {
            slug[n++] = '_';
        }
    }
    while (n && slug[n - 1] == '_') {
        n--;
    }
    slug[n] = '\0';
    return slug;
}

static void tab_check(struct sim_write *w)
{
    sim_require_text(w, SIM_TAB_NAME);
    if (!w->rec && w->vals[SIM_TAB_NAME].s) {
        w->vals[SIM_TAB_SLUG].s = slug_of(w->c.org, w->vals[SIM_TAB_NAME].s);
        if (!w->given[SIM_TAB_SEQUENCE]) {
            w->vals[SIM_TAB_SEQUENCE].i = w->c.org->stores[SIM_T_TAB].by_id.n;
        }
    }
}

static void tab_remove(struct sim_write *w)
{
    if (w->rec->backs[SIM_B_TAB_DEFS].n) {
        sim_refuse(w, "base", "Cannot delete record because dependent field definitions exist");
        return;
    }
    sim_rec_remove(w->c.org, w->rec);
}

static void def_check(struct sim_write *w)
{
    static const char *const types[] = {"string", "text",   "number",     "date", "boolean",
                                        "select", "checkboxes", "file", NULL};
    union sim_val *v = w->vals;

    sim_require_text(w, SIM_DEF_NAME);
    sim_require_text(w, SIM_DEF_DATA_TYPE);
    sim_require_one_of(w, SIM_DEF_DATA_TYPE, types);
    if (!w->rec && v[SIM_DEF_NAME].s) {
        const struct sim_rec *tab = w->refs[SIM_R_DEF_TAB];

        v[SIM_DEF_TAB_ID].i = tab->id;
        if (!v[SIM_DEF_SLUG].s) {
            v[SIM_DEF_SLUG].s = slug_of(w->c.org, v[SIM_DEF_NAME].s);
        }
        if (!w->given[SIM_DEF_SEQUENCE]) {
            v[SIM_DEF_SEQUENCE].i = tab->backs[SIM_B_TAB_DEFS].n;
        }
    }
}

static void def_remove(struct sim_write *w)
{
    w->rec->vals[SIM_DEF_DELETED_AT].i = w->c.now; /* it stays, hidden */
    sim_rec_touched(w->c.org, w->rec);
}

static void option_check(struct sim_write *w)
{
    sim_require_text(w, SIM_OPTION_VALUE);
    if (!w->rec && !w->given[SIM_OPTION_SEQUENCE]) {
        w->vals[SIM_OPTION_SEQUENCE].i = w->refs[SIM_R_OPTION_DEF]->backs[SIM_B_DEF_OPTIONS].n;
    }
}

static struct sim_rec *option_of(const struct sim_rec *def, const char *value)
{
    const struct sim_vec *options = &def->backs[SIM_B_DEF_OPTIONS];

    for (uint32_t i = 0; i < options->n; i++) {
        if (options->v[i]->vals[SIM_OPTION_VALUE].s && !strcmp(options->v[i]->vals[SIM_OPTION_VALUE].s, value)) {
            return options->v[i];
        }
    }
    return NULL;
}

/* Whether another datum of that person is in the way: one per definition, one per box. */
static bool datum_taken(struct sim_write *w, const struct sim_rec *def, bool boxes)
{
    const struct sim_vec *data = &w->refs[SIM_R_DATUM_PERSON]->backs[SIM_B_PERSON_DATA];
    const char *value = w->vals[SIM_DATUM_VALUE].s;

    for (uint32_t i = 0; i < data->n; i++) {
        const char *other = data->v[i]->vals[SIM_DATUM_VALUE].s;

        if (data->v[i] != w->rec && data->v[i]->refs[SIM_R_DATUM_DEF] == def &&
            (!boxes || (value && other && !strcmp(value, other)))) {
            return true;
        }
    }
    return false;
}

static void datum_check(struct sim_write *w)
{
    const struct sim_rec *def = w->refs[SIM_R_DATUM_DEF];
    const char *type = def ? def->vals[SIM_DEF_DATA_TYPE].s : "";
    bool boxes = !strcmp(type, "checkboxes");

    if (!w->rec) {
        sim_require_text(w, SIM_DATUM_VALUE);
    }
    if (def && def->vals[SIM_DEF_DELETED_AT].i != SIM_NULL_INT && !w->rec) {
        sim_refuse(w, "field_definition", "has been deleted");
    } else if (!strcmp(type, "file") && w->given[SIM_DATUM_VALUE]) {
        sim_refuse(w, "value", "is not an uploaded file");
    } else if (def && datum_taken(w, def, boxes)) {
        sim_refuse(w, "field_definition", "has already been taken");
    }
}

/* Chosen values are options; one that is not there yet is made. */
static void datum_after(struct sim_write *w)
{
    struct sim_rec *def = w->rec->refs[SIM_R_DATUM_DEF], *option = NULL;
    const char *value = w->rec->vals[SIM_DATUM_VALUE].s;
    const char *type = def ? def->vals[SIM_DEF_DATA_TYPE].s : "";

    if (value && *value && (!strcmp(type, "checkboxes") || !strcmp(type, "select"))) {
        option = option_of(def, value);
        if (!option) {
            option = sim_write_make(&w->c, SIM_T_OPTION);
            option->vals[SIM_OPTION_VALUE].s = value;
            option->vals[SIM_OPTION_SEQUENCE].i = def->backs[SIM_B_DEF_OPTIONS].n;
            sim_rec_set_ref(w->c.org, option, SIM_R_OPTION_DEF, def);
            sim_rec_insert(w->c.org, option);
        }
    }
    sim_rec_set_ref(w->c.org, w->rec, SIM_R_DATUM_OPTION, option);
    if (w->changed) {
        sim_touch_person(&w->c, w->rec->refs[SIM_R_DATUM_PERSON]);
    }
}

static void datum_remove(struct sim_write *w)
{
    sim_touch_person(&w->c, w->rec->refs[SIM_R_DATUM_PERSON]);
    sim_rec_remove(w->c.org, w->rec);
}

static const struct sim_write_link datum_links[] = {
    {"field_definition", SIM_T_DEF, SIM_R_DATUM_DEF, SIM_LINK_REQUIRED | SIM_LINK_CREATE_ONLY},
};

#define ALL_VERBS (SIM_W_CREATE | SIM_W_PATCH | SIM_W_DELETE)
#define LINKS(list) list, SIM_COUNT(list)
#define CONTACT(type)                                                                                                  \
    {SIM_T_##type,     ALL_VERBS,     SIM_T_PERSON,  SIM_R_CONTACT_PERSON, NULL, 0,                                    \
     contact_defaults, contact_check, contact_after, contact_remove}
#define VALUE(type) {SIM_T_##type, ALL_VERBS, SIM_T_NONE, 0, NULL, 0, NULL, value_check, NULL, named_remove}

const struct sim_write_type sim_write_people[] = {
    {SIM_T_PERSON, ALL_VERBS, SIM_T_NONE, 0, LINKS(person_links), person_defaults, person_check, person_after,
     person_remove},
    CONTACT(EMAIL),
    CONTACT(PHONE),
    CONTACT(ADDRESS),
    {SIM_T_HOUSEHOLD, ALL_VERBS, SIM_T_NONE, 0, LINKS(household_links), NULL, household_check, household_after,
     household_remove},
    {SIM_T_HHM, ALL_VERBS, SIM_T_HOUSEHOLD, SIM_R_HHM_HOUSEHOLD, LINKS(hhm_links), hhm_defaults, hhm_check, hhm_after,
     hhm_remove},
    {SIM_T_CAMPUS, ALL_VERBS, SIM_T_NONE, 0, NULL, 0, campus_defaults, campus_check, NULL, named_remove},
    VALUE(MARITAL),
    VALUE(REASON),
    VALUE(PREFIX),
    VALUE(SUFFIX),
    {SIM_T_TAB, ALL_VERBS, SIM_T_NONE, 0, NULL, 0, NULL, tab_check, NULL, tab_remove},
    {SIM_T_DEF, ALL_VERBS, SIM_T_TAB, SIM_R_DEF_TAB, NULL, 0, NULL, def_check, NULL, def_remove},
    {SIM_T_OPTION, ALL_VERBS, SIM_T_DEF, SIM_R_OPTION_DEF, NULL, 0, NULL, option_check, NULL, named_remove},
    {SIM_T_DATUM, ALL_VERBS, SIM_T_PERSON, SIM_R_DATUM_PERSON, LINKS(datum_links), NULL, datum_check, datum_after,
     datum_remove},
};
const size_t sim_write_people_count = SIM_COUNT(sim_write_people);

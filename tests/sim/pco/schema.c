/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include "base.h"

#include <string.h>

#define W SIM_A_WHERE
#define O SIM_A_ORDER
#define H SIM_A_HIDDEN
#define V SIM_A_VIRTUAL
#define S SIM_A_SET
#define SIM_ROW(e, name, kind, flags) {name, SIM_##kind, flags},
#define ATTRS(var, list) static const struct sim_attr var[] = {list(SIM_ROW)}

ATTRS(person_attrs, SIM_PERSON);
ATTRS(email_attrs, SIM_EMAIL);
ATTRS(phone_attrs, SIM_PHONE);
ATTRS(address_attrs, SIM_ADDRESS);
ATTRS(campus_attrs, SIM_CAMPUS);
ATTRS(tab_attrs, SIM_TAB);
ATTRS(def_attrs, SIM_FIELD_DEFINITION);
ATTRS(option_attrs, SIM_FIELD_OPTION);
ATTRS(datum_attrs, SIM_FIELD_DATUM);
ATTRS(marital_attrs, SIM_MARITAL_STATUS);
ATTRS(reason_attrs, SIM_INACTIVE_REASON);
ATTRS(prefix_attrs, SIM_NAME_PREFIX);
ATTRS(suffix_attrs, SIM_NAME_SUFFIX);
ATTRS(household_attrs, SIM_HOUSEHOLD);
ATTRS(hhm_attrs, SIM_HOUSEHOLD_MEMBERSHIP);
ATTRS(merger_attrs, SIM_PERSON_MERGER);
ATTRS(group_attrs, SIM_GROUP);
ATTRS(gtype_attrs, SIM_GROUP_TYPE);
ATTRS(member_attrs, SIM_MEMBERSHIP);
ATTRS(fund_attrs, SIM_FUND);
ATTRS(source_attrs, SIM_PAYMENT_SOURCE);
ATTRS(batch_attrs, SIM_BATCH);
ATTRS(donation_attrs, SIM_DONATION);
ATTRS(desig_attrs, SIM_DESIGNATION);
ATTRS(refund_attrs, SIM_REFUND);

static const struct sim_ref person_refs[] = {{SIM_T_CAMPUS, -1},
                                             {SIM_T_MARITAL, -1},
                                             {SIM_T_REASON, -1},
                                             {SIM_T_PREFIX, -1},
                                             {SIM_T_SUFFIX, -1}};
static const struct sim_ref email_refs[] = {{SIM_T_PERSON, SIM_B_PERSON_EMAILS}};
static const struct sim_ref phone_refs[] = {{SIM_T_PERSON, SIM_B_PERSON_PHONES}};
static const struct sim_ref address_refs[] = {{SIM_T_PERSON, SIM_B_PERSON_ADDRESSES}};
static const struct sim_ref def_refs[] = {{SIM_T_TAB, SIM_B_TAB_DEFS}};
static const struct sim_ref option_refs[] = {{SIM_T_DEF, SIM_B_DEF_OPTIONS}};
static const struct sim_ref datum_refs[] = {
    {SIM_T_DEF, -1}, {SIM_T_PERSON, SIM_B_PERSON_DATA}, {SIM_T_OPTION, -1}};
static const struct sim_ref household_refs[] = {{SIM_T_PERSON, -1}};
static const struct sim_ref hhm_refs[] = {{SIM_T_HOUSEHOLD, SIM_B_HOUSEHOLD_HHM},
                                          {SIM_T_PERSON, SIM_B_PERSON_HHM}};
static const struct sim_ref group_refs[] = {{SIM_T_GTYPE, SIM_B_GTYPE_GROUPS}};
static const struct sim_ref member_refs[] = {{SIM_T_GROUP, SIM_B_GROUP_MEMBERS},
                                             {SIM_T_PERSON, SIM_B_PERSON_MEMBER}};
static const struct sim_ref batch_refs[] = {{SIM_T_PERSON, -1}};
static const struct sim_ref donation_refs[] = {{SIM_T_BATCH, SIM_B_BATCH_DONATIONS},
                                               {SIM_T_CAMPUS, -1},
                                               {SIM_T_PERSON, SIM_B_PERSON_DONATIONS},
                                               {SIM_T_SOURCE, -1}};
static const struct sim_ref desig_refs[] = {{SIM_T_DONATION, SIM_B_DONATION_DESIGS},
                                            {SIM_T_FUND, -1}};
static const struct sim_ref refund_refs[] = {{SIM_T_DONATION, SIM_B_DONATION_REFUNDS}};

enum { AL = SIM_REL_ALWAYS, IN = SIM_REL_INCLUDE, NE = SIM_REL_NESTED, DU = SIM_REL_DUMP };

#define ONE(name, doc, target, slot, flags)                                                        \
    {name, doc, SIM_REL_ONE, SIM_T_##target, SIM_R_##slot, 0, flags, NULL}
#define MANY(name, doc, target, slot, flags)                                                       \
    {name, doc, SIM_REL_MANY, SIM_T_##target, SIM_B_##slot, 0, flags, NULL}
#define NO_ONE(name, flags) {name, "", SIM_REL_NONE_ONE, SIM_T_NONE, 0, 0, flags, NULL}
#define NO_MANY(name, flags) {name, "", SIM_REL_NONE_MANY, SIM_T_NONE, 0, 0, flags, NULL}

static const struct sim_rel person_rels[] = {
    ONE("primary_campus", "PrimaryCampus", CAMPUS, PERSON_CAMPUS, AL | IN | NE),
    MANY("addresses", "Address", ADDRESS, PERSON_ADDRESSES, IN | NE),
    MANY("emails", "Email", EMAIL, PERSON_EMAILS, IN | NE),
    MANY("field_data", "FieldDatum", DATUM, PERSON_DATA, IN | NE),
    {"households", "Household", SIM_REL_VIA, SIM_T_HOUSEHOLD, SIM_B_PERSON_HHM,
     SIM_R_HHM_HOUSEHOLD, IN | NE, NULL},
    ONE("inactive_reason", "InactiveReason", REASON, PERSON_REASON, IN | NE),
    ONE("marital_status", "MaritalStatus", MARITAL, PERSON_MARITAL, IN | NE),
    ONE("name_prefix", "NamePrefix", PREFIX, PERSON_PREFIX, IN | NE),
    ONE("name_suffix", "NameSuffix", SUFFIX, PERSON_SUFFIX, IN | NE),
    {"organization", "Organization", SIM_REL_ORG, SIM_T_NONE, 0, 0, IN, NULL},
    NO_MANY("person_apps", IN),
    MANY("phone_numbers", "PhoneNumber", PHONE, PERSON_PHONES, IN | NE),
    NO_MANY("platform_notifications", IN),
    NO_ONE("school", IN | NE),
    NO_MANY("social_profiles", IN | NE),
    MANY("household_memberships", "HouseholdMembership", HHM, PERSON_HHM, NE),
    {"memberships", "Membership", SIM_REL_MANY, SIM_T_MEMBER, SIM_B_PERSON_MEMBER, 0, NE,
     "groups"},
    {"donations", "Donation", SIM_REL_MANY, SIM_T_DONATION, SIM_B_PERSON_DONATIONS, 0, NE,
     "giving"},
};
static const struct sim_rel email_rels[] = {ONE("person", "Person", PERSON, CONTACT_PERSON, AL)};
static const struct sim_rel campus_rels[] = {
    {"organization", "Organization", SIM_REL_ORG, SIM_T_NONE, 0, 0, AL, NULL},
    NO_MANY("lists", IN),
    NO_MANY("service_times", IN),
};
static const struct sim_rel tab_rels[] = {
    MANY("field_definitions", "FieldDefinition", DEF, TAB_DEFS, IN | NE),
    {"field_options", "FieldOption", SIM_REL_FLAT, SIM_T_OPTION, SIM_B_TAB_DEFS,
     SIM_B_DEF_OPTIONS, IN | NE, NULL},
};
static const struct sim_rel def_rels[] = {
    MANY("field_options", "FieldOption", OPTION, DEF_OPTIONS, IN | NE),
    ONE("tab", "Tab", TAB, DEF_TAB, IN | NE),
};
static const struct sim_rel option_rels[] = {
    ONE("field_definition", "FieldDefinition", DEF, OPTION_DEF, DU)};
static const struct sim_rel datum_rels[] = {
    ONE("field_definition", "FieldDefinition", DEF, DATUM_DEF, AL | IN | NE),
    ONE("customizable", "Person", PERSON, DATUM_PERSON, AL),
    ONE("field_option", "FieldOption", OPTION, DATUM_OPTION, IN | NE),
    {"tab", "Tab", SIM_REL_ONE_VIA, SIM_T_TAB, SIM_R_DATUM_DEF, SIM_R_DEF_TAB, IN | NE, NULL},
};
static const struct sim_rel household_rels[] = {
    ONE("primary_contact", "Person", PERSON, HOUSEHOLD_CONTACT, AL),
    {"people", "Person", SIM_REL_VIA, SIM_T_PERSON, SIM_B_HOUSEHOLD_HHM, SIM_R_HHM_PERSON,
     AL | IN | NE, NULL},
    MANY("household_memberships", "HouseholdMembership", HHM, HOUSEHOLD_HHM, NE),
};
static const struct sim_rel hhm_rels[] = {
    ONE("person", "Person", PERSON, HHM_PERSON, AL | IN | NE),
    ONE("household", "Household", HOUSEHOLD, HHM_HOUSEHOLD, IN | NE),
};
static const struct sim_rel group_rels[] = {
    ONE("group_type", "GroupType", GTYPE, GROUP_TYPE, AL | IN | NE),
    NO_ONE("location", AL | IN | NE),
    NO_ONE("enrollment", IN),
    MANY("memberships", "Membership", MEMBER, GROUP_MEMBERS, NE),
};
static const struct sim_rel gtype_rels[] = {MANY("groups", "Group", GROUP, GTYPE_GROUPS, NE)};
static const struct sim_rel member_rels[] = {
    ONE("person", "Person", PERSON, MEMBER_PERSON, AL | IN),
    ONE("group", "Group", GROUP, MEMBER_GROUP, DU),
};
static const struct sim_rel batch_rels[] = {
    NO_ONE("batch_group", AL | IN),
    ONE("owner", "Person", PERSON, BATCH_OWNER, AL),
    MANY("donations", "Donation", DONATION, BATCH_DONATIONS, NE),
};
static const struct sim_rel donation_rels[] = {
    ONE("batch", "Batch", BATCH, DONATION_BATCH, AL),
    ONE("campus", "Campus", CAMPUS, DONATION_CAMPUS, AL),
    ONE("person", "Person", PERSON, DONATION_PERSON, AL),
    ONE("payment_source", "PaymentSource", SOURCE, DONATION_SOURCE, AL),
    NO_MANY("labels", AL | IN | NE),
    NO_ONE("recurring_donation", AL),
    MANY("designations", "Designation", DESIG, DONATION_DESIGS, IN | NE),
    NO_ONE("note", IN | NE),
    {"refund", "Refund", SIM_REL_FIRST, SIM_T_REFUND, SIM_B_DONATION_REFUNDS, 0, IN | NE, NULL},
};
static const struct sim_rel desig_rels[] = {
    ONE("fund", "Fund", FUND, DESIG_FUND, AL),
    ONE("donation", "Donation", DONATION, DESIG_DONATION, DU),
};
static const struct sim_rel refund_rels[] = {
    NO_MANY("designation_refunds", IN),
    ONE("donation", "Donation", DONATION, REFUND_DONATION, DU),
};

#define A(list, values) list, SIM_COUNT(list), values
#define ALL(list) list, SIM_COUNT(list), SIM_COUNT(list)
#define R(list) list, SIM_COUNT(list)
#define NOREFS NULL, 0

const struct sim_type_def sim_types[SIM_T_COUNT] = {
    [SIM_T_PERSON] = {"Person", "people", "people", true, -1,
                      A(person_attrs, SIM_PERSON_K_CAMPUS_ID), SIM_PERSON_CREATED_AT,
                      SIM_PERSON_UPDATED_AT, R(person_refs), 7, R(person_rels),
                      "\"admins\",\"created_since\",\"organization_admins\"", true},
    [SIM_T_EMAIL] = {"Email", "people", "emails", true, -1, ALL(email_attrs),
                     SIM_EMAIL_CREATED_AT, SIM_EMAIL_UPDATED_AT, R(email_refs), 0, R(email_rels),
                     NULL, false},
    [SIM_T_PHONE] = {"PhoneNumber", "people", "phone_numbers", true, -1, ALL(phone_attrs),
                     SIM_PHONE_CREATED_AT, SIM_PHONE_UPDATED_AT, R(phone_refs), 0, R(email_rels),
                     NULL, false},
    [SIM_T_ADDRESS] = {"Address", "people", "addresses", true, -1, ALL(address_attrs),
                       SIM_ADDRESS_CREATED_AT, SIM_ADDRESS_UPDATED_AT, R(address_refs), 0,
                       R(email_rels), NULL, false},
    [SIM_T_CAMPUS] = {"Campus", "people", "campuses", true, -1, ALL(campus_attrs),
                      SIM_CAMPUS_CREATED_AT, SIM_CAMPUS_UPDATED_AT, NOREFS, 0, R(campus_rels),
                      NULL, true},
    [SIM_T_TAB] = {"Tab", "people", "tabs", true, -1, ALL(tab_attrs), -1, -1, NOREFS, 1,
                   R(tab_rels), "\"with_field_definitions\"", false},
    [SIM_T_DEF] = {"FieldDefinition", "people", "field_definitions", true, -1, ALL(def_attrs), -1,
                   -1, R(def_refs), 1, R(def_rels), "\"include_deleted\"", false},
    [SIM_T_OPTION] = {"FieldOption", "people", "field_options", false, SIM_R_OPTION_DEF,
                      ALL(option_attrs), -1, -1, R(option_refs), 0, R(option_rels), NULL, false},
    [SIM_T_DATUM] = {"FieldDatum", "people", "field_data", true, -1,
                     A(datum_attrs, SIM_DATUM_K_DEFINITION_ID), SIM_DATUM_CREATED_AT,
                     SIM_DATUM_UPDATED_AT, R(datum_refs), 0, R(datum_rels), NULL, false},
    [SIM_T_MARITAL] = {"MaritalStatus", "people", "marital_statuses", true, -1,
                       A(marital_attrs, 1), -1, -1, NOREFS, 0, NULL, 0, NULL, false},
    [SIM_T_REASON] = {"InactiveReason", "people", "inactive_reasons", true, -1,
                      A(reason_attrs, 1), -1, -1, NOREFS, 0, NULL, 0, NULL, false},
    [SIM_T_PREFIX] = {"NamePrefix", "people", "name_prefixes", true, -1, A(prefix_attrs, 1), -1,
                      -1, NOREFS, 0, NULL, 0, NULL, false},
    [SIM_T_SUFFIX] = {"NameSuffix", "people", "name_suffixes", true, -1, A(suffix_attrs, 1), -1,
                      -1, NOREFS, 0, NULL, 0, NULL, false},
    [SIM_T_HOUSEHOLD] = {"Household", "people", "households", true, -1, ALL(household_attrs),
                         SIM_HOUSEHOLD_CREATED_AT, SIM_HOUSEHOLD_UPDATED_AT, R(household_refs), 1,
                         R(household_rels), NULL, false},
    [SIM_T_HHM] = {"HouseholdMembership", "people", "household_memberships", false,
                   SIM_R_HHM_HOUSEHOLD, ALL(hhm_attrs), -1, -1, R(hhm_refs), 0, R(hhm_rels),
                   NULL, false},
    [SIM_T_MERGER] = {"PersonMerger", "people", "person_mergers", true, -1, ALL(merger_attrs),
                      SIM_MERGER_CREATED_AT, -1, NOREFS, 0, NULL, 0, NULL, false},
    [SIM_T_GROUP] = {"Group", "groups", "groups", true, -1,
                     A(group_attrs, SIM_GROUP_K_ARCHIVE_STATUS),
                     SIM_GROUP_CREATED_AT, -1, R(group_refs), 1, R(group_rels),
                     "\"group_type\",\"my_groups\"", false},
    [SIM_T_GTYPE] = {"GroupType", "groups", "group_types", true, -1, ALL(gtype_attrs), -1, -1,
                     NOREFS, 1, R(gtype_rels),
                     "\"church_center_visible\",\"not_church_center_visible\"", true},
    [SIM_T_MEMBER] = {"Membership", "groups", "memberships", false, SIM_R_MEMBER_GROUP,
                      A(member_attrs, SIM_MEMBER_K_FIRST_NAME), -1, -1, R(member_refs), 0,
                      R(member_rels), NULL, false},
    [SIM_T_FUND] = {"Fund", "giving", "funds", true, -1, ALL(fund_attrs), SIM_FUND_CREATED_AT,
                    SIM_FUND_UPDATED_AT, NOREFS, 0, NULL, 0, NULL, true},
    [SIM_T_SOURCE] = {"PaymentSource", "giving", "payment_sources", true, -1, ALL(source_attrs),
                      SIM_SOURCE_CREATED_AT, SIM_SOURCE_UPDATED_AT, NOREFS, 0, NULL, 0, NULL,
                      false},
    [SIM_T_BATCH] = {"Batch", "giving", "batches", true, -1, ALL(batch_attrs),
                     SIM_BATCH_CREATED_AT, SIM_BATCH_UPDATED_AT, R(batch_refs), 1, R(batch_rels),
                     "\"committed\",\"in_progress\"", false},
    [SIM_T_DONATION] = {"Donation", "giving", "donations", true, -1, ALL(donation_attrs),
                        SIM_DONATION_CREATED_AT, SIM_DONATION_UPDATED_AT, R(donation_refs), 2,
                        R(donation_rels), "\"succeeded\"", false},
    [SIM_T_DESIG] = {"Designation", "giving", "designations", false, SIM_R_DESIG_DONATION,
                     ALL(desig_attrs), -1, -1, R(desig_refs), 0, R(desig_rels), NULL, false},
    [SIM_T_REFUND] = {"Refund", "giving", "refund", false, SIM_R_REFUND_DONATION,
                      ALL(refund_attrs), SIM_REFUND_CREATED_AT, SIM_REFUND_UPDATED_AT,
                      R(refund_refs), 0, R(refund_rels), NULL, false},
};

enum sim_type sim_type_by_name(const char *name)
{
    for (int i = 0; i < SIM_T_COUNT; i++) {
        if (!strcmp(sim_types[i].name, name)) {
            return (enum sim_type)i;
        }
    }
    return SIM_T_NONE;
}

enum sim_type sim_type_by_path(const char *product, const char *path)
{
    for (int i = 0; i < SIM_T_COUNT; i++) {
        if (sim_types[i].top && !strcmp(sim_types[i].path, path) &&
            !strcmp(sim_types[i].product, product)) {
            return (enum sim_type)i;
        }
    }
    return SIM_T_NONE;
}

int sim_attr_by_name(const struct sim_type_def *def, const char *name)
{
    for (int i = 0; i < def->attr_count; i++) {
        if (!strcmp(def->attrs[i].name, name)) {
            return i;
        }
    }
    return -1;
}

int sim_rel_by_name(const struct sim_type_def *def, const char *name)
{
    for (int i = 0; i < def->rel_count; i++) {
        if (!strcmp(def->rels[i].name, name)) {
            return i;
        }
    }
    return -1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pco/pco_int.h"

/* Product people, version 2026-06-04. Which attributes they take is said by the flags (OF_FIELD_READ_ONLY: never). */

const struct of_field of_pco_campus_fields[] = {
    OF_PCO_COL_REQ("name", "name", OF_CONV_TEXT),
    OF_PCO_COL("street", "street", OF_CONV_TEXT),
    OF_PCO_COL("city", "city", OF_CONV_TEXT),
    OF_PCO_COL("state", "state", OF_CONV_TEXT),
    OF_PCO_COL("zip", "zip", OF_CONV_TEXT),
    OF_PCO_COL("country", "countryCode", OF_CONV_TEXT),
    OF_PCO_COL("description", "description", OF_CONV_TEXT),
    OF_PCO_COL("latitude", "latitude", OF_CONV_DOUBLE),
    OF_PCO_COL("longitude", "longitude", OF_CONV_DOUBLE),
    OF_PCO_COL("website", "url", OF_CONV_TEXT),
    OF_PCO_COL_RO("avatar_url", "avatar", OF_CONV_TEXT),
    OF_PCO_CUSTOM("church_center_enabled", OF_CONV_BOOL),
    OF_PCO_CUSTOM("contact_email_address", OF_CONV_TEXT),
    OF_PCO_CUSTOM("date_format", OF_CONV_INT),
    OF_PCO_CUSTOM("geolocation_set_manually", OF_CONV_BOOL),
    OF_PCO_CUSTOM("phone_number", OF_CONV_TEXT),
    OF_PCO_CUSTOM("time_zone", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("time_zone_raw", OF_CONV_TEXT),
    OF_PCO_CUSTOM("twenty_four_hour_time", OF_CONV_BOOL),
    OF_PCO_FIELDS_END,
};

/* MaritalStatus, InactiveReason, NamePrefix, NameSuffix */
const struct of_field of_pco_reference_fields[] = {
    OF_PCO_COL_REQ("value", "value", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

const struct of_field of_pco_tab_fields[] = {
    OF_PCO_COL_REQ("name", "name", OF_CONV_TEXT),
    OF_PCO_CUSTOM("sequence", OF_CONV_INT),
    OF_PCO_CUSTOM_RO("slug", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

const struct of_field of_pco_definition_fields[] = {
    OF_PCO_COL("slug", "key", OF_CONV_TEXT),
    OF_PCO_COL_REQ("name", "label", OF_CONV_TEXT),
    OF_PCO_COL_REQ("data_type", "type", OF_CONV_TEXT),
    OF_PCO_CUSTOM("sequence", OF_CONV_INT),
    OF_PCO_CUSTOM("config", OF_CONV_ANY),
    OF_PCO_CUSTOM("deleted_at", OF_CONV_TIME),
    OF_PCO_FIELDS_END,
};

const struct of_constant of_pco_definition_constants[] = {
    {"entityTag", "person"},
    {"source", NULL},
    {NULL, NULL},
};

const struct of_relation of_pco_definition_relations[] = {
    {"tab", "Tab", OF_REL_EDGE, NULL, NULL, NULL, 0, false}, /* mostly known by the attribute tab_id, a number */
    {"field_options", "FieldOption", OF_REL_CHILDREN, NULL, NULL, "field_options", 0, false},
    OF_PCO_RELATIONS_END,
};

const struct of_field of_pco_option_fields[] = {
    OF_PCO_COL_RO("value", "label", OF_CONV_TEXT), /* one value on their side: `value` is the one that goes back */
    OF_PCO_COL_REQ("value", "value", OF_CONV_TEXT),
    OF_PCO_COL("sequence", "order", OF_CONV_INT),
    OF_PCO_FIELDS_END,
};

const struct of_relation of_pco_option_relations[] = {
    {"field_definition", "FieldDefinition", OF_REL_COLUMN, NULL, "fieldId", NULL, 0, false},
    OF_PCO_RELATIONS_END,
};

/* Its files (file, file_name, …) are not taken over: OpenFaith has no place for a file. */
const struct of_field of_pco_datum_fields[] = {
    OF_PCO_COL_REQ("value", "value", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

const struct of_relation of_pco_datum_relations[] = {
    {"field_definition", "FieldDefinition", OF_REL_END, NULL, NULL, NULL, OF_VERB_CREATE, true},
    {"customizable", "Person", OF_REL_END, NULL, NULL, NULL, OF_VERB_CREATE, true},
    OF_PCO_RELATIONS_END,
};

static const struct of_value_map genders[] = {
    {"Male", "male"}, {"Female", "female"}, {"M", "male"}, {"F", "female"}, {NULL, NULL},
};

/* They clear inactivated_at for whatever is not `inactive`, so every other word means active. */
static const struct of_value_map statuses[] = {
    {"active", "active"}, {"inactive", "inactive"}, {"*", "active"}, {NULL, NULL},
};

/* Rights within Planning Center (administrators, permissions) are given there, never by what a row of ours says. */
const struct of_field of_pco_person_fields[] = {
    OF_PCO_COL("first_name", "firstName", OF_CONV_TEXT),
    OF_PCO_COL("middle_name", "middleName", OF_CONV_TEXT),
    OF_PCO_COL("last_name", "lastName", OF_CONV_TEXT),
    OF_PCO_COL_RO("name", "name", OF_CONV_TEXT),
    {"gender", "gender", OF_CONV_TEXT, 0, genders, NULL},
    OF_PCO_COL("birthdate", "birthdate", OF_CONV_DATE),
    OF_PCO_COL("anniversary", "anniversary", OF_CONV_DATE),
    OF_PCO_COL_RO("avatar", "avatar", OF_CONV_TEXT), /* they read an address and take the id of an uploaded file */
    OF_PCO_COL("membership", "membership", OF_CONV_TEXT),
    {"status", "status", OF_CONV_TEXT, 0, statuses, NULL},
    {"inactivated_at", "inactivatedAt", OF_CONV_TIME, OF_FIELD_BY_STATUS, NULL, NULL},
    OF_PCO_CUSTOM_RO("accounting_administrator", OF_CONV_BOOL),
    OF_PCO_CUSTOM("child", OF_CONV_BOOL),
    OF_PCO_CUSTOM_RO("demographic_avatar_url", OF_CONV_TEXT),
    OF_PCO_CUSTOM("given_name", OF_CONV_TEXT),
    OF_PCO_CUSTOM("grade", OF_CONV_INT),
    OF_PCO_CUSTOM("graduation_year", OF_CONV_INT),
    OF_PCO_CUSTOM("medical_notes", OF_CONV_TEXT),
    OF_PCO_CUSTOM("nickname", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("passed_background_check", OF_CONV_BOOL),
    OF_PCO_CUSTOM_RO("people_permissions", OF_CONV_TEXT),
    OF_PCO_CUSTOM("remote_id", OF_CONV_INT),
    OF_PCO_CUSTOM_RO("school_type", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("site_administrator", OF_CONV_BOOL),
    OF_PCO_FIELDS_END,
};

const struct of_relation of_pco_person_relations[] = {
    {"primary_campus", "Campus", OF_REL_EDGE, NULL, NULL, NULL, OF_PCO_BOTH, false},
    {"marital_status", "MaritalStatus", OF_REL_VALUE, NULL, NULL, "marital_status", OF_PCO_BOTH, false},
    {"inactive_reason", "InactiveReason", OF_REL_VALUE, NULL, NULL, "inactive_reason", OF_PCO_BOTH, false},
    {"name_prefix", "NamePrefix", OF_REL_VALUE, NULL, NULL, "name_prefix", OF_PCO_BOTH, false},
    {"name_suffix", "NameSuffix", OF_REL_VALUE, NULL, NULL, "name_suffix", OF_PCO_BOTH, false},
    {"emails", "Email", OF_REL_CHILDREN, NULL, NULL, "emails", 0, false},
    {"phone_numbers", "PhoneNumber", OF_REL_CHILDREN, NULL, NULL, "phone_numbers", 0, false},
    {"addresses", "Address", OF_REL_CHILDREN, NULL, NULL, "addresses", 0, false},
    {"field_data", "FieldDatum", OF_REL_CHILDREN, NULL, NULL, "field_data", 0, false},
    OF_PCO_RELATIONS_END,
};

const struct of_field of_pco_email_fields[] = {
    OF_PCO_COL_REQ("address", "address", OF_CONV_TEXT),
    OF_PCO_COL_RO("blocked", "blocked", OF_CONV_BOOL),
    {"primary", "primary", OF_CONV_BOOL, OF_FIELD_TRUE_ONLY, NULL, NULL},
    OF_PCO_COL("location", "location", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

/* e164 is their reading of number: what goes back is number. */
const struct of_field of_pco_phone_fields[] = {
    {"e164", "number", OF_CONV_TEXT, OF_FIELD_REQUIRED, NULL, "number"},
    OF_PCO_COL_RO("country_code", "countryCode", OF_CONV_TEXT),
    {"primary", "primary", OF_CONV_BOOL, OF_FIELD_TRUE_ONLY, NULL, NULL},
    OF_PCO_COL_REQ("location", "location", OF_CONV_TEXT),
    OF_PCO_CUSTOM("carrier", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("international", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("national", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

const struct of_field of_pco_address_fields[] = {
    OF_PCO_COL("street_line_1", "streetLine1", OF_CONV_TEXT),
    OF_PCO_COL("street_line_2", "streetLine2", OF_CONV_TEXT),
    OF_PCO_COL("city", "city", OF_CONV_TEXT),
    OF_PCO_COL("state", "state", OF_CONV_TEXT),
    OF_PCO_COL("zip", "zip", OF_CONV_TEXT),
    OF_PCO_COL("country_code", "countryCode", OF_CONV_TEXT),
    {"primary", "primary", OF_CONV_BOOL, OF_FIELD_TRUE_ONLY, NULL, NULL},
    OF_PCO_COL("location", "location", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("country_name", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

/* Email, PhoneNumber, Address */
const struct of_relation of_pco_contact_relations[] = {
    {"person", "Person", OF_REL_EDGE, NULL, NULL, NULL, OF_VERB_CREATE, true},
    OF_PCO_RELATIONS_END,
};

const struct of_field of_pco_household_fields[] = {
    OF_PCO_COL_REQ("name", "name", OF_CONV_TEXT),
    OF_PCO_COL_RO("member_count", "memberCount", OF_CONV_INT),
    OF_PCO_COL_RO("avatar", "avatar", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("primary_contact_name", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

/* Who belongs to it is sent once, when it is made, and person by person after that (HouseholdMembership). */
const struct of_relation of_pco_household_relations[] = {
    {"people", "Person", OF_REL_EDGES, NULL, NULL, "people", OF_VERB_CREATE, true},
    {"primary_contact", "Person", OF_REL_EDGE, NULL, NULL, NULL, OF_PCO_BOTH, true},
    OF_PCO_RELATIONS_END,
};

const struct of_field of_pco_household_member_fields[] = {
    OF_PCO_COL_RO("pending", "pending", OF_CONV_BOOL),
    OF_PCO_COL_RO("household_role", "role", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

/* Same edge as Household.people makes, hence its key; the record does not name its household. */
const struct of_relation of_pco_household_member_relations[] = {
    {"household", "Household", OF_REL_END, NULL, NULL, NULL, OF_VERB_CREATE, true},
    {"person", "Person", OF_REL_END, "people", NULL, NULL, OF_VERB_CREATE, true},
    OF_PCO_RELATIONS_END,
};

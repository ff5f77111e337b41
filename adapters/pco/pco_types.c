/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pco/pco_int.h"

/* All types in dependency order. A list goes by created_at where they both filter and sort by it. */

#define DEPENDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING ((const char *const[]){NULL})

#define ALL_VERBS (OF_VERB_CREATE | OF_VERB_UPDATE | OF_VERB_DELETE)

#define REFERENCE(type_name, type_plural, type_path)                                                                   \
    {                                                                                                                  \
        .name = type_name, .plural = type_plural, .kind = OF_KIND_REFERENCE, .path = type_path,                        \
        .list = OF_LIST_OFFSET, .depends = NOTHING, .fields = of_pco_reference_fields,                                 \
        .cannot = "lists of choices are kept in Planning Center"                                                       \
    }

#define CONTACT(type_name, type_plural, tag, type_path, type_below, type_updated, type_fields, column)                 \
    {                                                                                                                  \
        .name = type_name, .plural = type_plural, .kind = OF_KIND_ENTITY, .entity = tag, .path = type_path,            \
        .list = OF_LIST_WITH, .with = "Person", .has_updated = type_updated, .owned = true,                            \
        .depends = DEPENDS("Person"), .fields = type_fields, .relations = of_pco_contact_relations,                    \
        .match = OF_MATCH_CHILD, .match_column = column, .verbs = ALL_VERBS,                                           \
        .create_path = "/people/v2/people/{parent}/" type_below, .create_parent = "person"                             \
    }

const struct of_type of_pco_types[] = {
    {.name = "Campus", .plural = "Campuses", .kind = OF_KIND_ENTITY, .entity = "campus",
     .path = "/people/v2/campuses", .list = OF_LIST_CREATED, .has_updated = true, .depends = NOTHING,
     .fields = of_pco_campus_fields, .match = OF_MATCH_NAME, .match_column = "name",
     .verbs = ALL_VERBS},
    REFERENCE("MaritalStatus", "Marital Statuses", "/people/v2/marital_statuses"),
    REFERENCE("InactiveReason", "Inactive Reasons", "/people/v2/inactive_reasons"),
    REFERENCE("NamePrefix", "Name Prefixes", "/people/v2/name_prefixes"),
    REFERENCE("NameSuffix", "Name Suffixes", "/people/v2/name_suffixes"),
    {.name = "Tab", .plural = "Tabs", .kind = OF_KIND_ENTITY, .entity = "folder",
     .folder_type = "pco_custom_field_tab", .path = "/people/v2/tabs", .list = OF_LIST_OFFSET,
     .depends = NOTHING, .fields = of_pco_tab_fields, .match = OF_MATCH_NAME, .match_column = "name",
     .cannot = "tabs are made in Planning Center"},
    {.name = "FieldDefinition", .plural = "Field Definitions", .kind = OF_KIND_ENTITY, .entity = "field",
     .path = "/people/v2/field_definitions", .list = OF_LIST_OFFSET, .deleted_attr = "deleted_at",
     .depends = DEPENDS("Tab"), .fields = of_pco_definition_fields, .constants = of_pco_definition_constants,
     .relations = of_pco_definition_relations, .match = OF_MATCH_NAME, .match_column = "key",
     .cannot = "custom fields are defined in Planning Center"},
    {.name = "FieldOption", .plural = "Field Options", .kind = OF_KIND_ENTITY, .entity = "fieldOption",
     .path = "/people/v2/field_definitions/{parent}/field_options", .list = OF_LIST_WITH, .with = "FieldDefinition",
     .owned = true, .depends = DEPENDS("FieldDefinition"), .fields = of_pco_option_fields,
     .relations = of_pco_option_relations, .match = OF_MATCH_CHILD, .match_column = "value",
     .cannot = "options of custom fields are made in Planning Center"},
    {.name = "Person", .plural = "People", .kind = OF_KIND_ENTITY, .entity = "person", .path = "/people/v2/people",
     .list = OF_LIST_CREATED, .has_updated = true,
     .depends = DEPENDS("Campus", "MaritalStatus", "InactiveReason", "NamePrefix", "NameSuffix"),
     .fields = of_pco_person_fields, .relations = of_pco_person_relations, .match = OF_MATCH_PERSON,
     .verbs = ALL_VERBS},
    CONTACT("Email", "Emails", "email", "/people/v2/emails", "emails", true, of_pco_email_fields, "address"),
    CONTACT("PhoneNumber", "Phone Numbers", "phoneNumber", "/people/v2/phone_numbers", "phone_numbers", true,
            of_pco_phone_fields, "number"),
    /* where[updated_at] is silently ignored on addresses, so has_updated is false */
    CONTACT("Address", "Addresses", "address", "/people/v2/addresses", "addresses", false, of_pco_address_fields,
            "streetLine1"),
    {.name = "FieldDatum", .plural = "Field Data", .kind = OF_KIND_VALUE, .entity = "person",
     .path = "/people/v2/field_data", .list = OF_LIST_WITH, .with = "Person", .has_updated = true, .owned = true,
     .depends = DEPENDS("Person", "FieldDefinition", "FieldOption"), .fields = of_pco_datum_fields,
     .relations = of_pco_datum_relations,
     .verbs = ALL_VERBS, .create_path = "/people/v2/people/{parent}/field_data", .create_parent = "customizable"},
    {.name = "Household", .plural = "Households", .kind = OF_KIND_ENTITY, .entity = "household",
     .path = "/people/v2/households", .list = OF_LIST_CREATED, .has_updated = true, .depends = DEPENDS("Person"),
     .fields = of_pco_household_fields, .relations = of_pco_household_relations,
     .verbs = ALL_VERBS},
    {.name = "HouseholdMembership", .plural = "Household Memberships", .kind = OF_KIND_EDGE, .entity = "edge",
     .path = "/people/v2/households/{parent}/household_memberships", .list = OF_LIST_PER_PARENT, .with = "Household",
     .weak = true, .owned = true, .depends = DEPENDS("Household", "Person"),
     .fields = of_pco_household_member_fields, .relations = of_pco_household_member_relations,
     .verbs = OF_VERB_CREATE | OF_VERB_DELETE, .create_parent = "household",
     .cannot = "a member's role and confirmation are kept in Planning Center"},
    {.name = "GroupType", .plural = "Group Types", .kind = OF_KIND_ENTITY, .entity = "folder",
     .folder_type = "pco_group_type", .path = "/groups/v2/group_types", .list = OF_LIST_OFFSET, .depends = NOTHING,
     .fields = of_pco_group_type_fields, .match = OF_MATCH_NAME, .match_column = "name",
     .cannot = "group types are made in Planning Center"},
    {.name = "Group", .plural = "Groups", .kind = OF_KIND_ENTITY, .entity = "group", .path = "/groups/v2/groups",
     .extra = "where[archive_status]=include", .list = OF_LIST_OFFSET, .depends = DEPENDS("GroupType"),
     .fields = of_pco_group_fields, .relations = of_pco_group_relations, .match = OF_MATCH_NAME,
     .match_column = "name", .verbs = OF_VERB_UPDATE, .cannot = "groups are made and ended in Planning Center"},
    {.name = "Membership", .plural = "Group Memberships", .kind = OF_KIND_EDGE, .entity = "edge",
     .path = "/groups/v2/groups/{parent}/memberships", .list = OF_LIST_PER_PARENT, .with = "Group", .owned = true,
     .depends = DEPENDS("Group", "Person"), .fields = of_pco_membership_fields,
     .relations = of_pco_membership_relations,
     .verbs = ALL_VERBS, .create_parent = "group"},
    {.name = "Fund", .plural = "Funds", .kind = OF_KIND_ENTITY, .entity = "fund", .path = "/giving/v2/funds",
     .list = OF_LIST_OFFSET, .depends = NOTHING, .fields = of_pco_fund_fields, .match = OF_MATCH_NAME,
     .match_column = "name", .verbs = ALL_VERBS},
    {.name = "PaymentSource", .plural = "Payment Sources", .kind = OF_KIND_ENTITY, .entity = "paymentSource",
     .path = "/giving/v2/payment_sources", .list = OF_LIST_OFFSET, .depends = NOTHING,
     .fields = of_pco_source_fields, .match = OF_MATCH_NAME, .match_column = "name",
     .verbs = ALL_VERBS},
    {.name = "Batch", .plural = "Batches", .kind = OF_KIND_ENTITY, .entity = "batch", .path = "/giving/v2/batches",
     .list = OF_LIST_UPDATED, .has_updated = true, .depends = NOTHING, .fields = of_pco_batch_fields,
     .verbs = ALL_VERBS},
    {.name = "Donation", .plural = "Donations", .kind = OF_KIND_ENTITY, .entity = "donation",
     .path = "/giving/v2/donations", .list = OF_LIST_CREATED, .has_updated = true,
     .depends = DEPENDS("Person", "Batch", "Campus", "PaymentSource"), .fields = of_pco_donation_fields,
     .relations = of_pco_donation_relations,
     .verbs = ALL_VERBS, .create_path = "/giving/v2/batches/{parent}/donations", .create_parent = "batch"},
    {.name = "Designation", .plural = "Designations", .kind = OF_KIND_ENTITY, .entity = "designation",
     .path = "/giving/v2/donations/{parent}/designations", .list = OF_LIST_WITH, .with = "Donation", .owned = true,
     .depends = DEPENDS("Donation", "Fund"), .fields = of_pco_designation_fields,
     .relations = of_pco_designation_relations,
     .cannot = "a designation is sent inside its new donation, and kept in Planning Center from then on"},
    {.name = NULL},
};

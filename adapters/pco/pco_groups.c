/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pco/pco_int.h"

/* Product groups, version 2023-07-10. Nothing here has updated_at. */

const struct of_field of_pco_group_type_fields[] = {
    OF_PCO_COL_RO("name", "name", OF_CONV_TEXT),
    OF_PCO_COL_RO("description", "description", OF_CONV_TEXT),
    OF_PCO_COL_RO("color", "color", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("church_center_visible", OF_CONV_BOOL),
    OF_PCO_CUSTOM_RO("church_center_map_visible", OF_CONV_BOOL),
    OF_PCO_CUSTOM_RO("default_group_settings", OF_CONV_ANY),
    OF_PCO_CUSTOM_RO("position", OF_CONV_INT),
    OF_PCO_FIELDS_END,
};

const struct of_field of_pco_group_fields[] = {
    OF_PCO_COL_REQ("name", "name", OF_CONV_TEXT),
    OF_PCO_COL_RO("description", "description", OF_CONV_TEXT),
    OF_PCO_COL_RO("contact_email", "contactEmail", OF_CONV_TEXT),
    OF_PCO_COL("schedule", "schedule", OF_CONV_TEXT),
    OF_PCO_COL_RO("memberships_count", "memberCount", OF_CONV_INT),
    OF_PCO_COL_RO("archived_at", "archivedAt", OF_CONV_TIME),
    OF_PCO_COL_RO("public_church_center_web_url", "url", OF_CONV_TEXT),
    OF_PCO_COL_RO("header_image", "avatar", OF_CONV_IMAGE),
    OF_PCO_CUSTOM_RO("chat_enabled", OF_CONV_BOOL),
    OF_PCO_CUSTOM_RO("events_visibility", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("leaders_can_search_people_database", OF_CONV_BOOL),
    OF_PCO_CUSTOM_RO("location_type_preference", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("members_are_confidential", OF_CONV_BOOL),
    OF_PCO_CUSTOM_RO("virtual_location_url", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("widget_status", OF_CONV_ANY),
    OF_PCO_FIELDS_END,
};

const struct of_relation of_pco_group_relations[] = {
    {"group_type", "GroupType", OF_REL_EDGE, NULL, NULL, NULL, 0, false}, /* null for a "unique" group */
    OF_PCO_RELATIONS_END,
};

const struct of_field of_pco_membership_fields[] = {
    OF_PCO_COL("role", "role", OF_CONV_TEXT),
    OF_PCO_COL("joined_at", "joinedAt", OF_CONV_TIME),
    OF_PCO_FIELDS_END,
};

const struct of_relation of_pco_membership_relations[] = {
    {"group", "Group", OF_REL_END, NULL, NULL, NULL, OF_VERB_CREATE, true},
    {"person", "Person", OF_REL_END, NULL, NULL, NULL, OF_VERB_CREATE, true},
    OF_PCO_RELATIONS_END,
};

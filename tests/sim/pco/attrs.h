/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of every type at the versions that the simulator speaks (people 2026-06-04,
 * groups 2023-07-10, giving 2019-10-18), in the order in which they are sent.
 * X(enum name, name, kind, flags); flags: W where, O order, S may be written, H sent only when asked
 * by fields[], V not an attribute at all but a key of where or order. */
#ifndef PCO_SIM_ATTRS_H
#define PCO_SIM_ATTRS_H

#define SIM_PERSON(X)                                                                              \
    X(PERSON_ACCOUNTING_ADMIN, "accounting_administrator", BOOL, W | O | S)                        \
    X(PERSON_ANNIVERSARY, "anniversary", DATE, W | O | S)                                          \
    X(PERSON_AVATAR, "avatar", STR, S)                                                             \
    X(PERSON_BIRTHDATE, "birthdate", DATE, W | O | S)                                              \
    X(PERSON_CAN_CREATE_FORMS, "can_create_forms", BOOL, 0)                                        \
    X(PERSON_CAN_EMAIL_LISTS, "can_email_lists", BOOL, 0)                                          \
    X(PERSON_CHILD, "child", BOOL, W | O | S)                                                      \
    X(PERSON_CREATED_AT, "created_at", TIME, W | O)                                                \
    X(PERSON_DEMOGRAPHIC_AVATAR, "demographic_avatar_url", STR, 0)                                 \
    X(PERSON_DIRECTORY_STATUS, "directory_status", STR, 0)                                         \
    X(PERSON_FIRST_NAME, "first_name", STR, W | O | S)                                             \
    X(PERSON_GENDER, "gender", STR, W | O | S)                                                     \
    X(PERSON_GIVEN_NAME, "given_name", STR, W | O | S)                                             \
    X(PERSON_GRADE, "grade", INT, W | O | S)                                                       \
    X(PERSON_GRADUATION_YEAR, "graduation_year", INT, W | O | S)                                   \
    X(PERSON_INACTIVATED_AT, "inactivated_at", TIME, W | O | S)                                    \
    X(PERSON_LAST_NAME, "last_name", STR, W | O | S)                                               \
    X(PERSON_LOGIN_IDENTIFIER, "login_identifier", STR, 0)                                         \
    X(PERSON_MEDICAL_NOTES, "medical_notes", STR, W | S)                                           \
    X(PERSON_MEMBERSHIP, "membership", STR, W | O | S)                                             \
    X(PERSON_MFA_CONFIGURED, "mfa_configured", BOOL, W | H)                                        \
    X(PERSON_MIDDLE_NAME, "middle_name", STR, W | O | S)                                           \
    X(PERSON_NAME, "name", STR, 0)                                                                 \
    X(PERSON_NICKNAME, "nickname", STR, W | O | S)                                                 \
    X(PERSON_BACKGROUND_CHECK, "passed_background_check", BOOL, 0)                                 \
    X(PERSON_PERMISSIONS, "people_permissions", STR, W | O | S)                                    \
    X(PERSON_REMOTE_ID, "remote_id", INT, W | O | S)                                               \
    X(PERSON_RESOURCE_FLAGS, "resource_permission_flags", JSON, 0)                                 \
    X(PERSON_SCHOOL_TYPE, "school_type", STR, 0)                                                   \
    X(PERSON_SITE_ADMIN, "site_administrator", BOOL, W | O | S)                                    \
    X(PERSON_STATUS, "status", STR, W | O | S)                                                     \
    X(PERSON_UPDATED_AT, "updated_at", TIME, W | O)                                                \
    X(PERSON_DIRECTORY_INFO, "directory_shared_info", JSON, H)                                     \
    X(PERSON_STRIPE_ID, "stripe_customer_identifier", STR, H | S)                                  \
    X(PERSON_K_CAMPUS_ID, "primary_campus_id", INT, W | V)                                         \
    X(PERSON_K_SEARCH_NAME, "search_name", STR, W | V)                                             \
    X(PERSON_K_SEARCH_NAME_EMAIL, "search_name_or_email", STR, W | V)                              \
    X(PERSON_K_SEARCH_ALL, "search_name_or_email_or_phone_number", STR, W | V)                     \
    X(PERSON_K_SEARCH_PHONE, "search_phone_number", STR, W | V)                                    \
    X(PERSON_K_SEARCH_E164, "search_phone_number_e164", STR, W | V)

#define SIM_EMAIL(X)                                                                               \
    X(EMAIL_ADDRESS, "address", STR, W | O | S)                                                    \
    X(EMAIL_BLOCKED, "blocked", BOOL, W)                                                           \
    X(EMAIL_CREATED_AT, "created_at", TIME, W | O)                                                 \
    X(EMAIL_LOCATION, "location", STR, W | O | S)                                                  \
    X(EMAIL_PRIMARY, "primary", BOOL, W | O | S)                                                   \
    X(EMAIL_UPDATED_AT, "updated_at", TIME, W | O)

#define SIM_PHONE(X)                                                                               \
    X(PHONE_CARRIER, "carrier", STR, W | O | S)                                                    \
    X(PHONE_COUNTRY_CODE, "country_code", STR, 0)                                                  \
    X(PHONE_CREATED_AT, "created_at", TIME, W | O)                                                 \
    X(PHONE_E164, "e164", STR, 0)                                                                  \
    X(PHONE_INTERNATIONAL, "international", STR, 0)                                                \
    X(PHONE_LOCATION, "location", STR, W | O | S)                                                  \
    X(PHONE_NATIONAL, "national", STR, 0)                                                          \
    X(PHONE_NUMBER, "number", STR, W | O | S)                                                      \
    X(PHONE_PRIMARY, "primary", BOOL, W | O | S)                                                   \
    X(PHONE_UPDATED_AT, "updated_at", TIME, W | O)                                                 \
    X(PHONE_FORMATTED, "formatted_number", STR, H)

#define SIM_ADDRESS(X)                                                                             \
    X(ADDRESS_CITY, "city", STR, W | O | S)                                                        \
    X(ADDRESS_COUNTRY_CODE, "country_code", STR, W | O | S)                                        \
    X(ADDRESS_COUNTRY_NAME, "country_name", STR, 0)                                                \
    X(ADDRESS_CREATED_AT, "created_at", TIME, O)                                                   \
    X(ADDRESS_LOCATION, "location", STR, W | O | S)                                                \
    X(ADDRESS_PRIMARY, "primary", BOOL, W | O | S)                                                 \
    X(ADDRESS_STATE, "state", STR, W | O | S)                                                      \
    X(ADDRESS_STREET_1, "street_line_1", STR, W | O | S)                                           \
    X(ADDRESS_STREET_2, "street_line_2", STR, W | O | S)                                           \
    X(ADDRESS_UPDATED_AT, "updated_at", TIME, O)                                                   \
    X(ADDRESS_ZIP, "zip", STR, W | O | S)

#define SIM_CAMPUS(X)                                                                              \
    X(CAMPUS_AVATAR_URL, "avatar_url", STR, 0)                                                     \
    X(CAMPUS_CHURCH_CENTER, "church_center_enabled", BOOL, S)                                      \
    X(CAMPUS_CITY, "city", STR, S)                                                                 \
    X(CAMPUS_CONTACT_EMAIL, "contact_email_address", STR, S)                                       \
    X(CAMPUS_COUNTRY, "country", STR, S)                                                           \
    X(CAMPUS_CREATED_AT, "created_at", TIME, W | O)                                                \
    X(CAMPUS_DATE_FORMAT, "date_format", INT, S)                                                   \
    X(CAMPUS_DESCRIPTION, "description", STR, S)                                                   \
    X(CAMPUS_GEO_MANUAL, "geolocation_set_manually", BOOL, S)                                      \
    X(CAMPUS_LATITUDE, "latitude", FLOAT, S)                                                       \
    X(CAMPUS_LONGITUDE, "longitude", FLOAT, S)                                                     \
    X(CAMPUS_NAME, "name", STR, O | S)                                                             \
    X(CAMPUS_PHONE, "phone_number", STR, S)                                                        \
    X(CAMPUS_STATE, "state", STR, S)                                                               \
    X(CAMPUS_STREET, "street", STR, S)                                                             \
    X(CAMPUS_TIME_ZONE, "time_zone", STR, S)                                                       \
    X(CAMPUS_TIME_ZONE_RAW, "time_zone_raw", STR, 0)                                               \
    X(CAMPUS_24H, "twenty_four_hour_time", BOOL, S)                                                \
    X(CAMPUS_UPDATED_AT, "updated_at", TIME, W | O)                                                \
    X(CAMPUS_WEBSITE, "website", STR, S)                                                           \
    X(CAMPUS_ZIP, "zip", STR, S)

#define SIM_TAB(X)                                                                                 \
    X(TAB_NAME, "name", STR, W | O | S)                                                            \
    X(TAB_SEQUENCE, "sequence", INT, W | O | S)                                                    \
    X(TAB_SLUG, "slug", STR, W | O)

#define SIM_FIELD_DEFINITION(X)                                                                    \
    X(DEF_CONFIG, "config", STR, W | O | S)                                                        \
    X(DEF_DATA_TYPE, "data_type", STR, W | O | S)                                                  \
    X(DEF_DELETED_AT, "deleted_at", TIME, W | O | S)                                               \
    X(DEF_NAME, "name", STR, W | O | S)                                                            \
    X(DEF_SEQUENCE, "sequence", INT, W | O | S)                                                    \
    X(DEF_SLUG, "slug", STR, W | O | S)                                                            \
    X(DEF_TAB_ID, "tab_id", INT, W | O)

#define SIM_FIELD_OPTION(X)                                                                        \
    X(OPTION_SEQUENCE, "sequence", INT, W | O | S)                                                 \
    X(OPTION_VALUE, "value", STR, W | O | S)

#define SIM_FIELD_DATUM(X)                                                                         \
    X(DATUM_CREATED_AT, "created_at", TIME, W | O)                                                 \
    X(DATUM_FILE, "file", JSON, W | O)                                                             \
    X(DATUM_FILE_CONTENT_TYPE, "file_content_type", STR, W | O)                                    \
    X(DATUM_FILE_NAME, "file_name", STR, W | O)                                                    \
    X(DATUM_FILE_SIZE, "file_size", INT, W | O)                                                    \
    X(DATUM_UPDATED_AT, "updated_at", TIME, W | O)                                                 \
    X(DATUM_VALUE, "value", STR, W | O | S)                                                        \
    X(DATUM_K_DEFINITION_ID, "field_definition_id", INT, W | V)

#define SIM_VALUE(X, p, sequence_flags)                                                            \
    X(p##_VALUE, "value", STR, W | O | S)                                                          \
    X(p##_K_SEQUENCE, "sequence", INT, sequence_flags | V)
#define SIM_MARITAL_STATUS(X) SIM_VALUE(X, MARITAL, O)
#define SIM_INACTIVE_REASON(X) SIM_VALUE(X, REASON, 0)
#define SIM_NAME_PREFIX(X) SIM_VALUE(X, PREFIX, 0)
#define SIM_NAME_SUFFIX(X) SIM_VALUE(X, SUFFIX, 0)

#define SIM_HOUSEHOLD(X)                                                                           \
    X(HOUSEHOLD_AVATAR, "avatar", STR, S)                                                          \
    X(HOUSEHOLD_CREATED_AT, "created_at", TIME, W | O)                                             \
    X(HOUSEHOLD_MEMBER_COUNT, "member_count", INT, W | O | S)                                      \
    X(HOUSEHOLD_NAME, "name", STR, W | O | S)                                                      \
    X(HOUSEHOLD_CONTACT_ID, "primary_contact_id", STR, 0)                                          \
    X(HOUSEHOLD_CONTACT_NAME, "primary_contact_name", STR, W | O)                                  \
    X(HOUSEHOLD_UPDATED_AT, "updated_at", TIME, W | O)

#define SIM_HOUSEHOLD_MEMBERSHIP(X)                                                                \
    X(HHM_ROLE, "household_role", STR, 0)                                                          \
    X(HHM_PENDING, "pending", BOOL, W | O | S)                                                     \
    X(HHM_PERSON_NAME, "person_name", STR, W | O)

#define SIM_PERSON_MERGER(X)                                                                       \
    X(MERGER_CREATED_AT, "created_at", TIME, W | O)                                                \
    X(MERGER_KEEP_ID, "person_to_keep_id", INT, W)                                                 \
    X(MERGER_REMOVE_ID, "person_to_remove_id", INT, W)

#define SIM_GROUP(X)                                                                               \
    X(GROUP_ARCHIVED_AT, "archived_at", TIME, 0)                                                   \
    X(GROUP_CHAT_ENABLED, "chat_enabled", BOOL, 0)                                                 \
    X(GROUP_CONTACT_EMAIL, "contact_email", STR, 0)                                                \
    X(GROUP_CREATED_AT, "created_at", TIME, 0)                                                     \
    X(GROUP_DESCRIPTION, "description", STR, 0)                                                    \
    X(GROUP_EVENTS_VISIBILITY, "events_visibility", STR, 0)                                        \
    X(GROUP_HEADER_IMAGE, "header_image", JSON, 0)                                                 \
    X(GROUP_LEADERS_SEARCH, "leaders_can_search_people_database", BOOL, 0)                         \
    X(GROUP_LOCATION_TYPE, "location_type_preference", STR, 0)                                     \
    X(GROUP_CONFIDENTIAL, "members_are_confidential", BOOL, 0)                                     \
    X(GROUP_MEMBERSHIPS_COUNT, "memberships_count", INT, 0)                                        \
    X(GROUP_NAME, "name", STR, W | O | S)                                                          \
    X(GROUP_WEB_URL, "public_church_center_web_url", STR, 0)                                       \
    X(GROUP_SCHEDULE, "schedule", STR, S)                                                          \
    X(GROUP_VIRTUAL_URL, "virtual_location_url", STR, 0)                                           \
    X(GROUP_WIDGET_STATUS, "widget_status", JSON, 0)                                               \
    X(GROUP_CAN_CONVERSE, "can_create_conversation", BOOL, H)                                      \
    X(GROUP_K_ARCHIVE_STATUS, "archive_status", STR, W | V)

#define SIM_GROUP_TYPE(X)                                                                          \
    X(GTYPE_MAP_VISIBLE, "church_center_map_visible", BOOL, 0)                                     \
    X(GTYPE_VISIBLE, "church_center_visible", BOOL, 0)                                             \
    X(GTYPE_COLOR, "color", STR, 0)                                                                \
    X(GTYPE_SETTINGS, "default_group_settings", STR, 0)                                            \
    X(GTYPE_DESCRIPTION, "description", STR, 0)                                                    \
    X(GTYPE_NAME, "name", STR, O)                                                                  \
    X(GTYPE_POSITION, "position", INT, O)

#define SIM_MEMBERSHIP(X)                                                                          \
    X(MEMBER_JOINED_AT, "joined_at", TIME, O | S)                                                  \
    X(MEMBER_ROLE, "role", STR, W | O | S)                                                         \
    X(MEMBER_K_FIRST_NAME, "first_name", STR, O | V)                                               \
    X(MEMBER_K_LAST_NAME, "last_name", STR, O | V)

#define SIM_FUND(X)                                                                                \
    X(FUND_COLOR, "color", STR, 0)                                                                 \
    X(FUND_CREATED_AT, "created_at", TIME, 0)                                                      \
    X(FUND_DEFAULT, "default", BOOL, W)                                                            \
    X(FUND_DELETABLE, "deletable", BOOL, 0)                                                        \
    X(FUND_DESCRIPTION, "description", STR, S)                                                     \
    X(FUND_LEDGER_CODE, "ledger_code", STR, S)                                                     \
    X(FUND_NAME, "name", STR, W | S)                                                               \
    X(FUND_UPDATED_AT, "updated_at", TIME, 0)                                                      \
    X(FUND_VISIBILITY, "visibility", STR, W | S)

#define SIM_PAYMENT_SOURCE(X)                                                                      \
    X(SOURCE_CREATED_AT, "created_at", TIME, 0)                                                    \
    X(SOURCE_NAME, "name", STR, S)                                                                 \
    X(SOURCE_TYPE, "payment_source_type", STR, S)                                                  \
    X(SOURCE_UPDATED_AT, "updated_at", TIME, 0)

#define SIM_BATCH(X)                                                                               \
    X(BATCH_COMMITTED_AT, "committed_at", TIME, 0)                                                 \
    X(BATCH_CREATED_AT, "created_at", TIME, 0)                                                     \
    X(BATCH_DESCRIPTION, "description", STR, S)                                                    \
    X(BATCH_STATUS, "status", STR, 0)                                                              \
    X(BATCH_TOTAL_CENTS, "total_cents", INT, 0)                                                    \
    X(BATCH_TOTAL_CURRENCY, "total_currency", STR, 0)                                              \
    X(BATCH_UPDATED_AT, "updated_at", TIME, W | O)                                                 \
    X(BATCH_DONATIONS_COUNT, "donations_count", INT, H)

#define SIM_DONATION(X)                                                                            \
    X(DONATION_AMOUNT_CENTS, "amount_cents", INT, 0)                                               \
    X(DONATION_AMOUNT_CURRENCY, "amount_currency", STR, 0)                                         \
    X(DONATION_COMPLETED_AT, "completed_at", TIME, W | O)                                          \
    X(DONATION_CREATED_AT, "created_at", TIME, W | O)                                              \
    X(DONATION_FEE_CENTS, "fee_cents", INT, S)                                                     \
    X(DONATION_FEE_COVERED, "fee_covered", BOOL, 0)                                                \
    X(DONATION_FEE_CURRENCY, "fee_currency", STR, 0)                                               \
    X(DONATION_BRAND, "payment_brand", STR, S)                                                     \
    X(DONATION_CHECK_DATED, "payment_check_dated_at", DATE, S)                                     \
    X(DONATION_CHECK_NUMBER, "payment_check_number", INT, S)                                       \
    X(DONATION_LAST4, "payment_last4", STR, S)                                                     \
    X(DONATION_METHOD, "payment_method", STR, W | S)                                               \
    X(DONATION_METHOD_SUB, "payment_method_sub", STR, S)                                           \
    X(DONATION_STATUS, "payment_status", STR, 0)                                                   \
    X(DONATION_RECEIVED_AT, "received_at", TIME, W | O | S)                                        \
    X(DONATION_REFUNDABLE, "refundable", BOOL, 0)                                                  \
    X(DONATION_REFUNDED, "refunded", BOOL, 0)                                                      \
    X(DONATION_UPDATED_AT, "updated_at", TIME, W | O)

#define SIM_DESIGNATION(X)                                                                         \
    X(DESIG_AMOUNT_CENTS, "amount_cents", INT, 0)                                                  \
    X(DESIG_AMOUNT_CURRENCY, "amount_currency", STR, 0)                                            \
    X(DESIG_FEE_CENTS, "fee_cents", INT, 0)

#define SIM_REFUND(X)                                                                              \
    X(REFUND_AMOUNT_CENTS, "amount_cents", INT, 0)                                                 \
    X(REFUND_AMOUNT_CURRENCY, "amount_currency", STR, 0)                                           \
    X(REFUND_CREATED_AT, "created_at", TIME, 0)                                                    \
    X(REFUND_FEE_CENTS, "fee_cents", INT, 0)                                                       \
    X(REFUND_FEE_CURRENCY, "fee_currency", STR, 0)                                                 \
    X(REFUND_REFUNDED_AT, "refunded_at", TIME, 0)                                                  \
    X(REFUND_UPDATED_AT, "updated_at", TIME, 0)

#endif

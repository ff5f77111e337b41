/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/model.h"

#include <stdio.h>
#include <string.h>

/* Every entity table has these; the engine's own bookkeeping writes most of them. */
static const struct of_column base_columns[] = {
    {"id", OF_COL_TEXT, true},          {"_tag", OF_COL_TEXT, true},
    {"orgId", OF_COL_TEXT, true},       {"externalIds", OF_COL_JSON, true},
    {"customFields", OF_COL_JSON, true}, {"tags", OF_COL_JSON, true},
    {"status", OF_COL_TEXT, true},      {"createdAt", OF_COL_TIME, true},
    {"createdBy", OF_COL_TEXT, false},  {"updatedAt", OF_COL_TIME, false},
    {"updatedBy", OF_COL_TEXT, false},  {"deletedAt", OF_COL_TIME, false},
    {"deletedBy", OF_COL_TEXT, false},  {"inactivatedAt", OF_COL_TIME, false},
    {"inactivatedBy", OF_COL_TEXT, false},
    {NULL, OF_COL_TEXT, false},
};

#define TEXT(name) {name, OF_COL_TEXT, false}
#define TEXT_NN(name) {name, OF_COL_TEXT, true}
#define BOOL_NN(name) {name, OF_COL_BOOL, true}
#define INT(name) {name, OF_COL_INT, false}
#define INT_NN(name) {name, OF_COL_INT, true}
#define DOUBLE(name) {name, OF_COL_DOUBLE, false}
#define TIME(name) {name, OF_COL_TIME, false}
#define JSON_NN(name) {name, OF_COL_JSON, true}
#define END {NULL, OF_COL_TEXT, false}

static const struct of_column person_columns[] = {
    TEXT("firstName"), TEXT("middleName"), TEXT("lastName"),   TEXT("name"),
    TEXT("gender"),    TEXT("birthdate"),  TEXT("anniversary"), TEXT("avatar"),
    TEXT("membership"), TEXT_NN("type"),   END,
};

static const struct of_column email_columns[] = {
    TEXT_NN("address"), BOOL_NN("primary"), BOOL_NN("blocked"), TEXT("location"), TEXT_NN("type"), END,
};

static const struct of_column phone_columns[] = {
    TEXT("number"), TEXT("countryCode"), TEXT("location"), BOOL_NN("primary"), TEXT_NN("type"), END,
};

static const struct of_column address_columns[] = {
    TEXT("streetLine1"), TEXT("streetLine2"), TEXT("city"),       TEXT("state"),   TEXT("zip"),
    TEXT("countryCode"), TEXT("location"),    BOOL_NN("primary"), TEXT_NN("type"), END,
};

static const struct of_column campus_columns[] = {
    TEXT_NN("name"),     TEXT_NN("street"),  TEXT_NN("city"),     TEXT_NN("state"),
    TEXT_NN("zip"),      TEXT("countryCode"), TEXT("description"), TEXT("url"),
    TEXT("avatar"),      DOUBLE("latitude"), DOUBLE("longitude"), TEXT_NN("type"),
    END,
};

static const struct of_column folder_columns[] = {
    TEXT_NN("name"), TEXT("color"),       TEXT("description"),    TEXT("folderType"),
    TEXT("icon"),    TEXT("orderingKey"), TEXT("parentFolderId"), END,
};

static const struct of_column field_columns[] = {
    TEXT_NN("entityTag"), TEXT_NN("key"), TEXT_NN("label"), TEXT("description"),
    TEXT("source"),       TEXT_NN("type"), END,
};

static const struct of_column field_option_columns[] = {
    TEXT("fieldId"),  TEXT_NN("label"),  TEXT_NN("value"),
    INT_NN("order"),  BOOL_NN("active"), JSON_NN("pathwayConfig"),
    END,
};

static const struct of_column sacrament_columns[] = {
    TEXT_NN("type"), TEXT("administeredBy"), TEXT("receivedBy"), TEXT("occurredAt"), END,
};

static const struct of_column qualification_columns[] = {
    TEXT_NN("key"), TEXT_NN("name"), TEXT("description"), TEXT_NN("type"), END,
};

static const struct of_column household_columns[] = {
    TEXT_NN("name"), INT("memberCount"), TEXT("avatar"), TEXT_NN("type"), END,
};

static const struct of_column group_columns[] = {
    TEXT_NN("name"),  TEXT("description"), TEXT("contactEmail"), TEXT("avatar"), TEXT("url"),
    TEXT("schedule"), INT("memberCount"),  TIME("archivedAt"),   TEXT_NN("type"), END,
};

static const struct of_column fund_columns[] = {
    TEXT_NN("name"), TEXT("description"), TEXT("ledgerCode"), TEXT("visibility"),
    TEXT("color"),   BOOL_NN("primary"),  TEXT_NN("type"),    END,
};

static const struct of_column payment_source_columns[] = {TEXT_NN("name"), TEXT_NN("type"), END};

static const struct of_column batch_columns[] = {
    TEXT("description"), TEXT("batchStatus"), INT("totalCents"),
    TEXT("currency"),    TIME("committedAt"), TEXT_NN("type"),
    END,
};

static const struct of_column donation_columns[] = {
    INT_NN("amountCents"),  TEXT("currency"),   INT("feeCents"),      TEXT("paymentMethod"),
    TEXT("paymentStatus"),  TEXT("checkNumber"), TEXT("lastFour"),    TEXT("brand"),
    TIME("receivedAt"),     TIME("completedAt"), BOOL_NN("refunded"), TEXT_NN("type"),
    END,
};

static const struct of_column designation_columns[] = {
    INT_NN("amountCents"), TEXT("currency"), INT("feeCents"), TEXT_NN("type"), END,
};

static const struct of_entity entities[] = {
    {"person", "person", "openfaith_people", person_columns},
    {"email", "email", "openfaith_emails", email_columns},
    {"phoneNumber", "phonenumber", "openfaith_phoneNumbers", phone_columns},
    {"address", "address", "openfaith_addresses", address_columns},
    {"campus", "campus", "openfaith_campuses", campus_columns},
    {"folder", "folder", "openfaith_folders", folder_columns},
    {"field", "field", "openfaith_fields", field_columns},
    {"fieldOption", "fieldoption", "openfaith_fieldOptions", field_option_columns},
    {"sacrament", "sacrament", "openfaith_sacraments", sacrament_columns},
    {"qualification", "qualification", "openfaith_qualifications", qualification_columns},
    {"household", "household", "openfaith_households", household_columns},
    {"group", "group", "openfaith_groups", group_columns},
    {"fund", "fund", "openfaith_funds", fund_columns},
    {"paymentSource", "paymentsource", "openfaith_paymentSources", payment_source_columns},
    {"batch", "batch", "openfaith_batches", batch_columns},
    {"donation", "donation", "openfaith_donations", donation_columns},
    {"designation", "designation", "openfaith_designations", designation_columns},
};

const struct of_entity *of_model_entities(size_t *ret_n)
{
    *ret_n = OF_ARRAY_LEN(entities);
    return entities;
}

const struct of_entity *of_model_entity(const char *tag)
{
    if (!tag) {
        return NULL;
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(entities); i++) {
        if (strcmp(entities[i].tag, tag) == 0) {
            return &entities[i];
        }
    }
    return NULL;
}

const struct of_column *of_model_base_columns(void)
{
    return base_columns;
}

static const struct of_column *find_column(const struct of_column *columns, const char *name)
{
    for (const struct of_column *c = columns; c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

const struct of_column *of_model_column(const struct of_entity *e, const char *name)
{
    const struct of_column *own = find_column(e->columns, name);
    return own ? own : find_column(base_columns, name);
}

/* a to m is one range, the rest the other. */
static bool low_range(const char *id)
{
    char c = id[0];
    return (c >= 'a' && c <= 'm') || (c >= 'A' && c <= 'M');
}

bool of_edge_a_is_source_ids(const char *id_a, const char *id_b)
{
    if (low_range(id_a) != low_range(id_b)) {
        return low_range(id_a);
    }
    return strcmp(id_a, id_b) <= 0;
}

/* What an id of the tag begins with: the underscore belongs to the comparison ("field_" is before "fieldoption_"). */
static void id_start(const char *tag, char *buf, size_t size)
{
    const struct of_entity *e = of_model_entity(tag);
    (void)snprintf(buf, size, "%s_", e ? e->prefix : tag);
}

bool of_edge_a_is_source(const char *tag_a, const char *tag_b)
{
    char a[OF_TYPEID_MAX];
    char b[OF_TYPEID_MAX];
    id_start(tag_a, a, sizeof(a));
    id_start(tag_b, b, sizeof(b));
    return of_edge_a_is_source_ids(a, b);
}

const char *of_edge_type(const char *source_tag, const char *key, const char *target_tag, char *buf, size_t size)
{
    const char *middle = strchr(key, '_') ? key : "has";
    (void)snprintf(buf, size, "%s_%s_%s", source_tag, middle, target_tag);
    return buf;
}

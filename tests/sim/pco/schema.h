/* SPDX-License-Identifier: Apache-2.0 */
/* The types as tables: attributes, relationships, endpoints. Constant data. */
#ifndef PCO_SIM_SCHEMA_H
#define PCO_SIM_SCHEMA_H

#include "attrs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_kind { SIM_STR = 0, SIM_INT, SIM_FLOAT, SIM_BOOL, SIM_DATE, SIM_TIME, SIM_JSON };

enum {
    SIM_A_WHERE = 1,
    SIM_A_ORDER = 2,
    SIM_A_HIDDEN = 4,  /* sent only when fields[] names it */
    SIM_A_VIRTUAL = 8, /* a key of where/order without an attribute */
    SIM_A_SET = 16,    /* may be written */
};

struct sim_attr {
    const char *name;
    enum sim_kind kind;
    unsigned flags;
};

enum sim_type {
    SIM_T_PERSON = 0,
    SIM_T_EMAIL,
    SIM_T_PHONE,
    SIM_T_ADDRESS,
    SIM_T_CAMPUS,
    SIM_T_TAB,
    SIM_T_DEF,
    SIM_T_OPTION,
    SIM_T_DATUM,
    SIM_T_MARITAL,
    SIM_T_REASON,
    SIM_T_PREFIX,
    SIM_T_SUFFIX,
    SIM_T_HOUSEHOLD,
    SIM_T_HHM,
    SIM_T_MERGER,
    SIM_T_GROUP,
    SIM_T_GTYPE,
    SIM_T_MEMBER,
    SIM_T_FUND,
    SIM_T_SOURCE,
    SIM_T_BATCH,
    SIM_T_DONATION,
    SIM_T_DESIG,
    SIM_T_REFUND,
    SIM_T_COUNT,
    SIM_T_NONE = 255
};

#define SIM_ENUM(e, name, kind, flags) SIM_##e,
enum { SIM_PERSON(SIM_ENUM) };
enum { SIM_EMAIL(SIM_ENUM) };
enum { SIM_PHONE(SIM_ENUM) };
enum { SIM_ADDRESS(SIM_ENUM) };
enum { SIM_CAMPUS(SIM_ENUM) };
enum { SIM_TAB(SIM_ENUM) };
enum { SIM_FIELD_DEFINITION(SIM_ENUM) };
enum { SIM_FIELD_OPTION(SIM_ENUM) };
enum { SIM_FIELD_DATUM(SIM_ENUM) };
enum { SIM_MARITAL_STATUS(SIM_ENUM) };
enum { SIM_INACTIVE_REASON(SIM_ENUM) };
enum { SIM_NAME_PREFIX(SIM_ENUM) };
enum { SIM_NAME_SUFFIX(SIM_ENUM) };
enum { SIM_HOUSEHOLD(SIM_ENUM) };
enum { SIM_HOUSEHOLD_MEMBERSHIP(SIM_ENUM) };
enum { SIM_PERSON_MERGER(SIM_ENUM) };
enum { SIM_GROUP(SIM_ENUM) };
enum { SIM_GROUP_TYPE(SIM_ENUM) };
enum { SIM_MEMBERSHIP(SIM_ENUM) };
enum { SIM_FUND(SIM_ENUM) };
enum { SIM_PAYMENT_SOURCE(SIM_ENUM) };
enum { SIM_BATCH(SIM_ENUM) };
enum { SIM_DONATION(SIM_ENUM) };
enum { SIM_DESIGNATION(SIM_ENUM) };
enum { SIM_REFUND(SIM_ENUM) };
#undef SIM_ENUM

/* References (to one record) of a record, and the lists of those who refer to it. */
enum { SIM_R_PERSON_CAMPUS = 0, SIM_R_PERSON_MARITAL, SIM_R_PERSON_REASON, SIM_R_PERSON_PREFIX,
       SIM_R_PERSON_SUFFIX };
enum { SIM_R_CONTACT_PERSON = 0 };
enum { SIM_R_DEF_TAB = 0 };
enum { SIM_R_OPTION_DEF = 0 };
enum { SIM_R_DATUM_DEF = 0, SIM_R_DATUM_PERSON, SIM_R_DATUM_OPTION };
enum { SIM_R_HOUSEHOLD_CONTACT = 0 };
enum { SIM_R_HHM_HOUSEHOLD = 0, SIM_R_HHM_PERSON };
enum { SIM_R_GROUP_TYPE = 0 };
enum { SIM_R_MEMBER_GROUP = 0, SIM_R_MEMBER_PERSON };
enum { SIM_R_BATCH_OWNER = 0 };
enum { SIM_R_DONATION_BATCH = 0, SIM_R_DONATION_CAMPUS, SIM_R_DONATION_PERSON,
       SIM_R_DONATION_SOURCE };
enum { SIM_R_DESIG_DONATION = 0, SIM_R_DESIG_FUND };
enum { SIM_R_REFUND_DONATION = 0 };

enum { SIM_B_PERSON_EMAILS = 0, SIM_B_PERSON_PHONES, SIM_B_PERSON_ADDRESSES, SIM_B_PERSON_DATA,
       SIM_B_PERSON_HHM, SIM_B_PERSON_MEMBER, SIM_B_PERSON_DONATIONS };
enum { SIM_B_TAB_DEFS = 0 };
enum { SIM_B_DEF_OPTIONS = 0 };
enum { SIM_B_HOUSEHOLD_HHM = 0 };
enum { SIM_B_GROUP_MEMBERS = 0 };
enum { SIM_B_GTYPE_GROUPS = 0 };
enum { SIM_B_BATCH_DONATIONS = 0 };
enum { SIM_B_DONATION_DESIGS = 0, SIM_B_DONATION_REFUNDS };

struct sim_ref {
    uint8_t target; /* enum sim_type */
    int8_t back;    /* list of the target that holds us, -1 none */
};

enum sim_rel_kind {
    SIM_REL_ONE = 0, /* slot: reference */
    SIM_REL_ONE_VIA, /* slot: reference, via: reference of that */
    SIM_REL_MANY,    /* slot: list */
    SIM_REL_VIA,     /* slot: list, via: reference of its records */
    SIM_REL_FLAT,    /* slot: list, via: list of each of its records */
    SIM_REL_FIRST,   /* slot: list, its first record or null */
    SIM_REL_ORG,
    SIM_REL_NONE_ONE, /* always null */
    SIM_REL_NONE_MANY /* always empty */
};

enum {
    SIM_REL_ALWAYS = 1,  /* in relationships always */
    SIM_REL_INCLUDE = 2, /* can be included, and is in relationships then */
    SIM_REL_NESTED = 4,  /* an endpoint below the record */
    SIM_REL_DUMP = 8,    /* never sent, only in dumps */
};

struct sim_rel {
    const char *name;
    const char *doc_type;
    enum sim_rel_kind kind;
    uint8_t target;
    uint8_t slot;
    uint8_t via;
    unsigned flags;
    const char *product; /* for nested endpoints in another product, else NULL */
};

struct sim_type_def {
    const char *name;    /* Person */
    const char *product; /* people */
    const char *path;    /* people: list endpoint and segment of links */
    bool top;            /* listed at /product/v2/path */
    int8_t parent_ref;   /* links.self is below this reference, -1 none */
    const struct sim_attr *attrs;
    uint8_t attr_count;
    uint8_t value_count; /* attributes that have a value: the virtual ones are last */
    int8_t created;      /* attribute of created_at, -1 none */
    int8_t updated;
    const struct sim_ref *refs;
    uint8_t ref_count;
    uint8_t back_count;
    const struct sim_rel *rels;
    uint8_t rel_count;
    const char *filters; /* "a","b" as can_filter says, NULL none */
    bool where_id;       /* can be asked for by id */
};

extern const struct sim_type_def sim_types[SIM_T_COUNT];

enum sim_type sim_type_by_name(const char *name);
enum sim_type sim_type_by_path(const char *product, const char *path);
int sim_attr_by_name(const struct sim_type_def *def, const char *name); /* -1 none */
int sim_rel_by_name(const struct sim_type_def *def, const char *name);

#endif

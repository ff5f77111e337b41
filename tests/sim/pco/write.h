/* SPDX-License-Identifier: Apache-2.0 */
/* POST, PATCH and DELETE. A request is read into values and references beside the record, judged as
 * a whole, and only then applied: an answer of 4xx has changed nothing. Caller holds org->lock. */
#ifndef PCO_SIM_WRITE_H
#define PCO_SIM_WRITE_H

#include "api.h"
#include "change.h"

#include <cjson/cJSON.h>

enum { SIM_MAX_VALUES = 48, SIM_MAX_REFS = 8 };

/* How values come back otherwise than they were sent. Blanks at both ends always go. */
enum {
    SIM_RESPELL_PHONE = 1, /* 7605550100 -> (760) 555-0100 */
    SIM_RESPELL_EMAIL = 2, /* lower case */
    SIM_RESPELL_STATE = 4, /* upper case */
    SIM_RESPELL_NAME = 8,  /* first letters upper case */
    SIM_RESPELL_BLANK = 16 /* "" becomes null */
};
/* "phone,email" or "" into the bits above; false: an unknown word. */
bool sim_respell_parse(const char *words, unsigned *ret);

struct sim_write {
    struct sim_change c;
    const struct sim_call *call;
    struct sim_answer *answer;
    const struct sim_write_type *how;
    struct sim_rec *parent; /* of a nested endpoint */
    struct sim_rec *rec;    /* NULL while creating */
    bool church;            /* done by somebody at the church: no time limit, nothing forbidden */
    const cJSON *data;
    const cJSON *included;
    union sim_val vals[SIM_MAX_VALUES]; /* as they will be */
    bool given[SIM_MAX_VALUES];
    struct sim_rec *refs[SIM_MAX_REFS];
    bool ref_given[SIM_MAX_REFS];
    struct sim_vec people; /* of a household that is being made */
    struct sim_buf errors;
    bool changed; /* something that moves updated_at differs */
};

struct sim_write_link { /* a relationship that may be written, also as an x_id attribute */
    const char *name;
    uint8_t target;
    uint8_t slot;
    unsigned flags;
};
enum { SIM_LINK_CREATE_ONLY = 1, SIM_LINK_REQUIRED = 2 };

enum { SIM_W_CREATE = 1, SIM_W_PATCH = 2, SIM_W_DELETE = 4 };

struct sim_write_type {
    enum sim_type type;
    unsigned verbs;
    enum sim_type parent; /* created below it, NONE: at the top */
    int parent_slot;
    const struct sim_write_link *links;
    int link_count;
    void (*defaults)(struct sim_write *w); /* values of a new record */
    void (*check)(struct sim_write *w);    /* derives and judges; errors refuse all */
    void (*after)(struct sim_write *w);    /* what the change does to others; rec is set */
    void (*remove)(struct sim_write *w);   /* may refuse by an error; NULL: just removes it */
};

extern const struct sim_write_type sim_write_people[];
extern const size_t sim_write_people_count;
extern const struct sim_write_type sim_write_giving[];
extern const size_t sim_write_giving_count;

/* POST, PATCH or DELETE of the segments /product/v2/...: sets the status; gives the record to be shown, NULL when
 * the answer is complete. */
struct sim_rec *sim_write_handle(const struct sim_call *call, char *const *segments, int count, struct sim_answer *answer);

/* --- for the types --- */
void sim_refuse(struct sim_write *w, const char *parameter, const char *detail); /* validation */
void sim_refuse_attribute(struct sim_write *w, const char *name);                /* cannot be assigned */
void sim_refuse_reference(struct sim_write *w, const char *name);                /* not found */
/* Refuses when the text is missing or empty. */
void sim_require_text(struct sim_write *w, int attr);
/* Refuses a value that is not one of the list (NULL at its end); a null passes. */
void sim_require_one_of(struct sim_write *w, int attr, const char *const *list);
/* The record that {"type", "id"} or an id names, NULL: none. */
struct sim_rec *sim_write_target(struct sim_write *w, enum sim_type type, const cJSON *linkage);
/* A new record of the type with all null, its times now; not in any index yet. */
struct sim_rec *sim_write_make(const struct sim_change *c, enum sim_type type);

/* write_values.c: reads a JSON value as the attribute's kind. False: it cannot be one at all. */
bool sim_write_value(struct sim_org *org, enum sim_type type, int attr, const cJSON *value, union sim_val *ret);
/* Spells the given values as the church's settings say, and derives what follows from a number. */
void sim_write_respell(struct sim_write *w);
bool sim_val_equal(enum sim_kind kind, union sim_val a, union sim_val b);

#endif

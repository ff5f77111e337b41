/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_MAPPING_H
#define OF_MAPPING_H

/* A resource object becomes a record's canonical body (adapter.h says its shape), by the tables alone. Any thread. */

#include "adapters/adapter.h"
#include "adapters/jsonapi.h"

#define OF_MAP_ATTRS_MAX 64
#define OF_MAP_SLOTS 256 /* a power of two, well above OF_MAP_ATTRS_MAX */
#define OF_MAP_NONE 255

/* A type's attributes, prepared so that one pass over a record's finds them all. */
struct of_plan {
    const struct of_type *type;
    int n_attrs;
    const char *attrs[OF_MAP_ATTRS_MAX];
    unsigned char slots[OF_MAP_SLOTS];       /* hash -> index in attrs, OF_MAP_NONE */
    unsigned char field[OF_MAP_ATTRS_MAX];   /* field i of the table -> index of its attribute */
    unsigned char other[OF_MAP_ATTRS_MAX];   /* … of its fallback, OF_MAP_NONE */
    unsigned char rel_attr[OF_MAP_ATTRS_MAX]; /* relation i -> index of `<key>_id` */
    unsigned char created, updated;
    unsigned char nickname, given_name; /* of people only, else OF_MAP_NONE */
    char rel_keys[OF_MAP_ATTRS_MAX][64]; /* the texts of `<key>_id` */
};
void of_plan_init(struct of_plan *plan, const struct of_type *type);

struct of_map_in {
    const struct of_adapter *adapter;
    const struct of_plan *plan;
    const struct of_json *node; /* the resource object */
    of_scope scope;
    /* What it came under, if it does not say so itself: type name and id, or NULL. */
    const char *parent_type;
    const char *parent_id;
    /* Records that came with it, for OF_REL_VALUE; NULL if there is none of that id. */
    const struct of_json *(*find)(void *arg, const char *type, const char *id);
    void *arg;
};

struct of_map_out {
    struct of_buf *body;  /* cleared, then the canonical body */
    struct of_buf *match; /* appended: match keys of OF_MATCH_PERSON types; or NULL */
    bool has_created, has_updated;
    struct of_wall created_at, updated_at;
    char parent_id[OF_JSONAPI_ID_MAX + 1]; /* of type->with, if known; else "" */
    const char *match_text;                /* text of match_column (an e-mail's address); borrowed from node, or NULL */
    char cause[200];                       /* why not: $.attributes.first_name: expected string */
};

/* False: the record cannot be used, out->cause says why. */
bool of_map_record(const struct of_map_in *in, struct of_map_out *out);

/* The times alone, for rows; false where it has none or a wrong one. */
bool of_map_time(const struct of_json *node, const char *attr, struct of_wall *ret);

#endif

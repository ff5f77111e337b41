/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_MODEL_H
#define OF_MODEL_H

/* OpenFaith's canonical model as this engine sees it: entity tables and their columns, TypeIDs, the direction of edges.
 * Constant tables; any thread, no blocking. Source: the CDM of OpenFaith (docs/model.md). */

#include "common/base/base.h"

enum of_coltype {
    OF_COL_TEXT = 0,
    OF_COL_BOOL,
    OF_COL_INT,    /* int or bigint */
    OF_COL_DOUBLE,
    OF_COL_TIME,   /* timestamptz */
    OF_COL_JSON
};

struct of_column {
    const char *name; /* as in SQL, unquoted: firstName */
    enum of_coltype type;
    bool not_null; /* where theirs is null, a filler stands: '' 0 false */
};

struct of_entity {
    const char *tag;    /* person, phoneNumber */
    const char *prefix; /* of its TypeIDs: person, phonenumber */
    const char *table;  /* openfaith_people (quote it: some have capitals) */
    const struct of_column *columns; /* own columns, without the base columns; ends with name NULL */
};

/* All entity tables, in a fixed order; *ret_n their number. */
const struct of_entity *of_model_entities(size_t *ret_n);
const struct of_entity *of_model_entity(const char *tag); /* NULL if unknown */
/* The columns that every entity table has (status, inactivatedAt, …); ends with name NULL. */
const struct of_column *of_model_base_columns(void);
/* An own column, else a base column; NULL if the table has none of that name. */
const struct of_column *of_model_column(const struct of_entity *e, const char *name);

#define OF_TYPEID_MAX 64
/* A fresh TypeID `<prefix>_<26 chars>` (UUIDv7, ascending within the process, all threads). buf has OF_TYPEID_MAX bytes. */
const char *of_typeid_new(const char *prefix, char *buf);
bool of_typeid_valid(const char *id, const char *prefix);

/* The alpha pattern: true if an entity of tag a is the source of an edge to one of tag b: what decides is how their ids
 * begin (person_ comes before phonenumber_). Same tag: decide by id with of_edge_a_is_source_ids(). */
bool of_edge_a_is_source(const char *tag_a, const char *tag_b);
bool of_edge_a_is_source_ids(const char *id_a, const char *id_b);
/* `<source>_has_<target>`, or `<source>_<key>_<target>` when the relation's key has an underscore. buf of size bytes. */
const char *of_edge_type(const char *source_tag, const char *key, const char *target_tag, char *buf, size_t size);

#endif

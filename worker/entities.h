/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_ENTITIES_H
#define OF_WORKER_ENTITIES_H

/* The statements that write OpenFaith's tables, made once per external type from constant tables (adapter.h, model.h):
 * identifiers never come from outside, values are parameters. Made at start, constant after; any thread. */

#include "adapters/adapter.h"
#include "common/model/model.h"
#include "common/pg/sql.h"

struct of_entity_column {
    const char *name;
    enum of_coltype type;
    bool not_null;
    bool from_parent; /* OF_REL_COLUMN: the parent's entity id */
};

enum { OF_ENTITY_COLUMNS_MAX = 32 };

struct of_type_sql {
    const struct of_type *type;
    const struct of_entity *entity; /* NULL unless OF_KIND_ENTITY */
    struct of_entity_column columns[OF_ENTITY_COLUMNS_MAX]; /* what the mapping fills */
    int n_columns;
    bool has_edges; /* relations that become edges */
    /* $1 org, $2 adapter, $3 external ids, $4 new entity ids, $5 mode (b, o, c): claims unmatched links and feeds the inserts
     * of entities, edges and of work rows for edges whose other end is not linked yet. Owned types: only below a linked
     * parent. Affects the entities made. */
    struct of_sql create;
    /* $1 org, $2 adapter, $3 external ids, $4 mode, $5 all are fresh, $6 fresh ones ("12 Campus/3"): the edges of linked records as
     * base.seen says; one that somebody here deleted only where it is fresh. */
    struct of_sql edges;
    /* $1 org, $2 adapter, $3 external ids: what populate looks at, entity rows locked FOR NO KEY UPDATE in id order.
     * Gives external_id, entity_id, link id, external_updated_at (us), staged, seen, agreed, entity row, link state. */
    struct of_sql load;
    /* $1 org, $2 entity ids, $3 patches (jsonb: column -> value), $4 updatedAt (null: now), $5 by; where updatedAt stays what it is,
     * an older change of theirs was taken beside a newer one of ours, and updatedBy stays too. */
    struct of_sql update;
    /* $1 org, $2 entity ids: id and row as they stand. */
    struct of_sql again;
    /* $1 org, $2 entity ids, $3 by: soft-deletes entities and their edges. */
    struct of_sql remove;
    /* $1 org, $2 entity ids: how many rows are there, and how many of them are not deleted; held for the rest of the transaction. */
    struct of_sql living;
    /* $1 org, $2 adapter: a row if some living entity of the table is not linked in this adapter. */
    struct of_sql unlinked;
    /* OF_MATCH_CHILD, OF_MATCH_NAME: $1 org, $2 adapter, $3 external ids. Gives external_id, entity_id, in id order. */
    struct of_sql match;
    /* $1 org, $2 adapter, $3 entity id: what the way out looks at. Always one row: entity row, alive, deletedBy, link id, external
     * id, its parent (Type/id), seen, agreed, out_open, a tombstone forbids it, candidate of an open review. */
    struct of_sql out;
    /* $1 org, $2 adapter, $3 after, $4 how many: hints entities that are not linked, by id. Gives looked at, last id, hinted. */
    struct of_sql out_hint;
};

/* NULL for an unknown type. Builds all tables of an adapter at the first call; call once from main before threads start. */
void of_entities_init(const struct of_adapter *a);
const struct of_type_sql *of_type_sql(const struct of_type *t);
/* relationshipType of a relation of t, and whether the record itself is the source. buf of 128 bytes. */
const char *of_relation_edge(const struct of_adapter *a, const struct of_type *t, const struct of_relation *r, char *buf,
                             bool *ret_self_is_source);
/* The edge that a record of a type of kind EDGE is: its two ends as the mapping names them, their tags, relationshipType and -Key. */
struct of_edge_record {
    const struct of_relation *ends[2];
    const char *tags[2];
    const char *key;
    bool first_is_source;
    char rtype[128];
};
void of_edge_record_of(const struct of_adapter *a, const struct of_type *t, struct of_edge_record *ret);

#endif

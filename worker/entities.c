/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/entities.h"

#include <string.h>

#include "common/base/buf.h"

static struct of_type_sql *tables; /* one array per adapter would do; there is one adapter's worth at a time */
static size_t n_tables;

const struct of_type_sql *of_type_sql(const struct of_type *t)
{
    for (size_t i = 0; i < n_tables; i++) {
        if (tables[i].type == t) {
            return &tables[i];
        }
    }
    return NULL;
}

const char *of_relation_edge(const struct of_adapter *a, const struct of_type *t, const struct of_relation *r, char *buf,
                             bool *ret_self_is_source)
{
    const char *key = r->edge_key ? r->edge_key : r->key;
    const struct of_type *target = of_type_find(a, r->target);
    OF_BUG_ON(!target || !target->entity || !t->entity);
    *ret_self_is_source = of_edge_a_is_source(t->entity, target->entity);
    return *ret_self_is_source ? of_edge_type(t->entity, key, target->entity, buf, 128)
                               : of_edge_type(target->entity, key, t->entity, buf, 128);
}

void of_edge_record_of(const struct of_adapter *a, const struct of_type *t, struct of_edge_record *ret)
{
    int n = 0;
    for (const struct of_relation *r = t->relations; r && r->key && n < 2; r++) {
        if (r->kind == OF_REL_END) {
            ret->tags[n] = of_type_find(a, r->target)->entity;
            ret->ends[n++] = r;
        }
    }
    OF_BUG_ON(n != 2);
    ret->key = ret->ends[1]->edge_key ? ret->ends[1]->edge_key : ret->ends[1]->key;
    ret->first_is_source = of_edge_a_is_source(ret->tags[0], ret->tags[1]);
    (void)of_edge_type(ret->tags[ret->first_is_source ? 0 : 1], ret->key, ret->tags[ret->first_is_source ? 1 : 0], ret->rtype,
                       sizeof ret->rtype);
}

/* Rows are found key by key (LATERAL … LIMIT 1) and written by INSERT … ON CONFLICT on the whole key: on a young table, which has no
 * statistics, the planner takes every prefix of a key for one row, and any join it may choose freely ends in scanning it all. */

/* The link with the key (type, id), both SQL expressions; columns without a prefix. The inner name must hide no outer one. */
static void link_lookup(struct of_buf *b, const char *alias, const char *columns, const char *type, const char *id)
{
    of_buf_fmt(b,
               " CROSS JOIN LATERAL (SELECT %s FROM sync.external_link found WHERE found.org_id = $1 AND found.adapter = $2 "
               "AND found.external_type = %s AND found.external_id = %s LIMIT 1) %s",
               columns, type, id, alias);
}

static void base_lookup(struct of_buf *b, const char *columns, const char *link_id)
{
    of_buf_fmt(b, " CROSS JOIN LATERAL (SELECT %s FROM sync.base b WHERE b.org_id = $1 AND b.link_id = %s LIMIT 1) b", columns,
               link_id);
}

static bool is_edge(const struct of_relation *r)
{
    return r->kind == OF_REL_EDGE || r->kind == OF_REL_EDGES;
}

static void add_column(struct of_type_sql *s, const char *name, bool from_parent)
{
    for (int i = 0; i < s->n_columns; i++) {
        if (strcmp(s->columns[i].name, name) == 0) {
            return;
        }
    }
    const struct of_column *c = of_model_column(s->entity, name);
    OF_BUG_ON(!c || s->n_columns == OF_ENTITY_COLUMNS_MAX);
    s->columns[s->n_columns++] =
        (struct of_entity_column){.name = c->name, .type = c->type, .not_null = c->not_null, .from_parent = from_parent};
}

static void collect_columns(struct of_type_sql *s)
{
    const struct of_type *t = s->type;
    for (const struct of_field *f = t->fields; f && f->attr; f++) {
        if (f->column) {
            add_column(s, f->column, false);
        }
    }
    for (const struct of_constant *c = t->constants; c && c->column; c++) {
        add_column(s, c->column, false);
    }
    if (t->folder_type) {
        add_column(s, "folderType", false);
    }
    for (const struct of_relation *r = t->relations; r && r->key; r++) {
        if (r->kind == OF_REL_COLUMN) {
            add_column(s, r->column, true);
        }
        s->has_edges = s->has_edges || is_edge(r);
    }
}

static const char *sql_type(enum of_coltype t)
{
    static const char *const names[] = {"text", "boolean", "bigint", "float8", "timestamptz", "jsonb"};
    return names[t];
}

static const char *filler(const struct of_entity_column *c)
{
    if (strcmp(c->name, "status") == 0) {
        return "'active'";
    }
    switch (c->type) {
    case OF_COL_BOOL:
        return "false";
    case OF_COL_INT:
    case OF_COL_DOUBLE:
        return "0";
    case OF_COL_TIME:
        return "now()";
    case OF_COL_JSON:
        return "'[]'";
    case OF_COL_TEXT:
        break;
    }
    return "''";
}

/* The record definition of jsonb_to_record: ("firstName" text, …). */
static void record_def(const struct of_type_sql *s, struct of_buf *b, bool with_deleted)
{
    of_buf_str(b, "(\"customFields\" jsonb");
    for (int i = 0; i < s->n_columns; i++) {
        of_buf_fmt(b, ", \"%s\" %s", s->columns[i].name, sql_type(s->columns[i].type));
    }
    of_buf_str(b, with_deleted ? ", \"deletedAt\" timestamptz, \"deletedBy\" text)" : ")");
}

/* parent_known: b has parent_entity, which is linked and need not be looked up.
 * CTEs r, e, w: relations of the records in CTE b (external_id, entity_id, seen): edges where the other end is linked, a work row
 * that waits where it is not. mode is the parameter that holds b, o or c. */
static void edge_ctes(const struct of_adapter *a, const struct of_type_sql *s, const char *mode, bool parent_known,
                      const char *only, struct of_buf *b)
{
    const struct of_type *t = s->type;
    bool first = true;
    of_buf_str(b, ", v AS MATERIALIZED (SELECT b.external_id, b.entity_id, v.* FROM b CROSS JOIN LATERAL (");
    for (const struct of_relation *rel = t->relations; rel && rel->key; rel++) {
        if (!is_edge(rel)) {
            continue;
        }
        char type[128];
        bool self = false;
        (void)of_relation_edge(a, t, rel, type, &self);
        const char *target_tag = of_type_find(a, rel->target)->entity;
        bool is_parent = parent_known && strcmp(rel->target, t->with) == 0 && rel->kind == OF_REL_EDGE;
        of_buf_fmt(b,
                   "%sSELECT '%s'::text AS edge_key, m.ref, '%s'::text AS rtype, %s AS self_source, '%s'::text AS ttag, %s AS known",
                   first ? "" : " UNION ALL ", rel->edge_key ? rel->edge_key : rel->key, type, self ? "true" : "false",
                   target_tag, is_parent ? "b.parent_entity" : "NULL::text");
        if (rel->kind == OF_REL_EDGES) {
            of_buf_fmt(b, " FROM jsonb_array_elements_text(b.seen -> '_many' -> '%s') m (ref)", rel->key);
        } else {
            of_buf_fmt(b, " FROM (SELECT b.seen -> '_rel' ->> '%s' AS ref) m WHERE m.ref IS NOT NULL", rel->key);
            if (only[0]) { /* where it was agreed to differ ours stands */
                of_buf_fmt(b, " AND NOT coalesce(b.agreed -> '_rel' ? '%s', false)", rel->key);
            }
        }
        first = false;
    }
    of_buf_fmt(b,
               ") v), r AS MATERIALIZED (SELECT v.*, coalesce(v.known, t.entity_id) AS other, "
               "CASE WHEN v.known IS NULL THEN t.state ELSE 'linked' END AS other_state FROM v LEFT JOIN LATERAL ("
               "SELECT CASE WHEN l.state = 'merged_into' THEN k.entity_id ELSE l.entity_id END AS entity_id, "
               "CASE WHEN l.state = 'merged_into' THEN k.state ELSE l.state END AS state FROM sync.external_link l "
               "LEFT JOIN LATERAL (SELECT m.entity_id, m.state FROM sync.external_link m WHERE l.state = 'merged_into' "
               "AND m.org_id = $1 AND m.adapter = $2 AND m.external_type = l.external_type "
               "AND m.external_id = l.link_metadata ->> 'mergedInto' LIMIT 1) k ON true "
               "WHERE v.known IS NULL AND l.org_id = $1 AND l.adapter = $2 "
               "AND l.external_type = split_part(v.ref, '/', 1) AND l.external_id = split_part(v.ref, '/', 2) "
               "AND l.kind = 'entity' LIMIT 1) t ON true)"
               ", e AS (INSERT INTO public.openfaith_edges AS e (\"orgId\", \"sourceEntityId\", \"sourceEntityTypeTag\", "
               "\"targetEntityId\", \"targetEntityTypeTag\", \"relationshipType\", metadata, \"createdAt\", \"createdBy\") "
               "SELECT DISTINCT $1, CASE WHEN self_source THEN entity_id ELSE other END, "
               "CASE WHEN self_source THEN '%s' ELSE ttag END, CASE WHEN self_source THEN other ELSE entity_id END, "
               "CASE WHEN self_source THEN ttag ELSE '%s' END, rtype, "
               "jsonb_build_object('relationshipKey', edge_key, 'source', $2 || '_direct'), now(), 'sync:' || $2 "
               "FROM r WHERE other_state = 'linked'%s "
               "ON CONFLICT (\"orgId\", \"sourceEntityId\", \"targetEntityId\", \"relationshipType\") DO UPDATE "
               "SET \"deletedAt\" = NULL, \"deletedBy\" = NULL, \"updatedAt\" = now(), \"updatedBy\" = excluded.\"createdBy\", "
               "metadata = e.metadata || excluded.metadata WHERE e.\"deletedAt\" IS NOT NULL)"
               ", w AS (INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, state, reason, waits_for, "
               "due_at) SELECT DISTINCT ON (external_id) $1, $2, 'in', '%s', external_id, "
               "CASE WHEN other_state = 'ambiguous' OR (%s = 'o' AND other_state = 'unmatched') THEN 'parked' ELSE 'waiting' END, "
               "'edge', ref, now() + coalesce(current_setting('openfaith.waiting_recheck_ms', true)::int, 600000) "
               "* interval '1 millisecond' FROM r "
               "WHERE coalesce(other_state, 'unmatched') IN ('unmatched', 'ambiguous') ORDER BY external_id, ref "
               "ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE "
               /* the same again is no news: whoever reads the one would wake the others */
               "SET gen = w.gen + (w.waits_for IS DISTINCT FROM excluded.waits_for)::int, "
               "waits_for = excluded.waits_for, state = CASE WHEN w.state IN ('waiting', 'parked') THEN excluded.state "
               "ELSE w.state END)",
               t->entity, t->entity, only, t->name, mode);
}

static char *take(struct of_buf *b)
{
    char *text = NULL;
    OF_BUG_ON(of_buf_take(b, &text, NULL, NULL) != OF_OK);
    return text;
}

static void build_create(const struct of_adapter *a, struct of_type_sql *s)
{
    const struct of_type *t = s->type;
    struct of_buf b = OF_BUF_INIT(64 * 1024);
    OF_CLEANUP(of_freep) char *type = of_asprintf("'%s'", t->name);
    of_buf_str(&b, "-- params: 5\nWITH k AS MATERIALIZED (SELECT l.*, x.eid FROM unnest($3::text[], $4::text[]) AS x (ext, eid)");
    link_lookup(&b, "l", "id, external_id, kind, link_metadata, state, entity_id, external_created_at, "
                         "external_updated_at", type, "x.ext");
    of_buf_str(&b, " WHERE l.state = 'unmatched' AND l.entity_id IS NULL)");
    if (t->owned) {
        OF_CLEANUP(of_freep) char *parent_type = of_asprintf("'%s'", t->with);
        OF_CLEANUP(of_freep) char *parent = of_asprintf("substr(k.link_metadata ->> 'parent', %zu)", strlen(t->with) + 2);
        of_buf_str(&b, ", f AS MATERIALIZED (SELECT k.*, p.entity_id AS parent_entity FROM k");
        link_lookup(&b, "p", "entity_id, state", parent_type, parent);
        of_buf_str(&b, " WHERE p.state = 'linked')");
    } else {
        of_buf_str(&b, ", f AS (SELECT * FROM k)");
    }
    of_buf_fmt(&b,
               ", c AS (INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind, state, "
               "entity_type, entity_id, last_processed_at) SELECT $1, $2, '%s', f.external_id, f.id, f.kind, 'linked', '%s', f.eid, "
               "now() FROM f ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE SET state = 'linked', "
               "entity_type = excluded.entity_type, entity_id = excluded.entity_id, last_processed_at = now(), rev = l.rev + 1 "
               "WHERE l.entity_id IS NULL AND l.state = 'unmatched' "
               "RETURNING l.id, l.external_id, l.entity_id, l.external_created_at, l.external_updated_at)"
               ", s AS (INSERT INTO sync.base AS b (org_id, link_id) SELECT $1, c.id FROM c "
               "ON CONFLICT (org_id, link_id) DO UPDATE SET seen = b.staged, staged = NULL, agreed = NULL, "
               "write_xid = pg_current_xact_id() WHERE b.staged IS NOT NULL RETURNING b.link_id, b.seen)"
               ", b AS MATERIALIZED (SELECT c.*, s.seen%s FROM c JOIN s ON s.link_id = c.id%s)",
               t->name, t->entity, t->owned ? ", f.parent_entity" : "", t->owned ? " JOIN f ON f.id = c.id" : "");
    if (s->has_edges) {
        edge_ctes(a, s, "$5", t->owned, "", &b);
    } else {
        of_buf_str(&b, ", m AS (SELECT $5::text)"); /* every parameter has a type */
    }
    of_buf_fmt(&b, " INSERT INTO public.\"%s\" (\"id\", \"orgId\", \"externalIds\", \"createdAt\", \"createdBy\", "
                   "\"updatedAt\", \"updatedBy\", \"customFields\"",
               s->entity->table);
    for (int i = 0; i < s->n_columns; i++) {
        of_buf_fmt(&b, ", \"%s\"", s->columns[i].name);
    }
    of_buf_str(&b, ") SELECT b.entity_id, $1, jsonb_build_array(jsonb_build_object('id', b.external_id, 'type', $2)), "
                   "coalesce(b.external_created_at, now()), 'sync:' || $2, b.external_updated_at, "
                   "CASE WHEN b.external_updated_at IS NOT NULL THEN 'sync:' || $2 END, coalesce(q.\"customFields\", '[]')");
    for (int i = 0; i < s->n_columns; i++) {
        const struct of_entity_column *c = &s->columns[i];
        if (c->from_parent) {
            of_buf_str(&b, ", coalesce(b.parent_entity, '')");
        } else if (strcmp(s->entity->tag, "field") == 0 && strcmp(c->name, "key") == 0) {
            /* unique within entity tag and source: who comes later by number carries its id */
            of_buf_str(&b, ", CASE WHEN row_number() OVER (PARTITION BY q.\"key\" ORDER BY length(b.external_id), b.external_id) "
                           "> 1 OR EXISTS (SELECT FROM public.openfaith_fields f WHERE f.\"orgId\" = $1 AND f.key = q.\"key\" "
                           "AND f.\"entityTag\" = q.\"entityTag\" AND f.source = q.source AND f.\"deletedAt\" IS NULL) "
                           "THEN coalesce(q.\"key\", '') || '_' || b.external_id ELSE coalesce(q.\"key\", '') END");
        } else if (c->not_null) {
            of_buf_fmt(&b, ", coalesce(q.\"%s\", %s)", c->name, filler(c));
        } else {
            of_buf_fmt(&b, ", q.\"%s\"", c->name);
        }
    }
    of_buf_str(&b, " FROM b CROSS JOIN LATERAL jsonb_to_record(b.seen) AS q ");
    record_def(s, &b, false);
    s->create = (struct of_sql){.name = of_asprintf("create_%s_%s", a->name, t->name), .text = take(&b), .nparams = 5};
}

static void build_edges(const struct of_adapter *a, struct of_type_sql *s)
{
    if (!s->has_edges) {
        return;
    }
    struct of_buf b = OF_BUF_INIT(64 * 1024);
    OF_CLEANUP(of_freep) char *type = of_asprintf("'%s'", s->type->name);
    of_buf_str(&b, "-- params: 5\nWITH b AS MATERIALIZED (SELECT l.external_id, l.entity_id, b.seen, b.agreed "
                   "FROM unnest($3::text[]) x (ext)");
    link_lookup(&b, "l", "id, external_id, entity_id, state", type, "x.ext");
    base_lookup(&b, "b.seen, b.agreed", "l.id");
    of_buf_str(&b, " WHERE l.state = 'linked')");
    edge_ctes(a, s, "$4", false,
              " AND (r.external_id || ' ' || r.ref = ANY ($5::text[]) OR NOT EXISTS (SELECT FROM "
              "public.openfaith_edges g WHERE g.\"orgId\" = $1 AND g.\"relationshipType\" = r.rtype "
              "AND g.\"sourceEntityId\" = CASE WHEN self_source THEN entity_id ELSE other END "
              "AND g.\"targetEntityId\" = CASE WHEN self_source THEN other ELSE entity_id END "
              "AND g.\"deletedAt\" IS NOT NULL AND coalesce(g.\"deletedBy\", '') NOT LIKE 'sync:%'))",
              &b);
    /* ids of records that wait for nothing any more come back */
    of_buf_str(&b, " SELECT b.external_id FROM b WHERE NOT EXISTS (SELECT FROM r WHERE r.external_id = b.external_id "
                   "AND coalesce(r.other_state, 'unmatched') IN ('unmatched', 'ambiguous'))");
    s->edges = (struct of_sql){.name = of_asprintf("edges_%s_%s", a->name, s->type->name), .text = take(&b), .nparams = 5};
}

static void build_load(const struct of_adapter *a, struct of_type_sql *s)
{
    struct of_buf b = OF_BUF_INIT(16 * 1024);
    OF_CLEANUP(of_freep) char *type = of_asprintf("'%s'", s->type->name);
    of_buf_str(&b, "-- params: 3\nWITH k AS MATERIALIZED (SELECT l.*, b.staged, b.seen, b.agreed FROM unnest($3::text[]) x (ext)");
    link_lookup(&b, "l", "id, external_id, entity_id, external_updated_at, state", type, "x.ext");
    base_lookup(&b, "b.staged, b.seen, b.agreed", "l.id");
    of_buf_fmt(&b,
               " WHERE l.state = 'linked' AND b.staged IS NOT NULL) "
               "SELECT k.external_id, k.entity_id, k.id, (extract(epoch FROM k.external_updated_at) * 1000000)::bigint, "
               "k.staged, k.seen, k.agreed, to_jsonb(e), k.state FROM k JOIN public.\"%s\" e "
               "ON e.id = ANY (ARRAY(SELECT entity_id FROM k)) AND e.id = k.entity_id AND e.\"orgId\" = $1 "
               "ORDER BY e.id FOR NO KEY UPDATE OF e",
               s->entity->table);
    s->load = (struct of_sql){.name = of_asprintf("load_%s_%s", a->name, s->type->name), .text = take(&b), .nparams = 3};
}

static void build_update(const struct of_adapter *a, struct of_type_sql *s)
{
    struct of_buf b = OF_BUF_INIT(32 * 1024);
    of_buf_fmt(&b, "-- params: 5\nUPDATE public.\"%s\" e SET \"updatedAt\" = coalesce(x.u, now()), "
                   "\"updatedBy\" = CASE WHEN x.u = e.\"updatedAt\" AND e.\"updatedBy\" IS NOT NULL THEN e.\"updatedBy\" ELSE $5 END, "
                   "\"customFields\" = CASE WHEN x.p ? 'customFields' THEN q.\"customFields\" ELSE e.\"customFields\" END, "
                   "\"deletedAt\" = CASE WHEN x.p ? 'deletedAt' THEN q.\"deletedAt\" ELSE e.\"deletedAt\" END, "
                   "\"deletedBy\" = CASE WHEN x.p ? 'deletedAt' THEN q.\"deletedBy\" ELSE e.\"deletedBy\" END",
               s->entity->table);
    for (int i = 0; i < s->n_columns; i++) {
        const struct of_entity_column *c = &s->columns[i];
        if (c->not_null) {
            of_buf_fmt(&b, ", \"%s\" = CASE WHEN x.p ? '%s' THEN coalesce(q.\"%s\", %s) ELSE e.\"%s\" END", c->name, c->name,
                       c->name, filler(c), c->name);
        } else {
            of_buf_fmt(&b, ", \"%s\" = CASE WHEN x.p ? '%s' THEN q.\"%s\" ELSE e.\"%s\" END", c->name, c->name, c->name,
                       c->name);
        }
    }
    of_buf_str(&b, " FROM unnest($2::text[], $3::jsonb[], $4::timestamptz[]) AS x (id, p, u) "
                   "CROSS JOIN LATERAL jsonb_to_record(x.p) AS q ");
    record_def(s, &b, true);
    of_buf_str(&b, " WHERE e.id = ANY ($2) AND e.id = x.id AND e.\"orgId\" = $1");
    s->update = (struct of_sql){.name = of_asprintf("update_%s_%s", a->name, s->type->name), .text = take(&b), .nparams = 5};
    b = OF_BUF_INIT(1024);
    of_buf_fmt(&b, "-- params: 2\nSELECT e.id, to_jsonb(e) FROM public.\"%s\" e WHERE e.id = ANY ($2::text[]) AND e.\"orgId\" = $1",
               s->entity->table);
    s->again = (struct of_sql){.name = of_asprintf("again_%s_%s", a->name, s->type->name), .text = take(&b), .nparams = 2};
}

static void build_remove(const struct of_adapter *a, struct of_type_sql *s)
{
    struct of_buf b = OF_BUF_INIT(16 * 1024);
    of_buf_fmt(&b,
               "-- params: 3\n"
               "WITH e AS (UPDATE public.\"%s\" SET \"deletedAt\" = now(), \"deletedBy\" = $3 "
               "WHERE \"orgId\" = $1 AND id = ANY ($2::text[]) AND \"deletedAt\" IS NULL RETURNING id) "
               "UPDATE public.openfaith_edges g SET \"deletedAt\" = now(), \"deletedBy\" = $3 WHERE \"orgId\" = $1 "
               "AND (\"sourceEntityId\" = ANY ($2) OR \"targetEntityId\" = ANY ($2)) AND \"deletedAt\" IS NULL",
               s->entity->table);
    s->remove = (struct of_sql){.name = of_asprintf("remove_%s_%s", a->name, s->type->name), .text = take(&b), .nparams = 3};
    b = OF_BUF_INIT(1024);
    of_buf_fmt(&b,
               "-- params: 2\nWITH e AS MATERIALIZED (SELECT e.\"deletedAt\" FROM public.\"%s\" e WHERE e.id = ANY ($2::text[]) "
               "AND e.\"orgId\" = $1 ORDER BY e.id FOR NO KEY UPDATE) "
               "SELECT count(*), count(*) FILTER (WHERE e.\"deletedAt\" IS NULL) FROM e",
               s->entity->table);
    s->living = (struct of_sql){.name = of_asprintf("living_%s_%s", a->name, s->type->name), .text = take(&b), .nparams = 2};
}

static void not_linked(const struct of_type_sql *s, struct of_buf *b)
{
    of_buf_fmt(b,
               "e.\"orgId\" = $1 AND e.\"deletedAt\" IS NULL AND (SELECT k.id FROM sync.external_link k WHERE k.org_id = $1 "
               "AND k.adapter = $2 AND k.external_type = '%s' AND k.entity_id = e.id AND k.kind = 'entity' AND k.state = 'linked' "
               "LIMIT 1) IS NULL",
               s->type->name);
}

/* The parent's edge decides among a parent's children; constants (folderType, source) among tables that several types share. */
static void build_match(const struct of_adapter *a, struct of_type_sql *s)
{
    const struct of_type *t = s->type;
    struct of_buf b = OF_BUF_INIT(16 * 1024);
    of_buf_fmt(&b, "-- params: 2\nSELECT 1 FROM public.\"%s\" e WHERE ", s->entity->table);
    not_linked(s, &b);
    of_buf_str(&b, " LIMIT 1");
    s->unlinked = (struct of_sql){.name = of_asprintf("unlinked_%s_%s", a->name, t->name), .text = take(&b), .nparams = 2};
    if (t->match != OF_MATCH_CHILD && t->match != OF_MATCH_NAME) {
        return;
    }
    b = OF_BUF_INIT(16 * 1024);
    OF_CLEANUP(of_freep) char *type_name = of_asprintf("'%s'", t->name);
    of_buf_str(&b, "-- params: 3\nSELECT l.external_id, e.id FROM unnest($3::text[]) x (ext)");
    link_lookup(&b, "l", "id, external_id, state, link_metadata", type_name, "x.ext");
    base_lookup(&b, "b.staged", "l.id");
    if (t->match == OF_MATCH_CHILD) {
        OF_CLEANUP(of_freep) char *parent_type = of_asprintf("'%s'", t->with);
        OF_CLEANUP(of_freep) char *parent = of_asprintf("substr(l.link_metadata ->> 'parent', %zu)", strlen(t->with) + 2);
        for (const struct of_relation *r = t->relations; r && r->key; r++) {
            if (is_edge(r) && strcmp(r->target, t->with) == 0) {
                char type[128];
                bool self = false;
                (void)of_relation_edge(a, t, r, type, &self);
                link_lookup(&b, "p", "entity_id, state", parent_type, parent);
                of_buf_fmt(&b,
                           " CROSS JOIN LATERAL (SELECT g.\"%s\" AS id FROM public.openfaith_edges g WHERE p.state = 'linked' "
                           "AND g.\"%s\" = p.entity_id AND g.\"orgId\" || '' = $1 AND g.\"relationshipType\" || '' = '%s' "
                           "AND g.\"deletedAt\" IS NULL OFFSET 0) g " /* by the parent's edges, whatever the statistics say */
                           "JOIN LATERAL (SELECT * FROM public.\"%s\" c WHERE c.id = g.id OFFSET 0) e ON ",
                           self ? "sourceEntityId" : "targetEntityId", self ? "targetEntityId" : "sourceEntityId", type,
                           s->entity->table);
                break;
            }
            if (r->kind == OF_REL_COLUMN && strcmp(r->target, t->with) == 0) {
                link_lookup(&b, "p", "entity_id, state", parent_type, parent);
                of_buf_fmt(&b, " JOIN public.\"%s\" e ON p.state = 'linked' AND e.\"%s\" = p.entity_id AND ", s->entity->table,
                           r->column);
                break;
            }
        }
    } else {
        of_buf_fmt(&b, " JOIN public.\"%s\" e ON ", s->entity->table);
    }
    not_linked(s, &b);
    of_buf_fmt(&b, " AND lower(btrim(e.\"%s\")) = lower(btrim(b.staged ->> '%s')) AND btrim(e.\"%s\") <> ''", t->match_column,
               t->match_column, t->match_column);
    for (const struct of_constant *c = t->constants; c && c->column; c++) {
        of_buf_fmt(&b, " AND e.\"%s\" = b.staged ->> '%s'", c->column, c->column);
    }
    if (t->folder_type) {
        of_buf_fmt(&b, " AND e.\"folderType\" = '%s'", t->folder_type);
    }
    of_buf_str(&b, " WHERE l.state = 'unmatched' ORDER BY length(l.external_id), l.external_id, e.id");
    s->match = (struct of_sql){.name = of_asprintf("match_%s_%s", a->name, t->name), .text = take(&b), .nparams = 3};
}

static void build_out(const struct of_adapter *a, struct of_type_sql *s)
{
    const char *type = s->type->name;
    const char *table = s->entity->table;
    struct of_buf b = OF_BUF_INIT(16 * 1024);
    of_buf_fmt(&b,
               "-- params: 3\nSELECT to_jsonb(e), e.id IS NOT NULL AND e.\"deletedAt\" IS NULL, e.\"deletedBy\", l.id, l.external_id, "
               "l.link_metadata ->> 'parent', b.seen, b.agreed, coalesce(s.out_open, false), t.state IS NOT NULL, c.id IS NOT NULL "
               "FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT * FROM public.\"%s\" e WHERE e.id = $3 AND e.\"orgId\" = $1 LIMIT 1) e "
               "ON true LEFT JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.entity_id = $3 AND l.org_id = $1 "
               "AND l.adapter = $2 AND l.external_type = '%s' AND l.kind = 'entity' AND l.state = 'linked' LIMIT 1) l ON true "
               "LEFT JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b ON true "
               "LEFT JOIN LATERAL (SELECT s.out_open FROM sync.status s WHERE s.org_id = $1 AND s.adapter = $2 "
               "AND s.external_type = '%s' LIMIT 1) s ON true "
               "LEFT JOIN LATERAL (SELECT t.state FROM sync.external_link t WHERE l.id IS NULL AND t.org_id = $1 AND t.adapter = $2 "
               "AND t.entity_id = $3 AND t.external_type = '%s' AND t.kind = 'entity' "
               "AND t.state IN ('deleted', 'merged_into', 'unlinked') AND NOT t.link_metadata ? 'deletedHere' LIMIT 1) t ON true "
               "LEFT JOIN LATERAL (SELECT r.id FROM sync.review_candidate k JOIN sync.review r ON r.id = k.review_id "
               "WHERE l.id IS NULL AND k.entity_id = $3 AND r.org_id = $1 AND r.adapter = $2 AND r.state = 'open' LIMIT 1) c ON true",
               table, type, type, type);
    s->out = (struct of_sql){.name = of_asprintf("out_%s_%s", a->name, type), .text = take(&b), .nparams = 3};
    b = OF_BUF_INIT(16 * 1024);
    of_buf_fmt(&b,
               "-- params: 4\nWITH x AS MATERIALIZED (SELECT e.* FROM public.\"%s\" e WHERE e.\"orgId\" = $1 AND e.id > $3 "
               "ORDER BY e.id LIMIT $4), i AS (INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason) "
               "SELECT $1, $2, 'out', '%s', e.id, 'push' FROM x e WHERE ",
               table, s->entity->tag);
    not_linked(s, &b);
    if (s->type->folder_type) {
        of_buf_fmt(&b, " AND e.\"folderType\" = '%s'", s->type->folder_type);
    }
    of_buf_str(&b, " ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1, "
                   "state = CASE WHEN w.state = 'dead' THEN 'ready' ELSE w.state END, "
                   "due_at = CASE WHEN w.state = 'dead' THEN now() ELSE w.due_at END, "
                   "attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END RETURNING 1) "
                   "SELECT (SELECT count(*) FROM x), (SELECT max(id) FROM x), (SELECT count(*) FROM i)");
    s->out_hint = (struct of_sql){.name = of_asprintf("out_hint_%s_%s", a->name, type), .text = take(&b), .nparams = 4};
}

void of_entities_init(const struct of_adapter *a)
{
    size_t n = 0;
    for (const struct of_type *t = a->types; t->name; t++) {
        n++;
    }
    tables = of_reallocarray(tables, n_tables + n, sizeof *tables);
    for (size_t i = 0; i < n; i++) {
        struct of_type_sql *s = &tables[n_tables++];
        memset(s, 0, sizeof *s);
        s->type = &a->types[i];
        if (s->type->kind != OF_KIND_ENTITY) {
            continue;
        }
        s->entity = of_model_entity(s->type->entity);
        OF_BUG_ON(!s->entity);
        collect_columns(s);
        build_create(a, s);
        build_edges(a, s);
        build_load(a, s);
        build_update(a, s);
        build_remove(a, s);
        build_match(a, s);
        build_out(a, s);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/out.h"

#include <stdlib.h>
#include <string.h>

#include "worker/apply.h"
#include "worker_sql.h"

enum { ADAPTERS_TYPES_MAX = 256 };

/* What adapters can write: parameters of the statements, and the statement that asks a person. Constant after of_out_init(). */
static struct {
    struct of_pgarr *adapters, *types, *kinds, *tags, *takes, *makes;
    struct of_pgarr *taking_adapters, *taking_types; /* of those that take anything */
    struct ask {
        const struct of_adapter *adapter;
        const struct of_type *type;
        struct of_sql sql;
    } asks[ADAPTERS_TYPES_MAX];
    int n_asks;
} caps;

/* --- constant tables --- */

/* What lives with its parent is asked for with it: only below a parent that is linked. */
static void below_linked_parent(const struct of_adapter *a, const struct of_type *t, struct of_buf *b)
{
    for (const struct of_relation *r = t->relations; t->owned && r && r->key; r++) {
        if (r->kind != OF_REL_EDGE || !t->with || strcmp(r->target, t->with) != 0) {
            continue;
        }
        char rtype[128];
        bool is_source = false;
        (void)of_relation_edge(a, t, r, rtype, &is_source);
        of_buf_fmt(b,
                   " AND EXISTS (SELECT FROM public.openfaith_edges g JOIN sync.external_link p ON p.entity_id = g.\"%sEntityId\" "
                   "AND p.org_id = x.org AND p.adapter = '%s' AND p.kind = 'entity' AND p.state = 'linked' "
                   "WHERE g.\"orgId\" = x.org AND g.\"%sEntityId\" = x.id AND g.\"relationshipType\" = '%s' "
                   "AND g.\"deletedAt\" IS NULL)",
                   is_source ? "target" : "source", a->name, is_source ? "source" : "target", rtype);
        return;
    }
}

/* $1 orgs, $2 ids: living records that are not linked are put before a person, once each. */
static void make_ask(const struct of_adapter *a, const struct of_type *t)
{
    OF_BUG_ON(caps.n_asks == ADAPTERS_TYPES_MAX);
    struct of_buf b = OF_BUF_INIT(16 * 1024);
    char *text = NULL;
    of_buf_fmt(&b,
               "INSERT INTO sync.review AS r (org_id, adapter, kind, external_type, entity_type, entity_id, entity_version) "
               "SELECT x.org, '%s', 'unlinked', '%s', '%s', e.id, coalesce(e.\"updatedAt\", e.\"createdAt\") "
               "FROM unnest($1::text[], $2::text[]) AS x (org, id) "
               "CROSS JOIN LATERAL (SELECT * FROM public.\"%s\" e WHERE e.id = x.id LIMIT 1) e "
               "WHERE e.\"orgId\" = x.org AND e.\"deletedAt\" IS NULL AND NOT EXISTS (SELECT FROM sync.external_link l "
               "WHERE l.entity_id = x.id AND l.org_id = x.org AND l.adapter = '%s' AND l.kind = 'entity' AND l.state = 'linked')",
               a->name, t->name, t->entity, of_model_entity(t->entity)->table, a->name);
    if (t->folder_type) {
        of_buf_fmt(&b, " AND e.\"folderType\" = '%s'", t->folder_type);
    }
    below_linked_parent(a, t, &b);
    of_buf_str(&b, " ON CONFLICT (org_id, adapter, entity_id) WHERE kind = 'unlinked' AND state <> 'obsolete' "
                   "DO UPDATE SET entity_version = excluded.entity_version WHERE r.state = 'open'");
    OF_BUG_ON(of_buf_take(&b, &text, NULL, NULL) != OF_OK);
    caps.asks[caps.n_asks++] = (struct ask){
        .adapter = a, .type = t,
        .sql = {.name = of_asprintf("ask_unlinked_%s_%s", a->name, t->name), .text = text, .nparams = 2}};
}

static void add_type(const struct of_adapter *a, const struct of_type *t)
{
    struct of_edge_record e;
    if (!t->entity) {
        return;
    }
    if (t->kind == OF_KIND_EDGE) {
        of_edge_record_of(a, t, &e);
    }
    of_pgarr_text(caps.adapters, a->name);
    of_pgarr_text(caps.types, t->name);
    of_pgarr_text(caps.kinds, of_kind_name(t->kind));
    of_pgarr_text(caps.tags, t->kind == OF_KIND_EDGE ? e.rtype : t->entity);
    of_pgarr_bool(caps.takes, t->verbs != 0);
    of_pgarr_bool(caps.makes, t->verbs & OF_VERB_CREATE);
    if (t->verbs != 0) {
        of_pgarr_text(caps.taking_adapters, a->name);
        of_pgarr_text(caps.taking_types, t->name);
    }
    if (t->kind == OF_KIND_ENTITY && (t->verbs & OF_VERB_CREATE)) {
        make_ask(a, t);
    }
}

void of_out_init(void)
{
    if (caps.adapters) {
        return;
    }
    struct of_pgarr **const texts[] = {&caps.adapters, &caps.types, &caps.kinds, &caps.tags, &caps.taking_adapters,
                                       &caps.taking_types};
    for (size_t i = 0; i < OF_ARRAY_LEN(texts); i++) {
        *texts[i] = of_pgarr_new(OF_PG_TEXT);
    }
    caps.takes = of_pgarr_new(OF_PG_BOOL);
    caps.makes = of_pgarr_new(OF_PG_BOOL);
    for (size_t i = 0; of_adapter_at(i); i++) {
        for (const struct of_type *t = of_adapter_at(i)->types; t->name; t++) {
            add_type(of_adapter_at(i), t);
        }
    }
}

/* --- a batch --- */

struct of_out_batch {
    struct of_pgarr *orgs, *tags, *ids, *edges, *xids, *systems, *timelines;
    struct whole { /* tables that were emptied */
        char *org;
        const char *tag;
    } *whole;
    size_t n_whole;
};

struct of_out_batch *of_out_batch_new(void)
{
    struct of_out_batch *b = of_calloc(1, sizeof *b);
    b->orgs = of_pgarr_new(OF_PG_TEXT);
    b->tags = of_pgarr_new(OF_PG_TEXT);
    b->ids = of_pgarr_new(OF_PG_TEXT);
    b->edges = of_pgarr_new(OF_PG_TEXT);
    b->xids = of_pgarr_new(OF_PG_TEXT);
    b->systems = of_pgarr_new(OF_PG_TEXT);
    b->timelines = of_pgarr_new(OF_PG_INT8);
    return b;
}

void of_out_batch_free(struct of_out_batch *b)
{
    if (!b) {
        return;
    }
    of_pgarr_free(b->orgs);
    of_pgarr_free(b->tags);
    of_pgarr_free(b->ids);
    of_pgarr_free(b->edges);
    of_pgarr_free(b->xids);
    of_pgarr_free(b->systems);
    of_pgarr_free(b->timelines);
    for (size_t i = 0; i < b->n_whole; i++) {
        free(b->whole[i].org);
    }
    free(b->whole);
    free(b);
}

static const char *tag_of_table(const char *table)
{
    size_t n = 0;
    const struct of_entity *e = of_model_entities(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(e[i].table, table) == 0) {
            return e[i].tag;
        }
    }
    return strcmp(table, "openfaith_edges") == 0 ? "edge" : NULL;
}

/* By how its TypeID begins; NULL: none of ours. */
static const char *tag_of_id(const char *id, size_t len)
{
    size_t n = 0;
    const struct of_entity *e = of_model_entities(&n);
    for (size_t i = 0; i < n; i++) {
        size_t k = strlen(e[i].prefix);
        if (len > k && id[k] == '_' && strncmp(id, e[i].prefix, k) == 0) {
            return e[i].tag;
        }
    }
    return NULL;
}

static void add_row(struct of_out_batch *b, const struct of_change *c, const char *tag, const char *id, size_t len, const char *edge)
{
    OF_CLEANUP(of_freep) char *xid = of_asprintf("%llu", (unsigned long long)(c->op == 'r' ? 0 : c->xid));
    OF_CLEANUP(of_freep) char *sys = of_asprintf("%llu", (unsigned long long)c->sys);
    of_pgarr_text(b->orgs, c->org);
    of_pgarr_text(b->tags, tag);
    of_pgarr_mem(b->ids, id, len);
    of_pgarr_text(b->edges, edge);
    of_pgarr_text(b->xids, xid);
    of_pgarr_text(b->systems, sys);
    of_pgarr_int8(b->timelines, c->timeline);
}

/* The edge may be a record of its own there, or part of those at its ends: which it is differs by system. */
static void add_edge(struct of_out_batch *b, const struct of_change *c)
{
    const char *end = strchr(c->id, '|');
    const char *second = end ? end + 1 : NULL;
    const char *rest = second ? strchr(second, '|') : NULL;
    if (!rest) {
        return; /* no edge of the model: nothing can be linked to it */
    }
    add_row(b, c, "edge", c->id, strlen(c->id), NULL);
    const char *tag = tag_of_id(c->id, (size_t)(end - c->id));
    if (tag) {
        add_row(b, c, tag, c->id, (size_t)(end - c->id), c->id);
    }
    tag = tag_of_id(second, (size_t)(rest - second));
    if (tag) {
        add_row(b, c, tag, second, (size_t)(rest - second), c->id);
    }
}

void of_out_batch_add(struct of_out_batch *b, const struct of_change *c)
{
    const char *tag = tag_of_table(c->table);
    if (!tag) {
        return;
    }
    if (c->op == 't') {
        b->whole = of_reallocarray(b->whole, b->n_whole + 1, sizeof *b->whole);
        b->whole[b->n_whole++] = (struct whole){.org = of_strdup(c->org), .tag = tag};
    } else if (strcmp(tag, "edge") == 0) {
        add_edge(b, c);
    } else {
        add_row(b, c, tag, c->id, strlen(c->id), NULL);
    }
}

/* --- writing --- */

static enum of_code all_visible(struct of_pg *db, const struct of_pgres *res, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *xids = of_pgarr_new(OF_PG_TEXT);
    for (int row = 0; row < of_pgres_rows(res); row++) {
        if (of_pgres_text(res, row, 0)[0] == 'u' && !of_pgres_is_null(res, row, 6)) {
            of_pgarr_text(xids, of_pgres_text(res, row, 6));
        }
    }
    if (of_pgarr_len(xids) == 0) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t hidden = 0;
    of_pg_arg_array(&args, xids);
    OF_TRY(of_pg_run_count(db, &of_sql_out_hidden, &args, &hidden, err));
    return hidden == 0 ? OF_OK : of_err_set(err, OF_E_BUSY, "a change cannot be seen yet");
}

static enum of_code ask_for(struct of_pg *db, const struct ask *ask, const struct of_pgres *res, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *orgs = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    for (int row = 0; row < of_pgres_rows(res); row++) {
        if (of_pgres_text(res, row, 0)[0] == 'u' && strcmp(of_pgres_text(res, row, 2), ask->adapter->name) == 0 &&
            strcmp(of_pgres_text(res, row, 3), ask->type->name) == 0) {
            of_pgarr_text(orgs, of_pgres_text(res, row, 1));
            of_pgarr_text(ids, of_pgres_text(res, row, 5));
        }
    }
    if (of_pgarr_len(ids) == 0) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_array(&args, orgs);
    of_pg_arg_array(&args, ids);
    return of_pg_run(db, &ask->sql, &args, NULL, err);
}

static enum of_code take_result(struct of_pg *db, const struct of_pgres *res, of_out_found_fn *found, void *arg, struct of_err *err)
{
    bool any_unlinked = false;
    for (int row = 0; row < of_pgres_rows(res); row++) {
        if (of_pgres_text(res, row, 0)[0] == 'k') {
            found(arg, of_pgres_text(res, row, 1), of_pgres_text(res, row, 2));
        } else {
            any_unlinked = true;
        }
    }
    if (!any_unlinked) {
        return OF_OK;
    }
    OF_TRY(all_visible(db, res, err));
    for (int i = 0; i < caps.n_asks; i++) {
        OF_TRY(ask_for(db, &caps.asks[i], res, err));
    }
    return OF_OK;
}

enum of_code of_out_write(struct of_pg *db, const struct of_out_batch *b, of_out_found_fn *found, void *arg, struct of_err *err)
{
    OF_BUG_ON(!caps.adapters);
    if (of_pgarr_len(b->ids) > 0) {
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
        struct of_pgargs args = OF_PGARGS_INIT;
        const struct of_pgarr *const arrays[] = {b->orgs,       b->tags,    b->ids,       b->edges,   b->xids,
                                                 b->systems,    b->timelines, caps.adapters, caps.types, caps.kinds,
                                                 caps.tags,     caps.takes, caps.makes};
        for (size_t i = 0; i < OF_ARRAY_LEN(arrays); i++) {
            of_pg_arg_array(&args, arrays[i]);
        }
        OF_TRY(of_pg_run(db, &of_sql_hint_out, &args, &res, err));
        OF_TRY(take_result(db, res, found, arg, err));
    }
    for (size_t i = 0; i < b->n_whole; i++) {
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, b->whole[i].org);
        of_pg_arg_text(&args, b->whole[i].tag);
        of_pg_arg_array(&args, caps.taking_adapters);
        of_pg_arg_array(&args, caps.taking_types);
        OF_TRY(of_pg_run(db, &of_sql_hint_out_all, &args, &res, err));
        OF_TRY(take_result(db, res, found, arg, err));
    }
    return OF_OK;
}

enum of_code of_apply_hold(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_pgarr **ret_rest,
                           struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *since = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    *ret_rest = NULL;
    if (type->kind != OF_KIND_ENTITY || !(type->verbs & OF_VERB_CREATE)) {
        return OF_OK; /* edges and values made twice are the same edge, the same value */
    }
    struct of_pgargs any = OF_PGARGS_INIT;
    of_pg_arg_text(&any, a->conn->org);
    of_pg_arg_text(&any, a->conn->adapter_name);
    of_pg_arg_text(&any, type->entity);
    OF_TRY(of_pg_run(a->db, &of_sql_hold_any, &any, &since, err));
    if (of_pgres_rows(since) == 0) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, type->name);
    of_pg_arg_array(&args, ids);
    of_pg_arg_int8(&args, of_pgres_i64(since, 0, 0));
    OF_TRY(of_pg_run(a->db, &of_sql_hold_new, &args, &res, err));
    *ret_rest = of_pgarr_new(OF_PG_TEXT);
    for (int row = 0; row < of_pgres_rows(res); row++) {
        of_pgarr_text(*ret_rest, of_pgres_text(res, row, 0));
    }
    return OF_OK;
}

enum of_code of_apply_hint_out(struct of_apply *a, const struct of_type *type, const struct of_pgarr *entity_ids, const char *reason,
                               struct of_err *err)
{
    if (type->verbs == 0 || of_pgarr_len(entity_ids) == 0) {
        return OF_OK; /* theirs takes nothing of it */
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, type->kind == OF_KIND_ENTITY ? type->entity : type->name);
    of_pg_arg_array(&args, entity_ids);
    of_pg_arg_text(&args, reason);
    return of_pg_run(a->db, &of_sql_hint_out_own, &args, NULL, err);
}

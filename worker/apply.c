/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/apply.h"

#include <stdlib.h>
#include <string.h>

#include "worker_sql.h"

enum of_code of_apply_begin(struct of_apply *a, struct of_err *err)
{
    OF_TRY(of_pg_begin(a->db, err));
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_int8(&args, a->conn->generation);
    int64_t rows = 0;
    enum of_code code = of_pg_run_count(a->db, &of_sql_conn_share, &args, &rows, err);
    if (code == OF_OK && rows == 0) {
        code = of_err_set(err, OF_E_LEASE, "the connection has changed or is not connected");
    }
    if (code != OF_OK) {
        of_pg_rollback(a->db);
    }
    return code;
}

/* --- stage --- */

struct placed {
    const struct of_record *record;
    size_t at;
};

static int by_id(const void *pa, const void *pb)
{
    const struct placed *a = pa;
    const struct placed *b = pb;
    int c = strcmp(a->record->id, b->record->id);
    return c != 0 ? c : (a->at > b->at) - (a->at < b->at);
}

/* Sorted by id, the last of equal ids; the caller frees. */
static const struct of_record **sort_unique(const struct of_record *const *records, size_t n, size_t *ret_n)
{
    struct placed *placed = of_reallocarray(NULL, n, sizeof *placed);
    for (size_t i = 0; i < n; i++) {
        placed[i] = (struct placed){.record = records[i], .at = i};
    }
    qsort(placed, n, sizeof *placed, by_id);
    const struct of_record **sorted = of_reallocarray(NULL, n, sizeof *sorted);
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || strcmp(placed[i].record->id, placed[i + 1].record->id) != 0) {
            sorted[(*ret_n)++] = placed[i].record;
        }
    }
    of_freep(&placed);
    return sorted;
}

/* "Person/12" of the relation to the carrying type, read from the body's _rel without parsing it again: inside a JSON string the
 * quotes of "_rel":{ could not stand. */
static bool parent_of(const struct of_type *t, const struct of_record *r, char *buf, size_t size)
{
    const char *rel = NULL;
    for (const char *p = r->body; (p = strstr(p, "\"_rel\":{")) != NULL; p++) {
        rel = p;
    }
    if (!t->with || !rel) {
        return false;
    }
    for (const struct of_relation *x = t->relations; x && x->key; x++) {
        if (strcmp(x->target, t->with) != 0 || x->kind == OF_REL_CHILDREN) {
            continue;
        }
        char *needle = of_asprintf("\"%s\":\"%s/", x->key, x->target);
        const char *p = strstr(rel, needle);
        size_t skip = strlen(needle) - strlen(x->target) - 1;
        of_freep(&needle);
        if (!p) {
            continue;
        }
        p += skip;
        size_t n = strcspn(p, "\"");
        if (n + 1 > size) {
            return false;
        }
        memcpy(buf, p, n);
        buf[n] = '\0';
        return true;
    }
    return false;
}

static void metadata(const struct of_type *t, const struct of_record *r, struct of_buf *b)
{
    char parent[160];
    of_buf_clear(b);
    of_buf_str(b, "{\"path\":\"");
    const char *brace = strstr(t->path, "{parent}");
    bool has_parent = parent_of(t, r, parent, sizeof parent);
    if (brace && has_parent) {
        of_buf_mem(b, t->path, (size_t)(brace - t->path));
        of_buf_str(b, strchr(parent, '/') + 1);
        of_buf_str(b, brace + strlen("{parent}"));
    } else {
        of_buf_str(b, t->path);
    }
    of_buf_fmt(b, "/%s\"", r->id);
    if (has_parent) {
        of_buf_str(b, ",\"parent\":");
        of_buf_json_str(b, parent);
    }
    of_buf_char(b, '}');
}

const char *of_kind_name(enum of_kind k)
{
    static const char *const names[] = {"", "entity", "edge", "value", "reference"};
    return names[k];
}

static void add_time(struct of_pgarr *times, bool has, struct of_wall at)
{
    if (has) {
        of_pgarr_int8(times, at.us);
    } else {
        of_pgarr_null(times);
    }
}

struct stage_arrays {
    struct of_pgarr *ids, *created, *updated, *bodies, *keys, *meta;
};

static void add_record(struct stage_arrays *s, const struct of_type *t, const struct of_record *r, struct of_buf *meta)
{
    of_pgarr_text(s->ids, r->id);
    add_time(s->created, r->has_created, r->created_at);
    add_time(s->updated, r->has_updated, r->updated_at);
    of_pgarr_mem(s->bodies, r->body, r->body_len);
    of_pgarr_text(s->keys, r->match_keys);
    metadata(t, r, meta);
    of_pgarr_mem(s->meta, of_buf_text(meta), meta->len);
}

static enum of_code hint_rows(struct of_apply *a, const struct of_pgarr *types, const struct of_pgarr *ids, const char *reason,
                              int priority, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, types);
    of_pg_arg_array(&args, ids);
    of_pg_arg_text(&args, reason);
    of_pg_arg_int8(&args, priority);
    a->hinted = true;
    return of_pg_run(a->db, &of_sql_hint, &args, NULL, err);
}

enum of_code of_apply_hint(struct of_apply *a, const char *type, const char *const *ids, size_t n, const char *reason,
                           int priority, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *list = of_pgarr_new(OF_PG_TEXT);
    for (size_t i = 0; i < n; i++) {
        of_pgarr_text(types, type);
        of_pgarr_text(list, ids[i]);
    }
    return hint_rows(a, types, list, reason, priority, err);
}

/* Known records: marks those that are known just so (same[i]), hints children that are no longer named. moved takes the ids of
 * those of which nothing but their time is new. */
static enum of_code known(struct of_apply *a, const struct of_type *t, const struct of_record *const *records, size_t n,
                          bool *same, struct of_pgarr *moved, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *bodies = of_pgarr_new(OF_PG_JSONB);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *updated = of_pgarr_new(OF_PG_TIMESTAMPTZ);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    for (size_t i = 0; i < n; i++) {
        of_pgarr_text(ids, records[i]->id);
        of_pgarr_mem(bodies, records[i]->body, records[i]->body_len);
        add_time(updated, records[i]->has_updated, records[i]->updated_at);
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_array(&args, ids);
    of_pg_arg_array(&args, bodies);
    of_pg_arg_array(&args, updated);
    OF_TRY(of_pg_run(a->db, &of_sql_stage_known, &args, &res, err));
    for (int row = 0; row < of_pgres_rows(res); row++) {
        if (of_pgres_text(res, row, 0)[0] == 't') {
            of_pgarr_text(moved, of_pgres_text(res, row, 1));
        } else if (of_pgres_text(res, row, 0)[0] == 's') {
            const char *id = of_pgres_text(res, row, 1);
            size_t lo = 0;
            size_t hi = n;
            while (lo < hi) { /* records are sorted by id */
                size_t mid = (lo + hi) / 2;
                int c = strcmp(records[mid]->id, id);
                if (c == 0) {
                    same[mid] = true;
                    break;
                }
                if (c < 0) {
                    lo = mid + 1;
                } else {
                    hi = mid;
                }
            }
        } else {
            const char *child = of_pgres_text(res, row, 3);
            OF_TRY(of_apply_hint(a, of_pgres_text(res, row, 2), &child, 1, "missing", 0, err));
        }
    }
    return OF_OK;
}

static enum of_code stage_run(struct of_apply *a, const struct of_type *t, const struct stage_arrays *s, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_text(&args, of_kind_name(t->kind));
    of_pg_arg_array(&args, s->ids);
    of_pg_arg_array(&args, s->created);
    of_pg_arg_array(&args, s->updated);
    of_pg_arg_array(&args, s->bodies);
    of_pg_arg_array(&args, s->keys);
    of_pg_arg_array(&args, s->meta);
    of_pg_arg_int8(&args, a->read_seq);
    if (a->run_id) {
        of_pg_arg_int8(&args, a->run_id);
    } else {
        of_pg_arg_null(&args, OF_PG_INT8);
    }
    if (a->mark) {
        of_pg_arg_int8(&args, a->mark);
    } else {
        of_pg_arg_null(&args, OF_PG_INT8);
    }
    of_pg_arg_text(&args, a->out_type);
    of_pg_arg_text(&args, a->out_id);
    of_pg_arg_bool(&args, a->passing);
    return of_pg_run(a->db, &of_sql_stage, &args, NULL, err);
}

/* The records of a list below these (memberships of a group) may be others now. */
static enum of_code hint_lists_below(struct of_apply *a, const struct of_type *type, const struct of_record *const *records, size_t n,
                                     struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    for (const struct of_type *t = a->conn->adapter->types; t->name; t++) {
        if (t->list != OF_LIST_PER_PARENT || strcmp(t->with, type->name) != 0 ||
            !of_scope_has(a->conn->scope, of_type_index(a->conn->adapter, t))) {
            continue;
        }
        of_pgarr_clear(types);
        of_pgarr_clear(ids);
        for (size_t i = 0; i < n; i++) {
            OF_CLEANUP(of_freep) char *id = of_asprintf("@%s", records[i]->id);
            of_pgarr_text(types, t->name);
            of_pgarr_text(ids, id);
        }
        OF_TRY(hint_rows(a, types, ids, "list", t->weak ? 1 : 0, err));
    }
    return OF_OK;
}

/* Known just so, and alive: that is all there is to say. */
static enum of_code mark_same(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, type->name);
    of_pg_arg_array(&args, ids);
    of_pg_arg_int8(&args, a->mark);
    return of_pg_run(a->db, &of_sql_mark_ids, &args, NULL, err);
}

static enum of_code stage_rows(struct of_apply *a, const struct of_type *type, const struct of_record **fresh, size_t n,
                               const struct of_pgarr *moved, struct of_err *err)
{
    struct stage_arrays s = {of_pgarr_new(OF_PG_TEXT),  of_pgarr_new(OF_PG_TIMESTAMPTZ), of_pgarr_new(OF_PG_TIMESTAMPTZ),
                             of_pgarr_new(OF_PG_JSONB), of_pgarr_new(OF_PG_TEXT),        of_pgarr_new(OF_PG_JSONB)};
    struct of_buf meta = OF_BUF_INIT(4096);
    for (size_t i = 0; i < n; i++) {
        add_record(&s, type, fresh[i], &meta);
    }
    enum of_code code = n > 0 ? stage_run(a, type, &s, err) : OF_OK;
    if (code == OF_OK && of_pgarr_len(moved) > 0) {
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, a->conn->org);
        of_pg_arg_text(&args, a->conn->adapter_name);
        of_pg_arg_text(&args, type->name);
        of_pg_arg_array(&args, moved);
        code = of_pg_run(a->db, &of_sql_stage_moved, &args, NULL, err);
    }
    of_buf_done(&meta);
    of_pgarr_free(s.ids);
    of_pgarr_free(s.created);
    of_pgarr_free(s.updated);
    of_pgarr_free(s.bodies);
    of_pgarr_free(s.keys);
    of_pgarr_free(s.meta);
    return code;
}

enum of_code of_apply_stage(struct of_apply *a, const struct of_type *type, const struct of_record *const *records, size_t n,
                            struct of_err *err)
{
    if (n == 0) {
        return OF_OK;
    }
    size_t m = 0;
    size_t n_fresh = 0;
    OF_CLEANUP(of_freep) const struct of_record **sorted = sort_unique(records, n, &m);
    OF_CLEANUP(of_freep) bool *same = of_calloc(m, sizeof *same);
    OF_CLEANUP(of_freep) const struct of_record **fresh = of_reallocarray(NULL, m, sizeof *fresh);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *moved = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *alive = of_pgarr_new(OF_PG_TEXT);
    OF_TRY(a->again ? known(a, type, sorted, m, same, moved, err) : OF_OK);
    for (size_t i = 0; i < m; i++) {
        if (!same[i]) {
            fresh[n_fresh++] = sorted[i];
            if (a->fresh) {
                a->fresh[a->n_fresh++] = sorted[i];
            }
        } else {
            of_pgarr_text(alive, sorted[i]->id);
        }
    }
    int64_t mark = a->mark;
    a->mark = !a->mark_type || a->mark_type == type ? mark : 0;
    enum of_code code = stage_rows(a, type, fresh, n_fresh, moved, err);
    if (code == OF_OK && a->mark && of_pgarr_len(alive) > 0) {
        code = mark_same(a, type, alive, err);
    }
    if (code == OF_OK && a->below && n_fresh > 0) {
        code = hint_lists_below(a, type, fresh, n_fresh, err);
    }
    a->mark = mark;
    return code;
}

enum of_code of_apply_dead(struct of_apply *a, const struct of_bad_record *bad, size_t n, struct of_err *err)
{
    if (n == 0) {
        return OF_OK;
    }
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *places = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *causes = of_pgarr_new(OF_PG_TEXT);
    for (size_t i = 0; i < n; i++) {
        of_pgarr_text(types, bad[i].type);
        of_pgarr_text(ids, bad[i].id[0] ? bad[i].id : bad[i].place);
        of_pgarr_text(places, bad[i].place);
        of_pgarr_text(causes, bad[i].cause);
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, types);
    of_pg_arg_array(&args, ids);
    of_pg_arg_array(&args, places);
    of_pg_arg_array(&args, causes);
    of_pg_arg_text(&args, "permanent");
    return of_pg_run(a->db, &of_sql_dead_records, &args, NULL, err);
}

enum of_code of_apply_own(struct of_apply *a, const struct of_pgarr *entity_ids, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, entity_ids);
    return of_pg_run(a->db, &of_sql_own_writes, &args, NULL, err);
}

/* --- create --- */

static enum of_code create_entities(struct of_apply *a, const struct of_type *t, const struct of_pgarr *ids, size_t n,
                                    struct of_err *err)
{
    const struct of_type_sql *s = of_type_sql(t);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *fresh = of_pgarr_new(OF_PG_TEXT);
    for (size_t i = 0; i < n; i++) {
        char id[OF_TYPEID_MAX];
        of_pgarr_text(fresh, of_typeid_new(s->entity->prefix, id));
    }
    OF_TRY(of_apply_own(a, fresh, err));
    char mode[2] = {a->conn->mode, '\0'};
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, ids);
    of_pg_arg_array(&args, fresh);
    of_pg_arg_text(&args, mode);
    return of_pg_run(a->db, &s->create, &args, NULL, err);
}

static enum of_code link_references(struct of_apply *a, const struct of_type *t, const struct of_pgarr *ids, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_array(&args, ids);
    return of_pg_run(a->db, &of_sql_link_reference, &args, NULL, err);
}

/* Another system of the organization may bring the same record at this moment: they take turns until the end of their transactions,
 * and whoever comes second finds what the first has made. */
static enum of_code take_turn(struct of_apply *a, const struct of_type *t, const struct of_pgarr *ids, struct of_err *err)
{
    bool can = false;
    int64_t others = a->conn->n_adapters > 1;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, t->entity);
    of_pg_arg_bool(&args, others == 0);
    OF_TRY(of_pg_run(a->db, &of_sql_create_turn, &args, NULL, err));
    if (others == 0) {
        struct of_pgargs alone = OF_PGARGS_INIT;
        of_pg_arg_text(&alone, a->conn->org);
        of_pg_arg_text(&alone, a->conn->adapter_name);
        OF_TRY(of_pg_run_count(a->db, &of_sql_create_alone, &alone, &others, err));
    }
    if (others > 0) {
        OF_TRY(of_apply_can_match(a, t, &can, err));
    }
    return can ? of_apply_match(a, t, ids, err) : OF_OK;
}

enum of_code of_apply_create(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, size_t n,
                             struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *rest = NULL;
    switch (type->kind) {
    case OF_KIND_REFERENCE:
        return link_references(a, type, ids, err);
    case OF_KIND_VALUE:
        return of_values_apply(a, type, ids, err);
    case OF_KIND_EDGE:
        return of_edge_records_apply(a, type, ids, err);
    case OF_KIND_ENTITY:
        break;
    }
    if (a->conn->mode == 'o') {
        return OF_OK; /* counted as unlinked */
    }
    OF_TRY(of_apply_hold(a, type, ids, &rest, err));
    if (type->match != OF_MATCH_NONE) {
        OF_TRY(take_turn(a, type, rest ? rest : ids, err));
    }
    return create_entities(a, type, rest ? rest : ids, rest ? of_pgarr_len(rest) : n, err);
}

enum of_code of_apply_edges(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids,
                            const struct of_pgarr *fresh, int64_t *ret_done, struct of_err *err)
{
    const struct of_type_sql *s = of_type_sql(type);
    if (type->kind == OF_KIND_VALUE) {
        return of_values_apply(a, type, ids, err);
    }
    if (type->kind == OF_KIND_EDGE) {
        return of_edge_records_apply(a, type, ids, err);
    }
    if (!s || !s->has_edges) {
        return OF_OK;
    }
    char mode[2] = {a->conn->mode, '\0'};
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, ids);
    of_pg_arg_text(&args, mode);
    of_pg_arg_array(&args, fresh);
    return of_pg_run_count(a->db, &s->edges, &args, ret_done, err);
}

enum of_code of_apply_wake(struct of_apply *a, const struct of_type *type, char *const *ids, size_t n, struct of_err *err)
{
    struct of_pgargs any = OF_PGARGS_INIT;
    of_pg_arg_text(&any, a->conn->org);
    of_pg_arg_text(&any, a->conn->adapter_name);
    int64_t rows = 0;
    OF_TRY(of_pg_run_count(a->db, &of_sql_any_waiting, &any, &rows, err));
    if (rows == 0) {
        return OF_OK;
    }
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *refs = of_pgarr_new(OF_PG_TEXT);
    for (size_t i = 0; i < n; i++) {
        char *ref = of_asprintf("%s/%s", type->name, ids[i]);
        of_pgarr_text(refs, ref);
        of_freep(&ref);
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, refs);
    return of_pg_run(a->db, &of_sql_wake_waiting, &args, NULL, err);
}

static enum of_code any_unmatched(struct of_apply *a, const struct of_type *t, const struct of_pgarr *ids, bool *ret_any,
                                  struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_array(&args, ids);
    int64_t rows = 0;
    OF_TRY(of_pg_run_count(a->db, &of_sql_any_unmatched, &args, &rows, err));
    *ret_any = rows > 0;
    return OF_OK;
}

enum of_code of_apply_records(struct of_apply *a, const struct of_record *const *records, size_t n, struct of_err *err)
{
    for (const struct of_type *t = a->conn->adapter->types; t->name; t++) {
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
        OF_CLEANUP(of_freep) char **list = of_reallocarray(NULL, n + 1, sizeof *list);
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            if (records[i]->type == t) {
                of_pgarr_text(ids, records[i]->id);
                list[m++] = records[i]->id;
            }
        }
        if (m == 0) {
            continue;
        }
        bool any = false;
        OF_TRY(any_unmatched(a, t, ids, &any, err));
        if (any) { /* mostly they are known: then nothing has to look through all entities of the organization */
            bool can = false;
            OF_TRY(of_apply_can_match(a, t, &can, err));
            if (can) {
                OF_TRY(of_apply_match(a, t, ids, err));
            }
            OF_TRY(of_apply_create(a, t, ids, m, err));
        }
        OF_TRY(of_apply_populate(a, t, ids, err));
        OF_TRY(of_apply_wake(a, t, list, m, err));
    }
    return OF_OK;
}

enum of_code of_apply_stage_all(struct of_apply *a, const struct of_record *const *records, size_t n, struct of_err *err)
{
    const struct of_record **same = of_reallocarray(NULL, n + 1, sizeof *same);
    enum of_code code = OF_OK;
    for (const struct of_type *t = a->conn->adapter->types; t->name && code == OF_OK; t++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            if (records[i]->type == t) {
                same[m++] = records[i];
            }
        }
        code = of_apply_stage(a, t, same, m, err);
    }
    of_freep(&same);
    return code;
}

enum of_code of_apply_page(struct of_apply *a, const struct of_page *page, struct of_err *err)
{
    OF_CLEANUP(of_freep) const struct of_record **records = of_reallocarray(NULL, page->n_records + 1, sizeof *records);
    for (size_t i = 0; i < page->n_records; i++) {
        records[i] = &page->records[i];
    }
    OF_TRY(of_apply_stage_all(a, records, page->n_records, err));
    OF_TRY(of_apply_records(a, records, page->n_records, err));
    return of_apply_dead(a, page->bad, page->n_bad, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/apply.h"
#include "worker/merge.h"
#include "worker_sql.h"

enum { BODY_MAX = 8 * 1024 * 1024 };

/* Everything a batch writes, gathered while its records are merged one by one. */
struct batch {
    struct of_pgarr *done_ids, *agreed, *wrote; /* every record: base */
    struct of_pgarr *eids, *patches, *updated;  /* those whose entity changes */
    struct of_pgarr *j_eids, *j_ext, *j_fields, *j_values, *j_rules;
    struct of_pgarr *d_eids, *d_types, *d_refs; /* edges to drop */
    struct of_pgarr *e_ids;                     /* records whose edges are to be made sure of */
    struct of_pgarr *a_ids, *a_eids, *a_fields; /* to be asked */
};

static struct of_pgarr **batch_arrays(struct batch *b, enum of_pgtype types[], int *ret_n)
{
    static const enum of_pgtype all[] = {
        OF_PG_TEXT, OF_PG_JSONB, OF_PG_BOOL, OF_PG_TEXT, OF_PG_JSONB, OF_PG_TIMESTAMPTZ, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT,
        OF_PG_JSONB, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT, OF_PG_TEXT};
    *ret_n = (int)OF_ARRAY_LEN(all);
    memcpy(types, all, sizeof all);
    return &b->done_ids;
}

static void batch_init(struct batch *b)
{
    enum of_pgtype types[32];
    int n = 0;
    struct of_pgarr **arrays = batch_arrays(b, types, &n);
    OF_BUG_ON((size_t)n * sizeof *arrays != sizeof *b);
    for (int i = 0; i < n; i++) {
        arrays[i] = of_pgarr_new(types[i]);
    }
}

static void batch_done(struct batch *b)
{
    enum of_pgtype types[32];
    int n = 0;
    struct of_pgarr **arrays = batch_arrays(b, types, &n);
    for (int i = 0; i < n; i++) {
        of_pgarr_free(arrays[i]);
    }
}

/* Relations that theirs had and has no longer. */
static void dropped_relations(struct of_apply *a, const struct of_type *t, const struct of_json *staged,
                              const struct of_json *seen, const char *eid, struct batch *b)
{
    for (const struct of_relation *r = t->relations; r && r->key; r++) {
        if (r->kind != OF_REL_EDGE && r->kind != OF_REL_EDGES) {
            continue;
        }
        char rtype[128];
        bool self = false;
        (void)of_relation_edge(a->conn->adapter, t, r, rtype, &self);
        const char *group = r->kind == OF_REL_EDGE ? "_rel" : "_many";
        const struct of_json *was = of_json_get(of_json_get(seen, group), r->key);
        const struct of_json *is = of_json_get(of_json_get(staged, group), r->key);
        if (!was || !is) {
            continue; /* not read: no statement about it */
        }
        const struct of_json *one = of_json_type(was) == OF_JSON_ARRAY ? of_json_first(was) : was;
        for (; one; one = of_json_type(was) == OF_JSON_ARRAY ? of_json_next(one) : NULL) {
            const char *ref = of_json_text(one);
            bool still = of_json_equal(one, is);
            for (const struct of_json *n = of_json_type(is) == OF_JSON_ARRAY ? of_json_first(is) : NULL; n && !still;
                 n = of_json_next(n)) {
                still = of_json_equal(one, n);
            }
            if (ref && !still) {
                of_pgarr_text(b->d_eids, eid);
                of_pgarr_text(b->d_types, rtype);
                of_pgarr_text(b->d_refs, ref);
            }
        }
    }
}

static enum of_code parse_opt(const struct of_pgres *res, int row, int col, struct of_json **ret, struct of_err *err)
{
    *ret = NULL;
    const char *text = of_pgres_text_null(res, row, col);
    return text ? of_json_parse(text, of_pgres_len(res, row, col), BODY_MAX, ret, err) : OF_OK;
}

static void take_merge(struct batch *b, const struct of_merge_out *out, const char *ext, const char *eid,
                       const struct of_merge_in *in)
{
    of_pgarr_text(b->done_ids, ext);
    of_pgarr_text(b->agreed, out->agreed.len ? of_buf_text(&out->agreed) : NULL);
    of_pgarr_bool(b->wrote, out->patch.len > 0);
    if (out->patch.len) {
        of_pgarr_text(b->eids, eid);
        of_pgarr_mem(b->patches, out->patch.data, out->patch.len);
        if (out->only_theirs && in->has_theirs_at) {
            of_pgarr_int8(b->updated, in->theirs_at.us);
        } else {
            of_pgarr_null(b->updated);
        }
    }
    for (size_t i = 0; i < out->n_notes; i++) {
        const struct of_merge_note *n = &out->notes[i];
        char *pair = of_asprintf("[%s,%s]", strlen(n->old_json) < 30000 ? n->old_json : "null",
                                 strlen(n->new_json) < 30000 ? n->new_json : "null");
        of_pgarr_text(b->j_eids, eid);
        of_pgarr_text(b->j_ext, ext);
        of_pgarr_text(b->j_fields, n->field);
        of_pgarr_text(b->j_values, pair);
        of_pgarr_text(b->j_rules, n->rule);
        of_freep(&pair);
    }
    for (size_t i = 0; i < out->n_ask; i++) {
        of_pgarr_text(b->a_ids, ext);
        of_pgarr_text(b->a_eids, eid);
        of_pgarr_text(b->a_fields, out->ask[i]);
    }
}

static enum of_code merge_row(struct of_apply *a, const struct of_type *t, const struct of_pgres *res, int row, struct batch *b,
                              struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *staged = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *seen = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *agreed = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *entity = NULL;
    OF_TRY(parse_opt(res, row, 4, &staged, err));
    OF_TRY(parse_opt(res, row, 5, &seen, err));
    OF_TRY(parse_opt(res, row, 6, &agreed, err));
    OF_TRY(parse_opt(res, row, 7, &entity, err));
    const char *ext = of_pgres_text(res, row, 0);
    const char *eid = of_pgres_text(res, row, 1);
    struct of_merge_in in = {.adapter = a->conn->adapter,
                             .sql = of_type_sql(t),
                             .staged = staged,
                             .seen = seen,
                             .agreed = agreed,
                             .row = entity,
                             .mode = a->conn->mode,
                             .strategy = a->conn->strategy,
                             .has_theirs_at = !of_pgres_is_null(res, row, 3),
                             .theirs_at = {.us = of_pgres_i64(res, row, 3)}};
    struct of_merge_out out;
    of_merge(&in, &out);
    take_merge(b, &out, ext, eid, &in);
    of_merge_done(&out);
    if (seen) {
        dropped_relations(a, t, staged, seen, eid, b);
    }
    of_pgarr_text(b->e_ids, ext);
    return OF_OK;
}

static char *by_text(const struct of_apply *a)
{
    return of_asprintf("sync:%s", a->conn->adapter_name);
}

static enum of_code write_entities(struct of_apply *a, const struct of_type_sql *s, struct batch *b, struct of_err *err)
{
    if (of_pgarr_len(b->eids) == 0) {
        return OF_OK;
    }
    OF_CLEANUP(of_freep) char *by = by_text(a);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_array(&args, b->eids);
    of_pg_arg_array(&args, b->patches);
    of_pg_arg_array(&args, b->updated);
    of_pg_arg_text(&args, by);
    return of_pg_run(a->db, &s->update, &args, NULL, err);
}

static enum of_code write_base(struct of_apply *a, const struct of_type *t, struct batch *b, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_array(&args, b->done_ids);
    of_pg_arg_array(&args, b->agreed);
    of_pg_arg_array(&args, b->wrote);
    return of_pg_run(a->db, &of_sql_base_applied, &args, NULL, err);
}

static enum of_code write_journal(struct of_apply *a, const struct of_type *t, struct batch *b, struct of_err *err)
{
    if (of_pgarr_len(b->j_eids) == 0) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, t->entity);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_int8(&args, a->run_id);
    of_pg_arg_array(&args, b->j_eids);
    of_pg_arg_array(&args, b->j_ext);
    of_pg_arg_array(&args, b->j_fields);
    of_pg_arg_array(&args, b->j_values);
    of_pg_arg_array(&args, b->j_rules);
    return of_pg_run(a->db, &of_sql_journal, &args, NULL, err);
}

static enum of_code write_reviews(struct of_apply *a, const struct of_type *t, struct batch *b, struct of_err *err)
{
    if (of_pgarr_len(b->a_ids) == 0) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_text(&args, t->entity);
    of_pg_arg_array(&args, b->a_ids);
    of_pg_arg_array(&args, b->a_eids);
    of_pg_arg_array(&args, b->a_fields);
    return of_pg_run(a->db, &of_sql_review_conflict, &args, NULL, err);
}

static enum of_code write_edges(struct of_apply *a, const struct of_type *t, struct batch *b, struct of_err *err)
{
    if (of_pgarr_len(b->d_eids) > 0) {
        OF_CLEANUP(of_freep) char *by = by_text(a);
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, a->conn->org);
        of_pg_arg_text(&args, a->conn->adapter_name);
        of_pg_arg_text(&args, by);
        of_pg_arg_array(&args, b->d_eids);
        of_pg_arg_array(&args, b->d_types);
        of_pg_arg_array(&args, b->d_refs);
        OF_TRY(of_pg_run(a->db, &of_sql_edges_drop, &args, NULL, err));
    }
    int64_t done = 0;
    return of_apply_edges(a, t, b->e_ids, &done, err);
}

enum of_code of_apply_populate(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_err *err)
{
    if (type->kind == OF_KIND_VALUE) {
        return of_values_apply(a, type, ids, err);
    }
    if (type->kind == OF_KIND_EDGE) {
        return of_edge_records_apply(a, type, ids, err);
    }
    if (type->kind == OF_KIND_REFERENCE) {
        struct of_pgargs none = OF_PGARGS_INIT;
        of_pg_arg_text(&none, a->conn->org);
        of_pg_arg_text(&none, a->conn->adapter_name);
        of_pg_arg_text(&none, type->name);
        of_pg_arg_array(&none, ids);
        return of_pg_run(a->db, &of_sql_reference_seen, &none, NULL, err);
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    const struct of_type_sql *s = of_type_sql(type);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, ids);
    OF_TRY(of_pg_run(a->db, &s->load, &args, &res, err));
    if (of_pgres_rows(res) == 0) {
        return OF_OK;
    }
    struct batch b;
    batch_init(&b);
    enum of_code code = OF_OK;
    for (int row = 0; row < of_pgres_rows(res) && code == OF_OK; row++) {
        code = merge_row(a, type, res, row, &b, err);
    }
    code = code == OF_OK ? write_entities(a, s, &b, err) : code;
    code = code == OF_OK ? write_base(a, type, &b, err) : code;
    code = code == OF_OK ? write_edges(a, type, &b, err) : code; /* reads base.seen: after write_base */
    code = code == OF_OK ? write_journal(a, type, &b, err) : code;
    code = code == OF_OK ? write_reviews(a, type, &b, err) : code;
    batch_done(&b);
    return code;
}

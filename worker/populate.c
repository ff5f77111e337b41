/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/apply.h"
#include "worker/journal.h"
#include "worker/merge.h"
#include "worker/relations.h"
#include "worker_sql.h"

enum { BODY_MAX = 8 * 1024 * 1024 };

/* A record that is merged: what is written of it, until it is. */
struct merged {
    char *ext, *eid;
    struct of_json *row, *patch; /* the row as it was; NULL: nothing to write */
    struct of_buf agreed;
    bool kept;                   /* something of ours goes out */
};

/* Everything a batch writes, gathered while its records are merged one by one. */
struct batch {
    struct merged *merged;
    size_t n;
    struct arrays {
        struct of_pgarr *done_ids, *agreed, *wrote; /* every record: base */
        struct of_pgarr *eids, *patches, *updated;  /* those whose entity changes */
        struct of_pgarr *j_eids, *j_ext, *j_fields, *j_values, *j_rules;
        struct of_pgarr *d_eids, *d_types, *d_refs; /* edges to drop */
        struct of_pgarr *e_ids;                     /* records whose edges are to be made sure of */
        struct of_pgarr *a_ids, *a_eids, *a_fields, *a_details; /* to be asked */
        struct of_pgarr *k_eids;                    /* entities of which something goes out */
        struct of_pgarr *f_refs;                    /* relations that theirs names anew */
    } a;
    struct of_rel_choices choices;                  /* relations in conflict */
    struct of_pgres *alternating;
    struct of_pgres *open; /* questions that wait for an answer */
};

static const enum of_pgtype array_types[] = {OF_PG_TEXT, OF_PG_JSONB, OF_PG_BOOL,  OF_PG_TEXT, OF_PG_JSONB, OF_PG_TIMESTAMPTZ, OF_PG_TEXT,
                                             OF_PG_TEXT, OF_PG_TEXT,  OF_PG_JSONB, OF_PG_TEXT, OF_PG_TEXT,  OF_PG_TEXT,        OF_PG_TEXT,
                                             OF_PG_TEXT, OF_PG_TEXT,  OF_PG_TEXT,  OF_PG_TEXT, OF_PG_JSONB, OF_PG_TEXT, OF_PG_TEXT};

static void batch_init(struct batch *b)
{
    *b = (struct batch){.merged = NULL};
    struct of_pgarr **arrays = &b->a.done_ids;
    OF_BUG_ON(OF_ARRAY_LEN(array_types) * sizeof *arrays != sizeof b->a);
    for (size_t i = 0; i < OF_ARRAY_LEN(array_types); i++) {
        arrays[i] = of_pgarr_new(array_types[i]);
    }
}

static void batch_done(struct batch *b)
{
    struct of_pgarr **arrays = &b->a.done_ids;
    for (size_t i = 0; i < OF_ARRAY_LEN(array_types); i++) {
        of_pgarr_free(arrays[i]);
    }
    for (size_t i = 0; i < b->n; i++) {
        struct merged *m = &b->merged[i];
        of_freep(&m->ext);
        of_freep(&m->eid);
        of_json_free(m->row);
        of_json_free(m->patch);
        of_buf_done(&m->agreed);
    }
    of_freep(&b->merged);
    of_relations_done(&b->choices);
    of_pgres_free(b->alternating);
    of_pgres_free(b->open);
}

static const struct of_json *next_of(const struct of_json *array, const struct of_json *one)
{
    return of_json_type(array) == OF_JSON_ARRAY ? of_json_next(one) : NULL;
}

static const struct of_json *first_of(const struct of_json *n)
{
    return of_json_type(n) == OF_JSON_ARRAY ? of_json_first(n) : n;
}

static bool names(const struct of_json *list, const struct of_json *one)
{
    for (const struct of_json *n = first_of(list); n; n = next_of(list, n)) {
        if (of_json_equal(one, n)) {
            return true;
        }
    }
    return false;
}

static void drop(struct batch *b, const char *eid, const char *rtype, const char *ref)
{
    of_pgarr_text(b->a.d_eids, eid);
    of_pgarr_text(b->a.d_types, rtype);
    of_pgarr_text(b->a.d_refs, ref);
}

/* A relation's line for the journal; pair: [what stood, what stands], consumed. */
static void add_note(struct batch *b, const char *ext, const char *eid, const struct of_relation *r, struct of_buf *pair,
                     const char *rule)
{
    OF_CLEANUP(of_freep) char *field = of_asprintf("_rel.%s", r->key);
    of_pgarr_text(b->a.j_eids, eid);
    of_pgarr_text(b->a.j_ext, ext);
    of_pgarr_text(b->a.j_fields, field);
    of_pgarr_text(b->a.j_values, of_buf_text(pair));
    of_pgarr_text(b->a.j_rules, rule);
    of_buf_done(pair);
}

/* Relations that theirs had and has no longer go, those that it names anew come; where both sides changed one, as was decided. */
static void relations(struct of_apply *a, const struct of_type *t, const struct of_json *staged, const struct of_json *seen,
                      const char *ext, const char *eid, struct batch *b)
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
        const struct of_rel_choice *choice = of_relations_of(&b->choices, eid, r);
        if (choice && choice->ours) {
            continue;
        }
        if (!choice && r->kind == OF_REL_EDGE && was && is && !of_json_equal(was, is) && !of_relations_is_ours(&b->choices, eid, r)) {
            struct of_buf pair = OF_BUF_INIT(BODY_MAX);
            of_journal_pair(&pair, was, is);
            add_note(b, ext, eid, r, &pair, "theirs changed");
        }
        for (const char *p = choice ? choice->now : ""; *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
            OF_CLEANUP(of_freep) char *ref = of_strndup(p, strcspn(p, ","));
            if (strcmp(ref, choice->theirs) != 0) {
                drop(b, eid, rtype, ref);
            }
        }
        for (const struct of_json *one = is ? first_of(was) : NULL; one; one = next_of(was, one)) {
            if (of_json_text(one) && !names(is, one)) { /* absent: not read, no statement about it */
                drop(b, eid, rtype, of_json_text(one));
            }
        }
        for (const struct of_json *one = first_of(is); one; one = next_of(is, one)) {
            if (of_json_text(one) && (!was || !names(was, one) || of_json_get(seen, "_gone"))) {
                OF_CLEANUP(of_freep) char *fresh = of_asprintf("%s %s", ext, of_json_text(one));
                of_pgarr_text(b->a.f_refs, fresh);
            }
        }
    }
}

static void note_relation(struct batch *b, const char *ext, const char *eid, const struct of_rel_choice *c)
{
    struct of_buf v = OF_BUF_INIT(BODY_MAX);
    struct of_buf d = OF_BUF_INIT(BODY_MAX);
    const char *old = c->ours ? c->theirs : c->now;
    const char *now = c->ours ? c->now : c->theirs;
    of_buf_char(&v, '[');
    of_buf_json_str(&v, old[0] ? old : NULL);
    of_buf_char(&v, ',');
    of_buf_json_str(&v, now[0] ? now : NULL);
    of_buf_char(&v, ']');
    add_note(b, ext, eid, c->relation, &v, c->rule);
    if (c->ask) {
        OF_CLEANUP(of_freep) char *field = of_asprintf("_rel.%s", c->relation->key);
        of_buf_str(&d, "{\"ours\":");
        of_buf_json_str(&d, c->now[0] ? c->now : NULL);
        of_buf_str(&d, ",\"theirs\":");
        of_buf_json_str(&d, c->theirs[0] ? c->theirs : NULL);
        of_buf_str(&d, ",\"why\":\"ask\"}");
        of_pgarr_text(b->a.a_ids, ext);
        of_pgarr_text(b->a.a_eids, eid);
        of_pgarr_text(b->a.a_fields, field);
        of_pgarr_text(b->a.a_details, of_buf_text(&d));
    }
    of_buf_done(&d);
}

static enum of_code parse_opt(const struct of_pgres *res, int row, int col, struct of_json **ret, struct of_err *err)
{
    *ret = NULL;
    const char *text = of_pgres_text_null(res, row, col);
    return text ? of_json_parse(text, of_pgres_len(res, row, col), BODY_MAX, ret, err) : OF_OK;
}

/* What a row that is written says of its last change: theirs, unless somebody here changed it after that. */
static void push_updated(struct of_pgarr *updated, const struct of_merge_out *out, const struct of_merge_in *in)
{
    const char *s = of_json_text(of_json_get(in->row, "updatedAt"));
    struct of_wall at;
    if (!in->has_theirs_at) {
        of_pgarr_null(updated);
    } else if (!out->only_theirs && s && of_time_parse(s, &at) && at.us > in->theirs_at.us) {
        of_pgarr_int8(updated, at.us);
    } else {
        of_pgarr_int8(updated, in->theirs_at.us);
    }
}

static void take_notes(struct batch *b, const struct of_merge_out *out, const char *ext, const char *eid)
{
    for (size_t i = 0; i < out->n_notes; i++) {
        const struct of_merge_note *n = &out->notes[i];
        char *pair = of_asprintf("[%s,%s]", strlen(n->old_json) < 30000 ? n->old_json : "null",
                                 strlen(n->new_json) < 30000 ? n->new_json : "null");
        of_pgarr_text(b->a.j_eids, eid);
        of_pgarr_text(b->a.j_ext, ext);
        of_pgarr_text(b->a.j_fields, n->field);
        of_pgarr_text(b->a.j_values, pair);
        of_pgarr_text(b->a.j_rules, n->rule);
        of_freep(&pair);
    }
    for (size_t i = 0; i < out->n_ask; i++) {
        of_pgarr_text(b->a.a_ids, ext);
        of_pgarr_text(b->a.a_eids, eid);
        of_pgarr_text(b->a.a_fields, out->ask[i].field);
        of_pgarr_text(b->a.a_details, out->ask[i].detail);
    }
}

/* Takes the row. */
static enum of_code take_merge(struct batch *b, struct of_merge_out *out, const char *ext, const char *eid,
                               const struct of_merge_in *in, struct of_json *row, struct of_err *err)
{
    b->merged = of_reallocarray(b->merged, b->n + 1, sizeof *b->merged);
    struct merged *m = &b->merged[b->n++];
    *m = (struct merged){.ext = of_strdup(ext), .eid = of_strdup(eid), .row = row, .agreed = out->agreed, .kept = out->kept_ours};
    out->agreed = (struct of_buf)OF_BUF_INIT(0);
    take_notes(b, out, ext, eid);
    if (out->patch.len == 0) {
        return OF_OK;
    }
    of_pgarr_text(b->a.eids, eid);
    of_pgarr_mem(b->a.patches, out->patch.data, out->patch.len);
    push_updated(b->a.updated, out, in);
    return of_json_parse(out->patch.data, out->patch.len, BODY_MAX, &m->patch, err);
}

/* What a person or the journal says about one record before it is merged. */
static enum of_code decided_before(struct batch *b, const char *ext, const char *eid, struct of_merge_in *in, struct of_json **ret_keep,
                                   struct of_json **ret_frozen, struct of_json **ret_open, struct of_err *err)
{
    struct of_buf keep = OF_BUF_INIT(BODY_MAX);
    of_relations_agreed(&b->choices, eid, &keep);
    enum of_code code = keep.len ? of_json_parse(keep.data, keep.len, BODY_MAX, ret_keep, err) : OF_OK;
    of_buf_done(&keep);
    OF_TRY(code);
    for (size_t i = 0; i < b->choices.n; i++) {
        const struct of_rel_choice *c = &b->choices.of[i];
        if (strcmp(c->eid, eid) == 0 && !c->same) {
            in->rel_goes_out = in->rel_goes_out || (c->ours && !c->ask);
            note_relation(b, ext, eid, c);
        }
    }
    for (int row = 0; b->alternating && row < of_pgres_rows(b->alternating); row++) {
        if (strcmp(of_pgres_text(b->alternating, row, 0), eid) == 0) {
            OF_TRY(parse_opt(b->alternating, row, 1, ret_frozen, err));
        }
    }
    struct of_buf open = OF_BUF_INIT(BODY_MAX);
    for (int row = 0; b->open && row < of_pgres_rows(b->open); row++) {
        if (strcmp(of_pgres_text(b->open, row, 0), eid) == 0) {
            of_buf_char(&open, open.len == 0 ? '[' : ',');
            of_buf_json_str(&open, of_pgres_text(b->open, row, 1));
        }
    }
    of_buf_str(&open, open.len == 0 ? "[]" : "]");
    code = b->open ? of_json_parse(open.data, open.len, BODY_MAX, ret_open, err) : OF_OK;
    of_buf_done(&open);
    OF_TRY(code);
    in->keep_rel = *ret_keep;
    in->frozen = *ret_frozen;
    in->open = *ret_open;
    return OF_OK;
}

static enum of_code merge_row(struct of_apply *a, const struct of_type *t, const struct of_pgres *res, int row, struct batch *b,
                              struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *staged = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *seen = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *agreed = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *entity = NULL;
    struct of_conn *c = a->conn;
    OF_TRY(parse_opt(res, row, 4, &staged, err));
    OF_TRY(parse_opt(res, row, 5, &seen, err));
    OF_TRY(parse_opt(res, row, 6, &agreed, err));
    OF_TRY(parse_opt(res, row, 7, &entity, err));
    const char *ext = of_pgres_text(res, row, 0);
    const char *eid = of_pgres_text(res, row, 1);
    struct of_merge_in in = {.adapter = c->adapter,
                             .sql = of_type_sql(t),
                             .staged = staged,
                             .seen = seen,
                             .agreed = agreed,
                             .row = entity,
                             .mode = c->mode,
                             .strategy = c->strategy,
                             .by_field = c->field_strategies,
                             .keep_first = c->mode == 'c' && !c->push_first_link,
                             .clock_offset_ms = c->clock_offset_ms,
                             .has_theirs_at = !of_pgres_is_null(res, row, 3),
                             .theirs_at = {.us = of_pgres_i64(res, row, 3)}};
    OF_CLEANUP(of_json_freep) struct of_json *keep = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *frozen = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *open = NULL;
    OF_TRY(decided_before(b, ext, eid, &in, &keep, &frozen, &open, err));
    struct of_merge_out out;
    of_merge(&in, &out);
    enum of_code code = take_merge(b, &out, ext, eid, &in, OF_TAKE(entity), err);
    of_merge_done(&out);
    OF_TRY(code);
    relations(a, t, staged, seen, ext, eid, b);
    of_pgarr_text(b->a.e_ids, ext);
    return OF_OK;
}

static char *by_text(const struct of_apply *a)
{
    return of_asprintf("sync:%s", a->conn->adapter_name);
}

static enum of_code write_entities(struct of_apply *a, const struct of_type_sql *s, struct batch *b, struct of_err *err)
{
    if (of_pgarr_len(b->a.eids) == 0) {
        return OF_OK;
    }
    OF_TRY(of_apply_own(a, b->a.eids, err));
    OF_CLEANUP(of_freep) char *by = by_text(a);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_array(&args, b->a.eids);
    of_pg_arg_array(&args, b->a.patches);
    of_pg_arg_array(&args, b->a.updated);
    of_pg_arg_text(&args, by);
    return of_pg_run(a->db, &s->update, &args, NULL, err);
}

/* The rows as OpenFaith's triggers left them. */
static enum of_code look_after(struct of_apply *a, const struct of_type_sql *s, struct batch *b, struct of_err *err)
{
    if (of_pgarr_len(b->a.eids) == 0) {
        return OF_OK;
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_array(&args, b->a.eids);
    OF_TRY(of_pg_run(a->db, &s->again, &args, &res, err));
    for (int row = 0; row < of_pgres_rows(res); row++) {
        OF_CLEANUP(of_json_freep) struct of_json *after = NULL;
        OF_TRY(parse_opt(res, row, 1, &after, err));
        for (size_t i = 0; i < b->n; i++) {
            struct merged *m = &b->merged[i];
            if (m->patch && strcmp(m->eid, of_pgres_text(res, row, 0)) == 0) {
                of_merge_after(s, m->patch, m->row, after, &m->agreed, &m->kept);
            }
        }
    }
    return OF_OK;
}

static enum of_code write_base(struct of_apply *a, const struct of_type *t, struct batch *b, struct of_err *err)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct merged *m = &b->merged[i];
        of_pgarr_text(b->a.done_ids, m->ext);
        of_pgarr_text(b->a.agreed, m->agreed.len ? of_buf_text(&m->agreed) : NULL);
        of_pgarr_bool(b->a.wrote, m->patch != NULL);
        if (m->kept) {
            of_pgarr_text(b->a.k_eids, m->eid);
        }
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_array(&args, b->a.done_ids);
    of_pg_arg_array(&args, b->a.agreed);
    of_pg_arg_array(&args, b->a.wrote);
    return of_pg_run(a->db, &of_sql_base_applied, &args, NULL, err);
}

static enum of_code write_journal(struct of_apply *a, const struct of_type *t, struct batch *b, struct of_err *err)
{
    const struct of_journal j = {b->a.j_eids, b->a.j_ext, b->a.j_fields, b->a.j_values, b->a.j_rules};
    return of_journal_write(a, t->entity, t->name, &j, err);
}

static enum of_code write_reviews(struct of_apply *a, const struct of_type *t, struct batch *b, struct of_err *err)
{
    const struct of_asked q = {b->a.a_ids, b->a.a_eids, b->a.a_fields, b->a.a_details};
    return of_asked_write(a, t->entity, t->name, &q, err);
}

static enum of_code write_edges(struct of_apply *a, const struct of_type *t, struct batch *b, struct of_err *err)
{
    if (of_pgarr_len(b->a.d_eids) > 0) {
        OF_CLEANUP(of_freep) char *by = by_text(a);
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, a->conn->org);
        of_pg_arg_text(&args, a->conn->adapter_name);
        of_pg_arg_text(&args, by);
        of_pg_arg_array(&args, b->a.d_eids);
        of_pg_arg_array(&args, b->a.d_types);
        of_pg_arg_array(&args, b->a.d_refs);
        OF_TRY(of_pg_run(a->db, &of_sql_edges_drop, &args, NULL, err));
    }
    int64_t done = 0;
    return of_apply_edges(a, t, b->a.e_ids, b->a.f_refs, &done, err);
}

/* Of entities that come back other records tell, which have not changed. */
static enum of_code tie_returned(struct of_apply *a, const struct batch *b, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *eids = of_pgarr_new(OF_PG_TEXT);
    for (size_t i = 0; i < b->n; i++) {
        const struct merged *m = &b->merged[i];
        if (m->patch && of_json_get(m->patch, "deletedAt") && !of_json_is_null(of_json_get(m->row, "deletedAt"))) {
            of_pgarr_text(eids, m->eid);
        }
    }
    return of_pgarr_len(eids) > 0 ? of_apply_returned(a, eids, err) : OF_OK;
}

/* Which fields have changed hands again and again today; only of records that are known. */
static enum of_code look_before(struct of_apply *a, const struct of_pgres *rows, struct batch *b, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *eids = of_pgarr_new(OF_PG_TEXT);
    for (int row = 0; row < of_pgres_rows(rows); row++) {
        if (!of_pgres_is_null(rows, row, 5)) {
            of_pgarr_text(eids, of_pgres_text(rows, row, 1));
        }
    }
    if (of_pgarr_len(eids) == 0) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_array(&args, eids);
    return of_pg_run(a->db, &of_sql_alternating, &args, &b->alternating, err);
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
    enum of_code code = of_asked_open(a, type, ids, &b.open, err);
    code = code == OF_OK ? of_relations_look(a, type, res, b.open, &b.choices, err) : code;
    code = code == OF_OK ? look_before(a, res, &b, err) : code;
    for (int row = 0; row < of_pgres_rows(res) && code == OF_OK; row++) {
        code = merge_row(a, type, res, row, &b, err);
    }
    code = code == OF_OK ? write_entities(a, s, &b, err) : code;
    code = code == OF_OK ? look_after(a, s, &b, err) : code;
    code = code == OF_OK ? write_base(a, type, &b, err) : code;
    code = code == OF_OK ? write_edges(a, type, &b, err) : code; /* reads base.seen: after write_base */
    code = code == OF_OK ? tie_returned(a, &b, err) : code;
    code = code == OF_OK ? write_journal(a, type, &b, err) : code;
    code = code == OF_OK ? write_reviews(a, type, &b, err) : code;
    if (code == OF_OK && of_pgarr_len(b.a.k_eids) > 0) {
        code = of_apply_hint_out(a, type, b.a.k_eids, "kept", err);
    }
    batch_done(&b);
    return code;
}

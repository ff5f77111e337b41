/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/journal.h"
#include "worker/merge.h"
#include "worker_sql.h"

/* Records that are edges (memberships): tied, written, and merged key by key. */

enum { EDGE_MAX = 8 * 1024 * 1024 };

enum { /* columns of edge_records.sql */
    COL_EXT, COL_EDGE, COL_FIELD, COL_SIDE, COL_RULE, COL_VALUES
};

/* Where both sides changed the same: keys, sides and rules by the strategies. They say no time of their change, so ours is the newer. */
static void strategies(const struct of_apply *a, const struct of_type *t, struct of_pgarr *keys, struct of_pgarr *sides,
                       struct of_pgarr *rules)
{
    for (const struct of_field *f = t->fields; f && f->attr; f++) {
        if (!f->column) {
            continue;
        }
        const char *rule = "";
        const char *strategy = of_merge_strategy(a->conn->field_strategies, a->conn->strategy, t->name, f->column);
        enum of_merge_side side = of_merge_by_strategy(strategy, true, &rule);
        of_pgarr_text(keys, f->column);
        of_pgarr_text(sides, side == OF_MERGE_THEIRS ? "t" : side == OF_MERGE_OURS ? "o" : "a");
        of_pgarr_text(rules, rule);
    }
}

struct written {
    struct of_pgarr *eids, *exts, *fields, *values, *rules;    /* journal */
    struct of_pgarr *a_exts, *a_eids, *a_fields, *a_details;   /* asked */
    struct of_pgarr *out;
};

/* The journal says what stood, and what stands: [from, to]. */
static enum of_code note(struct written *w, const struct of_pgres *res, int row, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *pair = NULL;
    const char *side = of_pgres_text(res, row, COL_SIDE);
    OF_TRY(of_json_parse(of_pgres_text(res, row, COL_VALUES), of_pgres_len(res, row, COL_VALUES), EDGE_MAX, &pair, err));
    const struct of_json *ours = of_json_first(pair);
    const struct of_json *theirs = of_json_next(ours);
    bool is_theirs = side[0] == 't';
    struct of_buf b = OF_BUF_INIT(EDGE_MAX);
    of_journal_pair(&b, is_theirs ? ours : theirs, is_theirs ? theirs : ours);
    of_pgarr_text(w->eids, of_pgres_text(res, row, COL_EDGE));
    of_pgarr_text(w->exts, of_pgres_text(res, row, COL_EXT));
    of_pgarr_text(w->fields, of_pgres_text(res, row, COL_FIELD));
    of_pgarr_text(w->values, of_buf_text(&b));
    of_pgarr_text(w->rules, of_pgres_text(res, row, COL_RULE));
    if (side[0] == 'o') {
        of_pgarr_text(w->out, of_pgres_text(res, row, COL_EDGE));
    } else if (side[0] == 'a') {
        of_buf_clear(&b);
        of_buf_str(&b, "{\"ours\":");
        of_json_write(&b, ours);
        of_buf_str(&b, ",\"theirs\":");
        of_json_write(&b, theirs);
        of_buf_str(&b, ",\"why\":\"ask\"}");
        of_pgarr_text(w->a_exts, of_pgres_text(res, row, COL_EXT));
        of_pgarr_text(w->a_eids, of_pgres_text(res, row, COL_EDGE));
        of_pgarr_text(w->a_fields, of_pgres_text(res, row, COL_FIELD));
        of_pgarr_text(w->a_details, of_buf_text(&b));
    }
    of_buf_done(&b);
    return OF_OK;
}

static enum of_code write(struct of_apply *a, const struct of_type *t, const struct written *w, struct of_err *err)
{
    const struct of_journal j = {w->eids, w->exts, w->fields, w->values, w->rules};
    const struct of_asked q = {w->a_exts, w->a_eids, w->a_fields, w->a_details};
    OF_TRY(of_journal_write(a, "edge", t->name, &j, err));
    OF_TRY(of_asked_write(a, "edge", t->name, &q, err));
    return of_apply_hint_out(a, t, w->out, "kept", err);
}

static enum of_code decided(struct of_apply *a, const struct of_type *t, const struct of_pgres *res, struct of_err *err)
{
    struct written w = {of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_JSONB),
                        of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT),
                        of_pgarr_new(OF_PG_JSONB), of_pgarr_new(OF_PG_TEXT)};
    enum of_code code = OF_OK;
    for (int row = 0; row < of_pgres_rows(res) && code == OF_OK; row++) {
        code = note(&w, res, row, err);
    }
    code = code == OF_OK ? write(a, t, &w, err) : code;
    struct of_pgarr **arrays = &w.eids;
    for (size_t i = 0; i < sizeof w / sizeof *arrays; i++) {
        of_pgarr_free(arrays[i]);
    }
    return code;
}

enum of_code of_edge_records_apply(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_err *err)
{
    struct of_edge_record e;
    of_edge_record_of(a->conn->adapter, type, &e);
    char mode[2] = {a->conn->mode, '\0'};
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *keys = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *sides = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *rules = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    strategies(a, type, keys, sides, rules);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, type->name);
    of_pg_arg_array(&args, ids);
    of_pg_arg_text(&args, e.ends[0]->key);
    of_pg_arg_text(&args, e.ends[1]->key);
    of_pg_arg_text(&args, e.tags[0]);
    of_pg_arg_text(&args, e.tags[1]);
    of_pg_arg_bool(&args, e.first_is_source);
    of_pg_arg_text(&args, e.rtype);
    of_pg_arg_text(&args, e.key);
    of_pg_arg_text(&args, mode);
    of_pg_arg_array(&args, keys);
    of_pg_arg_array(&args, sides);
    of_pg_arg_array(&args, rules);
    OF_TRY(of_pg_run(a->db, &of_sql_edge_records, &args, &res, err));
    return of_pgres_rows(res) > 0 ? decided(a, type, res, err) : OF_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/relations.h"

#include <string.h>

#include "worker/journal.h"
#include "worker/merge.h"
#include "worker_sql.h"

enum { BODY_MAX = 8 * 1024 * 1024 };

static enum of_code parse_opt(const struct of_pgres *res, int row, int col, struct of_json **ret, struct of_err *err)
{
    *ret = NULL;
    const char *text = of_pgres_text_null(res, row, col);
    return text ? of_json_parse(text, of_pgres_len(res, row, col), BODY_MAX, ret, err) : OF_OK;
}

static const char *or_empty(const struct of_json *n)
{
    const char *s = of_json_text(n);
    return s ? s : "";
}

/* Questions about one record: relations to one that theirs changed. */
static enum of_code ask_of(const struct of_type *t, const struct of_pgres *rows, int row, struct of_rel_choices *c, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *staged = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *seen = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *agreed = NULL;
    OF_TRY(parse_opt(rows, row, 4, &staged, err));
    OF_TRY(parse_opt(rows, row, 5, &seen, err));
    OF_TRY(parse_opt(rows, row, 6, &agreed, err));
    for (const struct of_relation *r = t->relations; r && r->key; r++) {
        const struct of_json *is = of_json_get(of_json_get(staged, "_rel"), r->key);
        const struct of_json *was = of_json_get(of_json_get(seen, "_rel"), r->key);
        const struct of_json *by_agreement = of_json_get(of_json_get(agreed, "_rel"), r->key);
        const struct of_json *sent = of_json_get(of_json_get(of_json_get(agreed, "_sent"), "_rel"), r->key);
        bool lost = sent && of_json_equal(sent, is);
        bool first = !seen && of_json_text(is) && *of_json_text(is);
        if (r->kind != OF_REL_EDGE || (!first && (!is || !was || of_json_equal(is, was) || of_json_get(seen, "_gone")))) {
            continue;
        }
        c->of = of_reallocarray(c->of, c->n + 1, sizeof *c->of);
        c->of[c->n++] = (struct of_rel_choice){.eid = of_strdup(of_pgres_text(rows, row, 1)),
                                               .relation = r,
                                               .first = first,
                                               .lost = lost,
                                               .theirs = of_strdup(or_empty(is)),
                                               .agreed = of_strdup(or_empty(lost || first  ? is
                                                                            : by_agreement ? by_agreement
                                                                                           : was))};
    }
    return OF_OK;
}

static struct of_pgarr *column(const struct of_rel_choices *c, int which, const struct of_apply *a, const struct of_type *t)
{
    struct of_pgarr *arr = of_pgarr_new(which == 2 ? OF_PG_BOOL : OF_PG_TEXT);
    for (size_t i = 0; i < c->n; i++) {
        char rtype[128];
        bool self = false;
        (void)of_relation_edge(a->conn->adapter, t, c->of[i].relation, rtype, &self);
        if (which == 2) {
            of_pgarr_bool(arr, self);
        } else {
            of_pgarr_text(arr, which == 0 ? c->of[i].eid : which == 1 ? rtype : c->of[i].relation->target);
        }
    }
    return arr;
}

/* When theirs was changed, by our clock, of the record with this entity. */
static bool theirs_at(const struct of_apply *a, const struct of_pgres *rows, const char *eid, int64_t *ret_us)
{
    for (int row = 0; row < of_pgres_rows(rows); row++) {
        if (strcmp(of_pgres_text(rows, row, 1), eid) == 0) {
            *ret_us = of_pgres_i64(rows, row, 3) - a->conn->clock_offset_ms * 1000;
            return !of_pgres_is_null(rows, row, 3);
        }
    }
    return false;
}

static void choice_done(struct of_rel_choice *c)
{
    of_freep(&c->eid);
    of_freep(&c->now);
    of_freep(&c->theirs);
    of_freep(&c->agreed);
}

/* Keeps those where ours changed as well, to something else than theirs says now. */
static void answer(struct of_apply *a, const struct of_type *t, const struct of_pgres *rows, const struct of_pgres *ours,
                   const struct of_pgres *open, struct of_rel_choices *c)
{
    size_t n = 0;
    int row = 0;
    for (size_t i = 0; i < c->n; i++) {
        struct of_rel_choice *x = &c->of[i];
        bool found = row < of_pgres_rows(ours) && of_pgres_i64(ours, row, 0) == (int64_t)i + 1;
        x->now = of_strdup(found ? of_pgres_text(ours, row, 1) : "");
        int64_t at = found ? of_pgres_i64(ours, row, 2) : 0;
        bool touched = found && !of_pgres_is_null(ours, row, 2); /* by somebody here, ever */
        row += found;
        if (x->first && (x->now[0] == '\0' || strcmp(x->now, x->theirs) == 0)) {
            choice_done(x);
            continue;
        }
        if (x->first) {
            x->ours = a->conn->mode == 'o';
            x->rule = x->ours ? "first link: ours" : "first link: theirs";
            c->of[n++] = *x;
            continue;
        }
        const char *strategy = of_merge_strategy(a->conn->field_strategies, a->conn->strategy, t->name, x->relation->key);
        OF_CLEANUP(of_freep) char *field = of_asprintf("_rel.%s", x->relation->key);
        bool asked = strcmp(strategy, "ask") == 0 && of_asked_is_open(open, x->eid, field); /* the answer is still owed */
        if (touched && strcmp(x->now, x->theirs) == 0) {
            x->same = true;
            c->of[n++] = *x;
            continue;
        }
        if (!touched || (strcmp(x->now, x->agreed) == 0 && !asked)) {
            choice_done(x);
            continue;
        }
        int64_t theirs_us = 0;
        x->newer = !theirs_at(a, rows, x->eid, &theirs_us) || at > theirs_us;
        enum of_merge_side side = of_merge_by_strategy(strategy, x->newer, &x->rule);
        x->ours = side != OF_MERGE_THEIRS || x->lost;
        x->ask = side == OF_MERGE_ASK && !x->lost;
        x->rule = x->lost ? "sent, its answer was lost" : x->rule;
        c->of[n++] = *x;
    }
    c->n = n;
}

enum of_code of_relations_look(struct of_apply *a, const struct of_type *t, const struct of_pgres *rows,
                               const struct of_pgres *open, struct of_rel_choices *ret, struct of_err *err)
{
    for (int row = 0; row < of_pgres_rows(rows); row++) {
        OF_TRY(ask_of(t, rows, row, ret, err));
    }
    if (ret->n == 0) {
        return OF_OK;
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *eids = column(ret, 0, a, t);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *rtypes = column(ret, 1, a, t);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *selves = column(ret, 2, a, t);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *targets = column(ret, 3, a, t);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, eids);
    of_pg_arg_array(&args, rtypes);
    of_pg_arg_array(&args, selves);
    of_pg_arg_array(&args, targets);
    OF_TRY(of_pg_run(a->db, &of_sql_relations_ours, &args, &res, err));
    answer(a, t, rows, res, open, ret);
    return OF_OK;
}

void of_relations_done(struct of_rel_choices *c)
{
    for (size_t i = 0; i < c->n; i++) {
        choice_done(&c->of[i]);
    }
    of_freep(&c->of);
    c->n = 0;
}

static const struct of_rel_choice *find(const struct of_rel_choices *c, const char *eid, const struct of_relation *r)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->of[i].relation == r && strcmp(c->of[i].eid, eid) == 0) {
            return &c->of[i];
        }
    }
    return NULL;
}

const struct of_rel_choice *of_relations_of(const struct of_rel_choices *c, const char *eid, const struct of_relation *r)
{
    const struct of_rel_choice *x = find(c, eid, r);
    return x && !x->same ? x : NULL;
}

bool of_relations_is_ours(const struct of_rel_choices *c, const char *eid, const struct of_relation *r)
{
    const struct of_rel_choice *x = find(c, eid, r);
    return x && x->same;
}

void of_relations_agreed(const struct of_rel_choices *c, const char *eid, struct of_buf *b)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct of_rel_choice *x = &c->of[i];
        if (!x->ours || strcmp(x->eid, eid) != 0) {
            continue;
        }
        const char *stands = x->ask ? x->now : x->agreed; /* who is asked is not run over */
        of_buf_char(b, b->len == 0 ? '{' : ',');
        of_buf_json_str(b, x->relation->key);
        of_buf_char(b, ':');
        of_buf_json_str(b, stands[0] ? stands : NULL);
    }
    if (b->len > 0) {
        of_buf_char(b, '}');
    }
}

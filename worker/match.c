/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "worker/apply.h"
#include "worker_sql.h"

/* Linked only if exactly one candidate is confident; a shared e-mail alone is not (design.md section 7). */
enum { SCORE_CONFIDENT = 90, SCORE_REVIEW = 50 };

struct candidate {
    const char *ext;
    const char *eid;
    int score;
    char reasons[64];
};

static void reason(struct candidate *c, const char *word)
{
    size_t n = strlen(c->reasons);
    if (n + strlen(word) + 2 < sizeof c->reasons) {
        if (n) {
            c->reasons[n++] = ',';
        }
        (void)of_strcopy(c->reasons + n, sizeof c->reasons - n, word);
    }
}

/* Name with e-mail, name with phone, name with birth date are certain; birth dates that contradict never are. The same contact
 * under a fitting first name, or the name alone, is a question; another first name under a family's e-mail is another person. */
static void score_person(const struct of_pgres *res, int row, struct candidate *c)
{
    bool name = of_pgres_bool(res, row, 2);
    bool email = of_pgres_bool(res, row, 3);
    bool phone = of_pgres_bool(res, row, 4);
    bool birth = of_pgres_bool(res, row, 5);
    bool contradicts = of_pgres_bool(res, row, 6);
    bool first = of_pgres_bool(res, row, 7);
    memset(c, 0, sizeof *c);
    c->ext = of_pgres_text(res, row, 0);
    c->eid = of_pgres_text(res, row, 1);
    if (name && !contradicts) {
        c->score = email ? 100 : phone ? 95 : birth ? 90 : 50;
    } else if (name && (email || phone)) {
        c->score = 60;
    } else if ((email || phone) && first && !contradicts) {
        c->score = birth ? 80 : 60;
    }
    if (name) {
        reason(c, "name");
    }
    if (email) {
        reason(c, "email");
    }
    if (phone) {
        reason(c, "phone");
    }
    if (birth) {
        reason(c, "birthdate");
    }
    if (contradicts) {
        reason(c, "birthdate_differs");
    }
}

struct verdict {
    struct of_pgarr *ids, *eids;             /* certain */
    struct of_pgarr *r_ids, *r_eids, *r_why; /* questions */
    const char **taken;
    size_t n_taken;
};

static bool is_taken(const struct verdict *v, const char *eid)
{
    for (size_t i = 0; i < v->n_taken; i++) {
        if (strcmp(v->taken[i], eid) == 0) {
            return true;
        }
    }
    return false;
}

/* All candidates of one record. An entity goes to one record only: the first that is certain of it. */
static void judge(struct verdict *v, const struct candidate *c, size_t n)
{
    size_t certain = 0;
    size_t open = 0;
    const struct candidate *best = NULL;
    for (size_t i = 0; i < n; i++) {
        if (is_taken(v, c[i].eid)) {
            continue;
        }
        if (c[i].score >= SCORE_CONFIDENT) {
            certain++;
            best = &c[i];
        } else if (c[i].score >= SCORE_REVIEW) {
            open++;
        }
    }
    if (certain == 1) {
        of_pgarr_text(v->ids, best->ext);
        of_pgarr_text(v->eids, best->eid);
        v->taken = of_reallocarray(v->taken, v->n_taken + 1, sizeof *v->taken);
        v->taken[v->n_taken++] = best->eid;
        return;
    }
    if (certain == 0 && open == 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (c[i].score >= SCORE_REVIEW && !is_taken(v, c[i].eid)) {
            char *why = of_asprintf("%d %s", c[i].score, c[i].reasons);
            of_pgarr_text(v->r_ids, c[i].ext);
            of_pgarr_text(v->r_eids, c[i].eid);
            of_pgarr_text(v->r_why, why);
            of_freep(&why);
        }
    }
}

static enum of_code write_verdict(struct of_apply *a, const struct of_type *t, struct verdict *v, struct of_err *err)
{
    if (of_pgarr_len(v->ids) > 0) {
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, a->conn->org);
        of_pg_arg_text(&args, a->conn->adapter_name);
        of_pg_arg_text(&args, t->name);
        of_pg_arg_array(&args, v->ids);
        of_pg_arg_array(&args, v->eids);
        of_pg_arg_text(&args, t->entity);
        OF_TRY(of_pg_run(a->db, &of_sql_match_link, &args, NULL, err));
    }
    if (of_pgarr_len(v->r_ids) > 0) {
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, a->conn->org);
        of_pg_arg_text(&args, a->conn->adapter_name);
        of_pg_arg_text(&args, t->name);
        of_pg_arg_text(&args, t->entity);
        of_pg_arg_array(&args, v->r_ids);
        of_pg_arg_array(&args, v->r_eids);
        of_pg_arg_array(&args, v->r_why);
        OF_TRY(of_pg_run(a->db, &of_sql_match_review, &args, NULL, err));
    }
    return OF_OK;
}

static enum of_code judge_all(struct of_apply *a, const struct of_type *t, const struct of_pgres *res, struct of_err *err)
{
    struct verdict v = {.ids = of_pgarr_new(OF_PG_TEXT),
                        .eids = of_pgarr_new(OF_PG_TEXT),
                        .r_ids = of_pgarr_new(OF_PG_TEXT),
                        .r_eids = of_pgarr_new(OF_PG_TEXT),
                        .r_why = of_pgarr_new(OF_PG_TEXT)};
    int rows = of_pgres_rows(res);
    struct candidate *c = of_calloc((size_t)OF_MAX(rows, 1), sizeof *c);
    for (int row = 0; row < rows;) {
        size_t n = 0;
        const char *ext = of_pgres_text(res, row, 0);
        for (; row < rows && strcmp(of_pgres_text(res, row, 0), ext) == 0; row++, n++) {
            if (t->match == OF_MATCH_PERSON) {
                score_person(res, row, &c[n]);
            } else {
                c[n] = (struct candidate){.ext = ext, .eid = of_pgres_text(res, row, 1), .score = 100, .reasons = "key"};
            }
        }
        /* below one parent the same address twice is the same address: the first will do */
        judge(&v, c, t->match == OF_MATCH_CHILD && n > 1 ? 1 : n);
    }
    enum of_code code = write_verdict(a, t, &v, err);
    of_freep(&c);
    of_freep(&v.taken);
    of_pgarr_free(v.ids);
    of_pgarr_free(v.eids);
    of_pgarr_free(v.r_ids);
    of_pgarr_free(v.r_eids);
    of_pgarr_free(v.r_why);
    return code;
}

enum of_code of_apply_can_match(struct of_apply *a, const struct of_type *type, bool *ret_any, struct of_err *err)
{
    *ret_any = false;
    const struct of_type_sql *s = of_type_sql(type);
    if (type->match == OF_MATCH_NONE || type->kind != OF_KIND_ENTITY) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    int64_t rows = 0;
    OF_TRY(of_pg_run_count(a->db, &s->unlinked, &args, &rows, err));
    *ret_any = rows > 0;
    return OF_OK;
}

enum of_code of_apply_match(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *rest = NULL;
    const struct of_type_sql *s = of_type_sql(type);
    struct of_pgargs args = OF_PGARGS_INIT;
    OF_TRY(of_apply_hold(a, type, ids, &rest, err));
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    if (type->match == OF_MATCH_PERSON) {
        of_pg_arg_text(&args, type->name);
    }
    of_pg_arg_array(&args, rest ? rest : ids);
    OF_TRY(of_pg_run(a->db, type->match == OF_MATCH_PERSON ? &of_sql_match_person : &s->match, &args, &res, err));
    return judge_all(a, type, res, err);
}

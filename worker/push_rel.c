/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "worker/push_int.h"
#include "worker_sql.h"

/* What an entity's edges say in their ids. */

struct found_rel {
    const struct of_relation *r;
    char type[128]; /* relationshipType */
};

enum { RELS_MAX = 16 };

static bool is_edge(const struct of_relation *r)
{
    return r->kind == OF_REL_EDGE || r->kind == OF_REL_EDGES;
}

/* The relations that matter: written there, or named in the path. */
static int wanted(const struct of_adapter *a, const struct of_type *t, const char *skip, struct found_rel *out)
{
    int n = 0;
    for (const struct of_relation *r = t->relations; r && r->key && n < RELS_MAX; r++) {
        bool parent = t->create_parent && strcmp(t->create_parent, r->key) == 0;
        if (is_edge(r) && (r->writes || r->required || parent) && !(skip && strcmp(r->target, skip) == 0)) {
            bool self = false;
            out[n].r = r;
            (void)of_relation_edge(a, t, r, out[n].type, &self);
            n++;
        }
    }
    return n;
}

static void member(struct of_buf *b, const char *key)
{
    of_buf_char(b, b->len == 0 ? '{' : ',');
    of_buf_json_str(b, key);
    of_buf_char(b, ':');
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

static void on_its_way(struct of_push_rels *ret, const struct of_pgres *res, int row)
{
    const char *way = of_pgres_text(res, row, 5);
    char *to = way[0] == 's' ? ret->stuck : ret->wait;
    if (way[0] && !to[0]) {
        OF_CLEANUP(of_freep) char *ref = of_asprintf("out:%s/%s", of_pgres_text(res, row, 2), of_pgres_text(res, row, 1));
        (void)of_strcopy(to, sizeof ret->wait, ref);
    }
}

static bool is_row_of(const struct of_pgres *res, int row, const struct found_rel *f, bool *ret_linked)
{
    if (strcmp(of_pgres_text(res, row, 0), f->type) != 0) {
        return false;
    }
    *ret_linked = strcmp(of_pgres_text(res, row, 3), f->r->target) == 0;
    return true;
}

/* The newest edge counts. Unlinked and not on its way: it is not known there, nothing is said about it. */
static void to_one(const struct of_pgres *res, const struct found_rel *f, struct of_buf *rel, struct of_push_rels *ret)
{
    for (int row = 0; row < of_pgres_rows(res); row++) {
        bool linked = false;
        if (!is_row_of(res, row, f, &linked)) {
            continue;
        }
        if (linked) {
            OF_CLEANUP(of_freep) char *ref = of_asprintf("%s/%s", f->r->target, of_pgres_text(res, row, 4));
            member(rel, f->r->key);
            of_buf_json_str(rel, ref);
        } else {
            on_its_way(ret, res, row);
            if (f->r->required) {
                (void)of_strcopy(ret->lacks, sizeof ret->lacks, f->r->key);
            }
        }
        return;
    }
    member(rel, f->r->key);
    of_buf_str(rel, "null");
    if (f->r->required) {
        (void)of_strcopy(ret->lacks, sizeof ret->lacks, f->r->key);
    }
}

static void to_many(const struct of_pgres *res, const struct found_rel *f, struct of_buf *many, struct of_push_rels *ret)
{
    OF_CLEANUP(of_freep) char **refs = of_reallocarray(NULL, (size_t)of_pgres_rows(res) + 1, sizeof *refs);
    size_t n = 0;
    for (int row = 0; row < of_pgres_rows(res); row++) {
        bool linked = false;
        if (is_row_of(res, row, f, &linked) && linked) {
            refs[n++] = of_asprintf("%s/%s", f->r->target, of_pgres_text(res, row, 4));
        } else if (strcmp(of_pgres_text(res, row, 0), f->type) == 0) {
            on_its_way(ret, res, row);
        }
    }
    qsort(refs, n, sizeof *refs, by_text);
    member(many, f->r->key);
    of_buf_char(many, '[');
    for (size_t i = 0; i < n; i++) {
        of_buf_str(many, i ? "," : "");
        of_buf_json_str(many, refs[i]);
        of_freep(&refs[i]);
    }
    of_buf_char(many, ']');
    if (f->r->required && n == 0) {
        (void)of_strcopy(ret->lacks, sizeof ret->lacks, f->r->key);
    }
}

/* A value that stands for a reference record: its id. A word that they do not know is left out. */
static enum of_code reference(struct of_push_item *it, struct of_pg *db, const struct of_relation *r, const struct of_json *row,
                              struct of_buf *rel, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *name = of_asprintf("%s_%s", it->pj->adapter, r->key);
    const char *value = NULL;
    for (const struct of_json *e = of_json_first(of_json_get(row, "customFields")); e && !value; e = of_json_next(e)) {
        const char *n = of_json_text(of_json_get(e, "name"));
        const char *s = of_json_text(of_json_get(e, "source"));
        if (n && s && strcmp(n, name) == 0 && strcmp(s, it->pj->adapter) == 0) {
            value = of_json_text(of_json_get(e, "value"));
        }
    }
    if (!value) {
        member(rel, r->key);
        of_buf_str(rel, "null");
        return OF_OK;
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, r->target);
    of_pg_arg_text(&args, value);
    OF_TRY(of_pg_run(db, &of_sql_push_reference, &args, &res, err));
    if (of_pgres_rows(res) > 0) {
        OF_CLEANUP(of_freep) char *ref = of_asprintf("%s/%s", r->target, of_pgres_text(res, 0, 0));
        member(rel, r->key);
        of_buf_json_str(rel, ref);
    }
    return OF_OK;
}

/* Their create wants one of its members by name (a primary contact); where ours names none it is the first of them. Where ours names
 * one that they do not know rel says nothing of it, and it goes on lacking. */
static void fill_from_many(const struct of_type *t, const struct of_json *many, struct of_buf *rel, struct of_push_rels *ret)
{
    const struct of_relation *lacks = NULL;
    for (const struct of_relation *r = t->relations; r && r->key; r++) {
        lacks = strcmp(r->key, ret->lacks) == 0 && r->kind == OF_REL_EDGE ? r : lacks;
    }
    for (const struct of_relation *r = t->relations; lacks && r && r->key; r++) {
        const char *first = of_json_text(of_json_first(of_json_get(many, r->key)));
        if (r->kind == OF_REL_EDGES && strcmp(r->target, lacks->target) == 0 && first) {
            OF_CLEANUP(of_freep) char *none = of_asprintf("\"%s\":null", lacks->key);
            char *at = rel->data ? strstr(rel->data, none) : NULL;
            OF_CLEANUP(of_freep) char *rest = at ? of_strdup(at + strlen(none)) : NULL;
            if (at) {
                rel->len = (size_t)(at - rel->data);
                of_buf_json_str(rel, lacks->key);
                of_buf_char(rel, ':');
                of_buf_json_str(rel, first);
                of_buf_str(rel, rest);
                ret->lacks[0] = '\0';
            }
            return;
        }
    }
}

static enum of_code close_object(struct of_buf *b, struct of_json **ret, struct of_err *err)
{
    of_buf_str(b, b->len == 0 ? "{}" : "}");
    enum of_code code = of_json_parse(of_buf_text(b), b->len, OF_PUSH_BODY_MAX, ret, err);
    of_buf_done(b);
    return code;
}

enum of_code of_push_rels(struct of_push_item *it, struct of_pg *db, const struct of_type *t, const char *entity_id,
                          const struct of_json *row, const char *skip, struct of_push_rels *ret, struct of_err *err)
{
    struct found_rel rels[RELS_MAX];
    int n = wanted(it->pj->conn->adapter, t, skip, rels);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    memset(ret, 0, sizeof *ret);
    struct of_buf rel = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    struct of_buf many = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    if (n > 0) {
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *types = of_pgarr_new(OF_PG_TEXT);
        for (int i = 0; i < n; i++) {
            of_pgarr_text(types, rels[i].type);
        }
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, it->pj->org);
        of_pg_arg_text(&args, it->pj->adapter);
        of_pg_arg_text(&args, entity_id);
        of_pg_arg_array(&args, types);
        OF_TRY(of_pg_run(db, &of_sql_push_rels, &args, &res, err));
    }
    for (int i = 0; i < n; i++) {
        if (rels[i].r->kind == OF_REL_EDGE) {
            to_one(res, &rels[i], &rel, ret);
        } else {
            to_many(res, &rels[i], &many, ret);
        }
    }
    enum of_code code = OF_OK;
    for (const struct of_relation *r = t->relations; r && r->key && code == OF_OK; r++) {
        if (r->kind == OF_REL_VALUE && r->writes) {
            code = reference(it, db, r, row, &rel, err);
        }
    }
    code = code == OF_OK ? close_object(&many, &ret->many, err) : code;
    if (code == OF_OK && ret->lacks[0] && !ret->wait[0] && it->plan.link == 0) {
        fill_from_many(t, ret->many, &rel, ret);
    }
    code = code == OF_OK ? close_object(&rel, &ret->rel, err) : code;
    of_buf_done(&rel);
    of_buf_done(&many);
    return code;
}

void of_push_rels_done(struct of_push_rels *r)
{
    of_json_freep(&r->rel);
    of_json_freep(&r->many);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/push_int.h"
#include "worker_sql.h"

/* Records that have no way of their own and travel inside the create of another (the designations of a donation). */

static const struct of_relation *travelling(const struct of_adapter *a, const struct of_type *t)
{
    for (const struct of_relation *r = t->relations; r && r->key; r++) {
        const struct of_type *child = r->kind == OF_REL_CHILDREN ? of_type_find(a, r->target) : NULL;
        if (child && child->kind == OF_KIND_ENTITY && !(child->verbs & OF_VERB_CREATE)) {
            return r;
        }
    }
    return NULL;
}

static const struct of_relation *to_parent(const struct of_type *child, const struct of_type *parent)
{
    for (const struct of_relation *r = child->relations; r && r->key; r++) {
        if (r->kind == OF_REL_EDGE && strcmp(r->target, parent->name) == 0) {
            return r;
        }
    }
    return NULL;
}

/* One of them as {"type":…,"body":…}. */
static enum of_code add(struct of_push_item *it, struct of_pg *db, const struct of_type *child, const char *id, struct of_buf *b,
                        struct of_buf *list, struct of_push_rels *rels, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *row = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *ours = NULL;
    const struct of_adapter *a = it->pj->conn->adapter;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, id);
    memset(rels, 0, sizeof *rels);
    OF_TRY(of_pg_run(db, &of_type_sql(child)->out, &args, &res, err));
    OF_TRY(of_push_json(res, 0, 0, &row, err));
    if (!of_pgres_bool(res, 0, 1)) {
        return OF_OK;
    }
    OF_TRY(of_push_rels(it, db, child, id, row, it->plan.type->name, rels, err));
    struct of_project_in in = {.adapter = a, .type = child, .row = row, .rel = rels->rel, .many = rels->many};
    struct of_buf body = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    of_project(&in, &body);
    enum of_code code = of_json_parse(of_buf_text(&body), body.len, OF_PUSH_BODY_MAX, &ours, err);
    of_buf_clear(&body);
    if (code == OF_OK) {
        int n = 0;
        of_project_diff(a, child, ours, NULL, NULL, true, &body, &n, NULL);
        of_buf_fmt(b, "%s{\"type\":\"%s\",\"body\":%s}", b->len > 1 ? "," : "", child->name, n ? of_buf_text(&body) : "{}");
        of_buf_str(list, list->len > 1 ? "," : "");
        of_buf_json_str(list, id);
    }
    of_buf_done(&body);
    return code;
}

static void take_text(char *to, size_t size, const char *text)
{
    if (text[0]) {
        (void)of_strcopy(to, size, text);
    }
}

enum of_code of_push_with(struct of_push_item *it, struct of_pg *db, struct of_push_rels *rels, struct of_err *err)
{
    const struct of_relation *r = travelling(it->pj->conn->adapter, it->plan.type);
    const struct of_type *child = r ? of_type_find(it->pj->conn->adapter, r->target) : NULL;
    const struct of_relation *up = child ? to_parent(child, it->plan.type) : NULL;
    if (!up) {
        return OF_OK;
    }
    char type[128];
    bool self = false;
    (void)of_relation_edge(it->pj->conn->adapter, child, up, type, &self);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, type);
    of_pg_arg_text(&args, it->record_id);
    OF_TRY(of_pg_run(db, &of_sql_push_children, &args, &res, err));
    struct of_buf b = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    struct of_buf list = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    of_buf_char(&b, '[');
    of_buf_char(&list, '[');
    enum of_code code = OF_OK;
    for (int row = 0; row < of_pgres_rows(res) && code == OF_OK; row++) {
        struct of_push_rels its;
        code = add(it, db, child, of_pgres_text(res, row, 0), &b, &list, &its, err);
        take_text(rels->wait, sizeof rels->wait, its.wait);
        take_text(rels->stuck, sizeof rels->stuck, its.stuck);
        take_text(rels->lacks, sizeof rels->lacks, its.lacks);
        of_push_rels_done(&its);
    }
    bool any = list.len > 1;
    of_buf_char(&b, ']');
    of_buf_char(&list, ']');
    if (code == OF_OK && any) {
        code = of_json_parse(of_buf_text(&b), b.len, OF_PUSH_BODY_MAX, &it->plan.with, err);
        code = code == OF_OK ? of_json_parse(of_buf_text(&list), list.len, OF_PUSH_BODY_MAX, &it->plan.with_list, err) : code;
    } else if (code == OF_OK) {
        (void)of_strcopy(rels->lacks, sizeof rels->lacks, r->key);
    }
    of_buf_done(&b);
    of_buf_done(&list);
    return code;
}

/* The record of the page that was made of `sent`, of those that nobody has taken. */
static const struct of_record *made_of(const struct of_push_item *it, const struct of_json *sent, const struct of_page *page,
                                       bool *taken)
{
    const struct of_type *t = of_type_find(it->pj->conn->adapter, of_json_text(of_json_get(sent, "type")));
    for (size_t i = 0; t && i < page->n_records; i++) {
        if (!taken[i] && page->records[i].type == t &&
            of_project_is_created_by(it->pj->conn->adapter, t, of_json_get(sent, "body"), &page->records[i])) {
            taken[i] = true;
            return &page->records[i];
        }
    }
    return NULL;
}

enum of_code of_push_link_with(struct of_push_item *it, struct of_apply *a, const struct of_page *page, bool *ret_all,
                               struct of_err *err)
{
    OF_CLEANUP(of_freep) bool *taken = of_calloc(page->n_records + 1, sizeof *taken);
    const struct of_json *id = of_json_first(of_json_get(it->intent, "with_ids"));
    const struct of_json *sent = of_json_first(of_json_get(it->intent, "with"));
    *ret_all = true;
    for (; id && sent; id = of_json_next(id), sent = of_json_next(sent)) {
        const struct of_record *r = made_of(it, sent, page, taken);
        if (!r) {
            *ret_all = false;
            return OF_OK; /* before anything was written */
        }
    }
    memset(taken, 0, page->n_records * sizeof *taken);
    id = of_json_first(of_json_get(it->intent, "with_ids"));
    sent = of_json_first(of_json_get(it->intent, "with"));
    for (; id && sent; id = of_json_next(id), sent = of_json_next(sent)) {
        const struct of_record *r = made_of(it, sent, page, taken);
        OF_TRY(of_push_link(it, a, r, r->type->entity, of_json_text(id), of_json_get(sent, "body"), err));
    }
    return OF_OK;
}

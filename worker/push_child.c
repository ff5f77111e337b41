/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/push_int.h"
#include "worker_sql.h"

/* Records that live with a parent (contacts of a person): what a write of one means for the others. */

/* The parent's type, if theirs shows its children with it; NULL else. */
static const struct of_type *parent_of(const struct of_push_item *it)
{
    const struct of_type *t = it->plan.type;
    const struct of_type *parent = t->owned && t->with && it->plan.parent[0] ? of_type_find(it->pj->conn->adapter, t->with) : NULL;
    for (const struct of_relation *r = parent ? parent->relations : NULL; r && r->key; r++) {
        if (r->kind == OF_REL_CHILDREN && strcmp(r->target, t->name) == 0) {
            return parent;
        }
    }
    return NULL;
}

static void head(const struct of_push_item *it, const struct of_apply *a, const struct of_type *parent, const char *ext,
                 struct of_pgargs *args)
{
    of_pg_arg_text(args, a->conn->org);
    of_pg_arg_text(args, a->conn->adapter_name);
    of_pg_arg_text(args, parent->name);
    of_pg_arg_text(args, it->plan.parent);
    of_pg_arg_text(args, it->plan.type->name);
    of_pg_arg_text(args, ext);
}

enum of_code of_push_child(struct of_push_item *it, struct of_apply *a, const char *ext, struct of_err *err)
{
    const struct of_type *parent = parent_of(it);
    struct of_pgargs args = OF_PGARGS_INIT;
    if (!parent) {
        return OF_OK;
    }
    head(it, a, parent, ext, &args);
    return of_pg_run(a->db, &of_sql_push_child, &args, NULL, err);
}

enum of_code of_push_siblings(struct of_push_item *it, struct of_apply *a, const char *ext, struct of_err *err)
{
    const struct of_type *parent = parent_of(it);
    for (const struct of_field *f = parent ? it->plan.type->fields : NULL; f && f->attr; f++) {
        bool is = false;
        if (!(f->flags & OF_FIELD_TRUE_ONLY) || !f->column || !of_json_bool(of_json_get(it->plan.sent, f->column), &is) || !is) {
            continue;
        }
        struct of_pgargs args = OF_PGARGS_INIT;
        head(it, a, parent, ext, &args);
        of_pg_arg_text(&args, f->column);
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
        OF_TRY(of_pg_run(a->db, &of_sql_push_siblings, &args, &res, err));
        for (int row = 0; row < of_pgres_rows(res); row++) {
            const char *id = of_pgres_text(res, row, 0);
            OF_TRY(of_apply_hint(a, it->plan.type->name, &id, 1, "sibling", 0, err));
        }
    }
    return OF_OK;
}

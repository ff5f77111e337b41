/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/apply.h"
#include "worker_sql.h"

static void head(struct of_apply *a, const struct of_type *type, struct of_pgargs *args)
{
    of_pg_arg_text(args, a->conn->org);
    of_pg_arg_text(args, a->conn->adapter_name);
    of_pg_arg_text(args, type->name);
}

static enum of_code remove_entities(struct of_apply *a, const struct of_type *type, const struct of_pgarr *eids,
                                    struct of_err *err)
{
    if (of_pgarr_len(eids) == 0) {
        return OF_OK;
    }
    OF_CLEANUP(of_freep) char *by = of_asprintf("sync:%s", a->conn->adapter_name);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_array(&args, eids);
    of_pg_arg_text(&args, by);
    return of_pg_run(a->db, type->kind == OF_KIND_EDGE ? &of_sql_gone_edges : &of_type_sql(type)->remove, &args, NULL, err);
}

/* What lives and dies with the records: contacts of a person, options of a definition, designations of a donation. */
static enum of_code remove_children(struct of_apply *a, const struct of_type *type, const struct of_pgres *res, struct of_err *err)
{
    for (const struct of_relation *r = type->relations; r && r->key; r++) {
        if (r->kind != OF_REL_CHILDREN) {
            continue;
        }
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
        for (int row = 0; row < of_pgres_rows(res); row++) {
            OF_CLEANUP(of_json_freep) struct of_json *sub = NULL;
            const char *text = of_pgres_text_null(res, row, 2);
            if (!text) {
                continue;
            }
            OF_TRY(of_json_parse(text, of_pgres_len(res, row, 2), 8 * 1024 * 1024, &sub, err));
            const struct of_json *list = of_json_get(sub, r->target);
            for (const struct of_json *n = of_json_first(list); n; n = of_json_next(n)) {
                of_pgarr_text(ids, of_json_text(n));
            }
        }
        const struct of_type *child = of_type_find(a->conn->adapter, r->target);
        if (child && of_pgarr_len(ids) > 0) {
            OF_TRY(of_apply_gone(a, child, ids, err));
        }
    }
    return OF_OK;
}

enum of_code of_apply_gone(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *eids = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *now_gone = of_pgarr_new(OF_PG_TEXT);
    struct of_pgargs args = OF_PGARGS_INIT;
    head(a, type, &args);
    of_pg_arg_array(&args, ids);
    OF_TRY(of_pg_run(a->db, &of_sql_gone_links, &args, &res, err));
    if (of_pgres_rows(res) == 0) {
        return OF_OK; /* done before */
    }
    for (int row = 0; row < of_pgres_rows(res); row++) {
        of_pgarr_text(now_gone, of_pgres_text(res, row, 0));
        if (!of_pgres_is_null(res, row, 1)) {
            of_pgarr_text(eids, of_pgres_text(res, row, 1));
        }
    }
    if (type->kind == OF_KIND_VALUE) {
        OF_TRY(of_values_apply(a, type, now_gone, err));
        struct of_pgargs forget = OF_PGARGS_INIT;
        head(a, type, &forget);
        of_pg_arg_array(&forget, now_gone);
        OF_TRY(of_pg_run(a->db, &of_sql_gone_values, &forget, NULL, err));
    } else if (type->kind != OF_KIND_REFERENCE) {
        OF_TRY(remove_entities(a, type, eids, err));
    }
    struct of_pgargs journal = OF_PGARGS_INIT;
    head(a, type, &journal);
    of_pg_arg_text(&journal, type->entity);
    of_pg_arg_array(&journal, now_gone);
    of_pg_arg_int8(&journal, a->run_id);
    OF_TRY(of_pg_run(a->db, &of_sql_gone_journal, &journal, NULL, err));
    return remove_children(a, type, res, err);
}

/* What a record of the type says itself of one other record (a person's campus): the kept one says its own. */
static struct of_pgarr *own_relations(const struct of_apply *a, const struct of_type *type)
{
    struct of_pgarr *types = of_pgarr_new(OF_PG_TEXT);
    for (const struct of_relation *r = type->relations; r && r->key; r++) {
        char name[128];
        bool self = false;
        if (r->kind == OF_REL_EDGE) {
            of_pgarr_text(types, of_relation_edge(a->conn->adapter, type, r, name, &self));
        }
    }
    return types;
}

enum of_code of_apply_merged(struct of_apply *a, const struct of_type *type, const char *kept, const char *removed,
                             struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    head(a, type, &args);
    of_pg_arg_text(&args, kept);
    of_pg_arg_text(&args, removed);
    OF_TRY(of_pg_run(a->db, &of_sql_merged_link, &args, &res, err));
    if (of_pgres_rows(res) == 0) {
        return OF_OK; /* not known here, or done before */
    }
    const char *gone = of_pgres_text_null(res, 0, 0);
    const char *keeper = of_pgres_text_null(res, 0, 1);
    OF_CLEANUP(of_freep) char *by = of_asprintf("sync:%s", a->conn->adapter_name);
    if (gone && keeper) {
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *own = own_relations(a, type);
        struct of_pgargs move = OF_PGARGS_INIT;
        of_pg_arg_text(&move, a->conn->org);
        of_pg_arg_text(&move, gone);
        of_pg_arg_text(&move, keeper);
        of_pg_arg_text(&move, by);
        of_pg_arg_array(&move, own);
        OF_TRY(of_pg_run(a->db, &of_sql_merged_edges, &move, NULL, err));
    }
    if (gone && !keeper) {
        struct of_pgargs again = OF_PGARGS_INIT;
        of_pg_arg_text(&again, a->conn->org);
        of_pg_arg_text(&again, a->conn->adapter_name);
        of_pg_arg_text(&again, gone);
        OF_TRY(of_pg_run(a->db, &of_sql_merged_neighbours, &again, NULL, err));
    }
    if (gone) {
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *eids = of_pgarr_new(OF_PG_TEXT);
        of_pgarr_text(eids, gone);
        OF_TRY(remove_entities(a, type, eids, err));
    }
    if (gone && keeper) { /* after the removal, which takes every edge of the removed one */
        struct of_pgargs mark = OF_PGARGS_INIT;
        of_pg_arg_text(&mark, a->conn->org);
        of_pg_arg_text(&mark, gone);
        of_pg_arg_text(&mark, keeper);
        of_pg_arg_text(&mark, by);
        of_pg_arg_text(&mark, a->conn->adapter_name);
        of_pg_arg_text(&mark, type->entity);
        OF_TRY(of_pg_run(a->db, &of_sql_merged_mark, &mark, NULL, err));
    }
    OF_TRY(of_apply_hint(a, type->name, &kept, 1, "merged", 0, err));
    OF_CLEANUP(of_json_freep) struct of_json *sub = NULL;
    const char *text = of_pgres_text_null(res, 0, 2);
    if (text) {
        OF_TRY(of_json_parse(text, of_pgres_len(res, 0, 2), 8 * 1024 * 1024, &sub, err));
    }
    for (const struct of_json *list = of_json_first(sub); list; list = of_json_next(list)) {
        for (const struct of_json *n = of_json_first(list); n; n = of_json_next(n)) {
            const char *id = of_json_text(n);
            OF_TRY(of_apply_hint(a, of_json_key(list), &id, 1, "missing", 0, err));
        }
    }
    return OF_OK;
}

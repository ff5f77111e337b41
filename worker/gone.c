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

/* Whoever else stands at the edges of these entities: what is written of those now is no change of ours to tell them. */
static enum of_code touch_edges(struct of_apply *a, const struct of_pgarr *eids, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, eids);
    return of_pg_run(a->db, &of_sql_edges_touch, &args, NULL, err);
}

static enum of_code remove_entities(struct of_apply *a, const struct of_type *type, const struct of_pgarr *eids,
                                    struct of_err *err)
{
    if (of_pgarr_len(eids) == 0) {
        return OF_OK;
    }
    if (type->kind == OF_KIND_ENTITY) {
        OF_TRY(touch_edges(a, eids, err));
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

/* Records that are listed below these: memberships of a group. */
static enum of_code remove_below(struct of_apply *a, const struct of_type *type, const struct of_pgres *gone, struct of_err *err)
{
    for (const struct of_type *t = a->conn->adapter->types; t->name; t++) {
        if (t->list != OF_LIST_PER_PARENT || !t->owned || strcmp(t->with, type->name) != 0) {
            continue;
        }
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *parents = of_pgarr_new(OF_PG_TEXT);
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
        for (int row = 0; row < of_pgres_rows(gone); row++) {
            OF_CLEANUP(of_freep) char *ref = of_asprintf("%s/%s", type->name, of_pgres_text(gone, row, 0));
            of_pgarr_text(parents, ref);
        }
        struct of_pgargs args = OF_PGARGS_INIT;
        head(a, t, &args);
        of_pg_arg_array(&args, parents);
        OF_TRY(of_pg_run(a->db, &of_sql_below_parents, &args, &res, err));
        for (int row = 0; row < of_pgres_rows(res); row++) {
            of_pgarr_text(ids, of_pgres_text(res, row, 0));
        }
        if (of_pgarr_len(ids) > 0) {
            OF_TRY(of_apply_gone(a, t, ids, err));
        }
    }
    return OF_OK;
}

/* What we deleted there ourselves may be alive here again: that is newer, so it stays and is owed to them. Nobody changes the rows
 * from here on. */
static enum of_code spare(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, const struct of_pgarr *eids,
                          bool *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs living = OF_PGARGS_INIT;
    *ret = false;
    if (type->kind == OF_KIND_VALUE || type->kind == OF_KIND_REFERENCE || of_pgarr_len(eids) == 0) {
        return OF_OK;
    }
    of_pg_arg_text(&living, a->conn->org);
    of_pg_arg_array(&living, eids);
    OF_TRY(of_pg_run(a->db, type->kind == OF_KIND_EDGE ? &of_sql_edges_living : &of_type_sql(type)->living, &living, &res, err));
    *ret = of_pgres_i64(res, 0, 1) > 0;
    if (!*ret) {
        return OF_OK;
    }
    struct of_pgargs spared = OF_PGARGS_INIT;
    head(a, type, &spared);
    of_pg_arg_array(&spared, ids);
    OF_TRY(of_pg_run(a->db, &of_sql_gone_spared, &spared, NULL, err));
    return of_apply_hint_out(a, type, eids, "back", err);
}

static enum of_code remove_values(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_err *err)
{
    if (!a->own_delete) { /* else ours is what it shall be, whatever it says by now */
        OF_TRY(of_values_apply(a, type, ids, err));
    }
    struct of_pgargs forget = OF_PGARGS_INIT;
    head(a, type, &forget);
    of_pg_arg_array(&forget, ids);
    return of_pg_run(a->db, &of_sql_gone_values, &forget, NULL, err);
}

enum of_code of_apply_gone(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *eids = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *now_gone = of_pgarr_new(OF_PG_TEXT);
    struct of_pgargs args = OF_PGARGS_INIT;
    head(a, type, &args);
    of_pg_arg_array(&args, ids);
    of_pg_arg_int8(&args, a->out_id ? 0 : a->read_seq); /* after our own deletion nothing can be newer */
    OF_TRY(of_pg_run(a->db, &of_sql_gone_links, &args, &res, err));
    if (of_pgres_rows(res) == 0) {
        return OF_OK; /* done before, or a newer read has met them: then they are hinted */
    }
    for (int row = 0; row < of_pgres_rows(res); row++) {
        of_pgarr_text(now_gone, of_pgres_text(res, row, 0));
        if (!of_pgres_is_null(res, row, 1)) {
            of_pgarr_text(eids, of_pgres_text(res, row, 1));
        }
    }
    bool own = a->own_delete;
    bool spared = false;
    if (own) {
        OF_TRY(spare(a, type, now_gone, eids, &spared, err));
    }
    if (type->kind == OF_KIND_VALUE) {
        OF_TRY(remove_values(a, type, now_gone, err));
    } else if (type->kind != OF_KIND_REFERENCE && !spared) {
        OF_TRY(remove_entities(a, type, eids, err));
    }
    struct of_pgargs journal = OF_PGARGS_INIT;
    head(a, type, &journal);
    of_pg_arg_text(&journal, type->entity);
    of_pg_arg_array(&journal, now_gone);
    of_pg_arg_int8(&journal, a->run_id);
    OF_TRY(of_pg_run(a->db, &of_sql_gone_journal, &journal, NULL, err));
    a->own_delete = spared; /* what went there with it goes here as it does */
    enum of_code code = remove_children(a, type, res, err);
    code = code == OF_OK ? remove_below(a, type, res, err) : code;
    a->own_delete = own;
    return code;
}

/* --- a large share missing --- */

static bool is_large(const struct of_conf *conf, int64_t missing, int64_t living)
{
    return missing > conf->missing_min && missing * 100 > conf->missing_share * living;
}

static enum of_code ask_person(struct of_apply *a, const struct of_type *type, int64_t missing, int64_t living, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *words =
        of_asprintf("%lld of %lld %s are missing there; nothing is deleted here before a person decides (review list)",
                    (long long)missing, (long long)living, type->plural);
    struct of_pgargs args = OF_PGARGS_INIT;
    head(a, type, &args);
    of_pg_arg_int8(&args, missing);
    of_pg_arg_int8(&args, living);
    of_pg_arg_text(&args, words);
    return of_pg_run(a->db, &of_sql_missing_review, &args, NULL, err);
}

static enum of_code share(struct of_apply *a, const struct of_type *type, int64_t *ret_missing, int64_t *ret_living,
                          struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    head(a, type, &args);
    of_pg_arg_int8(&args, a->w->conf->missing_min);
    OF_TRY(of_pg_run(a->db, &of_sql_missing_share, &args, &res, err));
    *ret_missing = of_pgres_i64(res, 0, 0);
    *ret_living = of_pgres_i64(res, 0, 1);
    return OF_OK;
}

/* Has a person said lately that they may go? Asked first: to count is to go through all that is missing, for each record. */
static enum of_code is_accepted(struct of_apply *a, const struct of_type *type, bool *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    head(a, type, &args);
    OF_TRY(of_pg_run(a->db, &of_sql_missing_accepted, &args, &res, err));
    *ret = of_pgres_bool(res, 0, 0);
    return OF_OK;
}

enum of_code of_apply_may_go(struct of_apply *a, const struct of_type *type, bool *ret_may, struct of_err *err)
{
    int64_t missing = 0;
    int64_t living = 0;
    OF_TRY(is_accepted(a, type, ret_may, err));
    if (*ret_may) {
        return OF_OK;
    }
    OF_TRY(share(a, type, &missing, &living, err));
    *ret_may = !is_large(a->w->conf, missing, living);
    return *ret_may ? OF_OK : ask_person(a, type, missing, living, err);
}

enum of_code of_apply_missing(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, int64_t mark,
                              struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *missing = of_pgarr_new(OF_PG_TEXT);
    struct of_pgargs find = OF_PGARGS_INIT;
    head(a, type, &find);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *none = of_pgarr_new(OF_PG_TEXT);
    of_pg_arg_bool(&find, ids != NULL);
    of_pg_arg_array(&find, ids ? ids : none);
    of_pg_arg_int8(&find, mark);
    OF_TRY(of_pg_run(a->db, &of_sql_missing_find, &find, &res, err));
    int64_t living = 0;
    for (int row = 0; row < of_pgres_rows(res); row++) {
        if (of_pgres_is_null(res, row, 0)) {
            living = of_pgres_i64(res, row, 1);
        } else {
            of_pgarr_text(missing, of_pgres_text(res, row, 0));
        }
    }
    int64_t n = (int64_t)of_pgarr_len(missing);
    if (n == 0) {
        struct of_pgargs over = OF_PGARGS_INIT;
        head(a, type, &over);
        return of_pg_run(a->db, &of_sql_missing_over, &over, NULL, err);
    }
    bool accepted = false;
    if (n == living || is_large(a->w->conf, n, living)) {
        OF_TRY(is_accepted(a, type, &accepted, err));
        if (!accepted) {
            return ask_person(a, type, n, living, err);
        }
    }
    struct of_pgargs suspect = OF_PGARGS_INIT;
    head(a, type, &suspect);
    of_pg_arg_array(&suspect, missing);
    OF_TRY(of_pg_run(a->db, &of_sql_missing_hint, &suspect, NULL, err));
    return OF_OK;
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

static enum of_code move_edges(struct of_apply *a, const struct of_type *type, const char *gone, const char *keeper, const char *by,
                               struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *own = own_relations(a, type);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, gone);
    of_pg_arg_text(&args, keeper);
    of_pg_arg_text(&args, by);
    of_pg_arg_array(&args, own);
    of_pg_arg_text(&args, a->conn->adapter_name);
    OF_TRY(of_pg_run(a->db, &of_sql_merged_edges, &args, &res, err));
    for (const struct of_type *t = a->conn->adapter->types; t->name; t++) {
        if (t->kind != OF_KIND_EDGE || !(t->verbs & OF_VERB_CREATE)) {
            continue;
        }
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *keys = of_pgarr_new(OF_PG_TEXT);
        struct of_edge_record e;
        of_edge_record_of(a->conn->adapter, t, &e);
        for (int row = 0; row < of_pgres_rows(res); row++) {
            if (strcmp(of_pgres_text(res, row, 0), e.rtype) == 0) {
                of_pgarr_text(keys, of_pgres_text(res, row, 1));
            }
        }
        OF_TRY(of_apply_hint_out(a, t, keys, "merged", err));
    }
    return OF_OK;
}

static enum of_code is_early(struct of_apply *a, const struct of_type *type, const char *kept, const char *removed, bool *ret,
                             struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t rows = 0;
    *ret = false;
    if (a->conn->mode == 'o') { /* nothing is created here: it may stay unlinked */
        return OF_OK;
    }
    head(a, type, &args);
    of_pg_arg_text(&args, kept);
    of_pg_arg_text(&args, removed);
    OF_TRY(of_pg_run_count(a->db, &of_sql_merged_early, &args, &rows, err));
    *ret = rows > 0;
    return *ret ? of_apply_hint(a, type->name, &kept, 1, "merged", 0, err) : OF_OK;
}

enum of_code of_apply_merger(struct of_apply *a, const struct of_type *type, const char *kept, const char *removed,
                             struct of_err *err)
{
    bool early = false;
    OF_TRY(of_apply_merged(a, type, kept, removed, &early, err));
    return early ? of_apply_hint(a, type->name, &removed, 1, "merged", 0, err) : OF_OK;
}

enum of_code of_apply_merged(struct of_apply *a, const struct of_type *type, const char *kept, const char *removed, bool *ret_early,
                             struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    if (ret_early) {
        OF_TRY(is_early(a, type, kept, removed, ret_early, err));
        if (*ret_early) {
            return OF_OK;
        }
    }
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
    if (gone) {
        struct of_pgargs records = OF_PGARGS_INIT;
        of_pg_arg_text(&records, a->conn->org);
        of_pg_arg_text(&records, a->conn->adapter_name);
        of_pg_arg_text(&records, gone);
        OF_TRY(of_pg_run(a->db, &of_sql_merged_records, &records, NULL, err));
    }
    if (gone && keeper) {
        OF_TRY(move_edges(a, type, gone, keeper, by, err));
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
        if (keeper) {
            of_pgarr_text(eids, keeper);
            OF_TRY(touch_edges(a, eids, err));
        }
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

/* --- records that come back --- */

/* The records of a type among (type, id): what they have said of others is tied again. */
static enum of_code tie_again(struct of_apply *a, const struct of_type *t, const struct of_pgres *res, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    for (int row = 0; row < of_pgres_rows(res); row++) {
        if (strcmp(of_pgres_text(res, row, 0), t->name) == 0) {
            of_pgarr_text(ids, of_pgres_text(res, row, 1));
        }
    }
    if (of_pgarr_len(ids) == 0) {
        return OF_OK;
    }
    if (t->kind == OF_KIND_EDGE) { /* applied once more */
        struct of_pgargs args = OF_PGARGS_INIT;
        head(a, t, &args);
        of_pg_arg_array(&args, ids);
        OF_TRY(of_pg_run(a->db, &of_sql_stage_moved, &args, NULL, err));
    }
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *none = of_pgarr_new(OF_PG_TEXT); /* what somebody here removed stays so */
    int64_t done = 0;
    return of_apply_edges(a, t, ids, none, &done, err);
}

enum of_code of_apply_returned(struct of_apply *a, const struct of_pgarr *eids, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, eids);
    OF_TRY(of_pg_run(a->db, &of_sql_returned, &args, &res, err));
    for (const struct of_type *t = a->conn->adapter->types; t->name; t++) {
        OF_TRY(tie_again(a, t, res, err));
    }
    return touch_edges(a, eids, err);
}

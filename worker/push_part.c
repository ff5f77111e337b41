/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/phase.h"
#include "worker/push_int.h"
#include "worker_sql.h"

/* What is a record there and a part here: an edge (membership), a value of a custom field (field datum). */

static enum of_code over(struct of_push_item *it, struct of_pg *db, enum of_push_next *ret, struct of_err *err)
{
    *ret = PUSH_NEXT_OVER;
    return of_push_done(it, db, err);
}

/* An end of the record: which entity, where it is linked. */
struct end {
    const struct of_relation *r;
    const struct of_type *target;
    char id[80];  /* entity */
    char ext[OF_PUSH_ID_MAX];
    char way; /* w: on its way there, s: stuck on it, 0: neither */
};

enum { ENDS_MAX = 2 };

static int ends_of(const struct of_adapter *a, const struct of_type *t, struct end *ends)
{
    int n = 0;
    for (const struct of_relation *r = t->relations; r && r->key && n < ENDS_MAX; r++) {
        if (r->kind == OF_REL_END) {
            ends[n].r = r;
            ends[n].target = of_type_find(a, r->target);
            ends[n].id[0] = ends[n].ext[0] = '\0';
            ends[n].way = '\0';
            n++;
        }
    }
    return n;
}

static enum of_code look_up(struct of_push_item *it, struct of_pg *db, struct end *ends, int n, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *tags = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    for (int i = 0; i < n; i++) {
        of_pgarr_text(ids, ends[i].id);
        of_pgarr_text(tags, ends[i].target->entity);
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_array(&args, ids);
    of_pg_arg_array(&args, tags);
    OF_TRY(of_pg_run(db, &of_sql_push_ends, &args, &res, err));
    for (int row = 0; row < of_pgres_rows(res); row++) {
        for (int i = 0; i < n; i++) {
            if (strcmp(of_pgres_text(res, row, 0), ends[i].id) != 0) {
                continue;
            }
            if (strcmp(of_pgres_text(res, row, 2), ends[i].target->name) == 0) {
                (void)of_strcopy(ends[i].ext, sizeof ends[i].ext, of_pgres_text(res, row, 3));
            }
            ends[i].way = ends[i].way ? ends[i].way : of_pgres_text(res, row, 4)[0];
        }
    }
    return OF_OK;
}

/* An end that is not there and not on its way: it may have been written just now, if it is one that is made there at all. */
static enum of_code not_there(struct of_push_item *it, struct of_pg *db, const struct end *e, struct of_err *err)
{
    bool may_come = (e->target->verbs & OF_VERB_CREATE) && it->pj->conn->mode != 'c' && strcmp(it->reason, "push") != 0;
    struct of_err why = OF_ERR_INIT;
    (void)of_err_set(&why, OF_E_INVALID, "its %s is not known there", e->r->key);
    return may_come ? of_push_lacks(it, db, NULL, &why, err) : of_push_done(it, db, err);
}

/* The row waits for an end that is on its way; is over if one is not known there. *ret_all: all are linked. */
static enum of_code all_linked(struct of_push_item *it, struct of_pg *db, const struct end *ends, int n, bool *ret_all,
                               struct of_err *err)
{
    *ret_all = true;
    for (int i = 0; i < n; i++) {
        if (ends[i].ext[0]) {
            continue;
        }
        *ret_all = false;
        OF_CLEANUP(of_freep) char *ref = of_asprintf("out:%s/%s", ends[i].target->entity, ends[i].id);
        return ends[i].way ? of_push_wait(it, db, ref, ends[i].way == 's', err) : not_there(it, db, &ends[i], err);
    }
    return OF_OK;
}

static enum of_code rel_of(const struct end *ends, int n, struct of_json **ret, struct of_err *err)
{
    struct of_buf b = OF_BUF_INIT(4096);
    for (int i = 0; i < n; i++) {
        OF_CLEANUP(of_freep) char *ref = of_asprintf("%s/%s", ends[i].target->name, ends[i].ext);
        of_buf_char(&b, i ? ',' : '{');
        of_buf_json_str(&b, ends[i].r->key);
        of_buf_char(&b, ':');
        of_buf_json_str(&b, ref);
    }
    of_buf_char(&b, '}');
    enum of_code code = of_json_parse(of_buf_text(&b), b.len, 4096, ret, err);
    of_buf_done(&b);
    return code;
}

static void parent_from(const struct of_type *t, const struct end *ends, int n, struct of_push_plan *p)
{
    for (int i = 0; i < n; i++) {
        bool named = t->create_parent ? strcmp(ends[i].r->key, t->create_parent) == 0
                                      : t->with && strcmp(ends[i].target->name, t->with) == 0;
        if (named) {
            (void)of_strcopy(p->parent, sizeof p->parent, ends[i].ext);
        }
    }
}

/* --- edges --- */

/* Is the edge one that its parent's own list says (the people of a household)? Then the record is there, read or not. */
static enum of_code in_parents_list(struct of_push_item *it, struct of_pg *db, const struct of_type *t, const struct end *ends,
                                    const char *rtype, bool *ret, struct of_err *err)
{
    const struct of_adapter *a = it->pj->conn->adapter;
    const struct end *parent = &ends[t->with && strcmp(ends[1].target->name, t->with) == 0];
    const struct end *other = parent == &ends[0] ? &ends[1] : &ends[0];
    *ret = false;
    for (const struct of_relation *r = parent->target->relations; r && r->key; r++) {
        char type[128];
        bool self = false;
        if (r->kind != OF_REL_EDGES || strcmp(r->target, other->target->name) != 0 ||
            strcmp(of_relation_edge(a, parent->target, r, type, &self), rtype) != 0) {
            continue;
        }
        OF_CLEANUP(of_freep) char *ref = of_asprintf("%s/%s", other->target->name, other->ext);
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, it->pj->org);
        of_pg_arg_text(&args, it->pj->adapter);
        of_pg_arg_text(&args, parent->target->name);
        of_pg_arg_text(&args, parent->ext);
        of_pg_arg_text(&args, r->key);
        of_pg_arg_text(&args, ref);
        int64_t rows = 0;
        OF_TRY(of_pg_run_count(db, &of_sql_push_in_many, &args, &rows, err));
        *ret = rows > 0;
        return OF_OK;
    }
    return OF_OK;
}

/* The record is there but has not been read: its list is, and the row waits. */
static enum of_code read_first(struct of_push_item *it, struct of_pg *db, const struct of_type *t, struct of_err *err)
{
    struct of_apply a = of_push_apply(it->pj, db);
    OF_CLEANUP(of_freep) char *list = of_asprintf("@%s", it->plan.parent);
    const char *id = list;
    struct of_err why = OF_ERR_INIT;
    (void)of_strcopy(why.msg, sizeof why.msg, "its record there is read first");
    const struct of_push_later wait = {
        .state = "waiting", .ms = OF_MAX(of_backoff_ms(it->pj->w->conf, it->attempts), 200), .attempts = it->attempts + 1, .why = &why};
    OF_TRY(of_apply_hint(&a, t->name, &id, 1, "list", 0, err));
    OF_TRY(of_push_later(it, db, &wait, err));
    of_work_kick(it->pj->w, it->pj->org, it->pj->adapter);
    return OF_OK;
}

static bool split_edge(const char *record_id, char *src, char *tgt, char *rtype, size_t size)
{
    const char *a = strchr(record_id, '|');
    const char *b = a ? strchr(a + 1, '|') : NULL;
    if (!b || (size_t)(a - record_id) >= size || (size_t)(b - a) > size || strlen(b + 1) >= size) {
        return false;
    }
    (void)of_strcopy(src, (size_t)(a - record_id) + 1, record_id);
    (void)of_strcopy(tgt, (size_t)(b - a), a + 1);
    (void)of_strcopy(rtype, size, b + 1);
    return true;
}

static void place_ends(struct end *ends, int n, const char *src, const char *tgt)
{
    for (int i = 0; i < n; i++) {
        const char *prefix = of_model_entity(ends[i].target->entity)->prefix;
        size_t len = strlen(prefix);
        const char *id = strncmp(src, prefix, len) == 0 && src[len] == '_' ? src : tgt;
        (void)of_strcopy(ends[i].id, sizeof ends[i].id, id);
    }
}

static enum of_code edge_unlinked(struct of_push_item *it, struct of_pg *db, const struct of_type *t, const struct of_pgres *res,
                                  const struct end *ends, const char *rtype, enum of_push_next *ret, struct of_err *err)
{
    bool alive = of_pgres_bool(res, 0, 1);
    bool there = false;
    bool may = false;
    OF_TRY(in_parents_list(it, db, t, ends, rtype, &there, err));
    if (!alive && there && (t->verbs & OF_VERB_DELETE) && it->pj->conn->delete_there) {
        *ret = PUSH_NEXT_OVER;
        return read_first(it, db, t, err);
    }
    if (!alive || there) {
        return over(it, db, ret, err);
    }
    OF_TRY(of_push_may_create(it, db, of_pgres_bool(res, 0, 8), &may, err));
    if (!may) {
        *ret = PUSH_NEXT_OVER;
        return OF_OK;
    }
    it->plan.verb = OF_VERB_CREATE;
    *ret = PUSH_NEXT_SEND;
    return OF_OK;
}

static enum of_code edge_compare(struct of_push_item *it, struct of_pg *db, const struct of_pgres *res, const struct end *ends,
                                 enum of_push_next *ret, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *row = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *rel = NULL;
    OF_TRY(of_push_json(res, 0, 0, &row, err));
    OF_TRY(rel_of(ends, ENDS_MAX, &rel, err));
    struct of_project_in in = {.adapter = it->pj->conn->adapter, .type = it->plan.type, .row = row, .rel = rel};
    return of_push_compare(it, db, &in, ret, err);
}

enum of_code of_push_plan_edge(struct of_push_item *it, struct of_pg *db, const struct of_type *t, enum of_push_next *ret,
                               struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    struct end ends[ENDS_MAX];
    char src[OF_PUSH_ID_MAX];
    char tgt[OF_PUSH_ID_MAX];
    char rtype[OF_PUSH_ID_MAX];
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    int n = ends_of(it->pj->conn->adapter, t, ends);
    if (n != ENDS_MAX || !split_edge(it->record_id, src, tgt, rtype, sizeof src)) {
        return of_err_set(err, OF_E_INVALID, "this is no edge");
    }
    place_ends(ends, n, src, tgt);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_text(&args, src);
    of_pg_arg_text(&args, tgt);
    of_pg_arg_text(&args, rtype);
    OF_TRY(of_pg_run(db, &of_sql_push_edge_load, &args, &res, err));
    p->type = t;
    p->link_tag = of_strdup("edge");
    p->link_id = of_strdup(it->record_id);
    p->link = of_pgres_i64(res, 0, 3);
    if (p->link == 0 && it->intent) {
        return of_push_resume(it, db, ret, err);
    }
    bool all = false;
    *ret = PUSH_NEXT_OVER;
    OF_TRY(look_up(it, db, ends, n, err));
    OF_TRY(all_linked(it, db, ends, n, &all, err));
    if (!all) {
        return OF_OK;
    }
    parent_from(t, ends, n, p);
    if (p->link == 0) {
        OF_TRY(edge_unlinked(it, db, t, res, ends, rtype, ret, err));
        return *ret == PUSH_NEXT_SEND ? edge_compare(it, db, res, ends, ret, err) : OF_OK;
    }
    (void)of_strcopy(p->ext, sizeof p->ext, of_pgres_text(res, 0, 4));
    OF_TRY(of_push_json(res, 0, 6, &p->seen, err));
    OF_TRY(of_push_json(res, 0, 7, &p->agreed, err));
    OF_TRY(of_push_was_sending(it, db, err));
    if (!of_pgres_bool(res, 0, 1)) {
        return of_push_plan_delete(it, db, of_pgres_text(res, 0, 2), ret, err);
    }
    p->verb = OF_VERB_UPDATE;
    return edge_compare(it, db, res, ends, ret, err);
}

/* --- values --- */

/* Our value of the field: with checkboxes the one that the row is about. */
static const struct of_json *our_value(const struct of_push_item *it, const struct of_json *custom, const char *key,
                                       const char *option)
{
    for (const struct of_json *e = of_json_first(custom); e; e = of_json_next(e)) {
        const char *name = of_json_text(of_json_get(e, "name"));
        const char *source = of_json_text(of_json_get(e, "source"));
        const struct of_json *value = of_json_get(e, "value");
        if (!name || !source || strcmp(name, key) != 0 || strcmp(source, it->pj->adapter) != 0 || of_json_is_null(value)) {
            continue;
        }
        const char *text = of_json_text(value);
        if (!option || (text && strcmp(text, option) == 0)) {
            return value;
        }
    }
    return NULL;
}

static int their_row(const struct of_pgres *links, const char *option)
{
    for (int row = 0; row < of_pgres_rows(links); row++) {
        if (!option || strcmp(of_pgres_text(links, row, 5), option) == 0 || strcmp(of_pgres_text(links, row, 4), option) == 0) {
            return row;
        }
    }
    return -1;
}

static enum of_code value_links(struct of_push_item *it, struct of_pg *db, const char *person, const struct end *definition,
                                struct of_pgres **ret, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *ref = of_asprintf("%s/%s", definition->target->name, definition->ext);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, it->plan.type->name);
    of_pg_arg_text(&args, person);
    of_pg_arg_text(&args, definition->r->key);
    of_pg_arg_text(&args, ref);
    return of_pg_run(db, &of_sql_push_value_links, &args, ret, err);
}

static enum of_code value_compare(struct of_push_item *it, struct of_pg *db, const struct of_json *value, const struct end *ends,
                                  enum of_push_next *ret, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *row = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *rel = NULL;
    struct of_buf b = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    of_buf_str(&b, "{\"value\":");
    of_json_write(&b, value);
    of_buf_char(&b, '}');
    enum of_code code = of_json_parse(of_buf_text(&b), b.len, OF_PUSH_BODY_MAX, &row, err);
    of_buf_done(&b);
    code = code == OF_OK ? rel_of(ends, ENDS_MAX, &rel, err) : code;
    struct of_project_in in = {.adapter = it->pj->conn->adapter, .type = it->plan.type, .row = row, .rel = rel};
    return code == OF_OK ? of_push_compare(it, db, &in, ret, err) : code;
}

static enum of_code decide_value(struct of_push_item *it, struct of_pg *db, const struct of_json *value, const char *option,
                                 const struct of_pgres *links, const struct end *ends, bool out_open, enum of_push_next *ret,
                                 struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    int row = their_row(links, option);
    bool may = false;
    *ret = PUSH_NEXT_OVER;
    if (row < 0 && !value) {
        return of_push_done(it, db, err);
    }
    if (row < 0) {
        OF_TRY(of_push_may_create(it, db, out_open, &may, err));
        p->verb = OF_VERB_CREATE;
        return may ? value_compare(it, db, value, ends, ret, err) : OF_OK;
    }
    p->link = of_pgres_i64(links, row, 0);
    (void)of_strcopy(p->ext, sizeof p->ext, of_pgres_text(links, row, 1));
    OF_TRY(of_push_json(links, row, 2, &p->seen, err));
    OF_TRY(of_push_json(links, row, 3, &p->agreed, err));
    OF_TRY(of_push_was_sending(it, db, err));
    p->verb = value ? OF_VERB_UPDATE : OF_VERB_DELETE;
    if (value) {
        return value_compare(it, db, value, ends, ret, err);
    }
    bool refused = of_json_get(p->agreed, "value") && of_json_is_null(of_json_get(p->agreed, "value"));
    if (refused || !(p->type->verbs & OF_VERB_DELETE)) { /* ours decided before not to take theirs */
        return of_push_done(it, db, err);
    }
    *ret = PUSH_NEXT_SEND; /* a value that was cleared: no deletion of a record that people know */
    return OF_OK;
}

/* person|key or person|key|option; the caller frees. */
static bool split_value(const char *record_id, char **person, char **key, char **option)
{
    const char *a = strchr(record_id, '|');
    const char *b = a ? strchr(a + 1, '|') : NULL;
    if (!a) {
        return false;
    }
    *person = of_asprintf("%.*s", (int)(a - record_id), record_id);
    *key = b ? of_asprintf("%.*s", (int)(b - a - 1), a + 1) : of_strdup(a + 1);
    *option = b ? of_strdup(b + 1) : NULL;
    return true;
}

enum of_code of_push_plan_value(struct of_push_item *it, struct of_pg *db, const struct of_type *t, enum of_push_next *ret,
                                struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    struct end ends[ENDS_MAX];
    OF_CLEANUP(of_freep) char *person = NULL;
    OF_CLEANUP(of_freep) char *key = NULL;
    OF_CLEANUP(of_freep) char *option = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *links = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *custom = NULL;
    int n = ends_of(it->pj->conn->adapter, t, ends);
    if (n != ENDS_MAX || !split_value(it->record_id, &person, &key, &option)) {
        return of_err_set(err, OF_E_INVALID, "this is no value");
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_text(&args, person);
    of_pg_arg_text(&args, key);
    OF_TRY(of_pg_run(db, &of_sql_push_value_load, &args, &res, err));
    OF_TRY(of_push_json(res, 0, 0, &custom, err));
    p->type = t;
    p->link_tag = of_strdup(t->entity);
    p->link_id = of_strdup(person);
    if (!of_pgres_bool(res, 0, 1) || of_pgres_is_null(res, 0, 4)) {
        return over(it, db, ret, err);
    }
    struct end *definition = &ends[strcmp(ends[0].target->entity, t->entity) == 0];
    struct end *owner = definition == &ends[0] ? &ends[1] : &ends[0];
    (void)of_strcopy(owner->id, sizeof owner->id, person);
    (void)of_strcopy(definition->id, sizeof definition->id, of_pgres_text(res, 0, 4));
    bool all = false;
    *ret = PUSH_NEXT_OVER;
    OF_TRY(look_up(it, db, ends, n, err));
    OF_TRY(all_linked(it, db, ends, n, &all, err));
    if (!all) {
        return OF_OK;
    }
    (void)of_strcopy(p->parent, sizeof p->parent, owner->ext);
    OF_TRY(value_links(it, db, person, definition, &links, err));
    if (it->intent && their_row(links, option) < 0) {
        return of_push_resume(it, db, ret, err);
    }
    bool boxes = strcmp(of_pgres_text(res, 0, 2), "checkboxes") == 0;
    return decide_value(it, db, our_value(it, custom, key, boxes ? option : NULL), boxes ? option : NULL, links, ends,
                        of_pgres_bool(res, 0, 3), ret, err);
}

enum of_code of_push_hint_values(struct of_apply *a, const char *tag, const struct of_pgarr *entity_ids, struct of_err *err)
{
    const struct of_adapter *adapter = a->conn->adapter;
    for (const struct of_type *t = adapter->types; t->name; t++) {
        struct end ends[ENDS_MAX];
        if (t->kind != OF_KIND_VALUE || strcmp(t->entity, tag) != 0 || !t->verbs ||
            !of_scope_has(a->conn->scope, of_type_index(adapter, t)) || ends_of(adapter, t, ends) != ENDS_MAX) {
            continue;
        }
        const struct end *definition = &ends[strcmp(ends[0].target->entity, t->entity) == 0];
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, a->conn->org);
        of_pg_arg_text(&args, a->conn->adapter_name);
        of_pg_arg_text(&args, t->name);
        of_pg_arg_array(&args, entity_ids);
        of_pg_arg_text(&args, definition->r->key);
        OF_TRY(of_pg_run(a->db, &of_sql_push_hint_values, &args, NULL, err));
    }
    return OF_OK;
}

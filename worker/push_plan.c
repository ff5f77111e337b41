/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/merge.h"
#include "worker/phase.h"
#include "worker/push_int.h"
#include "worker_sql.h"

/* What a row asks for, by what the tables say now. */

enum of_code of_push_json(const struct of_pgres *res, int row, int col, struct of_json **ret, struct of_err *err)
{
    *ret = NULL;
    const char *text = of_pgres_text_null(res, row, col);
    return text ? of_json_parse(text, of_pgres_len(res, row, col), OF_PUSH_BODY_MAX, ret, err) : OF_OK;
}

static enum of_code over(struct of_push_item *it, struct of_pg *db, enum of_push_next *ret, struct of_err *err)
{
    *ret = PUSH_NEXT_OVER;
    return of_push_done(it, db, err);
}

static void id_of(const char *ref, char *buf, size_t size)
{
    const char *slash = ref ? strchr(ref, '/') : NULL;
    (void)of_strcopy(buf, size, slash ? slash + 1 : "");
}

/* --- what an earlier try began --- */

/* The plan as it was sent then: it may have been made. */
enum of_code of_push_resume(struct of_push_item *it, struct of_pg *db, enum of_push_next *ret, struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    if (it->hidden_ms > 0) { /* it may not be shown yet */
        struct of_err why = OF_ERR_INIT;
        (void)of_strcopy(why.msg, sizeof why.msg, "nobody knows whether it was created; looked for in a while");
        const struct of_push_later wait = {
            .state = "ready", .ms = it->hidden_ms, .attempts = it->attempts, .why = &why, .keep_intent = true};
        *ret = PUSH_NEXT_OVER;
        return of_push_later(it, db, &wait, err);
    }
    const char *parent = of_json_text(of_json_get(it->intent, "parent"));
    const struct of_json *sent = of_json_get(it->intent, "sent");
    struct of_buf b = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    of_json_write(&b, sent);
    enum of_code code = of_json_parse(of_buf_text(&b), b.len, OF_PUSH_BODY_MAX, &p->sent, err);
    of_buf_done(&b);
    OF_TRY(code);
    (void)of_strcopy(p->parent, sizeof p->parent, parent ? parent : "");
    const char *fields = of_json_text(of_json_get(it->intent, "fields"));
    of_freep(&p->fields);
    p->fields = of_strdup(fields ? fields : "");
    p->verb = OF_VERB_CREATE;
    it->offset = 0;
    it->found = 0;
    of_freep(&it->alike);
    *ret = PUSH_NEXT_FIND;
    return OF_OK;
}

enum of_code of_push_may_create(struct of_push_item *it, struct of_pg *db, bool out_open, bool *ret, struct of_err *err)
{
    const struct of_type *t = it->plan.type;
    bool by_hand = strcmp(it->reason, "asked") == 0;
    *ret = false;
    /* what is said of records that are linked, a membership or a value, is no record that a person would have to ask for */
    bool asks = it->pj->conn->mode == 'c' && t->kind == OF_KIND_ENTITY;
    if (!(t->verbs & OF_VERB_CREATE) || (asks && !by_hand)) {
        return of_push_done(it, db, err);
    }
    if (!out_open) { /* it may be one of those that are there already */
        OF_CLEANUP(of_freep) char *ref = of_asprintf("open:%s", t->name);
        struct of_err why = OF_ERR_INIT;
        (void)of_strcopy(why.msg, sizeof why.msg, "what is there has not been matched yet");
        const struct of_push_later wait = {.state = "waiting",
                                           .ms = it->pj->w->conf->waiting_recheck_ms,
                                           .attempts = it->attempts,
                                           .why = &why,
                                           .waits_for = ref};
        return of_push_later(it, db, &wait, err);
    }
    *ret = true;
    return OF_OK;
}

/* --- compare --- */

enum of_code of_push_compare(struct of_push_item *it, struct of_pg *db, const struct of_project_in *in, enum of_push_next *ret,
                             struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    const struct of_adapter *a = it->pj->conn->adapter;
    OF_CLEANUP(of_json_freep) struct of_json *ours = NULL;
    struct of_buf body = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    struct of_buf fields = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    int n = 0;
    of_project(in, &body);
    enum of_code code = of_json_parse(of_buf_text(&body), body.len, OF_PUSH_BODY_MAX, &ours, err);
    of_buf_clear(&body);
    bool create = p->verb == OF_VERB_CREATE;
    bool says_nothing = false;
    if (code == OF_OK) {
        of_project_diff(a, p->type, ours, p->seen, p->agreed, create, &body, &n, &fields);
        says_nothing = n == 0 && create && p->type->kind == OF_KIND_ENTITY; /* made all the same: a batch without description */
        of_buf_str(&body, says_nothing ? "{}" : "");
        code = body.len > 0 ? of_json_parse(of_buf_text(&body), body.len, OF_PUSH_BODY_MAX, &p->sent, err) : OF_OK;
    }
    if (code == OF_OK) {
        p->fields = of_strdup(of_buf_text(&fields));
    }
    of_buf_done(&body);
    of_buf_done(&fields);
    OF_TRY(code);
    if ((n == 0 && !says_nothing) || !(p->type->verbs & (unsigned)p->verb)) {
        *ret = PUSH_NEXT_OVER;
        return p->stuck[0] ? of_push_wait(it, db, p->stuck, true, err) : of_push_done(it, db, err);
    }
    *ret = PUSH_NEXT_SEND;
    return OF_OK;
}

/* Does somebody there have, or may have, the last word about the field? */
static bool is_theirs_to_say(const struct of_push_item *it, const char *field, int64_t age_ms)
{
    const struct of_conn *conn = it->pj->conn;
    const char *dot = field[0] == '_' ? strchr(field, '.') : NULL; /* _rel.primary_campus */
    const char *strategy = of_merge_strategy(conn->field_strategies, conn->strategy, it->plan.type->name, dot ? dot + 1 : field);
    return strcmp(strategy, "chms_wins") == 0 || strcmp(strategy, "ask") == 0 ||
           (strcmp(strategy, "openfaith_wins") != 0 && age_ms >= it->pj->w->conf->push_look_ms);
}

bool of_push_must_look(const struct of_push_item *it)
{
    const struct of_push_plan *p = &it->plan;
    bool is_value = p->type->kind == OF_KIND_VALUE;
    if (!(p->verb == OF_VERB_UPDATE || (p->verb == OF_VERB_DELETE && is_value)) || it->has_looked) {
        return false;
    }
    int64_t age_ms = it->owed_ms;
    if (p->changed_at.us > 0) {
        age_ms = OF_MAX(age_ms, (of_wall_now().us - p->changed_at.us) / 1000);
    }
    const char *bar = is_value ? strchr(it->record_id, '|') : NULL; /* person|key or person|key|value */
    OF_CLEANUP(of_freep) char *names = bar                          ? of_strndup(bar + 1, strcspn(bar + 1, "|"))
                                       : p->fields && p->fields[0] ? of_strdup(p->fields)
                                                                   : of_strdup("\n");
    for (char *name = names; *name;) {
        size_t n = strcspn(name, "\n");
        char *next = name[n] ? name + n + 1 : name + n;
        name[n] = '\0';
        if (is_theirs_to_say(it, name, age_ms)) {
            return true;
        }
        name = next;
    }
    return false;
}

/* --- deletes --- */

enum of_code of_push_plan_delete(struct of_push_item *it, struct of_pg *db, const char *deleted_by, enum of_push_next *ret,
                                 struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    OF_CLEANUP(of_freep) char *theirs = of_asprintf("sync:%s", it->pj->adapter);
    bool by_system = strncmp(deleted_by, "sync:", 5) == 0;
    if (!(p->type->verbs & OF_VERB_DELETE) || strcmp(deleted_by, theirs) == 0) {
        return over(it, db, ret, err);
    }
    if ((it->pj->conn->delete_there && !by_system) || strcmp(it->reason, "delete asked") == 0) { /* or a person said so: review accept */
        p->verb = OF_VERB_DELETE;
        *ret = PUSH_NEXT_SEND;
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, "delete");
    of_pg_arg_text(&args, p->type->name);
    of_pg_arg_text(&args, p->ext);
    of_pg_arg_text(&args, p->link_tag);
    of_pg_arg_text(&args, p->link_id);
    of_pg_arg_jsonb(&args, by_system ? "{\"by\":\"another system or a merge\"}" : "{\"by\":\"a person\"}");
    OF_TRY(of_pg_run(db, &of_sql_push_review, &args, NULL, err));
    return over(it, db, ret, err);
}

/* What lives and dies with a parent that is gone here goes, or is asked about, with it. */
static enum of_code parent_is_gone(struct of_push_item *it, struct of_pg *db, const struct of_type *t, bool *ret, struct of_err *err)
{
    const struct of_type *parent = t->owned && t->with ? of_type_find(it->pj->conn->adapter, t->with) : NULL;
    const struct of_type_sql *s = parent ? of_type_sql(parent) : NULL;
    *ret = false;
    if (!s || !s->entity || it->plan.parent[0] == '\0') {
        return OF_OK;
    }
    OF_CLEANUP(of_pgres_freep) struct of_pgres *link = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, parent->name);
    of_pg_arg_text(&args, it->plan.parent);
    OF_TRY(of_pg_run(db, &of_sql_push_link_of, &args, &link, err));
    if (of_pgres_rows(link) == 0) {
        *ret = true;
        return OF_OK;
    }
    struct of_pgargs load = OF_PGARGS_INIT;
    of_pg_arg_text(&load, it->pj->org);
    of_pg_arg_text(&load, it->pj->adapter);
    of_pg_arg_text(&load, of_pgres_text(link, 0, 0));
    OF_TRY(of_pg_run(db, &s->out, &load, &res, err));
    *ret = !of_pgres_bool(res, 0, 1);
    return OF_OK;
}

/* --- entities --- */

/* A person's values are rows of their own; whoever looks at the person sees to them. */
static enum of_code hint_values(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    struct of_apply a = of_push_apply(it->pj, db);
    of_pgarr_text(ids, it->record_id);
    return of_push_hint_values(&a, it->record_type, ids, err);
}

static enum of_code plan_update(struct of_push_item *it, struct of_pg *db, const struct of_json *row, enum of_push_next *ret,
                                struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    struct of_push_rels rels;
    p->verb = OF_VERB_UPDATE;
    enum of_code code = of_push_rels(it, db, p->type, it->record_id, row, NULL, &rels, err);
    if (code == OF_OK && rels.wait[0]) {
        *ret = PUSH_NEXT_OVER;
        code = of_push_wait(it, db, rels.wait, false, err);
    } else if (code == OF_OK) {
        (void)of_strcopy(p->stuck, sizeof p->stuck, rels.stuck);
        struct of_project_in in = {
            .adapter = it->pj->conn->adapter, .type = p->type, .row = row, .rel = rels.rel, .many = rels.many};
        code = hint_values(it, db, err);
        code = code == OF_OK ? of_push_compare(it, db, &in, ret, err) : code;
    }
    of_push_rels_done(&rels);
    return code;
}

static enum of_code lacks(struct of_push_item *it, struct of_pg *db, const char *key, struct of_err *err)
{
    struct of_err why = OF_ERR_INIT;
    (void)of_err_set(&why, OF_E_INVALID, "they want a %s, and ours has none that they know", key);
    /* what belongs to nobody (its person was deleted before it went) is nothing to send; an edge to somebody asks for it again */
    return of_push_lacks(it, db, it->plan.type->owned ? NULL : "dead", &why, err);
}

static enum of_code plan_create(struct of_push_item *it, struct of_pg *db, const struct of_json *row, enum of_push_next *ret,
                                struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    struct of_push_rels rels;
    p->verb = OF_VERB_CREATE;
    *ret = PUSH_NEXT_OVER;
    enum of_code code = of_push_rels(it, db, p->type, it->record_id, row, NULL, &rels, err);
    if (code == OF_OK && !rels.wait[0] && !rels.lacks[0]) {
        code = of_push_with(it, db, &rels, err);
    }
    if (code == OF_OK && (rels.wait[0] || (rels.lacks[0] && rels.stuck[0]))) {
        code = of_push_wait(it, db, rels.wait[0] ? rels.wait : rels.stuck, !rels.wait[0], err);
    } else if (code == OF_OK && rels.lacks[0]) {
        code = lacks(it, db, rels.lacks, err);
    } else if (code == OF_OK) {
        (void)of_strcopy(p->stuck, sizeof p->stuck, rels.stuck);
        if (p->type->create_parent) {
            id_of(of_json_text(of_json_get(rels.rel, p->type->create_parent)), p->parent, sizeof p->parent);
        }
        struct of_project_in in = {
            .adapter = it->pj->conn->adapter, .type = p->type, .row = row, .rel = rels.rel, .many = rels.many};
        code = of_push_compare(it, db, &in, ret, err);
    }
    of_push_rels_done(&rels);
    return code;
}

/* It is not made there after all: what waits for its link looks for itself. */
static enum of_code never_linked(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    OF_TRY(of_push_done(it, db, err));
    return of_push_wake(it, db, it->plan.link_tag, it->plan.link_id, err);
}

/* Parked until a person has decided whether it is one of theirs; she may be doing it just now. */
static enum of_code wait_for_person(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *ref = of_asprintf("review:%s", it->record_id);
    OF_TRY(of_push_lock(it, db, ref, err));
    int64_t rows = 0;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, it->record_id);
    OF_TRY(of_pg_run_count(db, &of_sql_push_asked, &args, &rows, err));
    struct of_err why = OF_ERR_INIT;
    (void)of_strcopy(why.msg, sizeof why.msg, "a person decides whether it is one of theirs");
    const struct of_push_later now = {.state = "ready", .attempts = it->attempts};
    const struct of_push_later park = {.state = "parked", .attempts = it->attempts, .why = &why, .waits_for = ref};
    return of_push_later(it, db, rows > 0 ? &park : &now, err);
}

static enum of_code plan_unlinked(struct of_push_item *it, struct of_pg *db, const struct of_pgres *res, const struct of_json *row,
                                  enum of_push_next *ret, struct of_err *err)
{
    bool may = false;
    *ret = PUSH_NEXT_OVER;
    if (it->intent) { /* what was made below somebody who is gone by now went too */
        const char *parent = of_json_text(of_json_get(it->intent, "parent"));
        bool gone = false;
        (void)of_strcopy(it->plan.parent, sizeof it->plan.parent, parent ? parent : "");
        OF_TRY(parent_is_gone(it, db, it->plan.type, &gone, err));
        return gone ? of_push_done(it, db, err) : of_push_resume(it, db, ret, err);
    }
    if (!of_pgres_bool(res, 0, 1) || of_pgres_bool(res, 0, 9)) {
        return never_linked(it, db, err);
    }
    OF_TRY(of_push_may_create(it, db, of_pgres_bool(res, 0, 8), &may, err));
    if (!may) {
        return OF_OK;
    }
    if (of_pgres_bool(res, 0, 10)) { /* a person decides whether it is one of theirs */
        OF_TRY(of_pg_begin(db, err));
        enum of_code code = wait_for_person(it, db, err);
        code = code == OF_OK ? of_pg_commit(db, err) : code;
        if (code != OF_OK) {
            of_pg_rollback(db);
        }
        return code;
    }
    return plan_create(it, db, row, ret, err);
}

static bool is_of_type(const struct of_type *t, const struct of_json *row)
{
    const char *folder = of_json_text(of_json_get(row, "folderType"));
    if (t->folder_type && (!folder || strcmp(folder, t->folder_type) != 0)) {
        return false;
    }
    for (const struct of_constant *c = t->constants; c && c->column; c++) {
        const char *v = of_json_text(of_json_get(row, c->column));
        if (!v || strcmp(v, of_constant_value(t, c)) != 0) {
            return false;
        }
    }
    return true;
}

static enum of_code plan_linked(struct of_push_item *it, struct of_pg *db, const struct of_pgres *res, const struct of_json *row,
                                enum of_push_next *ret, struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    p->link = of_pgres_i64(res, 0, 3);
    (void)of_strcopy(p->ext, sizeof p->ext, of_pgres_text(res, 0, 4));
    id_of(of_pgres_text_null(res, 0, 5), p->parent, sizeof p->parent);
    OF_TRY(of_push_json(res, 0, 6, &p->seen, err));
    OF_TRY(of_push_json(res, 0, 7, &p->agreed, err));
    OF_TRY(of_push_was_sending(it, db, err));
    if (of_pgres_bool(res, 0, 1)) {
        return plan_update(it, db, row, ret, err);
    }
    bool with_parent = false;
    OF_TRY(parent_is_gone(it, db, p->type, &with_parent, err));
    if (with_parent && !it->pj->conn->delete_there && strcmp(it->reason, "delete asked") != 0) {
        return over(it, db, ret, err);
    }
    return of_push_plan_delete(it, db, of_pgres_text(res, 0, 2), ret, err);
}

static enum of_code plan_entity(struct of_push_item *it, struct of_pg *db, const struct of_type *t, bool *ret_is,
                                enum of_push_next *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *row = NULL;
    struct of_push_plan *p = &it->plan;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_text(&args, it->record_id);
    OF_TRY(of_pg_run(db, &of_type_sql(t)->out, &args, &res, err));
    OF_TRY(of_push_json(res, 0, 0, &row, err));
    bool linked = !of_pgres_is_null(res, 0, 3);
    *ret_is = linked || is_of_type(t, row);
    if (!*ret_is) {
        return OF_OK;
    }
    p->type = t;
    p->link_tag = of_strdup(t->entity);
    p->link_id = of_strdup(it->record_id);
    const char *changed = of_json_text(of_json_get(row, "updatedAt"));
    if (!changed || !of_time_parse(changed, &p->changed_at)) {
        p->changed_at.us = 0;
    }
    return linked ? plan_linked(it, db, res, row, ret, err) : plan_unlinked(it, db, res, row, ret, err);
}

enum of_code of_push_plan(struct of_push_item *it, struct of_pg *db, enum of_push_next *ret, struct of_err *err)
{
    const struct of_adapter *a = it->pj->conn->adapter;
    const struct of_type *named = of_type_find(a, it->record_type);
    *ret = PUSH_NEXT_OVER;
    if (named && of_scope_has(it->pj->conn->scope, of_type_index(a, named)) && named->kind == OF_KIND_EDGE) {
        return of_push_plan_edge(it, db, named, ret, err);
    }
    if (named && of_scope_has(it->pj->conn->scope, of_type_index(a, named)) && named->kind == OF_KIND_VALUE) {
        return of_push_plan_value(it, db, named, ret, err);
    }
    for (const struct of_type *t = a->types; t->name; t++) {
        bool is = false;
        if (t->kind == OF_KIND_ENTITY && strcmp(t->entity, it->record_type) == 0 &&
            of_scope_has(it->pj->conn->scope, of_type_index(a, t))) {
            OF_TRY(plan_entity(it, db, t, &is, ret, err));
        }
        if (is) {
            return OF_OK;
        }
    }
    return of_push_done(it, db, err); /* nothing that this system holds */
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/links.h"

#include "producer/ctl/connection.h"
#include "producer/ctl/list.h"

#include "openfaithctl_sql.h"

#include <stdlib.h>
#include <string.h>

static void record_args(struct of_pgargs *args, const struct of_ctl_record *r)
{
    of_pg_arg_text(args, r->org);
    of_pg_arg_text(args, r->adapter);
    of_pg_arg_text(args, r->type);
    of_pg_arg_text(args, r->id);
}

enum of_code of_ctl_link_lock(struct of_ctl *ctl, const struct of_ctl_record *r, struct of_ctl_link *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    record_args(&args, r);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_link_lock, &args, &res, err));
    ret->exists = of_pgres_rows(res) > 0;
    if (ret->exists) {
        ret->state = of_strdup(of_pgres_text(res, 0, 0));
        ret->entity_id = of_strdup_null(of_pgres_text_null(res, 0, 1));
        ret->rev = of_pgres_i64(res, 0, 2);
        ret->id = of_pgres_i64(res, 0, 3);
        ret->seen = of_ctl_json(of_pgres_text_null(res, 0, 4));
        ret->agreed = of_ctl_json(of_pgres_text_null(res, 0, 5));
        ret->staged = of_ctl_json(of_pgres_text_null(res, 0, 6));
    }
    return OF_OK;
}

void of_ctl_link_done(struct of_ctl_link *l)
{
    free(l->state);
    free(l->entity_id);
    of_json_free(l->seen);
    of_json_free(l->agreed);
    of_json_free(l->staged);
    *l = (struct of_ctl_link){.exists = false};
}

enum of_code of_ctl_hint(struct of_ctl *ctl, const char *org, const char *adapter, const char *direction, const char *type,
                         const char *id, const char *reason, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    of_pg_arg_text(&args, direction);
    of_pg_arg_text(&args, type);
    of_pg_arg_text(&args, id);
    of_pg_arg_text(&args, reason);
    return of_pg_run(ctl->db, &of_sql_ctl_hint, &args, NULL, err);
}

enum of_code of_ctl_wake(struct of_ctl *ctl, const char *org, const char *adapter, const char *what, bool forget,
                         struct of_err *err)
{
    struct of_pgargs lock = OF_PGARGS_INIT;
    of_pg_arg_text(&lock, org);
    of_pg_arg_text(&lock, adapter);
    of_pg_arg_text(&lock, what);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_wake_lock, &lock, NULL, err));
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    of_pg_arg_text(&args, what);
    of_pg_arg_bool(&args, forget);
    return of_pg_run(ctl->db, &of_sql_ctl_wake, &args, NULL, err);
}

enum of_code of_ctl_note(struct of_ctl *ctl, const struct of_ctl_record *r, const char *entity_type, const char *entity_id,
                         const char *field, const char *old_json, const char *new_json, const char *rule, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, r->org);
    of_pg_arg_text(&args, r->adapter);
    of_pg_arg_text(&args, entity_type);
    of_pg_arg_text(&args, entity_id);
    of_pg_arg_text(&args, r->type);
    of_pg_arg_text(&args, r->id);
    of_pg_arg_text(&args, field);
    of_pg_arg_jsonb(&args, old_json);
    of_pg_arg_jsonb(&args, new_json);
    of_pg_arg_text(&args, rule);
    return of_pg_run(ctl->db, &of_sql_ctl_journal, &args, NULL, err);
}

char *of_ctl_by_json(void)
{
    struct of_buf b = OF_BUF_INIT(1024);
    of_buf_char(&b, '{');
    of_ctl_json_text(&b, "by", of_ctl_who());
    of_ctl_json_end(&b, '}');
    char *text = of_strdup(of_buf_text(&b));
    of_buf_done(&b);
    return text;
}

/* What an entity is linked to in this adapter; *ret NULL: nothing. */
static enum of_code partner_of(struct of_ctl *ctl, const char *org, const char *adapter, const char *entity, const char *type,
                               struct of_pgres **ret, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_text(&args, adapter);
    of_pg_arg_text(&args, entity);
    of_pg_arg_text(&args, type);
    return of_pg_run(ctl->db, &of_sql_ctl_link_of, &args, ret, err);
}

static enum of_code close_reviews(struct of_ctl *ctl, const struct of_ctl_record *r, const char *entity, const char *state,
                                  struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    record_args(&args, r);
    of_pg_arg_text(&args, entity);
    of_pg_arg_text(&args, state);
    of_pg_arg_text(&args, of_ctl_who());
    return of_pg_run(ctl->db, &of_sql_ctl_review_close, &args, NULL, err);
}

static enum of_code put_link(struct of_ctl *ctl, const struct of_ctl_record *r, const struct of_ctl_entity *e, const char *entity_id,
                             struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    record_args(&args, r);
    of_pg_arg_text(&args, e->model->tag);
    of_pg_arg_text(&args, entity_id);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_link_put, &args, NULL, err));
    OF_TRY(close_reviews(ctl, r, entity_id, "accepted", err));
    OF_CLEANUP(of_freep) char *ref = of_asprintf("%s/%s", r->type, r->id);
    OF_CLEANUP(of_freep) char *review = of_asprintf("review:%s", entity_id);
    OF_CLEANUP(of_freep) char *by = of_ctl_by_json();
    OF_TRY(of_ctl_wake(ctl, r->org, r->adapter, ref, false, err));
    OF_TRY(of_ctl_wake(ctl, r->org, r->adapter, review, true, err));
    OF_TRY(of_ctl_hint(ctl, r->org, r->adapter, "in", r->type, r->id, "linked", err));
    return of_ctl_note(ctl, r, e->model->tag, entity_id, NULL, NULL, by, "linked by hand", err);
}

enum of_code of_ctl_link_make(struct of_ctl *ctl, const struct of_ctl_record *r, const char *entity_id, struct of_err *err)
{
    OF_CLEANUP(of_ctl_entity_done) struct of_ctl_entity e = {.model = NULL};
    OF_CLEANUP(of_ctl_link_done) struct of_ctl_link link = {.exists = false};
    OF_CLEANUP(of_pgres_freep) struct of_pgres *partner = NULL;
    const struct of_adapter *a = of_adapter_find(r->adapter);
    const struct of_type *t = a != NULL ? of_type_find(a, r->type) : NULL;
    if (t == NULL || t->kind != OF_KIND_ENTITY) {
        return of_err_set(err, OF_E_INVALID, "%.40s has no records of type %.60s that can be linked", r->adapter, r->type);
    }
    OF_TRY(of_ctl_entity_load(ctl, r->org, entity_id, true, &e, err));
    if (strcmp(t->entity, e.model->tag) != 0) {
        return of_err_set(err, OF_E_INVALID, "%.60s is a %s, a %s there is a %s here", entity_id, e.model->tag, t->name, t->entity);
    }
    if (e.deleted) {
        return of_err_set(err, OF_E_CONFLICT, "%.60s is deleted", entity_id);
    }
    OF_TRY(of_ctl_link_lock(ctl, r, &link, err));
    if (link.exists && strcmp(link.state, "linked") == 0) {
        return of_err_set(err, OF_E_CONFLICT, "%s %.60s is linked to %.60s; openfaithctl unlink undoes that", t->name, r->id,
                          link.entity_id != NULL ? link.entity_id : "-");
    }
    if (link.exists && (strcmp(link.state, "merged_into") == 0 || strcmp(link.state, "deleted") == 0)) {
        return of_err_set(err, OF_E_CONFLICT, "%s %.60s is gone there", t->name, r->id);
    }
    OF_TRY(partner_of(ctl, r->org, r->adapter, entity_id, r->type, &partner, err));
    if (of_pgres_rows(partner) > 0 && strcmp(of_pgres_text(partner, 0, 2), "linked") == 0) {
        return of_err_set(err, OF_E_CONFLICT, "%.60s is linked to %s %.60s; openfaithctl unlink undoes that", entity_id,
                          of_pgres_text(partner, 0, 0), of_pgres_text(partner, 0, 1));
    }
    return put_link(ctl, r, &e, entity_id, err);
}

/* --- commands --- */

typedef enum of_code in_transaction_fn(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err);

static enum of_code with_connection(struct of_ctl *ctl, in_transaction_fn *fn, struct of_err *err)
{
    OF_CLEANUP(of_ctl_connection_done) struct of_ctl_connection c = {.org = NULL};
    OF_TRY(of_ctl_connection_name(ctl, &c, err));
    OF_TRY(of_pg_begin(ctl->db, err));
    enum of_code code = of_ctl_connection_need(ctl, &c, false, err);
    code = code == OF_OK ? fn(ctl, &c, err) : code;
    code = code == OF_OK ? of_pg_commit(ctl->db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(ctl->db);
        of_buf_clear(&ctl->out);
    }
    return code;
}

static void say(struct of_ctl *ctl, const char *entity, const char *words)
{
    if (ctl->json) {
        of_buf_char(&ctl->out, '{');
        of_ctl_json_text(&ctl->out, "entity", entity);
        of_ctl_json_text(&ctl->out, "message", words);
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, '\n');
    } else {
        of_ctl_say(&ctl->out, "%s: %s", entity, words);
    }
}

/* The first type of the adapter that such an entity is made as. */
static const struct of_type *type_for(const struct of_adapter *a, const struct of_ctl_entity *e)
{
    const char *folder = of_json_text(of_json_get(e->row, "folderType"));
    for (const struct of_type *t = a->types; t->name != NULL; t++) {
        if (t->kind == OF_KIND_ENTITY && t->entity != NULL && strcmp(t->entity, e->model->tag) == 0 &&
            (t->folder_type == NULL || (folder != NULL && strcmp(folder, t->folder_type) == 0))) {
            return t;
        }
    }
    return NULL;
}

static enum of_code push_one(struct of_ctl *ctl, const struct of_ctl_connection *c, const char *id, struct of_err *err)
{
    OF_CLEANUP(of_ctl_entity_done) struct of_ctl_entity e = {.model = NULL};
    OF_CLEANUP(of_pgres_freep) struct of_pgres *partner = NULL;
    OF_TRY(of_ctl_entity_load(ctl, c->org, id, false, &e, err));
    OF_TRY(partner_of(ctl, c->org, c->adapter->name, id, NULL, &partner, err));
    bool linked = of_pgres_rows(partner) > 0 && strcmp(of_pgres_text(partner, 0, 2), "linked") == 0;
    const struct of_type *t = linked ? of_type_find(c->adapter, of_pgres_text(partner, 0, 0)) : type_for(c->adapter, &e);
    if (t == NULL || !(t->verbs & (linked ? OF_VERB_UPDATE : OF_VERB_CREATE))) {
        return of_err_set(err, OF_E_CONFLICT, "%.60s: %s %s", id, c->adapter->product,
                          t != NULL && t->cannot != NULL ? t->cannot : "does not take such records");
    }
    if (e.deleted) {
        return of_err_set(err, OF_E_CONFLICT, "%.60s is deleted", id);
    }
    if (!linked && of_pgres_rows(partner) > 0) {
        return of_err_set(err, OF_E_CONFLICT, "%.60s was %s %.60s there (%s); openfaithctl link says that they are the same again", id,
                          of_pgres_text(partner, 0, 0), of_pgres_text(partner, 0, 1), of_pgres_text(partner, 0, 2));
    }
    const struct of_ctl_record r = {c->org, c->adapter->name, linked ? of_pgres_text(partner, 0, 0) : NULL,
                                    linked ? of_pgres_text(partner, 0, 1) : NULL};
    OF_CLEANUP(of_freep) char *by = of_ctl_by_json();
    OF_TRY(close_reviews(ctl, &r, id, "accepted", err));
    OF_TRY(of_ctl_hint(ctl, c->org, c->adapter->name, "out", e.model->tag, id, "asked", err));
    OF_TRY(of_ctl_note(ctl, &r, e.model->tag, id, NULL, NULL, by, "push asked for", err));
    say(ctl, id, linked ? "what differs is sent" : "is made there");
    return OF_OK;
}

static enum of_code push_in(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err)
{
    for (int i = 2; i < ctl->n_words; i++) {
        OF_TRY(push_one(ctl, c, ctl->words[i], err));
    }
    return OF_OK;
}

static enum of_code link_in(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err)
{
    const struct of_ctl_record r = {c->org, c->adapter->name, ctl->words[3], ctl->words[4]};
    OF_TRY(of_ctl_link_make(ctl, &r, ctl->words[2], err));
    say(ctl, ctl->words[2], "linked; the values of both are merged");
    return OF_OK;
}

static enum of_code unlink_in(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err)
{
    const struct of_ctl_record r = {c->org, c->adapter->name, ctl->words[2], ctl->words[3]};
    OF_CLEANUP(of_ctl_link_done) struct of_ctl_link link = {.exists = false};
    OF_CLEANUP(of_freep) char *by = of_ctl_by_json();
    OF_TRY(of_ctl_link_lock(ctl, &r, &link, err));
    if (!link.exists || strcmp(link.state, "linked") != 0) {
        return of_err_set(err, link.exists ? OF_E_CONFLICT : OF_E_NOT_FOUND, "%.60s %.60s is not linked%s%s%s", r.type, r.id,
                          link.exists ? " (" : "", link.exists ? link.state : "", link.exists ? ")" : "");
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    record_args(&args, &r);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_link_drop, &args, NULL, err));
    OF_TRY(of_ctl_note(ctl, &r, NULL, link.entity_id, NULL, NULL, by, "unlinked by hand", err));
    say(ctl, link.entity_id != NULL ? link.entity_id : r.id, "unlinked; neither is matched, made or sent until it is linked again");
    return OF_OK;
}

enum of_code of_ctl_push(struct of_ctl *ctl, struct of_err *err)
{
    return with_connection(ctl, push_in, err);
}

enum of_code of_ctl_link(struct of_ctl *ctl, struct of_err *err)
{
    return with_connection(ctl, link_in, err);
}

enum of_code of_ctl_unlink(struct of_ctl *ctl, struct of_err *err)
{
    return with_connection(ctl, unlink_in, err);
}

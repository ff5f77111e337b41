/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/failpoint.h"
#include "worker/journal.h"
#include "worker/phase.h"
#include "worker/push_int.h"
#include "worker_sql.h"

/* Answers: what was sent is agreed on, the rest of the answer is a read like any other. */

enum { NAMED_TRIES = 6 };

/* --- before a create --- */

static enum of_code lock_record(struct of_push_item *it, struct of_pg *db, const char *tag, const char *id, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *ref = of_asprintf("out:%s/%s", tag, id);
    return of_push_lock(it, db, ref, err);
}

static char *intent_text(const struct of_push_item *it)
{
    const struct of_push_plan *p = &it->plan;
    struct of_buf b = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    char *text = NULL;
    of_buf_str(&b, "{\"sent\":");
    of_json_write(&b, p->sent);
    of_buf_str(&b, ",\"fields\":");
    of_buf_json_str(&b, p->fields);
    of_buf_str(&b, ",\"parent\":");
    of_buf_json_str(&b, p->parent);
    if (p->with) {
        of_buf_str(&b, ",\"with\":");
        of_json_write(&b, p->with);
        of_buf_str(&b, ",\"with_ids\":");
        of_json_write(&b, p->with_list);
    }
    of_buf_char(&b, '}');
    return of_buf_take(&b, &text, NULL, NULL) == OF_OK ? text : NULL;
}

static enum of_code intend(struct of_push_item *it, struct of_pg *db, const char *intent, struct of_pgres **ret, struct of_err *err)
{
    const struct of_push_plan *p = &it->plan;
    const struct of_conf *conf = it->pj->w->conf;
    OF_TRY(lock_record(it, db, it->record_type, it->record_id, err));
    int64_t rows = 0;
    if (p->type->kind == OF_KIND_ENTITY) {
        struct of_pgargs linked = OF_PGARGS_INIT;
        of_pg_arg_text(&linked, it->pj->org);
        of_pg_arg_text(&linked, it->pj->adapter);
        of_pg_arg_text(&linked, it->record_id);
        OF_TRY(of_pg_run_count(db, &of_sql_push_is_linked, &linked, &rows, err));
    }
    if (rows > 0) {
        return of_err_set(err, OF_E_CONFLICT, "linked meanwhile");
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_push_key_args(it, &args);
    of_pg_arg_int8(&args, it->fence);
    of_pg_arg_jsonb(&args, intent);
    of_pg_arg_int8(&args, conf->visibility_ms > 0 ? conf->visibility_ms : it->pj->conn->adapter->visibility_ms);
    OF_TRY(of_pg_run(db, &of_sql_push_intent, &args, ret, err));
    return of_pgres_rows(*ret) > 0 ? OF_OK : of_err_set(err, OF_E_LEASE, "the row is somebody else's now");
}

enum of_code of_push_intend(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *intent = intent_text(it);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_apply a = of_push_apply(it->pj, db);
    if (!intent) {
        return of_err_set(err, OF_E_TOO_LARGE, "too large to be sent");
    }
    OF_TRY(of_apply_begin(&a, err));
    enum of_code code = intend(it, db, intent, &res, err);
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
        return code;
    }
    (void)OF_FAILPOINT("push.after_intent");
    of_json_freep(&it->intent);
    return of_push_json(res, 0, 0, &it->intent, err);
}

/* --- what the answer says --- */

static void put(struct of_buf *b, const char *key, const struct of_json *value)
{
    of_buf_str(b, b->len > 0 && b->data[b->len - 1] != '{' ? "," : "");
    of_buf_json_str(b, key);
    of_buf_char(b, ':');
    of_json_write(b, value);
}

/* Members of `over`, and those of `under` that it does not have. */
static void overlay(struct of_buf *b, const struct of_json *under, const struct of_json *over)
{
    of_buf_char(b, '{');
    for (const struct of_json *m = of_json_first(over); m; m = of_json_next(m)) {
        put(b, of_json_key(m), m);
    }
    for (const struct of_json *m = of_json_first(under); m; m = of_json_next(m)) {
        if (!of_json_get(over, of_json_key(m))) {
            put(b, of_json_key(m), m);
        }
    }
    of_buf_char(b, '}');
}

static bool has_element(const struct of_json *array, const char *name)
{
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        const char *n = of_json_text(of_json_get(e, "name"));
        if (n && strcmp(n, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Values of reference records come only where they are asked for: one that the answer does not show is as it was. */
static void custom_fields(const struct of_push_item *it, const struct of_type *t, struct of_buf *b, const struct of_json *seen,
                          const struct of_json *answer)
{
    const struct of_json *was = of_json_get(seen, "customFields");
    const struct of_json *is = of_json_get(answer, "customFields");
    of_buf_str(b, b->data[b->len - 1] != '{' ? ",\"customFields\":[" : "\"customFields\":[");
    bool first = true;
    for (const struct of_json *e = of_json_first(is); e; e = of_json_next(e)) {
        of_buf_str(b, first ? "" : ",");
        of_json_write(b, e);
        first = false;
    }
    for (const struct of_relation *r = t->relations; r && r->key; r++) {
        OF_CLEANUP(of_freep) char *name = of_asprintf("%s_%s", it->pj->adapter, r->key);
        if (r->kind != OF_REL_VALUE || has_element(is, name) || of_json_get(of_json_get(it->plan.sent, "_rel"), r->key)) {
            continue;
        }
        for (const struct of_json *e = of_json_first(was); e; e = of_json_next(e)) {
            const char *n = of_json_text(of_json_get(e, "name"));
            if (n && strcmp(n, name) == 0) {
                of_buf_str(b, first ? "" : ",");
                of_json_write(b, e);
                first = false;
            }
        }
    }
    of_buf_char(b, ']');
}

/* The answer as a record read whole: what it does not show is as it was. */
static enum of_code whole_body(const struct of_push_item *it, const struct of_record *r, const char *seen_text, size_t seen_len,
                               const struct of_json *answer, char **ret, size_t *ret_len, struct of_err *err)
{
    static const char *const groups[] = {"_rel", "_many", "_sub"};
    OF_CLEANUP(of_json_freep) struct of_json *seen = NULL;
    OF_TRY(of_json_parse(seen_text, seen_len, OF_PUSH_BODY_MAX, &seen, err));
    struct of_buf b = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    of_buf_char(&b, '{');
    for (int pass = 0; pass < 2; pass++) {
        for (const struct of_json *m = of_json_first(pass ? seen : answer); m; m = of_json_next(m)) {
            const char *key = of_json_key(m);
            if (key[0] != '_' && strcmp(key, "customFields") != 0 && !(pass && of_json_get(answer, key))) {
                put(&b, key, m);
            }
        }
    }
    if (of_json_get(answer, "customFields")) {
        custom_fields(it, r->type, &b, seen, answer);
    } else if (of_json_get(seen, "customFields")) {
        put(&b, "customFields", of_json_get(seen, "customFields"));
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(groups); i++) {
        if (of_json_get(seen, groups[i]) || of_json_get(answer, groups[i])) {
            of_buf_fmt(&b, "%s\"%s\":", b.data[b.len - 1] != '{' ? "," : "", groups[i]);
            overlay(&b, of_json_get(seen, groups[i]), of_json_get(answer, groups[i]));
        }
    }
    of_buf_char(&b, '}');
    return of_buf_take(&b, ret, ret_len, err);
}

/* --- journal and reviews --- */

/* A field of a body by its name: firstName, pco_nickname, _rel.primary_campus. Appends JSON. */
static void field_json(struct of_buf *b, const struct of_json *body, const char *name)
{
    const char *dot = name[0] == '_' ? strchr(name, '.') : NULL;
    const struct of_json *n = NULL;
    if (dot) {
        char group[16];
        (void)of_strcopy(group, OF_MIN(sizeof group, (size_t)(dot - name) + 1), name);
        n = of_json_get(of_json_get(body, group), dot + 1);
    } else {
        n = of_json_get(body, name);
    }
    if (!n && !dot && has_element(of_json_get(body, "customFields"), name)) {
        bool first = true;
        of_buf_char(b, '[');
        for (const struct of_json *e = of_json_first(of_json_get(body, "customFields")); e; e = of_json_next(e)) {
            const char *en = of_json_text(of_json_get(e, "name"));
            if (en && strcmp(en, name) == 0) {
                of_buf_str(b, first ? "" : ",");
                of_json_write(b, of_json_get(e, "value"));
                first = false;
            }
        }
        of_buf_char(b, ']');
        return;
    }
    if (n) {
        of_json_write(b, n);
    } else {
        of_buf_str(b, "null");
    }
}

struct of_push_notes {
    struct of_pgarr *eids, *exts, *fields, *values, *rules;
};

static void note(struct of_push_notes *j, const struct of_push_item *it, const char *ext, const char *field,
                 const struct of_json *before, const struct of_json *sent, const char *rule)
{
    struct of_buf b = OF_BUF_INIT(64 * 1024);
    /* a value is a field of its person, by the field's key: person|key or person|key|option */
    const char *bar = it->plan.type->kind == OF_KIND_VALUE ? strchr(it->record_id, '|') : NULL;
    OF_CLEANUP(of_freep) char *key = bar ? of_strndup(bar + 1, strcspn(bar + 1, "|")) : of_strdup(field);
    of_buf_char(&b, '[');
    field_json(&b, before, bar ? "value" : field);
    of_buf_char(&b, ',');
    field_json(&b, sent, bar ? "value" : field);
    of_buf_char(&b, ']');
    of_pgarr_text(j->eids, it->plan.link_id);
    of_pgarr_text(j->exts, ext);
    of_pgarr_text(j->fields, key);
    of_pgarr_text(j->values, b.bad ? "[null,null]" : of_buf_text(&b));
    of_pgarr_text(j->rules, rule);
    of_buf_done(&b);
}

static enum of_code journal(struct of_push_item *it, struct of_apply *a, const char *ext, const char *rule, struct of_err *err)
{
    const struct of_push_plan *p = &it->plan;
    struct of_push_notes j = {of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT), of_pgarr_new(OF_PG_TEXT),
                              of_pgarr_new(OF_PG_JSONB), of_pgarr_new(OF_PG_TEXT)};
    OF_CLEANUP(of_freep) char *names = of_strdup(p->fields && p->fields[0] ? p->fields : "\n");
    for (char *name = names; *name;) {
        size_t n = strcspn(name, "\n");
        char *next = name[n] ? name + n + 1 : name + n;
        name[n] = '\0';
        const struct of_json *before = of_json_get(p->agreed, name) ? p->agreed : p->seen;
        note(&j, it, ext, name, before, p->sent, rule);
        name = next;
    }
    const struct of_journal rows = {j.eids, j.exts, j.fields, j.values, j.rules};
    enum of_code code = of_journal_write(a, p->link_tag, p->type->name, &rows, err);
    of_pgarr_free(j.eids);
    of_pgarr_free(j.exts);
    of_pgarr_free(j.fields);
    of_pgarr_free(j.values);
    of_pgarr_free(j.rules);
    return code;
}

/* Values that they did not take: a person looks at it; they are agreed on, so they are not sent again. */
static enum of_code dropped(struct of_push_item *it, struct of_apply *a, const char *ext, const struct of_json *answer,
                            struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    struct of_buf fields = OF_BUF_INIT(64 * 1024);
    int n = of_project_dropped(a->conn->adapter, p->type, p->sent, answer, &fields);
    enum of_code code = OF_OK;
    OF_CLEANUP(of_freep) char *names = of_strdup(of_buf_text(&fields));
    of_buf_done(&fields);
    for (char *name = names; n > 0 && *name && code == OF_OK;) {
        size_t len = strcspn(name, "\n");
        char *next = name[len] ? name + len + 1 : name + len;
        name[len] = '\0';
        struct of_buf detail = OF_BUF_INIT(64 * 1024);
        of_buf_str(&detail, "{\"ours\":");
        field_json(&detail, p->sent, name);
        of_buf_str(&detail, ",\"theirs\":");
        field_json(&detail, answer, name);
        of_buf_str(&detail, ",\"why\":\"they did not take it\"}");
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, a->conn->org);
        of_pg_arg_text(&args, a->conn->adapter_name);
        of_pg_arg_text(&args, p->type->name);
        of_pg_arg_text(&args, p->link_tag);
        of_pg_arg_text(&args, ext);
        of_pg_arg_text(&args, p->link_id);
        of_pg_arg_text(&args, name);
        of_pg_arg_jsonb(&args, of_buf_text(&detail));
        code = of_pg_run(a->db, &of_sql_push_dropped, &args, NULL, err);
        of_buf_done(&detail);
        name = next;
    }
    return code;
}

/* --- storing --- */

static enum of_code numbers(struct of_apply *a, int64_t *ret_push, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(of_pg_run(a->db, &of_sql_push_seqs, NULL, &res, err));
    *ret_push = of_pgres_i64(res, 0, 0);
    a->read_seq = of_pgres_i64(res, 0, 1);
    return OF_OK;
}

enum of_code of_push_look_begin(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    struct of_apply a = of_push_apply(it->pj, db);
    int64_t ignored = 0;
    OF_TRY(numbers(&a, &ignored, err));
    it->read_seq = a.read_seq;
    return OF_OK;
}

static enum of_code link_row(struct of_push_item *it, struct of_apply *a, const struct of_record *r, const char *tag, const char *id,
                             int64_t push_seq, int64_t *ret_link, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(lock_record(it, a->db, tag, id, err));
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, r->type->name);
    of_pg_arg_text(&args, r->id);
    of_pg_arg_text(&args, of_kind_name(r->type->kind));
    of_pg_arg_text(&args, tag);
    of_pg_arg_text(&args, id);
    of_pg_arg_int8(&args, push_seq);
    OF_TRY(of_pg_run(a->db, &of_sql_push_link, &args, &res, err));
    if (of_pgres_rows(res) == 0) {
        return of_err_set(err, OF_E_CONFLICT, "the record that was made there is linked to another of ours");
    }
    *ret_link = of_pgres_i64(res, 0, 0);
    return OF_OK;
}

static enum of_code base_row(struct of_apply *a, int64_t link, const struct of_buf *seen, const struct of_buf *agreed,
                             struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_int8(&args, link);
    of_pg_arg_jsonb(&args, of_buf_text(seen));
    of_pg_arg_jsonb(&args, agreed->len ? of_buf_text(agreed) : NULL);
    of_pg_arg_int8(&args, a->conn->adapter->mapping_version);
    return of_pg_run(a->db, &of_sql_push_base, &args, NULL, err);
}

/* base: what was sent is agreed on; then the whole answer as a read. */
static enum of_code agree(struct of_push_item *it, struct of_apply *a, const struct of_record *r, int64_t link,
                          const struct of_json *seen, const struct of_json *agreed, const struct of_json *sent, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *answer = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *none = NULL;
    OF_CLEANUP(of_freep) char *body = NULL;
    size_t len = 0;
    OF_TRY(of_json_parse(r->body, r->body_len, OF_PUSH_BODY_MAX, &answer, err));
    OF_TRY(of_json_parse("{}", 2, 16, &none, err));
    struct of_buf new_seen = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    struct of_buf new_agreed = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    of_project_agree(a->conn->adapter, r->type, seen ? seen : none, agreed, sent, answer, &new_seen, &new_agreed);
    enum of_code code = base_row(a, link, &new_seen, &new_agreed, err);
    code = code == OF_OK ? whole_body(it, r, of_buf_text(&new_seen), new_seen.len, answer, &body, &len, err) : code;
    of_buf_done(&new_seen);
    of_buf_done(&new_agreed);
    OF_TRY(code);
    struct of_record read = *r;
    read.body = body;
    read.body_len = len;
    const struct of_record *one = &read;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    of_pgarr_text(ids, r->id);
    OF_TRY(of_apply_stage(a, r->type, &one, 1, err));
    return of_apply_populate(a, r->type, ids, err);
}

enum of_code of_push_wake(struct of_push_item *it, struct of_pg *db, const char *tag, const char *id, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *ref = of_asprintf("out:%s/%s", tag, id);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *refs = of_pgarr_new(OF_PG_TEXT);
    of_pgarr_text(refs, ref);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_text(&args, it->pj->adapter);
    of_pg_arg_array(&args, refs);
    return of_pg_run(db, &of_sql_push_wake, &args, NULL, err);
}

enum of_code of_push_link(struct of_push_item *it, struct of_apply *a, const struct of_record *r, const char *tag, const char *id,
                          const struct of_json *sent, struct of_err *err)
{
    int64_t push_seq = 0;
    int64_t link = 0;
    OF_TRY(numbers(a, &push_seq, err));
    OF_TRY(link_row(it, a, r, tag, id, push_seq, &link, err));
    OF_TRY(agree(it, a, r, link, NULL, NULL, sent, err));
    char *ext = r->id;
    OF_TRY(of_apply_wake(a, r->type, &ext, 1, err));
    return of_push_wake(it, a->db, tag, id, err);
}

/* A membership changes its parent's list, which no time of theirs announces. */
static enum of_code read_parent(struct of_push_item *it, struct of_apply *a, struct of_err *err)
{
    const struct of_type *t = it->plan.type;
    const struct of_type *parent = t->kind == OF_KIND_EDGE && t->with ? of_type_find(a->conn->adapter, t->with) : NULL;
    const char *id = it->plan.parent;
    for (const struct of_relation *r = parent ? parent->relations : NULL; r && r->key; r++) {
        if (r->kind == OF_REL_EDGES && id[0]) {
            return of_apply_hint(a, parent->name, &id, 1, "read", 0, err);
        }
    }
    return OF_OK;
}

/* Was it matched or linked by hand to another record while this one was made? Then that is a second one, and a person sees to it. */
static enum of_code is_second(struct of_push_item *it, struct of_apply *a, const struct of_record *r, bool *ret, struct of_err *err)
{
    const struct of_push_plan *p = &it->plan;
    *ret = false;
    if (p->type->kind != OF_KIND_ENTITY) {
        return OF_OK;
    }
    int64_t rows = 0;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, p->link_id);
    of_pg_arg_text(&args, p->type->name);
    of_pg_arg_text(&args, r->id);
    OF_TRY(lock_record(it, a->db, p->link_tag, p->link_id, err));
    OF_TRY(of_pg_run_count(a->db, &of_sql_push_linked_else, &args, &rows, err));
    if (rows == 0) {
        return OF_OK;
    }
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    of_pgarr_text(ids, r->id);
    *ret = true;
    return of_push_ask_alike(it, a, ids, err);
}

enum of_code of_push_created(struct of_push_item *it, struct of_apply *a, const struct of_page *page, const struct of_record *r,
                             bool *ret_follow, struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    OF_CLEANUP(of_json_freep) struct of_json *answer = NULL;
    bool second = false;
    *ret_follow = false;
    OF_TRY(is_second(it, a, r, &second, err));
    if (second) {
        return journal(it, a, r->id, "created there beside the one that it is linked to", err);
    }
    OF_TRY(of_json_parse(r->body, r->body_len, OF_PUSH_BODY_MAX, &answer, err));
    OF_TRY(of_push_child(it, a, r->id, err));
    OF_TRY(of_push_link(it, a, r, p->link_tag, p->link_id, p->sent, err));
    OF_TRY(of_push_siblings(it, a, r->id, err));
    bool all = true;
    OF_TRY(of_push_link_with(it, a, page, &all, err));
    if (!all && it->asks == PUSH_WRITE) { /* nothing is kept of this: it is read whole first */
        (void)of_strcopy(p->ext, sizeof p->ext, r->id);
        *ret_follow = true;
        return OF_OK;
    }
    if (p->type->kind == OF_KIND_ENTITY) {
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
        of_pgarr_text(ids, p->link_id);
        OF_TRY(of_push_hint_values(a, p->link_tag, ids, err));
    }
    OF_TRY(dropped(it, a, r->id, answer, err));
    OF_TRY(read_parent(it, a, err));
    return journal(it, a, r->id, "created there", err);
}

/* A read that was being applied when this was planned may have changed the base since: what it says now counts. */
static enum of_code base_now(struct of_push_item *it, struct of_apply *a, struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_int8(&args, p->link);
    OF_TRY(of_pg_run(a->db, &of_sql_push_base_now, &args, &res, err));
    OF_CLEANUP(of_json_freep) struct of_json *seen = OF_TAKE(p->seen);
    OF_CLEANUP(of_json_freep) struct of_json *agreed = OF_TAKE(p->agreed);
    OF_TRY(of_push_json(res, 0, 0, &p->seen, err));
    OF_TRY(of_push_json(res, 0, 1, &p->agreed, err));
    p->moved = !of_json_equal(seen, p->seen) || !of_json_equal(agreed, p->agreed);
    a->read_seq = of_pgres_i64(res, 0, 2);
    return OF_OK;
}

static enum of_code updated(struct of_push_item *it, struct of_apply *a, const struct of_record *r, struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    OF_CLEANUP(of_json_freep) struct of_json *answer = NULL;
    OF_TRY(of_json_parse(r->body, r->body_len, OF_PUSH_BODY_MAX, &answer, err));
    OF_TRY(journal(it, a, p->ext, "sent", err)); /* what it replaced is what was planned against */
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, p->type->name);
    of_pg_arg_text(&args, p->ext);
    OF_TRY(of_pg_run(a->db, &of_sql_push_touch, &args, NULL, err)); /* waits for whoever applies a read of it */
    OF_TRY(base_now(it, a, err));
    OF_TRY(agree(it, a, r, p->link, p->seen, p->agreed, p->sent, err));
    OF_TRY(of_json_get(p->agreed, "_sent") ? of_push_sent_over(it, a->db, err) : OF_OK);
    OF_TRY(of_push_siblings(it, a, p->ext, err));
    return dropped(it, a, p->ext, answer, err);
}

static enum of_code deleted(struct of_push_item *it, struct of_apply *a, struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    int64_t push_seq = 0;
    of_pgarr_text(ids, p->ext);
    OF_TRY(numbers(a, &push_seq, err));
    a->own_delete = true;
    OF_TRY(of_apply_gone(a, p->type, ids, err));
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, p->type->name);
    of_pg_arg_text(&args, p->ext);
    of_pg_arg_int8(&args, push_seq);
    OF_TRY(of_pg_run(a->db, &of_sql_push_deleted, &args, NULL, err));
    OF_TRY(read_parent(it, a, err));
    if (p->type->kind == OF_KIND_VALUE) { /* what was typed anew while it went there was no difference then */
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *people = of_pgarr_new(OF_PG_TEXT);
        of_pgarr_text(people, p->link_id);
        OF_TRY(of_push_hint_values(a, p->link_tag, people, err));
    }
    return journal(it, a, p->ext, "deleted there", err);
}

/* --- answers that are none --- */

enum of_code of_push_failed(struct of_push_item *it, struct of_pg *db, const struct of_err *why, struct of_err *err)
{
    const struct of_conf *conf = it->pj->w->conf;
    bool keep = it->intent && (it->state != PUSH_ANSWERED || it->asks != PUSH_WRITE || it->unclear);
    struct of_push_later l = {.state = "ready", .attempts = it->attempts, .keep_intent = keep};
    if (it->state == PUSH_ANSWERED && (it->unclear || why->cls == OF_CLASS_RETRY)) {
        OF_TRY(of_push_unclear(it, db, err));
    }
    if (why->code == OF_E_BUSY) {
        l.ms = OF_MAX(why->retry_after_ms, 200);
    } else if (why->cls == OF_CLASS_FENCED) {
        it->pj->gone = true;
    } else if (why->cls == OF_CLASS_RECONNECT || why->cls == OF_CLASS_STOP) {
        l.ms = 2000;
        l.why = why;
    } else if (why->cls == OF_CLASS_RETRY) {
        it->pj->their_failures++;
        l.ms = OF_MAX(of_backoff_ms(conf, it->attempts), why->retry_after_ms);
        l.attempts = it->attempts + 1;
        l.why = why;
    } else {
        l.state = why->cls == OF_CLASS_SYSTEMIC ? "parked" : "dead";
        l.attempts = it->attempts + 1;
        l.why = why;
    }
    if (keep && it->asks == PUSH_WRITE && it->state == PUSH_ANSWERED) { /* it may have been made: looked for when it can be seen */
        int64_t not_before = 0;
        (void)of_json_i64(of_json_get(it->intent, "not_before"), &not_before);
        l.state = "ready";
        l.ms = OF_MAX(l.ms, not_before - of_wall_now().us / 1000);
    }
    return of_push_later(it, db, &l, err);
}

static enum of_code read_ref(struct of_apply *a, struct of_pgarr *refs, const struct of_json *ref, struct of_err *err)
{
    const char *text = of_json_text(ref); /* Person/12 */
    const char *slash = text ? strchr(text, '/') : NULL;
    char type[64] = "";
    if (!slash || (size_t)(slash - text) >= sizeof type) {
        return OF_OK;
    }
    (void)of_strcopy(type, (size_t)(slash - text) + 1, text);
    const char *id = slash + 1;
    of_pgarr_text(refs, text);
    return of_type_find(a->conn->adapter, type) ? of_apply_hint(a, type, &id, 1, "read", 0, err) : OF_OK;
}

/* Whoever the refused record names is read: one of them is gone. *ret_any: one of them is known to be, or under suspicion. */
static enum of_code read_named(const struct of_push_item *it, struct of_apply *a, bool *ret_any, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *refs = of_pgarr_new(OF_PG_TEXT);
    for (const struct of_json *n = of_json_first(of_json_get(it->plan.sent, "_rel")); n; n = of_json_next(n)) {
        OF_TRY(read_ref(a, refs, n, err));
    }
    for (const struct of_json *many = of_json_first(of_json_get(it->plan.sent, "_many")); many; many = of_json_next(many)) {
        for (const struct of_json *n = of_json_first(many); n; n = of_json_next(n)) {
            OF_TRY(read_ref(a, refs, n, err));
        }
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    int64_t rows = 0;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_array(&args, refs);
    OF_TRY(of_pg_run_count(a->db, &of_sql_named_missing, &args, &rows, err));
    *ret_any = rows > 0;
    return OF_OK;
}

/* 404 to a change: the record, or the one it belongs to, is read, which decides what became of it; the row waits for that. */
static enum of_code missing(struct of_push_item *it, struct of_apply *a, struct of_err *err)
{
    const struct of_push_plan *p = &it->plan;
    const struct of_conf *conf = a->w->conf;
    bool named = it->err.http_status != 0 && it->err.http_status != 404 && it->err.http_status != 410;
    bool any = true;
    OF_TRY(named ? read_named(it, a, &any, err) : OF_OK);
    if (!any && it->attempts >= NAMED_TRIES) { /* they are all there: something else is wrong with it */
        return of_push_failed(it, a->db, &it->err, err);
    }
    const char *id = p->verb == OF_VERB_CREATE ? p->parent : p->ext;
    const char *type = p->verb == OF_VERB_CREATE ? p->type->with : p->type->name;
    if (id[0] && type && !named) {
        OF_TRY(of_apply_hint(a, type, &id, 1, "read", 0, err));
    }
    struct of_err why = OF_ERR_INIT;
    (void)of_err_set(&why, OF_E_NOT_FOUND, "%s",
                     named ? "a record that it names is not found there; they are read" : "not found there; it is read");
    /* until the second look, or a person, has decided whether it is gone */
    const struct of_push_later wait = {.state = "waiting",
                                       .ms = conf->second_look_ms + of_backoff_ms(conf, it->attempts),
                                       .attempts = it->attempts + 1,
                                       .why = &why,
                                       .keep_intent = it->asks == PUSH_RECENT}; /* until its parent is known to be gone */
    return of_push_later(it, a->db, &wait, err);
}

/* What theirs says now, as any read; ours is not sent yet, so that who decides is the strategy. */
static enum of_code looked(struct of_push_item *it, struct of_apply *a, bool *ret_again, struct of_err *err)
{
    const struct of_push_plan *p = &it->plan;
    struct of_page page;
    a->read_seq = it->read_seq;
    a->again = true;
    a->below = true;
    OF_TRY(a->conn->adapter->parse(p->type, a->conn->scope, it->body, it->body_len, false, OF_LIST_CREATED,
                                   p->parent[0] ? p->parent : NULL, &page, err));
    enum of_code code = OF_OK;
    if (page.n_records > 0) {
        *ret_again = true;
        code = of_apply_page(a, &page, err);
    } else if (page.n_bad > 0) {
        code = of_err_set(err, OF_E_PARSE, "what is there cannot be read: %s: %s", page.bad[0].place, page.bad[0].cause);
    } else { /* shown, but deleted */
        code = missing(it, a, err);
    }
    of_page_done(&page);
    return code;
}

/* --- one answer --- */

/* A row that was deleted for good while its record was made there: the change reader found no link and could not know whose it was, so
 * nobody else will say that the record is to go. */
static enum of_code done_or_gone(struct of_push_item *it, struct of_apply *a, struct of_err *err)
{
    const struct of_push_plan *p = &it->plan;
    /* it still waits for what it went without; or ours, too, is not what was sent any more */
    bool again = p->stuck[0] != '\0' || p->moved;
    if (p->verb == OF_VERB_CREATE && p->type->kind == OF_KIND_ENTITY) {
        OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
        OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pgarr_text(ids, p->link_id);
        of_pg_arg_text(&args, a->conn->org);
        of_pg_arg_array(&args, ids);
        OF_TRY(of_pg_run(a->db, &of_type_sql(p->type)->living, &args, &res, err));
        again = again || of_pgres_i64(res, 0, 0) == 0;
    }
    const struct of_push_later now = {.state = "ready"};
    return again ? of_push_later(it, a->db, &now, err) : of_push_done(it, a->db, err);
}

static enum of_code stored(struct of_push_item *it, struct of_apply *a, bool *ret_follow, struct of_err *err)
{
    struct of_push_plan *p = &it->plan;
    if (p->verb == OF_VERB_DELETE) {
        OF_TRY(deleted(it, a, err));
        return of_push_done(it, a->db, err);
    }
    struct of_page page;
    const char *parent = p->parent[0] ? p->parent : NULL;
    OF_TRY(a->conn->adapter->parse(p->type, a->conn->scope, it->body, it->body_len, false, OF_LIST_CREATED, parent, &page, err));
    enum of_code code = OF_OK;
    if (page.n_records == 0) {
        code = of_err_set(err, OF_E_REMOTE, "the answer holds no record");
    } else if (p->verb == OF_VERB_UPDATE) {
        code = updated(it, a, &page.records[0], err);
    } else {
        code = of_push_created(it, a, &page, &page.records[0], ret_follow, err);
    }
    of_page_done(&page);
    if (code == OF_OK && !*ret_follow) {
        code = done_or_gone(it, a, err);
        if (code == OF_E_LEASE && p->verb == OF_VERB_CREATE) { /* too late for the row, not for the link */
            of_err_clear(err);
            code = OF_OK;
        }
    }
    return code;
}

static enum of_code settle(struct of_push_item *it, struct of_apply *a, bool *ret_again, bool *ret_undo, struct of_err *err)
{
    bool gone = it->err.code == OF_E_NOT_FOUND;
    if (it->err.code == OF_OK && it->asks == PUSH_RECENT) {
        return of_push_found(it, a, ret_again, err);
    }
    if (it->err.code == OF_OK && it->asks == PUSH_LOOK) {
        return looked(it, a, ret_again, err);
    }
    if (it->err.code == OF_OK || (gone && it->plan.verb == OF_VERB_DELETE)) {
        it->pj->their_failures = 0;
        it->pj->more = it->pj->more || it->plan.verb != OF_VERB_UPDATE; /* what waited for it is ready */
        OF_TRY(stored(it, a, ret_undo, err));
        if (*ret_undo) {
            it->asks = PUSH_FOLLOW;
            *ret_again = true;
        }
        return OF_OK;
    }
    if (gone && it->asks == PUSH_FOLLOW && it->attempts < 6) { /* made a moment ago, and not shown yet */
        struct of_err why = it->err;
        why.cls = OF_CLASS_RETRY;
        return of_push_failed(it, a->db, &why, err);
    }
    if (gone && (it->asks != PUSH_FOLLOW)) {
        return missing(it, a, err);
    }
    return of_push_failed(it, a->db, &it->err, err);
}

enum of_code of_push_settle(struct of_push_item *it, struct of_pg *db, bool *ret_again, struct of_err *err)
{
    struct of_apply a = of_push_apply(it->pj, db);
    a.out_type = it->record_type;
    a.out_id = it->record_id;
    bool undo = false;
    OF_TRY(of_apply_begin(&a, err));
    enum of_code code = settle(it, &a, ret_again, &undo, err);
    if (code == OF_OK && !undo) {
        code = of_pg_commit(db, err);
    }
    if (code != OF_OK || undo) {
        of_pg_rollback(db);
    }
    bool answer = it->err.code == OF_OK && (err->code == OF_E_PARSE || err->code == OF_E_REMOTE || err->code == OF_E_TOO_LARGE);
    if (code != OF_OK && answer && !err->sqlstate[0]) { /* it says nothing about what was done */
        struct of_err why = *err;
        why.cls = it->attempts < 6 ? OF_CLASS_RETRY : OF_CLASS_PERMANENT;
        it->unclear = true;
        *ret_again = false;
        return of_push_failed(it, db, &why, err);
    }
    if (code == OF_OK) {
        of_freep(&it->body);
        (void)OF_FAILPOINT("push.after_store");
        if (a.hinted || it->plan.verb != OF_VERB_UPDATE) { /* an edit leaves nothing to read, mostly */
            of_work_kick(it->pj->w, it->pj->org, it->pj->adapter);
        }
    }
    return code;
}

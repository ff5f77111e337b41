/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "worker/push_int.h"
#include "worker_sql.h"

/* Writes whose answer was lost. Of a create: is the record among those made since? */

enum { ALIKE_MAX = 16 }; /* put before a person at once */

/* Looked at before: a list moves while it is read. */
static bool is_known(const struct of_push_item *it, const char *id)
{
    size_t len = strlen(id);
    for (const char *p = it->alike; p && *p; p += strcspn(p, "\n") + 1) {
        if (strcspn(p, "\n") == len && memcmp(p, id, len) == 0) {
            return true;
        }
    }
    return false;
}

static void remember(struct of_push_item *it, const char *id)
{
    OF_CLEANUP(of_freep) char *before = it->alike;
    if (it->found++ == 0) {
        (void)of_strcopy(it->found_id, sizeof it->found_id, id);
        of_freep(&it->found_body);
        it->found_body = of_strdup(it->body);
        it->found_len = it->body_len;
        of_freep(&before);
    }
    it->alike = of_asprintf("%s%s\n", before ? before : "", id);
}

/* Linked to another of ours, it is not this one. */
static enum of_code is_anothers(struct of_push_item *it, struct of_apply *a, const char *ext, bool *ret, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, it->plan.type->name);
    of_pg_arg_text(&args, ext);
    OF_TRY(of_pg_run(a->db, &of_sql_push_link_of, &args, &res, err));
    *ret = of_pgres_rows(res) > 0 && strcmp(of_pgres_text(res, 0, 0), it->plan.link_id) != 0;
    return OF_OK;
}

static enum of_code look_through(struct of_push_item *it, struct of_apply *a, const struct of_page *page, struct of_err *err)
{
    int64_t sent_ms = 0;
    (void)of_json_i64(of_json_get(it->intent, "sent_at"), &sent_ms);
    int64_t since_us = (sent_ms + a->conn->clock_offset_ms - OF_PUSH_SLACK_MS) * 1000;
    for (size_t i = 0; i < page->n_records; i++) {
        const struct of_record *r = &page->records[i];
        bool other = false;
        if (r->type != it->plan.type || (r->has_created && r->created_at.us < since_us) ||
            !of_project_is_created_by(a->conn->adapter, r->type, it->plan.sent, r)) {
            continue;
        }
        OF_TRY(is_anothers(it, a, r->id, &other, err));
        if (!other && it->found < ALIKE_MAX && !is_known(it, r->id)) {
            remember(it, r->id);
        }
    }
    return OF_OK;
}

static enum of_code found_one(struct of_push_item *it, struct of_apply *a, struct of_err *err)
{
    struct of_page page;
    const char *parent = it->plan.parent[0] ? it->plan.parent : NULL;
    bool follow = false;
    OF_TRY(a->conn->adapter->parse(it->plan.type, a->conn->scope, it->found_body, it->found_len, true, OF_LIST_CREATED, parent, &page,
                                   err));
    enum of_code code = OF_OK;
    for (size_t i = 0; i < page.n_records && code == OF_OK; i++) {
        if (page.records[i].type == it->plan.type && strcmp(page.records[i].id, it->found_id) == 0) {
            code = of_push_created(it, a, &page, &page.records[i], &follow, err);
            break;
        }
    }
    of_page_done(&page);
    return code;
}

enum of_code of_push_ask_alike(struct of_push_item *it, struct of_apply *a, const struct of_pgarr *ids, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, it->plan.type->name);
    of_pg_arg_text(&args, it->plan.link_tag);
    of_pg_arg_text(&args, it->plan.link_id);
    of_pg_arg_array(&args, ids);
    return of_pg_run(a->db, &of_sql_push_alike, &args, NULL, err);
}

static enum of_code several(struct of_push_item *it, struct of_apply *a, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *alike = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_freep) char *ref = of_asprintf("review:%s", it->plan.link_id);
    for (const char *p = it->alike; *p; p += strcspn(p, "\n") + 1) {
        of_pgarr_mem(alike, p, strcspn(p, "\n"));
    }
    OF_TRY(of_push_ask_alike(it, a, alike, err));
    struct of_err why = OF_ERR_INIT;
    (void)of_err_set(&why, OF_E_CONFLICT, "%d records there may be the one that was made of it", it->found);
    const struct of_push_later park = {
        .state = "parked", .attempts = it->attempts, .why = &why, .waits_for = ref, .keep_intent = true};
    return of_push_later(it, a->db, &park, err);
}

enum of_code of_push_found(struct of_push_item *it, struct of_apply *a, bool *ret_again, struct of_err *err)
{
    struct of_page page;
    const char *parent = it->plan.parent[0] ? it->plan.parent : NULL;
    OF_TRY(a->conn->adapter->parse(it->plan.type, a->conn->scope, it->body, it->body_len, true, OF_LIST_CREATED, parent, &page, err));
    enum of_code code = look_through(it, a, &page, err);
    bool more = page.has_next && page.n_rows > 0;
    it->offset += (int64_t)page.n_rows;
    of_page_done(&page);
    OF_TRY(code);
    if (more) {
        *ret_again = true;
        return OF_OK;
    }
    if (it->found > 1 && it->plan.type->kind == OF_KIND_ENTITY) {
        return several(it, a, err);
    }
    if (it->found > 0) { /* an edge or a value made twice is the same edge, the same value */
        OF_TRY(found_one(it, a, err));
    }
    /* linked: what has changed here since is looked at; not there: it is made anew */
    const struct of_push_later now = {.state = "ready", .ms = 0, .attempts = it->attempts};
    return of_push_later(it, a->db, &now, err);
}

/* What both sides may change, and what is merged then. */
static bool is_update(const struct of_push_item *it)
{
    const struct of_push_plan *p = &it->plan;
    return p->verb == OF_VERB_UPDATE && p->sent && it->asks == PUSH_WRITE;
}

static enum of_code unclear(const struct of_push_item *it, struct of_pg *db, const struct of_json *sent, struct of_err *err)
{
    struct of_buf b = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    of_json_write(&b, sent);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_int8(&args, it->plan.link);
    of_pg_arg_jsonb(&args, of_buf_text(&b));
    enum of_code code = b.bad ? OF_OK : of_pg_run(db, &of_sql_push_unclear, &args, NULL, err);
    of_buf_done(&b);
    return code;
}

enum of_code of_push_unclear(const struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    return is_update(it) ? unclear(it, db, it->plan.sent, err) : OF_OK;
}

enum of_code of_push_sent_over(const struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, it->pj->org);
    of_pg_arg_int8(&args, it->plan.link);
    return of_pg_run(db, &of_sql_push_sent_over, &args, NULL, err);
}

enum of_code of_push_was_sending(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    int64_t link = 0;
    const struct of_json *sent = of_json_get(it->sending, "update");
    if (sent && of_json_i64(of_json_get(it->sending, "link"), &link) && link == it->plan.link) {
        OF_TRY(unclear(it, db, sent, err));
    }
    of_json_freep(&it->sending);
    return OF_OK;
}

enum of_code of_push_mark(struct of_push_item *it, struct of_pg *db, struct of_err *err)
{
    const struct of_push_plan *p = &it->plan;
    struct of_buf sent = OF_BUF_INIT(OF_PUSH_BODY_MAX);
    int64_t rows = 1;
    it->asks = PUSH_WRITE;
    if (!is_update(it)) {
        return OF_OK;
    }
    of_json_write(&sent, p->sent);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_push_key_args(it, &args);
    of_pg_arg_int8(&args, it->fence);
    of_pg_arg_int8(&args, p->link);
    of_pg_arg_jsonb(&args, of_buf_text(&sent));
    enum of_code code = sent.bad ? OF_OK : of_pg_run_count(db, &of_sql_push_mark, &args, &rows, err);
    of_buf_done(&sent);
    OF_TRY(code);
    return rows ? OF_OK : of_err_set(err, OF_E_LEASE, "the row is somebody else's now");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What waits for a person, and what the person says. */
#include "producer/ctl/links.h"
#include "producer/ctl/list.h"

#include "openfaithctl_sql.h"

#include <stdlib.h>
#include <string.h>

enum { N_COLUMNS = 14 }; /* candidates follow: id, score, reasons */

static const struct of_ctl_column columns[] = {
    {"REVIEW", "review", OF_CTL_CELL_NUMBER},   {"ORG", "org", OF_CTL_CELL_TEXT},        {"ADAPTER", "adapter", OF_CTL_CELL_TEXT},
    {"KIND", "kind", OF_CTL_CELL_TEXT},         {"TYPE", "type", OF_CTL_CELL_TEXT},      {"ID", "id", OF_CTL_CELL_TEXT},
    {NULL, "entityType", OF_CTL_CELL_TEXT},     {"ENTITY", "entityId", OF_CTL_CELL_TEXT}, {"FIELD", "field", OF_CTL_CELL_TEXT},
    {"SINCE", "since", OF_CTL_CELL_MOMENT},     {NULL, "detail", OF_CTL_CELL_RAW},       {NULL, "state", OF_CTL_CELL_TEXT},
    {NULL, "decidedBy", OF_CTL_CELL_TEXT},      {NULL, "decided", OF_CTL_CELL_MOMENT},   {"CANDIDATE", "", OF_CTL_CELL_TEXT},
    {"SCORE", "", OF_CTL_CELL_NUMBER},          {"BECAUSE OF", "", OF_CTL_CELL_TEXT},
};

/* Rows of one review stand together. */
static void write_json(struct of_ctl *ctl, const struct of_pgres *res)
{
    of_buf_char(&ctl->out, '[');
    for (int row = 0; row < of_pgres_rows(res);) {
        int64_t id = of_pgres_i64(res, row, 0);
        of_buf_char(&ctl->out, '{');
        for (int i = 0; i < N_COLUMNS; i++) {
            of_ctl_cell_json(&ctl->out, &columns[i], res, row, i);
        }
        of_buf_str(&ctl->out, "\"candidates\":[");
        for (; row < of_pgres_rows(res) && of_pgres_i64(res, row, 0) == id; row++) {
            if (of_pgres_is_null(res, row, N_COLUMNS)) {
                continue;
            }
            of_buf_char(&ctl->out, '{');
            of_ctl_json_text(&ctl->out, "entityId", of_pgres_text(res, row, N_COLUMNS));
            of_ctl_json_i64(&ctl->out, "score", of_pgres_i64(res, row, N_COLUMNS + 1));
            of_ctl_json_text(&ctl->out, "reasons", of_pgres_text(res, row, N_COLUMNS + 2));
            of_ctl_json_end(&ctl->out, '}');
            of_buf_char(&ctl->out, ',');
        }
        of_ctl_json_end(&ctl->out, ']');
        of_buf_str(&ctl->out, "},");
    }
    of_ctl_json_end(&ctl->out, ']');
    of_buf_char(&ctl->out, '\n');
}

static enum of_code load(struct of_ctl *ctl, const char *org, int64_t limit, const int64_t *id, struct of_pgres **ret,
                         struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, org);
    of_pg_arg_int8(&args, limit);
    if (id != NULL) {
        of_pg_arg_int8(&args, *id);
    } else {
        of_pg_arg_null(&args, OF_PG_INT8);
    }
    return of_pg_run(ctl->db, &of_sql_ctl_review, &args, ret, err);
}

enum of_code of_ctl_review_list(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    int64_t limit = 0;
    OF_TRY(of_ctl_limit(ctl, &limit, err));
    OF_TRY(load(ctl, ctl->n_words > 0 ? ctl->words[0] : NULL, limit, NULL, &res, err));
    if (ctl->json) {
        write_json(ctl, res);
    } else {
        of_ctl_list(ctl, columns, OF_ARRAY_LEN(columns), res, -1, "nothing waits for a decision");
    }
    return OF_OK;
}

static enum of_code review_id(const struct of_ctl *ctl, int64_t *ret, struct of_err *err)
{
    if (!of_parse_i64(ctl->words[0], 1, INT64_MAX, ret)) {
        return of_err_set(err, OF_E_INVALID, "REVIEW: expected a number, as review list prints it");
    }
    return OF_OK;
}

enum of_code of_ctl_review_show(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    int64_t id = 0;
    OF_TRY(review_id(ctl, &id, err));
    OF_TRY(load(ctl, NULL, 1, &id, &res, err));
    if (of_pgres_rows(res) == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "there is no review %lld", (long long)id);
    }
    if (ctl->json) {
        write_json(ctl, res);
        return OF_OK;
    }
    for (int i = 0; i < N_COLUMNS; i++) {
        char moment[OF_TIME_TEXT];
        const char *text = of_pgres_text(res, 0, i);
        if (columns[i].kind == OF_CTL_CELL_MOMENT && text[0] != '\0') {
            text = of_time_format((struct of_wall){of_pgres_i64(res, 0, i)}, moment);
        }
        if (text[0] != '\0') {
            of_ctl_say(&ctl->out, "%-11s %s", columns[i].key, text);
        }
    }
    for (int row = 0; row < of_pgres_rows(res) && !of_pgres_is_null(res, row, N_COLUMNS); row++) {
        of_ctl_say(&ctl->out, "%-11s %s, score %s: %s", "candidate", of_pgres_text(res, row, N_COLUMNS),
                   of_pgres_text(res, row, N_COLUMNS + 1), of_pgres_text(res, row, N_COLUMNS + 2));
    }
    return OF_OK;
}

/* --- decisions --- */

/* What becomes of a decision. */
enum outcome { DECIDED = 0, MOVED /* asked again, with what is there now */, OBSOLETE /* what it asked about is no longer so */ };

struct review {
    struct of_pgres *res;
    int64_t id;
    struct of_ctl_record r; /* borrowed from res */
    const char *kind, *entity_type, *entity_id, *field;
    struct of_json *detail;
    bool has_rev;
    int64_t rev;
    const char *candidates; /* comma */
    enum outcome outcome;
};

static void review_done(struct review *v)
{
    of_pgres_free(v->res);
    of_json_free(v->detail);
}

static enum of_code review_lock(struct of_ctl *ctl, struct review *v, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    OF_TRY(review_id(ctl, &v->id, err));
    of_pg_arg_int8(&args, v->id);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_review_lock, &args, &v->res, err));
    if (of_pgres_rows(v->res) == 0) {
        return of_err_set(err, OF_E_NOT_FOUND, "there is no review %lld", (long long)v->id);
    }
    if (strcmp(of_pgres_text(v->res, 0, 9), "open") != 0) {
        return of_err_set(err, OF_E_CONFLICT, "review %lld is %s already", (long long)v->id, of_pgres_text(v->res, 0, 9));
    }
    v->r = (struct of_ctl_record){of_pgres_text(v->res, 0, 0), of_pgres_text(v->res, 0, 1), of_pgres_text_null(v->res, 0, 3),
                                  of_pgres_text_null(v->res, 0, 4)};
    v->kind = of_pgres_text(v->res, 0, 2);
    v->entity_type = of_pgres_text_null(v->res, 0, 5);
    v->entity_id = of_pgres_text_null(v->res, 0, 6);
    v->field = of_pgres_text(v->res, 0, 7);
    v->detail = of_ctl_json(of_pgres_text_null(v->res, 0, 8));
    v->has_rev = !of_pgres_is_null(v->res, 0, 10);
    v->rev = of_pgres_i64(v->res, 0, 10);
    v->candidates = of_pgres_text(v->res, 0, 11);
    return OF_OK;
}

static enum of_code decide(struct of_ctl *ctl, const struct review *v, const char *state, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, v->id);
    of_pg_arg_text(&args, state);
    of_pg_arg_text(&args, of_ctl_who());
    return of_pg_run(ctl->db, &of_sql_ctl_review_decide, &args, NULL, err);
}

static enum of_code obsolete(struct of_ctl *ctl, struct review *v, struct of_err *err)
{
    v->outcome = OBSOLETE;
    return decide(ctl, v, "obsolete", err);
}

/* Shows what is there now instead of deciding; committed by the caller. */
static enum of_code moved(struct of_ctl *ctl, struct review *v, const char *detail, const struct of_ctl_link *link, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    v->outcome = MOVED;
    of_pg_arg_int8(&args, v->id);
    of_pg_arg_jsonb(&args, detail);
    if (link != NULL && link->exists) {
        of_pg_arg_int8(&args, link->rev);
    } else {
        of_pg_arg_null(&args, OF_PG_INT8);
    }
    return of_pg_run(ctl->db, &of_sql_ctl_review_moved, &args, NULL, err);
}

static bool is_candidate(const struct review *v, const char *id)
{
    size_t len = strlen(id);
    for (const char *p = v->candidates; *p != '\0'; p += p[strcspn(p, ",")] == ',' ? strcspn(p, ",") + 1 : strcspn(p, ",")) {
        if (strncmp(p, id, len) == 0 && strcspn(p, ",") == len) {
            return true;
        }
    }
    return v->entity_id != NULL && strcmp(v->entity_id, id) == 0;
}

static enum of_code set_link_state(struct of_ctl *ctl, const struct of_ctl_record *r, const char *state, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, r->org);
    of_pg_arg_text(&args, r->adapter);
    of_pg_arg_text(&args, r->type);
    of_pg_arg_text(&args, r->id);
    of_pg_arg_text(&args, state);
    return of_pg_run(ctl->db, &of_sql_ctl_link_state, &args, NULL, err);
}

static enum of_code match(struct of_ctl *ctl, struct review *v, bool yes, struct of_err *err)
{
    OF_CLEANUP(of_ctl_link_done) struct of_ctl_link link = {.exists = false};
    OF_TRY(of_ctl_link_lock(ctl, &v->r, &link, err));
    if (link.exists && v->has_rev && link.rev != v->rev) {
        return moved(ctl, v, NULL, &link, err);
    }
    if (yes) {
        const char *id = ctl->take != NULL ? ctl->take : strchr(v->candidates, ',') == NULL ? v->candidates : "";
        id = id[0] == '\0' && v->candidates[0] == '\0' && v->entity_id != NULL ? v->entity_id : id;
        if (id[0] == '\0') {
            return of_err_set(err, OF_E_INVALID, "there are several candidates: --take ENTITY_ID; see openfaithctl review show %lld",
                              (long long)v->id);
        }
        if (!is_candidate(v, id)) {
            return of_err_set(err, OF_E_INVALID, "%.60s is no candidate; openfaithctl link may do it", id);
        }
        OF_TRY(of_ctl_link_make(ctl, &v->r, id, err));
        return decide(ctl, v, "accepted", err);
    }
    OF_TRY(decide(ctl, v, "rejected", err));
    if (link.exists && strcmp(link.state, "ambiguous") == 0) {
        OF_TRY(set_link_state(ctl, &v->r, "unmatched", err));
        OF_TRY(of_ctl_hint(ctl, v->r.org, v->r.adapter, "in", v->r.type, v->r.id, "rejected", err));
    }
    if (v->entity_id != NULL && v->entity_type != NULL) { /* not what was made of ours: before the next, which forgets nothing */
        OF_CLEANUP(of_freep) char *ref = of_asprintf("review:%s", v->entity_id);
        OF_TRY(of_ctl_wake(ctl, v->r.org, v->r.adapter, ref, true, err));
    }
    for (const char *p = v->candidates; *p != '\0';) { /* what was held back while it was asked about */
        size_t len = strcspn(p, ",");
        OF_CLEANUP(of_freep) char *ref = of_asprintf("review:%.*s", (int)len, p);
        OF_TRY(of_ctl_wake(ctl, v->r.org, v->r.adapter, ref, false, err));
        p += len + (p[len] == ',');
    }
    OF_CLEANUP(of_freep) char *by = of_ctl_by_json();
    return of_ctl_note(ctl, &v->r, v->entity_type, v->entity_id, NULL, NULL, by, "review: match rejected", err);
}

/* A record that is one value of a custom field: what the person has in its place, as JSON. */
static char *our_value(const char *elements, const struct of_json *theirs)
{
    OF_CLEANUP(of_json_freep) struct of_json *ours = of_ctl_json(elements);
    const struct of_json *found = of_json_len(ours) == 1 ? of_json_get(of_json_first(ours), "value") : NULL;
    for (const struct of_json *e = of_json_first(ours); e != NULL; e = of_json_next(e)) {
        const struct of_json *value = of_json_get(e, "value");
        found = of_json_equal(value, theirs) ? value : found;
    }
    struct of_buf b = OF_BUF_INIT(65536);
    if (found != NULL) {
        of_json_write(&b, found);
    }
    char *text = of_strdup(b.len > 0 ? of_buf_text(&b) : "null");
    of_buf_done(&b);
    return text;
}

static enum of_code take(struct of_ctl *ctl, const struct review *v, const struct of_ctl_link *link, bool is_column,
                         const char *ours, bool theirs, struct of_err *err)
{
    const struct of_json *value = is_column ? NULL : of_json_get(link->seen, "value");
    OF_CLEANUP(of_freep) char *own = value != NULL ? our_value(ours, value) : NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, v->r.org);
    of_pg_arg_int8(&args, link->id);
    of_pg_arg_text(&args, v->r.adapter);
    of_pg_arg_text(&args, value != NULL ? "value" : v->field);
    of_pg_arg_bool(&args, is_column || value != NULL);
    of_pg_arg_jsonb(&args, own != NULL ? own : ours != NULL ? ours : "null");
    of_pg_arg_bool(&args, theirs);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_take, &args, NULL, err));
    return theirs ? of_ctl_hint(ctl, v->r.org, v->r.adapter, "in", v->r.type, v->r.id, "review", err)
                  : of_ctl_hint(ctl, v->r.org, v->r.adapter, "out", v->entity_type, v->entity_id, "review", err);
}

static bool same_json(const struct of_json *asked, const char *now)
{
    OF_CLEANUP(of_json_freep) struct of_json *n = of_ctl_json(now != NULL ? now : "null");
    return of_ctl_same_value(asked, n);
}

/* Notes and closes a conflict that is decided. */
static enum of_code close_conflict(struct of_ctl *ctl, const struct review *v, bool yes, bool theirs, const char *ours, const char *now,
                                   struct of_err *err)
{
    OF_CLEANUP(of_freep) char *rule = of_asprintf("review: %s by %s", !yes ? "both keep their own" : theirs ? "theirs" : "ours",
                                                  of_ctl_who());
    OF_TRY(of_ctl_note(ctl, &v->r, v->entity_type, v->entity_id, v->field, theirs ? ours : now, theirs ? now : ours, rule, err));
    return decide(ctl, v, yes ? "accepted" : "rejected", err);
}

static char *conflict_detail(const struct review *v, const char *ours, const char *theirs)
{
    const char *why = of_json_text(of_json_get(v->detail, "why"));
    return of_asprintf("{\"ours\":%s,\"theirs\":%s,\"why\":\"%s\"}", ours != NULL ? ours : "null", theirs != NULL ? theirs : "null",
                       why != NULL ? why : "ask");
}

static char *json_text(const struct of_json *n)
{
    struct of_buf b = OF_BUF_INIT(1024 * 1024);
    if (n != NULL) {
        of_json_write(&b, n);
    }
    char *text = of_strdup(b.len > 0 && !b.bad ? of_buf_text(&b) : "null");
    of_buf_done(&b);
    return text;
}

/* Group and field of "_rel.primary_campus"; of any other name no group. */
static const char *split_field(const char *field, char group[16])
{
    const char *dot = field[0] == '_' ? strchr(field, '.') : NULL;
    group[0] = '\0';
    if (dot != NULL && (size_t)(dot - field) < 16) {
        (void)of_strcopy(group, (size_t)(dot - field) + 1, field);
        return dot + 1;
    }
    return field;
}

static const struct of_type *type_of(const struct review *v)
{
    const struct of_adapter *a = of_adapter_find(v->r.adapter);
    return a != NULL && v->r.type != NULL ? of_type_find(a, v->r.type) : NULL;
}

/* About a relation, or about a record that has no entity of its own: an edge (a membership), or a value that they did not take. What
 * both sides made of a custom field is named by its key, and is a field of the person. */
static bool is_about_part(const struct review *v)
{
    const struct of_type *t = type_of(v);
    char group[16];
    (void)split_field(v->field, group);
    return group[0] != '\0' || (t != NULL && (t->kind == OF_KIND_EDGE || (t->kind == OF_KIND_VALUE && strcmp(v->field, "value") == 0)));
}

/* One relation of ours that they know, or none: what was seen can say that. */
static bool can_be_seen(const struct of_json *ours)
{
    const char *text = of_json_text(ours);
    return text == NULL || (strcmp(text, "-") != 0 && strchr(text, ',') == NULL);
}

/* What ours says of such a thing is not compared with what was asked: where it has changed since, theirs is asked about again when it
 * is read, and ours is sent as it is then. */
static enum of_code conflict_of_part(struct of_ctl *ctl, struct review *v, bool yes, bool theirs, struct of_err *err)
{
    OF_CLEANUP(of_ctl_link_done) struct of_ctl_link link = {.exists = false};
    char group[16];
    const char *field = split_field(v->field, group);
    const struct of_type *t = type_of(v);
    OF_TRY(of_ctl_link_lock(ctl, &v->r, &link, err));
    if (!link.exists || strcmp(link.state, "linked") != 0) {
        return obsolete(ctl, v, err);
    }
    const struct of_json *body = link.staged != NULL ? link.staged : link.seen;
    OF_CLEANUP(of_freep) char *now = json_text(of_json_get(group[0] != '\0' ? of_json_get(body, group) : body, field));
    OF_CLEANUP(of_freep) char *ours = json_text(of_json_get(v->detail, "ours"));
    const struct of_json *was_theirs = of_json_get(v->detail, "theirs");
    if (was_theirs != NULL && !same_json(was_theirs, now)) {
        OF_CLEANUP(of_freep) char *detail = conflict_detail(v, ours, now);
        return moved(ctl, v, detail, &link, err);
    }
    if (yes && theirs && strcmp(group, "_rel") == 0 && !can_be_seen(of_json_get(v->detail, "ours"))) {
        return of_err_set(err, OF_E_CONFLICT, "OpenFaith has several of it, or one that is not linked: put it right there, then reject");
    }
    if (yes) {
        struct of_pgargs args = OF_PGARGS_INIT;
        of_pg_arg_text(&args, v->r.org);
        of_pg_arg_int8(&args, link.id);
        of_pg_arg_text(&args, group[0] != '\0' ? group : NULL);
        of_pg_arg_text(&args, field);
        of_pg_arg_jsonb(&args, ours);
        of_pg_arg_bool(&args, theirs);
        OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_take_part, &args, NULL, err));
        bool is_edge = t != NULL && t->kind == OF_KIND_EDGE; /* values go out with their person */
        OF_TRY(theirs ? of_ctl_hint(ctl, v->r.org, v->r.adapter, "in", v->r.type, v->r.id, "review", err)
                      : of_ctl_hint(ctl, v->r.org, v->r.adapter, "out", is_edge ? v->r.type : v->entity_type, v->entity_id, "review", err));
    }
    return close_conflict(ctl, v, yes, theirs, ours, now, err);
}

static enum of_code conflict(struct of_ctl *ctl, struct review *v, bool yes, struct of_err *err)
{
    OF_CLEANUP(of_ctl_link_done) struct of_ctl_link link = {.exists = false};
    OF_CLEANUP(of_ctl_entity_done) struct of_ctl_entity e = {.model = NULL};
    bool theirs = yes && ctl->take != NULL && strcmp(ctl->take, "theirs") == 0;
    if (yes && !theirs && (ctl->take == NULL || strcmp(ctl->take, "ours") != 0)) {
        return of_err_set(err, OF_E_INVALID, "a conflict is decided with --take theirs or --take ours");
    }
    if (is_about_part(v)) {
        return conflict_of_part(ctl, v, yes, theirs, err);
    }
    enum of_code code = of_ctl_entity_load(ctl, v->r.org, v->entity_id, true, &e, err);
    if (code == OF_E_NOT_FOUND) {
        of_err_clear(err);
        return obsolete(ctl, v, err);
    }
    OF_TRY(code);
    OF_TRY(of_ctl_link_lock(ctl, &v->r, &link, err));
    if (!link.exists || strcmp(link.state, "linked") != 0) {
        return obsolete(ctl, v, err);
    }
    bool is_column = of_ctl_entity_is_column(&e, v->field);
    OF_CLEANUP(of_freep) char *ours = of_ctl_body_value(e.row, is_column, v->r.adapter, v->field);
    const struct of_json *there = link.staged != NULL ? link.staged : link.seen;
    bool is_value = !is_column && of_json_get(there, "value") != NULL; /* the record is one value, the question is about all of them */
    const struct of_json *was_ours = of_json_get(v->detail, "ours");
    const struct of_json *was_theirs = of_json_get(v->detail, "theirs");
    OF_CLEANUP(of_freep) char *now = is_value ? of_ctl_body_value(v->detail, true, NULL, "theirs")
                                              : of_ctl_body_value(there, is_column, v->r.adapter, v->field);
    if ((was_ours != NULL && !same_json(was_ours, ours)) || (was_theirs != NULL && !same_json(was_theirs, now))) {
        OF_CLEANUP(of_freep) char *detail = conflict_detail(v, ours, now);
        return moved(ctl, v, detail, &link, err);
    }
    if (yes) {
        OF_TRY(take(ctl, v, &link, is_column, ours, theirs, err));
    }
    return close_conflict(ctl, v, yes, theirs, ours, now, err);
}

/* Whether the entity is deleted here; one whose row is gone is. */
static enum of_code is_gone(struct of_ctl *ctl, const struct review *v, bool *ret, struct of_err *err)
{
    OF_CLEANUP(of_ctl_entity_done) struct of_ctl_entity e = {.model = NULL};
    enum of_code code = of_ctl_entity_load(ctl, v->r.org, v->entity_id, true, &e, err);
    if (code == OF_E_NOT_FOUND) {
        of_err_clear(err);
        *ret = true;
        return OF_OK;
    }
    *ret = e.deleted;
    return code;
}

/* Deletions and records that nobody asked to send: a row of work, or nothing. */
static enum of_code carry_out(struct of_ctl *ctl, struct review *v, bool yes, struct of_err *err)
{
    bool is_delete = strcmp(v->kind, "delete") == 0;
    OF_CLEANUP(of_freep) char *by = of_ctl_by_json();
    if (is_delete && v->r.type != NULL && v->r.id != NULL) {
        OF_CLEANUP(of_ctl_link_done) struct of_ctl_link link = {.exists = false};
        OF_TRY(of_ctl_link_lock(ctl, &v->r, &link, err));
        if (!link.exists || strcmp(link.state, "linked") != 0) {
            return obsolete(ctl, v, err);
        }
        if (v->has_rev && link.rev != v->rev) {
            return moved(ctl, v, NULL, &link, err);
        }
    }
    bool is_edge = v->entity_id != NULL && strchr(v->entity_id, '|') != NULL;
    if (!is_edge && v->entity_id != NULL) {
        bool gone = false;
        OF_TRY(is_gone(ctl, v, &gone, err));
        if (gone != is_delete) { /* it lives again, or is gone meanwhile */
            return obsolete(ctl, v, err);
        }
    }
    if (yes) {
        OF_TRY(of_ctl_hint(ctl, v->r.org, v->r.adapter, "out", is_edge ? v->r.type : v->entity_type, v->entity_id,
                           is_delete ? "delete asked" : "asked", err));
    }
    OF_CLEANUP(of_freep) char *rule = of_asprintf("review: %s %s", v->kind, yes ? "accepted" : "rejected");
    OF_TRY(of_ctl_note(ctl, &v->r, v->entity_type, v->entity_id, NULL, NULL, by, rule, err));
    return decide(ctl, v, yes ? "accepted" : "rejected", err);
}

/* So many of a type are missing there that a person is asked about all of them at once. */
static bool is_of_type(const struct review *v)
{
    return strcmp(v->kind, "delete") == 0 && v->r.type != NULL && v->entity_id == NULL && (v->r.id == NULL || v->r.id[0] == '\0');
}

static enum of_code many_missing(struct of_ctl *ctl, const struct review *v, bool yes, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, v->r.org);
    of_pg_arg_text(&args, v->r.adapter);
    of_pg_arg_text(&args, v->r.type);
    of_pg_arg_bool(&args, yes);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_missing_decided, &args, NULL, err));
    OF_CLEANUP(of_freep) char *by = of_ctl_by_json();
    OF_CLEANUP(of_freep) char *rule = of_asprintf("review: missing there, %s", yes ? "may go" : "stays");
    OF_TRY(of_ctl_note(ctl, &v->r, NULL, NULL, NULL, NULL, by, rule, err));
    return decide(ctl, v, yes ? "accepted" : "rejected", err);
}

static enum of_code settle(struct of_ctl *ctl, bool yes, enum outcome *ret, struct of_err *err)
{
    OF_CLEANUP(review_done) struct review v = {.res = NULL};
    enum of_code code = review_lock(ctl, &v, err);
    OF_TRY(code);
    if (strcmp(v.kind, "match") == 0) {
        code = match(ctl, &v, yes, err);
    } else if (strcmp(v.kind, "conflict") == 0) {
        code = conflict(ctl, &v, yes, err);
    } else if (is_of_type(&v)) {
        code = many_missing(ctl, &v, yes, err);
    } else {
        code = carry_out(ctl, &v, yes, err);
    }
    *ret = v.outcome;
    return code;
}

static enum of_code in_transaction(struct of_ctl *ctl, bool yes, struct of_err *err)
{
    enum outcome outcome = DECIDED;
    OF_TRY(of_pg_begin(ctl->db, err));
    enum of_code code = settle(ctl, yes, &outcome, err);
    code = code == OF_OK ? of_pg_commit(ctl->db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(ctl->db);
        return code;
    }
    if (outcome == MOVED) {
        return of_err_set(err, OF_E_BUSY, "what was asked about has changed meanwhile; look at it again: openfaithctl review show %.20s",
                          ctl->words[0]);
    }
    if (outcome == OBSOLETE && yes) {
        return of_err_set(err, OF_E_CONFLICT, "review %.20s is closed and nothing is done: what it asked about is no longer so",
                          ctl->words[0]);
    }
    const char *word = outcome == OBSOLETE ? "obsolete" : yes ? "accepted" : "rejected";
    if (ctl->json) {
        of_buf_fmt(&ctl->out, "{\"review\":%.20s,\"accepted\":%s,\"state\":\"%s\"}\n", ctl->words[0], yes ? "true" : "false", word);
    } else {
        of_ctl_say(&ctl->out, "review %s: %s", ctl->words[0], word);
    }
    return OF_OK;
}

enum of_code of_ctl_review_accept(struct of_ctl *ctl, struct of_err *err)
{
    return in_transaction(ctl, true, err);
}

enum of_code of_ctl_review_reject(struct of_ctl *ctl, struct of_err *err)
{
    return in_transaction(ctl, false, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who set a value, when, by which rule, and what it replaced. */
#include "producer/ctl/entity.h"
#include "producer/ctl/list.h"

#include "openfaithctl_sql.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 1024 * 1024 };
enum { AT, ADAPTER, XTYPE, XID, FIELD, OLD, NEW, RULE, RUN };

static const struct of_ctl_column history[] = {
    {"AT", "at", OF_CTL_CELL_MOMENT},     {"SYSTEM", "adapter", OF_CTL_CELL_TEXT},   {NULL, "externalType", OF_CTL_CELL_TEXT},
    {NULL, "externalId", OF_CTL_CELL_TEXT}, {"FIELD", "field", OF_CTL_CELL_TEXT},    {"OLD", "old", OF_CTL_CELL_RAW},
    {"NEW", "new", OF_CTL_CELL_RAW},      {"RULE", "rule", OF_CTL_CELL_TEXT},        {"RUN", "run", OF_CTL_CELL_NUMBER},
};

/* A decision that set the value here: not a request that was sent, not one that left ours as it was. */
static bool sets_here(const struct of_pgres *res, int row)
{
    const char *rule = of_pgres_text(res, row, RULE);
    return !of_pgres_is_null(res, row, FIELD) && strcmp(rule, "sent") != 0 && strcmp(rule, "created there") != 0 &&
           strcmp(rule, "deleted there") != 0 && strstr(rule, "ours newer") == NULL &&
           strstr(rule, "openfaith_wins") == NULL && strstr(rule, ": ask") == NULL && strncmp(rule, "frozen", 6) != 0 &&
           strncmp(rule, "review", 6) != 0;
}

static const char *or_null(const char *text)
{
    return text != NULL ? text : "null";
}

/* The last decision about a field, and whether it still says what stands here. */
static void say_field(struct of_ctl *ctl, const struct of_ctl_entity *e, const struct of_pgres *res, const char *field,
                      const struct of_pgres *links)
{
    char at[OF_TIME_TEXT];
    OF_CLEANUP(of_freep) char *now = of_ctl_entity_value(e, field);
    int last = -1;
    for (int row = 0; row < of_pgres_rows(res); row++) {
        if (sets_here(res, row) && strcmp(of_pgres_text(res, row, FIELD), field) == 0) {
            last = row;
        }
    }
    of_ctl_say(&ctl->out, "%s is %s", field, or_null(now));
    OF_CLEANUP(of_json_freep) struct of_json *a = of_ctl_json(or_null(now));
    OF_CLEANUP(of_json_freep) struct of_json *b = last >= 0 ? of_ctl_json(or_null(of_pgres_text_null(res, last, NEW))) : NULL;
    if (last >= 0 && of_ctl_same_value(a, b)) {
        of_ctl_say(&ctl->out, "  set %s by %s %s/%s, rule: %s", of_time_format((struct of_wall){of_pgres_i64(res, last, AT)}, at),
                   of_pgres_text(res, last, ADAPTER), of_pgres_text(res, last, XTYPE), of_pgres_text(res, last, XID),
                   of_pgres_text(res, last, RULE));
        of_ctl_say(&ctl->out, "  it replaced %s", or_null(of_pgres_text_null(res, last, OLD)));
        return;
    }
    const char *by = of_json_text(of_json_get(e->row, "updatedBy"));
    const char *updated = of_json_text(of_json_get(e->row, "updatedAt"));
    const char *creator = of_json_text(of_json_get(e->row, "createdBy"));
    if (last < 0 && creator != NULL && strncmp(creator, "sync:", 5) == 0 && (by == NULL || strncmp(by, "sync:", 5) == 0)) {
        bool linked = of_pgres_rows(links) > 0;
        of_ctl_say(&ctl->out, "  as it was made by %s%s%s%s%s, nothing was decided since", creator, linked ? " from " : "",
                   linked ? of_pgres_text(links, 0, 1) : "", linked ? "/" : "", linked ? of_pgres_text(links, 0, 2) : "");
        return;
    }
    of_ctl_say(&ctl->out, "  set in OpenFaith%s%s; the record was last changed %s", by != NULL ? " by " : "", by != NULL ? by : "",
               updated != NULL ? updated : "-");
    if (last >= 0) {
        of_ctl_say(&ctl->out, "  it replaced %s", or_null(of_pgres_text_null(res, last, NEW)));
    }
}

static void say_history(struct of_ctl *ctl, const struct of_pgres *res)
{
    of_ctl_say(&ctl->out, "history, oldest first:");
    for (int row = 0; row < of_pgres_rows(res); row++) {
        char at[OF_TIME_TEXT];
        OF_CLEANUP(of_freep) char *run =
            of_pgres_is_null(res, row, RUN) ? of_strdup("") : of_asprintf(", run %s", of_pgres_text(res, row, RUN));
        of_ctl_say(&ctl->out, "  %s %s %s: %s -> %s (%s%s)", of_time_format((struct of_wall){of_pgres_i64(res, row, AT)}, at),
                   of_pgres_text(res, row, ADAPTER), of_pgres_is_null(res, row, FIELD) ? "record" : of_pgres_text(res, row, FIELD),
                   or_null(of_pgres_text_null(res, row, OLD)), or_null(of_pgres_text_null(res, row, NEW)),
                   of_pgres_text(res, row, RULE), run);
    }
}

/* Every field that somebody decided about, once. */
static void say_fields(struct of_ctl *ctl, const struct of_ctl_entity *e, const struct of_pgres *res, const struct of_pgres *links)
{
    for (int row = 0; row < of_pgres_rows(res); row++) {
        const char *field = of_pgres_text(res, row, FIELD);
        bool again = of_pgres_is_null(res, row, FIELD) || !of_ctl_entity_has(e, field);
        for (int before = 0; before < row && !again; before++) {
            again = strcmp(of_pgres_text(res, before, FIELD), field) == 0;
        }
        if (!again) {
            say_field(ctl, e, res, field, links);
        }
    }
}

static void write_json(struct of_ctl *ctl, const struct of_ctl_entity *e, const char *field, const struct of_pgres *links,
                       const struct of_pgres *reviews, const struct of_pgres *res)
{
    static const struct of_ctl_column link_columns[] = {
        {NULL, "adapter", OF_CTL_CELL_TEXT}, {NULL, "type", OF_CTL_CELL_TEXT},  {NULL, "id", OF_CTL_CELL_TEXT},
        {NULL, "state", OF_CTL_CELL_TEXT},   {NULL, "run", OF_CTL_CELL_NUMBER}, {NULL, "processed", OF_CTL_CELL_MOMENT},
    };
    static const struct of_ctl_column review_columns[] = {
        {NULL, "review", OF_CTL_CELL_NUMBER}, {NULL, "adapter", OF_CTL_CELL_TEXT}, {NULL, "kind", OF_CTL_CELL_TEXT},
        {NULL, "field", OF_CTL_CELL_TEXT},    {NULL, "since", OF_CTL_CELL_MOMENT},
    };
    struct of_buf *b = &ctl->out;
    of_buf_char(b, '{');
    of_ctl_json_text(b, "org", ctl->words[0]);
    of_ctl_json_text(b, "entity", ctl->words[1]);
    of_ctl_json_text(b, "entityType", e->model->tag);
    if (field != NULL) {
        OF_CLEANUP(of_freep) char *now = of_ctl_entity_value(e, field);
        of_ctl_json_text(b, "field", field);
        of_buf_fmt(b, "\"value\":%s,", or_null(now));
    }
    of_buf_str(b, "\"links\":");
    of_ctl_list_json(ctl, link_columns, OF_ARRAY_LEN(link_columns), links);
    of_buf_str(b, ",\"reviews\":");
    of_ctl_list_json(ctl, review_columns, OF_ARRAY_LEN(review_columns), reviews);
    of_buf_str(b, ",\"history\":");
    of_ctl_list_json(ctl, history, OF_ARRAY_LEN(history), res);
    of_buf_str(b, "}\n");
}

enum of_code of_ctl_explain(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *links = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *reviews = NULL;
    OF_CLEANUP(of_ctl_entity_done) struct of_ctl_entity e = {.model = NULL};
    const char *field = ctl->n_words > 2 ? ctl->words[2] : NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    OF_TRY(of_ctl_entity_load(ctl, ctl->words[0], ctl->words[1], false, &e, err));
    of_pg_arg_text(&args, ctl->words[0]);
    of_pg_arg_text(&args, ctl->words[1]);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_explain_links, &args, &links, err));
    of_pg_arg_text(&args, field);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_explain, &args, &res, err));
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_explain_reviews, &args, &reviews, err));
    if (ctl->json) {
        write_json(ctl, &e, field, links, reviews, res);
        return OF_OK;
    }
    for (int row = 0; row < of_pgres_rows(links); row++) {
        of_ctl_say(&ctl->out, "%s is %s %s/%s (%s)", ctl->words[1], of_pgres_text(links, row, 0), of_pgres_text(links, row, 1),
                   of_pgres_text(links, row, 2), of_pgres_text(links, row, 3));
    }
    if (field != NULL) {
        say_field(ctl, &e, res, field, links);
    } else {
        say_fields(ctl, &e, res, links);
    }
    for (int row = 0; row < of_pgres_rows(reviews); row++) {
        of_ctl_say(&ctl->out, "open question %s (%s %s): openfaithctl review show %s", of_pgres_text(reviews, row, 0),
                   of_pgres_text(reviews, row, 2), of_pgres_text(reviews, row, 3), of_pgres_text(reviews, row, 0));
    }
    if (of_pgres_rows(res) > 0) {
        say_history(ctl, res);
    }
    return OF_OK;
}

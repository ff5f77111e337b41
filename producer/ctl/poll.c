/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/connection.h"

#include "openfaithctl_sql.h"

#include <string.h>

/* poll and reconcile: asked for now, owed until done. set --poll: how often. */

#define PERIOD_MAX (7 * 86400)

/* The type of --type in the connection's scope; NULL if none was given. */
static enum of_code read_type(const struct of_ctl *ctl, const struct of_ctl_connection *c, const struct of_type **ret, struct of_err *err)
{
    of_scope scope = 0;
    OF_CLEANUP(of_freep) char *ignored = NULL;
    *ret = NULL;
    if (ctl->type == NULL) {
        return OF_OK;
    }
    const struct of_type *t = of_type_find(c->adapter, ctl->type);
    OF_TRY(of_scope_parse(c->adapter, c->types, &scope, &ignored, err));
    if (t == NULL || !of_scope_has(scope, of_type_index(c->adapter, t))) {
        return of_err_set(err, OF_E_INVALID, "--type: no such type in the connection's scope; see openfaithctl status %.80s", c->org);
    }
    *ret = t;
    return OF_OK;
}

enum of_code of_ctl_poll_period(struct of_ctl *ctl, const struct of_ctl_connection *c, struct of_err *err)
{
    const struct of_type *type = NULL;
    int64_t seconds = 0;
    if (ctl->poll == NULL) {
        return ctl->type == NULL ? OF_OK : of_err_set(err, OF_E_INVALID, "--type belongs to --poll");
    }
    OF_TRY(read_type(ctl, c, &type, err));
    bool none = type != NULL && strcmp(ctl->poll, "default") == 0;
    if (!none && !of_parse_i64(ctl->poll, 1, PERIOD_MAX, &seconds)) {
        return of_err_set(err, OF_E_INVALID, "--poll: expected seconds, 1 to %d%s", PERIOD_MAX,
                          type != NULL ? ", or default" : "");
    }
    OF_CLEANUP(of_freep) char *kind = type != NULL ? of_asprintf("poll:%s", type->name) : of_strdup("poll");
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->org);
    of_pg_arg_text(&args, c->adapter->name);
    of_pg_arg_int8(&args, c->generation);
    of_pg_arg_text(&args, kind);
    of_pg_arg_int8(&args, seconds);
    return of_pg_run(ctl->db, &of_sql_ctl_poll_period, &args, NULL, err);
}

static enum of_code ask_in(struct of_ctl *ctl, struct of_ctl_connection *c, const char *what, struct of_err *err)
{
    const struct of_type *type = NULL;
    OF_TRY(of_ctl_connection_need(ctl, c, false, err));
    OF_TRY(read_type(ctl, c, &type, err));
    if (!c->finished) {
        return of_err_set(err, OF_E_CONFLICT, "the first sync is not finished yet; see openfaithctl watch %.80s %s", c->org,
                          c->adapter->name);
    }
    OF_CLEANUP(of_freep) char *kind = type != NULL ? of_asprintf("ask:%s:%s", what, type->name) : of_strdup(what);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->org);
    of_pg_arg_text(&args, c->adapter->name);
    of_pg_arg_int8(&args, c->generation);
    of_pg_arg_text(&args, kind);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_ask, &args, NULL, err));
    bool waits = strcmp(c->state, "connected") != 0;
    const char *words = waits ? "asked for; it waits, since the connection is stopped (see status)" : "asked for; settle waits for it";
    if (ctl->json) {
        of_buf_char(&ctl->out, '{');
        of_ctl_json_text(&ctl->out, "org", c->org);
        of_ctl_json_text(&ctl->out, "adapter", c->adapter->name);
        of_ctl_json_text(&ctl->out, "asked", what);
        of_ctl_json_text(&ctl->out, "type", type != NULL ? type->name : NULL);
        of_ctl_json_text(&ctl->out, "message", words);
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, '\n');
    } else {
        of_ctl_say(&ctl->out, "%s %s: %s%s%s %s", c->org, c->adapter->name, what, type != NULL ? " of " : "",
                   type != NULL ? type->name : "", words);
    }
    return of_pg_commit(ctl->db, err);
}

static enum of_code ask(struct of_ctl *ctl, const char *what, struct of_err *err)
{
    OF_CLEANUP(of_ctl_connection_done) struct of_ctl_connection c = {.org = NULL};
    OF_TRY(of_ctl_connection_name(ctl, &c, err));
    OF_TRY(of_pg_begin(ctl->db, err));
    enum of_code code = ask_in(ctl, &c, what, err);
    if (code != OF_OK) {
        of_pg_rollback(ctl->db);
        of_buf_clear(&ctl->out); /* what was to be said has not happened */
    }
    return code;
}

enum of_code of_ctl_poll(struct of_ctl *ctl, struct of_err *err)
{
    return ask(ctl, "poll", err);
}

enum of_code of_ctl_reconcile(struct of_ctl *ctl, struct of_err *err)
{
    return ask(ctl, "reconcile", err);
}

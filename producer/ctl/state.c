/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/connection.h"

#include "common/token/token.h"

#include <string.h>

/* {"org":...,"adapter":...,"state":...,"run":...} or a sentence. */
static void print_done(struct of_ctl *ctl, const struct of_ctl_connection *c, const char *state, int64_t run, const char *words)
{
    if (ctl->json) {
        of_buf_char(&ctl->out, '{');
        of_ctl_json_text(&ctl->out, "org", c->org);
        of_ctl_json_text(&ctl->out, "adapter", c->adapter->name);
        of_ctl_json_text(&ctl->out, "state", state);
        if (run != 0) {
            of_ctl_json_i64(&ctl->out, "run", run);
        }
        of_ctl_json_text(&ctl->out, "message", words);
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, '\n');
    } else {
        of_ctl_say(&ctl->out, "%s %s: %s", c->org, c->adapter->name, words);
    }
}

typedef enum of_code in_transaction_fn(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err);

/* Names the connection, runs fn in a transaction, commits. */
static enum of_code with_connection(struct of_ctl *ctl, in_transaction_fn *fn, struct of_err *err)
{
    OF_CLEANUP(of_ctl_connection_done) struct of_ctl_connection c = {.org = NULL};
    OF_TRY(of_ctl_connection_name(ctl, &c, err));
    OF_TRY(of_pg_begin(ctl->db, err));
    enum of_code code = fn(ctl, &c, err);
    if (code == OF_OK) {
        code = of_pg_commit(ctl->db, err);
    } else {
        of_pg_rollback(ctl->db);
    }
    if (code != OF_OK) {
        of_buf_clear(&ctl->out); /* what was to be said has not happened */
    }
    return code;
}

static enum of_code pause_in(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err)
{
    OF_TRY(of_ctl_connection_need(ctl, c, false, err));
    if (strcmp(c->state, "paused") == 0) {
        print_done(ctl, c, "paused", 0, "is paused already");
        return OF_OK;
    }
    if (strcmp(c->state, "reconnect") == 0) {
        return of_err_set(err, OF_E_CONFLICT, "needs a reconnect, nothing goes on anyway; see openfaithctl connect --help");
    }
    OF_TRY(of_ctl_connection_state(ctl, c, "paused", false, err));
    print_done(ctl, c, "paused", 0, "paused; openfaithctl resume lets it go on");
    return OF_OK;
}

static enum of_code resume_in(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err)
{
    OF_TRY(of_ctl_connection_need(ctl, c, false, err));
    if (strcmp(c->state, "reconnect") == 0) {
        return of_err_set(err, OF_E_CONFLICT, "needs new credentials: openfaithctl connect %.80s %s --credentials FILE", c->org,
                          c->adapter->name);
    }
    bool runs = strcmp(c->state, "connected") == 0;
    if (!runs) {
        OF_TRY(of_ctl_connection_state(ctl, c, "connected", false, err));
        OF_TRY(of_ctl_phases_wake(ctl, c, err));
    }
    print_done(ctl, c, "connected", 0, runs ? "was not stopped" : "goes on");
    return OF_OK;
}

static enum of_code disconnect_in(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err)
{
    OF_TRY(of_ctl_connection_need(ctl, c, true, err));
    if (strcmp(c->state, "disconnected") == 0) {
        print_done(ctl, c, "disconnected", 0, "is disconnected already");
        return OF_OK;
    }
    OF_TRY(of_ctl_connection_state(ctl, c, "disconnected", true, err));
    OF_TRY(of_ctl_run_cancel(ctl, c, err));
    OF_TRY(of_ctl_schedule_drop(ctl, c, err));
    OF_TRY(of_token_delete(ctl->db, c->org, c->adapter->name, err));
    print_done(ctl, c, "disconnected", 0, "disconnected, its credentials are deleted; its records stay");
    return OF_OK;
}

static enum of_code sync_in(struct of_ctl *ctl, struct of_ctl_connection *c, struct of_err *err)
{
    int64_t run = 0;
    of_scope scope = 0;
    OF_CLEANUP(of_freep) char *ignored = NULL;
    OF_TRY(of_ctl_connection_need(ctl, c, false, err));
    OF_TRY(of_ctl_run_running(ctl, c, &run, err));
    if (run != 0 && !ctl->restart) {
        print_done(ctl, c, c->state, run, "a sync runs already; --restart begins it anew");
        return OF_OK;
    }
    OF_TRY(of_scope_parse(c->adapter, c->types, &scope, &ignored, err));
    OF_TRY(of_ctl_run_cancel(ctl, c, err));
    /* the first sync that is begun anew shows its words from the beginning; a later one stays "Active" */
    OF_TRY(of_ctl_status_put(ctl, c, scope, !c->finished, err));
    OF_TRY(of_ctl_run_start(ctl, c, c->finished ? "resync" : "initial", scope, &run, err));
    bool waits = strcmp(c->state, "connected") != 0;
    print_done(ctl, c, c->state, run,
               waits ? "sync started; it waits, since the connection is stopped (see status)" : "sync started");
    return OF_OK;
}

enum of_code of_ctl_pause(struct of_ctl *ctl, struct of_err *err)
{
    return with_connection(ctl, pause_in, err);
}

enum of_code of_ctl_resume(struct of_ctl *ctl, struct of_err *err)
{
    return with_connection(ctl, resume_in, err);
}

enum of_code of_ctl_disconnect(struct of_ctl *ctl, struct of_err *err)
{
    return with_connection(ctl, disconnect_in, err);
}

enum of_code of_ctl_sync(struct of_ctl *ctl, struct of_err *err)
{
    return with_connection(ctl, sync_in, err);
}

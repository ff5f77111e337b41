/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/connection.h"

#include "common/json/json.h"
#include "common/token/token.h"

#include "openfaithctl_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREDENTIALS_MAX 65536

OF_DEFINE_CLEANUP(struct of_keyring, of_keyring_free, keyring_freep)
OF_DEFINE_CLEANUP(char, of_secret_free, secret_freep)

/* What the command line asks for, checked. */
struct request {
    bool has_scope;
    of_scope scope;
    char *added; /* owned: what --types brought with it */
    char *credentials; /* owned secret, NULL: not given */
    char *budget_key;  /* owned */
    bool has_rate;
    int64_t rate_n, rate_s;
    char *base_url; /* owned; "" : the system's own; NULL: not given */
    char *strategy; /* owned; of the connection; NULL: not given */
    char *fields;   /* owned; "Person.firstName=ask,"; NULL: none */
    int delete_there, push_first_link; /* -1: not given */
};

static void request_done(struct request *r)
{
    free(r->added);
    of_secret_free(r->credentials);
    free(r->budget_key);
    free(r->base_url);
    free(r->strategy);
    free(r->fields);
}

static enum of_code read_file(const char *path, char **ret, size_t *ret_len, struct of_err *err)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (f == NULL) {
        return of_err_set(err, OF_E_INVALID, "credentials file: cannot be opened");
    }
    char *text = of_calloc(1, CREDENTIALS_MAX + 2);
    size_t len = fread(text, 1, CREDENTIALS_MAX + 1, f);
    bool bad = ferror(f) != 0;
    if (f != stdin) {
        fclose(f);
    }
    if (bad || len > CREDENTIALS_MAX || strlen(text) != len) {
        of_secret_free(text);
        return of_err_set(err, OF_E_INVALID, "credentials file: cannot be read, or is no JSON of at most 64 KiB");
    }
    *ret = text;
    *ret_len = len;
    return OF_OK;
}

static enum of_code read_credentials(const char *path, const struct of_adapter *adapter, struct request *r, struct of_err *err)
{
    OF_CLEANUP(secret_freep) char *text = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *root = NULL;
    size_t len = 0;
    OF_TRY(read_file(path, &text, &len, err));
    if (of_json_parse(text, len, CREDENTIALS_MAX, &root, err) != OF_OK ||
        adapter->check_credentials(root, err) != OF_OK) {
        err->code = OF_E_INVALID;
        return of_err_wrap(err, "credentials file");
    }
    struct of_buf key = OF_BUF_INIT(1024), json = OF_BUF_INIT(CREDENTIALS_MAX);
    adapter->budget_key(root, &key);
    of_json_write(&json, root);
    r->budget_key = of_strdup(of_buf_text(&key));
    of_buf_done(&key);
    return of_buf_take(&json, &r->credentials, &len, err);
}

static enum of_code one_of(const char *option, const char *value, const char *const *allowed, struct of_err *err)
{
    struct of_buf names = OF_BUF_INIT(200);
    for (size_t i = 0; allowed[i] != NULL; i++) {
        if (strcmp(allowed[i], value) == 0) {
            of_buf_done(&names);
            return OF_OK;
        }
        of_buf_fmt(&names, "%s%s", i > 0 ? ", " : "", allowed[i]);
    }
    of_err_set(err, OF_E_INVALID, "%s: expected one of %s", option, of_buf_text(&names));
    of_buf_done(&names);
    return OF_E_INVALID;
}

static enum of_code read_rate(const char *text, struct request *r, struct of_err *err)
{
    r->has_rate = true;
    r->rate_n = 0;
    r->rate_s = -1;
    if (strcmp(text, "off") == 0) {
        return OF_OK;
    }
    if (strcmp(text, "default") == 0) {
        r->rate_n = -1;
        return OF_OK;
    }
    const char *slash = strchr(text, '/');
    OF_CLEANUP(of_freep) char *n = slash != NULL ? of_strndup(text, (size_t)(slash - text)) : NULL;
    if (n == NULL || !of_parse_i64(n, 1, 1000000, &r->rate_n) || !of_parse_i64(slash + 1, 1, 86400, &r->rate_s)) {
        return of_err_set(err, OF_E_INVALID, "--rate: expected N/SECONDS, default or off");
    }
    return OF_OK;
}

/* scheme://host[:port], nothing behind it, nobody's password in it. */
static enum of_code read_base_url(const char *text, struct request *r, struct of_err *err)
{
    if (strcmp(text, "default") == 0) {
        r->base_url = of_strdup("");
        return OF_OK;
    }
    size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
    size_t host = strcspn(text + scheme, "/?#@\\");
    bool bad = scheme == 0 || host == 0 || host > 255 || text[scheme] == ':' ||
               (strcmp(text + scheme + host, "") != 0 && strcmp(text + scheme + host, "/") != 0);
    for (const char *p = text; *p != '\0'; p++) {
        bad = bad || (unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f;
    }
    if (bad) {
        return of_err_set(err, OF_E_INVALID, "--base-url: expected http(s)://host[:port]");
    }
    r->base_url = of_strndup(text, scheme + host);
    return OF_OK;
}

static bool has_field(const struct of_adapter *a, const struct of_type *t, const char *field)
{
    for (const struct of_field *f = t->fields; f != NULL && f->attr != NULL; f++) {
        OF_CLEANUP(of_freep) char *custom = of_asprintf("%s_%s", a->name, f->attr);
        if (strcmp(f->column != NULL ? f->column : custom, field) == 0) {
            return true;
        }
    }
    for (const struct of_relation *rel = t->relations; rel != NULL && rel->key != NULL; rel++) {
        OF_CLEANUP(of_freep) char *custom = of_asprintf("%s_%s", a->name, rel->key);
        if (strcmp(rel->key, field) == 0 || (rel->kind == OF_REL_VALUE && strcmp(custom, field) == 0)) {
            return true;
        }
    }
    return t->kind == OF_KIND_VALUE; /* its fields are the church's own */
}

/* One of "ask", "Person.firstName=ask", "Person.firstName=default". */
static enum of_code read_strategy(const char *one, const struct of_adapter *a, struct request *r, struct of_err *err)
{
    static const char *const strategies[] = {"last_write_wins", "field_merge", "chms_wins", "openfaith_wins", "ask", NULL};
    static const char *const of_fields[] = {"last_write_wins", "field_merge", "chms_wins", "openfaith_wins", "ask", "default", NULL};
    const char *equals = strchr(one, '=');
    const char *dot = strchr(one, '.');
    if (equals == NULL) {
        OF_TRY(one_of("--strategy", one, strategies, err));
        free(r->strategy);
        r->strategy = of_strdup(one);
        return OF_OK;
    }
    OF_TRY(one_of("--strategy", equals + 1, of_fields, err));
    OF_CLEANUP(of_freep) char *type = of_strndup(one, (size_t)((dot != NULL && dot < equals ? dot : equals) - one));
    OF_CLEANUP(of_freep) char *field = dot != NULL && dot < equals ? of_strndup(dot + 1, (size_t)(equals - dot - 1)) : NULL;
    const struct of_type *t = of_type_find(a, type);
    if (field == NULL || t == NULL || !has_field(a, t, field)) {
        return of_err_set(err, OF_E_INVALID, "--strategy: %.60s is no TYPE.FIELD of %s", one, a->name);
    }
    OF_CLEANUP(of_freep) char *before = r->fields;
    r->fields = of_asprintf("%s%s,", before != NULL ? before : "", one);
    return OF_OK;
}

static enum of_code read_strategies(const char *text, const struct of_adapter *a, struct request *r, struct of_err *err)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        OF_CLEANUP(of_freep) char *one = of_strndup(text, len);
        OF_TRY(read_strategy(one, a, r, err));
        text += len + (text[len] == ',');
    }
    return OF_OK;
}

static enum of_code read_switch(const char *option, const char *text, int *ret, struct of_err *err)
{
    static const char *const words[] = {"on", "off", NULL};
    if (text != NULL) {
        OF_TRY(one_of(option, text, words, err));
        *ret = strcmp(text, "on") == 0;
    }
    return OF_OK;
}

static enum of_code read_request(const struct of_ctl *ctl, const struct of_adapter *adapter, struct request *r, struct of_err *err)
{
    static const char *const modes[] = {"bidirectional", "openfaith", "chms", NULL};
    if (ctl->mode != NULL) {
        OF_TRY(one_of("--mode", ctl->mode, modes, err));
    }
    if (ctl->strategy != NULL) {
        OF_TRY(read_strategies(ctl->strategy, adapter, r, err));
    }
    OF_TRY(read_switch("--delete-there", ctl->delete_there, &r->delete_there, err));
    OF_TRY(read_switch("--push-first-link", ctl->push_first_link, &r->push_first_link, err));
    if (ctl->rate != NULL) {
        OF_TRY(read_rate(ctl->rate, r, err));
    }
    if (ctl->base_url != NULL) {
        OF_TRY(read_base_url(ctl->base_url, r, err));
    }
    if (ctl->types != NULL) {
        r->has_scope = true;
        OF_TRY(of_scope_parse(adapter, ctl->types, &r->scope, &r->added, err));
    }
    if (ctl->credentials != NULL) {
        OF_TRY(read_credentials(ctl->credentials, adapter, r, err));
    }
    return OF_OK;
}

static void set_text(char **place, const char *value)
{
    free(*place);
    *place = of_strdup_null(value);
}

/* {"Person.firstName":"ask"} with what was asked for over it. */
static void merge_fields(struct of_ctl_connection *c, const struct request *r)
{
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_json_freep) struct of_json *old = NULL;
    struct of_buf b = OF_BUF_INIT(65536);
    if (of_json_parse(c->field_strategies, strlen(c->field_strategies), 65536, &old, &err) != OF_OK) {
        old = NULL;
    }
    of_buf_char(&b, '{');
    for (const struct of_json *n = of_json_first(old); n != NULL; n = of_json_next(n)) {
        OF_CLEANUP(of_freep) char *key = of_asprintf("%s=", of_json_key(n));
        if (strstr(r->fields, key) == NULL) {
            of_ctl_json_text(&b, of_json_key(n), of_json_text(n));
        }
    }
    for (const char *p = r->fields; *p != '\0'; p += strcspn(p, ",") + 1) {
        size_t key = strcspn(p, "=");
        OF_CLEANUP(of_freep) char *name = of_strndup(p, key);
        OF_CLEANUP(of_freep) char *value = of_strndup(p + key + 1, strcspn(p, ",") - key - 1);
        if (strcmp(value, "default") != 0) {
            of_ctl_json_text(&b, name, value);
        }
    }
    of_ctl_json_end(&b, '}');
    set_text(&c->field_strategies, of_buf_text(&b));
    of_buf_done(&b);
}

/* Puts what was asked for over what was there. */
static void merge(struct of_ctl_connection *c, const struct of_ctl *ctl, const struct request *r, of_scope scope)
{
    if (ctl->mode != NULL) {
        set_text(&c->mode, ctl->mode);
    }
    if (r->strategy != NULL) {
        set_text(&c->strategy, r->strategy);
    }
    if (r->fields != NULL) {
        merge_fields(c, r);
    }
    c->delete_there = r->delete_there >= 0 ? r->delete_there : c->delete_there;
    c->push_first_link = r->push_first_link >= 0 ? r->push_first_link : c->push_first_link;
    if (r->base_url != NULL) {
        set_text(&c->base_url, r->base_url[0] != '\0' ? r->base_url : NULL);
    }
    if (r->has_rate) {
        c->rate_n = r->rate_n;
        c->rate_s = r->rate_s;
    }
    free(c->types);
    c->types = of_ctl_scope_names(c->adapter, scope, ",");
}

static enum of_code check_budget(struct of_ctl *ctl, const struct of_ctl_connection *c, const struct request *r, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, c->adapter->name);
    of_pg_arg_text(&args, r->budget_key);
    of_pg_arg_text(&args, c->org);
    OF_TRY(of_pg_run(ctl->db, &of_sql_ctl_budget_owner, &args, &res, err));
    if (of_pgres_rows(res) > 0) {
        return of_err_set(err, OF_E_CONFLICT, "these credentials are in use by organization %.80s: %s counts the requests of both "
                          "together; make credentials of its own", of_pgres_text(res, 0, 0), c->adapter->product);
    }
    return OF_OK;
}

/* What changed, for the words at the end. */
struct outcome {
    bool fresh;      /* a first connect, or one after a disconnect */
    bool reconnected;
    int64_t run;     /* 0: none was started */
    of_scope scope;
};

/* Types to which the connection grows beyond what it had. */
static bool grows(const struct of_ctl_connection *c, of_scope scope, struct of_err *err)
{
    of_scope had = 0;
    OF_CLEANUP(of_freep) char *added = NULL;
    if (c->types == NULL || c->types[0] == '\0' || of_scope_parse(c->adapter, c->types, &had, &added, err) != OF_OK) {
        of_err_clear(err);
        return true;
    }
    return (scope & ~had) != 0;
}

/* Credentials, settings, types, run: inside the transaction, the row is held. */
static enum of_code apply(struct of_ctl *ctl, struct of_ctl_connection *c, const struct request *r, const struct of_keyring *ring,
                          struct outcome *out, struct of_err *err)
{
    of_scope had = of_scope_all(c->adapter);
    OF_CLEANUP(of_freep) char *ignored = NULL;
    out->fresh = strcmp(c->state, "disconnected") == 0;
    if (c->exists && !r->has_scope && c->types[0] != '\0') {
        OF_TRY(of_scope_parse(c->adapter, c->types, &had, &ignored, err));
    }
    out->scope = r->has_scope ? r->scope : had;
    bool more = !out->fresh && grows(c, out->scope, err);
    merge(c, ctl, r, out->scope);
    if (r->credentials != NULL) {
        OF_TRY(check_budget(ctl, c, r, err));
        OF_TRY(of_token_put(ctl->db, ring, c->org, c->adapter->name, r->credentials, err));
        out->reconnected = !out->fresh && strcmp(c->state, "connected") != 0;
        set_text(&c->state, "connected");
    }
    OF_TRY(of_ctl_connection_put(ctl, c, r->budget_key, err));
    int64_t running = 0;
    OF_TRY(of_ctl_run_running(ctl, c, &running, err));
    if (out->fresh || more) {
        /* a type that comes with the pages of another one needs those pages read again: begin anew rather than half-way */
        OF_TRY(of_ctl_run_cancel(ctl, c, err));
        OF_TRY(of_ctl_status_put(ctl, c, out->scope, out->fresh || !c->finished, err));
        return of_ctl_run_start(ctl, c, out->fresh || !c->finished ? "initial" : "resync", out->scope, &out->run, err);
    }
    OF_TRY(of_ctl_status_put(ctl, c, out->scope, false, err));
    if (running != 0) {
        OF_TRY(of_ctl_phases_leave(ctl, c, out->scope, err));
        OF_TRY(of_ctl_phases_wake(ctl, c, err));
    }
    return OF_OK;
}

static void print_outcome(struct of_ctl *ctl, const struct of_ctl_connection *c, const struct request *r, const struct outcome *o)
{
    const char *added = r->added != NULL ? r->added : "";
    OF_CLEANUP(of_freep) char *types = of_ctl_scope_names(c->adapter, o->scope, ", ");
    if (ctl->json) {
        of_buf_char(&ctl->out, '{');
        of_ctl_json_text(&ctl->out, "org", c->org);
        of_ctl_json_text(&ctl->out, "adapter", c->adapter->name);
        of_ctl_json_text(&ctl->out, "mode", c->mode);
        of_ctl_json_text(&ctl->out, "strategy", c->strategy);
        of_buf_fmt(&ctl->out, "\"fieldStrategies\":%s,", c->field_strategies);
        of_ctl_json_bool(&ctl->out, "deleteThere", c->delete_there);
        of_ctl_json_bool(&ctl->out, "pushFirstLink", c->push_first_link);
        of_ctl_json_text(&ctl->out, "types", types);
        of_ctl_json_text(&ctl->out, "added", added);
        of_ctl_json_i64(&ctl->out, "generation", c->generation);
        of_ctl_json_bool(&ctl->out, "reconnected", o->reconnected);
        if (o->run != 0) {
            of_ctl_json_i64(&ctl->out, "run", o->run);
        }
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, '\n');
        return;
    }
    of_ctl_say(&ctl->out, "%s %s %s (%s), mode %s, conflicts: %s", c->org, o->fresh ? "is connected to" : "now has",
               c->adapter->product, c->adapter->name, c->mode, c->strategy);
    if (strcmp(c->field_strategies, "{}") != 0) {
        of_ctl_say(&ctl->out, "conflicts of single fields: %s", c->field_strategies);
    }
    if (c->delete_there || c->push_first_link) {
        of_ctl_say(&ctl->out, "%s%s%s", c->delete_there ? "deletions are carried out there" : "",
                   c->delete_there && c->push_first_link ? "; " : "",
                   c->push_first_link ? "what a first link keeps as OpenFaith's is sent" : "");
    }
    of_ctl_say(&ctl->out, "types: %s", types);
    if (added[0] != '\0') {
        of_ctl_say(&ctl->out, "added, since others depend on them: %s", added);
    }
    if (o->reconnected) {
        of_ctl_say(&ctl->out, "reconnected: everything that waited goes on");
    }
    if (o->run != 0) {
        of_ctl_say(&ctl->out, "sync started (run %lld); follow it with: openfaithctl watch %s %s", (long long)o->run, c->org,
                   c->adapter->name);
    }
}

static enum of_code in_transaction(struct of_ctl *ctl, struct of_ctl_connection *c, const struct request *r,
                                   const struct of_keyring *ring, bool creating, struct outcome *out, struct of_err *err)
{
    OF_TRY(creating ? of_ctl_connection_lock(ctl, c, err) : of_ctl_connection_need(ctl, c, false, err));
    if (c->mode == NULL && ctl->mode == NULL) {
        return of_err_set(err, OF_E_INVALID, "a new connection needs --mode");
    }
    OF_TRY(apply(ctl, c, r, ring, out, err));
    OF_TRY(of_ctl_poll_period(ctl, c, err));
    return of_pg_commit(ctl->db, err);
}

static enum of_code change(struct of_ctl *ctl, bool creating, struct of_err *err)
{
    OF_CLEANUP(of_ctl_connection_done) struct of_ctl_connection c = {.org = NULL};
    OF_CLEANUP(request_done) struct request r = {.has_scope = false, .delete_there = -1, .push_first_link = -1};
    OF_CLEANUP(keyring_freep) struct of_keyring *ring = NULL;
    struct outcome out = {.fresh = false};
    OF_TRY(of_ctl_connection_name(ctl, &c, err));
    OF_TRY(read_request(ctl, c.adapter, &r, err));
    if (creating && r.credentials == NULL) {
        return of_err_set(err, OF_E_INVALID, "connect needs --credentials");
    }
    if (r.credentials != NULL) {
        OF_TRY(of_keyring_load(ctl->conf->keyring_file, &ring, err));
    }
    OF_TRY(of_pg_begin(ctl->db, err));
    enum of_code code = in_transaction(ctl, &c, &r, ring, creating, &out, err);
    if (code != OF_OK) {
        of_pg_rollback(ctl->db);
        if (strcmp(err->sqlstate, "23505") == 0) {
            return of_err_set(err, OF_E_BUSY, "somebody changes this connection or its credentials right now, try again");
        }
        return code;
    }
    print_outcome(ctl, &c, &r, &out);
    return OF_OK;
}

enum of_code of_ctl_connect(struct of_ctl *ctl, struct of_err *err)
{
    return change(ctl, true, err);
}

enum of_code of_ctl_set(struct of_ctl *ctl, struct of_err *err)
{
    if (ctl->mode == NULL && ctl->strategy == NULL && ctl->types == NULL && ctl->rate == NULL && ctl->credentials == NULL &&
        ctl->base_url == NULL && ctl->poll == NULL && ctl->type == NULL && ctl->delete_there == NULL &&
        ctl->push_first_link == NULL) {
        return of_err_set(err, OF_E_INVALID, "set: nothing to change; see openfaithctl set --help");
    }
    return change(ctl, false, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials. Access tokens are access-<org>-<generation>, refresh tokens likewise; both end
 * with the mark. A refresh makes a new generation; the refresh token that was used dies when
 * the new access token is first used. */
#include "church.h"

#include "params.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct sim_token *add_token(struct sim_church *c, int parent)
{
    struct sim_token *t;

    c->tokens =
        sim_realloc(c->tokens, (size_t)(c->token_count + 1) * sizeof *c->tokens);
    t = &c->tokens[c->token_count++];
    *t = (struct sim_token){.parent = parent,
                            .expires_us = sim_mono_us() + c->token_life_s * 1000000};
    return t;
}

void sim_auth_init(struct sim_church *church)
{
    (void)add_token(church, -1);
}

/* Reads <prefix><number>[-<number>]<mark>. */
static bool parse_name(const char *text, const char *prefix, bool marked, int64_t *ret_org,
                       int64_t *ret_generation)
{
    size_t n = strlen(prefix), mark = marked ? strlen(sim_settings.mark) : 0, len = strlen(text);
    char number[64], *dash;

    if (strncmp(text, prefix, n) != 0 || len < n + mark || len - n - mark >= sizeof number ||
        (marked && strcmp(text + len - mark, sim_settings.mark) != 0)) {
        return false;
    }
    memcpy(number, text + n, len - n - mark);
    number[len - n - mark] = '\0';
    dash = strchr(number, '-');
    if ((dash != NULL) != (ret_generation != NULL)) {
        return false;
    }
    if (dash) {
        *dash = '\0';
        if (!sim_parse_i64(dash + 1, ret_generation)) {
            return false;
        }
    }
    return sim_parse_i64(number, ret_org);
}

static int base64_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

static void base64_decode(const char *s, char *out, size_t size)
{
    unsigned acc = 0;
    int bits = 0;
    size_t n = 0;

    for (; base64_value(*s) >= 0 && n + 1 < size; s++) {
        acc = acc << 6 | (unsigned)base64_value(*s);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(acc >> bits & 0xff);
        }
    }
    out[n] = '\0';
}

static void check_pat(const char *encoded, struct sim_arrival *a)
{
    char text[512], *secret;
    int64_t org, other;

    base64_decode(encoded, text, sizeof text);
    secret = strchr(text, ':');
    a->hint = "CHINCHILLA";
    if (!secret) {
        return;
    }
    *secret++ = '\0';
    if (!parse_name(text, "app-", false, &org, NULL) ||
        !parse_name(secret, "secret-", true, &other, NULL) || org != other ||
        !sim_church_get(org)) {
        return;
    }
    a->church = sim_church_get(org);
    a->cred = SIM_CRED_PAT;
    a->hint = a->church->pat_revoked ? "CAPUCHIN" : NULL;
}

static void check_bearer(const char *text, int64_t now_us, struct sim_arrival *a)
{
    int64_t org, generation;
    struct sim_church *c;
    struct sim_token *t;

    a->hint = "CAPUCHIN";
    if (!parse_name(text, "access-", true, &org, &generation)) {
        return;
    }
    c = sim_church_get(org);
    if (!c || generation < 0 || generation >= c->token_count) {
        return;
    }
    t = &c->tokens[generation];
    a->church = c;
    a->cred = SIM_CRED_OAUTH;
    a->generation = (int)generation;
    if (t->revoked) {
        return;
    }
    if (t->access_dead || now_us >= t->expires_us) {
        a->hint = "BABOON";
        return;
    }
    a->hint = NULL;
    t->used = true;
    if (t->parent >= 0) {
        c->tokens[t->parent].refresh_dead = true;
    }
}

void sim_auth_check(const char *authorization, int64_t now_us, struct sim_arrival *ret)
{
    if (authorization && !strncasecmp(authorization, "Basic ", 6)) {
        check_pat(authorization + 6, ret);
    } else if (authorization && !strncasecmp(authorization, "Bearer ", 7)) {
        check_bearer(authorization + 7, now_us, ret);
    } else {
        ret->hint = "BLACKBIRD";
    }
}

void sim_auth_revoke(struct sim_church *church)
{
    sim_gate_lock();
    church->pat_revoked = true;
    for (int i = 0; i < church->token_count; i++) {
        church->tokens[i].revoked = true;
    }
    sim_gate_unlock();
}

void sim_auth_expire(struct sim_church *church)
{
    sim_gate_lock();
    for (int i = 0; i < church->token_count; i++) {
        church->tokens[i].access_dead = true;
    }
    sim_gate_unlock();
}

static void write_tokens(const struct sim_church *c, int generation, struct sim_buf *out)
{
    const char *mark = sim_settings.mark;

    sim_buf_fmt(out,
                "{\"access_token\":\"access-%d-%d%s\",\"token_type\":\"Bearer\","
                "\"expires_in\":%lld,\"refresh_token\":\"refresh-%d-%d%s\","
                "\"scope\":\"people giving groups\",\"created_at\":%lld}",
                c->org.number, generation, mark, (long long)c->token_life_s, c->org.number,
                generation, mark, (long long)sim_wall_s());
}

void sim_auth_restore(struct sim_church *church, struct sim_buf *out)
{
    sim_gate_lock();
    church->pat_revoked = false;
    (void)add_token(church, -1);
    write_tokens(church, church->token_count - 1, out);
    sim_gate_unlock();
}

struct form {
    struct sim_params params;
    cJSON *json;
};

static struct form parse_form(const char *content_type, const char *body, const char *query)
{
    struct form f = {0};

    sim_params_parse(&f.params, query);
    if (content_type && strstr(content_type, "json")) {
        f.json = cJSON_Parse(body);
    } else {
        sim_params_parse(&f.params, body);
    }
    return f;
}

static const char *form_get(const struct form *f, const char *key)
{
    const cJSON *v = f->json ? cJSON_GetObjectItemCaseSensitive(f->json, key) : NULL;
    const char *text = cJSON_IsString(v) ? v->valuestring : sim_params_get(&f->params, key);

    return text ? text : "";
}

static void form_done(struct form *f)
{
    sim_params_free(&f->params);
    cJSON_Delete(f->json);
}

static int oauth_error(struct sim_buf *out, int status, const char *error, const char *text)
{
    sim_buf_fmt(out, "{\"error\":\"%s\",\"error_description\":\"%s\"}", error, text);
    return status;
}

static struct sim_church *client_church(const struct form *f)
{
    int64_t org, other;

    if (!parse_name(form_get(f, "client_id"), "client-", false, &org, NULL) ||
        !parse_name(form_get(f, "client_secret"), "clientsecret-", true, &other, NULL) ||
        org != other) {
        return NULL;
    }
    return sim_church_get(org);
}

int sim_oauth_church(const char *content_type, const char *body, const char *query)
{
    struct form f = parse_form(content_type, body, query);
    const struct sim_church *c = client_church(&f);

    form_done(&f);
    return c ? c->org.number : 0;
}

static int refresh(struct sim_church *c, const struct form *f, struct sim_buf *out)
{
    int64_t org, generation;
    struct sim_token *t;

    if (strcmp(form_get(f, "grant_type"), "refresh_token") != 0) {
        return oauth_error(out, 400, "unsupported_grant_type",
                           "The authorization grant type is not supported by the authorization "
                           "server.");
    }
    if (!parse_name(form_get(f, "refresh_token"), "refresh-", true, &org, &generation) ||
        org != c->org.number || generation < 0 || generation >= c->token_count ||
        c->tokens[generation].revoked) {
        return oauth_error(out, 400, "invalid_grant",
                           "The provided authorization grant is invalid, expired, revoked, does "
                           "not match the redirection URI used in the authorization request, or "
                           "was issued to another client.");
    }
    t = &c->tokens[generation];
    if (t->refresh_dead) {
        return oauth_error(out, 401, "invalid_request", "The refresh token is no longer valid");
    }
    (void)add_token(c, (int)generation);
    write_tokens(c, c->token_count - 1, out);
    return 200;
}

int sim_oauth_token(const char *content_type, const char *body, const char *query,
                    struct sim_buf *out)
{
    struct form f = parse_form(content_type, body, query);
    struct sim_church *c;
    int status;

    sim_gate_lock();
    c = client_church(&f);
    status = c ? refresh(c, &f, out)
               : oauth_error(out, 401, "invalid_client",
                             "Client authentication failed due to unknown client, no client "
                             "authentication included, or unsupported authentication method.");
    sim_gate_unlock();
    form_done(&f);
    return status;
}

int sim_oauth_revoke(const char *content_type, const char *body, struct sim_buf *out)
{
    struct form f = parse_form(content_type, body, NULL);
    const char *token = form_get(&f, "token");
    int64_t org, generation;
    struct sim_church *c;

    sim_gate_lock();
    c = client_church(&f);
    if (c &&
        (parse_name(token, "access-", true, &org, &generation) ||
         parse_name(token, "refresh-", true, &org, &generation)) &&
        org == c->org.number && generation >= 0 && generation < c->token_count) {
        c->tokens[generation].revoked = true;
    }
    sim_gate_unlock();
    form_done(&f);
    SIM_LIT(out, "{}");
    return c ? 200 : 403;
}

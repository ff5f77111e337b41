/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/oauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/crypto.h"

#define MEMBER_MAX 4096
#define ANSWER_MAX (64U << 10)
#define DEFAULT_LIFE_S 7200
#define LIFE_MAX_S (INT64_C(10) * 365 * 86400)

static bool is_oauth(const struct of_json *credentials)
{
    return of_str_eq(of_json_text(of_json_get(credentials, "type")), "oauth");
}

static const char *member(const struct of_json *credentials, const char *key)
{
    return of_json_text(of_json_get(credentials, key));
}

/* A secret goes into a header or a form: printable ASCII without blanks. */
static bool is_token(const char *text)
{
    size_t n = 0;
    for (; text[n]; n++) {
        if (text[n] <= ' ' || text[n] > '~' || n == MEMBER_MAX) {
            return false;
        }
    }
    return n > 0;
}

static enum of_code check_member(const struct of_json *credentials, const char *key, bool required, struct of_err *err)
{
    const struct of_json *node = of_json_get(credentials, key);
    if (of_json_is_null(node)) {
        return required ? of_err_set(err, OF_E_INVALID, "credentials: %s is missing", key) : OF_OK;
    }
    const char *text = of_json_text(node);
    if (!text || !is_token(text)) {
        return of_err_set(err, OF_E_INVALID, "credentials: %s must be text without blanks", key);
    }
    return OF_OK;
}

enum of_code of_oauth_check(const struct of_json *credentials, struct of_err *err)
{
    if (of_json_type(credentials) != OF_JSON_OBJECT) {
        return of_err_set(err, OF_E_INVALID, "credentials must be a JSON object");
    }
    const char *type = member(credentials, "type");
    if (of_str_eq(type, "pat")) {
        OF_TRY(check_member(credentials, "app_id", true, err));
        OF_TRY(check_member(credentials, "secret", true, err));
        if (strchr(member(credentials, "app_id"), ':')) {
            return of_err_set(err, OF_E_INVALID, "credentials: app_id must not have a colon");
        }
        return OF_OK;
    }
    if (!of_str_eq(type, "oauth")) {
        return of_err_set(err, OF_E_INVALID, "credentials: type must be pat or oauth");
    }
    OF_TRY(check_member(credentials, "client_id", true, err));
    OF_TRY(check_member(credentials, "client_secret", true, err));
    OF_TRY(check_member(credentials, "refresh_token", true, err));
    OF_TRY(check_member(credentials, "access_token", false, err));
    OF_TRY(check_member(credentials, "user", false, err));
    OF_TRY(check_member(credentials, "grant", false, err));
    struct of_wall at;
    if (!of_json_is_null(of_json_get(credentials, "expires_at")) && !of_oauth_expires_at(credentials, &at)) {
        return of_err_set(err, OF_E_INVALID, "credentials: expires_at must be unix seconds or ISO 8601");
    }
    return OF_OK;
}

enum of_code of_oauth_authorization(const struct of_json *credentials, struct of_buf *out, struct of_err *err)
{
    if (is_oauth(credentials)) {
        OF_TRY(check_member(credentials, "access_token", true, err));
        of_buf_str(out, "Bearer ");
        of_buf_str(out, member(credentials, "access_token"));
        return OF_OK;
    }
    OF_TRY(of_oauth_check(credentials, err));
    struct of_buf pair = OF_BUF_INIT(2 * MEMBER_MAX + 2);
    of_buf_str(&pair, member(credentials, "app_id"));
    of_buf_char(&pair, ':');
    of_buf_str(&pair, member(credentials, "secret"));
    char *encoded = of_base64(of_buf_text(&pair), pair.len);
    explicit_bzero(pair.data, pair.len);
    of_buf_done(&pair);
    of_buf_str(out, "Basic ");
    of_buf_str(out, encoded);
    of_secret_free(encoded);
    return OF_OK;
}

static void grant_of(const struct of_json *credentials, char out[65])
{
    const char *refresh_token = member(credentials, "refresh_token");
    of_sha256_hex(refresh_token ? refresh_token : "", refresh_token ? strlen(refresh_token) : 0, out);
}

void of_oauth_budget_key(const struct of_json *credentials, struct of_buf *out)
{
    char hex[65];
    char grant[65];
    struct of_buf text = OF_BUF_INIT(2 * MEMBER_MAX + 2);
    bool oauth = is_oauth(credentials);
    const char *name = member(credentials, oauth ? "client_id" : "app_id");
    of_buf_str(&text, name ? name : "");
    if (oauth) {
        const char *whose = member(credentials, "user");
        whose = whose ? whose : member(credentials, "grant");
        if (!whose) {
            grant_of(credentials, grant);
            whose = grant;
        }
        of_buf_char(&text, '\n');
        of_buf_str(&text, whose);
    }
    of_sha256_hex(of_buf_text(&text), text.len, hex);
    of_buf_done(&text);
    of_buf_str(out, oauth ? "oauth:" : "pat:");
    of_buf_mem(out, hex, 16);
}

void of_oauth_refresh_body(const struct of_json *credentials, const char *refresh_token, struct of_buf *out)
{
    const char *client_id = member(credentials, "client_id");
    const char *client_secret = member(credentials, "client_secret");
    of_buf_str(out, "grant_type=refresh_token&refresh_token=");
    of_buf_url(out, refresh_token);
    of_buf_str(out, "&client_id=");
    of_buf_url(out, client_id ? client_id : "");
    of_buf_str(out, "&client_secret=");
    of_buf_url(out, client_secret ? client_secret : "");
}

bool of_oauth_expires_at(const struct of_json *credentials, struct of_wall *ret)
{
    const struct of_json *node = of_json_get(credentials, "expires_at");
    int64_t seconds = 0;
    if (of_json_i64(node, &seconds)) {
        if (seconds < 0 || seconds > INT64_C(253402300799)) {
            return false;
        }
        ret->us = seconds * 1000000;
        return true;
    }
    const char *text = of_json_text(node);
    return text && of_time_parse(text, ret);
}

bool of_oauth_due(const struct of_json *credentials, struct of_wall now, int64_t margin_ms)
{
    struct of_wall at;
    if (!is_oauth(credentials)) {
        return false;
    }
    if (!member(credentials, "access_token")) {
        return true;
    }
    return of_oauth_expires_at(credentials, &at) && at.us - now.us <= margin_ms * 1000;
}

/* Copies all members but those named. */
static void copy_members(const struct of_json *credentials, const char *const *without, struct of_buf *out)
{
    of_buf_char(out, '{');
    bool first = true;
    for (const struct of_json *m = of_json_first(credentials); m; m = of_json_next(m)) {
        bool skip = false;
        for (const char *const *w = without; *w; w++) {
            skip = skip || strcmp(*w, of_json_key(m)) == 0;
        }
        if (skip) {
            continue;
        }
        if (!first) {
            of_buf_char(out, ',');
        }
        first = false;
        of_buf_json_str(out, of_json_key(m));
        of_buf_char(out, ':');
        of_json_write(out, m);
    }
}

void of_oauth_adopt(const struct of_json *credentials, struct of_buf *out)
{
    static const char *const nothing[] = {NULL};
    static const char *const grant_only[] = {"grant", NULL};
    bool add = is_oauth(credentials) && !member(credentials, "grant");
    copy_members(credentials, add ? grant_only : nothing, out);
    if (add) {
        char grant[65];
        grant_of(credentials, grant);
        of_buf_fmt(out, ",\"grant\":\"%s\"", grant);
    }
    of_buf_char(out, '}');
}

/* The words of OAuth that mean: these credentials will not work again. */
static bool is_final(const char *error)
{
    static const char *const finals[] = {"invalid_grant", "invalid_client", "invalid_request", "unauthorized_client",
                                         "access_denied", "unsupported_grant_type"};
    for (size_t i = 0; error && i < OF_ARRAY_LEN(finals); i++) {
        if (strcmp(error, finals[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum of_code refused(int status, const struct of_json *answer, struct of_err *err)
{
    const char *error = of_json_text(of_json_get(answer, "error"));
    bool final = (status == 400 || status == 401 || status == 403) && is_final(error);
    enum of_code code = of_err_set(err, final ? OF_E_AUTH : OF_E_REMOTE, "token refresh: HTTP %d%s%s", status,
                                   final ? ", " : "", final ? error : "");
    if (err) {
        err->http_status = status;
    }
    return code;
}

static enum of_code write_renewed(const struct of_json *credentials, const struct of_json *answer, struct of_wall now,
                                  struct of_buf *out, struct of_err *err)
{
    static const char *const renewed[] = {"access_token", "refresh_token", "expires_at", NULL};
    const char *access_token = of_json_text(of_json_get(answer, "access_token"));
    const char *refresh_token = of_json_text(of_json_get(answer, "refresh_token"));
    if (!access_token || !is_token(access_token)) {
        return of_err_set(err, OF_E_REMOTE, "token refresh: the answer has no usable access_token");
    }
    if (!refresh_token) {
        refresh_token = member(credentials, "refresh_token");
    }
    if (!refresh_token || !is_token(refresh_token)) {
        return of_err_set(err, OF_E_REMOTE, "token refresh: the answer has no usable refresh_token");
    }
    int64_t life_s = 0;
    if (!of_json_i64(of_json_get(answer, "expires_in"), &life_s) || life_s < 0 || life_s > LIFE_MAX_S) {
        life_s = DEFAULT_LIFE_S;
    }
    copy_members(credentials, renewed, out);
    of_buf_str(out, out->len > 1 ? ",\"access_token\":" : "\"access_token\":");
    of_buf_json_str(out, access_token);
    of_buf_str(out, ",\"refresh_token\":");
    of_buf_json_str(out, refresh_token);
    of_buf_str(out, ",\"expires_at\":");
    of_buf_i64(out, now.us / 1000000 + life_s);
    of_buf_char(out, '}');
    return OF_OK;
}

enum of_code of_oauth_parse_token(const struct of_json *credentials, int status, const char *body, size_t len,
                                  struct of_wall now, struct of_buf *ret_credentials, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *answer = NULL;
    bool parsed = body && of_json_parse(body, len, ANSWER_MAX, &answer, NULL) == OF_OK;
    if (status < 200 || status > 299) {
        return refused(status, answer, err);
    }
    if (!parsed || of_json_type(answer) != OF_JSON_OBJECT) {
        return of_err_set(err, OF_E_REMOTE, "token refresh: HTTP %d, the answer is no JSON object", status);
    }
    return write_renewed(credentials, answer, now, ret_credentials, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pco/pco_int.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "adapters/jsonapi.h"

#define ERROR_BODY_MAX (256U << 10)
#define NOTES_MAX 3

enum of_code of_pco_parse(const struct of_type *type, of_scope scope, const char *body, size_t len, bool list,
                          enum of_list_by order, const char *parent, struct of_page *ret_page, struct of_err *err)
{
    return of_jsonapi_page(type->adapter, type, scope, body, len, list, order, parent, ret_page, err);
}

/* Their ids are numbers here, and relationships in the webhook's form of the same record. */
static bool merged_id(const struct of_json *node, const char *attr, const char *key, char out[OF_JSONAPI_ID_MAX + 1])
{
    if (of_jsonapi_id(of_json_get(of_json_get(node, "attributes"), attr), out)) {
        return true;
    }
    const struct of_json *relationship = of_json_get(of_json_get(node, "relationships"), key);
    return of_jsonapi_id(of_json_get(of_json_get(relationship, "data"), "id"), out);
}

enum of_code of_pco_parse_mergers(const char *body, size_t len,
                                  void (*fn)(void *arg, const char *kept_id, const char *removed_id, struct of_wall at),
                                  void *arg, bool *ret_has_next, struct of_err *err)
{
    struct of_frame frame;
    OF_TRY(of_frame_open(body, len, true, &frame, err));
    for (size_t i = 0; i < frame.n_data; i++) {
        const struct of_json *node = frame.data[i].node;
        const char *created = of_json_text(of_json_get(of_json_get(node, "attributes"), "created_at"));
        char kept[OF_JSONAPI_ID_MAX + 1];
        char removed[OF_JSONAPI_ID_MAX + 1];
        struct of_wall at;
        /* a row that is not understood is left out: the removed id is met again as a record that is gone */
        if (node && created && of_time_parse(created, &at) &&
            merged_id(node, "person_to_keep_id", "person_to_keep", kept) &&
            merged_id(node, "person_to_remove_id", "person_to_remove", removed)) {
            fn(arg, kept, removed, at);
        }
    }
    *ret_has_next = frame.has_next;
    of_frame_close(&frame);
    return OF_OK;
}

/* --- what an answer means --- */

static bool first_char(const char *body, size_t len, char *ret)
{
    for (size_t i = 0; i < len; i++) {
        if (!isspace((unsigned char)body[i])) {
            *ret = body[i];
            return true;
        }
    }
    return false;
}

static bool is_json(const char *content_type, const char *body, size_t len)
{
    char c = '\0';
    if (content_type && content_type[0] != '\0' && !strcasestr(content_type, "json")) {
        return false;
    }
    return first_char(body, len, &c) && (c == '{' || c == '[');
}

static bool is_html(const char *content_type, const char *body, size_t len)
{
    char c = '\0';
    return (content_type && strcasestr(content_type, "html")) || (first_char(body, len, &c) && c == '<');
}

/* Words of theirs that are always the same, and so hold nobody's data. */
static const char *const known_titles[] = {
    "Bad Request",     "Unauthorized",        "Forbidden",        "Not Found",
    "Conflict",        "Forbidden Attribute", "Validation Error", "Attribute Resource Not Found",
    "Too Many Requests", "Unprocessable Entity", "Internal Server Error",
};

static const char *known_title(const char *title)
{
    for (size_t i = 0; title && i < OF_ARRAY_LEN(known_titles); i++) {
        if (strcmp(known_titles[i], title) == 0) {
            return title;
        }
    }
    return NULL;
}

/* A name as a program writes it (attribute_resource_not_found): nobody's data, and short. */
static const char *plain_name(const char *name)
{
    size_t n = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz_") : 0;
    return n > 0 && n <= 48 && name[n] == '\0' ? name : NULL;
}

static const char *find_hint(const struct of_json *error)
{
    static const char *const hints[] = {"BABOON",      "CAPUCHIN", "CHINCHILLA", "PELICAN",
                                        "TRASH_PANDA", "FLAMINGO", "LEMMING",    "BLACKBIRD"};
    const char *detail = of_json_text(of_json_get(error, "detail"));
    for (size_t i = 0; detail && i < OF_ARRAY_LEN(hints); i++) {
        if (strstr(detail, hints[i])) {
            return hints[i];
        }
    }
    return NULL;
}

static void add_note(struct of_buf *notes, const char *label, const char *word)
{
    if (word) {
        of_buf_fmt(notes, "%s%s%s", notes->len > 0 ? ", " : "", label, word);
    }
}

/* Appends what may be said of their errors; returns the hint of the first that has one. */
static const char *read_errors(const struct of_json *root, struct of_buf *notes)
{
    const char *hint = NULL;
    int n = 0;
    for (const struct of_json *e = of_json_first(of_json_get(root, "errors")); e && n < NOTES_MAX;
         e = of_json_next(e), n++) {
        add_note(notes, "", known_title(of_json_text(of_json_get(e, "title"))));
        add_note(notes, "", plain_name(of_json_text(of_json_get(e, "code"))));
        add_note(notes, "parameter ",
                 plain_name(of_json_text(of_json_get(of_json_get(e, "source"), "parameter"))));
        hint = hint ? hint : find_hint(e);
    }
    add_note(notes, "hint ", hint);
    return hint;
}

/* Missing scope, or a user without access to the product: the credentials are good, this kind of data is not for them. */
static bool means_denied(const char *hint)
{
    return hint && (strcmp(hint, "PELICAN") == 0 || strcmp(hint, "TRASH_PANDA") == 0);
}

/* 422 because a record that it names is not there, merged away as a rule: no word about the record itself. */
static bool names_nobody(const struct of_json *root)
{
    for (const struct of_json *e = of_json_first(of_json_get(root, "errors")); e; e = of_json_next(e)) {
        const char *code = of_json_text(of_json_get(e, "code"));
        if (code && strcmp(code, "attribute_resource_not_found") == 0) {
            return true;
        }
    }
    return false;
}

static enum of_code code_of(int status, bool json, bool html, const char *hint)
{
    if (status == 429) {
        return OF_E_THROTTLED;
    }
    /* a page instead of an answer comes from what stands before them: it says nothing about the record */
    if (html || status >= 500 || status < 400 || status == 408) {
        return OF_E_REMOTE;
    }
    switch (status) {
    case 401:
        return means_denied(hint) ? OF_E_DENIED : OF_E_AUTH;
    case 402:
    case 403:
        return json ? OF_E_DENIED : OF_E_REMOTE;
    case 404:
    case 410:
        return OF_E_NOT_FOUND;
    default:
        return OF_E_REJECTED;
    }
}

enum of_code of_pco_classify(int status, const char *content_type, const char *retry_after, const char *body,
                             size_t len, struct of_err *err)
{
    size_t body_len = body ? len : 0;
    bool json = is_json(content_type, body, body_len);
    if (status >= 200 && status <= 299 && (json || status == 204)) {
        return OF_OK;
    }
    OF_CLEANUP(of_json_freep) struct of_json *root = NULL;
    struct of_buf notes = OF_BUF_INIT(160);
    const char *hint = NULL;
    bool html = is_html(content_type, body, body_len);
    if (json && of_json_parse(body, body_len, ERROR_BODY_MAX, &root, NULL) == OF_OK) {
        hint = read_errors(root, &notes);
    }
    add_note(&notes, "", html ? "an HTML page" : NULL);
    add_note(&notes, "", !html && status >= 200 && status <= 299 ? "no JSON" : NULL);
    bool nobody = status == 422 && names_nobody(root);
    enum of_code code = of_err_set(err, nobody ? OF_E_NOT_FOUND : code_of(status, json, html, hint), "HTTP %d%s%s", status,
                                   notes.len > 0 ? ": " : "", of_buf_text(&notes));
    of_buf_done(&notes);
    if (err) {
        int64_t wait_ms = 0;
        err->http_status = status;
        if (retry_after && of_time_parse_retry_after(retry_after, of_wall_now(), &wait_ms)) {
            err->retry_after_ms = wait_ms;
        }
    }
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/jsonapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/jsonapi_int.h"

static bool id_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

bool of_jsonapi_id(const struct of_json *node, char out[OF_JSONAPI_ID_MAX + 1])
{
    const char *text = of_json_text(node);
    int64_t number = 0;
    if (!text) {
        if (!of_json_i64(node, &number)) {
            return false;
        }
        (void)snprintf(out, OF_JSONAPI_ID_MAX + 1, "%lld", (long long)number);
        return true;
    }
    size_t n = 0;
    while (n < OF_JSONAPI_ID_MAX && id_char(text[n])) {
        n++;
    }
    if (n == 0 || text[n] != '\0') {
        return false;
    }
    memcpy(out, text, n + 1);
    return true;
}

void of_frame_close(struct of_frame *frame)
{
    for (size_t i = 0; i < frame->n_data; i++) {
        free(frame->data[i].cause);
    }
    for (size_t i = 0; i < frame->n_included; i++) {
        free(frame->included[i].cause);
    }
    for (size_t i = 0; i < frame->n_docs; i++) {
        of_json_free(frame->docs[i]);
    }
    free(frame->data);
    free(frame->included);
    free(frame->docs);
    *frame = (struct of_frame){.total = -1};
}

static void keep_doc(struct of_frame *frame, struct of_json *doc)
{
    if ((frame->n_docs & (frame->n_docs - 1)) == 0) {
        frame->docs = of_reallocarray(frame->docs, frame->n_docs ? frame->n_docs * 2 : 1, sizeof(struct of_json *));
    }
    frame->docs[frame->n_docs++] = doc;
}

/* links and meta: what they do not say, or say in another shape, is not known. A next page is taken from either. */
static void read_meta(struct of_frame *frame, const struct of_json *links, const struct of_json *meta)
{
    int64_t total = 0;
    if (of_json_i64(of_json_get(meta, "total_count"), &total) && total >= 0) {
        frame->total = total;
    }
    frame->has_next = !of_json_is_null(of_json_get(links, "next")) || !of_json_is_null(of_json_get(meta, "next"));
    const struct of_json *parent = of_json_get(meta, "parent");
    const char *type = of_json_text(of_json_get(parent, "type"));
    char id[OF_JSONAPI_ID_MAX + 1];
    if (!type || !of_jsonapi_id(of_json_get(parent, "id"), id)) {
        return;
    }
    if (strcmp(type, "Organization") == 0 && strlen(id) < sizeof(frame->account)) {
        (void)of_strcopy(frame->account, sizeof(frame->account), id);
    }
    if (of_strcopy(frame->parent_type, sizeof(frame->parent_type), type)) {
        (void)of_strcopy(frame->parent_id, sizeof(frame->parent_id), id);
    }
}

/* False: more than max. */
static bool elements_of(const struct of_json *array, size_t max, struct of_element **ret, size_t *ret_n)
{
    size_t n = of_json_len(array);
    size_t i = 0;
    if (n > max) {
        return false;
    }
    *ret = of_calloc(n ? n : 1, sizeof(**ret));
    for (const struct of_json *e = of_json_first(array); e; e = of_json_next(e)) {
        (*ret)[i++].node = e;
    }
    *ret_n = i;
    return true;
}

static enum of_code no_page(struct of_err *err, const char *place, const char *words)
{
    return of_err_set(err, OF_E_PARSE, "%s: %s", place, words);
}

/* The usual case: the whole text is JSON. */
static enum of_code open_parsed(struct of_frame *frame, const struct of_json *root, bool list, struct of_err *err)
{
    if (of_json_type(root) != OF_JSON_OBJECT) {
        return no_page(err, "$", "expected object");
    }
    const struct of_json *data = of_json_get(root, "data");
    if (list ? of_json_type(data) != OF_JSON_ARRAY : of_json_type(data) != OF_JSON_OBJECT) {
        return no_page(err, "$.data", list ? "expected array" : "expected object");
    }
    const struct of_json *included = of_json_get(root, "included");
    if (!of_json_is_null(included) && of_json_type(included) != OF_JSON_ARRAY) {
        return no_page(err, "$.included", "expected array");
    }
    if (list && !elements_of(data, OF_JSONAPI_DATA_MAX, &frame->data, &frame->n_data)) {
        return no_page(err, "$.data", "too many elements");
    }
    if (!list) {
        frame->data = of_calloc(1, sizeof(*frame->data));
        frame->data[0].node = data;
        frame->n_data = 1;
    }
    if (!elements_of(included, OF_JSONAPI_INCLUDED_MAX, &frame->included, &frame->n_included)) {
        return no_page(err, "$.included", "too many elements");
    }
    read_meta(frame, of_json_get(root, "links"), of_json_get(root, "meta"));
    return OF_OK;
}

/* --- salvage --- */

/* Parses one element; one that does not parse stays with its bytes and the reason. */
static void salvage_element(struct of_frame *frame, const char *text, size_t len, struct of_element *ret)
{
    struct of_json *doc = NULL;
    struct of_err why = OF_ERR_INIT;
    if (of_json_parse(text, len, OF_JSONAPI_MAX_BYTES, &doc, &why) == OF_OK) {
        keep_doc(frame, doc);
        ret->node = doc;
        return;
    }
    ret->cause = of_strdup(why.msg);
    ret->text = text;
    ret->len = len;
}

static bool salvage_array(struct of_frame *frame, const char *text, size_t len, size_t max, struct of_element **ret,
                          size_t *ret_n)
{
    const char *end = text + len;
    if (len == 0 || *text != '[') {
        return false;
    }
    const char *at = text + 1;
    size_t cap = 0;
    for (bool first = true;; first = false) {
        const char *element = NULL;
        size_t element_len = 0;
        if (!of_span_next_element(&at, end, first, &element, &element_len)) {
            return false;
        }
        if (!element) {
            return true;
        }
        if (*ret_n == max) {
            return false;
        }
        if (*ret_n == cap) {
            cap = cap ? cap * 2 : 64;
            *ret = of_reallocarray(*ret, cap, sizeof(**ret));
        }
        struct of_element *e = &(*ret)[(*ret_n)++];
        *e = (struct of_element){.node = NULL};
        salvage_element(frame, element, element_len, e);
    }
}

/* A small part of the frame itself: absent gives NULL, unparseable fails (a lost `next` would cut a list short). */
static bool salvage_part(struct of_frame *frame, const char *body, size_t len, const char *key,
                         const struct of_json **ret)
{
    const char *text = NULL;
    size_t text_len = 0, count = 0;
    *ret = NULL;
    if (!of_span_member(body, len, key, &text, &text_len, &count)) {
        return true;
    }
    struct of_json *doc = NULL;
    if (count != 1 || of_json_parse(text, text_len, OF_JSONAPI_MAX_BYTES, &doc, NULL) != OF_OK) {
        return false;
    }
    keep_doc(frame, doc);
    *ret = doc;
    return true;
}

static bool salvage_data(struct of_frame *frame, const char *body, size_t len, bool list)
{
    const char *text = NULL;
    size_t text_len = 0, count = 0;
    if (!of_span_member(body, len, "data", &text, &text_len, &count) || count != 1) {
        return false;
    }
    if (list) {
        return salvage_array(frame, text, text_len, OF_JSONAPI_DATA_MAX, &frame->data, &frame->n_data);
    }
    if (*text != '{') {
        return false;
    }
    frame->data = of_calloc(1, sizeof(*frame->data));
    frame->n_data = 1;
    salvage_element(frame, text, text_len, &frame->data[0]);
    return true;
}

static bool salvage_included(struct of_frame *frame, const char *body, size_t len)
{
    const char *text = NULL;
    size_t text_len = 0, count = 0;
    if (!of_span_member(body, len, "included", &text, &text_len, &count)) {
        return true;
    }
    if (count != 1) {
        return false;
    }
    if (text_len == 4 && memcmp(text, "null", 4) == 0) {
        return true;
    }
    return salvage_array(frame, text, text_len, OF_JSONAPI_INCLUDED_MAX, &frame->included, &frame->n_included);
}

static bool open_salvaged(struct of_frame *frame, const char *body, size_t len, bool list)
{
    const struct of_json *links = NULL;
    const struct of_json *meta = NULL;
    if (!of_span_whole_object(body, len) || !salvage_data(frame, body, len, list) ||
        !salvage_included(frame, body, len) || !salvage_part(frame, body, len, "links", &links) ||
        !salvage_part(frame, body, len, "meta", &meta)) {
        return false;
    }
    read_meta(frame, links, meta);
    return true;
}

enum of_code of_frame_open(const char *body, size_t len, bool list, struct of_frame *ret_frame, struct of_err *err)
{
    *ret_frame = (struct of_frame){.total = -1};
    if (!body) {
        return no_page(err, "$", "empty");
    }
    struct of_json *root = NULL;
    struct of_err why = OF_ERR_INIT;
    enum of_code code = of_json_parse(body, len, OF_JSONAPI_MAX_BYTES, &root, &why);
    if (code == OF_OK) {
        keep_doc(ret_frame, root);
        code = open_parsed(ret_frame, root, list, &why);
    } else if (code == OF_E_PARSE && open_salvaged(ret_frame, body, len, list)) {
        code = OF_OK;
    }
    if (code != OF_OK) {
        of_frame_close(ret_frame);
        if (err) {
            *err = why;
        }
    }
    return code;
}

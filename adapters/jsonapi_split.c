/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/jsonapi.h"

#include <string.h>

#include "adapters/jsonapi_int.h"

/* The scanner of what does not parse: it knows where values begin and end, not whether they are right. */

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
        p++;
    }
    return p;
}

/* p is at the opening quote; behind the closing one, or NULL. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '\\') {
            p++;
        } else if (*p == '"') {
            return p + 1;
        }
    }
    return NULL;
}

/* Behind the value at p (any value: a string, a number, all within brackets), or NULL if it breaks off. Brackets are
 * counted, not paired: what is between them is parsed later. */
static const char *skip_value(const char *p, const char *end)
{
    size_t depth = 0;
    const char *start = p;
    while (p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p, end);
            if (!p) {
                return NULL;
            }
            if (depth == 0) {
                return p;
            }
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) {
                break;
            }
            if (--depth == 0) {
                return p + 1;
            }
        } else if (depth == 0 && (c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            break;
        }
        p++;
    }
    return depth == 0 && p > start ? p : NULL;
}

/* Moves over one member; *key is NULL at the object's end, then *at is behind it. False: broken. */
static bool next_member(const char **at, const char *end, bool first, const char **key, size_t *key_len,
                        const char **value, const char **value_end)
{
    const char *p = skip_blanks(*at, end);
    *key = NULL;
    if (p < end && *p == '}') {
        *at = p + 1;
        return true;
    }
    if (!first) {
        if (p == end || *p != ',') {
            return false;
        }
        p = skip_blanks(p + 1, end);
    }
    if (p == end || *p != '"') {
        return false;
    }
    const char *key_end = skip_string(p, end);
    if (!key_end) {
        return false;
    }
    *key_len = (size_t)(key_end - p) - 2;
    const char *colon = skip_blanks(key_end, end);
    if (colon == end || *colon != ':') {
        return false;
    }
    *value = skip_blanks(colon + 1, end);
    *value_end = skip_value(*value, end);
    if (!*value_end) {
        return false;
    }
    *key = p + 1;
    *at = *value_end;
    return true;
}

bool of_span_member(const char *text, size_t len, const char *key, const char **ret_text, size_t *ret_len,
                    size_t *ret_count)
{
    const char *end = text + len;
    const char *p = skip_blanks(text, end);
    size_t count = 0;
    if (p == end || *p != '{') {
        return false;
    }
    p++;
    for (bool first = true;; first = false) {
        const char *name = NULL, *value = NULL, *value_end = NULL;
        size_t name_len = 0;
        if (!next_member(&p, end, first, &name, &name_len, &value, &value_end)) {
            return false;
        }
        if (!name) {
            break;
        }
        if (name_len != strlen(key) || memcmp(name, key, name_len) != 0) {
            continue;
        }
        if (count++ == 0) {
            *ret_text = value;
            *ret_len = (size_t)(value_end - value);
        }
        if (!ret_count) {
            return true;
        }
    }
    if (ret_count) {
        *ret_count = count;
    }
    return count > 0;
}

bool of_span_whole_object(const char *text, size_t len)
{
    const char *end = text + len;
    const char *p = skip_blanks(text, end);
    if (p == end || *p != '{') {
        return false;
    }
    p++;
    for (bool first = true;; first = false) {
        const char *name = NULL, *value = NULL, *value_end = NULL;
        size_t name_len = 0;
        if (!next_member(&p, end, first, &name, &name_len, &value, &value_end)) {
            return false;
        }
        if (!name) {
            return skip_blanks(p, end) == end;
        }
    }
}

bool of_span_next_element(const char **at, const char *end, bool first, const char **ret_text, size_t *ret_len)
{
    const char *p = skip_blanks(*at, end);
    *ret_text = NULL;
    if (p < end && *p == ']') {
        *at = p + 1;
        return true;
    }
    if (!first) {
        if (p == end || *p != ',') {
            return false;
        }
        p = skip_blanks(p + 1, end);
    }
    const char *value_end = p < end ? skip_value(p, end) : NULL;
    if (!value_end) {
        return false;
    }
    *ret_text = p;
    *ret_len = (size_t)(value_end - p);
    *at = value_end;
    return true;
}

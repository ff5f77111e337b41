/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json.h"

#include "common/json/json_int.h"

#include <string.h>

enum of_json_type of_json_type(const struct of_json *n)
{
    const cJSON *item = of_json_item(n);
    if (!item) {
        return OF_JSON_NULL;
    }
    switch (item->type & 0xff) {
        case cJSON_False:
        case cJSON_True:
            return OF_JSON_BOOL;
        case cJSON_Number:
            return OF_JSON_NUMBER;
        case cJSON_String:
            return OF_JSON_STRING;
        case cJSON_Array:
            return OF_JSON_ARRAY;
        case cJSON_Object:
            return OF_JSON_OBJECT;
        default:
            return OF_JSON_NULL;
    }
}

const struct of_json *of_json_get(const struct of_json *n, const char *key)
{
    if (of_json_type(n) != OF_JSON_OBJECT) {
        return NULL;
    }
    for (const cJSON *m = of_json_item(n)->child; m; m = m->next) {
        if (strcmp(m->string, key) == 0) {
            return of_json_node(m);
        }
    }
    return NULL;
}

bool of_json_is_null(const struct of_json *n)
{
    return of_json_type(n) == OF_JSON_NULL;
}

const struct of_json *of_json_first(const struct of_json *n)
{
    return n ? of_json_node(of_json_item(n)->child) : NULL;
}

const struct of_json *of_json_next(const struct of_json *n)
{
    return n ? of_json_node(of_json_item(n)->next) : NULL;
}

size_t of_json_len(const struct of_json *n)
{
    size_t len = 0;
    for (const struct of_json *child = of_json_first(n); child; child = of_json_next(child)) {
        len++;
    }
    return len;
}

const char *of_json_key(const struct of_json *n)
{
    return n ? of_json_item(n)->string : NULL;
}

const char *of_json_text(const struct of_json *n)
{
    return of_json_type(n) == OF_JSON_STRING ? of_json_item(n)->valuestring : NULL;
}

bool of_json_bool(const struct of_json *n, bool *ret)
{
    if (of_json_type(n) != OF_JSON_BOOL) {
        return false;
    }
    *ret = cJSON_IsTrue(of_json_item(n)) != 0;
    return true;
}

bool of_json_double(const struct of_json *n, double *ret)
{
    if (of_json_type(n) != OF_JSON_NUMBER) {
        return false;
    }
    *ret = of_json_item(n)->valuedouble;
    return true;
}

bool of_json_i64(const struct of_json *n, int64_t *ret)
{
    double v = 0;
    if (!of_json_double(n, &v) || v < -(double)OF_JSON_SAFE_INTEGER || v > (double)OF_JSON_SAFE_INTEGER) {
        return false;
    }
    int64_t whole = (int64_t)v;
    if ((double)whole < v || (double)whole > v) {
        return false;
    }
    *ret = whole;
    return true;
}

static enum of_code complain(struct of_err *err, enum of_code code, const char *path, const char *key, const char *what)
{
    const char *dot = path && path[0] != '\0' ? "." : "";
    return of_err_set(err, code, "%s%s%s: %s", path ? path : "", dot, key, what);
}

enum of_code of_json_opt_text(const struct of_json *n, const char *path, const char *key, size_t max_len, const char **ret,
                              struct of_err *err)
{
    const struct of_json *member = of_json_get(n, key);
    if (of_json_is_null(member)) {
        *ret = NULL;
        return OF_OK;
    }
    const char *text = of_json_text(member);
    if (!text) {
        return complain(err, OF_E_PARSE, path, key, "expected string");
    }
    if (strnlen(text, max_len + 1) > max_len) {
        return complain(err, OF_E_TOO_LARGE, path, key, "text is too long");
    }
    *ret = text;
    return OF_OK;
}

enum of_code of_json_req_text(const struct of_json *n, const char *path, const char *key, size_t max_len, const char **ret,
                              struct of_err *err)
{
    const char *text = NULL;
    OF_TRY(of_json_opt_text(n, path, key, max_len, &text, err));
    if (!text) {
        return complain(err, OF_E_PARSE, path, key, of_json_get(n, key) ? "expected string" : "missing");
    }
    *ret = text;
    return OF_OK;
}

static enum of_code read_i64(const struct of_json *member, const char *path, const char *key, int64_t min, int64_t max,
                             int64_t *ret, struct of_err *err)
{
    int64_t v = 0;
    if (!of_json_i64(member, &v)) {
        return complain(err, OF_E_PARSE, path, key, "expected integer");
    }
    if (v < min || v > max) {
        return complain(err, OF_E_PARSE, path, key, "number is out of range");
    }
    *ret = v;
    return OF_OK;
}

enum of_code of_json_req_i64(const struct of_json *n, const char *path, const char *key, int64_t min, int64_t max, int64_t *ret,
                             struct of_err *err)
{
    const struct of_json *member = of_json_get(n, key);
    if (!member) {
        return complain(err, OF_E_PARSE, path, key, "missing");
    }
    return read_i64(member, path, key, min, max, ret, err);
}

enum of_code of_json_opt_i64(const struct of_json *n, const char *path, const char *key, int64_t min, int64_t max,
                             int64_t fallback, int64_t *ret, struct of_err *err)
{
    const struct of_json *member = of_json_get(n, key);
    if (of_json_is_null(member)) {
        *ret = fallback;
        return OF_OK;
    }
    return read_i64(member, path, key, min, max, ret, err);
}

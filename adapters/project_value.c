/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/project_parts.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "adapters/jsonapi.h"
#include "adapters/mapping_int.h"

#define SAFE_INTEGER INT64_C(9007199254740991)
#define NUMBER_TEXT 64
#define PHONE_DIGITS_MIN 7
#define DIGITS_MAX 40

/* --- ours, canonical --- */

static bool is_ours(const struct of_value_map *map, const char *text)
{
    for (; map->theirs; map++) {
        if (strcmp(map->ours, text) == 0) {
            return true;
        }
    }
    return false;
}

/* A number or a truth as text; false for what has none. */
static bool scalar_text(const struct of_json *node, char out[NUMBER_TEXT])
{
    enum of_json_type type = of_json_type(node);
    if (!node || (type != OF_JSON_NUMBER && type != OF_JSON_BOOL)) {
        return false;
    }
    struct of_buf b = OF_BUF_INIT(NUMBER_TEXT);
    of_json_write(&b, node);
    bool fits = of_strcopy(out, NUMBER_TEXT, of_buf_text(&b)) && !b.bad;
    of_buf_done(&b);
    return fits;
}

static bool put_text(struct of_buf *out, const struct of_type *type, const struct of_json *node)
{
    char number[NUMBER_TEXT];
    const char *text = of_json_text(node);
    if (!text) {
        if (!scalar_text(node, number)) {
            return false;
        }
        if (type->kind == OF_KIND_VALUE) { /* keeps its type: 1.5 says the same as their "1.50" */
            of_buf_str(out, number);
            return true;
        }
        text = number;
    }
    if (strlen(text) > OF_JSONAPI_TEXT_MAX) {
        return false;
    }
    of_buf_json_str(out, text);
    return true;
}

static bool put_bool(struct of_buf *out, const struct of_json *node)
{
    bool truth = false;
    const char *text = of_json_text(node);
    if (!of_json_bool(node, &truth)) {
        if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)) {
            return false;
        }
        truth = text[0] == 't';
    }
    of_buf_str(out, truth ? "true" : "false");
    return true;
}

static bool whole_number(const struct of_json *node, int64_t *ret)
{
    return of_json_i64(node, ret) || of_parse_i64(of_json_text(node), -SAFE_INTEGER, SAFE_INTEGER, ret);
}

static bool put_int(struct of_buf *out, const struct of_json *node, const char *quote)
{
    int64_t number = 0;
    if (!whole_number(node, &number)) {
        return false;
    }
    of_buf_str(out, quote);
    of_buf_i64(out, number);
    of_buf_str(out, quote);
    return true;
}

bool of_project_value(struct of_buf *out, const struct of_type *type, const struct of_field *field, const struct of_json *node,
                      bool *ret_null)
{
    const char *expected = NULL;
    const char *text = of_json_text(node);
    *ret_null = of_json_is_null(node) || (text && text[0] == '\0');
    if (*ret_null) {
        return true;
    }
    if (field->map) {
        if (!text || !is_ours(field->map, text)) {
            return false;
        }
        of_buf_json_str(out, text);
        return true;
    }
    switch (field->conv) {
    case OF_CONV_TEXT:
        return put_text(out, type, node);
    case OF_CONV_BOOL:
        return put_bool(out, node);
    case OF_CONV_INT:
        return put_int(out, node, "");
    case OF_CONV_INT_TEXT:
        return put_int(out, node, "\"");
    case OF_CONV_DOUBLE:
    case OF_CONV_DATE:
    case OF_CONV_TIME:
    case OF_CONV_ANY: {
        size_t before = out->len;
        if (of_mapping_value(out, field, node, ret_null, &expected)) {
            return true;
        }
        out->len = before; /* a conversion may fail half way */
        return false;
    }
    case OF_CONV_IMAGE:
        break;
    }
    return false;
}

/* --- theirs --- */

void of_project_theirs(struct of_buf *out, const struct of_type *type, const struct of_field *field, const struct of_json *node)
{
    const char *text = of_json_text(node);
    char number[NUMBER_TEXT];
    int64_t whole = 0;
    if (of_json_is_null(node)) {
        of_buf_str(out, "null");
        return;
    }
    for (const struct of_value_map *m = field->map; text && m && m->theirs; m++) {
        if (strcmp(m->ours, text) == 0) {
            of_buf_json_str(out, m->theirs);
            return;
        }
    }
    if (field->conv == OF_CONV_INT_TEXT && whole_number(node, &whole)) {
        of_buf_i64(out, whole);
    } else if (type->kind == OF_KIND_VALUE && scalar_text(node, number)) {
        of_buf_json_str(out, number);
    } else {
        of_json_write(out, node);
    }
}

/* --- comparing --- */

bool of_project_empty(const struct of_json *node, bool not_null)
{
    const char *text = of_json_text(node);
    bool truth = true;
    double number = 1;
    if (of_json_is_null(node) || (text && text[0] == '\0')) {
        return true;
    }
    return not_null && ((of_json_bool(node, &truth) && !truth) || (of_json_double(node, &number) && fabs(number) <= 0));
}

static bool same_times(const char *a, const char *b, int64_t unit_us, bool *ret)
{
    struct of_wall at;
    struct of_wall bt;
    if (!a || !b || !of_time_parse(a, &at) || !of_time_parse(b, &bt)) {
        return false;
    }
    *ret = at.us / unit_us == bt.us / unit_us;
    return true;
}

static bool number_of(const struct of_json *node, double *ret)
{
    return of_json_double(node, ret) || of_parse_double(of_json_text(node), ret);
}

/* One of them is a number or a truth, the other its text. */
static bool same_scalars(const struct of_json *a, const struct of_json *b)
{
    double x = 0;
    double y = 0;
    bool truth = false;
    const struct of_json *text = of_json_type(a) == OF_JSON_STRING ? a : b;
    const struct of_json *other = text == a ? b : a;
    if (of_json_type(text) != OF_JSON_STRING || of_json_type(other) == OF_JSON_STRING) {
        return false;
    }
    if (of_json_bool(other, &truth)) {
        return strcmp(of_json_text(text), truth ? "true" : "false") == 0;
    }
    return number_of(a, &x) && number_of(b, &y) && !(x < y) && !(x > y);
}

bool of_project_same(const struct of_field *field, bool not_null, const struct of_json *a, const struct of_json *b)
{
    bool same = false;
    bool a_empty = of_project_empty(a, not_null);
    bool b_empty = of_project_empty(b, not_null);
    if (a_empty || b_empty) {
        return a_empty && b_empty;
    }
    if (field && field->conv == OF_CONV_TIME && same_times(of_json_text(a), of_json_text(b), 1, &same)) {
        return same;
    }
    return of_json_equal(a, b) || same_scalars(a, b);
}

/* What they may respell in a text without changing it: case, blanks, punctuation (not of addresses of e-mail). */
static bool counts(unsigned char c, bool mail)
{
    return c >= 0x80 || isalnum(c) || (mail && !isspace(c) && !iscntrl(c));
}

static bool alike(const char *a, const char *b)
{
    bool mail = strchr(a, '@') || strchr(b, '@');
    bool any = false;
    if (strcmp(a, b) == 0) {
        return true;
    }
    for (;; a++, b++) {
        while (*a && !counts((unsigned char)*a, mail)) {
            a++;
        }
        while (*b && !counts((unsigned char)*b, mail)) {
            b++;
        }
        if (!*a || !*b) {
            return any && *a == *b;
        }
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
            return false;
        }
        any = true;
    }
}

static size_t digits_of(const char *text, char out[DIGITS_MAX])
{
    size_t n = 0;
    for (; *text && n + 1 < DIGITS_MAX; text++) {
        if (isdigit((unsigned char)*text)) {
            out[n++] = *text;
        }
    }
    out[n] = '\0';
    return n;
}

/* +15555550100 and (555) 555-0100: a country code may have been added. */
static bool alike_phones(const char *a, const char *b)
{
    char x[DIGITS_MAX];
    char y[DIGITS_MAX];
    size_t nx = digits_of(a, x);
    size_t ny = digits_of(b, y);
    size_t n = OF_MIN(nx, ny);
    return n >= PHONE_DIGITS_MIN && strcmp(x + (nx - n), y + (ny - n)) == 0;
}

static bool alike_numbers(const struct of_json *a, const struct of_json *b)
{
    double x = 0;
    double y = 0;
    return of_json_double(a, &x) && of_json_double(b, &y) && fabs(x - y) <= 1e-6 * fmax(fabs(x), fabs(y));
}

bool of_project_held(const struct of_field *field, const struct of_json *sent, const struct of_json *answer)
{
    const char *a = of_json_text(sent);
    const char *b = of_json_text(answer);
    bool same = false;
    if (of_project_same(field, false, sent, answer)) {
        return true;
    }
    if (field && field->conv == OF_CONV_TIME && same_times(a, b, 1000000, &same)) {
        return same;
    }
    if (field && field->conv == OF_CONV_DOUBLE) {
        return alike_numbers(sent, answer);
    }
    bool text = !field || ((field->conv == OF_CONV_TEXT || field->conv == OF_CONV_ANY) && !field->map);
    if (!text || !a || !b) {
        return false;
    }
    return alike(a, b) || (field && field->fallback && alike_phones(a, b));
}

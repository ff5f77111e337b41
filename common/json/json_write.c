/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json.h"

#include "common/json/json_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shortest of the usual precisions that reads back as the same double; integers without point and exponent. */
static void write_number(struct of_buf *b, const struct of_json *n)
{
    int64_t whole = 0;
    if (of_json_i64(n, &whole)) {
        of_buf_i64(b, whole);
        return;
    }
    double v = 0;
    (void)of_json_double(n, &v);
    char text[40] = "";
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*g", precision, v);
        double back = strtod(text, NULL);
        if (!(back < v) && !(back > v)) {
            break;
        }
    }
    of_buf_str(b, text);
}

static void write_children(struct of_buf *b, const struct of_json *n, bool keys)
{
    for (const struct of_json *child = of_json_first(n); child; child = of_json_next(child)) {
        if (child != of_json_first(n)) {
            of_buf_char(b, ',');
        }
        if (keys) {
            of_buf_json_str(b, of_json_key(child));
            of_buf_char(b, ':');
        }
        of_json_write(b, child);
    }
}

void of_json_write(struct of_buf *b, const struct of_json *n)
{
    bool truth = false;
    switch (of_json_type(n)) {
        case OF_JSON_NULL:
            of_buf_str(b, "null");
            break;
        case OF_JSON_BOOL:
            (void)of_json_bool(n, &truth);
            of_buf_str(b, truth ? "true" : "false");
            break;
        case OF_JSON_NUMBER:
            write_number(b, n);
            break;
        case OF_JSON_STRING:
            of_buf_json_str(b, of_json_text(n));
            break;
        case OF_JSON_ARRAY:
            of_buf_char(b, '[');
            write_children(b, n, false);
            of_buf_char(b, ']');
            break;
        case OF_JSON_OBJECT:
            of_buf_char(b, '{');
            write_children(b, n, true);
            of_buf_char(b, '}');
            break;
    }
}

static bool equal_numbers(const struct of_json *a, const struct of_json *b)
{
    double x = 0;
    double y = 0;
    (void)of_json_double(a, &x);
    (void)of_json_double(b, &y);
    return !(x < y) && !(x > y);
}

static bool equal_arrays(const struct of_json *a, const struct of_json *b)
{
    const struct of_json *x = of_json_first(a);
    const struct of_json *y = of_json_first(b);
    while (x && y && of_json_equal(x, y)) {
        x = of_json_next(x);
        y = of_json_next(y);
    }
    return !x && !y;
}

/* Keys are unique on both sides: the same number of members, and each of a's in b, is enough. */
static bool equal_objects(const struct of_json *a, const struct of_json *b)
{
    if (of_json_len(a) != of_json_len(b)) {
        return false;
    }
    const struct of_json *guess = of_json_first(b); /* mostly the order is the same */
    for (const struct of_json *x = of_json_first(a); x; x = of_json_next(x)) {
        const char *key = of_json_key(x);
        const struct of_json *y = guess && strcmp(of_json_key(guess), key) == 0 ? guess : of_json_get(b, key);
        if (!y || !of_json_equal(x, y)) {
            return false;
        }
        guess = of_json_next(y);
    }
    return true;
}

bool of_json_equal(const struct of_json *a, const struct of_json *b)
{
    enum of_json_type type = of_json_type(a);
    if (type != of_json_type(b)) {
        return false;
    }
    bool x = false;
    bool y = false;
    switch (type) {
        case OF_JSON_NULL:
            return true;
        case OF_JSON_BOOL:
            (void)of_json_bool(a, &x);
            (void)of_json_bool(b, &y);
            return x == y;
        case OF_JSON_NUMBER:
            return equal_numbers(a, b);
        case OF_JSON_STRING:
            return strcmp(of_json_text(a), of_json_text(b)) == 0;
        case OF_JSON_ARRAY:
            return equal_arrays(a, b);
        case OF_JSON_OBJECT:
            return equal_objects(a, b);
    }
    return false;
}

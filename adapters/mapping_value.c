/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/mapping_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The entry that a text matches, by the rules of struct of_value_map; NULL: none. */
static const char *mapped(const struct of_value_map *map, const char *text)
{
    while (*text == ' ') {
        text++;
    }
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == ' ') {
        n--;
    }
    for (; map->theirs; map++) {
        if (strcmp(map->theirs, "*") == 0 || (strlen(map->theirs) == n && strncasecmp(map->theirs, text, n) == 0)) {
            return map->ours;
        }
    }
    return NULL;
}

static bool write_text(struct of_buf *out, const char *text, const char **ret_expected)
{
    size_t n = strlen(text);
    if (n > OF_JSONAPI_TEXT_MAX) {
        *ret_expected = "text is too long";
        return false;
    }
    of_buf_json_mem(out, text, n);
    return true;
}

static bool write_bool(struct of_buf *out, const struct of_json *node)
{
    bool truth = false;
    if (!of_json_bool(node, &truth)) {
        return false;
    }
    of_buf_str(out, truth ? "true" : "false");
    return true;
}

static bool write_int(struct of_buf *out, const struct of_json *node)
{
    int64_t number = 0;
    if (!of_json_i64(node, &number)) {
        return false;
    }
    of_buf_i64(out, number);
    return true;
}

static bool write_int_text(struct of_buf *out, const struct of_json *node)
{
    of_buf_char(out, '"');
    bool whole = write_int(out, node);
    of_buf_char(out, '"');
    return whole;
}

/* Numbers, and decimals that were sent as text. */
static bool write_double(struct of_buf *out, const struct of_json *node)
{
    if (of_json_type(node) == OF_JSON_NUMBER) {
        of_json_write(out, node);
        return true;
    }
    const char *text = of_json_text(node);
    double number = 0;
    if (!text || !of_parse_double(text, &number)) {
        return false;
    }
    char digits[40] = "";
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof(digits), "%.*g", precision, number);
        double back = strtod(digits, NULL);
        if (!(back < number) && !(back > number)) {
            break;
        }
    }
    of_buf_str(out, digits);
    return true;
}

static bool write_date(struct of_buf *out, const struct of_json *node)
{
    const char *text = of_json_text(node);
    if (!text || !of_date_valid(text)) {
        return false;
    }
    of_buf_json_str(out, text);
    return true;
}

static bool write_time(struct of_buf *out, const struct of_json *node)
{
    const char *text = of_json_text(node);
    struct of_wall at;
    char iso[OF_TIME_TEXT];
    if (!text || !of_time_parse(text, &at)) {
        return false;
    }
    of_buf_char(out, '"');
    of_buf_str(out, of_time_format(at, iso));
    of_buf_char(out, '"');
    return true;
}

static bool write_any(struct of_buf *out, const struct of_json *node, const char **ret_expected)
{
    enum of_json_type type = of_json_type(node);
    if (type == OF_JSON_STRING) {
        return write_text(out, of_json_text(node), ret_expected);
    }
    if (type != OF_JSON_OBJECT && type != OF_JSON_ARRAY) {
        of_json_write(out, node);
        return true;
    }
    struct of_buf text = OF_BUF_INIT(OF_JSONAPI_TEXT_MAX);
    of_json_write(&text, node);
    bool fits = !text.bad;
    if (fits) {
        of_buf_json_mem(out, of_buf_text(&text), text.len);
    } else {
        *ret_expected = "text is too long";
    }
    of_buf_done(&text);
    return fits;
}

static bool write_image(struct of_buf *out, const struct of_json *node, bool *ret_null, const char **ret_expected)
{
    static const char *const sizes[] = {"original", "medium", "thumbnail"};
    const char *text = of_json_text(node);
    if (of_json_type(node) == OF_JSON_OBJECT) {
        for (size_t i = 0; i < OF_ARRAY_LEN(sizes) && (!text || text[0] == '\0'); i++) {
            text = of_json_text(of_json_get(node, sizes[i]));
        }
        if (!text || text[0] == '\0') {
            *ret_null = true;
            return true;
        }
    }
    return text ? write_text(out, text, ret_expected) : false;
}

static bool write_mapped(struct of_buf *out, const struct of_field *field, const struct of_json *node, bool *ret_null)
{
    const char *text = of_json_text(node);
    if (!text) {
        return false;
    }
    const char *ours = mapped(field->map, text);
    *ret_null = !ours;
    if (ours) {
        of_buf_json_str(out, ours);
    }
    return true;
}

bool of_mapping_value(struct of_buf *out, const struct of_field *field, const struct of_json *node, bool *ret_null,
                      const char **ret_expected)
{
    const char *text = of_json_text(node);
    *ret_null = false;
    *ret_expected = "expected string";
    if (field->map) {
        return write_mapped(out, field, node, ret_null);
    }
    switch (field->conv) {
    case OF_CONV_TEXT:
        return text && write_text(out, text, ret_expected);
    case OF_CONV_BOOL:
        *ret_expected = "expected boolean";
        return write_bool(out, node);
    case OF_CONV_INT:
        *ret_expected = "expected integer";
        return write_int(out, node);
    case OF_CONV_DOUBLE:
        *ret_expected = "expected number";
        return write_double(out, node);
    case OF_CONV_DATE:
        *ret_expected = "expected date";
        return write_date(out, node);
    case OF_CONV_TIME:
        *ret_expected = "expected date and time";
        return write_time(out, node);
    case OF_CONV_ANY:
        return write_any(out, node, ret_expected);
    case OF_CONV_INT_TEXT:
        *ret_expected = "expected integer";
        return text ? write_text(out, text, ret_expected) : write_int_text(out, node);
    case OF_CONV_IMAGE:
        *ret_expected = "expected string or object";
        return write_image(out, node, ret_null, ret_expected);
    }
    return false;
}

const char *of_mapping_tag(const struct of_field *field, const struct of_json *node)
{
    switch (field->conv) {
    case OF_CONV_BOOL:
        return "boolean";
    case OF_CONV_INT:
    case OF_CONV_DOUBLE:
        return "number";
    case OF_CONV_DATE:
    case OF_CONV_TIME:
        return "date";
    case OF_CONV_ANY:
        if (of_json_type(node) == OF_JSON_BOOL) {
            return "boolean";
        }
        return of_json_type(node) == OF_JSON_NUMBER ? "number" : "string";
    case OF_CONV_TEXT:
    case OF_CONV_INT_TEXT:
    case OF_CONV_IMAGE:
        break;
    }
    return "string";
}

void of_mapping_custom_open(struct of_buf *out, bool *first, const char *tag, const char *adapter, const char *attr)
{
    of_buf_str(out, *first ? "{\"_tag\":\"" : ",{\"_tag\":\"");
    *first = false;
    of_buf_str(out, tag);
    of_buf_str(out, "\",\"name\":\"");
    of_buf_str(out, adapter);
    of_buf_char(out, '_');
    of_buf_str(out, attr);
    of_buf_str(out, "\",\"source\":\"");
    of_buf_str(out, adapter);
    of_buf_str(out, "\",\"value\":");
}

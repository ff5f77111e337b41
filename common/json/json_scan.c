/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_int.h"

#include <string.h>

/* cJSON copies a number into 64 bytes before it reads it, and would stop in the middle of a longer one. */
#define NUMBER_MAX_BYTES 63

struct scan {
    const char *start;
    const char *p;
    const char *end;
    const char *why; /* what is wrong at p */
    int depth;
    char closers[OF_JSON_DEPTH_MAX]; /* ']' or '}' of each open level */
};

static bool wrong(struct scan *s, const char *why)
{
    s->why = why;
    return false;
}

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) {
        s->p++;
    }
}

/* Eight bytes at once: none is a quote, a backslash, a control character or outside of ASCII. */
static bool is_plain8(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);
    uint64_t w = 0;
    memcpy(&w, p, sizeof(w));
    uint64_t quote = w ^ (ones * '"');
    uint64_t backslash = w ^ (ones * '\\');
    uint64_t special = (w - ones * 0x20) | (quote - ones) | (backslash - ones) | w;
    return (special & highs) == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int hex4(const struct scan *s, const char *p)
{
    if (s->end - p < 4) {
        return -1;
    }
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0) {
            return -1;
        }
        v = v * 16 + digit;
    }
    return v;
}

/* At the u of \u. */
static bool scan_unicode(struct scan *s)
{
    int v = hex4(s, s->p + 1);
    if (v < 0) {
        return wrong(s, "\\u needs four hexadecimal digits");
    }
    if (v == 0) {
        return wrong(s, "\\u0000 is not accepted");
    }
    if (v >= 0xdc00 && v <= 0xdfff) {
        return wrong(s, "lone surrogate");
    }
    if (v < 0xd800 || v > 0xdbff) {
        s->p += 5;
        return true;
    }
    if (s->end - s->p < 11 || s->p[5] != '\\' || s->p[6] != 'u') {
        return wrong(s, "lone surrogate");
    }
    int low = hex4(s, s->p + 7);
    if (low < 0xdc00 || low > 0xdfff) {
        return wrong(s, "lone surrogate");
    }
    s->p += 11;
    return true;
}

/* At the backslash. */
static bool scan_escape(struct scan *s)
{
    s->p++;
    if (s->p == s->end) {
        return wrong(s, "text ends within a string");
    }
    if (*s->p == 'u') {
        return scan_unicode(s);
    }
    if (*s->p == '\0' || !strchr("\"\\/bfnrt", *s->p)) {
        return wrong(s, "unknown escape");
    }
    s->p++;
    return true;
}

/* At the opening quote. */
static bool scan_string(struct scan *s)
{
    s->p++;
    for (;;) {
        while (s->end - s->p >= 8 && is_plain8(s->p)) {
            s->p += 8;
        }
        if (s->p == s->end) {
            return wrong(s, "text ends within a string");
        }
        unsigned char c = (unsigned char)*s->p;
        if (c == '"') {
            s->p++;
            return true;
        }
        if (c == '\\') {
            if (!scan_escape(s)) {
                return false;
            }
        } else if (c < 0x20) {
            return wrong(s, "control character within a string");
        } else if (c < 0x80) {
            s->p++;
        } else {
            size_t step = of_utf8_step(s->p, (size_t)(s->end - s->p));
            if (step == 0) {
                return wrong(s, "invalid UTF-8");
            }
            s->p += step;
        }
    }
}

static bool is_digit(const struct scan *s)
{
    return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static bool scan_digits(struct scan *s)
{
    if (!is_digit(s)) {
        return wrong(s, "expected a digit");
    }
    while (is_digit(s)) {
        s->p++;
    }
    return true;
}

static bool scan_number(struct scan *s)
{
    const char *start = s->p;
    if (*s->p == '-') {
        s->p++;
    }
    bool zero = s->p < s->end && *s->p == '0';
    if (zero) {
        s->p++;
    } else if (!scan_digits(s)) {
        return false;
    }
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!scan_digits(s)) {
            return false;
        }
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '-' || *s->p == '+')) {
            s->p++;
        }
        if (!scan_digits(s)) {
            return false;
        }
    }
    if (s->p - start > NUMBER_MAX_BYTES) {
        return wrong(s, "number is too long");
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) {
        return wrong(s, "expected a value");
    }
    s->p += n;
    return true;
}

static bool scan_scalar(struct scan *s)
{
    switch (*s->p) {
        case '"':
            return scan_string(s);
        case 't':
            return scan_word(s, "true");
        case 'f':
            return scan_word(s, "false");
        case 'n':
            return scan_word(s, "null");
        default:
            if (*s->p == '-' || is_digit(s)) {
                return scan_number(s);
            }
            return wrong(s, "expected a value");
    }
}

/* "key": up to the value. */
static bool scan_key(struct scan *s)
{
    skip_blanks(s);
    if (s->p == s->end || *s->p != '"') {
        return wrong(s, "expected a key");
    }
    if (!scan_string(s)) {
        return false;
    }
    skip_blanks(s);
    if (s->p == s->end || *s->p != ':') {
        return wrong(s, "expected a colon");
    }
    s->p++;
    return true;
}

static bool in_object(const struct scan *s)
{
    return s->depth > 0 && s->closers[s->depth - 1] == '}';
}

/* At [ or {: goes in; true in *ret_empty if it is closed at once. */
static bool scan_open(struct scan *s, bool *ret_empty)
{
    if (s->depth == OF_JSON_DEPTH_MAX) {
        return wrong(s, "nested too deeply");
    }
    char closer = *s->p == '{' ? '}' : ']';
    s->closers[s->depth++] = closer;
    s->p++;
    skip_blanks(s);
    *ret_empty = s->p < s->end && *s->p == closer;
    if (*ret_empty || closer == ']') {
        return true;
    }
    return scan_key(s);
}

/* After a value: closes what ends here. True in *ret_more if another value follows. */
static bool scan_after_value(struct scan *s, bool *ret_more)
{
    *ret_more = false;
    while (s->depth > 0) {
        skip_blanks(s);
        if (s->p == s->end) {
            return wrong(s, "text ends too early");
        }
        if (*s->p == ',') {
            s->p++;
            *ret_more = true;
            return in_object(s) ? scan_key(s) : true;
        }
        if (*s->p != s->closers[s->depth - 1]) {
            return wrong(s, "expected a comma or the end of what is open");
        }
        s->p++;
        s->depth--;
    }
    return true;
}

static bool scan_document(struct scan *s)
{
    for (bool more = true; more;) {
        skip_blanks(s);
        if (s->p == s->end) {
            return wrong(s, "text ends too early");
        }
        if (*s->p == '[' || *s->p == '{') {
            bool empty = false;
            if (!scan_open(s, &empty)) {
                return false;
            }
            if (!empty) {
                continue;
            }
        } else if (!scan_scalar(s)) {
            return false;
        }
        if (!scan_after_value(s, &more)) {
            return false;
        }
    }
    skip_blanks(s);
    return s->p == s->end ? true : wrong(s, "something follows the document");
}

enum of_code of_json_scan(const char *text, size_t len, struct of_err *err)
{
    struct scan s = {.start = text, .p = text, .end = text + len, .why = "", .depth = 0};
    if (!scan_document(&s)) {
        return of_err_set(err, OF_E_PARSE, "JSON at byte %zu: %s", (size_t)(s.p - s.start), s.why);
    }
    return OF_OK;
}

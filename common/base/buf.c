/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void of_buf_done(struct of_buf *b)
{
    free(b->data);
    *b = OF_BUF_INIT(b->max);
}

void of_buf_clear(struct of_buf *b)
{
    b->len = 0;
    b->bad = false;
    if (b->data) {
        b->data[0] = '\0';
    }
}

/* Room for n more bytes and the NUL. */
static bool reserve(struct of_buf *b, size_t n)
{
    if (b->bad) {
        return false;
    }
    if (n > b->max - b->len) {
        b->bad = true;
        return false;
    }
    size_t need = b->len + n + 1;
    if (need > b->cap) {
        size_t cap = OF_MAX(b->cap, (size_t)FIRST_CAP);
        while (cap < need) {
            cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        }
        b->data = of_realloc(b->data, cap);
        b->cap = cap;
    }
    return true;
}

void *of_buf_grow(struct of_buf *b, size_t n)
{
    if (!reserve(b, n)) {
        return NULL;
    }
    char *at = b->data + b->len;
    b->len += n;
    b->data[b->len] = '\0';
    return at;
}

void of_buf_mem(struct of_buf *b, const void *p, size_t n)
{
    char *at = of_buf_grow(b, n);
    if (at && n > 0) {
        memcpy(at, p, n);
    }
}

void of_buf_char(struct of_buf *b, char c)
{
    of_buf_mem(b, &c, 1);
}

void of_buf_str(struct of_buf *b, const char *s)
{
    of_buf_mem(b, s, strlen(s));
}

void of_buf_fmt(struct of_buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    OF_BUG_ON(len < 0);
    if (!reserve(b, (size_t)len)) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)len + 1, fmt, args);
    va_end(args);
    b->len += (size_t)len;
}

void of_buf_i64(struct of_buf *b, int64_t v)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRId64, v);
    of_buf_mem(b, text, (size_t)len);
}

static void json_escape(struct of_buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    const char *known = "\"\\\b\f\n\r\t";
    const char *letters = "\"\\bfnrt";
    const char *at = strchr(known, c);
    if (c != '\0' && at) {
        char two[2] = {'\\', letters[at - known]};
        of_buf_mem(b, two, sizeof(two));
        return;
    }
    char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    of_buf_mem(b, six, sizeof(six));
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

void of_buf_json_mem(struct of_buf *b, const char *s, size_t n)
{
    of_buf_char(b, '"');
    size_t i = 0;
    while (i < n) {
        size_t run = i;
        while (run < n && is_plain((unsigned char)s[run])) {
            run++;
        }
        if (run > i) {
            of_buf_mem(b, s + i, run - i);
            i = run;
            continue;
        }
        size_t step = of_utf8_step(s + i, n - i);
        if (step > 1) {
            of_buf_mem(b, s + i, step);
            i += step;
            continue;
        }
        if (step == 0 || s[i] == '\0') {
            of_buf_str(b, REPLACEMENT);
        } else {
            json_escape(b, (unsigned char)s[i]);
        }
        i++;
    }
    of_buf_char(b, '"');
}

void of_buf_json_str(struct of_buf *b, const char *s)
{
    if (!s) {
        of_buf_str(b, "null");
        return;
    }
    of_buf_json_mem(b, s, strlen(s));
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void of_buf_url(struct of_buf *b, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; *s; s++) {
        if (is_unreserved(*s)) {
            of_buf_char(b, *s);
            continue;
        }
        unsigned char c = (unsigned char)*s;
        char three[3] = {'%', hex[c >> 4], hex[c & 15]};
        of_buf_mem(b, three, sizeof(three));
    }
}

const char *of_buf_text(const struct of_buf *b)
{
    return b->data ? b->data : "";
}

enum of_code of_buf_take(struct of_buf *b, char **ret_text, size_t *ret_len, struct of_err *err)
{
    if (b->bad) {
        return of_err_set(err, OF_E_TOO_LARGE, "text grows beyond %zu bytes", b->max);
    }
    size_t len = b->len;
    char *text = b->data ? OF_TAKE(b->data) : of_strdup("");
    of_buf_done(b);
    *ret_text = text;
    if (ret_len) {
        *ret_len = len;
    }
    return OF_OK;
}

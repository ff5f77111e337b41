/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/base.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASPRINTF_MAX (64 * 1024)

/* A last line in the form of all others, made without allocating: the heap may be what broke. */
OF_NORETURN static void die(const char *event, const char *msg, const char *file, int line)
{
    char safe[160];
    size_t n = 0;
    for (const char *p = msg; *p && n + 1 < sizeof(safe); p++) {
        unsigned char c = (unsigned char)*p;
        safe[n++] = (c < 0x20 || c > 0x7e || c == '"' || c == '\\') ? '\'' : (char)c;
    }
    safe[n] = '\0';
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "{\"level\":\"error\",\"pid\":%d,\"event\":\"%s\",\"msg\":\"%s; aborting\","
                       "\"file\":\"%s\",\"line\":%d}\n",
                       (int)getpid(), event, safe, file, line);
    if (len > 0) {
        size_t size = OF_MIN((size_t)len, sizeof(text) - 1);
        ssize_t written = write(STDERR_FILENO, text, size);
        (void)written; /* nothing is left to do about it */
    }
    abort();
}

void of_bug(const char *file, int line, const char *what)
{
    die("process.bug", what, file, line);
}

static void *check(void *p)
{
    if (!p) {
        die("process.out_of_memory", "out of memory", __FILE__, __LINE__);
    }
    return p;
}

void of_freep(void *p)
{
    void **holder = p;
    free(*holder);
    *holder = NULL;
}

void *of_alloc(size_t size)
{
    return check(malloc(OF_MAX(size, (size_t)1)));
}

/* Multiplied here, not in libc: sanitizers answer an overflow in their own way. */
static size_t product(size_t n, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        die("process.out_of_memory", "array size overflows", __FILE__, __LINE__);
    }
    return OF_MAX(bytes, (size_t)1);
}

void *of_calloc(size_t n, size_t size)
{
    return check(calloc(1, product(n, size)));
}

void *of_realloc(void *p, size_t size)
{
    return check(realloc(p, OF_MAX(size, (size_t)1)));
}

void *of_reallocarray(void *p, size_t n, size_t size)
{
    return of_realloc(p, product(n, size));
}

char *of_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = of_alloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *of_strdup(const char *s)
{
    return of_strndup(s, strlen(s));
}

char *of_strdup_null(const char *s)
{
    return s ? of_strdup(s) : NULL;
}

char *of_asprintf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    OF_BUG_ON(len < 0);
    size_t size = OF_MIN((size_t)len, (size_t)ASPRINTF_MAX) + 1;
    char *text = of_alloc(size);
    va_start(args, fmt);
    (void)vsnprintf(text, size, fmt, args);
    va_end(args);
    return text;
}

bool of_strcopy(char *dst, size_t dst_size, const char *src)
{
    OF_BUG_ON(dst_size == 0);
    size_t len = strnlen(src, dst_size);
    bool fits = len < dst_size;
    if (!fits) {
        len = dst_size - 1;
    }
    memcpy(dst, src, len);
    dst[len] = '\0';
    return fits;
}

bool of_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    if (!s) {
        return false;
    }
    bool negative = *s == '-';
    if (*s == '-' || *s == '+') {
        s++;
    }
    if (!*s) {
        return false;
    }
    int64_t v = 0; /* kept negative: the range below zero is the larger one */
    for (; *s; s++) {
        if (*s < '0' || *s > '9') {
            return false;
        }
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *s - '0', &v)) {
            return false;
        }
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, v, &v)) {
        return false;
    }
    if (v < min || v > max) {
        return false;
    }
    *ret = v;
    return true;
}

static const char *skip_digits(const char *s)
{
    while (*s >= '0' && *s <= '9') {
        s++;
    }
    return s;
}

/* strtod also takes blanks, hexadecimal, "inf" and "nan"; this is what a number may look like here. */
static bool is_decimal(const char *s)
{
    if (*s == '-' || *s == '+') {
        s++;
    }
    const char *p = skip_digits(s);
    size_t digits = (size_t)(p - s);
    if (*p == '.') {
        const char *q = skip_digits(p + 1);
        digits += (size_t)(q - p - 1);
        p = q;
    }
    if (digits == 0) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '-' || *p == '+') {
            p++;
        }
        const char *q = skip_digits(p);
        if (q == p) {
            return false;
        }
        p = q;
    }
    return *p == '\0';
}

bool of_parse_double(const char *s, double *ret)
{
    if (!s || !is_decimal(s)) {
        return false;
    }
    double v = strtod(s, NULL); /* our programs never call setlocale: the point is a point */
    if (!isfinite(v)) {
        return false;
    }
    *ret = v;
    return true;
}

uint64_t of_hash(const void *bytes, size_t len)
{
    const unsigned char *c = bytes;
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++) {
        h = (h ^ c[i]) * UINT64_C(1099511628211);
    }
    return h ^ (h >> 32);
}

bool of_str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t of_utf8_step(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    if (len == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        return len >= 2 && is_tail(p[1]) ? 2 : 0;
    }
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        if (len < 3 || !is_tail(p[1]) || !is_tail(p[2])) {
            return 0;
        }
        bool overlong = p[0] == 0xe0 && p[1] < 0xa0;
        bool surrogate = p[0] == 0xed && p[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if (len < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3])) {
            return 0;
        }
        bool overlong = p[0] == 0xf0 && p[1] < 0x90;
        bool too_high = p[0] == 0xf4 && p[1] > 0x8f;
        return overlong || too_high ? 0 : 4;
    }
    return 0;
}

bool of_utf8_valid(const char *s, size_t len)
{
    size_t i = 0;
    while (i < len) {
        if (s[i] == '\0') {
            return false;
        }
        size_t n = of_utf8_step(s + i, len - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

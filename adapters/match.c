/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/match.h"

#include <stdlib.h>
#include <string.h>

#define PHONE_DIGITS_MAX 10
#define PHONE_DIGITS_MIN 5

static uint32_t decode(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    switch (n) {
    case 1:
        return u[0];
    case 2:
        return (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
    case 3:
        return (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
    default:
        return 0; /* four bytes: nothing there has a case that names use */
    }
}

/* Two and three byte characters; both cases of these have the same length in UTF-8 here. */
static uint32_t lower_char(uint32_t c)
{
    if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) ||
        (c >= 0x410 && c <= 0x42f)) {
        return c + 32;
    }
    if (c >= 0x400 && c <= 0x40f) {
        return c + 80;
    }
    if (c == 0x178) {
        return 0xff;
    }
    bool even_upper = (c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) || (c >= 0x14a && c <= 0x177) ||
                      (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f) ||
                      (c >= 0x1e00 && c <= 0x1e95) || (c >= 0x1ea0 && c <= 0x1eff);
    bool odd_upper = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
    if ((even_upper && c % 2 == 0) || (odd_upper && c % 2 == 1)) {
        return c + 1;
    }
    return c;
}

static void put_char(struct of_buf *out, uint32_t c)
{
    if (c < 0x800) {
        of_buf_char(out, (char)(0xc0 | c >> 6));
    } else {
        of_buf_char(out, (char)(0xe0 | c >> 12));
        of_buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
    }
    of_buf_char(out, (char)(0x80 | (c & 0x3f)));
}

void of_match_fold(struct of_buf *out, const char *text)
{
    size_t left = strlen(text);
    bool any = false;
    bool blank = false;
    while (left > 0) {
        size_t n = of_utf8_step(text, left);
        n = n ? n : 1;
        uint32_t c = decode(text, n);
        if ((n == 1 && ((unsigned char)*text <= ' ' || *text == 0x7f)) || c == 0xa0) {
            blank = true;
        } else {
            if (blank && any) {
                of_buf_char(out, ' ');
            }
            blank = false;
            any = true;
            if (n == 1) {
                of_buf_char(out, (char)(*text >= 'A' && *text <= 'Z' ? *text + 32 : *text));
            } else if (n < 4) {
                put_char(out, lower_char(c));
            } else {
                of_buf_mem(out, text, n);
            }
        }
        text += n;
        left -= n;
    }
}

/* Writes the prefix (behind a separator where needed); undone by end_key() if nothing follows it. */
static size_t begin_key(struct of_buf *out, const char *prefix)
{
    size_t start = out->len;
    if (start > 0) {
        of_buf_char(out, OF_MATCH_SEP);
    }
    of_buf_str(out, prefix);
    return start;
}

static void end_key(struct of_buf *out, size_t start, size_t min)
{
    size_t prefix = start > 0 ? 3 : 2;
    if (!out->bad && out->len < start + prefix + min) {
        out->len = start;
        out->data[start] = '\0';
    }
}

void of_match_email(struct of_buf *out, const char *address)
{
    size_t start = begin_key(out, "e:");
    of_match_fold(out, address ? address : "");
    end_key(out, start, 1);
}

void of_match_phone(struct of_buf *out, const char *number)
{
    char digits[PHONE_DIGITS_MAX + 1] = "";
    size_t n = 0;
    for (const char *p = number ? number : ""; *p; p++) {
        if (*p < '0' || *p > '9') {
            continue;
        }
        if (n == PHONE_DIGITS_MAX) {
            memmove(digits, digits + 1, --n);
        }
        digits[n++] = *p;
    }
    digits[n] = '\0';
    size_t start = begin_key(out, "p:");
    of_buf_str(out, digits);
    end_key(out, start, PHONE_DIGITS_MIN);
}

void of_match_name(struct of_buf *out, const char *first, const char *last)
{
    size_t start = begin_key(out, "n:");
    size_t before = out->len;
    of_match_fold(out, first ? first : "");
    size_t middle = out->len;
    if (middle > before) {
        of_buf_char(out, ' ');
    }
    size_t behind = out->len;
    of_match_fold(out, last ? last : "");
    if (!out->bad && out->len == behind && behind > middle) {
        out->len = middle; /* no last name: no blank */
        out->data[middle] = '\0';
    }
    end_key(out, start, 1);
}

void of_match_birthdate(struct of_buf *out, const char *date)
{
    size_t start = begin_key(out, "b:");
    of_buf_str(out, date ? date : "");
    end_key(out, start, 1);
}

static int compare_keys(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

char *of_match_sorted(const char *keys)
{
    OF_CLEANUP(of_freep) char *copy = of_strdup(keys);
    size_t n = 1;
    for (const char *p = keys; *p; p++) {
        n += *p == OF_MATCH_SEP;
    }
    OF_CLEANUP(of_freep) const char **list = of_reallocarray(NULL, n, sizeof(*list));
    n = 0;
    for (char *p = copy; p;) {
        char *next = strchr(p, OF_MATCH_SEP);
        if (next) {
            *next++ = '\0';
        }
        list[n++] = p;
        p = next;
    }
    qsort(list, n, sizeof(*list), compare_keys);
    char *out = of_alloc(strlen(keys) + 1);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(list[i - 1], list[i]) == 0) {
            continue;
        }
        if (len > 0) {
            out[len++] = OF_MATCH_SEP;
        }
        size_t k = strlen(list[i]);
        memcpy(out + len, list[i], k);
        len += k;
    }
    out[len] = '\0';
    return out;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/crypto.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *of_base64(const void *p, size_t n)
{
    const unsigned char *in = p;
    OF_BUG_ON(n > SIZE_MAX / 2);
    char *text = of_alloc((n + 2) / 3 * 4 + 1);
    char *out = text;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        unsigned int v = (unsigned int)in[i] << 16;
        v |= left > 1 ? (unsigned int)in[i + 1] << 8 : 0;
        v |= left > 2 ? (unsigned int)in[i + 2] : 0;
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = '=';
        *out++ = '=';
        if (left > 1) {
            out[-2] = alphabet[v >> 6 & 63];
        }
        if (left > 2) {
            out[-1] = alphabet[v & 63];
        }
    }
    *out = '\0';
    return text;
}

static int value_of(char c)
{
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* Four characters to `bytes` (1 to 3) bytes in *ret; the bits that are left over must be zero. */
static bool decode_group(const char *s, int bytes, unsigned int *ret)
{
    unsigned int v = 0;
    for (int i = 0; i < 4; i++) {
        int digit = i <= bytes ? value_of(s[i]) : 0;
        if (digit < 0) {
            return false;
        }
        v = v << 6 | (unsigned int)digit;
    }
    *ret = v;
    return (v & (0xffffffU >> (8 * bytes))) == 0 || bytes == 3;
}

bool of_base64_decode(const char *s, unsigned char *out, size_t cap, size_t *ret_len)
{
    size_t n = s ? strlen(s) : 1;
    if (n % 4 != 0) {
        return false;
    }
    size_t len = n / 4 * 3;
    if (n > 0 && s[n - 1] == '=') {
        len -= s[n - 2] == '=' ? 2 : 1;
    }
    if (len > cap) {
        return false;
    }
    size_t done = 0;
    for (size_t i = 0; i < n; i += 4) {
        int bytes = (int)OF_MIN(len - done, (size_t)3);
        unsigned int v = 0;
        if (!decode_group(s + i, bytes, &v)) {
            return false;
        }
        for (int k = 0; k < bytes; k++) {
            out[done++] = (unsigned char)(v >> (16 - 8 * k));
        }
    }
    *ret_len = len;
    return true;
}

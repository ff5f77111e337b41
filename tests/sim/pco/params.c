/* SPDX-License-Identifier: Apache-2.0 */
#include "params.h"

#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static char *decode(const char *s, size_t n)
{
    char *out = sim_alloc(n + 1);
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (s[i] == '+') {
            out[len++] = ' ';
        } else if (s[i] == '%' && i + 2 < n && hex_digit(s[i + 1]) >= 0 &&
                   hex_digit(s[i + 2]) >= 0) {
            out[len++] = (char)(hex_digit(s[i + 1]) * 16 + hex_digit(s[i + 2]));
            i += 2;
        } else {
            out[len++] = s[i];
        }
    }
    return out;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct sim_param *)a)->key, ((const struct sim_param *)b)->key);
}

static void set(struct sim_params *p, char *key, char *value)
{
    for (size_t i = 0; i < p->n; i++) {
        if (!strcmp(p->v[i].key, key)) { /* the last one counts */
            free(p->v[i].value);
            free(key);
            p->v[i].value = value;
            return;
        }
    }
    p->v = sim_realloc(p->v, (p->n + 1) * sizeof *p->v);
    p->v[p->n++] = (struct sim_param){key, value};
}

void sim_params_parse(struct sim_params *p, const char *query)
{
    while (query && *query) {
        size_t len = strcspn(query, "&");
        const char *eq = memchr(query, '=', len);
        size_t klen = eq ? (size_t)(eq - query) : len;

        if (klen) {
            set(p, decode(query, klen), eq ? decode(eq + 1, len - klen - 1) : sim_strdup(""));
        }
        query += len;
        query += *query == '&';
    }
    if (p->n > 1) {
        qsort(p->v, p->n, sizeof *p->v, by_key);
    }
}

const char *sim_params_get(const struct sim_params *p, const char *key)
{
    for (size_t i = 0; i < p->n; i++) {
        if (!strcmp(p->v[i].key, key)) {
            return p->v[i].value;
        }
    }
    return NULL;
}

static void write_pair(struct sim_buf *out, bool *first, const char *key, const char *value)
{
    sim_buf_char(out, *first ? '?' : '&');
    *first = false;
    sim_buf_urlenc(out, key, true);
    sim_buf_char(out, '=');
    sim_buf_urlenc(out, value, false);
}

void sim_params_write(const struct sim_params *p, int64_t offset, struct sim_buf *out)
{
    struct sim_buf number = {0};
    bool first = true, done = offset < 0;

    sim_buf_i64(&number, offset);
    for (size_t i = 0; i < p->n; i++) {
        int order = strcmp(p->v[i].key, "offset");

        if (!done && order >= 0) {
            write_pair(out, &first, "offset", sim_buf_cstr(&number));
            done = true;
        }
        if (order != 0 || offset < 0) {
            write_pair(out, &first, p->v[i].key, p->v[i].value);
        }
    }
    if (!done) {
        write_pair(out, &first, "offset", sim_buf_cstr(&number));
    }
    sim_buf_free(&number);
}

void sim_params_free(struct sim_params *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->v[i].key);
        free(p->v[i].value);
    }
    free(p->v);
    *p = (struct sim_params){0};
}

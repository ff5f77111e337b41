/* SPDX-License-Identifier: Apache-2.0 */
#include "base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void *sim_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (!p) {
        abort();
    }
    return p;
}

void *sim_realloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);

    if (!q) {
        abort();
    }
    return q;
}

char *sim_strndup(const char *s, size_t n)
{
    char *p = sim_alloc(n + 1);

    memcpy(p, s, n);
    return p;
}

char *sim_strdup(const char *s)
{
    return sim_strndup(s, strlen(s));
}

void sim_buf_room(struct sim_buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 1024;

    if (b->len + n <= b->cap) {
        return;
    }
    while (cap < b->len + n) {
        cap *= 2;
    }
    b->data = sim_realloc(b->data, cap);
    b->cap = cap;
}

void sim_buf_put(struct sim_buf *b, const void *p, size_t n)
{
    sim_buf_room(b, n);
    memcpy(b->data + b->len, p, n);
    b->len += n;
}

void sim_buf_str(struct sim_buf *b, const char *s)
{
    sim_buf_put(b, s, strlen(s));
}

void sim_buf_char(struct sim_buf *b, char c)
{
    sim_buf_room(b, 1);
    b->data[b->len++] = c;
}

void sim_buf_i64(struct sim_buf *b, int64_t v)
{
    char tmp[24];
    size_t n = sizeof tmp;
    uint64_t u = v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v;

    do {
        tmp[--n] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0) {
        tmp[--n] = '-';
    }
    sim_buf_put(b, tmp + n, sizeof tmp - n);
}

void sim_buf_fmt(struct sim_buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        abort();
    }
    sim_buf_room(b, (size_t)n + 1);
    va_start(ap, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void sim_buf_json(struct sim_buf *b, const char *s)
{
    static const char hex[] = "0123456789abcdef";
    const char *from = s;

    if (!s) {
        SIM_LIT(b, "null");
        return;
    }
    sim_buf_char(b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        sim_buf_put(b, from, (size_t)(s - from));
        from = s + 1;
        if (c == '"' || c == '\\') {
            sim_buf_char(b, '\\');
            sim_buf_char(b, (char)c);
        } else if (c == '\n') {
            SIM_LIT(b, "\\n");
        } else {
            SIM_LIT(b, "\\u00");
            sim_buf_char(b, hex[c >> 4]);
            sim_buf_char(b, hex[c & 15]);
        }
    }
    sim_buf_put(b, from, (size_t)(s - from));
    sim_buf_char(b, '"');
}

void sim_buf_urlenc(struct sim_buf *b, const char *s, bool keep_brackets)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("-_.~", c) || (keep_brackets && (c == '[' || c == ']'))) {
            sim_buf_char(b, (char)c);
        } else if (c == ' ') {
            sim_buf_char(b, '+');
        } else {
            sim_buf_char(b, '%');
            sim_buf_char(b, hex[c >> 4]);
            sim_buf_char(b, hex[c & 15]);
        }
    }
}

const char *sim_buf_cstr(struct sim_buf *b)
{
    sim_buf_room(b, 1);
    b->data[b->len] = '\0';
    return b->data;
}

void sim_buf_free(struct sim_buf *b)
{
    free(b->data);
    *b = (struct sim_buf){0};
}

struct sim_arena_chunk {
    struct sim_arena_chunk *next;
    size_t size;
};

void *sim_arena_alloc(struct sim_arena *a, size_t size)
{
    char *p;

    size = (size + 7) & ~(size_t)7;
    if (size > a->left) {
        struct sim_arena_chunk *c;
        size_t want;

        a->chunk_size = a->chunk_size == 0         ? 16 * 1024
                        : a->chunk_size < 1u << 20 ? a->chunk_size * 2
                                                   : a->chunk_size;
        want = size > a->chunk_size ? size : a->chunk_size;
        c = sim_alloc(sizeof *c + want);
        c->next = a->chunks;
        c->size = want;
        a->chunks = c;
        a->next = (char *)(c + 1);
        a->left = want;
        a->total += want;
    }
    p = a->next;
    a->next += size;
    a->left -= size;
    return p;
}

char *sim_arena_str(struct sim_arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = sim_arena_alloc(a, n);

    memcpy(p, s, n);
    return p;
}

char *sim_arena_fmt(struct sim_arena *a, const char *fmt, ...)
{
    char tmp[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(tmp, sizeof tmp, fmt, ap);
    va_end(ap);
    return sim_arena_str(a, tmp);
}

void sim_arena_free(struct sim_arena *a)
{
    struct sim_arena_chunk *c = a->chunks;

    while (c) {
        struct sim_arena_chunk *next = c->next;

        free(c);
        c = next;
    }
    *a = (struct sim_arena){0};
}

uint64_t sim_rng_next(struct sim_rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t sim_rng_below(struct sim_rng *r, uint64_t n)
{
    return n ? sim_rng_next(r) % n : 0;
}

int64_t sim_rng_range(struct sim_rng *r, int64_t from, int64_t to)
{
    return to <= from ? from : from + (int64_t)sim_rng_below(r, (uint64_t)(to - from) + 1);
}

bool sim_rng_chance(struct sim_rng *r, double p)
{
    return (double)(sim_rng_next(r) >> 11) < p * 9007199254740992.0;
}

uint64_t sim_mix(uint64_t a, uint64_t b)
{
    struct sim_rng r = {a * 0x9e3779b97f4a7c15u + b};

    (void)sim_rng_next(&r);
    return sim_rng_next(&r);
}

int64_t sim_mono_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t sim_wall_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec;
}

int64_t sim_days_from_civil(int64_t year, int month, int day)
{
    int64_t era, yoe, doy;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    yoe = year - era * 400;
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t era, doe, yoe, doy, mp;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = days - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    *ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = (int)(yoe + era * 400 + (*ret_month <= 2));
}

static int64_t floor_days(int64_t epoch_s)
{
    return (epoch_s >= 0 ? epoch_s : epoch_s - 86399) / 86400;
}

static void two(char *out, int v)
{
    out[0] = (char)('0' + v / 10 % 10);
    out[1] = (char)('0' + v % 10);
}

void sim_format_date(int64_t epoch_s, char out[16])
{
    int y, m, d;

    civil_from_days(floor_days(epoch_s), &y, &m, &d);
    two(out, y / 100);
    two(out + 2, y % 100);
    out[4] = '-';
    two(out + 5, m);
    out[7] = '-';
    two(out + 8, d);
    out[10] = '\0';
}

void sim_format_time(int64_t epoch_s, char out[24])
{
    int s = (int)(epoch_s - floor_days(epoch_s) * 86400);

    sim_format_date(epoch_s, out);
    out[10] = 'T';
    two(out + 11, s / 3600);
    out[13] = ':';
    two(out + 14, s / 60 % 60);
    out[16] = ':';
    two(out + 17, s % 60);
    out[19] = 'Z';
    out[20] = '\0';
}

void sim_format_http_date(int64_t epoch_s, char out[40])
{
    static const char wday[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char mon[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t days = floor_days(epoch_s);
    int s = (int)(epoch_s - days * 86400), y, m, d;

    civil_from_days(days, &y, &m, &d);
    (void)snprintf(out, 40, "%s, %02d %s %04d %02d:%02d:%02d GMT", wday[days % 7], d, mon[m - 1],
                   y, s / 3600, s / 60 % 60, s % 60);
}

static bool digits(const char **p, int n, int *ret)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if ((*p)[i] < '0' || (*p)[i] > '9') {
            return false;
        }
        v = v * 10 + ((*p)[i] - '0');
    }
    *p += n;
    *ret = v;
    return true;
}

static bool parse_zone(const char *p, int64_t *ret_offset_s)
{
    int h, m, sign;

    *ret_offset_s = 0;
    if (!*p || !strcmp(p, "Z") || !strcmp(p, "z")) {
        return true;
    }
    if (*p != '+' && *p != '-' && *p != ' ') {
        return false;
    }
    sign = *p == '-' ? -1 : 1;
    p++;
    if (!digits(&p, 2, &h)) {
        return false;
    }
    p += *p == ':';
    if (!digits(&p, 2, &m) || *p) {
        return false;
    }
    *ret_offset_s = sign * (h * 3600 + m * 60);
    return true;
}

bool sim_parse_time(const char *s, int64_t *ret_epoch_s)
{
    int y, mo, d, h = 0, mi = 0, sec = 0;
    int64_t offset = 0;

    if (!digits(&s, 4, &y) || *s++ != '-' || !digits(&s, 2, &mo) || *s++ != '-' ||
        !digits(&s, 2, &d) || mo < 1 || mo > 12 || d < 1 || d > 31) {
        return false;
    }
    if (*s == 'T' || *s == ' ' || *s == 't') {
        s++;
        if (!digits(&s, 2, &h) || *s++ != ':' || !digits(&s, 2, &mi)) {
            return false;
        }
        if (*s == ':') {
            s++;
            if (!digits(&s, 2, &sec)) {
                return false;
            }
        }
        if (*s == '.') {
            s++;
            while (*s >= '0' && *s <= '9') {
                s++;
            }
        }
    }
    if (!parse_zone(s, &offset)) {
        return false;
    }
    *ret_epoch_s =
        sim_days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - offset;
    return true;
}

bool sim_parse_i64(const char *s, int64_t *ret_value)
{
    char *end = NULL;
    long long v;

    if (!*s || *s == ' ' || *s == '+') {
        return false;
    }
    errno = 0;
    v = strtoll(s, &end, 10);
    if (errno || *end) {
        return false;
    }
    *ret_value = v;
    return true;
}

/* Latin-1 supplement and Latin Extended-A, enough for the names we make. */
static char fold_latin(unsigned cp)
{
    static const char latin[] = "aaaaaaaceeeeiiiidnooooo.ouuuuytsaaaaaaaceeeeiiiidnooooo.ouuuuyty"
                                "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
                                "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

    if (cp >= 0xc0 && cp < 0xc0 + sizeof latin - 1 && latin[cp - 0xc0] != '.') {
        return latin[cp - 0xc0];
    }
    return 0;
}

void sim_fold(const char *s, char *out, size_t out_size)
{
    size_t n = 0;

    while (*s && n + 1 < out_size) {
        unsigned char c = (unsigned char)*s;

        if ((c & 0xe0) == 0xc0 && s[1]) {
            char f = fold_latin((unsigned)(c & 0x1f) << 6 | ((unsigned char)s[1] & 0x3f));

            if (f) {
                out[n++] = f;
                s += 2;
                continue;
            }
        }
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c;
        s++;
    }
    out[n] = '\0';
}

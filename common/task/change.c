/* SPDX-License-Identifier: Apache-2.0 */
#include "common/task/change.h"

#include "common/json/json.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NUMBER 9007199254740991 /* 2^53 - 1: what JSON numbers carry exactly */
#define OPS "iudtr"

/* --- writing: no cJSON, no printf; what is plain is copied as it is --- */

/* No escape is needed: ASCII without quotes, backslashes and control characters. */
static bool is_plain(const char *s, size_t len)
{
    unsigned char odd = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        odd |= (unsigned char)(c < 0x20 || c >= 0x80 || c == '"' || c == '\\');
    }
    return odd == 0;
}

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}
#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, uint64_t v)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n > 0) {
        *at++ = digits[--n];
    }
    return at;
}

static char *put_hex(char *at, uint32_t v)
{
    char digits[8];
    size_t n = 0;
    do {
        digits[n++] = "0123456789ABCDEF"[v & 15];
        v >>= 4;
    } while (v != 0);
    while (n > 0) {
        *at++ = digits[--n];
    }
    return at;
}

/* What follows the id: 220 bytes at most. */
static size_t put_tail(const struct of_change *c, char *tail)
{
    char *at = PUT(tail, ",\"op\":\"");
    *at++ = c->op;
    at = PUT(at, "\",\"xid\":\"");
    at = put_number(at, c->xid);
    at = PUT(at, "\",\"sys\":\"");
    at = put_number(at, c->sys);
    at = PUT(at, "\",\"tl\":");
    at = put_number(at, c->timeline);
    at = PUT(at, ",\"lsn\":\"");
    at = put_hex(at, (uint32_t)(c->lsn >> 32));
    *at++ = '/';
    at = put_hex(at, (uint32_t)c->lsn);
    at = PUT(at, "\",\"at\":");
    at = put_number(at, (uint64_t)c->at_us);
    at = PUT(at, ",\"n\":");
    at = put_number(at, (uint64_t)c->n);
    *at++ = '}';
    return (size_t)(at - tail);
}

#define HEAD "{\"v\":1,\"org\":"
#define TABLE ",\"table\":"
#define ID ",\"id\":"

void of_change_encode(const struct of_change *c, struct of_buf *b)
{
    OF_BUG_ON(c->op == '\0' || strchr(OPS, c->op) == NULL || c->at_us < 0 || c->n < 0);
    char tail[256];
    size_t tail_len = put_tail(c, tail);
    size_t org = strlen(c->org), table = strlen(c->table), id = strlen(c->id);
    if (!is_plain(c->org, org) || !is_plain(c->table, table) || !is_plain(c->id, id)) {
        of_buf_str(b, HEAD);
        of_buf_json_mem(b, c->org, org);
        of_buf_str(b, TABLE);
        of_buf_json_mem(b, c->table, table);
        of_buf_str(b, ID);
        of_buf_json_mem(b, c->id, id);
        of_buf_mem(b, tail, tail_len);
        return;
    }
    char *at = of_buf_grow(b, sizeof(HEAD TABLE ID) - 1 + 6 + org + table + id + tail_len);
    if (at == NULL) {
        return; /* the buffer is bad, as its owner will see */
    }
    at = put(PUT(at, HEAD "\""), c->org, org);
    at = put(PUT(at, "\"" TABLE "\""), c->table, table);
    at = put(PUT(at, "\"" ID "\""), c->id, id);
    (void)put(PUT(at, "\""), tail, tail_len);
}

/* --- reading: first as of_change_encode() writes it; whatever else is valid (blanks, escapes, another order of the members)
 * is left to common/json, and so are all words about what is wrong --- */

struct piece {
    const char *at;
    size_t len;
};

struct raw {
    struct piece org, table, id, op, xid, sys, lsn;
    int64_t timeline, at_us, n;
};

struct scan {
    const char *p;
    const char *end;
};

static bool scan_literal(struct scan *s, const char *literal, size_t len)
{
    if ((size_t)(s->end - s->p) < len || memcmp(s->p, literal, len) != 0) {
        return false;
    }
    s->p += len;
    return true;
}
#define SCAN(s, literal) scan_literal(s, literal, sizeof(literal) - 1)

/* After the opening quote, up to and over the closing one. */
static bool scan_plain(struct scan *s, struct piece *ret)
{
    const char *quote = memchr(s->p, '"', (size_t)(s->end - s->p));
    if (quote == NULL || !is_plain(s->p, (size_t)(quote - s->p))) {
        return false;
    }
    *ret = (struct piece){s->p, (size_t)(quote - s->p)};
    s->p = quote + 1;
    return true;
}

/* Decimal without a leading zero, as long as it is below max. */
static bool scan_digits(struct scan *s, uint64_t max, uint64_t *ret)
{
    const char *start = s->p;
    uint64_t v = 0;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) {
        uint64_t digit = (uint64_t)(*s->p - '0');
        if (v > (max - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *ret = v;
    return s->p > start && (*start != '0' || s->p - start == 1);
}

static bool scan_number(struct scan *s, int64_t *ret)
{
    uint64_t v = 0;
    if (!scan_digits(s, MAX_NUMBER, &v)) {
        return false;
    }
    *ret = (int64_t)v;
    return true;
}

static bool scan_as_written(const char *text, size_t len, struct raw *ret)
{
    struct scan s = {.p = text, .end = text + len};
    return SCAN(&s, HEAD "\"") && scan_plain(&s, &ret->org) && SCAN(&s, TABLE "\"") && scan_plain(&s, &ret->table) &&
           SCAN(&s, ID "\"") && scan_plain(&s, &ret->id) && SCAN(&s, ",\"op\":\"") && scan_plain(&s, &ret->op) &&
           SCAN(&s, ",\"xid\":\"") && scan_plain(&s, &ret->xid) && SCAN(&s, ",\"sys\":\"") && scan_plain(&s, &ret->sys) &&
           SCAN(&s, ",\"tl\":") && scan_number(&s, &ret->timeline) && SCAN(&s, ",\"lsn\":\"") && scan_plain(&s, &ret->lsn) &&
           SCAN(&s, ",\"at\":") && scan_number(&s, &ret->at_us) && SCAN(&s, ",\"n\":") && scan_number(&s, &ret->n) &&
           SCAN(&s, "}") && s.p == s.end;
}

static bool parse_u64(struct piece text, uint64_t *ret)
{
    struct scan s = {.p = text.at, .end = text.at + text.len};
    return scan_digits(&s, UINT64_MAX, ret) && s.p == s.end;
}

/* 1 to 8 digits, upper case, without a leading zero: as the server writes it. */
static bool scan_hex(struct scan *s, uint64_t *ret)
{
    const char *start = s->p;
    uint64_t v = 0;
    for (; s->p < s->end && s->p - start < 8; s->p++) {
        char c = *s->p;
        if (c >= '0' && c <= '9') {
            v = v << 4 | (uint64_t)(c - '0');
        } else if (c >= 'A' && c <= 'F') {
            v = v << 4 | (uint64_t)(c - 'A' + 10);
        } else {
            break;
        }
    }
    *ret = v;
    return s->p > start && (*start != '0' || s->p - start == 1);
}

static bool parse_lsn(struct piece text, uint64_t *ret)
{
    struct scan s = {.p = text.at, .end = text.at + text.len};
    uint64_t high = 0, low = 0;
    if (!scan_hex(&s, &high) || !SCAN(&s, "/") || !scan_hex(&s, &low) || s.p != s.end) {
        return false;
    }
    *ret = high << 32 | low;
    return true;
}

static enum of_code check_name(const char *name, struct piece text, size_t max, struct of_err *err)
{
    if (text.len == 0) {
        return of_err_set(err, OF_E_PARSE, "$.%s: empty", name);
    }
    if (text.len > max) {
        return of_err_set(err, OF_E_TOO_LARGE, "$.%s: longer than %zu bytes", name, max);
    }
    return OF_OK;
}

static char *keep(char **at, struct piece text)
{
    char *start = *at;
    memcpy(start, text.at, text.len);
    start[text.len] = '\0';
    *at = start + text.len + 1;
    return start;
}

static enum of_code take_raw(const struct raw *raw, struct of_change *ret_change, struct of_err *err)
{
    struct of_change c = {.timeline = (uint32_t)raw->timeline, .at_us = raw->at_us, .n = raw->n};
    OF_TRY(check_name("org", raw->org, OF_CHANGE_ORG_MAX, err));
    OF_TRY(check_name("table", raw->table, OF_CHANGE_TABLE_MAX, err));
    if (raw->op.len != 1 || strchr(OPS, raw->op.at[0]) == NULL) {
        return of_err_set(err, OF_E_PARSE, "$.op: not known");
    }
    c.op = raw->op.at[0];
    if (c.op != 't') {
        OF_TRY(check_name("id", raw->id, OF_CHANGE_ID_MAX, err));
    } else if (raw->id.len != 0) {
        return of_err_set(err, OF_E_PARSE, "$.id: expected to be empty");
    }
    if (!parse_u64(raw->xid, &c.xid)) {
        return of_err_set(err, OF_E_PARSE, "$.xid: expected a decimal number");
    }
    if (!parse_u64(raw->sys, &c.sys)) {
        return of_err_set(err, OF_E_PARSE, "$.sys: expected a decimal number");
    }
    if (raw->timeline > UINT32_MAX) {
        return of_err_set(err, OF_E_PARSE, "$.tl: out of range");
    }
    if (!parse_lsn(raw->lsn, &c.lsn)) {
        return of_err_set(err, OF_E_PARSE, "$.lsn: expected two hexadecimal numbers");
    }
    char *at = c.text = of_alloc(raw->org.len + raw->table.len + raw->id.len + 3);
    c.org = keep(&at, raw->org);
    c.table = keep(&at, raw->table);
    c.id = keep(&at, raw->id);
    *ret_change = c;
    return OF_OK;
}

static enum of_code get_text(const struct of_json *root, const char *key, struct piece *ret, struct of_err *err)
{
    OF_TRY(of_json_req_text(root, "$", key, OF_CHANGE_MAX_BYTES, &ret->at, err));
    ret->len = strlen(ret->at);
    return OF_OK;
}

static enum of_code get_members(const struct of_json *root, struct raw *raw, struct of_err *err)
{
    if (of_json_type(root) != OF_JSON_OBJECT) {
        return of_err_set(err, OF_E_PARSE, "$: expected object");
    }
    int64_t version = 0;
    OF_TRY(of_json_req_i64(root, "$", "v", 1, 1, &version, err));
    OF_TRY(get_text(root, "org", &raw->org, err));
    OF_TRY(get_text(root, "table", &raw->table, err));
    OF_TRY(get_text(root, "id", &raw->id, err));
    OF_TRY(get_text(root, "op", &raw->op, err));
    OF_TRY(get_text(root, "xid", &raw->xid, err));
    OF_TRY(get_text(root, "sys", &raw->sys, err));
    OF_TRY(of_json_req_i64(root, "$", "tl", 0, UINT32_MAX, &raw->timeline, err));
    OF_TRY(get_text(root, "lsn", &raw->lsn, err));
    OF_TRY(of_json_req_i64(root, "$", "at", 0, MAX_NUMBER, &raw->at_us, err));
    OF_TRY(of_json_req_i64(root, "$", "n", 0, MAX_NUMBER, &raw->n, err));
    /* each is there once: one more is a sign of another version, refused, not guessed at */
    if (of_json_len(root) != 11) {
        return of_err_set(err, OF_E_PARSE, "$: a member is not known");
    }
    return OF_OK;
}

enum of_code of_change_decode(const char *text, size_t len, struct of_change *ret_change, struct of_err *err)
{
    struct raw raw = {.timeline = 0};
    if (len <= OF_CHANGE_MAX_BYTES && scan_as_written(text, len, &raw)) {
        return take_raw(&raw, ret_change, err);
    }
    OF_CLEANUP(of_json_freep) struct of_json *root = NULL;
    OF_TRY(of_json_parse(text, len, OF_CHANGE_MAX_BYTES, &root, err));
    OF_TRY(get_members(root, &raw, err));
    return take_raw(&raw, ret_change, err);
}

void of_change_done(struct of_change *c)
{
    free(c->text);
    *c = (struct of_change){.op = c->op};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg/pg.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/pg/pg_int.h"

#define OF_PGARR_MAX_BYTES ((size_t)256 * 1024 * 1024)
#define OF_PGARR_HEADER 20       /* dimensions, has nulls, element type, length, lower bound */
#define OF_PGARR_EMPTY_HEADER 12 /* an empty array has no dimension */
#define OF_PG_EPOCH_US INT64_C(946684800000000) /* 2000-01-01 in microseconds since 1970 */

static const struct {
    Oid scalar, array;
} of_pg_oids[] = {
    [OF_PG_TEXT] = {25, 1009},   [OF_PG_INT8] = {20, 1016},          [OF_PG_BOOL] = {16, 1000},
    [OF_PG_JSONB] = {3802, 3807}, [OF_PG_TIMESTAMPTZ] = {1184, 1185}, [OF_PG_FLOAT8] = {701, 1022},
    [OF_PG_BYTEA] = {17, 1001},
};

static void of_pg_put32(char *p, uint32_t v)
{
    uint32_t be = htobe32(v);
    memcpy(p, &be, sizeof(be));
}

static void of_pg_put64(char *p, uint64_t v)
{
    uint64_t be = htobe64(v);
    memcpy(p, &be, sizeof(be));
}

static void of_pg_put_int8(char *p, enum of_pgtype type, int64_t v)
{
    if (type == OF_PG_TIMESTAMPTZ && __builtin_sub_overflow(v, OF_PG_EPOCH_US, &v)) {
        v = INT64_MIN; /* what Postgres calls -infinity */
    }
    of_pg_put64(p, (uint64_t)v);
}

static void of_pg_put_float8(char *p, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    of_pg_put64(p, bits);
}

/* --- arrays --- */
struct of_pgarr *of_pgarr_new(enum of_pgtype elem)
{
    struct of_pgarr *a = of_calloc(1, sizeof(*a));
    a->elem = elem;
    a->buf = OF_BUF_INIT(OF_PGARR_MAX_BYTES);
    of_pgarr_clear(a);
    return a;
}

void of_pgarr_free(struct of_pgarr *a)
{
    if (a) {
        of_buf_done(&a->buf);
        free(a);
    }
}

void of_pgarr_clear(struct of_pgarr *a)
{
    of_buf_clear(&a->buf);
    a->buf.bad = false;
    a->len = 0;
    char *header = of_buf_grow(&a->buf, OF_PGARR_HEADER);
    memset(header, 0, OF_PGARR_HEADER);
    of_pg_put32(header + 8, of_pg_oids[a->elem].scalar);
    of_pg_put32(header + 16, 1);
}

size_t of_pgarr_len(const struct of_pgarr *a)
{
    return a->len;
}

/* Room for one more element of n bytes after its length word; NULL if the array is too large (found when it is used). */
static char *of_pgarr_element(struct of_pgarr *a, size_t n)
{
    char *p = n > OF_PGARR_MAX_BYTES ? NULL : of_buf_grow(&a->buf, 4 + n);
    if (!p) {
        a->buf.bad = true;
        return NULL;
    }
    a->len++;
    of_pg_put32(a->buf.data, 1);
    of_pg_put32(a->buf.data + 12, (uint32_t)a->len);
    of_pg_put32(p, (uint32_t)n);
    return p + 4;
}

void of_pgarr_null(struct of_pgarr *a)
{
    char *p = of_pgarr_element(a, 0);
    if (p) {
        of_pg_put32(p - 4, UINT32_MAX); /* length -1 */
        of_pg_put32(a->buf.data + 4, 1);
    }
}

void of_pgarr_mem(struct of_pgarr *a, const char *s, size_t len)
{
    OF_BUG_ON(a->elem != OF_PG_TEXT && a->elem != OF_PG_JSONB && a->elem != OF_PG_BYTEA);
    size_t version = a->elem == OF_PG_JSONB ? 1 : 0;
    char *p = len > OF_PGARR_MAX_BYTES ? NULL : of_pgarr_element(a, version + len);
    if (!p) {
        a->buf.bad = true;
        return;
    }
    if (version) {
        *p = 1;
    }
    if (len > 0) {
        memcpy(p + version, s, len);
    }
}

void of_pgarr_text(struct of_pgarr *a, const char *s)
{
    if (s) {
        of_pgarr_mem(a, s, strlen(s));
    } else {
        of_pgarr_null(a);
    }
}

void of_pgarr_int8(struct of_pgarr *a, int64_t v)
{
    OF_BUG_ON(a->elem != OF_PG_INT8 && a->elem != OF_PG_TIMESTAMPTZ);
    char *p = of_pgarr_element(a, 8);
    if (p) {
        of_pg_put_int8(p, a->elem, v);
    }
}

void of_pgarr_bool(struct of_pgarr *a, bool v)
{
    OF_BUG_ON(a->elem != OF_PG_BOOL);
    char *p = of_pgarr_element(a, 1);
    if (p) {
        *p = v ? 1 : 0;
    }
}

void of_pgarr_float8(struct of_pgarr *a, double v)
{
    OF_BUG_ON(a->elem != OF_PG_FLOAT8);
    char *p = of_pgarr_element(a, 8);
    if (p) {
        of_pg_put_float8(p, v);
    }
}

/* --- arguments --- */
static struct of_pgarg *of_pgargs_next(struct of_pgargs *a, enum of_pgtype type)
{
    OF_BUG_ON(a->n >= OF_PG_MAX_ARGS);
    struct of_pgarg *arg = &a->v[a->n++];
    *arg = (struct of_pgarg){.type = type};
    return arg;
}

static void of_pg_arg_string(struct of_pgargs *a, enum of_pgtype type, const char *s)
{
    struct of_pgarg *arg = of_pgargs_next(a, type);
    arg->is_null = s == NULL;
    arg->text = s;
}

void of_pg_arg_text(struct of_pgargs *a, const char *s)
{
    of_pg_arg_string(a, OF_PG_TEXT, s);
}

void of_pg_arg_jsonb(struct of_pgargs *a, const char *json)
{
    of_pg_arg_string(a, OF_PG_JSONB, json);
}

void of_pg_arg_int8(struct of_pgargs *a, int64_t v)
{
    of_pgargs_next(a, OF_PG_INT8)->i = v;
}

void of_pg_arg_bool(struct of_pgargs *a, bool v)
{
    of_pgargs_next(a, OF_PG_BOOL)->i = v ? 1 : 0;
}

void of_pg_arg_time(struct of_pgargs *a, int64_t us)
{
    of_pgargs_next(a, OF_PG_TIMESTAMPTZ)->i = us;
}

void of_pg_arg_float8(struct of_pgargs *a, double v)
{
    of_pgargs_next(a, OF_PG_FLOAT8)->d = v;
}

void of_pg_arg_bytes(struct of_pgargs *a, const void *p, size_t n)
{
    struct of_pgarg *arg = of_pgargs_next(a, OF_PG_BYTEA);
    arg->is_null = p == NULL;
    arg->text = p;
    arg->len = n;
}

void of_pg_arg_null(struct of_pgargs *a, enum of_pgtype type)
{
    of_pgargs_next(a, type)->is_null = true;
}

void of_pg_arg_array(struct of_pgargs *a, const struct of_pgarr *arr)
{
    struct of_pgarg *arg = of_pgargs_next(a, arr->elem);
    arg->is_array = true;
    arg->arr = arr;
}

/* --- libpq's form --- */
static enum of_code of_pgparams_array(const struct of_pgarr *arr, struct of_pgparams *p, int i, struct of_err *err)
{
    if (arr->buf.bad) {
        return of_err_set(err, OF_E_TOO_LARGE, "array parameter %d is over %zu bytes", i + 1, OF_PGARR_MAX_BYTES);
    }
    p->values[i] = arr->buf.data;
    p->lengths[i] = arr->len == 0 ? OF_PGARR_EMPTY_HEADER : (int)arr->buf.len;
    return OF_OK;
}

static enum of_code of_pgparams_scalar(const struct of_pgarg *arg, struct of_pgparams *p, int i, struct of_err *err)
{
    char *scalar = p->scalars[i];
    p->values[i] = scalar;
    switch (arg->type) {
    case OF_PG_TEXT:
    case OF_PG_JSONB:
        p->values[i] = arg->text; /* as text: nothing to convert, nothing to copy */
        p->formats[i] = 0;
        break;
    case OF_PG_BYTEA:
        if (arg->len > OF_PGARR_MAX_BYTES) {
            return of_err_set(err, OF_E_TOO_LARGE, "parameter %d is over %zu bytes", i + 1, OF_PGARR_MAX_BYTES);
        }
        p->values[i] = arg->text;
        p->lengths[i] = (int)arg->len;
        break;
    case OF_PG_BOOL:
        scalar[0] = arg->i ? 1 : 0;
        p->lengths[i] = 1;
        break;
    case OF_PG_INT8:
    case OF_PG_TIMESTAMPTZ:
        of_pg_put_int8(scalar, arg->type, arg->i);
        p->lengths[i] = 8;
        break;
    case OF_PG_FLOAT8:
        of_pg_put_float8(scalar, arg->d);
        p->lengths[i] = 8;
        break;
    }
    return OF_OK;
}

enum of_code of_pgparams_make(const struct of_pgargs *args, struct of_pgparams *ret, struct of_err *err)
{
    ret->n = args ? args->n : 0;
    for (int i = 0; i < ret->n; i++) {
        const struct of_pgarg *arg = &args->v[i];
        ret->types[i] = arg->is_array ? of_pg_oids[arg->type].array : of_pg_oids[arg->type].scalar;
        ret->formats[i] = 1;
        ret->lengths[i] = 0;
        if (arg->is_null) {
            ret->values[i] = NULL;
        } else if (arg->is_array) {
            OF_TRY(of_pgparams_array(arg->arr, ret, i, err));
        } else {
            OF_TRY(of_pgparams_scalar(arg, ret, i, err));
        }
    }
    return OF_OK;
}

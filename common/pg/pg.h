/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PG_H
#define OF_PG_H

/* PostgreSQL through libpq: one connection (struct of_pg) belongs to one thread at a time; of_pgpool hands them out.
 * Every statement is a struct of_sql, prepared on a connection at its first use there and kept. Values are parameters only.
 * Errors carry the SQLSTATE; class by one table (pg_class.c): 40001, 40P01, 55P03, 57xxx, 08xxx and client-side failures
 * RETRY; 22xxx, 23xxx PERMANENT; 42xxx, 0A000, 53xxx SYSTEMIC (53300 too many connections: RETRY). A broken connection is
 * reopened by the next of_pgpool_get(). Messages of the server's DETAIL (values!) are never copied. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"
#include "common/pg/sql.h"

struct of_pg;
struct of_pgpool;
struct of_pgres;

/* --- connections --- */
/* Blocks: up to 10 s. Session settings: client_encoding UTF8, TimeZone UTC, application_name, statement_timeout 60 s,
 * idle_in_transaction_session_timeout 60 s, tcp_user_timeout, jit off, search_path pinned to pg_catalog (all our SQL
 * qualifies names). */
OF_MUSTCHECK enum of_code of_pg_connect(const char *url, const char *application, struct of_pg **ret, struct of_err *err);
void of_pg_free(struct of_pg *db);
bool of_pg_is_broken(const struct of_pg *db);
/* How long one round trip may take before the connection is given up as broken; 0: for ever (migrations). Default: 70 s,
 * ten seconds more than statement_timeout. A connection put back into its pool has the default again. */
void of_pg_set_deadline(struct of_pg *db, int timeout_ms);

/* max connections are opened lazily. get: blocks up to wait_ms for a free one (OF_E_DB) and to connect; after 15 s, then ever more
 * seldom, it costs a round trip more (DISCARD PLANS: a plan that was made on an empty table must not stay). Any thread. */
struct of_pgpool *of_pgpool_new(const char *url, const char *application, int max);
void of_pgpool_free(struct of_pgpool *pool); /* all must have been put back */
/* SQL that runs on every connection opened from now on (SET …); copied. Before the first of_pgpool_get(). */
void of_pgpool_set_setup(struct of_pgpool *pool, const char *script);
OF_MUSTCHECK enum of_code of_pgpool_get(struct of_pgpool *pool, int wait_ms, struct of_pg **ret, struct of_err *err);
/* Rolls back an open transaction; a broken one is closed. NULL is fine. */
void of_pgpool_put(struct of_pgpool *pool, struct of_pg *db);

/* --- parameters: binary where it matters; the struct copies nothing but scalars: texts and arrays are borrowed until the
 * call returns. At most OF_PG_MAX_ARGS. --- */
#define OF_PG_MAX_ARGS 24
struct of_pgarr; /* a growing array parameter: text[], int8[], jsonb[], timestamptz[], bool[]; NULL elements allowed */
enum of_pgtype { OF_PG_TEXT, OF_PG_INT8, OF_PG_BOOL, OF_PG_JSONB, OF_PG_TIMESTAMPTZ, OF_PG_FLOAT8, OF_PG_BYTEA };
struct of_pgarr *of_pgarr_new(enum of_pgtype elem);
void of_pgarr_free(struct of_pgarr *a);
void of_pgarr_clear(struct of_pgarr *a);
size_t of_pgarr_len(const struct of_pgarr *a);
void of_pgarr_text(struct of_pgarr *a, const char *s); /* NULL: null; also for OF_PG_JSONB elements */
void of_pgarr_mem(struct of_pgarr *a, const char *s, size_t len);
void of_pgarr_int8(struct of_pgarr *a, int64_t v); /* timestamptz: microseconds since 1970 */
void of_pgarr_bool(struct of_pgarr *a, bool v);
void of_pgarr_float8(struct of_pgarr *a, double v);
void of_pgarr_null(struct of_pgarr *a);
OF_DEFINE_CLEANUP(struct of_pgarr, of_pgarr_free, of_pgarr_freep)

struct of_pgargs {
    int n;
    struct of_pgarg {
        enum of_pgtype type;
        bool is_array, is_null;
        const char *text;
        size_t len;
        int64_t i;
        double d;
        const struct of_pgarr *arr;
    } v[OF_PG_MAX_ARGS];
};
#define OF_PGARGS_INIT ((struct of_pgargs){.n = 0})
void of_pg_arg_text(struct of_pgargs *a, const char *s); /* NULL: null */
void of_pg_arg_int8(struct of_pgargs *a, int64_t v);
void of_pg_arg_bool(struct of_pgargs *a, bool v);
void of_pg_arg_jsonb(struct of_pgargs *a, const char *json);
void of_pg_arg_time(struct of_pgargs *a, int64_t us); /* microseconds since 1970 */
void of_pg_arg_bytes(struct of_pgargs *a, const void *p, size_t n);
void of_pg_arg_float8(struct of_pgargs *a, double v);
void of_pg_arg_null(struct of_pgargs *a, enum of_pgtype type);
void of_pg_arg_array(struct of_pgargs *a, const struct of_pgarr *arr);

/* --- running --- */
/* Blocks: one round trip (two at a statement's first use). ret_res may be NULL if rows do not matter. *ret_res is the caller's.
 * args may be NULL. A statement keeps its parameter types: null has a type too (of_pg_arg_null). Fails: OF_E_DB, OF_E_DB_DATA,
 * OF_E_DB_SCHEMA, OF_E_TOO_LARGE (an array over 256 MiB), OF_E_BUG (number or types of parameters are not the statement's). */
OF_MUSTCHECK enum of_code of_pg_run(struct of_pg *db, const struct of_sql *sql, const struct of_pgargs *args,
                                    struct of_pgres **ret_res, struct of_err *err);
/* Same, and gives the number of rows affected (or returned). */
OF_MUSTCHECK enum of_code of_pg_run_count(struct of_pg *db, const struct of_sql *sql, const struct of_pgargs *args,
                                          int64_t *ret_rows, struct of_err *err);
/* Text without parameters, several statements allowed (migrations, SET). */
OF_MUSTCHECK enum of_code of_pg_script(struct of_pg *db, const char *text, struct of_err *err);
OF_MUSTCHECK enum of_code of_pg_begin(struct of_pg *db, struct of_err *err);
/* A commit whose answer is lost gives OF_E_DB: whoever repeats must find out (seq, fence). */
OF_MUSTCHECK enum of_code of_pg_commit(struct of_pg *db, struct of_err *err);
void of_pg_rollback(struct of_pg *db); /* never fails: a broken connection is rolled back by the server */

/* --- results (text format from the server, parsed here) --- */
void of_pgres_free(struct of_pgres *res);
OF_DEFINE_CLEANUP(struct of_pgres, of_pgres_free, of_pgres_freep)
int of_pgres_rows(const struct of_pgres *res);
bool of_pgres_is_null(const struct of_pgres *res, int row, int col);
const char *of_pgres_text(const struct of_pgres *res, int row, int col); /* borrowed; "" for null */
const char *of_pgres_text_null(const struct of_pgres *res, int row, int col); /* NULL for null */
size_t of_pgres_len(const struct of_pgres *res, int row, int col);
int64_t of_pgres_i64(const struct of_pgres *res, int row, int col); /* 0 for null */
bool of_pgres_bool(const struct of_pgres *res, int row, int col);
/* A timestamptz column selected as (extract(epoch from c)*1000000)::bigint, or plain text form; microseconds since 1970.
 * infinity: INT64_MAX, -infinity: INT64_MIN; 0 for null and for years outside 0001-9999. */
int64_t of_pgres_time(const struct of_pgres *res, int row, int col);

#endif

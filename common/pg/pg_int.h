/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PG_INT_H
#define OF_PG_INT_H

/* Inside common/pg only: libpq's types, and what its files share. */

#include <libpq-fe.h>

#include "common/base/buf.h"
#include "common/pg/pg.h"
#include "common/time/time.h"

OF_DEFINE_CLEANUP(PGresult, PQclear, of_pgresult_done)

#define OF_PG_STATEMENT_TIMEOUT_MS 60000
#define OF_PG_DEADLINE_MS (OF_PG_STATEMENT_TIMEOUT_MS + 10000)

enum of_pgstmt_state {
    OF_PGSTMT_UNPREPARED = 0,
    OF_PGSTMT_READY,
    OF_PGSTMT_STALE /* the server refused its cached plan: prepare again */
};

/* A statement on this connection. */
struct of_pgstmt {
    char *name; /* NULL: free place */
    const char *text;
    uint64_t text_hash; /* decides when another copy of the same text comes along */
    enum of_pgstmt_state state;
    Oid types[OF_PG_MAX_ARGS];
};

/* Open addressing, at most half full; statements are never dropped one by one. */
struct of_pgstmts {
    struct of_pgstmt *v;
    size_t size, used;
};

struct of_pg {
    PGconn *conn;
    bool broken;
    int deadline_ms;
    struct of_boot planned_at; /* of the pool: its plans are no older, */
    int64_t plans_ms;          /* and are kept so long */
    struct of_pgstmts stmts;
};

struct of_pgarr {
    enum of_pgtype elem;
    size_t len;
    struct of_buf buf; /* Postgres's binary array, complete after every append */
};

struct of_pgres {
    PGresult *res;
};

/* --- parameters --- */
/* The arguments in libpq's form; points into args and into itself. */
struct of_pgparams {
    int n;
    Oid types[OF_PG_MAX_ARGS];
    const char *values[OF_PG_MAX_ARGS];
    int lengths[OF_PG_MAX_ARGS];
    int formats[OF_PG_MAX_ARGS];
    char scalars[OF_PG_MAX_ARGS][8];
};
OF_MUSTCHECK enum of_code of_pgparams_make(const struct of_pgargs *args, struct of_pgparams *ret, struct of_err *err);

/* --- classes and errors --- */
struct of_pgclass {
    const char *sqlstate; /* five characters, or two for a whole class */
    enum of_code code;
    enum of_class cls;
};
/* What a SQLSTATE means; NULL or "" (client-side failure): OF_E_DB, RETRY. */
struct of_pgclass of_pg_classify(const char *sqlstate);
/* True if the primary message may hold values. */
bool of_pg_message_is_private(const char *sqlstate);
/* Fills err from a failed result (res may be NULL: libpq itself failed); marks db broken where it is. what: for people. */
enum of_code of_pg_fail(struct of_pg *db, const PGresult *res, const char *what, struct of_err *err);

/* --- waiting --- */
/* What was sent is answered: the last result, or the first that failed. NULL: libpq failed or the deadline passed. */
PGresult *of_pg_await(struct of_pg *db, bool *ret_timed_out);
/* Sends text without parameters and checks all its results. */
OF_MUSTCHECK enum of_code of_pg_exec(struct of_pg *db, const char *text, const char *what, PGresult **ret_res,
                                     struct of_err *err);
/* True if an idle connection is still there (reads what has come in meanwhile, never blocks). */
bool of_pg_idle_check(struct of_pg *db);

/* --- statements --- */
void of_pgstmts_done(struct of_pgstmts *s);
/* The place of name: the statement, or a free one with name NULL. */
struct of_pgstmt *of_pgstmts_find(struct of_pgstmts *s, const char *name);
/* Prepares sql on db unless that is done already, and checks that the parameters are the statement's. */
OF_MUSTCHECK enum of_code of_pgstmt_ready(struct of_pg *db, const struct of_sql *sql, const struct of_pgparams *params,
                                          struct of_pgstmt **ret, struct of_err *err);
/* The server's word that a cached plan no longer fits the tables. */
bool of_pgstmt_is_stale_plan(const PGresult *res);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg/pg.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/pg/pg_int.h"
#include "common/time/time.h"

OF_DEFINE_CLEANUP(struct of_pg, of_pg_free, of_pg_freep)
OF_DEFINE_CLEANUP(PQconninfoOption, PQconninfoFree, of_pg_conninfo_done)

/* Not as start-up options: PgBouncer refuses those. */
static const char of_pg_session[] =
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET statement_timeout = 60000;"
    "SET idle_in_transaction_session_timeout = 60000; SET jit = off; SET plan_cache_mode = auto;"
    "SET standard_conforming_strings = on; SET bytea_output = 'hex'; SET extra_float_digits = 1;"
    "SET search_path = pg_catalog";

static void of_pg_ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res; /* libpq's default prints to stderr */
}

/* libpq's own complaints may quote the URL, so a password with '@' or '/' in it would end up in the log. */
static enum of_code of_pg_check_url(const char *url, struct of_err *err)
{
    char *text = NULL;
    OF_CLEANUP(of_pg_conninfo_done) PQconninfoOption *options = PQconninfoParse(url, &text);
    PQfreemem(text);
    if (!options) {
        return of_err_set(err, OF_E_CONFIG, "database URL is not understood");
    }
    for (const PQconninfoOption *o = options; o->keyword; o++) {
        bool bad_host = strcmp(o->keyword, "host") == 0 && o->val && strchr(o->val, '@');
        bool bad_port = strcmp(o->keyword, "port") == 0 && o->val && strspn(o->val, "0123456789,") != strlen(o->val);
        if (bad_host || bad_port) {
            return of_err_set(err, OF_E_CONFIG, "database URL: bad %s (special characters are to be percent-encoded)",
                              o->keyword);
        }
    }
    return OF_OK;
}

enum of_code of_pg_connect(const char *url, const char *application, struct of_pg **ret, struct of_err *err)
{
    /* later ones win: the URL may change what stands before it */
    static const char *const keywords[] = {
        "connect_timeout",     "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout",    "gssencmode", "dbname",          "client_encoding",     "application_name",
        NULL,
    };
    const char *const values[] = {"10", "1", "30", "5", "3", "15000", "disable", url, "UTF8", application, NULL};
    OF_TRY(of_pg_check_url(url, err));
    OF_CLEANUP(of_pg_freep) struct of_pg *db = of_calloc(1, sizeof(*db));
    db->deadline_ms = OF_PG_DEADLINE_MS;
    db->conn = PQconnectdbParams(keywords, values, 1);
    OF_BUG_ON(!db->conn);
    if (PQstatus(db->conn) != CONNECTION_OK) {
        return of_pg_fail(db, NULL, "connect", err);
    }
    PQsetNoticeReceiver(db->conn, of_pg_ignore_notice, NULL);
    if (PQsetnonblocking(db->conn, 1) != 0) {
        return of_pg_fail(db, NULL, "connect", err);
    }
    OF_TRY(of_pg_exec(db, of_pg_session, "session settings", NULL, err));
    *ret = OF_TAKE(db);
    return OF_OK;
}

void of_pg_free(struct of_pg *db)
{
    if (db) {
        of_pgstmts_done(&db->stmts);
        PQfinish(db->conn);
        free(db);
    }
}

bool of_pg_is_broken(const struct of_pg *db)
{
    return db->broken;
}

void of_pg_set_deadline(struct of_pg *db, int timeout_ms)
{
    db->deadline_ms = timeout_ms;
}

/* Waits for the socket until the deadline; false: it passed. */
static bool of_pg_wait_socket(struct of_pg *db, short events, int64_t until_ms)
{
    for (;;) {
        int64_t left = -1;
        if (until_ms != INT64_MAX) {
            left = OF_MAX(until_ms - of_mono_now().ms, (int64_t)0);
        }
        struct pollfd fd = {.fd = PQsocket(db->conn), .events = events};
        int n = poll(&fd, 1, (int)left);
        if (n > 0 || (n < 0 && errno != EINTR)) {
            return true; /* libpq finds out what is wrong */
        }
        if (n == 0 && left == 0) {
            return false;
        }
    }
}

/* The next result of what was sent; *ret_end: there is none, or libpq failed, or (also *ret_timed_out) time is up. */
static PGresult *of_pg_next(struct of_pg *db, int64_t until_ms, bool *ret_failed, bool *ret_timed_out)
{
    int unsent = PQflush(db->conn);
    while (unsent > 0 || (unsent == 0 && PQisBusy(db->conn))) {
        short events = unsent > 0 ? POLLIN | POLLOUT : POLLIN;
        if (!of_pg_wait_socket(db, events, until_ms)) {
            *ret_timed_out = true;
            *ret_failed = true;
            return NULL;
        }
        if (!PQconsumeInput(db->conn)) {
            break; /* what the server said last may be there: PQgetResult gives it */
        }
        unsent = unsent > 0 ? PQflush(db->conn) : 0;
    }
    return PQgetResult(db->conn);
}

static bool of_pg_is_ok(const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

PGresult *of_pg_await(struct of_pg *db, bool *ret_timed_out)
{
    int64_t until_ms = db->deadline_ms > 0 ? of_mono_now().ms + db->deadline_ms : INT64_MAX;
    PGresult *kept = NULL;
    bool failed = false;
    *ret_timed_out = false;
    for (;;) {
        PGresult *res = of_pg_next(db, until_ms, &failed, ret_timed_out);
        if (failed || !res) {
            break;
        }
        ExecStatusType status = PQresultStatus(res);
        if (kept && !of_pg_is_ok(kept)) {
            PQclear(res); /* the first failure is the one that counts */
        } else {
            PQclear(kept);
            kept = res;
        }
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            db->broken = true; /* nobody here speaks COPY: leave */
            break;
        }
    }
    if (failed) {
        PQclear(kept);
        kept = NULL;
        db->broken = true;
    }
    return kept;
}

enum of_code of_pg_exec(struct of_pg *db, const char *text, const char *what, PGresult **ret_res, struct of_err *err)
{
    if (db->broken) {
        return of_err_set(err, OF_E_DB, "%s: the connection is broken", what);
    }
    bool timed_out = false;
    OF_CLEANUP(of_pgresult_done) PGresult *res = NULL;
    if (PQsendQuery(db->conn, text)) {
        res = of_pg_await(db, &timed_out);
    }
    if (timed_out) {
        return of_err_set(err, OF_E_DB, "%s: no answer within %d ms", what, db->deadline_ms);
    }
    if (!res || !of_pg_is_ok(res)) {
        return of_pg_fail(db, res, what, err);
    }
    if (ret_res) {
        *ret_res = OF_TAKE(res);
    }
    return OF_OK;
}

bool of_pg_idle_check(struct of_pg *db)
{
    if (db->broken || PQstatus(db->conn) != CONNECTION_OK) {
        return false;
    }
    /* a farewell and the end of the stream are two reads */
    for (int i = 0; i < 4; i++) {
        struct pollfd fd = {.fd = PQsocket(db->conn), .events = POLLIN};
        if (poll(&fd, 1, 0) <= 0) {
            return true;
        }
        if (!PQconsumeInput(db->conn)) {
            return false;
        }
        (void)PQisBusy(db->conn); /* takes in what was read */
    }
    return PQstatus(db->conn) == CONNECTION_OK;
}

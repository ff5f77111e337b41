/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg/pg_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/pg/pg_int.h"
#include "common/time/time.h"

#define LOW_TIDE_BYTES 4096
#define REST_NS 500000
#define SEND_MS 5000
#define PG_EPOCH_US INT64_C(946684800000000)
#define XLOG_HEADER 25 /* 'w', start, end, time */
#define KEEPALIVE_LEN 18
#define COPY_HEADER 19 /* signature, flags, length of the extension (always 0) */

struct of_pgstream {
    struct of_pg pg; /* only for its connection and errors */
    bool is_batch, starting, ended, header_seen; /* starting: the batch is being collected, nothing has been answered */
    char *held; /* libpq's, of the last message */
    size_t since_dry;
};

static uint64_t get_be(const char *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++) {
        v = v << 8 | (unsigned char)p[i];
    }
    return v;
}

static void put_be64(char *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--) {
        p[i] = (char)(v & 0xff);
        v >>= 8;
    }
}

void of_pgstream_free(struct of_pgstream *s)
{
    if (!s) {
        return;
    }
    if (s->is_batch && !s->ended && s->pg.conn && PQstatus(s->pg.conn) == CONNECTION_OK) {
        char text[8]; /* why it could not be cancelled does not matter: the connection ends */
        PGcancel *cancel = PQgetCancel(s->pg.conn);
        if (cancel) {
            (void)PQcancel(cancel, text, sizeof text);
            PQfreeCancel(cancel);
        }
    }
    PQfreemem(s->held);
    PQfinish(s->pg.conn);
    free(s);
}

OF_DEFINE_CLEANUP(struct of_pgstream, of_pgstream_free, of_pgstream_freep)

static void ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static enum of_code open_conn(const char *url, const char *application, const char *replication, struct of_pgstream **ret,
                              struct of_err *err)
{
    static const char *const keywords[] = {"connect_timeout", "keepalives",       "keepalives_idle", "keepalives_interval",
                                           "keepalives_count", "tcp_user_timeout", "gssencmode",      "dbname",
                                           "client_encoding", "application_name", "replication",     NULL};
    const char *const values[] = {"10", "1", "30", "5", "3", "15000", "disable", url, "UTF8", application, replication, NULL};
    OF_CLEANUP(of_pgstream_freep) struct of_pgstream *s = of_calloc(1, sizeof *s);
    s->pg.deadline_ms = OF_PG_DEADLINE_MS;
    s->pg.conn = PQconnectdbParams(keywords, values, 1);
    OF_BUG_ON(!s->pg.conn);
    if (PQstatus(s->pg.conn) != CONNECTION_OK) {
        return of_pg_fail(&s->pg, NULL, "connect", err);
    }
    PQsetNoticeReceiver(s->pg.conn, ignore_notice, NULL);
    if (PQsetnonblocking(s->pg.conn, 1) != 0) {
        return of_pg_fail(&s->pg, NULL, "connect", err);
    }
    *ret = OF_TAKE(s);
    return OF_OK;
}

/* Sends a command and takes the answer that begins its data. */
static enum of_code begin(struct of_pgstream *s, const char *command, ExecStatusType expected, const char *what,
                          struct of_err *err)
{
    bool timed_out = false;
    OF_CLEANUP(of_pgresult_done) PGresult *res = NULL;
    if (PQsendQuery(s->pg.conn, command)) {
        res = of_pg_await(&s->pg, &timed_out);
    }
    if (timed_out) {
        return of_err_set(err, OF_E_DB, "%s: no answer within %d ms", what, s->pg.deadline_ms);
    }
    if (PQresultStatus(res) != expected) {
        return of_pg_fail(&s->pg, res, what, err);
    }
    s->pg.broken = false; /* of_pg_await() leaves data to whoever can read it: us */
    return OF_OK;
}

enum of_code of_pgstream_start(const char *url, const char *application, const char *slot, const char *publications,
                               struct of_pgstream **ret, struct of_err *err)
{
    OF_CLEANUP(of_pgstream_freep) struct of_pgstream *s = NULL;
    OF_CLEANUP(of_freep) char *command =
        of_asprintf("START_REPLICATION SLOT \"%s\" LOGICAL 0/0 (proto_version '2', streaming 'on', messages 'on', "
                    "publication_names '%s')", slot, publications);
    OF_TRY(open_conn(url, application, "database", &s, err));
    OF_TRY(begin(s, command, PGRES_COPY_BOTH, "start of the stream", err));
    *ret = OF_TAKE(s);
    return OF_OK;
}

enum of_code of_pgstream_batch(const char *url, const char *application, const char *slot, const char *publications,
                               int64_t max_messages, struct of_pgstream **ret, struct of_err *err)
{
    OF_CLEANUP(of_pgstream_freep) struct of_pgstream *s = NULL;
    OF_CLEANUP(of_freep) char *command = of_asprintf(
        "COPY (SELECT data FROM pg_catalog.pg_logical_slot_peek_binary_changes('%s', NULL, %d, 'proto_version', '2', 'streaming', "
        "'on', 'messages', 'on', 'publication_names', '%s')) TO STDOUT (FORMAT binary)",
        slot, (int)OF_MIN(max_messages, INT32_MAX), publications);
    OF_TRY(open_conn(url, application, NULL, &s, err));
    /* a batch takes as long as it takes; should we die, the server finds out soon and lets go of the slot */
    OF_TRY(of_pg_exec(&s->pg, "SET statement_timeout = 0; SET search_path = pg_catalog; SET client_connection_check_interval = 500",
                      "session settings", NULL, err));
    s->is_batch = true;
    s->starting = true;
    if (!PQsendQuery(s->pg.conn, command)) {
        return of_pg_fail(&s->pg, NULL, "batch of changes", err);
    }
    *ret = OF_TAKE(s);
    return OF_OK;
}

static enum of_code take_walsender(struct of_pgstream *s, size_t len, struct of_pgstream_msg *ret, struct of_err *err)
{
    if (s->held[0] == 'w' && len >= XLOG_HEADER) {
        *ret = (struct of_pgstream_msg){
            .kind = OF_PGSTREAM_DATA, .bytes = s->held + XLOG_HEADER, .len = len - XLOG_HEADER};
        return OF_OK;
    }
    if (s->held[0] == 'k' && len == KEEPALIVE_LEN) {
        *ret = (struct of_pgstream_msg){
            .kind = OF_PGSTREAM_KEEPALIVE, .wal_end = get_be(s->held + 1, 8), .reply = s->held[17] != 0};
        return OF_OK;
    }
    return of_err_set(err, OF_E_DB, "stream of changes: unknown message");
}

/* A row of one column, without the header that stands before the first one. */
static enum of_code take_copy(struct of_pgstream *s, size_t len, struct of_pgstream_msg *ret, struct of_err *err)
{
    const char *p = s->held;
    if (!s->header_seen && len >= COPY_HEADER && memcmp(p, "PGCOPY\n\377\r\n", 11) == 0) {
        s->header_seen = true;
        p += COPY_HEADER;
        len -= COPY_HEADER;
    }
    if (len == 0 || (len == 2 && get_be(p, 2) == 0xffff)) {
        return OF_OK; /* the trailer: the end comes next */
    }
    if (len < 6 || get_be(p, 2) != 1 || get_be(p + 2, 4) != len - 6) {
        return of_err_set(err, OF_E_DB, "batch of changes: not a row of one column");
    }
    *ret = (struct of_pgstream_msg){.kind = OF_PGSTREAM_DATA, .bytes = p + 6, .len = len - 6};
    return OF_OK;
}

/* What the server says at the end of its data: an error, or that all is well. */
static enum of_code take_end(struct of_pgstream *s, struct of_pgstream_msg *ret, struct of_err *err)
{
    bool timed_out = false;
    OF_CLEANUP(of_pgresult_done) PGresult *res = of_pg_await(&s->pg, &timed_out);
    if (PQresultStatus(res) != PGRES_COMMAND_OK || !s->is_batch) {
        return res && PQresultErrorField(res, PG_DIAG_SQLSTATE) ? of_pg_fail(&s->pg, res, "changes", err)
                                                                : of_err_set(err, OF_E_DB, "the stream of changes ended");
    }
    s->ended = true;
    *ret = (struct of_pgstream_msg){.kind = OF_PGSTREAM_END};
    return OF_OK;
}

/* The answer to the batch's command comes with its first data. */
static enum of_code take_start(struct of_pgstream *s, struct of_err *err)
{
    if (PQflush(s->pg.conn) < 0) {
        return of_pg_fail(&s->pg, NULL, "batch of changes", err);
    }
    if (PQisBusy(s->pg.conn)) {
        return OF_OK;
    }
    OF_CLEANUP(of_pgresult_done) PGresult *res = PQgetResult(s->pg.conn);
    if (PQresultStatus(res) != PGRES_COPY_OUT) {
        return of_pg_fail(&s->pg, res, "batch of changes", err);
    }
    s->starting = false;
    return OF_OK;
}

enum of_code of_pgstream_next(struct of_pgstream *s, struct of_pgstream_msg *ret, struct of_err *err)
{
    *ret = (struct of_pgstream_msg){.kind = OF_PGSTREAM_NOTHING};
    if (s->starting) {
        OF_TRY(take_start(s, err));
        if (s->starting) {
            return OF_OK;
        }
    }
    if (s->ended) {
        ret->kind = OF_PGSTREAM_END;
        return OF_OK;
    }
    PQfreemem(s->held);
    s->held = NULL;
    int len = PQgetCopyData(s->pg.conn, &s->held, 1);
    if (len > 0) {
        s->since_dry += (size_t)len;
        return s->is_batch ? take_copy(s, (size_t)len, ret, err) : take_walsender(s, (size_t)len, ret, err);
    }
    if (len == 0) {
        return OF_OK;
    }
    return len == -1 ? take_end(s, ret, err) : of_pg_fail(&s->pg, NULL, "changes", err);
}

enum of_code of_pgstream_wait(struct of_pgstream *s, int timeout_ms, struct of_err *err)
{
    struct pollfd fd = {.fd = PQsocket(s->pg.conn), .events = POLLIN};
    int n = poll(&fd, 1, timeout_ms);
    if (n == 0 || (n < 0 && errno == EINTR)) {
        s->since_dry = 0;
        return OF_OK;
    }
    if (s->since_dry < LOW_TIDE_BYTES && !s->is_batch) {
        struct timespec rest = {.tv_nsec = REST_NS};
        nanosleep(&rest, NULL);
    }
    s->since_dry = 0;
    if (!PQconsumeInput(s->pg.conn)) {
        return of_pg_fail(&s->pg, NULL, "changes", err);
    }
    return OF_OK;
}

enum of_code of_pgstream_confirm(struct of_pgstream *s, uint64_t lsn, struct of_err *err)
{
    char m[34] = {'r'};
    put_be64(m + 1, lsn);
    put_be64(m + 9, lsn);
    put_be64(m + 17, lsn);
    put_be64(m + 25, (uint64_t)(of_wall_now().us - PG_EPOCH_US));
    int64_t until = of_mono_now().ms + SEND_MS;
    int sent = PQputCopyData(s->pg.conn, m, sizeof m);
    int unsent = sent == 1 ? PQflush(s->pg.conn) : -1;
    while (unsent > 0 && of_mono_now().ms < until) {
        struct pollfd fd = {.fd = PQsocket(s->pg.conn), .events = POLLIN | POLLOUT};
        (void)poll(&fd, 1, 100);
        if ((fd.revents & POLLIN) != 0 && !PQconsumeInput(s->pg.conn)) {
            break;
        }
        unsent = PQflush(s->pg.conn);
    }
    return unsent == 0 ? OF_OK : of_pg_fail(&s->pg, NULL, "confirm", err);
}

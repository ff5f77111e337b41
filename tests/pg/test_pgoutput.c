/* SPDX-License-Identifier: Apache-2.0 */
/* cdc/decode.c and cdc/txn.c with what a real server says: the same WAL read with protocol 1 (each transaction at its commit) and
 * with protocol 2 (streamed in pieces, rolled back sub-transactions and all), compared with what was done.
 * OF_TEST_DATABASE_URL: a scratch database of a server with wal_level logical; the schema of_cdc_test is made and dropped.
 * OF_TEST_CORPUS=file: the messages are written there as input of fuzz-pgoutput. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cdc/txn.h"
#include "common/pg/pg.h"

#define BIG 4000 /* rows: more than the server keeps in 64 kB */

static const char *url;
static struct of_pg *db, *other; /* `other` for what happens beside it */

static void do_in(struct of_pg *where, const char *text)
{
    struct of_err err = OF_ERR_INIT;
    if (of_pg_script(where, text, &err) != OF_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
}

/* --- what is read: committed rows as lines --- */

struct reading {
    struct of_decoder *d;
    struct of_txns *txns;
    struct of_buf out;
    uint32_t xid;
    int streamed, sub_aborts, aborts;
    int64_t commit_us;
};

static const char *const tables[] = {"people", "edges", "keyless", "again"};

static uint32_t table_of(const struct of_rel *rel)
{
    for (uint32_t i = 0; i < OF_ARRAY_LEN(tables); i++) {
        if (strcmp(rel->name, tables[i]) == 0) {
            return i;
        }
    }
    fail_msg("unknown table %s", rel->name);
    return 0;
}

static void give_out(struct reading *g, uint32_t xid)
{
    struct of_txn_reader *r = NULL;
    struct of_txn_row row;
    struct of_err err = OF_ERR_INIT;
    bool has = true;
    size_t before = g->out.len;
    assert_int_equal(of_txns_open(g->txns, xid, &r, &err), OF_OK);
    while (has) {
        assert_int_equal(of_txns_next(r, &row, &has, &err), OF_OK);
        if (has) {
            of_buf_fmt(&g->out, "%c %s %s %s\n", row.op, tables[row.rel], row.org, row.id);
        }
    }
    of_txns_end(g->txns, xid, r);
    of_buf_str(&g->out, g->out.len > before ? "commit\n" : ""); /* of an empty one only streaming knows */
}

static enum of_code on_begin(void *arg, uint32_t xid, of_lsn lsn, int64_t us, struct of_err *err)
{
    struct reading *g = arg;
    (void)lsn, (void)err;
    g->xid = xid;
    g->commit_us = us;
    return OF_OK;
}

static enum of_code on_commit(void *arg, of_lsn lsn, of_lsn end, int64_t us, struct of_err *err)
{
    struct reading *g = arg;
    (void)err;
    assert_true(end > lsn && us == g->commit_us && us > INT64_C(1700000000000000));
    give_out(g, g->xid);
    return OF_OK;
}

static void put_cell(struct of_buf *b, const struct of_cell *cells, int column)
{
    if (column >= 0 && cells[column].kind == 't') {
        of_buf_mem(b, cells[column].data, cells[column].len);
    }
}

static enum of_code on_row(void *arg, const struct of_row *row, struct of_err *err)
{
    struct reading *g = arg;
    const struct of_rel *rel = row->rel;
    const struct of_cell *cells = row->op == 'd' ? row->key_cells : row->new_cells;
    struct of_buf org = OF_BUF_INIT(1024), id = OF_BUF_INIT(1024);
    put_cell(&org, cells, rel->org);
    if (rel->id >= 0) {
        put_cell(&id, cells, rel->id);
    } else {
        put_cell(&id, cells, rel->source);
        of_buf_char(&id, '|');
        put_cell(&id, cells, rel->target);
        of_buf_char(&id, '|');
        put_cell(&id, cells, rel->type);
    }
    if (row->op == 'u' && row->n_key > 0 && rel->id >= 0) { /* the key was another */
        of_buf_char(&id, '<');
        put_cell(&id, row->key_cells, rel->id);
    }
    struct of_txn_row kept = {.subxid = row->xid, .rel = table_of(rel), .op = row->op, .org = of_buf_text(&org),
                              .org_len = org.len, .id = of_buf_text(&id), .id_len = id.len};
    enum of_code code = of_txns_add(g->txns, g->xid, &kept, err);
    of_buf_done(&org);
    of_buf_done(&id);
    return code;
}

static enum of_code on_truncate(void *arg, struct of_rel *const *rels, int n, uint32_t xid, struct of_err *err)
{
    struct reading *g = arg;
    for (int i = 0; i < n; i++) {
        struct of_txn_row kept = {.subxid = xid, .rel = table_of(rels[i]), .op = 't', .org = "", .id = ""};
        OF_TRY(of_txns_add(g->txns, g->xid, &kept, err));
    }
    return OF_OK;
}

static enum of_code on_message(void *arg, bool transactional, of_lsn lsn, const char *prefix, const void *content, size_t len,
                               uint32_t xid, struct of_err *err)
{
    struct reading *g = arg;
    assert_true(lsn > 0);
    if (!transactional) {
        return OF_OK; /* where it stands among commits is not the same in both */
    }
    struct of_txn_row kept = {.subxid = xid, .op = 'm', .org = prefix, .org_len = strlen(prefix), .id = content, .id_len = len};
    return of_txns_add(g->txns, g->xid, &kept, err);
}

static enum of_code on_stream_start(void *arg, uint32_t xid, bool first, struct of_err *err)
{
    struct reading *g = arg;
    (void)err;
    g->xid = xid;
    g->streamed += first;
    return OF_OK;
}

static enum of_code on_stream_stop(void *arg, struct of_err *err)
{
    (void)arg, (void)err;
    return OF_OK;
}

static enum of_code on_stream_commit(void *arg, uint32_t xid, of_lsn lsn, of_lsn end, int64_t us, struct of_err *err)
{
    struct reading *g = arg;
    (void)err;
    assert_true(end > lsn && us > INT64_C(1700000000000000));
    give_out(g, xid);
    return OF_OK;
}

static enum of_code on_stream_abort(void *arg, uint32_t xid, uint32_t subxid, struct of_err *err)
{
    struct reading *g = arg;
    g->aborts += xid == subxid;
    g->sub_aborts += xid != subxid;
    return of_txns_abort(g->txns, xid, subxid, err);
}

static const struct of_decode_ops ops = {
    .begin = on_begin, .commit = on_commit, .row = on_row, .truncate = on_truncate, .message = on_message,
    .stream_start = on_stream_start, .stream_stop = on_stream_stop, .stream_commit = on_stream_commit,
    .stream_abort = on_stream_abort,
};

static unsigned char nibble(char c)
{
    return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static enum of_code feed(struct of_decoder *d, const char *hex, size_t len, FILE *corpus, struct of_err *err)
{
    OF_CLEANUP(of_freep) unsigned char *bytes = of_alloc(len / 2);
    for (size_t i = 0; i < len / 2; i++) {
        bytes[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    }
    if (corpus != NULL) {
        unsigned char head[2] = {(unsigned char)(len / 2 >> 8), (unsigned char)(len / 2)};
        (void)fwrite(head, 1, 2, corpus);
        (void)fwrite(bytes, 1, len / 2, corpus);
    }
    return of_decode(d, bytes, len / 2, err);
}

/* Everything that the slot has, without moving it. */
static void read_slot(const struct of_sql *sql, size_t memory, const char *corpus_path, struct reading *g)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_err err = OF_ERR_INIT;
    FILE *corpus = corpus_path != NULL ? fopen(corpus_path, "we") : NULL;
    *g = (struct reading){.txns = of_txns_new("/tmp", memory, UINT64_MAX), .out = OF_BUF_INIT((size_t)64 << 20)};
    g->d = of_decoder_new(&ops, g);
    if (of_pg_run(db, sql, NULL, &res, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    for (int i = 0; i < of_pgres_rows(res); i++) {
        if (feed(g->d, of_pgres_text(res, i, 0), of_pgres_len(res, i, 0), corpus, &err) != OF_OK) {
            fail_msg("message %d: %s", i, err.msg);
        }
    }
    assert_int_equal(of_txns_memory(g->txns), 0); /* nothing is left over */
    assert_int_equal(of_txns_spilled(g->txns), 0);
    of_decoder_free(g->d);
    of_txns_free(g->txns);
    if (corpus != NULL) {
        (void)fclose(corpus);
    }
}

#define PEEK(proto, streaming)                                                                                         \
    "SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('of_cdc_test', NULL, NULL, 'proto_version', '" proto "'," \
    " 'publication_names', 'of_cdc_test', 'messages', 'true'" streaming ")"

/* The first rows that are not the same. */
static void assert_same(const struct of_buf *got, const struct of_buf *want)
{
    const char *a = of_buf_text(got), *b = of_buf_text(want);
    size_t i = 0, line = 0;
    while (a[i] == b[i] && a[i] != '\0') {
        line = a[i] == '\n' ? i + 1 : line;
        i++;
    }
    if (a[i] != b[i]) {
        fail_msg("byte %zu: \"%.60s\" is not \"%.60s\"", i, a + line, b + line);
    }
}

static void compare(struct of_buf *want)
{
    static const struct of_sql whole = {"peek_whole", PEEK("1", ""), 0};
    static const struct of_sql streamed = {"peek_streamed", PEEK("2", ", 'streaming', 'on'"), 0};
    struct reading one, two, spilled;
    do_in(db, "SET logical_decoding_work_mem = '64kB'");
    read_slot(&whole, (size_t)64 << 20, NULL, &one);
    read_slot(&streamed, (size_t)64 << 20, getenv("OF_TEST_CORPUS"), &two);
    read_slot(&streamed, (size_t)64 << 10, NULL, &spilled);
    assert_same(&one.out, want);
    assert_same(&two.out, want);
    assert_same(&spilled.out, want);
    assert_int_equal(one.streamed, 0);
    assert_true(two.streamed >= 4 && two.sub_aborts >= 1 && two.aborts >= 1);
    of_buf_done(&one.out);
    of_buf_done(&two.out);
    of_buf_done(&spilled.out);
}

/* --- what is done --- */

static void rows(struct of_buf *b, char op, int first, int last)
{
    for (int i = first; i <= last; i++) {
        of_buf_fmt(b, "%c people church p%d\n", op, i);
    }
}

static void insert_big(struct of_pg *where, int first, int last)
{
    char text[512];
    snprintf(text, sizeof text, "INSERT INTO of_cdc_test.people SELECT 'p' || i, 'church', 'name of ' || i"
             " FROM generate_series(%d, %d) i", first, last);
    do_in(where, text);
}

static void do_small(struct of_buf *want)
{
    do_in(db, "INSERT INTO of_cdc_test.people VALUES ('p1', 'church', 'x'), ('p2', 'church', 'x'), ('p3', 'other', 'x')");
    of_buf_str(want, "i people church p1\ni people church p2\ni people other p3\ncommit\n");
    do_in(db, "BEGIN; UPDATE of_cdc_test.people SET name = repeat('long', 10000) WHERE id = 'p1';"
              "UPDATE of_cdc_test.people SET id = 'p9' WHERE id = 'p3'; SAVEPOINT a;"
              "UPDATE of_cdc_test.people SET name = 'lost' WHERE id = 'p9'; ROLLBACK TO a;"
              "DELETE FROM of_cdc_test.people WHERE id = 'p2'; COMMIT");
    of_buf_str(want, "u people church p1\nu people other p9<p3\nd people  p2\ncommit\n");
    do_in(db, "INSERT INTO of_cdc_test.edges VALUES ('church', 'a_1', 'b_2', 'has');"
              "UPDATE of_cdc_test.edges SET metadata = '{}';"
              "DELETE FROM of_cdc_test.edges");
    of_buf_str(want, "i edges church a_1|b_2|has\nu edges church a_1|b_2|has\nd edges church a_1|b_2|has\ncommit\n");
    do_in(db, "BEGIN; INSERT INTO of_cdc_test.people VALUES ('lost', 'church', 'x'); ROLLBACK");
    do_in(db, "BEGIN; SELECT pg_logical_emit_message(true, 'openfaith', 'word');"
              "SELECT pg_logical_emit_message(false, 'openfaith', 'at once');"
              "TRUNCATE of_cdc_test.people, of_cdc_test.edges; COMMIT");
    of_buf_str(want, "m people openfaith word\nt people  \nt edges  \ncommit\n");
    do_in(db, "INSERT INTO of_cdc_test.keyless VALUES ('k1', 'church', NULL); UPDATE of_cdc_test.keyless SET note = 'n';"
              "DELETE FROM of_cdc_test.keyless");
    of_buf_str(want, "i keyless church k1\nu keyless church k1<k1\nd keyless church k1\ncommit\n");
}

/* Columns that come and go, a table that is dropped and made again: also inside of a transaction that is streamed. */
static void do_schema(struct of_buf *want)
{
    do_in(db, "INSERT INTO of_cdc_test.again VALUES ('s1', 'church')");
    do_in(db, "ALTER TABLE of_cdc_test.again ADD COLUMN first text DEFAULT 'x'; INSERT INTO of_cdc_test.again VALUES ('s2', 'church')");
    do_in(db, "ALTER TABLE of_cdc_test.again DROP COLUMN first, ALTER COLUMN \"orgId\" TYPE varchar(20)");
    do_in(db, "INSERT INTO of_cdc_test.again VALUES ('s3', 'church')");
    do_in(db, "DROP TABLE of_cdc_test.again; CREATE TABLE of_cdc_test.again (\"orgId\" text, more int, id text PRIMARY KEY);"
              "ALTER PUBLICATION of_cdc_test ADD TABLE of_cdc_test.again");
    do_in(db, "INSERT INTO of_cdc_test.again VALUES ('church', 1, 's4')");
    of_buf_str(want, "i again church s1\ncommit\ni again church s2\ncommit\ni again church s3\ncommit\ni again church s4\ncommit\n");
    do_in(db, "BEGIN");
    insert_big(db, 800001, 800000 + BIG);
    do_in(db, "SAVEPOINT a; ALTER TABLE of_cdc_test.again ADD COLUMN wide text;"
              "INSERT INTO of_cdc_test.again SELECT 'lost', i, 'l' || i, 'w' FROM generate_series(1, 2000) i; ROLLBACK TO a;"
              "INSERT INTO of_cdc_test.again VALUES ('church', 2, 's5');"
              "ALTER TABLE of_cdc_test.again DROP COLUMN more; INSERT INTO of_cdc_test.again VALUES ('church', 's6'); COMMIT");
    rows(want, 'i', 800001, 800000 + BIG);
    of_buf_str(want, "i again church s5\ni again church s6\ncommit\n");
    do_in(db, "BEGIN; ALTER TABLE of_cdc_test.again ADD COLUMN first text;"
              "INSERT INTO of_cdc_test.again SELECT 'lost', 'l' || i FROM generate_series(1, 4000) i; ROLLBACK");
    do_in(db, "INSERT INTO of_cdc_test.again VALUES ('church', 's7')");
    of_buf_str(want, "i again church s7\ncommit\n");
}

static void do_big(struct of_buf *want)
{
    do_in(db, "TRUNCATE of_cdc_test.people");
    of_buf_str(want, "t people  \ncommit\n");
    do_in(db, "BEGIN"); /* two at once, with savepoints, and one that is rolled back as a whole */
    do_in(other, "BEGIN");
    insert_big(db, 1, BIG);
    insert_big(other, BIG + 1, 2 * BIG);
    do_in(db, "SAVEPOINT a");
    insert_big(db, 100001, 100000 + BIG);
    insert_big(other, 200001, 200000 + BIG);
    do_in(db, "SAVEPOINT b");
    insert_big(db, 300001, 300000 + BIG);
    do_in(db, "ROLLBACK TO b");
    insert_big(db, 400001, 400000 + BIG);
    do_in(db, "RELEASE b; SAVEPOINT c");
    insert_big(db, 500001, 500010);
    do_in(db, "ROLLBACK TO c; UPDATE of_cdc_test.people SET name = 'y' WHERE id = 'p1'; COMMIT");
    do_in(other, "COMMIT");
    rows(want, 'i', 1, BIG);
    rows(want, 'i', 100001, 100000 + BIG);
    rows(want, 'i', 400001, 400000 + BIG);
    of_buf_str(want, "u people church p1\ncommit\n");
    rows(want, 'i', BIG + 1, 2 * BIG);
    rows(want, 'i', 200001, 200000 + BIG);
    of_buf_str(want, "commit\n");
    do_in(db, "BEGIN");
    insert_big(db, 600001, 600000 + BIG);
    do_in(other, "INSERT INTO of_cdc_test.edges VALUES ('church', 'a', 'b', 'c')"); /* so that it is there when it is rolled back */
    do_in(db, "ROLLBACK");
    of_buf_str(want, "i edges church a|b|c\ncommit\n");
    do_in(db, "BEGIN; SAVEPOINT a");
    insert_big(db, 700001, 700000 + BIG);
    do_in(db, "ROLLBACK TO a; COMMIT"); /* nothing of it is left */
}

static void test_both_protocols(void **state)
{
    (void)state;
    struct of_buf want = OF_BUF_INIT((size_t)64 << 20);
    do_small(&want);
    do_big(&want);
    do_schema(&want);
    compare(&want);
    of_buf_done(&want);
}

static void drop_all(void)
{
    do_in(db, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'of_cdc_test';"
              "DROP PUBLICATION IF EXISTS of_cdc_test; DROP SCHEMA IF EXISTS of_cdc_test CASCADE");
}

static int setup(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    if (of_pg_connect(url, "test-cdc", &db, &err) != OF_OK || of_pg_connect(url, "test-cdc", &other, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    drop_all();
    do_in(db, "CREATE SCHEMA of_cdc_test;"
              "CREATE TABLE of_cdc_test.people (id text PRIMARY KEY, \"orgId\" text NOT NULL, name text);"
              "CREATE TABLE of_cdc_test.edges (\"orgId\" text, \"sourceEntityId\" text, \"targetEntityId\" text,"
              " \"relationshipType\" text, metadata jsonb,"
              " PRIMARY KEY (\"orgId\", \"sourceEntityId\", \"targetEntityId\", \"relationshipType\"));"
              "CREATE TABLE of_cdc_test.keyless (id text, \"orgId\" text, note text);"
              "ALTER TABLE of_cdc_test.keyless REPLICA IDENTITY FULL;"
              "CREATE TABLE of_cdc_test.again (id text PRIMARY KEY, \"orgId\" text);"
              "CREATE PUBLICATION of_cdc_test FOR TABLE of_cdc_test.people (id, \"orgId\"), of_cdc_test.edges (\"orgId\","
              " \"sourceEntityId\", \"targetEntityId\", \"relationshipType\"), of_cdc_test.keyless, of_cdc_test.again");
    do_in(db, "SELECT pg_create_logical_replication_slot('of_cdc_test', 'pgoutput')");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    drop_all();
    of_pg_free(db);
    of_pg_free(other);
    return 0;
}

int main(void)
{
    url = getenv("OF_TEST_DATABASE_URL");
    if (url == NULL || url[0] == '\0') {
        printf("skipped: OF_TEST_DATABASE_URL is not set\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_protocols)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The pgoutput decoder, from bytes written here; what a real server sends is in tests/pg/test_pgoutput.c. */
#include "cdc/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/pgoutput.h"

#define PEOPLE 16400u
#define EDGES 16500u
#define MARK "SECRET"

/* --- events as lines of text --- */

struct record {
    struct of_decoder *d;
    struct of_buf out;
    struct of_buf msg;
    enum of_code answer; /* of each callback */
};

static void put_cells(struct of_buf *b, const char *what, int n, const struct of_cell *cells)
{
    if (n > 0) {
        of_buf_fmt(b, " %s", what);
    }
    for (int i = 0; i < n; i++) {
        of_buf_fmt(b, "%s%c:%.*s", i > 0 ? "," : "=", cells[i].kind, (int)cells[i].len, cells[i].data ? cells[i].data : "");
    }
}

static enum of_code on_begin(void *arg, uint32_t xid, of_lsn lsn, int64_t us, struct of_err *err)
{
    struct record *r = arg;
    (void)err;
    of_buf_fmt(&r->out, "begin %u %llx %lld\n", xid, (unsigned long long)lsn, (long long)us);
    return r->answer;
}

static enum of_code on_commit(void *arg, of_lsn lsn, of_lsn end, int64_t us, struct of_err *err)
{
    struct record *r = arg;
    (void)err;
    of_buf_fmt(&r->out, "commit %llx %llx %lld\n", (unsigned long long)lsn, (unsigned long long)end, (long long)us);
    return r->answer;
}

static enum of_code on_row(void *arg, const struct of_row *row, struct of_err *err)
{
    struct record *r = arg;
    (void)err;
    of_buf_fmt(&r->out, "%c %u %s.%s", row->op, row->xid, row->rel->schema, row->rel->name);
    put_cells(&r->out, "old", row->n_key, row->key_cells);
    put_cells(&r->out, "new", row->n_new, row->new_cells);
    of_buf_char(&r->out, '\n');
    return r->answer;
}

static enum of_code on_truncate(void *arg, struct of_rel *const *rels, int n, uint32_t xid, struct of_err *err)
{
    struct record *r = arg;
    (void)err;
    of_buf_fmt(&r->out, "truncate %u", xid);
    for (int i = 0; i < n; i++) {
        of_buf_fmt(&r->out, " %s", rels[i]->name);
    }
    of_buf_char(&r->out, '\n');
    return r->answer;
}

static enum of_code on_message(void *arg, bool transactional, of_lsn lsn, const char *prefix, const void *content, size_t len,
                               uint32_t xid, struct of_err *err)
{
    struct record *r = arg;
    (void)err;
    of_buf_fmt(&r->out, "message %d %llx %s %.*s %u\n", transactional, (unsigned long long)lsn, prefix, (int)len,
               (const char *)content, xid);
    return r->answer;
}

static enum of_code on_stream_start(void *arg, uint32_t xid, bool first, struct of_err *err)
{
    struct record *r = arg;
    (void)err;
    of_buf_fmt(&r->out, "start %u %d\n", xid, first);
    return r->answer;
}

static enum of_code on_stream_stop(void *arg, struct of_err *err)
{
    struct record *r = arg;
    (void)err;
    of_buf_str(&r->out, "stop\n");
    return r->answer;
}

static enum of_code on_stream_commit(void *arg, uint32_t xid, of_lsn lsn, of_lsn end, int64_t us, struct of_err *err)
{
    struct record *r = arg;
    (void)err;
    of_buf_fmt(&r->out, "stream-commit %u %llx %llx %lld\n", xid, (unsigned long long)lsn, (unsigned long long)end, (long long)us);
    return r->answer;
}

static enum of_code on_stream_abort(void *arg, uint32_t xid, uint32_t subxid, struct of_err *err)
{
    struct record *r = arg;
    (void)err;
    of_buf_fmt(&r->out, "abort %u %u\n", xid, subxid);
    return r->answer;
}

static const struct of_decode_ops ops = {
    .begin = on_begin, .commit = on_commit, .row = on_row, .truncate = on_truncate, .message = on_message,
    .stream_start = on_stream_start, .stream_stop = on_stream_stop, .stream_commit = on_stream_commit,
    .stream_abort = on_stream_abort,
};

static void record_init(struct record *r)
{
    *r = (struct record){.out = OF_BUF_INIT(1 << 20), .msg = OF_BUF_INIT(1 << 20)};
    r->d = of_decoder_new(&ops, r);
}

static void record_done(struct record *r)
{
    of_decoder_free(r->d);
    of_buf_done(&r->out);
    of_buf_done(&r->msg);
}

/* Memory of exactly len bytes: a sanitizer sees what is read beyond it. */
static enum of_code feed(struct record *r, const char *bytes, size_t len, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *copy = of_alloc(len > 0 ? len : 1);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return of_decode(r->d, copy, len, err);
}

static void good(struct record *r)
{
    struct of_err err = OF_ERR_INIT;
    if (feed(r, r->msg.data, r->msg.len, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
}

static void refused(struct record *r, const char *words)
{
    struct of_err err = OF_ERR_INIT;
    size_t before = r->out.len;
    assert_int_equal(feed(r, r->msg.data, r->msg.len, &err), OF_E_PARSE);
    if (strstr(err.msg, words) == NULL || strstr(err.msg, MARK) != NULL) {
        fail_msg("\"%s\" without \"%s\"", err.msg, words);
    }
    assert_int_equal(r->out.len, before); /* nobody was told */
}

#define SAID(r, text)                                                                                                  \
    do {                                                                                                               \
        assert_string_equal(of_buf_text(&(r)->out), text);                                                             \
        of_buf_clear(&(r)->out);                                                                                       \
    } while (0)

static void begin(struct record *r, uint32_t xid)
{
    w_begin(&r->msg, 0x100, 0, xid);
    good(r);
}

static void people(struct record *r, uint32_t xid)
{
    w_relation(&r->msg, xid, PEOPLE, "openfaith_people", "*id orgId");
    good(r);
    of_buf_clear(&r->out);
}

/* --- tests --- */

static void test_transaction(void **state)
{
    (void)state;
    struct record r;
    record_init(&r);
    w_begin(&r.msg, UINT64_C(0x1a2b3c4d5e), -5, 7);
    good(&r);
    w_kind(&r.msg, 'O', 0);
    w_64(&r.msg, 1);
    w_text(&r.msg, "elsewhere");
    good(&r);
    w_kind(&r.msg, 'Y', 0);
    w_32(&r.msg, 99);
    w_text(&r.msg, "public");
    w_text(&r.msg, "colour");
    good(&r);
    w_relation(&r.msg, 0, PEOPLE, "openfaith_people", "*id orgId photo");
    good(&r);
    w_row(&r.msg, 'I', 0, PEOPLE, 0, NULL, "p1 church ~");
    good(&r);
    w_row(&r.msg, 'U', 0, PEOPLE, 0, NULL, "p1 church ?");
    good(&r);
    w_row(&r.msg, 'U', 0, PEOPLE, 'K', "p1 ~ ~", "p2 church ?");
    good(&r);
    w_row(&r.msg, 'U', 0, PEOPLE, 'O', "p2 church x", "p2 other y");
    good(&r);
    w_row(&r.msg, 'D', 0, PEOPLE, 'K', "p2 ~ ~", NULL);
    good(&r);
    w_row(&r.msg, 'D', 0, PEOPLE, 'O', "p3 church z", NULL);
    good(&r);
    w_commit(&r.msg, 0, 0x200, 0x230, 1000000);
    good(&r);
    SAID(&r, "begin 7 1a2b3c4d5e 946684799999995\n"
             "i 7 public.openfaith_people new=t:p1,t:church,n:\n"
             "u 7 public.openfaith_people new=t:p1,t:church,u:\n"
             "u 7 public.openfaith_people old=t:p1,n:,n: new=t:p2,t:church,u:\n"
             "u 7 public.openfaith_people old=t:p2,t:church,t:x new=t:p2,t:other,t:y\n"
             "d 7 public.openfaith_people old=t:p2,n:,n:\n"
             "d 7 public.openfaith_people old=t:p3,t:church,t:z\n"
             "commit 200 230 946684801000000\n");
    record_done(&r);
}

static void test_streamed(void **state)
{
    (void)state;
    struct record r;
    record_init(&r);
    w_stream_start(&r.msg, 9, true);
    good(&r);
    w_relation(&r.msg, 9, PEOPLE, "openfaith_people", "*id orgId");
    good(&r);
    w_row(&r.msg, 'I', 9, PEOPLE, 0, NULL, "p1 a");
    good(&r);
    w_row(&r.msg, 'U', 11, PEOPLE, 0, NULL, "p2 b");
    good(&r);
    w_kind(&r.msg, 'Y', 11);
    w_32(&r.msg, 99);
    w_text(&r.msg, "");
    w_text(&r.msg, "colour");
    good(&r);
    uint32_t oids[] = {PEOPLE, PEOPLE};
    w_truncate(&r.msg, 12, 2, oids);
    good(&r);
    w_message(&r.msg, 13, true, 5, "pre fix", "body");
    good(&r);
    w_kind(&r.msg, 'E', 0);
    good(&r);
    begin(&r, 10); /* another one in between */
    w_row(&r.msg, 'D', 0, PEOPLE, 'K', "p9 ~", NULL);
    good(&r);
    w_commit(&r.msg, 0, 1, 2, 0);
    good(&r);
    w_stream_abort(&r.msg, 9, 11);
    good(&r);
    w_stream_start(&r.msg, 9, false);
    good(&r);
    w_kind(&r.msg, 'E', 0);
    good(&r);
    w_commit(&r.msg, 9, 3, 4, 7);
    good(&r);
    w_stream_abort(&r.msg, 14, 14);
    good(&r);
    SAID(&r, "start 9 1\ni 9 public.openfaith_people new=t:p1,t:a\nu 11 public.openfaith_people new=t:p2,t:b\n"
             "truncate 12 openfaith_people openfaith_people\nmessage 1 5 pre fix body 13\nstop\n"
             "begin 10 100 946684800000000\nd 10 public.openfaith_people old=t:p9,n:\ncommit 1 2 946684800000000\n"
             "abort 9 11\nstart 9 0\nstop\nstream-commit 9 3 4 946684800000007\nabort 14 14\n");
    record_done(&r);
}

static void test_messages(void **state)
{
    (void)state;
    struct record r;
    record_init(&r);
    w_message(&r.msg, 0, false, 0xabc, "openfaith", "");
    good(&r);
    begin(&r, 7);
    w_message(&r.msg, 0, true, 1, "", "in");
    good(&r);
    w_message(&r.msg, 0, false, 2, "p", "beside");
    good(&r);
    SAID(&r, "message 0 abc openfaith  0\nbegin 7 100 946684800000000\nmessage 1 1  in 7\nmessage 0 2 p beside 0\n");
    w_commit(&r.msg, 0, 1, 2, 0);
    good(&r);
    of_buf_clear(&r.out);
    w_message(&r.msg, 0, true, 1, "p", "nowhere");
    refused(&r, "a transaction around it");
    record_done(&r);
}

static void test_relation_anew(void **state)
{
    (void)state;
    struct record r;
    record_init(&r);
    assert_null(of_decoder_rel(r.d, PEOPLE));
    people(&r, 0);
    struct of_rel *rel = of_decoder_rel(r.d, PEOPLE);
    assert_non_null(rel);
    assert_int_equal(rel->n_columns, 2);
    assert_true(rel->columns[0].is_key && !rel->columns[1].is_key);
    assert_int_equal(rel->columns[0].type_oid, 25);
    assert_int_equal(rel->replica_identity, 'd');
    assert_int_equal(rel->id, 0);
    assert_int_equal(rel->org, 1);
    assert_int_equal(rel->source, -1);
    rel->user = rel;
    w_relation(&r.msg, 0, PEOPLE, "openfaith_people", "name *org_id *id");
    good(&r);
    assert_ptr_equal(of_decoder_rel(r.d, PEOPLE), rel);
    assert_null(rel->user);
    assert_int_equal(rel->n_columns, 3);
    assert_int_equal(rel->org, 1);
    assert_int_equal(rel->id, 2);
    w_relation(&r.msg, 0, EDGES, "openfaith_edges", "*relationshipType *targetEntityId *sourceEntityId *orgId");
    good(&r);
    const struct of_rel *edges = of_decoder_rel(r.d, EDGES);
    assert_int_equal(edges->id, -1);
    assert_int_equal(edges->type, 0);
    assert_int_equal(edges->target, 1);
    assert_int_equal(edges->source, 2);
    assert_int_equal(edges->org, 3);
    begin(&r, 7);
    of_buf_clear(&r.out);
    w_row(&r.msg, 'I', 0, PEOPLE, 0, NULL, "n o i");
    good(&r);
    SAID(&r, "i 7 public.openfaith_people new=t:n,t:o,t:i\n");
    w_row(&r.msg, 'I', 0, PEOPLE, 0, NULL, "o i"); /* as it was before */
    refused(&r, "as many cells as the relation has columns");
    record_done(&r);
}

static void test_many_relations(void **state)
{
    (void)state;
    struct record r;
    record_init(&r);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t oid = 1; oid <= 3000; oid++) {
            char name[32];
            snprintf(name, sizeof name, "t%u", oid * (round + 1));
            w_relation(&r.msg, 0, oid * 64, name, "*id");
            good(&r);
        }
        for (uint32_t oid = 1; oid <= 3000; oid++) {
            char name[32];
            snprintf(name, sizeof name, "t%u", oid * (round + 1));
            assert_string_equal(of_decoder_rel(r.d, oid * 64)->name, name);
        }
    }
    assert_null(of_decoder_rel(r.d, 63));
    record_done(&r);
}

/* Every message cut at every byte, and with a byte too many. */
static void write_sample(struct of_buf *b, int sample, uint32_t xid)
{
    static const uint32_t oids[] = {PEOPLE};
    switch (sample) {
        case 0: w_relation(b, xid, PEOPLE, MARK, "*id " MARK); break;
        case 1: w_row(b, 'I', xid, PEOPLE, 0, NULL, MARK " ~"); break;
        case 2: w_row(b, 'U', xid, PEOPLE, 'O', MARK " ?", MARK " " MARK); break;
        case 3: w_row(b, 'D', xid, PEOPLE, 'K', MARK " ~", NULL); break;
        case 4: w_truncate(b, xid, 1, oids); break;
        case 5: w_message(b, xid, true, 1, MARK, MARK); break;
        case 6: w_kind(b, 'Y', xid); w_32(b, 1); w_text(b, MARK); w_text(b, MARK); break;
        case 7: w_kind(b, 'O', 0); w_64(b, 1); w_text(b, MARK); break;
        case 8: xid != 0 ? w_kind(b, 'E', 0) : w_commit(b, 0, 1, 2, 3); break;
        case 9: xid != 0 ? w_commit(b, xid, 1, 2, 3) : w_begin(b, 1, 2, 3); break;
        case 10: xid != 0 ? w_stream_abort(b, 1, 2) : w_stream_start(b, 1, true); break;
        default: of_buf_clear(b); break;
    }
}

static void test_cut(void **state)
{
    (void)state;
    for (int sample = 0; sample < 22; sample++) {
        uint32_t xid = sample >= 11 ? 9 : 0;
        struct of_buf whole = OF_BUF_INIT(4096);
        write_sample(&whole, sample % 11, xid);
        w_8(&whole, 0);
        for (size_t len = 0; len <= whole.len; len++) {
            struct record r;
            record_init(&r);
            if (sample % 11 < 9) {
                xid != 0 ? w_stream_start(&r.msg, xid, true) : w_begin(&r.msg, 1, 2, 7);
                good(&r);
            }
            people(&r, sample % 11 < 9 ? xid : 0);
            of_buf_clear(&r.msg);
            of_buf_mem(&r.msg, whole.data, len);
            if (len == whole.len - 1) {
                good(&r);
            } else {
                refused(&r, len == 0 ? "0 bytes" : "expected");
            }
            record_done(&r);
        }
        of_buf_done(&whole);
    }
}

static void test_lies(void **state)
{
    (void)state;
    struct record r;
    record_init(&r);
    begin(&r, 7);
    people(&r, 0);
    struct of_buf *b = &r.msg;

    w_row(b, 'I', 0, PEOPLE, 0, NULL, "p1");
    refused(&r, "as many cells as the relation has columns");
    w_row(b, 'I', 0, PEOPLE, 0, NULL, "p1 a b");
    refused(&r, "as many cells as the relation has columns");
    w_row(b, 'I', 0, PEOPLE + 1, 0, NULL, "p1 a");
    refused(&r, "message I at byte 1 of 21: expected a relation that was told");
    w_row(b, 'I', 0, PEOPLE, 'K', "p1 ~", "p1 a");
    refused(&r, "the new row");
    w_row(b, 'I', 0, PEOPLE, 'O', "p1 a", NULL);
    refused(&r, "the new row");
    w_row(b, 'D', 0, PEOPLE, 0, NULL, "p1 a");
    refused(&r, "the old row or its key");
    w_row(b, 'U', 0, PEOPLE, 'K', "p1 ~", NULL);
    refused(&r, "the new row");
    w_row(b, 'U', 0, PEOPLE, 'X', "p1 ~", "p1 a");
    refused(&r, "the new row");

    static const uint32_t lengths[] = {4, 7, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    for (size_t i = 0; i < OF_ARRAY_LEN(lengths); i++) { /* a cell that says it is longer than what follows */
        w_kind(b, 'I', 0);
        w_32(b, PEOPLE);
        w_8(b, 'N');
        w_16(b, 2);
        w_8(b, 'n');
        w_8(b, 't');
        w_32(b, lengths[i]);
        of_buf_str(b, "abc");
        refused(&r, "at byte 14 of 17: expected as many bytes as said");
        w_message(b, 0, true, 1, "p", "");
        b->len -= 4;
        w_32(b, lengths[i]);
        of_buf_str(b, "abc");
        refused(&r, "as many bytes as said");
    }
    w_row(b, 'I', 0, PEOPLE, 0, NULL, "p1 a");
    b->data[8] = 'x';
    refused(&r, "kind of a cell");

    w_truncate(b, 0, 1, &(uint32_t){PEOPLE});
    b->data[1] = (char)0x40; /* a thousand million relations */
    refused(&r, "as many relations as said");
    w_truncate(b, 0, 1, &(uint32_t){PEOPLE + 1});
    refused(&r, "a relation that was told");
    w_truncate(b, 0, 0, NULL);
    good(&r);
    SAID(&r, "truncate 7\n");

    static const unsigned counts[] = {0, 1, 3, 1600, 1601, 65535};
    for (size_t i = 0; i < OF_ARRAY_LEN(counts); i++) {
        w_relation(b, 0, EDGES, "t", "*id orgId");
        b->data[15] = (char)(counts[i] >> 8);
        b->data[16] = (char)counts[i];
        refused(&r, counts[i] < 2 ? "end of message" : "as many columns as said");
        assert_null(of_decoder_rel(r.d, EDGES));
    }
    w_relation(b, 0, EDGES, "t", "*id");
    b->data[14] = 'x';
    refused(&r, "replica identity");
    char name[OF_CDC_NAME_MAX + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    w_relation(b, 0, EDGES, name, "*id"); /* 64 bytes and a NUL: one too many */
    refused(&r, "name of a relation");
    w_relation(b, 0, EDGES, "t", name);
    refused(&r, "name of a column");
    w_relation(b, 0, EDGES, name + 1, name + 1);
    good(&r);
    assert_string_equal(of_decoder_rel(r.d, EDGES)->name, name + 1);
    assert_string_equal(of_decoder_rel(r.d, EDGES)->columns[0].name, name + 1);

    w_commit(b, 0, 1, 2, INT64_MAX);
    refused(&r, "commit time");
    w_kind(b, 'Z', 0);
    refused(&r, "unknown kind 0x5a");
    w_kind(b, '\0', 0);
    refused(&r, "unknown kind 0x00");
    record_done(&r);
}

/* Which messages may come where. */
static void test_where(void **state)
{
    (void)state;
    static const char *inside = "IUDT";
    struct record r;
    record_init(&r);
    people(&r, 0);
    for (const char *kind = inside; *kind != '\0'; kind++) {
        w_row(&r.msg, *kind, 0, PEOPLE, *kind == 'D' ? 'K' : 0, "p ~", *kind == 'D' ? NULL : "p a");
        refused(&r, "a transaction around it");
    }
    w_commit(&r.msg, 0, 1, 2, 3);
    refused(&r, "the beginning of its transaction");
    w_kind(&r.msg, 'E', 0);
    refused(&r, "the beginning of its transaction");
    for (int streamed = 0; streamed < 2; streamed++) {
        streamed ? w_stream_start(&r.msg, 9, true) : w_begin(&r.msg, 1, 2, 3);
        good(&r);
        w_begin(&r.msg, 1, 2, 3);
        refused(&r, "the end of the transaction before");
        w_stream_start(&r.msg, 9, true);
        refused(&r, "the end of the transaction before");
        w_commit(&r.msg, 9, 1, 2, 3);
        refused(&r, "the end of the transaction before");
        w_stream_abort(&r.msg, 9, 9);
        refused(&r, "the end of the transaction before");
        streamed ? w_commit(&r.msg, 0, 1, 2, 3) : w_kind(&r.msg, 'E', 0);
        refused(&r, "the beginning of its transaction");
        streamed ? w_kind(&r.msg, 'E', 0) : w_commit(&r.msg, 0, 1, 2, 3);
        good(&r);
    }
    record_done(&r);
}

static void test_answers_and_reset(void **state)
{
    (void)state;
    struct record r;
    struct of_err err = OF_ERR_INIT;
    record_init(&r);
    people(&r, 0);
    begin(&r, 7);
    r.answer = OF_E_STOPPED;
    w_row(&r.msg, 'I', 0, PEOPLE, 0, NULL, "p1 a");
    assert_int_equal(feed(&r, r.msg.data, r.msg.len, &err), OF_E_STOPPED);
    r.answer = OF_OK;
    of_decoder_reset(r.d);
    of_buf_clear(&r.out);
    assert_null(of_decoder_rel(r.d, PEOPLE));
    begin(&r, 8); /* the one before is forgotten */
    SAID(&r, "begin 8 100 946684800000000\n");
    w_row(&r.msg, 'I', 0, PEOPLE, 0, NULL, "p1 a");
    refused(&r, "a relation that was told");
    people(&r, 0);
    w_row(&r.msg, 'I', 0, PEOPLE, 0, NULL, "p1 a");
    good(&r);
    SAID(&r, "i 8 public.openfaith_people new=t:p1,t:a\n");
    record_done(&r);
    of_decoder_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transaction),   cmocka_unit_test(test_streamed),       cmocka_unit_test(test_messages),
        cmocka_unit_test(test_relation_anew), cmocka_unit_test(test_many_relations), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_lies),          cmocka_unit_test(test_where),          cmocka_unit_test(test_answers_and_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

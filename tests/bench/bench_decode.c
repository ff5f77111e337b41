/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the change reader, one after the other on one core, without a network: messages of pgoutput are decoded;
 * decoded and encoded as change messages; streamed through the store of open transactions (16 MB) and encoded at the commit; and
 * what a worker does, change messages decoded. bench_decode [ROWS], 2,000,000 by default. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "cdc/txn.h"
#include "common/task/change.h"
#include "tests/support/pgoutput.h"

enum { OID = 16400, MEMORY = 16 * 1024 * 1024, DISTINCT = 1 << 16 };

static struct of_err err = OF_ERR_INIT;

struct work {
    struct of_decoder *d;
    struct of_txns *txns; /* NULL: rows are encoded at once */
    struct of_buf out;
    bool encodes;
    uint32_t xid;
    int64_t n;
    size_t bytes; /* of change messages */
    uint64_t spilled;
};

static void must(enum of_code code)
{
    if (code != OF_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        exit(70);
    }
}

static double cpu_seconds(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void encode(struct work *w, const char *org, const char *id, char op)
{
    struct of_change c = {.org = org, .table = "openfaith_people", .id = id, .op = op, .xid = 4294967296u + w->xid,
                          .sys = UINT64_C(7301234567890123456), .timeline = 1, .lsn = UINT64_C(0x5A16B3748),
                          .at_us = INT64_C(1795341600123456), .n = w->n++};
    of_buf_clear(&w->out);
    of_change_encode(&c, &w->out);
    w->bytes += w->out.len;
}

static enum of_code on_begin(void *arg, uint32_t xid, of_lsn lsn, int64_t us, struct of_err *e)
{
    struct work *w = arg;
    (void)lsn, (void)us, (void)e;
    w->xid = xid;
    w->n = 0;
    return OF_OK;
}

static enum of_code on_commit(void *arg, of_lsn lsn, of_lsn end, int64_t us, struct of_err *e)
{
    (void)arg, (void)lsn, (void)end, (void)us, (void)e;
    return OF_OK;
}

static enum of_code on_row(void *arg, const struct of_row *row, struct of_err *e)
{
    struct work *w = arg;
    const struct of_cell *id = &row->new_cells[row->rel->id], *org = &row->new_cells[row->rel->org];
    if (w->txns != NULL) {
        struct of_txn_row kept = {.subxid = row->xid, .rel = 1, .op = row->op, .org = org->data, .org_len = org->len,
                                  .id = id->data, .id_len = id->len};
        return of_txns_add(w->txns, w->xid, &kept, e);
    }
    if (w->encodes) {
        char org_text[OF_CHANGE_ORG_MAX + 1], id_text[OF_CHANGE_ID_MAX + 1];
        memcpy(org_text, org->data, org->len);
        org_text[org->len] = '\0';
        memcpy(id_text, id->data, id->len);
        id_text[id->len] = '\0';
        encode(w, org_text, id_text, row->op);
    }
    return OF_OK;
}

static enum of_code on_truncate(void *arg, struct of_rel *const *rels, int n, uint32_t xid, struct of_err *e)
{
    (void)arg, (void)rels, (void)n, (void)xid, (void)e;
    return OF_OK;
}

static enum of_code on_message(void *arg, bool transactional, of_lsn lsn, const char *prefix, const void *content, size_t len,
                               uint32_t xid, struct of_err *e)
{
    (void)arg, (void)transactional, (void)lsn, (void)prefix, (void)content, (void)len, (void)xid, (void)e;
    return OF_OK;
}

static enum of_code on_stream_start(void *arg, uint32_t xid, bool first, struct of_err *e)
{
    (void)first;
    return on_begin(arg, xid, 0, 0, e);
}

static enum of_code on_stream_stop(void *arg, struct of_err *e)
{
    (void)arg, (void)e;
    return OF_OK;
}

static enum of_code on_stream_commit(void *arg, uint32_t xid, of_lsn lsn, of_lsn end, int64_t us, struct of_err *e)
{
    struct work *w = arg;
    struct of_txn_reader *r = NULL;
    struct of_txn_row row;
    bool has = true;
    (void)lsn, (void)end, (void)us;
    w->spilled = of_txns_spilled(w->txns);
    OF_TRY(of_txns_open(w->txns, xid, &r, e));
    while (has) {
        OF_TRY(of_txns_next(r, &row, &has, e));
        if (has) {
            encode(w, row.org, row.id, row.op);
        }
    }
    of_txns_end(w->txns, xid, r);
    return OF_OK;
}

static enum of_code on_stream_abort(void *arg, uint32_t xid, uint32_t subxid, struct of_err *e)
{
    struct work *w = arg;
    return of_txns_abort(w->txns, xid, subxid, e);
}

static const struct of_decode_ops ops = {
    .begin = on_begin, .commit = on_commit, .row = on_row, .truncate = on_truncate, .message = on_message,
    .stream_start = on_stream_start, .stream_stop = on_stream_stop, .stream_commit = on_stream_commit,
    .stream_abort = on_stream_abort,
};

/* Rows as the server sends them, of ids as TypeIDs are, a hundred in the same millisecond, 1,000 in a row of one org. */
struct rows {
    struct of_buf bytes;
    size_t *at; /* DISTINCT + 1 */
};

static void make_rows(struct rows *rows, uint32_t xid)
{
    struct of_buf msg = OF_BUF_INIT(4096);
    uint64_t seed = 42;
    rows->bytes = OF_BUF_INIT(SIZE_MAX / 2);
    rows->at = of_calloc(DISTINCT + 1, sizeof(size_t));
    for (unsigned i = 0; i < DISTINCT; i++) {
        char cells[128];
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        (void)snprintf(cells, sizeof(cells), "person_01k%07x%016llx org_%u", i / 100, (unsigned long long)seed, i / 1000);
        w_row(&msg, 'I', xid, OID, 0, NULL, cells);
        of_buf_mem(&rows->bytes, msg.data, msg.len);
        rows->at[i + 1] = rows->bytes.len;
    }
    of_buf_done(&msg);
}

static void say(const char *what, int64_t rows, double seconds, const char *rest)
{
    (void)printf("  %-34s %6.2f million rows/s   %.3f CPU s per million%s\n", what, (double)rows / 1e6 / seconds,
                 seconds * 1e6 / (double)rows, rest);
}

static void feed(struct work *w, const struct of_buf *msg)
{
    must(of_decode(w->d, msg->data, msg->len, &err));
}

static void run(const char *what, int64_t n_rows, bool encodes, bool streams)
{
    struct work w = {.encodes = encodes, .out = OF_BUF_INIT(OF_CHANGE_MAX_BYTES)};
    struct rows rows;
    struct of_buf msg = OF_BUF_INIT(4096);
    uint32_t xid = streams ? 77 : 0;
    char rest[80] = "";
    make_rows(&rows, xid);
    w.d = of_decoder_new(&ops, &w);
    w.txns = streams ? of_txns_new("/tmp", MEMORY, UINT64_MAX) : NULL;
    double begin = cpu_seconds();
    streams ? w_stream_start(&msg, xid, true) : w_begin(&msg, 1, 2, 7);
    feed(&w, &msg);
    w_relation(&msg, xid, OID, "openfaith_people", "*id orgId");
    feed(&w, &msg);
    for (int64_t i = 0; i < n_rows; i++) {
        size_t which = (size_t)i % DISTINCT;
        must(of_decode(w.d, rows.bytes.data + rows.at[which], rows.at[which + 1] - rows.at[which], &err));
    }
    if (streams) {
        w_kind(&msg, 'E', 0);
        feed(&w, &msg);
    }
    w_commit(&msg, xid, 1, 2, 3);
    feed(&w, &msg);
    double took = cpu_seconds() - begin;
    if (streams) {
        (void)snprintf(rest, sizeof(rest), ", %.1f MB spilled", (double)w.spilled / 1e6);
    } else if (encodes) {
        (void)snprintf(rest, sizeof(rest), ", %zu bytes each", w.bytes / (size_t)n_rows);
    }
    say(what, n_rows, took, rest);
    of_txns_free(w.txns);
    of_decoder_free(w.d);
    of_buf_done(&w.out);
    of_buf_done(&msg);
    of_buf_done(&rows.bytes);
    free(rows.at);
}

static void run_worker(int64_t n_rows)
{
    struct work w = {.out = OF_BUF_INIT(OF_CHANGE_MAX_BYTES)};
    encode(&w, "org_17", "person_01k0000123456789abcdef0123", 'u');
    double begin = cpu_seconds();
    for (int64_t i = 0; i < n_rows; i++) {
        struct of_change c = {.op = 'i'};
        must(of_change_decode(w.out.data, w.out.len, &c, &err));
        of_change_done(&c);
    }
    say("change message decoded", n_rows, cpu_seconds() - begin, "");
    of_buf_done(&w.out);
}

int main(int argc, char **argv)
{
    int64_t n_rows = 2000000;
    struct rusage usage = {0};
    if (argc > 2 || (argc == 2 && !of_parse_i64(argv[1], 1, 1000000000, &n_rows))) {
        (void)fprintf(stderr, "usage: bench_decode [ROWS]\n");
        return 64;
    }
    (void)printf("change reader, its pure parts: %lld rows on one core (goal of the whole reader: 0.25 million a second)\n",
                 (long long)n_rows);
    run("decoded", n_rows, false, false);
    run("decoded, encoded", n_rows, true, false);
    run("streamed, kept, given out, encoded", n_rows, true, true);
    run_worker(n_rows);
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("  peak RSS %.1f MB, of these 16 for open transactions and %.1f the bench's own rows\n",
                 (double)usage.ru_maxrss / 1024, (double)DISTINCT * 75 / 1e6);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The pgoutput decoder and the store behind it. Input: messages, each after two bytes of length (what is left, if less). Every
 * byte that the decoder hands out is looked at; rows go into the store and out again at the commit. */
#include "tests/fuzz/fuzz.h"

#include "cdc/txn.h"

#include <stdlib.h>
#include <string.h>

struct state {
    struct of_txns *txns;
    uint32_t xid;
    bool is_open;
    unsigned sum;
};

static void look(struct state *s, const void *p, size_t n)
{
    const unsigned char *bytes = p;
    for (size_t i = 0; i < n; i++) {
        s->sum += bytes[i];
    }
}

static void give_out(struct state *s, uint32_t xid)
{
    struct of_txn_reader *r = NULL;
    struct of_txn_row row;
    struct of_err err = OF_ERR_INIT;
    bool has = true;
    OF_BUG_ON(of_txns_open(s->txns, xid, &r, &err) != OF_OK);
    while (has) {
        OF_BUG_ON(of_txns_next(r, &row, &has, &err) != OF_OK);
        if (has) {
            look(s, row.org, row.org_len + 1);
            look(s, row.id, row.id_len + 1);
        }
    }
    of_txns_end(s->txns, xid, r);
}

static enum of_code on_begin(void *arg, uint32_t xid, of_lsn lsn, int64_t us, struct of_err *err)
{
    struct state *s = arg;
    (void)lsn, (void)us, (void)err;
    OF_BUG_ON(s->is_open);
    s->is_open = true;
    s->xid = xid;
    return OF_OK;
}

static enum of_code on_commit(void *arg, of_lsn lsn, of_lsn end, int64_t us, struct of_err *err)
{
    struct state *s = arg;
    (void)lsn, (void)end, (void)us, (void)err;
    OF_BUG_ON(!s->is_open);
    s->is_open = false;
    give_out(s, s->xid);
    return OF_OK;
}

static void look_at_cells(struct state *s, const struct of_row *row, const struct of_cell *cells, int n)
{
    OF_BUG_ON(n != 0 && n != row->rel->n_columns);
    for (int i = 0; i < n; i++) {
        OF_BUG_ON(strchr("nutb", cells[i].kind) == NULL || (cells[i].data == NULL && cells[i].len > 0));
        look(s, cells[i].data, cells[i].len);
    }
}

static enum of_code on_row(void *arg, const struct of_row *row, struct of_err *err)
{
    struct state *s = arg;
    OF_BUG_ON(!s->is_open);
    look_at_cells(s, row, row->new_cells, row->n_new);
    look_at_cells(s, row, row->key_cells, row->n_key);
    OF_BUG_ON((row->op == 'd') != (row->n_new == 0 && row->op != 'i' && row->op != 'u'));
    const struct of_cell *cells = row->n_new > 0 ? row->new_cells : row->key_cells;
    int org = row->rel->org, id = row->rel->id;
    OF_BUG_ON(org >= row->rel->n_columns || id >= row->rel->n_columns);
    if (row->n_new + row->n_key == 0 || org < 0 || id < 0) {
        return OF_OK;
    }
    struct of_txn_row kept = {.subxid = row->xid, .rel = row->rel->oid, .op = row->op,
                              .org = cells[org].data != NULL ? cells[org].data : "", .org_len = cells[org].len,
                              .id = cells[id].data != NULL ? cells[id].data : "", .id_len = cells[id].len};
    return of_txns_add(s->txns, s->xid, &kept, err);
}

static enum of_code on_truncate(void *arg, struct of_rel *const *rels, int n, uint32_t xid, struct of_err *err)
{
    struct state *s = arg;
    (void)xid, (void)err;
    for (int i = 0; i < n; i++) {
        look(s, rels[i]->name, strlen(rels[i]->name));
    }
    return OF_OK;
}

static enum of_code on_message(void *arg, bool transactional, of_lsn lsn, const char *prefix, const void *content, size_t len,
                               uint32_t xid, struct of_err *err)
{
    struct state *s = arg;
    (void)lsn, (void)xid, (void)err;
    OF_BUG_ON(transactional && !s->is_open);
    look(s, prefix, strlen(prefix) + 1);
    look(s, content, len);
    return OF_OK;
}

static enum of_code on_stream_start(void *arg, uint32_t xid, bool first, struct of_err *err)
{
    (void)first;
    return on_begin(arg, xid, 0, 0, err);
}

static enum of_code on_stream_stop(void *arg, struct of_err *err)
{
    struct state *s = arg;
    (void)err;
    OF_BUG_ON(!s->is_open);
    s->is_open = false;
    return OF_OK;
}

static enum of_code on_stream_commit(void *arg, uint32_t xid, of_lsn lsn, of_lsn end, int64_t us, struct of_err *err)
{
    struct state *s = arg;
    (void)lsn, (void)end, (void)us, (void)err;
    OF_BUG_ON(s->is_open);
    give_out(s, xid);
    return OF_OK;
}

static enum of_code on_stream_abort(void *arg, uint32_t xid, uint32_t subxid, struct of_err *err)
{
    struct state *s = arg;
    OF_BUG_ON(s->is_open);
    return of_txns_abort(s->txns, xid, subxid, err);
}

static const struct of_decode_ops ops = {
    .begin = on_begin, .commit = on_commit, .row = on_row, .truncate = on_truncate, .message = on_message,
    .stream_start = on_stream_start, .stream_stop = on_stream_stop, .stream_commit = on_stream_commit,
    .stream_abort = on_stream_abort,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct state s = {.txns = of_txns_new("/tmp", 0, 1024 * 1024)}; /* no memory: all of it through files */
    struct of_decoder *d = of_decoder_new(&ops, &s);
    enum of_code code = OF_OK;
    for (size_t at = 0; at + 2 <= size && code == OF_OK;) {
        size_t len = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        len = OF_MIN(len, size - at);
        uint8_t *copy = of_alloc(len > 0 ? len : 1); /* the exact size: a sanitizer sees what reads beyond it */
        memcpy(copy, data + at, len);
        struct of_err err = OF_ERR_INIT;
        code = of_decode(d, copy, len, &err);
        OF_BUG_ON(code != err.code || (code != OF_OK && code != OF_E_PARSE && code != OF_E_TOO_LARGE));
        free(copy);
        at += len;
    }
    of_decoder_free(d);
    of_txns_free(s.txns);
    return 0;
}

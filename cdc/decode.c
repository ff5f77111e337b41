/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/decode.h"

#include <stdlib.h>
#include <string.h>

/* Microseconds from 1970 to 2000, where the server's clock begins. */
#define PG_EPOCH_US INT64_C(946684800000000)

enum { RELS_MAX = 65536, COLUMN_BYTES_MIN = 10, FIRST_SLOTS = 64 };

enum where { OUTSIDE = 0, IN_TRANSACTION, IN_STREAM };

struct of_decoder {
    const struct of_decode_ops *ops;
    void *arg;
    enum where where;
    uint32_t xid;         /* of the transaction or the streamed block that it is in */
    struct of_rel **slots; /* by oid, open addressing; n_slots is a power of two, at most half of them are taken */
    size_t n_slots, n_rels;
    struct of_rel *last; /* of the row before: most rows follow one of their own table */
    struct of_cell new_cells[OF_CDC_COLUMNS_MAX];
    struct of_cell key_cells[OF_CDC_COLUMNS_MAX];
};

/* --- bytes of one message. The first thing that is not as expected stops the reading: everything after gives zeros. --- */

struct in {
    const unsigned char *start;
    const unsigned char *p;
    const unsigned char *end;
    const char *expected; /* at p; NULL: fine so far */
};

static void fail(struct in *in, const char *expected)
{
    if (in->expected == NULL) {
        in->expected = expected;
    }
}

static const unsigned char *get_bytes(struct in *in, size_t n, const char *what)
{
    if (in->expected != NULL || n > (size_t)(in->end - in->p)) {
        fail(in, what);
        return NULL;
    }
    const unsigned char *at = in->p;
    in->p += n;
    return at;
}

static unsigned char get_8(struct in *in, const char *what)
{
    const unsigned char *b = get_bytes(in, 1, what);
    return b ? b[0] : 0;
}

static unsigned get_16(struct in *in, const char *what)
{
    const unsigned char *b = get_bytes(in, 2, what);
    return b ? (unsigned)b[0] << 8 | b[1] : 0;
}

static uint32_t get_32(struct in *in, const char *what)
{
    const unsigned char *b = get_bytes(in, 4, what);
    return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

static uint64_t get_64(struct in *in, const char *what)
{
    uint64_t high = get_32(in, what);
    return high << 32 | get_32(in, what);
}

/* Up to its NUL, which is one of the bytes: borrowed. */
static const char *get_text(struct in *in, size_t max_bytes, const char *what)
{
    if (in->expected != NULL) {
        return "";
    }
    size_t room = OF_MIN(max_bytes, (size_t)(in->end - in->p));
    const unsigned char *nul = room > 0 ? memchr(in->p, '\0', room) : NULL;
    if (nul == NULL) {
        fail(in, what);
        return "";
    }
    const char *text = (const char *)in->p;
    in->p = nul + 1;
    return text;
}

static int64_t get_time(struct in *in)
{
    int64_t us = 0;
    if (__builtin_add_overflow((int64_t)get_64(in, "commit time"), PG_EPOCH_US, &us)) {
        in->p -= in->expected == NULL ? 8 : 0;
        fail(in, "commit time");
    }
    return us;
}

/* Every message ends with this before anything of it counts. */
static enum of_code finish(struct in *in, struct of_err *err)
{
    if (in->expected == NULL && in->p != in->end) {
        fail(in, "end of message");
    }
    if (in->expected == NULL) {
        return OF_OK;
    }
    unsigned char type = *in->start;
    return of_err_set(err, OF_E_PARSE, "pgoutput message %c at byte %zu of %zu: expected %s",
                      type > ' ' && type < 0x7f ? type : '?', (size_t)(in->p - in->start), (size_t)(in->end - in->start),
                      in->expected);
}

/* --- relations --- */

static size_t slot_of(const struct of_decoder *d, uint32_t oid)
{
    size_t i = (size_t)(oid * UINT32_C(2654435769)) & (d->n_slots - 1);
    while (d->slots[i] != NULL && d->slots[i]->oid != oid) {
        i = (i + 1) & (d->n_slots - 1);
    }
    return i;
}

struct of_rel *of_decoder_rel(struct of_decoder *d, uint32_t oid)
{
    if (d->last == NULL || d->last->oid != oid) {
        struct of_rel *rel = d->slots[slot_of(d, oid)];
        if (rel == NULL) {
            return NULL;
        }
        d->last = rel;
    }
    return d->last;
}

static void grow_slots(struct of_decoder *d)
{
    struct of_rel **old = d->slots;
    size_t n_old = d->n_slots;
    d->n_slots = n_old * 2;
    d->slots = of_calloc(d->n_slots, sizeof(struct of_rel *));
    for (size_t i = 0; i < n_old; i++) {
        if (old[i] != NULL) {
            d->slots[slot_of(d, old[i]->oid)] = old[i];
        }
    }
    free(old);
}

/* A relation told anew stays where it is: only its columns are others. What a transaction that is not committed says of a
 * relation counts for all: whoever changes a table's columns locks it, and the server tells the relation again after an abort. */
static void keep_rel(struct of_decoder *d, const struct of_rel *told)
{
    size_t i = slot_of(d, told->oid);
    if (d->slots[i] == NULL) {
        if ((d->n_rels + 1) * 2 > d->n_slots) {
            grow_slots(d);
            i = slot_of(d, told->oid);
        }
        d->slots[i] = of_calloc(1, sizeof(struct of_rel));
        d->n_rels++;
    }
    free(d->slots[i]->columns);
    *d->slots[i] = *told;
}

static int find_column(const struct of_rel *rel, const char *name)
{
    for (int i = 0; i < rel->n_columns; i++) {
        if (strcmp(rel->columns[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static void find_columns(struct of_rel *rel)
{
    rel->org = find_column(rel, "orgId");
    if (rel->org < 0) {
        rel->org = find_column(rel, "org_id");
    }
    rel->id = find_column(rel, "id");
    rel->source = find_column(rel, "sourceEntityId");
    rel->target = find_column(rel, "targetEntityId");
    rel->type = find_column(rel, "relationshipType");
}

static void get_columns(struct in *in, struct of_rel *rel)
{
    unsigned n = get_16(in, "number of columns");
    if (n > OF_CDC_COLUMNS_MAX || n > (size_t)(in->end - in->p) / COLUMN_BYTES_MIN) {
        fail(in, "as many columns as said");
        return;
    }
    rel->columns = of_calloc(OF_MAX(n, 1U), sizeof(struct of_rel_column));
    rel->n_columns = (int)n;
    for (unsigned i = 0; i < n; i++) {
        struct of_rel_column *column = &rel->columns[i];
        column->is_key = (get_8(in, "flags of a column") & 1) != 0;
        (void)of_strcopy(column->name, sizeof(column->name), get_text(in, OF_CDC_NAME_MAX, "name of a column"));
        column->type_oid = get_32(in, "type of a column");
        (void)get_32(in, "type modifier of a column");
    }
}

static enum of_code on_relation(struct of_decoder *d, struct in *in, struct of_err *err)
{
    struct of_rel rel = {.oid = 0};
    if (d->where == IN_STREAM) {
        (void)get_32(in, "transaction id");
    }
    rel.oid = get_32(in, "relation");
    (void)of_strcopy(rel.schema, sizeof(rel.schema), get_text(in, OF_CDC_NAME_MAX, "schema"));
    (void)of_strcopy(rel.name, sizeof(rel.name), get_text(in, OF_CDC_NAME_MAX, "name of a relation"));
    rel.replica_identity = (char)get_8(in, "replica identity");
    if (in->expected == NULL && (rel.replica_identity == '\0' || strchr("dnfi", rel.replica_identity) == NULL)) {
        fail(in, "replica identity");
    }
    get_columns(in, &rel);
    if (d->n_rels >= RELS_MAX && d->slots[slot_of(d, rel.oid)] == NULL) {
        fail(in, "fewer relations");
    }
    enum of_code code = finish(in, err);
    if (code != OF_OK) {
        free(rel.columns);
        return code;
    }
    find_columns(&rel);
    keep_rel(d, &rel);
    return OF_OK;
}

static enum of_code on_type(struct of_decoder *d, struct in *in, struct of_err *err)
{
    if (d->where == IN_STREAM) {
        (void)get_32(in, "transaction id");
    }
    (void)get_32(in, "type");
    (void)get_text(in, OF_CDC_NAME_MAX, "schema");
    (void)get_text(in, OF_CDC_NAME_MAX, "name of a type");
    return finish(in, err);
}

static enum of_code on_origin(struct of_decoder *d, struct in *in, struct of_err *err)
{
    (void)d;
    (void)get_64(in, "commit LSN");
    (void)get_text(in, SIZE_MAX, "name of an origin");
    return finish(in, err);
}

/* --- rows --- */

/* Sub-transaction in a streamed block, else the transaction. */
static uint32_t get_xid(const struct of_decoder *d, struct in *in)
{
    if (d->where == OUTSIDE) {
        fail(in, "a transaction around it");
    }
    return d->where == IN_STREAM ? get_32(in, "transaction id") : d->xid;
}

static struct of_rel *get_rel(struct of_decoder *d, struct in *in)
{
    uint32_t oid = get_32(in, "relation");
    struct of_rel *rel = in->expected == NULL ? of_decoder_rel(d, oid) : NULL;
    if (rel == NULL && in->expected == NULL) {
        in->p -= 4;
        fail(in, "a relation that was told");
    }
    return rel;
}

/* The server writes each column that it told, also where the row was written before the column was there. */
static int get_cells(struct in *in, const struct of_rel *rel, struct of_cell *cells)
{
    unsigned n = get_16(in, "number of cells");
    if (rel == NULL || (int)n != rel->n_columns) {
        fail(in, "as many cells as the relation has columns");
        return 0;
    }
    for (unsigned i = 0; i < n; i++) {
        struct of_cell *cell = &cells[i];
        cell->kind = (char)get_8(in, "kind of a cell");
        cell->data = NULL;
        cell->len = 0;
        switch (cell->kind) {
            case 'n':
            case 'u':
                break;
            case 't':
            case 'b':
                cell->len = get_32(in, "length of a cell");
                cell->data = (const char *)get_bytes(in, cell->len, "as many bytes as said");
                break;
            default:
                fail(in, "kind of a cell");
                return 0;
        }
    }
    return (int)n;
}

static enum of_code on_row(struct of_decoder *d, struct in *in, struct of_err *err)
{
    struct of_row row = {.op = *in->start == 'I' ? 'i' : *in->start == 'U' ? 'u' : 'd',
                         .new_cells = d->new_cells, .key_cells = d->key_cells};
    row.xid = get_xid(d, in);
    row.rel = get_rel(d, in);
    unsigned char part = get_8(in, "part of a row");
    if ((part == 'K' || part == 'O') && row.op != 'i') {
        row.n_key = get_cells(in, row.rel, d->key_cells);
        part = row.op == 'u' ? get_8(in, "the new row") : part;
    } else if (row.op == 'd') {
        fail(in, "the old row or its key");
    }
    if (row.op != 'd') {
        if (part != 'N') {
            fail(in, "the new row");
        }
        row.n_new = get_cells(in, row.rel, d->new_cells);
    }
    OF_TRY(finish(in, err));
    return d->ops->row(d->arg, &row, err);
}

static enum of_code on_truncate(struct of_decoder *d, struct in *in, struct of_err *err)
{
    uint32_t xid = get_xid(d, in);
    uint32_t n = get_32(in, "number of relations");
    (void)get_8(in, "flags of a truncate");
    if (n > (size_t)(in->end - in->p) / 4 || n > RELS_MAX) {
        fail(in, "as many relations as said");
        n = 0;
    }
    OF_CLEANUP(of_freep) struct of_rel **rels = of_calloc(OF_MAX(n, 1U), sizeof(struct of_rel *));
    for (uint32_t i = 0; i < n; i++) {
        rels[i] = get_rel(d, in);
    }
    OF_TRY(finish(in, err));
    return d->ops->truncate(d->arg, rels, (int)n, xid, err);
}

static enum of_code on_message(struct of_decoder *d, struct in *in, struct of_err *err)
{
    uint32_t xid = d->where == IN_STREAM ? get_32(in, "transaction id") : d->xid;
    bool transactional = (get_8(in, "flags of a message") & 1) != 0;
    if (transactional && d->where == OUTSIDE) {
        fail(in, "a transaction around it");
    }
    of_lsn lsn = get_64(in, "LSN");
    const char *prefix = get_text(in, SIZE_MAX, "prefix");
    uint32_t len = get_32(in, "length of the content");
    const unsigned char *content = get_bytes(in, len, "as many bytes as said");
    OF_TRY(finish(in, err));
    return d->ops->message(d->arg, transactional, lsn, prefix, content, len, transactional ? xid : 0, err);
}

/* --- transactions --- */

static void expect_where(const struct of_decoder *d, struct in *in, enum where where)
{
    if (d->where != where) {
        fail(in, where == OUTSIDE ? "the end of the transaction before" : "the beginning of its transaction");
    }
}

static enum of_code on_begin(struct of_decoder *d, struct in *in, struct of_err *err)
{
    expect_where(d, in, OUTSIDE);
    of_lsn final = get_64(in, "final LSN");
    int64_t commit_us = get_time(in);
    uint32_t xid = get_32(in, "transaction id");
    OF_TRY(finish(in, err));
    d->where = IN_TRANSACTION;
    d->xid = xid;
    return d->ops->begin(d->arg, xid, final, commit_us, err);
}

static enum of_code on_commit(struct of_decoder *d, struct in *in, struct of_err *err)
{
    expect_where(d, in, IN_TRANSACTION);
    (void)get_8(in, "flags of a commit");
    of_lsn commit = get_64(in, "commit LSN");
    of_lsn end = get_64(in, "end LSN");
    int64_t commit_us = get_time(in);
    OF_TRY(finish(in, err));
    d->where = OUTSIDE;
    return d->ops->commit(d->arg, commit, end, commit_us, err);
}

static enum of_code on_stream_start(struct of_decoder *d, struct in *in, struct of_err *err)
{
    expect_where(d, in, OUTSIDE);
    uint32_t xid = get_32(in, "transaction id");
    bool first = get_8(in, "whether it is the first block") != 0;
    OF_TRY(finish(in, err));
    d->where = IN_STREAM;
    d->xid = xid;
    return d->ops->stream_start(d->arg, xid, first, err);
}

static enum of_code on_stream_stop(struct of_decoder *d, struct in *in, struct of_err *err)
{
    expect_where(d, in, IN_STREAM);
    OF_TRY(finish(in, err));
    d->where = OUTSIDE;
    return d->ops->stream_stop(d->arg, err);
}

static enum of_code on_stream_commit(struct of_decoder *d, struct in *in, struct of_err *err)
{
    expect_where(d, in, OUTSIDE);
    uint32_t xid = get_32(in, "transaction id");
    (void)get_8(in, "flags of a commit");
    of_lsn commit = get_64(in, "commit LSN");
    of_lsn end = get_64(in, "end LSN");
    int64_t commit_us = get_time(in);
    OF_TRY(finish(in, err));
    return d->ops->stream_commit(d->arg, xid, commit, end, commit_us, err);
}

static enum of_code on_stream_abort(struct of_decoder *d, struct in *in, struct of_err *err)
{
    expect_where(d, in, OUTSIDE);
    uint32_t xid = get_32(in, "transaction id");
    uint32_t subxid = get_32(in, "sub-transaction id");
    OF_TRY(finish(in, err));
    return d->ops->stream_abort(d->arg, xid, subxid, err);
}

/* --- the decoder --- */

enum of_code of_decode(struct of_decoder *d, const void *bytes, size_t len, struct of_err *err)
{
    if (len == 0) {
        return of_err_set(err, OF_E_PARSE, "pgoutput message of 0 bytes");
    }
    const unsigned char *start = bytes;
    struct in in = {.start = start, .p = start + 1, .end = start + len};
    switch (*start) {
        case 'I':
        case 'U':
        case 'D':
            return on_row(d, &in, err);
        case 'B':
            return on_begin(d, &in, err);
        case 'C':
            return on_commit(d, &in, err);
        case 'R':
            return on_relation(d, &in, err);
        case 'Y':
            return on_type(d, &in, err);
        case 'O':
            return on_origin(d, &in, err);
        case 'T':
            return on_truncate(d, &in, err);
        case 'M':
            return on_message(d, &in, err);
        case 'S':
            return on_stream_start(d, &in, err);
        case 'E':
            return on_stream_stop(d, &in, err);
        case 'c':
            return on_stream_commit(d, &in, err);
        case 'A':
            return on_stream_abort(d, &in, err);
        default:
            return of_err_set(err, OF_E_PARSE, "pgoutput message of unknown kind 0x%02x", *start);
    }
}

struct of_decoder *of_decoder_new(const struct of_decode_ops *ops, void *arg)
{
    struct of_decoder *d = of_calloc(1, sizeof(*d));
    d->ops = ops;
    d->arg = arg;
    d->n_slots = FIRST_SLOTS;
    d->slots = of_calloc(d->n_slots, sizeof(struct of_rel *));
    return d;
}

void of_decoder_reset(struct of_decoder *d)
{
    for (size_t i = 0; i < d->n_slots; i++) {
        if (d->slots[i] != NULL) {
            free(d->slots[i]->columns);
            free(d->slots[i]);
            d->slots[i] = NULL;
        }
    }
    d->n_rels = 0;
    d->last = NULL;
    d->where = OUTSIDE;
    d->xid = 0;
}

void of_decoder_free(struct of_decoder *d)
{
    if (d == NULL) {
        return;
    }
    of_decoder_reset(d);
    free(d->slots);
    free(d);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/txn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* A record says what differs from the one before: a byte of flags; op; sub-transaction, table (varints) and org (length, text)
 * where they are others; how much of the id before the id begins with, and the rest of it (length, text). A row of the same
 * table and org costs some 20 bytes: two flags and lengths, and of the id what is not its kind and time. */
enum { F_OP = 1, F_SUBXID = 2, F_REL = 4, F_ORG = 8, F_ALL = 15 };

enum {
    VARINT_MAX = 5,
    RECORD_MAX = 2 + 5 * VARINT_MAX + 2 * OF_TXN_TEXT_MAX,
    CHUNK_BYTES = 16 * 1024,
    READ_BYTES = 64 * 1024,
    BUCKETS = 256,
    SPARE_MAX = 64, /* empty chunks that are kept: 1 MB */
    WRITE_CHUNKS = 64
};

struct chunk {
    struct chunk *next;
    size_t len;
    unsigned char data[CHUNK_BYTES - sizeof(struct chunk *) - sizeof(size_t)];
};
_Static_assert(RECORD_MAX < sizeof(((struct chunk *)0)->data), "a chunk holds any record");

/* The record before, on either side. */
struct before {
    uint32_t subxid, rel;
    char op;
    size_t org_len, id_len;
    char org[OF_TXN_TEXT_MAX + 1];
    char id[OF_TXN_TEXT_MAX + 1];
};

struct txn {
    struct txn *next; /* in its bucket */
    uint32_t xid;
    bool is_read; /* a reader is open: neither spilled nor added to */
    int fd;       /* -1: nothing spilled */
    uint64_t file_bytes;
    size_t n_chunks;
    struct chunk *first, *last; /* what follows the file's records */
    uint32_t *aborted;          /* sub-transactions, ascending */
    size_t n_aborted, cap_aborted;
    struct before before;
};

struct of_txns {
    char *folder;
    size_t memory_max, memory;
    uint64_t file_max, spilled;
    struct txn *last; /* used last; NULL */
    struct chunk *spare;
    size_t n_spare;
    struct txn *buckets[BUCKETS];
};

struct of_txn_reader {
    struct txn *txn;
    unsigned char *buf; /* READ_BYTES, where there is a file */
    size_t at, len;     /* in buf */
    uint64_t file_at;   /* read up to here */
    const struct chunk *chunk;
    size_t chunk_at;
    uint32_t asked; /* whether this sub-transaction was aborted was looked up last */
    bool answer;
    struct before before;
};

static void before_init(struct before *b, uint32_t xid)
{
    b->subxid = xid;
    b->rel = 0;
    b->op = 'i';
    b->org_len = 0;
    b->id_len = 0;
    b->org[0] = '\0';
    b->id[0] = '\0';
}

/* --- transactions --- */

struct of_txns *of_txns_new(const char *folder, size_t memory_max, uint64_t file_max)
{
    struct of_txns *t = of_calloc(1, sizeof(*t));
    t->folder = of_strdup(folder);
    t->memory_max = memory_max;
    t->file_max = file_max;
    return t;
}

static struct txn **bucket(struct of_txns *t, uint32_t xid)
{
    return &t->buckets[xid % BUCKETS];
}

static struct txn *find(struct of_txns *t, uint32_t xid)
{
    if (t->last != NULL && t->last->xid == xid) {
        return t->last;
    }
    struct txn *txn = *bucket(t, xid);
    while (txn != NULL && txn->xid != xid) {
        txn = txn->next;
    }
    t->last = txn != NULL ? txn : t->last;
    return txn;
}

static struct txn *find_or_add(struct of_txns *t, uint32_t xid)
{
    struct txn *txn = find(t, xid);
    if (txn == NULL) {
        txn = of_alloc(sizeof(*txn)); /* not cleared: the texts of `before` are most of it */
        struct before *before = &txn->before;
        txn->xid = xid;
        txn->is_read = false;
        txn->fd = -1;
        txn->file_bytes = 0;
        txn->n_chunks = 0;
        txn->first = txn->last = NULL;
        txn->aborted = NULL;
        txn->n_aborted = txn->cap_aborted = 0;
        before_init(before, xid);
        txn->next = *bucket(t, xid);
        *bucket(t, xid) = txn;
        t->memory += sizeof(*txn);
        t->last = txn;
    }
    return txn;
}

static struct chunk *chunk_new(struct of_txns *t)
{
    struct chunk *c = t->spare;
    if (c != NULL) {
        t->spare = c->next;
        t->n_spare--;
    } else {
        c = of_alloc(sizeof(*c));
    }
    c->next = NULL;
    c->len = 0;
    t->memory += sizeof(*c);
    return c;
}

static void drop_chunks(struct of_txns *t, struct txn *txn)
{
    for (struct chunk *c = txn->first; c != NULL;) {
        struct chunk *next = c->next;
        t->memory -= sizeof(*c);
        if (t->n_spare < SPARE_MAX) {
            c->next = t->spare;
            t->spare = c;
            t->n_spare++;
        } else {
            free(c);
        }
        c = next;
    }
    txn->first = txn->last = NULL;
    txn->n_chunks = 0;
}

static void drop(struct of_txns *t, struct txn *txn)
{
    OF_BUG_ON(txn->is_read);
    struct txn **at = bucket(t, txn->xid);
    while (*at != txn) {
        at = &(*at)->next;
    }
    *at = txn->next;
    drop_chunks(t, txn);
    if (txn->fd >= 0) {
        (void)close(txn->fd); /* the file has no name: its space is free now */
        t->spilled -= txn->file_bytes;
    }
    t->memory -= sizeof(*txn) + txn->cap_aborted * sizeof(uint32_t);
    t->last = t->last == txn ? NULL : t->last;
    free(txn->aborted);
    free(txn);
}

void of_txns_clear(struct of_txns *t)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (t->buckets[i] != NULL) {
            drop(t, t->buckets[i]);
        }
    }
}

void of_txns_free(struct of_txns *t)
{
    if (t == NULL) {
        return;
    }
    of_txns_clear(t);
    while (t->spare != NULL) {
        struct chunk *c = t->spare;
        t->spare = c->next;
        free(c);
    }
    free(t->folder);
    free(t);
}

size_t of_txns_memory(const struct of_txns *t)
{
    return t->memory;
}

uint64_t of_txns_spilled(const struct of_txns *t)
{
    return t->spilled;
}

/* --- spilling --- */

static enum of_code open_file(const struct of_txns *t, int *ret_fd, struct of_err *err)
{
    int fd = open(t->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) { /* not every file system can */
        OF_CLEANUP(of_freep) char *path = of_asprintf("%s/openfaith-cdc-XXXXXX", t->folder);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0) {
            (void)unlink(path);
        }
    }
    if (fd < 0) {
        return of_err_set(err, OF_E_IO, "spill file in %s: %s", t->folder, strerrordesc_np(errno));
    }
    *ret_fd = fd;
    return OF_OK;
}

/* Whole chunks from *at on, at most WRITE_CHUNKS; moves *at and *offset on. */
static enum of_code write_some(const struct txn *txn, const struct chunk **at, uint64_t *offset, struct of_err *err)
{
    struct iovec iov[WRITE_CHUNKS];
    int n = 0;
    for (const struct chunk *c = *at; c != NULL && n < WRITE_CHUNKS; c = c->next, n++) {
        iov[n].iov_base = (void *)(uintptr_t)c->data; /* only read */
        iov[n].iov_len = c->len;
        *at = c->next;
    }
    for (int i = 0; i < n;) {
        ssize_t done = pwritev(txn->fd, iov + i, n - i, (off_t)*offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return of_err_set(err, OF_E_IO, "spill file: %s", done < 0 ? strerrordesc_np(errno) : "nothing was written");
        }
        *offset += (uint64_t)done;
        for (; i < n && (size_t)done >= iov[i].iov_len; i++) {
            done -= (ssize_t)iov[i].iov_len;
        }
        if (i < n) {
            iov[i].iov_base = (unsigned char *)iov[i].iov_base + done;
            iov[i].iov_len -= (size_t)done;
        }
    }
    return OF_OK;
}

/* The transaction's rows go to its file. When it fails they stay in memory, and what was written is written over next time. */
static enum of_code spill(struct of_txns *t, struct txn *txn, struct of_err *err)
{
    uint64_t bytes = 0;
    for (const struct chunk *c = txn->first; c != NULL; c = c->next) {
        bytes += c->len;
    }
    if (bytes > t->file_max || t->spilled > t->file_max - bytes) {
        return of_err_set(err, OF_E_TOO_LARGE, "spill files: more than %llu bytes", (unsigned long long)t->file_max);
    }
    if (txn->fd < 0) {
        OF_TRY(open_file(t, &txn->fd, err));
    }
    uint64_t offset = txn->file_bytes;
    for (const struct chunk *at = txn->first; at != NULL;) {
        OF_TRY(write_some(txn, &at, &offset, err));
    }
    txn->file_bytes += bytes;
    t->spilled += bytes;
    drop_chunks(t, txn);
    return OF_OK;
}

static struct txn *largest(struct of_txns *t)
{
    struct txn *found = NULL;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct txn *txn = t->buckets[i]; txn != NULL; txn = txn->next) {
            if (!txn->is_read && txn->n_chunks > (found != NULL ? found->n_chunks : 0)) {
                found = txn;
            }
        }
    }
    return found;
}

static enum of_code make_room(struct of_txns *t, struct of_err *err)
{
    while (t->memory + sizeof(struct chunk) > t->memory_max) {
        struct txn *txn = largest(t);
        if (txn == NULL) {
            return OF_OK; /* the one that is being read has it all: it will go soon */
        }
        OF_TRY(spill(t, txn, err));
    }
    return OF_OK;
}

/* --- writing --- */

static unsigned char *put_varint(unsigned char *at, uint32_t v)
{
    while (v >= 0x80) {
        *at++ = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    *at++ = (unsigned char)v;
    return at;
}

static size_t shared_prefix(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t max = OF_MIN(a_len, b_len), n = 0;
    while (n < max && a[n] == b[n]) {
        n++;
    }
    return n;
}

static unsigned char *put_text(unsigned char *at, const char *text, size_t len)
{
    at = put_varint(at, (uint32_t)len);
    if (len > 0) {
        memcpy(at, text, len);
    }
    return at + len;
}

/* Writes the record of a row at `at`, where RECORD_MAX bytes are free; gives its end. */
static unsigned char *put_record(unsigned char *at, struct before *b, const struct of_txn_row *row)
{
    unsigned char *flags = at++;
    *flags = 0;
    if (row->op != b->op) {
        *flags |= F_OP;
        *at++ = (unsigned char)row->op;
        b->op = row->op;
    }
    if (row->subxid != b->subxid) {
        *flags |= F_SUBXID;
        at = put_varint(at, row->subxid);
        b->subxid = row->subxid;
    }
    if (row->rel != b->rel) {
        *flags |= F_REL;
        at = put_varint(at, row->rel);
        b->rel = row->rel;
    }
    if (row->org_len != b->org_len || (row->org_len > 0 && memcmp(row->org, b->org, row->org_len) != 0)) {
        *flags |= F_ORG;
        at = put_text(at, row->org, row->org_len);
        b->org_len = row->org_len;
        if (row->org_len > 0) {
            memcpy(b->org, row->org, row->org_len);
        }
    }
    size_t shared = shared_prefix(row->id, row->id_len, b->id, b->id_len);
    at = put_varint(at, (uint32_t)shared);
    at = put_text(at, row->id + shared, row->id_len - shared);
    memcpy(b->id + shared, row->id + shared, row->id_len - shared);
    b->id_len = row->id_len;
    return at;
}

enum of_code of_txns_add(struct of_txns *t, uint32_t xid, const struct of_txn_row *row, struct of_err *err)
{
    if (row->org_len > OF_TXN_TEXT_MAX || row->id_len > OF_TXN_TEXT_MAX) {
        return of_err_set(err, OF_E_TOO_LARGE, "a row's org or id is longer than %d bytes", OF_TXN_TEXT_MAX);
    }
    struct txn *txn = find_or_add(t, xid);
    OF_BUG_ON(txn->is_read);
    size_t most = 2 + 5 * VARINT_MAX + row->org_len + row->id_len;
    if (txn->last == NULL || sizeof(txn->last->data) - txn->last->len < most) {
        OF_TRY(make_room(t, err));
        struct chunk *c = chunk_new(t);
        if (txn->last != NULL) {
            txn->last->next = c;
        } else {
            txn->first = c;
        }
        txn->last = c;
        txn->n_chunks++;
    }
    struct chunk *c = txn->last;
    c->len = (size_t)(put_record(c->data + c->len, &txn->before, row) - c->data);
    return OF_OK;
}

/* --- sub-transactions that were rolled back: remembered, and passed over when the rows are read --- */

/* The first that is not below subxid. They come in ascending order nearly always. */
static size_t place_of(const struct txn *txn, uint32_t subxid)
{
    size_t low = 0, high = txn->n_aborted;
    if (high > 0 && txn->aborted[high - 1] < subxid) {
        return high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (txn->aborted[middle] < subxid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

enum of_code of_txns_abort(struct of_txns *t, uint32_t xid, uint32_t subxid, struct of_err *err)
{
    (void)err;
    struct txn *txn = find(t, xid);
    if (txn == NULL) {
        return OF_OK; /* none of its rows mattered */
    }
    if (subxid == xid) {
        drop(t, txn);
        return OF_OK;
    }
    size_t at = place_of(txn, subxid);
    if (at < txn->n_aborted && txn->aborted[at] == subxid) {
        return OF_OK;
    }
    if (txn->n_aborted == txn->cap_aborted) {
        size_t cap = txn->cap_aborted > 0 ? txn->cap_aborted * 2 : 16;
        txn->aborted = of_reallocarray(txn->aborted, cap, sizeof(uint32_t));
        t->memory += (cap - txn->cap_aborted) * sizeof(uint32_t);
        txn->cap_aborted = cap;
    }
    memmove(txn->aborted + at + 1, txn->aborted + at, (txn->n_aborted - at) * sizeof(uint32_t));
    txn->aborted[at] = subxid;
    txn->n_aborted++;
    return OF_OK;
}

static bool is_aborted(struct of_txn_reader *r, uint32_t subxid)
{
    if (subxid != r->asked) {
        size_t at = place_of(r->txn, subxid);
        r->asked = subxid;
        r->answer = at < r->txn->n_aborted && r->txn->aborted[at] == subxid;
    }
    return r->answer;
}

/* --- reading --- */

enum of_code of_txns_open(struct of_txns *t, uint32_t xid, struct of_txn_reader **ret, struct of_err *err)
{
    (void)err;
    struct txn *txn = find(t, xid);
    if (txn == NULL) {
        *ret = NULL;
        return OF_OK;
    }
    OF_BUG_ON(txn->is_read);
    txn->is_read = true;
    struct of_txn_reader *r = of_alloc(sizeof(*r)); /* not cleared: the texts of `before` are most of it */
    r->txn = txn;
    r->buf = txn->file_bytes > 0 ? of_alloc(READ_BYTES) : NULL;
    r->at = r->len = 0;
    r->file_at = 0;
    r->chunk = txn->first;
    r->chunk_at = 0;
    r->asked = txn->xid;
    r->answer = false;
    before_init(&r->before, xid);
    *ret = r;
    return OF_OK;
}

/* Fills the buffer from the file as far as it holds. */
static enum of_code fill(struct of_txn_reader *r, struct of_err *err)
{
    memmove(r->buf, r->buf + r->at, r->len - r->at);
    r->len -= r->at;
    r->at = 0;
    while (r->len < READ_BYTES && r->file_at < r->txn->file_bytes) {
        size_t want = READ_BYTES - r->len;
        if (want > r->txn->file_bytes - r->file_at) {
            want = (size_t)(r->txn->file_bytes - r->file_at);
        }
        ssize_t got = pread(r->txn->fd, r->buf + r->len, want, (off_t)r->file_at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return of_err_set(err, OF_E_IO, "spill file: %s", got < 0 ? strerrordesc_np(errno) : "shorter than what was written");
        }
        r->len += (size_t)got;
        r->file_at += (uint64_t)got;
    }
    return OF_OK;
}

static bool get_varint(const unsigned char **at, const unsigned char *end, uint32_t *ret)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 7 * VARINT_MAX && *at < end; shift += 7) {
        unsigned char c = *(*at)++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *ret = (uint32_t)v;
            return v <= UINT32_MAX;
        }
    }
    return false;
}

static bool get_text(const unsigned char **at, const unsigned char *end, char *text, size_t from, size_t *ret_len)
{
    uint32_t len = 0;
    if (!get_varint(at, end, &len) || len > (size_t)(end - *at) || len > OF_TXN_TEXT_MAX - from) {
        return false;
    }
    memcpy(text + from, *at, len);
    text[from + len] = '\0';
    *ret_len = from + len;
    *at += len;
    return true;
}

/* One record; false: the bytes are not what was written. */
static bool get_record(const unsigned char **at, const unsigned char *end, struct before *b)
{
    if (*at == end || (**at & ~F_ALL) != 0) {
        return false;
    }
    unsigned char flags = *(*at)++;
    if ((flags & F_OP) != 0) {
        if (*at == end) {
            return false;
        }
        b->op = (char)*(*at)++;
    }
    if (((flags & F_SUBXID) != 0 && !get_varint(at, end, &b->subxid)) ||
        ((flags & F_REL) != 0 && !get_varint(at, end, &b->rel)) ||
        ((flags & F_ORG) != 0 && !get_text(at, end, b->org, 0, &b->org_len))) {
        return false;
    }
    uint32_t shared = 0;
    return get_varint(at, end, &shared) && shared <= b->id_len && get_text(at, end, b->id, shared, &b->id_len);
}

/* The next record, whoever wrote it. */
static enum of_code next_record(struct of_txn_reader *r, bool *ret_has, struct of_err *err)
{
    if (r->len - r->at < RECORD_MAX && r->file_at < r->txn->file_bytes) {
        OF_TRY(fill(r, err));
    }
    *ret_has = true;
    if (r->at < r->len) {
        const unsigned char *p = r->buf + r->at;
        if (!get_record(&p, r->buf + r->len, &r->before)) {
            return of_err_set(err, OF_E_IO, "spill file: not what was written, near byte %llu", (unsigned long long)r->file_at);
        }
        r->at = (size_t)(p - r->buf);
        return OF_OK;
    }
    while (r->chunk != NULL && r->chunk_at == r->chunk->len) {
        r->chunk = r->chunk->next;
        r->chunk_at = 0;
    }
    if (r->chunk == NULL) {
        *ret_has = false;
        return OF_OK;
    }
    const unsigned char *p = r->chunk->data + r->chunk_at;
    OF_BUG_ON(!get_record(&p, r->chunk->data + r->chunk->len, &r->before));
    r->chunk_at = (size_t)(p - r->chunk->data);
    return OF_OK;
}

enum of_code of_txns_next(struct of_txn_reader *r, struct of_txn_row *ret_row, bool *ret_has, struct of_err *err)
{
    bool has = r != NULL;
    while (has) {
        OF_TRY(next_record(r, &has, err));
        if (has && !is_aborted(r, r->before.subxid)) {
            *ret_row = (struct of_txn_row){.subxid = r->before.subxid, .rel = r->before.rel, .op = r->before.op,
                                           .org = r->before.org, .id = r->before.id,
                                           .org_len = r->before.org_len, .id_len = r->before.id_len};
            break;
        }
    }
    *ret_has = has;
    return OF_OK;
}

void of_txns_end(struct of_txns *t, uint32_t xid, struct of_txn_reader *r)
{
    if (r != NULL) {
        OF_BUG_ON(r->txn->xid != xid);
        r->txn->is_read = false;
        free(r->buf);
        free(r);
    }
    struct txn *txn = find(t, xid);
    if (txn != NULL) {
        drop(t, txn);
    }
}

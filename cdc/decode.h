/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CDC_DECODE_H
#define OF_CDC_DECODE_H

/* pgoutput, protocol version 2 (PostgreSQL 14 and later), streaming on: bytes of one logical replication message in, events
 * out. Pure: no I/O, no clock; the bytes come from the walsender (inside XLogData) or from
 * pg_logical_slot_peek_binary_changes(), which give the same messages. Source: PostgreSQL 15 documentation, chapter 55.9
 * "Logical Replication Message Formats". One thread.
 *
 * The decoder keeps the relations it was told of (a schema change sends them anew), knows which transaction a message belongs
 * to, and hands rows to its owner in the order of the messages. Rows of a streamed transaction come with its top-level xid and
 * the sub-transaction's, before anybody knows whether it commits: the owner (cdc/txn.h) keeps them until its commit. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"

typedef uint64_t of_lsn;

enum { OF_CDC_COLUMNS_MAX = 1600, OF_CDC_NAME_MAX = 64 };

struct of_rel_column {
    char name[OF_CDC_NAME_MAX];
    bool is_key;
    uint32_t type_oid;
};

/* A relation as last told. Indexes say where the columns are that matter; -1: not published. */
struct of_rel {
    uint32_t oid;
    char schema[OF_CDC_NAME_MAX];
    char name[OF_CDC_NAME_MAX];
    char replica_identity; /* d n f i */
    int n_columns;
    struct of_rel_column *columns;
    int org, id;              /* "orgId" or org_id; id */
    int source, target, type; /* of openfaith_edges */
    void *user;               /* the owner's: what it thinks of the relation; NULL when newly told */
};

struct of_cell {
    char kind; /* n null, u unchanged TOAST, t text, b binary */
    const char *data; /* borrowed from the message, not NUL-terminated */
    uint32_t len;
};

/* What a row message says. `key` cells are those of the old row (K or O part) where there is one: n_key 0 else. */
struct of_row {
    char op; /* i u d */
    struct of_rel *rel;
    uint32_t xid;     /* sub-transaction's in a streamed block, else the transaction's */
    int n_new, n_key; /* 0 where there is none, else rel->n_columns */
    const struct of_cell *new_cells;
    const struct of_cell *key_cells;
};

/* Callbacks return OF_OK, or what of_decode() shall return. xid is 32 bits as on the wire. */
struct of_decode_ops {
    enum of_code (*begin)(void *arg, uint32_t xid, of_lsn final_lsn, int64_t commit_us, struct of_err *err);
    enum of_code (*commit)(void *arg, of_lsn commit_lsn, of_lsn end_lsn, int64_t commit_us, struct of_err *err);
    enum of_code (*row)(void *arg, const struct of_row *row, struct of_err *err);
    enum of_code (*truncate)(void *arg, struct of_rel *const *rels, int n, uint32_t xid, struct of_err *err);
    /* transactional ones come inside their transaction, others when they are met */
    enum of_code (*message)(void *arg, bool transactional, of_lsn lsn, const char *prefix, const void *content, size_t len,
                            uint32_t xid, struct of_err *err);
    enum of_code (*stream_start)(void *arg, uint32_t xid, bool first, struct of_err *err);
    enum of_code (*stream_stop)(void *arg, struct of_err *err);
    enum of_code (*stream_commit)(void *arg, uint32_t xid, of_lsn commit_lsn, of_lsn end_lsn, int64_t commit_us,
                                  struct of_err *err);
    enum of_code (*stream_abort)(void *arg, uint32_t xid, uint32_t subxid, struct of_err *err); /* equal: the whole one */
};

struct of_decoder;
struct of_decoder *of_decoder_new(const struct of_decode_ops *ops, void *arg); /* of_decoder_free(); ops borrowed */
void of_decoder_free(struct of_decoder *d);
/* One message. Fails OF_E_PARSE with its place (offset and what was expected, never data), or what a callback returned. After
 * a parse failure the stream cannot be trusted: start again from the confirmed position. Type, Origin messages are passed over. */
OF_MUSTCHECK enum of_code of_decode(struct of_decoder *d, const void *bytes, size_t len, struct of_err *err);
/* A new stream begins: forgets the transaction that it was in and all relations (their pointers end): the server tells them
 * anew. */
void of_decoder_reset(struct of_decoder *d);
/* NULL if not told. The pointer holds until of_decoder_reset(), also when the relation is told anew. */
struct of_rel *of_decoder_rel(struct of_decoder *d, uint32_t oid);

#endif

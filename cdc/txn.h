/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CDC_TXN_H
#define OF_CDC_TXN_H

/* Rows of transactions that have not committed yet, as compact records in memory up to a cap, then in one spill file per
 * transaction (unlinked while open, in a folder that the owner names); given out in order at the commit, without those of aborted
 * sub-transactions. Bounded memory whatever a transaction's size. Not the rows themselves: what an event needs. One thread. */

#include "cdc/decode.h"

struct of_txns;

enum { OF_TXN_TEXT_MAX = 2048 }; /* bytes of an org or an id; longer: OF_E_TOO_LARGE */

struct of_txn_row {
    uint32_t subxid;
    uint32_t rel;   /* the owner's number of the table */
    char op;        /* i u d t, or the owner's own */
    const char *org; /* "" if the row does not say (a delete); borrowed; NUL-terminated when given out, not needed when added */
    const char *id;
    size_t org_len, id_len;
};

/* memory_max: bytes kept in memory over all transactions; beyond that the largest that is not being read goes to its file.
 * file_max: bytes of all spill files; beyond: OF_E_TOO_LARGE. The disk full, or a folder that cannot be written: OF_E_IO. A row
 * whose adding failed is not there, everything added before is. */
struct of_txns *of_txns_new(const char *folder, size_t memory_max, uint64_t file_max);
void of_txns_free(struct of_txns *t);
OF_MUSTCHECK enum of_code of_txns_add(struct of_txns *t, uint32_t xid, const struct of_txn_row *row, struct of_err *err);
/* subxid == xid: drops the whole transaction. One that has no rows here is fine. */
OF_MUSTCHECK enum of_code of_txns_abort(struct of_txns *t, uint32_t xid, uint32_t subxid, struct of_err *err);
/* Gives out the rows in the order they were added. A reader may stop and go on (back-pressure), also while rows of other
 * transactions are added: *ret_has is false at the end; *ret_row is valid until the next call. A transaction that has no rows
 * here: *ret is NULL, of which of_txns_next() gives none. One reader per transaction; of_txns_end() drops it and the transaction. */
struct of_txn_reader;
OF_MUSTCHECK enum of_code of_txns_open(struct of_txns *t, uint32_t xid, struct of_txn_reader **ret, struct of_err *err);
OF_MUSTCHECK enum of_code of_txns_next(struct of_txn_reader *r, struct of_txn_row *ret_row, bool *ret_has, struct of_err *err);
void of_txns_end(struct of_txns *t, uint32_t xid, struct of_txn_reader *r); /* r may be NULL */
void of_txns_clear(struct of_txns *t); /* a new stream begins; readers have been ended */
size_t of_txns_memory(const struct of_txns *t);
uint64_t of_txns_spilled(const struct of_txns *t);

#endif

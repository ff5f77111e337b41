/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CHANGE_H
#define OF_CHANGE_H

/* Messages of openfaith.changes: a row of OpenFaith's tables was written. Written by openfaith-cdc alone, read by workers. No
 * personal data: ids only. The message's key is the org.
 *   {"v":1,"org":"church","table":"openfaith_people","id":"person_01…","op":"u","xid":"7301","sys":"7300123","tl":1,
 *    "lsn":"0/16B3748","at":1700000000000000,"n":3}
 * table: openfaith_edges has id `<sourceEntityId>|<targetEntityId>|<relationshipType>`. op: i insert, u update, d delete,
 * t truncate (id "" : all of the org's rows of the table), r repair (looked up by difference, not read from the WAL: xid "0").
 * xid: the 64-bit transaction id (xid8) of the top-level transaction, decimal; sys, tl: system identifier and timeline of the
 * server whose WAL says so; lsn, at: end and time (us since 1970) of the commit; n: the row's index within the transaction.
 * Any thread, no blocking. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"

/* Bytes; what is longer is refused by of_change_decode(): whoever encodes checks first. */
enum { OF_CHANGE_ORG_MAX = 256, OF_CHANGE_TABLE_MAX = 63, OF_CHANGE_ID_MAX = 512, OF_CHANGE_MAX_BYTES = 8192 };

struct of_change {
    const char *org; /* borrowed: of_change_encode() only reads; after of_change_decode() they live in `text` */
    const char *table;
    const char *id;
    char op;
    uint64_t xid;
    uint64_t sys;
    uint32_t timeline;
    uint64_t lsn;
    int64_t at_us;
    int64_t n;
    char *text; /* owned by a decoded one; NULL else */
};

/* Appends the message to b. op is one of the above, at_us and n are not negative. */
void of_change_encode(const struct of_change *c, struct of_buf *b);
/* Strict: exactly these members, each once, in range; id is empty for op t and for no other. *ret_change is the caller's: of_change_done().
 * Fails: OF_E_PARSE, OF_E_TOO_LARGE with the place, never with values; *ret_change untouched. */
OF_MUSTCHECK enum of_code of_change_decode(const char *text, size_t len, struct of_change *ret_change, struct of_err *err);
void of_change_done(struct of_change *c);

#endif

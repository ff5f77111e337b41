/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PG_STREAM_H
#define OF_PG_STREAM_H

/* Changes from a replication slot: streamed by the walsender, or in one large batch over binary COPY. Both give the same
 * messages of pgoutput. A connection of its own, one thread. Errors as in common/pg/pg.h. */

#include "common/base/base.h"
#include "common/err/err.h"

struct of_pgstream;

struct of_pgstream_msg {
    enum {
        OF_PGSTREAM_NOTHING = 0, /* nothing has come: of_pgstream_wait() */
        OF_PGSTREAM_DATA,
        OF_PGSTREAM_KEEPALIVE,
        OF_PGSTREAM_END /* of a batch */
    } kind;
    const char *bytes; /* DATA: borrowed until the next call */
    size_t len;
    uint64_t wal_end; /* KEEPALIVE: the server has sent all up to here */
    bool reply;       /* KEEPALIVE: it wants to hear of us at once */
};

/* Starts streaming after what was confirmed. slot is a valid slot's name, publications a comma list of names. */
OF_MUSTCHECK enum of_code of_pgstream_start(const char *url, const char *application, const char *slot,
                                            const char *publications, struct of_pgstream **ret, struct of_err *err);
/* Asks for a batch: all that comes after what was confirmed, at least max_messages if there are so many, never a cut
 * transaction. The slot does not move. The server collects it all before the first message comes. */
OF_MUSTCHECK enum of_code of_pgstream_batch(const char *url, const char *application, const char *slot,
                                            const char *publications, int64_t max_messages, struct of_pgstream **ret,
                                            struct of_err *err);
/* Never blocks. */
OF_MUSTCHECK enum of_code of_pgstream_next(struct of_pgstream *s, struct of_pgstream_msg *ret, struct of_err *err);
/* Until something comes, at most timeout_ms; a signal ends it too. At low tide it rests 500 us first: who is woken for each
 * small message makes the server slower, too. */
OF_MUSTCHECK enum of_code of_pgstream_wait(struct of_pgstream *s, int timeout_ms, struct of_err *err);
/* Tells the walsender that all up to lsn is safe. Blocks only if its window is full, at most 5 s. */
OF_MUSTCHECK enum of_code of_pgstream_confirm(struct of_pgstream *s, uint64_t lsn, struct of_err *err);
/* A batch that is under way is cancelled. NULL is fine. */
void of_pgstream_free(struct of_pgstream *s);

#endif

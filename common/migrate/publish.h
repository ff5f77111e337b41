/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PUBLISH_H
#define OF_PUBLISH_H

/* What the change reader needs in the database: two publications and the slot. Made where missing, put right where they differ;
 * what this role may not do is written down as SQL for whoever may. Used by `openfaithctl migrate`, and by the reader, which
 * looks every minute. One thread per connection; blocks. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"

struct of_pg;

#define OF_PUBLICATION_CDM "openfaith_cdm"   /* OpenFaith's tables: primary key and "orgId" of each, nothing else */
#define OF_PUBLICATION_SYNC "openfaith_sync" /* sync.connection */

struct of_publish {
    struct of_buf did;       /* a line per thing that was made or changed */
    struct of_buf owner_sql; /* statements, a line each, that were refused for want of rights */
    struct of_buf notes;     /* what else is not as it should be, a line each */
};
#define OF_PUBLISH_INIT \
    ((struct of_publish){.did = OF_BUF_INIT(65536), .owner_sql = OF_BUF_INIT(65536), .notes = OF_BUF_INIT(65536)})
void of_publish_done(struct of_publish *p);

/* The publications; what it changes owes whoever reads them a repair (sync.cdc_state.repair, in the same transaction), and so it
 * must not be called within one. Fails: what is not a matter of rights. */
OF_MUSTCHECK enum of_code of_publish_ensure(struct of_pg *db, struct of_publish *p, struct of_err *err);

enum of_slot_state {
    OF_SLOT_MISSING = 0,
    OF_SLOT_GOOD,
    OF_SLOT_LOST,   /* the server removed WAL that it needed */
    OF_SLOT_FOREIGN /* of another database or output plugin: nothing that we may touch */
};
OF_MUSTCHECK enum of_code of_publish_slot_state(struct of_pg *db, const char *slot, enum of_slot_state *ret,
                                                struct of_err *err);
/* Makes the slot if it is missing. What changed before can no longer be read, so where something is connected a repair is owed
 * (sync.cdc_state.repair) before the slot is made. *ret_good: the slot is there. */
OF_MUSTCHECK enum of_code of_publish_slot(struct of_pg *db, const char *slot, struct of_publish *p, bool *ret_good,
                                          struct of_err *err);
bool of_slot_name_valid(const char *slot); /* a to z, 0 to 9 and _, at most 63 */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_OUT_H
#define OF_WORKER_OUT_H

/* From changes of OpenFaith's tables to rows of sync.work, direction `out`: which systems are owed what. The statements look at
 * connections, links and our own last writes; nothing is read of the records themselves. */

#include "common/pg/pg.h"
#include "common/task/change.h"

/* Changes that are written by one statement. One thread at a time. */
struct of_out_batch;
struct of_out_batch *of_out_batch_new(void);
void of_out_batch_free(struct of_out_batch *b);
/* Copies what it needs. Tables that are none of the model's are left out. */
void of_out_batch_add(struct of_out_batch *b, const struct of_change *c);
/* Writes what is owed; safe to repeat. found is called for each connection with something to do now. Fails: the statement's
 * error; OF_E_BUSY: a change of an unlinked record cannot be seen yet (the log runs ahead of what is visible), repeat it.
 * db is borrowed, outside of a transaction. */
typedef void of_out_found_fn(void *arg, const char *org, const char *adapter);
OF_MUSTCHECK enum of_code of_out_write(struct of_pg *db, const struct of_out_batch *b, of_out_found_fn *found, void *arg,
                                       struct of_err *err);
/* Makes the constant tables; once, from main before threads start (after of_entities_init()). */
void of_out_init(void);

#endif

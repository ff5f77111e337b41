/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_PAIR_H
#define OF_WORKER_PAIR_H

/* Half of a batch on another executor and another database connection, so that one church can use two of Postgres's cores.
 * The half must not touch what the other half writes: halves are divided by record id. It runs in a transaction of its own and
 * must be harmless without the other (staging and claiming are). Never blocks on a free executor or connection: a half that
 * nobody has begun is done by whoever asks for it. */

#include "worker/worker.h"

struct of_pair;
typedef enum of_code of_pair_fn(struct of_pg *db, void *arg, struct of_err *err); /* begins and ends its own transaction */

struct of_pair *of_pair_start(struct of_worker *w, of_pair_fn *fn, void *arg);
/* Waits for the half's end if somebody is at it. *ret_done false: nobody has done it, the caller does. Frees the pair; arg stays
 * the caller's. Executor threads only. */
enum of_code of_pair_join(struct of_pair *p, bool *ret_done, struct of_err *err);

#endif

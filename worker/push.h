/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_PUSH_H
#define OF_WORKER_PUSH_H

/* The way out: one job per connection works off its rows of sync.work with direction `out`: load the entity, project it, send what
 * differs from what was agreed on, store the answer. No request is made inside a transaction. Any thread, no blocking. */

#include "worker/worker.h"

/* Rows of this connection may be due: a push job looks now. Does nothing but tell the one that is there already. */
void of_push_kick(struct of_worker *w, const char *org, const char *adapter);

#endif

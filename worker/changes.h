/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_CHANGES_H
#define OF_WORKER_CHANGES_H

/* Messages of openfaith.changes on their way into sync.work: gathered while a statement runs, written by the next one, ended.
 * So a lone change is written at once, and a flood in batches; churches take turns, so that one's flood delays no
 * other's that was read. Bounded by what the intake holds of a partition. */

#include "common/task/change.h"
#include "worker/worker.h"

struct of_changes;
struct of_changes *of_changes_new(struct of_worker *w);
void of_changes_free(struct of_changes *ch); /* after the lanes: what has not been written comes again */
/* Takes the change; m has begun. Consumer thread. */
void of_changes_add(struct of_changes *ch, struct of_change *change, struct of_tracked m);
/* What was added may go. Any thread; never blocks. */
void of_changes_flush(struct of_changes *ch);

#endif

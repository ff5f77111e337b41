/* SPDX-License-Identifier: Apache-2.0 */
/* People who work in Planning Center while somebody else reads it. Caller holds org->lock, the
 * data is there. */
#ifndef PCO_SIM_EDITS_H
#define PCO_SIM_EDITS_H

#include "store.h"

/* Does op count times, writes a JSON array of what was done. False: no such op. */
bool sim_edit(struct sim_org *org, const char *op, int64_t count, struct sim_buf *what);
bool sim_edit_known(const char *op);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CDC_OWN_H
#define OF_CDC_OWN_H

/* What a transaction says that our own workers write in it: a logical message before the rows, "adapter\nid\nid…" (worker/apply.c).
 * Nobody has to be told of these rows but other systems of the same organization. What OpenFaith's triggers write in the same
 * transaction is not among them. Of one transaction, bounded: what does not fit is reported like any change. One thread. */

#include "common/base/base.h"

#define OF_CDC_OWN_PREFIX "openfaith-sync"

struct of_cdc_own;
struct of_cdc_own *of_cdc_own_new(void);
void of_cdc_own_free(struct of_cdc_own *o);
/* A new transaction. */
void of_cdc_own_clear(struct of_cdc_own *o);
/* Texts are copied, need no NUL. A second adapter in one transaction: nothing of it is own. */
void of_cdc_own_add(struct of_cdc_own *o, const char *adapter, size_t adapter_len, const char *id, size_t id_len);
/* Whose own the row is; NULL: nobody's. id: an entity's, or of an edge source|target|type: own if it, or one of its ends, is. */
const char *of_cdc_own_by(const struct of_cdc_own *o, const char *id, size_t id_len, bool is_edge);

#endif

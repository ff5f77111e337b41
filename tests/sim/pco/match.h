/* SPDX-License-Identifier: Apache-2.0 */
/* One record against conditions and filters, and the order of two. */
#ifndef PCO_SIM_MATCH_H
#define PCO_SIM_MATCH_H

#include "query.h"

/* Reads the value as the attribute's kind; false: the condition is ignored. */
bool sim_cond_prepare(enum sim_type type, struct sim_cond *c);
bool sim_query_matches(const struct sim_query *q, const struct sim_rec *rec);
void sim_query_sort(const struct sim_query *q, struct sim_vec *list);

#endif

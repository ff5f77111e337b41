/* SPDX-License-Identifier: Apache-2.0 */
/* Which records a list request means, and in which order. Caller holds org->lock. */
#ifndef PCO_SIM_QUERY_H
#define PCO_SIM_QUERY_H

#include "params.h"
#include "store.h"

enum { SIM_MAX_CONDS = 16, SIM_MAX_ORDERS = 8 };
enum sim_op { SIM_OP_EQ = 0, SIM_OP_GT, SIM_OP_GTE, SIM_OP_LT, SIM_OP_LTE };

struct sim_cond {
    int attr; /* SIM_ATTR_ID for id */
    enum sim_op op;
    const char *text;
    int64_t number; /* integers, booleans, times */
    bool never;     /* a value that nothing equals */
};

enum { SIM_ATTR_ID = -2 };

struct sim_order {
    int attr;
    bool desc;
};

struct sim_include {
    uint32_t mask;     /* relationships of the listed type */
    uint32_t below[32]; /* per relationship: those of its target */
};

struct sim_fields {
    uint32_t given; /* bit per type */
    uint64_t attrs[SIM_T_COUNT];
    uint32_t rels[SIM_T_COUNT];
};

struct sim_query {
    enum sim_type type;
    const struct sim_params *params;
    struct sim_rec *parent; /* of a nested list, else NULL */
    const struct sim_rel *rel;
    struct sim_cond conds[SIM_MAX_CONDS];
    int cond_count;
    struct sim_order orders[SIM_MAX_ORDERS];
    int order_count;
    const char *filter;
    int64_t offset;
    int64_t per_page; /* rows, after the cap */
    int64_t step;     /* what links move by */
    struct sim_include include;
    struct sim_fields fields;
};

struct sim_result {
    struct sim_rec *const *v; /* valid while the lock is held and nothing changes */
    uint32_t total;
};

/* params stays with the caller and must outlive the query. Unknown keys are ignored. */
void sim_query_parse(struct sim_query *q, enum sim_type type, const struct sim_params *params);
struct sim_result sim_query_run(struct sim_org *org, const struct sim_query *q);
/* The records behind a relationship of rec; writes at most max, gives how many there are. */
uint32_t sim_rel_targets(const struct sim_rec *rec, const struct sim_rel *rel,
                         struct sim_rec **out, uint32_t max);

#endif

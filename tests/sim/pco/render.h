/* SPDX-License-Identifier: Apache-2.0 */
/* Records and pages as JSON:API text. Caller holds org->lock. */
#ifndef PCO_SIM_RENDER_H
#define PCO_SIM_RENDER_H

#include "faults.h"
#include "query.h"

/* Records of this page that are to be spoilt. */
struct sim_broken {
    const struct sim_rec *rec;
    enum sim_fault_kind kind;
    const char *arg; /* may be NULL */
};

enum { SIM_MAX_BROKEN = 64 };

struct sim_page {
    struct sim_org *org;
    struct sim_query *q;
    const char *base; /* http://127.0.0.1:1234 */
    const char *path; /* /people/v2/people */
    struct sim_broken broken[SIM_MAX_BROKEN];
    int broken_count;
    int64_t total_off; /* added to total_count */
    bool empty;        /* shows no rows although there are some */
};

void sim_render_list(struct sim_page *page, const struct sim_result *result, struct sim_buf *out);
void sim_render_single(struct sim_page *page, struct sim_rec *rec, struct sim_buf *out);
void sim_render_organization(const struct sim_org *org, const char *base, struct sim_buf *out);
/* One line of a dump: all relationships, no links. */
void sim_render_dump(struct sim_org *org, struct sim_rec *rec, struct sim_buf *out);
/* "attributes":{...} of a spoilt record; see render_broken.c. */
void sim_render_broken_attributes(const struct sim_rec *rec, const struct sim_broken *broken,
                                  struct sim_buf *out);
void sim_render_value(const struct sim_rec *rec, int attr, struct sim_buf *out);

static inline int64_t sim_org_id(const struct sim_org *org)
{
    return 200000 + org->number;
}

#endif

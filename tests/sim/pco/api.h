/* SPDX-License-Identifier: Apache-2.0 */
/* What Planning Center answers to a request that has passed the gate. */
#ifndef PCO_SIM_API_H
#define PCO_SIM_API_H

#include "church.h"
#include "faults.h"

struct sim_answer {
    int status;
    struct sim_buf body;
    const char *content_type;
    const char *version;      /* X-PCO-API-Processed-As-Version, NULL none */
    const char *processor;    /* product, NULL: the gateway answered */
    bool bare;                /* without rate headers */
    const char *extra_header; /* name, NULL none */
    char extra_value[64];
};

struct sim_call {
    struct sim_church *church;
    const char *method;
    const char *path;  /* without query */
    const char *query; /* may be NULL */
    const char *base;
    const char *version; /* X-PCO-API-Version, may be NULL */
    const struct sim_fault *hits;
    int hit_count;
};

void sim_api_handle(const struct sim_call *call, struct sim_answer *ret);
/* Whether the path names a list (for faults and edits that go by list requests). */
bool sim_api_is_list(const char *path);
void sim_answer_error(struct sim_answer *a, int status, const char *detail);

#endif

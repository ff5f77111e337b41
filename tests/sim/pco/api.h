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
    /* of a write */
    bool done;             /* carried out */
    const char *rec_type;  /* of the record that was written, NULL none */
    char rec_id[32];
};

struct sim_call {
    struct sim_church *church;
    const char *method;
    const char *path;  /* without query */
    const char *query; /* may be NULL */
    const char *body;  /* of a write, "" none */
    bool at_church;    /* done by somebody there, not through the API */
    const char *base;
    const char *version; /* X-PCO-API-Version, may be NULL */
    const struct sim_fault *hits;
    int hit_count;
};

void sim_api_handle(const struct sim_call *call, struct sim_answer *ret);
/* Whether the path names a list (for faults and edits that go by list requests). */
bool sim_api_is_list(const char *path);
/* The type of /product/v2/<segment>, the relationship behind a nested endpoint. */
enum sim_type sim_api_top_type(const char *product, const char *segment);
const struct sim_rel *sim_api_nested(enum sim_type type, const char *product, const char *segment);
bool sim_api_nested_is_list(const struct sim_rel *rel);
void sim_answer_error(struct sim_answer *a, int status, const char *detail);

#endif

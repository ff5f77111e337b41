/* SPDX-License-Identifier: Apache-2.0 */
/* The decoded query part of a request, sorted by key. */
#ifndef PCO_SIM_PARAMS_H
#define PCO_SIM_PARAMS_H

#include "base.h"

struct sim_param {
    char *key;
    char *value;
};

struct sim_params {
    struct sim_param *v;
    size_t n;
};

/* Takes text such as a=1&b%5Bc%5D=2 (query or form body). */
void sim_params_parse(struct sim_params *p, const char *query);
const char *sim_params_get(const struct sim_params *p, const char *key); /* NULL none */
/* Writes ?a=1&b=2 with the given offset in place of the one in p; offset < 0 leaves it as is. */
void sim_params_write(const struct sim_params *p, int64_t offset, struct sim_buf *out);
void sim_params_free(struct sim_params *p);

#endif

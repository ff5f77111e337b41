/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CONF_INT_H
#define OF_CONF_INT_H

/* Inside common/conf only: the table that drives everything. */

#include "common/conf/conf.h"

enum of_conf_kind { OF_CONF_TEXT = 0, OF_CONF_INT, OF_CONF_LEVEL };

enum of_conf_flag {
    OF_CONF_SECRET = 1,   /* never printed */
    OF_CONF_NOT_ZERO = 2, /* 0 lies in the range, but is no answer */
    OF_CONF_ADDRESS = 4   /* an IPv4 or IPv6 address */
};

struct of_conf_item {
    const char *name;
    enum of_conf_kind kind;
    size_t offset;        /* in struct of_conf */
    const char *fallback; /* NULL: none */
    int64_t min;
    int64_t max;
    unsigned int programs; /* enum of_program: who uses it (for people) */
    unsigned int required; /* enum of_program: who does not start without it */
    unsigned int flags;
    const char *help;
};

extern const struct of_conf_item of_conf_items[];
extern const size_t of_conf_n_items;

#endif

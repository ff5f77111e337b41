/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CTL_LIST_H
#define OF_CTL_LIST_H

/* A result as a table or as JSON. */

#include "common/time/time.h"
#include "producer/ctl/ctl.h"

/* A column of a list: what it is called for people (NULL: not shown) and in JSON, and what it holds. RAW: JSON as it is. */
enum of_ctl_cell { OF_CTL_CELL_TEXT = 1, OF_CTL_CELL_NUMBER, OF_CTL_CELL_MOMENT, OF_CTL_CELL_RAW };
struct of_ctl_column {
    const char *header, *key;
    enum of_ctl_cell kind;
};

/* --limit, or 100. */
OF_MUSTCHECK enum of_code of_ctl_limit(const struct of_ctl *ctl, int64_t *ret, struct of_err *err);
void of_ctl_cell_json(struct of_buf *b, const struct of_ctl_column *c, const struct of_pgres *res, int row, int col);
void of_ctl_list_json(struct of_ctl *ctl, const struct of_ctl_column *columns, int n, const struct of_pgres *res);
/* limit -1: none was set. */
void of_ctl_list(struct of_ctl *ctl, const struct of_ctl_column *columns, int n, const struct of_pgres *res, int64_t limit,
                 const char *none);
/* Who decides: for the journal and decided_by. */
const char *of_ctl_who(void);

#endif

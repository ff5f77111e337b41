/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CTL_ENTITY_H
#define OF_CTL_ENTITY_H

/* A record of OpenFaith, found by its id alone: the prefix says its table. */

#include "common/json/json.h"
#include "common/model/model.h"
#include "producer/ctl/ctl.h"

struct of_ctl_entity {
    const struct of_entity *model;
    struct of_json *row; /* to_jsonb() of it */
    bool deleted;
};

/* lock: held until the end of the transaction. Fails: OF_E_NOT_FOUND. */
OF_MUSTCHECK enum of_code of_ctl_entity_load(struct of_ctl *ctl, const char *org, const char *id, bool lock,
                                             struct of_ctl_entity *ret, struct of_err *err);
void of_ctl_entity_done(struct of_ctl_entity *e);
bool of_ctl_entity_is_column(const struct of_ctl_entity *e, const char *field);
/* A column, or a custom field that it has. */
bool of_ctl_entity_has(const struct of_ctl_entity *e, const char *field);
/* JSON of a column's value, or of all elements of a custom field; NULL: there is none. The caller's. */
char *of_ctl_entity_value(const struct of_ctl_entity *e, const char *field);
/* The same of a body (seen, staged): elements of the source only. */
char *of_ctl_body_value(const struct of_json *body, bool is_column, const char *source, const char *field);
/* NULL where it does not parse. */
struct of_json *of_ctl_json(const char *text);
/* Elements of a custom field in any order, moments in any spelling. */
bool of_ctl_same_value(const struct of_json *a, const struct of_json *b);

#endif

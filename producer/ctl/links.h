/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CTL_LINKS_H
#define OF_CTL_LINKS_H

/* What a person decides about links, each inside the transaction of the caller. Nothing is sent from here: rows of sync.work say
 * what workers owe. */

#include "adapters/adapter.h"
#include "producer/ctl/entity.h"

struct of_ctl_record {
    const char *org, *adapter, *type, *id; /* external */
};

struct of_ctl_link {
    bool exists;
    char *state, *entity_id; /* owned; entity_id NULL: none */
    int64_t rev, id;
    struct of_json *seen, *agreed, *staged; /* NULL: none */
};
OF_MUSTCHECK enum of_code of_ctl_link_lock(struct of_ctl *ctl, const struct of_ctl_record *r, struct of_ctl_link *ret,
                                           struct of_err *err);
void of_ctl_link_done(struct of_ctl_link *l);
/* Makes them one; refused (OF_E_CONFLICT) where either has a partner, or the types do not fit. */
OF_MUSTCHECK enum of_code of_ctl_link_make(struct of_ctl *ctl, const struct of_ctl_record *r, const char *entity_id,
                                           struct of_err *err);
OF_MUSTCHECK enum of_code of_ctl_hint(struct of_ctl *ctl, const char *org, const char *adapter, const char *direction,
                                      const char *type, const char *id, const char *reason, struct of_err *err);
/* What waited for "Person/12" or "review:person_…" goes on. */
OF_MUSTCHECK enum of_code of_ctl_wake(struct of_ctl *ctl, const char *org, const char *adapter, const char *what, bool forget,
                                      struct of_err *err);
/* r or entity may lack (NULL members). */
OF_MUSTCHECK enum of_code of_ctl_note(struct of_ctl *ctl, const struct of_ctl_record *r, const char *entity_type,
                                      const char *entity_id, const char *field, const char *old_json, const char *new_json,
                                      const char *rule, struct of_err *err);
/* {"by":"who"} */
char *of_ctl_by_json(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CDC_WANTED_H
#define OF_CDC_WANTED_H

/* Whose changes somebody wants: organizations with a connection that is not disconnected. One thread. */

#include "common/base/base.h"

struct of_cdc_wanted;
struct of_cdc_wanted *of_cdc_wanted_new(void);
void of_cdc_wanted_free(struct of_cdc_wanted *w);
void of_cdc_wanted_clear(struct of_cdc_wanted *w);
/* Texts are copied, need no NUL. */
void of_cdc_wanted_set(struct of_cdc_wanted *w, const char *org, size_t org_len, const char *adapter, size_t adapter_len,
                       bool connected);
bool of_cdc_wanted_has(struct of_cdc_wanted *w, const char *org, size_t org_len);
/* Is this system the only one that wants them? */
bool of_cdc_wanted_only_by(struct of_cdc_wanted *w, const char *org, size_t org_len, const char *adapter);
/* Of the i-th known one its name, or NULL if nobody wants it; false: there is no i-th. */
bool of_cdc_wanted_at(const struct of_cdc_wanted *w, size_t i, const char **ret_org);

#endif

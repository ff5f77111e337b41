/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORK_INT_H
#define OF_WORK_INT_H

/* One job per connection works off what is owed for single records: which connections have one now. Any thread, no blocking. */

#include "common/base/base.h"

/* False: there is one already, and it is told to look again. */
bool of_work_enter(const char *key);
/* False if it was hinted meanwhile: go round once more. force: leave all the same. */
bool of_work_leave(const char *key, bool force);

#endif

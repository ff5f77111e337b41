/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_LOG_INT_H
#define OF_LOG_INT_H

/* Inside common/log and its test only. */

#include "common/time/time.h"

/* The clock of the rate limit; a test sets its own. */
extern struct of_mono (*of_log_clock)(void);

#endif

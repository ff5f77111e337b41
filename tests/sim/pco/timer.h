/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that wakes suspended connections when their time has come. Thread-safe. */
#ifndef PCO_SIM_TIMER_H
#define PCO_SIM_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct MHD_Connection;

void sim_timer_start(void);
/* Wakes all and accepts no more. */
void sim_timer_stop(void);
/* Suspends the connection and resumes it after the delay. False: shutting down, not suspended. */
bool sim_timer_suspend(struct MHD_Connection *conn, int64_t delay_us);

#endif

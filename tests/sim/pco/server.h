/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP side. */
#ifndef PCO_SIM_SERVER_H
#define PCO_SIM_SERVER_H

#include "base.h"

#include <stdbool.h>

/* Listens on 127.0.0.1; gives the port. False when it cannot. */
bool sim_server_start(int port, int threads, int *ret_port);
void sim_server_stop(void);
/* control.c: answers what is below /_sim/; gives the HTTP status. */
int sim_control_handle(const char *method, const char *path, const char *query, const char *body,
                       struct sim_buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_BASE_FAILPOINT_H
#define OF_BASE_FAILPOINT_H

/* Named points where tests make a process die, wait or fail. Compiled in only with -DOF_FAILPOINTS=ON.
 * OF_FAILPOINTS="name=kill@3,other=sleep:500" : at the third passing of `name` kill -9 ourselves; sleep 500 ms at each
 * passing of `other`; "name=error" makes OF_FAILPOINT(name) true; "@n" alone means only the n-th passing. A name may stand
 * there several times; its actions run in that order. A text that is not understood aborts: a test must not pass because
 * its point was misspelled. Any thread. */

#include "common/base/base.h"

#ifdef OF_FAILPOINTS
bool of_failpoint(const char *name);
/* Replaces what the environment says and starts counting anew (unit tests). */
void of_failpoint_load(const char *spec);
#define OF_FAILPOINT(name) of_failpoint(name)
#else
#define OF_FAILPOINT(name) false
#endif

#endif

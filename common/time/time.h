/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_TIME_H
#define OF_TIME_H

/* Clocks and instants. Monotonic time stops for nothing but suspend; boot time goes on through suspend (leases, permits);
 * wall time is for people and databases. Different struct types, so that they cannot be mixed. Any thread, no blocking. */

#include "common/base/base.h"

struct of_mono {
    int64_t ms;
}; /* CLOCK_MONOTONIC */
struct of_boot {
    int64_t ms;
}; /* CLOCK_BOOTTIME */
struct of_wall {
    int64_t us;
}; /* microseconds since 1970 UTC */

struct of_mono of_mono_now(void);
struct of_boot of_boot_now(void);
struct of_wall of_wall_now(void);

#define OF_TIME_TEXT 40
/* "2026-11-22T10:00:00Z", with microseconds only if they are not zero. buf has OF_TIME_TEXT bytes. */
const char *of_time_format(struct of_wall t, char *buf);
/* ISO 8601 date-time with Z or an offset, optional fraction; a date alone is midnight UTC. Whole string, years 0001–9999. */
bool of_time_parse(const char *s, struct of_wall *ret);
/* "YYYY-MM-DD", a real date. */
bool of_date_valid(const char *s);
/* An HTTP Date header (RFC 9110, IMF-fixdate). */
bool of_time_parse_http(const char *s, struct of_wall *ret);
/* Retry-After: whole seconds or an HTTP date (against now); result in ms, at least 0. */
bool of_time_parse_retry_after(const char *s, struct of_wall now, int64_t *ret_ms);

#endif

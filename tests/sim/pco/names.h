/* SPDX-License-Identifier: Apache-2.0 */
/* Words that the made-up church is made of. */
#ifndef PCO_SIM_NAMES_H
#define PCO_SIM_NAMES_H

#include <stddef.h>

extern const char *const sim_names_female[];
extern const size_t sim_names_female_count;
extern const char *const sim_names_male[];
extern const size_t sim_names_male_count;
extern const char *const sim_names_last[];
extern const size_t sim_names_last_count;
extern const char *const sim_names_ugly_first[]; /* accents, four-byte characters, quotes */
extern const size_t sim_names_ugly_first_count;
extern const char *const sim_names_ugly_last[];
extern const size_t sim_names_ugly_last_count;
extern const char *const sim_names_street[];
extern const size_t sim_names_street_count;

struct sim_city {
    const char *city;
    const char *state;
    const char *zip;
};

extern const struct sim_city sim_cities[];
extern const size_t sim_cities_count;

#endif

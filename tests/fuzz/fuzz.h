/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_TESTS_FUZZ_H
#define OF_TESTS_FUZZ_H

/* What each fuzz target defines; called by libFuzzer or by replay.c. Always returns 0; a finding aborts (OF_BUG_ON). */

#include <stddef.h>
#include <stdint.h>

__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

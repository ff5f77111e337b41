/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PCO_H
#define OF_PCO_H

/* Planning Center: the adapter for the registry. */

#include "adapters/adapter.h"

extern const struct of_adapter of_pco_adapter;

#endif

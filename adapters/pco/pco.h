/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PCO_H
#define OF_PCO_H

/* Planning Center: the adapters for the registry. A church may have a second account there (two congregations that became one): the
 * same system under another name, so that links, custom fields and budget of the two never meet. */

#include "adapters/adapter.h"

extern const struct of_adapter of_pco_adapter, of_pco_second_adapter;

#endif

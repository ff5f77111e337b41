/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_JSONAPI_INT_H
#define OF_JSONAPI_INT_H

/* Between jsonapi*.c: the scanner of what does not parse. */

#include "common/base/base.h"

/* True if text is one object whose members can be told apart, with nothing behind it. */
bool of_span_whole_object(const char *text, size_t len);
/* Iterates the elements of an array; *at starts behind its bracket. *ret_text is NULL at the end. False: broken. */
bool of_span_next_element(const char **at, const char *end, bool first, const char **ret_text, size_t *ret_len);

#endif

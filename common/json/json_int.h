/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_JSON_INT_H
#define OF_JSON_INT_H

/* Inside common/json only: a node is a cJSON item under another name. */

#include "common/json/json.h"

#include <cjson/cJSON.h>

#define OF_JSON_DEPTH_MAX 64
#define OF_JSON_SAFE_INTEGER INT64_C(9007199254740992) /* 2^53: above it doubles skip integers */

static inline const cJSON *of_json_item(const struct of_json *n)
{
    return (const cJSON *)(const void *)n;
}

static inline const struct of_json *of_json_node(const cJSON *item)
{
    return (const struct of_json *)(const void *)item;
}

/* Checks the grammar of RFC 8259 in one pass, more strictly than cJSON: see json.h. Fails: OF_E_PARSE. */
OF_MUSTCHECK enum of_code of_json_scan(const char *text, size_t len, struct of_err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pco/pco.h"

#include "adapters/oauth.h"
#include "adapters/pco/pco_int.h"

/* Raise it with every change of a table or a conversion: what is stored in base was made by an older one then. */
#define MAPPING_VERSION 1

/* What both accounts share. */
#define PLANNING_CENTER \
    .base_url = "https://api.planningcenteronline.com", \
    .token_path = "/oauth/token", \
    .mapping_version = MAPPING_VERSION, \
    .limits = {.requests = 100, .period_s = 20}, \
    .visibility_ms = 90000, \
    .headers = of_pco_headers, \
    .list_target = of_pco_list_target, \
    .get_target = of_pco_get_target, \
    .mergers_target = of_pco_mergers_target, \
    .parse = of_pco_parse, \
    .parse_mergers = of_pco_parse_mergers, \
    .write_request = of_pco_write_request, \
    .word = of_pco_word, \
    .recent_target = of_pco_recent_target, \
    .classify = of_pco_classify, \
    .budget_key = of_oauth_budget_key, \
    .refresh_body = of_oauth_refresh_body, \
    .parse_token = of_oauth_parse_token, \
    .authorization = of_oauth_authorization, \
    .check_credentials = of_oauth_check

const struct of_adapter of_pco_adapter = {
    .name = "pco", .product = "Planning Center", .types = of_pco_types, PLANNING_CENTER};

const struct of_adapter of_pco_second_adapter = {
    .name = "pco2", .product = "Planning Center (second account)", .types = of_pco_second_types, PLANNING_CENTER};

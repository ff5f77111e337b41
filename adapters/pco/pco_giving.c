/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pco/pco_int.h"

/* Product giving, version 2019-10-18. Money is integer cents. */

const struct of_field of_pco_fund_fields[] = {
    OF_PCO_COL_REQ("name", "name", OF_CONV_TEXT),
    OF_PCO_COL("description", "description", OF_CONV_TEXT),
    OF_PCO_COL("ledger_code", "ledgerCode", OF_CONV_TEXT),
    OF_PCO_COL_REQ("visibility", "visibility", OF_CONV_TEXT),
    OF_PCO_COL_RO("color", "color", OF_CONV_TEXT),
    OF_PCO_COL_RO("default", "primary", OF_CONV_BOOL),
    OF_PCO_CUSTOM_RO("deletable", OF_CONV_BOOL),
    OF_PCO_FIELDS_END,
};

const struct of_field of_pco_source_fields[] = {
    OF_PCO_COL_REQ("name", "name", OF_CONV_TEXT),
    OF_PCO_CUSTOM("payment_source_type", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

const struct of_field of_pco_batch_fields[] = {
    OF_PCO_COL("description", "description", OF_CONV_TEXT),
    OF_PCO_COL_RO("status", "batchStatus", OF_CONV_TEXT),
    OF_PCO_COL_RO("total_cents", "totalCents", OF_CONV_INT),
    OF_PCO_COL_RO("total_currency", "currency", OF_CONV_TEXT),
    OF_PCO_COL_RO("committed_at", "committedAt", OF_CONV_TIME),
    OF_PCO_FIELDS_END,
};

const struct of_field of_pco_donation_fields[] = {
    /* the sum of the designations that travel inside it */
    {"amount_cents", "amountCents", OF_CONV_INT, OF_FIELD_CREATE_ONLY | OF_FIELD_DERIVED, NULL, NULL},
    OF_PCO_COL_RO("amount_currency", "currency", OF_CONV_TEXT),
    OF_PCO_COL("fee_cents", "feeCents", OF_CONV_INT),
    OF_PCO_COL_REQ("payment_method", "paymentMethod", OF_CONV_TEXT),
    OF_PCO_COL_RO("payment_status", "paymentStatus", OF_CONV_TEXT),
    OF_PCO_COL("payment_check_number", "checkNumber", OF_CONV_INT_TEXT),
    OF_PCO_COL("payment_last4", "lastFour", OF_CONV_TEXT),
    OF_PCO_COL("payment_brand", "brand", OF_CONV_TEXT),
    OF_PCO_COL("received_at", "receivedAt", OF_CONV_TIME),
    OF_PCO_COL_RO("completed_at", "completedAt", OF_CONV_TIME),
    OF_PCO_COL_RO("refunded", "refunded", OF_CONV_BOOL),
    OF_PCO_CUSTOM("payment_method_sub", OF_CONV_TEXT),
    OF_PCO_CUSTOM("payment_check_dated_at", OF_CONV_DATE),
    OF_PCO_CUSTOM_RO("fee_currency", OF_CONV_TEXT),
    OF_PCO_CUSTOM_RO("fee_covered", OF_CONV_BOOL),
    OF_PCO_CUSTOM_RO("refundable", OF_CONV_BOOL),
    OF_PCO_FIELDS_END,
};

const struct of_relation of_pco_donation_relations[] = {
    /* null is an anonymous donor: that is theirs to say, a gift of ours waits for its giver */
    {"person", "Person", OF_REL_EDGE, NULL, NULL, NULL, OF_PCO_BOTH, true},
    {"batch", "Batch", OF_REL_EDGE, NULL, NULL, NULL, OF_VERB_CREATE, true},
    {"campus", "Campus", OF_REL_EDGE, NULL, NULL, NULL, OF_PCO_BOTH, false},
    {"payment_source", "PaymentSource", OF_REL_EDGE, NULL, NULL, NULL, OF_PCO_BOTH, true},
    {"designations", "Designation", OF_REL_CHILDREN, NULL, NULL, "designations", 0, false},
    OF_PCO_RELATIONS_END,
};

const struct of_field of_pco_designation_fields[] = {
    {"amount_cents", "amountCents", OF_CONV_INT, OF_FIELD_REQUIRED | OF_FIELD_CREATE_ONLY, NULL, NULL},
    OF_PCO_COL_RO("amount_currency", "currency", OF_CONV_TEXT),
    OF_PCO_COL_RO("fee_cents", "feeCents", OF_CONV_INT),
    OF_PCO_CUSTOM_RO("fee_currency", OF_CONV_TEXT),
    OF_PCO_FIELDS_END,
};

/* Written only inside a new donation. donation is known by the donation that it comes with. */
const struct of_relation of_pco_designation_relations[] = {
    {"donation", "Donation", OF_REL_EDGE, NULL, NULL, NULL, 0, false},
    {"fund", "Fund", OF_REL_EDGE, NULL, NULL, NULL, OF_VERB_CREATE, true},
    OF_PCO_RELATIONS_END,
};

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PCO_INT_H
#define OF_PCO_INT_H

/* Planning Center: tables by product, and the functions that of_pco_adapter (pco.c) is made of. */

#include "adapters/adapter.h"

/* Shorthands for rows of field tables: theirs, ours, conversion. */
#define OF_PCO_COL(attr, column, conv) {(attr), (column), (conv), 0, NULL, NULL}
#define OF_PCO_COL_RO(attr, column, conv) {(attr), (column), (conv), OF_FIELD_READ_ONLY, NULL, NULL}
#define OF_PCO_COL_REQ(attr, column, conv) {(attr), (column), (conv), OF_FIELD_REQUIRED, NULL, NULL}
#define OF_PCO_CUSTOM(attr, conv) {(attr), NULL, (conv), 0, NULL, NULL}
#define OF_PCO_CUSTOM_RO(attr, conv) {(attr), NULL, (conv), OF_FIELD_READ_ONLY, NULL, NULL}
/* With which verbs a relation may be sent. */
#define OF_PCO_BOTH (OF_VERB_CREATE | OF_VERB_UPDATE)
#define OF_PCO_FIELDS_END {NULL, NULL, OF_CONV_TEXT, 0, NULL, NULL}
#define OF_PCO_RELATIONS_END {NULL, NULL, OF_REL_EDGE, NULL, NULL, NULL, 0, false}

/* pco_people.c */
extern const struct of_field of_pco_campus_fields[], of_pco_reference_fields[], of_pco_tab_fields[];
extern const struct of_field of_pco_definition_fields[], of_pco_option_fields[], of_pco_datum_fields[];
extern const struct of_field of_pco_person_fields[], of_pco_email_fields[], of_pco_phone_fields[];
extern const struct of_field of_pco_address_fields[], of_pco_household_fields[], of_pco_household_member_fields[];
extern const struct of_constant of_pco_definition_constants[];
extern const struct of_relation of_pco_definition_relations[], of_pco_option_relations[], of_pco_datum_relations[];
extern const struct of_relation of_pco_person_relations[], of_pco_contact_relations[];
extern const struct of_relation of_pco_household_relations[], of_pco_household_member_relations[];
/* pco_groups.c */
extern const struct of_field of_pco_group_type_fields[], of_pco_group_fields[], of_pco_membership_fields[];
extern const struct of_relation of_pco_group_relations[], of_pco_membership_relations[];
/* pco_giving.c */
extern const struct of_field of_pco_fund_fields[], of_pco_source_fields[], of_pco_batch_fields[];
extern const struct of_field of_pco_donation_fields[], of_pco_designation_fields[];
extern const struct of_relation of_pco_donation_relations[], of_pco_designation_relations[];
/* pco_types.c */
extern const struct of_type of_pco_types[], of_pco_second_types[];

/* pco_request.c: as the members of struct of_adapter say */
int of_pco_headers(const struct of_type *type, const char *out[], int max);
void of_pco_list_target(const struct of_type *type, of_scope scope, const struct of_list_pos *pos, struct of_buf *out);
void of_pco_get_target(const struct of_type *type, of_scope scope, const char *id, const char *parent, struct of_buf *out);
void of_pco_mergers_target(struct of_wall since, int64_t offset, struct of_buf *out);
/* The path with the parent's id in place of {parent}. */
bool of_pco_put_path(const char *path, const char *parent, struct of_buf *out);
/* pco_write.c: as the members of struct of_adapter say */
const char *of_pco_word(const struct of_type *type, const struct of_field *field, const struct of_json *value);
enum of_code of_pco_write_request(const struct of_write *w, of_scope scope, const char **ret_method, struct of_buf *target,
                                  struct of_buf *body, struct of_err *err);
void of_pco_recent_target(const struct of_type *type, of_scope scope, const char *parent, struct of_wall since, int64_t offset,
                          struct of_buf *out);
/* pco_answer.c */
enum of_code of_pco_parse(const struct of_type *type, of_scope scope, const char *body, size_t len, bool list,
                          enum of_list_by order, const char *parent, struct of_page *ret_page, struct of_err *err);
enum of_code of_pco_parse_mergers(const char *body, size_t len,
                                  void (*fn)(void *arg, const char *kept_id, const char *removed_id, struct of_wall at),
                                  void *arg, bool *ret_has_next, struct of_err *err);
enum of_code of_pco_classify(int status, const char *content_type, const char *retry_after, const char *body, size_t len,
                             struct of_err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_MAPPING_INT_H
#define OF_MAPPING_INT_H

/* Between mapping*.c: one record while it is being mapped. */

#include "adapters/mapping.h"

struct of_mapping {
    const struct of_map_in *in;
    struct of_map_out *out;
    const struct of_json *vals[OF_MAP_ATTRS_MAX]; /* by attribute index; NULL: absent */
    const struct of_json *relationships;          /* or NULL */
};

/* What a relationship says. */
enum of_to_one { OF_TO_ONE_NOT_READ = 0, OF_TO_ONE_UNSET, OF_TO_ONE_SET, OF_TO_ONE_BAD };

/* mapping_value.c: the value of a field that is neither absent nor JSON null. *ret_null: it means null after all (then
 * nothing is written). False: wrong, *ret_expected says what was expected. */
bool of_mapping_value(struct of_buf *out, const struct of_field *field, const struct of_json *node, bool *ret_null,
                      const char **ret_expected);
/* The _tag of a customFields element. */
const char *of_mapping_tag(const struct of_field *field, const struct of_json *node);
void of_mapping_custom_open(struct of_buf *out, bool *first, const char *tag, const char *adapter, const char *attr);

/* Begins a member of the body: a comma if it is not the first, the name, a colon. */
void of_mapping_member(struct of_buf *out, const char *name);

/* mapping_rel.c */
bool of_mapping_relations(struct of_mapping *m);
/* Appends the customFields elements of OF_REL_VALUE relations. */
bool of_mapping_rel_values(struct of_mapping *m, bool *first);

/* Sets out->cause to "<place>: <words>" and returns false. */
bool of_mapping_bad(struct of_mapping *m, const char *place, const char *key, const char *words);

#endif

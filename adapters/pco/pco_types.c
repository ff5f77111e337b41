/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pco/pco.h"
#include "adapters/pco/pco_int.h"

/* All types in dependency order. A list goes by created_at where they both filter and sort by it. */

#define DEPENDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING ((const char *const[]){NULL})

#define ALL_VERBS (OF_VERB_CREATE | OF_VERB_UPDATE | OF_VERB_DELETE)

#define REFERENCE(type_name, type_plural, type_path)                                                                   \
    {                                                                                                                  \
        .adapter = &OF_PCO_THIS, .name = type_name, .plural = type_plural, .kind = OF_KIND_REFERENCE,                  \
        .path = type_path,                                                                                             \
        .list = OF_LIST_OFFSET, .depends = NOTHING, .fields = of_pco_reference_fields,                                 \
        .cannot = "lists of choices are kept in Planning Center"                                                       \
    }

#define CONTACT(type_name, type_plural, tag, type_path, type_below, type_updated, type_fields, column)                 \
    {                                                                                                                  \
        .adapter = &OF_PCO_THIS, .name = type_name, .plural = type_plural, .kind = OF_KIND_ENTITY, .entity = tag,      \
        .path = type_path,                                                                                             \
        .list = OF_LIST_WITH, .with = "Person", .has_updated = type_updated, .owned = true,                            \
        .depends = DEPENDS("Person"), .fields = type_fields, .relations = of_pco_contact_relations,                    \
        .match = OF_MATCH_CHILD, .match_column = column, .verbs = ALL_VERBS,                                           \
        .create_path = "/people/v2/people/{parent}/" type_below, .create_parent = "person"                             \
    }

#define OF_PCO_THIS of_pco_adapter
const struct of_type of_pco_types[] = {
#include "adapters/pco/pco_types.inc"
};
#undef OF_PCO_THIS

#define OF_PCO_THIS of_pco_second_adapter
const struct of_type of_pco_second_types[] = {
#include "adapters/pco/pco_types.inc"
};
#undef OF_PCO_THIS

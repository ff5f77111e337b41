/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PROJECT_H
#define OF_PROJECT_H

/* The writing side: the tables of adapter.h read from ours to theirs. Pure, any thread. All bodies have the shape of
 * of_record.body (canonical columns, customFields, _rel, _many), so that what is sent, what was answered (parse) and what was
 * agreed compare field by field.
 *
 * base.agreed holds members of a body that differ from base.seen; a member that is absent there is as in seen. Two members are
 * bodies themselves: agreed.customFields, where present, stands for the whole of seen.customFields (an element that it lacks was
 * agreed to be none); agreed._rel and agreed._many count key by key. For OF_KIND_VALUE {"value":null} says that nothing was
 * agreed on: theirs has a value that ours decided not to take. worker/merge.c writes it by the same rules. */

#include "adapters/adapter.h"

/* Fields whose value ours holds but theirs cannot take (a gender they do not know, a birthdate that is none, a marital status that
 * has no reference there) are not part of the projection: never sent, never cleared. Their names stand in "_skip" (["gender",
 * "pco_marital_status"], left out where empty), so that whoever sends can tell a person.
 *
 * A relation of kind OF_REL_VALUE (marital_status) is compared as the customFields element that reading makes of it
 * (pco_marital_status: "Married") and sent as the relationship: beside the element, "_rel" holds the external id it was resolved
 * to ("marital_status":"MaritalStatus/3"). That member only accompanies the element: it is not counted, named or compared. */
struct of_project_in {
    const struct of_adapter *adapter;
    const struct of_type *type;
    /* OF_KIND_ENTITY: to_jsonb() of the entity's row. OF_KIND_EDGE: the edge's metadata. OF_KIND_VALUE: {"value":…}: text, number or
     * truth as the custom field holds it. */
    const struct of_json *row;
    /* Relations by key: {"primary_campus":"Campus/12","marital_status":"MaritalStatus/3"}: external ids of the other ends; null:
     * there is none; a member that is absent: not known (not linked, not loaded): it is not part of the projection. */
    const struct of_json *rel;
    /* {"people":["Person/1"]} likewise, sorted */
    const struct of_json *many;
};

/* Appends project(entity): only what theirs accepts (no OF_FIELD_READ_ONLY, no relation that cannot be written). An empty text is
 * null, and so is what is missing; a required field or relation that is null is left out. Same content, same bytes. */
void of_project(const struct of_project_in *in, struct of_buf *body);

/* What has to be sent: the members of ours (of_project) that differ from agreed (absent there: from seen). A field that neither
 * knows has no base: never sent, never cleared; is_new (nothing agreed: a create): every member that is not null. A filler of a
 * NOT NULL column ('' 0 false) says the same as null. Members with OF_FIELD_CREATE_ONLY, and relations, only with their verb.
 * The result is a body of only those members; a custom field that was cleared stands in "_clear": ["pco_nickname"].
 * *ret_n is their number; 0: nothing appended. fields (may be NULL) gets their names, '\n' after each: firstName, pco_nickname,
 * _rel.primary_campus, _many.people. */
void of_project_diff(const struct of_adapter *adapter, const struct of_type *type, const struct of_json *ours,
                     const struct of_json *seen, const struct of_json *agreed, bool is_new, struct of_buf *body, int *ret_n,
                     struct of_buf *fields);

/* Is the text an element of the array ("_clear", "_skip")? NULL: no. */
bool of_project_has_text(const struct of_json *array, const char *text);

/* What of `sent` (a body as of_project_diff gives) the answer (a record's body) does not hold. Their own spelling counts as held:
 * case, blanks and punctuation of a text, the form of a phone number, digits and seconds that they do not keep. Null, absent or
 * another value does not; a relation that the answer does not speak of does. Names into fields as above; returns how many. */
int of_project_dropped(const struct of_adapter *adapter, const struct of_type *type, const struct of_json *sent,
                       const struct of_json *answer, struct of_buf *fields);

/* base after a push: appends seen and agreed with the sent members set: seen to what the answer says of them, agreed to what was
 * sent. Other members stay. seen NULL: none yet (a create): the sent members alone. agreed NULL: same as seen; ret_agreed gets
 * nothing where the result is the same as seen. */
void of_project_agree(const struct of_adapter *adapter, const struct of_type *type, const struct of_json *seen,
                      const struct of_json *agreed, const struct of_json *sent, const struct of_json *answer,
                      struct of_buf *ret_seen, struct of_buf *ret_agreed);

/* Is the record one that was created with `sent`? Every sent field is held, in their spelling: for finding a create whose answer
 * was lost. */
bool of_project_is_created_by(const struct of_adapter *adapter, const struct of_type *type, const struct of_json *sent,
                              const struct of_record *record);

#endif

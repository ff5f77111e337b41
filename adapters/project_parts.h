/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PROJECT_PARTS_H
#define OF_PROJECT_PARTS_H

/* Values and members of bodies: what project*.c is made of, and adapters that write use too. Pure, any thread. */

#include "adapters/project.h"

/* --- project_value.c --- */

/* Ours in canonical form, as reading would make it of what they answer. *ret_null: it says nothing (then nothing is written).
 * False: theirs cannot take it. */
bool of_project_value(struct of_buf *out, const struct of_type *type, const struct of_field *field, const struct of_json *node,
                      bool *ret_null);
/* A canonical value as they take it: genders in their words, numbers that are our text as numbers. */
void of_project_theirs(struct of_buf *out, const struct of_type *type, const struct of_field *field, const struct of_json *node);
/* Nothing is said: absent, null, an empty text; of a NOT NULL column its filler too. */
bool of_project_empty(const struct of_json *node, bool not_null);
/* The same value. field NULL: a text. */
bool of_project_same(const struct of_field *field, bool not_null, const struct of_json *a, const struct of_json *b);
/* The same value in their spelling. */
bool of_project_held(const struct of_field *field, const struct of_json *sent, const struct of_json *answer);

/* --- project.c --- */
bool of_project_not_null(const struct of_type *type, const struct of_field *field);
/* An element of customFields by its whole name (pco_nickname) and source; NULL: none. */
const struct of_json *of_project_element(const struct of_json *body, const char *adapter, const char *name);
/* "<adapter>_<attr>" */
enum { OF_PROJECT_NAME_MAX = 128 };
const char *of_project_name(const struct of_adapter *adapter, const char *attr, char out[OF_PROJECT_NAME_MAX]);

/* An object being written member by member. */
struct of_members {
    struct of_buf *out;
    bool any;
};
void of_members_open(struct of_members *m, struct of_buf *out);
void of_members_key(struct of_members *m, const char *key);
void of_members_node(struct of_members *m, const char *key, const struct of_json *node); /* NULL writes null */
void of_members_close(struct of_members *m);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_MATCH_H
#define OF_MATCH_H

/* Match keys: what makes two people comparable. The same functions serve both sides, so that an entity's keys and an
 * external record's agree. A key that would be empty is not written. Any thread. */

#include "common/base/base.h"
#include "common/base/buf.h"

#define OF_MATCH_SEP '\x1f'

/* Lower case by simple rules that do not depend on a locale (ASCII, Latin, Greek, Cyrillic), blanks folded to one, none at
 * the ends, control characters counted as blanks. */
void of_match_fold(struct of_buf *out, const char *text);
/* Each writes one key behind a separator if out has something already: "e:ann@example.org". */
void of_match_email(struct of_buf *out, const char *address);
/* "p:5550100": digits only, the last ten of more; fewer than five are no number. */
void of_match_phone(struct of_buf *out, const char *number);
/* "n:ann lee": both may be NULL; with one of them alone the key is that one. */
void of_match_name(struct of_buf *out, const char *first, const char *last);
/* "b:1990-01-31" */
void of_match_birthdate(struct of_buf *out, const char *date);
/* Sorts keys bytewise, drops doubles; *ret is the caller's ("" for none). keys is a list with separators. */
char *of_match_sorted(const char *keys);

#endif

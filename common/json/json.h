/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_JSON_H
#define OF_JSON_H

/* JSON behind one door: strict parsing of outside bytes, getters whose errors name the place. cJSON inside.
 * Strict: the whole input, at most max_bytes and 64 levels, valid UTF-8, no duplicate keys, no \u0000, no lone surrogates.
 * Also refused, though cJSON takes it: a byte order mark, 01, 1., numbers of more than 63 characters or beyond a double.
 * A node is borrowed from its document. Not thread-safe; different documents in different threads are fine. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"

struct of_json; /* a node; the root owns the document */

enum of_json_type { OF_JSON_NULL = 0, OF_JSON_BOOL, OF_JSON_NUMBER, OF_JSON_STRING, OF_JSON_ARRAY, OF_JSON_OBJECT };

/* *ret is the caller's, free with of_json_free(). text needs no NUL and is not kept. No text of the input is in err.
 * Fails: OF_E_PARSE (with the byte offset where the grammar is broken), OF_E_TOO_LARGE. */
OF_MUSTCHECK enum of_code of_json_parse(const char *text, size_t len, size_t max_bytes, struct of_json **ret, struct of_err *err);
void of_json_free(struct of_json *root);
OF_DEFINE_CLEANUP(struct of_json, of_json_free, of_json_freep)

enum of_json_type of_json_type(const struct of_json *n);
/* Member of an object (case counts), or NULL if absent or n is no object or NULL. */
const struct of_json *of_json_get(const struct of_json *n, const char *key);
bool of_json_is_null(const struct of_json *n); /* absent (NULL) or null */
size_t of_json_len(const struct of_json *n);   /* children of an array or object; 0 otherwise */
/* Iteration: first child, next sibling; key of an object's member. */
const struct of_json *of_json_first(const struct of_json *n);
const struct of_json *of_json_next(const struct of_json *n);
const char *of_json_key(const struct of_json *n);
/* Values; NULL / false when the type is another. Strings are borrowed. */
const char *of_json_text(const struct of_json *n);
bool of_json_bool(const struct of_json *n, bool *ret);
bool of_json_double(const struct of_json *n, double *ret);
/* An integral number within ±2^53. */
bool of_json_i64(const struct of_json *n, int64_t *ret);
/* Required / optional members with a path in the error ("data[3].id: expected string"). path names n. opt: absent or null
 * gives NULL / fallback. max_len in bytes. Fails: OF_E_PARSE (missing, another type, out of range), OF_E_TOO_LARGE; *ret is
 * untouched then. */
OF_MUSTCHECK enum of_code of_json_req_text(const struct of_json *n, const char *path, const char *key, size_t max_len,
                                           const char **ret, struct of_err *err);
OF_MUSTCHECK enum of_code of_json_opt_text(const struct of_json *n, const char *path, const char *key, size_t max_len,
                                           const char **ret, struct of_err *err);
OF_MUSTCHECK enum of_code of_json_req_i64(const struct of_json *n, const char *path, const char *key, int64_t min, int64_t max,
                                          int64_t *ret, struct of_err *err);
OF_MUSTCHECK enum of_code of_json_opt_i64(const struct of_json *n, const char *path, const char *key, int64_t min, int64_t max,
                                          int64_t fallback, int64_t *ret, struct of_err *err);
/* Writes a node as compact JSON. */
void of_json_write(struct of_buf *b, const struct of_json *n);
/* Deep equality (absent equals null); objects regardless of key order, numbers by value. */
bool of_json_equal(const struct of_json *a, const struct of_json *b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_BASE_BUF_H
#define OF_BASE_BUF_H

/* The one growing buffer: a declared maximum, sticky failure, one check at the end. Always NUL-terminated.
 * Owner: the struct's holder; of_buf_done() frees. Not thread-safe. */

#include "common/base/base.h"
#include "common/err/err.h"

struct of_buf {
    char *data; /* NULL while empty */
    size_t len;
    size_t cap;
    size_t max;
    bool bad; /* an append did not fit; nothing is appended any more */
};

#define OF_BUF_INIT(max_bytes) ((struct of_buf){.data = NULL, .len = 0, .cap = 0, .max = (max_bytes), .bad = false})

void of_buf_done(struct of_buf *b);  /* frees, leaves it empty, good and usable */
void of_buf_clear(struct of_buf *b); /* len 0, good again, keeps memory */
void of_buf_char(struct of_buf *b, char c);
void of_buf_str(struct of_buf *b, const char *s);
void of_buf_mem(struct of_buf *b, const void *p, size_t n);
void of_buf_fmt(struct of_buf *b, const char *fmt, ...) OF_PRINTF(2, 3);
void of_buf_i64(struct of_buf *b, int64_t v);
/* A JSON string literal with quotes; NULL writes null. Invalid UTF-8 bytes and NUL become U+FFFD, so
 * that what we write is what of_json_parse and jsonb accept. */
void of_buf_json_str(struct of_buf *b, const char *s);
void of_buf_json_mem(struct of_buf *b, const char *s, size_t n);
/* Percent-encodes everything but unreserved characters. */
void of_buf_url(struct of_buf *b, const char *s);
/* Reserves n writable bytes at the end and returns their address (NULL if it goes bad); len grows by n. */
void *of_buf_grow(struct of_buf *b, size_t n);
const char *of_buf_text(const struct of_buf *b); /* never NULL */
/* Hands the memory to the caller (free()); the buffer is empty then. Fails: OF_E_TOO_LARGE. */
OF_MUSTCHECK enum of_code of_buf_take(struct of_buf *b, char **ret_text, size_t *ret_len, struct of_err *err);

#endif

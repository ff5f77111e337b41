/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_TEST_ADAPTERS_SUPPORT_H
#define OF_TEST_ADAPTERS_SUPPORT_H

/* Pages in, records out. JSON in these tests is written with ' for ", so that it can be read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/adapter.h"

/* A copy with " for '; the caller's. */
static inline char *quoted(const char *text)
{
    char *copy = of_strdup(text);
    for (char *p = copy; *p; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }
    return copy;
}

static inline const struct of_adapter *pco(void)
{
    return of_adapter_find("pco");
}

static inline const struct of_type *type_of(const char *name)
{
    const struct of_type *t = of_type_find(pco(), name);
    assert_non_null(t);
    return t;
}

static inline enum of_code parse_bytes(const char *type, const char *body, size_t len, bool list, const char *parent,
                                       struct of_page *page, struct of_err *err)
{
    /* exactly as long as it is, so that a sanitizer sees every byte read beyond it */
    char *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, body, len);
    enum of_code code = pco()->parse(type_of(type), of_scope_all(pco()), exact, len, list, type_of(type)->list, parent,
                                     page, err);
    free(exact);
    return code;
}

static inline void parse_page(const char *type, const char *text, const char *parent, struct of_page *page)
{
    struct of_err err = OF_ERR_INIT;
    char *body = quoted(text);
    if (parse_bytes(type, body, strlen(body), true, parent, page, &err) != OF_OK) {
        fail_msg("%s: %s", type, err.msg);
    }
    free(body);
}

static inline const struct of_record *record_of(const struct of_page *page, const char *type, const char *id)
{
    for (size_t i = 0; i < page->n_records; i++) {
        if (strcmp(page->records[i].type->name, type) == 0 && strcmp(page->records[i].id, id) == 0) {
            return &page->records[i];
        }
    }
    return NULL;
}

static inline void assert_body(const struct of_page *page, const char *type, const char *id, const char *expected)
{
    const struct of_record *r = record_of(page, type, id);
    if (!r) {
        fail_msg("no record %s %s", type, id);
        return;
    }
    char *body = quoted(expected);
    assert_string_equal(r->body, body);
    assert_int_equal(r->body_len, strlen(body));
    free(body);
}

#endif

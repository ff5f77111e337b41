/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_JSONAPI_H
#define OF_JSONAPI_H

/* What all JSON:API systems share: an answer taken apart into resource objects, and then into records by an adapter's
 * tables. A resource object that is no proper JSON (invalid UTF-8, \u0000, duplicate keys) costs only itself: where the
 * whole text does not parse, its elements are split by a scanner that knows strings and brackets, and parsed one by one.
 * Any thread, no blocking. */

#include "adapters/adapter.h"

#define OF_JSONAPI_MAX_BYTES (16U << 20)
#define OF_JSONAPI_DATA_MAX 10000      /* elements of data */
#define OF_JSONAPI_INCLUDED_MAX 100000 /* elements of included */
#define OF_JSONAPI_ID_MAX 64           /* bytes of an external id */
#define OF_JSONAPI_TEXT_MAX 65536      /* bytes of one attribute */

/* One element of data or included. */
struct of_element {
    const struct of_json *node; /* NULL: it does not parse, and cause says why */
    char *cause;
    const char *text; /* with cause: its bytes, borrowed from the answer, for what can still be told of it */
    size_t len;
};

struct of_frame {
    struct of_element *data;
    size_t n_data;
    struct of_element *included;
    size_t n_included;
    int64_t total; /* -1: not said */
    bool has_next;
    char account[64];
    char parent_type[64]; /* whose list it says it is, "" where it does not */
    char parent_id[OF_JSONAPI_ID_MAX + 1];
    struct of_json **docs; /* owned: what the nodes belong to */
    size_t n_docs;
};

/* Takes an answer apart. list: data must be an array, else one object. body must stay until of_frame_close().
 * Fails: OF_E_PARSE (no page at all, with its place), OF_E_TOO_LARGE; ret_frame is empty then. */
OF_MUSTCHECK enum of_code of_frame_open(const char *body, size_t len, bool list, struct of_frame *ret_frame,
                                        struct of_err *err);
void of_frame_close(struct of_frame *frame);

/* A member of an object that may not be proper JSON: the first of that key, as bytes. False if there is none, or the object
 * breaks off. ret_count: how many members have the key (scans all of them), or NULL. */
bool of_span_member(const char *text, size_t len, const char *key, const char **ret_text, size_t *ret_len,
                    size_t *ret_count);

/* An id: text or integer, 1 to OF_JSONAPI_ID_MAX bytes of [A-Za-z0-9_-]. */
bool of_jsonapi_id(const struct of_json *node, char out[OF_JSONAPI_ID_MAX + 1]);

/* struct of_adapter's parse, for any adapter that speaks JSON:API. */
OF_MUSTCHECK enum of_code of_jsonapi_page(const struct of_adapter *adapter, const struct of_type *type, of_scope scope,
                                          const char *body, size_t len, bool list, enum of_list_by order,
                                          const char *parent, struct of_page *ret_page, struct of_err *err);

#endif

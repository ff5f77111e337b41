/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "adapters/jsonapi.h"

#include <string.h>

static void check_record(const struct of_record *r)
{
    OF_CLEANUP(of_json_freep) struct of_json *body = NULL;
    struct of_err err = OF_ERR_INIT;
    OF_BUG_ON(strlen(r->body) != r->body_len);
    OF_BUG_ON(of_json_parse(r->body, r->body_len, 8U << 20, &body, &err) != OF_OK);
    OF_BUG_ON(of_json_type(body) != OF_JSON_OBJECT);
    OF_BUG_ON((of_json_type(of_json_get(body, "customFields")) == OF_JSON_ARRAY) != (r->type->kind == OF_KIND_ENTITY));
    OF_BUG_ON(r->id[0] == '\0' || strlen(r->id) > OF_JSONAPI_ID_MAX);
    OF_BUG_ON((r->match_keys != NULL) && r->type->match != OF_MATCH_PERSON);
    OF_BUG_ON(r->match_keys && !of_utf8_valid(r->match_keys, strlen(r->match_keys)));
}

static void check_page(const struct of_page *page, bool list)
{
    OF_BUG_ON(!list && page->n_rows != 1);
    for (size_t i = 0; i < page->n_records; i++) {
        check_record(&page->records[i]);
        for (size_t k = 0; k < i && page->n_records < 100; k++) {
            OF_BUG_ON(page->records[k].type == page->records[i].type &&
                      strcmp(page->records[k].id, page->records[i].id) == 0);
        }
    }
    for (size_t i = 0; i < page->n_bad; i++) {
        const struct of_bad_record *bad = &page->bad[i];
        OF_BUG_ON(bad->place[0] == '\0' || bad->cause[0] == '\0');
        OF_BUG_ON(!of_utf8_valid(bad->cause, strlen(bad->cause)));
    }
    for (size_t i = 0; i < page->n_rows; i++) {
        OF_BUG_ON(!page->rows[i].id || strlen(page->rows[i].id) > OF_JSONAPI_ID_MAX);
    }
    OF_BUG_ON(page->total < -1);
}

static void on_merger(void *arg, const char *kept, const char *removed, struct of_wall at)
{
    (void)arg;
    (void)at;
    OF_BUG_ON(kept[0] == '\0' || removed[0] == '\0');
}

/* The first byte says which type's page it is, and whether a list; the same bytes are read as mergers too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct of_adapter *pco = of_adapter_find("pco");
    struct of_err err = OF_ERR_INIT;
    size_t n_types = 0;
    if (size == 0) {
        return 0;
    }
    while (pco->types[n_types].name) {
        n_types++;
    }
    const struct of_type *type = &pco->types[(size_t)(data[0] & 0x7f) % n_types];
    bool list = (data[0] & 0x80) == 0;
    const char *body = (const char *)data + 1;
    struct of_page page;
    enum of_code code = pco->parse(type, of_scope_all(pco), body, size - 1, list, type->list, list ? "8" : NULL, &page, &err);
    if (code == OF_OK) {
        check_page(&page, list);
    } else {
        OF_BUG_ON(code != OF_E_PARSE && code != OF_E_TOO_LARGE);
        OF_BUG_ON(page.n_records || page.n_bad || page.n_rows || !of_utf8_valid(err.msg, strlen(err.msg)));
    }
    of_page_done(&page);
    bool more = false;
    (void)pco->parse_mergers(body, size - 1, on_merger, NULL, &more, &err);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json.h"

#include "common/json/json_int.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Objects up to here are compared key by key, up to HASH_MAX with a hash table; larger ones are sorted, so that nobody can
 * make us slow with keys that share a hash. */
#define PAIRS_MAX 8
#define HASH_MAX 512
#define HASH_SLOTS 1024

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_allocator(void)
{
    cJSON_Hooks hooks = {.malloc_fn = of_alloc, .free_fn = free};
    cJSON_InitHooks(&hooks);
}

static bool pairs_unique(const cJSON *object)
{
    for (const cJSON *a = object->child; a; a = a->next) {
        for (const cJSON *b = a->next; b; b = b->next) {
            if (a->string[0] == b->string[0] && strcmp(a->string, b->string) == 0) {
                return false;
            }
        }
    }
    return true;
}

static uint32_t hash_key(const char *key)
{
    uint32_t h = 2166136261U;
    for (const char *p = key; *p; p++) {
        h = (h ^ (unsigned char)*p) * 16777619U;
    }
    return h ^ (h >> 15);
}

static bool hash_unique(const cJSON *object, size_t n)
{
    size_t slots = 32;
    while (slots < 2 * n) {
        slots *= 2;
    }
    const char *table[HASH_SLOTS];
    memset(table, 0, slots * sizeof(table[0]));
    for (const cJSON *m = object->child; m; m = m->next) {
        size_t at = hash_key(m->string) & (slots - 1);
        while (table[at]) {
            if (strcmp(table[at], m->string) == 0) {
                return false;
            }
            at = (at + 1) & (slots - 1);
        }
        table[at] = m->string;
    }
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

static bool sort_unique(const cJSON *object, size_t n)
{
    OF_CLEANUP(of_freep) const char **keys = of_reallocarray(NULL, n, sizeof(keys[0]));
    size_t i = 0;
    for (const cJSON *m = object->child; m; m = m->next) {
        keys[i++] = m->string;
    }
    qsort(keys, n, sizeof(keys[0]), compare_keys);
    for (i = 1; i < n; i++) {
        if (strcmp(keys[i - 1], keys[i]) == 0) {
            return false;
        }
    }
    return true;
}

static bool keys_unique(const cJSON *object)
{
    size_t n = of_json_len(of_json_node(object));
    if (n <= PAIRS_MAX) {
        return pairs_unique(object);
    }
    return n <= HASH_MAX ? hash_unique(object, n) : sort_unique(object, n);
}

/* What only the tree shows: duplicate keys, numbers that became infinite. Depth is bounded by the scan. */
static const char *check_tree(const cJSON *item)
{
    if (cJSON_IsNumber(item) && !isfinite(item->valuedouble)) {
        return "number is too large";
    }
    if (cJSON_IsObject(item) && !keys_unique(item)) {
        return "duplicate key in an object";
    }
    for (const cJSON *child = item->child; child; child = child->next) {
        /* only what has children or a number is worth a call */
        if (child->child || cJSON_IsNumber(child)) {
            const char *why = check_tree(child);
            if (why) {
                return why;
            }
        }
    }
    return NULL;
}

enum of_code of_json_parse(const char *text, size_t len, size_t max_bytes, struct of_json **ret, struct of_err *err)
{
    if (len > max_bytes) {
        return of_err_set(err, OF_E_TOO_LARGE, "JSON of %zu bytes, at most %zu are accepted", len, max_bytes);
    }
    OF_TRY(of_json_scan(text, len, err));
    (void)pthread_once(&once, set_allocator);
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, NULL, 0);
    if (!root) {
        return of_err_set(err, OF_E_PARSE, "JSON is not understood");
    }
    const char *why = check_tree(root);
    if (why) {
        cJSON_Delete(root);
        return of_err_set(err, OF_E_PARSE, "JSON: %s", why);
    }
    *ret = (struct of_json *)(void *)root;
    return OF_OK;
}

void of_json_free(struct of_json *root)
{
    cJSON_Delete((cJSON *)(void *)root);
}

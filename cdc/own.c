/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/own.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

enum { SLOTS = 32768, IDS_MAX = SLOTS / 2, TEXT_MAX = 2 * 1024 * 1024, NAME_MAX_BYTES = 64 };

struct id {
    size_t at, len; /* in texts */
};

struct of_cdc_own {
    char adapter[NAME_MAX_BYTES];
    bool mixed;
    struct of_buf texts;
    struct id ids[IDS_MAX];
    size_t n;
    uint16_t slots[SLOTS]; /* index in ids + 1; 0: free. Open addressing, at most half full */
};

struct of_cdc_own *of_cdc_own_new(void)
{
    struct of_cdc_own *o = of_calloc(1, sizeof *o);
    o->texts = OF_BUF_INIT(TEXT_MAX);
    return o;
}

void of_cdc_own_free(struct of_cdc_own *o)
{
    if (o) {
        of_buf_done(&o->texts);
        free(o);
    }
}

void of_cdc_own_clear(struct of_cdc_own *o)
{
    if (o->n > 0) {
        memset(o->slots, 0, sizeof o->slots);
        of_buf_clear(&o->texts);
        o->n = 0;
    }
    o->adapter[0] = '\0';
    o->mixed = false;
}

static size_t slot_of(const struct of_cdc_own *o, const char *id, size_t len)
{
    size_t at = (size_t)of_hash(id, len) & (SLOTS - 1);
    while (o->slots[at] != 0) {
        const struct id *found = &o->ids[o->slots[at] - 1];
        if (found->len == len && memcmp(of_buf_text(&o->texts) + found->at, id, len) == 0) {
            break;
        }
        at = (at + 1) & (SLOTS - 1);
    }
    return at;
}

void of_cdc_own_add(struct of_cdc_own *o, const char *adapter, size_t adapter_len, const char *id, size_t id_len)
{
    if (adapter_len == 0 || adapter_len >= sizeof o->adapter || id_len == 0) {
        return;
    }
    if (o->adapter[0] == '\0') {
        memcpy(o->adapter, adapter, adapter_len);
        o->adapter[adapter_len] = '\0';
    } else if (strlen(o->adapter) != adapter_len || memcmp(o->adapter, adapter, adapter_len) != 0) {
        o->mixed = true;
    }
    if (o->n == IDS_MAX || o->texts.len + id_len >= TEXT_MAX) {
        return;
    }
    size_t slot = slot_of(o, id, id_len);
    if (o->slots[slot] == 0) {
        o->ids[o->n] = (struct id){.at = o->texts.len, .len = id_len};
        of_buf_mem(&o->texts, id, id_len);
        o->slots[slot] = (uint16_t)++o->n;
    }
}

static bool has(const struct of_cdc_own *o, const char *id, size_t len)
{
    return o->slots[slot_of(o, id, len)] != 0;
}

const char *of_cdc_own_by(const struct of_cdc_own *o, const char *id, size_t id_len, bool is_edge)
{
    if (o->n == 0 || o->mixed) {
        return NULL;
    }
    bool own = has(o, id, id_len);
    if (!own && is_edge) {
        const char *bar = memchr(id, '|', id_len);
        const char *second = bar ? memchr(bar + 1, '|', id_len - (size_t)(bar + 1 - id)) : NULL;
        own = second && (has(o, id, (size_t)(bar - id)) || has(o, bar + 1, (size_t)(second - bar - 1)));
    }
    return own ? o->adapter : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/wanted.h"

#include <stdlib.h>
#include <string.h>

struct org {
    char *name;
    size_t len;
    char **adapters; /* connected ones */
    size_t n_adapters;
};

struct of_cdc_wanted {
    struct org **slots; /* open addressing, at most half full; organizations stay, wanted or not */
    size_t n_slots;
    struct org **orgs;
    size_t n_orgs;
    struct org *last;
};

struct of_cdc_wanted *of_cdc_wanted_new(void)
{
    struct of_cdc_wanted *w = of_calloc(1, sizeof *w);
    w->n_slots = 64;
    w->slots = of_calloc(w->n_slots, sizeof(struct org *));
    return w;
}

static void free_org(struct org *o)
{
    for (size_t i = 0; i < o->n_adapters; i++) {
        free(o->adapters[i]);
    }
    free(o->adapters);
    free(o->name);
    free(o);
}

void of_cdc_wanted_clear(struct of_cdc_wanted *w)
{
    for (size_t i = 0; i < w->n_orgs; i++) {
        free_org(w->orgs[i]);
    }
    w->n_orgs = 0;
    w->last = NULL;
    memset(w->slots, 0, w->n_slots * sizeof(struct org *));
}

void of_cdc_wanted_free(struct of_cdc_wanted *w)
{
    if (w != NULL) {
        of_cdc_wanted_clear(w);
        free(w->orgs);
        free(w->slots);
        free(w);
    }
}

static size_t slot_of(const struct of_cdc_wanted *w, const char *name, size_t len)
{
    size_t i = (size_t)of_hash(name, len) & (w->n_slots - 1);
    while (w->slots[i] != NULL && (w->slots[i]->len != len || memcmp(w->slots[i]->name, name, len) != 0)) {
        i = (i + 1) & (w->n_slots - 1);
    }
    return i;
}

static struct org *find(struct of_cdc_wanted *w, const char *name, size_t len)
{
    if (w->last == NULL || w->last->len != len || memcmp(w->last->name, name, len) != 0) {
        struct org *o = w->slots[slot_of(w, name, len)];
        if (o == NULL) {
            return NULL;
        }
        w->last = o;
    }
    return w->last;
}

static struct org *add(struct of_cdc_wanted *w, const char *name, size_t len)
{
    if ((w->n_orgs + 1) * 2 > w->n_slots) {
        free(w->slots);
        w->n_slots *= 2;
        w->slots = of_calloc(w->n_slots, sizeof(struct org *));
        for (size_t i = 0; i < w->n_orgs; i++) {
            w->slots[slot_of(w, w->orgs[i]->name, w->orgs[i]->len)] = w->orgs[i];
        }
    }
    struct org *o = of_calloc(1, sizeof *o);
    o->name = of_strndup(name, len);
    o->len = len;
    w->orgs = of_reallocarray(w->orgs, w->n_orgs + 1, sizeof(struct org *));
    w->orgs[w->n_orgs++] = o;
    w->slots[slot_of(w, name, len)] = o;
    return o;
}

void of_cdc_wanted_set(struct of_cdc_wanted *w, const char *org, size_t org_len, const char *adapter, size_t adapter_len,
                       bool connected)
{
    struct org *o = find(w, org, org_len);
    size_t i = 0;
    if (o == NULL) {
        if (!connected) {
            return;
        }
        o = add(w, org, org_len);
    }
    while (i < o->n_adapters && (strlen(o->adapters[i]) != adapter_len || memcmp(o->adapters[i], adapter, adapter_len) != 0)) {
        i++;
    }
    if (connected && i == o->n_adapters) {
        o->adapters = of_reallocarray(o->adapters, o->n_adapters + 1, sizeof(char *));
        o->adapters[o->n_adapters++] = of_strndup(adapter, adapter_len);
    } else if (!connected && i < o->n_adapters) {
        free(o->adapters[i]);
        o->adapters[i] = o->adapters[--o->n_adapters];
    }
}

bool of_cdc_wanted_has(struct of_cdc_wanted *w, const char *org, size_t org_len)
{
    const struct org *o = find(w, org, org_len);
    return o != NULL && o->n_adapters > 0;
}

bool of_cdc_wanted_only_by(struct of_cdc_wanted *w, const char *org, size_t org_len, const char *adapter)
{
    const struct org *o = find(w, org, org_len);
    return o != NULL && o->n_adapters == 1 && strcmp(o->adapters[0], adapter) == 0;
}

bool of_cdc_wanted_at(const struct of_cdc_wanted *w, size_t i, const char **ret_org)
{
    if (i >= w->n_orgs) {
        return false;
    }
    *ret_org = w->orgs[i]->n_adapters > 0 ? w->orgs[i]->name : NULL;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/adapter.h"

#include <string.h>

#include "adapters/pco/pco.h"

/* A new adapter: its folder, and a row here. */
static const struct of_adapter *const adapters[] = {
    &of_pco_adapter,
    &of_pco_second_adapter,
};

const struct of_adapter *of_adapter_at(size_t i)
{
    return i < OF_ARRAY_LEN(adapters) ? adapters[i] : NULL;
}

const struct of_adapter *of_adapter_find(const char *name)
{
    for (size_t i = 0; name && i < OF_ARRAY_LEN(adapters); i++) {
        if (strcmp(adapters[i]->name, name) == 0) {
            return adapters[i];
        }
    }
    return NULL;
}

const struct of_type *of_type_find(const struct of_adapter *a, const char *name)
{
    for (const struct of_type *t = a->types; name && t->name; t++) {
        if (strcmp(t->name, name) == 0) {
            return t;
        }
    }
    return NULL;
}

size_t of_type_index(const struct of_adapter *a, const struct of_type *t)
{
    return (size_t)(t - a->types);
}

of_scope of_scope_all(const struct of_adapter *a)
{
    of_scope all = 0;
    for (size_t i = 0; a->types[i].name; i++) {
        all |= UINT64_C(1) << i;
    }
    return all;
}

bool of_type_depends(const struct of_type *t, const char *on)
{
    for (const char *const *d = t->depends; d && *d; d++) {
        if (strcmp(*d, on) == 0) {
            return true;
        }
    }
    return false;
}

/* Types stand in dependency order: going backwards, what a type needs is met after it. */
static of_scope close_scope(const struct of_adapter *a, of_scope scope)
{
    size_t n = 0;
    while (a->types[n].name) {
        n++;
    }
    for (size_t i = n; i-- > 0;) {
        if (!of_scope_has(scope, i)) {
            continue;
        }
        for (const char *const *d = a->types[i].depends; d && *d; d++) {
            const struct of_type *needed = of_type_find(a, *d);
            OF_BUG_ON(!needed || needed >= &a->types[i]);
            scope |= UINT64_C(1) << of_type_index(a, needed);
        }
    }
    return scope;
}

static enum of_code read_names(const struct of_adapter *a, const char *names, of_scope *ret, struct of_err *err)
{
    *ret = 0;
    for (const char *p = names; *p;) {
        p += strspn(p, ", \t");
        size_t n = strcspn(p, ", \t");
        if (n == 0) {
            break;
        }
        char name[64];
        if (n >= sizeof(name)) {
            return of_err_set(err, OF_E_INVALID, "%s: a type's name is too long", a->name);
        }
        memcpy(name, p, n);
        name[n] = '\0';
        const struct of_type *t = of_type_find(a, name);
        if (!t) {
            return of_err_set(err, OF_E_INVALID, "%s has no type %s", a->name, name);
        }
        *ret |= UINT64_C(1) << of_type_index(a, t);
        p += n;
    }
    return *ret ? OF_OK : of_err_set(err, OF_E_INVALID, "no type is named");
}

enum of_code of_scope_parse(const struct of_adapter *a, const char *names, of_scope *ret, char **ret_added,
                            struct of_err *err)
{
    of_scope asked = 0;
    OF_TRY(read_names(a, names, &asked, err));
    of_scope all = close_scope(a, asked);
    struct of_buf added = OF_BUF_INIT(4096);
    for (size_t i = 0; a->types[i].name; i++) {
        if (of_scope_has(all & ~asked, i)) {
            of_buf_str(&added, added.len > 0 ? ", " : "");
            of_buf_str(&added, a->types[i].name);
        }
    }
    *ret_added = of_strdup(of_buf_text(&added));
    of_buf_done(&added);
    *ret = all;
    return OF_OK;
}

static void add_verb(const struct of_type *t, unsigned verb, const char *word, bool *first, struct of_buf *out)
{
    if ((t->verbs & verb) == 0) {
        of_buf_str(out, *first ? "" : ", ");
        of_buf_str(out, word);
        *first = false;
    }
}

void of_adapter_not_sent(const struct of_adapter *a, of_scope scope, struct of_buf *out)
{
    for (size_t i = 0; a->types[i].name; i++) {
        const struct of_type *t = &a->types[i];
        bool first = true;
        if (!of_scope_has(scope, i) || !t->cannot) {
            continue;
        }
        of_buf_str(out, out->len > 0 ? "; " : "");
        of_buf_str(out, t->name);
        of_buf_str(out, ": ");
        add_verb(t, OF_VERB_CREATE, "create", &first, out);
        add_verb(t, OF_VERB_UPDATE, "update", &first, out);
        add_verb(t, OF_VERB_DELETE, "delete", &first, out);
        of_buf_fmt(out, " (%s)", t->cannot);
    }
}

const char *of_constant_value(const struct of_type *type, const struct of_constant *c)
{
    return c->value ? c->value : type->adapter->name;
}

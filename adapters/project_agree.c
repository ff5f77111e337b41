/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/project.h"

#include <string.h>

#include "adapters/project_parts.h"

/* base after a push: two bodies are put together member by member. Where a member was sent, seen takes the answer's, agreed what
 * was sent; agreed holds only what differs from seen then. */

struct agreeing {
    const struct of_adapter *adapter;
    const struct of_type *type;
    const struct of_json *seen, *agreed, *sent, *answer;
    struct of_members s, a;
};

static const struct of_json *member(const struct of_json *body, const char *group, const char *key)
{
    return of_json_get(group ? of_json_get(body, group) : body, key);
}

/* What seen says of the member from now on; NULL: nothing. */
static const struct of_json *new_seen(const struct agreeing *g, const char *group, const char *key)
{
    const struct of_json *answer = member(g->sent, group, key) ? member(g->answer, group, key) : NULL;
    return answer ? answer : member(g->seen, group, key);
}

/* … and agreed, where that differs. */
static const struct of_json *new_agreed(const struct agreeing *g, const char *group, const char *key)
{
    const struct of_json *sent = member(g->sent, group, key);
    const struct of_json *seen = new_seen(g, group, key);
    if (!sent) {
        return member(g->agreed, group, key);
    }
    return seen && of_json_equal(sent, seen) ? NULL : sent;
}

static bool has_key(const struct of_json *body, const char *key)
{
    return of_json_get(body, key) != NULL;
}

/* Members of one object (group NULL: the body itself), in seen's order, then what was sent and is new to it. */
static void put_members(const struct agreeing *g, const char *group, const struct of_json *keys, const struct of_json *but,
                        bool agreed, struct of_members *m)
{
    if (of_json_type(keys) != OF_JSON_OBJECT) {
        return;
    }
    for (const struct of_json *k = of_json_first(keys); k; k = of_json_next(k)) {
        const char *key = of_json_key(k);
        bool whole = group || (key[0] != '_' && strcmp(key, "customFields") != 0);
        const struct of_json *node = agreed ? new_agreed(g, group, key) : new_seen(g, group, key);
        if (whole && node && !has_key(but, key)) {
            of_members_node(m, key, node);
        }
    }
}

/* A relationship that a value was sent as is no member of a body. */
static bool is_value(const struct of_type *type, const char *key)
{
    for (const struct of_relation *r = type->relations; r && r->key; r++) {
        if (strcmp(r->key, key) == 0) {
            return r->kind == OF_REL_VALUE;
        }
    }
    return false;
}

static void put_group(const struct agreeing *g, const char *group, bool agreed, struct of_members *m)
{
    const struct of_json *sources[] = {of_json_get(agreed ? g->agreed : g->seen, group), of_json_get(g->sent, group)};
    struct of_members inner = {.out = NULL};
    for (size_t i = 0; i < OF_ARRAY_LEN(sources); i++) {
        for (const struct of_json *k = of_json_type(sources[i]) == OF_JSON_OBJECT ? of_json_first(sources[i]) : NULL; k;
             k = of_json_next(k)) {
            const char *key = of_json_key(k);
            const struct of_json *node = agreed ? new_agreed(g, group, key) : new_seen(g, group, key);
            if (!node || is_value(g->type, key) || (i > 0 && has_key(sources[0], key))) {
                continue;
            }
            if (!inner.out) {
                of_members_key(m, group);
                of_members_open(&inner, m->out);
            }
            of_members_node(&inner, key, node);
        }
    }
    if (inner.out) {
        of_members_close(&inner);
    }
}

/* --- custom fields: a list by name --- */

static const struct of_json *sent_element(const struct agreeing *g, const char *name, bool *ret_sent)
{
    const struct of_json *e = of_project_element(g->sent, g->adapter->name, name);
    *ret_sent = e || of_project_has_text(of_json_get(g->sent, "_clear"), name);
    return e;
}

static bool sends_customs(const struct agreeing *g)
{
    return of_json_len(of_json_get(g->sent, "customFields")) > 0 || of_json_len(of_json_get(g->sent, "_clear")) > 0;
}

/* The element of a name in the new list: what was sent of it (agreed), or what the answer says (seen). */
static const struct of_json *new_element(const struct agreeing *g, const struct of_json *old, const char *name, bool is_value_rel,
                                         bool agreed)
{
    bool sent = false;
    const struct of_json *e = sent_element(g, name, &sent);
    if (!sent) {
        return of_project_element(old, g->adapter->name, name);
    }
    const struct of_json *answer = of_project_element(g->answer, g->adapter->name, name);
    /* a record that did not come along yet says nothing: see of_project_dropped() */
    return agreed || (is_value_rel && !answer) ? e : answer;
}

static void put_list(const struct agreeing *g, const struct of_json *old, bool agreed, struct of_buf *out)
{
    char name[OF_PROJECT_NAME_MAX];
    bool any = false;
    of_buf_char(out, '[');
    for (const struct of_field *f = g->type->fields; f->attr; f++) {
        const struct of_json *e =
            f->column ? NULL : new_element(g, old, of_project_name(g->adapter, f->attr, name), false, agreed);
        if (e) {
            of_buf_str(out, any ? "," : "");
            of_json_write(out, e);
            any = true;
        }
    }
    for (const struct of_relation *r = g->type->relations; r && r->key; r++) {
        const struct of_json *e = r->kind == OF_REL_VALUE
                                      ? new_element(g, old, of_project_name(g->adapter, r->key, name), true, agreed)
                                      : NULL;
        if (e) {
            of_buf_str(out, any ? "," : "");
            of_json_write(out, e);
            any = true;
        }
    }
    of_buf_char(out, ']');
}

static void put_customs(struct agreeing *g)
{
    const struct of_json *seen = of_json_get(g->seen, "customFields");
    const struct of_json *agreed = of_json_get(g->agreed, "customFields");
    if (!sends_customs(g)) {
        if (seen) {
            of_members_node(&g->s, "customFields", seen);
        }
        if (agreed) {
            of_members_node(&g->a, "customFields", agreed);
        }
        return;
    }
    struct of_buf theirs = OF_BUF_INIT(g->s.out->max);
    struct of_buf both = OF_BUF_INIT(g->a.out->max);
    put_list(g, g->seen, false, &theirs);
    put_list(g, agreed ? g->agreed : g->seen, true, &both);
    of_members_key(&g->s, "customFields");
    of_buf_str(g->s.out, of_buf_text(&theirs));
    if (strcmp(of_buf_text(&theirs), of_buf_text(&both)) != 0) {
        of_members_key(&g->a, "customFields");
        of_buf_str(g->a.out, of_buf_text(&both));
    }
    of_buf_done(&theirs);
    of_buf_done(&both);
}

void of_project_agree(const struct of_adapter *adapter, const struct of_type *type, const struct of_json *seen,
                      const struct of_json *agreed, const struct of_json *sent, const struct of_json *answer,
                      struct of_buf *ret_seen, struct of_buf *ret_agreed)
{
    struct agreeing g = {.adapter = adapter, .type = type, .seen = seen, .agreed = agreed, .sent = sent, .answer = answer};
    const struct of_json *sub = of_json_get(seen, "_sub");
    size_t before = ret_agreed->len;
    of_members_open(&g.s, ret_seen);
    of_members_open(&g.a, ret_agreed);
    put_members(&g, NULL, seen, NULL, false, &g.s);
    put_members(&g, NULL, sent, seen, false, &g.s);
    put_members(&g, NULL, agreed, NULL, true, &g.a);
    put_members(&g, NULL, sent, agreed, true, &g.a);
    put_customs(&g);
    put_group(&g, "_rel", false, &g.s);
    put_group(&g, "_rel", true, &g.a);
    put_group(&g, "_many", false, &g.s);
    put_group(&g, "_many", true, &g.a);
    if (sub) {
        of_members_node(&g.s, "_sub", sub);
    }
    of_members_close(&g.s);
    of_members_close(&g.a);
    if (!g.a.any && !ret_agreed->bad) {
        ret_agreed->len = before;
        ret_agreed->data[before] = '\0';
    }
}

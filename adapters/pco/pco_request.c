/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pco/pco_int.h"

#include <string.h>


static const struct {
    const char *prefix;
    const char *header;
} versions[] = {
    {"/people/", "X-PCO-API-Version: 2026-06-04"},
    {"/groups/", "X-PCO-API-Version: 2023-07-10"},
    {"/giving/", "X-PCO-API-Version: 2019-10-18"},
};

int of_pco_headers(const struct of_type *type, const char *out[], int max)
{
    const char *path = type ? type->path : "/people/"; /* mergers belong to people */
    for (size_t i = 0; i < OF_ARRAY_LEN(versions) && max > 0; i++) {
        if (strncmp(path, versions[i].prefix, strlen(versions[i].prefix)) == 0) {
            out[0] = versions[i].header;
            return 1;
        }
    }
    return 0;
}

/* False (and nothing written) if it needs a parent's id that is not given. */
bool of_pco_put_path(const char *path, const char *parent, struct of_buf *out)
{
    static const char mark[] = "{parent}";
    const char *place = strstr(path, mark);
    if (!place) {
        of_buf_str(out, path);
        return true;
    }
    if (!parent || parent[0] == '\0') {
        return false;
    }
    of_buf_mem(out, path, (size_t)(place - path));
    of_buf_url(out, parent);
    of_buf_str(out, place + strlen(mark));
    return true;
}

static void put_key(struct of_buf *out, bool *first, const char *key)
{
    of_buf_char(out, *first ? '?' : '&');
    *first = false;
    of_buf_str(out, key);
    of_buf_char(out, '=');
}

/* What the type's relations want to come along: references always (people depend on them), records if in scope. */
static void put_includes(const struct of_type *type, of_scope scope, bool *first, struct of_buf *out)
{
    bool any = false;
    for (const struct of_relation *rel = type->relations; rel && rel->key; rel++) {
        const struct of_type *target = of_type_find(type->adapter, rel->target);
        if (!rel->include || !target ||
            (rel->kind != OF_REL_VALUE && !of_scope_has(scope, of_type_index(type->adapter, target)))) {
            continue;
        }
        if (any) {
            of_buf_char(out, ',');
        } else {
            put_key(out, first, "include");
        }
        any = true;
        of_buf_str(out, rel->include);
    }
}

/* Their times have whole seconds: a fraction would cut off the second it is in. */
static void put_second(struct of_buf *out, struct of_wall at)
{
    char iso[OF_TIME_TEXT];
    int64_t us = at.us % 1000000;
    at.us -= us < 0 ? us + 1000000 : us;
    of_buf_url(out, of_time_format(at, iso));
}

static void put_order(const struct of_list_pos *pos, bool *first, struct of_buf *out)
{
    if (pos->by != OF_LIST_CREATED && pos->by != OF_LIST_UPDATED) {
        return; /* without a key they sort by id */
    }
    bool created = pos->by == OF_LIST_CREATED;
    put_key(out, first, "order");
    of_buf_str(out, pos->descending ? "-" : "");
    of_buf_str(out, created ? "created_at" : "updated_at");
    if (pos->has_from) {
        put_key(out, first, created ? "where[created_at][gte]" : "where[updated_at][gte]");
        put_second(out, pos->from);
    }
}

/* The least that a row can carry: the time it is ordered by, else any one attribute. */
static void put_sparse(const struct of_type *type, const struct of_list_pos *pos, bool *first, struct of_buf *out)
{
    of_buf_char(out, *first ? '?' : '&');
    *first = false;
    of_buf_fmt(out, "fields[%s]=%s", type->name,
               pos->by == OF_LIST_CREATED   ? "created_at"
               : pos->by == OF_LIST_UPDATED ? "updated_at"
                                            : type->fields[0].attr);
}

void of_pco_list_target(const struct of_type *type, of_scope scope, const struct of_list_pos *pos, struct of_buf *out)
{
    bool first = true;
    if (!of_pco_put_path(type->path, pos->parent, out)) {
        return;
    }
    if (type->extra) {
        of_buf_char(out, '?');
        of_buf_str(out, type->extra);
        first = false;
    }
    if (pos->ids_only) {
        put_sparse(type, pos, &first, out);
    } else {
        put_includes(type, scope, &first, out);
    }
    put_order(pos, &first, out);
    put_key(out, &first, "per_page");
    of_buf_i64(out, OF_MIN(OF_MAX(pos->per_page, 1), 100));
    if (pos->offset > 0) {
        put_key(out, &first, "offset");
        of_buf_i64(out, pos->offset);
    }
}

void of_pco_get_target(const struct of_type *type, of_scope scope, const char *id, const char *parent,
                       struct of_buf *out)
{
    bool first = true;
    if (!of_pco_put_path(type->path, parent, out)) {
        return;
    }
    of_buf_char(out, '/');
    of_buf_url(out, id);
    put_includes(type, scope, &first, out);
}

void of_pco_mergers_target(struct of_wall since, int64_t offset, struct of_buf *out)
{
    of_buf_str(out, "/people/v2/person_mergers?order=created_at&where[created_at][gte]=");
    put_second(out, since);
    of_buf_str(out, "&per_page=100");
    if (offset > 0) {
        of_buf_str(out, "&offset=");
        of_buf_i64(out, offset);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool sim_cond_prepare(enum sim_type type, struct sim_cond *c)
{
    enum sim_kind kind = c->attr == SIM_ATTR_ID ? SIM_INT : sim_types[type].attrs[c->attr].kind;

    switch (kind) {
    case SIM_INT:
        c->never = !sim_parse_i64(c->text, &c->number);
        return c->op == SIM_OP_EQ;
    case SIM_BOOL:
        c->number = !strcasecmp(c->text, "true") || !strcmp(c->text, "1");
        return c->op == SIM_OP_EQ;
    case SIM_TIME:
        c->never = !sim_parse_time(c->text, &c->number);
        return true;
    case SIM_DATE:
        c->never = !sim_parse_time(c->text, &c->number);
        return true;
    case SIM_STR:
        return c->op == SIM_OP_EQ;
    case SIM_FLOAT:
    case SIM_JSON:
        break;
    }
    return false;
}

/* Exact without case; a per cent sign at either end stands for anything. */
static bool text_matches(const char *value, const char *pattern)
{
    char v[512], p[512];
    size_t vn, pn;
    char *want = p;
    bool head = false, tail = false;

    if (!value) {
        return false;
    }
    sim_fold(value, v, sizeof v);
    sim_fold(pattern, p, sizeof p);
    pn = strlen(want);
    if (pn && want[0] == '%') {
        head = true;
        want++;
        pn--;
    }
    if (pn && want[pn - 1] == '%') {
        tail = true;
        want[--pn] = '\0';
    }
    vn = strlen(v);
    if (head && tail) {
        return strstr(v, want) != NULL;
    }
    if (head) {
        return vn >= pn && !strcmp(v + vn - pn, want);
    }
    return tail ? !strncmp(v, want, pn) : !strcmp(v, want);
}

static bool word_prefix(const char *value, const char *folded)
{
    char v[512];
    size_t n = strlen(folded);

    if (!value) {
        return false;
    }
    sim_fold(value, v, sizeof v);
    for (const char *p = v; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
        if (!strncmp(p, folded, n)) {
            return true;
        }
    }
    return false;
}

static bool search_name(const struct sim_rec *r, const char *text)
{
    static const int parts[] = {SIM_PERSON_FIRST_NAME, SIM_PERSON_LAST_NAME,
                                SIM_PERSON_MIDDLE_NAME, SIM_PERSON_GIVEN_NAME,
                                SIM_PERSON_NICKNAME};
    char words[512];
    char *save = NULL;

    sim_fold(text, words, sizeof words);
    for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        bool hit = false;

        for (size_t i = 0; i < SIM_COUNT(parts) && !hit; i++) {
            hit = word_prefix(r->vals[parts[i]].s, w);
        }
        if (!hit) {
            return false;
        }
    }
    return true;
}

static bool search_email(const struct sim_rec *r, const char *text)
{
    const struct sim_vec *list = &r->backs[SIM_B_PERSON_EMAILS];
    char pattern[512], v[512];

    sim_fold(text, pattern, sizeof pattern);
    for (uint32_t i = 0; i < list->n; i++) {
        const char *address = list->v[i]->vals[SIM_EMAIL_ADDRESS].s;

        sim_fold(address ? address : "", v, sizeof v);
        if (strstr(v, pattern)) {
            return true;
        }
    }
    return false;
}

static size_t digits_of(const char *s, char *out, size_t size)
{
    size_t n = 0;

    for (; s && *s; s++) {
        if (*s >= '0' && *s <= '9' && n + 1 < size) {
            out[n++] = *s;
        }
    }
    out[n] = '\0';
    return n;
}

static bool search_phone(const struct sim_rec *r, const char *text, bool e164)
{
    const struct sim_vec *list = &r->backs[SIM_B_PERSON_PHONES];
    char want[64], have[64];
    size_t wn = digits_of(text, want, sizeof want);

    for (uint32_t i = 0; i < list->n; i++) {
        const union sim_val *v = list->v[i]->vals;
        size_t hn = digits_of(v[SIM_PHONE_NUMBER].s, have, sizeof have);

        if (e164 ? v[SIM_PHONE_E164].s && !strcmp(v[SIM_PHONE_E164].s, text)
                 : wn > 0 && hn >= wn && !strcmp(have + hn - wn, want)) {
            return true;
        }
    }
    return false;
}

static bool virtual_matches(const struct sim_cond *c, enum sim_type type, const struct sim_rec *r)
{
    if (type == SIM_T_DATUM) {
        return r->refs[SIM_R_DATUM_DEF] && r->refs[SIM_R_DATUM_DEF]->id == c->number;
    }
    if (type == SIM_T_PERSON) {
        switch (c->attr) {
        case SIM_PERSON_K_CAMPUS_ID:
            return r->refs[SIM_R_PERSON_CAMPUS] && r->refs[SIM_R_PERSON_CAMPUS]->id == c->number;
        case SIM_PERSON_K_SEARCH_NAME:
            return search_name(r, c->text);
        case SIM_PERSON_K_SEARCH_NAME_EMAIL:
            return search_name(r, c->text) || search_email(r, c->text);
        case SIM_PERSON_K_SEARCH_ALL:
            return search_name(r, c->text) || search_email(r, c->text) ||
                   search_phone(r, c->text, false);
        case SIM_PERSON_K_SEARCH_PHONE:
            return search_phone(r, c->text, false);
        case SIM_PERSON_K_SEARCH_E164:
            return search_phone(r, c->text, true);
        default:
            break;
        }
    }
    return true; /* archive_status: below */
}

static bool compare_number(enum sim_op op, int64_t have, int64_t want)
{
    switch (op) {
    case SIM_OP_EQ:
        return have == want;
    case SIM_OP_GT:
        return have > want;
    case SIM_OP_GTE:
        return have >= want;
    case SIM_OP_LT:
        return have < want;
    case SIM_OP_LTE:
        return have <= want;
    }
    return false;
}

static bool cond_matches(const struct sim_cond *c, enum sim_type type, const struct sim_rec *r)
{
    const struct sim_attr *attr;
    int64_t date;

    if (c->never) {
        return false;
    }
    if (c->attr == SIM_ATTR_ID) {
        return r->id == c->number && !r->text_id;
    }
    attr = &sim_types[type].attrs[c->attr];
    if (attr->flags & SIM_A_VIRTUAL) {
        return virtual_matches(c, type, r);
    }
    if (sim_val_is_null(attr->kind, r->vals[c->attr])) {
        return false;
    }
    if (attr->kind == SIM_STR) {
        return text_matches(r->vals[c->attr].s, c->text);
    }
    if (attr->kind == SIM_DATE) {
        return sim_parse_time(r->vals[c->attr].s, &date) && compare_number(c->op, date, c->number);
    }
    return compare_number(c->op, r->vals[c->attr].i, c->number);
}

/* What a list leaves out unless it is asked for. */
static bool default_scope(const struct sim_query *q, const struct sim_rec *r)
{
    const char *status = NULL;

    if (q->type == SIM_T_DEF) {
        return r->vals[SIM_DEF_DELETED_AT].i == SIM_NULL_INT ||
               (q->filter && (!strcmp(q->filter, "include_deleted") ||
                              !strcmp(q->filter, "with_deleted")));
    }
    if (q->type != SIM_T_GROUP) {
        return true;
    }
    for (int i = 0; i < q->cond_count; i++) {
        if (q->conds[i].attr == SIM_GROUP_K_ARCHIVE_STATUS) {
            status = q->conds[i].text;
        }
    }
    if (status && !strcmp(status, "include")) {
        return true;
    }
    return (r->vals[SIM_GROUP_ARCHIVED_AT].i != SIM_NULL_INT) ==
           (status && !strcmp(status, "only"));
}

static bool person_filter(const struct sim_query *q, const struct sim_rec *r)
{
    const char *time = sim_params_get(q->params, "time");
    int64_t since = sim_wall_s() - 86400;

    if (!strcmp(q->filter, "created_since")) {
        if (time && !sim_parse_time(time, &since)) {
            return false;
        }
        return r->vals[SIM_PERSON_CREATED_AT].i >= since;
    }
    if (!strcmp(q->filter, "admins") || !strcmp(q->filter, "organization_admins")) {
        return r->vals[SIM_PERSON_SITE_ADMIN].i == 1;
    }
    if (!strcmp(q->filter, "non_pending") && q->parent && q->parent->type == SIM_T_HOUSEHOLD) {
        const struct sim_vec *list = &r->backs[SIM_B_PERSON_HHM];

        for (uint32_t i = 0; i < list->n; i++) {
            if (list->v[i]->refs[SIM_R_HHM_HOUSEHOLD] == q->parent) {
                return list->v[i]->vals[SIM_HHM_PENDING].i != 1;
            }
        }
    }
    return true;
}

static bool filter_matches(const struct sim_query *q, const struct sim_rec *r)
{
    if (!q->filter) {
        return true;
    }
    switch (q->type) {
    case SIM_T_PERSON:
        return person_filter(q, r);
    case SIM_T_BATCH:
        return (strcmp(q->filter, "in_progress") && strcmp(q->filter, "committed")) ||
               !strcmp(r->vals[SIM_BATCH_STATUS].s, q->filter);
    case SIM_T_DONATION:
        return strcmp(q->filter, "succeeded") ||
               !strcmp(r->vals[SIM_DONATION_STATUS].s, "succeeded");
    case SIM_T_TAB:
        return strcmp(q->filter, "with_field_definitions") || r->backs[SIM_B_TAB_DEFS].n > 0;
    case SIM_T_GTYPE:
        return (strcmp(q->filter, "church_center_visible") || r->vals[SIM_GTYPE_VISIBLE].i == 1) &&
               (strcmp(q->filter, "not_church_center_visible") ||
                r->vals[SIM_GTYPE_VISIBLE].i == 0);
    case SIM_T_GROUP:
        return strcmp(q->filter, "group_type") || r->refs[SIM_R_GROUP_TYPE];
    default:
        return true;
    }
}

bool sim_query_matches(const struct sim_query *q, const struct sim_rec *rec)
{
    for (int i = 0; i < q->cond_count; i++) {
        if (!cond_matches(&q->conds[i], q->type, rec)) {
            return false;
        }
    }
    return default_scope(q, rec) && filter_matches(q, rec);
}

static const char *text_key(enum sim_type type, int attr, const struct sim_rec *r)
{
    const struct sim_rec *person;

    if (!(sim_types[type].attrs[attr].flags & SIM_A_VIRTUAL)) {
        return r->vals[attr].s;
    }
    if (type != SIM_T_MEMBER) {
        return NULL;
    }
    person = r->refs[SIM_R_MEMBER_PERSON];
    return person ? person->vals[attr == SIM_MEMBER_K_FIRST_NAME ? SIM_PERSON_FIRST_NAME
                                                                 : SIM_PERSON_LAST_NAME].s
                  : NULL;
}

static int compare_text(const char *a, const char *b)
{
    char x[256], y[256];

    if (!a || !b) {
        return (a != NULL) - (b != NULL);
    }
    sim_fold(a, x, sizeof x);
    sim_fold(b, y, sizeof y);
    return strcmp(x, y);
}

static int compare_attr(enum sim_type type, int attr, const struct sim_rec *x,
                        const struct sim_rec *y)
{
    const struct sim_attr *a = &sim_types[type].attrs[attr];
    int64_t i, j;

    if (a->kind == SIM_STR || a->kind == SIM_DATE || a->kind == SIM_JSON) {
        return compare_text(text_key(type, attr, x), text_key(type, attr, y));
    }
    if (a->kind == SIM_FLOAT || (a->flags & SIM_A_VIRTUAL)) {
        return 0;
    }
    i = x->vals[attr].i; /* null is the lowest number, so nulls come first */
    j = y->vals[attr].i;
    return i < j ? -1 : i > j;
}

static int compare_records(const void *a, const void *b, void *arg)
{
    const struct sim_rec *x = *(struct sim_rec *const *)a;
    const struct sim_rec *y = *(struct sim_rec *const *)b;
    const struct sim_query *q = arg;

    for (int i = 0; i < q->order_count; i++) {
        int c = compare_attr(q->type, q->orders[i].attr, x, y);

        if (c) {
            return q->orders[i].desc ? -c : c;
        }
    }
    return x->id < y->id ? -1 : x->id > y->id;
}

void sim_query_sort(const struct sim_query *q, struct sim_vec *list)
{
    struct sim_query copy = *q;

    if (list->n > 1) {
        qsort_r(list->v, list->n, sizeof(struct sim_rec *), compare_records, &copy);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* JSON into typed values, as Planning Center takes them: what cannot be read is silently null. */
#include "write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    unsigned bit;
} respellings[] = {{"phone", SIM_RESPELL_PHONE},
                   {"email", SIM_RESPELL_EMAIL},
                   {"state", SIM_RESPELL_STATE},
                   {"name", SIM_RESPELL_NAME},
                   {"blank", SIM_RESPELL_BLANK}};

bool sim_respell_parse(const char *words, unsigned *ret)
{
    *ret = 0;
    while (*words) {
        size_t len = strcspn(words, ",");
        unsigned bit = 0;

        for (size_t i = 0; i < SIM_COUNT(respellings); i++) {
            if (strlen(respellings[i].word) == len && !strncmp(words, respellings[i].word, len)) {
                bit = respellings[i].bit;
            }
        }
        if (!bit) {
            return false;
        }
        *ret |= bit;
        words += len;
        words += *words == ',';
    }
    return true;
}

static const char *trimmed(struct sim_org *org, const char *s)
{
    size_t n;
    char *out;

    s += strspn(s, " \t\r\n");
    n = strlen(s);
    while (n && strchr(" \t\r\n", s[n - 1])) {
        n--;
    }
    out = sim_arena_alloc(&org->arena, n + 1);
    memcpy(out, s, n);
    return out;
}

/* A day that exists, as YYYY-MM-DD, else null. */
static const char *read_date(struct sim_org *org, const char *s)
{
    int64_t t;
    char back[16];

    if (!sim_parse_time(s, &t)) {
        return NULL;
    }
    sim_format_date(t, back);
    if (strlen(s) == 10 && strcmp(s, back) != 0) {
        return NULL; /* the 31st of February */
    }
    return sim_arena_str(&org->arena, back);
}

static int64_t read_int(const cJSON *v, bool lenient)
{
    int64_t n;
    char *end = NULL;

    if (cJSON_IsNumber(v)) {
        return (int64_t)v->valuedouble;
    }
    if (cJSON_IsBool(v)) {
        return cJSON_IsTrue(v);
    }
    if (lenient) { /* 12ab is 12, and no digits are 0 */
        n = strtoll(v->valuestring, &end, 10);
        return n;
    }
    return sim_parse_i64(v->valuestring, &n) ? n : SIM_NULL_INT;
}

static int64_t read_bool(const cJSON *v)
{
    if (cJSON_IsString(v)) {
        const char *s = v->valuestring;

        return *s == '\0' ? SIM_NULL_INT
                          : strcmp(s, "false") != 0 && strcmp(s, "0") != 0 && strcmp(s, "f") != 0 &&
                                strcmp(s, "no") != 0 && strcmp(s, "off") != 0;
    }
    return cJSON_IsNumber(v) ? v->valuedouble != 0 : cJSON_IsTrue(v);
}

static const char *read_text(struct sim_org *org, const cJSON *v)
{
    if (cJSON_IsBool(v)) {
        return cJSON_IsTrue(v) ? "true" : "false";
    }
    if (cJSON_IsNumber(v)) {
        return v->valuedouble == floor(v->valuedouble) && fabs(v->valuedouble) < 1e15
                   ? sim_arena_fmt(&org->arena, "%lld", (long long)v->valuedouble)
                   : sim_arena_fmt(&org->arena, "%.15g", v->valuedouble);
    }
    return trimmed(org, v->valuestring);
}

static void set_null(enum sim_kind kind, union sim_val *ret)
{
    if (kind == SIM_STR || kind == SIM_DATE || kind == SIM_JSON) {
        ret->s = NULL;
    } else if (kind == SIM_FLOAT) {
        ret->f = (double)NAN;
    } else {
        ret->i = SIM_NULL_INT;
    }
}

bool sim_write_value(struct sim_org *org, enum sim_type type, int attr, const cJSON *value, union sim_val *ret)
{
    enum sim_kind kind = sim_types[type].attrs[attr].kind;
    char *end = NULL;

    set_null(kind, ret);
    if (cJSON_IsNull(value)) {
        return true;
    }
    if (cJSON_IsArray(value) || cJSON_IsObject(value)) {
        return false;
    }
    switch (kind) {
    case SIM_STR:
        ret->s = read_text(org, value);
        break;
    case SIM_DATE:
        ret->s = cJSON_IsString(value) ? read_date(org, value->valuestring) : NULL;
        break;
    case SIM_INT:
        ret->i = read_int(value, type == SIM_T_PERSON && attr == SIM_PERSON_REMOTE_ID);
        break;
    case SIM_BOOL:
        ret->i = read_bool(value);
        break;
    case SIM_TIME:
        if (cJSON_IsString(value) && !sim_parse_time(value->valuestring, &ret->i)) {
            ret->i = SIM_NULL_INT;
        }
        break;
    case SIM_FLOAT:
        ret->f = cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
        if (cJSON_IsString(value)) {
            ret->f = strtod(value->valuestring, &end);
            ret->f = *end || end == value->valuestring ? (double)NAN : ret->f;
        }
        break;
    case SIM_JSON:
        return false;
    }
    return true;
}

bool sim_val_equal(enum sim_kind kind, union sim_val a, union sim_val b)
{
    if (sim_val_is_null(kind, a) || sim_val_is_null(kind, b)) {
        return sim_val_is_null(kind, a) && sim_val_is_null(kind, b);
    }
    if (kind == SIM_STR || kind == SIM_DATE || kind == SIM_JSON) {
        return !strcmp(a.s, b.s);
    }
    return kind == SIM_FLOAT ? a.f >= b.f && a.f <= b.f : a.i == b.i;
}

enum letter { LOWER, UPPER, FIRST_UPPER };

static void change_case(struct sim_org *org, union sim_val *v, enum letter what)
{
    char *copy;

    if (!v->s) {
        return;
    }
    copy = sim_arena_str(&org->arena, v->s);
    for (size_t i = 0; copy[i]; i++) {
        bool first = i == 0 || copy[i - 1] == ' ' || copy[i - 1] == '-';

        if (what == LOWER && copy[i] >= 'A' && copy[i] <= 'Z') {
            copy[i] = (char)(copy[i] + 32);
        } else if ((what == UPPER || (what == FIRST_UPPER && first)) && copy[i] >= 'a' && copy[i] <= 'z') {
            copy[i] = (char)(copy[i] - 32);
        }
    }
    v->s = copy;
}

void sim_write_respell(struct sim_write *w)
{
    struct sim_org *org = w->c.org;
    enum sim_type type = w->how->type;
    const struct sim_type_def *def = &sim_types[type];
    union sim_val *v = w->vals;

    for (int i = 0; (org->respell & SIM_RESPELL_BLANK) && i < def->value_count; i++) {
        if (w->given[i] && def->attrs[i].kind == SIM_STR && v[i].s && !*v[i].s) {
            v[i].s = NULL;
        }
    }
    if (type == SIM_T_EMAIL && (org->respell & SIM_RESPELL_EMAIL) && w->given[SIM_EMAIL_ADDRESS]) {
        change_case(org, &v[SIM_EMAIL_ADDRESS], LOWER);
    }
    if (type == SIM_T_ADDRESS && (org->respell & SIM_RESPELL_STATE) && w->given[SIM_ADDRESS_STATE]) {
        change_case(org, &v[SIM_ADDRESS_STATE], UPPER);
    }
    for (int i = 0; type == SIM_T_PERSON && (org->respell & SIM_RESPELL_NAME) && i < def->value_count; i++) {
        if (w->given[i] && (i == SIM_PERSON_FIRST_NAME || i == SIM_PERSON_LAST_NAME)) {
            change_case(org, &v[i], FIRST_UPPER);
        }
    }
    if (type == SIM_T_PHONE && w->given[SIM_PHONE_NUMBER]) {
        sim_phone_derive(org, v);
        if ((org->respell & SIM_RESPELL_PHONE) && v[SIM_PHONE_NATIONAL].s) {
            v[SIM_PHONE_NUMBER].s = v[SIM_PHONE_FORMATTED].s = v[SIM_PHONE_NATIONAL].s;
        }
    }
}

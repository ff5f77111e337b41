/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes as no server should send them. */
#include "render.h"

#include <stdlib.h>
#include <string.h>

/* The attribute that is spoilt: the one that was named, else the first text. */
static int victim(const struct sim_rec *rec, const struct sim_broken *broken)
{
    const struct sim_type_def *def = &sim_types[rec->type];
    int named = broken->arg && *broken->arg ? sim_attr_by_name(def, broken->arg) : -1;

    if (named >= 0 && named < def->value_count) {
        return named;
    }
    for (int i = 0; i < def->value_count; i++) {
        if (def->attrs[i].kind == SIM_STR && rec->vals[i].s) {
            return i;
        }
    }
    return 0;
}

static void put_wrong_type(enum sim_kind kind, struct sim_buf *out)
{
    switch (kind) {
    case SIM_STR:
        SIM_LIT(out, "12345");
        break;
    case SIM_INT:
    case SIM_FLOAT:
        SIM_LIT(out, "\"not a number\"");
        break;
    case SIM_BOOL:
        SIM_LIT(out, "\"yes\"");
        break;
    case SIM_DATE:
    case SIM_TIME:
        SIM_LIT(out, "{\"seconds\":1}");
        break;
    case SIM_JSON:
        SIM_LIT(out, "[7]");
        break;
    }
}

static void put_spoilt(const struct sim_rec *rec, int attr, const struct sim_broken *broken,
                       struct sim_buf *out)
{
    static const char chunk[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    int64_t n = 5000;

    switch (broken->kind) {
    case SIM_FAULT_BAD_TYPES:
        put_wrong_type(sim_types[rec->type].attrs[attr].kind, out);
        break;
    case SIM_FAULT_BAD_UTF8:
        SIM_LIT(out, "\"bad \xff\xfe \xc3( \xed\xa0\x80 \xf4\x90\x80\x80\"");
        break;
    case SIM_FAULT_NUL_CHAR:
        SIM_LIT(out, "\"before\\u0000after\"");
        break;
    case SIM_FAULT_HUGE_STRING:
        sim_buf_char(out, '"');
        for (int i = 0; i < 16384; i++) {
            sim_buf_put(out, chunk, 64);
        }
        sim_buf_char(out, '"');
        break;
    case SIM_FAULT_DEEP_NESTING:
        if (broken->arg && !sim_parse_i64(broken->arg, &n)) {
            n = 5000;
        }
        for (int64_t i = 0; i < n; i++) {
            sim_buf_char(out, '[');
        }
        for (int64_t i = 0; i < n; i++) {
            sim_buf_char(out, ']');
        }
        break;
    default:
        sim_render_value(rec, attr, out);
        break;
    }
}

void sim_render_broken_attributes(const struct sim_rec *rec, const struct sim_broken *broken,
                                  struct sim_buf *out)
{
    const struct sim_type_def *def = &sim_types[rec->type];
    int bad = victim(rec, broken);
    bool first = true;

    if (broken->kind == SIM_FAULT_MISSING_ATTRIBUTES) {
        SIM_LIT(out, "\"no_attributes\":true");
        return;
    }
    SIM_LIT(out, "\"attributes\":{");
    for (int i = 0; i < def->value_count; i++) {
        if (def->attrs[i].flags & SIM_A_HIDDEN) {
            continue;
        }
        sim_buf_fmt(out, "%s\"%s\":", first ? "" : ",", def->attrs[i].name);
        first = false;
        if (i == bad) {
            put_spoilt(rec, i, broken, out);
        } else {
            sim_render_value(rec, i, out);
        }
        if (i == bad && broken->kind == SIM_FAULT_DUP_KEYS) {
            sim_buf_fmt(out, ",\"%s\":\"the other value\"", def->attrs[i].name);
        }
    }
    sim_buf_char(out, '}');
}

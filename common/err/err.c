/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct code_row {
    const char *name;
    enum of_class cls;
    const char *text;
};

static const struct code_row codes[] = {
    [OF_OK] = {"OK", OF_CLASS_NONE, "ok"},
#define X(code_name, class_name, words) [OF_E_##code_name] = {#code_name, OF_CLASS_##class_name, words},
    OF_CODE_MAP(X)
#undef X
};

static const char *const classes[] = {
    [OF_CLASS_NONE] = "none",           [OF_CLASS_RETRY] = "retry",       [OF_CLASS_RECONNECT] = "reconnect",
    [OF_CLASS_PERMANENT] = "permanent", [OF_CLASS_SYSTEMIC] = "systemic", [OF_CLASS_FENCED] = "fenced",
    [OF_CLASS_STOP] = "stop",           [OF_CLASS_FATAL] = "fatal",
};

static const struct code_row *row(enum of_code code)
{
    OF_BUG_ON((size_t)code >= OF_ARRAY_LEN(codes));
    return &codes[code];
}

const char *of_code_name(enum of_code code)
{
    return row(code)->name;
}

const char *of_code_text(enum of_code code)
{
    return row(code)->text;
}

enum of_class of_code_class(enum of_code code)
{
    return row(code)->cls;
}

const char *of_class_name(enum of_class cls)
{
    OF_BUG_ON((size_t)cls >= OF_ARRAY_LEN(classes));
    return classes[cls];
}

void of_err_clear(struct of_err *err)
{
    if (err) {
        *err = OF_ERR_INIT;
    }
}

/* A cut in the middle of a character would make the text invalid for JSON and for Postgres. */
static void drop_half_character(char *s)
{
    size_t len = strlen(s);
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)s[len - back];
        if (c < 0x80) {
            return;
        }
        if (c >= 0xc0) {
            if (of_utf8_step(s + len - back, back) != back) {
                s[len - back] = '\0';
            }
            return;
        }
    }
}

OF_PRINTF(3, 0) static void format_msg(char *msg, size_t size, const char *fmt, va_list args)
{
    int len = vsnprintf(msg, size, fmt, args);
    if (len < 0) {
        msg[0] = '\0';
    } else if ((size_t)len >= size) {
        drop_half_character(msg);
    }
}

enum of_code of_err_set(struct of_err *err, enum of_code code, const char *fmt, ...)
{
    if (!err) {
        return code;
    }
    struct of_err fresh = {.code = code, .cls = of_code_class(code)};
    va_list args;
    va_start(args, fmt);
    format_msg(fresh.msg, sizeof(fresh.msg), fmt, args); /* the arguments may point into *err */
    va_end(args);
    *err = fresh;
    return code;
}

enum of_code of_err_wrap(struct of_err *err, const char *fmt, ...)
{
    OF_BUG_ON(!err);
    char words[sizeof(err->msg)];
    va_list args;
    va_start(args, fmt);
    format_msg(words, sizeof(words), fmt, args);
    va_end(args);
    char whole[2 * sizeof(err->msg) + 2];
    (void)snprintf(whole, sizeof(whole), "%s: %s", words, err->msg);
    if (!of_strcopy(err->msg, sizeof(err->msg), whole)) {
        drop_half_character(err->msg);
    }
    return err->code;
}

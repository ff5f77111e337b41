/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/ctl.h"

#include "common/time/time.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct of_table {
    int n_columns;
    size_t n_cells, cap;
    char **cells; /* headers first */
};

/* What a terminal would obey is not printed: ids come from outside. */
static char *clean(const char *text)
{
    char *copy = of_strdup(text);
    for (char *p = copy; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
    return copy;
}

static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xC0U) != 0x80U;
    }
    return n;
}

struct of_table *of_table_new(const char *const *headers)
{
    struct of_table *table = of_calloc(1, sizeof *table);
    while (headers[table->n_columns] != NULL) {
        of_table_cell(table, headers[table->n_columns]);
        table->n_columns++;
    }
    return table;
}

void of_table_free(struct of_table *table)
{
    if (table != NULL) {
        for (size_t i = 0; i < table->n_cells; i++) {
            free(table->cells[i]);
        }
        free(table->cells);
        free(table);
    }
}

void of_table_cell(struct of_table *table, const char *text)
{
    if (table->n_cells == table->cap) {
        table->cap = table->cap * 2 + 64;
        table->cells = of_reallocarray(table->cells, table->cap, sizeof *table->cells);
    }
    table->cells[table->n_cells++] = clean(text != NULL && text[0] != '\0' ? text : "-");
}

void of_table_cell_i64(struct of_table *table, int64_t v)
{
    char buf[32];
    snprintf(buf, sizeof buf, "%lld", (long long)v);
    of_table_cell(table, buf);
}

void of_table_write(const struct of_table *table, const char *indent, struct of_buf *out)
{
    size_t columns = (size_t)table->n_columns;
    size_t *widths = of_calloc(columns, sizeof *widths);
    for (size_t i = 0; i < table->n_cells; i++) {
        widths[i % columns] = OF_MAX(widths[i % columns], width_of(table->cells[i]));
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t column = i % columns;
        of_buf_str(out, column == 0 ? indent : "  ");
        of_buf_str(out, table->cells[i]);
        if (column + 1 == columns) {
            of_buf_char(out, '\n');
            continue;
        }
        for (size_t pad = width_of(table->cells[i]); pad < widths[column]; pad++) {
            of_buf_char(out, ' ');
        }
    }
    free(widths);
}

void of_ctl_json_text(struct of_buf *b, const char *key, const char *text)
{
    of_buf_json_str(b, key);
    of_buf_char(b, ':');
    of_buf_json_str(b, text);
    of_buf_char(b, ',');
}

void of_ctl_json_i64(struct of_buf *b, const char *key, int64_t v)
{
    of_buf_json_str(b, key);
    of_buf_char(b, ':');
    of_buf_i64(b, v);
    of_buf_char(b, ',');
}

void of_ctl_json_bool(struct of_buf *b, const char *key, bool v)
{
    of_buf_json_str(b, key);
    of_buf_str(b, v ? ":true," : ":false,");
}

void of_ctl_json_end(struct of_buf *b, char close)
{
    if (b->len > 0 && !b->bad && b->data[b->len - 1] == ',') {
        b->data[--b->len] = '\0';
    }
    of_buf_char(b, close);
}

const char *of_ctl_age(int64_t us, char buf[32])
{
    int64_t s = (of_wall_now().us - us) / 1000000;
    if (us == 0) {
        snprintf(buf, 32, "-");
    } else if (s < 120) {
        snprintf(buf, 32, "%lld s", (long long)OF_MAX(s, 0));
    } else if (s < 7200) {
        snprintf(buf, 32, "%lld min", (long long)(s / 60));
    } else if (s < 172800) {
        snprintf(buf, 32, "%lld h", (long long)(s / 3600));
    } else {
        snprintf(buf, 32, "%lld d", (long long)(s / 86400));
    }
    return buf;
}

void of_ctl_say(struct of_buf *out, const char *fmt, ...)
{
    char line[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    OF_CLEANUP(of_freep) char *cleaned = clean(line);
    of_buf_str(out, cleaned);
    of_buf_char(out, '\n');
}

void of_ctl_flush(struct of_ctl *ctl)
{
    fwrite(of_buf_text(&ctl->out), 1, ctl->out.len, stdout);
    fflush(stdout);
    of_buf_clear(&ctl->out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/conf/conf.h"

#include "common/conf/conf_int.h"

#include <inttypes.h>

static const struct {
    enum of_program program;
    const char *name;
} programs[] = {
    {OF_PROG_WORKER, "worker"}, {OF_PROG_SCHEDULER, "scheduler"}, {OF_PROG_CTL, "ctl"},
    {OF_PROG_CDC, "cdc"},       {OF_PROG_GATEWAY, "gateway"},
};

void of_conf_help(enum of_program program, struct of_buf *b)
{
    for (size_t i = 0; i < of_conf_n_items; i++) {
        const struct of_conf_item *item = &of_conf_items[i];
        if (!(item->programs & (unsigned int)program)) {
            continue;
        }
        bool required = (item->required & (unsigned int)program) != 0;
        of_buf_fmt(b, "  %-22s %-12s %s\n", item->name, required ? "(required)" : item->fallback ? item->fallback : "-",
                   item->help);
    }
}

static void write_programs(struct of_buf *b, unsigned int mask)
{
    const char *comma = "";
    for (size_t i = 0; i < OF_ARRAY_LEN(programs); i++) {
        if (mask & (unsigned int)programs[i].program) {
            of_buf_str(b, comma);
            of_buf_str(b, programs[i].name);
            comma = ", ";
        }
    }
}

static void write_values(struct of_buf *b, const struct of_conf_item *item)
{
    if (item->kind == OF_CONF_LEVEL) {
        of_buf_str(b, "debug, info, warn, error");
    } else if (item->kind == OF_CONF_INT) {
        of_buf_fmt(b, "%" PRId64 " to %" PRId64 "%s", item->min, item->max,
                   item->flags & OF_CONF_NOT_ZERO ? ", not 0" : "");
    } else if (item->flags & OF_CONF_ADDRESS) {
        of_buf_str(b, "IP address");
    } else {
        of_buf_str(b, item->flags & OF_CONF_SECRET ? "text, secret" : "text");
    }
}

static void write_row(struct of_buf *b, const struct of_conf_item *item)
{
    of_buf_fmt(b, "| `%s` | %s | ", item->name, item->help);
    if (item->fallback) {
        of_buf_fmt(b, "`%s`", item->fallback);
    } else if (item->required) {
        of_buf_str(b, "required by ");
        write_programs(b, item->required);
    }
    of_buf_str(b, " | ");
    write_values(b, item);
    of_buf_str(b, " | ");
    write_programs(b, item->programs);
    of_buf_str(b, " |\n");
}

void of_conf_markdown(struct of_buf *b)
{
    of_buf_str(b, "<!-- Made from common/conf/conf_table.c: build/dev/bin/conf-doc > docs/configuration.md -->\n"
                  "# Configuration\n\n"
                  "Settings are environment variables. Each can also come from a file: `NAME_FILE` holds the path, the\n"
                  "file the value (a newline at its end is ignored); that is the way for secrets. `NAME` and\n"
                  "`NAME_FILE` together are a mistake; an empty variable counts as not set. A variable `OF_...` that\n"
                  "is not in this list is a mistake too (except `OF_FAILPOINTS`, `OF_BUILD`, `OF_TEST_...`,\n"
                  "`OF_CTL_...`). A program with mistakes in its settings tells all of them and exits with 78; values\n"
                  "are never printed. Each program reads all settings, so one environment may serve all programs; it\n"
                  "demands only its own.\n\n"
                  "Names end with their unit: `_MS` milliseconds, `_BYTES` bytes.\n\n"
                  "| name | meaning | default | values | used by |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < of_conf_n_items; i++) {
        write_row(b, &of_conf_items[i]);
    }
}

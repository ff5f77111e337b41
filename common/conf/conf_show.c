/* SPDX-License-Identifier: Apache-2.0 */
#include "common/conf/conf.h"

#include "common/conf/conf_int.h"

#include <stdio.h>

static void write_value(const struct of_conf *conf, const struct of_conf_item *item, char *buf, size_t size)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const char *place = (const char *)conf + item->offset;
    if (item->kind == OF_CONF_INT) {
        snprintf(buf, size, "%lld", (long long)*(const int64_t *)(const void *)place);
    } else if (item->kind == OF_CONF_LEVEL) {
        of_strcopy(buf, size, levels[*(const enum of_log_level *)(const void *)place]);
    } else {
        const char *text = *(const char *const *)(const void *)place;
        of_strcopy(buf, size, text == NULL ? "" : (item->flags & OF_CONF_SECRET) != 0 ? "***" : text);
    }
}

void of_conf_show(const struct of_conf *conf, enum of_program program, bool json, struct of_buf *b)
{
    const char *before = "{";
    for (size_t i = 0; i < of_conf_n_items; i++) {
        const struct of_conf_item *item = &of_conf_items[i];
        char value[1024];
        if ((item->programs & (unsigned int)program) == 0) {
            continue;
        }
        write_value(conf, item, value, sizeof value);
        if (json) {
            of_buf_str(b, before);
            of_buf_json_str(b, item->name);
            of_buf_char(b, ':');
            of_buf_json_str(b, value);
            before = ",";
        } else {
            of_buf_fmt(b, "%s=%s\n", item->name, value);
        }
    }
    if (json) {
        of_buf_str(b, "}\n");
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_LOG_H
#define OF_LOG_H

/* JSON lines on stderr: ts, level, proc, pid, event, msg and typed pairs whose keys stand in keys.def.
 * Processes log; common and adapters return errors instead. Any thread; one write(2) per line. No personal data.
 * A line has at most 4 KiB (a pair that does not fit is left out and "cut":1 says so), a value 1 KiB. More than 20 lines of
 * one (level, event) within a second are kept back and counted in "suppressed". An unknown key aborts where failpoints are
 * compiled in, and is left out elsewhere. */

#include "common/base/base.h"
#include "common/err/err.h"

enum of_log_level { OF_LOG_DEBUG = 0, OF_LOG_INFO, OF_LOG_WARN, OF_LOG_ERROR };

struct of_kv {
    const char *key; /* NULL ends the list */
    enum { OF_KV_TEXT, OF_KV_INT } kind;
    const char *s;
    int64_t i;
};

#define OF_S(k, v) ((struct of_kv){.key = (k), .kind = OF_KV_TEXT, .s = (v)})
#define OF_I(k, v) ((struct of_kv){.key = (k), .kind = OF_KV_INT, .i = (int64_t)(v)})

/* Before threads start. proc is copied. Without it the name is "openfaith" and the level info. */
void of_log_init(const char *proc, enum of_log_level level);
void of_log_set_level(enum of_log_level level);
bool of_log_enabled(enum of_log_level level);
bool of_log_level_parse(const char *s, enum of_log_level *ret);
void of_log_write(enum of_log_level level, const char *event, const char *msg, const struct of_kv *kv);

/* of_log(OF_LOG_INFO, "worker.started", "worker started", OF_S("org_id", org), OF_I("partition", 3)); */
#define of_log(level, event, msg, ...)                                                                                 \
    do {                                                                                                               \
        if (of_log_enabled(level)) {                                                                                   \
            const struct of_kv of_log_kv_[] = {__VA_ARGS__ __VA_OPT__(, ) {.key = NULL}};                              \
            of_log_write(level, event, msg, of_log_kv_);                                                               \
        }                                                                                                              \
    } while (0)
/* kv may be NULL. Adds err_code, err_class, sqlstate, http_status and err (the words) of an error. */
void of_log_err(enum of_log_level level, const char *event, const char *msg, const struct of_err *err,
                const struct of_kv *kv);
/* Stands in keys.def. */
bool of_log_key_known(const char *key);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CTL_H
#define OF_CTL_H

/* openfaithctl: one command per process. A command gets its arguments checked, what it needs opened, and returns an error
 * code; main.c says the error and turns it into an exit code. Results go to stdout, everything else to stderr. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/conf/conf.h"
#include "common/crypto/crypto.h"
#include "common/err/err.h"
#include "common/pg/pg.h"

#define OF_CTL_OUT_MAX ((size_t)64 * 1024 * 1024)

enum {
    OF_CTL_OPT_JSON = 1U << 0,
    OF_CTL_OPT_MODE = 1U << 1,
    OF_CTL_OPT_CREDENTIALS = 1U << 2,
    OF_CTL_OPT_BASE_URL = 1U << 3,
    OF_CTL_OPT_TYPES = 1U << 4,
    OF_CTL_OPT_RATE = 1U << 5,
    OF_CTL_OPT_STRATEGY = 1U << 6,
    OF_CTL_OPT_TIMEOUT = 1U << 7,
    OF_CTL_OPT_RESTART = 1U << 8,
    OF_CTL_OPT_LIMIT = 1U << 9,
    OF_CTL_OPT_ORG = 1U << 10,
    OF_CTL_OPT_ADAPTER = 1U << 11,
    OF_CTL_OPT_TYPE = 1U << 12,
    OF_CTL_OPT_RECORD = 1U << 13,
    OF_CTL_OPT_CAUSE = 1U << 14,
    OF_CTL_OPT_SINCE = 1U << 15,
    OF_CTL_OPT_REASON = 1U << 16,
    OF_CTL_OPT_TAKE = 1U << 17,
    OF_CTL_OPT_DELETE_THERE = 1U << 18,
    OF_CTL_OPT_PUSH_FIRST = 1U << 19,
    OF_CTL_OPT_DRY_RUN = 1U << 20,
    OF_CTL_OPT_UNMASK = 1U << 21,
    OF_CTL_OPT_PACE = 1U << 22,
    OF_CTL_OPT_POLL = 1U << 23,
};

enum { OF_CTL_WORDS_MAX = 256 };
enum { OF_CTL_NEED_NOTHING = 0, OF_CTL_NEED_CONF = 1, OF_CTL_NEED_DB = 3 /* and a fitting schema */ };

struct of_ctl {
    const struct of_conf *conf;
    struct of_pg *db;
    struct of_buf out; /* printed at the end */
    /* arguments; texts borrowed from argv, NULL where not given */
    const char *words[OF_CTL_WORDS_MAX];
    int n_words;
    bool json, restart, help, dry_run, unmask;
    const char *mode, *credentials, *base_url, *types, *rate, *strategy, *timeout, *limit;
    const char *org, *adapter, *type, *record, *cause, *since, *reason, *take, *delete_there, *push_first_link, *poll;
};

struct of_ctl_command {
    const char *name;  /* "keys new" */
    const char *usage; /* "ORG ADAPTER --mode ..." */
    int min_words, max_words;
    unsigned options;
    int needs;
    enum of_code (*run)(struct of_ctl *ctl, struct of_err *err);
    const char *summary;
    const char *help;
};

/* --- print.c --- */
struct of_table;
/* Ends with NULL. */
struct of_table *of_table_new(const char *const *headers);
void of_table_free(struct of_table *table);
OF_DEFINE_CLEANUP(struct of_table, of_table_free, of_table_freep)
/* The next cell, row by row; NULL is shown as "-". Copied; control characters become '?'. */
void of_table_cell(struct of_table *table, const char *text);
void of_table_cell_i64(struct of_table *table, int64_t v);
void of_table_write(const struct of_table *table, const char *indent, struct of_buf *out);
/* `"key":value,` members; of_ctl_json_end() removes the last comma and writes the closing character. */
void of_ctl_json_text(struct of_buf *b, const char *key, const char *text); /* NULL: null */
void of_ctl_json_i64(struct of_buf *b, const char *key, int64_t v);
void of_ctl_json_bool(struct of_buf *b, const char *key, bool v);
void of_ctl_json_end(struct of_buf *b, char close);
/* "3 min", "2 h": how long ago a moment (microseconds since 1970) is. */
const char *of_ctl_age(int64_t us, char buf[32]);
void of_ctl_say(struct of_buf *out, const char *fmt, ...) OF_PRINTF(2, 3);
/* Writes what stands in ctl->out to stdout and empties it. */
void of_ctl_flush(struct of_ctl *ctl);

/* --- commands --- */
enum of_code of_ctl_migrate(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_keys_new(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_keys_rotate(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_config_show(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_connect(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_set(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_pause(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_resume(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_disconnect(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_poll(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_reconcile(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_sync(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_status(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_watch(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_settle(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_work_list(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_work_retry(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_work_release(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_dlq_stats(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_dlq_list(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_dlq_show(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_dlq_export(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_dlq_replay(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_dlq_discard(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_explain(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_review_list(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_review_show(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_review_accept(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_review_reject(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_push(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_link(struct of_ctl *ctl, struct of_err *err);
enum of_code of_ctl_unlink(struct of_ctl *ctl, struct of_err *err);

#endif

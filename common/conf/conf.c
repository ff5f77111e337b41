/* SPDX-License-Identifier: Apache-2.0 */
#include "common/conf/conf.h"

#include "common/conf/conf_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_MAX_BYTES (64 * 1024)
#define PROBLEMS_MAX_BYTES (64 * 1024)
#define FILE_SUFFIX "_FILE"

extern char **environ;

struct load {
    struct of_conf *conf;
    enum of_program program;
    struct of_buf problems; /* a line each; never a value */
    int n_problems;
};

static void problem(struct load *load, const char *name, const char *what)
{
    struct of_buf *b = &load->problems;
    size_t shown = strnlen(name, 64);
    for (size_t i = 0; i < shown; i++) { /* the name may be anything that an environment can hold */
        of_buf_char(b, name[i] > ' ' && name[i] <= '~' ? name[i] : '?');
    }
    of_buf_str(b, ": ");
    of_buf_str(b, what);
    of_buf_char(b, '\n');
    load->n_problems++;
}

/* A file's whole text without the newline at its end; NULL and the reason if it is not to be had. */
static char *read_value(const char *path, const char **ret_why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *ret_why = "the file cannot be opened";
        return NULL;
    }
    char *text = of_alloc(VALUE_MAX_BYTES + 1);
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0 && len < VALUE_MAX_BYTES) {
        n = read(fd, text + len, VALUE_MAX_BYTES - len);
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n > 0) {
            len += (size_t)n;
        }
    }
    close(fd);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        len--;
    }
    text[len] = '\0';
    *ret_why = n < 0                       ? "the file cannot be read"
               : len == VALUE_MAX_BYTES    ? "the file is too large"
               : strlen(text) != len       ? "the file holds a NUL byte"
                                           : NULL;
    if (*ret_why) {
        explicit_bzero(text, len);
        free(text);
        return NULL;
    }
    return text;
}

/* An empty variable counts as one that is not set: that is how templates leave things out. */
static const char *get_env(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

/* The text of a setting, the caller's; NULL if there is none (or the problem is told already: *ret_told). */
static char *raw_value(struct load *load, const struct of_conf_item *item, bool *ret_told)
{
    *ret_told = false;
    OF_CLEANUP(of_freep) char *file_name = of_asprintf("%s" FILE_SUFFIX, item->name);
    const char *value = get_env(item->name);
    const char *path = get_env(file_name);
    if (value && path) {
        problem(load, item->name, "set together with its " FILE_SUFFIX " variant");
        *ret_told = true;
        return NULL;
    }
    if (!path) {
        return of_strdup_null(value ? value : item->fallback);
    }
    const char *why = NULL;
    char *text = read_value(path, &why);
    if (!text) {
        problem(load, file_name, why);
        *ret_told = true;
    }
    return text;
}

static bool is_address(const char *text)
{
    unsigned char parsed[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, parsed) == 1 || inet_pton(AF_INET6, text, parsed) == 1;
}

static void set_text(struct load *load, const struct of_conf_item *item, char **text)
{
    if ((item->flags & OF_CONF_ADDRESS) && !is_address(*text)) {
        problem(load, item->name, "expected an IPv4 or IPv6 address");
        return;
    }
    char **field = (char **)(void *)((char *)load->conf + item->offset);
    *field = OF_TAKE(*text);
}

static void set_int(struct load *load, const struct of_conf_item *item, const char *text)
{
    int64_t v = 0;
    bool zero_is_wrong = (item->flags & OF_CONF_NOT_ZERO) != 0;
    if (!of_parse_i64(text, item->min, item->max, &v) || (v == 0 && zero_is_wrong)) {
        OF_CLEANUP(of_freep) char *what =
            of_asprintf("expected a whole number from %" PRId64 " to %" PRId64 "%s", item->min, item->max,
                        zero_is_wrong ? ", but not 0" : "");
        problem(load, item->name, what);
        return;
    }
    int64_t *field = (int64_t *)(void *)((char *)load->conf + item->offset);
    *field = v;
}

static void set_level(struct load *load, const struct of_conf_item *item, const char *text)
{
    enum of_log_level *field = (enum of_log_level *)(void *)((char *)load->conf + item->offset);
    if (!of_log_level_parse(text, field)) {
        problem(load, item->name, "expected debug, info, warn or error");
    }
}

static void load_item(struct load *load, const struct of_conf_item *item)
{
    bool told = false;
    OF_CLEANUP(of_freep) char *text = raw_value(load, item, &told);
    if (told) {
        return;
    }
    if (!text || text[0] == '\0') {
        if (item->required & (unsigned int)load->program) {
            problem(load, item->name, "required, but not set");
        } else if (text) {
            problem(load, item->name, "the file is empty");
        }
        return;
    }
    switch (item->kind) {
        case OF_CONF_TEXT:
            set_text(load, item, &text);
            break;
        case OF_CONF_INT:
            set_int(load, item, text);
            break;
        case OF_CONF_LEVEL:
            set_level(load, item, text);
            break;
    }
}

static bool has_prefix(const char *s, size_t n, const char *prefix)
{
    size_t len = strlen(prefix);
    return n >= len && memcmp(s, prefix, len) == 0;
}

static bool same(const char *s, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(s, word, n) == 0;
}

/* name[0..n): a setting of any program (they may share one environment), or what tests and ctl use. */
static bool is_known(const char *name, size_t n)
{
    if (same(name, n, "OF_FAILPOINTS") || same(name, n, "OF_BUILD") || has_prefix(name, n, "OF_TEST_") ||
        has_prefix(name, n, "OF_CTL_")) {
        return true;
    }
    for (size_t i = 0; i < of_conf_n_items; i++) {
        const char *known = of_conf_items[i].name;
        size_t len = strlen(known);
        if (has_prefix(name, n, known) && (n == len || same(name + len, n - len, FILE_SUFFIX))) {
            return true;
        }
    }
    return false;
}

static void refuse_unknown(struct load *load)
{
    for (char **entry = environ; entry && *entry; entry++) {
        size_t n = strcspn(*entry, "=");
        if (has_prefix(*entry, n, "OF_") && !is_known(*entry, n)) {
            OF_CLEANUP(of_freep) char *name = of_strndup(*entry, n);
            problem(load, name, "no such setting");
        }
    }
}

static void settle(struct load *load)
{
    struct of_conf *conf = load->conf;
    if (load->n_problems > 0) {
        return;
    }
    if (conf->backoff_max_ms < conf->backoff_ms) {
        problem(load, "OF_BACKOFF_MAX_MS", "less than OF_BACKOFF_MS");
    }
    if (conf->executors == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        conf->executors = 2 * OF_MAX(cores, 1L);
    }
    if (conf->db_connections == 0) {
        conf->db_connections = conf->executors;
    }
}

OF_DEFINE_CLEANUP(struct of_conf, of_conf_free, of_conf_freep)

enum of_code of_conf_load(enum of_program program, struct of_conf **ret, char **ret_problems, struct of_err *err)
{
    OF_CLEANUP(of_conf_freep) struct of_conf *conf = of_calloc(1, sizeof(*conf));
    struct load load = {.conf = conf, .program = program, .problems = OF_BUF_INIT(PROBLEMS_MAX_BYTES)};
    for (size_t i = 0; i < of_conf_n_items; i++) {
        load_item(&load, &of_conf_items[i]);
    }
    refuse_unknown(&load);
    settle(&load);
    if (load.n_problems > 0) {
        *ret_problems = of_strdup(of_buf_text(&load.problems));
        of_buf_done(&load.problems);
        return of_err_set(err, OF_E_CONFIG, "%d mistake(s) in the settings", load.n_problems);
    }
    of_buf_done(&load.problems);
    *ret_problems = NULL;
    *ret = OF_TAKE(conf);
    return OF_OK;
}

void of_conf_free(struct of_conf *conf)
{
    if (!conf) {
        return;
    }
    for (size_t i = 0; i < of_conf_n_items; i++) {
        const struct of_conf_item *item = &of_conf_items[i];
        if (item->kind != OF_CONF_TEXT) {
            continue;
        }
        char **field = (char **)(void *)((char *)conf + item->offset);
        if (*field && (item->flags & OF_CONF_SECRET)) {
            explicit_bzero(*field, strlen(*field));
        }
        free(*field);
        *field = NULL;
    }
    free(conf);
}

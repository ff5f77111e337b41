/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log/log.h"

#include "common/base/buf.h"
#include "common/log/log_int.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* A line of at most PIPE_BUF bytes goes through a pipe in one piece even if several processes share it. */
#define LINE_MAX_BYTES 4095
#define VALUE_MAX_BYTES 1024
#define PER_WINDOW 20
#define WINDOW_MS 1000
#define EVENTS_MAX 256
#define EVENT_SIZE 48

/* How often one (level, event) was seen in its current second. */
struct window {
    char event[EVENT_SIZE]; /* "" : free */
    enum of_log_level level;
    int64_t start_ms;
    int64_t seen;
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static char proc_name[32] = "openfaith";
static atomic_int min_level = OF_LOG_INFO;

static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct window windows[EVENTS_MAX];
static int64_t next_sweep_ms;
struct of_mono (*of_log_clock)(void) = of_mono_now;

void of_log_init(const char *proc, enum of_log_level level)
{
    (void)of_strcopy(proc_name, sizeof(proc_name), proc);
    of_log_set_level(level);
}

void of_log_set_level(enum of_log_level level)
{
    atomic_store_explicit(&min_level, (int)level, memory_order_relaxed);
}

bool of_log_enabled(enum of_log_level level)
{
    return (int)level >= atomic_load_explicit(&min_level, memory_order_relaxed);
}

bool of_log_level_parse(const char *s, enum of_log_level *ret)
{
    for (size_t i = 0; s && i < OF_ARRAY_LEN(level_names); i++) {
        if (strcmp(s, level_names[i]) == 0) {
            *ret = (enum of_log_level)i;
            return true;
        }
    }
    return false;
}

bool of_log_key_known(const char *key)
{
    static const char *const known[] = {
#define OF_LOG_KEY(name) #name,
#include "common/log/keys.def"
#undef OF_LOG_KEY
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(known); i++) {
        if (strcmp(key, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static size_t cut_at_character(const char *s, size_t max)
{
    size_t len = strnlen(s, max + 1);
    if (len <= max) {
        return len;
    }
    len = max;
    while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80) {
        len--;
    }
    return len;
}

static void put_text(struct of_buf *line, const char *key, const char *value)
{
    of_buf_str(line, ",\"");
    of_buf_str(line, key);
    of_buf_str(line, "\":");
    if (value) {
        of_buf_json_mem(line, value, cut_at_character(value, VALUE_MAX_BYTES));
    } else {
        of_buf_str(line, "null");
    }
}

static void put_int(struct of_buf *line, const char *key, int64_t value)
{
    of_buf_str(line, ",\"");
    of_buf_str(line, key);
    of_buf_str(line, "\":");
    of_buf_i64(line, value);
}

/* A pair that does not fit is left out whole, so that the line stays JSON. */
static bool put_pair(struct of_buf *line, const struct of_kv *kv)
{
    size_t before = line->len;
    if (kv->kind == OF_KV_TEXT) {
        put_text(line, kv->key, kv->s);
    } else {
        put_int(line, kv->key, kv->i);
    }
    if (!line->bad) {
        return true;
    }
    line->bad = false;
    line->len = before;
    return false;
}

static bool is_allowed(const struct of_kv *kv)
{
    bool known = of_log_key_known(kv->key);
#ifdef OF_FAILPOINTS
    OF_BUG_ON(!known);
#endif
    return known; /* in production a stray key must not stop anything, but what it carries is not trusted either */
}

static void write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done < 0) {
            if (errno == EINTR) {
                continue;
            }
            return; /* nobody listens */
        }
        p += done;
        n -= (size_t)done;
    }
}

static void emit(enum of_log_level level, const char *event, const char *msg, const struct of_kv *kv,
                 int64_t suppressed)
{
    int saved_errno = errno;
    char ts[OF_TIME_TEXT];
    const size_t tail = 48; /* what always follows: suppressed, cut, the end */
    struct of_buf line = OF_BUF_INIT(LINE_MAX_BYTES - tail);
    of_buf_fmt(&line, "{\"ts\":\"%s\",\"level\":\"%s\",\"proc\":\"%s\",\"pid\":%d", of_time_format(of_wall_now(), ts),
               level_names[level], proc_name, (int)getpid());
    put_text(&line, "event", event);
    put_text(&line, "msg", msg);
    bool cut = false;
    for (; kv && kv->key; kv++) {
        if (is_allowed(kv) && !put_pair(&line, kv)) {
            cut = true;
        }
    }
    line.max = LINE_MAX_BYTES;
    if (suppressed > 0) {
        put_int(&line, "suppressed", suppressed);
    }
    if (cut) {
        put_int(&line, "cut", 1);
    }
    of_buf_str(&line, "}\n");
    write_all(of_buf_text(&line), line.len);
    of_buf_done(&line);
    errno = saved_errno; /* loggers are called between a failure and its report */
}

static size_t hash_event(const char *event)
{
    size_t h = 5381;
    for (const char *p = event; *p; p++) {
        h = h * 33 + (unsigned char)*p;
    }
    return h;
}

static bool is_idle(const struct window *w, int64_t now_ms)
{
    return w->event[0] == '\0' || (now_ms - w->start_ms >= WINDOW_MS && w->seen <= PER_WINDOW);
}

/* The window of this event; a free or idle place if it has none; NULL if all are busy (then nothing is limited). */
static struct window *find_window(enum of_log_level level, const char *event, int64_t now_ms)
{
    struct window *vacant = NULL;
    size_t start = hash_event(event) + (size_t)level;
    for (size_t i = 0; i < 16; i++) {
        struct window *w = &windows[(start + i) % EVENTS_MAX];
        if (w->level == level && strncmp(w->event, event, EVENT_SIZE - 1) == 0) {
            return w;
        }
        if (!vacant && is_idle(w, now_ms)) {
            vacant = w;
        }
    }
    if (vacant) {
        *vacant = (struct window){.level = level, .start_ms = now_ms};
        (void)of_strcopy(vacant->event, sizeof(vacant->event), event);
    }
    return vacant;
}

/* False: say nothing. Otherwise *ret_suppressed lines were kept back since the last one. */
static bool admit(enum of_log_level level, const char *event, int64_t now_ms, int64_t *ret_suppressed)
{
    *ret_suppressed = 0;
    struct window *w = find_window(level, event, now_ms);
    if (!w) {
        return true;
    }
    if (now_ms - w->start_ms >= WINDOW_MS) {
        *ret_suppressed = OF_MAX(w->seen - PER_WINDOW, (int64_t)0);
        w->start_ms = now_ms;
        w->seen = 0;
    }
    w->seen++;
    return w->seen <= PER_WINDOW;
}

/* Storms that are over: their counts would otherwise be told only when the event comes again. */
static int sweep(int64_t now_ms, struct window *ret_over)
{
    if (now_ms < next_sweep_ms) {
        return 0;
    }
    next_sweep_ms = now_ms + WINDOW_MS;
    int n = 0;
    for (int i = 0; i < EVENTS_MAX && n < PER_WINDOW; i++) {
        struct window *w = &windows[i];
        if (w->event[0] != '\0' && now_ms - w->start_ms >= 2 * WINDOW_MS && w->seen > PER_WINDOW) {
            ret_over[n++] = *w;
            w->seen = 0;
        }
    }
    return n;
}

void of_log_write(enum of_log_level level, const char *event, const char *msg, const struct of_kv *kv)
{
    if (!of_log_enabled(level)) {
        return;
    }
    int64_t now_ms = of_log_clock().ms;
    int64_t suppressed = 0;
    struct window over[PER_WINDOW];
    (void)pthread_mutex_lock(&limit_lock);
    bool admitted = admit(level, event, now_ms, &suppressed);
    int n_over = sweep(now_ms, over);
    (void)pthread_mutex_unlock(&limit_lock);
    for (int i = 0; i < n_over; i++) {
        emit(over[i].level, over[i].event, "was repeated", NULL, over[i].seen - PER_WINDOW);
    }
    if (admitted) {
        emit(level, event, msg, kv, suppressed);
    }
}

void of_log_err(enum of_log_level level, const char *event, const char *msg, const struct of_err *err,
                const struct of_kv *kv)
{
    enum { OWN = 6, ROOM = 32 };
    struct of_kv all[ROOM];
    int n = 0;
    for (; kv && kv->key && n < ROOM - OWN; kv++) {
        all[n++] = *kv;
    }
    all[n++] = OF_S("err_code", of_code_name(err->code));
    all[n++] = OF_S("err_class", of_class_name(err->cls));
    if (err->sqlstate[0] != '\0') {
        all[n++] = OF_S("sqlstate", err->sqlstate);
    }
    if (err->http_status != 0) {
        all[n++] = OF_I("http_status", err->http_status);
    }
    all[n++] = OF_S("err", err->msg);
    all[n] = (struct of_kv){.key = NULL};
    of_log_write(level, event, msg, all);
}

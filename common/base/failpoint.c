/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/failpoint.h"

#ifdef OF_FAILPOINTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RULES_MAX 64
#define NAME_SIZE 64

enum action { ACTION_KILL = 0, ACTION_SLEEP, ACTION_ERROR };

struct rule {
    char name[NAME_SIZE];
    enum action action;
    int64_t sleep_ms;
    int64_t only; /* 0: every passing, else this one alone */
    int64_t passed;
};

static struct rule rules[RULES_MAX];
static int n_rules;
static atomic_bool any_rules; /* without rules a point costs one load */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* "kill@3", "sleep:500", "error" */
static bool parse_action(char *text, struct rule *rule)
{
    char *at = strchr(text, '@');
    if (at) {
        *at = '\0';
        if (!of_parse_i64(at + 1, 1, INT64_MAX, &rule->only)) {
            return false;
        }
    }
    if (strcmp(text, "kill") == 0) {
        rule->action = ACTION_KILL;
        return true;
    }
    if (strcmp(text, "error") == 0) {
        rule->action = ACTION_ERROR;
        return true;
    }
    if (strncmp(text, "sleep:", 6) == 0) {
        rule->action = ACTION_SLEEP;
        return of_parse_i64(text + 6, 0, 3600 * 1000, &rule->sleep_ms);
    }
    return false;
}

static bool parse_rule(char *text, struct rule *rule)
{
    *rule = (struct rule){.action = ACTION_ERROR};
    char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return false;
    }
    *equals = '\0';
    return of_strcopy(rule->name, sizeof(rule->name), text) && parse_action(equals + 1, rule);
}

static void load(const char *spec)
{
    n_rules = 0;
    OF_CLEANUP(of_freep) char *copy = of_strdup(spec);
    char *rest = copy;
    while (rest && *rest) {
        char *item = strsep(&rest, ",");
        OF_BUG_ON(n_rules == RULES_MAX);
        bool understood = parse_rule(item, &rules[n_rules]);
        if (!understood) {
            of_bug(__FILE__, __LINE__, "OF_FAILPOINTS: expected name=kill|error|sleep:<ms>[@n],...");
        }
        n_rules++;
    }
    atomic_store(&any_rules, n_rules > 0);
}

static void load_environment(void)
{
    const char *spec = getenv("OF_FAILPOINTS");
    load(spec ? spec : "");
}

void of_failpoint_load(const char *spec)
{
    (void)pthread_once(&once, load_environment);
    (void)pthread_mutex_lock(&lock);
    load(spec);
    (void)pthread_mutex_unlock(&lock);
}

static void sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

/* Which of the rules fire at this passing; counted under the lock, acted on outside of it. */
static int collect(const char *name, struct rule *hits)
{
    int n = 0;
    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < n_rules; i++) {
        struct rule *rule = &rules[i];
        if (strcmp(rule->name, name) != 0) {
            continue;
        }
        rule->passed++;
        if (rule->only == 0 || rule->only == rule->passed) {
            hits[n++] = *rule;
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return n;
}

bool of_failpoint(const char *name)
{
    (void)pthread_once(&once, load_environment);
    if (!atomic_load_explicit(&any_rules, memory_order_relaxed)) {
        return false;
    }
    struct rule hits[RULES_MAX];
    int n = collect(name, hits);
    bool fails = false;
    for (int i = 0; i < n; i++) {
        switch (hits[i].action) {
            case ACTION_KILL:
                (void)kill(getpid(), SIGKILL);
                (void)pause(); /* the signal may reach another thread first */
                break;
            case ACTION_SLEEP:
                sleep_ms(hits[i].sleep_ms);
                break;
            case ACTION_ERROR:
                fails = true;
                break;
        }
    }
    return fails;
}

#else

typedef int of_failpoints_are_off; /* ISO C wants something in each file */

#endif

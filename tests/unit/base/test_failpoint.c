/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/failpoint.h"

#include "common/time/time.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef OF_FAILPOINTS

static void silent_without_rules(void **state)
{
    (void)state;
    of_failpoint_load("");
    assert_false(OF_FAILPOINT("a.b"));
}

static void error_on_each_or_the_nth(void **state)
{
    (void)state;
    of_failpoint_load("a=error,b=error@2,b=error@4");
    for (int i = 1; i <= 5; i++) {
        assert_true(OF_FAILPOINT("a"));
        assert_int_equal(OF_FAILPOINT("b"), i == 2 || i == 4);
        assert_false(OF_FAILPOINT("ab"));
    }
}

static void sleeps(void **state)
{
    (void)state;
    of_failpoint_load("slow=sleep:20@1,slow=error@1");
    int64_t before = of_mono_now().ms;
    assert_true(OF_FAILPOINT("slow"));
    assert_true(of_mono_now().ms - before >= 19);
    assert_false(OF_FAILPOINT("slow"));
}

/* The signal that ended a child which loads spec and passes "p" twice; 0 if it came through. */
static int ends_by(const char *spec)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        of_failpoint_load(spec);
        (void)OF_FAILPOINT("p");
        (void)OF_FAILPOINT("p");
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void kills(void **state)
{
    (void)state;
    assert_int_equal(ends_by("p=kill"), SIGKILL);
    assert_int_equal(ends_by("p=kill@2"), SIGKILL);
    assert_int_equal(ends_by("p=kill@3"), 0);
}

static void misspelled_rules_abort(void **state)
{
    (void)state;
    static const char *const bad[] = {"p",           "=kill",   "p=",        "p=die",   "p=kill@",  "p=kill@0",
                                      "p=kill@x",    "p=sleep", "p=sleep:",  "p=sleep:-1", "p=error,,", "p=error,q"};
    for (size_t i = 0; i < OF_ARRAY_LEN(bad); i++) {
        assert_int_equal(ends_by(bad[i]), SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_without_rules), cmocka_unit_test(error_on_each_or_the_nth),
        cmocka_unit_test(sleeps),               cmocka_unit_test(kills),
        cmocka_unit_test(misspelled_rules_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void compiled_out(void **state)
{
    (void)state;
    assert_false(OF_FAILPOINT("a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(compiled_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif

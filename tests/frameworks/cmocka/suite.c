/*
 * memoom in cmocka: the tests, the promises inside cmocka's runner, a test that fails (suite fail) and one that hangs
 * (suite hang).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cases.h"
#include <memoom/cmocka.h>

static void oom_kills_are_told(void **state)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    (void)state;
    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, &error), &error);
    memoom_assert_oom_killed(outcome);
    memoom_assert_victim(memoom_outcome_oom(outcome), memoom_outcome_pid(outcome));
    memoom_assert_limit(memoom_outcome_oom(outcome), 32 << 20);
    memoom_outcome_free(outcome);
}

static void other_ends_are_told(void **state)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    size_t bytes = 8 << 20;

    (void)state;
    memoom_skip_unless_lab();
    memoom_assert_ok(memoom_run(case_exits, &options, &outcome, &error), &error);
    memoom_assert_exited(outcome, 7);
    memoom_outcome_free(outcome);
    memoom_assert_ok(memoom_run(case_kills_itself, &options, &outcome, &error), &error);
    memoom_assert_verdict(outcome, MEMOOM_VERDICT_KILLED);
    memoom_outcome_free(outcome);
    memoom_assert_ok(memoom_run_function(promise_fill, &bytes, &options, &outcome, &error), &error);
    memoom_assert_exited(outcome, 0);
    memoom_outcome_free(outcome);
}

static void fails(void **state)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;

    (void)state;
    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, NULL), NULL);
    memoom_assert_exited(outcome, 0);
}

static void hangs(void **state)
{
    (void)state;
    promise_hang();
}

#define EACH(name, says)                      \
    static void name(void **state)            \
    {                                         \
        const char *broken;                   \
        (void)state;                          \
        memoom_skip_unless_lab();             \
        broken = promise_##name();            \
        if (broken)                           \
            fail_msg("%s: %s", says, broken); \
    }
PROMISES(EACH)
#undef EACH
#define EACH(name, says) cmocka_unit_test(name),

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oom_kills_are_told),
        cmocka_unit_test(other_ends_are_told),
        PROMISES(EACH)
    };
    const struct CMUnitTest failing[] = {cmocka_unit_test(fails)};
    const struct CMUnitTest hanging[] = {cmocka_unit_test(hangs)};

    if (count > 1 && strcmp(arguments[1], "fail") == 0)
        return cmocka_run_group_tests(failing, NULL, NULL);
    if (count > 1 && strcmp(arguments[1], "hang") == 0)
        return cmocka_run_group_tests(hanging, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

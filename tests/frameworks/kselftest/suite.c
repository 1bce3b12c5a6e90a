/*
 * memoom in the style of the kernel's selftests: TAP, and 4 for a skip.
 */
#include <memoom/kselftest.h>

#include "cases.h"

static void oom_kills_are_told(void)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, &error), &error);
    memoom_assert_oom_killed(outcome);
    memoom_assert_victim(memoom_outcome_oom(outcome), memoom_outcome_pid(outcome));
    memoom_assert_limit(memoom_outcome_oom(outcome), 32 << 20);
    memoom_outcome_free(outcome);
    ksft_test_result_pass("oom_kills_are_told\n");
}

static void other_ends_are_told(void)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    size_t bytes = 8 << 20;

    memoom_assert_ok(memoom_run(case_exits, &options, &outcome, &error), &error);
    memoom_assert_exited(outcome, 7);
    memoom_outcome_free(outcome);
    memoom_assert_ok(memoom_run(case_kills_itself, &options, &outcome, &error), &error);
    memoom_assert_verdict(outcome, MEMOOM_VERDICT_KILLED);
    memoom_outcome_free(outcome);
    memoom_assert_ok(memoom_run_function(promise_fill, &bytes, &options, &outcome, &error), &error);
    memoom_assert_exited(outcome, 0);
    memoom_outcome_free(outcome);
    ksft_test_result_pass("other_ends_are_told\n");
}

#define EACH(name, says)                               \
    static void name(void)                             \
    {                                                  \
        const char *broken = promise_##name();         \
        if (broken)                                    \
            memoom_ksft_print(broken);                 \
        ksft_test_result(!broken, "%s\n", says);       \
    }
PROMISES(EACH)
#undef EACH

int main(void)
{
    static void (*const tests[])(void) = {
        oom_kills_are_told,
        other_ends_are_told,
#define EACH(name, says) name,
        PROMISES(EACH)
    };
    size_t i;

    ksft_print_header();
    memoom_skip_unless_lab();
    ksft_set_plan(sizeof(tests) / sizeof(tests[0]));
    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tests[i]();
    ksft_finished();
    return 0;
}

/*
 * memoom in Criterion: the tests, and the promises inside Criterion's runner, each in a process of its own.
 */
#include <memoom/criterion.h>

#include "cases.h"

Test(memoom, oom_kills_are_told)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, &error), &error);
    memoom_assert_oom_killed(outcome);
    memoom_assert_victim(memoom_outcome_oom(outcome), memoom_outcome_pid(outcome));
    memoom_assert_limit(memoom_outcome_oom(outcome), 32 << 20);
    memoom_outcome_free(outcome);
}

Test(memoom, other_ends_are_told)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    size_t bytes = 8 << 20;

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

#define EACH(name, says)                             \
    Test(promises, name)                             \
    {                                                \
        const char *broken;                          \
        memoom_skip_unless_lab();                    \
        broken = promise_##name();                   \
        cr_assert(!broken, "%s: %s", says, broken);  \
    }
PROMISES(EACH)

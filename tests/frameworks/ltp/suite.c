/*
 * memoom in tests of the LTP: the tests, and the promises in a process that reaps every child after each of them.
 */
#include "tst_test.h"

#include "cases.h"
#include <memoom/ltp.h>

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
    tst_res(TPASS, "an OOM kill is told, though the test runs at an oom_score_adj of -1000");
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
    tst_res(TPASS, "other ends are told");
}

#define EACH(name, says)                            \
    static void name(void)                          \
    {                                               \
        const char *broken = promise_##name();      \
        if (broken)                                 \
            tst_res(TFAIL, "%s: %s", says, broken); \
        else                                        \
            tst_res(TPASS, "%s", says);             \
    }
PROMISES(EACH)
#undef EACH

static void (*const tests[])(void) = {
    oom_kills_are_told,
    other_ends_are_told,
#define EACH(name, says) name,
    PROMISES(EACH)
};

static void setup(void)
{
    memoom_skip_unless_lab();
}

static void run(unsigned int number)
{
    tests[number]();
}

static struct tst_test test = {.tcnt = sizeof(tests) / sizeof(tests[0]), .setup = setup, .test = run, .timeout = 240};

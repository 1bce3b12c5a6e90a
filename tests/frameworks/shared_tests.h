/*
 * Test functions that are the same in each framework in C: what they say, its adapter says in its own way. Include the
 * adapter first.
 */
#ifndef SHARED_TESTS_H
#define SHARED_TESTS_H

#include "cases.h"

static inline void shared_oom_kills_are_told(void)
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

static inline void shared_other_ends_are_told(void)
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

/* Fails, and prints the account. */
static inline void shared_fails(void)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;

    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, NULL), NULL);
    memoom_assert_exited(outcome, 0);
}

#endif

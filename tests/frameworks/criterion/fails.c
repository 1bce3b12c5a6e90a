/*
 * A test that fails, to see what it prints.
 */
#include <memoom/criterion.h>

#include "cases.h"

Test(memoom, fails)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;

    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, NULL), NULL);
    memoom_assert_exited(outcome, 0);
}

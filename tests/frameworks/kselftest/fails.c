/*
 * A test that fails, to see what it prints.
 */
#include <memoom/kselftest.h>

#include "cases.h"

int main(void)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;

    ksft_print_header();
    ksft_set_plan(1);
    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, NULL), NULL);
    memoom_assert_exited(outcome, 0);
    ksft_test_result_pass("it did not fail\n");
    ksft_finished();
    return 0;
}

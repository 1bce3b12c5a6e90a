/*
 * A test that fails, to see what it prints.
 */
#include "tst_test.h"

#include "cases.h"
#include <memoom/ltp.h>

static void run(void)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;

    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, NULL), NULL);
    memoom_assert_exited(outcome, 0);
}

static struct tst_test test = {.test_all = run};

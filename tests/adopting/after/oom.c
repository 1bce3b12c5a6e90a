/*
 * A process that goes over the limit is OOM-killed, at that limit, and it is counted.
 */
#include "tst_test.h"

#include <memoom/ltp.h>

static int32_t fill(void *bytes)
{
    volatile char *memory = malloc(*(size_t *)bytes);

    for (size_t at = 0; at < *(size_t *)bytes; at += 4096)
        memory[at] = 1;
    return 0;
}

static void run(void)
{
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    size_t bytes = 40 << 20;

    options.limit_bytes = 32 << 20;
    memoom_assert_ok(memoom_run_function(fill, &bytes, &options, &outcome, &error), &error);
    memoom_assert_oom_killed(outcome);
    memoom_assert_victim(memoom_outcome_oom(outcome), memoom_outcome_pid(outcome));
    memoom_assert_limit(memoom_outcome_oom(outcome), 32 << 20);
    memoom_outcome_free(outcome);
    tst_res(TPASS, "it was OOM-killed at its limit");
}

static struct tst_test test = {.test_all = run};

/*
 * memoom in tests of the LTP: the tests, and the promises in a process that reaps every child after each of them.
 */
#include "tst_test.h"

#include <memoom/ltp.h>

#include "shared_tests.h"

static void oom_kills_are_told(void)
{
    shared_oom_kills_are_told();
    tst_res(TPASS, "an OOM kill is told, though the test runs at an oom_score_adj of -1000");
}

static void other_ends_are_told(void)
{
    shared_other_ends_are_told();
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

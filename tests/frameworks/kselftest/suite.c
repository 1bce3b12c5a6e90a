/*
 * memoom in the style of the kernel's selftests: TAP, and 4 for a skip.
 */
#include <memoom/kselftest.h>

#include "shared_tests.h"

static void oom_kills_are_told(void)
{
    shared_oom_kills_are_told();
    ksft_test_result_pass("oom_kills_are_told\n");
}

static void other_ends_are_told(void)
{
    shared_other_ends_are_told();
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

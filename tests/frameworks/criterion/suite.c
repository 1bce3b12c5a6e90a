/*
 * memoom in Criterion: the tests, and the promises inside Criterion's runner, each in a process of its own.
 */
#include <memoom/criterion.h>

#include "shared_tests.h"

Test(memoom, oom_kills_are_told)
{
    shared_oom_kills_are_told();
}

Test(memoom, other_ends_are_told)
{
    shared_other_ends_are_told();
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

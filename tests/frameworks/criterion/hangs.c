/*
 * A test that hangs until Criterion kills it.
 */
#include <memoom/criterion.h>

#include "cases.h"

Test(memoom, hangs, .timeout = 8)
{
    promise_hang();
}

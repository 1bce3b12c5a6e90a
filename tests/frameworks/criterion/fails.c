/*
 * A test that fails, to see what it prints.
 */
#include <memoom/criterion.h>

#include "shared_tests.h"

Test(memoom, fails)
{
    shared_fails();
}

/*
 * A test that fails, to see what it prints.
 */
#include <memoom/criterion.h>

#include "bodies.h"

Test(memoom, fails)
{
    body_fails();
}

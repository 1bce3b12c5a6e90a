/*
 * A test that fails, to see what it prints.
 */
#include "tst_test.h"

#include <memoom/ltp.h>

#include "shared_tests.h"

static void run(void)
{
    shared_fails();
}

static struct tst_test test = {.test_all = run};

/*
 * A test that fails, to see what it prints.
 */
#include "tst_test.h"

#include <memoom/ltp.h>

#include "bodies.h"

static void run(void)
{
    body_fails();
}

static struct tst_test test = {.test_all = run};

/*
 * A test that hangs until the LTP kills its process group.
 */
#include "tst_test.h"

#include "cases.h"

static void run(void)
{
    promise_hang();
}

static struct tst_test test = {.test_all = run, .timeout = 8};

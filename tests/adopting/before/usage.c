/*
 * The usage of a group follows what its process takes, and falls when it ends.
 */
#include "memcg.h"

static void run(void)
{
    struct memcg_child child;
    long long before, during;

    memcg_limit(MB(80));
    child = memcg_fork(MB(10));
    before = memcg_usage();
    if (!memcg_step(&child) || !memcg_step(&child))
        tst_brk(TBROK, "the child died");
    during = memcg_usage();
    if (during - before >= (long long)MB(19) && during - before < (long long)MB(24))
        tst_res(TPASS, "usage rose by 20M");
    else
        tst_res(TFAIL, "usage rose by %lld", during - before);
    memcg_end(&child);
    if (memcg_usage() < during - (long long)MB(19))
        tst_res(TPASS, "usage fell");
    else
        tst_res(TFAIL, "usage is %lld", memcg_usage());
}

static struct tst_test test = {.setup = memcg_setup, .cleanup = memcg_cleanup, .test_all = run};

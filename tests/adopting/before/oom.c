/*
 * A process that goes over the limit is OOM-killed, at that limit, and it is counted.
 */
#include "memcg.h"

static void run(void)
{
    struct memcg_child child;
    long long kills = memcg_oom_kills();
    int steps = 0, status;

    memcg_limit(MB(32));
    child = memcg_fork(MB(10));
    while (memcg_step(&child))
        steps++;
    status = memcg_end(&child);
    if (steps == 3)
        tst_res(TPASS, "the fourth step of 10M killed it");
    else
        tst_res(TFAIL, "it took %d steps", steps);
    /* That it was an OOM kill, and of this process, follows only if nobody else sent SIGKILL and nobody else died. */
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && memcg_oom_kills() == kills + 1)
        tst_res(TPASS, "it was killed");
    else
        tst_res(TFAIL, "status %x, oom_kill %lld", (unsigned)status, memcg_oom_kills());
}

static struct tst_test test = {.setup = memcg_setup, .cleanup = memcg_cleanup, .test_all = run};

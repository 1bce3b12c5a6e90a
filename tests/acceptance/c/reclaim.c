/* memory.reclaim takes a group of 50M of file and anon down to 30M, and says so where it finds less. */
#include "acceptance.h"

int main(void)
{
    memoom_switch all = MEMOOM_OFF;
    memoom_group *group;
    memoom_worker *reads, *holds;
    int turns = 0;

    begin();
    group = group_in(NULL, "reclaim", 200 * MIB);
    holds = hog(group, "holds", MEMOOM_KIND_ANON);
    reads = hog(group, "reads", MEMOOM_KIND_FILE);
    ok(grow(holds, 10 * MIB) == MEMOOM_GROW_GREW && grow(reads, 50 * MIB) == MEMOOM_GROW_GREW, "10M of anon, 50M of file");
    /* The kernel may be some pages off, and dirty pages have to be written first: it is asked for what is left. */
    while (usage(group) > 30 * MIB && turns++ < 50)
        MUST(memoom_group_reclaim(group, usage(group) - 30 * MIB, &all, ERR));
    ok(usage(group) <= 30 * MIB, "it is at 30M");
    ok(usage(group) >= 10 * MIB, "and anon is where it was, as there is no swap");
    MUST(memoom_group_reclaim(group, 512 * MIB, &all, ERR));
    ok(all == MEMOOM_OFF, "the kernel says that it found less");
    ok(!memoom_worker_ended(holds) && counters(group).oom_kill == 0, "nobody is killed");
    return end();
}

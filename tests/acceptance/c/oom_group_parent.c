/* A parent of 80M with oom.group, a hog in its child: both levels are emptied. */
#include "acceptance.h"

int main(void)
{
    memoom_group *parent, *child, *beside;
    memoom_worker *waits, *sleeps, *eats;

    begin();
    parent = group_in(NULL, "oom_group_parent", 80 * MIB);
    MUST(memoom_group_set_oom_group(parent, MEMOOM_ON, ERR));
    child = group_in(parent, "child", MEMOOM_UNLIMITED);
    beside = group_in(parent, "beside", MEMOOM_UNLIMITED);
    waits = ticker(beside, "waits");
    sleeps = ticker(child, "sleeps");
    eats = hog(child, "eats", MEMOOM_KIND_ANON);
    ok(grow(eats, 100 * MIB) == MEMOOM_GROW_KILLED, "100M in the child");
    ok(verdict(eats) == MEMOOM_VERDICT_OOM_KILLED, "the hog");
    ok(verdict(sleeps) == MEMOOM_VERDICT_OOM_KILLED, "who stands beside it");
    ok(verdict(waits) == MEMOOM_VERDICT_OOM_KILLED, "who stands in the other group");
    ok(processes(child) == 0 && processes(beside) == 0, "both are empty");
    return end();
}

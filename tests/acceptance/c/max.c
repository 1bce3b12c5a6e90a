/* max 30M: 50M of file is capped, 100M of anon is killed, max is counted. */
#include "acceptance.h"

int main(void)
{
    memoom_group *group;
    memoom_worker *reads, *eats;

    begin();
    group = group_in(NULL, "max", 30 * MIB);
    reads = hog(group, "reads", MEMOOM_KIND_FILE);
    ok(grow(reads, 50 * MIB) == MEMOOM_GROW_GREW, "50M of file");
    ok(usage(group) <= 30 * MIB, "it is capped");
    near(usage(group), 30 * MIB, 5, "near max");
    ok(counters(group).oom_kill == 0, "nobody is killed for page cache");
    eats = hog(group, "eats", MEMOOM_KIND_ANON);
    ok(grow(eats, 100 * MIB) == MEMOOM_GROW_KILLED, "100M of anon");
    ok(verdict(eats) == MEMOOM_VERDICT_OOM_KILLED, "it was an OOM");
    ok(counters(group).max > 0, "max was counted");
    return end();
}

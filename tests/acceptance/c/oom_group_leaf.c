/* A child of 50M with oom.group: its tickers and its hog die, a hog of 60M beside it lives. */
#include "acceptance.h"

int main(void)
{
    memoom_group *top, *child, *beside;
    memoom_worker *one, *two, *eats, *lives;

    begin();
    top = group_in(NULL, "oom_group_leaf", 200 * MIB);
    child = group_in(top, "child", 50 * MIB);
    beside = group_in(top, "beside", MEMOOM_UNLIMITED);
    MUST(memoom_group_set_oom_group(child, MEMOOM_ON, ERR));
    lives = hog(beside, "lives", MEMOOM_KIND_ANON);
    ok(grow(lives, 60 * MIB) == MEMOOM_GROW_GREW, "60M beside it");
    one = ticker(child, "one");
    two = ticker(child, "two");
    eats = hog(child, "eats", MEMOOM_KIND_ANON);
    ok(grow(eats, 100 * MIB) == MEMOOM_GROW_KILLED, "100M in the child");
    ok(verdict(eats) == MEMOOM_VERDICT_OOM_KILLED, "the hog");
    ok(verdict(one) == MEMOOM_VERDICT_OOM_KILLED && verdict(two) == MEMOOM_VERDICT_OOM_KILLED, "and the tickers");
    ok(processes(child) == 0, "nobody is left in the child");
    ok(!memoom_worker_ended(lives), "who stands beside it lives");
    ok(counters(child).oom_kill > 0, "the child counts it");
    ok((counters(top).oom_kill > 0) == (expect("parent_counts") == 1), "and the parent, unless events are local");
    return end();
}

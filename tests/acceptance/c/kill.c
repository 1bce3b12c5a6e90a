/* A group, a tree of groups and a storm of forks are ended at once. */
#include "acceptance.h"

static void ended(memoom_group *group, memoom_worker *worker, const char *what)
{
    MUST(memoom_group_kill(group, ERR));
    ok(verdict(worker) == MEMOOM_VERDICT_KILLED, what);
    /* It waits until the kernel has let go of the last. */
    MUST(memoom_group_remove(group, ERR));
}

int main(void)
{
    /* Each process starts two, six times over: it is killed in the midst of it. */
    static const char *const storm[] = {
        "/bin/sh", "-c", "f() { [ $1 -eq 0 ] && exec sleep 600; f $(($1 - 1)) & f $(($1 - 1)) & wait; }; f 6", NULL};
    memoom_group *simple, *top, *below, *stormy;
    memoom_worker *one, *two;

    begin();
    simple = group_in(NULL, "simple", 64 * MIB);
    one = ticker(simple, "one");
    ended(simple, one, "a group");

    top = group_in(NULL, "tree", 64 * MIB);
    below = group_in(group_in(top, "a", MEMOOM_UNLIMITED), "b", MEMOOM_UNLIMITED);
    two = ticker(below, "two");
    MUST(memoom_group_kill(top, ERR));
    ok(verdict(two) == MEMOOM_VERDICT_KILLED, "a tree");

    stormy = group_in(NULL, "storm", 256 * MIB);
    one = command(stormy, storm);
    while (processes(stormy) < 20 && !memoom_worker_ended(one))
        continue;
    ended(stormy, one, "a storm of forks");
    return end();
}

/* What is charged to a group is charged to those above it, and to nobody else: a new child begins at 0. */
#include "acceptance.h"

int main(void)
{
    memoom_group *parent, *one, *two;
    memoom_worker *first, *second;
    uint64_t own = 0;

    begin();
    parent = group_in(NULL, "parent", 64 * MIB);
    /* Only on v1 may a group with children have processes of its own. */
    if (expect("inner_processes")) {
        own = 8 * MIB;
        ok(grow(hog(parent, "own", MEMOOM_KIND_ANON), own) == MEMOOM_GROW_GREW, "8M in the parent");
    }
    one = group_in(parent, "one", 32 * MIB);
    ok(usage(one) == 0, "a new child has nothing of it");
    first = hog(one, "first", MEMOOM_KIND_ANON);
    ok(grow(first, 16 * MIB) == MEMOOM_GROW_GREW, "16M in a child");
    near_usage(usage(one), 16 * MIB, 3, "charged to it");
    near_usage(usage(parent), own + 16 * MIB, 5, "and to the parent");
    two = group_in(parent, "two", 32 * MIB);
    second = hog(two, "second", MEMOOM_KIND_ANON);
    ok(grow(second, 16 * MIB) == MEMOOM_GROW_GREW, "16M in another");
    near_usage(usage(one), 16 * MIB, 3, "a neighbour is no business of its");
    near_usage(usage(parent), own + 32 * MIB, 5, "both count in the parent");
    MUST(memoom_worker_kill(first, ERR));
    ok(verdict(first) == MEMOOM_VERDICT_KILLED, "one goes");
    UNTIL(close_to(usage(parent), own + 16 * MIB, 10))
        ;
    near_usage(usage(parent), own + 16 * MIB, 10, "the parent has back what it held");
    return end();
}

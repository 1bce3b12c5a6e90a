/* A limit of 10M without swap still runs true; of two groups only the one that grows dies. */
#include "acceptance.h"

int main(void)
{
    static const char *const argv[] = {"/bin/true", NULL};
    memoom_group *small, *grows, *stands;
    memoom_worker *eats, *lives;

    begin();
    small = group_in(NULL, "small", 10 * MIB);
    ok(verdict(command(small, argv)) == MEMOOM_VERDICT_EXITED, "true runs under 10M");
    ok(counters(small).oom_kill == 0, "without an OOM");
    grows = group_in(NULL, "grows", 10 * MIB);
    stands = group_in(NULL, "stands", 10 * MIB);
    lives = hog(stands, "lives", MEMOOM_KIND_ANON);
    ok(grow(lives, 4 * MIB) == MEMOOM_GROW_GREW, "one stands");
    eats = hog(grows, "eats", MEMOOM_KIND_ANON);
    ok(grow(eats, 40 * MIB) == MEMOOM_GROW_KILLED, "one grows");
    ok(verdict(eats) == MEMOOM_VERDICT_OOM_KILLED && !memoom_worker_ended(lives), "only that one dies");
    ok(counters(grows).oom_kill == 1 && counters(stands).oom_kill == 0, "and is counted where it stood");
    return end();
}

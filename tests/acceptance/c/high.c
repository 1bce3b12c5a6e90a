/* high 30M: 31M of anon succeeds, 50M of file stays near 30M, high is counted, nobody is killed. */
#include "acceptance.h"

int main(void)
{
    memoom_group *anon, *file;
    memoom_worker *reads;

    begin();
    /* A hog wants a limit above it that the host can bear; nobody comes near these. */
    anon = group_in(NULL, "anon", 200 * MIB);
    MUST(memoom_group_set_high(anon, 30 * MIB, ERR));
    ok(grow(hog(anon, "anon", MEMOOM_KIND_ANON), 31 * MIB) == MEMOOM_GROW_GREW, "31M of anon");
    ok(counters(anon).high > 0, "high was counted");
    ok(counters(anon).max == 0 && counters(anon).oom_kill == 0, "max was not met, and nobody killed");

    file = group_in(NULL, "file", 200 * MIB);
    MUST(memoom_group_set_high(file, 30 * MIB, ERR));
    reads = hog(file, "file", MEMOOM_KIND_FILE);
    ok(grow(reads, 50 * MIB) == MEMOOM_GROW_GREW, "50M of file");
    near(usage(file), 30 * MIB, expect("file_percent"), "it stays near high");
    ok(counters(file).high > 0 && counters(file).oom_kill == 0, "high was counted, and nobody killed");
    return end();
}

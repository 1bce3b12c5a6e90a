/* 150 groups at once, each with a process; every tenth meets its limit, and nobody else dies. */
#include "acceptance.h"

#include <sys/resource.h>

#define GROUPS 150

int main(void)
{
    memoom_group *groups[GROUPS];
    memoom_worker *hogs[GROUPS];
    char name[16];
    int i, killed = 0, alive = 0, counted = 0;
    struct rlimit files;

    /* Each group and worker holds some descriptors. */
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    begin();
    for (i = 0; i < GROUPS; i++) {
        snprintf(name, sizeof(name), "g%d", i);
        groups[i] = group_in(NULL, name, 2 * MIB);
        hogs[i] = hog(groups[i], name, MEMOOM_KIND_ANON);
    }
    for (i = 0; i < GROUPS; i++)
        killed += grow(hogs[i], i % 10 ? 64 * 1024 : 8 * MIB) == MEMOOM_GROW_KILLED;
    for (i = 0; i < GROUPS; i++) {
        alive += !memoom_worker_ended(hogs[i]);
        counted += counters(groups[i]).oom_kill == (i % 10 == 0);
    }
    ok(killed == GROUPS / 10, "every tenth is killed");
    ok(alive == GROUPS - GROUPS / 10, "the others live");
    ok(counted == GROUPS, "each kill is counted in its group");
    return end();
}

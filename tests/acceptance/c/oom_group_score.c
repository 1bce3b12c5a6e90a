/* max 50M with oom.group: a hog and a ticker die, a process at -1000 survives. */
#include "acceptance.h"

static int sleeps(int pid)
{
    char path[64], line[256] = "";
    FILE *stat;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    stat = fopen(path, "r");
    if (!stat)
        return 0;
    if (!fgets(line, sizeof(line), stat))
        line[0] = 0;
    fclose(stat);
    return strstr(line, " (sleep) S ") != NULL;
}

int main(void)
{
    static const char *const argv[] = {"/bin/sleep", "600", NULL};
    memoom_command_options options = MEMOOM_COMMAND_OPTIONS_INIT;
    memoom_worker *spared = NULL, *ticks, *eats;
    memoom_group *group;

    begin();
    group = group_in(NULL, "oom_group_score", 50 * MIB);
    MUST(memoom_group_set_oom_group(group, MEMOOM_ON, ERR));
    ticks = ticker(group, "ticks");
    eats = hog(group, "eats", MEMOOM_KIND_ANON);
    options.oom_score_adj = -1000;
    MUST(memoom_command_spawn(group, argv, &options, &spared, ERR));
    /* While it starts it takes memory too, and may be the one that meets the limit. */
    UNTIL(sleeps(memoom_worker_pid(spared)))
        ;
    ok(grow(eats, 100 * MIB) == MEMOOM_GROW_KILLED, "100M");
    ok(verdict(eats) == MEMOOM_VERDICT_OOM_KILLED && verdict(ticks) == MEMOOM_VERDICT_OOM_KILLED, "two die");
    ok(!memoom_worker_ended(spared) && processes(group) == 1, "the one at -1000 lives");
    /* The counter counts events: twice who met the limit and is there until all are killed. */
    ok(counters(group).oom_kill == 3, "oom_kill is 3 for 2 dead");
    memoom_worker_free(spared);
    return end();
}

/* What a pod shows: one process is killed; a child of a process is killed and the process goes on. */
#include "acceptance.h"

#define EATS "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"

int main(void)
{
    static const char *const single[] = {"/bin/sh", "-c", EATS, NULL};
    static const char *const parent[] = {"/bin/sh", "-c", "sh -c '" EATS "'; test $? -eq 137", NULL};
    memoom_group *group;
    memoom_watch *watch = NULL;
    memoom_worker *worker;
    memoom_oom *oom = NULL;

    begin();
    group = group_in(NULL, "single", 16 * MIB);
    ok(verdict(command(group, single)) == MEMOOM_VERDICT_OOM_KILLED, "a process by itself");
    group = group_in(NULL, "parent", 16 * MIB);
    MUST(memoom_watch_open(group, &watch, ERR));
    worker = command(group, parent);
    ok(verdict(worker) == MEMOOM_VERDICT_EXITED, "the parent of the one that grew goes on");
    MUST(memoom_watch_wait_oom(watch, LONG, &oom, ERR));
    ok(oom && !memoom_oom_killed(oom, memoom_worker_pid(worker)), "its child was taken");
    memoom_oom_free(oom);
    memoom_watch_free(watch);
    return end();
}

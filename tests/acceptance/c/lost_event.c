/* The OOM is seen and accounted for even when the group is emptied and removed at once after the kill. */
#include "acceptance.h"

int main(void)
{
    static const char *const dd[] = {"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1", "status=none", NULL};
    memoom_group *group;
    memoom_watch *watch = NULL;
    memoom_outcome *outcome = NULL;
    memoom_worker *worker;
    memoom_oom *oom = NULL;

    begin();
    group = group_in(NULL, "lost_event", 15 * MIB);
    MUST(memoom_watch_open(group, &watch, ERR));
    worker = command(group, dd);
    MUST(memoom_worker_wait(worker, LONG, &outcome, ERR));
    MUST(memoom_group_remove(group, ERR));
    ok(memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_OOM_KILLED, "the verdict is an OOM kill");
    MUST(memoom_watch_wait_oom(watch, LONG, &oom, ERR));
    ok(oom && memoom_oom_killed(oom, memoom_worker_pid(worker)), "the watch has the account");
    memoom_oom_free(oom);
    MUST(memoom_watch_wait_oom(watch, 0, &oom, ERR));
    ok(oom == NULL, "and no second one");
    memoom_outcome_free(outcome);
    memoom_watch_free(watch);
    return end();
}

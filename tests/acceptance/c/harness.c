/* One dd bs=1000M under 100M, by the one call that does it all: killed, and the harness itself survives. */
#include "acceptance.h"

int main(void)
{
    static const char *const dd[] = {"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=1000M", "count=1", "status=none",
                                     NULL};
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;

    options.limit_bytes = 100 * MIB;
    MUST(memoom_run(dd, &options, &outcome, ERR));
    ok(memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_OOM_KILLED, "the tool is killed");
    ok(memoom_outcome_oom_killed(outcome) == 1, "and it was an OOM");
    memoom_outcome_free(outcome);
    printf("1..%d\n", acceptance_count);
    return acceptance_failed != 0;
}

/* How a command ended, by whose word, and what it took. */
#include "must.h"

/* What is held against memory.high until its time is up has the stack of the wait (v2). */
static void throttled(const memoom_outcome *outcome)
{
    const memoom_throttled *held = memoom_outcome_throttled(outcome);
    size_t i;

    if (!held)
        return;
    printf("memory.high of %s held it %" PRIu64 " bytes above\n", held->group, held->over_bytes);
    for (i = 0; i < memoom_outcome_throttled_frame_count(outcome); i++)
        printf("  in %s\n", memoom_outcome_throttled_frame_at(outcome, i)->function);
}

static void show(const memoom_outcome *outcome)
{
    const memoom_killed_by *author = memoom_outcome_killed_by(outcome);
    size_t i;

    printf("%s (pid %d) in %s: %s, status %d\n", memoom_outcome_name(outcome), (int)memoom_outcome_pid(outcome),
           memoom_outcome_group(outcome), memoom_outcome_verdict_name(outcome),
           (int)memoom_outcome_returncode(outcome));
    printf("it took %" PRIu64 " us of CPU, %" PRIu64 " of them in the kernel, in %" PRIu64 " us\n",
           memoom_outcome_user_usec(outcome) + memoom_outcome_system_usec(outcome),
           memoom_outcome_system_usec(outcome),
           (memoom_outcome_ended_ns(outcome) - memoom_outcome_started_ns(outcome)) / 1000);
    printf("resident at most %" PRIu64 " KiB", memoom_outcome_max_rss_bytes(outcome) >> 10);
    if (memoom_outcome_peak_bytes(outcome) != MEMOOM_UNKNOWN)
        printf(", charged at most %" PRIu64 " KiB", memoom_outcome_peak_bytes(outcome) >> 10);
    puts("");
    if (author)
        printf("signal %d by %s\n", (int)author->signal, author->text);
    for (i = 0; i < memoom_outcome_evidence_count(outcome); i++)
        printf("%s says: %s\n", memoom_outcome_evidence_at(outcome, i)->source,
               memoom_outcome_evidence_at(outcome, i)->says);
    for (i = 0; i < memoom_outcome_missing_count(outcome); i++)
        printf("%s is missing: %s\n", memoom_outcome_missing_at(outcome, i)->source,
               memoom_outcome_missing_at(outcome, i)->reason);
    for (i = 0; i < memoom_outcome_finding_count(outcome); i++)
        printf("%s\n", memoom_outcome_finding_at(outcome, i)->text);
    /* How often it was held at its limit before anybody died (memoom_run_options.at_limit). */
    for (i = 0; i < memoom_outcome_at_limit_count(outcome); i++)
        printf("held at %" PRIu64 " bytes: %s", memoom_outcome_at_limit_at(outcome, i)->usage_bytes,
               memoom_outcome_at_limit_at(outcome, i)->hook_output);
    for (i = 0; i < memoom_outcome_oom_count(outcome); i++) /* all OOMs of its group; its own is memoom_outcome_oom */
        fputs(memoom_oom_to_short_text(memoom_outcome_oom_at(outcome, i)), stdout);
    throttled(outcome);
}

int main(void)
{
    const char *dies[] = {"tail", "/dev/zero", NULL}, *lives[] = {"true", NULL};
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    options.limit_bytes = 32 * MIB;
    options.at_limit = "echo the limit is met";
    must(memoom_run(dies, &options, &outcome, &error), &error);
    holds(memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_OOM_KILLED, "the verdict");
    holds(memoom_outcome_oom_killed(outcome) == 1, "the same in a word");
    holds(memoom_outcome_oom(outcome) != NULL && memoom_outcome_ooms_inside(outcome) == 0, "it is the victim itself");
    show(outcome);
    puts(memoom_outcome_summary(outcome));
    fputs(memoom_outcome_to_short_text(outcome), stdout); /* 15 lines at most */
    fputs(memoom_outcome_to_text(outcome), stdout);       /* all of it */
    puts(memoom_outcome_to_json(outcome));
    memoom_outcome_free(outcome);

    outcome = NULL;
    must(memoom_run(lives, NULL, &outcome, &error), &error);
    holds(memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_EXITED, "it ended by itself");
    holds(!memoom_outcome_killed_by(outcome), "and by nobody");
    memoom_outcome_free(outcome);
    return 0;
}

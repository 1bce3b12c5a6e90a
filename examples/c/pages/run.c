/* A command and a function under a limit, each by one call. */
#include "must.h"

static int32_t fill(void *argument)
{
    size_t bytes = *(size_t *)argument, at;
    volatile char *memory = malloc(bytes);

    for (at = 0; memory && at < bytes; at += 4096)
        memory[at] = 1;
    return memory ? 0 : 1;
}

int main(void)
{
    const char *argv[] = {"tail", "/dev/zero", NULL}; /* it keeps all that it reads */
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    size_t bytes = 128 << 20;

    options.limit_bytes = 32 * MIB;
    options.timeout_ns = 60 * SECONDS;
    must(memoom_run(argv, &options, &outcome, &error), &error); /* MEMOOM_OK also when the command was killed */
    holds(memoom_outcome_oom_killed(outcome) == 1, "the kernel killed it");
    fputs(memoom_outcome_to_short_text(outcome), stdout);
    memoom_outcome_freep(&outcome);

    outcome = NULL;
    must(memoom_run_function(fill, &bytes, &options, &outcome, &error), &error);
    holds(memoom_outcome_oom_killed(outcome) == 1, "and the function");
    memoom_outcome_free(outcome);
    return 0;
}

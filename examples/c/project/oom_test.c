/* A test of your own: a function that must stay below 32 MiB, and one that must be killed when it does not. */
#include <stdio.h>
#include <stdlib.h>

#include <memoom.h>

/* The code under test. It writes to what it takes, as memory that nobody touches is not charged. */
static int32_t takes(void *argument)
{
    size_t bytes = *(size_t *)argument, at;
    volatile char *memory = malloc(bytes);

    for (at = 0; memory && at < bytes; at += 4096)
        memory[at] = 1;
    free((void *)memory);
    return memory ? 0 : 1;
}

/* 0 where the verdict is the wanted one, 1 where not, 77 where this machine cannot run it (a skip for meson, ctest, make). */
static int expect(size_t bytes, memoom_verdict wanted)
{
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    int status = 0;

    options.limit_bytes = 32 << 20;
    if (memoom_run_function(takes, &bytes, &options, &outcome, &error) != MEMOOM_OK) {
        memoom_status why = memoom_error_status(error);
        fprintf(stderr, "%s\n", memoom_error_message(error));
        status = why == MEMOOM_ERR_UNSUPPORTED || why == MEMOOM_ERR_PERMISSION_DENIED ? 77 : 1;
    } else if (memoom_outcome_verdict(outcome) != wanted) {
        fprintf(stderr, "%s\n", memoom_outcome_to_text(outcome)); /* who was killed, why, and what filled the limit */
        status = 1;
    }
    memoom_outcome_free(outcome);
    memoom_error_free(error);
    return status;
}

int main(void)
{
    int fits = expect(8 << 20, MEMOOM_VERDICT_EXITED);

    return fits ? fits : expect(64 << 20, MEMOOM_VERDICT_OOM_KILLED);
}

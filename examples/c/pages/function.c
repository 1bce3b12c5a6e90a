/* A function of the program's own in a forked child that stands in a group. */
#include "must.h"

static int32_t fill(void *argument)
{
    size_t bytes = *(size_t *)argument, at;
    volatile char *memory = malloc(bytes); /* volatile: a compiler may leave out what nobody reads */

    for (at = 0; memory && at < bytes; at += 4096)
        memory[at] = 1;
    return memory ? 0 : 1; /* the low 8 bits come back: 300 would be 44, and 256 success */
}

int main(void)
{
    memoom_function_options options = MEMOOM_FUNCTION_OPTIONS_INIT;
    size_t little = 4 << 20, much = 128 << 20;
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *worker = NULL;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    must(memoom_group_set_limit(group, 32 * MIB, &error), &error);
    options.name = "fill";
    must(memoom_function_spawn(group, fill, &little, &options, &worker, &error), &error);
    must(memoom_worker_wait(worker, 60 * SECONDS, &outcome, &error), &error);
    holds(memoom_outcome_returncode(outcome) == 0, "it fits");
    memoom_outcome_freep(&outcome);
    memoom_worker_freep(&worker);

    outcome = NULL;
    worker = NULL;
    must(memoom_function_spawn(group, fill, &much, NULL, &worker, &error), &error);
    must(memoom_worker_wait(worker, 60 * SECONDS, &outcome, &error), &error);
    holds(memoom_outcome_oom_killed(outcome) == 1, "it does not");
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return 0;
}

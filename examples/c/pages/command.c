/* A command in a group, with an environment and descriptors of its own. */
#include "must.h"

int main(void)
{
    const char *argv[] = {"/bin/sh", "-c", "exit $STATUS", NULL};
    const char *env[] = {"STATUS=7", NULL};
    memoom_command_options options = MEMOOM_COMMAND_OPTIONS_INIT;
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *worker = NULL;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    options.env = env;
    options.stdin_fd = MEMOOM_FD_NULL; /* MEMOOM_FD_INHERIT is ours, any other number a descriptor of ours */
    must(memoom_command_spawn(group, argv, &options, &worker, &error), &error);
    must(memoom_worker_wait(worker, 60 * SECONDS, &outcome, &error), &error);
    holds(memoom_outcome_returncode(outcome) == 7, "its exit status");

    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return 0;
}

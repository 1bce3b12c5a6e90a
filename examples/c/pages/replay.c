/* The accounts of a recording, again: on any machine, without any right. */
#include "must.h"

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "replay.recording"; /* of memoom run --record, or made here */
    const char *command[] = {"tail", "/dev/zero", NULL};
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_oom_list *list = NULL;
    memoom_error *error = NULL;
    size_t i;

    if (argc == 1) {
        options.limit_bytes = 32 * MIB;
        options.record = path;
        must(memoom_run(command, &options, &outcome, &error), &error);
        memoom_outcome_free(outcome);
    }
    must(memoom_replay(path, &list, &error), &error);
    holds(memoom_oom_list_count(list) > 0, "it has an account");
    for (i = 0; i < memoom_oom_list_count(list); i++)
        fputs(memoom_oom_to_short_text(memoom_oom_list_at(list, i)), stdout);
    memoom_oom_list_free(list);
    if (argc == 1)
        remove(path);
    return 0;
}

/*
 * run LIMIT COMMAND [ARGUMENT...]: runs a command under a memory limit, and says on standard error what killed it.
 * Exits as the command did, 128 + n when signal n ended it, 125 for a failure of its own.
 *
 * cc -std=c99 run.c -o run $(pkg-config --cflags --libs memoom)
 */
#include <stdio.h>

#include <memoom.h>

static int fail(memoom_error *error)
{
    fprintf(stderr, "run: %s\n", memoom_error_message(error));
    memoom_error_free(error);
    return 125;
}

int main(int argc, char **argv)
{
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: run LIMIT COMMAND [ARGUMENT...], such as: run 80M sort big.txt\n");
        return 125;
    }
    if (memoom_parse_size(argv[1], &options.limit_bytes, &error) != MEMOOM_OK)
        return fail(error);
    if (memoom_run((const char *const *)(argv + 2), &options, &outcome, &error) != MEMOOM_OK)
        return fail(error);
    if (memoom_outcome_oom_killed(outcome))
        fputs(memoom_oom_to_text(memoom_outcome_oom(outcome)), stderr);
    status = memoom_outcome_returncode(outcome);
    memoom_outcome_free(outcome);
    return status < 0 ? 128 - status : status;
}

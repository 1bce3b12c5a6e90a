/*
 * What a function under a limit hands back: a number, of which the low 8 bits alone come through, and whatever it writes
 * into memory that it shares with the caller, which is there also when it was killed.
 *
 * cc -std=gnu99 hand_back.c -o hand_back $(pkg-config --cflags --libs memoom)
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <memoom.h>

struct result {
    size_t wanted, taken;
};

static int32_t fill(void *argument)
{
    struct result *result = argument;
    volatile char *memory = malloc(result->wanted); /* volatile: a compiler may leave out what nobody reads */

    for (result->taken = 0; memory && result->taken < result->wanted; result->taken += 4096)
        memory[result->taken] = 1;
    return memory ? 0 : 1; /* not the number of bytes: 256 would be 0, and 300 would be 44 */
}

int main(void)
{
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    struct result *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 1;

    if (result == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    result->wanted = 64 << 20; /* written before the call, so the page is charged here and not to the group */
    options.limit_bytes = 32 << 20;
    if (memoom_run_function(fill, result, &options, &outcome, &error) == MEMOOM_OK) {
        printf("%s after %zu of %zu MiB\n", memoom_outcome_verdict_name(outcome), result->taken >> 20, result->wanted >> 20);
        status = !(memoom_outcome_oom_killed(outcome) && result->taken > 0 && result->taken < result->wanted);
    } else {
        fprintf(stderr, "%s\n", memoom_error_message(error));
        if (memoom_error_status(error) == MEMOOM_ERR_UNSUPPORTED || memoom_error_status(error) == MEMOOM_ERR_PERMISSION_DENIED)
            status = 77;
    }
    memoom_outcome_free(outcome);
    memoom_error_free(error);
    munmap(result, sizeof(*result));
    return status;
}

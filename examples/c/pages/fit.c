/* The least limit under which a command passes. */
#include "must.h"

int main(void)
{
    const char *argv[] = {"/bin/sh", "-c", "head -c 8M /dev/zero | tail | wc -c", NULL}; /* tail keeps it all */
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_fit_options fit = MEMOOM_FIT_OPTIONS_INIT;
    memoom_fitted *fitted = NULL;
    memoom_error *error = NULL;

    options.stdout_fd = MEMOOM_FD_NULL;
    options.timeout_ns = 30 * SECONDS;
    fit.most_bytes = 64 * MIB; /* the first run */
    fit.runs = 4;
    must(memoom_fit(argv, &options, &fit, &fitted, &error), &error);
    holds(memoom_fitted_limit_bytes(fitted) <= 64 * MIB, "it passes under the first limit");
    printf("passes under %" PRIu64 " bytes; %zu runs\n", memoom_fitted_limit_bytes(fitted),
           memoom_fitted_run_count(fitted));
    if (memoom_fitted_failed_bytes(fitted) != MEMOOM_UNKNOWN)
        printf("fails under %" PRIu64 "\n", memoom_fitted_failed_bytes(fitted));
    if (memoom_fitted_unslowed_bytes(fitted) != MEMOOM_UNKNOWN)
        printf("is not slowed under %" PRIu64 "\n", memoom_fitted_unslowed_bytes(fitted));
    fputs(memoom_fitted_to_text(fitted), stdout);
    puts(memoom_fitted_to_json(fitted));
    memoom_fitted_free(fitted);
    return 0;
}

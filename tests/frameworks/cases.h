/*
 * What each example project tries beside the promises: workers with known ends.
 */
#ifndef CASES_H
#define CASES_H

#include "promises.h"

/* Grows without end: nothing but the kernel stops it. */
static const char *const case_eats[] = {"/bin/sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done", NULL};
static const char *const case_exits[] = {"/bin/sh", "-c", "exit 7", NULL};
/* As an OOM kill looks to who sees only the exit status. */
static const char *const case_kills_itself[] = {"/bin/sh", "-c", "kill -9 $$", NULL};

static inline memoom_run_options case_limit(uint64_t bytes)
{
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;

    options.limit_bytes = bytes;
    return options;
}

#endif

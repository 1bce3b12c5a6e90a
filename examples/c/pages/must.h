/*
 * What the programs of the pages share: a call that must succeed, and one that this kernel or hierarchy may lack.
 */
#ifndef MUST_H
#define MUST_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memoom.h>

#define MIB ((uint64_t)1 << 20)
#define SECONDS ((uint64_t)1000000000)

/* Ends the program where the call failed: with 77 where this machine or user can have no lab, else with 1. */
static inline void must(memoom_status status, memoom_error **error)
{
    if (status == MEMOOM_OK)
        return;
    fprintf(stderr, "%s\n", *error ? memoom_error_message(*error) : memoom_status_name(status));
    memoom_error_freep(error);
    exit(status == MEMOOM_ERR_UNSUPPORTED || status == MEMOOM_ERR_PERMISSION_DENIED ? 77 : 1);
}

/* 1 where the call succeeded; 0, and the reason is printed, where this kernel or hierarchy has no such thing. */
static inline int may(memoom_status status, memoom_error **error)
{
    if (status == MEMOOM_ERR_UNSUPPORTED) {
        printf("not here: %s\n", memoom_error_message(*error));
        memoom_error_freep(error);
        return 0;
    }
    must(status, error);
    return 1;
}

/* Gives up, with the reason, where the page says what does not hold. */
static inline void holds(int it_does, const char *what)
{
    if (it_does)
        return;
    fprintf(stderr, "it does not hold: %s\n", what);
    exit(1);
}

#endif

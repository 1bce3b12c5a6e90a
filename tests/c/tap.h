/*
 * The few lines of TAP that the C tests need.
 */
#ifndef TAP_H
#define TAP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memoom.h>

static int tap_count, tap_failed;

static inline void ok(int holds, const char *what)
{
    tap_count++;
    if (!holds)
        tap_failed++;
    printf("%s %d - %s\n", holds ? "ok" : "not ok", tap_count, what);
}

/* A lab; where none can be made, a skip with the reason, or a failure if MEMOOM_REQUIRE is 1. */
static inline int lab_or_reason(memoom_lab **ret_lab)
{
    const char *require = getenv("MEMOOM_REQUIRE");
    memoom_error *error = NULL;

    if (memoom_lab_create(NULL, ret_lab, &error) == MEMOOM_OK)
        return 1;
    if (require && strcmp(require, "1") == 0)
        ok(0, memoom_error_message(error));
    else
        printf("ok %d # SKIP %s\n", ++tap_count, memoom_error_message(error));
    memoom_error_free(error);
    return 0;
}

/* The plan, which comes last, and the status to exit with. */
static inline int done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed ? 1 : 0;
}

#endif

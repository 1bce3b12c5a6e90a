/*
 * memoom in cmocka tests. Include <cmocka.h>, with what it wants before it, first. An assertion of cmocka leaves the test
 * by longjmp, so none may stand in a function that runs in a forked child (memoom_run_function).
 */
#ifndef MEMOOM_CMOCKA_H
#define MEMOOM_CMOCKA_H

#include <memoom/adapter.h>

/* A message of cmocka has at most 1024 bytes: the account goes before it, a line at a time. */
static inline void memoom_cmocka_print(const char *text)
{
    const char *line;
    int length;

    while ((line = memoom_expect_line(&text, &length)))
        print_error("%.*s\n", length < 1000 ? length : 1000, line);
}

#define MEMOOM_ADAPTER_FAIL_(why)    \
    do {                             \
        memoom_cmocka_print(why);    \
        free(why);                   \
        fail();                      \
    } while (0)
#define MEMOOM_ADAPTER_SKIP_(why)              \
    do {                                       \
        print_message("skipped: %s\n", (why)); \
        free(why);                             \
        skip();                                \
    } while (0)

#endif

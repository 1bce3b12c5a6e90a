/*
 * What the adapters for test frameworks share: expectations that give NULL when they hold, and else a text of several
 * lines that says what was expected, what happened, and the whole account, to be freed by the caller.
 *
 * Header-only and optional; libmemoom knows nothing of it. C99 and C++11. Use it as it is for a framework that has no
 * adapter here.
 */
#ifndef MEMOOM_EXPECT_H
#define MEMOOM_EXPECT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memoom.h>

#if defined(__GNUC__)
#define MEMOOM_EXPECT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define MEMOOM_EXPECT_PRINTF(text, first)
#endif

/* Text from malloc; only a process without any memory gets NULL. */
MEMOOM_EXPECT_PRINTF(1, 2)
static inline char *memoom_expect_text(const char *format, ...)
{
    va_list arguments, again;
    char *text = NULL;
    int length;

    va_start(arguments, format);
    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0)
        text = (char *)malloc((size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

/* For frameworks that take one line at a time: the next line of *text and its length, or NULL after the last. */
static inline const char *memoom_expect_line(const char **text, int *ret_length)
{
    const char *line = *text;

    if (!line || !*line)
        return NULL;
    *ret_length = (int)strcspn(line, "\n");
    *text = line + *ret_length + (line[*ret_length] == '\n');
    return line;
}

/* Whether a status says that this machine or user cannot do it, which is a skip and not a failure. */
static inline int memoom_expect_is_skip(memoom_status status)
{
    const char *required = getenv("MEMOOM_REQUIRE");

    return (status == MEMOOM_ERR_UNSUPPORTED || status == MEMOOM_ERR_PERMISSION_DENIED) &&
           !(required && strcmp(required, "1") == 0);
}

/* The call succeeded. Takes the error object in any case and leaves NULL there. */
static inline char *memoom_expect_ok(memoom_status status, memoom_error **error)
{
    const char *message = error ? memoom_error_message(*error) : NULL;
    char *text = NULL;

    if (status != MEMOOM_OK)
        text = memoom_expect_text("%s: %s", memoom_status_name(status), message ? message : "no error object was given");
    if (error) {
        memoom_error_free(*error);
        *error = NULL;
    }
    return text;
}

/* A lab can be made here; MEMOOM_OK, or the status with the reason in *ret_why, which is to be freed. */
static inline memoom_status memoom_expect_lab(char **ret_why)
{
    memoom_lab_options options = MEMOOM_LAB_OPTIONS_INIT;
    memoom_lab *lab = NULL;
    memoom_error *error = NULL;
    memoom_status status;

    /* The sources of evidence make no difference to whether there can be one. */
    options.flags = MEMOOM_LAB_NO_KERNEL_LOG | MEMOOM_LAB_NO_CALL_PATH;
    status = memoom_lab_create(&options, &lab, &error);
    memoom_lab_free(lab);
    *ret_why = memoom_expect_ok(status, &error);
    return status;
}

/* What happened, under what was expected. */
static inline char *memoom_expect_failed(const memoom_outcome *outcome, const char *expected)
{
    const char *text = memoom_outcome_to_text(outcome);

    return memoom_expect_text("expected: %s\nhappened: %s", expected, text ? text : "there is no outcome (NULL)");
}

/* The worker ended in that way. */
static inline char *memoom_expect_verdict(const memoom_outcome *outcome, memoom_verdict verdict)
{
    static const char *const names[] = {"something else", "killed by an OOM", "killed, and not by an OOM",
                                        "exited by itself", "killed at its deadline"};

    if (outcome && memoom_outcome_verdict(outcome) == verdict)
        return NULL;
    return memoom_expect_failed(outcome, verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : names[0]);
}

/* An OOM killed the worker, by the kernel's own word: that SIGKILL ended it is not enough. */
static inline char *memoom_expect_oom_killed(const memoom_outcome *outcome)
{
    return memoom_expect_verdict(outcome, MEMOOM_VERDICT_OOM_KILLED);
}

/* The worker ended by itself with that exit code. */
static inline char *memoom_expect_exited(const memoom_outcome *outcome, int32_t code)
{
    char expected[48];

    if (outcome && memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_EXITED && memoom_outcome_returncode(outcome) == code)
        return NULL;
    snprintf(expected, sizeof(expected), "exited by itself with %d", (int)code);
    return memoom_expect_failed(outcome, expected);
}

/* That process is among the victims of the OOM. */
static inline char *memoom_expect_victim(const memoom_oom *oom, int32_t pid)
{
    const char *text = memoom_oom_to_text(oom);

    if (memoom_oom_killed(oom, pid))
        return NULL;
    return memoom_expect_text("expected: pid %d is a victim\nhappened: %s", (int)pid, text ? text : "there is no OOM (NULL)");
}

/* The OOM struck at a limit of so many bytes. */
static inline char *memoom_expect_limit(const memoom_oom *oom, uint64_t bytes)
{
    const char *text = memoom_oom_to_text(oom);

    if (oom && memoom_oom_limit_bytes(oom) == bytes)
        return NULL;
    return memoom_expect_text("expected: the limit of %llu bytes was hit\nhappened: %s", (unsigned long long)bytes,
                              text ? text : "there is no OOM (NULL)");
}

#endif

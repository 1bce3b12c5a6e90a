/*
 * What a program gets that has closed its standard input, output or error: no file of the lab takes their numbers, where
 * the program's next print would go into it, and a command finds /dev/null there.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define SECOND ((uint64_t)1000000000)

static const char *const names[] = {"", "0", "1", "0 and 1", "2", "0 and 2", "1 and 2", "0, 1 and 2"};

/* Whether what a command finds at that number is /dev/null. */
static int finds_null(const memoom_group *group, int number)
{
    char script[64];
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    memoom_worker *worker = NULL;
    memoom_outcome *outcome = NULL;
    int found = 0;

    snprintf(script, sizeof script, "test /proc/$$/fd/%d -ef /dev/null", number);
    if (memoom_command_spawn(group, argv, NULL, &worker, NULL) == MEMOOM_OK &&
        memoom_worker_wait(worker, 60 * SECOND, &outcome, NULL) == MEMOOM_OK)
        found = memoom_outcome_returncode(outcome) == 0;
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
    return found;
}

/* In a process of its own: 0, or which of the promises does not hold. */
static int without(int closed)
{
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_watch *watch = NULL;
    int number, wrong = 0;

    for (number = 0; number < 3; number++)
        if (closed & 1 << number)
            close(number);
    if (memoom_lab_create(NULL, &lab, NULL) != MEMOOM_OK ||
        memoom_group_create(lab, "closed", NULL, &group, NULL) != MEMOOM_OK ||
        memoom_watch_open(group, &watch, NULL) != MEMOOM_OK)
        wrong = 1;
    for (number = 0; number < 3 && !wrong; number++) {
        if (!(closed & 1 << number))
            continue;
        if (write(number, "0\n", 2) != -1 || errno != EBADF)
            wrong = 2;
        else if (!finds_null(group, number))
            wrong = 3;
    }
    memoom_watch_free(watch);
    memoom_group_free(group);
    if (lab && memoom_lab_close(lab, NULL) != MEMOOM_OK)
        wrong = 4;
    memoom_lab_free(lab);
    for (number = 0; number < 3 && !wrong; number++)
        if (closed & 1 << number && fcntl(number, F_GETFD) != -1)
            wrong = 5;
    return wrong;
}

int main(void)
{
    memoom_lab *lab = NULL;
    int closed, status;
    char what[160];

    if (!lab_or_reason(&lab))
        return done();
    memoom_lab_free(lab);
    fflush(NULL);
    for (closed = 1; closed < 8; closed++) {
        pid_t child = fork();

        if (child == 0)
            _exit(without(closed));
        if (child < 0 || waitpid(child, &status, 0) != child)
            status = -1;
        snprintf(what, sizeof what,
                 "with %s closed nothing takes the number, a command has /dev/null, and it is closed after (status %d)",
                 names[closed], status);
        ok(status == 0, what);
    }
    return done();
}

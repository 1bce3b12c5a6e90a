/*
 * What memoom promises to the process that uses it, one function for each promise, to be run inside a real runner of each
 * framework. Each gives NULL when the promise is kept, else what was seen. C99 and C++11.
 */
#ifndef PROMISES_H
#define PROMISES_H

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memoom.h>

#define PROMISE_MIB ((size_t)1 << 20)

static char promise_text[4096];

static inline const char *promise_broken(const char *what, memoom_error *error)
{
    const char *message = memoom_error_message(error);

    snprintf(promise_text, sizeof(promise_text), "%s (errno %d: %s)%s%s", what, errno, strerror(errno), error ? ": " : "",
             message ? message : "");
    memoom_error_free(error);
    return promise_text;
}

#define PROMISE(holds, what)                         \
    do {                                             \
        errno = 0;                                   \
        if (!(holds))                                \
            return promise_broken((what), NULL);     \
    } while (0)

/* Writes to as many bytes as the argument says; with mmap, so that any process may run it. */
static inline int32_t promise_fill(void *argument)
{
    size_t bytes = *(size_t *)argument, at;
    char *memory = (char *)mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == (char *)MAP_FAILED)
        return 99;
    for (at = 0; at < bytes; at += 4096)
        ((volatile char *)memory)[at] = 1;
    return 0;
}

static inline int32_t promise_sleep(void *argument)
{
    (void)argument;
    for (;;)
        pause();
    return 0;
}

/* A command that exits with 3, and a function that is OOM-killed: what every other promise is tried with. */
static inline const char *promise_runs(void)
{
    const char *const argv[] = {"/bin/sh", "-c", "exit 3", NULL};
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    size_t bytes = 64 * PROMISE_MIB;
    int held;

    options.limit_bytes = 16 * PROMISE_MIB;
    if (memoom_run(argv, &options, &outcome, &error) != MEMOOM_OK)
        return promise_broken("memoom_run", error);
    held = memoom_outcome_returncode(outcome) == 3;
    memoom_outcome_free(outcome);
    if (!held)
        return "the command's exit code is not 3";
    if (memoom_run_function(promise_fill, &bytes, &options, &outcome, &error) != MEMOOM_OK)
        return promise_broken("memoom_run_function", error);
    held = memoom_outcome_oom_killed(outcome) && memoom_oom_killed(memoom_outcome_oom(outcome), memoom_outcome_pid(outcome));
    if (!held)
        snprintf(promise_text, sizeof(promise_text), "the function was not OOM-killed: %.3000s", memoom_outcome_to_text(outcome));
    memoom_outcome_free(outcome);
    return held ? NULL : promise_text;
}

/* In a forked child, which gives its finding over a pipe. */
static inline const char *promise_in_child(const char *(*keep)(void))
{
    int fds[2], status = 0;
    ssize_t length, got = 0;
    pid_t pid;

    if (pipe(fds) < 0)
        return "pipe";
    pid = fork();
    if (pid == 0) {
        const char *broken;
        int to = fcntl(fds[1], F_DUPFD_CLOEXEC, 10);

        close(fds[0]);
        close(fds[1]);
        broken = keep();
        if (broken && write(to, broken, strlen(broken)) < 0)
            _exit(2);
        _exit(broken ? 1 : 0);
    }
    close(fds[1]);
    while ((length = read(fds[0], promise_text + got, sizeof(promise_text) - 1 - (size_t)got)) > 0)
        got += length;
    promise_text[got] = '\0';
    close(fds[0]);
    if (waitpid(pid, &status, 0) != pid)
        return promise_broken("waitpid", NULL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    if (got == 0)
        snprintf(promise_text, sizeof(promise_text), "the child ended with status %x", (unsigned)status);
    return promise_text;
}

static inline int promise_children(int more)
{
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | more) < 0)
        return errno == ECHILD ? 0 : -1;
    return info.si_pid ? 2 : 1;
}

/* No zombie is ever seen, by any wait, while a lab is open; and no child is left when it is closed. */
static inline const char *promise_no_zombie(void)
{
    const char *const argv[] = {"/bin/sh", "-c", "exit 0", NULL};
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *workers[3] = {NULL, NULL, NULL};
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    const char *broken = promise_runs();
    int i;

    if (broken)
        return broken;
    PROMISE(promise_children(__WALL) == 0, "memoom_run has left a child");
    if (memoom_lab_create(NULL, &lab, &error) != MEMOOM_OK || memoom_group_create(lab, NULL, NULL, &group, &error) != MEMOOM_OK ||
        memoom_command_spawn(group, argv, NULL, &workers[0], &error) != MEMOOM_OK ||
        memoom_hog_spawn(group, NULL, &workers[1], &error) != MEMOOM_OK ||
        memoom_function_spawn(group, promise_sleep, NULL, NULL, &workers[2], &error) != MEMOOM_OK)
        return promise_broken("lab", error);
    for (i = 0; i < 3; i++) {
        struct pollfd ended;

        ended.fd = memoom_worker_pidfd(workers[i]);
        ended.events = POLLIN;
        if (memoom_worker_kill(workers[i], &error) != MEMOOM_OK)
            return promise_broken("kill", error);
        PROMISE(poll(&ended, 1, 60000) == 1, "a worker does not end");
        PROMISE(promise_children(0) == 1, "an ended worker is a zombie that waitpid(-1) sees");
        if (memoom_worker_wait(workers[i], MEMOOM_FOREVER, &outcome, &error) != MEMOOM_OK)
            return promise_broken("wait", error);
        PROMISE(promise_children(__WALL) == 1, "an ended worker is a zombie");
        memoom_outcome_free(outcome);
        memoom_worker_free(workers[i]);
    }
    memoom_group_free(group);
    memoom_lab_free(lab);
    PROMISE(promise_children(__WALL) == 0, "the lab has left a child");
    return NULL;
}

/* Nothing is left for who reaps every child, and thinks ill of one that was signalled: LTP's tst_reap_children. */
static inline const char *promise_nothing_to_reap(void)
{
    const char *broken = promise_runs();
    int status;

    if (broken)
        return broken;
    for (;;) {
        pid_t pid = wait(&status);

        if (pid > 0) {
            snprintf(promise_text, sizeof(promise_text), "child %d was left, status %x", (int)pid, (unsigned)status);
            return promise_text;
        }
        if (errno == ECHILD)
            return NULL;
        PROMISE(errno == EINTR, "wait");
    }
}

static inline const char *promise_sigchld_ignored(void)
{
    struct sigaction ignore, before;
    const char *broken;

    memset(&ignore, 0, sizeof(ignore));
    ignore.sa_handler = SIG_IGN;
    PROMISE(sigaction(SIGCHLD, &ignore, &before) == 0, "sigaction");
    broken = promise_runs();
    PROMISE(sigaction(SIGCHLD, &before, NULL) == 0, "sigaction");
    return broken;
}

static inline void *promise_thread_body(void *argument)
{
    (void)argument;
    return (void *)promise_runs();
}

static inline const char *promise_from_thread(void)
{
    pthread_t thread;
    void *broken = NULL;

    PROMISE(pthread_create(&thread, NULL, promise_thread_body, NULL) == 0, "pthread_create");
    PROMISE(pthread_join(thread, &broken) == 0, "pthread_join");
    return (const char *)broken;
}

static memoom_lab *promise_parents_lab;

static inline const char *promise_in_fork(void)
{
    memoom_group *group = NULL;
    memoom_error *error = NULL;
    const char *broken;

    PROMISE(memoom_group_create(promise_parents_lab, "child", NULL, &group, &error) == MEMOOM_ERR_CLOSED,
            "the parent's lab is not closed to the child");
    memoom_error_free(error);
    broken = promise_runs();
    memoom_lab_free(promise_parents_lab);
    return broken;
}

/* A forked child cannot touch the parent's lab, and has labs of its own. */
static inline const char *promise_after_fork(void)
{
    memoom_group *group = NULL;
    memoom_error *error = NULL;
    const char *broken;

    if (memoom_lab_create(NULL, &promise_parents_lab, &error) != MEMOOM_OK)
        return promise_broken("lab", error);
    broken = promise_in_child(promise_in_fork);
    if (!broken && memoom_group_create(promise_parents_lab, "parent", NULL, &group, &error) != MEMOOM_OK)
        broken = promise_broken("the parent's lab was harmed", error);
    memoom_group_free(group);
    memoom_lab_free(promise_parents_lab);
    return broken;
}

static inline const char *promise_gib_resident(void)
{
    size_t bytes = 1024 * PROMISE_MIB;
    char *memory = (char *)mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const char *broken;

    PROMISE(memory != (char *)MAP_FAILED, "mmap");
    memset(memory, 1, bytes);
    broken = promise_runs();
    munmap(memory, bytes);
    return broken;
}

static inline const char *promise_without_stdio(void)
{
    const char *broken;
    int fd;

    for (fd = 0; fd < 3; fd++)
        close(fd);
    broken = promise_runs();
    for (fd = 0; fd < 3 && !broken; fd++)
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            broken = "a closed standard descriptor has come back as something else";
    return broken;
}

static inline const char *promise_closed_stdio(void)
{
    return promise_in_child(promise_without_stdio);
}

static inline int promise_open_fds(int *ret_highest)
{
    int fd, count = 0;

    for (fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) != -1) {
            count++;
            *ret_highest = fd;
        }
    return count;
}

static inline const char *promise_few_fds(void)
{
    const char *const argv[] = {"/bin/true", NULL};
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    struct rlimit limit;
    int highest = 0, count = promise_open_fds(&highest), more;
    memoom_status status;
    const char *broken;

    PROMISE(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = (rlim_t)highest + 33;
    PROMISE(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    broken = promise_runs();
    if (broken)
        return broken;
    /* Its lab may have left those of the tracepoints for the next one. */
    count = promise_open_fds(&highest);
    /* With fewer it fails at some point or other; never by leaving something. */
    for (more = 1; more < 12; more++) {
        limit.rlim_cur = (rlim_t)highest + (rlim_t)more;
        PROMISE(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
        status = memoom_run(argv, NULL, &outcome, &error);
        if (status == MEMOOM_OK) {
            memoom_outcome_free(outcome);
            outcome = NULL;
        } else if (memoom_error_errno(error) != EMFILE && !strstr(memoom_error_message(error), "Too many open files")) {
            return promise_broken("with too few descriptors it fails by something else", error);
        }
        memoom_error_free(error);
        error = NULL;
        limit.rlim_cur = 256;
        PROMISE(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
        PROMISE(promise_open_fds(&highest) == count, "a failed call has left a descriptor");
        PROMISE(promise_children(__WALL) == 0, "a failed call has left a child");
    }
    return NULL;
}

static inline const char *promise_tight_nofile(void)
{
    return promise_in_child(promise_few_fds);
}

static char promise_procs[4200];

static inline const char *promise_in_limited_group(void)
{
    int fd = open(promise_procs, O_WRONLY | O_CLOEXEC);
    const char *broken;

    PROMISE(fd >= 0 && write(fd, "0", 1) == 1, "entering the group");
    close(fd);
    broken = promise_runs();
    /* That group is a lab's, whose limit holds for labs made in it. On v2 no group can be made below a process, and then
     * the call has said so, with what to do. */
    if (broken && strstr(broken, "processes stand in it") && strstr(broken, "remedy: "))
        return NULL;
    return broken;
}

/* The caller stands itself in a group with a limit, which is not the one that is hit. */
static inline const char *promise_own_limit(void)
{
    memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_error *error = NULL;
    memoom_counters counters = MEMOOM_COUNTERS_INIT;
    const char *broken;

    options.limit_bytes = 128 * PROMISE_MIB;
    if (memoom_lab_create(NULL, &lab, &error) != MEMOOM_OK || memoom_group_create(lab, "caller", &options, &group, &error) != MEMOOM_OK)
        return promise_broken("lab", error);
    snprintf(promise_procs, sizeof(promise_procs), "%s/cgroup.procs", memoom_group_path(group));
    broken = promise_in_child(promise_in_limited_group);
    if (!broken && (memoom_group_counters(group, &counters, NULL) != MEMOOM_OK || counters.oom_kill != 0))
        broken = "the caller's own group had an OOM";
    memoom_group_free(group);
    memoom_lab_free(lab);
    return broken;
}

/* What a process has that a library could change. */
struct promise_state {
    struct sigaction actions[65];
    sigset_t mask;
    char *environment;
    char locale[512], directory[4096], name[32], score[16];
    struct rlimit limits[16];
    mode_t umask;
    pid_t group, session;
    int priority, subreaper, death_signal, dumpable;
    struct itimerval timers[3];
};

static inline char *promise_environment(void)
{
    extern char **environ;
    size_t length = 1;
    char **one, *text;

    for (one = environ; *one; one++)
        length += strlen(*one) + 1;
    text = (char *)calloc(length, 1);
    for (one = environ; *one; one++)
        strcat(strcat(text, *one), "\n");
    return text;
}

static inline void promise_look(struct promise_state *state)
{
    FILE *score = fopen("/proc/self/oom_score_adj", "re");
    int i;

    memset(state, 0, sizeof(*state));
    for (i = 1; i < 65; i++) {
        struct sigaction action;

        memset(&action, 0, sizeof(action));
        /* Of a mask the kernel knows 64 bits, and the restorer is the C library's own business. */
        if (sigaction(i, NULL, &action) == 0) {
            state->actions[i].sa_handler = action.sa_handler;
            state->actions[i].sa_flags = action.sa_flags;
            memcpy(&state->actions[i].sa_mask, &action.sa_mask, 8);
        }
    }
    sigemptyset(&state->mask);
    pthread_sigmask(SIG_SETMASK, NULL, &state->mask);
    state->environment = promise_environment();
    snprintf(state->locale, sizeof(state->locale), "%s", setlocale(LC_ALL, NULL));
    if (!getcwd(state->directory, sizeof(state->directory)))
        state->directory[0] = '?';
    prctl(PR_GET_NAME, state->name);
    if (score && !fgets(state->score, sizeof(state->score), score))
        state->score[0] = '?';
    if (score)
        fclose(score);
    for (i = 0; i < 16; i++)
        getrlimit((__rlimit_resource_t)i, &state->limits[i]);
    state->umask = umask(0);
    umask(state->umask);
    state->group = getpgrp();
    state->session = getsid(0);
    state->priority = getpriority(PRIO_PROCESS, 0);
    prctl(PR_GET_CHILD_SUBREAPER, &state->subreaper);
    prctl(PR_GET_PDEATHSIG, &state->death_signal);
    state->dumpable = prctl(PR_GET_DUMPABLE);
    for (i = 0; i < 3; i++) {
        getitimer((__itimer_which_t)i, &state->timers[i]);
        /* How much is left changes by itself; whether it runs, and its interval, do not. */
        state->timers[i].it_value.tv_sec = state->timers[i].it_value.tv_sec || state->timers[i].it_value.tv_usec;
        state->timers[i].it_value.tv_usec = 0;
    }
}

static inline const char *promise_untouched(void)
{
    static struct promise_state before, after;
    struct itimerval alarm_of_ours, old;
    const char *broken = NULL;
    int i;

    /* An alarm of the caller's goes on. */
    memset(&alarm_of_ours, 0, sizeof(alarm_of_ours));
    alarm_of_ours.it_value.tv_sec = 3000;
    setitimer(ITIMER_REAL, &alarm_of_ours, &old);
    promise_look(&before);
    broken = promise_runs();
    promise_look(&after);
    setitimer(ITIMER_REAL, &old, NULL);
    if (broken)
        return broken;
    if (strcmp(before.environment, after.environment) != 0)
        broken = "the environment has changed";
    free(before.environment);
    free(after.environment);
    before.environment = after.environment = NULL;
    for (i = 1; i < 65; i++)
        if (memcmp(&before.actions[i], &after.actions[i], sizeof(before.actions[i])) != 0) {
            snprintf(promise_text, sizeof(promise_text), "the handler of signal %d has changed: from %p, flags %x, to %p, flags %x", i,
                     (void *)before.actions[i].sa_handler, (unsigned)before.actions[i].sa_flags,
                     (void *)after.actions[i].sa_handler, (unsigned)after.actions[i].sa_flags);
            return promise_text;
        }
    if (broken)
        return broken;
    if (memcmp(&before.mask, &after.mask, sizeof(before.mask)) != 0)
        broken = "the signal mask has changed";
    else if (memcmp(before.timers, after.timers, sizeof(before.timers)) != 0)
        broken = "an alarm has changed";
    else if (memcmp(before.locale, after.locale, sizeof(before.locale)) != 0)
        broken = "the locale has changed";
    else if (!broken && memcmp(&before, &after, sizeof(before)) != 0)
        broken = "directory, name, limits, umask, process group, session, priority or oom_score_adj has changed";
    return broken;
}

static inline const char *promise_no_fd_leak(void)
{
    const char *const argv[] = {"/bin/sh", "-c", "for fd in /proc/$$/fd/*; do echo \"${fd##*/}\"; done", NULL};
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    char listed[1024] = "";
    int fds[2], highest = 0, before, leaked;
    ssize_t length;
    const char *broken;
    char *one;

    PROMISE(pipe(fds) == 0, "pipe");
    /* From its first lab on a process keeps the descriptors of the tracepoints, switched off. */
    broken = promise_runs();
    if (broken)
        return broken;
    /* A descriptor of the caller's that every program that it executes would inherit. */
    leaked = fcntl(fds[0], F_DUPFD, 200);
    before = promise_open_fds(&highest);
    options.stdout_fd = fds[1];
    if (memoom_run(argv, &options, &outcome, &error) != MEMOOM_OK)
        return promise_broken("memoom_run", error);
    memoom_outcome_free(outcome);
    PROMISE(promise_open_fds(&highest) == before, "memoom_run has left a descriptor open");
    length = read(fds[0], listed, sizeof(listed) - 1);
    PROMISE(length > 0, "nothing was listed");
    close(fds[0]);
    close(fds[1]);
    close(leaked);
    /* The shell may have one more open, of the directory that it reads. */
    for (one = strtok(listed, "\n"); one; one = strtok(NULL, "\n"))
        if (atoi(one) > 3) {
            snprintf(promise_text, sizeof(promise_text), "the command has descriptor %s", one);
            return promise_text;
        }
    return NULL;
}

/* name, what it says */
#define PROMISES(EACH)                                                                \
    EACH(no_zombie, "no zombie is ever seen")                                         \
    EACH(nothing_to_reap, "nothing is left for who reaps all children")               \
    EACH(sigchld_ignored, "SIGCHLD may be ignored")                                   \
    EACH(from_thread, "it may be called from a thread")                               \
    EACH(after_fork, "a forked child has labs of its own, and not the parent's")      \
    EACH(gib_resident, "the caller may have 1 GiB resident")                          \
    EACH(closed_stdio, "descriptors 0 to 2 may be closed, and stay so")               \
    EACH(tight_nofile, "few descriptors are enough, and too few leave nothing")       \
    EACH(own_limit, "the caller may stand in a group with a limit")                   \
    EACH(untouched, "handlers, mask, alarm, environment, locale and more stay")       \
    EACH(no_fd_leak, "no descriptor leaks into children")

/* Blocks in a lab with a hog, a command and a function, for the timeout of the framework; says first where the lab is. */
static inline void promise_hang(void)
{
    const char *const argv[] = {"/bin/sh", "-c", "while :; do sleep 1000; done", NULL};
    const char *told = getenv("PROMISE_HANG");
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *workers[3] = {NULL, NULL, NULL};
    FILE *file = told ? fopen(told, "we") : NULL;

    if (!file || memoom_lab_create(NULL, &lab, NULL) != MEMOOM_OK || memoom_group_create(lab, NULL, NULL, &group, NULL) != MEMOOM_OK ||
        memoom_command_spawn(group, argv, NULL, &workers[0], NULL) != MEMOOM_OK ||
        memoom_hog_spawn(group, NULL, &workers[1], NULL) != MEMOOM_OK ||
        memoom_function_spawn(group, promise_sleep, NULL, NULL, &workers[2], NULL) != MEMOOM_OK)
        abort();
    fprintf(file, "%s %d %d %d\n", memoom_lab_path(lab), (int)memoom_worker_pid(workers[0]),
            (int)memoom_worker_pid(workers[1]), (int)memoom_worker_pid(workers[2]));
    fclose(file);
    for (;;)
        pause();
}

#endif

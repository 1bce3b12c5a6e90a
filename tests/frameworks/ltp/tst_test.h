/*
 * The part of the LTP's library that its memory-cgroup tests use, written anew for the tests here: one process that
 * watches, protected from the OOM killer (oom_score_adj -1000, which the test inherits), one process group for the test,
 * killed as a whole at the timeout, every child reaped after each test function, and one that a signal ended is a failure.
 */
#ifndef TST_TEST_H
#define TST_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TPASS 0
#define TFAIL 1
#define TBROK 2
#define TWARN 4
#define TINFO 16
#define TCONF 32

struct tst_test {
    unsigned int tcnt;
    int timeout;
    void (*setup)(void);
    void (*cleanup)(void);
    void (*test_all)(void);
    void (*test)(unsigned int number);
};

static struct tst_test test;
struct tst_results {
    int passed, failed, broken, skipped, warnings;
};
static struct tst_results *tst_results_;
static pid_t tst_main_pid_;
static volatile pid_t tst_test_pid_;

static inline void tst_vres_(const char *file, int line, int type, const char *format, va_list arguments)
{
    const char *name = type == TPASS ? "TPASS" : type == TFAIL ? "TFAIL" : type == TBROK ? "TBROK" :
                       type == TCONF ? "TCONF" : type == TWARN ? "TWARN" : "TINFO";
    int *count = type == TPASS ? &tst_results_->passed : type == TFAIL ? &tst_results_->failed :
                 type == TBROK ? &tst_results_->broken : type == TCONF ? &tst_results_->skipped :
                 type == TWARN ? &tst_results_->warnings : NULL;

    if (count)
        __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
    fprintf(stderr, "%s:%d: %s: ", file, line, name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
}

__attribute__((format(printf, 4, 5))) static inline void tst_res_(const char *file, int line, int type, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    tst_vres_(file, line, type, format, arguments);
    va_end(arguments);
}

__attribute__((noreturn, format(printf, 4, 5))) static inline void tst_brk_(const char *file, int line, int type,
                                                                            const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    tst_vres_(file, line, type, format, arguments);
    va_end(arguments);
    if (getpid() == tst_main_pid_ && test.cleanup)
        test.cleanup();
    exit(type);
}

#define tst_res(type, ...) tst_res_(__FILE__, __LINE__, (type), __VA_ARGS__)
#define tst_brk(type, ...) tst_brk_(__FILE__, __LINE__, (type), __VA_ARGS__)

static inline void tst_reap_children(void)
{
    int status;
    pid_t pid;

    for (;;) {
        pid = wait(&status);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0 && errno == ECHILD)
            return;
        if (pid < 0)
            tst_brk(TBROK, "wait() failed");
        if (WIFSIGNALED(status))
            tst_brk(TBROK, "Child (%d) killed by signal %d", (int)pid, WTERMSIG(status));
        if (WIFEXITED(status) && WEXITSTATUS(status))
            tst_brk(TBROK, "Invalid child (%d) exit value %d", (int)pid, WEXITSTATUS(status));
    }
}

static inline pid_t tst_fork_(const char *file, int line)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid < 0)
        tst_brk_(file, line, TBROK, "fork() failed: %s", strerror(errno));
    return pid;
}
#define SAFE_FORK() tst_fork_(__FILE__, __LINE__)

__attribute__((format(printf, 4, 5))) static inline void tst_file_printf_(const char *file, int line, const char *path,
                                                                          const char *format, ...)
{
    va_list arguments;
    FILE *to = fopen(path, "we");
    int failed;

    if (!to)
        tst_brk_(file, line, TBROK, "open(%s): %s", path, strerror(errno));
    va_start(arguments, format);
    failed = vfprintf(to, format, arguments) < 0;
    va_end(arguments);
    if (fclose(to) != 0 || failed)
        tst_brk_(file, line, TBROK, "write(%s): %s", path, strerror(errno));
}
#define SAFE_FILE_PRINTF(path, ...) tst_file_printf_(__FILE__, __LINE__, (path), __VA_ARGS__)

static inline void tst_run_(void)
{
    unsigned int i;

    tst_main_pid_ = getpid();
    setpgid(0, 0);
    if (test.setup)
        test.setup();
    for (i = 0; i < (test.test ? test.tcnt : 1); i++) {
        if (test.test)
            test.test(i);
        else
            test.test_all();
        if (getpid() != tst_main_pid_)
            exit(0);
        tst_reap_children();
    }
    if (test.cleanup)
        test.cleanup();
    exit(0);
}

static inline void tst_alarm_(int number)
{
    static const char said[] = "Test timeouted, sending SIGKILL!\n";

    (void)number;
    if (write(2, said, sizeof(said) - 1) > 0)
        kill(-tst_test_pid_, SIGKILL);
}

int main(void)
{
    FILE *score = fopen("/proc/self/oom_score_adj", "we");
    int status = 0;

    if (score) {
        fprintf(score, "-1000");
        fclose(score);
    }
    tst_results_ = (struct tst_results *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    signal(SIGALRM, tst_alarm_);
    tst_test_pid_ = fork();
    if (tst_test_pid_ == 0)
        tst_run_();
    setpgid(tst_test_pid_, tst_test_pid_);
    alarm((unsigned int)(test.timeout ? test.timeout : 300));
    while (waitpid(tst_test_pid_, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "TBROK: Test killed by signal %d\n", WTERMSIG(status));
        tst_results_->broken++;
    }
    fprintf(stderr, "\nSummary:\npassed   %d\nfailed   %d\nbroken   %d\nskipped  %d\nwarnings %d\n", tst_results_->passed,
            tst_results_->failed, tst_results_->broken, tst_results_->skipped, tst_results_->warnings);
    return (tst_results_->failed ? TFAIL : 0) | (tst_results_->broken ? TBROK : 0) |
           (tst_results_->warnings ? TWARN : 0) |
           (!tst_results_->passed && !tst_results_->failed && !tst_results_->broken && tst_results_->skipped ? TCONF : 0);
}

#endif

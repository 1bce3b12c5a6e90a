/* The floor of hearing of a death: a process of nothing is killed by its pidfd, and the pidfd is polled until it has ended.
 *
 * cc -O2 -o death death.c && ./death COUNT
 *
 * Prints the microseconds from the signal to the wake-up, one a line.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 100;
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (;;) pause();
        }
        int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0) {
            perror("pidfd_open");
            return 1;
        }
        usleep(1000); /* it has come to its pause */
        struct pollfd fd = {.fd = pidfd, .events = POLLIN};
        double start = now_us();
        if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) != 0 || poll(&fd, 1, -1) != 1) {
            perror("kill");
            return 1;
        }
        printf("%.1f\n", now_us() - start);
        close(pidfd);
        if (waitpid(pid, NULL, 0) != pid) return 1;
    }
    return 0;
}

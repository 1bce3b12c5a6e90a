/* The floor of a step of a hog: one eventfd wakes a process that takes one page more, another one tells that it has.
 *
 * cc -O2 -o round round.c && ./round COUNT
 *
 * Prints the microseconds of each round trip, one a line.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 100;
    int there = eventfd(0, EFD_CLOEXEC), back = eventfd(0, EFD_CLOEXEC);
    uint64_t one = 1, got;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char *memory = mmap(NULL, (size_t)count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) _exit(1);
        for (int i = 0; i < count; i++) {
            if (read(there, &got, sizeof got) != sizeof got) _exit(1);
            ((volatile char *)memory)[(size_t)i * 4096] = 1;
            if (write(back, &one, sizeof one) != sizeof one) _exit(1);
        }
        _exit(0);
    }
    if (pid < 0 || there < 0 || back < 0) {
        perror("round");
        return 1;
    }
    for (int i = 0; i < count; i++) {
        double start = now_us();
        if (write(there, &one, sizeof one) != sizeof one || read(back, &got, sizeof got) != sizeof got) {
            perror("eventfd");
            return 1;
        }
        printf("%.1f\n", now_us() - start);
    }
    return waitpid(pid, NULL, 0) == pid ? 0 : 1;
}

/* The floor of starting a program at all: fork, exec, wait of this program itself, which is to be linked statically.
 *
 * cc -O2 -static -o spawn spawn.c && ./spawn COUNT
 *
 * Prints the microseconds of each, one a line.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

int main(int argc, char **argv) {
    if (argc < 2) return 0;
    for (int i = 0; i < atoi(argv[1]); i++) {
        char *words[] = {argv[0], NULL}, *environment[] = {NULL};
        int status;
        double start = now_us();
        pid_t pid = fork();
        if (pid == 0) {
            execve("/proc/self/exe", words, environment);
            _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            perror("spawn");
            return 1;
        }
        printf("%.1f\n", now_us() - start);
    }
    return 0;
}

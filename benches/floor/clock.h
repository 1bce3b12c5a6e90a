/* The clock of the floors: microseconds, which no change of the time of day moves. */
#ifndef CLOCK_H
#define CLOCK_H

#include <time.h>

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

#endif

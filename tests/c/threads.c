/*
 * What the header promises of several threads that step, wait for and kill one hog: each gets the answer to its own step or
 * MEMOOM_ERR_BUSY at once, and no other status than those that its call names; signals end no wait. MEMOOM_THREADS_HOGS (6)
 * says how many hogs.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "tap.h"

#define MIB ((uint64_t)1 << 20)
#define MILLISECOND ((uint64_t)1000000)
#define SECOND ((uint64_t)1000000000)

static memoom_worker *hog;
static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
    (void)signal;
    alarms++;
}

/* How often each status came. */
struct seen {
    unsigned long of[16];
};

static void note(struct seen *seen, memoom_status status, memoom_error **error)
{
    seen->of[-status & 15]++;
    memoom_error_freep(error);
    *error = NULL;
}

static void *grows(void *argument)
{
    struct seen *seen = argument;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    memoom_status status;
    uint64_t bytes = 0;

    do {
        status = memoom_hog_grow(hog, MIB, SECOND, &grow, &error);
        note(seen, status, &error);
        if (status == MEMOOM_OK && grow.status == MEMOOM_GROW_GREW)
            note(seen, memoom_hog_shrink(hog, MIB, SECOND, &bytes, &error), &error);
    } while (status != MEMOOM_ERR_WORKER_GONE && grow.status != MEMOOM_GROW_KILLED);
    return NULL;
}

static void *finishes(void *argument)
{
    struct seen *seen = argument;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    memoom_status status;
    memoom_state state = 0;

    do {
        status = memoom_hog_finish(hog, MILLISECOND, &grow, &error);
        note(seen, status, &error);
    } while (status != MEMOOM_ERR_WORKER_GONE && grow.status != MEMOOM_GROW_KILLED &&
             memoom_worker_state(hog, &state, NULL) == MEMOOM_OK && state != 'Z' && state != 'X');
    return NULL;
}

static void *waits(void *argument)
{
    struct seen *seen = argument;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    memoom_status status;

    do {
        status = memoom_worker_wait(hog, 5 * MILLISECOND, &outcome, &error);
        note(seen, status, &error);
    } while (status == MEMOOM_ERR_TIMED_OUT);
    if (status == MEMOOM_OK)
        seen->of[15] = memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_KILLED;
    memoom_outcome_free(outcome);
    return NULL;
}

static unsigned long others(const struct seen *seen, unsigned long allowed)
{
    unsigned long count = 0;
    int status;

    for (status = 0; status < 15; status++)
        if (!(allowed >> status & 1))
            count += seen->of[status];
    return count;
}

#define IS(status) (1ul << -(status))

int main(void)
{
    const char *given = getenv("MEMOOM_THREADS_HOGS");
    unsigned long hogs = given ? strtoul(given, NULL, 10) : 6, at;
    const struct timespec moment = {0, 30000000};
    struct itimerval every = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    struct sigaction action;
    memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;
    struct seen grown[2], finished, waited[2];
    memoom_group *group = NULL;
    memoom_error *error = NULL;
    memoom_lab *lab = NULL;
    unsigned long wrong = 0, right = 0;

    memset(&action, 0, sizeof action);
    memset(grown, 0, sizeof grown);
    memset(&finished, 0, sizeof finished);
    memset(waited, 0, sizeof waited);
    action.sa_handler = on_alarm;
    if (!lab_or_reason(&lab))
        return done();
    options.limit_bytes = 64 * MIB;
    ok(memoom_group_create(lab, "threads", &options, &group, NULL) == MEMOOM_OK, "a group");
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (at = 0; at < hogs; at++) {
        pthread_t threads[5];
        struct timespec left = moment;
        int one;

        if (memoom_hog_spawn(group, NULL, &hog, &error) != MEMOOM_OK) {
            ok(0, memoom_error_message(error));
            break;
        }
        waited[0].of[15] = waited[1].of[15] = 0;
        pthread_create(&threads[0], NULL, grows, &grown[0]);
        pthread_create(&threads[1], NULL, grows, &grown[1]);
        pthread_create(&threads[2], NULL, finishes, &finished);
        pthread_create(&threads[3], NULL, waits, &waited[0]);
        pthread_create(&threads[4], NULL, waits, &waited[1]);
        /* Not an event that is waited for: so long they step before somebody kills the hog under them. */
        while (nanosleep(&left, &left) != 0)
            ;
        wrong += memoom_worker_kill(hog, NULL) != MEMOOM_OK;
        for (one = 0; one < 5; one++)
            pthread_join(threads[one], NULL);
        right += waited[0].of[15] + waited[1].of[15];
        memoom_worker_free(hog);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    printf("# grow: %lu answers, %lu busy, %lu gone, %lu timeouts; finish: %lu answers, %lu without a step; %d alarms\n",
           grown[0].of[0] + grown[1].of[0], grown[0].of[-MEMOOM_ERR_BUSY] + grown[1].of[-MEMOOM_ERR_BUSY],
           grown[0].of[-MEMOOM_ERR_WORKER_GONE] + grown[1].of[-MEMOOM_ERR_WORKER_GONE],
           grown[0].of[-MEMOOM_ERR_TIMED_OUT] + grown[1].of[-MEMOOM_ERR_TIMED_OUT], finished.of[0],
           finished.of[-MEMOOM_ERR_INVALID_INPUT], (int)alarms);
    for (at = 0; at < 2; at++) {
        ok(!others(&grown[at], IS(MEMOOM_OK) | IS(MEMOOM_ERR_BUSY) | IS(MEMOOM_ERR_WORKER_GONE) | IS(MEMOOM_ERR_TIMED_OUT)),
           "a step, and giving back, has its answer, busy, gone or timed-out");
        ok(!others(&waited[at], IS(MEMOOM_OK) | IS(MEMOOM_ERR_TIMED_OUT)), "a wait gives the outcome, or timed-out");
    }
    ok(!others(&finished, IS(MEMOOM_OK) | IS(MEMOOM_ERR_INVALID_INPUT) | IS(MEMOOM_ERR_WORKER_GONE) | IS(MEMOOM_ERR_TIMED_OUT)),
       "finish gives the answer, no step, gone or timed-out");
    ok(wrong == 0 && right == 2 * hogs, "each kill is given, and each waiter gets the verdict");
    ok(alarms > 0, "signals came meanwhile");
    memoom_group_free(group);
    ok(memoom_lab_close(lab, NULL) == MEMOOM_OK, "the lab is closed");
    memoom_lab_free(lab);
    return done();
}

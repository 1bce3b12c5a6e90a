/* What can be asked of a process in a group, and its end. */
#include "must.h"

#include <poll.h>
#include <unistd.h>

int main(void)
{
    memoom_ticker_options options = MEMOOM_TICKER_OPTIONS_INIT;
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *ticker = NULL, *other = NULL;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    memoom_state state = 0;
    struct pollfd end;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    options.name = "alive";
    options.every_ns = 10000000;
    must(memoom_ticker_spawn(group, &options, &ticker, &error), &error);
    must(memoom_ticker_spawn(group, NULL, &other, &error), &error);

    must(memoom_worker_state(ticker, &state, &error), &error);
    printf("%s (pid %d) is in state %c and has ticked %" PRIu64 " times\n", memoom_worker_name(ticker),
           (int)memoom_worker_pid(ticker), (char)state, memoom_worker_ticks(ticker));

    holds(memoom_worker_wait(ticker, 0, &outcome, NULL) == MEMOOM_ERR_TIMED_OUT, "it still runs");
    must(memoom_worker_signal(ticker, 15, &error), &error); /* SIGTERM */
    end.fd = memoom_worker_pidfd(ticker); /* for a poll loop of your own */
    end.events = POLLIN;
    holds(poll(&end, 1, 10000) == 1, "the descriptor is readable at its end");
    must(memoom_worker_wait(ticker, 10 * SECONDS, &outcome, &error), &error);
    holds(memoom_worker_ended(ticker) && memoom_outcome_returncode(outcome) == -15, "by signal 15");
    memoom_outcome_free(outcome);

    /* SIGTERM that came to this program from its parent, say, and is meant for the worker. */
    must(memoom_worker_pass_on(other, 15, (int32_t)getppid(), (uint32_t)getuid(), &error), &error);
    must(memoom_worker_wait(other, 10 * SECONDS, &outcome, &error), &error);
    printf("%s\n", memoom_outcome_to_short_text(outcome));
    memoom_outcome_free(outcome);

    must(memoom_worker_kill(other, &error), &error); /* it has ended: nothing happens */
    memoom_worker_free(ticker);
    memoom_worker_free(other);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return 0;
}

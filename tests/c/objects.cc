// memoom.hpp without a lab: an object that holds nothing (a wait that nothing ended, one that was moved from) says so and
// harms nobody, and a command line arrives as it was given.
#include <memoom.hpp>

#include "tap.h"

static void empty()
{
    memoom::oom oom;
    memoom::outcome outcome;
    memoom::worker worker;
    memoom::group group;

    ok(!oom && oom.text().empty() && oom.short_text().empty() && oom.json().empty() && !oom.killed(1), "no account");
    ok(!outcome && outcome.text().empty() && outcome.json().empty() && !outcome.oom_killed(), "no outcome");
    ok(!group && group.path().empty(), "no group");
    try {
        worker.kill();
        ok(0, "no worker is killed");
    } catch (const memoom::error &error) {
        ok(error.status() == MEMOOM_ERR_INVALID_INPUT && strstr(error.what(), "worker"), "no worker is killed");
    }
}

static void runs()
{
    const std::vector<std::string> argv = {"/bin/sh", "-c", "test \"$0\" = 'a b' && exit 5", "a b"};
    memoom_lab *lab = nullptr;

    if (!lab_or_reason(&lab))
        return;
    memoom_lab_free(lab);
    memoom::outcome outcome = memoom::run(argv, memoom::run_limit(64 << 20)), taken;
    ok(outcome.returncode() == 5, "a run has its words");
    taken = std::move(outcome);
    ok(!outcome && outcome.text().empty() && taken.verdict() == MEMOOM_VERDICT_EXITED, "an object is moved");
}

int main()
{
    empty();
    runs();
    return done();
}

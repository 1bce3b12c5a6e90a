// memoom.hpp: an object that holds nothing (a wait that nothing ended, one that was moved from) says so and harms nobody, a
// command line arrives as it was given, and a pod is what it is in C.
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

static memoom_status refused(void (*call)())
{
    try {
        call();
        return MEMOOM_OK;
    } catch (const memoom::error &error) {
        return error.status();
    }
}

static void empty_pods()
{
    memoom::pod pod;
    memoom::container container;

    ok(!pod && pod.qos().empty() && !pod.pause() && !pod.group().get() && pod.group().path().empty(), "no pod");
    ok(!container && container.kind().empty() && container.restarts() == 0 && !container.group().get(), "no container");
    ok(refused([] { memoom::pod().remove(); }) == MEMOOM_ERR_INVALID_INPUT, "no pod is removed");
    ok(refused([] { memoom::pod().container("c"); }) == MEMOOM_ERR_INVALID_INPUT, "nor has a container");
    ok(refused([] { memoom::container().resize(1); }) == MEMOOM_ERR_INVALID_INPUT, "which is not resized");
}

static void pods()
{
    const std::uint64_t mib = 1 << 20;
    memoom_lab *made = nullptr;

    if (!lab_or_reason(&made))
        return;
    memoom_lab_free(made);
    memoom::lab lab;
    memoom::pod pod = lab.pod("shop");
    memoom::container init = pod.container("setup", memoom::container_limit(16 * mib, MEMOOM_CONTAINER_INIT));
    memoom::container logs = pod.container("logs", memoom::container_limit(16 * mib, MEMOOM_CONTAINER_SIDECAR));
    memoom::container app = pod.container("app", memoom::container_limit(32 * mib)), moved;
    ok(pod.qos() == "guaranteed" && app.kind() == "app" && app.request_bytes() == 32 * mib, "they are what was told");
    ok(!memoom_worker_ended(pod.pause()) && app.oom_score_adj() <= 0, "the pause process runs");
    ok(app.group().path().find(pod.group().path() + "/") == 0, "a container stands in its pod");

    try {
        app.hog("early");
        ok(0, "an init container comes first");
    } catch (const memoom::error &error) {
        ok(error.status() == MEMOOM_ERR_BUSY, "an init container comes first");
    }
    ok(init.command({"/bin/sh", "-c", "exit 0"}).wait(std::chrono::seconds(60)).returncode() == 0, "it ends with 0");
    memoom::worker eats = logs.command({"/bin/sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"});
    std::pair<memoom::outcome, memoom::worker> again = logs.restart(std::chrono::seconds(60));
    ok(again.first.oom_killed() && again.second.pid() != eats.pid() && logs.restarts() == 1, "a sidecar is restarted");

    memoom::watch watch = app.group().watch();
    memoom::worker ticker = app.ticker("alive"), hog = app.hog("server");
    hog.grow(20 * mib);
    app.resize(48 * mib, 48 * mib);
    ok(hog.grow(20 * mib).status == MEMOOM_GROW_GREW, "a resize gives room at once");
    ok(hog.grow(20 * mib).status == MEMOOM_GROW_KILLED, "up to the new limit");
    memoom::oom oom = watch.wait_oom(std::chrono::seconds(60));
    ok(oom && oom.killed(hog.pid()), "which has an account");
    moved = std::move(app);
    ok(!app && moved.kind() == "app", "a container is moved");
    pod.remove();
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
    empty_pods();
    runs();
    pods();
    return done();
}

/* A pod as the kubelet lays it out: an init container, a sidecar, a container; an OOM, a restart and a resize. */
#include "must.h"

static memoom_container *container(memoom_pod *pod, const char *name, const char *kind, uint64_t limit_bytes)
{
    memoom_container_options options = MEMOOM_CONTAINER_OPTIONS_INIT;
    memoom_container *made = NULL;
    memoom_error *error = NULL;

    options.kind = kind; /* NULL: MEMOOM_CONTAINER_APP */
    options.limit_bytes = limit_bytes;
    options.request_bytes = limit_bytes / 2; /* without it, the limit: the pod would be guaranteed */
    must(memoom_container_create(pod, name, &options, &made, &error), &error);
    printf("%s: %s container, oom_score_adj %d, requests %" PRIu64 " MiB\n",
           memoom_group_name(memoom_container_group(made)), memoom_container_kind(made),
           (int)memoom_container_oom_score_adj(made), memoom_container_request_bytes(made) >> 20);
    return made;
}

static void in_order(memoom_container *init, memoom_container *sidecar)
{
    static const char *const ready[] = {"/bin/sh", "-c", "exit 0", NULL};
    static const char *const eats[] = {"/bin/sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done", NULL};
    memoom_outcome *outcome = NULL;
    memoom_worker *worker = NULL, *again = NULL;
    memoom_error *error = NULL;

    must(memoom_container_spawn_command(init, ready, NULL, &worker, &error), &error);
    must(memoom_worker_wait(worker, 60 * SECONDS, &outcome, &error), &error);
    holds(memoom_outcome_returncode(outcome) == 0, "the init container has ended with 0");
    memoom_outcome_freep(&outcome);
    memoom_worker_freep(&worker);

    must(memoom_container_spawn_command(sidecar, eats, NULL, &worker, &error), &error);
    must(memoom_container_restart(sidecar, 60 * SECONDS, &outcome, &again, &error), &error);
    holds(memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_OOM_KILLED, "its limit killed the sidecar");
    holds(memoom_container_restarts(sidecar) == 1, "and it runs again");
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
    memoom_worker_free(again);
}

static void resized(memoom_pod *pod, memoom_container *app)
{
    memoom_worker *hog = NULL, *ticker = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    uint64_t before = 0, after = 0;

    must(memoom_container_spawn_ticker(app, NULL, &ticker, &error), &error);
    must(memoom_container_spawn_hog(app, NULL, &hog, &error), &error);
    must(memoom_hog_grow(hog, 20 * MIB, 60 * SECONDS, &grow, &error), &error);
    must(memoom_group_limit(memoom_pod_group(pod), &before, &error), &error);
    must(memoom_container_resize(app, 48 * MIB, MEMOOM_UNCHANGED, 0, &error), &error);
    must(memoom_group_limit(memoom_pod_group(pod), &after, &error), &error);
    holds(after == before + 16 * MIB, "the pod's limit follows");
    must(memoom_hog_grow(hog, 20 * MIB, 60 * SECONDS, &grow, &error), &error);
    holds(grow.status == MEMOOM_GROW_GREW, "there is room at once");
    holds(memoom_container_resize(app, 32 * MIB, MEMOOM_UNCHANGED, 0, NULL) == MEMOOM_ERR_BUSY, "it holds more");
    must(memoom_hog_grow(hog, 20 * MIB, 60 * SECONDS, &grow, &error), &error);
    holds(grow.status == MEMOOM_GROW_KILLED, "the container's own limit");
    memoom_worker_free(hog);
    memoom_worker_free(ticker);
}

int main(void)
{
    memoom_pod_options options = MEMOOM_POD_OPTIONS_INIT;
    memoom_container *init, *sidecar, *app;
    memoom_lab *lab = NULL;
    memoom_pod *pod = NULL;
    memoom_error *error = NULL;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    options.node_bytes = 1024 * MIB; /* of which a request is a share; without it, the memory of this machine */
    must(memoom_pod_create(lab, "shop", &options, &pod, &error), &error);
    init = container(pod, "setup", MEMOOM_CONTAINER_INIT, 16 * MIB);
    sidecar = container(pod, "logs", MEMOOM_CONTAINER_SIDECAR, 16 * MIB);
    app = container(pod, "app", NULL, 32 * MIB);
    printf("the pod is %s\n", memoom_pod_qos(pod));
    in_order(init, sidecar);
    resized(pod, app);
    holds(!memoom_worker_ended(memoom_pod_pause(pod)), "the pause process has nothing to do with all that");
    must(memoom_pod_remove(pod, &error), &error);

    memoom_container_free(app);
    memoom_container_free(sidecar);
    memoom_container_free(init);
    memoom_pod_free(pod);
    memoom_lab_free(lab);
    return 0;
}

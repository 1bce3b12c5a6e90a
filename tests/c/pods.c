/*
 * Pods: the cases of the Kubernetes node suite, each as a few lines.
 */
#include "tap.h"

#define MIB ((uint64_t)1 << 20)
#define LONG ((uint64_t)120000000000) /* ns; nothing takes so long, also under emulation */
#define EATS "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"

static const char *const eats[] = {"/bin/sh", "-c", EATS, NULL};
static const char *const parent[] = {"/bin/sh", "-c", "sh -c '" EATS "'; test $? -eq 137", NULL};

static memoom_lab *lab;
static memoom_error *error;

/* What is made for one case, and freed after it. */
static memoom_pod *pod;
static memoom_container *containers[4];
static memoom_worker *workers[4];
static size_t container_count, worker_count;

static void must(memoom_status status, memoom_error **why)
{
    if (status == MEMOOM_OK)
        return;
    printf("Bail out! %s\n", memoom_error_message(*why));
    exit(1);
}

static memoom_container *container(const char *name, const char *kind, uint64_t limit_bytes)
{
    memoom_container_options options = MEMOOM_CONTAINER_OPTIONS_INIT;

    options.kind = kind;
    options.limit_bytes = limit_bytes;
    must(memoom_container_create(pod, name, &options, &containers[container_count], &error), &error);
    return containers[container_count++];
}

static memoom_worker *idle(memoom_container *in)
{
    must(memoom_container_spawn_ticker(in, NULL, &workers[worker_count], &error), &error);
    return workers[worker_count++];
}

static memoom_outcome *outcome_of(memoom_container *in, const char *const *argv)
{
    memoom_outcome *outcome = NULL;

    must(memoom_container_spawn_command(in, argv, NULL, &workers[worker_count], &error), &error);
    must(memoom_worker_wait(workers[worker_count++], LONG, &outcome, &error), &error);
    return outcome;
}

static int is_oom_killed(memoom_outcome *outcome)
{
    int it_is = memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_OOM_KILLED;

    memoom_outcome_free(outcome);
    return it_is;
}

static void begin(const memoom_pod_options *options)
{
    must(memoom_pod_create(lab, NULL, options, &pod, &error), &error);
}

static void end(void)
{
    must(memoom_pod_remove(pod, &error), &error);
    while (worker_count)
        memoom_worker_free(workers[--worker_count]);
    while (container_count)
        memoom_container_free(containers[--container_count]);
    memoom_pod_free(pod);
}

static void single_process(void)
{
    begin(NULL);
    memoom_container *app = container("app", MEMOOM_CONTAINER_APP, 16 * MIB);
    memoom_worker *beside = idle(container("other", MEMOOM_CONTAINER_APP, 16 * MIB));
    ok(strcmp(memoom_pod_qos(pod), "guaranteed") == 0, "without a request the limit is requested");
    ok(memoom_container_request_bytes(app) == 16 * MIB, "so much is requested");
    ok(is_oom_killed(outcome_of(app, eats)), "a single process is killed");
    ok(!memoom_worker_ended(beside) && !memoom_worker_ended(memoom_pod_pause(pod)), "nothing beside it is");
    end();
}

static void init_container(void)
{
    static const char *const works[] = {"/bin/sh", "-c", "exit 0", NULL};
    memoom_worker *worker = NULL;

    begin(NULL);
    memoom_container *init = container("init", MEMOOM_CONTAINER_INIT, 16 * MIB);
    memoom_container *app = container("app", NULL, 32 * MIB);
    ok(memoom_container_spawn_command(app, works, NULL, &worker, NULL) == MEMOOM_ERR_BUSY, "the init container is first");
    ok(is_oom_killed(outcome_of(init, eats)), "an init container is killed");
    ok(memoom_container_spawn_command(app, works, NULL, &worker, NULL) == MEMOOM_ERR_BUSY, "it has failed");
    memoom_outcome_free(outcome_of(init, works));
    ok(memoom_container_restarts(init) == 1, "it was started again");
    ok(!is_oom_killed(outcome_of(app, works)), "the app comes after it");
    end();
}

static void sidecar(void)
{
    memoom_outcome *outcome = NULL;

    begin(NULL);
    memoom_container *logs = container("logs", MEMOOM_CONTAINER_SIDECAR, 16 * MIB);
    memoom_container *app = container("app", NULL, 16 * MIB);
    must(memoom_container_spawn_command(logs, eats, NULL, &workers[worker_count++], &error), &error);
    memoom_worker *beside = idle(app);
    must(memoom_container_restart(logs, LONG, &outcome, &workers[worker_count++], &error), &error);
    ok(is_oom_killed(outcome) && memoom_container_restarts(logs) == 1, "a sidecar is killed, and runs again");
    ok(!memoom_worker_ended(beside), "the app has gone on");
    ok(memoom_container_restart(app, 0, &outcome, &workers[0], NULL) == MEMOOM_ERR_INVALID_INPUT, "a ticker is no command");
    end();
}

static void multi_process(uint32_t single)
{
    memoom_pod_options options = MEMOOM_POD_OPTIONS_INIT;

    options.single_process_oom_kill = single;
    begin(&options);
    memoom_container *app = container("app", NULL, 16 * MIB);
    /* cgroup v1 has no kill of a group. */
    int whole = !single && memoom_group_version(memoom_container_group(app)) == MEMOOM_CGROUP_V2;
    ok(is_oom_killed(outcome_of(app, parent)) == whole, whole ? "the whole container is killed" : "one process is killed");
    end();
}

static void resize(void)
{
    memoom_grow grow = MEMOOM_GROW_INIT;
    uint64_t limit = 0;

    begin(NULL);
    memoom_container *app = container("app", NULL, 32 * MIB);
    must(memoom_container_spawn_hog(app, NULL, &workers[worker_count++], &error), &error);
    must(memoom_hog_grow(workers[0], 24 * MIB, LONG, &grow, &error), &error);
    must(memoom_container_resize(app, 64 * MIB, MEMOOM_UNCHANGED, 0, &error), &error);
    must(memoom_group_limit(memoom_pod_group(pod), &limit, &error), &error);
    ok(limit == 64 * MIB, "the pod's limit follows upwards");
    must(memoom_hog_grow(workers[0], 24 * MIB, LONG, &grow, &error), &error);
    ok(grow.status == MEMOOM_GROW_GREW, "the room is there at once");
    ok(memoom_container_resize(app, 32 * MIB, MEMOOM_UNCHANGED, 0, NULL) == MEMOOM_ERR_BUSY, "downwards below the usage");
    must(memoom_hog_shrink(workers[0], 24 * MIB, LONG, &limit, &error), &error);
    must(memoom_container_resize(app, 40 * MIB, MEMOOM_UNCHANGED, 0, &error), &error);
    must(memoom_hog_grow(workers[0], 24 * MIB, LONG, &grow, &error), &error);
    ok(grow.status == MEMOOM_GROW_KILLED, "and downwards it holds");
    end();
}

static void refused(void)
{
    memoom_container_options options = MEMOOM_CONTAINER_OPTIONS_INIT;
    memoom_pod_options of_pod = MEMOOM_POD_OPTIONS_INIT;
    memoom_container *none = NULL;

    of_pod.single_process_oom_kill = 2;
    ok(memoom_pod_create(lab, "x", &of_pod, &pod, NULL) == MEMOOM_ERR_INVALID_INPUT, "neither 0 nor 1");
    begin(NULL);
    options.kind = "ambassador";
    ok(memoom_container_create(pod, "x", &options, &none, &error) == MEMOOM_ERR_INVALID_INPUT &&
           strstr(memoom_error_message(error), "app, init or sidecar"), "no such kind");
    memoom_error_freep(&error);
    options.kind = NULL;
    options.limit_bytes = MIB;
    options.request_bytes = 2 * MIB;
    ok(memoom_container_create(pod, "x", &options, &none, NULL) == MEMOOM_ERR_INVALID_INPUT, "a request above the limit");
    options.request_bytes = MEMOOM_UNLIMITED;
    ok(memoom_container_create(pod, "x", &options, &none, NULL) == MEMOOM_ERR_INVALID_INPUT, "a request without an end");
    memoom_container *app = container("app", NULL, 16 * MIB);
    ok(memoom_container_oom_score_adj(app) <= 0 && memoom_container_oom_score_adj(NULL) == MEMOOM_SCORE_UNKNOWN,
       "a guaranteed container is spared, as far as it may be");
    ok(memoom_container_resize(app, 16 * MIB, 8 * MIB, 0, NULL) == MEMOOM_ERR_INVALID_INPUT, "of another class");
    ok(memoom_container_resize(app, MEMOOM_UNCHANGED, 0, 0, NULL) == MEMOOM_ERR_INVALID_INPUT, "no limit is given");
    end();
}

int main(void)
{
    if (!lab_or_reason(&lab))
        return done();
    single_process();
    init_container();
    sidecar();
    multi_process(0);
    multi_process(1);
    resize();
    refused();
    memoom_lab_free(lab);
    return done();
}

/* What is behind the path of a group: a pod, a container, a unit. Nothing of this machine is asked. */
#include "must.h"

/* What the path does not tell is NULL. */
static void part(const char *name, const char *value)
{
    if (value)
        printf("  %-10s %s\n", name, value);
}

static void show(const char *path)
{
    memoom_workload *found = NULL;
    memoom_error *error = NULL;

    must(memoom_workload_of(path, &found, &error), &error);
    if (!found) {
        printf("%s: its names tell nothing\n", path);
        return;
    }
    printf("%s: %s (%s)\n", path, memoom_workload_words(found), memoom_workload_kind(found));
    part("made by", memoom_workload_runtime(found));
    part("unit", memoom_workload_unit(found));
    part("slice", memoom_workload_slice(found));
    part("container", memoom_workload_container_id(found));
    part("pod", memoom_workload_pod_uid(found));
    part("qos", memoom_workload_qos(found));
    part("name", memoom_workload_name(found));
    part("job", memoom_workload_job(found));
    part("step", memoom_workload_step(found));
    part("session", memoom_workload_session(found));
    part("below it", memoom_workload_below(found));
    if (memoom_workload_user(found) != MEMOOM_UNKNOWN)
        printf("  user       %" PRIu64 "\n", memoom_workload_user(found));
    part("more by", memoom_workload_ask(found));
    memoom_workload_free(found);
}

int main(int argc, char **argv)
{
    int i;

    show("/system.slice/nginx.service");
    show("/slurm/uid_1000/job_42/step_0/task_3");
    show("/user.slice/user-1000.slice/session-3.scope");
    show("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2cbd5d5f_b3a1_4c3d_9e52_4d7d6a0f8f11.slice/"
         "cri-containerd-3f5e0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7.scope");
    show("/anything");
    for (i = 1; i < argc; i++)
        show(argv[i]);
    return 0;
}

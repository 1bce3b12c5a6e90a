/*
 * The five experiments: two hogs take 10 MB in turn under a limit of 80M, beside a ticker.
 *
 * experiments [v1-kill | v1-block | v1-resume | v2-kill | v2-group]...
 *
 * Without arguments, those of this machine's hierarchy. Exits 0 only if every check held, 1 if not, 77 with the reason
 * where an experiment cannot run here.
 *
 * cc -std=c99 experiments.c -o experiments $(pkg-config --cflags --libs memoom)
 */
#include <signal.h>

#include "stage.h"

static memoom_group_options limits(void)
{
    memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;

    options.limit_bytes = LIMIT_BYTES;
    return options;
}

/* What holds for every kill. */
static void check_kill(struct stage *stage)
{
    const memoom_oom *oom = stage->oom;
    const memoom_victim *victim = memoom_oom_victim(oom);
    const memoom_report *report = memoom_oom_report(oom);
    memoom_error *error = NULL;
    uint64_t usage = 0;
    int named = 0;
    size_t i;

    check(stage, "a hog is the victim", victim && memoom_oom_invoker(oom) &&
          (victim->pid == memoom_worker_pid(stage->hogs[0]) || victim->pid == memoom_worker_pid(stage->hogs[1])));
    check(stage, "the kernel killed the predicted one", memoom_oom_predicted_right(oom) == 1);
    check(stage, "oom_kill rose", memoom_oom_counters_after(oom)->oom_kill > memoom_oom_counters_before(oom)->oom_kill);
    for (i = 0; i < memoom_report_kill_count(report); i++)
        named |= victim && memoom_report_kill_at(report, i)->pid == victim->pid;
    check(stage, "the kernel's report names the victim", named);
    check(stage, "the call path leads from the fault over the charge and the OOM to the kill",
          stage_path_has(oom, "fault") && stage_path_has(oom, "charge") && stage_path_has(oom, "oom") &&
          stage_path_has(oom, "kill"));
    must(memoom_group_usage(stage->group, &usage, &error), &error);
    check(stage, "the usage dropped", usage < LIMIT_BYTES - ((uint64_t)8 << 20));
}

static void check_survivors(struct stage *stage)
{
    int killed = memoom_oom_killed(stage->oom, memoom_worker_pid(stage->hogs[0])) ? 0 : 1;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    must(memoom_worker_wait(stage->hogs[killed], LONG_NS, &outcome, &error), &error);
    check(stage, "the victim's outcome is an OOM kill", memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_OOM_KILLED &&
          memoom_outcome_returncode(outcome) == -SIGKILL);
    memoom_outcome_free(outcome);
    check(stage, "the other hog lives", !memoom_worker_ended(stage->hogs[1 - killed]));
    check(stage, "the ticker goes on", stage_ticks(stage));
}

static int kill_one(void)
{
    memoom_group_options options = limits();
    memoom_grow last = MEMOOM_GROW_INIT;
    struct stage stage;

    stage_set(&stage, &options);
    stage_step(&stage, &last);
    stage_account(&stage);
    check_kill(&stage);
    check_survivors(&stage);
    check(&stage, "oom_kill is one higher", stage_counters(&stage).oom_kill == 1);
    return stage_end(&stage);
}

/* With the killer off, the stepping hog stops at the limit. Gives that hog. */
static int block(struct stage *stage)
{
    memoom_group_options options = limits();
    memoom_grow last = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    const memoom_blocked *blocked;
    memoom_counters counters;
    uint64_t usage = 0;
    int at;

    options.oom_killer = MEMOOM_OFF;
    stage_set(stage, &options);
    at = stage_step(stage, &last);
    check(stage, "the stepping hog stopped", last.status == MEMOOM_GROW_BLOCKED);
    stage_account(stage);
    blocked = memoom_oom_blocked_at(stage->oom, 0);
    check(stage, "it is the one that waits", blocked && blocked->pid == memoom_worker_pid(stage->hogs[at]));
    check(stage, "it waits in the OOM of its group", blocked && blocked->wchan &&
          strncmp(blocked->wchan, "mem_cgroup_oom_synchronize", 26) == 0 && stage_path_has(stage->oom, "wait"));
    check(stage, "its state is D", stage_state(stage->hogs[at]) == 'D');
    counters = stage_counters(stage);
    check(stage, "under_oom is 1", counters.under_oom == 1);
    must(memoom_group_usage(stage->group, &usage, &error), &error);
    check(stage, "the usage is at the limit", usage <= LIMIT_BYTES && usage + ((uint64_t)1 << 20) >= LIMIT_BYTES);
    /* Its messages may not arrive: the kernel cannot charge them to the full group. */
    check(stage, "the ticker lives", !memoom_worker_ended(stage->ticker));
    check(stage, "the usage does not grow", stage_counters(stage).usage_bytes < usage + ((uint64_t)64 << 10));
    check(stage, "the other hog lives", stage_state(stage->hogs[1 - at]) == 'S');
    return at;
}

static int block_and_interrupt(void)
{
    struct stage stage;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    int at = block(&stage);

    must(memoom_worker_signal(stage.hogs[at], SIGINT, &error), &error);
    must(memoom_worker_wait(stage.hogs[at], LONG_NS, &outcome, &error), &error);
    check(&stage, "SIGINT ends the blocked hog", memoom_outcome_returncode(outcome) == -SIGINT &&
          memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_KILLED);
    memoom_outcome_free(outcome);
    check(&stage, "nobody was OOM-killed", stage_counters(&stage).oom_kill == 0);
    check(&stage, "the ticker goes on", stage_ticks(&stage));
    return stage_end(&stage);
}

static int block_and_resume(void)
{
    struct stage stage;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    int at = block(&stage);

    must(memoom_group_set_oom_killer(stage.group, MEMOOM_ON, &error), &error);
    must(memoom_hog_finish(stage.hogs[at], LONG_NS, &grow, &error), &error);
    check(&stage, "the blocked step completed", grow.status == MEMOOM_GROW_GREW);
    stage_account(&stage);
    check(&stage, "the other hog was killed", memoom_oom_killed(stage.oom, memoom_worker_pid(stage.hogs[1 - at])));
    check(&stage, "the blocked hog is back in S", stage_state(stage.hogs[at]) == 'S');
    check(&stage, "under_oom is 0", stage_counters(&stage).under_oom == 0);
    check(&stage, "oom_kill is one higher", stage_counters(&stage).oom_kill == 1);
    check_kill(&stage);
    check_survivors(&stage);
    return stage_end(&stage);
}

static int kill_group(void)
{
    memoom_group_options options = limits();
    memoom_grow last = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    struct stage stage;
    size_t left = 1;
    uint64_t counted;

    options.oom_group = MEMOOM_ON;
    stage_set(&stage, &options);
    stage_step(&stage, &last);
    stage_account(&stage);
    check_kill(&stage);
    check(&stage, "every process was killed", memoom_oom_killed(stage.oom, memoom_worker_pid(stage.hogs[0])) &&
          memoom_oom_killed(stage.oom, memoom_worker_pid(stage.hogs[1])) &&
          memoom_oom_killed(stage.oom, memoom_worker_pid(stage.ticker)));
    must(memoom_group_processes(stage.group, NULL, 0, &left, &error), &error);
    check(&stage, "cgroup.procs is empty", left == 0);
    /* Kernels count group kills from about 5.17 on. */
    counted = stage_counters(&stage).oom_group_kill;
    check(&stage, "the group kill is counted", counted == 1 || counted == MEMOOM_UNKNOWN);
    return stage_end(&stage);
}

static const struct {
    const char *name;
    memoom_cgroup_version version;
    int (*run)(void);
} experiments[] = {
    {"v1-kill", MEMOOM_CGROUP_V1, kill_one},
    {"v1-block", MEMOOM_CGROUP_V1, block_and_interrupt},
    {"v1-resume", MEMOOM_CGROUP_V1, block_and_resume},
    {"v2-kill", MEMOOM_CGROUP_V2, kill_one},
    {"v2-group", MEMOOM_CGROUP_V2, kill_group},
};

static int run(const char *wanted, memoom_cgroup_version here)
{
    size_t i;
    int known = 0, good = 1;

    for (i = 0; i < sizeof(experiments) / sizeof(experiments[0]); i++) {
        if (wanted ? strcmp(wanted, experiments[i].name) != 0 : experiments[i].version != here)
            continue;
        known = 1;
        if (experiments[i].version != here) {
            fprintf(stderr, "%s cannot run here: the memory controller is on cgroup v%" PRIu32 "\n", wanted, here);
            exit(77);
        }
        printf("%s\n", experiments[i].name);
        good &= experiments[i].run();
    }
    if (!known) {
        fprintf(stderr, "there is no experiment %s\n", wanted ? wanted : "for this machine");
        exit(wanted ? 1 : 77);
    }
    return good;
}

int main(int argc, char **argv)
{
    memoom_host *host = NULL;
    memoom_error *error = NULL;
    memoom_cgroup_version here;
    int i, good = 1;

    must(memoom_host_probe(&host, &error), &error);
    here = memoom_host_version(host);
    if (!memoom_host_can(host, "create-groups")) {
        const memoom_ability *missing = memoom_host_ability(host, "create-groups");
        if (!missing)
            missing = memoom_host_ability(host, "memory-controller");
        fprintf(stderr, "cannot run here: %s; remedy: %s\n", missing->reason, missing->remedy);
        memoom_host_free(host);
        return 77;
    }
    memoom_host_free(host);
    for (i = 1; i < argc; i++)
        good &= run(argv[i], here);
    if (argc == 1)
        good = run(NULL, here);
    puts(good ? "every check held" : "a check failed");
    return good ? 0 : 1;
}

/*
 * A watch that keeps a record, and the post-mortem that reads it when its group has gone; a saved log of elsewhere.
 */
#include <fcntl.h>
#include <unistd.h>

#include "tap.h"

static const char elsewhere[] =
    "[   10.000000] Memory cgroup out of memory: Killed process 4242 (far) total-vm:2400kB, anon-rss:400kB, file-rss:0kB, "
    "shmem-rss:0kB, UID:0 pgtables:48kB oom_score_adj:0\n";

/* Who killed the subject, by the word that the answer has for it. */
static int killed_by(memoom_subject subject, const char *name, const memoom_postmortem_options *options, const char *by)
{
    memoom_postmortem *answer = NULL;
    memoom_error *error = NULL;
    int right;

    if (memoom_postmortem_with(subject, name, options, &answer, &error) != MEMOOM_OK) {
        printf("# %s\n", memoom_error_message(error));
        memoom_error_free(error);
        return 0;
    }
    right = strcmp(memoom_postmortem_killed_by(answer)->by, by) == 0;
    if (!right)
        printf("# %s\n", memoom_postmortem_to_full_text(answer));
    memoom_postmortem_free(answer);
    return right;
}

/* One OOM, with its record; the path of the group is left in `path`. */
static void record_an_oom(memoom_lab *lab, const char *directory, char *path, size_t size)
{
    memoom_group_options limits = MEMOOM_GROUP_OPTIONS_INIT;
    const char *const eats[] = {"tail", "/dev/zero", NULL};
    memoom_outcome *outcome = NULL;
    memoom_worker *worker = NULL;
    memoom_group *group = NULL;
    memoom_error *error = NULL;
    memoom_watch *watch = NULL, *other = NULL;
    memoom_oom *oom = NULL;

    limits.limit_bytes = 16u << 20;
    ok(memoom_group_create(lab, "night", &limits, &group, &error) == MEMOOM_OK, "a group");
    snprintf(path, size, "%s", memoom_group_path(group));
    ok(memoom_watch_open(group, &watch, &error) == MEMOOM_OK && memoom_watch_open(group, &other, &error) == MEMOOM_OK,
       "two watches");
    ok(memoom_watch_keep_record(watch, directory, 1, &error) == MEMOOM_ERR_INVALID_INPUT, "a byte is too little");
    memoom_error_freep(&error);
    ok(memoom_watch_keep_record(watch, directory, 1u << 20, &error) == MEMOOM_OK, "a record");
    ok(memoom_watch_keep_record(other, directory, 1u << 20, &error) == MEMOOM_ERR_BUSY, "it has one writer");
    memoom_error_freep(&error);
    ok(memoom_command_spawn(group, eats, NULL, &worker, &error) == MEMOOM_OK, "a command");
    ok(memoom_worker_wait(worker, MEMOOM_FOREVER, &outcome, &error) == MEMOOM_OK &&
       memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_OOM_KILLED, "it is killed in an OOM");
    ok(memoom_watch_wait_oom(watch, MEMOOM_FOREVER, &oom, &error) == MEMOOM_OK && oom, "the account, which is on the disk now");
    ok(memoom_group_remove(group, &error) == MEMOOM_OK, "the group goes");
    memoom_oom_free(oom);
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
    memoom_watch_free(other);
    memoom_watch_free(watch);
    memoom_group_free(group);
}

int main(void)
{
    memoom_postmortem_options options = MEMOOM_POSTMORTEM_OPTIONS_INIT;
    char directory[] = "/tmp/memoom-record-XXXXXX", log[sizeof(directory) + 8], file[sizeof(directory) + 8], path[4096];
    memoom_error *error = NULL;
    memoom_postmortem *answer = NULL;
    memoom_lab *lab = NULL;
    int fd;

    ok(mkdtemp(directory) != NULL, "a directory");
    snprintf(log, sizeof(log), "%s/log", directory);
    snprintf(file, sizeof(file), "%s/deaths", directory);
    fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ok(fd >= 0 && write(fd, elsewhere, sizeof(elsewhere) - 1) == (ssize_t)sizeof(elsewhere) - 1 && close(fd) == 0, "a saved log");
    options.log = log;
    ok(killed_by(MEMOOM_SUBJECT_PID, "4242", &options, "kernel-oom"), "a saved log tells of another machine");
    ok(killed_by(MEMOOM_SUBJECT_LAST, NULL, &options, "kernel-oom"), "its last kill");
    options.log = "/nowhere/at/all";
    ok(memoom_postmortem_with(MEMOOM_SUBJECT_LAST, NULL, &options, &answer, &error) == MEMOOM_ERR_NOT_FOUND && answer == NULL,
       "a log that is not there");
    memoom_error_freep(&error);
    if (lab_or_reason(&lab)) {
        record_an_oom(lab, directory, path, sizeof(path));
        options.log = log;
        options.record = directory;
        ok(killed_by(MEMOOM_SUBJECT_GROUP, path, &options, "kernel-oom"), "the record names it when group and log have gone");
        memoom_lab_free(lab);
    }
    unlink(file);
    unlink(log);
    ok(rmdir(directory) == 0, "nothing else was written");
    return done();
}

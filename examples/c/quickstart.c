/*
 * A hog takes memory until the kernel kills it, and the account says what happened.
 *
 * cc -std=c99 quickstart.c -o quickstart $(pkg-config --cflags --libs memoom)
 */
#include <stdio.h>

#include <memoom.h>

int main(void)
{
    memoom_group_options limits = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_watch *watch = NULL;
    memoom_worker *hog = NULL;
    memoom_oom *oom = NULL;
    memoom_error *error = NULL;

    limits.limit_bytes = 80 << 20;
    if (memoom_lab_create(NULL, &lab, &error) == MEMOOM_OK &&
        memoom_group_create(lab, "quickstart", &limits, &group, &error) == MEMOOM_OK &&
        memoom_watch_open(group, &watch, &error) == MEMOOM_OK &&
        memoom_hog_spawn(group, NULL, &hog, &error) == MEMOOM_OK) {
        do {
            if (memoom_hog_grow(hog, MEMOOM_UNCHANGED, MEMOOM_FOREVER, &grow, &error) != MEMOOM_OK)
                break;
        } while (grow.status == MEMOOM_GROW_GREW);
        if (!error && memoom_watch_wait_oom(watch, 5000000000u, &oom, &error) == MEMOOM_OK && oom)
            fputs(memoom_oom_to_text(oom), stdout);
    }
    if (error)
        fprintf(stderr, "%s\n", memoom_error_message(error));
    memoom_oom_free(oom);
    memoom_worker_free(hog);
    memoom_watch_free(watch);
    memoom_group_free(group);
    memoom_lab_free(lab);
    if (error) {
        int cannot = memoom_error_status(error) == MEMOOM_ERR_UNSUPPORTED ||
                     memoom_error_status(error) == MEMOOM_ERR_PERMISSION_DENIED;
        memoom_error_free(error);
        return cannot ? 77 : 1;
    }
    return 0;
}

/* What an error says, and that whoever does not ask for one gets none. */
#include "must.h"

int main(void)
{
    memoom_group *group = NULL;
    memoom_error *error = NULL;
    memoom_status status = memoom_group_open("/sys/fs/cgroup/no/such/group", &group, &error);

    holds(status != MEMOOM_OK && group == NULL, "an output is written on success alone");
    printf("%s\n", memoom_error_message(error)); /* operation, path, value, reason and remedy, in one line */

    /* The parts of it, for programs. A number is to be compared, a name to be printed. */
    holds(memoom_error_status(error) == status, "the status is the one that was returned");
    printf("status     %s (%d)\n", memoom_status_name(status), (int)status);
    if (memoom_error_errno(error))
        printf("errno      %s\n", strerror(memoom_error_errno(error)));
    printf("operation  %s\n", memoom_error_operation(error));
    if (memoom_error_path(error))
        printf("path       %s\n", memoom_error_path(error));
    memoom_error_free(error);

    /* NULL for the error: none is made, and nothing is left to free. */
    holds(memoom_group_open(NULL, &group, NULL) == MEMOOM_ERR_INVALID_INPUT, "the status alone tells");
    return 0;
}

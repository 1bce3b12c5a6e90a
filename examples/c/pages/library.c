/* Which library runs, and sizes as text. */
#include "must.h"

int main(void)
{
    memoom_error *error = NULL;
    uint64_t bytes = 0;

    /* The header was there when the program was compiled, the library is there now. */
    printf("compiled with %s, runs with %s\n", MEMOOM_VERSION_STRING, memoom_version());
    if (memoom_version_number() < MEMOOM_VERSION_NUMBER)
        puts("the library is older than the header: what is new in the header is not there");

    must(memoom_parse_size("80M", &bytes, &error), &error);
    holds(bytes == 80 * MIB, "K, M, G are powers of 1024");
    must(memoom_parse_size("max", &bytes, &error), &error);
    holds(bytes == MEMOOM_UNLIMITED, "\"max\" is no limit");
    holds(memoom_parse_size("80 MB", &bytes, NULL) == MEMOOM_ERR_INVALID_INPUT, "it is refused as by the kernel");
    return 0;
}

/*
 * The compiler's layout of every struct is the library's; the version of the header is the library's.
 */
#include "tap.h"

static void structs(void)
{
#if UINTPTR_MAX == UINT64_MAX
#define LAYOUT_FIELD(type, field, offset, size)                                            \
    ok(offsetof(type, field) == (offset) && sizeof(((type *)0)->field) == (size), #type "." #field);
#define LAYOUT_SIZE(type, size) ok(sizeof(type) == (size), #type);
#include "layout.h"
#else
    printf("ok %d # SKIP the layout is written down for 64-bit machines\n", ++tap_count);
#endif
}

int main(void)
{
    structs();
    ok(strcmp(memoom_version(), MEMOOM_VERSION_STRING) == 0, "memoom_version is MEMOOM_VERSION_STRING");
    ok(memoom_version_number() == MEMOOM_VERSION_NUMBER, "memoom_version_number is MEMOOM_VERSION_NUMBER");
    ok(MEMOOM_VERSION_NUMBER == 0x000100, "0.1.0 is 0x000100");
    return done();
}

/*
 * memoom in Criterion tests.
 */
#ifndef MEMOOM_CRITERION_H
#define MEMOOM_CRITERION_H

#include <criterion/criterion.h>
#include <memoom/adapter.h>

#define MEMOOM_ADAPTER_FAIL_(why) cr_assert_fail("%s", (why))
#define MEMOOM_ADAPTER_SKIP_(why) cr_skip_test("%s", (why))

#endif

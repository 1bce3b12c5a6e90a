/*
 * A test that fails, to see what it prints.
 */
#include <memoom/kselftest.h>

#include "bodies.h"

int main(void)
{
    ksft_print_header();
    ksft_set_plan(1);
    body_fails();
    ksft_test_result_pass("it did not fail\n");
    ksft_finished();
    return 0;
}

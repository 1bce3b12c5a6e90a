/*
 * A test that fails, to see what it prints.
 */
#include <memoom/kselftest.h>

#include "shared_tests.h"

int main(void)
{
    ksft_print_header();
    ksft_set_plan(1);
    shared_fails();
    ksft_test_result_pass("it did not fail\n");
    ksft_finished();
    return 0;
}

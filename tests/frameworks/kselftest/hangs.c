/*
 * A test that hangs until its runner kills it.
 */
#include "cases.h"

int main(void)
{
    promise_hang();
    return 0;
}

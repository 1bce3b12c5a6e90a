/*
 * memoom in GoogleTest: the tests, the promises inside its runner, and, disabled, a test that fails and one that hangs.
 */
#include <gmock/gmock.h>
#include <memoom/gtest.h>

#include "cases.h"

using memoom::Exited;
using memoom::Holds;
using memoom::Limit;
using memoom::OomKilled;
using memoom::Ptr;
using memoom::Victim;

TEST(Memoom, OomKillsAreTold)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *given = nullptr;
    memoom_error *error = nullptr;

    MEMOOM_ASSERT_OK(memoom_run(case_eats, &options, &given, &error), &error);
    Ptr<memoom_outcome> outcome(given);
    ASSERT_THAT(outcome, OomKilled());
    EXPECT_THAT(memoom_outcome_oom(given), Victim(memoom_outcome_pid(given)));
    EXPECT_THAT(memoom_outcome_oom(given), Limit(32 << 20));
    EXPECT_THAT(given, testing::Not(Exited(0)));
    EXPECT_TRUE(Holds(outcome, OomKilled()));
}

TEST(Memoom, OtherEndsAreTold)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *given = nullptr;
    memoom_error *error = nullptr;
    size_t bytes = 8 << 20;

    MEMOOM_SKIP_UNLESS_LAB();
    MEMOOM_ASSERT_OK(memoom_run(case_exits, &options, &given, &error), &error);
    EXPECT_THAT(Ptr<memoom_outcome>(given), Exited(7));
    MEMOOM_ASSERT_OK(memoom_run(case_kills_itself, &options, &given, &error), &error);
    /* KilledBySignal(SIGKILL) would take this for an OOM kill. */
    EXPECT_THAT(Ptr<memoom_outcome>(given), memoom::Verdict(MEMOOM_VERDICT_KILLED));
    MEMOOM_ASSERT_OK(memoom_run_function(promise_fill, &bytes, &options, &given, &error), &error);
    EXPECT_THAT(Ptr<memoom_outcome>(given), Exited(0));
}

TEST(DISABLED_Memoom, Fails)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *given = nullptr;

    MEMOOM_ASSERT_OK(memoom_run(case_eats, &options, &given, nullptr), nullptr);
    Ptr<memoom_outcome> outcome(given);
    EXPECT_THAT(outcome, Exited(0));
}

TEST(DISABLED_Memoom, hangs)
{
    promise_hang();
}

#define EACH(name, says)                                      \
    TEST(Promises, name)                                      \
    {                                                         \
        MEMOOM_SKIP_UNLESS_LAB();                             \
        const char *broken = promise_##name();                \
        EXPECT_EQ(broken, nullptr) << says << ": " << broken; \
    }
PROMISES(EACH)

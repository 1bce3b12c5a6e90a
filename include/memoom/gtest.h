/*
 * memoom in GoogleTest.
 *
 *     MEMOOM_SKIP_UNLESS_LAB();                              skips the test where no lab can be made
 *     MEMOOM_ASSERT_OK(memoom_run(..., &outcome, &error), &error);   the same for a call that needs more
 *     EXPECT_THAT(outcome, memoom::OomKilled());             an OOM killed the worker, by the kernel's own word
 *     EXPECT_THAT(outcome, memoom::Exited(0));               it ended by itself with that exit code
 *     EXPECT_THAT(outcome, memoom::Verdict(MEMOOM_VERDICT_TIMEOUT));
 *     EXPECT_THAT(oom, memoom::Victim(pid));                 the OOM killed that process
 *     EXPECT_THAT(oom, memoom::Limit(80 << 20));             the OOM struck at that limit
 *
 * A matcher that does not match explains itself with the whole account. Without gmock (EXPECT_THAT) they are predicates:
 * EXPECT_TRUE(memoom::Holds(outcome, memoom::OomKilled())). memoom::Ptr<memoom_outcome> frees what it holds. With
 * MEMOOM_REQUIRE=1 a skip is a failure.
 */
#ifndef MEMOOM_GTEST_H
#define MEMOOM_GTEST_H

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include <gtest/gtest.h>
#include <memoom/expect.h>

namespace memoom {

struct Free {
    void operator()(memoom_lab *object) const { memoom_lab_free(object); }
    void operator()(memoom_group *object) const { memoom_group_free(object); }
    void operator()(memoom_worker *object) const { memoom_worker_free(object); }
    void operator()(memoom_watch *object) const { memoom_watch_free(object); }
    void operator()(memoom_oom *object) const { memoom_oom_free(object); }
    void operator()(memoom_outcome *object) const { memoom_outcome_free(object); }
    void operator()(memoom_host *object) const { memoom_host_free(object); }
    void operator()(memoom_timeline *object) const { memoom_timeline_free(object); }
};

/* An object that frees itself. */
template <typename Object> using Ptr = std::unique_ptr<Object, Free>;

/* The text of an expectation, freed; empty when it holds. */
inline std::string Taken(char *text)
{
    std::string taken = text ? text : "";
    free(text);
    return taken;
}

/* An expectation of memoom/expect.h as a matcher for a pointer to Object. */
template <typename Object> class Matcher {
public:
    using is_gtest_matcher = void;

    Matcher(std::string what, std::function<char *(const Object *)> expect) : what_(what), expect_(expect) {}

    /* For plain pointers, and for those that free themselves. */
    bool MatchAndExplain(const Object *object, std::ostream *out) const
    {
        std::string why = Taken(expect_(object));
        if (out && !why.empty())
            *out << "\n" << why;
        return why.empty();
    }
    bool MatchAndExplain(const Ptr<Object> &object, std::ostream *out) const { return MatchAndExplain(object.get(), out); }
    void DescribeTo(std::ostream *out) const { *out << what_; }
    void DescribeNegationTo(std::ostream *out) const { *out << "not: " << what_; }
    std::string Why(const Object *object) const { return Taken(expect_(object)); }

private:
    std::string what_;
    std::function<char *(const Object *)> expect_;
};

inline Matcher<memoom_outcome> OomKilled() { return {"was killed by an OOM", memoom_expect_oom_killed}; }

inline Matcher<memoom_outcome> Exited(int32_t code)
{
    return {"exited with " + std::to_string(code), [code](const memoom_outcome *outcome) { return memoom_expect_exited(outcome, code); }};
}

inline Matcher<memoom_outcome> Verdict(memoom_verdict verdict)
{
    return {"has verdict " + std::to_string(verdict),
            [verdict](const memoom_outcome *outcome) { return memoom_expect_verdict(outcome, verdict); }};
}

inline Matcher<memoom_oom> Victim(int32_t pid)
{
    return {"killed pid " + std::to_string(pid), [pid](const memoom_oom *oom) { return memoom_expect_victim(oom, pid); }};
}

inline Matcher<memoom_oom> Limit(uint64_t bytes)
{
    return {"struck at a limit of " + std::to_string(bytes) + " bytes",
            [bytes](const memoom_oom *oom) { return memoom_expect_limit(oom, bytes); }};
}

/* A matcher as a predicate with its full message, for tests without gmock. */
template <typename Object> testing::AssertionResult Holds(const Object *object, const Matcher<Object> &matcher)
{
    std::string why = matcher.Why(object);
    return why.empty() ? testing::AssertionSuccess() : testing::AssertionFailure() << "\n" << why;
}
template <typename Object> testing::AssertionResult Holds(const Ptr<Object> &object, const Matcher<Object> &matcher)
{
    return Holds(static_cast<const Object *>(object.get()), matcher);
}

} // namespace memoom

#define MEMOOM_SKIP_OR_FAIL_(status, why)       \
    if (memoom_expect_is_skip(status))          \
        GTEST_SKIP() << (why);                  \
    else                                        \
        GTEST_FAIL() << (why)

#define MEMOOM_SKIP_UNLESS_LAB()                                            \
    do {                                                                    \
        char *memoom_text_ = nullptr;                                       \
        memoom_status memoom_status_ = memoom_expect_lab(&memoom_text_);    \
        std::string memoom_why_ = memoom::Taken(memoom_text_);              \
        if (memoom_status_ != MEMOOM_OK)                                    \
            MEMOOM_SKIP_OR_FAIL_(memoom_status_, memoom_why_);              \
    } while (0)

#define MEMOOM_ASSERT_OK(call, error)                                             \
    do {                                                                          \
        memoom_status memoom_status_ = (call);                                    \
        std::string memoom_why_ = memoom::Taken(memoom_expect_ok(memoom_status_, (error))); \
        if (memoom_status_ != MEMOOM_OK)                                          \
            MEMOOM_SKIP_OR_FAIL_(memoom_status_, memoom_why_);                    \
    } while (0)

#endif

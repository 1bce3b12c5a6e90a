/*
 * memoom.hpp: <memoom.h> for C++11 and later. Objects that free themselves, errors that are thrown, and nothing hidden:
 * each object converts to the pointer that the C functions take, so whatever has no method here is called as in C.
 *
 *     #include <memoom.hpp>            // c++ program.cc $(pkg-config --cflags --libs memoom)
 *     #include <iostream>
 *
 *     int main()
 *     {
 *         memoom::lab lab;
 *         memoom::group group = lab.group("example", memoom::limit(80 << 20));
 *         memoom::watch watch = group.watch();
 *         memoom::worker hog = group.hog("alloc_memory_1");
 *         while (hog.grow().status == MEMOOM_GROW_GREW)
 *             ;
 *         if (memoom::oom oom = watch.wait_oom(std::chrono::seconds(5)))
 *             std::cout << oom.text();
 *     }
 *
 * Objects can be moved and not copied. Free them in any order, from any thread, as in C. This header is optional and has
 * no part in the library: it compiles into the program.
 */
#ifndef MEMOOM_HPP
#define MEMOOM_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <memoom.h>

namespace memoom {

/** Why a call failed: what() is the whole message with the remedy. */
class error : public std::exception {
public:
    /** Takes the error of a call. */
    explicit error(memoom_error *taken) : error_(taken, memoom_error_free) {}
    /** The message: operation, path, value, reason and remedy in one line. */
    const char *what() const noexcept override
    {
        const char *message = memoom_error_message(error_.get());
        return message ? message : "no reason was given";
    }
    /** One of the MEMOOM_ERR_ numbers. */
    memoom_status status() const noexcept { return memoom_error_status(error_.get()); }
    /** The errno of the system call that failed, or 0. */
    int os_error() const noexcept { return memoom_error_errno(error_.get()); }

private:
    std::shared_ptr<memoom_error> error_; // exceptions are copied
};

/**
 * Throws the error of a call that failed: `check(memoom_...(..., &failure), failure)` in the methods below and in yours. By
 * reference, so that the error is looked at after the call, in whatever order a compiler takes the two.
 */
inline void check(memoom_status status, memoom_error *const &failure)
{
    if (status != MEMOOM_OK)
        throw error(failure);
}

/** A duration as C takes it: nanoseconds, those below zero as 0. */
inline std::uint64_t ns(std::chrono::nanoseconds time)
{
    return time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count());
}

/** No deadline. */
inline std::chrono::nanoseconds forever() { return (std::chrono::nanoseconds::max)(); }

namespace detail {

inline std::uint64_t timeout(std::chrono::nanoseconds time)
{
    return time == forever() ? MEMOOM_FOREVER : ns(time);
}

/** A text of the library's; empty where there is no object to have one. */
inline std::string text(const char *found) { return found ? found : ""; }

/** Words as execve(2) takes them: they point into the strings. */
inline std::vector<const char *> words(const std::vector<std::string> &argv)
{
    std::vector<const char *> words;
    for (const std::string &word : argv)
        words.push_back(word.c_str());
    words.push_back(nullptr);
    return words;
}

/** Options of a hog of anonymous memory: they point into its name. */
inline memoom_hog_options hog_options(const std::string &name)
{
    memoom_hog_options options = MEMOOM_HOG_OPTIONS_INIT;
    options.name = name.c_str();
    return options;
}

/** Options of a ticker: they point into its name. */
inline memoom_ticker_options ticker_options(const std::string &name, std::chrono::nanoseconds every)
{
    memoom_ticker_options options = MEMOOM_TICKER_OPTIONS_INIT;
    options.name = name.c_str();
    options.every_ns = ns(every);
    return options;
}

/** One object of the library's, freed with its owner. */
template <typename T, void (*Free)(T *)> class handle {
public:
    handle() noexcept : object_(nullptr) {}
    explicit handle(T *taken) noexcept : object_(taken) {}
    handle(handle &&other) noexcept : object_(other.release()) {}
    handle &operator=(handle &&other) noexcept
    {
        if (this != &other) {
            Free(object_);
            object_ = other.release();
        }
        return *this;
    }
    handle(const handle &) = delete;
    handle &operator=(const handle &) = delete;
    ~handle() { Free(object_); }

    /** For the functions of <memoom.h>; it stays ours. */
    T *get() const noexcept { return object_; }
    /** Gives the object away: the caller frees it. */
    T *release() noexcept
    {
        T *object = object_;
        object_ = nullptr;
        return object;
    }
    /** Whether there is one: a wait that nothing ended gives none. */
    explicit operator bool() const noexcept { return object_ != nullptr; }

private:
    T *object_;
};

} // namespace detail

/** Options of a group with a hard limit in bytes, or MEMOOM_UNLIMITED; the rest is MEMOOM_GROUP_OPTIONS_INIT. */
inline memoom_group_options limit(std::uint64_t bytes)
{
    memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;
    options.limit_bytes = bytes;
    return options;
}

/** Bytes of a text such as "80M"; "max" is MEMOOM_UNLIMITED. */
inline std::uint64_t size(const std::string &text)
{
    std::uint64_t bytes = 0;
    memoom_error *failure = nullptr;
    check(memoom_parse_size(text.c_str(), &bytes, &failure), failure);
    return bytes;
}

/** The account of one OOM. */
class oom : public detail::handle<memoom_oom, memoom_oom_free> {
public:
    using handle::handle;
    /** The account as a person reads it. */
    std::string text() const { return detail::text(memoom_oom_to_text(get())); }
    /** Its first 15 lines at most. */
    std::string short_text() const { return detail::text(memoom_oom_to_short_text(get())); }
    /** The account as a JSON document ("memoom.oom"). */
    std::string json() const { return detail::text(memoom_oom_to_json(get())); }
    /** Whether this OOM has killed a process. */
    bool killed(int pid) const noexcept { return memoom_oom_killed(get(), pid) != 0; }
};

/** How a worker ended. */
class outcome : public detail::handle<memoom_outcome, memoom_outcome_free> {
public:
    using handle::handle;
    /** One of the MEMOOM_VERDICT_ numbers. */
    memoom_verdict verdict() const noexcept { return memoom_outcome_verdict(get()); }
    /** Such as "oom-killed". */
    std::string verdict_name() const { return detail::text(memoom_outcome_verdict_name(get())); }
    /** Whether an OOM ended it. */
    bool oom_killed() const noexcept { return memoom_outcome_oom_killed(get()) != 0; }
    /** The exit status, or the negative number of the signal. */
    int returncode() const noexcept { return memoom_outcome_returncode(get()); }
    /** The most that the group of a run has used, or MEMOOM_UNKNOWN. */
    std::uint64_t peak_bytes() const noexcept { return memoom_outcome_peak_bytes(get()); }
    /** The outcome as a person reads it, with the account of the OOM. */
    std::string text() const { return detail::text(memoom_outcome_to_text(get())); }
    /** Its first 15 lines at most. */
    std::string short_text() const { return detail::text(memoom_outcome_to_short_text(get())); }
    /** The outcome as a JSON document. */
    std::string json() const { return detail::text(memoom_outcome_to_json(get())); }
};

/** One process in a group: a hog, a ticker, a command or a function. It ends with the lab, not with this object. */
class worker : public detail::handle<memoom_worker, memoom_worker_free> {
public:
    using handle::handle;
    int pid() const noexcept { return memoom_worker_pid(get()); }
    bool ended() const noexcept { return memoom_worker_ended(get()) != 0; }
    /** The letter of its state, as in /proc/PID/stat. */
    char state() const
    {
        memoom_state state = 0;
        memoom_error *failure = nullptr;
        check(memoom_worker_state(get(), &state, &failure), failure);
        return static_cast<char>(state);
    }
    /** Has a hog take a step: its own, or so many bytes. */
    memoom_grow grow(std::uint64_t bytes = MEMOOM_UNCHANGED, std::chrono::nanoseconds time = forever()) const
    {
        memoom_grow answer = MEMOOM_GROW_INIT;
        memoom_error *failure = nullptr;
        check(memoom_hog_grow(get(), bytes, detail::timeout(time), &answer, &failure), failure);
        return answer;
    }
    /** Waits for its end. */
    memoom::outcome wait(std::chrono::nanoseconds time = forever()) const
    {
        memoom_outcome *found = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_worker_wait(get(), detail::timeout(time), &found, &failure), failure);
        return memoom::outcome(found);
    }
    /** Ends it with SIGKILL. */
    void kill() const
    {
        memoom_error *failure = nullptr;
        check(memoom_worker_kill(get(), &failure), failure);
    }
};

/** A pollable stream of what happens in a group. */
class watch : public detail::handle<memoom_watch, memoom_watch_free> {
public:
    using handle::handle;
    /** For poll(2). */
    int fd() const noexcept { return memoom_watch_fd(get()); }
    /** Waits for the account of the next OOM; none if there was none in time. */
    memoom::oom wait_oom(std::chrono::nanoseconds time = forever()) const
    {
        memoom_oom *found = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_watch_wait_oom(get(), detail::timeout(time), &found, &failure), failure);
        return memoom::oom(found);
    }
};

namespace detail {

/** What can be asked of a group, whoever owns its object. */
template <typename Self> class group_calls {
public:
    /** Its directory. */
    std::string path() const { return detail::text(memoom_group_path(get())); }
    /** Bytes charged now. */
    std::uint64_t usage() const
    {
        std::uint64_t bytes = 0;
        memoom_error *failure = nullptr;
        check(memoom_group_usage(get(), &bytes, &failure), failure);
        return bytes;
    }
    /** What the kernel counted. */
    memoom_counters counters() const
    {
        memoom_counters counted = MEMOOM_COUNTERS_INIT;
        memoom_error *failure = nullptr;
        check(memoom_group_counters(get(), &counted, &failure), failure);
        return counted;
    }
    /** Sets the hard limit: bytes, or MEMOOM_UNLIMITED. */
    void set_limit(std::uint64_t bytes) const
    {
        memoom_error *failure = nullptr;
        check(memoom_group_set_limit(get(), bytes, &failure), failure);
    }
    memoom::watch watch() const
    {
        memoom_watch *opened = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_watch_open(get(), &opened, &failure), failure);
        return memoom::watch(opened);
    }
    /** Starts a hog of anonymous memory by its name, or as its options say. */
    worker hog(const std::string &name) const { return hog(detail::hog_options(name)); }
    worker hog(const memoom_hog_options &options) const
    {
        memoom_worker *started = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_hog_spawn(get(), &options, &started, &failure), failure);
        return worker(started);
    }
    /** Starts a ticker: it takes no memory and says that it is alive. */
    worker ticker(const std::string &name, std::chrono::nanoseconds every = std::chrono::seconds(1)) const
    {
        const memoom_ticker_options options = detail::ticker_options(name, every);
        memoom_worker *started = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_ticker_spawn(get(), &options, &started, &failure), failure);
        return worker(started);
    }
    /** Starts a command. */
    worker command(const std::vector<std::string> &argv) const
    {
        memoom_worker *started = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_command_spawn(get(), detail::words(argv).data(), nullptr, &started, &failure), failure);
        return worker(started);
    }
    /** Removes the group; it must be empty. */
    void remove() const
    {
        memoom_error *failure = nullptr;
        check(memoom_group_remove(get(), &failure), failure);
    }

private:
    const memoom_group *get() const noexcept { return static_cast<const Self *>(this)->get(); }
};

} // namespace detail

/** One memory cgroup. */
class group : public detail::handle<memoom_group, memoom_group_free>, public detail::group_calls<group> {
public:
    using handle::get;
    using handle::handle;
    /** An existing group by its directory, to be observed only. */
    static group open(const std::string &path)
    {
        memoom_group *opened = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_group_open(path.c_str(), &opened, &failure), failure);
        return group(opened);
    }
};

class pod;

/** One safe place for experiments. Whatever ends this object, or the process, ends everything that is in it. */
class lab : public detail::handle<memoom_lab, memoom_lab_free> {
public:
    /** Makes a lab in the usual place. */
    lab() : handle(create(nullptr)) {}
    /** Makes a lab as told. */
    explicit lab(const memoom_lab_options &options) : handle(create(&options)) {}
    std::string path() const { return detail::text(memoom_lab_path(get())); }
    memoom::group group(const std::string &name, const memoom_group_options &options) const
    {
        memoom_group *made = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_group_create(get(), name.c_str(), &options, &made, &failure), failure);
        return memoom::group(made);
    }
    /** Makes a pod; an empty name is one of memoom's choice. */
    inline memoom::pod pod(const std::string &name, const memoom_pod_options &options = MEMOOM_POD_OPTIONS_INIT) const;
    /** Ends the lab and says what could not be removed; the destructor cannot. */
    void close() const
    {
        memoom_error *failure = nullptr;
        check(memoom_lab_close(get(), &failure), failure);
    }

private:
    static memoom_lab *create(const memoom_lab_options *options)
    {
        memoom_lab *made = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_lab_create(options, &made, &failure), failure);
        return made;
    }
};

/** Options of a run with a hard limit in bytes; the rest is MEMOOM_RUN_OPTIONS_INIT. */
inline memoom_run_options run_limit(std::uint64_t bytes)
{
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    options.limit_bytes = bytes;
    return options;
}

/** Runs a command under limits in a lab of its own and waits for its end. */
inline outcome run(const std::vector<std::string> &argv, const memoom_run_options &options)
{
    memoom_outcome *found = nullptr;
    memoom_error *failure = nullptr;
    check(memoom_run(detail::words(argv).data(), &options, &found, &failure), failure);
    return outcome(found);
}

} // namespace memoom

#include <memoom/pod.hpp>

#endif

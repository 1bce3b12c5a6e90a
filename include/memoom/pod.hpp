/*
 * The pods of <memoom.hpp>, which includes this: a pod as the kubelet lays it out, with its containers.
 *
 *     memoom::pod pod = lab.pod("shop");
 *     memoom::container app = pod.container("app", memoom::container_limit(32 << 20));
 *     memoom::watch watch = pod.group().watch();
 *     memoom::worker hog = app.hog("server");
 *     while (hog.grow().status == MEMOOM_GROW_GREW)
 *         ;
 *     std::cout << watch.wait_oom(std::chrono::seconds(5)).text();
 *
 * All containers of a pod are made before the first of them is started.
 */
#ifndef MEMOOM_POD_HPP
#define MEMOOM_POD_HPP

#include <memoom.hpp>

namespace memoom {

/** A group whose object another one owns, as a pod and a container do: to be used no longer than that. */
class group_view : public detail::group_calls<group_view> {
public:
    explicit group_view(const memoom_group *borrowed) noexcept : object_(borrowed) {}
    /** For the functions of <memoom.h>. */
    const memoom_group *get() const noexcept { return object_; }

private:
    const memoom_group *object_;
};

/** Options of a container with a hard limit in bytes, of one of the kinds MEMOOM_CONTAINER_; it requests as much. */
inline memoom_container_options container_limit(std::uint64_t bytes, const char *kind = MEMOOM_CONTAINER_APP)
{
    memoom_container_options options = MEMOOM_CONTAINER_OPTIONS_INIT;
    options.limit_bytes = bytes;
    options.kind = kind;
    return options;
}

/** A container of a pod. What is started in it first is its main process, by whose end the container has ended. */
class container : public detail::handle<memoom_container, memoom_container_free> {
public:
    using handle::handle;
    /** Its group, for as long as this object is there. */
    group_view group() const noexcept { return group_view(memoom_container_group(get())); }
    /** Such as MEMOOM_CONTAINER_APP. */
    std::string kind() const { return detail::text(memoom_container_kind(get())); }
    /** The memory that it requests, or MEMOOM_UNKNOWN. */
    std::uint64_t request_bytes() const noexcept { return memoom_container_request_bytes(get()); }
    /** The oom_score_adj of what is started in it. */
    int oom_score_adj() const noexcept { return memoom_container_oom_score_adj(get()); }
    /** How often its main process was started again. */
    unsigned restarts() const noexcept { return memoom_container_restarts(get()); }
    /** Starts a command. */
    worker command(const std::vector<std::string> &argv) const
    {
        memoom_worker *started = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_container_spawn_command(get(), detail::words(argv).data(), nullptr, &started, &failure), failure);
        return worker(started);
    }
    /** Starts a hog of anonymous memory by its name, or as its options say. */
    worker hog(const std::string &name) const { return hog(detail::hog_options(name)); }
    worker hog(const memoom_hog_options &options) const
    {
        memoom_worker *started = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_container_spawn_hog(get(), &options, &started, &failure), failure);
        return worker(started);
    }
    /** Starts a ticker: it takes no memory and says that it is alive. */
    worker ticker(const std::string &name, std::chrono::nanoseconds every = std::chrono::seconds(1)) const
    {
        const memoom_ticker_options options = detail::ticker_options(name, every);
        memoom_worker *started = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_container_spawn_ticker(get(), &options, &started, &failure), failure);
        return worker(started);
    }
    /** Waits for the end of its main process and starts the same command again: the outcome, and the new one. */
    std::pair<outcome, worker> restart(std::chrono::nanoseconds time = forever()) const
    {
        memoom_outcome *found = nullptr;
        memoom_worker *started = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_container_restart(get(), detail::timeout(time), &found, &started, &failure), failure);
        return std::pair<outcome, worker>(outcome(found), worker(started));
    }
    /** Gives it another limit, and another request, in place; `forced` also where the usage has reached that limit. */
    void resize(std::uint64_t limit_bytes, std::uint64_t request_bytes = MEMOOM_UNCHANGED, bool forced = false) const
    {
        memoom_error *failure = nullptr;
        check(memoom_container_resize(get(), limit_bytes, request_bytes, forced ? 1 : 0, &failure), failure);
    }
};

/** A pod: a group with a limit, the pause process, and a group for each container. */
class pod : public detail::handle<memoom_pod, memoom_pod_free> {
public:
    using handle::handle;
    /** Its group, which has its limit, for as long as this object is there. */
    group_view group() const noexcept { return group_view(memoom_pod_group(get())); }
    /** Its pause process, for the functions of <memoom.h>; it stays the pod's. */
    const memoom_worker *pause() const noexcept { return memoom_pod_pause(get()); }
    /** "guaranteed", "burstable" or "besteffort". */
    std::string qos() const { return detail::text(memoom_pod_qos(get())); }
    /** Makes a container; without options one without limit and request. */
    memoom::container container(const std::string &name,
                                const memoom_container_options &options = MEMOOM_CONTAINER_OPTIONS_INIT) const
    {
        memoom_container *made = nullptr;
        memoom_error *failure = nullptr;
        check(memoom_container_create(get(), name.c_str(), &options, &made, &failure), failure);
        return memoom::container(made);
    }
    /** Ends every process in it and removes its groups. */
    void remove() const
    {
        memoom_error *failure = nullptr;
        check(memoom_pod_remove(get(), &failure), failure);
    }
};

inline memoom::pod lab::pod(const std::string &name, const memoom_pod_options &options) const
{
    memoom_pod *made = nullptr;
    memoom_error *failure = nullptr;
    check(memoom_pod_create(get(), name.empty() ? nullptr : name.c_str(), &options, &made, &failure), failure);
    return memoom::pod(made);
}

} // namespace memoom

#endif

/*
 * memoom: make a memory-cgroup OOM happen on purpose, safely, and read a complete account of what the kernel did.
 *
 *     #include <memoom.h>              // cc program.c $(pkg-config --cflags --libs memoom)
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         const char *argv[] = {"tail", "/dev/zero", NULL}; // it keeps all that it reads
 *         memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
 *         memoom_outcome *outcome = NULL;
 *         memoom_error *error = NULL;
 *         options.limit_bytes = 80 << 20;
 *         if (memoom_run(argv, &options, &outcome, &error) != MEMOOM_OK)
 *             fprintf(stderr, "%s\n", memoom_error_message(error));
 *         else
 *             fprintf(stderr, "%s\n", memoom_outcome_to_text(outcome));
 *         memoom_outcome_free(outcome);
 *         memoom_error_free(error);
 *         return 0;
 *     }
 *
 * For more than one process the way is always the same: a host has a place for a lab; a lab has groups; workers put
 * pressure on a group; a watch sees what happens; an oom accounts for it and an outcome says how a worker ended. The
 * header is in that order.
 *
 * What holds for every call, unless its comment says otherwise (docs/c-api.md has the contract in full):
 * - A fallible call returns a memoom_status: MEMOOM_OK is 0, failures are negative. Its last parameter, reterr_error,
 *   takes the error of a failure, or is NULL. Outputs (ret_...) are written only on success. Its comment tells the
 *   failures that are its own (Returns). Beside them it may give: MEMOOM_ERR_INVALID_INPUT for a NULL that is not
 *   allowed, for a struct without its size, and for a group that was opened where one made by memoom is asked for;
 *   MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED where the kernel refuses this user;
 *   MEMOOM_ERR_CLOSED where the lab was closed; MEMOOM_ERR_IO where a system call fails in another way;
 *   MEMOOM_ERR_PANIC.
 * - _create, _open, _spawn and the like give an object of the caller's; its _free takes it back and accepts NULL.
 *   Objects may be freed in any order. What a getter points to is borrowed from its object and valid until that is
 *   freed.
 * - Getters return values and cannot fail; they accept NULL, and give what their comment says for it.
 * - A call may come from any thread, but for _free: then no other thread may use the object any more. What is read
 *   only (results, lists, errors) never changes, so any number of threads may read it, and a forked child too. With a
 *   lab, group, worker or watch of its parent's a forked child can do nothing: it gets MEMOOM_ERR_CLOSED.
 * - Everything is there since version 0.1.
 * - Strings in are bytes that end in NUL. Strings out are ASCII: what is not printable ASCII, and the backslash, is
 *   written \xNN, as the kernel does in /dev/kmsg. Only paths of files and error messages are bytes as they are.
 * - Structs begin with struct_size; begin each with its _INIT macro. What is not set keeps the default, and programs
 *   work with older and newer libraries.
 * - No call prints, exits, installs a signal handler, waits for children that are not memoom's, or changes the
 *   environment. No call starts a thread. Only memoom_run_function and memoom_function_spawn call back, and that in a
 *   forked child.
 *
 * This file is generated; the sources are in capi/src.
 */

#ifndef MEMOOM_H
#define MEMOOM_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header as text. */
#define MEMOOM_VERSION_STRING "0.1.0"

/** The version of this header as one number: major * 65536 + minor * 256 + patch. */
#define MEMOOM_VERSION_NUMBER \
    ((MEMOOM_VERSION_MAJOR << 16) | (MEMOOM_VERSION_MINOR << 8) | MEMOOM_VERSION_PATCH)

/** The result of the call must not be ignored. */
#if defined(__GNUC__)
#define MEMOOM_MUST_USE __attribute__((warn_unused_result))
#else
/** Other compilers have no such warning. */
#define MEMOOM_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ========================================================================================================
 * Status and values
 *
 * What calls give back, and the values that mean the same in every option and output.
 * ======================================================================================================== */
/** What a call returns: MEMOOM_OK, or one of the negative MEMOOM_ERR_ numbers.
 *
 * A number never changes its meaning; later versions may add numbers. */
typedef int32_t memoom_status;
#define MEMOOM_OK 0 /**< The call did what it says. */
#define MEMOOM_ERR_INVALID_INPUT (-1) /**< An argument is wrong: NULL, a size, a name, a limit, a combination. */
#define MEMOOM_ERR_UNSUPPORTED (-2) /**< This kernel, hierarchy or machine lacks what the call needs. */
#define MEMOOM_ERR_PERMISSION_DENIED (-3) /**< The process lacks a right (uid, capability, read-only mount). */
#define MEMOOM_ERR_NOT_FOUND (-4) /**< The group, process or file is not there (any more). */
#define MEMOOM_ERR_ALREADY_EXISTS (-5) /**< A group of that name is there already. */
#define MEMOOM_ERR_BUSY (-6) /**< Something else holds it: processes in the group, a step that is still going on. */
#define MEMOOM_ERR_CLOSED (-7) /**< The lab was closed, or belongs to another process (the parent of a fork). */
#define MEMOOM_ERR_WORKER_GONE (-8) /**< The worker has ended, so it cannot do what was asked. */
#define MEMOOM_ERR_TIMED_OUT (-9) /**< The deadline passed. */
#define MEMOOM_ERR_OUT_OF_MEMORY (-10) /**< The host has too little memory for what was asked. */
#define MEMOOM_ERR_INTERRUPTED (-11) /**< The wait was interrupted. */
#define MEMOOM_ERR_IO (-12) /**< Another failure of a system call; see memoom_error_errno. */
#define MEMOOM_ERR_OTHER (-13) /**< A failure that this version of the C face has no number for; its message tells. */
/** A defect of memoom itself was caught before it could reach the caller. Please report its message. */
#define MEMOOM_ERR_PANIC (-14)
#define MEMOOM_UNLIMITED UINT64_MAX /**< No limit. As an output too: the group has no limit. 0 bytes is a limit. */
#define MEMOOM_UNCHANGED (UINT64_MAX - 1) /**< In options: leave the kernel's own setting alone. */
/** In results alone: a number that this kernel or hierarchy does not give. As a limit it is refused. */
#define MEMOOM_UNKNOWN (UINT64_MAX - 2)
/** A timeout that never passes. It is the number of MEMOOM_UNLIMITED: both say that there is no end, and nothing
 * takes or gives a time and a size in one place. */
#define MEMOOM_FOREVER UINT64_MAX
#define MEMOOM_SCORE_UNKNOWN INT32_MIN /**< An oom_score_adj that no source tells. */
/** A switch of a group. */
typedef uint32_t memoom_switch;
#define MEMOOM_SWITCH_UNCHANGED UINT32_MAX /**< In options: leave the switch as the kernel has it. */
#define MEMOOM_OFF 0 /**< The switch is off. */
#define MEMOOM_ON 1 /**< The switch is on. */

/** The name of a status, such as "invalid-input".
 * \param status  what a call returned
 * Returns: the name; "ok" for MEMOOM_OK, "other" for a number that the library does not know.
 * Ownership: static; never freed. */
const char *memoom_status_name(memoom_status status);

/* ========================================================================================================
 * One call
 *
 * A command, or a function, under a limit; its outcome has the account. The rest of the header is for more.
 * ======================================================================================================== */
/** For a standard descriptor of a command: where the caller's goes. It is not -1, which an open(2) that failed
 * gives. */
#define MEMOOM_FD_INHERIT (-3)
#define MEMOOM_FD_NULL (-2) /**< For a standard descriptor of a command: to /dev/null. */

/** How memoom_run runs a command and memoom_run_function a function. Begin with MEMOOM_RUN_OPTIONS_INIT: no limit,
 * swap kept out, no timeout, the rest is the caller's. */
typedef struct memoom_run_options {
    /** sizeof(memoom_run_options). */
    size_t struct_size;
    /** The hard limit: bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED. */
    uint64_t limit_bytes;
    /** Swap that the command may use beyond its memory: bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED. */
    uint64_t swap_bytes;
    /** The throttling limit memory.high (v2 only): bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED. */
    uint64_t high_bytes;
    /** How long it may run, or MEMOOM_FOREVER; then it and all its children are killed. */
    uint64_t timeout_ns;
    /** The whole environment: "NAME=VALUE" strings, then NULL. NULL for the caller's environment. */
    const char *const *env;
    /** The working directory; NULL for the caller's. */
    const char *cwd;
    /** memory.oom.group (v2 only), an OOM kill takes its children too: MEMOOM_ON, MEMOOM_OFF or
     * MEMOOM_SWITCH_UNCHANGED. */
    memoom_switch oom_group;
    /** Standard input: a descriptor of the caller's, which stays the caller's, MEMOOM_FD_INHERIT or MEMOOM_FD_NULL. */
    int32_t stdin_fd;
    /** Standard output, likewise. */
    int32_t stdout_fd;
    /** Standard error, likewise. */
    int32_t stderr_fd;
    /** Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE. */
    int32_t oom_score_adj;
    /** 0. */
    uint32_t reserved;
    /** A file into which everything is recorded that the accounts are made of (memoom_lab_options.record); NULL for
     * none. */
    const char *record;
    /** A command line for /bin/sh that is run outside of the group when the limit is met, while everybody inside
     * stands still and before anybody dies; NULL for none, "builtin" for the memory by mapping. {pid} (the
     * predicted victim, or else who met the limit), {invoker}, {group} and {pids} are filled in, and stand in its
     * environment too (memoom-run(1)). A line "memoom: raise SIZE" of its output raises the limit; else the
     * kernel's choice takes its course. memoom_outcome_at_limit_at has what it wrote. */
    const char *at_limit;
    /** The room above the limit while everybody stands still: bytes, at least a page. */
    uint64_t headroom_bytes;
    /** How long that command may take, or MEMOOM_FOREVER; then it and all its children are killed. */
    uint64_t at_limit_timeout_ns;
    /** The limit to which it is raised after that command where it is lower, or MEMOOM_UNCHANGED. */
    uint64_t raise_bytes;
} memoom_run_options;
/** The start of a memoom_run_options: no limit, swap kept out, no timeout, the rest is the caller's. */
#define MEMOOM_RUN_OPTIONS_INIT \
    { sizeof(memoom_run_options), MEMOOM_UNCHANGED, 0, MEMOOM_UNCHANGED, MEMOOM_FOREVER, NULL, NULL, \
      MEMOOM_SWITCH_UNCHANGED, MEMOOM_FD_INHERIT, MEMOOM_FD_INHERIT, MEMOOM_FD_INHERIT, 0, 0, NULL, NULL, 4194304, \
      60000000000, MEMOOM_UNCHANGED }

/** A function of the caller's that runs in a forked child, in a group. What it returns is the exit code (its low 8
 * bits).
 *
 * The child is a copy of the process that called, as fork(2) makes it, with these differences: it stands in the
 * group, its oom_score_adj and its name are those of the options, it raises no SIGCHLD, wait(2) and waitpid(-1,
 * ...) of the caller do not see it, and handlers of pthread_atfork(3) do not run. When the function returns the
 * child ends as with _exit(2).
 *
 * It may use: everything, where the caller has one thread; where it has several, what signal-safety(7) lists
 * (malloc is not on that list), and memory that was there or comes from mmap(2). Descriptors, handlers, the signal
 * mask and the process group are the caller's. It may fork and execute; what it leaves behind in the group is
 * killed at the lab's end.
 *
 * It must not: use objects of memoom's other than plain results, longjmp(3) out or throw (so no assertion of a test
 * framework: return a number and assert on the outcome), or rely on buffers of stdio being written (fflush(3) would
 * write the caller's unwritten text a second time: fflush before the call, or write with dprintf(3)).
 *
 * A number is all that comes back, and only its low 8 bits: 300 becomes exit status 44, and 256 becomes 0, which
 * reads as success. Whatever is more goes through memory that is shared with the child:
 *
 * \code
 * struct result { size_t taken; };
 *
 * static int32_t fill(void *argument)
 * {
 *     struct result *result = argument;
 *     volatile char *memory = malloc(64 << 20);
 *     for (; memory && result->taken < 64 << 20; result->taken += 4096)
 *         memory[result->taken] = 1; // killed here, the caller still reads how far it came
 *     return memory ? 0 : 1;
 * }
 * struct result *result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
 * \endcode
 *
 * examples/c/hand_back.c is the whole program. The page of such memory is charged to whoever touches it first:
 * write to it before the call.
 *
 * The pages that it shares with the caller are not charged to the group, but they count for its score when the
 * kernel chooses a victim. */
typedef int32_t (*memoom_function)(void *argument);

/** What a function is told. Begin with MEMOOM_FUNCTION_OPTIONS_INIT. */
typedef struct memoom_function_options {
    /** sizeof(memoom_function_options). */
    size_t struct_size;
    /** The name of the child as the kernel shows it, 1 to 15 bytes of UTF-8; NULL for "function". */
    const char *name;
    /** Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE. */
    int32_t oom_score_adj;
    /** 0. */
    uint32_t reserved;
    /** Nanoseconds after which it is killed, whatever the caller does by then; with it, it is started even where the
     * kernel would try without end, as every process in reach of a limit has oom_score_adj -1000. 0: never, and
     * such a start is refused. */
    uint64_t force_within_ns;
} memoom_function_options;
/** The start of a memoom_function_options: "function", oom_score_adj 0. */
#define MEMOOM_FUNCTION_OPTIONS_INIT { sizeof(memoom_function_options), NULL, 0, 0, 0 }

/** Why a call failed: status, errno, operation, path and a one-line message with the remedy. */
typedef struct memoom_error memoom_error;

/** How a worker ended, and whether an OOM ended it. */
typedef struct memoom_outcome memoom_outcome;

/** Runs a command under limits in a lab of its own, waits for its end and gives the verdict with its evidence.
 * Whatever the command leaves behind is killed then.
 *
 * \code
 * const char *argv[] = {"./server", "--self-test", NULL};
 * memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
 * memoom_outcome *outcome = NULL;
 * options.limit_bytes = 80 << 20;
 * if (memoom_run(argv, &options, &outcome, NULL) == MEMOOM_OK && memoom_outcome_oom_killed(outcome))
 *     fputs(memoom_oom_to_text(memoom_outcome_oom(outcome)), stderr);
 * memoom_outcome_free(outcome);
 * \endcode
 * \param argv  the program and its arguments, then NULL; a program without "/" is looked for in PATH
 * \param options  how it is run; NULL for MEMOOM_RUN_OPTIONS_INIT
 * Returns: MEMOOM_OK, also when the command failed, was OOM-killed or ran too long (that is an outcome); else as
 * memoom_lab_create, memoom_group_create and memoom_command_spawn.
 * Needs: root, or a memory group that is delegated to this user. */
MEMOOM_MUST_USE memoom_status memoom_run(const char *const *argv, const memoom_run_options *options,
    memoom_outcome **ret_outcome, memoom_error **reterr_error);

/** Runs a function in a forked child under limits, in a lab of its own, waits for its end and gives the verdict with
 * its evidence. Whatever it leaves behind is killed then, and no child is left.
 *
 * \code
 * static int32_t fill(void *argument)
 * {
 *     size_t bytes = *(size_t *)argument, at;
 *     volatile char *memory = malloc(bytes); // volatile: a compiler may leave out what nobody reads
 *     for (at = 0; memory && at < bytes; at += 4096)
 *         memory[at] = 1;
 *     return memory ? 0 : 1;
 * }
 * size_t bytes = 200 << 20;
 * memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
 * memoom_outcome *outcome = NULL;
 * options.limit_bytes = 80 << 20;
 * if (memoom_run_function(fill, &bytes, &options, &outcome, NULL) == MEMOOM_OK && memoom_outcome_oom_killed(outcome))
 *     fputs(memoom_oom_to_text(memoom_outcome_oom(outcome)), stderr);
 * memoom_outcome_free(outcome);
 * \endcode
 * \param function  what runs; see memoom_function for what it may use
 * \param argument  what it is given; NULL is passed on
 * \param options  how it is run; NULL for MEMOOM_RUN_OPTIONS_INIT. What is for commands alone must be as the _INIT
 * has it: env, cwd and the three descriptors
 * Returns: MEMOOM_OK, also when the function gave a number other than 0, was OOM-killed or ran too long (that is an
 * outcome); else as memoom_lab_create, memoom_group_create and memoom_function_spawn.
 * Thread safety: any thread; in a process with several, see memoom_function.
 * Needs: root, or a memory group that is delegated to this user. */
MEMOOM_MUST_USE memoom_status memoom_run_function(memoom_function function, void *argument,
    const memoom_run_options *options, memoom_outcome **ret_outcome, memoom_error **reterr_error);

/* ========================================================================================================
 * Error
 *
 * Why a call failed, and what to do about it.
 * ======================================================================================================== */

/** The status that the failed call returned.
 * Returns: the status; MEMOOM_OK for NULL. */
memoom_status memoom_error_status(const memoom_error *error);

/** The errno of the system call that failed.
 * Returns: the errno; 0 where no system call failed, and for NULL. */
int32_t memoom_error_errno(const memoom_error *error);

/** What was tried, such as "create group"; the name of the function where an argument was refused at once.
 * Returns: the operation; NULL for NULL. */
const char *memoom_error_operation(const memoom_error *error);

/** The file or directory concerned, as raw bytes.
 * Returns: the path; NULL where no path is concerned, and for NULL. */
const char *memoom_error_path(const memoom_error *error);

/** The whole error in one line: operation, path, value, reason and remedy.
 * Returns: the message; NULL for NULL. */
const char *memoom_error_message(const memoom_error *error);

/** Frees an error. */
void memoom_error_free(memoom_error *error);
/** For __attribute__((cleanup(memoom_error_freep))): frees what the variable holds. */
static inline void memoom_error_freep(memoom_error **object) { memoom_error_free(*object); }

/* ========================================================================================================
 * Host
 *
 * What this machine can do, and why it cannot do the rest.
 * ======================================================================================================== */

/** This machine as memoom saw it when it was probed. */
typedef struct memoom_host memoom_host;
/** The version of the hierarchy in which the memory controller stands. */
typedef uint32_t memoom_cgroup_version;
#define MEMOOM_CGROUP_NONE 0 /**< The memory controller is nowhere. */
#define MEMOOM_CGROUP_V1 1 /**< cgroup v1: memory.limit_in_bytes, memory.oom_control. */
#define MEMOOM_CGROUP_V2 2 /**< cgroup v2: memory.max, memory.events. */
/** How the machine has its cgroup hierarchies mounted. */
typedef uint32_t memoom_hierarchy;
#define MEMOOM_HIERARCHY_NONE 0 /**< No cgroup file system is mounted. */
#define MEMOOM_HIERARCHY_V1 1 /**< Only v1 hierarchies. */
#define MEMOOM_HIERARCHY_V2 2 /**< Only the v2 hierarchy. */
/** Both are mounted; memoom_host_version tells where the memory controller stands. */
#define MEMOOM_HIERARCHY_HYBRID 3

/** Something that memoom can do here, or why it cannot and what would help. */
typedef struct memoom_ability {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** A short name, such as "kernel-log". */
    const char *name;
    /** What was found. */
    const char *reason;
    /** What to do about it; empty where nothing is missing. */
    const char *remedy;
    /** 1 where it can be had, else 0. */
    uint32_t available;
    /** 0. */
    uint32_t reserved;
} memoom_ability;

/** Whether a group is another one or stands below it, by their paths as the kernel and the events write them.
 *
 * "/a" covers "/a" and "/a/b", and not "/ab"; "/" covers every group. With it the events of a timeline can be
 * sorted by groups.
 * \param outer  the path of the group that may stand above
 * \param inner  the path of the other
 * \param ret_covers  where 1 goes if it is so, and 0 if not
 * Returns: MEMOOM_ERR_INVALID_INPUT for a path that is no UTF-8. */
MEMOOM_MUST_USE memoom_status memoom_cgroup_covers(const char *outer, const char *inner, uint32_t *ret_covers,
    memoom_error **reterr_error);

/** Looks at this machine. Nothing is changed by looking.
 * Returns: MEMOOM_OK, also on a machine without cgroups (that is an answer); MEMOOM_ERR_INVALID_INPUT for a NULL
 * ret_host; MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_PERMISSION_DENIED or MEMOOM_ERR_IO where /proc cannot be read.
 * Needs: /proc. */
MEMOOM_MUST_USE memoom_status memoom_host_probe(memoom_host **ret_host, memoom_error **reterr_error);

/** The version of the hierarchy in which the memory controller stands.
 * Returns: MEMOOM_CGROUP_V1, MEMOOM_CGROUP_V2, or MEMOOM_CGROUP_NONE where it is nowhere (and for NULL). */
memoom_cgroup_version memoom_host_version(const memoom_host *host);

/** What is mounted.
 * Returns: one of the MEMOOM_HIERARCHY_ numbers; MEMOOM_HIERARCHY_NONE for NULL. */
memoom_hierarchy memoom_host_hierarchy(const memoom_host *host);

/** The directory below which labs are made unless told otherwise. For a process that stands in a lab it is one from
 * which no limit of that lab is escaped.
 * Returns: the path, as raw bytes; NULL where none can be written, and for NULL. */
const char *memoom_host_parent(const memoom_host *host);

/** The memory group of this process, as the kernel writes it in /proc/self/cgroup.
 * Returns: the group; NULL where there is none, and for NULL. */
const char *memoom_host_own_group(const memoom_host *host);

/** The kernel release, as uname -r says it.
 * Returns: the release; NULL for NULL. */
const char *memoom_host_release(const memoom_host *host);

/** Bytes of memory that the host could give when it was probed (MemAvailable in /proc/meminfo).
 * Returns: the bytes; 0 for NULL. */
uint64_t memoom_host_available_bytes(const memoom_host *host);

/** Whether this machine has an ability.
 * \param name  the ability, such as "create-groups"
 * Returns: 1 where it is there, 0 where not; 0 for a name that memoom does not know, and for NULL. */
uint32_t memoom_host_can(const memoom_host *host, const char *name);

/** An ability by its name, for its reason and remedy.
 *
 * The names: "memory-controller", "create-groups", "swap-accounting", "oom-killer-switch", "oom-group", "own-room",
 * "kernel-log", "tracefs", "task-stack", "lower-oom-score-adj". Later versions may know more.
 * Returns: the ability; NULL for a name that memoom does not know or did not look at, and for NULL. */
const memoom_ability *memoom_host_ability(const memoom_host *host, const char *name);

/** How many abilities were looked at.
 * Returns: the number; 0 for NULL. */
size_t memoom_host_ability_count(const memoom_host *host);

/** One of the abilities that were looked at.
 * \param index  from 0 to memoom_host_ability_count - 1
 * Returns: the ability; NULL beyond the end, and for NULL. */
const memoom_ability *memoom_host_ability_at(const memoom_host *host, size_t index);

/** The host as a person reads it: what is where, each ability with what helps where it is missing.
 * Returns: the text; NULL for NULL. */
const char *memoom_host_to_text(const memoom_host *host);

/** The host as one JSON document ("memoom.host/1").
 * Returns: the document; NULL for NULL. */
const char *memoom_host_to_json(const memoom_host *host);

/** Frees a host. */
void memoom_host_free(memoom_host *host);
/** For __attribute__((cleanup(memoom_host_freep))): frees what the variable holds. */
static inline void memoom_host_freep(memoom_host **object) { memoom_host_free(*object); }

/* ========================================================================================================
 * Lab
 *
 * One safe place for experiments: a subtree of cgroups and one supervisor. Nothing of it outlives its owner.
 * ======================================================================================================== */

/** One safe place for experiments: a cgroup subtree of its own and one supervisor process, a child of this process.
 *
 * When the lab is closed or freed, or when this process ends in whatever way, every process, group and trace of it
 * goes. The supervisor is reaped by memoom_lab_close; a program that calls wait(-1) before may reap it instead,
 * which does no harm.
 * Thread safety: calls may come from any thread at any time, except memoom_lab_free. After a fork the child must
 * not use the lab (it gets MEMOOM_ERR_CLOSED); freeing its copy does no harm. */
typedef struct memoom_lab memoom_lab;

/** What memoom_gc found. */
typedef struct memoom_leftover_list memoom_leftover_list;
/** In memoom_lab_options.flags: do not read the kernel log; accounts then lack the kernel's report. */
#define MEMOOM_LAB_NO_KERNEL_LOG 1
/** In memoom_lab_options.flags: do not trace; accounts then take the call path from the kernel's report. */
#define MEMOOM_LAB_NO_CALL_PATH 2

/** What a new lab may be told. Begin with MEMOOM_LAB_OPTIONS_INIT, which is right for almost everybody. */
typedef struct memoom_lab_options {
    /** sizeof(memoom_lab_options). */
    size_t struct_size;
    /** The directory below which the lab is made; NULL for memoom_host_parent. */
    const char *parent;
    /** Where the helper program may be written when the kernel forbids running it from memory (vm.memfd_noexec 2);
     * NULL for the system's directory of temporary files. */
    const char *helper_dir;
    /** MEMOOM_LAB_ flags; 0 for none. */
    uint64_t flags;
    /** How often whoever waits in the lab (for a worker, a step, an event) samples every group of it meanwhile, as
     * memoom_group_sample does, in microseconds; 0 for never. Nobody samples while nobody waits. */
    uint64_t sample_every_usec;
    /** How many events the lab keeps for its timeline and for watches that have not read them: the last ones; 0 for
     * 16384, UINT64_MAX for all. What was forgotten is counted (memoom_timeline_forgotten_events), and told to such
     * a watch as an event "lost". */
    uint64_t keep_events;
    /** The same for accounts, which are larger; 0 for 512. A worker keeps the account of its own death all the same. */
    uint64_t keep_ooms;
    /** A file into which everything is recorded that the accounts of the lab are made of, for memoom_replay: records
     * of the kernel log, marks, counters, names and numbers of processes; NULL for none. A recording that stands
     * there is written over; a link, or another file, is MEMOOM_ERR_INVALID_INPUT. */
    const char *record;
} memoom_lab_options;
/** The start of a memoom_lab_options: the usual place, every source of evidence. */
#define MEMOOM_LAB_OPTIONS_INIT { sizeof(memoom_lab_options), NULL, NULL, 0, 0, 0, 0, NULL }

/** A lab that somebody had left behind. */
typedef struct memoom_leftover {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** The directory of the lab, or the name of its trace; raw bytes. */
    const char *path;
    /** Why it was removed, or why not. */
    const char *reason;
    /** 1 where it was removed, else 0. */
    uint32_t removed;
    /** 0. */
    uint32_t reserved;
} memoom_leftover;

/** Makes a lab.
 *
 * A lab that a dead process has left in the same place is removed first.
 * \param options  what it is told; NULL for MEMOOM_LAB_OPTIONS_INIT
 * Returns: MEMOOM_ERR_INVALID_INPUT for the options; MEMOOM_ERR_UNSUPPORTED without a memory controller;
 * MEMOOM_ERR_PERMISSION_DENIED where no group may be made; MEMOOM_ERR_NOT_FOUND where the parent is no directory;
 * MEMOOM_ERR_BUSY where processes stand in it (v2); MEMOOM_ERR_IO where the supervisor cannot be started.
 * Needs: root, or a memory group that is delegated to this user. */
MEMOOM_MUST_USE memoom_status memoom_lab_create(const memoom_lab_options *options, memoom_lab **ret_lab,
    memoom_error **reterr_error);

/** The name of the lab: the last component of its directory.
 * Returns: the name; NULL for NULL. */
const char *memoom_lab_name(const memoom_lab *lab);

/** The directory of the lab.
 * Returns: the path, as raw bytes; NULL for NULL. */
const char *memoom_lab_path(const memoom_lab *lab);

/** The hierarchy in which the lab stands.
 * Returns: MEMOOM_CGROUP_V1 or MEMOOM_CGROUP_V2; MEMOOM_CGROUP_NONE for NULL. */
memoom_cgroup_version memoom_lab_version(const memoom_lab *lab);

/** The process that starts, reaps and cleans up.
 * Returns: its pid; 0 for NULL. */
int32_t memoom_lab_supervisor_pid(const memoom_lab *lab);

/** Ends a lab: every worker is killed, every group and trace removed, the supervisor reaped.
 *
 * Closing twice is fine. The lab, its groups and its workers stay valid objects until they are freed; what would
 * need the lab gives MEMOOM_ERR_CLOSED.
 * Returns: MEMOOM_ERR_TIMED_OUT or MEMOOM_ERR_BUSY where something could not be removed, naming it. */
MEMOOM_MUST_USE memoom_status memoom_lab_close(const memoom_lab *lab, memoom_error **reterr_error);

/** Frees a lab, after closing it where that was not done. What fails on the way cannot be told here: close first.
 * Ownership: takes the lab; its strings end with it. Its groups and workers are objects of their own. */
void memoom_lab_free(memoom_lab *lab);
/** For __attribute__((cleanup(memoom_lab_freep))): frees what the variable holds, closing the lab first. */
static inline void memoom_lab_freep(memoom_lab **object) { memoom_lab_free(*object); }

/** How many labs were found.
 * Returns: the number; 0 for NULL. */
size_t memoom_leftover_list_count(const memoom_leftover_list *list);

/** One of the labs that were found.
 * \param index  from 0 to memoom_leftover_list_count - 1
 * Returns: the lab that was left behind; NULL beyond the end, and for NULL. */
const memoom_leftover *memoom_leftover_list_at(const memoom_leftover_list *list, size_t index);

/** Frees a list. */
void memoom_leftover_list_free(memoom_leftover_list *list);
/** For __attribute__((cleanup(memoom_leftover_list_freep))): frees what the variable holds. */
static inline void memoom_leftover_list_freep(memoom_leftover_list **object) { memoom_leftover_list_free(*object); }

/** Removes the labs whose owners have died. Those of living owners are not touched, nor those of which nobody can
 * tell from here whether the owner lives (another pid namespace, a /proc that hides it), nor what another user has
 * made under such a name; the list says so of each.
 * \param ret_list  where the list of what was found goes
 * Returns: MEMOOM_OK, also where something could not be removed (the list names it); MEMOOM_ERR_INVALID_INPUT for a
 * NULL ret_list; MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_IO. */
MEMOOM_MUST_USE memoom_status memoom_gc(memoom_leftover_list **ret_list, memoom_error **reterr_error);

/** The same for the labs that were made with a parent of the caller's (memoom_lab_options.parent): they are looked
 * for in that directory, and nowhere else.
 * \param parent  the directory of a group
 * \param ret_list  where the list of what was found goes
 * Returns: MEMOOM_OK, also where something could not be removed (the list names it); MEMOOM_ERR_INVALID_INPUT for a
 * NULL argument and for a directory that is not a group of the memory controller; MEMOOM_ERR_NOT_FOUND;
 * MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_IO. */
MEMOOM_MUST_USE memoom_status memoom_gc_below(const char *parent, memoom_leftover_list **ret_list,
    memoom_error **reterr_error);

/* ========================================================================================================
 * Group
 *
 * One memory cgroup: how it is made, its limits and switches, what the kernel counts, who stands in it.
 * ======================================================================================================== */

/** One memory cgroup: made in a lab, or an existing one opened to be observed only. */
typedef struct memoom_group memoom_group;

/** The mark of the most that a group has used.
 *
 * On v2 (memory.peak) a reset counts for this object alone; on v1 (memory.max_usage_in_bytes) for everybody. */
typedef struct memoom_peak memoom_peak;

/** Whom the kernel would kill if the limit were hit now. */
typedef struct memoom_prediction memoom_prediction;

/** The settings of a new group. Begin with MEMOOM_GROUP_OPTIONS_INIT: no limit, swap kept out, the rest unchanged. */
typedef struct memoom_group_options {
    /** sizeof(memoom_group_options). */
    size_t struct_size;
    /** The hard limit, memory.limit_in_bytes (v1) or memory.max (v2): bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED. */
    uint64_t limit_bytes;
    /** Swap that the group may use beyond its memory: bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED. 0 makes an OOM
     * come at the limit and nowhere else. */
    uint64_t swap_bytes;
    /** The throttling limit memory.high (v2 only): bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED. */
    uint64_t high_bytes;
    /** memory.oom.group (v2 only), an OOM kill takes the whole group: MEMOOM_ON, MEMOOM_OFF or
     * MEMOOM_SWITCH_UNCHANGED. */
    memoom_switch oom_group;
    /** The OOM killer of the group (v1 only): MEMOOM_OFF makes a process at the limit wait instead of being killed. */
    memoom_switch oom_killer;
} memoom_group_options;
/** The start of a memoom_group_options: no limit, swap kept out, the rest as the kernel has it. */
#define MEMOOM_GROUP_OPTIONS_INIT \
    { sizeof(memoom_group_options), MEMOOM_UNCHANGED, 0, MEMOOM_UNCHANGED, MEMOOM_SWITCH_UNCHANGED, \
      MEMOOM_SWITCH_UNCHANGED }

/** What the kernel counted for a group. A counter that this kernel or hierarchy lacks is MEMOOM_UNKNOWN.
 *
 * These are numbers of events, never of dead processes: with memory.oom.group the first victim is counted twice,
 * and lowering a v2 limit under the usage raises oom thousands of times for one kill. As an argument, begin with
 * MEMOOM_COUNTERS_INIT. */
typedef struct memoom_counters {
    /** As an argument, sizeof(memoom_counters); as a result, the bytes that the library has filled. */
    size_t struct_size;
    /** Bytes charged: memory.usage_in_bytes (v1), memory.current (v2). */
    uint64_t usage_bytes;
    /** The most ever charged, in bytes: memory.max_usage_in_bytes (v1), memory.peak (v2, from about 5.19). */
    uint64_t peak_bytes;
    /** OOM kill events: memory.oom_control (v1, from 4.13), memory.events (v2). */
    uint64_t oom_kill;
    /** Times the limit was hit and an OOM declared: memory.events (v2). */
    uint64_t oom;
    /** Kills of the whole group: memory.events (v2, from about 5.17). */
    uint64_t oom_group_kill;
    /** Times the usage was about to go over memory.max: memory.events (v2). */
    uint64_t max;
    /** Times the usage went over memory.high: memory.events (v2). */
    uint64_t high;
    /** Times the group was reclaimed below memory.low: memory.events (v2). */
    uint64_t low;
    /** Times a charge failed at the limit: memory.failcnt (v1). */
    uint64_t failcnt;
    /** 1 while processes wait for the OOM to end: memory.oom_control (v1). */
    uint64_t under_oom;
    /** 1 while the OOM killer is off: memory.oom_control (v1). */
    uint64_t oom_kill_disable;
} memoom_counters;
/** The start of a memoom_counters. */
#define MEMOOM_COUNTERS_INIT { sizeof(memoom_counters), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** How long tasks of a group have waited for memory (PSI). Begin with MEMOOM_PRESSURE_INIT. */
typedef struct memoom_pressure {
    /** As an argument, sizeof(memoom_pressure). */
    size_t struct_size;
    /** While at least one task waited: share of the last 10 seconds, in percent. */
    double some_avg10;
    /** Share of the last minute, in percent. */
    double some_avg60;
    /** Share of the last 5 minutes, in percent. */
    double some_avg300;
    /** All the time so far, in microseconds. */
    uint64_t some_total_usec;
    /** While all tasks that wanted to run waited: share of the last 10 seconds, in percent. */
    double full_avg10;
    /** Share of the last minute, in percent. */
    double full_avg60;
    /** Share of the last 5 minutes, in percent. */
    double full_avg300;
    /** All the time so far, in microseconds. */
    uint64_t full_total_usec;
} memoom_pressure;
/** The start of a memoom_pressure. */
#define MEMOOM_PRESSURE_INIT { sizeof(memoom_pressure), 0, 0, 0, 0, 0, 0, 0, 0 }

/** The charged bytes of a group, by what holds them. Begin with MEMOOM_COMPOSITION_INIT. A part that the kernel does
 * not tell is MEMOOM_UNKNOWN, never 0. The parts that do not overlap (anon, file, shmem, both slabs, kernel_stack,
 * page_tables, percpu, vmalloc, sock on v2, hugetlb and other) add up to the usage. */
typedef struct memoom_composition {
    /** As an argument, sizeof(memoom_composition). */
    size_t struct_size;
    /** Bytes charged in all. */
    uint64_t usage_bytes;
    /** Anonymous memory of processes. */
    uint64_t anon_bytes;
    /** Page cache of files on a disk, without shmem. */
    uint64_t file_bytes;
    /** tmpfs files, memfds, shared anonymous and System V memory. */
    uint64_t shmem_bytes;
    /** Slab objects that the kernel can drop. v2 only. */
    uint64_t slab_reclaimable_bytes;
    /** Slab objects that it cannot drop. v2 only. */
    uint64_t slab_unreclaimable_bytes;
    /** Kernel stacks of threads. v2 only. */
    uint64_t kernel_stack_bytes;
    /** Page tables. On v1 those of the processes, where they are told. */
    uint64_t page_tables_bytes;
    /** Buffers of sockets; v1 counts those of TCP apart, and they are not in the usage there. */
    uint64_t sock_bytes;
    /** Memory that the kernel keeps for each CPU. v2 only. */
    uint64_t percpu_bytes;
    /** The kernel's vmalloc areas. v2 only. */
    uint64_t vmalloc_bytes;
    /** Huge pages of the reserve, where the kernel charges them. */
    uint64_t hugetlb_bytes;
    /** Bytes in swap; no part of the usage. */
    uint64_t swap_bytes;
    /** The rest of the usage; kernel_other_bytes of it are the kernel's. */
    uint64_t other_bytes;
    /** All memory of the kernel for the group, the parts above among it. */
    uint64_t kernel_bytes;
    /** What of kernel_bytes no part above tells: buffers of pipes and the like; on v1 all of it. */
    uint64_t kernel_other_bytes;
    /** What of the usage no number of the kernel explains. */
    uint64_t unexplained_bytes;
    /** What of the memory stands in transparent huge pages. */
    uint64_t huge_bytes;
    /** An estimate of what the kernel could drop without swap: clean page cache and reclaimable slab, at the most. */
    uint64_t reclaimable_bytes;
    /** Page cache that processes have mapped, shmem among it. */
    uint64_t mapped_bytes;
    /** Page cache that is to be written to the disk first. */
    uint64_t dirty_bytes;
    /** Page cache that is being written. */
    uint64_t writeback_bytes;
    /** Pages that reclaim leaves alone, such as mlocked ones. */
    uint64_t unevictable_bytes;
    /** When it was read, in nanoseconds of CLOCK_MONOTONIC. */
    uint64_t read_ns;
    /** Who says it: "report", "memory.stat" or "sample" (read before the OOM). A constant of the library. */
    const char *source;
} memoom_composition;
/** The start of a memoom_composition. */
#define MEMOOM_COMPOSITION_INIT { sizeof(memoom_composition), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** A process of a group with the score by which the kernel chooses. */
typedef struct memoom_candidate {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name (comm), escaped. */
    const char *comm;
    /** The group in which it stands, as the kernel writes its path. NULL in an account whose candidates are the
     * kernel's own table, which has no groups, where nothing else tells. */
    const char *group;
    /** Why the kernel would not take it; NULL where it would. */
    const char *reason;
    /** The points that the kernel compares, in pages; may be negative. */
    int64_t score;
    /** Resident pages: anonymous, file and shared. */
    uint64_t rss_pages;
    /** Swap entries. */
    uint64_t swap_pages;
    /** Pages of page tables. */
    uint64_t pgtable_pages;
    /** Its pid. */
    int32_t pid;
    /** Its oom_score_adj. */
    int32_t oom_score_adj;
    /** 1 where the kernel would take it at all, else 0. */
    uint32_t eligible;
    /** 0. */
    uint32_t reserved;
} memoom_candidate;

/** Borrows an existing group that this process may write: a live container, unit or job.
 *
 * Hogs, tickers, commands and functions can be started in it, its limit lowered and its switches set; what else
 * would change it or end its processes is refused. All that memoom brings into it ends, and every file that was
 * changed is put back, by memoom_group_give_back, when the last object of the group and of its workers is freed,
 * and also when this process or the supervisor dies in whatever way. An OOM in it may kill whoever stands there.
 * \param path  its directory, below the mount of the memory controller
 * \param forced  0; or 1 to take a group that is not delegated to this process (by systemd's Delegate=yes, by its
 * owner, or as the top of a container)
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, a directory that is no memory cgroup, a group of a lab and the top of
 * a hierarchy; MEMOOM_ERR_NOT_FOUND; MEMOOM_ERR_PERMISSION_DENIED where it may not be written or is not delegated;
 * MEMOOM_ERR_BUSY where it has groups below it with the memory controller (v2). */
MEMOOM_MUST_USE memoom_status memoom_group_adopt(const char *path, uint32_t forced, memoom_group **ret_group,
    memoom_error **reterr_error);

/** Ends what memoom has started in a borrowed group and puts back what was changed. Twice is fine.
 * \param group  a group of memoom_group_adopt
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL and for a group that was not adopted; MEMOOM_ERR_BUSY or
 * MEMOOM_ERR_TIMED_OUT where something could not be ended or put back; MEMOOM_ERR_CLOSED in a forked child. */
MEMOOM_MUST_USE memoom_status memoom_group_give_back(const memoom_group *group, memoom_error **reterr_error);

/** How many groups of a lab are there.
 * Returns: the number; 0 for NULL. */
size_t memoom_lab_group_count(const memoom_lab *lab);

/** One of the groups of a lab that are there, in the order in which they were made.
 * \param index  from 0 to memoom_lab_group_count - 1
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL or beyond the last.
 * Thread safety: any thread; a group that another thread removes between two calls moves the later ones up. */
MEMOOM_MUST_USE memoom_status memoom_lab_group_at(const memoom_lab *lab, size_t index, memoom_group **ret_group,
    memoom_error **reterr_error);

/** Makes a group in a lab. What was made is removed again if any setting fails.
 * \param name  its name, one path component of at most 255 bytes of any value but NUL, newline and "/"; NULL for a
 * name of memoom's choice
 * \param options  its settings; NULL for MEMOOM_GROUP_OPTIONS_INIT
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the name or the options; MEMOOM_ERR_ALREADY_EXISTS;
 * MEMOOM_ERR_OUT_OF_MEMORY where the limits of the lab would exceed the host's memory; MEMOOM_ERR_UNSUPPORTED for a
 * setting of the other cgroup version.
 * Ownership: free the group with memoom_group_free; that leaves the cgroup itself to the lab. */
MEMOOM_MUST_USE memoom_status memoom_group_create(const memoom_lab *lab, const char *name,
    const memoom_group_options *options, memoom_group **ret_group, memoom_error **reterr_error);

/** Makes a group below another. On v2 a group with processes cannot have children with the memory controller.
 * \param parent  the group above it, made by memoom
 * \param name  its name, as for memoom_group_create, but required
 * \param options  its settings; NULL for MEMOOM_GROUP_OPTIONS_INIT
 * Returns: MEMOOM_ERR_BUSY where processes stand in the parent (v2); MEMOOM_ERR_INVALID_INPUT also for a parent
 * that was opened to be observed; MEMOOM_ERR_NOT_FOUND where the parent was removed; for the rest as
 * memoom_group_create.
 * Ownership: free the group with memoom_group_free; it does not end with its parent's object. */
MEMOOM_MUST_USE memoom_status memoom_group_create_child(const memoom_group *parent, const char *name,
    const memoom_group_options *options, memoom_group **ret_group, memoom_error **reterr_error);

/** Opens an existing group, to be observed only: nothing of it is changed.
 * \param path  its directory, below the mount of the memory controller
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL or a directory that is no memory cgroup; MEMOOM_ERR_NOT_FOUND. */
MEMOOM_MUST_USE memoom_status memoom_group_open(const char *path, memoom_group **ret_group,
    memoom_error **reterr_error);

/** Frees the object of a group. The cgroup stays until memoom_group_remove or the end of its lab.
 * Ownership: takes the object; its strings end with it. Workers and watches of the group live on. */
void memoom_group_free(memoom_group *group);
/** For __attribute__((cleanup(memoom_group_freep))): frees what the variable holds. */
static inline void memoom_group_freep(memoom_group **object) { memoom_group_free(*object); }

/** The last component of the path of a group, escaped.
 * Returns: the name; NULL for NULL. */
const char *memoom_group_name(const memoom_group *group);

/** The directory of a group.
 * Returns: the path, as raw bytes, so that it can be opened; NULL for NULL. */
const char *memoom_group_path(const memoom_group *group);

/** The path of a group from the top of the hierarchy, as the kernel writes it in /proc/PID/cgroup and in reports.
 * Returns: the path, escaped; NULL for NULL. */
const char *memoom_group_cgroup(const memoom_group *group);

/** The hierarchy in which a group stands.
 * Returns: MEMOOM_CGROUP_V1 or MEMOOM_CGROUP_V2; MEMOOM_CGROUP_NONE for NULL. */
memoom_cgroup_version memoom_group_version(const memoom_group *group);

/** Bytes charged now: memory.usage_in_bytes (v1), memory.current (v2).
 *
 * Up to 64 pages for each CPU may be charged in advance. */
MEMOOM_MUST_USE memoom_status memoom_group_usage(const memoom_group *group, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** The most that was ever charged, in bytes: memory.max_usage_in_bytes (v1), memory.peak (v2, from about 5.19).
 * \param ret_bytes  where the bytes go; MEMOOM_UNKNOWN where this kernel does not keep them */
MEMOOM_MUST_USE memoom_status memoom_group_peak(const memoom_group *group, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** All counters of a group at this moment.
 * \param ret_counters  where the counters go: a struct that began with MEMOOM_COUNTERS_INIT */
MEMOOM_MUST_USE memoom_status memoom_group_counters(const memoom_group *group, memoom_counters *ret_counters,
    memoom_error **reterr_error);

/** What the charged bytes of the group and of those below it are now, by what holds them: memory.stat, and on v1
 * memory.kmem.usage_in_bytes. The kernel may be some seconds behind with the statistics.
 * \param ret_composition  where it goes: a struct that began with MEMOOM_COMPOSITION_INIT */
MEMOOM_MUST_USE memoom_status memoom_group_composition(const memoom_group *group, memoom_composition *ret_composition,
    memoom_error **reterr_error);

/** One number of memory.stat, by the kernel's own key, such as "anon" or "file" (v2), "rss" or "cache" (v1).
 *
 * The kernel brings the file up to date every 2 seconds or so: right after a change it may still show what was
 * before.
 * \param ret_value  where the number goes; MEMOOM_UNKNOWN where the kernel has no such key */
MEMOOM_MUST_USE memoom_status memoom_group_stat(const memoom_group *group, const char *key, uint64_t *ret_value,
    memoom_error **reterr_error);

/** How long tasks of the group have waited for memory: memory.pressure (v2).
 * \param ret_pressure  where it goes: a struct that began with MEMOOM_PRESSURE_INIT
 * Returns: MEMOOM_ERR_UNSUPPORTED on v1, and where the kernel has no PSI or it is off. */
MEMOOM_MUST_USE memoom_status memoom_group_pressure(const memoom_group *group, memoom_pressure *ret_pressure,
    memoom_error **reterr_error);

/** The processes of a group (cgroup.procs), in the order in which the kernel scans them; those of groups below are
 * not among them.
 * \param ret_pids  where the pids go, as many as fit; may be NULL where capacity is 0
 * \param capacity  how many pids fit there
 * \param ret_count  where the number of processes goes; more than capacity where not all fitted */
MEMOOM_MUST_USE memoom_status memoom_group_processes(const memoom_group *group, int32_t *ret_pids, size_t capacity,
    size_t *ret_count, memoom_error **reterr_error);

/** Notes in the lab's timeline what the group uses now ("usage"), and what each process in it and below it holds
 * ("share"): the resident bytes of /proc/PID/stat and the swapped ones. A share that has not changed is not told
 * again; a process that has gone is told once, with 0.
 * \param group  the group, made by memoom
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL or an opened group, which has no timeline;
 * MEMOOM_ERR_PERMISSION_DENIED where /proc hides the processes. */
MEMOOM_MUST_USE memoom_status memoom_group_sample(const memoom_group *group, memoom_error **reterr_error);

/** Has everything recorded that the accounts of an opened group are made of, by the next watch of it that is opened
 * while there is none: for memoom_replay. A recording that stands at the path is written over. The groups of a lab
 * are recorded together (memoom_lab_options.record).
 * \param group  the group, opened by its path
 * \param path  the file
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, for a group of a lab, and for a link or a file that is no recording;
 * MEMOOM_ERR_BUSY while the group is watched; MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_IO. */
MEMOOM_MUST_USE memoom_status memoom_group_record(const memoom_group *group, const char *path,
    memoom_error **reterr_error);

/** The hard limit: memory.limit_in_bytes (v1), memory.max (v2).
 * \param ret_bytes  where the bytes go, or MEMOOM_UNLIMITED */
MEMOOM_MUST_USE memoom_status memoom_group_limit(const memoom_group *group, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** Sets the hard limit, and keeps the swap allowance in step (v1).
 * \param group  the group, made by memoom
 * \param bytes  bytes, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_BUSY where the usage is
 * above it and cannot be reclaimed (v1); MEMOOM_ERR_OUT_OF_MEMORY where the limits of the lab would exceed the
 * host's memory. */
MEMOOM_MUST_USE memoom_status memoom_group_set_limit(const memoom_group *group, uint64_t bytes,
    memoom_error **reterr_error);

/** The throttling limit memory.high (v2).
 * \param ret_bytes  where the bytes go, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_UNSUPPORTED on v1. */
MEMOOM_MUST_USE memoom_status memoom_group_high(const memoom_group *group, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** Sets the throttling limit memory.high (v2).
 * \param group  the group, made by memoom
 * \param bytes  bytes, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED on v1. */
MEMOOM_MUST_USE memoom_status memoom_group_set_high(const memoom_group *group, uint64_t bytes,
    memoom_error **reterr_error);

/** Whether the OOM killer of the group is on (v1).
 * \param ret_on  where MEMOOM_ON or MEMOOM_OFF goes
 * Returns: MEMOOM_ERR_UNSUPPORTED on v2. */
MEMOOM_MUST_USE memoom_status memoom_group_oom_killer(const memoom_group *group, memoom_switch *ret_on,
    memoom_error **reterr_error);

/** Turns the OOM killer of the group on or off (v1: memory.oom_control).
 *
 * Off, a process that meets the limit in a page fault waits (state D); turned on again, the kernel chooses a victim
 * at the next charge.
 * \param group  the group, made by memoom
 * \param on  MEMOOM_ON or MEMOOM_OFF
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED on v2. */
MEMOOM_MUST_USE memoom_status memoom_group_set_oom_killer(const memoom_group *group, memoom_switch on,
    memoom_error **reterr_error);

/** Whether memory.oom.group is set; MEMOOM_OFF on v1, which has no such thing.
 * \param ret_on  where MEMOOM_ON or MEMOOM_OFF goes */
MEMOOM_MUST_USE memoom_status memoom_group_oom_group(const memoom_group *group, memoom_switch *ret_on,
    memoom_error **reterr_error);

/** Sets memory.oom.group (v2): with it, an OOM kill takes every process of the group.
 * \param group  the group, made by memoom
 * \param on  MEMOOM_ON or MEMOOM_OFF
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED on v1. */
MEMOOM_MUST_USE memoom_status memoom_group_set_oom_group(const memoom_group *group, memoom_switch on,
    memoom_error **reterr_error);

/** The protected amount memory.min (v2): below it nothing of the group is reclaimed.
 * \param ret_bytes  where the bytes go, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file. */
MEMOOM_MUST_USE memoom_status memoom_group_min(const memoom_group *group, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** Sets memory.min (v2).
 * \param group  the group, made by memoom
 * \param bytes  bytes, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED on v1, or where
 * the kernel lacks the file. */
MEMOOM_MUST_USE memoom_status memoom_group_set_min(const memoom_group *group, uint64_t bytes,
    memoom_error **reterr_error);

/** The protected amount memory.low (v2): below it the group is reclaimed only when nothing else is left.
 * \param ret_bytes  where the bytes go, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file. */
MEMOOM_MUST_USE memoom_status memoom_group_low(const memoom_group *group, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** Sets memory.low (v2).
 * \param group  the group, made by memoom
 * \param bytes  bytes, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED on v1, or where
 * the kernel lacks the file. */
MEMOOM_MUST_USE memoom_status memoom_group_set_low(const memoom_group *group, uint64_t bytes,
    memoom_error **reterr_error);

/** Swap that the group may use beyond its memory: memory.swap.max (v2), or memory.memsw.limit_in_bytes less the
 * limit (v1).
 * \param ret_bytes  where the bytes go, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_UNSUPPORTED where this kernel does not account swap to groups. */
MEMOOM_MUST_USE memoom_status memoom_group_swap(const memoom_group *group, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** Sets the swap that the group may use beyond its memory; on v1 it is kept in step when the limit changes.
 * \param group  the group, made by memoom
 * \param bytes  bytes, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED where this
 * kernel does not account swap to groups; MEMOOM_ERR_BUSY where the group uses more (v1). */
MEMOOM_MUST_USE memoom_status memoom_group_set_swap(const memoom_group *group, uint64_t bytes,
    memoom_error **reterr_error);

/** Swap that the group uses now: memory.swap.current (v2), memory+swap less memory (v1).
 * \param ret_bytes  where the bytes go; MEMOOM_UNKNOWN where this kernel does not account them */
MEMOOM_MUST_USE memoom_status memoom_group_swap_usage(const memoom_group *group, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** Compressed swap that the group may use: memory.zswap.max (v2, from 5.19 or so).
 * \param ret_bytes  where the bytes go, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file. */
MEMOOM_MUST_USE memoom_status memoom_group_zswap(const memoom_group *group, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** Sets memory.zswap.max (v2).
 * \param group  the group, made by memoom
 * \param bytes  bytes, or MEMOOM_UNLIMITED
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED on v1, or where
 * the kernel lacks the file. */
MEMOOM_MUST_USE memoom_status memoom_group_set_zswap(const memoom_group *group, uint64_t bytes,
    memoom_error **reterr_error);

/** Has the kernel reclaim so many bytes of the group: memory.reclaim (v2, from 5.19 or so).
 * \param group  the group, made by memoom
 * \param bytes  how many
 * \param ret_all  where MEMOOM_ON goes if the kernel found as much, or MEMOOM_OFF (its EAGAIN)
 * Returns: MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file (v1 has memoom_group_force_empty). */
MEMOOM_MUST_USE memoom_status memoom_group_reclaim(const memoom_group *group, uint64_t bytes, memoom_switch *ret_all,
    memoom_error **reterr_error);

/** Has the kernel take back all that it can of the group: memory.force_empty (v1).
 * \param group  the group, made by memoom
 * Returns: MEMOOM_ERR_UNSUPPORTED on v2, which has memoom_group_reclaim. */
MEMOOM_MUST_USE memoom_status memoom_group_force_empty(const memoom_group *group, memoom_error **reterr_error);

/** Sets memory.failcnt and, where swap is accounted, memory.memsw.failcnt back to 0 (v1).
 * \param group  the group, made by memoom
 * Returns: MEMOOM_ERR_UNSUPPORTED on v2, whose memory.events cannot be reset. */
MEMOOM_MUST_USE memoom_status memoom_group_reset_failcnt(const memoom_group *group, memoom_error **reterr_error);

/** Stops every process of the group and of the groups below it where it stands: cgroup.freeze (v2, from 5.2), and
 * waits until all stand still. SIGKILL still ends them.
 * \param group  the group, made by memoom
 * \param timeout_ns  how long to wait, or MEMOOM_FOREVER
 * Returns: MEMOOM_ERR_TIMED_OUT where some do not stop by the deadline: all are let go again;
 * MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file. */
MEMOOM_MUST_USE memoom_status memoom_group_freeze(const memoom_group *group, uint64_t timeout_ns,
    memoom_error **reterr_error);

/** Lets the processes of a frozen group go on (v2). A group that is not frozen is left alone.
 * \param group  the group, made by memoom
 * Returns: MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file. */
MEMOOM_MUST_USE memoom_status memoom_group_thaw(const memoom_group *group, memoom_error **reterr_error);

/** Whether every process of the group stands still: frozen of cgroup.events (v2).
 * \param ret_on  where MEMOOM_ON or MEMOOM_OFF goes
 * Returns: MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks it. */
MEMOOM_MUST_USE memoom_status memoom_group_frozen(const memoom_group *group, memoom_switch *ret_on,
    memoom_error **reterr_error);

/** Ends every process of a group and of the groups below it with SIGKILL, turning a v1 OOM killer on first so that
 * none stays blocked. Returns when everybody is in the exit, also who was being forked meanwhile; for a process
 * that the kernel holds fast it waits one second.
 * \param group  the group, made by memoom */
MEMOOM_MUST_USE memoom_status memoom_group_kill(const memoom_group *group, memoom_error **reterr_error);

/** Removes a group: it must have no process and no group below it. The kernel may take a moment to let go of a
 * process that has ended; that is waited for. The object stays valid until it is freed.
 * \param group  the group, made by memoom
 * Returns: MEMOOM_ERR_BUSY where processes or groups are inside (named); MEMOOM_ERR_NOT_FOUND where it was removed
 * before. */
MEMOOM_MUST_USE memoom_status memoom_group_remove(const memoom_group *group, memoom_error **reterr_error);

/** Opens the mark of the most that was charged.
 * \param group  the group, made by memoom
 * \param ret_peak  where the mark goes
 * Returns: MEMOOM_ERR_UNSUPPORTED where this kernel keeps none (v2 before about 5.19).
 * Ownership: free the mark with memoom_peak_free; it lives on without the object of its group. */
MEMOOM_MUST_USE memoom_status memoom_peak_open(const memoom_group *group, memoom_peak **ret_peak,
    memoom_error **reterr_error);

/** The most that was charged since the last reset, or ever.
 * \param peak  the mark */
MEMOOM_MUST_USE memoom_status memoom_peak_bytes(const memoom_peak *peak, uint64_t *ret_bytes,
    memoom_error **reterr_error);

/** Begins anew: from now on the most since this moment.
 * \param peak  the mark
 * Returns: MEMOOM_ERR_UNSUPPORTED where this kernel's file cannot be reset (v2 before about 6.12). */
MEMOOM_MUST_USE memoom_status memoom_peak_reset(const memoom_peak *peak, memoom_error **reterr_error);

/** Closes and frees a mark. */
void memoom_peak_free(memoom_peak *peak);
/** For __attribute__((cleanup(memoom_peak_freep))): frees what the variable holds. */
static inline void memoom_peak_freep(memoom_peak **object) { memoom_peak_free(*object); }

/** Computes whom the kernel would kill if the limit of the group, or of the nearest group above it that has one,
 * were hit now. */
MEMOOM_MUST_USE memoom_status memoom_group_predict(const memoom_group *group, memoom_prediction **ret_prediction,
    memoom_error **reterr_error);

/** The predicted victim.
 * Returns: its pid; 0 where nobody is eligible or the kernel waits for an earlier victim, and for NULL. */
int32_t memoom_prediction_pid(const memoom_prediction *prediction);

/** Whether the distance to the next candidate is larger than what the readings can be off by.
 * Returns: 1 where the prediction must hold, else 0; 0 for NULL. */
uint32_t memoom_prediction_determined(const memoom_prediction *prediction);

/** How many processes there are to choose from.
 * Returns: the number; 0 for NULL. */
size_t memoom_prediction_candidate_count(const memoom_prediction *prediction);

/** One of the processes, in the order in which the kernel scans them.
 * \param index  from 0 to memoom_prediction_candidate_count - 1
 * Returns: the process; NULL beyond the end, and for NULL. */
const memoom_candidate *memoom_prediction_candidate_at(const memoom_prediction *prediction, size_t index);

/** The prediction as a person reads it: who, by what margin, and every candidate.
 * Returns: the text; NULL for NULL. */
const char *memoom_prediction_to_text(const memoom_prediction *prediction);

/** The prediction as one JSON document ("memoom.prediction/1").
 * Returns: the document; NULL for NULL. */
const char *memoom_prediction_to_json(const memoom_prediction *prediction);

/** Frees a prediction. */
void memoom_prediction_free(memoom_prediction *prediction);
/** For __attribute__((cleanup(memoom_prediction_freep))): frees what the variable holds. */
static inline void memoom_prediction_freep(memoom_prediction **object) { memoom_prediction_free(*object); }

/** Reads a size as the kernel does: a whole number, then perhaps one of K, M, G, T, P, E (powers of 1024); "max" is
 * MEMOOM_UNLIMITED.
 *
 * "80M" is 80 * 1048576 bytes. Signs, fractions and other suffixes ("MB", "MiB") are refused.
 * \param text  the size
 * Returns: MEMOOM_ERR_INVALID_INPUT for anything that is not a size. */
MEMOOM_MUST_USE memoom_status memoom_parse_size(const char *text, uint64_t *ret_bytes, memoom_error **reterr_error);

/* ========================================================================================================
 * Worker
 *
 * One process in a group: a command, a function of the caller's, or a ticker that only shows that it is alive.
 * ======================================================================================================== */

/** One process in a group: a hog, a ticker or a command. */
typedef struct memoom_worker memoom_worker;
/** The letter of a process's state, as in /proc/PID/stat: 'R', 'S', 'D', 'T', 'Z'; 'X' for one that has ended; 0
 * where none is told. It compares with a character, and prints with %c. */
typedef uint32_t memoom_state;

/** What a new command may be told beside its arguments. Begin with MEMOOM_COMMAND_OPTIONS_INIT: all is the caller's. */
typedef struct memoom_command_options {
    /** sizeof(memoom_command_options). */
    size_t struct_size;
    /** The whole environment: "NAME=VALUE" strings, then NULL. NULL for the caller's environment. */
    const char *const *env;
    /** The working directory; NULL for the caller's. */
    const char *cwd;
    /** Standard input: a descriptor of the caller's, which stays the caller's, MEMOOM_FD_INHERIT or MEMOOM_FD_NULL. */
    int32_t stdin_fd;
    /** Standard output, likewise. */
    int32_t stdout_fd;
    /** Standard error, likewise. */
    int32_t stderr_fd;
    /** Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE. */
    int32_t oom_score_adj;
    /** Nanoseconds after which it is killed, whatever the caller does by then; with it, it is started even where the
     * kernel would try without end, as every process in reach of a limit has oom_score_adj -1000. 0: never, and
     * such a start is refused. */
    uint64_t force_within_ns;
} memoom_command_options;
/** The start of a memoom_command_options: everything is the caller's. */
#define MEMOOM_COMMAND_OPTIONS_INIT \
    { sizeof(memoom_command_options), NULL, NULL, MEMOOM_FD_INHERIT, MEMOOM_FD_INHERIT, MEMOOM_FD_INHERIT, 0, 0 }

/** What a new ticker may be told. Begin with MEMOOM_TICKER_OPTIONS_INIT: "ticker", once a second. */
typedef struct memoom_ticker_options {
    /** sizeof(memoom_ticker_options). */
    size_t struct_size;
    /** Its name, as the kernel shows it (comm): 1 to 15 bytes of UTF-8; NULL for "ticker". */
    const char *name;
    /** The period in nanoseconds. */
    uint64_t every_ns;
    /** Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE. */
    int32_t oom_score_adj;
    /** 0. */
    uint32_t reserved;
} memoom_ticker_options;
/** The start of a memoom_ticker_options: "ticker", once a second. */
#define MEMOOM_TICKER_OPTIONS_INIT { sizeof(memoom_ticker_options), NULL, 1000000000, 0, 0 }

/** The pid of a worker, in the pid namespace of this process. It stays the same after the worker has ended.
 * Returns: the pid; 0 for NULL. */
int32_t memoom_worker_pid(const memoom_worker *worker);

/** The name of a worker, as the kernel shows it (comm), escaped.
 * Returns: the name; NULL for NULL. */
const char *memoom_worker_name(const memoom_worker *worker);

/** A descriptor of the process that becomes readable at its end (pidfd_open(2)).
 * Returns: the descriptor; -1 for NULL. */
int32_t memoom_worker_pidfd(const memoom_worker *worker);

/** Whether a worker has ended.
 * Returns: 1 or 0; 0 for NULL. */
uint32_t memoom_worker_ended(const memoom_worker *worker);

/** How often a ticker has reported that it is alive.
 * Returns: the number; 0 for a worker that is no ticker, and for NULL. */
uint64_t memoom_worker_ticks(const memoom_worker *worker);

/** The state of a worker now.
 * \param ret_state  where the letter goes
 * Returns: MEMOOM_ERR_PERMISSION_DENIED where /proc hides the process.
 * Needs: /proc. */
MEMOOM_MUST_USE memoom_status memoom_worker_state(const memoom_worker *worker, memoom_state *ret_state,
    memoom_error **reterr_error);

/** Sends a signal to a worker. One that has ended is left alone.
 * \param signal  the number of the signal
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL or a number that is no signal; MEMOOM_ERR_PERMISSION_DENIED where the
 * process has changed its user. */
MEMOOM_MUST_USE memoom_status memoom_worker_signal(const memoom_worker *worker, int32_t signal,
    memoom_error **reterr_error);

/** Passes on to a worker a signal that this process was sent, as a handler with SA_SIGINFO, sigwaitinfo(2) or a
 * signalfd tells it: where that ends the worker, memoom_outcome_killed_by names the sender. Not for a signal
 * handler.
 * \param signal  the number of the signal, si_signo
 * \param pid  who sent it, si_pid; 0 for one that this pid namespace does not have
 * \param uid  whose process that is, si_uid
 * Returns: as memoom_worker_signal. */
MEMOOM_MUST_USE memoom_status memoom_worker_pass_on(const memoom_worker *worker, int32_t signal, int32_t pid,
    uint32_t uid, memoom_error **reterr_error);

/** Sends SIGKILL to a worker. One that has ended is left alone.
 * Returns: MEMOOM_ERR_PERMISSION_DENIED where the process has changed its user. */
MEMOOM_MUST_USE memoom_status memoom_worker_kill(const memoom_worker *worker, memoom_error **reterr_error);

/** Waits for the end of a worker and gives the verdict, with the account of every OOM of its group while it lived.
 *
 * It can be asked any number of times. A signal handler of the caller's does not end the wait.
 * \param timeout_ns  how long to wait, or MEMOOM_FOREVER
 * Returns: MEMOOM_ERR_TIMED_OUT when it still runs at the deadline; MEMOOM_ERR_CLOSED where the lab was closed.
 * Ownership: free the outcome with memoom_outcome_free; it lives on without the worker. */
MEMOOM_MUST_USE memoom_status memoom_worker_wait(const memoom_worker *worker, uint64_t timeout_ns,
    memoom_outcome **ret_outcome, memoom_error **reterr_error);

/** Frees the object of a worker. The process goes on until it ends, is killed, or its lab is closed. */
void memoom_worker_free(memoom_worker *worker);
/** For __attribute__((cleanup(memoom_worker_freep))): frees what the variable holds. */
static inline void memoom_worker_freep(memoom_worker **object) { memoom_worker_free(*object); }

/** Starts a command in a group. It stands there before its first instruction, in the caller's process group, with
 * default signal handling and no descriptor but the three standard ones.
 * \param group  the group, made by memoom
 * \param argv  the program and its arguments, then NULL; a program without "/" is looked for in PATH
 * \param options  what it is told; NULL for MEMOOM_COMMAND_OPTIONS_INIT
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, no argument, the options, an opened group, or an oom_score_adj of
 * -1000 where a limit has nobody else to take and options.force_within_ns is 0; MEMOOM_ERR_NOT_FOUND where the
 * program is not there and MEMOOM_ERR_PERMISSION_DENIED where it may not be run, with the errno of execve(2);
 * MEMOOM_ERR_IO also for a descriptor that is not open; for the rest as memoom_hog_spawn.
 * Ownership: free the worker with memoom_worker_free; the process itself ends with the lab. */
MEMOOM_MUST_USE memoom_status memoom_command_spawn(const memoom_group *group, const char *const *argv,
    const memoom_command_options *options, memoom_worker **ret_worker, memoom_error **reterr_error);

/** Runs a function in a forked child that stands in a group. It begins there: nothing that it does is charged
 * elsewhere.
 * \param group  the group, made by memoom
 * \param function  what runs; see memoom_function for what it may use
 * \param argument  what it is given; NULL is passed on
 * \param options  what it is told; NULL for MEMOOM_FUNCTION_OPTIONS_INIT
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the options or an opened group; MEMOOM_ERR_WORKER_GONE where the
 * child ended before the function began; for the rest as memoom_hog_spawn.
 * Ownership: free the worker with memoom_worker_free; the process itself ends with the lab. Its zombie, which only
 * memoom sees, is reaped by the next call that looks at the lab, at the latest by the one that closes it.
 * Thread safety: any thread; in a process with several, see memoom_function. */
MEMOOM_MUST_USE memoom_status memoom_function_spawn(const memoom_group *group, memoom_function function, void *argument,
    const memoom_function_options *options, memoom_worker **ret_worker, memoom_error **reterr_error);

/** Starts a ticker: a worker that takes no memory and reports that it is alive, every so often.
 * \param group  the group, made by memoom
 * \param options  what it is told; NULL for MEMOOM_TICKER_OPTIONS_INIT
 * Returns: as memoom_hog_spawn; MEMOOM_ERR_INVALID_INPUT also for a period of 0.
 * Ownership: free the worker with memoom_worker_free; the process itself ends with the lab. */
MEMOOM_MUST_USE memoom_status memoom_ticker_spawn(const memoom_group *group, const memoom_ticker_options *options,
    memoom_worker **ret_worker, memoom_error **reterr_error);

/* ========================================================================================================
 * Hog
 *
 * A worker that takes memory in acknowledged steps, and the ways to bring a group to its limit and back.
 * ======================================================================================================== */
/** A kind of memory for memoom_hog_options. Anonymous private memory, page by page. The default. */
#define MEMOOM_KIND_ANON "anon"
/** A kind of memory for memoom_hog_options. Anonymous private memory in transparent huge pages. */
#define MEMOOM_KIND_ANON_THP "anon-thp"
/** A kind of memory for memoom_hog_options. The page cache of a file on a real file system. */
#define MEMOOM_KIND_FILE "file"
#define MEMOOM_KIND_SHMEM "shmem" /**< A kind of memory for memoom_hog_options. Anonymous shared memory. */
/** A kind of memory for memoom_hog_options. A file of a tmpfs, never mapped: charged, and in no process's resident
 * size. */
#define MEMOOM_KIND_TMPFS "tmpfs"
#define MEMOOM_KIND_MEMFD "memfd" /**< A kind of memory for memoom_hog_options. A mapped memfd. */
#define MEMOOM_KIND_MLOCK "mlock" /**< A kind of memory for memoom_hog_options. Anonymous private memory by mlock(2). */
/** A kind of memory for memoom_hog_options. Anonymous private memory by mmap(2) with MAP_POPULATE. */
#define MEMOOM_KIND_POPULATE "populate"
/** A kind of memory for memoom_hog_options. Huge pages of the machine's reserve. */
#define MEMOOM_KIND_HUGETLB "hugetlb"
#define MEMOOM_KIND_STACK "stack" /**< A kind of memory for memoom_hog_options. A stack that grows downwards. */
#define MEMOOM_KIND_FORK "fork" /**< A kind of memory for memoom_hog_options. Small processes, 64 KiB each. */
#define MEMOOM_KIND_PIPE "pipe" /**< A kind of memory for memoom_hog_options. Bytes in pipes. */
#define MEMOOM_KIND_SOCKET "socket" /**< A kind of memory for memoom_hog_options. Bytes in TCP connections. */
#define MEMOOM_KIND_SLAB "slab" /**< A kind of memory for memoom_hog_options. Inodes and dentries. */
/** A kind of memory for memoom_hog_options. What meets a limit soonest. */
#define MEMOOM_KIND_ANY_FASTEST "any-fastest"
/** A pattern for memoom_hog_options. One byte of each page is written, in order. The default. */
#define MEMOOM_PATTERN_WRITE "write"
#define MEMOOM_PATTERN_READ "read" /**< A pattern for memoom_hog_options. One byte of each page is read. */
#define MEMOOM_PATTERN_RANDOM "random" /**< A pattern for memoom_hog_options. As write, in no order. */
/** A pattern for memoom_hog_options. As write, and all that is held is touched again and again. */
#define MEMOOM_PATTERN_HOT "hot"
#define MEMOOM_PATTERN_ZEROES "zeroes" /**< A pattern for memoom_hog_options. Zeroes are written. */
/** A pattern for memoom_hog_options. Every byte is written, with content that no compressor makes smaller. */
#define MEMOOM_PATTERN_INCOMPRESSIBLE "incompressible"
/** How a step of a hog ended. */
typedef uint32_t memoom_grow_status;
#define MEMOOM_GROW_OTHER 0 /**< In a way that this version of the C face has no number for. */
#define MEMOOM_GROW_GREW 1 /**< Every page of the step was taken. */
#define MEMOOM_GROW_KILLED 2 /**< The hog was killed in the step. */
#define MEMOOM_GROW_BLOCKED 3 /**< The hog waits in the OOM of its group, as the OOM killer is off (v1). */
/** The kernel gave less than was asked for and refused the rest in a system call: taken_bytes and error_number say
 * so. */
#define MEMOOM_GROW_SHORT 4
/** Why a hog stopped. */
typedef uint32_t memoom_stop;
#define MEMOOM_STOP_OTHER 0 /**< For a reason that this version of the C face has no number for. */
#define MEMOOM_STOP_TOTAL 1 /**< It holds the bytes that were wanted. */
#define MEMOOM_STOP_BELOW 2 /**< It is as near to the limit as was wanted. */
#define MEMOOM_STOP_EVENT 3 /**< The event has happened. */
#define MEMOOM_STOP_STEP 4 /**< The last step was not whole: its status says it. */
/** How an OOM is brought about. */
typedef uint32_t memoom_way;
/** The surest way here: MEMOOM_WAY_SQUEEZE where the group has processes, MEMOOM_WAY_INSIDE where it has none. */
#define MEMOOM_WAY_SUREST 0
#define MEMOOM_WAY_INSIDE 1 /**< A hog in the group grows until the limit is met. The limit stays. */
/** Page cache is given back, the limit is lowered to the usage, and a small worker in the group takes a little more. */
#define MEMOOM_WAY_SQUEEZE 2
/** memory.max is written below the usage, and the kernel kills in that write (v2), perhaps more than one. */
#define MEMOOM_WAY_WRITE 3
/** As MEMOOM_WAY_WRITE, with O_NONBLOCK: the kernel sets the limit alone, and the next charge meets it (v2, newest
 * kernels). */
#define MEMOOM_WAY_NONBLOCK 4
#define MEMOOM_WAY_ANCESTOR 5 /**< As MEMOOM_WAY_SQUEEZE, with the limit of the group above. */
#define MEMOOM_WAY_NEIGHBOUR 6 /**< A hog in another group grows until the limit of the group above both is met. */

/** What a new hog may be told. Begin with MEMOOM_HOG_OPTIONS_INIT: "hog", anonymous memory, 10 MiB a step. */
typedef struct memoom_hog_options {
    /** sizeof(memoom_hog_options). */
    size_t struct_size;
    /** Its name, as the kernel shows it (comm): 1 to 15 bytes of UTF-8; NULL for "hog". */
    const char *name;
    /** The kind of memory, one of MEMOOM_KIND_...; NULL for MEMOOM_KIND_ANON. */
    const char *kind;
    /** Bytes of a step that does not say how many. */
    uint64_t step_bytes;
    /** Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE. */
    int32_t oom_score_adj;
    /** 1: take a step even where it makes the kernel try without end, as every process in reach of the limit has
     * oom_score_adj -1000. Such a step needs a timeout, and at its end the hog is killed. 0: such a step is
     * refused. (What force_within_ns is to a command or a function, which have no steps with timeouts of their
     * own.) */
    uint32_t force;
    /** How the memory is touched, one of MEMOOM_PATTERN_...; NULL for MEMOOM_PATTERN_WRITE. A pattern that makes no
     * difference to the kind is refused. */
    const char *pattern;
    /** For MEMOOM_KIND_FILE the directory in which its file stands, without a name; NULL for the first of the
     * directory for temporary files, /var/tmp, the working directory and $HOME that is on a real file system. */
    const char *directory;
} memoom_hog_options;
/** The start of a memoom_hog_options: "hog", anonymous memory, 10 MiB a step. */
#define MEMOOM_HOG_OPTIONS_INIT { sizeof(memoom_hog_options), NULL, NULL, 10485760, 0, 0, NULL, NULL }

/** The answer to a step. As an argument, begin with MEMOOM_GROW_INIT. */
typedef struct memoom_grow {
    /** sizeof(memoom_grow). */
    size_t struct_size;
    /** Bytes of the step that were asked for. */
    uint64_t step_bytes;
    /** Bytes that the hog holds by its own word: a killed or blocked step counts nothing. */
    uint64_t total_bytes;
    /** How it ended. */
    memoom_grow_status status;
    /** The letter of the hog's state where it is blocked: 'D'; else 0. The account of the OOM has its stack. */
    memoom_state blocked_state;
    /** Bytes that the step took: those asked for, rounded up to whole pages (of the kind's size); fewer for a short
     * step; 0 for one that killed or blocked the hog. Page tables and the like come on top of them. */
    uint64_t taken_bytes;
    /** Why a short step was short, as errno has it; else 0. */
    int32_t error_number;
    /** 0. */
    uint32_t reserved;
} memoom_grow;
/** The start of a memoom_grow. */
#define MEMOOM_GROW_INIT { sizeof(memoom_grow), 0, 0, 0, 0, 0, 0, 0 }

/** How fast a hog takes its steps, and when it stops by itself. Begin with MEMOOM_PACE_INIT: step after step, until
 * one is not whole (killed, blocked or short), which ends every pace. */
typedef struct memoom_pace {
    /** sizeof(memoom_pace). */
    size_t struct_size;
    /** Bytes in a second; MEMOOM_UNCHANGED for step after step. */
    uint64_t rate_bytes;
    /** Stop when the hog holds so many bytes; MEMOOM_UNCHANGED for no such end. */
    uint64_t total_bytes;
    /** Stop when so many bytes are left below the limit that has the least room; MEMOOM_UNCHANGED for no such end.
     * The usage then stands at most 64 pages, which the kernel charges ahead, and one page of the hog's kind below
     * that mark, and never above it. */
    uint64_t below_bytes;
    /** Stop when an event of this kind (such as "notified", "victim" or "exited") happens in the hog's group or
     * below it; NULL for no such end. */
    const char *until;
} memoom_pace;
/** The start of a memoom_pace: step after step, until one is not whole. */
#define MEMOOM_PACE_INIT { sizeof(memoom_pace), MEMOOM_UNCHANGED, MEMOOM_UNCHANGED, MEMOOM_UNCHANGED, NULL }

/** How a pace ended. As an argument, begin with MEMOOM_PACED_INIT. */
typedef struct memoom_paced {
    /** sizeof(memoom_paced). */
    size_t struct_size;
    /** Steps that were taken. */
    uint64_t steps;
    /** Bytes that the hog holds. */
    uint64_t total_bytes;
    /** Why it stopped. */
    memoom_stop stop;
    /** How the last step ended; 0 where there was none. */
    memoom_grow_status status;
    /** Why a short last step was short, as errno has it; else 0. */
    int32_t error_number;
    /** 0. */
    uint32_t reserved;
} memoom_paced;
/** The start of a memoom_paced. */
#define MEMOOM_PACED_INIT { sizeof(memoom_paced), 0, 0, 0, 0, 0, 0 }

/** Starts a hog. It has taken no memory yet and charges at most 128 KiB to the group, or 12 pages where that is
 * more.
 * \param group  the group, made by memoom
 * \param options  what it is told; NULL for MEMOOM_HOG_OPTIONS_INIT
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, the options, an opened group, or a limit below what a process needs
 * to start; MEMOOM_ERR_UNSUPPORTED where this machine lacks what the kind needs, with the remedy;
 * MEMOOM_ERR_PERMISSION_DENIED for an oom_score_adj that this process may not set; MEMOOM_ERR_WORKER_GONE where it
 * was killed before it was ready; MEMOOM_ERR_BUSY for a group that has groups below it (v2).
 * Ownership: free the worker with memoom_worker_free; the process itself ends with the lab. */
MEMOOM_MUST_USE memoom_status memoom_hog_spawn(const memoom_group *group, const memoom_hog_options *options,
    memoom_worker **ret_worker, memoom_error **reterr_error);

/** Has a hog take one step and says how it ended. The answer is never guessed from time: blocked is proved by the
 * group's under_oom, the state D and the place of the wait.
 * \param worker  the hog
 * \param size_bytes  bytes of the step; MEMOOM_UNCHANGED for the hog's own step
 * \param timeout_ns  how long to wait for the answer, or MEMOOM_FOREVER
 * \param ret_grow  where the answer goes: a struct that began with MEMOOM_GROW_INIT
 * Returns: MEMOOM_OK, also when the hog was killed or is blocked; MEMOOM_ERR_INVALID_INPUT for NULL, a worker that
 * is no hog, 0 bytes, where neither the group nor a group above it has a limit, or where nobody may be killed at
 * the limit and the hog is not forced; MEMOOM_ERR_BUSY while an earlier step goes on, also one that another thread
 * asked for; MEMOOM_ERR_WORKER_GONE; MEMOOM_ERR_OUT_OF_MEMORY, or what fits the errno, where a system call gave
 * nothing of the step; MEMOOM_ERR_TIMED_OUT: the step goes on, see memoom_hog_finish.
 * Thread safety: any thread; of several that step one hog each gets the answer to its own step, or MEMOOM_ERR_BUSY
 * at once. */
MEMOOM_MUST_USE memoom_status memoom_hog_grow(const memoom_worker *worker, uint64_t size_bytes, uint64_t timeout_ns,
    memoom_grow *ret_grow, memoom_error **reterr_error);

/** Waits for the answer to a step that was blocked, or that was still going on at its deadline.
 * \param worker  the hog
 * \param timeout_ns  how long to wait for the answer, or MEMOOM_FOREVER
 * \param ret_grow  where the answer goes: a struct that began with MEMOOM_GROW_INIT
 * Returns: as memoom_hog_grow; MEMOOM_ERR_INVALID_INPUT also where no step is going on.
 * Thread safety: any thread; every one that waits for the step gets its answer. */
MEMOOM_MUST_USE memoom_status memoom_hog_finish(const memoom_worker *worker, uint64_t timeout_ns, memoom_grow *ret_grow,
    memoom_error **reterr_error);

/** Has a hog give back its newest memory.
 * \param worker  the hog
 * \param size_bytes  how much; it is rounded down to whole pages
 * \param timeout_ns  how long to wait for the answer, or MEMOOM_FOREVER
 * \param ret_bytes  where the bytes that were given back go
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL or a worker that is no hog; MEMOOM_ERR_BUSY while a step goes on;
 * MEMOOM_ERR_WORKER_GONE; MEMOOM_ERR_TIMED_OUT. */
MEMOOM_MUST_USE memoom_status memoom_hog_shrink(const memoom_worker *worker, uint64_t size_bytes, uint64_t timeout_ns,
    uint64_t *ret_bytes, memoom_error **reterr_error);

/** Bytes that a hog holds, by its own word.
 * Returns: the bytes; 0 for a worker that is no hog, and for NULL. */
uint64_t memoom_hog_total_bytes(const memoom_worker *worker);

/** Has a hog take steps at a pace until one of its ends is reached.
 * \param worker  the hog
 * \param pace  how fast, and until when; NULL for MEMOOM_PACE_INIT
 * \param timeout_ns  how long it may take, or MEMOOM_FOREVER
 * \param ret_paced  where the answer goes: a struct that began with MEMOOM_PACED_INIT
 * Returns: as memoom_hog_grow; MEMOOM_ERR_INVALID_INPUT also for a rate of 0, an event that does not exist, or a
 * hog of the kind file without an end; MEMOOM_ERR_TIMED_OUT where no end was reached in time: the hog stands still
 * then, unless a step goes on. */
MEMOOM_MUST_USE memoom_status memoom_hog_pace(const memoom_worker *worker, const memoom_pace *pace, uint64_t timeout_ns,
    memoom_paced *ret_paced, memoom_error **reterr_error);

/** The account of one OOM: whose limit, who asked, who was predicted, who was killed or blocked, and what is
 * missing. */
typedef struct memoom_oom memoom_oom;

/** Makes an OOM happen in the group now, and gives its account.
 *
 * With a target the kernel is made to choose that worker: its oom_score_adj is raised if need be, and if the kernel
 * would still choose another one nothing is done. What was changed (limits, oom_score_adj) is put back, and
 * memoom's own workers are gone when it returns.
 * \param group  the group, made by memoom
 * \param target  the worker that is to die; NULL for whom the kernel chooses
 * \param way  one of MEMOOM_WAY_*
 * \param timeout_ns  how long to wait for the OOM, or MEMOOM_FOREVER
 * \param ret_oom  where the account goes
 * \param ret_way  where the way that brought it about goes, or NULL
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, an opened group, an unknown way, where the killer is off, for a way
 * that needs a group above, a limit or processes that are not there, or for a target outside or that the kernel
 * would not choose; MEMOOM_ERR_UNSUPPORTED for a way of v2 on v1; MEMOOM_ERR_WORKER_GONE where the target has
 * ended; MEMOOM_ERR_TIMED_OUT. */
MEMOOM_MUST_USE memoom_status memoom_group_oom_now(const memoom_group *group, const memoom_worker *target,
    memoom_way way, uint64_t timeout_ns, memoom_oom **ret_oom, memoom_way *ret_way, memoom_error **reterr_error);

/** From now on a process that meets the limit waits instead of being killed, until one of the memoom_group_resume_*.
 *
 * On v1 this is the kernel's own switch, as memoom_group_set_oom_killer sets it. On v2 it is done by memoom with
 * memory.high, memory.events and cgroup.freeze, and differs: everybody in the group stands still while it is
 * blocked, in state S; the usage rests a little above the limit; it needs somebody who waits in a call of this lab,
 * and meanwhile the kernel slows the group down and, a quarter of the limit (at least 16 MiB) above it, kills; a
 * system call that takes memory is stopped, not failed.
 * \param group  the group, made by memoom
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, an opened group or one without a limit (v2); MEMOOM_ERR_OUT_OF_MEMORY
 * where the host has not the room above the limit (v2); MEMOOM_ERR_UNSUPPORTED where this kernel lacks
 * cgroup.freeze (v2). */
MEMOOM_MUST_USE memoom_status memoom_group_block(const memoom_group *group, memoom_error **reterr_error);

/** Whether a process that meets the limit would wait: oom_kill_disable (v1), or memoom_group_block (v2).
 * \param ret_on  where MEMOOM_ON or MEMOOM_OFF goes */
MEMOOM_MUST_USE memoom_status memoom_group_blocking(const memoom_group *group, memoom_switch *ret_on,
    memoom_error **reterr_error);

/** Waits until a process of the group waits in an OOM.
 * \param group  the group, made by memoom
 * \param timeout_ns  how long to wait, 0 to look only, or MEMOOM_FOREVER
 * \param ret_count  where the number of processes that wait goes; 0 where none did by the deadline
 * Returns: MEMOOM_OK, also where none waits. */
MEMOOM_MUST_USE memoom_status memoom_group_wait_blocked(const memoom_group *group, uint64_t timeout_ns,
    size_t *ret_count, memoom_error **reterr_error);

/** Ends a block by room: the limit is raised, and the group still blocks at the new one.
 * \param group  the group, made by memoom
 * \param bytes  bytes, more than the limit is, or MEMOOM_UNLIMITED (v1)
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, an opened group or a limit that is not above the old one;
 * MEMOOM_ERR_OUT_OF_MEMORY. */
MEMOOM_MUST_USE memoom_status memoom_group_resume_raise(const memoom_group *group, uint64_t bytes,
    memoom_error **reterr_error);

/** Ends a block by the kernel's choice of a victim: the killer is turned on again. The victim may be another than
 * who waits. On v2 it returns when the usage is below the limit again.
 * \param group  the group, made by memoom
 * \param timeout_ns  how long to wait (v2), or MEMOOM_FOREVER
 * Returns: MEMOOM_OK, also where nobody was blocked; MEMOOM_ERR_TIMED_OUT where the usage is still above the limit
 * (v2), which is then not put back. */
MEMOOM_MUST_USE memoom_status memoom_group_resume_killer(const memoom_group *group, uint64_t timeout_ns,
    memoom_error **reterr_error);

/** Ends a block by the death of a worker: it gets SIGKILL and gives its memory back, and the group still blocks.
 * \param group  the group, made by memoom
 * \param worker  a worker of it, or of a group below
 * \param timeout_ns  how long to wait for its end, or MEMOOM_FOREVER
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, an opened group or a worker of another one; MEMOOM_ERR_TIMED_OUT. */
MEMOOM_MUST_USE memoom_status memoom_group_resume_kill(const memoom_group *group, const memoom_worker *worker,
    uint64_t timeout_ns, memoom_error **reterr_error);

/* ========================================================================================================
 * Pod
 *
 * A pod as the kubelet lays it out: its limit, the pause process, init containers, sidecars, containers, a resize.
 * ======================================================================================================== */

/** A pod as the kubelet lays it out: a group with a limit, the pause process, and a group for each container. */
typedef struct memoom_pod memoom_pod;

/** A container of a pod. */
typedef struct memoom_container memoom_container;
/** A kind of container: after all init containers, beside the other containers. The default. */
#define MEMOOM_CONTAINER_APP "app"
/** A kind of container: a restartable init container, which is started in the order of these and runs on beside all
 * others. */
#define MEMOOM_CONTAINER_SIDECAR "sidecar"

/** What a new pod may be told. Begin with MEMOOM_POD_OPTIONS_INIT: its limit follows from its containers. */
typedef struct memoom_pod_options {
    /** sizeof(memoom_pod_options). */
    size_t struct_size;
    /** The limit of the pod: bytes, MEMOOM_UNLIMITED, or MEMOOM_UNCHANGED for what its containers may take together,
     * and none where one of them has none. */
    uint64_t limit_bytes;
    /** The memory of the node, of which a request is a share in oom_score_adj: bytes, or MEMOOM_UNCHANGED for this
     * machine's. */
    uint64_t node_bytes;
    /** 1: an OOM kill takes one process of a container, not all of them (the kubelet's singleProcessOOMKill). 0: on
     * v2 it takes all; on v1 it always takes one. */
    uint32_t single_process_oom_kill;
    /** 0. */
    uint32_t reserved;
} memoom_pod_options;
/** The start of a memoom_pod_options: the limit follows from the containers, the node is this machine. */
#define MEMOOM_POD_OPTIONS_INIT { sizeof(memoom_pod_options), MEMOOM_UNCHANGED, MEMOOM_UNCHANGED, 0, 0 }
/** A kind of container: before the containers that are made after it, which wait until it has ended with 0. */
#define MEMOOM_CONTAINER_INIT "init"

/** What a new container may be told. Begin with MEMOOM_CONTAINER_OPTIONS_INIT: an app container without limit and
 * request. */
typedef struct memoom_container_options {
    /** sizeof(memoom_container_options). */
    size_t struct_size;
    /** Its limit: bytes or MEMOOM_UNLIMITED. */
    uint64_t limit_bytes;
    /** The memory that it requests: bytes, or MEMOOM_UNCHANGED for as much as its limit. It is not enforced: the
     * class of the pod and oom_score_adj follow from it. */
    uint64_t request_bytes;
    /** Swap that it may use beyond its memory: bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED. 0 makes an OOM come at
     * the limit and nowhere else. */
    uint64_t swap_bytes;
    /** When it runs, one of MEMOOM_CONTAINER_...; NULL for MEMOOM_CONTAINER_APP. */
    const char *kind;
    /** memory.oom.group (v2 only), an OOM kill takes the whole container: MEMOOM_ON, MEMOOM_OFF, or
     * MEMOOM_SWITCH_UNCHANGED for as the pod has it. */
    memoom_switch oom_group;
    /** 0. */
    uint32_t reserved;
} memoom_container_options;
/** The start of a memoom_container_options: an app container without limit and request, swap kept out. */
#define MEMOOM_CONTAINER_OPTIONS_INIT \
    { sizeof(memoom_container_options), MEMOOM_UNLIMITED, MEMOOM_UNCHANGED, 0, NULL, MEMOOM_SWITCH_UNCHANGED, 0 }

/** Makes a pod in a lab: its group, and in a group below that the pause process, which takes no memory.
 *
 * Its containers are made (memoom_container_create) before the first of them is started, as they are one
 * specification: from their requests and limits follow the class of the pod, its limit and the oom_score_adj of
 * each.
 * \param name  the name of its group, as for memoom_group_create; NULL for one of memoom's choice
 * \param options  what it is told; NULL for MEMOOM_POD_OPTIONS_INIT
 * Returns: as memoom_group_create and memoom_ticker_spawn; MEMOOM_ERR_INVALID_INPUT also for a node of 0 bytes, and
 * where the memory of this machine cannot be read.
 * Ownership: free the pod with memoom_pod_free; that leaves its groups and processes to the lab. */
MEMOOM_MUST_USE memoom_status memoom_pod_create(const memoom_lab *lab, const char *name,
    const memoom_pod_options *options, memoom_pod **ret_pod, memoom_error **reterr_error);

/** The group of a pod, which has its limit; the groups of its containers stand below it.
 * Returns: the group; NULL for NULL. */
const memoom_group *memoom_pod_group(const memoom_pod *pod);

/** The pause process of a pod, in a group of its own below the pod's. It has oom_score_adj -998, or the caller's own
 * where that may not be lowered.
 * Returns: the worker; NULL for NULL. */
const memoom_worker *memoom_pod_pause(const memoom_pod *pod);

/** The quality-of-service class of a pod, by memory alone and by the containers that it has now: "guaranteed" (every
 * container has a limit, and requests as much), "besteffort" (none has a request or a limit) or "burstable".
 * Returns: the class; NULL for NULL.
 * Ownership: nobody's: it stays for ever. */
const char *memoom_pod_qos(const memoom_pod *pod);

/** Makes a container of a pod: a group below the pod's, with the limit, and on v2 with memory.oom.group. Nothing
 * runs in it yet. The limit of the pod, where it was not told one, follows.
 * \param name  the name of its group, as for memoom_group_create, but required
 * \param options  what it is told; NULL for MEMOOM_CONTAINER_OPTIONS_INIT
 * Returns: as memoom_group_create_child; MEMOOM_ERR_INVALID_INPUT also for a request above the limit;
 * MEMOOM_ERR_BUSY also where a container of the pod was started.
 * Ownership: free the container with memoom_container_free; that leaves its group and processes to the lab. */
MEMOOM_MUST_USE memoom_status memoom_container_create(const memoom_pod *pod, const char *name,
    const memoom_container_options *options, memoom_container **ret_container, memoom_error **reterr_error);

/** The group of a container.
 * Returns: the group; NULL for NULL. */
const memoom_group *memoom_container_group(const memoom_container *container);

/** When a container runs: "app", "init" or "sidecar".
 * Returns: the kind; NULL for NULL.
 * Ownership: nobody's: it stays for ever. */
const char *memoom_container_kind(const memoom_container *container);

/** The memory that a container requests: its limit where it was told nothing.
 * Returns: bytes; MEMOOM_UNKNOWN where it requests nothing and has no limit, and for NULL. */
uint64_t memoom_container_request_bytes(const memoom_container *container);

/** The oom_score_adj of what is started in a container: what the kubelet would give, or the caller's own where that
 * is lower and may not be set (the ability lower-oom-score-adj of the host).
 * Returns: -1000 to 1000; MEMOOM_SCORE_UNKNOWN for NULL. */
int32_t memoom_container_oom_score_adj(const memoom_container *container);

/** Starts a command in a container. The first is the main process, by whose end the container has ended; while that
 * runs, others are as if executed in it.
 * \param argv  the program and its arguments, as for memoom_command_spawn
 * \param options  what it is told; NULL for MEMOOM_COMMAND_OPTIONS_INIT. An oom_score_adj of 0 is the container's
 * Returns: as memoom_command_spawn; MEMOOM_ERR_BUSY where an init container that was made before it has not ended
 * with 0, or a sidecar has not been started.
 * Ownership: free the worker with memoom_worker_free; the process itself ends with the lab. */
MEMOOM_MUST_USE memoom_status memoom_container_spawn_command(const memoom_container *container, const char *const *argv,
    const memoom_command_options *options, memoom_worker **ret_worker, memoom_error **reterr_error);

/** Starts a hog in a container; for the rest as memoom_container_spawn_command.
 * \param options  what it is told; NULL for MEMOOM_HOG_OPTIONS_INIT. An oom_score_adj of 0 is the container's
 * Returns: as memoom_hog_spawn; MEMOOM_ERR_BUSY as memoom_container_spawn_command.
 * Ownership: free the worker with memoom_worker_free; the process itself ends with the lab. */
MEMOOM_MUST_USE memoom_status memoom_container_spawn_hog(const memoom_container *container,
    const memoom_hog_options *options, memoom_worker **ret_worker, memoom_error **reterr_error);

/** Starts a ticker in a container; for the rest as memoom_container_spawn_command.
 * \param options  what it is told; NULL for MEMOOM_TICKER_OPTIONS_INIT. An oom_score_adj of 0 is the container's
 * Returns: as memoom_ticker_spawn; MEMOOM_ERR_BUSY as memoom_container_spawn_command.
 * Ownership: free the worker with memoom_worker_free; the process itself ends with the lab. */
MEMOOM_MUST_USE memoom_status memoom_container_spawn_ticker(const memoom_container *container,
    const memoom_ticker_options *options, memoom_worker **ret_worker, memoom_error **reterr_error);

/** Waits for the end of the main process of a container, ends what that has left in it, and starts the same command
 * again, as the kubelet does with a sidecar, and with others by their restart policy.
 * \param timeout_ns  how long to wait for the end, or MEMOOM_FOREVER
 * \param ret_outcome  where the outcome of the one that ended goes
 * \param ret_worker  where the new one goes
 * Returns: as memoom_worker_wait and memoom_container_spawn_command; MEMOOM_ERR_INVALID_INPUT also where the main
 * process is no command. */
MEMOOM_MUST_USE memoom_status memoom_container_restart(const memoom_container *container, uint64_t timeout_ns,
    memoom_outcome **ret_outcome, memoom_worker **ret_worker, memoom_error **reterr_error);

/** How often the main process of a container was started again.
 * Returns: the number; 0 for NULL. */
uint32_t memoom_container_restarts(const memoom_container *container);

/** Gives a container another limit, as the kubelet does in place: upwards the pod's limit first, downwards the
 * container's. What the pod was told to have at most stays. Processes that run keep their oom_score_adj.
 *
 * Downwards, a limit that the usage has reached already is refused, as the kubelet refuses it from 1.34. Where it
 * is forced, it is written all the same, as before: on v2 the kernel then reclaims, and kills in the container; v1
 * refuses what it cannot reclaim.
 * \param limit_bytes  its new limit: bytes or MEMOOM_UNLIMITED
 * \param request_bytes  its new request: bytes, or MEMOOM_UNCHANGED
 * \param forced  1 to write a limit that the usage has reached; else 0
 * Returns: as memoom_group_set_limit; MEMOOM_ERR_BUSY also for a limit that the usage has reached;
 * MEMOOM_ERR_INVALID_INPUT for NULL, a request above the limit, and where the pod would be of another class. */
MEMOOM_MUST_USE memoom_status memoom_container_resize(const memoom_container *container, uint64_t limit_bytes,
    uint64_t request_bytes, uint32_t forced, memoom_error **reterr_error);

/** Frees a container; its group and processes end with the lab. */
void memoom_container_free(memoom_container *container);
/** For __attribute__((cleanup(memoom_container_freep))): frees what the variable holds. */
static inline void memoom_container_freep(memoom_container **object) { memoom_container_free(*object); }

/** Ends every process of a pod and removes its groups.
 * Returns: as memoom_group_kill and memoom_group_remove. */
MEMOOM_MUST_USE memoom_status memoom_pod_remove(const memoom_pod *pod, memoom_error **reterr_error);

/** Frees a pod; its groups and processes end with the lab, or by memoom_pod_remove. */
void memoom_pod_free(memoom_pod *pod);
/** For __attribute__((cleanup(memoom_pod_freep))): frees what the variable holds. */
static inline void memoom_pod_freep(memoom_pod **object) { memoom_pod_free(*object); }

/* ========================================================================================================
 * Fit
 *
 * The least limit under which a command passes.
 * ======================================================================================================== */

/** The least limit of a command, and the runs that say so. */
typedef struct memoom_fitted memoom_fitted;

/** How the least limit of a command is looked for. Begin with MEMOOM_FIT_OPTIONS_INIT: at most 12 runs, within 2 %,
 * slowed above 10 %. */
typedef struct memoom_fit_options {
    /** sizeof(memoom_fit_options). */
    size_t struct_size;
    /** The limit of the first run in bytes; MEMOOM_UNCHANGED for four fifths of the memory that the host has free. */
    uint64_t most_bytes;
    /** A command that looks at what a run left behind, outside the limit: its arguments, then NULL. A run passes
     * where both end with 0. NULL for none. */
    const char *const *check;
    /** The most runs that are made. */
    uint32_t runs;
    /** By how many thousandths the answer may lie above the largest limit that failed. */
    uint32_t within_permille;
    /** By how many thousandths a run may take longer than the first before it counts as slowed. */
    uint32_t slower_permille;
    /** memory.high of each run at so many thousandths of its limit (v2); 0 for none. */
    uint32_t high_permille;
} memoom_fit_options;
/** The start of a memoom_fit_options: at most 12 runs, within 2 %, slowed above 10 %. */
#define MEMOOM_FIT_OPTIONS_INIT { sizeof(memoom_fit_options), MEMOOM_UNCHANGED, NULL, 12, 20, 100, 0 }

/** Looks for the least limit under which a command passes, by runs under limits, each in a lab of its own: a search
 * led by what the runs used. Nothing runs without a limit.
 * \param argv  the program and its arguments, then NULL; a program without "/" is looked for in PATH
 * \param options  how each run is made, but for its limit; NULL for MEMOOM_RUN_OPTIONS_INIT. Without a timeout a
 * run has ten times as long as the first one took, and 10 seconds
 * \param fit  how the limit is looked for; NULL for MEMOOM_FIT_OPTIONS_INIT
 * \param ret_fitted  where the answer goes
 * Returns: MEMOOM_OK, also when the command fails under every limit; MEMOOM_ERR_INVALID_INPUT for NULL, 0 runs,
 * nothing within which the answer must lie, or more than 1000 of high_permille; else as memoom_run.
 * Needs: root, or a memory group that is delegated to this user. */
MEMOOM_MUST_USE memoom_status memoom_fit(const char *const *argv, const memoom_run_options *options,
    const memoom_fit_options *fit, memoom_fitted **ret_fitted, memoom_error **reterr_error);

/** The least limit under which the command passed, in bytes.
 * Returns: the bytes; MEMOOM_UNKNOWN where it passed under none, and for NULL. */
uint64_t memoom_fitted_limit_bytes(const memoom_fitted *fitted);

/** The largest limit under which the command failed, in bytes.
 * Returns: the bytes; MEMOOM_UNKNOWN where it failed under none, and for NULL. */
uint64_t memoom_fitted_failed_bytes(const memoom_fitted *fitted);

/** The least limit under which the command passed and took no longer than it may, in bytes, when every larger one
 * that was tried held that too.
 * Returns: the bytes; MEMOOM_UNKNOWN where there is none, and for NULL. */
uint64_t memoom_fitted_unslowed_bytes(const memoom_fitted *fitted);

/** How many runs were made.
 * Returns: the number; 0 for NULL. */
size_t memoom_fitted_run_count(const memoom_fitted *fitted);

/** The answer as one JSON document on one line, schema "memoom.fit/1", with every run.
 * Returns: the document; NULL for NULL. */
const char *memoom_fitted_to_json(const memoom_fitted *fitted);

/** The answer as a person reads it: the limit, how close it is, where it is not slowed, and a line for each run.
 * Returns: the text; NULL for NULL. */
const char *memoom_fitted_to_text(const memoom_fitted *fitted);

/** Frees an answer. */
void memoom_fitted_free(memoom_fitted *fitted);
/** For __attribute__((cleanup(memoom_fitted_freep))): frees what the variable holds. */
static inline void memoom_fitted_freep(memoom_fitted **object) { memoom_fitted_free(*object); }

/* ========================================================================================================
 * Watch
 *
 * What happens in a group, as it happens.
 * ======================================================================================================== */

/** One thing that happened: when, by whose word, where, and what. */
typedef struct memoom_event memoom_event;

/** A pollable stream of the events of a group and of the groups below it, from the moment it was opened.
 *
 * Several watches of one group see the same events, each in its own time.
 * Thread safety: calls may come from any thread, except memoom_watch_free; a call that waits makes other calls on
 * the same watch wait too. After a fork the child must not use it. */
typedef struct memoom_watch memoom_watch;

/** When, in nanoseconds of CLOCK_MONOTONIC; the kernel's own stamp where the source has one.
 * Returns: the time; 0 for NULL. */
uint64_t memoom_event_time_ns(const memoom_event *event);

/** Who said it: "memoom", "worker", "supervisor", "counters", "kernel-log", "tracefs", "procfs".
 * Returns: the source; NULL for NULL. */
const char *memoom_event_source(const memoom_event *event);

/** What happened: "started", "stepping", "stepped", "shrunk", "step_failed", "ticked", "exited", "notified",
 * "predicted", "victim", "killed", "log", "blocked", "usage", "share", "limit", "switch", "setting", "alarm",
 * "removed", "lost". Later versions may know more.
 * Returns: the kind; NULL for NULL. */
const char *memoom_event_kind(const memoom_event *event);

/** The group concerned, as the kernel writes its path.
 * Returns: the path; NULL for what concerns no group, and for NULL. */
const char *memoom_event_group(const memoom_event *event);

/** The process concerned.
 * Returns: its pid; 0 for what concerns no process, and for NULL. */
int32_t memoom_event_pid(const memoom_event *event);

/** The event as a person reads it: what happened, in a few words, without time and source.
 * Returns: the text; NULL for NULL. */
const char *memoom_event_to_text(const memoom_event *event);

/** The event as one JSON document ("memoom.event/1"), with the particulars of its kind.
 * Returns: the document; NULL for NULL. */
const char *memoom_event_to_json(const memoom_event *event);

/** Frees an event. */
void memoom_event_free(memoom_event *event);
/** For __attribute__((cleanup(memoom_event_freep))): frees what the variable holds. */
static inline void memoom_event_freep(memoom_event **object) { memoom_event_free(*object); }

/** Opens a watch. Open it before the workers start, so that it sees everything.
 * \param group  the group; one that was opened by path will do
 * Returns: MEMOOM_OK, also where a source of events cannot be had (each account names it).
 * Ownership: free the watch with memoom_watch_free; it lives on without the object of its group. */
MEMOOM_MUST_USE memoom_status memoom_watch_open(const memoom_group *group, memoom_watch **ret_watch,
    memoom_error **reterr_error);

/** Opens a watch of a group and of all groups below it.
 *
 * The counters and notifications of the groups below are read too, also of those that are made later, so that an
 * OOM in one of them is accounted for as if it were watched itself. In a lab this is what memoom_watch_open does.
 * \param group  the group; one that was opened by path will do
 * Returns: MEMOOM_OK, also where a source of events cannot be had (each account names it); MEMOOM_ERR_IO where the
 * directories cannot be listened to (fs.inotify.max_user_watches).
 * Ownership: free the watch with memoom_watch_free; it lives on without the object of its group. */
MEMOOM_MUST_USE memoom_status memoom_watch_open_recursive(const memoom_group *group, memoom_watch **ret_watch,
    memoom_error **reterr_error);
/** What a death is asked about by. */
typedef uint32_t memoom_subject;

/** Opens a watch of all groups that a subject means, and of all below them: those that are there and those that are
 * made later, so that a unit or a container may be watched before it is started.
 *
 * A container may also be named as its runtime does, a pod as "NAME" or "NAMESPACE/NAME", where the state of the
 * runtime or of the kubelet can be read.
 * \param subject  one of the MEMOOM_SUBJECT_ numbers; MEMOOM_SUBJECT_LAST is all groups of this machine
 * \param name  which one; NULL for MEMOOM_SUBJECT_LAST. Of MEMOOM_SUBJECT_GROUP the path from the top of the
 * hierarchy, as the kernel writes it
 * Returns: MEMOOM_OK, also where a source of events cannot be had (each account names it); MEMOOM_ERR_INVALID_INPUT
 * for an unknown subject, a name that is missing or empty, and for a pid; MEMOOM_ERR_UNSUPPORTED without a memory
 * controller; MEMOOM_ERR_IO where the directories cannot be listened to (fs.inotify.max_user_watches). */
MEMOOM_MUST_USE memoom_status memoom_watch_open_of(memoom_subject subject, const char *name, memoom_watch **ret_watch,
    memoom_error **reterr_error);

/** Whether a group is there that the watch is of: what has a name may be watched before it is started.
 * \param ret_on  where MEMOOM_ON or MEMOOM_OFF goes
 * Thread safety: any thread; see memoom_watch. */
MEMOOM_MUST_USE memoom_status memoom_watch_has_groups(const memoom_watch *watch, memoom_switch *ret_on,
    memoom_error **reterr_error);

/** The descriptor to poll for reading: it is readable when memoom_watch_next or memoom_watch_wait_oom may have
 * something.
 *
 * Other records of the kernel log make it readable too: call memoom_watch_next with a timeout of 0 until it gives
 * no event.
 * Returns: the descriptor; -1 for NULL. */
int32_t memoom_watch_fd(const memoom_watch *watch);

/** The next event.
 * \param timeout_ns  how long to wait, 0 to look only, or MEMOOM_FOREVER
 * \param ret_event  where the event goes; NULL goes there where none came by the deadline
 * Returns: MEMOOM_OK, also where none came.
 * Thread safety: any thread; see memoom_watch. */
MEMOOM_MUST_USE memoom_status memoom_watch_next(const memoom_watch *watch, uint64_t timeout_ns,
    memoom_event **ret_event, memoom_error **reterr_error);

/** The account of the next OOM of the group, of a group below it, or of a group above it that struck here.
 *
 * The events that are passed over meanwhile can still be had from memoom_watch_next.
 * \param timeout_ns  how long to wait, 0 to look only, or MEMOOM_FOREVER
 * \param ret_oom  where the account goes; NULL goes there where none came by the deadline
 * Returns: MEMOOM_OK, also where none came.
 * Thread safety: any thread; see memoom_watch. */
MEMOOM_MUST_USE memoom_status memoom_watch_wait_oom(const memoom_watch *watch, uint64_t timeout_ns,
    memoom_oom **ret_oom, memoom_error **reterr_error);

/** Keeps a record in a directory of whatever dies from now on: each death by a signal and each account that this
 * watch gives is on the disk before it is given, the oldest going first. It is what memoom_postmortem_with reads,
 * also after a restart of the machine.
 *
 * From then on memoom_watch_next and memoom_watch_wait_oom give MEMOOM_ERR_IO for what could not be written.
 * \param directory  where; it is made, for its owner alone, where it is not there
 * \param most_bytes  the most bytes it takes in all, at least 65536
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL and fewer bytes; MEMOOM_ERR_PERMISSION_DENIED where others may write
 * to the directory; MEMOOM_ERR_BUSY where another watch does.
 * Thread safety: any thread; see memoom_watch. */
MEMOOM_MUST_USE memoom_status memoom_watch_keep_record(const memoom_watch *watch, const char *directory,
    uint64_t most_bytes, memoom_error **reterr_error);

/** Closes and frees a watch. */
void memoom_watch_free(memoom_watch *watch);
/** For __attribute__((cleanup(memoom_watch_freep))): frees what the variable holds. */
static inline void memoom_watch_freep(memoom_watch **object) { memoom_watch_free(*object); }

/** Asks the kernel for a notification: each time it comes, the watches of the group have an event of the kind
 * "alarm". It stays set until the group or the lab ends.
 *
 * On v1: "threshold SIZE" (the usage crosses it) or "level low|medium|critical[,hierarchy|,local]"
 * (memory.pressure_level). On v2: "some STALL_USEC WINDOW_USEC" or "full STALL_USEC WINDOW_USEC" (memory.pressure),
 * with a window of 500,000 to 10,000,000 microseconds.
 * \param group  the group, made by memoom
 * Returns: MEMOOM_ERR_INVALID_INPUT for NULL, an opened group, an unknown alarm or numbers that the kernel refuses;
 * MEMOOM_ERR_UNSUPPORTED for an alarm of the other hierarchy, or where PSI is off. */
MEMOOM_MUST_USE memoom_status memoom_group_add_alarm(const memoom_group *group, const char *alarm,
    memoom_error **reterr_error);

/* ========================================================================================================
 * Oom
 *
 * The account of one OOM: whose limit, who asked, who was chosen, what filled the limit, and what is missing.
 * ======================================================================================================== */
/** Why a process died in an OOM. */
typedef uint32_t memoom_cause;
#define MEMOOM_CAUSE_OTHER 0 /**< For a reason that this version of the C face has no number for. */
#define MEMOOM_CAUSE_SELECTED 1 /**< The kernel chose it. */
#define MEMOOM_CAUSE_GROUP 2 /**< It stood in a group with memory.oom.group. */
#define MEMOOM_CAUSE_SHARED_MM 3 /**< It shared the memory of the chosen one. */

/** Evidence that could not be had, and why. */
typedef struct memoom_missing {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** The source: "kernel-log", "tracefs", "counters", "report", ... */
    const char *source;
    /** Why. */
    const char *reason;
} memoom_missing;

/** Two sources that do not say the same. */
typedef struct memoom_disagreement {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** What they say. */
    const char *says;
    /** Why; NULL where no known cause fits. */
    const char *because;
} memoom_disagreement;

/** A process by pid and name. */
typedef struct memoom_process {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name (comm), escaped. */
    const char *comm;
    /** Its pid. */
    int32_t pid;
    /** 0. */
    uint32_t reserved;
} memoom_process;

/** Who would be killed, computed before the kernel chose. */
typedef struct memoom_predicted {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name (comm), escaped. */
    const char *comm;
    /** Where the numbers come from: "procfs" (read before the step) or "report" (the kernel's own task table). */
    const char *source;
    /** Its score in pages. */
    int64_t score;
    /** Its pid. */
    int32_t pid;
    /** 1 where the distance to the next candidate is larger than what the readings can be off by, else 0. */
    uint32_t determined;
    /** When it was made: "before" the kill, or "after" it from the kernel's own table, with which the choice then
     * agrees or does not. */
    const char *made;
} memoom_predicted;

/** A process that the OOM killed. */
typedef struct memoom_victim {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name (comm), escaped; empty where no source said it. */
    const char *comm;
    /** The group in which it stood; NULL where no source tells. */
    const char *group;
    /** Who said so, joined by ", ": "tracefs", "kernel-log", "counters", "procfs" (it shared the memory of the
     * chosen one). */
    const char *sources;
    /** Its anonymous memory in bytes when it was killed; MEMOOM_UNKNOWN where no source tells. */
    uint64_t anon_rss_bytes;
    /** Its pid. */
    int32_t pid;
    /** Its oom_score_adj; MEMOOM_SCORE_UNKNOWN where no source tells. */
    int32_t oom_score_adj;
    /** Why it died. */
    memoom_cause cause;
    /** 0. */
    uint32_t reserved;
} memoom_victim;

/** One function of a kernel call path. */
typedef struct memoom_frame {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** The function as the kernel names it. */
    const char *function;
    /** The kernel module of the function; NULL for the kernel itself. */
    const char *module;
    /** The part of the way it belongs to: "syscall", "fault", "charge", "reclaim", "oom", "select", "kill" or
     * "wait"; NULL where memoom has no word for it. */
    const char *step;
    /** What the function does on the way, in one sentence; NULL where memoom has no words for it. */
    const char *explanation;
    /** The return address, in bytes from the start of the function; MEMOOM_UNKNOWN where no source tells. */
    uint64_t offset;
    /** The length of the function in bytes; MEMOOM_UNKNOWN where no source tells. */
    uint64_t size;
} memoom_frame;

/** A process that waits in an OOM, as the OOM killer is off.
 *
 * Its kernel stack: memoom_oom_blocked_frame_at. */
typedef struct memoom_blocked {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name (comm), escaped. */
    const char *comm;
    /** The kernel function in which it waits; NULL where no source tells. */
    const char *wchan;
    /** Its pid. */
    int32_t pid;
    /** The letter of its state: 'D'. */
    memoom_state state;
} memoom_blocked;

/** What one process held before the kill, or what no process holds. */
typedef struct memoom_holder {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name (comm), escaped; NULL for a row without a process. */
    const char *comm;
    /** The group in which it stood; NULL where no source tells. */
    const char *group;
    /** What a row without a process is: "no living process" or "smaller processes"; NULL for a process. */
    const char *what;
    /** Who says it: "report", "kernel-log", "tracefs", "procfs", "memory.stat", "sample". */
    const char *source;
    /** Resident in all; shared pages count for each of their processes. MEMOOM_UNKNOWN where no source tells. */
    uint64_t rss_bytes;
    /** Its anonymous memory. MEMOOM_UNKNOWN where no source tells. */
    uint64_t anon_bytes;
    /** Shared memory that it has mapped; in a row without a process, what nobody has mapped. MEMOOM_UNKNOWN where no
     * source tells. */
    uint64_t shmem_bytes;
    /** File pages that it has mapped; in a row without a process, page cache that nobody has mapped. MEMOOM_UNKNOWN
     * where no source tells. */
    uint64_t file_bytes;
    /** What of it is in swap. MEMOOM_UNKNOWN where no source tells. */
    uint64_t swap_bytes;
    /** Its proportional share, read of processes that wait alone. MEMOOM_UNKNOWN where no source tells. */
    uint64_t pss_bytes;
    /** By how much its own memory has grown. MEMOOM_UNKNOWN where no source tells. */
    uint64_t grown_bytes;
    /** Since when, in nanoseconds of CLOCK_MONOTONIC. MEMOOM_UNKNOWN where no source tells. */
    uint64_t grown_since_ns;
    /** How many processes the row stands for: 1, more for the smaller ones, 0 for what no process holds. */
    uint64_t processes;
    /** When that was read, in nanoseconds of CLOCK_MONOTONIC. */
    uint64_t read_ns;
    /** Its pid; 0 for a row without a process, and where the pid is unknown. */
    int32_t pid;
    /** 1 where it outlived the OOM, else 0. */
    uint32_t alive;
} memoom_holder;

/** The process whose memory rose most; it need not be the victim. */
typedef struct memoom_grower {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name (comm), escaped; NULL where no source tells. */
    const char *comm;
    /** The group in which it stood; NULL where no source tells. */
    const char *group;
    /** Who says what it held at last. */
    const char *source;
    /** Its own memory (anonymous, shared and swapped) at first. */
    uint64_t from_bytes;
    /** The same when the limit was hit. */
    uint64_t to_bytes;
    /** By how much it rose. */
    uint64_t grown_bytes;
    /** How long that took, in nanoseconds. */
    uint64_t over_ns;
    /** By how much it rose in a second, on the average; MEMOOM_UNKNOWN where it took no time. */
    uint64_t bytes_per_sec;
    /** What it held at last in percent of the limit; MEMOOM_UNKNOWN without a limit. */
    uint64_t limit_percent;
    /** Since when, in nanoseconds of CLOCK_MONOTONIC. */
    uint64_t since_ns;
    /** Its pid. */
    int32_t pid;
    /** 1 where it outlived the OOM, else 0. */
    uint32_t alive;
} memoom_grower;

/** One answer to the question why, with its evidence and what can be done. */
typedef struct memoom_finding {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name, for programs: "shared-memory", "grower-survived", "ancestor-limit", ... A code never changes its
     * meaning. */
    const char *code;
    /** One or two plain sentences. */
    const char *text;
    /** What it rests on: fields of the document with their values, one on each line. */
    const char *evidence;
    /** What can be done about it; NULL where nothing needs to be. */
    const char *remedy;
} memoom_finding;

/** The hierarchy in which the OOM struck.
 * Returns: MEMOOM_CGROUP_V1 or MEMOOM_CGROUP_V2; MEMOOM_CGROUP_NONE for NULL. */
memoom_cgroup_version memoom_oom_version(const memoom_oom *oom);

/** The account in two or three plain sentences: what filled the limit, who grew, why this one died, what would have
 * helped.
 * Returns: the sentences; NULL for NULL. */
const char *memoom_oom_summary(const memoom_oom *oom);

/** How many findings the account has.
 * Returns: the number; 0 for NULL. */
size_t memoom_oom_finding_count(const memoom_oom *oom);

/** One of the findings; what a reader needs first comes first.
 * \param index  from 0 to memoom_oom_finding_count - 1
 * Returns: the finding; NULL beyond the end, and for NULL. */
const memoom_finding *memoom_oom_finding_at(const memoom_oom *oom, size_t index);

/** The group whose limit was hit: an ancestor of the victim's group, or that group.
 * Returns: its path as the kernel writes it, escaped; NULL where no source tells, and for NULL. */
const char *memoom_oom_limit_group(const memoom_oom *oom);

/** What stands behind the group whose limit was hit, in words: "the systemd service nginx.service", "the Podman
 * container web (3f5e0a1b2c3d)". memoom_oom_to_json has the parts (limit_workload): unit, container_id, pod_uid,
 * job.
 * Returns: the words, escaped; NULL where the path of the group tells nothing, for groups of memoom's own, and for
 * NULL. */
const char *memoom_oom_limit_words(const memoom_oom *oom);

/** The limit that was hit, in bytes.
 * Returns: the bytes; MEMOOM_UNLIMITED where there is none; MEMOOM_UNKNOWN where it could not be read (the missing
 * source "limit" says why), and for NULL. */
uint64_t memoom_oom_limit_bytes(const memoom_oom *oom);

/** Bytes charged to the group whose limit was hit, before the OOM.
 * Returns: the bytes; MEMOOM_UNKNOWN where no source tells, and for NULL. */
uint64_t memoom_oom_usage_before(const memoom_oom *oom);

/** Bytes charged after the last victim had ended; for a blocked OOM, while it lasts.
 * Returns: the bytes; MEMOOM_UNKNOWN where no source tells, and for NULL. */
uint64_t memoom_oom_usage_after(const memoom_oom *oom);

/** What the charged bytes of the group whose limit was hit were before the kill, by what holds them.
 * Returns: the bytes; NULL where nothing was read in time, and for NULL. */
const memoom_composition *memoom_oom_composition(const memoom_oom *oom);

/** How many rows tell who held the memory.
 * Returns: the number; 0 for NULL. */
size_t memoom_oom_holder_count(const memoom_oom *oom);

/** One of the rows, the largest first: a process, or what no living process held.
 * \param index  from 0 to memoom_oom_holder_count - 1
 * Returns: the row; NULL beyond the end, and for NULL. */
const memoom_holder *memoom_oom_holder_at(const memoom_oom *oom, size_t index);

/** The process whose memory rose most since the lab, the run or the watch began.
 * Returns: the process; NULL where nobody was seen to grow, and for NULL. */
const memoom_grower *memoom_oom_grower(const memoom_oom *oom);

/** The process in whose charge the limit was hit.
 * Returns: the process; NULL where no source tells, and for NULL. */
const memoom_process *memoom_oom_invoker(const memoom_oom *oom);

/** Who would be killed, computed before the kernel chose.
 * Returns: the prediction; NULL where there was nothing to compute it from, and for NULL. */
const memoom_predicted *memoom_oom_predicted(const memoom_oom *oom);

/** Whether the prediction named the process that the kernel chose.
 * Returns: 1 where it did, 0 where the kernel chose another; -1 where there was no prediction or nobody died, and
 * for NULL. */
int32_t memoom_oom_predicted_right(const memoom_oom *oom);

/** How many processes the kernel had to choose from.
 * Returns: the number; 0 for NULL. */
size_t memoom_oom_candidate_count(const memoom_oom *oom);

/** One of the processes, in the order of the kernel's scan.
 * \param index  from 0 to memoom_oom_candidate_count - 1
 * Returns: the process; NULL beyond the end, and for NULL. */
const memoom_candidate *memoom_oom_candidate_at(const memoom_oom *oom, size_t index);

/** What stands behind the group in which a victim stood, in words; see memoom_oom_limit_words.
 * \param index  which victim, from 0
 * Returns: the words, escaped; NULL where the path of the group tells nothing, beyond the last victim, and for
 * NULL. */
const char *memoom_oom_victim_words(const memoom_oom *oom, size_t index);

/** How many processes were killed; 0 for a blocked OOM.
 * Returns: the number; 0 for NULL. */
size_t memoom_oom_victim_count(const memoom_oom *oom);

/** One of the processes that were killed, in the order of the kills.
 * \param index  from 0 to memoom_oom_victim_count - 1
 * Returns: the victim; NULL beyond the end, and for NULL. */
const memoom_victim *memoom_oom_victim_at(const memoom_oom *oom, size_t index);

/** The process that the kernel chose, or the first that died.
 * Returns: the victim; NULL for a blocked OOM, and for NULL. */
const memoom_victim *memoom_oom_victim(const memoom_oom *oom);

/** Whether a process was killed in this OOM.
 * \param pid  its pid
 * Returns: 1 or 0; 0 for NULL. */
uint32_t memoom_oom_killed(const memoom_oom *oom, int32_t pid);

/** How many processes wait, as the OOM killer is off.
 * Returns: the number; 0 for NULL. */
size_t memoom_oom_blocked_count(const memoom_oom *oom);

/** One of the processes that wait.
 * \param index  from 0 to memoom_oom_blocked_count - 1
 * Returns: the process; NULL beyond the end, and for NULL. */
const memoom_blocked *memoom_oom_blocked_at(const memoom_oom *oom, size_t index);

/** How many kernel functions the stack of a process that waits has.
 * \param index  from 0 to memoom_oom_blocked_count - 1
 * Returns: the number; 0 beyond the end, and for NULL. */
size_t memoom_oom_blocked_frame_count(const memoom_oom *oom, size_t index);

/** One of the kernel functions on the stack of a process that waits, innermost first.
 * \param index  from 0 to memoom_oom_blocked_count - 1
 * \param frame  from 0 to memoom_oom_blocked_frame_count - 1
 * Returns: the function; NULL beyond either end, and for NULL. */
const memoom_frame *memoom_oom_blocked_frame_at(const memoom_oom *oom, size_t index, size_t frame);

/** How many kernel functions the call path to the kill (or to the wait) has.
 * Returns: the number; 0 for NULL. */
size_t memoom_oom_frame_count(const memoom_oom *oom);

/** One of the kernel functions, innermost first.
 * \param index  from 0 to memoom_oom_frame_count - 1
 * Returns: the function; NULL beyond the end, and for NULL. */
const memoom_frame *memoom_oom_frame_at(const memoom_oom *oom, size_t index);

/** The counters of the group whose limit was hit, before the OOM.
 * Returns: the counters; NULL for NULL. */
const memoom_counters *memoom_oom_counters_before(const memoom_oom *oom);

/** The counters of the group whose limit was hit, after the last victim had ended; for a blocked OOM, while it
 * lasts.
 * Returns: the counters; NULL for NULL. */
const memoom_counters *memoom_oom_counters_after(const memoom_oom *oom);

/** A moment of the OOM, in nanoseconds of CLOCK_MONOTONIC.
 *
 * The names: "step_started", "victim_marked", "victim_ended", "complete". Later versions may know more.
 * Returns: the time; MEMOOM_UNKNOWN where it was not seen, and for NULL. */
uint64_t memoom_oom_timing_ns(const memoom_oom *oom, const char *name);

/** One OOM as the kernel reported it. */
typedef struct memoom_report memoom_report;

/** The kernel's own report. Its pids are those of the reader: inside a pid namespace of processes whose names tell
 * who they are, and 0 for the others; only the text has the kernel's own.
 * Returns: the report; NULL where it was not printed or not read (the list of what is missing says why), and for
 * NULL. */
const memoom_report *memoom_oom_report(const memoom_oom *oom);

/** How many times two sources do not say the same.
 * Returns: the number; 0 for NULL. */
size_t memoom_oom_disagreement_count(const memoom_oom *oom);

/** One case of two sources that do not say the same.
 * \param index  from 0 to memoom_oom_disagreement_count - 1
 * Returns: what they say, and why; NULL beyond the end, and for NULL. */
const memoom_disagreement *memoom_oom_disagreement_at(const memoom_oom *oom, size_t index);

/** How many pieces of evidence could not be had.
 * Returns: the number; 0 for NULL. */
size_t memoom_oom_missing_count(const memoom_oom *oom);

/** One piece of evidence that could not be had.
 * \param index  from 0 to memoom_oom_missing_count - 1
 * Returns: the piece, and why; NULL beyond the end, and for NULL. */
const memoom_missing *memoom_oom_missing_at(const memoom_oom *oom, size_t index);

/** The account as one JSON document ("memoom.oom/1").
 * Returns: the document; NULL for NULL. */
const char *memoom_oom_to_json(const memoom_oom *oom);

/** The account as a person reads it: some lines, each ending in a newline.
 * Returns: the text; NULL for NULL. */
const char *memoom_oom_to_text(const memoom_oom *oom);

/** The account in 15 lines at most, each ending in a newline: without call path and without the kernel's own lines.
 * Returns: the text; NULL for NULL. */
const char *memoom_oom_to_short_text(const memoom_oom *oom);

/** Frees an account. */
void memoom_oom_free(memoom_oom *oom);
/** For __attribute__((cleanup(memoom_oom_freep))): frees what the variable holds. */
static inline void memoom_oom_freep(memoom_oom **object) { memoom_oom_free(*object); }

/* ========================================================================================================
 * Outcome
 *
 * How a worker ended, and who ended it.
 * ======================================================================================================== */

/** Who killed something, as far as what is left can tell. */
typedef struct memoom_postmortem memoom_postmortem;
/** How a worker ended. */
typedef uint32_t memoom_verdict;
/** In a way that this version of the C face has no number for; see memoom_outcome_verdict_name. */
#define MEMOOM_VERDICT_OTHER 0
#define MEMOOM_VERDICT_OOM_KILLED 1 /**< The kernel killed it in an OOM. */
#define MEMOOM_VERDICT_KILLED 2 /**< A signal ended it, and it was not an OOM. */
#define MEMOOM_VERDICT_EXITED 3 /**< It ended by itself. */
#define MEMOOM_VERDICT_TIMEOUT 4 /**< It was still running at the deadline, and memoom killed it. */
/** It was still running at the deadline, as memory.high held it, and memoom killed it. */
#define MEMOOM_VERDICT_THROTTLED 5
/** SIGKILL ended it while an OOM took place in its group, and whether it was that is open: the reason stands in what
 * is missing, under "verdict". */
#define MEMOOM_VERDICT_UNDECIDED 6
#define MEMOOM_SUBJECT_LAST 0 /**< The last OOM kill on this machine; the name is NULL. */
#define MEMOOM_SUBJECT_PID 1 /**< A process: the name is its pid, in digits. */
#define MEMOOM_SUBJECT_GROUP 2 /**< A group: the name is its directory. */
#define MEMOOM_SUBJECT_UNIT 3 /**< A systemd unit, such as "nginx.service". */
#define MEMOOM_SUBJECT_CONTAINER 4 /**< A container, by its id or at least four characters of its beginning. */
#define MEMOOM_SUBJECT_POD 5 /**< A pod, by its uid or at least four characters of its beginning. */
#define MEMOOM_SUBJECT_SLURM 6 /**< A Slurm job, or a step of one: "JOB" or "JOB.STEP". */

/** What one source says about the end of a worker. */
typedef struct memoom_evidence {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Who says it: "exit-status", "tracefs", "kernel-log", "counters". */
    const char *source;
    /** What it says. */
    const char *says;
} memoom_evidence;

/** Who sent the signal that ended a process. */
typedef struct memoom_killed_by {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** What kind of author it was: "kernel-oom", "kernel" (a fault, RLIMIT_CPU, the end of a pid namespace),
     * "process", "cgroup.kill", "systemd", "systemd-oomd", "earlyoom", "kubelet", "container-runtime", "memoom" (it
     * was asked to: a kill or a timeout), "self", "unknown". Later versions may know more. */
    const char *by;
    /** The name (comm) of the process that sent it, escaped; NULL where it could not be read. */
    const char *comm;
    /** Its group, as the kernel writes its path; NULL where it could not be read. */
    const char *group;
    /** The systemd unit in which it stood; NULL for none. */
    const char *unit;
    /** Who says so: "tracefs", "kernel-log", "counters", "procfs", "memoom"; NULL where nobody does. */
    const char *source;
    /** What it was for, or why it is unknown; NULL where there is no more to say. */
    const char *reason;
    /** All of it in a few words, such as "bash (pid 7, uid 0, unit ssh.service)". */
    const char *text;
    /** When it was sent, in nanoseconds of CLOCK_MONOTONIC; MEMOOM_UNKNOWN where no source tells. */
    uint64_t at_ns;
    /** The user of the process that sent it; -1 where it could not be read. */
    int64_t uid;
    /** The process that sent it, or in whose context the kernel did; 0 where no source tells. */
    int32_t pid;
    /** The number of the signal. */
    int32_t signal;
} memoom_killed_by;

/** What shows that memory.high held a command until its time was up (v2).
 *
 * Its kernel stack: memoom_outcome_throttled_frame_at. */
typedef struct memoom_throttled {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** The group that has the memory.high. */
    const char *group;
    /** The kernel function in which its process waited; NULL where it was on a CPU just then. */
    const char *wchan;
    /** memory.high in bytes. */
    uint64_t high_bytes;
    /** What the group used when the time was up. */
    uint64_t usage_bytes;
    /** By how much that was above memory.high. */
    uint64_t over_bytes;
    /** How often the group went over it. */
    uint64_t high_events;
    /** How long at least one of its tasks waited for memory (PSI), in microseconds; MEMOOM_UNKNOWN without PSI. */
    uint64_t stalled_usec;
    /** How long the command had been running, in microseconds. */
    uint64_t elapsed_usec;
    /** The process that was looked at. */
    int32_t pid;
    /** 0. */
    uint32_t reserved;
} memoom_throttled;

/** One time that a run was held at its limit, before anybody died (memoom_run_options.at_limit). */
typedef struct memoom_at_limit {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** What the command wrote to standard output and error, as far as it was kept; a NUL byte is escaped. */
    const char *hook_output;
    /** Why it could not be run, or was ended early; NULL where it ran. */
    const char *hook_error;
    /** What came next: "kernel" (the kernel chooses its victim), "raised" (a higher limit) or "ended" (nobody was
     * left). */
    const char *then;
    /** The limit in bytes. */
    uint64_t limit_bytes;
    /** What was charged to the group just then, in bytes. */
    uint64_t usage_bytes;
    /** The limit with which it went on, in bytes, or MEMOOM_UNLIMITED. */
    uint64_t limit_after_bytes;
    /** How long everybody was held, in nanoseconds. */
    uint64_t held_ns;
    /** Whom the kernel would have killed; 0 where it could take nobody. */
    int32_t predicted_pid;
    /** Who met the limit; 0 where that could not be told. */
    int32_t invoker_pid;
    /** Its exit status, or minus the signal that ended it; INT32_MIN where it did not run. */
    int32_t hook_returncode;
    /** 1 where its time was over, and it was killed; else 0. */
    uint32_t hook_timed_out;
} memoom_at_limit;

/** Where else to look. Begin with MEMOOM_POSTMORTEM_OPTIONS_INIT: nowhere. */
typedef struct memoom_postmortem_options {
    /** sizeof(memoom_postmortem_options). */
    size_t struct_size;
    /** The directory in which a watch keeps its record (memoom_watch_keep_record), or NULL. */
    const char *record;
    /** A saved kernel log, which is read in place of this machine's: whatever it tells of, also of another machine.
     * NULL for this machine's. */
    const char *log;
} memoom_postmortem_options;
/** The start of a memoom_postmortem_options: nowhere else. */
#define MEMOOM_POSTMORTEM_OPTIONS_INIT { sizeof(memoom_postmortem_options), NULL, NULL }

/** How the worker ended.
 * Returns: one of the MEMOOM_VERDICT_ numbers; MEMOOM_VERDICT_OTHER for NULL. */
memoom_verdict memoom_outcome_verdict(const memoom_outcome *outcome);

/** The verdict as documents have it: "oom-killed", "killed", "exited", "timeout", "throttled" or "undecided".
 * Returns: the verdict; NULL for NULL. */
const char *memoom_outcome_verdict_name(const memoom_outcome *outcome);

/** Whether an OOM killed the worker.
 * Returns: 1 or 0; 0 for NULL. */
uint32_t memoom_outcome_oom_killed(const memoom_outcome *outcome);

/** The status of the worker: its exit code, or the negative number of the signal that ended it.
 * Returns: the status; 0 for NULL. */
int32_t memoom_outcome_returncode(const memoom_outcome *outcome);

/** The pid that the worker had.
 * Returns: the pid; 0 for NULL. */
int32_t memoom_outcome_pid(const memoom_outcome *outcome);

/** The name of the worker, escaped.
 * Returns: the name; NULL for NULL. */
const char *memoom_outcome_name(const memoom_outcome *outcome);

/** The group in which the worker stood, as the kernel writes its path.
 * Returns: the path; NULL for NULL. */
const char *memoom_outcome_group(const memoom_outcome *outcome);

/** The account of the OOM that killed the worker.
 * Returns: the account; NULL where no OOM killed it, and for NULL. */
const memoom_oom *memoom_outcome_oom(const memoom_outcome *outcome);

/** How many OOMs its group had while the worker lived, its own among them.
 * Returns: the number; 0 for NULL. */
size_t memoom_outcome_oom_count(const memoom_outcome *outcome);

/** One of the OOMs of its group.
 * \param index  from 0 to memoom_outcome_oom_count - 1
 * Returns: the account; NULL beyond the end, and for NULL. */
const memoom_oom *memoom_outcome_oom_at(const memoom_outcome *outcome, size_t index);

/** How many sources say something about the end.
 * Returns: the number; 0 for NULL. */
size_t memoom_outcome_evidence_count(const memoom_outcome *outcome);

/** What one of the sources says.
 * \param index  from 0 to memoom_outcome_evidence_count - 1
 * Returns: the evidence; NULL beyond the end, and for NULL. */
const memoom_evidence *memoom_outcome_evidence_at(const memoom_outcome *outcome, size_t index);

/** How many pieces of evidence could not be had.
 * Returns: the number; 0 for NULL. */
size_t memoom_outcome_missing_count(const memoom_outcome *outcome);

/** One piece of evidence that could not be had.
 * \param index  from 0 to memoom_outcome_missing_count - 1
 * Returns: the piece, and why; NULL beyond the end, and for NULL. */
const memoom_missing *memoom_outcome_missing_at(const memoom_outcome *outcome, size_t index);

/** CPU time in user mode, in microseconds.
 * Returns: the number; 0 for NULL. */
uint64_t memoom_outcome_user_usec(const memoom_outcome *outcome);

/** CPU time in the kernel, in microseconds.
 * Returns: the number; 0 for NULL. */
uint64_t memoom_outcome_system_usec(const memoom_outcome *outcome);

/** The most memory that was ever resident, in bytes.
 * Returns: the number; 0 for NULL. */
uint64_t memoom_outcome_max_rss_bytes(const memoom_outcome *outcome);

/** The most that was charged to the group of a run (memoom_run, memoom_run_function) until its command ended, in
 * bytes: memory.max_usage_in_bytes (v1), memory.peak (v2, from about 5.19).
 * Returns: the number; MEMOOM_UNKNOWN where the kernel keeps none, for a worker of a lab, whose group may have had
 * others in it, and for NULL. */
uint64_t memoom_outcome_peak_bytes(const memoom_outcome *outcome);

/** When the worker was ready, in nanoseconds of CLOCK_MONOTONIC.
 * Returns: the number; 0 for NULL. */
uint64_t memoom_outcome_started_ns(const memoom_outcome *outcome);

/** When its end was reaped, in nanoseconds of CLOCK_MONOTONIC.
 * Returns: the number; 0 for NULL. */
uint64_t memoom_outcome_ended_ns(const memoom_outcome *outcome);

/** The outcome as a person reads it: a sentence, what each source says, what is missing, and the accounts of its
 * OOMs.
 * Returns: the text, lines that end in newlines; NULL for NULL. */
const char *memoom_outcome_to_text(const memoom_outcome *outcome);

/** The outcome as one JSON document ("memoom.outcome/1").
 * Returns: the document; NULL for NULL. */
const char *memoom_outcome_to_json(const memoom_outcome *outcome);

/** Frees an outcome. */
void memoom_outcome_free(memoom_outcome *outcome);

/** How often the run was held at its limit.
 * Returns: the number; 0 where it never met it or was not to be held, and for NULL. */
size_t memoom_outcome_at_limit_count(const memoom_outcome *outcome);

/** One of these times, in their order.
 * \param index  from 0 to memoom_outcome_at_limit_count - 1
 * Returns: what was seen and done; NULL beyond the end, and for NULL. */
const memoom_at_limit *memoom_outcome_at_limit_at(const memoom_outcome *outcome, size_t index);

/** The outcome in a few plain sentences: how it ended, and why.
 * Returns: the sentences; NULL for NULL. */
const char *memoom_outcome_summary(const memoom_outcome *outcome);

/** How many findings the outcome has of its own; those of an OOM stand in its account.
 * Returns: the number; 0 for NULL. */
size_t memoom_outcome_finding_count(const memoom_outcome *outcome);

/** One of the findings.
 * \param index  from 0 to memoom_outcome_finding_count - 1
 * Returns: the finding; NULL beyond the end, and for NULL. */
const memoom_finding *memoom_outcome_finding_at(const memoom_outcome *outcome, size_t index);

/** The outcome in 15 lines at most, each ending in a newline.
 * Returns: the text; NULL for NULL. */
const char *memoom_outcome_to_short_text(const memoom_outcome *outcome);

/** How many OOMs of its group killed others and not the worker: it went on after them.
 * Returns: the number; 0 for NULL. */
uint64_t memoom_outcome_ooms_inside(const memoom_outcome *outcome);

/** What held a command whose verdict is MEMOOM_VERDICT_THROTTLED.
 * Returns: the numbers; NULL where memory.high did not hold it, and for NULL. */
const memoom_throttled *memoom_outcome_throttled(const memoom_outcome *outcome);

/** How many kernel functions the stack of the throttled process has.
 * Returns: the number; 0 where none could be read, and for NULL. */
size_t memoom_outcome_throttled_frame_count(const memoom_outcome *outcome);

/** One of the kernel functions on the stack of the throttled process, innermost first.
 * \param index  from 0 to memoom_outcome_throttled_frame_count - 1
 * Returns: the function; NULL beyond the end, and for NULL. */
const memoom_frame *memoom_outcome_throttled_frame_at(const memoom_outcome *outcome, size_t index);

/** Who sent the signal that ended the worker.
 * Returns: who it was, with "unknown" and the reason where nobody can tell; NULL where the worker ended by itself,
 * and for NULL.
 * Needs: a tracefs instance (root) to name other processes; without it what memoom has killed and OOM kills are
 * known. */
const memoom_killed_by *memoom_outcome_killed_by(const memoom_outcome *outcome);
/** For __attribute__((cleanup(memoom_outcome_freep))): frees what the variable holds. */
static inline void memoom_outcome_freep(memoom_outcome **object) { memoom_outcome_free(*object); }

/** Names who killed what memoom did not watch, from what is still there: the kernel log, the counters of the group
 * and of those above it and, for a unit, what systemctl(1) tells, which is run for that.
 * \param subject  one of the MEMOOM_SUBJECT_ numbers
 * \param name  which one; NULL for MEMOOM_SUBJECT_LAST
 * \param ret_postmortem  where the answer goes
 * Returns: MEMOOM_OK, also where nobody can be named (that is an answer, with the reason); MEMOOM_ERR_INVALID_INPUT
 * for an unknown subject, a name that is missing, empty or no pid, one that several have, and a directory that is
 * no group; MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_PERMISSION_DENIED or MEMOOM_ERR_IO for the directory of a group.
 * Needs: a readable kernel log (/dev/kmsg) or the group; what cannot be read is named in the answer. */
MEMOOM_MUST_USE memoom_status memoom_postmortem_of(memoom_subject subject, const char *name,
    memoom_postmortem **ret_postmortem, memoom_error **reterr_error);

/** The same with the record of a watch, or with another log: then the process, the unit or the group may be long
 * gone.
 * \param subject  one of the MEMOOM_SUBJECT_ numbers
 * \param name  which one; NULL for MEMOOM_SUBJECT_LAST
 * \param options  where else to look; NULL for MEMOOM_POSTMORTEM_OPTIONS_INIT
 * \param ret_postmortem  where the answer goes
 * Returns: as memoom_postmortem_of; also MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_PERMISSION_DENIED or MEMOOM_ERR_IO for a
 * record or a log that cannot be read. */
MEMOOM_MUST_USE memoom_status memoom_postmortem_with(memoom_subject subject, const char *name,
    const memoom_postmortem_options *options, memoom_postmortem **ret_postmortem, memoom_error **reterr_error);

/** Who it was.
 * Returns: who it was, with "unknown" and the reason where nobody can be named; NULL for NULL. */
const memoom_killed_by *memoom_postmortem_killed_by(const memoom_postmortem *postmortem);

/** Who was killed.
 * Returns: the pid; 0 where no source names it, and for NULL. */
int32_t memoom_postmortem_victim_pid(const memoom_postmortem *postmortem);

/** The group whose limit was hit, by the kernel's log.
 * Returns: the group, as the kernel writes its path; NULL where no source tells, for an OOM of the whole machine,
 * and for NULL. */
const char *memoom_postmortem_limit_group(const memoom_postmortem *postmortem);

/** The answer as a person reads it, with the evidence.
 * Returns: the text; NULL for NULL. */
const char *memoom_postmortem_to_text(const memoom_postmortem *postmortem);

/** The same with what the kernel reported.
 * Returns: the text; NULL for NULL. */
const char *memoom_postmortem_to_full_text(const memoom_postmortem *postmortem);

/** The answer as one JSON document ("memoom.postmortem/1").
 * Returns: the document; NULL for NULL. */
const char *memoom_postmortem_to_json(const memoom_postmortem *postmortem);

/** Frees an answer. */
void memoom_postmortem_free(memoom_postmortem *postmortem);
/** For __attribute__((cleanup(memoom_postmortem_freep))): frees what the variable holds. */
static inline void memoom_postmortem_freep(memoom_postmortem **object) { memoom_postmortem_free(*object); }

/* ========================================================================================================
 * Timeline
 *
 * Every event of a lab, in order; recorded, it can be replayed.
 * ======================================================================================================== */

/** Every event of a lab up to one moment, ordered by time. */
typedef struct memoom_timeline memoom_timeline;

/** Accounts, in the order in which they were complete. */
typedef struct memoom_oom_list memoom_oom_list;

/** How many events there are.
 * Returns: the number; 0 for NULL. */
size_t memoom_timeline_event_count(const memoom_timeline *timeline);

/** How many earlier events were forgotten: a lab keeps the last memoom_lab_options.keep_events.
 * Returns: the number; 0 for NULL. */
uint64_t memoom_timeline_forgotten_events(const memoom_timeline *timeline);

/** How many earlier accounts were forgotten: a lab keeps the last memoom_lab_options.keep_ooms.
 * Returns: the number; 0 for NULL. */
uint64_t memoom_timeline_forgotten_ooms(const memoom_timeline *timeline);

/** One of the events, in the order of time.
 * \param index  from 0 to memoom_timeline_event_count - 1
 * Returns: the event; NULL beyond the end, and for NULL. */
const memoom_event *memoom_timeline_event_at(const memoom_timeline *timeline, size_t index);

/** The timeline as a person reads it, one line for each event: milliseconds since the first one, the usage of its
 * group, who said it, and what happened.
 * \param full  0 leaves out samples of the usage, lines of the kernel log, announcements of steps, and ticks
 * Returns: the text, lines that end in newlines; NULL for NULL. */
const char *memoom_timeline_to_text(const memoom_timeline *timeline, uint32_t full);

/** The timeline as one JSON document ("memoom.timeline/1").
 * Returns: the document; NULL for NULL. */
const char *memoom_timeline_to_json(const memoom_timeline *timeline);

/** Frees a timeline. */
void memoom_timeline_free(memoom_timeline *timeline);
/** For __attribute__((cleanup(memoom_timeline_freep))): frees what the variable holds. */
static inline void memoom_timeline_freep(memoom_timeline **object) { memoom_timeline_free(*object); }

/** Everything that happened in a lab so far; also of a lab that was closed. */
MEMOOM_MUST_USE memoom_status memoom_lab_timeline(const memoom_lab *lab, memoom_timeline **ret_timeline,
    memoom_error **reterr_error);

/** How many accounts there are.
 * Returns: the number; 0 for NULL. */
size_t memoom_oom_list_count(const memoom_oom_list *list);

/** One of the accounts.
 * \param index  from 0 to memoom_oom_list_count - 1
 * Returns: the account; NULL beyond the end, and for NULL. */
const memoom_oom *memoom_oom_list_at(const memoom_oom_list *list, size_t index);

/** Frees a list. */
void memoom_oom_list_free(memoom_oom_list *list);
/** For __attribute__((cleanup(memoom_oom_list_freep))): frees what the variable holds. */
static inline void memoom_oom_list_freep(memoom_oom_list **object) { memoom_oom_list_free(*object); }

/** Makes the accounts again that a recording led to (memoom_lab_options.record, memoom_group_record, memoom run
 * --record): on any machine, and without any right. An account says the same as it did then; where another version
 * of memoom made the recording, it says what this one concludes from it.
 * \param path  the recording
 * \param ret_list  where the list of the accounts goes
 * Returns: MEMOOM_ERR_NOT_FOUND where there is no such file; MEMOOM_ERR_INVALID_INPUT for NULL, and where it is no
 * recording or a line of it is damaged (its number is named; a last line that was broken off is left out);
 * MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_IO. */
MEMOOM_MUST_USE memoom_status memoom_replay(const char *path, memoom_oom_list **ret_list, memoom_error **reterr_error);

/* ========================================================================================================
 * Report
 *
 * The kernel's own text of OOMs, parsed from any log.
 * ======================================================================================================== */

/** What a group belongs to, as the names in its path tell: a container, a pod, a batch job, a virtual machine, a
 * systemd unit, a login session, or the whole machine. */
typedef struct memoom_workload memoom_workload;

/** The reports of a log. */
typedef struct memoom_report_list memoom_report_list;

/** A log that is read piece by piece: a file to its end, a pipe or /dev/kmsg for as long as somebody asks.
 *
 * Memory is bounded by a window of some MiB and by the largest report, however long the log is. What
 * memoom_report_parse takes it takes too, but nothing that is packed: give it the pipe of zcat(1).
 * Thread safety: calls may come from any thread, except memoom_report_reader_free; a call that waits makes other
 * calls on the same reader wait too. A forked child has the same descriptor, so that what one of the two reads the
 * other does not. */
typedef struct memoom_report_reader memoom_report_reader;
/** Whose memory was out. */
typedef uint32_t memoom_scope;
#define MEMOOM_SCOPE_UNKNOWN 0 /**< The report does not tell. */
#define MEMOOM_SCOPE_MEMCG 1 /**< A memory cgroup hit its limit. */
#define MEMOOM_SCOPE_GLOBAL 2 /**< The machine ran out of memory. */

/** A process that the kernel killed, from its "Killed process" line. What the line lacks is MEMOOM_UNKNOWN. */
typedef struct memoom_kill {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name (comm), escaped. */
    const char *comm;
    /** Address space in bytes. */
    uint64_t total_vm_bytes;
    /** Resident anonymous memory in bytes. */
    uint64_t anon_rss_bytes;
    /** Resident file pages in bytes. */
    uint64_t file_rss_bytes;
    /** Resident shared memory in bytes. */
    uint64_t shmem_rss_bytes;
    /** Page tables in bytes. */
    uint64_t pgtables_bytes;
    /** Its user id. */
    uint64_t uid;
    /** Its pid, in the initial pid namespace. */
    int32_t pid;
    /** Its oom_score_adj; MEMOOM_SCORE_UNKNOWN where the line lacks it. */
    int32_t oom_score_adj;
} memoom_kill;

/** One row of the task table. Which columns there are depends on the kernel; what it lacks is MEMOOM_UNKNOWN. */
typedef struct memoom_task {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** The name of the thread (comm), escaped. */
    const char *comm;
    /** The user id. */
    uint64_t uid;
    /** Address space, in pages. */
    uint64_t total_vm_pages;
    /** Resident memory, in pages. */
    uint64_t rss_pages;
    /** Its anonymous part, in pages (since 6.8). */
    uint64_t rss_anon_pages;
    /** Its file part, in pages (since 6.8). */
    uint64_t rss_file_pages;
    /** Its shared part, in pages (since 6.8). */
    uint64_t rss_shmem_pages;
    /** Page tables, in bytes (since 4.15). */
    uint64_t pgtables_bytes;
    /** Swapped out, in pages. */
    uint64_t swapents_pages;
    /** The id of a thread that holds the process's memory. */
    int32_t pid;
    /** The process id; 0 where the row lacks it. */
    int32_t tgid;
    /** Its oom_score_adj; MEMOOM_SCORE_UNKNOWN where the row lacks it. */
    int32_t oom_score_adj;
    /** 0. */
    uint32_t reserved;
} memoom_task;

/** Something that held memory at the OOM: a process, or a kind of memory that no process holds. */
typedef struct memoom_consumer {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** "process"; or what no process holds: "shared-memory" (tmpfs, memfd), "page-cache", "slab",
     * "reclaimable-slab", "kernel-stacks", "page-tables", "sockets", "percpu", "vmalloc", "huge-pages", "kernel"
     * (where the kernel does not tell its parts), "untold" (what no number of the report explains). */
    const char *what;
    /** The name of the process (comm), escaped; NULL where it is none. */
    const char *comm;
    /** Bytes held. */
    uint64_t bytes;
    /** Bytes of it that are swapped out, not in bytes; MEMOOM_UNKNOWN where the report lacks them. */
    uint64_t swap_bytes;
    /** Its part in hundredths of the group's usage, or of the machine's memory; MEMOOM_UNKNOWN where that is not
     * known. */
    uint64_t percent;
    /** The pid of the process; 0 where it is none. */
    int32_t pid;
    /** 1 where the kernel killed it, else 0. */
    uint32_t killed;
} memoom_consumer;

/** The machine's memory at a global OOM, from "Mem-Info:". What the kernel does not print is MEMOOM_UNKNOWN. */
typedef struct memoom_mem_info {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** The size of a page, from the free lists. */
    uint64_t page_bytes;
    /** The memory that the kernel has to give: RAM without what is reserved. */
    uint64_t total_bytes;
    /** "total pagecache pages", shmem and buffers among them. */
    uint64_t page_cache_pages;
    /** Pages in the swap cache. */
    uint64_t swap_cache_pages;
    /** Swap in all. */
    uint64_t swap_total_bytes;
    /** Swap that is free. */
    uint64_t swap_free_bytes;
    /** Pages of RAM. */
    uint64_t ram_pages;
    /** Pages in HighMem or Movable zones. */
    uint64_t highmem_pages;
    /** Pages that are reserved: the kernel's image, firmware, crash kernel. */
    uint64_t reserved_pages;
    /** Pages of the contiguous memory allocator. */
    uint64_t cma_reserved_pages;
    /** Pages of broken memory. */
    uint64_t hwpoisoned_pages;
} memoom_mem_info;

/** A zone of a memory node. What the kernel does not print is MEMOOM_UNKNOWN. */
typedef struct memoom_zone {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name: "DMA", "DMA32", "Normal", "HighMem", "Movable", "Device". */
    const char *name;
    /** Bytes that are free. */
    uint64_t free_bytes;
    /** What is added to the watermarks for a while, against fragmentation (since 5.12). */
    uint64_t boost_bytes;
    /** Below this only who frees memory gets some. */
    uint64_t min_bytes;
    /** Below this kswapd wakes. */
    uint64_t low_bytes;
    /** Above this kswapd sleeps. */
    uint64_t high_bytes;
    /** Bytes of memory that are there. */
    uint64_t present_bytes;
    /** Bytes that the page allocator has to give. */
    uint64_t managed_bytes;
    /** Free bytes of the contiguous memory allocator, which only movable allocations may take. */
    uint64_t free_cma_bytes;
    /** The memory node it belongs to. */
    uint32_t node;
    /** 0. */
    uint32_t reserved;
} memoom_zone;

/** The free blocks of one size in a zone. */
typedef struct memoom_free_blocks {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** The name of the zone. */
    const char *zone;
    /** The kinds of memory among them, as printed: U unmovable, M movable, E reclaimable, H high atomic, C CMA, I
     * isolated; NULL where the kernel does not print them. */
    const char *types;
    /** The size of a block. */
    uint64_t bytes;
    /** How many there are. */
    uint64_t count;
    /** A block is 2^order pages. */
    uint32_t order;
    /** The memory node of the zone. */
    uint32_t node;
} memoom_free_blocks;

/** The huge pages of one size on a memory node. */
typedef struct memoom_huge_pages {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** The size of one. */
    uint64_t size_bytes;
    /** How many are set aside. */
    uint64_t total;
    /** How many of them nobody uses. */
    uint64_t free;
    /** How many are there beyond what was set aside. */
    uint64_t surplus;
    /** The memory node. */
    uint32_t node;
    /** 0. */
    uint32_t reserved;
} memoom_huge_pages;

/** A cache of kernel objects that reclaim cannot empty. */
typedef struct memoom_slab {
    /** Bytes of this struct that the library has filled. */
    size_t struct_size;
    /** Its name, as in /proc/slabinfo. */
    const char *name;
    /** Bytes of its objects that are in use. */
    uint64_t used_bytes;
    /** Bytes of its slabs. */
    uint64_t total_bytes;
} memoom_slab;

/** Tells what is behind the path of a group, as far as its names do. Nothing of the machine is asked, so a path out
 * of the log of another one will do.
 * \param path  the path from the top of the hierarchy, as the kernel or an account writes it
 * \param ret_workload  where the workload goes; NULL goes there where the names tell nothing
 * Returns: MEMOOM_OK, also where the names tell nothing. */
MEMOOM_MUST_USE memoom_status memoom_workload_of(const char *path, memoom_workload **ret_workload,
    memoom_error **reterr_error);

/** What it is: "container", "pod", "pods" (all of a node, or of one quality of service), "job", "virtual-machine",
 * "service", "scope", "session", "user", "slice", "lab" (of memoom's) or "machine" (all that runs).
 * Returns: the name; NULL for NULL. */
const char *memoom_workload_kind(const memoom_workload *workload);

/** All of it as a phrase, such as "the containerd container 3f5e0a1b2c3d of the burstable pod 1234-...".
 * Returns: the phrase; NULL for NULL. */
const char *memoom_workload_words(const memoom_workload *workload);

/** A command that shows more of it, on the machine itself.
 * Returns: the command; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_ask(const memoom_workload *workload);

/** What made it: "Kubernetes" for a pod; "containerd", "Docker", "CRI-O", "Podman", "LXC", "Slurm", ...
 * Returns: the name; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_runtime(const memoom_workload *workload);

/** The systemd unit, a service or scope, as systemctl(1) takes it.
 * Returns: the unit; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_unit(const memoom_workload *workload);

/** The innermost systemd slice, as systemctl(1) takes it.
 * Returns: the slice; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_slice(const memoom_workload *workload);

/** The id of the container, as much of it as the path has.
 * Returns: the id; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_container_id(const memoom_workload *workload);

/** The uid of the Kubernetes pod.
 * Returns: the uid; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_pod_uid(const memoom_workload *workload);

/** The quality of service of the pods: "guaranteed", "burstable" or "besteffort".
 * Returns: the name; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_qos(const memoom_workload *workload);

/** The name of a container, virtual machine or application that has one in its path.
 * Returns: the name; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_name(const memoom_workload *workload);

/** The id of the batch job, or of the task of an orchestrator.
 * Returns: the id; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_job(const memoom_workload *workload);

/** The step of the batch job.
 * Returns: the step; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_step(const memoom_workload *workload);

/** The number of the login session.
 * Returns: the number; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_session(const memoom_workload *workload);

/** What the path has below it.
 * Returns: the path; NULL where the path does not tell, and for NULL. */
const char *memoom_workload_below(const memoom_workload *workload);

/** The user whose it is.
 * Returns: the user id; MEMOOM_UNKNOWN where the path does not tell, and for NULL. */
uint64_t memoom_workload_user(const memoom_workload *workload);

/** Frees a workload that memoom_workload_of gave. One that a report or an account lends goes with that. */
void memoom_workload_free(memoom_workload *workload);
/** For __attribute__((cleanup(memoom_workload_freep))): frees what the variable holds. */
static inline void memoom_workload_freep(memoom_workload **object) { memoom_workload_free(*object); }

/** How many reports there are.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_list_count(const memoom_report_list *list);

/** One of the reports, in the order of their first lines.
 * \param index  from 0 to memoom_report_list_count - 1
 * Returns: the report; NULL beyond the end, and for NULL. */
const memoom_report *memoom_report_list_at(const memoom_report_list *list, size_t index);

/** All reports as one JSON document ("memoom.reports/1").
 * Returns: the document; NULL for NULL. */
const char *memoom_report_list_to_json(const memoom_report_list *list);

/** Frees a list. */
void memoom_report_list_free(memoom_report_list *list);
/** For __attribute__((cleanup(memoom_report_list_freep))): frees what the variable holds. */
static inline void memoom_report_list_freep(memoom_report_list **object) { memoom_report_list_free(*object); }

/** Opens a log by its path.
 * \param path  a file, a named pipe, or a device such as /dev/kmsg
 * Returns: MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_IO as open(2). */
MEMOOM_MUST_USE memoom_status memoom_report_reader_open(const char *path, memoom_report_reader **ret_reader,
    memoom_error **reterr_error);

/** Reads a log from a descriptor: a pipe, a socket, a terminal, or an open file from where it stands.
 * \param fd  an open descriptor, which is copied: it stays the caller's, and may be closed at once
 * Returns: MEMOOM_ERR_IO where the descriptor is not open, or no more can be had. */
MEMOOM_MUST_USE memoom_status memoom_report_reader_open_fd(int32_t fd, memoom_report_reader **ret_reader,
    memoom_error **reterr_error);

/** The descriptor that is read, for poll(2): readable where more of the log is there.
 *
 * A report of a pipe or device is whole when for half a second nothing has come: call memoom_report_reader_next
 * then too.
 * Returns: the descriptor; -1 for NULL. */
int32_t memoom_report_reader_fd(const memoom_report_reader *reader);

/** The next report, in the order of the log.
 * \param timeout_ns  how long to read and wait, 0 to look only, or MEMOOM_FOREVER
 * \param ret_report  where the report goes; NULL goes there at the end of the log, and where none was whole in time
 * (memoom_report_reader_ended tells which)
 * Returns: MEMOOM_OK, also where none came; MEMOOM_ERR_INVALID_INPUT for NULL, and for what is no log: it is
 * packed, or a line of it is longer than 64 MiB; MEMOOM_ERR_PANIC. After an error the log has ended.
 * Ownership: free the report with memoom_report_free; the reader may go before.
 * Thread safety: any thread; see memoom_report_reader. */
MEMOOM_MUST_USE memoom_status memoom_report_reader_next(const memoom_report_reader *reader, uint64_t timeout_ns,
    memoom_report **ret_report, memoom_error **reterr_error);

/** Whether the log has ended and all its reports were given.
 * Returns: 1 or 0; 1 for NULL.
 * Thread safety: any thread; see memoom_report_reader. */
uint32_t memoom_report_reader_ended(const memoom_report_reader *reader);

/** Where no report was found: how many lines look like a part of one.
 * Returns: the number; 0 where there were reports, and for NULL.
 * Thread safety: any thread; see memoom_report_reader. */
uint64_t memoom_report_reader_lookalike_count(const memoom_report_reader *reader);

/** Closes and frees a reader.
 * Ownership: takes the reader; the reports that it gave stay. */
void memoom_report_reader_free(memoom_report_reader *reader);
/** For __attribute__((cleanup(memoom_report_reader_freep))): frees what the variable holds. */
static inline void memoom_report_reader_freep(memoom_report_reader **object) { memoom_report_reader_free(*object); }

/** Reads every OOM report of a saved kernel log: raw /dev/kmsg records, or the text that dmesg, journalctl, syslog
 * or a console made of them, of any kernel from 3.10 on.
 *
 * Lines that are no part of a report are passed over; a log without any gives an empty list.
 * \param bytes  the log; may be NULL where length is 0
 * \param length  its length in bytes
 * Ownership: free the list with memoom_report_list_free; the log may go before. */
MEMOOM_MUST_USE memoom_status memoom_report_parse(const void *bytes, size_t length, memoom_report_list **ret_list,
    memoom_error **reterr_error);

/** The release of the kernel that printed it.
 * Returns: the text; NULL where the report lacks it, and for NULL. */
const char *memoom_report_release(const memoom_report *report);

/** What confined the allocation, such as "CONSTRAINT_MEMCG".
 * Returns: the text; NULL where the report lacks it, and for NULL. */
const char *memoom_report_constraint(const memoom_report *report);

/** The group whose limit was hit, escaped.
 * Returns: the text; NULL where the report lacks it, and for NULL. */
const char *memoom_report_oom_memcg(const memoom_report *report);

/** The victim's group, escaped.
 * Returns: the text; NULL where the report lacks it, and for NULL. */
const char *memoom_report_task_memcg(const memoom_report *report);

/** The name of the task whose allocation failed, escaped.
 * Returns: the text; NULL where the report lacks it, and for NULL. */
const char *memoom_report_invoker_comm(const memoom_report *report);

/** The name of the task that was chosen, escaped.
 * Returns: the text; NULL where the report lacks it, and for NULL. */
const char *memoom_report_chosen_comm(const memoom_report *report);

/** The group that was killed as a whole (memory.oom.group), escaped.
 * Returns: the text; NULL where the report lacks it, and for NULL. */
const char *memoom_report_group_kill(const memoom_report *report);

/** The task whose allocation failed.
 * Returns: its thread id in the initial pid namespace; 0 where the report lacks it, and for NULL. */
int32_t memoom_report_invoker_pid(const memoom_report *report);

/** The task that was chosen.
 * Returns: its thread id in the initial pid namespace; 0 where the report lacks it, and for NULL. */
int32_t memoom_report_chosen_pid(const memoom_report *report);

/** Bytes charged to the group whose limit was hit.
 * Returns: the bytes; MEMOOM_UNKNOWN where the report lacks them, and for NULL. */
uint64_t memoom_report_usage_bytes(const memoom_report *report);

/** The limit that was hit.
 * Returns: the bytes; MEMOOM_UNLIMITED where there is none; MEMOOM_UNKNOWN where the report lacks it, and for NULL. */
uint64_t memoom_report_limit_bytes(const memoom_report *report);

/** Whether the kernel found nobody to kill.
 * Returns: 1 or 0; 0 for NULL. */
uint32_t memoom_report_no_killable(const memoom_report *report);

/** How many processes were killed.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_kill_count(const memoom_report *report);

/** One of the processes that were killed, in the order printed.
 * \param index  from 0 to memoom_report_kill_count - 1
 * Returns: the process; NULL beyond the end, and for NULL. */
const memoom_kill *memoom_report_kill_at(const memoom_report *report, size_t index);

/** How many parts are not in this report.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_missing_count(const memoom_report *report);

/** One part that is not in this report.
 * \param index  from 0 to memoom_report_missing_count - 1
 * Returns: the part, and why; NULL beyond the end, and for NULL. */
const memoom_missing *memoom_report_missing_at(const memoom_report *report, size_t index);

/** The kernel's lines, joined by newlines, control characters escaped as in /dev/kmsg.
 * Returns: the lines; NULL for NULL. */
const char *memoom_report_lines(const memoom_report *report);

/** The report as a person reads it, with all that it holds but the kernel's own lines (memoom_report_lines).
 * Returns: the text, lines that end in newlines; NULL for NULL. */
const char *memoom_report_to_text(const memoom_report *report);

/** The report as one JSON document ("memoom.report/1").
 * Returns: the document; NULL for NULL. */
const char *memoom_report_to_json(const memoom_report *report);

/** The machine's memory, where the machine ran out of it.
 * Returns: the overview; NULL where the report has no Mem-Info, and for NULL. */
const memoom_mem_info *memoom_report_mem_info(const memoom_report *report);

/** A number of Mem-Info by the kernel's own name.
 * \param node  the memory node; -1 for the overview of the machine, which counts in pages
 * \param zone  the zone of the node, such as "Normal"; NULL for the node itself
 * \param key  the name: "active_anon", "shmem", "slab_unreclaimable", "kernel_stack", ...
 * Returns: the number, in bytes where the kernel prints kB; MEMOOM_UNKNOWN where the report lacks it, and for NULL. */
uint64_t memoom_report_mem_stat(const memoom_report *report, int32_t node, const char *zone, const char *key);

/** A number of the statistics of the group whose limit was hit, by the kernel's own name.
 * \param key  the name: "anon", "file", "shmem", "slab_unreclaimable", "pgfault", ...
 * Returns: the number, in the unit of memory.stat; MEMOOM_UNKNOWN where the report lacks it, and for NULL. */
uint64_t memoom_report_stat(const memoom_report *report, const char *key);

/** How many zones the report has.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_zone_count(const memoom_report *report);

/** One of the zones, node by node, the lowest first.
 * \param index  from 0 to memoom_report_zone_count - 1
 * Returns: the zone; NULL beyond the end, and for NULL. */
const memoom_zone *memoom_report_zone_at(const memoom_report *report, size_t index);

/** How many sizes of huge pages the report has, over all memory nodes.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_huge_pages_count(const memoom_report *report);

/** The huge pages of one size.
 * \param index  from 0 to memoom_report_huge_pages_count - 1
 * Returns: the huge pages; NULL beyond the end, and for NULL. */
const memoom_huge_pages *memoom_report_huge_pages_at(const memoom_report *report, size_t index);

/** How many caches of kernel objects the report names.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_slab_count(const memoom_report *report);

/** One of the caches that reclaim cannot empty, in the order printed.
 * \param index  from 0 to memoom_report_slab_count - 1
 * Returns: the cache; NULL beyond the end, and for NULL. */
const memoom_slab *memoom_report_slab_at(const memoom_report *report, size_t index);

/** The page of the machine that wrote the log.
 * Returns: its size in bytes; MEMOOM_UNKNOWN where the report does not tell, and for NULL. */
uint64_t memoom_report_page_bytes(const memoom_report *report);

/** How many rows the task table has; none with vm.oom_dump_tasks 0.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_task_count(const memoom_report *report);

/** One row of the task table, in the order printed.
 * \param index  from 0 to memoom_report_task_count - 1
 * Returns: the row; NULL beyond the end, and for NULL. */
const memoom_task *memoom_report_task_at(const memoom_report *report, size_t index);

/** Whose memory was out.
 * Returns: one of the MEMOOM_SCOPE_ numbers; MEMOOM_SCOPE_UNKNOWN where the report does not tell, and for NULL. */
memoom_scope memoom_report_scope(const memoom_report *report);

/** When it was, by the kernel's own clock: microseconds since boot at the first line.
 * Returns: the time; MEMOOM_UNKNOWN where the log lacks it, and for NULL. */
uint64_t memoom_report_time_usec(const memoom_report *report);

/** The answer in two or three plain sentences: what ran out and why, who held it, why this one was killed.
 * Returns: the sentences; NULL where the report holds too little for them, and for NULL. */
const char *memoom_report_summary(const memoom_report *report);

/** How many findings the report has: why memory ran out, and what can be done.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_finding_count(const memoom_report *report);

/** One of the findings, the most telling first.
 * \param index  from 0 to memoom_report_finding_count - 1
 * Returns: the finding; NULL beyond the end, and for NULL. */
const memoom_finding *memoom_report_finding_at(const memoom_report *report, size_t index);

/** How many consumers the report names: the largest processes, and each kind of memory that no process holds.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_consumer_count(const memoom_report *report);

/** One of those that held the memory, the largest first.
 * \param index  from 0 to memoom_report_consumer_count - 1
 * Returns: the consumer; NULL beyond the end, and for NULL. */
const memoom_consumer *memoom_report_consumer_at(const memoom_report *report, size_t index);

/** What is behind the path of the group whose limit was hit: a pod, a container, a job, a unit.
 * Returns: the workload; NULL where the path does not tell, and for NULL. */
const memoom_workload *memoom_report_workload(const memoom_report *report);

/** What is behind the path of the victim's group.
 * Returns: the workload; NULL where the path does not tell, and for NULL. */
const memoom_workload *memoom_report_victim_workload(const memoom_report *report);

/** Frees a report that memoom_report_reader_next gave. One that a list or an account lends goes with that. */
void memoom_report_free(memoom_report *report);

/** How many sizes of free blocks the report has, over all zones.
 * Returns: the number; 0 for NULL. */
size_t memoom_report_free_blocks_count(const memoom_report *report);

/** The free blocks of one size: zone by zone, the smallest first.
 * \param index  from 0 to memoom_report_free_blocks_count - 1
 * Returns: the blocks; NULL beyond the end, and for NULL. */
const memoom_free_blocks *memoom_report_free_blocks_at(const memoom_report *report, size_t index);
/** For __attribute__((cleanup(memoom_report_freep))): frees what the variable holds. */
static inline void memoom_report_freep(memoom_report **object) { memoom_report_free(*object); }

/* ========================================================================================================
 * Library
 *
 * Which library is running.
 * ======================================================================================================== */
#define MEMOOM_VERSION_MAJOR 0 /**< The major version of the library that this header belongs to. */
#define MEMOOM_VERSION_MINOR 1 /**< The minor version of the library that this header belongs to. */
#define MEMOOM_VERSION_PATCH 0 /**< The patch version of the library that this header belongs to. */

/** The version of the library that is running, such as "0.1.0".
 *
 * Compare with MEMOOM_VERSION_STRING, the version of the header the program was compiled with.
 * Returns: the version.
 * Ownership: static; never freed. */
const char *memoom_version(void);

/** The version of the library that is running as one number: major * 65536 + minor * 256 + patch.
 *
 * Compare with MEMOOM_VERSION_NUMBER.
 * Returns: the number. */
uint32_t memoom_version_number(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MEMOOM_H */

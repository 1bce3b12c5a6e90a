//! Signals that end processes: which are listened to, and what the tracepoints say of one.
//!
//! `signal/signal_generate` fires in the sender, so its own context names who sent; `signal/signal_deliver` fires in the
//! thread that takes the signal. Faults and timers, which some programs handle by the thousand, are listened to only where
//! a process sends what looks like one, or where they are delivered and have no handler (`sa_handler` 0), so that they do not
//! push the rest out of the buffer. SIGCHLD is the word of a process to its parent that a signal has ended it.

use super::callpath::{base_name, Frame};

/// By default these end a process, and few programs take one often: each one that is sent is told.
const SENT: [i32; 13] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGABRT,
    libc::SIGALRM,
    libc::SIGKILL,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGPIPE,
    libc::SIGTERM,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGSYS,
];
/// Faults, and what debuggers take: told where a process sent one, or the kernel forced one that is no fault of an address
/// (`SI_KERNEL`), as after an execution that failed.
const FAULTS: [i32; 4] = [libc::SIGILL, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV];
/// What timers and queues send by the thousand: told where a process sent one by a call.
const TIMERS: [i32; 6] = [libc::SIGTRAP, libc::SIGSTKFLT, libc::SIGVTALRM, libc::SIGPROF, libc::SIGPOLL, libc::SIGPWR];
/// The first of the signals without a name of their own.
const REALTIME: i32 = 34;
/// `si_code` of the word to a parent that its child was killed by a signal, without a core and with one.
const CLD_KILLED: i32 = 2;
const CLD_DUMPED: i32 = 3;
/// Those that leave a core: the kernel delivers them as they are. Every other fatal signal becomes a SIGKILL for each
/// thread before it is delivered (`complete_signal`), and so is known by its sender alone.
const CORES: [i32; 10] = [
    libc::SIGQUIT,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGSYS,
];
/// `si_code` of a signal from the kernel itself, and of one without any sender's word (include/uapi/asm-generic/siginfo.h).
const SI_KERNEL: i32 = 128;
const SI_USER: i32 = 0;
/// `si_code` of a timer, which goes off in the context of whoever is on the CPU.
const SI_TIMER: i32 = -2;

/// The filter of the sender's event. Result 0 is a signal that was queued: not one that was ignored, was pending already,
/// or came to a process in its exit. So of several SIGKILL only the one that counts is told. The word to a parent is told
/// whatever becomes of it: most ignore it.
pub(super) fn generated() -> String {
    let (sent, faults, timers) = (any(&SENT), any(&FAULTS), any(&TIMERS));
    let called = "(code==0||code==-1||code==-6)";
    format!(
        "(result==0&&({sent}||(({faults})&&(code<=0||code=={SI_KERNEL}))||(({timers}||sig>={REALTIME})&&{called})))||\
         (sig=={}&&(code=={CLD_KILLED}||code=={CLD_DUMPED}))",
        libc::SIGCHLD
    )
}

/// The filter of the taker's event: no handler, so that it ends the process.
pub(super) fn delivered() -> String {
    format!("({})&&sa_handler==0", any(&CORES))
}

fn any(signals: &[i32]) -> String {
    let any: Vec<String> = signals.iter().map(|signal| format!("sig=={signal}")).collect();
    any.join("||")
}

/// Whether whoever sends this signal is told, be it a timer of the kernel's.
pub(crate) fn is_sent(signal: i32) -> bool {
    SENT.contains(&signal) || FAULTS.contains(&signal)
}

/// One `signal/signal_generate` event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signal {
    /// When, in CLOCK_MONOTONIC; the kernel prints microseconds.
    pub(crate) time_ns: u64,
    /// The thread that sent it, or in whose context the kernel did.
    pub(crate) sender: i32,
    /// Its process, where the event names it.
    pub(crate) sender_process: Option<i32>,
    /// Its name, where the machine's tracing has recorded it.
    pub(crate) sender_comm: Option<Vec<u8>>,
    /// The number of the group in which it stood, in the hierarchy that has `perf_event`, where the kernel tells.
    pub(crate) sender_group: Option<u64>,
    /// Its name and user at that very moment, where they were asked for then.
    pub(crate) sender_then: Option<Then>,
    /// The number of the signal.
    pub(crate) signal: i32,
    /// `si_code`.
    pub(crate) code: i32,
    /// To the process, not to one of its threads.
    pub(crate) whole_process: bool,
    /// The thread to which it was sent; the first of the process where that is meant.
    pub(crate) target: i32,
    /// Its name.
    pub(crate) target_comm: Vec<u8>,
    /// How the sender came to it, innermost first; empty where the kernel gave no stack.
    pub(crate) call_path: Vec<Frame>,
}

/// What a thread was called when it sent a signal, and as whom it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Then {
    pub(crate) comm: Vec<u8>,
    pub(crate) uid: u32,
}

/// One `signal/signal_deliver` event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// When, in CLOCK_MONOTONIC.
    pub(crate) time_ns: u64,
    /// The thread that took it, with which its process ends.
    pub(crate) thread: i32,
    /// The number of the signal.
    pub(crate) signal: i32,
    /// `si_code`.
    pub(crate) code: i32,
}

/// On whose behalf a signal was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The OOM killer.
    Oom,
    /// A write to `cgroup.kill`.
    CgroupKill,
    /// A process asked for it by a system call.
    Call,
    /// The kernel's own, and why; `None` where the way says no more. In whose context it was sent says nothing: an interrupt
    /// comes to whoever is on the CPU.
    Kernel(Option<&'static str>),
    /// The kernel's own, and why: it follows from what the sender did.
    Follows(&'static str),
}

/// The first function on the way that is found here says what the signal is for.
const WAYS: &[(&[&str], Origin)] = &[
    (&["__oom_kill_process", "oom_kill_process", "oom_kill_memcg_member"], Origin::Oom),
    (&["__cgroup_kill", "cgroup_kill", "cgroup_kill_write"], Origin::CgroupKill),
    (
        &["zap_pid_ns_processes"],
        Origin::Follows("the first process of its pid namespace ended, and with it all others"),
    ),
    (
        &[
            "check_process_timers",
            "check_thread_timers",
            "posix_cpu_timers_work",
            "handle_posix_cpu_timers",
            "run_posix_cpu_timers",
        ],
        Origin::Kernel(Some("it had used up its processor time (RLIMIT_CPU)")),
    ),
    (&["isig", "__isig", "n_tty_receive_signal_char"], Origin::Kernel(Some("a key of its terminal was pressed"))),
    (&["__tty_hangup", "disassociate_ctty", "tty_vhangup_session"], Origin::Follows("its terminal was hung up")),
    (&["kill_orphaned_pgrp"], Origin::Follows("its process group was left without a parent while it was stopped")),
    (
        &["bprm_execve", "exec_binprm", "search_binary_handler", "load_elf_binary"],
        Origin::Kernel(Some("execve failed after the old program was gone")),
    ),
    (&["ptrace_exit_finish", "exit_ptrace"], Origin::Follows("its tracer ended (PTRACE_O_EXITKILL)")),
    (
        &["pipe_write", "sk_stream_error", "fifo_pipe_write", "anon_pipe_write"],
        Origin::Kernel(Some("it wrote to what nobody reads any more")),
    ),
    (
        &["force_sig_fault", "force_sig_fault_to_task", "do_trap", "do_user_addr_fault"],
        Origin::Kernel(Some("it did what the processor refuses (a fault)")),
    ),
    (&["signal_setup_done"], Origin::Kernel(Some("its stack had no room for the handler of a signal"))),
    (&["__seccomp_filter", "force_sig_seccomp"], Origin::Kernel(Some("a seccomp filter forbids what it called"))),
    (&["generic_write_checks", "inode_newsize_ok"], Origin::Kernel(Some("a file grew over its limit (RLIMIT_FSIZE)"))),
    (&["bpf_send_signal_common", "bpf_send_signal"], Origin::Kernel(Some("a BPF program sent it"))),
    (&["it_real_fn"], Origin::Kernel(Some("its alarm went off (alarm, setitimer)"))),
    (&["posixtimer_send_sigqueue", "posix_timer_event", "posix_timer_fn"], Origin::Kernel(Some(ITS_TIMER))),
    // What stands behind these was interrupted, and has nothing to do with it.
    (
        &["hrtimer_interrupt", "irq_exit_rcu", "__irq_exit_rcu", "handle_softirqs", "__do_softirq", "run_ksoftirqd"],
        Origin::Kernel(None),
    ),
];
const ITS_TIMER: &str = "a timer of its own went off (timer_create)";
/// The calls by which one process signals another; the architecture's prefix is cut off.
const CALLS: [&str; 8] = [
    "sys_kill",
    "sys_tkill",
    "sys_tgkill",
    "sys_pidfd_send_signal",
    "sys_rt_sigqueueinfo",
    "sys_rt_tgsigqueueinfo",
    "do_tkill",
    "do_rt_sigqueueinfo",
];

/// On the way to the word of another's death: a tracer that lets go, or has reaped.
const OTHERS: [&str; 6] =
    ["do_wait", "__do_wait", "wait_task_zombie", "wait_consider_task", "__ptrace_detach", "ptrace_detach"];

impl Signal {
    /// Whether the sender says to its parent that a signal has ended it.
    pub(crate) fn is_last_word(&self) -> bool {
        let own = !self.call_path.iter().any(|frame| OTHERS.contains(&base_name(&frame.function)));
        self.signal == libc::SIGCHLD && own
    }

    /// The process whose last word it is, and the number of the group in which that stood.
    pub(crate) fn last_stood(&self) -> Option<(i32, u64)> {
        self.sender_process.zip(self.sender_group).filter(|_| self.is_last_word())
    }

    /// Whether it may be of the OOM killer as well as of anybody else in the kernel: it says the same, and no way is known.
    pub(crate) fn may_be_of_an_oom(&self) -> bool {
        self.signal == libc::SIGKILL && self.code == SI_KERNEL && self.call_path.is_empty()
    }

    /// On whose behalf it was sent: by the way to it, where there is one, else by what the kernel sets in each case.
    pub(crate) fn origin(&self) -> Origin {
        let names = || self.call_path.iter().map(|frame| base_name(&frame.function));
        for name in names() {
            if let Some((_, origin)) = WAYS.iter().find(|(functions, _)| functions.contains(&name)) {
                return *origin;
            }
            if CALLS.iter().any(|call| name.ends_with(call)) {
                return Origin::Call;
            }
        }
        let exits = names().any(|name| name == "do_exit");
        match (self.code, self.whole_process) {
            (SI_USER, true) if exits => {
                Origin::Follows("its parent ended, and it had asked for this signal then (PR_SET_PDEATHSIG)")
            }
            // Nothing else sends SIGKILL to the threads of others without a word (kernel/cgroup/cgroup.c).
            (SI_USER, false) if self.signal == libc::SIGKILL && self.call_path.is_empty() => Origin::CgroupKill,
            (SI_USER, false) if self.signal == libc::SIGPIPE => {
                Origin::Kernel(Some("it wrote to what nobody reads any more"))
            }
            (SI_TIMER, _) => Origin::Kernel(Some(ITS_TIMER)),
            (code, _) if code < 0 => Origin::Call,
            (SI_USER, true) if self.call_path.is_empty() => Origin::Call,
            (SI_KERNEL, _) => Origin::Kernel(None),
            (code, false) if code > 0 => Origin::Kernel(Some("it did what the processor refuses (a fault)")),
            _ => Origin::Kernel(None),
        }
    }
}

impl Delivered {
    /// What the process did, where the kernel sent it this for that.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let faults = FAULTS.contains(&self.signal) || self.signal == libc::SIGTRAP;
        (faults && self.code > 0 && self.code != SI_KERNEL).then_some("it did what the processor refuses (a fault)")
    }

    /// Whether the kernel sent it: else a process did, and only the sender's event would name it.
    pub(crate) fn is_the_kernels(&self) -> bool {
        self.code > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(signal: i32, code: i32, way: &[&str]) -> Signal {
        let frame = |name: &&str| Frame { function: (*name).to_string(), offset: None, size: None, module: None };
        Signal {
            time_ns: 1,
            sender: 7,
            sender_process: Some(7),
            sender_comm: None,
            sender_then: None,
            sender_group: None,
            signal,
            code,
            whole_process: true,
            target: 8,
            target_comm: b"sleep".to_vec(),
            call_path: way.iter().map(frame).collect(),
        }
    }

    #[test]
    fn whoever_an_interrupt_came_to_has_sent_nothing() {
        let interrupted = ["hrtimer_interrupt", "sysvec_apic_timer_interrupt", "do_send_sig_info", "__x64_sys_kill"];
        let way = |first: &[&'static str]| [first, &interrupted].concat();
        for (signal, way) in [
            (sent(libc::SIGALRM, SI_KERNEL, &way(&["do_send_sig_info", "it_real_fn"])), "alarm"),
            (sent(libc::SIGKILL, SI_TIMER, &way(&["posixtimer_send_sigqueue", "posix_timer_fn"])), "timer"),
            (sent(libc::SIGKILL, SI_TIMER, &way(&["send_sigqueue", "posix_timer_event"])), "timer"),
            (sent(libc::SIGKILL, SI_TIMER, &[]), "timer"),
            (sent(libc::SIGTERM, SI_USER, &way(&["do_send_sig_info", "a_driver"])), ""),
        ] {
            let Origin::Kernel(reason) = signal.origin() else { panic!("{signal:?}: {:?}", signal.origin()) };
            assert!(reason.unwrap_or_default().contains(way), "{signal:?}: {reason:?}");
        }
        assert_eq!(sent(libc::SIGKILL, SI_USER, &["do_send_sig_info", "__x64_sys_kill"]).origin(), Origin::Call);
    }
}

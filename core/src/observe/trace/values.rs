//! What an event says, whichever way it came: its values by the names under which the event prints them (`anon-rss` for
//! `REC->anon_rss`).

use super::super::signal::{Delivered, Signal};
use super::TraceVictim;

/// Without one of these an event says nothing.
pub(super) const VICTIM_NEEDS: &[&str] = &["pid"];
pub(super) const GENERATE_NEEDS: &[&str] = &["sig", "code", "comm", "pid", "grp"];
pub(super) const DELIVER_NEEDS: &[&str] = &["sig", "code"];

/// What stands for the name of a thread that is known by its number alone.
pub(super) const NAMELESS: &[u8] = b"<...>";

/// What stands before the values of any event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context<'a> {
    pub(super) thread: i32,
    /// Its process, where that is told.
    pub(super) process: Option<i32>,
    /// The thread's name, or [`NAMELESS`].
    pub(super) comm: &'a [u8],
    pub(super) time_ns: u64,
    pub(super) cpu: u32,
}

/// The values of one event.
pub(super) trait Values {
    /// A number; `None` where the event has none of that name.
    fn integer(&self, name: &str) -> Option<i128>;

    /// A text; `None` where the event has none of that name.
    fn text(&self, name: &str) -> Option<Vec<u8>>;

    fn number<T: TryFrom<i128>>(&self, name: &str) -> Option<T> {
        T::try_from(self.integer(name)?).ok()
    }

    fn kib(&self, name: &str) -> Option<u64> {
        self.number::<u64>(name)?.checked_mul(1024)
    }

    /// A victim, without its path.
    fn victim(&self, context: &Context<'_>) -> Option<TraceVictim> {
        let pid: i32 = self.number("pid")?;
        let comm = self.text("comm");
        // The thread's own name may be unknown, or padded with blanks; the victim's is exact.
        let own = comm.clone().filter(|_| pid == context.thread);
        Some(TraceVictim {
            time_ns: context.time_ns,
            cpu: context.cpu,
            invoker_pid: context.thread,
            invoker_comm: own.unwrap_or_else(|| context.comm.to_vec()),
            pid,
            comm,
            total_vm_bytes: self.kib("total-vm"),
            anon_rss_bytes: self.kib("anon-rss"),
            file_rss_bytes: self.kib("file-rss"),
            shmem_rss_bytes: self.kib("shmem-rss"),
            uid: self.number("uid"),
            pgtables_bytes: self.kib("pgtables"),
            oom_score_adj: self.number("oom_score_adj"),
            call_path: Vec::new(),
        })
    }

    /// A signal that was sent, without its path.
    fn signal(&self, context: &Context<'_>) -> Option<Signal> {
        Some(Signal {
            time_ns: context.time_ns,
            sender: context.thread,
            sender_process: context.process,
            sender_then: None,
            sender_group: None,
            sender_comm: Some(context.comm).filter(|comm| *comm != NAMELESS && !comm.is_empty()).map(<[u8]>::to_vec),
            signal: self.number("sig")?,
            code: self.number("code")?,
            whole_process: self.number::<i32>("grp")? != 0,
            target: self.number("pid")?,
            target_comm: self.text("comm")?,
            call_path: Vec::new(),
        })
    }

    /// A signal that was delivered.
    fn delivered(&self, context: &Context<'_>) -> Option<Delivered> {
        let (signal, code) = (self.number("sig")?, self.number("code")?);
        Some(Delivered { time_ns: context.time_ns, thread: context.thread, signal, code })
    }
}

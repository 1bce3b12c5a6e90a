//! In which way a worker ended, as a number.

use memoom::Verdict;

/// How a worker ended.
pub type memoom_verdict = u32;
/// In a way that this version of the C face has no number for; see memoom_outcome_verdict_name.
pub const MEMOOM_VERDICT_OTHER: memoom_verdict = 0;
/// The kernel killed it in an OOM.
pub const MEMOOM_VERDICT_OOM_KILLED: memoom_verdict = 1;
/// A signal ended it, and it was not an OOM.
pub const MEMOOM_VERDICT_KILLED: memoom_verdict = 2;
/// It ended by itself.
pub const MEMOOM_VERDICT_EXITED: memoom_verdict = 3;
/// It was still running at the deadline, and memoom killed it.
pub const MEMOOM_VERDICT_TIMEOUT: memoom_verdict = 4;
/// It was still running at the deadline, as memory.high held it, and memoom killed it.
pub const MEMOOM_VERDICT_THROTTLED: memoom_verdict = 5;
/// SIGKILL ended it while an OOM took place in its group, and whether it was that is open: the reason stands in what is
/// missing, under "verdict".
pub const MEMOOM_VERDICT_UNDECIDED: memoom_verdict = 6;

pub(super) fn verdict_number(verdict: Verdict) -> memoom_verdict {
    match verdict {
        Verdict::OomKilled => MEMOOM_VERDICT_OOM_KILLED,
        Verdict::Killed => MEMOOM_VERDICT_KILLED,
        Verdict::Exited => MEMOOM_VERDICT_EXITED,
        Verdict::Timeout => MEMOOM_VERDICT_TIMEOUT,
        Verdict::Throttled => MEMOOM_VERDICT_THROTTLED,
        Verdict::Undecided => MEMOOM_VERDICT_UNDECIDED,
        _ => MEMOOM_VERDICT_OTHER,
    }
}

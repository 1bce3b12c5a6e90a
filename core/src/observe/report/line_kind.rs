//! The kinds of line that a report has, and what is to be known of each.

/// The kinds of line, in the order in which a report prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Suppressed,
    Invoker,
    Cpuset,
    Cpu,
    TraceStart,
    Frame,
    TaskIn,
    LimitReached,
    Usage,
    StatHeader,
    Stat,
    Protection,
    TableTitle,
    TableHeader,
    Row,
    Summary,
    KillProcess,
    Exiting,
    Killed,
    SharedMemory,
    Pinned,
    GroupTail,
    NoKillable,
    Panic,
    Reaper,
    Other,
}

/// What is to be known of a kind of line.
struct Facts {
    /// How far a report has come with such a line; numbers only grow within one report.
    progress: u8,
    /// Whether the kernel prints it in pieces, between which lines of other CPUs may fall.
    in_pieces: bool,
    /// Whether it tells enough to be the beginning of a report whose first lines are lost.
    begins: bool,
    /// The field of the report that is lost when it is cut.
    field: &'static str,
}

const fn facts(progress: u8, in_pieces: bool, begins: bool, field: &'static str) -> Facts {
    Facts { progress, in_pieces, begins, field }
}

const PIECES: bool = true;
const WHOLE: bool = false;
const BEGINS: bool = true;
const GOES_ON: bool = false;

/// In the order of [`Kind`].
const FACTS: [Facts; 26] = [
    facts(0, WHOLE, GOES_ON, "suppressed_before"),
    facts(0, PIECES, BEGINS, "invoker"),
    facts(1, PIECES, GOES_ON, "cpuset"),
    facts(1, WHOLE, GOES_ON, "release"),
    facts(1, WHOLE, GOES_ON, "call_trace"),
    facts(1, WHOLE, GOES_ON, "call_trace"),
    facts(2, PIECES, BEGINS, "oom_memcg"),
    facts(2, PIECES, BEGINS, "oom_memcg"),
    facts(3, WHOLE, BEGINS, "memory"),
    facts(4, PIECES, BEGINS, "oom_memcg"),
    facts(4, WHOLE, GOES_ON, "stat"),
    facts(5, WHOLE, GOES_ON, "protection"),
    facts(6, WHOLE, BEGINS, "tasks"),
    facts(6, WHOLE, BEGINS, "tasks"),
    facts(6, WHOLE, BEGINS, "tasks"),
    facts(7, PIECES, BEGINS, "task_memcg"),
    facts(8, WHOLE, BEGINS, "sacrifice"),
    facts(9, WHOLE, BEGINS, "already_exiting"),
    facts(9, WHOLE, BEGINS, "kills"),
    facts(9, WHOLE, GOES_ON, "shared_memory"),
    facts(9, WHOLE, GOES_ON, "pinned"),
    facts(10, PIECES, BEGINS, "group_kill"),
    facts(11, WHOLE, BEGINS, "report"),
    facts(11, WHOLE, BEGINS, "report"),
    facts(0, WHOLE, GOES_ON, "reaper"),
    facts(0, WHOLE, GOES_ON, "report"),
];

impl Kind {
    /// How far a report has come with a line of this kind; numbers only grow within one report.
    pub fn progress(self) -> u8 {
        FACTS[self as usize].progress
    }

    /// Whether the kernel prints the line in pieces, between which lines of other CPUs may fall.
    pub fn in_pieces(self) -> bool {
        FACTS[self as usize].in_pieces
    }

    /// Whether a line tells enough to be the beginning of a report whose first lines are lost.
    pub fn begins(self) -> bool {
        FACTS[self as usize].begins
    }

    /// The field of the report that is lost when the line is cut.
    pub fn field(self) -> &'static str {
        FACTS[self as usize].field
    }
}

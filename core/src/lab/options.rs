//! What a new lab may be told.

use std::path::PathBuf;
use std::time::Duration;

/// What a new lab may be told. [`Default`] is right for almost everybody.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// The directory below which the lab is made; otherwise [`Host::parent`](crate::Host::parent), which is inside the own group for a process
    /// that stands in a lab, so that the limits there hold for this one too.
    pub parent: Option<PathBuf>,
    /// Where the helper program may be written when the kernel forbids running it from memory
    /// (`vm.memfd_noexec` 2); otherwise the system's directory for temporary files.
    pub helper_dir: Option<PathBuf>,
    /// Whether the kernel log is read (reports).
    pub kernel_log: bool,
    /// Whether the tracepoints are listened to (call paths, every victim's pid, who sent a signal).
    pub call_path: bool,
    /// How often whoever waits in the lab (for a worker, a step, an event) samples every group of it meanwhile, as
    /// [`Group::sample`](crate::Group::sample) does; never, by default. Nobody samples while nobody waits.
    pub sample_every: Option<Duration>,
    /// How many events the lab keeps for its timeline and for watches that have not read them: the last ones. What was
    /// forgotten is counted in the timeline, and told to such a watch as [`EventKind::Lost`](crate::EventKind::Lost).
    pub keep_events: usize,
    /// The same for accounts, which are larger. A worker keeps the account of its own death all the same.
    pub keep_ooms: usize,
    /// A file into which everything is recorded that the accounts of this lab are made of, for [`replay`](crate::replay):
    /// records of the kernel log, marks, counters, names and numbers of processes. A recording that stands there is
    /// written over; a link, or another file, is refused.
    pub record: Option<PathBuf>,
}

/// About 200 OOMs with all that the kernel prints of them; some 6 MiB.
const KEEP_EVENTS: usize = 16_384;
/// Some 20 MiB where each has a report.
const KEEP_OOMS: usize = 512;

impl Default for LabOptions {
    fn default() -> LabOptions {
        LabOptions {
            parent: None,
            helper_dir: None,
            kernel_log: true,
            call_path: true,
            sample_every: None,
            keep_events: KEEP_EVENTS,
            keep_ooms: KEEP_OOMS,
            record: None,
        }
    }
}

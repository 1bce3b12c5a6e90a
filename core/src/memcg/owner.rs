//! Whose a lab is: its name records who made it, and that one is dead only where it is proved.
//!
//! Whatever cannot be read (a /proc that hides, a limit of open files, another namespace) leaves the owner unknown, and
//! the lab of an unknown owner is left alone. No boot is compared: neither cgroups nor tracefs instances outlive one,
//! and a container may have a boot id of its own.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::sys;

const PREFIX: &str = "memoom";

/// The process that made something. A forked child has a copy of it, shares its descriptors, and may act on nothing of
/// it: what it did would be done to its parent's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Maker(u32);

impl Maker {
    /// This process.
    pub(crate) fn this() -> Maker {
        Maker(std::process::id())
    }

    /// Whether it is this process.
    pub(crate) fn is_this(self) -> bool {
        self.0 == std::process::id()
    }

    /// # Errors
    /// `Closed` in a forked child.
    pub(crate) fn check(self, operation: &'static str) -> Result<()> {
        if self.is_this() {
            return Ok(());
        }
        let reason = "it belongs to the process that made it, not to its forked child";
        Err(Error::new(ErrorKind::Closed, operation, reason).remedy("make a lab in this process"))
    }
}

/// What is known of the one who made a lab.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It is there.
    Alive,
    /// It is proved that it is not.
    Dead,
    /// Nobody can tell from here, and why.
    Unknown(String),
}

impl Owner {
    /// What is said about it.
    pub(crate) fn reason(&self) -> String {
        match self {
            Owner::Alive => "its owner lives".to_string(),
            Owner::Dead => "its owner has died".to_string(),
            Owner::Unknown(why) => format!("left alone, as nobody can tell whether its owner lives: {why}"),
        }
    }
}

/// A process, as the name of a lab records it.
struct Mark {
    pid: i32,
    /// When it started, in clock ticks since boot, as the first time namespace counts them.
    start: u64,
    boot: String,
    namespace: u64,
    nonce: u32,
}

impl Mark {
    /// `memoom-PID-STARTTIME-BOOT-PIDNAMESPACE-NONCE`, the numbers in hexadecimal.
    fn name(&self) -> String {
        let Mark { pid, start, boot, namespace, nonce } = self;
        format!("{PREFIX}-{pid:x}-{start:x}-{boot}-{namespace:x}-{nonce:08x}")
    }

    /// `None` for a name that is not exactly as a lab has it.
    fn parse(name: &str) -> Option<Mark> {
        let parts: Vec<&str> = name.split('-').collect();
        let [PREFIX, pid, start, boot, namespace, nonce] = parts.as_slice() else { return None };
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let mark = Mark {
            pid: i32::try_from(hex(pid)?).ok().filter(|pid| *pid > 0)?,
            start: hex(start)?,
            boot: boot.to_string(),
            namespace: hex(namespace)?,
            nonce: u32::try_from(hex(nonce)?).ok()?,
        };
        let whole = boot.len() == BOOT_DIGITS && boot.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (whole && mark.name() == name).then_some(mark)
    }
}

/// A name for a new lab, by which everybody can tell whether its owner lives.
///
/// # Errors
/// Where that cannot be recorded, as /proc does not say when this process started or in which namespaces it stands.
pub(crate) fn new_name() -> Result<String> {
    let record = || -> io::Result<Mark> {
        // Not this thread's: a thread may have begun long after its process. It is told also where the first one has ended.
        let stat = Started::read(Path::new("/proc/self/stat"))?;
        Ok(Mark {
            pid: std::process::id() as i32,
            start: stat.ticks.saturating_add_signed(-boot_offset_ticks()?),
            boot: boot(),
            namespace: pid_namespace()?,
            nonce: sys::random(),
        })
    };
    let named = record().map(|mark| mark.name());
    named.map_err(|error| {
        Error::os("make lab", error)
            .reason(
                "its owner could not be recorded, so that others would not know whether it still belongs to somebody",
            )
            .remedy("give this process its own /proc (mount -t proc proc /proc) and room for a few more open files")
    })
}

/// Whether a lab has that name, whoever's it is.
pub(crate) fn is_name(name: &str) -> bool {
    Mark::parse(name).is_some()
}

/// Whose a lab of that name is; `None` for a name that is not a lab's.
#[cfg(test)]
pub(crate) fn judge(name: &str) -> Option<Owner> {
    Judge::default().judge(name)
}

/// Judges one name after the other. What is true of this process is asked once; a thousand labs of one owner are one question.
#[derive(Default)]
pub(crate) struct Judge {
    namespace: Option<u64>,
    proc_is_ours: Option<bool>,
    /// Who was found alive last.
    alive: Option<(i32, u64)>,
}

impl Judge {
    /// Whose a lab of that name is; `None` for a name that is not a lab's.
    pub(crate) fn judge(&mut self, name: &str) -> Option<Owner> {
        let mark = Mark::parse(name)?;
        Some(self.of(&mark).unwrap_or_else(|error| Owner::Unknown(error.to_string())))
    }

    fn of(&mut self, mark: &Mark) -> io::Result<Owner> {
        if once(&mut self.namespace, pid_namespace)? != mark.namespace {
            return Ok(Owner::Unknown("it is in another pid namespace".to_string()));
        }
        // The kernel's own word, which no /proc can hide.
        if !is_there(mark.pid) {
            return Ok(Owner::Dead);
        }
        if self.alive == Some((mark.pid, mark.start)) {
            return Ok(Owner::Alive);
        }
        // A process of that pid is there; whether it is the same one, only the time of its start tells.
        if !once(&mut self.proc_is_ours, proc_is_ours)? {
            return Ok(Owner::Unknown("/proc shows another pid namespace".to_string()));
        }
        let owner = by_start(mark)?;
        if owner == Owner::Alive {
            self.alive = Some((mark.pid, mark.start));
        }
        Ok(owner)
    }
}

fn once<T: Copy>(known: &mut Option<T>, ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match *known {
        Some(known) => Ok(known),
        None => Ok(*known.insert(ask()?)),
    }
}

/// Whether the process that has the pid now is the one of the mark.
fn by_start(mark: &Mark) -> io::Result<Owner> {
    let path = format!("/proc/{}/stat", mark.pid);
    let stat = match Started::read(Path::new(&path)) {
        Ok(stat) => stat,
        Err(_) if !is_there(mark.pid) => return Ok(Owner::Dead),
        Err(error) => return Ok(Owner::Unknown(format!("{path}: {error}"))),
    };
    if stat.ended {
        return Ok(Owner::Dead);
    }
    let start = stat.ticks.saturating_add_signed(-boot_offset_ticks()?);
    // Rounded to a tick on both sides.
    Ok(if start.abs_diff(mark.start) <= 1 { Owner::Alive } else { Owner::Dead })
}

/// Whether a process of that pid is there, also as a zombie, also another user's.
fn is_there(pid: i32) -> bool {
    !matches!(sys::signal_pid(pid, 0), Err(error) if error.raw_os_error() == Some(libc::ESRCH))
}

/// What /proc/PID/stat says of a process's beginning and end.
struct Started {
    /// Field 22, in clock ticks since boot, as our time namespace counts them.
    ticks: u64,
    /// No thread of it runs any more.
    ended: bool,
}

impl Started {
    fn read(path: &Path) -> io::Result<Started> {
        let stat = std::fs::read(path)?;
        Started::parse(&stat).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is no stat of a process"))
    }

    fn parse(stat: &[u8]) -> Option<Started> {
        let (_, fields) = crate::text::stat_fields(stat)?;
        let threads: i64 = fields.get(17)?.parse().ok()?;
        // A first thread that has ended is a zombie while the others go on.
        let ended = matches!(fields.first(), Some(&"X" | &"x")) || fields.first() == Some(&"Z") && threads <= 1;
        Some(Started { ticks: fields.get(19)?.parse().ok()?, ended })
    }
}

const BOOT_DIGITS: usize = 8;

/// The first digits of the boot id: for whoever reads the name. Nothing is decided by it.
fn boot() -> String {
    let digits: String = boot_id().bytes().filter(u8::is_ascii_hexdigit).take(BOOT_DIGITS).map(char::from).collect();
    format!("{:0>BOOT_DIGITS$}", digits.to_ascii_lowercase())
}

/// The id of this boot, as it stands in /proc; empty where it cannot be read.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_string()
}

/// The number of this process's pid namespace.
pub(crate) fn pid_namespace() -> io::Result<u64> {
    namespace("pid").map(|number| number.unwrap_or(FIRST_PID_NAMESPACE))
}

/// PROC_PID_INIT_INO: the first pid namespace has this number on every kernel (include/linux/proc_ns.h), and a kernel
/// without namespaces has this one alone.
pub(crate) const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// The number of one of our namespaces; `None` where this kernel has none of that kind.
fn namespace(kind: &str) -> io::Result<Option<u64>> {
    match std::fs::metadata(sys::own_proc("ns").join(kind)) {
        Ok(meta) => Ok(Some(meta.ino())),
        // The directory is there, and lists what the kernel has.
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::metadata(sys::own_proc("ns")).map(|_| None),
        Err(error) => Err(error),
    }
}

/// Whether /proc names processes as our pid namespace does: NSpid gives one number for each namespace from that of
/// /proc down to the process's own.
fn proc_is_ours() -> io::Result<bool> {
    let status = std::fs::read_to_string(sys::own_proc("status"))?;
    match status.lines().find_map(|line| line.strip_prefix("NSpid:")) {
        Some(pids) => Ok(pids.split_whitespace().count() == 1),
        // Before 4.1, or without pid namespaces.
        None => Ok(std::fs::read_link("/proc/self")?.to_str() == Some(&std::process::id().to_string())),
    }
}

/// How many clock ticks our time namespace adds to the time since boot, in which /proc tells when processes started.
fn boot_offset_ticks() -> io::Result<i64> {
    let Some(own) = namespace("time")? else { return Ok(0) };
    if namespace("time_for_children")? != Some(own) {
        return Err(io::Error::other("this process has left its time namespace for its children's alone"));
    }
    // Which /proc has for processes only; it finds a thread too where it looks up a process.
    let thread = std::fs::read_link("/proc/thread-self")?;
    let path = Path::new("/proc").join(thread.file_name().unwrap_or_default()).join("timens_offsets");
    let text = std::fs::read_to_string(&path)?;
    let offset = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (Some("boottime"), Some(seconds), Some(nanoseconds)) = (words.next(), words.next(), words.next()) else {
            return None;
        };
        Some(seconds.parse::<i64>().ok()? * 1_000_000_000 + nanoseconds.parse::<i64>().ok()?)
    });
    match offset {
        Some(offset) => Ok(offset / (1_000_000_000 / sys::ticks_per_second())),
        None => Err(io::Error::other(format!("{} names no boottime", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ours_is_alive_and_a_strangers_is_nobodys() {
        let name = new_name().unwrap();
        assert!(name.len() < 80, "{name}");
        assert_eq!(judge(&name), Some(Owner::Alive));
        for other in [
            "memoom",
            "memoom-",
            "memoom-x-1-2-3-4",
            "memoom-dev-helper-1",
            "process_api",
            "memoom-1-2-3-4-5-6",
            "",
            // Numbers, but not as a lab has them.
            "memoom-1-2-3-4-5",
            "memoom-0-2-00000000-4-00000005",
            "memoom-+1-2-00000000-4-00000005",
            "memoom-01-2-00000000-4-00000005",
            "memoom-1-2-0000000G-4-00000005",
            "memoom-1-2-00000000-4-000000005",
            "memoom-ffffffff-2-00000000-4-00000005",
        ] {
            assert_eq!(judge(other), None, "{other}");
        }
    }

    #[test]
    fn an_owner_that_has_died_or_started_later_is_dead() {
        let mark = Mark::parse(&new_name().unwrap()).unwrap();
        assert_eq!(judge(&Mark { start: 1, ..mark }.name()), Some(Owner::Dead), "same pid, other start");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id() as i32;
        let mark = || Mark::parse(&new_name().unwrap()).unwrap();
        child.wait().unwrap();
        assert_eq!(judge(&Mark { pid, ..mark() }.name()), Some(Owner::Dead), "reaped");
    }

    #[test]
    fn what_cannot_be_known_is_unknown() {
        let mark = Mark::parse(&new_name().unwrap()).unwrap();
        let elsewhere = judge(&Mark { namespace: 1, ..mark }.name());
        assert!(matches!(&elsewhere, Some(Owner::Unknown(why)) if why.contains("namespace")), "{elsewhere:?}");
        // The boot id is not asked: a container may have its own.
        let mark = Mark::parse(&new_name().unwrap()).unwrap();
        assert_eq!(judge(&Mark { boot: "0123abcd".to_string(), ..mark }.name()), Some(Owner::Alive));
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_goes_on() {
        let stat = |state: &str, threads: u32| {
            let middle = vec!["0"; 16].join(" ");
            Started::parse(format!("7 (a) b) {state} {middle} {threads} 0 4711 0").as_bytes())
        };
        assert!(!stat("Z", 2).unwrap().ended);
        assert!(stat("Z", 1).unwrap().ended && stat("X", 1).unwrap().ended);
        assert!(!stat("S", 1).unwrap().ended);
        assert_eq!(stat("S", 1).unwrap().ticks, 4711);
        assert!(Started::parse(b"7 (a) S 0").is_none() && Started::parse(b"").is_none());
    }
}

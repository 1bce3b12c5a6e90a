//! Gathers what is left of a death that memoom did not watch: the kernel log, the groups and their counters, systemd.

use std::path::Path;

use crate::account::postmortem::{Found, Postmortem, Subject};
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::lab::host::Host;
use crate::observe::kmsg::whole_log;
use crate::observe::missing::Missing;
use crate::observe::report::parse_records;
use crate::observe::task::{machine_pids, Proc, TaskState};

mod places;
mod unit;

/// Who killed something that memoom did not start, from what is still there: the kernel log (`/dev/kmsg`), the counters
/// of its group and of the groups above it, and, for a unit, what `systemctl show` says.
///
/// # Errors
/// `InvalidInput` for a pid below 1, an empty name, and for an id that begins those of several. What cannot be read is
/// named in the answer.
pub fn postmortem(subject: &Subject) -> Result<Postmortem> {
    if subject.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "ask about a death", "the name is empty"));
    }
    let mut found = read_log();
    match subject {
        Subject::Pid(pid) => look_at_process(*pid, &mut found)?,
        Subject::Unit(unit) => unit::ask(unit, &mut found),
        _ => {}
    }
    match Host::probe() {
        Ok(host) => conclude(subject, found, &host),
        Err(error) => {
            found.missing.push(Missing::new("counters", error.to_string()));
            Ok(Postmortem::of(subject, &found))
        }
    }
}

/// The same for a group by its directory, with its counters (`memory.events`, `memory.oom_control`).
///
/// # Errors
/// As [`Group::open`]; `InvalidInput` for a directory that is no group of the memory controller.
pub fn postmortem_of_group(path: impl AsRef<Path>) -> Result<Postmortem> {
    let group = Group::open(path)?;
    let mut found = read_log();
    let subject = Subject::Group(group.cgroup().to_string());
    found.places.push(group.cgroup().to_string());
    match Host::probe() {
        Ok(host) => places::count(&host, group.path(), &mut found),
        Err(error) => found.missing.push(Missing::new("counters", error.to_string())),
    }
    Ok(Postmortem::of(&subject, &found))
}

/// The answer with the groups of that host.
fn conclude(subject: &Subject, mut found: Found, host: &Host) -> Result<Postmortem> {
    if subject.is_sought() || matches!(subject, Subject::Group(_)) {
        places::find(subject, host, &mut found)?;
    }
    Ok(Postmortem::of(subject, &found))
}

fn look_at_process(pid: i32, found: &mut Found) -> Result<()> {
    if pid < 1 {
        return Err(Error::new(ErrorKind::InvalidInput, "ask about a death", "that is no pid").value(pid));
    }
    if !machine_pids() {
        found.reports.clear();
        found.log_begins_usec = None;
        let why = "this process is in a pid namespace, and the log has the pids of the machine";
        found.log_missing = Some(why.to_string());
    }
    // "Could not be read" is not "has gone"; a zombie has ended.
    found.alive = match Proc::system().stat(pid) {
        Ok(Some(stat)) => !stat.exiting && !matches!(stat.state, TaskState::Zombie | TaskState::Dead),
        Ok(None) => false,
        Err(_) => true,
    };
    Ok(())
}

fn read_log() -> Found {
    match whole_log() {
        Ok((records, lost)) => Found {
            log_begins_usec: records.first().map(|record| record.time_usec),
            log_missing: (lost > 0).then(|| format!("{lost} records were overwritten while it was read")),
            reports: parse_records(&records),
            ..Found::default()
        },
        Err(error) => Found { log_missing: Some(error.to_string()), ..Found::default() },
    }
}

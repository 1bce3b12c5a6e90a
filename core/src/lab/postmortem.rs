//! Gathers what is left of a death that memoom did not watch: the kernel log, the groups and their counters, systemd.

use std::path::{Path, PathBuf};

use crate::account::postmortem::{Found, Postmortem, Subject};
use crate::error::{Error, ErrorKind, Result};
use crate::lab::diary;
use crate::lab::group::Group;
use crate::lab::host::Host;
use crate::memcg::owner::boot_id;
use crate::observe::kmsg::whole_log;
use crate::observe::missing::Missing;
use crate::observe::report::{parse_records, parse_reports};
use crate::observe::task::{machine_pids, Proc};
use crate::sys;

mod journal;
mod places;
mod unit;

/// Where else to look.
#[derive(Debug, Clone, Default)]
pub struct PostmortemOptions {
    /// The directory in which a watch keeps its record ([`Watch::keep_record`](crate::Watch::keep_record)).
    pub record: Option<PathBuf>,
    /// A saved log in place of this machine's: whatever it tells of, also of another machine.
    pub log: Option<PathBuf>,
}

/// Who killed something that memoom did not start, from what is still there: the kernel log (`/dev/kmsg`, and where that
/// does not tell or does not reach back, `journalctl -k`), the counters of its group and of the groups above it, and, for a
/// unit, what `systemctl show` says.
///
/// # Errors
/// `InvalidInput` for a pid below 1, an empty name, and for an id that begins those of several. What cannot be read is
/// named in the answer.
pub fn postmortem(subject: &Subject) -> Result<Postmortem> {
    postmortem_with(subject, &PostmortemOptions::default())
}

/// The same with the record of a watch, or with another log.
///
/// # Errors
/// As [`postmortem`]; as of opening a file for a record or a log that cannot be read.
pub fn postmortem_with(subject: &Subject, options: &PostmortemOptions) -> Result<Postmortem> {
    if subject.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "ask about a death", "the name is empty"));
    }
    let mut found = read_sources(subject, options)?;
    match subject {
        Subject::Pid(pid) => look_at_process(*pid, options, &mut found)?,
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
    postmortem_of_group_with(path, &PostmortemOptions::default())
}

/// The same with the record of a watch, or with another log: then the group may have gone.
///
/// # Errors
/// As [`postmortem_of_group`] and [`postmortem_with`].
pub fn postmortem_of_group_with(path: impl AsRef<Path>, options: &PostmortemOptions) -> Result<Postmortem> {
    let path = path.as_ref();
    let group = match Group::open(path) {
        Ok(group) => group,
        Err(error) => {
            let elsewhere = options.record.is_some() || options.log.is_some();
            let cgroup = Host::probe().ok().and_then(|host| host.cgroup_of(path));
            return match cgroup.filter(|_| elsewhere && error.kind() == ErrorKind::NotFound) {
                Some(cgroup) => postmortem_with(&Subject::Group(cgroup), options),
                None => Err(error),
            };
        }
    };
    let subject = Subject::Group(group.cgroup().to_string());
    let mut found = read_sources(&subject, options)?;
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

fn look_at_process(pid: i32, options: &PostmortemOptions, found: &mut Found) -> Result<()> {
    if pid < 1 {
        return Err(Error::new(ErrorKind::InvalidInput, "ask about a death", "that is no pid").value(pid));
    }
    if options.log.is_some() {
        // Whoever has that pid here is none of that log's.
        return Ok(());
    }
    if !machine_pids() {
        found.reports.clear();
        found.log_begins_usec = None;
        let why = "this process is in a pid namespace, and the log has the pids of the machine";
        found.log_missing = Some(why.to_string());
    }
    // "Could not be read" is not "has gone"; a zombie has ended.
    found.alive = !Proc::system().is_exiting(pid);
    Ok(())
}

/// The log, and the record of a watch.
fn read_sources(subject: &Subject, options: &PostmortemOptions) -> Result<Found> {
    let mut found = match &options.log {
        Some(path) => {
            let text = std::fs::read(path).and_then(|text| sys::room::left().map(|()| text));
            let text = text.map_err(|error| Error::os("read log", error).path(path))?;
            Found { reports: parse_reports(&text), ..Found::default() }
        }
        None => read_log(),
    };
    if options.log.is_none() && !found.tells_of(subject) {
        journal::read(&mut found);
    }
    if let Some(directory) = &options.record {
        let (entries, damaged) = diary::read(directory)?;
        found.entries = entries;
        found.boot = boot_id();
        if damaged > 0 {
            found.missing.push(Missing::new("record", format!("{damaged} lines of it are damaged")));
        }
    }
    Ok(found)
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

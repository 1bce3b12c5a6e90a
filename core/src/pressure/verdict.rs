//! How a worker ended: the verdict, its evidence, and the accounts of its group while it lived.

use std::sync::Arc;

use super::worker::Worker;
use crate::account::oom::Oom;
use crate::account::outcome::{Evidence, Outcome, Verdict};
use crate::helper::process::Exit;
use crate::lab::hub::State;
use crate::memcg::path::covers;
use crate::observe::author::{Author, KilledBy};
use crate::observe::missing::Missing;

mod below;

impl Worker {
    /// The verdict on an end, with its evidence and the accounts that belong to it.
    pub(super) fn judge(&self, state: &State, exit: Exit) -> Outcome {
        let process = &self.process;
        let ooms = self.ooms(state);
        let forgotten = state.ooms.first().saturating_sub(process.ooms_before);
        let own = ooms.iter().find(|oom| oom.killed(process.pid));
        let evidence = self.evidence(state, exit, own.map(|oom| &**oom));
        let killed_by = self.killed_by(state, exit, own.map(|oom| &**oom));
        let other = |by: &KilledBy| by.source == Some("tracefs") && by.by != Author::KernelOom;
        // It had its SIGKILL from somebody else, and was in its exit when the OOM met it.
        let own = own.filter(|_| !killed_by.as_ref().is_some_and(other));
        let open = self.left_open(state, exit, own.is_some(), killed_by.as_ref());
        let verdict = match (exit.returncode, own) {
            (returncode, Some(_)) if returncode == -libc::SIGKILL => Verdict::OomKilled,
            _ if open.is_some() => Verdict::Undecided,
            (returncode, _) if returncode < 0 => Verdict::Killed,
            _ => Verdict::Exited,
        };
        let mut missing = missing(state, open, forgotten, &ooms);
        missing.extend(below::untold(&process.group, state, &ooms));
        Outcome {
            schema: Outcome::SCHEMA,
            schema_revision: Outcome::REVISION,
            verdict,
            oom_killed: verdict == Verdict::OomKilled,
            returncode: exit.returncode,
            pid: process.pid,
            ooms,
            ooms_inside: 0,
            throttled: None,
            at_limit: None,
            name: process.name.clone(),
            group: process.group.cgroup().to_string(),
            evidence,
            user_usec: exit.usage.user_usec,
            system_usec: exit.usage.system_usec,
            max_rss_bytes: exit.usage.max_rss_bytes,
            peak_bytes: None,
            started_ns: process.started_ns,
            ended_ns: exit.time_ns,
            killed_by,
            missing,
            findings: Vec::new(),
            summary: String::new(),
        }
        .explained()
    }

    /// The accounts of OOMs of its group while it lived, and that of its own death.
    fn ooms(&self, state: &State) -> Vec<Arc<Oom>> {
        let process = &self.process;
        let mut ooms: Vec<_> = state
            .ooms
            .since(process.ooms_before)
            .filter(|oom| {
                let struck = |cgroup: &Option<String>| {
                    cgroup
                        .as_deref()
                        .is_some_and(|cgroup| process.group.covers(cgroup) || covers(cgroup, process.group.cgroup()))
                };
                let of_the_group = oom.victims.iter().any(|victim| struck(&victim.group));
                // A kill that is counted, and of which nobody knows whom it hit.
                let counted = struck(&oom.counted_in) || oom.victims.is_empty() && struck(&oom.limit_group);
                oom.killed(process.pid) || struck(&oom.limit_group) && of_the_group || counted
            })
            .cloned()
            .collect();
        // A lab keeps the last accounts alone; that of its own death stays with the worker.
        let own = state.deaths.get(&process.id);
        if let Some(own) = own.filter(|own| !ooms.iter().any(|oom| Arc::ptr_eq(oom, own))) {
            ooms.insert(0, own.clone());
        }
        ooms
    }

    /// What says how it ended: the status, each source of kills, the counters.
    fn evidence(&self, state: &State, exit: Exit, own: Option<&Oom>) -> Vec<Evidence> {
        let process = &self.process;
        let signal = -exit.returncode;
        let mut evidence = vec![Evidence {
            source: "exit-status",
            says: if exit.returncode < 0 {
                format!("signal {signal}")
            } else {
                format!("exit code {}", exit.returncode)
            },
        }];
        let now = self.group().counters();
        if let Some(victim) = own.and_then(|oom| oom.victims.iter().find(|victim| victim.pid == process.pid)) {
            for source in &victim.sources {
                evidence.push(Evidence { source, says: format!("pid {} was killed in an OOM", process.pid) });
            }
        } else if exit.returncode == -libc::SIGKILL {
            for (source, there) in [("tracefs", state.collector.has_trace()), ("kernel-log", state.collector.has_log())]
            {
                if there {
                    evidence.push(Evidence { source, says: format!("no OOM names pid {}", process.pid) });
                }
            }
        }
        let says = match now.map(|now| now.oom_kill) {
            Ok(Some(now)) if now == process.oom_kill_before => format!("oom_kill stayed {now}"),
            Ok(Some(now)) => format!("oom_kill rose from {} to {now}", process.oom_kill_before),
            Ok(None) => "this kernel does not count oom_kill".to_string(),
            Err(error) => format!("the group's counters could not be read: {error}"),
        };
        evidence.push(Evidence { source: "counters", says });
        evidence
    }
}

/// What could not be had: for the verdict, of accounts that were forgotten, and of the sources.
fn missing(state: &State, open: Option<String>, forgotten: usize, ooms: &[Arc<Oom>]) -> Vec<Missing> {
    let mut missing: Vec<Missing> = open.into_iter().map(|reason| Missing::new("verdict", reason)).collect();
    if forgotten > 0 {
        let reason = format!("{forgotten} accounts of its lab were forgotten while it lived; some may be of its group");
        missing.push(Missing::new("ooms", reason));
    }
    for one in state.world.missing.iter().chain(ooms.iter().flat_map(|oom| &oom.missing)) {
        if !missing.contains(one) {
            missing.push(one.clone());
        }
    }
    missing
}

//! Where the sources of one account do not say the same, and the cause where a known one fits.

use super::account::ended;
use super::episode::Episode;
use super::{own_kills, Collector, Reading};
use crate::account::oom::{Cause, Disagreement, Oom, Victim};
use crate::account::scene::{worker, Scene};
use crate::memcg::version::Version;
use crate::memcg::Counters;

impl Collector {
    /// What the sources of an account say against each other.
    pub(super) fn disagreements(
        &self,
        oom: &Oom,
        episode: &Episode,
        reading: &Reading,
        scene: &dyn Scene,
    ) -> Vec<Disagreement> {
        let mut found = self.counters_and_victims(oom, episode, reading, scene);
        ooms_and_kills(oom, &mut found);
        for victim in oom.victims.iter().filter(|victim| victim.cause != Cause::SharedMm) {
            self.trace_and_log(victim, episode, &mut found);
            status(victim, scene, &mut found);
        }
        if let (Some(predicted), Some(victim)) = (&oom.predicted, oom.victim()) {
            if predicted.pid != victim.pid {
                let says = format!("pid {} was predicted, and the kernel chose pid {}", predicted.pid, victim.pid);
                found.push(if !oom.killed(predicted.pid) && ended(predicted.pid, scene) {
                    let exit_ns = worker(scene, predicted.pid).and_then(|worker| Some(worker.exit?.1));
                    let before = exit_ns.zip(episode.marked_ns).is_some_and(|(exit, marked)| exit <= marked);
                    let because = match before {
                        true => "it had ended when the kernel looked",
                        false => "it was ending at about that time, and the kernel passes over who is on the way out",
                    };
                    Disagreement::because(says, because)
                } else if episode.others_grew {
                    Disagreement::because(says, "another process than the one that was to grow took memory meanwhile")
                } else if !predicted.determined {
                    Disagreement::because(says, "their scores were closer than what can be read of them")
                } else {
                    Disagreement { says, because: None }
                });
            }
        }
        for pid in &episode.ending {
            found.push(Disagreement::because(
                format!("pid {pid} was chosen, and neither killed nor counted"),
                "it was ending already: the kernel only lets such a process hurry",
            ));
        }
        found
    }

    /// How far `oom_kill` rose in the groups of the victims; nothing where it could not be read.
    fn counters_and_victims(
        &self,
        oom: &Oom,
        episode: &Episode,
        reading: &Reading,
        scene: &dyn Scene,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        let mut groups: Vec<&str> = Vec::new();
        for group in oom.victims.iter().filter_map(|victim| victim.group.as_deref()) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let mut counted = 0;
        let mut flagged = false;
        let mut read_late = false;
        for cgroup in &groups {
            let (Some(before), Some(kills)) = (self.before.get(*cgroup), reading.kills(cgroup)) else { return found };
            counted += kills.saturating_sub(own_kills(&before.counters));
            flagged |= episode.is_of_a_whole_group() || super::claims::flagged(cgroup, scene);
            read_late |= episode.marked_ns.is_some_and(|marked_ns| before.read_ns >= marked_ns);
        }
        let told = oom.victims.iter().filter(|victim| victim.cause != Cause::SharedMm).count() as u64;
        let dead = oom.victims.len() as u64;
        if counted != told && !groups.is_empty() {
            let says = format!("oom_kill rose by {counted}, and {told} were killed by name");
            let others = !self.open.is_empty() || !self.unclaimed.is_empty();
            found.push(if flagged && counted == told + 1 {
                Disagreement::because(says, "with memory.oom.group the kernel counts the chosen process twice")
            } else if flagged && counted > told {
                let twice = "with memory.oom.group the kernel counts the chosen process twice, and others whose first \
                             thread ends meanwhile";
                Disagreement::because(says, twice)
            } else if counted > told && others {
                Disagreement::because(
                    says,
                    "later kills were counted before the counters could be read; each has its account",
                )
            } else if counted < told && read_late {
                Disagreement::because(says, "this kill was counted when the counters were read for the one before it")
            } else {
                Disagreement { says, because: None }
            });
        }
        if dead > told {
            found.push(Disagreement::because(
                format!("{dead} processes died, and the kernel names {told}"),
                "whoever shares the memory of the chosen one is killed uncounted and unnamed",
            ));
        }
        found
    }

    fn trace_and_log(&self, victim: &Victim, episode: &Episode, found: &mut Vec<Disagreement>) {
        let by = |source: &str| victim.sources.contains(&source);
        if !self.has_trace || !self.has_log || by("tracefs") == by("kernel-log") {
            return;
        }
        let (told, silent) = if by("tracefs") { ("tracefs", "kernel-log") } else { ("kernel-log", "tracefs") };
        let says = format!("{told} tells of pid {}, {silent} does not", victim.pid);
        found.push(match self.gaps_of(episode).any(|gap| gap.source == silent) {
            true => {
                Disagreement::because(says, format!("records of {silent} were overwritten before they could be read"))
            }
            false => Disagreement { says, because: None },
        });
    }
}

/// v2 counts `oom` where the limit was hit, each time the kernel declares it, and `oom_kill` at the victim.
fn ooms_and_kills(oom: &Oom, found: &mut Vec<Disagreement>) {
    if oom.hierarchy != Version::V2 || oom.victims.is_empty() {
        return;
    }
    let own = |counters: &Counters| counters.local.get("oom").or(counters.oom);
    let rose =
        own(&oom.counters.after).zip(own(&oom.counters.before)).map(|(after, before)| after.saturating_sub(before));
    if let Some(rose) = rose.filter(|rose| *rose > oom.victims.len() as u64) {
        found.push(Disagreement::because(
            format!("oom rose by {rose} for {} killed", oom.victims.len()),
            "the kernel declares an OOM each time it tries again: often where a limit was lowered below the usage",
        ));
    }
    let victim_group = oom.victims.iter().find_map(|victim| victim.group.as_deref());
    if let (Some(limit), Some(victim)) = (oom.limit_group.as_deref(), victim_group) {
        if limit != victim {
            found.push(Disagreement::because(
                format!("oom is counted in {limit}, oom_kill in {victim}"),
                "the limit of a group above the victim's was hit",
            ));
        }
    }
}

fn status(victim: &Victim, scene: &dyn Scene, found: &mut Vec<Disagreement>) {
    let exit = worker(scene, victim.pid).and_then(|worker| worker.exit);
    if let Some((returncode, _)) = exit.filter(|(returncode, _)| *returncode != -libc::SIGKILL) {
        found.push(Disagreement::because(
            format!("pid {} was killed in an OOM and ended with status {}", victim.pid, returncode),
            "it was ending already when it was chosen",
        ));
    }
}

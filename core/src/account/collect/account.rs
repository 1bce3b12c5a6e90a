//! The account of an OOM whose evidence is complete.

use super::contents::charged_ahead;
use super::episode::{Episode, Kill};
use super::gaps::{limit_of, without_group};
use super::holding::Unsure;
use super::logs::inside;
use super::parts::{call_path, predicted, timings};
use super::{within, Before, Collector, Reading, COMPLETE_WITHIN, MOST_UNCLAIMED};
use crate::account::composition::Composition;
use crate::account::grower::grower;
use crate::account::holders::Holder;
use crate::account::oom::{Blocked, Cause, Oom, Predicted, Process, Span, SwapUse};
use crate::account::scene::{worker, Scene};
use crate::account::scope::Scope;
use crate::account::start::{below_start, is_program};
use crate::account::victim::Candidate;
use crate::memcg::counters::CHARGE_BATCH_PAGES;
use crate::memcg::path::covers;
use crate::memcg::version::Version;
use crate::memcg::{Counters, Limit, Stat};
use crate::observe::missing::Missing;

impl Collector {
    /// Whose limit was hit, by the report.
    pub(super) fn limit_group(&self, episode: &Episode, scene: &dyn Scene) -> Option<String> {
        let path = episode.report.as_ref()?.oom_memcg.as_deref()?;
        Some(inside(path, &scene.groups()).unwrap_or_else(|| crate::text::escape(path)))
    }

    // Long: one literal at its end, and before that a line or two for each of its fields.
    pub(super) fn account(&mut self, mut episode: Episode, scene: &dyn Scene, reading: &Reading) -> Oom {
        let mut missing = self.close(&mut episode, reading, scene);
        let victim_group = episode.kills.iter().find_map(|kill| kill.victim.group.clone());
        let victim_group = victim_group.or(episode.counted_in.clone());
        let reported = self.limit_group(&episode, scene);
        let groups = scene.groups();
        let is_seen = |cgroup: &&str| groups.iter().any(|seen| seen.cgroup == *cgroup);
        let limit_group = reported.or_else(|| {
            victim_group.as_deref().filter(is_seen).and_then(|cgroup| self.struck(cgroup, &episode, scene))
        });
        let after = limit_group.as_deref().and_then(|cgroup| reading.of(cgroup)).cloned().unwrap_or_default();
        // A prediction was made for one step, and says nothing of what happened after that.
        let before = limit_group.as_deref().and_then(|cgroup| self.before.get(cgroup)).map(Box::as_ref);
        let during = |before: &&Before| match (episode.marked_ns, before.step_ended_ns) {
            (Some(marked_ns), Some(ended_ns)) => marked_ns <= ended_ns,
            _ => true,
        };
        let scope = before.filter(during).and_then(|before| before.scope.as_ref());
        let memory = episode.report.as_ref().and_then(|report| report.memory.as_ref());
        let counters_before = before.map(|before| before.counters.clone()).unwrap_or_default();
        let step_started_ns = before.and_then(|before| before.step_started_ns);
        // A command is read at its start and not again, so that reading may be old. The peak is better where it has risen
        // since: then it was reached meanwhile, and it is no lower than the usage at the OOM.
        let risen = after.peak_bytes.filter(|peak| counters_before.peak_bytes.is_some_and(|before| before < *peak));
        let usage_before = memory.map(|memory| memory.usage_bytes).or(risen).or(counters_before.usage_bytes);
        let (limit_bytes, no_limit) =
            limit_of(memory.map(|memory| memory.limit_bytes), limit_group.as_deref().filter(is_seen), scene);
        missing.extend(no_limit);
        let (predicted, candidates) = self.foreseen(&mut episode, scope, limit_group.as_deref(), scene);
        missing.extend(without_group(&candidates));
        if predicted.is_none() {
            missing.push(Missing::new("prediction", "no step of a hog led here, and there is no task table"));
        }
        if episode.report.as_ref().is_none_or(|report| report.invoker.is_none())
            && (self.has_log || self.outside.is_some())
        {
            missing.push(self.no_report(&episode, scene));
        }
        missing.extend(not_ended(&episode, scene.now_ns()));
        let call_path = call_path(&episode);
        if call_path.is_empty() {
            missing.push(Missing::new("call-path", "neither the tracepoint nor a report gave one"));
        }
        let timings_ns = timings(&episode, step_started_ns, scene.now_ns());
        let usage_bytes = Span { before: usage_before, after: after.usage_bytes };
        if let Some(cgroup) = limit_group.as_deref() {
            self.unread(cgroup, reading, Some(&usage_bytes), &mut missing);
        }
        let other = victim_group.as_deref().filter(|cgroup| Some(*cgroup) != limit_group.as_deref());
        if let Some(cgroup) = other {
            self.unread(cgroup, reading, None, &mut missing);
        }
        let victim_counters = other.filter(is_seen).map(|cgroup| Span {
            before: self.counters_before(cgroup),
            after: reading.of(cgroup).cloned().unwrap_or_default(),
        });
        let marked_ns = episode.marked_ns;
        let hierarchy = groups.first().map_or(Version::V2, |seen| seen.version);
        if limit_group.is_none() {
            missing
                .push(Missing::new("limit-group", "no report says whose limit was hit, and the counters do not tell"));
        }
        // What was read of the usage may be of long before, as of a group that was read when it was made; the limit was hit.
        let charged_bytes = usage_before.max(limit_bytes);
        let composition = self.composition(&episode, limit_group.as_deref(), hierarchy, charged_bytes, scene);
        if composition.is_none() {
            let reason = "no report was read, and memory.stat was not read while the memory of the victim was there";
            missing.push(Missing::new("composition", reason));
        }
        let (holders, unsure) =
            self.holders(&episode, limit_group.as_deref().filter(is_seen), composition.as_ref(), scene);
        let struck_ns = episode.marked_ns.unwrap_or_else(|| scene.now_ns());
        let grower = grower(&holders, &self.growth, struck_ns, limit_bytes, charged_ahead(scene));
        missing.extend(unsure.iter().map(Unsure::as_missing));
        let grower = grower.filter(|one| unsure.iter().all(|other| other.grown_bytes <= one.grown_bytes));
        let struck = limit_group.as_deref();
        let groups = struck.map_or_else(Vec::new, |cgroup| self.groups_below(cgroup, scene));
        let occurrence = self.occurred(struck);
        let swap_bytes = composition.as_ref().and_then(|made| made.swap_bytes);
        let swap = struck.and_then(|cgroup| scene.swap(cgroup)).map(|swap| SwapUse { usage_bytes: swap_bytes, ..swap });
        let least_start_bytes = least_start(&episode, &holders, limit_bytes, scene);
        self.last_struck = limit_group.clone().map(|cgroup| (cgroup, reading.ended_ns));
        // Whoever was ending already was neither killed nor counted.
        let killed =
            episode.kills.iter().map(|kill| &kill.victim).filter(|victim| !episode.ending.contains(&victim.pid));
        let mut oom = Oom {
            schema: Oom::SCHEMA,
            schema_revision: Oom::REVISION,
            hierarchy,
            limit_group,
            limit_workload: None,
            limit_bytes,
            usage_bytes,
            composition,
            holders,
            grower,
            counted_in: episode.counted_in.clone(),
            groups,
            swap,
            occurrence,
            least_start_bytes,
            invoker: episode.invoker.clone(),
            predicted,
            candidates,
            victims: killed.cloned().collect(),
            counters: Span { before: counters_before, after },
            victim_counters,
            report: episode.report.clone(),
            call_path,
            blocked: Vec::new(),
            timings_ns,
            disagreements: Vec::new(),
            missing,
            findings: Vec::new(),
            summary: String::new(),
        };
        oom.disagreements = self.disagreements(&oom, &episode, reading, scene);
        let oom = oom.with_workloads(scene).explained();
        self.tally(&oom, marked_ns, reading, scene);
        self.begin_from(reading);
        oom
    }

    /// Nothing more is taken into the account: who its victims are is settled, and they are remembered. Gives what could
    /// not be had of all sources.
    fn close(&mut self, episode: &mut Episode, reading: &Reading, scene: &dyn Scene) -> Vec<Missing> {
        match self.outside {
            Some(_) => {
                self.take_outside(episode, scene);
                self.leave_open(episode, scene);
            }
            None => {
                self.identify_members(episode, reading, scene);
                self.identify_thread(episode, scene);
            }
        }
        self.told.extend(episode.first_sequence);
        episode.kills.iter().for_each(|kill| drop(self.foreseen.remove(&kill.victim.pid)));
        let workers = episode.kills.iter().filter_map(|kill| worker(scene, kill.victim.pid));
        self.judged.extend(workers.map(|worker| worker.id));
        // One that has not ended keeps its pid.
        let until_ns = |kill: &Kill| kill.ended_ns.map_or(u64::MAX, |_| reading.ended_ns);
        self.accounted.extend(episode.kills.iter().map(|kill| (kill.victim.pid, until_ns(kill))));
        while self.accounted.len() > MOST_UNCLAIMED {
            self.accounted.pop_front();
        }
        let mut missing = scene.missing();
        missing.append(&mut self.lost);
        missing.extend(episode.missing.iter().cloned());
        missing.extend(self.gaps_as_missing(episode));
        missing
    }

    /// Who would be killed, and among whom. The prediction of a step is certain only if nothing else happened meanwhile.
    fn foreseen(
        &self,
        episode: &mut Episode,
        scope: Option<&Scope>,
        limit_group: Option<&str>,
        scene: &dyn Scene,
    ) -> (Option<Predicted>, Vec<Candidate>) {
        let whose = |pid: i32| self.placed_in(pid, episode, limit_group, scene);
        let (mut predicted, candidates) = predicted(scope, episode.report.as_deref(), &whose, scene.page_bytes());
        if let Some(predicted) = predicted.as_mut().filter(|one| one.source == "procfs") {
            // Somebody else took memory meanwhile, so the one that was to grow has got less of it.
            let growing = scope.and_then(|scope| scope.growing);
            if episode.invoker.as_ref().zip(growing).is_some_and(|(invoker, growing)| invoker.pid != growing) {
                (predicted.determined, episode.others_grew) = (false, predicted.determined);
            }
            // Whoever ended otherwise may have been gone, or going, when the kernel looked.
            predicted.determined &= episode.has(predicted.pid) || !ended(predicted.pid, scene);
        }
        (predicted, candidates)
    }

    /// What comes next starts from here; not where an earlier OOM is not complete, whose counters are to be held against
    /// those before it.
    fn begin_from(&mut self, reading: &Reading) {
        let waits = |cgroup: &str| self.waiting.iter().flatten().any(|at| covers(at, cgroup));
        let begins: Vec<_> = reading.all().filter(|(cgroup, _)| !waits(cgroup)).collect();
        for (cgroup, counters) in begins {
            if let Some(before) = self.before.get_mut(cgroup) {
                before.counters = counters.clone();
                before.read_ns = reading.ended_ns;
                before.scope = None;
            }
            self.notified.remove(cgroup);
        }
    }

    /// The account of a worker that waits because the OOM killer is off: the group with the switch is the one whose
    /// limit was hit.
    pub(super) fn blocked(&mut self, cgroup: &str, blocked: Blocked, scene: &dyn Scene) -> Oom {
        let off = |at: &&String| scene.counters(at).is_ok_and(|counters| counters.oom_kill_disable == Some(true));
        let chain = scene.chain(cgroup);
        let at = chain.iter().find(off).map_or(cgroup, String::as_str);
        let limit = scene.limit(at);
        let limit_bytes = limit.as_ref().ok().and_then(|limit| limit.bytes());
        let composition = scene.contents(at).map(|held| Composition::of_contents(&held, "memory.stat"));
        let holders = self.waiting_holders(&scene.living(at), composition.as_ref(), scene);
        let grower = grower(&holders, &self.growth, scene.now_ns(), limit_bytes, charged_ahead(scene));
        let groups = self.groups_below(at, scene);
        let swap_bytes = composition.as_ref().and_then(|made| made.swap_bytes);
        let swap = scene.swap(at).map(|swap| SwapUse { usage_bytes: swap_bytes, ..swap });
        let (before, read) = (self.before.get(at), scene.counters(at));
        let mut missing = scene.missing();
        if before.is_none_or(|before| before.counters == Counters::default()) {
            missing.push(Missing::new("counters", "nothing of them had been read before the OOM"));
        }
        missing.extend(read.as_ref().err().map(|reason| Missing::new("counters", reason.clone())));
        missing.extend(limit.as_ref().err().map(|reason| Missing::new("limit", reason.clone())));
        let counters = Span { before: self.counters_before(at), after: read.unwrap_or_default() };
        let (predicted, candidates) = predicted(self.scope_before(at), None, &|_| None, scene.page_bytes());
        let mut timings_ns = Stat::default();
        if let Some(moment) = before.and_then(|before| before.step_started_ns) {
            timings_ns.push("step_started", moment);
        }
        timings_ns.push("complete", scene.now_ns());
        Oom {
            schema: Oom::SCHEMA,
            schema_revision: Oom::REVISION,
            hierarchy: version_of(cgroup, scene),
            limit_group: Some(at.to_string()),
            limit_workload: None,
            limit_bytes,
            usage_bytes: Span { before: counters.before.usage_bytes, after: counters.after.usage_bytes },
            composition,
            holders,
            grower,
            counted_in: None,
            groups,
            swap,
            occurrence: self.occurred(Some(at)),
            least_start_bytes: None,
            invoker: Some(Process { pid: blocked.pid, comm: blocked.comm.clone() }),
            predicted,
            candidates,
            victims: Vec::new(),
            counters,
            victim_counters: None,
            report: None,
            call_path: blocked.stack.clone(),
            blocked: vec![blocked],
            timings_ns,
            disagreements: Vec::new(),
            missing,
            findings: Vec::new(),
            summary: String::new(),
        }
        .with_workloads(scene)
        .explained()
    }

    /// Whose limit was hit, without a report: the failed charge counts where it failed (v1 `memory.failcnt`, v2 `oom`
    /// of `memory.events.local`).
    pub(super) fn struck(&self, cgroup: &str, episode: &Episode, scene: &dyn Scene) -> Option<String> {
        let version = version_of(cgroup, scene);
        let limit_of = |at: &str| scene.limit(at).ok().and_then(Limit::bytes);
        let rose = |at: &&String| {
            let (Some(before), Ok(now)) = (self.before.get(at.as_str()), scene.counters(at)) else { return false };
            let count = |counters: &Counters| match version {
                Version::V1 => counters.failcnt,
                Version::V2 => counters.local.get("oom").or(counters.oom),
            };
            count(&now) > count(&before.counters)
        };
        // Where memory+swap has the same limit as memory, its charge fails first, and 6.18 counts that nowhere: then
        // the usage that once stood at the limit tells.
        let full = |at: &&String| {
            let peak = scene.counters(at).ok().and_then(|counters| counters.peak_bytes);
            limit_of(at).is_some_and(|limit| peak.is_some_and(|peak| peak >= limit))
        };
        let chain = scene.chain(cgroup);
        // Or there is one limit only, and the usage did come to it: the lab may itself stand below a limit. The charge that
        // fails takes no more than the kernel takes at once, 64 pages.
        let reached = |at: &&String| {
            let peak = scene.counters(at).ok().and_then(|counters| counters.peak_bytes);
            let near = |peak: u64| {
                limit_of(at).is_some_and(|limit| peak.saturating_add(CHARGE_BATCH_PAGES * scene.page_bytes()) >= limit)
            };
            peak.is_none_or(near)
        };
        let mut limited = chain.iter().filter(|at| limit_of(at).is_some());
        let only = limited.next().filter(|_| limited.next().is_none()).filter(reached);
        let found = chain.iter().find(rose).or_else(|| chain.iter().find(full)).or(only).cloned();
        // Of several kills at once the first has had the readings of all: it was the same limit.
        let last = self.last_struck.iter().filter(|(_, read_ns)| episode.opened_ns <= *read_ns).map(|(last, _)| last);
        found.or_else(|| {
            let mut last = last.filter(|last| covers(last, cgroup));
            last.next().cloned()
        })
    }
}

/// The hierarchy in which a group stands, or those that are observed with it.
fn version_of(cgroup: &str, scene: &dyn Scene) -> Version {
    let groups = scene.groups();
    groups.iter().find(|seen| seen.cgroup == cgroup).or(groups.first()).map_or(Version::V2, |seen| seen.version)
}

/// A victim, or another process of a group that is killed as a whole, that an account was not kept open for any longer.
fn not_ended(episode: &Episode, now_ns: u64) -> Option<Missing> {
    let who = match (episode.all_ended(), episode.sealed) {
        (false, _) => "a victim",
        (true, false) => "a process of a group that the kernel was to kill as a whole",
        (true, true) => return None,
    };
    let overdue = !within(COMPLETE_WITHIN, episode.opened_ns, now_ns);
    let by = if overdue { "within 10 seconds" } else { "when the group went" };
    Some(Missing::new("exit", format!("{who} had not ended {by}")))
}

/// Where the victim is no hog of ours and had not come to its own code: the smallest limit seen to work.
fn least_start(episode: &Episode, holders: &[Holder], limit_bytes: Option<u64>, scene: &dyn Scene) -> Option<u64> {
    let victim = episode.kills.iter().map(|kill| &kill.victim).find(|victim| victim.cause == Cause::Selected)?;
    let worker = worker(scene, victim.pid);
    if worker.as_ref().is_some_and(|worker| worker.is_ours) {
        return None;
    }
    // A script has its own name, and needs what its interpreter does.
    let script = worker.filter(|worker| worker.name == victim.comm).and_then(|worker| worker.interpreter);
    let program = script.as_deref().unwrap_or(&victim.comm);
    let held = holders.iter().find(|holder| holder.pid == Some(victim.pid)).map_or(0, Holder::own_bytes);
    let of = |program: &[u8]| below_start(program, held, limit_bytes?, scene.page_bytes());
    of(program).or_else(|| is_program(&victim.comm).then(|| of(&victim.comm)).flatten())
}

/// Whether a process has ended, or is about to.
pub(super) fn ended(pid: i32, scene: &dyn Scene) -> bool {
    worker(scene, pid).is_some_and(|worker| worker.exit.is_some()) || scene.is_ending(pid)
}

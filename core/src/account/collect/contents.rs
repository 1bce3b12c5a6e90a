//! What the group held whose limit was hit: by the report, else as it was read when the kernel notified, else before.

use super::{Collector, Episode};
use crate::account::composition::Composition;
use crate::account::oom::GroupUse;
use crate::account::scene::Scene;
use crate::memcg::contents::{Below, Contents};
use crate::memcg::counters::charged_ahead_bytes;
use crate::memcg::version::Version;

impl Collector {
    /// The kernel has notified of a group, and this is what it held just then. A victim may have gone by then, so of two
    /// readings since the last account the fuller one stays; of two as full the newer one.
    pub(super) fn notified(&mut self, cgroup: &str, contents: Contents, below: Vec<Below>, scene: &dyn Scene) {
        let fuller = |(kept, _): &(Contents, Vec<Below>)| {
            kept.usage_bytes.unwrap_or(0) > contents.usage_bytes.unwrap_or(0).saturating_add(charged_ahead(scene))
        };
        if !self.notified.get(cgroup).is_some_and(fuller) {
            self.notified.insert(cgroup.to_string(), (contents, below));
        }
    }

    /// A group was looked at.
    pub(super) fn sampled(&mut self, cgroup: &str, contents: Contents) {
        self.sampled.insert(cgroup.to_string(), contents);
    }

    /// What the charged bytes were before the kill, when so many were charged.
    pub(super) fn composition(
        &self,
        episode: &Episode,
        limit_group: Option<&str>,
        version: Version,
        charged_bytes: Option<u64>,
        scene: &dyn Scene,
    ) -> Option<Composition> {
        let read_ns = episode.marked_ns.unwrap_or(self.read_ns);
        let reported = episode.report.as_ref().and_then(|report| Composition::of_report(report, version, read_ns));
        let made = reported.or_else(|| self.read(episode, limit_group?, charged_bytes, version, scene))?;
        let untold = version == Version::V1 && made.page_tables_bytes.is_none();
        match untold.then(|| page_tables(episode, limit_group, made.kernel_bytes, scene)).flatten() {
            Some(bytes) => Some(made.with_page_tables(bytes)),
            None => Some(made),
        }
    }

    /// The same by what was read of the files of the group.
    fn read(
        &self,
        episode: &Episode,
        cgroup: &str,
        charged_bytes: Option<u64>,
        version: Version,
        scene: &dyn Scene,
    ) -> Option<Composition> {
        let notified = self.notified.get(cgroup).map(|(contents, _)| (contents, "memory.stat"));
        let looks = self.scope_before(cgroup).map(|scope| &scope.contents).into_iter().chain(self.sampled.get(cgroup));
        let sampled = looks.max_by_key(|contents| contents.read_ns).map(|contents| (contents, "sample"));
        let wanted = charged_bytes.unwrap_or(0);
        let made = |(contents, source): (&Contents, &'static str)| {
            let made = Composition::of_contents(contents, source);
            // A process in its exit takes its pages out of the parts first, and gives them back many at a time.
            let gone = made.unexplained_bytes.filter(|_| made.kernel_bytes.is_some()).unwrap_or(0);
            let held = contents.usage_bytes.map(|usage| usage.saturating_add(made.swap_bytes.unwrap_or(0)));
            (made, held.unwrap_or(0).saturating_sub(gone))
        };
        // On a busy machine the victim has given back its memory before the notification is read.
        let in_time = |of: &(Composition, u64)| of.1.saturating_add(charged_ahead(scene)) >= wanted;
        // What was read when less than half of it was there says nothing of the rest.
        let tells = |of: &(Composition, u64)| of.1 >= wanted / 2;
        let notified = notified.map(made);
        // What has no number was given back while the numbers were read.
        let whole = |made: &Composition| made.unexplained_bytes.is_none_or(|left| left <= charged_ahead(scene));
        if let Some((made, _)) = notified.as_ref().filter(|of| in_time(of) && whole(&of.0)) {
            return Some(made.clone());
        }
        let now = || scene.contents(cgroup).map(|held| Composition::of_contents(&held, "memory.stat"));
        let before = episode.anon_bytes().zip(charged_bytes).and_then(|(dead, charged)| {
            let late = notified.as_ref().map(|(made, _)| made.clone()).or_else(now)?;
            late.before_a_kill(dead, charged, version)
        });
        let read = || notified.filter(in_time).or_else(|| sampled.map(made).filter(tells)).map(|(made, _)| made);
        before.or_else(read)
    }
}

/// The page tables of the processes, as far as they are told of each: by the kernel's table, else by the marks of the dead and
/// by who is left. Where the dead had few of them it is not looked at: those of a process's first moments may be charged to
/// whoever started it.
fn page_tables(episode: &Episode, limit_group: Option<&str>, kernel: Option<u64>, scene: &dyn Scene) -> Option<u64> {
    let report = episode.report.as_deref().filter(|report| !report.tasks.is_empty());
    if let Some(report) = report {
        let all: Option<u64> = report.tasks.iter().map(|task| task.pgtables_bytes).sum();
        return all.filter(|all| *all >= charged_ahead(scene));
    }
    let dead: u64 = episode.tables.iter().sum();
    if dead < charged_ahead(scene).max(kernel? / 4) {
        return None;
    }
    let living = scene.living(limit_group?);
    let living = living.iter().filter(|input| !episode.has(input.pid)).map(|input| input.pgtable_pages);
    Some(dead + living.sum::<u64>().saturating_mul(scene.page_bytes()))
}

impl Collector {
    /// The groups directly below the one whose limit was hit, as they were when the kernel notified, else as they are now.
    pub(super) fn groups_below(&self, cgroup: &str, scene: &dyn Scene) -> Vec<GroupUse> {
        let then = self.notified.get(cgroup).map(|(_, below)| below.clone()).filter(|below| !below.is_empty());
        let below = then.unwrap_or_else(|| scene.below(cgroup));
        below
            .into_iter()
            .map(|one| GroupUse {
                group: format!("{}/{}", cgroup.trim_end_matches('/'), crate::text::escape(&one.name)),
                usage_bytes: one.usage_bytes,
                limit_bytes: one.limit_bytes,
            })
            .collect()
    }

    /// Counts an OOM of a group; the how many-th it is.
    pub(super) fn occurred(&mut self, cgroup: Option<&str>) -> Option<u64> {
        let count = self.occurrences.or_insert_with(cgroup?.to_string(), || 0);
        *count += 1;
        Some(*count)
    }
}

/// By how much a usage may be ahead of what is used.
pub(super) fn charged_ahead(scene: &dyn Scene) -> u64 {
    charged_ahead_bytes(scene.page_bytes(), scene.cpus())
}

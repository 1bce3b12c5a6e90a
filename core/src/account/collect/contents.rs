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
        if reported.is_some() {
            return reported;
        }
        let cgroup = limit_group?;
        let notified = self.notified.get(cgroup).map(|(contents, _)| (contents, "memory.stat"));
        let before = self.before.get(cgroup).and_then(|before| before.scope.as_ref());
        let looks = before.map(|scope| &scope.contents).into_iter().chain(self.sampled.get(cgroup));
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
        let found = notified.map(made).filter(in_time).or_else(|| sampled.map(made).filter(tells));
        found.map(|(made, _)| made)
    }
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

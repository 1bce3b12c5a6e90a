//! No OOM: `memory.high` slowed the group down until the time was up.

use serde::Serialize;

use crate::memcg::limits::human_size;
use crate::observe::callpath::Frame;
use crate::observe::finding::Finding;

/// What shows that a group was held by `memory.high` (v2) when the time of its command was up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Throttled {
    /// The group that has the `memory.high`.
    pub group: String,
    /// Its `memory.high` in bytes.
    pub high_bytes: u64,
    /// What it used when the time was up.
    pub usage_bytes: u64,
    /// By how much that was above it; 0 where it was held just below.
    pub over_bytes: u64,
    /// How often it went over (`high` of `memory.events`).
    pub high_events: u64,
    /// How long at least one of its tasks waited for memory, in microseconds (`some` of `memory.pressure`); null where the
    /// kernel keeps no PSI.
    pub stalled_usec: Option<u64>,
    /// How long the command had been running by then, in microseconds.
    pub elapsed_usec: u64,
    /// The process that was looked at.
    pub pid: i32,
    /// The kernel function in which it waited; null where it was on a CPU just then.
    pub wchan: Option<String>,
    /// Its kernel stack, innermost first; empty where it could not be read.
    pub stack: Vec<Frame>,
}

impl Throttled {
    /// Whether a task waits because its group is over `memory.high`.
    pub(crate) fn is_wait(wchan: Option<&str>, stack: &[Frame]) -> bool {
        let is_it = |function: &str| function.contains("mem_cgroup_handle_over_high");
        wchan.is_some_and(is_it) || stack.iter().any(|frame| is_it(&frame.function))
    }

    /// Whether the numbers show that it was `memory.high` that took the time: it was hit, the usage stands there, and a
    /// task waits for it or a good part of the time went into such waits.
    pub(crate) fn holds(&self, slack_bytes: u64) -> bool {
        let waits = Throttled::is_wait(self.wchan.as_deref(), &self.stack);
        let stalled = self.stalled_usec.is_some_and(|stalled| stalled >= self.elapsed_usec / 10);
        self.high_events > 0 && self.usage_bytes + slack_bytes >= self.high_bytes && (waits || stalled)
    }

    /// The finding `throttled`.
    pub(crate) fn finding(&self) -> Finding {
        let Throttled { group, high_bytes, usage_bytes, over_bytes, stalled_usec, elapsed_usec, wchan, .. } = self;
        let lost = stalled_usec.map_or(String::new(), |stalled| {
            format!(", and its tasks waited {} ms of {} ms for memory", stalled / 1000, elapsed_usec / 1000)
        });
        let text = format!(
            "It was no OOM: memory.high of {group} ({}) slowed it down; the usage was {}{lost}.",
            human_size(*high_bytes),
            human_size(*usage_bytes)
        );
        let mut found = Finding::new("throttled", text)
            .shown_by("throttled.high_bytes", high_bytes)
            .shown_by("throttled.usage_bytes", usage_bytes)
            .shown_by("throttled.over_bytes", over_bytes)
            .shown_by("throttled.high_events", self.high_events);
        if let Some(stalled) = stalled_usec {
            found = found.shown_by("throttled.stalled_usec", stalled);
        }
        if let Some(wchan) = wchan {
            found = found.shown_by("throttled.wchan", wchan);
        }
        found.remedied_by(
            "raise memory.high or have the command use less: above it the kernel lets a task sleep, and kills nobody",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled() -> Throttled {
        Throttled {
            group: "/lab/run".to_string(),
            high_bytes: 16 << 20,
            usage_bytes: 17 << 20,
            over_bytes: 1 << 20,
            high_events: 9,
            stalled_usec: Some(1_600_000),
            elapsed_usec: 2_000_000,
            pid: 7,
            wchan: Some("mem_cgroup_handle_over_high".to_string()),
            stack: Vec::new(),
        }
    }

    #[test]
    fn it_is_said_where_the_numbers_show_it_and_nowhere_else() {
        let held = throttled();
        assert!(held.holds(0));
        assert!(Throttled { wchan: None, ..held.clone() }.holds(0), "the time lost shows it");
        assert!(Throttled { stalled_usec: None, ..held.clone() }.holds(0), "the wait shows it");
        for other in [
            Throttled { high_events: 0, ..held.clone() },
            Throttled { usage_bytes: 4 << 20, ..held.clone() },
            Throttled { wchan: None, stalled_usec: Some(9), ..held.clone() },
            Throttled { wchan: Some("do_wait".to_string()), stalled_usec: None, ..held.clone() },
        ] {
            assert!(!other.holds(0), "{other:?}");
        }
    }

    #[test]
    fn its_finding_has_its_numbers() {
        let found = throttled().finding();
        assert_eq!(
            found.text,
            "It was no OOM: memory.high of /lab/run (16M) slowed it down; the usage was 17M, and its tasks waited 1600 ms \
             of 2000 ms for memory."
        );
        assert_eq!(found.code, "throttled");
        assert!(found.evidence.contains(&"throttled.wchan = mem_cgroup_handle_over_high".to_string()), "{found:?}");
    }
}

//! A timeline the way a person reads it.

use std::fmt::Write;

use super::timeline::Timeline;
use crate::map::Map;
use crate::memcg::limits::human_size;
use crate::observe::{Event, EventKind};

impl Timeline {
    /// The timeline as text for a person, one line for each event: milliseconds since the first one, the usage of the
    /// group at that time, who said it, and what happened. Processes that are known by name are named.
    ///
    /// Without `full` what only repeats itself is left out: samples (the usage stands in its column), lines of
    /// the kernel log, the telling of each step before it is taken, and ticks.
    pub fn to_text(&self, full: bool) -> String {
        let Some(first) = self.events.first() else { return "nothing happened\n".to_string() };
        let mut text = String::new();
        if self.forgotten_events > 0 || self.forgotten_ooms > 0 {
            let (events, ooms) = (self.forgotten_events, self.forgotten_ooms);
            let _ =
                writeln!(text, "forgotten before: {events} events, {ooms} accounts; the lab keeps the last of them");
        }
        let named = |event: &Event| match (&event.kind, event.pid) {
            (EventKind::Started { name }, Some(pid)) => Some((pid, name.clone())),
            _ => None,
        };
        let names: Map<i32, String> = self.events.iter().filter_map(|event| named(event)).collect();
        let mut usage: Map<Option<&str>, u64> = Map::new();
        for event in &self.events {
            let group = event.group.as_deref();
            let seen = match &event.kind {
                EventKind::Usage { usage_bytes } => Some(*usage_bytes),
                EventKind::Notified { counters } => counters.usage_bytes,
                _ => None,
            };
            if let Some(seen) = seen {
                usage.insert(group, seen);
            }
            let repeats = matches!(
                event.kind,
                EventKind::Usage { .. }
                    | EventKind::Share { .. }
                    | EventKind::Log { .. }
                    | EventKind::Stepping { .. }
                    | EventKind::Ticked { .. }
            );
            if repeats && !full {
                continue;
            }
            let mut what = event.to_text();
            if let (Some(pid), false) = (event.pid, shows_its_name(&event.kind)) {
                if let Some(name) = names.get(&pid) {
                    what = what.replacen(&format!("pid {pid}"), name, 1);
                }
            }
            let after_us = (event.time_ns.saturating_sub(first.time_ns) + 500) / 1000;
            let (ms, us) = (after_us / 1000, after_us % 1000);
            let used = usage.get(&group).map_or_else(|| "unknown".to_string(), |bytes| human_size(*bytes));
            let _ = writeln!(text, "{ms:6}.{us:03} ms  {used:>7}  {:<10}  {what}", event.source.name());
        }
        text
    }
}

fn shows_its_name(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Started { .. }
            | EventKind::Share { .. }
            | EventKind::Predicted { .. }
            | EventKind::Victim { .. }
            | EventKind::Killed { .. }
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::observe::Source;

    fn event(time_ns: u64, pid: Option<i32>, kind: EventKind) -> Arc<Event> {
        Arc::new(Event { time_ns, source: Source::Worker, group: Some("/g".to_string()), pid, kind })
    }

    #[test]
    fn lines_in_order_with_usage_and_names() {
        let timeline = Timeline::new(
            vec![
                event(3_500_000, Some(7), EventKind::Exited { returncode: -9 }),
                event(1_000_000, Some(7), EventKind::Started { name: "hog".to_string() }),
                event(2_000_000, None, EventKind::Usage { usage_bytes: 10 << 20 }),
            ],
            Vec::new(),
        );
        assert_eq!(
            timeline.to_text(false),
            "     0.000 ms  unknown  worker      hog (pid 7) is ready\n     2.500 ms      10M  worker      hog has ended: signal 9\n"
        );
        assert_eq!(timeline.to_text(true).lines().count(), 3);
        assert_eq!(Timeline::new(Vec::new(), Vec::new()).to_text(true), "nothing happened\n");
    }
}

//! An event the way a person reads it, and the names of its kinds.

use super::author::signal_name;
use super::event::{Event, EventKind};
use crate::memcg::limits::human_size;
use crate::memcg::Counters;
use crate::observe::Author;

/// Gives each variant its name, as it stands in documents.
macro_rules! names {
    ($($variant:ident => $name:literal,)*) => {
        impl EventKind {
            /// The name of every kind, in the order in which this type has them. The C face tells them to its readers.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name as it stands in documents.
            pub fn name(&self) -> &'static str {
                match self {
                    $(EventKind::$variant { .. } => $name,)*
                }
            }
        }
    };
}

names! {
    Started => "started",
    Stepping => "stepping",
    Stepped => "stepped",
    Shrunk => "shrunk",
    StepFailed => "step_failed",
    Ticked => "ticked",
    Exited => "exited",
    Notified => "notified",
    Predicted => "predicted",
    Victim => "victim",
    Killed => "killed",
    Log => "log",
    Blocked => "blocked",
    Usage => "usage",
    Share => "share",
    Limit => "limit",
    Switch => "switch",
    Setting => "setting",
    Alarm => "alarm",
    Removed => "removed",
    Lost => "lost",
}

impl Event {
    /// What happened, in a few words for a person, without time and source: `pid 7 has taken it, and holds 40M`.
    pub fn to_text(&self) -> String {
        let who = self.pid.map_or_else(|| "a process".to_string(), |pid| format!("pid {pid}"));
        match &self.kind {
            EventKind::Started { name } => format!("{name} ({who}) is ready"),
            EventKind::Stepping { step_bytes } => format!("{who} is told to take {}", human_size(*step_bytes)),
            EventKind::Stepped { total_bytes, .. } => {
                format!("{who} has taken it, and holds {}", human_size(*total_bytes))
            }
            EventKind::Shrunk { step_bytes, total_bytes } => {
                format!("{who} has given {} back, and holds {}", human_size(*step_bytes), human_size(*total_bytes))
            }
            EventKind::StepFailed { errno } => {
                format!("{who} could not take it: {}", std::io::Error::from_raw_os_error(*errno))
            }
            EventKind::Ticked { count } => format!("{who} ticks: {count}"),
            EventKind::Exited { returncode } if *returncode < 0 => format!("{who} has ended: signal {}", -returncode),
            EventKind::Exited { returncode } => format!("{who} has ended: status {returncode}"),
            EventKind::Notified { counters } => notified(counters),
            EventKind::Predicted { comm, score } => {
                format!("predicted: if the limit is met now, {comm} ({who}) is killed, with a score of {score} pages")
            }
            EventKind::Victim { comm, invoker_pid, invoker_comm, .. } => {
                let victim = comm.as_deref().unwrap_or("a process");
                let charge = format!("{invoker_comm} (pid {invoker_pid})");
                format!("the kernel marks {victim} ({who}) as victim, in the charge of {charge}")
            }
            EventKind::Killed { comm, killed_by, .. } => {
                let who = comm.as_ref().map_or_else(|| who.clone(), |comm| format!("{comm} ({who})"));
                let signal = signal_name(killed_by.signal);
                match killed_by.by {
                    Author::Unknown => {
                        format!("{who} is ended by {signal}, and who sent it is {}", killed_by.to_text())
                    }
                    _ => format!("{who} is ended by {signal}, sent by {}", killed_by.to_text()),
                }
            }
            EventKind::Log { text, .. } => format!("the kernel prints: {text}"),
            EventKind::Blocked { state, wchan, .. } => {
                format!("{who} waits in {}, state {state}", wchan.as_deref().unwrap_or("the kernel"))
            }
            EventKind::Usage { usage_bytes } => format!("{} are in use", human_size(*usage_bytes)),
            EventKind::Share { comm, rss_bytes, swap_bytes } => {
                format!("{comm} ({who}) holds {}", human_size(rss_bytes.saturating_add(*swap_bytes)))
            }
            EventKind::Limit { limit_bytes } => {
                format!("the limit is set to {}", limit_bytes.map_or_else(|| "max".to_string(), human_size))
            }
            EventKind::Switch { name, on } => format!("{name} is turned {}", if *on { "on" } else { "off" }),
            EventKind::Setting { file, value } => format!("{file} is set to {value}"),
            EventKind::Alarm { alarm, usage_bytes } => {
                format!("the alarm at {alarm} goes off, with {} in use", human_size(*usage_bytes))
            }
            EventKind::Removed => "the group was removed".to_string(),
            EventKind::Lost { count } => format!("{count} records were lost"),
        }
    }
}

fn notified(counters: &Counters) -> String {
    let seen: Vec<String> = [
        ("under_oom", counters.under_oom.map(u64::from)),
        ("oom", counters.oom),
        ("oom_kill", counters.oom_kill),
        ("oom_group_kill", counters.oom_group_kill),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name} {}", value?)))
    .collect();
    if seen.is_empty() {
        "the kernel notifies".to_string()
    } else {
        format!("the kernel notifies: {}", seen.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Author, KilledBy, Source};

    fn event(kind: EventKind) -> Event {
        Event { time_ns: 1, source: Source::Memoom, group: Some("/g".to_string()), pid: Some(7), kind }
    }

    /// One of each kind.
    fn each() -> Vec<Event> {
        let text = || "x".to_string();
        [
            EventKind::Started { name: text() },
            EventKind::Stepping { step_bytes: 1 << 20 },
            EventKind::Stepped { step_bytes: 1 << 20, total_bytes: 3 << 20 },
            EventKind::Shrunk { step_bytes: 1 << 20, total_bytes: 0 },
            EventKind::StepFailed { errno: 12 },
            EventKind::Ticked { count: 9 },
            EventKind::Exited { returncode: -9 },
            EventKind::Notified { counters: Box::default() },
            EventKind::Predicted { comm: text(), score: 5 },
            EventKind::Victim { comm: None, invoker_pid: 3, invoker_comm: text(), call_path: Vec::new() },
            EventKind::Killed {
                comm: None,
                placed_by: "procfs",
                killed_by: Box::new(KilledBy::new(Author::Kernel, 9).because("it says")),
            },
            EventKind::Log { sequence: 4, text: text() },
            EventKind::Blocked { state: 'D', wchan: None, stack: Vec::new() },
            EventKind::Usage { usage_bytes: 4096 },
            EventKind::Share { comm: text(), rss_bytes: 4096, swap_bytes: 0 },
            EventKind::Limit { limit_bytes: None },
            EventKind::Switch { name: text(), on: true },
            EventKind::Setting { file: text(), value: text() },
            EventKind::Alarm { alarm: text(), usage_bytes: 7 },
            EventKind::Removed,
            EventKind::Lost { count: 2 },
        ]
        .into_iter()
        .map(event)
        .collect()
    }

    #[test]
    fn names_are_those_of_the_document() {
        for event in each() {
            let document: serde_json::Value = serde_json::from_str(&event.to_json()).expect("a document");
            assert_eq!(document["schema"], Event::SCHEMA);
            assert_eq!(document["kind"], event.kind.name());
            let schema = include_str!("../../../docs/schema/event.json");
            let named = format!("\"const\": \"{}\"", event.kind.name());
            let bare = matches!(event.kind, EventKind::Removed);
            assert!(bare || schema.contains(&named), "docs/schema/event.json lacks {}", event.kind.name());
            assert_eq!(document["source"], event.source.name());
            assert!(!event.to_text().is_empty());
        }
        let each: Vec<&str> = each().iter().map(|event| event.kind.name()).collect();
        assert_eq!(each, EventKind::NAMES, "one of each");
        let sources = [
            Source::Memoom,
            Source::Worker,
            Source::Supervisor,
            Source::Counters,
            Source::KernelLog,
            Source::Tracefs,
            Source::Procfs,
        ];
        assert_eq!(sources.map(Source::name), Source::NAMES);
        for source in sources {
            assert_eq!(serde_json::to_value(source).expect("a name"), source.name());
        }
    }

    #[test]
    fn words_for_a_person() {
        let text = |kind| event(kind).to_text();
        assert_eq!(
            text(EventKind::Stepped { step_bytes: 1, total_bytes: 40 << 20 }),
            "pid 7 has taken it, and holds 40M"
        );
        assert_eq!(text(EventKind::Exited { returncode: -9 }), "pid 7 has ended: signal 9");
        assert_eq!(text(EventKind::Limit { limit_bytes: None }), "the limit is set to max");
        let killed_by = Box::new(KilledBy::unknown(9, "it is dark"));
        assert_eq!(
            text(EventKind::Killed { comm: Some("a".to_string()), placed_by: "seen", killed_by }),
            "a (pid 7) is ended by SIGKILL, and who sent it is unknown because it is dark"
        );
        let counters = Box::new(Counters { oom: Some(2), under_oom: Some(true), ..Counters::default() });
        assert_eq!(text(EventKind::Notified { counters }), "the kernel notifies: under_oom 1, oom 2");
    }
}

//! Every event of a lab, in order.

use std::sync::Arc;

use serde::Serialize;

use super::oom::Oom;
use crate::observe::Event;
use crate::order::order;

/// Every event and every usage sample of a lab up to one moment, ordered by time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    /// The name and version of this document's form.
    pub schema: &'static str,
    /// The events, ordered by time.
    pub events: Vec<Arc<Event>>,
    /// How many earlier events were forgotten: a lab keeps the last [`LabOptions::keep_events`](crate::LabOptions::keep_events).
    pub forgotten_events: u64,
    /// The same for accounts.
    pub forgotten_ooms: u64,
    /// The accounts, in the order in which they were complete.
    #[serde(skip)]
    pub ooms: Vec<Arc<Oom>>,
}

impl Timeline {
    /// The form of this document.
    pub const SCHEMA: &'static str = "memoom.timeline/1";

    pub(crate) fn new(mut events: Vec<Arc<Event>>, ooms: Vec<Arc<Oom>>) -> Timeline {
        // Sources are read in turn, and each brings the kernel's own stamps.
        order(&mut events, |event| event.time_ns);
        Timeline { schema: Timeline::SCHEMA, events, forgotten_events: 0, forgotten_ooms: 0, ooms }
    }

    /// The same, of which so much was forgotten before.
    pub(crate) fn behind(self, events: usize, ooms: usize) -> Timeline {
        Timeline { forgotten_events: events as u64, forgotten_ooms: ooms as u64, ..self }
    }

    /// The timeline as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

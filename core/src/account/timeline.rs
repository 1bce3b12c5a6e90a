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
        Timeline { schema: Timeline::SCHEMA, events, ooms }
    }

    /// The timeline as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

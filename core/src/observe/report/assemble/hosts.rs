//! Logs of several hosts in one, as collectors hold them: the reports of two may stand in each other.

use super::super::draft::Draft;
use super::super::lines::invoked;
use super::super::scan::head;
use super::super::source::Line;
use super::prelude::Prelude;
use super::{Assembler, Open};

/// What of a host's report has come, while lines of another are read.
#[derive(Debug, Default)]
pub(super) struct Lane {
    host: Option<Vec<u8>>,
    draft: Option<Box<Draft>>,
    open: Option<Open>,
    suppressed: Option<u64>,
    prelude: Prelude,
    /// So many lines have come since its own.
    idle: u32,
}

/// So many hosts run out of memory at once.
const HOSTS: usize = 16;
/// After so many lines of others nothing more is to come.
const IDLE: u32 = 8192;

impl Assembler {
    /// Goes on with the report of the host that a line is of. A host is told from another by a report that begins in one of
    /// the other's: a name may change, or be written in two ways.
    pub(super) fn turn_to(&mut self, host: &[u8], line: &Line<'_>) {
        let same = self.host.as_deref() == Some(host);
        if !self.lanes.is_empty() {
            self.rest();
        }
        if same {
            return;
        }
        if let Some(at) = self.lanes.iter().position(|lane| lane.host.as_deref() == Some(host)) {
            let lane = self.lanes.swap_remove(at);
            let left = self.leave(lane);
            self.lanes.push(left);
            return;
        }
        let within = self.draft.as_ref().is_some_and(|draft| !draft.has_killed() && !draft.is_given_up());
        if !within || self.host.is_none() {
            if self.lanes.is_empty() || !within {
                self.host = Some(host.to_vec());
            }
        } else if invoked(head(&line.text, 256)).is_some() {
            let left = self.leave(Lane { host: Some(host.to_vec()), ..Lane::default() });
            self.lanes.push(left);
        }
    }

    /// Takes up a lane; what was read before is returned.
    fn leave(&mut self, lane: Lane) -> Lane {
        Lane {
            host: std::mem::replace(&mut self.host, lane.host),
            draft: std::mem::replace(&mut self.draft, lane.draft),
            open: std::mem::replace(&mut self.open, lane.open),
            suppressed: std::mem::replace(&mut self.suppressed, lane.suppressed),
            prelude: std::mem::replace(&mut self.prelude, lane.prelude),
            idle: 0,
        }
    }

    /// Ends the lanes of which nothing has come for long, and one where there are too many.
    fn rest(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.idle += 1);
        let over = self.lanes.iter().position(|lane| lane.idle > IDLE);
        if let Some(at) = over.or((self.lanes.len() > HOSTS).then_some(0)) {
            let lane = self.lanes.remove(at);
            self.end_lane(lane);
        }
    }

    fn end_lane(&mut self, lane: Lane) {
        let here = self.leave(lane);
        self.close();
        self.end_draft(true);
        self.leave(here);
    }

    /// Ends the reports of the other hosts.
    pub(super) fn end_lanes(&mut self) {
        for lane in std::mem::take(&mut self.lanes) {
            self.end_lane(lane);
        }
    }
}

//! The order of a log: newest first is turned, and what was pasted twice is taken once.

use std::collections::VecDeque;

use super::lines::{invoked, Kind};
use super::scan::{head, trim_start};
use super::seen::Seen;
use super::source::Line;
use super::{kill, parse, trace};

/// Turns the lines of a log that has the newest first.
pub(super) fn turn(lines: &mut [Line<'_>]) {
    if newest_first(lines) {
        lines.reverse();
    }
}

/// So often a report goes forward before that weighs more than the calendar.
const FORWARD: usize = 3;

/// Whether times fall, or, where they tell nothing, whether reports end before they begin.
fn newest_first(lines: &[Line<'_>]) -> bool {
    let (mut kernel, mut wall, mut course) = (Steps::default(), Steps::default(), Steps::default());
    // Whether two lines that belong together stand the other way round.
    let (mut before, mut turned) = (None, false);
    for line in lines.iter().filter(|line| !line.foreign) {
        kernel.to(line.moment.usec, None);
        wall.to(line.moment.day_second().map(u64::from), Some(86_400));
        let text = trim_start(&line.text);
        let Some(kind) = line.told.or_else(|| invoker(text)) else { continue };
        course.to(rank(kind), None);
        turned |= before.is_some_and(|(above, first)| are_turned((above, first), (kind, text)));
        before = Some((kind, text));
    }
    let told = |steps: &Steps| steps.up + steps.down > 0;
    let fall = |steps: &Steps| steps.down > steps.up;
    if told(&kernel) {
        fall(&kernel)
    } else if told(&wall) {
        // A collection of logs may have later days first; each of its reports goes forward then.
        fall(&wall) && !(course.up >= FORWARD && course.up > 2 * course.down)
    } else {
        fall(&course) && (turned || course.up + course.down > 1)
    }
}

/// Whether the second line is the one that the kernel prints before the first, about the same task.
fn are_turned(first: (Kind, &[u8]), second: (Kind, &[u8])) -> bool {
    match (first.0, second.0) {
        (Kind::Killed, Kind::Summary) => {
            let pid = parse::summary(second.1).pid;
            pid.is_none() || kill::killed(first.1).is_some_and(|killed| Some(killed.kill.pid) == pid)
        }
        // Before 5.1 the line with the heading comes first.
        (Kind::Killed, Kind::KillProcess) => kill::killed(first.1).is_some_and(|killed| killed.scope.is_none()),
        (Kind::Cpu, Kind::Invoker) => {
            let comm = trace::cpu(first.1, None).comm;
            let invoker = parse::invoker(second.1).map(|(invoker, _)| invoker.comm);
            comm.is_some() && comm == invoker
        }
        _ => false,
    }
}

fn invoker(text: &[u8]) -> Option<Kind> {
    invoked(head(text, 64)).is_some().then_some(Kind::Invoker)
}

/// The place of a line in its report; members of a group and the line about it may alternate.
fn rank(kind: Kind) -> Option<u64> {
    match kind {
        Kind::Suppressed | Kind::Reaper | Kind::Other => None,
        kind if kind >= Kind::Exiting => Some(Kind::Exiting as u64),
        kind => Some(kind as u64),
    }
}

/// How often a number grew from one line to the next, and how often it fell.
#[derive(Default)]
struct Steps {
    last: Option<u64>,
    up: usize,
    down: usize,
}

impl Steps {
    /// `around`: where the numbers begin anew, as those of a day do at midnight.
    fn to(&mut self, now: Option<u64>, around: Option<u64>) {
        let Some(now) = now else { return };
        if let Some(last) = self.last.replace(now) {
            let over = around.is_some_and(|around| now.abs_diff(last) > around / 2);
            self.up += usize::from(now != last && (now > last) != over);
            self.down += usize::from(now != last && (now < last) != over);
        }
    }
}

/// So many lines are remembered: more than the largest report has.
const REMEMBERED: usize = 1 << 15;

/// Notices lines that have been there before: the same text at the same time of the kernel's clock.
///
/// In a log in which time goes on a line can only be there again within its tick, so that only the tick is remembered. All
/// lines are once it has gone back.
#[derive(Default)]
pub(super) struct Twice {
    seen: Seen,
    order: VecDeque<u64>,
    /// So many lines are remembered.
    remembered: usize,
    latest: Option<u64>,
    /// The log went back in time, to lines that were there.
    again: bool,
    /// The lines of the latest tick, where these are many, and up to where they are looked at.
    tick: Seen,
    tick_usec: Option<u64>,
    looked: usize,
}

impl Twice {
    /// Whether the line at that place is there for the second time. To be asked of one line after the other.
    pub fn is_again(&mut self, lines: &[Line<'_>], at: usize) -> bool {
        let line = &lines[at];
        let Some(usec) = line.moment.usec else { return false };
        let latest = self.latest.replace(self.latest.map_or(usec, |latest| latest.max(usec)));
        // Within one tick the kernel may print a line twice, but none that tells of a task.
        let may = latest.is_some_and(|latest| usec < latest || usec == latest && (self.again || line.told.is_some()));
        self.again = may
            && match self.remembered == 0 && latest == Some(usec) {
                true => nearby(&lines[..at], line).unwrap_or_else(|| self.is_in_tick(lines, at, usec)),
                false => {
                    self.remember(&lines[..at]);
                    self.seen.has(self.seen.print(of(line)))
                }
            };
        self.again
    }

    /// Remembers all lines up to there.
    fn remember(&mut self, lines: &[Line<'_>]) {
        for line in lines[self.remembered..].iter().filter(|line| line.moment.usec.is_some()) {
            let print = self.seen.print(of(line));
            if self.seen.put(print) {
                self.order.push_back(print);
            }
            if self.order.len() > REMEMBERED {
                self.order.pop_front().into_iter().for_each(|old| self.seen.take(old));
            }
        }
        self.remembered = lines.len();
    }

    /// Whether the line stands before in its tick, in a log that never went back.
    fn is_in_tick(&mut self, lines: &[Line<'_>], at: usize, usec: u64) -> bool {
        if self.tick_usec.replace(usec) != Some(usec) {
            let other = |line: &Line<'_>| line.moment.usec.is_some_and(|other| other != usec);
            self.looked = lines[..at].iter().rposition(other).map_or(0, |at| at + 1);
            self.tick = Seen::default();
        }
        for line in lines[self.looked..at].iter().filter(|line| line.moment.usec.is_some()) {
            self.tick.put(self.tick.print(of(line)));
        }
        self.looked = at;
        self.tick.has(self.tick.print(of(&lines[at])))
    }
}

/// What is the same of a line that is there twice.
fn of<'a>(line: &'a Line<'_>) -> (Option<u64>, Option<u64>, &'a [u8]) {
    (line.moment.usec, line.sequence, &line.text)
}

/// Whether a line is there already among those of its tick, in a log that never went back; `None` where these are many.
fn nearby(lines: &[Line<'_>], line: &Line<'_>) -> Option<bool> {
    const MANY: usize = 32;
    for other in lines.iter().rev().take(MANY) {
        if other.moment.usec.is_some_and(|usec| Some(usec) != line.moment.usec) {
            return Some(false);
        }
        if other.moment.usec.is_some() && (other.sequence, &other.text) == (line.sequence, &line.text) {
            return Some(true);
        }
    }
    (lines.len() < MANY).then_some(false)
}

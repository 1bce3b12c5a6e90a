//! What a hub does for an opened group, which somebody else made: it may go at any time, groups come and go below it,
//! and it may be watched for months.

use std::sync::Arc;

use nix::sys::epoll::{EpollEvent, EpollFlags};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{Expiration, TimerSetTimeFlags};

use super::{tag, Hub, Observed, State, World, LOOK_AGAIN, LOOK_UNRUNG};
use crate::account::sign::Sign;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::hub::backlog::Cursor;
use crate::lab::hub::tree::{Coming, Tree};
use crate::memcg::cgroup::Cgroup;
use crate::memcg::files::TWO_FOR_EACH;
use crate::memcg::v2;
use crate::memcg::version::Version;
use crate::observe::event::{EventKind, Source};
use crate::observe::missing::Missing;
use crate::order::order;
use crate::sys;

/// Events that no watch has read are kept up to this number; what is forgotten is told as lost.
const MOST_EVENTS: usize = 16_384;
/// The same for accounts, which are larger.
const MOST_OOMS: usize = 4096;
/// Orphans that were reaped, kept to tell by them whose a victim was.
const MOST_ORPHANS: usize = 4096;
/// Reasons why evidence is missing that are kept.
const MOST_MISSING: usize = 64;

impl Hub {
    /// Observes an opened group, and listens for its end.
    pub(crate) fn observe_opened(&self, group: &Arc<Cgroup>) -> Result<()> {
        self.observe(group)?;
        let mut state = self.lock();
        let listening = Tree::of(group).and_then(|tree| {
            let readable = EpollEvent::new(EpollFlags::EPOLLIN, tag::TREE);
            self.epoll.add(tree.as_fd(), readable).map_err(|errno| Error::os("watch group", errno))?;
            Ok(tree)
        });
        match listening {
            Ok(tree) => state.tree = Some(tree),
            Err(error) => state.miss("removal", error.to_string()),
        }
        Hub::begin_gauge(&mut state, group);
        Ok(())
    }

    /// Observes the groups below too, those that are there and those that come.
    pub(crate) fn observe_below(&self, top: &Arc<Cgroup>) -> Result<()> {
        let mut state = self.lock();
        let Some(tree) = &mut state.tree else {
            return Err(Error::new(
                ErrorKind::Io,
                "watch groups below",
                "the directory cannot be listened to, as each account says",
            )
            .path(top.path())
            .remedy("raise fs.inotify.max_user_instances, or watch each group by itself"));
        };
        let too_many = |error: Error| match error.errno() {
            Some(libc::EMFILE) => error.reason(TWO_FOR_EACH),
            _ => error,
        };
        for group in tree.recurse().map_err(too_many)? {
            self.observe_found(&mut state, &group).map_err(too_many)?;
        }
        Ok(())
    }

    /// A group that stands below the watched one. It may have gone again already, or be told twice.
    fn observe_found(&self, state: &mut State, group: &Arc<Cgroup>) -> Result<()> {
        let known = state.world.groups.living(group.cgroup()).is_some();
        // Without the controller its processes count for the group above it.
        let counts = group.version() == Version::V1 || group.dir.has(v2::EVENTS);
        if known || !counts {
            return Ok(());
        }
        state.world.names.learn(group.cgroup());
        match self.observe_in(state, group) {
            // Half of a machine is none: whoever asks is told before anything happens.
            Err(error) if error.errno() == Some(libc::EMFILE) => Err(error),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                state.miss("counters", error.to_string());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes what has come and gone, in that order. What is taken may have accounts concluded, and these have this read:
    /// then it is left to the reading that is under way.
    pub(super) fn read_tree(&self, state: &mut State) {
        let Some(tree) = &mut state.tree else { return };
        let recursive = tree.is_recursive();
        let Some(comings) = tree.begin() else { return };
        for coming in comings {
            match coming {
                Coming::Made(group) if recursive => {
                    // A name that was there before begins anew.
                    self.begin_anew(state, group.cgroup(), false);
                    let cgroup = group.cgroup().to_string();
                    state.take(Sign::Began { cgroup, counters: group.counters().ok() });
                    if let Err(error) = self.observe_found(state, &group) {
                        state.miss("counters", error.to_string());
                    }
                }
                Coming::Made(_) => {}
                Coming::Untold(error) => state.miss("groups-below", error.to_string()),
                Coming::Gone(cgroup) => {
                    // What its counters said when they were last read is all that they will ever say.
                    state.read_trace();
                    state.read_log();
                    let rung = self.end_group(state, &cgroup);
                    state.take(Sign::Gone { cgroup, rung });
                }
            }
        }
        if let Some(tree) = &mut state.tree {
            tree.end();
        }
    }

    /// A group has gone; for how many OOMs it has rung at least. It may have been too short-lived to be observed.
    fn end_group(&self, state: &mut State, cgroup: &str) -> u64 {
        let mut rung = 0;
        let id = state.world.groups.living(cgroup).map(|(id, _)| id);
        if let Some(observed) = id.and_then(|id| state.world.groups.end(id)) {
            observed.note_gone();
            rung = observed.ooms_rung();
            if !state.collector.has_unclaimed() || !observed.awaits_its_ring() {
                self.unlisten(observed.notify.take());
            }
        }
        state.push(sys::monotonic_ns(), Source::Counters, Some(cgroup), None, EventKind::Removed);
        rung
    }

    /// Groups that have gone and have rung for that, or will not any more: what they rang for before were OOMs.
    pub(super) fn end_rings(&self, state: &mut State) {
        let over = |(_, one): &(u64, &Observed)| one.has_bell() && !one.awaits_its_ring();
        let ids: Vec<u64> = state.world.groups.gone().filter(over).map(|(id, _)| id).collect();
        for id in ids {
            self.end_ring(state, id);
        }
    }

    pub(super) fn end_ring(&self, state: &mut State, id: u64) {
        let Some(observed) = state.world.groups.get_mut(id) else { return };
        observed.take_rings();
        let (cgroup, rung) = (observed.group.cgroup().to_string(), observed.ooms_rung());
        self.unlisten(observed.notify.take());
        state.take(Sign::Gone { cgroup, rung });
    }

    /// After each reading: has the next one come where no descriptor would ask for it, and forgets what nobody needs.
    pub(super) fn tidy(&self, state: &mut State) {
        let again = match state.collector.looks_on(sys::monotonic_ns()) {
            true => Some(LOOK_AGAIN),
            false => state.is_blind().then_some(LOOK_UNRUNG),
        };
        if let Some(again) = again {
            let soon = Expiration::OneShot(TimeSpec::from_duration(again));
            let _ = self.timer.set(soon, TimerSetTimeFlags::empty());
        }
        let State { world: World { groups, .. }, collector, samples, tree, .. } = &mut *state;
        let top = tree.as_ref().and(groups.ids().next());
        let needed = |id, one: &Observed| Some(id) == top || collector.may_need(one.group.cgroup());
        let forgotten = groups.let_go(needed);
        forgotten.iter().for_each(|cgroup| samples.forget(cgroup));
        for cgroup in forgotten {
            state.take(Sign::Forgotten { cgroup });
        }
        state.forget_old();
    }
}

impl State {
    /// Whether a kill wakes nobody: the kernel rings for no group, and marks no victim.
    pub(super) fn is_blind(&self) -> bool {
        self.world.unrung && self.trace.is_none()
    }

    /// The timer has run out: where nothing else tells of a kill, the counters may by now; whether there may be evidence.
    pub(super) fn look_unrung(&mut self) -> bool {
        let top = self.world.groups.values().next().map(|top| top.group.cgroup().to_string());
        if let (true, Some(cgroup)) = (self.is_blind(), top) {
            self.take(Sign::Stirred { cgroup, below: true });
            return true;
        }
        false
    }

    /// Lets go of what is more than a lab is told to keep. What no watch of an opened group has still to read goes anyway.
    fn forget_old(&mut self) {
        let (mut events, mut ooms) = (MOST_EVENTS, MOST_OOMS);
        if self.tree.is_none() {
            (events, ooms) = (self.keep.events, self.keep.ooms);
        }
        let (mut event, mut oom) = (self.events.end().saturating_sub(events), self.ooms.end().saturating_sub(ooms));
        if self.tree.is_some() {
            let cursors: Vec<Arc<Cursor>> = self.watches.iter().filter_map(std::sync::Weak::upgrade).collect();
            let next =
                |next: fn(&Cursor) -> usize, end: usize| cursors.iter().map(|one| next(one)).min().unwrap_or(end);
            event = event.max(next(Cursor::event, self.events.end()));
            oom = oom.max(next(Cursor::oom, self.ooms.end()));
        }
        self.events.forget(event);
        self.ooms.forget(oom);
        if self.world.orphans.len() > MOST_ORPHANS {
            let mut reaped: Vec<u64> = self.world.orphans.values().copied().collect();
            order(&mut reaped, |reaped_ns| *reaped_ns);
            let middle = reaped[reaped.len() / 2];
            self.world.orphans.retain(|_, reaped_ns| *reaped_ns >= middle);
        }
    }

    /// Notes that evidence cannot be had; the same thing once.
    pub(super) fn miss(&mut self, source: &'static str, reason: String) {
        let missing = Missing::new(source, reason);
        if self.world.missing.len() < MOST_MISSING && !self.world.missing.contains(&missing) {
            self.world.missing.push(missing);
        }
    }
}

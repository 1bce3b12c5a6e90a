//! What a hub does for an opened group, which somebody else made: it may go at any time, groups come and go below it,
//! and it may be watched for months.

use std::sync::Arc;

use nix::sys::epoll::{EpollEvent, EpollFlags};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{Expiration, TimerSetTimeFlags};

use super::{tag, Hub, Notify, State, World, LOOK_AGAIN};
use crate::account::sign::Sign;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::hub::backlog::Cursor;
use crate::lab::hub::tree::{Coming, Tree};
use crate::memcg::cgroup::Cgroup;
use crate::memcg::v2;
use crate::memcg::version::Version;
use crate::observe::event::{EventKind, Source};
use crate::observe::missing::Missing;
use crate::sys;

/// Events that no watch has read are kept up to this number; what is forgotten is told as lost.
const MOST_EVENTS: usize = 16_384;
/// The same for accounts, which are larger.
const MOST_OOMS: usize = 4096;
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
        for group in tree.recurse()? {
            self.observe_found(&mut state, &group);
        }
        Ok(())
    }

    /// A group that stands below the watched one. It may have gone again already, or be told twice.
    fn observe_found(&self, state: &mut State, group: &Arc<Cgroup>) {
        let known = state.world.groups.values().any(|one| !one.removed && one.group.cgroup() == group.cgroup());
        // Without the controller its processes count for the group above it.
        let counts = group.version() == Version::V1 || group.dir.has(v2::EVENTS);
        if known || !counts {
            return;
        }
        if let Err(error) = self.observe_in(state, group) {
            if error.kind() != ErrorKind::NotFound {
                state.miss("counters", error.to_string());
            }
        }
    }

    pub(super) fn read_tree(&self, state: &mut State) {
        let Some(tree) = &mut state.tree else { return };
        let recursive = tree.is_recursive();
        for coming in tree.read() {
            match coming {
                Coming::Made(group) if recursive => {
                    // A name that was there before begins anew.
                    self.begin_anew(state, group.cgroup(), false);
                    let cgroup = group.cgroup().to_string();
                    state.take(Sign::Began { cgroup, counters: group.counters().ok() });
                    self.observe_found(state, &group);
                }
                Coming::Made(_) => {}
                Coming::Untold(error) => state.miss("groups-below", error.to_string()),
                Coming::Gone(cgroup) => {
                    // What its counters said when they were last read is all that they will ever say.
                    state.read_trace();
                    state.read_log();
                    state.claim_last(&cgroup);
                    self.end_group(state, &cgroup);
                }
            }
        }
    }

    /// A group has gone. It may have been too short-lived to be observed.
    fn end_group(&self, state: &mut State, cgroup: &str) {
        let observed =
            state.world.groups.values_mut().find(|observed| !observed.removed && observed.group.cgroup() == cgroup);
        if let Some(observed) = observed {
            observed.removed = true;
            self.unlisten(observed.notify.take());
        }
        state.push(sys::monotonic_ns(), Source::Counters, Some(cgroup), None, EventKind::Removed);
    }

    /// After each reading: has the next one come where no descriptor would ask for it, and forgets what nobody needs.
    pub(super) fn tidy(&self, state: &mut State) {
        if state.collector.looks_on(sys::monotonic_ns()) {
            let soon = Expiration::OneShot(TimeSpec::from_duration(LOOK_AGAIN));
            let _ = self.timer.set(soon, TimerSetTimeFlags::empty());
        }
        let State { world: World { groups, .. }, collector, tree, .. } = &mut *state;
        let top = tree.as_ref().and(groups.keys().next().copied());
        let mut forgotten = Vec::new();
        groups.retain(|id, observed| {
            let cgroup = observed.group.cgroup();
            let stays = !observed.removed || Some(*id) == top || collector.may_need(cgroup);
            if !stays {
                forgotten.push(cgroup.to_string());
            }
            stays
        });
        for cgroup in forgotten {
            state.take(Sign::Forgotten { cgroup });
        }
        if state.tree.is_none() {
            // A lab keeps all for its timeline.
            return;
        }
        let watches: Vec<Arc<Cursor>> = state.watches.iter().filter_map(std::sync::Weak::upgrade).collect();
        let read = |next: fn(&Cursor) -> usize, end: usize, most: usize| {
            watches.iter().map(|cursor| next(cursor)).min().unwrap_or(end).max(end.saturating_sub(most))
        };
        let events = read(Cursor::event, state.events.end(), MOST_EVENTS);
        state.events.forget(events);
        let ooms = read(Cursor::oom, state.ooms.end(), MOST_OOMS);
        state.ooms.forget(ooms);
    }
}

impl State {
    /// Gives the victims that nobody could place to the groups that have counted them. What this one owes stays owed.
    fn claim_last(&mut self, cgroup: &str) {
        let gone = self.world.groups.values_mut().find(|one| !one.removed && one.group.cgroup() == cgroup);
        let rung = gone.map_or(0, |observed| {
            if let Some(Notify::V1(event)) = &observed.notify {
                observed.rung += event.read().unwrap_or(0);
            }
            // It rings at its end too, mostly after this.
            observed.rung
        });
        self.take(Sign::Gone { cgroup: cgroup.to_string(), rung });
    }

    /// Notes that evidence cannot be had; the same thing once.
    pub(super) fn miss(&mut self, source: &'static str, reason: String) {
        let missing = Missing::new(source, reason);
        if self.world.missing.len() < MOST_MISSING && !self.world.missing.contains(&missing) {
            self.world.missing.push(missing);
        }
    }
}

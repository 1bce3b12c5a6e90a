//! Kills in groups that the command made below its own. A counter of v1 is that of its own group alone, nobody observes
//! those, and a victim that had gone before it could be asked is then nobody's: so their own counters are asked at the end.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use crate::account::oom::Oom;
use crate::error::Result;
use crate::lab::hub::State;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::version::Version;
use crate::observe::missing::Missing;

/// What is to be said of kills below that group that have no account; nothing where each has one.
pub(super) fn untold(group: &Arc<Cgroup>, state: &State, ooms: &[Arc<Oom>]) -> Option<Missing> {
    // The counters of v2 have those below in them.
    if group.version() == Version::V2 {
        return None;
    }
    let mut found = Vec::new();
    let reason = match look(group, state, ooms, &mut found) {
        Err(error) if group.dir.exists() => format!("the groups below could not be looked at: {error}"),
        _ if found.is_empty() => return None,
        _ => {
            let found = found.join(", ");
            format!("kills were counted in groups below that nobody observes, and have no account: {found}")
        }
    };
    Some(Missing::new("ooms", reason))
}

fn look(group: &Arc<Cgroup>, state: &State, ooms: &[Arc<Oom>], found: &mut Vec<String>) -> Result<()> {
    if group.dir.links()? <= 2 {
        return Ok(());
    }
    for name in group.dir.dirs()? {
        let Ok(below) = group.open_below(OsStr::from_bytes(&name)) else { continue };
        let cgroup = below.cgroup();
        if state.world.groups.living(cgroup).is_none() {
            let of_it =
                |oom: &Arc<Oom>| oom.victims.iter().filter(|victim| victim.group.as_deref() == Some(cgroup)).count();
            // A group that has gone meanwhile has nothing to be asked.
            let kills = below.counters().ok().and_then(|counters| counters.oom_kill).unwrap_or(0);
            let untold = kills.saturating_sub(ooms.iter().map(of_it).sum::<usize>() as u64);
            if untold > 0 {
                found.push(format!("{untold} in {cgroup}"));
            }
        }
        match look(&below, state, ooms, found) {
            Err(error) if below.dir.exists() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

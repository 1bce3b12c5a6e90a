//! What the end of a lab writes back: the files of somebody else's group, as they were found.

use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use nix::fcntl::OFlag;

use crate::error::Result;
use crate::helper::supervisor::Supervisor;
use crate::memcg::files::Dir;
use crate::memcg::{v1, v2};

/// What is put back, file by file, in the order in which it was changed.
#[derive(Default)]
pub(crate) struct PutBack(Mutex<Vec<(&'static str, String)>>);

impl PutBack {
    /// Has what a file says now written to it at the end: by the supervisor, which outlives this process, or where it does
    /// not, from here. Only the first time: what is found later was written by memoom.
    pub(crate) fn guard(&self, supervisor: &Supervisor, dir: &Dir, file: &'static str) -> Result<()> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if files.iter().any(|(guarded, _)| *guarded == file) {
            return Ok(());
        }
        let Some(now) = dir.read(file)? else { return Ok(()) };
        // `memory.oom_control` says more than what can be written to it.
        let first = now.lines().next().unwrap_or_default();
        let text = first.strip_prefix("oom_kill_disable ").unwrap_or(first).trim().to_string();
        let open = dir.open_file(file, OFlag::O_WRONLY)?;
        supervisor.guard_put_back(open.as_fd(), &text)?;
        files.push((file, text));
        Ok(())
    }

    /// The same from here, where the supervisor has died. A group that has gone needs nothing.
    pub(crate) fn write(&self, dir: &Dir) -> Result<()> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((file, text)) = files.first() {
            if dir.exists() {
                dir.write(file, text)?;
            }
            files.remove(0);
        }
        Ok(())
    }

    /// The limit that the keeper has set, where there is one.
    pub(super) fn limit(&self) -> Option<u64> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, text) = files.iter().find(|(file, _)| [v1::LIMIT, v2::LIMIT].contains(file))?;
        text.parse().ok().filter(|bytes| *bytes < v1::UNLIMITED_FROM)
    }
}

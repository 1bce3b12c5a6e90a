//! The comings and goings of groups: of a watched one, and of those below it, by inotify on their directories.
//!
//! The kernel tells of each mkdir and rmdir in a cgroup file system. A group's own files do not tell of its end
//! reliably: on v1 the notification may come before the directory is gone.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use crate::error::{Error, Result};
use crate::map::Map;
use crate::memcg::cgroup::Cgroup;
use crate::sys::Named;

/// The directories that are listened to.
pub(crate) struct Tree {
    inotify: Inotify,
    top: Arc<Cgroup>,
    /// The directory that holds the top, and the name of the top in it.
    above: Option<(WatchDescriptor, OsString)>,
    /// The top and the groups below it whose groups are of interest.
    inside: Map<WatchDescriptor, Arc<Cgroup>>,
    recursive: bool,
    /// What was read is being taken.
    taking: bool,
}

/// What has come or gone.
pub(crate) enum Coming {
    /// A group was made below the top.
    Made(Arc<Cgroup>),
    /// A group has gone: its path as the kernel writes it.
    Gone(String),
    /// What comes and goes somewhere cannot be told (any more), and why.
    Untold(Error),
}

impl Tree {
    /// Listens for the end of a group.
    pub(crate) fn of(top: &Arc<Cgroup>) -> Result<Tree> {
        let failed = |errno: std::io::Error| Error::os("watch directory", errno).path(top.path());
        let inotify =
            Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).named("inotify_init1").map_err(failed)?;
        let directory = top.dir.proc_path();
        // The path that was given may be relative or a link; this one is neither.
        let real = std::fs::read_link(&directory).map_err(|error| Error::os("read directory", errno_of(&error)))?;
        let above = match real.file_name() {
            Some(name) => {
                let above = inotify
                    .add_watch(&directory.join(".."), AddWatchFlags::IN_DELETE)
                    .named("inotify_add_watch")
                    .map_err(failed)?;
                Some((above, name.to_os_string()))
            }
            None => None,
        };
        Ok(Tree { inotify, top: top.clone(), above, inside: Map::new(), recursive: false, taking: false })
    }

    /// Listens for the groups below too, and gives those that are there.
    pub(crate) fn recurse(&mut self) -> Result<Vec<Arc<Cgroup>>> {
        if self.recursive {
            return Ok(Vec::new());
        }
        self.recursive = true;
        let mut found = Vec::new();
        let top = self.top.clone();
        self.look_inside(&top, &mut found)?;
        Ok(found)
    }

    /// Whether groups below the top are of interest.
    pub(crate) fn is_recursive(&self) -> bool {
        self.recursive
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Reads what has come and gone, to be taken until [`Tree::end`]; `None` where that is under way.
    pub(crate) fn begin(&mut self) -> Option<Vec<Coming>> {
        (!std::mem::replace(&mut self.taking, true)).then(|| self.read())
    }

    /// What was read is taken.
    pub(crate) fn end(&mut self) {
        self.taking = false;
    }

    /// What has come and gone since the last reading. A group may be told twice.
    fn read(&mut self) -> Vec<Coming> {
        let mut comings = Vec::new();
        loop {
            match self.inotify.read_events() {
                Ok(events) => events.into_iter().for_each(|event| self.take(event, &mut comings)),
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => return comings,
                Err(errno) => {
                    comings.push(Coming::Untold(Error::os("watch directory", errno).path(self.top.path())));
                    return comings;
                }
            }
        }
    }

    fn take(&mut self, event: InotifyEvent, comings: &mut Vec<Coming>) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            self.look_again(comings);
        } else if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            self.inside.remove(&event.wd);
        } else if let (Some(name), Some(group)) = (&event.name, self.inside.get(&event.wd).cloned()) {
            if event.mask.contains(AddWatchFlags::IN_CREATE | AddWatchFlags::IN_ISDIR) {
                let mut found = Vec::new();
                let entered = self.enter(&group, name, &mut found);
                comings.extend(found.into_iter().map(Coming::Made));
                comings.extend(untold(entered));
            } else if event.mask.contains(AddWatchFlags::IN_DELETE) {
                comings.push(Coming::Gone(group.path_below(name)));
            }
        }
        // The directory above may be one of the tree's own, in another watch of the same machine, but never in this.
        if let (Some(name), Some((above, top))) = (&event.name, &self.above) {
            if event.wd == *above && name == top && event.mask.contains(AddWatchFlags::IN_DELETE) {
                comings.push(Coming::Gone(self.top.cgroup().to_string()));
            }
        }
    }

    /// Events were lost: everything is looked at anew.
    fn look_again(&mut self, comings: &mut Vec<Coming>) {
        if !self.top.dir.exists() {
            comings.push(Coming::Gone(self.top.cgroup().to_string()));
        }
        let gone: Vec<WatchDescriptor> =
            self.inside.iter().filter(|(_, group)| !group.dir.exists()).map(|(wd, _)| *wd).collect();
        for group in gone.iter().filter_map(|wd| self.inside.remove(wd)) {
            comings.push(Coming::Gone(group.cgroup().to_string()));
        }
        if self.recursive {
            let mut found = Vec::new();
            let top = self.top.clone();
            let looked = self.look_inside(&top, &mut found);
            comings.extend(found.into_iter().map(Coming::Made));
            comings.extend(untold(looked));
        }
    }

    fn enter(&mut self, above: &Arc<Cgroup>, name: &OsStr, found: &mut Vec<Arc<Cgroup>>) -> Result<()> {
        let group = above.open_below(name)?;
        found.push(group.clone());
        self.look_inside(&group, found)
    }

    /// Listens first and lists then: what is made in between is told twice, and not missed.
    fn look_inside(&mut self, group: &Arc<Cgroup>, found: &mut Vec<Arc<Cgroup>>) -> Result<()> {
        let of_interest = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_ONLYDIR;
        let wd = self
            .inotify
            .add_watch(&group.dir.proc_path(), of_interest)
            .map_err(|errno| Error::os("watch directory", errno).path(group.path()))?;
        self.inside.insert(wd, group.clone());
        for name in group.dir.dirs()? {
            match self.enter(group, OsStr::from_bytes(&name), found) {
                Err(error) if error.kind() == crate::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// What has gone again already is told by its own IN_DELETE; what else fails is not to be hidden.
fn untold(looked: Result<()>) -> Option<Coming> {
    looked.err().filter(|error| error.kind() != crate::ErrorKind::NotFound).map(Coming::Untold)
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

//! What a hog takes and gives back: one store for each kind of memory.

mod arena;
mod crowd;
mod file;
mod names;
mod queue;
mod stack;
mod table;
mod touch;

pub use arena::Arena;

use crate::sys::Errno;
use crate::wire::hog;
use arena::Way;
use crowd::Crowd;
use file::File;
use names::Names;
use queue::Queues;
use stack::Stack;
use touch::Touch;

/// What a step took.
pub struct Taken {
    pub bytes: usize,
    /// Why it is less than was asked for, or 0.
    pub errno: Errno,
}

impl Taken {
    /// The end of a step: one that took nothing, for a reason, has failed.
    fn end(bytes: usize, errno: Errno) -> Result<Taken, Errno> {
        match bytes {
            0 if errno != 0 => Err(errno),
            bytes => Ok(Taken { bytes, errno }),
        }
    }
}

/// The memory of a hog.
pub enum Store {
    Mapped(Arena),
    File(File),
    Stack(Stack),
    Queues(Queues),
    Names(Names),
    Crowd(Crowd),
}

impl Store {
    /// An empty store of that [`hog`] work; `arena` is for the kinds that are mapped.
    pub fn open(work: u32, arena: Arena) -> Result<Store, Errno> {
        let touch = Touch::new(hog::pattern(work));
        let page = arena.page;
        let way = match hog::kind(work) {
            hog::ANON => Way::Touch,
            hog::ANON_THP => Way::Huge,
            hog::SHMEM => Way::Shared,
            hog::MEMFD => Way::Memfd,
            hog::MLOCK => Way::Lock,
            hog::POPULATE => Way::Populate,
            hog::HUGETLB => Way::HugeTlb,
            hog::FILE => return File::open(page, touch, file::Way::Cached).map(Store::File),
            hog::STACK => return Stack::open(page, touch).map(Store::Stack),
            hog::FORK => return Crowd::open(page, touch).map(Store::Crowd),
            hog::PIPE => return Queues::pipes(page).map(Store::Queues),
            hog::SOCKET => return Queues::sockets(page).map(Store::Queues),
            hog::SLAB => return Names::open(hog::each(work)).map(Store::Names),
            hog::TMPFS => return File::open(page, touch, file::Way::Written).map(Store::File),
            hog::TMPFS_HUGE => return File::open(page, touch, file::Way::Allocated).map(Store::File),
            _ => return Err(crate::sys::ENOTSUP),
        };
        arena.become_way(way, touch).map(Store::Mapped)
    }

    /// Takes so much more; an error where nothing of it could be taken.
    pub fn grow(&mut self, bytes: u64) -> Result<Taken, Errno> {
        let bytes = usize::try_from(bytes).map_err(|_| crate::sys::ENOMEM)?;
        match self {
            Store::Mapped(arena) => arena.grow(bytes),
            Store::File(file) => file.grow(bytes),
            Store::Stack(stack) => stack.grow(bytes),
            Store::Queues(queues) => queues.grow(bytes),
            Store::Names(names) => names.grow(bytes),
            Store::Crowd(crowd) => crowd.grow(bytes),
        }
    }

    /// Gives back so much of the newest, rounded down to what can be given back.
    pub fn shrink(&mut self, bytes: u64) -> Result<usize, Errno> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        match self {
            Store::Mapped(arena) => arena.shrink(bytes),
            Store::File(file) => file.shrink(bytes),
            Store::Stack(stack) => stack.shrink(bytes),
            Store::Queues(queues) => queues.shrink(bytes),
            Store::Names(names) => names.shrink(bytes),
            Store::Crowd(crowd) => crowd.shrink(bytes),
        }
    }

    /// What it holds.
    pub fn total(&self) -> usize {
        match self {
            Store::Mapped(arena) => arena.taken,
            Store::File(file) => file.taken,
            Store::Stack(stack) => stack.taken,
            Store::Queues(queues) => queues.taken,
            Store::Names(names) => names.taken(),
            Store::Crowd(crowd) => crowd.taken,
        }
    }

    /// Whether it is touched again and again between the steps.
    pub fn is_hot(&self) -> bool {
        match self {
            Store::Mapped(arena) => arena.is_hot(),
            Store::File(file) => file.is_hot(),
            Store::Stack(stack) => stack.is_hot(),
            _ => false,
        }
    }

    /// Touches all of it again, if that is its pattern; false if not.
    pub fn keep_hot(&self) -> bool {
        match self {
            Store::Mapped(arena) => arena.keep_hot(),
            Store::File(file) => file.keep_hot(),
            Store::Stack(stack) => stack.keep_hot(),
            _ => false,
        }
    }
}

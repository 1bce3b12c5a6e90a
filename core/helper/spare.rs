//! A spare: a hog or a ticker that was executed before anybody asked for it, and waits to hear which.
//!
//! On cgroup v1 a process enters a group quickly by writing to its `tasks`, at any time. So all that takes long in a
//! start, a new process and its execution, can be done while nobody waits for it; and as it is done outside of the
//! group, none of it is charged there.

use crate::child;
use crate::hog::Arena;
use crate::state::SOCKET;
use crate::sys::{self, Poll};
use crate::text;
use crate::wire::{role, stage, Message, Request, Start, MOST, MOST_COMM};
use crate::worker::{self, Talk};
use crate::Auxiliary;
use core::ffi::CStr;

/// What `ps` shows until it has become something: longer than any name that it can be given.
pub const SPARE_NAME: &CStr = c"memoom-spare     ";
const _: () = assert!(SPARE_NAME.to_bytes().len() > MOST_COMM + 1);

/// Waits for its task and becomes it.
///
/// # Safety
/// `argument` is the first argument, [`SPARE_NAME`], as the kernel put it on the stack.
pub unsafe fn run(argument: *mut u8, home: Option<usize>, auxiliary: Auxiliary) -> ! {
    sys::set_name(c"memoom-spare");
    let talk = Talk::open();
    let arena = Arena::new(auxiliary.page);
    let mut content = [0u8; 16];
    let score = text::read_file(sys::AT_FDCWD, c"/proc/self/oom_score_adj", &mut content).ok().and_then(text::number);
    prefault_deep(auxiliary);

    let mut bytes = [0u8; MOST];
    let (length, tasks) = wait(&mut bytes);
    let Some((_, Request::Start(task))) = bytes.get(..length).and_then(Request::decode) else { sys::exit(1) };
    // Before the group is entered: what any of this takes in the kernel is not to be charged to it.
    let _ = sys::setpgid(0, task.pgid);
    if score != Some(task.oom_score_adj as i64) {
        if let Err(errno) = child::write_score(task.oom_score_adj) {
            refuse(&talk, stage::SCORE, errno);
        }
    }
    // SAFETY: the caller's promise.
    unsafe { take_name(argument, &task) };
    sys::close(SOCKET);
    if let Err(errno) = sys::write(tasks, b"0") {
        refuse(&talk, stage::JOIN, errno);
    }
    sys::close(tasks);
    match task.role {
        role::HOG => worker::live_as_hog(talk, arena, task.kind, home, auxiliary),
        role::TICKER => worker::live_as_ticker(&talk, task.period_ns, auxiliary),
        _ => refuse(&talk, stage::REQUEST, sys::EINVAL),
    }
}

/// Touches a page of the stack more than a worker touches, which stands further up in it: what that worker touches in
/// the group is there already.
#[inline(never)]
fn prefault_deep(auxiliary: Auxiliary) {
    let mut room = [0u8; 8192];
    // Handed over as a whole, or the compiler keeps nothing of it.
    core::hint::black_box(&mut room);
    worker::prefault(auxiliary);
    core::hint::black_box(&mut room);
}

/// The task and the group's `tasks`; the program ends when the host will not send one any more.
fn wait(bytes: &mut [u8; MOST]) -> (usize, i32) {
    loop {
        let _ = sys::poll(&mut [Poll { fd: SOCKET, events: sys::POLLIN, revents: 0 }], None);
        match sys::receive(SOCKET, bytes) {
            Ok(received) if received.len > 0 && received.fd_count == 1 => return (received.len, received.fds[0]),
            Err(sys::EAGAIN | sys::EINTR) => {}
            _ => sys::exit(0),
        }
    }
}

fn refuse(talk: &Talk, stage: u32, errno: sys::Errno) -> ! {
    talk.tell(Message::Refused { stage, errno });
    sys::exit(1)
}

/// Takes the name in both places that `ps` shows.
///
/// # Safety
/// As [`run`].
unsafe fn take_name(argument: *mut u8, task: &Start) {
    let mut name = [0u8; MOST_COMM + 1];
    let given = task.name.get(..MOST_COMM).unwrap_or(task.name);
    name[..given.len()].copy_from_slice(given);
    sys::set_name(CStr::from_bytes_until_nul(&name).unwrap_or(c""));
    // SAFETY: the argument is longer than any name.
    unsafe {
        argument.copy_from_nonoverlapping(name.as_ptr(), name.len());
        // With something in place of the argument's own NUL the kernel shows the text up to its first NUL, instead
        // of the argument with all that is left of it: see get_mm_proctitle in fs/proc/base.c.
        argument.add(SPARE_NAME.to_bytes().len()).write_volatile(b'-');
    }
}

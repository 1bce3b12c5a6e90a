//! The supervisor: one thread, one loop; what the host asks, what has ended, and at the end the cleaning up.

use crate::cleanup;
use crate::start;
use crate::state::{Kind, State, HOST, IMAGE, SOCKET};
use crate::sys::{self, Errno, Poll, Received};
use crate::text;
use crate::wire::{stage, vital, Notice, Request, MOST, VERSION};
use core::ffi::CStr;

/// How long the cleaning up may take when nobody says otherwise.
const CLEANUP_NS: u64 = 10_000_000_000;
/// How often it is tried again after that.
const LOOK_AGAIN_NS: u64 = 500_000_000;

/// `place` tells its lab from the others of the host.
pub fn run(place: usize) -> ! {
    let (state, host_fd) = match prepare().and_then(|(state, host_fd)| vital_calls(state).map(|()| (state, host_fd))) {
        Ok(prepared) => prepared,
        Err(refused) => sys::exit(vital::FIRST + refused),
    };
    state.place = place;
    if let Err(sys::EPERM | sys::ENOSYS | sys::EACCES) =
        sys::send(SOCKET, Notice::Hello { version: VERSION, pid: state.own_pid }.encode().bytes(), -1)
    {
        sys::exit(vital::FIRST + vital::SENDMSG);
    }
    loop {
        let all_sent = state.flush();
        if state.host_gone {
            clean_to_the_end(state);
        }
        let due_ns = state.kill_due();
        let mut wanted = if state.reply_waits() { 0 } else { sys::POLLIN };
        if !all_sent {
            wanted |= sys::POLLOUT;
        }
        let mut files = [
            Poll { fd: SOCKET, events: wanted, revents: 0 },
            Poll { fd: state.signals, events: sys::POLLIN, revents: 0 },
            Poll { fd: host_fd, events: sys::POLLIN, revents: 0 }, // a negative one is passed over
        ];
        if sys::poll(&mut files, due_ns).is_err() {
            continue;
        }
        if files[1].revents != 0 {
            state.collect();
        }
        if files[2].revents != 0 || files[0].revents & (sys::POLLHUP | sys::POLLERR) != 0 {
            state.host_gone = true;
        } else if files[0].revents & sys::POLLIN != 0 {
            serve(state);
        }
    }
}

/// The host is dead. Whoever has had its SIGKILL and does not end (frozen by a stranger, held by the kernel, a forked
/// child of the host that keeps the files of the instance) is waited for, however long that takes: nobody else would
/// remove its group.
fn clean_to_the_end(state: &mut State) -> ! {
    let mut deadline_ns = sys::now_ns() + CLEANUP_NS;
    while cleanup::clean(state, deadline_ns).errno == sys::EBUSY {
        let mut files = [Poll { fd: state.signals, events: sys::POLLIN, revents: 0 }];
        let _ = sys::poll(&mut files, Some(LOOK_AGAIN_NS));
        // One attempt.
        deadline_ns = 0;
    }
    sys::exit(0)
}

/// Which of the vital calls was refused.
type Refused = usize;

/// Makes this process one that nothing in the host's surroundings can harm or stop but SIGKILL.
fn prepare() -> Result<(&'static mut State, i32), Refused> {
    sys::mask(u64::MAX).map_err(|_| vital::RT_SIGPROCMASK)?;
    sys::default_signals();
    close_from(HOST + 1);
    for fd in [SOCKET, IMAGE] {
        sys::cloexec(fd).map_err(|_| vital::FCNTL)?;
    }
    // Asked before anything else is opened, which could take the number of a pidfd that was not given.
    let host_fd = if sys::cloexec(HOST).is_ok() { HOST } else { -1 };
    let mut null = nothing().map_err(|_| vital::OPENAT)?;
    // Where one of the three was closed in the host, `null` may be that very number.
    while null < 3 {
        null = nothing().map_err(|_| vital::OPENAT)?;
    }
    for fd in 0..3 {
        sys::dup3(null, fd, 0).map_err(|_| vital::DUP3)?;
    }
    if null > IMAGE {
        sys::close(null);
    }
    let state = State::new().map_err(|_| vital::MMAP)?;
    if sys::affinity(&mut state.cpus).is_err() {
        state.cpus = [u64::MAX; crate::turn::MASK_WORDS];
    }
    state.own_pid = sys::getpid();
    state.host_pid = sys::getppid();
    // Out of the caller's process group, or a framework that kills the group takes the cleaner along.
    let _ = sys::setpgid(0, 0);
    sys::set_name(c"memoom-super");
    sys::prctl(sys::PR_SET_CHILD_SUBREAPER, 1).map_err(|_| vital::PRCTL)?;
    state.signals = sys::signalfd(1 << (sys::SIGCHLD - 1)).map_err(|_| vital::SIGNALFD4)?;
    let mut content = [0u8; 16];
    state.oom_score_adj = text::read_file(sys::AT_FDCWD, c"/proc/self/oom_score_adj", &mut content)
        .ok()
        .and_then(text::number)
        .map(|value| value as i32);
    // The host's directory stays free to be removed or unmounted.
    let _ = sys::chdir(c"/");
    Ok((state, host_fd))
}

/// A file that has nothing to say and takes everything, for the standard descriptors; where there is no /dev, an empty one
/// in memory.
fn nothing() -> Result<i32, Errno> {
    sys::openat(sys::AT_FDCWD, c"/dev/null", sys::O_RDWR).or_else(|_| sys::memfd())
}

/// Tries what is needed later, as a lab that could not be ended must not begin.
fn vital_calls(state: &State) -> Result<(), Refused> {
    let refused = |errno: Errno| matches!(errno, sys::EPERM | sys::ENOSYS | sys::EACCES);
    let tried = |result: Result<(), Errno>, call: Refused| match result {
        Err(errno) if refused(errno) => Err(call),
        _ => Ok(()),
    };
    tried(sys::poll(&mut [], Some(0)).map(drop), vital::PPOLL)?;
    // There is no child yet, which is another error.
    tried(sys::reap(-1).map(drop), vital::WAIT4)?;
    tried(sys::kill(state.own_pid, 0), vital::KILL)?;
    tried(sys::fstat(SOCKET).map(drop), vital::FSTAT)?;
    if let Ok(root) = sys::openat(sys::AT_FDCWD, c"/", sys::O_RDONLY | sys::O_DIRECTORY) {
        let listed = sys::getdents(root, &mut [0; 128]).map(drop);
        sys::close(root);
        tried(listed, vital::GETDENTS64)?;
    }
    // An empty name is no directory's.
    tried(sys::rmdirat(sys::AT_FDCWD, c""), vital::UNLINKAT)?;
    // Nothing can have come yet.
    tried(sys::receive(SOCKET, &mut [0; MOST]).map(drop), vital::RECVMSG)
}

/// Closes every descriptor from `first` up, on kernels without close_range by looking at what is open.
fn close_from(first: i32) {
    if sys::close_range(first).is_ok() {
        return;
    }
    let Ok(directory) = sys::openat(sys::AT_FDCWD, c"/proc/self/fd", sys::O_RDONLY | sys::O_DIRECTORY) else {
        return;
    };
    let mut entries = crate::tree::Entries::new(directory);
    while let Some((name, _)) = entries.next() {
        if let Some(fd) = text::number(name.to_bytes()) {
            if fd >= first as i64 && fd != directory as i64 {
                sys::close(fd as i32);
            }
        }
    }
    sys::close(directory);
}

/// Receives one request and answers it.
// Long: one match, an arm for each request.
fn serve(state: &mut State) {
    let mut bytes = [0u8; MOST];
    let received = match sys::receive(SOCKET, &mut bytes) {
        Ok(received) if received.len > 0 => received,
        Err(sys::EAGAIN | sys::EINTR) => return,
        _ => {
            state.host_gone = true;
            return;
        }
    };
    let Some((serial, request)) = Request::decode(bytes.get(..received.len).unwrap_or(&[])) else {
        close_all(&received, 0);
        answer(state, 0, Err((stage::REQUEST, sys::EPROTO)), 0);
        return;
    };
    let fds = &received.fds[..received.fd_count];
    match request {
        Request::Start(start) => {
            let result = start::start(state, &start, fds);
            if result.is_err() {
                start::ring_failure(&start, fds);
            }
            close_all(&received, 0);
            match result {
                Ok((pid, pidfd)) => {
                    let token = start.id;
                    let reply = Notice::Reply { serial, stage: stage::NONE, errno: 0, token, pid, left: b"" };
                    state.reply(&reply.encode(), pidfd);
                }
                Err(error) => answer(state, serial, Err(error), 0),
            }
        }
        Request::GuardTree { version, name } => {
            let kind = if version == 1 { Kind::TreeV1 } else { Kind::TreeV2 };
            guard(state, serial, &received, kind, name);
        }
        Request::HoldTree { token } => {
            let held = received.fd_count == 1 && state.hold(token, received.fds[0]);
            if !held {
                close_all(&received, 0);
            }
            answer(state, serial, if held { Ok(0) } else { Err((stage::REQUEST, sys::EINVAL)) }, 0);
        }
        Request::GuardInstance { name } => guard(state, serial, &received, Kind::Instance, name),
        Request::GuardRestore { text } => guard(state, serial, &received, Kind::Restore, text),
        Request::Unguard { token } => {
            let known = state.unguard(token);
            answer(state, serial, if known { Ok(0) } else { Err((stage::REQUEST, sys::ENOENT)) }, 0);
        }
        Request::KillAt { deadline_ns } => {
            let result = match received.fd_count {
                1 if state.kill_at(deadline_ns, received.fds[0]) => Ok(0),
                1 => Err((stage::FULL, sys::EAGAIN)),
                _ => Err((stage::REQUEST, sys::EINVAL)),
            };
            if result.is_err() {
                close_all(&received, 0);
            }
            answer(state, serial, result, 0);
        }
        Request::End { deadline_ns } => {
            close_all(&received, 0);
            let left = cleanup::clean(state, deadline_ns);
            let name = left.name.map_or(c"", |guard| state.guards[guard].name());
            let reply = Notice::Reply {
                serial,
                stage: left.stage,
                errno: left.errno,
                token: 0,
                pid: left.pid,
                left: name.to_bytes(),
            }
            .encode();
            // All that is known goes first, the reply last: the host stops reading there.
            wait_until_sent(state, State::flush_notices);
            state.reply(&reply, -1);
            wait_until_sent(state, State::send_reply);
            sys::exit(0);
        }
    }
}

/// Tries until it is sent, the host is gone, or five seconds have passed without the host reading.
fn wait_until_sent(state: &mut State, send: fn(&mut State) -> bool) {
    let deadline = sys::now_ns() + CLEANUP_NS / 2;
    while !send(state) && !state.host_gone {
        let now = sys::now_ns();
        if now >= deadline {
            return;
        }
        let _ = sys::poll(&mut [Poll { fd: SOCKET, events: sys::POLLOUT, revents: 0 }], Some(deadline - now));
    }
}

fn guard(state: &mut State, serial: u64, received: &Received, kind: Kind, name: &[u8]) {
    let (file, directory) = match (kind, received.fd_count) {
        (Kind::Restore, 2) => (received.fds[0], received.fds[1]),
        (Kind::Restore, 1) => (received.fds[0], -1),
        (Kind::TreeV1 | Kind::TreeV2 | Kind::Instance, 1) => (-1, received.fds[0]),
        _ => {
            close_all(received, 0);
            answer(state, serial, Err((stage::REQUEST, sys::EINVAL)), 0);
            return;
        }
    };
    let one_component = !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0));
    if kind != Kind::Restore && !one_component {
        close_all(received, 0);
        answer(state, serial, Err((stage::REQUEST, sys::EINVAL)), 0);
        return;
    }
    match state.guard(kind, directory, file, name) {
        Some(token) => answer(state, serial, Ok(token), 0),
        None => {
            close_all(received, 0);
            answer(state, serial, Err((stage::FULL, sys::EAGAIN)), 0);
        }
    }
}

fn close_all(received: &Received, from: usize) {
    for &fd in &received.fds[from..received.fd_count] {
        sys::close(fd);
    }
}

fn answer(state: &mut State, serial: u64, result: Result<u64, (u32, Errno)>, pid: i32) {
    let left: &CStr = c"";
    let (stage, errno, token) = match result {
        Ok(token) => (stage::NONE, 0, token),
        Err((stage, errno)) => (stage, errno, 0),
    };
    state.reply(&Notice::Reply { serial, stage, errno, token, pid, left: left.to_bytes() }.encode(), -1);
}

//! Processes that only system calls can make: a second process on the same memory, a child that stays between
//! vfork and exec, a first thread that has ended, forty that die as fast as they can. The one unsafe part of the tests.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr;

const STACK: usize = 64 << 10;

/// Carries out an order that needs such a process; `None` for any other.
pub fn act(order: &str, number: u64) -> Option<String> {
    match order {
        // A process of its own that shares all memory with this one (CLONE_VM without CLONE_THREAD).
        "share" => Some(twin(libc::CLONE_VM | libc::SIGCHLD).to_string()),
        // A child that stands between vfork and exec, for ever; its parent waits in vfork, so a thread makes it.
        "vfork" => Some(vfork_in_a_thread().to_string()),
        // Another thread goes on with the memory, the first one ends: the process shows as a zombie with a life in it. Or
        // it ends first, and the other takes more than there is.
        "leave" | "leave-and-die" => {
            let (tell, told) = std::sync::mpsc::channel();
            let dies = order == "leave-and-die";
            std::thread::spawn(move || {
                if dies {
                    let _ = tell.send(());
                }
                super::actor::take(number);
                let _ = tell.send(());
                loop {
                    std::thread::park();
                }
            });
            let _ = told.recv();
            // SAFETY: ends this thread alone, without running anything of it; nobody waits for it and what it owns
            // is leaked.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
            None
        }
        // So many children, one after the other, as fast as they die: each takes memory until it is killed. The answer
        // is how many ended by SIGKILL.
        "deaths" => Some((0..number).filter(|_| dies_by_kill()).count().to_string()),
        _ => None,
    }
}

/// Whether a child that takes memory without end is killed.
fn dies_by_kill() -> bool {
    // SAFETY: the child of this process with one thread only writes to memory that it maps, until it is killed.
    let child = unsafe { libc::fork() };
    if child == 0 {
        loop {
            let (size, access) = (1 << 20, libc::PROT_READ | libc::PROT_WRITE);
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
            // SAFETY: a new mapping touches nothing that is there; where it cannot be had the child ends.
            if unsafe { libc::mmap(ptr::null_mut(), size, access, flags, -1, 0) } == libc::MAP_FAILED {
                // SAFETY: ends the child without running anything of its parent's.
                unsafe { libc::_exit(1) };
            }
        }
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call; the child is this process's own and is waited for once.
    let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
    ended == child && libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL
}

/// What the twin does: nothing, for ever.
extern "C" fn sleep_for_ever(_: *mut c_void) -> libc::c_int {
    loop {
        // SAFETY: pause has no arguments and touches no memory, which matters on shared memory.
        unsafe { libc::pause() };
    }
}

fn twin(flags: libc::c_int) -> i32 {
    let stack = Box::leak(vec![0u8; STACK].into_boxed_slice());
    // SAFETY: the stack is leaked, so it lives as long as the child, and it grows downwards from its end; the
    // child touches nothing but that stack.
    unsafe { libc::clone(sleep_for_ever, stack.as_mut_ptr().add(STACK).cast(), flags, ptr::null_mut()) }
}

fn vfork_in_a_thread() -> i32 {
    std::thread::spawn(|| twin(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD));
    // The thread never comes back; its child is the newest child of this process.
    let path = format!("/proc/{}/task", std::process::id());
    loop {
        for thread in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            let children = super::actor::read(thread.path().join("children"));
            if let Some(child) = children.split_ascii_whitespace().next_back() {
                return child.parse().unwrap_or(0);
            }
        }
        std::thread::yield_now();
    }
}

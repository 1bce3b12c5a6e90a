//! The embedded helper: one small static program without a library, which is the supervisor or a worker.
//!
//! Which of them is told by one environment variable, so that the arguments a user sees in `ps` are the worker's
//! name and nothing else.
#![no_std]
#![no_main]

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("memoom's helper runs on x86-64 and aarch64; another architecture is a file in core/helper/arch");

#[cfg_attr(target_arch = "x86_64", path = "arch/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "arch/aarch64.rs")]
mod arch;
mod child;
mod cleanup;
mod hog;
#[path = "../src/helper/mailbox.rs"]
mod mailbox;
mod mem;
mod spare;
mod start;
mod state;
mod supervisor;
mod sys;
mod text;
mod tree;
mod turn;
#[path = "../src/helper/wire.rs"]
mod wire;
mod worker;

use core::ffi::CStr;

/// A bug, and nothing to report it with; the host sees the exit.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    sys::exit(134)
}

/// Precompiled parts of core refer to it; nothing unwinds here.
#[no_mangle]
extern "C" fn rust_eh_personality() {}

/// What the kernel says about this program in the auxiliary vector.
#[derive(Clone, Copy)]
pub struct Auxiliary {
    /// The page size.
    pub page: usize,
    /// The program headers, and their number.
    pub headers: usize,
    pub header_count: usize,
}

/// `stack` is what the kernel left: argc, argv, NULL, envp, NULL, auxv.
extern "C" fn main(stack: *const usize) -> ! {
    const AT_PHDR: usize = 3;
    const AT_PHNUM: usize = 5;
    const AT_PAGESZ: usize = 6;
    let mut auxiliary = Auxiliary { page: 4096, headers: 0, header_count: 0 };
    // SAFETY: the layout is the kernel's; every array ends with NULL and auxv with AT_NULL.
    let (name, task, more) = unsafe {
        let argc = *stack;
        let name = if argc > 0 { CStr::from_ptr(*stack.add(1) as *const _) } else { c"" };
        let mut at = stack.add(1 + argc + 1);
        let task = if *at != 0 { CStr::from_ptr(*at as *const _) } else { c"" };
        let more = if *at != 0 && *at.add(1) != 0 { CStr::from_ptr(*at.add(1) as *const _) } else { c"" };
        while *at != 0 {
            at = at.add(1);
        }
        at = at.add(1);
        while *at != 0 {
            match *at {
                AT_PHDR => auxiliary.headers = *at.add(1),
                AT_PHNUM => auxiliary.header_count = *at.add(1),
                AT_PAGESZ => auxiliary.page = *at.add(1),
                _ => {}
            }
            at = at.add(2);
        }
        (name, task, more)
    };
    let told = |key: &[u8]| {
        more.to_bytes().strip_prefix(key).and_then(text::number).and_then(|number| usize::try_from(number).ok())
    };
    let home = told(b"CPU=");
    match task.to_bytes() {
        b"MEMOOM=supervisor" => supervisor::run(told(b"PLACE=").unwrap_or(0)),
        [b'M', b'E', b'M', b'O', b'O', b'M', b'=', b'h', kind @ ..] => {
            worker::hog(name, text::number(kind).unwrap_or(-1) as u32, home, auxiliary)
        }
        [b'M', b'E', b'M', b'O', b'O', b'M', b'=', b't', period @ ..] => {
            worker::ticker(name, text::number(period).unwrap_or(0) as u64, auxiliary)
        }
        // SAFETY: the kernel put the arguments on the stack, and nobody else refers to them.
        b"MEMOOM=s0" => unsafe { spare::run(name.as_ptr() as *mut u8, home, auxiliary) },
        _ => sys::exit(2),
    }
}

//! What of the helper is particular to aarch64: the entry, the system call, and the memory functions' instructions.

use core::arch::{asm, global_asm};

#[path = "aarch64/nr.rs"]
pub mod nr;

// arch/arm64/include/uapi/asm/fcntl.h: not those of other machines.
pub const O_DIRECTORY: usize = 0o40_000;
pub const O_NOFOLLOW: usize = 0o100_000;

global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "bl {main}",
    "brk #1",
    main = sym crate::main,
);

/// A system call: what the kernel leaves in the register of the result.
///
/// # Safety
/// The caller answers for what the kernel reads and writes at the addresses among the arguments.
#[inline(always)]
pub unsafe fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the registers are those of the kernel's calling convention; memory is the caller's promise.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}

/// A system call that makes a child with a stack of its own: the child calls `body(argument)`.
///
/// # Safety
/// As [`call`]; the body does not return.
#[inline(always)]
pub unsafe fn call_child(number: usize, [a, b, c]: [usize; 3], body: usize, argument: usize) -> isize {
    let result: isize;
    // SAFETY: the caller's promise; the parent sees an ordinary system call that changes memory. Registers other than
    // x0 survive in both.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x22",
            "blr x21",
            "brk #1",
            "2:",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") 0usize, in("x4") 0usize,
            in("x21") body, in("x22") argument,
        );
    }
    result
}

/// Copies from the first byte on.
///
/// # Safety
/// Both ranges are the caller's.
#[inline(always)]
pub unsafe fn copy_up(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "2:",
            "cbz {count}, 3f",
            "ldrb {byte:w}, [{from}], #1",
            "strb {byte:w}, [{to}], #1",
            "sub {count}, {count}, #1",
            "b 2b",
            "3:",
            count = inout(reg) count => _, from = inout(reg) from => _, to = inout(reg) to => _, byte = out(reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// Copies from the last byte on.
///
/// # Safety
/// Both ranges are the caller's.
#[inline(always)]
pub unsafe fn copy_down(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "2:",
            "cbz {count}, 3f",
            "sub {count}, {count}, #1",
            "ldrb {byte:w}, [{from}, {count}]",
            "strb {byte:w}, [{to}, {count}]",
            "b 2b",
            "3:",
            count = inout(reg) count => _, from = in(reg) from, to = in(reg) to, byte = out(reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// Sets every byte.
///
/// # Safety
/// The range is the caller's.
#[inline(always)]
pub unsafe fn fill(to: *mut u8, byte: u8, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "2:",
            "cbz {count}, 3f",
            "strb {byte:w}, [{to}], #1",
            "sub {count}, {count}, #1",
            "b 2b",
            "3:",
            count = inout(reg) count => _, to = inout(reg) to => _, byte = in(reg) u32::from(byte),
            options(nostack, preserves_flags),
        );
    }
}

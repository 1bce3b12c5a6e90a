//! What of the helper is particular to x86-64: the entry, the system call, and the memory functions' instructions.

use core::arch::{asm, global_asm};

#[path = "x86_64/nr.rs"]
pub mod nr;

pub const O_DIRECTORY: usize = 0o200_000;
pub const O_NOFOLLOW: usize = 0o400_000;

global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {main}",
    "ud2",
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
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
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
    // rax, rcx and r11 survive in both.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") 0usize, in("r8") 0usize,
            in("r12") body, in("r13") argument,
            lateout("rcx") _, lateout("r11") _,
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
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
}

/// Copies from the last byte on.
///
/// # Safety
/// Both ranges are the caller's.
#[inline(always)]
pub unsafe fn copy_down(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: the caller's promise; the direction flag is cleared again.
    unsafe {
        let last = count.wrapping_sub(1);
        asm!("std", "rep movsb", "cld", inout("rcx") count => _, inout("rdi") to.wrapping_add(last) => _,
            inout("rsi") from.wrapping_add(last) => _, options(nostack));
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
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte,
            options(nostack, preserves_flags));
    }
}

//! Where a thread that stands still was in its program: the instruction, its callers, and what these are called.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::mappings::{Area, UserFrame};
use crate::sys::room;

#[cfg(feature = "debug-info")]
mod lines;
#[cfg(feature = "debug-info")]
mod programs;
#[cfg(feature = "debug-info")]
mod unwind;

/// So far up the stack is looked for frames.
const MOST_STACK: usize = 256 << 10;
/// So many frames are told.
const MOST_FRAMES: usize = 32;

/// Where a thread stands: the instruction, and the callers as far as the program's unwind tables and frame pointers lead.
///
/// # Errors
/// The file that could not be read, and why.
pub(crate) fn frames(pid: i32, thread: i32) -> Result<Vec<UserFrame>, String> {
    let read = |name: &str| room::read(format!("/proc/{pid}/{name}")).map_err(|error| format!("{name}: {error}"));
    let call = read(&format!("task/{thread}/syscall"))?;
    let (sp, pc) = registers(&call).ok_or_else(|| "syscall: the thread is running".to_string())?;
    let maps = read("maps")?;
    let areas: Vec<Area> = maps.split(|&byte| byte == b'\n').filter_map(Area::parse).collect();
    let mut words = Vec::new();
    if let Some(stack) = areas.iter().find(|area| (area.from..area.to).contains(&sp)) {
        let mut bytes = vec![0; usize::try_from(stack.to - sp).unwrap_or(MOST_STACK).min(MOST_STACK)];
        let memory = File::open(format!("/proc/{pid}/mem")).map_err(|error| format!("mem: {error}"))?;
        let length = memory.read_at(&mut bytes, sp).map_err(|error| format!("mem: {error}"))?;
        let word = |word: &[u8]| u64::from_ne_bytes(word.try_into().unwrap_or_default());
        words = bytes[..length].chunks_exact(8).map(word).collect();
    }
    let stack = Stack { words: &words, start: sp };
    #[cfg(feature = "debug-info")]
    let found = {
        let mut programs = programs::Programs::of(pid, &areas);
        let (mut found, from) = programs.up(&stack, pc);
        found.extend(from.map(|from| by_pointers(&areas, &stack, from)).unwrap_or_default());
        found.truncate(MOST_FRAMES);
        programs.named(&found)
    };
    #[cfg(not(feature = "debug-info"))]
    let found = {
        let callers = by_pointers(&areas, &stack, sp);
        std::iter::once((pc, "register")).chain(callers).map(|found| place(&areas, found)).collect()
    };
    Ok(found)
}

/// The thread of a process that was at its own instructions, and not in a system call, when all were stopped: whoever meets a limit
/// does so there.
///
/// # Errors
/// Why it is not known: none was, or several.
pub(crate) fn busy_thread(pid: i32) -> Result<i32, String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| format!("task: {error}"))?;
    let threads: Vec<i32> =
        tasks.flatten().filter_map(|task| task.file_name().to_string_lossy().parse().ok()).collect();
    let is_busy = |thread: &i32| {
        std::fs::read(format!("/proc/{pid}/task/{thread}/syscall")).is_ok_and(|call| call.starts_with(b"-1 "))
    };
    match (&threads[..], &threads.iter().copied().filter(is_busy).collect::<Vec<_>>()[..]) {
        ([one], _) | (_, [one]) => Ok(*one),
        (_, busy) => {
            Err(format!("which of {} threads met the limit is not told; {} were busy", threads.len(), busy.len()))
        }
    }
}

/// The last two words of `/proc/PID/syscall`: stack pointer and instruction.
fn registers(call: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(call).ok()?;
    let mut words = text.split_ascii_whitespace().rev();
    let mut hex = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (pc, sp) = (hex()?, hex()?);
    Some((sp, pc))
}

/// The part of a thread's memory that is its stack, from its stack pointer on.
struct Stack<'a> {
    words: &'a [u64],
    start: u64,
}

impl Stack<'_> {
    #[cfg(feature = "debug-info")]
    fn word(&self, address: u64) -> Option<u64> {
        let at = address.checked_sub(self.start).filter(|at| at % 8 == 0)?;
        self.words.get(usize::try_from(at / 8).ok()?).copied()
    }
}

/// An address on the way up, and what has led there.
type Found = (u64, &'static str);

/// The callers by frame pointers, from a place in the stack on.
fn by_pointers(areas: &[Area], stack: &Stack<'_>, from: u64) -> Vec<Found> {
    let above = from.checked_sub(stack.start).and_then(|up| usize::try_from(up / 8).ok());
    let words = above.and_then(|above| stack.words.get(above..)).unwrap_or_default();
    let code = |address: u64| areas.iter().any(|area| area.is_code() && (area.from..area.to).contains(&address));
    chain(words, from, &code).into_iter().map(|address| (address, "frame-pointer")).collect()
}

/// The mapping of a file at an address, and the offset in that file.
fn mapped(areas: &[Area], address: u64) -> Option<(&Area, u64)> {
    let area = areas.iter().find(|area| (area.from..area.to).contains(&address))?;
    area.path.starts_with(b"/").then(|| (area, address - area.from + area.offset))
}

/// An address without a name.
fn place(areas: &[Area], (address, found_by): Found) -> UserFrame {
    let mapped = mapped(areas, address);
    let file = mapped.map(|(area, _)| area.path.clone());
    let offset = mapped.map(|(_, offset)| offset);
    UserFrame { address, file, offset, found_by, function: None, source: None, line: None }
}

/// The return addresses of the first chain of frames above the stack pointer: pairs of the next frame, further up, and an
/// address in code. The frame pointer itself is in a register, which nothing shows without stopping the thread once more; two
/// pairs that lead on are taken for frames, one alone for chance.
fn chain(words: &[u64], sp: u64, code: &dyn Fn(u64) -> bool) -> Vec<u64> {
    let follow = |first: usize| {
        let mut returns = Vec::new();
        let mut at = first;
        while let (Some(&next), Some(&address)) = (words.get(at), words.get(at + 1)) {
            if !code(address) || returns.len() >= MOST_FRAMES {
                break;
            }
            returns.push(address);
            match next.checked_sub(sp).filter(|up| up % 8 == 0).and_then(|up| usize::try_from(up / 8).ok()) {
                Some(next) if next > at => at = next,
                _ => break,
            }
        }
        returns
    };
    (0..words.len()).map(follow).find(|returns| returns.len() >= 2).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_followed_up_the_stack_and_a_pair_by_chance_is_none() {
        let code = |address: u64| (0x400..0x500).contains(&address);
        let sp = 0x1000;
        // A return address alone, then two frames: the first at word 2 leads to word 5.
        let words = [0x410, 7, sp + 40, 0x420, 9, 0, 0x430, 1];
        assert_eq!(chain(&words, sp, &code), [0x420, 0x430]);
        assert_eq!(chain(&[sp + 8, 0x420, 3, 4], sp, &code), [] as [u64; 0]);
        assert_eq!(chain(&[], sp, &code), [] as [u64; 0]);
        assert_eq!(registers(b"-1 0x7ffd0bf27c18 0x7fdaba6810ba\n"), Some((0x7ffd_0bf2_7c18, 0x7fda_ba68_10ba)));
        assert_eq!(registers(b"running\n"), None);
    }

    #[test]
    fn an_address_has_its_file_and_offset_and_without_one_none() {
        let maps = b"55d0-55e0 r-xp 00001000 fe:00 12   /usr/bin/a program\n60000-70000 rw-p 00000000 00:00 0  [heap]";
        let areas: Vec<Area> = maps.split(|&byte| byte == b'\n').filter_map(Area::parse).collect();
        let found =
            [(0x55d4, "register"), (1, "unwind-table"), (0x60001, "frame-pointer")].map(|one| place(&areas, one));
        let file = Some(&b"/usr/bin/a program"[..]);
        let places: Vec<_> = found.iter().map(|one| (one.file.as_deref(), one.offset, one.found_by)).collect();
        assert_eq!(
            places,
            [(file, Some(0x1004), "register"), (None, None, "unwind-table"), (None, None, "frame-pointer")]
        );
    }
}

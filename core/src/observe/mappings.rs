//! What a process has mapped, summed up by kind, and where in its program it stands: what `/proc/PID/smaps`, `maps`,
//! `syscall` and `mem` tell of one that stands still.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use serde::Serialize;

use crate::order::order_long;
use crate::sys::room;

/// The memory of one process by mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Mapped {
    /// Its pid.
    pub pid: i32,
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
    /// Resident bytes of the heap (`brk`).
    pub heap_bytes: u64,
    /// Of the first thread's stack.
    pub stack_bytes: u64,
    /// Of anonymous memory beside these, the changed pages of private files among it.
    pub anonymous_bytes: u64,
    /// Of files, as they are on the disk.
    pub file_bytes: u64,
    /// Of shared memory: tmpfs, memfd, System V, shared anonymous memory.
    pub shared_bytes: u64,
    /// What of all that is in swap instead.
    pub swap_bytes: u64,
    /// By how many bytes that has grown since it was held the last time; null for the first.
    pub grown_bytes: Option<i64>,
    /// The largest mappings, by resident bytes; those of one name are one.
    pub largest: Vec<Mapping>,
    /// Where its thread stands that met the limit, innermost first, as far as frame pointers lead; empty for other processes.
    pub frames: Vec<UserFrame>,
}

/// All mappings of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mapping {
    /// The file or the kernel's word (`[heap]`, `[stack]`); `anonymous` for what has no name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub name: Vec<u8>,
    /// `heap`, `stack`, `anonymous`, `file` or `shared`.
    pub kind: &'static str,
    /// How many there are.
    pub count: u64,
    /// Resident bytes.
    pub resident_bytes: u64,
}

/// An address in a program: a file and an offset in it, as `addr2line` and `objdump` take them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UserFrame {
    /// The address.
    pub address: u64,
    /// The file that is mapped there; null for memory without one.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub file: Option<Vec<u8>>,
    /// The offset in that file, in bytes.
    pub offset: Option<u64>,
}

/// So many mappings are named.
const MOST_NAMED: usize = 8;
/// So far up the stack is looked for frames.
const MOST_STACK: usize = 64 << 10;
/// So many frames are told.
const MOST_FRAMES: usize = 32;

impl Mapped {
    /// Resident bytes in all.
    pub fn resident_bytes(&self) -> u64 {
        self.heap_bytes + self.stack_bytes + self.anonymous_bytes + self.file_bytes + self.shared_bytes
    }

    /// What `smaps` says of a process.
    pub(crate) fn parse(pid: i32, comm: &[u8], smaps: &[u8]) -> Mapped {
        let mut mapped = Mapped { pid, comm: comm.to_vec(), ..Mapped::default() };
        let mut named: BTreeMap<(Vec<u8>, &'static str), Mapping> = BTreeMap::new();
        let mut areas = Vec::new();
        for line in smaps.split(|&byte| byte == b'\n') {
            if let Some(area) = Area::parse(line) {
                areas.push((area, 0, 0));
            } else if let Some((_, resident, anonymous)) = areas.last_mut() {
                match field(line) {
                    Some((b"Rss", bytes)) => *resident = bytes,
                    Some((b"Anonymous", bytes)) => *anonymous = bytes,
                    Some((b"Swap", bytes)) => mapped.swap_bytes += bytes,
                    _ => {}
                }
            }
        }
        for (area, resident, anonymous) in areas {
            let kind = area.kind();
            match kind {
                "heap" => mapped.heap_bytes += resident,
                "stack" => mapped.stack_bytes += resident,
                "shared" => mapped.shared_bytes += resident,
                "file" => {
                    mapped.file_bytes += resident.saturating_sub(anonymous);
                    mapped.anonymous_bytes += anonymous.min(resident);
                }
                _ => mapped.anonymous_bytes += resident,
            }
            let name = if area.path.is_empty() { b"anonymous".to_vec() } else { area.path };
            let one = named.entry((name.clone(), kind)).or_insert(Mapping { name, kind, count: 0, resident_bytes: 0 });
            one.count += 1;
            one.resident_bytes += resident;
        }
        let mut largest: Vec<Mapping> = named.into_values().filter(|one| one.resident_bytes > 0).collect();
        order_long(&mut largest, |one| !one.resident_bytes);
        largest.truncate(MOST_NAMED);
        Mapped { largest, ..mapped }
    }
}

/// One line `FROM-TO PERMISSIONS OFFSET DEVICE INODE PATH`.
struct Area {
    from: u64,
    to: u64,
    permissions: Vec<u8>,
    offset: u64,
    path: Vec<u8>,
}

impl Area {
    fn parse(line: &[u8]) -> Option<Area> {
        let mut words = line.splitn(6, |&byte| byte == b' ');
        let hex = |word: &[u8]| u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok();
        let range = words.next()?;
        let dash = range.iter().position(|&byte| byte == b'-')?;
        let (from, to) = (hex(&range[..dash])?, hex(&range[dash + 1..])?);
        let permissions = words.next()?.to_vec();
        let offset = hex(words.next()?)?;
        let (_device, _inode) = (words.next()?, words.next()?);
        let path = words.next().unwrap_or_default().trim_ascii_start().to_vec();
        Some(Area { from, to, permissions, offset, path })
    }

    fn kind(&self) -> &'static str {
        let begins = |with: &[u8]| self.path.starts_with(with);
        let in_memory = [&b"/dev/shm/"[..], b"/memfd:", b"/SYSV", b"/dev/zero"].into_iter().any(begins);
        match (&self.path[..], self.permissions.get(3)) {
            (b"[heap]", _) => "heap",
            (b"[stack]", _) => "stack",
            (path, Some(b's')) if in_memory || path.is_empty() || begins(b"[anon_shmem:") => "shared",
            (path, _) if path.starts_with(b"/") => "file",
            _ => "anonymous",
        }
    }
}

/// A line `Name:   N kB`, in bytes.
fn field(line: &[u8]) -> Option<(&[u8], u64)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let number = std::str::from_utf8(&line[colon + 1..]).ok()?.trim().strip_suffix(" kB")?.trim();
    Some((&line[..colon], number.parse::<u64>().ok()?.checked_mul(1024)?))
}

/// Where a thread that stands still was in its program: the instruction, and the callers as far as frame pointers lead.
///
/// # Errors
/// The file that could not be read, and why.
pub(crate) fn frames(pid: i32, thread: i32) -> Result<Vec<UserFrame>, String> {
    let read = |name: &str| room::read(format!("/proc/{pid}/{name}")).map_err(|error| format!("{name}: {error}"));
    let call = read(&format!("task/{thread}/syscall"))?;
    let (sp, pc) = registers(&call).ok_or_else(|| "syscall: the thread is running".to_string())?;
    let maps = read("maps")?;
    let areas: Vec<Area> = maps.split(|&byte| byte == b'\n').filter_map(Area::parse).collect();
    let Some(stack) = areas.iter().find(|area| (area.from..area.to).contains(&sp)) else {
        return Ok(vec![place(&areas, pc)]);
    };
    let mut bytes = vec![0; usize::try_from(stack.to - sp).unwrap_or(MOST_STACK).min(MOST_STACK)];
    let memory = File::open(format!("/proc/{pid}/mem")).map_err(|error| format!("mem: {error}"))?;
    let length = memory.read_at(&mut bytes, sp).map_err(|error| format!("mem: {error}"))?;
    let words: Vec<u64> =
        bytes[..length].chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default())).collect();
    let code = |address: u64| {
        areas.iter().any(|area| (area.from..area.to).contains(&address) && area.permissions.get(2) == Some(&b'x'))
    };
    let callers = chain(&words, sp, &code);
    Ok(std::iter::once(pc).chain(callers).map(|address| place(&areas, address)).collect())
}

/// The last two words of `/proc/PID/syscall`: stack pointer and instruction.
fn registers(call: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(call).ok()?;
    let mut words = text.split_ascii_whitespace().rev();
    let mut hex = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (pc, sp) = (hex()?, hex()?);
    Some((sp, pc))
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

fn place(areas: &[Area], address: u64) -> UserFrame {
    let area = areas.iter().find(|area| (area.from..area.to).contains(&address));
    let file = area.filter(|area| area.path.starts_with(b"/"));
    UserFrame {
        address,
        file: file.map(|area| area.path.clone()),
        offset: file.map(|area| address - area.from + area.offset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &[u8] = b"\
55d0-55e0 r-xp 00001000 fe:00 12   /usr/bin/a program
Rss:                   8 kB
Anonymous:             4 kB
60000-70000 rw-p 00000000 00:00 0                          [heap]
Rss:                 100 kB
Swap:                 12 kB
70000-80000 rw-s 00000000 00:01 77                         /memfd:x (deleted)
Rss:                  40 kB
80000-90000 rw-p 00000000 00:00 0 
Rss:                  16 kB
90000-91000 rw-p 00000000 00:00 0 
Rss:                  16 kB
7ff0-7fff rw-p 00000000 00:00 0                            [stack]
Rss:                  20 kB
VmFlags: rd wr
";

    #[test]
    fn mappings_are_summed_up_by_kind_and_those_of_a_name_are_one() {
        let mapped = Mapped::parse(7, b"a", SMAPS);
        let of =
            (mapped.heap_bytes, mapped.stack_bytes, mapped.anonymous_bytes, mapped.file_bytes, mapped.shared_bytes);
        assert_eq!(of, (100 << 10, 20 << 10, 36 << 10, 4 << 10, 40 << 10));
        assert_eq!((mapped.swap_bytes, mapped.resident_bytes(), mapped.grown_bytes), (12 << 10, 200 << 10, None));
        assert_eq!(mapped.largest[0].name, b"[heap]");
        let unnamed = mapped.largest.iter().find(|one| one.name == b"anonymous").unwrap();
        assert_eq!((unnamed.kind, unnamed.count, unnamed.resident_bytes), ("anonymous", 2, 32 << 10));
        assert!(mapped.largest.iter().any(|one| one.name == b"/usr/bin/a program" && one.kind == "file"));
        assert_eq!(
            Mapped::parse(7, b"a", b"\xff-\n: kB\n"),
            Mapped { pid: 7, comm: b"a".to_vec(), ..Mapped::default() }
        );
    }

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
        let areas: Vec<Area> = SMAPS.split(|&byte| byte == b'\n').filter_map(Area::parse).collect();
        let found = place(&areas, 0x55d4);
        assert_eq!((found.file.as_deref(), found.offset), (Some(&b"/usr/bin/a program"[..]), Some(0x1004)));
        assert_eq!(place(&areas, 1).file, None);
    }
}

//! What a process has mapped, summed up by kind: what `/proc/PID/smaps` tells of one that stands still.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::order::order_long;

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
    /// Where its thread stands that met the limit, innermost first, as far as unwind tables and frame pointers lead;
    /// empty for other processes.
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

/// An address in a program, and what it is called. Functions that a compiler has put into each other are a frame each, of one
/// address.
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
    /// What has led there: `register` (the instruction itself), `unwind-table` (the program's `.eh_frame`; with the feature
    /// `debug-info`) or `frame-pointer`.
    pub found_by: &'static str,
    /// The function, by the program's debug information or its symbols; null where neither tells.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub function: Option<Vec<u8>>,
    /// Its file of source, by the debug information in the program or in `/usr/lib/debug`; null without.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub source: Option<Vec<u8>>,
    /// The line there.
    pub line: Option<u32>,
}

/// So many mappings are named.
const MOST_NAMED: usize = 8;

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
pub(super) struct Area {
    pub(super) from: u64,
    pub(super) to: u64,
    permissions: Vec<u8>,
    pub(super) offset: u64,
    #[cfg_attr(not(feature = "debug-info"), allow(dead_code))] // for who opens the file
    pub(super) inode: u64,
    pub(super) path: Vec<u8>,
}

impl Area {
    pub(super) fn parse(line: &[u8]) -> Option<Area> {
        let mut words = line.splitn(6, |&byte| byte == b' ');
        let hex = |word: &[u8]| u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok();
        let range = words.next()?;
        let dash = range.iter().position(|&byte| byte == b'-')?;
        let (from, to) = (hex(&range[..dash])?, hex(&range[dash + 1..])?);
        let permissions = words.next()?.to_vec();
        let offset = hex(words.next()?)?;
        let _device = words.next()?;
        let inode = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
        let path = words.next().unwrap_or_default().trim_ascii_start().to_vec();
        Some(Area { from, to, permissions, offset, inode, path })
    }

    /// Whether what stands there can be run.
    pub(super) fn is_code(&self) -> bool {
        self.permissions.get(2) == Some(&b'x')
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
}

//! A BPF program on a tracepoint (bpf(2)): at each event it notes the name and the user of whoever is on the CPU, by thread.
//!
//! It is a few instructions without a loop, writes to its own map alone, and goes with its descriptors. It is attached to the
//! raw tracepoint: behind a perf event it would stand between that event and everybody else who listens to it, as one of 64.

use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use super::{made, Named};

// From <linux/bpf.h>, the same on every architecture; the libc crate has none of it.
const MAP_CREATE: libc::c_long = 0;
const MAP_LOOKUP: libc::c_long = 1;
const PROG_LOAD: libc::c_long = 5;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const LRU_HASH: u32 = 9;
const RAW_TRACEPOINT: u32 = 17;
const UPDATE_ELEMENT: i32 = 2;
const PID_TGID: i32 = 14;
const UID_GID: i32 = 15;
const COMM: i32 = 16;
/// So many threads are remembered, the last ones.
const MOST: u32 = 1024;
/// The name, then group and user.
const NOTE: usize = 24;
const NAME: usize = 16;

/// A program and its map, with the kernel's numbers of both. Attached to nothing it costs nobody anything, and to load one takes
/// ten times as long as to attach it.
#[derive(Debug)]
pub(crate) struct Program {
    map: OwnedFd,
    program: OwnedFd,
    ids: Option<[u32; 2]>,
}

/// The program notes into its map for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Notes {
    program: Program,
    _attached: OwnedFd,
}

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

#[repr(C)]
struct Element {
    map: u32,
    _padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

#[repr(C)]
struct InfoByFd {
    fd: u32,
    length: u32,
    info: u64,
}

#[repr(C)]
struct Attach {
    name: u64,
    program: u32,
    _padding: u32,
}

/// One instruction (`struct bpf_insn`).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u8,
    /// The destination in the lower half, the source in the upper one.
    registers: u8,
    offset: i16,
    value: i32,
}

fn instruction(code: u8, (to, from): (u8, u8), offset: i16, value: i32) -> Instruction {
    Instruction { code, registers: to | from << 4, offset, value }
}

/// The program for a tracepoint whose first argument is a signal's number, of which `but` is passed over.
fn program(but: i32, map: i32) -> [Instruction; 20] {
    const STACK: u8 = 10;
    let (load_long, store, store_long) = (0x79, 0x63, 0x7b);
    let call = |function| instruction(0x85, (0, 0), 0, function);
    let address = |to: u8, at: i32| [instruction(0xbf, (to, STACK), 0, 0), instruction(0x07, (to, 0), 0, at)];
    let [note, note_at] = address(1, -40);
    let [key, key_at] = address(2, -4);
    let [value, value_at] = address(3, -40);
    [
        instruction(load_long, (2, 1), 0, 0),
        instruction(0x15, (2, 0), 16, but),
        call(PID_TGID),
        instruction(store, (STACK, 0), -4, 0),
        call(UID_GID),
        instruction(store_long, (STACK, 0), -24, 0),
        note,
        note_at,
        instruction(0xb7, (2, 0), 0, NAME as i32),
        call(COMM),
        // The address of the map, in two instructions.
        instruction(0x18, (1, 1), 0, map),
        instruction(0, (0, 0), 0, 0),
        key,
        key_at,
        value,
        value_at,
        instruction(0xb7, (4, 0), 0, 0),
        call(UPDATE_ELEMENT),
        instruction(0xb7, (0, 0), 0, 0),
        instruction(0x95, (0, 0), 0, 0),
    ]
}

impl Program {
    /// Loads one that passes over events whose first argument is `but`.
    pub(crate) fn load(but: i32) -> io::Result<Program> {
        let create = MapCreate {
            kind: LRU_HASH,
            key_size: 4,
            value_size: NOTE as u32,
            max_entries: MOST,
            ..MapCreate::default()
        };
        let map = made(bpf(MAP_CREATE, &create)).named("bpf")?;
        let program = program(but, map.as_raw_fd());
        let load = ProgLoad {
            kind: RAW_TRACEPOINT,
            count: program.len() as u32,
            instructions: program.as_ptr() as u64,
            license: c"MIT OR Apache-2.0".as_ptr() as u64,
            ..ProgLoad::default()
        };
        let program = made(bpf(PROG_LOAD, &load)).named("bpf")?;
        let ids = id(map.as_fd()).ok().zip(id(program.as_fd()).ok()).map(|(map, program)| [map, program]);
        Ok(Program { map, program, ids })
    }

    /// Has it note at each event of that tracepoint, on every CPU.
    pub(crate) fn attach(self, tracepoint: &CStr) -> io::Result<Notes> {
        let name = tracepoint.as_ptr() as u64;
        let attach = Attach { name, program: self.program.as_raw_fd() as u32, _padding: 0 };
        let attached = made(bpf(RAW_TRACEPOINT_OPEN, &attach)).named("bpf")?;
        Ok(Notes { program: self, _attached: attached })
    }

    /// Whether its descriptors are its own still: a process that becomes a daemon closes those that it does not know.
    pub(crate) fn is_whole(&self) -> bool {
        self.own().iter().all(|own| *own)
    }

    /// Closes what is still its own.
    pub(crate) fn close(self) {
        let own = self.own();
        for (fd, own) in [self.map, self.program].into_iter().zip(own) {
            if !own {
                let _somebody_elses = fd.into_raw_fd();
            }
        }
    }

    fn own(&self) -> [bool; 2] {
        let ids = self.ids.unwrap_or_default();
        [(&self.map, ids[0]), (&self.program, ids[1])].map(|(fd, then)| id(fd.as_fd()).is_ok_and(|now| now == then))
    }
}

/// The kernel's number of a map or a program, which stands second in what it tells of either.
fn id(of: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = [0u32; 2];
    let length = size_of::<[u32; 2]>() as u32;
    let ask = InfoByFd { fd: of.as_raw_fd() as u32, length, info: info.as_mut_ptr() as u64 };
    match bpf(OBJ_GET_INFO_BY_FD, &ask) {
        0 => Ok(info[1]),
        _ => Err(io::Error::last_os_error()).named("bpf"),
    }
}

impl Notes {
    /// Ends it, and gives back the program, where it can be known again.
    pub(crate) fn end(self) -> Option<Program> {
        Some(self.program).filter(|program| program.ids.is_some())
    }

    /// What was noted last of a thread: its name, and as which user it ran.
    pub(crate) fn of(&self, thread: i32) -> Option<(Vec<u8>, u32)> {
        let mut note = [0u8; NOTE];
        let element = Element {
            map: self.program.map.as_raw_fd() as u32,
            _padding: 0,
            key: (&raw const thread) as u64,
            value: (&raw mut note) as u64,
            flags: 0,
        };
        if bpf(MAP_LOOKUP, &element) < 0 {
            return None;
        }
        let (name, ids) = note.split_at(NAME);
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        Some((name, u32::from_ne_bytes(ids[..4].try_into().ok()?)))
    }
}

fn bpf<T>(command: libc::c_long, attributes: &T) -> libc::c_long {
    let size = size_of::<T>();
    // SAFETY: the structure is plain data of that size; what it points to lives for the call, and is as long as the kernel
    // takes it for by the map's sizes or the count in it.
    unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size) }
}

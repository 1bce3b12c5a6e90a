//! A BPF program on a tracepoint (bpf(2)): at each event it notes the name and the user of whoever is on the CPU, by thread.
//!
//! It is a few instructions without a loop, writes to its own map alone, and goes with its descriptors. It is attached to the
//! raw tracepoint: behind a perf event it would stand between that event and everybody else who listens to it, as one of 64.

use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{made, Named};

// From <linux/bpf.h>, the same on every architecture; the libc crate has none of it.
const MAP_CREATE: libc::c_long = 0;
const MAP_LOOKUP: libc::c_long = 1;
const PROG_LOAD: libc::c_long = 5;
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

/// The map into which the program writes for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Notes {
    map: OwnedFd,
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

impl Notes {
    /// Begins to note at each event of that tracepoint, on every CPU, but where its first argument is `but`.
    pub(crate) fn begin(tracepoint: &CStr, but: i32) -> io::Result<Notes> {
        let create = MapCreate {
            kind: LRU_HASH,
            key_size: 4,
            value_size: NOTE as u32,
            max_entries: MOST,
            ..MapCreate::default()
        };
        let map = made(bpf(MAP_CREATE, create)).named("bpf")?;
        let program = program(but, map.as_raw_fd());
        let load = ProgLoad {
            kind: RAW_TRACEPOINT,
            count: program.len() as u32,
            instructions: program.as_ptr() as u64,
            license: c"MIT OR Apache-2.0".as_ptr() as u64,
            ..ProgLoad::default()
        };
        let program = made(bpf(PROG_LOAD, load)).named("bpf")?;
        let name = tracepoint.as_ptr() as u64;
        let attach = Attach { name, program: program.as_raw_fd() as u32, _padding: 0 };
        let attached = made(bpf(RAW_TRACEPOINT_OPEN, attach)).named("bpf")?;
        Ok(Notes { map, _attached: attached })
    }

    /// What was noted last of a thread: its name, and as which user it ran.
    pub(crate) fn of(&self, thread: i32) -> Option<(Vec<u8>, u32)> {
        let mut note = [0u8; NOTE];
        let element = Element {
            map: self.map.as_raw_fd() as u32,
            _padding: 0,
            key: (&raw const thread) as u64,
            value: (&raw mut note) as u64,
            flags: 0,
        };
        if bpf(MAP_LOOKUP, element) < 0 {
            return None;
        }
        let (name, ids) = note.split_at(NAME);
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        Some((name, u32::from_ne_bytes(ids[..4].try_into().ok()?)))
    }
}

/// What is passed, and zeros behind it: Valgrind looks at all attributes that it knows of, however few are passed.
#[repr(C)]
struct Attributes<T> {
    passed: T,
    rest: [u32; 32],
}

fn bpf<T>(command: libc::c_long, passed: T) -> libc::c_long {
    let size = size_of::<T>();
    let attributes = Attributes { passed, rest: [0; 32] };
    // SAFETY: the structure is plain data of that size at least; what it points to lives for the call, and is as long as the
    // kernel takes it for by the map's sizes or the count in it.
    unsafe { libc::syscall(libc::SYS_bpf, command, &raw const attributes, size) }
}

//! Starting a worker: from the request to a process in its group, or to nothing and the reason.

use crate::child::{self, Entry, Plan, Program};
use crate::spare::SPARE_NAME;
use crate::state::{State, IMAGE};
use crate::sys::{self, Errno};
use crate::text::{self, Decimal};
use crate::turn;
use crate::wire::{fd, role, stage, Start, BLOB_HEAD, MOST_COMM};
use core::ffi::CStr;
use core::ptr::null;

type Failure = (u32, Errno);

const STDIO: [u32; 3] = [fd::STDIN, fd::STDOUT, fd::STDERR];

/// The descriptors of a request by their meaning; what did not come is -1.
struct Files<'a> {
    mask: u32,
    fds: &'a [i32],
}

impl Files<'_> {
    fn get(&self, bit: u32) -> i32 {
        if self.mask & bit == 0 {
            return -1;
        }
        self.fds.get((self.mask & (bit - 1)).count_ones() as usize).copied().unwrap_or(-1)
    }
}

/// Wakes the host, which waits for the worker's READY, when there will be none.
pub fn ring_failure(request: &Start, fds: &[i32]) {
    if matches!(request.role, role::HOG | role::TICKER) {
        let _ = sys::ring(Files { mask: request.fds, fds }.get(fd::STDOUT));
    }
}

/// Starts the worker; the pid and a pidfd. On failure no process is left.
// Long: what the child is given (name, task, CPU) lies on this stack until it has executed.
pub fn start(state: &mut State, request: &Start, fds: &[i32]) -> Result<(i32, i32), Failure> {
    let malformed = (stage::REQUEST, sys::EINVAL);
    let files = Files { mask: request.fds, fds };
    if request.fds.count_ones() as usize != fds.len() {
        return Err(malformed);
    }
    let slot = state.free_slot().ok_or((stage::FULL, sys::EAGAIN))?;
    let spare = request.role == role::SPARE;
    let entry = match (files.get(fd::TASKS), files.get(fd::DIRECTORY)) {
        (-1, -1) if spare => Entry::Born,
        (tasks, -1) if tasks >= 0 && !spare => Entry::Tasks(tasks),
        (-1, directory) if directory >= 0 && !spare => Entry::Directory(directory),
        _ => return Err(malformed),
    };
    let mut plan = Plan {
        parent: state.own_pid,
        // What is not yet the caller's worker is not to die of the caller's Ctrl-C.
        pgid: if spare { state.own_pid } else { request.pgid },
        entry,
        name: [0; MOST_COMM + 1],
        oom_score_adj: (!spare && state.oom_score_adj != Some(request.oom_score_adj)).then_some(request.oom_score_adj),
        cwd: files.get(fd::CWD),
        // A worker of ours stays on the CPU of its start until it takes memory; a command is the user's.
        cpus: if request.role == role::COMMAND { &raw const state.cpus } else { null() },
        program: Program::Image(IMAGE),
        stdio: STDIO.map(|bit| files.get(bit)),
        task: files.get(fd::TASK),
        argv: core::ptr::null_mut(),
        envp: null(),
        stage: stage::NONE,
        errno: 0,
    };
    let shown = request.name.get(..MOST_COMM).unwrap_or(request.name);
    plan.name[..shown.len()].copy_from_slice(shown);
    let (pid, pidfd) = if request.role == role::COMMAND {
        let blob = Blob::read(files.get(fd::BLOB)).map_err(|errno| (stage::REQUEST, errno))?;
        plan.program = Program::Paths(blob.paths);
        plan.argv = blob.argv;
        plan.envp = blob.envp;
        launch(state, &mut plan)
    } else {
        if plan.stdio.iter().any(|&fd| fd < 0) || spare != (plan.task >= 0) {
            return Err(malformed);
        }
        let mut name = [0u8; SPARE_NAME.to_bytes_with_nul().len()];
        let given = request.name.get(..MOST_COMM).unwrap_or(request.name);
        let given = if spare { SPARE_NAME.to_bytes() } else { given };
        name[..given.len()].copy_from_slice(given);
        let (letter, value) = match request.role {
            role::HOG => (b'h', request.kind as u64),
            role::TICKER => (b't', request.period_ns),
            role::SPARE => (b's', 0),
            _ => return Err(malformed),
        };
        // `MEMOOM=h` and a number; see main.rs.
        let mut task = [0u8; 40];
        let digits = Decimal::new(i64::try_from(value).unwrap_or(i64::MAX));
        task[..7].copy_from_slice(b"MEMOOM=");
        task[7] = letter;
        task[8..8 + digits.bytes().len()].copy_from_slice(digits.bytes());
        let mut cpu = [0u8; 24];
        let digits = Decimal::new(turn::home(&state.cpus, state.host_pid, state.place) as i64);
        cpu[..4].copy_from_slice(b"CPU=");
        cpu[4..4 + digits.bytes().len()].copy_from_slice(digits.bytes());
        let mut argv = [name.as_ptr(), null()];
        let envp = [task.as_ptr(), cpu.as_ptr(), null()];
        plan.argv = argv.as_mut_ptr();
        plan.envp = envp.as_ptr();
        launch(state, &mut plan)
    }?;
    state.started(slot, request.id, pid);
    Ok((pid, pidfd))
}

/// Makes the child, in a v2 group right from its birth where the kernel can, and waits until it executes.
fn launch(state: &mut State, plan: &mut Plan) -> Result<(i32, i32), Failure> {
    let born = match plan.entry {
        Entry::Directory(directory) => {
            if freezes(directory) {
                // The child would stand still before its program begins, and the supervisor would wait for it for ever.
                return Err((stage::JOIN, sys::EBUSY));
            }
            let entry = plan.entry;
            plan.entry = Entry::Born;
            // SAFETY: `child::run` never returns, and writes nothing but the plan's error.
            let born = unsafe { sys::vfork(child::run, plan, &mut state.stack, Some(directory)) };
            plan.entry = entry;
            born.ok()
        }
        _ => None,
    };
    let (pid, pidfd) = match born {
        Some(born) => born,
        // Where birth in the group is not to be had (an old kernel, a filter of system calls), or was refused, the
        // child enters by itself, and that gives the error to be reported.
        None => {
            // SAFETY: as above.
            let child = unsafe { sys::vfork(child::run, plan, &mut state.stack, None) };
            child.map_err(|errno| (stage::CLONE, errno))?
        }
    };
    // SAFETY: written by the child, which has executed or ended by now.
    let (stage, errno) = unsafe { ((&raw const plan.stage).read_volatile(), (&raw const plan.errno).read_volatile()) };
    if stage != stage::NONE {
        sys::close(pidfd);
        while let Err(sys::EINTR) = sys::reap(pid) {}
        return Err((stage, errno));
    }
    Ok((pid, pidfd))
}

/// The file that tells the topmost of eight groups to freeze. Each end of it is that of a lower one; a lab has no more
/// groups, and the top no such file.
const TOLD: &[u8] = b"../../../../../../../cgroup.freeze\0";
const ABOVE: usize = 7;

/// Whether a v2 group is frozen or told to be, by itself or by one above it. The kernel says `frozen 1` when the last process
/// stands still, which may take seconds, and stops a child at its birth all that time.
fn freezes(directory: i32) -> bool {
    let mut content = [0u8; 64];
    let mut holds = |file: &CStr, line: &[u8]| match text::read_file(directory, file, &mut content) {
        Ok(content) => Some(content.split(|&byte| byte == b'\n').any(|one| one == line)),
        Err(_) => None,
    };
    let files = (0..=ABOVE).rev().filter_map(|less| CStr::from_bytes_until_nul(&TOLD[less * "../".len()..]).ok());
    holds(c"cgroup.events", b"frozen 1") == Some(true) || files.map_while(|file| holds(file, b"1")).any(|told| told)
}

/// The strings of a command, copied out of the host's file, so that nothing the host does to it later matters.
struct Blob {
    address: usize,
    bytes: usize,
    argv: *mut *const u8,
    envp: *const *const u8,
    paths: *const *const u8,
}

impl Blob {
    fn read(file: i32) -> Result<Blob, Errno> {
        let size = sys::fstat(file)?.size;
        let size = usize::try_from(size).map_err(|_| sys::EINVAL)?;
        let mut head = [0u8; BLOB_HEAD];
        if size < BLOB_HEAD || sys::pread(file, &mut head, 0)? != BLOB_HEAD {
            return Err(sys::EINVAL);
        }
        let mut counts = [0usize; 3];
        for (index, count) in counts.iter_mut().enumerate() {
            let bytes = head[index * 8..index * 8 + 8].try_into().map_err(|_| sys::EINVAL)?;
            *count = u64::from_le_bytes(bytes) as usize;
            // Each string has at least its NUL, so more than there are bytes is a lie (and could overflow below).
            if *count > size {
                return Err(sys::EINVAL);
            }
        }
        if counts[0] == 0 {
            return Err(sys::EINVAL);
        }
        // First the pointers, with one to spare for the shell and three NULLs, then the text.
        let pointers = (counts[0] + counts[1] + counts[2] + 4) * core::mem::size_of::<*const u8>();
        let bytes = pointers.checked_add(size).ok_or(sys::EINVAL)?;
        let address = sys::map(0, bytes)?;
        let mut blob = Blob { address, bytes, argv: core::ptr::null_mut(), envp: null(), paths: null() };
        // SAFETY: inside the fresh mapping, and apart from the pointers.
        let text = unsafe { core::slice::from_raw_parts_mut((address + pointers) as *mut u8, size) };
        let mut at = 0;
        while at < size {
            match sys::pread(file, &mut text[at..], at) {
                Ok(0) => return Err(sys::EINVAL),
                Ok(got) => at += got,
                Err(sys::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        let mut rest = &text[BLOB_HEAD..];
        let mut pointer = address as *mut *const u8;
        for (index, count) in counts.into_iter().enumerate() {
            // SAFETY: `pointers` has room for a spare, every string and three NULLs; fresh memory is all NULLs.
            unsafe {
                pointer = pointer.add(1); // the spare before the arguments, the NULL after the group before
                match index {
                    0 => blob.argv = pointer,
                    1 => blob.envp = pointer,
                    _ => blob.paths = pointer,
                }
                for _ in 0..count {
                    let end = rest.iter().position(|&byte| byte == 0).ok_or(sys::EINVAL)?;
                    *pointer = rest.as_ptr();
                    pointer = pointer.add(1);
                    rest = &rest[end + 1..];
                }
            }
        }
        Ok(blob)
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        // SAFETY: the child that used it has executed or ended, and the plan is not used again.
        unsafe { sys::unmap(self.address, self.bytes) }
    }
}

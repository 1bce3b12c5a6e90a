//! Datagrams with file descriptors.

use super::{close, nr, raw, Errno, EPROTO, MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT, MSG_NOSIGNAL};

#[repr(C)]
struct Vector {
    base: usize,
    len: usize,
}

#[repr(C)]
struct Header {
    name: usize,
    name_len: usize,
    vector: *mut Vector,
    vectors: usize,
    control: *mut u64,
    control_len: usize,
    flags: i32,
}

/// Sends one datagram without waiting, with a file descriptor if `fd` is not negative.
pub fn send(socket: i32, bytes: &[u8], fd: i32) -> Result<(), Errno> {
    let mut vector = Vector { base: bytes.as_ptr() as usize, len: bytes.len() };
    // One struct cmsghdr: length 16 + 4, SOL_SOCKET and SCM_RIGHTS (both 1), the descriptor, padding.
    let mut control = [20u64, 1 | 1 << 32, fd as u32 as u64];
    let control_len = if fd >= 0 { 24 } else { 0 };
    let header = Header {
        name: 0,
        name_len: 0,
        vector: &mut vector,
        vectors: 1,
        control: control.as_mut_ptr(),
        control_len,
        flags: 0,
    };
    // SAFETY: the kernel reads the header and what it points to, all of which lives until the call returns.
    unsafe {
        raw(nr::SENDMSG, socket as usize, &header as *const Header as usize, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0)
    }
    .map(drop)
}

/// What [`receive`] got.
pub struct Received {
    /// Zero is the end of file.
    pub len: usize,
    pub fds: [i32; 8],
    pub fd_count: usize,
}

/// Receives one datagram without waiting, with its file descriptors (close-on-exec).
pub fn receive(socket: i32, to: &mut [u8]) -> Result<Received, Errno> {
    let mut vector = Vector { base: to.as_mut_ptr() as usize, len: to.len() };
    let mut control = [0u64; 2 + 4]; // a cmsghdr and eight descriptors
    let mut header = Header {
        name: 0,
        name_len: 0,
        vector: &mut vector,
        vectors: 1,
        control: control.as_mut_ptr(),
        control_len: core::mem::size_of_val(&control),
        flags: 0,
    };
    let flags = MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    // SAFETY: the kernel writes at most the lengths given in the header; all of it lives until the call returns.
    let len = unsafe { raw(nr::RECVMSG, socket as usize, &mut header as *mut Header as usize, flags, 0, 0, 0) }?;
    let mut received = Received { len, fds: [-1; 8], fd_count: 0 };
    if header.control_len >= 20 && control[1] == (1 | 1 << 32) {
        received.fd_count = ((control[0] as usize).saturating_sub(16) / 4).min(8);
        for index in 0..received.fd_count {
            received.fds[index] = (control[2 + index / 2] >> (32 * (index % 2))) as u32 as i32;
        }
    }
    if header.flags & MSG_CTRUNC != 0 {
        for fd in received.fds {
            close(fd);
        }
        return Err(EPROTO);
    }
    Ok(received)
}

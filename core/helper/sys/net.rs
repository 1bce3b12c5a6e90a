//! System calls for the sockets that a hog fills.

use super::{nr, plain, raw, Errno, Piece, MSG_DONTWAIT, MSG_NOSIGNAL};

const CLOEXEC: usize = 0o2_000_000;
const AF_INET: usize = 2;
const SOCK_STREAM: usize = 1;

/// struct sockaddr_in: family, port, address, padding.
#[repr(C)]
pub struct Place {
    family: u16,
    port: u16,
    address: [u8; 4],
    padding: [u8; 8],
}

/// A TCP socket that listens on the loopback, at a port that the kernel chooses, and its place.
pub fn listener() -> Result<(i32, Place), Errno> {
    let fd = plain(nr::SOCKET, AF_INET, SOCK_STREAM | CLOEXEC, 0)? as i32;
    let mut place = Place { family: AF_INET as u16, port: 0, address: [127, 0, 0, 1], padding: [0; 8] };
    let mut length = core::mem::size_of::<Place>() as u32;
    let address = &raw mut place as usize;
    // SAFETY: the kernel reads, then writes, one struct sockaddr_in and its length.
    unsafe {
        raw(nr::BIND, fd as usize, address, length as usize, 0, 0, 0)?;
        plain(nr::LISTEN, fd as usize, 16, 0)?;
        raw(nr::GETSOCKNAME, fd as usize, address, &raw mut length as usize, 0, 0, 0)?;
    }
    Ok((fd, place))
}

/// A connection to the listener: the end that sends, and the end that receives.
pub fn connection(listener: i32, place: &Place, buffer: i32) -> Result<[i32; 2], Errno> {
    let sender = plain(nr::SOCKET, AF_INET, SOCK_STREAM | CLOEXEC, 0)? as i32;
    for (option, forced) in [(7, 32), (8, 33)] {
        // SO_SNDBUF and SO_RCVBUF; by force, where we may, beyond what the machine allows to all.
        set(sender, forced, buffer).or_else(|_| set(sender, option, buffer))?;
        // What is accepted has the listener's.
        let _ = set(listener, forced, buffer).or_else(|_| set(listener, option, buffer));
    }
    let (address, length) = (place as *const Place as usize, core::mem::size_of::<Place>());
    // SAFETY: the kernel reads one struct sockaddr_in; and it writes no address of the peer where we give no place.
    let receiver = unsafe { raw(nr::CONNECT, sender as usize, address, length, 0, 0, 0) }
        .and_then(|_| unsafe { raw(nr::ACCEPT4, listener as usize, 0, 0, CLOEXEC, 0, 0) });
    match receiver {
        Ok(receiver) => Ok([sender, receiver as i32]),
        Err(errno) => {
            super::close(sender);
            Err(errno)
        }
    }
}

fn set(fd: i32, option: usize, value: i32) -> Result<(), Errno> {
    // SAFETY: the kernel reads one int; SOL_SOCKET is 1.
    unsafe { raw(nr::SETSOCKOPT, fd as usize, 1, option, &value as *const i32 as usize, 4, 0) }.map(drop)
}

/// Sends as much of the pieces as goes without waiting.
///
/// # Safety
/// The pieces are memory that may be read.
pub unsafe fn send_pieces(fd: i32, pieces: &[Piece]) -> Result<usize, Errno> {
    // struct msghdr: no name, the pieces, no control data.
    let header = [0, 0, pieces.as_ptr() as usize, pieces.len(), 0, 0, 0];
    // SAFETY: the caller's promise; the header lives for the call.
    unsafe { raw(nr::SENDMSG, fd as usize, header.as_ptr() as usize, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0) }
}

/// Throws away so many bytes that wait at this end of a TCP connection, as far as they are there.
pub fn discard(fd: i32, bytes: usize) -> Result<usize, Errno> {
    const MSG_TRUNC: usize = 0x20;
    // SAFETY: with this flag TCP copies nothing, so that there need be no memory for it.
    unsafe { raw(nr::RECVFROM, fd as usize, 0, bytes, MSG_TRUNC | MSG_DONTWAIT, 0, 0) }
}

//! The system's socket calls: `None` where the socket is not ready.

use super::Address;
use crate::error::{Error, Result};
use crate::platform::fd::{FromRawFd, OwnedFd, RawFd};
use crate::platform::file::File;
use crate::platform::{self, sys};
use crate::sigpipe::without_sigpipe;
use std::ffi::{c_int, c_void};

/// More than a call can take on any system.
const LARGEST: usize = 0x7fff_f000;

/// The last call's errno.
pub(super) fn last_error() -> Error {
    Error::Sys(platform::errno())
}

/// The count of a call that may find the socket not ready.
pub(super) fn counted(count: isize) -> Result<Option<usize>> {
    if let Ok(count) = usize::try_from(count) {
        return Ok(Some(count));
    }
    match last_error() {
        Error::Sys(libc::EAGAIN | libc::EINTR) => Ok(None),
        error => Err(error),
    }
}

/// Refuses descriptors on which a call may wait.
pub(super) fn require_non_blocking(fd: RawFd) -> Result<()> {
    match platform::is_non_blocking(fd) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Invalid("the socket must be non-blocking")),
        Err(errno) => Err(Error::Sys(errno)),
    }
}

/// An integer option of a socket.
pub(super) fn option(fd: RawFd, name: c_int) -> Result<c_int> {
    let mut value: c_int = 0;
    let mut size = size_of::<c_int>() as sys::socklen_t;
    let place = (&raw mut value).cast::<c_void>();
    // SAFETY: the place has the size that is said.
    match unsafe { sys::getsockopt(fd, sys::SOL_SOCKET, name, place, &mut size) } {
        0 => Ok(value),
        _ => Err(last_error()),
    }
}

/// Receives into `length` bytes at `place`, without waiting.
///
/// # Safety
/// The bytes may be written.
pub(super) unsafe fn receive(
    fd: RawFd,
    place: *mut c_void,
    length: usize,
) -> Result<Option<usize>> {
    let length = length.min(LARGEST);
    // SAFETY: as promised.
    counted(unsafe { sys::recv(fd, place, length, sys::MSG_DONTWAIT) })
}

/// The same, and from whom.
///
/// # Safety
/// The bytes may be written.
pub(super) unsafe fn receive_from(
    fd: RawFd,
    place: *mut c_void,
    length: usize,
) -> Result<Option<(usize, Address)>> {
    let length = length.min(LARGEST);
    let mut address = Address::empty();
    let count = address.fill(|storage, size| {
        // SAFETY: as promised; the address's place has the size that is said.
        counted(unsafe { sys::recvfrom(fd, place, length, sys::MSG_DONTWAIT, storage, size) })
    })?;
    Ok(count.map(|count| (count, address)))
}

/// Sends some of `length` bytes, without waiting and without a signal when
/// nobody is there to read. Without an address to the peer.
///
/// # Safety
/// The bytes may be read.
pub(super) unsafe fn send(
    fd: RawFd,
    bytes: *const c_void,
    length: usize,
    address: Option<&Address>,
) -> Result<Option<usize>> {
    let length = length.min(LARGEST);
    let flags = sys::MSG_DONTWAIT | sys::MSG_NOSIGNAL;
    let (address, size) = address.map_or((std::ptr::null(), 0), |a| (a.as_ptr(), a.length()));
    // SAFETY: as promised; an address knows its length.
    counted(unsafe {
        sys::sendto(fd, bytes, length, flags, address.cast(), size as sys::socklen_t)
    })
}

/// Takes a connection that waits. The new descriptor is close-on-exec and does
/// not block.
pub(super) fn accept(fd: RawFd) -> Result<Option<(OwnedFd, Address)>> {
    let mut address = Address::empty();
    let accepted = address.fill(|storage, size| {
        let flags = sys::SOCK_CLOEXEC | sys::SOCK_NONBLOCK;
        // SAFETY: the address's place has the size that is said.
        counted(unsafe { sys::accept4(fd, storage, size, flags) } as isize)
    });
    match accepted {
        // SAFETY: just made, and nobody else's.
        Ok(Some(fd)) => Ok(Some((unsafe { OwnedFd::from_raw_fd(fd as RawFd) }, address))),
        // The peer has given up: wait for the next one.
        Ok(None) | Err(Error::Sys(libc::ECONNABORTED)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Begins to connect; true: it is done already.
pub(super) fn connect(fd: RawFd, address: &Address) -> Result<bool> {
    let size = address.length() as sys::socklen_t;
    // SAFETY: an address knows its length.
    if unsafe { sys::connect(fd, address.as_ptr().cast(), size) } == 0 {
        return Ok(true);
    }
    match last_error() {
        // After EINTR it goes on by itself. EAGAIN is not among these: a full
        // queue of a local socket begins nothing, and no event tells of room.
        Error::Sys(libc::EINPROGRESS | libc::EALREADY | libc::EINTR) => Ok(false),
        error => Err(error),
    }
}

/// Sends a part of a file.
pub(super) fn send_file(fd: RawFd, file: File, offset: i64, count: usize) -> Result<Option<usize>> {
    counted(without_sigpipe(fd, || file.send(fd, offset, count.min(LARGEST))))
}

/// Reads a part of a file without moving its position.
pub(super) fn read_at(file: File, place: &mut Vec<u8>, offset: i64) -> Result<()> {
    place.clear();
    loop {
        // SAFETY: the vector owns so many bytes.
        let count = unsafe { file.read_at(place.as_mut_ptr(), place.capacity(), offset) };
        match usize::try_from(count) {
            // SAFETY: so many were written.
            Ok(count) => unsafe { place.set_len(count) },
            Err(_) => match last_error() {
                Error::Sys(libc::EINTR) => continue,
                error => return Err(error),
            },
        }
        return Ok(());
    }
}

/// Is it a stream?
pub(super) fn is_stream(fd: RawFd) -> Result<bool> {
    Ok(option(fd, sys::SO_TYPE)? == sys::SOCK_STREAM)
}

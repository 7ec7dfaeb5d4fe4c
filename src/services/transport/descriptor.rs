//! What streams do with their descriptors: sockets and pipes alike.

use super::End;
use crate::error::{Error, Result};
use crate::platform::fd::RawFd;
use crate::platform::{self, errno, sys};
use crate::sigpipe::without_sigpipe;
use std::ffi::{c_int, c_void};

/// The system takes no more parts in one call.
const MOST_PARTS: usize = 1024;

/// What kind of descriptor a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A connected stream socket.
    Socket,
    /// Something to read from.
    ReadPipe,
    /// Something to write to; is it worth watching whether the reader goes?
    WritePipe {
        /// For pipes and sockets.
        watches_peer: bool,
    },
}

impl Medium {
    /// Can bytes come?
    pub fn reads(self) -> bool {
        !matches!(self, Medium::WritePipe { .. })
    }

    /// Can bytes be sent?
    pub fn writes(self) -> bool {
        self != Medium::ReadPipe
    }
}

/// A count, none where the descriptor is not ready, or an errno.
pub type Counted = std::result::Result<Option<usize>, c_int>;

fn counted(result: isize) -> Counted {
    match usize::try_from(result) {
        Ok(count) => Ok(Some(count)),
        Err(_) => match errno() {
            libc::EAGAIN | libc::EINTR => Ok(None),
            errno => Err(errno),
        },
    }
}

/// Receives into `length` bytes at `place`; 0 is the end.
///
/// # Safety
/// The bytes may be written.
#[inline]
pub unsafe fn receive(fd: RawFd, medium: Medium, place: *mut c_void, length: usize) -> Counted {
    // SAFETY: as promised.
    counted(unsafe {
        match medium {
            Medium::Socket => sys::recv(fd, place, length, sys::MSG_DONTWAIT),
            _ => sys::read(fd, place, length),
        }
    })
}

/// Sends what it can of these parts. Never a signal.
///
/// # Safety
/// The parts may be read.
#[inline]
pub unsafe fn send(fd: RawFd, medium: Medium, parts: &[sys::iovec]) -> Counted {
    let flags = sys::MSG_DONTWAIT | sys::MSG_NOSIGNAL;
    // SAFETY: as promised.
    counted(unsafe {
        match (medium, parts) {
            (Medium::Socket, [part]) => sys::send(fd, part.iov_base, part.iov_len, flags),
            (Medium::Socket, parts) => {
                let parts = &parts[..parts.len().min(MOST_PARTS)];
                let mut message: sys::msghdr = std::mem::zeroed();
                message.msg_iov = parts.as_ptr().cast_mut();
                message.msg_iovlen = parts.len() as _;
                sys::sendmsg(fd, &message, flags)
            }
            (_, parts) => {
                let parts = &parts[..parts.len().min(MOST_PARTS)];
                without_sigpipe(fd, || sys::writev(fd, parts.as_ptr(), parts.len() as c_int))
            }
        }
    })
}

/// Tells the peer that nothing more comes.
pub fn shutdown_write(fd: RawFd) -> Result<()> {
    // SAFETY: a plain call.
    match unsafe { sys::shutdown(fd, sys::SHUT_WR) } {
        0 => Ok(()),
        _ => Err(Error::Sys(errno())),
    }
}

/// Small writes go out at once. What is no TCP socket does not mind.
pub fn set_no_delay(fd: RawFd) {
    let on: c_int = 1;
    let size = size_of::<c_int>() as sys::socklen_t;
    // SAFETY: the place has the size that is said.
    unsafe {
        sys::setsockopt(fd, sys::IPPROTO_TCP, sys::TCP_NODELAY, (&raw const on).cast(), size);
    }
}

/// A socket's type, or the errno of what is no socket.
pub fn socket_type(fd: RawFd) -> Result<c_int> {
    let mut value: c_int = 0;
    let mut size = size_of::<c_int>() as sys::socklen_t;
    let place = (&raw mut value).cast::<c_void>();
    // SAFETY: the place has the size that is said.
    match unsafe { sys::getsockopt(fd, sys::SOL_SOCKET, sys::SO_TYPE, place, &mut size) } {
        0 => Ok(value),
        _ => Err(Error::Sys(errno())),
    }
}

/// A socket's address, or that of its peer: how long it is. What does not fit
/// is left out.
pub fn address(fd: RawFd, end: End, place: &mut [u8]) -> Result<usize> {
    let mut length = place.len().min(4096) as sys::socklen_t;
    let call = match end {
        End::Own => sys::getsockname,
        End::Peer => sys::getpeername,
    };
    // SAFETY: the place has the length that is said.
    match unsafe { call(fd, place.as_mut_ptr().cast(), &mut length) } {
        0 => Ok(length as usize),
        _ => Err(Error::Sys(errno())),
    }
}

/// The type bits of a file's mode.
pub fn file_type(fd: RawFd) -> Result<sys::mode_t> {
    match platform::file_type(fd) {
        // Never where any descriptor has a type.
        Err(libc::ENOTSOCK) => Err(Error::Unsupported("here only sockets can be watched")),
        result => result.map_err(Error::Sys),
    }
}

/// Makes a descriptor non-blocking; true if it was not.
pub fn make_non_blocking(fd: RawFd) -> Result<bool> {
    platform::set_non_blocking(fd, true).map_err(Error::Sys)
}

/// Takes `make_non_blocking` back.
pub fn make_blocking(fd: RawFd) {
    let _ = platform::set_non_blocking(fd, false);
}

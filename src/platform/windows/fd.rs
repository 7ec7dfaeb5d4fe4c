//! Numbers of sockets as descriptors. Windows promises that a handle has 32
//! significant bits, so a number of C's type `int` can stand for one.

use std::marker::PhantomData;
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, FromRawSocket, RawSocket};

/// A socket's number.
pub type RawFd = i32;

/// The socket behind a number.
pub fn socket_of(fd: RawFd) -> RawSocket {
    fd as u32 as RawSocket
}

/// A socket that is closed when this is dropped.
#[derive(Debug)]
pub struct OwnedFd(RawFd);

/// A socket that somebody else owns.
#[derive(Clone, Copy, Debug)]
pub struct BorrowedFd<'a>(RawFd, PhantomData<&'a OwnedFd>);

impl BorrowedFd<'_> {
    /// # Safety
    /// The socket is open for as long as this lives.
    pub const unsafe fn borrow_raw(fd: RawFd) -> Self {
        BorrowedFd(fd, PhantomData)
    }
}

/// What has a number.
pub trait AsRawFd {
    /// Its number.
    fn as_raw_fd(&self) -> RawFd;
}

/// What can lend its socket.
pub trait AsFd {
    /// Its socket.
    fn as_fd(&self) -> BorrowedFd<'_>;
}

/// What can be made of a number.
pub trait FromRawFd {
    /// # Safety
    /// The socket is open and the caller's to give away.
    unsafe fn from_raw_fd(fd: RawFd) -> Self;
}

/// What can be taken apart into a number.
pub trait IntoRawFd {
    /// Its number, which is the caller's to close.
    fn into_raw_fd(self) -> RawFd;
}

impl AsRawFd for RawFd {
    fn as_raw_fd(&self) -> RawFd {
        *self
    }
}

impl AsRawFd for OwnedFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl AsRawFd for BorrowedFd<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl AsFd for OwnedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        BorrowedFd(self.0, PhantomData)
    }
}

impl AsFd for BorrowedFd<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        *self
    }
}

impl FromRawFd for OwnedFd {
    unsafe fn from_raw_fd(fd: RawFd) -> Self {
        OwnedFd(fd)
    }
}

impl IntoRawFd for OwnedFd {
    fn into_raw_fd(self) -> RawFd {
        std::mem::ManuallyDrop::new(self).0
    }
}

impl Drop for OwnedFd {
    fn drop(&mut self) {
        // SAFETY: the standard library closes it, once.
        drop(unsafe { std::os::windows::io::OwnedSocket::from_raw_socket(socket_of(self.0)) });
    }
}

impl AsRawSocket for BorrowedFd<'_> {
    fn as_raw_socket(&self) -> RawSocket {
        socket_of(self.0)
    }
}

impl AsSocket for BorrowedFd<'_> {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        // SAFETY: whoever lent the number promised that it is open.
        unsafe { BorrowedSocket::borrow_raw(socket_of(self.0)) }
    }
}

//! What a number meant when it was added: the kqueue itself knows. It forgets a
//! descriptor that is closed, and is asked whether it still has its filters.

use crate::error::{Error, Result};
use crate::fd_table::Interest;
use crate::platform::fd::{AsRawFd, RawFd};
use crate::platform::file_type;
use polling::{Event, Poller};
use std::io;

/// The number of a filter.
#[cfg(not(target_os = "netbsd"))]
type Filter = i16;
#[cfg(target_os = "netbsd")]
type Filter = u32;

/// Nothing but the kqueue's own memory.
pub struct Known;

impl Known {
    /// Nothing to remember.
    pub fn new() -> Self {
        Known
    }

    /// The kqueue.
    pub fn backend_fd(&self, poller: &Poller) -> Result<RawFd> {
        Ok(poller.as_raw_fd())
    }

    /// A descriptor is about to be added: the key to add it with.
    pub fn admit(&mut self, fd: RawFd, key: usize) -> Result<usize> {
        match file_type(fd) {
            Err(libc::EBADF) => Err(Error::Sys(libc::EBADF)),
            // Some systems would take plain files, and call them ready at once.
            Ok(libc::S_IFREG | libc::S_IFDIR) => Err(Error::Sys(libc::EPERM)),
            // Not every kind of descriptor can say what it is.
            _ => Ok(key),
        }
    }

    /// Does the number mean the file that was added? Enabling a filter that is
    /// enabled changes nothing, and one that is not there is `ENOENT`.
    pub fn check(&mut self, poller: &Poller, fd: RawFd, key: usize) -> Result<usize> {
        let mut missing = libc::ENOENT;
        for receipt in touch(poller, fd, [libc::EVFILT_READ, libc::EVFILT_WRITE], key)? {
            match receipt {
                0 => return Ok(key),
                errno => missing = errno,
            }
        }
        Err(Error::Sys(missing))
    }

    /// Will it be told of what was just asked for? Of a pipe that nobody reads any
    /// more, some systems refuse to say that it can be written to, and polling
    /// takes no notice of that.
    pub fn is_heard(&self, poller: &Poller, fd: RawFd, event: &Event) -> Result<()> {
        if !event.writable {
            return Ok(());
        }
        match touch(poller, fd, [libc::EVFILT_WRITE; 2], event.key)? {
            [libc::ENOENT, _] => Err(Error::Sys(libc::EPIPE)),
            _ => Ok(()),
        }
    }

    /// The kqueue was told.
    pub fn forget(&mut self, _: RawFd) {}

    /// The key of the watch that an event is for.
    pub fn meaning(&self, key: usize, _: Interest) -> std::result::Result<usize, Option<RawFd>> {
        Ok(key)
    }
}

/// Enables two filters, which are enabled, and says of each the errno, or 0.
fn touch(poller: &Poller, fd: RawFd, filters: [Filter; 2], key: usize) -> Result<[i32; 2]> {
    let changes = filters.map(|filter| {
        // SAFETY: plain data; what is not set below is 0 for every filter.
        let mut change: libc::kevent = unsafe { std::mem::zeroed() };
        change.ident = fd as _;
        change.filter = filter;
        change.flags = libc::EV_ENABLE | libc::EV_RECEIPT;
        // Setting it is part of every change.
        change.udata = key as _;
        change
    });
    // SAFETY: plain data, filled in by the call.
    let mut receipts: [libc::kevent; 2] = unsafe { std::mem::zeroed() };
    // SAFETY: two changes, and room for their two receipts, so it does not wait.
    let count = unsafe {
        let place = receipts.as_mut_ptr();
        libc::kevent(poller.as_raw_fd(), changes.as_ptr(), 2, place, 2, std::ptr::null())
    };
    match count {
        2 => Ok(receipts.map(|receipt| receipt.data as i32)),
        _ => Err(Error::from(io::Error::last_os_error())),
    }
}

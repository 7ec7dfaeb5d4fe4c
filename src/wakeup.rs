//! The descriptor that wakes a sleeping loop: an eventfd watched edge-triggered
//! (each write is a new edge, so nothing ever reads it), or a pair of sockets.
//!
//! Who may touch what: `write` may be called by any thread and inside signal
//! handlers. `close` waits until no `write` is under way, so a descriptor is
//! never written to after its number could have been given to somebody else.

use crate::error::Result;
use crate::platform::fd::RawFd;
use crate::platform::{errno, set_errno, sys};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering::SeqCst};

const NONE: RawFd = -1;
/// How often a wake-up is sent that does not go through.
const TRIES: usize = 1000;

/// A wake-up descriptor, created when a loop first needs to sleep.
pub struct Wakeup {
    write_fd: AtomicI32,
    read_fd: AtomicI32,
    writers: AtomicU32,
    requests: AtomicUsize,
}

impl Wakeup {
    /// No descriptor yet.
    pub const fn new() -> Self {
        Wakeup {
            write_fd: AtomicI32::new(NONE),
            read_fd: AtomicI32::new(NONE),
            writers: AtomicU32::new(0),
            requests: AtomicUsize::new(0),
        }
    }

    /// The descriptor to watch; makes it on first use.
    pub fn ensure(&self) -> Result<RawFd> {
        let fd = self.read_fd.load(SeqCst);
        if fd != NONE {
            return Ok(fd);
        }
        let (read_fd, write_fd) = open()?;
        self.read_fd.store(read_fd, SeqCst);
        self.write_fd.store(write_fd, SeqCst);
        Ok(read_fd)
    }

    /// The descriptor to watch and the one to write to; makes them on first use.
    pub fn ends(&self) -> Result<[RawFd; 2]> {
        Ok([self.ensure()?, self.write_fd.load(SeqCst)])
    }

    /// Takes the descriptors of another one, having none of its own.
    pub fn adopt(&self, other: Wakeup) {
        self.read_fd.store(other.read_fd.swap(NONE, SeqCst), SeqCst);
        self.write_fd.store(other.write_fd.swap(NONE, SeqCst), SeqCst);
    }

    /// Wakes the loop if it sleeps. Async-signal-safe.
    pub fn write(&self) {
        self.writers.fetch_add(1, SeqCst);
        let fd = self.write_fd.load(SeqCst);
        if fd != NONE {
            let one = 1u64.to_ne_bytes();
            // SAFETY: `close` waits for `writers`, so the descriptor is ours. A
            // full socket means that a wake-up waits already; errno is restored
            // because the caller may be a signal handler.
            unsafe {
                let saved = errno();
                let write = || {
                    #[cfg(not(any(backend = "poll", backend = "kqueue")))]
                    return sys::write(fd, one.as_ptr().cast(), one.len());
                    // Here it is a socket's.
                    #[cfg(any(backend = "poll", backend = "kqueue"))]
                    return sys::send(fd, one.as_ptr().cast(), one.len(), sys::MSG_NOSIGNAL);
                };
                let mut is_written = write() > 0;
                // Of two threads that send at once, wine may refuse one, though
                // there is room; and what the other one sent may be taken already.
                for _ in 0..if cfg!(windows) { TRIES } else { 0 } {
                    if is_written {
                        break;
                    }
                    std::thread::yield_now();
                    is_written = write() > 0;
                }
                set_errno(saved);
            }
        }
        self.writers.fetch_sub(1, SeqCst);
    }

    /// Remembers a wish to wake that has no queue entry (a signal handler's),
    /// then wakes. Async-signal-safe.
    pub fn request(&self) {
        self.requests.fetch_add(1, SeqCst);
        self.write();
    }

    /// Was a wish remembered since the last call?
    pub fn take_requests(&self) -> bool {
        self.requests.load(SeqCst) != 0 && self.requests.swap(0, SeqCst) != 0
    }

    /// Empties a socket; an eventfd needs nothing.
    pub fn drain(&self) {
        if cfg!(not(backend = "epoll")) {
            let mut buffer = [0u8; 64];
            let fd = self.read_fd.load(SeqCst);
            // SAFETY: our own non-blocking descriptor and our own buffer.
            while unsafe { sys::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) } > 0 {}
        }
    }

    /// Closes the descriptors once no thread writes. In a forked child the
    /// parent's writers do not exist, so there is nothing to wait for.
    pub fn close(&self, forked: bool) {
        let write_fd = self.write_fd.swap(NONE, SeqCst);
        let read_fd = self.read_fd.swap(NONE, SeqCst);
        if forked {
            self.writers.store(0, SeqCst);
        }
        while self.writers.load(SeqCst) != 0 {
            std::thread::yield_now();
        }
        for fd in [read_fd, if write_fd == read_fd { NONE } else { write_fd }] {
            if fd != NONE {
                // SAFETY: ours, and no longer reachable.
                unsafe { sys::close(fd) };
            }
        }
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        self.close(false);
    }
}

#[cfg(backend = "epoll")]
fn open() -> Result<(RawFd, RawFd)> {
    // SAFETY: creates a descriptor; no memory is involved.
    match unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) } {
        -1 => Err(std::io::Error::last_os_error().into()),
        fd => Ok((fd, fd)),
    }
}

#[cfg(not(backend = "epoll"))]
fn open() -> Result<(RawFd, RawFd)> {
    use crate::platform::fd::IntoRawFd;
    let (read_end, write_end) = crate::platform::self_pipe()?;
    Ok((read_end.into_raw_fd(), write_end.into_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_remembered_without_a_descriptor() {
        let wakeup = Wakeup::new();
        assert!(!wakeup.take_requests());
        wakeup.request();
        assert!(wakeup.take_requests() && !wakeup.take_requests());
    }

    #[test]
    fn a_write_makes_the_descriptor_readable_and_close_is_final() {
        let wakeup = Wakeup::new();
        let fd = wakeup.ensure().unwrap();
        assert_eq!(wakeup.ensure(), Ok(fd));
        wakeup.write();
        let mut buffer = [0u8; 8];
        let mut is_readable = || {
            std::thread::yield_now();
            // SAFETY: our own non-blocking descriptor and our own buffer.
            unsafe { sys::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) > 0 }
        };
        // A connection to oneself may take a moment.
        assert!((0..1_000_000).any(|_| is_readable()));
        wakeup.close(false);
        wakeup.write();
        wakeup.close(false);
    }
}

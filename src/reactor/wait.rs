//! The wait goes straight to polling's own epoll descriptor: one system call,
//! where `Poller::wait` makes five each time. That leans on observable,
//! undocumented behaviour of polling, held by `tests/polling_assumptions.rs`:
//! the key is the event's `u64`, and polling's private descriptors (whose key is
//! `usize::MAX`) stay silent unless its own `wait` or `notify` is used.

use crate::error::{Error, Result};
use crate::fd_table::Interest;
use crate::platform::fd::{AsRawFd, RawFd};
use polling::Poller;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Few enough that what one event has touched, in the kernel and in the host, is
/// still in the cache when the callbacks that it has scheduled run: with a
/// thousand connections that saves a sixth of all time.
const CAPACITY: usize = 64;
/// polling's key for its own descriptors.
const POLLING_KEY: u64 = usize::MAX as u64;
const READ: u32 = (libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP) as u32;
const WRITE: u32 = libc::EPOLLOUT as u32;
const BOTH: u32 = (libc::EPOLLHUP | libc::EPOLLERR) as u32;

/// Waits at most `timeout_ns`, without limit if it is negative. Events land on the
/// stack; nothing is kept between waits.
pub fn wait(
    poller: &Poller,
    timeout_ns: i64,
    mut ready: impl FnMut(usize, Interest),
) -> Result<()> {
    let mut events = [const { MaybeUninit::<libc::epoll_event>::uninit() }; CAPACITY];
    let count = epoll(poller.as_raw_fd(), &mut events, timeout_ns)?;
    for event in &events[..count] {
        // SAFETY: the kernel filled the first `count` entries.
        let event = unsafe { event.assume_init() };
        if event.u64 == POLLING_KEY {
            continue;
        }
        ready(
            event.u64 as usize,
            Interest {
                readable: event.events & (READ | BOTH) != 0,
                writable: event.events & (WRITE | BOTH) != 0,
            },
        );
    }
    Ok(())
}

/// The kernel's own, which has these sizes in 32-bit programs, too.
#[repr(C)]
struct Timespec {
    _sec: i64,
    _nsec: i64,
}

fn epoll(
    epoll_fd: RawFd,
    events: &mut [MaybeUninit<libc::epoll_event>],
    timeout_ns: i64,
) -> Result<usize> {
    static HAS_PWAIT2: AtomicBool = AtomicBool::new(true);
    let buffer = events.as_mut_ptr().cast::<libc::epoll_event>();
    let capacity = events.len() as libc::c_int;
    if timeout_ns > 0 && HAS_PWAIT2.load(Relaxed) {
        let timeout =
            Timespec { _sec: timeout_ns / 1_000_000_000, _nsec: timeout_ns % 1_000_000_000 };
        // SAFETY: the buffer holds `capacity` events; no signal mask is given.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                epoll_fd,
                buffer,
                capacity,
                &raw const timeout,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        match counted(count) {
            // Kernels before 5.11, and sandboxes that do not know the call.
            Err(Error::Sys(libc::ENOSYS | libc::EPERM)) => HAS_PWAIT2.store(false, Relaxed),
            result => return result,
        }
    }
    let timeout_ms = match timeout_ns {
        ..0 => -1,
        // Rounded up: a wait that ends early would only have to be repeated.
        _ => (timeout_ns as u64).div_ceil(1_000_000).min(i32::MAX as u64) as libc::c_int,
    };
    // SAFETY: the buffer holds `capacity` events.
    counted(unsafe { libc::epoll_wait(epoll_fd, buffer, capacity, timeout_ms) }.into())
}

fn counted(count: libc::c_long) -> Result<usize> {
    if count >= 0 {
        return Ok(count as usize);
    }
    match Error::from(io::Error::last_os_error()) {
        Error::Sys(libc::EINTR) => Ok(0),
        error => Err(error),
    }
}

//! Linux makes the process by a bare `clone`.
//!
//! Not by `fork`: that copies the parent's page tables, runs every library's
//! fork handlers and would look like a fork to the loops of this process. The
//! new process begins on the parent's memory instead, as with `vfork`, while the
//! calling thread waits until the program runs or could not be started. Only
//! one that changes its rights gets a copy of the memory: others with those
//! rights could look into it.
//!
//! What it does there is told to the kernel directly: the C library would speak
//! for the parent's threads, too, or keep things in the parent's memory.

use super::image::{self, Plan};
use crate::error::{Error, Result};
use crate::memory::{probe, try_arc};
use crate::platform::fd::{FromRawFd, OwnedFd, RawFd};
use crate::platform::thread::SignalMask;
use crate::services::children::{self, Pidfd, Watcher};
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgroups, SYS_setresgid, SYS_setresuid};
// Those with the plain names are for ids of 16 bits there.
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{
    SYS_setgroups32 as SYS_setgroups, SYS_setresgid32 as SYS_setresgid,
    SYS_setresuid32 as SYS_setresuid,
};
use std::alloc::Layout;
use std::ffi::{c_long, c_void};
use std::io;

/// Enough for `image` in any build, and for the kernel's signal frames.
const STACK: usize = 64 << 10;

/// Makes the process: its number, and its descriptor unless there is no memory.
pub fn start(plan: &Plan, shares_memory: bool) -> Result<(i32, Result<Option<Pidfd>>)> {
    let mut flags = libc::CLONE_VFORK | libc::SIGCHLD;
    if shares_memory {
        flags |= libc::CLONE_VM;
    }
    if children::watcher() == Watcher::Pidfd {
        flags |= libc::CLONE_PIDFD;
    }
    let layout = Layout::new::<[u128; STACK / 16]>();
    probe(layout)?;
    let mut stack: Vec<u128> = Vec::with_capacity(STACK / 16);
    let mut pidfd: RawFd = -1;
    let argument = std::ptr::from_ref(plan).cast_mut().cast::<c_void>();
    // No handler of the parent may run on its memory in the child.
    let mask = SignalMask::block_all_but(&[])?;
    // SAFETY: the stack is as large as that and its top is aligned; entry and
    // plan keep the rules of `image`; the kernel writes one descriptor.
    let mut clone = |flags| unsafe {
        let top = stack.as_mut_ptr().add(STACK / 16).cast::<c_void>();
        let pid = libc::clone(image::enter, top, flags, argument, &raw mut pidfd);
        (pid, io::Error::last_os_error())
    };
    let (mut pid, mut error) = clone(flags);
    // Emulators and sandboxes may refuse what old kernels only overlook.
    if pid < 0 && error.raw_os_error() == Some(libc::EINVAL) && flags & libc::CLONE_PIDFD != 0 {
        (pid, error) = clone(flags & !libc::CLONE_PIDFD);
    }
    drop(mask);
    if pid < 0 {
        return Err(Error::from(error));
    }
    // SAFETY: just made by the kernel, and nobody else's.
    let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    Ok((pid, pidfd.map(try_arc).transpose()))
}

/// Default dispositions, also of what the parent ignores: its handlers would run
/// on its memory.
pub unsafe fn forget_handlers() {
    // The kernel's own struct in any architecture; zeroes are the default.
    let default = [0u64; 16];
    for signum in 1..=64 {
        unsafe {
            let none = std::ptr::null_mut::<c_void>();
            libc::syscall(libc::SYS_rt_sigaction, signum, default.as_ptr(), none, SIGSET_SIZE);
        }
    }
}

const SIGSET_SIZE: usize = 8;

/// Signals come again.
pub unsafe fn unblock_signals() {
    let none = 0u64;
    unsafe {
        let before = std::ptr::null_mut::<c_void>();
        let how = libc::SIG_SETMASK;
        libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const none, before, SIGSET_SIZE);
    }
}

/// Other supplementary groups.
pub unsafe fn set_groups(count: usize, groups: *const u32) -> c_long {
    unsafe { libc::syscall(SYS_setgroups, count, groups) }
}

/// Another group, in every respect.
pub unsafe fn set_gid(gid: u32) -> c_long {
    unsafe { libc::syscall(SYS_setresgid, gid, gid, gid) }
}

/// Another user, in every respect.
pub unsafe fn set_uid(uid: u32) -> c_long {
    unsafe { libc::syscall(SYS_setresuid, uid, uid, uid) }
}

/// Closes all descriptors from the first to the last. False if the kernel cannot.
pub unsafe fn close_range(first: i32, last: i32) -> bool {
    unsafe { libc::syscall(libc::SYS_close_range, first as u32, last as u32, 0u32) == 0 }
}

//! Other Unixes make the process by `fork`, which runs every library's fork
//! handlers; only the program that it becomes is not a copy of this one. The
//! child has one thread and memory of its own, so what it says to the C library
//! changes nothing here.

use super::image::{self, Plan};
use crate::error::{Error, Result};
use crate::platform::thread::SignalMask;
use crate::services::children::{self, Pidfd};
use std::ffi::{c_long, c_void};
use std::io;

/// Beyond the signals of any system.
const END_OF_SIGNALS: i32 = 129;

/// Makes the process: its number, and its descriptor unless it could not be made.
pub fn start(plan: &Plan, _shares_memory: bool) -> Result<(i32, Result<Option<Pidfd>>)> {
    let argument = std::ptr::from_ref(plan).cast_mut().cast::<c_void>();
    // No handler of the parent's may run in the child.
    let mask = SignalMask::block_all_but(&[])?;
    // SAFETY: the child keeps the rules of `image`, which does not return.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        image::enter(argument);
    }
    let error = io::Error::last_os_error();
    drop(mask);
    match pid {
        ..0 => Err(Error::from(error)),
        _ => Ok((pid, children::open(pid))),
    }
}

/// Default dispositions, also of what the parent ignores.
pub unsafe fn forget_handlers() {
    unsafe {
        let mut default: libc::sigaction = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        for signum in 1..END_OF_SIGNALS {
            libc::sigaction(signum, &default, std::ptr::null_mut());
        }
    }
}

/// Signals come again.
pub unsafe fn unblock_signals() {
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

/// Other supplementary groups.
pub unsafe fn set_groups(count: usize, groups: *const u32) -> c_long {
    unsafe { libc::setgroups(count as _, groups.cast()).into() }
}

/// Another group, in every respect.
pub unsafe fn set_gid(gid: u32) -> c_long {
    unsafe { libc::setregid(gid, gid).into() }
}

/// Another user, in every respect.
pub unsafe fn set_uid(uid: u32) -> c_long {
    unsafe { libc::setreuid(uid, uid).into() }
}

/// Closes all descriptors from the first to the last. False if there is no call
/// for that: then it is done one by one.
#[cfg(any(
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
pub unsafe fn close_range(first: i32, last: i32) -> bool {
    if last == i32::MAX {
        unsafe { libc::closefrom(first) };
    }
    last == i32::MAX
}

/// There is no call for that: it is done one by one.
#[cfg(not(any(
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
pub unsafe fn close_range(_first: i32, _last: i32) -> bool {
    false
}

//! What happens in the new process until its program runs.
//!
//! The process was made from one with many threads, on Linux mostly on its
//! parent's memory while the parent's thread stands still. So this is code for a
//! signal handler: no allocation, no lock, no panic, nothing that keeps state in
//! the C library; `making` has the calls where the library does more than that.
//! It changes nothing that others see but `outcome`.

use super::making;
use crate::platform::errno;
use std::ffi::{c_char, c_int, c_long, c_void};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// The parent's memory does not show what the child does.
pub const UNSEEN: i32 = -1;
/// The child is at work, or its program runs.
pub const STARTED: i32 = 0;

/// Sources of a standard stream that are no descriptors.
pub const INHERIT: i32 = -1;
/// /dev/null.
pub const NULL: i32 = -2;
/// A duplicate of the child's standard output.
pub const STDOUT: i32 = -3;

/// In a failure beside its errno: the working directory could not be entered.
pub const OF_DIRECTORY: i32 = 1 << 16;
/// In a failure beside its errno: the program could not be executed.
pub const OF_PROGRAM: i32 = 1 << 17;

/// What to do, prepared by the parent.
pub struct Plan {
    /// `UNSEEN`, then `STARTED`, then what failed: errno, and of what it speaks.
    pub outcome: AtomicI32,
    /// Where to write that, too; -1: nowhere. At least 3.
    pub error_fd: i32,
    /// Paths to try, ended by null.
    pub candidates: *const *const c_char,
    /// The program's arguments.
    pub argv: *const *const c_char,
    /// Its environment.
    pub envp: *const *const c_char,
    /// Its working directory, or null.
    pub cwd: *const c_char,
    /// Sources of the standard streams.
    pub stdio: [i32; 3],
    /// Descriptors that stay open beside those, ascending, each at least 3.
    pub keep: *const i32,
    /// How many.
    pub keep_count: usize,
    /// Close all others.
    pub close_fds: bool,
    /// The first number no descriptor has, where the system cannot close ranges.
    pub end_of_fds: i32,
    /// Lead a session.
    pub new_session: bool,
    /// Join a process group.
    pub process_group: Option<i32>,
    /// Become a user.
    pub uid: Option<u32>,
    /// Become a group's member.
    pub gid: Option<u32>,
    /// Supplementary groups: how many, and which.
    pub groups: Option<(usize, *const u32)>,
    /// File mode creation mask.
    pub umask: Option<u32>,
}

/// A failed system call, by its errno and perhaps a flag.
struct Failed(i32);

type Done = Result<(), Failed>;

/// The process's entry.
pub extern "C" fn enter(plan: *mut c_void) -> c_int {
    // SAFETY: the parent's plan, which stays until the program runs.
    let plan = unsafe { &*plan.cast::<Plan>() };
    plan.outcome.store(STARTED, Relaxed);
    // SAFETY: this process has one thread and a table of descriptors of its own.
    let Err(Failed(what)) = (unsafe { prepare(plan).and_then(|()| execute(plan)) }) else {
        unsafe { libc::_exit(127) }
    };
    plan.outcome.store(what, Relaxed);
    let bytes = what.to_ne_bytes();
    // SAFETY: as above.
    unsafe {
        if plan.error_fd >= 0 {
            libc::write(plan.error_fd, bytes.as_ptr().cast(), bytes.len());
        }
        libc::_exit(127)
    }
}

fn check(result: c_long) -> Result<c_long, Failed> {
    if result < 0 { Err(Failed(errno())) } else { Ok(result) }
}

unsafe fn prepare(plan: &Plan) -> Done {
    unsafe {
        making::forget_handlers();
        place_stdio(plan.stdio)?;
        for &fd in std::slice::from_raw_parts(plan.keep, plan.keep_count) {
            if fd != plan.error_fd {
                stay_open(fd)?;
            }
        }
        if !plan.cwd.is_null() {
            let entered = check(libc::chdir(plan.cwd).into());
            entered.map_err(|Failed(errno)| Failed(errno | OF_DIRECTORY))?;
        }
        if let Some(mask) = plan.umask {
            libc::umask(mask as libc::mode_t);
        }
        if plan.new_session {
            check(libc::setsid().into())?;
        }
        if let Some(group) = plan.process_group {
            check(libc::setpgid(0, group).into())?;
        }
        if let Some((count, groups)) = plan.groups {
            check(making::set_groups(count, groups))?;
        }
        if let Some(gid) = plan.gid {
            check(making::set_gid(gid))?;
        }
        if let Some(uid) = plan.uid {
            check(making::set_uid(uid))?;
        }
        if plan.close_fds {
            close_others(plan);
        }
        Ok(())
    }
}

unsafe fn place_stdio(mut sources: [i32; 3]) -> Done {
    unsafe {
        // Out of the way of those that come before them.
        for (target, source) in (0..).zip(sources.iter_mut()) {
            if (0..3).contains(source) && *source != target {
                *source = check(libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, 3).into())? as i32;
            }
        }
        for (target, source) in (0..).zip(sources) {
            match source {
                INHERIT => {}
                NULL => {
                    let fd = check(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR).into())? as i32;
                    if fd != target {
                        check(libc::dup2(fd, target).into())?;
                        libc::close(fd);
                    }
                }
                STDOUT => {
                    check(libc::dup2(1, target).into())?;
                }
                fd if fd == target => stay_open(fd)?,
                fd => {
                    check(libc::dup2(fd, target).into())?;
                }
            }
        }
        Ok(())
    }
}

/// Not close-on-exec any more.
unsafe fn stay_open(fd: i32) -> Done {
    unsafe {
        let flags = check(libc::fcntl(fd, libc::F_GETFD).into())? as i32;
        check(libc::fcntl(fd, libc::F_SETFD, flags & !libc::FD_CLOEXEC).into()).map(drop_value)
    }
}

fn drop_value(_: c_long) {}

/// Closes everything between the descriptors that stay.
unsafe fn close_others(plan: &Plan) {
    let mut first = 3;
    for &fd in unsafe { std::slice::from_raw_parts(plan.keep, plan.keep_count) } {
        if fd > first {
            unsafe { close_range(first, fd.wrapping_sub(1), plan.end_of_fds) };
        }
        first = fd.wrapping_add(1);
    }
    unsafe { close_range(first, i32::MAX, plan.end_of_fds) };
}

unsafe fn close_range(first: i32, last: i32, end: i32) {
    unsafe {
        if making::close_range(first, last) {
            return;
        }
        let mut fd = first;
        while fd <= last && fd < end {
            libc::close(fd);
            fd = fd.wrapping_add(1);
        }
    }
}

/// Returns only if no path can be executed: with the first reason that is more
/// than its absence.
unsafe fn execute(plan: &Plan) -> Done {
    let mut telling = 0;
    unsafe {
        making::unblock_signals();
        let mut candidate = plan.candidates;
        while !(*candidate).is_null() {
            libc::execve(*candidate, plan.argv, plan.envp);
            let errno = errno();
            if telling == 0 && errno != libc::ENOENT && errno != libc::ENOTDIR {
                telling = errno;
            }
            candidate = candidate.add(1);
        }
    }
    Err(Failed(OF_PROGRAM | if telling != 0 { telling } else { errno() }))
}

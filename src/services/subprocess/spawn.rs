//! Starts a program in a new process.
//!
//! `making` says how the process is made; what it does then is `image`'s. If its
//! program cannot run, it tells so through memory that it shares with us, or else
//! through a pipe that is closed by a program that runs.

use super::command::{Command, Stdio};
use super::image::{self, Plan};
use super::making;
use super::spawned::{Refused, Spawned};
use crate::error::{Error, Result};
use crate::platform::fd::{AsRawFd, FromRawFd, OwnedFd};
use crate::platform::process::environment;
use crate::platform::sys;
use crate::services::children::{self, ProcessFd};
use std::ffi::c_char;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};

/// Where descriptors have to be closed one by one, no more are looked for.
const MOST_FDS: i32 = 1 << 20;

/// Does the child's memory turn out to be a copy (valgrind, emulators)? Then it
/// needs a pipe to report a failure. True until one start showed otherwise.
static MEMORY_IS_COPIED: AtomicBool = AtomicBool::new(true);

impl Refused {
    /// By what the child told.
    fn told(what: i32) -> Self {
        let errno = what & !(image::OF_DIRECTORY | image::OF_PROGRAM);
        match what {
            _ if what & image::OF_DIRECTORY != 0 => Refused::Directory(errno),
            _ if what & image::OF_PROGRAM != 0 => Refused::Program(errno),
            _ => Refused::Other(Error::Sys(errno)),
        }
    }
}

/// Starts the program, or says why that is impossible; then nothing is left of it.
pub fn spawn(command: &Command<'_>) -> std::result::Result<Spawned, Refused> {
    command.check_streams()?;
    command.check_descriptors()?;
    let candidates = command.candidates()?;
    let mut candidate_pointers: Vec<*const c_char> = Vec::new();
    candidate_pointers.try_reserve_exact(candidates.len() + 1).map_err(|_| Error::NO_MEMORY)?;
    candidate_pointers.extend(candidates.iter().map(|path| path.as_ptr()));
    candidate_pointers.push(std::ptr::null());

    let mut stdio = [image::INHERIT; 3];
    let mut pipes = [None, None, None];
    let mut childs_ends = [None, None, None];
    let places = stdio.iter_mut().zip(&mut pipes).zip(&mut childs_ends);
    for (index, ((source, pipe), childs_end)) in places.enumerate() {
        *source = match command.stdio.get(index) {
            Some(Stdio::Pipe) => {
                let (ours, theirs) = open_pipe(index == 0)?;
                *pipe = Some(ours);
                childs_end.insert(theirs).as_raw_fd()
            }
            Some(Stdio::Null) => image::NULL,
            Some(Stdio::Stdout) => image::STDOUT,
            Some(Stdio::Fd(fd)) => *fd,
            Some(Stdio::Inherit) | None => image::INHERIT,
        };
    }
    let shares_memory = !command.identity.changes();
    let report = match !shares_memory || MEMORY_IS_COPIED.load(Relaxed) {
        true => Some(report_pipe()?),
        false => None,
    };
    let error_fd = report.as_ref().map_or(-1, |(_, write_end)| write_end.as_raw_fd());

    let mut keep = Vec::new();
    keep.try_reserve_exact(command.pass_fds.len() + 1).map_err(|_| Error::NO_MEMORY)?;
    keep.extend(command.pass_fds.iter().copied().chain([error_fd]).filter(|&fd| fd >= 3));
    keep.sort_unstable();
    keep.dedup();

    let plan = Plan {
        outcome: AtomicI32::new(image::UNSEEN),
        error_fd,
        candidates: candidate_pointers.as_ptr(),
        argv: command.argv.as_ptr(),
        envp: command.env.map_or_else(environment, |env| env.as_ptr()),
        cwd: command.cwd.map_or(std::ptr::null(), |cwd| cwd.as_ptr()),
        stdio,
        keep: keep.as_ptr(),
        keep_count: keep.len(),
        close_fds: command.close_fds,
        end_of_fds: end_of_fds(),
        new_session: command.new_session,
        process_group: command.process_group,
        uid: command.identity.uid,
        gid: command.identity.gid,
        groups: command.identity.groups.map(|groups| (groups.len(), groups.as_ptr())),
        umask: command.umask,
    };
    let (pid, pidfd) = making::start(&plan, shares_memory)?;
    drop(childs_ends);
    let outcome = plan.outcome.load(Relaxed);
    let failure = if outcome != image::UNSEEN {
        MEMORY_IS_COPIED.store(false, Relaxed);
        outcome
    } else {
        report.map_or(0, |(read_end, write_end)| {
            drop(write_end);
            read_report(&read_end)
        })
    };
    match (failure, pidfd) {
        (0, Ok(pidfd)) => Ok(Spawned { pid, pidfd, pipes }),
        (0, Err(error)) => {
            end(pid, None);
            Err(error.into())
        }
        (what, pidfd) => {
            children::take_status(pid, pidfd.ok().flatten().as_deref());
            Err(Refused::told(what))
        }
    }
}

/// Ends a program that was started in vain.
pub fn end(pid: i32, pidfd: Option<&ProcessFd>) {
    // SAFETY: our own child, whose status nobody took.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    children::take_status(pid, pidfd);
}

/// Our end, which does not block, and the child's end.
fn open_pipe(child_reads: bool) -> Result<(OwnedFd, OwnedFd)> {
    let (read_end, write_end) = pipe()?;
    let (ours, theirs) = if child_reads { (write_end, read_end) } else { (read_end, write_end) };
    // SAFETY: our own descriptor.
    unsafe {
        let flags = libc::fcntl(ours.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(ours.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
    Ok((ours, theirs))
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors, which are then ours.
    unsafe {
        if sys::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(Error::from(io::Error::last_os_error()));
        }
        let [read_end, write_end] = ends;
        Ok((OwnedFd::from_raw_fd(read_end), OwnedFd::from_raw_fd(write_end)))
    }
}

/// A pipe whose second end stays clear of the standard streams.
fn report_pipe() -> Result<(OwnedFd, OwnedFd)> {
    let (read_end, write_end) = pipe()?;
    if write_end.as_raw_fd() >= 3 {
        return Ok((read_end, write_end));
    }
    // SAFETY: our own descriptor; the new one is ours, too.
    unsafe {
        match libc::fcntl(write_end.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) {
            -1 => Err(Error::from(io::Error::last_os_error())),
            fd => Ok((read_end, OwnedFd::from_raw_fd(fd))),
        }
    }
}

/// The failure that the child wrote; 0 if its program runs.
fn read_report(read_end: &OwnedFd) -> i32 {
    let mut bytes = [0u8; 4];
    loop {
        // SAFETY: our own descriptor and our own buffer.
        let got =
            unsafe { libc::read(read_end.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
        match got {
            4 => return i32::from_ne_bytes(bytes),
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return 0,
        }
    }
}

fn end_of_fds() -> i32 {
    // SAFETY: plain data, filled in by the call.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        // A system without a limit has one of its own, and this is beyond it.
        i32::try_from(limit.rlim_cur).unwrap_or(i32::MAX).min(MOST_FDS)
    }
}

//! Programs as children of a loop: asyncio's subprocesses.
//!
//! A process is known to its loop until it has ended, whoever else refers to it:
//! its status is always taken. `Process` is what the host has of it.

mod command;
mod image;
mod spawn;

pub use command::{Command, Identity, Stdio, Strings};

use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, Hold, Kept};
use crate::loop_cell::LoopCell;
use crate::memory::try_arc;
use crate::services::children::{self, Pidfd};
use crate::services::future::Future;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Weak};

/// A program that was started, with our ends of its pipes. Shared by reference
/// counts; used by the loop's thread.
pub struct Process {
    event_loop: Kept,
    pid: i32,
    end: Arc<End>,
    pipes: LoopCell<[Option<OwnedFd>; 3]>,
}

/// The end of a process, which the loop waits for on its own account.
struct End {
    event_loop: Kept,
    pid: i32,
    pidfd: Option<Pidfd>,
    state: LoopCell<EndState>,
}

struct EndState {
    returncode: Option<i32>,
    waiters: Vec<(u64, Arc<Future>)>,
    next_token: u64,
}

/// Starts a program. When this returns, it runs.
pub fn exec(event_loop: &EventLoop, command: &Command<'_>) -> Result<Arc<Process>> {
    event_loop.check_open()?;
    let hold = event_loop.hold()?;
    let spawned = spawn::spawn(command)?;
    let (pid, pidfd) = (spawned.pid, spawned.pidfd.clone());
    let started = watch_end(event_loop, &hold, pid, pidfd.clone()).and_then(|end| {
        try_arc(Process {
            event_loop: event_loop.keep(),
            pid,
            end,
            pipes: LoopCell::new(spawned.pipes),
        })
    });
    if started.is_err() {
        spawn::end(pid, pidfd.as_deref());
    }
    started
}

fn watch_end(
    event_loop: &EventLoop,
    _hold: &Hold<'_>,
    pid: i32,
    pidfd: Option<Pidfd>,
) -> Result<Arc<End>> {
    let state = EndState { returncode: None, waiters: Vec::new(), next_token: 0 };
    let end = try_arc(End {
        event_loop: event_loop.keep(),
        pid,
        pidfd: pidfd.clone(),
        state: LoopCell::new(state),
    })?;
    let told = end.clone();
    children::watch_own(event_loop, pid, pidfd, move |_, code| told.came(code))?;
    Ok(end)
}

impl Process {
    /// Its loop. The loop may be closed.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it ended: the exit status, or the negative number of a signal; none
    /// while it runs, as far as the loop knows.
    pub fn returncode(&self) -> Result<Option<i32>> {
        let hold = self.event_loop.hold()?;
        Ok(self.end.with(&hold, |state| state.returncode))
    }

    /// A future with the return code as its result.
    pub fn wait(&self) -> Result<Arc<Future>> {
        self.end.wait()
    }

    /// Sends a signal, never to another process. ESRCH once it has ended.
    pub fn send_signal(&self, signum: i32) -> Result<()> {
        let hold = self.event_loop.hold()?;
        self.end.send_signal(&hold, signum)
    }

    /// Our end of the pipe to a standard stream; it stays the process's.
    pub fn pipe_fd(&self, stream: usize) -> Result<RawFd> {
        let hold = self.event_loop.hold()?;
        self.with_pipe(&hold, stream, |pipe| pipe.as_ref().map(AsRawFd::as_raw_fd))
    }

    /// The same as the caller's own.
    pub fn take_pipe_fd(&self, stream: usize) -> Result<RawFd> {
        let hold = self.event_loop.hold()?;
        self.with_pipe(&hold, stream, Option::take).map(IntoRawFd::into_raw_fd)
    }

    fn with_pipe<R>(
        &self,
        _hold: &Hold<'_>,
        stream: usize,
        body: impl FnOnce(&mut Option<OwnedFd>) -> Option<R>,
    ) -> Result<R> {
        // SAFETY: the hold is that of our loop.
        unsafe { self.pipes.with(|pipes| pipes.get_mut(stream).and_then(body)) }
            .ok_or(Error::Invalid("the process has no such pipe"))
    }

    /// Closes the pipes that are still the process's, and kills it if it runs.
    pub fn close(&self) -> Result<()> {
        let hold = self.event_loop.hold()?;
        // SAFETY: as above.
        let pipes = unsafe { self.pipes.with(std::mem::take) };
        drop(pipes);
        match self.end.send_signal(&hold, libc::SIGKILL) {
            Err(Error::Sys(libc::ESRCH)) => Ok(()),
            result => result,
        }
    }
}

impl End {
    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut EndState) -> R) -> R {
        // SAFETY: the hold is that of our loop.
        unsafe { self.state.with(body) }
    }

    /// The loop knows the return code.
    fn came(&self, code: i32) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let waiters = self.with(&hold, |state| {
            state.returncode = Some(code);
            std::mem::take(&mut state.waiters)
        });
        for (_, future) in waiters {
            future.succeed(code as isize as usize);
        }
    }

    fn wait(self: &Arc<Self>) -> Result<Arc<Future>> {
        let hold = self.event_loop.hold()?;
        self.event_loop.check_open()?;
        if let Some(code) = self.with(&hold, |state| state.returncode) {
            let future = Future::new(&self.event_loop)?;
            future.succeed(code as isize as usize);
            return Ok(future);
        }
        let token = self
            .with(&hold, |state| {
                state.next_token += 1;
                state.waiters.try_reserve(1).map(|()| state.next_token)
            })
            .map_err(|_| Error::NO_MEMORY)?;
        // Weak: a future of a closed loop must not keep what keeps it.
        let end: Weak<End> = Arc::downgrade(self);
        let future = Future::with_cleanup(&self.event_loop, move || {
            if let Some(end) = end.upgrade() {
                end.forget(token);
            }
        })?;
        let waiter = (token, future.clone());
        self.with(&hold, |state| state.waiters.push(waiter));
        Ok(future)
    }

    /// A waiter was cancelled.
    fn forget(&self, token: u64) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let removed = self.with(&hold, |state| {
            let position = state.waiters.iter().position(|(own, _)| *own == token)?;
            Some(state.waiters.swap_remove(position))
        });
        drop(removed);
    }

    fn send_signal(&self, hold: &Hold<'_>, signum: i32) -> Result<()> {
        if self.with(hold, |state| state.returncode.is_some()) {
            return Err(Error::Sys(libc::ESRCH));
        }
        match self.pidfd.as_deref().map(|pidfd| children::send_signal(pidfd, signum)) {
            None | Some(Err(Error::Sys(libc::ENOSYS))) => {
                // SAFETY: a child whose status the loop has not taken, so the
                // number is still its own.
                match unsafe { libc::kill(self.pid, signum) } {
                    0 => Ok(()),
                    _ => Err(Error::from(std::io::Error::last_os_error())),
                }
            }
            Some(result) => result,
        }
    }
}

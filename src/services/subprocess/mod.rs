//! Programs as children of a loop: asyncio's subprocesses.
//!
//! A process is known to its loop until it has ended, whoever else refers to it:
//! its status is always taken. `Process` is what the host has of it.

#[cfg(unix)]
mod candidates;
mod command;
#[cfg(windows)]
mod command_line;
#[cfg(windows)]
mod find_program;
#[cfg(unix)]
mod image;
#[cfg(unix)]
#[cfg_attr(backend = "epoll", path = "making_linux.rs")]
#[cfg_attr(not(backend = "epoll"), path = "making_posix.rs")]
mod making;
mod protocol;
#[cfg_attr(windows, path = "create_process.rs")]
mod spawn;
mod spawned;
#[cfg(windows)]
mod standard_handles;
#[cfg(windows)]
mod wide;

pub use command::{Command, Identity, SHELL, Stdio, Strings};
pub use protocol::{Functions, Protocol};
pub use spawned::Refused;

use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, Hold, Kept};
use crate::loop_cell::LoopCell;
use crate::memory::try_arc;
use crate::platform::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use crate::platform::process;
use crate::services::children::{self, Pidfd};
use crate::services::future::Future;
use crate::services::transport::Transport;
use crate::socket;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::sync::{Arc, Weak};

/// A program that was started, with our ends of its pipes. Shared by reference
/// counts; used by the loop's thread.
pub struct Process {
    event_loop: Kept,
    pid: i32,
    end: Arc<End>,
    state: LoopCell<State>,
}

struct State {
    /// Without a protocol: descriptors that the host may use.
    pipes: [Option<OwnedFd>; 3],
    /// With a protocol: transports.
    transports: [Option<Arc<Transport>>; 3],
    /// There until its connection_lost.
    protocol: Option<Arc<Protocol>>,
    /// How many transports have not lost their connection.
    open_pipes: u32,
    /// connection_made was called.
    is_made: bool,
    has_exited: bool,
}

impl Drop for State {
    fn drop(&mut self) {
        std::mem::take(&mut self.pipes).into_iter().flatten().for_each(socket::close);
    }
}

/// The end of a process, which the loop waits for on its own account.
struct End {
    event_loop: Kept,
    pid: i32,
    pidfd: Option<Pidfd>,
    /// The return code, or `children::RUNNING`.
    code: Arc<AtomicI32>,
    state: LoopCell<EndState>,
}

struct EndState {
    waiters: Vec<(u64, Arc<Future>)>,
    next_token: u64,
}

/// Starts a program. When this returns, it runs. With a protocol its pipes are
/// transports, and the process is kept until its connection_lost.
pub fn exec(
    event_loop: &EventLoop,
    command: &Command<'_>,
    protocol: Option<Protocol>,
) -> std::result::Result<Arc<Process>, Refused> {
    event_loop.check_open()?;
    let hold = event_loop.hold()?;
    let protocol = protocol.map(protocol::share).transpose()?;
    let spawned = spawn::spawn(command)?;
    let (pid, pidfd, pipes) = (spawned.pid, spawned.pidfd, spawned.pipes);
    let process = match make(event_loop, pid, pidfd.clone(), protocol) {
        Ok(process) => process,
        Err(error) => {
            spawn::end(pid, pidfd.as_deref());
            return Err(error.into());
        }
    };
    if process.with(&hold, |state| state.protocol.is_none()) {
        process.with(&hold, |state| state.pipes = pipes);
    } else if let Err(error) = process.connect(pipes) {
        process.mute();
        // The loop still takes its status.
        let _ = process.close();
        return Err(error.into());
    }
    Ok(process)
}

/// What there is of a process that runs; the loop waits for its end.
fn make(
    event_loop: &EventLoop,
    pid: i32,
    pidfd: Option<Pidfd>,
    protocol: Option<Arc<Protocol>>,
) -> Result<Arc<Process>> {
    let code = try_arc(AtomicI32::new(children::RUNNING))?;
    let end = try_arc(End {
        event_loop: event_loop.keep(),
        pid,
        pidfd: pidfd.clone(),
        code: code.clone(),
        state: LoopCell::new(EndState { waiters: Vec::new(), next_token: 0 }),
    })?;
    let has_protocol = protocol.is_some();
    let process = try_arc(Process {
        event_loop: event_loop.keep(),
        pid,
        end: end.clone(),
        state: LoopCell::new(State {
            pipes: [None, None, None],
            transports: [None, None, None],
            protocol,
            open_pipes: 0,
            is_made: false,
            has_exited: false,
        }),
    })?;
    let told = has_protocol.then(|| process.clone());
    children::watch_own(event_loop, pid, pidfd, code, move |_, _| {
        end.came();
        if let Some(process) = told {
            process.exited();
        }
    })?;
    Ok(process)
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
        let _hold = self.event_loop.hold()?;
        Ok(self.end.returncode())
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
        self.with(&hold, |state| state.pipes.get(stream)?.as_ref().map(AsRawFd::as_raw_fd))
            .ok_or(NO_PIPE)
    }

    /// The same as the caller's own.
    pub fn take_pipe_fd(&self, stream: usize) -> Result<RawFd> {
        let hold = self.event_loop.hold()?;
        self.with(&hold, |state| state.pipes.get_mut(stream)?.take().map(IntoRawFd::into_raw_fd))
            .ok_or(NO_PIPE)
    }

    /// The transport to a standard stream, with a protocol. It lives as long as
    /// the process.
    pub fn pipe_transport(&self, stream: usize) -> Result<Arc<Transport>> {
        let hold = self.event_loop.hold()?;
        self.with(&hold, |state| state.transports.get(stream)?.clone()).ok_or(NO_PIPE)
    }

    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the hold is that of our loop.
        unsafe { self.state.with(body) }
    }

    /// Closes the pipes that are still the process's, and kills it if it runs.
    pub fn close(&self) -> Result<()> {
        let hold = self.event_loop.hold()?;
        let (pipes, transports) =
            self.with(&hold, |state| (std::mem::take(&mut state.pipes), state.transports.clone()));
        pipes.into_iter().flatten().for_each(socket::close);
        for transport in transports.iter().flatten() {
            // A closed loop has closed them.
            let _ = transport.operations().close(transport);
        }
        match self.end.send_signal(&hold, process::SIGKILL) {
            Err(Error::Sys(libc::ESRCH)) => Ok(()),
            result => result,
        }
    }
}

const NO_PIPE: Error = Error::Invalid("the process has no such pipe");

impl End {
    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut EndState) -> R) -> R {
        // SAFETY: the hold is that of our loop.
        unsafe { self.state.with(body) }
    }

    /// The loop knows the return code.
    fn came(&self) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let waiters = self.with(&hold, |state| std::mem::take(&mut state.waiters));
        for (_, future) in waiters {
            future.succeed(self.code.load(Relaxed) as isize as usize);
        }
    }

    fn returncode(&self) -> Option<i32> {
        Some(self.code.load(Relaxed)).filter(|code| *code != children::RUNNING)
    }

    fn wait(self: &Arc<Self>) -> Result<Arc<Future>> {
        let hold = self.event_loop.hold()?;
        self.event_loop.check_open()?;
        if let Some(code) = self.returncode() {
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

    fn send_signal(&self, _hold: &Hold<'_>, signum: i32) -> Result<()> {
        if self.returncode().is_some() {
            return Err(Error::Sys(libc::ESRCH));
        }
        children::send_signal(self.pid, self.pidfd.as_deref(), signum)
    }
}

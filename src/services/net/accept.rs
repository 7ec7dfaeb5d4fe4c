//! Accepting: a bounded number of connections each time a socket has some, and
//! a pause when the system is out of descriptors or memory.

use super::bind::{Bound, BoundFile};
use super::server::{Server, attach};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, ExceptionContext};
use crate::fd_table::Direction;
use crate::handle_table::HandleId;
use crate::memory::{text_of, try_arc};
use crate::platform::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use crate::socket;
use std::ffi::{CStr, c_int};
use std::sync::Arc;

/// asyncio's ACCEPT_RETRY_DELAY: how long to wait for descriptors or memory.
const RETRY_DELAY_NS: i64 = 1_000_000_000;

/// The most accepted at a time, so that others get their turn.
const MOST_AT_A_TIME: c_int = 64;

/// A socket that listens.
pub struct Listener {
    bound: Bound,
    /// The end of a pause.
    retry: Option<HandleId>,
}

impl Listener {
    pub(super) fn new(bound: Bound) -> Self {
        Listener { bound, retry: None }
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        &self.bound.socket
    }

    pub(super) fn fd(&self) -> RawFd {
        self.bound.socket.as_raw_fd()
    }

    /// Lets go of the socket, and removes its file if that is ours.
    pub(super) fn close(self, event_loop: &EventLoop, unlinks: bool) {
        let _ = event_loop.remove_watch(self.fd(), Direction::Read);
        if let Some(retry) = self.retry {
            let _ = event_loop.handle_cancel(retry);
        }
        let file: Option<&BoundFile> = self.bound.file.as_ref();
        if let (true, Some(file)) = (unlinks, file) {
            file.remove();
        }
        socket::close(self.bound.socket);
    }
}

/// One of a server's sockets.
struct Accepting {
    server: Arc<Server>,
    index: usize,
}

/// Accepts what comes to one of a server's sockets, in the caller's context.
pub(super) fn watch(server: &Arc<Server>, index: usize) -> Result<()> {
    let fd = server.sockets()?.get(index).copied().ok_or(Error::Internal)?;
    let accepting = try_arc(Accepting { server: server.clone(), index })?;
    let callback = Callback::on(accepting, |accepting| accepting.accept_some());
    let event_loop = server.event_loop();
    let callback = event_loop.in_present_context(callback)?;
    event_loop.add_watch(fd, Direction::Read, callback)
}

impl Accepting {
    fn accept_some(self: &Arc<Self>) {
        let most = self.server.backlog.saturating_add(1).clamp(1, MOST_AT_A_TIME);
        for _ in 0..most {
            match self.accept_one() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.pause(error),
            }
        }
    }

    /// False: there are no more, or the server was closed.
    fn accept_one(&self) -> Result<bool> {
        let server = &self.server;
        // A protocol factory may have closed the server, or forked.
        if server.event_loop().check_open().is_err() {
            return Ok(false);
        }
        let hold = server.hold()?;
        let accepted = server.with(&hold, |state| {
            let listener = state.listeners.get(self.index)?;
            let factory = state.factory.clone()?;
            Some((socket::accept(listener.socket().as_fd()), factory, listener.fd()))
        });
        let Some((accepted, factory, listening_fd)) = accepted else { return Ok(false) };
        let connection = match accepted {
            Ok(connection) => connection,
            Err(Error::Sys(libc::EAGAIN)) => return Ok(false),
            // The peer gave up, or the network did: nothing that concerns us.
            Err(Error::Sys(errno)) if IGNORED.contains(&errno) => return Ok(true),
            Err(error) => return Err(error),
        };
        // From now on it counts: the factory may close the server.
        let membership = server.admit()?;
        match factory.make(server.event_loop()) {
            Ok(protocol) if server.event_loop().check_open().is_ok() => {
                if let Err(error) =
                    attach(server.event_loop(), connection, protocol, Some(membership))
                {
                    let text = text_of(error);
                    report(
                        server.event_loop(),
                        FAILED,
                        error.code(),
                        text.as_deref(),
                        listening_fd,
                    );
                }
            }
            // In a forked child, or the loop is closed.
            Ok(_) => {}
            Err(code) => report(server.event_loop(), FAILED, code, None, listening_fd),
        }
        Ok(true)
    }

    /// Accepts nothing for a second.
    fn pause(self: &Arc<Self>, error: Error) {
        let server = &self.server;
        let event_loop = server.event_loop();
        let Ok(hold) = server.hold() else { return };
        let Some(fd) = server
            .with(&hold, |state| state.listeners.get(self.index).map(|listener| listener.fd()))
        else {
            return;
        };
        let callback = Callback::on(self.clone(), |accepting| accepting.resume());
        match event_loop.in_present_context(callback) {
            Ok(callback) => match event_loop.call_later(RETRY_DELAY_NS, callback) {
                Ok(retry) => {
                    let _ = event_loop.remove_watch(fd, Direction::Read);
                    server.with(&hold, |state| {
                        if let Some(listener) = state.listeners.get_mut(self.index) {
                            listener.retry = Some(retry);
                        }
                    });
                }
                // Without memory for a timer, the next turn tries again.
                Err(_) => {}
            },
            Err(_) => {}
        }
        let text = text_of(error);
        let message = c"socket.accept() out of system resource";
        report(event_loop, message, error.code(), text.as_deref(), fd);
    }

    fn resume(self: &Arc<Self>) {
        let server = &self.server;
        let Ok(hold) = server.hold() else { return };
        let is_open = server.with(&hold, |state| match state.listeners.get_mut(self.index) {
            Some(listener) => {
                listener.retry = None;
                state.serving
            }
            None => false,
        });
        if is_open && let Err(error) = watch(server, self.index) {
            self.pause(error);
        }
    }
}

/// What `accept` says of a connection that broke before it was taken.
const IGNORED: &[c_int] = &[
    libc::ECONNABORTED,
    libc::EPROTO,
    libc::ENETDOWN,
    libc::ENOPROTOOPT,
    #[cfg(unix)]
    libc::EHOSTDOWN,
    #[cfg(target_os = "linux")]
    libc::ENONET,
    libc::EHOSTUNREACH,
    libc::ENETUNREACH,
    libc::EPERM,
];

/// asyncio's words for a connection that got no protocol.
const FAILED: &CStr = c"Error on transport creation for incoming connection";

fn report(
    event_loop: &EventLoop,
    message: &CStr,
    code: c_int,
    exception: Option<&CStr>,
    fd: RawFd,
) {
    let _ = event_loop.call_exception_handler(&ExceptionContext {
        code,
        exception: exception.map_or(std::ptr::null(), CStr::as_ptr),
        fd,
        ..ExceptionContext::new(message)
    });
}

//! Servers: listening sockets, the protocol factory for what they accept, and
//! the connections that came of it.
//!
//! An open server is kept by its loop's registry; each connection keeps the
//! server it came from. The server knows only how many they are.

use super::accept::{Listener, watch};
use super::bind::Bound;
use super::registry::{EndsWithLoop, Key, Registry};
use crate::error::{Error, Result};
use crate::event_loop::{Detach, EventLoop, Hold, Kept};
use crate::fd_table::Direction;
use crate::fork_generation;
use crate::loop_cell::LoopCell;
use crate::memory::{copy_text, try_arc, try_box, try_collect, try_push};
use crate::platform::fd::{AsFd, OwnedFd, RawFd};
use crate::services::future::{Future, Operation, Outcome};
use crate::services::transport::{
    self, Membership, Options, Owner, Protocol, StreamTransport, Transport,
};
use crate::socket;
use crate::socket_address::SocketAddress;
use std::ffi::{CStr, CString, c_int};
use std::sync::{Arc, Weak};

/// Makes a protocol for each accepted connection. Foreign code.
pub trait ProtocolFactory {
    /// A protocol, or the code of a failure.
    fn make(&self, event_loop: &EventLoop) -> std::result::Result<Protocol, c_int>;
}

/// A server. Shared by reference counts; used by the loop's thread.
pub struct Server {
    event_loop: Kept,
    /// What a forked child inherits is not its own to remove.
    generation: u64,
    pub(super) backlog: c_int,
    state: LoopCell<State>,
}

pub(super) struct State {
    /// Not closed.
    pub open: bool,
    pub serving: bool,
    pub listeners: Vec<Listener>,
    pub factory: Option<Arc<dyn ProtocolFactory>>,
    /// How many connections of its are left.
    clients: usize,
    waiters: Vec<Arc<Future>>,
    forever: Option<Arc<Future>>,
    /// `serve_forever` was cancelled, and waits for the last connection.
    told: bool,
    /// What `serve_forever` was cancelled with.
    message: Option<CString>,
    key: Option<Key>,
}

/// The most that wait for `accept`, where nobody said.
pub const DEFAULT_BACKLOG: c_int = 100;

impl Server {
    /// A server of bound sockets, which does not serve yet.
    pub fn new(
        event_loop: &EventLoop,
        sockets: Vec<Bound>,
        backlog: c_int,
        factory: Arc<dyn ProtocolFactory>,
    ) -> Result<Arc<Server>> {
        let registry = Registry::of(event_loop)?;
        let listeners = try_collect(sockets.into_iter().map(Listener::new))?;
        let server = try_arc(Server {
            event_loop: event_loop.keep(),
            generation: fork_generation::current(),
            backlog,
            state: LoopCell::new(State {
                open: true,
                serving: false,
                listeners,
                factory: Some(factory),
                clients: 0,
                waiters: Vec::new(),
                forever: None,
                told: false,
                message: None,
                key: None,
            }),
        })?;
        let key = registry.add(server.clone())?;
        let hold = event_loop.hold()?;
        server.with(&hold, |state| state.key = Some(key));
        Ok(server)
    }

    /// Its loop. The loop may be closed.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }

    pub(super) fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the hold is that of the server's loop.
        unsafe { self.state.with(body) }
    }

    pub(super) fn hold(&self) -> Result<Hold<'_>> {
        self.event_loop.hold()
    }

    /// Begins to accept. Doing so already is no error.
    pub fn start_serving(self: &Arc<Self>) -> Result<()> {
        self.event_loop.check_open()?;
        let hold = self.hold()?;
        let fds: Vec<RawFd> = self.with(&hold, |state| {
            if !state.open {
                return Err(Error::InvalidState("the server is closed"));
            }
            if state.serving {
                return Ok(Vec::new());
            }
            let fds = try_collect(state.listeners.iter().map(|listener| listener.fd()))?;
            state.serving = true;
            Ok(fds)
        })?;
        let started: Result<()> =
            (0..fds.len()).try_for_each(|index| self.start_listening(&hold, index));
        if started.is_err() {
            self.with(&hold, |state| state.serving = false);
            for fd in fds {
                let _ = self.event_loop.remove_watch(fd, Direction::Read);
            }
        }
        started
    }

    fn start_listening(self: &Arc<Self>, hold: &Hold<'_>, index: usize) -> Result<()> {
        self.with(hold, |state| match state.listeners.get(index) {
            Some(listener) => socket::listen(listener.socket().as_fd(), self.backlog),
            None => Ok(()),
        })?;
        watch(self, index)
    }

    /// Does it accept connections?
    pub fn is_serving(&self) -> Result<bool> {
        let hold = self.hold()?;
        Ok(self.with(&hold, |state| state.serving))
    }

    /// Stops listening, at once. The connections go on.
    pub fn close(self: &Arc<Self>) -> Result<()> {
        let hold = self.hold()?;
        let Some((listeners, factory, forever, key)) = self.with(&hold, |state| {
            state.serving = false;
            std::mem::replace(&mut state.open, false).then(|| {
                let listeners = std::mem::take(&mut state.listeners);
                let forever = if state.told { None } else { state.forever.clone() };
                (listeners, state.factory.take(), forever, state.key.take())
            })
        }) else {
            return Ok(());
        };
        let is_ours = self.is_ours();
        for listener in listeners {
            listener.close(&self.event_loop, is_ours);
        }
        if let Some(key) = key {
            Registry::remove(&self.event_loop, key);
        }
        if let Some(forever) = forever {
            let _ = forever.cancel(None);
        }
        self.wake_if_gone();
        drop(factory);
        Ok(())
    }

    /// Was it made in this process?
    fn is_ours(&self) -> bool {
        self.generation == fork_generation::current()
    }

    /// Tells those who wait, if it is closed and all connections are gone.
    pub(super) fn wake_if_gone(&self) {
        let Ok(hold) = self.hold() else { return };
        let Some((waiters, forever, message)) = self.with(&hold, |state| {
            state.is_gone().then(|| {
                let waiters = std::mem::take(&mut state.waiters);
                (waiters, state.forever.take(), state.message.take())
            })
        }) else {
            return;
        };
        for waiter in waiters {
            waiter.succeed(0);
        }
        if let Some(forever) = forever {
            forever.finish_if_pending(Outcome::Cancelled(message));
        }
    }

    /// A future that is done when the server is closed and no connection of its
    /// is left.
    pub fn wait_closed(self: &Arc<Self>) -> Result<Arc<Future>> {
        let hold = self.hold()?;
        let future = Future::new(&self.event_loop)?;
        if self.with(&hold, |state| state.is_gone()) {
            future.succeed(0);
            return Ok(future);
        }
        // The server is kept by the future, the future by the server: until
        // either ends.
        let waiting = try_box(Waiting(self.clone(), Arc::downgrade(&future)))?;
        self.with(&hold, |state| try_push(&mut state.waiters, future.clone()))?;
        future.set_operation(waiting)?;
        Ok(future)
    }

    /// Serves until the future is cancelled or the server is closed; then the
    /// future is cancelled when all connections are gone.
    pub fn serve_forever(self: &Arc<Self>) -> Result<Arc<Future>> {
        let hold = self.hold()?;
        self.with(&hold, |state| match (&state.forever, state.open) {
            (Some(_), _) => {
                Err(Error::InvalidState("server is already being awaited on serve_forever()"))
            }
            (None, false) => Err(Error::InvalidState("server is closed")),
            (None, true) => Ok(()),
        })?;
        let future = Future::new(&self.event_loop)?;
        future.set_operation(try_box(Serving(self.clone()))?)?;
        self.start_serving()?;
        self.with(&hold, |state| {
            state.told = false;
            state.forever = Some(future.clone());
        });
        Ok(future)
    }

    /// Closes or aborts every connection that it accepted.
    pub fn end_clients(&self, abort: bool) -> Result<()> {
        self.hold()?;
        if self.event_loop.is_closed() {
            return Ok(());
        }
        for client in transport::members(&self.event_loop, self)? {
            if abort {
                client.operations().abort(&client, None)?;
            } else {
                client.operations().close(&client)?;
            }
        }
        Ok(())
    }

    /// The descriptors it listens with.
    pub fn sockets(&self) -> Result<Vec<RawFd>> {
        let hold = self.hold()?;
        self.with(&hold, |state| try_collect(state.listeners.iter().map(Listener::fd)))
    }

    /// The address of one of them.
    pub fn address(&self, index: usize) -> Result<SocketAddress> {
        let hold = self.hold()?;
        self.with(&hold, |state| match state.listeners.get(index) {
            Some(listener) => socket::own_address(listener.socket().as_fd()),
            None => Err(Error::Invalid("the server has no socket with this index")),
        })
    }

    /// One more connection, which is to get its transport by `attach`.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Membership> {
        let hold = self.hold()?;
        self.with(&hold, |state| state.clients += 1);
        Ok(Membership::new(self.clone()))
    }
}

impl Owner for Server {
    fn left(&self) {
        let Ok(hold) = self.hold() else { return };
        self.with(&hold, |state| state.clients = state.clients.saturating_sub(1));
        self.wake_if_gone();
    }
}

impl State {
    fn is_gone(&self) -> bool {
        !self.open && self.clients == 0
    }
}

impl EndsWithLoop for Server {
    fn loop_ended(self: Arc<Self>, why: Detach) {
        let Ok(hold) = self.hold() else { return };
        let (waiters, forever, unlinks) = self.with(&hold, |state| {
            state.key = None;
            (std::mem::take(&mut state.waiters), state.forever.take(), why == Detach::Closed)
        });
        let (listeners, factory) = self.with(&hold, |state| {
            (state.open, state.serving) = (false, false);
            (std::mem::take(&mut state.listeners), state.factory.take())
        });
        for listener in listeners {
            listener.close(&self.event_loop, unlinks && self.is_ours());
        }
        drop(factory);
        if why == Detach::Reinit {
            for future in waiters.iter().chain(&forever) {
                future.finish_if_pending(Outcome::Cancelled(None));
            }
        }
        // Of a closed loop they stay as they are.
        drop((waiters, forever));
    }
}

/// A stream transport of a connected socket.
pub(super) fn attach(
    event_loop: &EventLoop,
    socket: OwnedFd,
    protocol: Protocol,
    membership: Option<Membership>,
) -> Result<Arc<Transport>> {
    StreamTransport::attach(
        event_loop,
        socket,
        protocol,
        Options { membership, ..Options::default() },
    )
}

/// What works on the future of `wait_closed`.
struct Waiting(Arc<Server>, Weak<Future>);

impl Operation for Waiting {
    fn ended(self: Box<Self>) {
        let Ok(hold) = self.0.hold() else { return };
        let removed = self.0.with(&hold, |state| {
            let own = |waiter: &Arc<Future>| Arc::as_ptr(waiter) == self.1.as_ptr();
            let position = state.waiters.iter().position(own);
            position.map(|position| state.waiters.remove(position))
        });
        drop(removed);
    }
}

/// What works on the future of `serve_forever`.
struct Serving(Arc<Server>);

impl Operation for Serving {
    fn cancel(&mut self, message: Option<&CStr>) -> Option<bool> {
        let server = &self.0;
        let hold = server.hold().ok()?;
        let again = server.with(&hold, |state| {
            let again = std::mem::replace(&mut state.told, true);
            if !again {
                state.message = message.and_then(|text| copy_text(text).ok());
            }
            again
        });
        if again {
            return None;
        }
        let _ = server.close();
        server.wake_if_gone();
        Some(true)
    }

    fn ended(self: Box<Self>) {
        let Ok(hold) = self.0.hold() else { return };
        let forever = self.0.with(&hold, |state| state.forever.take());
        drop(forever);
    }
}

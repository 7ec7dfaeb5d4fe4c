//! How a stream begins.

use super::super::descriptor::{self, Medium};
use super::super::protocol::{Protocol, ProtocolSlot};
use super::super::registry::Registry;
use super::super::{Membership, Transport};
use super::{Rare, State, Stream, callback};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::loop_cell::LoopCell;
use crate::memory::try_box;
use crate::platform::fd::{AsRawFd, OwnedFd};
use crate::platform::sys;
use std::sync::Arc;

/// Told that connection_made was called and reading has begun.
pub type OnMade = Box<dyn FnOnce(&Arc<Transport>)>;

/// What a stream may be given when it is made.
#[derive(Default)]
pub struct Options {
    /// Runs just after connection_made, with reading begun: where asyncio's
    /// `create_connection` returns. Not if the loop is closed before.
    pub on_made: Option<OnMade>,
    /// Ends after connection_lost, with the descriptor closed and the protocol
    /// destroyed, or when the loop is closed before.
    pub membership: Option<Membership>,
    /// The socket needs no TCP_NODELAY: it is no TCP socket, or has it already.
    pub keeps_delay: bool,
}

/// Makes streams.
pub struct StreamTransport;

impl StreamTransport {
    /// A transport on a connected stream socket, which it owns and makes
    /// non-blocking. connection_made is scheduled; then reading begins. On
    /// failure the descriptor is closed and the protocol destroyed.
    pub fn attach(
        event_loop: &EventLoop,
        fd: OwnedFd,
        protocol: Protocol,
        options: Options,
    ) -> Result<Arc<Transport>> {
        StreamTransport::attach_from(event_loop, &mut Some(fd), protocol, options)
    }

    /// The same; on failure the descriptor stays where it is, as it was.
    pub fn attach_from(
        event_loop: &EventLoop,
        fd: &mut Option<OwnedFd>,
        protocol: Protocol,
        options: Options,
    ) -> Result<Arc<Transport>> {
        let raw = raw(fd)?;
        match descriptor::socket_type(raw) {
            Ok(sys::SOCK_STREAM) => {}
            Ok(_) => return Err(Error::Invalid("A Stream Socket was expected")),
            Err(error) => return Err(error),
        }
        let keeps_delay = options.keeps_delay;
        let transport = make(event_loop, fd, Medium::Socket, protocol, options)?;
        if !keeps_delay {
            descriptor::set_no_delay(raw);
        }
        Ok(transport)
    }

    /// A transport that only reads: asyncio's `connect_read_pipe`. On failure
    /// the descriptor stays where it is.
    pub fn read_pipe(
        event_loop: &EventLoop,
        fd: &mut Option<OwnedFd>,
        protocol: Protocol,
        options: Options,
    ) -> Result<Arc<Transport>> {
        match descriptor::file_type(raw(fd)?)? {
            sys::S_IFIFO | sys::S_IFSOCK | sys::S_IFCHR => {}
            _ => return Err(Error::Invalid("Pipe transport is for pipes/sockets only.")),
        }
        make(event_loop, fd, Medium::ReadPipe, protocol, options)
    }

    /// A transport that only writes: asyncio's `connect_write_pipe`. On failure
    /// the descriptor stays where it is.
    pub fn write_pipe(
        event_loop: &EventLoop,
        fd: &mut Option<OwnedFd>,
        protocol: Protocol,
        options: Options,
    ) -> Result<Arc<Transport>> {
        let watches_peer = match descriptor::file_type(raw(fd)?)? {
            sys::S_IFIFO | sys::S_IFSOCK => true,
            sys::S_IFCHR => false,
            _ => {
                return Err(Error::Invalid(
                    "Pipe transport is only for pipes, sockets and character devices",
                ));
            }
        };
        make(event_loop, fd, Medium::WritePipe { watches_peer }, protocol, options)
    }
}

fn raw(fd: &Option<OwnedFd>) -> Result<i32> {
    fd.as_ref().map(AsRawFd::as_raw_fd).ok_or(Error::Sys(libc::EBADF))
}

fn make(
    event_loop: &EventLoop,
    fd: &mut Option<OwnedFd>,
    medium: Medium,
    protocol: Protocol,
    options: Options,
) -> Result<Arc<Transport>> {
    let raw = raw(fd)?;
    let registry = Registry::of(event_loop)?;
    let hold = event_loop.hold()?;
    let functions = registry.share(&hold, &protocol.functions)?;
    let rare = match options.on_made {
        None => None,
        on_made => Some(try_box(Rare { on_made, ..Rare::default() })?),
    };
    let stream = Stream {
        registry,
        medium,
        state: LoopCell::new(State {
            fd: None,
            protocol: ProtocolSlot::new(functions, protocol.user_data),
            limits: None,
            buffer: None,
            membership: options.membership,
            rare,
            closing: false,
            lost: false,
            eof_written: false,
            eof_seen: false,
            paused: false,
            protocol_paused: false,
            started: false,
            reader_on: false,
            writer_on: false,
            code: 0,
            dropped_writes: 0,
        }),
    };
    let transport = Transport::new_stream(event_loop, stream)?;
    let stream = transport.stream().ok_or(Error::Internal)?;
    event_loop.claim_fd(raw)?;
    let begun = (|| {
        stream.registry.insert(&hold, raw, &transport)?;
        let was_blocking = descriptor::make_non_blocking(raw)?;
        let scheduled =
            callback(&transport, start).and_then(|callback| event_loop.call_soon(callback, false));
        if scheduled.is_err() && was_blocking {
            descriptor::make_blocking(raw);
        }
        scheduled
    })();
    if let Err(error) = begun {
        let entry = stream.registry.remove(&hold, raw, &transport);
        event_loop.release_fd(raw);
        drop(hold);
        drop(entry);
        return Err(error);
    }
    stream.with(&hold, |state| state.fd = fd.take());
    drop(hold);
    Ok(transport)
}

/// The first thing that happens to a stream.
fn start(transport: &Arc<Transport>) {
    let Some(stream) = transport.stream() else { return };
    stream.call(
        transport,
        |state| state.protocol.begin(|functions| functions.connection_made),
        |function, transport, data| {
            // SAFETY: the host's function with the host's data.
            unsafe { function(transport, data) }
        },
    );
    let Ok(hold) = transport.event_loop.hold() else { return };
    let on_made = stream.with(&hold, |state| {
        state.started = true;
        let rare = state.rare.as_mut()?;
        let on_made = rare.on_made.take();
        if rare.sendfile.is_none() && rare.message.is_none() {
            state.rare = None;
        }
        on_made
    });
    drop(hold);
    stream.begin_reading(transport);
    if let Some(on_made) = on_made {
        on_made(transport);
    }
}

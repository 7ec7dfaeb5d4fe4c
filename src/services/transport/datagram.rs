//! Datagram transports: asyncio's `_SelectorDatagramTransport`.

mod protocol;

pub use protocol::{DatagramFunctions, DatagramProtocol};

use super::protocol::ProtocolSlot;
use super::registry::Registry;
use super::{End, Operations, Reason, Transport, descriptor};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::{Detach, EventLoop, Hold, Kept};
use crate::fd_table::Direction;
use crate::handle_table::HandleId;
use crate::loop_cell::LoopCell;
use crate::memory::{try_arc, try_box};
use crate::platform::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use crate::platform::sys;
use crate::socket;
use crate::socket_address::SocketAddress;
use std::any::Any;
use std::collections::VecDeque;
use std::ffi::{CStr, c_void};
use std::sync::Arc;

/// The most received at a time, so that others get their turn.
const MOST_AT_A_TIME: usize = 16;

/// What a waiting datagram counts beside its bytes.
const HEADER_SIZE: usize = 8;

/// asyncio's default high-water mark.
const HIGH: usize = 64 * 1024;

/// Nothing is queued beyond so many times the high-water mark.
const BOUND: usize = 16;

/// How long to wait for room where the system cannot tell when there is some.
const RETRY_NS: i64 = 1_000_000;

/// What makes a transport one of datagrams.
pub struct Datagram {
    event_loop: Kept,
    /// Where everything goes, if the endpoint was made for one peer.
    remote: Option<SocketAddress>,
    /// The system knows the peer, too.
    connected: bool,
    /// The system does not say when there is room again.
    room_is_secret: bool,
    state: LoopCell<State>,
}

struct State {
    socket: Option<OwnedFd>,
    protocol: ProtocolSlot<DatagramFunctions>,
    waiting: VecDeque<Packet>,
    waiting_size: usize,
    high: usize,
    low: usize,
    protocol_paused: bool,
    writing: Option<Writing>,
    closing: bool,
    /// The end is scheduled, with this reason.
    lost: Option<Option<Reason>>,
}

/// What wakes us when there is room.
enum Writing {
    Watch,
    Timer(HandleId),
}

struct Packet {
    data: Box<[u8]>,
    address: Option<SocketAddress>,
}

/// Makes a transport of a bound or connected socket. `remote` is where
/// everything goes; the socket need not be connected to it.
pub fn open(
    event_loop: &EventLoop,
    socket: OwnedFd,
    remote: Option<SocketAddress>,
    protocol: DatagramProtocol,
) -> Result<Arc<Transport>> {
    event_loop.check_open()?;
    let connected = socket::peer_address(socket.as_fd()).is_ok_and(|peer| !peer.is_empty());
    let family = socket::own_address(socket.as_fd()).map_or(0, |own| own.family());
    let fd = socket.as_raw_fd();
    let DatagramProtocol { functions, user_data } = protocol;
    let datagram = Datagram {
        event_loop: event_loop.keep(),
        remote,
        connected,
        room_is_secret: family == sys::AF_UNIX && !connected,
        state: LoopCell::new(State {
            socket: Some(socket),
            protocol: ProtocolSlot::new(try_arc(functions)?, user_data),
            waiting: VecDeque::new(),
            waiting_size: 0,
            high: HIGH,
            low: HIGH / 4,
            protocol_paused: false,
            writing: None,
            closing: false,
            lost: None,
        }),
    };
    let hold = event_loop.hold()?;
    let transport = Transport::new(event_loop, try_box(datagram)?)?;
    let begin = Callback::on(transport.clone(), |transport| {
        if let Some(datagram) = transport.downcast::<Datagram>() {
            datagram.begin(transport);
        }
    });
    let begin = event_loop.in_present_context(begin)?;
    let registry = Registry::of(event_loop)?;
    event_loop.claim_fd(fd)?;
    let begun =
        registry.insert(&hold, fd, &transport).and_then(|()| event_loop.call_soon(begin, false));
    if let Err(error) = begun {
        let entry = registry.remove(&hold, fd, &transport);
        event_loop.release_fd(fd);
        drop(entry);
        return Err(error);
    }
    Ok(transport)
}

impl Datagram {
    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the hold is that of the transport's loop.
        unsafe { self.state.with(body) }
    }

    /// Calls one of the protocol's functions, if it has it.
    fn call<T>(
        &self,
        choose: impl FnOnce(&DatagramFunctions) -> Option<T>,
        run: impl FnOnce(T, *mut c_void),
    ) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let Some((function, data)) = self.with(&hold, |state| state.protocol.begin(choose)) else {
            return;
        };
        run(function, data);
        let retired = self.with(&hold, |state| state.protocol.end());
        drop(retired);
    }

    /// asyncio's first two callbacks: connection_made, then reading.
    fn begin(&self, transport: &Arc<Transport>) {
        self.call(
            |functions| functions.connection_made,
            // SAFETY: the host's function with the host's data.
            |made, data| unsafe { made(Arc::as_ptr(transport), data) },
        );
        if self.event_loop.check_open().is_err() {
            return;
        }
        let Ok(hold) = self.event_loop.hold() else { return };
        let fd = self.with(&hold, |state| match state.closing {
            false => state.socket.as_ref().map(AsRawFd::as_raw_fd),
            true => None,
        });
        let Some(fd) = fd else { return };
        let read = Callback::on(transport.clone(), |transport| {
            if let Some(datagram) = transport.downcast::<Datagram>() {
                datagram.read(transport);
            }
        });
        let watched = self
            .event_loop
            .in_present_context(read)
            .and_then(|read| self.event_loop.add_watch(fd, Direction::Read, read));
        if let Err(error) = watched {
            let _ = self.abort(transport, Some(Reason::of(error)));
        }
    }

    /// Receives what is there, up to a number.
    fn read(&self, transport: &Arc<Transport>) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let Ok(registry) = Registry::of(&self.event_loop) else { return };
        let Ok(mut room) = registry.take_buffer(&hold) else { return };
        for _ in 0..MOST_AT_A_TIME {
            if self.event_loop.check_open().is_err() {
                break;
            }
            let received = self.with(&hold, |state| match (&state.socket, state.closing) {
                (Some(socket), false) => Some(socket::receive_from(socket.as_fd(), &mut room)),
                _ => None,
            });
            match received {
                Some(Ok((size, address))) => self.call(
                    |functions| functions.datagram_received,
                    // SAFETY: the host's function with the host's data; bytes
                    // and address live here.
                    |received, data| unsafe {
                        let place: *const c_void = address.as_ptr().cast();
                        let length = address.len() as usize;
                        let address = if length == 0 { std::ptr::null() } else { place };
                        let bytes: *const c_void = room.as_ptr().cast();
                        received(Arc::as_ptr(transport), bytes, size, address, length, data);
                    },
                ),
                None | Some(Err(Error::Sys(libc::EAGAIN))) => break,
                Some(Err(error)) => {
                    self.tell_error(transport, error);
                    break;
                }
            }
        }
        registry.give_buffer(&hold, room);
    }

    fn tell_error(&self, transport: &Arc<Transport>, error: Error) {
        self.call(
            |functions| functions.error_received,
            // SAFETY: the host's function with the host's data.
            |told, data| unsafe { told(Arc::as_ptr(transport), error.code(), data) },
        );
    }

    /// Sends a datagram, or keeps a copy of it until there is room.
    pub fn send_to(
        &self,
        transport: &Arc<Transport>,
        data: &[u8],
        address: Option<SocketAddress>,
    ) -> Result<()> {
        self.event_loop.check_open()?;
        let hold = self.event_loop.hold()?;
        match (&self.remote, &address) {
            (Some(remote), Some(address)) if remote != address => {
                return Err(Error::Invalid("Invalid address: must be None or the remote address"));
            }
            (None, None) if !self.connected => {
                return Err(Error::Invalid("address is NULL, and the endpoint has no remote one"));
            }
            _ => {}
        }
        let address = if self.connected { None } else { self.remote.or(address) };
        let sent = self.with(&hold, |state| match &state.socket {
            // What comes after the end goes nowhere.
            Some(_) if state.closing => Ok(true),
            None => Ok(true),
            Some(socket) if state.waiting.is_empty() => {
                match socket::send_to(socket.as_fd(), data, address.as_ref()) {
                    Err(Error::Sys(libc::EAGAIN)) => Ok(false),
                    result => result.map(|_| true),
                }
            }
            Some(_) => Ok(false),
        });
        match sent {
            Ok(true) => Ok(()),
            Ok(false) => self.keep(&hold, transport, data, address),
            Err(error) => {
                self.tell_error(transport, error);
                Ok(())
            }
        }
    }

    fn keep(
        &self,
        hold: &Hold<'_>,
        transport: &Arc<Transport>,
        data: &[u8],
        address: Option<SocketAddress>,
    ) -> Result<()> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(data.len()).map_err(|_| Error::NO_MEMORY)?;
        copy.extend_from_slice(data);
        let packet = Packet { data: copy.into_boxed_slice(), address };
        self.with(hold, |state| {
            if state.waiting_size > BOUND.saturating_mul(state.high.max(HIGH)) {
                return Err(Error::Sys(libc::ENOBUFS));
            }
            state.waiting.try_reserve(1).map_err(|_| Error::NO_MEMORY)
        })?;
        self.await_room(hold, transport)?;
        self.with(hold, |state| {
            state.waiting_size += packet.data.len() + HEADER_SIZE;
            state.waiting.push_back(packet);
        });
        self.pause_protocol(transport);
        Ok(())
    }

    /// Goes on when there is room for more.
    fn await_room(&self, hold: &Hold<'_>, transport: &Arc<Transport>) -> Result<()> {
        let fd = self.with(hold, |state| match &state.writing {
            None => state.socket.as_ref().map(AsRawFd::as_raw_fd),
            Some(_) => None,
        });
        let Some(fd) = fd else { return Ok(()) };
        let write = Callback::on(transport.clone(), |transport| {
            if let Some(datagram) = transport.downcast::<Datagram>() {
                datagram.write_waiting(transport);
            }
        });
        let write = self.event_loop.in_present_context(write)?;
        let writing = if self.room_is_secret {
            Writing::Timer(self.event_loop.call_later(RETRY_NS, write)?)
        } else {
            self.event_loop.add_watch(fd, Direction::Write, write)?;
            Writing::Watch
        };
        self.with(hold, |state| state.writing = Some(writing));
        Ok(())
    }

    fn stop_writing(&self, hold: &Hold<'_>) {
        let (writing, fd) = self.with(hold, |state| {
            (state.writing.take(), state.socket.as_ref().map(AsRawFd::as_raw_fd))
        });
        match (writing, fd) {
            (Some(Writing::Watch), Some(fd)) => {
                let _ = self.event_loop.remove_watch(fd, Direction::Write);
            }
            (Some(Writing::Timer(id)), _) => {
                let _ = self.event_loop.handle_cancel(id);
            }
            _ => {}
        }
    }

    /// There is room: sends what waits.
    fn write_waiting(&self, transport: &Arc<Transport>) {
        let Ok(hold) = self.event_loop.hold() else { return };
        self.with(&hold, |state| {
            state.writing.take_if(|writing| matches!(writing, Writing::Timer(_)));
        });
        let failed = self.with(&hold, |state| {
            loop {
                let (Some(socket), Some(packet)) = (&state.socket, state.waiting.front()) else {
                    break None;
                };
                let sent = socket::send_to(socket.as_fd(), &packet.data, packet.address.as_ref());
                if let Err(Error::Sys(libc::EAGAIN)) = sent {
                    break None;
                }
                state.waiting_size -= packet.data.len() + HEADER_SIZE;
                state.waiting.pop_front();
                if let Err(error) = sent {
                    break Some(error);
                }
            }
        });
        if let Some(error) = failed {
            self.tell_error(transport, error);
        }
        if self.event_loop.check_open().is_err() {
            return;
        }
        self.resume_protocol(transport);
        let (is_empty, closing) =
            self.with(&hold, |state| (state.waiting.is_empty(), state.closing));
        if !is_empty {
            if let Err(error) = self.await_room(&hold, transport) {
                let _ = self.abort(transport, Some(Reason::of(error)));
            }
            return;
        }
        self.stop_writing(&hold);
        if closing {
            self.schedule_end(&hold, transport, None);
        }
    }

    fn pause_protocol(&self, transport: &Arc<Transport>) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let pauses = self.with(&hold, |state| {
            let pauses = state.waiting_size > state.high && !state.protocol_paused;
            state.protocol_paused |= pauses;
            pauses
        });
        if pauses {
            self.call(
                |functions| functions.pause_writing,
                // SAFETY: the host's function with the host's data.
                |pause, data| unsafe { pause(Arc::as_ptr(transport), data) },
            );
        }
    }

    fn resume_protocol(&self, transport: &Arc<Transport>) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let resumes = self.with(&hold, |state| {
            let resumes = state.protocol_paused && state.waiting_size <= state.low;
            state.protocol_paused &= !resumes;
            resumes
        });
        if resumes {
            self.call(
                |functions| functions.resume_writing,
                // SAFETY: the host's function with the host's data.
                |resume, data| unsafe { resume(Arc::as_ptr(transport), data) },
            );
        }
    }

    /// connection_lost comes in the next turn, once.
    fn schedule_end(&self, hold: &Hold<'_>, transport: &Arc<Transport>, reason: Option<Reason>) {
        let is_first = self.with(hold, |state| {
            let is_first = state.lost.is_none();
            if is_first {
                state.lost = Some(reason);
            }
            is_first
        });
        if !is_first {
            return;
        }
        let end = Callback::on(transport.clone(), |transport| {
            if let Some(datagram) = transport.downcast::<Datagram>() {
                datagram.end(transport);
            }
        });
        let scheduled = self
            .event_loop
            .in_present_context(end)
            .and_then(|end| self.event_loop.call_soon(end, false));
        if scheduled.is_err() {
            self.end(transport);
        }
    }

    fn end(&self, transport: &Arc<Transport>) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let reason = self.with(&hold, |state| state.lost.clone().flatten());
        self.call(
            |functions| functions.connection_lost,
            // SAFETY: the host's function with the host's data; the text lives here.
            |lost, data| unsafe {
                let (code, text) = match &reason {
                    Some(Reason { code, message: Some(message) }) => (*code, message.as_ptr()),
                    Some(Reason { code, message: None }) => (*code, std::ptr::null()),
                    None => (0, std::ptr::null()),
                };
                lost(Arc::as_ptr(transport), code, text, data);
            },
        );
        self.let_go(&hold, transport);
    }

    /// Drops the socket and the protocol.
    fn let_go(&self, hold: &Hold<'_>, transport: &Arc<Transport>) {
        self.stop_writing(hold);
        let (socket, protocol, waiting) = self.with(hold, |state| {
            state.closing = true;
            state.waiting_size = 0;
            let waiting = std::mem::take(&mut state.waiting);
            (state.socket.take(), state.protocol.close(), waiting)
        });
        if let Some(socket) = socket {
            let fd = socket.as_raw_fd();
            let _ = self.event_loop.remove_watch(fd, Direction::Read);
            self.event_loop.release_fd(fd);
            let registered = Registry::of(&self.event_loop)
                .ok()
                .and_then(|registry| registry.remove(hold, fd, transport));
            socket::close(socket);
            drop(registered);
        }
        drop((protocol, waiting));
    }

    /// Runs `body` on the socket while it is open.
    pub fn socket<R>(&self, body: impl FnOnce(BorrowedFd<'_>) -> R) -> Result<R> {
        let hold = self.event_loop.hold()?;
        self.with(&hold, |state| match &state.socket {
            Some(socket) => Ok(body(socket.as_fd())),
            None => Err(Error::Sys(libc::EBADF)),
        })
    }
}

impl Operations for Datagram {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn close(&self, transport: &Arc<Transport>) -> Result<()> {
        let hold = self.event_loop.hold()?;
        let (is_first, fd, is_empty) = self.with(&hold, |state| {
            let is_first = !std::mem::replace(&mut state.closing, true);
            let fd = state.socket.as_ref().map(AsRawFd::as_raw_fd);
            (is_first, fd, state.waiting.is_empty())
        });
        let (true, Some(fd)) = (is_first, fd) else { return Ok(()) };
        let _ = self.event_loop.remove_watch(fd, Direction::Read);
        if is_empty {
            self.stop_writing(&hold);
            self.schedule_end(&hold, transport, None);
        }
        Ok(())
    }

    fn abort(&self, transport: &Arc<Transport>, reason: Option<Reason>) -> Result<()> {
        let hold = self.event_loop.hold()?;
        self.stop_writing(&hold);
        let (fd, waiting) = self.with(&hold, |state| {
            state.closing = true;
            state.waiting_size = 0;
            let fd = state.socket.as_ref().map(AsRawFd::as_raw_fd);
            (fd, std::mem::take(&mut state.waiting))
        });
        drop(waiting);
        if let Some(fd) = fd {
            let _ = self.event_loop.remove_watch(fd, Direction::Read);
            self.schedule_end(&hold, transport, reason);
        }
        Ok(())
    }

    fn is_closing(&self, _: &Arc<Transport>) -> Result<bool> {
        let hold = self.event_loop.hold()?;
        Ok(self.with(&hold, |state| state.closing))
    }

    fn set_write_buffer_limits(
        &self,
        transport: &Arc<Transport>,
        high: Option<usize>,
        low: Option<usize>,
    ) -> Result<()> {
        let hold = self.event_loop.hold()?;
        let high = high.unwrap_or_else(|| low.map_or(HIGH, |low| low.saturating_mul(4)));
        let low = low.unwrap_or(high / 4);
        if high < low {
            return Err(Error::Invalid("high must be >= low must be >= 0"));
        }
        self.with(&hold, |state| (state.high, state.low) = (high, low));
        self.pause_protocol(transport);
        Ok(())
    }

    fn write_buffer_size(&self, _: &Arc<Transport>) -> Result<usize> {
        let hold = self.event_loop.hold()?;
        Ok(self.with(&hold, |state| state.waiting_size))
    }

    fn write_buffer_limits(&self, _: &Arc<Transport>) -> Result<(usize, usize)> {
        let hold = self.event_loop.hold()?;
        Ok(self.with(&hold, |state| (state.low, state.high)))
    }

    fn protocol_data(&self, _: &Arc<Transport>) -> Result<*mut c_void> {
        let hold = self.event_loop.hold()?;
        let data = |state: &mut State| state.protocol.current().map(|(_, data)| data);
        Ok(self.with(&hold, data).unwrap_or(std::ptr::null_mut()))
    }

    fn fd(&self, _: &Arc<Transport>) -> Result<RawFd> {
        self.socket(|socket| socket.as_raw_fd())
    }

    fn address(&self, _: &Arc<Transport>, end: End, place: &mut [u8]) -> Result<usize> {
        self.socket(|socket| descriptor::address(socket.as_raw_fd(), end, place))?
    }

    fn extra_info(&self, transport: &Arc<Transport>, name: &CStr) -> Result<*mut c_void> {
        if name == c"socket" {
            Ok(self.fd(transport)? as usize as *mut c_void)
        } else {
            Err(Error::Invalid("there is no such information"))
        }
    }

    fn detached(&self, transport: &Arc<Transport>, _: Detach) {
        if let Ok(hold) = self.event_loop.hold() {
            self.let_go(&hold, transport);
        }
    }
}

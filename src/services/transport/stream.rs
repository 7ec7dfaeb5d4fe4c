//! Streams: sockets and pipes, with asyncio's flow control.
//!
//! A stream's reader is registered once and stays; its writer only while the
//! kernel has no room. Whatever ends a stream ends in `lost`: the protocol is
//! told once, by `call_soon`, and then the descriptor is closed.

mod closing;
mod making;
mod reading;
mod sendfile;
mod writing;

pub use making::{Options, StreamTransport};

use super::descriptor::{self, Medium};
use super::protocol::{Functions, Protocol, ProtocolSlot};
use super::registry::Registry;
use super::write_buffer::WriteBuffer;
use super::{End, Input, Membership, Operations, Owner, Reason, Transport};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::{Detach, Hold};
use crate::loop_cell::LoopCell;
use crate::memory::try_box;
use crate::platform::fd::{AsRawFd, OwnedFd, RawFd};
use crate::services::future::Future;
use sendfile::Sendfile;
use std::any::Any;
use std::ffi::{CStr, CString, c_void};
use std::sync::Arc;

/// What a stream is beside its loop.
pub struct Stream {
    registry: Arc<Registry>,
    medium: Medium,
    state: LoopCell<State>,
}

struct State {
    /// None: closed.
    fd: Option<OwnedFd>,
    protocol: ProtocolSlot<Functions>,
    /// If they are not asyncio's.
    limits: Option<Box<Limits>>,
    /// What waits to be sent, if anything.
    buffer: Option<Box<WriteBuffer>>,
    /// Ends when the connection is lost.
    membership: Option<Membership>,
    /// What most streams do not have at most times.
    rare: Option<Box<Rare>>,
    /// No more is received; what waits is still sent.
    closing: bool,
    /// Nothing is sent any more; connection_lost is on its way, or was.
    lost: bool,
    eof_written: bool,
    eof_seen: bool,
    /// The host paused reading.
    paused: bool,
    /// The protocol was told to pause writing.
    protocol_paused: bool,
    /// connection_made was called: now reading may begin.
    started: bool,
    reader_on: bool,
    writer_on: bool,
    /// Why it was lost; 0: regularly.
    code: i32,
    /// Writes since it was lost.
    dropped_writes: u8,
}

#[derive(Default)]
struct Rare {
    /// Why the connection was lost.
    message: Option<CString>,
    sendfile: Option<Sendfile>,
    on_made: Option<making::OnMade>,
}

/// When the protocol is told to pause writing and to resume.
#[derive(Clone, Copy)]
struct Limits {
    high: usize,
    low: usize,
}

/// asyncio's.
const LIMITS: Limits = Limits { high: 64 * 1024, low: 16 * 1024 };

// There may be very many: with its counters a stream fits in 160 bytes, the
// allocator's own word included.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Transport>() <= 136);

impl State {
    fn buffer_size(&self) -> usize {
        self.buffer.as_ref().map_or(0, |buffer| buffer.size())
    }

    fn limits(&self) -> Limits {
        self.limits.as_deref().copied().unwrap_or(LIMITS)
    }

    fn raw_fd(&self) -> Result<RawFd> {
        self.fd.as_ref().map(AsRawFd::as_raw_fd).ok_or(Error::Sys(libc::EBADF))
    }

    fn has_sendfile(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.sendfile.is_some())
    }

    fn rare(&mut self) -> Result<&mut Rare> {
        let rare = match self.rare.take() {
            Some(rare) => rare,
            None => try_box(Rare::default())?,
        };
        Ok(self.rare.insert(rare))
    }

    /// Without memory only the code is kept.
    fn keep_reason(&mut self, reason: &Option<Reason>) {
        let Some(reason) = reason else { return };
        self.code = reason.code;
        if let Ok(rare) = self.rare() {
            rare.message = reason.clone().message;
        }
    }
}

impl Stream {
    /// Runs `body` on the state. Nothing foreign may run in it.
    #[inline]
    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the hold is that of the transport's loop.
        unsafe { self.state.with(body) }
    }

    pub(super) fn belongs_to<T: Owner>(&self, hold: &Hold<'_>, owner: &T) -> bool {
        self.with(hold, |state| state.membership.as_ref().is_some_and(|m| m.is_of(owner)))
    }

    /// Calls a function of the protocol, if `choose` finds one. None if not, and
    /// in a child that was forked inside.
    fn call<T, R>(
        &self,
        transport: &Arc<Transport>,
        choose: impl FnOnce(&mut State) -> Option<(T, *mut c_void)>,
        run: impl FnOnce(T, *const Transport, *mut c_void) -> R,
    ) -> Option<R> {
        let hold = transport.event_loop.hold().ok()?;
        let (function, data) = self.with(&hold, choose)?;
        drop(hold);
        let result = run(function, Arc::as_ptr(transport), data);
        let hold = transport.event_loop.hold().ok()?;
        let retired = self.with(&hold, |state| state.protocol.end());
        drop(hold);
        drop(retired);
        Some(result)
    }
}

/// A callback on a transport, in the present context: what asyncio's handles do.
fn callback(
    transport: &Arc<Transport>,
    func: impl Fn(&Arc<Transport>) + Copy + 'static,
) -> Result<Callback> {
    transport.event_loop.in_present_context(Callback::on(transport.clone(), func))
}

impl Operations for Stream {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn write(&self, transport: &Arc<Transport>, input: Input<'_>) -> Result<()> {
        Stream::write(self, transport, input)
    }

    fn write_eof(&self, transport: &Arc<Transport>) -> Result<()> {
        Stream::write_eof(self, transport)
    }

    fn can_write_eof(&self, transport: &Arc<Transport>) -> Result<bool> {
        transport.event_loop.hold()?;
        Ok(self.medium.writes())
    }

    fn close(&self, transport: &Arc<Transport>) -> Result<()> {
        Stream::close(self, transport)
    }

    fn abort(&self, transport: &Arc<Transport>, reason: Option<Reason>) -> Result<()> {
        Stream::force_close(self, transport, reason)
    }

    fn is_closing(&self, transport: &Arc<Transport>) -> Result<bool> {
        let hold = transport.event_loop.hold()?;
        Ok(self.with(&hold, |state| state.closing))
    }

    fn pause_reading(&self, transport: &Arc<Transport>) -> Result<()> {
        Stream::pause_reading(self, transport)
    }

    fn resume_reading(&self, transport: &Arc<Transport>) -> Result<()> {
        Stream::resume_reading(self, transport)
    }

    fn is_reading(&self, transport: &Arc<Transport>) -> Result<bool> {
        let hold = transport.event_loop.hold()?;
        Ok(self.medium.reads() && self.with(&hold, |state| !state.closing && !state.paused))
    }

    fn set_write_buffer_limits(
        &self,
        transport: &Arc<Transport>,
        high: Option<usize>,
        low: Option<usize>,
    ) -> Result<()> {
        let high = high.unwrap_or(match low {
            Some(low) => low.saturating_mul(4),
            None => LIMITS.high,
        });
        let low = low.unwrap_or(high / 4);
        if low > high {
            return Err(Error::Invalid("high must be >= low"));
        }
        let hold = transport.event_loop.hold()?;
        let limits = try_box(Limits { high, low })?;
        self.with(&hold, |state| state.limits = Some(limits));
        drop(hold);
        self.maybe_pause(transport);
        Ok(())
    }

    fn write_buffer_size(&self, transport: &Arc<Transport>) -> Result<usize> {
        let hold = transport.event_loop.hold()?;
        Ok(self.with(&hold, |state| state.buffer_size()))
    }

    fn write_buffer_limits(&self, transport: &Arc<Transport>) -> Result<(usize, usize)> {
        let hold = transport.event_loop.hold()?;
        let limits = self.with(&hold, |state| state.limits());
        Ok((limits.low, limits.high))
    }

    fn set_protocol(&self, transport: &Arc<Transport>, protocol: Protocol) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        let functions = self.registry.share(&hold, &protocol.functions)?;
        let next = (functions, protocol.user_data);
        let (result, old) = self.with(&hold, |state| state.protocol.replace(next));
        drop(hold);
        drop(old);
        result
    }

    fn protocol_data(&self, transport: &Arc<Transport>) -> Result<*mut c_void> {
        let hold = transport.event_loop.hold()?;
        Ok(self.with(&hold, |state| {
            state.protocol.current().map_or(std::ptr::null_mut(), |(_, data)| data)
        }))
    }

    fn fd(&self, transport: &Arc<Transport>) -> Result<RawFd> {
        let hold = transport.event_loop.hold()?;
        self.with(&hold, |state| state.raw_fd())
    }

    fn address(&self, transport: &Arc<Transport>, end: End, place: &mut [u8]) -> Result<usize> {
        descriptor::address(self.fd(transport)?, end, place)
    }

    fn extra_info(&self, transport: &Arc<Transport>, name: &CStr) -> Result<*mut c_void> {
        let its_name = if self.medium == Medium::Socket { c"socket" } else { c"pipe" };
        if name == its_name {
            Ok(self.fd(transport)? as usize as *mut c_void)
        } else {
            Err(Error::Invalid("there is no such information"))
        }
    }

    fn sendfile(
        &self,
        transport: &Arc<Transport>,
        file: RawFd,
        offset: u64,
        count: Option<u64>,
    ) -> Result<Arc<Future>> {
        Stream::sendfile(self, transport, file, offset, count)
    }

    fn detached(&self, transport: &Arc<Transport>, why: Detach) {
        Stream::detached(self, transport, why);
    }
}

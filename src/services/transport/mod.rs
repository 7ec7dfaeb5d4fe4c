//! Transports: asyncio's way to move bytes, by calls instead of futures.
//!
//! One type for all kinds: streams (sockets and pipes) are part of it, because
//! they are many and must be small and quick; other kinds implement
//! `Operations` and are reached through it.
//!
//! An open transport is kept by its loop's registry until its connection is
//! lost. Nothing of a transport is borrowed while its protocol is called.

pub mod datagram;
mod descriptor;
pub mod layer;
pub mod protocol;
pub mod registry;
pub mod stream;
mod write_buffer;

pub use protocol::{Functions, Protocol, ProtocolSlot};
pub use stream::{Options, StreamTransport};

use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::{Detach, EventLoop, Kept};
use crate::memory::{copy_text, text_of, try_arc};
use crate::platform::fd::RawFd;
use crate::platform::sys;
use crate::services::future::Future;
use std::any::Any;
use std::ffi::{CStr, CString, c_void};
use std::sync::Arc;
use stream::Stream;

/// A transport of any kind. Shared by reference counts; used by the loop's thread.
pub struct Transport {
    event_loop: Kept,
    kind: Kind,
}

enum Kind {
    Stream(Stream),
    Other(Box<dyn Operations>),
}

/// Why a connection ended, if not regularly.
#[derive(Debug)]
pub struct Reason {
    /// A negative code.
    pub code: i32,
    /// Its text; none means the one of the code.
    pub message: Option<CString>,
}

impl Clone for Reason {
    /// Without memory the text is left out.
    fn clone(&self) -> Self {
        let message = self.message.as_deref().and_then(|text| copy_text(text).ok());
        Reason { code: self.code, message }
    }
}

impl Reason {
    /// One of our own failures, in its own words.
    pub fn of(error: Error) -> Self {
        Reason { code: error.code(), message: text_of(error) }
    }
}

/// What transports may belong to.
pub trait Owner {
    /// One of them is gone.
    fn left(&self);
}

/// That a transport belongs to an owner, who is told when this ends.
pub struct Membership(Arc<dyn Owner>);

impl Membership {
    /// Of an owner.
    pub fn new(owner: Arc<dyn Owner>) -> Self {
        Membership(owner)
    }

    fn is_of<T: Owner>(&self, owner: &T) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.0), owner)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.0.left();
    }
}

/// The open streams that belong to an owner.
pub fn members<T: Owner>(event_loop: &EventLoop, owner: &T) -> Result<Vec<Arc<Transport>>> {
    let registry = registry::Registry::of(event_loop)?;
    let hold = event_loop.hold()?;
    registry.filter(&hold, |transport| {
        transport.stream().is_some_and(|stream| stream.belongs_to(&hold, owner))
    })
}

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// This one.
    Own,
    /// The other one.
    Peer,
}

/// Bytes to be written: where they are, how many, and who lets go of them.
/// Without an owner they are copied where they cannot be sent at once.
pub struct Input<'a> {
    /// The parts, to be sent in this order.
    pub parts: &'a [sys::iovec],
    /// The owner of the only part.
    pub owner: Option<UserData>,
}

/// What a kind of transport can do. Every method is called on the loop's thread
/// or fails; `transport` is the transport that this is part of.
#[allow(unused_variables)]
pub trait Operations: Send + Sync + Any {
    /// For callers that know the kind.
    fn as_any(&self) -> &dyn Any;

    /// Sends bytes, or keeps them until there is room.
    fn write(&self, transport: &Arc<Transport>, input: Input<'_>) -> Result<()> {
        Err(UNSUPPORTED)
    }

    /// Sends nothing more once everything is sent.
    fn write_eof(&self, transport: &Arc<Transport>) -> Result<()> {
        Err(UNSUPPORTED)
    }

    /// Can it do that?
    fn can_write_eof(&self, transport: &Arc<Transport>) -> Result<bool> {
        Ok(false)
    }

    /// Ends the connection when everything is sent.
    fn close(&self, transport: &Arc<Transport>) -> Result<()>;

    /// Ends the connection at once, with a reason or regularly.
    fn abort(&self, transport: &Arc<Transport>, reason: Option<Reason>) -> Result<()>;

    /// Was it closed, or is it about to be?
    fn is_closing(&self, transport: &Arc<Transport>) -> Result<bool>;

    /// Receives nothing until `resume_reading`.
    fn pause_reading(&self, transport: &Arc<Transport>) -> Result<()> {
        Err(UNSUPPORTED)
    }

    /// Receives again.
    fn resume_reading(&self, transport: &Arc<Transport>) -> Result<()> {
        Err(UNSUPPORTED)
    }

    /// Does it receive?
    fn is_reading(&self, transport: &Arc<Transport>) -> Result<bool> {
        Err(UNSUPPORTED)
    }

    /// When the protocol is told to pause and to resume.
    fn set_write_buffer_limits(
        &self,
        transport: &Arc<Transport>,
        high: Option<usize>,
        low: Option<usize>,
    ) -> Result<()> {
        Err(UNSUPPORTED)
    }

    /// How many bytes wait to be sent.
    fn write_buffer_size(&self, transport: &Arc<Transport>) -> Result<usize> {
        Err(UNSUPPORTED)
    }

    /// The low and the high limit.
    fn write_buffer_limits(&self, transport: &Arc<Transport>) -> Result<(usize, usize)> {
        Err(UNSUPPORTED)
    }

    /// Another protocol takes over.
    fn set_protocol(&self, transport: &Arc<Transport>, protocol: Protocol) -> Result<()> {
        Err(UNSUPPORTED)
    }

    /// The protocol's data; null if it ended.
    fn protocol_data(&self, transport: &Arc<Transport>) -> Result<*mut c_void>;

    /// Its descriptor.
    fn fd(&self, transport: &Arc<Transport>) -> Result<RawFd> {
        Err(UNSUPPORTED)
    }

    /// The address of this end, or of the other one. How long it is; what does
    /// not fit is left out.
    fn address(&self, transport: &Arc<Transport>, end: End, place: &mut [u8]) -> Result<usize> {
        Err(UNSUPPORTED)
    }

    /// Something else that is known of it, by asyncio's name.
    fn extra_info(&self, transport: &Arc<Transport>, name: &CStr) -> Result<*mut c_void> {
        Err(Error::Invalid("there is no such information"))
    }

    /// Sends a part of a file, or all from an offset on.
    fn sendfile(
        &self,
        transport: &Arc<Transport>,
        file: RawFd,
        offset: u64,
        count: Option<u64>,
    ) -> Result<Arc<Future>> {
        Err(UNSUPPORTED)
    }

    /// The loop let go of an open transport: its descriptor and its protocol
    /// end now, and nobody is told.
    fn detached(&self, transport: &Arc<Transport>, why: Detach) {}
}

const UNSUPPORTED: Error = Error::Unsupported("the transport does not support this");

impl Transport {
    /// A transport of a kind that is not a stream.
    pub fn new(event_loop: &EventLoop, operations: Box<dyn Operations>) -> Result<Arc<Transport>> {
        try_arc(Transport { event_loop: event_loop.keep(), kind: Kind::Other(operations) })
    }

    fn new_stream(event_loop: &EventLoop, stream: Stream) -> Result<Arc<Transport>> {
        try_arc(Transport { event_loop: event_loop.keep(), kind: Kind::Stream(stream) })
    }

    /// Its loop. The loop may be closed.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }

    /// What it can do. Each method gets this transport.
    pub fn operations(&self) -> &dyn Operations {
        match &self.kind {
            Kind::Stream(stream) => stream,
            Kind::Other(other) => &**other,
        }
    }

    /// `operations().write`, for most calls without the detour.
    #[inline]
    pub fn write(self: &Arc<Self>, input: Input<'_>) -> Result<()> {
        match &self.kind {
            Kind::Stream(stream) => stream.write(self, input),
            Kind::Other(other) => other.write(self, input),
        }
    }

    fn stream(&self) -> Option<&Stream> {
        match &self.kind {
            Kind::Stream(stream) => Some(stream),
            Kind::Other(_) => None,
        }
    }

    /// What it is behind `Operations`, if it is that.
    pub fn downcast<T: Operations>(&self) -> Option<&T> {
        self.operations().as_any().downcast_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        // With the counters of the Arc and an entry of the table of descriptors.
        let bytes = size_of::<Transport>() + 2 * size_of::<usize>();
        assert!(bytes <= 200, "{bytes} bytes");
    }
}

//! Sending bytes that the host lends until they are sent.

use super::waiting::{Blocks, run};
use super::{Address, system};
use crate::callback::UserData;
use crate::error::Result;
use crate::event_loop::EventLoop;
use crate::fd_table::Direction;
use crate::platform::fd::RawFd;
use crate::services::future::{Future, Outcome};
use std::ffi::c_void;
use std::sync::Arc;

/// Bytes of the host's, given back by its destructor.
pub struct Data {
    bytes: *const c_void,
    length: usize,
    _owner: UserData,
}

impl Data {
    /// Takes charge of `owner`.
    ///
    /// # Safety
    /// The bytes may be read until `owner` is destroyed, or, if that says
    /// nothing, until the future is done or the loop is closed.
    pub unsafe fn new(bytes: *const c_void, length: usize, owner: UserData) -> Self {
        Data { bytes, length, _owner: owner }
    }

    fn send(&self, fd: RawFd, from: usize, address: Option<&Address>) -> Result<Option<usize>> {
        // SAFETY: `from` is at most the length; as promised to `new`.
        unsafe { system::send(fd, self.bytes.byte_add(from), self.length - from, address) }
    }
}

/// asyncio's `sock_sendall`: goes on until all is sent.
pub fn send_all(event_loop: &EventLoop, fd: RawFd, data: Data) -> Result<Arc<Future>> {
    let mut sent = 0;
    run(event_loop, fd, Direction::Write, Blocks::Never, move || {
        let Some(count) = data.send(fd, sent, None)? else { return Ok(None) };
        sent += count;
        Ok((sent >= data.length).then(|| Outcome::number(0)))
    })
}

/// asyncio's `sock_sendto`: how many bytes of the datagram were sent.
pub fn send_to(
    event_loop: &EventLoop,
    fd: RawFd,
    data: Data,
    address: Address,
) -> Result<Arc<Future>> {
    run(event_loop, fd, Direction::Write, Blocks::Never, move || {
        Ok(data.send(fd, 0, Some(&address))?.map(Outcome::number))
    })
}

//! Receiving: into a buffer of the future's own, or into the host's.

use super::waiting::{Blocks, run};
use super::{Address, system};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::fd_table::Direction;
use crate::memory::{try_box, try_list};
use crate::platform::fd::RawFd;
use crate::services::future::{Future, Outcome};
use std::ffi::c_void;
use std::sync::Arc;

/// What was received; the C struct of this name and then what it points to.
#[repr(C)]
pub struct Received {
    /// How many bytes; 0 is the end of a stream.
    pub length: usize,
    /// The bytes.
    pub data: *const c_void,
    /// The length of the address.
    pub address_length: usize,
    /// From whom, or NULL.
    pub address: *const c_void,
    bytes: Vec<u8>,
    from: Address,
}

impl Received {
    /// `data` points into `bytes`, or to the host's own buffer.
    fn outcome(
        length: usize,
        data: *const c_void,
        bytes: Vec<u8>,
        from: Address,
    ) -> Result<Outcome> {
        let address_length = from.length();
        let address = std::ptr::null();
        let mut received =
            try_box(Received { length, data, address_length, address, bytes, from })?;
        received.address = received.from.as_ptr();
        Ok(Outcome::value(received))
    }
}

/// A buffer for one attempt: an idle socket holds none.
fn buffer(length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| Error::NO_MEMORY)?;
    Ok(bytes)
}

/// A full buffer that is mostly empty gives its memory back.
fn kept(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    // SAFETY: the system has written so many.
    unsafe { bytes.set_len(length) };
    // Not shrunk in place, which cannot fail without an end of the process.
    if length < bytes.capacity() / 2
        && let Ok(mut small) = try_list(length)
    {
        small.extend_from_slice(&bytes);
        return small;
    }
    bytes
}

/// asyncio's `sock_recv`.
pub fn receive(event_loop: &EventLoop, fd: RawFd, length: usize) -> Result<Arc<Future>> {
    run(event_loop, fd, Direction::Read, Blocks::Never, move || {
        let mut bytes = buffer(length)?;
        // SAFETY: the buffer has room for so many.
        let count = unsafe { system::receive(fd, bytes.as_mut_ptr().cast(), length)? };
        let Some(count) = count else { return Ok(None) };
        let bytes = kept(bytes, count);
        Received::outcome(count, bytes.as_ptr().cast(), bytes, Address::empty()).map(Some)
    })
}

/// asyncio's `sock_recvfrom`.
pub fn receive_from(event_loop: &EventLoop, fd: RawFd, length: usize) -> Result<Arc<Future>> {
    run(event_loop, fd, Direction::Read, Blocks::Never, move || {
        let mut bytes = buffer(length)?;
        // SAFETY: the buffer has room for so many.
        let count = unsafe { system::receive_from(fd, bytes.as_mut_ptr().cast(), length)? };
        let Some((count, from)) = count else { return Ok(None) };
        let bytes = kept(bytes, count);
        Received::outcome(count, bytes.as_ptr().cast(), bytes, from).map(Some)
    })
}

/// asyncio's `sock_recv_into`: how many bytes.
///
/// # Safety
/// The bytes may be written until the future is done or the loop is closed.
pub unsafe fn receive_into(
    event_loop: &EventLoop,
    fd: RawFd,
    place: *mut c_void,
    length: usize,
) -> Result<Arc<Future>> {
    run(event_loop, fd, Direction::Read, Blocks::Never, move || {
        // SAFETY: as promised.
        Ok(unsafe { system::receive(fd, place, length)? }.map(Outcome::number))
    })
}

/// asyncio's `sock_recvfrom_into`.
///
/// # Safety
/// As `receive_into`.
pub unsafe fn receive_from_into(
    event_loop: &EventLoop,
    fd: RawFd,
    place: *mut c_void,
    length: usize,
) -> Result<Arc<Future>> {
    run(event_loop, fd, Direction::Read, Blocks::Never, move || {
        // SAFETY: as promised.
        let count = unsafe { system::receive_from(fd, place, length)? };
        let Some((count, from)) = count else { return Ok(None) };
        Received::outcome(count, place.cast_const(), Vec::new(), from).map(Some)
    })
}

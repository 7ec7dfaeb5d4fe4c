//! Transports.

use super::future::{give, loop_future_t};
use super::guard::{guard, guard_or, store};
use super::protocol::{loop_protocol_t, protocol};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::memory::copy_text;
use crate::platform::sys;
use crate::services::transport::{End, Input, Operations, Reason, Transport};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A connection that moves bytes and calls a protocol: asyncio's Transport.
/// Opaque, reference-counted. It belongs to one loop and to that loop's thread;
/// only references are counted on any thread.
///
/// An open transport is kept by its loop: nobody need hold a reference, and a
/// pointer stays valid until connection_lost returned, longer with a reference.
/// Giving references back closes nothing.
///
/// A transport owns its descriptor and closes it. The protocol's user data is
/// destroyed once: after connection_lost; when another protocol has taken its
/// place; or when the call that was given it fails. Data that is in use by a
/// running call lives until that call has returned.
///
/// When the loop is closed, its open transports are let go of: descriptors are
/// closed and protocols destroyed, and connection_lost is not called. So it is in
/// a forked child that closes its copy of the loop or makes it its own; the
/// parent's connections are not touched.
///
/// Errors of all functions where nothing else is said: LOOP_EINVAL (NULL),
/// LOOP_EWRONG_THREAD, LOOP_EFORKED, LOOP_ECLOSED, LOOP_ENOTSUP (this kind of
/// transport cannot do it).
pub struct loop_transport_t(#[allow(dead_code)] Transport);

/// A piece of memory; like struct iovec.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_iovec_t {
    /// Where it begins.
    pub base: *const c_void,
    /// How many bytes.
    pub length: usize,
}

const _: () = assert!(
    size_of::<loop_iovec_t>() == size_of::<sys::iovec>()
        && std::mem::offset_of!(loop_iovec_t, length) == std::mem::offset_of!(sys::iovec, iov_len)
);

/// A transport the caller has a reference to, borrowed for a call in which
/// nothing foreign runs before another reference is taken.
///
/// # Safety
/// `pointer` is NULL or came from this library and still counts.
unsafe fn borrowed(pointer: *const loop_transport_t) -> Result<ManuallyDrop<Arc<Transport>>> {
    if pointer.is_null() {
        return Err(Error::Invalid("transport is NULL"));
    }
    // SAFETY: `loop_transport_t` is how C sees a `Transport` in an Arc.
    Ok(ManuallyDrop::new(unsafe { Arc::from_raw(pointer.cast::<Transport>()) }))
}

/// The same with a reference for the length of the call.
///
/// # Safety
/// As `borrowed`.
pub(super) unsafe fn transport(pointer: *const loop_transport_t) -> Result<Arc<Transport>> {
    Ok(Arc::clone(&*unsafe { borrowed(pointer)? }))
}

/// Runs `body` on what a transport can do, with a reference for the length of
/// the call.
///
/// # Safety
/// As `borrowed`.
unsafe fn with<R>(
    pointer: *const loop_transport_t,
    body: impl FnOnce(&dyn Operations, &Arc<Transport>) -> Result<R>,
) -> Result<R> {
    let transport = unsafe { transport(pointer)? };
    explained(body(transport.operations(), &transport))
}

/// A layer's own failure gets the text of its code.
#[inline]
fn explained<R>(result: Result<R>) -> Result<R> {
    result.map_err(|error| match error {
        Error::Failed(code) => super::error::failed(code, None),
        error => error,
    })
}

/// Gives a reference to C.
pub(super) fn into_raw(transport: Arc<Transport>) -> *mut loop_transport_t {
    Arc::into_raw(transport).cast::<loop_transport_t>().cast_mut()
}

/// Takes one more reference; returns `transport`. NULL is allowed. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_ref(
    transport: *mut loop_transport_t,
) -> *mut loop_transport_t {
    if !transport.is_null() {
        unsafe { Arc::increment_strong_count(transport.cast::<Transport>()) };
    }
    transport
}

/// Gives a reference back. This closes nothing: see loop_transport_close. NULL
/// is allowed. [any thread], also after close and after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_unref(transport: *mut loop_transport_t) {
    if !transport.is_null() {
        guard(|| {
            drop(unsafe { Arc::from_raw(transport.cast::<Transport>()) });
            Ok(0)
        });
    }
}

/// The transport's loop, borrowed: valid as long as the transport. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_loop(transport: *mut loop_transport_t) -> *mut loop_t {
    guard_or(std::ptr::null_mut(), || {
        let transport = unsafe { borrowed(transport)? };
        Ok(std::ptr::from_ref(transport.event_loop()).cast_mut().cast())
    })
}

/// Sends `length` bytes: at once what the kernel takes, the rest from a copy when
/// there is room. Never waits. If more than the high-water mark waits then,
/// pause_writing is called before this returns.
///
/// 0 also when the connection is lost: connection_lost tells, and from the fifth
/// such write on the exception handler. LOOP_EINVALID_STATE after
/// loop_transport_write_eof, and while a sendfile is in progress; -ENOMEM, then
/// the connection is broken. [loop thread] asyncio: transport.write().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_write(
    transport: *mut loop_transport_t,
    data: *const c_void,
    length: usize,
) -> c_int {
    guard(|| {
        let transport = unsafe { borrowed(transport)? };
        if data.is_null() && length != 0 {
            return Err(Error::Invalid("data is NULL"));
        }
        let part = sys::iovec { iov_base: data.cast_mut(), iov_len: length };
        explained(transport.write(Input { parts: &[part], owner: None })).map(|()| 0)
    })
}

/// Sends `count` pieces in their order, in one call of the system where it can;
/// otherwise as loop_transport_write. asyncio: transport.writelines().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_writev(
    transport: *mut loop_transport_t,
    pieces: *const loop_iovec_t,
    count: usize,
) -> c_int {
    guard(|| {
        let transport = unsafe { borrowed(transport)? };
        if count == 0 {
            return explained(transport.write(Input { parts: &[], owner: None })).map(|()| 0);
        }
        if pieces.is_null() {
            return Err(Error::Invalid("pieces is NULL"));
        }
        // SAFETY: the caller promises `count` of them; both are the same struct.
        let parts = unsafe { std::slice::from_raw_parts(pieces.cast::<sys::iovec>(), count) };
        if parts.iter().any(|part| part.iov_base.is_null() && part.iov_len != 0) {
            return Err(Error::Invalid("a piece is NULL"));
        }
        explained(transport.write(Input { parts, owner: None })).map(|()| 0)
    })
}

/// Sends bytes without copying them: they must stay as they are until `destroy`
/// is called with `user_data`, once, when they are sent or not needed any more:
/// perhaps before this returns, and also if it fails. Otherwise as
/// loop_transport_write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_write_owned(
    transport: *mut loop_transport_t,
    data: *const c_void,
    length: usize,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let owner = UserData::new(user_data, destroy);
        let transport = unsafe { self::transport(transport)? };
        if data.is_null() && length != 0 {
            return Err(Error::Invalid("data is NULL"));
        }
        let part = sys::iovec { iov_base: data.cast_mut(), iov_len: length };
        explained(transport.write(Input { parts: &[part], owner: Some(owner) })).map(|()| 0)
    })
}

/// Tells the peer, after everything is sent, that no more comes; receiving goes
/// on. On a pipe: closes it. Again: nothing. LOOP_ENOTSUP where
/// loop_transport_can_write_eof is 0. [loop thread] asyncio: transport.write_eof().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_write_eof(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with(transport, |o, t| o.write_eof(t).map(|()| 0)) })
}

/// 1 if loop_transport_write_eof can be used, else 0. [loop thread]
/// asyncio: transport.can_write_eof().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_can_write_eof(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with(transport, |o, t| o.can_write_eof(t).map(c_int::from)) })
}

/// Closes the transport: receives no more from now on, sends what waits, a
/// sendfile included, then calls connection_lost and closes the descriptor. Never
/// from inside this function. Again: nothing. [loop thread]
/// asyncio: transport.close().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_close(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with(transport, |o, t| o.close(t).map(|()| 0)) })
}

/// Closes the transport at once: what waits to be sent is dropped. Never calls
/// connection_lost from inside. [loop thread] asyncio: transport.abort().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_abort(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with(transport, |o, t| o.abort(t, None)) }.map(|()| 0))
}

/// loop_transport_abort for a reason, which connection_lost gets: a negative
/// code, and a text (copied; NULL: that of loop_strerror). For protocols that
/// fail, such as one whose language raised an exception. LOOP_EINVAL for other
/// codes. [loop thread] asyncio: what follows an exception in data_received.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_fail(
    transport: *mut loop_transport_t,
    code: c_int,
    message: *const c_char,
) -> c_int {
    guard(|| {
        if code >= 0 {
            return Err(Error::Invalid("the code of a failure must be negative"));
        }
        let message = match unsafe { super::future::text(message) } {
            Some(text) => text,
            // SAFETY: a static text.
            None => unsafe { CStr::from_ptr(super::error::loop_strerror(code)) },
        };
        let reason = Reason { code, message: copy_text(message).ok() };
        unsafe { with(transport, |o, t| o.abort(t, Some(reason))) }.map(|()| 0)
    })
}

/// 1 if the transport is closed or about to be, else 0. Also after the loop was
/// closed. [loop thread] asyncio: transport.is_closing().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_is_closing(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with(transport, |o, t| o.is_closing(t).map(c_int::from)) })
}

/// Receives no more until loop_transport_resume_reading: what comes meanwhile,
/// the end included, waits in the kernel. Nothing if it is paused or closing.
/// [loop thread] asyncio: transport.pause_reading().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_pause_reading(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with(transport, |o, t| o.pause_reading(t).map(|()| 0)) })
}

/// Receives again. Nothing if it is not paused, or closing. [loop thread]
/// asyncio: transport.resume_reading().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_resume_reading(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with(transport, |o, t| o.resume_reading(t).map(|()| 0)) })
}

/// 1 if the transport receives: neither paused nor closing; else 0. [loop thread]
/// asyncio: transport.is_reading().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_is_reading(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with(transport, |o, t| o.is_reading(t).map(c_int::from)) })
}

/// The water marks in bytes: pause_writing when more than `high` wait,
/// resume_writing when no more than `low` do. (size_t)-1 leaves one to the other:
/// `high` is then four times `low`, or 64 KiB; `low` a quarter of `high`. May call
/// pause_writing. LOOP_EINVAL for low > high. [loop thread]
/// asyncio: transport.set_write_buffer_limits().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_set_write_buffer_limits(
    transport: *mut loop_transport_t,
    high: usize,
    low: usize,
) -> c_int {
    guard(|| {
        let given = |limit| (limit != usize::MAX).then_some(limit);
        let (high, low) = (given(high), given(low));
        unsafe { with(transport, |o, t| o.set_write_buffer_limits(t, high, low)) }.map(|()| 0)
    })
}

/// How many bytes wait to be sent, in *ret_size. [loop thread]
/// asyncio: transport.get_write_buffer_size().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_write_buffer_size(
    transport: *mut loop_transport_t,
    ret_size: *mut usize,
) -> c_int {
    guard(|| {
        let size = unsafe { with(transport, |o, t| o.write_buffer_size(t))? };
        unsafe { store(ret_size, size)? };
        Ok(0)
    })
}

/// The water marks; either pointer may be NULL. [loop thread]
/// asyncio: transport.get_write_buffer_limits().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_write_buffer_limits(
    transport: *mut loop_transport_t,
    ret_high: *mut usize,
    ret_low: *mut usize,
) -> c_int {
    guard(|| {
        let (low, high) = unsafe { with(transport, |o, t| o.write_buffer_limits(t))? };
        for (place, limit) in [(ret_high, high), (ret_low, low)] {
            if !place.is_null() {
                unsafe { place.write(limit) };
            }
        }
        Ok(0)
    })
}

/// Another protocol takes over from now on; no function of it is called for
/// that. The old one's user_data is destroyed before this returns, or, inside
/// one of its functions, when that has returned. On failure the new one's is.
/// LOOP_EINVALID_STATE if the connection was lost. [loop thread]
/// asyncio: transport.set_protocol().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_set_protocol(
    transport: *mut loop_transport_t,
    protocol: *const loop_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> c_int {
    guard(|| {
        let protocol = unsafe { self::protocol(protocol, user_data, destroy) };
        unsafe { with(transport, |o, t| o.set_protocol(t, protocol?)) }.map(|()| 0)
    })
}

/// The protocol's user_data; NULL when it was destroyed, and on failure (see
/// loop_last_error). [loop thread] asyncio: transport.get_protocol().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_protocol(
    transport: *mut loop_transport_t,
) -> *mut c_void {
    guard_or(std::ptr::null_mut(), || unsafe { with(transport, |o, t| o.protocol_data(t)) })
}

/// The transport's descriptor, which stays the transport's: to ask and to set
/// options only. -EBADF when it is closed. [loop thread]
/// asyncio: transport.get_extra_info("socket").fileno().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_fd(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with(transport, |o, t| o.fd(t)) })
}

/// Copies an address of a socket, a struct sockaddr, to `address`. *length is the
/// room there, and becomes the length of the address: if that is more than there
/// was room for, the rest was left out.
unsafe fn address_of(
    transport: *mut loop_transport_t,
    end: End,
    address: *mut c_void,
    length: *mut usize,
) -> Result<c_int> {
    if address.is_null() || length.is_null() {
        return Err(Error::Invalid("address is NULL"));
    }
    let mut room = [0; 256];
    let known = unsafe { with(transport, |o, t| o.address(t, end, &mut room))? };
    unsafe {
        let copied = known.min(*length).min(room.len());
        address.cast::<u8>().copy_from_nonoverlapping(room.as_ptr(), copied);
        length.write(known);
    }
    Ok(0)
}

/// The peer's address, a struct sockaddr, at `address`. *length is the room there
/// and becomes the address's length; what does not fit is left out. -ENOTCONN
/// when the peer broke the connection and for datagrams without a fixed peer,
/// -EBADF when it is closed, -ENOTSOCK.
/// [loop thread] asyncio: transport.get_extra_info("peername").
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_peername(
    transport: *mut loop_transport_t,
    address: *mut c_void,
    length: *mut usize,
) -> c_int {
    guard(|| unsafe { address_of(transport, End::Peer, address, length) })
}

/// The same for the transport's own address.
/// asyncio: transport.get_extra_info("sockname").
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_sockname(
    transport: *mut loop_transport_t,
    address: *mut c_void,
    length: *mut usize,
) -> c_int {
    guard(|| unsafe { address_of(transport, End::Own, address, length) })
}

/// What else is known, by asyncio's name, in *ret_value. Streams know "socket"
/// or "pipe", datagram transports "socket": the descriptor as a number. Layers
/// answer for themselves. Addresses have functions of their own:
/// loop_transport_get_sockname, loop_transport_get_peername. LOOP_EINVAL for a
/// name that is not known. [loop thread]
/// asyncio: transport.get_extra_info().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_extra_info(
    transport: *mut loop_transport_t,
    name: *const c_char,
    ret_value: *mut *mut c_void,
) -> c_int {
    guard(|| {
        let name = unsafe { super::future::text(name) }.ok_or(Error::Invalid("name is NULL"))?;
        let value = unsafe { with(transport, |o, t| o.extra_info(t, name))? };
        unsafe { store(ret_value, value)? };
        Ok(0)
    })
}

/// Sends `count` bytes of a file from `offset` on, or all up to its end if
/// `count` is -1; by sendfile where the system can, else by reading and sending.
/// What waits is sent before. Until the future is done other writes are refused
/// and reading is paused. The future's result is the number of bytes, less than
/// `count` if the file ends before. `file_fd` is duplicated: it may be closed; its
/// position is neither used nor moved. Cancelling stops after what was sent. If
/// the connection breaks, the future fails with the reason, -ECONNABORTED when it
/// was aborted. LOOP_EINVAL also for other negative numbers; LOOP_EINVALID_STATE
/// if the transport is closing, after write_eof, and while another sendfile is in
/// progress; -EBADF, -EMFILE, -ENOMEM. [loop thread] asyncio: loop.sendfile().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_sendfile(
    transport: *mut loop_transport_t,
    file_fd: c_int,
    offset: i64,
    count: i64,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        if file_fd < 0 {
            return Err(Error::BadDescriptor(file_fd));
        }
        let offset = u64::try_from(offset).map_err(|_| Error::Invalid("offset is negative"))?;
        let count = match count {
            -1 => None,
            count => Some(u64::try_from(count).map_err(|_| Error::Invalid("count is negative"))?),
        };
        let future = unsafe { with(transport, |o, t| o.sendfile(t, file_fd, offset, count))? };
        unsafe { give(future, ret_future) }
    })
}

versioned!(
    "loop_transport_ref",
    "loop_transport_unref",
    "loop_transport_get_loop",
    "loop_transport_write",
    "loop_transport_writev",
    "loop_transport_write_owned",
    "loop_transport_write_eof",
    "loop_transport_can_write_eof",
    "loop_transport_close",
    "loop_transport_abort",
    "loop_transport_fail",
    "loop_transport_is_closing",
    "loop_transport_pause_reading",
    "loop_transport_resume_reading",
    "loop_transport_is_reading",
    "loop_transport_set_write_buffer_limits",
    "loop_transport_get_write_buffer_size",
    "loop_transport_get_write_buffer_limits",
    "loop_transport_set_protocol",
    "loop_transport_get_protocol",
    "loop_transport_get_fd",
    "loop_transport_get_peername",
    "loop_transport_get_sockname",
    "loop_transport_get_extra_info",
    "loop_transport_sendfile",
);

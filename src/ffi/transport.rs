//! Transports.

use super::future::{give, loop_future_t};
use super::guard::{guard, guard_or, kept, store};
use super::protocol::{loop_protocol_t, protocol};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::services::transport::{Input, Options, Protocol, Reason, StreamTransport, Transport};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
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
    size_of::<loop_iovec_t>() == size_of::<libc::iovec>()
        && std::mem::offset_of!(loop_iovec_t, length) == std::mem::offset_of!(libc::iovec, iov_len)
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

/// Gives a reference to C.
pub(super) fn into_raw(transport: Arc<Transport>) -> *mut loop_transport_t {
    Arc::into_raw(transport).cast::<loop_transport_t>().cast_mut()
}

type Make = fn(&EventLoop, &mut Option<OwnedFd>, Protocol, Options) -> Result<Arc<Transport>>;

/// Makes a transport on a descriptor of the host's, which keeps it on failure.
unsafe fn make(
    make: Make,
    r#loop: *mut loop_t,
    fd: c_int,
    protocol: Result<Protocol>,
    ret_transport: *mut *mut loop_transport_t,
) -> Result<c_int> {
    let event_loop = unsafe { kept(r#loop)? };
    let protocol = protocol?;
    event_loop.check_open()?;
    if fd < 0 {
        return Err(Error::BadDescriptor(fd));
    }
    event_loop.refuse_claimed(fd)?;
    // SAFETY: only taken where the transport is made; otherwise given back below.
    let mut owned = Some(unsafe { OwnedFd::from_raw_fd(fd) });
    let made = make(&event_loop, &mut owned, protocol, Options::default());
    if let Some(owned) = owned {
        let _ = owned.into_raw_fd();
    }
    let made = made?;
    if !ret_transport.is_null() {
        unsafe { store(ret_transport, into_raw(made))? };
    }
    Ok(0)
}

/// A transport on a connected stream socket of the caller's, such as one that
/// was accepted elsewhere. connection_made is scheduled, reading begins after it.
/// TCP sockets get TCP_NODELAY. The transport, with a reference, in
/// *ret_transport, which may be NULL.
///
/// On success the transport owns `fd` and closes it; on failure it stays the
/// caller's, as it was, and user_data is destroyed. It is made non-blocking.
/// LOOP_EINVAL (NULL, negative fd, no stream socket), -EBADF, -ENOTSOCK, -EBUSY
/// (a transport has it), LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
/// [loop thread] asyncio: loop.connect_accepted_socket().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_connect_accepted_socket(
    r#loop: *mut loop_t,
    fd: c_int,
    protocol: *const loop_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_transport: *mut *mut loop_transport_t,
) -> c_int {
    guard(|| unsafe {
        let protocol = self::protocol(protocol, user_data, destroy);
        make(StreamTransport::attach_from, r#loop, fd, protocol, ret_transport)
    })
}

/// A transport that reads from a pipe, FIFO, socket or character device. When
/// the other end is closed: eof_received, then connection_lost. Ownership and
/// errors as loop_connect_accepted_socket; LOOP_EINVAL for other kinds of files.
/// [loop thread] asyncio: loop.connect_read_pipe().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_connect_read_pipe(
    r#loop: *mut loop_t,
    fd: c_int,
    protocol: *const loop_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_transport: *mut *mut loop_transport_t,
) -> c_int {
    guard(|| unsafe {
        let protocol = self::protocol(protocol, user_data, destroy);
        make(StreamTransport::read_pipe, r#loop, fd, protocol, ret_transport)
    })
}

/// A transport that writes to a pipe, FIFO, socket or character device, and
/// notices when the reader goes: connection_lost, with -EPIPE if bytes were still
/// waiting. No SIGPIPE is raised. A socket must not receive: that counts as its
/// end. Ownership and errors as loop_connect_accepted_socket; LOOP_EINVAL for
/// other kinds of files. [loop thread] asyncio: loop.connect_write_pipe().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_connect_write_pipe(
    r#loop: *mut loop_t,
    fd: c_int,
    protocol: *const loop_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_transport: *mut *mut loop_transport_t,
) -> c_int {
    guard(|| unsafe {
        let protocol = self::protocol(protocol, user_data, destroy);
        make(StreamTransport::write_pipe, r#loop, fd, protocol, ret_transport)
    })
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
        let part = libc::iovec { iov_base: data.cast_mut(), iov_len: length };
        transport.write(Input { parts: &[part], owner: None }).map(|()| 0)
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
            return transport.write(Input { parts: &[], owner: None }).map(|()| 0);
        }
        if pieces.is_null() {
            return Err(Error::Invalid("pieces is NULL"));
        }
        // SAFETY: the caller promises `count` of them; both are the same struct.
        let parts = unsafe { std::slice::from_raw_parts(pieces.cast::<libc::iovec>(), count) };
        if parts.iter().any(|part| part.iov_base.is_null() && part.iov_len != 0) {
            return Err(Error::Invalid("a piece is NULL"));
        }
        transport.write(Input { parts, owner: None }).map(|()| 0)
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
        let part = libc::iovec { iov_base: data.cast_mut(), iov_len: length };
        transport.write(Input { parts: &[part], owner: Some(owner) }).map(|()| 0)
    })
}

/// Tells the peer, after everything is sent, that no more comes; receiving goes
/// on. On a pipe: closes it. Again: nothing. LOOP_ENOTSUP where
/// loop_transport_can_write_eof is 0. [loop thread] asyncio: transport.write_eof().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_write_eof(transport: *mut loop_transport_t) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().write_eof(&transport).map(|()| 0)
    })
}

/// 1 if loop_transport_write_eof can be used, else 0. [loop thread]
/// asyncio: transport.can_write_eof().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_can_write_eof(transport: *mut loop_transport_t) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().can_write_eof(&transport).map(c_int::from)
    })
}

/// Closes the transport: receives no more from now on, sends what waits, a
/// sendfile included, then calls connection_lost and closes the descriptor. Never
/// from inside this function. Again: nothing. [loop thread]
/// asyncio: transport.close().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_close(transport: *mut loop_transport_t) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().close(&transport).map(|()| 0)
    })
}

/// Closes the transport at once: what waits to be sent is dropped. Never calls
/// connection_lost from inside. [loop thread] asyncio: transport.abort().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_abort(transport: *mut loop_transport_t) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().abort(&transport, None).map(|()| 0)
    })
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
        let transport = unsafe { self::transport(transport)? };
        if code >= 0 {
            return Err(Error::Invalid("the code of a failure must be negative"));
        }
        let message = match unsafe { super::future::text(message) } {
            Some(text) => text,
            // SAFETY: a static text.
            None => unsafe { CStr::from_ptr(super::error::loop_strerror(code)) },
        };
        let reason = Reason { code, message: Some(CString::from(message)) };
        transport.operations().abort(&transport, Some(reason)).map(|()| 0)
    })
}

/// 1 if the transport is closed or about to be, else 0. Also after the loop was
/// closed. [loop thread] asyncio: transport.is_closing().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_is_closing(transport: *mut loop_transport_t) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().is_closing(&transport).map(c_int::from)
    })
}

/// Receives no more until loop_transport_resume_reading: what comes meanwhile,
/// the end included, waits in the kernel. Nothing if it is paused or closing.
/// [loop thread] asyncio: transport.pause_reading().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_pause_reading(transport: *mut loop_transport_t) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().pause_reading(&transport).map(|()| 0)
    })
}

/// Receives again. Nothing if it is not paused, or closing. [loop thread]
/// asyncio: transport.resume_reading().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_resume_reading(transport: *mut loop_transport_t) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().resume_reading(&transport).map(|()| 0)
    })
}

/// 1 if the transport receives: neither paused nor closing; else 0. [loop thread]
/// asyncio: transport.is_reading().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_is_reading(transport: *mut loop_transport_t) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().is_reading(&transport).map(c_int::from)
    })
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
        let transport = unsafe { self::transport(transport)? };
        let given = |limit| (limit != usize::MAX).then_some(limit);
        transport.operations().set_write_buffer_limits(&transport, given(high), given(low))?;
        Ok(0)
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
        let transport = unsafe { self::transport(transport)? };
        let size = transport.operations().write_buffer_size(&transport)?;
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
        let transport = unsafe { self::transport(transport)? };
        let (low, high) = transport.operations().write_buffer_limits(&transport)?;
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
        let transport = unsafe { self::transport(transport)? };
        transport.operations().set_protocol(&transport, protocol?).map(|()| 0)
    })
}

/// The protocol's user_data; NULL when it was destroyed, and on failure (see
/// loop_last_error). [loop thread] asyncio: transport.get_protocol().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_protocol(
    transport: *mut loop_transport_t,
) -> *mut c_void {
    guard_or(std::ptr::null_mut(), || {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().protocol_data(&transport)
    })
}

/// The transport's descriptor, which stays the transport's: to ask and to set
/// options only. -EBADF when it is closed. [loop thread]
/// asyncio: transport.get_extra_info("socket").fileno().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_fd(transport: *mut loop_transport_t) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        transport.operations().fd(&transport)
    })
}

/// What else is known, by asyncio's name, in *ret_value. Streams know "socket"
/// or "pipe": the descriptor as a number. Layers answer for themselves. LOOP_EINVAL
/// for a name that is not known. [loop thread]
/// asyncio: transport.get_extra_info().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_get_extra_info(
    transport: *mut loop_transport_t,
    name: *const c_char,
    ret_value: *mut *mut c_void,
) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        let name = unsafe { super::future::text(name) }.ok_or(Error::Invalid("name is NULL"))?;
        let value = transport.operations().extra_info(&transport, name)?;
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
        let transport = unsafe { self::transport(transport)? };
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
        let future = transport.operations().sendfile(&transport, file_fd, offset, count)?;
        unsafe { give(future, ret_future) }
    })
}

versioned!(
    "loop_connect_accepted_socket",
    "loop_connect_read_pipe",
    "loop_connect_write_pipe",
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
    "loop_transport_get_extra_info",
    "loop_transport_sendfile",
);

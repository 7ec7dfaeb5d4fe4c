//! Transports on descriptors of the host's.

use super::guard::{guard, kept, store};
use super::protocol::{loop_protocol_t, protocol};
use super::transport::{into_raw, loop_transport_t};
use super::types::*;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::platform::fd::{FromRawFd, IntoRawFd, OwnedFd};
use crate::services::transport::{Options, Protocol, StreamTransport, Transport};
use std::ffi::{c_int, c_void};
use std::sync::Arc;

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

versioned!("loop_connect_accepted_socket", "loop_connect_read_pipe", "loop_connect_write_pipe");

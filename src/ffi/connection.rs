//! Outgoing connections.

use super::future::{future_place, give, loop_future_t, text};
use super::guard::{guard, kept, sized};
use super::protocol::{loop_protocol_t, protocol};
use super::types::*;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::memory::copy_text;
use crate::platform::sys;
use crate::services::net::{HostSocket, Name, Target, create_connection};
use crate::socket_address::SocketAddress;
use std::ffi::{c_char, c_int, c_void};

/// Tells of the failure of every address, also where they are all the same.
pub const LOOP_CONNECTION_ALL_ERRORS: u32 = 1;

/// What loop_create_connection takes. Set `size` to
/// sizeof(loop_connection_options_t) and everything else to zero, then what you
/// want to change.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_connection_options_t {
    /// sizeof(loop_connection_options_t).
    pub size: usize,
    /// A name or a numeric address; NULL: this machine.
    pub host: *const c_char,
    /// Its port.
    pub port: u16,
    /// This side's port, if it matters.
    pub local_port: u16,
    /// This side's name or numeric address; NULL: the system chooses, unless
    /// local_port is set.
    pub local_host: *const c_char,
    /// AF_INET or AF_INET6; 0: both.
    pub family: c_int,
    /// AI_... for the resolution of names.
    pub resolve_flags: c_int,
    /// LOOP_CONNECTION_...
    pub flags: u32,
    /// How many addresses of the first family are tried before the families
    /// take turns; 0: 1 with happy_eyeballs_delay_ns, otherwise the resolver's
    /// order.
    pub interleave: u32,
    /// How long an address is tried before the next one is tried, too; the
    /// recommended delay is 250 ms. 0: one after the other.
    pub happy_eyeballs_delay_ns: u64,
    /// After how long all of it fails with -ETIMEDOUT; 0: never.
    pub timeout_ns: u64,
    /// A connected stream socket instead of host and port, or NULL. It belongs
    /// to the transport once the call has succeeded.
    pub fd: *const c_int,
}

unsafe fn target(event_loop: &EventLoop, options: &loop_connection_options_t) -> Result<Target> {
    if options.flags & !LOOP_CONNECTION_ALL_ERRORS != 0 {
        return Err(Error::Invalid("loop_connection_options_t.flags has unknown flags"));
    }
    if let Some(fd) = unsafe { options.fd.as_ref() } {
        if !options.host.is_null() || options.port != 0 {
            return Err(Error::Invalid("host/port and sock can not be specified at the same time"));
        }
        let socket =
            HostSocket::new(event_loop, *fd, sys::SOCK_STREAM, "A Stream Socket was expected")?;
        return Ok(Target::Socket(socket));
    }
    if options.host.is_null() && options.port == 0 {
        return Err(Error::Invalid("host and port was not specified and no sock specified"));
    }
    let name = |host, port| -> Result<Name> {
        Ok(Name {
            host: unsafe { text(host) }.map(copy_text).transpose()?,
            port,
            family: options.family,
            kind: sys::SOCK_STREAM,
            flags: options.resolve_flags,
        })
    };
    let has_local = !options.local_host.is_null() || options.local_port != 0;
    Ok(Target::Host {
        name: name(options.host, options.port)?,
        local: match has_local {
            true => Some(name(options.local_host, options.local_port)?),
            false => None,
        },
        happy_eyeballs_delay_ns: options.happy_eyeballs_delay_ns,
        interleave: options.interleave as usize,
        all_errors: options.flags & LOOP_CONNECTION_ALL_ERRORS != 0,
    })
}

/// Connects by TCP and gives the connection to a protocol (functions are
/// copied); the result of *ret_future is a loop_transport_t *, which the future
/// has a reference to, once connection_made was called. The protocol's user data
/// is destroyed after connection_lost, or when there will be no connection. The
/// future fails with the resolver's code, -ECONNREFUSED and the like, and
/// asyncio's text; where several addresses failed differently the text tells of
/// all of them and the code is that of the first. Cancelling the future, or
/// closing the loop, closes every socket at once.
///
/// connection_lost may come before the next step of a task that awaits the
/// future, or anything else. What a task and a protocol share needs one owner: a
/// task that closes a transport awaits its end, by a future that it makes before
/// and that connection_lost ends.
///
/// 0, LOOP_EINVAL, -EBADF or
/// -ENOTSOCK for a wrong fd, -EBUSY (a transport has it), LOOP_ECLOSED,
/// LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread] asyncio: loop.create_connection().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_create_connection(
    r#loop: *mut loop_t,
    options: *const loop_connection_options_t,
    protocol: *const loop_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let protocol = unsafe { self::protocol(protocol, user_data, destroy) };
        let event_loop = unsafe { kept(r#loop)? };
        future_place(ret_future)?;
        let options = unsafe { sized(options, wrong_size!("loop_connection_options_t"))? };
        let target = unsafe { target(&event_loop, &options)? };
        let future = create_connection(&event_loop, target, options.timeout_ns, protocol?)?;
        unsafe { give(future, ret_future) }
    })
}

/// The same with a UNIX socket. A `path` that begins with '@' is an abstract
/// name. While the server's backlog is full it is tried again and again.
/// LOOP_EINVAL also for a path that is too long. asyncio:
/// loop.create_unix_connection().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_create_unix_connection(
    r#loop: *mut loop_t,
    path: *const c_char,
    protocol: *const loop_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let protocol = unsafe { self::protocol(protocol, user_data, destroy) };
        let event_loop = unsafe { kept(r#loop)? };
        future_place(ret_future)?;
        let path = unsafe { text(path) }.ok_or(Error::Invalid("path is NULL"))?;
        let target = Target::Unix(SocketAddress::unix(path.to_bytes())?);
        let future = create_connection(&event_loop, target, 0, protocol?)?;
        unsafe { give(future, ret_future) }
    })
}

versioned!("loop_create_connection", "loop_create_unix_connection");

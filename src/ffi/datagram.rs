//! Datagram endpoints.

use super::future::{future_place, give, loop_future_t, text};
use super::guard::{guard, kept, sized};
use super::transport::{loop_transport_t, transport};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::memory::copy_text;
use crate::platform::sys;
use crate::services::net::{Endpoint, HostSocket, Name, create_datagram_endpoint};
use crate::services::transport::datagram::{Datagram, DatagramFunctions, DatagramProtocol};
use crate::socket_address::SocketAddress;
use std::ffi::{CString, c_char, c_int, c_void};

/// What a datagram transport calls: asyncio's DatagramProtocol. Set `size` to
/// sizeof(loop_datagram_protocol_t); functions that are NULL are not called.
/// All run on the loop's thread; `transport` and the rest are borrowed for the
/// call, in which the transport may be closed and aborted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_datagram_protocol_t {
    /// sizeof(loop_datagram_protocol_t).
    pub size: usize,
    /// The transport is ready. Called first, once.
    pub connection_made: Option<
        unsafe extern "C-unwind" fn(transport: *mut loop_transport_t, user_data: *mut c_void),
    >,
    /// A datagram of `data_length` bytes came (0 is possible) from `address`, a
    /// struct sockaddr, or NULL if the sender has no address.
    pub datagram_received: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            data: *const c_void,
            data_length: usize,
            address: *const c_void,
            address_length: usize,
            user_data: *mut c_void,
        ),
    >,
    /// Sending or receiving failed with a negative code, such as -ECONNREFUSED
    /// after a datagram that nobody took. The transport goes on.
    pub error_received: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            code: c_int,
            user_data: *mut c_void,
        ),
    >,
    /// More than the high-water mark waits to be sent.
    pub pause_writing: Option<
        unsafe extern "C-unwind" fn(transport: *mut loop_transport_t, user_data: *mut c_void),
    >,
    /// The low-water mark is reached again.
    pub resume_writing: Option<
        unsafe extern "C-unwind" fn(transport: *mut loop_transport_t, user_data: *mut c_void),
    >,
    /// The end, once: 0 and NULL after loop_transport_close or _abort, else a
    /// negative code and its text (or NULL). The user data is destroyed next.
    pub connection_lost: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            code: c_int,
            message: *const c_char,
            user_data: *mut c_void,
        ),
    >,
}

const _: () = assert!(size_of::<loop_datagram_protocol_t>() == size_of::<DatagramFunctions>());

/// SO_REUSEPORT: several endpoints share a port.
pub const LOOP_DATAGRAM_REUSE_PORT: u32 = 1;
/// SO_BROADCAST. The socket is not connected to the remote address then.
pub const LOOP_DATAGRAM_ALLOW_BROADCAST: u32 = 2;

/// What loop_create_datagram_endpoint takes. Set `size` to
/// sizeof(loop_datagram_options_t) and everything else to zero, then what you
/// want to change. A local address is bound; with a remote one the endpoint
/// sends there only, and hears from there only (unless it may broadcast).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_datagram_options_t {
    /// sizeof(loop_datagram_options_t).
    pub size: usize,
    /// This side's name or numeric address, or NULL.
    pub local_host: *const c_char,
    /// The other side's name or numeric address, or NULL.
    pub remote_host: *const c_char,
    /// This side's port; 0 with local_host: the system chooses one.
    pub local_port: u16,
    /// The other side's port.
    pub remote_port: u16,
    /// AF_INET or AF_INET6; needed where no address is given; 0: any. AF_UNIX is
    /// implied by the paths.
    pub family: c_int,
    /// AI_... for the resolution of names.
    pub resolve_flags: c_int,
    /// LOOP_DATAGRAM_...
    pub flags: u32,
    /// A UNIX endpoint: the path to bind, or an abstract name after a '@'. A
    /// socket that somebody left at this path is removed first. The file is
    /// yours to remove in the end.
    pub local_path: *const c_char,
    /// A UNIX endpoint: where it sends.
    pub remote_path: *const c_char,
    /// A datagram socket instead of all of that, or NULL. It belongs to the
    /// transport once the call has succeeded.
    pub fd: *const c_int,
}

unsafe fn endpoint(event_loop: &EventLoop, options: &loop_datagram_options_t) -> Result<Endpoint> {
    let known = LOOP_DATAGRAM_REUSE_PORT | LOOP_DATAGRAM_ALLOW_BROADCAST;
    if options.flags & !known != 0 {
        return Err(Error::Invalid("loop_datagram_options_t.flags has unknown flags"));
    }
    let has_local = !options.local_host.is_null() || options.local_port != 0;
    let has_remote = !options.remote_host.is_null() || options.remote_port != 0;
    let is_unix = !options.local_path.is_null() || !options.remote_path.is_null();
    let is_ip = has_local || has_remote || options.flags != 0;
    if let Some(fd) = unsafe { options.fd.as_ref() } {
        if is_ip || is_unix || options.family != 0 {
            return Err(Error::Invalid(
                "socket modifier keyword arguments can not be used when sock is specified.",
            ));
        }
        let socket =
            HostSocket::new(event_loop, *fd, sys::SOCK_DGRAM, "A datagram socket was expected")?;
        return Ok(Endpoint::Socket(socket));
    }
    if is_unix || options.family == sys::AF_UNIX {
        if is_ip || !matches!(options.family, sys::AF_UNSPEC | sys::AF_UNIX) {
            return Err(Error::Invalid("either paths or hosts, and no flags with paths"));
        }
        let path = |path| -> Result<Option<CString>> {
            let path = unsafe { text(path) };
            path.map(|path| SocketAddress::unix(path.to_bytes())).transpose()?;
            path.map(copy_text).transpose()
        };
        let (local, remote) = (path(options.local_path)?, path(options.remote_path)?);
        return Ok(Endpoint::Unix { local, remote });
    }
    if !has_local && !has_remote && options.family == sys::AF_UNSPEC {
        return Err(Error::Invalid("unexpected address family"));
    }
    let name = |host, port| -> Result<Name> {
        Ok(Name {
            host: unsafe { text(host) }.map(copy_text).transpose()?,
            port,
            family: options.family,
            kind: sys::SOCK_DGRAM,
            flags: options.resolve_flags,
        })
    };
    Ok(Endpoint::Names {
        local: has_local.then(|| name(options.local_host, options.local_port)).transpose()?,
        remote: has_remote.then(|| name(options.remote_host, options.remote_port)).transpose()?,
        family: options.family,
        reuse_port: options.flags & LOOP_DATAGRAM_REUSE_PORT != 0,
        allow_broadcast: options.flags & LOOP_DATAGRAM_ALLOW_BROADCAST != 0,
    })
}

/// Opens a UDP or UNIX datagram endpoint for a protocol (functions are copied);
/// the result of *ret_future is a loop_transport_t *, which the future has a
/// reference to, once connection_made was called. The protocol's user data is
/// destroyed after connection_lost, or when there will be no endpoint. The
/// future fails with the resolver's code, -EADDRINUSE, -ECONNREFUSED and the
/// like; cancelling it, or closing the loop, closes the socket at once.
///
/// connection_lost may come before the next step of a task that awaits the
/// future, or anything else. What a task and a protocol share needs one owner: a
/// task that closes a transport awaits its end, by a future that it makes before
/// and that connection_lost ends.
///
/// 0,
/// LOOP_EINVAL, -EBADF or -ENOTSOCK for a wrong fd, -EBUSY (a transport has it),
/// LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
/// asyncio: loop.create_datagram_endpoint().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_create_datagram_endpoint(
    r#loop: *mut loop_t,
    options: *const loop_datagram_options_t,
    protocol: *const loop_datagram_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        let event_loop = unsafe { kept(r#loop)? };
        future_place(ret_future)?;
        let functions = unsafe { sized(protocol, wrong_size!("loop_datagram_protocol_t"))? };
        // SAFETY: the two differ in the pointee of their pointers only.
        let functions: DatagramFunctions = unsafe { std::mem::transmute(functions) };
        let options = unsafe { sized(options, wrong_size!("loop_datagram_options_t"))? };
        let endpoint = unsafe { endpoint(&event_loop, &options)? };
        let protocol = DatagramProtocol { functions, user_data };
        let future = create_datagram_endpoint(&event_loop, endpoint, protocol)?;
        unsafe { give(future, ret_future) }
    })
}

/// Sends a datagram (`data` may be NULL when it is empty) to `address`, a struct
/// sockaddr, or, with NULL and 0, to the endpoint's remote address. What cannot
/// be sent at once is copied and sent later, in order; beyond the high-water
/// mark pause_writing is called, and beyond 16 times that nothing more is taken:
/// -ENOBUFS. Other failures to send go to error_received, which may be called
/// before this returns. After loop_transport_close nothing is sent. LOOP_EINVAL
/// (also for a transport of another kind, or an address that is not the remote
/// one), LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
/// asyncio: transport.sendto().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_sendto(
    transport: *mut loop_transport_t,
    data: *const c_void,
    data_length: usize,
    address: *const c_void,
    address_length: usize,
) -> c_int {
    guard(|| {
        let transport = unsafe { self::transport(transport)? };
        let datagram = transport
            .downcast::<Datagram>()
            .ok_or(Error::Invalid("the transport is not one of datagrams"))?;
        let data = match (data.is_null(), data_length) {
            (_, 0) => &[][..],
            (true, _) => return Err(Error::Invalid("data is NULL")),
            (false, length) => unsafe { std::slice::from_raw_parts(data.cast(), length) },
        };
        let address = match address.is_null() {
            true if address_length == 0 => None,
            _ => Some(unsafe { SocketAddress::copy_of(address, address_length)? }),
        };
        datagram.send_to(&transport, data, address).map(|()| 0)
    })
}

versioned!("loop_create_datagram_endpoint", "loop_transport_sendto");

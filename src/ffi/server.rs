//! Servers.

use super::future::{future_place, give, loop_future_t, text};
use super::guard::{guard, guard_or, kept, sized};
use super::protocol::{loop_protocol_t, protocol};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::memory::{copy_text, try_arc, try_list};
use crate::platform::sys;
use crate::services::net::{
    DEFAULT_BACKLOG, HostSocket, Name, Place, ProtocolFactory, Server, create_server,
};
use crate::services::transport::Protocol;
use std::ffi::{c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A server: asyncio's Server. Opaque, reference-counted: the future that made
/// it has a reference as long as it lives; take your own with loop_server_ref.
/// It needs none to go on: an open server is kept by its loop. Closing the loop
/// closes it, and so does a forked child for its own copy, without harm to the
/// parent's.
pub struct loop_server_t(#[allow(dead_code)] Server);

/// Makes the protocol of an accepted connection, on the loop's thread, in the
/// context in which serving began: 0 with the functions (copied), the user data
/// and its destructor (which may be NULL) in the ret_ arguments, or a negative
/// code, which is reported to the exception handler as "Error on transport
/// creation for incoming connection"; that connection is closed then.
pub type loop_protocol_factory_t = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut loop_t,
        factory_data: *mut c_void,
        ret_protocol: *mut *const loop_protocol_t,
        ret_user_data: *mut *mut c_void,
        ret_destroy: *mut loop_destroy_t,
    ) -> c_int,
>;

/// SO_REUSEPORT: several servers share a port.
pub const LOOP_SERVER_REUSE_PORT: u32 = 1;
/// Leaves SO_REUSEADDR off, which is on otherwise.
pub const LOOP_SERVER_NO_REUSE_ADDRESS: u32 = 2;
/// SO_KEEPALIVE for the connections.
pub const LOOP_SERVER_KEEP_ALIVE: u32 = 4;
/// Binds only; loop_server_start_serving begins to listen.
pub const LOOP_SERVER_DEFERRED: u32 = 8;
/// Leaves the file of a UNIX server where it is when the server closes.
pub const LOOP_SERVER_KEEP_FILE: u32 = 16;

/// What loop_create_server takes. Set `size` to sizeof(loop_server_options_t)
/// and everything else to zero, then what you want to change.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_server_options_t {
    /// sizeof(loop_server_options_t).
    pub size: usize,
    /// A name or a numeric address; NULL or "": all interfaces.
    pub host: *const c_char,
    /// Several of them, instead of `host`.
    pub hosts: *const *const c_char,
    /// How many.
    pub host_count: usize,
    /// 0: the system chooses one, for each address another.
    pub port: u16,
    /// AF_INET or AF_INET6; 0: both.
    pub family: c_int,
    /// AI_... for the resolution of names; AI_PASSIVE is always added.
    pub resolve_flags: c_int,
    /// How many connections may wait to be accepted; 0: 100.
    pub backlog: c_int,
    /// LOOP_SERVER_...
    pub flags: u32,
    /// Bound stream sockets instead of host and port. They belong to the server
    /// once the call has succeeded, and are closed with it.
    pub fds: *const c_int,
    /// How many.
    pub fd_count: usize,
}

/// Calls the host for each connection.
struct Factory {
    make: unsafe extern "C-unwind" fn(
        *mut loop_t,
        *mut c_void,
        *mut *const loop_protocol_t,
        *mut *mut c_void,
        *mut loop_destroy_t,
    ) -> c_int,
    user_data: UserData,
}

impl ProtocolFactory for Factory {
    fn make(&self, event_loop: &EventLoop) -> std::result::Result<Protocol, c_int> {
        let mut functions = std::ptr::null();
        let mut user_data = std::ptr::null_mut();
        let mut destroy = None;
        let event_loop = std::ptr::from_ref(event_loop).cast_mut().cast();
        // SAFETY: the host's function with the host's data.
        let code = unsafe {
            (self.make)(
                event_loop,
                self.user_data.get(),
                &mut functions,
                &mut user_data,
                &mut destroy,
            )
        };
        if code < 0 {
            return Err(code);
        }
        unsafe { protocol(functions, user_data, destroy) }.map_err(Error::code)
    }
}

/// A server the caller has a reference to, borrowed for the call.
unsafe fn server(pointer: *const loop_server_t) -> Result<ManuallyDrop<Arc<Server>>> {
    if pointer.is_null() {
        return Err(Error::Invalid("server is NULL"));
    }
    // SAFETY: `loop_server_t` is how C sees a `Server` in an Arc.
    Ok(ManuallyDrop::new(unsafe { Arc::from_raw(pointer.cast::<Server>()) }))
}

/// The same with a reference of our own, for calls in which foreign code runs.
unsafe fn own(pointer: *const loop_server_t) -> Result<Arc<Server>> {
    Ok(Arc::clone(&*unsafe { server(pointer)? }))
}

unsafe fn place(event_loop: &EventLoop, options: &loop_server_options_t) -> Result<Place> {
    let known = LOOP_SERVER_REUSE_PORT
        | LOOP_SERVER_NO_REUSE_ADDRESS
        | LOOP_SERVER_KEEP_ALIVE
        | LOOP_SERVER_DEFERRED;
    if options.flags & !known != 0 {
        return Err(Error::Invalid("loop_server_options_t.flags has unknown flags"));
    }
    if options.backlog < 0 {
        return Err(Error::Invalid("loop_server_options_t.backlog is negative"));
    }
    if options.fd_count != 0 {
        if !options.host.is_null() || options.host_count != 0 || options.port != 0 {
            return Err(Error::Invalid("host/port and sock can not be specified at the same time"));
        }
        if options.fds.is_null() {
            return Err(Error::Invalid("loop_server_options_t.fds is NULL"));
        }
        let fds = unsafe { std::slice::from_raw_parts(options.fds, options.fd_count) };
        if fds.iter().enumerate().any(|(index, fd)| fds[..index].contains(fd)) {
            return Err(Error::Invalid("loop_server_options_t.fds names a descriptor twice"));
        }
        let sockets = fds.iter().map(|fd| {
            HostSocket::new(event_loop, *fd, sys::SOCK_STREAM, "A Stream Socket was expected")
        });
        let mut list = try_list(fds.len())?;
        for socket in sockets {
            list.push(socket?);
        }
        return Ok(Place::Sockets(list));
    }
    let hosts = match options.host_count {
        0 => &[options.host][..],
        _ if options.hosts.is_null() || !options.host.is_null() => {
            return Err(Error::Invalid("loop_server_options_t: either host or hosts"));
        }
        count => unsafe { std::slice::from_raw_parts(options.hosts, count) },
    };
    let mut names = try_list(hosts.len())?;
    for host in hosts {
        let host = unsafe { text(*host) }.filter(|host| !host.is_empty());
        names.push(Name {
            host: host.map(copy_text).transpose()?,
            port: options.port,
            family: options.family,
            kind: sys::SOCK_STREAM,
            flags: options.resolve_flags | sys::AI_PASSIVE,
        });
    }
    Ok(Place::Names {
        names,
        reuse_address: options.flags & LOOP_SERVER_NO_REUSE_ADDRESS == 0,
        reuse_port: options.flags & LOOP_SERVER_REUSE_PORT != 0,
        keep_alive: options.flags & LOOP_SERVER_KEEP_ALIVE != 0,
    })
}

/// Begins to serve TCP connections; the result of *ret_future is a
/// loop_server_t *, which the future has a reference to. Every address of every
/// host gets a socket of its own. The future fails with the code of the
/// resolver, with -EADDRINUSE, -EACCES, -EADDRNOTAVAIL (no address could be
/// bound), -EMFILE and the like; cancelling it, or closing the loop, closes the
/// sockets at once. `factory_data` is destroyed when the server is closed, or
/// with the failure. 0, LOOP_EINVAL (also for an fd named twice), -EBADF or
/// -ENOTSOCK for a wrong fd, -EBUSY (a transport has it), LOOP_ECLOSED,
/// LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
/// asyncio: loop.create_server().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_create_server(
    r#loop: *mut loop_t,
    options: *const loop_server_options_t,
    factory: loop_protocol_factory_t,
    factory_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(factory_data, destroy);
        let event_loop = unsafe { kept(r#loop)? };
        let make = factory.ok_or(Error::Invalid("factory is NULL"))?;
        future_place(ret_future)?;
        let options = unsafe { sized(options, wrong_size!("loop_server_options_t"))? };
        let place = unsafe { place(&event_loop, &options)? };
        let backlog = if options.backlog == 0 { DEFAULT_BACKLOG } else { options.backlog };
        let serves = options.flags & LOOP_SERVER_DEFERRED == 0;
        let factory = try_arc(Factory { make, user_data })?;
        let future = create_server(&event_loop, place, backlog, serves, factory)?;
        unsafe { give(future, ret_future) }
    })
}

/// The same with a UNIX socket. A `path` that begins with '@' is an abstract
/// name. A socket that somebody left at this path is removed first; anything
/// else there is -EADDRINUSE. The server removes its file when it closes, unless
/// `flags` say LOOP_SERVER_KEEP_FILE or something else is there by then.
/// `backlog` 0 is 100; of the other flags LOOP_SERVER_DEFERRED is known.
/// LOOP_EINVAL also for a path that is too long. asyncio:
/// loop.create_unix_server().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_create_unix_server(
    r#loop: *mut loop_t,
    path: *const c_char,
    backlog: c_int,
    flags: u32,
    factory: loop_protocol_factory_t,
    factory_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(factory_data, destroy);
        let event_loop = unsafe { kept(r#loop)? };
        let make = factory.ok_or(Error::Invalid("factory is NULL"))?;
        future_place(ret_future)?;
        let path = unsafe { text(path) }.ok_or(Error::Invalid("path is NULL"))?;
        crate::socket_address::SocketAddress::unix(path.to_bytes())?;
        if flags & !(LOOP_SERVER_DEFERRED | LOOP_SERVER_KEEP_FILE) != 0 || backlog < 0 {
            return Err(Error::Invalid("unknown flags, or a negative backlog"));
        }
        let place =
            Place::Unix { path: copy_text(path)?, cleanup: flags & LOOP_SERVER_KEEP_FILE == 0 };
        let backlog = if backlog == 0 { DEFAULT_BACKLOG } else { backlog };
        let serves = flags & LOOP_SERVER_DEFERRED == 0;
        let factory = try_arc(Factory { make, user_data })?;
        let future = create_server(&event_loop, place, backlog, serves, factory)?;
        unsafe { give(future, ret_future) }
    })
}

/// Takes one more reference; returns `server`. NULL is allowed. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_ref(server: *mut loop_server_t) -> *mut loop_server_t {
    if !server.is_null() {
        unsafe { Arc::increment_strong_count(server.cast::<Server>()) };
    }
    server
}

/// Gives a reference back. NULL is allowed. [any thread], also after close and
/// after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_unref(server: *mut loop_server_t) {
    if !server.is_null() {
        guard(|| {
            drop(unsafe { Arc::from_raw(server.cast::<Server>()) });
            Ok(0)
        });
    }
}

/// The server's loop, borrowed: valid as long as the server. [any thread]
/// asyncio: server.get_loop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_get_loop(server: *mut loop_server_t) -> *mut loop_t {
    guard_or(std::ptr::null_mut(), || {
        let server = unsafe { self::server(server)? };
        Ok(std::ptr::from_ref(server.event_loop()).cast_mut().cast())
    })
}

/// Begins to accept connections; no error if the server does already.
/// LOOP_EINVALID_STATE for a closed server, -EADDRINUSE and the like from
/// listen, LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
/// [loop thread] asyncio: server.start_serving().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_start_serving(server: *mut loop_server_t) -> c_int {
    guard(|| unsafe { own(server)? }.start_serving().map(|()| 0))
}

/// 1 while the server accepts connections, else 0. LOOP_EINVAL,
/// LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread] asyncio: server.is_serving().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_is_serving(server: *mut loop_server_t) -> c_int {
    guard(|| Ok(unsafe { self::server(server)? }.is_serving()?.into()))
}

/// Closes the listening sockets, at once; their numbers are free when this
/// returns. Connections go on. Closing again is no error. LOOP_EINVAL,
/// LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread], also after the loop's close.
/// asyncio: server.close().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_close(server: *mut loop_server_t) -> c_int {
    guard(|| unsafe { own(server)? }.close().map(|()| 0))
}

/// Calls loop_transport_close for every connection that the server accepted.
/// Errors as loop_server_close. [loop thread] asyncio: server.close_clients().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_close_clients(server: *mut loop_server_t) -> c_int {
    guard(|| unsafe { own(server)? }.end_clients(false).map(|()| 0))
}

/// Calls loop_transport_abort for every connection that the server accepted.
/// Errors as loop_server_close. [loop thread] asyncio: server.abort_clients().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_abort_clients(server: *mut loop_server_t) -> c_int {
    guard(|| unsafe { own(server)? }.end_clients(true).map(|()| 0))
}

/// A future in *ret_future that is done once the server is closed and all of
/// its connections are gone. Cancelling it changes nothing for the server.
/// LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
/// [loop thread] asyncio: server.wait_closed().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_wait_closed(
    server: *mut loop_server_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        future_place(ret_future)?;
        unsafe { give(own(server)?.wait_closed()?, ret_future) }
    })
}

/// Serves until the future in *ret_future is cancelled or the server is closed,
/// which does the same: the server closes, and the future is cancelled once all
/// connections are gone (at once, if it is cancelled again). LOOP_EINVALID_STATE
/// for a closed server, or while there is such a future already; other errors as
/// loop_server_start_serving. [loop thread] asyncio: server.serve_forever().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_serve_forever(
    server: *mut loop_server_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        future_place(ret_future)?;
        unsafe { give(own(server)?.serve_forever()?, ret_future) }
    })
}

/// The descriptors the server listens with, which stay the server's: writes up
/// to `capacity` of them and returns how many there are (0 once it is closed).
/// `fds` may be NULL when `capacity` is 0. LOOP_EINVAL, LOOP_EWRONG_THREAD,
/// LOOP_EFORKED. [loop thread] asyncio: server.sockets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_get_sockets(
    server: *mut loop_server_t,
    fds: *mut c_int,
    capacity: usize,
) -> c_int {
    guard(|| {
        let sockets = unsafe { self::server(server)? }.sockets()?;
        if fds.is_null() && capacity != 0 {
            return Err(Error::Invalid("fds is NULL"));
        }
        for (index, fd) in sockets.iter().take(capacity).enumerate() {
            unsafe { fds.add(index).write(*fd) };
        }
        Ok(sockets.len() as c_int)
    })
}

/// The address of the server's socket with this index, a struct sockaddr:
/// writes up to `size` bytes and returns the length of the whole. `address` may
/// be NULL when `size` is 0. LOOP_EINVAL also when there is no such socket, as
/// after close; LOOP_EWRONG_THREAD, LOOP_EFORKED, -errno. [loop thread]
/// asyncio: server.sockets[index].getsockname().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_server_get_address(
    server: *mut loop_server_t,
    index: usize,
    address: *mut c_void,
    size: usize,
) -> c_int {
    guard(|| {
        let own = unsafe { self::server(server)? }.address(index)?;
        if address.is_null() && size != 0 {
            return Err(Error::Invalid("address is NULL"));
        }
        let bytes = own.as_bytes();
        let count = bytes.len().min(size);
        if count != 0 {
            unsafe { address.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), count) };
        }
        Ok(bytes.len() as c_int)
    })
}

versioned!(
    "loop_create_server",
    "loop_create_unix_server",
    "loop_server_ref",
    "loop_server_unref",
    "loop_server_get_loop",
    "loop_server_start_serving",
    "loop_server_is_serving",
    "loop_server_close",
    "loop_server_close_clients",
    "loop_server_abort_clients",
    "loop_server_wait_closed",
    "loop_server_serve_forever",
    "loop_server_get_sockets",
    "loop_server_get_address",
);

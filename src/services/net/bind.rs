//! Listening sockets, bound but not listening yet.

use super::HostSocket;
use super::resolving::{Name, resolve_all};
use super::trouble::{Attempt, Trouble};
use crate::error::Error;
use crate::event_loop::Kept;
use crate::memory::{try_collect, try_list};
use crate::platform::fd::{AsFd, OwnedFd};
use crate::platform::{self, sys};
use crate::services::future::report;
use crate::socket::{self, FileId};
use crate::socket_address::SocketAddress;
use std::ffi::{CStr, CString, c_int};
use std::fmt::{self, Display, Formatter};

/// Where a server is to be found.
pub enum Place {
    /// By these names, on one port.
    Names {
        /// Each may have several addresses.
        names: Vec<Name>,
        /// SO_REUSEADDR.
        reuse_address: bool,
        /// SO_REUSEPORT.
        reuse_port: bool,
        /// SO_KEEPALIVE, which connections inherit.
        keep_alive: bool,
    },
    /// By a path in the file system, or an abstract name.
    Unix {
        /// The path; an abstract name begins with '@'.
        path: CString,
        /// Remove the path when the server closes.
        cleanup: bool,
    },
    /// By sockets the host has made.
    Sockets(Vec<HostSocket>),
}

/// A socket to listen with.
pub struct Bound {
    /// The socket.
    pub socket: OwnedFd,
    /// What is to be removed with it.
    pub file: Option<BoundFile>,
}

/// A UNIX socket's entry in the file system.
pub struct BoundFile {
    path: CString,
    id: FileId,
}

impl BoundFile {
    /// Removes the entry, unless something else has its name by now.
    pub fn remove(&self) {
        if socket::socket_at(&self.path) == Ok(Some(self.id)) {
            let _ = socket::unlink(&self.path);
        }
    }
}

/// All sockets of a server.
pub async fn bound_sockets(event_loop: &Kept, place: Place) -> Attempt<Vec<Bound>> {
    match place {
        Place::Sockets(sockets) => {
            // All of them are ours now, whatever one of them says.
            let taken = try_collect(sockets.into_iter().map(HostSocket::take))?;
            let mut bound = try_list(taken.len())?;
            for socket in taken {
                bound.push(Bound { socket: socket?, file: None });
            }
            Ok(bound)
        }
        Place::Unix { path, cleanup } => {
            let mut bound = try_list(1)?;
            bound.push(bound_to_path(event_loop, path, cleanup)?);
            Ok(bound)
        }
        Place::Names { names, reuse_address, reuse_port, keep_alive } => {
            let addresses = resolve_all(event_loop, &names).await?;
            let mut sockets = try_list(addresses.len())?;
            for address in &addresses {
                let options = [
                    platform::REUSE_ADDRESS.filter(|_| reuse_address),
                    platform::REUSE_PORT.filter(|_| reuse_port),
                    Some(sys::SO_KEEPALIVE).filter(|_| keep_alive),
                ];
                sockets.extend(bound_to_address(address, options)?);
            }
            if sockets.is_empty() {
                let all = List(&addresses);
                let text = format_args!("could not bind on any address out of [{all}]");
                return Err(Trouble::new(-libc::EADDRNOTAVAIL, text));
            }
            Ok(sockets)
        }
    }
}

/// With commas.
struct List<'a>(&'a [SocketAddress]);

impl Display for List<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, address) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

/// None: this machine has no such family or no such address.
fn bound_to_address(
    address: &SocketAddress,
    options: [Option<c_int>; 3],
) -> Attempt<Option<Bound>> {
    let socket = match socket::open(address.family(), sys::SOCK_STREAM, 0) {
        Ok(socket) => socket,
        Err(error @ Error::Sys(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) => {
            return Err(error.into());
        }
        Err(_) => return Ok(None),
    };
    for name in options.into_iter().flatten() {
        socket::set_option(socket.as_fd(), sys::SOL_SOCKET, name, 1)?;
    }
    if address.family() == sys::AF_INET6 {
        // Each family has a socket of its own.
        socket::set_option(socket.as_fd(), sys::IPPROTO_IPV6, sys::IPV6_V6ONLY, 1)?;
    }
    match socket::bind(socket.as_fd(), address) {
        Ok(()) => Ok(Some(Bound { socket, file: None })),
        Err(Error::Sys(libc::EADDRNOTAVAIL)) => Ok(None),
        Err(error) => Err(Trouble::binding(error, address)),
    }
}

fn bound_to_path(event_loop: &Kept, path: CString, cleanup: bool) -> Attempt<Bound> {
    let address = SocketAddress::unix(path.as_bytes())?;
    let socket = socket::open(sys::AF_UNIX, sys::SOCK_STREAM, 0)?;
    let is_file = path.as_bytes().first() != Some(&b'@');
    if is_file {
        remove_stale(event_loop, &path);
    }
    match socket::bind(socket.as_fd(), &address) {
        Ok(()) => {}
        Err(error @ Error::Sys(libc::EADDRINUSE)) => {
            return Err(Trouble::new(
                error.code(),
                format_args!("Address {address} is already in use"),
            ));
        }
        Err(error) => return Err(error.into()),
    }
    let file = (is_file && cleanup)
        .then(|| socket::socket_at(&path).ok().flatten())
        .flatten()
        .map(|id| BoundFile { path, id });
    Ok(Bound { socket, file })
}

/// Removes a socket that somebody left behind, as asyncio does.
pub fn remove_stale(event_loop: &Kept, path: &CStr) {
    let result = match socket::socket_at(path) {
        Ok(Some(_)) => socket::unlink(path),
        Ok(None) | Err(Error::Sys(libc::ENOENT)) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        let message = c"Unable to check or remove stale UNIX socket";
        report(event_loop, message, error.code(), Some(path));
    }
}

//! Outgoing connections up to the connected socket: addresses, local address,
//! happy eyeballs.

use super::HostSocket;
use super::race::{Running, race};
use super::resolving::{Name, interleave, resolve_all};
use super::trouble::{Attempt, Trouble};
use super::wait::{ready, sleep};
use crate::error::Error;
use crate::event_loop::Kept;
use crate::fd_table::Direction;
use crate::memory::{try_arc, try_box};
use crate::platform::fd::{AsFd, OwnedFd};
use crate::platform::sys;
use crate::socket;
use crate::socket_address::SocketAddress;
use std::sync::Arc;

/// Where to connect to.
pub enum Target {
    /// By name.
    Host {
        /// The other side.
        name: Name,
        /// This side, if it matters.
        local: Option<Name>,
        /// How long an attempt may take before the next begins; 0: one at a time.
        happy_eyeballs_delay_ns: u64,
        /// How many addresses of the first family come first; 0: as resolved.
        interleave: usize,
        /// Tell of every failure, also of equal ones.
        all_errors: bool,
    },
    /// By path.
    Unix(SocketAddress),
    /// A socket that is connected already.
    Socket(HostSocket),
}

/// A connected socket.
pub async fn connected_socket(event_loop: &Kept, target: Target) -> Attempt<OwnedFd> {
    match target {
        Target::Socket(socket) => socket.take(),
        Target::Unix(address) => {
            let socket = socket::open(sys::AF_UNIX, sys::SOCK_STREAM, 0)?;
            connect(event_loop, &socket, &address).await?;
            Ok(socket)
        }
        Target::Host { name, local, happy_eyeballs_delay_ns, interleave: first, all_errors } => {
            let mut addresses = resolve_all(event_loop, &[name]).await?;
            let local = match local {
                Some(local) => Some(try_arc(resolve_all(event_loop, &[local]).await?)?),
                None => None,
            };
            let first = if first == 0 && happy_eyeballs_delay_ns != 0 { 1 } else { first };
            if first != 0 {
                addresses = interleave(addresses, first)?;
            }
            let attempts = addresses.into_iter().map(|address| {
                let attempt = attempt(event_loop.clone(), address, local.clone());
                Ok(Box::into_pin(try_box(attempt)?) as Running<OwnedFd>)
            });
            race(event_loop, attempts, happy_eyeballs_delay_ns).await.map_err(|all| {
                match all.is_empty() {
                    // There was no memory for the first attempt.
                    true => Error::NO_MEMORY.into(),
                    false => Trouble::combined(all, all_errors),
                }
            })
        }
    }
}

/// Tries one address: asyncio's `_connect_sock`.
async fn attempt(
    event_loop: Kept,
    address: SocketAddress,
    local: Option<Arc<Vec<SocketAddress>>>,
) -> Attempt<OwnedFd> {
    let socket = socket::open(address.family(), sys::SOCK_STREAM, 0)?;
    if let Some(local) = local {
        bind_one_of(&socket, &address, &local)?;
    }
    connect(&event_loop, &socket, &address).await?;
    Ok(socket)
}

/// Takes the first local address that is to be had.
fn bind_one_of(socket: &OwnedFd, address: &SocketAddress, local: &[SocketAddress]) -> Attempt<()> {
    let mut trouble = None;
    for own in local.iter().filter(|own| own.family() == address.family()) {
        match socket::bind(socket.as_fd(), own) {
            Ok(()) => return Ok(()),
            Err(error) => trouble = Some(Trouble::binding(error, own)),
        }
    }
    Err(trouble.unwrap_or_else(|| {
        let family = address.family();
        let text = format_args!("no matching local address with family={family} found");
        Trouble::new(-libc::EADDRNOTAVAIL, text)
    }))
}

/// asyncio's `sock_connect`.
pub async fn connect(event_loop: &Kept, socket: &OwnedFd, address: &SocketAddress) -> Attempt<()> {
    let mut patience_ns = 1_000_000;
    loop {
        match socket::connect(socket.as_fd(), address) {
            Ok(true) => return Ok(()),
            Ok(false) => break,
            // A UNIX server's backlog is full, and nothing tells when it is not.
            Err(Error::Sys(libc::EAGAIN)) if address.family() == sys::AF_UNIX => {
                sleep(event_loop, patience_ns).await?;
                patience_ns = (2 * patience_ns).min(50_000_000);
            }
            Err(error @ Error::Sys(_)) if address.family() == sys::AF_UNIX => {
                return Err(error.into());
            }
            Err(error) => return Err(Trouble::connecting(error, address)),
        }
    }
    ready(event_loop, socket.as_fd(), Direction::Write).await?;
    socket::take_error(socket.as_fd()).map_err(|error| Trouble::connecting(error, address))
}

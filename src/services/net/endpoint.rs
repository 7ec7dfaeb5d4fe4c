//! Datagram endpoints up to their socket: asyncio's `create_datagram_endpoint`.

use super::HostSocket;
use super::bind::remove_stale;
use super::connect::connect;
use super::resolving::{Name, resolve_all};
use super::trouble::{Attempt, Trouble};
use crate::event_loop::Kept;
use crate::memory::{try_list, try_push};
use crate::platform::fd::{AsFd, OwnedFd};
use crate::platform::{self, sys};
use crate::socket;
use crate::socket_address::SocketAddress;
use std::ffi::{CString, c_int};

/// What an endpoint is to be.
pub enum Endpoint {
    /// UDP, by name.
    Names {
        /// This side.
        local: Option<Name>,
        /// The other side, if there is only one.
        remote: Option<Name>,
        /// Where neither is named.
        family: c_int,
        /// SO_REUSEPORT.
        reuse_port: bool,
        /// SO_BROADCAST; the socket is not connected then.
        allow_broadcast: bool,
    },
    /// UNIX, by paths or abstract names.
    Unix {
        /// This side.
        local: Option<CString>,
        /// The other side, if there is only one.
        remote: Option<CString>,
    },
    /// A socket the host has made.
    Socket(HostSocket),
}

/// A socket, and where everything it sends goes.
pub type Opened = (OwnedFd, Option<SocketAddress>);

/// The endpoint's socket, bound and connected as wanted.
pub async fn opened(event_loop: &Kept, endpoint: Endpoint) -> Attempt<Opened> {
    match endpoint {
        Endpoint::Socket(socket) => Ok((socket.take()?, None)),
        Endpoint::Unix { local, remote } => {
            if let Some(local) = local.as_ref().filter(|path| !path.as_bytes().starts_with(b"@")) {
                remove_stale(event_loop, local);
            }
            let address = |path: Option<CString>| {
                path.map(|path| SocketAddress::unix(path.as_bytes())).transpose()
            };
            let options = [];
            open(event_loop, sys::AF_UNIX, address(local)?, address(remote)?, &options, true).await
        }
        Endpoint::Names { local, remote, family, reuse_port, allow_broadcast } => {
            let mut options = Vec::new();
            if let Some(option) = platform::REUSE_PORT.filter(|_| reuse_port) {
                try_push(&mut options, option)?;
            }
            if allow_broadcast {
                try_push(&mut options, sys::SO_BROADCAST)?;
            }
            let local = addresses(event_loop, local).await?;
            let remote = addresses(event_loop, remote).await?;
            let mut first_trouble = None;
            for (family, own, peer) in pairs(local, remote, family)? {
                match open(event_loop, family, own, peer, &options, !allow_broadcast).await {
                    Ok(opened) => return Ok(opened),
                    Err(trouble) => {
                        first_trouble.get_or_insert(trouble);
                    }
                }
            }
            Err(first_trouble.unwrap_or_else(nowhere))
        }
    }
}

async fn addresses(event_loop: &Kept, name: Option<Name>) -> Attempt<Option<Vec<SocketAddress>>> {
    match name {
        Some(name) => Ok(Some(resolve_all(event_loop, &[name]).await?)),
        None => Ok(None),
    }
}

type Pair = (c_int, Option<SocketAddress>, Option<SocketAddress>);

/// A local and a remote address of each family that has all that was asked for;
/// the last of each, as in asyncio's dict.
fn pairs(
    local: Option<Vec<SocketAddress>>,
    remote: Option<Vec<SocketAddress>>,
    family: c_int,
) -> Attempt<Vec<Pair>> {
    if local.is_none() && remote.is_none() {
        return match family {
            sys::AF_UNSPEC => Err(Trouble::new(
                crate::error::Error::Invalid("").code(),
                "unexpected address family",
            )),
            family => {
                let mut pairs = try_list(1)?;
                pairs.push((family, None, None));
                Ok(pairs)
            }
        };
    }
    let mut pairs: Vec<Pair> = Vec::new();
    let sides = [(&local, false), (&remote, true)];
    for (list, is_remote) in sides {
        for address in list.iter().flatten() {
            let position = pairs.iter().position(|(family, ..)| *family == address.family());
            let position = match position {
                Some(position) => position,
                None => {
                    try_push(&mut pairs, (address.family(), None, None))?;
                    pairs.len() - 1
                }
            };
            if let Some((_, own, peer)) = pairs.get_mut(position) {
                *(if is_remote { peer } else { own }) = Some(*address);
            }
        }
    }
    pairs.retain(|(_, own, peer)| {
        (local.is_none() || own.is_some()) && (remote.is_none() || peer.is_some())
    });
    if pairs.is_empty() { Err(nowhere()) } else { Ok(pairs) }
}

fn nowhere() -> Trouble {
    Trouble::new(-libc::EADDRNOTAVAIL, "can not get address information")
}

async fn open(
    event_loop: &Kept,
    family: c_int,
    local: Option<SocketAddress>,
    remote: Option<SocketAddress>,
    options: &[c_int],
    connects: bool,
) -> Attempt<Opened> {
    let socket = socket::open(family, sys::SOCK_DGRAM, 0)?;
    for option in options {
        socket::set_option(socket.as_fd(), sys::SOL_SOCKET, *option, 1)?;
    }
    if let Some(local) = &local {
        socket::bind(socket.as_fd(), local)?;
    }
    if let (Some(remote), true) = (&remote, connects) {
        connect(event_loop, &socket, remote).await?;
    }
    Ok((socket, remote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_need_every_address_that_was_asked_for() {
        let address = |text: &str| SocketAddress::ip(text.parse().unwrap());
        let local = vec![address("[::1]:1"), address("127.0.0.1:1")];
        let remote = vec![address("127.0.0.1:2")];
        let found = pairs(Some(local.clone()), Some(remote), 0).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, sys::AF_INET);
        assert_eq!(pairs(Some(local), None, 0).unwrap().len(), 2);
        assert!(
            pairs(Some(vec![address("[::1]:1")]), Some(vec![address("1.1.1.1:1")]), 0).is_err()
        );
        assert!(pairs(None, None, 0).is_err());
        assert_eq!(pairs(None, None, sys::AF_INET).unwrap().len(), 1);
    }
}

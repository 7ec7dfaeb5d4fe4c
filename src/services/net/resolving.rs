//! From names to addresses: asyncio's `_ensure_resolved`.

use super::trouble::{Attempt, Trouble};
use super::wait::end_of;
use crate::error::{Error, Result};
use crate::event_loop::Kept;
use crate::memory::{text_of, try_list, try_push};
use crate::services::dns::{Hints, Lookup, resolve};
use crate::socket_address::SocketAddress;
use std::ffi::{CString, c_int};

/// A name and a port, and what its addresses are for.
#[derive(Clone)]
pub struct Name {
    /// None: any interface, or this machine.
    pub host: Option<CString>,
    /// The port.
    pub port: u16,
    /// AF_UNSPEC, AF_INET or AF_INET6.
    pub family: c_int,
    /// SOCK_STREAM or SOCK_DGRAM.
    pub kind: c_int,
    /// AI_PASSIVE and others.
    pub flags: c_int,
}

/// All addresses of all names, each once, in order.
pub async fn resolve_all(event_loop: &Kept, names: &[Name]) -> Attempt<Vec<SocketAddress>> {
    // All of them are asked for before the first answer is waited for.
    let mut lookups = Vec::new();
    for name in names {
        let lookup = name.look_up(event_loop)?;
        let end = end_of(lookup.future().clone());
        try_push(&mut lookups, (end, lookup))?;
    }
    let mut addresses: Vec<SocketAddress> = Vec::new();
    for (end, lookup) in lookups {
        end.await?;
        for info in lookup.addresses().map_err(|outcome| Trouble::of(&outcome))? {
            let bytes = info.address();
            // SAFETY: the bytes live here.
            let address = unsafe { SocketAddress::copy_of(bytes.as_ptr().cast(), bytes.len())? };
            if !addresses.contains(&address) {
                try_push(&mut addresses, address)?;
            }
        }
    }
    match addresses.is_empty() {
        true => Err(Trouble::new(-libc::EADDRNOTAVAIL, "getaddrinfo() returned empty list")),
        false => Ok(addresses),
    }
}

impl Name {
    fn look_up(&self, event_loop: &Kept) -> Attempt<Lookup> {
        let port = text_of(self.port).ok_or(Error::NO_MEMORY)?;
        let hints =
            Hints { family: self.family, socktype: self.kind, protocol: 0, flags: self.flags };
        Ok(resolve(event_loop, self.host.as_deref(), Some(&port), hints, -1)?)
    }
}

/// The addresses so that families take turns, after `first` of the first one:
/// asyncio's `_interleave_addrinfos`.
pub fn interleave(addresses: Vec<SocketAddress>, first: usize) -> Result<Vec<SocketAddress>> {
    // Of each family, where to look for its next address.
    let mut families: Vec<(c_int, usize)> = Vec::new();
    for address in &addresses {
        if families.iter().all(|(family, _)| *family != address.family()) {
            try_push(&mut families, (address.family(), 0))?;
        }
    }
    let next = |(family, from): &mut (c_int, usize)| {
        let mut rest = addresses.iter().enumerate().skip(*from);
        let (position, address) = rest.find(|(_, address)| address.family() == *family)?;
        *from = position + 1;
        Some(*address)
    };
    let mut ordered = try_list(addresses.len())?;
    if let Some(family) = families.first_mut() {
        ordered.extend((1..first.min(addresses.len() + 1)).map_while(|_| next(family)));
    }
    while ordered.len() < addresses.len() {
        ordered.extend(families.iter_mut().filter_map(next));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let address = |text: &str| SocketAddress::ip(text.parse().unwrap());
        let four: Vec<_> = (1..=3).map(|port| address(&format!("127.0.0.1:{port}"))).collect();
        let six: Vec<_> = (1..=2).map(|port| address(&format!("[::1]:{port}"))).collect();
        let shown = |first| -> Vec<String> {
            let all = six.iter().chain(&four).copied().collect();
            interleave(all, first)
                .unwrap()
                .iter()
                .map(|address| address.to_ip().unwrap())
                .map(|ip| format!("{}{}", if ip.is_ipv6() { 6 } else { 4 }, ip.port()))
                .collect()
        };
        assert_eq!(shown(1), ["61", "41", "62", "42", "43"]);
        assert_eq!(shown(2), ["61", "62", "41", "42", "43"]);
        assert_eq!(shown(9), ["61", "62", "41", "42", "43"]);
    }
}

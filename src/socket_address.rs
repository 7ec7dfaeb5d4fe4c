//! The address of a socket, of whatever family.

use crate::error::{Error, Result};
use crate::platform::{HAS_UNIX_SOCKETS, sys};
use std::ffi::c_void;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An address, with the length the system wants to know.
#[derive(Clone, Copy)]
pub struct SocketAddress {
    storage: sys::sockaddr_storage,
    length: sys::socklen_t,
}

/// Whoever asks for one, where nothing here makes them.
pub const NO_UNIX_SOCKETS: Error =
    Error::Unsupported("UNIX sockets are not supported on this system");

/// Where a path begins in `sockaddr_un`.
const PATH: usize = std::mem::offset_of!(sys::sockaddr_un, sun_path);

impl SocketAddress {
    /// Room for the system to write an address into.
    pub fn empty() -> Self {
        // SAFETY: all zero is a valid sockaddr_storage.
        let storage = unsafe { std::mem::zeroed() };
        SocketAddress { storage, length: size_of::<sys::sockaddr_storage>() as sys::socklen_t }
    }

    /// A copy of a `struct sockaddr`.
    ///
    /// # Safety
    /// `address` is NULL or points to `length` readable bytes.
    pub unsafe fn copy_of(address: *const c_void, length: usize) -> Result<Self> {
        let mut copy = SocketAddress::empty();
        if address.is_null() {
            return Err(Error::Invalid("address is NULL"));
        }
        if length < size_of::<sys::sa_family_t>() || length > copy.length as usize {
            return Err(Error::Invalid("address_length is wrong"));
        }
        // SAFETY: as promised, and there is room for it.
        unsafe {
            let place = (&raw mut copy.storage).cast::<u8>();
            place.copy_from_nonoverlapping(address.cast::<u8>(), length);
        }
        copy.length = length as sys::socklen_t;
        let least = match copy.family() {
            sys::AF_INET => size_of::<sys::sockaddr_in>(),
            sys::AF_INET6 => size_of::<sys::sockaddr_in6>(),
            _ => 0,
        };
        if length < least {
            return Err(Error::Invalid("address_length is wrong"));
        }
        Ok(copy)
    }

    /// The address of a UNIX socket: a path, or an abstract name after a '@'.
    pub fn unix(path: &[u8]) -> Result<Self> {
        // SAFETY: all zero is a valid sockaddr_un.
        let mut address: sys::sockaddr_un = unsafe { std::mem::zeroed() };
        address.sun_family = sys::AF_UNIX as sys::sa_family_t;
        if path.is_empty() {
            return Err(Error::Invalid("the path is empty"));
        }
        let is_abstract = path[0] == b'@';
        // A path ends with a NUL, an abstract name begins with one.
        if path.len() + usize::from(!is_abstract) > address.sun_path.len() {
            return Err(Error::Invalid("AF_UNIX path too long"));
        }
        if !HAS_UNIX_SOCKETS {
            return Err(NO_UNIX_SOCKETS);
        }
        for (place, byte) in address.sun_path.iter_mut().zip(path) {
            *place = *byte as libc::c_char;
        }
        let length = if is_abstract {
            address.sun_path[0] = 0;
            PATH + path.len()
        } else {
            PATH + path.len() + 1
        };
        // SAFETY: the struct is at least so long.
        unsafe { SocketAddress::copy_of((&raw const address).cast(), length) }
    }

    /// The address of an IP socket.
    pub fn ip(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => {
                // SAFETY: all zero is a valid sockaddr_in.
                let mut raw: sys::sockaddr_in = unsafe { std::mem::zeroed() };
                raw.sin_family = sys::AF_INET as sys::sa_family_t;
                raw.sin_port = v4.port().to_be();
                raw.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                SocketAddress::of(&raw)
            }
            SocketAddr::V6(v6) => {
                // SAFETY: all zero is a valid sockaddr_in6.
                let mut raw: sys::sockaddr_in6 = unsafe { std::mem::zeroed() };
                raw.sin6_family = sys::AF_INET6 as sys::sa_family_t;
                raw.sin6_port = v6.port().to_be();
                raw.sin6_addr.s6_addr = v6.ip().octets();
                raw.sin6_flowinfo = v6.flowinfo();
                raw.sin6_scope_id = v6.scope_id();
                SocketAddress::of(&raw)
            }
        }
    }

    /// A copy of one of the system's address structs.
    fn of<T>(raw: &T) -> Self {
        const { assert!(size_of::<T>() <= size_of::<sys::sockaddr_storage>()) };
        let mut address = SocketAddress::empty();
        // SAFETY: there is room for it.
        unsafe { (&raw mut address.storage).cast::<T>().write(std::ptr::read(raw)) };
        address.length = size_of::<T>() as sys::socklen_t;
        address
    }

    /// AF_INET, AF_INET6, AF_UNIX, ...
    pub fn family(&self) -> i32 {
        i32::from(self.storage.ss_family)
    }

    /// For the system to read.
    pub fn as_ptr(&self) -> *const sys::sockaddr {
        (&raw const self.storage).cast()
    }

    /// How much of it counts.
    pub fn len(&self) -> sys::socklen_t {
        self.length
    }

    /// Is there nothing in it, as in the address of a peer without a name?
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// For the system to write: address and length.
    pub fn as_mut(&mut self) -> (*mut sys::sockaddr, &mut sys::socklen_t) {
        ((&raw mut self.storage).cast(), &mut self.length)
    }

    /// The system wrote so much; more than there is room for was cut off.
    pub fn set_len(&mut self, length: sys::socklen_t) {
        self.length = length.min(size_of::<sys::sockaddr_storage>() as sys::socklen_t);
    }

    /// The bytes that count.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: `length` never exceeds the storage, which is initialised.
        unsafe { std::slice::from_raw_parts(self.as_ptr().cast(), self.length as usize) }
    }

    /// The same as an IP address.
    pub fn to_ip(&self) -> Option<SocketAddr> {
        match self.family() {
            sys::AF_INET if self.length as usize >= size_of::<sys::sockaddr_in>() => {
                // SAFETY: the family and the length say what it is.
                let raw = unsafe { self.as_ptr().cast::<sys::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(raw.sin_port)))
            }
            sys::AF_INET6 if self.length as usize >= size_of::<sys::sockaddr_in6>() => {
                // SAFETY: as above.
                let raw = unsafe { self.as_ptr().cast::<sys::sockaddr_in6>().read() };
                let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                Some(SocketAddr::V6(std::net::SocketAddrV6::new(
                    ip,
                    u16::from_be(raw.sin6_port),
                    raw.sin6_flowinfo,
                    raw.sin6_scope_id,
                )))
            }
            _ => None,
        }
    }

    /// The path of a UNIX socket, without its final NUL; an abstract name begins
    /// with a NUL.
    pub fn path(&self) -> Option<&[u8]> {
        let bytes = self.as_bytes();
        if self.family() != sys::AF_UNIX || bytes.len() <= PATH {
            return None;
        }
        let path = &bytes[PATH..];
        match path[0] {
            0 => Some(path),
            _ => Some(path.split(|&byte| byte == 0).next().unwrap_or(path)),
        }
    }
}

impl PartialEq for SocketAddress {
    fn eq(&self, other: &Self) -> bool {
        match (self.to_ip(), other.to_ip(), self.path(), other.path()) {
            (Some(own), Some(its), ..) => own == its,
            (None, None, Some(own), Some(its)) => own == its,
            _ => self.as_bytes() == other.as_bytes(),
        }
    }
}

impl fmt::Display for SocketAddress {
    /// As Python shows it: ('127.0.0.1', 80), ('::1', 80, 0, 0), '/path'.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.path() {
            return write!(f, "'{}'", String::from_utf8_lossy(path).replace('\0', "\\x00"));
        }
        match self.to_ip() {
            Some(SocketAddr::V4(v4)) => write!(f, "('{}', {})", v4.ip(), v4.port()),
            Some(SocketAddr::V6(v6)) => {
                write!(f, "('{}', {}, {}, {})", v6.ip(), v6.port(), v6.flowinfo(), v6.scope_id())
            }
            None => f.write_str("''"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ip_addresses_come_back_as_they_were() {
        for text in ["127.0.0.1:80", "[::1]:443", "[fe80::1%3]:5"] {
            let ip: SocketAddr = text.parse().unwrap();
            let address = SocketAddress::ip(ip);
            assert_eq!(address.to_ip(), Some(ip));
            let bytes = address.as_bytes();
            // SAFETY: the bytes live here.
            let copy = unsafe { SocketAddress::copy_of(bytes.as_ptr().cast(), bytes.len()) };
            assert!(copy.unwrap() == address);
        }
        let shown = SocketAddress::ip("[::1]:443".parse().unwrap()).to_string();
        assert_eq!(shown, "('::1', 443, 0, 0)");
        assert_eq!(SocketAddress::ip("1.2.3.4:5".parse().unwrap()).to_string(), "('1.2.3.4', 5)");
    }

    #[cfg(unix)]
    #[test]
    fn unix_paths_and_abstract_names() {
        let path = SocketAddress::unix(b"/tmp/x").unwrap();
        assert_eq!(path.path(), Some(&b"/tmp/x"[..]));
        assert_eq!(path.to_string(), "'/tmp/x'");
        let name = SocketAddress::unix(b"@x").unwrap();
        assert_eq!(name.path(), Some(&b"\0x"[..]));
        assert_eq!(name.to_string(), "'\\x00x'");
        assert!(SocketAddress::unix(&[b'x'; 107]).is_ok());
        assert!(SocketAddress::unix(&[b'x'; 108]).is_err());
        let mut longest = [b'x'; 108];
        longest[0] = b'@';
        assert!(SocketAddress::unix(&longest).is_ok());
        assert!(SocketAddress::unix(b"").is_err());
    }

    #[test]
    fn what_is_too_short_is_refused() {
        let address = SocketAddress::ip("1.2.3.4:5".parse().unwrap());
        // SAFETY: the bytes live here.
        unsafe {
            assert!(SocketAddress::copy_of(address.as_ptr().cast(), 8).is_err());
            assert!(SocketAddress::copy_of(address.as_ptr().cast(), 1).is_err());
            assert!(SocketAddress::copy_of(address.as_ptr().cast(), 1000).is_err());
            assert!(SocketAddress::copy_of(std::ptr::null(), 16).is_err());
        }
    }
}

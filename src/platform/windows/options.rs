//! The numbers of families, kinds, options and flags, as C has them on Windows.
//! What POSIX can say and Winsock cannot is here as a flag without a bit, where
//! the calls behave that way anyhow.

// The names are C's, and mean what they mean there.
#![allow(missing_docs)]

use libc::c_int;
use windows_sys::Win32::Networking::WinSock as c;

pub const AF_UNSPEC: c_int = c::AF_UNSPEC as c_int;
pub const AF_UNIX: c_int = c::AF_UNIX as c_int;
pub const AF_INET: c_int = c::AF_INET as c_int;
pub const AF_INET6: c_int = c::AF_INET6 as c_int;

pub const SOCK_STREAM: c_int = c::SOCK_STREAM;
pub const SOCK_DGRAM: c_int = c::SOCK_DGRAM;
/// Every socket is made so.
pub const SOCK_CLOEXEC: c_int = 0;
/// Every socket is made so.
pub const SOCK_NONBLOCK: c_int = 0;

pub const SOL_SOCKET: c_int = c::SOL_SOCKET;
pub const SO_BROADCAST: c_int = c::SO_BROADCAST;
pub const SO_ERROR: c_int = c::SO_ERROR;
pub const SO_KEEPALIVE: c_int = c::SO_KEEPALIVE;
pub const SO_TYPE: c_int = c::SO_TYPE;
pub const IPPROTO_TCP: c_int = c::IPPROTO_TCP;
pub const TCP_NODELAY: c_int = c::TCP_NODELAY;
pub const IPPROTO_IPV6: c_int = c::IPPROTO_IPV6;
pub const IPV6_V6ONLY: c_int = c::IPV6_V6ONLY;

/// There is no such flag: see `HAS_DONTWAIT`.
pub const MSG_DONTWAIT: c_int = 0;
/// There is no such signal.
pub const MSG_NOSIGNAL: c_int = 0;
pub const SHUT_WR: c_int = c::SD_SEND;

pub const AI_CANONNAME: c_int = c::AI_CANONNAME as c_int;
pub const AI_PASSIVE: c_int = c::AI_PASSIVE as c_int;
pub const NI_NUMERICHOST: c_int = c::NI_NUMERICHOST as c_int;
pub const NI_NUMERICSERV: c_int = c::NI_NUMERICSERV as c_int;
pub const NI_MAXHOST: c_int = c::NI_MAXHOST as c_int;

pub const S_IFIFO: c_int = 0o1_0000;
pub const S_IFSOCK: c_int = 0o14_0000;
pub type mode_t = c_int;

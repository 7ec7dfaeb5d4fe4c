//! Types, constants and calls in POSIX's names and shape, on Winsock. Each call
//! answers as POSIX says, and leaves its error in `errno`.

// Names that are also in the C runtime mean sockets here.
pub use super::address::{
    in_addr, in6_addr, sa_family_t, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage,
    sockaddr_un, socklen_t,
};
pub use super::options::*;
pub use super::resolver::{
    EAI_SYSTEM, addrinfo, freeaddrinfo, gai_strerror, getaddrinfo, getnameinfo,
};
pub use super::socket::{
    accept4, bind, close, connect, getpeername, getsockname, getsockopt, listen, setsockopt,
    shutdown, socket,
};
pub use super::transfer::{
    iovec, msghdr, read, recv, recvfrom, send, sendmsg, sendto, write, writev,
};
pub use libc::*;

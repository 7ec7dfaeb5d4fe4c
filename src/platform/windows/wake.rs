//! Ends waits: a post to the loop's completion port, or a connection to oneself
//! for what must be watched, as only sockets can be.

use super::address::{in_addr, sockaddr, sockaddr_in, socklen_t};
use super::afd::Port;
use super::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use super::options::{AF_INET, IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY};
use super::{set_non_blocking, sys};
use crate::platform::Wake;
use std::io;
use std::net::Ipv4Addr;

/// How many strangers may call before we do. They would have to be quick.
const STRANGERS: usize = 16;
/// How often a byte is sent that does not go through.
const TRIES: usize = 1000;

/// The number of a completion port.
pub struct LoopWake;

impl Wake for LoopWake {
    fn open() -> io::Result<[RawFd; 2]> {
        Port::open().map(|number| [number; 2]).map_err(io::Error::from_raw_os_error)
    }

    fn send(port: RawFd) -> bool {
        // SAFETY: whoever sends has made it, and did not close it yet.
        unsafe { Port::borrow(port) }.post()
    }

    /// What was posted comes through the port once.
    fn drain(_port: RawFd) {}

    fn close(port: RawFd) {
        // SAFETY: the caller's, who gives it up.
        unsafe { Port::borrow(port).close() };
    }
}

/// Two sockets: what is written to the second one makes the first one readable.
pub struct FdWake;

impl Wake for FdWake {
    fn open() -> io::Result<[RawFd; 2]> {
        connection_to_oneself().map(|ends| ends.map(IntoRawFd::into_raw_fd))
    }

    fn send(fd: RawFd) -> bool {
        let byte = 1u8;
        // SAFETY: our own byte, and the caller's socket.
        let send = || unsafe { sys::send(fd, (&raw const byte).cast(), 1, 0) } > 0;
        // Of two threads that send at once, wine may refuse one, though there is
        // room; and what the other one sent may be taken already.
        for _ in 0..TRIES {
            if send() {
                break;
            }
            std::thread::yield_now();
        }
        true
    }
}

fn connection_to_oneself() -> io::Result<[OwnedFd; 2]> {
    let listener = new_socket()?;
    let mut address = local_address();
    let size = size_of::<sockaddr_in>() as socklen_t;
    let place = (&raw mut address).cast::<sockaddr>();
    let mut length = size;
    // SAFETY: addresses of our own with their sizes, sockets of our own.
    unsafe {
        let fd = listener.as_raw_fd();
        checked(sys::bind(fd, place, size))?;
        checked(sys::listen(fd, 1))?;
        checked(sys::getsockname(fd, place, &mut length))?;
    }
    let write_end = new_socket()?;
    // Connecting to oneself does not take long, and this way nobody need wait for
    // anything else.
    blocking(&write_end, true)?;
    // SAFETY: as above.
    checked(unsafe { sys::connect(write_end.as_raw_fd(), place, size) })?;
    blocking(&write_end, false)?;
    blocking(&listener, true)?;
    let own = name_of(&write_end)?;
    for _ in 0..STRANGERS {
        let mut peer = local_address();
        let mut length = size;
        let peer_place = (&raw mut peer).cast::<sockaddr>();
        // SAFETY: as above; what was accepted is ours.
        let read_end = unsafe {
            let fd = sys::accept4(listener.as_raw_fd(), peer_place, &mut length, 0);
            OwnedFd::from_raw_fd(checked(fd)?)
        };
        // Anybody on this machine can call; only we have this port.
        if peer.sin_port == own.sin_port && peer.sin_addr.s_addr == own.sin_addr.s_addr {
            no_delay(&write_end);
            return Ok([read_end, write_end]);
        }
    }
    Err(io::ErrorKind::ConnectionAborted.into())
}

fn local_address() -> sockaddr_in {
    let loopback = u32::from_ne_bytes(Ipv4Addr::LOCALHOST.octets());
    sockaddr_in {
        sin_family: AF_INET as _,
        sin_port: 0,
        sin_addr: in_addr { s_addr: loopback },
        sin_zero: [0; 8],
    }
}

fn new_socket() -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; the socket is ours.
    unsafe { Ok(OwnedFd::from_raw_fd(checked(sys::socket(AF_INET, SOCK_STREAM, 0))?)) }
}

fn name_of(socket: &OwnedFd) -> io::Result<sockaddr_in> {
    let mut name = local_address();
    let mut length = size_of::<sockaddr_in>() as socklen_t;
    // SAFETY: there is so much room.
    checked(unsafe { sys::getsockname(socket.as_raw_fd(), (&raw mut name).cast(), &mut length) })?;
    Ok(name)
}

fn blocking(socket: &OwnedFd, shall: bool) -> io::Result<()> {
    match set_non_blocking(socket.as_raw_fd(), !shall) {
        Ok(_) => Ok(()),
        Err(_) => Err(last_error()),
    }
}

/// A wake-up shall not wait for the answer to the one before.
fn no_delay(socket: &OwnedFd) {
    let on: i32 = 1;
    let size = size_of::<i32>() as socklen_t;
    let place = (&raw const on).cast();
    // SAFETY: the place has the size that is said. Without it, it is only slower.
    unsafe { sys::setsockopt(socket.as_raw_fd(), IPPROTO_TCP, TCP_NODELAY, place, size) };
}

fn checked(result: RawFd) -> io::Result<RawFd> {
    if result < 0 { Err(last_error()) } else { Ok(result) }
}

/// Winsock's own number for it, which the caller translates again.
fn last_error() -> io::Error {
    // SAFETY: a plain call; no other call was made in this thread since.
    io::Error::from_raw_os_error(unsafe {
        windows_sys::Win32::Networking::WinSock::WSAGetLastError()
    })
}

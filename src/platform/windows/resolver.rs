//! Names and addresses, with the error numbers of Linux.

// The names are C's, and mean what they mean there.
#![allow(missing_docs)]

use super::address::{sockaddr, socklen_t};
use super::errno::errno_of;
use super::set_errno;
use super::socket::start;
use libc::{c_char, c_int};
use windows_sys::Win32::Networking::WinSock as c;

/// One address that was found; the order is that of Windows.
#[repr(C)]
pub struct addrinfo {
    pub ai_flags: c_int,
    pub ai_family: c_int,
    pub ai_socktype: c_int,
    pub ai_protocol: c_int,
    pub ai_addrlen: usize,
    pub ai_canonname: *mut c_char,
    pub ai_addr: *mut sockaddr,
    pub ai_next: *mut addrinfo,
}

const _: () = assert!(size_of::<addrinfo>() == size_of::<c::ADDRINFOA>());

const EAI_BADFLAGS: c_int = -1;
const EAI_NONAME: c_int = -2;
const EAI_AGAIN: c_int = -3;
const EAI_FAIL: c_int = -4;
const EAI_NODATA: c_int = -5;
const EAI_FAMILY: c_int = -6;
const EAI_SOCKTYPE: c_int = -7;
const EAI_SERVICE: c_int = -8;
const EAI_MEMORY: c_int = -10;
/// Something else; errno says what.
pub const EAI_SYSTEM: c_int = -11;

fn code(error: c_int) -> c_int {
    match error {
        0 => 0,
        c::WSAEINVAL => EAI_BADFLAGS,
        c::WSAHOST_NOT_FOUND => EAI_NONAME,
        c::WSATRY_AGAIN => EAI_AGAIN,
        c::WSANO_RECOVERY => EAI_FAIL,
        c::WSANO_DATA => EAI_NODATA,
        c::WSAEAFNOSUPPORT => EAI_FAMILY,
        c::WSAESOCKTNOSUPPORT => EAI_SOCKTYPE,
        c::WSATYPE_NOT_FOUND => EAI_SERVICE,
        c::WSA_NOT_ENOUGH_MEMORY => EAI_MEMORY,
        error => match errno_of(error) {
            libc::EIO => EAI_FAIL,
            errno => {
                set_errno(errno);
                EAI_SYSTEM
            }
        },
    }
}

/// The text of an error.
pub unsafe fn gai_strerror(error: c_int) -> *const c_char {
    let text = match error {
        EAI_BADFLAGS => c"Bad value for the flags of a lookup",
        EAI_NONAME => c"Name or service not known",
        EAI_AGAIN => c"Temporary failure in name resolution",
        EAI_FAIL => c"Non-recoverable failure in name resolution",
        EAI_NODATA => c"No address associated with hostname",
        EAI_FAMILY => c"Address family not supported",
        EAI_SOCKTYPE => c"Socket type not supported",
        EAI_SERVICE => c"Service not supported for socket type",
        EAI_MEMORY => c"Memory allocation failure",
        EAI_SYSTEM => c"System error",
        _ => c"Unknown error",
    };
    text.as_ptr()
}

pub unsafe fn getaddrinfo(
    host: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    start();
    // SAFETY: as the caller promises; the struct is C's own.
    unsafe {
        let found = c::getaddrinfo(host.cast(), service.cast(), hints.cast(), result.cast());
        if found == 0 {
            name_protocols(*result);
        }
        code(found)
    }
}

/// Elsewhere the protocol is named also where nobody asked for one.
unsafe fn name_protocols(mut list: *mut addrinfo) {
    // SAFETY: the system's list, which is ours until it is freed.
    while let Some(info) = unsafe { list.as_mut() } {
        match (info.ai_socktype, info.ai_protocol) {
            (c::SOCK_STREAM, 0) => info.ai_protocol = c::IPPROTO_TCP,
            (c::SOCK_DGRAM, 0) => info.ai_protocol = c::IPPROTO_UDP,
            _ => {}
        }
        list = info.ai_next;
    }
}

pub unsafe fn freeaddrinfo(list: *mut addrinfo) {
    // SAFETY: as the caller promises.
    unsafe { c::freeaddrinfo(list.cast()) }
}

pub unsafe fn getnameinfo(
    address: *const sockaddr,
    length: socklen_t,
    host: *mut c_char,
    host_room: u32,
    service: *mut c_char,
    service_room: u32,
    flags: c_int,
) -> c_int {
    start();
    // SAFETY: as the caller promises.
    code(unsafe {
        let (host, service) = (host.cast(), service.cast());
        c::getnameinfo(address.cast(), length, host, host_room, service, service_room, flags)
    })
}

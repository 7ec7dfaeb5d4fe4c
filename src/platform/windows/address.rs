//! The structs of addresses, as C has them on Windows.

// The names are C's, and mean what they mean there.
#![allow(missing_docs)]

use libc::{c_char, c_int};

/// An address family.
pub type sa_family_t = u16;
/// The length of an address.
pub type socklen_t = c_int;

/// An address of any family.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct sockaddr {
    pub sa_family: sa_family_t,
    pub sa_data: [c_char; 14],
}

/// Room for an address of any family.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub struct sockaddr_storage {
    pub ss_family: sa_family_t,
    rest: [u8; 126],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct in_addr {
    pub s_addr: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct sockaddr_in {
    pub sin_family: sa_family_t,
    pub sin_port: u16,
    pub sin_addr: in_addr,
    pub sin_zero: [u8; 8],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct in6_addr {
    pub s6_addr: [u8; 16],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct sockaddr_in6 {
    pub sin6_family: sa_family_t,
    pub sin6_port: u16,
    pub sin6_flowinfo: u32,
    pub sin6_addr: in6_addr,
    pub sin6_scope_id: u32,
}

/// As in afunix.h. Nothing here makes such sockets; but the host may name one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct sockaddr_un {
    pub sun_family: sa_family_t,
    pub sun_path: [c_char; 108],
}

const _: () = {
    use windows_sys::Win32::Networking::WinSock as c;
    assert!(size_of::<sockaddr>() == size_of::<c::SOCKADDR>());
    assert!(size_of::<sockaddr_storage>() == size_of::<c::SOCKADDR_STORAGE>());
    assert!(align_of::<sockaddr_storage>() == align_of::<c::SOCKADDR_STORAGE>());
    assert!(size_of::<sockaddr_in>() == size_of::<c::SOCKADDR_IN>());
    assert!(size_of::<sockaddr_in6>() == size_of::<c::SOCKADDR_IN6>());
};

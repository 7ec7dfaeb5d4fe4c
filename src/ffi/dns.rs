//! Names and addresses.

use super::future::{future, give, loop_future_t, result_of, text};
use super::guard::{guard, kept, sized, store};
use super::types::*;
use crate::error::{Error, Result};
use crate::services::dns::{self, AddressInfo, Hints};
use std::ffi::{c_char, c_int, c_void};

/// A name or service is not known. Codes of the resolver are -2000 less the
/// number that Linux gives them, on every system; its text is in loop_strerror.
/// A failure for another reason is -errno.
pub const LOOP_EAI_NONAME: c_int = -2002;
/// Flags that cannot be used.
pub const LOOP_EAI_BADFLAGS: c_int = -2001;
/// The name server cannot answer now; it may later.
pub const LOOP_EAI_AGAIN: c_int = -2003;
/// The name server cannot answer.
pub const LOOP_EAI_FAIL: c_int = -2004;
/// The name is known but has no address.
pub const LOOP_EAI_NODATA: c_int = -2005;
/// The address family is not supported.
pub const LOOP_EAI_FAMILY: c_int = -2006;
/// The socket type is not supported.
pub const LOOP_EAI_SOCKTYPE: c_int = -2007;
/// The service is not known for that socket type.
pub const LOOP_EAI_SERVICE: c_int = -2008;
/// The name has no address in that family.
pub const LOOP_EAI_ADDRFAMILY: c_int = -2009;
/// No memory.
pub const LOOP_EAI_MEMORY: c_int = -2010;
/// The text is too long.
pub const LOOP_EAI_OVERFLOW: c_int = -2012;

/// What kind of addresses are wanted. Set `size` to
/// sizeof(loop_addrinfo_hints_t) and everything else to zero (any), then what
/// you want; the values are those of the system's struct addrinfo.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_addrinfo_hints_t {
    /// sizeof(loop_addrinfo_hints_t).
    pub size: usize,
    /// AF_INET, AF_INET6, ...
    pub family: c_int,
    /// SOCK_STREAM, SOCK_DGRAM, ...
    pub socktype: c_int,
    /// IPPROTO_TCP, ...
    pub protocol: c_int,
    /// AI_PASSIVE, AI_CANONNAME, ...
    pub flags: c_int,
}

/// One address, with what a socket for it is made of.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_addrinfo_t {
    /// Of the socket and of the address.
    pub family: c_int,
    /// Of the socket.
    pub socktype: c_int,
    /// Of the socket.
    pub protocol: c_int,
    /// How many bytes `address` has.
    pub address_length: usize,
    /// A struct sockaddr.
    pub address: *const c_void,
    /// In the first entry, if AI_CANONNAME asked for it; otherwise NULL.
    pub canonical_name: *const c_char,
}

fn to_hints(given: *const loop_addrinfo_hints_t) -> Result<Hints> {
    if given.is_null() {
        return Ok(Hints::default());
    }
    let wrong = wrong_size!("loop_addrinfo_hints_t");
    // SAFETY: the caller passes a struct whose first field is its size.
    let hints = unsafe { sized(given, wrong)? };
    Ok(Hints {
        family: hints.family,
        socktype: hints.socktype,
        protocol: hints.protocol,
        flags: hints.flags,
    })
}

/// Looks up the addresses of a host (NULL: this one) and a service (a name, a
/// number as text, or NULL), by the system's getaddrinfo on the loop's default
/// executor. What the future in *ret_future ends with is read by
/// loop_getaddrinfo_result. Where neither is a name, no thread is asked, and the
/// future is done at once.
///
/// The future fails with LOOP_EAI_..., with -ETIMEDOUT if the answer takes
/// longer than timeout_ns (negative: no limit; 0: unless it is there at
/// once). An answer that comes after that, or
/// after the future was cancelled, is dropped. `hints` may be NULL.
/// LOOP_EINVAL, others as loop_run_in_executor. [loop thread]
/// asyncio: loop.getaddrinfo().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_getaddrinfo(
    r#loop: *mut loop_t,
    host: *const c_char,
    service: *const c_char,
    hints: *const loop_addrinfo_hints_t,
    timeout_ns: i64,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let event_loop = unsafe { kept(r#loop)? };
        let hints = to_hints(hints)?;
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        let (host, service) = unsafe { (text(host), text(service)) };
        let lookup = dns::resolve(&event_loop, host, service, hints, timeout_ns)?;
        unsafe { give(lookup.into_future(), ret_future) }
    })
}

/// What loop_getaddrinfo found: *ret_entries has *ret_count entries, at least
/// one, the best first, as the system orders them. They live as long as the
/// future, which must be one of loop_getaddrinfo, or one that shares its result.
/// 0, errors as loop_future_result. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_getaddrinfo_result(
    future: *mut loop_future_t,
    ret_entries: *mut *const loop_addrinfo_t,
    ret_count: *mut usize,
) -> c_int {
    guard(|| {
        let future = unsafe { self::future(future)? };
        let result = result_of(&future)?;
        if ret_entries.is_null() || ret_count.is_null() {
            return Err(Error::Invalid("a result pointer is NULL"));
        }
        let found = unsafe { dns::found(result) };
        unsafe { store(ret_entries, found.as_ptr().cast::<loop_addrinfo_t>())? };
        unsafe { store(ret_count, found.len())? };
        Ok(0)
    })
}

/// Looks up the name and the service of an address, by the system's getnameinfo
/// with its flags (NI_...) on the loop's default executor. What the future in
/// *ret_future ends with is read by loop_getnameinfo_result. With NI_NUMERICHOST
/// and NI_NUMERICSERV no thread is asked, and the future is done at once.
/// Failures, time limit and errors as of loop_getaddrinfo. [loop thread]
/// asyncio: loop.getnameinfo().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_getnameinfo(
    r#loop: *mut loop_t,
    address: *const c_void,
    address_length: usize,
    flags: c_int,
    timeout_ns: i64,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| {
        let event_loop = unsafe { kept(r#loop)? };
        if address.is_null() {
            return Err(Error::Invalid("address is NULL"));
        }
        if ret_future.is_null() {
            return Err(Error::Invalid("ret_future is NULL"));
        }
        if address_length > 4096 {
            return Err(Error::Invalid("address_length is wrong"));
        }
        let address = unsafe { std::slice::from_raw_parts(address.cast::<u8>(), address_length) };
        let future = dns::reverse(&event_loop, address, flags, timeout_ns)?;
        unsafe { give(future, ret_future) }
    })
}

/// What loop_getnameinfo found, each with its NUL; either pointer may be NULL.
/// The texts live as long as the future, which must be one of loop_getnameinfo,
/// or one that shares its result. 0, errors as loop_future_result. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_getnameinfo_result(
    future: *mut loop_future_t,
    ret_host: *mut *const c_char,
    ret_service: *mut *const c_char,
) -> c_int {
    guard(|| {
        let future = unsafe { self::future(future)? };
        let result = result_of(&future)?;
        let info = unsafe { dns::found_name(result) };
        if !ret_host.is_null() {
            unsafe { store(ret_host, info.host.as_ptr())? };
        }
        if !ret_service.is_null() {
            unsafe { store(ret_service, info.service.as_ptr())? };
        }
        Ok(0)
    })
}

// Results are handed over by address, so both sides must agree.
const _: () = assert!(size_of::<loop_addrinfo_t>() == size_of::<AddressInfo>());

versioned!(
    "loop_getaddrinfo",
    "loop_getaddrinfo_result",
    "loop_getnameinfo",
    "loop_getnameinfo_result",
);

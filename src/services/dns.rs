//! Names and addresses: the system's resolver on the loop's default executor.
//!
//! A lookup that is cancelled or late leaves its thread to end by itself; what
//! it finds then is dropped. What needs no lookup is answered at once.

use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::memory::{copy_text, probe, try_box};
use crate::platform::{errno, sys};
use crate::services::executor::{self, Job, Submitted};
use crate::services::future::{Deadline, Future, Operation, Outcome};
use std::alloc::Layout;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::net::IpAddr;
use std::sync::Arc;

/// What kind of addresses are wanted; zeroes: any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// AF_INET, AF_INET6, or AF_UNSPEC.
    pub family: c_int,
    /// SOCK_STREAM, SOCK_DGRAM, ...
    pub socktype: c_int,
    /// IPPROTO_TCP, ...
    pub protocol: c_int,
    /// AI_PASSIVE, AI_CANONNAME, ...
    pub flags: c_int,
}

/// One address that was found, with what a socket for it is made of. Borrowed
/// from its list.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct AddressInfo {
    /// The family of the socket and of the address.
    pub family: c_int,
    /// The kind of the socket.
    pub socktype: c_int,
    /// Its protocol.
    pub protocol: c_int,
    address_length: usize,
    address: *const c_void,
    canonical_name: *const c_char,
}

impl AddressInfo {
    /// The `struct sockaddr`.
    pub fn address(&self) -> &[u8] {
        // SAFETY: both are the system's, which live as long as the list.
        unsafe { std::slice::from_raw_parts(self.address.cast(), self.address_length) }
    }

    /// The host's proper name, in the first entry if it was asked for.
    pub fn canonical_name(&self) -> Option<&CStr> {
        // SAFETY: as above.
        (!self.canonical_name.is_null()).then(|| unsafe { CStr::from_ptr(self.canonical_name) })
    }
}

/// What a lookup found; the entries refer to the system's list.
struct AddressList {
    entries: Vec<AddressInfo>,
    system: *mut sys::addrinfo,
}

impl AddressList {
    fn new(system: *mut sys::addrinfo, flags: c_int) -> Result<Box<Self>> {
        let mut list = try_box(AddressList { entries: Vec::new(), system })?;
        // musl puts it into each entry, and unasked.
        let is_named = |index| index == 0 && flags & sys::AI_CANONNAME != 0;
        let mut next = system;
        // SAFETY: a list of the system's, which ends with a null pointer.
        while let Some(info) = unsafe { next.as_ref() } {
            list.entries.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
            list.entries.push(AddressInfo {
                family: info.ai_family,
                socktype: info.ai_socktype,
                protocol: info.ai_protocol,
                address_length: info.ai_addrlen as usize,
                address: info.ai_addr.cast(),
                canonical_name: match is_named(list.entries.len()) {
                    true => info.ai_canonname,
                    false => std::ptr::null(),
                },
            });
            next = info.ai_next;
        }
        Ok(list)
    }
}

impl Drop for AddressList {
    fn drop(&mut self) {
        if !self.system.is_null() {
            // SAFETY: from getaddrinfo, and freed once.
            unsafe { sys::freeaddrinfo(self.system) };
        }
    }
}

/// What a reverse lookup found.
pub struct NameInfo {
    /// The host's name or address.
    pub host: CString,
    /// The service's name or number.
    pub service: CString,
}

/// What the result of a lookup's future refers to.
///
/// # Safety
/// It is the result of such a future, and that outlives what is borrowed.
pub unsafe fn found<'a>(result: *mut c_void) -> &'a [AddressInfo] {
    // SAFETY: as promised.
    unsafe { result.cast::<AddressList>().as_ref() }.map_or(&[], |list| &list.entries)
}

/// What the result of a reverse lookup's future refers to.
///
/// # Safety
/// As `found`.
pub unsafe fn found_name<'a>(result: *mut c_void) -> &'a NameInfo {
    // SAFETY: as promised.
    unsafe { &*result.cast::<NameInfo>() }
}

/// A lookup under way or done.
pub struct Lookup(Arc<Future>);

impl Lookup {
    /// Its future: cancelling that gives the lookup up.
    pub fn future(&self) -> &Arc<Future> {
        &self.0
    }

    /// Its future alone; `found` reads the result.
    pub fn into_future(self) -> Arc<Future> {
        self.0
    }

    /// What it found, once its future is done, or how else it ended.
    pub fn addresses(&self) -> std::result::Result<&[AddressInfo], Outcome> {
        addresses(&self.0)
    }

    /// Calls `func` by `call_soon` when the lookup is done, with what it found
    /// or how else it ended. Not if the loop is closed before.
    pub fn on_done(
        &self,
        func: impl FnOnce(std::result::Result<&[AddressInfo], Outcome>) + 'static,
    ) -> Result<()> {
        self.0.on_done(move |future| func(addresses(future))).map(drop)
    }
}

/// The result of a lookup's future.
fn addresses(future: &Arc<Future>) -> std::result::Result<&[AddressInfo], Outcome> {
    match future.outcome(|outcome| (outcome.code(), outcome.result())) {
        // SAFETY: `resolve` finished the future with it.
        Ok((0, result)) => Ok(unsafe { found(result) }),
        Ok(_) => Err(future.share_outcome().unwrap_or_else(Outcome::error)),
        Err(error) => Err(Outcome::error(error)),
    }
}

/// What works on the future of a lookup.
struct Resolving {
    submitted: Submitted,
    deadline: Option<Deadline>,
}

impl Operation for Resolving {
    fn ended(self: Box<Self>) {
        drop(self.deadline);
        // One that nobody waits for must not hold up those behind it.
        self.submitted.withdraw();
        self.submitted.forget();
    }
}

fn submit(
    event_loop: &EventLoop,
    body: impl FnOnce() -> Outcome + Send + 'static,
    timeout_ns: i64,
) -> Result<Arc<Future>> {
    let future = Future::new(event_loop)?;
    probe(Layout::new::<Resolving>())?;
    let job = Job::Service(try_box(body)?);
    let deadline = Deadline::set(&future, timeout_ns)?;
    let submitted = executor::start(event_loop, None, job, &future)?;
    future.set_operation(Box::new(Resolving { submitted, deadline }))?;
    Ok(future)
}

fn answer(event_loop: &EventLoop, outcome: Outcome) -> Result<Arc<Future>> {
    let future = Future::new(event_loop)?;
    future.finish(outcome)?;
    Ok(future)
}

/// The addresses of a host and a service (name or number). At least one of them
/// must be there, or the lookup fails. `timeout_ns` negative: no limit of ours.
/// asyncio: `loop.getaddrinfo`.
pub fn resolve(
    event_loop: &EventLoop,
    host: Option<&CStr>,
    service: Option<&CStr>,
    hints: Hints,
    timeout_ns: i64,
) -> Result<Lookup> {
    // Also where no thread is needed: a lookup belongs to the loop's thread.
    let hold = event_loop.hold()?;
    let needs_no_lookup = host.is_none_or(is_address) && service.is_none_or(is_number);
    let host = host.map(copy_text).transpose()?;
    let service = service.map(copy_text).transpose()?;
    let body = move || look_up(host.as_deref(), service.as_deref(), hints);
    let future = match needs_no_lookup {
        true => answer(event_loop, body()),
        false => submit(event_loop, body, timeout_ns),
    };
    drop(hold);
    future.map(Lookup)
}

/// An address as text: nobody has to be asked for it.
fn is_address(host: &CStr) -> bool {
    let text = host.to_bytes();
    let address = text.split(|byte| *byte == b'%').next().unwrap_or(text);
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<IpAddr>().is_ok())
}

fn is_number(service: &CStr) -> bool {
    let text = service.to_bytes();
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn look_up(host: Option<&CStr>, service: Option<&CStr>, hints: Hints) -> Outcome {
    // SAFETY: all zeroes are valid hints.
    let mut wanted: sys::addrinfo = unsafe { std::mem::zeroed() };
    wanted.ai_family = hints.family;
    wanted.ai_socktype = hints.socktype;
    wanted.ai_protocol = hints.protocol;
    wanted.ai_flags = hints.flags;
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    let mut list = std::ptr::null_mut();
    // SAFETY: C strings or null, and a place for the list.
    let code = unsafe { sys::getaddrinfo(pointer(host), pointer(service), &wanted, &mut list) };
    match code {
        0 => match AddressList::new(list, hints.flags) {
            Ok(list) => Outcome::value(list),
            Err(error) => Outcome::error(error),
        },
        code => failure(code),
    }
}

/// The name and the service of an address; `found_name` reads the result.
/// asyncio: `loop.getnameinfo`.
pub fn reverse(
    event_loop: &EventLoop,
    address: &[u8],
    flags: c_int,
    timeout_ns: i64,
) -> Result<Arc<Future>> {
    // SAFETY: all zeroes are a valid address, if of no family.
    let mut storage: sys::sockaddr_storage = unsafe { std::mem::zeroed() };
    if address.len() < size_of::<sys::sa_family_t>() || address.len() > size_of_val(&storage) {
        return Err(Error::Invalid("address_length is wrong"));
    }
    // SAFETY: there is room for so much.
    unsafe {
        (&raw mut storage).cast::<u8>().copy_from_nonoverlapping(address.as_ptr(), address.len());
    }
    let length = address.len() as sys::socklen_t;
    let hold = event_loop.hold()?;
    let numbers = sys::NI_NUMERICHOST | sys::NI_NUMERICSERV;
    let body = move || look_back(&storage, length, flags);
    let future = match flags & numbers == numbers {
        true => answer(event_loop, body()),
        false => submit(event_loop, body, timeout_ns),
    };
    drop(hold);
    future
}

fn look_back(storage: &sys::sockaddr_storage, length: sys::socklen_t, flags: c_int) -> Outcome {
    let mut host = [0 as c_char; sys::NI_MAXHOST as usize];
    let mut service = [0 as c_char; 64];
    // SAFETY: the address has that length, and so have the places for texts.
    let code = unsafe {
        sys::getnameinfo(
            std::ptr::from_ref(storage).cast(),
            length,
            host.as_mut_ptr(),
            host.len() as _,
            service.as_mut_ptr(),
            service.len() as _,
            flags,
        )
    };
    if code != 0 {
        return failure(code);
    }
    // SAFETY: both hold C strings now.
    let [host, service] =
        [&host[..], &service[..]].map(|text| copy_text(unsafe { CStr::from_ptr(text.as_ptr()) }));
    let info = host.and_then(|host| try_box(NameInfo { host, service: service? }));
    match info {
        Ok(info) => Outcome::value(info),
        Err(error) => Outcome::error(error),
    }
}

/// Our code for one of the resolver's is this far below Linux's number for it.
const EAI_BASE: c_int = -2000;

/// The resolver's codes by Linux's numbers, which ours go by.
#[cfg(not(any(target_os = "linux", windows)))]
const EAI_CODES: &[(c_int, c_int)] = &[
    (libc::EAI_BADFLAGS, -1),
    (libc::EAI_NONAME, -2),
    (libc::EAI_AGAIN, -3),
    (libc::EAI_FAIL, -4),
    (libc::EAI_FAMILY, -6),
    (libc::EAI_SOCKTYPE, -7),
    (libc::EAI_SERVICE, -8),
    (libc::EAI_MEMORY, -10),
    (sys::EAI_SYSTEM, -11),
    (libc::EAI_OVERFLOW, -12),
];

/// Our code for one of the resolver's.
fn code_of(eai: c_int) -> c_int {
    #[cfg(any(target_os = "linux", windows))]
    return EAI_BASE + eai;
    #[cfg(not(any(target_os = "linux", windows)))]
    EAI_CODES.iter().find(|pair| pair.0 == eai).map_or(EAI_BASE - 4, |pair| EAI_BASE + pair.1)
}

/// The resolver's text for one of our codes, if it is one of its own.
pub fn error_text(code: c_int) -> Option<&'static CStr> {
    if !(EAI_BASE - 999..EAI_BASE).contains(&code) {
        return None;
    }
    #[cfg(any(target_os = "linux", windows))]
    let eai = code - EAI_BASE;
    #[cfg(not(any(target_os = "linux", windows)))]
    let eai = EAI_CODES.iter().find(|pair| EAI_BASE + pair.1 == code)?.0;
    // SAFETY: takes any number and yields a static string.
    unsafe {
        let text = sys::gai_strerror(eai);
        (!text.is_null()).then(|| CStr::from_ptr(text))
    }
}

/// How a lookup fails. Called right after the resolver, for errno.
fn failure(eai: c_int) -> Outcome {
    if eai == sys::EAI_SYSTEM {
        return Outcome::error(Error::Sys(errno()));
    }
    let code = code_of(eai);
    Outcome::failure(code, error_text(code).and_then(|text| copy_text(text).ok()))
}

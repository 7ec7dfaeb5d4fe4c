//! Windows, behind the names of POSIX.

#![allow(non_camel_case_types)]

mod address;
pub mod afd;
pub mod clock;
mod errno;
mod error_text;
pub mod fd;
pub mod file;
pub mod handle;
mod options;
pub mod path;
pub mod process;
mod resolver;
mod socket;
pub mod sys;
mod system_errno;
pub mod thread;
mod transfer;
mod wake;

pub use errno::errno_of;
pub use error_text::{strerror, strerror_into};
pub use socket::{file_type, is_non_blocking, is_open, set_non_blocking};
pub use wake::{FdWake, LoopWake};

use std::cell::Cell;
use std::ffi::c_int;

/// There are some, but not those of asyncio: no datagrams, no names without a file.
pub const HAS_UNIX_SOCKETS: bool = false;
/// Not needed: an address may be taken as soon as nobody listens there. The option
/// of that name would let anybody take a port that is in use.
pub const REUSE_ADDRESS: Option<c_int> = None;
/// Only the socket itself can be told not to block.
pub const HAS_DONTWAIT: bool = false;
/// No option shares a port.
pub const REUSE_PORT: Option<c_int> = None;

thread_local! {
    static ERRNO: Cell<c_int> = const { Cell::new(0) };
}

/// What the last call of `sys` in this thread left behind.
pub fn errno() -> c_int {
    ERRNO.get()
}

/// Puts it back.
pub fn set_errno(value: c_int) {
    ERRNO.set(value);
}

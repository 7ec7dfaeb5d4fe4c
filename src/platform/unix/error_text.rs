//! Numbers of the system's errors, and the C library's words for them.

use std::ffi::{c_char, c_int};

/// The errno in what the standard library says of the system's errors.
#[inline]
pub fn errno_of(error: c_int) -> c_int {
    error
}

/// What an errno means: static.
pub fn strerror(errno: c_int) -> *const c_char {
    // SAFETY: strerror takes any number.
    unsafe { libc::strerror(errno) }
}

/// Writes it into `buffer`, cut off if it is too long.
pub fn strerror_into(errno: c_int, buffer: &mut [c_char]) {
    buffer.fill(0);
    // SAFETY: the buffer's length is passed, less the NUL it ends with.
    unsafe { libc::strerror_r(errno, buffer.as_mut_ptr(), buffer.len().saturating_sub(1)) };
}

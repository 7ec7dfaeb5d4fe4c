//! Linux, the BSDs, macOS.

pub use libc as sys;
pub use std::os::fd;

use std::ffi::c_int;

/// The errno of this thread's last call.
#[inline]
pub fn errno() -> c_int {
    // SAFETY: this thread's own variable.
    unsafe { *location() }
}

/// Puts an errno back. Async-signal-safe, like `errno`.
#[inline]
pub fn set_errno(value: c_int) {
    // SAFETY: as above.
    unsafe { *location() = value };
}

unsafe fn location() -> *mut c_int {
    #[cfg(any(target_os = "linux", target_os = "emscripten"))]
    return unsafe { libc::__errno_location() };
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    return unsafe { libc::__error() };
}

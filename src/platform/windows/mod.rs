//! Windows, behind the names of POSIX.

pub mod fd;
pub mod sys;

use std::cell::Cell;
use std::ffi::c_int;

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

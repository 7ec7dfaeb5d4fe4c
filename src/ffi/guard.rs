//! What every export shares: no panic crosses the boundary, every failure
//! leaves its message, every pointer is checked before it is followed.

use super::error::set_last_error;
use super::types::{loop_callback_t, loop_destroy_t, loop_t};
use crate::callback::{Callback, UserData};
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, Kept};
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is said of an options struct whose size cannot be.
macro_rules! wrong_size {
    ($name:literal) => {
        concat!($name, ".size is wrong, or it has unknown fields: set it to sizeof(", $name, ")")
    };
}

/// Gives an export its version node in the Linux shared library.
macro_rules! versioned {
    ($($name:literal),+ $(,)?) => {$(
        #[cfg(all(target_os = "linux", feature = "symbol-versions"))]
        std::arch::global_asm!(concat!(".symver ", $name, ", ", $name, "@@COLOOP_0"));
    )+};
}

/// Runs the body of an export that returns a code.
#[inline(always)]
pub fn guard(body: impl FnOnce() -> Result<c_int>) -> c_int {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => set_last_error(error),
        Err(_) => set_last_error(Error::Internal),
    }
}

/// Runs the body of an export that returns something else; `failed` stands for
/// an error.
#[inline(always)]
pub fn guard_or<T>(failed: T, body: impl FnOnce() -> Result<T>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => {
            set_last_error(error);
            failed
        }
        Err(_) => {
            set_last_error(Error::Internal);
            failed
        }
    }
}

/// A loop the caller holds a reference to.
///
/// # Safety
/// `pointer` is NULL or came from this library and still counts.
#[inline(always)]
pub unsafe fn event_loop<'a>(pointer: *const loop_t) -> Result<&'a EventLoop> {
    // SAFETY: `loop_t` is how C sees an `EventLoop`.
    unsafe { pointer.cast::<EventLoop>().as_ref() }.ok_or(Error::Invalid("loop is NULL"))
}

/// The same with a reference for the length of the call, in which foreign code
/// may give back the last one of the host.
///
/// # Safety
/// As `event_loop`.
pub unsafe fn kept(pointer: *const loop_t) -> Result<Kept> {
    let event_loop = unsafe { event_loop(pointer)? };
    Ok(unsafe { Kept::new(event_loop) })
}

/// A callback with its data. When the function is missing, the data is still
/// destroyed.
#[inline(always)]
pub fn callback(
    function: loop_callback_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> Result<Callback> {
    let user_data = UserData::new(user_data, destroy);
    match function {
        Some(function) => Ok(Callback::new(function, user_data)),
        None => Err(Error::Invalid("callback is NULL")),
    }
}

/// Writes a result through a pointer that may not be NULL.
///
/// # Safety
/// `place` is NULL or valid for a write.
#[inline]
pub unsafe fn store<T>(place: *mut T, value: T) -> Result<()> {
    if place.is_null() {
        return Err(Error::Invalid("the result pointer is NULL"));
    }
    // SAFETY: as promised.
    unsafe { place.write(value) };
    Ok(())
}

/// Reads a struct of the host's whose first field is its size; what the host does
/// not know yet stays as it is. None if the size is impossible, or if a field
/// that this version does not know is set.
///
/// # Safety
/// `given` points to so many bytes, and any of them may stand in `T`.
pub unsafe fn read_sized<T: Copy>(given: *const c_void, place: &mut T) -> Option<()> {
    // SAFETY: as promised.
    unsafe {
        let size = given.cast::<usize>().read();
        if !(size_of::<usize>()..=4096).contains(&size) {
            return None;
        }
        let tail = std::slice::from_raw_parts(given.cast::<u8>(), size);
        if tail.iter().skip(size_of::<T>()).any(|&byte| byte != 0) {
            return None;
        }
        let known = size.min(size_of::<T>());
        std::ptr::copy_nonoverlapping(given.cast::<u8>(), std::ptr::from_mut(place).cast(), known);
    }
    Some(())
}

/// A copy of such a struct, with zeros for what the host does not know.
///
/// # Safety
/// As `read_sized`, or `given` is NULL; all zero is a valid `T`.
pub unsafe fn sized<T: Copy>(given: *const T, wrong: &'static str) -> Result<T> {
    // SAFETY: as promised.
    unsafe {
        let mut copy: T = std::mem::zeroed();
        if given.is_null() || read_sized(given.cast::<c_void>(), &mut copy).is_none() {
            return Err(Error::Invalid(wrong));
        }
        Ok(copy)
    }
}

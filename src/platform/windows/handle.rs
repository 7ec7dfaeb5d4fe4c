//! Handles of any kind.

use super::errno::errno_of;
use std::ffi::c_int;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, GetLastError, HANDLE,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// A handle of our own for the same object; or an errno. Any number may be asked
/// about.
pub fn duplicate(handle: HANDLE, inheritable: bool) -> Result<OwnedHandle, c_int> {
    let (mut copy, inheritable) = (std::ptr::null_mut(), i32::from(inheritable));
    // SAFETY: the system checks the handle; the copy is ours.
    unsafe {
        let this = GetCurrentProcess();
        let same = DUPLICATE_SAME_ACCESS;
        match DuplicateHandle(this, handle, this, &mut copy, 0, inheritable, same) {
            0 => Err(errno_of(GetLastError() as i32)),
            _ => Ok(OwnedHandle::from_raw_handle(copy)),
        }
    }
}

//! The process and its standard error.

use std::ffi::c_int;
use std::io::Write;
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
};
use windows_sys::Win32::System::Threading::GetCurrentProcessId;

/// Numbers of signals, as other systems have them. Nothing here sends them: they
/// name ways to end a process.
pub const SIGKILL: c_int = 9;
/// As above.
pub const SIGTERM: c_int = 15;
/// The C runtime's number for Ctrl-Break.
pub const SIGBREAK: c_int = 21;

/// This process's number.
pub fn id() -> c_int {
    // SAFETY: no preconditions.
    unsafe { GetCurrentProcessId() as c_int }
}

/// Before a fork, after it in the parent, and after it in the child.
pub type ForkHandler = Option<unsafe extern "C" fn()>;

/// There is no fork here.
pub fn at_fork(_before: ForkHandler, _in_parent: ForkHandler, _in_child: ForkHandler) {}

/// Writes to standard error at once. What cannot be written is lost.
pub fn write_stderr(bytes: &[u8]) {
    let _ = std::io::stderr().write_all(bytes);
}

at_load!(stay_loaded);

/// Threads may still run our code when a host calls FreeLibrary.
extern "C" fn stay_loaded() {
    let mut module: HMODULE = std::ptr::null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
    let address = stay_loaded as extern "C" fn() as *const u16;
    // SAFETY: an address inside this module; the count is never taken back.
    unsafe { GetModuleHandleExW(flags, address, &mut module) };
}

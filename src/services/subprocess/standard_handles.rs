//! The standard streams that a program gets: handles of its own, which it
//! inherits.

use super::command::Stdio;
use crate::error::{Error, Result};
use crate::platform::handle::duplicate;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_SHARE_READ, FILE_SHARE_WRITE, OPEN_EXISTING,
};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::w;

/// Inheritable duplicates.
pub struct StandardHandles {
    handles: [Option<OwnedHandle>; 3],
    merged: bool,
}

impl StandardHandles {
    /// Makes them.
    pub fn new(stdio: [Stdio; 3]) -> Result<Self> {
        let [stdin, stdout, stderr] = stdio;
        let handles = [
            open(stdin, STD_INPUT_HANDLE)?,
            open(stdout, STD_OUTPUT_HANDLE)?,
            open(stderr, STD_ERROR_HANDLE)?,
        ];
        Ok(StandardHandles { handles, merged: stderr == Stdio::Stdout })
    }

    /// For standard input, output and error; null: none.
    pub fn raw(&self) -> [HANDLE; 3] {
        let mut raw =
            self.handles.each_ref().map(|handle| handle.as_ref().map_or(ptr::null_mut(), raw_of));
        if self.merged {
            raw[2] = raw[1];
        }
        raw
    }

    /// Each of them once.
    pub fn list(&self) -> impl Iterator<Item = HANDLE> {
        self.handles.iter().flatten().map(raw_of)
    }
}

fn raw_of(handle: &OwnedHandle) -> HANDLE {
    handle.as_raw_handle()
}

fn open(stdio: Stdio, which: u32) -> Result<Option<OwnedHandle>> {
    match stdio {
        Stdio::Inherit => {
            // SAFETY: no preconditions. A process without a console has none.
            let handle = unsafe { GetStdHandle(which) };
            match handle.is_null() || handle == INVALID_HANDLE_VALUE {
                true => Ok(None),
                false => Ok(duplicate(handle, true).ok()),
            }
        }
        Stdio::Null => null_device().map(Some),
        Stdio::Stdout => Ok(None),
        Stdio::Fd(number) if number < 0 => Err(Error::BadDescriptor(number)),
        // 32 bits of a handle have a meaning.
        Stdio::Fd(number) => {
            duplicate(number as isize as HANDLE, true).map(Some).map_err(Error::Sys)
        }
        Stdio::Pipe => Err(Error::Unsupported("Windows: no pipes to programs")),
    }
}

fn null_device() -> Result<OwnedHandle> {
    let inheritable = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: ptr::null_mut(),
        bInheritHandle: 1,
    };
    let access = GENERIC_READ | GENERIC_WRITE;
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    // SAFETY: the name ends with 0; the handle is ours.
    unsafe {
        let none = ptr::null_mut();
        match CreateFileW(w!("NUL"), access, share, &inheritable, OPEN_EXISTING, 0, none) {
            INVALID_HANDLE_VALUE => Err(io::Error::last_os_error().into()),
            handle => Ok(OwnedHandle::from_raw_handle(handle)),
        }
    }
}

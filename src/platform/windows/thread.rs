//! Threads: which one is this, is it the process's first, and new ones.

use std::ffi::c_char;
use std::io;
use std::sync::OnceLock;
use std::thread::{Builder, JoinHandle};
use windows_sys::Win32::Foundation::{
    CloseHandle, FILETIME, INVALID_HANDLE_VALUE, LocalFree, S_OK,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcessId, GetCurrentThread, GetCurrentThreadId, GetThreadDescription,
    GetThreadTimes, OpenThread, THREAD_QUERY_LIMITED_INFORMATION,
};

/// A number no other living thread has; never 0. On x86-64 the address of the
/// thread's own block, which one instruction reads.
#[inline(always)]
pub fn id() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        let id: usize;
        // SAFETY: Windows keeps the thread block's own address at gs:0x30;
        // reading it has no other effect.
        unsafe {
            std::arch::asm!("mov {}, gs:0x30", out(reg) id,
                options(nostack, preserves_flags, readonly, pure))
        };
        id
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: no preconditions.
    unsafe {
        GetCurrentThreadId() as usize
    }
}

/// Is this the thread the process started with? Windows has no name for that
/// one: it is the oldest of those that live when this is asked first.
pub fn is_main() -> bool {
    static MAIN: OnceLock<u32> = OnceLock::new();
    // SAFETY: no preconditions.
    let me = unsafe { GetCurrentThreadId() };
    *MAIN.get_or_init(|| oldest_thread().unwrap_or(me)) == me
}

/// The thread of this process that was created first.
fn oldest_thread() -> Option<u32> {
    let mut oldest: Option<(u64, u32)> = None;
    // SAFETY: the entry is as large as it says; the snapshot is closed once.
    unsafe {
        let process = GetCurrentProcessId();
        let snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
        if snapshot == INVALID_HANDLE_VALUE {
            return None;
        }
        let mut entry: THREADENTRY32 = std::mem::zeroed();
        entry.dwSize = size_of::<THREADENTRY32>() as u32;
        let mut more = Thread32First(snapshot, &mut entry);
        while more != 0 {
            if entry.th32OwnerProcessID == process
                && let Some(created) = creation_time(entry.th32ThreadID)
                && oldest.is_none_or(|(time, _)| created < time)
            {
                oldest = Some((created, entry.th32ThreadID));
            }
            more = Thread32Next(snapshot, &mut entry);
        }
        CloseHandle(snapshot);
    }
    oldest.map(|(_, id)| id)
}

/// When a thread was created, in units of 100 ns.
fn creation_time(id: u32) -> Option<u64> {
    const NEVER: FILETIME = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let mut times = [NEVER; 4];
    let [created, exited, kernel, user] = &mut times;
    // SAFETY: any number may be asked for; the handle is closed once.
    let known = unsafe {
        let thread = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, 0, id);
        if thread.is_null() {
            return None;
        }
        let known = GetThreadTimes(thread, created, exited, kernel, user);
        CloseHandle(thread);
        known
    };
    let created = u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime);
    (known != 0).then_some(created)
}

/// The system's name of this thread, as a C string in UTF-8; false if it has none.
pub fn name(buffer: &mut [c_char]) -> bool {
    let mut description = std::ptr::null_mut();
    // SAFETY: on success a string that ends with 0 and is ours to free.
    unsafe {
        if GetThreadDescription(GetCurrentThread(), &mut description) < S_OK
            || description.is_null()
        {
            return false;
        }
        let length = (0..).take_while(|&index| *description.add(index) != 0).count();
        let units = std::slice::from_raw_parts(description, length);
        let mut written = 0;
        for character in char::decode_utf16(units.iter().copied()) {
            let mut bytes = [0; 4];
            let bytes =
                character.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut bytes).as_bytes();
            // Room for the 0 stays.
            if written + bytes.len() >= buffer.len() {
                break;
            }
            for byte in bytes {
                buffer[written] = *byte as c_char;
                written += 1;
            }
        }
        LocalFree(description.cast());
        if let Some(end) = buffer.get_mut(written) {
            *end = 0;
        }
        written > 0
    }
}

/// How many processors the process may use.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

/// Starts a thread of the library's own. No signals come to threads here, so
/// there is nothing to keep from it.
pub fn spawn(builder: Builder, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    builder.spawn(body)
}

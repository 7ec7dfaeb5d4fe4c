//! Processes on Windows: handles, which the system's own threads wait for, to
//! tell the loop. Whoever may open a process may ask how it ended, so it need be
//! no child of this one; and a number means the same process for as long as
//! somebody has a handle.

use super::Children;
use super::status::{RUNNING, Status, UNKNOWN};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::Remote;
use crate::memory::{try_arc, try_box};
use crate::platform::process::{SIGBREAK, SIGKILL, SIGTERM};
use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_INVALID_PARAMETER, HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessId, INFINITE, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, RegisterWaitForSingleObject, TerminateProcess, UnregisterWaitEx,
    WT_EXECUTEONLYONCE, WaitForSingleObject,
};

/// With which code a process ends that is ended by force, as in Python.
const ENDED_BY_FORCE: u32 = 1;

/// How long the system's thread pauses while there is no memory to tell.
const PAUSE: Duration = Duration::from_millis(10);

/// Refers to a process and never to another one that gets its number.
pub type Pidfd = Arc<Process>;

/// A process, and perhaps a wait for its end.
pub struct Process {
    handle: OwnedHandle,
    wait: Mutex<Option<Wait>>,
}

/// A wait of the system's. Dropped, it is over: the loop is told nothing any more,
/// but for what is being told at that moment.
struct Wait {
    handle: HANDLE,
    teller: *const Teller,
}

// SAFETY: a handle may be used by any thread, and so may the teller.
unsafe impl Send for Wait {}

/// What the system's thread needs to tell the loop.
struct Teller {
    event_loop: Remote,
    pid: i32,
    /// One of the four below.
    state: AtomicU8,
}

/// The process has not ended yet, as far as is known.
const WAITING: u8 = 0;
/// The loop is being told, and with it its host, who may wait for anybody.
const TELLING: u8 = 1;
/// The loop was told.
const TOLD: u8 = 2;
/// Nobody wants to know any more. If that comes while the loop is told, whoever
/// tells it has the teller.
const OVER: u8 = 3;

impl Process {
    /// A handle with the rights to wait and to ask, and to end it for `send_signal`.
    pub fn new(handle: OwnedHandle) -> Result<Pidfd> {
        try_arc(Process { handle, wait: Mutex::new(None) })
    }

    fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }

    fn has_ended(&self) -> bool {
        // SAFETY: our own handle; this does not wait.
        unsafe { WaitForSingleObject(self.raw(), 0) == WAIT_OBJECT_0 }
    }

    fn set_wait(&self, wait: Option<Wait>) {
        let mut place = self.wait.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = std::mem::replace(&mut *place, wait);
        drop(place);
        drop(before);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The handle must outlive the wait.
        self.set_wait(None);
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // SAFETY: registered once, and unregistered once: here. What is being told
        // is not waited for: its host may wait for this thread. The process has
        // ended then, so its handle is needed no more. Otherwise nothing is left
        // for `tell` to do, so the second argument has this wait until it has
        // returned. If that failed, it could still run: then its data stays.
        unsafe {
            if (*self.teller).state.swap(OVER, SeqCst) == TELLING {
                UnregisterWaitEx(self.handle, std::ptr::null_mut());
            } else if UnregisterWaitEx(self.handle, INVALID_HANDLE_VALUE) != 0 {
                drop(Box::from_raw(self.teller.cast_mut()));
            }
        }
    }
}

/// The process has ended. Runs in a thread of the system's.
unsafe extern "system" fn tell(teller: *mut c_void, _timed_out: bool) {
    let teller = teller.cast::<Teller>();
    // SAFETY: the wait keeps it until the loop was told, or leaves it to us.
    let Teller { event_loop, pid, state } = unsafe { &*teller };
    if state.compare_exchange(WAITING, TELLING, SeqCst, SeqCst).is_err() {
        return;
    }
    let pid = *pid;
    let tell = || {
        let remote = event_loop.clone();
        let look = Callback::once(move || {
            if let Some(children) = remote.find_attachment::<Children>() {
                children.look(pid);
            }
        })?;
        event_loop.call_soon_threadsafe(look, false)
    };
    while tell() == Err(Error::NO_MEMORY) && state.load(SeqCst) != OVER {
        std::thread::sleep(PAUSE);
    }
    if state.compare_exchange(TELLING, TOLD, SeqCst, SeqCst).is_err() {
        // SAFETY: the wait is over, and has left it to us.
        drop(unsafe { Box::from_raw(teller) });
    }
}

impl Children {
    /// The loop looks once the process has ended.
    pub(super) fn see(self: &Arc<Self>, pid: i32, process: Option<&Pidfd>) -> Result<()> {
        let process = process.ok_or(Error::Internal)?;
        let teller = Teller { event_loop: self.event_loop.remote(), pid, state: WAITING.into() };
        let teller = Box::into_raw(try_box(teller)?);
        let mut handle = std::ptr::null_mut();
        // SAFETY: the process's handle and `teller` outlive the wait.
        let registered = unsafe {
            RegisterWaitForSingleObject(
                &mut handle,
                process.raw(),
                Some(tell),
                teller.cast(),
                INFINITE,
                WT_EXECUTEONLYONCE,
            )
        };
        if registered == 0 {
            let error = io::Error::last_os_error();
            // SAFETY: nobody else has seen it.
            drop(unsafe { Box::from_raw(teller) });
            return Err(error.into());
        }
        process.set_wait(Some(Wait { handle, teller }));
        Ok(())
    }

    /// It does so no more.
    pub(super) fn blind(&self, process: &Pidfd) {
        process.set_wait(None);
    }
}

/// Opens a process. The way of waiting makes no difference here.
pub fn open(pid: i32) -> Result<Option<Pidfd>> {
    let rights = PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
    // SAFETY: any number may be asked for; the handle is ours.
    let handle = unsafe { OpenProcess(rights, 0, pid as u32) };
    if handle.is_null() {
        let error = io::Error::last_os_error();
        return Err(match error.raw_os_error() {
            Some(code) if code == ERROR_INVALID_PARAMETER as i32 => Error::Sys(libc::ESRCH),
            _ => error.into(),
        });
    }
    // SAFETY: as above.
    Process::new(unsafe { OwnedHandle::from_raw_handle(handle) }).map(Some)
}

/// Asks how it ended.
pub fn reap(_pid: i32, process: Option<&Process>) -> Status {
    let Some(process) = process else { return Status::Ended(UNKNOWN) };
    if !process.has_ended() {
        return Status::Running;
    }
    let mut code = 0;
    // SAFETY: our own handle and our own number.
    match unsafe { GetExitCodeProcess(process.raw(), &mut code) } {
        0 => Status::Ended(UNKNOWN),
        // All 32 bits may be used; one of these numbers means something else to us.
        _ => Status::Ended(Some(code as i32).filter(|code| *code != RUNNING).unwrap_or(UNKNOWN)),
    }
}

/// Waits for the end of a process that nobody watches.
pub fn take_status(_pid: i32, process: Option<&Process>) {
    if let Some(process) = process {
        // SAFETY: our own handle.
        unsafe { WaitForSingleObject(process.raw(), INFINITE) };
    }
}

/// There are no signals between processes. As in Python, SIGTERM and SIGKILL end
/// it by force, and SIGBREAK is Ctrl-Break for a process that leads a group; 0
/// does nothing.
pub fn send_signal(_pid: i32, process: Option<&Process>, signum: i32) -> Result<()> {
    let Some(process) = process else { return Err(Error::Sys(libc::ESRCH)) };
    let done = match signum {
        0 => return Ok(()),
        // SAFETY: our own handle.
        SIGKILL | SIGTERM => unsafe { TerminateProcess(process.raw(), ENDED_BY_FORCE) },
        // SAFETY: no memory is involved; the handle keeps the number.
        SIGBREAK => unsafe {
            GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, GetProcessId(process.raw()))
        },
        1..=64 => return Err(Error::Unsupported("Windows cannot send this signal")),
        _ => return Err(Error::Sys(libc::EINVAL)),
    };
    let error = io::Error::last_os_error();
    // What has ended cannot be ended; the loop will see it.
    if done != 0 || process.has_ended() { Ok(()) } else { Err(error.into()) }
}

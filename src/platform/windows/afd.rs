//! Readiness of sockets, as the driver behind all of them tells it: a poll is a
//! request like any other, and its end comes through a completion port.
//!
//! The request is not documented, but WSAPoll is made of it, and so is everything
//! else that waits for more sockets than `select` can.

use super::errno::errno_of;
use super::fd::RawFd;
use super::socket::{handle, is_open, keep_socket_error};
use libc::c_int;
use std::cell::UnsafeCell;
use std::mem::{MaybeUninit, zeroed};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{FILE_OPEN, NtCancelIoFileEx, NtCreateFile};
use windows_sys::Wdk::System::IO::NtDeviceIoControlFile;
use windows_sys::Win32::Foundation::{
    CloseHandle, GetLastError, HANDLE, INVALID_HANDLE_VALUE, NTSTATUS, RtlNtStatusToDosError,
    STATUS_CANCELLED, STATUS_PENDING, UNICODE_STRING, WAIT_TIMEOUT,
};
use windows_sys::Win32::Networking::WinSock as c;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_SHARE_READ, FILE_SHARE_WRITE, SYNCHRONIZE, SetFileCompletionNotificationModes,
};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatusEx, IO_STATUS_BLOCK, OVERLAPPED_ENTRY,
    PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::WindowsProgramming::FILE_SKIP_SET_EVENT_ON_HANDLE;

/// What can be polled for, and what a poll tells.
pub mod event {
    /// Bytes or a datagram came.
    pub const RECEIVE: u32 = 0x001;
    /// There is room to send, or the connection stands.
    pub const SEND: u32 = 0x004;
    /// The peer will send no more.
    pub const DISCONNECT: u32 = 0x008;
    /// The connection was reset.
    pub const ABORT: u32 = 0x010;
    /// The socket was closed here.
    pub const LOCAL_CLOSE: u32 = 0x020;
    /// A connection waits to be accepted.
    pub const ACCEPT: u32 = 0x080;
    /// Connecting failed.
    pub const CONNECT_FAIL: u32 = 0x100;
}

const IOCTL_AFD_POLL: u32 = 0x0001_2024;

#[repr(C)]
struct PollInfo {
    timeout: i64,
    count: u32,
    exclusive: u32,
    socket: c::SOCKET,
    events: u32,
    status: NTSTATUS,
}

/// A poll of one socket. While it is under way it belongs to the kernel: it must
/// neither move nor be freed until its end came through the port.
#[repr(C)]
pub struct Request {
    status: UnsafeCell<IO_STATUS_BLOCK>,
    info: UnsafeCell<PollInfo>,
}

/// How a poll ended.
pub enum End {
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed,
    /// With these events.
    Events(u32),
}

impl Request {
    /// One that was not made yet.
    pub fn new() -> Self {
        // SAFETY: all zeroes are valid for these plain structs.
        unsafe { Request { status: zeroed(), info: zeroed() } }
    }

    /// How it ended, once its end came through the port.
    pub fn end(&self) -> End {
        // SAFETY: the kernel is done with it.
        unsafe {
            match (*self.status.get()).Anonymous.Status {
                STATUS_CANCELLED => End::Cancelled,
                status if status < 0 => End::Failed,
                _ if (*self.info.get()).count == 0 => End::Events(0),
                _ => End::Events((*self.info.get()).events),
            }
        }
    }
}

/// A socket as the driver knows it: what others have put around it is not there.
#[derive(Clone, Copy)]
pub struct BaseSocket(c::SOCKET);

impl BaseSocket {
    /// That of a number; `EBADF` or `ENOTSOCK` as an errno.
    pub fn of(fd: RawFd) -> Result<Self, c_int> {
        // Not every system refuses below.
        if !is_open(fd) {
            return Err(super::errno());
        }
        let mut base: c::SOCKET = 0;
        let mut count = 0;
        let size = size_of::<c::SOCKET>() as u32;
        let place = (&raw mut base).cast();
        // SAFETY: the place has the size that is said; any number may be asked about.
        let result = unsafe {
            let call = c::SIO_BASE_HANDLE;
            c::WSAIoctl(handle(fd), call, null(), 0, place, size, &mut count, null_mut(), None)
        };
        if result == 0 {
            return Ok(BaseSocket(base));
        }
        keep_socket_error(fd);
        match super::errno() {
            errno @ (libc::EBADF | libc::ENOTSOCK) => Err(errno),
            // Some providers refuse to say; then the driver must.
            _ => Ok(BaseSocket(handle(fd))),
        }
    }
}

/// A completion port that somebody else owns.
#[derive(Clone, Copy)]
pub struct Port(HANDLE);

/// What came through a port.
pub type Completion = MaybeUninit<OVERLAPPED_ENTRY>;

impl Port {
    /// Makes one: its number, which is the caller's to close; or an error of the
    /// system's.
    pub fn open() -> Result<RawFd, c_int> {
        // A thread that once waited here counts as one that works for the port, for as
        // long as it keeps a processor: it must not hold up the loop in another thread.
        const AS_MANY_AS_WANT: u32 = u32::MAX;
        // SAFETY: makes a handle, which is the caller's.
        unsafe {
            let none = null_mut();
            let port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, none, 0, AS_MANY_AS_WANT);
            // As of every handle, 32 bits of it count.
            if port.is_null() { Err(GetLastError() as c_int) } else { Ok(port as usize as RawFd) }
        }
    }

    /// That of a number.
    ///
    /// # Safety
    /// It is a port's, which stays open for as long as this or a copy is used.
    pub unsafe fn borrow(number: RawFd) -> Self {
        Port(handle(number) as HANDLE)
    }

    /// Ends a wait, or the next one, with a completion that is no request's. False
    /// without memory.
    pub fn post(self) -> bool {
        // SAFETY: the port is open.
        unsafe { PostQueuedCompletionStatus(self.0, 0, 0, null()) != 0 }
    }

    /// Gives its number back.
    ///
    /// # Safety
    /// It is the caller's to close.
    pub unsafe fn close(self) {
        // SAFETY: as promised.
        unsafe { CloseHandle(self.0) };
    }

    /// Waits for the ends of requests: how many came. Negative: without limit.
    pub fn wait(self, room: &mut [Completion], timeout_ms: i64) -> Result<usize, c_int> {
        const FOREVER: u32 = u32::MAX;
        let timeout = u32::try_from(timeout_ms).map_or(FOREVER, |ms| ms.min(FOREVER - 1));
        let (place, length) = (room.as_mut_ptr().cast(), room.len() as u32);
        let mut count = 0;
        // SAFETY: there is room for `length` of them.
        unsafe {
            if GetQueuedCompletionStatusEx(self.0, place, length, &mut count, timeout, 0) != 0 {
                return Ok(count as usize);
            }
            match GetLastError() {
                WAIT_TIMEOUT => Ok(0),
                error => Err(errno_of(error as i32)),
            }
        }
    }
}

/// Whose end came; null if it is a post.
///
/// # Safety
/// A port's `wait` has filled it.
pub unsafe fn request_of(completion: &Completion) -> *mut Request {
    // SAFETY: as promised; every request has itself as its context.
    unsafe { completion.assume_init_ref().lpOverlapped.cast() }
}

/// A door to the driver.
pub struct Driver(OwnedHandle);

impl Driver {
    /// A new one, whose requests end at this port; or an errno.
    pub fn open(port: Port) -> Result<Self, c_int> {
        // The part after the driver's name is anybody's choice.
        const NAME: &[u8] = b"\\Device\\Afd\\coloop";
        let mut name: [u16; NAME.len()] = std::array::from_fn(|index| u16::from(NAME[index]));
        let size = size_of_val(&name) as u16;
        let name = UNICODE_STRING { Length: size, MaximumLength: size, Buffer: name.as_mut_ptr() };
        // SAFETY: everything that is pointed to lives here; the handle is ours.
        unsafe {
            let mut attributes: OBJECT_ATTRIBUTES = zeroed();
            attributes.Length = size_of::<OBJECT_ATTRIBUTES>() as u32;
            attributes.ObjectName = &name;
            let mut status: IO_STATUS_BLOCK = zeroed();
            let mut driver = null_mut();
            let result = NtCreateFile(
                &mut driver,
                SYNCHRONIZE,
                &attributes,
                &mut status,
                null(),
                0,
                FILE_SHARE_READ | FILE_SHARE_WRITE,
                FILE_OPEN,
                0,
                null(),
                0,
            );
            if result != 0 {
                return Err(errno_of_status(result));
            }
            let driver = Driver(OwnedHandle::from_raw_handle(driver));
            let handle = driver.0.as_raw_handle();
            if CreateIoCompletionPort(handle, port.0, 0, 0).is_null() {
                return Err(last_errno());
            }
            // Nobody waits for the handle itself.
            SetFileCompletionNotificationModes(handle, FILE_SKIP_SET_EVENT_ON_HANDLE as u8);
            Ok(driver)
        }
    }

    /// Begins to poll a socket; the end comes through the port, or it could not
    /// be begun, with an errno.
    ///
    /// # Safety
    /// The request is not under way, and stays where it is until its end came.
    pub unsafe fn poll(
        &self,
        request: *mut Request,
        socket: BaseSocket,
        events: u32,
    ) -> Result<(), c_int> {
        // SAFETY: as promised.
        unsafe {
            let status = (*request).status.get();
            let info = (*request).info.get();
            (*status).Anonymous.Status = STATUS_PENDING;
            let (socket, timeout) = (socket.0, i64::MAX);
            info.write(PollInfo { timeout, count: 1, exclusive: 0, socket, events, status: 0 });
            let size = size_of::<PollInfo>() as u32;
            let result = NtDeviceIoControlFile(
                self.0.as_raw_handle(),
                null_mut(),
                None,
                request.cast_const().cast(),
                status,
                IOCTL_AFD_POLL,
                info.cast(),
                size,
                info.cast(),
                size,
            );
            // Also what is ready at once comes through the port.
            if result >= 0 { Ok(()) } else { Err(errno_of_status(result)) }
        }
    }

    /// Asks for the end of a poll, which comes in any case.
    ///
    /// # Safety
    /// The request was begun with this driver, and its end did not come yet.
    pub unsafe fn cancel(&self, request: *mut Request) {
        // SAFETY: as promised. One that has just ended is not found.
        unsafe {
            let mut status: IO_STATUS_BLOCK = zeroed();
            NtCancelIoFileEx(self.0.as_raw_handle(), (*request).status.get(), &mut status);
        }
    }
}

fn last_errno() -> c_int {
    // SAFETY: a plain call.
    errno_of(unsafe { GetLastError() } as i32)
}

fn errno_of_status(status: NTSTATUS) -> c_int {
    // SAFETY: a plain call.
    errno_of(unsafe { RtlNtStatusToDosError(status) } as i32)
}

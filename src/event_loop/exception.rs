//! asyncio's `call_exception_handler`: where failures go that nobody waits for.

use super::EventLoop;
use crate::callback::{CallbackFn, UserData};
use crate::context;
use crate::error::{Error, Result};
use crate::platform::process;
use crate::ready_queue::Decoded;
use crate::text::Text;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt::Write;
use std::sync::Arc;

/// What is known of a failure; the C struct of the same name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ExceptionContext {
    /// `sizeof` of this struct, as the caller knows it.
    pub size: usize,
    /// What happened; NULL reads as asyncio's default sentence.
    pub message: *const c_char,
    /// The failure's code, 0 if it has none.
    pub code: c_int,
    /// The failure's own text, or NULL.
    pub exception: *const c_char,
    /// The callback that failed, or NULL.
    pub callback: Option<CallbackFn>,
    /// Its user data.
    pub user_data: *mut c_void,
    /// Its handle, or 0.
    pub handle: u64,
    /// The descriptor it was called for, or -1.
    pub fd: c_int,
    /// The future or task it happened in, or NULL: an identity.
    pub future: *const c_void,
    /// The transport it happened in, or NULL: an identity.
    pub transport: *const c_void,
}

impl ExceptionContext {
    /// A record that says only what happened.
    pub fn new(message: &CStr) -> Self {
        ExceptionContext {
            size: size_of::<ExceptionContext>(),
            message: message.as_ptr(),
            code: 0,
            exception: std::ptr::null(),
            callback: None,
            user_data: std::ptr::null_mut(),
            handle: 0,
            fd: -1,
            future: std::ptr::null(),
            transport: std::ptr::null(),
        }
    }
}

/// A host's handler.
pub struct ExceptionHandler {
    /// What to call.
    pub func: unsafe extern "C-unwind" fn(*const EventLoop, *const ExceptionContext, *mut c_void),
    /// Passed to it.
    pub user_data: UserData,
}

// SAFETY: called on the loop's thread only.
unsafe impl Send for ExceptionHandler {}
unsafe impl Sync for ExceptionHandler {}

/// The callback that runs now: function, data, handle, descriptor.
pub type Identity = (CallbackFn, *mut c_void, u64, c_int);

impl EventLoop {
    /// Sets the handler; none means the default one.
    pub fn set_exception_handler(&self, handler: Option<Arc<ExceptionHandler>>) -> Result<()> {
        self.check()?;
        let old = std::mem::replace(&mut self.enter()?.core().hooks.exception, handler);
        drop(old);
        Ok(())
    }

    /// Gives a failure to the handler.
    pub fn call_exception_handler(&self, record: &ExceptionContext) -> Result<()> {
        self.check()?;
        self.report(record)
    }

    /// The same for services, which may have something to report while the loop
    /// closes. A loop that is closed has the default handler.
    pub fn report(&self, record: &ExceptionContext) -> Result<()> {
        let handler = self.hold()?.core().hooks.exception.clone();
        match handler {
            // SAFETY: the host's function with the host's data.
            Some(handler) => unsafe { (handler.func)(self, record, handler.user_data.get()) },
            None => default_exception_handler(record),
        }
        Ok(())
    }

    /// The running callback reports that it failed.
    pub fn callback_failed(&self, code: c_int, exception: *const c_char) -> Result<()> {
        self.check()?;
        let (callback, user_data, handle, fd) = match self.enter()?.core().identity() {
            Some((callback, user_data, handle, fd)) => (Some(callback), user_data, handle, fd),
            None => return Err(Error::NoRunning),
        };
        self.call_exception_handler(&ExceptionContext {
            code,
            exception,
            callback,
            user_data,
            handle,
            fd,
            ..ExceptionContext::new(c"Exception in callback")
        })
    }
}

impl super::Core {
    /// Which callback runs now?
    pub(super) fn identity(&self) -> Option<Identity> {
        let current = &self.current;
        let (func, data, handle, fd) = match (current.callback, current.entry?.decode()) {
            (Some((func, data)), _) => (func, data, current.handle, current.fd),
            (None, Decoded::Plain(func, data)) => (func, data, 0, -1),
            (None, Decoded::Keyed(..)) => return None,
        };
        let (func, data) = context::identify(func, data);
        Some((func, data, handle, fd))
    }
}

/// asyncio's default handler: the message, then `key: value` sorted, on stderr.
pub fn default_exception_handler(record: &ExceptionContext) {
    // SAFETY: the record's strings are NULL or C strings that live for the call.
    let text = |pointer: *const c_char| {
        (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy())
    };
    let mut out = Text::<2048>::new();
    let message = text(record.message);
    let message = message.as_deref().unwrap_or("Unhandled exception in event loop");
    let _ = out.write_str(message);
    if let Some(callback) = record.callback {
        let _ = write!(out, "\ncallback: {:p}", callback as *const ());
    }
    if record.code != 0 {
        let _ = write!(out, "\ncode: {}", record.code);
    }
    if let Some(exception) = text(record.exception) {
        let _ = write!(out, "\nexception: {exception}");
    }
    if record.fd >= 0 {
        let _ = write!(out, "\nfd: {}", record.fd);
    }
    if !record.future.is_null() {
        let _ = write!(out, "\nfuture: {:p}", record.future);
    }
    if record.handle != 0 {
        let _ = write!(out, "\nhandle: {:#x}", record.handle);
    }
    if !record.transport.is_null() {
        let _ = write!(out, "\ntransport: {:p}", record.transport);
    }
    if record.callback.is_some() {
        let _ = write!(out, "\nuser_data: {:p}", record.user_data);
    }
    write_stderr(out);
}

/// One write, so that lines of several threads do not mix.
pub fn write_stderr(line: Text<2048>) {
    process::write_stderr(Text::<2049>::of(format_args!("{line}\n")).as_bytes());
}

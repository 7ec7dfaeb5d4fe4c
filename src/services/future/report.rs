//! Reports of what nobody asked for.

use crate::error::Error;
use crate::event_loop::{EventLoop, ExceptionContext, default_exception_handler};
use std::ffi::CStr;

/// Reports a failure to the loop's exception handler; where that cannot be
/// called, to the default one.
pub fn report(event_loop: &EventLoop, message: &CStr, code: i32, exception: Option<&CStr>) {
    report_record(
        event_loop,
        &ExceptionContext {
            code,
            exception: exception.map_or(std::ptr::null(), CStr::as_ptr),
            ..ExceptionContext::new(message)
        },
    );
}

/// The same for a whole record.
pub fn report_record(event_loop: &EventLoop, record: &ExceptionContext) {
    match event_loop.report(record) {
        Ok(()) | Err(Error::Forked(_)) => {}
        Err(_) => default_exception_handler(record),
    }
}

//! Error codes, their texts, and the last failure of each thread.

use crate::error::Error;
use crate::last_error;
use crate::platform;
use crate::text::Text;
use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};

/// The loop was closed: "Event loop is closed".
pub const LOOP_ECLOSED: c_int = -1001;
/// The loop runs: it cannot run twice, nor be closed while it runs.
pub const LOOP_ERUNNING: c_int = -1002;
/// Another loop runs in this thread.
pub const LOOP_EOTHER_RUNNING: c_int = -1003;
/// No loop runs in this thread.
pub const LOOP_ENO_RUNNING: c_int = -1004;
/// This thread has no current loop.
pub const LOOP_ENO_CURRENT: c_int = -1005;
/// The call belongs to the loop's own thread.
pub const LOOP_EWRONG_THREAD: c_int = -1006;
/// The future, task or other object belongs to another loop.
pub const LOOP_EWRONG_LOOP: c_int = -1007;
/// The loop was inherited through fork.
pub const LOOP_EFORKED: c_int = -1008;
/// The handle has run or was forgotten.
pub const LOOP_ESTALE: c_int = -1009;
/// An argument cannot be used.
pub const LOOP_EINVAL: c_int = -1010;
/// This platform, or this kind of object, cannot do it.
pub const LOOP_ENOTSUP: c_int = -1011;
/// A defect of the library, caught at its boundary.
pub const LOOP_EINTERNAL: c_int = -1012;
/// A future is done already, or is not done yet.
pub const LOOP_EINVALID_STATE: c_int = -1013;
/// What was awaited was cancelled: asyncio's CancelledError.
pub const LOOP_ECANCELLED: c_int = -1014;
/// The loop was stopped before the future it ran for was done.
pub const LOOP_ESTOPPED: c_int = -1015;
/// The executor was shut down.
pub const LOOP_ESHUTDOWN: c_int = -1016;
/// The host's own code raised an exception of its language, for which there is no
/// other code: its text and loop_future_exception_data say more.
pub const LOOP_EEXCEPTION: c_int = -1017;

thread_local! {
    static TEXT: RefCell<Text<{ last_error::LENGTH }>> = const { RefCell::new(Text::new()) };
}

/// Remembers a failure that has a message of its own; to be returned as it is.
#[cold]
pub(super) fn failed(code: c_int, message: Option<&CStr>) -> Error {
    // SAFETY: loop_strerror yields static strings.
    let text = message.unwrap_or_else(|| unsafe { CStr::from_ptr(loop_strerror(code)) });
    last_error::failed(code, text)
}

/// Remembers a failure for `loop_last_error`; returns its code.
pub(super) fn set_last_error(error: Error) -> c_int {
    last_error::set(error)
}

/// What an error code means, in English; never NULL. Static: valid for ever.
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn loop_strerror(code: c_int) -> *const c_char {
    let text = match code {
        0.. => c"Success",
        LOOP_ECLOSED => c"Event loop is closed",
        LOOP_ERUNNING => c"This event loop is already running",
        LOOP_EOTHER_RUNNING => c"Cannot run the event loop while another loop is running",
        LOOP_ENO_RUNNING => c"no running event loop",
        LOOP_ENO_CURRENT => c"There is no current event loop in this thread",
        LOOP_EWRONG_THREAD => {
            c"Non-thread-safe operation invoked on an event loop other than the current one"
        }
        LOOP_EWRONG_LOOP => c"The object belongs to a different loop",
        LOOP_EFORKED => c"The loop was inherited through fork",
        LOOP_ESTALE => c"The handle has already run or was forgotten",
        LOOP_EINVAL => c"Invalid argument to a loop function",
        LOOP_ENOTSUP => c"Operation not supported",
        LOOP_EINTERNAL => c"Internal error in coloop",
        LOOP_EINVALID_STATE => c"invalid state",
        LOOP_ECANCELLED => c"The future was cancelled",
        LOOP_ESTOPPED => c"Event loop stopped before Future completed.",
        LOOP_ESHUTDOWN => c"Executor shutdown has been called",
        LOOP_EEXCEPTION => c"An exception was raised",
        _ => match crate::services::dns::error_text(code) {
            Some(text) => text,
            None => return platform::strerror(code.wrapping_neg()),
        },
    };
    text.as_ptr()
}

/// The message of this thread's last failed call, in asyncio's own words where
/// it has them; "" before any failure. Borrowed: valid until the next failing
/// call of this library on this thread, or the next loop_last_error.
#[unsafe(no_mangle)]
pub extern "C" fn loop_last_error() -> *const c_char {
    let Some(message) = last_error::text() else {
        return c"".as_ptr();
    };
    TEXT.try_with(|text| {
        *text.borrow_mut() = message;
        text.borrow().as_ptr()
    })
    .unwrap_or(c"".as_ptr())
}

versioned!("loop_strerror", "loop_last_error");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_and_the_library_agree_on_codes() {
        let pairs = [
            (Error::Closed, LOOP_ECLOSED),
            (Error::Running, LOOP_ERUNNING),
            (Error::CloseWhileRunning, LOOP_ERUNNING),
            (Error::OtherRunning, LOOP_EOTHER_RUNNING),
            (Error::NoRunning, LOOP_ENO_RUNNING),
            (Error::NoCurrent, LOOP_ENO_CURRENT),
            (Error::WrongThread, LOOP_EWRONG_THREAD),
            (Error::WrongLoop, LOOP_EWRONG_LOOP),
            (Error::Forked(1), LOOP_EFORKED),
            (Error::Stale, LOOP_ESTALE),
            (Error::Invalid(""), LOOP_EINVAL),
            (Error::Unsupported(""), LOOP_ENOTSUP),
            (Error::Internal, LOOP_EINTERNAL),
            (Error::InvalidState(""), LOOP_EINVALID_STATE),
            (Error::Cancelled, LOOP_ECANCELLED),
            (Error::Stopped, LOOP_ESTOPPED),
            (Error::Shutdown, LOOP_ESHUTDOWN),
        ];
        for (error, code) in pairs {
            assert_eq!(error.code(), code);
        }
    }
}

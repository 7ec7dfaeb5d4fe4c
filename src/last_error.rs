//! What a thread's last failed call said.

use crate::error::Error;
use crate::text::Text;
use std::cell::{Cell, RefCell};
use std::ffi::CStr;

/// The length of a message that is kept.
pub const LENGTH: usize = 256;

thread_local! {
    static LAST: Cell<Option<Error>> = const { Cell::new(None) };
    /// The message of an `Error::Failed`.
    static OWN_TEXT: RefCell<Text<LENGTH>> = const { RefCell::new(Text::new()) };
}

/// Remembers a failure; returns its code.
#[cold]
pub fn set(error: Error) -> i32 {
    let _ = LAST.try_with(|last| last.set(Some(error)));
    error.code()
}

/// A failure whose message is not that of its code; to be given to `set`.
#[cold]
pub fn failed(code: i32, message: &CStr) -> Error {
    let _ = OWN_TEXT.try_with(|text| *text.borrow_mut() = Text::of_c_str(message));
    Error::Failed(code)
}

/// Forgets it.
#[inline]
pub fn clear() {
    let _ = LAST.try_with(|last| last.set(None));
}

/// Its code; 0 if there is none.
pub fn code() -> i32 {
    LAST.try_with(Cell::get).ok().flatten().map_or(0, Error::code)
}

/// Its message; none before any failure.
pub fn text() -> Option<Text<LENGTH>> {
    match LAST.try_with(Cell::get).ok().flatten()? {
        error @ Error::Failed(_) => {
            let own = OWN_TEXT.try_with(|own| Text::of(&*own.borrow()));
            Some(own.unwrap_or_else(|_| Text::of(error)))
        }
        error => Some(Text::of(error)),
    }
}

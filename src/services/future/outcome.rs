//! How a future ended.

use crate::callback::{DestroyFn, UserData};
use crate::error::{Error, Result};
use crate::memory::{copy_text, probe, text_of, try_arc};
use std::alloc::Layout;
use std::ffi::{CStr, CString, c_void};
use std::sync::Arc;

/// A failure: asyncio's exception.
pub struct Failure {
    /// Its public code, negative.
    pub code: i32,
    /// Its text; none means the one of the code.
    pub message: Option<CString>,
    /// What a host attached to it, such as an exception of its language.
    pub payload: UserData,
}

/// How a future ended.
pub enum Outcome {
    /// With a result.
    Result(UserData),
    /// With a result that other futures have, too.
    Shared(Arc<UserData>),
    /// With a failure.
    Failed(Arc<Failure>),
    /// With a failure of which there is only the code: there was no memory for
    /// more.
    Code(i32),
    /// By being cancelled, with a message.
    Cancelled(Option<CString>),
}

impl Outcome {
    /// A result that needs no destructor.
    pub fn number(value: usize) -> Self {
        Outcome::Result(UserData::new(value as *mut c_void, None))
    }

    /// A result that is a value of ours, read by a pointer to it.
    pub fn value<T: 'static>(value: Box<T>) -> Self {
        unsafe extern "C-unwind" fn free<T>(data: *mut c_void) {
            // SAFETY: made below, freed once.
            drop(unsafe { Box::from_raw(data.cast::<T>()) });
        }
        Outcome::Result(UserData::new(Box::into_raw(value).cast(), Some(free::<T>)))
    }

    /// One of our own failures, in its own words.
    pub fn error(error: Error) -> Self {
        match error {
            Error::Cancelled => Outcome::Cancelled(None),
            // Its text is the one of the code.
            Error::Failed(code) if code == Error::Cancelled.code() => Outcome::Cancelled(None),
            Error::Failed(code) => Outcome::failure(code, None),
            error => Outcome::failure(error.code(), text_of(error)),
        }
    }

    /// A failure by code and text; without memory by its code.
    pub fn failure(code: i32, message: Option<CString>) -> Self {
        let payload = UserData::new(std::ptr::null_mut(), None);
        match try_arc(Failure { code, message, payload }) {
            Ok(failure) => Outcome::Failed(failure),
            Err(_) => Outcome::Code(code),
        }
    }

    /// 0, the failure's code, or the code of a cancellation.
    pub fn code(&self) -> i32 {
        match self {
            Outcome::Result(_) | Outcome::Shared(_) => 0,
            Outcome::Failed(failure) => failure.code,
            Outcome::Code(code) => *code,
            Outcome::Cancelled(_) => Error::Cancelled.code(),
        }
    }

    /// The text of a failure or a cancellation.
    pub fn message(&self) -> Option<&CStr> {
        match self {
            Outcome::Result(_) | Outcome::Shared(_) | Outcome::Code(_) => None,
            Outcome::Failed(failure) => failure.message.as_deref(),
            Outcome::Cancelled(message) => message.as_deref(),
        }
    }

    /// Is it a failure, and no cancellation?
    pub fn is_failure(&self) -> bool {
        matches!(self, Outcome::Failed(_) | Outcome::Code(_))
    }

    /// The result, or null.
    pub fn result(&self) -> *mut c_void {
        match self {
            Outcome::Result(data) => data.get(),
            Outcome::Shared(data) => data.get(),
            _ => std::ptr::null_mut(),
        }
    }

    /// How the host destroys its part of this: a result, or what it attached to a
    /// failure.
    pub fn destroy_fn(&self) -> Option<DestroyFn> {
        match self {
            Outcome::Result(data) => data.destroy_fn(),
            Outcome::Shared(data) => data.destroy_fn(),
            Outcome::Failed(failure) => failure.payload.destroy_fn(),
            Outcome::Code(_) | Outcome::Cancelled(_) => None,
        }
    }

    /// The same for another future: what it holds is then shared, and ends with
    /// the last of them.
    pub(super) fn share(&mut self) -> Result<Outcome> {
        if let Outcome::Result(data) = self
            && !data.is_plain()
        {
            probe(Layout::new::<[usize; 4]>())?;
            let data = std::mem::replace(data, UserData::new(std::ptr::null_mut(), None));
            *self = Outcome::Shared(Arc::new(data));
        }
        Ok(match self {
            Outcome::Result(data) => Outcome::number(data.get() as usize),
            Outcome::Shared(data) => Outcome::Shared(data.clone()),
            Outcome::Failed(failure) => Outcome::Failed(failure.clone()),
            Outcome::Code(code) => Outcome::Code(*code),
            Outcome::Cancelled(message) => {
                Outcome::Cancelled(message.as_deref().and_then(|text| copy_text(text).ok()))
            }
        })
    }
}

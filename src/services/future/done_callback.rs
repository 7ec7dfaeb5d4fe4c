//! What is called when a future is done.

use super::{Future, Token};
use crate::callback::{Callback, UserData};
use crate::context::Context;
use crate::error::Result;
use std::ffi::c_void;
use std::sync::Arc;

/// A host's done-callback.
pub type DoneFn = unsafe extern "C-unwind" fn(*const Future, *mut c_void);

/// Somebody who waits for one future at a time and keeps it: a task.
pub trait Waiter: Send + Sync {
    /// What the loop is to run when the future is done.
    fn wake(self: Arc<Self>) -> Callback;
}

/// Whom to tell.
pub enum DoneCallback {
    /// The host.
    Host(DoneFn, UserData),
    /// Another service.
    Service(Box<dyn FnOnce(&Arc<Future>)>),
    /// A task.
    Waiter(Arc<dyn Waiter>),
}

impl DoneCallback {
    pub(super) fn is_host(&self, func: DoneFn, data: *mut c_void) -> bool {
        match self {
            DoneCallback::Host(own, user_data) => {
                *own as usize == func as usize && user_data.get() == data
            }
            _ => false,
        }
    }

    pub(super) fn is_service(&self) -> bool {
        matches!(self, DoneCallback::Service(_))
    }

    /// What the loop is to run; it keeps the future alive until then.
    fn into_callback(self, future: Arc<Future>) -> Result<Callback> {
        match self {
            DoneCallback::Host(func, data) => Callback::once(move || {
                // SAFETY: the host's function with the host's data, which ends
                // after it.
                unsafe { func(Arc::as_ptr(&future), data.get()) }
            }),
            DoneCallback::Service(func) => Callback::once(move || func(&future)),
            DoneCallback::Waiter(waiter) => Ok(waiter.wake()),
        }
    }
}

/// A done-callback that waits.
pub(super) struct Registered {
    pub callback: DoneCallback,
    pub context: Option<Context>,
    pub token: Token,
}

impl Registered {
    /// What the loop is to run.
    pub fn into_callback(self, future: Arc<Future>) -> Result<Callback> {
        let callback = self.callback.into_callback(future)?;
        match self.context {
            Some(context) => context.wrap(callback),
            None => Ok(callback),
        }
    }
}

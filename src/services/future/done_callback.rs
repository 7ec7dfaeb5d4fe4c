//! What is called when a future is done.

use super::{Future, Token};
use crate::callback::{Callback, UserData};
use crate::context::Context;
use std::ffi::c_void;
use std::sync::Arc;

/// A host's done-callback.
pub type DoneFn = unsafe extern "C-unwind" fn(*const Future, *mut c_void);

/// Somebody who waits for one future at a time and keeps it: a task.
pub trait Waiter: Send + Sync {
    /// What the loop is to run when the future is done; it may count on the
    /// waiter to live until then, or until the loop has closed.
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
    /// What the loop is to run already, but could not take.
    Ready(Callback),
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
}

/// A done-callback that waits.
pub(super) struct Registered {
    pub callback: DoneCallback,
    pub context: Option<Context>,
    pub token: Token,
}

impl Registered {
    /// What the loop is to run; it keeps the future alive until then. Without
    /// memory all comes back.
    pub fn into_callback(self, future: Arc<Future>) -> std::result::Result<Callback, Registered> {
        match self {
            Registered { callback: DoneCallback::Ready(callback), .. } => Ok(callback),
            Registered { callback: DoneCallback::Waiter(waiter), context: None, .. } => {
                Ok(waiter.wake())
            }
            other => Callback::once_with((other, future), |(registered, future)| {
                registered.tell(&future)
            })
            .map_err(|(registered, _)| registered),
        }
    }

    fn tell(self, future: &Arc<Future>) {
        let callback = self.callback;
        let call = || match callback {
            DoneCallback::Host(func, data) => {
                // SAFETY: the host's function with the host's data, which ends
                // after it.
                unsafe { func(Arc::as_ptr(future), data.get()) };
                Some(data)
            }
            DoneCallback::Service(func) => {
                func(future);
                None
            }
            DoneCallback::Waiter(waiter) => {
                waiter.clone().wake().call();
                None
            }
            DoneCallback::Ready(callback) => {
                callback.call();
                None
            }
        };
        // The data ends outside of the context, as that of other callbacks.
        let data = match &self.context {
            Some(context) => context.run(call),
            None => call(),
        };
        drop(data);
    }
}

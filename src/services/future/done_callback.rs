//! What is called when a future is done.

use super::{Future, Token};
use crate::callback::{Callback, UserData};
use crate::context::Context;
use crate::error::Result;
use std::ffi::c_void;
use std::sync::Arc;

/// A host's done-callback.
pub type DoneFn = unsafe extern "C-unwind" fn(*const Future, *mut c_void);

/// Whom to tell.
pub enum DoneCallback {
    /// The host.
    Host(DoneFn, UserData),
    /// Another service.
    Service(Box<dyn FnOnce(&Arc<Future>)>),
}

impl DoneCallback {
    pub(super) fn is_host(&self, func: DoneFn, data: *mut c_void) -> bool {
        match self {
            DoneCallback::Host(own, user_data) => {
                *own as usize == func as usize && user_data.get() == data
            }
            DoneCallback::Service(_) => false,
        }
    }

    fn call(self, future: &Arc<Future>) {
        match self {
            // SAFETY: the host's function with the host's data, which ends after it.
            DoneCallback::Host(func, data) => unsafe { func(Arc::as_ptr(future), data.get()) },
            DoneCallback::Service(func) => func(future),
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
    /// What the loop is to run; it keeps the future alive until then.
    pub fn into_callback(self, future: Arc<Future>) -> Result<Callback> {
        let Registered { callback, context, .. } = self;
        let callback = Callback::once(move || callback.call(&future))?;
        match context {
            Some(context) => context.wrap(callback),
            None => Ok(callback),
        }
    }
}

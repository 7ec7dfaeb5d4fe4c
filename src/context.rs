//! asyncio's `context=`: a callback wrapped so that the host's hooks run around
//! it. The wrapper is an ordinary callback, so the loop knows nothing of it.

use crate::callback::{Callback, CallbackFn, DestroyFn, UserData};
use crate::error::Result;
use crate::memory::try_box;
use std::{ffi::c_void, sync::Arc};

type ContextHook =
    Option<unsafe extern "C-unwind" fn(context: *mut c_void, user_data: *mut c_void)>;

/// How a host enters, leaves and releases a context.
pub struct ContextHooks {
    /// Yields the caller's present context, for calls that name none.
    pub capture: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void) -> *mut c_void>,
    /// Makes a context current.
    pub enter: ContextHook,
    /// Ends what `enter` began.
    pub exit: ContextHook,
    /// Drops one reference to a context.
    pub release: ContextHook,
    /// Passed to each hook.
    pub user_data: UserData,
}

// SAFETY: the hooks are the host's, registered for use on the loop's thread; the
// Arc only moves between threads inside callbacks that the host posted itself.
unsafe impl Send for ContextHooks {}
unsafe impl Sync for ContextHooks {}

/// A context reference, released when dropped.
pub struct Context {
    hooks: Arc<ContextHooks>,
    context: *mut c_void,
}

impl Context {
    /// Takes charge of one reference.
    pub fn new(hooks: Arc<ContextHooks>, context: *mut c_void) -> Self {
        Context { hooks, context }
    }

    /// Makes `inner` run inside this context. Without memory both end here.
    pub fn wrap(self, inner: Callback) -> Result<Callback> {
        let raw = Box::into_raw(try_box(InContext { inner, context: self })?);
        Ok(Callback::new(run, UserData::new(raw.cast(), Some(destroy as DestroyFn))))
    }

    /// Runs `body` inside this context; for what comes back to it many times.
    pub fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        self.call(self.hooks.enter);
        let result = body();
        self.call(self.hooks.exit);
        result
    }

    fn call(&self, hook: ContextHook) {
        if let Some(hook) = hook {
            // SAFETY: the host's hook with the host's own arguments.
            unsafe { hook(self.context, self.hooks.user_data.get()) }
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.call(self.hooks.release);
    }
}

struct InContext {
    inner: Callback,
    context: Context,
}

unsafe extern "C-unwind" fn run(data: *mut c_void) {
    // SAFETY: `wrap` is the only maker of callbacks with this function.
    let wrapped = unsafe { &*data.cast::<InContext>() };
    wrapped.context.call(wrapped.context.hooks.enter);
    wrapped.inner.call();
    wrapped.context.call(wrapped.context.hooks.exit);
}

unsafe extern "C-unwind" fn destroy(data: *mut c_void) {
    // SAFETY: called once, by the wrapper's UserData.
    drop(unsafe { Box::from_raw(data.cast::<InContext>()) });
}

/// Sees through the wrapper, for reports that name a callback.
pub fn identify(func: CallbackFn, data: *mut c_void) -> (CallbackFn, *mut c_void) {
    if func as usize == run as *const () as usize {
        // SAFETY: the function proves what the data is.
        unsafe { &*data.cast::<InContext>() }.inner.parts()
    } else {
        (func, data)
    }
}

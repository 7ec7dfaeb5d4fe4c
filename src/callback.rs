//! A callback with its user data and destructor, which runs exactly once: when
//! the `Callback` is dropped, whatever path led there.
//!
//! A destructor is foreign code that may call back into the loop. Whoever drops
//! a `Callback` must hold no reference into the loop's state at that moment.

use crate::error::{Error, Result};
use crate::memory::box_or_back;
use std::ffi::c_void;
use std::sync::Arc;

/// The C function of a callback.
pub type CallbackFn = unsafe extern "C-unwind" fn(*mut c_void);
/// The C function that ends user data's life.
pub type DestroyFn = unsafe extern "C-unwind" fn(*mut c_void);

/// User data that is destroyed when dropped.
pub struct UserData {
    data: *mut c_void,
    destroy: Option<DestroyFn>,
}

impl UserData {
    /// Takes charge of `data`.
    #[inline]
    pub fn new(data: *mut c_void, destroy: Option<DestroyFn>) -> Self {
        UserData { data, destroy }
    }

    /// The pointer as the host gave it.
    #[inline]
    pub fn get(&self) -> *mut c_void {
        self.data
    }

    /// How it will be destroyed.
    pub fn destroy_fn(&self) -> Option<DestroyFn> {
        self.destroy
    }

    /// Does nobody have to be told when this ends?
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.destroy.is_none()
    }
}

impl Drop for UserData {
    #[inline]
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy.take() {
            // SAFETY: the host gave the pair; `take` makes this the only call.
            unsafe { destroy(self.data) }
        }
    }
}

/// A function to call later, with the data it owns.
pub struct Callback {
    func: CallbackFn,
    user_data: UserData,
}

impl Callback {
    /// Joins a function and its data.
    #[inline]
    pub fn new(func: CallbackFn, user_data: UserData) -> Self {
        Callback { func, user_data }
    }

    /// Calls `func` on a shared value, for code of the library's own. `func`
    /// must be a function or a closure that captures nothing.
    pub fn on<T: Send + Sync + 'static, F: Fn(&Arc<T>) + Copy + 'static>(
        target: Arc<T>,
        func: F,
    ) -> Self {
        const { assert!(size_of::<F>() == 0, "the function must be known by its type") };
        let _ = func;
        unsafe extern "C-unwind" fn call<T, F: Fn(&Arc<T>) + Copy>(data: *mut c_void) {
            // SAFETY: the data is what `on` put there and stays until `release`;
            // a value without size can be made of nothing.
            unsafe {
                let target =
                    std::mem::ManuallyDrop::new(Arc::from_raw(data.cast::<T>().cast_const()));
                let func: F = std::ptr::NonNull::<F>::dangling().as_ptr().read();
                func(&target);
            }
        }
        unsafe extern "C-unwind" fn release<T>(data: *mut c_void) {
            // SAFETY: the reference that `on` left.
            drop(unsafe { Arc::from_raw(data.cast::<T>().cast_const()) });
        }
        let data = Arc::into_raw(target).cast_mut().cast();
        Callback::new(call::<T, F>, UserData::new(data, Some(release::<T>)))
    }

    /// Calls a closure once; later calls do nothing. For code of the library's
    /// own.
    pub fn once<F: FnOnce() + 'static>(func: F) -> Result<Self> {
        Self::once_with(func, |func| func()).map_err(|_| Error::NO_MEMORY)
    }

    /// Calls `func` on `value` once, which comes back without memory. For code of
    /// the library's own.
    pub fn once_with<T: 'static>(value: T, func: fn(T)) -> std::result::Result<Self, T> {
        struct Call<T>(Option<(T, fn(T))>);
        unsafe extern "C-unwind" fn call<T>(data: *mut c_void) {
            // SAFETY: made below, and alive until `release`; taken out before the
            // function runs, so it may end anything it likes.
            if let Some((value, func)) = unsafe { (*data.cast::<Call<T>>()).0.take() } {
                func(value);
            }
        }
        unsafe extern "C-unwind" fn release<T>(data: *mut c_void) {
            // SAFETY: once, for what was made below.
            drop(unsafe { Box::from_raw(data.cast::<Call<T>>()) });
        }
        match box_or_back(Call(Some((value, func)))) {
            Ok(made) => {
                let user_data = UserData::new(Box::into_raw(made).cast(), Some(release::<T>));
                Ok(Callback::new(call::<T>, user_data))
            }
            Err(Call(Some((value, _)))) => Err(value),
            Err(Call(None)) => unreachable!("made above"),
        }
    }

    /// Function and data, to tell callbacks apart and to call without the
    /// `Callback` at hand.
    #[inline]
    pub fn parts(&self) -> (CallbackFn, *mut c_void) {
        (self.func, self.user_data.get())
    }

    /// Is there no destructor?
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.user_data.is_plain()
    }

    /// Moves the callback to the heap and gives its address, or gives it back
    /// when memory ran out.
    pub fn into_raw(self) -> std::result::Result<*mut Callback, Callback> {
        let layout = std::alloc::Layout::new::<Callback>();
        // SAFETY: the layout is not zero-sized; the memory is written before use.
        unsafe {
            let place = std::alloc::alloc(layout).cast::<Callback>();
            if place.is_null() {
                return Err(self);
            }
            place.write(self);
            Ok(place)
        }
    }

    /// Takes back what `into_raw` gave.
    ///
    /// # Safety
    /// `raw` comes from `into_raw`, and this is the only call for it.
    pub unsafe fn from_raw(raw: *mut Callback) -> Callback {
        *unsafe { Box::from_raw(raw) }
    }

    /// Calls the function; the data stays alive until `self` is dropped.
    #[inline]
    pub fn call(&self) {
        // SAFETY: the host promised that the function may be called with its data.
        unsafe { (self.func)(self.user_data.get()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    unsafe extern "C-unwind" fn bump(data: *mut c_void) {
        let count = unsafe { &*data.cast::<Cell<u32>>() };
        count.set(count.get() + 1);
    }

    #[test]
    fn the_destructor_runs_once_and_only_on_drop() {
        let count = Cell::new(0);
        let data = (&raw const count).cast_mut().cast();
        let callback = Callback::new(bump, UserData::new(data, Some(bump)));
        callback.call();
        assert_eq!(count.get(), 1);
        drop(callback);
        assert_eq!(count.get(), 2);
    }
}

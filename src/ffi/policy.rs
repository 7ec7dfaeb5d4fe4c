//! Policies: which loop is this thread's.

use super::error::set_last_error;
use super::guard::{guard, guard_or, store};
use super::types::loop_destroy_t;
use super::types::loop_t;
use crate::callback::UserData;
use crate::error::Error;
use crate::event_loop::{EventLoop, LoopRef};
use crate::memory::try_arc;
use crate::policy::{self, Failure, Functions, HostResult, Mode, Policy};
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// A policy. Opaque and reference-counted.
pub struct policy_t(#[allow(dead_code)] Policy);

/// The main thread gets a loop made for it until somebody sets one (or none).
pub const POLICY_LEGACY: c_int = 0;
/// No loop is ever made that was not asked for.
pub const POLICY_STRICT: c_int = 1;

/// What a host's policy does. Every function is needed; each returns 0 or a
/// negative code, which is passed on.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct policy_vtable_t {
    /// sizeof(policy_vtable_t).
    pub size: usize,
    /// Yields the calling thread's loop, which stays the policy's.
    pub get_event_loop: Option<
        unsafe extern "C-unwind" fn(user_data: *mut c_void, ret_loop: *mut *mut loop_t) -> c_int,
    >,
    /// Makes `loop` (or none: NULL) the calling thread's; takes a reference of
    /// its own if it keeps it.
    pub set_event_loop:
        Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, r#loop: *mut loop_t) -> c_int>,
    /// Makes a loop, which becomes the caller's.
    pub new_event_loop: Option<
        unsafe extern "C-unwind" fn(user_data: *mut c_void, ret_loop: *mut *mut loop_t) -> c_int,
    >,
}

pub(super) fn code(failure: Failure) -> c_int {
    match failure {
        Failure::Ours(error) => set_last_error(error),
        Failure::Host(code) => code,
    }
}

fn answer(ret_loop: *mut *mut loop_t, get: impl FnOnce() -> HostResult<*const EventLoop>) -> c_int {
    guard(|| {
        if ret_loop.is_null() {
            return Err(Error::Invalid("ret_loop is NULL"));
        }
        match get() {
            Ok(found) => unsafe { store(ret_loop, found.cast_mut().cast()).map(|()| 0) },
            Err(failure) => Ok(code(failure)),
        }
    })
}

unsafe fn loop_ref_of(r#loop: *mut loop_t) -> Option<LoopRef> {
    let event_loop = r#loop.cast_const().cast::<EventLoop>();
    (!event_loop.is_null()).then(|| unsafe { LoopRef::another(event_loop) })
}

unsafe fn policy_of<'a>(pointer: *const policy_t) -> Result<&'a Policy, Error> {
    unsafe { pointer.cast::<Policy>().as_ref() }.ok_or(Error::Invalid("policy is NULL"))
}

/// This thread's loop in *ret_loop: the running one if there is one, else the
/// policy's. Borrowed: valid until the thread's loop is set anew. In LEGACY mode
/// the main thread gets a new loop if nothing was ever set.
/// LOOP_ENO_CURRENT if there is none, LOOP_EINVAL, or a host policy's code.
/// [any thread] asyncio: get_event_loop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_get_event_loop(ret_loop: *mut *mut loop_t) -> c_int {
    answer(ret_loop, policy::get_event_loop)
}

/// Makes `loop` this thread's loop, which takes a reference; NULL for none. The
/// same loop may be set in several threads. 0 or a host policy's code.
/// [any thread] asyncio: set_event_loop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_set_event_loop(r#loop: *mut loop_t) -> c_int {
    guard(|| {
        let event_loop = unsafe { loop_ref_of(r#loop) };
        Ok(policy::get()?.set_event_loop(event_loop).map_or_else(code, |()| 0))
    })
}

/// A new loop by the policy in *ret_loop, with one reference. It is not set.
/// [any thread] asyncio: new_event_loop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_new_event_loop(ret_loop: *mut *mut loop_t) -> c_int {
    answer(ret_loop, || policy::get()?.new_event_loop())
}

/// Sets the default policy's mode, POLICY_LEGACY or POLICY_STRICT, for the
/// process. LOOP_EINVAL. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn policy_set_mode(mode: c_int) -> c_int {
    guard(|| {
        policy::set_mode(match mode {
            POLICY_LEGACY => Mode::Legacy,
            POLICY_STRICT => Mode::Strict,
            _ => return Err(Error::Invalid("unknown policy mode")),
        });
        Ok(0)
    })
}

/// The default policy's mode. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn policy_get_mode() -> c_int {
    match policy::mode() {
        Mode::Legacy => POLICY_LEGACY,
        Mode::Strict => POLICY_STRICT,
    }
}

/// A policy of the host's functions (copied) in *ret_policy, with one reference.
/// `destroy` runs when the policy ends, or when this fails. LOOP_EINVAL for
/// NULL, a wrong size or a missing function. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_new(
    vtable: *const policy_vtable_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_policy: *mut *mut policy_t,
) -> c_int {
    guard(|| {
        let user_data = UserData::new(user_data, destroy);
        if ret_policy.is_null() {
            return Err(Error::Invalid("ret_policy is NULL"));
        }
        let vtable = match unsafe { vtable.as_ref() } {
            Some(vtable) if vtable.size == size_of::<policy_vtable_t>() => vtable,
            _ => return Err(Error::Invalid("vtable is NULL or its size is wrong")),
        };
        let (Some(get), Some(set), Some(new)) =
            (vtable.get_event_loop, vtable.set_event_loop, vtable.new_event_loop)
        else {
            return Err(Error::Invalid("the vtable lacks a function"));
        };
        // SAFETY: the types differ in a pointee's name only.
        let functions = unsafe {
            Functions {
                get: std::mem::transmute(get),
                set: std::mem::transmute(set),
                new: std::mem::transmute(new),
            }
        };
        let policy = try_arc(Policy::Host(functions, user_data))?;
        unsafe { store(ret_policy, Arc::into_raw(policy).cast_mut().cast())? };
        Ok(0)
    })
}

/// Takes one more reference; returns `policy`. NULL is allowed. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_ref(policy: *mut policy_t) -> *mut policy_t {
    if !policy.is_null() {
        unsafe { Arc::increment_strong_count(policy.cast::<Policy>()) };
    }
    policy
}

/// Gives one reference back. NULL is allowed. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_unref(policy: *mut policy_t) {
    if !policy.is_null() {
        guard(|| {
            unsafe { Arc::decrement_strong_count(policy.cast::<Policy>()) };
            Ok(0)
        });
    }
}

/// Makes `policy` the process's (it takes a reference); NULL restores the
/// default one. [any thread] asyncio: set_event_loop_policy().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_set(policy: *mut policy_t) -> c_int {
    guard(|| {
        let raw = unsafe { policy_ref(policy) }.cast_const().cast::<Policy>();
        policy::set((!raw.is_null()).then(|| unsafe { Arc::from_raw(raw) }))?;
        Ok(0)
    })
}

/// The process's policy, the same pointer in every thread; borrowed: valid until
/// policy_set. [any thread] asyncio: get_event_loop_policy().
#[unsafe(no_mangle)]
pub extern "C" fn policy_get() -> *mut policy_t {
    guard_or(std::ptr::null_mut(), || Ok(Arc::as_ptr(&policy::get()?).cast_mut().cast()))
}

/// policy_get_event_loop of one policy, without asking what runs. LOOP_EINVAL.
/// asyncio: policy.get_event_loop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_object_get_event_loop(
    policy: *mut policy_t,
    ret_loop: *mut *mut loop_t,
) -> c_int {
    answer(ret_loop, || unsafe { policy_of(policy)? }.get_event_loop())
}

/// policy_set_event_loop of one policy. LOOP_EINVAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_object_set_event_loop(
    policy: *mut policy_t,
    r#loop: *mut loop_t,
) -> c_int {
    guard(|| {
        let policy = unsafe { policy_of(policy)? };
        let event_loop = unsafe { loop_ref_of(r#loop) };
        Ok(policy.set_event_loop(event_loop).map_or_else(code, |()| 0))
    })
}

/// policy_new_event_loop of one policy. LOOP_EINVAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn policy_object_new_event_loop(
    policy: *mut policy_t,
    ret_loop: *mut *mut loop_t,
) -> c_int {
    answer(ret_loop, || unsafe { policy_of(policy)? }.new_event_loop())
}

versioned!(
    "policy_get_event_loop",
    "policy_set_event_loop",
    "policy_new_event_loop",
    "policy_set_mode",
    "policy_get_mode",
    "policy_new",
    "policy_ref",
    "policy_unref",
    "policy_set",
    "policy_get",
    "policy_object_get_event_loop",
    "policy_object_set_event_loop",
    "policy_object_new_event_loop",
);

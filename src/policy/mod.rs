//! Which loop is this thread's: the running one, else the policy's. One policy
//! serves the process; the default one keeps a loop for each thread.

mod default;

pub use default::{Mode, mode, set_mode};

use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, LoopRef};
use crate::memory::try_arc;
use crate::platform::process;
use crate::running;
use parking_lot::{Mutex, MutexGuard, RawMutex, lock_api::RawMutex as _};
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// What a host's policy does. Each returns a public code, 0 or negative.
pub struct Functions {
    /// Yields the calling thread's loop, which stays the policy's.
    pub get: unsafe extern "C-unwind" fn(*mut c_void, *mut *mut EventLoop) -> c_int,
    /// Makes a loop (or none) the calling thread's.
    pub set: unsafe extern "C-unwind" fn(*mut c_void, *mut EventLoop) -> c_int,
    /// Makes a loop, which becomes the caller's.
    pub new: unsafe extern "C-unwind" fn(*mut c_void, *mut *mut EventLoop) -> c_int,
}

/// A policy: the default one, or a host's.
pub enum Policy {
    /// One loop a thread, see `default`.
    Default,
    /// The host's functions and their data.
    Host(Functions, UserData),
}

// SAFETY: the host's functions are registered for every thread of the process.
unsafe impl Send for Policy {}
unsafe impl Sync for Policy {}

/// A refusal of a host's policy keeps its own code.
pub type HostResult<T> = std::result::Result<T, Failure>;

/// Why a policy yielded nothing.
#[derive(Debug)]
pub enum Failure {
    /// Our own refusal.
    Ours(Error),
    /// The code of a host's function.
    Host(c_int),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Ours(error)
    }
}

static CURRENT: Mutex<Option<Arc<Policy>>> = Mutex::new(None);

/// The process's policy.
pub fn get() -> Result<Arc<Policy>> {
    let mut current = CURRENT.lock();
    if let Some(policy) = &*current {
        return Ok(policy.clone());
    }
    Ok(current.insert(try_arc(Policy::Default)?).clone())
}

/// Replaces the process's policy; none means the default one.
pub fn set(policy: Option<Arc<Policy>>) -> Result<()> {
    let new = policy.map_or_else(|| try_arc(Policy::Default), Ok)?;
    let old = CURRENT.lock().replace(new);
    drop(old);
    Ok(())
}

/// A child must find the lock free and the value whole, so the forking thread
/// holds it. No foreign code runs under it, so fork cannot be called there.
extern "C" fn hold_lock_across_fork() {
    unsafe extern "C" fn before() {
        let guard = CURRENT.lock();
        // SAFETY: the cell is touched only by whoever holds the lock.
        unsafe { *HELD.0.get() = Some(guard) };
    }
    unsafe extern "C" fn in_parent() {
        // SAFETY: locked by `before`, in this thread.
        let guard = unsafe { (*HELD.0.get()).take() };
        drop(guard);
    }
    unsafe extern "C" fn in_child() {
        // Unlocking would consult parking_lot's table of waiters, whose own
        // lock may have been held by a thread that no longer exists.
        // SAFETY: locked by `before`; the raw lock is all atomics, and this is
        // the only thread.
        unsafe {
            std::mem::forget((*HELD.0.get()).take());
            std::ptr::from_ref(CURRENT.raw()).cast_mut().write(RawMutex::INIT);
        }
    }
    process::at_fork(Some(before), Some(in_parent), Some(in_child));
}

at_load!(hold_lock_across_fork);

/// The lock's guard while a fork happens.
struct Held(UnsafeCell<Option<MutexGuard<'static, Option<Arc<Policy>>>>>);

// SAFETY: touched only by the thread that holds the lock.
unsafe impl Sync for Held {}

static HELD: Held = Held(UnsafeCell::new(None));

/// asyncio's `get_event_loop`: the running loop of this thread, else the
/// policy's. Borrowed: it stays whoever's it is.
pub fn get_event_loop() -> HostResult<*const EventLoop> {
    let running = running::get();
    if !running.is_null() {
        return Ok(running.cast());
    }
    get()?.get_event_loop()
}

impl Policy {
    /// The calling thread's loop, without asking what runs.
    pub fn get_event_loop(&self) -> HostResult<*const EventLoop> {
        match self {
            Policy::Default => Ok(default::get()?),
            Policy::Host(functions, data) => {
                let mut out = std::ptr::null_mut();
                // SAFETY: the host's function with the host's data.
                let code = unsafe { (functions.get)(data.get(), &mut out) };
                answered(code, out).map(<*mut _>::cast_const)
            }
        }
    }

    /// Makes `event_loop` the calling thread's.
    pub fn set_event_loop(&self, event_loop: Option<LoopRef>) -> HostResult<()> {
        match self {
            Policy::Default => {
                default::set(event_loop)?;
                Ok(())
            }
            Policy::Host(functions, data) => {
                let raw = event_loop.as_ref().map_or(std::ptr::null(), LoopRef::as_ptr);
                // SAFETY: as above; the host takes its own reference if it keeps the loop.
                match unsafe { (functions.set)(data.get(), raw.cast_mut()) } {
                    0.. => Ok(()),
                    code => Err(Failure::Host(code)),
                }
            }
        }
    }

    /// A new loop, the caller's own: an address from `LoopRef::into_raw`.
    pub fn new_event_loop(&self) -> HostResult<*const EventLoop> {
        match self {
            Policy::Default => Ok(default::new()?.into_raw()),
            Policy::Host(functions, data) => {
                let mut out = std::ptr::null_mut();
                // SAFETY: as above.
                let code = unsafe { (functions.new)(data.get(), &mut out) };
                answered(code, out).map(<*mut _>::cast_const)
            }
        }
    }
}

fn answered(code: c_int, out: *mut EventLoop) -> HostResult<*mut EventLoop> {
    match code {
        ..0 => Err(Failure::Host(code)),
        _ if out.is_null() => Err(Error::NoCurrent.into()),
        _ => Ok(out),
    }
}

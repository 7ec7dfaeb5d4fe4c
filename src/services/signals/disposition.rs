//! The process's dispositions: what was there before the first loop wanted a
//! signal comes back when the last one does not want it any more, unless the
//! host has put something else in its place.

use super::wire::{self, Wire};
use crate::error::{Error, Result};
use crate::fork_lock::ForkLock;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

const SIGNALS: usize = 65;

/// By signal number. A child that was forked in the middle of a change sees a
/// whole value or none, because `is_saved` is written last.
struct Saved {
    before: [MaybeUninit<libc::sigaction>; SIGNALS],
    is_saved: [AtomicBool; SIGNALS],
}

static SAVED: ForkLock<Saved> = ForkLock::new(Saved {
    before: [const { MaybeUninit::uninit() }; SIGNALS],
    is_saved: [const { AtomicBool::new(false) }; SIGNALS],
});

extern "C" fn on_signal(signum: libc::c_int) {
    wire::deliver_to_all(signum);
}

/// The address of our handler, as the kernel tells it.
fn ours() -> libc::sighandler_t {
    on_signal as extern "C" fn(libc::c_int) as usize
}

/// What happens on this signal now.
fn present(signum: i32) -> Result<libc::sigaction> {
    // SAFETY: plain data, filled in by the call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        match libc::sigaction(signum, std::ptr::null(), &mut action) {
            0 => Ok(action),
            _ => Err(Error::BadSignal(signum)),
        }
    }
}

/// Is this a signal that can be handled?
pub fn check(signum: i32) -> Result<()> {
    wire::check(signum)?;
    if [libc::SIGKILL, libc::SIGSTOP].contains(&signum) {
        return Err(Error::UncatchableSignal(signum));
    }
    present(signum).map(drop)
}

/// Does the process do on this signal what it does when nobody handles it?
pub fn is_default(signum: i32) -> Result<bool> {
    present(signum).map(|action| action.sa_sigaction == libc::SIG_DFL)
}

/// A wire for a loop.
pub fn acquire_wire() -> Result<&'static Wire> {
    SAVED.with(|_| Wire::acquire())
}

/// Lets this signal come through the wire.
pub fn subscribe(wire: &Wire, signum: i32) -> Result<()> {
    SAVED.with(|saved| {
        let before = present(signum)?;
        if before.sa_sigaction != ours() {
            // SAFETY: a whole action with a handler that is async-signal-safe.
            let changed = unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = ours();
                action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
                libc::sigemptyset(&mut action.sa_mask);
                // Wanted first, so that nothing between the two gets lost.
                wire.open(signum);
                libc::sigaction(signum, &action, std::ptr::null_mut())
            };
            if changed != 0 {
                wire.shut(signum);
                return Err(Error::BadSignal(signum));
            }
            let index = signum as usize;
            if let (Some(place), Some(flag)) =
                (saved.before.get_mut(index), saved.is_saved.get(index))
            {
                flag.store(false, Release);
                place.write(before);
                flag.store(true, Release);
            }
        }
        wire.open(signum);
        Ok(())
    })
}

/// Lets it come no more. The disposition goes back if nobody wants the signal.
pub fn unsubscribe(wire: &Wire, signum: i32) {
    SAVED.with(|saved| {
        wire.shut(signum);
        let is_ours = present(signum).is_ok_and(|action| action.sa_sigaction == ours());
        if wire::is_wanted(signum) || !is_ours {
            return;
        }
        let index = signum as usize;
        // SAFETY: zeroes are the default disposition; otherwise a whole action
        // that was in force before.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            if let (Some(place), Some(flag)) = (saved.before.get(index), saved.is_saved.get(index))
                && flag.swap(false, Acquire)
            {
                action = place.assume_init();
            }
            libc::sigaction(signum, &action, std::ptr::null_mut());
        }
    });
}

//! What the signal handler sees: a list of wires, one for each loop that wants
//! signals. A wire is a gate and a descriptor that wakes the loop.
//!
//! Who may touch what: wires are put at the head of the list, never taken out
//! and never freed; a loop that has done with its wire leaves it to the next.
//! Everything but `deliver_to_all` happens with the dispositions' lock held, or
//! by the loop that has the wire.

use super::gate::Gate;
use crate::error::{Error, Result};
use crate::fork_generation;
use crate::memory::try_box;
use crate::platform::fd::RawFd;
use crate::platform::{FdWake, process, sys};
use crate::wakeup::Wakeup;
use std::ptr;
use std::sync::atomic::{
    AtomicPtr, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, Ordering::SeqCst,
};

/// Nobody has the wire.
const FREE: u64 = 0;

static FIRST: AtomicPtr<Wire> = AtomicPtr::new(ptr::null_mut());

/// From the signal handler to one loop.
pub struct Wire {
    /// The fork generation of the loop that has it, or `FREE`.
    generation: AtomicU64,
    gate: Gate,
    wakeup: Wakeup<FdWake>,
    next: *const Wire,
}

// SAFETY: `next` never changes and points to what is never freed.
unsafe impl Send for Wire {}
unsafe impl Sync for Wire {}

/// All wires there are. Async-signal-safe.
fn all() -> impl Iterator<Item = &'static Wire> {
    let mut next = FIRST.load(Acquire).cast_const();
    std::iter::from_fn(move || {
        // SAFETY: wires are never freed.
        let wire = unsafe { next.as_ref() }?;
        next = wire.next;
        Some(wire)
    })
}

/// Tells every loop of this process that wants the signal. Async-signal-safe.
///
/// A signal to a forked child must not get to the parent through descriptors
/// that both have: wires of another generation are left alone. A child of
/// `vfork` shares the generation as well, but not the process id.
pub fn deliver_to_all(signum: i32) {
    let generation = fork_generation::raw();
    if generation == 0 || process::id() != fork_generation::pid() {
        return;
    }
    for wire in all() {
        if wire.generation.load(Acquire) == generation {
            wire.gate.deliver(bit(signum), || {
                wire.wakeup.write();
            });
        }
    }
}

/// Does any loop of this process want the signal?
pub fn is_wanted(signum: i32) -> bool {
    let generation = fork_generation::current();
    all().any(|wire| {
        wire.generation.load(Acquire) == generation && wire.gate.wanted() & bit(signum) != 0
    })
}

/// The signal in a set.
fn bit(signum: i32) -> u64 {
    1u64.checked_shl(signum.wrapping_sub(1) as u32).unwrap_or(0)
}

impl Wire {
    /// A wire for a loop. The caller holds the dispositions' lock.
    ///
    /// It is marked as taken before anything else is done to it, and as free
    /// after everything else: a child that is forked by another thread meanwhile
    /// sees the wire of somebody else, and leaves it alone.
    pub fn acquire() -> Result<&'static Wire> {
        let generation = fork_generation::current();
        let wire = match all().find(|wire| wire.generation.load(Acquire) == FREE) {
            Some(wire) => {
                wire.generation.store(generation, SeqCst);
                wire
            }
            None => {
                let wire = Box::leak(try_box(Wire {
                    generation: AtomicU64::new(generation),
                    gate: Gate::new(),
                    wakeup: Wakeup::new(),
                    next: FIRST.load(Relaxed),
                })?);
                FIRST.store(wire, Release);
                wire
            }
        };
        if let Err(error) = wire.wakeup.ensure() {
            wire.generation.store(FREE, Release);
            return Err(error);
        }
        Ok(wire)
    }

    /// The descriptor that becomes readable.
    pub fn fd(&self) -> Result<RawFd> {
        self.wakeup.ensure()
    }

    /// The signal is wanted from now on.
    pub fn open(&self, signum: i32) {
        self.gate.open(bit(signum));
    }

    /// The signal is not wanted any more; handlers that run are waited for.
    pub fn shut(&self, signum: i32) {
        self.gate.shut(bit(signum));
    }

    /// The next signal number that arrived, or none; the descriptor is not
    /// readable any more once there is none.
    pub fn arrived(&self) -> Arrived {
        if let Ok(fd) = self.wakeup.ensure() {
            let mut buffer = [0u8; 64];
            // SAFETY: our own non-blocking descriptor and our own buffer. A
            // socket is read until it is empty, an eventfd is so at once.
            while unsafe { sys::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) }
                == buffer.len() as isize
            {}
        }
        Arrived(self.gate.take())
    }

    /// Gives the wire back. In a forked child that does not touch what is
    /// shared with the parent.
    pub fn release(&self, forked: bool) {
        if forked {
            self.gate.renew();
        } else {
            self.gate.shut(u64::MAX);
        }
        self.wakeup.close(forked);
        self.generation.store(FREE, Release);
    }
}

/// Signal numbers, in ascending order.
pub struct Arrived(u64);

impl Iterator for Arrived {
    type Item = i32;

    fn next(&mut self) -> Option<i32> {
        if self.0 == 0 {
            return None;
        }
        let lowest = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(lowest as i32 + 1)
    }
}

/// Is this a number that a set can hold?
pub fn check(signum: i32) -> Result<()> {
    if bit(signum) == 0 || signum < 1 { Err(Error::BadSignal(signum)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_no_signals_are_refused() {
        for signum in [i32::MIN, -1, 0, 65, 999, i32::MAX] {
            assert_eq!(check(signum), Err(Error::BadSignal(signum)));
        }
        assert!(check(1).is_ok() && check(64).is_ok());
    }

    #[test]
    fn arrived_signals_come_in_ascending_order() {
        let signals: Vec<i32> = Arrived(bit(64) | bit(2) | bit(10)).collect();
        assert_eq!(signals, [2, 10, 64]);
    }
}

//! The loop's clock: monotonic nanoseconds, or the host's own function.

use crate::platform;
use std::ffi::c_void;

/// A host's clock: nanoseconds that never go back.
pub type ClockFn = unsafe extern "C-unwind" fn(*mut c_void) -> u64;

/// Where a loop reads the time.
#[derive(Clone, Copy)]
pub enum Clock {
    /// The system's: `CLOCK_MONOTONIC`, on Windows the performance counter.
    Monotonic,
    /// A function of the host, called with its data.
    Custom(ClockFn, *mut c_void),
}

impl Clock {
    /// Nanoseconds since an arbitrary start.
    #[inline]
    pub fn now(self) -> u64 {
        match self {
            Clock::Monotonic => platform::clock::monotonic(),
            // SAFETY: the host promised a function callable with its data for
            // the loop's life.
            Clock::Custom(read, data) => unsafe { read(data) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_never_goes_back() {
        let mut last = Clock::Monotonic.now();
        for _ in 0..10_000 {
            let now = Clock::Monotonic.now();
            assert!(now >= last);
            last = now;
        }
    }
}

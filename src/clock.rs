//! The loop's clock: monotonic nanoseconds, or the host's own function.

use std::ffi::c_void;

/// A host's clock: nanoseconds that never go back.
pub type ClockFn = unsafe extern "C-unwind" fn(*mut c_void) -> u64;

/// Where a loop reads the time.
#[derive(Clone, Copy)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`.
    Monotonic,
    /// A function of the host, called with its data.
    Custom(ClockFn, *mut c_void),
}

impl Clock {
    /// Nanoseconds since an arbitrary start.
    #[inline]
    pub fn now(self) -> u64 {
        match self {
            Clock::Monotonic => monotonic(),
            // SAFETY: the host promised a function callable with its data for
            // the loop's life.
            Clock::Custom(read, data) => unsafe { read(data) },
        }
    }
}

#[inline]
fn monotonic() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every supported system, and `time` is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
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

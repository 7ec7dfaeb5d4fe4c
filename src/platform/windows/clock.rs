//! The system's clock.

use std::sync::OnceLock;
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

/// Monotonic nanoseconds since an arbitrary start.
pub fn monotonic() -> u64 {
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    let frequency = *FREQUENCY.get_or_init(|| {
        let mut frequency = 0;
        // SAFETY: writes one number. Neither call fails on a system we run on.
        unsafe { QueryPerformanceFrequency(&mut frequency) };
        u64::try_from(frequency).unwrap_or(1).max(1)
    });
    let mut ticks = 0;
    // SAFETY: as above.
    unsafe { QueryPerformanceCounter(&mut ticks) };
    let ticks = u64::try_from(ticks).unwrap_or(0);
    // In two parts, for the product of the whole would not fit.
    let (seconds, rest) = (ticks / frequency, ticks % frequency);
    seconds * 1_000_000_000 + rest * 1_000_000_000 / frequency
}

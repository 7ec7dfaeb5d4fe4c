//! The library itself: its version and its identity.

use std::ffi::c_char;

/// The version as text, such as "0.1.0". Static. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn coloop_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The version as a number: major << 16 | minor << 8 | patch. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn coloop_version_number() -> u32 {
    const fn number(text: &str) -> u32 {
        let (bytes, mut value, mut i) = (text.as_bytes(), 0, 0);
        while i < bytes.len() {
            value = value * 10 + (bytes[i] - b'0') as u32;
            i += 1;
        }
        value
    }
    number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | number(env!("CARGO_PKG_VERSION_PATCH"))
}

/// A number that tells copies of the library in one process apart: two callers
/// that get the same number share loops and policy. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn coloop_instance_id() -> u64 {
    static MARK: u8 = 0;
    (&raw const MARK) as usize as u64
}

versioned!("coloop_version", "coloop_version_number", "coloop_instance_id");

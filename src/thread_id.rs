//! Which thread is this? Asked by every call of the hot path, so `current` is
//! one register read where the ABI offers one.

use crate::platform::thread;
use crate::text::Text;
use std::ffi::{CStr, c_char};

pub use crate::platform::thread::{id as current, is_main};

/// The thread's name as asyncio prints it: `MainThread`, or the OS's name.
pub fn current_name() -> Text<64> {
    if is_main() {
        return Text::of("MainThread");
    }
    let mut buffer = [0 as c_char; 64];
    match thread::name(&mut buffer) {
        // SAFETY: it ends with NUL, and lives here.
        true => Text::of_c_str(unsafe { CStr::from_ptr(buffer.as_ptr()) }),
        false => Text::of("unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_between_living_threads() {
        let here = current();
        assert_ne!(here, 0);
        assert_eq!(here, current());
        assert_ne!(here, std::thread::spawn(current).join().unwrap());
    }

    #[test]
    fn a_thread_is_called_by_its_os_name() {
        let name = std::thread::Builder::new()
            .name("worker-7".into())
            .spawn(current_name)
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(name.to_string(), "worker-7");
    }
}

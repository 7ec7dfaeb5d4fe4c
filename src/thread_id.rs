//! Which thread is this? One register read where the ABI offers one, because
//! every call of the hot path asks.

use crate::text::Text;

/// A number no other living thread has; never 0.
#[inline(always)]
pub fn current() -> usize {
    #[cfg(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64"))]
    {
        let id: usize;
        // SAFETY: the x86-64 psABI keeps the thread control block's own
        // address at fs:0; reading it has no other effect.
        unsafe {
            std::arch::asm!("mov {}, fs:0", out(reg) id,
                options(nostack, preserves_flags, readonly, pure))
        };
        id
    }
    #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
    {
        let id: usize;
        // SAFETY: tpidr_el0 holds the thread pointer on Linux; reading it is free of effects.
        unsafe {
            std::arch::asm!("mrs {}, tpidr_el0", out(reg) id, options(nostack, nomem, preserves_flags))
        };
        id
    }
    #[cfg(not(any(
        all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64"),
        all(target_os = "linux", target_arch = "aarch64")
    )))]
    {
        // SAFETY: pthread_self has no preconditions.
        unsafe { libc::pthread_self() as usize }
    }
}

/// Is this the thread the process started with (or forked with)?
pub fn is_main() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: both calls only read the caller's ids.
    unsafe {
        libc::syscall(libc::SYS_gettid) == libc::getpid() as libc::c_long
    }
    #[cfg(not(target_os = "linux"))]
    // SAFETY: reads the caller's identity only.
    unsafe {
        libc::pthread_main_np() != 0
    }
}

/// The thread's name as asyncio prints it: `MainThread`, or the OS's name.
pub fn current_name() -> Text<64> {
    if is_main() {
        return Text::of("MainThread");
    }
    let mut buffer = [0 as libc::c_char; 64];
    // SAFETY: the buffer's length is passed, and the result is NUL-terminated on success.
    let name = unsafe {
        if libc::pthread_getname_np(libc::pthread_self(), buffer.as_mut_ptr(), buffer.len()) != 0 {
            return Text::of("unknown");
        }
        std::ffi::CStr::from_ptr(buffer.as_ptr())
    };
    Text::of_c_str(name)
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

//! Threads: which one is this, is it the process's first, and new ones that get
//! no signals.

use std::ffi::c_char;
use std::io;
use std::thread::{Builder, JoinHandle};

/// A number no other living thread has; never 0. One register read where the
/// ABI offers one.
#[inline(always)]
pub fn id() -> usize {
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
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: both calls only read the caller's ids.
    unsafe {
        libc::syscall(libc::SYS_gettid) == libc::getpid() as libc::c_long
    }
    #[cfg(target_os = "netbsd")]
    // SAFETY: reads the caller's identity only. A process's first thread has this number.
    unsafe {
        libc::_lwp_self() == 1
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "netbsd")))]
    // SAFETY: reads the caller's identity only.
    unsafe {
        libc::pthread_main_np() != 0
    }
}

/// The system's name of this thread, as a C string; false if it has none.
pub fn name(buffer: &mut [c_char]) -> bool {
    #[cfg(target_os = "openbsd")]
    // SAFETY: the buffer's length is passed, and the result is NUL-terminated.
    unsafe {
        libc::pthread_get_name_np(libc::pthread_self(), buffer.as_mut_ptr(), buffer.len());
        true
    }
    #[cfg(not(target_os = "openbsd"))]
    // SAFETY: the buffer's length is passed, and the result is NUL-terminated on success.
    unsafe {
        libc::pthread_getname_np(libc::pthread_self(), buffer.as_mut_ptr(), buffer.len()) == 0
    }
}

/// How many processors the process may use. The standard library's answer takes
/// memory here, and aborts without.
#[cfg(target_os = "linux")]
pub fn processors() -> usize {
    // SAFETY: a set of bits may be all zero; the kernel is told its size.
    let count = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        match libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) {
            0 => libc::c_long::from(libc::CPU_COUNT(&set)),
            _ => libc::sysconf(libc::_SC_NPROCESSORS_ONLN), // more than fit into it
        }
    };
    usize::try_from(count).unwrap_or(1).max(1)
}

/// How many processors the process may use.
#[cfg(not(target_os = "linux"))]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

/// Starts a thread of the library's own: signals are for the host's threads.
/// Those that a fault raises stay: language runtimes live by them.
pub fn spawn(builder: Builder, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];
    let mask = SignalMask::block_all_but(&faults)?;
    let started = builder.spawn(body);
    drop(mask);
    started
}

/// No signal comes to this thread, and to those it starts, until this is dropped.
pub struct SignalMask(libc::sigset_t);

impl SignalMask {
    /// Blocks all signals but these.
    pub fn block_all_but(unblocked: &[i32]) -> io::Result<Self> {
        // SAFETY: plain data, filled in by the calls.
        unsafe {
            let mut blocked: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut blocked);
            for &signal in unblocked {
                libc::sigdelset(&mut blocked, signal);
            }
            match libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before) {
                0 => Ok(SignalMask(before)),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }
}

impl Drop for SignalMask {
    fn drop(&mut self) {
        // SAFETY: the mask that was there before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

//! Which side of how many forks are we on? A loop remembers the generation it
//! was made in; a different one means that it was inherited through fork.
//!
//! The number lives in a page that the kernel wipes in every forked child
//! (`MADV_WIPEONFORK`), so that a raw `clone` is noticed as well; a
//! `pthread_atfork` handler does the same where the kernel cannot. `vfork` and
//! `posix_spawn` share memory and run no handler: they change nothing here.
//!
//! Who may touch what: the page is written by the handler (the child has one
//! thread then) and by `renew`, which settles races with a compare-exchange.

use crate::thread_id;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering::Relaxed};

/// Generations lie above all addresses, so that the sum of a generation and a
/// thread id (see `runner_key`) means this thread of this process only.
const STEP: u64 = 1 << 48;

static FALLBACK: AtomicU64 = AtomicU64::new(0);
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new((&raw const FALLBACK).cast_mut());
static LAST: AtomicU64 = AtomicU64::new(0);
static PID: AtomicI32 = AtomicI32::new(0);
static INIT: Once = Once::new();

/// The page's content: the generation, or 0 right after a fork. A value equal
/// to a loop's own generation proves that the loop was not inherited.
#[inline(always)]
pub fn raw() -> u64 {
    // SAFETY: PAGE always points at a static or at a mapping that is never unmapped.
    unsafe { &*PAGE.load(Relaxed) }.load(Relaxed)
}

/// This process's generation, never 0.
#[inline]
pub fn current() -> u64 {
    match raw() {
        0 => renew(),
        generation => generation,
    }
}

/// What the running thread is known by: wrong in every other thread, and in the
/// same thread after a fork.
#[inline(always)]
pub fn runner_key() -> u64 {
    raw().wrapping_add(thread_id::current() as u64)
}

/// The process id this generation began with.
pub fn pid() -> i32 {
    current();
    PID.load(Relaxed)
}

#[cold]
fn renew() -> u64 {
    INIT.call_once(|| {
        map_wiped_page();
        // SAFETY: the handler is a plain function that touches one atomic.
        unsafe { libc::pthread_atfork(None, None, Some(forget)) };
    });
    // SAFETY: as in `raw`.
    let page = unsafe { &*PAGE.load(Relaxed) };
    let next = LAST.fetch_add(STEP, Relaxed).wrapping_add(STEP);
    // SAFETY: getpid has no preconditions.
    PID.store(unsafe { libc::getpid() }, Relaxed);
    match page.compare_exchange(0, next, Relaxed, Relaxed) {
        Ok(_) => next,
        Err(winner) => winner,
    }
}

unsafe extern "C" fn forget() {
    // SAFETY: as in `raw`; async-signal-safe.
    unsafe { &*PAGE.load(Relaxed) }.store(0, Relaxed);
}

fn map_wiped_page() {
    #[cfg(target_os = "linux")]
    // SAFETY: a fresh private mapping, used only if the kernel promised to wipe
    // it; zeroed memory is a valid AtomicU64.
    unsafe {
        let size = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        let page = libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return;
        }
        if libc::madvise(page, size, libc::MADV_WIPEONFORK) != 0 {
            libc::munmap(page, size);
            return;
        }
        PAGE.store(page.cast(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_has_another_generation() {
        let here = current();
        assert_eq!(here, current());
        // SAFETY: the child only reads atomics and exits.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                let fresh = raw() == 0 && current() != here && pid() == libc::getpid();
                libc::_exit(if fresh { 0 } else { 1 });
            }
            let mut status = 0;
            libc::waitpid(child, &mut status, 0);
            assert_eq!(status, 0);
        }
        assert_eq!(here, current());
    }
}

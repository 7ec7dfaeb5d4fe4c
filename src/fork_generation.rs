//! Which side of how many forks are we on? A loop remembers the generation it
//! was made in; a different one means that it was inherited through fork.
//!
//! The number lives in a page that the kernel wipes in every forked child
//! (`MADV_WIPEONFORK`), so that a raw `clone` is noticed as well; a
//! `pthread_atfork` handler does the same where the kernel cannot. `vfork` and
//! `posix_spawn` share memory and run no handler: they change nothing here. Where
//! there is no fork, there is one generation.
//!
//! Who may touch what: the page is written by the handler (the child has one
//! thread then) and by `renew`, which settles races with a compare-exchange.
//! Both helpers are asked for when the library is loaded: later, a fork by
//! another thread could come in between.

use crate::platform::process;
use crate::thread_id;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

/// Generations lie above all addresses, so that the sum of a generation and a
/// thread id (see `runner_key`) means this thread of this process only.
const STEP: u64 = 1 << 48;

/// The page, as large as the largest pages of the architecture.
#[cfg_attr(target_arch = "x86_64", repr(C, align(4096)))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C, align(65536)))]
struct Page {
    generation: AtomicU64,
}

static PAGE: Page = Page { generation: AtomicU64::new(0) };
static LAST: AtomicU64 = AtomicU64::new(0);
static PID: AtomicI32 = AtomicI32::new(0);

/// The page's content: the generation, or 0 right after a fork. A value equal
/// to a loop's own generation proves that the loop was not inherited.
#[inline(always)]
pub fn raw() -> u64 {
    PAGE.generation.load(Relaxed)
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
    let next = LAST.fetch_add(STEP, Relaxed).wrapping_add(STEP);
    PID.store(process::id(), Relaxed);
    match PAGE.generation.compare_exchange(0, next, Relaxed, Relaxed) {
        Ok(_) => next,
        Err(winner) => winner,
    }
}

at_load!(ask_to_be_told_of_forks);

extern "C" fn ask_to_be_told_of_forks() {
    unsafe extern "C" fn forget() {
        PAGE.generation.store(0, Relaxed);
    }
    process::at_fork(None, None, Some(forget));
    #[cfg(target_os = "linux")]
    // A static that is all zeroes lies in anonymous memory, which the kernel
    // can wipe. If it will not, the handler alone has to do.
    // SAFETY: the range is our static's own pages and nothing else's.
    unsafe {
        let page_size = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        if page_size != 0 && size_of::<Page>() % page_size == 0 {
            let address = (&raw const PAGE).cast_mut().cast();
            libc::madvise(address, size_of::<Page>(), libc::MADV_WIPEONFORK);
        }
    }
}

/// The standard library makes a key of pthreads' for the first thread-local with a
/// destructor. musl does that under a lock which a forked child may find taken
/// for ever, so it is done before there are threads.
#[cfg(target_env = "musl")]
mod key_of_destructors {
    struct Nothing;

    impl Drop for Nothing {
        fn drop(&mut self) {}
    }

    thread_local! {
        static NOTHING: Nothing = const { Nothing };
    }

    at_load!(make);

    extern "C" fn make() {
        let _ = NOTHING.try_with(|_| ());
    }
}

// There is no fork elsewhere.
#[cfg(all(test, unix))]
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

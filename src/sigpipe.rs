//! Calls that raise SIGPIPE where the system has no flag against it. The
//! process's handling of the signal is not touched.

use crate::platform::fd::RawFd;
#[cfg(all(unix, not(target_vendor = "apple")))]
use crate::platform::{errno, set_errno};

/// There is no such signal.
#[cfg(windows)]
pub fn without_sigpipe(_fd: RawFd, call: impl FnOnce() -> isize) -> isize {
    call()
}

/// Here the signal may go to any thread, but a descriptor can be told not to raise it.
#[cfg(target_vendor = "apple")]
pub fn without_sigpipe(fd: RawFd, call: impl FnOnce() -> isize) -> isize {
    // SAFETY: a plain call; any number may be spoken of.
    unsafe { libc::fcntl(fd, libc::F_SETNOSIGPIPE, 1) };
    call()
}

/// Runs `call`, which may raise SIGPIPE in this thread for a broken `fd`: nobody
/// gets to see that signal. One that was waiting already stays.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub fn without_sigpipe(_fd: RawFd, call: impl FnOnce() -> isize) -> isize {
    // SAFETY: all sets are initialised before they are read; the mask of this
    // thread is put back before anything else runs.
    unsafe {
        let mut handling: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGPIPE, std::ptr::null(), &mut handling) == 0
            && handling.sa_sigaction == libc::SIG_IGN
        {
            return call();
        }
        let mut set: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        let mut waiting: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGPIPE);
        libc::sigpending(&mut waiting);
        let waits = libc::sigismember(&waiting, libc::SIGPIPE) == 1;
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before);
        let result = call();
        let errno = errno();
        // Also after a success: the peer may have gone in the middle of the call.
        if !waits {
            take(&set);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        set_errno(errno);
        result
    }
}

/// Takes back a blocked signal of this set, if one waits.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd"
))]
#[cfg(not(backend = "poll"))]
unsafe fn take(set: &libc::sigset_t) {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both live for the call.
    while unsafe { libc::sigtimedwait(set, std::ptr::null_mut(), &at_once) } < 0
        && errno() == libc::EINTR
    {}
}

/// The same with POSIX's older calls. The signal is this thread's own, so nobody
/// takes it between the two.
#[cfg(any(backend = "poll", target_os = "openbsd", target_os = "dragonfly"))]
unsafe fn take(set: &libc::sigset_t) {
    // SAFETY: plain data, filled in by the calls.
    unsafe {
        let mut waiting: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&mut waiting);
        if libc::sigismember(&waiting, libc::SIGPIPE) == 1 {
            let mut signum = 0;
            libc::sigwait(set, &mut signum);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_broken_pipe_raises_no_signal() {
        // SAFETY: descriptors of this test's own; the default handling would
        // end the process.
        unsafe {
            let before = libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            let mut ends = [0; 2];
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            libc::close(ends[0]);
            let result = without_sigpipe(ends[1], || libc::write(ends[1], b"x".as_ptr().cast(), 1));
            assert_eq!((result, errno()), (-1, libc::EPIPE));
            let mut waiting: libc::sigset_t = std::mem::zeroed();
            libc::sigpending(&mut waiting);
            assert_eq!(libc::sigismember(&waiting, libc::SIGPIPE), 0);
            libc::close(ends[1]);
            libc::signal(libc::SIGPIPE, before);
        }
    }
}

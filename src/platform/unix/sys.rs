//! POSIX's names: libc's own, and what macOS lacks of them, in the same shape.
//! The build for a Unix that has nothing but POSIX (`backend = "poll"`) uses
//! the latter as well, so that they run where there is something better.

pub use libc::*;

#[cfg(any(target_vendor = "apple", backend = "poll"))]
pub use older::{SOCK_CLOEXEC, SOCK_NONBLOCK, accept4, pipe2, socket};

#[cfg(any(target_vendor = "apple", backend = "poll"))]
mod older {
    use std::ffi::c_int;

    /// Beyond all kinds of sockets, as the next one.
    pub const SOCK_CLOEXEC: c_int = 1 << 28;
    /// See there.
    pub const SOCK_NONBLOCK: c_int = 1 << 29;

    /// Like every function here: a program that another thread starts just now
    /// may inherit the descriptor, which is marked only after it was made.
    pub unsafe fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int {
        let plain = kind & !(SOCK_CLOEXEC | SOCK_NONBLOCK);
        // SAFETY: plain numbers.
        unsafe { marked(libc::socket(family, plain, protocol), kind) }
    }

    /// # Safety
    /// As `accept`.
    pub unsafe fn accept4(
        fd: c_int,
        address: *mut libc::sockaddr,
        length: *mut libc::socklen_t,
        flags: c_int,
    ) -> c_int {
        // SAFETY: as promised.
        unsafe { marked(libc::accept(fd, address, length), flags) }
    }

    /// # Safety
    /// There is room for two descriptors.
    pub unsafe fn pipe2(ends: *mut c_int, flags: c_int) -> c_int {
        // SAFETY: as promised; the new descriptors are nobody else's.
        unsafe {
            let result = libc::pipe(ends);
            if result == 0 && flags & libc::O_CLOEXEC != 0 {
                libc::fcntl(*ends, libc::F_SETFD, libc::FD_CLOEXEC);
                libc::fcntl(*ends.add(1), libc::F_SETFD, libc::FD_CLOEXEC);
            }
            result
        }
    }

    /// What the flags say, of a socket that was just made.
    unsafe fn marked(fd: c_int, flags: c_int) -> c_int {
        if fd < 0 {
            return fd;
        }
        // SAFETY: a descriptor of our own.
        unsafe {
            if flags & SOCK_CLOEXEC != 0 {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            }
            // An accepted socket may have inherited it.
            let wanted = if flags & SOCK_NONBLOCK != 0 { libc::O_NONBLOCK } else { 0 };
            let present = libc::fcntl(fd, libc::F_GETFL);
            if present & libc::O_NONBLOCK != wanted {
                libc::fcntl(fd, libc::F_SETFL, present & !libc::O_NONBLOCK | wanted);
            }
            #[cfg(target_vendor = "apple")]
            {
                // Older systems do not know MSG_NOSIGNAL.
                let yes: c_int = 1;
                let size = size_of::<c_int>() as libc::socklen_t;
                let value = (&raw const yes).cast();
                libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, value, size);
            }
        }
        fd
    }
}

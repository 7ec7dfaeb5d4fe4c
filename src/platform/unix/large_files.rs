//! Offsets, sizes and numbers of files have 64 bits, also in 32-bit programs,
//! whose C library has a second set of calls for that.

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(all(target_env = "gnu", target_pointer_width = "32"))
))]
pub use libc::sendfile;
#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "32")))]
pub use libc::{fstat, off_t, pread, stat};
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "32"))]
pub use libc::{
    fstat64 as fstat, off64_t as off_t, pread64 as pread, sendfile64 as sendfile, stat64 as stat,
};

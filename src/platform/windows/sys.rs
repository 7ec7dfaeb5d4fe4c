//! Types, constants and calls in POSIX's names and shape, on Winsock. Each call
//! answers as POSIX says, and leaves its error in `errno`.

pub use libc::*;

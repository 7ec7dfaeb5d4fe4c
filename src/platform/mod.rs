//! The platform contract: everything that systems do differently, and nothing
//! else knows on which one it runs.
//!
//! | what each platform supplies | Unix | Windows |
//! |---|---|---|
//! | `fd`: numbers of open files, owned and borrowed | the standard library's | numbers of sockets, which have 32 significant bits there |
//! | `sys`: types, constants and calls in POSIX's names | libc | Winsock in POSIX's shape; errno is the C runtime's |
//! | `wake_pair`: what is sent into the second end makes the first one readable | a pair of sockets, except on Linux | |
//! | `errno`, `set_errno`: what the last call of `sys` left behind | libc's variable | a variable of this thread's |

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;

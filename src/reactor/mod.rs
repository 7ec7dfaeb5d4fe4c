//! Readiness of descriptors, level-triggered. Registration goes through
//! `polling` on every Unix; how to wait differs: `epoll.rs` waits on polling's
//! epoll set itself, `portable.rs` leaves it to polling. `afd.rs` does both
//! itself, on Windows.
//!
//! The reactor returns keys and knows no callbacks. All promise what epoll
//! does: a number that was closed falls silent, and `modify` answers `ENOENT`
//! when it means another file than the one that was added.

#[cfg(backend = "iocp")]
mod afd;
#[cfg(backend = "epoll")]
mod deadline;
#[cfg(backend = "iocp")]
mod doors;
#[cfg(backend = "epoll")]
mod epoll;
#[cfg(not(backend = "iocp"))]
mod keys;
#[cfg(any(backend = "poll", backend = "kqueue"))]
mod portable;
#[cfg(backend = "epoll")]
mod wait;

#[cfg(any(backend = "poll", backend = "kqueue"))]
#[cfg_attr(backend = "poll", path = "known_by_file.rs")]
#[cfg_attr(backend = "kqueue", path = "known_by_kqueue.rs")]
mod known;

#[cfg(backend = "iocp")]
pub use afd::Reactor;
#[cfg(backend = "epoll")]
pub use epoll::Reactor;
#[cfg(any(backend = "poll", backend = "kqueue"))]
pub use portable::Reactor;

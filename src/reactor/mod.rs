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
#[cfg(backend = "epoll")]
mod epoll;
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

#[cfg(not(backend = "iocp"))]
use crate::fd_table::Interest;
#[cfg(not(backend = "iocp"))]
use polling::Event;

/// The key under which the wake-up descriptor is watched.
const WAKE_KEY: usize = usize::MAX - 1;
/// The key of the descriptor that ends precise waits.
#[cfg(backend = "epoll")]
const DEADLINE_KEY: usize = usize::MAX - 2;
/// No watch has a key from here on.
const FIRST_OWN_KEY: usize = usize::MAX - 2;

#[cfg(not(backend = "iocp"))]
fn event(key: usize, interest: Interest) -> Event {
    Event::new(key, interest.readable, interest.writable)
}

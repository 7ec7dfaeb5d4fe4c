//! Readiness of descriptors, level-triggered. Registration goes through
//! `polling` on every platform; how to wait differs: `epoll.rs` waits on
//! polling's epoll set itself, `portable.rs` leaves it to polling.
//!
//! The reactor returns keys and knows no callbacks. Both promise what epoll
//! does: a number that was closed falls silent, and `modify` answers `ENOENT`
//! when it means another file than the one that was added.

#[cfg(backend = "epoll")]
mod deadline;
#[cfg(backend = "epoll")]
mod epoll;
#[cfg(not(backend = "epoll"))]
mod portable;
#[cfg(backend = "epoll")]
mod wait;

#[cfg(not(backend = "epoll"))]
#[cfg_attr(backend = "poll", path = "known_by_file.rs")]
#[cfg_attr(backend = "kqueue", path = "known_by_kqueue.rs")]
#[cfg_attr(backend = "iocp", path = "known_by_number.rs")]
mod known;

#[cfg(backend = "epoll")]
pub use epoll::Reactor;
#[cfg(not(backend = "epoll"))]
pub use portable::Reactor;

use crate::fd_table::Interest;
use polling::Event;

/// The key under which the wake-up descriptor is watched.
const WAKE_KEY: usize = usize::MAX - 1;
/// The key of the descriptor that ends precise waits.
#[cfg(backend = "epoll")]
const DEADLINE_KEY: usize = usize::MAX - 2;
/// No watch has a key from here on.
const FIRST_OWN_KEY: usize = usize::MAX - 2;

fn event(key: usize, interest: Interest) -> Event {
    Event::new(key, interest.readable, interest.writable)
}

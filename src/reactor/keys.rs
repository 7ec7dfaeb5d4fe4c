//! What polling is told: keys that no watch of a host's has, and events.

use crate::fd_table::Interest;
use polling::Event;

/// The key under which the wake-up descriptor is watched.
pub const WAKE_KEY: usize = usize::MAX - 1;
/// The key of the descriptor that ends precise waits.
#[cfg(backend = "epoll")]
pub const DEADLINE_KEY: usize = usize::MAX - 2;
/// No watch has a key from here on.
pub const FIRST_OWN_KEY: usize = usize::MAX - 2;

/// An event of polling's.
pub fn event(key: usize, interest: Interest) -> Event {
    Event::new(key, interest.readable, interest.writable)
}

//! A number means what it meant when it was added, for all that can be told
//! here: completion ports have no way to ask.

use crate::error::{Error, Result};
use crate::fd_table::Interest;
use crate::platform::fd::RawFd;
use polling::Poller;

/// Nothing.
pub struct Known;

impl Known {
    /// Nothing to remember.
    pub fn new() -> Self {
        Known
    }

    /// A completion port is no socket.
    pub fn backend_fd(&self, _: &Poller) -> Result<RawFd> {
        Err(Error::Unsupported(
            "a completion port is no descriptor that another loop could wait on",
        ))
    }

    /// A descriptor is about to be added: the key to add it with.
    pub fn admit(&mut self, _: RawFd, key: usize) -> Result<usize> {
        Ok(key)
    }

    /// The key to change it with.
    pub fn check(&mut self, _: &Poller, _: RawFd, key: usize) -> Result<usize> {
        Ok(key)
    }

    /// There was nothing to remember.
    pub fn forget(&mut self, _: RawFd) {}

    /// The key of the watch that an event is for.
    pub fn meaning(&self, key: usize, _: Interest) -> std::result::Result<usize, Option<RawFd>> {
        Ok(key)
    }
}

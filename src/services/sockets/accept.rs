//! Taking connections.

use super::waiting::{Blocks, run};
use super::{Address, system};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::fd_table::Direction;
use crate::memory::try_box;
use crate::platform::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use crate::services::future::{Future, Outcome};
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// A connection; the C struct of this name and then what it points to. Whoever
/// takes the descriptor owns it; otherwise it is closed with this.
#[repr(C)]
pub struct Accepted {
    /// The descriptor, or -1 when it was taken.
    pub fd: c_int,
    /// The length of the address.
    pub address_length: usize,
    /// The peer.
    pub address: *const c_void,
    from: Address,
}

impl Accepted {
    fn outcome(fd: OwnedFd, from: Address) -> Result<Outcome> {
        let address_length = from.length();
        let accepted =
            Accepted { fd: fd.into_raw_fd(), address_length, address: std::ptr::null(), from };
        let mut accepted = try_box(accepted)?;
        accepted.address = accepted.from.as_ptr();
        Ok(Outcome::value(accepted))
    }

    /// The descriptor, now the caller's; once.
    pub fn take(&mut self) -> Result<RawFd> {
        match std::mem::replace(&mut self.fd, -1) {
            -1 => Err(Error::InvalidState("the connection was taken already")),
            fd => Ok(fd),
        }
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if let Ok(fd) = self.take() {
            // SAFETY: ours since accept, and nobody took it.
            crate::socket::close(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

/// asyncio's `sock_accept`.
pub fn accept(event_loop: &EventLoop, fd: RawFd) -> Result<Arc<Future>> {
    run(event_loop, fd, Direction::Read, Blocks::IfSocketDoes, move || {
        let Some((accepted, from)) = system::accept(fd)? else { return Ok(None) };
        Accepted::outcome(accepted, from).map(Some)
    })
}

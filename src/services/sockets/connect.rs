//! Connecting.

use super::waiting::{Blocks, run};
use super::{Address, system};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::fd_table::Direction;
use crate::platform::fd::RawFd;
use crate::platform::sys;
use crate::services::future::{Future, Outcome};
use std::sync::Arc;

/// asyncio's `sock_connect`.
pub fn connect(event_loop: &EventLoop, fd: RawFd, address: Address) -> Result<Arc<Future>> {
    let mut address = Some(address);
    run(event_loop, fd, Direction::Write, Blocks::IfSocketDoes, move || {
        let done = || Some(Outcome::number(0));
        if let Some(address) = address.take() {
            return Ok(if system::connect(fd, &address)? { done() } else { None });
        }
        match system::option(fd, sys::SO_ERROR)? {
            0 => Ok(done()),
            errno => Err(Error::Sys(errno)),
        }
    })
}

//! Futures made of futures: gather, wait, wait_for, shield.

mod gather;
mod shield;
mod wait;
mod wait_for;

pub use gather::{Gathered, gather};
pub use shield::shield;
pub use wait::{ReturnWhen, Waited, wait};
pub use wait_for::wait_for;

use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::services::future::Future;
use std::sync::Arc;

/// Are they all of this loop?
fn check_loops(event_loop: &EventLoop, futures: &[Arc<Future>]) -> Result<()> {
    event_loop.check_open()?;
    if futures.iter().all(|future| std::ptr::eq(future.event_loop(), event_loop)) {
        Ok(())
    } else {
        Err(Error::WrongLoop)
    }
}

//! `run_until_complete`.

use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::memory::try_arc;
use crate::running;
use crate::services::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Runs the loop until `future` is done: 0, or a code of `interrupt`.
pub fn run_until_complete(event_loop: &EventLoop, future: &Arc<Future>) -> Result<i32> {
    event_loop.check_open()?;
    if event_loop.is_running() {
        return Err(Error::Running);
    }
    if !running::get().is_null() {
        return Err(Error::OtherRunning);
    }
    if !std::ptr::eq(future.event_loop(), event_loop) {
        return Err(Error::WrongLoop);
    }
    // Of this run, and of no later one, if it ends for another reason now.
    let goes_on = try_arc(AtomicBool::new(true))?;
    let still = goes_on.clone();
    let token = future.on_done(move |future| {
        if still.load(Relaxed) {
            let _ = future.event_loop().stop();
        }
    })?;
    let ended = event_loop.run_forever();
    goes_on.store(false, Relaxed);
    future.forget_callback(token);
    match ended? {
        0 if !future.is_done() => Err(Error::Stopped),
        code => Ok(code),
    }
}

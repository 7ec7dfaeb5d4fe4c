//! The way of every socket operation: try, wait for the descriptor, try again.

use super::system;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, Kept};
use crate::fd_table::Direction;
use crate::loop_cell::LoopCell;
use crate::memory::{try_arc, try_box};
use crate::platform;
use crate::platform::fd::RawFd;
use crate::services::future::{Future, Operation, Outcome};
use std::sync::Arc;

/// One attempt; none: the descriptor is not ready. It runs no foreign code.
type Attempt = Box<dyn FnMut() -> Result<Option<Outcome>>>;

/// Does a call on this descriptor wait if the host forgot to forbid it?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Never: it is told not to.
    Never,
    /// It would hold the loop up, so such descriptors are refused.
    IfSocketDoes,
}

/// Starts an operation. On an error nothing was done; what goes wrong later is
/// the future's failure.
pub(super) fn run(
    event_loop: &EventLoop,
    fd: RawFd,
    direction: Direction,
    blocks: Blocks,
    mut attempt: impl FnMut() -> Result<Option<Outcome>> + 'static,
) -> Result<Arc<Future>> {
    if fd < 0 {
        return Err(Error::BadDescriptor(fd));
    }
    event_loop.refuse_claimed(fd)?;
    if event_loop.has_watch(fd, direction)? {
        return Err(Error::InUse(fd));
    }
    if !platform::HAS_DONTWAIT {
        // What is no socket will say so.
        let _ = platform::set_non_blocking(fd, true);
    }
    if blocks == Blocks::IfSocketDoes || event_loop.debug() {
        system::require_non_blocking(fd)?;
    }
    let future = Future::new(event_loop)?;
    let ended = match attempt() {
        Ok(None) => wait(&future, fd, direction, attempt),
        Ok(Some(outcome)) => {
            future.finish_if_pending(outcome);
            Ok(())
        }
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        future.fail(error);
    }
    Ok(future)
}

fn wait(
    future: &Arc<Future>,
    fd: RawFd,
    direction: Direction,
    attempt: impl FnMut() -> Result<Option<Outcome>> + 'static,
) -> Result<()> {
    let event_loop = future.event_loop();
    let work = Work { future: future.clone(), attempt: try_box(attempt)? };
    let waiting = try_arc(Waiting {
        event_loop: event_loop.keep(),
        fd,
        direction,
        inner: LoopCell::new(Inner { registered: false, work: Some(work) }),
    })?;
    let registration = try_arc(Registration(waiting.clone()))?;
    future.set_operation(try_box(Waits(waiting.clone()))?)?;
    let callback = Callback::on(registration, |registration| registration.0.ready());
    event_loop.add_watch(fd, direction, callback)?;
    // Unless a destructor that ran just now has undone it.
    let registered = waiting.with(|inner| {
        inner.registered = inner.work.is_some();
        inner.registered
    });
    if registered == Some(true) { Ok(()) } else { Err(LOST) }
}

/// The failure of an operation whose registration somebody else ended.
const LOST: Error = Error::Sys(libc::ECANCELED);

/// An operation that waits. Its registration leads here, and so does its
/// future; from here a way leads to the future as long as the registration
/// stands. So nothing keeps itself alive.
struct Waiting {
    event_loop: Kept,
    fd: RawFd,
    direction: Direction,
    inner: LoopCell<Inner>,
}

struct Inner {
    /// The loop watches the descriptor for us.
    registered: bool,
    work: Option<Work>,
}

struct Work {
    future: Arc<Future>,
    attempt: Attempt,
}

impl Waiting {
    /// Runs `body` on the state, if the loop can be held.
    fn with<R>(&self, body: impl FnOnce(&mut Inner) -> R) -> Option<R> {
        let _hold = self.event_loop.hold().ok()?;
        // SAFETY: the loop is held.
        Some(unsafe { self.inner.with(body) })
    }

    fn take_work(&self) -> Option<Work> {
        self.with(|inner| inner.work.take())?
    }

    /// The descriptor is ready.
    fn ready(&self) {
        let Some(mut work) = self.take_work() else { return };
        let outcome = match (work.attempt)() {
            Ok(None) => {
                self.with(|inner| inner.work = Some(work));
                return;
            }
            Ok(Some(outcome)) => outcome,
            Err(error) => Outcome::error(error),
        };
        self.leave();
        work.future.finish_if_pending(outcome);
    }

    /// The loop shall watch the descriptor no longer.
    fn leave(&self) {
        if self.with(|inner| std::mem::take(&mut inner.registered)) == Some(true) {
            let _ = self.event_loop.remove_watch(self.fd, self.direction);
        }
    }

    /// The registration is gone, by whatever hand.
    fn unregistered(&self) {
        let was = self.with(|inner| (std::mem::take(&mut inner.registered), inner.work.take()));
        if let Some((true, Some(work))) = was
            && self.event_loop.check_open().is_ok()
        {
            work.future.fail(LOST);
        }
    }
}

/// What the loop holds while it watches the descriptor.
struct Registration(Arc<Waiting>);

impl Drop for Registration {
    fn drop(&mut self) {
        self.0.unregistered();
    }
}

/// What the future holds while it is pending.
struct Waits(Arc<Waiting>);

impl Operation for Waits {
    fn ended(self: Box<Self>) {
        self.0.leave();
        drop(self.0.take_work());
    }
}

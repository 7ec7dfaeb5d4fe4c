//! Signals as callbacks of a loop: asyncio's `add_signal_handler`, for any loop
//! in any thread, several at once.
//!
//! The process's handler does next to nothing: it notes the signal for each loop
//! that wants it and wakes that loop by a descriptor. The loop then schedules
//! the callback, once for whatever number of signals came meanwhile.

#[cfg_attr(windows, path = "console.rs")]
mod disposition;
mod gate;
mod wire;

pub use disposition::is_default;

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop, Hold, Kept};
use crate::fd_table::Direction;
use crate::loop_cell::LoopCell;
use crate::memory::try_rc;
use std::rc::Rc;
use std::sync::Arc;
use wire::Wire;

/// A loop's handlers.
struct Signals {
    event_loop: Kept,
    state: LoopCell<State>,
}

struct State {
    /// There as long as there are handlers.
    wire: Option<&'static Wire>,
    handlers: Vec<Handler>,
    next_serial: u64,
}

struct Handler {
    signum: i32,
    /// Tells a handler from one that replaced it.
    serial: u64,
    callback: Rc<Callback>,
}

/// Calls `callback` in the loop after each arrival of the signal, in the caller's
/// present context. A handler that this loop had for it is replaced.
pub fn add(event_loop: &EventLoop, signum: i32, callback: Callback) -> Result<()> {
    add_in_its_context(event_loop, signum, event_loop.in_present_context(callback)?)
}

/// The same for a callback that has its context, or needs none.
pub fn add_in_its_context(event_loop: &EventLoop, signum: i32, callback: Callback) -> Result<()> {
    disposition::check(signum)?;
    event_loop.check_open()?;
    let signals = event_loop.attachment(|| {
        let state = State { wire: None, handlers: Vec::new(), next_serial: 1 };
        Ok(Signals { event_loop: event_loop.keep(), state: LoopCell::new(state) })
    })?;
    signals.add(signum, callback)
}

/// Ends what `add` began. False if there was nothing.
pub fn remove(event_loop: &EventLoop, signum: i32) -> Result<bool> {
    wire::check(signum)?;
    match event_loop.check_open() {
        Err(Error::Closed) => return Ok(false),
        result => result?,
    }
    let hold = event_loop.hold()?;
    match event_loop.find_attachment::<Signals>() {
        Some(signals) => signals.remove(&hold, signum),
        None => Ok(false),
    }
}

impl Signals {
    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the hold is that of our loop.
        unsafe { self.state.with(body) }
    }

    fn add(self: &Arc<Self>, signum: i32, callback: Callback) -> Result<()> {
        let hold = self.event_loop.hold()?;
        let callback = try_rc(callback)?;
        let wire = self.ensure_wire(&hold)?;
        let reserved = self
            .with(&hold, |state| state.handlers.try_reserve(1))
            .map_err(|_| Error::NO_MEMORY)
            .and_then(|()| disposition::subscribe(wire, signum));
        if let Err(error) = reserved {
            self.drop_idle_wire(&hold);
            return Err(error);
        }
        let replaced = self.with(&hold, |state| {
            let handler = Handler { signum, serial: state.next_serial, callback };
            state.next_serial += 1;
            match state.handlers.iter_mut().find(|handler| handler.signum == signum) {
                Some(old) => Some(std::mem::replace(old, handler)),
                None => {
                    state.handlers.push(handler);
                    None
                }
            }
        });
        drop(replaced);
        Ok(())
    }

    fn remove(&self, hold: &Hold<'_>, signum: i32) -> Result<bool> {
        let removed = self.with(hold, |state| {
            let position = state.handlers.iter().position(|handler| handler.signum == signum)?;
            if let Some(wire) = state.wire {
                disposition::unsubscribe(wire, signum);
            }
            Some(state.handlers.remove(position))
        });
        self.drop_idle_wire(hold);
        Ok(removed.is_some())
    }

    /// The loop's wire, watched.
    fn ensure_wire(self: &Arc<Self>, hold: &Hold<'_>) -> Result<&'static Wire> {
        if let Some(wire) = self.with(hold, |state| state.wire) {
            return Ok(wire);
        }
        let wire = disposition::acquire_wire()?;
        let look = Callback::on(self.clone(), |signals: &Arc<Signals>| signals.look());
        let watched = wire.fd().and_then(|fd| self.event_loop.add_watch(fd, Direction::Read, look));
        if let Err(error) = watched {
            wire.release(false);
            return Err(error);
        }
        self.with(hold, |state| state.wire = Some(wire));
        Ok(wire)
    }

    /// Without handlers nothing is left to watch.
    fn drop_idle_wire(&self, hold: &Hold<'_>) {
        let idle = self.with(hold, |state| match state.handlers.is_empty() {
            true => state.wire.take(),
            false => None,
        });
        if let Some(wire) = idle {
            self.unwatch(wire);
            wire.release(false);
        }
    }

    fn unwatch(&self, wire: &Wire) {
        if let Ok(fd) = wire.fd() {
            let _ = self.event_loop.remove_watch(fd, Direction::Read);
        }
    }

    /// The wire's descriptor is readable: schedules the handlers of what arrived.
    fn look(self: &Arc<Self>) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let Some(wire) = self.with(&hold, |state| state.wire) else { return };
        for signum in wire.arrived() {
            let serial = self.with(&hold, |state| {
                state.handlers.iter().find(|handler| handler.signum == signum).map(|h| h.serial)
            });
            let Some(serial) = serial else { continue };
            let signals = self.clone();
            let scheduled = Callback::once(move || signals.run(serial))
                .and_then(|callback| self.event_loop.call_soon(callback, false));
            if scheduled.is_err() {
                // Without memory it is called at once: no signal gets lost.
                self.run(serial);
            }
        }
    }

    /// Calls a handler, unless it was removed or replaced meanwhile.
    fn run(&self, serial: u64) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let callback = self.with(&hold, |state| {
            let handler = state.handlers.iter().find(|handler| handler.serial == serial)?;
            Some(handler.callback.clone())
        });
        if let Some(callback) = callback {
            callback.call();
        }
    }
}

impl Attachment for Signals {
    fn detached(&self, why: Detach) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let forked = why != Detach::Closed;
        // SAFETY: held. A child may have been forked in the middle of a `with`
        // of its own thread, by a signal handler.
        let taken = unsafe {
            self.state.try_with(|state| (state.wire.take(), std::mem::take(&mut state.handlers)))
        };
        let Some((wire, handlers)) = taken else { return };
        if let Some(wire) = wire {
            if !forked {
                for handler in &handlers {
                    disposition::unsubscribe(wire, handler.signum);
                }
            }
            self.unwatch(wire);
            wire.release(forked);
        }
        drop(hold);
        drop(handlers);
    }
}

//! Waiting without a future, and without memory: a task parks until it is woken.
//! If it is cancelled instead, its host is told at once, so that it lets go of
//! what would have woken it.

use super::Task;
use crate::callback::CallbackFn;
use crate::error::{Error, Result};
use crate::event_loop::{Hold, Late};
use std::ffi::{CStr, CString, c_int, c_void};
use std::sync::Arc;

/// The step wishes to wait until it is woken.
pub const PARK: c_int = 3;

/// Where a task is that waits without a future.
#[derive(Clone, Copy)]
pub(super) enum Parking {
    /// It does not.
    No,
    /// It is to be woken, or this is to be told of its cancellation.
    Waiting(Option<CallbackFn>, *mut c_void),
    /// It was woken: the next step is scheduled, or will be by the present one.
    Woken,
    /// It was cancelled: the next step is scheduled and will be told.
    Cancelled,
}

impl Task {
    /// The step is about to return `PARK`.
    pub fn wish_park(&self, cancelled: Option<CallbackFn>, data: *mut c_void) -> Result<()> {
        let hold = self.hold()?;
        self.with(&hold, |state| match state.running {
            true => {
                state.parking = Parking::Waiting(cancelled, data);
                Ok(())
            }
            false => Err(Error::InvalidState("only the task's running step may do this")),
        })
    }

    /// Schedules the next step of a task that is parked or about to be. Again
    /// does nothing.
    pub fn unpark(self: &Arc<Self>) -> Result<()> {
        if self.leave_park()? {
            self.run_soon_surely();
        }
        Ok(())
    }

    /// The same, but the step runs before this returns, unless the loop does not
    /// run, or is inside a step.
    pub fn unpark_now(self: &Arc<Self>) -> Result<()> {
        if !self.leave_park()? {
            return Ok(());
        }
        let hold = self.hold()?;
        let soon = !self.event_loop().is_running() || self.registry.is_inside(&hold);
        drop(hold);
        if soon {
            self.run_soon_surely()
        } else {
            self.run()
        }
        Ok(())
    }

    /// The wait is over. True if the next step is to be scheduled.
    fn leave_park(&self) -> Result<bool> {
        let hold = self.hold()?;
        self.event_loop().check_open()?;
        self.with(&hold, |state| match state.parking {
            Parking::Waiting(..) => {
                state.parking = Parking::Woken;
                Ok(!state.running)
            }
            Parking::Woken | Parking::Cancelled => Ok(false),
            Parking::No => Err(Error::InvalidState("the task is not parked")),
        })
    }

    /// The step has returned `PARK`. False if it had not said for what.
    pub(super) fn stay_parked(self: &Arc<Self>, hold: &Hold<'_>) -> bool {
        let (parking, cancel) = self.with(hold, |state| {
            let waits = matches!(state.parking, Parking::Waiting(..));
            let cancel = (waits && std::mem::take(&mut state.must_cancel))
                .then(|| state.cancel_message.take());
            (state.parking, cancel)
        });
        match (parking, cancel) {
            (Parking::No, _) => return false,
            (Parking::Waiting(..), Some(message)) => self.cancel_parked(hold, message),
            (Parking::Waiting(..), None) => {}
            (Parking::Woken | Parking::Cancelled, _) => self.run_soon_surely(),
        }
        true
    }

    /// Is it parked, and neither woken nor in a step?
    pub(super) fn is_parked(&self, hold: &Hold<'_>) -> bool {
        self.with(hold, |state| !state.running && matches!(state.parking, Parking::Waiting(..)))
    }

    /// Ends the wait of a parked task. The next step is told whatever becomes of
    /// the request: what would have woken it is gone.
    pub(super) fn cancel_parked(self: &Arc<Self>, hold: &Hold<'_>, message: Option<CString>) {
        let (before, old_message) = self.with(hold, |state| {
            let message = std::mem::replace(&mut state.cancel_message, message);
            (std::mem::replace(&mut state.parking, Parking::Cancelled), message)
        });
        drop(old_message);
        self.run_soon_surely();
        if let Parking::Waiting(Some(cancelled), data) = before {
            // SAFETY: the host's function with the host's data, which live until
            // the next step.
            unsafe { cancelled(data) };
        }
    }

    /// `run_soon`; without memory as soon as there is some, because who wakes a
    /// task cannot do it again.
    fn run_soon_surely(self: &Arc<Self>) {
        if let Err(Error::NO_MEMORY) = self.run_soon() {
            self.event_loop().schedule_late(self.clone());
        }
    }
}

impl Late for Task {
    fn chain(&self, next: Option<Arc<dyn Late>>) -> Option<Arc<dyn Late>> {
        // SAFETY: the loop chains, which is held; or it has let go of all.
        let before =
            unsafe { self.state.try_with(|state| std::mem::replace(&mut state.late, next)) };
        before.flatten()
    }

    fn again(self: Arc<Self>) {
        self.run_soon_surely();
    }

    fn never(self: Arc<Self>) {}
}

/// The message of a request, for the step; without memory none.
pub(super) fn copied(message: Option<&CStr>) -> Option<CString> {
    crate::memory::copy_text(message?).ok()
}

//! Scheduling from the loop's own thread: `call_soon`, `call_later`, `call_at`
//! and what can be done with a handle.

use super::access::Access;
use super::{Core, EventLoop};
use crate::callback::{Callback, CallbackFn};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::fork_generation;
use crate::handle_table::HandleId;
use crate::inbox::Cancelled;
use crate::ready_queue::{Entry, Kind};
use std::ffi::c_void;
use std::sync::atomic::Ordering::Relaxed;

/// The id of callbacks nobody asked a handle for.
pub const NO_HANDLE: HandleId = HandleId(0);

impl EventLoop {
    /// `call_soon` as it nearly always is: on the loop's own thread, with data
    /// that nobody destroys, no handle, no context, and room in the queue. On
    /// false nothing was done, and `call_soon` finds out why.
    #[inline(always)]
    pub fn call_soon_quickly(&self, func: CallbackFn, data: *mut c_void) -> bool {
        if !self.inbox().may_bypass(fork_generation::runner_key()) {
            return false;
        }
        // SAFETY: this thread owns the core, and no foreign code runs here.
        unsafe { &mut *self.core.get() }.ready.push_if_room(Entry::plain(func, data))
    }

    /// Runs `callback` in the next turn. From another thread it is queued
    /// without waking the loop, as asyncio does outside debug mode.
    #[inline]
    pub fn call_soon(&self, callback: Callback, wants_handle: bool) -> Result<HandleId> {
        self.call_soon_taking(&mut Some(callback), wants_handle)
    }

    /// `call_soon` for what must not be lost: the callback comes back.
    pub fn call_soon_or_back(
        &self,
        callback: Callback,
    ) -> std::result::Result<(), (Error, Option<Callback>)> {
        let mut callback = Some(callback);
        match self.call_soon_taking(&mut callback, false) {
            Ok(_) => Ok(()),
            Err(error) => Err((error, callback)),
        }
    }

    /// Takes the callback out of its place if it succeeds.
    #[inline(always)]
    fn call_soon_taking(
        &self,
        place: &mut Option<Callback>,
        wants_handle: bool,
    ) -> Result<HandleId> {
        self.check()?;
        let Ok(mut access) = self.enter() else {
            return match place.take() {
                Some(callback) => self.call_soon_from_outside(callback, wants_handle),
                None => Err(Error::Internal),
            };
        };
        if self.inbox().is_pending() {
            // Posts that came before keep their place.
            let core = access.core();
            self.take_inbox(&mut core.ready, &mut core.taken)?;
        }
        let core = access.core();
        let plain = !wants_handle && place.as_ref().is_some_and(Callback::is_plain);
        if !plain {
            core.handles.reserve_one()?;
        }
        core.ready.reserve_one()?;
        let Some(callback) = place.take() else { return Err(Error::Internal) };
        let id = if plain {
            let (func, data) = callback.parts();
            core.ready.push(Entry::plain(func, data))?;
            NO_HANDLE
        } else {
            let id = core.handles.insert_ready(callback);
            core.ready.push(Entry::keyed(Kind::Handle, id.0))?;
            id
        };
        let nearer = access.core().is_nearer(0);
        drop(access);
        if nearer {
            self.disturb_host();
        }
        Ok(id)
    }

    #[cold]
    fn call_soon_from_outside(&self, callback: Callback, wants_handle: bool) -> Result<HandleId> {
        if self.debug() && self.is_running() {
            return Err(Error::WrongThread);
        }
        self.post(callback, wants_handle, true).map(|(id, _)| id)
    }

    /// Runs `callback` `delay_ns` from now; 0 or less is due in the next turn,
    /// behind what is ready already.
    #[inline(always)]
    pub fn call_later(&self, delay_ns: i64, callback: Callback) -> Result<HandleId> {
        // First, because the clock may be the host's.
        let now = self.clock.now();
        self.check()?;
        let mut access = self.enter()?;
        access.core().saw(now);
        let when = now.saturating_add_signed(delay_ns);
        self.insert_timer(access, when, callback)
    }

    /// Runs `callback` at `when`, on the clock of `time`.
    #[inline(always)]
    pub fn call_at(&self, when: u64, callback: Callback) -> Result<HandleId> {
        self.check()?;
        let access = self.enter()?;
        self.insert_timer(access, when, callback)
    }

    #[inline(always)]
    fn insert_timer(
        &self,
        mut access: Access<'_>,
        when: u64,
        callback: Callback,
    ) -> Result<HandleId> {
        let core = access.core();
        core.reserve_timer()?;
        let id = core.insert_timer(when, callback);
        let nearer = core.is_nearer(when);
        drop(access);
        if nearer {
            self.disturb_host();
        }
        Ok(id)
    }

    /// `handle_cancel` as it nearly always is: what has no destructor, on the
    /// loop's own thread. On false nothing was done.
    #[inline(always)]
    pub fn handle_forget(&self, id: HandleId) -> bool {
        self.inbox().may_bypass(fork_generation::runner_key())
            // SAFETY: this thread owns the core, and no foreign code runs here.
            && unsafe { &mut *self.core.get() }.forget(id)
    }

    /// Cancels: the callback will not start, its data is destroyed now. A
    /// shared handle may be cancelled by any thread, which then waits for a
    /// callback that is running (unless that callback is the caller).
    pub fn handle_cancel(&self, id: HandleId) -> Result<()> {
        self.check()?;
        if id.is_shared() {
            return self.cancel_shared(id);
        }
        let mut access = self.enter()?;
        let cancelled = access.core().cancel(id)?;
        drop(access);
        drop(cancelled);
        Ok(())
    }

    fn cancel_shared(&self, id: HandleId) -> Result<()> {
        match self.inbox().cancel(id)? {
            Cancelled::Now(callback) => drop(callback),
            Cancelled::Already => {}
            Cancelled::Running => {
                if !self.is_owner() {
                    self.inbox().wait_until_ended(id);
                }
                return Err(Error::Stale);
            }
        }
        Ok(())
    }

    /// Was the handle cancelled, as far as the loop remembers?
    pub fn handle_cancelled(&self, id: HandleId) -> Result<bool> {
        self.check()?;
        if id.is_shared() {
            return self.inbox().cancelled(id);
        }
        self.enter()?.core().handles.cancelled(id)
    }

    /// When a timer is due.
    pub fn handle_when(&self, id: HandleId) -> Result<u64> {
        self.check()?;
        if id.is_shared() {
            return Err(Error::Invalid("the handle is not a timer"));
        }
        let mut access = self.enter()?;
        let handles = &access.core().handles;
        match handles.state(id)? {
            crate::handle_table::State::Timer => Ok(handles.when(id)),
            _ => Err(Error::Invalid("the handle is not a waiting timer")),
        }
    }

    /// `handle_reschedule` as it nearly always is: to a later time, on the
    /// loop's own thread. On false nothing was done.
    #[inline(always)]
    pub fn handle_postpone(&self, id: HandleId, when: u64) -> bool {
        self.inbox().may_bypass(fork_generation::runner_key())
            // SAFETY: this thread owns the core, and no foreign code runs here.
            && unsafe { &mut *self.core.get() }.postpone(id, when)
    }

    /// Moves a waiting timer to another deadline.
    pub fn handle_reschedule(&self, id: HandleId, when: u64) -> Result<()> {
        self.check()?;
        if id.is_shared() {
            return Err(Error::Invalid("the handle is not a timer"));
        }
        let mut access = self.enter()?;
        let core = access.core();
        core.reschedule(id, when)?;
        let nearer = core.is_nearer(when);
        drop(access);
        if nearer {
            self.disturb_host();
        }
        Ok(())
    }

    /// The time as the loop saw it last in this turn.
    #[inline]
    pub fn time_cached(&self) -> u64 {
        if self.inbox().may_bypass(fork_generation::runner_key()) {
            // SAFETY: this thread owns the core, and no foreign code runs here.
            let core = unsafe { &*self.core.get() };
            if core.now_is_fresh {
                return core.now;
            }
        }
        if self.check().is_ok()
            && let Ok(mut access) = self.enter()
        {
            let core = access.core();
            if !core.now_is_fresh {
                let now = self.clock.now();
                access.core().saw(now);
            }
            return access.core().now;
        }
        self.clock.now()
    }

    /// Takes charge of a context reference. Without context hooks that is
    /// refused, and only then the reference stays the caller's.
    pub fn context(&self, context: *mut c_void) -> Result<Context> {
        match self.shared_context_hooks() {
            Some(hooks) => Ok(Context::new(hooks, context)),
            None => {
                self.check()?;
                Err(Error::Invalid("the loop has no context hooks"))
            }
        }
    }

    /// The caller's present context, if the host has hooks for that: for what
    /// is scheduled later and shall run where it was asked for.
    pub fn present_context(&self) -> Option<Context> {
        if !self.has_context_hooks.load(Relaxed) {
            return None;
        }
        let hooks = self.shared_context_hooks()?;
        let capture = hooks.capture?;
        // SAFETY: the host's hook with the host's data.
        let context = unsafe { capture(hooks.user_data.get()) };
        Some(Context::new(hooks, context))
    }

    /// Puts a callback in the caller's present context, if the host has hooks
    /// for that; nearly always it has not, and nothing is done.
    #[inline(always)]
    pub fn in_present_context(&self, callback: Callback) -> Result<Callback> {
        if self.has_context_hooks.load(Relaxed) {
            self.capture_context(callback)
        } else {
            Ok(callback)
        }
    }

    #[cold]
    fn capture_context(&self, callback: Callback) -> Result<Callback> {
        self.check()?;
        let hooks = self.shared_context_hooks();
        match hooks.as_ref().and_then(|hooks| Some((hooks, hooks.capture?))) {
            Some((hooks, capture)) => {
                // SAFETY: the host's hook with the host's data.
                let context = unsafe { capture(hooks.user_data.get()) };
                Context::new(hooks.clone(), context).wrap(callback)
            }
            None => Ok(callback),
        }
    }

    /// A host that waits for us was told to wait longer than that. Nothing of
    /// the loop may be held: the hook is the host's.
    #[cold]
    fn disturb_host(&self) {
        self.wake(self.inbox().disturb());
    }
}

impl Core {
    /// Something must happen at `when` (0: at once): is that before what a host
    /// that waits was told? Then it must be disturbed, once.
    #[inline(always)]
    fn is_nearer(&mut self, when: u64) -> bool {
        let nearer = self.armed.is_some_and(|armed| when < armed);
        if nearer {
            self.armed = None;
        }
        nearer
    }
}

//! The thread-safe entry to a loop: what other threads post waits here until
//! the loop's thread takes it.
//!
//! Who may touch what: all of `State` is guarded by the one mutex. The loop
//! declares under it that it is about to sleep, and only if nothing waits; a
//! post that finds the declaration takes it back and must wake the loop. So a
//! wake-up can be neither lost nor paid for twice. `pending` mirrors "entries
//! is not empty" for the loop's thread, which asks at every turn; `bypass` is
//! the runner's key while entries is empty, and 0 otherwise, so that one
//! comparison tells a scheduling call that it may queue directly. Both are
//! written under the mutex only.

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::handle_table::HandleId;
use crate::memory::probe_array;
use crate::ready_queue::{Entry, Kind};
use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, MutexGuard, Ordering};
use slab::Slab;

/// Must the poster wake the loop?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Wake {
    /// The loop is awake and will look.
    No,
    /// The loop sleeps, or is about to.
    Loop,
    /// Its host sleeps in its stead.
    Host,
}

/// A callback that any thread may cancel.
struct Shared {
    generation: u32,
    state: SharedState,
}

enum SharedState {
    Pending(Callback),
    Running,
    Cancelled,
}

struct State {
    entries: Vec<Entry>,
    shared: Slab<Shared>,
    generation: u32,
    closed: bool,
    /// Whom the next post must wake.
    sleeper: Wake,
    /// Who may bypass the inbox when it is empty; 0 is nobody.
    runner: u64,
}

/// The inbox of one loop. What its thread reads all the time stands apart from
/// what posters write all the time.
pub struct Inbox {
    locked: Apart<Locked>,
    ended: Condvar,
    pending: AtomicBool,
    bypass: AtomicU64,
}

/// What whoever holds the lock writes, in the lock's own cache line.
struct Locked {
    state: Mutex<State>,
    /// How many entries wait, for whoever asks without the lock.
    count: AtomicU64,
}

impl Locked {
    fn new(state: State) -> Self {
        let count = AtomicU64::new(state.entries.len() as u64);
        Locked { state: Mutex::new(state), count }
    }
}

/// A value with a cache line of its own.
#[repr(align(64))]
struct Apart<T>(T);

/// The callbacks of shared handles that never ran.
pub struct SharedCallbacks(slab::IntoIter<Shared>);

impl Iterator for SharedCallbacks {
    type Item = Callback;

    fn next(&mut self) -> Option<Callback> {
        self.0.find_map(|(_, shared)| match shared.state {
            SharedState::Pending(callback) => Some(callback),
            _ => None,
        })
    }
}

/// What cancelling a shared handle came to.
pub enum Cancelled {
    /// It will not run; drop the callback outside every lock.
    Now(Callback),
    /// It was cancelled before.
    Already,
    /// It runs at this moment.
    Running,
}

// SAFETY: a Callback's pointers belong to the host, who chose to post them from
// another thread; every access goes through the mutex.
unsafe impl Send for Inbox {}
unsafe impl Sync for Inbox {}

impl Inbox {
    /// An open, empty inbox. Generations of its handles begin after `seed`.
    pub fn new(seed: u32) -> Self {
        Inbox {
            locked: Apart(Locked::new(State {
                entries: Vec::new(),
                shared: Slab::new(),
                generation: seed,
                closed: false,
                sleeper: Wake::No,
                runner: 0,
            })),
            ended: Condvar::new(),
            pending: AtomicBool::new(false),
            bypass: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No user code runs under the lock, so a poisoned state is still whole.
        self.locked.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Queues an entry. On failure it was not taken. A quiet post leaves a
    /// sleeping loop asleep, for the next one to wake.
    #[inline]
    pub fn post(&self, entry: Entry, quiet: bool) -> Result<Wake> {
        self.enqueue(&mut self.lock(), entry, quiet)
    }

    #[inline]
    fn enqueue(&self, state: &mut State, entry: Entry, quiet: bool) -> Result<Wake> {
        if state.closed {
            return Err(Error::Closed);
        }
        if state.entries.len() == state.entries.capacity() {
            state.entries.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
        }
        if state.entries.is_empty() {
            self.set_pending(state, true);
        }
        state.entries.push(entry);
        self.locked.0.count.store(state.entries.len() as u64, Ordering::Relaxed);
        Ok(if quiet { Wake::No } else { take_sleeping(state) })
    }

    /// Queues a callback that any thread may cancel by the returned handle. On
    /// failure the callback comes back.
    pub fn post_shared(
        &self,
        callback: Callback,
        quiet: bool,
    ) -> std::result::Result<(HandleId, Wake), (Error, Callback)> {
        let mut state = self.lock();
        if state.shared.len() == state.shared.capacity()
            && let Err(error) = reserve_slab(&mut state.shared)
        {
            return Err((error, callback));
        }
        state.generation = state.generation.wrapping_add(1).max(1);
        let generation = state.generation;
        let slot =
            state.shared.insert(Shared { generation, state: SharedState::Pending(callback) });
        let id = HandleId::new(slot as u32 | HandleId::SHARED, generation);
        match self.enqueue(&mut state, Entry::keyed(Kind::Shared, id.0), quiet) {
            Ok(wake) => Ok((id, wake)),
            Err(error) => match state.shared.remove(slot).state {
                SharedState::Pending(callback) => Err((error, callback)),
                _ => unreachable!("inserted as pending under this lock"),
            },
        }
    }

    /// How many entries wait; takes no lock.
    pub fn len(&self) -> usize {
        self.locked.0.count.load(Ordering::Relaxed) as usize
    }

    /// Does anything wait? Exact for what happened before the call.
    #[inline(always)]
    pub fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    #[inline]
    fn set_pending(&self, state: &State, pending: bool) {
        self.pending.store(pending, Ordering::Release);
        self.bypass.store(if pending { 0 } else { state.runner }, Ordering::Release);
    }

    /// Whose calls may bypass the inbox from now on: the key of the thread that
    /// runs the loop, or 0.
    pub fn set_runner(&self, key: u64) {
        let mut state = self.lock();
        state.runner = key;
        self.set_pending(&state, self.pending.load(Ordering::Relaxed));
    }

    /// May the thread with this key queue directly? Then nothing waits here
    /// whose place would come first.
    #[inline(always)]
    pub fn may_bypass(&self, key: u64) -> bool {
        self.bypass.load(Ordering::Acquire) == key
    }

    /// Exchanges the queued entries for `spare`, which must be empty.
    pub fn take(&self, spare: &mut Vec<Entry>) {
        debug_assert!(spare.is_empty());
        let mut state = self.lock();
        std::mem::swap(&mut state.entries, spare);
        self.locked.0.count.store(0, Ordering::Relaxed);
        self.set_pending(&state, false);
    }

    /// What was taken could not be kept (no memory) and waits at the loop:
    /// `is_pending` must say so.
    pub fn keep_pending(&self) {
        let state = self.lock();
        self.set_pending(&state, true);
    }

    /// The loop, or its host, wants to sleep: true if nothing waits. From then
    /// on until `awake`, the next post answers with `sleeper`.
    pub fn prepare_sleep(&self, sleeper: Wake) -> bool {
        let mut state = self.lock();
        let may_sleep = state.entries.is_empty() && !state.closed;
        state.sleeper = if may_sleep { sleeper } else { Wake::No };
        may_sleep
    }

    /// The loop no longer sleeps.
    pub fn awake(&self) {
        self.lock().sleeper = Wake::No;
    }

    /// The loop's own thread gave it something to do while it may sleep (a host
    /// that embeds it): must it be woken?
    pub fn disturb(&self) -> Wake {
        take_sleeping(&mut self.lock())
    }

    /// Takes a shared callback to run it, unless it was cancelled.
    pub fn begin(&self, id: HandleId) -> Option<Callback> {
        let mut state = self.lock();
        let shared = Self::find(&mut state, id).ok()?;
        match std::mem::replace(&mut shared.state, SharedState::Running) {
            SharedState::Pending(callback) => Some(callback),
            _ => {
                state.shared.remove(slab_key(id));
                None
            }
        }
    }

    /// The callback taken by `begin` has returned.
    pub fn end(&self, id: HandleId) {
        let mut state = self.lock();
        if Self::find(&mut state, id).is_ok_and(|s| matches!(s.state, SharedState::Running)) {
            state.shared.remove(slab_key(id));
        }
        drop(state);
        self.ended.notify_all();
    }

    fn find(state: &mut State, id: HandleId) -> Result<&mut Shared> {
        match state.shared.get_mut(slab_key(id)) {
            Some(shared) if shared.generation == id.generation() => Ok(shared),
            _ => Err(Error::Stale),
        }
    }

    /// Cancels a shared handle.
    pub fn cancel(&self, id: HandleId) -> Result<Cancelled> {
        let mut state = self.lock();
        let shared = Self::find(&mut state, id)?;
        Ok(match std::mem::replace(&mut shared.state, SharedState::Cancelled) {
            SharedState::Pending(callback) => Cancelled::Now(callback),
            SharedState::Cancelled => Cancelled::Already,
            SharedState::Running => {
                shared.state = SharedState::Running;
                Cancelled::Running
            }
        })
    }

    /// Waits until the handle's callback has returned.
    pub fn wait_until_ended(&self, id: HandleId) {
        let mut state = self.lock();
        while Self::find(&mut state, id).is_ok_and(|s| matches!(s.state, SharedState::Running)) {
            state = self.ended.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// Is it cancelled, as far as the inbox remembers?
    pub fn cancelled(&self, id: HandleId) -> Result<bool> {
        match Self::find(&mut self.lock(), id)?.state {
            SharedState::Pending(_) => Ok(false),
            SharedState::Cancelled => Ok(true),
            SharedState::Running => Err(Error::Stale),
        }
    }

    /// Refuses all further posts and yields what never ran.
    pub fn close(&self) -> (Vec<Entry>, SharedCallbacks) {
        let mut state = self.lock();
        state.closed = true;
        state.sleeper = Wake::No;
        state.runner = 0;
        self.locked.0.count.store(0, Ordering::Relaxed);
        self.set_pending(&state, false);
        let shared = SharedCallbacks(std::mem::take(&mut state.shared).into_iter());
        (std::mem::take(&mut state.entries), shared)
    }

    /// A new inbox for a forked child, in which only this thread is left: locks
    /// and waiters are new, handles stay what they were. Also what was posted.
    pub fn after_fork(self) -> (Self, Vec<Entry>) {
        let mut state =
            self.locked.0.state.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        let entries = std::mem::take(&mut state.entries);
        state.sleeper = Wake::No;
        state.runner = 0;
        (Inbox { locked: Apart(Locked::new(state)), ..Inbox::new(0) }, entries)
    }

    /// Forgets every shared handle but those that run, and yields what they
    /// were to call. Their entries must be dropped as well.
    pub fn forget_shared(&self) -> Vec<Callback> {
        let mut forgotten = Vec::new();
        let mut state = self.lock();
        state.shared.retain(|_, shared| {
            match std::mem::replace(&mut shared.state, SharedState::Running) {
                SharedState::Running => true,
                SharedState::Pending(callback) => {
                    forgotten.push(callback);
                    false
                }
                SharedState::Cancelled => false,
            }
        });
        forgotten
    }

    /// Could the lock be taken at once? In a forked child, "no" means that a
    /// thread of the parent held it, for ever.
    pub fn is_free(&self) -> bool {
        !matches!(self.locked.0.state.try_lock(), Err(std::sync::TryLockError::WouldBlock))
    }
}

fn take_sleeping(state: &mut State) -> Wake {
    std::mem::replace(&mut state.sleeper, Wake::No)
}

fn slab_key(id: HandleId) -> usize {
    (id.slot() & !HandleId::SHARED) as usize
}

/// `Slab` aborts when memory runs out, so ask first whether it would.
#[cold]
fn reserve_slab<T>(slab: &mut Slab<T>) -> Result<()> {
    let additional = slab.capacity().max(4);
    if slab.capacity() + additional >= (HandleId::SHARED as usize) {
        return Err(Error::NO_MEMORY);
    }
    probe_array::<(usize, T)>(slab.capacity() + additional)?;
    slab.reserve(additional);
    Ok(())
}

#[cfg(all(test, loom))]
#[path = "inbox_model.rs"]
mod model;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::callback::UserData;
    use std::ffi::c_void;

    unsafe extern "C-unwind" fn nothing(_: *mut c_void) {}

    fn callback() -> Callback {
        Callback::new(nothing, UserData::new(std::ptr::null_mut(), None))
    }

    #[test]
    fn only_the_first_post_to_a_sleeper_wakes() {
        let inbox = Inbox::new(0);
        assert!(inbox.prepare_sleep(Wake::Loop));
        assert_eq!(inbox.post(Entry::keyed(Kind::Stop, 0), false), Ok(Wake::Loop));
        assert_eq!(inbox.post(Entry::keyed(Kind::Stop, 0), false), Ok(Wake::No));
        assert!(!inbox.prepare_sleep(Wake::Loop));
        let mut entries = Vec::new();
        inbox.take(&mut entries);
        assert_eq!(entries.len(), 2);
        assert!(!inbox.is_pending());
        assert!(inbox.prepare_sleep(Wake::Loop));
        inbox.awake();
        assert_eq!(inbox.post(Entry::keyed(Kind::Stop, 0), false), Ok(Wake::No));
    }

    #[test]
    fn a_quiet_post_leaves_the_wake_up_to_the_next_one() {
        let inbox = Inbox::new(0);
        assert!(inbox.prepare_sleep(Wake::Loop));
        assert_eq!(inbox.post(Entry::keyed(Kind::Stop, 0), true), Ok(Wake::No));
        assert_eq!(inbox.post(Entry::keyed(Kind::Stop, 0), false), Ok(Wake::Loop));
    }

    #[test]
    fn shared_handles_cancel_once_and_are_forgotten_after_the_queue() {
        let inbox = Inbox::new(0);
        let (id, _) = inbox.post_shared(callback(), false).ok().unwrap();
        assert_eq!(inbox.cancelled(id), Ok(false));
        assert!(matches!(inbox.cancel(id), Ok(Cancelled::Now(_))));
        assert!(matches!(inbox.cancel(id), Ok(Cancelled::Already)));
        assert_eq!(inbox.cancelled(id), Ok(true));
        assert!(inbox.begin(id).is_none());
        assert_eq!(inbox.cancelled(id), Err(Error::Stale));

        let (id, _) = inbox.post_shared(callback(), false).ok().unwrap();
        let running = inbox.begin(id).unwrap();
        assert!(matches!(inbox.cancel(id), Ok(Cancelled::Running)));
        drop(running);
        inbox.end(id);
        assert!(matches!(inbox.cancel(id), Err(Error::Stale)));
    }

    #[test]
    fn a_closed_inbox_gives_everything_back() {
        let inbox = Inbox::new(0);
        let _ = inbox.post(Entry::keyed(Kind::Stop, 0), false);
        let _ = inbox.post_shared(callback(), false);
        let (entries, callbacks) = inbox.close();
        assert_eq!((entries.len(), callbacks.count()), (2, 1));
        assert_eq!(inbox.post(Entry::keyed(Kind::Stop, 0), false), Err(Error::Closed));
        assert!(matches!(inbox.post_shared(callback(), false), Err((Error::Closed, _))));
        assert!(!inbox.prepare_sleep(Wake::Loop));
    }
}

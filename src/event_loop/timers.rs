//! Timers: deadlines in the heap, callbacks in the handle table. Cancelling and
//! postponing are lazy: the heap's entry stays until it comes up or until three
//! of four entries are stale.

use super::Core;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::handle_table::{HandleId, Standing, State};
use crate::ready_queue::{Entry, Kind};
use crate::timer_heap::TimerEntry;

/// Below this many stale entries a rebuild is not worth it.
const FEW_STALE: usize = 64;

impl Core {
    /// Records that somebody has seen this time.
    #[inline(always)]
    pub(super) fn saw(&mut self, now: u64) {
        self.now = self.now.max(now);
        self.now_is_fresh = true;
    }

    /// Makes sure that the next `insert_timer` cannot fail.
    #[inline(always)]
    pub(super) fn reserve_timer(&mut self) -> Result<()> {
        self.handles.reserve_one()?;
        self.timers.reserve_one()
    }

    /// Adds a timer, after `reserve_timer`.
    #[inline(always)]
    pub(super) fn insert_timer(&mut self, when: u64, callback: Callback) -> HandleId {
        let sequence = self.take_sequence();
        let id = self.handles.insert_timer(callback, when, sequence);
        self.timers.push(TimerEntry { when, sequence, slot: id.slot() });
        id
    }

    /// Cancels what nobody has to be told of: was it that simple?
    #[inline(always)]
    pub(super) fn forget(&mut self, id: HandleId) -> bool {
        let Ok(state) = self.handles.state(id) else { return false };
        if !self.handles.is_plain(id) {
            return false;
        }
        let token = self.handles.token(id);
        self.handles.forget(id);
        self.ended(state, id, token);
        true
    }

    /// The heap's entry of a timer that ended goes at once, or some time.
    #[inline(always)]
    fn ended(&mut self, state: State, id: HandleId, token: u32) {
        if state == State::Timer && !self.timers.pop_if_last(id.slot(), token) {
            self.stale_timers += 1;
            self.rebuild_if_stale();
        }
    }

    /// Takes a waiting callback out of the loop: what to drop, outside.
    pub(super) fn cancel(&mut self, id: HandleId) -> Result<Option<Callback>> {
        match self.handles.state(id) {
            Ok(state) => {
                let token = self.handles.token(id);
                let callback = self.handles.cancel(id);
                self.ended(state, id, token);
                Ok(Some(callback))
            }
            Err(error) => match self.handles.cancelled(id) {
                Ok(true) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Moves a live timer to a later deadline, as a time limit does that is
    /// renewed: its heap entry stays where it is. On false nothing was done.
    #[inline(always)]
    pub(super) fn postpone(&mut self, id: HandleId, when: u64) -> bool {
        let is_later = self.handles.state(id) == Ok(State::Timer)
            && when >= self.handles.when(id)
            && self.next_sequence != u32::MAX;
        if is_later {
            let order = self.take_sequence();
            self.handles.move_later(id.slot(), when, order);
        }
        is_later
    }

    /// Moves a live timer.
    pub(super) fn reschedule(&mut self, id: HandleId, when: u64) -> Result<()> {
        if self.handles.state(id)? != State::Timer {
            return Err(Error::Invalid("the handle is not a waiting timer"));
        }
        if self.postpone(id, when) {
            return Ok(());
        }
        self.timers.reserve_one()?;
        let sequence = self.take_sequence();
        self.handles.set_entry(id.slot(), when, sequence);
        self.timers.push(TimerEntry { when, sequence, slot: id.slot() });
        self.stale_timers += 1;
        self.rebuild_if_stale();
        Ok(())
    }

    /// The earliest deadline.
    pub(super) fn next_deadline(&mut self) -> Option<u64> {
        loop {
            let first = *self.timers.first()?;
            if self.settle(first) {
                return Some(first.when);
            }
        }
    }

    /// Moves every timer that is due at `now` to the ready queue.
    #[inline(never)]
    pub(super) fn move_due_timers(&mut self, now: u64) -> Result<()> {
        while let Some(&first) = self.timers.first() {
            if first.when > now {
                break;
            }
            if !self.settle(first) {
                continue;
            }
            self.ready.reserve_one()?;
            for slot in self.timers.next_slots() {
                self.handles.prefetch_head(slot);
            }
            self.timers.pop();
            self.handles.prefetch_body(first.slot);
            let id = self.handles.timer_to_ready(first.slot);
            self.ready.push(Entry::keyed(Kind::Handle, id.0))?;
        }
        Ok(())
    }

    /// Is the heap's first entry true? If not, drops it or puts it right.
    #[inline]
    fn settle(&mut self, first: TimerEntry) -> bool {
        match self.handles.standing(first.slot, first.sequence) {
            Standing::True => true,
            Standing::Moved(when, order) => {
                self.handles.set_entry(first.slot, when, order);
                self.timers.replace_first(TimerEntry { when, sequence: order, slot: first.slot });
                false
            }
            Standing::Stale => {
                self.timers.pop();
                self.stale_timers -= 1;
                false
            }
        }
    }

    #[inline(always)]
    fn rebuild_if_stale(&mut self) {
        if self.stale_timers > FEW_STALE && self.stale_timers * 4 > self.timers.len() * 3 {
            self.rebuild_timers();
        }
    }

    #[cold]
    fn rebuild_timers(&mut self) {
        let handles = &mut self.handles;
        self.timers.rebuild(|entry| match handles.standing(entry.slot, entry.sequence) {
            Standing::True => Some(entry),
            Standing::Moved(when, order) => {
                handles.set_entry(entry.slot, when, order);
                Some(TimerEntry { when, sequence: order, slot: entry.slot })
            }
            Standing::Stale => None,
        });
        self.stale_timers = 0;
    }

    /// The next place among equal deadlines.
    #[inline(always)]
    fn take_sequence(&mut self) -> u32 {
        if self.next_sequence == u32::MAX {
            // Once in four billion schedulings: start again from 0, in order.
            self.rebuild_timers();
            let handles = &mut self.handles;
            self.next_sequence = self.timers.renumber(|entry, sequence| {
                handles.set_entry(entry.slot, entry.when, sequence);
            });
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::UserData;
    use crate::ready_queue::Decoded;
    use std::ffi::c_void;

    unsafe extern "C-unwind" fn nothing(_: *mut c_void) {}

    fn add(core: &mut Core, when: u64) -> HandleId {
        let callback = Callback::new(nothing, UserData::new(std::ptr::null_mut(), None));
        core.reserve_timer().unwrap();
        core.insert_timer(when, callback)
    }

    fn due(core: &mut Core, now: u64) -> Vec<u64> {
        core.move_due_timers(now).unwrap();
        let mut ids = Vec::new();
        while !core.ready.is_empty() {
            match core.ready.pop().decode() {
                Decoded::Keyed(Kind::Handle, id) if core.handles.state(HandleId(id)).is_ok() => {
                    drop(core.handles.take(HandleId(id)));
                    ids.push(id);
                }
                _ => {}
            }
        }
        ids
    }

    #[test]
    fn equal_deadlines_run_in_the_order_of_their_last_scheduling() {
        let mut core = Core::new(1);
        let ids: Vec<_> = (0..5).map(|_| add(&mut core, 10)).collect();
        core.reschedule(ids[1], 10).unwrap();
        core.reschedule(ids[0], 20).unwrap();
        core.reschedule(ids[0], 10).unwrap();
        assert!(due(&mut core, 9).is_empty());
        let expected: Vec<u64> = [2, 3, 4, 1, 0].iter().map(|&i| ids[i].0).collect();
        assert_eq!(due(&mut core, 10), expected);
    }

    #[test]
    fn lazy_entries_never_fire_early_or_twice() {
        let mut core = Core::new(1);
        let late = add(&mut core, 10);
        let early = add(&mut core, 1000);
        core.reschedule(late, 500).unwrap();
        core.reschedule(early, 5).unwrap();
        assert_eq!(core.next_deadline(), Some(5));
        assert_eq!(due(&mut core, 499), [early.0]);
        assert_eq!(core.next_deadline(), Some(500));
        assert_eq!(due(&mut core, 2000), [late.0]);
        assert_eq!((core.timers.len(), core.stale_timers), (0, 0));
    }

    #[test]
    fn cancelled_timers_do_not_pile_up() {
        let mut core = Core::new(1);
        let keep = add(&mut core, 7);
        for when in 0..10_000u64 {
            let first = add(&mut core, 100 + when);
            let _second = (when == 0).then(|| add(&mut core, 50));
            core.cancel(first).unwrap();
            assert_eq!(core.handles.cancelled(first), Ok(true));
            assert!(core.timers.len() < 4 * FEW_STALE);
        }
        assert_eq!(core.next_deadline(), Some(7));
        core.cancel(keep).unwrap();
        core.cancel(keep).unwrap();
        assert_eq!(core.next_deadline(), Some(50));
    }

    #[test]
    fn sequence_numbers_start_again_in_order() {
        let mut core = Core::new(1);
        core.next_sequence = u32::MAX - 2;
        let ids: Vec<_> = (0..6).map(|_| add(&mut core, 10)).collect();
        core.reschedule(ids[0], 10).unwrap();
        assert!(core.next_sequence < 100);
        let expected: Vec<u64> = [1, 2, 3, 4, 5, 0].iter().map(|&i| ids[i].0).collect();
        assert_eq!(due(&mut core, 10), expected);
    }
}

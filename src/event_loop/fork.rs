//! A loop inherited through fork starts again in the child.

use super::attach::{Detach, detach};
use super::statistics::MONITOR;
use super::{CLOSED, Core, EventLoop};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::fd_table::Direction;
use crate::fork_generation;
use crate::handle_table::{HandleId, State};
use crate::inbox::Inbox;
use crate::pacer::Pacer;
use crate::reactor::Reactor;
use crate::ready_queue::{Decoded, Kind, ReadyQueue};
use crate::wakeup::Wakeup;
use std::sync::atomic::Ordering::{Relaxed, Release};

/// Keep the readers and writers whose descriptors are still open.
pub const KEEP_IO: u32 = 1;
/// Keep what was ready to run.
pub const KEEP_READY: u32 = 2;

impl EventLoop {
    /// Makes an inherited loop this process's own: new kernel objects, timers
    /// kept, the rest as `flags` say. Nothing shared with the parent is touched.
    /// The child must have no other thread that uses the loop.
    pub fn reinit_after_fork(&self, flags: u32) -> Result<()> {
        match self.check() {
            Err(Error::Forked(_)) => {}
            Ok(()) => return Err(Error::Invalid("the loop was not inherited through fork")),
            Err(error) => return Err(error),
        }
        if flags & !(KEEP_IO | KEEP_READY) != 0 {
            return Err(Error::Invalid("unknown flags"));
        }
        if !self.is_whole() {
            return Err(Error::Invalid(
                "another thread was inside the loop at the fork: its state is lost, close it",
            ));
        }
        // SAFETY: `is_whole`: this thread is the only one that could be inside,
        // and it is here.
        let core = unsafe { &mut *self.core.get() };
        core.ready.reserve(core.taken.len() + self.inbox().len())?;
        // New kernel objects first: if they fail, nothing has changed.
        let keeps_io = flags & KEEP_IO != 0 && core.fds.len() != 0;
        let fresh = if keeps_io {
            let wakeup = Wakeup::new();
            let reactor = Reactor::new(wakeup.ends()?)?;
            Some((wakeup, reactor))
        } else {
            None
        };
        let mut dropped: Vec<Callback> = Vec::new();
        if let Some(reactor) = core.reactor.take() {
            match self.wakeup.ensure() {
                Ok(fd) => reactor.abandon(fd, true),
                Err(_) => std::mem::forget(reactor),
            }
        }
        self.wakeup.close(true);

        // SAFETY: no other thread uses the loop in this child.
        let inbox = unsafe { std::ptr::replace(self.inbox.get(), Inbox::new(0)) };
        let (inbox, posted) = inbox.after_fork();
        // SAFETY: as above.
        unsafe { *self.inbox.get() = inbox };
        let taken = std::mem::take(&mut core.taken);
        let mut ready = std::mem::replace(&mut core.ready, ReadyQueue::new());
        for entry in taken.into_iter().chain(posted) {
            ready.push(entry)?;
        }
        if flags & KEEP_READY != 0 {
            core.ready = ready;
        } else {
            dropped.extend(self.inbox().forget_shared());
            dropped.extend(core.take_callbacks(&mut ready));
        }
        core.turn_end = core.ready.head();
        core.first_counted = core.ready.head();
        core.pacer = Pacer::new();
        core.monitor = None;
        self.watch(MONITOR, false);
        // SAFETY: no other thread uses the loop in this child.
        unsafe { *self.counters.get() = self.counters().successor() };
        match fresh {
            Some((wakeup, mut reactor)) => {
                self.wakeup.adopt(wakeup);
                for index in core.watch_all(&mut reactor, None) {
                    // Its descriptor is closed here.
                    dropped.extend(core.drop_watch(index));
                }
                core.reactor = Some(reactor);
            }
            None => dropped.extend(core.drain_watches()),
        }
        let attachments = core.take_mortal_attachments();
        core.armed = None;
        core.interrupt = 0;
        self.pid.store(fork_generation::pid(), Relaxed);
        self.stopping.store(false, Relaxed);
        self.running.store(false, Relaxed);
        self.waiting.store(false, Relaxed);
        self.owner.store(0, Relaxed);
        self.generation.store(fork_generation::current(), Release);
        debug_assert_ne!(self.generation.load(Relaxed), CLOSED);
        detach(attachments, Detach::Reinit);
        drop(dropped);
        Ok(())
    }
}

impl Core {
    fn drop_watch(&mut self, index: usize) -> Vec<Callback> {
        let Some(mut watch) = self.fds.remove(index) else { return Vec::new() };
        let sides = [Direction::Read, Direction::Write].map(|side| watch.take(side));
        sides.into_iter().flatten().filter_map(|registration| self.retire(registration)).collect()
    }

    /// Takes out what the entries of `ready` were to call; readers and writers
    /// stay where they are.
    fn take_callbacks(&mut self, ready: &mut ReadyQueue) -> Vec<Callback> {
        let mut callbacks = Vec::new();
        while !ready.is_empty() {
            match ready.pop().decode() {
                Decoded::Keyed(Kind::Handle, id) => {
                    let id = HandleId(id);
                    if self.handles.state(id) == Ok(State::Ready) {
                        callbacks.push(self.handles.take(id));
                    }
                }
                Decoded::Keyed(Kind::Boxed, raw) => {
                    // SAFETY: `post` made it, and an entry leaves its queue once.
                    callbacks.push(unsafe { Callback::from_raw(raw as usize as *mut Callback) });
                }
                _ => {}
            }
        }
        callbacks
    }
}

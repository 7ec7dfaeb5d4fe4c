//! Readers and writers: level-triggered, independent of each other, and deaf to
//! events that were meant for a predecessor.

use super::{Core, Current, EventLoop};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::fd_table::{Direction, Interest, Registration};
use crate::platform;
use crate::platform::fd::RawFd;
use crate::reactor::Reactor;
use crate::ready_queue::{Entry, Kind};

impl EventLoop {
    /// Calls `callback` whenever `fd` is ready in this direction. A callback
    /// registered before is cancelled.
    pub fn add_watch(&self, fd: RawFd, direction: Direction, callback: Callback) -> Result<()> {
        self.check()?;
        let mut access = self.enter()?;
        self.check_fd(fd)?;
        self.ensure_reactor()?;
        let core = access.core();
        let dead = core.register(fd, direction)?;
        let index = core.fds.index_of(fd).ok_or(Error::Internal)?;
        let serial = core.fds.take_serial();
        let watch = core.fds.get(index).ok_or(Error::Internal)?;
        let new = Registration { callback, serial };
        let replaced = watch.set(direction, new).and_then(|old| core.retire(old));
        core.poll_soon = true;
        drop(access);
        drop((dead, replaced));
        Ok(())
    }

    /// Ends a registration. False if there was none.
    pub fn remove_watch(&self, fd: RawFd, direction: Direction) -> Result<bool> {
        match self.check() {
            Err(Error::Closed) => return Ok(false),
            result => result?,
        }
        let mut access = self.enter()?;
        let core = access.core();
        let Some(index) = core.fds.index_of(fd) else {
            return Ok(false);
        };
        let watch = core.fds.get(index).ok_or(Error::Internal)?;
        let Some(removed) = watch.take(direction) else {
            return Ok(false);
        };
        let interest = watch.interest();
        let key = core.fds.key(index);
        // A number that was closed may be one of our own by now.
        if let Some(reactor) = core.reactor.as_mut().filter(|reactor| !reactor.owns(fd)) {
            // A descriptor that was closed meanwhile is no error here.
            if interest.is_none() || reactor.modify(fd, key, interest).is_err() {
                reactor.delete(fd);
            }
        }
        if interest.is_none() {
            core.fds.remove(index);
        }
        let removed = core.retire(removed);
        drop(access);
        drop(removed);
        Ok(true)
    }

    /// Is this direction of `fd` watched? A registration whose file was closed,
    /// so that the number means another one by now, does not count.
    pub fn has_watch(&self, fd: RawFd, direction: Direction) -> Result<bool> {
        self.check()?;
        let mut access = self.enter()?;
        let core = access.core();
        let Some(index) = core.fds.index_of(fd) else {
            return Ok(false);
        };
        let watch = core.fds.get(index).ok_or(Error::Internal)?;
        if !watch.has(direction) {
            return Ok(false);
        }
        let interest = watch.interest();
        let key = core.fds.key(index);
        Ok(core.reactor.as_mut().is_some_and(|r| r.modify(fd, key, interest).is_ok()))
    }

    /// Runs the reader or writer an event was queued for, if it is still the
    /// same one.
    pub(super) fn run_watch(&self, kind: Kind, key: u64) {
        let direction = if kind == Kind::Reader { Direction::Read } else { Direction::Write };
        let (index, serial) = (key as u32 as usize, (key >> 32) as u32);
        let core = self.core_of_run();
        let Some(watch) = core.fds.get(index) else {
            return;
        };
        let fd = watch.fd;
        if watch.serial(direction) != Some(serial) {
            return;
        }
        let Some(callback) = watch.callback(direction) else {
            return;
        };
        let (func, data) = callback.parts();
        // Not 0 and none only in a forked child that runs the loop again inside.
        let outer = (core.running_serial, core.retired.take());
        core.running_serial = serial;
        core.current = Current { callback: Some((func, data)), handle: 0, fd, ..core.current };
        self.about_to_run(core);
        // SAFETY: the host promised that the function may be called with its
        // data, which lives at least until `retired` is dropped below.
        unsafe { func(data) };
        // Also in a child that was forked inside: this thread's own copy of the
        // core is whole. SAFETY: as in `core_of_run`.
        let core = unsafe { &mut *self.core.get() };
        core.current.callback = None;
        core.running_serial = outer.0;
        let retired = std::mem::replace(&mut core.retired, outer.1);
        drop(retired);
    }

    /// Makes the kernel objects that a wait needs.
    pub(super) fn ensure_reactor(&self) -> Result<()> {
        // SAFETY: the caller holds the loop; no foreign code runs here.
        let core = unsafe { &mut *self.core.get() };
        if core.reactor.is_none() {
            core.reactor = Some(Reactor::new(self.wakeup.ends()?)?);
        }
        Ok(())
    }

    /// Waits, then queues the reader and the writer of each ready descriptor.
    pub(super) fn gather_events(&self, timeout_ns: i64, until: Option<u64>) -> Result<()> {
        let core = self.core_of_run();
        let Some(reactor) = &mut core.reactor else {
            return Ok(());
        };
        let (fds, ready, taken) = (&mut core.fds, &mut core.ready, &mut core.taken);
        let mut stray = false;
        let mut count = 0;
        let mut lacking = Ok(());
        reactor.wait(timeout_ns, until, |key, event| match fds.find(key) {
            Some((index, watch)) => {
                if self.inbox().is_pending() {
                    // Posted before this event was seen, so it comes first.
                    lacking = lacking.and(self.take_inbox(ready, taken).map(|_| ()));
                }
                let pairs = [
                    (event.readable, Direction::Read, Kind::Reader),
                    (event.writable, Direction::Write, Kind::Writer),
                ];
                for (is_ready, direction, kind) in pairs {
                    if let (true, Some(serial)) = (is_ready, watch.serial(direction)) {
                        let key = u64::from(serial) << 32 | index as u64;
                        // Without memory the event is lost, but not its cause:
                        // level-triggered, it comes again with the next wait.
                        lacking = lacking.and(ready.push(Entry::keyed(kind, key)));
                        count += 1;
                    }
                }
            }
            None => stray = true,
        })?;
        self.counters().saw_events(count);
        if stray && Reactor::HAS_STRAYS {
            // Without descriptors for another set the stray event comes again,
            // and so does this attempt.
            let _ = self.rebuild_reactor();
        }
        lacking
    }

    /// An event came for a registration that only the kernel still knows: its
    /// number was closed while a duplicate keeps the file open. It cannot be
    /// removed and would come back for ever, so everything else moves to a new
    /// epoll set.
    #[cold]
    fn rebuild_reactor(&self) -> Result<()> {
        let mut reactor = Reactor::new(self.wakeup.ends()?)?;
        let core = self.core_of_run();
        let mut old = core.reactor.take();
        core.watch_all(&mut reactor, old.as_mut());
        core.reactor = Some(reactor);
        Ok(())
    }

    /// Refuses a number that means no open file, before anything is opened that
    /// could take it, and before the table grows for it; and our own numbers.
    fn check_fd(&self, fd: RawFd) -> Result<()> {
        if fd < 0 {
            return Err(Error::BadDescriptor(fd));
        }
        let core = self.core_of_run();
        if core.reactor.is_none() || !core.fds.has_room_for(fd) {
            if !platform::is_open(fd) {
                return Err(Error::Sys(platform::errno()));
            }
        }
        if core.reactor.as_ref().is_some_and(|reactor| reactor.owns(fd)) {
            return Err(Error::Invalid("the descriptor is the loop's own"));
        }
        Ok(())
    }
}

impl Core {
    /// Tells the kernel of one more direction. Returns registrations that
    /// turned out to belong to a file closed long ago.
    fn register(&mut self, fd: RawFd, direction: Direction) -> Result<Vec<Callback>> {
        self.fds.reserve(fd)?;
        let reactor = self.reactor.as_mut().ok_or(Error::Internal)?;
        let added = Interest {
            readable: direction == Direction::Read,
            writable: direction == Direction::Write,
        };
        let Some(index) = self.fds.index_of(fd) else {
            let index = self.fds.insert(fd);
            let key = self.fds.key(index);
            let result = match reactor.add(fd, key, added) {
                Err(Error::Sys(libc::EEXIST)) => reactor.modify(fd, key, added),
                result => result,
            };
            if result.is_err() {
                self.fds.remove(index);
            }
            return result.map(|()| Vec::new());
        };
        let present = self.fds.get(index).ok_or(Error::Internal)?.interest();
        let both = Interest {
            readable: present.readable || added.readable,
            writable: present.writable || added.writable,
        };
        match reactor.modify(fd, self.fds.key(index), both) {
            Err(Error::Sys(libc::ENOENT)) => {
                // The number was closed and means another file now: nothing of
                // the old registration may speak for the new one.
                let old_key = self.fds.key(index);
                self.fds.renew_epoch(index);
                if let Err(error) = reactor.add(fd, self.fds.key(index), added) {
                    debug_assert_ne!(old_key, self.fds.key(index));
                    return Err(error);
                }
                let mut dead = Vec::new();
                for direction in [Direction::Read, Direction::Write] {
                    let side = self.fds.get(index).ok_or(Error::Internal)?.take(direction);
                    dead.extend(side.and_then(|registration| self.retire(registration)));
                }
                Ok(dead)
            }
            result => result.map(|()| Vec::new()),
        }
    }

    /// A registration that ended. What runs at this moment must outlive its
    /// call; anything else is handed back to be dropped at once.
    pub(super) fn retire(&mut self, registration: Registration) -> Option<Callback> {
        if registration.serial == self.running_serial {
            self.retired = Some(registration.callback);
            None
        } else {
            Some(registration.callback)
        }
    }

    /// Registers every watch with a new reactor. Yields those it refused,
    /// because their descriptors are closed by now. With the `old` reactor at
    /// hand, what that one forgot is left out: it was closed, and its number
    /// may mean another file by now.
    pub(super) fn watch_all(
        &mut self,
        reactor: &mut Reactor,
        mut old: Option<&mut Reactor>,
    ) -> Vec<usize> {
        let mut refused = Vec::new();
        for index in self.fds.indices() {
            let old_key = self.fds.key(index);
            self.fds.renew_epoch(index);
            let key = self.fds.key(index);
            if let Some(watch) = self.fds.get(index) {
                let (fd, interest) = (watch.fd, watch.interest());
                if old.as_mut().is_some_and(|old| old.modify(fd, old_key, interest).is_err())
                    || reactor.add(fd, key, interest).is_err()
                {
                    refused.push(index);
                }
            }
        }
        refused
    }
}

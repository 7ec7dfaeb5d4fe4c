//! The end of children, as a callback of a loop: asyncio's child watcher.
//!
//! Nothing of the process is touched for it: no handler of SIGCHLD, no waiting
//! for children that nobody asked about. A child is watched by a descriptor of
//! its own, or, where there are none, by a thread that waits for it. Either way
//! it is the loop that takes the status: until then the number is the child's.

mod pidfd;
mod status;
mod watcher;

pub use pidfd::send_signal;
pub use status::{Pidfd, RUNNING};
pub use watcher::{Watcher, get as watcher, set as set_watcher};

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop, Hold, Kept};
use crate::fd_table::Direction;
use crate::loop_cell::LoopCell;
use crate::memory::try_arc;
use crate::platform::fd::{AsRawFd, OwnedFd};
use status::Status;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// What a loop watches.
struct Children {
    event_loop: Kept,
    by_pid: LoopCell<HashMap<i32, Vec<Watch>>>,
}

/// Somebody who wants to know of the end of a child.
struct Watch {
    /// The host's, which a second one replaces.
    is_hosts: bool,
    pidfd: Option<Pidfd>,
    /// Where the callback finds the return code.
    code: Arc<AtomicI32>,
    callback: Callback,
}

/// A descriptor that becomes readable when the child has ended.
struct Sight {
    children: Arc<Children>,
    pid: i32,
}

/// For the host: calls `func` with the process id and the return code once the
/// child has ended, in the caller's present context. What the host watched
/// under this number before is replaced.
pub fn watch(
    event_loop: &EventLoop,
    pid: i32,
    func: impl FnOnce(i32, i32) + 'static,
) -> Result<()> {
    if pid <= 0 {
        return Err(Error::Invalid("a process id must be positive"));
    }
    event_loop.check_open()?;
    let children = children_of(event_loop)?;
    let pidfd = open(pid)?;
    let code = try_arc(AtomicI32::new(RUNNING))?;
    let callback = prepare(event_loop, pid, &code, func)?;
    children.insert(pid, Watch { is_hosts: true, pidfd, code, callback })
}

/// For services: the same for a child of our own, beside what the host watches.
/// The return code is in `code` before `func` is called, and also if its status
/// was taken while the loop was closed.
pub fn watch_own(
    event_loop: &EventLoop,
    pid: i32,
    pidfd: Option<Pidfd>,
    code: Arc<AtomicI32>,
    func: impl FnOnce(i32, i32) + 'static,
) -> Result<()> {
    let children = children_of(event_loop)?;
    let callback = prepare(event_loop, pid, &code, func)?;
    children.insert(pid, Watch { is_hosts: false, pidfd, code, callback })
}

/// Ends what `watch` began. False if there was nothing.
pub fn unwatch(event_loop: &EventLoop, pid: i32) -> Result<bool> {
    match event_loop.check_open() {
        Err(Error::Closed) => return Ok(false),
        result => result?,
    }
    let hold = event_loop.hold()?;
    let Some(children) = event_loop.find_attachment::<Children>() else { return Ok(false) };
    let removed = children.take_hosts(&hold, pid);
    children.unsee(removed.as_slice());
    Ok(removed.is_some())
}

/// Waits for the end of a child that nobody watches, and takes its status.
pub fn take_status(pid: i32, pidfd: Option<&OwnedFd>) {
    status::wait_until_ended(pid);
    status::reap(pid, pidfd);
}

fn children_of(event_loop: &EventLoop) -> Result<Arc<Children>> {
    event_loop.attachment(|| {
        Ok(Children { event_loop: event_loop.keep(), by_pid: LoopCell::new(HashMap::new()) })
    })
}

fn open(pid: i32) -> Result<Option<Pidfd>> {
    match watcher::get() {
        Watcher::Pidfd => pidfd::open(pid),
        Watcher::Threaded => Ok(None),
    }
}

/// Everything that may fail is done before the child ends.
fn prepare(
    event_loop: &EventLoop,
    pid: i32,
    code: &Arc<AtomicI32>,
    func: impl FnOnce(i32, i32) + 'static,
) -> Result<Callback> {
    let code = code.clone();
    let callback = Callback::once(move || func(pid, code.load(Relaxed)))?;
    event_loop.in_present_context(callback)
}

impl Children {
    fn with<R>(
        &self,
        _hold: &Hold<'_>,
        body: impl FnOnce(&mut HashMap<i32, Vec<Watch>>) -> R,
    ) -> R {
        // SAFETY: the hold is that of our loop.
        unsafe { self.by_pid.with(body) }
    }

    fn insert(self: &Arc<Self>, pid: i32, watch: Watch) -> Result<()> {
        let hold = self.event_loop.hold()?;
        self.with(&hold, |by_pid| {
            by_pid.try_reserve(1)?;
            by_pid.entry(pid).or_default().try_reserve(1)
        })
        .map_err(|_| Error::NO_MEMORY)?;
        let seen = match &watch.pidfd {
            Some(pidfd) => {
                let sight = try_arc(Sight { children: self.clone(), pid })?;
                let look = Callback::on(sight, |sight: &Arc<Sight>| sight.children.look(sight.pid));
                self.event_loop.add_watch(pidfd.as_raw_fd(), Direction::Read, look)
            }
            None => self.wait_in_thread(pid),
        };
        if let Err(error) = seen {
            let forget = |by_pid: &mut HashMap<i32, Vec<Watch>>| {
                if by_pid.get(&pid).is_some_and(Vec::is_empty) {
                    by_pid.remove(&pid);
                }
            };
            self.with(&hold, forget);
            return Err(error);
        }
        let mut watch = Some(watch);
        let replaced = self.with(&hold, |by_pid| {
            let new = watch.take()?;
            let watches = by_pid.entry(pid).or_default();
            match watches.iter_mut().find(|old| old.is_hosts && new.is_hosts) {
                Some(old) => Some(std::mem::replace(old, new)),
                None => {
                    watches.push(new);
                    None
                }
            }
        });
        self.unsee(replaced.as_slice());
        drop(replaced);
        Ok(())
    }

    /// Takes out the host's watch; an empty place goes, too.
    fn take_hosts(&self, hold: &Hold<'_>, pid: i32) -> Option<Watch> {
        self.with(hold, |by_pid| {
            let watches = by_pid.get_mut(&pid)?;
            let position = watches.iter().position(|watch| watch.is_hosts)?;
            let watch = watches.remove(position);
            if watches.is_empty() {
                by_pid.remove(&pid);
            }
            Some(watch)
        })
    }

    /// The loop need not look at these descriptors any more.
    fn unsee(&self, watches: &[Watch]) {
        for pidfd in watches.iter().filter_map(|watch| watch.pidfd.as_ref()) {
            let _ = self.event_loop.remove_watch(pidfd.as_raw_fd(), Direction::Read);
        }
    }

    /// The child may have ended: if so, tells everybody who watches it.
    fn look(&self, pid: i32) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let pidfd = self.with(&hold, |by_pid| {
            let watches = by_pid.get(&pid)?;
            Some(watches.iter().find_map(|watch| watch.pidfd.clone()))
        });
        let Some(pidfd) = pidfd else { return };
        let Status::Ended(code) = status::reap(pid, pidfd.as_deref()) else { return };
        let ended = self.with(&hold, |by_pid| by_pid.remove(&pid)).unwrap_or_default();
        self.unsee(&ended);
        drop((hold, pidfd));
        for watch in ended {
            if self.event_loop.is_forked() {
                // A child of the callback before; the rest is the parent's.
                continue;
            }
            watch.code.store(code, Relaxed);
            drop(watch.pidfd);
            watch.callback.call();
        }
    }

    /// Starts a thread that lives as long as the child. It neither takes the
    /// status nor refers to anything but the loop's memory.
    fn wait_in_thread(&self, pid: i32) -> Result<()> {
        let event_loop = self.event_loop.clone();
        let wait = move || {
            status::wait_until_ended(pid);
            let kept = event_loop.clone();
            let look = Callback::once(move || {
                if let Some(children) = kept.find_attachment::<Children>() {
                    children.look(pid);
                }
            });
            if let Ok(look) = look {
                let _ = event_loop.call_soon_threadsafe(look, false);
            }
        };
        let builder = std::thread::Builder::new().name("coloop-child".into()).stack_size(64 << 10);
        // Signals are for the host's threads.
        let mask = SignalMask::block_all();
        let started = builder.spawn(wait);
        drop(mask);
        started.map(drop).map_err(Error::from)
    }
}

/// No signal comes to this thread, and to those it starts, until this is dropped.
pub struct SignalMask(libc::sigset_t);

impl SignalMask {
    /// Blocks all signals.
    pub fn block_all() -> Self {
        // SAFETY: plain data, filled in by the calls.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            SignalMask(before)
        }
    }
}

impl Drop for SignalMask {
    fn drop(&mut self) {
        // SAFETY: the mask that was there before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

impl Attachment for Children {
    fn detached(&self, why: Detach) {
        let Ok(hold) = self.event_loop.hold() else { return };
        // SAFETY: held. A child may have been forked in the middle of a `with`
        // of its own thread, by a signal handler.
        let taken = unsafe { self.by_pid.try_with(std::mem::take) };
        let Some(by_pid) = taken else { return };
        for (pid, watches) in &by_pid {
            // Who has ended by now leaves no zombie behind.
            if why == Detach::Closed && watches.iter().any(|watch| !watch.is_hosts) {
                let pidfd = watches.iter().find_map(|watch| watch.pidfd.as_deref());
                if let Status::Ended(code) = status::reap(*pid, pidfd) {
                    watches.iter().for_each(|watch| watch.code.store(code, Relaxed));
                }
            }
            self.unsee(watches);
        }
        drop(hold);
        drop(by_pid);
    }
}

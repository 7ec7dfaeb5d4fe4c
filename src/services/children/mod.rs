//! The end of children, as a callback of a loop: asyncio's child watcher.
//!
//! Nothing of the process is touched for it: no handler of SIGCHLD, no waiting
//! for children that nobody asked about. A child is watched by a descriptor of
//! its own, or, where there are none, by a thread that waits for it; on Windows
//! by a handle. Either way it is the loop that takes the status: until then the
//! number is the child's.

#[cfg(windows)]
mod handle;
#[cfg(unix)]
#[cfg_attr(backend = "kqueue", path = "kqueue.rs")]
#[cfg_attr(backend = "poll", path = "by_number.rs")]
mod pidfd;
#[cfg(unix)]
mod sight;
mod status;
#[cfg(unix)]
mod waitid;
mod watcher;

#[cfg(windows)]
use handle::{self as pidfd, self as waitid};

#[cfg(windows)]
pub use handle::Process;
#[cfg(unix)]
pub use pidfd::ProcessFd;
pub use pidfd::{Pidfd, send_signal};
pub use status::RUNNING;
pub use waitid::take_status;
pub use watcher::{Watcher, get as watcher, set as set_watcher};

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop, Hold, Kept};
use crate::loop_cell::LoopCell;
use crate::memory::try_arc;
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

fn children_of(event_loop: &EventLoop) -> Result<Arc<Children>> {
    event_loop.attachment(|| {
        Ok(Children { event_loop: event_loop.keep(), by_pid: LoopCell::new(HashMap::new()) })
    })
}

/// A child's descriptor, where this process hears of ends that way.
pub fn open(pid: i32) -> Result<Option<Pidfd>> {
    match watcher::get() {
        // Windows has handles, and its own threads wait.
        Watcher::Threaded if cfg!(unix) => Ok(None),
        _ => pidfd::open(pid),
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
        if let Err(error) = self.see(pid, watch.pidfd.as_ref()) {
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

    /// The loop need not look at these any more.
    fn unsee(&self, watches: &[Watch]) {
        watches.iter().filter_map(|watch| watch.pidfd.as_ref()).for_each(|pidfd| self.blind(pidfd));
    }

    /// The child may have ended: if so, tells everybody who watches it.
    fn look(&self, pid: i32) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let pidfd = self.with(&hold, |by_pid| {
            let watches = by_pid.get(&pid)?;
            Some(watches.iter().find_map(|watch| watch.pidfd.clone()))
        });
        let Some(pidfd) = pidfd else { return };
        let Status::Ended(code) = waitid::reap(pid, pidfd.as_deref()) else { return };
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
                if let Status::Ended(code) = waitid::reap(*pid, pidfd) {
                    watches.iter().for_each(|watch| watch.code.store(code, Relaxed));
                }
            }
            self.unsee(watches);
        }
        drop(hold);
        drop(by_pid);
    }
}

//! How a loop gets to see that a child has ended: by a descriptor that becomes
//! readable then, or by a thread.

use super::Children;
use super::pidfd::Pidfd;
use super::waitid;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::fd_table::Direction;
use crate::memory::try_arc;
use crate::platform::fd::AsRawFd;
use crate::platform::thread;
use std::sync::Arc;
use std::thread::Builder;

/// A descriptor that becomes readable when the child has ended.
struct Sight {
    children: Arc<Children>,
    pid: i32,
}

impl Children {
    /// The loop looks once the child may have ended.
    pub(super) fn see(self: &Arc<Self>, pid: i32, pidfd: Option<&Pidfd>) -> Result<()> {
        let Some(pidfd) = pidfd else { return self.wait_in_thread(pid) };
        let sight = try_arc(Sight { children: self.clone(), pid })?;
        let look = Callback::on(sight, |sight: &Arc<Sight>| sight.children.look(sight.pid));
        self.event_loop.add_watch(pidfd.as_raw_fd(), Direction::Read, look)
    }

    /// It does so no more.
    pub(super) fn blind(&self, pidfd: &Pidfd) {
        let _ = self.event_loop.remove_watch(pidfd.as_raw_fd(), Direction::Read);
    }

    /// Starts a thread that lives as long as the child. It neither takes the
    /// status nor refers to anything but the loop's memory.
    fn wait_in_thread(&self, pid: i32) -> Result<()> {
        let event_loop = self.event_loop.clone();
        let wait = move || {
            waitid::wait_until_ended(pid);
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
        let builder = Builder::new().name("coloop-child".into()).stack_size(64 << 10);
        thread::spawn(builder, wait).map(drop).map_err(Error::from)
    }
}

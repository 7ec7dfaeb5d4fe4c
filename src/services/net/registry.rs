//! What must end when its loop closes: sockets under way, servers. A loop's
//! reactor knows only descriptors; this knows who they belong to.

use crate::error::Result;
use crate::event_loop::{Attachment, Detach, EventLoop, Kept};
use crate::loop_cell::LoopCell;
use crate::memory::probe_array;
use slab::Slab;
use std::sync::Arc;

/// Lets go of everything when the loop does.
pub trait EndsWithLoop: Send + Sync {
    /// The loop was closed, or is another process's. Foreign code may run here.
    fn loop_ended(self: Arc<Self>, why: Detach);
}

/// All of them, of one loop.
pub struct Registry {
    event_loop: Kept,
    entries: LoopCell<Slab<Arc<dyn EndsWithLoop>>>,
}

/// The place of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(usize);

impl Registry {
    /// The one of this loop. Fails where the loop cannot be used here and now.
    pub fn of(event_loop: &EventLoop) -> Result<Arc<Registry>> {
        let make = || {
            let entries = LoopCell::new(Slab::new());
            Ok(Registry { event_loop: event_loop.keep(), entries })
        };
        event_loop.attachment::<Registry>(make)
    }

    /// Adds an entry.
    pub fn add(&self, entry: Arc<dyn EndsWithLoop>) -> Result<Key> {
        let _hold = self.event_loop.hold()?;
        let mut entry = Some(entry);
        // SAFETY: the loop is held.
        unsafe {
            self.entries.with(|entries| {
                if entries.len() == entries.capacity() {
                    probe_array::<[usize; 3]>(2 * entries.len() + 4)?;
                }
                entry
                    .take()
                    .map(|entry| Key(entries.insert(entry)))
                    .ok_or(crate::error::Error::Internal)
            })
        }
    }

    /// Takes an entry out, if it is still there.
    pub fn remove(event_loop: &EventLoop, key: Key) {
        let Some(registry) = event_loop.find_attachment::<Registry>() else { return };
        let Ok(_hold) = event_loop.hold() else { return };
        // SAFETY: the loop is held.
        let removed = unsafe { registry.entries.with(|entries| entries.try_remove(key.0)) };
        drop(removed);
    }
}

impl Attachment for Registry {
    fn detached(&self, why: Detach) {
        loop {
            let Ok(_hold) = self.event_loop.hold() else { return };
            // SAFETY: the loop is held.
            let entry = unsafe {
                self.entries.with(|entries| {
                    let key = entries.iter().next().map(|(key, _)| key);
                    key.and_then(|key| entries.try_remove(key))
                })
            };
            match entry {
                Some(entry) => entry.loop_ended(why),
                None => return,
            }
        }
    }
}

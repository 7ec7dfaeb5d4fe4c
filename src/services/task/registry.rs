//! The pending tasks of a loop, and which of them runs now.

use super::Task;
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop, Hold};
use crate::loop_cell::LoopCell;
use crate::memory::{probe_array, try_collect};
use slab::Slab;
use std::sync::Arc;

/// A loop's tasks.
pub(super) struct Registry(LoopCell<Tasks>);

struct Tasks {
    /// Kept alive here, so that a task that nobody else refers to goes on.
    pending: Slab<Arc<Task>>,
    current: Option<Arc<Task>>,
}

impl Attachment for Registry {
    fn survives_reinit(&self) -> bool {
        true
    }

    fn detached(&self, why: Detach) {
        // SAFETY: the loop has let go of this; a child that was forked in the
        // middle of a change finds it in use and leaves it.
        let tasks = unsafe { self.0.try_with(|tasks| std::mem::take(&mut tasks.pending)) };
        for (_, task) in tasks.into_iter().flatten() {
            task.abandon(why == Detach::Closed);
        }
    }
}

/// The registry of a loop.
pub(super) fn of(event_loop: &EventLoop) -> Result<Arc<Registry>> {
    event_loop
        .attachment(|| Ok(Registry(LoopCell::new(Tasks { pending: Slab::new(), current: None }))))
}

impl Registry {
    fn with<R>(&self, event_loop: &EventLoop, body: impl FnOnce(&mut Tasks) -> R) -> Result<R> {
        let _hold = event_loop.hold()?;
        // SAFETY: held; nothing foreign runs in any `body` of this file.
        Ok(unsafe { self.0.with(body) })
    }

    pub fn add(&self, task: &Arc<Task>) -> Result<()> {
        let key = self.with(task.event_loop(), |tasks| {
            if tasks.pending.len() == tasks.pending.capacity() {
                probe_array::<(usize, Arc<Task>)>(2 * tasks.pending.capacity().max(4))?;
            }
            Ok::<_, Error>(tasks.pending.insert(task.clone()))
        })??;
        let hold = task.hold()?;
        task.with(&hold, |state| state.key = Some(key));
        Ok(())
    }

    /// The task is over.
    pub fn remove(&self, task: &Task) {
        let Ok(hold) = task.hold() else { return };
        if let Some(key) = task.with(&hold, |state| state.key.take()) {
            let removed = self.with(task.event_loop(), |tasks| tasks.pending.try_remove(key));
            drop(removed);
        }
    }

    /// A step of `task` begins; yields what ran before.
    pub fn enter(&self, task: &Arc<Task>, _hold: &Hold<'_>) -> Option<Arc<Task>> {
        // SAFETY: held.
        unsafe { self.0.with(|tasks| tasks.current.replace(task.clone())) }
    }

    /// Does a step run now?
    pub fn is_inside(&self, _hold: &Hold<'_>) -> bool {
        // SAFETY: held.
        unsafe { self.0.with(|tasks| tasks.current.is_some()) }
    }

    /// The step is over, maybe in a child that was forked inside it. Yields the
    /// reference that kept the task meanwhile.
    pub fn leave(&self, event_loop: &EventLoop, outer: Option<Arc<Task>>) -> Option<Arc<Task>> {
        let hold = event_loop.hold();
        if let Err(Error::WrongThread) = hold {
            return None;
        }
        // SAFETY: held, or this thread was inside at the fork and so no other.
        let own = unsafe { self.0.try_with(|tasks| std::mem::replace(&mut tasks.current, outer)) };
        own.flatten()
    }
}

/// The task whose step runs now.
pub fn current_task(event_loop: &EventLoop) -> Result<Option<Arc<Task>>> {
    event_loop.check_open()?;
    of(event_loop)?.with(event_loop, |tasks| tasks.current.clone())
}

/// All tasks that are not done.
pub fn all_tasks(event_loop: &EventLoop) -> Result<Vec<Arc<Task>>> {
    event_loop.check_open()?;
    of(event_loop)?
        .with(event_loop, |tasks| try_collect(tasks.pending.iter().map(|(_, task)| task.clone())))?
}

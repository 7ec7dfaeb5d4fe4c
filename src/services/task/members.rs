//! The tasks of a group, in the order in which they came: none moves another when
//! it leaves, so that a large group ends in good time.

use super::Task;
use crate::error::{Error, Result};
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Members {
    /// By ascending keys; those that have left are none.
    places: Vec<(u64, Option<Arc<Task>>)>,
    next: u64,
    count: usize,
}

impl Members {
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Makes room for one more.
    pub fn reserve(&mut self) -> Result<()> {
        self.places.try_reserve(1).map_err(|_| Error::NO_MEMORY)
    }

    /// Adds a task, for which there is room: its key.
    pub fn add(&mut self, task: Arc<Task>) -> u64 {
        self.next += 1;
        self.places.push((self.next, Some(task)));
        self.count += 1;
        self.next
    }

    /// Takes a task out, if it is still there.
    pub fn take(&mut self, key: u64) -> Option<Arc<Task>> {
        let place = self.places.binary_search_by_key(&key, |place| place.0).ok()?;
        let task = self.places[place].1.take()?;
        self.count -= 1;
        if self.places.len() > 2 * self.count {
            self.places.retain(|place| place.1.is_some());
        }
        Some(task)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, &Arc<Task>)> {
        self.places.iter().filter_map(|(key, task)| Some((*key, task.as_ref()?)))
    }

    /// The first that came after `key`.
    pub fn after(&self, key: u64) -> Option<(u64, Arc<Task>)> {
        let place = self.places.partition_point(|place| place.0 <= key);
        self.places[place..].iter().find_map(|(key, task)| Some((*key, task.clone()?)))
    }
}

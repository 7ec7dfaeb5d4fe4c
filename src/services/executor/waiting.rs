//! Jobs that wait for a thread of a pool, in the order in which they came.

use super::job::Task;
use crate::error::{Error, Result};
use std::collections::VecDeque;

/// A line of jobs.
#[derive(Default)]
pub struct Waiting {
    entries: VecDeque<Entry>,
    /// How many of them are empty.
    withdrawn: usize,
}

/// A job's place in the line; places are in the order of their serials.
struct Entry {
    serial: u64,
    task: Option<Task>,
}

impl Waiting {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len() - self.withdrawn
    }

    /// Makes sure that `push` needs no memory.
    pub fn reserve_one(&mut self) -> Result<()> {
        self.entries.try_reserve(1).map_err(|_| Error::NO_MEMORY)
    }

    /// A job comes, after `reserve_one`. Serials only grow.
    pub fn push(&mut self, serial: u64, task: Task) {
        self.entries.push_back(Entry { serial, task: Some(task) });
    }

    /// The next job.
    pub fn pop(&mut self) -> Option<Task> {
        while let Some(entry) = self.entries.pop_front() {
            match entry.task {
                Some(task) => return Some(task),
                None => self.withdrawn -= 1,
            }
        }
        None
    }

    /// Takes a job out wherever it stands.
    pub fn remove(&mut self, serial: u64) -> Option<Task> {
        let index = self.entries.binary_search_by_key(&serial, |entry| entry.serial).ok()?;
        let task = self.entries.get_mut(index)?.task.take()?;
        self.withdrawn += 1;
        if self.withdrawn > 32 && self.withdrawn > self.entries.len() / 2 {
            self.entries.retain(|entry| entry.task.is_some());
            self.withdrawn = 0;
        }
        Some(task)
    }

    /// All of them.
    pub fn into_tasks(self) -> impl Iterator<Item = Task> {
        self.entries.into_iter().filter_map(|entry| entry.task)
    }
}

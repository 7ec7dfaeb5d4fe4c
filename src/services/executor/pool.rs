//! A pool of threads that take jobs from one queue.
//!
//! Who may touch what: everything is in `Queue`, guarded by the one mutex;
//! nothing foreign runs under it. While there are jobs there is a thread.
//!
//! Waking: at most one woken thread is on its way at a time (`wakes`); it wakes
//! the next one if there are more jobs than it can take. So whoever submits
//! many short jobs pays for one wake-up and not for each.
//!
//! A worker that finds no job looks a moment longer before it sleeps, without
//! the lock and at no more than a number; what it finds there it settles under
//! the lock.
//!
//! Fork: the threads stay in the parent. The child compares generations before
//! it locks anything; only `abandon` looks inside, if nobody held the lock.

use super::job::{Receiver, Task};
use super::worker;
use crate::error::{Error, Result};
use crate::fork_generation;
use crate::services::future::Outcome;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

/// A pool of threads.
pub struct Pool {
    generation: u64,
    pid: i32,
    /// The most threads there may be; changed under the lock.
    workers: AtomicUsize,
    /// The serial of the next job, for a worker that looks without the lock;
    /// changed under it.
    next_serial: AtomicU64,
    queue: Mutex<Queue>,
    /// Something changed for idle workers.
    pub(super) changed: Condvar,
    /// The last worker ended after a shutdown.
    ended: Condvar,
}

/// What the mutex guards.
pub(super) struct Queue {
    jobs: VecDeque<Entry>,
    /// How many entries of `jobs` are empty.
    withdrawn: usize,
    pub threads: usize,
    /// Threads that were started and have not come to the queue yet.
    pub starting: usize,
    /// Threads in `changed.wait`, those included that are on their way out.
    pub waiting: usize,
    /// A thread without a job that looks for one a moment longer.
    pub looking: bool,
    /// Notifications that no thread has answered yet.
    pub wakes: usize,
    /// No more jobs are taken; threads end when there are none.
    pub shutdown: bool,
    /// Those that were not detached. Only of a pool that is shut down may one
    /// belong to a thread that has ended.
    pub handles: Vec<JoinHandle<()>>,
    next_name: usize,
    /// To be told when the last thread has ended.
    ended: Vec<Receiver>,
}

/// A job's place in the queue; places are in the order of their serials.
struct Entry {
    serial: u64,
    task: Option<Task>,
}

impl Queue {
    /// The next job.
    pub fn take(&mut self) -> Option<Task> {
        while let Some(entry) = self.jobs.pop_front() {
            match entry.task {
                Some(task) => return Some(task),
                None => self.withdrawn -= 1,
            }
        }
        None
    }

    fn len(&self) -> usize {
        self.jobs.len() - self.withdrawn
    }

    /// Must one more thread be woken? Then the caller does so once it has given
    /// the lock back.
    pub fn wants_wake(&mut self) -> bool {
        let coming = self.looking || self.wakes > 0;
        let wants = !coming && self.waiting > 0 && self.len() > 0;
        self.wakes += usize::from(wants);
        wants
    }

    /// Takes a job out wherever it stands.
    fn remove(&mut self, serial: u64) -> Option<Task> {
        let index = self.jobs.binary_search_by_key(&serial, |entry| entry.serial).ok()?;
        let task = self.jobs.get_mut(index)?.task.take()?;
        self.withdrawn += 1;
        if self.withdrawn > 32 && self.withdrawn > self.jobs.len() / 2 {
            self.jobs.retain(|entry| entry.task.is_some());
            self.withdrawn = 0;
        }
        Some(task)
    }
}

impl Pool {
    /// A pool without threads yet.
    pub fn new(workers: usize) -> Result<Arc<Pool>> {
        crate::memory::try_arc(Pool {
            generation: fork_generation::current(),
            pid: fork_generation::pid(),
            workers: AtomicUsize::new(at_least_one(workers)),
            next_serial: AtomicU64::new(0),
            queue: Mutex::new(Queue {
                jobs: VecDeque::new(),
                withdrawn: 0,
                threads: 0,
                starting: 0,
                waiting: 0,
                looking: false,
                wakes: 0,
                shutdown: false,
                handles: Vec::new(),
                next_name: 0,
                ended: Vec::new(),
            }),
            changed: Condvar::new(),
            ended: Condvar::new(),
        })
    }

    /// Are we in a forked child?
    pub fn is_forked(&self) -> bool {
        fork_generation::raw() != self.generation
    }

    /// The queue, in the process of the pool.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Queue>> {
        match self.is_forked() {
            true => Err(Error::Forked(self.pid)),
            false => Ok(self.queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner())),
        }
    }

    /// The queue for a worker that found no job: after a while, or when woken.
    pub(super) fn idle<'a>(&'a self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let (mut queue, came) = self.look_longer(queue);
        if came || queue.shutdown {
            return queue;
        }
        queue.waiting += 1;
        queue = self.changed.wait(queue).unwrap_or_else(|poisoned| poisoned.into_inner());
        queue.waiting -= 1;
        queue.wakes = queue.wakes.saturating_sub(1);
        queue
    }

    /// Jobs often come one after the other, and to sleep and be woken takes
    /// longer than most of them. One thread at a time looks, without the lock.
    fn look_longer<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
    ) -> (MutexGuard<'a, Queue>, bool) {
        if queue.looking {
            return (queue, false);
        }
        queue.looking = true;
        let seen = self.next_serial.load(Relaxed);
        drop(queue);
        for _ in 0..LOOKS {
            if self.next_serial.load(Relaxed) != seen {
                break;
            }
            std::hint::spin_loop();
        }
        let mut queue = self.queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        queue.looking = false;
        let came = queue.len() > 0;
        (queue, came)
    }

    /// Queues a job; yields what `withdraw` knows it by. A refused one comes back.
    pub fn submit(self: &Arc<Self>, task: Task) -> std::result::Result<u64, (Error, Task)> {
        let mut queue = match self.lock() {
            Ok(queue) => queue,
            Err(error) => return Err((error, task)),
        };
        if queue.shutdown {
            return Err((Error::Shutdown, task));
        }
        if queue.jobs.try_reserve(1).is_err() {
            return Err((Error::NO_MEMORY, task));
        }
        let serial = self.next_serial.load(Relaxed);
        self.next_serial.store(serial + 1, Relaxed);
        queue.jobs.push_back(Entry { serial, task: Some(task) });
        if let Err(error) = self.start_workers(&mut queue, 1)
            && queue.threads == 0
            && let Some(task) = queue.remove(serial)
        {
            return Err((error, task));
        }
        let wake = queue.wants_wake();
        drop(queue);
        if wake {
            self.changed.notify_one();
        }
        Ok(serial)
    }

    /// Starts threads for jobs that no idle one will take.
    fn start_workers(self: &Arc<Self>, queue: &mut Queue, most: usize) -> Result<()> {
        for _ in 0..most {
            let coming = queue.waiting + queue.starting + usize::from(queue.looking);
            if queue.threads >= self.workers() || queue.len() <= coming {
                break;
            }
            queue.handles.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
            // Under the lock, so that the thread finds its handle.
            let handle = worker::start(self.clone(), queue.next_name)?;
            queue.handles.push(handle);
            queue.next_name += 1;
            queue.threads += 1;
            queue.starting += 1;
        }
        Ok(())
    }

    /// Takes back a job that no thread has taken. Drop it outside all locks.
    pub fn withdraw(&self, serial: u64) -> Option<Task> {
        self.lock().ok()?.remove(serial)
    }

    /// Sets the most threads there may be; those too many end when idle.
    pub fn set_workers(self: &Arc<Self>, workers: usize) -> Result<()> {
        let mut queue = self.lock()?;
        self.workers.store(at_least_one(workers), Relaxed);
        let started = self.start_workers(&mut queue, usize::MAX);
        let shrinks = queue.threads > self.workers();
        drop(queue);
        if shrinks {
            self.changed.notify_all();
        }
        started
    }

    /// The most threads there may be. Answers in a forked child, too.
    pub fn workers(&self) -> usize {
        self.workers.load(Relaxed)
    }

    /// How many threads there are, and how many jobs wait for one.
    pub fn counts(&self) -> Result<(usize, usize)> {
        let queue = self.lock()?;
        Ok((queue.threads, queue.len()))
    }

    /// Takes no more jobs; threads end once there are none, and `receiver` is
    /// told. Yields the jobs that nobody has taken, if they are to be cancelled.
    pub fn shutdown(&self, cancel_queued: bool, receiver: Option<Receiver>) -> Result<Vec<Task>> {
        let mut queue = self.lock()?;
        queue.ended.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
        let ended_already = match queue.threads {
            0 => receiver,
            _ => {
                queue.ended.extend(receiver);
                None
            }
        };
        queue.shutdown = true;
        let mut cancelled = Vec::new();
        if cancel_queued {
            queue.withdrawn = 0;
            cancelled.extend(std::mem::take(&mut queue.jobs).into_iter().filter_map(|e| e.task));
        }
        drop(queue);
        self.changed.notify_all();
        if let Some(receiver) = ended_already {
            receiver.finish(Outcome::number(0));
        }
        Ok(cancelled)
    }

    /// Waits for the end of all threads of a pool that is shut down; 0: however
    /// long it takes.
    pub fn join(&self, timeout_ns: u64) -> Result<()> {
        let deadline = match timeout_ns {
            0 => None,
            timeout_ns => Instant::now().checked_add(Duration::from_nanos(timeout_ns)),
        };
        if worker::works_for(self) {
            return Err(Error::Sys(libc::EDEADLK));
        }
        let mut queue = self.lock()?;
        while queue.threads > 0 {
            queue = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                None => self.ended.wait(queue).unwrap_or_else(|poisoned| poisoned.into_inner()),
                Some(Duration::ZERO) => return Err(Error::Sys(libc::ETIMEDOUT)),
                Some(left) => {
                    let result = self.ended.wait_timeout(queue, left);
                    result.unwrap_or_else(|poisoned| poisoned.into_inner()).0
                }
            };
        }
        drop(queue);
        self.join_ended();
        Ok(())
    }

    /// If all threads have said that they end: waits the moment until they did.
    pub fn join_ended(&self) {
        let Ok(mut queue) = self.lock() else { return };
        if queue.threads > 0 || !queue.shutdown || worker::works_for(self) {
            return;
        }
        let handles = std::mem::take(&mut queue.handles);
        drop(queue);
        for handle in handles {
            let _ = handle.join();
        }
    }

    /// A worker ends. What it yields is to be dropped or told outside the lock.
    pub(super) fn worker_ends(&self, mut queue: MutexGuard<'_, Queue>) {
        queue.threads -= 1;
        // After a shutdown somebody may come to join; otherwise it is detached.
        let handle = match queue.shutdown {
            true => None,
            false => queue.remove_handle(std::thread::current().id()),
        };
        let told = match queue.threads {
            0 => std::mem::take(&mut queue.ended),
            _ => Vec::new(),
        };
        let last = queue.threads == 0;
        // It may have been about to take one of the jobs that are left.
        let wake = queue.wants_wake();
        drop(queue);
        drop(handle);
        if wake {
            self.changed.notify_one();
        }
        if last {
            self.ended.notify_all();
        }
        for receiver in told {
            receiver.finish(Outcome::number(0));
        }
    }

    /// Nobody refers to the executor any more: the threads do what is queued and
    /// end by themselves. In a forked child the child's copy of what was queued
    /// is destroyed, if nobody was changing it at the fork.
    pub fn abandon(&self) {
        if self.is_forked() {
            if let Ok(mut queue) = self.queue.try_lock() {
                let jobs = std::mem::take(&mut queue.jobs);
                queue.withdrawn = 0;
                // They are the parent's threads.
                std::mem::forget(std::mem::take(&mut queue.handles));
                drop(queue);
                drop(jobs);
            }
            return;
        }
        if let Ok(mut queue) = self.lock() {
            queue.shutdown = true;
            let handles = std::mem::take(&mut queue.handles);
            drop(queue);
            drop(handles);
            self.changed.notify_all();
        }
    }
}

impl Queue {
    fn remove_handle(&mut self, id: ThreadId) -> Option<JoinHandle<()>> {
        let index = self.handles.iter().position(|handle| handle.thread().id() == id)?;
        Some(self.handles.swap_remove(index))
    }
}

/// How often a worker looks before it sleeps: about as long as a short job takes.
const LOOKS: u32 = 50;

/// 0 means as many as Python's ThreadPoolExecutor would have.
fn at_least_one(workers: usize) -> usize {
    match workers {
        0 => (std::thread::available_parallelism().map_or(1, |count| count.get()) + 4).min(32),
        workers => workers,
    }
}

//! A pool of threads that take jobs from one queue.
//!
//! Who may touch what: jobs come to the `Door`, guarded by a mutex of its own;
//! everything else is in `Queue`, guarded by the other one, which is always
//! locked first. Nothing foreign runs under either. Threads take from the queue,
//! and when it is empty all that stands at the door: so whoever submits many
//! jobs seldom meets those who take them. While there are jobs there is a thread.
//!
//! The door is `watched` unless each thread that there may be has a job or one
//! without is coming: these look at the door before they sleep, and wake others.
//! So whoever brings a job to a door that is not watched need tell nobody.
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

use super::completions::Apart;
use super::job::{Receiver, Task};
use super::waiting::Waiting;
use super::worker;
use crate::error::{Error, Result};
use crate::fork_generation;
use crate::platform::thread::processors;
use crate::services::future::Outcome;
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
    door: Apart<Mutex<Door>>,
    /// The serial of the next job, for a worker that looks without the lock;
    /// changed under the door's.
    next_serial: AtomicU64,
    queue: Apart<Mutex<Queue>>,
    /// Something changed for idle workers.
    pub(super) changed: Condvar,
    /// The last worker ended after a shutdown.
    ended: Condvar,
}

/// Where jobs come.
struct Door {
    jobs: Waiting,
    /// Somebody must be told of a job: a thread that sleeps may be needed, or one
    /// more.
    watched: bool,
    /// No more jobs are taken.
    closed: bool,
}

/// What the queue's mutex guards.
pub(super) struct Queue {
    /// Older than those at the door.
    jobs: Waiting,
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

impl Pool {
    /// A pool without threads yet.
    pub fn new(workers: usize) -> Result<Arc<Pool>> {
        crate::memory::try_arc(Pool {
            generation: fork_generation::current(),
            pid: fork_generation::pid(),
            workers: AtomicUsize::new(at_least_one(workers)),
            door: Apart(Mutex::new(Door {
                jobs: Waiting::default(),
                watched: true,
                closed: false,
            })),
            next_serial: AtomicU64::new(0),
            queue: Apart(Mutex::new(Queue {
                jobs: Waiting::default(),
                threads: 0,
                starting: 0,
                waiting: 0,
                looking: false,
                wakes: 0,
                shutdown: false,
                handles: Vec::new(),
                next_name: 0,
                ended: Vec::new(),
            })),
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
            false => Ok(self.queue.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())),
        }
    }

    /// The door, in the process of the pool.
    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// How many jobs wait.
    fn waiting(&self, queue: &Queue) -> usize {
        queue.jobs.len() + self.door().jobs.len()
    }

    /// The next job. If there is none, the door is watched from now on.
    pub(super) fn take(&self, queue: &mut Queue) -> Option<Task> {
        if let Some(task) = queue.jobs.pop() {
            return Some(task);
        }
        let mut door = self.door();
        std::mem::swap(&mut door.jobs, &mut queue.jobs);
        let task = queue.jobs.pop();
        door.watched |= task.is_none();
        task
    }

    /// Takes a job out wherever it stands.
    fn remove(&self, queue: &mut Queue, serial: u64) -> Option<Task> {
        queue.jobs.remove(serial).or_else(|| self.door().jobs.remove(serial))
    }

    /// Must one more thread be woken? Then the caller does so once it has given
    /// the lock back.
    pub(super) fn wants_wake(&self, queue: &mut Queue) -> bool {
        if queue.waiting == 0 || queue.is_one_coming() {
            return false;
        }
        let mut door = self.door();
        let wants = queue.jobs.len() + door.jobs.len() > 0;
        queue.wakes += usize::from(wants);
        door.watched |= !wants;
        wants
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
        let mut queue = self.queue.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        queue.looking = false;
        let mut door = self.door();
        let came = queue.jobs.len() + door.jobs.len() > 0;
        door.watched |= !came;
        drop(door);
        (queue, came)
    }

    /// Queues a job; yields what `withdraw` knows it by. A refused one comes back.
    pub fn submit(self: &Arc<Self>, task: Task) -> std::result::Result<u64, (Error, Task)> {
        if self.is_forked() {
            return Err((Error::Forked(self.pid), task));
        }
        let mut door = self.door();
        if door.closed {
            return Err((Error::Shutdown, task));
        }
        if let Err(error) = door.jobs.reserve_one() {
            return Err((error, task));
        }
        let serial = self.next_serial.load(Relaxed);
        self.next_serial.store(serial + 1, Relaxed);
        door.jobs.push(serial, task);
        let watched = door.watched;
        drop(door);
        if watched { self.tell(serial) } else { Ok(serial) }
    }

    /// A job came to a watched door: it gets a thread, if one can be had.
    fn tell(self: &Arc<Self>, serial: u64) -> std::result::Result<u64, (Error, Task)> {
        let Ok(mut queue) = self.lock() else { return Ok(serial) };
        // Whoever shut the pool down meanwhile was told that there is no thread.
        let started = match queue.shutdown && queue.threads == 0 {
            true => Err(Error::Shutdown),
            false => self.start_workers(&mut queue, 1),
        };
        if let Err(error) = started
            && queue.threads == 0
            && let Some(task) = self.remove(&mut queue, serial)
        {
            return Err((error, task));
        }
        let wake = self.wants_wake(&mut queue);
        let idle = queue.waiting > 0 && !queue.is_one_coming();
        self.door().watched = idle || queue.threads < self.workers();
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
            if queue.threads >= self.workers() || self.waiting(queue) <= coming {
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
        let mut queue = self.lock().ok()?;
        self.remove(&mut queue, serial)
    }

    /// Sets the most threads there may be; those too many end when idle.
    pub fn set_workers(self: &Arc<Self>, workers: usize) -> Result<()> {
        let mut queue = self.lock()?;
        self.workers.store(at_least_one(workers), Relaxed);
        let started = self.start_workers(&mut queue, usize::MAX);
        self.door().watched = true;
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
        Ok((queue.threads, self.waiting(&queue)))
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
        let mut door = self.door();
        door.closed = true;
        let mut cancelled = Vec::new();
        if cancel_queued {
            cancelled.extend(std::mem::take(&mut queue.jobs).into_tasks());
            cancelled.extend(std::mem::take(&mut door.jobs).into_tasks());
        }
        drop(door);
        drop(queue);
        self.changed.notify_all();
        if let Some(receiver) = ended_already {
            receiver.finish(Outcome::number(0));
        }
        Ok(cancelled)
    }

    /// Waits for the end of all threads of a pool that is shut down; negative:
    /// however long it takes.
    pub fn join(&self, timeout_ns: i64) -> Result<()> {
        let deadline = u64::try_from(timeout_ns)
            .ok()
            .and_then(|limit| Instant::now().checked_add(Duration::from_nanos(limit)));
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
        self.door().watched = true;
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
        let wake = self.wants_wake(&mut queue);
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
            if let Ok(mut queue) = self.queue.0.try_lock() {
                let at_door = self.door.0.try_lock().map(|mut door| std::mem::take(&mut door.jobs));
                let jobs = (std::mem::take(&mut queue.jobs), at_door.ok());
                // They are the parent's threads.
                std::mem::forget(std::mem::take(&mut queue.handles));
                drop(queue);
                drop(jobs);
            }
            return;
        }
        if let Ok(mut queue) = self.lock() {
            queue.shutdown = true;
            self.door().closed = true;
            let handles = std::mem::take(&mut queue.handles);
            drop(queue);
            drop(handles);
            self.changed.notify_all();
        }
    }
}

impl Queue {
    /// Will a thread without a job look for one without being told?
    fn is_one_coming(&self) -> bool {
        self.looking || self.wakes > 0
    }

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
        0 => (processors() + 4).min(32),
        workers => workers,
    }
}

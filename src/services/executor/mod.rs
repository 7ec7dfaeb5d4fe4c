//! Executors: blocking code runs on threads of a pool, or wherever the host
//! likes. An executor belongs to no loop; each loop has a default one.

mod completions;
mod host;
mod job;
mod loop_executors;
mod pool;
mod waiting;
mod worker;

pub use completions::{Completions, Ticket};
pub use host::{CANCEL_QUEUED, HostExecutor, HostFns, HostJob, WAIT};
pub use job::{Job, JobFn, Receiver, Task, say_failure};
pub use loop_executors::{
    Submitted, call, run, set_default_executor, shutdown_default_executor, start,
};
pub use pool::Pool;

use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::memory::try_arc;
use std::cell::UnsafeCell;
use std::sync::Arc;

/// An executor. When the last reference goes, it does what is queued and ends.
pub struct Executor {
    /// Replaced only by `reinit_after_fork`, while the process has one thread
    /// that uses the executor.
    kind: UnsafeCell<Kind>,
}

// SAFETY: see `kind`; what is in it may be used by any thread.
unsafe impl Send for Executor {}
unsafe impl Sync for Executor {}

/// Where the jobs run.
#[derive(Clone)]
enum Kind {
    Pool(Arc<Pool>),
    Host(Arc<HostExecutor>),
}

/// A job that was submitted, as far as its executor must know it again.
enum Place {
    Pool(Arc<Pool>, u64),
    Host(Arc<HostExecutor>, Arc<HostJob>),
}

impl Place {
    /// The job shall not run. False if it has begun. Destroys the job's data.
    fn withdraw(&self) -> bool {
        match self {
            Place::Pool(pool, serial) => pool.withdraw(*serial).is_some(),
            Place::Host(host, job) => host.withdraw(job),
        }
    }
}

impl Executor {
    /// A pool of at most so many threads; 0: as many as Python's would have. A
    /// thread is started when a job comes that no idle one can take.
    pub fn pool(workers: usize) -> Result<Arc<Self>> {
        try_arc(Executor { kind: UnsafeCell::new(Kind::Pool(Pool::new(workers)?)) })
    }

    /// The host's.
    pub fn host(fns: HostFns, user_data: UserData) -> Result<Arc<Self>> {
        try_arc(Executor { kind: UnsafeCell::new(Kind::Host(HostExecutor::new(fns, user_data)?)) })
    }

    fn kind(&self) -> &Kind {
        // SAFETY: see the field.
        unsafe { &*self.kind.get() }
    }

    /// The pool, for what only pools have.
    fn only_pool(&self) -> Result<&Arc<Pool>> {
        match self.kind() {
            Kind::Pool(pool) => Ok(pool),
            Kind::Host(_) => Err(Error::Unsupported("the executor is the host's")),
        }
    }

    /// Submits a job. It may end the last reference to this executor, which is
    /// not touched afterwards.
    fn submit_task(&self, task: Task) -> Result<Place> {
        match self.kind() {
            Kind::Pool(pool) => {
                let pool = pool.clone();
                match pool.submit(task) {
                    Ok(serial) => Ok(Place::Pool(pool, serial)),
                    Err((error, task)) => {
                        drop(task);
                        Err(error)
                    }
                }
            }
            Kind::Host(host) => {
                let host = host.clone();
                let job = host.submit(task)?;
                Ok(Place::Host(host, job))
            }
        }
    }

    /// Submits a job that nobody waits for, under the same rule.
    pub fn submit(&self, job: Job) -> Result<()> {
        let task = Task { job, receiver: None };
        match self.kind() {
            // The job may run, and end the last reference, before this returns.
            Kind::Pool(pool) => match pool.clone().submit(task) {
                Ok(_) => Ok(()),
                Err((error, task)) => {
                    drop(task);
                    Err(error)
                }
            },
            Kind::Host(_) => self.submit_task(task).map(drop),
        }
    }

    /// Sets the most threads there may be.
    pub fn set_workers(&self, workers: usize) -> Result<()> {
        self.only_pool()?.set_workers(workers)
    }

    /// How many threads there are, and how many jobs wait for one.
    pub fn counts(&self) -> Result<(usize, usize)> {
        self.only_pool()?.counts()
    }

    /// Takes no more jobs. What is queued is done or cancelled; the call may
    /// wait for the end of all threads (negative: however long that takes).
    pub fn shutdown(&self, flags: u32, timeout_ns: i64) -> Result<()> {
        match self.kind().clone() {
            Kind::Pool(pool) => {
                for task in pool.shutdown(flags & CANCEL_QUEUED != 0, None)? {
                    task.cancel();
                }
                match flags & WAIT != 0 {
                    true => pool.join(timeout_ns),
                    false => Ok(()),
                }
            }
            Kind::Host(host) => host.shutdown(flags, timeout_ns),
        }
    }

    /// In a forked child: makes the executor this process's own. What was queued
    /// at the fork belongs to the parent; the child's copy of it is destroyed.
    pub fn reinit_after_fork(&self) -> Result<()> {
        match self.kind().clone() {
            Kind::Host(host) => host.reinit_after_fork(),
            Kind::Pool(pool) if !pool.is_forked() => {
                Err(Error::Invalid("the executor was not inherited through fork"))
            }
            Kind::Pool(pool) => {
                let fresh = Pool::new(pool.workers())?;
                // SAFETY: no other thread uses the executor in this child.
                drop(unsafe { std::ptr::replace(self.kind.get(), Kind::Pool(fresh)) });
                pool.abandon();
                Ok(())
            }
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if let Kind::Pool(pool) = self.kind() {
            pool.abandon();
        }
    }
}

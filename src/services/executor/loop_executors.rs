//! What a loop has of executors: a default one, and the futures of its jobs.

use super::completions::{Completions, Ticket};
use super::job::{Job, Receiver, Task};
use super::{Executor, Kind, Place, WAIT, worker};
use crate::callback::{Callback, CallbackFn};
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop};
use crate::memory::{probe, try_box};
use crate::services::future::{Deadline, Future, Operation, Outcome};
use std::alloc::Layout;
use std::ffi::CStr;
use std::sync::{Arc, Mutex, MutexGuard};

/// The attachment.
struct LoopExecutors {
    completions: Arc<Completions>,
    /// Used by the loop's thread only.
    default: Mutex<Default>,
}

struct Default {
    executor: Option<Arc<Executor>>,
    shutdown_called: bool,
}

impl LoopExecutors {
    fn of(event_loop: &EventLoop) -> Result<Arc<Self>> {
        event_loop.attachment(|| {
            Ok(LoopExecutors {
                completions: Completions::new(event_loop)?,
                default: Mutex::new(Default { executor: None, shutdown_called: false }),
            })
        })
    }

    /// Those of a loop, without the counting of references that `of` costs.
    fn completions_of(event_loop: &EventLoop) -> Result<Arc<Completions>> {
        match event_loop.look_at_attachment(|known: &Self| known.completions.clone()) {
            Some(completions) => Ok(completions),
            None => LoopExecutors::of(event_loop).map(|made| made.completions.clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Default> {
        self.default.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The default executor, which is made when it is first asked for.
    fn default_executor(&self) -> Result<Arc<Executor>> {
        let mut default = self.lock();
        if default.shutdown_called {
            return Err(Error::Shutdown);
        }
        if let Some(executor) = &default.executor {
            return Ok(executor.clone());
        }
        let executor = Executor::pool(0)?;
        default.executor = Some(executor.clone());
        Ok(executor)
    }
}

impl Attachment for LoopExecutors {
    fn detached(&self, why: Detach) {
        let futures = self.completions.close();
        // In a child nobody was inside the loop at the fork, so the lock is free.
        let executor = self.lock().executor.take();
        match why {
            Detach::Closed => {
                if let Some(executor) = &executor {
                    let _ = executor.shutdown(0, 0);
                }
            }
            Detach::ClosedInChild => {}
            Detach::Reinit => {
                // Their jobs are the parent's. Somebody here may wait for them.
                let waiting = futures.iter().map(|(_, (_, future))| future);
                for future in waiting.filter(|future| Arc::strong_count(future) > 1) {
                    future.fail(Error::Forked(self.completions.pid()));
                }
            }
        }
        drop(futures);
        drop(executor);
    }
}

/// What works on the future of a job.
pub struct Submitted {
    completions: Arc<Completions>,
    ticket: Ticket,
    place: Place,
}

impl Submitted {
    /// The job shall not run. False if it has begun. Destroys the job's data.
    pub fn withdraw(&self) -> bool {
        self.place.withdraw()
    }

    /// Lets go of the future: it is done.
    pub fn forget(&self) {
        self.completions.forget(self.ticket);
    }
}

/// The same as an operation, which is made before the job is submitted.
struct Running(Option<Submitted>);

impl Operation for Running {
    fn cancel(&mut self, _message: Option<&CStr>) -> Option<bool> {
        if let Some(submitted) = &self.0 {
            submitted.withdraw();
        }
        None
    }

    fn ended(self: Box<Self>) {
        if let Some(submitted) = self.0 {
            submitted.forget();
        }
    }
}

/// Submits a function, as `start` does; `done` is called on the loop's thread
/// after it, with the same data, unless the loop is closed meanwhile.
pub fn call(
    event_loop: &EventLoop,
    executor: Option<&Executor>,
    func: CallbackFn,
    done: Callback,
) -> Result<()> {
    let completions = LoopExecutors::completions_of(event_loop)?;
    let job = Job::Work { func, done, completions };
    match executor {
        Some(executor) => executor.submit(job),
        None => LoopExecutors::of(event_loop)?.default_executor()?.submit(job),
    }
}

/// Submits a job, to the loop's default executor if none is named. Its outcome
/// ends `future`, of which the result must become the operation, or part of it.
pub fn start(
    event_loop: &EventLoop,
    executor: Option<&Executor>,
    job: Job,
    future: &Arc<Future>,
) -> Result<Submitted> {
    let completions = LoopExecutors::completions_of(event_loop)?;
    let default = match executor {
        Some(_) => None,
        None => Some(LoopExecutors::of(event_loop)?.default_executor()?),
    };
    let executor = executor.or(default.as_deref()).ok_or(Error::Internal)?;
    let ticket = completions.issue(future)?;
    let receiver = Receiver { completions: completions.clone(), ticket };
    match executor.submit_task(Task { job, receiver: Some(receiver) }) {
        Ok(place) => Ok(Submitted { completions, ticket, place }),
        Err(error) => {
            completions.forget(ticket);
            Err(error)
        }
    }
}

/// A future for a job's outcome. The job is submitted now, whether the loop runs
/// or not; the outcome arrives by a post. asyncio: `loop.run_in_executor`.
pub fn run(event_loop: &EventLoop, executor: Option<&Executor>, job: Job) -> Result<Arc<Future>> {
    let future = Future::new(event_loop)?;
    let mut running = try_box(Running(None))?;
    running.0 = Some(start(event_loop, executor, job, &future)?);
    future.set_operation(running)?;
    Ok(future)
}

/// Sets what runs jobs that name no executor.
pub fn set_default_executor(event_loop: &EventLoop, executor: Arc<Executor>) -> Result<()> {
    let executors = LoopExecutors::of(event_loop)?;
    let old = executors.lock().executor.replace(executor);
    drop(old);
    Ok(())
}

/// What works on the future of a shutdown.
struct Ending {
    completions: Arc<Completions>,
    ticket: Ticket,
    executor: Kind,
    deadline: Option<Deadline>,
}

impl Operation for Ending {
    fn ended(self: Box<Self>) {
        self.completions.forget(self.ticket);
        drop(self.deadline);
        if let Kind::Pool(pool) = &self.executor {
            pool.join_ended();
        }
    }
}

/// The default executor takes no more jobs, for ever. The future is done when
/// all its threads have ended; it fails with -ETIMEDOUT if that takes longer
/// than `timeout_ns` (negative: no limit).
pub fn shutdown_default_executor(event_loop: &EventLoop, timeout_ns: i64) -> Result<Arc<Future>> {
    let executors = LoopExecutors::of(event_loop)?;
    let future = Future::new(event_loop)?;
    let Some(executor) = executors.lock().executor.clone() else {
        executors.lock().shutdown_called = true;
        future.succeed(0);
        return Ok(future);
    };
    let completions = executors.completions.clone();
    let ticket = completions.issue(&future)?;
    let receiver = Receiver { completions: completions.clone(), ticket };
    let kind = executor.kind().clone();
    let begun = (|| {
        probe(Layout::new::<Ending>())?;
        let deadline = Deadline::set(&future, timeout_ns)?;
        begin_shutdown(&kind, timeout_ns, receiver)?;
        Ok(deadline)
    })();
    match begun {
        Ok(deadline) => {
            executors.lock().shutdown_called = true;
            let ending = Ending { completions, ticket, executor: kind, deadline };
            future.set_operation(Box::new(ending))?;
            Ok(future)
        }
        Err(error) => {
            completions.forget(ticket);
            Err(error)
        }
    }
}

fn begin_shutdown(kind: &Kind, timeout_ns: i64, receiver: Receiver) -> Result<()> {
    match kind {
        Kind::Pool(pool) => pool.shutdown(false, Some(receiver)).map(drop),
        Kind::Host(host) if host.can_wait() => {
            let host = host.clone();
            worker::start_helper(move || {
                receiver.finish(match host.shutdown(WAIT, timeout_ns) {
                    Ok(()) => Outcome::number(0),
                    Err(Error::Failed(code)) => Outcome::failure(code, None),
                    Err(error) => Outcome::error(error),
                });
            })
        }
        Kind::Host(host) => {
            host.shutdown(0, 0)?;
            receiver.finish(Outcome::number(0));
            Ok(())
        }
    }
}

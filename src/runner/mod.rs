//! Running a main task: asyncio's `run` and `Runner`. A new loop, made the
//! thread's current one; afterwards every task is cancelled, what registered
//! for it is shut down, and the thread has no loop.

mod sigint;
mod until_complete;

pub use until_complete::run_until_complete;

use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, LoopRef};
use crate::memory::try_collect;
use crate::policy::{self, HostResult};
use crate::running;
use crate::services::combine;
use crate::services::executor;
use crate::services::finalizers;
use crate::services::future::{Future, Outcome, report};
use crate::services::task::{self, StepFn, Task};
use sigint::Sigint;
use std::cell::Cell;
use std::sync::Arc;

/// asyncio's limit for the threads of the default executor to end.
const JOIN_LIMIT_NS: i64 = 300 * 1_000_000_000;

/// How a runner runs.
#[derive(Clone, Copy, Default)]
pub struct Options {
    /// Switches debug mode.
    pub debug: Option<bool>,
    /// Lets SIGINT cancel the main task.
    pub handle_sigint: bool,
}

/// A loop and what has been run on it.
pub struct Runner {
    event_loop: LoopRef,
    handle_sigint: bool,
    closed: Cell<bool>,
    /// A call goes on, whose callbacks must not end the runner.
    busy: Cell<bool>,
}

/// A call of a runner.
struct Busy<'a>(&'a Cell<bool>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Runner {
    /// A runner with a new loop of the policy's, which becomes the thread's.
    pub fn new(options: Options) -> HostResult<Runner> {
        if !running::get().is_null() {
            return Err(Error::RunInsideRun.into());
        }
        let policy = policy::get()?;
        // SAFETY: a new loop's only reference.
        let event_loop = unsafe { LoopRef::from_raw(policy.new_event_loop()?) };
        // SAFETY: just made.
        policy.set_event_loop(Some(unsafe { LoopRef::another(event_loop.as_ptr()) }))?;
        let runner = Runner {
            event_loop,
            handle_sigint: options.handle_sigint,
            closed: Cell::new(false),
            busy: Cell::new(false),
        };
        if let Some(debug) = options.debug {
            runner.event_loop().set_debug(debug)?;
        }
        Ok(runner)
    }

    /// Its loop.
    pub fn event_loop(&self) -> &EventLoop {
        // SAFETY: the reference keeps it.
        unsafe { &*self.event_loop.as_ptr() }
    }

    /// Does a call of it go on?
    pub fn is_busy(&self) -> bool {
        self.busy.get()
    }

    /// Runs a main task to its end: its future, and 0 or a code of `interrupt`.
    pub fn run(&self, step: StepFn, user_data: UserData) -> Result<(Arc<Future>, Result<i32>)> {
        if self.closed.get() {
            return Err(Error::InvalidState("Runner is closed"));
        }
        if self.busy.replace(true) {
            drop(user_data);
            return Err(Error::RunInsideRun);
        }
        let _busy = Busy(&self.busy);
        if !running::get().is_null() {
            return Err(Error::RunInsideRun);
        }
        let event_loop = self.event_loop();
        let main = Task::create(event_loop, step, user_data, task::Options::default())?;
        let sigint = if self.handle_sigint { Sigint::watch(event_loop, &main)? } else { None };
        let code = run_until_complete(event_loop, main.future());
        let code = sigint.map_or_else(|| code, |sigint| sigint.judge(code));
        Ok((main.future().clone(), code))
    }

    /// Ends everything the loop has, then the loop.
    pub fn close(&self) -> HostResult<()> {
        if self.closed.replace(true) {
            return Ok(());
        }
        self.busy.set(true);
        let _busy = Busy(&self.busy);
        let ended = self.shut_down();
        let unset = match policy::get() {
            Ok(policy) => policy.set_event_loop(None),
            Err(error) => Err(error.into()),
        };
        self.event_loop().close()?;
        ended?;
        unset
    }

    fn shut_down(&self) -> Result<()> {
        let event_loop = self.event_loop();
        if event_loop.is_closed() || event_loop.is_forked() {
            return Ok(());
        }
        cancel_all_tasks(event_loop)?;
        run_until_complete(event_loop, &finalizers::shutdown(event_loop)?)?;
        let pool = executor::shutdown_default_executor(event_loop, JOIN_LIMIT_NS)?;
        run_until_complete(event_loop, &pool)?;
        if let Ok(code @ ..0) = pool.outcome(Outcome::code) {
            let what = c"The executor did not finish joining its threads within 300 seconds.";
            report(event_loop, what, code, None);
        }
        Ok(())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

fn cancel_all_tasks(event_loop: &EventLoop) -> Result<()> {
    let tasks = task::all_tasks(event_loop)?;
    if tasks.is_empty() {
        return Ok(());
    }
    for task in &tasks {
        task.cancel(None)?;
    }
    let futures = try_collect(tasks.iter().map(|task| task.future().clone()))?;
    run_until_complete(event_loop, &combine::gather(event_loop, futures, true)?)?;
    for task in &tasks {
        let future = task.future();
        if future.outcome(Outcome::is_failure) == Ok(true)
            && let Ok(failure) = future.share_outcome()
        {
            let what = c"unhandled exception during asyncio.run() shutdown";
            report(event_loop, what, failure.code(), failure.message());
        }
    }
    Ok(())
}

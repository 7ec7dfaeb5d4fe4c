//! An executor of the host's: it is handed jobs and runs them where it likes.

use super::job::Task;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::fork_generation;
use crate::memory::try_arc;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// What the host can do with a job.
#[derive(Clone, Copy)]
pub struct HostFns {
    /// Takes charge of a job.
    pub submit: unsafe extern "C-unwind" fn(*const HostJob, *mut c_void) -> c_int,
    /// A job that was taken charge of will do nothing any more; 1: given back.
    pub cancel: Option<unsafe extern "C-unwind" fn(*const HostJob, *mut c_void) -> c_int>,
    /// Ends the executor's work: flags, time in nanoseconds (negative: any).
    pub shutdown: Option<unsafe extern "C-unwind" fn(u32, i64, *mut c_void) -> c_int>,
}

/// `HostFns::shutdown` waits.
pub const WAIT: u32 = 1;
/// `HostFns::shutdown` cancels what has not begun.
pub const CANCEL_QUEUED: u32 = 2;

/// A job in the host's hands. Whoever takes the task out runs it or drops it.
pub struct HostJob(Mutex<Option<Task>>);

impl HostJob {
    fn take(&self) -> Option<Task> {
        // Held for a moment only, but perhaps by another thread at a fork.
        for _ in 0..1000 {
            if let Ok(mut task) = self.0.try_lock() {
                return task.take();
            }
            std::thread::yield_now();
        }
        None
    }

    /// Runs the job, unless it was cancelled.
    pub fn run(self: Arc<Self>) {
        if let Some(task) = self.take() {
            task.run();
        }
    }

    /// The job will not run.
    pub fn discard(self: Arc<Self>) {
        if let Some(task) = self.take() {
            task.cancel();
        }
    }
}

/// The host's executor.
pub struct HostExecutor {
    fns: HostFns,
    user_data: UserData,
    generation: AtomicU64,
    pid: AtomicI32,
    shut_down: AtomicBool,
}

// SAFETY: the host promised that its functions may be called on any thread.
unsafe impl Send for HostExecutor {}
unsafe impl Sync for HostExecutor {}

impl HostExecutor {
    /// Takes charge of the host's data.
    pub fn new(fns: HostFns, user_data: UserData) -> Result<Arc<Self>> {
        try_arc(HostExecutor {
            fns,
            user_data,
            generation: AtomicU64::new(fork_generation::current()),
            pid: AtomicI32::new(fork_generation::pid()),
            shut_down: AtomicBool::new(false),
        })
    }

    fn check(&self) -> Result<()> {
        match self.generation.load(Relaxed) == fork_generation::raw() {
            true => Ok(()),
            false => Err(Error::Forked(self.pid.load(Relaxed))),
        }
    }

    /// The host says that its executor works in this forked child.
    pub fn reinit_after_fork(&self) -> Result<()> {
        if self.check().is_ok() {
            return Err(Error::Invalid("the executor was not inherited through fork"));
        }
        self.pid.store(fork_generation::pid(), Relaxed);
        self.shut_down.store(false, Relaxed);
        self.generation.store(fork_generation::current(), Relaxed);
        Ok(())
    }

    /// Hands a job to the host.
    pub fn submit(&self, task: Task) -> Result<Arc<HostJob>> {
        self.check()?;
        if self.shut_down.load(Relaxed) {
            return Err(Error::Shutdown);
        }
        let job = try_arc(HostJob(Mutex::new(Some(task))))?;
        let raw = Arc::into_raw(job.clone());
        // SAFETY: the host's function with the host's data.
        let code = unsafe { (self.fns.submit)(raw, self.user_data.get()) };
        if code < 0 {
            // SAFETY: the host has refused, so its reference is still there.
            drop(unsafe { Arc::from_raw(raw) });
            drop(job.take());
            return Err(host_error(code));
        }
        Ok(job)
    }

    /// The job shall not run. True if it had not begun.
    pub fn withdraw(&self, job: &Arc<HostJob>) -> bool {
        let Some(task) = job.take() else { return false };
        drop(task);
        if let Some(cancel) = self.fns.cancel
            && self.check().is_ok()
        {
            let raw = Arc::as_ptr(job);
            // SAFETY: the host's function with the host's data.
            if unsafe { cancel(raw, self.user_data.get()) } == 1 {
                // SAFETY: the host gives its reference back.
                drop(unsafe { Arc::from_raw(raw) });
            }
        }
        true
    }

    /// Takes no more jobs and tells the host.
    pub fn shutdown(&self, flags: u32, timeout_ns: i64) -> Result<()> {
        self.check()?;
        self.shut_down.store(true, Relaxed);
        let Some(shutdown) = self.fns.shutdown else { return Ok(()) };
        // SAFETY: the host's function with the host's data.
        match unsafe { shutdown(flags, timeout_ns, self.user_data.get()) } {
            0.. => Ok(()),
            code => Err(host_error(code)),
        }
    }

    /// May `shutdown` wait?
    pub fn can_wait(&self) -> bool {
        self.fns.shutdown.is_some()
    }
}

fn host_error(code: c_int) -> Error {
    match code {
        -999..0 => Error::Sys(-code),
        code => Error::Failed(code),
    }
}

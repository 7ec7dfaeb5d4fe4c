//! A job: what it does, and who waits for its outcome.

use super::completions::{Completions, Ticket};
use crate::callback::{Callback, CallbackFn, DestroyFn, UserData};
use crate::error::{Error, Result};
use crate::memory::{copy_text, try_arc};
use crate::services::future::{Failure, Outcome};
use std::cell::RefCell;
use std::ffi::{CStr, c_int, c_void};
use std::sync::Arc;

/// A host's job.
pub type JobFn = unsafe extern "C-unwind" fn(*mut c_void, *mut *mut c_void) -> c_int;

/// What a job that runs on this thread says of its failure.
struct Said {
    /// A job runs.
    inside: bool,
    failure: Option<Failure>,
}

thread_local! {
    static SAID: RefCell<Said> = const { RefCell::new(Said { inside: false, failure: None }) };
}

/// Inside a job: the text for its failure with this code, if it ends so, and what
/// the host attaches to it.
pub fn say_failure(code: c_int, message: &CStr, payload: UserData) -> Result<()> {
    let mut failure = Some(Failure { code, message: Some(copy_text(message)?), payload });
    let inside = SAID.try_with(|said| {
        let mut said = said.borrow_mut();
        if said.inside {
            std::mem::swap(&mut said.failure, &mut failure);
        }
        said.inside
    });
    // What is left, this one or the one before, ends here: that is foreign code.
    drop(failure);
    match inside {
        Ok(false) => Err(Error::InvalidState("no job runs in this thread")),
        _ => Ok(()),
    }
}

/// Runs a job's function: its code, and what it said of it. A job may run
/// another one, on an executor of the host's.
fn listen(func: impl FnOnce() -> c_int) -> (c_int, Option<Failure>) {
    let inside = Said { inside: true, failure: None };
    let outer = SAID.try_with(|said| said.replace(inside));
    let code = func();
    let own = outer.and_then(|outer| SAID.try_with(|said| said.replace(outer)));
    let failure = own.ok().and_then(|said| said.failure);
    (code, failure.filter(|said| said.code == code))
}

/// What runs on an executor.
pub enum Job {
    /// The host's, with a result, and what destroys that if nobody takes it.
    Host {
        /// What to call.
        func: JobFn,
        /// With what; ends before the outcome can be seen.
        user_data: UserData,
        /// Ends the result's life.
        result_destroy: Option<DestroyFn>,
    },
    /// The host's, without a result.
    Callback(Callback),
    /// The host's, with a function to call on the loop's thread after it.
    Work {
        /// What to call on the executor.
        func: CallbackFn,
        /// What to call with the same data afterwards, and where.
        done: Callback,
        /// The loop's.
        completions: Arc<Completions>,
    },
    /// Another service's.
    Service(Box<dyn FnOnce() -> Outcome + Send>),
}

// SAFETY: the pointers are the host's, who gave them to be used and destroyed
// on a thread of the executor.
unsafe impl Send for Job {}

impl Job {
    /// Runs it on this thread.
    fn run(self) -> Outcome {
        match self {
            Job::Host { func, user_data, result_destroy } => {
                let mut result = std::ptr::null_mut();
                // SAFETY: the host's function with the host's data.
                let (code, said) = listen(|| unsafe { func(user_data.get(), &mut result) });
                if code >= 0 {
                    return Outcome::Result(UserData::new(result, result_destroy));
                }
                if !result.is_null() {
                    drop(UserData::new(result, result_destroy));
                }
                if code == Error::Cancelled.code() {
                    return Outcome::Cancelled(said.and_then(|said| said.message));
                }
                match said.map(try_arc) {
                    Some(Ok(failure)) => Outcome::Failed(failure),
                    Some(Err(_)) => Outcome::Code(code),
                    None => Outcome::failure(code, None),
                }
            }
            Job::Callback(callback) => {
                callback.call();
                Outcome::number(0)
            }
            Job::Work { func, done, completions } => {
                let (_, data) = done.parts();
                // SAFETY: the host's function with the host's data.
                unsafe { func(data) };
                completions.push_call(done);
                Outcome::number(0)
            }
            Job::Service(body) => body(),
        }
    }
}

/// A job with the one who waits for it, if anybody does.
pub struct Task {
    /// What to do.
    pub job: Job,
    /// Whom to tell.
    pub receiver: Option<Receiver>,
}

impl Task {
    /// Runs the job and hands its outcome over.
    pub fn run(self) {
        let outcome = self.job.run();
        if let Some(receiver) = self.receiver {
            receiver.finish(outcome);
        }
    }

    /// The job will not run: whoever waits is told that it was cancelled.
    pub fn cancel(self) {
        drop(self.job);
        if let Some(receiver) = self.receiver {
            receiver.finish(Outcome::Cancelled(None));
        }
    }
}

/// The way back to a future, for other threads.
pub struct Receiver {
    /// Those of the future's loop.
    pub completions: Arc<Completions>,
    /// Which future.
    pub ticket: Ticket,
}

impl Receiver {
    /// Ends the future, on its loop's thread.
    pub fn finish(self, outcome: Outcome) {
        self.completions.push(self.ticket, outcome);
    }
}

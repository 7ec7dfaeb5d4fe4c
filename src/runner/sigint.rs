//! SIGINT while a main task runs: the first cancels the task, a second one ends
//! the run at once.

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::memory::try_arc;
use crate::services::future::Phase;
use crate::services::signals;
use crate::services::task::Task;
use crate::thread_id;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Watches SIGINT until it is dropped.
pub struct Sigint {
    main: Arc<Task>,
    arrived: Arc<Arrived>,
}

struct Arrived {
    count: AtomicU32,
    main: Arc<Task>,
}

impl Sigint {
    /// Begins, where that is the runner's business: in the main thread, while
    /// nobody else handles the signal.
    pub fn watch(event_loop: &EventLoop, main: &Arc<Task>) -> Result<Option<Sigint>> {
        if !thread_id::is_main() || !signals::is_default(libc::SIGINT)? {
            return Ok(None);
        }
        let arrived = try_arc(Arrived { count: AtomicU32::new(0), main: main.clone() })?;
        let callback = Callback::on(arrived.clone(), Arrived::one_more);
        signals::add_in_its_context(event_loop, libc::SIGINT, callback)?;
        Ok(Some(Sigint { main: main.clone(), arrived }))
    }

    /// What the run answers: the interruption, if that is why it ended.
    pub fn judge(&self, ended: Result<i32>) -> Result<i32> {
        let interrupted = match ended {
            Ok(libc::SIGINT) => true,
            Ok(0) => {
                self.main.future().phase() == Ok(Phase::Cancelled)
                    && self.arrived.count.load(Relaxed) > 0
                    && self.main.uncancel() == Ok(0)
            }
            _ => false,
        };
        if interrupted { Err(Error::Sys(libc::EINTR)) } else { ended }
    }
}

impl Drop for Sigint {
    fn drop(&mut self) {
        let _ = signals::remove(self.main.event_loop(), libc::SIGINT);
    }
}

impl Arrived {
    fn one_more(self: &Arc<Self>) {
        if self.count.fetch_add(1, Relaxed) == 0 && !self.main.future().is_done() {
            let _ = self.main.cancel(None);
        } else {
            let _ = self.main.event_loop().interrupt(libc::SIGINT);
        }
    }
}

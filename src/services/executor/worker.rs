//! A thread of a pool.

use super::pool::Pool;
use crate::error::Result;
use crate::platform::thread;
use std::cell::Cell;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// What threads made by the C library have on most systems: jobs are written
/// for that.
const STACK: usize = if usize::BITS >= 64 { 8 << 20 } else { 1 << 20 };

/// Starts a thread, which begins with `Queue::starting` counted.
pub fn start(pool: Arc<Pool>, number: usize) -> Result<JoinHandle<()>> {
    let builder = Builder::new().name(format!("coloop-{number}")).stack_size(STACK);
    thread::spawn(builder, move || work(pool)).map_err(Into::into)
}

/// Starts a thread for something else than jobs.
pub fn start_helper(body: impl FnOnce() + Send + 'static) -> Result<()> {
    let builder = Builder::new().name("coloop-helper".into()).stack_size(STACK);
    thread::spawn(builder, body).map(drop).map_err(Into::into)
}

thread_local! {
    /// The pool that this thread belongs to.
    static POOL: Cell<*const Pool> = const { Cell::new(std::ptr::null()) };
}

/// Is this thread one of the pool's?
pub fn works_for(pool: &Pool) -> bool {
    POOL.with(|own| std::ptr::eq(own.get(), pool))
}

fn work(pool: Arc<Pool>) {
    POOL.with(|own| own.set(Arc::as_ptr(&pool)));
    if take_jobs(&pool).is_err() {
        // A job forked, and this is the child's copy of the thread: the parent's
        // other threads can never give their references back here.
        std::mem::forget(pool);
    }
}

fn take_jobs(pool: &Pool) -> Result<()> {
    let mut queue = pool.lock()?;
    queue.starting -= 1;
    loop {
        if let Some(task) = pool.take(&mut queue) {
            let wake = pool.wants_wake(&mut queue);
            drop(queue);
            if wake {
                pool.changed.notify_one();
            }
            task.run();
            queue = pool.lock()?;
            if queue.threads <= pool.workers() {
                continue;
            }
        }
        if queue.shutdown || queue.threads > pool.workers() {
            pool.worker_ends(queue);
            return Ok(());
        }
        queue = pool.idle(queue);
    }
}

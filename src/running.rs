//! The running loop of each thread: set while a loop runs, invisible in a
//! forked child.

use crate::fork_generation;
use std::cell::Cell;
use std::ffi::c_void;

thread_local! {
    /// The running loop's address and the fork generation it was set in.
    static RUNNING: Cell<(*const c_void, u64)> = const { Cell::new((std::ptr::null(), 0)) };
}

/// The running loop of this thread; null when there is none.
pub fn get() -> *const c_void {
    let (running, generation) = RUNNING.try_with(Cell::get).unwrap_or((std::ptr::null(), 0));
    if !running.is_null() && generation == fork_generation::current() {
        running
    } else {
        std::ptr::null()
    }
}

/// Makes `running` the running loop until the guard is dropped.
pub fn enter(running: *const c_void) -> Running {
    Running { outer: RUNNING.replace((running, fork_generation::current())) }
}

/// Restores what ran before.
pub struct Running {
    outer: (*const c_void, u64),
}

impl Drop for Running {
    fn drop(&mut self) {
        // A forked child that unwinds out of the parent's run meets the
        // parent's value here; its generation makes it invisible.
        let _ = RUNNING.try_with(|running| running.set(self.outer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_running_loop_a_thread() {
        assert!(get().is_null());
        let mark = 7u8;
        let address: *const c_void = (&raw const mark).cast();
        let guard = enter(address);
        assert_eq!(get(), address);
        std::thread::spawn(|| assert!(get().is_null())).join().unwrap();
        drop(guard);
        assert!(get().is_null());
    }
}

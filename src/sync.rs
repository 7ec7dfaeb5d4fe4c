//! The synchronisation types of what has a model: the standard library's, or
//! loom's when the model runs (`--cfg loom`).
//!
//! The standard mutex is a bare futex word. parking_lot's parks in a table
//! shared by the whole process; if another thread holds one of its buckets
//! while the process forks, the child could wait for it for ever. An inbox must
//! work in a child, so it does not use that one.

#[cfg(not(loom))]
pub use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering, fence},
};
#[cfg(not(loom))]
pub use std::{hint::spin_loop, thread::yield_now};

#[cfg(loom)]
pub use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering, fence},
};
#[cfg(loom)]
pub use loom::{hint::spin_loop, thread::yield_now};

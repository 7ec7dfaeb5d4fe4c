//! The synchronisation types of the inbox: the standard library's, or loom's
//! when its model runs (`--cfg loom`).
//!
//! The standard mutex is a bare futex word. parking_lot's parks in a table
//! shared by the whole process; if another thread holds one of its buckets
//! while the process forks, the child could wait for it for ever. An inbox must
//! work in a child, so it does not use that one.

#[cfg(not(loom))]
pub use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

#[cfg(loom)]
pub use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

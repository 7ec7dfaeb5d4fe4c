//! coloop: one event loop for every language in a process.
//!
//! The map, top to bottom; imports go downward only (`tests/layering.rs`):
//!
//! | layer | rooms |
//! |---|---|
//! | the C ABI | `ffi` |
//! | running a main task | `runner` |
//! | which loop is current | `policy` |
//! | what asyncio gives beside the loop | `services` |
//! | the loop | `event_loop` |
//! | leaves, which know no loop | `ready_queue`, `timer_heap`, `handle_table`, `fd_table`, `inbox`, `wakeup`, `reactor`, `platform`, `context`, `callback`, `running`, `pacer`, `published`, `stopwatch`, `clock`, `thread_id`, `fork_generation`, `fork_lock`, `free_slots`, `last_error`, `loop_cell`, `socket`, `socket_address`, `memory`, `text`, `prefetch`, `sigpipe`, `at_load`, `sync`, `error` |
//!
//! # Stability
//!
//! The public interface is the C one, `include/coloop.h`. The Rust items are
//! unstable: public for the project's own tests, they may change or go in any
//! release, and the crate's version says nothing of them.

#[macro_use]
mod at_load;

pub mod ffi;
pub mod policy;
pub mod runner;

pub mod services;

pub mod event_loop;

pub mod callback;
pub mod clock;
pub mod context;
pub mod error;
pub mod fd_table;
pub mod fork_generation;
pub mod fork_lock;
pub mod free_slots;
pub mod handle_table;
pub mod inbox;
pub mod last_error;
pub mod loop_cell;
pub mod memory;
pub mod pacer;
pub mod platform;
pub mod prefetch;
pub mod published;
pub mod reactor;
pub mod ready_queue;
pub mod running;
pub mod sigpipe;
pub mod socket;
pub mod socket_address;
pub mod stopwatch;
pub mod sync;
pub mod text;
pub mod thread_id;
pub mod timer_heap;
pub mod wakeup;

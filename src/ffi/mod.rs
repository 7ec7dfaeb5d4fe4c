//! The C ABI. Each export checks, converts, calls one safe method and converts
//! back; nothing else in the library has a public C name.
//!
//! Exports stand in the order of the header, which cbindgen makes from these
//! files: their doc comments are written for the C reader.

//! One safety contract holds for all of them, as for any C library: a pointer is
//! NULL, which is answered with an error, or it is valid for what its type says;
//! a `loop_t *` or `policy_t *` is one the caller has a reference to; a callback
//! may be called with its user data on the thread that its type names.

// In C's texts brackets are subscripts, not links.
#![allow(non_camel_case_types, clippy::missing_safety_doc, rustdoc::broken_intra_doc_links)]

#[macro_use]
mod guard;

pub mod types;

pub mod version;

pub mod lifecycle;

pub mod running;

pub mod schedule;

pub mod handle;

pub mod io_watch;

pub mod embed;

pub mod hooks;

pub mod exception;

pub mod policy;

pub mod future;

pub mod task;

pub mod task_group;

pub mod combine;

pub mod runner;

pub mod concurrent;

pub mod protocol;

pub mod sockets;

pub mod transport;

pub mod server;

pub mod connection;

pub mod datagram;

pub mod streams;

pub mod layer;

pub mod signals;

pub mod executor;

pub mod dns;

pub mod children;

pub mod statistics;

pub mod subprocess;

pub mod watchdog;

pub mod error;

//! The C ABI. Each export checks, converts, calls one safe method and converts
//! back; nothing else in the library has a public C name.
//!
//! Exports stand in the order of the header, which cbindgen makes from these
//! files: their doc comments are written for the C reader.

#![allow(non_camel_case_types)]

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

pub mod error;
